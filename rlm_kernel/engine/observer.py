"""The engine tells what happens; listeners can never break a run."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rlm_kernel.engine.executor import CellResult
    from rlm_kernel.ids import NodeId
    from rlm_kernel.trace.records import Node
    from rlm_kernel.trace.tree import Tree

log = logging.getLogger(__name__)

Part = Literal["prose", "code"]


class Observer:
    """Is told what happens in a session; every method may be left as it is.

    All methods are called on the engine's loop and must return at once.
    """

    def node_added(self, tree: Tree, node: Node) -> None:
        """A run, turn or call has begun (or waits to begin)."""

    def node_changed(self, tree: Tree, node: Node) -> None:
        """Status, usage, label or texts of a node are new (its sums and those above it may be too)."""

    def turn_text(self, node: Node, part: Part, pos: int, text: str) -> None:
        """A turn's text grew: ``text`` stands at character ``pos`` of its prose or of its code."""

    def cell_starts(self, node: Node) -> None:
        """A turn's cell is complete and is about to be run."""

    def cell_ended(self, node: Node, result: CellResult) -> None:
        """A turn's cell has run."""

    def run_ended(self, tree: Tree, node: Node) -> None:
        """A question is over: its outcome, answer and error are in the node. A child run only changes at its end."""

    def adopted(self, tree: Tree, node: Node) -> None:
        """A question of an earlier session is in the tree now, with everything below it."""

    def removed(self, tree: Tree, node: Node, ids: Sequence[NodeId]) -> None:
        """A question, and with it all these nodes, was taken out of the tree."""


class Observers(Observer):
    """Tells several observers; one that raises is logged and dropped."""

    def __init__(self, observers: Iterable[Observer] = ()) -> None:
        """Start with some."""
        self._observers = list(observers)

    def add(self, observer: Observer) -> None:
        """Tell one more from now on."""
        self._observers.append(observer)

    def _tell(self, method: str, *args: object) -> None:
        for observer in list(self._observers):
            try:
                getattr(observer, method)(*args)
            except Exception:
                log.exception("observer %r failed in %s and is dropped", observer, method)
                self._observers.remove(observer)

    def node_added(self, tree: Tree, node: Node) -> None:
        """Pass it on."""
        self._tell("node_added", tree, node)

    def node_changed(self, tree: Tree, node: Node) -> None:
        """Pass it on."""
        self._tell("node_changed", tree, node)

    def turn_text(self, node: Node, part: Part, pos: int, text: str) -> None:
        """Pass it on."""
        self._tell("turn_text", node, part, pos, text)

    def cell_starts(self, node: Node) -> None:
        """Pass it on."""
        self._tell("cell_starts", node)

    def cell_ended(self, node: Node, result: CellResult) -> None:
        """Pass it on."""
        self._tell("cell_ended", node, result)

    def run_ended(self, tree: Tree, node: Node) -> None:
        """Pass it on."""
        self._tell("run_ended", tree, node)

    def adopted(self, tree: Tree, node: Node) -> None:
        """Pass it on."""
        self._tell("adopted", tree, node)

    def removed(self, tree: Tree, node: Node, ids: Sequence[NodeId]) -> None:
        """Pass it on."""
        self._tell("removed", tree, node, ids)
