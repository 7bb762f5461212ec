"""A notebook's or a command's conversation with the engine: question after question."""

from __future__ import annotations

import asyncio
from time import time
from typing import TYPE_CHECKING

from rlm_kernel.engine.budget import Ledger
from rlm_kernel.engine.control import Control
from rlm_kernel.engine.conversation import Conversation, Earlier
from rlm_kernel.engine.estimates import Rates
from rlm_kernel.engine.observer import Observer, Observers
from rlm_kernel.engine.queries import Queries
from rlm_kernel.engine.run import SCOPE, Run
from rlm_kernel.engine.scope import Scope
from rlm_kernel.engine.settings import Settings
from rlm_kernel.errors import InputError
from rlm_kernel.ids import NodeId, new_run_id
from rlm_kernel.models.memo import Memo
from rlm_kernel.models.slots import Slots
from rlm_kernel.trace.records import Node, one_line
from rlm_kernel.trace.tree import Tree

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rlm_kernel.engine.executor import Executor, QueryDict, ReplyDict
    from rlm_kernel.ids import CellId
    from rlm_kernel.models.memo import MemoStore
    from rlm_kernel.models.registry import Registry


class Session:
    """Answers questions one after the other, in one namespace; each knows those before it.

    - `tree` holds every run of the session, `observers` are told what happens, `control` steers the run that lasts.
    - `settings` hold for the next question; a run that lasts keeps those it was started with.
    - It closes neither the executor nor the models: who made them does.

    Args:
        executor: Runs the cells.
        models: Finds the models by name.
        settings: What holds where a question brings nothing else.
        observers: Told what happens.
        memo: Keeps replies, so that none is paid twice; without one they are kept as long as the session lasts.
    """

    def __init__(
        self,
        executor: Executor,
        models: Registry,
        settings: Settings | None = None,
        observers: Iterable[Observer] = (),
        memo: MemoStore | None = None,
    ) -> None:
        self.tree = Tree()
        self.observers = Observers(observers)
        self.settings = settings or Settings()
        self.control = Control()
        self.control.on_change.append(self._control_changed)
        self.current: Node | None = None
        """The node of the run that lasts; ``None`` where none does."""
        self._executor = executor
        self._models = models
        self._rates = Rates(models.price)
        self._memo = memo or Memo()
        self._run: Run | None = None
        self._asking = False
        self._earlier: list[Earlier] = []
        self._idle = asyncio.Event()
        self._idle.set()

    async def ask(self, question: str, *, settings: Settings | None = None, cell_id: CellId | None = None) -> Node:
        """Work out the answer to a question.

        To stop it, call ``control.stop()``: the run ends in order and its node is returned. Cancelling the task that
        waits here does the same, and then raises ``CancelledError`` as usual; the node is in `tree`.

        Args:
            question: What the person wants to know.
            settings: For this question only; else those of the session.
            cell_id: The notebook cell it was asked in.

        Returns:
            The finished run: outcome, answer (``reply``), error and remedy. A failure of a model or a limit is an
            outcome, not an exception; asking again works.

        Raises:
            InputError: There is no question, no context, or a run that lasts; nothing was started.
        """
        if self._asking:
            raise InputError("A question is being worked on already.", "Wait for its answer, or stop it.")
        question = question.strip()
        if not question:
            raise InputError("There is no question.", "Write it in the lines below %%rlm.")
        self._asking = True
        self._idle.clear()
        try:
            return await self._ask(question, settings or self.settings, cell_id)
        finally:
            self._asking = False
            self._run = self.current = None
            self.control.end()
            self._idle.set()

    def note_cell(self, code: str, shown: str) -> None:
        """A person's cell has run: the model of a run that lasts is told with its next result.

        Args:
            code: The cell.
            shown: What it showed, as text (see `rlm_kernel.engine.shown.shown`).
        """
        if self._run is not None:
            self._run.note_cell(code, shown)

    async def query_outside(self, query: QueryDict, label: str) -> list[ReplyDict]:
        """Answer an ``llm_query`` of a person's cell, as a run of its own in the tree.

        It is held by no pause; cancelling it ends its calls.

        Args:
            query: What the cell asks.
            label: What the run is called in the tree.
        """
        control = Control()
        control.begin()
        scope = self._scope(self.settings, control)
        node = self._add_run(label, label, None)
        queries = Queries(scope, self._sub_model(self.settings))
        queries.below(node)
        try:
            replies = await queries(query)
        except asyncio.CancelledError:
            node.outcome = node.status = "stopped"
            raise
        else:
            errors = [reply["error"] for reply in replies if reply["error"]]
            node.outcome, node.status = ("failed", "failed") if errors else ("answered", "done")
            node.error = errors[0] if errors else None
            node.reply = replies[0]["text"] if len(replies) == 1 else ""
        finally:
            node.ended = time()
            self.observers.node_changed(self.tree, node)
            self.observers.run_ended(self.tree, node)
        return replies

    async def close(self) -> None:
        """Stop the run that lasts, and wait for its end."""
        self.control.stop()
        await self._idle.wait()

    async def _ask(self, question: str, settings: Settings, cell_id: CellId | None) -> Node:
        # From here on Stop counts, though nothing is in the tree yet.
        self.control.begin(each=settings.mode == "each")
        info = await self._executor.describe()
        if info["context"] is None:
            raise InputError("There is no context to ask about.", 'Load a document first: context = load("FILE").')
        conversation = Conversation(question, info["context"], info["names"], self._earlier)
        scope = self._scope(settings, self.control)
        node = self._add_run(question, one_line(question), cell_id)
        self.current = node
        queries = Queries(scope, self._sub_model(settings))
        model = settings.model or self._models.default_root()
        node.model = model
        self._run = run = Run(node, scope, queries, self._executor, conversation, settings, model)
        await run.go()
        if node.reply:
            self._earlier.append(Earlier(question, node.reply, node.outcome == "answered"))
        if run.cancelled:
            raise asyncio.CancelledError
        return node

    def _scope(self, settings: Settings, control: Control) -> Scope:
        return Scope(
            tree=self.tree,
            observers=self.observers,
            models=self._models,
            control=control,
            ledger=Ledger(settings.limits, scope=SCOPE),
            rates=self._rates,
            memo=self._memo,
            slots=Slots(settings.limits.concurrency),
            fresh=settings.fresh,
        )

    def _add_run(self, question: str, label: str, cell_id: CellId | None) -> Node:
        run_id = new_run_id()
        node = Node(
            id=NodeId(run_id),
            run_id=run_id,
            parent_id=None,
            kind="run",
            label=one_line(label),
            status="running",
            prompt=question,
            started=time(),
            cell_id=cell_id,
        )
        self.tree.add(node)
        self.observers.node_added(self.tree, node)
        return node

    def _sub_model(self, settings: Settings) -> str:
        return settings.sub_model or self._models.default_sub(settings.model)

    def _control_changed(self) -> None:
        node = self.current
        status = "paused" if self.control.state == "paused" else "running"
        if node is not None and node.outcome is None and node.status != status:
            node.status = status  # type: ignore[assignment]
            self.observers.node_changed(self.tree, node)
