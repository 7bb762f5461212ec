"""Shows a run in the notebook that is not shown there now: another branch, or one of an earlier session."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rlm_kernel.errors import InputError
from rlm_kernel.ids import CellId, NodeId, new_msg_id, number_of
from rlm_kernel.kernel.answer import last_line
from rlm_kernel.kernel.journal import LiveCell, LiveRun
from rlm_kernel.kernel.keptcells import turns_kept
from rlm_kernel.kernel.protocol import Show
from rlm_kernel.notebook.answer import question_outputs
from rlm_kernel.notebook.cells import Place, finished, prose_id, rlm_metadata

if TYPE_CHECKING:
    from rlm_kernel.engine.edits import Edit
    from rlm_kernel.engine.executor import Output
    from rlm_kernel.engine.observer import Part
    from rlm_kernel.engine.session import Session
    from rlm_kernel.kernel.desk import Desk
    from rlm_kernel.kernel.journal import Journal
    from rlm_kernel.kernel.pages import Pages
    from rlm_kernel.kernel.protocol import CellStatus
    from rlm_kernel.kernel.services import KernelServices
    from rlm_kernel.trace.records import Node
    from rlm_kernel.trace.tree import Tree

SAME_STATE = "Python's state is that of this branch."
OTHER_STATE = (
    "Python's state is still that of the other branch: run a cell of this one again from its toolbar to change it."
)


class Showing:
    """Makes the cells of a run from the tree and the history, and has the pages show them.

    Args:
        kernel: Has the history and the outputs.
        desk: Has the session.
        journal: Knows which run is shown where.
        pages: Show it.
    """

    def __init__(self, kernel: KernelServices, desk: Desk, journal: Journal, pages: Pages) -> None:
        self._kernel = kernel
        self._desk = desk
        self._journal = journal
        self._pages = pages

    async def switch(self, run_id: str) -> str:
        """Show a run in place of the one that its question shows now; gives what became of Python's state.

        Raises:
            InputError: There is no such run, it has no cell, or a run lasts.
        """
        session = self._desk.session
        root = self.root(run_id)
        if session.control.state != "idle":
            raise InputError("A run is going already.", "Wait for its end, or stop it with %rlm stop.")
        if root.cell_id is None:
            raise InputError("This run was not asked in a notebook cell.", "Look at it in the panel.")
        restored = await session.switch(root.id)
        self.show(root, SAME_STATE if restored else OTHER_STATE)
        return SAME_STATE if restored else OTHER_STATE

    def bring(self, root: Node, at: Node, edit: Edit) -> None:
        """See to it that the cells which a branch will keep are shown: another branch may be shown now.

        Args:
            root: The run that is changed.
            at: Where.
            edit: How.
        """
        shown = self._journal.at(root.cell_id)
        real = shown is not None and not shown.fallback
        there = {cell.turn.cell_id for cell in shown.cells} if shown is not None and real else set()
        turns = turns_kept(self._desk.session.tree, root, at.id, edit)
        if any(turn.cell_id not in there for turn in turns if turn.code):
            self.show(root, "")

    def show(self, root: Node, text: str) -> None:
        """Have the pages replace what the question of a run shows by this run."""
        run = self.revive(root)
        self._journal.begin(run)
        fields = Show(
            anchor_cell_id=run.anchor,
            execution_count=run.execution_count,
            outputs=list(run.outputs),
            cells=[cell.as_cell(self._kernel.recorder) for cell in run.cells],
            text=text,
        )
        self._pages.tell(run, "show", fields)
        run.unseen = not self._pages

    def root(self, node_id: str) -> Node:
        """Find the question that a node belongs to.

        Raises:
            InputError: There is no such node.
        """
        tree = self._desk.find(node_id)
        node = tree[NodeId(node_id)]
        return [node, *tree.ancestors(node.id)][-1]

    def revive(self, root: Node) -> LiveRun:
        """Make a run that is over as it would stand in the journal."""
        session = self._desk.session
        tree, client = session.tree, self._pages.newest()
        header = {"msg_id": new_msg_id(), "msg_type": "execute_request", "session": client}
        run = LiveRun({"header": header}, [], root.cell_id, root.execution_count or 0, False, fallback=False)
        run.node, run.owner, run.state = root, client, "ended"
        run.text = last_line(tree, run)["text"]
        run.reply = {"status": "ok", "execution_count": run.execution_count, "payload": [], "user_expressions": {}}
        run.outputs = question_outputs(tree, root)
        for turn in turns_shown(tree, root):
            run.cells += self._cells(session, run, turn)
        return run

    def _cells(self, session: Session, run: LiveRun, turn: Node) -> list[LiveCell]:
        """Make the cells of one turn: its prose and its code, as far as there is any."""
        from rlm_kernel.engine.parse import ReplySplitter

        splitter = ReplySplitter()
        splitter.feed(turn.reply)
        splitter.finish()
        code_id = turn.cell_id or CellId(turn.id.replace("/", "-"))
        cells = []
        if prose := splitter.prose.strip():
            cells.append(self._cell(session.tree, run, turn, ("prose", prose_id(code_id), prose)))
        if turn.code:
            cell = self._cell(session.tree, run, turn, ("code", code_id, turn.code.strip("\n")))
            cell.shows, cell.status = self._outputs(turn), _status(turn)
            cell.execution_count = turn.execution_count
            cell.msg_id = new_msg_id()
            cell.request = {"header": {**run.request["header"], "msg_id": cell.msg_id}}
            cell.reply = {"status": "ok", "execution_count": turn.execution_count}
            cells.append(cell)
        for each in cells:
            each.after = run.after() if each is cells[0] else [cells[0].cell_id, *run.after()]
        return cells

    def _cell(self, tree: Tree, run: LiveRun, turn: Node, of: tuple[Part, CellId, str]) -> LiveCell:
        part, cell_id, source = of
        mark = finished(rlm_metadata(turn, part, number_of(turn.id), Place(cell_id, run.anchor)), turn, tree)
        mark["run_id"] = run.run_id
        if isinstance(kept := turn.details.get("kept"), str):
            mark["kept"] = kept
        cell = LiveCell(turn, part, cell_id, mark, [], None)
        cell.write(0, source)
        cell.unsent()
        cell.status, cell.badge, cell.stale = "ok", mark["badge"], turn.stale
        return cell

    def _outputs(self, turn: Node) -> list[Output]:
        """Give what a turn's cell showed: as the history has it, else as the model was told."""
        history = self._kernel.process.history
        if turn.entry is not None and turn.entry in history:
            return list(history.entry(turn.entry).outputs)
        return [{"output_type": "stream", "name": "stdout", "text": turn.output}] if turn.output else []


def _status(turn: Node) -> CellStatus:
    if turn.status in ("stopped", "failed"):
        return "stopped" if turn.status == "stopped" else "died"
    return "error" if turn.error else "ok"


def turns_shown(tree: Tree, root: Node) -> list[Node]:
    """Give the turns that stand below a question: those of the runs it went on with come first."""
    from rlm_kernel.engine.course import turns_of

    return list(turns_of(tree, root))
