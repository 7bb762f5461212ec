"""rlm_query: child runs in processes of their own."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from rlm_kernel.engine.session import Session
from rlm_kernel.engine.settings import Settings
from rlm_kernel.host.executor import ProcessExecutor
from rlm_kernel.host.pool import WarmPool
from rlm_kernel.messages import ModelReply, ModelRequest
from rlm_kernel.models.registry import Registry
from rlm_kernel.usage import Limits, Usage
from tests.processes import alive

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from rlm_kernel.engine.executor import ContextHandle, Executor
    from rlm_kernel.messages import OnText
    from rlm_kernel.trace.records import Node

Rules = dict[str, str | list[str]]


def cell(code: str) -> str:
    return f"Next.\n\n```python\n{code}\n```"


class Ruled:
    """Answers by rule: the first pattern found in the question (or the prompt) has a reply for each turn."""

    window: int | None = None

    def __init__(self, rules: Rules, delay: float) -> None:
        self.rules = rules
        self.delay = delay
        self.asked: list[ModelRequest] = []

    async def complete(self, request: ModelRequest, on_text: OnText | None = None) -> ModelReply:
        self.asked.append(request)
        await asyncio.sleep(self.delay)
        text = self._answer(request)
        if on_text is not None:
            await on_text(text)
        return ModelReply(text, Usage(request.chars // 4, 0, -(-len(text) // 4), calls=1), request.model)

    async def close(self) -> None:
        pass

    def _answer(self, request: ModelRequest) -> str:
        asked = request.messages[-1].content
        if request.purpose == "root":
            found = re.search(r"<question>\n(.*?)\n</question>", request.messages[1].content, re.DOTALL)
            assert found is not None
            asked = found[1]
        turn = sum(message.role == "assistant" for message in request.messages)
        for pattern, given in self.rules.items():
            if re.search(pattern, asked):
                texts = [given] if isinstance(given, str) else given
                return texts[min(turn, len(texts) - 1)]
        raise AssertionError(f"no rule for {asked!r}")


class CountingPool(WarmPool):
    """Keeps the namespaces it gave, to look at their processes."""

    def __init__(self, executor: ProcessExecutor) -> None:
        super().__init__(executor.process)
        self.taken: list[int] = []
        self.lengths: dict[int, int] = {}
        """How large the context of each is."""
        self.at_once = self.most = 0
        self.places = 1000

    def room(self, context: int) -> int:
        assert context > 0
        return self.places

    async def take(self, context: ContextHandle) -> Executor:
        executor = await super().take(context)
        assert isinstance(executor, ProcessExecutor)
        self.taken.append(executor.process.pid)
        self.lengths[executor.process.pid] = context.length
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        return executor

    async def give_back(self, executor: Executor) -> None:
        self.at_once -= 1
        await super().give_back(executor)

    @property
    def living(self) -> list[int]:
        return [pid for pid in self.taken if alive(pid)]


class House:
    """A session with real processes below it."""

    def __init__(self, rules: Rules, delay: float, limits: Limits) -> None:
        self.model = Ruled(rules, delay)
        self.executor = ProcessExecutor()
        names = ("rules", "small", "other")
        models = Registry({"RLM_MODEL": "rules"}, dict.fromkeys(names, self.model))
        self.pool = CountingPool(self.executor)
        self.session = Session(self.executor, models, Settings(limits=limits), pool=self.pool)
        self.tree = self.session.tree

    async def answer(self, question: str = "top", settings: Settings | None = None) -> str:
        node = await self.session.ask(question, settings=settings)
        assert node.outcome == "answered", [f"{each.id}: {each.error}" for each in self.tree if each.error]
        return node.reply

    def of(self, kind: str) -> list[Node]:
        return [node for node in self.tree if node.kind == kind]

    async def value(self, code: str) -> str:
        result = await self.executor.run_person_cell(code)
        assert result.status == "ok", result.outputs
        return str(result.outputs[-1]["data"]["text/plain"])

    async def until(self, condition: Callable[[], bool], seconds: float = 10) -> None:
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, [(node.id, node.status, node.error) for node in self.tree]
            await asyncio.sleep(0.01)


Make = "Callable[..., Awaitable[House]]"


@pytest.fixture
async def make() -> AsyncIterator[Callable[..., Awaitable[House]]]:
    houses: list[House] = []

    async def build(
        rules: Rules, context: str = "'one\\ntwo\\nthree\\n'", delay: float = 0.0, limits: Limits | None = None
    ) -> House:
        house = House(rules, delay, limits or Limits())
        houses.append(house)
        await house.executor.start()
        result = await house.executor.run_person_cell(f"context = {context}")
        assert result.status == "ok", result.outputs
        return house

    yield build
    for house in houses:
        await house.session.close()
        await house.executor.close()
        await house.until(lambda house=house: not house.pool.living)  # type: ignore[misc]


async def test_a_child_works_in_its_own_namespace_and_its_answer_comes_back(make):
    house = await make(
        {
            "^top": cell("x = 1\nr = rlm_query('child: count')\nFINAL(f'{r} {r.usage.calls} {r.node_id} {r.note!r}')"),
            "^child": [cell("print('x' in dir()); x = 'mine'"), cell("FINAL(f'{len(context)} {x}')")],
        }
    )
    answer = await house.answer()
    root, child = house.of("run")
    assert child.id == f"{root.id}/t1/r1"
    assert answer == f"14 mine 2 {child.id} ''"
    assert (child.parent_id, child.run_id) == (f"{root.id}/t1", child.id)
    assert (child.outcome, child.status, child.reply, child.prompt) == ("answered", "done", "14 mine", "child: count")
    assert [(each.id, each.output) for each in house.tree.children(child.id)] == [
        (f"{child.id}/t1", "False"),
        (f"{child.id}/t2", ""),
    ]
    assert house.tree.total(root.id).calls == 3
    assert await house.value("x, len(context)") == "(1, 14)"
    assert house.pool.living == []


async def test_children_run_at_the_same_time_with_a_context_each(make):
    house = await make(
        {
            "^top": cell(
                "cs = ['ab', ['a', 1], {'k': None}, load(PATH, name=None), 'ü\\ud800', ('t',), None]\n"
                "rs = rlm_query_batched([f'child {i}' for i in range(7)], cs)\nFINAL('\\n'.join(rs))"
            ),
            "^child": cell(
                "pages = getattr(context, 'page_count', '-')\n"
                "FINAL(f'{type(context).__name__} {ascii(str(context))[:50]} {pages}')"
            ),
        },
    )
    path = Path(__file__).parents[2] / "LICENSE"
    await house.executor.run_person_cell(f"PATH = {str(path)!r}")
    complete = house.model.complete

    async def together(request: ModelRequest, on_text: OnText | None = None) -> ModelReply:
        if len(house.of("run")) > 1:
            await house.until(lambda: house.pool.most == 7, 60)
        return await complete(request, on_text)

    house.model.complete = together  # type: ignore[method-assign]
    lines = (await house.answer()).split("\n")
    assert house.pool.most == 7
    assert lines[0] == "str 'ab' -"
    assert lines[1] == "list \"['a', 1]\" -"
    assert lines[2] == "dict \"{'k': None}\" -"
    assert lines[3].startswith("Document '")
    assert lines[4] == "str '\\xfc\\ud800' -"
    assert lines[5] == "tuple \"('t',)\" -"
    assert lines[6] == "str 'one\\ntwo\\nthree\\n' -", "without one, a child has its parent's"
    batches = {node.batch for node in house.of("run")[1:]}
    assert len(batches) == 1
    assert None not in batches


async def test_what_cannot_be_handed_over_is_said_in_the_cell(make):
    house = await make({"^child": cell("FINAL('x')")})
    for code, says in {
        "rlm_query('child', context=open)": None,
        "rlm_query('child', context=(i for i in 'ab'))": "cannot be handed over: cannot pickle 'generator' object",
        "class A: pass\nrlm_query('child', context=[A()])": "A is defined in a cell",
        "rlm_query('child', context=lambda: 1)": "is defined in a cell",
        "rlm_query(['a'])": "rlm_query_batched",
        "rlm_query_batched('a')": "list of texts",
        "rlm_query_batched(['a', 'b'], ['c'])": "2 prompts but 1 contexts",
        "rlm_query_batched(['a'], 'c')": "a list with one context for each",
        "del context\nrlm_query('child')": "no context to hand over",
    }.items():
        result = await house.executor.run_person_cell(code)
        if says is not None:
            assert result.status == "error", code
            assert says in result.outputs[-1]["evalue"], code


async def test_what_the_child_cannot_read_fails_the_child_alone(make, tmp_path):
    house = await make({"^top": cell("import mod\nr = rlm_query('child', mod.A())\nFINAL(f'{bool(r)} {r.error}')")})
    await house.executor.run_person_cell(f"import sys; sys.path.insert(0, {str(tmp_path)!r})")
    (tmp_path / "mod.py").write_text("class A: pass\n")
    answer = await house.answer()
    assert answer.startswith(
        "False The context cannot be read in the child run: ModuleNotFoundError: No module named 'mod'"
    )
    assert house.of("run")[1].outcome == "failed"


async def test_a_child_that_dies_is_a_failed_reply_with_the_reason(make):
    house = await make(
        {
            "^top": cell("rs = rlm_query_batched(['child ok', 'child dies', 'child exits'])\nFINAL(repr(rs))"),
            "^child ok": cell("FINAL('fine')"),
            "^child dies": cell("import os, signal; os.kill(os.getpid(), signal.SIGKILL)"),
            "^child exits": cell("import os; os._exit(3)"),
        }
    )
    assert await house.answer() == (
        "['fine', <FailedReply: The process of the namespace was ended by SIGKILL, perhaps for want of memory.>, "
        "<FailedReply: The process of the namespace ended with exit code 3.>]"
    )
    assert [node.outcome for node in house.of("run")] == ["answered", "answered", "failed", "failed"]


async def test_a_child_killed_from_outside_while_it_waits_for_a_model(make):
    house = await make(
        {
            "^top": cell("r = rlm_query('child')\nFINAL(f'{bool(r)} {r}')"),
            "^child": [cell("x = 1"), cell("llm_query('leaf')")],
            "^leaf": "never",
        },
        delay=0.1,
    )
    asking = asyncio.create_task(house.answer())
    await house.until(lambda: bool(house.of("call")))
    os.kill(house.pool.taken[0], signal.SIGKILL)
    assert "False [rlm_query failed: The process of the namespace was ended by SIGKILL" in await asking
    assert house.of("call")[0].status == "stopped"


async def test_a_child_that_reaches_a_limit_tells_its_best_answer(make):
    house = await make(
        {
            "^top": cell("r = rlm_query('child')\nFINAL(f'{bool(r)} {r.error}')"),
            "^child": [cell("answer['content'] = 'half'"), cell("y = 1"), cell("y = 2"), cell("y = 3")],
        },
        limits=Limits(turns=3),
    )
    answer = await house.answer()
    assert answer.startswith("False The limit of 3 turns for this child run is reached.")
    assert answer.endswith("Its best answer so far: half")


async def test_models_at_each_depth(make):
    house = await make(
        {
            "^top": cell("FINAL(rlm_query('child a') + rlm_query('child b', model='other'))"),
            "^child": cell("FINAL(llm_query('leaf'))"),
            "^leaf": "x",
        }
    )
    settings = replace(house.session.settings, sub_model="small")
    assert await house.answer(settings=settings) == "xx"
    asked = [(request.purpose, request.model) for request in house.model.asked]
    assert asked == [("root", "rules"), ("root", "small"), ("sub", "small"), ("root", "other"), ("sub", "small")]


async def test_at_the_depth_limit_it_is_an_llm_query_and_says_so(make):
    house = await make(
        {
            "^top": cell("r = rlm_query('child')\nFINAL(r)"),
            "^child": cell(
                "rs = rlm_query_batched(['deep', 'deep'], ['C' * 30, {'a': 1}])\nFINAL(f'{rs} {rs[0].note}')"
            ),
            "^deep": "read",
        }
    )
    note = "No level of rlm_query was left here, so it was asked as llm_query."
    assert await house.answer() == f"['read', 'read'] {note}"
    first, second = house.of("call")
    assert first.label.startswith("asked as llm_query, no level of rlm_query was left: deep")
    assert first.prompt == f"deep\n\n<context>\n{'C' * 30}\n</context>"
    assert '"a": 1' in second.prompt
    systems = [request.messages[0].content for request in house.model.asked if request.purpose == "root"]
    assert ["rlm_query" in system for system in systems] == [True, False]


@pytest.mark.parametrize("depth", [0, 2])
async def test_the_model_is_told_of_children_only_where_there_are_levels(make, depth):
    house = await make(
        {"^top": cell("r = rlm_query('child')\nFINAL(r)"), "^child": cell("FINAL('in')")}, limits=Limits(depth=depth)
    )
    if not depth:
        house.model.rules["^child"] = "called"
    assert await house.answer() == ("in" if depth else "called")
    system = house.model.asked[0].messages[0].content
    assert ("rlm_query" in system, "1 level more" in system) == (bool(depth), bool(depth))


async def test_a_context_too_long_for_a_call_is_cut_in_the_middle(make):
    house = await make(
        {"^top": cell("FINAL(rlm_query('deep'))"), "^deep": "read"},
        "'a' * 50_000 + 'z' * 50_000",
        limits=Limits(depth=0),
    )
    house.model.window = 2000
    await house.answer()
    prompt = house.of("call")[0].prompt
    assert len(prompt) < 4200
    assert "characters left out" in prompt
    assert prompt.endswith("zzz\n</context>")


WIDE = {
    "^top": cell("rs = rlm_query_batched([f'one {i}' for i in range(8)])\nFINAL(sum(map(int, rs)))"),
    "^one": cell("rs = rlm_query_batched([f'two {i}' for i in range(8)])\nFINAL(sum(map(int, rs)))"),
    "^two": cell("FINAL(int(rlm_query('three')) + len(llm_query('leaf')))"),
    "^three": cell("FINAL(len(context))"),
    "^leaf": "1",
}


async def test_three_levels_of_eight_by_eight(make):
    house = await make(WIDE, limits=Limits(depth=3))
    assert await house.answer() == str(64 * 15)
    assert len(house.of("run")) == 1 + 8 + 64 + 64
    assert house.tree.total(house.of("run")[0].id).calls == 1 + 8 + 64 + 64 + 64


async def test_no_deadlock_with_one_place_and_one_call_at_a_time(make):
    rules = {**WIDE, "^top": WIDE["^top"].replace("8", "2"), "^one": WIDE["^one"].replace("8", "2")}
    house = await make(rules, limits=Limits(depth=3, concurrency=1))
    house.pool.places = 1
    assert await asyncio.wait_for(house.answer(), 60) == str(4 * 15)
    assert house.pool.most == 3, "one at each level"


async def test_a_limit_of_calls_holds_for_all_children_together(make):
    house = await make(WIDE, limits=Limits(depth=3, calls=20))
    node = await house.session.ask("top")
    assert node.outcome in ("limit", "answered")
    assert len(house.model.asked) <= 20
    assert house.tree.total(node.id).calls == len(house.model.asked)


SLOW = {
    "^top": cell("rs = rlm_query_batched([f'child {i}' for i in range(8)])"),
    "^child 0": cell("import time; time.sleep(60)"),
    "^child 1": cell("sum(range(10**12))"),
    "^child 2": cell("rlm_query_batched(['child 0', 'child 1'], ['d' * 999] * 2)"),
    "^child": cell("rs = llm_query_batched(['leaf', 'leaf'])"),
}


async def slow_house(make) -> tuple[House, asyncio.Task[Node]]:
    house = await make(SLOW, limits=Limits(depth=2))

    async def never(request: ModelRequest, on_text: OnText | None = None) -> ModelReply:
        await asyncio.Event().wait()
        raise AssertionError

    answer = house.model.complete
    house.model.complete = lambda request, on_text=None: (  # type: ignore[method-assign]
        answer(request, on_text) if request.purpose == "root" else never(request)
    )
    asking = asyncio.create_task(house.session.ask("top"))
    await house.until(lambda: len(house.of("call")) == 10 and len(house.of("run")) == 11 and house.pool.at_once == 10)
    await asyncio.sleep(0.3)
    return house, asking


async def test_stop_ends_children_at_all_levels_soon(make):
    house, asking = await slow_house(make)
    started = time.monotonic()
    house.session.control.stop()
    node = await asking
    assert time.monotonic() - started < 10
    assert node.outcome == "stopped"
    assert house.pool.at_once == 0
    await house.until(lambda: not house.pool.living, 10)
    assert {each.status for each in house.tree} == {"stopped"}
    assert {each.outcome for each in house.of("run")} == {"stopped"}
    assert await house.value("len(context)") == "14"


async def test_an_interrupted_cell_of_the_person_ends_its_children(make):
    house = await make(SLOW)
    query = house.session.query_outside
    house.executor._queries = lambda asked: query(asked, "rlm_query in a cell")
    running = asyncio.create_task(house.executor.run_person_cell("rlm_query_batched(['child 0', 'child 1'])"))
    await house.until(lambda: house.pool.at_once == 2)
    await asyncio.sleep(0.2)
    started = time.monotonic()
    house.executor.interrupt()
    assert (await running).status == "stopped"
    assert time.monotonic() - started < 10
    await house.until(lambda: not house.pool.living, 10)


async def test_the_death_of_a_child_ends_its_own_children(make):
    house, asking = await slow_house(make)
    middle = next(node for node in house.of("run") if node.prompt == "child 2")
    deep = [node for node in house.of("run") if node.id.startswith(middle.id + "/")]
    assert len(deep) == 2
    assert len(set(house.pool.taken)) == 10
    above = [pid for pid in house.pool.taken if house.pool.lengths[pid] < 999]
    assert len(above) == 8
    for pid in above:
        os.kill(pid, signal.SIGKILL)
    await house.until(lambda: not house.pool.living, 10)
    await house.until(lambda: house.pool.at_once == 0)
    assert {node.status for node in deep} == {"stopped"}
    assert "SIGKILL" in str(middle.error)
    house.session.control.stop()
    await asking


async def test_a_pause_holds_children_too(make):
    house = await make(
        {
            "^top": cell("FINAL(len(rlm_query_batched(['child a', 'child b'])))"),
            "^child": [cell("a = llm_query('leaf')"), cell("FINAL('x')")],
            "^leaf": "1",
        },
        delay=0.15,
    )
    asking = asyncio.create_task(house.answer())
    await house.until(lambda: len(house.of("turn")) == 3)
    house.session.control.pause()
    await house.until(lambda: house.session.control.waits_for.startswith("you,"))
    await asyncio.sleep(0.4)
    before = len(house.model.asked)
    await asyncio.sleep(0.3)
    assert len(house.model.asked) == before
    assert not asking.done()
    house.session.control.resume()
    assert await asyncio.wait_for(asking, 10) == "2"


async def test_each_child_is_alone_with_what_it_prints_and_cannot_ask_the_person(make):
    house = await make(
        {
            "^top": cell("print(rlm_query_batched(['child a', 'child b']))\nFINAL('done')"),
            "^child a": [cell("import os; os.write(1, b'raw a'); print('said a')"), cell("FINAL('A')")],
            "^child b": [cell("input('name? ')"), cell("FINAL('B')")],
        }
    )
    await house.answer()
    outputs = {turn.id[turn.id.index("/") :]: turn.output for turn in house.of("turn")}
    assert outputs["/t1"] == "['A', 'B']"
    assert sorted(re.findall(r"raw a|said a", outputs["/t1/r1/t1"])) == ["raw a", "said a"]
    assert "StdinNotImplementedError" in outputs["/t1/r2/t1"]


async def test_without_a_nursery_children_are_started_anew(make):
    house = await make({"^top": cell("FINAL(rlm_query('child'))"), "^child": cell("FINAL(len(context))")})
    house.executor.process._states.close_nursery()
    assert await house.answer() == "14"


async def test_a_session_without_a_pool_has_no_children(make):
    house = await make({"^top": cell("r = rlm_query('child')\nFINAL(f'{r} {r.note}')"), "^child": "flat"})
    house.session._pool = None
    assert (await house.answer()).startswith("flat No level of rlm_query was left")
    assert "rlm_query" not in house.model.asked[0].messages[0].content


async def test_the_namespace_that_takes_the_place_of_a_dead_one_has_a_nursery_too(make):
    house = await make({"^top": cell("FINAL(rlm_query('child'))"), "^child": cell("FINAL(len(context))")})
    os.kill(house.executor.process.pid, signal.SIGKILL)
    await asyncio.sleep(0.2)
    await house.executor.run_person_cell("context = 'new'")
    assert await house.answer() == "3"


async def test_the_context_is_written_once_and_passed_on(make):
    """The file is the same for all children, at all levels; only the descriptor travels."""
    house = await make(
        {
            "^top": cell("FINAL('\\n'.join(rlm_query_batched(['child'] * 3) + [rlm_query('child')]))"),
            "^child": cell("import os\nFINAL(rlm_query('deep'))"),
            "^deep": cell("import os\nfd = max(map(int, os.listdir('/proc/self/fd')))\nFINAL('ok')"),
        },
        limits=Limits(depth=2),
    )
    seen = set()
    take = house.pool.take

    async def looking(context: ContextHandle) -> Executor:
        found = os.fstat(context.fd)
        seen.add((found.st_dev, found.st_ino, found.st_nlink, context.offset, context.length))
        return await take(context)

    house.pool.take = looking  # type: ignore[method-assign]
    files = len(os.listdir("/proc/self/fd"))
    assert await house.answer() == "ok\nok\nok\nok"
    assert len(seen) == 1
    assert next(iter(seen))[2] == 0, "it has no name, so nothing is left behind"
    assert len(os.listdir("/proc/self/fd")) <= files + 2, "and the states before the run and before its cell"


SCRIPT = """
import asyncio, sys
sys.path[:0] = {paths!r}
from test_children import House, SLOW, Limits
async def main():
    house = House(SLOW, 0.0, Limits(depth=2))
    await house.executor.start()
    await house.executor.run_person_cell("context = 'x'")
    house.model.rules["^leaf"] = "1"
    asking = asyncio.create_task(house.session.ask("top"))
    await house.until(lambda: house.pool.at_once >= 5)
    await asyncio.sleep(0.5)
    print(house.executor.process.pid, *house.pool.taken, flush=True)
    await asking
asyncio.run(main())
"""


def test_killing_the_host_leaves_no_process():
    paths = [str(Path(__file__).parent), str(Path(__file__).parents[2])]
    started = subprocess.Popen([sys.executable, "-c", SCRIPT.format(paths=paths)], stdout=subprocess.PIPE, text=True)
    assert started.stdout is not None
    with started.stdout:
        pids = [int(word) for word in started.stdout.readline().split()]
        assert len(pids) >= 6
        assert any(map(alive, pids))
        started.kill()
        started.wait()
    end = time.monotonic() + 10
    while any(map(alive, pids)):
        assert time.monotonic() < end, [pid for pid in pids if alive(pid)]
        time.sleep(0.02)
