"""What the panel asks of the notebook."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rlm_kernel.engine.edits import Edit
from rlm_kernel.errors import InputError
from rlm_kernel.ids import NodeId
from rlm_kernel.kernel.orders import limit_options
from rlm_kernel.kernel.rerunline import rerun_line

if TYPE_CHECKING:
    from rlm_kernel.engine.edits import EditDict
    from rlm_kernel.kernel.desk import Desk
    from rlm_kernel.kernel.pages import Pages
    from rlm_kernel.kernel.protocol import GoDict
    from rlm_kernel.kernel.services import KernelServices
    from rlm_kernel.kernel.showing import Showing
    from rlm_kernel.kernel.states import States


class KernelActions:
    """Done through the page: a re-run is an execution of the question's cell.

    Where there is no page of ours, the problem names the line to run.

    Args:
        kernel: Starts tasks.
        desk: Has the session.
        pages: Run cells.
        showing: Switches branches.
        states: Undoes.
    """

    def __init__(self, kernel: KernelServices, desk: Desk, pages: Pages, showing: Showing, states: States) -> None:
        self._kernel = kernel
        self._desk = desk
        self._pages = pages
        self._showing = showing
        self._states = states

    def rerun(self, node_id: str, edit: EditDict) -> None:
        """Run again from a node, with an edit."""
        read = Edit.from_dict(edit)
        root = self._showing.root(node_id)
        read.check(self._desk.session.tree[NodeId(node_id)])
        self._go(root.cell_id, {"how": "rerun", "node_id": node_id, "edit": read.to_dict()}, rerun_line(node_id, read))

    def go_on(self, run_id: str, limits: dict[str, float | int]) -> None:
        """Go on with a run that ended before its answer, with other limits."""
        root = self._showing.root(run_id)
        if self._unfinished() != root.id:
            raise InputError("Only the last unfinished question can be gone on with.", "Run one of its turns again.")
        options = limit_options(limits)
        go: GoDict = {"how": "continue", "run_id": root.id, "limits": limits}
        self._go(root.cell_id, go, " ".join(["%rlm continue", *options]))

    def _unfinished(self) -> str | None:
        """Name the question that can be gone on with: of this session, else the last one of the notebook."""
        session, last = self._desk.session, self._desk.keeping.last()
        if session.unfinished is not None:
            return session.unfinished.id
        return last.id if last is not None and last.outcome not in (None, "answered") else None

    def _go(self, anchor: str | None, go: GoDict, line: str) -> None:
        session = self._desk.session
        if session.control.state != "idle":
            raise InputError("A run is going already.", "Wait for its end, or stop it.")
        owner = self._pages.owner(anchor)
        if not self._pages.go(anchor, owner, {"anchor_cell_id": anchor, "go": go, "line": line}):
            raise InputError("No notebook page of ours is connected.", f"Run this in a cell of its own:\n{line}")

    def switch(self, run_id: str) -> None:
        """Show another branch in the notebook."""
        self._showing.root(run_id)
        if not self._pages:
            raise InputError("No notebook page of ours is connected.", "%rlm branches lists them with their answers.")
        self._kernel.spawn(self._switch(run_id))

    async def _switch(self, run_id: str) -> None:
        try:
            await self._showing.switch(run_id)
        except InputError as error:
            self._pages.problem(error)

    def jump(self, cell_id: str) -> None:
        """Bring a cell into sight."""
        if not self._pages:
            raise InputError("No notebook page of ours is connected.", "Scroll to the cell.")
        self._pages.say({"type": "jump", "cell_id": cell_id})

    async def undo(self, cell_id: str) -> str:
        """Put Python back to just before a cell; gives what to tell the person."""
        undone = await self._states.undo(self._states.by_cell(cell_id))
        self._pages.say({"type": "undone", "cell_ids": undone.cell_ids, "text": undone.text})
        return undone.text
