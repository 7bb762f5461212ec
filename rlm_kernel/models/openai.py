"""Models behind an OpenAI-compatible endpoint: OpenAI, vLLM, Ollama, LM Studio, llama.cpp, OpenRouter."""

from __future__ import annotations

import asyncio
import os
import random
import sys
from dataclasses import replace
from difflib import get_close_matches
from importlib import import_module
from time import perf_counter, time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tenacity import AsyncRetrying, wait_exponential, wait_random

from rlm_kernel.errors import AuthError, EndpointError, ModelError, UnknownModelError
from rlm_kernel.messages import Attempt
from rlm_kernel.models import failures
from rlm_kernel.models.dialect import Dialect
from rlm_kernel.models.failures import Failure, Place
from rlm_kernel.models.places import base_url
from rlm_kernel.models.reading import Reading
from rlm_kernel.models.sending import Client, send

if TYPE_CHECKING:
    from collections.abc import Mapping

    from openai import AsyncOpenAI
    from tenacity import RetryCallState

    from rlm_kernel.messages import ModelReply, ModelRequest, OnText

DEFAULT_TIMEOUT = 300.0
"""Seconds without a byte before an endpoint counts as silent; reasoning models think for minutes."""
DEFAULT_DEADLINE = 1800.0
"""Seconds for a reply, all attempts together."""
RETRIES_OF_STATUS = 5
"""After an answer that says "later": the endpoint is there, and a rate limit takes a while."""
RETRIES = 2
"""After anything else."""
LONGEST_WAIT = 30.0
"""Seconds; an endpoint that asks for a longer wait is not waited for."""
_BUSY_FOR_WHOLE = frozenset({504, 524})
"""A server between us and the model has lost patience: the pieces of a stream keep it awake."""


class OpenAIModel:
    """Asks an endpoint over HTTP; one object serves all its models and any number of requests at once.

    - Streams where somebody watches the text, with usage in the stream; else asks for the reply whole. Survives
      endpoints that refuse `stream_options` or `response_format`, leave usage out, or do not stream.
    - Tries again after 408, 409, 429, 5xx, silence and failed connections, as long as no text has been passed on and
      nothing was spent; each attempt is in the reply, or in the error.
    - Ends at the deadline, whatever the endpoint does.
    - Reads key and address anew for each request, so that a mended environment is used at once.
    - Keeps one client for each event loop.

    Args:
        environ: Where ``OPENAI_API_KEY``, ``OPENAI_BASE_URL``, ``RLM_TIMEOUT`` and ``RLM_DEADLINE`` stand.
        backoff: Seconds before the first retry; doubled for the next.
    """

    def __init__(self, environ: Mapping[str, str] | None = None, *, backoff: float = 0.5) -> None:
        self._environ = os.environ if environ is None else environ
        self._waits = wait_exponential(multiplier=backoff, max=LONGEST_WAIT) + wait_random(0, backoff / 2)
        self._clients: dict[asyncio.AbstractEventLoop, list[Client]] = {}
        self._dialects: dict[tuple[str, str, str | None], Dialect] = {}

    async def complete(self, request: ModelRequest, on_text: OnText | None = None) -> ModelReply:
        """Answer a request; see `Model.complete`."""
        place, silence = self._place(request.model), self._seconds("RLM_TIMEOUT", DEFAULT_TIMEOUT)
        deadline = self._seconds("RLM_DEADLINE", DEFAULT_DEADLINE)
        await _import("openai", "openai.resources.chat", *([] if place.local else ["genai_prices"]))
        client = self._client(place, silence)
        limit = asyncio.timeout(deadline)
        asking = _Asking(self, client, request, on_text and _off_the_clock(on_text, limit))
        try:
            async with limit:
                return await asking.complete()
        except TimeoutError as late:
            error: ModelError = failures.too_late(place, request.model, deadline)
            error.usage = asking.reading.spent_so_far()
            asking.note(error.message)
            error.attempts = tuple(asking.attempts)
            raise error from late
        except ModelError as problem:
            problem.attempts = tuple(asking.attempts)
            raise await _with_names(problem, client.openai) from problem.__cause__

    async def close(self) -> None:
        """Give back the connections that this event loop has open."""
        for client in self._clients.pop(asyncio.get_running_loop(), []):
            await client.openai.close()

    def dialect(self, place: Place, request: ModelRequest) -> Dialect:
        """Give how to ask this model."""
        learnt = self._dialects.get((place.base_url, request.model, request.schema))
        return learnt or self._dialects.get((place.base_url, request.model, None)) or Dialect.of(place)

    def learn(self, place: Place, request: ModelRequest, dialect: Dialect) -> None:
        """Keep a dialect that was understood."""
        if not dialect.proven:
            self._dialects[place.base_url, request.model, request.schema] = replace(dialect, proven=True)

    def wait(self, failure: Failure, state: RetryCallState) -> float:
        """Say how many seconds to wait before trying again."""
        if failure.after is None:
            return float(self._waits(state))
        # Many calls are told the same; they should not all come back in the same instant.
        return failure.after * random.uniform(1.0, 1.1)

    def _place(self, model: str) -> Place:
        url = base_url(self._environ)
        key = self._environ.get("OPENAI_API_KEY", "").strip()
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise EndpointError(
                f"OPENAI_BASE_URL is no address: {url}.",
                "It must begin with http:// or https://, for instance http://127.0.0.1:11434/v1",
                model=model,
            )
        if not key and parts.hostname.endswith("openai.com"):
            raise AuthError(f"There is no key for {model}: OPENAI_API_KEY is not set.", failures.SET_KEY, model=model)
        if not key.isascii() or not key.isprintable() or " " in key:
            raise AuthError("OPENAI_API_KEY has characters that no key has.", "Copy it again, alone.", model=model)
        return Place(url, key or failures.NO_KEY)

    def _seconds(self, name: str, default: float) -> float:
        try:
            seconds = float(self._environ.get(name, ""))
        except ValueError:
            return default
        return seconds if seconds > 0 else default

    def _client(self, place: Place, silence: float) -> Client:
        loop = asyncio.get_running_loop()
        made = self._clients.setdefault(loop, [])
        # Requests may still be under way on an earlier one, so it stays open until `close`.
        if not made or (made[-1].place, made[-1].timeout) != (place, silence):
            made.append(Client.make(place, silence))
        return made[-1]


class _Tried(Exception):
    """An attempt failed; carries how, through the library that decides on the next."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.error.message)
        self.failure = failure


class _Asking:
    """The attempts that are made for one reply."""

    def __init__(self, model: OpenAIModel, client: Client, request: ModelRequest, on_text: OnText | None) -> None:
        self.attempts: list[Attempt] = []
        self.reading = Reading(request, client.place, on_text)
        self._model = model
        self._client = client
        self._request = request
        self._on_text = on_text
        self._stream = on_text is not None
        self._started = perf_counter()
        self._since = time()

    async def complete(self) -> ModelReply:
        """Bring the reply."""
        try:
            failure = await self._try()
            if failure is not None:
                await self._try_again(failure)
        except _Tried as tried:
            raise tried.failure.error from None
        self.note(None, 200)
        reply = self.reading.reply(perf_counter() - self._started)
        return replace(reply, attempts=tuple(self.attempts))

    async def _try_again(self, first: Failure) -> None:
        """Go on after a first failure. Most requests have none, and never get here."""
        pending: Failure | None = first
        retrying = AsyncRetrying(retry=_is_worth_another, wait=self._wait, reraise=True)
        async for attempt in retrying:
            with attempt:
                # The first round is the attempt that was made already.
                failure, pending = pending or await self._try(), None
                if failure is not None:
                    raise _Tried(failure)

    def _wait(self, state: RetryCallState) -> float:
        return self._model.wait(_failure_of(state), state)

    async def _try(self) -> Failure | None:
        """Make one attempt, in the dialect the endpoint understands."""
        place = self._client.place
        dialect = self._model.dialect(place, self._request)
        while True:
            self._since = time()
            self.reading = Reading(self._request, place, self._on_text)
            outcome = await send(self._client, self.reading, dialect, stream=self._stream)
            if outcome is None:
                self._model.learn(place, self._request, dialect)
                return None
            if isinstance(outcome, Failure):
                break
            self.note("refused an option of the request; asked without it", 400)
            dialect = outcome
        self.note(outcome.error.message, outcome.status)
        self._stream = self._stream or outcome.silent or outcome.status in _BUSY_FOR_WHOLE
        outcome.error.usage = self.reading.spent_so_far()
        if self.reading.passed_on or outcome.error.usage is not None:
            raise _Tried(outcome)
        return outcome

    def note(self, error: str | None, status: int | None = None) -> None:
        """Write down how an attempt ended."""
        self.attempts.append(Attempt(self._since, time() - self._since, error, status))


def _off_the_clock(on_text: OnText, limit: asyncio.Timeout) -> OnText:
    """Let the deadline rest while the listener has the text: it may hold the reply for as long as a pause lasts."""

    async def told(text: str) -> bool:
        loop = asyncio.get_running_loop()
        left = (limit.when() or 0.0) - loop.time()
        limit.reschedule(None)
        try:
            return await on_text(text)
        finally:
            if not limit.expired():
                limit.reschedule(loop.time() + left)

    return told


def _failure_of(state: RetryCallState) -> Failure:
    error = state.outcome.exception() if state.outcome else None
    assert isinstance(error, _Tried)
    return error.failure


def _is_worth_another(state: RetryCallState) -> bool:
    error = state.outcome.exception() if state.outcome else None
    if not isinstance(error, _Tried) or not error.failure.error.retryable or error.failure.error.usage is not None:
        return False
    failure = error.failure
    most = RETRIES if failure.status is None else RETRIES_OF_STATUS
    return state.attempt_number <= most and (failure.after is None or failure.after <= LONGEST_WAIT)


async def _import(*modules: str) -> None:
    """Import what only endpoints need, in a thread: it takes a second, in which the loop would answer nobody."""
    for module in modules:
        if module not in sys.modules:
            await asyncio.to_thread(import_module, module)


async def _with_names(error: ModelError, client: AsyncOpenAI) -> ModelError:
    """Add to an unknown model's error which ones the endpoint has, if it says so quickly."""
    if not isinstance(error, UnknownModelError):
        return error
    import openai

    try:
        names = [model.id for model in (await client.models.list(timeout=3)).data or []]
    except (openai.APIError, ValueError, AttributeError, TypeError):
        return error
    near = get_close_matches(error.model, names, n=5, cutoff=0.3) or names[:5]
    if near:
        error.remedy = f"It has {', '.join(near)}{' …' if len(names) > len(near) else ''}. {error.remedy}"
    return error
