"""Notebooks run without a page, and what becomes of them."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import nbformat
import pytest

from rlm_kernel.errors import InputError
from rlm_kernel.notebook.expand import expand
from rlm_kernel.notebook.files import KERNELSPEC
from rlm_kernel.notebook.run import run_notebook
from tests.kernel.page import cell, final, script

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("kernelspecs")


def write(path: Path, *sources: str) -> Path:
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": dict(KERNELSPEC)}), path)
    return path


def read(path: Path) -> nbformat.NotebookNode:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    return notebook


async def test_run_makes_real_cells_and_running_again_replaces_them(tmp_path: Path) -> None:
    model = script(tmp_path, cell("print('one')\n6 * 7", "I look."), final("**A.**"), repeat=True)
    source = write(tmp_path / "in.ipynb", "context = 'x'", f"%%rlm --model {model}\nWho?", "print('after')")
    report = await run_notebook(source, tmp_path / "out.ipynb")
    assert (report.runs, report.failure) == (1, "")
    notebook = read(report.path)
    kinds = [(each.cell_type, each.get("execution_count")) for each in notebook.cells]
    assert kinds == [("code", 1), ("code", 2), ("markdown", None), ("code", 3), ("code", 4), ("code", 5)]
    question, prose, code = notebook.cells[1:4]
    assert question.outputs[0].data["text/markdown"].startswith("**A.**")
    assert len(question.outputs) == 1
    assert prose.source == "I look."
    assert code.source == "print('one')\n6 * 7"
    assert [output.output_type for output in code.outputs] == ["stream", "execute_result"]
    assert code.metadata.rlm.anchor == question.id
    again = await run_notebook(report.path)
    assert [each.cell_type for each in read(again.path).cells] == [each.cell_type for each in notebook.cells]
    assert not [name for name in os.listdir(tmp_path) if name.startswith(".")]


async def test_the_questions_of_another_notebook_are_not_this_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RLM_STORE", str(tmp_path / "runs.sqlite3"))
    model = script(tmp_path, final("A."), repeat=True)
    asking = f"%%rlm --model {model}\n"
    for name in ("one", "two"):
        source = write(tmp_path / f"{name}.ipynb", "context = 'x'", f"{asking}Question {name}?", "%rlm branches")
        report = await run_notebook(source, tmp_path / f"{name}-run.ipynb")
        assert report.failure == ""
    shown = read(report.path).cells[-1].outputs[0].text
    assert "Question two?" in shown
    assert "Question one?" not in shown


async def test_a_cell_that_fails_keeps_what_ran(tmp_path: Path) -> None:
    model = script(tmp_path, cell("1"), final("A."))
    source = write(tmp_path / "in.ipynb", "context = 'x'", f"%%rlm --model {model}\nWho?", "1 / 0", "print('never')")
    report = await run_notebook(source, tmp_path / "out.ipynb")
    assert report.failure.startswith("ZeroDivisionError")
    notebook = read(report.path)
    assert notebook.cells[-2].outputs[0].ename == "ZeroDivisionError"
    assert notebook.cells[-1].execution_count is None
    assert report.runs == 1


async def test_a_run_that_fails_is_a_failure_with_its_error_in_the_question(tmp_path: Path) -> None:
    source = write(tmp_path / "in.ipynb", "context = 'x'", f"%%rlm --model {script(tmp_path, cell('1'))}\nWho?")
    report = await run_notebook(source, tmp_path / "out.ipynb")
    assert report.failure.startswith("RunFailed")
    question = read(report.path).cells[1]
    assert [output.output_type for output in question.outputs] == ["display_data", "error"]


async def test_what_is_no_notebook_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.ipynb").write_text("{}")
    with pytest.raises(InputError, match=r"x\.ipynb"):
        await run_notebook(tmp_path / "x.ipynb")


async def test_a_kernel_that_is_not_there_is_one_clear_line(tmp_path: Path) -> None:
    notebook = nbformat.v4.new_notebook(metadata={"kernelspec": {"name": "no-such", "display_name": "x"}})
    nbformat.write(notebook, tmp_path / "x.ipynb")
    with pytest.raises(InputError, match="no-such"):
        await run_notebook(tmp_path / "x.ipynb")


def test_nbconvert_executes_and_expands_later(tmp_path: Path) -> None:
    model = script(tmp_path, cell("print('one')"), final("A."))
    source = write(tmp_path / "in.ipynb", "context = 'x'", f"%%rlm --model {model}\nWho?")
    command = [sys.executable, "-m", "nbconvert", "--to", "notebook", "--execute", "--inplace", str(source)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    notebook = read(source)
    assert len(notebook.cells) == 2
    assert expand(notebook) == 1
    nbformat.validate(notebook)
    assert notebook.cells[2].outputs[0].text == "one\n"
