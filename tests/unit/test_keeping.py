"""The store as a session uses it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from rlm_kernel.engine.keeping import Keeping
from rlm_kernel.ids import NodeId, RunId
from rlm_kernel.messages import Message, ModelReply, ModelRequest
from rlm_kernel.trace.records import Node
from rlm_kernel.trace.store import Store
from rlm_kernel.trace.tree import Tree
from rlm_kernel.usage import Usage

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

REQUEST = ModelRequest("m", (Message("user", "Hello?"),))
REPLY = ModelReply("Yes.", Usage(3, 0, 1, 1), "m")


class Told:
    """Collects what is told; closes what it has made."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.made: list[Keeping] = []

    def keeping(self, notebook: str = "a.ipynb") -> Keeping:
        self.made.append(Keeping(self.lines.append, lambda: notebook))
        return self.made[-1]


@pytest.fixture
def told() -> Iterator[Told]:
    collector = Told()
    yield collector
    for keeping in collector.made:
        keeping.close()


def question(run_id: str = "run-1", cell: str = "q", **details: object) -> tuple[Tree, Node]:
    tree = Tree()
    node = Node(NodeId(run_id), RunId(run_id), None, "run", "Who?", "running", prompt="Who?", started=1.0)
    node.cell_id, node.details = cell, {"opening": {}, **details}  # type: ignore[assignment]
    tree.add(node)
    return tree, node


def test_nothing_is_opened_before_it_is_needed(told: Told, own_store: Path) -> None:
    keeping = told.keeping()
    assert keeping.where() == f"in {own_store}"
    keeping.node_changed(*question())
    assert not own_store.exists()
    assert keeping.find("00") is None
    assert own_store.exists()


def test_replies_outlive_the_process(told: Told) -> None:
    first = told.keeping()
    first.keep("ab", REQUEST, REPLY)
    first.close()
    found = told.keeping().find("ab")
    assert found is not None
    assert (found.text, found.cached, found.usage) == ("Yes.", True, Usage())


def test_the_last_time_a_cell_asked_is_found(told: Told) -> None:
    keeping = told.keeping()
    keeping.node_added(*question(settings={"model": "x"}))
    assert keeping.asked("q", "Who?") == {"opening": {}, "settings": {"model": "x"}}
    assert keeping.asked("q", "What?") is None
    assert keeping.asked("other", "Who?") is None
    last = keeping.last()
    assert last is not None
    assert last.id == "run-1"
    assert told.keeping("b.ipynb").last() is None
    assert keeping.cut_off() == [], "it lasts"


def test_calls_of_a_persons_cell_are_no_questions(told: Told) -> None:
    keeping = told.keeping()
    tree, node = question()
    node.details = {}
    keeping.node_added(tree, node)
    assert keeping.last() is None


def test_off_is_memory_only(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RLM_STORE", "off")
    keeping = told.keeping()
    keeping.node_added(*question())
    keeping.keep("ab", REQUEST, REPLY)
    keeping.intent("cd", NodeId("n"))
    keeping.done("cd", NodeId("n"))
    assert keeping.find("ab") is not None
    assert (keeping.store, keeping.last(), keeping.cut_off(), keeping.asked("q", "Who?")) == (None, None, [], None)
    assert "memory only" in keeping.where()
    assert told.lines == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_place_that_cannot_be_written_is_told_once(
    told: Told, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "closed"
    folder.mkdir(mode=0o500)
    monkeypatch.setenv("RLM_STORE", str(folder / "store.db"))
    keeping = told.keeping()
    keeping.keep("ab", REQUEST, REPLY)
    assert keeping.find("ab") is not None
    assert len(told.lines) == 1


def test_a_file_that_is_no_store_is_told_once_and_left_alone(
    told: Told, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "letter.txt"
    file.write_text("Dear Sir, " * 1000)
    monkeypatch.setenv("RLM_STORE", str(file))
    keeping = told.keeping()
    keeping.node_added(*question())
    keeping.keep("ab", REQUEST, REPLY)
    assert keeping.find("ab") is not None
    assert len(told.lines) == 1
    assert told.lines[0].endswith("This session goes on without it: replies are kept in memory only.")
    assert "cannot be used" in keeping.where()
    assert file.read_text() == "Dear Sir, " * 1000


def test_a_question_that_was_cut_off_is_closed_when_it_is_asked_again(told: Told, own_store: Path) -> None:
    import subprocess
    import sys

    code = (
        "import os\nfrom tests.unit.test_keeping import Keeping, question\n"
        "keeping = Keeping(print, lambda: 'a.ipynb')\nkeeping.node_added(*question('run-dead'))\n"
        "keeping.intent('ab' * 16, 'run-dead/t1')\nkeeping.store.flush_now()\nos._exit(9)"
    )
    subprocess.run([sys.executable, "-c", code], check=False, timeout=60)
    keeping = told.keeping()
    (row,) = keeping.cut_off()
    assert (row.id, row.question, row.cell_id) == ("run-dead", "Who?", "q")
    assert [each.node_id for each in keeping.in_flight(row)] == ["run-dead/t1"]
    keeping.close_cut_off(row, RunId("run-2"))
    assert keeping.cut_off() == []
    store = Store.open(own_store)
    assert store is not None
    assert "run-2" in (store.tree(RunId("run-dead"))[NodeId("run-dead")].error or "")
    store.close()
