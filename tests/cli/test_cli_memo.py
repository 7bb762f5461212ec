"""Asked again, a question costs nothing; in the terminal and in notebooks that run headless."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import nbformat
import pytest

from rlm_kernel.notebook.files import KERNELSPEC

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

    from tests.server import FakeEndpoint

    RunCli = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def document(folder: Path) -> Path:
    file = folder / "tale.txt"
    file.write_text("A tale of ships.\n" * 100)
    return file


def test_the_second_time_costs_nothing_and_fresh_asks_anew(
    run_cli: RunCli, endpoint: FakeEndpoint, document: Path
) -> None:
    first = run_cli("ask", "What is it about?", document, **endpoint.environ)
    assert first.returncode == 0, first.stderr
    asked = len(endpoint.requests)
    assert asked == 4
    again = run_cli("ask", "What is it about?", document, **endpoint.environ)
    assert again.stdout == first.stdout
    assert len(endpoint.requests) == asked
    assert "4 calls · 4 from the memo · 0 in · 0 out · free" in again.stderr
    assert again.stderr.count("from memo") == 4
    assert run_cli("ask", "--fresh", "What is it about?", document, **endpoint.environ).stdout == first.stdout
    assert len(endpoint.requests) == 2 * asked


def test_a_limit_of_cost_that_could_not_be_held_is_told(
    run_cli: RunCli, endpoint: FakeEndpoint, document: Path
) -> None:
    told = [
        "--max-cost could not be held" in run_cli("ask", "--quiet", *words, document, **endpoint.environ).stderr
        for words in (["Where?"], ["--max-cost", "none", "Who?"], ["--max-cost", "0.01", "When?"])
    ]
    assert told == [False, False, True]


def test_a_store_that_cannot_be_used_is_one_line(
    run_cli: RunCli, endpoint: FakeEndpoint, document: Path, tmp_path: Path
) -> None:
    (tmp_path / "letter.txt").write_text("Dear Sir, " * 1000)
    environ = {**endpoint.environ, "RLM_STORE": str(tmp_path / "letter.txt")}
    asked = run_cli("ask", "--quiet", "What is it about?", document, **environ)
    assert asked.returncode == 0
    assert len(asked.stderr.splitlines()) == 1
    assert "goes on without it" in asked.stderr


def cells_of(path: Path) -> list[Any]:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    for cell in notebook.cells:
        del cell["id"], cell["metadata"]
        for output in cell.get("outputs", []):
            output.pop("metadata", None)
            for kind, text in output.get("data", {}).items():
                output["data"][kind] = text.rpartition("\n\n")[0] or text  # the foot says what it cost
    return json.loads(json.dumps(notebook.cells))  # type: ignore[no-any-return]


@pytest.mark.usefixtures("kernelspecs")
def test_a_notebook_run_twice_is_the_same_and_costs_nothing(
    run_cli: RunCli, endpoint: FakeEndpoint, folder: Path
) -> None:
    sources = ["context = 'A tale of ships. ' * 500", "%%rlm\nWhat is it about?", "x = len(answer['content'])\nx"]
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": dict(KERNELSPEC)}), folder / "a.ipynb")
    first = run_cli("run", "a.ipynb", "-o", "one.ipynb", **endpoint.environ)
    assert first.returncode == 0, first.stderr
    asked = len(endpoint.requests)
    assert asked == 4
    for source, out in (("a.ipynb", "two.ipynb"), ("one.ipynb", "three.ipynb")):
        assert run_cli("run", source, "-o", out, **endpoint.environ).returncode == 0
        assert cells_of(folder / out) == cells_of(folder / "one.ipynb")
    assert len(endpoint.requests) == asked
    assert run_cli("run", "--fresh", "a.ipynb", "-o", "four.ipynb", **endpoint.environ).returncode == 0
    assert len(endpoint.requests) == 2 * asked
