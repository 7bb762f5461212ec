"""Large texts in pieces that know where they stand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from rlm_kernel.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Self

    from rlm_kernel.contexts.text import Text

Unit = Literal["section", "page", "line"]


class Chunk(str):
    """A piece of a text: a ``str`` that knows its place.

    Attributes:
        start: Offset of its first character in the whole.
        end: Offset behind its last one.
    """

    start: int
    end: int

    def __new__(cls, text: str, start: int) -> Self:
        """Make a piece of its text and its place."""
        self = super().__new__(cls, text)
        self.start, self.end = start, start + len(text)
        return self

    def __reduce__(self) -> tuple[object, tuple[str, int]]:
        """Pickle text and place."""
        return Chunk, (str(self), self.start)


def chunks(text: str | Text, size: int, overlap: int = 0, by: Unit | None = None) -> Iterator[Chunk]:
    """Give a text in pieces that together are all of it.

    Args:
        text: The text.
        size: Most characters of a piece.
        overlap: Characters that a piece repeats of the one before, at most.
        by: Where a piece may end: at the end of a ``section``, ``page`` or ``line``. One that is larger than ``size``
            is divided at lines, and a line at any character. ``None``: anywhere.

    Raises:
        InputError: The size is not above the overlap, or the text has no such parts.
    """
    if size < 1 or not 0 <= overlap < size:
        raise InputError(f"Pieces of {size} with an overlap of {overlap} cannot be made.", "Give size > overlap >= 0.")
    if by not in (None, "section", "page", "line"):
        raise InputError(f"Pieces cannot end by {by!r}.", "Use by='section', 'page' or 'line'.")
    edges = iter(_edges(text, by))
    return _cut(text, size, overlap, edges, at_lines=by is not None)


def _edges(text: str | Text, by: Unit | None) -> list[int]:
    """Give the offsets at which the parts begin, the first one's left out."""
    if by in (None, "line"):
        return []
    starts = [part.start for part in getattr(text, f"{by}s", ()) or () if getattr(part, "start", None) is not None]
    if by == "page" and not starts:
        starts = list(getattr(text, "page_starts", ()))
    if not starts:
        paged = by == "section" and bool(getattr(text, "page_starts", ()))
        raise InputError(
            f"This text has no {by}s.", "Use by='page', by='line', or none." if paged else "Use by='line', or none."
        )
    return [start for start in starts if start > 0]


def _cut(text: str | Text, size: int, overlap: int, edges: Iterator[int], *, at_lines: bool) -> Iterator[Chunk]:
    start, length = 0, len(text)
    edge = next(edges, length)
    while start < length:
        end = min(start + size, length)
        last = start
        while edge <= end and edge < length:
            last, edge = edge, next(edges, length)
        if last > start and end < length:
            end = last
        elif at_lines and end < length and (cut := text.rfind("\n", start, end)) >= start:
            end = cut + 1
        yield Chunk(text[start:end], start)
        if end >= length:
            return
        back = max(start + 1, end - overlap) if overlap else end
        if overlap and at_lines and (line := text.find("\n", back, end)) >= 0:
            back = line + 1
        start = back
