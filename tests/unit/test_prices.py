"""What a call costs."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from rlm_kernel.messages import Message, ModelRequest
from rlm_kernel.models.failures import Place
from rlm_kernel.models.prices import is_loopback, price, price_of, window_of
from rlm_kernel.models.reading import Reading
from rlm_kernel.usage import Usage

OPENAI = "https://api.openai.com/v1"
USAGE = Usage(input_tokens=1_000_000, output_tokens=1_000_000)


def test_a_published_price_is_used_and_cached_tokens_are_cheaper():
    full = price(USAGE, OPENAI, "gpt-4o-mini")
    assert full == pytest.approx(0.15 + 0.60)
    cached = price(Usage(1_000_000, 1_000_000, 1_000_000), OPENAI, "gpt-4o-mini")
    assert cached is not None
    assert cached < full


def test_the_name_of_the_request_is_tried_after_that_of_the_reply():
    assert price(USAGE, OPENAI, "a-name-nobody-has", "gpt-4o-mini") == price(USAGE, OPENAI, "gpt-4o-mini")


@pytest.mark.parametrize(
    ("base_url", "model"),
    [
        (OPENAI, "a-name-nobody-has"),
        (OPENAI, ""),
        ("https://llm.example.org/v1", "gpt-4o-mini"),
        ("http://localhost:8000/v1", "gpt-4o-mini"),
        ("http://127.0.0.1:11434/v1", "gpt-4o-mini"),
        ("http://[::1]:8080/v1", "gpt-4o-mini"),
    ],
)
def test_what_is_not_known_is_none_never_zero(base_url, model):
    assert price(USAGE, base_url, model) is None


def test_more_cached_than_sent_is_not_paid_twice():
    assert price(Usage(10, 50, 0), OPENAI, "gpt-4o-mini") == price(Usage(10, 10, 0), OPENAI, "gpt-4o-mini")


@pytest.mark.parametrize(
    ("url", "local"),
    [
        ("http://localhost:1/v1", True),
        ("http://0.0.0.0:1", True),
        ("http://10.0.0.5/v1", False),
        ("https://a.b", False),
    ],
)
def test_loopback(url, local):
    assert is_loopback(url) is local


def usage_of(base_url: str, **fields: object) -> Usage:
    request = ModelRequest("gpt-4o-mini", (Message("user", "Hello"),))
    reading = Reading(request, Place(base_url, "key"), None)
    reading.note(SimpleNamespace(choices=[], model="gpt-4o-mini-2024-07-18", usage=SimpleNamespace(**fields)))
    return reading.reply(0.0).usage


def test_the_cost_of_a_reply_is_its_usage_at_the_published_price():
    usage = usage_of(OPENAI, prompt_tokens=1_000_000, completion_tokens=0)
    assert usage.cost_usd == pytest.approx(0.15)


@pytest.mark.parametrize(
    ("fields", "cost"),
    [
        ({"cost": 0.25}, 0.25),
        ({"cost": 0}, 0.0),
        ({"cost": "much"}, 0.0000015),
        ({"cost": float("nan")}, 0.0000015),
        ({"cost": -1}, 0.0000015),
        ({"cost": 0.01, "is_byok": True, "cost_details": {"upstream_inference_cost": 0.5}}, 0.51),
    ],
)
def test_a_stated_cost_comes_first_where_it_is_an_amount(fields, cost):
    assert usage_of(OPENAI, prompt_tokens=10, completion_tokens=0, **fields).cost_usd == pytest.approx(cost)


@pytest.mark.parametrize(
    "fields",
    [
        {"prompt_tokens_details": SimpleNamespace(cached_tokens=6)},
        {"prompt_cache_hit_tokens": 6},
        {"cached_tokens": 6},
        {"prompt_tokens_details": None, "cached_tokens": 6.0},
    ],
)
def test_cached_tokens_in_the_ways_servers_state_them(fields):
    assert usage_of(OPENAI, prompt_tokens=10, completion_tokens=1, **fields).cached_tokens == 6


def test_usage_of_zeros_is_taken_as_left_out():
    usage = usage_of(OPENAI, prompt_tokens=0, completion_tokens=0)
    assert usage.estimated
    assert usage.cost_usd is None


def test_prices_and_windows_are_known_before_a_call():
    known = price_of("gpt-4o-mini", OPENAI)
    assert known is not None
    assert 0 < known.cached < known.input < known.output < 0.0001
    assert known.cost(1000, 100) == pytest.approx(price(Usage(1000, 0, 100, 1), OPENAI, "gpt-4o-mini"))
    assert window_of("gpt-4o-mini", OPENAI) >= 100_000


@pytest.mark.parametrize(("model", "url"), [("gpt-4o-mini", "http://127.0.0.1:8000/v1"), ("no-such-model", OPENAI)])
def test_where_nothing_is_published_nothing_is_known(model, url):
    assert price_of(model, url) is None
    assert window_of(model, url) is None


def test_a_price_with_steps_is_its_highest():
    long, short = Usage(900_000, 0, 10, 1), Usage(1000, 0, 10, 1)
    google = "https://generativelanguage.googleapis.com/v1beta/openai/"
    known = price_of("gemini-2.5-pro", google)
    for usage in (long, short):
        assert price(usage, google, "gemini-2.5-pro") <= known.cost(usage.input_tokens, usage.output_tokens) + 1e-9
