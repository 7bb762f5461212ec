"""What has become of the runs of this kernel, so that a page that comes late can be told all of it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rlm_kernel.ids import RunId, new_msg_id
from rlm_kernel.kernel.shortened import Shortener
from rlm_kernel.notebook.cells import CellDict, Ran, code_cell, prose_cell

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rlm_kernel.engine.executor import Output
    from rlm_kernel.engine.gate import WaitingDict
    from rlm_kernel.engine.observer import Part
    from rlm_kernel.host.recorder import OutputRecorder
    from rlm_kernel.ids import CellId, MsgId
    from rlm_kernel.kernel.protocol import AckNode, AckRun, CellStatus, Insert, Kept, RunState
    from rlm_kernel.kernel.services import Ident, Message
    from rlm_kernel.notebook.cells import RlmMetadata
    from rlm_kernel.panel.messages import MeterDict
    from rlm_kernel.trace.records import Node

KEPT_RUNS = 50


@dataclass(slots=True)
class LiveCell:
    """A cell of the model, from its first character to its reply."""

    turn: Node
    part: Part
    cell_id: CellId
    mark: RlmMetadata
    after: list[str]
    msg_id: MsgId | None
    """The message its output is published under; ``None`` for prose."""
    source: str = ""
    sent: int = 0
    """How many characters of ``source`` the pages have."""
    status: CellStatus = "writing"
    removed: bool = False
    """The person deleted it."""
    execution_count: int | None = None
    badge: str = ""
    request: Message | None = None
    """The request the cell seems to answer: a copy of the question's, with ``msg_id``."""
    reply: dict[str, Any] | None = None
    idents: list[Ident] = field(default_factory=list)
    """The clients that bound ``msg_id``; each gets the reply."""
    bound: asyncio.Event = field(default_factory=asyncio.Event)
    shows: list[Output] | None = None
    """What it shows, where it has not run in this kernel; ``None``: the recorder knows."""
    stale: bool = False
    """The state above it was changed since it ran."""

    def write(self, pos: int, text: str) -> None:
        """Let the source be ``text`` from a character on; what was sent of the rest is not valid any more."""
        self.source = self.source[:pos] + text
        self.sent = min(self.sent, pos)

    def unsent(self) -> tuple[int, str]:
        """Give what the pages do not have yet, and where it stands in UTF-16 units; it counts as sent now."""
        head, text = self.source[: self.sent], self.source[self.sent :]
        self.sent = len(self.source)
        return len(head.encode("utf-16-le")) // 2, text

    @property
    def over(self) -> bool:
        """Whether nothing more happens to it."""
        return self.status not in ("writing", "running")

    def insert(self) -> Insert:
        """Give the fields of an ``insert``."""
        return {
            "node_id": self.turn.id,
            "cell_id": self.cell_id,
            "after": self.after,
            "cell_type": "code" if self.part == "code" else "markdown",
            "depth": 0,
            "msg_id": self.msg_id,
            "metadata": {"rlm": self.mark},
        }

    def outputs(self, recorder: OutputRecorder) -> list[Output]:
        """Give what it shows."""
        if self.shows is not None:
            return list(self.shows)
        return Shortener().outputs(recorder.outputs(self.msg_id)) if self.msg_id else []

    def kept(self) -> Kept:
        """Give what a page must know where it stays for another run."""
        return {
            "cell_id": self.cell_id,
            "node_id": self.mark["node_id"],
            "metadata": {"rlm": self.mark},
            "badge": self.badge,
        }

    def ack(self, recorder: OutputRecorder) -> AckNode:
        """Give what a page that comes late must know of it."""
        return {
            **self.insert(),
            "source": self.source,
            "status": self.status,
            "outputs": self.outputs(recorder),
            "execution_count": self.execution_count,
            "badge": self.badge,
            "usage": self.mark.get("usage"),
        }

    def as_cell(self, recorder: OutputRecorder) -> CellDict:
        """Give it as a notebook file has it."""
        if self.part == "prose":
            return prose_cell(self.cell_id, self.mark, self.source.strip())
        return code_cell(self.cell_id, self.source, Ran(self.outputs(recorder), self.execution_count), self.mark)


@dataclass(slots=True)
class LiveRun:
    """One asking of one ``%%rlm`` cell."""

    request: Message
    """The ``%%rlm`` cell's execute request."""
    ident: Ident
    anchor: CellId | None
    execution_count: int
    allow_stdin: bool
    fallback: bool
    """The client has no extension: cells are shown in the question's output."""
    node: Node | None = None
    owner: str = ""
    replaces: list[RunId] = field(default_factory=list)
    """Runs of another kernel that it does again; their cells go."""
    superseded: list[RunId] = field(default_factory=list)
    cells: list[LiveCell] = field(default_factory=list)
    seq: int = 0
    state: RunState = "running"
    text: str = ""
    outputs: list[Output] = field(default_factory=list)
    """What the question shows, once the run has ended."""
    unseen: bool = False
    """It ended while no page was connected."""
    reply: dict[str, Any] | None = None
    idents: list[Ident] = field(default_factory=list)
    """Clients that bound the question's request after a reload; they get its reply too."""
    kept: list[LiveCell] = field(default_factory=list)
    """Cells of the run it takes the place of that are its own too; they are the first of ``cells``."""
    waiting: list[WaitingDict] = field(default_factory=list)
    """What waits for the person's decision."""
    steers: list[str] = field(default_factory=list)
    """Messages of the person that the model has not been told yet."""
    limits: list[MeterDict] = field(default_factory=list)
    """The limits that ended it."""

    @property
    def msg_id(self) -> str:
        """The id of the ``%%rlm`` cell's request."""
        return str(self.request["header"]["msg_id"])

    @property
    def run_id(self) -> RunId:
        """The run's id; empty before it has begun."""
        return self.node.run_id if self.node else RunId("")

    def new_msg_id(self, part: Part) -> MsgId | None:
        """Make the id under which a cell's output is published."""
        return new_msg_id() if part == "code" else None

    def after(self) -> list[str]:
        """Name the cells below which the next one goes, nearest first."""
        cells = [cell.cell_id for cell in reversed(self.cells) if not cell.removed]
        return [*cells, *([self.anchor] if self.anchor else [])]

    def ack(self, recorder: OutputRecorder) -> AckRun:
        """Give what a page that comes late must know of it."""
        shown = [cell for cell in self.cells if not cell.removed]
        ack: AckRun = {
            "run_id": self.run_id,
            "anchor_cell_id": self.anchor,
            "anchor_msg_id": self.msg_id,
            "owner": self.owner,
            "live": self.state != "ended",
            "state": self.state,
            "text": self.text,
            "nodes": [cell.ack(recorder) for cell in shown],
            "outputs": self.outputs,
            "execution_count": self.execution_count,
            "waiting": self.waiting,
            "stale": [cell.cell_id for cell in shown if cell.stale],
            "steers": self.steers,
        }
        if self.unseen:
            ack["unseen"] = True
        if self.limits:
            ack["limits"] = self.limits
        return ack


class Journal:
    """The runs of this kernel, the ones that were replaced left out.

    It does not send anything.
    """

    def __init__(self, recorder: OutputRecorder) -> None:
        """Read the outputs of cells from ``recorder``; forget them there when a run goes."""
        self._recorder = recorder
        self._runs: dict[RunId, LiveRun] = {}
        self._gone: set[str] = set()
        self._gone_cells: set[str] = set()
        self._anchors: dict[str, RunId] = {}

    def begin(self, run: LiveRun) -> None:
        """Add a run; those of the same anchor are replaced by it, but for the cells that it keeps."""
        self._gone.update(run.replaces)
        run.superseded = list(run.replaces)
        if run.anchor is not None:
            old = [each for each in self._runs.values() if each.anchor == run.anchor and each is not run]
            run.superseded += [each.run_id for each in old]
            self._anchors[run.anchor] = run.run_id
            for each in old:
                each.cells = [cell for cell in each.cells if cell not in run.kept]
            self._drop(old)
        self._gone.discard(run.run_id)  # chosen again
        self._gone_cells.difference_update(cell.cell_id for cell in run.cells)
        self._runs[run.run_id] = run
        ended = [each for each in self._runs.values() if each is not run]
        for each in ended[: max(0, len(self._runs) - KEPT_RUNS)]:
            self._forget(each)

    def _drop(self, runs: Iterable[LiveRun]) -> None:
        for run in runs:
            self._gone.add(run.run_id)
            self._gone_cells.update(cell.cell_id for cell in run.cells)
            self._forget(run)

    def _forget(self, run: LiveRun) -> None:
        del self._runs[run.run_id]
        for cell in run.cells:
            if cell.msg_id is not None:
                self._recorder.forget(cell.msg_id)

    def replaced(self, mark: dict[str, Any]) -> bool:
        """Tell whether a cell with this ``metadata.rlm`` belongs to a run that has been replaced by another.

        A cell of a run this kernel never saw (it was restarted since) is replaced once its anchor is asked anew.
        """
        run_id, anchor = mark.get("run_id"), mark.get("anchor")
        if not isinstance(run_id, str):
            return False
        if run_id in self._gone:
            return True
        return isinstance(anchor, str) and anchor in self._anchors and self._anchors[anchor] != run_id

    def left_behind(self, cell_id: str, anchor: str | None) -> bool:
        """Tell whether a cell is of a run that was replaced, or will be when a question is asked in ``anchor``."""
        return cell_id in self._gone_cells or any(
            cell.cell_id == cell_id
            for run in self._runs.values()
            if anchor is not None and run.anchor == anchor
            for cell in run.cells
        )

    def at(self, anchor: str | None) -> LiveRun | None:
        """Give the run that is shown below a cell."""
        return next((run for run in reversed(self._runs.values()) if anchor and run.anchor == anchor), None)

    def of(self, run_id: str) -> LiveRun | None:
        """Give a run that is shown."""
        return self._runs.get(RunId(run_id))

    def cell(self, cell_id: str) -> tuple[LiveRun, LiveCell] | None:
        """Find a cell that is shown."""
        return next(((run, cell) for run in self._runs.values() for cell in run.cells if cell.cell_id == cell_id), None)

    def runs(self) -> list[LiveRun]:
        """Give the runs, oldest first."""
        return list(self._runs.values())

    def acks(self) -> list[AckRun]:
        """Give what a page that comes late must know: all runs a page can place."""
        return [run.ack(self._recorder) for run in self._runs.values() if not run.fallback]

    def cell_of(self, msg_id: str) -> tuple[LiveRun, LiveCell] | None:
        """Find a cell by the message its output is published under."""
        return next(((run, cell) for run in self._runs.values() for cell in run.cells if cell.msg_id == msg_id), None)

    def run_of(self, msg_id: str) -> LiveRun | None:
        """Find a run by the message of its question."""
        return next((run for run in self._runs.values() if run.msg_id == msg_id), None)
