"""What was spent adds up, and what is unknown stays unknown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rlm_kernel.usage import Usage, count, money

counts = st.integers(0, 10**6)
usages = st.builds(
    Usage, counts, counts, counts, counts, st.none() | st.integers(0, 100).map(float), counts, st.booleans()
)


@given(usages, usages, usages)
def test_sums(a: Usage, b: Usage, c: Usage) -> None:
    assert (a + b) + c == a + (b + c)
    assert a + b == b + a
    assert a + Usage() == a
    assert (a + b).tokens == a.tokens + b.tokens


def test_unknown_cost_is_contagious() -> None:
    assert (Usage(cost_usd=None) + Usage(cost_usd=1.0)).cost_usd is None
    assert (Usage(cost_usd=0.5) + Usage(cost_usd=1.0)).cost_usd == 1.5


@given(usages)
def test_json_and_back(usage: Usage) -> None:
    assert Usage.from_dict(usage.to_dict()) == usage


@pytest.mark.parametrize(
    ("cost", "text"), [(None, "cost unknown"), (0, "free"), (0.00213, "$0.0021"), (1.5, "$1.50"), (12, "$12.00")]
)
def test_money(cost: float | None, text: str) -> None:
    assert money(cost) == text


def test_words() -> None:
    assert count(1, "call") == "1 call"
    assert count(1204, "call") == "1,204 calls"
    assert Usage(1204, 0, 310, 3, 0.0021).describe() == "3 calls · 1,204 in · 310 out · $0.0021"
    assert Usage(10, 0, 1, 1, None, 0, True).describe() == "1 call · ~10 in · 1 out · cost unknown"
