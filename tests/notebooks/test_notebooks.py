"""The numbered notebooks: their form, and that they run on the `rlm` kernel without a key."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

FOLDER = Path(__file__).parents[2] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
LINES = 15


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_is_a_clean_notebook_of_our_kernel(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert (notebook.nbformat, notebook.nbformat_minor) == (4, 5)
    assert notebook.metadata.kernelspec.name == "rlm"
    codes = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert 'kernel.implementation == "rlm-kernel"' in codes[0].source
    assert not any(cell.outputs or cell.execution_count for cell in codes)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_text_stands_before_each_short_code_cell(path):
    cells = nbformat.read(path, as_version=4).cells
    for before, cell in zip([None, *cells], cells, strict=False):
        if cell.cell_type == "code":
            assert before is not None, cell.id
            assert before.cell_type == "markdown", cell.id
            assert len(cell.source.splitlines()) <= LINES, cell.id


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_foot_links_to_a_file_that_is_there(path):
    last = nbformat.read(path, as_version=4).cells[-1]
    target = re.search(r"Next:.*?\]\(([^)]+)\)", last.source, re.DOTALL)
    assert target, last.source
    assert (FOLDER / target[1]).exists()


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_runs_on_the_rlm_kernel_without_a_key(path, kernelspecs, tmp_path):
    config = Path(__file__).with_name("nbval.ini")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-c", config, "--rootdir", tmp_path, path],
        env=os.environ | {"RLM_TUTOR_PACE": "0"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=170,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert "passed" in done.stdout
