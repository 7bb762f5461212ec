"""Which parts of a context a prompt shows."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING

import pytest

from rlm_kernel.contexts.cover import Cover, merged, readers, share, strip
from rlm_kernel.contexts.document import Document
from rlm_kernel.contexts.text import Text
from rlm_kernel.contexts.whole import LARGEST, Whole

if TYPE_CHECKING:
    from pathlib import Path

WORDS = [
    "river",
    "stone",
    "tower",
    "winter",
    "letter",
    "garden",
    "market",
    "candle",
    "harbour",
    "window",
    "naïve",
    "Straße",
    "中文",
    "🚢",
]
RNG = random.Random(5)
CONTEXT = "".join(f"{number} {' '.join(RNG.choices(WORDS, k=9))}.\n" for number in range(8_000))


@pytest.fixture(params=["str", "on disk"])
def cover(request: pytest.FixtureRequest, tmp_path: Path) -> Cover:
    if request.param == "str":
        return Cover(CONTEXT)
    (tmp_path / "context.txt").write_text(CONTEXT, encoding="utf-8")
    return Cover(Text(tmp_path / "context.txt"))


def test_slices_are_found_to_the_character(cover: Cover) -> None:
    rng = random.Random(6)
    for _ in range(60):
        start = rng.randrange(len(CONTEXT) - 6_000)
        end = start + rng.randrange(60, 6_000)

        spans = cover.spans(f"Which ships sail?\n\n{CONTEXT[start:end]}\n\nAnswer in one word.")
        # By chance the characters beside it can agree too.
        assert len(spans) == 1
        assert spans[0][0] <= start <= spans[0][0] + 3
        assert end <= spans[0][1] <= end + 3


def test_joins_and_numbered_lines_are_found_piece_by_piece(cover: Cover) -> None:
    lines = CONTEXT.splitlines()
    chosen = [lines[10], lines[500], lines[7_000]]
    spans = cover.spans("\n".join(f"* {line}" for line in chosen))

    assert len(spans) == 3
    for (start, end), line in zip(spans, chosen, strict=True):
        assert line in CONTEXT[start:end]
        assert end - start <= len(line) + 2


def test_what_was_not_taken_from_the_context_is_not_found(cover: Cover) -> None:
    assert cover.spans("river stone tower " * 400) == []
    assert cover.spans("") == []
    assert cover.spans(CONTEXT[200:240]) == []  # as short as chance


def test_boilerplate_says_nothing_of_where_a_text_came_from() -> None:
    context = "".join(
        f"=== the same long heading stands above every page of this report ===\n{number:04}\n"
        for number in range(1_000)
    )

    assert Cover(context).spans("=== the same long heading stands above every page of this report ===") == []


def test_spans_are_counted_once() -> None:
    assert merged([(5, 9), (0, 3), (2, 4), (9, 12)]) == [(0, 4), (5, 12)]
    assert share([(0, 50), (25, 75)], 100) == 0.75
    assert share([], 0) == 0.0
    assert readers([(0, 10, "a"), (5, 7, "b"), (8, 12, "a")], 9) == ["a"]
    assert readers([(0, 10, "a"), (5, 7, "b")], 6) == ["a", "b"]


def test_a_strip_shows_shares_of_equal_cells() -> None:
    assert strip([(0, 25), (90, 100)], 100, 4) == pytest.approx([1.0, 0.0, 0.0, 0.4])
    assert strip([(0, 3)], 3, 2) == [1.0, 1.0]
    assert strip([], 0, 3) == [0.0, 0.0, 0.0]
    assert sum(strip([(10, 35), (60, 61)], 100, 7)) * 100 / 7 == pytest.approx(26)


def test_a_list_is_one_text_of_its_items() -> None:
    lines = CONTEXT.splitlines()
    whole = Whole()
    text = whole.of(lines)

    assert text == CONTEXT.rstrip("\n")
    assert whole.of(lines) is text
    found = Cover(text).spans("Label these:\n" + "\n".join(lines[100:200]) + "\nOne word each.")
    assert [text[start:end].strip() for start, end in found] == ["\n".join(lines[100:200])]
    assert isinstance(text, Document)
    assert (text.files[100].name, text.at(found[0][0] + 1)) == ("[100]", "[100], line 1")
    lines.append("One more.")
    assert str(whole.of(lines)).endswith("One more.")


def test_a_dict_of_records_is_one_text_and_what_has_none_is_none() -> None:
    whole = Whole()
    text = whole.of({"first": {"title": "Ships", "year": 1904, "body": ["Tar.", "Rope."]}, "empty": [], "last": "End."})

    assert text == "Ships\nTar.\nRope.\nEnd."
    assert isinstance(text, Document)
    assert [(mark.name, mark.start, mark.end) for mark in text.file_marks] == [("first", 0, 16), ("last", 17, 21)]
    assert [whole.of(each) for each in ("", [], [1, 2.5, None], {"a": {}}, 7, None)] == [None] * 6
    assert whole.of(["x" * (LARGEST // 2)] * 3) is None


def test_what_was_sent_as_json_or_repr_is_found() -> None:
    cover = Cover(CONTEXT)
    part = CONTEXT[5_000:9_000]

    for sent in (json.dumps({"text": part}), repr([part]), ascii(part), json.dumps(part, ensure_ascii=False)):
        assert share(cover.spans(f"Label this: {sent}"), len(CONTEXT)) == pytest.approx(4_000 / len(CONTEXT), rel=0.02)
    assert cover.spans("C:\\new \\ud800 \\U00ffffff") == []


def test_pieces_between_escapes_are_taken_where_the_whole_stands() -> None:
    """A piece alone may stand in several lines, of which the first would be named."""
    agents = [f"Mozilla/5.0 (a browser of the kind number {kind:03}, like many others)" for kind in range(9)]
    lines = [f'{line:05} "GET /page{line * 7919 % 1000}" 200 "{agents[line % 9]}"\n' for line in range(36)]
    text = "".join(lines)
    cover = Cover(text)
    begin = len("".join(lines[:20]))
    part = text[begin : begin + 300]
    for written in (json.dumps(part), repr(part + "'")):
        assert cover.spans(f"Look: {written} and say.") == cover.spans(part) == [(begin, begin + 300)]
    both = f"{json.dumps(part)} and {text[100:300]}"
    assert cover.spans(both)[-1] == (begin, begin + 300)
    assert cover.spans(both)[0][0] <= 100
