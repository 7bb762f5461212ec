"""``rlm-kernel trace``: what stands in the store of runs."""

from __future__ import annotations

import json
import sys
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from rlm_kernel.cli.codes import DEFECT, OK
from rlm_kernel.errors import InputError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator
    from pathlib import Path

    from rlm_kernel.cli.terminal import Screen
    from rlm_kernel.ids import RunId
    from rlm_kernel.trace.records import Node
    from rlm_kernel.trace.rows import InFlight, Rows, RunRow

EPILOG = """\
RUN is the id of a run, its first letters (with or without "run-"), or last.
The store is the file that RLM_STORE names, else one in the user's data directory.

exit codes: 0 done, 1 check found damage, 2 usage, no such run, or a store that cannot be used
"""
LAST = "last"


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the parser."""
    import argparse

    parser = commands.add_parser(
        "trace",
        help="list, show, export or prune the runs in the store",
        description="Look at the runs that are kept: every question with its turns and calls.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)

    one = actions.add_parser("list", help="one line for each run, the newest first")
    one.add_argument("--limit", metavar="N", type=limit_of, default=20, help="at most so many (default 20)")
    one.set_defaults(command=list_runs)

    one = actions.add_parser("show", help="question, tree of calls with costs, answer; or the texts of one node")
    one.add_argument("run", metavar="RUN", help="a run, or a node of it by the id shown (RUN/t1/c2)")
    one.set_defaults(command=show)

    one = actions.add_parser("export", help="everything about a run on standard output")
    one.add_argument("runs", metavar="RUN", nargs="+", help="which")
    one.add_argument("--format", choices=["jsonl"], default="jsonl", help="jsonl: one JSON object a line (default)")
    one.set_defaults(command=export)

    one = actions.add_parser("prune", help="delete runs, and the replies and texts only they needed")
    one.add_argument("--older-than", metavar="DAYS", type=days_of, help="those asked earlier")
    one.add_argument("--keep", metavar="N", type=count_of, help="all but the newest N")
    one.set_defaults(command=prune_runs)

    one = actions.add_parser("check", help="look for damage in the whole file")
    one.add_argument("--set-aside", action="store_true", help="rename a damaged store, so that a new one is begun")
    one.set_defaults(command=check)


def count_of(text: str) -> int:
    """Read a whole number from 0."""
    import argparse

    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0")
    return int(text)


def limit_of(text: str) -> int:
    """Read a whole number from 1."""
    import argparse

    if not count_of(text):
        raise argparse.ArgumentTypeError("at least 1 must be listed")
    return int(text)


def days_of(text: str) -> float:
    """Read a number of days."""
    import argparse
    import re

    if not re.fullmatch(r"\d{1,6}(\.\d+)?", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of days")
    return float(text)


def list_runs(args: argparse.Namespace) -> int:
    """Print a line for each run."""
    from rlm_kernel.cli.terminal import make_screen

    with opened() as rows:
        runs = [] if rows is None else rows.runs(limit=args.limit)
    if not runs:
        print("No runs are kept yet.")
        return OK
    _print_runs(make_screen(), runs)
    return OK


def show(args: argparse.Namespace) -> int:
    """Print one run, or the texts of one node."""
    from rlm_kernel.cli.result import print_tree
    from rlm_kernel.cli.terminal import make_screen, plain

    head, _, tail = args.run.partition("/")
    with opened() as rows:
        run_id = find_run(rows, head)
        assert rows is not None
        if tail:
            return _show_node(rows.node(f"{run_id}/{tail}"), args.run)
        row = rows.runs("r.id = ?", (run_id,))[0]
        tree, flying = rows.tree(run_id), rows.in_flight(run_id)
    run = next(iter(tree))
    screen = make_screen()
    screen.print(plain(f"{row.id} · {_when(row.started)} · {_outcome(row)} · {row.usage.describe()}"))
    if row.notebook:
        screen.print(plain(f"asked in {row.notebook}"))
    screen.print(f"\n{plain(row.question)}\n", soft_wrap=True)
    print_tree(screen, tree, run, ids=True)
    if run.error:
        screen.print(f"\n{plain(run.error)} {plain(run.remedy)}".rstrip(), soft_wrap=True)
    if run.reply:
        screen.print(f"\n{plain(run.reply)}", soft_wrap=True)
    if not row.live:
        _print_flying(screen, flying)
    return OK


def export(args: argparse.Namespace) -> int:
    """Print runs as lines of JSON."""
    from dataclasses import asdict

    with opened() as rows:
        for run_id in [find_run(rows, word) for word in args.runs]:
            assert rows is not None
            tree = rows.tree(run_id)
            _write_line({"type": "run", "format": 1, **asdict(rows.runs("r.id = ?", (run_id,))[0])})
            for node in tree:
                count = {"execution_count": node.execution_count}
                _write_line({"type": "node", **tree.summary(node.id), **node.texts(), **count})
            for each in rows.in_flight(run_id):
                _write_line({"type": "in_flight", **asdict(each)})
    return OK


def prune_runs(args: argparse.Namespace) -> int:
    """Delete runs and say what went."""
    from rlm_kernel.trace.upkeep import prune
    from rlm_kernel.usage import count

    if args.older_than is None and args.keep is None:
        raise InputError("It is not said what may go.", "Give --older-than DAYS, --keep N, or both.")
    path = place()
    if not path.exists():
        print("No runs are kept yet.")
        return OK
    gone = prune(path, args.older_than, args.keep)
    replies = f"{gone.replies:,} {'reply' if gone.replies == 1 else 'replies'}"
    print(f"Deleted {count(gone.runs, 'run')} and {replies}; the store is {gone.bytes / 1e6:.1f} MB smaller.")
    return OK


def check(args: argparse.Namespace) -> int:
    """Say whether the store is sound."""
    from rlm_kernel.trace.upkeep import damages, set_aside

    path = place()
    if not path.exists():
        print(f"There is no store at {path} yet.")
        return OK
    found = damages(path)
    if not found:
        print(f"The store {path} is sound.")
        return OK
    print(f"The store {path} is damaged: {'; '.join(found)}.")
    if not args.set_aside:
        print("rlm-kernel trace check --set-aside renames it, so that a new one is begun.")
        return DEFECT
    print(f"It is now called {set_aside(path).name}; a new one is begun with the next question.")
    return OK


def place() -> Path:
    """Give the file of the store.

    Raises:
        InputError: It is switched off.
    """
    import os

    from rlm_kernel.trace.place import store_path

    path = store_path(os.environ)
    if path is None:
        raise InputError("The store is switched off (RLM_STORE=off).", "Unset RLM_STORE, or name a file.")
    return path


@contextmanager
def opened() -> Iterator[Rows | None]:
    """Open the store to read it; ``None`` where there is none yet."""
    path = place()
    if not path.exists():
        yield None
        return
    import sqlite3

    from rlm_kernel.trace.schema import explain
    from rlm_kernel.trace.upkeep import open_rows

    rows, connection = open_rows(path)
    with closing(connection):
        try:
            yield rows
        except sqlite3.Error as problem:
            raise explain(problem, path) from problem


def find_run(rows: Rows | None, word: str) -> RunId:
    """Find the run that is meant.

    Raises:
        InputError: There is none, or there are several.
    """
    prefix = "" if word == LAST else word if word.startswith("run-") else f"run-{word}"
    found = [] if rows is None else rows.run_ids(prefix, 1 if word == LAST else 2)
    if not word:
        raise InputError("No run is named.", "rlm-kernel trace list shows them; last is the newest.")
    if not found and word == LAST:
        raise InputError("No runs are kept yet.", "Ask a question first.")
    if not found:
        raise InputError(f"There is no run {word}.", "rlm-kernel trace list shows them.")
    if len(found) > 1 and prefix not in found:
        raise InputError(f"More than one run begins with {word}.", "Write more of its id.")
    return prefix if prefix in found else found[0]  # type: ignore[return-value]


def _print_runs(screen: Screen, runs: list[RunRow]) -> None:
    from rlm_kernel.cli.result import STYLES
    from rlm_kernel.cli.table import Column, print_table
    from rlm_kernel.cli.terminal import plain
    from rlm_kernel.usage import money

    columns = (
        Column("run"),
        Column("asked", order=2),
        Column("outcome", outcome=True),
        Column("calls", right=True, order=3),
        Column("tokens", right=True, order=4),
        Column("cost", right=True, order=1),
        Column("question", rest=True, least=28),
    )
    rows, styles = [], []
    for run in runs:
        spent, outcome = run.usage, _outcome(run)
        tokens = f"{'~' if spent.estimated else ''}{spent.tokens:,}"
        cost = "?" if spent.cost_usd is None else money(spent.cost_usd)
        short = run.id.removeprefix("run-")
        rows.append((short, _when(run.started), outcome, f"{spent.calls:,}", tokens, cost, plain(_title(run))))
        styles.append(STYLES.get(outcome, ""))
    print_table(screen, columns, rows, styles)


def _title(run: RunRow) -> str:
    """Give the question; of a branch, what was changed before it."""
    from rlm_kernel.engine.branches import said_of

    change = said_of(run.details)
    return f"↳ {change} · {run.label}" if change else run.label


def _print_flying(screen: Screen, flying: list[InFlight]) -> None:
    from rlm_kernel.cli.terminal import plain
    from rlm_kernel.usage import count

    if not flying:
        return
    screen.print(f"\nUnder way when it was cut off, and perhaps paid: {count(len(flying), 'call')}.")
    for each in flying:
        screen.print(plain(f"  {each.node_id}  {each.model or ''}  {each.label}"))


def _show_node(node: Node | None, word: str) -> int:
    from rlm_kernel.cli.terminal import make_screen, plain

    if node is None:
        raise InputError(f"There is no node {word}.", "rlm-kernel trace export RUN gives them all.")
    screen = make_screen()
    screen.print(plain(f"{node.id} · {node.outcome or node.status} · {node.model or ''} · {node.usage.describe()}"))
    for each in node.attempts:
        screen.print(plain(f"attempt of {each.seconds:.1f} s: {each.error or 'answered'}"))
    parts = (("prompt", node.prompt), ("reply", node.reply), ("code", node.code), ("output", node.output))
    for name, text in (*parts, ("error", f"{node.error or ''} {node.remedy}".strip())):
        if text and not (name == "code" and node.reply):
            screen.print(f"\n--- {name} ---\n{plain(text)}", soft_wrap=True)
    return OK


def _outcome(run: RunRow) -> str:
    return run.outcome or ("running" if run.live else "cut off")


def _when(seconds: float) -> str:
    import time

    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))


def _write_line(value: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
