"""What is sent to a model and what comes back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from rlm_kernel.usage import Usage

Role = Literal["system", "user", "assistant"]
FinishReason = Literal["stop", "length", "filter", "cut"]

OnText = Callable[[str], Awaitable[bool]]
"""Told each piece of a reply as it comes; answers whether to go on. ``False`` ends the reply there."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a conversation."""

    role: Role
    content: str


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """One request to a model: everything that decides its answer."""

    model: str
    """The model's name, as the endpoint knows it."""
    messages: tuple[Message, ...]
    max_output_tokens: int | None = None
    """Upper bound of the reply; ``None`` leaves it to the endpoint."""
    temperature: float | None = None
    purpose: Literal["root", "sub"] = "sub"
    """Who asks: the run loop, or ``llm_query``. Models that only play one of the two look at it."""
    schema: str | None = None
    """JSON Schema of the reply, as JSON text with sorted keys; ``None``: free text."""
    sample: int = 0
    """The how-many-th identical request of its run: asked twice, a model may answer twice."""

    @property
    def chars(self) -> int:
        """Characters in all messages."""
        return sum(len(message.content) for message in self.messages)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request over the wire that was made for a reply."""

    started: float
    """Seconds since 1970."""
    seconds: float
    error: str | None = None
    """Why it failed; ``None`` for the one that brought the reply."""
    status: int | None = None
    """HTTP status, where there was one."""


@dataclass(frozen=True, slots=True)
class ModelReply:
    """A model's complete reply."""

    text: str
    usage: Usage
    model: str
    """The name the endpoint says answered."""
    finish: FinishReason = "stop"
    """``stop`` complete · ``length`` output limit · ``filter`` withheld · ``cut`` ended by `OnText`."""
    cached: bool = False
    """Whether it comes from the memo: nothing was asked and nothing is paid."""
    attempts: tuple[Attempt, ...] = ()
    """The requests it took, the failed ones first."""
