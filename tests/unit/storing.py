"""For tests of the store: small trees, and a store that is closed at the end."""

from __future__ import annotations

from time import time
from typing import TYPE_CHECKING, Any

from rlm_kernel.ids import NodeId, child_id, new_run_id
from rlm_kernel.messages import Message, ModelReply, ModelRequest
from rlm_kernel.trace.records import Node
from rlm_kernel.usage import Usage

if TYPE_CHECKING:
    from collections.abc import Iterator

PAID = Usage(1_200, 0, 30, 1, 0.00123, 1.25)


def question(**fields: Any) -> Node:
    """Give the node of a new question."""
    run_id = new_run_id()
    defaults = {"label": "Who won?", "prompt": "Who won, and why?", "status": "running", "started": time()}
    return Node(NodeId(run_id), run_id, None, "run", **defaults | fields)


def below(parent: Node, kind: str, number: int, **fields: Any) -> Node:
    """Give a node below another."""
    defaults = {"label": f"{kind} {number}", "status": "done", "started": time(), "ended": time()}
    return Node(child_id(parent.id, kind, number), parent.run_id, parent.id, kind, **defaults | fields)


def family(turns: int, calls: int, chars: int = 4_000) -> Iterator[Node]:
    """Give a question with turns and calls, parents first; no two prompts are alike."""
    run = question(model="gpt")
    yield run
    for number in range(1, turns + 1):
        turn = below(run, "turn", number, model="gpt", usage=PAID, reply=f"Turn {number}.", code="print(1)")
        yield turn
        for each in range(1, calls + 1):
            words = f"{number}-{each} of the text as it stands "
            prompt = (words * (chars // len(words) + 1))[:chars]
            label = "What does this part of the report say about it?"
            yield below(turn, "call", each, model="gpt-mini", usage=PAID, prompt=prompt, label=label, reply="Nothing.")


def request(text: str = "Why?") -> ModelRequest:
    """Give a request."""
    return ModelRequest("gpt-mini", (Message("user", text),))


def reply(text: str = "Because.", **fields: Any) -> ModelReply:
    """Give a reply."""
    return ModelReply(text, PAID, "gpt-mini", **fields)


def key(number: int) -> str:
    """Give a key as requests have them."""
    return f"{number:032x}"
