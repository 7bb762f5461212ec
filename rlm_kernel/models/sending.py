"""One request over the wire, by the ``openai`` package: as a stream, or whole."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rlm_kernel.errors import ModelError
from rlm_kernel.models import failures
from rlm_kernel.models.failures import Failure, Place

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from openai import AsyncOpenAI, AsyncStream
    from openai.types.chat import ChatCompletionChunk

    from rlm_kernel.models.dialect import Dialect
    from rlm_kernel.models.reading import Reading

DRAIN_SECONDS = 0.5
"""How long a reply that was cut is read on, unshown, for the usage at its end."""


@dataclass(frozen=True)
class Client:
    """The client of one event loop, and what it was made for."""

    openai: AsyncOpenAI
    http: Any
    """The package's own HTTP client, an ``httpx.AsyncClient`` over aiohttp."""
    headers: dict[str, str]
    place: Place
    timeout: float

    @classmethod
    def make(cls, place: Place, timeout: float) -> Client:
        """Make a client.

        Args:
            place: Where requests go.
            timeout: Seconds without a byte.
        """
        import openai

        waits = openai.Timeout(timeout, connect=min(10.0, timeout), pool=None)
        # A proxy of the environment would be asked for this machine's own servers too.
        http = openai.DefaultAioHttpClient(trust_env=not place.local, timeout=waits)
        client = openai.AsyncOpenAI(
            api_key=place.key, base_url=place.base_url, timeout=waits, max_retries=0, http_client=http
        )
        names = {"OpenAI-Organization": client.organization, "OpenAI-Project": client.project}
        headers = {
            "Accept": "application/json",
            "Authorization": f"Bearer {place.key}",
            "Content-Type": "application/json",
            "User-Agent": client.user_agent,
            **{name: value for name, value in names.items() if value},
        }
        return cls(client, http, headers, place, timeout)


async def send(client: Client, reading: Reading, dialect: Dialect, *, stream: bool) -> Failure | Dialect | None:
    """Send a request once and read the reply.

    A reply that nobody watches is asked for whole: reading the pieces of a stream costs ten times as much as the reply.

    Returns:
        ``None`` where the reply is complete, a dialect to try instead, or what failed.
    """
    import aiohttp
    import openai

    place, model = reading.place, reading.request.model
    try:
        if not stream:
            return await _send_whole(client, reading, dialect)
        await _send_stream(client, reading, dialect)
    except openai.APIStatusError as error:
        if other := dialect.after_refusal(error.status_code, f"{error.body} {error.message}", reading.request):
            return other
        body = error.body if error.body is not None else error.response.text
        return failures.explain_status(error.status_code, body, error.response.headers, place, model)
    except (openai.APIConnectionError, aiohttp.ClientError) as error:
        # A text that is complete is not thrown away because the connection broke before its usage came.
        return None if reading.complete else failures.explain_connection(error, place, model, client.timeout)
    except openai.APIError as error:
        return failures.explain_event(error.body, error.message, place, model)
    except ModelError as error:
        return Failure(error)
    return None


async def _send_whole(client: Client, reading: Reading, dialect: Dialect) -> Failure | Dialect | None:
    """Ask for the reply in one piece, past the package's models of it, whose making takes longer than the request."""
    import openai

    request, place = reading.request, reading.place
    content = json.dumps(dialect.parameters(request, place, stream=False)).encode()
    try:
        response = await client.http.post(f"{place.base_url}/chat/completions", content=content, headers=client.headers)
    except Exception as error:  # the transport's own errors: which ones depends on the package's version
        raise openai.APIConnectionError(request=None) from error  # type: ignore[arg-type]
    if response.is_success:
        await reading.take_whole(response.content, response.headers.get("content-type", "").lower())
        return None
    try:
        body = json.loads(response.content)
        body = body.get("error", body) if isinstance(body, dict) else body
    except ValueError:
        body = response.text
    if other := dialect.after_refusal(response.status_code, str(body), request):
        return other
    return failures.explain_status(response.status_code, body, response.headers, place, request.model)


async def _send_stream(client: Client, reading: Reading, dialect: Dialect) -> None:
    written = dialect.parameters(reading.request, reading.place, stream=True)
    extra = {"usage": written.pop("usage")} if "usage" in written else None
    stream = await client.openai.chat.completions.create(**written, extra_body=extra)
    try:
        await _read(stream, reading)
    finally:
        await stream.close()


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
    except Exception as error:  # the transport's own errors: which ones depends on the package's version
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
