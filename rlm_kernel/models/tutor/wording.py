"""What can be said of a question by its wording alone: quotations, options, clauses, key words."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib.resources import files

QUOTED = re.compile(
    r"\"([^\"\n]+)\"|“([^”\n]+)”|«([^»\n]+)»|„([^“”\n]+)[“”]|`([^`\n]+)`|(?:(?<=^)|(?<=[\s(,]))'([^'\n]+)"
    r"'(?=[\s).,;:?!]|$)"
)
MARK = "⟦{}⟧"
"""Stands in a question for the quotation with that number."""

_OPTIONS = (
    (r"not case[- ]?sensitive(?:ly)?|case[- ]?insensitive(?:ly)?|ignoring (?:the )?case|ignore case", "case", False),
    (r"regardless of case|without regard to case|upper or lower case|in any case", "case", False),
    (r"case[- ]?sensitive(?:ly)?|matching case|match case|exact case|with this case", "case", True),
    (
        r"not (?:only )?(?:as )?(?:a )?whole words?|as (?:a )?(?:substring|plain text)|as part of (?:a )?words?",
        "whole",
        False,
    ),
    (r"(?:also |including )?(?:in|inside)(?: of)? (?:other|longer) words|anywhere in words?", "whole", False),
    (r"(?:as |only as )?(?:an? )?(?:whole|full|entire|complete)[- ]words?(?: only)?", "whole", True),
)
_POLITE = re.compile(
    r"^(?:(?:and|so|now|then|also|ok|okay|hello|hi|please|kindly|exactly|precisely)\b[\s,]*"
    r"|(?:can|could|would|will) you (?:please )?(?:tell me|say|show me|find out|count|check)\b[\s,:]*(?:how "
    r"many(?= how))?"
    r"|(?:tell me|i (?:want|would like|need) to know|do you know|let me know|find out)\b[\s,:]*)+",
    re.I,
)
DOCUMENT = (
    r"(?:(?:the|this|my) (?:whole |entire |loaded )?(?:document|text|file|book|context|log|data|dataset|data set|"
    r"pdf|corpus)"
    r"|it all|here|context|there)"
)
_IN_DOCUMENT = re.compile(
    rf"[\s,]*\b(?:(?:with)?in|of|from|throughout|across|over) {DOCUMENT}(?=\s*$)|\s+(?:in total|altogether|overall|"
    rf"in all)$",
    re.I,
)

_CLAUSE = re.compile(
    r"(?<=[?.!;])\s+|,?\s+and\s+(?=(?:how (?:many|often)|wh(?:at|ich|ere|en|o)|in (?:how many|which))\b)|\n+", re.I
)

_WISH = re.compile(
    r"(?:please )?(?:give|quote|cite|state|name|answer)(?: me)?(?: with| in)? (?:the |its |a |an |one )?[\w-]+(?: "
    r"\w+)?[.!]?",
    re.I,
)
"""A wish for the form of the answer, after the question itself: "Give the reference." """

STOP_WORDS = frozenset(
    files("rlm_kernel.models.tutor").joinpath("steps", "stop_words.txt").read_text(encoding="utf-8").split()
)
"""Words of a question that tell nothing of where its answer stands."""


@dataclass(frozen=True, slots=True)
class Clause:
    """One question out of what the person asked, made ready for the grammars."""

    original: str
    """As the person wrote it."""
    plain: str
    """Quotations as marks; options, politeness and the end mark taken away."""
    quotes: tuple[str, ...]
    """The quoted texts, by the number in their mark."""
    case: bool | None
    """Whether upper and lower case differ; ``None`` where the question does not say."""
    whole: bool | None
    """Whether only whole words count; ``None`` where the question does not say."""

    def quoted(self, marks: str) -> tuple[str, ...]:
        """Give the quotations whose marks stand in a part of the question."""
        return tuple(self.quotes[int(number)] for number in re.findall(r"⟦(\d+)⟧", marks))


def clauses(question: str) -> list[Clause]:
    """Take a question apart where another one begins, outside of quotations."""
    quotes: list[str] = []

    def mark(match: re.Match[str]) -> str:
        quotes.append(next(group for group in match.groups() if group is not None))
        return MARK.format(len(quotes) - 1)

    marked = QUOTED.sub(mark, question.strip())
    pieces: list[str] = []
    for piece in filter(re.compile(r"\w").search, map(str.strip, _CLAUSE.split(marked))):
        if pieces and piece.startswith("("):
            pieces[-1] += f" {piece}"
        elif not (pieces and _WISH.fullmatch(piece)):
            pieces.append(piece)
    return [_clause(piece, tuple(quotes)) for piece in pieces]


def _clause(marked: str, quotes: tuple[str, ...]) -> Clause:
    def unmark(match: re.Match[str]) -> str:
        return f"“{quotes[int(match[1])]}”"

    plain = marked
    found: dict[str, bool] = {}
    for pattern, option, value in _OPTIONS:
        plain, times = re.subn(rf"\b(?:{pattern})\b", " ", plain, flags=re.I)
        if times:
            found.setdefault(option, value)
    plain = re.sub(r"\(\s*(?:(?:and|but|,|;|search|match|matching|only|as)\s*)*\)", " ", plain, flags=re.I)
    plain = re.sub(r"[\s,;:.?!]+$", "", " ".join(plain.split()))
    plain = _POLITE.sub("", plain)
    plain = re.sub(r"(?:[\s,]+(?:and|as|please|exactly|but))+$", "", plain, flags=re.I)
    plain = _IN_DOCUMENT.sub("", plain).strip(" ,")
    return Clause(re.sub(r"⟦(\d+)⟧", unmark, marked), plain, quotes, found.get("case"), found.get("whole"))


def stem(word: str) -> str:
    """Cut common English endings off a word; the same rule stands in the cell that ranks passages."""
    return re.sub(r"(?:ing|ed|es|s|e)$", "", word) if len(word) > 4 else word


def words(text: str) -> list[str]:
    """Give the words of a text in lower case."""
    return re.findall(r"[^\W_]+", text.lower())


def key_words(clause: Clause) -> list[str]:
    """Give the words of a question that a passage with its answer may have, in order, each once."""
    text = re.sub(r"[“”]", " ", clause.original)
    kept = [word for word in words(text) if word not in STOP_WORDS and (len(word) > 1 or word.isdigit())]
    return list(dict.fromkeys(kept))


def code_names(clause: Clause) -> list[str]:
    """Give the unquoted names that only make sense whole: ``re.escape``, ``/usr/share``, ``max_size``, ``x.y:8080``."""
    text = re.sub(r"“[^”]*”", " ", clause.original)
    return re.findall(r"(?<!\S)(?:/[\w./-]*\w|\w+(?:[._/:]\w+)+)(?=[\s?!.,;:)]|$)", text)
