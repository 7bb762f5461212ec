"""The live process of a namespace, and the messages in both directions."""

from __future__ import annotations

import asyncio
import codecs
import contextlib
import itertools
import logging
import os
import signal
from typing import TYPE_CHECKING, Any, Protocol, cast

from rlm_kernel.errors import NamespaceDied, RlmError
from rlm_kernel.host import validate
from rlm_kernel.host.answers import ASKS, Answers
from rlm_kernel.host.link import Link
from rlm_kernel.host.outcome import stack_of_cell
from rlm_kernel.host.parked import in_group
from rlm_kernel.host.spawn import Spawned, spawn
from rlm_kernel.host.streams import OutputPipes, StreamJoiner

if TYPE_CHECKING:
    import socket
    from collections.abc import Sequence

    from rlm_kernel.host.records import Json, Listener
    from rlm_kernel.ids import MsgId
    from rlm_kernel.wire import Frame

log = logging.getLogger(__name__)

LIVE_PARENTS = 1000
"""Requests whose output is still accepted: background tasks and threads publish long after their cell has ended."""
LAST_WORDS = 1 << 16
START_SECONDS = 60.0


class Owner(Protocol):
    """Is told what the messages mean for cells."""

    def cell_begins(self) -> None:
        """From now on an interrupt reaches the cell."""
        ...

    def process_lost(self) -> None:
        """The live process is gone; every request has failed already."""
        ...


class Channel:
    """One live process at a time, started here or restored from a checkpoint.

    - requests with their replies; answers to what cells ask
    - passes outputs on, checked, streams joined, in order with what comes through the pipes
    - knows which parents and which comms are live
    """

    def __init__(self, listener: Listener, owner: Owner, spawned: Spawned | None = None) -> None:
        """Nothing is connected yet.

        Args:
            listener: Told outputs and questions.
            owner: Told what happens to cells.
            spawned: A process that was started already.
        """
        self.answers = Answers(listener, self.live_parent)
        self.comms: set[str] = set()
        """Comms of the namespace that are open."""
        self.pid = spawned.process.pid if spawned is not None else 0
        self.current: MsgId | None = None
        """The request that runs now: subprocesses print for it."""
        self.crash = ""
        """Python's stack when the process crashed; empty where it ended in another way."""
        self.fds: list[int] = []
        self._errors = ""
        self._listener = listener
        self._owner = owner
        self._stream: tuple[str, MsgId | None] = ("stdout", None)
        self._mid_line = False
        # A character may lie across two pieces of a long text.
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        self._joiner = StreamJoiner(listener.published)
        self._parents: dict[MsgId, None] = {}
        self._numbers = itertools.count(1)
        self._pending: dict[int, asyncio.Future[Json]] = {}
        self._spawned = spawned
        self._link: Link | None = None
        self._pipes: OutputPipes | None = None
        self._pidfd = -1
        self._arrival: asyncio.Future[Json] | None = None

    # ---- the process

    @property
    def alive(self) -> bool:
        """Whether a process can be asked."""
        return self._link is not None and not self._link.lost.is_set()

    @property
    def group(self) -> int:
        """Process group of the namespace, its checkpoints and what cells started; 0 where there is none."""
        return self._spawned.process.pid if self._spawned is not None else 0

    def exit_code(self) -> int | None:
        """Exit code of the live process, where it is our child and has ended."""
        if self._spawned is None or self._spawned.process.pid != self.pid:
            return None
        return self._spawned.process.poll()

    def spawn(self) -> None:
        """Begin to start a process."""
        if self._spawned is None:
            self._spawned = spawn()
            self.pid = self._spawned.process.pid

    async def start(self) -> None:
        """Start a process (unless `spawn` did) and wait until it is ready.

        Raises:
            NamespaceDied: It ended before, or takes too long.
        """
        self.spawn()
        spawned = cast("Spawned", self._spawned)
        self.crash = self._errors = ""
        self._pipes = OutputPipes(spawned.outputs, self._before_pipe, self._from_pipe)
        try:
            await self.connect(spawned.connection, START_SECONDS)
        except TimeoutError:
            raise NamespaceDied(f"The namespace process was not ready after {START_SECONDS:g} s.") from None

    async def connect(self, sock: socket.socket, seconds: float, then: Sequence[Any] = ()) -> Json:
        """Talk to the process at the other end from now on; gives the message it comes with.

        Args:
            sock: Our end of the connection.
            seconds: How long to wait for the message.
            then: A function and its arguments, called once we listen.

        Raises:
            NamespaceDied: It ended before.
            TimeoutError: It said nothing.
        """
        self._arrival = asyncio.get_running_loop().create_future()
        self._link = Link(sock, self._before_frames, self._on_frame, self._on_lost)
        self._link.start()
        if then:
            then[0](*then[1:])
        arrived = await asyncio.wait_for(self._arrival, seconds)
        self._watch(arrived["pid"])
        return arrived

    def _watch(self, pid: int) -> None:
        """Notice the end of the process itself: a fork of it, made by a cell, may hold the connection open."""
        self.pid = pid
        self._unwatch()
        if hasattr(os, "pidfd_open"):
            with contextlib.suppress(OSError):
                self._pidfd = os.pidfd_open(pid)
                asyncio.get_running_loop().add_reader(self._pidfd, self._process_ended)

    def _unwatch(self) -> None:
        if self._pidfd >= 0:
            asyncio.get_running_loop().remove_reader(self._pidfd)
            os.close(self._pidfd)
            self._pidfd = -1

    def _process_ended(self) -> None:
        self._unwatch()
        if self._link is not None:
            self._link.drain()
            self._link.close()

    def replace(self) -> None:
        """Kill the live process, hand over all it has sent, and leave its checkpoints.

        Its end is not waited for: giving back the memory of a large one takes longer than all the rest of a restore.
        """
        self.signal_kill()
        self._process_ended()

    def reap(self) -> None:
        """Take note of the end of the process that was started first, so that the system can forget it."""
        if self._spawned is not None:
            self._spawned.process.poll()

    def signal_kill(self) -> None:
        """Send SIGKILL to the live process."""
        if self.alive and self.pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)

    def signal_interrupt(self) -> None:
        """Send SIGINT to the process group, as Jupyter does: a cell's subprocesses get it too."""
        if self.group:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.group, signal.SIGINT)

    def end(self) -> None:
        """End the process, its checkpoints and whatever they started."""
        self._unwatch()
        if self._link is not None:
            self._link.close()
        self._joiner.flush()
        if self._pipes is not None:
            self._pipes.close()
            self._pipes = None
        if self._spawned is not None:
            self._spawned.close()
            self._spawned = None

    # ---- requests

    async def request(self, kind: str, fields: Json, buffers: Sequence[bytes] = ()) -> Json:
        """Ask the process something.

        Raises:
            NamespaceDied: It ended before it answered.
            RlmError: It could not answer.
        """
        if self._link is None or not self.alive:
            raise NamespaceDied("The namespace process is not running.")
        number = next(self._numbers)
        future = self._pending[number] = asyncio.get_running_loop().create_future()
        self._link.send({**fields, "t": kind, "rid": number}, buffers)
        try:
            reply: Json = await future
        finally:
            self._pending.pop(number, None)
        if "failed" in reply:
            raise RlmError(f"The namespace could not answer {kind}: {reply['failed']}")
        return reply

    def note_parent(self, msg_id: object) -> None:
        """Accept output for a request from now on."""
        if isinstance(msg_id, str):
            self._parents.pop(cast("MsgId", msg_id), None)
            self._parents[cast("MsgId", msg_id)] = None
            while len(self._parents) > LIVE_PARENTS:
                del self._parents[next(iter(self._parents))]

    def live_parent(self, value: object) -> MsgId | None:
        """Give a message id back where it is one of ours."""
        return cast("MsgId", value) if isinstance(value, str) and value in self._parents else None

    @property
    def last_parent(self) -> MsgId | None:
        """The latest request."""
        return next(reversed(self._parents), None)

    def note_comm(self, kind: str, content: Json) -> None:
        """Keep account of the open comms."""
        if kind == "comm_open":
            self.comms.add(content["comm_id"])
        elif kind == "comm_close":
            self.comms.discard(content["comm_id"])

    # ---- what comes

    def _on_frame(self, link: Link, frame: Frame) -> None:
        try:
            self._take(link, frame)
        except validate.Invalid as error:
            log.warning("the namespace process sent %s; it is ignored", error)

    def _take(self, link: Link, frame: Frame) -> None:
        message = frame.message
        kind = message["t"]
        if kind == "text":
            name, parent = self._stream
            text = self._decode(frame.buffers[0])
            self._mid_line = not text.endswith("\n")
            self._joiner.add(name, text, parent)
            return
        if kind == "stream":
            self._stream = validate.stream(message, self.live_parent)
            return
        self._joiner.flush()
        fd = link.take_fd(message)
        if kind == "pub":
            published = validate.published(frame, self.live_parent)
            self.note_comm(published.msg_type, published.content)
            self._listener.published(published)
        elif kind == "reply":
            self._replied(message, fd)
        elif kind in ASKS:
            self.answers.begin(link, message, fd)
        elif kind == "cancel":
            self.answers.cancel(message.get("rid"))
        elif kind == "begins":
            self._owner.cell_begins()
        elif kind in ("hello", "restored"):
            self._arrived(message)
        else:
            raise validate.Invalid(f"a message of type {kind!r:.40}")

    def _replied(self, message: Json, fd: int | None) -> None:
        number, value = message.get("rid"), message.get("v")
        future = self._pending.get(number) if isinstance(number, int) else None
        self._drain_pipes()
        self._joiner.flush()
        if fd is not None:
            self.fds.append(fd)
        if future is not None and not future.done():
            future.set_result(value if isinstance(value, dict) else {})

    def _arrived(self, message: Json) -> None:
        if not in_group(validate.integer(message.get("pid"), 0), self.group):
            raise validate.Invalid(f"a process id {message.get('pid')!r:.40} that is not one of its own")
        if self._arrival is not None and not self._arrival.done():
            self._arrival.set_result(message)

    def _on_lost(self, link: Link) -> None:
        if link is not self._link:
            return
        self._drain_pipes()
        self._show_crash()
        self._joiner.flush()
        self.answers.cancel_all()
        error = NamespaceDied("The namespace process ended.", self._errors.strip()[-600:])
        waiting = [*self._pending.values(), *([self._arrival] if self._arrival is not None else [])]
        for future in waiting:
            if not future.done():
                future.set_exception(error)
        self._owner.process_lost()

    def _show_crash(self) -> None:
        if self._spawned is None:
            return
        with contextlib.suppress(BlockingIOError):
            self.crash = os.read(self._spawned.crash, LAST_WORDS).decode("utf-8", "replace")
        if self.crash:
            self._joiner.add("stderr", stack_of_cell(self.crash), self.current or self.last_parent)

    def _from_pipe(self, name: str, text: str) -> None:
        if name == "stderr":
            self._errors = (self._errors + text)[-LAST_WORDS:]
        self._joiner.add(name, text, self.current or self.last_parent)

    # What a subprocess prints and what Python prints come by different ways, and nothing tells which was first. Both
    # are read as soon as they come; where both are there, the pipe goes first, but not into a line Python has begun.

    def _before_frames(self) -> None:
        if not self._mid_line:
            self._drain_pipes()

    def _before_pipe(self) -> None:
        if self._mid_line and self._link is not None:
            self._link.receive()

    def _drain_pipes(self) -> None:
        if self._pipes is not None:
            self._pipes.drain()
