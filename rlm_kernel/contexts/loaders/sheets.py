"""Spreadsheets (.xlsx): each sheet becomes a table of its own."""

from __future__ import annotations

import csv
import io
import re
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from rlm_kernel.contexts.document import Document
from rlm_kernel.contexts.join import join
from rlm_kernel.contexts.loaders.archive import Archive
from rlm_kernel.contexts.loaders.xml import attribute, local, parse, relations

if TYPE_CHECKING:
    from collections.abc import Iterator
    from xml.etree.ElementTree import Element

    from rlm_kernel.contexts.loaders.source import Source

_DATE_FORMATS = frozenset({*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59)})
"""Built-in number formats that show a date or a time."""
_NO_DATE = re.compile(r'"[^"]*"|\\.|\[[^\]]*\]')
_COLUMN = re.compile(r"[A-Z]+")
_MAX_COLUMNS = 16_384


class Sheet(NamedTuple):
    """One sheet."""

    name: str
    rows: list[list[str]]


def load(source: Source) -> Document:
    """Read a workbook: the values that were computed when it was saved, dates as ISO 8601; hidden sheets too."""
    archive = Archive(source)
    main = next((name for name in relations(source, archive, "").values() if name.endswith("workbook.xml")), "")
    main = main or "xl/workbook.xml"
    root, targets = parse(source, archive, main), relations(source, archive, main)
    values = _Values(source, archive, root)
    sheets = []
    for each in root.iter():
        target = targets.get(attribute(each, "id"), "") if local(each) == "sheet" else ""
        if "worksheet" in target:
            name = attribute(each, "name")
            source.progress.at(f"{source.name}: sheet {name}")
            sheets.append(Sheet(name, list(values.rows(parse(source, archive, target)))))
    return workbook(source, sheets, "XLSX")


def workbook(source: Source, sheets: list[Sheet], kind: str) -> Document:
    """Make a document of sheets; each is a file of kind CSV, as wide as its widest row.

    Raises:
        ContextError: All are empty.
    """
    tables = [(sheet.name, _table(sheet)) for sheet in sheets]
    filled = [(name, text) for name, text in tables if text]
    if not filled:
        raise source.error("has no text in it: its sheets are empty.", "Is it the right file?")
    empty = [name for name, text in tables if not text]
    notes = [f"Empty sheets left out: {', '.join(empty)}."] if empty else []
    parts = [(name, Document(text, source.path, "CSV")) for name, text in filled]
    return join(parts, source.path, kind, notes=notes)


def _table(sheet: Sheet) -> str:
    rows = [list(row) for row in sheet.rows]
    for row in rows:
        while row and not row[-1].strip():
            row.pop()
    while rows and not rows[-1]:
        rows.pop()
    while rows and not rows[0]:
        rows.pop(0)
    width = max(map(len, rows), default=0)
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator="\n").writerows(row + [""] * (width - len(row)) for row in rows)
    return out.getvalue().replace("\r\n", "\n").replace("\r", "\n")


class _Values:
    """Reads cells: shared texts, dates, booleans."""

    def __init__(self, source: Source, archive: Archive, root: Element) -> None:
        strings = parse(source, archive, "xl/sharedStrings.xml")
        self._strings = [_text_of(each) for each in strings if local(each) == "si"]
        self._dates = _date_styles(parse(source, archive, "xl/styles.xml"))
        in_1904 = any(attribute(each, "date1904") in ("1", "true") for each in root if local(each) == "workbookPr")
        self._epoch = datetime(1904, 1, 1) if in_1904 else datetime(1899, 12, 30)

    def rows(self, sheet: Element) -> Iterator[list[str]]:
        """Give the rows, with the empty ones between them."""
        number = 0
        for row in (each for data in sheet if local(data) == "sheetData" for each in data):
            at = attribute(row, "r")
            while at.isdigit() and number + 1 < int(at) and number < 1_048_576:
                number += 1
                yield []
            number += 1
            yield self._row(row)

    def _row(self, row: Element) -> list[str]:
        cells: list[str] = []
        for cell in row:
            found = _COLUMN.match(attribute(cell, "r"))
            column = _column(found[0]) if found else len(cells)
            if column >= _MAX_COLUMNS:
                break
            cells += [""] * (column - len(cells))
            cells.append(self._value(cell))
        return cells

    def _value(self, cell: Element) -> str:
        kind = attribute(cell, "t")
        if kind == "inlineStr":
            return _text_of(cell)
        value = next((each.text or "" for each in cell if local(each) == "v"), "")
        if kind == "s":
            return self._strings[int(value)] if value.isdigit() and int(value) < len(self._strings) else ""
        if kind == "b":
            return "TRUE" if value == "1" else "FALSE"
        if kind in ("", "n") and value and attribute(cell, "s") in self._dates:
            return self._date(value)
        return value

    def _date(self, value: str) -> str:
        try:
            when = self._epoch + timedelta(days=float(value))
        except (ValueError, OverflowError):
            return value
        # A day is kept as a number with a fraction, which is never exact to the second.
        when = (when + timedelta(microseconds=500_000)).replace(microsecond=0)
        if float(value) < 1:
            return when.strftime("%H:%M:%S")
        return when.date().isoformat() if when.time() == datetime.min.time() else when.isoformat(sep=" ")


def _text_of(element: Element) -> str:
    """Give the text of a cell or shared text; how it is to be pronounced is left out."""
    pieces = []
    for child in element:
        if local(child) == "t":
            pieces.append(child.text or "")
        elif local(child) in ("r", "is"):
            pieces.append(_text_of(child))
    return "".join(pieces)


def _column(letters: str) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - 64
    return number - 1


def _date_styles(styles: Element) -> set[str]:
    """Give the numbers of the cell styles that show a date or a time."""
    own = {
        attribute(each, "numFmtId")
        for each in styles.iter()
        if local(each) == "numFmt" and re.search(r"[dmyhs]", _NO_DATE.sub("", attribute(each, "formatCode").lower()))
    }
    found = set()
    for formats in styles:
        if local(formats) == "cellXfs":
            for number, each in enumerate(formats):
                identity = attribute(each, "numFmtId")
                if identity in own or (identity.isdigit() and int(identity) in _DATE_FORMATS):
                    found.add(str(number))
    return found
