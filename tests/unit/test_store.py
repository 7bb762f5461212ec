"""The store: what is put in comes out, replies are found, requests in flight are known."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from rlm_kernel.errors import StoreError
from rlm_kernel.ids import RunId
from rlm_kernel.messages import Attempt
from rlm_kernel.trace.store import Store
from rlm_kernel.trace.tree import Tree
from rlm_kernel.trace.upkeep import damages, prune
from rlm_kernel.usage import Usage
from tests.unit.storing import PAID, below, family, key, question, reply, request

if TYPE_CHECKING:
    from rlm_kernel.models.memo import MemoStore


@pytest.fixture
def store(own_store):
    with closing(Store.open()) as store:
        yield store
        assert store.problem is None
    assert damages(own_store) == []


def put(store, nodes):
    for node in nodes:
        store.add_run(node) if node.parent_id is None else store.put(node)
    assert store.flush_now()


def test_a_tree_comes_back_as_it_was(store):
    run = question(outcome="answered", status="done", reply="Ishmael.", cell_id="cell-1", ended=2.0)
    turn = below(run, "turn", 1, code="x = 1", output="1\n", execution_count=7, reply="So:\n```python\nx = 1\n```")
    attempts = (Attempt(1.5, 0.25, "Server error.", 500), Attempt(2.0, 1.0, None, 200))
    call = below(turn, "call", 1, usage=PAID, batch=f"{turn.id}/b1", model="gpt", prompt="p" * 5_000, attempts=attempts)
    failed = below(
        turn, "call", 2, status="failed", error="Refused.", remedy="Ask less.", usage=replace(PAID, cost_usd=None)
    )
    odd = below(
        turn, "call", 3, cached=True, prompt="half \ud83d and nul \0", label="half \ud83d é", reply="\U0001f40b"
    )
    nodes = [run, turn, call, failed, odd]
    put(store, nodes)
    before = Tree()
    for node in nodes:
        before.add(replace(node))
    after = store.tree(run.run_id)
    assert list(after) == [replace(node, label=node.label.replace("\ud83d", "?")) for node in before]
    assert [after.total(node.id) for node in after] == [before.total(node.id) for node in before]
    assert store.texts(call.id) == call.texts()
    assert store.texts("run-none") is None


def test_a_node_is_kept_as_it_was_when_it_was_put_and_written_anew_when_it_changes(store):
    run = question()
    store.add_run(run, "a.ipynb", {"model": "gpt"})
    run.status = "paused"
    assert store.flush_now()
    assert next(iter(store.tree(run.run_id))).status == "running"
    run.status, run.outcome, run.reply = "done", "answered", "Yes."
    store.put(run)
    assert store.flush_now()
    (row,) = store.runs()
    assert (row.status, row.outcome, row.notebook, row.details) == ("done", "answered", "a.ipynb", {"model": "gpt"})
    assert (row.question, row.nodes, row.live) == (run.prompt, 1, False)


def test_runs_are_listed_newest_first_with_their_sums(store):
    nodes = list(family(2, 3))
    put(store, nodes)
    other = question(started=time.time() + 5, usage=replace(PAID, cost_usd=None))
    store.add_run(other, "b.ipynb")
    assert store.flush_now()
    new, old = store.runs()
    assert (new.id, old.id) == (other.run_id, nodes[0].run_id)
    assert new.usage.cost_usd is None
    assert (old.nodes, old.usage.calls, old.usage.tokens) == (9, 8, 8 * PAID.tokens)
    assert old.usage.cost_usd == pytest.approx(8 * PAID.cost_usd)
    assert [each.id for each in store.runs(limit=1)] == [other.run_id]
    assert [each.id for each in store.runs(notebook="b.ipynb")] == [other.run_id]


def test_a_child_run_belongs_to_the_question_above_it(store):
    run = question()
    turn = below(run, "turn", 1)
    child = replace(question(), parent_id=turn.id)
    leaf = below(below(child, "turn", 1), "call", 1)
    put(store, [run, turn, child, below(child, "turn", 1), leaf])
    assert [node.id for node in store.tree(run.run_id)][-1] == leaf.id
    assert [each.id for each in store.runs()] == [run.run_id]


def test_there_is_no_tree_of_a_run_that_is_not_there(store):
    with pytest.raises(StoreError, match="no run run-x"):
        store.tree(RunId("run-x"))


def test_it_is_a_memo(store):
    memo: MemoStore = store
    assert memo.find(key(1)) is None
    memo.keep(key(1), request(), reply("é\ud83d" + "x" * 5_000))
    memo.keep(key(2), request(), reply(""))
    memo.keep(key(3), request(), reply("Be", finish="length"))
    for _ in range(2):  # before it is on the disk and after
        found = memo.find(key(1))
        assert found is not None
        assert (found.text, found.model, found.usage, found.cached) == (
            "é\ud83d" + "x" * 5_000,
            "gpt-mini",
            Usage(),
            True,
        )
        assert memo.find(key(2)).text == ""
        assert memo.find(key(3)) is None
        assert store.flush_now()
    memo.keep(key(1), request(), reply("A newer one."))
    assert store.flush_now()
    assert memo.find(key(1)).text == "A newer one."


def test_requests_in_flight_are_those_without_an_end(store):
    run, turn, *calls = family(1, 4)
    put(store, [run, turn, *calls])
    for number, call in enumerate(calls):
        store.intent(key(number), call.id)
    store.keep(key(0), request(), reply())
    store.done(key(1), calls[1].id)
    store.done(key(9), calls[1].id)
    assert store.flush_now()
    assert [(each.node_id, each.key, each.label) for each in store.in_flight(run.run_id)] == [
        (call.id, key(number), call.label) for number, call in enumerate(calls) if number > 1
    ]
    store.done(key(2), calls[2].id)
    store.intent(key(1), calls[1].id)  # asked again
    assert store.flush_now()
    assert [each.node_id for each in store.in_flight(run.run_id)] == [calls[3].id, calls[1].id]


async def test_flush_answers_when_it_is_on_the_disk(store, own_store):
    run = question()
    store.add_run(run)
    store.keep(key(1), request(), reply())
    waiting = asyncio.create_task(store.flush())
    await asyncio.sleep(0)
    waiting.cancel()  # whoever gives up waiting does no harm
    assert await store.flush()
    with closing(Store.open(own_store)) as other:
        assert [each.id for each in other.runs()] == [run.run_id]
        assert other.find(key(1)).text == "Because."


def test_what_is_put_is_on_the_disk_soon_by_itself(store, own_store):
    run = question()
    store.add_run(run)
    with closing(Store.open(own_store)) as other:
        deadline = time.monotonic() + 5
        while not other.runs():
            assert time.monotonic() < deadline
            time.sleep(0.02)


def test_closing_writes_what_there_is(own_store):
    store = Store.open()
    run = question(outcome="stopped")
    store.add_run(run)
    store.close()
    store.close()
    store.put(run)
    assert [each.name for each in own_store.parent.glob("*.live/*")] == []
    with closing(Store.open()) as store:
        assert [each.id for each in store.runs()] == [run.run_id]


def test_equal_texts_are_kept_once_and_long_ones_smaller(store, own_store):
    run = question()
    put(store, [run, *(below(run, "call", number, prompt="the same again " * 10_000) for number in range(50))])
    assert own_store.stat().st_size < 200_000


def test_off_means_no_store(monkeypatch, own_store):
    monkeypatch.setenv("RLM_STORE", "off")
    assert Store.open() is None
    assert not own_store.parent.exists()


def test_ten_thousand_nodes_are_stored_and_read_as_a_skeleton(store):
    nodes = list(family(20, 499))
    put(store, nodes)
    text = store.skeleton(nodes[0].run_id)
    assert len(text.encode()) <= 1_000_000
    assert len(json.loads(text)["rows"]) == len(nodes)


def test_a_skeleton_says_where_each_node_hangs(store):
    run, turn, call, other = family(1, 2)
    other.cached, other.model, other.label = True, "gpt", "x" * 80
    put(store, [question(), run, turn, call, other])
    skeleton = json.loads(store.skeleton(run.run_id))
    rows = [dict(zip(skeleton["columns"], row, strict=True)) for row in skeleton["rows"]]
    places = [(row["n"], row["parent"], row["id"], row["kind"]) for row in rows]
    assert places == [(0, None, run.id, "r"), (1, 0, "/t1", "t"), (2, 1, "/c1", "c"), (3, 1, "/c2", "c")]
    assert [row["status"] for row in rows] == ["running", "done", "done", "cached"]
    models = skeleton["models"]
    assert [models[row["model"]] for row in rows] == ["gpt", "gpt", "gpt-mini", "gpt"]
    assert (rows[3]["label"], rows[1]["in"], rows[1]["cost"], rows[1]["ms"]) == ("x" * 32, 1_200, 0.00123, 1_250)


def test_pruning_takes_old_runs_and_what_only_they_needed(own_store):
    day = 86_400
    with closing(Store.open()) as store:
        old, middle, new = (question(started=time.time() - age * day, outcome="answered") for age in (40, 20, 1))
        nodes = [each for run in (old, middle, new) for each in (run, below(run, "call", 1, prompt=run.id * 200))]
        put(store, nodes)
        store.intent(key(1), nodes[1].id)
        store.keep(key(1), request(), reply())
    gone = prune(own_store, older_than=30)
    assert (gone.runs, gone.replies) == (1, 0)
    with closing(Store.open()) as store:
        assert [run.id for run in store.runs()] == [new.id, middle.id]
        assert store.texts(nodes[1].id) is None
        assert store.find(key(1)) is not None
    assert prune(own_store, keep=1).runs == 1
    assert prune(own_store, older_than=0).runs == 1
    with closing(Store.open()) as store:
        assert store.runs() == []
        assert store.find(key(1)) is None
    assert damages(own_store) == []


def test_pruning_leaves_a_run_that_lasts(own_store):
    with closing(Store.open()) as store:
        put(store, [question()])
        assert prune(own_store, keep=0).runs == 0
        assert [run.live for run in store.runs()] == [True]
        assert store.unfinished("") == []
    assert prune(own_store, keep=0).runs == 1
