"""Looking up a quotation: as it stands, in another form, or nearly."""

from __future__ import annotations

import re
from difflib import Match, SequenceMatcher
from itertools import pairwise
from typing import TYPE_CHECKING, Any
from unicodedata import normalize

from rlm_kernel.contexts.cited import citation
from rlm_kernel.contexts.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from rlm_kernel.contexts.cited import Asked, CitationDict, Source

    Place = tuple[int, int]

CLOSE = 0.75
"""Share of the words that must agree for a passage to be the one that was meant."""
PHRASE = 3
"""Words by which a passage that differs is looked for."""
PHRASES, CANDIDATES = 12, 8
NEAR = 30
"""Characters between two places that are tried."""
LEAP = 5_000
"""Characters that ``…`` may leave out between two parts of a quotation."""
TRIES = 500
"""Places of a part of a quotation that are tried."""

UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
"""Letters of scripts that write no spaces between words (Thai, Khmer, kana, Han …); each counts as a word here."""
ENDS = " .,;:。、，；："
"""What may stand at the end of a quotation and not of its passage."""

_LETTER = re.compile(f"[{UNSPACED}]")
_WORD = re.compile(rf"[{UNSPACED}]|[^\W{UNSPACED}]+")
_TOKEN = re.compile(rf"[{UNSPACED}]|[^\s{UNSPACED}]+")
_GAP = re.compile(rf"(?<=[{UNSPACED}]) (?=[{UNSPACED}])")
_SENTENCE = re.compile(r"[.!?…][\"'”’»)\]]*\s|[。！？]|\n\s*\n")
_PUNCTUATION = frozenset(".,;:!?…)]%。、，；：！？")
_EMPHASIS = re.compile(
    r"(\*{1,3})(?=[^\s*])(.+?)(?<=[^\s*])\1|(?<!\w)(_{1,3})(?=[^\s_])(.+?)(?<=[^\s_])\3(?!\w)", re.DOTALL
)
_CHANGED = re.compile(r"\[([^\W\d_])\](?=\w)")
_ELLIPSIS = re.compile(r"\s*(?:\[\s*(?:…|\.{3})\s*\]|…|(?<!\.)\.{3,4}(?!\.))\s*")
"""Three dots, or four at the end of a sentence; more of them lead to a page number."""
_GLUED = re.compile(rf"[^\W_{UNSPACED}]{{2}}|\d[.,]\d|n['’]t\b")
"""What no end of a quotation may part: it would be another word, or another number."""
_MARKS, _DASHES = "\"“”„«»'‘’‚‹›「」『』", "-–—‑"
_ALIKE = str.maketrans({**dict.fromkeys(_MARKS, '"'), **dict.fromkeys(_DASHES, "-"), "\xa0": " "})


def look_up_quotation(asked: Asked, sources: list[Source]) -> CitationDict:
    """Find the passage of the documents that a quotation is from."""
    several = len(sources) > 1
    plain = _plain(asked.text)
    for said in dict.fromkeys((asked.text, plain, *(normalize(form, plain) for form in ("NFC", "NFD")))):
        for source in sources:
            if place := find_exact(said, source[1]):
                return citation(asked, "found", source, place, several=several)
    for source in sources:
        if parts := _chain(_parts(plain), source[1], leap=None):
            apart = f"What … leaves out is more than {LEAP:,} characters."
            return citation(asked, "differs", source, parts[0], apart, several=several)
    best: tuple[float, Source, tuple[int, int]] | None = None
    for source in sources:
        found = _nearest(plain, source[1])
        if found and (best is None or found[0] > best[0]):
            best = (found[0], source, found[1])
    if best is None:
        return citation(asked, "not found", difference="The document has no such passage.")
    _, source, place = best
    place = _widened(source[1], *place)
    difference = describe_difference(plain, _plain(str(source[1][place[0] : place[1]])))
    return citation(asked, "differs" if difference else "found", source, place, difference, several=several)


def _plain(quoted: str) -> str:
    """Take out what does not belong to the words: emphasis, the marks of code, brackets around a changed letter."""
    text, before = quoted.replace("`", ""), ""
    while text != before:  # emphasis within emphasis
        text, before = _EMPHASIS.sub(lambda found: found[2] or found[4], text), text
    return _CHANGED.sub(r"\1", text)


def find_exact(quoted: str, text: str | Text) -> tuple[int, int] | None:
    """Find a quotation as it stands; white space, quotation marks, dashes and the first letter may be others."""
    places = _chain(_parts(quoted), text, LEAP)
    return (places[0][0], places[-1][1]) if places else None


def _parts(quoted: str) -> list[str]:
    return [part for part in _ELLIPSIS.split(quoted.strip()) if part.strip(ENDS)]


def _chain(parts: list[str], text: str | Text, leap: int | None) -> list[Place]:
    """Find the parts of a quotation one behind the other, no further apart than need be; empty where they are not."""
    begin = 0
    for _ in range(TRIES if parts else 0):
        places: list[Place] = []
        for part in parts:
            place = _exact_part(part, text, places[-1][1] if places else begin)
            if place is None:
                return []
            places.append(place)
        for number in reversed(range(len(parts) - 1)):
            places[number] = _latest(parts[number], text, places[number], places[number + 1][0])
        gaps = [after[0] - before[1] for before, after in pairwise(places)]
        if leap is None or max(gaps, default=0) <= leap:
            return places
        begin = places[0][0] + 1
    return []


def _latest(part: str, text: str | Text, place: Place, before: int) -> Place:
    """Give the last place of a part before another one, from one on that is known."""
    for _ in range(TRIES):
        after = _exact_part(part, text, place[0] + 1, before)
        if after is None:
            break
        place = after
    return place


def _exact_part(part: str, text: str | Text, after: int, before: int | None = None) -> Place | None:
    bare = part.rstrip(ENDS)
    for tried in dict.fromkeys((part, bare)):
        at = after - 1
        for _ in range(TRIES):
            at = text.find(tried, at + 1, len(text) if before is None else before)
            if at < 0:
                break
            if _is_whole(text, at, at + len(tried)):
                return at, at + len(tried)
    return _first(_flexible(bare), text, after, before)


def _is_whole(text: str | Text, start: int, end: int) -> bool:
    """Tell whether a passage begins and ends where words and numbers do."""
    return not _is_within(text, start) and not _is_within(text, end)


def _is_within(text: str | Text, place: int) -> bool:
    around, at = str(text[max(0, place - 2) : place + 3]), min(2, place)
    return any((found := _GLUED.match(around, begin)) and found.end() > at for begin in range(at))


def _widened(text: str | Text, start: int, end: int) -> Place:
    """Give a passage with the whole of the words and numbers where it begins and ends."""
    for _ in range(NEAR):
        start, end = start - _is_within(text, start), end + _is_within(text, end)
    return start, end


def _flexible(part: str) -> str:
    """Make a pattern that finds a text whatever white space, quotation marks, dashes and first letter it has."""
    words = ["".join(_any_of(character) for character in word.translate(_ALIKE)) for word in part.split()]
    first = part[:1]
    if words and first.lower() != first.upper() and len(first.lower()) == len(first.upper()) == 1:
        words[0] = f"[{first.lower()}{first.upper()}]{words[0][1:]}"
    return r"[\s\x{a0}]+".join(words) if words else r"[^\s\S]"


def _any_of(character: str) -> str:
    forms = {'"': f"[{_MARKS}]", "-": f"[{_DASHES}]"}
    return forms.get(character) or re.escape(character)


def _first(pattern: str, text: str | Text, after: int, before: int | None) -> Place | None:
    end = len(text) if before is None else before
    compiled = re.compile(pattern.replace(r"\x{a0}", "\xa0"))
    for _ in range(TRIES):
        found: Any = text.search(pattern, after, end) if isinstance(text, Text) else compiled.search(text, after, end)
        if not found or _is_whole(text, *found.span()):
            return found.span() if found else None
        after = found.start() + 1
    return None


def _nearest(quoted: str, text: str | Text) -> tuple[float, tuple[int, int]] | None:
    """Find the passage that has most of a quotation's words in their order; ``None`` where none has enough."""
    words = list(_WORD.finditer(quoted))
    lowered = [word.group().lower() for word in words]
    best: tuple[float, tuple[int, int]] | None = None
    # The window is little larger than the quotation: in a wide one, words of the neighbours would be taken for its own.
    before, behind = min(80, 16 + len(quoted) // 4), min(160, 32 + len(quoted) // 2)
    for begins in _candidates(words, text):
        start = max(0, begins - before)
        window = str(text[start : max(0, begins) + len(quoted) + behind])
        there = list(_WORD.finditer(window))
        matcher = SequenceMatcher(None, lowered, [word.group().lower() for word in there], autojunk=False)
        blocks = [block for block in matcher.get_matching_blocks() if block.size]
        score = sum(block.size for block in blocks) / len(words)
        if blocks and score >= CLOSE and (best is None or score > best[0]):
            first, last = _bounds(quoted, words, window, there, (blocks[0], blocks[-1]))
            best = score, (start + first, start + last)
    return best


def _bounds(
    quoted: str, words: list[re.Match[str]], window: str, there: list[re.Match[str]], blocks: tuple[Match, Match]
) -> tuple[int, int]:
    """Tell where a passage begins and ends in a window: for words that were not found as many others are taken.

    They are not taken from another sentence, unless the quotation goes into another there as well; signs in front of
    the first word and behind the last are taken where the quotation has some.
    """
    begun, ended = blocks[0].b, blocks[1].b + blocks[1].size - 1
    said_begun, said_ended = blocks[0].a, blocks[1].a + blocks[1].size - 1
    first = max(0, begun - said_begun)
    last = min(len(there) - 1, ended + len(words) - 1 - said_ended)
    if not _SENTENCE.search(quoted, words[0].end(), words[said_begun].start()):
        while first < begun and _SENTENCE.search(window, there[first].end(), there[begun].start()):
            first += 1
    if not _SENTENCE.search(quoted, words[said_ended].end(), words[-1].start()):
        while last > ended and _SENTENCE.search(window, there[ended].end(), there[last].start()):
            last -= 1
    start, end = there[first].start(), there[last].end()
    for sign in reversed(quoted[: words[0].start()]):
        if not window[:start].endswith(sign):
            break
        start -= 1
    for _ in quoted[words[-1].end() :]:
        if window[end : end + 1] not in _PUNCTUATION:
            break
        end += 1
    return start, end


def _candidates(words: list[re.Match[str]], text: str | Text) -> list[int]:
    """Give places where a quotation would begin that has some words standing together there.

    Words that stand together in few places come first: in a text that repeats itself they tell the place.
    """
    starts = range(max(1, len(words) - PHRASE + 1))
    step = max(1, len(starts) // PHRASES)
    phrases = [[at - words[number].start() for at in _some(_phrase(words, number), text)] for number in starts[::step]]
    phrases.sort(key=len)
    chosen: list[int] = []
    for places in phrases:
        for begins in places:
            if all(abs(begins - other) > NEAR for other in chosen) and len(chosen) < CANDIDATES:
                chosen.append(begins)
    return chosen


def _phrase(words: list[re.Match[str]], number: int) -> str:
    """Make a pattern of the words from one on; of letters that count as words it takes twice as many."""
    size = PHRASE * (2 if _LETTER.match(words[number].group()) else 1)
    pattern, before = r"(?i)", ""
    for word in (each.group() for each in words[number : number + size]):
        gap = r"\W*" if _LETTER.match(before) or _LETTER.match(word) else r"\W+"
        pattern, before = f"{pattern}{gap if before else ''}{re.escape(word)}", word
    return pattern


def _some(pattern: str, text: str | Text) -> Iterable[int]:
    matches: Iterator[Any] = text.finditer(pattern) if isinstance(text, Text) else re.finditer(pattern, text)
    for _, match in zip(range(3), matches, strict=False):
        yield match.start()


def describe_difference(said: str, there: str) -> str:
    """Say how a quotation differs from the passage: what is added, left out or other, in a few words."""
    a, b = (_TOKEN.findall(text.rstrip("。、，；：")) for text in (said, there))
    ours, theirs = ([token.translate(_ALIKE) for token in tokens] for tokens in (a, b))
    if ours and theirs:  # the case of the first letter and a full stop at the end do not count
        if ours[0].lower()[:1] + ours[0][1:] == theirs[0].lower()[:1] + theirs[0][1:]:
            theirs[0] = ours[0]
        if ours[-1].rstrip(ENDS) == theirs[-1].rstrip(ENDS):
            theirs[-1] = ours[-1]
    parts = []
    for tag, a1, a2, b1, b2 in SequenceMatcher(None, ours, theirs, autojunk=False).get_opcodes():
        if tag == "replace":
            parts.append(f"“{_short(a[a1:a2])}” stands as “{_short(b[b1:b2])}”")
        elif tag == "delete":
            parts.append(f"“{_short(a[a1:a2])}” is not there")
        elif tag == "insert":
            parts.append(f"“{_short(b[b1:b2])}” is left out")
    more = f"; and {len(parts) - 4} more" if len(parts) > 4 else ""
    return "; ".join(parts[:4]) + more


def _short(tokens: list[str], width: int = 60) -> str:
    text = _GAP.sub("", " ".join(tokens))
    return text if len(text) <= width else f"{text[: width // 2]} … {text[-width // 2 :]}"
