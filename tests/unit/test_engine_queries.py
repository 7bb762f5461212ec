"""What `llm_query` and `llm_query_batched` of cells come to."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import pytest

from rlm_kernel.engine.executor import QueryDict
from rlm_kernel.engine.session import Session
from rlm_kernel.engine.settings import Settings
from rlm_kernel.errors import EndpointError
from rlm_kernel.messages import ModelReply
from rlm_kernel.models.registry import Registry
from rlm_kernel.models.scripted import ScriptedModel
from rlm_kernel.usage import Limits, Usage
from tests.unit.inline import Diary, InlineExecutor, answer, cell

if TYPE_CHECKING:
    from collections.abc import Callable

    from rlm_kernel.messages import ModelRequest, OnText
    from rlm_kernel.trace.records import Node


class Sub:
    """Echoes prompts; a prompt can ask to be slow, to fail, to be cut off or withheld. Usage tells prompts apart."""

    def __init__(self, seconds: float = 0.0, cost: float | None = 0.000001) -> None:
        self.seconds = seconds
        self.cost = cost
        self.now = 0
        self.most = 0
        self.asked: list[str] = []

    async def complete(self, request: ModelRequest, on_text: OnText | None = None) -> ModelReply:
        prompt = request.messages[-1].content
        self.asked.append(prompt)
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            await asyncio.sleep(20 if "slow" in prompt else self.seconds)
        finally:
            self.now -= 1
        if "fail" in prompt:
            raise EndpointError("The endpoint did not answer.", "Try later.", model=request.model)
        if "bug" in prompt:
            raise ZeroDivisionError("a bug")
        finish = "length" if "long" in prompt else "filter" if "filter" in prompt else "stop"
        usage = Usage(len(prompt), 0, 1, 1, self.cost, 0.5)
        return ModelReply(f"echo {prompt}", usage, f"{request.model}-0613", finish)

    async def close(self) -> None:
        pass


def session(sub: Sub, *replies: str, diary: Diary | None = None, **limits: object) -> tuple[Session, InlineExecutor]:
    executor = InlineExecutor()
    models = Registry({}, {"root": ScriptedModel(replies), "sub": sub})
    settings = Settings("root", "sub", Limits(**limits))  # type: ignore[arg-type]
    return Session(executor, models, settings, [diary] if diary else []), executor


def calls(talk: Session) -> list[Node]:
    return [node for node in talk.tree if node.kind == "call"]


async def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.005)


async def test_one_call_is_one_node_with_its_own_usage() -> None:
    talk, executor = session(Sub(), cell("r = llm_query('What\\nis it?')"), answer("x"))
    await talk.ask("q")
    (call,) = calls(talk)
    assert (call.kind, call.status, call.label, call.prompt) == ("call", "done", "What is it?", "What\nis it?")
    assert (call.reply, call.model, call.batch) == ("echo What\nis it?", "sub-0613", None)
    assert call.usage == Usage(11, 0, 1, 1, 0.000001, 0.5)
    reply = executor.names["r"]
    assert reply == {"text": "echo What\nis it?", "error": None, "node_id": call.id, "usage": call.usage.to_dict()}
    assert call.parent_id == talk.tree.children(call.run_id)[0].id  # type: ignore[arg-type]
    assert call.started is not None
    assert call.ended is not None


async def test_a_batch_keeps_order_and_each_has_its_own_usage() -> None:
    sub = Sub(seconds=0.02)
    talk, executor = session(
        sub, cell("r = llm_query_batched([str(n) * (n + 1) for n in range(9)])"), answer("x"), concurrency=3
    )
    await talk.ask("q")
    assert [reply["text"] for reply in executor.names["r"]] == [f"echo {str(n) * (n + 1)}" for n in range(9)]  # type: ignore[attr-defined]
    assert [call.usage.input_tokens for call in calls(talk)] == list(range(1, 10))
    assert len({call.batch for call in calls(talk)}) == 1
    assert calls(talk)[0].batch
    assert sub.most == 3


async def test_two_batches_are_told_apart() -> None:
    talk, _ = session(
        Sub(), cell("llm_query_batched(['a'])\nllm_query_batched(['b'])\nllm_query_batched([])"), answer("x")
    )
    await talk.ask("q")
    assert len({call.batch for call in calls(talk)}) == 2


async def test_another_model_can_be_named() -> None:
    talk, executor = session(
        Sub(), cell("a = llm_query('x', model='sub')\nb = llm_query('x', model='scripted:/none')"), answer("x")
    )
    await talk.ask("q")
    assert executor.names["a"]["error"] is None  # type: ignore[index]
    assert "/none" in executor.names["b"]["error"]  # type: ignore[index]


async def test_failures_are_values_and_the_others_go_on() -> None:
    prompts = ["a", "fail", "b", "long", "filter", "bug"]
    talk, executor = session(Sub(), cell(f"r = llm_query_batched({prompts})"), answer("x"))
    run = await talk.ask("q")
    assert run.outcome == "answered"
    replies = executor.names["r"]
    assert [reply["error"] for reply in replies] == [  # type: ignore[attr-defined]
        None,
        "The endpoint did not answer. Try later.",
        None,
        "The reply was cut off at the limit of its length. Ask for a shorter reply, or about a smaller piece.",
        "The endpoint withheld the reply. Ask in other words, or another model.",
        "ZeroDivisionError: a bug",
    ]
    nodes = calls(talk)
    assert [call.status for call in nodes] == ["done", "failed", "done", "failed", "failed", "failed"]
    assert nodes[1].usage == Usage()
    assert nodes[3].usage.calls == 1
    assert nodes[3].reply == "echo long"


async def test_a_batch_runs_the_part_that_fits() -> None:
    sub = Sub(cost=0.01)
    limits = {"calls": 7, "cost_usd": None}
    talk, executor = session(sub, cell("r = llm_query_batched([str(n) for n in range(20)])"), answer("x"), **limits)
    run = await talk.ask("q")
    assert len(sub.asked) == 6
    errors = [reply["error"] for reply in executor.names["r"]]  # type: ignore[attr-defined]
    assert errors[:6] == [None] * 6
    assert all("limit of 7 model calls" in error for error in errors[6:])
    assert run.outcome == "limit"
    assert talk.tree.total(run.id).calls == 7


async def test_a_limit_of_cost_stops_a_batch() -> None:
    sub = Sub(cost=0.1, seconds=0.001)
    code = "llm_query('x' * 10_000)\nllm_query_batched(['x' * 10_000] * 50)"
    talk, _ = session(sub, cell(code), answer("x"), cost_usd=1.0, concurrency=4)
    run = await talk.ask("q")
    cost = talk.tree.total(run.id).cost_usd
    assert cost is not None
    assert 0.5 < cost <= 1.0
    assert {call.status for call in calls(talk)} == {"done", "failed"}


async def test_unknown_cost_stays_unknown() -> None:
    talk, _ = session(Sub(cost=None), cell("llm_query('a')"), answer("x"))
    run = await talk.ask("q")
    assert talk.tree.total(run.id).cost_usd is None
    assert talk.tree.children(run.id)[1].usage.cost_usd == 0.0


async def test_stop_keeps_what_is_answered_and_cancels_the_rest() -> None:
    sub, diary = Sub(), Diary()
    talk, _ = session(sub, cell("llm_query_batched(['a', 'slow', 'b', 'slow'])"), diary=diary)
    asking = asyncio.create_task(talk.ask("q"))
    await until(lambda: [call.status for call in calls(talk)] == ["done", "running", "done", "running"])
    talk.control.stop()
    run = await asking
    assert run.outcome == "stopped"
    assert [call.status for call in calls(talk)] == ["done", "stopped", "done", "stopped"]
    assert [call.reply for call in calls(talk)] == ["echo a", "", "echo b", ""]
    assert sub.now == 0
    cut = calls(talk)[1].usage
    assert (cut.estimated, cut.calls) == (True, 0)
    assert all(call.ended for call in calls(talk))


async def test_a_run_that_is_over_makes_no_further_call() -> None:
    sub = Sub()
    talk, executor = session(sub, cell("ask = llm_query"), answer("x"))
    await talk.ask("q")
    handler: list[object] = []

    async def keep(queries: object, *, goes_on: bool = False) -> None:
        handler.append(queries)

    executor.begin = keep  # type: ignore[assignment]
    run = await talk.ask("again")
    assert run.outcome == "failed"
    query = QueryDict(prompts=["a"], model=None, batched=False, line=1)
    (reply,) = await handler[0](query)  # type: ignore[operator]
    assert reply["error"] == "The question this cell belongs to is over."
    assert sub.asked == []


async def test_pause_holds_calls_and_a_step_lets_one_through() -> None:
    sub = Sub()
    talk, executor = session(sub, cell("llm_query_batched(['a', 'b'])"), answer("x"))
    executor.before_cell = lambda: talk.control.pause()
    asking = asyncio.create_task(talk.ask("q"))
    await until(lambda: talk.control.waits_for == "you, before a model call")
    assert sub.asked == []
    talk.control.step()
    await until(lambda: sub.asked == ["a"])
    await asyncio.sleep(0.02)
    assert sub.asked == ["a"]
    executor.before_cell = lambda: None
    talk.control.resume()
    assert (await asking).outcome == "answered"


async def test_a_query_outside_a_run_has_a_run_of_its_own() -> None:
    diary = Diary()
    talk, _ = session(Sub(), diary=diary)
    query = QueryDict(prompts=["a", "fail"], model=None, batched=True, line=2)
    first, second = await talk.query_outside(query, "In [3]")
    assert (first["text"], first["error"]) == ("echo a", None)
    assert second["error"]
    run = next(iter(talk.tree))
    assert (run.kind, run.label, run.outcome, run.status) == ("run", "In [3]", "failed", "failed")
    assert [call.status for call in talk.tree.children(run.id)] == ["done", "failed"]
    assert talk.tree.total(run.id).calls == 1
    assert diary.events[-1] == ("over", run.id)
    assert talk.current is None


async def test_a_cell_that_asks_twice_may_get_two_answers_and_the_same_two_when_it_runs_again() -> None:
    class Counting(Sub):
        endpoint = "http://sub"

        async def complete(self, request: ModelRequest, on_text: OnText | None = None) -> ModelReply:
            return ModelReply(f"answer {len(self.asked)}", (await super().complete(request)).usage, "sub")

    talk, _ = session(Counting())
    query = QueryDict(prompts=["A joke?"], model=None, batched=False, line=1)
    said = [(await talk.query_outside(query, "In", cell))[0]["text"] for cell in ("m1", "m1", "m2", "m2", "m2")]
    assert said == ["answer 0", "answer 1", "answer 0", "answer 1", "answer 2"]


async def test_a_query_outside_can_be_cancelled() -> None:
    sub = Sub()
    talk, _ = session(sub)
    asking = asyncio.create_task(
        talk.query_outside(QueryDict(prompts=["slow"], model=None, batched=False, line=1), "In [1]")
    )
    await until(lambda: sub.now)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert {node.status for node in talk.tree} == {"stopped"}
    assert sub.now == 0


async def test_many_calls_cost_little_time() -> None:
    count = 2000
    talk, _ = session(Sub(), calls=None, cost_usd=None)
    query = QueryDict(prompts=["x"] * count, model=None, batched=True, line=1)
    started = time.perf_counter()
    await talk.query_outside(query, "many")
    # The aim is 1 ms a call; a slow machine gets slack.
    assert (time.perf_counter() - started) / count < 0.01


async def test_a_batch_that_is_stopped_while_it_starts_leaves_no_call_waiting() -> None:
    talk, executor = session(Sub(), cell("llm_query_batched(['slow'] * 500)"), calls=None, concurrency=500)
    started = 0

    def stop() -> None:
        nonlocal started
        started += 1
        if len(calls(talk)) < 500:
            asyncio.get_running_loop().call_soon(stop)
        else:
            talk.control.stop()

    executor.before_cell = stop
    run = await talk.ask("q")
    assert run.outcome == "stopped"
    assert started
    assert {call.status for call in calls(talk)} == {"stopped"}
    assert all(call.ended for call in calls(talk))
