"""What the panel asks of its surroundings: it cannot run a notebook's cells itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn, Protocol

from rlm_kernel.errors import InputError

if TYPE_CHECKING:
    from rlm_kernel.engine.edits import EditDict


class Actions(Protocol):
    """Done by the kernel, for which a re-run is an ordinary execution of a cell.

    Every method raises `InputError` where it cannot be done; the panel shows it.
    """

    def rerun(self, node_id: str, edit: EditDict) -> None:
        """Run again from a node, with an edit."""

    def go_on(self, run_id: str, limits: dict[str, float | int]) -> None:
        """Go on with a run that ended before its answer, with other limits (fields of `Limits`)."""

    def switch(self, run_id: str) -> None:
        """Show another branch in the notebook."""

    def jump(self, cell_id: str) -> None:
        """Bring a cell into sight."""

    async def undo(self, cell_id: str) -> str:
        """Put Python back to just before a cell; gives what to tell the person."""


class NoActions:
    """For a panel without a notebook: everything says that it cannot be done here."""

    def rerun(self, node_id: str, edit: EditDict) -> None:
        """Say what to do instead."""
        self._refuse(f"Run it from Python: run.rerun({node_id!r}, …).")

    def go_on(self, run_id: str, limits: dict[str, float | int]) -> None:
        """Say what to do instead."""
        self._refuse("Go on from Python with session.go_on(…).")

    def switch(self, run_id: str) -> None:
        """Say what to do instead."""
        self._refuse("Branches are switched in a notebook of the RLM kernel.")

    def jump(self, cell_id: str) -> None:
        """Say what to do instead."""
        self._refuse("The cell is in the notebook the run was made in.")

    async def undo(self, cell_id: str) -> str:
        """Say what to do instead."""
        self._refuse("Python is put back in a notebook of the RLM kernel.")

    def _refuse(self, remedy: str) -> NoReturn:
        raise InputError("This panel has no notebook to do that in.", remedy)
