"""CSV, TSV, JSON and JSON lines. They are checked as a whole, so that a broken one is told of now, not in some cell."""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING

from rlm_kernel.contexts.columns import renamed, separator_line
from rlm_kernel.contexts.document import Document, allow_long_fields, lines, read_json

if TYPE_CHECKING:
    from rlm_kernel.contexts.loaders.source import Source

AS_TEXT = 'or load it as it is, with kind="text"'
_EVERY = 50_000


def load_table(source: Source) -> Document:
    """Read CSV or TSV; its rows have as many fields as its first line."""
    text = source.text()
    header = _check_rows(source, text, Document(text, kind=source.kind).delimiter)
    return Document(text, source.path, source.kind, notes=renamed(header))


def _check_rows(source: Source, text: str, delimiter: str) -> list[str]:
    """Check that the rows have a field for each column, and give the columns' names."""
    allow_long_fields()
    start = separator_line(text)[1]
    before = 1 if start else 0
    reader = csv.reader(lines(text, start), delimiter=delimiter, strict=True)
    begins = 1 + before
    try:
        header = next(reader, [])
        expected = len(header)
        begins = reader.line_num + 1 + before
        for number, row in enumerate(reader):
            if row and len(row) != expected:
                raise source.error(
                    f"has ragged rows: line {begins:,} has {_fields(len(row))}, the first line {expected}.",
                    f"Mend it, {AS_TEXT}.",
                )
            begins = reader.line_num + 1 + before
            if number % _EVERY == 0:
                source.progress.at(f"{source.name}: row {number:,}")
    except csv.Error as error:
        raise source.error(
            f"is not valid {source.kind}: {error}, in the row that begins at line {begins:,}.", f"Mend it, {AS_TEXT}."
        ) from error
    return header


def _fields(count: int) -> str:
    return f"{count} field{'s' if count != 1 else ''}"


def load_json(source: Source) -> Document:
    """Read JSON, and say what it is made of."""
    text = source.text()
    try:
        data = read_json(text)
    except json.JSONDecodeError as error:
        remedy = f"Mend line {error.lineno:,} and load it again, {AS_TEXT}."
        if error.msg == "Extra data":
            remedy = "If each line is one JSON value, name the file .jsonl."
        raise source.error(f"is not valid JSON: {error.msg}, line {error.lineno:,}.", remedy) from error
    except RecursionError as error:
        raise source.error("is nested too deeply to be read as JSON.", 'Load it as it is, with kind="text".') from error
    return Document(text, source.path, source.kind, outline=outline_json(data))


def load_json_lines(source: Source) -> Document:
    """Read JSON lines: each line is a value."""
    text = source.text()
    for number, line in enumerate(lines(text), 1):
        try:
            if line.strip():
                read_json(line)
        except (ValueError, RecursionError) as error:
            what = f"{error.msg}, column {error.colno:,}" if isinstance(error, json.JSONDecodeError) else str(error)
            raise source.error(
                f"has a broken line: line {number:,} is not valid JSON ({what}).", f"Mend it, {AS_TEXT}."
            ) from error
        if number % _EVERY == 0:
            source.progress.at(f"{source.name}: line {number:,}")
    return Document(text, source.path, source.kind)


def outline_json(data: object) -> str:
    """Say in one line what a JSON value is made of."""
    if isinstance(data, dict):
        return f"JSON object, {len(data):,} keys: {_names(data)}"
    if not isinstance(data, list):
        return f"JSON {type(data).__name__}"
    inner = f", each with the keys {_names(data[0])}" if data and isinstance(data[0], dict) else ""
    return f"JSON list of {len(data):,}{inner}"


def _names(record: dict[str, object]) -> str:
    names = [str(name)[:40] for name in list(record)[:12]]
    return ", ".join(names) + (" …" if len(record) > len(names) else "")
