"""What a namespace prints, joined to pieces worth a message."""

from __future__ import annotations

import asyncio
import codecs
import contextlib
import os
from typing import TYPE_CHECKING

from rlm_kernel.host.records import Published

if TYPE_CHECKING:
    from collections.abc import Callable

    from rlm_kernel.ids import MsgId

DELAY = 0.03
"""Seconds a piece may wait for the next one."""
LARGEST = 1 << 20
"""Characters after which the pieces are sent without waiting."""


class StreamJoiner:
    """Joins pieces of the same stream of the same cell, keeping the order with everything else."""

    def __init__(self, publish: Callable[[Published], None]) -> None:
        self._publish = publish
        self._head: tuple[str, MsgId | None] | None = None
        self._pieces: list[str] = []
        self._size = 0
        self._timer: asyncio.TimerHandle | None = None

    def add(self, name: str, text: str, parent: MsgId | None) -> None:
        """Take a piece."""
        if self._head != (name, parent):
            self.flush()
            self._head = (name, parent)
        self._pieces.append(text)
        self._size += len(text)
        if self._size > LARGEST:
            self.flush()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(DELAY, self.flush)

    def flush(self) -> None:
        """Publish what has been joined so far."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._head is None or not self._pieces:
            return
        (name, parent), text = self._head, "".join(self._pieces)
        self._pieces, self._size = [], 0
        self._publish(Published("stream", {"name": name, "text": text}, {}, [], parent))


class OutputPipes:
    """Reads file descriptors 1 and 2 of a namespace: what its subprocesses and C libraries print."""

    def __init__(self, fds: dict[int, str], before: Callable[[], None], take: Callable[[str, str], None]) -> None:
        """Use pipes that do not block.

        Args:
            fds: Reading ends, with the name of the stream.
            before: Called when something can be read, before it is.
            take: Told name and text.
        """
        self._before = before
        self._fds = dict(fds)
        self._take = take
        self._decoders = {fd: codecs.getincrementaldecoder("utf-8")("replace") for fd in fds}
        self._loop = asyncio.get_running_loop()
        for fd in fds:
            self._loop.add_reader(fd, self._readable, fd)

    def _readable(self, fd: int) -> None:
        self._before()
        if fd in self._fds:
            self._read(fd)

    def _read(self, fd: int) -> bool:
        try:
            data = os.read(fd, 1 << 16)
        except BlockingIOError:
            return False
        except OSError:
            data = b""
        if not data:
            self._loop.remove_reader(fd)
            self._fds.pop(fd, None)
            return False
        text = self._decoders[fd].decode(data)
        if text:
            self._take(self._fds[fd], text)
        return True

    def drain(self) -> None:
        """Read what is there now."""
        for fd in list(self._fds):
            for _ in range(64):
                if not self._read(fd):
                    break

    def close(self) -> None:
        """Stop reading; whoever opened the pipes closes them."""
        for fd in list(self._fds):
            with contextlib.suppress(ValueError, OSError):
                self._loop.remove_reader(fd)
        self._fds = {}
