"""An OpenAI-compatible server on this machine: for tests over real HTTP, and to try things by hand.

In a test, with the fixture ``endpoint`` (the conftest imports it)::

    def test_something(endpoint):
        endpoint.root(["Look first.\\n```python\\nlen(context)\\n```", "```python\\nFINAL('12')\\n```"])
        endpoint.sub(lambda prompt: "yes" if "whale" in prompt else "no")
        endpoint.fault("429", retry_after=0.1)
        ... OPENAI_BASE_URL=endpoint.url, OPENAI_API_KEY=endpoint.key ...
        assert endpoint.requests[0].status == 429

By hand: ``python tests/server.py --port 8899``, then ``OPENAI_BASE_URL=http://127.0.0.1:8899/v1``.

A token is four characters of a text, a begun one counts. Leading messages that are the same as in an earlier request to
the same model count as cached.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import threading
from dataclasses import dataclass, field
from time import monotonic
from typing import TYPE_CHECKING, Any, Literal

import pytest
from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

Role = Literal["root", "sub"]
Messages = list[dict[str, Any]]

FAULTS = {
    "400": "refuses the request",
    "401": "refuses the key; the text repeats part of it, as OpenAI's does",
    "403": "refuses the key",
    "404": "does not know the model",
    "413": "finds the request too long",
    "429": "too many requests; retry_after= (seconds)",
    "quota": "429 that says the credit is used up",
    "500": "server error",
    "503": "server overloaded",
    "wrong_path": "404 as from a server without this API",
    "refuses_stream_options": "400 as long as the request has stream_options",
    "no_usage": "streams without usage",
    "plain": "answers in one JSON object although a stream was asked for",
    "truncated": "ends the stream after half of the text, in good order",
    "html": "200 with a page of HTML",
    "empty_choices": "a stream whose pieces have no choices",
    "bad_json": "a stream with a piece that is not JSON",
    "stream_error": "half of the text, then an error as a piece",
    "error_200": "200 with an error object",
    "slow": "delay= seconds before each piece (default 0.2)",
    "hang": "no answer at all until the client goes away",
    "hang_mid": "half of the text, then nothing more",
    "reset": "drops the connection before answering",
    "reset_mid": "drops the connection after half of the text",
    "empty_text": "a complete reply without any text",
    "length": "ends with finish_reason length",
    "filter": "ends with finish_reason content_filter",
    "refuses_schema": "400 as long as the request has response_format",
    "huge": "ten million characters",
    "trickle": "one byte in delay= seconds (default 0.2)",
    "gave_up": "ends with finish_reason error, and states what it cost",
}


def tokens(text: str) -> int:
    """Count tokens as this server does."""
    return -(-len(text) // 4)


def text_of(message: dict[str, Any]) -> str:
    content = message.get("content") or ""
    return content if isinstance(content, str) else "".join(part.get("text", "") for part in content)


@dataclass
class Request:
    """One request as the server saw it."""

    role: Role
    model: str
    messages: Messages
    body: dict[str, Any]
    authorization: str
    started: float
    status: int = 200
    fault: str = ""
    reply: str = ""
    """What was sent of the reply."""
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    ended: float = 0.0
    done: bool = False
    cancelled: bool = False
    """The client went away before the end."""

    @property
    def prompt(self) -> str:
        """The last message."""
        return text_of(self.messages[-1]) if self.messages else ""


@dataclass
class Fault:
    kind: str
    times: int | None
    role: Role | None
    options: dict[str, Any] = field(default_factory=dict)


class FakeEndpoint:
    """The server, in a thread of its own; everything may be set while it runs.

    Args:
        port: 0 takes a free one.
        chunk: Characters of a reply in one piece.
        delay: Seconds before each piece.
        models: What ``/v1/models`` lists; other names work too unless ``strict``.
        strict: Answer 404 to models that are not listed.
    """

    def __init__(
        self,
        port: int = 0,
        *,
        chunk: int = 16,
        delay: float = 0.0,
        models: Iterable[str] = ("root-model", "sub-model"),
        strict: bool = False,
    ) -> None:
        self.chunk, self.delay = chunk, delay
        self.models, self.strict = list(models), strict
        self.key = "sk-loopback-0123456789abcdef"
        self.requests: list[Request] = []
        self.in_flight = 0
        self.peak_in_flight = 0
        self.latency = 0.0
        """Seconds before a reply begins."""
        self.cost: float | None = None
        """Stated as ``usage.cost`` where set, as OpenRouter does."""
        self.reply_model: str | None = None
        """The model name in replies; ``None``: the one that was asked for."""
        self.is_root: Callable[[dict[str, Any]], bool] = looks_like_root
        self.fault_of: Callable[[Request], str] = lambda _request: ""
        """Chooses a fault for a request by what is in it, where `fault` has set none."""
        self.refusal = "Invalid value for 'temperature'."
        """What a 400 says."""
        self._roots: list[str] = []
        self._root: Callable[[Messages], str] | None = None
        self._sub: Callable[[str], str] = leaf_answer
        self._faults: list[Fault] = []
        self._seen: dict[str, list[Messages]] = {}
        self._port = port
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="fake-endpoint", daemon=True)
        self._ready = threading.Event()
        self._stop = asyncio.Event()
        self._failed: BaseException | None = None

    # what a test sets

    def root(self, replies: Iterable[str] | str | Callable[[Messages], str]) -> None:
        """Set the root's replies: a list given in order (added to what is left), or a function of the messages."""
        if callable(replies):
            self._root = replies
        else:
            self._roots.extend([replies] if isinstance(replies, str) else replies)

    def sub(self, answer: str | Callable[[str], str]) -> None:
        """Set how sub-calls are answered: one text, or a function of the prompt."""
        self._sub = answer if callable(answer) else lambda _prompt: answer

    def fault(self, kind: str, times: int | None = 1, *, role: Role | None = None, **options: Any) -> None:
        """Let the next ``times`` requests (of a role) fail in some way of `FAULTS`; ``None``: all, until cleared."""
        assert kind in FAULTS, f"{kind} is none of {', '.join(FAULTS)}"
        self._faults.append(Fault(kind, times, role, options))

    def clear_faults(self) -> None:
        self._faults.clear()

    def reset(self) -> None:
        """Forget replies, faults and what was asked."""
        self._roots.clear()
        self._root, self._sub = None, leaf_answer
        self.clear_faults()
        self.requests.clear()
        self._seen.clear()
        self.peak_in_flight = self.in_flight

    # what a test reads

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}/v1"

    @property
    def environ(self) -> dict[str, str]:
        """The variables that lead the product here."""
        return {
            "OPENAI_BASE_URL": self.url,
            "OPENAI_API_KEY": self.key,
            "RLM_MODEL": "root-model",
            "RLM_SUB_MODEL": "sub-model",
        }

    def of(self, role: Role) -> list[Request]:
        """Requests of one role, in the order they came."""
        return [request for request in self.requests if request.role == role]

    @property
    def usage(self) -> dict[str, int]:
        """What was spent in all, as the server counted it."""
        return {
            "input_tokens": sum(request.input_tokens for request in self.requests),
            "cached_tokens": sum(request.cached_tokens for request in self.requests),
            "output_tokens": sum(request.output_tokens for request in self.requests),
            "calls": sum(request.done for request in self.requests),
        }

    def wait_idle(self, seconds: float = 5.0) -> bool:
        """Wait until nothing is under way; cancelled requests are noticed a moment after the client has gone."""
        ends = monotonic() + seconds
        while self.in_flight and monotonic() < ends:
            threading.Event().wait(0.01)
        return not self.in_flight

    # the server

    def start(self) -> FakeEndpoint:
        self._thread.start()
        self._ready.wait(10)
        if self._failed is not None:
            raise self._failed
        return self

    def stop(self) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    def __enter__(self) -> FakeEndpoint:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._serve())
        except OSError as error:
            self._failed = error
            self._ready.set()
        finally:
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
            self._loop.close()

    async def _serve(self) -> None:
        app = web.Application(client_max_size=512 * 1024 * 1024)
        app.router.add_post("/v1/chat/completions", self._chat)
        app.router.add_get("/v1/models", self._list)
        runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.2, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", self._port, backlog=2048)
        await site.start()
        self._port = runner.addresses[0][1]
        self._ready.set()
        await self._stop.wait()
        await runner.cleanup()

    async def _list(self, _request: web.Request) -> web.Response:
        listed = [{"id": name, "object": "model", "created": 0, "owned_by": "tests"} for name in self.models]
        return web.json_response({"object": "list", "data": listed})

    async def _chat(self, http: web.Request) -> web.StreamResponse:
        body = await http.json()
        role: Role = "root" if self.is_root(body) else "sub"
        request = Request(
            role,
            body.get("model", ""),
            body.get("messages", []),
            body,
            http.headers.get("Authorization", ""),
            monotonic(),
        )
        self.requests.append(request)
        self.in_flight += 1
        self.peak_in_flight = max(self.peak_in_flight, self.in_flight)
        try:
            response = await self._answer(http, request)
        except (asyncio.CancelledError, ConnectionError):
            request.cancelled = True
            raise
        else:
            return response
        finally:
            self.in_flight -= 1
            request.ended = monotonic()

    async def _answer(self, http: web.Request, request: Request) -> web.StreamResponse:
        fault = self._next_fault(request)
        kind = request.fault = fault.kind if fault else self.fault_of(request)
        options = fault.options if fault else {}
        if self.strict and request.model not in self.models:
            kind = "404"
        if refusal := self._refusal(kind, request, options):
            request.status = refusal.status
            return refusal
        if kind == "hang":
            await asyncio.Event().wait()
        if kind == "reset":
            _abort(http)
            return web.Response()
        await asyncio.sleep(self.latency)
        text = "" if kind == "empty_text" else await self._text(request)
        text = "0123456789" * 1_000_000 if kind == "huge" else text
        self._count_input(request)
        if kind == "plain" or not request.body.get("stream"):
            return await self._whole(http, request, text, kind, float(options.get("delay", 0.2)))
        return await self._stream(http, request, text, kind, float(options.get("delay", 0.2)))

    def _next_fault(self, request: Request) -> Fault | None:
        for fault in self._faults:
            if fault.role not in (None, request.role):
                continue
            if fault.kind == "refuses_stream_options" and "stream_options" not in request.body:
                continue
            if fault.kind == "refuses_schema" and "response_format" not in request.body:
                continue
            if fault.times is not None:
                fault.times -= 1
                if fault.times <= 0:
                    self._faults.remove(fault)
            return fault
        return None

    def _refusal(self, kind: str, request: Request, options: dict[str, Any]) -> web.Response | None:
        """Answer with an error status, or with something that is no completion."""
        key = request.authorization.removeprefix("Bearer ")
        texts: dict[str, tuple[int, str, str | None]] = {
            "400": (400, self.refusal, "invalid_value"),
            "401": (401, f"Incorrect API key provided: {key}.", "invalid_api_key"),
            "403": (403, "You may not use this.", None),
            "404": (
                404,
                f"The model `{request.model}` does not exist or you do not have access to it.",
                "model_not_found",
            ),
            "413": (400, "This model's maximum context length is 8192 tokens.", "context_length_exceeded"),
            "429": (429, "Rate limit reached.", "rate_limit_exceeded"),
            "quota": (429, "You exceeded your current quota.", "insufficient_quota"),
            "500": (500, "The server had an error.", None),
            "503": (503, "Overloaded.", None),
            "refuses_schema": (400, "response_format json_schema is not supported", None),
            "refuses_stream_options": (400, "Unrecognized request argument supplied: stream_options", None),
        }
        if kind in texts:
            status, message, code = texts[kind]
            headers = {"Retry-After": str(options["retry_after"])} if "retry_after" in options else {}
            error = {"error": {"message": message, "type": "error", "param": None, "code": code}}
            return web.json_response(error, status=status, headers=headers)
        if kind == "wrong_path":
            return web.Response(text="404 page not found", status=404)
        if kind == "html":
            return web.Response(text="<!doctype html><html><body>Please log in</body></html>", content_type="text/html")
        if kind == "error_200":
            return web.json_response({"error": {"message": "upstream failed", "code": 502}})
        return None

    async def _text(self, request: Request) -> str:
        if request.role == "sub":
            return await asyncio.get_running_loop().run_in_executor(None, self._sub, request.prompt)
        if self._roots:
            return self._roots.pop(0)
        return (self._root or demo_root)(request.messages)

    def _count_input(self, request: Request) -> None:
        request.input_tokens = sum(tokens(text_of(message)) for message in request.messages)
        earlier = self._seen.setdefault(request.model, [])
        best = 0
        for messages in earlier:
            shared = 0
            for mine, theirs in zip(request.messages, messages, strict=False):
                if mine != theirs:
                    break
                shared += tokens(text_of(mine))
            best = max(best, shared)
        request.cached_tokens = best if request.role == "root" else 0
        if request.role == "root":
            earlier[:] = [*earlier[-8:], request.messages]

    def _usage(self, request: Request) -> dict[str, Any]:
        usage: dict[str, Any] = {
            "prompt_tokens": request.input_tokens,
            "completion_tokens": request.output_tokens,
            "total_tokens": request.input_tokens + request.output_tokens,
            "prompt_tokens_details": {"cached_tokens": request.cached_tokens},
        }
        if self.cost is not None:
            usage["cost"] = self.cost
        return usage

    async def _whole(
        self, http: web.Request, request: Request, text: str, kind: str, slow: float
    ) -> web.StreamResponse:
        """Answer in one JSON object, or break off in the middle of it."""
        request.reply, request.output_tokens = text, tokens(text)
        finish = {"length": "length", "filter": "content_filter", "gave_up": "error"}.get(kind, "stop")
        message = {"role": "assistant", "content": text}
        answer = {
            "id": "chatcmpl-tests",
            "object": "chat.completion",
            "created": 0,
            "model": self.reply_model or request.model,
            "choices": [] if kind == "empty_choices" else [{"index": 0, "message": message, "finish_reason": finish}],
            "usage": None if kind == "no_usage" else self._usage(request),
        }
        body = json.dumps(answer).encode()
        if kind not in ("trickle", "truncated", "reset_mid", "hang_mid", "bad_json"):
            request.done = kind not in ("empty_choices", "gave_up")
            return web.Response(body=body, content_type="application/json")
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        if kind != "bad_json":
            response.content_length = len(body)
        await response.prepare(http)
        if kind == "trickle":
            for start in range(len(body)):
                await response.write(body[start : start + 1])
                await asyncio.sleep(slow)
        await response.write(body[: len(body) // 2])
        if kind == "bad_json":
            await response.write_eof()
            return response
        if kind == "hang_mid":
            await asyncio.Event().wait()
        await asyncio.sleep(0.02)  # so that the half is on its way before the connection goes
        _abort(http)
        return response

    async def _stream(
        self, http: web.Request, request: Request, text: str, kind: str, slow: float
    ) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-cache"})
        await response.prepare(http)
        delay = slow if kind == "slow" else self.delay
        stop_at = len(text) // 2 if kind in ("truncated", "stream_error", "hang_mid", "reset_mid", "bad_json") else None
        for start in range(0, len(text) if stop_at is None else stop_at, self.chunk):
            if delay:
                await asyncio.sleep(delay)
            piece = text[start : min(start + self.chunk, stop_at or len(text))]
            choices = [] if kind == "empty_choices" else [_choice({"content": piece})]
            await self._send(response, self._piece(request, choices))
            request.reply += piece
            request.output_tokens = tokens(request.reply)
        if stop_at is not None:
            return await self._break(http, response, kind)
        finish = {"length": "length", "filter": "content_filter"}.get(kind, "stop")
        choices = [] if kind == "empty_choices" else [_choice({}, finish)]
        await self._send(response, self._piece(request, choices))
        if kind != "no_usage" and (request.body.get("stream_options") or {}).get("include_usage"):
            await self._send(response, self._piece(request, []) | {"usage": self._usage(request)})
        await response.write(b"data: [DONE]\n\n")
        await response.write_eof()
        request.done = True
        return response

    async def _break(self, http: web.Request, response: web.StreamResponse, kind: str) -> web.StreamResponse:
        """End a stream after half of its text, in the way of the fault."""
        if kind == "hang_mid":
            await asyncio.Event().wait()
        if kind == "reset_mid":
            await asyncio.sleep(0.02)  # so that the text is on its way before the connection goes
            _abort(http)
            return response
        if kind == "bad_json":
            await response.write(b'data: {"choices": [\n\n')
        if kind == "stream_error":
            await self._send(response, {"error": {"message": "The engine has stopped.", "code": 502}})
        await response.write_eof()
        return response

    def _piece(self, request: Request, choices: list[dict[str, Any]]) -> dict[str, Any]:
        return {
            "id": "chatcmpl-tests",
            "object": "chat.completion.chunk",
            "created": 0,
            "model": self.reply_model or request.model,
            "choices": choices,
        }

    async def _send(self, response: web.StreamResponse, event: dict[str, Any]) -> None:
        await response.write(b"data: " + json.dumps(event).encode() + b"\n\n")


def _choice(delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
    return {"index": 0, "delta": delta, "finish_reason": finish}


def _abort(http: web.Request) -> None:
    if http.transport is not None:
        http.transport.abort()


def looks_like_root(body: dict[str, Any]) -> bool:
    """Tell the root's requests from ``llm_query``: by the model's name, else by a reply code is asked for in."""
    model = body.get("model", "").lower()
    if "sub" in model or "leaf" in model:
        return False
    if "root" in model:
        return True
    return any("<question>" in text_of(message) for message in body.get("messages", []))


def leaf_answer(prompt: str) -> str:
    """Answer a sub-call with something that can be checked: how long the prompt is, and its last line."""
    lines = prompt.strip().splitlines() or [""]
    return f"{len(prompt)} characters; the last line is: {lines[-1][:80]}"


def demo_root(messages: Messages) -> str:
    """Play a root model that peeks, asks a sub-model and answers: three turns."""
    last_question = max(
        (number for number, message in enumerate(messages) if "<question>" in text_of(message)), default=0
    )
    turn = sum(message.get("role") == "assistant" for message in messages[last_question:])
    steps = [
        "I look at the document first.\n\n```python\nprint(len(context))\nprint(context[:300])\n```\n",
        "Now a sub-model reads the beginning.\n\n```python\n"
        "reply = llm_query('What is this text about?\\n\\n' + str(context[:2000]))\nprint(reply)\n```\n",
        "That is enough to answer.\n\n```python\n"
        "answer['content'] = f'The document has {len(context):,} characters. A sub-model said: {reply}'\n"
        "answer['ready'] = True\n```\n",
    ]
    return steps[min(turn, len(steps) - 1)]


@pytest.fixture
def endpoint() -> Iterator[FakeEndpoint]:
    """A server of its own for each test."""
    with FakeEndpoint() as server:
        yield server


def main() -> None:
    parser = argparse.ArgumentParser(description="An OpenAI-compatible server for tries by hand.")
    parser.add_argument("--port", type=int, default=8899)
    parser.add_argument("--delay", type=float, default=0.02, help="seconds before each piece of a reply")
    parser.add_argument("--chunk", type=int, default=8, help="characters in a piece")
    parser.add_argument("--replies", help="JSON file: the list of the root's replies, in order")
    parser.add_argument("--fault", choices=sorted(FAULTS), action="append", default=[], help="for one request each")
    options = parser.parse_args()
    server = FakeEndpoint(options.port, delay=options.delay, chunk=options.chunk)
    if options.replies:
        with open(options.replies, encoding="utf-8") as file:
            server.root(json.load(file))
    for kind in options.fault:
        server.fault(kind)
    with server:
        print(f"export OPENAI_BASE_URL={server.url} OPENAI_API_KEY={server.key}")
        print("export RLM_MODEL=root-model RLM_SUB_MODEL=sub-model", flush=True)
        shown = 0
        try:
            while True:
                threading.Event().wait(0.5)
                for request in server.requests[shown:]:
                    print(f"{request.role} {request.model} {request.status} {request.fault}", flush=True)
                    shown += 1
        except KeyboardInterrupt:
            print(server.usage)


if __name__ == "__main__":
    main()
