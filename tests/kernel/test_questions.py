"""Questions about real documents, each answered by its proof: the way through the kernel changes nothing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import nbformat
import pytest

from rlm_kernel.notebook.files import KERNELSPEC
from rlm_kernel.notebook.run import run_notebook
from tests.questions import DOCUMENTS, real

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("kernelspecs")


@pytest.mark.parametrize("name", DOCUMENTS)
async def test_every_proof_gives_its_answer_in_a_notebook(name: str, tmp_path: Path) -> None:
    document, questions = real(name)
    script = tmp_path / "script.json"
    script.write_text(json.dumps({"root": [question.cell for question in questions]}), encoding="utf-8")
    sources = [f"load({str(document)!r})", f"%rlm --model scripted:{script}"]
    sources += [f"%%rlm\n{question.text}" for question in questions]
    # The answer as the notebook shows it may be Markdown; the value itself is looked at here.
    sources = [
        part for source in sources for part in (source, *(["print(repr(answer['content']))"] * ("%%rlm" in source)))
    ]
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    nbformat.write(
        nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": dict(KERNELSPEC)}), tmp_path / "in.ipynb"
    )
    report = await run_notebook(tmp_path / "in.ipynb", tmp_path / "out.ipynb")

    assert report.failure == ""
    notebook = nbformat.read(report.path, as_version=4)
    said = [cell.outputs[0].text.strip() for cell in notebook.cells if cell.source.startswith("print(repr(answer")]
    assert said == [repr(question.answer) for question in questions]
