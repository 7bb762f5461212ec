"""What a run came to: the tree as a table, the answer, one object of JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypedDict

from rlm_kernel.cli.table import Column, print_table
from rlm_kernel.ids import number_of
from rlm_kernel.usage import Usage, count, money

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rlm_kernel.cli.terminal import Screen
    from rlm_kernel.contexts.cited import CitationDict
    from rlm_kernel.engine.evidence import CoverageDict
    from rlm_kernel.trace.records import Node
    from rlm_kernel.trace.tree import Tree, TreeDict

MAX_CALL_ROWS = 8
"""Single calls of a turn shown one by one; more become one row, as a batch does."""


MEMO = "from memo"
"""What is said of a reply that was paid for before."""
EDITED = "edited"
"""What is said of a reply or a cell that the person wrote."""
COLUMNS = (
    Column("call tree", rest=True),
    Column("status", outcome=True),
    Column("in", right=True, order=2),
    Column("cached", right=True, order=4),
    Column("out", right=True, order=1),
    Column("cost", right=True),
    Column("time", right=True, order=3),
)
STYLES = {"failed": "red", "error": "red", "limit": "yellow", "stopped": "yellow"}


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
    citations: list[CitationDict]
    """What the answer quotes and cites, looked up in the document."""
    coverage: CoverageDict | None
    """Which parts of the document calls have read; null where none has, or that is not known."""
    tree: TreeDict | None


def result_dict(tree: Tree | None, run: Node | None) -> ResultDict:
    """Give the outcome of a run as JSON; without a run (interrupted before it began) there is no tree."""
    from rlm_kernel.engine.evidence import citations_of, coverage_of

    if tree is None or run is None:
        return ResultDict(answer="", status="stopped", usage=_spent(Usage()), citations=[], coverage=None, tree=None)
    return ResultDict(
        answer=run.reply,
        status=run.outcome or "stopped",
        usage=_spent(tree.total(run.id)),
        citations=citations_of(run),
        coverage=coverage_of(run),
        tree=tree.to_dict(run.id),
    )


def _spent(usage: Usage) -> SpentDict:
    return SpentDict(
        input_tokens=usage.input_tokens,
        cached_tokens=usage.cached_tokens,
        output_tokens=usage.output_tokens,
        calls=usage.calls,
        cost_usd=usage.cost_usd,
        seconds=round(usage.seconds, 3),
    )


def print_tree(screen: Screen, tree: Tree, run: Node, *, ids: bool = False) -> None:
    """Print a row for the run, each turn and each call; a batch is one row with its sums.

    Args:
        screen: Where to.
        tree: Has the run.
        run: The run.
        ids: Begin each row with the last part of its node's id.
    """
    rows = [_cells(row, ids=ids) for row in _rows(tree, run)]
    print_table(screen, COLUMNS, rows, [STYLES.get(status.split()[-1], "") for _, status, *_ in rows])


class Line(NamedTuple):
    """A row of the tree."""

    depth: int
    place: str
    """The last part of the id; of several calls the first and the last."""
    label: str
    status: str
    usage: Usage
    seconds: float | None


def _cells(row: Line, *, ids: bool) -> list[str]:
    depth, place, label, status, usage, seconds = row
    label = f"{place}  {label}" if ids and depth else label
    about = "~" if usage.estimated else ""
    return [
        "  " * depth + label,
        status,
        f"{about}{usage.input_tokens:,}",
        f"{usage.cached_tokens:,}",
        f"{about}{usage.output_tokens:,}",
        "?" if usage.cost_usd is None else money(usage.cost_usd),
        "" if seconds is None else f"{seconds:.1f} s",
    ]


def _rows(tree: Tree, run: Node, depth: int = 0) -> Iterator[Line]:
    from rlm_kernel.cli.terminal import plain

    yield Line(depth, _place([run]), plain(run.label), run.outcome or run.status, tree.total(run.id), _seconds([run]))
    turns = [node for node in tree.children(run.id) if node.kind == "turn"]
    for turn in turns:
        label = f"turn {number_of(turn.id)}: {plain(turn.label)}"
        yield Line(depth + 1, _place([turn]), label, _word(turn), tree.total(turn.id), _seconds([turn]))
        for calls in _groups(tree.children(turn.id)):
            if len(calls) == 1 and calls[0].kind == "run":
                yield from _rows(tree, calls[0], depth + 2)
            else:
                yield _call_row(tree, calls, depth + 2)


def _call_row(tree: Tree, calls: list[Node], depth: int) -> Line:
    from rlm_kernel.cli.terminal import plain

    failed = sum(call.status == "failed" for call in calls)
    cached = sum(call.cached for call in calls)
    status = f"{failed} failed" if failed and len(calls) > 1 else _word(calls[-1])
    if cached and len(calls) > 1 and not failed:
        status = MEMO if cached == len(calls) else f"{cached:,} {MEMO}"
        if edited := sum(map(_edited, calls)):
            status = f"{edited:,} {EDITED}"
    word = "child run" if calls[0].kind == "run" else "call"
    label = plain(calls[0].label) if len(calls) == 1 else f"{count(len(calls), word)}: {plain(calls[0].label)}"
    usage = sum((tree.total(call.id) for call in calls), Usage())
    return Line(depth, _place(calls), label, status, usage, _seconds(calls))


def _place(nodes: list[Node]) -> str:
    first, last = (node.id.rpartition("/")[2] for node in (nodes[0], nodes[-1]))
    return first if first == last else f"{first}-{last}"


def _word(node: Node) -> str:
    """A turn is done when its cell has run; that the cell failed is said all the same."""
    if node.status != "done":
        return node.status
    return "error" if node.error else EDITED if _edited(node) else MEMO if node.cached else node.status


def _edited(node: Node) -> bool:
    return node.details.get("edited") in ("reply", "code")


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
