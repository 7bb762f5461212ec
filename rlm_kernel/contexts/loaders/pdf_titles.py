"""The sections of a PDF: its bookmarks, or where it has none, the lines in larger or bolder letters."""

from __future__ import annotations

import ctypes
import math
import re
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

from rlm_kernel.contexts.loaders.hyphens import DIVIDED
from rlm_kernel.contexts.parts import SectionMark

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pypdfium2 import PdfDocument, PdfTextPage  # type: ignore[import-untyped]

_XYZ = 1
"""A bookmark that leads to a place on its page, not to the page."""
_NUMBER = r"(?:(?i:chapter|appendix|part|section)\s+)?(?:\d[\d.]*|[A-Z](?:\.\d+)*|[IVXLC]+)[.:)]?[ \t]+"
"""What may stand before a title that a bookmark leaves out."""
_MAX_TITLES = 2000
_LEVELS = 6
_LARGER = 1.12
"""How much larger than the text a title's letters are."""
_LONGEST = 200
_LEADERS = re.compile(r"(?:\.\s?){4,}")
"""What the lines of a table of contents have."""
_NUMBERED = re.compile(
    r"(?:(?i:chapter|appendix|part|section)\s|\d[\d.]*[:)]?\s|[A-Z](?:\.\d+)+[.:)]?\s|[A-Z]+[.:)]\s)\s*\S"
)
"""How a title with a number begins."""
_BOLD = re.compile(r"bold|black|heavy|demi", re.IGNORECASE)
_MOST = 0.25
"""Where more than this part of a text is large, size does not tell titles: slides, posters."""
_RUNNING = 3
"""A line at the same height of so many pages is their running head."""


class Title(NamedTuple):
    """A title that stands on a page, or should."""

    page: int
    level: int
    """From 1."""
    text: str
    height: float | None
    """How far above the page's bottom it begins, in points."""


class _Line(NamedTuple):
    page: int
    text: str
    size: float
    """Height of its letters, in points: rounded to a half."""
    bold: bool
    top: float


def bookmarks(pdf: PdfDocument) -> list[Title]:
    """Give the bookmarks that lead to a page."""
    found: list[Title] = []
    for bookmark in pdf.get_toc(max_depth=4):
        target = bookmark.get_dest()
        page = target.get_index() if target is not None else None
        title = bookmark.get_title().strip()
        if page is not None and page < len(pdf) and title:
            mode, place = target.get_view()
            height = place[1] if mode == _XYZ and len(place) > 1 else None
            found.append(Title(page, bookmark.level + 1, title, height))
        if len(found) >= _MAX_TITLES:
            break
    return found


class Letters:
    """Looks at the letters of each line, and tells the titles by them.

    A title's letters are larger than those of the text; or they are bold, where those of the text are not, and the line
    begins with a number. Running heads and tables of contents are none. Sizes, from the largest, make the levels.
    """

    def __init__(self) -> None:
        self._lines: list[_Line] = []

    def see(self, page: int, text_page: PdfTextPage, text: str) -> None:
        """Look at a page, of which ``text`` is the text as PDFium gives it."""
        at = 0
        for line in text.split("\r\n"):
            letters = [index for index, char in enumerate(line) if char.isalnum()]
            # A large first letter does not make a title, nor does one large word.
            ends = [_place(text_page, at + _units(line[:index])) for index in (letters[:1] + letters[1:][-1:])]
            if len(ends) > 1 and -1 not in ends and any(char.isalpha() for char in line):
                size = min(_size(text_page, index) for index in ends)
                bold = len(line) <= _LONGEST and all(_is_bold(text_page, index) for index in ends)
                self._lines.append(_Line(page, line.strip(), size, bold, text_page.get_charbox(ends[0], loose=True)[3]))
            at += _units(line) + 2

    def titles(self) -> list[Title]:
        """Give the titles in reading order; none where letters do not tell them."""
        letters: Counter[tuple[float, bool]] = Counter()
        for line in self._lines:
            letters[line.size, line.bold] += len(line.text)
        if not letters:
            return []
        body, bold = letters.most_common(1)[0][0]
        places = Counter((line.text, line.top) for line in self._lines)
        chosen = [
            line
            for line in self._lines
            if (line.size >= body * _LARGER or (line.bold and not bold and _is_numbered(line, body)))
            and len(line.text) <= _LONGEST
            and not _LEADERS.search(line.text)
            and places[line.text, line.top] < _RUNNING
        ]
        if sum(len(line.text) for line in chosen) > _MOST * letters.total():
            return []
        sizes = sorted({line.size for line in chosen}, reverse=True)
        return [
            Title(line.page, min(sizes.index(line.size) + 1, _LEVELS), line.text, line.top) for line in _joined(chosen)
        ][:_MAX_TITLES]


def _units(text: str) -> int:
    """Count as PDFium counts, in UTF-16."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le")) // 2


def _place(text_page: PdfTextPage, at: int) -> int:
    """Give which of the page's characters stands at this place of its text, which leaves some out."""
    import pypdfium2.raw as pdfium  # type: ignore[import-untyped]

    index: int = pdfium.FPDFText_GetCharIndexFromTextIndex(text_page, at)
    return index


def _size(text_page: PdfTextPage, index: int) -> float:
    """Give the size of a letter as it stands on the page, in points, rounded to a half."""
    import pypdfium2.raw as pdfium

    matrix = pdfium.FS_MATRIX()
    pdfium.FPDFText_GetMatrix(text_page, index, matrix)
    size: float = pdfium.FPDFText_GetFontSize(text_page, index)
    return round(2 * size * math.hypot(matrix.b, matrix.d)) / 2


def _is_bold(text_page: PdfTextPage, index: int) -> bool:
    import pypdfium2.raw as pdfium

    name, flags = ctypes.create_string_buffer(100), ctypes.c_int()
    pdfium.FPDFText_GetFontInfo(text_page, index, name, len(name), flags)
    return bool(_BOLD.search(name.value.decode("utf-8", "replace")))


def _is_numbered(line: _Line, body: float) -> bool:
    return line.size >= body * 0.95 and len(line.text) < _LONGEST / 2 and bool(_NUMBERED.match(line.text))


def _joined(lines: list[_Line]) -> Iterator[_Line]:
    """Make one of the lines of a title that goes over several."""
    whole: _Line | None = None
    last = 0.0
    for line in lines:
        if (
            whole is not None
            and (line.page, line.size, line.bold) == (whole.page, whole.size, whole.bold)
            and 0 < last - line.top < 2 * line.size
            and not _NUMBERED.match(line.text)
        ):
            whole = whole._replace(text=f"{whole.text} {line.text}")
        else:
            if whole is not None:
                yield whole
            whole = line
        last = line.top
    if whole is not None:
        yield whole


def find(pdf: PdfDocument, titles: list[Title], pages: list[str], starts: list[int]) -> list[SectionMark]:
    """Find titles on their pages; one that does not stand there is where the one before it ends.

    Titles come in reading order, so several of one page are looked for one after the other.
    """
    marks: list[SectionMark] = []
    last_page, position = -1, 0
    for title in titles:
        position = position if title.page == last_page else 0
        last_page = title.page
        page = pages[title.page]
        words = r"\s+".join(map(re.escape, title.text.split())).replace(DIVIDED, "-?")
        pattern = re.compile(rf"^[ \t]*(?:{_NUMBER})?(?i:{words})", re.MULTILINE)
        found = list(pattern.finditer(page)) or list(re.finditer(words, page))
        if len(found) > 1 and title.height is not None:
            found = _nearest(pdf, title, pattern, found)
        begins, ends = next((each.span() for each in found if each.start() >= position), (position, position))
        text = " ".join(page[begins:ends].split()) if DIVIDED in title.text else title.text
        marks.append(SectionMark(starts[title.page] + begins, title.level, text or title.text))
        position = ends
    return sorted(marks, key=lambda mark: mark.start)


def _nearest(
    pdf: PdfDocument, title: Title, pattern: re.Pattern[str], found: list[re.Match[str]]
) -> list[re.Match[str]]:
    """Choose the place that stands at the height to which the title leads: it is in the contents as well."""
    page = pdf[title.page]
    text_page = page.get_textpage()
    try:
        raw = [each.end() - 1 for each in pattern.finditer(text_page.get_text_range().replace("\r\n", " \n"))]
        if len(raw) != len(found):
            return found
        tops: list[Any] = [text_page.get_charbox(index)[3] for index in raw]
    finally:
        text_page.close()
        page.close()
    height = title.height or 0
    return [min(zip(tops, found, strict=True), key=lambda each: abs(each[0] - height))[1]]
