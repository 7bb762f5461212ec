"""The checkpoints of a namespace, as its host holds them."""

from __future__ import annotations

import contextlib
import os
import sys
from dataclasses import dataclass
from socket import MSG_DONTWAIT, MSG_PEEK
from typing import TYPE_CHECKING, TypedDict

from rlm_kernel.wire import pack, send_with_fd

if TYPE_CHECKING:
    import socket

    from rlm_kernel.trace.entries import EntryId

KEEP = 40
"""Checkpoints kept at most, besides those that are pinned; the oldest goes first."""
MOST_PINS = 24
START = "start"
"""Name of the state of a namespace in which nothing was done."""
SPARE_MEMORY = 512 << 20
"""Bytes the machine must have left; below that, old ones are dropped."""

FORK_IS_SAFE = sys.platform == "linux"


@dataclass(slots=True)
class Parked:
    """A process that holds a state."""

    state: EntryId
    """Its name: the entry whose effects it does not have yet, or what it was parked as."""
    count: int
    """Execution count of the next cell."""
    after: EntryId | None
    """What was done last in it."""
    pid: int
    """Process id; 0 where the process gave none that is credible."""
    sock: socket.socket
    """While it is open the process waits; when it closes the process ends."""

    @property
    def alive(self) -> bool:
        """Whether it still waits."""
        try:
            return self.sock.recv(1, MSG_DONTWAIT | MSG_PEEK) != b""
        except BlockingIOError:
            return True
        except OSError:
            return False

    def send_restore(self, connection: socket.socket) -> None:
        """Have it fork, the fork to go on over ``connection``.

        Raises:
            OSError: It is gone.
        """
        send_with_fd(self.sock, pack({"t": "restore"}), connection.fileno())

    def close(self) -> None:
        """Let it end."""
        self.sock.close()


class StatesDict(TypedDict):
    """How many states are kept, and what that takes."""

    states: int
    pinned: int
    bytes: int
    """Memory that would be free without them."""
    refusal: str | None
    """Why the last cell had no checkpoint."""


class ParkedList:
    """States in the order in which they were kept, bounded in number and by memory; the oldest go first.

    Those that were pinned go last: where many branches begin and end. States of several branches live beside each
    other.
    """

    def __init__(self) -> None:
        self._parked: dict[EntryId, Parked] = {}
        self._pinned: dict[EntryId, None] = {}

    @property
    def states(self) -> list[EntryId]:
        """Their names, oldest first; without that of the fresh namespace."""
        return [state for state in self._parked if state != START]

    def get(self, state: EntryId) -> Parked | None:
        """Find a state whose process lives."""
        parked = self._parked.get(state)
        if parked is not None and not parked.alive:
            self.drop(state)
            return None
        return parked

    def add(self, parked: Parked) -> None:
        """Keep a new one, in place of one with the same name."""
        old = self._parked.pop(parked.state, None)
        if old is not None:
            old.close()
        self._parked[parked.state] = parked
        free = [state for state in self.states if state not in self._pinned]
        for state in free[: max(0, len(free) - KEEP)]:
            self.drop(state)

    def pin(self, state: EntryId) -> None:
        """Keep a state longer than others; of more than `MOST_PINS` the first is as any other again."""
        self._pinned.pop(state, None)
        self._pinned[state] = None
        while len(self._pinned) > MOST_PINS:
            del self._pinned[next(iter(self._pinned))]

    def make_room(self) -> None:
        """Where memory is short, drop the older half of what is not pinned; where nothing else is left, of all."""
        if not self.states or free_memory() >= SPARE_MEMORY:
            return
        states = [state for state in self.states if state not in self._pinned] or self.states
        for state in states[: (len(states) + 1) // 2]:
            self.drop(state)

    def drop(self, state: EntryId) -> None:
        """Let a state go."""
        self._pinned.pop(state, None)
        parked = self._parked.pop(state, None)
        if parked is not None:
            parked.close()

    def clear(self) -> None:
        """Drop all."""
        for state in list(self._parked):
            self.drop(state)

    def stat(self, refusal: str | None) -> StatesDict:
        """Tell how many there are and what memory they take; reads much, not for the loop."""
        used = sum(_own_memory(parked.pid) for parked in list(self._parked.values()) if parked.pid)
        return StatesDict(states=len(self.states), pinned=len(self._pinned), bytes=used, refusal=refusal)


def _own_memory(pid: int) -> int:
    """Bytes that a process shares with no other, and its part of what it shares."""
    with contextlib.suppress(OSError, ValueError), open(f"/proc/{pid}/smaps_rollup") as file:
        for line in file:
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return 0


def free_memory() -> int:
    """Bytes that can still be used, by the machine and by the container we may be in."""
    free = 1 << 62
    with contextlib.suppress(OSError, ValueError), open("/proc/meminfo") as file:
        for line in file:
            if line.startswith("MemAvailable:"):
                free = int(line.split()[1]) * 1024
                break
    with contextlib.suppress(OSError, ValueError):
        limit, used = (_number(f"/sys/fs/cgroup/memory.{name}") for name in ("max", "current"))
        free = min(free, limit - used)
    return free


def _number(path: str) -> int:
    with open(path) as file:
        return int(file.read())


def in_group(pid: int, group: int) -> bool:
    """Whether a process is one of a namespace's group: a process id that came from there must not be taken on trust."""
    try:
        return pid > 1 and os.getpgid(pid) == group
    except OSError:
        return False
