"""Running a part of a question again, with one thing changed."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from rlm_kernel.engine.asking import Asking
from rlm_kernel.engine.branches import BranchDict as BranchDict
from rlm_kernel.engine.branches import Branches
from rlm_kernel.engine.conversation import person_note
from rlm_kernel.engine.course import TOLD, Course, split, turns_of
from rlm_kernel.engine.guard import Clock, watched
from rlm_kernel.engine.parse import with_cell
from rlm_kernel.engine.quoting import QuoteDict as QuoteDict
from rlm_kernel.engine.quoting import Restore, quote
from rlm_kernel.engine.replay import after, go_back, way_back
from rlm_kernel.engine.reuse import Change
from rlm_kernel.engine.schema import check
from rlm_kernel.errors import InputError, NamespaceDied
from rlm_kernel.ids import NodeId
from rlm_kernel.trace.records import BranchMark

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractAsyncContextManager

    from rlm_kernel.engine.control import Control
    from rlm_kernel.engine.edits import Edit
    from rlm_kernel.engine.estimates import Rates
    from rlm_kernel.engine.executor import Executor
    from rlm_kernel.engine.gate import Gate
    from rlm_kernel.engine.history import Entry, EntryId, History
    from rlm_kernel.engine.run import Run
    from rlm_kernel.engine.settings import Settings
    from rlm_kernel.ids import CellId
    from rlm_kernel.models.registry import Registry
    from rlm_kernel.trace.records import Node
    from rlm_kernel.trace.tree import Tree


@dataclass(frozen=True, slots=True)
class Plan:
    """What a re-run does: how it begins, and which state it needs."""

    root: Node
    at: NodeId
    """The node that is changed."""
    edit: Edit
    course: Course | None
    """``None``: the question begins anew."""
    kept: tuple[Node, ...]
    turn: Node | None
    """The turn with the change."""
    state: EntryId | None
    """The entry whose state is needed; ``None``: the one that is there."""
    include: bool = False
    """Whether the state right after it is needed, not the one before it."""

    def mark(self) -> BranchMark:
        """Say how the branch comes to be, for the details of its run."""
        return BranchMark(of=self.root.id, at=self.at, edit=dict(self.edit.to_dict()), name="")


class Rerunning(Branches):
    """The part of a session that runs parts of questions again; it needs the rest of it to work.

    Nothing is asked, run or paid before Python is back in the state that is needed; where that fails, the state before
    is put back and nothing has changed.
    """

    settings: Settings
    control: Control
    gate: Gate
    current: Node | None
    _executor: Executor
    _models: Registry
    _rates: Rates
    _answers: Callable[[Sequence[Entry]], Tree] | None

    def _at_work(self) -> AbstractAsyncContextManager[None]:
        raise NotImplementedError

    async def _work(
        self, asking: Asking, cell_id: CellId | None, after: Run | None = None, branch: Plan | None = None
    ) -> Node:
        raise NotImplementedError

    def _switched(self, run: Node) -> None:
        """Let later questions know the answer of this run, not of another branch."""
        raise NotImplementedError

    @property
    def history(self) -> History:
        """What was done in the namespace."""
        return self._executor.history

    def quote(self, node_id: str, edit: Edit) -> QuoteDict:
        """Say what a re-run will do and cost; nothing is done.

        Args:
            node_id: The node that is changed.
            edit: How.

        Raises:
            InputError: This cannot be changed in this way.
        """
        plan = self._plan(node_id, edit)
        how, cells = self._way(plan)
        return quote(self.tree, self._rates, self._models, plan, how, cells)

    async def rerun(
        self, node_id: str, edit: Edit, *, settings: Settings | None = None, cell_id: CellId | None = None
    ) -> Node:
        """Run a part of a question again, with one thing changed; what did not change is not paid again.

        Args:
            node_id: The run, turn or call that is changed.
            edit: How.
            settings: What holds now; else those of the session. What was not set since the question was asked stays.
            cell_id: The notebook cell it is asked in now; else the one it was asked in.

        Returns:
            A new run, a branch, as `ask` gives it.

        Raises:
            InputError: This cannot be changed in this way, or a run lasts.
            Diverged: Python's state cannot be restored exactly; with ``edit.anyway`` it goes on nevertheless.
        """
        async with self._at_work():
            plan = self._plan(node_id, edit)
            asking = self._as_asked(plan, settings or self.settings)
            # From here on Stop counts.
            self.control.begin()
            self.gate.begin(asking.settings)
            await self._go_to(plan.state, include=plan.include, anyway=edit.anyway)
            return await self._work(asking, cell_id or plan.root.cell_id, branch=plan)

    async def switch(self, run_id: str, *, replay: bool = False) -> bool:
        """Put Python into the state in which a run was left.

        Args:
            run_id: Any run of the session.
            replay: Run its cells again where its state is not kept; else Python stays as it is.

        Returns:
            Whether that is Python's state now.

        Raises:
            InputError: There is no such run, or one lasts.
            Diverged: Its cells do not do what they did before.
        """
        run = self._question(run_id)
        async with self._at_work():
            if run.run_id == self.here:
                return True
            end = run.details.get("end")
            if not isinstance(end, str) or end not in self.history:
                return False
            if not replay and not self._executor.can_restore(after(end)):
                return False
            self.control.begin()
            await self._go_to(end, include=True)
            self.here = run.run_id
            self._switched(run)
            self.observers.node_changed(self.tree, run)
            return True

    # -- the way back ---------------------------------------------------------------------------------------------

    async def _go_to(self, state: EntryId | None, *, include: bool, anyway: bool = False) -> None:
        """Put Python back; the present state is kept, and put back where that fails."""
        if state is None:
            return
        self._leave()
        now = after(self.history.current)
        parked = await self._executor.park(now)
        path = self.history.path(state, include=include)
        back = go_back(state, self._executor, self._told(path), anyway=anyway, include=include, tell=self._tell_way)
        try:
            ended = await watched(back, self.control, Clock(None, self.control), self._executor.interrupt)
            if ended.cause == "cancel":
                raise asyncio.CancelledError
            if ended.cause is not None:
                raise InputError("Stopped before Python was back.", "Nothing was asked or changed.")
        except BaseException:
            if parked:
                with suppress(NamespaceDied):
                    await self._executor.restore(now)
            raise
        self.here = None

    def _tell_way(self, entry: Entry) -> None:
        """Say what runs again."""
        if entry.kind == "cell":
            self.control.doing(f"Python to be back: {entry.name} runs again")

    def _leave(self) -> None:
        """Remember where the run whose state it is was left: with what the person has done since."""
        if self.here is None or self.here not in self.tree:
            return
        run = self.tree[NodeId(self.here)]
        if self.history.current != run.details.get("end"):
            run.details = {**run.details, "end": self.history.current}
            self.observers.node_changed(self.tree, run)

    def _told(self, path: Sequence[Entry]) -> Tree:
        """Give a tree with what the cells of a path were answered."""
        wanted = {entry.node_id for entry in path if entry.node_id is not None}
        if self._answers is None or all(each in self.tree for each in wanted):
            return self.tree
        return self._answers(path)

    def _way(self, plan: Plan) -> tuple[Restore, int]:
        """Say how Python gets back, and how many cells run again for that."""
        if plan.state is None:
            return "present", 0
        way = way_back(plan.state, self._executor, include=plan.include)
        if way.how == "checkpoint":
            return "checkpoint", 0
        return ("replay", way.cells) if way.cells else ("start", 0)

    # -- the plan -------------------------------------------------------------------------------------------------

    def _plan(self, node_id: str, edit: Edit) -> Plan:
        root = self._question(node_id)
        node = self.tree[NodeId(node_id)]
        edit.check(node)
        if root is self.current:
            raise InputError("This run is not over.", "Stop it first.")
        if node.kind == "call" and node.parent_id is not None and self.tree[node.parent_id].kind == "run":
            raise InputError("A summary of earlier turns cannot be changed.", "Change the turn after it.")
        schema = node.details.get("schema")
        if edit.kind == "reply" and isinstance(schema, str) and (errors := check(edit.text, schema).errors):
            raise InputError(f"The reply does not fit the schema of this call: {errors[0]}")
        change = Change.of(self.tree, node.id, edit)
        kept, turn = split(turns_of(self.tree, root), change)
        if edit.kind == "continue" and turn is not None:
            return self._continued(root, change, kept, turn)
        state, include = self._state_before(kept, turn)
        if node is root and (edit.kind in ("prompt", "model") or turn is None):
            return Plan(root, node.id, edit, None, (), turn, state, include)
        goes_on = state is not None and bool(kept)
        cells = self._still_to_tell(root, kept, turn)
        course = Course(self.tree, change, root, kept, turn, goes_on=goes_on, person_cells=cells)
        return Plan(root, node.id, edit, course, kept, turn, state, include)

    def _state_before(self, kept: Sequence[Node], turn: Node | None) -> tuple[EntryId | None, bool]:
        """Find the state in which the cell of a turn ran, or would have run."""
        if turn is not None and turn.entry is not None and turn.entry in self.history:
            return turn.entry, False
        last = next((each.entry for each in reversed(kept) if each.entry is not None), None)
        if last is not None and last in self.history:
            return last, True
        if last is not None or (turn is not None and turn.entry is not None):
            raise InputError("It is not known what Python's state was then.", "Ask the question again.")
        return None, False

    def _still_to_tell(self, root: Node, kept: Sequence[Node], turn: Node | None) -> tuple[tuple[str, str], ...]:
        """Find the cells that the person ran before the turn's cell and after its model was asked."""
        if turn is None or turn.entry is None or turn.entry not in self.history:
            return ()
        told = next((each.details[TOLD] for each in (*reversed(kept), root) if TOLD in each.details), [])
        cells: list[tuple[str, str]] = []
        for entry in reversed(self.history.path(turn.entry, include=False)):
            if entry.kind == "begin" or entry.author == "model":
                break
            if entry.kind == "cell" and entry.author == "person":
                cells.insert(0, (entry.code, entry.shown))
        return tuple(each for each in cells if not isinstance(told, list) or person_note(*each) not in told)

    def _continued(self, root: Node, change: Change, kept: tuple[Node, ...], turn: Node) -> Plan:
        """Go on after a cell that the person has changed and run."""
        ran = self.history.of_cell(turn.cell_id) if turn.cell_id else None
        if ran is None or ran.id == turn.entry or ran.author != "person":
            raise InputError("This cell was not run since it was changed.", "Run it, then go on from there.")
        details = {name: value for name, value in turn.details.items() if name in ("asked", "sample", "hint")}
        as_run = replace(
            turn,
            status="done",
            reply=with_cell(turn.reply, ran.code),
            code=ran.code,
            output=ran.shown,
            error=None if ran.status == "ok" else "The cell failed.",
            execution_count=ran.count,
            entry=ran.id,
            stale=False,
            details={**details, TOLD: [], "edited": "continue"},
        )
        turns = (*kept, as_run)
        return Plan(root, turn.id, change.edit, Course(self.tree, change, root, turns, None), turns, turn, None)

    def _as_asked(self, plan: Plan, now: Settings) -> Asking:
        """Give the question as it is asked in the branch."""
        root, edit = plan.root, plan.edit
        asking = Asking.recall(root.prompt, root.details, (self.settings, now))
        if asking is None:
            raise InputError("It is not known how this question was asked.", "Ask it again.")
        whole = edit.kind == "model" and plan.course is None
        asking = asking.with_models(root.details, edit.model if whole else None)
        return replace(asking, question=edit.text) if edit.kind == "prompt" and plan.course is None else asking
