"""Looking up a reference: a page, a line, a section, or characters."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from rlm_kernel.contexts.cited import citation
from rlm_kernel.contexts.text import Text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from rlm_kernel.contexts.cited import Asked, CitationDict, CiteKind, Source

    Part = tuple[Source, int, int]
    """A document, and where what is meant of it begins and ends."""
    Place = tuple[int, int]

_SPACES = re.compile(r"\s+")


def look_up_reference(asked: Asked, sources: list[Source]) -> CitationDict:
    """Find the place in the documents that a reference names."""
    part = _part(asked, sources)
    if part is None:
        said = f"There is no document {asked.name.strip()!r}." if asked.name else "Which of the documents is not said."
        return citation(asked, "not found", difference=said)
    # The characters, where they are named too, are more exact than anything else.
    place = _characters(asked.span, part) if asked.span is not None else _PLACES[asked.kind](asked, part)
    for first, last in asked.more:
        other = _PLACES[asked.kind](replace(asked, first=first, last=last), part)
        place = other if isinstance(other, str) else place
    if isinstance(place, str):
        return citation(asked, "not found", difference=place)
    return citation(asked, "found", part[0], place, several=len(sources) > 1)


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


def _part(asked: Asked, sources: list[Source]) -> Part | None:
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


def _characters(span: tuple[int, int], part: Part) -> Place | str:
    length = len(part[0][1])
    return span if span[0] < span[1] <= length else f"The document has {length:,} characters."


def _page(asked: Asked, part: Part) -> Place | str:
    source, start, end = part
    starts: Sequence[int] = getattr(source[1], "page_starts", ())
    pages = [page for page in starts if start <= page <= end]
    first, last = _numbers(asked)
    if not pages:
        return "The document has no pages."
    if not 1 <= first <= last <= len(pages):
        return f"The document has {len(pages):,} pages."
    return pages[first - 1], pages[last] if last < len(pages) else end


def _line(asked: Asked, part: Part) -> Place | str:
    source, start, end = part
    first, last = _numbers(asked)
    line_at = _line_finder(source[1], start, end)
    begun, behind = line_at(first), line_at(last + 1)
    if begun is None or first < 1 or last < first:
        return "The document has no such line."
    return begun, max(begun, (end if behind is None else behind) - 1)


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


def _section(asked: Asked, part: Part) -> Place | str:
    source, start, end = part
    wanted = _plain_title(asked.first)
    marks: list[Any] = [mark for mark in getattr(source[1], "section_marks", ()) if start <= mark.start <= end]
    titles = [_plain_title(mark.title) for mark in marks]
    # The same title, else its beginning, else words within; 2 is neither in 1.2 nor in 20.
    exact = re.escape(wanted)
    for pattern in (rf"{exact}\Z", rf"{exact}(?![\w.])|{exact}\.(?!\w)", rf".*(?<![\w.]){exact}(?!\w|\.\w)"):
        number = next((number for number, title in enumerate(titles) if wanted and re.match(pattern, title)), None)
        if number is not None:
            behind = [after.start for after in marks[number + 1 :] if after.level <= marks[number].level]
            return marks[number].start, behind[0] if behind else end
    return "The document has no such section." if marks else "The document has no sections."


def _plain_title(title: str) -> str:
    return _SPACES.sub(" ", title.strip().strip("#*_` ").lower()).rstrip(".")


def _numbers(asked: Asked) -> tuple[int, int]:
    first = as_number(asked.first)
    return first, as_number(asked.last) if asked.last else first


def as_number(written: str) -> int:
    """Read a number whose thousands may be set off; what no document has so many of is as good as any such number."""
    return int(written.replace(",", "")[:18])


_PLACES: Mapping[CiteKind, Callable[[Asked, Part], Place | str]] = {
    "page": _page,
    "line": _line,
    "section": _section,
}
