"""Calls over real HTTP: every failure has its class or is survived, and is charged once; sums are the server's own."""

from __future__ import annotations

import asyncio
import json
import random
import time
from typing import TYPE_CHECKING

import pytest

from rlm_kernel.engine.session import Session
from rlm_kernel.engine.settings import Settings
from rlm_kernel.errors import BadReplyError, EndpointError, ModelError
from rlm_kernel.messages import Message, ModelRequest
from rlm_kernel.models.memo import Memo
from rlm_kernel.models.openai import OpenAIModel
from rlm_kernel.models.registry import Registry
from rlm_kernel.usage import Limits
from tests.unit.inline import InlineExecutor, answer, cell

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from rlm_kernel.trace.records import Node
    from tests.server import FakeEndpoint, Request

SUB = ModelRequest("sub-model", (Message("user", "How many whales are there?"),))
THOUSAND = "r = llm_query_batched([f'item {n}' for n in range(1000)])"
SCHEMA = json.dumps({"type": "object", "properties": {"age": {"type": "integer"}}, "required": ["age"]})


class Talk:
    """A session over HTTP whose cells are given."""

    def __init__(self, endpoint: FakeEndpoint, memo: Memo | None = None, **environ: str) -> None:
        self.endpoint = endpoint
        self.executor = InlineExecutor()
        self.models = Registry(endpoint.environ | environ)
        self.models._endpoint = OpenAIModel(self.models.environ, backoff=0.01)
        self.memo = memo or Memo()
        self.session = Session(self.executor, self.models, memo=self.memo)

    async def run(self, *cells: str, fresh: bool = False, **limits: object) -> Node:
        self.endpoint.root([*map(cell, cells), answer("done")])
        return await self.session.ask("q", settings=Settings(limits=Limits(**limits), fresh=fresh))  # type: ignore[arg-type]

    @property
    def calls(self) -> list[Node]:
        return [node for node in self.session.tree if node.kind == "call"]

    def sums_are_the_servers(self) -> None:
        totals = [self.session.tree.total(node.id) for node in self.session.tree.children(None)]
        assert sum(total.input_tokens for total in totals) == self.endpoint.usage["input_tokens"]
        assert sum(total.output_tokens for total in totals) == self.endpoint.usage["output_tokens"]
        assert sum(total.calls for total in totals) == self.endpoint.usage["calls"]


@pytest.fixture
async def begin(endpoint: FakeEndpoint) -> AsyncIterator[Callable[..., Talk]]:
    """Begins sessions, and closes their connections at the end."""
    begun: list[Talk] = []

    def begin(memo: Memo | None = None, **environ: str) -> Talk:
        begun.append(Talk(endpoint, memo, **environ))
        return begun[-1]

    yield begin
    for talk in begun:
        await talk.models.close()


@pytest.fixture
def talk(begin: Callable[..., Talk]) -> Talk:
    return begin()


@pytest.fixture
async def model(endpoint: FakeEndpoint) -> AsyncIterator[OpenAIModel]:
    endpoint.sub("Seven.")
    model = OpenAIModel(endpoint.environ | {"RLM_TIMEOUT": "0.5", "RLM_DEADLINE": "3"}, backoff=0.01)
    yield model
    await model.close()


# one call


@pytest.mark.parametrize(
    "kind", ["429", "500", "503", "reset", "reset_mid", "truncated", "hang", "hang_mid", "error_200"]
)
async def test_a_passing_failure_is_survived_and_recorded(endpoint, model, kind):
    endpoint.fault(kind)
    reply = await model.complete(SUB)
    assert reply.text == "Seven."
    assert (reply.usage.calls, reply.usage.output_tokens) == (1, 2)
    first, second = reply.attempts
    assert first.error
    assert (second.error, second.status) == (None, 200)
    assert first.status == (int(kind) if kind.isdigit() else None)
    assert first.started <= second.started
    assert second.seconds > 0


FAILURES = [
    ("html", BadReplyError, "a web page", 1),
    ("bad_json", BadReplyError, "not JSON", 1),
    ("empty_choices", BadReplyError, "without choices", 1),
    ("trickle", EndpointError, "no complete reply within 3 seconds.*RLM_DEADLINE", 1),
    ("hang", EndpointError, "silent for 0.5 seconds", 3),
    ("reset_mid", EndpointError, "broke", 3),
    ("500", EndpointError, "failed", 6),
]


@pytest.mark.parametrize(("kind", "error", "text", "attempts"), FAILURES, ids=[failure[0] for failure in FAILURES])
async def test_each_failure_of_a_whole_reply_has_its_class(endpoint, model, kind, error, text, attempts):
    endpoint.fault(kind, None)
    with pytest.raises(ModelError, match=text) as caught:
        await model.complete(SUB)
    assert type(caught.value) is error
    assert len(endpoint.requests) == attempts == len(caught.value.attempts)
    assert all(attempt.error for attempt in caught.value.attempts)


async def test_what_is_odd_but_whole_is_survived(endpoint, model):
    endpoint.fault("no_usage")
    assert (await model.complete(SUB)).usage.estimated
    endpoint.reply_model = "another-model"
    assert (await model.complete(SUB)).model == "another-model"
    endpoint.fault("huge")
    assert len((await model.complete(SUB)).text) == 10_000_000
    endpoint.fault("length")
    assert (await model.complete(SUB)).finish == "length"


async def test_a_silent_endpoint_is_asked_for_a_stream_the_second_time(endpoint, model):
    endpoint.fault("hang")
    await model.complete(SUB)
    assert ["stream" in request.body for request in endpoint.requests] == [False, True]


async def test_a_failure_that_states_what_it_cost_is_charged_once(endpoint, talk):
    endpoint.fault("gave_up", 1, role="sub")
    endpoint.fault("empty_choices", 1, role="sub")
    await talk.run("a = llm_query('one')\nb = llm_query('two')")
    first, second = talk.calls
    assert (first.status, second.status) == ("failed", "done") if first.error else ("done", "failed")
    talk.sums_are_the_servers()


async def test_a_limit_for_replies_that_the_model_does_not_have_is_lowered(endpoint, model):
    def refuse(request: Request) -> str:
        return "400" if request.body.get("max_tokens", 0) > 4096 else ""

    endpoint.fault_of = refuse
    endpoint.refusal = "max_tokens is too large: 16384. This model supports at most 4096 completion tokens."
    request = ModelRequest("sub-model", SUB.messages, max_output_tokens=16_384)
    assert (await model.complete(request)).text == "Seven."
    assert endpoint.requests[-1].body["max_tokens"] == 4096
    await model.complete(request)
    assert len(endpoint.requests) == 3


# schemas


async def ask_for_json(talk: Talk, prompt: str = "Ahab") -> Node:
    def handler() -> str:
        return f"r = query({prompt!r}, {SCHEMA!r})"

    await talk.run(handler())
    return talk.calls[0]


@pytest.fixture
def with_schema(talk: Talk) -> Talk:
    """Cells have ``query(prompt, schema)``."""

    def before() -> None:
        loop = asyncio.get_running_loop()

        def query(prompt: str, schema: str, n: int = 1) -> list[dict[str, object]]:
            asked = {"prompts": [prompt], "model": None, "batched": False, "line": 1, "schema": schema, "n": n}
            return asyncio.run_coroutine_threadsafe(talk.executor._queries(asked), loop).result(20)  # type: ignore[misc, arg-type]

        talk.executor.names["query"] = query

    talk.executor.before_cell = before
    return talk


async def test_a_schema_goes_as_a_parameter_and_the_reply_is_checked(endpoint, with_schema):
    endpoint.sub('{"age": 58}')
    call = await ask_for_json(with_schema)
    assert (call.status, call.reply) == ("done", '{"age": 58}')
    assert endpoint.of("sub")[0].body["response_format"]["json_schema"]["schema"] == json.loads(SCHEMA)


async def test_a_server_that_refuses_schemas_is_told_in_words(endpoint, with_schema):
    endpoint.fault("refuses_schema", None)
    endpoint.sub(lambda prompt: 'Gladly:\n```json\n{"age": 58}\n```' if "JSON Schema" in prompt else "no")
    call = await ask_for_json(with_schema)
    assert (call.status, call.reply) == ("done", '{"age": 58}')
    assert [request.status for request in endpoint.of("sub")] == [400, 200]
    assert [attempt.status for attempt in call.attempts] == [400, 200]
    with_schema.sums_are_the_servers()


async def test_what_does_not_fit_is_told_and_asked_again(endpoint, with_schema):
    replies = iter(["I would say 58.", '{"age": "58"}', '{"age": 58}'])
    endpoint.sub(lambda _prompt: next(replies))
    call = await ask_for_json(with_schema)
    assert (call.status, call.reply, call.usage.calls) == ("done", '{"age": 58}', 3)
    assert [bool(attempt.error) for attempt in call.attempts] == [True, True, False]
    last = endpoint.of("sub")[-1]
    assert "at $.age: '58' is not of type 'integer'" in last.prompt
    assert len(last.messages) == 3
    with_schema.sums_are_the_servers()


async def test_what_never_fits_is_a_failure(endpoint, with_schema):
    endpoint.sub("No.")
    call = await ask_for_json(with_schema)
    assert (call.status, call.usage.calls) == ("failed", 3)
    reply = with_schema.executor.names["r"][0]  # type: ignore[index]
    assert reply["text"] == ""
    assert "does not fit the schema" in reply["error"]


async def test_samples_are_calls_of_their_own(endpoint, with_schema):
    ages = iter(range(100))
    endpoint.sub(lambda _prompt: f'{{"age": {next(ages)}}}')
    await with_schema.run(f"r = query('Ahab', {SCHEMA!r}, 5)")
    assert len({call.reply for call in with_schema.calls}) == 5
    assert len({call.batch for call in with_schema.calls}) == 1
    assert len(endpoint.requests) == 7


# many calls


async def test_a_thousand_calls_with_failures_and_hanging_ones_lose_none(endpoint, begin):
    rng, failed = random.Random(3), set[str]()
    bad = dict.fromkeys(rng.sample(range(1000), 110), "hang")
    bad |= {number: rng.choice(["500", "429"]) for number in list(bad)[10:]}

    def fault(request: Request) -> str:
        number = request.prompt.rpartition(" ")[2]
        if request.role == "root" or number in failed:
            return ""
        failed.add(number)
        return bad.get(int(number), "")

    endpoint.fault_of = fault
    talk = begin(RLM_TIMEOUT="1")
    run = await talk.run(THOUSAND, calls=None)
    assert run.outcome == "answered"
    assert {call.status for call in talk.calls} == {"done"}
    assert sum(len(call.attempts) == 2 for call in talk.calls) == 110
    talk.sums_are_the_servers()


async def test_an_interrupt_ends_a_thousand_calls_and_what_is_answered_is_not_paid_again(endpoint, talk, begin):
    endpoint.fault_of = lambda request: "hang" if request.role == "sub" and int(request.prompt[5:]) >= 200 else ""
    asking = asyncio.create_task(talk.run(THOUSAND, calls=None))
    deadline = time.monotonic() + 20
    while sum(call.status == "done" for call in talk.calls) < 200 or endpoint.in_flight < 64:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)
    started = time.monotonic()
    talk.session.control.stop()
    run = await asking
    assert time.monotonic() - started < 10
    assert run.outcome == "stopped"
    assert await asyncio.to_thread(endpoint.wait_idle)
    assert sum(request.cancelled for request in endpoint.requests) == 64
    assert sum(call.status == "done" for call in talk.calls) == 200
    endpoint.fault_of = lambda _request: ""
    endpoint.reset()
    again = begin(talk.memo)
    assert (await again.run(THOUSAND, calls=None)).outcome == "answered"
    assert len(endpoint.of("sub")) == 800
    assert sum(call.cached for call in again.calls) == 200
    again.sums_are_the_servers()


async def test_asked_again_nothing_is_paid_and_fresh_pays_again(endpoint, talk, begin):
    cells = ["r = llm_query_batched(['a', 'a', 'b'])", "s = llm_query('a')"]
    await talk.run(*cells)
    paid = len(endpoint.requests)
    assert paid == 3 + 4
    again = begin(talk.memo)
    run = await again.run(*cells)
    assert run.reply == "done"
    assert len(endpoint.requests) == paid
    assert all(node.cached for node in again.session.tree if node.kind != "run")
    assert again.session.tree.total(run.id).tokens == 0
    assert again.executor.names["r"][0]["text"] == talk.executor.names["r"][0]["text"]  # type: ignore[index]
    endpoint.reset()
    fresh = begin(talk.memo)
    await fresh.run(*cells, fresh=True)
    assert len(endpoint.requests) == paid
    fresh.sums_are_the_servers()


@pytest.mark.parametrize("kind", ["truncated", "stream_error", "reset_mid", "500", "429", "no_usage"])
async def test_turns_that_fail_are_counted_as_the_server_counts_them(endpoint, talk, kind):
    endpoint.root([cell("print(1)"), cell("print(1)")])
    endpoint.fault(kind, 1, role="root")
    run = await talk.run("print(2)", "r = llm_query('a')")
    assert run.outcome == "answered"
    talk.sums_are_the_servers()


async def test_a_pause_does_not_count_towards_the_deadline(endpoint):
    endpoint.root("word " * 20)
    model = OpenAIModel(endpoint.environ | {"RLM_DEADLINE": "0.5"}, backoff=0.01)
    held = iter([0.8])

    async def hold(_text: str) -> bool:
        await asyncio.sleep(next(held, 0))
        return True

    reply = await model.complete(ModelRequest("root-model", SUB.messages, purpose="root"), hold)
    assert reply.text == "word " * 20
    await model.close()


async def test_a_turn_that_was_cut_after_its_cell_is_not_paid_again(endpoint, begin):
    endpoint.root(lambda _messages: f"{answer('done')}\n{'I go on and on. ' * 400}")
    first = begin()
    assert (await first.session.ask("q")).reply == "done"
    again = begin(first.memo)
    assert (await again.session.ask("q")).reply == "done"
    assert len(endpoint.requests) == 1
    assert [node.reply for node in again.session.tree] == [node.reply for node in first.session.tree]
