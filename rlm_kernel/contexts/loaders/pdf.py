"""The text of a PDF, with its pages."""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING

from rlm_kernel.contexts.document import Document
from rlm_kernel.contexts.loaders import pdf_titles
from rlm_kernel.contexts.loaders.hyphens import join_divided

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pypdfium2 import PdfDocument  # type: ignore[import-untyped]

    from rlm_kernel.contexts.loaders.pdf_titles import Letters
    from rlm_kernel.contexts.loaders.source import Source
    from rlm_kernel.errors import ContextError

_PASSWORD, _SECURITY = 4, 5


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
        titles, outline = pdf_titles.bookmarks(pdf), ""
        letters = None if titles else pdf_titles.Letters()
        pages = join_divided(list(_pages(pdf, source, letters)))
        starts = list(accumulate((len(page) + 2 for page in pages[:-1]), initial=0))
        if letters is not None and (titles := letters.titles()):
            outline = "It has no bookmarks: its sections are told by the size of their titles' letters"
        sections = pdf_titles.find(pdf, titles, pages, starts)
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
    return Document("\n\n".join(pages), source.path, "PDF", page_starts=starts, sections=sections, outline=outline)


def _pages(pdf: PdfDocument, source: Source, letters: Letters | None) -> Iterator[str]:
    for number in range(len(pdf)):
        yield _page_text(pdf, number, letters)
        source.progress.at(f"{source.name}: page {number + 1:,} of {len(pdf):,}")


def _page_text(pdf: PdfDocument, number: int, letters: Letters | None) -> str:
    page = pdf[number]
    text_page = page.get_textpage()
    try:
        text: str = text_page.get_text_range()
        if letters is not None:
            letters.see(number, text_page, text)
    finally:
        text_page.close()
        page.close()
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "").strip("\n")


def _unopened(source: Source, code: int | None) -> ContextError:
    if code in (_PASSWORD, _SECURITY):
        return source.error("is encrypted.", "Open it with its password, save a copy without one and load that.")
    return source.error("is a broken PDF, or none.", "Open it in a PDF viewer and save it anew.")
