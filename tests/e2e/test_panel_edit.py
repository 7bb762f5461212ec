"""The panel's working views: editing a node and running again, branches, the gate, a limit raised."""

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
LOOK = "I look.\n```python\nsize = len(context)\nprint(size)\n```"
BATCH = (
    "I ask.\n```python\nreplies = llm_query_batched([f'part {n}' for n in range(30)])\n"
    "print(replies.count('whale'), 'whales')\n```"
)
DONE = "Done.\n```python\nFINAL(f\"{replies.count('whale')} whales\")\n```"
FEW = "I know.\n```python\nreplies = ['whale'] * 7\n```"
SUB = {"please": "whale", "part": "no"}


class Work:
    """A notebook with a question, and its panel."""

    def __init__(self, page: LabPage) -> None:
        self.lab = page
        self.page = page.page
        self.panel: Locator = page.page.locator(PANEL)

    def choose(self, text: str, nth: int = 0) -> None:
        """Choose a line of the tree, counted from its top."""
        self.panel.locator("[role=tree]").focus()
        self.page.keyboard.press("Home")
        self.panel.locator("[role=treeitem][data-index='0'][aria-selected=true]").wait_for()
        self.panel.locator("[role=treeitem]", has_text=text).nth(nth).click()
        self.panel.locator(".rlm-title", has_text=text).wait_for()
        self.page.wait_for_selector(f"{PANEL} .rlm-detail .rlm-part:visible")

    def open_batch(self, nth: int = 0) -> None:
        self.panel.locator("[role=treeitem]", has_text="30 calls").nth(nth).locator(".rlm-twisty").click()
        self.panel.locator("[role=treeitem]", has_text="part 3").first.wait_for()

    def button(self, name: str, *, exact: bool = False) -> Locator:
        return self.panel.get_by_role("button", name=name, exact=exact)

    def rerun(self, opener: str, text: str | None = None) -> str:
        """Open a form, write, ask what it costs, run; gives what it was said to cost."""
        self.button(opener).click()
        form = self.panel.locator(".rlm-form")
        if text is not None:
            form.locator("textarea").fill(text)
            expect(self.button("Run again")).to_be_disabled()
            self.button("What will it cost?").click()
        quote = form.locator(".rlm-quote-text")
        quote.wait_for()
        said = quote.inner_text()
        self.button("Run again").click()
        return said

    def wait_answer(self, answer: str) -> None:
        """Wait until the last run has ended, and the notebook shows this answer."""
        self.page.wait_for_function(
            """answer => document.querySelector('.rlm-panel .rlm-state').textContent.startsWith('Answered')
              && window.jupyterapp.shell.currentWidget.content.widgets.some(w => w.node.innerText.includes(answer))""",
            arg=answer,
            timeout=60_000,
        )
        self.lab.wait_idle()

    def wait_branches(self, count: int) -> Locator:
        """Wait until so many runs are one family, all ended; gives their rows."""
        self.panel.get_by_role("tab", name="Branches").click()
        self.panel.locator(".rlm-branch").nth(count - 1).wait_for(timeout=60_000)
        self.lab.wait_idle()
        found = self.panel.locator(".rlm-branch")
        expect(found).to_have_count(count)
        return found


@pytest.fixture
def work(lab: Lab, notebook: Callable[..., LabPage]) -> Callable[..., Work]:
    """Ask a scripted model; gives the notebook when the panel shows the question."""

    def make(*replies: str, flags: str = "", app: str = "lab") -> Work:
        path = lab.root / "edit-script.json"
        path.write_text(json.dumps({"root": replies, "sub": SUB}))
        model = f"scripted:{path}"
        asked = f"%%rlm --model {model} --sub-model {model} {flags}\nHow many?"
        page = notebook("context = 'x' * 42", asked, "", app=app)
        page.run_all(wait=False)
        page.page.wait_for_selector(f"{PANEL} [role=treeitem]", timeout=60_000)
        return Work(page)

    return make


@pytest.mark.parametrize("app", ["lab", "notebook"])
def test_editing_one_call_of_a_batch_pays_one_call_and_makes_a_branch(app: str, work: Callable[..., Work]) -> None:
    at = work(LOOK, BATCH, DONE, DONE, app=app)
    at.wait_answer("0 whales")
    at.open_batch()
    at.choose("part 3")
    expect(at.panel.locator("[data-part=prompt] pre")).to_have_text("part 3")
    said = at.rerun("Edit the prompt…", "part 3 please")
    assert "29" in said
    at.wait_answer("1 whales")
    branches = at.wait_branches(2)
    expect(branches.nth(1)).to_contain_text("part 3 please")
    expect(branches.nth(1)).to_contain_text("Python’s state")
    at.lab.shot(f"branches-light-{app}")
    compare_and_name(at)
    switch_and_delete(at)
    assert at.lab.errors == []


def compare_and_name(at: Work) -> None:
    branch = at.panel.locator(".rlm-branch").nth(1)
    branch.get_by_role("button", name="Compare…").click()
    branch.get_by_role("button", name="Compare", exact=True).click()
    compared = at.panel.locator(".rlm-compared")
    compared.locator("[data-sign='-']", has_text="0 whales").first.wait_for()
    expect(compared.locator("[data-sign='+']").first).to_contain_text("1 whales")
    compared.locator(".rlm-turn-pair[data-same=true]").first.wait_for()
    at.lab.dark()
    at.lab.shot("compare-dark")
    compared.get_by_role("button", name="Close").click()
    branch.get_by_role("button", name="Name…").click()
    branch.locator("input").fill("politely")
    # What the kernel says of the branches meanwhile takes nothing away: not what was written, not the focus, no button.
    before = branch.element_handle()
    trunk = at.panel.locator(".rlm-branch").nth(0).element_handle()
    ask_again = "document.querySelector('.rlm-panel .rlm-branch .rlm-branch-name').click()"
    at.page.evaluate(f"() => {{ {ask_again} }}")
    at.panel.locator("[role=treeitem][aria-selected=true][data-kind=run]").wait_for()
    at.page.wait_for_timeout(500)
    expect(branch.locator("input")).to_have_value("politely")
    assert at.page.evaluate(
        "rows => rows.every((row, at) => row === document.querySelectorAll('.rlm-panel .rlm-branch')[at])",
        [trunk, before],
    )
    branch.locator("input").press("Enter")
    at.panel.locator(".rlm-branch", has_text="politely").wait_for()


def switch_and_delete(at: Work) -> None:
    trunk, branch = at.panel.locator(".rlm-branch").nth(0), at.panel.locator(".rlm-branch").nth(1)
    trunk.get_by_role("button", name="Switch to it").click()
    at.panel.locator(".rlm-branch[aria-current=true]", has_text="Trunk").wait_for()
    at.lab.wait_for("() => window.jupyterapp.shell.currentWidget.content.node.innerText.includes('0 whales')")
    last = len(at.lab.cells()) - 1
    at.lab.set_cell(last, "print('then', replies.count('whale'))")
    at.lab.run_cell(last)
    assert "then 0" in at.lab.cells()[last]["text"]
    expect(trunk.get_by_role("button", name="Delete…")).to_have_count(0)
    branch.get_by_role("button", name="Delete…").click()
    branch.get_by_role("button", name="Delete", exact=True).click()
    at.panel.locator(".rlm-branch").first.wait_for(state="detached")
    expect(at.panel.locator("[role=treeitem][data-kind=run]")).to_have_count(1)


def test_each_kind_of_edit_makes_its_branch(work: Callable[..., Work]) -> None:
    at = work(LOOK, BATCH, DONE, FEW, DONE, DONE, DONE, DONE)
    at.wait_answer("0 whales")
    at.choose("replies = llm")
    at.rerun("Ask again…")
    at.wait_answer("7 whales")
    expect(at.panel.locator("[role=tree]")).to_be_focused()
    at.open_batch()
    at.choose("part 3")
    at.rerun("Type the reply…", "whale")
    at.wait_answer("1 whales")
    at.choose("replies = llm")
    at.rerun("Edit the code…", "replies = ['whale'] * 9")
    at.wait_answer("9 whales")
    at.choose("replies = llm")
    at.rerun("Type the reply…", "Typed.\n```python\nreplies = ['whale'] * 5\n```")
    at.wait_answer("5 whales")
    at.choose("replies = llm")
    at.rerun("Insert a hint…", "Count twice.")
    at.wait_branches(6)
    assert at.lab.errors == []


def test_a_form_keeps_what_was_written_and_shows_what_is_wrong(work: Callable[..., Work]) -> None:
    at = work(LOOK, BATCH, DONE)
    at.wait_answer("0 whales")
    at.choose("replies = llm")
    at.button("Edit the code…").click()
    area = at.panel.locator(".rlm-form textarea")
    area.press("Control+Home")
    area.press("Tab")
    expect(area).to_have_value(re.compile("^    replies"))
    area.press("Escape")
    expect(at.panel.locator(".rlm-form")).to_have_count(0)
    at.button("Edit the code…").click()
    expect(area).to_have_value(re.compile("^    replies"))
    area.fill("")
    expect(at.button("What will it cost?")).to_be_disabled()
    area.fill("replies = []")
    area.press("Control+Enter")
    at.panel.locator(".rlm-quote-text").wait_for()
    at.lab.shot("edit-form-light")
    at.button("Another model…").click()
    model = at.panel.locator(".rlm-form input[type=text]")
    model.fill("scripted:/there/is/no/such.json")
    model.press("Enter")
    at.panel.locator(".rlm-form .rlm-problem:visible, .rlm-form .rlm-quote-text").first.wait_for()
    assert at.lab.errors == []


def test_a_call_says_where_it_was_made_and_leads_there(work: Callable[..., Work]) -> None:
    at = work(LOOK, BATCH, DONE)
    at.wait_answer("0 whales")
    at.open_batch()
    at.choose("part 3")
    where = at.panel.locator(".rlm-where button")
    where.wait_for()
    expect(where).to_have_text("Made by call 4 of 30 of line 1 of the cell")
    at.lab.select(0)
    where.click()
    at.lab.wait_for(
        """() => {
          const cell = window.jupyterapp.shell.currentWidget.content.activeCell;
          return cell.model.sharedModel.getSource().includes('part {n}');
        }"""
    )
    assert at.lab.errors == []


def test_a_run_at_its_limit_goes_on_with_a_higher_one(work: Callable[..., Work]) -> None:
    at = work(LOOK, BATCH, DONE, flags="--max-turns 2")
    at.page.wait_for_function(
        "() => document.querySelector('.rlm-panel .rlm-state').textContent.includes('limit')", timeout=60_000
    )
    at.lab.wait_idle()
    form = at.panel.locator("form.rlm-raise")
    form.wait_for()
    expect(form.locator("input[name=turns]")).to_have_value("4")
    at.lab.shot("raise-light")
    form.get_by_role("button", name="Raise and continue").click()
    at.wait_answer("0 whales")
    # It is one question: turns are counted on, and what is said that it took is all of it.
    expect(at.panel.locator(".rlm-sums")).to_contain_text("33 calls")
    expect(at.panel.locator("[role=treeitem][data-kind=run]").nth(1)).to_contain_text("goes on")
    expect(at.panel.locator("[role=treeitem][data-kind=turn]").nth(2).locator(".rlm-kind")).to_have_text("3")
    assert "3 turns · 33 calls" in at.lab.cells()[1]["text"]
    at.lab.shot("raised-light")
    assert at.lab.errors == []


def test_cells_wait_to_be_approved_edited_or_rejected(work: Callable[..., Work]) -> None:
    write = "I write.\n```python\nimport pathlib\npathlib.Path('by-the-model.txt').write_text('x')\n```"
    at = work(LOOK, write, write, BATCH, DONE, flags="--approve risky")
    card = at.panel.locator(".rlm-card")
    card.get_by_text("Line 2").wait_for(timeout=60_000)
    expect(card.locator(".rlm-marked")).to_have_attribute("data-line", "2")
    for name in ("Resume", "Step"):
        expect(at.button(name)).to_be_disabled()
    at.lab.shot("decide-light")
    card.get_by_role("button", name="Reject…").click()
    card.locator("textarea").fill("No files, please.")
    card.get_by_role("button", name="Reject", exact=True).click()
    at.page.wait_for_function("() => document.querySelectorAll('.rlm-panel [data-kind=turn]').length === 3")
    card.get_by_role("button", name="Edit…").click()
    card.locator("textarea").fill("print('edited by hand')")
    card.locator("textarea").press("Control+Enter")
    expect(at.panel.locator("[role=tree]")).to_be_focused()
    at.wait_answer("0 whales")
    assert any("edited by hand" in cell["text"] for cell in at.lab.model_cells())
    assert not (at.lab.lab.root / "by-the-model.txt").exists()
    at.choose("print('edited")
    expect(at.panel.locator(".rlm-detail")).to_contain_text("No files, please.")
    assert at.lab.errors == []


def test_a_large_batch_is_cut_to_the_first_few(work: Callable[..., Work]) -> None:
    at = work(LOOK, BATCH, DONE, flags="--quote 10")
    card = at.panel.locator(".rlm-card", has_text="30 calls")
    card.wait_for(timeout=60_000)
    expect(card).to_contain_text(re.compile("cost|free"))
    card.locator("input").fill("4")
    card.get_by_role("button", name="Only the first").click()
    at.wait_answer("0 whales")
    row = at.panel.locator("[role=treeitem]", has_text="calls").first
    expect(row).to_contain_text(re.compile("4|26"))
    assert at.lab.errors == []


def test_a_cell_that_was_changed_and_run_by_hand_is_gone_on_from(work: Callable[..., Work]) -> None:
    at = work(LOOK, BATCH, DONE, DONE)
    at.wait_answer("0 whales")
    index = next(n for n, cell in enumerate(at.lab.cells()) if "llm_query_batched" in cell["source"])
    at.lab.set_cell(index, "replies = ['whale'] * 8")
    at.lab.run_cell(index)
    at.panel.locator("[role=treeitem]", has_text="stale").wait_for()
    at.choose("FINAL(")
    expect(at.panel.locator(".rlm-note:visible").first).to_contain_text("Stale")
    at.choose("replies = llm")
    at.rerun("Continue from here…")
    at.wait_answer("8 whales")
    at.wait_branches(2)
    assert at.lab.errors == []
