"""The tree keeps nodes in order and sums at every ancestor."""

from __future__ import annotations

import json

import pytest

from rlm_kernel.ids import NodeId, RunId, child_id, new_cell_id, new_run_id
from rlm_kernel.trace.records import Kind, Node, one_line
from rlm_kernel.trace.tree import Tree
from rlm_kernel.usage import Usage

RUN = RunId("run-1")


def node(name: str, parent: str | None = None, kind: Kind = "call", **fields: object) -> Node:
    return Node(NodeId(name), RUN, NodeId(parent) if parent else None, kind, name, **fields)  # type: ignore[arg-type]


def family() -> Tree:
    tree = Tree()
    for each in (
        node("r", None, "run"),
        node("t1", "r", "turn"),
        node("c1", "t1"),
        node("c2", "t1"),
        node("t2", "r", "turn"),
    ):
        tree.add(each)
    return tree


def test_order_and_relations() -> None:
    tree = family()
    assert [each.id for each in tree] == ["r", "t1", "c1", "c2", "t2"]
    assert [each.id for each in tree.children(NodeId("r"))] == ["t1", "t2"]
    assert [each.id for each in tree.children(None)] == ["r"]
    assert [each.id for each in tree.ancestors(NodeId("c1"))] == ["t1", "r"]
    assert len(tree) == 5
    assert "c1" in tree
    assert "x" not in tree


def test_spending_goes_up() -> None:
    tree = family()
    tree.spend(NodeId("c1"), Usage(10, 0, 1, 1, 0.5))
    tree.spend(NodeId("c2"), Usage(20, 5, 2, 1, None))
    tree.spend(NodeId("t2"), Usage(100, 0, 9, 1, 1.0))
    assert tree.total(NodeId("t1")) == Usage(30, 5, 3, 2, None)
    assert tree.total(NodeId("r")) == Usage(130, 5, 12, 3, None)
    assert tree[NodeId("r")].usage == Usage()
    assert tree[NodeId("c1")].usage == Usage(10, 0, 1, 1, 0.5)


def test_usage_a_node_comes_with_counts() -> None:
    tree = family()
    tree.add(node("c3", "t2", usage=Usage(7, 0, 0, 1, 0.25)))
    assert tree.total(NodeId("r")) == Usage(7, 0, 0, 1, 0.25)
    assert tree[NodeId("c3")].usage == Usage(7, 0, 0, 1, 0.25)


def test_wrong_nodes_are_refused() -> None:
    tree = family()
    with pytest.raises(ValueError, match="c1 is in the tree already"):
        tree.add(node("c1", "t1"))
    with pytest.raises(KeyError):
        tree.add(node("c9", "nobody"))
    assert len(tree) == 5


def test_json() -> None:
    tree = family()
    tree.spend(NodeId("c1"), Usage(10, 0, 1, 1, 0.5))
    whole = tree.to_dict(NodeId("r"))
    assert json.loads(json.dumps(whole)) == whole
    assert [child["id"] for child in whole["children"]] == ["t1", "t2"]
    assert whole["total"]["cost_usd"] == 0.5
    rows = tree.skeleton()
    assert [row["id"] for row in rows] == ["r", "t1", "c1", "c2", "t2"]
    assert rows[0]["total"]["input_tokens"] == 10
    assert rows[0]["usage"]["input_tokens"] == 0
    texts = node("x", None, prompt="p", reply="r", error="e", remedy="m").texts()
    expected = {"id": "x", "prompt": "p", "reply": "r", "code": "", "output": "", "error": "e", "remedy": "m"}
    assert texts == expected | {"attempts": []}


def test_labels_are_one_short_line() -> None:
    assert one_line("a\n  b\tc") == "a b c"
    assert one_line("x" * 100) == "x" * 79 + "…"
    assert len(one_line("word " * 10_000)) == 80


def test_ids() -> None:
    run = new_run_id()
    assert run != new_run_id()
    turn = child_id(run, "turn", 2)
    assert child_id(turn, "call", 3) == f"{run}/t2/c3"
    assert 1 <= len(new_cell_id()) <= 64
