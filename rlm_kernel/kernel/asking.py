"""What the kernel does with questions: the hooks the kernel core calls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rlm_kernel.kernel.actions import KernelActions
from rlm_kernel.kernel.answering import Answering
from rlm_kernel.kernel.commands import Commands
from rlm_kernel.kernel.desk import Desk
from rlm_kernel.kernel.dock import Dock
from rlm_kernel.kernel.earlier import EarlierRuns
from rlm_kernel.kernel.edited import EditedCells
from rlm_kernel.kernel.executing import CellExecutor
from rlm_kernel.kernel.journal import Journal
from rlm_kernel.kernel.livecells import LiveCells
from rlm_kernel.kernel.orders import Orders, read_order
from rlm_kernel.kernel.pagehands import PageHands
from rlm_kernel.kernel.pages import Pages
from rlm_kernel.kernel.showing import Showing
from rlm_kernel.kernel.states import States

if TYPE_CHECKING:
    from rlm_kernel.engine.executor import QueryDict, ReplyDict
    from rlm_kernel.host.records import ExecuteReply, ExecuteRequest
    from rlm_kernel.ids import MsgId
    from rlm_kernel.kernel.services import KernelServices, Message

Json = dict[str, Any]


class Asking:
    """One per kernel: questions, the ``%rlm`` magic, the pages, the session behind them.

    - A ``%%rlm`` cell becomes a run of the session (`Answering`); `LiveCells` shows and runs what the model writes.
    - The session, the models and the panel are made at the first need (`Desk`).
    - What pages say is done by `PageHands`, what ``%rlm`` lines say by `Commands`.
    - Everything is called on the kernel's one loop.
    """

    def __init__(self, kernel: KernelServices) -> None:
        """Nothing is asked yet."""
        self._kernel = kernel
        self._journal = Journal(kernel.recorder)
        self._pages = Pages(kernel, self._journal)
        self._cells = LiveCells(kernel, self._journal, self._pages)
        self._desk = Desk(kernel, self._pages)
        self._executor = CellExecutor(kernel, self._journal, self._pages, self._cells)
        self._desk.furnish(self._executor, [self._cells])
        states = States(kernel, self._desk)
        showing = Showing(kernel, self._desk, self._journal, self._pages)
        self._edited = EditedCells(self._desk, self._journal, self._pages, showing)
        actions = KernelActions(kernel, self._desk, self._pages, showing, states)
        dock = Dock(kernel, self._pages, self._desk, actions)
        self._earlier = EarlierRuns(kernel, self._desk, dock)
        self._pages.models, self._pages.undone = self._desk.models, states.undone
        self._answering = Answering(kernel, self._desk, self._pages, self._cells, dock, showing)
        self._commands = Commands(kernel, self._desk, self._cells, dock)
        self._orders = Orders(kernel, self._desk, self._pages, self._commands, states)
        self._hands = PageHands(kernel, self._desk, self._journal, self._pages, self._cells)
        self._hands.furnish(self._commands, showing, states, dock)
        self.turn_of = self._edited.turn_of
        self.is_question = self._answering.is_question
        self.ask = self._answering.ask
        self.read_order = read_order
        self.obey = self._orders.obey
        self.complete = self._commands.complete
        self.inspect = self._commands.inspect
        self.line_magic = self._commands.line
        self.page_message = self._hands.message
        self.bound = self._hands.bound

    @property
    def paused_since(self) -> float | None:
        """``time.monotonic()`` of the moment the run was paused; ``None`` where none is."""
        return self._answering.paused_since

    async def close(self) -> None:
        """End the run that lasts and give back what is held."""
        self._answering.stop()
        await self._desk.close()

    # -- other cells ----------------------------------------------------------------------------------------------

    def skip(self, metadata: Json) -> bool:
        """Tell whether a queued cell belongs to a run that another has replaced since: it is answered and not run."""
        mark, cell_id = metadata.get("rlm"), metadata.get("cellId")
        if not isinstance(mark, dict) or mark.get("cell_id", cell_id) != cell_id:
            return False  # no model's cell, or a copy of one that the person made
        return self._journal.replaced(mark)

    def person_cell(self, request: ExecuteRequest, reply: ExecuteReply) -> None:
        """Note what a cell of the person's has done.

        The model of a run that lasts is told; what came after a cell of the model that they changed is stale.
        """
        made = self._desk.made
        if made is None:
            return
        if made.control.state != "idle" or made.unfinished is not None:
            from rlm_kernel.engine.shown import shown

            made.note_cell(request.code, shown(self._kernel.recorder.outputs(request.msg_id)))
        if request.node_id is not None and reply.entry is not None:
            self._edited.ran(request.cell_id or "", self._kernel.process.history.entry(reply.entry))

    async def query(self, query: QueryDict, parent: MsgId | None) -> list[ReplyDict]:
        """Answer an ``llm_query``: of the run's cell within the run, of the person's own cell outside it."""
        if self._executor.queries is not None and self._cells.runs(parent):
            return await self._executor.queries(query)
        self._desk.heard = self._kernel.request_of(parent) if parent is not None else None
        label = f"{query.get('kind', 'llm')}_query{'_batched' if query['batched'] else ''}"
        return await self._desk.session.query_outside(query, f"{label} in a cell", parent)

    def interrupted(self) -> None:
        """Stop the run: the person pressed interrupt."""
        self._desk.session.control.stop()

    # -- pages ----------------------------------------------------------------------------------------------------

    def page_opened(self, comm_id: str, data: Json, parent: Message) -> None:
        """Welcome a page: its hello is the data of its ``comm_open``."""
        self._pages.opened(comm_id, data, parent)
        self._earlier.page_opened()

    def page_closed(self, comm_id: str) -> None:
        """Forget a page."""
        self._pages.closed(comm_id)
