"""The store: every run, and every reply that was paid for, in one SQLite file."""

from __future__ import annotations

import asyncio
import atexit
import json
import os
import sqlite3
import threading
import time
from concurrent.futures import TimeoutError as NotYet
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rlm_kernel.messages import ModelReply
from rlm_kernel.trace.codec import text_bytes, text_hash
from rlm_kernel.trace.place import store_path
from rlm_kernel.trace.rows import InFlight as InFlight
from rlm_kernel.trace.rows import Rows
from rlm_kernel.trace.rows import RunRow as RunRow
from rlm_kernel.trace.schema import connect, explain
from rlm_kernel.trace.spool import Spool
from rlm_kernel.trace.writer import RunStart, Writer, absorb
from rlm_kernel.usage import Usage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from rlm_kernel.errors import StoreError
    from rlm_kernel.ids import NodeId, RunId
    from rlm_kernel.messages import ModelRequest
    from rlm_kernel.trace.entries import Entry
    from rlm_kernel.trace.records import Node, NodeTexts
    from rlm_kernel.trace.tree import Tree

READ_SECONDS = 2.0
"""How long reading, which is done on the loop, waits for another process that keeps the file to itself."""


class Store:
    """Keeps runs, and replies by the key of their request (it is a `MemoStore`).

    - Writing methods return at once and never raise. What is about money (`intent`, `keep`, `done`) survives a kill of
      this process from then on; the rest is on the disk within 50 ms, for certain once `flush` has answered.
    - Reading methods read what is on the disk, of all processes; `find` also knows what is not there yet.
    - When writing fails (full disk, damaged file), the store says so once and writes nothing more. Replies of this
      process are still found, and those on the disk as far as they can be read.
    - Several processes may have the same file open.

    Made by `open`.
    """

    def __init__(self, path: Path, reader: sqlite3.Connection, writer: sqlite3.Connection, spool: Spool) -> None:
        self.path = path
        self.problem: StoreError | None = None
        """Why nothing is written any more."""
        self._tell: Callable[[StoreError], None] = lambda _: None
        self._reading = threading.RLock()
        self._reader = reader
        reader.execute(f"PRAGMA busy_timeout = {READ_SECONDS * 1000:.0f}")
        self._rows = Rows(path, reader)
        self._session = spool.session
        self._writer = Writer(path, writer, spool, self._failed)
        self._sent: dict[str, dict[NodeId, float]] = {}
        """Requests under way, by key."""
        self._unwritten: dict[str, ModelReply] = {}
        """Replies that came after writing had failed."""
        atexit.register(self.close)  # the thread that writes ends with the process, without asking

    @classmethod
    def open(cls, path: Path | None = None) -> Store | None:
        """Open the store, making it where there is none.

        Args:
            path: Its file; ``None``: what ``RLM_STORE`` names, else the one in the user's data directory.

        Returns:
            The store; ``None`` where ``RLM_STORE`` is ``off``.

        Raises:
            StoreError: It cannot be used; the message says why and what to do. Nothing was changed.
        """
        path = path or store_path(os.environ)
        if path is None:
            return None
        reader = connect(path)
        try:
            writer = connect(path)
            try:
                absorb(path, writer)
                return cls(path, reader, writer, Spool(path))
            except BaseException:
                writer.close()
                raise
        except BaseException as problem:
            reader.close()
            if isinstance(problem, OSError | sqlite3.Error):
                raise explain(problem, path) from problem
            raise

    def on_problem(self, tell: Callable[[StoreError], None]) -> None:
        """Say who is told, once, when writing fails: on the loop that runs now, else on any thread."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self._tell = tell
        else:

            def tell_on_loop(problem: StoreError) -> None:
                if not loop.is_closed():
                    loop.call_soon_threadsafe(tell, problem)

            self._tell = tell_on_loop
        if self.problem is not None:
            self._tell(self.problem)

    def add_run(self, node: Node, notebook: str = "", details: Mapping[str, object] | None = None) -> None:
        """Take a question that begins.

        Args:
            node: Its node.
            notebook: Where it is asked.
            details: What is needed to go on with it later, as JSON can say it.
        """
        start = RunStart(notebook, node.started or time.time(), self._session, json.dumps(details or {}))
        self._writer.put_run(node.id, start)
        self._writer.put(node)

    def put(self, node: Node) -> None:
        """Take the present state of a node; its parent must have been put before."""
        self._writer.put(node)

    def put_entry(self, entry: Entry) -> None:
        """Take what was done in the namespace of this process; it is kept with its session, in its order."""
        self._writer.put_entry(entry)

    def intent(self, key: str, node_id: NodeId) -> None:
        """Take that a request is about to be sent."""
        sent = self._sent.setdefault(key, {})[node_id] = time.time()
        self._writer.record(["sent", node_id, key, sent])

    def keep(self, key: str, request: ModelRequest, reply: ModelReply) -> None:
        """Take the reply to a request, if it is complete; with it the request has ended."""
        if reply.finish != "stop" or reply.cached:
            return
        if self._writer.off:
            self._unwritten[key] = reply
        now = time.time()
        ended = [["ended", node_id, key, sent, now] for node_id, sent in self._sent.pop(key, {}).items()]
        self._writer.record(["kept", key, reply.model or request.model, reply.text, reply.usage.to_dict(), now], *ended)

    def done(self, key: str, node_id: NodeId) -> None:
        """Take that a request has ended without a reply to keep."""
        sent = self._sent.get(key, {}).pop(node_id, None)
        if sent is not None:
            self._writer.record(["ended", node_id, key, sent, time.time()])

    def find(self, key: str) -> ModelReply | None:
        """Give the reply kept under a key, as spent by nobody; ``None``: it must be asked for."""
        kept = self._writer.kept(key)
        if kept is not None:
            return _answered_before(kept.text, kept.model)
        if reply := self._unwritten.get(key):
            return _answered_before(reply.text, reply.model)
        try:
            with self._reading:
                found = self._rows.reply(key)
        except sqlite3.Error as problem:
            # Held by another process: asking again costs money, waiting longer stops the loop and all that runs on it.
            if "locked" not in str(problem):
                self._writer.give_up(explain(problem, self.path))
            return None
        if found is None:
            return None
        self._writer.use(key)
        return _answered_before(*found)

    async def flush(self) -> bool:
        """Wait until all that was taken is on the disk; ``False``: it is not (see `problem`)."""
        return await asyncio.wrap_future(self._writer.flush())

    def flush_now(self, timeout: float = 30) -> bool:
        """Do as `flush` where no loop runs, or may be held up."""
        try:
            return self._writer.flush().result(timeout)
        except NotYet:
            return False

    def close(self) -> None:
        """Write what there is and let go of the file; may be called again."""
        atexit.unregister(self.close)
        self._writer.close()
        with self._reading:
            self._reader.close()

    def runs(self, limit: int | None = 50, notebook: str | None = None) -> list[RunRow]:
        """Give questions, the newest first.

        Args:
            limit: At most so many.
            notebook: Only those asked there.
        """
        with self._read() as rows:
            if notebook is None:
                return rows.runs(limit=limit)
            return rows.runs("r.notebook = ?", (notebook,), limit)

    def asked(self, cell_id: str, question: str) -> RunRow | None:
        """Give the last run in which a cell asked a question; ``None``: it never did."""
        with self._read() as rows:
            found = rows.runs("n.cell_id = ? AND n.prompt = ?", (cell_id, text_hash(text_bytes(question))), 1)
        return found[0] if found else None

    def unfinished(self, notebook: str) -> list[RunRow]:
        """Give the questions of a notebook that never ended, because their process was killed; the newest first."""
        with self._read() as rows:
            absorb(self.path, self._reader)
            found = rows.runs("r.notebook = ? AND n.outcome IS NULL", (notebook,))
        return [run for run in found if not run.live]

    def tree(self, run_id: RunId) -> Tree:
        """Give a question with all its nodes and texts.

        Raises:
            StoreError: There is no such run.
        """
        with self._read() as rows:
            return rows.tree(run_id)

    def skeleton(self, run_id: RunId) -> str:
        """Give the nodes of a question without texts as JSON: under 100 bytes each (docs/trace-format.md)."""
        with self._read() as rows:
            return rows.skeleton(run_id)

    def texts(self, node_id: NodeId) -> NodeTexts | None:
        """Give the texts of one node; ``None`` where there is no such node."""
        with self._read() as rows:
            node = rows.node(node_id)
        return None if node is None else node.texts()

    def past(self, run_id: RunId) -> list[Entry]:
        """Give what the namespace's state at the end of a question came of, oldest first.

        Empty where that is not known: no cell of it was run, or it is of an earlier format.
        """
        with self._read() as rows:
            return rows.past(run_id)

    def answers(self, entries: list[Entry]) -> Tree:
        """Give a tree with the questions the cells of these entries belong to, and the runs of their own queries."""
        with self._read() as rows:
            return rows.answers(entries)

    def in_flight(self, run_id: RunId) -> list[InFlight]:
        """Give the requests of a question that were sent and whose reply never came, in the order they were sent."""
        with self._read() as rows:
            return rows.in_flight(run_id)

    @contextmanager
    def _read(self) -> Iterator[Rows]:
        with self._reading:
            try:
                yield self._rows
            except sqlite3.Error as problem:
                raise explain(problem, self.path) from problem

    def _failed(self, problem: StoreError) -> None:
        if self.problem is None:
            self.problem = problem
            self._tell(problem)


def _answered_before(text: str, model: str) -> ModelReply:
    return ModelReply(text, Usage(), model, cached=True)
