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
    # A sentence ends with its mark, at an empty line, or where the next line looks like a new beginning: the lines of
    # a printed page are broken inside sentences.
    r"\S.*?(?:[.!?][\"”’')\]]*(?=\s)(?<!\bMr\.)(?<!\bDr\.)(?<!\bNo\.)(?<!\bSt\.)|(?=\n\s*(?:\n|[A-Z#*•\d\"“‘/<\[-])"
    r")|\Z)",
    re.DOTALL,
)
_LONGEST = 450
"""Characters of a quotation of several sentences."""
_FEWEST_WORDS = 3
"""A "sentence" of fewer words is rather an abbreviation or a number; it stays with what follows on the same line."""


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
        at_line_end = passage[end : end + 1] in ("", "\n")
        if at_line_end or len(passage[start:end].split()) >= _FEWEST_WORDS:
            yield start, end
            start = None


def _best(passage: str, wanted: set[str]) -> tuple[int, int]:
    """Find the sentence with most of the wanted words; the next one too where it brings further ones."""
    spans = list(sentences(passage))
    bags = [wanted & {stem(word) for word in words(passage[start:end])} for start, end in spans]
    if not spans or not any(bags):
        return 0, 0
    # Of two with as many words the shorter one is the more to the point.
    best = max(range(len(spans)), key=lambda number: (len(bags[number]), spans[number][0] - spans[number][1]))
    if 3 * len(bags[best]) < len(wanted):
        return 0, 0
    start, end = spans[best]
    for (_, next_end), bag in zip(spans[best + 1 :], bags[best + 1 :], strict=True):
        # The next sentence belongs to it where it brings further words, or has as many and may be the answer as well.
        if not (bag - bags[best] or len(bag) == len(bags[best])) or next_end - start > _LONGEST:
            break
        end = next_end
        bags[best] |= bag
    return start, end
