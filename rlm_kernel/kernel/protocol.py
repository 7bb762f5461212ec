"""The messages of docs/protocol.md as types; `reading` checks those that come from a page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NotRequired, TypedDict

if TYPE_CHECKING:
    from rlm_kernel.engine.edits import EditDict
    from rlm_kernel.engine.executor import Output
    from rlm_kernel.engine.gate import DecisionDict, WaitingDict
    from rlm_kernel.engine.rerun import QuoteDict
    from rlm_kernel.notebook.cells import CellDict, RlmMetadata
    from rlm_kernel.panel.messages import MeterDict
    from rlm_kernel.trace.records import Outcome
    from rlm_kernel.usage import UsageDict

PROTOCOL = 1

CellStatus = Literal["writing", "running", "ok", "error", "stopped", "died", "aborted"]
RunState = Literal["running", "paused", "stopping", "ended"]


class CellMetadata(TypedDict):
    """A model cell's metadata."""

    rlm: RlmMetadata


class Insert(TypedDict):
    """Fields of `insert`."""

    node_id: str
    cell_id: str
    after: list[str]
    cell_type: Literal["code", "markdown"]
    depth: int
    msg_id: str | None
    metadata: CellMetadata


class AckNode(Insert):
    """An entry of ``nodes[]`` in a `hello_ack`."""

    source: str
    status: CellStatus
    outputs: list[Output]
    execution_count: int | None
    badge: str
    usage: UsageDict | None


class AckRun(TypedDict):
    """An entry of ``runs[]`` in a `hello_ack`."""

    run_id: str
    anchor_cell_id: str | None
    anchor_msg_id: str
    owner: str
    live: bool
    state: RunState
    text: str
    nodes: list[AckNode]
    outputs: list[Output]
    execution_count: int
    waiting: list[WaitingDict]
    """What waits for the person's decision now."""
    stale: list[str]
    """Cells whose state was changed above them."""
    unseen: NotRequired[bool]
    """Whether it ended while no page was connected: then the page shows ``outputs`` in any case."""
    steers: NotRequired[list[str]]
    """Messages of the person that the model has not been told yet."""
    limits: NotRequired[list[MeterDict]]
    """Where a limit ended the run: those that were reached."""


class Kept(TypedDict):
    """An entry of ``kept[]`` in a `run_start`: a cell of the replaced run that belongs to the new one too."""

    cell_id: str
    node_id: str
    metadata: CellMetadata
    badge: str


class RunStart(TypedDict):
    """Fields of `run_start`."""

    anchor_cell_id: str | None
    anchor_msg_id: str
    owner: str
    superseded: list[str]
    kept: list[Kept]


class HelloAck(TypedDict):
    """What a page that comes late must know."""

    type: Literal["hello_ack"]
    protocol: int
    runs: list[AckRun]
    panel: str | None
    models: NotRequired[list[str]]
    """Names of models that can be asked, to choose from."""
    undone: NotRequired[list[str]]
    """Cells whose effect on Python's state was undone."""


class Append(TypedDict):
    """Fields of `append`."""

    cell_id: str
    pos: int
    """In UTF-16 units."""
    text: str


class Start(TypedDict):
    """Fields of `start`."""

    cell_id: str
    msg_id: str


class Finish(TypedDict):
    """Fields of `finish`."""

    cell_id: str
    status: CellStatus
    execution_count: int | None
    usage: UsageDict
    badge: str


class StatusLine(TypedDict):
    """Fields of `status`."""

    state: RunState
    text: str
    turn: int
    usage: UsageDict
    steers: NotRequired[list[str]]
    """Messages of the person that the model has not been told yet."""


class RunEnd(TypedDict):
    """Fields of `run_end`."""

    outcome: Outcome | None
    execution_count: int
    usage: UsageDict
    text: str
    limits: NotRequired[list[MeterDict]]
    """Where a limit ended the run: those that were reached, to be raised."""


class Dock(TypedDict):
    """`dock`: show this widget in the sidebar."""

    type: Literal["dock"]
    model_id: str


class GoDict(TypedDict, total=False):
    """``metadata.rlm_go`` of an execute request of a ``%%rlm`` cell: what is to be done in place of asking anew."""

    how: Literal["rerun", "continue"]
    node_id: str
    """Rerun: which node is edited."""
    edit: EditDict
    run_id: str
    """Continue: which run; empty for the last one."""
    limits: dict[str, float | int]
    """Limits that hold from now on, by the names of `rlm_kernel.usage.Limits`."""


class Go(TypedDict):
    """Fields of `go`: the page runs this cell with this as its ``metadata.rlm_go``."""

    anchor_cell_id: str | None
    go: GoDict
    line: str
    """What to write into a new cell where the anchor is gone."""


class Quoted(TypedDict):
    """`quoted`: what an edit would run again."""

    type: Literal["quoted"]
    ask_id: str
    quote: QuoteDict


class Problem(TypedDict):
    """`problem`: what the page asked for cannot be done."""

    type: Literal["problem"]
    ask_id: str
    """Of the question it answers; empty where it answers none."""
    text: str
    remedy: str
    offer: NotRequired[Literal["undo", "anyway"]]
    """What the page may offer then: `undo` of ``cell_id`` with ``replay``, or the re-run of ``node_id`` with
    ``anyway``."""
    cell_id: NotRequired[str]
    node_id: NotRequired[str]
    edit: NotRequired[EditDict]


class Show(TypedDict):
    """Fields of `show`: these cells and outputs take the place of those the question shows now."""

    anchor_cell_id: str | None
    execution_count: int | None
    outputs: list[Output]
    cells: list[CellDict]
    text: str
    """Whether Python's state is that of this run too, for people."""


class Stale(TypedDict):
    """Fields of `stale`: from now on these cells of the run, and no others, are marked."""

    cell_ids: list[str]
    edited_cell_id: str
    """The cell that was edited: it offers *Continue from here*."""
    edited_node_id: str


class Waiting(TypedDict):
    """Fields of `waiting`: all that waits for a decision now."""

    waiting: list[WaitingDict]


class Undone(TypedDict):
    """`undone`: Python's state is back to before a cell."""

    type: Literal["undone"]
    cell_ids: list[str]
    """Cells whose effect on Python's state is gone."""
    text: str


class Jump(TypedDict):
    """`jump`: scroll to this cell and select it."""

    type: Literal["jump"]
    cell_id: str


class RunMessages(TypedDict):
    """The messages about a run by their ``type``: besides these fields they have ``run_id`` and ``seq``."""

    run_start: RunStart
    insert: Insert
    append: Append
    start: Start
    finish: Finish
    status: StatusLine
    run_end: RunEnd
    waiting: Waiting
    stale: Stale
    show: Show
    go: Go


KernelMessage = HelloAck | Dock | Quoted | Problem | Undone | Jump
"""The messages that are about no run."""


class HelloDict(TypedDict):
    """`hello`: what a page says first."""

    type: Literal["hello"]
    protocol: int
    client_id: str
    path: str
    rtc: bool


class SteeringDict(TypedDict):
    """Pause, resume, step, stop."""

    type: Literal["pause", "resume", "step", "stop"]
    run_id: str


class CellRemovedDict(TypedDict):
    """`cell_removed`: the person deleted a cell of the model."""

    type: Literal["cell_removed"]
    run_id: str
    node_id: str
    cell_id: str


class QuoteRequestDict(TypedDict):
    """`quote`: what would this edit run again, and cost?"""

    type: Literal["quote"]
    ask_id: str
    node_id: str
    edit: EditDict


class DecisionRequestDict(TypedDict):
    """`decision`: the person's word on what waits."""

    type: Literal["decision"]
    id: str
    decision: DecisionDict


class SteerDict(TypedDict):
    """`steer`: a message to the model, delivered with its next turn."""

    type: Literal["steer"]
    run_id: str
    text: str


class UndoDict(TypedDict):
    """`undo`: put Python's state back to before this cell."""

    type: Literal["undo"]
    cell_id: str
    replay: NotRequired[bool]
    """Where there is no checkpoint, the cells before it may be run again."""


class SwitchDict(TypedDict):
    """`switch`: show this branch."""

    type: Literal["switch"]
    run_id: str


class PassageRequestDict(TypedDict):
    """`passage`: show in the panel what a citation stands for."""

    type: Literal["passage"]
    run_id: str
    number: int
    """Which citation of the run's answer, from 0 on."""


class PanelRequestDict(TypedDict):
    """`panel`: show the panel beside this page."""

    type: Literal["panel"]


PageMessage = (
    HelloDict
    | SteeringDict
    | CellRemovedDict
    | QuoteRequestDict
    | DecisionRequestDict
    | SteerDict
    | UndoDict
    | SwitchDict
    | PassageRequestDict
    | PanelRequestDict
)
