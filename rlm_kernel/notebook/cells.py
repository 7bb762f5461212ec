"""The cells of a run in nbformat 4.5, as plain JSON: one shape for the page, the one-output form and the file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple, NotRequired, TypedDict

from rlm_kernel.ids import CellId
from rlm_kernel.usage import count, money

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rlm_kernel.engine.executor import Output
    from rlm_kernel.engine.observer import Part
    from rlm_kernel.trace.records import Node
    from rlm_kernel.trace.tree import Tree
    from rlm_kernel.usage import Usage, UsageDict

RUN_MIME = "application/vnd.rlm.run+json"


class RlmMetadata(TypedDict):
    """What marks a cell as the model's, under ``metadata.rlm``; see docs/protocol.md."""

    run_id: str
    node_id: str
    cell_id: str
    """The cell's own id: a copy of it has another, and is the person's."""
    anchor: str | None
    depth: int
    author: Literal["model"]
    model: str | None
    part: str
    turn: int
    badge: NotRequired[str]
    usage: NotRequired[UsageDict]
    kept: NotRequired[str]
    """The node of another branch whose reply and output this turn has taken over."""


class CellDict(TypedDict):
    """One cell, as a notebook file has it."""

    cell_type: Literal["code", "markdown"]
    id: str
    metadata: dict[str, Any]
    source: str
    outputs: NotRequired[list[Output]]
    execution_count: NotRequired[int | None]


class RunPayload(TypedDict):
    """The value of an ``application/vnd.rlm.run+json`` output."""

    version: int
    run_id: str
    anchor: str | None
    execution_count: int | None
    outputs: list[Output]
    cells: list[CellDict]


class Place(NamedTuple):
    """Where a cell of the model stands."""

    cell_id: str
    anchor: str | None
    """The ``%%rlm`` cell it belongs to."""


class Ran(NamedTuple):
    """What a code cell has to show."""

    outputs: Sequence[Output]
    execution_count: int | None


def prose_id(cell_id: CellId) -> CellId:
    """Name the cell of a turn's prose, so that it is known also where only the turn's code cell is."""
    return CellId(f"{cell_id[:60]}-p")


def badge(number: int, usage: Usage, cached: int = 0) -> str:
    """Say in one line what a turn cost: ``turn 2 · 1,204 in · 96 out · $0.0003``."""
    calls = f" · {count(usage.calls + cached, 'call')}" if usage.calls + cached > 1 else ""
    calls += f" · {cached:,} from the memo" if cached else ""
    about = "~" if usage.estimated else ""
    tokens = f"{about}{usage.input_tokens:,} in · {usage.output_tokens:,} out"
    return f"turn {number}{calls} · {tokens} · {money(usage.cost_usd)}"


def rlm_metadata(turn: Node, part: Part, number: int, place: Place) -> RlmMetadata:
    """Make the mark of a cell whose turn is under way."""
    return RlmMetadata(
        run_id=turn.run_id,
        node_id=turn.id,
        cell_id=place.cell_id,
        anchor=place.anchor,
        depth=0,
        author="model",
        model=turn.model,
        part=part,
        turn=number,
    )


def finished(mark: RlmMetadata, turn: Node, tree: Tree) -> RlmMetadata:
    """Add what is known when the turn is over: what it cost, and which model the endpoint says has answered."""
    usage = tree.total(turn.id)
    said = badge(mark["turn"], usage, tree.cached(turn.id))
    return RlmMetadata(**{**mark, "model": turn.model, "badge": said, "usage": usage.to_dict()})


def prose_cell(cell_id: str, mark: RlmMetadata, source: str) -> CellDict:
    """Make the Markdown cell of a turn's prose."""
    return CellDict(cell_type="markdown", id=cell_id, metadata={"rlm": mark}, source=source)


def code_cell(cell_id: str, source: str, ran: Ran, mark: RlmMetadata | None = None) -> CellDict:
    """Make a code cell; without a mark it is a person's."""
    return CellDict(
        cell_type="code",
        id=cell_id,
        metadata={"rlm": mark} if mark else {},
        source=source,
        outputs=list(ran.outputs),
        execution_count=ran.execution_count,
    )
