"""What is reserved and spent never passes a limit, at no ancestor, in no order."""

from __future__ import annotations

import asyncio
import dataclasses
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rlm_kernel.engine.budget import ASSUMED_OUTPUT, LEAST_OUTPUT, MOST_OUTPUT, Ledger, Meter, worst_case
from rlm_kernel.engine.estimates import Rates, input_estimate, text_estimate, usage_of_cut
from rlm_kernel.errors import LimitExceeded
from rlm_kernel.messages import Message, ModelRequest
from rlm_kernel.models.prices import Price
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


def test_a_limit_bounds_the_reply() -> None:
    request = ModelRequest("m", (Message("user", "x" * 300),))
    rates = Rates(lambda _: Price(0.00001, 0.000001, 0.0001))
    assert Ledger(limits()).fit(request, rates) is request
    assert Ledger(limits(cost_usd=1.0)).fit(request, Rates()) is request
    assert Ledger(limits(tokens=10_000_000)).fit(request, rates).max_output_tokens == MOST_OUTPUT
    assert Ledger(limits(tokens=20_000)).fit(request, rates).max_output_tokens == ASSUMED_OUTPUT
    assert Ledger(limits(cost_usd=100.0)).fit(request, rates).max_output_tokens == MOST_OUTPUT
    assert Ledger(limits(cost_usd=0.1)).fit(request, rates).max_output_tokens == pytest.approx(990, abs=3)
    ledger = Ledger(limits(tokens=1000))
    bounded = ledger.fit(request, rates)
    assert bounded.max_output_tokens == 1000 - rates.sent(request)
    ledger.reserve_now(worst_case(bounded, Rates()))
    tight = Ledger(limits(tokens=50))
    assert tight.fit(request, rates).max_output_tokens == LEAST_OUTPUT
    with pytest.raises(LimitExceeded):
        tight.reserve_now(worst_case(tight.fit(request, rates), Rates()))
    asked = dataclasses.replace(request, max_output_tokens=30)
    assert Ledger(limits(tokens=10_000)).fit(asked, rates).max_output_tokens == 30
    child = Ledger(limits(tokens=10_000), Ledger(limits(tokens=2000)))
    assert child.fit(request, rates).max_output_tokens == 2000 - rates.sent(request)


def test_cost_is_expected_from_what_was_seen() -> None:
    rates = Rates()
    request = ModelRequest("m", (Message("user", "x" * 400),), max_output_tokens=50)
    assert worst_case(request, rates).cost_usd is None
    rates.learn(request, Usage(100, 0, 100, 1, None))
    assert rates.cost("m", 10, 10) is None
    rates.learn(request, Usage(100, 0, 100, 1, 0.06))
    rates.learn(request, Usage(100, 0, 100, 1, 0.01))
    assert rates.cost("m", 10, 1) == pytest.approx(0.0015)
    rates.learn(dataclasses.replace(request, model="n"), Usage(1000, 1000, 0, 1, 0.01))
    assert rates.cost("n", 100, 0) == pytest.approx(0.01)
    cut = usage_of_cut(request, "abcd" * 10, rates)
    assert (cut.input_tokens, cut.output_tokens, cut.calls, cut.estimated) == (100, 10, 0, True)
    assert cut.cost_usd is None
    free = dataclasses.replace(request, model="free")
    rates.learn(free, Usage(100, 0, 100, 1, 0.0))
    assert usage_of_cut(free, "", rates).cost_usd == 0.0


def test_a_published_price_holds_before_the_first_call() -> None:
    rates = Rates({"m": Price(0.001, 0.0001, 0.01)}.get)
    request = ModelRequest("m", (Message("user", "abc def"),), max_output_tokens=10)
    assert worst_case(request, rates).cost_usd == pytest.approx(rates.sent(request) * 0.001 + 0.1)
    rates.learn(request, Usage(1, 0, 1, 1, 55.0))
    assert rates.price("m") == Price(0.001, 0.0001, 0.01)


def test_texts_of_many_tokens_are_expected_to_have_many() -> None:
    assert text_estimate("the whale and the sea " * 30) == 220
    assert text_estimate("0123456789" * 10) == 100
    assert text_estimate("鯨" * 10) == 30
    rates, request = Rates(), ModelRequest("m", (Message("user", "word " * 300),))
    before = rates.sent(request)
    rates.learn(request, Usage(2 * input_estimate(request), 0, 1, 1, None))
    assert rates.sent(request) == pytest.approx(2 * before, abs=2)


async def test_the_children_are_served_by_turns() -> None:
    root = Ledger(limits(calls=1))
    first, second = Ledger(limits(), root), Ledger(limits(), root)
    held = root.reserve_now(usage())
    served: list[str] = []

    async def ask(ledger: Ledger, name: str) -> None:
        reservation = await ledger.reserve(usage())
        served.append(name)
        await asyncio.sleep(0)
        reservation.refund()

    asking = [asyncio.create_task(ask(first, f"a{n}")) for n in range(4)]
    asking += [asyncio.create_task(ask(second, f"b{n}")) for n in range(2)]
    await asyncio.sleep(0)
    held.refund()
    await asyncio.gather(*asking)
    assert served == ["a0", "b0", "a1", "b1", "a2", "a3"]


async def test_who_gives_up_waiting_holds_nothing() -> None:
    ledger = Ledger(limits(calls=1))
    held = ledger.reserve_now(usage())
    waiting = [asyncio.create_task(ledger.reserve(usage())) for _ in range(3)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    held.refund()
    waiting[1].cancel()  # it may have been let in already
    reservation = await asyncio.wait_for(waiting[2], 1)
    reservation.settle(usage())
    assert ledger.spent.calls == 1


def test_meters_say_what_is_left() -> None:
    ledger = Ledger(Limits(cost_usd=1.0, tokens=2000, calls=10))
    ledger.record(Usage(500, 0, 1000, 4, 0.25))
    assert [meter.describe() for meter in ledger.meters()] == [
        "$0.7500 of $1.00",
        "500 of 2,000 tokens",
        "6 of 10 model calls",
    ]
