"""The states of a namespace: the one that lives, and those it can be put back to."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from typing import TYPE_CHECKING

from rlm_kernel.errors import NamespaceDied
from rlm_kernel.host import validate
from rlm_kernel.host.nursery import Nursery
from rlm_kernel.host.parked import FORK_IS_SAFE, START, Parked, ParkedList, in_group

if TYPE_CHECKING:
    from rlm_kernel.engine.history import EntryId, History
    from rlm_kernel.host.channel import Channel
    from rlm_kernel.host.parked import StatesDict
    from rlm_kernel.host.records import Listener

log = logging.getLogger(__name__)

RESTORE_SECONDS = 20.0


class States:
    """Keeps states of a namespace process as parked processes, and lets one of them take its place.

    - the state before the first cell is kept from the start, so that there can always be a fresh namespace
    - a new process where no state is kept; with it a `nursery` for the namespaces of child runs
    - the history and the count of cells move with the state

    Whoever calls sees to it that no cell runs.

    Args:
        channel: To the process that lives.
        listener: Told which comms did not survive.
        history: Of the namespace.
        off: Why no state is kept; ``None`` where they are.
        for_child: Whether it is the namespace of one child run.
    """

    def __init__(
        self, channel: Channel, listener: Listener, history: History, off: str | None, *, for_child: bool
    ) -> None:
        self.parked = ParkedList()
        self.off = off
        self.count = 1
        """The number the next cell gets."""
        self.nursery: Nursery | None = None
        self.replacing = False
        """Whether another process is about to take over: the end of the one before is no accident."""
        self.fresh_starts = 0
        """How many times it was started anew with nothing in it."""
        self._channel = channel
        self._listener = listener
        self._history = history
        self._for_child = for_child

    async def begin(self) -> None:
        """Start the process and wait until it is ready.

        Raises:
            NamespaceDied: It ended before.
        """
        self.replacing = True
        try:
            await self._channel.start()
            self.count = 1
            await self._open_nursery()
            if self.off is None and not self._for_child:
                await self.take(START)
        finally:
            self.replacing = False

    async def _open_nursery(self) -> None:
        if self._for_child or not FORK_IS_SAFE:
            return
        await self._channel.request("nursery", {})
        if self._channel.fds:
            self.nursery = Nursery(socket.socket(fileno=self._channel.fds.pop(0)))

    def close(self) -> None:
        """Let all go."""
        self.parked.clear()
        self.close_nursery()

    def close_nursery(self) -> None:
        """Let the nursery end; children are started anew then."""
        if self.nursery is not None:
            self.nursery.close()
            self.nursery = None

    async def stat(self, refusal: str | None) -> StatesDict:
        """Tell how many states are kept, and what memory that takes."""
        return await asyncio.to_thread(self.parked.stat, refusal)

    async def take(self, state: EntryId) -> str | None:
        """Keep the present state under a name; gives why it cannot be kept.

        Raises:
            NamespaceDied: The process ended meanwhile.
        """
        self.parked.make_room()
        reply = await self._channel.request("checkpoint", {})
        fds, refusal = self._channel.fds, reply.get("refusal")
        if refusal is not None or not fds:
            return str(refusal or "the process gave none")
        pid = validate.integer(reply.get("pid"), 0)
        pid = pid if in_group(pid, self._channel.group) else 0
        self.parked.add(Parked(state, self.count, self._history.current, pid, socket.socket(fileno=fds.pop(0))))
        while fds:
            os.close(fds.pop())  # nothing else is sent with a descriptor
        return None

    async def restore(self, state: EntryId) -> bool:
        """Put the namespace back to a state that is kept; it is among the last to be dropped from now on.

        Returns:
            ``False``: it is not kept; nothing has changed.

        Raises:
            NamespaceDied: Its process could not take over; the namespace is a fresh one.
        """
        parked = self.parked.get(state)
        if parked is None:
            return False
        if not await self.take_over(parked):
            self.parked.drop(state)
            await self.fresh()
            raise NamespaceDied("The state that was kept could not be restored; a fresh Python is running.")
        self.parked.pin(state)
        return True

    async def take_over(self, parked: Parked) -> bool:
        """Let a parked process be the namespace; answers whether it is."""
        self.replacing = True
        try:
            self._channel.replace()
            ours, theirs = socket.socketpair()
            with theirs:
                arrived = await self._channel.connect(ours, RESTORE_SECONDS, (parked.send_restore, theirs))
        except (OSError, TimeoutError, NamespaceDied) as error:
            log.warning("the state %s could not be restored: %s", parked.state, error)
            return False
        finally:
            self.replacing = False
        self._channel.reap()
        self.count = parked.count
        self._history.move(parked.after)
        comms = arrived.get("comms")
        self._tell_replaced(self._channel.comms.intersection(comms if isinstance(comms, list) else []))
        return True

    async def fresh(self) -> None:
        """Go on with nothing: from the state before the first cell, else in a new process in place of the old one.

        Raises:
            NamespaceDied: No process could be started.
        """
        self.fresh_starts += 1
        start = self.parked.get(START)
        if start is not None and await self.take_over(start):
            return
        self.replacing = True
        try:
            self.close()
            self._channel.end()
            self._history.move(None)
            await self.begin()
        finally:
            self.replacing = False
        self._tell_replaced(set())

    def _tell_replaced(self, live: set[str]) -> None:
        dead = sorted(self._channel.comms - live)
        self._channel.comms = live
        self._listener.replaced(dead, sorted(live))
