"""Child runs at the gate: real namespaces, one gate for all of them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from rlm_kernel.engine.settings import Settings
from rlm_kernel.models.memo import Memo
from rlm_kernel.usage import Limits
from tests.process.test_children import cell, make  # noqa: F401 - a fixture
from tests.process.test_children_endpoint import ask as ask_endpoint

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.process.test_children import House
    from tests.server import FakeEndpoint

TOP = cell(
    "answers = rlm_query_batched(['part 1', 'part 2', 'part 3'], ['a', 'b', 'c'])\n"
    "FINAL(' '.join(f'[{each}]' if each else str(each.error) for each in answers))"
)
ACTS = [cell("import os\nseen = bool(os.environ) and context"), cell("FINAL(context + globals().get('seen', '-'))")]


async def test_cells_of_children_wait_together_and_always_holds_for_all(
    make: Callable[..., Awaitable[House]],  # noqa: F811
) -> None:
    house = await make({"top": TOP, "part": ACTS})
    gate = house.session.gate
    gate.attended = True
    asking = asyncio.create_task(house.answer(settings=Settings(approve="risky")))
    await house.until(lambda: len(gate.waiting) == 3)
    assert {each["reasons"][0]["why"] for each in gate.waiting} == {"reads the environment"}
    assert len({each["node_id"].split("/")[2] for each in gate.waiting}) == 3
    assert house.session.control.waits_for == "your decisions: 3 things wait for them"
    refused = next(each for each in gate.waiting if "/r2/" in each["node_id"])
    gate.decide(refused["id"], {"verdict": "reject", "reason": "Not here."})
    await house.until(lambda: refused not in gate.waiting)
    other = next(each for each in gate.waiting if "/r1/" in each["node_id"])
    gate.decide(other["id"], {"verdict": "always"})
    assert await asking == "[aa] [b-] [cc]"


async def test_child_runs_are_quoted_and_cut_to_the_first(
    make: Callable[..., Awaitable[House]],  # noqa: F811
) -> None:
    house = await make({"top": TOP, "part": cell("FINAL(context)")})
    gate = house.session.gate
    gate.attended = True
    asking = asyncio.create_task(house.answer(settings=Settings(quote=2)))
    await house.until(lambda: bool(gate.waiting))
    assert gate.waiting[0]["quote"] == {
        "calls": 3, "cached": 0, "tokens": None, "cost_usd": None, "model": "rules", "kind": "rlm",
    }  # fmt: skip
    gate.decide(gate.waiting[0]["id"], {"verdict": "first", "first": 1})
    not_asked = "Not asked: only the first 1 of these 3 were approved."
    assert await asking == f"[a] {not_asked} {not_asked}"
    assert house.pool.at_once == 0
    assert len(house.pool.taken) == 1


async def test_without_a_person_a_child_that_needs_approval_ends_the_question(
    make: Callable[..., Awaitable[House]],  # noqa: F811
) -> None:
    house = await make({"top": TOP, "part": ACTS})
    run = await house.session.ask("top", settings=Settings(approve="risky"))
    assert run.outcome == "failed"
    assert run.details["not_approved"] is True
    assert "Line 2 reads the environment" in (run.error or "")
    await house.until(lambda: not house.pool.living)


async def test_child_runs_whose_replies_are_known_are_not_asked_about(endpoint: FakeEndpoint) -> None:
    memo = Memo()
    _, (first,) = await ask_endpoint(endpoint, Limits(depth=2), memo)
    asked = len(endpoint.requests)
    tree, (again,) = await ask_endpoint(endpoint, Limits(depth=2), memo, quote=1, policy="refuse")
    assert (again.outcome, again.reply) == (first.outcome, first.reply)
    assert len(endpoint.requests) == asked
    assert not [node.id for node in tree if "fan_outs" in node.details]
