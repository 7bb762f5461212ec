"""What waits for a person's decision, and what they say to the model, between a page and a real kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.kernel.page import Page, cell, final, script

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.conftest import LiveKernel

Json = dict[str, Any]


@pytest.fixture(scope="module")
def k(kernelspecs: Path) -> Iterator[LiveKernel]:
    from tests.conftest import launch_kernel, stop_kernel

    kernel = launch_kernel()
    kernel.run("context = 'text'")
    yield kernel
    stop_kernel(kernel)


@pytest.fixture(scope="module")
def alone(kernelspecs: Path) -> Iterator[LiveKernel]:
    """A kernel that no page is connected to."""
    from tests.conftest import launch_kernel, stop_kernel

    kernel = launch_kernel()
    kernel.run("context = 'text'")
    yield kernel
    stop_kernel(kernel)


def waits(page: Page, after: str = "") -> Json:
    """Wait until something else than ``after`` waits for a decision."""

    def new() -> list[Json]:
        told = page.of("waiting")
        return [each for each in (told[-1]["waiting"] if told else []) if each["id"] != after]

    page.wait_for(new)
    return new()[0]


def decide(page: Page, waiting: Json, **decision: Any) -> None:
    page.send(type="decision", id=waiting["id"], decision=decision)


def test_cells_are_approved_changed_and_refused(k: LiveKernel, tmp_path: Path) -> None:
    page = Page(k)
    turns = [cell("a = 1", "First."), cell("b = 1"), cell("import os\nos.remove('nothing')"), final("A.")]
    msg_id = page.ask(f"%%rlm --approve each --model {script(tmp_path, *turns)}\nWho?")
    first = waits(page)
    assert (first["kind"], first["code"].strip(), first["reasons"]) == ("cell", "a = 1", [])
    codes = [data["cell_id"] for data in page.of("insert") if data["cell_type"] == "code"]
    assert first["cell_id"] == codes[0]
    assert Page(k).ack["runs"][-1]["waiting"] == [first], "a page that comes late is told"
    decide(page, first, verdict="approve")
    second = waits(page, first["id"])
    decide(page, second, verdict="approve", source="b = 2")
    third = waits(page, second["id"])
    assert [each["line"] for each in third["reasons"]][-1] == 2
    decide(page, third, verdict="reject", reason="Keep it.")
    fourth = waits(page, third["id"])
    decide(page, first, verdict="approve")
    page.wait_for(lambda: page.of("problem"))
    assert "waits for no decision any more" in page.of("problem")[-1]["text"]
    decide(page, fourth, verdict="always")
    assert page.finish(msg_id).status == "ok"
    assert page.of("waiting")[-1]["waiting"] == []
    assert k.run("a, b").result == "(1, 2)"
    sources = page.sources()
    codes = [data["cell_id"] for data in page.of("insert") if data["cell_type"] == "code"]
    assert sources[codes[1]] == "b = 2", "the cell shows what was run"
    ended = {data["cell_id"]: data["status"] for data in page.of("finish")}
    assert [ended[each] for each in codes] == ["ok", "ok", "aborted", "ok"]


def test_many_calls_are_cut_to_the_first(k: LiveKernel, tmp_path: Path) -> None:
    page = Page(k)
    ask = cell("got = llm_query_batched([f'Line {i}' for i in range(9)])\nsum(bool(each) for each in got)")
    msg_id = page.ask(f"%%rlm --quote 5 --model {script(tmp_path, ask, final('A.'), sub='Yes.')}\nWho?")
    waiting = waits(page)
    assert waiting["kind"] == "calls"
    assert waiting["quote"]["calls"] == 9
    decide(page, waiting, verdict="first", first=4)
    assert page.finish(msg_id).status == "ok"
    assert k.run("sum(each == 'Yes.' for each in got)").result == "4"


def test_the_model_is_told_what_the_person_says(k: LiveKernel, tmp_path: Path) -> None:
    page = Page(k)
    msg_id = page.ask(f"%%rlm --approve each --model {script(tmp_path, cell('c = 1'), final('A.'))}\nWho?")
    waiting = waits(page)
    page.send(type="steer", run_id=page.run_id, text="Look at the end.")
    page.wait_for(lambda: any(data.get("steers") == ["Look at the end."] for data in page.of("status")))
    assert Page(k).ack["runs"][-1]["steers"] == ["Look at the end."]
    page.send(type="steer", run_id="run-none", text="Nobody hears this.")
    page.wait_for(lambda: page.of("problem"))
    decide(page, waiting, verdict="always")
    assert page.finish(msg_id).status == "ok"
    assert page.of("status")[-1]["steers"] == []


def test_a_person_without_a_page_is_asked(alone: LiveKernel, tmp_path: Path) -> None:
    model = script(tmp_path, cell("d = 1"), cell("e = 1"), final("A."))
    ran = alone.run(
        f"%%rlm --approve each --model {model}\nWho?", answers=["what", "y", "no not this", "a"], timeout=60
    )
    assert ran.status == "ok"
    assert "The model wants to run this cell:\nd = 1" in ran.text
    assert "'what' is no answer" in ran.text
    assert alone.run("d, 'e' in globals()").result == "(1, False)"


def test_nobody_is_there_to_be_asked(alone: LiveKernel, tmp_path: Path) -> None:
    ran = alone.run(f"%%rlm --approve each --model {script(tmp_path, cell('f = 1'), final('A.'))}\nWho?")
    assert ran.status == "error"
    assert "Nobody is here to approve it" in ran.error["evalue"]
    assert "--policy" in ran.error["evalue"]
    assert alone.run("'f' in globals()").result == "False"


def test_orders_are_obeyed_while_a_cell_waits(start_kernel: Callable[..., LiveKernel], tmp_path: Path) -> None:
    page = Page(k := start_kernel("rlm"))
    page.finish(page.ask("context = 'text'"))
    ask = cell("got = llm_query_batched([f'Line {i}' for i in range(9)])")
    msg_id = page.ask(f"%%rlm --quote 5 --model {script(tmp_path, ask, final('A.'), sub='Yes.')}\nWho?")
    waits(page)
    assert k.run("%rlm approve first 3").text == "Approved.\n", "Python is busy with the cell that waits"
    assert page.finish(msg_id).status == "ok"
    assert k.run("sum(each == 'Yes.' for each in got)").result == "3"
