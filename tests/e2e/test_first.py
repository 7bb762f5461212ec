"""A question in a notebook: live cells, then the answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import nbformat
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.e2e.conftest import Lab, LabPage

TEXT = "\n".join(
    f"Line {n}. The keeper of lamp {n} is {'Ada' if n == 417 else 'Tom'}{'.' * (n % 7)}" for n in range(1200)
)


@pytest.fixture(params=["lab", "notebook"])
def asked(request: pytest.FixtureRequest, lab: Lab, notebook: Callable[..., LabPage]) -> LabPage:
    """A notebook that has asked the tutor a question, in JupyterLab and in Notebook 7."""
    (lab.root / "lamps.txt").write_text(TEXT)
    page = notebook('load("lamps.txt");', '%%rlm\nHow often does "Ada" occur?', "answer['content']", app=request.param)
    page.run_all()
    return page


def test_a_question_is_worked_out_in_live_cells(asked: LabPage, request: pytest.FixtureRequest) -> None:
    """The model's cells stand between the question and the next cell, have run, and say what they cost."""
    asked.shot(f"first-{request.node.callspec.params['asked']}")
    cells = asked.cells()
    mine = asked.model_cells()
    code = [cell for cell in mine if cell["type"] == "code"]
    assert code
    assert [cell["id"] for cell in cells[2 : 2 + len(mine)]] == [cell["id"] for cell in mine]
    assert all(cell["count"] for cell in code)
    assert all("rlm-Cell" in cell["classes"] and cell["metadata"]["rlm"]["badge"] for cell in mine)
    assert all("Cell written by the model" in cell["text"] for cell in mine)
    assert "1" in str(cells[1]["outputs"])
    assert cells[-1]["outputs"][0]["data"]["text/plain"]
    assert asked.errors == []


def test_saved_cells_are_valid_and_look_the_same_again(asked: LabPage, lab: Lab, tab: Callable[[], LabPage]) -> None:
    """Save and reopen."""
    before = asked.model_cells()
    asked.save()
    name = asked.page.evaluate("() => window.jupyterapp.shell.currentWidget.context.path")
    nbformat.validate(nbformat.read(lab.root / name, as_version=4))
    asked.page.close()
    again = tab().open(name)
    again.wait_for("() => document.querySelector('.rlm-Badge') && document.querySelector('.rlm-RunBar-fold')")
    after = again.model_cells()
    assert [(cell["id"], cell["source"], cell["metadata"]["rlm"]) for cell in after] == [
        (cell["id"], cell["source"], cell["metadata"]["rlm"]) for cell in before
    ]
