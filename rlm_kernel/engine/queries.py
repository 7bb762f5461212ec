"""``llm_query`` and ``llm_query_batched``, as the engine answers them."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field, replace
from itertools import count as counting
from time import time
from typing import TYPE_CHECKING

from rlm_kernel.engine.budget import usage_of_cut, worst_case
from rlm_kernel.engine.control import Stopped
from rlm_kernel.engine.executor import ReplyDict
from rlm_kernel.errors import LimitExceeded, RlmError
from rlm_kernel.ids import child_id
from rlm_kernel.messages import Message, ModelReply, ModelRequest
from rlm_kernel.trace.records import Node, one_line
from rlm_kernel.usage import Usage, count

if TYPE_CHECKING:
    from rlm_kernel.engine.budget import Ledger, Rates, Reservation
    from rlm_kernel.engine.control import Control
    from rlm_kernel.engine.executor import QueryDict
    from rlm_kernel.engine.observer import Observer
    from rlm_kernel.models.registry import Registry
    from rlm_kernel.trace.tree import Tree

log = logging.getLogger(__name__)

STOPPED = "Stopped before the reply came."


@dataclass(slots=True)
class Scope:
    """What the calls of one run share."""

    tree: Tree
    observers: Observer
    models: Registry
    control: Control
    ledger: Ledger
    rates: Rates
    concurrency: int
    slots: asyncio.Semaphore = field(init=False)

    def __post_init__(self) -> None:
        """Make the slots for calls at the same time."""
        self.slots = asyncio.Semaphore(self.concurrency)

    def add(self, node: Node) -> None:
        """Put a node into the tree and tell of it."""
        self.tree.add(node)
        self.observers.node_added(self.tree, node)

    def changed(self, node: Node) -> None:
        """Tell that a node is different."""
        self.observers.node_changed(self.tree, node)

    def spend(self, node: Node, request: ModelRequest, usage: Usage, reservation: Reservation) -> None:
        """Write down the true usage of a request: in its node, in the ledger, in what is known of prices."""
        self.rates.learn(request.model, usage)
        self.tree.spend(node.id, usage)
        reservation.settle(usage)

    def spend_cut(self, node: Node, request: ModelRequest, received: str, reservation: Reservation) -> None:
        """Write down a request that was cut short, of which no usage came: what was sent, estimated."""
        seconds = time() - (node.started or time())
        self.tree.spend(node.id, usage := replace(usage_of_cut(request, received, self.rates), seconds=seconds))
        reservation.settle(usage)


class Queries:
    """Answers the queries of the cells of one run: each prompt a call, each call a node with its own usage.

    - Calls run at the same time, up to the run's limit of concurrency, each with its own reservation in the ledger: of
      a batch the part that fits is answered, the rest fails and says which limit it was.
    - A call that fails is a value with ``error``, never an exception and never text; the others of its batch go on.
    - When a query is cancelled, or the run is stopped, calls under way are cancelled; what is answered stays answered.

    Args:
        scope: The run's.
        sub_model: Name of the model that answers where the cell names none.
    """

    def __init__(self, scope: Scope, sub_model: str) -> None:
        self._scope = scope
        self._sub_model = sub_model
        self._parent: Node | None = None
        self._numbers = counting(1)
        self._batches = counting(1)
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False

    def below(self, parent: Node) -> None:
        """Put the calls that come from now on below this turn (or run)."""
        self._parent = parent
        self._numbers = counting(1)
        self._batches = counting(1)

    async def __call__(self, query: QueryDict) -> list[ReplyDict]:
        """Answer one query of a cell, one reply for each prompt, in order."""
        parent = self._parent
        if parent is None or self._closed:
            return [_refused() for _ in query["prompts"]]
        model = query["model"] or self._sub_model
        batch = f"{parent.id}/b{next(self._batches)}" if query["batched"] else None
        nodes = [self._add(parent, prompt, model, batch) for prompt in query["prompts"]]
        self._scope.control.doing(f"{count(len(nodes), 'call')} to {model}")
        tasks = [asyncio.create_task(self._answer(node)) for node in nodes]
        self._tasks.update(tasks)
        try:
            if tasks:
                await asyncio.wait(tasks)
        except asyncio.CancelledError:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            raise
        finally:
            self._tasks.difference_update(tasks)
            self._scope.control.doing("the cell")
        for node, task in zip(nodes, tasks, strict=True):
            self._look_after(node, task)
        return [_reply(node) for node in nodes]

    def cancel(self) -> None:
        """End all calls under way; what was answered stays."""
        for task in list(self._tasks):
            task.cancel()

    def close(self) -> None:
        """The run is over: end what is under way, and make no further call, whatever a cell still asks for."""
        self._closed = True
        self.cancel()

    def _add(self, parent: Node, prompt: str, model: str, batch: str | None) -> Node:
        number = next(self._numbers)
        node = Node(
            id=child_id(parent.id, "call", number),
            run_id=parent.run_id,
            parent_id=parent.id,
            kind="call",
            label=one_line(prompt) or "(empty prompt)",
            model=model,
            batch=batch,
            prompt=prompt,
        )
        self._scope.add(node)
        return node

    async def _answer(self, node: Node) -> None:
        """Do one call and write what came of it into its node."""
        try:
            async with self._scope.slots:
                await self._scope.control.gate("call")
                reply = await self._ask(node)
            self._keep(node, reply)
        except RlmError as problem:
            node.status, node.error, node.remedy = "failed", problem.message, problem.remedy
            if isinstance(problem, LimitExceeded):
                node.error = f"{problem.message} This call was not made."
        except (Stopped, asyncio.CancelledError) as stop:
            node.status, node.error = "stopped", STOPPED
            if isinstance(stop, asyncio.CancelledError):
                raise
        finally:
            node.ended = time()
            if node.status in ("running", "pending"):
                node.status, node.error = "failed", "The engine failed in this call."
            self._scope.changed(node)

    async def _ask(self, node: Node) -> ModelReply:
        scope = self._scope
        name = node.model or self._sub_model
        model = scope.models.resolve(name)
        request = scope.ledger.fit(ModelRequest(name, (Message("user", node.prompt),)))
        reservation = await scope.ledger.reserve(worst_case(request, scope.rates))
        node.status, node.started = "running", time()
        scope.changed(node)
        try:
            reply = await model.complete(request)
            scope.spend(node, request, reply.usage, reservation)
        except asyncio.CancelledError:
            scope.spend_cut(node, request, "", reservation)
            raise
        finally:
            reservation.refund()
        return reply

    def _keep(self, node: Node, reply: ModelReply) -> None:
        node.reply, node.model = reply.text, reply.model or node.model
        node.status = "done"
        if reply.finish == "length":
            node.status, node.error = "failed", "The reply was cut off at the limit of its length."
            node.remedy = "Ask for a shorter reply, or about a smaller piece."
        elif reply.finish == "filter":
            node.status, node.error = "failed", "The endpoint withheld the reply."
            node.remedy = "Ask in other words, or another model."

    def _look_after(self, node: Node, task: asyncio.Task[None]) -> None:
        """Log what is no failure of a model but of ours; the node says that it failed."""
        if not task.cancelled() and (problem := task.exception()):
            log.error("a call failed in the engine", exc_info=problem)
            node.error = f"{type(problem).__name__}: {problem}"


def _reply(node: Node) -> ReplyDict:
    return ReplyDict(text=node.reply, error=_error(node), node_id=node.id, usage=node.usage.to_dict())


def _error(node: Node) -> str | None:
    if node.status == "done":
        return None
    return " ".join(filter(None, [node.error, node.remedy])) or STOPPED


def _refused() -> ReplyDict:
    return ReplyDict(text="", error="The question this cell belongs to is over.", node_id="", usage=Usage().to_dict())
