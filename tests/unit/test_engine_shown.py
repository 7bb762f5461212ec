"""Outputs as the model reads them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rlm_kernel.engine.shown import error_text, head_and_tail, plain, rich_text, shown

if TYPE_CHECKING:
    from rlm_kernel.engine.executor import Output


def test_streams_values_and_errors_in_order() -> None:
    outputs: list[Output] = [
        {"output_type": "stream", "name": "stdout", "text": "one\ntwo\n"},
        {"output_type": "stream", "name": "stderr", "text": "careful\n"},
        {"output_type": "execute_result", "data": {"text/plain": "42"}, "execution_count": 3},
        {"output_type": "execute_result", "data": {"text/plain": "a\nb"}, "execution_count": 4},
        {"output_type": "error", "ename": "KeyError", "evalue": "'x'", "traceback": []},
    ]
    assert shown(outputs) == "one\ntwo\ncareful\nOut: 42\nOut:\na\nb\nKeyError: 'x'"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Cell In[7], line 2, in f(x)", "Cell In[3], line 2, in f(x)"),
        ("  Cell In[4], line 1", "  Cell above, line 1"),
        ("<function f at 0x7f3c2a1b5d90>", "<function f at 0x…>"),
        ('File "/tmp/ipykernel_4711/1234567.py", line 1', 'File "<cell>", line 1'),
        ("/tmp/ipykernel_4711/1234567.py:1: UserWarning: old", "<cell>:1: UserWarning: old"),
        ("<ipython-input-18-062be29a7abc>:2: UserWarning: old", "<cell>:2: UserWarning: old"),
        ("the value 0x7f3c2a1b is kept; In[7] too", "the value 0x7f3c2a1b is kept; In[7] too"),
    ],
)
def test_what_differs_from_time_to_time_is_not_told(text: str, expected: str) -> None:
    assert shown([{"output_type": "stream", "name": "stdout", "text": text}], cells=[5, 6, 7]) == expected


def test_nothing_is_nothing() -> None:
    assert shown([]) == ""
    assert shown([{"output_type": "stream", "name": "stdout", "text": "\n"}]) == ""


@given(st.text(max_size=300), st.integers(10, 100))
def test_the_middle_is_left_out_and_counted(text: str, limit: int) -> None:
    short = head_and_tail(text, limit)
    if len(text) <= limit:
        assert short == text
    else:
        head, tail = int(limit * 0.6), limit - int(limit * 0.6)
        assert short == f"{text[:head]}\n[… {len(text) - limit:,} characters left out …]\n{text[-tail:]}"


def test_long_output_keeps_both_ends() -> None:
    text = shown([{"output_type": "stream", "name": "stdout", "text": "a" * 50_000 + "the end"}])
    assert len(text) < 10_100
    assert text.endswith("the end")
    assert "40,007 characters left out" in text


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("\x1b[0;31mred\x1b[0m", "red"),
        ("\x1b]8;;http://x\x07link\x1b]8;;\x07", "link"),
        ("10%\r50%\r100%\n", "100%\n"),
        ("a\r\nb", "a\nb"),
        ("done\r", "done\r"),
    ],
)
def test_terminal_codes_are_taken_away(raw: str, expected: str) -> None:
    assert plain(raw) == expected


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"text/plain": "x", "text/html": "<b>x</b>"}, "x"),
        ({"text/plain": "<IPython.core.display.Markdown object>", "text/markdown": "# Title"}, "# Title"),
        ({"text/plain": "<IPython.core.display.HTML object>", "text/html": "<p>a &amp; b</p>\n<br>c"}, "a & b\nc"),
        ({"text/plain": "<Figure 640x480>", "image/png": "iVBOR"}, "<Figure 640x480>\n[image/png]"),
        ({"text/plain": ["a\n", "b"]}, "a\nb"),
        ({"image/png": "x"}, "[image/png]"),
        ({"application/json": {"a": 1}}, "{'a': 1}"),
        ({}, ""),
    ],
)  # fmt: skip
def test_rich_output_has_a_text(data: dict[str, object], expected: str) -> None:
    assert rich_text(data) == expected


TRACEBACK = [
    "\x1b[31m---------------------------------------------------------------------------\x1b[39m",
    "\x1b[31mValueError\x1b[39m                                Traceback (most recent call last)",
    "\x1b[36mCell\x1b[39m\x1b[36m \x1b[39m\x1b[32mIn[2]\x1b[39m\x1b[32m, line 3\x1b[39m\n      1 import json\n"
    "      2 \n----> 3 json.loads('{')",
    "\x1b[36mFile \x1b[39m\x1b[32m/usr/lib/python3.11/json/__init__.py:346\x1b[39m, in loads(s)\n    345 \n--> 346 x",
    "\x1b[36mFile \x1b[39m\x1b[32m/usr/lib/python3.11/json/decoder.py:337\x1b[39m, in decode(s)\n    336 y\n--> 337 z",
    "\x1b[31mValueError\x1b[39m: Expecting value\n\nwith more to say",
]


def test_a_traceback_is_trimmed_to_the_cell() -> None:
    parts = [*TRACEBACK[:2], "\n\n".join(TRACEBACK[2:])]
    assert error_text("ValueError", "", parts) == (
        "ValueError                                Traceback (most recent call last)\n"
        "Cell In[2], line 3\n      1 import json\n      2 \n----> 3 json.loads('{')\n"
        "[… 2 frames outside the cells left out …]\n"
        "ValueError: Expecting value\nwith more to say"
    )


def test_other_tracebacks_stay_whole() -> None:
    text = 'Traceback (most recent call last):\n  File "x.py", line 1\nNameError: a'
    assert error_text("NameError", "a", [text]) == text
    syntax = "  Cell In[1], line 1\n    x =\n       ^\nSyntaxError: invalid syntax"
    assert error_text("SyntaxError", "", [syntax]) == syntax
