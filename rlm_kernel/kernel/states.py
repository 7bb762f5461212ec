"""The way back to earlier states of Python, for the person's own cells too."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rlm_kernel.errors import Diverged, InputError
from rlm_kernel.usage import Usage, count

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rlm_kernel.engine.executor import Executor
    from rlm_kernel.engine.history import Entry, EntryId, History
    from rlm_kernel.kernel.desk import Desk
    from rlm_kernel.kernel.services import KernelServices

MOST_NAMED = 6
"""Cells or lines that are named; of more only the number is told."""
BEFORE_UNDO = "undo"
"""Under which the present state is kept, until it is clear that the earlier one is there."""


class NeedsReplay(InputError):
    """There is no checkpoint, but the cells before may be run again."""


@dataclass(frozen=True, slots=True)
class Undone:
    """What was undone."""

    cell_ids: list[str]
    text: str


class States:
    """Puts the namespace back to before a cell.

    It refuses while a run lasts, paused too: what its model has been told would not be true any more.

    Args:
        kernel: Has the namespace.
        desk: Has the session and the store.
    """

    def __init__(self, kernel: KernelServices, desk: Desk) -> None:
        self._kernel = kernel
        self._desk = desk
        self._undone: set[EntryId] = set()

    @property
    def _history(self) -> History:
        return self._kernel.process.history

    def by_count(self, number: int | None) -> Entry:
        """Find the cell with an execution count, or the last one, in what the present state came of.

        Raises:
            InputError: There is none.
        """
        if number is None:
            last = next((each for each in reversed(self._history.here()) if each.kind == "cell"), None)
            if last is None:
                raise InputError("No cell has run: there is nothing to undo.")
            return last
        found = self._history.with_count(number)
        if found is None:
            raise InputError(
                f"In [{number}] is no part of Python's present state.", "It was undone already, or has not run here."
            )
        return found

    def by_cell(self, cell_id: str) -> Entry:
        """Find the last time a notebook cell ran, in what the present state came of.

        Raises:
            InputError: It is no part of it.
        """
        here = (each for each in reversed(self._history.here()) if each.kind == "cell" and each.cell_id == cell_id)
        found = next(here, None)
        if found is None:
            raise InputError(
                "This cell is no part of Python's present state.", "It was undone already, or has not run here."
            )
        return found

    def undone(self) -> list[str]:
        """Give the notebook cells whose last run was undone, and is no part of the present state."""
        here = {each.id for each in self._history.here()}
        entries = [self._history.entry(each) for each in self._undone - here if each in self._history]
        return [each.cell_id for each in entries if each.cell_id and self._history.of_cell(each.cell_id) == each]

    async def undo(self, entry: Entry, *, replay: bool = False) -> Undone:
        """Put the namespace back to just before an entry of the present state.

        Args:
            entry: A cell.
            replay: Whether the cells before it may be run again, where there is no checkpoint.

        Raises:
            NeedsReplay: They must be.
            InputError: A run lasts, or a cell runs.
            Diverged: Run again, a cell did something else; the state is what it was.
        """
        self._refuse_meanwhile()
        here = self._history.here()
        undone = here[here.index(entry) :]
        executor = self._desk.executor
        if executor.can_restore(entry.id):
            await executor.restore(entry.id)
        elif replay:
            await self._replay(executor, entry.id)
        else:
            before = sum(each.kind == "cell" for each in here[: here.index(entry)])
            line = f"%rlm undo {entry.count} --replay" if entry.count is not None else "%rlm undo --replay"
            raise NeedsReplay(
                f"The state before {entry.name} is not kept any more.",
                f"{line} runs the {count(before, 'cell')} before it again; no model call is paid twice.",
            )
        cells = [each for each in undone if each.kind == "cell"]
        self._undone.update(each.id for each in cells)
        return Undone([each.cell_id for each in cells if each.cell_id], self._told(entry, cells))

    def _refuse_meanwhile(self) -> None:
        made = self._desk.made
        if made is not None and made.control.state != "idle":
            raise InputError("A run is going: Python's state is its state too.", "Stop it first, then undo.")
        if self._kernel.process.busy:
            raise InputError("A cell is running.", "Wait for its end, or interrupt it.")

    async def _replay(self, executor: Executor, to: EntryId) -> None:
        from rlm_kernel.engine.replay import go_back

        tree = self._desk.keeping.answers(self._history.path(to, include=False))
        kept = await executor.park(BEFORE_UNDO)
        try:
            await go_back(to, executor, tree if len(tree) else self._desk.session.tree)
        except Diverged:
            if kept:
                await executor.restore(BEFORE_UNDO)
            raise

    def _told(self, entry: Entry, cells: Sequence[Entry]) -> str:
        lines = [f"Python is back to before {entry.name}. Undone: {_names(cells)}."]
        lasting = self._lasting(cells)
        return "\n".join([*lines, "What was done outside Python's memory stays:", *lasting] if lasting else lines)

    def _lasting(self, cells: Sequence[Entry]) -> list[str]:
        """Name what cannot be undone: what the cells did beyond computing, and what models were paid."""
        from rlm_kernel.engine.risk import describe, risks

        said = [f"  {each.name}: {describe(reason)}" for each in cells for reason in risks(each.code)]
        more = len(said) - MOST_NAMED
        said = [*said[:MOST_NAMED], f"  and {more} more"] if more > 0 else said
        made = self._desk.made
        if made is not None:
            nodes = [node.id for node in made.tree if any(each.node_id == node.id for each in cells)]
            spent = sum((made.tree.total(node) for node in nodes), Usage())
            if spent.calls:
                said.append(f"  {spent.describe()}")
        return said


def _names(cells: Sequence[Entry]) -> str:
    """Name cells: ``In [3], In [4] and 2 more``."""
    names = [each.name for each in cells]
    shown, more = names[:MOST_NAMED], len(names) - MOST_NAMED
    return f"{', '.join(shown)} and {more} more" if more > 0 else ", ".join(shown)
