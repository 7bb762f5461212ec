"""The ledger: what is left of a run's limits, reserved before a request and settled after it."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from rlm_kernel.errors import LimitExceeded, LimitKind
from rlm_kernel.usage import Usage, money

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rlm_kernel.engine.estimates import Rates
    from rlm_kernel.messages import ModelRequest
    from rlm_kernel.usage import Limits

ASSUMED_OUTPUT = 4096
"""Tokens a reply may have where the request sets no bound: what is reserved for it."""
MOST_OUTPUT = 16_384
"""Tokens a reply may have at most where a limit holds and the request sets no bound."""
LEAST_OUTPUT = 256
"""A reply that would have to be shorter than this is not asked for."""
SHARES = 16
"""Into so many parts what is left is divided where one reply may have more than `ASSUMED_OUTPUT`."""
_UNITS = 10**12
"""Costs are counted in whole trillionths of a dollar, so that sums are exact and no rounding passes a limit."""


class Meter(NamedTuple):
    """How far one limit is used."""

    kind: LimitKind
    used: float
    limit: float

    @property
    def left(self) -> float:
        """What remains, never below 0."""
        return max(0.0, self.limit - self.used)

    def describe(self) -> str:
        """Say what is left: ``3 of 20 turns``, ``$0.41 of $1.00``."""
        if self.kind == "cost_usd":
            return f"{money(self.left) if self.left else '$0'} of {money(self.limit)}"
        word = {"calls": "model calls"}.get(self.kind, self.kind)
        return f"{self.left:,.0f} of {self.limit:,.0f} {word}"


class _Amount(NamedTuple):
    """What counts against limits, in whole numbers."""

    calls: int
    tokens: int
    cost: int

    @classmethod
    def of(cls, usage: Usage, at_most: float | None = None) -> _Amount:
        """Take it from a usage; ``at_most`` stands in for a cost that is unknown."""
        cost = usage.cost_usd if usage.cost_usd is not None else at_most
        return cls(usage.calls, usage.tokens, math.ceil((cost or 0.0) * _UNITS))

    def plus(self, other: _Amount) -> _Amount:
        return _Amount(self.calls + other.calls, self.tokens + other.tokens, self.cost + other.cost)

    def minus(self, other: _Amount) -> _Amount:
        return _Amount(self.calls - other.calls, self.tokens - other.tokens, self.cost - other.cost)


_NOTHING = _Amount(0, 0, 0)


class _Waiter(NamedTuple):
    ledger: Ledger
    worst: Usage
    granted: asyncio.Future[Reservation]


class Ledger:
    """What a run may spend, has spent, and has reserved for requests under way.

    Ledgers form a tree: whatever is reserved or spent counts at every ancestor too, so a child never gets more than its
    parent has left. A reservation is made before a request is sent and ended exactly once, by `Reservation.settle` with
    the true usage or by `Reservation.refund`. Who has to wait is served in order, the children by turns.

    It knows nothing of turns, time and depth: those are the run's.

    Args:
        limits: What this run and everything below it may spend.
        parent: The ledger of the run above.
        scope: What the limit is called in an error.
    """

    def __init__(self, limits: Limits, parent: Ledger | None = None, scope: str = "this question") -> None:
        self.limits = limits
        self.parent = parent
        self.scope = scope
        self.spent = Usage()
        """What was settled; its cost is ``None`` where any part is unknown."""
        self._settled = _NOTHING
        self._open = _NOTHING
        self._waiters: dict[Ledger, deque[_Waiter]] = {}
        self._allowed: tuple[tuple[LimitKind, int | None], ...] = (
            ("calls", limits.calls),
            ("tokens", limits.tokens),
            ("cost_usd", None if limits.cost_usd is None else math.floor(limits.cost_usd * _UNITS)),
        )

    def lineage(self) -> Iterator[Ledger]:
        """Go from this ledger to the root."""
        each: Ledger | None = self
        while each is not None:
            yield each
            each = each.parent

    @property
    def root(self) -> Ledger:
        """The ledger of the question itself."""
        return self if self.parent is None else self.parent.root

    @property
    def known_cost(self) -> float:
        """What counts against a limit of cost: what is known, and the worst case of what is not but has a price."""
        return self._settled.cost / _UNITS

    def meters(self) -> list[Meter]:
        """Tell how far each limit is used by what was spent."""
        meters = []
        for kind, used in (("cost_usd", self.known_cost), ("tokens", self.spent.tokens), ("calls", self.spent.calls)):
            limit = getattr(self.limits, kind)
            if limit is not None:
                meters.append(Meter(kind, used, limit))  # type: ignore[arg-type]
        return meters

    def fit(self, request: ModelRequest, rates: Rates) -> ModelRequest:
        """Bound the reply of a request where a limit of tokens or cost holds, so that what is reserved is the most.

        A large limit leaves long replies alone; a nearly used one makes them short.
        """
        rooms = list(self._rooms(request, rates))
        if not rooms:
            return request
        room = min(rooms)
        wanted = request.max_output_tokens or min(MOST_OUTPUT, max(ASSUMED_OUTPUT, room // SHARES))
        return replace(request, max_output_tokens=min(wanted, max(LEAST_OUTPUT, room)))

    def _rooms(self, request: ModelRequest, rates: Rates) -> Iterator[int]:
        """Give how many tokens the reply may have, by each limit that holds."""
        sent, price = rates.sent(request), rates.price(request.model)
        for each in self.lineage():
            if each.limits.tokens is not None:
                yield each.limits.tokens - each._settled.tokens - sent
            if each.limits.cost_usd is not None and price is not None and price.output > 0:
                yield int((each.limits.cost_usd - each.known_cost - sent * price.input) / price.output)

    def reserve_now(self, worst: Usage) -> Reservation:
        """Reserve at this ledger and every ancestor, or at none.

        Raises:
            LimitExceeded: It does not fit; nothing was reserved.
        """
        amount = _Amount.of(worst)
        for each in self.lineage():
            each._check(amount, each._open)
        for each in self.lineage():
            each._open = each._open.plus(amount)
        return Reservation(self, amount)

    async def reserve(self, worst: Usage) -> Reservation:
        """Reserve, waiting for requests under way where only their reservations stand in the way.

        Raises:
            LimitExceeded: It does not fit into what was truly spent either.
        """
        waiters = self.root._waiters
        if self not in waiters and (reservation := self._try(worst)):
            return reservation
        waiter = _Waiter(self, worst, asyncio.get_running_loop().create_future())
        waiters.setdefault(self, deque()).append(waiter)
        try:
            return await waiter.granted
        except asyncio.CancelledError:
            if waiter.granted.done() and not waiter.granted.cancelled() and waiter.granted.exception() is None:
                waiter.granted.result().refund()
            self._forget(waiter)
            raise

    def record(self, usage: Usage, at_most: float | None = None) -> None:
        """Count what was spent without a reservation, here and at every ancestor.

        Args:
            usage: What was spent.
            at_most: What counts against the limit where the cost is unknown.
        """
        amount = _Amount.of(usage, at_most)
        for each in self.lineage():
            each.spent = each.spent + usage
            each._settled = each._settled.plus(amount)

    def take_over(self, other: Ledger) -> None:
        """Count what another ledger has spent, as if it had been spent here."""
        for each in self.lineage():
            each.spent = each.spent + other.spent
            each._settled = each._settled.plus(other._settled)

    def _try(self, worst: Usage) -> Reservation | None:
        """Reserve if there is room; ``None``: there may be when requests under way have ended.

        Raises:
            LimitExceeded: There will never be: what is spent is never given back.
        """
        amount = _Amount.of(worst)
        for each in self.lineage():
            each._check(amount, _NOTHING)
        try:
            return self.reserve_now(worst)
        except LimitExceeded:
            return None

    def _check(self, worst: _Amount, reserved: _Amount) -> None:
        wanted = self._settled.plus(reserved).plus(worst)
        for (kind, limit), value in zip(self._allowed, wanted, strict=True):
            if limit is not None and value > limit:
                unit = _UNITS if kind == "cost_usd" else 1
                raise LimitExceeded(kind, value / unit, limit / unit, self.scope)

    def _serve(self) -> None:
        """Let in who has waited, as far as there is room; at the root."""
        blocked: set[Ledger] = set()
        while ledger := next((each for each in self._waiters if each not in blocked), None):
            queue = self._waiters[ledger]
            if ledger._decide(queue[0]):
                queue.popleft()
                del self._waiters[ledger]
                if queue:
                    self._waiters[ledger] = queue  # at the end of the line: the others come first
            else:
                blocked.add(ledger)

    def _decide(self, waiter: _Waiter) -> bool:
        """Grant or refuse what is waited for; ``False``: neither is certain yet."""
        if waiter.granted.done():
            return True
        try:
            reservation = self._try(waiter.worst)
        except LimitExceeded as problem:
            waiter.granted.set_exception(problem)
            return True
        if reservation is None:
            return False
        waiter.granted.set_result(reservation)
        return True

    def _forget(self, waiter: _Waiter) -> None:
        queue = self.root._waiters.get(self)
        if queue is not None and waiter in queue:
            queue.remove(waiter)
            if not queue:
                del self.root._waiters[self]
        self.root._serve()


class Reservation:
    """The worst case of one request, set aside until its true usage is known."""

    def __init__(self, ledger: Ledger, worst: _Amount) -> None:
        self._ledger = ledger
        self._worst = worst
        self._ended = False

    def settle(self, usage: Usage, at_most: float | None = None) -> None:
        """Put the true usage in place of the worst case; see `Ledger.record`."""
        if self._release():
            self._ledger.record(usage, at_most)
            self._ledger.root._serve()

    def refund(self) -> None:
        """Give everything back: nothing was spent. Does nothing after `settle`."""
        if self._release():
            self._ledger.root._serve()

    def _release(self) -> bool:
        if self._ended:
            return False
        self._ended = True
        for each in self._ledger.lineage():
            each._open = each._open.minus(self._worst)
        return True


def worst_case(request: ModelRequest, rates: Rates) -> Usage:
    """Give what a request may use at most, as far as that can be known before it is sent."""
    sent = rates.sent(request)
    received = request.max_output_tokens or ASSUMED_OUTPUT
    return Usage(sent, 0, received, calls=1, cost_usd=rates.cost(request.model, sent, received))
