"""Every message from the panel's Python side to its views, as JSON has it; `questions` has those from the views.

The types of the page are generated from these. A message is told apart by its ``kind``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NotRequired, TypedDict

from rlm_kernel.trace.records import NodeTexts

if TYPE_CHECKING:
    from rlm_kernel.contexts.cited import CitationDict, CiteKind, Found
    from rlm_kernel.contexts.landmarks import LandmarkDict
    from rlm_kernel.contexts.passages import PassageDict
    from rlm_kernel.engine.branches import BranchDict
    from rlm_kernel.engine.gate import WaitingDict
    from rlm_kernel.engine.passages import PassageState
    from rlm_kernel.engine.quoting import QuoteDict
    from rlm_kernel.trace.compare import CompareDict
    from rlm_kernel.trace.records import NodeSummary

TextPart = Literal["prompt", "reply", "code", "output", "error"]
"""The long texts of a node."""
Form = Literal["markdown", "json"]


class MeterDict(TypedDict):
    """How far one limit of the run that lasts is used."""

    kind: str
    used: float
    limit: float
    text: str
    """What is left, for people: ``$0.41 of $1.00``."""


class ControlDict(TypedDict):
    """What the control says of itself, and what waits for the person."""

    state: str
    waits_for: str
    waiting: list[WaitingDict]
    steers: list[str]
    """Messages to the model that were not delivered yet."""
    limits: list[MeterDict]


class PackedRows(TypedDict):
    """Many `NodeSummary` rows without their names: about a third of the size."""

    keys: list[str]
    usage_keys: list[str]
    rows: list[list[object]]
    """Values in the order of ``keys``; ``usage`` and ``total`` are lists in the order of ``usage_keys``, and ``total``
    is null where it equals ``usage``."""


class DeltaMessage(TypedDict):
    """Rows that changed; at most twenty messages a second."""

    kind: Literal["delta"]
    seq: int
    """Grows by one with each: a view that misses one, as Jupyter drops messages beside large outputs, asks for all."""
    nodes: list[NodeSummary]
    removed: list[str]
    control: ControlDict
    models: NotRequired[list[str]]
    """Names of the models there are, where they are new."""
    now: float
    """The kernel's clock, in seconds since the epoch; a page's clock may stand elsewhere."""


class SnapshotMessage(TypedDict):
    """Rows of everything there is, in several parts: the answer to ``ready``."""

    kind: Literal["snapshot"]
    view: str
    """The view that asked; others ignore it."""
    part: int
    """From 0 on."""
    parts: int
    rows: PackedRows
    control: ControlDict
    models: list[str]
    now: float


class ChatMessage(TypedDict):
    """One message that a model was sent."""

    role: str
    content: str


class WhereDict(TypedDict):
    """Where a call was made."""

    cell_id: str | None
    line: int
    """Of the cell, from 1 on."""
    index: int
    """The how-many-th call of that line in its cell, from 1 on."""
    count: int
    """How many calls that line has made so far."""


class CitedDict(TypedDict):
    """A citation of a run's answer, as a list shows it."""

    kind: CiteKind
    text: str
    """As the answer has it, cut to its first 300 characters."""
    status: Found
    where: str
    difference: str


class DetailTexts(NodeTexts):
    """The texts of a node as a detail shows them: each cut to its first 100,000 characters."""

    messages: list[ChatMessage]
    """Turns and calls: what the model was sent, as far as it can be told from the tree; cut like the texts."""
    where: WhereDict | None
    details: dict[str, object]
    """What else is known of the node: how a branch was made, what the model was told beside the cell's output."""
    citations: list[CitedDict]
    """Questions: what the answer cites, looked up; ``passage`` shows one."""
    sizes: dict[str, int]
    """Characters of the whole text, by part, for those that were cut; ask ``piece`` for the rest."""


class DetailMessage(TypedDict):
    """The answer to ``detail``."""

    kind: Literal["detail"]
    texts: DetailTexts


class TextMessage(TypedDict):
    """A piece of a text: of the watched node as it grows, or the answer to ``piece``."""

    kind: Literal["text"]
    node_id: str
    part: TextPart
    pos: int
    """Where the piece stands; what was known from there on is replaced."""
    text: str
    total: int
    """Characters of the whole text now."""


class QuotedMessage(TypedDict):
    """The answer to ``quote``."""

    kind: Literal["quoted"]
    quote: QuoteDict


class ProblemMessage(TypedDict):
    """Something that was asked for cannot be done."""

    kind: Literal["problem"]
    text: str
    remedy: str
    about: str | None
    """The node it is about."""


class BranchesMessage(TypedDict):
    """All runs of a family: the trunk and its branches."""

    kind: Literal["branches"]
    root: str
    branches: list[BranchDict]


class ComparedMessage(TypedDict):
    """Two branches side by side."""

    kind: Literal["compared"]
    comparison: CompareDict


class FoundMessage(TypedDict):
    """The answer to ``find``."""

    kind: Literal["found"]
    text: str
    ids: list[str]


class ExportedMessage(TypedDict):
    """The answer to ``export``, in several parts."""

    kind: Literal["exported"]
    view: str
    id: str
    form: Form
    part: int
    parts: int
    text: str


class CoverageShown(TypedDict):
    """Which parts of the context the calls of a question have read, for a picture of it."""

    length: int
    """Characters of the context; 0: it is no text."""
    share: float
    """How much of it was read, from 0 to 1."""
    calls: int
    """Calls that read any of it."""
    strip: list[float]
    """For each of so many equal parts of the context, how much of it was read, from 0 to 1."""
    name: str
    landmarks: list[LandmarkDict]


class CoverageMessage(TypedDict):
    """The answer to ``coverage``."""

    kind: Literal["coverage"]
    view: str
    id: str
    of: str | None
    batch: str | None
    coverage: CoverageShown | None
    own: list[float]
    """The same picture of what the node ``of`` has read; empty where it was not asked for, or has read nothing."""
    own_share: float
    text: str
    """How much was read, or why that cannot be told, for people."""


class ReadersMessage(TypedDict):
    """The answer to ``readers``."""

    kind: Literal["readers"]
    view: str
    id: str
    start: int
    end: int
    ids: list[str]
    """Calls that read any of it, in the order of the document; at most 500."""
    count: int
    complete: bool
    """Whether all there are, are known."""


class PassageMessage(TypedDict):
    """A passage: the answer to ``passage``, or one that a person has clicked in the notebook."""

    kind: Literal["passage"]
    view: NotRequired[str]
    """The view that asked; without it, all show it."""
    id: str
    number: int | None
    """Which citation of the answer, from 0 on; null: it is a part of the context that was chosen in its picture."""
    count: int
    """Citations of the answer."""
    citation: CitationDict | None
    state: PassageState
    text: str
    """Why it cannot be shown as it stands in the document, for people; empty where it can."""
    passage: PassageDict | None
    readers: list[str]
    """Calls that read any of it; at most 500."""


class ToldMessage(TypedDict):
    """Something went well that a person wants to know of."""

    kind: Literal["told"]
    text: str


ToView = (
    DeltaMessage
    | SnapshotMessage
    | DetailMessage
    | TextMessage
    | QuotedMessage
    | ProblemMessage
    | BranchesMessage
    | ComparedMessage
    | FoundMessage
    | ExportedMessage
    | CoverageMessage
    | ReadersMessage
    | PassageMessage
    | ToldMessage
)
