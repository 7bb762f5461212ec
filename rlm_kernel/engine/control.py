"""Pause, resume, step and stop: how a person steers a run."""

from __future__ import annotations

import asyncio
import logging
from contextlib import contextmanager
from time import monotonic
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rlm_kernel.ids import RunId

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

    - The person's side: `pause`, `resume`, `step`, `stop`, at any time; they do nothing where they make no sense. And
      `steer`: what they say to the model.
    - The engine's side: `expect`, `begin`, `gate`, `deciding`, `doing`, `heard`, `end`.
    - Views read `state` and `waits_for`, and are called through `on_change`.

    It does not cancel anything itself: what runs watches `stopped`.
    """

    def __init__(self) -> None:
        self._state: State = "idle"
        self.waits_for: str = ""
        """What the run waits for now, for a person to read; empty where nothing is known."""
        self.on_change: list[Callable[[], None]] = []
        """Called without arguments after each change of `state` or `waits_for`."""
        self.stopped = asyncio.Event()
        self._doing = ""
        self._steps = 0
        self._stepping = False
        self._expected = self._stop_early = False
        self._changed = asyncio.Event()
        self._gates: list[Where] = []
        self._decisions: list[str] = []
        self._said: dict[RunId, list[str]] = {}
        self._held_since = 0.0
        self._held = 0.0

    @property
    def state(self) -> State:
        """What the run does; ``paused`` also while it waits for a decision."""
        return "paused" if self._decisions and self._state == "running" else self._state

    @property
    def needs_decision(self) -> bool:
        """Whether the run waits for a decision of the person: neither resume nor step stands in for it."""
        return bool(self._decisions)

    @property
    def paused_seconds(self) -> float:
        """Seconds for which the run was really held, at a gate or for a decision, up to now."""
        return self._held + (monotonic() - self._held_since if self._is_held else 0.0)

    @property
    def _is_held(self) -> bool:
        return bool(self._gates or self._decisions)

    def pause(self) -> None:
        """Hold the run at its next gate; what is under way goes on to its end."""
        if self._state in ("running", "paused"):
            self._steps, self._stepping = 0, False
            self._set("paused")

    def resume(self) -> None:
        """Let a paused run go on."""
        if self._state == "paused":
            self._steps, self._stepping = 0, False
            self._set("running")

    def step(self) -> None:
        """Let one cell or call through, and pause again."""
        if self.state == "running":
            self.pause()
        if self._state == "paused":
            self._steps += 1
            self._wake()

    def stop(self) -> None:
        """End the run with what there is; one that is expected ends as soon as it begins."""
        if self._state == "idle" and self._expected:
            self._stop_early = True
        elif self._state in ("running", "paused"):
            self.stopped.set()
            self._set("stopping")

    def steer(self, run_id: RunId, text: str) -> None:
        """Say something to the model of a run; it is told with its next turn."""
        self._said.setdefault(run_id, []).append(text)
        self._tell()

    def steers(self, run_id: RunId | None = None) -> list[str]:
        """Give what the model of a run was not told yet; of all runs where none is named."""
        return [text for each, texts in self._said.items() if run_id in (None, each) for text in texts]

    def heard(self, run_id: RunId) -> list[str]:
        """Take what the model of a run is told now."""
        texts = self._said.pop(run_id, [])
        if texts:
            self._tell()
        return texts

    def expect(self, run: bool) -> None:
        """Say whether a run is about to begin: Stop counts from now on, though there is nothing to stop yet."""
        self._expected, self._stop_early = run, False

    def begin(self) -> None:
        """Start with a new run."""
        self._steps, self._stepping, self._held = 0, False, 0.0
        self._doing = ""
        self.stopped.clear()
        self._set("running")
        if self._stop_early:
            self._stop_early = False
            self.stop()

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
        if self._state == "stopping":
            raise Stopped
        if where != "token":
            self._stepping = False
        if self._state == "paused" and not self._let_through(where):
            await self._hold(where)

    @contextmanager
    def deciding(self, what: str) -> Iterator[None]:
        """Hold the clock while the person decides.

        Args:
            what: What is waited for: ``your decision on a cell``.
        """
        self._begin_hold()
        self._decisions.append(what)
        self._tell()
        try:
            yield
        finally:
            self._decisions.remove(what)
            self._end_hold()

    async def _hold(self, where: Where) -> None:
        self._begin_hold()
        self._gates.append(where)
        self._tell()
        try:
            while self._state == "paused" and not self._let_through(where):
                await self._changed.wait()
        finally:
            self._gates.remove(where)
            self._end_hold()
        if self._state == "stopping":
            raise Stopped

    def _begin_hold(self) -> None:
        if not self._is_held:
            self._held_since = monotonic()

    def _end_hold(self) -> None:
        if not self._is_held:
            self._held += monotonic() - self._held_since
        self._tell()

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
        self._state = state
        self._wake()
        self._tell()

    def _wake(self) -> None:
        # A fresh event for each change: whoever waits for the old one wakes exactly once.
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    def _tell(self) -> None:
        self.waits_for = self._waits_for()
        tell_all(self.on_change, "the control")

    def _waits_for(self) -> str:
        if self._state == "stopping":
            return "what is under way to stop"
        if len(self._decisions) > 1:
            return f"your decisions: {len(self._decisions)} things wait for them"
        if self._decisions:
            return self._decisions[0]
        return _BEFORE[self._gates[0]] if self._gates else self._doing


def tell_all(listeners: list[Callable[[], None]], whose: str) -> None:
    """Call all listeners; one that raises is logged and dropped.

    Args:
        listeners: Those of one subject.
        whose: The subject, for the log.
    """
    for call in list(listeners):
        try:
            call()
        except Exception:
            log.exception("%r failed at a change of %s and is dropped", call, whose)
            listeners.remove(call)
