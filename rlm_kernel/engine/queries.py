"""``llm_query`` and ``rlm_query``, as the engine answers them."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from itertools import count as counting
from time import time
from typing import TYPE_CHECKING

from rlm_kernel.engine.control import Stopped
from rlm_kernel.engine.exchange import Exchange
from rlm_kernel.engine.executor import ReplyDict
from rlm_kernel.engine.fan_out import fan_out
from rlm_kernel.engine.prompting import prompt as prompt_of
from rlm_kernel.engine.recorded import AT_DEPTH, STOPPED, reply_of
from rlm_kernel.engine.reuse import Found, fingerprints, take_over
from rlm_kernel.engine.schema import check
from rlm_kernel.errors import LimitExceeded, RlmError
from rlm_kernel.ids import child_id
from rlm_kernel.messages import Message, ModelReply, ModelRequest
from rlm_kernel.trace.records import Node, one_line
from rlm_kernel.usage import Usage, count

if TYPE_CHECKING:
    from collections.abc import Coroutine, Sequence

    from rlm_kernel.engine.edits import Edit
    from rlm_kernel.engine.executor import DepthReached, QueryDict
    from rlm_kernel.engine.reuse import Reuse
    from rlm_kernel.engine.scope import Scope

log = logging.getLogger(__name__)

AT_DEPTH_LABEL = "asked as llm_query, no level of rlm_query was left"
BURST = 8
"""Calls of a batch that are started together."""
SCHEMA_RETRIES = 2
"""How often a model is told what does not fit a schema, and asked again."""


class Queries:
    """Answers the queries of the cells of one run: each prompt a call, each call a node with its own usage.

    Queries for child runs become `Children`.

    - Calls run at the same time, up to the question's limit of concurrency, each with its own reservation in the
      ledger: of a batch the part that fits is answered, the rest fails and says which limit it was.
    - A reply that must fit a schema is checked; what does not fit is told to the model, which is asked again.
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
        self._runs = counting(1)
        self._batches = counting(1)
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False
        self._cancels = 0
        self._lines: Counter[int] = Counter()
        self._reuse: Reuse | None = None

    def below(self, parent: Node, reuse: Reuse | None = None) -> None:
        """Put the calls that come from now on below this turn (or run).

        Args:
            parent: The turn.
            reuse: Has replies that need not be asked for.
        """
        self._parent, self._reuse = parent, reuse
        self._lines.clear()
        self._numbers = counting(1)
        self._runs = counting(1)
        self._batches = counting(1)

    async def __call__(self, query: QueryDict) -> list[ReplyDict]:
        """Answer one query of a cell, one reply for each prompt (and sample), in order."""
        parent = self._parent
        samples = query.get("n") or 1
        prompts = [prompt for prompt in query["prompts"] for _ in range(samples)]
        if parent is None or self._closed:
            return [_refused() for _ in prompts]
        if query.get("kind") == "rlm":
            return await self._child_runs(parent, query)
        model, schema = query["model"] or self._sub_model, query.get("schema")
        if schema is not None:
            check("", schema)
        batch = f"{parent.id}/b{next(self._batches)}" if query["batched"] or samples > 1 else None
        found = self._found(query, model, [None] * len(prompts))
        nodes = [self._make(parent, query, prompt, model, batch) for prompt in prompts]
        there = [take_over(self._scope, node, each) for node, each in zip(nodes, found, strict=True)]
        for node in nodes:
            if query.get("at_depth") and "kept" not in node.details:
                node.label = one_line(f"{AT_DEPTH_LABEL}: {node.label}")
            self._scope.add(node)
        asked = [(node, each) for node, each, done in zip(nodes, found, there, strict=True) if not done]
        self._scope.doing(f"{count(len(asked), 'call')} to {model}")
        jobs = [self._answer(node, schema, each.edit) for node, each in asked]
        await self._all(parent, [node for node, _ in asked], jobs, schema)
        return [reply_of(self._scope.tree, node, schema) for node in nodes]

    async def _child_runs(self, parent: Node, query: QueryDict) -> list[ReplyDict]:
        """Answer a query for child runs."""
        from rlm_kernel.engine.children import Children, depth_reached

        nest, prompts, model = self._scope.nest, query["prompts"], query["model"] or self._sub_model
        if nest is None or not nest.left(self._scope.depth):
            reached = depth_reached(self._scope, model, prompts)
            _note_depth(parent, reached)
            raise reached
        names = await asyncio.to_thread(fingerprints, query["contexts"])
        found = self._found(query, model, names)
        children = Children(self._scope, nest, self._sub_model)
        batch = f"{parent.id}/b{next(self._batches)}" if query["batched"] else None
        nodes, asked = [], []
        for prompt, each, name, context in zip(prompts, found, names, query["contexts"], strict=True):
            details = {**self._place(query), "context": name}
            node = children.make(parent, next(self._runs), prompt, model, batch, details)
            if not children.add(node, each):
                asked.append((node, children.run(node, parent.run_id, context, each)))
            nodes.append(node)
        self._scope.doing(count(len(asked), "child run"))
        passed = await self._all(parent, [node for node, _ in asked], [job for _, job in asked])
        for node, _ in asked[passed:]:
            children.give_back(node)
        return [children.reply(node) for node in nodes]

    def _found(self, query: QueryDict, model: str, contexts: Sequence[str | None]) -> list[Found]:
        """Look for what need not be asked."""
        if self._reuse is None:
            return [Found("new")] * len(contexts)
        return self._reuse.take(query, model, contexts)

    def _place(self, query: QueryDict) -> dict[str, object]:
        """Say where in its cell a call is made."""
        line = query["line"]
        if line is None:
            return {}
        self._lines[line] += 1
        return {"line": line, "index": self._lines[line]}

    async def _all(
        self, turn: Node, nodes: list[Node], jobs: list[Coroutine[object, object, None]], schema: str | None = None
    ) -> int:
        """Do what the nodes stand for, all at the same time; tells how many of them the person let pass."""
        tasks: list[asyncio.Task[None]] = []
        passed = 0
        try:
            with suppress(Stopped):
                passed = await fan_out(self._scope, turn, nodes, schema)
            await self._start(jobs[:passed], tasks)
            if tasks:
                await asyncio.wait(tasks)
        except asyncio.CancelledError:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            raise
        finally:
            self._tasks.difference_update(tasks)
            self._scope.doing("the cell")
            for job in jobs[len(tasks) :]:
                job.close()
            for node in nodes:
                if node.status == "pending":  # cancelled before its first step
                    self._never_asked(node)
        for node, task in zip(nodes, tasks, strict=False):
            self._look_after(node, task)
        return passed

    async def _start(self, jobs: list[Coroutine[object, object, None]], tasks: list[asyncio.Task[None]]) -> None:
        """Start a few at a time, so that the first requests are on the wire before the last ones are written.

        Started together they go out together and come back together: each wave of replies then waits until all of the
        wave is read, and all of the next one written, which costs a tenth of a second with 256 at once.
        """
        cancels = self._cancels
        for job in jobs:
            task = asyncio.create_task(job)
            tasks.append(task)
            self._tasks.add(task)
            if len(tasks) % BURST == 0:
                await asyncio.sleep(0)
                if self._cancels != cancels:
                    return

    def _never_asked(self, node: Node) -> None:
        node.status, node.error, node.ended = "stopped", STOPPED, time()
        self._scope.changed(node)

    def cancel(self) -> None:
        """End all calls under way; what was answered stays."""
        self._cancels += 1
        for task in list(self._tasks):
            task.cancel()

    def close(self) -> None:
        """The run is over: end what is under way, and make no further call, whatever a cell still asks for."""
        self._closed = True
        self.cancel()

    def _make(self, parent: Node, query: QueryDict, prompt: str, model: str, batch: str | None) -> Node:
        schema = query.get("schema")
        return Node(
            id=child_id(parent.id, "call", next(self._numbers)),
            run_id=parent.run_id,
            parent_id=parent.id,
            kind="call",
            label=one_line(prompt) or "(empty prompt)",
            model=model,
            batch=batch,
            prompt=prompt,
            details=self._place(query) if schema is None else {**self._place(query), "schema": schema},
        )

    async def _answer(self, node: Node, schema: str | None, edit: Edit | None = None) -> None:
        """Do one call and write what came of it into its node."""
        request = ModelRequest(node.model or self._sub_model, (Message("user", node.prompt),), schema=schema)
        try:
            await self._ask(node, request, again=edit is not None and edit.kind == "again")
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

    async def _ask(self, node: Node, request: ModelRequest, *, again: bool) -> None:
        """Ask until the reply fits its schema, or so often that it never will."""
        tries, known = 0, True
        while True:
            reply = await self._exchange(node, request, again=again, first=not tries)
            known = node.cached = known and reply.cached
            if not self._keep(node, reply) or request.schema is None:
                return
            checked = check(reply.text, request.schema)
            node.reply = checked.text
            if not checked.errors:
                return
            errors = "\n".join(f"- {error}" for error in checked.errors)
            _note_misfit(node, checked.errors)
            if tries == SCHEMA_RETRIES:
                node.status, node.error = "failed", f"The reply does not fit the schema: {checked.errors[0]}"
                node.remedy = "Ask for less in one call, or another model."
                return
            tries += 1
            told = prompt_of("schema", errors=errors, schema=request.schema)
            said = Message("assistant", reply.text.strip() or "(empty reply)")
            node.status = "running"
            # The last misfit alone: a chain of them costs more and helps no model.
            request = replace(request, messages=(request.messages[0], said, Message("user", told)))

    async def _exchange(self, node: Node, request: ModelRequest, *, again: bool, first: bool) -> ModelReply:
        exchange = Exchange(self._scope, request, node.run_id, again=again)
        if first and exchange.sample:
            node.details = {**node.details, "sample": exchange.sample}
        try:
            await exchange.admit()
            return await exchange.complete(node)
        finally:
            exchange.close()

    def _keep(self, node: Node, reply: ModelReply) -> bool:
        """Write a reply into its node; tells whether it is whole."""
        if reply.model and reply.model != node.model and "asked" not in node.details:
            node.details = {**node.details, "asked": node.model}
        node.reply, node.model = reply.text, reply.model or node.model
        node.status = "done"
        if reply.finish == "length":
            node.status, node.error = "failed", "The reply was cut off at the limit of its length."
            node.remedy = "Ask for a shorter reply, or about a smaller piece."
        elif reply.finish == "filter":
            node.status, node.error = "failed", "The endpoint withheld the reply."
            node.remedy = "Ask in other words, or another model."
        return node.status == "done"

    def _look_after(self, node: Node, task: asyncio.Task[None]) -> None:
        """Log what is no failure of a model but of ours; the node says that it failed."""
        if not task.cancelled() and (problem := task.exception()):
            log.error("a call failed in the engine", exc_info=problem)
            node.error = f"{type(problem).__name__}: {problem}"


def _note_depth(turn: Node, reached: DepthReached) -> None:
    """Write into a turn that its cell was refused child runs, and how much of a context fitted then."""
    before = turn.details.get(AT_DEPTH)
    turn.details = {**turn.details, AT_DEPTH: [*(before if isinstance(before, list) else []), reached.chars]}


def _note_misfit(node: Node, errors: list[str]) -> None:
    """Write into the attempt that brought the reply why another one was made."""
    if node.attempts:
        last = replace(node.attempts[-1], error=f"does not fit the schema: {'; '.join(errors)}")
        node.attempts = (*node.attempts[:-1], last)


def _refused() -> ReplyDict:
    return ReplyDict(text="", error="The question this cell belongs to is over.", node_id="", usage=Usage().to_dict())
