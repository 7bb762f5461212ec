"""The host's end of a nursery: forks the namespaces of child runs (see `rlm_kernel.namespace.nursery`)."""

from __future__ import annotations

import asyncio
import itertools
from typing import TYPE_CHECKING

from rlm_kernel.errors import NamespaceDied
from rlm_kernel.host import validate
from rlm_kernel.host.link import Link
from rlm_kernel.host.spawn import Ends, Spawned
from rlm_kernel.wire import pack, send_with_fd

if TYPE_CHECKING:
    import socket

    from rlm_kernel.wire import Frame, Json

AT_ONCE = 8
"""Requests sent before the first is answered; the system bounds the file descriptors that are under way."""


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
    """Asks a nursery for processes.

    Args:
        sock: The connection to it.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._link = Link(sock, lambda: None, self._on_frame, self._on_lost)
        self._link.start()
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Forked]] = {}
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
        async with self._turns:
            ends = Ends()
            try:
                process = await self._ask([ends.connection, ends.lifeline, ends.out, ends.err, ends.crash, context])
            except BaseException:
                # A process that comes all the same finds its lifeline closed, and ends.
                ends.close_ours()
                raise
            finally:
                ends.close_theirs()
        return ends.of(process)

    async def _ask(self, given: list[int | None]) -> Forked:
        if not self.alive:
            raise NamespaceDied("The process that child namespaces are forked from has ended.")
        number, fds = next(self._numbers), [fd for fd in given if fd is not None]
        future: asyncio.Future[Forked] = asyncio.get_running_loop().create_future()
        self._waiting[number] = future
        try:
            send_with_fd(self._sock, pack({"t": "fork", "rid": number, "fds": len(fds)}), *fds)
            return await future
        except OSError as error:
            raise NamespaceDied(f"No process for a child run could be asked for: {error}.") from error
        finally:
            del self._waiting[number]

    def _on_frame(self, link: Link, frame: Frame) -> None:
        message = frame.message
        if message["t"] == "ended":
            process = self._forked.pop(validate.integer(message.get("pid"), 0), None)
            code = message.get("code")
            if process is not None and isinstance(code, int):
                process.code = code
        elif message["t"] == "forked":
            self._has_forked(message)

    def _has_forked(self, message: Json) -> None:
        pid = validate.integer(message.get("pid"), 0)
        future = self._waiting.get(validate.integer(message.get("rid"), 0))
        if future is None or future.done():
            return
        if pid <= 1:
            future.set_exception(
                NamespaceDied(f"No process for a child run could be forked: {message.get('refusal')}.")
            )
        else:
            future.set_result(self._forked.setdefault(pid, Forked(pid)))

    def _on_lost(self, link: Link) -> None:
        self._forked.clear()
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(NamespaceDied("The process that child namespaces are forked from ended."))
