"""What is spent never passes what is allowed, whatever the replies are like, how many there are and who asks."""

from __future__ import annotations

import asyncio
import dataclasses
import random
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rlm_kernel.engine.budget import Ledger
from rlm_kernel.engine.control import Control
from rlm_kernel.engine.estimates import Rates
from rlm_kernel.engine.exchange import Exchange
from rlm_kernel.engine.gate import Gate
from rlm_kernel.engine.observer import Observer
from rlm_kernel.engine.scope import Scope
from rlm_kernel.errors import BadReplyError, EndpointError, LimitExceeded
from rlm_kernel.ids import NodeId, RunId
from rlm_kernel.messages import Message, ModelReply, ModelRequest, OnText
from rlm_kernel.models.memo import Memo
from rlm_kernel.models.prices import Price
from rlm_kernel.models.registry import Registry
from rlm_kernel.models.slots import Slots
from rlm_kernel.trace.records import Node
from rlm_kernel.trace.tree import Tree
from rlm_kernel.usage import Limits, Usage

PRICE = Price(0.000002, 0.0000002, 0.00001)
RUN = RunId("run-1")


class Provider:
    """Replies of a random size up to the limit of output; some fail, some of these are charged all the same."""

    price = PRICE

    def __init__(self, seed: int, failing: float) -> None:
        self.random, self.failing = random.Random(seed), failing
        self.answered = self.tokens = 0
        self.cost = 0.0

    async def complete(self, request: ModelRequest, on_text: OnText | None = None) -> ModelReply:
        await asyncio.sleep(self.random.choice([0, 0, 0.0001]))
        sent = sum(-(-len(message.content) // 4) for message in request.messages)
        received = self.random.choice([1, self.random.randint(1, request.max_output_tokens or 6000)])
        received = request.max_output_tokens or received if self.random.random() < 0.2 else received
        usage = Usage(sent, 0, received, 1, PRICE.cost(sent, received))
        fate = self.random.random()
        if fate < self.failing / 2:
            raise EndpointError("Overloaded.", retryable=True)
        self.tokens, self.cost = self.tokens + usage.tokens, self.cost + PRICE.cost(sent, received)
        if fate < self.failing:
            problem = BadReplyError("Broke off.", retryable=True)
            problem.usage = dataclasses.replace(usage, calls=0)
            raise problem
        self.answered += 1
        return ModelReply("x", usage, "m")

    async def close(self) -> None:
        pass


def scope_of(provider: Provider, limits: Limits, concurrency: int = 64) -> Scope:
    models = Registry({}, {"m": provider})
    control = Control()
    control.begin()
    ledger, rates = Ledger(limits), Rates(models.price)
    return Scope(Tree(), Observer(), models, control, Gate(control), ledger, rates, Memo(), Slots(concurrency))


class Asker:
    """Asks in a scope and its children, and keeps what came of it."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.tree = scope.tree
        self.tree.add(Node(NodeId(RUN), RUN, None, "run", "q"))
        self.numbers = count()
        self.refused = self.failed = self.done = 0

    async def ask(self, scope: Scope, chars: int) -> None:
        number = next(self.numbers)
        node = Node(NodeId(f"{RUN}/{number}"), RUN, NodeId(RUN), "call", "c")
        self.tree.add(node)
        exchange = Exchange(scope, ModelRequest("m", (Message("user", f"{number} " + "x" * chars),)), RUN)
        try:
            await exchange.admit()
            await exchange.complete(node)
            self.done += 1
        except LimitExceeded:
            self.refused += 1
        except (EndpointError, BadReplyError):
            self.failed += 1
        finally:
            exchange.close()

    @property
    def spent(self) -> Usage:
        return self.tree.total(NodeId(RUN))


@settings(max_examples=12, deadline=None)
@given(
    st.integers(0, 2**32),
    st.floats(0.001, 2.0),
    st.integers(500, 2_000_000),
    st.integers(1, 1200),
    st.sampled_from([0.0, 0.1, 0.5]),
    st.sampled_from([1, 64, 1000]),
)
def test_a_thousand_calls_at_once_with_children_spend_no_more_than_is_allowed(
    seed: int, cost: float, tokens: int, calls: int, failing: float, concurrency: int
) -> None:
    async def go() -> None:
        provider = Provider(seed, failing)
        scope = scope_of(provider, Limits(cost_usd=cost, tokens=tokens, calls=calls), concurrency)
        limits = [Limits(cost_usd=cost / 3, calls=calls), Limits(cost_usd=None, tokens=tokens // 4, calls=200)]
        scopes = [scope, *(dataclasses.replace(scope, ledger=Ledger(each, scope.ledger)) for each in limits)]
        scopes.append(dataclasses.replace(scope, ledger=Ledger(limits[1], scopes[1].ledger)))
        asker = Asker(scope)
        rng = random.Random(seed)
        await asyncio.gather(*(asker.ask(rng.choice(scopes), rng.choice([10, 400, 6000])) for _ in range(1000)))
        assert asker.done + asker.refused + asker.failed == 1000
        assert provider.cost <= cost + 1e-12
        assert provider.tokens <= tokens
        assert provider.answered <= calls
        for each in scopes:
            allowed, spent = each.ledger.limits, each.ledger.spent
            assert allowed.cost_usd is None or each.ledger.known_cost <= allowed.cost_usd + 1e-12
            assert allowed.tokens is None or spent.tokens <= allowed.tokens
            assert allowed.calls is None or spent.calls <= allowed.calls
        assert asker.spent.tokens == provider.tokens == scope.ledger.spent.tokens
        assert asker.spent.calls == provider.answered == asker.done
        assert asker.spent.cost_usd == pytest.approx(provider.cost)
        assert scope.slots.held == 0

    asyncio.run(go())


@pytest.mark.parametrize("calls", [1, 7, 64, 500, 999])
async def test_a_batch_is_cut_exactly(calls: int) -> None:
    provider = Provider(1, 0.0)
    scope = scope_of(provider, Limits(cost_usd=None, calls=calls))
    asker = Asker(scope)
    await asyncio.gather(*(asker.ask(scope, 100) for _ in range(1000)))
    assert (asker.done, asker.refused, provider.answered) == (calls, 1000 - calls, calls)


async def test_a_limit_is_used_to_its_end() -> None:
    provider = Provider(2, 0.0)
    scope = scope_of(provider, Limits(cost_usd=0.5, calls=None))
    asker = Asker(scope)
    await asyncio.gather(*(asker.ask(scope, 400) for _ in range(1000)))
    assert asker.refused
    assert 0.45 < provider.cost <= 0.5
