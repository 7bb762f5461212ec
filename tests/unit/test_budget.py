"""What is reserved and spent never passes a limit, at no ancestor, in no order."""

from __future__ import annotations

import asyncio
import dataclasses
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rlm_kernel.engine.budget import LEAST_OUTPUT, Ledger, Meter, Rates, usage_of_cut, worst_case
from rlm_kernel.errors import LimitExceeded
from rlm_kernel.messages import Message, ModelRequest
from rlm_kernel.usage import Limits, Usage


def usage(tokens: int = 10, cost: float | None = 0.01, calls: int = 1) -> Usage:
    return Usage(input_tokens=tokens, calls=calls, cost_usd=cost)


def limits(**given: object) -> Limits:
    return Limits(**{"cost_usd": None, "calls": None, **given})  # type: ignore[arg-type]


def test_reserve_settle_refund() -> None:
    ledger = Ledger(limits(calls=2))
    first, second = ledger.reserve_now(usage()), ledger.reserve_now(usage())
    with pytest.raises(LimitExceeded) as error:
        ledger.reserve_now(usage())
    assert (error.value.kind, error.value.limit) == ("calls", 2)
    second.refund()
    ledger.reserve_now(usage()).settle(usage(tokens=3))
    first.settle(usage(tokens=4))
    first.settle(usage(tokens=100))
    first.refund()
    assert (ledger.spent.calls, ledger.spent.tokens) == (2, 7)


def test_every_ancestor_counts() -> None:
    parent = Ledger(limits(tokens=100), scope="the parent")
    child = Ledger(limits(tokens=80), parent)
    sibling = Ledger(limits(), parent)
    child.reserve_now(usage(tokens=70)).settle(usage(tokens=60))
    assert (parent.spent.tokens, child.spent.tokens, sibling.spent.tokens) == (60, 60, 0)
    with pytest.raises(LimitExceeded, match="the parent"):
        sibling.reserve_now(usage(tokens=50))
    sibling.reserve_now(usage(tokens=40))
    with pytest.raises(LimitExceeded):
        child.reserve_now(usage(tokens=1))


def test_unknown_cost_stays_unknown_and_the_known_part_counts() -> None:
    ledger = Ledger(limits(cost_usd=1.0))
    ledger.record(usage(cost=None))
    ledger.record(usage(cost=0.9))
    assert ledger.spent.cost_usd is None
    assert Meter("cost_usd", 0.9, 1.0) in ledger.meters()
    with pytest.raises(LimitExceeded):
        ledger.reserve_now(usage(cost=0.2))


async def test_a_reservation_waits_for_requests_under_way() -> None:
    ledger = Ledger(limits(cost_usd=1.0))
    first = await ledger.reserve(usage(cost=0.8))
    waiting = asyncio.create_task(ledger.reserve(usage(cost=0.8)))
    await asyncio.sleep(0)
    assert not waiting.done()
    first.settle(usage(cost=0.1))
    (await waiting).settle(usage(cost=0.1))
    assert ledger.spent.cost_usd == pytest.approx(0.2)
    ledger.record(usage(cost=0.75))
    with pytest.raises(LimitExceeded):
        await ledger.reserve(usage(cost=0.8))


async def test_waiting_ends_in_a_refusal_when_the_truth_does_not_fit() -> None:
    ledger = Ledger(limits(calls=1))
    first = await ledger.reserve(usage())
    waiting = asyncio.create_task(ledger.reserve(usage()))
    await asyncio.sleep(0)
    first.settle(usage())
    with pytest.raises(LimitExceeded):
        await waiting


Step = st.tuples(st.integers(0, 2), st.integers(0, 40), st.floats(0, 1), st.sampled_from(["settle", "refund", "keep"]))


@given(st.lists(Step, max_size=40), st.integers(0, 100), st.integers(0, 60), st.integers(0, 12))
def test_spent_never_passes_a_limit(
    steps: list[tuple[int, int, float, str]], tokens: int, child_tokens: int, calls: int
) -> None:
    root = Ledger(limits(tokens=tokens, calls=calls))
    ledgers = [root, Ledger(limits(tokens=child_tokens), root), Ledger(limits(calls=3), root)]
    under_way = []
    for which, size, share, what in steps:
        try:
            under_way.append((ledgers[which].reserve_now(usage(tokens=size)), int(size * share)))
        except LimitExceeded:
            continue
        if what != "keep":
            reservation, true = under_way.pop(0)
            reservation.settle(usage(tokens=true)) if what == "settle" else reservation.refund()
        for each in ledgers:
            assert each.spent.tokens <= (each.limits.tokens if each.limits.tokens is not None else 10**9)
            assert each.spent.calls <= (each.limits.calls if each.limits.calls is not None else 10**9)
    for reservation, true in under_way:
        reservation.settle(usage(tokens=true))
    assert root.spent.tokens <= tokens
    assert root.spent.calls <= calls


async def test_many_at_once_fill_a_limit_and_never_pass_it() -> None:
    rng = random.Random(7)
    ledger = Ledger(limits(tokens=1000, calls=60))
    refused = 0

    async def one() -> None:
        nonlocal refused
        worst = rng.randint(10, 100)
        try:
            reservation = await ledger.reserve(usage(tokens=worst))
        except LimitExceeded:
            refused += 1
            return
        await asyncio.sleep(rng.random() / 1000)
        reservation.settle(usage(tokens=rng.randint(0, worst))) if rng.random() > 0.1 else reservation.refund()

    await asyncio.gather(*(one() for _ in range(200)))
    assert ledger.spent.tokens <= 1000
    assert ledger.spent.calls <= 60
    assert refused
    assert ledger.spent.tokens > 850


def test_a_tight_limit_of_tokens_bounds_the_reply() -> None:
    request = ModelRequest("m", (Message("user", "x" * 300),))
    assert Ledger(limits()).fit(request) is request
    assert Ledger(limits(tokens=100_000)).fit(request) is request
    ledger = Ledger(limits(tokens=1000))
    bounded = ledger.fit(request)
    assert bounded.max_output_tokens == 1000 - 108
    ledger.reserve_now(worst_case(bounded, Rates()))
    tight = Ledger(limits(tokens=50))
    assert tight.fit(request).max_output_tokens == LEAST_OUTPUT
    with pytest.raises(LimitExceeded):
        tight.reserve_now(worst_case(tight.fit(request), Rates()))


def test_cost_is_expected_from_what_was_seen() -> None:
    rates = Rates()
    request = ModelRequest("m", (Message("user", "x" * 400),), max_output_tokens=50)
    assert worst_case(request, rates).cost_usd is None
    rates.learn("m", Usage(100, 0, 100, 1, None))
    assert rates.cost("m", 10, 10) is None
    rates.learn("m", Usage(100, 0, 100, 1, 0.06))
    rates.learn("m", Usage(100, 0, 100, 1, 0.01))
    assert rates.cost("m", 10, 1) == pytest.approx(0.0015)
    rates.learn("n", Usage(1000, 1000, 0, 1, 0.01))
    assert rates.cost("n", 100, 0) == pytest.approx(0.01)
    cut = usage_of_cut(request, "abcd" * 10, rates)
    assert (cut.input_tokens, cut.output_tokens, cut.calls, cut.estimated) == (100, 10, 0, True)
    assert cut.cost_usd is None
    rates.learn("free", Usage(100, 0, 100, 1, 0.0))
    assert usage_of_cut(dataclasses.replace(request, model="free"), "", rates).cost_usd == 0.0


def test_meters_say_what_is_left() -> None:
    ledger = Ledger(Limits(cost_usd=1.0, tokens=2000, calls=10))
    ledger.record(Usage(500, 0, 1000, 4, 0.25))
    assert [meter.describe() for meter in ledger.meters()] == [
        "$0.7500 of $1.00",
        "500 of 2,000 tokens",
        "6 of 10 model calls",
    ]
