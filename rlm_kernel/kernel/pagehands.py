"""What a page asks for, done: every message is checked, none is waited for."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from rlm_kernel.errors import InputError
from rlm_kernel.kernel.protocol import PageCommand

if TYPE_CHECKING:
    from rlm_kernel.kernel.commands import Commands
    from rlm_kernel.kernel.journal import Journal
    from rlm_kernel.kernel.livecells import LiveCells
    from rlm_kernel.kernel.pages import Pages
    from rlm_kernel.kernel.services import Ident, KernelServices, Message

Json = dict[str, Any]


class PageHands:
    """Does what pages say over their comm; what does not fit the run that lasts is passed over.

    Args:
        kernel: Answers clients that bind cells.
        journal: Knows the runs.
        pages: Are answered.
        cells: Belong to the run that lasts.
        commands: Steer it.
    """

    def __init__(
        self, kernel: KernelServices, journal: Journal, pages: Pages, cells: LiveCells, commands: Commands
    ) -> None:
        self._kernel = kernel
        self._journal = journal
        self._pages = pages
        self._cells = cells
        self._commands = commands

    def message(self, comm_id: str, data: Json, parent: Message) -> None:
        """Do what a page asks."""
        self._pages.heard(comm_id)
        command = PageCommand.read(data)
        if command.type == "hello":
            self._pages.opened(comm_id, data, parent)
        elif command.type == "cell_removed":
            for run in self._journal.runs():
                if run.run_id == command.run_id:
                    self._cells.removed(run, command.cell_id)
        elif command.type in ("pause", "resume", "step", "stop"):
            current = self._cells.run
            if current is not None and command.run_id == current.run_id:
                with contextlib.suppress(InputError):
                    self._commands.steer(command.type)

    def bound(self, msg_id: str, ident: Ident) -> None:
        """Take a page that shows a cell of the model, or the question again after a reload."""
        if found := self._journal.cell_of(msg_id):
            self._cells.bound(*found, ident)
            return
        run = self._journal.run_of(msg_id)
        if run is not None and run.state != "ended":
            run.idents.append(ident)
            return
        request = run.request if run else {"header": {"msg_id": msg_id, "msg_type": "execute_request"}}
        reply = (run.reply if run else None) or {"status": "aborted"}
        self._kernel.send_reply("execute_reply", reply, request, ident)
        self._kernel.publish("status", {"execution_state": "idle"}, request)
        self._kernel.busy_again()
