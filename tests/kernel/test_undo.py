"""Going back to before a cell of one's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.kernel.page import Page, cell, final, script

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.conftest import LiveKernel


def test_undo(start_kernel: Callable[..., LiveKernel], tmp_path: Path) -> None:
    page = Page(k := start_kernel("rlm"))
    page.finish(page.ask("x = [1]\nnext_ = (n for n in range(9))", "a"))
    page.finish(page.ask("x.append(2); next(next_)", "b"))
    page.finish(page.ask(f"x.append(3); y = open({str(tmp_path / 'f')!r}, 'w').write('a')", "c"))
    ran = k.run("%rlm undo 2")
    assert "back to before In [2]" in ran.text
    assert "In [2], In [3]" in ran.text
    assert "In [3]: Line 1 writes a file" in ran.text
    page.look()
    assert page.of("undone")[-1]["cell_ids"] == ["b", "c"]
    assert sorted(Page(k).ack["undone"]) == ["b", "c"], "a page that comes late is told too"
    ran = k.run("x, next(next_)")
    assert ran.result == "([1], 0)"
    assert ran.count == 5, "no two cells have the same number"
    assert "no part of Python's present state" in k.run("%rlm undo 3").error["evalue"]
    assert "undo takes the number" in k.run("%rlm undo x").error["evalue"]
    assert "In [5]" in k.run("%rlm undo").text, "the last cell; orders are none"
    page.send(type="undo", cell_id="a")
    page.wait_for(lambda: len(page.of("undone")) == 3)
    assert k.run("'x' in globals()").result == "False"
    page.finish(page.ask("x = 5", "b"))
    assert sorted(Page(k).ack["undone"]) == ["a", "c"], "what has run since counts again"
    page.send(type="undo", cell_id="nowhere")
    page.wait_for(lambda: page.of("problem"))
    assert "no part of" in page.of("problem")[-1]["text"]


def test_undo_is_refused_while_a_run_lasts(start_kernel: Callable[..., LiveKernel], tmp_path: Path) -> None:
    page = Page(k := start_kernel("rlm"))
    page.finish(page.ask("context = 'text'\nz = 1", "a"))
    page.finish(page.ask("z = 2", "b"))
    model = script(tmp_path, cell("w = 1"), final("A."))
    msg_id = page.ask(f"%%rlm --approve each --model {model}\nWho?")
    page.wait_for(lambda: page.of("waiting"))
    page.send(type="undo", cell_id="b")
    page.wait_for(lambda: page.of("problem"))
    assert "A run is going" in page.of("problem")[-1]["text"]
    assert "A run is going" in k.run("%rlm undo").error["evalue"]
    for _ in range(2):
        page.wait_for(lambda: page.of("waiting")[-1]["waiting"])
        page.send(type="decision", id=page.of("waiting")[-1]["waiting"][0]["id"], decision={"verdict": "approve"})
        page.wait_for(lambda: not page.of("waiting")[-1]["waiting"])
    page.finish(msg_id)
    assert k.run("z").result == "2"


def test_undo_by_running_again(start_kernel: Callable[..., LiveKernel]) -> None:
    page = Page(k := start_kernel("rlm", extra_arguments=["--RlmKernel.checkpoints=False"]))
    page.finish(page.ask("x = 1", "a"))
    page.finish(page.ask("x = 2", "b"))
    refused = k.run("%rlm undo")
    assert "not kept any more" in refused.error["evalue"]
    assert "%rlm undo 2 --replay" in refused.error["evalue"]
    page.send(type="undo", cell_id="b")
    page.wait_for(lambda: page.of("problem"))
    assert (page.of("problem")[-1]["offer"], page.of("problem")[-1]["cell_id"]) == ("undo", "b")
    page.send(type="undo", cell_id="b", replay=True)
    page.wait_for(lambda: page.of("undone"))
    assert k.run("x").result == "1"
