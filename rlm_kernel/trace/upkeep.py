"""Looks after the file of a store: is it sound, what can go, and what to do with a damaged one."""

from __future__ import annotations

import json
import sqlite3
import time
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rlm_kernel.errors import StoreError
from rlm_kernel.trace.codec import ENTRY_TEXTS, TEXTS, Blob, unpack
from rlm_kernel.trace.rows import Rows
from rlm_kernel.trace.schema import connect, connect_existing, explain, transaction
from rlm_kernel.trace.spool import is_live, live_folder
from rlm_kernel.trace.writer import absorb
from rlm_kernel.usage import count

if TYPE_CHECKING:
    from pathlib import Path

DAY = 86_400.0
PARTS = ("", "-journal", "-wal", "-shm")
"""The file, and what SQLite may have beside it."""


@dataclass(frozen=True, slots=True)
class Pruned:
    """What went out of a store."""

    runs: int
    replies: int
    bytes: int
    """By how much the file is smaller; 0 while a kernel uses it: then the room is for what comes next."""


def open_rows(path: Path) -> tuple[Rows, sqlite3.Connection]:
    """Open a store that is there, to read it; on a read-only disk too.

    Raises:
        StoreError: It cannot be read.
    """
    connection = connect_existing(path)
    with suppress(sqlite3.OperationalError):  # without it, only what a killed process had not committed is missing
        absorb(path, connection)
    return Rows(path, connection), connection


def prune(path: Path, older_than: float | None = None, keep: int | None = None) -> Pruned:
    """Delete questions with all their nodes, then the cells, replies and texts that nothing left needs.

    A question that a live process works on stays. A reply in the memo goes when it was last used before the oldest
    question that stays was asked.

    Args:
        path: The store.
        older_than: Days; questions asked earlier go.
        keep: So many of the newest stay; the others go.

    Raises:
        StoreError: It cannot be used, or the disk is too full to rearrange it.
    """
    before = path.stat().st_size
    with closing(connect(path, create=False)) as connection:
        try:
            absorb(path, connection)
            with transaction(connection):
                gone = _choose(connection, path, older_than, keep)
                connection.execute("CREATE TEMP TABLE gone (id TEXT PRIMARY KEY)")
                connection.executemany("INSERT INTO gone VALUES (?)", [(each,) for each in gone])
                replies = _delete(
                    connection, [each.stem for each in live_folder(path).glob("*.0") if is_live(path, each.stem)]
                )
            if not _is_used(path):  # it holds up everybody for seconds
                with suppress(sqlite3.OperationalError):  # another process reads, or the disk has no room for a copy
                    connection.execute("VACUUM")
        except sqlite3.Error as problem:
            raise explain(problem, path) from problem
    return Pruned(len(gone), replies, max(0, before - path.stat().st_size))


def damages(path: Path) -> list[str]:
    """Look through a whole store; gives what is wrong, nothing where it is sound.

    Raises:
        StoreError: It cannot be looked at, for another reason than damage.
    """
    try:
        with closing(connect_existing(path)) as connection:
            found = [str(row[0]) for row in connection.execute("PRAGMA integrity_check(20)")]
            found = [] if found == ["ok"] else found
            bad = sum(
                unpack(Blob(*row)) is None for row in connection.execute("SELECT hash, codec, size, data FROM blobs")
            )
            return [*found, f"{count(bad, 'text')} cannot be read"] if bad else found
    except sqlite3.DatabaseError as problem:
        return [str(problem)]
    except StoreError as problem:
        if isinstance(problem.__cause__, sqlite3.DatabaseError) and "damaged" in problem.message:
            return [str(problem.__cause__)]
        raise


def set_aside(path: Path) -> Path:
    """Rename a damaged store, so that a new one is begun; gives its new name. Nothing is deleted.

    Raises:
        StoreError: A process that lives uses it.
    """
    if _is_used(path):
        raise StoreError(f"A kernel uses the store {path}.", "Shut it down first.")
    name = time.strftime(f"{path.name}.damaged-%Y%m%d-%H%M%S")
    for part in PARTS:
        old = path.with_name(path.name + part)
        if old.exists():
            old.rename(path.with_name(name + part))
    return path.with_name(name)


def _is_used(path: Path) -> bool:
    """Tell whether a process that lives has the store open to write."""
    return any(is_live(path, each.stem) for each in live_folder(path).glob("*.0"))


def _choose(connection: sqlite3.Connection, path: Path, older_than: float | None, keep: int | None) -> list[str]:
    runs = connection.execute(
        "SELECT r.id, r.started, r.owner, n.outcome FROM runs r LEFT JOIN nodes n ON n.id = r.id "
        "ORDER BY r.started DESC, n.seq DESC"
    ).fetchall()
    cutoff = None if older_than is None else time.time() - older_than * DAY
    return [
        run_id
        for place, (run_id, started, owner, outcome) in enumerate(runs)
        if ((cutoff is not None and started < cutoff) or (keep is not None and place >= keep))
        and (outcome is not None or not is_live(path, owner))
    ]


_GONE_CELLS = """
    WITH RECURSIVE kept (session, id) AS (
        SELECT c.session, c.id FROM cells c
        WHERE (c.session IN (SELECT owner FROM runs) OR c.session IN (SELECT value FROM json_each(?)))
        AND (c.run_id IS NULL OR c.run_id NOT IN (SELECT id FROM gone))
        UNION
        SELECT c.session, c.after FROM kept k JOIN cells c ON c.session = k.session AND c.id = k.id
        WHERE c.after IS NOT NULL
    )
    DELETE FROM cells WHERE (session, id) NOT IN kept
"""
"""Of a session that has a question left, or lives, everything stays that does not belong to a question that goes, and
what led to it."""


def _delete(connection: sqlite3.Connection, live: list[str]) -> int:
    """Delete the questions in the table ``gone`` and what only they needed; gives how many replies went.

    Args:
        connection: In a transaction.
        live: Sessions of processes that live.
    """
    connection.execute(
        "DELETE FROM requests WHERE node_id IN (SELECT id FROM nodes WHERE root_id IN (SELECT id FROM gone))"
    )
    connection.execute("DELETE FROM nodes WHERE root_id IN (SELECT id FROM gone)")
    connection.execute("DELETE FROM runs WHERE id IN (SELECT id FROM gone)")
    connection.execute(_GONE_CELLS, (json.dumps(live),))
    replies = 0
    if connection.execute("SELECT 1 FROM gone").fetchone():
        oldest = connection.execute("SELECT min(started) FROM runs").fetchone()[0]
        replies = connection.execute("DELETE FROM memo WHERE used < ?", (oldest or time.time(),)).rowcount
    places = [*(("nodes", name) for name in TEXTS), *(("cells", name) for name in ENTRY_TEXTS)]
    needed = " UNION ALL ".join(f"SELECT {name} FROM {table} WHERE {name} IS NOT NULL" for table, name in places)
    connection.execute(f"DELETE FROM blobs WHERE hash NOT IN (SELECT text FROM memo UNION ALL {needed})")
    return replies
