"""Whatever a model, a document or the name of a file says, the page shows it as text."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from playwright.sync_api import Locator

    from tests.e2e.conftest import Lab, LabPage

PANEL = ".rlm-panel:visible"
IMAGE = "<img src=x onerror=alert(1)>"
BAD = (
    f"<script>alert(2)</script>{IMAGE}<a href='javascript:alert(3)'>a</a> [link](javascript:alert(4)) "
    "<svg/onload=alert(5)> \x1b[31mred\x1b[0m \x1b]8;;javascript:alert(6)\x07term\x1b]8;;\x07 "
    "\u202eturned\u2066 \u200fmark"
)
LINE = 5_000_000

LOOK = (
    f"{BAD}\n```python\n# {BAD}\nglobals()[{IMAGE!r}] = {BAD!r}\nprint(globals()[{IMAGE!r}])\nprint({BAD!r} * 3)\n```"
)
ASK = (
    f"I ask.\n```python\nreplies = llm_query_batched([{BAD!r} + str(n) for n in range(3)] + ['unanswered' + {BAD!r}])\n"
    f"long = llm_query({BAD!r} + 'w' * {LINE})\nprint('v' * {LINE})\nprint(replies)\n```"
)
FAIL = f"It fails.\n```python\nraise ValueError({BAD!r})\n```"
ANSWER = f"# {BAD}\n\n![x](javascript:alert(7)) $\\href{{javascript:alert(8)}}{{x}}$\n\n`{IMAGE}`\n\n{BAD}"
DONE = f"Done.\n```python\nFINAL({ANSWER!r})\n```"


# What would have run, or could be clicked, had any text become markup.
MARKUP = """() => [...document.querySelectorAll('*')].filter(each =>
  [...each.attributes].some(at => /^on/.test(at.name) && /alert/.test(at.value)
    || /^(href|src|xlink:href|formaction)$/.test(at.name) && /^\\s*javascript:/i.test(at.value))
  || (each.matches('script:not([type="application/json"])') && /alert\\(/.test(each.textContent)))
  .map(each => each.outerHTML.slice(0, 200))"""
OVERFLOW = """() => [...document.querySelectorAll('.rlm-panel, .rlm-panel .rlm-view, .rlm-panel .rlm-decide')]
  .filter(each => each.offsetParent && each.scrollWidth > each.clientWidth + 1)
  .map(each => `${each.className}: ${each.scrollWidth} in ${each.clientWidth}`)"""


class Watched:
    """A page whose dialogs are counted."""

    def __init__(self, page: LabPage) -> None:
        self.lab = page
        self.page = page.page
        self.dialogs: list[str] = []
        self.page.on("dialog", self._seen)

    def _seen(self, dialog: Any) -> None:
        self.dialogs.append(dialog.message)
        dialog.dismiss()

    @property
    def panel(self) -> Locator:
        return self.page.locator(PANEL)

    def check(self) -> None:
        self.page.wait_for_timeout(200)
        assert self.dialogs == []
        assert self.page.evaluate(MARKUP) == []
        assert self.panel.locator("img, script, iframe, svg[onload], a[href]").count() == 0
        assert self.page.evaluate(OVERFLOW) == []


def write_script(folder: Path) -> str:
    path = folder / f"{IMAGE}.json"
    sub = {"^(?!unanswered)": f"{BAD} reply"}
    path.write_text(json.dumps({"root": [LOOK, ASK, FAIL, DONE], "sub": sub, "repeat": True}))
    return f"scripted:{path}"


@pytest.fixture
def page(lab: Lab, tab: Callable[[], LabPage], write_notebook: Callable[..., str]) -> Watched:
    """A notebook of a hostile name, with a hostile script for a model, and a question that waits before each cell."""
    model = write_script(lab.root)
    asked = f'%%rlm --approve each --model "{model}" --sub-model "{model}"\n{BAD}'
    name = write_notebook("context = 'x' * 42", asked, name=f"{IMAGE}.ipynb")
    return Watched(tab().open(quote(name)))


def approve_all(page: Watched, cells: int) -> None:
    for _ in range(cells):
        card = page.panel.locator(".rlm-card")
        card.wait_for(timeout=60_000)
        page.check()
        name = card.get_attribute("aria-labelledby")
        card.get_by_role("button", name="Approve", exact=True).click()
        page.panel.locator(f"[aria-labelledby={name}]").wait_for(state="detached", timeout=60_000)


def test_hostile_texts_stay_texts(page: Watched) -> None:
    page.lab.run_all(wait=False)
    page.page.wait_for_selector(f"{PANEL} [role=treeitem]", timeout=60_000)
    approve_all(page, 4)
    page.lab.wait_idle()
    page.check()
    page.lab.shot("untrusted-answer")
    see_each_node(page)
    see_five_million_characters(page)
    make_and_compare_branches(page)
    for tab in ("Timeline", "Document", "Scaling", "Branches", "Detail"):
        page.panel.get_by_role("tab", name=tab).click()
        page.check()
    saved_and_reloaded(page)


def see_five_million_characters(page: Watched) -> None:
    # Rows stand in the page in any order; the long call is the lowest.
    calls = page.panel.locator("[role=treeitem][data-kind=call]")
    lowest = calls.evaluate_all("rows => Math.max(...rows.map(row => Number(row.dataset.index)))")
    page.panel.locator(f"[role=treeitem][data-index='{lowest}']").click()
    part = page.panel.locator(".rlm-part[data-part=prompt]")
    part.locator(".rlm-more").click()
    part.locator(".rlm-more", has_text="Show less").wait_for(timeout=60_000)
    page.check()
    assert part.locator("pre").evaluate("each => each.textContent.length") > LINE
    page.panel.get_by_role("button", name="Edit the prompt…").click()
    page.page.wait_for_function(
        "length => document.querySelector('.rlm-form textarea').value.length > length", arg=LINE
    )
    page.check()
    page.page.keyboard.press("Escape")


def make_and_compare_branches(page: Watched) -> None:
    page.panel.locator("[role=tree]").focus()
    page.page.keyboard.press("End")
    page.panel.get_by_role("button", name="Type the reply…").click()
    page.panel.locator(".rlm-form textarea").fill(f"{BAD}\n```python\nFINAL({BAD!r} + '2')\n```")
    page.panel.get_by_role("button", name="What will it cost?").click()
    page.panel.locator(".rlm-quote-text").wait_for()
    page.check()
    page.panel.get_by_role("button", name="Run again").click()
    page.panel.get_by_role("tab", name="Branches").click()
    branch, card = page.panel.locator(".rlm-branch").nth(1), page.panel.locator(".rlm-card")
    branch.or_(card).first.wait_for(timeout=60_000)
    if card.count():
        card.get_by_role("button", name="Approve", exact=True).click()
    branch.wait_for(timeout=60_000)
    page.lab.wait_idle()
    branch.get_by_role("button", name="Name…").click()
    branch.locator("input").fill(f"{IMAGE}\u202e")
    page.page.keyboard.press("Enter")
    branch.get_by_text("onerror").first.wait_for()
    branch.get_by_role("button", name="Compare…").click()
    page.check()
    branch.get_by_role("button", name="Compare", exact=True).click()
    page.panel.locator(".rlm-diff").first.wait_for()
    page.check()
    page.lab.shot("untrusted-compare")
    branch.get_by_role("button", name="Delete…").click()
    page.check()
    page.page.keyboard.press("Escape")


def see_each_node(page: Watched) -> None:
    chosen = page.panel.locator("[role=treeitem][aria-selected=true]")
    page.panel.locator("[role=tree]").focus()
    page.page.keyboard.press("Home")
    seen: set[str | None] = set()
    while True:
        page.check()
        at = chosen.get_attribute("data-index")
        if at in seen:
            break
        seen.add(at)
        page.page.wait_for_selector(f"{PANEL} .rlm-detail")
        page.page.evaluate(
            "() => document.querySelectorAll('.rlm-detail details').forEach(each => { each.open = true; })"
        )
        page.check()
        page.panel.locator("[role=tree]").focus()
        if chosen.get_attribute("aria-expanded") == "false":
            page.page.keyboard.press("ArrowRight")
            page.page.wait_for_timeout(200)
        page.page.keyboard.press("ArrowDown")
        page.page.wait_for_timeout(200)
    page.lab.shot("untrusted-detail")
    assert len(seen) > 8


def saved_and_reloaded(page: Watched) -> None:
    page.lab.save()
    page.page.wait_for_timeout(500)
    page.lab.reload()
    page.check()
