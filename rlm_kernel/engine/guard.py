"""One piece of work of a run, watched: it ends early when the person stops the run or its time is over."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from rlm_kernel.engine.control import Control

T = TypeVar("T")
Cause = Literal["stop", "seconds", "cancel"]

GRACE = 10.0
"""Seconds that interrupted work gets to end by itself; a namespace that does not react is killed long before."""


class Clock:
    """The seconds of a run, those at a gate not counted.

    Args:
        limit: Seconds the run may take; ``None``: any.
        control: Knows for how long the run was held.
        used: Seconds that were used before.
    """

    def __init__(self, limit: float | None, control: Control, used: float = 0.0) -> None:
        self.limit = limit
        self._control = control
        self._started = monotonic() - used

    @property
    def used(self) -> float:
        """Seconds since the start, without pauses."""
        return monotonic() - self._started - self._control.paused_seconds

    @property
    def left(self) -> float | None:
        """Seconds until the limit; ``None`` where there is none."""
        return None if self.limit is None else self.limit - self.used


@dataclass(frozen=True, slots=True)
class Ended(Generic[T]):
    """How a piece of work ended."""

    result: T | None
    """What it gave; ``None`` where it was cut short and gave nothing."""
    cause: Cause | None
    """Why it was ended early; ``None`` where it was not."""


async def watched(
    work: Coroutine[object, object, T],
    control: Control,
    clock: Clock,
    interrupt: Callable[[], None] | None = None,
) -> Ended[T]:
    """Do a piece of work, and end it early on Stop, at the run's limit of time, or when the caller is cancelled.

    Args:
        work: What is to be done. Its own exceptions pass through.
        control: Tells of Stop.
        clock: Tells of the time.
        interrupt: Asks the work to end by itself, so that what it has is kept; without it the work is cancelled.
    """
    task = asyncio.ensure_future(work)
    stopped: asyncio.Future[Any] = asyncio.ensure_future(control.stopped.wait())
    try:
        cause = await _wait(task, stopped, clock)
    except asyncio.CancelledError:
        cause = "cancel"
    finally:
        stopped.cancel()
    if cause is None:
        return Ended(task.result(), None)
    if interrupt is not None:
        interrupt()
        cause = await _until_done(task, cause, GRACE)
    if not task.done():
        task.cancel()
        cause = await _until_done(task, cause)
    if task.cancelled():
        return Ended(None, cause)
    # What the work still had to say of its end matters less than why it was ended.
    return Ended(None if task.exception() else task.result(), cause)


async def _until_done(task: asyncio.Future[T], cause: Cause, seconds: float | None = None) -> Cause:
    """Wait for work that was told to end. A caller that is cancelled meanwhile waits all the same.

    A child run is told by the person's Stop and by its parent, in any order; work that nobody waits for would go on
    unseen.
    """
    ends = monotonic() + (seconds or 0)
    while not task.done() and (seconds is None or monotonic() < ends):
        try:
            await asyncio.wait([task], timeout=None if seconds is None else ends - monotonic())
        except asyncio.CancelledError:
            cause = "cancel"
    return cause


async def _wait(task: asyncio.Future[T], stopped: asyncio.Future[Any], clock: Clock) -> Cause | None:
    both: set[asyncio.Future[Any]] = {task, stopped}
    while not task.done():
        left = clock.left
        if left is not None and left <= 0:
            return "seconds"
        # While the run is held at a gate the time stands still, so a timeout is only a reason to look again.
        await asyncio.wait(both, timeout=left, return_when=asyncio.FIRST_COMPLETED)
        if stopped.done() and not task.done():
            return "stop"
    return None
