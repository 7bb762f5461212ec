"""Runs the cells of the model in the kernel's namespace."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Literal, cast

from rlm_kernel.engine.executor import AnswerState, CellRequest, CellResult, Executor, Output
from rlm_kernel.engine.opening import Opening
from rlm_kernel.host.records import ExecuteRequest
from rlm_kernel.kernel.services import reply_content

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rlm_kernel.engine.executor import NamespaceInfo, QueryHandler, Redone
    from rlm_kernel.engine.history import Entry, EntryId, History
    from rlm_kernel.host.records import ExecuteReply
    from rlm_kernel.ids import MsgId
    from rlm_kernel.kernel.journal import Journal, LiveCell, LiveRun
    from rlm_kernel.kernel.livecells import LiveCells
    from rlm_kernel.kernel.pages import Pages
    from rlm_kernel.kernel.protocol import CellStatus
    from rlm_kernel.kernel.services import KernelServices, Message

BIND_WAIT = 2.0
"""Seconds a cell waits for a page to listen."""


class CellExecutor(Executor):
    """Runs each cell as if the client had sent it.

    It goes under a copy of the question's request with an id of its own, so that outputs, counts and ``input()`` are
    the cell's own in any client that bound that id.

    Args:
        kernel: Has the namespace.
        journal: Knows which cells were replaced.
        pages: Bind the cells.
        cells: Show them.
    """

    def __init__(self, kernel: KernelServices, journal: Journal, pages: Pages, cells: LiveCells) -> None:
        self._kernel = kernel
        self._journal = journal
        self._pages = pages
        self._cells = cells
        self._answer = AnswerState(content="", ready=False)
        self._waiting: LiveCell | None = None
        self.queries: QueryHandler | None = None
        """Where queries of the run's cells go."""

    async def describe(self) -> NamespaceInfo:
        """Tell what is in the namespace, but for what cells of replaced runs have left there."""
        info = cast("NamespaceInfo", await self._kernel.process.ask("describe", {}))
        left = self._journal.left_behind
        names = [each for each in info["names"] if not left(each.get("cell") or "", self._cells.anchor)]
        return {"context": info["context"], "names": names}

    async def look(self, kind: Literal["cite", "cover", "passage"], fields: Mapping[str, object]) -> Mapping[str, Any]:
        """Look something up in the context."""
        return await self._kernel.process.ask(kind, dict(fields))

    async def begin(self, queries: QueryHandler, *, goes_on: bool = False) -> None:
        """Set ``answer`` anew, unless the run goes on with another, and pass queries of cells on."""
        self._answer = AnswerState(content="", ready=False)
        run = self._cells.run
        details = run.node.details if run is not None and run.node is not None else {}
        opening = Opening.from_dict(details.get("opening"))
        goes_on = goes_on or "continues" in details
        fields: dict[str, object] = {"goes_on": goes_on}
        if opening is not None and not goes_on:
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

    # -- other states ---------------------------------------------------------------------------------------------

    @property
    def history(self) -> History:
        """What was done in the namespace."""
        return self._kernel.process.history

    def can_restore(self, state: EntryId) -> bool:
        """Tell whether a state is kept."""
        return self._kernel.process.can_restore(state)

    async def restore(self, state: EntryId) -> bool:
        """Put the namespace back."""
        return await self._kernel.process.restore(state)

    async def park(self, key: EntryId) -> bool:
        """Keep the present state."""
        return await self._kernel.process.park(key)

    async def renew(self) -> None:
        """Begin with a fresh namespace."""
        await self._kernel.process.renew()

    async def redo(self, entry: Entry, queries: QueryHandler) -> Redone:
        """Do an entry once more, unseen."""
        return await self._kernel.process.redo(entry, queries)

    # -- cells ----------------------------------------------------------------------------------------------------

    async def run_cell(self, cell: CellRequest) -> CellResult:
        """Run a cell of the model, unless the person has removed it."""
        run, live = self._cells.complete(cell)
        if not run.fallback and not live.removed and not await self._wait_for_bind(run, live):
            self._cells.close(run, live, "aborted")
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
        cell.execution_count = await self._kernel.count_on()
        if not run.fallback:
            self._pages.tell(run, "start", {"cell_id": cell.cell_id, "msg_id": msg_id})
            self._kernel.publish("status", {"execution_state": "busy"}, request)
            shown = {"code": asked.code, "execution_count": cell.execution_count}
            self._kernel.publish("execute_input", shown, request)
        ident = cell.idents[0] if cell.idents else run.ident
        header = {**request["header"]}
        execute = ExecuteRequest(
            asked.code,
            msg_id,
            header,
            allow_stdin=run.allow_stdin or bool(cell.idents),
            cell_id=cell.cell_id,
            author="model",
            node_id=asked.node_id,
        )
        status: CellStatus = "stopped"
        try:
            reply = await self._kernel.execute_cell(execute, parent, ident)
            status = "stopped" if reply.interrupted else reply.status
            cell.execution_count, cell.reply = reply.execution_count, reply_content(reply)
        finally:
            self._cells.close(run, cell, status)
        return self._result(cell, reply, status)

    def _result(self, cell: LiveCell, reply: ExecuteReply, status: CellStatus) -> CellResult:
        self._answer = reply.answer
        outputs = list(self._kernel.recorder.outputs(cast("MsgId", cell.msg_id)))
        done = cast("Any", status)
        return CellResult(done, reply.answer, reply.execution_count, outputs, reply.entry, reply.digest)

    def _not_run(self, run: LiveRun, cell: LiveCell) -> CellResult:
        message = "The person removed this cell before it ran; it was not run."
        self._cells.close(run, cell, "aborted")
        shown = Output(output_type="error", ename="CellRemoved", evalue=message, traceback=[f"CellRemoved: {message}"])
        return CellResult("error", self._answer, None, [shown])
