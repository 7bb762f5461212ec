"""What a run came to: the tree as a table, the answer, one object of JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

from rlm_kernel.usage import Usage, count, money

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rlm_kernel.cli.terminal import Screen
    from rlm_kernel.trace.records import Node
    from rlm_kernel.trace.tree import Tree, TreeDict

MAX_CALL_ROWS = 8
"""Single calls of a turn shown one by one; more become one row, as a batch does."""


class SpentDict(TypedDict):
    """The sums of a run."""

    input_tokens: int
    cached_tokens: int
    output_tokens: int
    calls: int
    cost_usd: float | None
    seconds: float


class ResultDict(TypedDict):
    """The one object that ``--json`` prints."""

    answer: str
    status: str
    usage: SpentDict
    tree: TreeDict | None


def result_dict(tree: Tree | None, run: Node | None) -> ResultDict:
    """Give the outcome of a run as JSON; without a run (interrupted before it began) there is no tree."""
    if tree is None or run is None:
        return ResultDict(answer="", status="stopped", usage=_spent(Usage()), tree=None)
    status = run.outcome or "stopped"
    return ResultDict(answer=run.reply, status=status, usage=_spent(tree.total(run.id)), tree=tree.to_dict(run.id))


def _spent(usage: Usage) -> SpentDict:
    return SpentDict(
        input_tokens=usage.input_tokens,
        cached_tokens=usage.cached_tokens,
        output_tokens=usage.output_tokens,
        calls=usage.calls,
        cost_usd=usage.cost_usd,
        seconds=round(usage.seconds, 3),
    )


def print_tree(screen: Screen, tree: Tree, run: Node) -> None:
    """Print a row for the run, each turn and each call; a batch is one row with its sums."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, show_edge=False, header_style="dim", expand=False)
    table.add_column("call tree", no_wrap=True, overflow="ellipsis", ratio=1)
    for name in ("status", "in", "cached", "out", "cost", "time"):
        table.add_column(name, justify="left" if name == "status" else "right", no_wrap=True)
    for depth, label, status, usage, seconds in _rows(tree, run):
        style = {"failed": "red", "limit": "yellow", "stopped": "yellow"}.get(status, "")
        about = "~" if usage.estimated else ""
        cells = [
            f"{about}{usage.input_tokens:,}",
            f"{usage.cached_tokens:,}",
            f"{about}{usage.output_tokens:,}",
            "?" if usage.cost_usd is None else money(usage.cost_usd),
        ]
        time = "" if seconds is None else f"{seconds:.1f} s"
        table.add_row(Text("  " * depth + label), Text(status, style=style), *cells, time)
    screen.print(table)


Line = tuple[int, str, str, Usage, float | None]


def _rows(tree: Tree, run: Node) -> Iterator[Line]:
    from rlm_kernel.cli.terminal import plain

    yield 0, plain(run.label), run.outcome or run.status, tree.total(run.id), _seconds([run])
    turns = [node for node in tree.children(run.id) if node.kind == "turn"]
    for number, turn in enumerate(turns, 1):
        yield 1, f"turn {number}: {plain(turn.label)}", turn.status, tree.total(turn.id), _seconds([turn])
        for calls in _groups(tree.children(turn.id)):
            failed = sum(call.status == "failed" for call in calls)
            status = f"{failed} failed" if failed and len(calls) > 1 else calls[-1].status
            label = (
                plain(calls[0].label) if len(calls) == 1 else f"{count(len(calls), 'call')}: {plain(calls[0].label)}"
            )
            usage = sum((tree.total(call.id) for call in calls), Usage())
            yield 2, label, status, usage, _seconds(calls)


def _groups(calls: list[Node]) -> list[list[Node]]:
    groups: dict[str, list[Node]] = {}
    for call in calls:
        groups.setdefault(call.batch or call.id, []).append(call)
    if len(groups) > MAX_CALL_ROWS:
        return [list(calls)]
    return list(groups.values())


def _seconds(nodes: list[Node]) -> float | None:
    """Give the time from the first start to the last end."""
    starts = [node.started for node in nodes if node.started is not None]
    ends = [node.ended for node in nodes if node.ended is not None]
    return max(ends) - min(starts) if starts and ends else None
