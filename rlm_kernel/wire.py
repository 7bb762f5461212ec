"""Frames between the host and a namespace process.

One frame is ``!II`` (length of the JSON, number of buffers), then ``!Q`` for the size of each buffer, the JSON object
and the buffers. File descriptors (checkpoints, restores) travel beside a frame by ``SCM_RIGHTS``.

`Decoder` is shared by both ends. The blocking end, `Connection`, is here; the asyncio end is `rlm_kernel.host.link`.
"""

from __future__ import annotations

import array
import datetime
import json
import math
import select
import socket
import struct
import threading
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

Json = dict[str, Any]

MAX_JSON = 1 << 30
MAX_BUFFERS = 1 << 16
MAX_BYTES = 1 << 34
"""A frame beyond these bounds is not from our code: the other end is broken."""
CHUNK = 1 << 18

_HEAD = struct.Struct("!II")
_SIZE = struct.Struct("!Q")


class WireError(Exception):
    """What came is not a frame."""


class Frame(NamedTuple):
    """A decoded frame; ``message`` must not be changed, it may be shared with the next frame."""

    message: Json
    buffers: list[bytes]


def clean(value: object, depth: int = 0) -> Any:
    """Make a value JSON can hold: what it has no form for becomes its text, NaN becomes null."""
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, str):
        return str(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if depth > 100:
        return "…"
    if isinstance(value, dict):
        return {str(key): clean(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [clean(item, depth + 1) for item in value]
    if isinstance(value, bytes | bytearray | memoryview):
        from base64 import b64encode

        return b64encode(bytes(value)).decode("ascii")
    if isinstance(value, datetime.date):
        return value.isoformat()
    if type(value).__module__ == "numpy" and hasattr(value, "tolist"):
        return clean(value.tolist(), depth + 1)
    return _text(value)


def _text(value: object) -> str:
    try:
        return str(value)
    except Exception as error:  # noqa: BLE001 - any object may fail to print
        return f"<{type(value).__name__}: {type(error).__name__} in str()>"


def dumps(message: Json) -> bytes:
    """Encode a message; lone surrogates become ``?``, since nobody further on can carry them."""
    try:
        text = json.dumps(message, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError):
        text = json.dumps(clean(message), ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "replace")


def pack(message: Json | bytes, buffers: Sequence[Any] = ()) -> bytes:
    """Encode a frame.

    Args:
        message: The message, or what `dumps` gave for it.
        buffers: Anything with the buffer protocol.
    """
    body = message if isinstance(message, bytes) else dumps(message)
    if not buffers:
        return _HEAD.pack(len(body), 0) + body
    views = [memoryview(item).cast("B") for item in buffers]
    sizes = [_SIZE.pack(view.nbytes) for view in views]
    return b"".join([_HEAD.pack(len(body), len(views)), *sizes, body, *views])


class Decoder:
    """Turns bytes as they come into frames."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._last: tuple[bytes, Json] = (b"", {})

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Take bytes and give the frames that are complete now.

        Raises:
            WireError: These are no frames; the connection cannot be used any more.
        """
        self._data += data
        pos = 0
        try:
            while (end := self._end(pos)) is not None:
                frame = self._frame(pos)
                pos = end
                yield frame
        finally:
            del self._data[:pos]

    def _sizes(self, pos: int) -> tuple[int, list[int]] | None:
        if len(self._data) - pos < _HEAD.size:
            return None
        length, count = _HEAD.unpack_from(self._data, pos)
        if length > MAX_JSON or count > MAX_BUFFERS:
            raise WireError(f"a frame of {length} bytes and {count} buffers")
        start = pos + _HEAD.size
        if len(self._data) < start + _SIZE.size * count:
            return None
        return length, [_SIZE.unpack_from(self._data, start + _SIZE.size * i)[0] for i in range(count)]

    def _end(self, pos: int) -> int | None:
        sizes = self._sizes(pos)
        if sizes is None:
            return None
        length, buffers = sizes
        if sum(buffers) > MAX_BYTES:
            raise WireError(f"a frame with {sum(buffers)} bytes of buffers")
        end = pos + _HEAD.size + _SIZE.size * len(buffers) + length + sum(buffers)
        return end if len(self._data) >= end else None

    def _frame(self, pos: int) -> Frame:
        sizes = self._sizes(pos)
        if sizes is None:
            raise WireError("an incomplete frame")
        length, counts = sizes
        start = pos + _HEAD.size + _SIZE.size * len(counts)
        message = self._message(bytes(self._data[start : start + length]))
        start += length
        buffers = []
        for count in counts:
            buffers.append(bytes(self._data[start : start + count]))
            start += count
        return Frame(message, buffers)

    def _message(self, body: bytes) -> Json:
        # Pieces of a stream repeat the same small JSON, with the text as a buffer: 40,000 of them in a loop of prints.
        if body == self._last[0]:
            return self._last[1]
        try:
            message = json.loads(body)
        except (ValueError, RecursionError) as error:
            raise WireError(f"not JSON: {error}") from error
        if not isinstance(message, dict) or not isinstance(message.get("t"), str):
            raise WireError("a message without a type")
        if len(body) < 256:
            self._last = (body, message)
        return message


def received_fds(ancillary: Sequence[tuple[int, int, bytes]]) -> list[int]:
    """Take the file descriptors out of what ``recvmsg`` gave beside the data."""
    fds = array.array("i")
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            fds.frombytes(data[: len(data) - len(data) % fds.itemsize])
    return list(fds)


def send_with_fd(sock: socket.socket, data: bytes, fd: int) -> int:
    """Send bytes with a file descriptor beside them; gives how many bytes went."""
    return sock.sendmsg([data], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [fd]))])


class Connection:
    """The blocking end, in the namespace process.

    A KeyboardInterrupt must never cut a frame in two. So the SIGINT handler calls `defer`, and where that answers
    ``True`` the interrupt is raised only when the frame is through.
    """

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.fds: list[int] = []
        self._decoder = Decoder()
        self._lock = threading.RLock()
        self._critical = 0
        self._deferred = False

    def defer(self) -> bool:
        """Ask (from the signal handler) whether an interrupt has to wait for a frame."""
        self._deferred = self._critical > 0
        return self._deferred

    def _enter(self) -> bool:
        """Begin a part that must not be interrupted; signals reach only the main thread."""
        main = threading.current_thread() is threading.main_thread()
        if main:
            self._critical += 1
        return main

    def _leave(self, main: bool) -> None:
        if not main:
            return
        self._critical -= 1
        if self._deferred and not self._critical:
            self._deferred = False
            raise KeyboardInterrupt

    def send(self, message: Json | bytes, buffers: Sequence[Any] = (), fd: int | None = None) -> None:
        """Send one frame, all of it.

        Raises:
            OSError: The host is gone.
        """
        data = pack(message, buffers)
        main = self._enter()
        try:
            with self._lock:
                sent = 0 if fd is None else send_with_fd(self.sock, data, fd)
                self.sock.sendall(memoryview(data)[sent:])
        finally:
            self._leave(main)

    def poll(self, timeout: float | None) -> bool:
        """Wait until something (or the end) can be read; an interrupt may cut the waiting short."""
        poller = select.poll()
        poller.register(self.sock, select.POLLIN)
        return bool(poller.poll(None if timeout is None else timeout * 1000))

    def receive(self, take: Callable[[Frame], None]) -> None:
        """Read what is there and hand over each frame that is complete; an interrupt waits until they are handed over.

        Raises:
            EOFError: The host is gone.
        """
        main = self._enter()
        try:
            data, ancillary, *_ = self.sock.recvmsg(CHUNK, socket.CMSG_SPACE(64))
            self.fds += received_fds(ancillary)
            if not data:
                raise EOFError
            for frame in self._decoder.feed(data):
                take(frame)
        finally:
            self._leave(main)
