"""Models behind an OpenAI-compatible endpoint: OpenAI, vLLM, Ollama, LM Studio, llama.cpp, OpenRouter."""

from __future__ import annotations

import asyncio
import os
import random
import sys
from dataclasses import dataclass, replace
from difflib import get_close_matches
from importlib import import_module
from time import perf_counter
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from rlm_kernel.errors import AuthError, EndpointError, ModelError, UnknownModelError
from rlm_kernel.models import failures
from rlm_kernel.models.failures import Failure, Place
from rlm_kernel.models.reading import Reading

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from openai import AsyncOpenAI, AsyncStream
    from openai.types.chat import ChatCompletionChunk

    from rlm_kernel.messages import ModelReply, ModelRequest, OnText

OPENAI = "https://api.openai.com/v1"
DEFAULT_TIMEOUT = 300.0
"""Seconds without a byte before an endpoint counts as silent; reasoning models think for minutes."""
RETRIES = 2
LONGEST_WAIT = 30.0
"""Seconds; an endpoint that asks for a longer wait is not waited for."""
DRAIN_SECONDS = 0.5
"""How long a reply that was cut is read on, unshown, for the usage at its end."""


class OpenAIModel:
    """Asks an endpoint over HTTP; one object serves all its models and any number of requests at once.

    - Streams, with usage in the stream; survives endpoints that refuse `stream_options`, leave usage out,
      or do not stream.
    - Tries again after 408, 409, 429, 5xx and failed connections, as long as no text has been passed on.
    - Reads key and address anew for each request, so that a mended environment is used at once.
    - Keeps one client for each event loop.

    Args:
        environ: Where ``OPENAI_API_KEY``, ``OPENAI_BASE_URL`` and ``RLM_TIMEOUT`` stand.
        backoff: Seconds before the first retry; doubled for the next.
    """

    def __init__(self, environ: Mapping[str, str] | None = None, *, backoff: float = 0.5) -> None:
        self._environ = os.environ if environ is None else environ
        self._backoff = backoff
        self._clients: dict[asyncio.AbstractEventLoop, list[_Client]] = {}
        self._dialects: dict[tuple[str, str], _Dialect] = {}

    async def complete(self, request: ModelRequest, on_text: OnText | None = None) -> ModelReply:
        """Answer a request; see `Model.complete`."""
        started = perf_counter()
        place, timeout = self._place(request.model), self._timeout()
        await _import("openai", "openai.resources.chat", *([] if place.local else ["genai_prices"]))
        client = self._client(place, timeout)
        dialect = self._dialects.get((place.base_url, request.model), _Dialect.of(place))
        retries = 0
        while True:
            reading = Reading(request, place, on_text)
            outcome = await _attempt(client.openai, reading, dialect, timeout)
            if outcome is None:
                self._dialects[place.base_url, request.model] = replace(dialect, proven=True)
                return reading.reply(perf_counter() - started)
            if isinstance(outcome, _Dialect):
                dialect = outcome
                continue
            wait = self._wait(outcome, retries)
            if wait is None or reading.passed_on:
                raise await _with_names(outcome.error, client.openai)
            retries += 1
            await asyncio.sleep(wait)

    async def close(self) -> None:
        """Give back the connections that this event loop has open."""
        for client in self._clients.pop(asyncio.get_running_loop(), []):
            await client.openai.close()

    def _place(self, model: str) -> Place:
        base_url = self._environ.get("OPENAI_BASE_URL", "").strip() or OPENAI
        key = self._environ.get("OPENAI_API_KEY", "").strip()
        parts = urlsplit(base_url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise EndpointError(
                f"OPENAI_BASE_URL is no address: {base_url}.",
                "It must begin with http:// or https://, for instance http://127.0.0.1:11434/v1",
                model=model,
            )
        if not key and parts.hostname.endswith("openai.com"):
            raise AuthError(f"There is no key for {model}: OPENAI_API_KEY is not set.", failures.SET_KEY, model=model)
        if not key.isascii() or not key.isprintable() or " " in key:
            raise AuthError("OPENAI_API_KEY has characters that no key has.", "Copy it again, alone.", model=model)
        return Place(base_url.rstrip("/"), key or failures.NO_KEY)

    def _timeout(self) -> float:
        try:
            seconds = float(self._environ.get("RLM_TIMEOUT", ""))
        except ValueError:
            return DEFAULT_TIMEOUT
        return seconds if seconds > 0 else DEFAULT_TIMEOUT

    def _client(self, place: Place, timeout: float) -> _Client:
        loop = asyncio.get_running_loop()
        made = self._clients.setdefault(loop, [])
        # Requests may still be under way on an earlier one, so it stays open until `close`.
        if not made or (made[-1].place, made[-1].timeout) != (place, timeout):
            made.append(_Client.make(place, timeout))
        return made[-1]

    def _wait(self, failure: Failure, retries: int) -> float | None:
        """Say how long to wait before trying again; ``None``: not again."""
        if not failure.error.retryable or retries >= RETRIES:
            return None
        if failure.after is not None:
            return failure.after if failure.after <= LONGEST_WAIT else None
        return float(self._backoff * 2**retries * random.uniform(0.75, 1.25))


async def _import(*modules: str) -> None:
    """Import what only endpoints need, in a thread: it takes a second, in which the loop would answer nobody."""
    for module in modules:
        if module not in sys.modules:
            await asyncio.to_thread(import_module, module)


@dataclass(frozen=True)
class _Client:
    """The client of one event loop, and what it was made for."""

    openai: AsyncOpenAI
    place: Place
    timeout: float

    @classmethod
    def make(cls, place: Place, timeout: float) -> _Client:
        import openai

        waits = openai.Timeout(timeout, connect=min(10.0, timeout), pool=None)
        # A proxy of the environment would be asked for this machine's own servers too.
        http = openai.DefaultAioHttpClient(trust_env=not place.local, timeout=waits)
        client = openai.AsyncOpenAI(
            api_key=place.key, base_url=place.base_url, timeout=waits, max_retries=0, http_client=http
        )
        return cls(client, place, timeout)


@dataclass(frozen=True)
class _Dialect:
    """What an endpoint understands, learnt from what it refused; kept once a request has succeeded."""

    usage_in_stream: bool = True
    limit_name: str = "max_tokens"
    limit_switched: bool = False
    proven: bool = False

    @classmethod
    def of(cls, place: Place) -> _Dialect:
        # OpenAI's newer models know only the new name, most other servers only the old one.
        official = (urlsplit(place.base_url).hostname or "").endswith("openai.com")
        return cls(limit_name="max_completion_tokens" if official else "max_tokens")

    def parameters(self, request: ModelRequest, place: Place) -> dict[str, Any]:
        """Write a request as the endpoint understands it."""
        written: dict[str, Any] = {
            "model": request.model,
            "messages": [{"role": message.role, "content": message.content} for message in request.messages],
            "stream": True,
        }
        if self.usage_in_stream:
            written["stream_options"] = {"include_usage": True}
        if request.max_output_tokens is not None:
            written[self.limit_name] = request.max_output_tokens
        if request.temperature is not None:
            written["temperature"] = request.temperature
        if (urlsplit(place.base_url).hostname or "").endswith("openrouter.ai"):
            written["extra_body"] = {"usage": {"include": True}}  # states what the call cost
        return written

    def after_refusal(self, status: int, text: str) -> _Dialect | None:
        """Give another dialect to try; ``None``: the refusal is about something else."""
        if status not in (400, 422):
            return None
        if not self.limit_switched and ("max_tokens" in text or "max_completion_tokens" in text):
            other = "max_tokens" if self.limit_name == "max_completion_tokens" else "max_completion_tokens"
            return replace(self, limit_name=other, limit_switched=True)
        # Some servers do not say what they do not know; so one that never accepted the option is tried without it.
        named = "stream_options" in text or "include_usage" in text
        if self.usage_in_stream and (named or not self.proven):
            return replace(self, usage_in_stream=False)
        return None


async def _attempt(
    client: AsyncOpenAI, reading: Reading, dialect: _Dialect, silence: float
) -> Failure | _Dialect | None:
    """Send the request once and read the reply.

    Returns:
        ``None`` where the reply is complete, a dialect to try instead, or what failed.
    """
    import aiohttp
    import openai

    place, model = reading.place, reading.request.model
    try:
        stream = await client.chat.completions.create(**dialect.parameters(reading.request, place))
        try:
            await _read(stream, reading)
        finally:
            await stream.close()
    except openai.APIStatusError as error:
        if other := dialect.after_refusal(error.status_code, f"{error.body} {error.message}"):
            return other
        body = error.body if error.body is not None else error.response.text
        return failures.explain_status(error.status_code, body, error.response.headers, place, model)
    except (openai.APIConnectionError, aiohttp.ClientError) as error:
        # A text that is complete is not thrown away because the connection broke before its usage came.
        return None if reading.complete else failures.explain_connection(error, place, model, silence)
    except openai.APIError as error:
        return failures.explain_event(error.body, error.message, place, model)
    except ModelError as error:
        return Failure(error)
    return None


async def _read(stream: AsyncStream[ChatCompletionChunk], reading: Reading) -> None:
    kind = stream.response.headers.get("content-type", "").lower()
    if "json" in kind or "html" in kind:
        await reading.take_whole(await _body(stream), kind)
        return
    pieces = aiter(stream)
    while (piece := await _next(pieces, reading)) is not None:
        if not await reading.take(piece):
            await _drain(stream, reading)
            return
    reading.finish()


async def _next(pieces: AsyncIterator[ChatCompletionChunk], reading: Reading) -> ChatCompletionChunk | None:
    try:
        return await anext(pieces, None)
    except ValueError as error:
        raise failures.not_a_reply("something that is not JSON", reading.place, reading.request.model) from error


async def _body(stream: AsyncStream[ChatCompletionChunk]) -> bytes:
    import openai

    try:
        return await stream.response.aread()
    except Exception as error:  # the transport's own errors: which ones depends on the client's version
        raise openai.APIConnectionError(request=stream.response.request) from error


async def _drain(stream: AsyncStream[ChatCompletionChunk], reading: Reading) -> None:
    """Read on for a moment after the text was cut.

    The usage comes last. A model that stops right after its code, as it is told to, sends it at once; without it the
    tokens of nearly every turn would be a guess.
    """
    import openai

    try:
        async with asyncio.timeout(DRAIN_SECONDS):
            async for piece in stream:
                reading.note(piece)
    except (TimeoutError, ValueError, openai.APIError):
        return


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
