"""Texts for a terminal, and lines as they grow."""

from __future__ import annotations

import pytest

from rlm_kernel.cli.progress import Writing, output_text
from rlm_kernel.cli.table import Column, print_table
from rlm_kernel.cli.terminal import make_screen, plain, shorten


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a\tb\nc", "a\tb\nc"),
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07text", "text"),
        ("\x1b]8;;http://a\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x9b2J\x00\x7fx", "2Jx"),
        ("a\r\nb", "a\nb"),
        ("10%\r50%\r100%\nnext", "100%\nnext"),
        ("done\r\n", "done\n"),
        ("abc\u202edef\u2066g", "abcdefg"),
        ("naïve – 日本", "naïve – 日本"),
    ],
)
def test_plain_takes_out_what_steers_a_terminal(text, expected):
    assert plain(text) == expected


def test_a_short_text_is_whole():
    assert shorten("a\nb\n") == ["a", "b"]


def test_a_long_text_says_how_much_is_left_out():
    lines = shorten("\n".join(map(str, range(100))), head=3, tail=2)
    assert lines == ["0", "1", "2", "… 95 more lines …", "98", "99"]
    assert shorten("x" * 500, width=10) == ["xxxxxxxxxx… (490 more characters)"]


def test_lines_are_taken_once_they_are_complete():
    writing = Writing()
    writing.put(0, "one\ntw")
    assert writing.take() == [0]
    writing.put(6, "o\n")
    assert writing.take() == [1]
    assert writing.take() == []
    writing.put(0, "one\ntwo\nthree")
    assert writing.take() == []
    assert writing.take(all_of_it=True) == [2]


def test_outputs_have_a_text():
    assert output_text({"output_type": "stream", "name": "stderr", "text": "no"}) == ("no", "red")
    assert output_text({"output_type": "display_data", "data": {"image/png": "…"}}) == ("[image/png]", "dim")
    assert output_text({"output_type": "execute_result", "data": {"text/plain": "42"}}) == ("42", "")
    assert output_text({"output_type": "error", "ename": "E", "evalue": "v", "traceback": []}) == ("E: v", "red")


@pytest.mark.parametrize(
    ("width", "expected"),
    [
        (80, ["run   outcome  tokens  question", "a1b2  limit     1,234  How many ships are there in the harbour?"]),
        (40, ["run   outcome  tokens  question", "a1b2  limit     1,234  How many ships a…"]),
        (24, ["run   outcome  question", "a1b2  limit    How many…"]),
        (5, ["run   outcome  question"]),
    ],
)
def test_a_narrow_table_leaves_columns_out_and_cuts_no_figure(monkeypatch, capsys, width, expected):
    monkeypatch.setenv("COLUMNS", str(width))
    columns = [Column("run"), Column("outcome"), Column("tokens", right=True, order=1), Column("question", rest=True)]
    print_table(make_screen(), columns, [("a1b2", "limit", "1,234", "How many ships are there in the harbour?")])
    shown = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    if width == 5:
        assert all(len(line) <= width for line in shown)
    else:
        assert shown == expected
