"""The namespace process: one thread, one event loop, one IPython shell, one connection to its host.

Requests are served one at a time, outside the running loop (a process is not forked inside one). Background tasks of
cells run while nothing is asked, and while a cell awaits. Comm messages are handled as soon as the loop runs.
"""

from __future__ import annotations

import asyncio
import builtins
import contextvars
import getpass
import os
import selectors
import signal
import socket
import sys
import traceback
from collections import deque
from typing import TYPE_CHECKING, Any

from rlm_kernel.namespace import comms
from rlm_kernel.namespace.calls import Calls
from rlm_kernel.namespace.cells import Cells
from rlm_kernel.namespace.checkpoint import Checkpoints, remake_wakeup
from rlm_kernel.namespace.children import ChildQueries
from rlm_kernel.namespace.lifeline import arm
from rlm_kernel.namespace.nursery import Nursery
from rlm_kernel.namespace.queries import Queries
from rlm_kernel.namespace.shell import make_shell
from rlm_kernel.namespace.streams import CellStream

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import FrameType

    from rlm_kernel.wire import Frame


class Namespace:
    """Reads requests, serves them in order, and knows what an interrupt has to stop."""

    def __init__(self, sock: socket.socket, lifeline: int) -> None:
        self.loop = asyncio.SelectorEventLoop(selectors.PollSelector())
        asyncio.set_event_loop(self.loop)
        self.calls = Calls(sock, self._wake)
        self._requests: deque[Frame] = deque()
        self._arrived = asyncio.Event()
        self.cell: asyncio.Task[Any] | None = None
        """The task of the running cell."""
        self._in_comm = False
        queries = Queries(self.calls)
        self.children = ChildQueries(self.calls, queries)
        names = {**queries.names(), **self.children.names()}
        self.shell: Any
        self.shell, self.reader = make_shell(self.publish, self.calls, names)
        queries.shell = self.shell
        self.cells = Cells(self, queries, {**names, **queries.names()})
        self.checkpoints = Checkpoints(self)
        self._nursery = Nursery(self, lifeline)
        sys.stdout = CellStream("stdout", 1, self._write)
        sys.stderr = CellStream("stderr", 2, self._write)
        builtins.input = self.reader.input
        getpass.getpass = self.reader.getpass
        os.register_at_fork(after_in_child=self.calls.detach)
        self._watch(sock)

    # ---- to the host

    def _write(self, name: str, text: str) -> None:
        self.calls.text(name, text, self.shell.parent_id())

    def publish(
        self,
        msg_type: str,
        content: dict[str, Any],
        parent: str | None = None,
        metadata: dict[str, Any] | None = None,
        buffers: Sequence[Any] | None = None,
    ) -> None:
        """Send an output or comm message."""
        message = {
            "t": "pub",
            "mt": msg_type,
            "c": content,
            "p": parent or self.shell.parent_id(),
            "md": metadata or {},
        }
        self.calls.send(message, buffers or ())

    # ---- from the host

    def adopt(self, sock: socket.socket) -> None:
        """Go on over another connection."""
        self.loop.remove_reader(self._watched)
        self.calls.adopt(sock)
        self._requests.clear()
        self._watch(sock)
        self.ready_for_interrupt()

    def reborn(self, sock: socket.socket, context: int | None = None) -> None:
        """Begin as the namespace of a child run: this process is a fork of the nursery.

        Args:
            sock: The connection to the host.
            context: The file with what the parent has handed over.
        """
        remake_wakeup(self.loop)
        if context is not None:
            self.children.given(context)
        self.adopt(sock)
        self.calls.send({"t": "hello", "pid": os.getpid()})

    def _watch(self, sock: socket.socket) -> None:
        self._watched = sock.fileno()
        self.loop.add_reader(self._watched, self.calls.readable)

    def _wake(self) -> None:
        self.loop.call_soon_threadsafe(self._sort)

    def _sort(self) -> None:
        """Start comm messages, put everything else in the queue."""
        while self.calls.inbox:
            frame = self.calls.inbox.popleft()
            if frame.message["t"].startswith("comm_"):
                self.loop.create_task(self._serve_comm(frame), context=contextvars.copy_context())
            else:
                self._requests.append(frame)
                self._arrived.set()

    async def _next(self) -> None:
        while not self._requests:
            self._arrived.clear()
            await self._arrived.wait()

    def run(self) -> None:
        """Serve requests until the host is gone."""
        while True:
            waiting = self.loop.create_task(self._next())
            while not waiting.done():
                self._run_loop(waiting)
            if self._requests:
                self._serve(self._requests.popleft())

    def _run_loop(self, waiting: asyncio.Task[None]) -> None:
        try:
            self.loop.run_until_complete(waiting)
        except BaseException:  # noqa: BLE001
            # A background task of a cell was interrupted, or called sys.exit: that ends the task, not the process.
            if not waiting.done():
                traceback.print_exc()

    def _serve(self, frame: Frame) -> None:
        message = frame.message
        kind, number = message["t"], message["rid"]
        if kind == "checkpoint":
            self.checkpoints.take(number)
            return
        if kind == "nursery":
            self._nursery.open(number)
            return
        try:
            reply = self.cells.serve(kind, message)
        except KeyboardInterrupt:
            reply = {"failed": "interrupted"}
        except Exception as error:  # noqa: BLE001 - inspecting the person's objects runs their code
            reply = {"failed": f"{type(error).__name__}: {error}"}
        if self.calls.detached:
            os._exit(0)  # a cell called os.fork() and its child came back here: there can be only one namespace
        self.calls.send({"t": "reply", "rid": number, "v": reply})

    async def _serve_comm(self, frame: Frame) -> None:
        """Handle a comm message under its own parent, whatever else runs meanwhile."""
        message = frame.message
        before = self.shell.get_parent()
        request = {
            "header": message["header"],
            "parent_header": {},
            "msg_type": message["t"],
            "metadata": message.get("metadata") or {},
            "content": message["content"],
            "buffers": frame.buffers,
        }
        self.shell.set_parent(request)
        self._in_comm = True
        try:
            comms.handle(request)
        except KeyboardInterrupt:
            self.shell.showtraceback()
        finally:
            self._in_comm = False
            self.shell.set_parent(before)
            self.calls.send({"t": "reply", "rid": message["rid"], "v": {}})

    # ---- interrupts

    def ready_for_interrupt(self) -> None:
        """Set the handler anew: pdb, and whatever else a cell ran, may have replaced it."""
        signal.signal(signal.SIGINT, self._interrupted)

    def _interrupted(self, number: int, frame: FrameType | None) -> None:
        current = asyncio.current_task(self.loop)
        if self.cell is None and current is None and not self._in_comm:
            return  # nothing runs that could be stopped; raised here, it would end the process
        if self.calls.connection.defer():
            return
        if self._in_comm or (current is not None and self.cell in (None, current)):
            raise KeyboardInterrupt
        if self.cell is not None:
            # The cell awaits. Cancelling it wakes the loop; an exception here would end another task, or the loop.
            self.loop.call_soon_threadsafe(self.cell.cancel)


def main() -> None:
    """Run the namespace process; the host passes the descriptors of connection, lifeline, crash pipe and context."""
    connection, lifeline, crash, *context = (int(word) for word in sys.argv[1:])
    arm(lifeline)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.argv[1:] = []
    if sys.path[:1] != [""]:
        sys.path.insert(0, "")
    os.environ.setdefault("MPLBACKEND", "module://matplotlib_inline.backend_inline")
    import faulthandler

    faulthandler.enable(crash)
    namespace = Namespace(socket.socket(fileno=connection), lifeline)
    if context:
        namespace.children.given(context[0])
    namespace.ready_for_interrupt()
    namespace.calls.send({"t": "hello", "pid": os.getpid()})
    namespace.run()
