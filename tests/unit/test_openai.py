"""Models behind an endpoint, over real HTTP."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from rlm_kernel.errors import (
    AuthError,
    BadReplyError,
    EndpointError,
    ModelError,
    RequestRefusedError,
    UnknownModelError,
)
from rlm_kernel.messages import Message, ModelRequest
from rlm_kernel.models.base import Model
from rlm_kernel.models.openai import OpenAIModel

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.server import FakeEndpoint

TEXT = "It is a long answer, given in several pieces. " * 4
ROOT = ModelRequest("root-model", (Message("system", "You are asked."), Message("user", "How many?")), purpose="root")


@pytest.fixture
async def model(endpoint: FakeEndpoint) -> AsyncIterator[OpenAIModel]:
    endpoint.root(lambda _messages: TEXT)
    model = OpenAIModel(endpoint.environ, backoff=0.01)
    yield model
    await model.close()


class Heard:
    """Keeps what is told, and says stop after some characters."""

    def __init__(self, stop_after: int | None = None) -> None:
        self.texts: list[str] = []
        self.stop_after = stop_after

    async def __call__(self, text: str) -> bool:
        self.texts.append(text)
        return self.stop_after is None or len("".join(self.texts)) < self.stop_after


async def test_reply_comes_in_pieces_with_the_usage_and_the_model_of_the_reply(endpoint, model):
    endpoint.reply_model = "root-model-2026"
    heard = Heard()
    reply = await model.complete(ROOT, heard)
    assert isinstance(model, Model)
    assert (reply.text, reply.finish, reply.model) == (TEXT, "stop", "root-model-2026")
    assert "".join(heard.texts) == TEXT
    assert len(heard.texts) > 5
    request = endpoint.requests[0]
    assert (reply.usage.input_tokens, reply.usage.output_tokens) == (request.input_tokens, request.output_tokens)
    assert reply.usage.calls == 1
    assert reply.usage.cost_usd is None
    assert not reply.usage.estimated
    assert reply.usage.seconds > 0
    assert request.authorization == f"Bearer {endpoint.key}"
    assert request.messages == [
        {"role": "system", "content": "You are asked."},
        {"role": "user", "content": "How many?"},
    ]


async def test_cached_tokens_are_those_the_reply_states(endpoint, model):
    await model.complete(ROOT)
    again = ModelRequest("root-model", (*ROOT.messages, Message("assistant", TEXT), Message("user", "12")))
    reply = await model.complete(again)
    assert reply.usage.cached_tokens == endpoint.requests[1].cached_tokens > 0


async def test_stated_cost_is_used(endpoint, model):
    endpoint.cost = 0.00125
    assert (await model.complete(ROOT)).usage.cost_usd == 0.00125


async def test_parameters_are_sent_only_where_they_are_set(endpoint, model):
    await model.complete(ROOT)
    await model.complete(ModelRequest("root-model", ROOT.messages, max_output_tokens=50, temperature=0.0))
    first, second = (request.body for request in endpoint.requests)
    assert not {"max_tokens", "temperature"} & set(first)
    assert (second["max_tokens"], second["temperature"]) == (50, 0.0)


async def test_usage_is_estimated_where_the_endpoint_leaves_it_out(endpoint, model):
    endpoint.fault("no_usage")
    usage = (await model.complete(ROOT, Heard())).usage
    assert usage.estimated
    assert usage.cost_usd is None
    assert usage.output_tokens == len(TEXT) // 4


async def test_an_endpoint_that_refuses_stream_options_is_asked_without_and_remembered(endpoint, model):
    endpoint.fault("refuses_stream_options", None)
    assert (await model.complete(ROOT, Heard())).text == TEXT
    assert (await model.complete(ROOT, Heard())).usage.estimated
    assert [request.status for request in endpoint.requests] == [400, 200, 200]


async def test_an_endpoint_that_does_not_stream_is_survived(endpoint, model):
    endpoint.fault("plain")
    heard = Heard()
    reply = await model.complete(ROOT, heard)
    assert reply.text == TEXT == "".join(heard.texts)
    assert reply.usage.output_tokens == endpoint.requests[0].output_tokens


async def test_a_cut_reply_ends_there_and_still_has_its_usage(endpoint, model):
    reply = await model.complete(ROOT, Heard(stop_after=20))
    assert reply.finish == "cut"
    assert reply.text == TEXT[: len(reply.text)]
    assert len(reply.text) < 40
    assert not reply.usage.estimated


async def test_a_model_that_goes_on_after_the_cut_is_left(endpoint, model):
    endpoint.delay = 0.2
    reply = await model.complete(ROOT, Heard(stop_after=20))
    assert reply.finish == "cut"
    assert reply.usage.estimated
    assert reply.usage.cost_usd is None
    assert await asyncio.to_thread(endpoint.wait_idle)
    assert endpoint.requests[0].cancelled


@pytest.mark.parametrize(("kind", "finish"), [("length", "length"), ("filter", "filter"), ("empty_text", "stop")])
async def test_how_a_reply_ended_is_told(endpoint, model, kind, finish):
    endpoint.fault(kind)
    assert (await model.complete(ROOT, Heard())).finish == finish


@pytest.mark.parametrize("kind", ["429", "500", "503", "reset"])
async def test_passing_failures_are_tried_again(endpoint, model, kind):
    endpoint.fault(kind, 2)
    assert (await model.complete(ROOT, Heard())).text == TEXT
    assert len(endpoint.requests) == 3


async def test_retry_after_is_honoured(endpoint, model):
    endpoint.fault("429", retry_after=1)
    started = time.monotonic()
    await model.complete(ROOT)
    assert time.monotonic() - started >= 1


async def test_a_long_retry_after_is_told_instead_of_waited_for(endpoint, model):
    endpoint.fault("429", retry_after=3600)
    with pytest.raises(EndpointError, match="in 3,600 seconds"):
        await model.complete(ROOT)
    assert len(endpoint.requests) == 1


FAILURES = [
    ("400", RequestRefusedError, "temperature", 1),
    ("401", AuthError, "OPENAI_API_KEY", 1),
    ("403", AuthError, "OPENAI_API_KEY", 1),
    ("404", UnknownModelError, "root-model.*--model NAME", 1),
    ("413", RequestRefusedError, "too long for root-model.*larger context", 1),
    ("quota", RequestRefusedError, "credit", 1),
    ("429", EndpointError, "too many requests.*--concurrency", 6),
    ("500", EndpointError, r"failed \(500\)", 6),
    ("wrong_path", EndpointError, "no chat completions.*OPENAI_BASE_URL", 1),
    ("html", BadReplyError, "a web page, not with a reply.*OPENAI_BASE_URL", 1),
    ("empty_choices", BadReplyError, "an empty stream", 1),
    ("bad_json", BadReplyError, "not JSON", 1),
    ("truncated", BadReplyError, "broke off after [0-9]+ characters", 1),
    ("stream_error", EndpointError, "The engine has stopped", 1),
    ("error_200", EndpointError, "upstream failed", 3),
    ("hang", EndpointError, "silent for 0.5 seconds.*RLM_TIMEOUT", 3),
    ("hang_mid", EndpointError, "silent for 0.5 seconds", 1),
    ("reset", EndpointError, "connection to .* broke", 3),
    ("reset_mid", EndpointError, "connection to .* broke", 1),
]


@pytest.mark.parametrize(("kind", "error", "text", "attempts"), FAILURES, ids=[failure[0] for failure in FAILURES])
async def test_each_failure_has_its_error_in_one_line_without_the_key(endpoint, kind, error, text, attempts):
    endpoint.root(lambda _messages: TEXT)
    model = OpenAIModel(endpoint.environ | {"RLM_TIMEOUT": "0.5"}, backoff=0.01)
    await model.complete(ROOT, Heard())  # so that its dialect is known
    endpoint.fault(kind, None)
    with pytest.raises(ModelError, match=text) as caught:
        await model.complete(ROOT, Heard())
    assert type(caught.value) is error
    assert caught.value.model == "root-model"
    assert "\n" not in str(caught.value)
    assert endpoint.key not in str(caught.value)
    assert len(endpoint.requests) == 1 + attempts
    endpoint.clear_faults()
    assert (await model.complete(ROOT, Heard())).text == TEXT, "the model goes on after it is mended"
    await model.close()


async def test_no_second_try_once_text_was_passed_on(endpoint, model):
    endpoint.fault("reset_mid", 1)
    heard = Heard()
    with pytest.raises(EndpointError) as caught:
        await model.complete(ROOT, heard)
    assert heard.texts
    assert caught.value.retryable
    assert len(endpoint.requests) == 1


async def test_a_reply_that_nobody_watches_comes_whole(endpoint, model):
    reply = await model.complete(ROOT)
    assert reply.text == TEXT
    assert "stream" not in endpoint.requests[0].body
    assert reply.usage.output_tokens == endpoint.requests[0].output_tokens


async def test_an_unknown_model_is_told_with_the_names_there_are(endpoint, model):
    endpoint.strict, endpoint.models = True, ["root-model", "other"]
    with pytest.raises(UnknownModelError, match=r"does not know the model rot-model\. It has root-model"):
        await model.complete(ModelRequest("rot-model", ROOT.messages))


async def test_a_refused_connection_names_the_address_and_the_variable():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{probe.getsockname()[1]}/v1"
    model = OpenAIModel({"OPENAI_BASE_URL": url}, backoff=0.01)
    with pytest.raises(EndpointError, match=rf"Cannot reach {url}: the connection was refused\. .*OPENAI_BASE_URL"):
        await model.complete(ROOT)
    await model.close()


async def test_a_server_that_does_not_speak_http_is_told():
    async def babble(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0-OpenSSH_9.2\r\n")
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(babble, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    model = OpenAIModel({"OPENAI_BASE_URL": f"http://127.0.0.1:{port}/v1"}, backoff=0.01)
    with pytest.raises(EndpointError, match="broke"):
        await model.complete(ROOT)
    await model.close()
    server.close()
    await server.wait_closed()


@pytest.mark.parametrize(
    ("environ", "error", "text"),
    [
        ({}, AuthError, "OPENAI_API_KEY is not set.*OPENAI_BASE_URL"),
        ({"OPENAI_BASE_URL": "https://api.openai.com/v1", "OPENAI_API_KEY": " "}, AuthError, "is not set"),
        ({"OPENAI_API_KEY": "schlüssel"}, AuthError, "characters that no key has"),
        ({"OPENAI_BASE_URL": "localhost:8000/v1"}, EndpointError, "no address: localhost:8000/v1.*http://"),
    ],
)
async def test_settings_that_cannot_work_are_told_before_anything_is_sent(environ, error, text):
    with pytest.raises(error, match=text):
        await OpenAIModel(environ).complete(ROOT)


async def test_a_local_server_needs_no_key_and_one_that_wants_it_says_so(endpoint, model):
    keyless = OpenAIModel({"OPENAI_BASE_URL": endpoint.url})
    assert (await keyless.complete(ROOT)).text == TEXT
    endpoint.fault("401")
    with pytest.raises(AuthError, match="wants a key, and OPENAI_API_KEY is not set"):
        await keyless.complete(ROOT)
    await keyless.close()


async def test_a_mended_environment_is_used_at_once(endpoint):
    endpoint.root(lambda _messages: TEXT)
    environ = {"OPENAI_BASE_URL": "http://127.0.0.1:9/v1"}
    model = OpenAIModel(environ, backoff=0.01)
    with pytest.raises(EndpointError):
        await model.complete(ROOT)
    environ.update(endpoint.environ)
    assert (await model.complete(ROOT)).text == TEXT
    await model.close()


async def test_cancelling_hangs_up(endpoint, model):
    endpoint.fault("hang_mid")
    begun = asyncio.Event()

    async def listener(_text: str) -> bool:
        begun.set()
        return True

    task = asyncio.create_task(model.complete(ROOT, listener))
    await begun.wait()
    started = time.monotonic()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert time.monotonic() - started < 10
    assert await asyncio.to_thread(endpoint.wait_idle)
    assert endpoint.requests[0].cancelled


async def test_what_the_listener_raises_comes_through(endpoint, model):
    async def listener(_text: str) -> bool:
        raise ValueError("the listener's own")

    with pytest.raises(ValueError, match="the listener's own"):
        await model.complete(ROOT, listener)
    assert await asyncio.to_thread(endpoint.wait_idle)


async def test_many_requests_at_once(endpoint, model):
    endpoint.sub(lambda prompt: prompt.upper())
    endpoint.delay = 0.05
    requests = [ModelRequest("sub-model", (Message("user", f"item {number}"),)) for number in range(100)]
    replies = await asyncio.gather(*map(model.complete, requests))
    assert [reply.text for reply in replies] == [f"ITEM {number}" for number in range(100)]
    assert endpoint.peak_in_flight > 20
    assert sum(reply.usage.input_tokens for reply in replies) == endpoint.usage["input_tokens"]


def test_each_event_loop_has_its_own_connections(endpoint):
    endpoint.root(lambda _messages: TEXT)
    model = OpenAIModel(endpoint.environ)

    async def once() -> str:
        reply = await model.complete(ROOT)
        await model.close()
        return reply.text

    assert [asyncio.run(once()) for _ in range(2)] == [TEXT, TEXT]


def test_the_package_of_the_endpoint_is_not_imported_before_it_is_needed():
    code = (
        "import sys, rlm_kernel.models.openai as m; m.OpenAIModel({}); print({'openai', 'aiohttp'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ)
    assert done.stdout == "set()\n"
