"""Cells of the model in the notebook: written while the model writes, run under a message of their own."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

from rlm_kernel.engine.executor import AnswerState, CellRequest, CellResult, Executor, Output
from rlm_kernel.engine.observer import Observer
from rlm_kernel.engine.opening import Opening
from rlm_kernel.host.records import ExecuteRequest
from rlm_kernel.ids import CellId, new_cell_id
from rlm_kernel.kernel.answer import Inline
from rlm_kernel.kernel.journal import LiveCell
from rlm_kernel.kernel.protocol import Finish
from rlm_kernel.kernel.services import reply_content
from rlm_kernel.notebook.cells import Place, finished, rlm_metadata, turn_number

if TYPE_CHECKING:
    from rlm_kernel.engine.executor import NamespaceInfo, QueryHandler
    from rlm_kernel.engine.observer import Part
    from rlm_kernel.host.records import ExecuteReply
    from rlm_kernel.ids import MsgId
    from rlm_kernel.kernel.journal import Journal, LiveRun
    from rlm_kernel.kernel.pages import Pages
    from rlm_kernel.kernel.protocol import CellStatus
    from rlm_kernel.kernel.services import KernelServices, Message
    from rlm_kernel.trace.records import Node
    from rlm_kernel.trace.tree import Tree

BATCH = 0.04
"""Seconds for which text is collected before the pages get it."""
BIND_WAIT = 2.0
"""Seconds a cell waits for a page to listen."""


class LiveCells(Observer, Executor):
    """Makes the turns of a run into notebook cells, and runs them in the namespace.

    - As an observer it is told what the model writes, and tells the pages.
    - As an executor it runs each cell as if the client had sent it: under a copy of the question's request with an
      id of its own, so that outputs, counts and ``input()`` are the cell's own in any client that bound that id.
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
        self._answer = AnswerState(content="", ready=False)
        self._waiting: LiveCell | None = None
        self.run: LiveRun | None = None
        """The run that lasts."""
        self.queries: QueryHandler | None = None
        """Where queries of the run's cells go."""

    # -- the run --------------------------------------------------------------------------------------------------

    def expect(self, run: LiveRun | None) -> None:
        """Take the next run that begins for the answer to this question; ``None``: it will not come."""
        self._expected = run

    def node_added(self, tree: Tree, node: Node) -> None:
        """Begin the run that is expected; any other (a query outside) is none of ours."""
        self._tree = tree
        run = self._expected
        if node.kind != "run" or node.parent_id is not None or run is None:
            return
        self._expected = None
        self.run, run.node = run, node
        node.execution_count = run.execution_count
        self._journal.begin(run)
        start = {"anchor_cell_id": run.anchor, "anchor_msg_id": run.msg_id, "owner": run.owner}
        self._pages.tell(run, "run_start", {**start, "superseded": run.superseded})
        if run.fallback:
            self._inline.line(run, "Working", first=True)

    def run_ended(self, tree: Tree, node: Node) -> None:
        """Close what is still open: cells that were never run."""
        run = self.run
        if run is None or run.node is not node:
            return
        self._flush()
        for cell in run.cells:
            if not cell.over:
                self._close(run, cell, "aborted" if cell.part == "code" else "ok")

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
                self._close(run, cell, "aborted" if cell.part == "code" else "ok")

    def _find(self, run: LiveRun, turn: Node, part: Part) -> LiveCell | None:
        return next((cell for cell in reversed(run.cells) if cell.turn is turn and cell.part == part), None)

    def _insert(self, run: LiveRun, turn: Node, part: Part) -> LiveCell:
        number = turn_number(self._tree, turn) if self._tree else 1
        cell_id = turn.cell_id if part == "code" and turn.cell_id else new_cell_id()
        mark = rlm_metadata(turn, part, number, Place(cell_id, run.anchor))
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

    # -- executor -------------------------------------------------------------------------------------------------

    async def describe(self) -> NamespaceInfo:
        """Tell what is in the namespace, but for what cells of replaced runs have left there."""
        info = cast("NamespaceInfo", await self._kernel.process.ask("describe", {}))
        anchor = self._expected.anchor if self._expected is not None else None
        names = [each for each in info["names"] if not self._journal.left_behind(each.get("cell") or "", anchor)]
        return {"context": info["context"], "names": names}

    async def begin(self, queries: QueryHandler) -> None:
        """Set ``answer`` anew, unless the run goes on with another, and pass queries of cells on."""
        self._answer = AnswerState(content="", ready=False)
        details = self.run.node.details if self.run is not None and self.run.node is not None else {}
        opening = Opening.from_dict(details.get("opening"))
        fields: dict[str, object] = {"goes_on": "continues" in details}
        if opening is not None and "continues" not in details:
            fields["told"] = ["context", *(each["name"] for each in opening.names)]
        await self._kernel.process.ask("begin_run", fields)
        self.queries = queries

    async def end(self) -> None:
        """Pass queries on no more."""
        self.queries = None
        await self._kernel.process.ask("end_run", {})

    async def set_variable(self, name: str, value: object) -> None:
        """Set a variable of the namespace."""
        await self._kernel.process.ask("set_variable", {"name": name, "value": value})

    def interrupt(self) -> None:
        """Interrupt the cell that runs now, or wake one that waits for its page."""
        if self._waiting is not None:
            waiting, self._waiting = self._waiting, None
            waiting.bound.set()
        else:
            self._kernel.process.interrupt()

    async def run_cell(self, cell: CellRequest) -> CellResult:
        """Run a cell of the model, unless the person has removed it."""
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
        elif not live.removed and not await self._wait_for_bind(run, live):
            self._close(run, live, "aborted")
            return CellResult("stopped", self._answer)
        if live.removed:
            return self._not_run(run, live)
        return await self._execute(run, live, cell)

    async def _wait_for_bind(self, run: LiveRun, cell: LiveCell) -> bool:
        """Give the page time to listen, else an ``input_request`` is lost; ``False``: stopped meanwhile."""
        if cell.bound.is_set() or not self._pages.answering():
            return True
        self._waiting = cell
        try:
            await asyncio.wait_for(cell.bound.wait(), BIND_WAIT)
        except TimeoutError:
            self._pages.missed(run)
        finally:
            stopped, self._waiting = self._waiting is None, None
        return not stopped

    async def _execute(self, run: LiveRun, cell: LiveCell, asked: CellRequest) -> CellResult:
        msg_id, request = cast("MsgId", cell.msg_id), cast("Message", cell.request)
        parent = run.request if run.fallback else request
        cell.status = "running"
        cell.execution_count = self._kernel.process.execution_count
        if not run.fallback:
            self._pages.tell(run, "start", {"cell_id": cell.cell_id, "msg_id": msg_id})
            self._kernel.publish("status", {"execution_state": "busy"}, request)
            shown = {"code": asked.code, "execution_count": cell.execution_count}
            self._kernel.publish("execute_input", shown, request)
        ident = cell.idents[0] if cell.idents else run.ident
        header = {**request["header"]}
        execute = ExecuteRequest(
            asked.code, msg_id, header, allow_stdin=run.allow_stdin or bool(cell.idents), cell_id=cell.cell_id
        )
        status: CellStatus = "stopped"
        try:
            reply = await self._kernel.execute_cell(execute, parent, ident)
            status = "stopped" if reply.interrupted else reply.status
            cell.execution_count, cell.reply = reply.execution_count, reply_content(reply)
        finally:
            self._close(run, cell, status)
        return self._result(cell, reply, status)

    def _result(self, cell: LiveCell, reply: ExecuteReply, status: CellStatus) -> CellResult:
        self._answer = reply.answer
        outputs = list(self._kernel.recorder.outputs(cast("MsgId", cell.msg_id)))
        done = cast("Any", status)
        return CellResult(done, reply.answer, reply.execution_count, outputs)

    def _not_run(self, run: LiveRun, cell: LiveCell) -> CellResult:
        message = "The person removed this cell before it ran; it was not run."
        self._close(run, cell, "aborted")
        shown = Output(output_type="error", ename="CellRemoved", evalue=message, traceback=[f"CellRemoved: {message}"])
        return CellResult("error", self._answer, None, [shown])

    # -- the end of a cell ----------------------------------------------------------------------------------------

    def _close(self, run: LiveRun, cell: LiveCell, status: CellStatus) -> None:
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
                self._close(run, prose, "ok")
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

    def removed(self, run: LiveRun, cell_id: str) -> None:
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
