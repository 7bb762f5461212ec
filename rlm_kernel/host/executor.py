"""Runs the cells of a run in a namespace process without Jupyter."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, cast

from rlm_kernel.engine.executor import Executor
from rlm_kernel.errors import InputError
from rlm_kernel.host.process import NamespaceProcess
from rlm_kernel.host.recorder import OutputRecorder
from rlm_kernel.host.records import ExecuteRequest, Listener, Published
from rlm_kernel.ids import new_cell_id, new_msg_id

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from rlm_kernel.engine.executor import (
        CellRequest,
        CellResult,
        NamespaceInfo,
        QueryDict,
        QueryHandler,
        Redone,
        ReplyDict,
    )
    from rlm_kernel.engine.history import History
    from rlm_kernel.host.records import ExecuteReply
    from rlm_kernel.ids import MsgId
    from rlm_kernel.trace.entries import Author, Entry, EntryId


class ProcessExecutor(Executor, Listener):
    """A namespace for terminal and headless use: an `Executor` over a process of its own.

    Nobody can be asked for input, and no page shows widgets; outputs are recorded and, where wanted, passed on.
    """

    def __init__(self, *, on_published: Callable[[Published], None] | None = None) -> None:
        """Nothing is started yet.

        Args:
            on_published: Told every output as it comes.
        """
        self.process = NamespaceProcess(self)
        self._on_published = on_published
        self._recorder = OutputRecorder()
        self._queries: QueryHandler | None = None

    async def start(self) -> None:
        """Start the process and wait until it is ready.

        Raises:
            NamespaceDied: It could not start.
        """
        await self.process.start()

    async def close(self) -> None:
        """End the process."""
        await self.process.close()

    async def describe(self) -> NamespaceInfo:
        """Tell what is in the namespace."""
        return cast("NamespaceInfo", await self.process.ask("describe", {}))

    async def look(self, kind: Literal["cite", "cover", "passage"], fields: Mapping[str, object]) -> Mapping[str, Any]:
        """Look something up in the context."""
        return await self.process.ask(kind, dict(fields))

    async def begin(self, queries: QueryHandler, *, goes_on: bool = False) -> None:
        """Start a run: ``answer`` is new, unless it goes on; queries of cells go to ``queries``."""
        self._queries = queries
        await self.process.ask("begin_run", {"goes_on": goes_on})

    async def end(self) -> None:
        """End the run that `begin` started."""
        self._queries = None
        await self.process.ask("end_run", {})

    async def set_variable(self, name: str, value: object) -> None:
        """Set a variable of the namespace."""
        await self.process.ask("set_variable", {"name": name, "value": value})

    async def run_cell(self, cell: CellRequest) -> CellResult:
        """Run one cell to its end."""
        return await self._run(cell.code, cell.cell_id, cell.node_id)

    async def run_person_cell(self, code: str) -> CellResult:
        """Run code of the person, outside or inside a run."""
        return await self._run(code, new_cell_id())

    def interrupt(self) -> None:
        """Interrupt the cell that runs now."""
        if self.process.busy:
            self.process.interrupt()

    # ---- states

    @property
    def history(self) -> History:
        """What was done in the namespace."""
        return self.process.history

    def can_restore(self, state: EntryId) -> bool:
        """Tell whether a state is kept."""
        return self.process.can_restore(state)

    async def restore(self, state: EntryId) -> bool:
        """Put the namespace back to a state that is kept."""
        return await self.process.restore(state)

    async def park(self, key: EntryId) -> bool:
        """Keep the present state."""
        return await self.process.park(key)

    async def renew(self) -> None:
        """Go on with a fresh namespace."""
        await self.process.renew()

    async def redo(self, entry: Entry, queries: QueryHandler) -> Redone:
        """Do once more what an entry says."""
        return await self.process.redo(entry, queries)

    # ---- cells

    async def _run(self, code: str, cell_id: str, node_id: str | None = None) -> CellResult:
        msg_id = new_msg_id()
        header = {
            "msg_id": msg_id,
            "msg_type": "execute_request",
            "session": "rlm",
            "username": "rlm",
            "version": "5.3",
        }
        try:
            author: Author = "person" if node_id is None else "model"
            request = ExecuteRequest(code, msg_id, header, cell_id=cell_id, author=author, node_id=node_id)
            reply = await self.process.execute(request)
            if reply.status == "died":
                error = {"ename": reply.ename, "evalue": reply.evalue, "traceback": reply.traceback}
                self.published(Published("error", error, {}, [], msg_id))
            return cell_result(reply, self._recorder, msg_id)
        finally:
            self._recorder.forget(msg_id)

    # ---- as a listener

    def published(self, message: Published) -> None:
        """Record an output."""
        self._recorder.add(message)
        if self._on_published is not None:
            self._on_published(message)

    async def query(self, query: QueryDict, parent: MsgId | None) -> list[ReplyDict]:
        """Pass a query on to the run's handler."""
        if self._queries is None:
            raise InputError("llm_query needs a run: ask a question first.")
        return await self._queries(query)

    async def input(self, prompt: str, password: bool, parent: MsgId | None) -> str:
        """Refuse: nobody is there."""
        raise InputError("Nobody can be asked for input here.")

    async def magic(self, line: str, parent: MsgId | None) -> str:
        """Refuse: there is no notebook."""
        raise InputError("%rlm works in a notebook; here, give options on the command line.")

    def replaced(self, dead_comms: list[str], live_comms: list[str]) -> None:
        """Do nothing: no page shows widgets."""


def cell_result(reply: ExecuteReply, recorder: OutputRecorder, msg_id: MsgId) -> CellResult:
    """Tell the engine what a cell did.

    Args:
        reply: How it ended.
        recorder: Has its outputs.
        msg_id: What they were published under.
    """
    from rlm_kernel.engine.executor import CellResult

    status = "stopped" if reply.interrupted else reply.status
    outputs = recorder.outputs(msg_id)
    return CellResult(status, reply.answer, reply.execution_count, outputs, reply.entry, reply.digest)
