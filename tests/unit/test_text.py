"""A text on disk answers as the same text in memory does."""

from __future__ import annotations

import os
import pickle
import random
import re
from pathlib import Path

import pytest

from rlm_kernel.contexts.chunks import Chunk, chunks
from rlm_kernel.contexts.document import Document
from rlm_kernel.contexts.patterns import compile_pattern
from rlm_kernel.contexts.text import BLOCK, Text
from rlm_kernel.errors import ContextError, InputError

WORDS = ("plain", "naïve", "Straße", "中文", "emoji 🙂", "e\u0301", "Ω", "ab", "\t", "x" * 50)


def make(seed: int) -> str:
    rng = random.Random(seed)
    lines = (" ".join(rng.choices(WORDS, k=rng.randrange(12))) for _ in range(6_000))
    return "\n".join(lines) + "\n" * rng.randrange(2)


@pytest.fixture(params=["mixed", "ascii"])
def pair(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Text, str]:
    text = make(1) if request.param == "mixed" else make(2).encode("ascii", "ignore").decode()
    path = tmp_path / "big.txt"
    path.write_text(text, encoding="utf-8", newline="")
    assert path.stat().st_size > 2 * BLOCK
    return Text(path), text


def test_slices_and_offsets_are_those_of_a_str(pair: tuple[Text, str]) -> None:
    text, plain = pair
    rng = random.Random(3)

    assert len(text) == len(plain)
    assert str(text) == plain
    for _ in range(300):
        a, b = rng.randrange(-len(plain), len(plain)), rng.randrange(-len(plain), len(plain))
        assert text[a:b] == plain[a:b]
        assert text[a] == plain[a]
    assert text[:10] == plain[:10]
    assert text[-7:] == plain[-7:]
    assert text[len(plain) + 5 :] == ""


def test_finding_and_counting_give_what_a_str_gives(pair: tuple[Text, str]) -> None:
    text, plain = pair
    rng = random.Random(4)

    for part in ("naïve", "中文", "ab", "nowhere", "plain", "\n", "🙂"):
        assert text.find(part) == plain.find(part)
        assert text.rfind(part) == plain.rfind(part)
        assert text.count(part) == plain.count(part)
        assert (part in text) == (part in plain)
        a, b = sorted(rng.sample(range(len(plain)), 2))
        assert text.find(part, a, b) == plain.find(part, a, b)
        assert text.count(part, a, b) == plain.count(part, a, b)
    with pytest.raises(ValueError, match="nowhere"):
        text.index("nowhere")


@pytest.mark.parametrize(
    "pattern", [r"na.ve", r"\w+ß\w*", r"(?m)^ab", r"(?P<a>ab) (?P<b>plain)", r"中文|Ω", r"x{50}", r"\d"]
)
def test_patterns_find_what_re_finds(pair: tuple[Text, str], pattern: str) -> None:
    text, plain = pair
    ours = [(match.span(), match.group(), match.groups(), match.groupdict()) for match in text.finditer(pattern)]
    theirs = [(match.span(), match.group(), match.groups(), match.groupdict()) for match in re.finditer(pattern, plain)]

    assert ours == theirs
    assert text.findall(pattern) == re.findall(pattern, plain)


def test_an_empty_match_goes_on_behind_the_character(tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_text("aß中b", encoding="utf-8")

    assert [match.span() for match in Text(tmp_path / "t.txt").finditer("x*")] == [(at, at) for at in range(5)]


def test_lines_have_numbers_and_places(pair: tuple[Text, str]) -> None:
    text, plain = pair
    lines = plain.split("\n")
    lines = lines[:-1] if plain.endswith("\n") else lines

    assert list(text) == lines
    assert list(text.lines(2_000, 2_010)) == lines[2_000:2_010]
    assert list(text.lines(-3)) == lines[-3:]
    assert text.line_count == len(lines)
    for offset in (0, 1, len(plain) // 3, len(plain) // 2, len(plain)):
        assert text.line_number(offset) == plain.count("\n", 0, offset)
        assert text.at(offset) == f"big.txt, line {plain.count(chr(10), 0, offset) + 1:,}"
    with pytest.raises(IndexError, match="no position"):
        text.at(len(plain) + 1)


def test_a_pattern_that_takes_for_ever_elsewhere_is_quick(tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_text("a" * 40 + "!\n")

    assert Text(tmp_path / "t.txt").search(r"(a+)+$") is None


def test_what_re2_cannot_do_is_refused_with_another_way() -> None:
    with pytest.raises(ContextError, match=r"Look-around and backreferences .* re\.search"):
        compile_pattern(r"(?=a)b")
    assert compile_pattern(re.compile("A", re.IGNORECASE)).search(b"xa") is not None


def test_methods_of_a_str_that_it_lacks_are_named_with_another_way(pair: tuple[Text, str]) -> None:
    with pytest.raises(AttributeError, match=r"no split\(\); use lines\(\)"):
        pair[0].split()
    with pytest.raises(AttributeError, match="no attribute 'spilt'"):
        _ = pair[0].spilt
    with pytest.raises(AttributeError, match=r"A text on disk has no sections; use lines\(\)"):
        _ = pair[0].sections
    with pytest.raises(ContextError, match="no step"):
        _ = pair[0][::2]


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"", "is empty"), (b"fine\nbut \xff not\n", "byte 9 does not fit"), (b"\xe4" * 10, "not UTF-8")],
)
def test_files_that_are_no_text_are_refused(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "odd.txt").write_bytes(content)

    with pytest.raises(ContextError, match=said) as problem:
        Text(tmp_path / "odd.txt")
    assert "odd.txt" in str(problem.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ContextError, match=r"none\.txt cannot be read: No such file"):
        Text(tmp_path / "none.txt")


def test_a_file_that_changes_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "log.txt"
    path.write_text("one line\n" * 1_000)
    text = Text(path)
    path.write_text("short\n")

    for use in (lambda: text[:5], lambda: text.find("x"), lambda: text.search("x"), lambda: list(text.lines())):
        with pytest.raises(ContextError, match="has changed since it was loaded"):
            use()
    os.unlink(path)
    with pytest.raises(ContextError, match="is gone"):
        _ = text[:5]


def test_pickled_it_is_a_place_and_not_a_text(pair: tuple[Text, str]) -> None:
    text, plain = pair
    pickled = pickle.dumps(text)

    assert len(pickled) < 500
    assert pickle.loads(pickled)[100:200] == plain[100:200]


@pytest.mark.parametrize("by", [None, "line"])
@pytest.mark.parametrize("overlap", [0, 40])
def test_pieces_are_all_of_the_text(pair: tuple[Text, str], by: str | None, overlap: int) -> None:
    for source in pair:
        pieces = list(chunks(source, 1_000, overlap, by))  # type: ignore[arg-type]
        covered = 0
        for piece in pieces:
            assert piece == pair[1][piece.start : piece.end]
            assert len(piece) <= 1_000
            assert covered - overlap <= piece.start <= covered
            covered = piece.end
        assert covered == len(pair[1])
        if by == "line":
            assert all(piece.endswith("\n") for piece in pieces[:-1])


def test_pieces_end_with_sections_where_they_fit() -> None:
    class Part:
        def __init__(self, start: int) -> None:
            self.start = start

    class Book(str):
        sections = (Part(0), Part(30), Part(55), Part(300))

    book = Book("line of text\n" * 40)
    pieces = list(chunks(book, 100, by="section"))

    assert [piece.start for piece in pieces[:3]] == [0, 55, 55 + pieces[1].rfind("\n") + 1]
    assert "".join(pieces) == book
    with pytest.raises(InputError, match="no pages"):
        next(chunks("plain", 3, by="page"))
    with pytest.raises(InputError, match=r"no sections\. Use by='page'"):
        next(chunks(Document("one\n\ntwo", "a.pdf", "PDF", page_starts=(0, 5)), 3, by="section"))
    with pytest.raises(InputError, match="overlap"):
        next(chunks("plain", 3, 3))


def test_a_piece_keeps_its_place_when_pickled() -> None:
    piece = pickle.loads(pickle.dumps(Chunk("abc", 7)))

    assert (piece, piece.start, piece.end) == ("abc", 7, 10)


TRICKY = "[é x1 été\nab aab a{,3}b b\x0b[7\x1c\x85-_]^ \u3000中文 e\u0301\n"


@pytest.fixture
def tricky(tmp_path: Path) -> Text:
    (tmp_path / "tricky.txt").write_text(TRICKY, encoding="utf-8", newline="")
    return Text(tmp_path / "tricky.txt")


@pytest.mark.filterwarnings("ignore:Possible nested set")
@pytest.mark.parametrize(
    "pattern",
    [
        r"a{,3}b", r"a\{,3}b", r"[{,3}]+", r"[[]\w", r"[\n[]\w", r"[][]\w?", r"[^]\w]+", r"[\S]+", r"[^\S]+",
        r"[\D]+", r"[^\D]+", r"[\W]", r"[^\W\d_]+",
        r"[\W_]+", r"\s+", r"[\s]+", r"\\[é7]|\[7", r"[\]^]+", r"x1\b", r"x*", "\ud800|x1",
    ],
)  # fmt: skip
def test_signs_of_a_pattern_mean_what_they_mean_in_python(tricky: Text, pattern: str) -> None:
    plain = TRICKY.replace("e\u0301", "e")  # marks are letters here, and not in Python
    Path(tricky.path).write_text(plain, encoding="utf-8", newline="")

    assert Text(tricky.path).findall(pattern) == re.findall(pattern, plain)


def test_a_mark_is_a_letter_within_brackets_too(tricky: Text) -> None:
    assert tricky.findall(r"e[\w]") == tricky.findall(r"e\w") == ["e\u0301"]
    assert not tricky.findall(r"e[\W]\n")


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        (re.compile("a b", re.VERBOSE), r"re\.VERBOSE .* without spaces"),
        (re.compile(r"\w", re.ASCII), r"re\.ASCII .* \[A-Za-z0-9_\]"),
        (r"\B", r"no \\B.* use re on slices"),
        (r"\C", r"no \\C.* use re on slices"),
    ],
)
def test_flags_and_escapes_that_would_mean_something_else_are_refused(pattern: object, said: str) -> None:
    with pytest.raises(ContextError, match=said):
        compile_pattern(pattern)
    with pytest.raises(TypeError, match="not Pattern"):
        compile_pattern(re.compile(b"a", re.IGNORECASE))


def test_a_pattern_ends_where_the_search_ends(tricky: Text) -> None:
    for pattern in ("x1$", r"x1\Z", "x1(?: |$)"):
        match, theirs = tricky.search(pattern, 0, 5), re.compile(pattern).search(TRICKY, 0, 5)
        assert match is not None
        assert theirs is not None
        assert (match.span(), match.group()) == (theirs.span(), theirs.group())
    assert tricky.search("x1$") is None


def test_half_a_character_is_not_found(tricky: Text) -> None:
    assert "\ud800" not in tricky
    assert (tricky.find("x\ud800"), tricky.rfind("\udfff"), tricky.count("\ud800")) == (-1, -1, 0)
    assert tricky.search("[\ud800]") is None
    assert tricky.search("\\\ud800") is None


def test_beginnings_ends_and_places_beyond_are_as_those_of_a_str(tricky: Text) -> None:
    for several in (("no", "[é"), ("no",), (), ("",)):
        assert tricky.startswith(several) == TRICKY.startswith(several)
    for several in (("no", "\n"), ("no",), (), ("",)):
        assert tricky.endswith(several) == TRICKY.endswith(several)
    for bounds in ((99,), (len(TRICKY),), (5, 2), (5, 5), (-2, -4)):
        assert tricky.find("", *bounds) == TRICKY.find("", *bounds)
        assert tricky.rfind("", *bounds) == TRICKY.rfind("", *bounds)
        assert tricky.count("", *bounds) == TRICKY.count("", *bounds)


def test_texts_that_overlap_themselves_are_counted_across_pieces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rlm_kernel.contexts.text.DROP_EVERY", 7)
    rng = random.Random(5)
    for number in range(40):
        plain = "".join(rng.choices("ab", k=60))
        path = tmp_path / f"{number}.txt"
        path.write_text(plain)
        for wanted in ("aa", "aba", "ab", "aabaa", "b"):
            assert Text(path).count(wanted) == plain.count(wanted), (plain, wanted)
