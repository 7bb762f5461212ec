"""Word documents (.docx)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from rlm_kernel.contexts.loaders.archive import Archive
from rlm_kernel.contexts.loaders.blocks import Blocks
from rlm_kernel.contexts.loaders.xml import attribute, local, parse, relations

if TYPE_CHECKING:
    from collections.abc import Iterator
    from xml.etree.ElementTree import Element

    from rlm_kernel.contexts.document import Document
    from rlm_kernel.contexts.loaders.source import Source

_HEADING = re.compile(r"heading (\d)", re.IGNORECASE)
_CHARACTERS = {"tab": "\t", "br": "\n", "cr": "\n", "noBreakHyphen": "-"}
_LEFT_OUT = frozenset(
    {"del", "moveFrom", "Fallback", "pPr", "rPr", "instrText", "delText", "footnoteRef", "endnoteRef"}
)
"""Deleted text, the second form of a drawing, properties."""


def load(source: Source) -> Document:
    """Read a Word document: text as it stands after all changes are accepted; headings are sections."""
    archive = Archive(source)
    main = next((name for name in relations(source, archive, "").values() if name.endswith("document.xml")), "")
    root = parse(source, archive, main or "word/document.xml")
    reader = _Reader(source, archive)
    body = next((child for child in root if local(child) == "body"), root)
    reader.read(body)
    return reader.finish()


class _Reader:
    def __init__(self, source: Source, archive: Archive) -> None:
        self._blocks = Blocks(source)
        self._levels = _heading_levels(parse(source, archive, "word/styles.xml"))
        self._notes = {
            f"{kind}Reference": {attribute(note, "id"): note for note in parse(source, archive, f"word/{kind}s.xml")}
            for kind in ("footnote", "endnote")
        }
        self._cited: list[tuple[str, str]] = []

    def read(self, parent: Element) -> None:
        """Read the blocks of a body, and of what wraps them."""
        for child in parent:
            name = local(child)
            if name == "p":
                self._paragraph(child)
            elif name == "tbl":
                self._blocks.table([[self._cell(cell) for cell in _cells(row)] for row in _rows(child)])
            elif name not in _LEFT_OUT:
                self.read(child)

    def finish(self) -> Document:
        self._blocks.notes(self._cited)
        return self._blocks.document("DOCX")

    def _paragraph(self, paragraph: Element) -> None:
        text = self._text(paragraph)
        style, outline, listed = _properties(paragraph)
        level = outline or self._levels.get(style, 0)
        if level:
            self._blocks.heading(text, level)
        elif listed is not None:
            self._blocks.item(text, listed)
        else:
            self._blocks.paragraph(text)
        for box in _boxes(paragraph):
            self.read(box)

    def _cell(self, cell: Element) -> str:
        return " ".join(self._text(each) for each in cell.iter() if local(each) == "p")

    def _text(self, element: Element) -> str:
        return "".join(self._pieces(element))

    def _pieces(self, parent: Element) -> Iterator[str]:
        for child in parent:
            name = local(child)
            if name == "t":
                yield child.text or ""
            elif name in _CHARACTERS:
                yield _CHARACTERS[name]
            elif name in self._notes:
                yield self._note(self._notes[name].get(attribute(child, "id")))
            elif name not in _LEFT_OUT and name not in ("txbxContent", "tabs"):
                yield from self._pieces(child)

    def _note(self, note: Element | None) -> str:
        if note is None:
            return ""
        name = str(len(self._cited) + 1)
        self._cited.append((name, ""))  # its number is taken before a note in the note takes one
        text = " ".join(self._text(each) for each in note.iter() if local(each) == "p")
        self._cited[int(name) - 1] = name, text
        return f"[^{name}]"


def _heading_levels(styles: Element) -> dict[str, int]:
    """Give the level of each style that is one of a heading, also where it is based on another that is."""
    levels, based = {}, {}
    for style in styles:
        if local(style) != "style":
            continue
        identity = attribute(style, "styleId")
        for each in style.iter():
            kind, value = local(each), attribute(each, "val")
            if kind == "name" and (found := _HEADING.fullmatch(value)):
                levels[identity] = int(found[1])
            elif kind == "name" and value.lower() == "title":
                levels[identity] = 1
            elif kind == "outlineLvl" and value.isdigit() and int(value) < 9:
                levels.setdefault(identity, int(value) + 1)
            elif kind == "basedOn":
                based[identity] = value
    for identity in based:
        parent, steps = based[identity], 0
        while parent not in levels and parent in based and steps < len(based):
            parent, steps = based[parent], steps + 1
        if parent in levels:
            levels.setdefault(identity, levels[parent])
    return levels


def _properties(paragraph: Element) -> tuple[str, int, int | None]:
    """Give a paragraph's style, its own outline level (0: none) and its level in a list (``None``: in none)."""
    style, outline, listed = "", 0, None
    for properties in paragraph:
        if local(properties) != "pPr":
            continue
        for each in properties.iter():
            kind, value = local(each), attribute(each, "val")
            if kind == "pStyle":
                style = value
            elif kind == "outlineLvl" and value.isdigit() and int(value) < 9:
                outline = int(value) + 1
            elif kind == "ilvl":
                listed = int(value) if value.isdigit() else 0
            elif kind == "numId" and value == "0":
                listed = None
        break
    return style, outline, listed


def _boxes(paragraph: Element) -> Iterator[Element]:
    """Find text boxes; a drawing has each twice, for old and new programs."""
    for child in paragraph:
        name = local(child)
        if name == "txbxContent":
            yield child
        elif name not in _LEFT_OUT:
            yield from _boxes(child)


def _rows(table: Element) -> Iterator[Element]:
    for child in table:
        if local(child) == "tr":
            yield child
        elif local(child) in ("sdt", "sdtContent", "ins", "customXml"):
            yield from _rows(child)


def _cells(row: Element) -> Iterator[Element]:
    for child in row:
        if local(child) == "tc":
            yield child
        elif local(child) in ("sdt", "sdtContent", "customXml"):
            yield from _cells(child)
