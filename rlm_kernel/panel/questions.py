"""Every message from the panel's views to its Python side, as JSON has it; `messages` has the answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NotRequired, TypedDict

if TYPE_CHECKING:
    from rlm_kernel.engine.edits import EditDict
    from rlm_kernel.engine.gate import DecisionDict
    from rlm_kernel.panel.messages import Form, TextPart

Command = Literal["pause", "resume", "step", "stop"]


class ReadyMessage(TypedDict):
    """A view listens now: send everything."""

    kind: Literal["ready"]
    view: str


class AliveMessage(TypedDict):
    """Is anybody there? Answered with a delta, which may be empty."""

    kind: Literal["alive"]


class DetailRequest(TypedDict):
    """Send the texts of a node."""

    kind: Literal["detail"]
    id: str


class PieceRequest(TypedDict):
    """Send more of a long text."""

    kind: Literal["piece"]
    id: str
    part: TextPart
    pos: int


class WatchMessage(TypedDict):
    """Stream the texts of this node as they grow; none for null."""

    kind: Literal["watch"]
    id: str | None
    view: str


class CommandMessage(TypedDict):
    """Pause, resume, step or stop."""

    kind: Literal["command"]
    name: Command


class DecideMessage(TypedDict):
    """A person's decision on what waits at the gate."""

    kind: Literal["decide"]
    id: str
    decision: DecisionDict


class SteerMessage(TypedDict):
    """Tell the model something with its next turn."""

    kind: Literal["steer"]
    text: str


class QuoteRequest(TypedDict):
    """What would this edit run again, and cost?"""

    kind: Literal["quote"]
    id: str
    edit: EditDict


class RerunMessage(TypedDict):
    """Run again from a node, with an edit."""

    kind: Literal["rerun"]
    id: str
    edit: EditDict


class RaiseMessage(TypedDict):
    """Go on with a run that a limit ended, with other limits."""

    kind: Literal["raise"]
    run_id: str
    limits: dict[str, float | int]


BranchMessage = TypedDict(
    "BranchMessage",
    {
        "kind": Literal["branch"],
        "do": Literal["switch", "name", "delete", "compare"],
        "id": str,
        "name": NotRequired[str],
        "with": NotRequired[str],
    },
)
"""Do something with a branch; ``compare`` needs the other one in ``with``, ``name`` its new name."""


class BranchesRequest(TypedDict):
    """Which runs belong together with this one?"""

    kind: Literal["branches"]
    root: str


class JumpMessage(TypedDict):
    """Show a cell of the notebook."""

    kind: Literal["jump"]
    cell_id: str


class UndoMessage(TypedDict):
    """Put Python back to just before a cell."""

    kind: Literal["undo"]
    cell_id: str


class FindMessage(TypedDict):
    """In which nodes do the long texts contain this?"""

    kind: Literal["find"]
    text: str


class ExportMessage(TypedDict):
    """Give a node as a document: with everything below it, or alone."""

    kind: Literal["export"]
    view: str
    id: str
    form: Form
    below: bool


class CoverageRequest(TypedDict):
    """What have the calls of a question read, and which part of it a node of the question?"""

    kind: Literal["coverage"]
    view: str
    id: str
    """The question."""
    of: str | None
    batch: str | None
    """Only the calls of this batch right below the node ``of``."""


class ReadersRequest(TypedDict):
    """Which calls of a question have read this part of the context?"""

    kind: Literal["readers"]
    view: str
    id: str
    start: int
    end: int


class PassageRequest(TypedDict):
    """Show a citation (``number``), or a part of the context (``start`` and ``end``)."""

    kind: Literal["passage"]
    view: str
    id: str
    """The question."""
    number: NotRequired[int]
    start: NotRequired[int]
    end: NotRequired[int]
    around: NotRequired[int]
    """Characters that are wanted before and behind it, at most 20,000."""


FromView = (
    ReadyMessage
    | AliveMessage
    | DetailRequest
    | PieceRequest
    | WatchMessage
    | CommandMessage
    | DecideMessage
    | SteerMessage
    | QuoteRequest
    | RerunMessage
    | RaiseMessage
    | BranchMessage
    | BranchesRequest
    | JumpMessage
    | UndoMessage
    | FindMessage
    | ExportMessage
    | CoverageRequest
    | ReadersRequest
    | PassageRequest
)
