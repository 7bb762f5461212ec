"""Words that the end of a line divides."""

from __future__ import annotations

import re

DIVIDED = "\ufffe"
"""What PDFium writes for a hyphen at the end of a line; it leaves the line's end out."""
_MARK = rf"(?:{DIVIDED}\n?|[‐\u00ad]\n|-\n(?=[^\W\d_A-Z]))"
_AT_END = re.compile(rf"([^\W\d_]+){_MARK}([^\W\d_]+)")
_REST = re.compile(rf"{DIVIDED}\n?|\u00ad\n?")
_WORD = re.compile(r"[^\W\d_]+(?:[-‐][^\W\d_]+)*")


def join_divided(pages: list[str]) -> list[str]:
    """Put divided words together, and keep the hyphen of those that have one also where no line ends.

    Which they are, the rest of the document tells: ``con-gregation`` is joined, as ``gregation`` is no word;
    ``post-processed`` keeps its hyphen, unless the document has ``postprocessed`` too.
    """
    if not any(_AT_END.search(page) or DIVIDED in page or "\u00ad" in page for page in pages):
        return pages
    known = {word.replace("‐", "-").lower() for page in pages for word in _WORD.findall(_AT_END.sub(" ", page))}
    known |= {part for word in known if "-" in word for part in word.split("-")}

    def join(found: re.Match[str]) -> str:
        left, right = found.group(1), found.group(2)
        whole, halves = (left + right).lower(), (left.lower(), right.lower())
        if whole in known or ("-".join(halves) not in known and not all(half in known for half in halves)):
            return left + right
        return f"{left}-{right}"

    return [_last_mark(_AT_END.sub(join, page)) for page in pages]


def _last_mark(page: str) -> str:
    """Show the hyphens that divide no two words: at the end of a page, before a digit."""
    return _REST.sub(lambda found: "-" if found.group()[0] == DIVIDED else "", page)
