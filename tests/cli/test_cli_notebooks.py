"""``rlm-kernel lab`` and ``rlm-kernel run``."""

from __future__ import annotations

import signal
import subprocess
import time

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from tests.cli.conftest import COMMAND

KERNELSPEC = {"name": "rlm", "display_name": "RLM (Python)", "language": "python"}
DONE = "I see.\n```python\nprint('working')\nFINAL('The whale won.')\n```"


def write(path, *sources):
    notebook = new_notebook(cells=[new_code_cell(each) for each in sources], metadata={"kernelspec": KERNELSPEC})
    nbformat.write(notebook, path)


def test_lab_makes_a_first_notebook(run_cli, folder):
    # JupyterLab itself only tells its version: that it was started with the notebook is what matters here.
    done = run_cli("lab", "--", "--version")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Wrote rlm-first.ipynb.\n4.")
    notebook = nbformat.read(folder / "rlm-first.ipynb", as_version=4)
    nbformat.validate(notebook)
    assert notebook.metadata.kernelspec.name == "rlm"
    assert any(cell.source.startswith("%%rlm\n") for cell in notebook.cells)


def test_lab_opens_what_exists_as_it_is(run_cli, folder):
    write(folder / "mine.ipynb", "1 + 1")
    before = (folder / "mine.ipynb").read_bytes()
    done = run_cli("lab", "mine.ipynb", "--", "--version")
    assert done.returncode == 0, done.stderr
    assert "Wrote" not in done.stdout
    assert (folder / "mine.ipynb").read_bytes() == before


@pytest.mark.parametrize("name", [".", "notes.txt", "no/where.ipynb"])
def test_lab_refuses_what_is_no_notebook(run_cli, name):
    done = run_cli("lab", name)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1


def test_run_turns_a_question_into_cells(run_cli, folder, tale, script, kernelspecs):
    write(folder / "ask.ipynb", f"load({str(tale)!r})", "%%rlm\nWho won?", "print(answer['content'])")
    before = (folder / "ask.ipynb").read_bytes()
    done = run_cli("run", "ask.ipynb", RLM_MODEL=script(DONE), JUPYTER_PATH=str(kernelspecs))
    assert done.returncode == 0, done.stderr
    assert done.stdout == "Wrote ask-run.ipynb.\n"
    assert (folder / "ask.ipynb").read_bytes() == before
    notebook = nbformat.read(folder / "ask-run.ipynb", as_version=4)
    nbformat.validate(notebook)
    models = [cell.source for cell in notebook.cells if cell.metadata.get("rlm", {}).get("author") == "model"]
    assert "print('working')\nFINAL('The whale won.')" in models
    assert notebook.cells[-1].outputs[0].text == "The whale won.\n"
    assert run_cli("run", "ask.ipynb", "-o", "ask.ipynb").returncode == 2


def test_run_keeps_what_ran_before_a_cell_failed(run_cli, folder, kernelspecs):
    write(folder / "bad.ipynb", "print('ran')", "1 / 0", "print('never')")
    done = run_cli("run", "bad.ipynb", "--output", "out.ipynb", JUPYTER_PATH=str(kernelspecs))
    assert done.returncode == 1
    assert "ZeroDivisionError" in done.stderr
    assert "Traceback" not in done.stderr
    cells = nbformat.read(folder / "out.ipynb", as_version=4).cells
    assert cells[0].outputs[0].text == "ran\n"
    assert cells[2].outputs == []


@pytest.mark.parametrize("more", [[], ["--allow-errors"]])
def test_run_keeps_what_ran_before_it_was_interrupted(environ, folder, kernelspecs, more):
    write(folder / "slow.ipynb", "print('ran')", "open('begun', 'w'); import time; time.sleep(600)", "print('never')")
    process = subprocess.Popen(
        [*COMMAND, "run", "slow.ipynb", *more],
        cwd=folder,
        env=environ | {"JUPYTER_PATH": str(kernelspecs)},
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        deadline = time.monotonic() + 60
        while not (folder / "begun").exists():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    finally:
        process.kill()
    assert (process.returncode, said) == (130, "rlm-kernel: interrupted; what ran is written.\n")
    cells = nbformat.read(folder / "slow-run.ipynb", as_version=4).cells
    assert cells[0].outputs[0].text == "ran\n"
    assert cells[1].outputs[-1].ename == "KeyboardInterrupt"
    assert cells[2].outputs == []


@pytest.mark.parametrize("name", ["missing.ipynb", ".", "text.ipynb"])
def test_run_refuses_what_is_no_notebook(run_cli, folder, name):
    (folder / "text.ipynb").write_text("no notebook")
    done = run_cli("run", name)
    assert done.returncode == 2, done.stderr
    assert len(done.stderr.splitlines()) == 1
