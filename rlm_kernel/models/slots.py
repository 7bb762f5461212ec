"""A number of things at the same time, shared fairly."""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Hashable


class Slots:
    """At most so many holders at once; those who wait are let in by turns.

    The owners (runs) take turns, and within one owner it is first come, first served: a run that asks for a thousand
    calls does not keep its siblings waiting for all of them.

    Args:
        limit: Holders at the same time.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.held = 0
        self._waiting: dict[Hashable, deque[asyncio.Future[None]]] = {}

    @asynccontextmanager
    async def hold(self, owner: Hashable) -> AsyncIterator[None]:
        """Hold a slot for as long as the block lasts."""
        await self.take(owner)
        try:
            yield
        finally:
            self.give_back()

    async def take(self, owner: Hashable) -> None:
        """Wait for a slot and hold it until `give_back`."""
        if self.held < self.limit and not self._waiting:
            self.held += 1
            return
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(owner, deque()).append(waiter)
        try:
            await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled():
                self.give_back()
            else:
                self._forget(owner, waiter)
            raise

    def give_back(self) -> None:
        """Let the next one in."""
        self.held -= 1
        while self._waiting and self.held < self.limit:
            owner = next(iter(self._waiting))
            queue = self._waiting.pop(owner)
            waiter = queue.popleft()
            if queue:
                self._waiting[owner] = queue  # at the end of the line: the others come first
            if not waiter.done():
                self.held += 1
                waiter.set_result(None)

    def _forget(self, owner: Hashable, waiter: asyncio.Future[None]) -> None:
        queue = self._waiting.get(owner)
        if queue is None:
            return
        if waiter in queue:
            queue.remove(waiter)
        if not queue:
            del self._waiting[owner]
