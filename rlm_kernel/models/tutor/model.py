"""`TutorModel`: the policy and the reader behind the one seam of all models."""

from __future__ import annotations

import asyncio
import os
import time
from typing import TYPE_CHECKING

from rlm_kernel.messages import ModelReply
from rlm_kernel.models.tutor import policy, reader, transcript
from rlm_kernel.usage import Usage

if TYPE_CHECKING:
    from rlm_kernel.messages import FinishReason, ModelRequest, OnText

PACE = 0.8
"""Seconds that typing one reply takes at most, where nothing else is set."""
_TICK = 0.01
_SMALLEST = 3
"""Characters of the smallest piece that is typed."""
_LONG = 50_000
"""A prompt with more characters is read in a thread, so that nothing else waits for it."""


class TutorModel:
    """The built-in model: a deterministic policy, not a language model; no network, no key, no cost.

    - As root it writes the next cell after looking at the question and at what its cells printed (`policy`).
    - As sub-model it quotes the sentence of a passage that shares most words with the question (`reader`).
    - Tokens are counted as a quarter of the characters, so they are marked as estimated.

    Args:
        pace: Seconds the typing of one cell takes at most; 0 writes it at once. Without it the variable
            ``RLM_TUTOR_PACE`` counts, else `PACE`.
    """

    def __init__(self, pace: float | None = None) -> None:
        self.pace = _pace_of_environment() if pace is None else max(0.0, pace)

    async def complete(self, request: ModelRequest, on_text: OnText | None = None) -> ModelReply:
        """Write the next cell (root), or read a passage (sub)."""
        started = time.monotonic()
        text = await self._reply(request)
        finish: FinishReason = "stop"
        if on_text is not None:
            text, finish = await _type(text, self.pace if request.purpose == "root" else 0.0, on_text)
        usage = Usage(
            input_tokens=-(-request.chars // 4),
            output_tokens=-(-len(text) // 4),
            calls=1,
            cost_usd=0.0,
            seconds=time.monotonic() - started,
            estimated=True,
        )
        return ModelReply(text=text, usage=usage, model=request.model or "tutor", finish=finish)

    async def close(self) -> None:
        """Nothing is held open."""

    async def _reply(self, request: ModelRequest) -> str:
        if request.purpose == "root":
            said = transcript.read(request.messages)
            return policy.next_reply(said.question, said.shown)
        prompt = "\n\n".join(message.content for message in request.messages if message.role == "user")
        return reader.read(prompt) if len(prompt) < _LONG else await asyncio.to_thread(reader.read, prompt)


async def _type(text: str, pace: float, on_text: OnText) -> tuple[str, FinishReason]:
    """Hand a text on in pieces; give what was taken and how it ended."""
    ticks = int(pace / _TICK)
    size = max(_SMALLEST, -(-len(text) // ticks)) if ticks else max(1, len(text))
    for start in range(0, len(text), size):
        end = min(start + size, len(text))
        if not await on_text(text[start:end]):
            return text[:end], "cut"
        if ticks and end < len(text):
            await asyncio.sleep(_TICK)
    return text, "stop"


def _pace_of_environment() -> float:
    try:
        return max(0.0, float(os.environ.get("RLM_TUTOR_PACE", "")))
    except ValueError:
        return PACE
