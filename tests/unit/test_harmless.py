"""Markdown of a model: nothing in it becomes an element or a link that runs something."""

from __future__ import annotations

import re

import pytest

from rlm_kernel.notebook.harmless import harmless

LINK = re.compile(r"\]\(\s*<?\s*\w*script:|^ {0,3}\[[^\]]*\]:\s*<?\w*script:", re.IGNORECASE | re.MULTILINE)


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "a <img src=x onerror=alert(1)> b",
        "`<img src=x onerror=alert(1)>`",
        "```\n<img src=x onerror=alert(1)>\n```",
        "~~~\n```\n~~~\n<img src=x onerror=alert(1)>\n```\n",
        "$ `\n<img src=x onerror=alert(1)>\n` $",
        "\\<img src=x onerror=alert(1)>",
        "<!-- --><?php <!DOCTYPE html></p><IMG SRC=x>",
        "<https://x/onclick=alert(1) onclick=alert(1)>",
    ],
)
def test_no_element_is_left(text: str) -> None:
    assert re.search(r"<[A-Za-z/!?]", harmless(text)) is None


@pytest.mark.parametrize(
    "text",
    [
        "[x](javascript:alert(1))",
        "[x]( <JavaScript:alert(1)> )",
        "[x](\n javascript:alert(1))",
        "[x]: javascript:alert(1)",
        "`[x](vbscript:alert(1))`",
        "![x](javascript:alert(1))",
    ],
)
def test_no_link_runs_something(text: str) -> None:
    assert LINK.search(text)
    assert LINK.search(harmless(text)) is None


def test_a_colon_that_is_an_entity_or_escaped_is_one() -> None:
    assert harmless("[x](java&#115;cript&colon;a)") == "[x]\\(java&#115;cript&colon;a)"
    assert harmless("[x](javascript\\:a)") == "[x]\\(javascript\\:a)"
    assert harmless("[x](data:text/html,a)") == "[x]\\(data:text/html,a)"


def test_how_it_looks() -> None:
    assert harmless("<b>two</b>") == "&lt;b>two&lt;/b>"
    assert harmless("`List<int>` and <https://example.org/?a=b>.") == "`List< int>` and https://example.org/?a=b."
    assert harmless("for $x<y$") == "for $x< y$"


@pytest.mark.parametrize(
    "text",
    [
        "a < b, 3<4 and 5 > 2, a->b",
        "[a](https://example.org/x:y) [b](mailto:a@b.c) [c](#part) [d](../file.md) ![e](data:image/png;base64,AAAA)",
        "# Title\n\n> quote\n\n| a | b |\n|---|---|\n| 1 | `x[0](y)` |",
        "```python\nx = d['k']\nif x[1]: print(x)\n```",
        "[1]: https://example.org 'Title'",
    ],
)
def test_what_is_harmless_stays(text: str) -> None:
    assert harmless(text) == text
