"""The ledger: what is left of a run's limits, reserved before a request and settled after it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from rlm_kernel.errors import LimitExceeded, LimitKind
from rlm_kernel.usage import Usage, money

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rlm_kernel.messages import ModelRequest
    from rlm_kernel.usage import Limits

ASSUMED_OUTPUT = 4096
"""Tokens a reply may have where the request sets no bound: what is reserved for it."""
LEAST_OUTPUT = 256
"""A reply that would have to be shorter than this is not asked for."""
CHARS_PER_TOKEN = 3
"""English text has about four; fewer are assumed, so that the reservation holds."""
TOKENS_PER_MESSAGE = 8
OUTPUT_WEIGHT = 5
"""A token received costs about so many times what a token sent does (4 to 8 with the usual providers)."""
CACHED_SHARE = 0.1
"""Share of the price that a cached token costs with most providers."""


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


class Rates:
    """What a token of each model has cost at most: what the next request to it may cost.

    Learned from replies, because only they state what a provider charges. Before the first one the cost is not known,
    and nothing is reserved for it; a model whose cost is never known cannot be held to a limit of cost. Used for
    reservations only: what is reported as spent is never computed from here.
    """

    def __init__(self) -> None:
        self._rates: dict[str, float] = {}

    def learn(self, model: str, usage: Usage) -> None:
        """Take the true usage of a reply."""
        weight = _weight(usage.input_tokens - usage.cached_tokens * (1 - CACHED_SHARE), usage.output_tokens)
        if usage.cost_usd is not None and weight > 0:
            self._rates[model] = max(self._rates.get(model, 0.0), usage.cost_usd / weight)

    def cost(self, model: str, sent: int, received: int) -> float | None:
        """Estimate what so many tokens cost; ``None`` where nothing is known of the model."""
        rate = self._rates.get(model)
        return None if rate is None else rate * _weight(sent, received)

    def is_free(self, model: str) -> bool:
        """Tell whether every reply of a model so far was free."""
        return self._rates.get(model) == 0.0


def _weight(sent: float, received: float) -> float:
    return sent + OUTPUT_WEIGHT * received


def input_estimate(request: ModelRequest) -> int:
    """Give the tokens of a request that must be expected."""
    return request.chars // CHARS_PER_TOKEN + TOKENS_PER_MESSAGE * len(request.messages)


class Ledger:
    """What a run may spend, has spent, and has reserved for requests under way.

    Ledgers form a tree: whatever is reserved or spent counts at every ancestor too, so a child never gets more than its
    parent has left. A reservation is made before a request is sent and ended exactly once, by `Reservation.settle` with
    the true usage or by `Reservation.refund`.

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
        self._known_cost = 0.0
        self._open: list[Usage] = []
        self._waiters: list[asyncio.Future[None]] = []

    def lineage(self) -> Iterator[Ledger]:
        """Go from this ledger to the root."""
        each: Ledger | None = self
        while each is not None:
            yield each
            each = each.parent

    def meters(self) -> list[Meter]:
        """Tell how far each limit is used by what was spent."""
        meters = []
        for kind, used in (("cost_usd", self._known_cost), ("tokens", self.spent.tokens), ("calls", self.spent.calls)):
            limit = getattr(self.limits, kind)
            if limit is not None:
                meters.append(Meter(kind, used, limit))  # type: ignore[arg-type]
        return meters

    def fit(self, request: ModelRequest) -> ModelRequest:
        """Bound the reply of a request, where a limit of tokens leaves less than is usual."""
        rooms = [each.limits.tokens - each.spent.tokens for each in self.lineage() if each.limits.tokens is not None]
        if not rooms:
            return request
        room = max(LEAST_OUTPUT, min(rooms) - input_estimate(request))
        wanted = request.max_output_tokens or ASSUMED_OUTPUT
        return request if room >= wanted else replace(request, max_output_tokens=room)

    def reserve_now(self, worst: Usage) -> Reservation:
        """Reserve at this ledger and every ancestor, or at none.

        Raises:
            LimitExceeded: It does not fit; nothing was reserved.
        """
        for each in self.lineage():
            each._check(worst, open_too=True)
        for each in self.lineage():
            each._open.append(worst)
        return Reservation(self, worst)

    async def reserve(self, worst: Usage) -> Reservation:
        """Reserve, waiting for requests under way where only their reservations stand in the way.

        Raises:
            LimitExceeded: It does not fit into what was truly spent either.
        """
        while True:
            for each in self.lineage():
                each._check(worst, open_too=False)
            try:
                return self.reserve_now(worst)
            except LimitExceeded:
                root = list(self.lineage())[-1]
                waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
                root._waiters.append(waiter)
                await waiter

    def record(self, usage: Usage) -> None:
        """Count what was spent without a reservation, here and at every ancestor."""
        for each in self.lineage():
            each.spent = each.spent + usage
            each._known_cost += usage.cost_usd or 0.0

    def _check(self, worst: Usage, *, open_too: bool) -> None:
        waiting = self._open if open_too else []
        calls = self.spent.calls + sum(each.calls for each in waiting) + worst.calls
        tokens = self.spent.tokens + sum(each.tokens for each in waiting) + worst.tokens
        cost = self._known_cost + sum(each.cost_usd or 0.0 for each in waiting) + (worst.cost_usd or 0.0)
        wanted: tuple[tuple[LimitKind, float, float | None], ...] = (
            ("calls", calls, self.limits.calls),
            ("tokens", tokens, self.limits.tokens),
            ("cost_usd", cost, self.limits.cost_usd),
        )
        for kind, value, limit in wanted:
            if limit is not None and value > limit:
                raise LimitExceeded(kind, value, limit, self.scope)


class Reservation:
    """The worst case of one request, set aside until its true usage is known."""

    def __init__(self, ledger: Ledger, worst: Usage) -> None:
        self._ledger = ledger
        self._worst = worst
        self._ended = False

    def settle(self, usage: Usage) -> None:
        """Put the true usage in place of the worst case."""
        if self._release():
            self._ledger.record(usage)
            self._wake()

    def refund(self) -> None:
        """Give everything back: nothing was spent. Does nothing after `settle`."""
        if self._release():
            self._wake()

    def _release(self) -> bool:
        if self._ended:
            return False
        self._ended = True
        for each in self._ledger.lineage():
            each._open.remove(self._worst)
        return True

    def _wake(self) -> None:
        root = list(self._ledger.lineage())[-1]
        waiters, root._waiters = root._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)


def worst_case(request: ModelRequest, rates: Rates) -> Usage:
    """Give what a request may use at most, as far as that can be known before it is sent."""
    sent = input_estimate(request)
    received = request.max_output_tokens or ASSUMED_OUTPUT
    return Usage(sent, 0, received, calls=1, cost_usd=rates.cost(request.model, sent, received))


def usage_of_cut(request: ModelRequest, received: str, rates: Rates) -> Usage:
    """Estimate the tokens of a request that was cut short before its usage came.

    It was sent and may be charged; what it cost is not known, unless the model is free.
    """
    cost = 0.0 if rates.is_free(request.model) else None
    return Usage(request.chars // 4, 0, len(received) // 4, calls=0, cost_usd=cost, estimated=True)
