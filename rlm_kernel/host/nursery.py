"""The host's end of a nursery: forks the namespaces of child runs (see `rlm_kernel.namespace.nursery`)."""

from __future__ import annotations

import asyncio
import itertools
import logging
from typing import TYPE_CHECKING

from rlm_kernel.errors import NamespaceDied
from rlm_kernel.host import validate
from rlm_kernel.host.link import Link
from rlm_kernel.host.spawn import Ends, Spawned
from rlm_kernel.wire import pack, send_with_fd

if TYPE_CHECKING:
    import socket

    from rlm_kernel.wire import Frame, Json

log = logging.getLogger(__name__)


class Forked:
    """A process that the nursery forked: the nursery is its parent, and tells how it ended."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.code: int | None = None

    def poll(self) -> int | None:
        """Give its exit code, where it has ended."""
        return self.code

    def kill(self) -> None:
        """Do nothing: it dies with its lifeline, which is closed before; its id may be another's by now."""

    def wait(self) -> None:
        """Do nothing: the nursery does."""


class Nursery:
    """Asks a nursery for processes, one at a time.

    Args:
        sock: The connection to it.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._link = Link(sock, lambda: None, self._on_frame, self._on_lost)
        self._link.start()
        self._lock = asyncio.Lock()
        self._numbers = itertools.count(1)
        self._waiting: tuple[int, asyncio.Future[Json]] | None = None
        self._forked: dict[int, Forked] = {}

    @property
    def alive(self) -> bool:
        """Whether it can be asked."""
        return not self._link.lost.is_set()

    def close(self) -> None:
        """Let it end; its children live on."""
        self._link.close()

    def warm(self) -> None:
        """Have it do beforehand what children need."""
        self._link.send({"t": "warm", "fds": 0})

    async def fork(self, context: int | None = None) -> Spawned:
        """Fork a process.

        Args:
            context: The file with what a parent hands over to it.

        Raises:
            NamespaceDied: That could not be done.
        """
        async with self._lock:
            ends = Ends()
            try:
                pid = await self._ask([ends.connection, ends.lifeline, ends.out, ends.err, ends.crash, context])
            except BaseException:
                # A process that comes all the same finds its lifeline closed, and ends.
                ends.close_ours()
                raise
            finally:
                ends.close_theirs()
        process = self._forked[pid] = Forked(pid)
        return ends.of(process)

    async def _ask(self, given: list[int | None]) -> int:
        if not self.alive:
            raise NamespaceDied("The process that child namespaces are forked from has ended.")
        number, fds = next(self._numbers), [fd for fd in given if fd is not None]
        future: asyncio.Future[Json] = asyncio.get_running_loop().create_future()
        self._waiting = number, future
        try:
            send_with_fd(self._sock, pack({"t": "fork", "rid": number, "fds": len(fds)}), *fds)
            reply = await future
        except OSError as error:
            raise NamespaceDied(f"No process for a child run could be asked for: {error}.") from error
        finally:
            self._waiting = None
        pid = validate.integer(reply.get("pid"), 0)
        if pid <= 1:
            raise NamespaceDied(f"No process for a child run could be forked: {reply.get('refusal')}.")
        return pid

    def _on_frame(self, link: Link, frame: Frame) -> None:
        message = frame.message
        if message["t"] == "ended":
            process = self._forked.pop(validate.integer(message.get("pid"), 0), None)
            code = message.get("code")
            if process is not None and isinstance(code, int):
                process.code = code
        elif message["t"] == "forked" and self._waiting is not None:
            number, future = self._waiting
            if message.get("rid") == number and not future.done():
                future.set_result(message)

    def _on_lost(self, link: Link) -> None:
        self._forked.clear()
        if self._waiting is not None and not self._waiting[1].done():
            self._waiting[1].set_exception(NamespaceDied("The process that child namespaces are forked from ended."))
