"""Full-text search with ranking."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import psutil
import pytest

from rlm_kernel.contexts import search
from rlm_kernel.contexts.search import search_ranked
from rlm_kernel.contexts.text import Text
from rlm_kernel.errors import ContextError, InputError

if TYPE_CHECKING:
    from pathlib import Path

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="the index is made in a process of its own on Linux")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RLM_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "search"


def haystack(lines: int) -> str:
    rng = random.Random(1)
    words = ["river", "stone", "tower", "winter", "letter", "garden", "market", "candle", "harbour", "window"]
    made = [" ".join(rng.choices(words, k=9)) + "." for _ in range(lines)]
    made[lines // 3] = "The late fee of the Übersee library is eleven shillings."
    made[lines // 2] = "A fee came late."
    return "\n".join(made) + "\n"


def test_the_best_passage_is_first_and_knows_its_place() -> None:
    text = haystack(2_000)
    found = search_ranked(text, '"late fee" ubersee library', 3)

    assert "eleven shillings" in found[0]
    assert text[found[0].start : found[0].end] == found[0]
    assert found[0].score > found[-1].score or len(found) == 1
    assert found[0].where == f"offset {found[0].start:,}"


def test_phrases_and_beginnings_of_words() -> None:
    text = haystack(2_000)

    assert len(search_ranked(text, '"late fee"')) == 1
    assert len(search_ranked(text, "shill*")) == 1
    assert search_ranked(text, "nowhereatall") == []
    assert len(search_ranked(text, "river stone", 5)) == 5


def test_scripts_without_spaces() -> None:
    """Chinese and Japanese words are found within their sentences, also beside Latin ones."""
    lines = ["川辺の石の塔には冬の手紙がある。" * 3, "市場の窓から港が見える。" * 3, "花园的蜡烛在窗前。" * 3] * 400
    lines[500] = "東京タワーの高さは333メートルで、1958年にPython協会が測った。"
    lines[700] = "图书馆的滞纳金是十一先令。"
    text = "\n".join(lines)

    for query in ("東京タワー", "東京タワーの高さ", '"高さは333メートル"', "Python 協会", "1958"):
        assert "東京タワー" in search_ranked(text, query, 1)[0], query
    for query in ("滞纳金", "图书馆", "金"):
        assert "滞纳金" in search_ranked(text, query, 1)[0], query
    assert search_ranked(text, "京東") == []
    assert "港が見える" in search_ranked(text, "港が見*")[0]


@pytest.mark.parametrize("query", ["", "  ", '""', "-?!"])
def test_a_query_without_a_word_is_refused(query: str) -> None:
    with pytest.raises(InputError, match="no word"):
        search_ranked("some text", query)


def test_passages_are_all_of_the_text() -> None:
    text = haystack(300) + "x" * 5_000
    covered = 0

    for start, passage in search._passages(text):
        assert text[start : start + len(passage)] == passage
        assert not text[covered:start].strip()
        covered = start + len(passage)
    assert covered == len(text)


@linux_only
def test_a_large_text_is_indexed_once_beside_it(tmp_path: Path, cache: Path) -> None:
    text = haystack(45_000)
    path = tmp_path / "big.txt"
    path.write_text(text, encoding="utf-8")
    on_disk = Text(path)

    first = search_ranked(on_disk, "late fee library", 1)[0]
    assert "eleven shillings" in first
    assert first.where == f"big.txt, line {text.count(chr(10), 0, first.start) + 1:,}"
    made = {each.name: each.stat().st_ino for each in cache.iterdir()}
    assert len(made) == 1
    assert search_ranked(text, "late fee library", 1) == [first]  # the text itself, in memory: an index of its own
    assert search_ranked(Text(path), "late fee library", 1) == [first]
    assert {name: (cache / name).stat().st_ino for name in made} == made
    assert [each.suffix for each in cache.iterdir()] == [".sqlite"] * 2


@linux_only
def test_a_full_disk_is_named_and_leaves_nothing(cache: Path) -> None:
    text = haystack(45_000)
    program = (
        "import resource, signal, sys\n"
        "from rlm_kernel.contexts.search import search_ranked\n"
        "from rlm_kernel.errors import ContextError\n"
        "text = sys.stdin.read()\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
        "try:\n    search_ranked(text, 'late fee')\n"
        "except ContextError as error:\n    print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], input=text, capture_output=True, text=True, timeout=60, check=True
    )

    assert "could not be made" in done.stdout
    assert "RLM_CACHE" in done.stdout
    assert list(cache.iterdir()) == []


@linux_only
def test_an_interrupted_search_leaves_the_making_to_go_on(tmp_path: Path, cache: Path) -> None:
    path = tmp_path / "big.txt"
    path.write_text(haystack(45_000), encoding="utf-8")
    program = (
        "import os, signal, sys\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from rlm_kernel.contexts.search import search_ranked\n"
        "from rlm_kernel.contexts.text import Text\n"
        "os.register_at_fork(after_in_child=lambda: os.kill(os.getpid(), signal.SIGSTOP))\n"
        "search_ranked(Text(sys.argv[1]), 'late fee')\n"
    )
    with subprocess.Popen([sys.executable, "-c", program, str(path)], stderr=subprocess.DEVNULL) as process:
        at_work = psutil.Process(process.pid)
        until(lambda: [each.status() for each in at_work.children()] == [psutil.STATUS_STOPPED])
        maker = at_work.children()[0]
        os.kill(process.pid, signal.SIGINT)
        assert process.wait(20) != 0
    assert not list(cache.glob("*.sqlite"))
    maker.resume()
    until(lambda: bool(list(cache.glob("*.sqlite"))))

    assert "eleven shillings" in search_ranked(Text(path), "late fee library", 1)[0]


def test_old_indexes_make_room(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache.mkdir(parents=True)
    for number in range(4):
        (cache / f"{number}.sqlite").write_bytes(bytes(100))
        os.utime(cache / f"{number}.sqlite", (number, number))
    monkeypatch.setattr(search, "KEEP_BYTES", 250)
    search._make_room(cache)

    assert sorted(each.name for each in cache.iterdir()) == ["2.sqlite", "3.sqlite"]


def test_a_cache_that_cannot_be_made_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("RLM_CACHE", str(tmp_path / "file"))

    with pytest.raises(ContextError, match="cannot be kept"):
        search_ranked(haystack(45_003), "fee")


def until(happens: object, seconds: float = 60) -> None:
    ends = time.monotonic() + seconds
    while not happens():  # type: ignore[operator]
        assert time.monotonic() < ends, "it did not happen"
        time.sleep(0.02)


@pytest.mark.parametrize("on_disk", [False, True])
def test_a_phrase_that_crosses_two_passages_is_found(tmp_path: Path, *, on_disk: bool) -> None:
    plain = "\n".join(f"word{number} filler text that is long enough to matter hére" for number in range(60))
    (tmp_path / "words.txt").write_text(plain, encoding="utf-8")
    text = Text(tmp_path / "words.txt") if on_disk else plain
    edges = [start for start, _ in search._passages(text)][1:]
    names = [plain[start:].split()[0] for start in edges]
    for name in names:
        for query in (f'"to matter hére {name}"', f'nowhere "To  Matter, HÉRE-{name} filler"'):
            [found] = search_ranked(text, query)
            assert plain[found.start : found.end] == found
            assert f"to matter hére\n{name}" in found
    both = search_ranked(text, f'"hére {names[1]}" "hére {names[0]}"')
    assert [found.start for found in both] == [0, edges[0]]
    assert len(search_ranked(text, f'"hére {names[1]}" "hére {names[0]}"', 1)) == 1
    assert search_ranked(text, f'"o matter hére {names[0]}"') == [], "a phrase begins with a word"


def test_a_phrase_without_spaces_that_crosses_two_passages_is_found() -> None:
    plain = "川辺の石の塔には冬の手紙がある" * 200
    first = next(search._passages(plain))[1]
    at = len(first)
    wanted = plain[at - 20 : at + 20]

    assert any(wanted in found for found in search_ranked(plain, f'"{wanted}"'))
    odd = plain[:at] + "金" + plain[at:]
    assert f"{odd[at - 3 : at]}金" in search_ranked(odd, f'"{odd[at - 3 : at]}金"', 1)[0]


@pytest.mark.parametrize("query", ["_", "__ _*", '"..."', '"\0"', '"\ud800"', '"_"'])
def test_signs_alone_are_no_words(query: str) -> None:
    with pytest.raises(InputError, match="no word"):
        search_ranked("some text _ ...", query)


def test_a_number_of_passages_is_a_whole_one() -> None:
    for wrong in (2.5, 0, -1, "3", None):
        with pytest.raises(InputError, match=r"passages cannot be given\. Give k as a whole number from 1"):
            search_ranked("some text", "text", wrong)  # type: ignore[arg-type]
    assert search_ranked("some text", "text", 10**30) == ["some text"]


def test_half_characters_and_zeros_part_words() -> None:
    text = "a\0b met \ud800 x, and caf\udce9 too"
    for query in ('"a\0b"', '"a b"', '"met \ud800 x"', "caf", '"caf\udce9 too"', '"b\udc00met"'):
        [found] = search_ranked(text, query)
        assert (found, found.start, found.end) == (text, 0, len(text)), query
