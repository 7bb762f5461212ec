"""``rlm-kernel rerun``: a part of a question run again in the terminal, with one thing changed."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rlm_kernel.cli.codes import OK
from rlm_kernel.engine.edits import Edit
from rlm_kernel.errors import Diverged, InputError, why_unreadable

if TYPE_CHECKING:
    import argparse

    from rlm_kernel.cli.terminal import Screen
    from rlm_kernel.engine.keeping import Keeping
    from rlm_kernel.engine.session import Session
    from rlm_kernel.engine.settings import Settings
    from rlm_kernel.host.executor import ProcessExecutor
    from rlm_kernel.ids import NodeId, RunId
    from rlm_kernel.trace.records import Node

EPILOG = """\
NODE is a run, a turn, a call or a child run: its id, as rlm-kernel trace show and trace export print it. Of the
run's own id the first letters are enough, or last: last/t3, 4f2a/t1/c13.
FILE is a file with the text, or - for standard input.

What comes before the node is taken from the store. Python's state is restored by running the recorded cells again,
with the replies they had; only what changed is asked and paid.

exit codes: 0 answered, 2 usage, no such node, or Python's state cannot be restored exactly (--anyway goes on),
            3 no answer within the limits, 4 model or endpoint failure, 5 something needed approval,
            130 interrupted
"""
STDIN = "-"


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the parser."""
    import argparse

    from rlm_kernel.cli.options import add_run_options

    parser = commands.add_parser(
        "rerun",
        help="run a part of a question again, with one thing changed",
        description="Run a part of a kept question again, with one thing changed.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("node", metavar="NODE", help="what to change")
    change = parser.add_argument_group("the change (one of them)").add_mutually_exclusive_group(required=True)
    change.add_argument("--again", action="store_true", help="ask the model once more")
    change.add_argument("--prompt", metavar="FILE", help="another prompt; of a run: another question")
    change.add_argument("--reply", metavar="FILE", help="a reply in the place of the model's")
    change.add_argument("--code", metavar="FILE", help="another cell")
    change.add_argument("--model", metavar="NAME", help="ask another model")
    change.add_argument("--hint", metavar="TEXT", help="tell the model something before it writes this turn")
    parser.add_argument("--anyway", action="store_true", help="go on where Python's state cannot be restored exactly")
    parser.add_argument("--dry-run", action="store_true", help="say what would be run and asked, and end")
    add_run_options(parser, without={"--model", "--fresh"})
    output = parser.add_argument_group("output")
    output.add_argument("--json", action="store_true", help="print one JSON object and nothing else on standard output")
    output.add_argument("--quiet", action="store_true", help="no progress and no call tree")
    parser.set_defaults(command=run)


@dataclass(frozen=True, slots=True)
class Rerun:
    """A change of a kept run."""

    run_id: RunId
    node_id: NodeId
    edit: Edit
    settings: Settings
    dry: bool = False
    setup: str = ""

    async def prepare(self, session: Session, executor: ProcessExecutor, keeping: Keeping) -> None:
        """Have the run, and those it came of, in the session, and say what will be done.

        Raises:
            InputError: It is not kept, or cannot be changed in this way.
            DryRun: Nothing else was wanted.
        """
        for run in session.adopt_family(self.run_id, keeping.tree_of):
            executor.history.adopt(keeping.entries(run.run_id))
        quote = session.quote(self.node_id, self.edit)
        if self.dry:
            raise DryRun(json.dumps(quote, indent=2), quote["text"])

    async def work(self, session: Session) -> Node:
        """Do it."""
        return await session.rerun(self.node_id, self.edit)


class DryRun(Exception):
    """Only what would be done was wanted.

    Args:
        data: As JSON.
        text: For a person.
    """

    def __init__(self, data: str, text: str) -> None:
        super().__init__(text)
        self.data, self.text = data, text


def run(args: argparse.Namespace) -> int:
    """Run again, print, and give the exit code."""
    from rlm_kernel.cli.ask import finish
    from rlm_kernel.cli.asking import ask
    from rlm_kernel.cli.options import settings_from
    from rlm_kernel.cli.progress import Progress
    from rlm_kernel.cli.terminal import make_screen

    run_id, node_id = find_node(args.node)
    rerun = Rerun(run_id, node_id, read_edit(args), settings_from(args), args.dry_run)
    errors = make_screen(errors=True)
    progress = None if args.quiet else Progress(errors)
    try:
        asked = ask(rerun, progress, errors)
    except DryRun as told:
        print(told.data if args.json else told.text)
        return OK
    except Diverged as problem:
        raise InputError(problem.message, "Nothing was asked or paid. Give --anyway to go on from there.") from problem
    if args.json:
        from rlm_kernel.cli.result import result_dict

        print(json.dumps(result_dict(asked.tree, asked.run), indent=2))
    code = finish(asked, errors, args)
    if asked.run is not None and not args.quiet and not args.json:
        _say_where(errors, asked.run)
    return code


def _say_where(errors: Screen, run: Node) -> None:
    errors.print(f"A branch: rlm-kernel trace show {run.id.removeprefix('run-')}", style="dim")


def find_node(word: str) -> tuple[RunId, NodeId]:
    """Find the run and the node that are meant.

    Raises:
        InputError: There is none, or there are several.
    """
    from rlm_kernel.cli.trace import find_run, opened
    from rlm_kernel.ids import NodeId

    head, _, tail = word.partition("/")
    with opened() as rows:
        run_id = find_run(rows, head)
        node_id = NodeId(f"{run_id}/{tail}" if tail else run_id)
        if rows is None or rows.node(node_id) is None:
            raise InputError(f"There is no node {word}.", f"rlm-kernel trace show {head} lists them.")
    return run_id, node_id


def read_edit(args: argparse.Namespace) -> Edit:
    """Read the change that is wanted.

    Raises:
        InputError: A file cannot be read.
    """
    if args.again:
        return Edit("again", anyway=args.anyway)
    if args.model is not None:
        return Edit("model", model=args.model, anyway=args.anyway)
    if args.hint is not None:
        return Edit("hint", args.hint, anyway=args.anyway)
    for kind in ("prompt", "reply", "code"):
        file = getattr(args, kind)
        if file is not None:
            return Edit(kind, _read(file), anyway=args.anyway)
    raise InputError("No change is given.")


def _read(file: str) -> str:
    try:
        content = sys.stdin.buffer.read() if file == STDIN else Path(file).expanduser().read_bytes()
        return content.decode("utf-8").replace("\r\n", "\n").removesuffix("\n")
    except (OSError, UnicodeDecodeError) as problem:
        name = "Standard input" if file == STDIN else file
        raise InputError(
            f"{name} cannot be read: {why_unreadable(problem)}.", "Give a file with the text, or - ."
        ) from problem
