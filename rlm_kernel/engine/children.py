"""``rlm_query``: child runs, each in a namespace of its own."""

from __future__ import annotations

import asyncio
import logging
from time import time
from typing import TYPE_CHECKING

from rlm_kernel.engine.budget import Ledger
from rlm_kernel.engine.control import Stopped
from rlm_kernel.engine.course import course_below
from rlm_kernel.engine.executor import DepthReached, ReplyDict
from rlm_kernel.engine.fan_out import note_answered
from rlm_kernel.engine.occurrences import Occurrences
from rlm_kernel.engine.opening import CHILD_OPENING, Opening
from rlm_kernel.engine.queries import Queries
from rlm_kernel.engine.recorded import prompt_of, reply_of
from rlm_kernel.engine.reuse import sample_of, take_over
from rlm_kernel.engine.run import Run
from rlm_kernel.engine.settings import Settings
from rlm_kernel.errors import LimitExceeded, RlmError
from rlm_kernel.ids import RunId, child_id
from rlm_kernel.models.prices import ASSUMED_WINDOW
from rlm_kernel.models.slots import Slots
from rlm_kernel.trace.records import Node, one_line
from rlm_kernel.usage import Limits

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rlm_kernel.engine.budget import Meter
    from rlm_kernel.engine.course import Course
    from rlm_kernel.engine.executor import ContextHandle, Executor, Pool
    from rlm_kernel.engine.reuse import Found
    from rlm_kernel.engine.scope import Scope
    from rlm_kernel.ids import NodeId

log = logging.getLogger(__name__)

SCOPE = "this child run"
FITS = 2
"""Characters of a context for each token that a model reads, where a child run becomes a call: the rest is room."""


class Nest:
    """What the child runs of one question share, at all levels.

    The children of each level take turns for places of that level alone. So a run that waits for its children holds
    nothing that they need, and the deepest, which wait for nobody, always come to their end.

    Args:
        pool: Gives them their namespaces.
        settings: The question's.
    """

    def __init__(self, pool: Pool, settings: Settings) -> None:
        self.pool = pool
        self.settings = settings
        self._levels: dict[int, Slots] = {}

    def left(self, depth: int) -> int:
        """Tell how many levels may be below a run of this depth; the question has depth 0."""
        return max(0, self.settings.limits.depth - depth)

    def places(self, depth: int, context: int) -> Slots:
        """Give the places for children of this depth.

        Args:
            depth: Theirs.
            context: Bytes of the context of the one that needs a place.
        """
        most = self.settings.limits.concurrency
        places = self._levels.setdefault(depth, Slots(most))
        if not places.held:
            # Counted while nobody is there: memory fills only after a child has started.
            places.limit = max(1, min(most, self.pool.room(context) // self.left(depth - 1)))
        return places


class Children:
    """Does the child runs that the cells of one run ask for.

    Each has a node of the kind ``run`` below the turn, a namespace that is used once, the limits that its parent has
    left, and a ledger below its parent's. What goes wrong in one stands in its node and reaches the cell as a failed
    reply. Cancelling a child ends its cell, its calls and its own children, and its process.

    Args:
        scope: The run's whose cells ask.
        nest: The question's.
        sub_model: The root model of children where the cell names none, and the model of their calls.
    """

    def __init__(self, scope: Scope, nest: Nest, sub_model: str) -> None:
        self._scope = scope
        self._nest = nest
        self._sub_model = sub_model
        self._depth = scope.depth + 1
        self._twins: dict[NodeId, int] = {}

    def make(
        self, parent: Node, number: int, prompt: str, model: str, batch: str | None, details: Mapping[str, object]
    ) -> Node:
        """Make the node of a child; it is not in the tree yet."""
        node_id = child_id(parent.id, "run", number)
        return Node(
            id=node_id,
            run_id=RunId(node_id),
            parent_id=parent.id,
            kind="run",
            label=one_line(prompt) or "(empty prompt)",
            model=model,
            batch=batch,
            prompt=prompt,
            details=details,
        )

    def add(self, node: Node, found: Found) -> bool:
        """Put a child into the tree; tells whether it is known already what comes of it."""
        done = take_over(self._scope, node, found)
        if not done:
            self._number(node, found)
        self._scope.add(node)
        return done

    def _number(self, node: Node, found: Found) -> None:
        """Number a child: asked again with the same words, it must not be answered with what its twin was told."""
        numbers, twin = self._scope.numbers, 0
        if found.node is not None and found.how != "new" and node.prompt == prompt_of(found.node):
            twin = sample_of(found.node)
            numbers.claim(_words(node), twin)
        else:
            twin = numbers.take(_words(node))
        self._twins[node.id] = twin
        if twin:
            node.details = {**node.details, "sample": twin}

    async def run(self, node: Node, parent: RunId, context: ContextHandle, found: Found) -> None:
        """Do a child run to its end.

        Args:
            node: Its node.
            parent: The run that asks: those that compete take turns.
            context: What it works on.
            found: The one it repeats, and what is changed in it.
        """
        try:
            async with self._nest.places(self._depth, context.length).hold(parent):
                await self._scope.control.gate("call")
                await self._in_namespace(node, context, found)
        except RlmError as problem:
            node.outcome = "limit" if isinstance(problem, LimitExceeded) else "failed"
            node.status, node.error, node.remedy = "failed", problem.message, problem.remedy
        except (Stopped, asyncio.CancelledError) as stop:
            node.outcome = node.status = "stopped"
            if isinstance(stop, asyncio.CancelledError):
                raise
        finally:
            node.ended = time()
            if node.outcome is None:
                node.outcome, node.status, node.error = "failed", "failed", "The engine failed in this child run."
            if node.outcome == "answered":
                note_answered(self._scope, node)
            else:
                self.give_back(node)
            self._scope.changed(node)

    def give_back(self, node: Node) -> None:
        """Give back the number of a child that has no answer: its repetition takes its place."""
        self._scope.numbers.give_back(_words(node), self._twins[node.id])

    async def _in_namespace(self, node: Node, context: ContextHandle, found: Found) -> None:
        node.status, node.started = "running", time()
        self._scope.changed(node)
        pool = self._nest.pool
        executor = await pool.take(context)
        try:
            await self._work(node, executor, found)
        finally:
            await pool.give_back(executor)

    async def _work(self, node: Node, executor: Executor, found: Found) -> None:
        opening = Opening.now(await executor.describe(), ())
        if opening is None:
            raise RlmError("The child run has no context.")
        settings = Settings(node.model, self._sub_model, self._limits())
        numbers = Occurrences(self._twins[node.id] * Occurrences.SPAN)
        scope = self._scope.below(Ledger(settings.limits, self._scope.ledger, SCOPE), numbers)
        queries = Queries(scope, self._sub_model)
        depth = self._nest.left(self._depth)
        node.details = {**node.details, CHILD_OPENING: {**opening.to_dict(), "depth": depth}}
        conversation = opening.conversation(node.prompt, depth)
        run = Run(node, scope, queries, executor, conversation, settings, node.model or self._sub_model)
        run.course = self._course(node, found)
        await run.go()
        if run.cancelled:
            raise asyncio.CancelledError

    def _course(self, node: Node, found: Found) -> Course | None:
        """Say how a child begins that is changed, or has the change below it: like the one it repeats."""
        if (
            found.node is None
            or found.change is None
            or (found.edit is not None and found.edit.kind in ("prompt", "model"))
        ):
            return None
        return course_below(self._scope.tree, found.change, found.node)

    def _limits(self) -> Limits:
        """Give what the parent has left; time is the parent's affair, which ends its cell and so its children."""
        left: dict[str, Meter] = {}
        for ledger in self._scope.ledger.lineage():
            for meter in ledger.meters():
                if meter.kind not in left or meter.left < left[meter.kind].left:
                    left[meter.kind] = meter
        whole = {kind: int(left[kind].left) if kind in left else None for kind in ("tokens", "calls")}
        asked = self._nest.settings.limits
        return Limits(
            cost_usd=left["cost_usd"].left if "cost_usd" in left else None,
            tokens=whole["tokens"],
            calls=whole["calls"],
            depth=self._nest.left(self._depth),
            turns=asked.turns,
            seconds=None,
            concurrency=asked.concurrency,
        )

    def reply(self, node: Node) -> ReplyDict:
        """Give what the cell gets."""
        return reply_of(self._scope.tree, node)


def _words(node: Node) -> tuple[str, str | None]:
    return node.prompt, node.model


def depth_reached(scope: Scope, model: str, prompts: list[str]) -> DepthReached:
    """Say that calls must stand in for child runs, and how much of a context these can read."""
    longest = max(map(len, prompts), default=0)
    return DepthReached(max(0, (scope.models.window(model) or ASSUMED_WINDOW) * FITS - longest))
