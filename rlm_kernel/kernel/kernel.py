"""The Jupyter kernel: trusted process, one asyncio loop, no code of a person or a model runs here."""

from __future__ import annotations

import asyncio
import contextlib
import platform
import signal
import sys
import traceback
from typing import TYPE_CHECKING, Any, TypeVar, cast

import comm
from ipykernel._version import kernel_protocol_version
from ipykernel.kernelbase import Kernel
from traitlets import Bool, Float

import rlm_kernel
from rlm_kernel.errors import NamespaceDied
from rlm_kernel.host.process import ExecuteReply, ExecuteRequest
from rlm_kernel.kernel import magics
from rlm_kernel.kernel.asking import Asking
from rlm_kernel.kernel.channels import Channels, clean
from rlm_kernel.kernel.comms import Comms, parent_id
from rlm_kernel.kernel.dispatch import Dispatcher, Request
from rlm_kernel.kernel.runner import Runner
from rlm_kernel.kernel.services import Ident, Message, reply_content
from rlm_kernel.kernel.stdin import Stdin

if TYPE_CHECKING:
    from collections.abc import Coroutine, Sequence

    from ipykernel.comm.manager import CommManager
    from tornado.platform.asyncio import BaseAsyncIOLoop

    from rlm_kernel.ids import MsgId

CLOSE_SECONDS = 3.0
"""What closing may take before the process ends anyway."""

LANGUAGE_INFO: dict[str, object] = {
    "name": "python",
    "version": platform.python_version(),
    "mimetype": "text/x-python",
    "codemirror_mode": {"name": "ipython", "version": sys.version_info[0]},
    "pygments_lexer": "ipython3",
    "nbconvert_exporter": "python",
    "file_extension": ".py",
}
Json = dict[str, Any]
T = TypeVar("T")


class RlmKernel(Kernel):
    """Speaks the Jupyter protocol and hands everything that runs code to the namespace process.

    * the shell channel goes through `Dispatcher`, comms through `Comms`, input requests through `Stdin`;
    * ``%%rlm`` cells, ``%rlm`` and the pages' comm go to `Asking`, which sees this class as `KernelServices`;
    * what goes to the namespace and comes from it goes through `Runner`.
    """

    implementation = "rlm-kernel"
    implementation_version = getattr(rlm_kernel, "__version__", "0")
    banner = f"RLM (Python {platform.python_version()}): %%rlm asks a question, %rlm? helps"
    language_info = LANGUAGE_INFO
    checkpoints = Bool(True, help="Whether the namespace is forked before each cell, so that it can be put back.").tag(
        config=True
    )
    kill_after = Float(2.0, help="Seconds after which a cell that ignores an interrupt is killed.").tag(config=True)

    def __init__(self, **kwargs: Any) -> None:
        """Make the parts; nothing is started before `start`."""
        for name in ("debugpy_stream", "user_ns"):  # the app has them for IPython's own kernel only
            kwargs.pop(name, None)
        super().__init__(**kwargs)  # type: ignore[no-untyped-call]
        self.channels = Channels(self)
        self._runner = Runner(self, checkpoints=self.checkpoints, kill_after=self.kill_after)
        self.process = self._runner.process
        self.recorder = self._runner.recorder
        self.dispatcher = Dispatcher(self, self.channels)
        self.comm_manager = cast("CommManager", comm.get_comm_manager())  # kernelapp has installed it
        self.comm_manager.kernel = self
        self.comms = Comms(self, self.comm_manager)
        for kind in ("comm_open", "comm_msg", "comm_close"):
            self.shell_handlers[kind] = getattr(self.comms, kind)
        self._tasks: set[asyncio.Task[Any]] = set()
        self.asking = Asking(self)

    def start(self) -> None:
        """Take over the channels, begin to listen for interrupts, and start the namespace."""
        super().start()  # type: ignore[no-untyped-call]
        self._loop: asyncio.AbstractEventLoop = cast("BaseAsyncIOLoop", self.io_loop).asyncio_loop
        self.channels.shell.on_recv(self.dispatcher.receive, copy=False)
        self.stdin = Stdin(self.channels.session, self.stdin_socket, self.io_loop)
        try:
            self._loop.add_signal_handler(signal.SIGINT, self.interrupt)
        except NotImplementedError:  # Windows
            signal.signal(signal.SIGINT, lambda *_: self._loop.call_soon_threadsafe(self.interrupt))
        self._started = self._loop.create_task(self.process.start())

    # Jupyter requests

    @property
    def kernel_info(self) -> Json:
        """No subshells, no debugger: the cells run in another process, which has one thread.

        Not the base class's: that imports debugpy to see whether it is there.
        """
        return {
            "protocol_version": kernel_protocol_version,
            "implementation": self.implementation,
            "implementation_version": self.implementation_version,
            "language_info": self.language_info,
            "banner": self.banner,
            "help_links": [],
            "supported_features": [],
        }

    @property
    def execution_count(self) -> int:
        """The number the next cell gets; the namespace counts."""
        return self.process.execution_count

    @execution_count.setter
    def execution_count(self, value: int) -> None:
        """Ignore what the base class adds up by itself."""

    async def execute_request(self, stream: Any, ident: Ident, parent: Message) -> None:
        """Run or answer a cell, and reply."""
        content, metadata = parent["content"], parent.get("metadata") or {}
        code, silent = str(content["code"]), bool(content.get("silent", False))
        await self._ready()
        if self.asking.skip(metadata):
            self.send_reply("execute_reply", self._skipped(), parent, ident)
            return
        await self._runner.count_on()
        if not silent:
            self.publish("execute_input", {"code": code, "execution_count": self.execution_count}, parent)
        order = None if silent else self.asking.read_order(code)
        if not silent and self.asking.is_question(parent):
            reply = await self._ask(code, parent, ident)
        elif order is not None:
            reply = await self.asking.obey(order, code, parent)
        else:
            reply = await self._person_cell(code, parent, ident)
        self.send_reply("execute_reply", reply, parent, ident)
        if not silent and reply["status"] == "error" and content.get("stop_on_error", True):
            self.dispatcher.abort_after(parent)

    async def _ready(self) -> None:
        """Wait until the namespace is up; where it cannot be started, its cells say so."""
        with contextlib.suppress(NamespaceDied):
            await asyncio.shield(self._started)

    async def _ask(self, code: str, parent: Message, ident: Ident) -> Json:
        self._runner.parents.keep(parent_id(parent), parent, ident)
        cell_id = (parent.get("metadata") or {}).get("cellId")
        allow_stdin = bool(parent["content"].get("allow_stdin", False))
        return await self.asking.ask(code, parent, ident, cell_id, allow_stdin)

    async def _person_cell(self, code: str, parent: Message, ident: Ident) -> Json:
        content, metadata = parent["content"], parent.get("metadata") or {}
        silent = bool(content.get("silent", False))
        request = ExecuteRequest(
            code=code,
            msg_id=parent_id(parent),
            header=clean(parent["header"]),
            silent=silent,
            store_history=bool(content.get("store_history", not silent)),
            user_expressions=content.get("user_expressions") or {},
            allow_stdin=bool(content.get("allow_stdin", False)),
            cell_id=metadata.get("cellId"),
            node_id=self.asking.turn_of(metadata),
        )
        reply = await self.execute_cell(request, parent, ident)
        if not silent:
            self.asking.person_cell(request, reply)
        self._runner.forget(request.msg_id)
        return reply_content(reply)

    def _skipped(self) -> Json:
        count = self.process.execution_count - 1
        return {"status": "ok", "execution_count": count, "payload": [], "user_expressions": {}}

    async def do_complete(self, code: str, cursor_pos: int) -> Json:
        """Complete: ``%rlm`` and its options here, everything else in the namespace."""
        ours = self.asking.complete(code, cursor_pos)
        return ours or await self._lookup("complete", {"code": code, "cursor_pos": cursor_pos})

    async def do_inspect(
        self, code: str, cursor_pos: int, detail_level: int = 0, omit_sections: Sequence[str] = ()
    ) -> Json:
        """Inspect, like `do_complete`."""
        ours = self.asking.inspect(code, cursor_pos)
        fields = {"code": code, "cursor_pos": cursor_pos, "detail_level": detail_level}
        return ours or await self._lookup("inspect", fields)

    async def do_is_complete(self, code: str) -> Json:
        """Tell whether the code can be run as it stands."""
        return await self._lookup("is_complete", {"code": code})

    async def do_history(self, *args: Any, **fields: Any) -> Json:
        """Give the history of this namespace; the fields are those of the request."""
        return await self._lookup("history", fields)

    async def _lookup(self, kind: str, fields: Json) -> Json:
        await self._ready()
        try:
            return await self.process.ask(kind, fields)
        except NamespaceDied as error:
            return {"status": "error", "ename": type(error).__name__, "evalue": str(error), "traceback": []}

    async def comm_info_request(self, stream: Any, ident: Ident, parent: Message) -> None:
        """Tell which comms are open, in both processes."""
        comms = self.comms.info(parent["content"].get("target_name"))
        self.send_reply("comm_info_reply", {"comms": comms, "status": "ok"}, parent, ident)

    async def process_control(self, msg: Any) -> None:
        """Handle a message of the control channel (in its own thread); its ``idle`` must not look like ours."""
        await super().process_control(msg)  # type: ignore[no-untyped-call]
        self._loop.call_soon_threadsafe(self.busy_again)

    async def do_shutdown(self, restart: bool) -> Json:
        """End the namespace and its checkpoints first, so that nothing is left to be hunted down."""
        closing = asyncio.run_coroutine_threadsafe(self._close(), self._loop)
        await asyncio.wrap_future(closing)
        return {"status": "ok", "restart": restart}

    async def _close(self) -> None:
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await self.asking.close()
                self._started.cancel()
                for task in [task for task in self._tasks if task is not asyncio.current_task()]:
                    task.cancel()
        except Exception:
            self.log.exception("Closing the session")
        finally:
            await self.process.close()

    # Interrupts

    def _send_interrupt_children(self) -> None:
        """Interrupt on a request of the control channel; the base class would signal the process group."""
        self._loop.call_soon_threadsafe(self.interrupt)

    def interrupt(self) -> None:
        """Stop what the person waits for: their cell, or the run that answers their question."""
        if self.dispatcher.cell is None and self.dispatcher.question is not None:
            self.asking.interrupted()
        else:
            self.process.interrupt()

    # What the dispatcher needs

    def bound(self, request: Request) -> None:
        """Note a page that shows a cell of the model."""
        self.asking.bound(request.message["header"]["msg_id"], request.idents)

    def answers_question(self, message: Message) -> bool:
        """Tell whether an execute request is a ``%%rlm`` cell."""
        return self.asking.is_question(message)

    def steers(self, message: Message) -> bool:
        """Tell whether an execute request is nothing but an order to the run that lasts."""
        return magics.read_order(str(message["content"].get("code", ""))) is not None

    def run_is_paused(self) -> bool:
        """Tell whether a run is paused now."""
        return self.asking.paused_since is not None

    async def handle(self, request: Request) -> None:
        """Call the handler of a request, in the context of its own task."""
        self.set_parent(request.idents, request.message, "shell")  # type: ignore[no-untyped-call]
        if request.aborted:
            self.channels.reply_to(request.message, {"status": "aborted"}, request.idents)
            return
        handler = self.shell_handlers.get(request.msg_type)
        if handler is None:
            self.log.warning("Unknown message type: %r", request.msg_type)
            return
        try:
            await handler(self.channels.shell, request.idents, request.message)
        except Exception as error:
            self.log.exception("Handling %s", request.msg_type)
            self._reply_failure(request, error)

    def _reply_failure(self, request: Request, error: Exception) -> None:
        """Answer a request whose handling failed, so that no client waits for ever."""
        if not request.msg_type.endswith("_request"):
            return
        trace = traceback.format_exception(error)
        content = {"ename": type(error).__name__, "evalue": str(error), "traceback": trace}
        if request.msg_type == "execute_request":
            self.publish("error", content, request.message)
        self.channels.reply_to(request.message, {"status": "error", **content}, request.idents)

    # What comms need

    async def to_namespace(self, kind: str, message: Message) -> None:
        """Give a comm message to the namespace; what its callback shows belongs to that message."""
        await self._runner.comm(kind, message)

    def namespace_is_busy(self) -> bool:
        """Tell whether a cell runs in the namespace."""
        return self.process.busy

    def page_opened(self, comm_id: str, data: Json, parent: Message) -> None:
        """A page with the extension is there."""
        self.asking.page_opened(comm_id, data, parent)

    def page_message(self, comm_id: str, data: Json, parent: Message) -> None:
        """A page says something."""
        self.asking.page_message(comm_id, data, parent)

    def page_closed(self, comm_id: str) -> None:
        """A page is gone."""
        self.asking.page_closed(comm_id)

    # KernelServices

    def publish(
        self,
        msg_type: str,
        content: Json,
        parent: Message,
        metadata: Json | None = None,
        buffers: list[bytes] | None = None,
    ) -> None:
        """Send to every client."""
        self.channels.publish(msg_type, content, parent, metadata, buffers)

    def send_reply(self, msg_type: str, content: Json, parent: Message, ident: Ident) -> None:
        """Answer one client."""
        self.channels.reply(msg_type, content, parent, ident)

    async def execute_cell(self, request: ExecuteRequest, parent: Message, ident: Ident) -> ExecuteReply:
        """Run a cell in the namespace."""
        return await self._runner.execute(request, parent, ident)

    async def count_on(self) -> int:
        """Give the number of the next cell."""
        return await self._runner.count_on()

    async def reserve_count(self, code: str = "") -> int:
        """Take the next execution count."""
        return await self._runner.reserve_count(code)

    async def input(self, prompt: str, password: bool, parent: MsgId | None) -> str:
        """Ask the person for a line."""
        return await self._runner.input(prompt, password, parent)

    def request_of(self, msg_id: MsgId) -> Message | None:
        """Give a request that is still known."""
        known = self._runner.parents.get(msg_id)
        return known.message if known else None

    def send_page(self, comm_id: str, data: Json, parent: Message | None) -> None:
        """Send a message over a page's comm."""
        self.publish("comm_msg", {"comm_id": comm_id, "data": data}, parent or {})

    def busy_again(self) -> None:
        """Publish ``busy`` for what runs."""
        self.dispatcher.busy_again()

    def spawn(self, coro: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Start a task; an error in it is logged."""
        task = asyncio.get_running_loop().create_task(coro)
        self._tasks.add(task)
        task.add_done_callback(self._task_ended)
        return task

    def _task_ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self.log.error("A task of the kernel failed", exc_info=task.exception())
