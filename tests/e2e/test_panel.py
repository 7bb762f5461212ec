"""The panel in the sidebar of JupyterLab: the tree, the buttons, the keyboard, and what stays after a reload."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.e2e.conftest import Lab, LabPage

LOOK = "I look.\n```python\nprint(len(context))\n```"
BATCH = "I ask.\n```python\nreplies = llm_query_batched([f'part {n}' for n in range(30)])\nlen(replies)\n```"
DONE = "Done.\n```python\nFINAL('<b>forty-two</b> <img src=x onerror=alert(1)>')\n```"
PANEL = ".rlm-panel:visible"


def write_script(folder: Path, *replies: str, delay: float) -> str:
    path = folder / "panel-script.json"
    path.write_text(json.dumps({"root": replies, "sub": "yes", "chunk": 4, "delay": delay, "repeat": True}))
    return f"scripted:{path}"


def ask(lab: Lab, notebook: Callable[..., LabPage], *replies: str, delay: float = 0.0) -> LabPage:
    model = write_script(lab.root, *replies, delay=delay)
    page = notebook("context = 'x' * 42", f"%%rlm --model {model} --sub-model {model}\nHow many?")
    page.run_all(wait=False)
    page.page.wait_for_selector(f"{PANEL} [role=treeitem]", timeout=60_000)
    return page


def test_the_tree_is_worked_by_keyboard_and_shows_text_as_text(lab: Lab, notebook: Callable[..., LabPage]) -> None:
    page = ask(lab, notebook, LOOK, BATCH, DONE)
    page.wait_idle()
    panel = page.page.locator(PANEL)
    page.page.wait_for_function("() => document.querySelector('.rlm-panel .rlm-state').textContent === 'Answered'")
    rows = panel.locator("[role=treeitem]")
    assert rows.count() == 5
    assert "30/30" in (rows.nth(3).text_content() or "")
    panel.locator("[role=tree]").focus()
    for key in ("Home", "ArrowDown", "ArrowDown", "ArrowDown", "ArrowRight", "ArrowRight"):
        page.page.keyboard.press(key)
    page.page.wait_for_selector(f"{PANEL} [data-part=prompt] pre:has-text('part 0')")
    page.page.keyboard.press("ArrowLeft")
    page.page.keyboard.press("ArrowLeft")
    page.page.keyboard.press("Home")
    page.page.wait_for_selector(f"{PANEL} [data-part=reply] pre:has-text('<b>forty-two</b> <img')")
    assert panel.locator("img").count() == 0
    assert panel.locator("[aria-selected=true]").count() == 1
    page.shot("panel-light")
    page.dark()
    page.shot("panel-dark")
    page.reload()
    page.page.wait_for_selector(".rlm-panel [role=treeitem]", state="attached", timeout=60_000)
    page.command("rlm:show-panel")
    page.page.wait_for_selector(f"{PANEL} [role=treeitem]", timeout=60_000)
    assert "How many?" in page.page.locator(PANEL).inner_text()
    assert page.errors == []


def test_pause_resume_and_stop(lab: Lab, notebook: Callable[..., LabPage]) -> None:
    page = ask(lab, notebook, LOOK, LOOK.replace("len", "repr"), LOOK, LOOK.replace("len", "type"), DONE, delay=0.2)
    panel = page.page.locator(PANEL)
    panel.get_by_role("button", name="Pause").click()
    page.page.wait_for_function(
        "() => document.querySelector('.rlm-panel .rlm-state').textContent.startsWith('Paused')"
    )
    page.page.wait_for_timeout(500)
    before = panel.locator(".rlm-sums").inner_text().rpartition("·")[0]
    page.page.wait_for_timeout(1_000)
    assert panel.locator(".rlm-sums").inner_text().rpartition("·")[0] == before
    panel.get_by_role("button", name="Resume").click()
    page.page.wait_for_function(
        "() => document.querySelector('.rlm-panel .rlm-state').textContent.startsWith('Running')"
    )
    panel.get_by_role("button", name="Stop").click()
    page.page.wait_for_function("() => document.querySelector('.rlm-panel .rlm-state').textContent === 'Stopped'")
    page.wait_idle()
    assert panel.get_by_role("button", name="Stop").is_disabled()
    assert page.errors == []
