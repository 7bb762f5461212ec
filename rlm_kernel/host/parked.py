"""The checkpoints of a namespace, as its host holds them."""

from __future__ import annotations

import contextlib
import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rlm_kernel.wire import pack, send_with_fd

if TYPE_CHECKING:
    import socket

KEEP = 40
"""Checkpoints kept at most; the oldest goes first."""
SPARE_MEMORY = 512 << 20
"""Bytes the machine must have left; below that, old checkpoints are dropped."""

FORK_IS_SAFE = sys.platform == "linux"


@dataclass(slots=True)
class Parked:
    """A process that holds the state before a cell."""

    count: int
    """Execution count of that cell."""
    sock: socket.socket
    """While it is open the process waits; when it closes the process ends."""

    def send_restore(self, connection: socket.socket) -> None:
        """Have it fork, the fork to go on over ``connection``.

        Raises:
            OSError: It is gone.
        """
        send_with_fd(self.sock, pack({"t": "restore"}), connection.fileno())

    def close(self) -> None:
        """Let it end."""
        self.sock.close()


class ParkedList:
    """Checkpoints in the order of their cells, bounded in number and by memory."""

    def __init__(self) -> None:
        self._parked: dict[int, Parked] = {}

    @property
    def counts(self) -> list[int]:
        """Execution counts of the cells, oldest first."""
        return list(self._parked)

    def get(self, count: int) -> Parked | None:
        """Find the checkpoint of a cell."""
        return self._parked.get(count)

    def add(self, parked: Parked) -> None:
        """Keep a new one; those of the same number and later ones belong to a past that was undone."""
        self.drop_from(parked.count)
        self._parked[parked.count] = parked
        while len(self._parked) > KEEP:
            self._drop(next(iter(self._parked)))

    def drop_from(self, count: int) -> None:
        """Drop the checkpoints of a cell and of those after it."""
        for later in [number for number in self._parked if number >= count]:
            self._drop(later)

    def make_room(self) -> None:
        """Drop the older half where memory is short."""
        if self._parked and free_memory() < SPARE_MEMORY:
            for count in list(self._parked)[: (len(self._parked) + 1) // 2]:
                self._drop(count)

    def clear(self) -> None:
        """Drop all."""
        self.drop_from(0)

    def _drop(self, count: int) -> None:
        self._parked.pop(count).close()


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
