"""Processes that tests look at: each may end at any moment, also between two questions about it."""

from __future__ import annotations

import contextlib
import os

import psutil


def alive(pid: int) -> bool:
    """Whether a process is there and no zombie."""
    try:
        return bool(psutil.Process(pid).status() not in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD))
    except psutil.NoSuchProcess:
        return False


def below(pid: int) -> set[int]:
    """Every process that one has started, and what those have started."""
    return {child.pid for child in psutil.Process(pid).children(recursive=True)}


def group_of(pid: int) -> int | None:
    """The process group, None where the process has ended."""
    with contextlib.suppress(ProcessLookupError):
        return os.getpgid(pid)
    return None
