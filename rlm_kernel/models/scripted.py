"""A model that gives prepared replies: for tests, teaching and talks."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

from rlm_kernel.errors import InputError, ModelError
from rlm_kernel.messages import ModelReply
from rlm_kernel.usage import Usage

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rlm_kernel.messages import FinishReason, ModelRequest, OnText

REMEDY = "A scripted model is named by the path of a JSON file with `root`, a list of replies."
Sub = str | Mapping[str, str] | Callable[[str], str]
"""Answers of the sub-model: one text; the first pattern found in the prompt; or a function of the prompt."""


class ScriptedModel:
    """Gives the root's replies in order, and answers sub-calls by a rule.

    Usage is exact for what it is: a token is four characters, begun ones count, and nothing costs anything.

    Args:
        replies: The root's replies, one a turn, from the first question on.
        sub: How sub-calls are answered; ``None``: they fail.
        chunk: Characters of a reply that come at once; 0: all of it.
        delay: Seconds before each piece.
        repeat: Start over after the last reply; otherwise a request after it fails.
    """

    def __init__(
        self,
        replies: Iterable[str],
        sub: Sub | None = None,
        chunk: int = 0,
        delay: float = 0.0,
        *,
        repeat: bool = False,
    ) -> None:
        self._replies = list(replies)
        self._given = 0
        self._sub = sub
        self._chunk = chunk
        self._delay = delay
        self._repeat = repeat

    @classmethod
    def from_file(cls, path: str | Path) -> ScriptedModel:
        """Read a JSON object: ``root`` (list of replies); if wanted ``sub``, ``chunk``, ``delay``, ``repeat``.

        Raises:
            InputError: The file is not there or not of this form.
        """
        try:
            content = json.loads(Path(path).expanduser().read_text(encoding="utf-8"))
        except OSError as error:
            raise InputError(f"The script {path} cannot be read: {error.strerror or error}.", REMEDY) from error
        except ValueError as error:
            raise InputError(f"The script {path} is not valid JSON: {error}.", REMEDY) from error
        return _from_content(content, str(path))

    async def complete(self, request: ModelRequest, on_text: OnText | None = None) -> ModelReply:
        """Give the next reply, in pieces."""
        started = perf_counter()
        text = self._next_root(request) if request.purpose == "root" else self._answer_sub(request)
        text, finish = await self._stream(text, on_text)
        sent = sum(_tokens(message.content) for message in request.messages)
        usage = Usage(sent, 0, _tokens(text), calls=1, cost_usd=0.0, seconds=perf_counter() - started)
        return ModelReply(text, usage, request.model, finish)

    async def close(self) -> None:
        """Do nothing; there is nothing to give back."""

    def _next_root(self, request: ModelRequest) -> str:
        if self._repeat and self._replies and self._given >= len(self._replies):
            self._given = 0
        if self._given >= len(self._replies):
            raise ModelError(
                f"The script has no reply left: all of its {len(self._replies)} were given.",
                "Add replies to it, or choose another model with %rlm --model NAME.",
                model=request.model,
            )
        self._given += 1
        return self._replies[self._given - 1]

    def _answer_sub(self, request: ModelRequest) -> str:
        prompt = request.messages[-1].content if request.messages else ""
        if isinstance(self._sub, str):
            return self._sub
        if isinstance(self._sub, Mapping):
            for pattern, answer in self._sub.items():
                if pattern in prompt or _matches(pattern, prompt):
                    return answer
        elif self._sub is not None:
            return self._sub(prompt)
        raise ModelError(
            f"The script has no answer to this llm_query: {prompt[:80]!r}.",
            'Add a rule for it under "sub".',
            model=request.model,
        )

    async def _stream(self, text: str, on_text: OnText | None) -> tuple[str, FinishReason]:
        step = self._chunk or len(text) or 1
        for start in range(0, len(text), step):
            if self._delay:
                await asyncio.sleep(self._delay)
            if on_text is not None and not await on_text(text[start : start + step]):
                return text[: start + step], "cut"
        return text, "stop"


def _tokens(text: str) -> int:
    return -(-len(text) // 4)


def _matches(pattern: str, prompt: str) -> bool:
    try:
        return re.search(pattern, prompt) is not None
    except re.error:  # plain text with a bracket or a star in it; it was looked for as it stands
        return False


def _from_content(content: object, path: str) -> ScriptedModel:
    """Check the form of a script file, so that a slip shows when the model is chosen, not in mid run."""
    if not isinstance(content, dict):
        raise InputError(f'The script {path} must be a JSON object with "root".')
    root, sub = content.get("root"), content.get("sub")
    chunk, delay, repeat = content.get("chunk", 0), content.get("delay", 0.0), content.get("repeat", False)
    if not isinstance(root, list) or not all(isinstance(reply, str) for reply in root):
        raise InputError(f'"root" in the script {path} must be a list of texts.')
    answers = list(sub.values()) if isinstance(sub, dict) else [sub or ""]
    if not all(isinstance(answer, str) for answer in answers):
        raise InputError(f'"sub" in the script {path} must be a text, or an object of pattern and answer.')
    if unknown := sorted(set(content) - {"root", "sub", "chunk", "delay", "repeat"}):
        raise InputError(f"The script {path} has an unknown entry: {', '.join(unknown)}.")
    if not isinstance(chunk, int) or chunk < 0 or not isinstance(delay, int | float) or delay < 0:
        raise InputError(f'"chunk" and "delay" in the script {path} must be numbers, 0 or more.')
    return ScriptedModel(root, sub, chunk, float(delay), repeat=bool(repeat))
