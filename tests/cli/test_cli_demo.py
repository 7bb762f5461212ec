"""``rlm-kernel demo``: works without anything set."""

from __future__ import annotations

import re
import time

import nbformat


def test_the_demo_shows_everything_and_writes_a_notebook(run_cli, folder):
    began = time.monotonic()
    done = run_cli("demo")
    seconds = time.monotonic() - began
    assert done.returncode == 0, done.stderr
    assert seconds < 30
    for expected in ("Document", "Question", "Panama", "turn 1", "call tree", "Answer", "free"):
        assert expected in done.stdout
    assert "rlm-kernel lab rlm-demo.ipynb" in done.stdout
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", done.stdout)
    assert done.stderr == ""
    notebook = nbformat.read(folder / "rlm-demo.ipynb", as_version=4)
    nbformat.validate(notebook)
    models = [cell for cell in notebook.cells if cell.metadata.get("rlm", {}).get("author") == "model"]
    assert any(cell.cell_type == "code" and cell.outputs for cell in models)


def test_the_demo_never_replaces_a_notebook(run_cli, folder):
    for name in ("rlm-demo.ipynb", "rlm-demo-2.ipynb"):
        (folder / name).write_text("mine")
    done = run_cli("demo")
    assert done.returncode == 0, done.stderr
    assert "Wrote rlm-demo-3.ipynb" in done.stdout
    assert (folder / "rlm-demo.ipynb").read_text() == "mine"
    nbformat.validate(nbformat.read(folder / "rlm-demo-3.ipynb", as_version=4))


def test_the_demo_takes_another_model_and_place(run_cli, folder, script):
    model = script("```python\nFINAL(str(len(context)))\n```")
    done = run_cli("demo", "--model", model, "--output", "mine.ipynb", RLM_MODEL="not-asked")
    assert done.returncode == 0, done.stderr
    assert (folder / "mine.ipynb").is_file()
    again = run_cli("demo", "--model", model, "--output", "mine.ipynb")
    assert again.returncode == 2
    assert "--overwrite" in again.stderr


def test_the_demo_spends_no_money_unasked(run_cli, endpoint):
    done = run_cli("demo", **endpoint.environ)
    assert done.returncode == 0, done.stderr
    assert endpoint.requests == []
