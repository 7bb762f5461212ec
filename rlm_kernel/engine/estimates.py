"""How many tokens a text may have, and what they may cost: for reservations, never for what is reported."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rlm_kernel.models.prices import Price
from rlm_kernel.usage import Usage

if TYPE_CHECKING:
    from collections.abc import Callable

    from rlm_kernel.messages import ModelRequest

LETTERS_PER_TOKEN = 3
"""English has about four characters a token; fewer are assumed, so that the reservation holds."""
TOKENS_PER_MESSAGE = 8
OUTPUT_WEIGHT = 5
"""A token received costs about so many times what a token sent does (4 to 8 with the usual providers)."""
CACHED_SHARE = 0.1
"""Share of the price that a cached token costs with most providers."""
USUAL_REPLY = 300
"""Tokens of a reply that are expected of a model that has not answered yet."""
_LETTERS = bytes(range(ord("a"), ord("z") + 1)) + bytes(range(ord("A"), ord("Z") + 1)) + b" \n"


def text_estimate(text: str) -> int:
    """Give the tokens of a text that must be expected.

    Words are cheap. Digits, signs and other scripts may take a token for each byte: tokenizers fall back to that.
    """
    data = text.encode("utf-8", "replace")
    dense = len(data.translate(None, _LETTERS))
    return (len(data) - dense) // LETTERS_PER_TOKEN + dense


def input_estimate(request: ModelRequest) -> int:
    """Give the tokens of a request that must be expected."""
    schema = text_estimate(request.schema) if request.schema else 0
    texts = sum(text_estimate(message.content) for message in request.messages)
    return texts + schema + TOKENS_PER_MESSAGE * len(request.messages)


class Rates:
    """What the next request to a model may use and cost.

    - The price is the published one. Where there is none it is learnt from replies that state their cost; before the
      first of these nothing is reserved, and a model whose cost is never known cannot be held to a limit of cost.
    - The tokens of a text are estimated; a model that counts more than was expected is expected to do so again.

    Args:
        published: Gives the price of a model before its first call.
    """

    def __init__(self, published: Callable[[str], Price | None] = lambda _model: None) -> None:
        self._published = published
        self._learnt: dict[str, float] = {}
        self._density: dict[str, float] = {}
        self._received: dict[str, tuple[int, int]] = {}

    def learn(self, request: ModelRequest, usage: Usage) -> None:
        """Take the true usage of a reply."""
        if usage.estimated:
            return
        model = request.model
        if request.purpose != "root":
            replies, tokens = self._received.get(model, (0, 0))
            self._received[model] = replies + 1, tokens + usage.output_tokens
        if (expected := input_estimate(request)) and usage.input_tokens > expected:
            self._density[model] = max(self._density.get(model, 1.0), usage.input_tokens / expected)
        weight = usage.input_tokens - usage.cached_tokens * (1 - CACHED_SHARE) + OUTPUT_WEIGHT * usage.output_tokens
        if usage.cost_usd is not None and weight > 0:
            self._learnt[model] = max(self._learnt.get(model, 0.0), usage.cost_usd / weight)

    def price(self, model: str) -> Price | None:
        """Give what a token costs at most, published or learnt; ``None`` where nothing is known."""
        published = self._published(model)
        if published is not None:
            return published
        rate = self._learnt.get(model)
        return None if rate is None else Price(rate, rate, rate * OUTPUT_WEIGHT)

    def sent(self, request: ModelRequest) -> int:
        """Give the tokens of a request that must be expected of its model."""
        return int(input_estimate(request) * self._density.get(request.model, 1.0)) + 1

    def usual_reply(self, model: str) -> int:
        """Give the tokens that a reply to a call usually has: the mean of those so far, for a quote."""
        replies, tokens = self._received.get(model, (0, 0))
        return -(-tokens // replies) if replies else USUAL_REPLY

    def cost(self, model: str, sent: int, received: int) -> float | None:
        """Give what so many tokens cost at most; ``None`` where nothing is known of the model."""
        price = self.price(model)
        return None if price is None else price.cost(sent, received)

    def is_free(self, model: str) -> bool:
        """Tell whether a model is known to cost nothing."""
        price = self.price(model)
        return price is not None and price.input == 0 and price.output == 0


def usage_of_cut(request: ModelRequest, received: str, rates: Rates) -> Usage:
    """Estimate the tokens of a request that was cut short before its usage came.

    It was sent and may be charged; what it cost is not known, unless the model is free.
    """
    cost = 0.0 if rates.is_free(request.model) else None
    sent = sum(-(-len(message.content) // 4) for message in request.messages)
    return Usage(sent, 0, -(-len(received) // 4), calls=0, cost_usd=cost, estimated=True)
