"""The text of a PDF, with its pages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rlm_kernel.contexts.document import Document
from rlm_kernel.errors import ContextError

if TYPE_CHECKING:
    from pathlib import Path

    from pypdfium2 import PdfDocument  # type: ignore[import-untyped]

_PASSWORD, _SECURITY = 4, 5
_MAX_BOOKMARKS = 2000


def read_pdf(file: Path, content: bytes) -> Document:
    """Read a PDF; pages are separated by an empty line and known by their offsets.

    Raises:
        ContextError: It is encrypted or broken, or has no text (a scan).
    """
    import pypdfium2

    try:
        pdf = pypdfium2.PdfDocument(content)
    except pypdfium2.PdfiumError as error:
        raise _unopened(file.name, getattr(error, "err_code", None)) from error
    try:
        pages = [_page_text(pdf, number) for number in range(len(pdf))]
        bookmarks = _bookmarks(pdf)
    except pypdfium2.PdfiumError as error:
        raise ContextError(f"{file.name} is a broken PDF: {error}.", "Save it anew from a PDF viewer.") from error
    finally:
        pdf.close()
    if not any(page.strip() for page in pages):
        raise ContextError(
            f"{file.name} has no text on its {len(pages):,} pages: it is a scan.",
            "Recognise its text first, for instance with ocrmypdf, and load the result.",
        )
    starts, position = [], 0
    for page in pages:
        starts.append(position)
        position += len(page) + 2
    sections = tuple((starts[page], level, title) for page, level, title in bookmarks if page < len(starts))
    return Document("\n\n".join(pages), str(file), "PDF", page_starts=tuple(starts), sections=sections)


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


def _unopened(name: str, code: int | None) -> ContextError:
    if code in (_PASSWORD, _SECURITY):
        return ContextError(
            f"{name} is encrypted.", "Open it with its password, save a copy without one and load that."
        )
    return ContextError(f"{name} is a broken PDF, or none.", "Open it in a PDF viewer and save it anew.")
