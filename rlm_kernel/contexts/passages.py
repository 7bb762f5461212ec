"""A passage of a document, with what stands around it."""

from __future__ import annotations

from typing import TypedDict

from rlm_kernel.contexts.cited import sources_of, where

AROUND = 400
"""Characters of the document that are shown before and behind a passage, where nothing else is asked for."""
MOST_AROUND = 20_000
LONGEST_SHOWN = 20_000
"""Characters of a passage that are shown: a section may be a whole book."""


class PassageDict(TypedDict):
    """A passage with what stands around it, to be shown."""

    where: str
    before: str
    passage: str
    left_out: int
    """Characters at the end of the passage that are not given: it is too long."""
    after: str
    start: int
    end: int
    length: int
    """Characters of the whole document."""
    source: str


def passage(context: object, start: int, end: int, source: str = "", around: int = AROUND) -> PassageDict | None:
    """Give a passage of the context with its surroundings; ``None`` where there is no such place.

    Args:
        context: As in `rlm_kernel.contexts.citations.look_up`.
        start: Its first character.
        end: Behind its last one.
        source: Which of several documents.
        around: Characters that are given before and behind it, at most `MOST_AROUND`.
    """
    around = max(0, min(around, MOST_AROUND))
    for name, text in sources_of(context):
        if source and name != source:
            continue
        if not 0 <= start <= end <= len(text):
            return None
        shown = min(end, start + LONGEST_SHOWN)
        return PassageDict(
            where=where(name, text, start),
            before=str(text[max(0, start - around) : start]),
            passage=str(text[start:shown]),
            left_out=end - shown,
            after=str(text[end : end + around]),
            start=start,
            end=end,
            length=len(text),
            source=source,
        )
    return None
