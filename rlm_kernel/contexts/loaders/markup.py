"""HTML as text."""

from __future__ import annotations

import codecs
import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING

from rlm_kernel.contexts.document import Document
from rlm_kernel.contexts.parts import SectionMark

if TYPE_CHECKING:
    from rlm_kernel.contexts.loaders.source import Source

_STEP = 1 << 20
_SKIPPED = frozenset({"script", "style", "template", "title", "noscript", "svg", "select", "textarea"})
_BLOCKS = frozenset({
    "address", "article", "aside", "blockquote", "body", "caption", "center", "dd", "details", "dialog",
    "dir", "div", "dl", "dt", "fieldset", "figcaption", "figure", "footer", "form", "h1", "h2", "h3", "h4",
    "h5", "h6", "header", "hgroup", "hr", "li", "main", "menu", "nav", "ol", "p", "pre", "section", "summary",
    "table", "tbody", "tfoot", "thead", "tr", "ul",
})  # fmt: skip
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_PARAGRAPHS = frozenset({"p", "pre", "table", "ul", "ol", "dl", "blockquote", *_HEADINGS})
_TABLE = frozenset({"table", "tbody", "thead", "tfoot", "tr"})
_ROW_WIDTH = 2000
"""How long the line of a table row of several cells becomes at most; where it is longer, the table makes a layout."""
_CELL, _INNER = "\f", "\n"
"""In the pieces of a line: the end of a cell, and of a line within one. White space of the page is none of both."""
_INVISIBLE = re.compile("[\u00ad\u200b\ufeff]")
"""Soft hyphens, and spaces without width."""
_COMMENT_END = re.compile(r"--\s*>")
_DECLARED = re.compile(rb"<meta[^>]+charset\s*=\s*[\"']?\s*([A-Za-z0-9_:.-]+)", re.IGNORECASE)


def load(source: Source) -> Document:
    """Read a page as text; its headings are sections."""
    declared = None if source.encoding else declared_encoding(source.content)
    text, sections = html_to_text(source.text(declared=declared), source)
    if not text.strip():
        raise source.error("has no text in it.", "Is it the right file?")
    return Document(text, source.path, "HTML", sections=sections)


def html_to_text(markup: str, source: Source | None = None) -> tuple[str, list[SectionMark]]:
    """Give the text of a page: a line per block, ``#`` before headings, ``-`` before list items, `` | `` in tables.

    Scripts, styles and the page's title are left out; preformatted text keeps its lines.

    Args:
        markup: The page.
        source: Is told how far it is.

    Returns:
        The text, and the places of its headings.
    """
    reader = _Reader()
    markup = _without_open_ends(markup)
    for start in range(0, len(markup), _STEP):
        reader.feed(markup[start : start + _STEP])
        if source is not None:
            source.progress.at(f"{source.name}: {min(100, (start + _STEP) * 100 // len(markup))} %")
    reader.close()
    return reader.result()


def declared_encoding(content: bytes) -> str | None:
    """Give the encoding that a page declares in its first bytes, where Python knows it and it is not UTF-8."""
    found = _DECLARED.search(content[:4096])
    if found is None:
        return None
    try:
        encoding = codecs.lookup(found[1].decode("ascii")).name
    except LookupError:
        return None
    # A declaration that could be read as ASCII cannot be UTF-16, and UTF-8 is tried anyway.
    return None if encoding.startswith("utf") else encoding


def _without_open_ends(markup: str) -> str:
    """Make text of what begins a comment or a tag that ends nowhere: the parser would look for each one's end."""
    last = 0
    for found in _COMMENT_END.finditer(markup):
        last = found.start()
    edge = max(0, last - 3)
    markup = markup[:edge] + markup[edge:].replace("<!--", "&lt;!--")
    edge = markup.rfind(">") + 1
    return markup[:edge] + markup[edge:].replace("<", "&lt;")


class _Reader(HTMLParser):
    """Collects lines.

    A boundary of a block only notes that a break is due; the next text makes it. So empty blocks leave no empty lines,
    and a block that is all of a table cell does not break the row. Lines within the cells of a row are kept apart until
    it ends: then they are joined, unless it has one cell only or is a layout.
    """

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._lines: list[str] = []
        self._titles: dict[int, tuple[int, str]] = {}
        """Level and title of the lines that are headings."""
        self._pieces: list[str] = []
        """The current line."""
        self._folding = False  # whether lines within cells are kept apart
        self._prefix = ""
        self._heading = 0  # the level of the current line, where it is a heading
        self._due = 0  # 1: a new line, 2: an empty line before it
        self._skipped: list[str] = []
        self._preformatted = 0
        self._cells = 0  # of the current table row
        self._cell_began = (0, 0)  # how many lines, and pieces of the last one, there were before the current cell

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _SKIPPED:
            self._skipped.append(tag)
        elif tag == "br":
            self._due = min(2, self._due + 1)
        elif tag in ("td", "th"):
            self._begin_cell()
        elif tag in _BLOCKS:
            if self._folding and (tag in _HEADINGS or tag in ("pre", "table")):
                self._unfold()
            self._boundary(tag)
            if tag in _HEADINGS:
                self._prefix = "#" * _HEADINGS[tag] + " "
            elif tag == "li":
                self._prefix = "- "
            elif tag == "tr":
                self._cells = 0
            elif tag == "pre":
                self._preformatted += 1

    def handle_endtag(self, tag: str) -> None:
        if tag in self._skipped:
            del self._skipped[self._skipped.index(tag) :]
        elif tag in _BLOCKS:
            self._boundary(tag)
            if tag in _HEADINGS or tag == "li":
                self._prefix = ""
            elif tag == "tr":
                self._cells = 0
            elif tag == "pre":
                self._preformatted = max(0, self._preformatted - 1)

    def handle_data(self, data: str) -> None:
        if self._skipped:
            return
        data = _INVISIBLE.sub("", data)
        if self._preformatted:
            self._break()
            first, *more = data.replace(_CELL, " ").split("\n")
            self._pieces.append(first)
            for line in more:
                self._lines.append(self._taken_line())
                self._pieces = [line]
            return
        text = re.sub(r"\s+", " ", data)
        if text.strip():
            self._break()
        elif self._due:
            return
        if not self._pieces or self._pieces[-1].endswith((" ", _CELL, _INNER)):
            text = text.lstrip()
        if text:
            self._pieces.append(text)

    def result(self) -> tuple[str, list[SectionMark]]:
        """Give the text and its headings; what is empty at both ends, or more than one empty line, is left out."""
        self._end_row()
        self._due = 1
        self._break()
        kept: list[str] = []
        marks: list[SectionMark] = []
        position = 0
        for number, line in enumerate(self._lines):
            if not line and (not kept or not kept[-1]):
                continue
            if number in self._titles:
                marks.append(SectionMark(position, *self._titles[number]))
            kept.append(line)
            position += len(line) + 1
        return "\n".join(kept).rstrip("\n"), marks

    def _boundary(self, tag: str) -> None:
        if tag in _TABLE:
            self._end_row()
        elif self._cells and self._cell_began == (len(self._lines), len(self._pieces)):
            return  # a block at the beginning of a cell begins with it
        self._due = max(self._due, 2 if tag in _PARAGRAPHS else 1)

    def _begin_cell(self) -> None:
        if self._cells:
            self._next_cell()
        else:
            self._due = max(self._due, 1)
            self._break()
            self._folding = True
            self._cell_began = (len(self._lines), len(self._pieces))
        self._cells += 1

    def _next_cell(self) -> None:
        """Go on behind the cell before, or in a new line where that had several."""
        if len(self._lines) == self._cell_began[0]:
            self._due = 0
            self._pieces.append(_CELL)
        else:
            self._due = max(self._due, 1)
        self._cell_began = (len(self._lines), len(self._pieces))

    def _end_row(self) -> None:
        if self._folding:
            if self._cells > 1 and sum(map(len, self._pieces)) <= _ROW_WIDTH:
                self._pieces = [re.sub(r"[ \n]*\n[ \n]*", " ", "".join(self._pieces))]
                self._folding, self._due = False, 0
            else:
                self._unfold()
        self._cells = 0

    def _unfold(self) -> None:
        """Make the lines within the cells of the row lines of their own."""
        self._folding = False
        cells = "".join(self._pieces).split(_CELL)
        due, prefix = self._due, self._prefix
        self._pieces, self._due, self._prefix = [], 0, ""
        self._cell_began = (len(self._lines), 0)
        for number, cell in enumerate(cells):
            if number:
                self._next_cell()
            for place, line in enumerate(cell.strip(" \n").split(_INNER)):
                self._due = min(2, self._due + 1) if place else self._due
                if line.strip():
                    self._break()
                    self._pieces.append(line.strip(" "))
        self._due, self._prefix = max(due, self._due), prefix

    def _taken_line(self) -> str:
        """Take the current line, with `` | `` between cells."""
        line = re.sub(r" *\f *(?=\f)", " |", "".join(self._pieces))
        self._pieces = []
        return re.sub(r" *\f *", " | ", line).rstrip()

    def _break(self) -> None:
        if self._due and self._folding:
            self._pieces.append(_INNER * self._due)
        elif self._due:
            line = self._taken_line()
            if line.strip(" |"):
                if self._heading:
                    # documentation tools put a link that reads ¶ after each heading
                    line = line.rstrip(" ¶")
                    self._titles[len(self._lines)] = self._heading, line.lstrip("# ")
                self._lines.append(line)
            self._heading = 0
            if self._due == 2 and self._lines and self._lines[-1]:
                self._lines.append("")
        self._due = 0
        if self._prefix:
            self._pieces.append(self._prefix)
        self._heading = self._heading or (len(self._prefix) - 1 if self._prefix.startswith("#") else 0)
        self._prefix = ""
