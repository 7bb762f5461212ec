"""What was spent, and what may be spent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from collections.abc import Sequence


class UsageDict(TypedDict):
    """`Usage` as JSON; ``cost_usd`` is null where it is unknown."""

    input_tokens: int
    cached_tokens: int
    output_tokens: int
    calls: int
    cost_usd: float | None
    seconds: float
    estimated: bool


@dataclass(frozen=True, slots=True)
class Usage:
    """What one call, or the sum of several, has spent."""

    input_tokens: int = 0
    """Tokens sent, cached ones included."""
    cached_tokens: int = 0
    """Those of the tokens sent that the provider had in its cache."""
    output_tokens: int = 0
    """Tokens received, reasoning included."""
    calls: int = 0
    """Requests that were answered by a model (not by the memo)."""
    cost_usd: float | None = 0.0
    """US dollars; ``None`` where any part of it is unknown, never a guess."""
    seconds: float = 0.0
    """Seconds spent waiting, summed over calls (calls at the same time count each)."""
    estimated: bool = False
    """Whether the endpoint left usage out and the tokens are counted from the length of the text."""

    def __add__(self, other: Usage) -> Usage:
        """Sum two usages; an unknown cost stays unknown."""
        unknown = self.cost_usd is None or other.cost_usd is None
        return Usage(
            self.input_tokens + other.input_tokens,
            self.cached_tokens + other.cached_tokens,
            self.output_tokens + other.output_tokens,
            self.calls + other.calls,
            None if unknown else (self.cost_usd or 0.0) + (other.cost_usd or 0.0),
            self.seconds + other.seconds,
            self.estimated or other.estimated,
        )

    @property
    def tokens(self) -> int:
        """Tokens sent and received."""
        return self.input_tokens + self.output_tokens

    def to_dict(self) -> UsageDict:
        """Give the usage as JSON."""
        return UsageDict(
            input_tokens=self.input_tokens,
            cached_tokens=self.cached_tokens,
            output_tokens=self.output_tokens,
            calls=self.calls,
            cost_usd=self.cost_usd,
            seconds=self.seconds,
            estimated=self.estimated,
        )

    @classmethod
    def from_dict(cls, value: UsageDict) -> Usage:
        """Read what `to_dict` gave."""
        return cls(**value)

    def describe(self, cached: int = 0) -> str:
        """Say it in one short line: ``12 calls · 10 from the memo · 1,204 in · 310 out · $0.0021``.

        Args:
            cached: How many more calls were answered from the memo.
        """
        calls = count(self.calls + cached, "call") + (f" · {cached:,} from the memo" if cached else "")
        tokens = f"{self.input_tokens:,} in · {self.output_tokens:,} out"
        return f"{calls} · {'~' if self.estimated else ''}{tokens} · {money(self.cost_usd)}"


@dataclass(frozen=True, slots=True)
class Limits:
    """What a run may spend; ``None`` means no limit of that kind."""

    cost_usd: float | None = 1.0
    """US dollars, this run and everything below it."""
    tokens: int | None = None
    """Tokens sent and received, this run and everything below it."""
    calls: int | None = 1000
    """Model calls, the root model's turns included."""
    depth: int = 1
    """How many levels of ``rlm_query`` may be below this run."""
    turns: int = 20
    """Replies of the root model."""
    seconds: float | None = None
    """Seconds from the question on, pauses not counted."""
    concurrency: int = 64
    """Calls under way at the same time."""


def money(cost_usd: float | None) -> str:
    """Write a cost for people: ``$0.0021``, ``free``, ``cost unknown``."""
    if cost_usd is None:
        return "cost unknown"
    if cost_usd == 0:
        return "free"
    return f"${cost_usd:.2f}" if cost_usd >= 1 else f"${cost_usd:.4f}"


def count(number: int, word: str) -> str:
    """Write a number with its word: ``1 call``, ``1,204 calls``."""
    return f"{number:,} {word}" if number == 1 else f"{number:,} {word}s"


def either(words: Sequence[str]) -> str:
    """Write alternatives: ``a``, ``a or b``, ``a, b or c``."""
    return " or ".join(filter(None, (", ".join(words[:-1]), words[-1])))
