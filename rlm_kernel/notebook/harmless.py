"""Markdown that a model wrote, made fit for a page.

What a kernel puts out counts as trusted: Jupyter's pages run the scripts and follow the handlers in it, while a model
may repeat anything that stood in a document. So no text of a model may become an element, nor a link that runs
something.

Which parts of a text are code is for its reader to say, and readers differ. What is done here is therefore safe in
either: only how it looks depends on the guess.
"""

from __future__ import annotations

import re

CODE = re.compile(r"^ {0,3}(`{3,}|~{3,}).*?(?:^ {0,3}\1|\Z)|(`+)(?!`).+?(?<!`)\2(?!`)", re.MULTILINE | re.DOTALL)
"""What is taken for code: fenced blocks and spans."""

_TAG = re.compile(r"<(?=[A-Za-z/!?])")
_ADDRESS = re.compile(r"<(https?://[^\s<>]+|mailto:[^\s<>]+)>")
_LINK = re.compile(r"\](?=\(|:)")
_TARGET = re.compile(r"[(:]\s*(?:<([^>\n]*)|([^\s]*))")
_GOOD = re.compile(r"https?://|mailto:|data:image/(?:png|jpeg|gif|webp)[;,]", re.IGNORECASE)
_LONGEST = 4_000
"""Characters of a link's target that are looked at."""


def harmless(markdown: str) -> str:
    """Take the force out of elements and of links that run something; everything else stays as it is.

    A ``<`` that begins an element becomes ``&lt;``; in code and beside mathematics, where that would be shown as it
    stands, it gets a space after it.
    """
    parts, end = [], 0
    for code in CODE.finditer(markdown):
        parts += [_prose(markdown[end : code.start()]), _code(code.group())]
        end = code.end()
    return "".join([*parts, _prose(markdown[end:])])


def _prose(text: str) -> str:
    return "".join(_line(each) for each in _links(text, "]\\").splitlines(keepends=True))


def _line(text: str) -> str:
    if "$" in text or "`" in text or "\\" in text:
        return _TAG.sub("< ", text)
    return _TAG.sub("&lt;", _ADDRESS.sub(r"\1", text))


def _code(text: str) -> str:
    return _TAG.sub("< ", _links(text, "] "))


def _links(text: str, broken: str) -> str:
    """Break every link whose target could run something."""

    def one(found: re.Match[str]) -> str:
        return broken if _runs(text[found.end() : found.end() + _LONGEST]) else "]"

    return _LINK.sub(one, text)


def _runs(after: str) -> bool:
    """Say whether a target names a way to be followed other than those of pages, pictures and mail.

    A colon may be written as an entity, or be hidden behind a backslash.
    """
    found = _TARGET.match(after)
    target = "" if found is None else (found.group(1) or found.group(2) or "").strip()
    way = re.split(r"[/?#]", target, maxsplit=1)[0]
    return any(each in way for each in ":&\\") and not _GOOD.match(target)
