"""Runs a notebook without a page."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rlm_kernel.engine.settings import FRESH, POLICY
from rlm_kernel.notebook.answer import NOT_APPROVED
from rlm_kernel.notebook.expand import drop_model_cells, expand
from rlm_kernel.notebook.files import KERNELSPEC, read_notebook, write_notebook

if TYPE_CHECKING:
    from pathlib import Path

    from nbformat import NotebookNode

    from rlm_kernel.engine.settings import Policy


@dataclass(frozen=True, slots=True)
class RunReport:
    """What running a notebook came to."""

    path: Path
    """The notebook written."""
    runs: int
    """How many questions were asked and turned into cells."""
    failure: str = ""
    """Why it did not run to its end: the error of the cell that failed; empty where it did."""
    not_approved: bool = False
    """Whether that was since something needed a person's approval."""


async def run_notebook(
    path: Path,
    out: Path | None = None,
    *,
    timeout: float | None = None,  # noqa: ASYNC109 - of each cell: nbclient keeps it
    allow_errors: bool = False,
    fresh: bool = False,
    policy: Policy | None = None,
) -> RunReport:
    """Run all cells on the notebook's kernel, turn runs into real cells, write the result.

    Cells a model wrote in an earlier run of a question are not run again: the question makes them anew. What ran
    before a cell failed is written all the same.

    Args:
        path: The notebook to run.
        out: Where to write; ``None`` replaces ``path``.
        timeout: Seconds a cell may take; ``None`` sets no limit.
        allow_errors: Go on after a cell that fails.
        fresh: Ask anew, also what was answered before.
        policy: What becomes of what needs a person's approval; none is there.

    Returns:
        Where it was written, and why it stopped early if it did.

    Raises:
        InputError: The file is not a notebook, its kernel is not installed, or the result cannot be written.
    """
    folder = path.absolute().parent  # noqa: ASYNC240 - asks no disk
    notebook = read_notebook(path)
    drop_model_cells(notebook)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    # As a Jupyter server names it: the questions of this notebook are known again, and those of its neighbours are not.
    named = {"JPY_SESSION_NAME": str((out or path).absolute())}
    environ = {**os.environ, **named, **({FRESH: "1"} if fresh else {}), **({POLICY: policy} if policy else {})}
    failure = await _execute(notebook, folder, timeout, allow_errors, environ)
    runs = expand(notebook)
    return RunReport(write_notebook(out or path, notebook), runs, failure, failure.startswith(NOT_APPROVED))


async def _execute(
    notebook: NotebookNode, folder: Path, cell_seconds: float | None, allow_errors: bool, environ: dict[str, str]
) -> str:
    from jupyter_client.kernelspec import NoSuchKernel
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    from rlm_kernel.errors import InputError

    notebook.metadata.setdefault("kernelspec", dict(KERNELSPEC))
    resources = {"metadata": {"path": str(folder)}}
    client = NotebookClient(
        notebook,
        timeout=cell_seconds,
        allow_errors=allow_errors,
        resources=resources,
        # ipykernel warns of every loopback connection; a person can do nothing about it here.
        extra_arguments=["--IPKernelApp.log_level=ERROR"],
    )
    client.on_cell_executed = _true_count
    try:
        await client.async_execute(env=environ)
    except NoSuchKernel as error:
        raise InputError(
            f"The kernel {error.name!r} of this notebook is not installed.", "See jupyter kernelspec list."
        ) from error
    except CellExecutionError as error:
        return f"{error.ename}: {error.evalue}"
    except CellTimeoutError:
        return f"A cell took longer than {cell_seconds:g} seconds."
    except DeadKernelError:
        return "The kernel died."
    return ""


def _true_count(cell: NotebookNode, cell_index: int, execute_reply: dict[str, Any]) -> None:
    """Number a cell as the kernel did; nbclient counts the cells it has sent, and a run has cells of its own."""
    count = execute_reply["content"].get("execution_count")
    if isinstance(count, int):
        cell["execution_count"] = count
