"""Runs a notebook without a page."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jupyter_core.utils import ensure_async

from rlm_kernel.engine.settings import FRESH, POLICY
from rlm_kernel.notebook.answer import NOT_APPROVED
from rlm_kernel.notebook.expand import drop_model_cells, expand
from rlm_kernel.notebook.files import KERNELSPEC, read_notebook, write_notebook

if TYPE_CHECKING:
    from pathlib import Path

    from jupyter_client.manager import KernelManager
    from nbclient import NotebookClient
    from nbformat import NotebookNode

    from rlm_kernel.engine.settings import Policy


GRACE = 3.0
"""Seconds that a cell has to end after Ctrl-C."""


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
    interrupted: bool = False
    """Whether a person ended it with Ctrl-C."""


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
    before a cell failed, or before it was cancelled, is written all the same.

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
    ctrl_c = _CtrlC()
    failure = await _execute(notebook, folder, timeout, allow_errors, environ, ctrl_c)
    runs = expand(notebook)
    written = write_notebook(out or path, notebook)
    return RunReport(written, runs, failure, failure.startswith(NOT_APPROVED), ctrl_c.pressed)


class _CtrlC:
    """Ends a notebook in good order: the cell that runs is interrupted, and what ran is written.

    nbclient's own handling ends the kernel at once, and with it what the cell has found.
    """

    def __init__(self) -> None:
        self.pressed = False
        self._task = asyncio.current_task()
        self._kernel: KernelManager | None = None
        self._work: asyncio.Task[None] | None = None

    def listen(self, kernel: KernelManager | None) -> None:
        """Take Ctrl-C from now on."""
        self._kernel = kernel
        with suppress(NotImplementedError, RuntimeError):  # Windows; not the main thread
            asyncio.get_running_loop().add_signal_handler(signal.SIGINT, self._press)

    def _press(self) -> None:
        if self.pressed:
            self.give_up()
            return
        self.pressed = True
        self._work = asyncio.get_running_loop().create_task(self._end())

    async def _end(self) -> None:
        if self._kernel is not None and self._kernel.has_kernel:
            with suppress(RuntimeError):  # it has just ended
                await ensure_async(self._kernel.interrupt_kernel())
        await asyncio.sleep(GRACE)
        self.give_up()

    def give_up(self) -> None:
        """End it now."""
        if self._task is not None:
            self._task.cancel()

    def over(self) -> None:
        """Leave it alone from now on: it ends by itself."""
        self._task = None


class _Interrupted(Exception):
    """Ends a notebook between two cells."""


def _client(notebook: NotebookNode, ctrl_c: _CtrlC, **options: Any) -> NotebookClient:
    from nbclient import NotebookClient

    class Client(NotebookClient):
        async def async_start_new_kernel(self, **kwargs: object) -> None:
            ctrl_c.listen(self.km)  # nbclient has just begun to listen
            await super().async_start_new_kernel(**kwargs)

        async def _async_cleanup_kernel(self) -> None:
            ctrl_c.over()  # whoever cancels this leaves a kernel behind
            await super()._async_cleanup_kernel()

    def executed(cell: NotebookNode, cell_index: int, execute_reply: dict[str, Any]) -> None:
        _true_count(cell, cell_index, execute_reply)
        if ctrl_c.pressed:
            raise _Interrupted

    # ipykernel warns of every loopback connection; a person can do nothing about it here.
    client = Client(notebook, extra_arguments=["--IPKernelApp.log_level=ERROR"], **options)
    client.on_cell_executed = executed
    return client


async def _execute(
    notebook: NotebookNode,
    folder: Path,
    cell_seconds: float | None,
    allow_errors: bool,
    environ: dict[str, str],
    ctrl_c: _CtrlC,
) -> str:
    from jupyter_client.kernelspec import NoSuchKernel
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    from rlm_kernel.errors import InputError

    notebook.metadata.setdefault("kernelspec", dict(KERNELSPEC))
    resources = {"metadata": {"path": str(folder)}}
    client = _client(notebook, ctrl_c, timeout=cell_seconds, allow_errors=allow_errors, resources=resources)
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
    except _Interrupted:
        return ""
    except asyncio.CancelledError:
        if not ctrl_c.pressed:
            raise
    return ""


def _true_count(cell: NotebookNode, cell_index: int, execute_reply: dict[str, Any]) -> None:
    """Number a cell as the kernel did; nbclient counts the cells it has sent, and a run has cells of its own."""
    count = execute_reply["content"].get("execution_count")
    if isinstance(count, int):
        cell["execution_count"] = count
