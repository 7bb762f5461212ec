"""The record of one node: what the tree, the panel, the notebook and the store all read."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypedDict, cast

from rlm_kernel.usage import Usage, UsageDict

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rlm_kernel.ids import CellId, NodeId, RunId
    from rlm_kernel.messages import Attempt

Kind = Literal["run", "turn", "call"]
Status = Literal["pending", "running", "paused", "done", "failed", "stopped"]
Outcome = Literal["answered", "limit", "failed", "stopped"]


class BranchMark(TypedDict):
    """How a branch came to be; stands in the details of its run."""

    of: str
    """The run it came of."""
    at: str
    """The node that was changed."""
    edit: dict[str, object]
    """How (see `rlm_kernel.engine.edits.EditDict`)."""
    name: str
    """Given by the person; empty where none was."""


class NodeSummary(TypedDict):
    """A node without its texts: what a row of the tree shows."""

    id: str
    run_id: str
    parent_id: str | None
    kind: Kind
    label: str
    status: Status
    outcome: Outcome | None
    model: str | None
    batch: str | None
    cached: bool
    error: str | None
    started: float | None
    ended: float | None
    cell_id: str | None
    execution_count: int | None
    usage: UsageDict
    total: UsageDict
    stale: bool
    """Its state has changed since: a cell above it was edited and run."""
    branch: BranchMark | None
    """Run: of which it is a branch."""
    continues: str | None
    """Run: the one it goes on with, which ended before there was an answer."""
    kept: str | None
    """The node of another run that it was taken over from: it was neither asked nor run."""
    line: int | None
    """Call: the line of the cell that made it, from 1 on."""
    index: int | None
    """Call: the how-many-th of that line in its cell, from 1 on."""


class AttemptDict(TypedDict):
    """`Attempt` as JSON."""

    started: float
    seconds: float
    error: str | None
    status: int | None


class NodeTexts(TypedDict):
    """The long texts of a node: what its detail shows."""

    id: str
    prompt: str
    reply: str
    code: str
    output: str
    error: str | None
    remedy: str
    attempts: list[AttemptDict]


@dataclass(slots=True)
class Node:
    """A run, a turn or a call, seen as a position in the tree.

    The engine owns it and changes it; everybody else reads.
    """

    id: NodeId
    run_id: RunId
    parent_id: NodeId | None
    kind: Kind
    label: str
    """First words of the question, the code or the prompt; at most 80 characters, one line."""
    status: Status = "pending"
    outcome: Outcome | None = None
    """How a run ended; ``None`` while it lasts, and for turns and calls."""
    model: str | None = None
    usage: Usage = field(default_factory=Usage)
    """What this node itself spent; what is below it is not in here."""
    started: float | None = None
    """Seconds since the epoch."""
    ended: float | None = None
    batch: str | None = None
    """Calls of one ``llm_query_batched`` carry the same value."""
    cached: bool = False
    """Answered from the memo: nothing was spent."""
    error: str | None = None
    remedy: str = ""
    prompt: str = ""
    """Run: the question. Call: the prompt."""
    reply: str = ""
    """Run: the answer. Turn: what the model wrote, up to the end of its cell. Call: the reply."""
    code: str = ""
    """Turn: the cell."""
    output: str = ""
    """Turn: what the cell showed, as the model was told."""
    cell_id: CellId | None = None
    """Run: the ``%%rlm`` cell. Turn: the model's cell."""
    execution_count: int | None = None
    attempts: tuple[Attempt, ...] = ()
    """The requests that were made for it, failed ones included, in order."""
    details: Mapping[str, object] = field(default_factory=dict)
    """What else is known of it, as JSON can say it.

    Run of a person: what is needed to ask the same again (settings, what the model was told); ``branch``, a
    `BranchMark`; ``continues``, the run it goes on with.
    Turn: ``told``, what its model was told beside the cell's output. Call: ``line`` and ``index``, where it was made.
    Any: ``kept``, the node it was taken over from.
    """
    entry: str | None = None
    """Turn: under which its cell stands in the history of the namespace."""
    stale: bool = False
    """The state it ran in is not the one of the cells above it any more: one of them was edited and run."""

    def summary(self, total: Usage) -> NodeSummary:
        """Give what a row shows.

        Args:
            total: The usage of this node and everything below it.
        """
        return NodeSummary(
            id=self.id,
            run_id=self.run_id,
            parent_id=self.parent_id,
            kind=self.kind,
            label=self.label,
            status=self.status,
            outcome=self.outcome,
            model=self.model,
            batch=self.batch,
            cached=self.cached,
            error=self.error,
            started=self.started,
            ended=self.ended,
            cell_id=self.cell_id,
            execution_count=self.execution_count,
            usage=self.usage.to_dict(),
            total=total.to_dict(),
            stale=self.stale,
            branch=cast("BranchMark | None", self.details.get("branch")),
            continues=cast("str | None", self.details.get("continues")),
            kept=cast("str | None", self.details.get("kept")),
            line=cast("int | None", self.details.get("line")),
            index=cast("int | None", self.details.get("index")),
        )

    def texts(self) -> NodeTexts:
        """Give what a detail shows."""
        return NodeTexts(
            id=self.id,
            prompt=self.prompt,
            reply=self.reply,
            code=self.code,
            output=self.output,
            error=self.error,
            remedy=self.remedy,
            attempts=[
                AttemptDict(started=each.started, seconds=each.seconds, error=each.error, status=each.status)
                for each in self.attempts
            ],
        )


def one_line(text: str, width: int = 80) -> str:
    """Shorten a text to the label of a node."""
    line = " ".join(text[: width * 8].split())
    return line if len(line) <= width else line[: width - 1] + "…"
