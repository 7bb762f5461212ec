"""From the mark of a citation to the passage, and from a part of the document to who read it."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Locator

    from tests.e2e.conftest import Lab, LabPage

PANEL = ".rlm-panel:visible"
IMAGE = "<img src=x onerror=alert(1)>"
LINES = [
    f"The ship number {number * 7919 % 1000} brought a cargo of tar and {number} barrels of rye.\n"
    for number in range(600)
]
LINES[5] = f"The ship number 595 brought {IMAGE} and a \u202eturned word that nobody could read.\n"
TEXT = "".join(f"# Harbour {n // 100 + 1}\n\n{line}" if n % 100 == 0 else line for n, line in enumerate(LINES))
READ = """I read the first third.
```python
parts = [context[at : at + 3_000] for at in range(0, len(context) // 3, 3_000)]
replies = llm_query_batched([f"Which ships?\\n\\n{part}" for part in parts])
replies[0] = llm_query("Once more: " + context[:1_000])
```
"""
ANSWER = (
    "It says “The ship number 838 brought a cargo of tar” [§ Harbour 1], then "
    "“The ship number 757 brought a cargo of gold and 3 barrels” and “nothing of the kind was ever written”; "
    f"see also “brought {IMAGE} and a \u202eturned word”."
)
DONE = f"Done.\n```python\nFINAL({ANSWER!r})\n```"


@pytest.fixture
def ask(lab: Lab, notebook: Callable[..., LabPage]) -> Callable[..., LabPage]:
    """A question about a document with sections, of which a third is read by calls; answered with citations."""
    (lab.root / "ships.md").write_text(TEXT, encoding="utf-8")
    model = lab.root / "passages.json"
    model.write_text(json.dumps({"root": [READ, DONE], "sub": "many", "repeat": True}))
    asked = f"%%rlm --model scripted:{model} --sub-model scripted:{model}\nWhich ships?"

    def make(app: str = "lab") -> LabPage:
        page = notebook("load('ships.md')", asked, app=app)
        page.run_all(wait=False)
        page.page.wait_for_selector(f"{PANEL} [role=treeitem]", timeout=60_000)
        page.page.wait_for_selector('a[href^="#rlm-passage="]', timeout=60_000)
        page.wait_idle()
        return page

    return make


def marks(page: LabPage) -> Locator:
    return page.page.locator('.jp-OutputArea a[href^="#rlm-passage="]')


def see(panel: Locator, words: str) -> None:
    panel.locator(".rlm-document :not(.rlm-unseen)", has_text=words).last.wait_for()


def text(panel: Locator, selector: str) -> str:
    return panel.locator(selector).inner_text()


def test_a_mark_leads_to_the_passage(ask: Callable[..., LabPage]) -> None:
    page = ask()
    panel = page.page.locator(PANEL)
    assert marks(page).all_inner_texts() == ["✓", "✓", "≈", "✗", "✓"]
    address = page.page.url
    marks(page).nth(0).click()
    panel.locator(".rlm-passage-mark").wait_for()
    expect(panel.locator(".rlm-passage-mark")).to_have_text("The ship number 838 brought a cargo of tar")
    expect(panel.locator(".rlm-passage-box .rlm-title")).to_contain_text("Citation 1 of 5")
    expect(panel.locator(".rlm-passage-box .rlm-facts")).to_contain_text("ships.md, line 5, § Harbour 1")
    expect(panel.locator(".rlm-passage-around").nth(1)).to_contain_text("barrels of rye")
    expect(panel.locator(".rlm-readers-title")).to_contain_text("Read by 2 calls")
    assert page.page.url == address
    page.shot("passage-light")
    before = len(text(panel, ".rlm-passage"))
    panel.get_by_role("button", name="Show more around").click()
    page.wait_for("n => document.querySelector('.rlm-passage').textContent.length > n", arg=before + 500)
    marks(page).nth(2).click()
    see(panel, "Citation 3 of 5")
    expect(panel.locator(".rlm-cite-difference")).to_have_text("“gold” stands as “tar”")
    page.shot("passage-differs")
    panel.get_by_role("button", name="Next citation of the answer").click()
    see(panel, "Citation 4 of 5")
    expect(panel.locator(".rlm-passage")).to_be_hidden()
    panel.get_by_role("button", name="Next citation of the answer").click()
    panel.locator(".rlm-passage-mark", has_text=IMAGE).wait_for()
    assert panel.locator("img").count() == 0
    expect(panel.locator(".rlm-passage-mark")).to_contain_text("⟨U+202E⟩")
    page.dark()
    page.shot("passage-dark")
    # What the document was is known of it when it is another one.
    page.page.evaluate("() => window.jupyterapp.shell.currentWidget.content.activeCellIndex = 0")
    page.set_cell(0, "context = 'Nothing of all this.'")
    page.run_cell(0)
    marks(page).nth(0).click()
    see(panel, "This is what stood there when the answer was given")
    expect(panel.locator(".rlm-passage-mark")).to_have_text("The ship number 838 brought a cargo of tar")
    page.shot("passage-gone")
    panel.locator("[role=treeitem]").first.click()
    panel.get_by_role("tab", name="Detail").click()
    items = panel.locator(".rlm-citations li")
    items.nth(4).wait_for()
    page.shot("passage-detail")
    items.nth(2).get_by_role("button").click()
    see(panel, "Citation 3 of 5")
    assert page.errors == []


def test_a_part_of_the_document_tells_who_read_it(ask: Callable[..., LabPage]) -> None:
    page = ask()
    panel = page.page.locator(PANEL)
    panel.get_by_role("tab", name="Document").click()
    bar = panel.get_by_role("slider", name="Document")
    see(panel, "ships.md: read 3")
    page.shot("strip-light")
    box = bar.bounding_box()
    assert box is not None
    page.page.mouse.click(box["x"] + 4, box["y"] + 10)
    see(panel, "Read by 2 calls")
    panel.locator(".rlm-passage-mark").wait_for()
    readers = panel.locator(".rlm-readers button")
    expect(readers).to_have_count(2)
    assert sorted(line[:11] for line in readers.all_inner_texts()) == ["Once more: ", "Which ships"]
    readers.filter(has_text="Once more").click()
    chosen = panel.locator("[role=treeitem][aria-selected=true]")
    page.wait_for(
        "() => document.querySelector('.rlm-panel [aria-selected=true] .rlm-label')?.textContent.startsWith('Once')"
    )
    see(panel, "The chosen call has read 2 % of it")
    expect(panel.locator(".rlm-strip-own")).to_have_count(1)
    expect(chosen).to_have_count(1)
    page.shot("strip-reader")
    bar.focus()
    for key in ("End", "PageUp", "Enter"):
        page.page.keyboard.press(key)
    see(panel, "Read by no call")
    expect(bar).to_have_attribute("aria-valuetext", re.compile("§ Harbour 6"))
    expect(bar).to_have_attribute("aria-valuetext", re.compile("0 % read"))
    page.dark()
    page.page.keyboard.press("Home")
    page.page.keyboard.press("Enter")
    see(panel, "Read by 2 calls")
    page.page.set_viewport_size({"width": 900, "height": 800})
    page.page.wait_for_timeout(500)
    page.shot("strip-dark")
    page.save()
    page.page.set_viewport_size({"width": 1280, "height": 900})
    # Another kernel knows from the store what was read, though it has no document.
    page.page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()")
    page.page.wait_for_selector(f"{PANEL}[data-phase=live] [role=treeitem]", timeout=60_000)
    panel.get_by_role("tab", name="Document").click()
    see(panel, "ships.md: read 3")
    bar.focus()
    page.page.keyboard.press("Enter")
    see(panel, "Read by 2 calls")
    see(panel, "There is no document now")
    marks(page).nth(0).click()
    see(panel, "This is what stood there when the answer was given")
    page.shot("strip-restarted")
    assert page.errors == []


def test_marks_work_in_notebook_7_too(ask: Callable[..., LabPage]) -> None:
    page = ask("notebook")
    marks(page).nth(2).click()
    panel = page.page.locator(PANEL)
    see(panel, "Citation 3 of 5")
    expect(panel.locator(".rlm-passage-mark")).to_contain_text("The ship number 757")
    page.shot("passage-notebook7")
    assert page.errors == []
