"""What the panel is told of a session: small batches of changed rows, and everything for a view that comes late."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Literal, TypedDict

from rlm_kernel.engine.observer import Observer

if TYPE_CHECKING:
    from collections.abc import Callable

    from rlm_kernel.engine.control import Control
    from rlm_kernel.engine.executor import CellResult
    from rlm_kernel.engine.observer import Part
    from rlm_kernel.ids import NodeId
    from rlm_kernel.trace.records import Node, NodeSummary
    from rlm_kernel.trace.tree import Tree

DELTA_SECONDS = 0.05
"""At most twenty batches a second: more than an eye follows, few enough for a slow connection."""
SNAPSHOT_SECONDS = 1.0
"""The kept picture is renewed at most this often …"""
SNAPSHOT_SECONDS_PER_NODE = 0.001
"""… and less often as it grows: a picture of 10,000 rows is about 4 MB."""


class ControlDict(TypedDict):
    """What the control says of itself."""

    state: str
    waits_for: str


class RowsMessage(TypedDict):
    """Rows for a view: those that changed (``delta``), or all there are (``snapshot``)."""

    kind: Literal["delta", "snapshot"]
    nodes: list[NodeSummary]
    removed: list[str]
    control: ControlDict
    now: float
    """The kernel's clock, in seconds since the epoch; a page's clock may stand elsewhere."""


class Feed(Observer):
    """Watches a session and tells what is new.

    Gathers the ids of changed nodes and sends their rows in batches; renews a picture of everything now and then.
    It reads the tree only when it sends, so ten changes of one node cost one row. Knows nothing of widgets.

    Args:
        tree: The session's tree.
        control: The session's control; its changes are sent too.
        send: Takes one batch.
        keep: Takes a picture of everything.
    """

    def __init__(
        self,
        tree: Tree,
        control: Control,
        send: Callable[[RowsMessage], None],
        keep: Callable[[RowsMessage], None],
    ) -> None:
        """Listen to the control from now on; the session adds this object to its observers."""
        self._tree = tree
        self._control = control
        self._send = send
        self._keep = keep
        self._changed: dict[NodeId, None] = {}
        self._delta_timer: asyncio.TimerHandle | None = None
        self._snapshot_timer: asyncio.TimerHandle | None = None
        self._closed = False
        control.on_change.append(self._control_changed)

    def close(self) -> None:
        """Stop listening and drop what was not sent; what the session tells after this is ignored."""
        self._closed = True
        if self._control_changed in self._control.on_change:
            self._control.on_change.remove(self._control_changed)
        for timer in (self._delta_timer, self._snapshot_timer):
            if timer is not None:
                timer.cancel()
        self._delta_timer = self._snapshot_timer = None

    def snapshot(self) -> RowsMessage:
        """Give everything there is, for a view that has just come."""
        return self._message("snapshot", self._tree.skeleton())

    def flush(self) -> None:
        """Send now what has changed."""
        if self._delta_timer is not None:
            self._delta_timer.cancel()
            self._delta_timer = None
        changed, self._changed = self._changed, {}
        self._send(self._message("delta", [self._tree.summary(each) for each in changed if each in self._tree]))

    def keep(self) -> None:
        """Renew the kept picture now."""
        if self._snapshot_timer is not None:
            self._snapshot_timer.cancel()
            self._snapshot_timer = None
        self._keep(self.snapshot())

    def node_added(self, tree: Tree, node: Node) -> None:
        """Put the new row, and the sums above it, in the next batch."""
        self._mark(node)

    def node_changed(self, tree: Tree, node: Node) -> None:
        """Put the row, and the sums above it, in the next batch."""
        self._mark(node)

    def turn_text(self, node: Node, part: Part, pos: int, text: str) -> None:
        """Let a view that shows this turn's texts know that they grew."""
        self._changed[node.id] = None
        self._schedule()

    def cell_ended(self, node: Node, result: CellResult) -> None:
        """Let a view that shows this turn's output know that it is there."""
        self._mark(node)

    def run_ended(self, tree: Tree, node: Node) -> None:
        """Send the last rows at once, and keep the final picture."""
        if self._closed:
            return
        self._mark(node)
        self.flush()
        self.keep()

    def _mark(self, node: Node) -> None:
        self._changed[node.id] = None
        for above in self._tree.ancestors(node.id):
            self._changed[above.id] = None
        self._schedule()

    def _control_changed(self, *_: object) -> None:
        self._schedule()

    def _schedule(self) -> None:
        """Send soon. Without a running loop (a plain script, a test) there is no later, so send at once."""
        if self._closed:
            return
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self.flush()
            self.keep()
            return
        if self._delta_timer is None:
            self._delta_timer = loop.call_later(DELTA_SECONDS, self.flush)
        if self._snapshot_timer is None:
            wait = max(SNAPSHOT_SECONDS, len(self._tree) * SNAPSHOT_SECONDS_PER_NODE)
            self._snapshot_timer = loop.call_later(wait, self.keep)

    def _message(self, kind: Literal["delta", "snapshot"], nodes: list[NodeSummary]) -> RowsMessage:
        control = ControlDict(state=self._control.state, waits_for=self._control.waits_for)
        return RowsMessage(kind=kind, nodes=nodes, removed=[], control=control, now=time.time())
