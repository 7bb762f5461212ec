"""Child runs in JupyterLab: in the panel's tree, not in the notebook."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from playwright.sync_api import expect

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.e2e.conftest import Lab, LabPage

ASK = "I hand it on.\n```python\nrs = rlm_query_batched(['part one', 'part two'])\nrs\n```"
DONE = "Done.\n```python\nFINAL('forty-two')\n```"
CHILD = "The child looks.\n```python\nmine = llm_query('leaf')\nFINAL(mine)\n```"
PANEL = ".rlm-panel:visible"


def script(folder: Path, name: str, *replies: str) -> str:
    path = folder / f"{name}.json"
    path.write_text(json.dumps({"root": replies, "sub": "yes", "repeat": True}))
    return f"scripted:{path}"


def test_children_are_in_the_tree_and_not_in_the_notebook(lab: Lab, notebook: Callable[..., LabPage]) -> None:
    models = f"--model {script(lab.root, 'top', ASK, DONE)} --sub-model {script(lab.root, 'child', CHILD)}"
    page = notebook("context = 'x' * 42", f"%%rlm {models}\nHow many?")
    page.run_all(wait=False)
    page.page.wait_for_selector(f"{PANEL} [role=treeitem]", timeout=60_000)
    page.wait_idle()
    page.page.wait_for_function("() => document.querySelector('.rlm-panel .rlm-state').textContent === 'Answered'")
    rows = page.page.locator(PANEL).locator("[role=treeitem]")
    expect(rows).to_have_count(4)
    expect(rows.nth(2)).to_contain_text("2 child runs: part one")
    page.page.locator(PANEL).locator("[role=tree]").focus()
    for key in ("Home", "ArrowDown", "ArrowDown", "ArrowRight"):
        page.page.keyboard.press(key)
    page.page.wait_for_selector(f"{PANEL} [role=treeitem]:has-text('part two')")
    expect(rows).to_have_count(6)
    for key in ("ArrowDown", "ArrowRight", "ArrowDown", "ArrowRight", "ArrowDown"):
        page.page.keyboard.press(key)
    page.page.wait_for_selector(f"{PANEL} [role=treeitem][aria-selected=true]:has-text('leaf')")
    assert [row.get_attribute("aria-level") for row in rows.all()] == ["1", "2", "3", "4", "5", "6", "4", "2"]
    page.shot("panel-children")
    page.page.keyboard.press("ArrowLeft")
    prompt = page.page.locator(f"{PANEL} [data-part=messages]")
    prompt.get_by_text("<question>").first.wait_for()
    expect(prompt).to_contain_text("system")
    page.page.locator(PANEL).get_by_role("button", name="Show the cell that began the child run").click()
    page.wait_for("() => window.jupyterapp.shell.currentWidget.content.activeCell.node.innerText.includes('rlm_query')")
    assert "The child looks" not in page.page.locator(".jp-Notebook").inner_text()
    assert page.errors == []
