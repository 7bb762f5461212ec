"""What a call costs, and how much a model can read, from published figures."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from rlm_kernel.usage import Usage

ASSUMED_WINDOW = 100_000
"""Tokens that a model is taken to read where nothing is published of it."""


class Price(NamedTuple):
    """What a token of a model costs at most, in US dollars.

    At most, because some providers charge more beyond a length: this is what a reservation needs. What a call did cost
    is computed by `price`.
    """

    input: float
    cached: float
    output: float

    def cost(self, sent: float, received: float) -> float:
        """Give what so many tokens cost, where none of them is cached."""
        return sent * self.input + received * self.output


FREE = Price(0.0, 0.0, 0.0)


@lru_cache(maxsize=256)
def is_loopback(base_url: str) -> bool:
    """Tell whether an endpoint runs on this machine."""
    host = (urlsplit(base_url).hostname or "").lower()
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        address = ip_address(host)
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def price(usage: Usage, base_url: str, *models: str) -> float | None:
    """Compute the cost of one call in US dollars from the prices that come with ``genai-prices``.

    Nothing is fetched: the prices are those of the installed version of the package.

    Args:
        usage: The tokens of the call.
        base_url: The endpoint, which decides whose prices hold.
        models: Names to look up, best first (the one the reply states, then the one that was asked for).

    Returns:
        The cost, or ``None`` where endpoint or model have no published price. An endpoint on this machine has none:
        what it costs is not zero, it is not known to us.
    """
    if is_loopback(base_url):
        return None
    import genai_prices

    tokens = genai_prices.Usage(
        input_tokens=usage.input_tokens,
        cache_read_tokens=min(usage.cached_tokens, usage.input_tokens),
        output_tokens=usage.output_tokens,
    )
    for model in filter(None, models):
        try:
            return float(genai_prices.calc_price(tokens, model, provider_api_url=base_url).total_price)
        except (LookupError, ValueError):
            continue
    return None


@lru_cache(maxsize=256)
def price_of(model: str, base_url: str) -> Price | None:
    """Look up what a token of a model costs at most; ``None`` where nothing is published."""
    info = None if is_loopback(base_url) else _published(model, base_url)
    if info is None:
        return None
    from datetime import UTC, datetime

    found = info.get_prices(datetime.now(tz=UTC))
    sent, received = _highest(found, "input_mtok"), _highest(found, "output_mtok")
    if sent is None or received is None:
        return None
    cached = _highest(found, "cache_read_mtok")
    return Price(sent / 1e6, (sent if cached is None else cached) / 1e6, received / 1e6)


@lru_cache(maxsize=256)
def window_of(model: str, base_url: str) -> int | None:
    """Look up how many tokens a model can read; ``None`` where nothing is published."""
    info = None if is_loopback(base_url) else _published(model, base_url)
    window = None if info is None else info.context_window
    return int(window) if window else None


def _published(model: str, base_url: str) -> Any:
    import genai_prices

    try:
        # No tokens cost nothing; what is wanted is the model it was looked up for.
        return genai_prices.calc_price(genai_prices.Usage(), model, provider_api_url=base_url).model
    except (LookupError, ValueError):
        return None


def _highest(prices: Any, name: str) -> float | None:
    value = getattr(prices, name, None)
    if value is None:
        return None
    tiers = [value.base, *(tier.price for tier in value.tiers)] if hasattr(value, "tiers") else [value]
    return float(max(tiers))
