"""The tables of the store, their version, and how a file of it is opened.

The format is described in docs/trace-format.md; whoever changes a table adds a step to `STEPS` and a line there.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from rlm_kernel.errors import StoreError
from rlm_kernel.trace.place import is_local

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

APPLICATION_ID = 0x524C4D31
"""Says in the file's header whose it is (``RLM1``)."""
WAL_FROM = (3, 51, 3)
"""Earlier SQLite libraries can, rarely, damage a WAL file that several processes write."""
PAGE = 8192
"""Of a new file; two or three compressed prompts fit into it, where one page of the usual 4,096 takes one and gaps."""
CACHE_KIB = 16 * 1024
"""Enough for a commit: one that outgrows it locks readers out before its end."""
ELSEWHERE = "Set RLM_STORE to a file on a local disk, or RLM_STORE=off to do without."
BUSY_SECONDS = 10.0
"""How long one process waits for another that writes."""

_VERSION_1 = (
    # With rows by number, not by hash: most texts then fit into a page with others (half the size of the file).
    """CREATE TABLE blobs (
        hash BLOB NOT NULL UNIQUE,
        codec INTEGER NOT NULL,
        size INTEGER NOT NULL,
        data BLOB NOT NULL
    )""",
    """CREATE TABLE runs (
        id TEXT PRIMARY KEY,
        notebook TEXT NOT NULL,
        started REAL NOT NULL
    ) WITHOUT ROWID""",
    """CREATE TABLE nodes (
        seq INTEGER PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        root_id TEXT NOT NULL,
        run_id TEXT NOT NULL,
        parent_id TEXT,
        kind TEXT NOT NULL,
        label TEXT NOT NULL,
        status TEXT NOT NULL,
        outcome TEXT,
        model TEXT,
        batch TEXT,
        cached INTEGER NOT NULL,
        error TEXT,
        remedy TEXT NOT NULL,
        started REAL,
        ended REAL,
        cell_id TEXT,
        execution_count INTEGER,
        input_tokens INTEGER NOT NULL,
        cached_tokens INTEGER NOT NULL,
        output_tokens INTEGER NOT NULL,
        calls INTEGER NOT NULL,
        cost_usd REAL,
        seconds REAL NOT NULL,
        estimated INTEGER NOT NULL,
        prompt BLOB,
        reply BLOB,
        code BLOB,
        output BLOB
    )""",
    "CREATE INDEX nodes_of_root ON nodes (root_id, seq)",
    """CREATE TABLE memo (
        key BLOB PRIMARY KEY,
        model TEXT NOT NULL,
        text BLOB NOT NULL,
        usage TEXT NOT NULL,
        kept REAL NOT NULL,
        used REAL NOT NULL
    ) WITHOUT ROWID""",
    """CREATE TABLE requests (
        node_id TEXT NOT NULL,
        key BLOB NOT NULL,
        sent REAL NOT NULL,
        ended REAL,
        PRIMARY KEY (node_id, key)
    ) WITHOUT ROWID""",
)
_VERSION_2 = (
    "ALTER TABLE runs ADD COLUMN owner TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE runs ADD COLUMN details TEXT NOT NULL DEFAULT '{}'",
    "ALTER TABLE nodes ADD COLUMN more TEXT NOT NULL DEFAULT '{}'",
)
_VERSION_3 = (
    """CREATE TABLE cells (
        seq INTEGER PRIMARY KEY,
        session TEXT NOT NULL,
        id TEXT NOT NULL,
        after TEXT,
        kind TEXT NOT NULL,
        author TEXT NOT NULL,
        code BLOB,
        cell_id TEXT,
        node_id TEXT,
        run_id TEXT,
        count INTEGER,
        status TEXT NOT NULL,
        shown BLOB,
        outputs BLOB,
        digest TEXT NOT NULL,
        started REAL NOT NULL,
        seconds REAL NOT NULL,
        UNIQUE (session, id)
    )""",
)
STEPS: tuple[tuple[str, ...], ...] = (_VERSION_1, _VERSION_2, _VERSION_3)
"""Step n brings a file from version n to version n + 1; the first makes an empty file a store."""
VERSION = len(STEPS)


def connect(path: Path, *, create: bool = True) -> sqlite3.Connection:
    """Open the file of a store, make it if there is none, and bring it to this version.

    Args:
        path: The file.
        create: Whether to make it (and its folder) where there is none.

    Raises:
        StoreError: It cannot be used; what stands in it is untouched.
    """
    _check_file(path)
    try:
        if create:
            _make_private(path)
        # SQLite would open it to read, without a word.
        if path.exists() and not os.access(path, os.W_OK):
            raise StoreError(f"The store {path} cannot be written.", ELSEWHERE)
        connection = _connect(path)
        try:
            _prepare(connection, path)
        except BaseException:
            connection.close()
            raise
    except (OSError, sqlite3.Error) as problem:
        raise explain(problem, path) from problem
    return connection


def _check_file(path: Path) -> None:
    if path.is_dir():
        raise StoreError(f"The store {path} cannot be used: it is a folder.", ELSEWHERE)


def connect_existing(path: Path) -> sqlite3.Connection:
    """Open a store that is there to look at it; where it lies on a read-only disk, only to read it.

    Writing is tried first, because a process that was killed may have left a commit half done, to be rolled back.

    Raises:
        StoreError: It cannot be read, or is of another version.
    """
    _check_file(path)
    with suppress(StoreError):
        return connect(path, create=False)
    try:
        connection = _connect(path, "ro")
        try:
            if _version(connection, path) != VERSION:
                raise StoreError(f"The store {path} is of an earlier format.", "Open it once where it can be written.")
        except BaseException:
            connection.close()
            raise
    except (OSError, sqlite3.Error) as problem:
        raise explain(problem, path) from problem
    return connection


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Do several changes as one, waiting for other writers before the first."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def explain(problem: Exception, path: Path) -> StoreError:
    """Say in words for a person what is wrong with a store."""
    text = str(problem)
    if isinstance(problem, OSError):
        return StoreError(f"The store {path} cannot be used: {problem.strerror or text}.", ELSEWHERE)
    if "disk is full" in text:
        return StoreError(
            f"The disk is full; the store {path} takes nothing more.", "Make room, or rlm-kernel trace prune."
        )
    if "not a database" in text or "malformed" in text:
        remedy = "rlm-kernel trace check --set-aside renames it, and a new one is begun."
        return StoreError(f"The store {path} is damaged or is no store.", remedy)
    if "locked" in text or "busy" in text:
        return StoreError(f"The store {path} is held by another process.", ELSEWHERE)
    if "readonly" in text or "unable to open" in text:
        return StoreError(f"The store {path} cannot be written.", ELSEWHERE)
    return StoreError(f"The store {path} cannot be used: {text}.", ELSEWHERE)


def _make_private(path: Path) -> None:
    """Make the file with rights for the user only: it holds texts of documents."""
    if path.exists():
        return
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except FileExistsError as problem:
        raise NotADirectoryError(problem.errno, "there is a file where its folder should be") from problem
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except FileExistsError:
        return  # another process was quicker


def _connect(path: Path, mode: str = "rw") -> sqlite3.Connection:
    # One thread at a time uses a connection, but not always the one that made it.
    address = f"{path.absolute().as_uri()}?mode={mode}"
    return sqlite3.connect(address, uri=True, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    version = _version(connection, path)
    connection.execute(f"PRAGMA page_size = {PAGE}")
    _choose_journal(connection, path)
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
    if version == VERSION:
        return
    with transaction(connection):
        # Another process may have done it while this one waited.
        for step in STEPS[_version(connection, path) :]:
            for statement in step:
                connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {VERSION}")


def _version(connection: sqlite3.Connection, path: Path) -> int:
    """Give the version of a file; 0 for an empty one.

    Raises:
        StoreError: It is a newer one, or of another program.
    """
    alone = not connection.in_transaction
    if alone:  # so that all three are of the same moment: another process may be making the store
        connection.execute("BEGIN")
    try:
        version = int(connection.execute("PRAGMA user_version").fetchone()[0])
        owner = int(connection.execute("PRAGMA application_id").fetchone()[0])
        tables = int(connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0])
    finally:
        if alone:
            connection.execute("COMMIT")
    if owner != APPLICATION_ID and (tables or version):
        raise StoreError(f"{path} is a database of another program.", "Set RLM_STORE to another file.")
    if version > VERSION:
        raise StoreError(
            f"The store {path} was written by a newer rlm-kernel (format {version}; this one knows {VERSION}).",
            "Update rlm-kernel, or set RLM_STORE to another file.",
        )
    return version


def _choose_journal(connection: sqlite3.Connection, path: Path) -> None:
    mode = "WAL" if sqlite3.sqlite_version_info >= WAL_FROM and is_local(path.parent) else "TRUNCATE"
    current = str(connection.execute("PRAGMA journal_mode").fetchone()[0])
    if current.upper() == mode:
        return
    try:
        connection.execute(f"PRAGMA journal_mode = {mode}")
    except sqlite3.OperationalError as problem:
        # Others are at work in the present mode: it is as safe for us as for them.
        if "locked" not in str(problem):
            raise
