"""Running a part of a question again, through a real kernel: what is kept, what is restored, what is paid."""

from __future__ import annotations

import os
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from tests.conftest import stop_kernel
from tests.kernel.page import Page, cell, script
from tests.server import text_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.conftest import LiveKernel, Ran
    from tests.server import FakeEndpoint, Messages

Json = dict[str, Any]
LOAD = "context = 'one two three\\n' * 12"
ANSWER = 'answer["content"] = f"{total} of {n}"\nanswer["ready"] = True'
TURNS = [
    cell("n = len(context.splitlines())\nn", "I count."),
    cell(
        "replies = llm_query_batched([f'Line {i}' for i in range(n)])\ntotal = sum(map(int, replies))\ntotal",
        "I ask.",
    ),
    cell("print('so far', total)", "I look."),
    cell(ANSWER),
]


def by_turn(*replies: str) -> Callable[[Messages], str]:
    """Play a root model whose reply depends on how many turns there were."""

    def root(messages: Messages) -> str:
        asked = max(at for at, each in enumerate(messages) if "<question>" in text_of(each))
        return replies[min(len(replies) - 1, sum(each["role"] == "assistant" for each in messages[asked:]))]

    return root


@pytest.fixture
def start(start_kernel: Callable[..., LiveKernel], endpoint: FakeEndpoint) -> Callable[[], LiveKernel]:
    endpoint.root(by_turn(*TURNS))
    endpoint.sub(lambda prompt: "5" if "twice" in prompt else "1")
    environ = {**os.environ, **endpoint.environ, "JPY_SESSION_NAME": "/home/someone/rerun.ipynb"}
    return lambda: start_kernel("rlm", env=environ)


@pytest.fixture
def page(start: Callable[[], LiveKernel]) -> Page:
    page = Page(start())
    page.finish(page.ask(LOAD, "load"))
    assert answer(page.finish(page.ask("%%rlm\nHow many?", "q"), 60)).startswith("12 of 12")
    return page


def answer(ran: Ran) -> str:
    return str(ran.of("display_data")[-1]["data"]["text/plain"])


def asked(endpoint: FakeEndpoint) -> Counter[str]:
    return Counter(request.role for request in endpoint.requests)


def cells_of(page: Page, run_id: str) -> dict[str, Json]:
    """The metadata of the cells a page has for a run, by cell id: those it was told to keep, and those inserted."""
    start = next(data for data in page.of("run_start") if data["run_id"] == run_id)
    kept = {data["cell_id"]: data["metadata"]["rlm"] for data in start["kept"]}
    new = {data["cell_id"]: data["metadata"]["rlm"] for data in page.of("insert") if data["run_id"] == run_id}
    return kept | new


def test_a_call_is_edited(page: Page, endpoint: FakeEndpoint) -> None:
    run, before = page.run_id, asked(endpoint)
    quote = page.quote(f"{run}/t2/c3", kind="prompt", text="Line 2, twice")["quote"]
    assert (quote["kept_turns"], quote["restore"]) == (1, "checkpoint")
    assert (quote["calls_reused"], quote["calls_new"], quote["later_turns"]) == (11, 1, 2)
    assert asked(endpoint) == before, "a quote asks nothing"
    ran = page.rerun(f"{run}/t2/c3", kind="prompt", text="Line 2, twice")
    assert answer(ran).startswith("16 of 12")
    now = asked(endpoint)
    assert now["sub"] - before["sub"] == 1, "one of twelve calls changed"
    assert now["root"] - before["root"] == 2, "the turns whose input changed"
    branch = page.run_id
    assert page.of("run_start")[-1]["superseded"] == [run]
    assert branch != run
    kept = page.of("run_start")[-1]["kept"]
    assert [each["metadata"]["rlm"]["part"] for each in kept] == ["prose", "code"]
    assert {each["metadata"]["rlm"]["run_id"] for each in kept} == {branch}
    assert {each["node_id"] for each in kept} == {f"{branch}/t1"}
    assert {each["metadata"]["rlm"]["kept"] for each in kept} == {f"{run}/t1"}
    first = [data["cell_id"] for data in page.of("insert") if data["run_id"] == run][:2]
    assert [each["cell_id"] for each in kept] == first
    assert page.kernel.run("total, n").result == "(16, 12)"
    again = page.finish(page.ask("%%rlm\nHow many?", "q"), 60)
    assert answer(again).startswith("12 of 12"), "the question itself is what it was"
    assert asked(endpoint) == now


def test_code_of_a_turn_is_edited(page: Page, endpoint: FakeEndpoint) -> None:
    page.finish(page.ask("total = 'spoilt'; n = 'spoilt'; extra = 1", "mine"))
    run, before = page.run_id, asked(endpoint)
    ran = page.rerun(f"{run}/t2", kind="code", text="total = n * 100\ntotal")
    assert answer(ran).startswith("1200 of 12"), "n is what it was before turn 2"
    assert asked(endpoint)["sub"] == before["sub"]
    assert asked(endpoint)["root"] - before["root"] == 2
    assert page.kernel.run("'extra' in globals()").result == "False", "what came later is not there"
    cells = cells_of(page, page.run_id)
    assert sorted(mark["turn"] for mark in cells.values()) == [1, 1, 2, 2, 3, 3, 4]


def test_switch_and_back(page: Page, endpoint: FakeEndpoint) -> None:
    trunk = page.run_id
    page.rerun(f"{trunk}/t2", kind="code", text="total = 7\ntotal")
    branch, before = page.run_id, asked(endpoint)
    page.send(type="switch", run_id=trunk)
    page.wait_for(lambda: page.of("show"))
    show = page.of("show")[-1]
    assert (show["run_id"], show["anchor_cell_id"]) == (trunk, "q")
    assert "Python's state is that of this branch" in show["text"]
    assert [each["cell_type"] for each in show["cells"]] == ["markdown", "code"] * 3 + ["code"]
    assert show["cells"][3]["source"].startswith("replies = llm_query_batched")
    assert show["cells"][3]["outputs"][0]["data"] == {"text/plain": "12"}
    assert {each["metadata"]["rlm"]["run_id"] for each in show["cells"]} == {trunk}
    assert show["outputs"][0]["data"]["text/plain"].startswith("12 of 12")
    assert page.kernel.run("total").result == "12"
    page.send(type="switch", run_id=branch)
    page.wait_for(lambda: len(page.of("show")) == 2)
    assert page.of("show")[-1]["run_id"] == branch
    assert page.kernel.run("total").result == "7"
    assert asked(endpoint) == before
    listed = page.kernel.run("%rlm branches").text
    assert trunk in listed
    assert f"* {branch}" in listed


def test_an_edited_cell_is_run_and_gone_on_from(page: Page, endpoint: FakeEndpoint) -> None:
    run, before = page.run_id, asked(endpoint)
    inserted = [data for data in page.of("insert") if data["run_id"] == run]
    codes = [data["cell_id"] for data in inserted if data["cell_type"] == "code"]
    mark = inserted[3]["metadata"]["rlm"]
    ran = page.finish(page.ask("total = 99\ntotal", codes[1], rlm=mark))
    assert ran.result == "99", "as in any notebook"
    page.wait_for(lambda: page.of("stale"))
    stale = page.of("stale")[-1]
    assert (stale["run_id"], stale["edited_cell_id"]) == (run, codes[1])
    assert stale["edited_node_id"] == f"{run}/t2"
    assert set(stale["cell_ids"]) == {data["cell_id"] for data in inserted[4:]}
    assert set(Page(page.kernel).ack["runs"][-1]["stale"]) == set(stale["cell_ids"])
    ran = page.rerun(f"{run}/t2", kind="continue", text="total = 99\ntotal")
    assert answer(ran).startswith("99 of 12")
    assert asked(endpoint) == before + Counter(root=2)
    kept = page.of("run_start")[-1]["kept"]
    assert [each["cell_id"] for each in kept] == [data["cell_id"] for data in inserted[:4]]


def test_go_on_in_place_after_a_limit(start: Callable[[], LiveKernel], endpoint: FakeEndpoint) -> None:
    page = Page(start())
    page.finish(page.ask(LOAD, "load"))
    page.finish(page.ask("%%rlm --max-turns 2\nHow many?", "q"))
    run, before = page.run_id, asked(endpoint)
    assert page.of("run_end")[-1]["limits"][0]["kind"] == "turns"
    shown = [data["cell_id"] for data in page.of("insert")]
    ran = page.go({"how": "continue", "run_id": run, "limits": {"turns": 9}}, "%%rlm --max-turns 2\nHow many?")
    assert answer(ran).startswith("12 of 12")
    assert asked(endpoint) == before + Counter(root=2), "nothing is paid again"
    start_ = page.of("run_start")[-1]
    assert [each["cell_id"] for each in start_["kept"]] == shown
    assert start_["superseded"] == [run]
    new = [data for data in page.of("insert") if data["run_id"] == page.run_id]
    assert new[0]["after"][0] == shown[-1]
    nodes = Page(page.kernel).ack["runs"][-1]["nodes"]
    assert [each["cell_id"] for each in nodes] == [*shown, *(data["cell_id"] for data in new)]


def test_rerun_without_a_page(start: Callable[[], LiveKernel], endpoint: FakeEndpoint) -> None:
    k = start()
    k.run(LOAD)
    k.run("%%rlm\nHow many?", timeout=60)
    before = asked(endpoint)
    ran = k.run("%rlm rerun t3 --code\ntotal = 1\nprint('one')", timeout=60)
    assert "Turn 3" in ran.text
    assert ran.of("update_display_data")[-1]["data"]["text/plain"].startswith("1 of 12")
    cells = ran.of("display_data")[-1]["data"]["application/vnd.rlm.run+json"]["cells"]
    assert [each["source"] for each in cells if each["cell_type"] == "code"] == ["total = 1\nprint('one')", ANSWER]
    assert asked(endpoint) == before + Counter(root=1)
    assert "trace show run-" in k.run("%rlm rerun t9 --again").error["evalue"]
    assert "needs what is to change" in k.run("%rlm rerun t2").error["evalue"]


def test_the_last_question_is_the_newest_and_not_one_of_an_earlier_kernel(
    start: Callable[[], LiveKernel], endpoint: FakeEndpoint
) -> None:
    first = start()
    first.run(LOAD)
    first.run("%%rlm\nHow many once?", timeout=60)
    stop_kernel(first)
    k = start()
    k.run("context = 'one line'")
    k.run("%%rlm\nHow many now?", timeout=60)
    for name in ("t3", "last/t3"):
        ran = k.run(f"%rlm rerun {name} --code\nprint(len(context))", timeout=60)
        cells = ran.of("display_data")[-1]["data"]["application/vnd.rlm.run+json"]["cells"]
        shown = [each["outputs"] for each in cells if each["cell_type"] == "code"]
        assert shown[0][0]["text"] == "8\n"
    renewed = k.run("%rlm rerun last --prompt\nHow many then?", timeout=60)
    assert renewed.status == "ok"


def test_rerun_after_a_restart(start: Callable[[], LiveKernel], endpoint: FakeEndpoint) -> None:
    page = Page(first := start())
    page.finish(page.ask(LOAD, "load"))
    page.finish(page.ask("import math\nhelper = math.pi", "mine"))
    page.finish(page.ask("%%rlm\nHow many?", "q"), 60)
    run, before = page.run_id, asked(endpoint)
    second = [data for data in page.of("insert") if data["cell_type"] == "code"][1]
    stop_kernel(first)
    page = Page(start())
    page.wait_for(lambda: page.of("dock"))
    page.finish(page.ask("total = 5", second["cell_id"], **second["metadata"]))
    page.wait_for(lambda: page.of("stale"))
    assert page.of("stale")[-1]["edited_node_id"] == f"{run}/t2", "cells of an earlier kernel are known too"
    quote = page.quote(f"{run}/t3", kind="code", text="total += 1")["quote"]
    assert (quote["restore"], quote["replay_cells"]) == ("replay", 4)
    ran = page.rerun(f"{run}/t3", kind="code", text="total += 1")
    assert answer(ran).startswith("13 of 12")
    assert asked(endpoint) == before + Counter(root=1), "0 calls paid for what is kept"
    assert len(page.of("run_start")[-1]["kept"]) == 4
    assert page.kernel.run("helper").result.startswith("3.14")


def test_a_cell_that_does_something_else_when_it_is_replayed(
    start: Callable[[], LiveKernel], endpoint: FakeEndpoint
) -> None:
    page = Page(first := start())
    page.finish(page.ask(LOAD, "load"))
    page.finish(page.ask("import random\nluck = random.random()\nprint(luck)", "mine"))
    page.finish(page.ask("%%rlm\nHow many?", "q"), 60)
    run, before = page.run_id, asked(endpoint)
    stop_kernel(first)
    page = Page(start())
    page.finish(page.ask("here = 1", "here"))
    ran = page.rerun(f"{run}/t2", kind="code", text="total = 3")
    assert ran.status == "error"
    assert ran.error["ename"] == "Diverged"
    assert "In [2]" in ran.error["evalue"]
    assert asked(endpoint) == before, "before anything is paid"
    assert page.kernel.run("here").result == "1", "Python is as it was"
    problem = page.of("problem")[-1]
    assert (problem["offer"], problem["node_id"]) == ("anyway", f"{run}/t2")
    assert problem["edit"] == {"kind": "code", "text": "total = 3", "anyway": True}
    assert answer(page.rerun(f"{run}/t2", **problem["edit"])).startswith("3 of 12")


@pytest.mark.parametrize(
    ("line", "quoted", "said", "paid"),
    [
        ("t2/c3 --reply\n9", "Turn 2", "20 of 12", {"root": 2}),
        ("t4 --hint 'Look twice.'", "Turn 4", "12 of 12", {"root": 1}),
        ("t3 --model root-other", "Turn 3", "12 of 12", {"root": 2}),
    ],
)
def test_a_line_in_a_cell_runs_again_with_a_reply_a_hint_or_another_model(
    line: str, quoted: str, said: str, paid: dict[str, int], page: Page, endpoint: FakeEndpoint
) -> None:
    before = asked(endpoint)
    ran = page.finish(page.ask(f"%rlm rerun {line}", "again"), 60)
    assert quoted in ran.text
    assert answer(ran).startswith(said)
    assert asked(endpoint) == before + Counter(paid)
    if "--hint" in line:
        assert "Look twice." in text_of(endpoint.requests[-1].messages[-1])
    if "--model" in line:
        assert {request.model for request in endpoint.requests[-2:]} == {"root-other"}


def test_a_call_in_a_child_of_a_child_run_is_edited(kernel: LiveKernel, tmp_path: Path) -> None:
    """The child and its parents go on from the new answer; the sibling is neither run nor asked."""
    asks = cell("rs = rlm_query_batched(['one', 'two'], ['aa', 'bb'])\nprint(rs)")
    model = script(tmp_path, asks, cell("FINAL(', '.join(rs))"), cell("FINAL(', '.join(rs))"))
    below = cell("FINAL(rlm_query('inner', context[0]) if len(context) > 1 else llm_query('leaf ' + context))")
    sub = script(tmp_path, below, sub={"please": "changed", "leaf": "plain"}, repeat=True)
    page = Page(kernel)
    page.finish(page.ask("context = 'x'", "load"))
    ran = page.finish(page.ask(f"%%rlm --max-depth 2 --model {model} --sub-model {sub}\nWho?", "q"), 60)
    assert answer(ran).startswith("plain, plain")
    leaf = f"{page.run_id}/t1/r1/t1/r1/t1/c1"
    quote = page.quote(leaf, kind="prompt", text="leaf a, please")["quote"]
    assert (quote["kept_turns"], quote["calls_new"]) == (0, 1)
    assert answer(page.rerun(leaf, kind="prompt", text="leaf a, please")).startswith("changed, plain")
    usage = page.of("run_end")[-1]["usage"]
    assert usage["calls"] == 2, "the call, and the turn that is told something else"
    assert kernel.run("rs").result == "['changed', 'plain']"
