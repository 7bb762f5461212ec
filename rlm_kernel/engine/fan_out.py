"""Many calls at once: what they will take, and how many of them may be made."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from time import time
from typing import TYPE_CHECKING

from rlm_kernel.engine.gate import COST_ASKED, CallsQuoteDict
from rlm_kernel.messages import Message, ModelReply, ModelRequest
from rlm_kernel.models.memo import request_key
from rlm_kernel.usage import Usage, count

if TYPE_CHECKING:
    from rlm_kernel.engine.gate import Decision
    from rlm_kernel.engine.scope import Scope
    from rlm_kernel.trace.records import Node

BYTES_PER_LETTER = 4
"""No tokenizer makes more tokens of a text than it has bytes, and no letter has more bytes than this."""
AT_A_TIME = 200
"""Requests that are looked up before others get their turn on the loop."""


async def fan_out(scope: Scope, turn: Node, nodes: list[Node], schema: str | None = None) -> int:
    """Ask the person about many calls or child runs, where there are more than may be made unasked.

    Args:
        scope: The run's.
        turn: Whose cell wants them.
        nodes: What is to be asked: calls, or child runs; all of one query.
        schema: What the replies to calls must fit.

    Returns:
        How many may be asked, the first ones. The others are failed nodes that say why.

    Raises:
        Stopped: The run was stopped.
    """
    if len(nodes) < 2 or not _may_be_asked_about(scope, nodes):
        return len(nodes)
    decision = await scope.gate.calls(turn, await _quote(scope, nodes, schema))
    passed = {"reject": 0, "first": min(decision.first, len(nodes))}.get(decision.verdict, len(nodes))
    why = _why_not(decision, len(nodes))
    for node in nodes[passed:]:
        node.status, node.error, node.ended = "failed", why, time()
        if node.kind == "run":
            node.outcome = "failed"
        scope.changed(node)
    return passed


def _may_be_asked_about(scope: Scope, nodes: list[Node]) -> bool:
    """Tell, without much work, whether a quote is worth making."""
    most = scope.gate.threshold
    if most is None or len(nodes) > most:
        return most is not None
    if nodes[0].kind == "run":
        return False
    longest = sum(len(node.prompt) for node in nodes) * BYTES_PER_LETTER
    model = nodes[0].model or ""
    cost = scope.rates.cost(model, longest, len(nodes) * scope.rates.usual_reply(model))
    return cost is not None and cost >= COST_ASKED


async def _quote(scope: Scope, nodes: list[Node], schema: str | None) -> CallsQuoteDict:
    """Say what these will take that are not in the memo; nothing is reserved."""
    first, model = nodes[0], nodes[0].model or ""
    if first.kind == "run":
        read = not scope.fresh and scope.models.endpoint_of(model) is not None
        known = sum(scope.memo.find(_key_of_child(node)) is not None for node in nodes) if read else 0
        return CallsQuoteDict(calls=len(nodes), cached=known, tokens=None, cost_usd=None, model=model, kind="rlm")
    requests = [ModelRequest(model, (Message("user", node.prompt),), schema=schema) for node in nodes]
    new = await _not_in_memo(scope, requests)
    sent, received = 0, len(new) * scope.rates.usual_reply(model)
    for number, request in enumerate(new):
        sent += scope.rates.sent(request)
        if number % AT_A_TIME == 0:
            await asyncio.sleep(0)
    return CallsQuoteDict(
        calls=len(nodes),
        cached=len(nodes) - len(new),
        tokens=sent + received,
        cost_usd=scope.rates.cost(model, sent, received),
        model=model,
        kind="llm",
    )


async def _not_in_memo(scope: Scope, requests: list[ModelRequest]) -> list[ModelRequest]:
    """Give those that would really be asked, with the numbers they will have."""
    endpoint = scope.models.endpoint_of(requests[0].model)
    if endpoint is None or scope.fresh:
        return requests
    taken = [scope.numbers.take(request) for request in requests]
    for request, number in zip(requests, taken, strict=True):
        scope.numbers.give_back(request, number)
    new = []
    for at, (request, number) in enumerate(zip(requests, taken, strict=True)):
        if scope.memo.find(request_key(replace(request, sample=number), endpoint)) is None:
            new.append(request)
        if at % AT_A_TIME == 0:
            await asyncio.sleep(0)
    return new


def _why_not(decision: Decision, calls: int) -> str:
    said = f" {decision.reason}" if decision.reason else ""
    if decision.verdict == "first":
        return f"Not asked: only the first {decision.first:,} of these {calls:,} were approved."
    if decision.by == "policy":
        return f"Not asked.{said}"
    return f"Not asked: the person refused these {count(calls, 'call')}.{said}"


def note_answered(scope: Scope, child: Node) -> None:
    """Note that a child run has its answer: asked the same of the same again, its calls are in the memo.

    Args:
        scope: The run's that asked for it.
        child: Its node.
    """
    key, request = _key_of_child(child), _request_of_child(child)
    if scope.models.endpoint_of(request.model) is not None and scope.memo.find(key) is None:
        scope.memo.keep(key, request, ModelReply("answered", Usage(), request.model))


def _request_of_child(node: Node) -> ModelRequest:
    return ModelRequest(node.model or "", (Message("user", node.prompt),))


def _key_of_child(node: Node) -> str:
    return request_key(_request_of_child(node), f"rlm:child:{node.details.get('context', '')}")
