"""OpenDocument: texts (.odt) and spreadsheets (.ods)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rlm_kernel.contexts.loaders.archive import Archive
from rlm_kernel.contexts.loaders.blocks import Blocks
from rlm_kernel.contexts.loaders.grid import Sheet, workbook
from rlm_kernel.contexts.loaders.xml import attribute, local, parse

if TYPE_CHECKING:
    from collections.abc import Iterator
    from xml.etree.ElementTree import Element

    from rlm_kernel.contexts.document import Document
    from rlm_kernel.contexts.loaders.source import Source

_LEFT_OUT = frozenset({"tracked-changes", "annotation", "annotation-end", "forms", "sequence-decls", "title", "desc"})
_WRAPPERS = frozenset({"section", "text-box", "frame", "index-body", "table-of-content", "alphabetical-index"})
_MAX_REPEAT = 1000
"""Most times that a cell or row with something in it is repeated."""


def load_text(source: Source) -> Document:
    """Read a text; headings are sections, notes stand at the end."""
    reader = _Reader(source)
    for body in _bodies(source, "text"):
        reader.read(body)
    return reader.finish()


def load_sheets(source: Source) -> Document:
    """Read a spreadsheet: each sheet is a file with rows."""
    sheets = []
    for body in _bodies(source, "spreadsheet"):
        for table in body:
            if local(table) == "table":
                sheets.append(Sheet(attribute(table, "name"), _rows(table)))
                source.progress.at(f"{source.name}: sheet {sheets[-1].name}")
    return workbook(source, sheets, "ODS")


def _bodies(source: Source, kind: str) -> Iterator[Element]:
    archive = Archive(source)
    if b"encryption-data" in (archive.find("META-INF/manifest.xml") or b""):
        raise source.error("is encrypted.", "Open it with its password, save a copy without one and load that.")
    for body in parse(source, archive, "content.xml"):
        if local(body) == "body":
            yield from (child for child in body if local(child) == kind)


class _Reader:
    def __init__(self, source: Source) -> None:
        self._blocks = Blocks(source)
        self._notes: list[tuple[str, str]] = []

    def read(self, parent: Element, level: int = -1) -> None:
        """Read blocks; ``level`` is that of the list they are in, -1 where they are in none."""
        for child in parent:
            name = local(child)
            if name == "h":
                outline = attribute(child, "outline-level")
                self._blocks.heading(self._text(child), int(outline) if outline.isdigit() else 1)
            elif name == "p" and level >= 0:
                self._blocks.item(self._text(child), level)
            elif name == "p":
                self._blocks.paragraph(self._text(child))
            elif name == "list":
                self.read(child, level + 1)
            elif name in ("list-item", "list-header"):
                self.read(child, level)
            elif name == "table":
                self._blocks.table([[self._cell(cell) for cell in row] for row in _table_rows(child)])
            elif name in _WRAPPERS:
                self.read(child, level)

    def finish(self) -> Document:
        self._blocks.notes(self._notes)
        return self._blocks.document("ODT")

    def _cell(self, cell: Element) -> str:
        return " ".join(self._text(each) for each in cell.iter() if local(each) in ("p", "h"))

    def _text(self, element: Element) -> str:
        return "".join(self._pieces(element))

    def _pieces(self, parent: Element) -> Iterator[str]:
        yield parent.text or ""
        for child in parent:
            name = local(child)
            if name == "s":
                count = attribute(child, "c")
                yield " " * (int(count) if count.isdigit() else 1)
            elif name == "tab":
                yield "\t"
            elif name == "line-break":
                yield "\n"
            elif name == "note":
                yield self._note(child)
            elif name not in _LEFT_OUT:
                yield from self._pieces(child)
            yield child.tail or ""

    def _note(self, note: Element) -> str:
        name = str(len(self._notes) + 1)
        self._notes.append((name, ""))
        text = " ".join(self._cell(part) for part in note if local(part) == "note-body")
        self._notes[int(name) - 1] = name, text
        return f"[^{name}]"


def _table_rows(parent: Element) -> Iterator[list[Element]]:
    """Give the rows of a table with their cells, also of those that are grouped."""
    for child in parent:
        name = local(child)
        if name == "table-row":
            yield [cell for cell in child if local(cell) in ("table-cell", "covered-table-cell")]
        elif name in ("table-header-rows", "table-rows", "table-row-group"):
            yield from _table_rows(child)


def _rows(table: Element) -> dict[int, dict[int, str]]:
    """Give the cells that hold something, by row and column; what is repeated for long is repeated for a while."""
    rows = {}
    number = 0
    for row in _table_row_elements(table):
        cells = {}
        column = 0
        for cell in row:
            if local(cell) in ("table-cell", "covered-table-cell"):
                repeated = _repeated(cell, "number-columns-repeated")
                if (value := _value(cell)).strip():
                    cells.update(dict.fromkeys(range(column, column + min(repeated, _MAX_REPEAT)), value))
                column += repeated
        repeated = _repeated(row, "number-rows-repeated")
        if cells:
            rows.update(dict.fromkeys(range(number, number + min(repeated, _MAX_REPEAT)), cells))
        number += repeated
    return rows


def _table_row_elements(parent: Element) -> Iterator[Element]:
    for child in parent:
        if local(child) == "table-row":
            yield child
        elif local(child) in ("table-header-rows", "table-rows", "table-row-group"):
            yield from _table_row_elements(child)


def _repeated(element: Element, name: str) -> int:
    count = attribute(element, name)
    return max(1, int(count)) if count.isdigit() and len(count) < 10 else 1


def _value(cell: Element) -> str:
    """Give what a cell holds: numbers and dates as they are, not as they are shown."""
    kind = attribute(cell, "value-type")
    if kind in ("float", "percentage", "currency"):
        return attribute(cell, "value")
    if kind == "date":
        return attribute(cell, "date-value")
    return "\n".join("".join(each.itertext()) for each in cell if local(each) == "p")
