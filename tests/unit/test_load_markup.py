"""What becomes of HTML: tables, letters that are not seen, and pages that are broken."""

from __future__ import annotations

import time

import pytest

from rlm_kernel.contexts.loaders.markup import html_to_text


@pytest.mark.parametrize(
    ("rows", "text"),
    [
        ("<tr><td>A<td>x<br>y<td>7<tr><td>b<td>c", "A | x y | 7\nb | c"),
        ("<tr><td>A</td><td><p>x</p><p>y</p></td></tr><tr><td>b</td><td></td></tr>", "A | x y\nb |"),
        ("<tr><td>A<td> <br> <td>7", "A | | 7"),
        ("<tr><td>A<td><ul><li>x<li>y</ul><td>7", "A | - x - y | 7"),
        ("<tr><td><p>x</p><p>y</p></td></tr>", "x\n\ny"),
        ("<tr><td><h2>T</h2><p>x</p><td>menu", "## T\n\nx\n\nmenu"),
        ("<tr><td>a<br>b<td><table><tr><td>1<td>2<br>3</table>x<td>y", "a\nb\n\n1 | 2 3\n\nx\ny"),
        ("<tr><td>a<td>" + "x" * 1500 + "<p>" + "y" * 1500, "a | " + "x" * 1500 + "\n\n" + "y" * 1500),
        ("<tr><td>a<td>b<br>c<td><pre>d\n e</pre>", "a | b\nc\nd\n e"),
    ],
)
def test_the_cells_of_a_row_stay_in_one_line(rows, text):
    assert html_to_text(f"<table>{rows}</table>end")[0] == f"{text}\n\nend"
    assert html_to_text(f"<table>{rows}")[0] == text


def test_letters_that_are_not_seen_are_left_out():
    assert (
        html_to_text("<p>co&shy;operation\u200b</p><p>&#x200b;</p><pre>\ufeffa\u00adb</pre>")[0] == "cooperation\n\nab"
    )


@pytest.mark.parametrize("piece", ["<b>x</b> y ", "<!-- ", "<a ", "</a ", "<?x "])
def test_the_time_grows_no_faster_than_the_page(piece):
    # The first three took more than a minute at this size.
    began = time.perf_counter()
    html_to_text(piece * 500_000)
    assert time.perf_counter() - began < 20


def test_the_text_behind_what_ends_nowhere_is_kept():
    assert html_to_text("a<!-- no --><p>b <!-- c<p>d</p>e <f")[0] == "a\n\nb <!-- c\n\nd\n\ne <f"
    assert html_to_text("a<!-->-->b")[0] == "ab"
