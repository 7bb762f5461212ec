"""Looking up a reference: a page, a line, a section, or characters."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from rlm_kernel.contexts.cited import citation
from rlm_kernel.contexts.text import Text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from rlm_kernel.contexts.cited import Asked, CitationDict, CiteKind, Source

_SPACES = re.compile(r"\s+")


def look_up_reference(asked: Asked, sources: list[Source]) -> CitationDict:
    """Find the place in the documents that a reference names."""
    if asked.span is not None:
        return _characters(asked, asked.span, sources)
    return _REFERENCES[asked.kind](asked, sources)


def _named(asked: Asked, sources: list[Source]) -> Source | None:
    """Give the document that a reference means; a file of a document that has several counts too."""
    name = asked.name.strip().strip("`")
    if not name:
        return sources[0] if len(sources) == 1 else None
    for source in sources:
        if name in (source[0], source[0].rpartition("/")[2]):
            return source
    return None


def _files(text: str | Text) -> Sequence[Any]:
    marks: Sequence[Any] = getattr(text, "file_marks", ())
    return marks


def _part(asked: Asked, sources: list[Source]) -> tuple[Source, int, int] | None:
    """Give the document a reference means, and where the named file begins and ends in it."""
    name = asked.name.strip().strip("`")
    if (source := _named(asked, sources)) is not None:
        marks = _files(source[1])
        if len(marks) == 1:
            return source, int(marks[0].start), int(marks[0].end)
        return source, 0, len(source[1])
    for source in sources:
        for mark in _files(source[1]):
            if name and (mark.name == name or mark.name.endswith(f"/{name}")):
                return source, mark.start, mark.end
    return None


def _unknown(asked: Asked) -> CitationDict:
    said = f"There is no document {asked.name.strip()!r}." if asked.name else "Which of the documents is not said."
    return citation(asked, "not found", difference=said)


def _characters(asked: Asked, span: tuple[int, int], sources: list[Source]) -> CitationDict:
    """Look up a reference that names the characters too: nothing else is as exact."""
    meant = _part(asked, sources)
    if meant is None:
        return _unknown(asked)
    length = len(meant[0][1])
    if not span[0] < span[1] <= length:
        return citation(asked, "not found", difference=f"The document has {length:,} characters.")
    return citation(asked, "found", meant[0], span, several=len(sources) > 1)


def _page(asked: Asked, sources: list[Source]) -> CitationDict:
    meant = _part(asked, sources)
    if meant is None:
        return _unknown(asked)
    source, start, end = meant
    starts: Sequence[int] = getattr(source[1], "page_starts", ())
    pages = [page for page in starts if start <= page <= end]
    first, last = _numbers(asked)
    if not pages:
        return citation(asked, "not found", difference="The document has no pages.")
    if not 1 <= first <= last <= len(pages):
        return citation(asked, "not found", difference=f"The document has {len(pages):,} pages.")
    place = pages[first - 1], pages[last] if last < len(pages) else end
    return citation(asked, "found", source, place, several=len(sources) > 1)


def _line(asked: Asked, sources: list[Source]) -> CitationDict:
    meant = _part(asked, sources)
    if meant is None:
        return _unknown(asked)
    source, start, end = meant
    first, last = _numbers(asked)
    line_at = _line_finder(source[1], start, end)
    begun, behind = line_at(first), line_at(last + 1)
    if begun is None or first < 1 or last < first:
        return citation(asked, "not found", difference="The document has no such line.")
    place = begun, max(begun, (end if behind is None else behind) - 1)
    return citation(asked, "found", source, place, several=len(sources) > 1)


def _line_finder(text: str | Text, start: int, end: int) -> Callable[[int], int | None]:
    """Make the function that tells at which character a line begins; lines count from 1."""
    starts = [start]

    def line_at(number: int) -> int | None:
        if isinstance(text, Text):
            return text.line_start(number - 1)
        while len(starts) < number:
            at = text.find("\n", starts[-1], end) + 1
            if not at or at >= end:
                return None
            starts.append(at)
        return starts[number - 1] if number >= 1 else None

    return line_at


def _section(asked: Asked, sources: list[Source]) -> CitationDict:
    meant = _part(asked, sources)
    if meant is None:
        return _unknown(asked)
    source, start, end = meant
    wanted = _plain_title(asked.first)
    marks: list[Any] = [mark for mark in getattr(source[1], "section_marks", ()) if start <= mark.start <= end]
    for exactly in (True, False):
        for number, mark in enumerate(marks):
            title = _plain_title(mark.title)
            if title == wanted or (not exactly and (title.startswith(f"{wanted} ") or wanted in title)):
                behind = [after.start for after in marks[number + 1 :] if after.level <= mark.level]
                place = mark.start, behind[0] if behind else end
                return citation(asked, "found", source, place, several=len(sources) > 1)
    said = "The document has no such section." if marks else "The document has no sections."
    return citation(asked, "not found", difference=said)


def _plain_title(title: str) -> str:
    return _SPACES.sub(" ", title.strip().strip("#*_` ").lower()).rstrip(".")


def _numbers(asked: Asked) -> tuple[int, int]:
    first = as_number(asked.first)
    return first, as_number(asked.last) if asked.last else first


def as_number(written: str) -> int:
    """Read a number whose thousands may be set off."""
    return int(written.replace(",", ""))


_REFERENCES: Mapping[CiteKind, Callable[[Asked, list[Source]], CitationDict]] = {
    "page": _page,
    "line": _line,
    "section": _section,
}
