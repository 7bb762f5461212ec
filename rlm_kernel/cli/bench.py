"""``rlm-kernel bench``: how right a model is on long contexts, what it costs and how long it takes."""

from __future__ import annotations

import json
import os
import sys
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, TypedDict

from rlm_kernel.cli.codes import INTERRUPTED, MODEL_FAILED, OK

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator
    from pathlib import Path
    from typing import IO

    from rlm_kernel.bench.lines import Row
    from rlm_kernel.bench.tasks import Task
    from rlm_kernel.cli.terminal import Screen
    from rlm_kernel.engine.settings import Settings
    from rlm_kernel.usage import UsageDict

EPILOG = """\
oolong  labels of many short questions, counted and compared over lines, users and time; --size in lines
pairs   all pairs of users that fit a rule, an answer that grows with the square of the size; --size in lines
sniah   a needle in a long text, also several, two values, or none; --size in characters

Contexts and answers are made from --seed: the same on every machine. Each task is a question of its own in a fresh
Python. The limits hold for one task. Results go to a file as they come, one line of JSON each.

exit codes: 0 all tasks were asked, 2 usage or unreadable file, 4 every task failed,
            130 interrupted (the results so far are in the file)
"""
DEFAULT_SIZE = {"oolong": 256, "pairs": 64, "sniah": 100_000}
DEFAULT_TASKS = {"oolong": None, "pairs": None, "sniah": 8}


class ResultDict(TypedDict):
    """One line of the results file."""

    task: str
    question: str
    expected: str
    answer: str
    score: float
    implied: float | None
    """The score that an oracle's errors imply; null for any other model."""
    outcome: str
    error: str | None
    usage: UsageDict
    from_memo: int
    """Replies that were paid for in an earlier run."""
    seconds: float
    run_id: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be measured."""

    bench: str
    size: int
    seed: int
    oracle: float | None
    """Error rate of the built-in oracle; ``None``: the models of the settings are asked."""
    settings: Settings


@dataclass(frozen=True, slots=True)
class Case:
    """One task with its context."""

    task: Task
    context: str
    rows: list[Row]


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the parser."""
    import argparse

    from rlm_kernel.cli.options import add_run_options

    parser = commands.add_parser(
        "bench",
        help="measure a model on long contexts with exact answers",
        description="Ask a model questions about long contexts that have one exact answer, and score it.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("bench", metavar="BENCH", choices=tuple(DEFAULT_SIZE), help="oolong, pairs or sniah")
    parser.add_argument("--size", metavar="N", help="lines, or characters for sniah (256, 64, 100000)")
    parser.add_argument("--seed", metavar="N", type=int, default=1, help="what the contexts are made from (1)")
    parser.add_argument("--tasks", metavar="N", help="only the first N tasks (all; 8 for sniah)")
    parser.add_argument(
        "--items", metavar="FILE", help="labelled questions for the lines, as JSON lines (built-in ones)"
    )
    parser.add_argument("--haystack", metavar="FILE", help="a text to hide the needles in (plain sentences)")
    parser.add_argument(
        "--oracle", metavar="RATE", help="no model: a leaf that knows the labels and errs at this rate, 0 to 1"
    )
    parser.add_argument("--out", metavar="FILE.jsonl", help="the results file (bench-BENCH-SIZE-seedSEED.jsonl)")
    parser.add_argument("--overwrite", action="store_true", help="replace the results file")
    parser.add_argument("--json", action="store_true", help="print one JSON object with the sums")
    add_run_options(parser)
    parser.set_defaults(command=run)


def run(args: argparse.Namespace) -> int:
    """Ask all tasks, print what came of them, and give the exit code."""
    import asyncio

    from rlm_kernel.cli.options import settings_from
    from rlm_kernel.cli.terminal import make_screen
    from rlm_kernel.errors import InputError

    size = whole("--size", args.size) or DEFAULT_SIZE[args.bench]
    plan = Plan(args.bench, size, args.seed, rate(args.oracle), settings_from(args))
    most = whole("--tasks", args.tasks) or DEFAULT_TASKS[args.bench]
    if args.items and args.bench == "sniah":
        raise InputError(
            "--items is for oolong and pairs: sniah has no lines.", "Give --haystack FILE, or leave it out."
        )
    if args.haystack and args.bench != "sniah":
        raise InputError(
            f"--haystack is for sniah: {args.bench} makes its lines itself.", "Give --items FILE, or leave it out."
        )
    cases = make_cases(plan, most, path_of(args.items), path_of(args.haystack))
    path = results_path(args.out or f"bench-{plan.bench}-{plan.size}-seed{plan.seed}.jsonl", overwrite=args.overwrite)
    screen = make_screen(errors=True)
    results: list[ResultDict] = []
    code = OK
    try:
        with path.open("w", encoding="utf-8") as file:
            write_line(file, header(plan, len(cases)))
            asyncio.run(ask_all(plan, cases, results, file, screen))
    except KeyboardInterrupt:
        screen.print("rlm-kernel: interrupted.")
        code = INTERRUPTED
    finally:
        if not results:
            path.unlink(missing_ok=True)
    report(plan, results, path, as_json=args.json)
    if code == OK and results and all(result["outcome"] == "failed" for result in results):
        return MODEL_FAILED
    return code


def whole(flag: str, text: str | None) -> int | None:
    """Read a whole number from 1; thousands may be parted by ``_`` or ``,``.

    Raises:
        InputError: It is none.
    """
    from rlm_kernel.errors import InputError

    if text is None:
        return None
    digits = text.replace("_", "").replace(",", "")
    if not digits.isdecimal() or not int(digits):
        raise InputError(f"{flag} takes a whole number from 1, not {text!r}.")
    return int(digits)


def rate(text: str | None) -> float | None:
    """Read an error rate.

    Raises:
        InputError: It is not a number from 0 to 1.
    """
    from rlm_kernel.errors import InputError

    if text is None:
        return None
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise InputError(f"--oracle takes an error rate from 0 to 1, not {text!r}.")
    return value


def path_of(text: str | None) -> Path | None:
    """Give the path a person wrote."""
    from pathlib import Path

    return Path(text).expanduser() if text else None


def results_path(name: str, *, overwrite: bool) -> Path:
    """Choose the results file.

    Raises:
        InputError: It is there already, or cannot be written.
    """
    from pathlib import Path

    from rlm_kernel.errors import InputError

    path = Path(name).expanduser()
    if path.exists() and not overwrite:
        raise InputError(f"{path} is there already.", "Give another name with --out, or --overwrite.")
    if path.is_dir():
        raise InputError(f"{path} is a folder.", "Give the name of a file with --out.")
    if not path.parent.is_dir():
        raise InputError(f"{path.parent} is no folder.", "Make it, or give another name with --out.")
    return path


def make_cases(plan: Plan, most: int | None, items: Path | None, haystack: Path | None) -> list[Case]:
    """Make contexts and tasks."""
    from rlm_kernel.bench import oolong, pairs, sniah
    from rlm_kernel.bench.items import built_in_items, read_items
    from rlm_kernel.bench.lines import make_rows, write_rows

    if plan.bench == "sniah":
        text = sniah.haystack(plan.size, plan.seed, haystack)
        return [Case(case.task, case.context, []) for case in sniah.make_cases(text, most or 8, plan.seed)]
    rows = make_rows(read_items(items) if items else built_in_items(), plan.size, plan.seed)
    tasks = oolong.make_tasks(rows, plan.seed) if plan.bench == "oolong" else pairs.make_tasks(rows)
    context = write_rows(rows)
    return [Case(task, context, rows) for task in tasks[:most]]


def header(plan: Plan, tasks: int) -> dict[str, object]:
    """Say in the first line of the file what was measured."""
    from rlm_kernel.cli.versions import own_version
    from rlm_kernel.models.registry import Registry

    settings, models = plan.settings, Registry()
    root, sub = settings.model or models.default_root(), settings.sub_model or models.default_sub(settings.model)
    return {
        "bench": plan.bench,
        "size": plan.size,
        "seed": plan.seed,
        "tasks": tasks,
        "oracle": plan.oracle,
        "model": root if plan.oracle is None else None,
        "sub_model": sub if plan.oracle is None else None,
        "limits": asdict(plan.settings.limits),
        "version": own_version(),
    }


def write_line(file: IO[str], value: object) -> None:
    """Write one line, so that it is there whatever comes next."""
    file.write(json.dumps(value, ensure_ascii=True) + "\n")
    file.flush()


async def ask_all(plan: Plan, cases: list[Case], results: list[ResultDict], file: IO[str], screen: Screen) -> None:
    """Ask one task after the other; what is finished is kept."""
    from rlm_kernel.engine.keeping import Keeping

    keeping = Keeping(lambda text: screen.print(f"rlm-kernel: {text}", soft_wrap=True))
    try:
        for number, case in enumerate(cases, 1):
            with context_file(case.context) as path:
                result = await ask_one(plan, case, path, keeping)
            results.append(result)
            write_line(file, result)
            screen.print(line_of(number, len(cases), result), soft_wrap=True)
    finally:
        keeping.close()


@contextmanager
def context_file(text: str) -> Iterator[Path]:
    """Give a file with a text; it is deleted afterwards, unless another process uses it.

    It lies under the hash of the text: the name is told to the model, and only the same question finds its replies.
    """
    import hashlib
    import shutil

    from platformdirs import user_cache_path

    content = text.encode("utf-8")
    folder = user_cache_path("rlm-kernel", appauthor=False) / "bench" / hashlib.sha256(content).hexdigest()[:16]
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path, user = folder / "context.txt", folder / f"{os.getpid()}.user"
    user.touch()
    try:
        if not path.exists() or path.stat().st_size != len(content):
            path.write_bytes(content)
        yield path
    finally:
        user.unlink(missing_ok=True)
        if not any(folder.glob("*.user")):
            shutil.rmtree(folder, ignore_errors=True)


async def ask_one(plan: Plan, case: Case, path: Path, keeping: object) -> ResultDict:
    """Ask one task in a Python of its own."""
    from dataclasses import replace
    from typing import Any, cast

    from rlm_kernel.bench.oracle import Oracle, implied
    from rlm_kernel.bench.tasks import score
    from rlm_kernel.engine.session import Session
    from rlm_kernel.host.executor import ProcessExecutor
    from rlm_kernel.host.pool import WarmPool
    from rlm_kernel.models.registry import Registry

    settings, oracle = plan.settings, None
    if plan.oracle is not None:
        oracle = Oracle(case.task, case.rows, plan.oracle, plan.seed)
        settings = replace(settings, model="oracle", sub_model="oracle")
    kept = cast("Any", keeping)
    executor, models = ProcessExecutor(), Registry(extra={"oracle": oracle} if oracle else None)
    session = Session(executor, models, settings, [kept], kept, pool=WarmPool(executor.process))
    try:
        await executor.start()
        await executor.run_person_cell(f"load({str(path)!r})")
        node = await session.ask(case.task.question)
    finally:
        await session.close()
        await executor.close()
        await models.close()
    return ResultDict(
        task=case.task.id,
        question=case.task.question,
        expected=case.task.answer,
        answer=node.reply,
        score=score(case.task, node.reply) if node.outcome == "answered" else 0.0,
        implied=implied(case.task, case.rows, oracle) if oracle else None,
        outcome=node.outcome or "stopped",
        error=node.error,
        usage=session.tree.total(node.id).to_dict(),
        from_memo=session.tree.cached(node.id),
        seconds=(node.ended or 0) - (node.started or 0),
        run_id=node.run_id,
    )


def line_of(number: int, of: int, result: ResultDict) -> str:
    """Say in one line what came of a task."""
    from rlm_kernel.usage import count, money

    usage = result["usage"]
    why = "" if result["outcome"] == "answered" else f" · {result['outcome']}: {result['error'] or 'no answer'}"
    return (
        f"{number}/{of} {result['task']:<24} score {result['score']:.2f} · {count(usage['calls'], 'call')} · "
        f"{money(usage['cost_usd'])} · {result['seconds']:.1f} s{why}"
    )


def report(plan: Plan, results: list[ResultDict], path: Path, *, as_json: bool) -> None:
    """Print the sums."""
    from rlm_kernel.usage import money

    scores = [result["score"] for result in results]
    known = [result["usage"]["cost_usd"] for result in results]
    cost = None if None in known else sum(value or 0.0 for value in known)
    mean = sum(scores) / len(scores) if scores else None
    implied = [result["implied"] for result in results if result["implied"] is not None]
    sums = {
        "bench": plan.bench,
        "size": plan.size,
        "seed": plan.seed,
        "tasks": len(results),
        "score": mean,
        "implied": sum(implied) / len(implied) if implied else None,
        "answered": sum(result["outcome"] == "answered" for result in results),
        "cost_usd": cost,
        "seconds": sum(result["seconds"] for result in results),
        "results": str(path),
    }
    if as_json:
        print(json.dumps(sums, indent=2))
        return
    for line in summary(sums, money(cost)):
        print(line)
    sys.stdout.flush()


def summary(sums: dict[str, object], cost: str) -> Iterator[str]:
    """Write the sums for people."""
    mean, implied = sums["score"], sums["implied"]
    score = "none" if mean is None else f"{mean:.4f}"
    tasks = f"{sums['tasks']} {'task' if sums['tasks'] == 1 else 'tasks'}"
    yield f"{sums['bench']}, size {sums['size']:,}, seed {sums['seed']}: score {score} over {tasks}"
    if implied is not None:
        yield f"implied by the oracle's errors: {implied:.4f}"
    yield f"{sums['answered']} answered · {cost} · {sums['seconds']:.1f} s · {sums['results']}"
