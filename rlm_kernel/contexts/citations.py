"""Looking up what an answer quotes and cites: is it there, and where."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Any, Literal, TypedDict

from rlm_kernel.contexts.text import Text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

Found = Literal["found", "differs", "not found"]
CiteKind = Literal["quotation", "page", "line", "section"]

SHORTEST = 3
"""Words of a quotation that is looked up; shorter ones are emphasis or names more often than quotations."""
SHORTEST_CHARS = 12
MOST = 200
"""Citations of one answer that are looked up."""
CLOSE = 0.75
"""Share of the words that must agree for a passage to be the one that was meant."""
PHRASE = 3
"""Words by which a passage that differs is looked for."""
PHRASES, CANDIDATES = 12, 8
NEAR = 30
"""Characters between two places that are tried."""
AROUND = 400
"""Characters of the document that are shown before and behind a passage, where nothing else is asked for."""
MOST_AROUND = 20_000
LONGEST_SHOWN = 20_000
"""Characters of a passage that are shown: a section may be a whole book."""

_QUOTED = re.compile(
    r"“([^“”]{4,2000})”|„([^„“”]{4,2000})[“”]|«\s?([^«»]{4,2000}?)\s?»|(?<![\w\"])\"([^\"\n]{4,2000})\"(?!\w)",
    re.DOTALL,
)
_BLOCK = re.compile(r"^(?:>[ \t]?[^\n]*(?:\n|$))+", re.MULTILINE)
# A place as a document gives it (`Document.at`): characters before the name, a section behind the page.
_BEGIN = r"[\[(](?:characters?\s(?P<a>\d[\d,]*)(?:\s?[-–]\s?(?P<b>\d[\d,]*))?,\s*)?"
_NUMBERS = r"(?P<first>\d[\d,]*)(?:\s?[-–]\s?(?P<last>\d[\d,]*))?"
_TITLE = r"(?:[^\[\]()]|\([^\[\]()]*\)){1,200}"
_CLOSE = rf"(?:,\s*§{_TITLE})?[\])]"
_PAGE = re.compile(rf"{_BEGIN}(?:(?P<name>[^\[\]():,]+),\s*)?pp?\.\s?{_NUMBERS}{_CLOSE}")
_LINE = re.compile(rf"{_BEGIN}(?:(?P<name>[^\[\]():]+?)(?::\s?(?:lines?\s)?|,\s*lines?\s)|lines?\s){_NUMBERS}{_CLOSE}")
_SECTION = re.compile(rf"{_BEGIN}(?:(?P<name>[^\[\]():§,]+),\s*)?§§?\s?(?P<first>{_TITLE})[\])]")
_FENCE = re.compile(r"^```.*?^```[^\n]*$|`[^`\n]+`", re.MULTILINE | re.DOTALL)
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
class _Asked:
    kind: CiteKind
    text: str
    start: int
    end: int
    name: str = ""
    first: str = ""
    last: str = ""
    span: tuple[int, int] | None = None
    """Characters of the document, where the reference has them."""


def look_up(answer: str, context: object) -> list[CitationDict]:
    """Look up every quotation and reference of an answer in what it was asked of.

    - Quotations: text between quotation marks of three words or more, and Markdown block quotes. Differences of white
      space and of the form of quotation marks and dashes do not count; ``…`` leaves something out.
    - References: ``[p. 12]``, ``[report.pdf, p. 12]``, ``[web.log:120]``, ``[line 5,000]``, ``[§ 3.2]``.

    Args:
        answer: Markdown.
        context: A text, a document, a list or mapping of them; anything else has no passages.
    """
    sources = list(_sources(context))
    if not sources:
        return []
    asked = sorted(_asked(answer, {name for name, _ in sources}), key=lambda each: each.start)[:MOST]
    return [_look_up(each, sources) for each in asked]


def _sources(context: object, name: str = "") -> Iterator[tuple[str, str | Text]]:
    if isinstance(context, str | Text):
        yield name or str(getattr(context, "name", "")), context
    elif isinstance(context, dict):
        for key, value in context.items():
            yield from _sources(value, str(key))
    elif isinstance(context, list | tuple):
        for number, value in enumerate(context):
            yield from _sources(value, str(getattr(value, "name", "")) or f"[{number}]")


# -- what an answer cites ---------------------------------------------------------------------------------------------


def _asked(answer: str, names: set[str]) -> Iterator[_Asked]:
    # What stands in code is no quotation; blanks keep the places of the rest.
    text = _FENCE.sub(lambda found: " " * len(found.group()), answer)
    for found in _BLOCK.finditer(text):
        quoted = "\n".join(line.lstrip("> \t") for line in found.group().splitlines())
        yield from _quotation(
            quoted.strip().strip('“”"„«»'), found.start(), found.start() + len(found.group().rstrip())
        )
    text = _BLOCK.sub(lambda found: " " * len(found.group()), text)
    for found in _QUOTED.finditer(text):
        yield from _quotation(next(filter(None, found.groups())), found.start(), found.end())
    begun: set[int] = set()
    for kind, pattern in (("page", _PAGE), ("line", _LINE), ("section", _SECTION)):
        for found in pattern.finditer(text):
            if found.start() in begun:
                continue  # a page with its section
            said = found.groupdict()
            name, first, last = (said.get(part) or "" for part in ("name", "first", "last"))
            if kind == "line" and name and not _is_name(name, names):
                continue
            begun.add(found.start())
            span = (_number(said["a"]), _number(said["b"])) if said["a"] and said["b"] else None
            yield _Asked(kind, found.group(), found.start(), found.end(), name, first, last, span)  # type: ignore[arg-type]


def _is_name(name: str, names: set[str]) -> bool:
    name = name.strip().strip("`")
    return any(name == each or each.endswith(f"/{name}") for each in names) or "." in name.rpartition("/")[2]


def _quotation(text: str, start: int, end: int) -> Iterator[_Asked]:
    words = _WORD.findall(text)
    if len(words) >= SHORTEST and len(text.strip()) >= SHORTEST_CHARS:
        yield _Asked("quotation", text.strip(), start, end)


def _look_up(asked: _Asked, sources: list[tuple[str, str | Text]]) -> CitationDict:
    if asked.kind == "quotation":
        return _quoted(asked, sources)
    if asked.span is not None:
        return _characters(asked, asked.span, sources)
    return _REFERENCES[asked.kind](asked, sources)


def _citation(
    asked: _Asked,
    status: Found,
    source: tuple[str, str | Text] | None = None,
    place: tuple[int, int] | None = None,
    difference: str = "",
    *,
    several: bool = False,
) -> CitationDict:
    text = source[1] if source else ""
    where = ""
    if source and place:
        where = _where(*source, place[0])
        if several and source[0] and source[0] not in where:
            where = f"{source[0]}: {where}"
    return CitationDict(
        kind=asked.kind,
        text=asked.text,
        start=asked.start,
        end=asked.end,
        status=status,
        place=list(place) if place else [],
        source=source[0] if source and several else "",
        where=where,
        passage=str(text[place[0] : place[1]])[:4000] if place else "",
        difference=difference,
    )


def _where(name: str, text: str | Text, offset: int) -> str:
    at: Callable[[int], str] | None = getattr(text, "at", None)
    return at(offset) if at else f"{name + ', ' if name else ''}line {text.count(chr(10), 0, offset) + 1:,}"


# -- quotations -------------------------------------------------------------------------------------------------------


def _quoted(asked: _Asked, sources: list[tuple[str, str | Text]]) -> CitationDict:
    several = len(sources) > 1
    for source in sources:
        if place := _exact(asked.text, source[1]):
            return _citation(asked, "found", source, place, several=several)
    best: tuple[float, tuple[str, str | Text], tuple[int, int]] | None = None
    for source in sources:
        found = _nearest(asked.text, source[1])
        if found and (best is None or found[0] > best[0]):
            best = (found[0], source, found[1])
    if best is None:
        return _citation(asked, "not found", difference="The document has no such passage.")
    _, source, place = best
    difference = describe_difference(asked.text, str(source[1][place[0] : place[1]]))
    return _citation(asked, "differs", source, place, difference, several=several)


def _exact(quoted: str, text: str | Text) -> tuple[int, int] | None:
    """Find a quotation as it stands; white space, quotation marks and dashes may have another form."""
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
    """Make a pattern that finds a text whatever its white space, quotation marks and dashes are."""
    pieces = []
    for word in part.split():
        escaped = "".join(_any_of(character) for character in word.translate(_ALIKE))
        pieces.append(escaped)
    return r"[\s\x{a0}]+".join(pieces) if pieces else r"[^\s\S]"


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


# -- references -------------------------------------------------------------------------------------------------------


def _named(asked: _Asked, sources: list[tuple[str, str | Text]]) -> tuple[str, str | Text] | None:
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


def _part(asked: _Asked, sources: list[tuple[str, str | Text]]) -> tuple[tuple[str, str | Text], int, int] | None:
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


def _unknown(asked: _Asked) -> CitationDict:
    said = f"There is no document {asked.name.strip()!r}." if asked.name else "Which of the documents is not said."
    return _citation(asked, "not found", difference=said)


def _characters(asked: _Asked, span: tuple[int, int], sources: list[tuple[str, str | Text]]) -> CitationDict:
    """Look up a reference that names the characters too: nothing else is as exact."""
    meant = _part(asked, sources)
    if meant is None:
        return _unknown(asked)
    length = len(meant[0][1])
    if not span[0] < span[1] <= length:
        return _citation(asked, "not found", difference=f"The document has {length:,} characters.")
    return _citation(asked, "found", meant[0], span, several=len(sources) > 1)


def _page(asked: _Asked, sources: list[tuple[str, str | Text]]) -> CitationDict:
    meant = _part(asked, sources)
    if meant is None:
        return _unknown(asked)
    source, start, end = meant
    starts: Sequence[int] = getattr(source[1], "page_starts", ())
    pages = [page for page in starts if start <= page <= end]
    first, last = _numbers(asked)
    if not pages:
        return _citation(asked, "not found", difference="The document has no pages.")
    if not 1 <= first <= last <= len(pages):
        return _citation(asked, "not found", difference=f"The document has {len(pages):,} pages.")
    place = pages[first - 1], pages[last] if last < len(pages) else end
    return _citation(asked, "found", source, place, several=len(sources) > 1)


def _line(asked: _Asked, sources: list[tuple[str, str | Text]]) -> CitationDict:
    meant = _part(asked, sources)
    if meant is None:
        return _unknown(asked)
    source, start, end = meant
    first, last = _numbers(asked)
    line_at = _line_finder(source[1], start, end)
    begun, behind = line_at(first), line_at(last + 1)
    if begun is None or first < 1 or last < first:
        return _citation(asked, "not found", difference="The document has no such line.")
    place = begun, max(begun, (end if behind is None else behind) - 1)
    return _citation(asked, "found", source, place, several=len(sources) > 1)


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


def _section(asked: _Asked, sources: list[tuple[str, str | Text]]) -> CitationDict:
    meant = _part(asked, sources)
    if meant is None:
        return _unknown(asked)
    source, start, end = meant
    wanted = _plain_title(asked.first)
    marks: list[Any] = [mark for mark in getattr(source[1], "section_marks", ()) if start <= mark.start <= end]
    for exactly in (True, False):
        for number, mark in enumerate(marks):
            title = _plain_title(mark.title)
            if title == wanted or (not exactly and (title.startswith(f"{wanted} ") or wanted in title)):
                behind = [after.start for after in marks[number + 1 :] if after.level <= mark.level]
                place = mark.start, behind[0] if behind else end
                return _citation(asked, "found", source, place, several=len(sources) > 1)
    said = "The document has no such section." if marks else "The document has no sections."
    return _citation(asked, "not found", difference=said)


def _plain_title(title: str) -> str:
    return _SPACES.sub(" ", title.strip().strip("#*_` ").lower()).rstrip(".")


def _numbers(asked: _Asked) -> tuple[int, int]:
    first = _number(asked.first)
    return first, _number(asked.last) if asked.last else first


def _number(written: str) -> int:
    return int(written.replace(",", ""))


_REFERENCES: Mapping[CiteKind, Callable[[_Asked, list[tuple[str, str | Text]]], CitationDict]] = {
    "page": _page,
    "line": _line,
    "section": _section,
}


# -- passages ---------------------------------------------------------------------------------------------------------


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
        context: As in `look_up`.
        start: Its first character.
        end: Behind its last one.
        source: Which of several documents.
        around: Characters that are given before and behind it, at most `MOST_AROUND`.
    """
    around = max(0, min(around, MOST_AROUND))
    for name, text in _sources(context):
        if source and name != source:
            continue
        if not 0 <= start <= end <= len(text):
            return None
        shown = min(end, start + LONGEST_SHOWN)
        return PassageDict(
            where=_where(name, text, start),
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
