"""The asyncio end of a connection to a namespace process."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from typing import TYPE_CHECKING, Any

from rlm_kernel.wire import CHUNK, Decoder, Frame, Json, WireError, pack, received_fds

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

log = logging.getLogger(__name__)

READS_AT_ONCE = 8
"""Chunks read before other work of the loop gets its turn: a cell may print without end."""
FLOOD = 8
"""Reads in a row, each right after the other, that make a flood."""
REST = 0.001
"""Seconds not read in a flood: waking us for each line costs the cell more than printing it (measured: a third)."""


class Link:
    """Sends and receives frames without blocking; the namespace is held back where we do not keep up."""

    def __init__(
        self,
        sock: socket.socket,
        before_frames: Callable[[], None],
        on_frame: Callable[[Link, Frame], None],
        on_lost: Callable[[Link], None],
    ) -> None:
        """Use a connected socket; nothing happens before `start`.

        Args:
            sock: The connection.
            before_frames: Called before each batch of frames (what came through the pipes is older).
            on_frame: Told each frame.
            on_lost: Told once, when the other end is gone and everything it sent has been handed over.
        """
        sock.setblocking(False)
        self.fds: list[int] = []
        self.lost = asyncio.Event()
        self._sock = sock
        self._before_frames = before_frames
        self._on_frame = on_frame
        self._on_lost = on_lost
        self._decoder = Decoder()
        self._out = bytearray()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._read_at = 0.0
        self._in_a_row = 0

    def start(self) -> None:
        """Begin to listen."""
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._sock, self.receive)

    def receive(self) -> None:
        """Read what has come, in bounds."""
        if self.lost.is_set():
            return
        for _ in range(READS_AT_ONCE):
            if not self._read():
                self._rest()
                return

    def _rest(self) -> None:
        """In a flood of small pieces, let some come together."""
        if self._loop is None or self.lost.is_set():
            return
        now, before = self._loop.time(), self._read_at
        self._read_at = now
        self._in_a_row = self._in_a_row + 1 if now - before < REST else 0
        if self._in_a_row >= FLOOD:
            self._in_a_row = FLOOD - 1
            self._read_at = now + REST
            self._loop.remove_reader(self._sock)
            self._loop.call_later(REST, self._again)

    def _again(self) -> None:
        if self._loop is not None and not self.lost.is_set():
            self._loop.add_reader(self._sock, self.receive)

    def _read(self) -> bool:
        """Read one chunk; answers whether there may be more."""
        try:
            data, ancillary, *_ = self._sock.recvmsg(CHUNK, socket.CMSG_SPACE(64))
        except BlockingIOError:
            return False
        except OSError:
            data, ancillary = b"", []
        if not data:
            self.close()
            return False
        self.fds += received_fds(ancillary)
        self._before_frames()
        try:
            for frame in self._decoder.feed(data):
                self._on_frame(self, frame)
        except WireError as error:
            log.error("the namespace process sent something that is not ours: %s", error)
            self.close()
            return False
        return len(data) == CHUNK and not self.lost.is_set()

    def take_fd(self, message: Json) -> int | None:
        """Give the file descriptor that came with a message; the caller closes it."""
        return self.fds.pop(0) if message.get("fd") is True and self.fds else None

    def drain(self) -> None:
        """Read all that has come so far."""
        while not self.lost.is_set() and self._read():
            pass

    def send(self, message: Json, buffers: Sequence[Any] = ()) -> None:
        """Send a frame, now or when the other end takes it."""
        if self.lost.is_set():
            return
        self._out += pack(message, buffers)
        if len(self._out) and self._loop is not None:
            self._writable()

    def _writable(self) -> None:
        if self._loop is None or self.lost.is_set():
            return
        try:
            sent = self._sock.send(self._out)
            del self._out[:sent]
        except BlockingIOError:
            pass
        except OSError:
            self._loop.call_soon(self.close)
            return
        if self._out:
            self._loop.add_writer(self._sock, self._writable)
        else:
            self._loop.remove_writer(self._sock)

    def close(self) -> None:
        """Let go of the connection; tells `on_lost`, once."""
        if self.lost.is_set():
            return
        self.lost.set()
        if self._loop is not None:
            self._loop.remove_reader(self._sock)
            self._loop.remove_writer(self._sock)
        self._sock.close()
        for fd in self.fds:
            os.close(fd)
        self.fds.clear()
        self._on_lost(self)
