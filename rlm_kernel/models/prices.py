"""What a call costs, from published prices."""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from rlm_kernel.usage import Usage


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
