"""Observers are told in order, and cannot break anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rlm_kernel.engine.observer import Observer, Observers
from rlm_kernel.ids import NodeId, RunId
from rlm_kernel.trace.records import Node
from rlm_kernel.trace.tree import Tree

if TYPE_CHECKING:
    import pytest

NODE = Node(NodeId("r"), RunId("r"), None, "run", "r")


class Fails(Observer):
    def node_changed(self, tree: Tree, node: Node) -> None:
        raise RuntimeError("no")


class Counts(Observer):
    def __init__(self) -> None:
        self.seen: list[str] = []

    def node_added(self, tree: Tree, node: Node) -> None:
        self.seen.append("added")

    def node_changed(self, tree: Tree, node: Node) -> None:
        self.seen.append("changed")


def test_one_that_raises_is_logged_and_dropped(caplog: pytest.LogCaptureFixture) -> None:
    fails, counts = Fails(), Counts()
    observers = Observers([fails, counts])
    tree = Tree()
    observers.node_added(tree, NODE)
    observers.node_changed(tree, NODE)
    assert "is dropped" in caplog.text
    caplog.clear()
    observers.node_changed(tree, NODE)
    assert counts.seen == ["added", "changed", "changed"]
    assert caplog.text == ""


def test_one_can_come_later() -> None:
    observers, late = Observers(), Counts()
    observers.node_added(Tree(), NODE)
    observers.add(late)
    observers.node_changed(Tree(), NODE)
    assert late.seen == ["changed"]
