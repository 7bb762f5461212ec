"""Looking up what an answer quotes and cites: is it there, and where."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from rlm_kernel.contexts.cited import Asked, citation, sources_of
from rlm_kernel.contexts.quotations import UNSPACED, find_exact, look_up_quotation
from rlm_kernel.contexts.references import as_number, look_up_reference

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rlm_kernel.contexts.cited import CitationDict, Source

SHORTEST = 3
"""Words of a quotation that is looked up; shorter ones are emphasis or names more often than quotations."""
SHORTEST_CHARS = 12
SHORTEST_UNSPACED = 6
"""Letters, in place of words, of a quotation in a script that writes no spaces."""
MOST = 200
"""Citations of one answer that are looked up."""

_QUOTED = re.compile(
    r"“([^“”]{4,2000})”|„([^„“”]{4,2000})[“”]|«\s?([^«»]{4,2000}?)\s?»|(?<![\w\"])\"([^\"\n]{1,2000})\"(?!\w)"
    r"|»([^«»]{4,2000})«|‹\s?([^‹›]{4,2000}?)\s?›|›([^‹›]{4,2000})‹|「([^「」]{4,2000})」|『([^『』]{4,2000})』"
    r"|(?<![^\s([])”(?=\S)([^“”„]{4,2000})(?<=\S)”",
    re.DOTALL,
)
_BLOCK = re.compile(r"^(?:>[ \t]?[^\n]*(?:\n|$))+", re.MULTILINE)
_PARAGRAPH = re.compile(r"(?:^>[> \t]*[^\s>][^\n]*(?:\n|$))+", re.MULTILINE)
"""Lines of a block quote; a line with nothing but its mark parts them."""
_DASH = re.compile(r"(?:^|(?<=[\s>\"“”»«]))(?:[—–―]|--?)[ \t]*", re.MULTILINE)
_BETWEEN = re.compile(r"(?:[ \t,.;:—–-]|\n[ \t]*>)*")
_EDGES = ' \t\n—–―-“”"„«»‹›「」『』'
# A place as a document gives it (`Document.at`): characters before the name, a section behind the page.
_BEGIN = r"[\[(](?:characters?\s(?P<a>\d[\d,]*)(?:\s?[-–]\s?(?P<b>\d[\d,]*))?,\s*)?"
_NUMBER = r"(?:\d{1,3}(?:,\d{3})+|\d+)"
_NUMBERS = (
    rf"(?P<first>{_NUMBER})(?:\s?[-–]\s?(?P<last>{_NUMBER}))?(?P<more>(?:,\s?{_NUMBER}(?:\s?[-–]\s?{_NUMBER})?)*)"
)
_MORE = re.compile(rf"({_NUMBER})(?:\s?[-–]\s?({_NUMBER}))?")
_TITLE = r"(?:[^\[\]()]|\([^\[\]()]*\)){1,200}"
_CLOSE = rf"(?:,\s*§{_TITLE})?[\])]"
_PAGE = re.compile(rf"{_BEGIN}(?:(?P<name>[^\[\]():,]+),\s*)?(?:[Pp]p?\.\s?|[Pp]ages?\s){_NUMBERS}{_CLOSE}")
_LINE = re.compile(
    rf"{_BEGIN}(?:(?P<name>[^\[\]():]+?)(?::\s?(?:lines?\s)?|,\s*lines?\s)|[Ll]ines?\s){_NUMBERS}{_CLOSE}"
)
_SECTION = re.compile(rf"{_BEGIN}(?:(?P<name>[^\[\]():§,]+),\s*)?§§?\s?(?P<first>{_TITLE})[\])]")
_FENCE = re.compile(r"^```.*?^```[^\n]*$|`[^`\n]+`", re.MULTILINE | re.DOTALL)
_WORD = re.compile(r"\w+", re.UNICODE)
_UNSPACED = re.compile(f"[{UNSPACED}]")
_SUFFIX = re.compile(r"\w\.[^\W\d_]\w{0,7}$")
"""What tells a file's name from words: ``web.log``, not ``1 Sam. 17``."""


def look_up(answer: str, context: object) -> list[CitationDict]:
    """Look up every quotation and reference of an answer in what it was asked of.

    - Quotations: text between quotation marks of three words or more, and Markdown block quotes, each paragraph by
      itself. Differences of white space, of the form of quotation marks and dashes and of the case of the first letter
      do not count, nor does emphasis; ``…`` leaves something out. Words and numbers are whole ones.
    - References: ``[p. 12]``, ``(page 12)``, ``[pp. 3, 5-6]``, ``[report.pdf, p. 12]``, ``[web.log:120]``,
      ``[line 5,000]``, ``[§ 3.2]``; at the end of a block quote ``— report.pdf, p. 12`` too.

    Args:
        answer: Markdown.
        context: A text, a document, a list or mapping of them; anything else has no passages.
    """
    sources = list(sources_of(context))
    if not sources:
        return []
    asked = sorted(_asked(answer, sources), key=lambda each: each.start)[:MOST]
    found = [
        look_up_quotation(each, sources) if each.kind == "quotation" else look_up_reference(each, sources)
        for each in asked
    ]
    return _compared(answer, asked, found, sources)


def _asked(answer: str, sources: list[Source]) -> Iterator[Asked]:
    names = {name for name, _ in sources}
    # What stands in code is no quotation; blanks keep the places of the rest.
    text = _FENCE.sub(lambda found: " " * len(found.group()), answer)
    references = sorted(_references(text, names), key=lambda each: each.start)
    for found in _PARAGRAPH.finditer(text):
        inside = [each for each in references if found.start() <= each.start < found.end()]
        attributed = _attributed(text, found.start(), found.end(), names)
        if (inside or attributed) and any(find_exact(_words(found.group()), each) for _, each in sources):
            # It is the document that names the place.
            references = [each for each in references if each not in inside]
            inside = []
        elif attributed:
            inside.append(attributed)
            yield attributed
        begin = found.start()
        for place in inside:
            yield from _of_block(answer, text, begin, place.start)
            begin = max(begin, place.end)
        yield from _of_block(answer, text, begin, found.end())
    yield from references
    text = _BLOCK.sub(lambda found: " " * len(found.group()), text)
    for found in _QUOTED.finditer(text):
        number = found.lastindex or 0
        if _is_long(found.group(number)):
            yield Asked("quotation", answer[slice(*found.span(number))].strip(), found.start(), found.end())


def _references(text: str, names: set[str]) -> Iterator[Asked]:
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
            more = tuple(_MORE.findall(said.get("more") or ""))
            span = (as_number(said["a"]), as_number(said["b"])) if said["a"] and said["b"] else None
            yield Asked(kind, found.group(), found.start(), found.end(), name, first, last, more, span)  # type: ignore[arg-type]


def _attributed(text: str, start: int, end: int, names: set[str]) -> Asked | None:
    """Give the place behind the last dash of a block quote: ``— lease.pdf, p. 2``."""
    for dash in reversed(list(_DASH.finditer(text, start, end))[-4:]):
        said = text[dash.end() : end].rstrip(" \t\n.")
        for each in _references(f"({said})", names):
            if each.text == f"({said})":
                return replace(each, text=said, start=dash.end(), end=dash.end() + len(said))
    return None


def _of_block(answer: str, text: str, start: int, end: int) -> Iterator[Asked]:
    """Give what is quoted in a part of a block quote, without its marks."""
    if text[start : start + 1] != ">":  # behind a place
        start += len(text[start:end]) - len(text[start:end].lstrip(" \t\n>.,;:"))
    end = start + len(text[start:end].rstrip(" \t\n>—–―-"))
    if _is_long(_words(text[start:end])):
        yield Asked("quotation", _words(answer[start:end]), start, end)


def _words(block: str) -> str:
    """Give the words of a block quote, without its marks."""
    return "\n".join(line.lstrip("> \t") for line in block.splitlines()).strip(_EDGES)


def _is_name(name: str, names: set[str]) -> bool:
    name = name.strip().strip("`")
    return any(name == each or each.endswith(f"/{name}") for each in names) or bool(_SUFFIX.search(name))


def _is_long(text: str) -> bool:
    """Tell whether a text is long enough to be a quotation that is looked up."""
    if len(_UNSPACED.findall(text)) >= SHORTEST_UNSPACED:
        return True
    return len(_WORD.findall(text)) >= SHORTEST and len(text.strip()) >= SHORTEST_CHARS


def _compared(answer: str, asked: list[Asked], found: list[CitationDict], sources: list[Source]) -> list[CitationDict]:
    """Compare quotations that were found with the places that directly follow them, and say where they disagree.

    A quotation that stands in several places is the one at the place named.
    """
    for number, quotation in enumerate(found):
        if quotation["kind"] != "quotation" or quotation["status"] != "found":
            continue
        behind = number + 1
        while (
            behind < len(found)
            and found[behind]["kind"] != "quotation"
            and _BETWEEN.fullmatch(answer, found[behind - 1]["end"], found[behind]["start"])
        ):
            behind += 1
        places = range(number + 1, behind)
        if not places or any(found[each]["status"] != "found" or asked[each].more for each in places):
            continue
        if any(_stands_in(quotation, found[each]) for each in places):
            continue
        moved = next(filter(None, (_moved(asked[number], found[each], sources) for each in places)), None)
        if moved is not None:
            found[number] = moved
            continue
        for each in places:
            found[each]["status"] = "differs"
            found[each]["difference"] = f"The words before it stand in {quotation['where']}."
    return found


def _stands_in(quotation: CitationDict, place: CitationDict) -> bool:
    (start, end), (first, last) = quotation["place"], place["place"]
    return quotation["source"] == place["source"] and start < last and first < end


def _moved(asked: Asked, place: CitationDict, sources: list[Source]) -> CitationDict | None:
    """Look a quotation up at one place only: within it, else where one of them goes into the other."""
    several = len(sources) > 1
    first, last = place["place"]
    for source in sources:
        if several and source[0] != place["source"]:
            continue
        for around in (0, len(asked.text)):
            begin = max(0, first - around)
            near = look_up_quotation(asked, [(source[0], str(source[1][begin : last + around]))])
            if near["status"] == "found":
                start, end = near["place"]
                moved = citation(asked, "found", source, (begin + start, begin + end), several=several)
                return moved if _stands_in(moved, place) else None
    return None
