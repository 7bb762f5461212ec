"""Running again from a model's cell, in the notebook: edit, hint, continue, undo, branches."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Locator

    from tests.e2e.conftest import Json, LabPage

SETUP = "context = 'The lamp is green. ' * 200"
DIALOG = ".jp-Dialog"
COUNTED = """last => window.jupyterapp.shell.currentWidget.content.widgets.some(w => w.model.executionCount > last)"""


def cell(code: str, prose: str = "I look.") -> str:
    return f"{prose}\n```python\n{code}\n```"


def done(colour: str) -> str:
    return f"I have it.\n```python\nFINAL('The lamp is **{colour}**.')\n```"


FIRST = (cell("lamps = 3\nprint('lamps', lamps)"), cell("lamps += 1\nprint('now', lamps)"), done("green"))


def code_cells(page: LabPage) -> list[Json]:
    return [each for each in page.model_cells() if each["type"] == "code"]


def texts(shown: Json) -> str:
    return json.dumps(shown["outputs"])


def run_of(shown: Json) -> str:
    return str(shown["metadata"].get("rlm", {}).get("run_id", ""))


def at(page: LabPage, code: str) -> int:
    return next(index for index, each in enumerate(page.cells()) if code in each["source"])


def widget(page: LabPage, code: str) -> Locator:
    """The model's cell with this code on the page."""
    page.page.evaluate(
        """code => {
          const { widgets } = window.jupyterapp.shell.currentWidget.content;
          widgets.forEach(w => delete w.node.dataset.found);
          widgets.find(w => w.model.sharedModel.getSource().includes(code)).node.dataset.found = 'yes';
        }""",
        code,
    )
    return page.page.locator("[data-found=yes]")


def asked(notebook: Callable[..., LabPage], model: str, *after: str, app: str = "lab") -> LabPage:
    """Ask, and wait for the first answer."""
    page = notebook(SETUP, f"%%rlm --model {model}\nWhat colour is the lamp?", *after, app=app)
    page.run_cell(0)
    page.run_cell(1)
    assert "green" in texts(page.cells()[1])
    return page


def confirm(page: LabPage, *said: str) -> None:
    """Read the quote, and agree with Enter."""
    accept = page.page.locator(f"{DIALOG} .jp-mod-accept:not([disabled])")
    accept.wait_for()
    quote = page.page.locator(f"{DIALOG} .rlm-Change-quote").inner_text()
    assert quote.strip()
    for each in said:
        assert each in quote
    last = max(page.counts())
    page.page.keyboard.press("Enter")
    page.page.wait_for_selector(DIALOG, state="detached")
    page.wait_for(COUNTED, arg=last)
    page.wait_idle()


WATCH_DIALOG = """() => {
  window.seen = [];
  new MutationObserver(() => {
    const accept = document.querySelector('.jp-Dialog .jp-mod-accept');
    const quote = document.querySelector('.jp-Dialog .rlm-Change-quote');
    if (quote) {
      const keys = document.querySelector('.jp-Dialog').contains(document.activeElement);
      window.seen.push({ text: quote.textContent, off: accept.disabled, keys });
    }
  }).observe(document.body, { subtree: true, childList: true, characterData: true, attributes: true });
}"""


def test_nothing_can_be_run_again_before_its_price_is_known(
    notebook: Callable[..., LabPage], script: Callable[..., str]
) -> None:
    """The button is off from the first moment, and the keys are the dialog's all the time: Escape closes it."""
    page = asked(notebook, script(*FIRST, done("red")))
    page.page.evaluate(WATCH_DIALOG)
    widget(page, "lamps += 1").get_by_role("button", name="Re-run from here").click()
    expect(page.page.locator(f"{DIALOG} .jp-mod-accept")).to_be_focused()
    seen = page.page.evaluate("() => window.seen")
    unknown = [each for each in seen if not each["text"] or "Working out" in each["text"]]
    assert unknown
    assert all(each["off"] for each in unknown)
    assert all(each["keys"] for each in unknown[1:])
    assert not seen[-1]["off"]
    page.page.evaluate("() => document.querySelector('.jp-Notebook .jp-Cell').focus()")
    expect(page.page.locator(f"{DIALOG} .jp-mod-accept"), "whatever the page behind it does").to_be_focused()
    page.page.keyboard.press("Escape")
    page.page.wait_for_selector(DIALOG, state="detached")
    assert page.errors == []


@pytest.mark.parametrize("app", ["lab", "notebook"])
def test_an_edited_cell_runs_again_from_where_it_stands(
    app: str, notebook: Callable[..., LabPage], script: Callable[..., str]
) -> None:
    """What is above stays as it is, Python is back to before the cell, and the answer is another."""
    page = asked(notebook, script(*FIRST, done("red")), "print('after', lamps)", app=app)
    before = code_cells(page)
    page.set_cell(at(page, "lamps += 1"), "lamps += 10\nprint('now', lamps)")
    edited = widget(page, "lamps += 10")
    edited.locator(".rlm-Badge-mark:has-text('edited')").wait_for()
    again = edited.get_by_role("button", name="Re-run from here")
    page.shot(f"edited-{app}")
    again.click()
    page.page.wait_for_selector(f"{DIALOG} .jp-mod-accept:not([disabled])")
    page.shot(f"quote-{app}")
    page.page.keyboard.press("Escape")
    page.page.wait_for_selector(DIALOG, state="detached")
    assert [each["id"] for each in code_cells(page)] == [each["id"] for each in before]
    again.click()
    confirm(page)
    page.shot(f"rerun-{app}")
    cells = code_cells(page)
    assert [each["source"].split("\n")[0] for each in cells][:2] == ["lamps = 3", "lamps += 10"]
    assert len(cells) == 3
    assert cells[0]["id"] == before[0]["id"]
    assert cells[0]["outputs"] == before[0]["outputs"]
    assert "now 13" in texts(cells[1])
    assert "red" in texts(page.cells()[1])
    assert len({each["metadata"]["rlm"]["run_id"] for each in cells}) == 1
    last = at(page, "print('after'")
    page.run_cell(last)
    assert "after 13" in texts(page.cells()[last])
    assert page.errors == []


def test_a_hint_before_a_turn(notebook: Callable[..., LabPage], script: Callable[..., str]) -> None:
    """From the cell's menu: the model is told something, and the turn is asked again."""
    page = asked(notebook, script(*FIRST, cell("print('hinted', lamps)"), done("blue")))
    found = widget(page, "lamps += 1")
    found.locator(".jp-InputPrompt").click()
    found.get_by_role("button", name="More to do from this cell").click()
    menu = page.page.locator(".lm-Menu")
    menu.wait_for()
    page.shot("cell-menu")
    menu.locator(".lm-Menu-item", has_text="Hint before this turn").click()
    field = page.page.locator(f"{DIALOG} textarea")
    field.wait_for()
    expect(page.page.locator(f"{DIALOG} .jp-mod-accept")).to_be_disabled()
    field.fill("Do not count lamps.")
    page.page.wait_for_selector(f"{DIALOG} .jp-mod-accept:not([disabled])")
    page.dark()
    page.shot("hint-dark")
    confirm(page)
    assert "hinted 3" in texts(code_cells(page)[1])
    assert "blue" in texts(page.cells()[1])
    assert page.errors == []


def test_a_plain_run_marks_what_follows_and_offers_to_continue(
    notebook: Callable[..., LabPage], script: Callable[..., str]
) -> None:
    """Shift Enter runs the edited cell now; what follows is stale; the model goes on with what it showed."""
    page = asked(notebook, script(*FIRST, cell("print('goes on with', lamps)"), done("yellow")))
    first = code_cells(page)[0]["id"]
    page.set_cell(at(page, "lamps = 3"), "lamps = 30\nprint('lamps', lamps)")
    page.run_cell(at(page, "lamps = 30"))
    assert "lamps 30" in texts(page.cells()[at(page, "lamps = 30")])
    widget(page, "lamps += 1").locator(".rlm-Badge-mark:has-text('state changed above')").wait_for()
    assert "rlm-mod-stale" in page.cells()[at(page, "FINAL")]["classes"]
    assert "rlm-mod-stale" not in page.cells()[at(page, "lamps = 30")]["classes"]
    page.shot("stale")
    widget(page, "lamps = 30").get_by_role("button", name="Continue from here").click()
    confirm(page)
    page.shot("continued-from")
    cells = code_cells(page)
    assert cells[0]["id"] == first
    assert "lamps 30" in texts(cells[0])
    assert "goes on with 30" in texts(cells[1])
    assert "yellow" in texts(page.cells()[1])
    assert not [each for each in page.cells() if "rlm-mod-stale" in each["classes"]]
    assert page.errors == []


@pytest.mark.parametrize("app", ["lab", "notebook"])
def test_undo_to_here(app: str, notebook: Callable[..., LabPage]) -> None:
    """Python is back to before a cell of the person's, the cells whose effect is gone are marked until they run."""
    page = notebook(
        "import itertools\ncounter = itertools.count()", "x = next(counter)", "x = next(counter)", "x", app=app
    )
    for index in range(3):
        page.run_cell(index)
    page.select(2)
    page.page.locator(".jp-Notebook .jp-Cell").nth(2).locator(".jp-InputPrompt").click(button="right")
    item = page.page.locator(".lm-Menu-item", has_text="Undo to here")
    item.wait_for()
    page.shot(f"undo-menu-{app}")
    item.click()
    page.page.wait_for_selector(f"{DIALOG} .jp-mod-accept")
    page.page.keyboard.press("Enter")
    page.page.wait_for_selector(".rlm-Badge-mark:has-text('undone')")
    page.shot(f"undone-{app}")
    assert ["rlm-mod-undone" in each["classes"] for each in page.cells()] == [False, False, True, False]
    page.save()
    page.reload()
    page.page.wait_for_selector(".rlm-Badge-mark:has-text('undone')")
    assert ["rlm-mod-undone" in each["classes"] for each in page.cells()] == [False, False, True, False]
    page.run_cell(3)
    assert "'0'" in repr(page.cells()[3]["outputs"])
    page.run_cell(2)
    page.run_cell(3)
    assert "'1'" in repr(page.cells()[3]["outputs"])
    expect(page.page.locator(".rlm-Badge-mark")).to_have_count(0)
    assert page.errors == []


def test_a_reload_without_saving_loses_neither_answer_nor_branch(
    notebook: Callable[..., LabPage], script: Callable[..., str]
) -> None:
    """The answer and the cells come from the kernel; what a branch took the place of does not come back."""
    page = asked(notebook, script(*FIRST, done("red")))
    page.reload()
    page.wait_model_cells(6)
    expect(page.page.locator(".jp-Notebook .jp-CodeCell").nth(1)).to_contain_text("green")
    page.save()
    page.set_cell(at(page, "lamps += 1"), "lamps += 10\nprint('now', lamps)")
    widget(page, "lamps += 10").get_by_role("button", name="Re-run from here").click()
    confirm(page)
    shown = [(each["source"], each["outputs"], run_of(each)) for each in page.cells()]
    page.reload()
    page.wait_for("() => document.querySelector('.jp-Notebook').innerText.includes('now 13')")
    expect(page.page.locator(".jp-Notebook .jp-CodeCell").nth(1)).to_contain_text("red")
    again = [(each["source"], each["outputs"], run_of(each)) for each in page.cells()]
    assert again[1:] == shown[1:]
    assert page.errors == []


def test_a_rerun_without_its_question(notebook: Callable[..., LabPage], script: Callable[..., str]) -> None:
    """Where the question's cell was deleted, the re-run is a cell of its own."""
    page = asked(notebook, script(*FIRST, done("red")))
    page.select(1)
    page.command("notebook:delete-cell")
    page.page.wait_for_timeout(300)
    page.set_cell(at(page, "lamps += 1"), "lamps += 10\nprint('now', lamps)")
    widget(page, "lamps += 10").get_by_role("button", name="Re-run from here").click()
    confirm(page)
    page.shot("rerun-without-question")
    going = next(each for each in page.cells() if each["source"].startswith("%rlm rerun"))
    assert "--code\nlamps += 10" in going["source"]
    assert "red" in texts(going)
    assert any("now 13" in texts(each) for each in code_cells(page))
    assert page.errors == []


def test_branches_are_switched_and_survive_a_reload(
    notebook: Callable[..., LabPage], script: Callable[..., str]
) -> None:
    """The panel brings the first run's cells and its Python back; after a reload the cells are those shown last."""
    page = asked(notebook, script(*FIRST, done("red")), "print('after', lamps)")
    page.set_cell(at(page, "lamps += 1"), "lamps += 10\nprint('now', lamps)")
    widget(page, "lamps += 10").get_by_role("button", name="Re-run from here").click()
    confirm(page)
    assert "red" in texts(page.cells()[1])
    panel = page.page.locator(".rlm-panel:visible")
    panel.get_by_role("tab", name="Branches").click()
    panel.get_by_role("button", name="Switch to it").first.click()
    page.wait_for("() => document.querySelector('.jp-Notebook').innerText.includes('now 4')")
    expect(page.page.locator(".jp-Notebook .jp-CodeCell").nth(1)).to_contain_text("green.")
    expect(panel.locator(".rlm-branch:focus-within"), "the keys stay in the row").to_contain_text("Trunk")
    page.shot("switched")
    cells = code_cells(page)
    assert "now 4" in texts(cells[1])
    assert "lamps += 1\n" in cells[1]["source"]
    assert len(cells) == 3
    last = at(page, "print('after'")
    page.run_cell(last)
    assert "after 4" in texts(page.cells()[last])
    page.save()
    page.reload()
    page.page.wait_for_timeout(1500)
    assert [each["source"] for each in code_cells(page)] == [each["source"] for each in cells]
    assert "green" in texts(page.cells()[1])
    widget(page, "lamps += 1").get_by_role("button", name="Re-run from here").wait_for(state="attached")
    page.page.wait_for_selector("#rlm-dock", state="attached")
    page.command("rlm:show-panel")
    page.page.wait_for_selector(".rlm-panel:visible [role=treeitem]")
    assert page.errors == []
