"""``rlm-kernel ask``: a question to one or more files, answered in the terminal."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, NoReturn

from rlm_kernel.cli.codes import BROKEN_PIPE, INTERRUPTED, code_of_run
from rlm_kernel.contexts.names import shown

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable
    from pathlib import Path

    from rlm_kernel.cli.asking import Asked
    from rlm_kernel.cli.terminal import Screen
    from rlm_kernel.trace.records import Node
    from rlm_kernel.trace.tree import Tree

EPILOG = """\
All of it becomes the variable context: one document, in which context.files are the single files where there
are several.
The answer goes to standard output, with what became of its citations below it; progress and the call tree go to
standard error.

exit codes: 0 answered, 2 usage or unreadable file, 3 no answer within the limits,
            4 model or endpoint failure, 5 something needed approval and nobody was there (--policy),
            130 interrupted (what there is is printed)
"""


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the parser."""
    import argparse

    from rlm_kernel.cli.options import add_run_options

    parser = commands.add_parser(
        "ask",
        help="ask files a question in the terminal",
        description="Ask files a question; a model works it out in Python cells.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("question", metavar="QUESTION", help="what to ask")
    parser.add_argument(
        "paths", metavar="PATH", nargs="+", help="a file, a folder, a zip, a pattern, or - for standard input"
    )
    reading = parser.add_argument_group("reading")
    reading.add_argument(
        "--kind", metavar="KIND", help="what the files are, where their names do not tell: PDF, CSV, text, …"
    )
    reading.add_argument(
        "--encoding", metavar="NAME", help="what texts are in that are neither UTF-8 nor UTF-16: cp1252, …"
    )
    add_run_options(parser)
    output = parser.add_argument_group("output")
    output.add_argument("--notebook", metavar="OUT.ipynb", help="write the run as a notebook with the model's cells")
    output.add_argument("--overwrite", action="store_true", help="let --notebook replace a file")
    output.add_argument("--json", action="store_true", help="print one JSON object and nothing else on standard output")
    output.add_argument("--quiet", action="store_true", help="the answer alone: no progress, call tree or citations")
    parser.set_defaults(command=run)
    _hint_at_dashes(parser)


def _hint_at_dashes(parser: argparse.ArgumentParser) -> None:
    """Where a path is missing, say how one is written that begins with ``-``: it was taken for an option."""
    report = parser.error

    def error(message: str) -> NoReturn:
        hint = "; a file whose name begins with - is written ./-name" if message.endswith("required: PATH") else ""
        report(message + hint)

    parser.error = error  # type: ignore[method-assign]


def run(args: argparse.Namespace) -> int:
    """Ask, print, and give the exit code."""
    from rlm_kernel.cli.asking import Question, ask, load_code
    from rlm_kernel.cli.files import chosen_name
    from rlm_kernel.cli.options import settings_from
    from rlm_kernel.cli.progress import Progress
    from rlm_kernel.cli.stdin import standard_input
    from rlm_kernel.cli.terminal import make_screen

    _check_words(args.question, args.paths)
    notebook = chosen_name(args.notebook, overwrite=args.overwrite) if args.notebook else None
    settings = settings_from(args)
    errors = make_screen(errors=True)
    progress = None if args.quiet else Progress(errors)
    with standard_input(args.paths, notebook) as paths:
        code = load_code(paths, args.kind, args.encoding)
        asked = ask(Question(args.question, code, settings, _teller(errors)), progress, errors)
    if notebook is not None:
        _write(asked, notebook, errors, quiet=args.quiet)
    if args.json:
        from rlm_kernel.cli.result import result_dict

        # ASCII: what a document holds must not depend on the encoding of a pipe, nor steer a terminal.
        print(json.dumps(result_dict(asked.tree, asked.run), indent=2))
    return finish(asked, errors, args)


def _check_words(question: str, paths: list[str]) -> None:
    """Make sure that there are a question and paths, in this order.

    Raises:
        InputError: One is empty, or they seem to be exchanged.
        ContextError: One is an address.
    """
    from rlm_kernel.contexts.load import checked
    from rlm_kernel.errors import InputError

    if not question.strip():
        raise InputError("The question is empty.", 'Write it in quotes: rlm-kernel ask "What …?" FILE.')
    if not all(path.strip() for path in paths):
        raise InputError("A path is empty.", "Perhaps a variable of the shell is not set.")
    for path in paths:
        checked(path)
    last = paths[-1]
    if " " in last and os.path.exists(question) and not os.path.exists(last):
        raise InputError(
            f"{shown(question)} is a file, and {shown(last)!r} is none.",
            "The question comes first: rlm-kernel ask QUESTION PATH…",
        )


def _teller(errors: Screen) -> Callable[[str], None]:
    from rlm_kernel.cli.terminal import plain

    def tell(text: str) -> None:
        errors.print(f"rlm-kernel: {plain(text)}", soft_wrap=True)

    return tell


def finish(asked: Asked, errors: Screen, args: argparse.Namespace) -> int:
    """Print the tree and the answer, and give the exit code."""
    from rlm_kernel.engine.settings import NONE_WORDS

    if asked.tree is None or asked.run is None:
        errors.print("rlm-kernel: interrupted before the question was asked.")
        return INTERRUPTED
    if not args.quiet:
        _print_tree(errors, asked.tree, asked.run)
    say_why(errors, asked.run)
    limit = str(getattr(args, "set_cost_usd", None) or "none").lower()
    if limit not in NONE_WORDS and asked.tree.total(asked.run.id).cost_usd is None:
        errors.print(
            "rlm-kernel: The price of a model is not known, so --max-cost could not be held. "
            "Set --max-tokens or --max-calls.",
            soft_wrap=True,
        )
    if not args.json:
        print_answer(asked.run)
        if not args.quiet:
            print_citations(asked.run)
    sys.stdout.flush()
    if errors.gone:
        return BROKEN_PIPE
    return code_of_run(asked.run)


def print_answer(run: Node) -> None:
    """Print the answer, or the best there is, on standard output."""
    from rlm_kernel.cli.terminal import make_screen, plain

    answer = plain(run.reply).strip()
    if not answer:
        return
    screen = make_screen()
    if screen.is_terminal:
        from rich.markdown import Markdown

        screen.print(Markdown(answer))
    else:
        print(answer)


def print_citations(run: Node) -> None:
    """Print below the answer what became of its quotations and references; nothing where it has none."""
    from rlm_kernel.cli.terminal import make_screen, plain
    from rlm_kernel.notebook.citing import cited_lines

    lines = plain(cited_lines(run))
    if not lines:
        return
    screen = make_screen()
    if screen.is_terminal:
        screen.print()
        screen.print(lines, style="dim", soft_wrap=True)
    else:
        print(f"\n{lines}")


def say_why(errors: Screen, run: Node) -> None:
    """Say in one line why there is no final answer."""
    from rlm_kernel.cli.terminal import plain
    from rlm_kernel.notebook.answer import notice

    if said := notice(run):
        # The engine names the option as it is set in a notebook; here it is one of this command.
        line = " ".join(plain(said).split()).replace("%rlm --", "--").replace(", then %rlm continue", " and ask again")
        errors.print(f"rlm-kernel: {line}", soft_wrap=True)


def _print_tree(screen: Screen, tree: Tree, run: Node) -> None:
    from rlm_kernel.cli.result import print_tree
    from rlm_kernel.notebook.answer import foot

    screen.print()
    print_tree(screen, tree, run)
    screen.print(foot(tree, run), style="dim", soft_wrap=True)
    screen.print()


def _write(asked: Asked, path: Path, errors: Screen, *, quiet: bool) -> None:
    from rlm_kernel.cli.files import shown

    verb = "Replaced" if path.exists() else "Wrote"
    if asked.write_notebook(path) and not quiet:
        errors.print(f"{verb} {shown(path)}. Open it with: rlm-kernel lab {shown(path)}", soft_wrap=True)
