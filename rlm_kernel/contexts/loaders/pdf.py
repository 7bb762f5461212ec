"""The text of a PDF, with its pages."""

from __future__ import annotations

import re
from itertools import accumulate
from typing import TYPE_CHECKING, NamedTuple

from rlm_kernel.contexts.document import Document
from rlm_kernel.contexts.loaders.hyphens import join_divided
from rlm_kernel.contexts.parts import SectionMark

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pypdfium2 import PdfDocument  # type: ignore[import-untyped]

    from rlm_kernel.contexts.loaders.source import Source
    from rlm_kernel.errors import ContextError

_PASSWORD, _SECURITY = 4, 5
_XYZ = 1
"""A bookmark that leads to a place on its page, not to the page."""
_NUMBER = r"(?:(?i:chapter|appendix|part|section)\s+)?(?:\d[\d.]*|[A-Z](?:\.\d+)*|[IVXLC]+)[.:)]?\s+"
"""What may stand before a title that a bookmark leaves out."""
_MAX_BOOKMARKS = 2000


class _Bookmark(NamedTuple):
    page: int
    level: int
    """From 1."""
    title: str
    height: float | None
    """How far above the page's bottom it leads, in points."""


def load(source: Source) -> Document:
    """Read a PDF; pages are separated by an empty line and known by their offsets.

    Raises:
        ContextError: It is encrypted or broken, or has no text (a scan).
    """
    import pypdfium2

    try:
        pdf = pypdfium2.PdfDocument(source.content)
    except pypdfium2.PdfiumError as error:
        raise _unopened(source, getattr(error, "err_code", None)) from error
    try:
        pages = join_divided(list(_pages(pdf, source)))
        starts = list(accumulate((len(page) + 2 for page in pages[:-1]), initial=0))
        sections = _sections(pdf, _bookmarks(pdf), pages, starts)
    except pypdfium2.PdfiumError as error:
        raise source.error(f"is a broken PDF: {error}.", "Save it anew from a PDF viewer.") from error
    finally:
        pdf.close()
    if not any(page.strip() for page in pages):
        count = f"{len(pages):,} page{'s' if len(pages) != 1 else ''}"
        raise source.error(
            f"has no text on its {count}: it is a scan.",
            "Recognise its text first, for instance with ocrmypdf, and load the result.",
        )
    return Document("\n\n".join(pages), source.path, "PDF", page_starts=starts, sections=sections)


def _pages(pdf: PdfDocument, source: Source) -> Iterator[str]:
    for number in range(len(pdf)):
        yield _page_text(pdf, number)
        source.progress.at(f"{source.name}: page {number + 1:,} of {len(pdf):,}")


def _page_text(pdf: PdfDocument, number: int) -> str:
    page = pdf[number]
    text_page = page.get_textpage()
    try:
        text: str = text_page.get_text_range()
    finally:
        text_page.close()
        page.close()
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "").strip("\n")


def _bookmarks(pdf: PdfDocument) -> list[_Bookmark]:
    """Give the bookmarks that lead to a page."""
    found: list[_Bookmark] = []
    for bookmark in pdf.get_toc(max_depth=4):
        target = bookmark.get_dest()
        page = target.get_index() if target is not None else None
        title = bookmark.get_title().strip()
        if page is not None and page < len(pdf) and title:
            mode, place = target.get_view()
            height = place[1] if mode == _XYZ and len(place) > 1 else None
            found.append(_Bookmark(page, bookmark.level + 1, title, height))
        if len(found) >= _MAX_BOOKMARKS:
            break
    return found


def _sections(pdf: PdfDocument, bookmarks: list[_Bookmark], pages: list[str], starts: list[int]) -> list[SectionMark]:
    """Find the bookmarks' titles on their pages; one that does not stand there is where the one before it ends.

    Bookmarks come in reading order, so several of one page are looked for one after the other.
    """
    marks: list[SectionMark] = []
    last_page, position = -1, 0
    for bookmark in bookmarks:
        position = position if bookmark.page == last_page else 0
        last_page = bookmark.page
        page = pages[bookmark.page]
        title = r"\s+".join(map(re.escape, bookmark.title.split()))
        pattern = re.compile(rf"^[ \t]*(?:{_NUMBER})?(?i:{title})", re.MULTILINE)
        found = list(pattern.finditer(page)) or list(re.finditer(title, page))
        if len(found) > 1 and bookmark.height is not None:
            found = _nearest(pdf, bookmark, pattern, found)
        begins, ends = next((each.span() for each in found if each.start() >= position), (position, position))
        marks.append(SectionMark(starts[bookmark.page] + begins, bookmark.level, bookmark.title))
        position = ends
    return sorted(marks, key=lambda mark: mark.start)


def _nearest(
    pdf: PdfDocument, bookmark: _Bookmark, pattern: re.Pattern[str], found: list[re.Match[str]]
) -> list[re.Match[str]]:
    """Choose the place that stands at the height to which the bookmark leads: a title is in the contents as well."""
    page = pdf[bookmark.page]
    text_page = page.get_textpage()
    try:
        raw = [each.end() - 1 for each in pattern.finditer(text_page.get_text_range().replace("\r\n", " \n"))]
        if len(raw) != len(found):
            return found
        tops = [text_page.get_charbox(index)[3] for index in raw]
    finally:
        text_page.close()
        page.close()
    height = bookmark.height or 0
    return [min(zip(tops, found, strict=True), key=lambda each: abs(each[0] - height))[1]]


def _unopened(source: Source, code: int | None) -> ContextError:
    if code in (_PASSWORD, _SECURITY):
        return source.error("is encrypted.", "Open it with its password, save a copy without one and load that.")
    return source.error("is a broken PDF, or none.", "Open it in a PDF viewer and save it anew.")
