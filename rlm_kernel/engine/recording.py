"""Tells the store what happens in a session."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rlm_kernel.engine.observer import Observer

if TYPE_CHECKING:
    from rlm_kernel.trace.records import Node
    from rlm_kernel.trace.store import Store
    from rlm_kernel.trace.tree import Tree


class Recording(Observer):
    """Puts every node into the store as it begins and changes; a store that has failed ignores it.

    Args:
        store: Where to.
        notebook: The notebook the questions are asked in; empty outside of one.
    """

    def __init__(self, store: Store, notebook: str = "") -> None:
        self._store = store
        self.notebook = notebook

    def node_added(self, tree: Tree, node: Node) -> None:
        """Keep a new node; a question begins a run of its own."""
        if node.parent_id is None:
            self._store.add_run(node, self.notebook)
        else:
            self._store.put(node)

    def node_changed(self, tree: Tree, node: Node) -> None:
        """Keep its present state."""
        self._store.put(node)

    def run_ended(self, tree: Tree, node: Node) -> None:
        """Keep how it ended."""
        self._store.put(node)
