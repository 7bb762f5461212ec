"""Tells the store what happens in a session."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rlm_kernel.engine.observer import Observer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from rlm_kernel.trace.records import Node
    from rlm_kernel.trace.store import Store
    from rlm_kernel.trace.tree import Tree


class Recording(Observer):
    """Puts every node into the store as it begins, changes and ends; a store that has failed ignores it.

    The texts of a reply that is still being written are not put: they come with the next change of their node.

    Args:
        store: Where to.
        notebook: The notebook the questions are asked in; empty outside of one.
        details: Gives what is needed to go on with a question later; asked when one begins.
    """

    def __init__(
        self, store: Store, notebook: str = "", details: Callable[[Node], Mapping[str, object]] | None = None
    ) -> None:
        self._store = store
        self._details = details
        self.notebook = notebook

    def node_added(self, tree: Tree, node: Node) -> None:
        """Put a new node; one without a parent is a question."""
        if node.parent_id is None:
            self._store.add_run(node, self.notebook, self._details(node) if self._details else None)
        else:
            self._store.put(node)

    def node_changed(self, tree: Tree, node: Node) -> None:
        """Put its present state."""
        self._store.put(node)

    def run_ended(self, tree: Tree, node: Node) -> None:
        """Put how it ended."""
        self._store.put(node)
