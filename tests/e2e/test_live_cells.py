"""Live cells under everything a person does while the model works: reload, two tabs, restart, delete, stop."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import nbformat
import pytest
from playwright.sync_api import expect

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.e2e.conftest import Json, Lab, LabPage

SETUP = "context = 'The lamp is green. ' * 2000"
DONE = "I have it.\n\n```python\nanswer['content'] = 'The lamp is **green**.'\nanswer['ready'] = True\n```"


def cell(code: str, prose: str = "I look.") -> str:
    return f"{prose}\n\n```python\n{code}\n```"


@pytest.fixture
def script(lab: Lab, request: pytest.FixtureRequest) -> Callable[..., str]:
    """Write a script of the root model's replies; gives the option that chooses it."""

    def write(*replies: str, chunk: int = 12, delay: float = 0.01, sub: str = "green") -> str:
        path = lab.root / f"{request.node.name.replace('[', '-').replace(']', '')}.json"
        path.write_text(json.dumps({"root": list(replies), "sub": sub, "chunk": chunk, "delay": delay, "repeat": True}))
        return f"--model scripted:{path}"

    return write


def question(option: str, text: str = "What colour is the lamp?") -> str:
    return f"%%rlm {option}\n{text}"


def code_cells(page: LabPage) -> list[Json]:
    return [each for each in page.model_cells() if each["type"] == "code"]


def texts(output_cell: Json) -> str:
    """Everything a cell shows, as one text."""
    return json.dumps(output_cell["outputs"])


def move_slider(page: LabPage) -> str:
    """Click into the track of a slider that stands at 3; gives what it shows then."""
    handle = page.page.locator(".jp-OutputArea .widget-slider .noUi-handle").first
    handle.scroll_into_view_if_needed()
    box = handle.bounding_box()
    assert box
    page.page.mouse.click(box["x"] + 60, box["y"] + 8)
    page.wait_for("() => document.querySelector('.jp-OutputArea .widget-readout').textContent.trim() !== '3'")
    moved: str = page.page.locator(".jp-OutputArea .widget-readout").first.inner_text().strip()
    page.page.wait_for_timeout(500)
    return moved


def settled(page: LabPage) -> None:
    """No cell runs and the kernel is idle, in the page's eyes."""
    page.wait_idle()
    page.wait_for("() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.status === 'idle'", 15)
    states = {each["state"] for each in page.cells() if each["type"] == "code"}
    assert states == {"idle"}


@pytest.mark.parametrize("app", ["lab", "notebook"])
def test_outputs_of_every_kind(app: str, notebook: Callable[..., LabPage], script: Callable[..., str]) -> None:
    """Streams, a result, an error, a plot, a table, a widget that works, and a display updated from another cell."""
    option = script(
        cell("print('hello')\nimport sys; print('careful', file=sys.stderr)\n6 * 7"),
        cell("1 / 0"),
        cell("import matplotlib.pyplot as plt\nplt.plot([1, 2, 4]); plt.show()"),
        cell("import pandas as pd\npd.DataFrame({'colour': ['green'], 'n': [3]})"),
        cell("import ipywidgets as w\nslider = w.IntSlider(value=3, description='lamps')\nslider"),
        cell("handle = display('first', display_id=True)"),
        cell("handle.update('second')\nllm_query('Which colour? ' + context[:50])"),
        DONE,
        delay=0.001,
    )
    page = notebook(SETUP, question(option), "slider.value", app=app)
    page.run_all()
    settled(page)
    page.shot(f"outputs-{app}")
    shown = [texts(each) for each in code_cells(page)]
    assert "hello" in shown[0]
    assert "careful" in shown[0]
    assert "42" in shown[0]
    assert "ZeroDivisionError" in shown[1]
    assert "image/png" in shown[2]
    assert "text/html" in shown[3]
    assert "widget-view" in shown[4]
    assert "second" in shown[5]
    assert "first" not in shown[5]
    assert "green" in shown[6]
    assert "green" in texts(page.cells()[1])
    counts = [each["count"] for each in page.cells() if each["type"] == "code"]
    assert counts == list(range(1, len(counts) + 1))
    moved = move_slider(page)
    last = len(page.cells()) - 1
    page.run_cell(last)
    assert page.cells()[last]["outputs"][0]["data"]["text/plain"] == moved
    assert page.errors == []


def test_text_comes_while_it_is_written(notebook: Callable[..., LabPage], script: Callable[..., str]) -> None:
    """A cell fills piece by piece, before it is run."""
    lines = "\n".join(f"lamp_{number} = {number}" for number in range(60))
    page = notebook(SETUP, question(script(cell(lines), DONE, chunk=6, delay=0.02)))
    page.run_cell(0)
    page.run_cell(1, wait=False)
    page.wait_model_cells(2)
    lengths = []
    for _ in range(40):
        lengths.append(len(code_cells(page)[0]["source"]) if code_cells(page) else 0)
        page.page.wait_for_timeout(60)
    assert len(set(lengths)) > 6
    assert lengths == sorted(lengths)
    page.shot("writing")
    settled(page)
    assert code_cells(page)[0]["source"].strip() == lines


def test_whoever_follows_the_working_is_brought_back_to_the_answer(
    lab: Lab, notebook: Callable[..., LabPage], script: Callable[..., str]
) -> None:
    """The newest cell stays in view while the model works, and the answer is in view when it is there."""
    go_on = lab.root / "go-on"
    long = [cell(f"for n in range(40):\n    print({name!r}, n)") for name in ("first", "second")]
    page = notebook(SETUP, question(script(*long, held_by(go_on), DONE)), "")
    page.run_cell(0)
    page.run_cell(1, wait=False)
    asked = page.page.locator(".jp-Notebook .jp-CodeCell").nth(1)
    page.wait_model_cells(6)
    expect(asked).not_to_be_in_viewport()
    go_on.touch()
    page.wait_idle()
    expect(asked.locator(".jp-InputArea")).to_be_in_viewport()
    expect(asked.get_by_text("The lamp is green.")).to_be_in_viewport()
    assert page.errors == []


def held_by(path: Path) -> str:
    """A cell that runs until there is this file."""
    path.unlink(missing_ok=True)
    return cell(f"import pathlib, time\nwhile not pathlib.Path({str(path)!r}).exists():\n    time.sleep(0.05)")


def test_nothing_moves_under_a_pressed_pointer(
    lab: Lab, notebook: Callable[..., LabPage], script: Callable[..., str]
) -> None:
    """A button that is held while the model's cells grow out of sight is pressed when it is released."""
    go_on = lab.root / "go-on"
    long = cell("\n".join(f"lamp_{number} = {number}" for number in range(90)))
    page = notebook(SETUP, question(script(held_by(go_on), long, cell("time.sleep(60)"), DONE)), "")
    page.run_cell(0)
    page.run_cell(1, wait=False)
    page.wait_model_cells(2)
    # Until the cell waits, and the panel has come beside the notebook, things find their places.
    expect(page.page.locator(".rlm-panel .rlm-state")).to_have_text("Running: the cell")
    page.page.wait_for_timeout(500)
    stop = page.page.locator(".rlm-RunBar-stop")
    stop.hover()
    page.page.mouse.down()
    assert stop.evaluate("button => button.matches(':active')")
    go_on.touch()
    page.wait_model_cells(6)
    newest = page.page.locator(".rlm-Cell").last
    expect(newest).not_to_be_in_viewport()
    page.page.mouse.up()
    page.wait_idle()
    expect(page.page.locator(".rlm-RunBar")).to_contain_text("Stopped")
    assert page.errors == []


def test_input_is_asked_in_the_models_cell(notebook: Callable[..., LabPage], script: Callable[..., str]) -> None:
    """``input()`` in a cell of the model puts its box there."""
    page = notebook(SETUP, question(script(cell("name = input('Whose lamp? ')\nprint('of', name)"), DONE)))
    page.run_cell(0)
    page.run_cell(1, wait=False)
    box = page.page.locator(".rlm-Cell input.jp-Stdin-input")
    box.wait_for(timeout=20_000)
    box.fill("Ada")
    box.press("Enter")
    settled(page)
    assert "of Ada" in texts(code_cells(page)[0])


def test_run_all_twice_replaces(notebook: Callable[..., LabPage], script: Callable[..., str]) -> None:
    """The cells after the question run after it; a second Run All, also after a restart, piles nothing up."""
    option = script(cell("lamps = 3\nprint('lamps', lamps)"), DONE, delay=0.001)
    page = notebook(SETUP, question(option), "print('after', lamps, answer['content'])")
    page.run_all()
    settled(page)
    first = page.cells()
    assert "after 3 The lamp" in texts(first[-1])
    page.run_all()
    settled(page)
    second = page.cells()
    assert [each["source"] for each in second] == [each["source"] for each in first]
    assert not {each["id"] for each in page.model_cells()} & {each["id"] for each in first[2:-1]}
    assert "after 3 The lamp" in texts(second[-1])
    page.run_all("notebook:restart-run-all", wait=False)
    page.page.locator(".jp-Dialog .jp-mod-accept").click()
    page.wait_executed()
    settled(page)
    third = page.cells()
    assert [each["source"] for each in third] == [each["source"] for each in first]
    assert [each["count"] for each in third if each["type"] == "code"] == list(range(1, 6))
    assert page.errors == []


def test_reload_in_mid_run(notebook: Callable[..., LabPage], script: Callable[..., str]) -> None:
    """A reloaded page has the cells so far with their outputs, and goes on to the answer."""
    slow = "import time\nfor number in range(40):\n    print('tick', number)\n    time.sleep(0.2)"
    page = notebook(SETUP, question(script(cell("print('one')"), cell(slow), DONE)))
    page.save()
    page.run_cell(0)
    page.run_cell(1, wait=False)
    page.wait_for(
        "() => window.jupyterapp.shell.currentWidget.content.widgets.some(w => w.node.innerText.includes('tick 5'))"
    )
    page.reload()
    page.wait_model_cells(4)
    page.wait_for(
        "() => window.jupyterapp.shell.currentWidget.content.widgets.some(w => w.node.innerText.includes('tick 30'))",
        20,
    )
    page.shot("reloaded")
    settled(page)
    cells = code_cells(page)
    assert "one" in texts(cells[0])
    assert all(f"tick {number}\\n" in texts(cells[1]) for number in range(40))
    assert "green" in texts(page.cells()[1])
    assert [each["count"] for each in cells] == [3, 4, 5]
    assert [each["count"] for each in page.cells() if each["type"] == "code"][1] == 2


def test_two_tabs_show_the_same(
    notebook: Callable[..., LabPage], script: Callable[..., str], tab: Callable[[], LabPage]
) -> None:
    """A second tab of the same notebook shows the cells and outputs too."""
    page = notebook(SETUP, question(script(*[cell(f"print('turn', {n})") for n in range(4)], DONE, delay=0.05)))
    page.save()
    name = page.page.evaluate("() => window.jupyterapp.shell.currentWidget.context.path")
    other = tab().open(name)
    page.run_cell(0)
    page.run_cell(1, wait=False)
    other.wait_model_cells(10, timeout=40)
    settled(page)
    other.wait_for(
        "() => window.jupyterapp.shell.currentWidget.content.widgets.some(w => w.node.innerText.includes('turn 3'))"
    )
    shown = [each["source"] for each in page.model_cells()]
    other.wait_until(lambda: [each["source"] for each in other.model_cells()] == shown)
    other.wait_idle()
    assert {each["state"] for each in other.cells() if each["type"] == "code"} == {"idle"}


def test_restart_in_mid_run(notebook: Callable[..., LabPage], script: Callable[..., str]) -> None:
    """After a restart no cell is left running, what was written stays, and asking again works."""
    page = notebook(SETUP, question(script(cell("import time\nprint('begun')\ntime.sleep(60)"), DONE)))
    page.run_cell(0)
    page.run_cell(1, wait=False)
    page.wait_for("() => [...document.querySelectorAll('.jp-OutputArea')].some(a => a.innerText.includes('begun'))")
    page.page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()")
    page.page.wait_for_timeout(3000)
    settled(page)
    assert "begun" in texts(code_cells(page)[0])
    page.shot("restarted")
    expect(page.page.locator(".rlm-RunBar-stop:visible")).to_have_count(0)
    page.set_cell(1, '%%rlm --model tutor\nHow many times does "green" occur?')
    page.run_cell(0)
    page.run_cell(1)
    settled(page)
    assert "2,000" in texts(page.cells()[1])


def test_deleting_a_running_cell(notebook: Callable[..., LabPage], script: Callable[..., str]) -> None:
    """The person deletes the cell that runs: the run goes on, and later cells stand where they belong."""
    page = notebook(
        SETUP, question(script(cell("import time; time.sleep(3)"), cell("print('next')"), DONE)), "print('mine')"
    )
    page.run_cell(0)
    page.run_cell(1, wait=False)
    page.wait_for(
        """() => window.jupyterapp.shell.currentWidget.content.widgets.some(
             w => w.model.sharedModel.getSource().includes('sleep(3)'))"""
    )
    page.page.wait_for_timeout(700)
    page.page.evaluate(
        """() => {
          const content = window.jupyterapp.shell.currentWidget.content;
          const index = content.widgets.findIndex(w => w.model.sharedModel.getSource().includes('sleep(3)'));
          content.activeCellIndex = index;
          void window.jupyterapp.commands.execute('notebook:delete-cell');
        }"""
    )
    settled(page)
    sources = [each["source"] for each in page.cells()]
    assert not any("sleep(3)" in source for source in sources)
    assert sources.index("print('next')") < sources.index("print('mine')")
    assert "next" in texts(code_cells(page)[0])
    assert "green" in texts(page.cells()[1])
    assert page.errors == []


@pytest.mark.parametrize("how", ["bar", "interrupt", "panel"])
def test_stop(how: str, notebook: Callable[..., LabPage], script: Callable[..., str]) -> None:
    """Stop is there from the first moment and ends a cell that sleeps; the cells after the question do not run."""
    page = notebook(SETUP, question(script(cell("import time; time.sleep(100)"), DONE)), "print('after')")
    page.run_all(wait=False)
    page.wait_for("() => document.querySelector('.rlm-RunBar-stop:not([hidden])')")
    page.wait_for(
        """() => window.jupyterapp.shell.currentWidget.content.widgets.some(
             w => w.model.sharedModel.getSource().includes('sleep(100)') && w.model.executionState === 'running')"""
    )
    page.page.wait_for_timeout(700)
    if how == "bar":
        page.page.locator(".rlm-RunBar-stop").first.click()
    elif how == "interrupt":
        page.command("notebook:interrupt-kernel")
    else:
        page.page.get_by_role("button", name="Stop").last.click()
    settled(page)
    page.shot(f"stopped-{how}")
    cells = page.cells()
    assert cells[-1]["outputs"] == []
    assert "KeyboardInterrupt" in texts(code_cells(page)[0])
    assert "topped" in texts(cells[1])
    page.run_cell(len(cells) - 1)
    assert "after" in texts(page.cells()[-1])


def test_pause_lets_the_person_work(notebook: Callable[..., LabPage], script: Callable[..., str]) -> None:
    """Paused, the model waits; a person's cell runs at once; then the run goes on."""
    page = notebook(
        SETUP,
        question(script(*[cell(f"print('turn', {n})  # " + "slowly " * 60) for n in range(4)], DONE, delay=0.05)),
        "mine = 1\nprint('mine')",
    )
    page.run_cell(0)
    page.run_cell(1, wait=False)
    page.wait_model_cells(3)
    page.page.locator(".rlm-RunBar button", has_text="Pause").first.click()
    page.page.wait_for_selector(".rlm-RunBar[data-state=paused]")
    page.page.wait_for_timeout(500)
    before = len(page.model_cells())
    page.select(len(page.cells()) - 1)
    page.command("notebook:run-cell")
    page.wait_for(
        "() => window.jupyterapp.shell.currentWidget.content.widgets.at(-1).model.outputs.length > 0", timeout=10
    )
    page.shot("paused")
    page.page.wait_for_timeout(500)
    assert len(page.model_cells()) == before
    page.page.locator(".rlm-RunBar button", has_text="Resume").first.click()
    settled(page)
    assert "green" in texts(page.cells()[1])


def test_saved_closed_reopened(
    notebook: Callable[..., LabPage], script: Callable[..., str], lab: Lab, tab: Callable[[], LabPage]
) -> None:
    """The file is valid nbformat, and the cells are still recognisable as the model's."""
    page = notebook(SETUP, question(script(cell("print('one')"), DONE)))
    page.run_all()
    settled(page)
    page.save()
    name = page.page.evaluate("() => window.jupyterapp.shell.currentWidget.context.path")
    written = nbformat.read(lab.root / name, as_version=4)
    nbformat.validate(written)
    assert [each.metadata.rlm.part for each in written.cells[2:]] == ["prose", "code", "prose", "code"]
    page.page.close()
    lab.end_sessions()
    again = tab().open(name)
    again.wait_for("() => document.querySelectorAll('.rlm-Badge').length >= 4")
    again.dark()
    again.shot("reopened-dark")
    assert all("rlm-Cell" in each["classes"] for each in again.model_cells())


def test_widget_clicks_never_leave_a_cell_running(notebook: Callable[..., LabPage]) -> None:
    """Fifty clicks on a button while twenty cells run: nothing stays at [*]."""
    page = notebook(
        "import ipywidgets as w\nclicks = []\nb = w.Button(description='press')\nb.on_click(clicks.append)\nb",
        *["import time\ntime.sleep(0.15)"] * 20,
        "len(clicks)",
    )
    page.run_cell(0)
    button = page.page.locator("button", has_text="press").first
    button.wait_for()
    page.run_all(wait=False)
    page.page.wait_for_timeout(1200)
    button = page.page.locator("button", has_text="press").first
    for _ in range(50):
        button.click(timeout=10_000)
        page.page.wait_for_timeout(20)
    settled(page)
    page.run_cell(21)
    assert page.cells()[21]["outputs"][0]["data"]["text/plain"] == "50"
    assert page.errors == []


def test_deleting_a_cell_that_is_being_written(notebook: Callable[..., LabPage], script: Callable[..., str]) -> None:
    """A cell that the person deletes before it is complete never runs; the run goes on below."""
    long = "print('never')  # " + "and on " * 60
    page = notebook(SETUP, question(script(cell(long), cell("print('next')"), DONE, chunk=4, delay=0.03)), "'mine'")
    page.run_cell(0)
    page.run_cell(1, wait=False)
    page.wait_for(
        """() => window.jupyterapp.shell.currentWidget.content.widgets.some(
             w => w.model.type === 'code' && w.model.sharedModel.getSource().startsWith("print('never')"))"""
    )
    page.page.evaluate(
        """() => {
          const content = window.jupyterapp.shell.currentWidget.content;
          content.activeCellIndex = content.widgets.findIndex(
            w => w.model.type === 'code' && w.model.sharedModel.getSource().startsWith("print('never')"));
          void window.jupyterapp.commands.execute('notebook:delete-cell');
        }"""
    )
    settled(page)
    cells = page.cells()
    sources = [each["source"] for each in cells]
    assert not any("never" in source for source in sources)
    assert sources.index("print('next')") < sources.index("'mine'")
    assert not any("never" in texts(each) for each in cells)
    assert "green" in texts(cells[1])
    assert page.errors == []


def test_widgets_of_both_processes_after_a_reload(notebook: Callable[..., LabPage], script: Callable[..., str]) -> None:
    """A slider of a cell and the panel are there again, and the slider still reaches Python."""
    page = notebook(
        SETUP,
        question(script(DONE)),
        "import ipywidgets as w\nslider = w.IntSlider(value=3)\nslider",
        "slider.value",
    )
    page.run_all()
    settled(page)
    page.save()
    page.reload()
    page.wait_for("() => document.querySelector('.jp-OutputArea .noUi-handle')")
    page.wait_for("() => window.jupyterapp.commands.isEnabled('rlm:show-panel')")
    page.command("rlm:show-panel")
    page.wait_for("() => document.querySelector('.rlm-panel .rlm-row[role=treeitem]')")
    page.shot("widgets-reloaded")
    moved = move_slider(page)
    last = len(page.cells()) - 1
    page.run_cell(last)
    assert page.cells()[last]["outputs"][0]["data"]["text/plain"] == moved


def test_going_on_after_a_limit(notebook: Callable[..., LabPage], script: Callable[..., str]) -> None:
    """``%rlm continue`` goes on below itself, with the limits set now, and reaches the answer."""
    page = notebook(
        SETUP,
        question(script(cell("lamps = 3\nprint('lamps', lamps)"), DONE) + " --max-turns 1"),
        "%rlm continue --max-turns 5",
    )
    page.run_cell(0)
    page.run_cell(1)
    settled(page)
    assert "limit of 1 turn " in texts(page.cells()[1])
    page.run_cell(len(page.cells()) - 1)
    settled(page)
    page.shot("continued")
    cells = page.cells()
    going = next(each for each in cells if each["source"].startswith("%rlm continue"))
    assert "green" in texts(going)
    assert any("answer['ready']" in each["source"] for each in code_cells(page))
    assert page.errors == []
