"""Frames between the host and a namespace process.

One frame is ``!II`` (length of the JSON, number of buffers), then ``!Q`` for the size of each buffer, the JSON object
and the buffers. File descriptors (checkpoints, restores) travel beside a frame by ``SCM_RIGHTS``.

A loop of prints makes many small pieces of text. They have a frame of their own: ``TEXT``, the length, the bytes; they
belong to the stream that the last message of type ``stream`` named.

`Decoder` is shared by both ends. The blocking end, `Connection`, is here; the asyncio end is `rlm_kernel.host.link`.
"""

from __future__ import annotations

import array
import contextlib
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
DEEPEST = 100
"""Levels of containers that are sent where a message has to be cleaned."""
CHUNK = 1 << 18
TEXT = 0xFFFFFFFF
SEND_BUFFER = 1 << 22
"""Asked of the socket: the namespace should not wait for us after a few hundred small pieces of text."""

_HEAD = struct.Struct("!II")
_SIZE = struct.Struct("!Q")


class WireError(Exception):
    """What came is not a frame."""


class Frame(NamedTuple):
    """A decoded frame."""

    message: Json
    buffers: list[bytes]


def clean(value: object, inside: tuple[int, ...] = ()) -> Any:
    """Make a value JSON can hold: what it has no form for becomes its text, NaN becomes null.

    Args:
        value: Anything.
        inside: Ids of the containers around it, to find one that holds itself.
    """
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, str):
        return str(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if id(value) in inside or len(inside) > DEEPEST:
        return "…"
    if isinstance(value, dict):
        return {_text(key): clean(item, (*inside, id(value))) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [clean(item, (*inside, id(value))) for item in value]
    if isinstance(value, bytes | bytearray | memoryview):
        from base64 import b64encode

        return b64encode(bytes(value)).decode("ascii")
    if isinstance(value, datetime.date):
        return value.isoformat()
    if type(value).__module__ == "numpy" and hasattr(value, "tolist"):
        return clean(value.tolist(), inside)
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


def pack(message: Json, buffers: Sequence[Any] = ()) -> bytes:
    """Encode a frame.

    Args:
        message: The message.
        buffers: Anything with the buffer protocol.
    """
    body = dumps(message)
    if not buffers:
        return _HEAD.pack(len(body), 0) + body
    views = [memoryview(item).cast("B") for item in buffers]
    sizes = [_SIZE.pack(view.nbytes) for view in views]
    return b"".join([_HEAD.pack(len(body), len(views)), *sizes, body, *views])


def pack_text(data: bytes) -> Iterator[bytes]:
    """Encode a piece of the stream that the last ``stream`` message named, in frames of a bearable size."""
    for start in range(0, len(data), CHUNK):
        piece = data[start : start + CHUNK]
        yield _HEAD.pack(TEXT, len(piece)) + piece


class Decoder:
    """Turns bytes as they come into frames; neighbouring pieces of text become one."""

    def __init__(self) -> None:
        self._data = bytearray()

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Take bytes and give the frames that are complete now.

        Raises:
            WireError: These are no frames; the connection cannot be used any more.
        """
        self._data += data
        pos, texts = 0, list[bytes]()
        try:
            while len(self._data) - pos >= _HEAD.size:
                length, count = _HEAD.unpack_from(self._data, pos)
                start = pos + _HEAD.size
                if length == TEXT:
                    if len(self._data) - start < count:
                        break
                    pos = start + count
                    texts.append(bytes(self._data[start:pos]))
                    continue
                sizes = self._sizes(start, length, count)
                if sizes is None or len(self._data) < (start := start + _SIZE.size * count) + length + sum(sizes):
                    break
                if texts:
                    yield Frame({"t": "text"}, [b"".join(texts)])
                    texts.clear()
                pos = start + length + sum(sizes)
                yield self._frame(start, length, sizes)
            if texts:
                yield Frame({"t": "text"}, [b"".join(texts)])
        finally:
            del self._data[:pos]

    def _sizes(self, start: int, length: int, count: int) -> list[int] | None:
        """Read the sizes of the buffers; ``None`` where they are not all here."""
        if length > MAX_JSON or count > MAX_BUFFERS:
            raise WireError(f"a frame of {length} bytes and {count} buffers")
        if len(self._data) < start + _SIZE.size * count:
            return None
        sizes = [_SIZE.unpack_from(self._data, start + _SIZE.size * i)[0] for i in range(count)]
        if sum(sizes) > MAX_BYTES:
            raise WireError(f"a frame with {sum(sizes)} bytes of buffers")
        return sizes

    def _frame(self, start: int, length: int, sizes: list[int]) -> Frame:
        try:
            message = json.loads(self._data[start : start + length])
        except (ValueError, RecursionError) as error:
            raise WireError(f"not JSON: {error}") from error
        if not isinstance(message, dict) or not isinstance(message.get("t"), str):
            raise WireError("a message without a type")
        start += length
        buffers = []
        for size in sizes:
            buffers.append(bytes(self._data[start : start + size]))
            start += size
        return Frame(message, buffers)


def received_fds(ancillary: Sequence[tuple[int, int, bytes]]) -> list[int]:
    """Take the file descriptors out of what ``recvmsg`` gave beside the data."""
    fds = array.array("i")
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            fds.frombytes(data[: len(data) - len(data) % fds.itemsize])
    return list(fds)


def send_with_fd(sock: socket.socket, data: bytes, *fds: int) -> int:
    """Send bytes with file descriptors beside them; gives how many bytes went."""
    return sock.sendmsg([data], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))])


class Connection:
    """The blocking end, in the namespace process.

    A KeyboardInterrupt must never cut a frame in two. So the SIGINT handler calls `defer`, and where that answers
    ``True`` the interrupt is raised only when the frame is through.
    """

    def __init__(self, sock: socket.socket) -> None:
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        self.sock = sock
        self.fds: list[int] = []
        self._decoder = Decoder()
        self.lock = threading.RLock()
        self._main = threading.main_thread().ident
        self._critical = 0
        self._deferred = False

    def defer(self) -> bool:
        """Ask (from the signal handler) whether an interrupt has to wait for a frame."""
        self._deferred = self._critical > 0
        return self._deferred

    def _enter(self) -> bool:
        """Begin a part that must not be interrupted; signals reach only the main thread."""
        main = threading.get_ident() == self._main
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

    def send(self, message: Json, buffers: Sequence[Any] = (), fd: int | None = None) -> None:
        """Send one frame, all of it.

        Raises:
            OSError: The host is gone.
        """
        data = pack(message, buffers)
        main = self._enter()
        try:
            with self.lock:
                sent = 0 if fd is None else send_with_fd(self.sock, data, fd)
                self.sock.sendall(memoryview(data)[sent:])
        finally:
            self._leave(main)

    def send_text(self, data: bytes) -> None:
        """Send a piece of the current stream.

        Raises:
            OSError: The host is gone.
        """
        main = self._enter()
        try:
            with self.lock:
                if len(data) <= CHUNK:  # the one case that has to be fast
                    self.sock.sendall(_HEAD.pack(TEXT, len(data)) + data)
                else:
                    for piece in pack_text(data):
                        self.sock.sendall(piece)
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
