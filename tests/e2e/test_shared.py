"""A notebook that two people have open at once. Runs where ``jupyter-collaboration`` is installed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.e2e.test_rerun_cells import FIRST, asked, at, cell, confirm, done, widget

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.e2e.conftest import LabPage

pytest.importorskip("jupyter_collaboration")

SHOWN = """() => [...document.querySelectorAll('.jp-Notebook .jp-CodeCell')].map(
  cell => [cell.querySelector('.jp-InputArea').innerText, cell.querySelector('.jp-OutputArea').innerText])"""


def same(first: LabPage, second: LabPage, *words: str) -> None:
    """Both pages come to show the same cells and outputs, with these words."""
    shown = [[""]]

    def they_do() -> bool:
        shown[:] = first.page.evaluate(SHOWN)
        return shown == second.page.evaluate(SHOWN) and all(word in str(shown) for word in words)

    first.wait_until(they_do)
    ids = [each["id"] for each in first.cells()]
    assert ids == [each["id"] for each in second.cells()]
    assert len(set(ids)) == len(ids)


def test_two_people_see_and_steer_the_same_run(
    notebook: Callable[..., LabPage], tab: Callable[[], LabPage], script: Callable[..., str]
) -> None:
    """One asks; the other runs again from a cell and switches branches; each page shows it all, once."""
    mine = asked(notebook, script(*FIRST, done("red")), "print('after', lamps)")
    theirs = tab().open(mine.page.evaluate("() => window.jupyterapp.shell.currentWidget.context.localPath"))
    same(mine, theirs, "now 4", "green")
    theirs.set_cell(at(theirs, "lamps += 1"), "lamps += 10\nprint('now', lamps)")
    widget(theirs, "lamps += 10").get_by_role("button", name="Re-run from here").click()
    confirm(theirs)
    same(mine, theirs, "now 13", "red")
    theirs.command("rlm:show-panel")
    panel = theirs.page.locator(".rlm-panel:visible")
    panel.get_by_role("tab", name="Branches").click()
    panel.get_by_role("button", name="Switch to it").first.click()
    same(mine, theirs, "now 4", "green")
    mine.run_cell(at(mine, "print('after'"))
    same(mine, theirs, "after 4")
    assert mine.errors == theirs.errors == []


def test_who_asked_may_leave(
    notebook: Callable[..., LabPage], tab: Callable[[], LabPage], script: Callable[..., str]
) -> None:
    """The page that asked is closed in mid run; the other writes the rest."""
    slow = script(cell("print('one')"), cell("import time; time.sleep(3)\nprint('two')"), done("green"), delay=0.05)
    theirs = notebook("context = 'The lamp is green. ' * 200", f"%%rlm --model {slow}\nWhat colour is the lamp?")
    mine = tab().open(theirs.page.evaluate("() => window.jupyterapp.shell.currentWidget.context.localPath"))
    theirs.run_cell(0)
    theirs.run_cell(1, wait=False)
    mine.wait_until(lambda: "one" in str(mine.page.evaluate(SHOWN)))
    same(mine, theirs)
    theirs.page.close()
    mine.wait_until(lambda: "The lamp is green" in str(mine.page.evaluate(SHOWN)[1]))
    mine.wait_idle()
    shown = mine.page.evaluate(SHOWN)
    assert len(shown) == 2 + 3
    assert "two" in shown[3][1]
    assert mine.errors == []
