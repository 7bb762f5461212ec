"""Citations through a real kernel: marked in any notebook, and a click on a mark shows the passage."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import nbformat
import pytest

from rlm_kernel.notebook.files import KERNELSPEC
from rlm_kernel.notebook.run import run_notebook
from tests.kernel.page import Page, cell, final, script
from tests.kernel.test_panel_actions import PanelView

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.conftest import LiveKernel

TEXT = "The first ship brought tar.\nThe second ship brought eleven barrels of rye.\n"
ANSWER = "“The second ship brought eleven barrels” [ships.txt:2], “The second ship brought twelve barrels of rye”."
READ = cell("reply = llm_query('Which? ' + context)")


@pytest.mark.usefixtures("kernelspecs")
async def test_a_notebook_without_a_page_has_marks_and_plain_lines(tmp_path: Path) -> None:
    (tmp_path / "ships.txt").write_text(TEXT)
    model = script(tmp_path, READ, final(ANSWER), sub="rye")
    sources = ["load('ships.txt')", f"%%rlm --model {model} --sub-model {model}\nWhich barrels?"]
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    notebook = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": dict(KERNELSPEC)})
    nbformat.write(notebook, tmp_path / "in.ipynb")

    report = await run_notebook(tmp_path / "in.ipynb", tmp_path / "out.ipynb")

    assert report.failure == ""
    outputs = nbformat.read(report.path, as_version=4).cells[1].outputs
    data: Any = next(each.data for each in outputs if "citations:" in each.get("data", {}).get("text/plain", ""))
    marks = re.findall(r"\[([✓≈✗])\]\(#rlm-passage=run-[\w-]+:(\d)", data["text/markdown"])
    assert marks == [("✓", "0"), ("✓", "1"), ("≈", "2")]
    assert "✓ [ships.txt:2]: found: ships.txt, line 2 · characters 28 to 74" in data["text/plain"]
    assert "“twelve” stands as “eleven”" in data["text/plain"]
    assert "read 100 % of the document in 1 call · 3 citations: 2 found, 1 found with differences" in data["text/plain"]


def test_a_click_on_a_mark_docks_the_panel_and_shows_the_passage(
    start_kernel: Callable[..., LiveKernel], tmp_path: Path
) -> None:
    page = Page(start_kernel("rlm"))
    page.finish(page.ask(f"context = {TEXT!r}", "load"))
    model = script(tmp_path, READ, final(ANSWER.replace("ships.txt:2", "line 2")), sub="rye")
    page.finish(page.ask(f"%%rlm --model {model} --sub-model {model}\nWhich?", "q"))
    docks = len(page.of("dock"))
    page.send(type="passage", run_id=page.run_id, number=2)
    page.wait_for(lambda: len(page.of("dock")) > docks)
    view = PanelView(page.kernel, page.of("dock")[-1]["model_id"])
    shown = view.wait_for("passage")
    assert (shown["id"], shown["state"]) == (page.run_id, "there")
    assert shown["passage"]["passage"] == "The second ship brought eleven barrels of rye"
    assert shown["citation"]["difference"] == "“twelve” stands as “eleven”"
    page.send(type="passage", run_id=page.run_id, number=9)
    page.wait_for(lambda: page.of("problem"))
    assert "no such citation" in page.of("problem")[-1]["text"]
    page.send(type="passage", run_id="run-nothing", number=0)
    page.wait_for(lambda: len(page.of("problem")) == 2)
    # Another kernel of the notebook has the answer in the store, and no document.
    page.finish(page.ask("del context", "load"))
    view.send(kind="passage", view="v", id=page.run_id, number=0)
    page.wait_for(lambda: view.wait_for("passage").get("view") == "v")
    assert view.wait_for("passage")["state"] == "gone"
