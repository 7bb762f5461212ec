"""The kernel process: what it keeps to itself, how it starts, and other clients of it."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.conftest import LiveKernel

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux only")


def test_keys_stay_in_the_kernel_process(start_kernel: Callable[..., LiveKernel]) -> None:
    k = start_kernel("rlm", env={**os.environ, "OPENAI_API_KEY": "sk-secret-of-the-person"})
    code = "import os, subprocess\n'sk-secret' in str(os.environ) or 'sk-secret' in subprocess.getoutput('env')"
    assert k.run(code).result == "False"


@linux
def test_memory_of_the_kernel_is_closed_to_others() -> None:
    code = (
        "import ctypes; from rlm_kernel.kernel.app import hide_memory\n"
        "assert hide_memory()\nprint(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "0"


@linux
@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may read everything")
def test_the_namespace_cannot_read_the_kernel(shared_kernel: LiveKernel) -> None:
    assert shared_kernel.run("import os; open(f'/proc/{os.getppid()}/mem', 'rb')").error["ename"] == "PermissionError"


def test_files_beside_the_notebook_are_seen_by_cells_and_not_by_the_kernel(
    start_kernel: Callable[..., LiveKernel], tmp_path: Path
) -> None:
    (tmp_path / "helper_of_mine.py").write_text("value = 3")
    for name in ("random.py", "openai.py", "zmq.py", "secrets.py"):
        (tmp_path / name).write_text("raise SystemExit('imported by mistake')")
    k = start_kernel("rlm", cwd=str(tmp_path))
    assert k.run("import helper_of_mine; helper_of_mine.value").result == "3"


def test_modules_that_cost_start_up_time_are_not_imported() -> None:
    heavy = {"openai", "anywidget", "ipywidgets", "nbformat", "pypdfium2", "genai_prices", "rich", "pandas", "numpy"}
    code = f"import sys, rlm_kernel.kernel.app\nprint(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.usefixtures("kernelspecs")
def test_nbclient_executes_a_plain_notebook() -> None:
    nbclient = pytest.importorskip("nbclient")
    from nbformat import validate
    from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

    notebook = new_notebook(
        cells=[
            new_markdown_cell("# A notebook"),
            new_code_cell("import os\nx = [n * n for n in range(4)]\nprint(x)"),
            new_code_cell("x[-1]"),
            new_code_cell("from IPython.display import HTML\nHTML('<b>9</b>')"),
            new_code_cell("await __import__('asyncio').sleep(0)\nget_ipython().kernel.implementation"),
        ]
    )
    nbclient.NotebookClient(notebook, kernel_name="rlm", timeout=60).execute()
    validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == [1, 2, 3, 4]
    assert code[0].outputs[0].text == "[0, 1, 4, 9]\n"
    assert code[1].outputs[0].data["text/plain"] == "9"
    assert code[2].outputs[0].data["text/html"] == "<b>9</b>"
    assert code[3].outputs[0].data["text/plain"] == "'rlm-kernel'"
