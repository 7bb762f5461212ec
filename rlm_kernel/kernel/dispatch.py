"""Which message of the shell channel waits for which, and what goes ahead.

Why not ipykernel's own ``shell_main``: it holds every message behind the running cell, and its exception for comms
(7.4) shares one context between tasks, so that a comm that ends after its cell gives the next cell a stale parent;
its ``idle`` then goes out under the wrong request, and the page shows ``[*]`` for ever.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Coroutine, Sequence

    from rlm_kernel.kernel.channels import Channels
    from rlm_kernel.kernel.services import Ident, Message

AT_ONCE = frozenset(
    {
        "comm_open",
        "comm_msg",
        "comm_close",
        "comm_info_request",
        "kernel_info_request",
        "connect_request",
        "interrupt_request",
        "shutdown_request",
    }
)
"""Never wait behind a cell: a page that reloads, and widgets of this process, need them while a run lasts."""

LOOKUPS = frozenset({"complete_request", "inspect_request", "is_complete_request", "history_request"})
"""Keep their place among the cells, but do not wait for the minutes of a question."""


@dataclass(eq=False, slots=True)
class Request:
    """A message of the shell channel on its way."""

    message: Message
    idents: Ident
    aborted: bool = False
    """An earlier cell of the same "Run All" failed: answered, not run."""

    @property
    def msg_type(self) -> str:
        """Give the type of the message."""
        return str(self.message["header"]["msg_type"])


@dataclass(eq=False)
class Lane:
    """Requests that are handled one after the other."""

    waiting: deque[Request] = field(default_factory=deque)
    running: Request | None = None
    worker: asyncio.Task[None] | None = None


class Host(Protocol):
    """What the dispatcher needs of the kernel."""

    def bound(self, request: Request) -> None:
        """Note the page that shows a cell of the model."""
        ...

    def answers_question(self, message: Message) -> bool:
        """Tell whether an execute request is a ``%%rlm`` cell."""
        ...

    def steers(self, message: Message) -> bool:
        """Tell whether an execute request is nothing but an order to the run that lasts."""
        ...

    def run_is_paused(self) -> bool:
        """Tell whether a run is paused now."""
        ...

    async def handle(self, request: Request) -> None:
        """Do what the request asks and answer it."""
        ...

    def spawn(self, coro: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Start a task."""
        ...


class Dispatcher:
    """Takes the messages of the shell channel, on the main loop.

    * cells and lookups one after the other, in the order they came;
    * what is in `AT_ONCE` immediately, each in a task (and so a context) of its own;
    * orders to the run that lasts (``%rlm stop``) immediately too: what they steer may be what others wait for;
    * binds of model cells immediately, without ``busy`` and ``idle``: these are published when the cell runs;
    * while a run is paused, cells that arrive now in a second lane beside it; those that came before go on waiting.

    Each request gets one ``busy`` and one ``idle`` under its own header, whatever runs beside it.
    """

    def __init__(self, host: Host, channels: Channels) -> None:
        self._host = host
        self._channels = channels
        self._main = Lane()
        self._beside = Lane()

    def receive(self, frames: Sequence[Any]) -> None:
        """Take one message off the wire and decide who handles it when."""
        unpacked = self._channels.unpack(frames)
        if unpacked is None:
            return
        idents, message = unpacked
        request = Request(message, idents)
        if request.msg_type == "execute_request" and (message.get("metadata") or {}).get("rlm_bind"):
            self._host.bound(request)
        elif self._goes_ahead(request):
            self._host.spawn(self._run(request))
        elif request.msg_type == "execute_request" and self._goes_beside(message):
            self._queue(self._beside, request)
        else:
            self._queue(self._main, request)

    def _goes_ahead(self, request: Request) -> bool:
        if request.msg_type in AT_ONCE or self.question is None:
            return request.msg_type in AT_ONCE
        is_order = request.msg_type == "execute_request" and self._host.steers(request.message)
        return is_order or request.msg_type in LOOKUPS

    def _goes_beside(self, message: Message) -> bool:
        return self.question is not None and self._host.run_is_paused() and not self._host.answers_question(message)

    @property
    def cell(self) -> Request | None:
        """The person's cell that runs now; the one beside a paused run comes first."""
        return self._beside.running or (None if self.question else self._main.running)

    @property
    def question(self) -> Request | None:
        """The ``%%rlm`` request that is being answered."""
        running = self._main.running
        if running and running.msg_type == "execute_request" and self._host.answers_question(running.message):
            return running
        return None

    def busy_again(self) -> None:
        """Publish ``busy`` for what still runs: an ``idle`` of anything else resets the page's indicator."""
        for lane in (self._main, self._beside):
            if lane.running is not None:
                self._channels.state("busy", lane.running.message)

    def abort_after(self, failed: Message) -> None:
        """Abort the cells that wait behind a failed one, those not yet read from the channel included."""
        self._channels.drain()
        for lane in (self._main, self._beside):
            if lane.running is not None and lane.running.message is failed:
                for request in lane.waiting:
                    request.aborted = request.msg_type == "execute_request"

    def _queue(self, lane: Lane, request: Request) -> None:
        lane.waiting.append(request)
        if lane.worker is None:
            lane.worker = self._host.spawn(self._work(lane))

    async def _work(self, lane: Lane) -> None:
        try:
            while lane.waiting:
                lane.running = lane.waiting.popleft()
                # A task for each: what it sets in its context (the parent of widgets' messages) must end with it.
                await asyncio.create_task(self._run(lane.running, lane))
        finally:
            lane.running = lane.worker = None

    async def _run(self, request: Request, lane: Lane | None = None) -> None:
        self._channels.state("busy", request.message)
        try:
            await self._host.handle(request)
        finally:
            if lane is not None:
                lane.running = None  # first: nobody may publish "busy again" for it after its idle
            self._channels.state("idle", request.message)
            self.busy_again()
