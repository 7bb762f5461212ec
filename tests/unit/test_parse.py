"""Replies are taken apart the same way however they come."""

from __future__ import annotations

import ast
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rlm_kernel.engine.parse import ReplySplitter, final_cell, in_string


def split(text: str, *cuts: int) -> ReplySplitter:
    """Feed a text cut at some places; check that the pieces add up to the parts."""
    splitter, seen = ReplySplitter(), {"prose": "", "code": ""}
    edges = [0, *sorted(cut for cut in cuts if cut < len(text)), len(text)]
    pieces = [piece for a, b in pairwise(edges) for piece in splitter.feed(text[a:b])]
    for part, pos, piece in [*pieces, *splitter.finish()]:
        assert pos == len(seen[part])
        seen[part] += piece
    assert seen == {"prose": splitter.prose, "code": splitter.code}
    return splitter


def state(splitter: ReplySplitter) -> tuple[str, str, bool, str, int]:
    return splitter.prose, splitter.code, splitter.closed, splitter.text, splitter.extra


FRAGMENTS = [
    "```python\n",
    "```repl\n",
    "````py\n",
    "```json\n",
    "```\n",
    "````\n",
    "```",
    "  ```\n",
    "    ```\n",
    '"""',
    "'''",
    "\n",
    "\r\n",
    "`x`",
    "# it's\n",
    'print("hi")\n',
    "Words, and more.",
    "\\",
    " ",
]


@given(st.lists(st.sampled_from(FRAGMENTS), max_size=14).map("".join), st.lists(st.integers(0, 120), max_size=12))
def test_any_cutting_gives_the_same_parts(text: str, cuts: list[int]) -> None:
    assert state(split(text, *cuts)) == state(split(text))
    assert state(split(text, *range(len(text)))) == state(split(text))


@given(st.text(), st.lists(st.integers(0, 60), max_size=5))
def test_any_text_is_survived(text: str, cuts: list[int]) -> None:
    assert state(split(text, *cuts)) == state(split(text))


@pytest.mark.parametrize("language", ["python", "repl", "py", "Python", "python title=x"])
def test_the_first_cell_is_taken(language: str) -> None:
    found = split(f"I look.\n\n```{language}\nx = 1\n\nx\n```\nOutput: 1\n```python\ny\n```")
    assert (found.prose, found.code, found.closed) == ("I look.", "x = 1\n\nx", True)
    assert found.extra == len("Output: 1\n```python\ny\n```")


def test_text_ends_with_the_cell() -> None:
    assert split("Look.\n```python\n1\n```\nmore").text == "Look.\n```python\n1\n```\n"


def test_other_blocks_are_prose() -> None:
    found = split('Like this:\n```json\n{"a": 1}\n```\nso\n```python\n1\n```')
    assert found.prose == 'Like this:\n```json\n{"a": 1}\n```\nso'
    assert found.code == "1"


def test_a_cell_inside_a_longer_fence_is_prose() -> None:
    found = split("````markdown\n```python\n1\n```\n````\n")
    assert (found.code, found.opened) == ("", False)


def test_a_longer_fence_keeps_shorter_ones() -> None:
    assert split("````python\na\n```\nb\n````").code == "a\n```\nb"


def test_a_fence_in_a_string_does_not_end_the_cell() -> None:
    code = 'p = f"""\n```json\n{x}\n```\n"""\nprint(p)'
    found = split(f"```python\n{code}\n```\nafter")
    assert (found.code, found.closed) == (code, True)


def test_a_string_left_open_does_not_swallow_the_end() -> None:
    found = split('```python\nx = """abc\n```')
    assert (found.code, found.closed) == ('x = """abc', True)


def test_unclosed() -> None:
    found = split("Go.\n```python\nprint(1)")
    assert (found.code, found.unclosed) == ("print(1)", True)
    assert not split("no cell").unclosed


def test_text_flows_before_a_line_is_over() -> None:
    splitter = ReplySplitter()
    assert [piece.text for piece in splitter.feed("I lo")] == ["I lo"]
    assert splitter.feed("ok\n``") == [("prose", 4, "ok")]
    assert [piece.text for piece in splitter.feed("x")] == ["\n``x"]


@pytest.mark.parametrize(
    ("code", "inside"),
    [
        ('x = """a', True),
        ('x = """a"""', False),
        ("x = '''it\"\"\"", True),
        ("# don't '''\n", False),
        ("x = 'don\\'t'", False),
        ('x = """a\\"""', True),
        ("x = 'not closed\ny = 1", False),
        ("''", False),
        ("''''''", False),
    ],
)
def test_in_string(code: str, inside: bool) -> None:
    assert in_string(code) is inside


@given(st.lists(st.sampled_from(["'", '"', "'''", '"""', "a", "\n", "# ", "\\\\", " = "]), max_size=12).map("".join))
def test_valid_code_never_ends_in_a_string(code: str) -> None:
    try:
        ast.parse(code)
    except SyntaxError:
        return
    assert not in_string(code)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("FINAL(42)", "FINAL('42')"),
        ('So:\nFINAL("It is (about) 4.")', "FINAL('It is (about) 4.')"),
        ("FINAL(one\ntwo (2)\nthree)\n", "FINAL('one\\ntwo (2)\\nthree')"),
        ("  FINAL_VAR(result)", "FINAL_VAR('result')"),
        ('FINAL_VAR("result")', "FINAL_VAR('result')"),
        ("FINAL_VAR(a b)", None),
        ("FINAL()", None),
        ('FINAL("")', None),
        ("I will call FINAL(x) later", None),
        ("```text\nFINAL(1)\n```", None),
        ("FINAL(never closed", None),
        ("nothing", None),
    ],
)
def test_answers_in_the_text(text: str, expected: str | None) -> None:
    assert final_cell(text) == expected
