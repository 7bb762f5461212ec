"""Pause, resume, step and stop: how a person steers a run."""

from __future__ import annotations

import asyncio
import logging
from time import monotonic
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable

log = logging.getLogger(__name__)

State = Literal["idle", "running", "paused", "stopping"]
Where = Literal["token", "cell", "call"]

_BEFORE: dict[Where, str] = {
    "token": "you, while the model writes",
    "cell": "you, before a cell",
    "call": "you, before a model call",
}


class Stopped(Exception):
    """The person stopped the run: a signal from the control to the run, not an error of anybody."""


class Control:
    """Holds what the person wants of the run that lasts, and holds the run back at its gates.

    - The person's side: `pause`, `resume`, `step`, `stop`, at any time; they do nothing where they make no sense.
    - The engine's side: `begin`, `gate`, `doing`, `end`.
    - Views read `state` and `waits_for`, and are called through `on_change`.

    It does not cancel anything itself: what runs watches `stopped`.
    """

    def __init__(self) -> None:
        self.state: State = "idle"
        self.waits_for: str = ""
        """What the run waits for now, for a person to read; empty where nothing is known."""
        self.on_change: list[Callable[[], None]] = []
        """Called without arguments after each change of `state` or `waits_for`."""
        self.stopped = asyncio.Event()
        self._each = False
        self._doing = ""
        self._steps = 0
        self._stepping = False
        self._changed = asyncio.Event()
        self._gates: list[Where] = []
        self._held_since = 0.0
        self._held = 0.0

    @property
    def paused_seconds(self) -> float:
        """Seconds for which the run was really held at a gate, up to now."""
        return self._held + (monotonic() - self._held_since if self._gates else 0.0)

    def pause(self) -> None:
        """Hold the run at its next gate; what is under way goes on to its end."""
        if self.state in ("running", "paused"):
            self._steps, self._stepping = 0, False
            self._set("paused")

    def resume(self) -> None:
        """Let a paused run go on."""
        if self.state == "paused":
            self._steps, self._stepping = 0, False
            self._set("running")

    def step(self) -> None:
        """Let one cell or call through, and pause again."""
        if self.state == "running":
            self.pause()
        if self.state == "paused":
            self._steps += 1
            self._wake()

    def stop(self) -> None:
        """End the run with what there is."""
        if self.state in ("running", "paused"):
            self.stopped.set()
            self._set("stopping")

    def begin(self, *, each: bool = False) -> None:
        """Start with a new run.

        Args:
            each: Pause before every cell.
        """
        self._each, self._steps, self._stepping, self._held = each, 0, False, 0.0
        self._doing = ""
        self.stopped.clear()
        self._set("running")

    def end(self) -> None:
        """The run is over."""
        self._doing = ""
        self._set("idle")

    def doing(self, what: str) -> None:
        """Say what the run waits for while no gate holds it."""
        if what != self._doing:
            self._doing = what
            self._tell()

    async def gate(self, where: Where) -> None:
        """Wait here while the run is paused.

        Raises:
            Stopped: The person stopped the run.
        """
        if self.state == "stopping":
            raise Stopped
        if where == "cell" and self._each and self.state == "running":
            self._set("paused")
        if where != "token":
            self._stepping = False
        if self.state == "paused" and not self._let_through(where):
            await self._hold(where)

    async def _hold(self, where: Where) -> None:
        if not self._gates:
            self._held_since = monotonic()
        self._gates.append(where)
        self._tell()
        try:
            while self.state == "paused" and not self._let_through(where):
                await self._changed.wait()
        finally:
            self._gates.remove(where)
            if not self._gates:
                self._held += monotonic() - self._held_since
            self._tell()
        if self.state == "stopping":
            raise Stopped

    def _let_through(self, where: Where) -> bool:
        """Spend a step where one is given; the text of a reply that was let through flows to its end."""
        if where == "token" and self._stepping:
            return True
        if not self._steps:
            return False
        self._steps -= 1
        self._stepping = True
        return True

    def _set(self, state: State) -> None:
        self.state = state
        self._wake()
        self._tell()

    def _wake(self) -> None:
        # A fresh event for each change: whoever waits for the old one wakes exactly once.
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    def _tell(self) -> None:
        self.waits_for = _BEFORE[self._gates[0]] if self._gates else self._doing
        if self.state == "stopping":
            self.waits_for = "what is under way to stop"
        for call in list(self.on_change):
            try:
                call()
            except Exception:
                log.exception("%r failed at a change of the control and is dropped", call)
                self.on_change.remove(call)
