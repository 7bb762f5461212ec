"""What the kernel does with a question: the hooks the kernel core calls."""

from __future__ import annotations

import contextlib
import logging
import os
import time
from collections import ChainMap
from typing import TYPE_CHECKING, Any

from rlm_kernel.engine.keeping import Keeping
from rlm_kernel.engine.settings import FRESH, Settings
from rlm_kernel.errors import InputError, RlmError
from rlm_kernel.ids import CellId
from rlm_kernel.kernel import magics
from rlm_kernel.kernel.answer import Inline, Ticker, last_line, live_line, publish_output
from rlm_kernel.kernel.dock import Dock
from rlm_kernel.kernel.going import GoingOn
from rlm_kernel.kernel.journal import Journal, LiveRun
from rlm_kernel.kernel.livecells import LiveCells
from rlm_kernel.kernel.pages import Pages
from rlm_kernel.kernel.protocol import PageCommand
from rlm_kernel.notebook.answer import question_outputs

if TYPE_CHECKING:
    from collections.abc import MutableMapping, Sequence

    from rlm_kernel.engine.executor import Output, QueryDict, ReplyDict
    from rlm_kernel.engine.session import Session
    from rlm_kernel.ids import MsgId
    from rlm_kernel.kernel.protocol import Status
    from rlm_kernel.kernel.services import Ident, KernelServices, Message
    from rlm_kernel.models.registry import Registry
    from rlm_kernel.trace.records import Node, Outcome

Json = dict[str, Any]
log = logging.getLogger(__name__)


class Asking:
    """One per kernel: questions, the ``%rlm`` magic, the pages, the session behind them.

    - A ``%%rlm`` cell becomes a run of the session; `LiveCells` shows and runs what the model writes.
    - The session, the models and the panel are made at the first need: a kernel nobody asks anything starts fast.
    - Everything is called on the kernel's one loop.
    """

    def __init__(self, kernel: KernelServices) -> None:
        """Nothing is asked yet."""
        self._kernel = kernel
        self._journal = Journal(kernel.recorder)
        self._pages = Pages(kernel, self._journal)
        self._cells = LiveCells(kernel, self._journal, self._pages)
        self._inline = Inline(kernel)
        self._ticker = Ticker(self._show_line)
        self._environ: MutableMapping[str, str] = ChainMap({}, os.environ)
        """Where models look for keys and names: what was typed here, else the environment."""
        self._keeping = Keeping(self._say, self._notebook)
        self._answering = ""
        """The message id of the question that is being answered."""
        self._heard: Message | None = None
        """The last request that came to the session: what is to be said without being asked is said there."""
        self._starts = 0
        """How often the namespace had been started anew when the last run ended."""
        self._made: Session | None = None
        self._models: Registry | None = None
        self._dock = Dock(kernel, self._pages, lambda: self._session)
        self.paused_since: float | None = None
        """``time.monotonic()`` of the moment the run was paused; ``None`` where none is."""

    # -- the session ----------------------------------------------------------------------------------------------

    @property
    def _session(self) -> Session:
        """The session; made now if there is none."""
        if self._made is None:
            from rlm_kernel.engine.session import Session
            from rlm_kernel.host.pool import WarmPool
            from rlm_kernel.models.registry import Registry

            self._models = Registry(self._environ)
            settings = Settings(fresh=self._environ.get(FRESH, "").strip() not in ("", "0"))
            self._made = Session(
                self._cells,
                self._models,
                settings,
                observers=[self._cells, self._keeping],
                memo=self._keeping,
                recall=self._keeping.asked,
                pool=WarmPool(self._kernel.process),
            )
            self._made.control.on_change.append(self._control_changed)
        return self._made

    @property
    def _registry(self) -> Registry:
        """The models of the session."""
        _ = self._session
        if self._models is None:
            raise RuntimeError("the session makes the models")
        return self._models

    async def close(self) -> None:
        """End the run that lasts and give back what is held."""
        self._ticker.stop()
        if self._made is not None:
            await self._made.close()
        if self._models is not None:
            await self._models.close()
        self._keeping.close()

    def _notebook(self) -> str:
        """Name the notebook, so that it is the same one in the next kernel."""
        return self._environ.get("JPY_SESSION_NAME", "") or self._pages.path or os.getcwd()

    def _say(self, text: str) -> None:
        """Tell the person something they have not asked for."""
        log.warning("%s", text)
        if self._heard is not None:
            self._kernel.publish("stream", {"name": "stderr", "text": f"{text}\n"}, self._heard)

    # -- questions ------------------------------------------------------------------------------------------------

    def is_question(self, message: Message) -> bool:
        """Tell whether a cell is answered here and not run in the namespace.

        ``%rlm resume`` is an order to a run that is paused, and otherwise as good as a question.
        """
        code = str(message["content"].get("code", ""))
        if magics.is_go_on(code):
            return self.paused_since is None or message["header"]["msg_id"] == self._answering
        return magics.is_question(code)

    async def ask(self, code: str, parent: Message, ident: Ident, cell_id: str | None, allow_stdin: bool) -> Json:
        """Answer a ``%%rlm`` cell; gives the content of its reply."""
        execution_count = await self._kernel.reserve_count(code)
        if magics.wants_help(code):
            page = {"source": "page", "data": {"text/plain": magics.help_text()}, "start": 0}
            return _ok(execution_count, [page])
        client = str(parent["header"].get("session", ""))
        anchor = CellId(cell_id) if isinstance(cell_id, str) and cell_id else None
        run = LiveRun(parent, ident, anchor, execution_count, allow_stdin, fallback=not self._pages.has(client))
        run.owner = client
        self._answering, self._heard = run.msg_id, parent
        try:
            return await self._answer(run, code)
        except RlmError as error:
            return self._refuse(run, error)
        except Exception as error:  # a defect of ours must not leave a cell that says nothing
            log.exception("Answering a question")
            return self._refuse(run, RlmError(f"The kernel failed: {type(error).__name__}: {error}"))
        finally:
            self._answering = ""
            self._cells.expect(None)
            self._cells.run = None

    async def _answer(self, run: LiveRun, code: str) -> Json:
        session = self._session
        asked = magics.read_question(code, session.settings)
        if session.control.state != "idle":
            raise InputError("A run is going already.", "Wait for its end, or stop it with %rlm stop.")
        going = GoingOn(session, self._keeping, asked, run.anchor)
        if going.nothing:
            self._print(run, going.nothing)
            return _ok(run.execution_count)
        self._cells.expect(run)
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

    async def _work(self, going: GoingOn, run: LiveRun) -> Node:
        """Have the question answered, or the run gone on with."""
        if said := await going.look(self._cells):
            self._print(run, said)
        run.replaces = going.replaces
        return await going.work(lost=self._starts != self._kernel.process.fresh_starts)

    def _print(self, run: LiveRun, text: str) -> None:
        self._kernel.publish("stream", {"name": "stdout", "text": f"{text}\n"}, run.request)

    def _finish(self, run: LiveRun) -> Json:
        """Show the answer, tell the pages, and give the reply."""
        tree, node = self._session.tree, run.node
        if node is None:
            raise RuntimeError("a run that ended has a node")
        answer, *failure = outputs = question_outputs(tree, node)
        line = last_line(tree, run)
        run.outputs = [] if self._pages else outputs
        if run.fallback:
            cells = [
                cell.as_cell(list(self._kernel.recorder.outputs(cell.msg_id)) if cell.msg_id else [])
                for cell in run.cells
            ]
            self._inline.answer(run, answer)
            self._inline.carry(run, outputs, cells)
        else:
            publish_output(self._kernel, run, answer)
        for output in failure:
            publish_output(self._kernel, run, output)
        reply = _failed(run.execution_count, failure[0]) if failure else _ok(run.execution_count)
        self._end(run, line, node.outcome)
        self._reply_to_bound(run, reply)
        return reply

    def _end(self, run: LiveRun, line: Status, outcome: Outcome | None) -> None:
        """Tell the pages that a run is over."""
        run.state, run.text = "ended", line["text"]
        self._pages.tell(run, "status", line)
        ended = {"outcome": outcome, "execution_count": run.execution_count, "text": line["text"]}
        self._pages.tell(run, "run_end", {**ended, "usage": line["usage"]})

    def _refuse(self, run: LiveRun, error: RlmError) -> Json:
        """Say in one line what is wrong with the question."""
        name = type(error).__name__
        output: Output = {
            "output_type": "error",
            "ename": name,
            "evalue": str(error),
            "traceback": [f"\x1b[0;31m{name}\x1b[0m: {error}"],
        }
        publish_output(self._kernel, run, output)
        reply = _failed(run.execution_count, output)
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
        changed, run.state, run.text = line["text"] != run.text, line["state"], line["text"]
        if changed and run.fallback:
            self._inline.line(run, run.text)
        elif changed:
            self._pages.tell(run, "status", line)
        self._ticker.touch()

    # -- %rlm -----------------------------------------------------------------------------------------------------

    async def line_magic(self, line: str, parent: MsgId | None = None) -> str:
        """Answer ``%rlm …`` in a cell with the text to print.

        Raises:
            InputError: The line cannot be used.
        """
        session = self._session
        if parent is not None and self._cells.runs(parent):
            raise InputError("A cell of the model cannot use %rlm: settings are the person's.")
        read = magics.read_line(line, session.settings)
        if isinstance(read, str):
            if read == "key":
                return await self._take_key(parent)
            return self._dock.open(parent) if read == "panel" else self._command(read)
        if read is not None:
            self._check_models(read)
            session.settings = read
        return magics.show(session.settings, self._registry, self._spent(), self._keeping.where())

    async def _take_key(self, parent: MsgId | None) -> str:
        """Ask for the API key; it goes neither into the notebook nor into the process that runs cells."""
        request = self._kernel.request_of(parent) if parent is not None else None
        if request is None or not request["content"].get("allow_stdin", False):
            raise InputError("This client cannot be asked for a key.", "Set OPENAI_API_KEY before starting.")
        key = (await self._kernel.input("API key: ", True, parent)).strip()
        if not key:
            raise InputError("No key was typed: the one before stays.")
        self._environ["OPENAI_API_KEY"] = key
        return "The key is taken; ask again."

    def _check_models(self, settings: Settings) -> None:
        """Refuse a model that cannot be used before it is set."""
        for name in (settings.model, settings.sub_model):
            if name is not None:
                self._registry.resolve(name)

    def _spent(self) -> str:
        from rlm_kernel.usage import Usage

        tree = self._session.tree
        runs = tree.children(None)
        usage, cached = sum((tree.total(run.id) for run in runs), Usage()), sum(tree.cached(run.id) for run in runs)
        return usage.describe(cached) if usage.calls or cached else ""

    def _command(self, name: str) -> str:
        if name == "continue":
            raise InputError("%rlm continue must be the only line of its cell.")
        control = self._session.control
        if control.state == "idle":
            raise InputError(f"No run is going: there is nothing to {name}.")
        {"pause": control.pause, "resume": control.resume, "step": control.step, "stop": control.stop}[name]()
        return {"pause": "Paused.", "resume": "Going on.", "step": "One step.", "stop": "Stopping."}[name]

    def complete(self, code: str, pos: int) -> Json | None:
        """Complete options and values on our lines; ``None``: not ours."""
        return magics.complete(code, pos, self._model_names())

    def _model_names(self) -> set[str]:
        if self._made is None:
            return set()
        settings, tree = self._made.settings, self._made.tree
        named = {settings.model, settings.sub_model, self._registry.default_root(), self._registry.default_sub()}
        return {name for name in (*named, *(node.model for node in tree)) if name}

    def inspect(self, code: str, pos: int) -> Json | None:
        """Give help on our lines; ``None``: not ours."""
        return magics.inspect(code, pos)

    # -- other cells ----------------------------------------------------------------------------------------------

    def skip(self, metadata: Json) -> bool:
        """Tell whether a queued cell belongs to a run that another has replaced since: it is answered and not run."""
        mark, cell_id = metadata.get("rlm"), metadata.get("cellId")
        if not isinstance(mark, dict) or mark.get("cell_id", cell_id) != cell_id:
            return False  # no model's cell, or a copy of one that the person made
        return self._journal.replaced(mark)

    def person_cell(self, code: str, outputs: Sequence[Output]) -> None:
        """Tell the model of a cell the person ran while its run lasts."""
        if self._made is not None and (self._made.control.state != "idle" or self._made.unfinished is not None):
            from rlm_kernel.engine.shown import shown

            self._made.note_cell(code, shown(outputs))

    async def query(self, query: QueryDict, parent: MsgId | None) -> list[ReplyDict]:
        """Answer an ``llm_query``: of the run's cell within the run, of the person's own cell outside it."""
        if self._cells.queries is not None and self._cells.runs(parent):
            return await self._cells.queries(query)
        self._heard = self._kernel.request_of(parent) if parent is not None else None
        label = f"{query.get('kind', 'llm')}_query{'_batched' if query['batched'] else ''}"
        return await self._session.query_outside(query, f"{label} in a cell", parent)

    def interrupted(self) -> None:
        """Stop the run: the person pressed interrupt."""
        self._session.control.stop()

    # -- pages ----------------------------------------------------------------------------------------------------

    def page_opened(self, comm_id: str, data: Json, parent: Message) -> None:
        """Welcome a page: its hello is the data of its ``comm_open``."""
        self._pages.opened(comm_id, data, parent)

    def page_message(self, comm_id: str, data: Json, parent: Message) -> None:
        """Do what a page asks; what does not fit the run that lasts is passed over."""
        self._pages.heard(comm_id)
        command = PageCommand.read(data)
        if command.type == "hello":
            self._pages.opened(comm_id, data, parent)
            return
        if command.type == "cell_removed":
            for run in self._journal.runs():
                if run.run_id == command.run_id:
                    self._cells.removed(run, command.cell_id)
            return
        current = self._cells.run
        if (
            current is not None
            and command.run_id == current.run_id
            and command.type in ("pause", "resume", "step", "stop")
        ):
            with contextlib.suppress(InputError):
                self._command(command.type)

    def page_closed(self, comm_id: str) -> None:
        """Forget a page."""
        self._pages.closed(comm_id)

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


def _ok(execution_count: int, payload: list[Json] | None = None) -> Json:
    return {"status": "ok", "execution_count": execution_count, "payload": payload or [], "user_expressions": {}}


def _failed(execution_count: int, output: Output) -> Json:
    return {
        "status": "error",
        "execution_count": execution_count,
        "ename": output["ename"],
        "evalue": output["evalue"],
        "traceback": output["traceback"],
        "payload": [],
        "user_expressions": {},
    }
