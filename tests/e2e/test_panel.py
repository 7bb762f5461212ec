"""The panel in the sidebar of JupyterLab: the tree, the buttons, the keyboard, and what stays after a reload."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from playwright.sync_api import expect

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


def state_is(page: LabPage, text: str) -> None:
    page.wait_for("text => document.querySelector('.rlm-panel .rlm-state').textContent.startsWith(text)", arg=text)


def labels(page: LabPage, selector: str = PANEL) -> list[str]:
    return page.page.locator(f"{selector} [role=treeitem] .rlm-label").all_inner_texts()


def test_the_tree_is_worked_by_keyboard_and_shows_text_as_text(lab: Lab, notebook: Callable[..., LabPage]) -> None:
    page = ask(lab, notebook, LOOK, BATCH, DONE)
    page.wait_idle()
    panel = page.page.locator(PANEL)
    state_is(page, "Answered")
    rows = panel.locator("[role=treeitem]")
    expect(rows).to_have_count(5)
    expect(rows.nth(3)).to_have_attribute("aria-label", re.compile("30 calls"))
    panel.locator("[role=tree]").focus()
    for key in ("Home", "ArrowDown", "ArrowDown", "ArrowDown", "ArrowRight", "ArrowRight"):
        page.page.keyboard.press(key)
    page.page.wait_for_selector(f"{PANEL} .rlm-view-detail :text('part 0')")
    page.page.keyboard.press("ArrowLeft")
    page.page.keyboard.press("ArrowLeft")
    page.page.keyboard.press("Home")
    page.page.wait_for_selector(f"{PANEL} .rlm-view-detail :text('<b>forty-two</b> <img')")
    assert panel.locator("img").count() == 0
    expect(panel.locator("[role=treeitem][aria-selected=true]")).to_have_count(1)
    # The panel is as high as the sidebar, and nothing of it lies outside.
    box, dock = panel.bounding_box(), page.page.locator(".rlm-Dock-view:visible").bounding_box()
    assert box is not None
    assert dock is not None
    assert abs(box["height"] - dock["height"]) < 3
    assert panel.evaluate("node => node.querySelector('.rlm-frame').scrollWidth <= node.clientWidth")
    page.shot("panel-light")
    page.dark()
    for tab in ("Timeline", "Scaling", "Detail"):
        panel.get_by_role("tab", name=tab).click()
        page.page.wait_for_timeout(400)
        page.shot(f"panel-dark-{tab.lower()}")
    assert page.errors == []


def test_search_order_failures_and_copy(lab: Lab, notebook: Callable[..., LabPage]) -> None:
    broken = "I try.\n```python\n1 / 0\n```"
    page = ask(lab, notebook, LOOK, broken, BATCH, DONE)
    page.wait_idle()
    state_is(page, "Answered")
    panel = page.page.locator(PANEL)
    panel.locator("[role=tree]").focus()
    page.page.keyboard.press("Home")
    page.page.keyboard.press("F8")
    chosen = panel.locator("[role=treeitem][aria-selected=true]")
    expect(chosen).to_have_attribute("aria-label", re.compile("error"))
    expect(panel.locator(".rlm-failures")).to_have_text("✕ 1 failure")
    page.page.keyboard.press("/")
    page.page.keyboard.type("part 17")
    page.wait_for("() => document.querySelectorAll('.rlm-panel [role=treeitem]').length === 4")
    assert labels(page)[-1] == "part 17"
    panel.get_by_label("texts").check()
    panel.get_by_label("Search in labels").fill("ZeroDivision")
    page.wait_for("() => document.querySelector('.rlm-panel [data-match] .rlm-label')?.textContent.includes('1 / 0')")
    panel.get_by_label("Search in labels").press("Escape")
    page.wait_for("() => document.querySelectorAll('.rlm-panel [role=treeitem]').length === 6")
    panel.get_by_label("Order of siblings").select_option("tokens")
    page.wait_for(
        "() => document.querySelectorAll('.rlm-panel [data-kind=turn] .rlm-label')[0].textContent.startsWith('replies')"
    )
    page.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    panel.locator("[role=tree]").focus()
    page.page.keyboard.press("Home")
    page.page.keyboard.press("Control+c")
    page.wait_for("() => document.querySelector('.rlm-panel .rlm-spoken').textContent === 'Copied as Markdown.'")
    assert page.page.evaluate("() => navigator.clipboard.readText()").startswith("# Question: How many?")
    panel.get_by_role("button", name="Copy ▾").click()
    with page.page.expect_download() as download:
        panel.get_by_role("menuitem", name="Save the question as JSON").click()
    told = json.loads(download.value.path().read_text("utf-8"))
    assert [len(turn["children"]) for turn in told["children"]] == [0, 0, 30, 0]
    assert page.errors == []


def test_late_views_and_reloads_show_the_same_tree(lab: Lab, notebook: Callable[..., LabPage]) -> None:
    page = ask(lab, notebook, LOOK, BATCH, DONE)
    page.wait_idle()
    state_is(page, "Answered")
    seen = labels(page)
    assert len(seen) == 5
    page.reload()
    page.page.wait_for_selector(".rlm-panel [role=treeitem]", state="attached", timeout=60_000)
    page.command("rlm:show-panel")
    page.page.wait_for_selector(f"{PANEL} [role=treeitem]", timeout=60_000)
    state_is(page, "Answered")
    page.wait_until(lambda: labels(page) == seen)
    # The tree of a kernel that is gone comes back from the store.
    first = page.page.locator(".rlm-panel").first.get_attribute("id")
    page.page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()")
    page.wait_for(
        "first => document.querySelector('.rlm-Dock-view .rlm-panel[data-phase=live] [role=treeitem]')"
        " && document.querySelector('.rlm-Dock-view .rlm-panel').id !== first",
        timeout=60,
        arg=first,
    )
    page.wait_until(lambda: labels(page) == seen)
    page.shot("panel-after-restart")


def test_pause_resume_and_stop(lab: Lab, notebook: Callable[..., LabPage]) -> None:
    page = ask(lab, notebook, LOOK, LOOK.replace("len", "repr"), LOOK, LOOK.replace("len", "type"), DONE, delay=0.2)
    panel = page.page.locator(PANEL)
    panel.get_by_role("button", name="Pause").click()
    state_is(page, "Paused")
    page.page.wait_for_timeout(500)
    before = panel.locator(".rlm-sums").inner_text().rpartition("·")[0]
    page.page.wait_for_timeout(1_000)
    assert panel.locator(".rlm-sums").inner_text().rpartition("·")[0] == before
    # In a narrow sidebar too, nothing of it lies outside.
    send, sides = panel.get_by_role("button", name="Send").bounding_box(), panel.bounding_box()
    assert send is not None
    assert sides is not None
    assert sides["width"] <= 260
    assert send["x"] + send["width"] <= sides["x"] + sides["width"]
    panel.get_by_label("Message to the model").fill("Look at the end, <b>please</b>.")
    panel.get_by_label("Message to the model").press("Enter")
    page.page.wait_for_selector(f"{PANEL} .rlm-pending:has-text('Look at the end, <b>please</b>.')")
    page.shot("panel-paused")
    panel.get_by_role("button", name="Resume").click()
    state_is(page, "Running")
    panel.get_by_role("button", name="Stop").click()
    state_is(page, "Stopped")
    page.wait_idle()
    expect(panel.get_by_role("button", name="Stop")).to_be_disabled()
    assert page.errors == []


def test_the_panel_is_there_before_any_question(notebook: Callable[..., LabPage]) -> None:
    page = notebook("1 + 1")
    page.wait_for("() => window.jupyterapp.commands.isEnabled('rlm:show-panel')")
    page.command("rlm:show-panel")
    expect(page.page.locator(PANEL)).to_contain_text("No question yet. Write %%rlm in the first line of a cell")
    assert page.errors == []


def test_what_is_said_in_the_last_turn_is_pending_and_then_heard(lab: Lab, notebook: Callable[..., LabPage]) -> None:
    go_on = lab.root / "go-on"
    go_on.unlink(missing_ok=True)
    hold = f"import pathlib, time\nwhile not pathlib.Path({str(go_on)!r}).exists():\n    time.sleep(0.05)\n"
    page = ask(lab, notebook, f"I answer.\n```python\n{hold}FINAL('first')\n```", DONE)
    panel = page.page.locator(PANEL)
    expect(panel.locator(".rlm-state")).to_have_text("Running: the cell")
    panel.get_by_label("Message to the model").fill("Say it in words.")
    panel.get_by_label("Message to the model").press("Enter")
    expect(panel.locator(".rlm-pending")).to_have_text("With the next turn: Say it in words.")
    go_on.touch()
    state_is(page, "Answered")
    expect(panel.locator(".rlm-pending")).to_be_hidden()
    expect(panel.locator("[role=treeitem][data-kind=turn]")).to_have_count(2)
    panel.locator("[role=treeitem][data-kind=turn]").first.click()
    told = panel.locator("[data-part=told]")
    expect(told).to_contain_text("Told after this turn")
    expect(told).to_contain_text("Say it in words.")
    assert page.errors == []
