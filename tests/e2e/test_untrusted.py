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
        card.get_by_role("button", name="Approve", exact=True).wait_for(timeout=60_000)
        page.check()
        card.get_by_role("button", name="Approve", exact=True).click()
        card.wait_for(state="detached", timeout=60_000)


def test_hostile_texts_stay_texts(page: Watched) -> None:
    page.lab.run_all(wait=False)
    page.page.wait_for_selector(f"{PANEL} [role=treeitem]", timeout=60_000)
    approve_all(page, 4)
    page.lab.wait_idle()
    page.check()
    page.lab.shot("untrusted-answer")
    see_each_node(page)
    for tab in ("Timeline", "Document", "Scaling", "Branches", "Detail"):
        page.panel.get_by_role("tab", name=tab).click()
        page.check()
    saved_and_reloaded(page)


def see_each_node(page: Watched) -> None:
    page.panel.locator("[role=tree]").focus()
    page.page.keyboard.press("Home")
    seen = 0
    while seen < 20:
        seen += 1
        page.page.wait_for_selector(f"{PANEL} .rlm-detail")
        page.check()
        for part in page.panel.locator(".rlm-part:visible details:not([open]) > summary").all():
            part.click()
        page.check()
        before = page.panel.locator("[role=treeitem][aria-selected=true]").get_attribute("aria-label")
        page.panel.locator("[role=tree]").focus()
        page.page.keyboard.press("ArrowRight")
        if page.panel.locator("[role=treeitem][aria-selected=true]").get_attribute("aria-label") == before:
            page.page.keyboard.press("ArrowDown")
        if page.panel.locator("[role=treeitem][aria-selected=true]").get_attribute("aria-label") == before:
            break
    page.lab.shot("untrusted-detail")
    assert seen > 8


def saved_and_reloaded(page: Watched) -> None:
    page.lab.save()
    page.page.wait_for_timeout(500)
    page.lab.reload()
    page.check()
