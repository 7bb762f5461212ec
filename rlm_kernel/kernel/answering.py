"""Answers ``%%rlm`` cells: a run of the session, its live line, its answer, its reply."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

from rlm_kernel.engine.edits import Edit
from rlm_kernel.engine.settings import change
from rlm_kernel.errors import InputError, RlmError
from rlm_kernel.ids import CellId
from rlm_kernel.kernel import magics
from rlm_kernel.kernel.answer import Inline, Ticker, last_line, live_line, publish_output
from rlm_kernel.kernel.deciding import Deciding
from rlm_kernel.kernel.going import GoingOn
from rlm_kernel.kernel.journal import LiveRun
from rlm_kernel.kernel.magics import Asked
from rlm_kernel.kernel.protocol import RunEnd
from rlm_kernel.kernel.reading import read_go
from rlm_kernel.kernel.rerunline import Rerun, is_rerun, read_rerun
from rlm_kernel.kernel.rerunning import Rerunning
from rlm_kernel.notebook.answer import question_outputs
from rlm_kernel.panel.messages import MeterDict

if TYPE_CHECKING:
    from rlm_kernel.engine.executor import Output
    from rlm_kernel.engine.session import Session
    from rlm_kernel.engine.settings import Settings
    from rlm_kernel.kernel.desk import Desk
    from rlm_kernel.kernel.dock import Dock
    from rlm_kernel.kernel.livecells import LiveCells
    from rlm_kernel.kernel.pages import Pages
    from rlm_kernel.kernel.protocol import GoDict, StatusLine
    from rlm_kernel.kernel.services import Ident, KernelServices, Message
    from rlm_kernel.kernel.showing import Showing
    from rlm_kernel.trace.records import Node, Outcome

Json = dict[str, Any]
log = logging.getLogger(__name__)


class Answering:
    """Has one question at a time answered, and shows where it stands.

    Args:
        kernel: Publishes and replies.
        desk: Has the session.
        pages: Told how the run goes.
        cells: Show and run what the model writes.
        dock: Shows the panel beside the first question.
        showing: Shows a run that is about to be changed.
    """

    def __init__(
        self, kernel: KernelServices, desk: Desk, pages: Pages, cells: LiveCells, dock: Dock, showing: Showing
    ) -> None:
        self._kernel = kernel
        self._showing = showing
        self._deciding = Deciding(kernel, desk, pages, cells)
        self._desk = desk
        self._pages = pages
        self._cells = cells
        self._dock = dock
        self._inline = Inline(kernel)
        self._ticker = Ticker(self._show_line)
        self._answering = ""
        """The message id of the question that is being answered."""
        self._starts = 0
        """How often the namespace had been started anew when the last run ended."""
        self.paused_since: float | None = None
        """``time.monotonic()`` of the moment the run was paused; ``None`` where none is."""
        desk.on_made.append(lambda session: session.control.on_change.append(self._control_changed))

    def stop(self) -> None:
        """Show no more."""
        self._ticker.stop()

    def is_question(self, message: Message) -> bool:
        """Tell whether a cell is answered here and not run in the namespace.

        ``%rlm resume`` is an order to a run that is paused, and otherwise as good as a question.
        """
        code = str(message["content"].get("code", ""))
        if magics.is_go_on(code) or is_rerun(code):
            return self.paused_since is None or message["header"]["msg_id"] == self._answering
        return magics.is_question(code)

    async def ask(self, code: str, parent: Message, ident: Ident, cell_id: str | None, allow_stdin: bool) -> Json:
        """Answer a ``%%rlm`` cell; gives the content of its reply."""
        self._desk.session.control.expect(True)
        execution_count = await self._kernel.reserve_count(code)
        if magics.wants_help(code):
            page = {"source": "page", "data": {"text/plain": magics.help_text()}, "start": 0}
            return ok_reply(execution_count, [page])
        client = str(parent["header"].get("session", ""))
        anchor = CellId(cell_id) if isinstance(cell_id, str) and cell_id else None
        run = LiveRun(parent, ident, anchor, execution_count, allow_stdin, fallback=not self._pages.has(client))
        run.owner = client
        self._answering, self._desk.heard = run.msg_id, parent
        try:
            return await self._answer(run, code, parent)
        except RlmError as error:
            return self._refuse(run, error)
        except Exception as error:  # a defect of ours must not leave a cell that says nothing
            log.exception("Answering a question")
            return self._refuse(run, RlmError(f"The kernel failed: {type(error).__name__}: {error}"))
        finally:
            self._answering = ""
            self._desk.session.control.expect(False)
            self._cells.expect(None)
            self._cells.run = None

    async def _answer(self, run: LiveRun, code: str, parent: Message) -> Json:
        session = self._desk.session
        if session.control.state != "idle":
            raise InputError("A run is going already.", "Wait for its end, or stop it with %rlm stop.")
        going = self._plan(run, code, read_go(parent.get("metadata") or {}))
        if going.nothing:
            self._print(run, going.nothing)
            return ok_reply(run.execution_count)
        self._cells.expect(run)
        self._deciding.attend(run)
        if not run.fallback:
            self._dock.show(run.request)
        self._ticker.touch()
        try:
            node = await self._work(going, run)
        finally:
            self._ticker.stop()
            self._starts = self._kernel.process.fresh_starts
        run.node = node
        return self._finish(run)

    def _plan(self, run: LiveRun, code: str, go: GoDict | None) -> GoingOn | Rerunning:
        """Read what is to be done: what a page says beside the cell goes before what stands in it."""
        base = self._desk.session.settings
        if go is not None and go["how"] == "rerun":
            settings = change(base, dict(go.get("limits") or {}))
            return self._rerunning(run, Rerun(go["node_id"], Edit.from_dict(go["edit"]), settings), typed=False)
        if go is None and is_rerun(code):
            return self._rerunning(run, read_rerun(code, base), typed=True)
        asked = magics.read_question(code, base) if go is None else self._continued(go, base)
        return GoingOn(self._desk.session, self._desk.keeping, asked, run.anchor)

    def _rerunning(self, run: LiveRun, rerun: Rerun, *, typed: bool) -> Rerunning:
        return Rerunning(self._desk, self._showing, self._pages, run, rerun, typed=typed)

    def _continued(self, go: GoDict, base: Settings) -> Asked:
        self._check_unfinished(go.get("run_id"))
        return Asked("", base, "continue", dict(go.get("limits") or {}))

    def _check_unfinished(self, run_id: str | None) -> None:
        unfinished = self._desk.session.unfinished
        if run_id and unfinished is not None and unfinished.run_id != run_id:
            raise InputError("Only the last unfinished question can be gone on with.", "Run one of its turns again.")

    async def _work(self, going: GoingOn | Rerunning, run: LiveRun) -> Node:
        """Have the question answered, or the run gone on with."""
        if said := await going.look(self._desk.executor):
            self._print(run, said)
        run.replaces = going.replaces
        return await going.work(lost=self._is_lost())

    def _is_lost(self) -> bool:
        """Tell whether what the unfinished run has left in Python is gone: it was started anew, or put back."""
        process, unfinished = self._kernel.process, self._session.unfinished
        if self._starts != process.fresh_starts or unfinished is None:
            return self._starts != process.fresh_starts
        history = process.history
        turns = (turn.entry for turn in self._session.tree.children(unfinished.id) if turn.entry in history)
        entries = [each for each in turns if each is not None and history.entry(each).status != "died"]
        return bool(entries) and entries[-1] not in {each.id for each in history.here()}

    def _print(self, run: LiveRun, text: str) -> None:
        self._kernel.publish("stream", {"name": "stdout", "text": f"{text}\n"}, run.request)

    # -- the end --------------------------------------------------------------------------------------------------

    def _finish(self, run: LiveRun) -> Json:
        """Show the answer, tell the pages, and give the reply."""
        tree, node = self._session.tree, run.node
        if node is None:
            raise RuntimeError("a run that ended has a node")
        answer, *failure = outputs = question_outputs(tree, node)
        line = last_line(tree, run)
        run.outputs, run.unseen = outputs, not self._pages
        if run.fallback:
            cells = [cell.as_cell(self._kernel.recorder) for cell in run.cells]
            self._inline.answer(run, answer)
            self._inline.carry(run, outputs, cells)
        else:
            publish_output(self._kernel, run, answer)
        for output in failure:
            publish_output(self._kernel, run, output)
        reply = failed_reply(run.execution_count, failure[0]) if failure else ok_reply(run.execution_count)
        self._end(run, line, node.outcome)
        self._reply_to_bound(run, reply)
        return reply

    def _end(self, run: LiveRun, line: StatusLine, outcome: Outcome | None) -> None:
        """Tell the pages that a run is over."""
        run.steers = line["steers"] = self._session.steers
        run.state, run.text, run.waiting = "ended", line["text"], []
        run.limits = self._reached(run)
        self._pages.tell(run, "status", line)
        ended = RunEnd(
            outcome=outcome,
            execution_count=run.execution_count,
            text=line["text"],
            usage=line["usage"],
            limits=run.limits,
        )
        self._pages.tell(run, "run_end", ended)

    def _reached(self, run: LiveRun) -> list[MeterDict]:
        """Give the limit that ended a run, to be raised."""
        kind = run.node.details.get("limit") if run.node is not None else None
        return [
            MeterDict(kind=each.kind, used=each.used, limit=each.limit, text=each.describe())
            for each in self._session.meters()
            if each.kind == kind
        ]

    def _refuse(self, run: LiveRun, error: RlmError) -> Json:
        """Say in one line what is wrong with the question."""
        output = error_output(error)
        publish_output(self._kernel, run, output)
        reply = failed_reply(run.execution_count, output)
        if run.node is not None and run.state != "ended":
            self._end(run, last_line(self._session.tree, run), "failed")
        self._reply_to_bound(run, reply)
        return reply

    def _reply_to_bound(self, run: LiveRun, reply: Json) -> None:
        """Answer pages that showed the question after a reload; the asking client is answered by the kernel."""
        run.reply = reply
        for ident in run.idents:
            self._kernel.send_reply("execute_reply", reply, run.request, ident)

    # -- the live line --------------------------------------------------------------------------------------------

    @property
    def _session(self) -> Session:
        return self._desk.session

    def _control_changed(self) -> None:
        session = self._session
        paused = session.control.state == "paused"
        if not paused:
            self.paused_since = None
        elif self.paused_since is None:
            self.paused_since = time.monotonic()
        if session.control.state != "idle":
            self._ticker.touch()

    def _show_line(self) -> None:
        session, run = self._session, self._cells.run
        if run is None or run.state == "ended":
            return
        line = live_line(session.tree, run, session.control)
        line["steers"] = session.steers
        changed = (line["text"], line["steers"]) != (run.text, run.steers)
        run.state, run.text, run.steers = line["state"], line["text"], line["steers"]
        if changed and run.fallback:
            self._inline.line(run, run.text)
        elif changed:
            self._pages.tell(run, "status", line)
        self._ticker.touch()


def error_output(error: RlmError) -> Output:
    """Give an error of ours as the output of a cell."""
    name = type(error).__name__
    return {
        "output_type": "error",
        "ename": name,
        "evalue": str(error),
        "traceback": [f"\x1b[0;31m{name}\x1b[0m: {error}"],
    }


def ok_reply(execution_count: int, payload: list[Json] | None = None) -> Json:
    """Give the content of a reply to a cell that went well."""
    return {"status": "ok", "execution_count": execution_count, "payload": payload or [], "user_expressions": {}}


def failed_reply(execution_count: int, output: Output) -> Json:
    """Give the content of a reply to a cell that shows this error."""
    return {
        "status": "error",
        "execution_count": execution_count,
        "ename": output["ename"],
        "evalue": output["evalue"],
        "traceback": output["traceback"],
        "payload": [],
        "user_expressions": {},
    }
