"""``rlm-kernel run``: a notebook from top to bottom without a page."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from rlm_kernel.cli.codes import DEFECT, INTERRUPTED, NOT_APPROVED, OK

if TYPE_CHECKING:
    import argparse

EPILOG = """\
What the model wrote becomes real cells below each question. The notebook that was
given is left as it is, unless -o names it and --overwrite is added.

exit codes: 0 ran to its end, 1 a cell failed (what ran is written), 2 usage or unreadable file,
            5 something needed approval and nobody was there (--policy), 130 interrupted (what ran is written)
"""


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the parser."""
    import argparse

    parser = commands.add_parser(
        "run",
        help="run a notebook headless; the model's cells become real cells",
        description="Run all cells of a notebook on the RLM kernel and write the result.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("notebook", metavar="NOTEBOOK", help="the notebook to run")
    parser.add_argument("--output", "-o", metavar="OUT.ipynb", help="where to write (default NOTEBOOK-run.ipynb)")
    parser.add_argument("--overwrite", action="store_true", help="let -o replace a file")
    parser.add_argument("--allow-errors", action="store_true", help="go on after a cell that fails")
    parser.add_argument("--fresh", action="store_true", help="ask anew, also what was answered before")
    parser.add_argument(
        "--policy", choices=("refuse", "allow"), help="what becomes of cells and calls that need approval"
    )
    parser.add_argument("--timeout", metavar="S", type=float, help="seconds a cell may take (default: no limit)")
    parser.set_defaults(command=run)


def run(args: argparse.Namespace) -> int:
    """Run the notebook and give the exit code."""
    import asyncio

    from rlm_kernel.cli.files import chosen_name, shown
    from rlm_kernel.cli.terminal import plain
    from rlm_kernel.errors import InputError
    from rlm_kernel.notebook.run import run_notebook

    source = Path(args.notebook).expanduser()
    if not source.is_file():
        raise InputError(
            f"{source} {'is a folder' if source.is_dir() else 'does not exist'}.", "Give a notebook's path."
        )
    # The default name is our own product, so running again may replace it.
    default = source.with_name(f"{source.stem}-run.ipynb")
    out = chosen_name(args.output, overwrite=args.overwrite) if args.output else default
    verb = "Replaced" if out.exists() else "Wrote"
    options = {"timeout": args.timeout, "allow_errors": args.allow_errors, "fresh": args.fresh}
    report = asyncio.run(run_notebook(source, out, policy=args.policy, **options))
    print(f"{verb} {shown(report.path)}.")
    if report.interrupted:
        print("rlm-kernel: interrupted; what ran is written.", file=sys.stderr)
        return INTERRUPTED
    if not report.failure:
        return OK
    print(f"rlm-kernel: the notebook stopped at a cell: {plain(report.failure).strip()}", file=sys.stderr)
    return NOT_APPROVED if report.not_approved else DEFECT
