"""The text of a PDF, with its pages."""

from __future__ import annotations

import re
from itertools import accumulate
from typing import TYPE_CHECKING

from rlm_kernel.contexts.document import Document
from rlm_kernel.contexts.parts import SectionMark

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pypdfium2 import PdfDocument  # type: ignore[import-untyped]

    from rlm_kernel.contexts.loaders.source import Source
    from rlm_kernel.errors import ContextError

_PASSWORD, _SECURITY = 4, 5
_MAX_BOOKMARKS = 2000


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
        pages = list(_pages(pdf, source))
        bookmarks = _bookmarks(pdf)
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
    starts = list(accumulate((len(page) + 2 for page in pages[:-1]), initial=0))
    text = "\n\n".join(pages)
    return Document(text, source.path, "PDF", page_starts=starts, sections=_sections(bookmarks, pages, starts))


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
    # PDFium writes U+FFFE for a hyphen at the end of a line that divides a word.
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text.replace("\ufffe\n", "").replace("\ufffe", "").replace("\0", "").strip("\n")


def _bookmarks(pdf: PdfDocument) -> list[tuple[int, int, str]]:
    """Give page, level (from 1) and title of each bookmark that leads to a page."""
    found: list[tuple[int, int, str]] = []
    for bookmark in pdf.get_toc(max_depth=4):
        target = bookmark.get_dest()
        page = target.get_index() if target is not None else None
        title = bookmark.get_title().strip()
        if page is not None and title:
            found.append((page, bookmark.level + 1, title))
        if len(found) >= _MAX_BOOKMARKS:
            break
    return found


def _sections(bookmarks: list[tuple[int, int, str]], pages: list[str], starts: list[int]) -> list[SectionMark]:
    """Find the bookmarks' titles on their pages; one that does not stand there is at the beginning of its page.

    Bookmarks come in reading order, so several of one page are looked for one after the other.
    """
    marks: list[SectionMark] = []
    last_page, position = -1, 0
    for page, level, title in bookmarks:
        if page >= len(pages):
            continue
        position = position if page == last_page else 0
        last_page = page
        pattern = r"\s+".join(map(re.escape, title.split()))
        at_line_start = re.compile(
            rf"^[ \t]*(?:(?:chapter|appendix|part)?\s*[\dA-Z.]+[.:)]?\s+)?{pattern}", re.I | re.M
        )
        found = at_line_start.search(pages[page], position) or re.compile(pattern).search(pages[page], position)
        marks.append(SectionMark(starts[page] + (found.start() if found else position), level, title))
        position = found.end() if found else position
    return sorted(marks, key=lambda mark: mark.start)


def _unopened(source: Source, code: int | None) -> ContextError:
    if code in (_PASSWORD, _SECURITY):
        return source.error("is encrypted.", "Open it with its password, save a copy without one and load that.")
    return source.error("is a broken PDF, or none.", "Open it in a PDF viewer and save it anew.")
