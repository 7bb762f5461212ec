"""Headings of a text in Markdown."""

from __future__ import annotations

import re
from heapq import merge
from itertools import repeat
from typing import TYPE_CHECKING

from rlm_kernel.contexts.parts import SectionMark

if TYPE_CHECKING:
    from collections.abc import Iterator

_FRONT_MATTER = re.compile(r"---[ \t]*\n(?![ \t]*\n)(.{0,20000}?)\n(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL)
_YAML_KEY = re.compile(r"^[\w\"'][^\n:]*:(?:\s|\Z)", re.MULTILINE)
_UNDERLINE = re.compile(r"(?:=+|-+)[ \t]*")
_NO_TITLE = re.compile(r"[\s#<>|:]|```|~~~|[-*+](?:\s|\Z)|\d+[.)]\s|\[[^\]]*\]:")
"""Indented code, headings, HTML, quotes, tables, fences, lists, addresses of links."""
_FENCE = re.compile(r"[ \t]*(?:(?:[-*+]|\d{1,9}[.)])[ \t]+)?(`{3,}(?!.*`)|~{3,})(.*)")
"""A line that begins or ends fenced code, in a list too; behind backticks that begin it stand no others."""
_WIDTH = 200


def find_headings(text: str, *, underlined: bool = False) -> Iterator[SectionMark]:
    """Find lines that begin with ``#``, outside fenced code, comments and front matter.

    It looks by ``find``, as a scan of all lines would be slow.

    Args:
        text: The text.
        underlined: Whether a line above ``===`` or ``---`` is a heading too; in what is not surely Markdown, such a
            line may be anything.
    """
    beginnings = ("#", "<!--", *(("==", "---") if underlined else ()))
    found = [zip(_lines_with(text, each), repeat(each)) for each in beginnings]
    found += [zip(_fences(text, each), repeat(each)) for each in ("```", "~~~")]
    after, fence, closed = _end_of_front_matter(text), "", True
    for position, beginning in merge(*found):
        if position < after:
            continue
        if beginning in ("```", "~~~"):
            fence = _fence_after(fence, _line(text, position))
        elif beginning == "<!--":
            # Without an end it is none, and neither is any behind it.
            if closed and not fence:
                end = text.find("-->", position)
                after, closed = max(after, end), end >= 0
        elif not fence and (mark := (_marked if beginning == "#" else _underlined)(text, position)):
            yield mark


def _end_of_front_matter(text: str) -> int:
    """Tell where the YAML ends that a text begins with; 0 where that is a rule, or there is none."""
    found = _FRONT_MATTER.match(text)
    return found.end() if found and _YAML_KEY.search(found[1]) else 0


def _marked(text: str, position: int) -> SectionMark | None:
    line = _line(text, position)
    marks = len(line) - len(line.lstrip("#"))
    if marks <= 6 and line[marks : marks + 1] == " " and line.strip("# "):
        return SectionMark(position, marks, line[marks:].strip(" #"))
    return None


def _underlined(text: str, position: int) -> SectionMark | None:
    """Give the heading above a line of ``===`` or ``---``: one line that is a paragraph of its own."""
    if not position or not _UNDERLINE.fullmatch(_line(text, position)):
        return None
    start = text.rfind("\n", max(0, position - _WIDTH), position - 1) + 1
    title = text[start : position - 1].strip() if start or position <= _WIDTH else ""
    if not title or _NO_TITLE.match(text, start) or "|" in title or not title.strip("=-*_ "):
        return None
    above = text[max(0, text.rfind("\n", 0, max(0, start - 1))) : start].strip()
    if above.strip("=-*_ ") and not above.startswith(("#", "```", "~~~")) and not above.endswith("-->"):
        return None
    if above == "---" and _YAML_KEY.match(title):
        return None  # what a slide has between rules before it
    return SectionMark(start, 1 if text[position] == "=" else 2, title)


def _fence_after(fence: str, line: str) -> str:
    """Give the fence that is open behind a line, of the one that is open before it; an empty one is none."""
    found = _FENCE.match(line)
    if found is None:
        return fence
    marks, rest = found.groups()
    if not fence:
        return marks
    return "" if line.lstrip().startswith(fence) and not rest.strip() else fence


def _line(text: str, position: int) -> str:
    end = text.find("\n", position, position + _WIDTH)
    return text[position : end if end >= 0 else position + _WIDTH]


def _lines_with(text: str, beginning: str) -> Iterator[int]:
    """Find the lines with this beginning."""
    if text.startswith(beginning):
        yield 0
    position = text.find("\n" + beginning)
    while position >= 0:
        yield position + 1
        position = text.find("\n" + beginning, position + 1)


def _fences(text: str, marks: str) -> Iterator[int]:
    """Find the lines in which these marks may begin or end fenced code: nothing but a list's mark stands before."""
    position = text.find(marks)
    while position >= 0:
        before = max(0, position - _WIDTH)
        start = text.rfind("\n", before, position) + 1 or before
        if (not start or text[start - 1] == "\n") and _FENCE.match(text, start):
            yield start
        end = text.find("\n", position)
        position = text.find(marks, end) if end >= 0 else -1
