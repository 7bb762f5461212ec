"""What a citation is, and where it can lead."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypedDict

from rlm_kernel.contexts.text import Text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Found = Literal["found", "differs", "not found"]
CiteKind = Literal["quotation", "page", "line", "section"]
Source = tuple[str, str | Text]
"""A document, with its name."""


class CitationDict(TypedDict):
    """One quotation or reference of an answer, looked up."""

    kind: CiteKind
    text: str
    """As the answer has it."""
    start: int
    """Where it stands in the answer, in characters, its marks included."""
    end: int
    status: Found
    place: list[int]
    """Start and end of the passage in the document, in characters; empty where there is none."""
    source: str
    """Which of several documents; empty where there is one."""
    where: str
    """The place for people: ``report.pdf, p. 12``."""
    passage: str
    """What stands there; empty where there is nothing."""
    difference: str
    """What is different, or why it was not found, in words; empty where it was found as it stands."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A quotation or reference, as the answer has it."""

    kind: CiteKind
    text: str
    start: int
    end: int
    name: str = ""
    first: str = ""
    last: str = ""
    more: tuple[tuple[str, str], ...] = ()
    """First and last of what else a reference names: ``[p. 3, 5-6]``."""
    span: tuple[int, int] | None = None
    """Characters of the document, where the reference has them."""


def sources_of(context: object, name: str = "") -> Iterator[Source]:
    """Give the texts of a context, each with its name."""
    if isinstance(context, str | Text):
        yield name or str(getattr(context, "name", "")), context
    elif isinstance(context, list | tuple | dict):
        for each, value in named(context):
            yield from sources_of(value, each)


def named(context: list[object] | tuple[object, ...] | dict[object, object]) -> Iterator[tuple[str, object]]:
    """Give the items of a context, each with what it is called."""
    if isinstance(context, dict):
        yield from ((str(key), value) for key, value in context.items())
    else:
        yield from ((str(getattr(value, "name", "")) or f"[{number}]", value) for number, value in enumerate(context))


def citation(
    asked: Asked,
    status: Found,
    source: Source | None = None,
    place: tuple[int, int] | None = None,
    difference: str = "",
    *,
    several: bool = False,
) -> CitationDict:
    """Say what became of a quotation or reference.

    Args:
        asked: What the answer has.
        status: Whether it is there.
        source: Where.
        place: Start and end of the passage in it.
        difference: What is different, or why there is none.
        several: Whether there are several documents.
    """
    text = source[1] if source else ""
    at = ""
    if source and place:
        at = where(*source, place[0])
        if several and source[0] and source[0] not in at:
            at = f"{source[0]}: {at}"
    return CitationDict(
        kind=asked.kind,
        text=asked.text,
        start=asked.start,
        end=asked.end,
        status=status,
        place=list(place) if place else [],
        source=source[0] if source and several else "",
        where=at,
        passage=str(text[place[0] : place[1]])[:4000] if place else "",
        difference=difference,
    )


def where(name: str, text: str | Text, offset: int) -> str:
    """Say for people where a character stands."""
    at: Callable[[int], str] | None = getattr(text, "at", None)
    return at(offset) if at else f"{name + ', ' if name else ''}line {text.count(chr(10), 0, offset) + 1:,}"
