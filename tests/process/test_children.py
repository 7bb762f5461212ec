"""rlm_query: child runs in processes of their own."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from rlm_kernel.engine.session import Session
from rlm_kernel.engine.settings import Settings
from rlm_kernel.host.executor import ProcessExecutor
from rlm_kernel.host.pool import WarmPool
from rlm_kernel.messages import ModelReply, ModelRequest
from rlm_kernel.models.registry import Registry
from rlm_kernel.usage import Limits, Usage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from rlm_kernel.messages import OnText
    from rlm_kernel.trace.records import Node


def cell(code: str) -> str:
    return f"Next.\n\n```python\n{code}\n```"


class Rules:
    """A model that answers by rule: the first of its patterns that is found in the question (or prompt) says how."""

    def __init__(self, rules: dict[str, str | list[str]], delay: float = 0.0) -> None:
        self.rules = rules
        self.delay = delay
        self.asked: list[ModelRequest] = []

    async def complete(self, request: ModelRequest, on_text: OnText | None = None) -> ModelReply:
        self.asked.append(request)
        await asyncio.sleep(self.delay)
        text = self._answer(request)
        if on_text is not None:
            await on_text(text)
        sent = sum(-(-len(message.content) // 4) for message in request.messages)
        return ModelReply(text, Usage(sent, 0, -(-len(text) // 4), calls=1), request.model)

    async def close(self) -> None:
        pass

    def _answer(self, request: ModelRequest) -> str:
        turn = sum(message.role == "assistant" for message in request.messages)
        asked = request.messages[-1].content
        if request.purpose == "root":
            asked = re.search(r"<question>\n(.*?)\n</question>", request.messages[1].content, re.DOTALL)[1]
        for pattern, given in self.rules.items():
            if found := re.search(pattern, asked, re.DOTALL):
                texts = [given] if isinstance(given, str) else given
                return (
                    found.expand(texts[min(turn, len(texts) - 1)])
                    if "\\" in texts[0]
                    else texts[min(turn, len(texts) - 1)]
                )
        raise AssertionError(f"no rule for {asked!r}")


class House:
    """A session with real processes below it."""

    def __init__(self, rules: dict[str, str | list[str]], delay: float = 0.0, **limits: object) -> None:
        self.model = Rules(rules, delay)
        self.executor = ProcessExecutor()
        self.models = Registry({"RLM_MODEL": "rules"}, {"rules": self.model, "other": self.model})
        self.pool = WarmPool(self.executor.process)
        self.session = Session(self.executor, self.models, Settings(limits=Limits(**limits)), pool=self.pool)

    async def ask(self, question: str, **limits: object) -> Node:
        settings = self.session.settings
        return await self.session.ask(question, settings=replace(settings, limits=replace(settings.limits, **limits)))

    def nodes(self, kind: str) -> list[Node]:
        return [node for node in self.session.tree if node.kind == kind]

    def failures(self) -> list[str]:
        return [f"{node.id}: {node.error}" for node in self.session.tree if node.error]


@pytest.fixture
async def make() -> AsyncIterator[Callable[..., object]]:
    houses: list[House] = []

    async def open_house(rules, context="one\ntwo\nthree\n", **options) -> House:
        houses.append(House(rules, **options))
        await houses[-1].executor.start()
        await houses[-1].executor.run_person_cell(f"context = {context!r}")
        return houses[-1]

    yield open_house
    for house in houses:
        await house.session.close()
        await house.executor.close()


async def test_a_child_works_in_its_own_namespace_and_its_answer_comes_back(make):
    house = await make(
        {
            "^top": cell("x = 1\nr = rlm_query('child: count')\nFINAL(f'{r} {r.usage.calls} {r.node_id} {r!r}')"),
            "^child": [cell("x = 'mine'\nprint(len(context), 'x' in dir())"), cell("FINAL(f'{len(context)} {x}')")],
        }
    )
    node = await house.ask("top")
    assert house.failures() == []
    run, turn, child = house.session.tree[node.id], f"{node.id}/t1", f"{node.id}/t1/r1"
    assert run.reply == f"14 mine 2 {child} '14 mine'"
    below = house.session.tree[child]
    assert (below.kind, below.parent_id, below.run_id, below.outcome, below.status) == (
        "run",
        turn,
        child,
        "answered",
        "done",
    )
    assert [each.id for each in house.session.tree.children(child)] == [f"{child}/t1", f"{child}/t2"]
    assert house.session.tree.total(node.id).calls == 3
    assert await value(house, "x") == "1"


async def value(house: House, code: str) -> str:
    result = await house.executor.run_person_cell(code)
    return result.outputs[-1]["data"]["text/plain"]
