"""What views are told of a session without asking: changed rows in small batches, growing texts, a picture to keep."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import OrderedDict
from typing import TYPE_CHECKING, get_args

from rlm_kernel.engine.observer import Observer
from rlm_kernel.panel.messages import (
    ControlDict,
    DeltaMessage,
    MeterDict,
    SnapshotMessage,
    TextMessage,
    TextPart,
)
from rlm_kernel.panel.packing import pack, picture, row_of
from rlm_kernel.trace.records import NodeSummary

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from rlm_kernel.engine.executor import CellResult
    from rlm_kernel.engine.observer import Part
    from rlm_kernel.engine.session import Session
    from rlm_kernel.ids import NodeId
    from rlm_kernel.panel.messages import ToView
    from rlm_kernel.trace.records import Node
    from rlm_kernel.trace.tree import Tree

DELTA_SECONDS = 0.05
"""At most twenty batches a second: more than an eye follows, few enough for a slow connection."""
PICTURE_SECONDS = 30.0
"""The kept picture is renewed at most this often while a run lasts; at its end it is renewed at once."""
PICTURE_DELAY = 0.3
"""So long after the end of a run: until everything about it is known."""
ROWS_A_PART = 1000
"""Rows in one message: a few milliseconds of the kernel's loop."""
MOST_VIEWS = 16
"""Views whose chosen node is followed; the one that chose longest ago is forgotten first: it may be gone."""
TEXT_PARTS: tuple[TextPart, ...] = get_args(TextPart)
SHOWN_CHARS = 100_000
"""Characters of a text that are sent at once; a view asks for the rest."""


class Feed(Observer):
    """Watches a session and tells what is new.

    Gathers the ids of changed nodes and sends their rows in batches. It reads the tree only when it sends, so ten
    changes of one node cost one row. Knows nothing of widgets.

    Args:
        session: What is watched; its observers are to be told of this object by who makes it.
        send: Takes one message for the views.
        keep: Takes a picture of everything, see `packing.picture`.
    """

    def __init__(self, session: Session, send: Callable[[ToView], None], keep: Callable[[bytes], None]) -> None:
        """Listen to the control and to the gate from now on."""
        self._session = session
        self._tree = session.tree
        self._send = send
        self._keep = keep
        self._changed: dict[NodeId, None] = {}
        self._grown: dict[NodeId, None] = {}
        self._watched: OrderedDict[str, NodeId] = OrderedDict()
        self._sent: dict[NodeId, dict[TextPart, int]] = {}
        self._meters: list[MeterDict] = []
        self._models: list[str] = []
        self._asked = {node.model: None for node in session.tree if node.model}
        self._seq = 0
        self._delta_timer: asyncio.TimerHandle | None = None
        self._picture_timer: asyncio.TimerHandle | None = None
        self._keeping: asyncio.Task[None] | None = None
        self._closed = False
        session.control.on_change.append(self._schedule)
        session.gate.on_change.append(self._schedule)

    def close(self) -> None:
        """Stop listening and drop what was not sent; what the session tells after this is ignored."""
        self._closed = True
        for listeners in (self._session.control.on_change, self._session.gate.on_change):
            if self._schedule in listeners:
                listeners.remove(self._schedule)
        for timer in (self._delta_timer, self._picture_timer):
            if timer is not None:
                timer.cancel()
        self._delta_timer = self._picture_timer = None
        if self._keeping is not None:
            self._keeping.cancel()

    # ---- what a view asks for ----------------------------------------------------------------------------------

    def snapshot(self, view: str) -> None:
        """Send everything there is to a view that has just come, in parts, and let the loop go on between them."""
        self._go_on(self._parts(view))

    def _go_on(self, parts: Iterator[SnapshotMessage]) -> None:
        message = None if self._closed else next(parts, None)
        if message is None:
            return
        self._send(message)
        try:
            asyncio.get_running_loop().call_soon(self._go_on, parts)
        except RuntimeError:  # a plain script: there is no later
            self._go_on(parts)

    def _parts(self, view: str) -> Iterator[SnapshotMessage]:
        # Rows are read when their part is sent. Nodes that come meanwhile are in deltas, which the view holds back.
        ids = [node.id for node in self._tree]
        starts = range(0, max(1, len(ids)), ROWS_A_PART)
        for part, start in enumerate(starts):
            rows = [row_of(self._tree, each) for each in ids[start : start + ROWS_A_PART] if each in self._tree]
            yield SnapshotMessage(
                kind="snapshot",
                view=view,
                part=part,
                parts=len(starts),
                rows=pack(rows),
                control=self._control(),
                models=self._model_names(),
                now=time.time(),
            )

    def watch(self, view: str, node_id: NodeId | None) -> None:
        """Stream the texts of this node to a view as they grow, and of no other."""
        self._watched.pop(view, None)
        if node_id is not None and node_id in self._tree:
            self._watched[view] = node_id
            node = self._tree[node_id]
            # What is there now comes with the detail that a view asks for when it chooses a node.
            self._sent[node_id] = {part: len(text_of(node, part)) for part in TEXT_PARTS}
        while len(self._watched) > MOST_VIEWS:
            self._watched.popitem(last=False)
        watched = set(self._watched.values())
        self._sent = {each: sent for each, sent in self._sent.items() if each in watched}

    # ---- what the session tells --------------------------------------------------------------------------------

    def node_added(self, tree: Tree, node: Node) -> None:
        """Put the new row, and the sums above it, in the next batch."""
        self._mark(node)

    def node_changed(self, tree: Tree, node: Node) -> None:
        """Put the row, and the sums above it, in the next batch."""
        self._mark(node)

    def turn_text(self, node: Node, part: Part, pos: int, text: str) -> None:
        """Send what a turn's texts grew by to a view that shows them."""
        if node.id in self._sent:
            self._grown[node.id] = None
            self._schedule()

    def cell_ended(self, node: Node, result: CellResult) -> None:
        """Put the row in the next batch."""
        self._mark(node)

    def adopted(self, tree: Tree, node: Node) -> None:
        """Send a run of an earlier session, with everything below it."""
        self._mark(node)
        waiting = [node]
        while waiting:
            below = tree.children(waiting.pop().id)
            self._changed.update((each.id, None) for each in below)
            waiting += below

    def removed(self, tree: Tree, node: Node, ids: Sequence[NodeId]) -> None:
        """Take a run that was deleted, and all below it, from the views."""
        self._changed[node.id] = None
        self._schedule()

    def run_ended(self, tree: Tree, node: Node) -> None:
        """Send the last rows at once, and soon a picture to keep."""
        if self._closed:
            return
        self._mark(node)
        self.flush()
        self._picture_in(PICTURE_DELAY)

    # ---- sending -----------------------------------------------------------------------------------------------

    def flush(self) -> None:
        """Send now what has changed."""
        if self._delta_timer is not None:
            self._delta_timer.cancel()
            self._delta_timer = None
        changed = list(itertools.islice(self._changed, ROWS_A_PART))
        for each in changed:
            del self._changed[each]
        grown, self._grown = {**self._grown, **{each: None for each in changed if each in self._sent}}, {}
        self._seq += 1
        message = DeltaMessage(
            kind="delta",
            seq=self._seq,
            nodes=[row_of(self._tree, each) for each in changed if each in self._tree],
            removed=[each for each in changed if each not in self._tree],
            control=self._control(),
            now=time.time(),
        )
        models = self._model_names()
        if models != self._models:
            message["models"] = self._models = models
        self._send(message)
        for each in grown:
            self._send_growth(each)
        if self._changed:
            self._schedule()

    def keep(self) -> None:
        """Renew the kept picture now, or as soon as one that is being made is done."""
        if self._picture_timer is not None:
            self._picture_timer.cancel()
            self._picture_timer = None
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self._keep(picture([row_of(self._tree, node.id) for node in self._tree], time.time()))
            return
        if self._keeping is None or self._keeping.done():
            self._keeping = loop.create_task(self._make_picture())
        else:
            self._picture_in(PICTURE_DELAY)

    async def _make_picture(self) -> None:
        """Of ten thousand rows a picture takes a fifth of a second: the loop goes on meanwhile."""
        ids, rows = [node.id for node in self._tree], list[NodeSummary]()
        for start in range(0, len(ids), ROWS_A_PART):
            rows += [row_of(self._tree, each) for each in ids[start : start + ROWS_A_PART] if each in self._tree]
            await asyncio.sleep(0)
        made = await asyncio.to_thread(picture, rows, time.time())
        if not self._closed:
            self._keep(made)

    def _send_growth(self, node_id: NodeId) -> None:
        sent = self._sent.get(node_id)
        if sent is None or node_id not in self._tree:
            return
        node = self._tree[node_id]
        for part in TEXT_PARTS:
            text = text_of(node, part)
            if len(text) == sent[part]:
                continue
            # A text that became shorter was replaced: its reply is cut after the cell.
            pos = sent[part] if len(text) > sent[part] else 0
            sent[part] = len(text)
            if pos < SHOWN_CHARS:
                self._send(text_message(node, part, pos))

    def _mark(self, node: Node) -> None:
        self._changed[node.id] = None
        if node.model:
            self._asked[node.model] = None
        if node.id in self._tree:
            for above in self._tree.ancestors(node.id):
                self._changed[above.id] = None
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
        if self._picture_timer is None:
            self._picture_in(PICTURE_SECONDS)

    def _picture_in(self, seconds: float) -> None:
        if self._picture_timer is not None:
            self._picture_timer.cancel()
        try:
            self._picture_timer = asyncio.get_running_loop().call_later(seconds, self.keep)
        except RuntimeError:
            self.keep()

    def _model_names(self) -> list[str]:
        """Name the models a person may choose from: those that are set, and those that were asked."""
        return list(dict.fromkeys([*self._session.models(), *self._asked]))

    def _control(self) -> ControlDict:
        session = self._session
        meters = [
            MeterDict(kind=each.kind, used=each.used, limit=each.limit, text=each.describe())
            for each in session.meters()
        ]
        if meters or session.control.state != "idle":
            self._meters = meters  # those of a run that is over stay until the next one begins
        return ControlDict(
            state=session.control.state,
            waits_for=session.control.waits_for,
            waiting=list(session.gate.waiting),
            steers=session.steers,
            limits=self._meters,
        )


def text_of(node: Node, part: TextPart) -> str:
    """Give one of the long texts of a node."""
    return str(getattr(node, part) or "")


def text_message(node: Node, part: TextPart, pos: int) -> TextMessage:
    """Give a piece of a text, from a character on."""
    text = text_of(node, part)
    return TextMessage(
        kind="text", node_id=node.id, part=part, pos=pos, text=text[pos : pos + SHOWN_CHARS], total=len(text)
    )
