"""Nodes, entries of histories and texts as rows of the store, and back."""

from __future__ import annotations

import json
import zlib
from dataclasses import asdict, fields, is_dataclass
from hashlib import blake2b
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from rlm_kernel.ids import CellId, NodeId, RunId
from rlm_kernel.messages import Attempt
from rlm_kernel.trace.entries import Entry
from rlm_kernel.trace.records import Node
from rlm_kernel.usage import Usage

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

COMPRESS_FROM = 1024
"""Bytes; below it compressing costs more than it saves."""
LEVEL = 1
"""Of zlib: three times as fast as the usual one, a tenth larger."""
PLAIN, ZLIB = 0, 1

TEXTS = ("prompt", "reply", "code", "output")
"""Fields of a node that stand in ``blobs``."""
USAGE = tuple(each.name for each in fields(Usage))
_PLAIN = (
    "id", "run_id", "parent_id", "kind", "label", "status", "outcome", "model", "batch", "cached", "error", "remedy",
    "started", "ended", "cell_id", "execution_count",
)  # fmt: skip
COLUMNS = (*_PLAIN, *USAGE, *TEXTS, "more")
_MORE = tuple(each.name for each in fields(Node) if each.name not in {*_PLAIN, *TEXTS, "usage"})
"""Fields of a node that have no column of their own."""
_get_plain, _get_usage, _get_texts = attrgetter(*_PLAIN), attrgetter(*USAGE), attrgetter(*TEXTS)
_MARKS = ", ".join(f"?{number}" for number in range(1, len(COLUMNS) + 1))
PUT_NODE = (
    f"INSERT INTO nodes (root_id, {', '.join(COLUMNS)}) "
    f"VALUES (coalesce((SELECT root_id FROM nodes WHERE id = ?3), ?1), {_MARKS}) "
    f"ON CONFLICT (id) DO UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in COLUMNS[1:])}"
)
"""Takes `node_row`. A node belongs to the question its parent belongs to."""
ENTRY_TEXTS = ("code", "shown", "outputs")
"""Fields of an entry that stand in ``blobs``; the outputs as JSON."""
_ENTRY_PLAIN = (
    "id", "after", "kind", "author", "cell_id", "node_id", "run_id", "count", "status", "started", "seconds",
)  # fmt: skip
ENTRY_COLUMNS = (*_ENTRY_PLAIN, "digest", *ENTRY_TEXTS)
_get_entry = attrgetter(*_ENTRY_PLAIN)
PUT_ENTRY = (
    f"INSERT INTO cells (session, {', '.join(ENTRY_COLUMNS)}) VALUES (?{', ?' * len(ENTRY_COLUMNS)}) "
    "ON CONFLICT (session, id) DO NOTHING"
)
"""Takes a session and `entry_row`. An entry never changes."""


class Blob(NamedTuple):
    """A text as it stands in ``blobs``."""

    hash: bytes
    codec: int
    size: int
    data: bytes


def text_bytes(text: str) -> bytes:
    """Give a text as bytes; halves of surrogate pairs, which models do send, survive."""
    return text.encode("utf-8", "surrogatepass")


def text_hash(data: bytes) -> bytes:
    """Give the name of a text in ``blobs``."""
    return blake2b(data, digest_size=16).digest()


def pack(data: bytes, digest: bytes) -> Blob:
    """Give the row of a text."""
    if len(data) > COMPRESS_FROM:
        small = zlib.compress(data, LEVEL)
        if len(small) < len(data):
            return Blob(digest, ZLIB, len(data), small)
    return Blob(digest, PLAIN, len(data), data)


def unpack(blob: Blob) -> str | None:
    """Give the text of a row; ``None`` where the row is damaged."""
    try:
        data = zlib.decompress(blob.data) if blob.codec == ZLIB else blob.data
        return data.decode("utf-8", "surrogatepass") if text_hash(data) == blob.hash else None
    except (zlib.error, UnicodeDecodeError, TypeError):
        return None


def node_row(node: Node, hash_of: Callable[[str], bytes | None]) -> list[object]:
    """Give a node as the values of `COLUMNS`.

    Args:
        node: The node.
        hash_of: Keeps a text and gives its name; ``None`` for an empty one.
    """
    more = {name: value for name in _MORE if (value := getattr(node, name))}
    return [
        *map(_safe, _get_plain(node)),
        *_get_usage(node.usage),
        *map(hash_of, _get_texts(node)),
        json.dumps(more, default=_as_json) if more else "{}",
    ]


def read_node(row: sqlite3.Row, text_of: Callable[[bytes | None], str]) -> Node:
    """Give the node of a row.

    Args:
        row: With all `COLUMNS`.
        text_of: Gives the text of a name.
    """
    values: dict[str, Any] = {name: row[name] for name in _PLAIN}
    values |= {name: text_of(row[name]) for name in TEXTS}
    values |= _read_more(row["more"])
    values["cached"] = bool(row["cached"])
    values["usage"] = read_usage(row)
    values["id"], values["run_id"] = NodeId(row["id"]), RunId(row["run_id"])
    values["cell_id"] = CellId(row["cell_id"]) if row["cell_id"] else None
    return Node(**values)


def entry_row(entry: Entry, hash_of: Callable[[str], bytes | None]) -> list[object]:
    """Give an entry as the values of `ENTRY_COLUMNS`.

    Args:
        entry: The entry.
        hash_of: Keeps a text and gives its name; ``None`` for an empty one.
    """
    outputs = json.dumps(entry.outputs, default=str) if entry.outputs else ""
    digest = json.dumps(dict(entry.digest))
    return [*map(_safe, _get_entry(entry)), digest, *map(hash_of, (entry.code, entry.shown, outputs))]


def read_entry(row: sqlite3.Row, text_of: Callable[[bytes | None], str]) -> Entry:
    """Give the entry of a row with all `ENTRY_COLUMNS`."""
    values: dict[str, Any] = {name: row[name] for name in _ENTRY_PLAIN}
    code, shown, outputs = (text_of(row[name]) for name in ENTRY_TEXTS)
    return Entry(
        **values, code=code, shown=shown, outputs=json.loads(outputs or "[]"), digest=json.loads(row["digest"])
    )


def read_usage(row: sqlite3.Row) -> Usage:
    """Give the usage that stands in a row."""
    values = {name: row[name] for name in USAGE}
    values["estimated"] = bool(values["estimated"])
    return Usage(**values)


def _read_more(text: str) -> dict[str, Any]:
    """Give the fields without a column that this version knows."""
    if text == "{}":
        return {}
    values = {name: value for name, value in json.loads(text).items() if name in _MORE}
    if "attempts" in values:
        values["attempts"] = tuple(Attempt(**each) for each in values["attempts"])
    return values


def _as_json(value: object) -> object:
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    raise TypeError(f"{value!r} cannot be kept in the store")


def _safe(value: object) -> object:
    """SQLite takes no halves of surrogate pairs in a text; in a label or an error a question mark does."""
    if isinstance(value, str) and not value.isascii():
        return value.encode("utf-8", "replace").decode("utf-8")
    return value
