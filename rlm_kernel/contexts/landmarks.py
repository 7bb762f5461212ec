"""Where the parts of a text begin, few enough for a picture of it, and by what a text is known again."""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from typing import TYPE_CHECKING, Any, Literal, TypedDict

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rlm_kernel.contexts.text import Text

MOST = 200
"""Landmarks of one kind; of more pages every so many, of more sections those of the upper levels."""
LONGEST_LABEL = 120
_SAMPLES, _SAMPLE = 64, 256


class LandmarkDict(TypedDict):
    """Where a part of a text begins."""

    start: int
    """In characters."""
    kind: Literal["file", "section", "page"]
    label: str
    """For people: ``p. 12``, ``§ Costs``, the name of a file."""


def landmarks(text: str | Text) -> list[LandmarkDict]:
    """Give the beginnings of files, sections and pages, in the order of the text; at most `MOST` of each kind."""
    found = [*_files(text), *_sections(text), *_pages(text)]
    return sorted(found, key=lambda each: each["start"])


def _files(text: str | Text) -> Iterator[LandmarkDict]:
    for mark in _thinned(_marks(text, "file_marks")):
        yield LandmarkDict(start=mark.start, kind="file", label=mark.name[:LONGEST_LABEL])


def _sections(text: str | Text) -> Iterator[LandmarkDict]:
    marks = _marks(text, "section_marks")
    levels = sorted({mark.level for mark in marks})
    while len(marks) > MOST and len(levels) > 1:
        deepest = levels.pop()
        marks = [mark for mark in marks if mark.level < deepest]
    for mark in _thinned(marks):
        yield LandmarkDict(start=mark.start, kind="section", label=f"§ {mark.title}"[:LONGEST_LABEL])


def _pages(text: str | Text) -> Iterator[LandmarkDict]:
    files = [mark.start for mark in _marks(text, "file_marks")]
    numbered: list[tuple[int, int]] = []
    for start in _marks(text, "page_starts"):
        file = bisect_right(files, start)
        # Pages are counted within their file.
        same = numbered and bisect_right(files, numbered[-1][0]) == file
        numbered.append((start, numbered[-1][1] + 1 if same else 1))
    for start, number in _thinned(numbered):
        yield LandmarkDict(start=start, kind="page", label=f"p. {number}")


def _marks(text: str | Text, name: str) -> Sequence[Any]:
    marks: Sequence[Any] = getattr(text, name, None) or ()
    return marks


def _thinned(marks: Sequence[Any]) -> Sequence[Any]:
    return marks[:: -(-len(marks) // MOST)] if marks else marks


def fingerprint(text: str | Text) -> str:
    """Give what tells a text from others: made of its length and of samples from all over it, whatever its size."""
    length = len(text)
    made = hashlib.sha256(str(length).encode())
    for number in range(_SAMPLES):
        start = max(0, length - _SAMPLE) * number // (_SAMPLES - 1)
        made.update(str(text[start : start + _SAMPLE]).encode("utf-8", "surrogatepass"))
    return made.hexdigest()[:24]
