"""Looking up a quotation: as it stands, in another form, or nearly."""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Any

from rlm_kernel.contexts.cited import citation
from rlm_kernel.contexts.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from rlm_kernel.contexts.cited import Asked, CitationDict, Source

CLOSE = 0.75
"""Share of the words that must agree for a passage to be the one that was meant."""
PHRASE = 3
"""Words by which a passage that differs is looked for."""
PHRASES, CANDIDATES = 12, 8
NEAR = 30
"""Characters between two places that are tried."""

_WORD = re.compile(r"\w+", re.UNICODE)
_SPACES = re.compile(r"\s+")
_ELLIPSIS = re.compile(r"\s*(?:\[\s*(?:…|\.\.\.)\s*\]|…|\.\.\.)\s*")
_ALIKE = str.maketrans(
    {
        "“": '"',
        "”": '"',
        "„": '"',
        "«": '"',
        "»": '"',
        "‘": "'",
        "’": "'",
        "‚": "'",
        "–": "-",
        "—": "-",
        "‑": "-",
        "\xa0": " ",
    }
)


def look_up_quotation(asked: Asked, sources: list[Source]) -> CitationDict:
    """Find the passage of the documents that a quotation is from."""
    several = len(sources) > 1
    for source in sources:
        if place := _exact(asked.text, source[1]):
            return citation(asked, "found", source, place, several=several)
    best: tuple[float, Source, tuple[int, int]] | None = None
    for source in sources:
        found = _nearest(asked.text, source[1])
        if found and (best is None or found[0] > best[0]):
            best = (found[0], source, found[1])
    if best is None:
        return citation(asked, "not found", difference="The document has no such passage.")
    _, source, place = best
    difference = describe_difference(asked.text, str(source[1][place[0] : place[1]]))
    return citation(asked, "differs", source, place, difference, several=several)


def _exact(quoted: str, text: str | Text) -> tuple[int, int] | None:
    """Find a quotation as it stands; white space, quotation marks, dashes and the first letter may be others."""
    parts = [part for part in _ELLIPSIS.split(quoted.strip()) if part.strip(" .,;:")]
    start = end = -1
    for number, part in enumerate(parts):
        place = _exact_part(part, text, end if number else 0)
        if place is None:
            return None
        start, end = (place[0] if number == 0 else start), place[1]
    return (start, end) if parts else None


def _exact_part(part: str, text: str | Text, after: int) -> tuple[int, int] | None:
    for tried in (part, part.rstrip(" .,;:")):
        at = text.find(tried, after)
        if at >= 0:
            return at, at + len(tried)
    return _first(_flexible(part.rstrip(" .,;:")), text, after)


def _flexible(part: str) -> str:
    """Make a pattern that finds a text whatever white space, quotation marks, dashes and first letter it has."""
    words = ["".join(_any_of(character) for character in word.translate(_ALIKE)) for word in part.split()]
    first = part[:1]
    if words and first.lower() != first.upper() and len(first.lower()) == len(first.upper()) == 1:
        words[0] = f"[{first.lower()}{first.upper()}]{words[0][1:]}"
    return r"[\s\x{a0}]+".join(words) if words else r"[^\s\S]"


def _any_of(character: str) -> str:
    forms = {'"': '["“”„«»]', "'": "['‘’‚]", "-": "[-–—‑]"}
    return forms.get(character) or re.escape(character)


def _first(pattern: str, text: str | Text, after: int = 0) -> tuple[int, int] | None:
    if isinstance(text, Text):
        found = text.search(pattern, after)
    else:
        found = re.compile(pattern.replace(r"\x{a0}", "\xa0")).search(text, after)  # type: ignore[assignment]
    return found.span() if found else None


def _nearest(quoted: str, text: str | Text) -> tuple[float, tuple[int, int]] | None:
    """Find the passage that has most of a quotation's words in their order; ``None`` where none has enough."""
    words = [word.group() for word in _WORD.finditer(quoted)]
    lowered = [word.lower() for word in words]
    best: tuple[float, tuple[int, int]] | None = None
    # The window is little larger than the quotation: in a wide one, words of the neighbours would be taken for its own.
    before, behind = min(80, 16 + len(quoted) // 4), min(160, 32 + len(quoted) // 2)
    for number, at in _candidates(words, text):
        begins = at - sum(len(word) + 1 for word in words[:number])
        start = max(0, begins - before)
        window = str(text[start : max(0, begins) + len(quoted) + behind])
        spans = [found.span() for found in _WORD.finditer(window)]
        there = [window[a:b].lower() for a, b in spans]
        matcher = SequenceMatcher(None, lowered, there, autojunk=False)
        blocks = [block for block in matcher.get_matching_blocks() if block.size]
        score = sum(block.size for block in blocks) / len(words)
        if blocks and score >= CLOSE and (best is None or score > best[0]):
            first = max(0, blocks[0].b - blocks[0].a)
            last = min(len(spans) - 1, blocks[-1].b + blocks[-1].size - 1 + len(words) - blocks[-1].a - blocks[-1].size)
            best = score, (start + spans[first][0], start + spans[last][1])
    return best


def _candidates(words: list[str], text: str | Text) -> list[tuple[int, int]]:
    """Give places where some words of a quotation stand together, with the number of the first of them.

    Words that stand together in few places come first: in a text that repeats itself they tell the place.
    """
    starts = range(max(1, len(words) - PHRASE + 1))
    step = max(1, len(starts) // PHRASES)
    phrases: list[tuple[int, list[int]]] = []
    for number in starts[::step]:
        pattern = r"(?i)" + r"\W+".join(map(re.escape, words[number : number + PHRASE]))
        phrases.append((number, list(_some(pattern, text))))
    phrases.sort(key=lambda phrase: len(phrase[1]))
    chosen: dict[int, tuple[int, int]] = {}
    for number, places in phrases:
        for at in places:
            begins = at - sum(len(word) + 1 for word in words[:number])
            if all(abs(begins - other) > NEAR for other in chosen) and len(chosen) < CANDIDATES:
                chosen[begins] = number, at
    return list(chosen.values())


def _some(pattern: str, text: str | Text) -> Iterable[int]:
    matches: Iterator[Any] = text.finditer(pattern) if isinstance(text, Text) else re.finditer(pattern, text)
    for _, match in zip(range(3), matches, strict=False):
        yield match.start()


def describe_difference(said: str, there: str) -> str:
    """Say how a quotation differs from the passage: what is added, left out or other, in a few words."""
    a, b = (_SPACES.split(text.translate(_ALIKE).strip()) for text in (said, there))
    parts = []
    for tag, a1, a2, b1, b2 in SequenceMatcher(None, a, b, autojunk=False).get_opcodes():
        ours, theirs = " ".join(a[a1:a2]), " ".join(b[b1:b2])
        if tag == "replace":
            parts.append(f"“{_short(ours)}” stands as “{_short(theirs)}”")
        elif tag == "delete":
            parts.append(f"“{_short(ours)}” is not there")
        elif tag == "insert":
            parts.append(f"“{_short(theirs)}” is left out")
    more = f"; and {len(parts) - 4} more" if len(parts) > 4 else ""
    return "; ".join(parts[:4]) + more


def _short(text: str, width: int = 60) -> str:
    return text if len(text) <= width else f"{text[: width // 2]} … {text[-width // 2 :]}"
