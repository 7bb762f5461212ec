"""Reads runs, trees and texts out of a store."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rlm_kernel.errors import StoreError
from rlm_kernel.ids import NodeId, RunId
from rlm_kernel.trace.codec import COLUMNS, ENTRY_COLUMNS, TEXTS, Blob, read_entry, read_node, read_usage, unpack
from rlm_kernel.trace.spool import is_live
from rlm_kernel.trace.tree import Tree

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from rlm_kernel.trace.entries import Entry
    from rlm_kernel.trace.records import Node
    from rlm_kernel.usage import Usage


@dataclass(frozen=True, slots=True)
class RunRow:
    """A question in the store."""

    id: RunId
    label: str
    question: str
    notebook: str
    """Where it was asked; empty outside of a notebook."""
    model: str | None
    cell_id: str | None
    status: str
    outcome: str | None
    """``None``: it lasts (`live`), or its process was killed."""
    error: str | None
    started: float
    ended: float | None
    nodes: int
    usage: Usage
    """The sum of everything below it."""
    live: bool
    """Whether the process that works on it still runs."""
    details: Mapping[str, object] = field(default_factory=dict)
    """What `Store.add_run` was given besides."""


@dataclass(frozen=True, slots=True)
class InFlight:
    """A request that was sent and whose reply never got here: it may have been paid."""

    node_id: NodeId
    key: str
    sent: float
    """Seconds since 1970."""
    label: str
    """Empty where the kill came before its node was in the store."""
    model: str | None


SKELETON = ("n", "parent", "id", "kind", "label", "status", "model", "in", "cached", "out", "cost", "ms", "at")
LABEL_CHARS = 32
"""Of a label in a skeleton; the whole of it is with the node."""
MODELS = 100
"""More than that in one skeleton are left out: SQLite takes only so many values."""
_SKELETON_ROWS = """
    SELECT group_concat(line) FROM (
        SELECT json_array(
            n.seq - root.seq, p.seq - root.seq, substr(n.id, coalesce(length(p.id), 0) + 1), substr(n.kind, 1, 1),
            substr(n.label, 1, ?2), CASE WHEN n.cached THEN 'cached' ELSE coalesce(n.outcome, n.status) END,
            {model}, n.input_tokens, n.cached_tokens, n.output_tokens, n.cost_usd,
            CAST(n.seconds * 1000 AS INTEGER), CAST((n.started - root.started) * 1000 AS INTEGER)
        ) AS line
        FROM nodes root JOIN nodes n ON n.root_id = root.id LEFT JOIN nodes p ON p.id = n.parent_id
        WHERE root.id = ?1 ORDER BY n.seq
    )
"""
"""The library writes the JSON: three times as fast as going through the rows here."""


class Rows:
    """Reads a store.

    Args:
        path: The file, to name it in messages.
        connection: Of one thread at a time.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self._path = path
        self._connection = connection
        connection.row_factory = sqlite3.Row

    def runs(self, where: str = "1", values: tuple[object, ...] = (), limit: int | None = None) -> list[RunRow]:
        """Give questions, the newest first.

        Args:
            where: A condition over ``r`` (runs) and ``n`` (their nodes).
            values: Of its question marks.
            limit: At most so many.
        """
        found = self._connection.execute(
            f"SELECT r.notebook, r.owner, r.details, r.started AS begun, n.* FROM runs r JOIN nodes n ON n.id = r.id "
            f"WHERE {where} ORDER BY r.started DESC, n.seq DESC LIMIT ?",
            (*values, -1 if limit is None else limit),
        ).fetchall()
        return [self._run(row) for row in found]

    def run_ids(self, prefix: str, limit: int) -> list[RunId]:
        """Give the questions whose id begins so, the newest first."""
        rows = self._connection.execute(
            "SELECT id FROM runs WHERE substr(id, 1, ?) = ? ORDER BY started DESC LIMIT ?", (len(prefix), prefix, limit)
        )
        return [RunId(row[0]) for row in rows]

    def nodes(self, run_id: str) -> Iterator[Node]:
        """Give all nodes of a question, parents before their children."""
        rows = self._connection.execute(
            f"SELECT {', '.join(COLUMNS)} FROM nodes WHERE root_id = ? ORDER BY seq", (run_id,)
        )
        for row in rows:
            yield read_node(row, self.text)

    def tree(self, run_id: str) -> Tree:
        """Give a question with all its nodes.

        Raises:
            StoreError: There is no such run.
        """
        tree = Tree()
        for node in self.nodes(run_id):
            if node.parent_id is None or node.parent_id in tree:
                tree.add(node)
        if not len(tree):
            raise StoreError(f"There is no run {run_id} in {self._path}.", "rlm-kernel trace list shows them.")
        return tree

    def node(self, node_id: str) -> Node | None:
        """Give one node with its texts."""
        row = self._connection.execute(f"SELECT {', '.join(COLUMNS)} FROM nodes WHERE id = ?", (node_id,)).fetchone()
        return None if row is None else read_node(row, self.text)

    def past(self, run_id: str) -> list[Entry]:
        """Give what the state at the end of a question came of, oldest first; empty where that is not known."""
        last = self._connection.execute(
            "SELECT r.owner, json_extract(n.more, '$.entry') AS entry FROM nodes n JOIN runs r ON r.id = n.root_id "
            "WHERE n.root_id = ?1 AND n.parent_id = ?1 AND n.kind = 'turn' "
            "AND json_extract(n.more, '$.entry') IS NOT NULL ORDER BY n.seq DESC LIMIT 1",
            (run_id,),
        ).fetchone()
        if last is None:
            return []
        session = last["owner"]
        before = dict(self._connection.execute("SELECT id, after FROM cells WHERE session = ?", (session,)))
        ended = self._connection.execute(
            "SELECT id FROM cells WHERE session = ? AND after = ? AND kind = 'end'", (session, last["entry"])
        ).fetchone()
        wanted: list[str] = []
        at = ended["id"] if ended is not None else last["entry"]
        while at is not None and at in before:
            wanted.append(at)
            at = before[at]
        return [] if at is not None else [self._entry(session, each) for each in reversed(wanted)]

    def _entry(self, session: str, entry_id: str) -> Entry:
        row = self._connection.execute(
            f"SELECT {', '.join(ENTRY_COLUMNS)} FROM cells WHERE session = ? AND id = ?", (session, entry_id)
        ).fetchone()
        return read_entry(row, self.text)

    def answers(self, entries: Iterable[Entry]) -> Tree:
        """Give a tree with the questions the cells belong to, and the runs that queries of a person's cell made."""
        wanted = list(entries)
        roots = {each.node_id.partition("/")[0]: None for each in wanted if each.node_id}
        persons = json.dumps([each.id for each in wanted if each.author == "person"])
        found = self._connection.execute(
            "SELECT id FROM runs WHERE json_extract(details, '$.entry') IN (SELECT value FROM json_each(?)) "
            "ORDER BY started",
            (persons,),
        )
        tree = Tree()
        for root in [*roots, *(row[0] for row in found)]:
            for node in self.nodes(root):
                if node.parent_id is None or node.parent_id in tree:
                    tree.add(node)
        return tree

    def skeleton(self, run_id: str) -> str:
        """Give the nodes of a question without texts as JSON, small enough to be sent whole (docs/trace-format.md)."""
        found = self._connection.execute(
            "SELECT DISTINCT model FROM nodes WHERE root_id = ? AND model IS NOT NULL", (run_id,)
        )
        models = [row[0] for row in found][:MODELS]
        cases = "".join(f" WHEN ?{number + 3} THEN {number}" for number in range(len(models)))
        query = _SKELETON_ROWS.format(model=f"CASE n.model{cases} END" if models else "NULL")
        rows = self._connection.execute(query, (run_id, LABEL_CHARS, *models)).fetchone()[0]
        columns = f'"columns":{json.dumps(SKELETON)},"models":{json.dumps(models)}'
        return f'{{{columns},"rows":[{rows or ""}]}}'

    def in_flight(self, run_id: str) -> list[InFlight]:
        """Give the requests of a question that were sent and neither answered nor given up."""
        rows = self._connection.execute(
            "SELECT q.node_id, q.key, q.sent, n.label, n.model FROM requests q LEFT JOIN nodes n ON n.id = q.node_id "
            "WHERE q.ended IS NULL AND (n.root_id = ?1 OR n.id IS NULL AND q.node_id LIKE ?1 || '/%') "
            "AND NOT EXISTS (SELECT 1 FROM memo WHERE memo.key = q.key) ORDER BY q.sent",
            (run_id,),
        )
        return [
            InFlight(NodeId(row["node_id"]), row["key"].hex(), row["sent"], row["label"] or "", row["model"])
            for row in rows
        ]

    def reply(self, key: str) -> tuple[str, str] | None:
        """Give text and model of a reply in the memo; a damaged one is none."""
        row = self._connection.execute(
            "SELECT m.model, m.text, b.codec, b.size, b.data FROM memo m LEFT JOIN blobs b ON b.hash = m.text "
            "WHERE m.key = ?",
            (bytes.fromhex(key),),
        ).fetchone()
        if row is None:
            return None
        if row["text"] == b"":
            return "", row["model"]
        text = None if row["data"] is None else unpack(Blob(row["text"], row["codec"], row["size"], row["data"]))
        return None if text is None else (text, row["model"])

    def text(self, digest: bytes | None) -> str:
        """Give a text by its name; empty where there is none."""
        if digest is None:
            return ""
        row = self._connection.execute("SELECT hash, codec, size, data FROM blobs WHERE hash = ?", (digest,)).fetchone()
        text = None if row is None else unpack(Blob(*row))
        if text is None:
            raise sqlite3.DatabaseError("a text is malformed")
        return text

    def _run(self, row: sqlite3.Row) -> RunRow:
        sums = self._connection.execute(
            "SELECT count(*) AS nodes, sum(input_tokens) AS input_tokens, sum(cached_tokens) AS cached_tokens, "
            "sum(output_tokens) AS output_tokens, sum(calls) AS calls, sum(seconds) AS seconds, "
            "max(estimated) AS estimated, CASE WHEN count(cost_usd) = count(*) THEN sum(cost_usd) END AS cost_usd "
            "FROM nodes WHERE root_id = ?",
            (row["id"],),
        ).fetchone()
        return RunRow(
            id=RunId(row["id"]),
            label=row["label"],
            question=self.text(row[TEXTS[0]]),
            notebook=row["notebook"],
            model=row["model"],
            cell_id=row["cell_id"],
            status=row["status"],
            outcome=row["outcome"],
            error=row["error"],
            started=row["begun"],
            ended=row["ended"],
            nodes=sums["nodes"],
            usage=read_usage(sums),
            live=row["outcome"] is None and is_live(self._path, row["owner"]),
            details=json.loads(row["details"]),
        )
