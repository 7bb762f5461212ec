"""Headings of a text in Markdown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rlm_kernel.contexts.parts import SectionMark

if TYPE_CHECKING:
    from collections.abc import Iterator


def find_headings(text: str) -> Iterator[SectionMark]:
    """Find lines that begin with ``#``, outside fenced code; by ``find``, as a scan of all lines would be slow."""
    fence = _lines_with(text, "```")
    inside, next_fence = False, next(fence, -1)
    for position in _lines_with(text, "#"):
        while 0 <= next_fence < position:
            inside, next_fence = not inside, next(fence, -1)
        end = text.find("\n", position, position + 200)
        line = text[position : end if end >= 0 else position + 200]
        marks = len(line) - len(line.lstrip("#"))
        if not inside and marks <= 6 and line[marks : marks + 1] == " " and line.strip("# "):
            yield SectionMark(position, marks, line[marks:].strip(" #"))


def _lines_with(text: str, beginning: str) -> Iterator[int]:
    """Find the lines with this beginning."""
    if text.startswith(beginning):
        yield 0
    position = text.find("\n" + beginning)
    while position >= 0:
        yield position + 1
        position = text.find("\n" + beginning, position + 1)
