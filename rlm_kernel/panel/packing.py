"""Many rows in little room: for a view that comes late, and for a saved notebook."""

from __future__ import annotations

import json
import zlib
from typing import TYPE_CHECKING, cast

from rlm_kernel.panel.messages import PackedRows
from rlm_kernel.trace.records import NodeSummary
from rlm_kernel.usage import UsageDict

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rlm_kernel.ids import NodeId
    from rlm_kernel.trace.tree import Tree

KEYS = [key for key in NodeSummary.__annotations__ if key not in ("usage", "total")] + ["usage", "total"]
USAGE_KEYS = list(UsageDict.__annotations__)


ROW_CHARS = 400
"""Characters of an error, or of what a person changed, that a row carries; the detail of the node has all of it."""


def row_of(tree: Tree, node_id: NodeId) -> NodeSummary:
    """Give the row of a node as views get it, twenty times a second if need be: long texts cut."""
    row = tree.summary(node_id)
    if row["error"] is not None:
        row["error"] = row["error"][:ROW_CHARS]
    branch = row["branch"]
    changed = branch["edit"].get("text") if branch is not None else None
    if branch is not None and isinstance(changed, str) and len(changed) > ROW_CHARS:
        row["branch"] = {**branch, "edit": {**branch["edit"], "text": changed[:ROW_CHARS]}}
    return row


def pack(rows: Iterable[NodeSummary]) -> PackedRows:
    """Leave out the names, and sums that equal what the node itself spent."""
    return PackedRows(keys=KEYS, usage_keys=USAGE_KEYS, rows=[_values(cast("dict[str, object]", row)) for row in rows])


def _values(row: dict[str, object]) -> list[object]:
    values = [row[key] for key in KEYS[:-2]]
    usage, total = cast("dict[str, object]", row["usage"]), cast("dict[str, object]", row["total"])
    values.append([usage[key] for key in USAGE_KEYS])
    values.append(None if total == usage else [total[key] for key in USAGE_KEYS])
    return values


def picture(rows: Iterable[NodeSummary], now: float) -> bytes:
    """Make what a saved notebook keeps: ``{"rows": PackedRows, "now": …}`` as JSON, compressed with zlib.

    Ten thousand rows take about 200 kB.
    """
    return zlib.compress(json.dumps({"rows": pack(rows), "now": now}, separators=(",", ":")).encode(), level=6)


def unpack_picture(kept: bytes) -> tuple[PackedRows, float]:
    """Read what `picture` made."""
    told = json.loads(zlib.decompress(kept))
    return told["rows"], told["now"]
