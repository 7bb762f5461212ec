"""Looking up what an answer quotes and cites: is it there, and where."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from rlm_kernel.contexts.cited import Asked, sources_of
from rlm_kernel.contexts.quotations import look_up_quotation
from rlm_kernel.contexts.references import as_number, look_up_reference

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rlm_kernel.contexts.cited import CitationDict

SHORTEST = 3
"""Words of a quotation that is looked up; shorter ones are emphasis or names more often than quotations."""
SHORTEST_CHARS = 12
MOST = 200
"""Citations of one answer that are looked up."""

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


def look_up(answer: str, context: object) -> list[CitationDict]:
    """Look up every quotation and reference of an answer in what it was asked of.

    - Quotations: text between quotation marks of three words or more, and Markdown block quotes. Differences of white
      space, of the form of quotation marks and dashes and of the case of the first letter do not count; ``…`` leaves
      something out.
    - References: ``[p. 12]``, ``[report.pdf, p. 12]``, ``[web.log:120]``, ``[line 5,000]``, ``[§ 3.2]``.

    Args:
        answer: Markdown.
        context: A text, a document, a list or mapping of them; anything else has no passages.
    """
    sources = list(sources_of(context))
    if not sources:
        return []
    asked = sorted(_asked(answer, {name for name, _ in sources}), key=lambda each: each.start)[:MOST]
    return [
        look_up_quotation(each, sources) if each.kind == "quotation" else look_up_reference(each, sources)
        for each in asked
    ]


def _asked(answer: str, names: set[str]) -> Iterator[Asked]:
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
            span = (as_number(said["a"]), as_number(said["b"])) if said["a"] and said["b"] else None
            yield Asked(kind, found.group(), found.start(), found.end(), name, first, last, span)  # type: ignore[arg-type]


def _is_name(name: str, names: set[str]) -> bool:
    name = name.strip().strip("`")
    return any(name == each or each.endswith(f"/{name}") for each in names) or "." in name.rpartition("/")[2]


def _quotation(text: str, start: int, end: int) -> Iterator[Asked]:
    words = _WORD.findall(text)
    if len(words) >= SHORTEST and len(text.strip()) >= SHORTEST_CHARS:
        yield Asked("quotation", text.strip(), start, end)
