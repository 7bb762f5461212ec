"""The one thread that writes to the store: gathers what it is told for 50 ms and commits it as one."""

from __future__ import annotations

import json
import logging
import sqlite3
import threading
import time
from concurrent.futures import Future
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from rlm_kernel.errors import StoreError
from rlm_kernel.trace.codec import PUT_ENTRY, PUT_NODE, entry_row, node_row, pack, text_bytes, text_hash
from rlm_kernel.trace.schema import explain, transaction
from rlm_kernel.trace.spool import leftovers

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from rlm_kernel.ids import NodeId
    from rlm_kernel.trace.entries import Entry
    from rlm_kernel.trace.records import Node
    from rlm_kernel.trace.spool import Record, Spool
    from rlm_kernel.usage import UsageDict

log = logging.getLogger(__name__)

COMMIT_SECONDS = 0.05
"""Rows gather this long: a commit costs as much for one as for a thousand."""
TRIES = 3
"""How often a commit waits for another process that writes (ten seconds each) before the store gives up."""


@dataclass(frozen=True, slots=True)
class RunStart:
    """A question, as it stands in ``runs``."""

    notebook: str
    started: float
    owner: str
    details: str


@dataclass(frozen=True, slots=True)
class Kept:
    """A reply, as it stands in ``memo``."""

    model: str
    text: str
    usage: UsageDict
    kept: float


Request = tuple["NodeId", str]
"""A node and the key of what it asked."""


@dataclass(slots=True)
class Batch:
    """What goes into one commit. A node that changes ten times is written once."""

    runs: dict[NodeId, RunStart] = field(default_factory=dict)
    nodes: dict[NodeId, Node] = field(default_factory=dict)
    entries: list[tuple[str, Entry]] = field(default_factory=list)
    """With the session each belongs to."""
    memo: dict[str, Kept] = field(default_factory=dict)
    used: dict[str, float] = field(default_factory=dict)
    sent: dict[Request, float] = field(default_factory=dict)
    ended: dict[Request, tuple[float, float]] = field(default_factory=dict)
    """When it was sent, which tells a request from an earlier one of the same node, and when it ended."""
    waiters: list[Future[bool]] = field(default_factory=list)
    began: float | None = None

    def add(self, record: Record) -> None:
        """Take a line of a spool."""
        kind, *rest = record
        if kind == "kept":
            key, model, text, usage, at = rest
            self.memo[key] = Kept(model, text, usage, at)
        elif kind == "sent":
            node_id, key, sent = rest
            self.sent[node_id, key] = sent
        elif kind == "ended":
            node_id, key, sent, at = rest
            self.ended[node_id, key] = (sent, at)


class Writer:
    """Takes rows from any thread, at once and without failing, and commits them in a thread of its own.

    - What is about money is in the spool before `record` returns; the rest is on the disk after the next commit.
    - When it cannot go on (full disk, damaged file), it says so once, and takes nothing more.

    Args:
        path: The file, to name it in messages.
        connection: Used by this thread only.
        spool: This process's.
        failed: Told once, on the writer's thread or on that of the caller, why nothing is written any more.
    """

    def __init__(
        self, path: Path, connection: sqlite3.Connection, spool: Spool, failed: Callable[[StoreError], None]
    ) -> None:
        self._path = path
        self._inode = path.stat().st_ino
        self._connection = connection
        self._spool = spool
        self._failed = failed
        self._lock = threading.Condition()
        self._batch = Batch()
        self._writing = Batch()
        self._closing = False
        self._lossless = True
        self.off = False
        """Whether it has given up."""
        self._thread = threading.Thread(target=self._run, name="rlm-store", daemon=True)
        self._thread.start()

    def put_run(self, node_id: NodeId, start: RunStart) -> None:
        """Take the start of a question; its node comes by `put`."""
        with self._lock:
            if self._takes():
                self._batch.runs[node_id] = start

    def put(self, node: Node) -> None:
        """Take the present state of a node."""
        with self._lock:
            if self._takes():
                # A copy: the engine goes on changing its own.
                self._batch.nodes[node.id] = replace(node)

    def put_entry(self, entry: Entry) -> None:
        """Take what was done in the namespace of this process."""
        with self._lock:
            if self._takes():
                self._batch.entries.append((self._spool.session, entry))

    def record(self, *records: Record) -> None:
        """Take lines of the spool; when this returns they survive a kill of this process."""
        with self._lock:
            if not self._takes():
                return
            for record in records:
                self._batch.add(record)
            try:
                self._spool.append(records)
            except OSError as problem:
                error = explain(problem, self._path)
            else:
                return
        self.give_up(error)

    def use(self, key: str) -> None:
        """Note that a kept reply was given again."""
        with self._lock:
            if self._takes():
                self._batch.used[key] = time.time()

    def kept(self, key: str) -> Kept | None:
        """Give a reply that was taken and may not be committed yet."""
        with self._lock:
            return self._batch.memo.get(key) or self._writing.memo.get(key)

    def flush(self) -> Future[bool]:
        """Commit now; the result is whether all that was taken until now is on the disk."""
        waiter: Future[bool] = Future()
        waiter.set_running_or_notify_cancel()  # whoever waits may go; the result is set all the same
        with self._lock:
            if self.off or self._closing:
                waiter.set_result(self._lossless and not self.off)
            else:
                self._batch.waiters.append(waiter)
                self._lock.notify()
        return waiter

    def close(self) -> None:
        """Commit what there is and end the thread."""
        with self._lock:
            self._closing = True
            self._lock.notify()
        self._thread.join()
        self._connection.close()
        self._spool.close(keep=not self._lossless)

    def _takes(self) -> bool:
        if self.off or self._closing:
            return False
        if self._batch.began is None:
            self._batch.began = time.monotonic()
            self._lock.notify()
        return True

    def _run(self) -> None:
        while True:
            with self._lock:
                self._lock.wait_for(lambda: self._closing or self._batch.waiters or self._batch.began is not None)
                self._lock.wait_for(lambda: self._closing or self._batch.waiters, COMMIT_SECONDS)
                batch = self._writing = self._batch
                self._batch = Batch()
                spooled = self._spool.switch()
                last = self._closing
            error = self._commit(batch)
            with self._lock:
                self._writing = Batch()
                if error is None and not self.off:
                    self._spool.empty(spooled)
            if error is not None:
                self.give_up(error)
            for waiter in batch.waiters:
                waiter.set_result(not self.off)
            if last or self.off:
                return

    def _commit(self, batch: Batch) -> StoreError | None:
        """Write a batch; gives what is wrong where it could not be written."""
        for left in reversed(range(TRIES)):
            try:
                if self._path.stat().st_ino != self._inode:
                    raise FileNotFoundError(2, "it was replaced by another file")
                with transaction(self._connection):
                    write(self._connection, batch)
            except (sqlite3.Error, OSError) as problem:
                if left and "locked" in str(problem):
                    continue
                return explain(problem, self._path)
            except Exception as problem:
                log.exception("the store cannot write a row")
                return StoreError(f"The store {self._path} failed: {type(problem).__name__}: {problem}.")
            return None
        return None

    def give_up(self, error: StoreError) -> None:
        """Write nothing more, for this reason; the first one counts."""
        with self._lock:
            if self.off:
                return
            self.off, self._lossless = True, False
            waiters, self._batch.waiters = self._batch.waiters, []
            self._lock.notify()
        for waiter in waiters:
            waiter.set_result(False)
        self._failed(error)


def write(connection: sqlite3.Connection, batch: Batch) -> None:
    """Write all of a batch; the caller holds the transaction.

    Everything can be written twice without harm: what a spool holds may be in the store already.
    """
    blobs = _Blobs(connection)
    connection.executemany(
        "INSERT INTO runs (id, notebook, started, owner, details) VALUES (?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE "
        "SET notebook = excluded.notebook, owner = excluded.owner, details = excluded.details",
        [(run_id, run.notebook, run.started, run.owner, run.details) for run_id, run in batch.runs.items()],
    )
    connection.executemany(PUT_NODE, [node_row(node, blobs.keep) for node in batch.nodes.values()])
    connection.executemany(PUT_ENTRY, [[session, *entry_row(entry, blobs.keep)] for session, entry in batch.entries])
    connection.executemany(
        "INSERT INTO memo (key, model, text, usage, kept, used) VALUES (?1, ?2, ?3, ?4, ?5, ?5) ON CONFLICT (key) "
        "DO UPDATE SET model = ?2, text = ?3, usage = ?4, kept = ?5, used = max(used, ?5)",
        [
            (bytes.fromhex(key), each.model, blobs.keep(each.text) or b"", json.dumps(each.usage), each.kept)
            for key, each in batch.memo.items()
        ],
    )
    connection.executemany(
        "UPDATE memo SET used = max(used, ?) WHERE key = ?",
        [(at, bytes.fromhex(key)) for key, at in batch.used.items()],
    )
    connection.executemany(
        "INSERT INTO requests (node_id, key, sent) VALUES (?, ?, ?) ON CONFLICT (node_id, key) "
        "DO UPDATE SET sent = excluded.sent, ended = NULL WHERE excluded.sent <> sent",
        [(node_id, bytes.fromhex(key), at) for (node_id, key), at in batch.sent.items()],
    )
    connection.executemany(
        "UPDATE requests SET ended = ? WHERE node_id = ? AND key = ? AND sent = ?",
        [(at, node_id, bytes.fromhex(key), sent) for (node_id, key), (sent, at) in batch.ended.items()],
    )


def absorb(path: Path, connection: sqlite3.Connection) -> None:
    """Take over what processes that were killed had not committed yet.

    Args:
        path: The store.
        connection: Of the caller's thread.
    """
    with closing(leftovers(path)) as found:
        for left in found:
            batch = Batch()
            for record in left.records():
                batch.add(record)
            with transaction(connection):
                write(connection, batch)
            left.remove()


class _Blobs:
    """Keeps the texts of one batch, each once."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._known: dict[str, bytes] = {}

    def keep(self, text: str) -> bytes | None:
        if not text:
            return None
        digest = self._known.get(text)
        if digest is None:
            data = text_bytes(text)
            digest = self._known[text] = text_hash(data)
            if not self._connection.execute("SELECT 1 FROM blobs WHERE hash = ?", (digest,)).fetchone():
                self._connection.execute(
                    "INSERT INTO blobs (hash, codec, size, data) VALUES (?, ?, ?, ?)", pack(data, digest)
                )
        return digest
