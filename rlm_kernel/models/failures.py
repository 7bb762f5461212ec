"""From an endpoint's failures to errors that say what to do.

Knows nothing of the HTTP client: it is given a status, a body, headers or the chain of causes.
The key never gets into a text.
"""

from __future__ import annotations

import errno
import json
import re
import socket
import ssl
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from rlm_kernel.errors import (
    AuthError,
    BadReplyError,
    EndpointError,
    ModelError,
    RequestRefusedError,
    UnknownModelError,
)
from rlm_kernel.models.prices import is_loopback

if TYPE_CHECKING:
    from collections.abc import Mapping

NO_KEY = "none"
"""Sent as the key where there is none: local servers need none, but the client wants one."""
OTHER_MODEL = "Set another with %rlm --model NAME (or --model NAME on the command line)."
SET_KEY = (
    "Type it with %rlm key in a notebook, or set OPENAI_API_KEY (and OPENAI_BASE_URL where the server is not OpenAI's) "
    "before starting; the tutor needs none: %rlm --model tutor"
)

_TRANSIENT = frozenset({408, 409, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524, 529})
_TOO_LONG = re.compile(
    r"context.?(length|window|size)|too long|too many tokens|maximum.{0,20}tokens|exceed.{0,40}tokens", re.I
)
_MAX_DETAIL = 300
_SILENT, _BROKE = "it was silent", "the connection broke"


class Place(NamedTuple):
    """Where requests go."""

    base_url: str
    key: str

    @property
    def shown(self) -> str:
        """The address for people, without a password that may stand in it."""
        parts = urlsplit(self.base_url)
        return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl().rstrip("/")

    @property
    def local(self) -> bool:
        """Whether the server runs on this machine."""
        return is_loopback(self.base_url)


class Failure(NamedTuple):
    """A failed attempt."""

    error: ModelError
    """What to raise when it is not tried again; ``retryable`` says whether it may be."""
    after: float | None = None
    """Seconds that the endpoint asks to wait."""
    status: int | None = None
    """The HTTP status, where there was one."""
    silent: bool = False
    """Whether the endpoint took the request and said nothing."""


def explain_status(status: int, body: object, headers: Mapping[str, str], place: Place, model: str) -> Failure:
    """Explain an error status."""
    return _explain_status(status, body, headers, place, model)._replace(status=status)


def _explain_status(status: int, body: object, headers: Mapping[str, str], place: Place, model: str) -> Failure:
    detail = _detail(body, place.key)
    code = str(body.get("code") or body.get("type") or "") if isinstance(body, dict) else ""
    if status in (401, 403) or (status == 400 and "api key" in detail.lower()):
        return Failure(_refused_key(status, place, model))
    if status == 404 or code == "model_not_found" or "not a valid model" in detail.lower():
        return Failure(_not_found(detail, place, model))
    if status == 402 or code == "insufficient_quota":
        text = f"{place.shown} wants credit: {detail or 'the quota is used up'}"
        return Failure(RequestRefusedError(_sentence(text), "Add credit there, then ask again.", model=model))
    if status in _TRANSIENT or status >= 500:
        return _transient(status, detail, headers, place, model)
    if code == "context_length_exceeded" or status == 413 or _TOO_LONG.search(detail):
        text = f"The request is too long for {model}: {detail or 'the endpoint refused its size'}"
        remedy = "Pass less text to each llm_query, or choose a model with a larger context."
        return Failure(RequestRefusedError(_sentence(text), remedy, model=model))
    text = f"{place.shown} refused the request to {model} ({status}): {detail or 'no reason given'}"
    return Failure(RequestRefusedError(_sentence(text), model=model))


def explain_connection(error: BaseException, place: Place, model: str, silence: float) -> Failure:
    """Explain a connection that did not come about, broke or was silent, from the chain of its causes.

    The class of the error itself does not tell: the client calls a refused connection a timeout.

    Args:
        error: What the client raised.
        place: Where the request went.
        model: Which model was asked.
        silence: Seconds without a byte that are waited.
    """
    why = _why(error)
    if why == _SILENT:
        text = f"{model} at {place.shown} was silent for {silence:g} seconds."
        remedy = "Ask again, or raise RLM_TIMEOUT (seconds) if it needs longer."
        return Failure(EndpointError(text, remedy, model=model, retryable=True), silent=True)
    if why == _BROKE:
        text = f"The connection to {place.shown} broke."
        remedy = "Ask again; if it happens often, look at the server's log."
    elif place.local:
        text = f"Cannot reach {place.shown}: {why}."
        remedy = "Is the server running? If it is at another address, set OPENAI_BASE_URL to that."
    else:
        text = f"Cannot reach {place.shown}: {why}."
        remedy = "Check the network, and the address in OPENAI_BASE_URL."
    return Failure(EndpointError(text, remedy, model=model, retryable=True))


def explain_event(body: object, message: str, place: Place, model: str) -> Failure:
    """Explain an error that came in place of a piece of the reply."""
    code = body.get("code") if isinstance(body, dict) else None
    if isinstance(code, str) and code.isdigit():
        code = int(code)
    if isinstance(code, int) and 400 <= code < 600:
        return explain_status(code, body, {}, place, model)
    detail = _detail(body, place.key) or message.replace(place.key, "…")
    return Failure(
        EndpointError(_sentence(f"{place.shown} failed: {detail}"), "Ask again.", model=model, retryable=True)
    )


def not_a_reply(what: str, place: Place, model: str) -> BadReplyError:
    """Make the error for an answer that is not in the protocol."""
    remedy = "Does OPENAI_BASE_URL lead to an OpenAI-compatible server? It usually ends in /v1."
    return BadReplyError(f"{place.shown} answered with {what}, not with a reply.", remedy, model=model)


def too_late(place: Place, model: str, deadline: float) -> EndpointError:
    """Make the error for a reply that was not complete in time, though the endpoint may have said something."""
    text = f"{model} at {place.shown} gave no complete reply within {deadline:g} seconds."
    return EndpointError(text, "Ask for less, or raise RLM_DEADLINE (seconds) if it needs longer.", model=model)


def broken_off(chars: int, place: Place, model: str) -> BadReplyError:
    """Make the error for a stream that ended without saying that it is complete."""
    text = f"The reply of {model} broke off after {chars:,} characters."
    return BadReplyError(
        text, f"Ask again; if it happens often, look at the log of {place.shown}.", model=model, retryable=True
    )


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Read how many seconds the endpoint asks to wait."""
    try:
        if milliseconds := headers.get("retry-after-ms"):
            return max(0.0, float(milliseconds) / 1000)
        if not (value := headers.get("retry-after")):
            return None
        if re.fullmatch(r"\s*\d+(\.\d*)?\s*", value):
            return float(value)
        until = parsedate_to_datetime(value)
    except ValueError:
        return None
    until = until if until.tzinfo else until.replace(tzinfo=UTC)
    return max(0.0, (until - datetime.now(UTC)).total_seconds())


def _transient(status: int, detail: str, headers: Mapping[str, str], place: Place, model: str) -> Failure:
    after = retry_after(headers)
    if status == 429:
        text = f"{place.shown} gets too many requests (429)"
        wait = f"in {after:,.0f} seconds" if after else "in a minute"
        remedy = f"Ask again {wait}, or lower the calls at once: %rlm --concurrency 8"
    else:
        text, remedy = f"{place.shown} failed ({status})", "Ask again in a moment."
    text = _sentence(f"{text}: {detail}" if detail else text)
    return Failure(EndpointError(text, remedy, model=model, retryable=True), after)


def _refused_key(status: int, place: Place, model: str) -> AuthError:
    # The endpoint's own text is left out: it may repeat the key.
    if place.key == NO_KEY:
        return AuthError(f"{place.shown} wants a key, and OPENAI_API_KEY is not set.", SET_KEY, model=model)
    text = f"{place.shown} refused the key in OPENAI_API_KEY ({status})."
    remedy = "Check that it is complete, still valid, and belongs to this server (OPENAI_BASE_URL)."
    return AuthError(text, remedy, model=model)


def _not_found(detail: str, place: Place, model: str) -> ModelError:
    if "model" in detail.lower() or model.lower() in detail.lower():
        return UnknownModelError(f"{place.shown} does not know the model {model}.", OTHER_MODEL, model=model)
    remedy = "Check OPENAI_BASE_URL: it usually ends in /v1."
    return EndpointError(f"{place.shown} has no chat completions (404).", remedy, model=model)


def _detail(body: object, key: str) -> str:
    """Give the endpoint's own explanation as one line."""
    text = body
    while isinstance(text, dict):
        text = next((text[name] for name in ("message", "detail", "error", "msg") if text.get(name)), json.dumps(text))
    line = " ".join(str(text or "").split())
    if line.lower().startswith(("<!doctype", "<html")):
        return ""
    if key:
        line = line.replace(key, "…")
    return line if len(line) <= _MAX_DETAIL else line[:_MAX_DETAIL] + " …"


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?", "…")) else text + "."


def _why(error: BaseException) -> str:
    """Look down the chain of causes for the reason that a person would name."""
    causes: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in causes:
        causes.append(cause)
        cause = cause.__cause__ or cause.__context__
    if any(isinstance(cause, ssl.SSLError) for cause in causes):
        return "its certificate or encryption is not accepted"
    if any(isinstance(cause, socket.gaierror) for cause in causes):
        return "there is no such host"
    if any(isinstance(cause, ConnectionRefusedError) for cause in causes):
        return "the connection was refused"
    if any(isinstance(cause, TimeoutError) for cause in causes):
        return _SILENT
    if any(getattr(cause, "errno", None) in (errno.EHOSTUNREACH, errno.ENETUNREACH) for cause in causes):
        return "there is no way to it from here"
    return _BROKE
