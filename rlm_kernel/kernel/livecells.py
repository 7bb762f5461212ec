"""Cells of the model in the notebook: written while the model writes, run under a message of their own."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

from rlm_kernel.engine.observer import Observer
from rlm_kernel.ids import CellId, NodeId, new_cell_id, number_of
from rlm_kernel.kernel.answer import Inline
from rlm_kernel.kernel.journal import LiveCell
from rlm_kernel.kernel.keptcells import kept_cells
from rlm_kernel.kernel.protocol import Finish, RunStart
from rlm_kernel.notebook.cells import Place, finished, prose_id, rlm_metadata

if TYPE_CHECKING:
    from rlm_kernel.engine.executor import CellRequest
    from rlm_kernel.engine.observer import Part
    from rlm_kernel.ids import MsgId
    from rlm_kernel.kernel.journal import Journal, LiveRun
    from rlm_kernel.kernel.pages import Pages
    from rlm_kernel.kernel.protocol import CellStatus
    from rlm_kernel.kernel.services import KernelServices, Message
    from rlm_kernel.trace.records import Node
    from rlm_kernel.trace.tree import Tree

BATCH = 0.04
"""Seconds for which text is collected before the pages get it."""


class LiveCells(Observer):
    """Makes the turns of a run into notebook cells.

    - It is told what the model writes, and tells the pages; `CellExecutor` runs the cells.
    - Cells that a run has taken over from another one stay where they are.
    - Without a page of the asking client the cells are shown in the question's output (`Inline`).

    The run never depends on a page: whatever a page does or leaves undone, it goes on.
    """

    def __init__(self, kernel: KernelServices, journal: Journal, pages: Pages) -> None:
        """No run yet."""
        self._kernel = kernel
        self._journal = journal
        self._pages = pages
        self._inline = Inline(kernel)
        self._expected: LiveRun | None = None
        self._tree: Tree | None = None
        self._timer: asyncio.TimerHandle | None = None
        self.run: LiveRun | None = None
        """The run that lasts."""

    @property
    def anchor(self) -> CellId | None:
        """The cell of the question that is about to begin."""
        return self._expected.anchor if self._expected is not None else None

    # -- the run --------------------------------------------------------------------------------------------------

    def expect(self, run: LiveRun | None) -> None:
        """Take the next run that begins for the answer to this question; ``None``: it will not come."""
        self._expected = run

    def node_added(self, tree: Tree, node: Node) -> None:
        """Begin the run that is expected; any other (a query outside) is none of ours."""
        self._tree = tree
        if node.kind == "turn" and self.run is not None and node.parent_id == NodeId(self.run.run_id):
            self._own(self.run, node)
        run = self._expected
        if node.kind != "run" or node.parent_id is not None or run is None:
            return
        self._expected = None
        self.run, run.node = run, node
        node.execution_count = run.execution_count
        self._keep(tree, run, node)
        self._journal.begin(run)
        start = RunStart(
            anchor_cell_id=run.anchor,
            anchor_msg_id=run.msg_id,
            owner=run.owner,
            superseded=list(run.superseded),
            kept=[cell.kept() for cell in run.kept if not cell.removed],
        )
        self._pages.tell(run, "run_start", start)
        if run.fallback:
            self._inline.line(run, "Working", first=True)

    def _keep(self, tree: Tree, run: LiveRun, node: Node) -> None:
        """Take over the cells of turns that the run has in common with the one in its place."""
        before = self._journal.at(run.anchor)
        if before is None or run.fallback:
            return
        run.kept = kept_cells(tree, node, before, self._kernel.process.history)
        run.cells = list(run.kept)

    def _own(self, run: LiveRun, turn: Node) -> None:
        """Let the cells that were taken over belong to the turn that stands for theirs in this run."""
        for cell in run.kept:
            if cell.turn.cell_id == turn.cell_id:
                cell.turn = turn
                cell.mark["node_id"] = turn.id

    def run_ended(self, tree: Tree, node: Node) -> None:
        """Close what is still open: cells that were never run."""
        run = self.run
        if run is None or run.node is not node:
            return
        self._flush()
        for cell in run.cells:
            if not cell.over:
                self.close(run, cell, "aborted" if cell.part == "code" else "ok")

    # -- what the model writes ------------------------------------------------------------------------------------

    def turn_text(self, node: Node, part: Part, pos: int, text: str) -> None:
        """Write on in the turn's prose or code; the cell appears with its first text."""
        run = self.run
        if run is None or node.run_id != run.run_id:
            return
        cell = self._find(run, node, part)
        if cell is None:
            if not text.strip():
                return
            cell = self._insert(run, node, part)
        cell.write(pos, text)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(BATCH, self._flush)

    def node_changed(self, tree: Tree, node: Node) -> None:
        """Close the cells of a turn that is over."""
        run = self.run
        if (
            run is None
            or node.kind != "turn"
            or node.run_id != run.run_id
            or node.status in ("pending", "running", "paused")
        ):
            return
        self._flush()
        for cell in run.cells:
            if cell.turn is node and cell.status == "writing":
                self.close(run, cell, "aborted" if cell.part == "code" else "ok")

    def _find(self, run: LiveRun, turn: Node, part: Part) -> LiveCell | None:
        return next((cell for cell in reversed(run.cells) if cell.turn is turn and cell.part == part), None)

    def _insert(self, run: LiveRun, turn: Node, part: Part) -> LiveCell:
        code_id = turn.cell_id or new_cell_id()
        cell_id = code_id if part == "code" else prose_id(code_id)
        mark = rlm_metadata(turn, part, number_of(turn.id), Place(cell_id, run.anchor))
        cell = LiveCell(turn, part, cell_id, mark, run.after(), run.new_msg_id(part))
        if cell.msg_id is not None:
            cell.request = _request(run.request, cell.msg_id, cell_id)
        run.cells.append(cell)
        self._pages.tell(run, "insert", cell.insert())
        return cell

    def _flush(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self.run is not None:
            for cell in self.run.cells:
                if not cell.over:
                    self._send_text(self.run, cell)

    def _send_text(self, run: LiveRun, cell: LiveCell, *, cut: bool = False) -> None:
        """Send what is new; ``cut`` says that the source became shorter, so that also an empty rest must be told."""
        if cell.removed or (cell.sent == len(cell.source) and not cut):
            return
        pos, text = cell.unsent()
        self._pages.tell(run, "append", {"cell_id": cell.cell_id, "pos": pos, "text": text})

    def _settle(self, run: LiveRun, cell: LiveCell, source: str) -> None:
        """Make sure that the cell says exactly this."""
        if cell.source == source:
            self._send_text(run, cell)
            return
        pairs = zip(cell.source, source, strict=False)
        same = next((at for at, (old, new) in enumerate(pairs) if old != new), min(len(cell.source), len(source)))
        cell.write(same, source[same:])
        self._send_text(run, cell, cut=True)

    def complete(self, cell: CellRequest) -> tuple[LiveRun, LiveCell]:
        """Show a cell as it is about to run, with the prose above it; gives where it stands."""
        run = self.run
        if run is None or self._tree is None:
            raise RuntimeError("a cell of the model needs a run")
        turn = self._tree[cell.node_id]
        live = self._find(run, turn, "code") or self._insert(run, turn, "code")
        prose = self._find(run, turn, "prose")
        if prose is not None and not prose.over:
            self._settle(run, prose, prose.source.rstrip())
        self._settle(run, live, cell.code.rstrip("\n"))
        if run.fallback:
            for each in (prose, live):
                if each is not None:
                    self._inline.cell(run, each)
        return run, live

    # -- the end of a cell ----------------------------------------------------------------------------------------

    def close(self, run: LiveRun, cell: LiveCell, status: CellStatus) -> None:
        """Say how a cell ended: to those who bound it, and to the pages; the prose above it ends with it."""
        cell.status = status
        usage = cell.turn.usage
        if self._tree is not None:
            usage = self._tree.total(cell.turn.id)
            cell.mark = finished(cell.mark, cell.turn, self._tree)
            cell.badge = cell.mark["badge"]
        if cell.msg_id is not None and not run.fallback:
            if cell.reply is None:
                cell.reply = {"status": "aborted", "execution_count": cell.execution_count}
            self._answer_bound(cell)
        fields = Finish(
            cell_id=cell.cell_id,
            status=status,
            execution_count=cell.execution_count,
            usage=usage.to_dict(),
            badge=cell.badge,
        )
        self._pages.tell(run, "finish", fields)
        if cell.part == "code":
            prose = self._find(run, cell.turn, "prose")
            if prose is not None and not prose.over:
                self.close(run, prose, "ok")
        elif run.fallback and self._find(run, cell.turn, "code") is None:
            self._inline.cell(run, cell)

    def _answer_bound(self, cell: LiveCell) -> None:
        request, reply = cast("Message", cell.request), cast("dict[str, Any]", cell.reply)
        for ident in cell.idents:
            self._kernel.send_reply("execute_reply", reply, request, ident)
        self._kernel.publish("status", {"execution_state": "idle"}, request)
        self._kernel.busy_again()

    # -- what pages do --------------------------------------------------------------------------------------------

    def bound(self, run: LiveRun, cell: LiveCell, ident: Any) -> None:
        """Take a client that shows a cell; a cell that is over is answered at once."""
        cell.idents.append(ident)
        cell.bound.set()
        self._pages.bound()
        if cell.over:
            self._kernel.send_reply(
                "execute_reply", cell.reply or {"status": "aborted"}, cast("Message", cell.request), ident
            )
            self._kernel.publish("status", {"execution_state": "idle"}, cast("Message", cell.request))
            self._kernel.busy_again()

    def cell_removed(self, run: LiveRun, cell_id: str) -> None:
        """Note that the person deleted a cell: one that has not begun will not be run."""
        for cell in run.cells:
            if cell.cell_id == CellId(cell_id):
                cell.removed = True
                cell.bound.set()

    def runs(self, msg_id: MsgId | None) -> bool:
        """Tell whether a message belongs to a cell of the run that lasts."""
        return self.run is not None and any(cell.msg_id == msg_id for cell in self.run.cells if cell.msg_id is not None)


def _request(question: Message, msg_id: MsgId, cell_id: CellId) -> Message:
    """Copy the question's request as the client would have sent it; the same ``session`` makes it the client's own."""
    date = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    header = {**question["header"], "msg_id": msg_id, "msg_type": "execute_request", "date": date}
    return {
        "header": header,
        "msg_id": msg_id,
        "msg_type": "execute_request",
        "parent_header": {},
        "metadata": {"cellId": cell_id},
        "content": {},
        "buffers": [],
    }
