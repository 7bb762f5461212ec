"""What a page asks for, done: every message is checked, none is waited for."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from rlm_kernel.engine.edits import Edit
from rlm_kernel.errors import InputError, RlmError
from rlm_kernel.ids import RunId
from rlm_kernel.kernel.reading import PageCommand
from rlm_kernel.kernel.states import NeedsReplay

if TYPE_CHECKING:
    from collections.abc import Callable

    from rlm_kernel.kernel.commands import Commands
    from rlm_kernel.kernel.desk import Desk
    from rlm_kernel.kernel.dock import Dock
    from rlm_kernel.kernel.journal import Journal
    from rlm_kernel.kernel.livecells import LiveCells
    from rlm_kernel.kernel.pages import Pages
    from rlm_kernel.kernel.services import Ident, KernelServices, Message
    from rlm_kernel.kernel.showing import Showing
    from rlm_kernel.kernel.states import States

Json = dict[str, Any]


class PageHands:
    """Does what pages say over their comm; what does not fit is passed over, or answered by a problem.

    Args:
        kernel: Answers clients that bind cells.
        desk: Has the session.
        journal: Knows the runs.
        pages: Are answered.
        cells: Belong to the run that lasts.
    """

    def __init__(self, kernel: KernelServices, desk: Desk, journal: Journal, pages: Pages, cells: LiveCells) -> None:
        self._kernel = kernel
        self._desk = desk
        self._journal = journal
        self._pages = pages
        self._cells = cells
        self._do: dict[str, Callable[[PageCommand, str], None]] = {}

    def furnish(self, commands: Commands, showing: Showing, states: States, dock: Dock) -> None:
        """Say who does what is asked for."""

        def steer(command: PageCommand, comm_id: str) -> None:
            current = self._cells.run
            if current is not None and command.run_id == current.run_id:
                with contextlib.suppress(InputError):
                    commands.steer(command.type)

        def switch(command: PageCommand, comm_id: str) -> None:
            self._later(showing.switch(command.run_id), command, comm_id)

        def undo(command: PageCommand, comm_id: str) -> None:
            self._later(self._undo(states, command), command, comm_id)

        def passage(command: PageCommand, comm_id: str) -> None:
            self._desk.find(command.run_id)
            dock.show_passage(RunId(command.run_id), command.number, comm_id)

        def panel(command: PageCommand, comm_id: str) -> None:
            dock.show_beside(comm_id)

        self._do = {
            **dict.fromkeys(("pause", "resume", "step", "stop"), steer),
            "cell_removed": self._removed,
            "quote": self._quote,
            "decision": self._decide,
            "steer": self._say,
            "switch": switch,
            "undo": undo,
            "passage": passage,
            "panel": panel,
        }

    def message(self, comm_id: str, data: Json, parent: Message) -> None:
        """Do what a page asks."""
        self._pages.heard(comm_id)
        command = PageCommand.read(data)
        if command.type == "hello":
            self._pages.opened(comm_id, data, parent)
            return
        do = self._do.get(command.type)
        if do is None:
            return
        try:
            do(command, comm_id)
        except RlmError as error:
            self._pages.problem(error, command.ask_id, comm_id)

    def _removed(self, command: PageCommand, comm_id: str) -> None:
        for run in self._journal.runs():
            if run.run_id == command.run_id:
                self._cells.cell_removed(run, command.cell_id)

    def _quote(self, command: PageCommand, comm_id: str) -> None:
        if command.edit is None or not command.node_id:
            raise InputError("There is nothing to change.", "Choose what to edit.")
        self._desk.find(command.node_id)
        quote = self._desk.session.quote(command.node_id, Edit.from_dict(command.edit))
        self._pages.say({"type": "quoted", "ask_id": command.ask_id, "quote": quote}, comm_id)

    def _decide(self, command: PageCommand, comm_id: str) -> None:
        if command.decision is None:
            raise InputError("This is no decision.", "Approve or reject what waits.")
        self._desk.session.gate.decide(command.id, command.decision)

    def _say(self, command: PageCommand, comm_id: str) -> None:
        self._desk.session.steer(command.text, RunId(command.run_id) if command.run_id else None)

    async def _undo(self, states: States, command: PageCommand) -> None:
        undone = await states.undo(states.by_cell(command.cell_id), replay=command.replay)
        self._pages.say({"type": "undone", "cell_ids": undone.cell_ids, "text": undone.text})

    def _later(self, work: Any, command: PageCommand, comm_id: str) -> None:
        """Do what takes time beside everything else: a comm message must not be waited for."""

        async def do() -> None:
            try:
                await work
            except NeedsReplay as error:
                offer = {"offer": "undo", "cell_id": command.cell_id}
                self._pages.problem(error, command.ask_id, comm_id, **offer)
            except RlmError as error:
                self._pages.problem(error, command.ask_id, comm_id)

        self._kernel.spawn(do())

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
