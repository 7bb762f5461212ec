"""Spreadsheets (.xlsx): each sheet becomes a table of its own."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from rlm_kernel.contexts.loaders.archive import Archive
from rlm_kernel.contexts.loaders.grid import Sheet, workbook
from rlm_kernel.contexts.loaders.xml import attribute, local, parse, relations
from rlm_kernel.usage import count

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

    from rlm_kernel.contexts.document import Document
    from rlm_kernel.contexts.loaders.source import Source

_DATE_FORMATS = frozenset({*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59)})
"""Built-in number formats that show a date or a time."""
_DATE = re.compile(r"[dmyhs]")
_ELAPSED = re.compile(r"\[(h+|m+|s+)\]")
"""Hours, minutes or seconds that go on where a day ends."""
_ELAPSED_FORMAT = 46
_LITERAL = re.compile(r'"[^"]*"|\\.|_.|\*.|\[(?!(?:h+|m+|s+)\])[^\]]*\]')
"""What stands for itself in a number format: quoted, a space as wide as a character, a fill, a colour or language."""
_COLUMN = re.compile(r"[A-Z]+")
_ROW = re.compile(r"[0-9]{1,7}")
_MAX_COLUMNS = 16_384


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
            sheets.append(Sheet(name, values.rows(parse(source, archive, target))))
    notes = []
    if values.uncomputed:
        notes.append(
            f"{count(values.uncomputed, 'formula')} without a stored value left empty: open the workbook in a "
            "spreadsheet program and save it once, which computes them."
        )
    return workbook(source, sheets, "XLSX", notes)


class _Values:
    """Reads cells: shared texts, dates, booleans."""

    def __init__(self, source: Source, archive: Archive, root: Element) -> None:
        strings = parse(source, archive, "xl/sharedStrings.xml")
        self._strings = [_text_of(each) for each in strings if local(each) == "si"]
        self._times = _time_styles(parse(source, archive, "xl/styles.xml"))
        in_1904 = any(attribute(each, "date1904") in ("1", "true") for each in root if local(each) == "workbookPr")
        self._epoch = datetime(1904, 1, 1) if in_1904 else datetime(1899, 12, 30)
        self.uncomputed = 0
        """How many formulas have no value."""

    def rows(self, sheet: Element) -> dict[int, dict[int, str]]:
        """Give the cells that hold something, by row and column."""
        rows = {}
        number = -1
        for row in (each for data in sheet if local(data) == "sheetData" for each in data):
            at = attribute(row, "r")
            number = max(number + 1, int(at) - 1 if _ROW.fullmatch(at) else 0)
            if cells := self._row(row):
                rows[number] = cells
        return rows

    def _row(self, row: Element) -> dict[int, str]:
        cells = {}
        column = -1
        for cell in row:
            found = _COLUMN.match(attribute(cell, "r"))
            column = _column(found[0]) if found else column + 1
            if column >= _MAX_COLUMNS:
                break
            if (value := self._value(cell)).strip():
                cells[column] = value
        return cells

    def _value(self, cell: Element) -> str:
        kind = attribute(cell, "t")
        if kind == "inlineStr":
            return _text_of(cell)
        value = next((each.text or "" for each in cell if local(each) == "v"), "")
        if not value and kind != "str" and any(local(each) == "f" for each in cell):
            self.uncomputed += 1
        if kind == "s":
            return self._strings[int(value)] if value.isdigit() and int(value) < len(self._strings) else ""
        if kind == "b":
            return "TRUE" if value == "1" else "FALSE"
        if kind in ("", "n") and value and (style := attribute(cell, "s")) in self._times:
            return _duration(value) if self._times[style] == "duration" else self._date(value)
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


def _duration(value: str) -> str:
    try:
        seconds = round(float(value) * 86_400)
    except (ValueError, OverflowError):
        return value
    minutes, second = divmod(abs(seconds), 60)
    return f"{'-' if seconds < 0 else ''}{minutes // 60:02}:{minutes % 60:02}:{second:02}"


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


def _time_styles(styles: Element) -> dict[str, str]:
    """Give the numbers of the cell styles that show a date or a time, or a duration."""
    kinds = {str(number): "date" for number in _DATE_FORMATS} | {str(_ELAPSED_FORMAT): "duration"}
    for each in styles.iter():
        if local(each) == "numFmt":
            code = _LITERAL.sub("", attribute(each, "formatCode").lower())
            kinds[attribute(each, "numFmtId")] = (
                "duration" if _ELAPSED.search(code) else "date" if _DATE.search(code) else ""
            )
    found = {}
    for formats in styles:
        if local(formats) == "cellXfs":
            for number, each in enumerate(formats):
                if kind := kinds.get(attribute(each, "numFmtId")):
                    found[str(number)] = kind
    return found
