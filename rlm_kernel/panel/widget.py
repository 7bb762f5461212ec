"""The panel as a widget: lives in the kernel process, is shown by any number of views."""

from __future__ import annotations

import pathlib
from typing import TYPE_CHECKING, Any

import anywidget
import traitlets

from rlm_kernel.engine.observer import Observer
from rlm_kernel.panel.feed import Feed, RowsMessage

if TYPE_CHECKING:
    from rlm_kernel.engine.executor import CellResult
    from rlm_kernel.engine.observer import Part
    from rlm_kernel.engine.session import Session
    from rlm_kernel.trace.records import Node
    from rlm_kernel.trace.tree import Tree

STATIC = pathlib.Path(__file__).parent / "static"


class Panel(anywidget.AnyWidget, Observer):
    """The live tree of one session, with Pause, Resume, Step and Stop.

    Messages to every view (custom messages of the widget):

    - ``delta``: rows that changed, the state of the control, the kernel's clock; at most twenty a second;
    - ``snapshot``: the same fields with every row, the answer to ``ready``;
    - ``detail``: ``texts``, the long texts of one node, the answer to ``detail``.

    Messages from a view: ``ready`` (it listens now: send everything), ``detail`` with an ``id``,
    ``command`` with a ``name`` of pause, resume, step or stop. Anything else is ignored: a page is not trusted
    to be of our version.

    Args:
        session: What is shown; the panel adds itself to its observers.
    """

    _esm = STATIC / "panel.js"
    _css = STATIC / "panel.css"

    snapshot = traitlets.Dict().tag(sync=True)
    """Everything there was at most a second ago (longer for large trees): what a saved notebook shows again."""

    def __init__(self, session: Session, **kwargs: Any) -> None:
        """Show what the session has already, and listen."""
        self._session = session
        super().__init__(**kwargs)
        self._feed = Feed(session.tree, session.control, self._send_rows, self._keep_rows)
        self._keep_rows(self._feed.snapshot())
        self.on_msg(self._received)
        session.observers.add(self)

    def close(self) -> None:
        """Stop listening, and close every view."""
        self._feed.close()
        super().close()

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

    def run_ended(self, tree: Tree, node: Node) -> None:
        """Pass it on to the feed."""
        self._feed.run_ended(tree, node)

    def _send_rows(self, rows: RowsMessage) -> None:
        self.send(rows)

    def _keep_rows(self, rows: RowsMessage) -> None:
        self.snapshot = dict(rows)

    def _received(self, _: object, content: object, __: object) -> None:
        """Answer a view."""
        if not isinstance(content, dict):
            return
        kind = content.get("kind")
        if kind == "ready":
            self.send(self._feed.snapshot())
        elif kind == "detail":
            self._send_detail(content.get("id"))
        elif kind == "command":
            self._command(content.get("name"))

    def _send_detail(self, node_id: object) -> None:
        tree = self._session.tree
        if isinstance(node_id, str) and node_id in tree:
            self.send({"kind": "detail", "texts": tree[node_id].texts()})  # type: ignore[index]

    def _command(self, name: object) -> None:
        control = self._session.control
        commands = {"pause": control.pause, "resume": control.resume, "step": control.step, "stop": control.stop}
        command = commands.get(name) if isinstance(name, str) else None
        if command is not None:
            command()
