"""The store as a session uses it: opened at the first need, and done without where it cannot be used."""

from __future__ import annotations

import os
from operator import attrgetter
from typing import TYPE_CHECKING, TypeVar

from rlm_kernel.engine.observer import Observer
from rlm_kernel.errors import StoreError
from rlm_kernel.ids import NodeId
from rlm_kernel.models.memo import Memo
from rlm_kernel.trace.place import store_path
from rlm_kernel.trace.tree import Tree

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from rlm_kernel.engine.history import History
    from rlm_kernel.engine.recording import Recording
    from rlm_kernel.ids import RunId
    from rlm_kernel.messages import ModelReply, ModelRequest
    from rlm_kernel.trace.entries import Entry
    from rlm_kernel.trace.records import Node
    from rlm_kernel.trace.store import InFlight, RunRow, Store

T = TypeVar("T")
FLUSH_SECONDS = 1.0
LOOK_BACK = 20
"""How many runs of a notebook are looked through for its last question."""
MOST_RUNS = 200
"""Runs of a notebook that can be come back to."""
DELETED = "deleted"
"""In the details of a branch that a person does not want to see any more."""
CUT_OFF = "Its process was killed before it ended."


class Keeping(Observer):
    """Memo and record of a session: both in the store; where there is none, replies are kept in memory only.

    - The store is opened at the first request or question, so that starting costs nothing.
    - What is wrong with it is told once, in one line; the session goes on without.

    Args:
        tell: Shows a person that line.
        notebook: Names the notebook whose questions are kept; asked when the store is opened.
    """

    def __init__(self, tell: Callable[[str], None], notebook: Callable[[], str] = str) -> None:
        self._tell = tell
        self._notebook = notebook
        self._opened = False
        self._store: Store | None = None
        self._recording: Recording | None = None
        self._memo = Memo()
        self._history: History | None = None

    @property
    def store(self) -> Store | None:
        """The store, opened now if it was not; ``None`` where it is off or cannot be used."""
        if not self._opened:
            self._opened = True
            self._open()
        return self._store

    def _open(self) -> None:
        from rlm_kernel.engine.recording import Recording
        from rlm_kernel.trace.store import Store

        try:
            store = Store.open()
        except StoreError as problem:
            self._tell(without(problem))
            return
        if store is not None:
            store.on_problem(lambda problem: self._tell(without(problem)))
            self._store = store
            self._recording = Recording(store, self._notebook(), attrgetter("details"))
            for entry in self._history.entries() if self._history is not None else ():
                store.put_entry(entry)

    def where(self) -> str:
        """Say where replies are kept; opens nothing."""
        path = store_path(os.environ)
        if path is None:
            return "in memory only (RLM_STORE=off)"
        broken = self._opened and (self._store is None or self._store.problem is not None)
        return "in memory only: the store cannot be used" if broken else f"in {path}"

    def close(self) -> None:
        """Write what there is; nothing more is kept."""
        if self._store is not None:
            self._store.close()

    # -- as the memo ----------------------------------------------------------------------------------------------

    @property
    def _replies(self) -> Store | Memo:
        return self.store or self._memo

    def find(self, key: str) -> ModelReply | None:
        """Give the reply kept under a key."""
        return self._replies.find(key)

    def keep(self, key: str, request: ModelRequest, reply: ModelReply) -> None:
        """Keep a reply."""
        self._replies.keep(key, request, reply)

    def intent(self, key: str, node_id: NodeId) -> None:
        """Note that a request is about to be sent."""
        self._replies.intent(key, node_id)

    def done(self, key: str, node_id: NodeId) -> None:
        """Note that a request is over."""
        self._replies.done(key, node_id)

    # -- as the record --------------------------------------------------------------------------------------------

    def node_added(self, tree: Tree, node: Node) -> None:
        """Keep a new node."""
        _ = self.store
        if self._recording is not None:
            self._recording.node_added(tree, node)

    def node_changed(self, tree: Tree, node: Node) -> None:
        """Keep its present state."""
        if self._recording is not None:
            self._recording.node_changed(tree, node)

    def run_ended(self, tree: Tree, node: Node) -> None:
        """Keep how it ended."""
        if self._recording is not None:
            self._recording.run_ended(tree, node)

    def removed(self, tree: Tree, node: Node, ids: Sequence[NodeId]) -> None:
        """Note that a branch was deleted: it is not offered any more, and goes when old runs are deleted."""
        if self._recording is not None:
            node.details = {**node.details, DELETED: True}
            self._recording.node_added(tree, node)

    # -- earlier runs ---------------------------------------------------------------------------------------------

    def asked(self, cell_id: str, question: str) -> Mapping[str, object] | None:
        """Give the details of the last run in which a cell asked a question, in whatever process."""
        row = self._read(lambda store: store.asked(cell_id, question))
        return row.details if row is not None else None

    def cut_off(self) -> list[RunRow]:
        """Give the questions of this notebook whose process was killed before they ended, newest first."""
        notebook = self._notebook()
        return [row for row in self._read(lambda store: store.unfinished(notebook)) or [] if is_question(row)]

    def last(self) -> RunRow | None:
        """Give the last question of this notebook."""
        notebook = self._notebook()
        rows = self._read(lambda store: store.runs(LOOK_BACK, notebook)) or []
        return next((row for row in rows if is_question(row)), None)

    def in_flight(self, row: RunRow) -> list[InFlight]:
        """Give the requests that were under way when the process of a run was killed."""
        return self._read(lambda store: store.in_flight(row.id)) or []

    def close_cut_off(self, row: RunRow, run_id: RunId) -> None:
        """Note that a question whose process was killed has been asked again: it is not waiting any more."""
        tree = self._read(lambda store: store.tree(row.id))
        if tree is None or self._store is None:
            return
        node = tree[NodeId(row.id)]
        node.status = node.outcome = "stopped"
        node.error = f"{CUT_OFF} It was asked again as {run_id}."
        self._store.put(node)

    # -- states ---------------------------------------------------------------------------------------------------

    def watch(self, history: History) -> None:
        """Keep what is done in a namespace, from its first cell on; written once the store is open."""
        self._history = history
        history.on_add.append(self._entry_added)

    def _entry_added(self, entry: Entry) -> None:
        if self._store is not None:
            self._store.put_entry(entry)

    def of_notebook(self) -> list[RunRow]:
        """Give the questions of this notebook, of all sessions, newest last; none where there is no store."""
        notebook = self._notebook()
        rows = self._read(lambda store: store.runs(MOST_RUNS, notebook)) or []
        return [row for row in reversed(rows) if is_question(row)]

    def tree_of(self, run_id: RunId) -> Tree | None:
        """Give a stored question with all its nodes and texts; ``None``: there is no such."""
        return self._read(lambda store: store.tree(run_id))

    def entries(self, run_id: RunId) -> list[Entry]:
        """Give what the state at the end of a stored question came of, oldest first; empty where that is not known."""
        return self._read(lambda store: store.past(run_id)) or []

    def answers(self, entries: Iterable[Entry]) -> Tree:
        """Give a tree with everything that cells of these entries were answered, for `replay`."""
        wanted = list(entries)
        return self._read(lambda store: store.answers(wanted)) or Tree()

    def _read(self, read: Callable[[Store], T]) -> T | None:
        store = self.store
        if store is None:
            return None
        try:
            store.flush_now(FLUSH_SECONDS)  # what this process has just told may be what is looked for
            return read(store)
        except StoreError as problem:
            self._tell(str(problem))
            return None


def is_question(row: RunRow) -> bool:
    """Tell whether a run is a person's question that was not deleted, and not a call from one of their cells."""
    return "opening" in row.details and DELETED not in row.details


def without(problem: StoreError) -> str:
    """Say what is wrong with the store, and what that means."""
    return f"{problem} This session goes on without it: replies are kept in memory only."
