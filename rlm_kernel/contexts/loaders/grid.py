"""The sheets of a spreadsheet as tables: what holds something is kept, and the way to a stray cell is left out."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, NamedTuple

from rlm_kernel.contexts.columns import renamed
from rlm_kernel.contexts.document import Document
from rlm_kernel.contexts.join import join

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rlm_kernel.contexts.loaders.source import Source

_GAP = 50
"""Most empty rows or columns between others that are kept."""
_ROOM = 1 << 24
"""Fields that a table may have however few of them are filled."""
_SPARSE = 100
"""Beyond that, most fields for one that is filled."""
_TOLD = 3


class Sheet(NamedTuple):
    """One sheet."""

    name: str
    rows: dict[int, dict[int, str]]
    """Texts by number of row and column, from 0 and in order of the rows; empty cells are not among them."""


def workbook(source: Source, sheets: list[Sheet], kind: str, notes: Iterable[str] = ()) -> Document:
    """Make a document of sheets; each is a file of kind CSV, as wide as its widest row.

    Args:
        source: The file.
        sheets: Its sheets.
        kind: The format.
        notes: What the reader should know of the cells.

    Raises:
        ContextError: All are empty, or the cells of one lie so far apart that it would be nearly all commas.
    """
    notes = list(notes)
    filled = [sheet for sheet in sheets if sheet.rows]
    if not filled:
        raise source.error("has no text in it: its sheets are empty.", " ".join(notes) or "Is it the right file?")
    if empty := [sheet.name for sheet in sheets if not sheet.rows]:
        notes.append(f"Empty sheets left out: {', '.join(empty)}.")
    parts = [(sheet.name, Document(_table(source, sheet, notes), source.path, "CSV")) for sheet in filled]
    return join(parts, source.path, kind, notes=notes)


def _table(source: Source, sheet: Sheet, notes: list[str]) -> str:
    first = next(iter(sheet.rows))
    rows, no_rows = _without_gaps(sheet.rows, first)
    columns, no_columns = _without_gaps(sorted({column for row in sheet.rows.values() for column in row}), 0)
    fields, filled = len(rows) * len(columns), sum(map(len, sheet.rows.values()))
    if fields > max(_ROOM, _SPARSE * filled):
        raise source.error(
            f"is nearly empty: {filled:,} filled cells of {sheet.name} would make {fields:,} fields.",
            "Delete the cells that lie far from the others, or move them to a sheet of their own.",
        )
    left_out = [
        *_told("row", [(f"{start + 1:,}", f"{end:,}", end - start) for start, end in no_rows]),
        *_told("column", [(_letters(start), _letters(end - 1), end - start) for start, end in no_columns]),
    ]
    if left_out:
        notes.append(
            f"{sheet.name}: {', '.join(left_out)} left out; the numbers of what follows are smaller here than there."
        )
    notes += [f"{sheet.name}: {note}" for note in renamed([sheet.rows[first].get(column, "") for column in columns])]
    out = io.StringIO(newline="")
    cells = (sheet.rows.get(row, {}) for row in rows)
    csv.writer(out, lineterminator="\n").writerows([row.get(column, "") for column in columns] for row in cells)
    return out.getvalue().replace("\r\n", "\n").replace("\r", "\n")


def _without_gaps(used: Iterable[int], begin: int) -> tuple[list[int], list[tuple[int, int]]]:
    """Give the places to keep from ``begin`` on, and the runs of empty ones that are too long to be."""
    kept: list[int] = []
    gaps = []
    for place in used:
        if place - begin > _GAP:
            gaps.append((begin, place))
        else:
            kept += range(begin, place)
        kept.append(place)
        begin = place + 1
    return kept, gaps


def _told(what: str, gaps: list[tuple[str, str, int]]) -> list[str]:
    if not gaps:
        return []
    where = ", ".join(f"{first} to {last}" for first, last, _ in gaps[:_TOLD])
    more = f" and {len(gaps) - _TOLD:,} more places" if len(gaps) > _TOLD else ""
    return [f"{sum(count for *_, count in gaps):,} empty {what}s ({where}{more})"]


def _letters(column: int) -> str:
    """Give a column's name, which is A for 0."""
    letters = ""
    while column >= 0:
        column, letter = divmod(column, 26)
        letters = chr(65 + letter) + letters
        column -= 1
    return letters
