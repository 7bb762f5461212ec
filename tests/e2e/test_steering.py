"""A person steers a run in the notebook: pause, step, steer, approve, cut a fan-out, raise a limit, stop."""

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
DONE = "I have it.\n```python\nFINAL('The lamp is **green**.')\n```"
WAITING = ".rlm-Cell .rlm-Waiting"
BAR = ".rlm-RunBar"


def cell(code: str, prose: str = "I look.") -> str:
    return f"{prose}\n```python\n{code}\n```"


def ask(page: LabPage, wait: bool = False) -> LabPage:
    page.run_cell(0)
    page.run_cell(1, wait=wait)
    return page


def code_cells(page: LabPage) -> list[Json]:
    return [each for each in page.model_cells() if each["type"] == "code"]


def texts(shown: Json) -> str:
    return json.dumps(shown["outputs"])


def waiting(page: LabPage, code: str) -> Locator:
    """The box at the cell with this code, once it is there."""
    page.wait_for(
        """code => {
          const found = window.jupyterapp.shell.currentWidget.content.widgets.filter(w =>
            w.model.sharedModel.getSource().includes(code) && w.node.querySelector('.rlm-Waiting'));
          document.querySelectorAll('[data-found]').forEach(node => delete node.dataset.found);
          found.forEach(w => { w.node.dataset.found = 'yes'; });
          return found.length === 1;
        }""",
        30,
        code,
    )
    return page.page.locator("[data-found] .rlm-Waiting")


def edit(page: LabPage, old: str, new: str) -> None:
    index = next(at for at, each in enumerate(page.cells()) if old in each["source"])
    page.set_cell(index, page.cells()[index]["source"].replace(old, new))


@pytest.mark.parametrize("app", ["lab", "notebook"])
def test_cells_are_approved_edited_and_rejected(
    app: str, notebook: Callable[..., LabPage], script: Callable[..., str]
) -> None:
    """Every cell waits: one is edited and approved, one rejected with a reason, and then all may run."""
    model = script(cell("lamps = 1"), cell("1 / 0"), cell("print('lamps', lamps)"), cell("print('more')"), DONE)
    page = ask(notebook(SETUP, f"%%rlm --approve each --model {model}\nWhat colour?", app=app))
    box = waiting(page, "lamps = 1")
    page.shot(f"approve-each-{app}")
    assert box.get_by_role("button", name="Approve", exact=True).is_visible()
    edit(page, "lamps = 1", "lamps = 42")
    box.get_by_role("button", name="Approve edited").click()
    box = waiting(page, "1 / 0")
    box.get_by_role("button", name="Reject…").click()
    reason = box.get_by_label("Why this cell must not run")
    reason.fill("dd: never divide by zero")
    page.shot(f"reject-{app}")
    reason.press("Enter")
    waiting(page, "print('lamps', lamps)").get_by_role("button", name="Always").click()
    page.wait_idle()
    cells = code_cells(page)
    assert [each["source"] for each in cells][:2] == ["lamps = 42", "1 / 0"]
    assert cells[1]["outputs"] == []
    assert "lamps 42" in texts(cells[2])
    assert "more" in texts(cells[3])
    expect(page.page.locator(".rlm-Waiting")).to_have_count(0)
    assert page.errors == []


def test_a_risky_cell_says_why_and_is_approved_by_key(
    notebook: Callable[..., LabPage], script: Callable[..., str], lab: object
) -> None:
    """The line and the reason are shown and marked, a reload shows them again; Shift Enter approves."""
    code = "names = ['lamp']\nopen('made-by-model.txt', 'w').write('x')\nlen(names)"
    model = script(cell("2 + 2"), cell(code), DONE)
    page = ask(notebook(SETUP, f"%%rlm --approve risky --model {model}\nWhat colour?"))
    box = waiting(page, "made-by-model")
    expect(box).to_contain_text("line 2")
    page.page.wait_for_selector(".cm-line.rlm-riskyLine")
    expect(page.page.locator(".cm-line.rlm-riskyLine")).to_contain_text("made-by-model")
    page.shot("risky-light")
    page.dark()
    page.shot("risky-dark")
    page.page.set_viewport_size({"width": 480, "height": 900})
    page.command("application:toggle-left-area")
    page.command("application:toggle-right-area")
    page.page.wait_for_timeout(400)
    page.shot("risky-narrow")
    page.page.set_viewport_size({"width": 1280, "height": 900})
    page.save()
    page.reload()
    box = waiting(page, "made-by-model")
    assert "4" in texts(code_cells(page)[0])
    box.get_by_role("button", name="line 2").click()
    page.page.keyboard.press("Shift+Enter")
    page.page.wait_for_selector(WAITING, state="detached")
    page.wait_idle()
    assert "1" in texts(code_cells(page)[1])
    assert "green" in texts(page.cells()[1])


def test_what_waits_unfolds_the_working(notebook: Callable[..., LabPage], script: Callable[..., str]) -> None:
    """Folded cells show again when one of them asks something."""
    asks = "import time\ntime.sleep(1.5)\nname = input('Whose lamp? ')\nprint('of', name)\ntime.sleep(2)"
    model = script(cell(asks), cell("open('x', 'w')"), DONE)
    page = ask(notebook(SETUP, f"%%rlm --approve risky --model {model}\nWhat colour?"))
    fold = page.page.locator(".rlm-RunBar-fold")
    fold.wait_for()
    page.wait_model_cells(2)
    fold.click()
    box = page.page.locator(".rlm-Cell input.jp-Stdin-input")
    box.wait_for(timeout=20_000)
    expect(fold).to_have_attribute("aria-expanded", "true")
    fold.click()
    page.page.wait_for_timeout(300)
    fold.click()
    box.fill("Ada")
    box.press("Enter")
    fold.click()
    waiting(page, "open('x', 'w')").get_by_role("button", name="Reject…").wait_for()
    expect(fold).to_have_attribute("aria-expanded", "true")
    page.page.locator(f"{BAR} .rlm-RunBar-stop").click()
    page.wait_idle()


def test_a_fan_out_is_cut_and_refused(notebook: Callable[..., LabPage], script: Callable[..., str]) -> None:
    """What the calls take is said on the bar; only the first are made, or none."""
    calls = "replies = llm_query_batched([f'part {n}{TEXT}' for n in range(30)])"
    counts = "\nprint(sum(not r for r in replies), 'failed')"
    model = script(
        cell(calls.replace("{TEXT}", "") + counts), cell(calls.replace("{TEXT}", " b") + counts), DONE, sub="yes"
    )
    page = ask(notebook(SETUP, f"%%rlm --quote 10 --model {model} --sub-model {model}\nWhat colour?"))
    box = page.page.locator(f"{BAR} .rlm-Waiting")
    box.wait_for()
    expect(box).to_contain_text("30 calls")
    page.shot("fan-out")
    box.get_by_label("How many calls to make").fill("4")
    box.get_by_role("button", name="Only the first").click()
    page.wait_for("() => [...document.querySelectorAll('.jp-OutputArea')].some(a => a.innerText.includes('26 failed'))")
    box.wait_for()
    box.get_by_role("button", name="Refuse…").click()
    box.get_by_label("Why these calls must not be made").press("Enter")
    page.wait_idle()
    assert "26 failed" in texts(code_cells(page)[0])
    assert "30 failed" in texts(code_cells(page)[1])
    assert page.errors == []


@pytest.mark.parametrize("app", ["lab", "notebook"])
def test_pause_step_steer_and_stop_by_keyboard(
    app: str, notebook: Callable[..., LabPage], script: Callable[..., str]
) -> None:
    """The keys work; what the person says waits for the next turn, and is in what the model is told."""
    model = script(*(cell(f"print('turn', {n})") for n in range(1, 60)), DONE, delay=0.05)
    page = ask(notebook(SETUP, f"%%rlm --max-turns 60 --model {model}\nWhat colour?", app=app))
    page.page.locator(f"{BAR} .rlm-RunBar-stop").wait_for()
    page.page.locator(".jp-Notebook .jp-InputPrompt").first.click()
    page.page.keyboard.press("g")
    page.page.keyboard.press("p")
    page.page.wait_for_selector(f"{BAR}[data-state=paused]")
    page.page.keyboard.press("g")
    page.page.keyboard.press("t")
    line = page.page.get_by_label("Message to the model", exact=True)
    line.wait_for()
    line.fill("dd Look at the second lamp.")
    page.shot(f"steer-{app}")
    count = len(page.cells())
    line.press("Enter")
    page.page.locator(".rlm-RunBar-steers:has-text('Look at the second lamp.')").wait_for()
    assert len(page.cells()) == count
    page.page.locator(".jp-Notebook .jp-InputPrompt").first.click()
    page.page.keyboard.press("g")
    page.page.keyboard.press("s")
    page.page.wait_for_timeout(500)
    page.page.locator(f"{BAR} .rlm-RunBar-resume").click()
    page.page.wait_for_function("() => !document.querySelector('.rlm-RunBar-steers:not([hidden])')", timeout=20_000)
    page.page.locator(".jp-Notebook .jp-InputPrompt").first.click()
    page.page.keyboard.press("g")
    page.page.keyboard.press("x")
    page.wait_idle()
    expect(page.page.locator(f"{BAR} .rlm-RunBar-stop")).to_be_hidden()
    page.set_cell(len(page.cells()) - 1, "") if not code_cells(page) else None
    assert page.errors == []


def test_a_limit_is_raised_in_place(notebook: Callable[..., LabPage], script: Callable[..., str]) -> None:
    """The bar offers to raise the limit that was reached, and the run goes on in the same cells."""
    model = script(cell("lamps = 3\nprint('lamps', lamps)"), cell("print(lamps + 1)"), DONE)
    page = ask(notebook(SETUP, f"%%rlm --max-turns 1 --model {model}\nWhat colour?"), wait=True)
    raise_ = page.page.locator(f"{BAR} button:has-text('Raise and continue…')")
    raise_.wait_for()
    first = code_cells(page)[0]["id"]
    raise_.click()
    field = page.page.locator(".jp-Dialog .rlm-Change-field")
    field.wait_for()
    expect(field).to_have_value("2")
    page.shot("raise")
    field.fill("5")
    field.press("Enter")
    page.wait_for("() => document.querySelector('.jp-OutputArea')?.closest('.jp-Notebook').innerText.includes('4')")
    page.wait_idle()
    assert "green" in texts(page.cells()[1])
    cells = code_cells(page)
    assert cells[0]["id"] == first
    assert "lamps 3" in texts(cells[0])
    assert len(cells) == 3
    assert page.errors == []
