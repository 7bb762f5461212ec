"""Making room: the older turns of a long run are replaced by a summary, before the model's window is full."""

from __future__ import annotations

import asyncio
from time import time
from typing import TYPE_CHECKING, NamedTuple

from rlm_kernel.engine.control import Stopped
from rlm_kernel.engine.estimates import text_estimate
from rlm_kernel.engine.exchange import Exchange
from rlm_kernel.engine.prompting import prompt
from rlm_kernel.engine.shown import head_and_tail
from rlm_kernel.errors import LimitExceeded, RlmError
from rlm_kernel.ids import child_id
from rlm_kernel.messages import Message, ModelRequest
from rlm_kernel.trace.records import Node, one_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rlm_kernel.engine.conversation import Conversation
    from rlm_kernel.engine.executor import Executor
    from rlm_kernel.engine.scope import Scope

HISTORY = "history"
"""The variable with everything that was said."""
FULL = 0.75
"""Share of the window that may be used before room is made; the rest is for the next reply and for the summary."""
KEPT = 0.3
"""Share of the window that the last turns may fill, which stay as they are."""
SUMMARY_CHARS = 12_000
"""Characters of a summary that are kept."""
LIKELY = 0.75
"""What is likely, of the tokens that must be expected: too early costs a summary, too late costs the run."""


class Compaction(NamedTuple):
    """What is to be summarised, and what stays."""

    said: list[Message]
    """All messages of the run that the model sees now."""
    keep: int
    """How many of the last turns stay as they are."""


def needed(conversation: Conversation, window: int | None) -> Compaction | None:
    """Tell whether room must be made, and for what.

    Decided from the texts alone, so that the same run, asked again, does the same.

    Args:
        conversation: What was said.
        window: Tokens the model can read; ``None``: any number.
    """
    if window is None or conversation.turns < 2:
        return None
    said = list(conversation.messages)
    if _tokens(said) <= FULL * window:
        return None
    keep = 1
    while keep + 1 < conversation.turns and _tokens(said[-2 * (keep + 1) :]) <= KEPT * window:
        keep += 1
    return Compaction(said, keep)


async def compact(
    scope: Scope, run: Node, conversation: Conversation, model: str, executor: Executor, what: Compaction, turn: int
) -> None:
    """Have the root model summarise the older turns, and go on with the summary in their place.

    The person sees it as a call of the run, with its cost. The whole history stays in the namespace. A model that
    fails at this costs the run nothing but detail: the headings of the turns take the place of the summary.

    Args:
        scope: The run's.
        run: The run's node.
        conversation: Is changed.
        model: The root model.
        executor: Gets the variable with the history.
        what: What `needed` gave.
        turn: Number of the turn that needs the room.

    Raises:
        LimitExceeded: There is nothing left to spend on it.
        Stopped: The person has stopped the run.
    """
    node = _add_node(scope, run, model, what, conversation)
    try:
        summary = await _ask(scope, node, model, what) or _outline(what, conversation.summary)
    except LimitExceeded as problem:
        node.status, node.error, node.remedy = "failed", problem.message, problem.remedy
        raise
    except (Stopped, asyncio.CancelledError):
        node.status = "stopped"
        raise
    except RlmError as problem:
        node.status, node.error, node.remedy = "failed", problem.message, problem.remedy
        summary = _outline(what, conversation.summary)
    finally:
        node.ended = time()
        scope.changed(node)
    await executor.set_variable(HISTORY, said_so_far(conversation))
    put_in_place(conversation, summary, what.keep)
    node.details = {**node.details, "turn": turn, "keep": what.keep}
    scope.changed(node)


def said_so_far(conversation: Conversation) -> list[dict[str, str]]:
    """Give the value of the variable with everything that was said."""
    return [{"role": each.role, "content": each.content} for each in conversation.all]


def put_in_place(conversation: Conversation, summary: str, keep: int) -> None:
    """Go on with a summary in place of the older turns."""
    summary = head_and_tail(summary, SUMMARY_CHARS)
    conversation.compact(summary, prompt("compacted", summary=summary, variable=HISTORY), keep)


def taken_over(conversation: Conversation, node: Node) -> None:
    """Make room as a run did before, with the summary it got.

    Args:
        conversation: Stands where that run stood then.
        node: The call for the summary.
    """
    keep = node.details.get("keep")
    what = Compaction(list(conversation.messages), keep if isinstance(keep, int) else 1)
    put_in_place(conversation, node.reply.strip() or _outline(what, conversation.summary), what.keep)


def _add_node(scope: Scope, run: Node, model: str, what: Compaction, conversation: Conversation) -> Node:
    left_out = conversation.turns - what.keep
    node = Node(
        id=child_id(run.id, "call", conversation.compactions + 1),
        run_id=run.run_id,
        parent_id=run.id,
        kind="call",
        label=one_line(f"Compaction: {left_out} of {conversation.turns} turns become a summary"),
        model=model,
        prompt=prompt("compact"),
    )
    scope.add(node)
    return node


async def _ask(scope: Scope, node: Node, model: str, what: Compaction) -> str:
    *before, last = what.said
    # After the last message, not in place of it: the provider has the rest in its cache.
    asked = Message(last.role, f"{last.content}\n\n{node.prompt}")
    exchange = Exchange(scope, ModelRequest(model, (*before, asked), purpose="root"), node.run_id)
    try:
        await exchange.admit()
        reply = await exchange.complete(node)
    finally:
        exchange.close()
    node.reply, node.model, node.cached, node.status = reply.text, reply.model or model, reply.cached, "done"
    return reply.text.strip()


def _outline(what: Compaction, before: str) -> str:
    """Give the first line of each turn that goes, below the summary of the time before."""
    replies = [each.content for each in what.said if each.role == "assistant"][: -what.keep]
    return "\n".join(filter(None, [before, *(f"- {one_line(reply)}" for reply in replies)]))


def _tokens(messages: Sequence[Message]) -> float:
    return LIKELY * sum(text_estimate(message.content) for message in messages)
