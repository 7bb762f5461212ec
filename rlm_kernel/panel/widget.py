"""The panel as a widget: lives in the kernel process, is shown by any number of views."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anywidget
import traitlets

from rlm_kernel.engine.observer import Observer
from rlm_kernel.panel.actions import NoActions
from rlm_kernel.panel.assets import script, style
from rlm_kernel.panel.feed import Feed
from rlm_kernel.panel.requests import Requests

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rlm_kernel.engine.executor import CellResult
    from rlm_kernel.engine.observer import Part
    from rlm_kernel.engine.session import Session
    from rlm_kernel.ids import NodeId
    from rlm_kernel.panel.actions import Actions
    from rlm_kernel.panel.messages import ToView
    from rlm_kernel.trace.records import Node
    from rlm_kernel.trace.tree import Tree


class Panel(anywidget.AnyWidget, Observer):
    """The live tree of one session, which a person can steer, edit and run again.

    Its messages, in both directions, are in `rlm_kernel.panel.messages`. All views get all messages; each shows what
    it needs.

    Args:
        session: What is shown; the panel adds itself to its observers.
        actions: What only the notebook's kernel can do; without it, the panel says so where it is asked for it.
    """

    # anywidget makes its traits of what the class has; given to the constructor alone, the style would be lost.
    _esm = traitlets.Unicode().tag(sync=True)
    _css = traitlets.Unicode().tag(sync=True)
    picture = traitlets.Bytes(b"").tag(sync=True)
    """Everything there was at the end of the last run (or up to half a minute ago), compressed: what a saved notebook
    shows again. Small, and seldom sent; a living view asks for the rows themselves."""

    def __init__(self, session: Session, actions: Actions | None = None, **kwargs: Any) -> None:
        """Show what the session has already, and listen."""
        super().__init__(_esm=script(), _css=style(), **kwargs)
        self._feed = Feed(session, self._tell, self._keep)
        self._requests = Requests(session, actions or NoActions(), self._feed, self._tell)
        if len(session.tree):
            self._feed.keep()
        self.on_msg(self._received)
        session.observers.add(self)

    def close(self) -> None:
        """Stop listening, and close every view."""
        self._feed.close()
        self._requests.close()
        super().close()

    def show_passage(self, run: Node, number: int) -> None:
        """Show what a citation of an answer stands for, in every view.

        Args:
            run: The question.
            number: Which of its citations, from 0 on.

        Raises:
            InputError: There is no such citation.
        """
        self._requests.passages.show(run, number)

    def node_added(self, tree: Tree, node: Node) -> None:
        """Pass it on to the feed."""
        self._feed.node_added(tree, node)

    def node_changed(self, tree: Tree, node: Node) -> None:
        """Pass it on to the feed."""
        self._feed.node_changed(tree, node)

    def turn_text(self, node: Node, part: Part, pos: int, text: str) -> None:
        """Pass it on to the feed."""
        self._feed.turn_text(node, part, pos, text)

    def cell_ended(self, node: Node, result: CellResult) -> None:
        """Pass it on to the feed."""
        self._feed.cell_ended(node, result)

    def adopted(self, tree: Tree, node: Node) -> None:
        """Pass it on to the feed."""
        self._feed.adopted(tree, node)

    def removed(self, tree: Tree, node: Node, ids: Sequence[NodeId]) -> None:
        """Pass it on to the feed."""
        self._feed.removed(tree, node, ids)

    def run_ended(self, tree: Tree, node: Node) -> None:
        """Pass it on to the feed."""
        self._feed.run_ended(tree, node)

    def _tell(self, message: ToView) -> None:
        self.send(message)

    def _keep(self, picture: bytes) -> None:
        self.picture = picture

    def _received(self, _: object, content: object, __: object) -> None:
        self._requests.answer(content)
