"""``rlm-kernel lab``: JupyterLab with a notebook to begin with."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from rlm_kernel.errors import InputError

if TYPE_CHECKING:
    import argparse

FIRST = Path("rlm-first.ipynb")

LOADING = """\
# A first question

Run the cells from top to bottom (Shift-Enter). The first loads a document of more than a million characters: State of
the Union addresses. It becomes the variable `context`."""

ASKING = """\
A cell that begins with `%%rlm` is a question. The answer comes below it, and below the answer the cells in which it was
worked out. The document itself is never pasted into a prompt."""

GOING_ON = """\
What was found stays in Python. Change the question and run it again, or load a file of your own: `load("report.pdf")`.

Where no model is set, the built-in *tutor* answers: it is not a language model, needs no key and costs nothing. `%rlm`
shows what is set, `%rlm --model NAME` sets another model, `%rlm?` is the help."""


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "lab",
        help="start JupyterLab with a first notebook ready",
        description="Start JupyterLab on a notebook. Where none is named, or the one named does not exist, a first "
        "notebook on the RLM kernel is made; one that exists is opened as it is.",
        epilog="What stands after -- goes to JupyterLab: rlm-kernel lab -- --no-browser --port 8890",
    )
    parser.add_argument("notebook", metavar="NOTEBOOK", nargs="?", help=f"the notebook to open (default {FIRST})")
    parser.set_defaults(command=run)


def run(args: argparse.Namespace) -> int:
    """Make the notebook where it is missing, and become JupyterLab."""
    from importlib.util import find_spec

    from rlm_kernel.cli.files import chosen_name, shown

    if find_spec("jupyterlab") is None:
        raise InputError("JupyterLab is not installed.", "Install it with: python -m pip install jupyterlab")
    path = Path(args.notebook).expanduser() if args.notebook else FIRST
    if not path.exists():
        write_first_notebook(chosen_name(str(path), overwrite=False))
        print(f"Wrote {shown(path)}.", flush=True)
    elif path.is_dir():
        raise InputError(f"{path} is a folder.", "Name a notebook.")
    command = [sys.executable, "-m", "jupyterlab", str(path), *args.rest]
    if os.name == "posix":
        os.execv(sys.executable, command)  # signals and the terminal are JupyterLab's own from here on
    return subprocess.call(command)


def write_first_notebook(path: Path) -> None:
    """Write a notebook that loads the shipped document and asks it a question."""
    from rlm_kernel.cli.demo import SETUP
    from rlm_kernel.demo import DEMO_QUESTION
    from rlm_kernel.ids import new_cell_id
    from rlm_kernel.notebook.files import make_notebook, write_notebook

    texts = [
        ("markdown", LOADING),
        ("code", SETUP),
        ("markdown", ASKING),
        ("code", f"%%rlm\n{DEMO_QUESTION}"),
        ("markdown", GOING_ON),
        ("code", 'print(answer["content"][:300])'),
    ]
    cells = [{"cell_type": kind, "id": new_cell_id(), "source": text, "metadata": {}} for kind, text in texts]
    write_notebook(path, make_notebook(cells))  # type: ignore[arg-type]
