"""Which parts of a context stand in a text that was shown to a model: found by their words, however they got there."""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from rlm_kernel.contexts.text import Text

SHORTEST = 48
"""Characters that must stand together to count as a part of the context."""
BLOCK = 24
"""Characters of a block of the index, of a small context: a part of twice its length has a whole one."""
BLOCKS = 200_000
"""Blocks of an index at most; those of a large context are longer."""
LARGEST_BLOCK = 2_048
COPIES = 4
"""Places that a block may have: what stands in more is boilerplate, and says little of where a text came from."""
STEP = 1 << 12
_HEX = "[0-9a-fA-F]"
_ESCAPE = re.compile(
    rf"\\u[dD][89abAB]{_HEX}{{2}}\\u[dD][c-fC-F]{_HEX}{{2}}|\\(?:[nrt\"'\\]|x{_HEX}{{2}}|u{_HEX}{{4}}|U{_HEX}{{8}})"
)
_LETTERS = {"n": "\n", "r": "\r", "t": "\t"}


class Cover:
    """Finds the parts of a context in other texts.

    The context is divided into blocks, whose hashes are kept; a text is looked through for any of them, at every
    character, and what is found is extended to both sides as far as it agrees. So slices, joins and f-strings are seen,
    and what was rewritten is not.

    Args:
        context: What was loaded.
    """

    def __init__(self, context: str | Text) -> None:
        self._context = context
        length = len(context)
        self.block = max(BLOCK, min(LARGEST_BLOCK, length // BLOCKS + 1))
        self._places: dict[int, list[int]] = {}
        stride = max(self.block, length // BLOCKS)
        step = 1 << 20
        for start in range(0, length, step):
            piece = str(context[start : start + step])
            first = -start % stride
            for at in range(first, len(piece) - self.block + 1, stride):
                places = self._places.setdefault(hash(piece[at : at + self.block]), [])
                if len(places) <= COPIES:
                    places.append(start + at)

    def spans(self, text: str) -> list[tuple[int, int]]:
        """Give the parts of the context that stand in a text, in the order of the context, without overlaps."""
        found: list[tuple[int, int]] = []
        if _ESCAPE.search(text):  # it went through ``json.dumps`` or ``repr``
            plain, original = _plain(text)
            rest: list[str] = []
            at = 0
            for start, end, behind in self._found(plain):
                found.append((start, end))
                rest += (text[at : original(behind - (end - start))], "\0")
                at = original(behind)
            text = (
                "".join(rest) + text[at:]
            )  # what stands there by itself: the pieces of the others may stand in many places
        return merged([*found, *((start, end) for start, end, _ in self._found(text))])

    def _found(self, text: str) -> list[tuple[int, int, int]]:
        """Give where parts of the context begin and end in it, and where each ends in the text."""
        found: list[tuple[int, int, int]] = []
        at, block, places = 0, self.block, self._places
        last = len(text) - block
        while at <= last:
            known = places.get(hash(text[at : at + block]))
            if known is None or len(known) > COPIES:
                at += 1
                continue
            start, end, behind = self._longest(text, at, known)
            if end - start >= min(SHORTEST, len(self._context)):
                found.append((start, end, behind))
                at = behind
            else:
                at += 1
        return found

    def _longest(self, text: str, at: int, places: list[int]) -> tuple[int, int, int]:
        """Extend a block that agrees to both sides, at the place where it agrees longest."""
        best = (0, 0, at + 1)
        for place in places:
            back = self._agree_back(text, at, place)
            ahead = self._agree(text, at, place)
            if back + ahead > best[1] - best[0]:
                best = (place - back, place + ahead, at + ahead)
        return best

    def _agree(self, text: str, at: int, place: int) -> int:
        """Count the characters from two places on that are the same."""
        agreed = 0
        while True:
            ours = text[at + agreed : at + agreed + STEP]
            theirs = self._context[place + agreed : place + agreed + STEP]
            if ours != theirs or not ours:
                return agreed + _common(ours, theirs)
            agreed += len(ours)

    def _agree_back(self, text: str, at: int, place: int) -> int:
        """Count the characters before two places that are the same."""
        agreed = 0
        while True:
            size = min(STEP, at - agreed, place - agreed)
            ours = text[at - agreed - size : at - agreed]
            theirs = self._context[place - agreed - size : place - agreed]
            if ours != theirs or not size:
                return agreed + _common(ours[::-1], theirs[::-1])
            agreed += size


def _common(a: str, b: str) -> int:
    """Count the characters that two texts begin with alike."""
    low, high = 0, min(len(a), len(b))
    while low < high:
        middle = (low + high + 1) // 2
        if a[:middle] == b[:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _plain(text: str) -> tuple[str, Callable[[int], int]]:
    """Give a text without its escapes, and what tells where a character of it stood."""
    pieces: list[str] = []
    here, there = [0], [0]  # places that belong together
    length = at = 0
    for escape in _ESCAPE.finditer(text):
        pieces += (text[at : escape.start()], _unescaped(escape[0]))
        length += len(pieces[-2]) + len(pieces[-1])
        at = escape.end()
        here.append(length)
        there.append(at)

    def original(place: int) -> int:
        number = bisect_right(here, place) - 1
        return there[number] + place - here[number]

    return "".join(pieces) + text[at:], original


def _unescaped(escape: str) -> str:
    letter, code = escape[1], escape[2:]
    if not code:
        return _LETTERS.get(letter, letter)
    if len(code) == 10:  # two halves of one character
        return chr(0x10000 + ((int(code[:4], 16) & 0x3FF) << 10) + (int(code[6:], 16) & 0x3FF))
    number = int(code, 16)
    return chr(number) if number < 0x110000 else "\ufffd"


def merged(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Put spans in order and those that touch together."""
    result: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if result and start <= result[-1][1]:
            result[-1] = result[-1][0], max(result[-1][1], end)
        else:
            result.append((start, end))
    return result


def share(spans: Iterable[tuple[int, int]], length: int) -> float:
    """Give the share of a text that spans cover, from 0 to 1."""
    return sum(end - start for start, end in merged(spans)) / length if length else 0.0


def readers(spans: Iterable[tuple[int, int, str]], offset: int) -> list[str]:
    """Give the names of the spans in which a character lies, each once, in their order."""
    return list(dict.fromkeys(name for start, end, name in spans if start <= offset < end))


def strip(spans: Iterable[tuple[int, int]], length: int, cells: int = 400) -> list[float]:
    """Give for each of so many equal cells of a text which share of it spans cover: what a picture of it shows."""
    shares = [0.0] * cells
    if not length:
        return shares
    edges = [length * number / cells for number in range(cells + 1)]
    for start, end in merged(spans):
        number = max(0, bisect_right(edges, start) - 1)
        while number < cells and edges[number] < end:
            width = edges[number + 1] - edges[number]
            shares[number] += (min(end, edges[number + 1]) - max(start, edges[number])) / width
            number += 1
    return [min(1.0, value) for value in shares]
