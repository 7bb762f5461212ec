"""Reading one reply from the pieces of its stream."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING

from rlm_kernel.errors import EndpointError
from rlm_kernel.messages import ModelReply
from rlm_kernel.models import failures
from rlm_kernel.models.prices import price
from rlm_kernel.usage import Usage

if TYPE_CHECKING:
    from rlm_kernel.messages import FinishReason, ModelRequest, OnText
    from rlm_kernel.models.failures import Place

_FINISH: dict[str, FinishReason] = {"length": "length", "max_tokens": "length", "content_filter": "filter"}
_FAILED = frozenset({"error", "abort", "insufficient_system_resource"})


class Reading:
    """Collects text, usage and model name from the pieces, and tells each text on.

    Takes pieces as the ``openai`` package gives them, but trusts none of their fields: servers leave many out.

    Args:
        request: What was asked.
        place: Where.
        on_text: Told each text as it comes.
    """

    def __init__(self, request: ModelRequest, place: Place, on_text: OnText | None) -> None:
        self.request, self.place = request, place
        self.passed_on = False
        """Whether any text was told on; from then on the request cannot be tried again unseen."""
        self._on_text = on_text
        self._texts: list[str] = []
        self._refusal = ""
        self._usage: object = None
        self._model = ""
        self._finish: str | None = None
        self._cut = False
        self._choices = 0

    @property
    def complete(self) -> bool:
        """Whether the endpoint has said that the text is complete, or the text was cut on purpose."""
        return self._finish is not None or self._cut

    async def take(self, piece: object) -> bool:
        """Take the next piece; answers whether to go on."""
        self.note(piece)
        for choice in _list(piece, "choices"):
            self._choices += 1
            delta = getattr(choice, "delta", None)
            self._refusal += _text(delta, "refusal")
            finish = getattr(choice, "finish_reason", None)
            self._finish = str(finish) if finish else self._finish
            if (text := _text(delta, "content")) and not await self._tell(text):
                return False
        return True

    def note(self, piece: object) -> None:
        """Note what a piece says besides its text."""
        if not hasattr(piece, "choices") and not hasattr(piece, "usage"):
            raise failures.not_a_reply("something else", self.place, self.request.model)
        self._usage = getattr(piece, "usage", None) or self._usage
        self._model = _text(piece, "model") or self._model

    async def take_whole(self, body: bytes, content_type: str) -> None:
        """Take an answer that did not come as a stream: a complete reply, an error, or something else."""
        model = self.request.model
        try:
            answer = json.loads(body, object_hook=lambda fields: SimpleNamespace(**fields))
        except (ValueError, TypeError, RecursionError) as error:
            what = "a web page" if "html" in content_type else "something that is not JSON"
            raise failures.not_a_reply(what, self.place, model) from error
        problem = getattr(answer, "error", None)
        if problem:
            fields = vars(problem) if isinstance(problem, SimpleNamespace) else {"message": str(problem)}
            raise failures.explain_event(fields, "", self.place, model).error
        if not isinstance(answer, SimpleNamespace):
            raise failures.not_a_reply("something else", self.place, model)
        self.note(answer)
        if not _list(answer, "choices"):
            raise failures.not_a_reply("an answer without choices", self.place, model)
        for choice in _list(answer, "choices")[:1]:
            self._choices += 1
            message = getattr(choice, "message", None)
            self._refusal += _text(message, "refusal")
            self._finish = str(getattr(choice, "finish_reason", None) or "stop")
            if text := _text(message, "content"):
                await self._tell(text)
        self.finish()

    def finish(self) -> None:
        """Check, at the end of the stream, that this is a complete reply.

        Raises:
            BadReplyError: It has no choices, or broke off.
            EndpointError: The endpoint says that it failed.
        """
        model = self.request.model
        if self._cut:
            return
        if not self._choices:
            raise failures.not_a_reply("an empty stream", self.place, model)
        if self._finish is None:
            raise failures.broken_off(sum(map(len, self._texts)), self.place, model)
        if self._finish in _FAILED:
            text = f"{self.place.shown} gave up in the middle of a reply of {model}."
            raise EndpointError(text, "Ask again.", model=model, retryable=True)

    def reply(self, seconds: float) -> ModelReply:
        """Give the reply, with its usage."""
        text = "".join(self._texts)
        finish: FinishReason = "cut" if self._cut else _FINISH.get(self._finish or "", "stop")
        if not text and self._refusal:
            text, finish = self._refusal, "filter"
        model = self._model or self.request.model
        return ModelReply(text, self._spent(text, model, seconds), model, finish)

    def spent_so_far(self) -> Usage | None:
        """Give what a request has spent that brought no reply: stated, or estimated from the text that came.

        It counts as no call that was answered. Nothing is known to be spent where nothing came.
        """
        text = "".join(self._texts)
        stated = _number(self._usage, "prompt_tokens") or _number(self._usage, "completion_tokens")
        if not stated and not text:
            return None
        return replace(self._spent(text, self._model or self.request.model, 0.0), calls=0)

    async def _tell(self, text: str) -> bool:
        self._texts.append(text)
        if self._on_text is None:
            return True
        self.passed_on = True
        if await self._on_text(text):
            return True
        self._cut = True
        return False

    def _spent(self, text: str, model: str, seconds: float) -> Usage:
        sent, received = _number(self._usage, "prompt_tokens"), _number(self._usage, "completion_tokens")
        if not sent and not received:
            # Four characters a token is right within a third for English; the person is shown that it is an estimate.
            sent, received = sum(-(-len(message.content) // 4) for message in self.request.messages), -(-len(text) // 4)
            return Usage(sent, 0, received, calls=1, cost_usd=None, seconds=seconds, estimated=True)
        cached = _number(getattr(self._usage, "prompt_tokens_details", None), "cached_tokens")
        cached = cached or _number(self._usage, "prompt_cache_hit_tokens") or _number(self._usage, "cached_tokens")
        usage = Usage(sent, min(cached, sent), received, calls=1, cost_usd=None, seconds=seconds)
        cost = _stated_cost(self._usage)
        if cost is None:
            cost = price(usage, self.place.base_url, model, self.request.model)
        return Usage(sent, usage.cached_tokens, received, calls=1, cost_usd=cost, seconds=seconds)


def _stated_cost(usage: object) -> float | None:
    """Give the cost that the endpoint states in the reply, as OpenRouter does."""
    cost = _amount(getattr(usage, "cost", None))
    if cost is None or not getattr(usage, "is_byok", False):
        return cost
    # With a key of one's own, `cost` is the broker's fee alone.
    details = getattr(usage, "cost_details", None)
    upstream = _amount(details.get("upstream_inference_cost") if isinstance(details, dict) else None)
    return None if upstream is None else cost + upstream


def _amount(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) and value >= 0 else None


def _list(holder: object, name: str) -> list[object]:
    value = getattr(holder, name, None)
    return list(value) if isinstance(value, list | tuple) else []


def _text(holder: object, name: str) -> str:
    value = getattr(holder, name, None)
    return value if isinstance(value, str) else ""


def _number(holder: object, name: str) -> int:
    return int(_amount(getattr(holder, name, None)) or 0)
