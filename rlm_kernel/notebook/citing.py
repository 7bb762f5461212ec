"""Citations in an answer: a mark behind each that says what became of it and leads to the passage."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import quote

from rlm_kernel.engine.evidence import citations_of

if TYPE_CHECKING:
    from rlm_kernel.contexts.cited import CitationDict
    from rlm_kernel.trace.records import Node

MARKS = {"found": "✓", "differs": "≈", "not found": "✗"}
WORDS = {"found": "found", "differs": "found with differences", "not found": "not found"}
PASSAGE = "#rlm-passage="
"""What a link to a passage begins with: then the run and the number of the citation."""
_OPEN, _CLOSE = "\ue000", "\ue001"
"""Characters that stand for a mark until the text is fit for a page; an answer's own are dropped."""
_PLACE = re.compile(f"{_OPEN}(\\d+){_CLOSE}")


def with_places(run: Node, body: str) -> str:
    """Put a placeholder behind each citation of an answer, from which all space around was taken."""
    raw = run.reply
    skipped = len(raw) - len(raw.lstrip())
    citations = citations_of(run)
    for number in reversed(range(len(citations))):
        end = citations[number]["end"] - skipped
        if 0 < end <= len(body):
            body = f"{_clean(body[:end])}{_OPEN}{number}{_CLOSE}{body[end:]}"
    return body


def _clean(text: str) -> str:
    return text.replace(_OPEN, "").replace(_CLOSE, "")


def with_marks(run: Node, markdown: str) -> str:
    """Make the placeholders links: the mark, and what became of the citation as its title."""
    citations = citations_of(run)

    def mark(found: re.Match[str]) -> str:
        number = int(found.group(1))
        if number >= len(citations):
            return ""
        citation = citations[number]
        link = f"{PASSAGE}{quote(run.id, safe='')}:{number}"
        title = _title(citation)
        return f'[{MARKS[citation["status"]]}]({link} "{title}")'

    return _PLACE.sub(mark, markdown)


def _title(citation: CitationDict) -> str:
    parts = [WORDS[citation["status"]], citation["where"], citation["difference"]]
    text = ": ".join(part for part in parts if part)
    return re.sub(r"[\"\\<>&`\n\r$]", " ", text)[:300]


def cited_lines(run: Node) -> str:
    """Write the citations of an answer as plain text, one a line, with places in characters; empty without any."""
    return "\n".join(_line(citation) for citation in citations_of(run))


def _line(citation: CitationDict) -> str:
    said = " ".join(citation["text"].split())
    said = said if len(said) <= 80 else f"{said[:79]}…"
    place = f" · characters {citation['place'][0]:,} to {citation['place'][1]:,}" if citation["place"] else ""
    where = f": {citation['where']}{place}" if citation["where"] else ""
    more = f" ({citation['difference']})" if citation["difference"] else ""
    return f"{MARKS[citation['status']]} {said}: {WORDS[citation['status']]}{where}{more}"
