"""The working of a run: folded, removed, and made of an output that carries it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import nbformat
import pytest
from playwright.sync_api import expect

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.e2e.conftest import Lab, LabPage

RUN_MIME = "application/vnd.rlm.run+json"


def model_cell(kind: str, source: str, number: int, **fields: Any) -> dict[str, Any]:
    rlm = {"run_id": "run-1", "node_id": "run-1/t1", "anchor": "asked", "author": "model", "turn": 1, "depth": 0}
    rlm |= {"part": "prose" if kind == "markdown" else "code", "badge": "turn 1 · 812 in · 96 out · free"}
    return {"cell_type": kind, "id": f"model-{number}", "source": source, "metadata": {"rlm": rlm}, **fields}


PROSE = model_cell("markdown", "The first line.\n\nThe second.", 1)
CODE = model_cell("code", "print(6 * 7)", 2, execution_count=2, outputs=[])
PRINTED = {"output_type": "stream", "name": "stdout", "text": "42\n"}
ANSWER = {"output_type": "display_data", "data": {"text/markdown": "**Forty-two.**"}, "metadata": {}}


@pytest.fixture
def saved(lab: Lab, tab: Callable[[], LabPage]) -> Callable[..., LabPage]:
    """Open a notebook whose question has these outputs, with these cells below it."""

    def make(outputs: list[dict[str, Any]], *below: dict[str, Any]) -> LabPage:
        asked = {"cell_type": "code", "id": "asked", "source": "%%rlm\nWhat?", "metadata": {}, "execution_count": 1}
        after = {
            "cell_type": "code",
            "id": "after",
            "source": "1",
            "metadata": {},
            "execution_count": None,
            "outputs": [],
        }
        content = {
            "nbformat": 4,
            "nbformat_minor": 5,
            "metadata": {"kernelspec": {"name": "rlm", "display_name": "RLM (Python)", "language": "python"}},
            "cells": [{**asked, "outputs": outputs}, *below, after],
        }
        path: Path = lab.root / "saved.ipynb"
        nbformat.write(nbformat.from_dict(content), path)
        return tab().open(path.name)

    return make


def test_saved_prose_shows_its_first_line_and_unfolds(saved: Callable[..., LabPage]) -> None:
    page = saved([ANSWER], PROSE, CODE)
    first = page.page.locator(".rlm-Cell").first
    first.get_by_role("paragraph").filter(has_text="The first line.").wait_for()
    more = first.get_by_role("button", name="Show all the model says here")
    more.wait_for()
    expect(first.get_by_role("paragraph").filter(has_text="The second.")).to_be_hidden()
    more.click()
    first.get_by_role("paragraph").filter(has_text="The second.").wait_for()
    expect(first.get_by_role("button", name="Show only the first line")).to_have_attribute("aria-expanded", "true")
    badges = page.page.locator(".rlm-Badge").all_inner_texts()
    assert "96 out" in badges[1]
    assert "96 out" not in badges[0]


def test_the_working_folds_by_key_and_by_button_and_stays_folded(saved: Callable[..., LabPage]) -> None:
    page = saved([ANSWER], PROSE, CODE)
    page.page.locator(".rlm-RunBar-fold").wait_for()
    page.page.locator(".jp-Notebook .jp-InputPrompt").first.click()
    page.page.keyboard.press("g")
    page.page.keyboard.press("f")
    page.wait_for("() => [...document.querySelectorAll('.rlm-Cell')].every(node => node.offsetParent === null)")
    assert all(cell["hidden"] for cell in page.model_cells())
    page.save()
    page.reload()
    page.wait_for("() => document.querySelector('.rlm-RunBar-fold')?.getAttribute('aria-expanded') === 'false'")
    page.page.locator(".rlm-RunBar-fold").click()
    page.wait_for("() => [...document.querySelectorAll('.rlm-Cell')].every(node => node.offsetParent !== null)")
    assert page.errors == []


def test_the_models_cells_of_a_question_can_be_removed_and_brought_back(saved: Callable[..., LabPage]) -> None:
    page = saved([ANSWER], PROSE, CODE)
    page.page.locator(".rlm-RunBar-fold").wait_for()
    page.select(0)
    page.command("rlm:remove-cells")
    page.wait_for("() => !document.querySelector('.rlm-Cell')")
    assert [cell["id"] for cell in page.cells()] == ["asked", "after"]
    page.command("notebook:undo-cell-action")
    page.wait_for("() => document.querySelectorAll('.rlm-Cell').length === 2")


def test_a_run_that_came_as_output_becomes_cells(saved: Callable[..., LabPage]) -> None:
    working = {"output_type": "display_data", "data": {"text/plain": "print(6 * 7)"}, "metadata": {}}
    payload = {
        "version": 1,
        "run_id": "run-1",
        "anchor": None,
        "execution_count": 1,
        "outputs": [ANSWER],
        "cells": [PROSE, {**CODE, "outputs": [PRINTED]}],
    }
    data = {RUN_MIME: payload, "text/plain": "The working."}
    page = saved([ANSWER, working, {"output_type": "display_data", "data": data, "metadata": {}}])
    page.page.get_by_role("button", name="Show as 2 cells").click()
    page.wait_for("() => document.querySelectorAll('.rlm-Cell').length === 2")
    cells = page.cells()
    assert [cell["source"] for cell in cells] == ["%%rlm\nWhat?", PROSE["source"], CODE["source"], "1"]
    assert [cell["metadata"]["rlm"]["anchor"] for cell in page.model_cells()] == ["asked", "asked"]
    assert cells[2]["outputs"] == [PRINTED]
    assert len(cells[0]["outputs"]) == 1
    assert page.errors == []
