"""A notebook's or a command's conversation with the engine: question after question."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from time import time
from typing import TYPE_CHECKING

from rlm_kernel.engine.asking import MODELS, Asking, Unfinished
from rlm_kernel.engine.budget import Ledger
from rlm_kernel.engine.children import Nest
from rlm_kernel.engine.control import Control
from rlm_kernel.engine.conversation import EARLIER_QUESTIONS, Earlier
from rlm_kernel.engine.estimates import Rates
from rlm_kernel.engine.evidence import Evidence
from rlm_kernel.engine.gate import Gate
from rlm_kernel.engine.observer import Observer, Observers
from rlm_kernel.engine.occurrences import Occurrences
from rlm_kernel.engine.opening import Opening
from rlm_kernel.engine.queries import Queries
from rlm_kernel.engine.rerun import Rerunning
from rlm_kernel.engine.run import SCOPE, Run
from rlm_kernel.engine.scope import Scope
from rlm_kernel.engine.settings import Settings, carried, raised
from rlm_kernel.errors import InputError
from rlm_kernel.ids import CellId, NodeId, new_run_id
from rlm_kernel.models.memo import Memo
from rlm_kernel.models.slots import Slots
from rlm_kernel.trace.records import Node, one_line
from rlm_kernel.trace.tree import Tree

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence

    from rlm_kernel.engine.budget import Meter
    from rlm_kernel.engine.executor import Executor, Pool, QueryDict, ReplyDict
    from rlm_kernel.engine.history import Entry
    from rlm_kernel.engine.rerun import Plan
    from rlm_kernel.ids import RunId
    from rlm_kernel.models.memo import MemoStore
    from rlm_kernel.models.registry import Registry


class Session(Rerunning):
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
        recall: Gives the details of the run in which a cell asked a question before, in whatever session.
        pool: Gives child runs their namespaces; without one, ``rlm_query`` becomes ``llm_query``.
        answers: Gives what cells of earlier sessions were answered, so that they can run again.
    """

    def __init__(
        self,
        executor: Executor,
        models: Registry,
        settings: Settings | None = None,
        observers: Iterable[Observer] = (),
        memo: MemoStore | None = None,
        recall: Callable[[str, str], Mapping[str, object] | None] | None = None,
        pool: Pool | None = None,
        answers: Callable[[Sequence[Entry]], Tree] | None = None,
    ) -> None:
        self.tree = Tree()
        self.observers = Observers(observers)
        self.settings = settings or Settings()
        self.control = Control()
        self.gate = Gate(self.control)
        """Asks the person before cells and fan-outs; ``gate.attended`` says whether there is one."""
        self.control.on_change.append(self._control_changed)
        self.current: Node | None = None
        """The node of the run that lasts; ``None`` where none does."""
        self._executor = executor
        self.evidence = Evidence(executor, self.tree)
        """What answers rest on: what was read, and what is cited."""
        self.observers.add(self.evidence)
        self._models = models
        self._rates = Rates(models.price)
        self._memo = memo or Memo()
        self._outside: tuple[object, Occurrences] = None, Occurrences()
        self._run: Run | None = None
        self._recall = recall
        self._pool = pool
        self._answers = answers
        self._asking = False
        self._earlier: list[Earlier] = []
        self._openings: dict[tuple[str, str], Opening] = {}
        self._unfinished: Unfinished | None = None
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
        question = question.strip()
        if not question:
            raise InputError("There is no question.", "Write it in the lines below %%rlm.")
        async with self._at_work():
            return await self._ask(question, settings or self.settings, cell_id)

    @property
    def unfinished(self) -> Node | None:
        """The last run that a limit, a failure or the person ended before there was an answer."""
        return self._unfinished.run.node if self._unfinished is not None else None

    async def go_on(
        self,
        *,
        settings: Settings | None = None,
        limits: Mapping[str, object] | None = None,
        cell_id: CellId | None = None,
        from_start: bool = False,
    ) -> Node:
        """Go on with the unfinished run, from where it ended: nothing is paid again.

        Its question and what the model was told stay. Limits count for all of it together; those that were changed
        since it was asked hold as they are now.

        Args:
            settings: What holds now; else those of the session.
            limits: Limits of this run alone that are raised, by their names in `Limits`; ``None`` lifts one.
            cell_id: The notebook cell it goes on in.
            from_start: Run all its cells again, with replies from the memo: the variables they made are gone.

        Returns:
            The node of a new run, as `ask` does.

        Raises:
            InputError: There is no unfinished run, another lasts, or a limit would be used up already.
        """
        async with self._at_work():
            last = self._unfinished
            if last is None:
                raise InputError("There is no run to go on with: the last one has its answer.")
            asked, now = last.asked, settings or self.settings
            used = {} if from_start else last.run.used()
            wanted = raised(carried(asked.settings, asked.base, now), limits or {}, used)
            again = replace(asked, settings=wanted, base=self.settings)
            return await self._again(again, cell_id, None if from_start else last.run)

    async def ask_again(self, asking: Asking, *, cell_id: CellId | None = None) -> Node:
        """Ask a question of another session in the words it was asked in there; its replies are in the memo.

        Args:
            asking: The question, see `Asking.recall`.
            cell_id: The notebook cell it is asked in now.

        Returns:
            The finished run, as `ask` does.

        Raises:
            InputError: What its model was told is not true here; the message says what is missing.
        """
        async with self._at_work():
            return await self._again(asking, cell_id, None)

    async def _again(self, asking: Asking, cell_id: CellId | None, after: Run | None) -> Node:
        self.control.begin()
        self.gate.begin(asking.settings)
        now = Opening.now(await self._executor.describe(), ())
        asking.opening.check(now, names=after is None)
        return await self._work(asking, cell_id, after)

    @asynccontextmanager
    async def _at_work(self) -> AsyncIterator[None]:
        """Let nothing else be asked meanwhile."""
        if self._asking:
            raise InputError("A question is being worked on already.", "Wait for its answer, or stop it.")
        self._asking = True
        self._idle.clear()
        try:
            yield
        finally:
            self._asking = False
            self._run = self.current = None
            self.control.end()
            self._idle.set()

    def steer(self, text: str, run_id: RunId | None = None) -> None:
        """Say something to the model that works; it is told with its next turn.

        Args:
            text: What the person says.
            run_id: A child run that lasts; else the question that lasts, or the unfinished one, which is told when it
                goes on.

        Raises:
            InputError: There is no text, or no such run.
        """
        if not text.strip():
            raise InputError("There is nothing to say to the model.", "Write it behind %rlm steer.")
        node = self._steered(run_id)
        if node is None:
            raise InputError("No run is going: there is nobody to say this to.", "Ask a question with %%rlm.")
        self.control.steer(node.run_id, text.strip())

    @property
    def steers(self) -> list[str]:
        """What the person has said and no model was told yet."""
        return self.control.steers()

    def meters(self) -> list[Meter]:
        """Tell how far the limits of the run that lasts, or else of the unfinished one, are used."""
        run = self._run or (self._unfinished.run if self._unfinished is not None else None)
        return run.meters() if run is not None else []

    def models(self) -> list[str]:
        """Name the models that the next question is asked with: the root model, and the sub-model if it is another."""
        root = self.settings.model or self._models.default_root()
        return list(dict.fromkeys([root, self._sub_model(self.settings)]))

    def _steered(self, run_id: RunId | None) -> Node | None:
        if self.current is not None and run_id not in (None, self.current.run_id):
            child = self.tree[NodeId(run_id)] if run_id in self.tree else None
            return child if child is not None and child.kind == "run" and child.outcome is None else None
        node = self.current or self.unfinished
        return node if node is not None and run_id in (None, node.run_id) else None

    def note_cell(self, code: str, shown: str) -> None:
        """A person's cell has run: the model of a run that lasts or goes on later is told with its next result.

        Args:
            code: The cell.
            shown: What it showed, as text (see `rlm_kernel.engine.shown.shown`).
        """
        run = self._run or (self._unfinished.run if self._unfinished is not None else None)
        if run is not None:
            run.note_cell(code, shown)

    async def query_outside(self, query: QueryDict, label: str, cell: object = None) -> list[ReplyDict]:
        """Answer an ``llm_query`` of a person's cell, as a run of its own in the tree.

        It is held by no pause; cancelling it ends its calls.

        Args:
            query: What the cell asks.
            label: What the run is called in the tree.
            cell: Which run of which cell asks: asked twice by the same one, a model may answer twice.
        """
        control = Control()
        control.begin()
        scope = self._scope(self.settings, control)
        if cell is not None:
            last, numbers = self._outside
            scope.numbers = numbers if cell == last else scope.numbers
            self._outside = cell, scope.numbers
        node = self._add_run(label, label, None, {"entry": cell} if isinstance(cell, str) else None)
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
        self.control.begin()
        self.gate.begin(settings)
        info = await self._executor.describe()
        others = [each for each in self._earlier if cell_id is None or each.cell != cell_id]
        now = Opening.now(info, others[-EARLIER_QUESTIONS:])
        if now is None:
            raise InputError("There is no context to ask about.", 'Load a document first: context = load("FILE").')
        opening = now if settings.fresh else self._as_told_before(question, cell_id, now)
        if cell_id is not None:
            self._openings[cell_id, question] = opening
        return await self._work(Asking(question, opening, settings, self.settings, cell_id), cell_id)

    def _as_told_before(self, question: str, cell_id: CellId | None, now: Opening) -> Opening:
        """Give what the same cell was told with the same question before, if it is still true; else the facts as are.

        Where a fresh session lacks names that were told then, they are not there yet: what is now is told.
        """
        if cell_id is None:
            return now
        before = self._openings.get((cell_id, question))
        if before is None and self._recall is not None:
            before = Opening.from_dict((self._recall(cell_id, question) or {}).get("opening"))
        return before if before is not None and before.is_true(now) else now

    async def _work(
        self, asking: Asking, cell_id: CellId | None, after: Run | None = None, branch: Plan | None = None
    ) -> Node:
        """Do a run to its end, and remember it."""
        settings, question = asking.settings, asking.question
        scope = self._scope(settings, self.control)
        details = asking.details() | ({"continues": after.node.id} if after is not None else {})
        if branch is not None:
            details |= {"branch": branch.mark()}
        model, sub = settings.model or self._models.default_root(), self._sub_model(settings)
        details |= {MODELS: {"root": model, "sub": sub}}
        for name in (model, sub):
            if self._models.endpoint_of(name) is None:
                self._models.resolve(name)  # a script that cannot be read is no question yet
        self._leave()
        self.here = None
        node = self._add_run(question, question, cell_id, details)
        self.current = node
        queries = Queries(scope, sub)
        node.model = model
        depth = self._warm_pool(scope)
        conversation = asking.opening.conversation(question, depth) if after is None else after.conversation
        self._run = run = Run(node, scope, queries, self._executor, conversation, settings, model, after)
        run.course = branch.course if branch is not None else None
        self._unfinished = None if self._replaces(asking) else self._unfinished
        try:
            await run.go()
        finally:
            self.here = node.run_id
            self._remember(asking, run)
        if await self.evidence.complete(node):
            self.observers.node_changed(self.tree, node)
        if run.cancelled:
            raise asyncio.CancelledError
        return node

    def _replaces(self, asking: Asking) -> bool:
        """Tell whether the unfinished run is of the same cell."""
        last = self._unfinished
        if last is None or asking.cell_id is None:
            return last is not None and last.asked.question == asking.question
        return last.asked.cell_id == asking.cell_id

    def _remember(self, asking: Asking, run: Run) -> None:
        """Keep the answer for later questions, in the place of the one that its cell gave before."""
        node, cell = run.node, asking.cell_id
        if node.outcome != "answered":
            self._unfinished = Unfinished(asking, run)
        self._tell_later(node, cell)

    def _tell_later(self, node: Node, cell: CellId | None) -> None:
        """Let later questions know an answer; it takes the place of the one that its cell, or its family, gave."""
        family = {each["id"] for each in self.branches(node.id)}
        mine = [each.run in family or (cell is not None and each.cell == cell) for each in self._earlier]
        at = mine.index(True) if True in mine else len(self._earlier)
        kept = [each for each, same in zip(self._earlier, mine, strict=True) if not same]
        new = Earlier(node.prompt, node.reply, node.outcome == "answered", cell, node.id).shortened()
        self._earlier = [*kept[:at], *([new] if node.reply else []), *kept[at:]]

    def _switched(self, run: Node) -> None:
        self._tell_later(run, run.cell_id)

    def _scope(self, settings: Settings, control: Control) -> Scope:
        return Scope(
            tree=self.tree,
            observers=self.observers,
            models=self._models,
            control=control,
            gate=self.gate if control is self.control else Gate(control),
            ledger=Ledger(settings.limits, scope=SCOPE),
            rates=self._rates,
            memo=self._memo,
            slots=Slots(settings.limits.concurrency),
            fresh=settings.fresh,
            nest=Nest(self._pool, settings) if self._pool is not None else None,
        )

    def _warm_pool(self, scope: Scope) -> int:
        """Get ready for child runs while the root model writes; gives how many levels there may be."""
        if scope.nest is None or not scope.nest.left(0):
            return 0
        scope.nest.pool.warm()
        return scope.nest.left(0)

    def _add_run(
        self, question: str, label: str, cell_id: CellId | None, details: Mapping[str, object] | None = None
    ) -> Node:
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
            details=details or {},
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
