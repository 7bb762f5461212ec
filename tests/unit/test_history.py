"""What was done in a namespace: paths through it, the store, and what becomes of it there."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from rlm_kernel.engine.executor import DepthReached, QueryDict
from rlm_kernel.engine.history import Entry, History
from rlm_kernel.engine.keeping import Keeping
from rlm_kernel.engine.recorded import Recorded, reply_of
from rlm_kernel.trace.schema import VERSION
from rlm_kernel.trace.store import Store
from rlm_kernel.trace.tree import Tree
from rlm_kernel.trace.upkeep import damages, prune
from tests.unit.storing import PAID, below, question

VERSION_2 = Path(__file__).parent / "data" / "store-2.sql"


def done(history: History, name: str, **fields: object) -> Entry:
    """Add an entry after the present state."""
    defaults = {"kind": "cell", "code": f"code of {name}", "count": len(history) + 1}
    return history.add(Entry(name, history.current, **{**defaults, **fields}))  # type: ignore[arg-type]


def names(entries: list[Entry]) -> list[str]:
    return [each.id for each in entries]


def test_several_pasts_live_beside_each_other() -> None:
    history, heard = History(), list[Entry]()
    history.on_add.append(heard.append)
    for name in "abc":
        done(history, name, cell_id=f"cell-{name}")
    history.move("a")
    done(history, "d", cell_id="cell-b")
    done(history, "e", status="died")
    done(history, "f")
    assert names(history.here()) == ["a", "d", "f"]
    assert names(history.path("c")) == ["a", "b", "c"]
    assert names(history.path("c", include=False)) == ["a", "b"]
    assert history.path("a", include=False) == history.path(None) == []
    assert history.of_cell("cell-b") is history.entry("d")
    assert history.of_cell("cell-x") is None
    assert history.with_count(4) is history.entry("d")
    assert history.with_count(5) is None
    assert names(heard) == names(history.entries()) == list("abcdef")
    with pytest.raises(KeyError):
        history.move("x")
    history.move(None)
    done(history, "g", kind="begin")
    done(history, "h")
    assert history.begin_of("h") is history.entry("g")
    assert names(history.here()) == ["g", "h"]
    other = History()
    other.adopt(history.path("c"))
    assert (names(other.path("c")), other.current) == (["a", "b", "c"], None)
    assert (history.entry("a").name, Entry("x", None, "cell", code="\n# hi\n1").name) == ("In [1]", "'# hi'")


def test_a_listener_that_fails_is_dropped(caplog) -> None:
    history, heard = History(), list[Entry]()

    def fails(_: Entry) -> None:
        raise ValueError

    history.on_add += [fails, heard.append]
    done(history, "a")
    done(history, "b")
    assert (len(heard), len(history.on_add)) == (2, 1)
    assert "is told no more" in caplog.text


def test_recorded_answers_are_given_once_in_their_order() -> None:
    tree, run = Tree(), question()
    turn = below(run, "turn", 1, details={"at_depth": [77]})
    same = [below(turn, "call", number, prompt="same", reply=str(number)) for number in (1, 2)]
    failed = below(turn, "call", 3, prompt="bad", status="failed", error="No.", remedy="Ask less.", reply="{")
    changed = below(turn, "call", 4, prompt="new", details={"instead_of": "old"}, reply="changed")
    child = below(turn, "run", 1, prompt="child", outcome="limit", error="Too much.", reply="so far")
    grandchild = below(child, "turn", 1, usage=PAID)
    for node in (run, turn, *same, failed, changed, child, grandchild):
        tree.add(node)
    recorded = Recorded(tree, turn)
    twice = recorded.take_all(QueryDict(prompts=["same", "bad"], model=None, batched=True, line=1, n=2))
    assert twice == [same[0], same[1], failed, None]
    assert recorded.take("call", "new") is None
    assert recorded.take("call", "old") is changed
    assert recorded.left == 1
    with pytest.raises(DepthReached) as reached:
        recorded.take_all(QueryDict(prompts=["none"], model=None, batched=False, line=1, kind="rlm"))
    assert reached.value.chars == 77
    assert recorded.take_all(QueryDict(prompts=["child"], model=None, batched=False, line=1, kind="rlm")) == [child]
    assert reply_of(tree, failed)["error"] == "No. Ask less."
    assert (reply_of(tree, failed)["text"], reply_of(tree, failed, "{}")["text"]) == ("{", "")
    told = reply_of(tree, child)
    assert (told["error"], told["text"]) == ("Too much. Its best answer so far: so far", "so far")
    assert told["usage"]["calls"] == tree.total(child.id).calls > child.usage.calls


def test_histories_are_kept_with_their_session(own_store) -> None:
    lines: list[str] = []
    keeping, history = Keeping(lines.append, lambda: "a.ipynb"), History()
    keeping.watch(history)
    done(history, "a", outputs=[{"output_type": "stream", "name": "stdout", "text": "é\ud800"}], shown="é\ud800")
    assert not own_store.exists()
    tree, run = Tree(), question(details={"opening": {}})
    turn = below(run, "turn", 1, entry="c")
    kept = below(run, "turn", 2, entry=None)
    person = question(details={"entry": "a"}, label="llm_query in a cell")
    call = below(person, "call", 1)
    for node in (run, turn, kept, person, call):
        tree.add(node)
        keeping.node_added(tree, node)
    done(history, "b", kind="begin", author="engine")
    done(history, "x", status="died")
    done(history, "c", author="model", node_id=turn.id, run_id=run.id, digest={"x": "int 1 #aa"}, seconds=1.5)
    done(history, "d", kind="end")
    done(history, "later")
    history.move("a")
    done(history, "branch")
    path = keeping.entries(run.id)
    assert names(path) == ["a", "b", "c", "d"]
    assert path == [history.entry(name) for name in "abcd"]
    assert [row.id for row in keeping.of_notebook()] == [run.id]
    stored = keeping.tree_of(run.id)
    assert stored is not None
    assert stored[turn.id].entry == "c"
    answers = keeping.answers(path)
    assert {node.id for node in answers} == {run.id, turn.id, kept.id, person.id, call.id}
    assert keeping.entries(person.id) == []
    assert keeping.tree_of("run-x") is None  # type: ignore[arg-type]
    keeping.close()
    assert len(lines) == 1
    assert "no run run-x" in lines[0]
    assert damages(own_store) == []


def in_store(path: Path) -> dict[str, set[str]]:
    with closing(sqlite3.connect(path)) as connection:
        found: dict[str, set[str]] = {}
        for session, name in connection.execute("SELECT session, id FROM cells"):
            found.setdefault(session, set()).add(name)
        return found


def test_pruning_takes_what_no_question_left_needs(own_store) -> None:
    day = 86_400
    sessions = {}
    for session, ages in (("one", (40, 1)), ("two", (40,)), ("three", ())):
        with closing(Store.open()) as store:
            assert store is not None
            history = History()
            history.on_add.append(store.put_entry)
            done(history, f"{session}-person")
            for number, age in enumerate(ages):
                run = question(started=time.time() - age * day, outcome="answered")
                store.add_run(run)
                store.put(below(run, "turn", 1, entry=f"{session}-{number}"))
                done(history, f"{session}-{number}", run_id=run.id)
                if number == 0:
                    done(history, f"{session}-aside", run_id=run.id, code="only here " * 300)
                    history.move(f"{session}-{number}")
            sessions[session] = store._session
    with closing(Store.open()) as store:
        assert store is not None
        store.put_entry(Entry("of-a-live-process", None, "cell"))
        assert store.flush_now()
        assert prune(own_store, older_than=30).runs == 2
        left = in_store(own_store)
        # The old cells of the first session led to its newer question; the one aside did not.
        assert left == {sessions["one"]: {"one-person", "one-0", "one-1"}, store._session: {"of-a-live-process"}}
    assert damages(own_store) == []
    prune(own_store, keep=0)
    assert in_store(own_store) == {}
    with closing(sqlite3.connect(own_store)) as connection:
        assert connection.execute("SELECT count(*) FROM blobs").fetchone()[0] == 0


def test_a_store_of_version_2_is_brought_up_to_date(own_store) -> None:
    own_store.parent.mkdir()
    with closing(sqlite3.connect(own_store)) as connection:
        connection.executescript(VERSION_2.read_text("utf-8"))
    with closing(Store.open()) as store:
        assert store is not None
        (run,) = store.runs()
        assert (run.outcome, run.nodes, run.notebook, run.details["opening"]) == (
            "answered",
            3,
            "a.ipynb",
            {"names": []},
        )
        nodes = list(store.tree(run.id))
        assert [(node.kind, node.code, node.entry, node.stale) for node in nodes[:2]] == [
            ("run", "", None, False), ("turn", "len(context)", None, False)
        ]  # fmt: skip
        assert nodes[2].attempts[0].status == 200
        assert store.past(run.id) == []
        store.put_entry(Entry("a", None, "cell", code="1"))
        assert store.flush_now()
    with closing(sqlite3.connect(own_store)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone()[0] == VERSION == 3
    assert damages(own_store) == []
