"""The tutor behind ``llm_query``: reads a passage and quotes the sentence that shares most words with the question."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from rlm_kernel.models.tutor.wording import STOP_WORDS, stem, words

if TYPE_CHECKING:
    from collections.abc import Iterable

NOT_FOUND = "NOT FOUND"
NO_READER = (
    'I am the tutor, not a language model. I can only quote from a passage: write the question after "Question:" '
    "and the text "
    "between <passage> and </passage>. For more, set a model with %rlm --sub-model NAME."
)
_PASSAGE = re.compile(r"<(passage|text|document|context)>\s*(.*?)\s*</\1>", re.DOTALL | re.IGNORECASE)
_QUESTION = re.compile(r"^\s*(?:question|q)\s*[:：]\s*(.+?)\s*$", re.MULTILINE | re.IGNORECASE)
_KEY_WORDS = re.compile(r"^\s*key ?words?\s*:\s*(.+?)\s*$", re.MULTILINE | re.IGNORECASE)
_HEADED = re.compile(
    r"^\s*(?:passage|text|context|document|excerpt|chunk)\s*[:：]\s*(.+)", re.MULTILINE | re.DOTALL | re.IGNORECASE
)
_SENTENCE = re.compile(
    r"[^\s].*?(?:[.!?][\"”’')\]]*(?=\s)(?<!\bMr\.)(?<!\bDr\.)(?<!\bNo\.)(?<!\bSt\.)|\n|\Z)", re.DOTALL
)
_ONE_RECORD = 1_000
"""A passage of one line up to this length (a log entry, a verse, a row) is quoted whole."""
_SHORTEST = 25
"""A "sentence" of fewer characters is rather an abbreviation or a heading; it stays with what follows."""


def read(prompt: str) -> str:
    """Answer a prompt that holds a passage and a question: a quotation, ``NOT FOUND``, or what the tutor would need."""
    passage, question = _take_apart(prompt)
    if not passage.strip() or not question.strip():
        return NO_READER
    named = _KEY_WORDS.search(prompt)
    wanted = {stem(word) for word in words(named[1] if named else question) if word not in STOP_WORDS}
    if not wanted:
        return NOT_FOUND
    start, end = _best(passage, wanted)
    return passage[start:end] if end > start else NOT_FOUND


def _take_apart(prompt: str) -> tuple[str, str]:
    """Find passage and question, with the tags and headings people commonly use."""
    tagged = _PASSAGE.search(prompt)
    rest = prompt[: tagged.start()] + "\n" + prompt[tagged.end() :] if tagged else prompt
    asked = _QUESTION.search(rest)
    if tagged:
        return tagged[2], asked[1] if asked else rest
    headed = _HEADED.search(prompt)
    if headed and asked:
        passage = headed[1] if asked.start() < headed.start() else prompt[headed.start(1) : asked.start()]
        return passage, asked[1]
    blocks = [block for block in re.split(r"\n\s*\n", prompt) if block.strip()]
    asking = [block for block in blocks if "?" in block]
    if len(blocks) < 2 or not asking:
        return "", prompt
    question = min(asking, key=len)
    return "\n\n".join(block for block in blocks if block is not question), question


def sentences(passage: str) -> Iterable[tuple[int, int]]:
    """Give start and end of each sentence."""
    start = None
    for found in _SENTENCE.finditer(passage):
        start = found.start() if start is None else start
        end = start + len(passage[start : found.end()].rstrip())
        if (
            end - start >= _SHORTEST
            or found.end() >= len(passage.rstrip())
            or passage[found.end() - 1 : found.end()] == "\n"
        ):
            yield start, end
            start = None


def _best(passage: str, wanted: set[str]) -> tuple[int, int]:
    """Find the sentence with most of the wanted words; the next one too where it brings further ones."""
    spans = list(sentences(passage))
    if "\n" not in passage and len(passage) <= _ONE_RECORD and spans:
        spans = [(spans[0][0], spans[-1][1])]
    bags = [wanted & {stem(word) for word in words(passage[start:end])} for start, end in spans]
    if not spans or not any(bags):
        return 0, 0
    # Of two with as many words the shorter one is the more to the point.
    best = max(range(len(spans)), key=lambda number: (len(bags[number]), spans[number][0] - spans[number][1]))
    if 3 * len(bags[best]) < len(wanted):
        return 0, 0
    start, end = spans[best]
    if best + 1 < len(spans) and len(bags[best + 1] - bags[best]) >= 1 and spans[best + 1][1] - start <= 700:
        end = spans[best + 1][1]
    return start, end
