"""The entry point ``rlm-kernel``: reads the command line and hands over to one command.

Exit codes: 0 done · 1 something needed is missing, or a defect · 2 usage, input or a file · 3 no answer within the
limits · 4 a model or endpoint failed · 5 something needed approval, and nobody was there · 130 interrupted · 141 nobody
reads the output any more.

The modules of the commands are cheap to import; what costs time (openai, rich, Jupyter) they import when they run.
"""

from __future__ import annotations

import argparse
import os
import sys
import traceback
from typing import TYPE_CHECKING, NoReturn

from rlm_kernel.cli import ask, bench, demo, doctor, lab, rerun, run, trace
from rlm_kernel.cli.codes import BROKEN_PIPE, DEFECT, USAGE, code_of
from rlm_kernel.contexts.names import shown
from rlm_kernel.errors import RlmError

if TYPE_CHECKING:
    from collections.abc import Sequence

DESCRIPTION = "Ask a document a question: a model works it out in Python cells, in the terminal or in a notebook."


class Parser(argparse.ArgumentParser):
    """Reports a usage error in one line that names the help."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong, and end with the code for usage errors."""
        self.exit(USAGE, f"{self.prog}: {message}. See {self.prog} --help.\n")


def make_parser() -> argparse.ArgumentParser:
    """Build the parser with all commands."""
    parser = Parser(prog="rlm-kernel", description=DESCRIPTION)
    parser.add_argument("--version", action="store_true", help="print the version and exit")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    for module in (demo, ask, rerun, lab, run, trace, bench, doctor):
        module.add_command(commands)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and give its exit code.

    Raises:
        KeyboardInterrupt: It was interrupted where nothing was kept.
    """
    words, rest = split_rest(sys.argv[1:] if argv is None else list(argv))
    prepare_streams()
    parser = make_parser()
    args = parser.parse_args(words)
    args.rest = rest
    try:
        if args.version:
            from rlm_kernel.cli.versions import own_version

            print(own_version())
            return 0
        if not hasattr(args, "command"):
            parser.print_help(sys.stderr)
            return USAGE
        code: int = args.command(args)
        sys.stdout.flush()
        return code
    except RlmError as error:
        return report(error, code_of(error))
    except BrokenPipeError:
        return leave_broken_pipe()
    except OSError as error:
        return report(error, USAGE)
    except Exception as error:  # noqa: BLE001 - the outermost edge: a person gets one line, not a traceback
        return report(error, DEFECT)


def split_rest(words: list[str]) -> tuple[list[str], list[str]]:
    """Part what stands after ``--`` of the command ``lab``: it is for JupyterLab, and no business of ours."""
    if words[:1] == ["lab"] and "--" in words:
        at = words.index("--")
        return words[:at], words[at + 1 :]
    return words, []


def prepare_streams() -> None:
    """Never fail on a character that the terminal's encoding lacks, nor on a stream that is closed."""
    sys.stdout, sys.stderr = (stream or open(os.devnull, "w") for stream in (sys.stdout, sys.stderr))  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="replace")


def report(error: Exception, code: int) -> int:
    """Print an error in one line with its remedy; where it came from only with ``RLM_DEBUG=1``."""
    if os.environ.get("RLM_DEBUG"):
        traceback.print_exception(error, file=sys.stderr)
    if isinstance(error, RlmError):
        line = str(error)
    elif isinstance(error, OSError) and error.strerror:
        what = f"{shown(error.filename)} cannot be used" if error.filename else "The output cannot be written"
        line = f"{what}: {error.strerror}."
    else:
        line = f"unexpected {type(error).__name__}: {error}. Set RLM_DEBUG=1 to see where it comes from."
    print(f"rlm-kernel: {' '.join(line.split())}", file=sys.stderr)
    return code


def leave_broken_pipe() -> int:
    """Send what Python still wants to flush at its end to nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    return BROKEN_PIPE
