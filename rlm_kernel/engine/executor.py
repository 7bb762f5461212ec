"""What the engine asks of whoever runs cells."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NotRequired, Protocol, TypedDict

from rlm_kernel.contexts.info import ContextInfo as ContextInfo  # noqa: TC001 (others import it from here)
from rlm_kernel.errors import RlmError
from rlm_kernel.trace.entries import Output as Output  # noqa: TC001 (others import it from here)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rlm_kernel.engine.history import History
    from rlm_kernel.ids import CellId, NodeId
    from rlm_kernel.trace.entries import Entry, EntryId
    from rlm_kernel.usage import UsageDict


class AnswerState(TypedDict):
    """The variable ``answer`` after a cell, and whether the cell has made it final."""

    content: str
    ready: bool


class NameInfo(TypedDict):
    """One name in the namespace that the person or the model made."""

    name: str
    type: str
    size: str
    cell: NotRequired[str | None]
    """The cell that bound it last, where that is known."""


class NamespaceInfo(TypedDict):
    """What is in the namespace before a run."""

    context: ContextInfo | None
    names: list[NameInfo]


@dataclass(frozen=True, slots=True)
class ContextHandle:
    """A context that a namespace hands over to the child runs of a query: bytes of a file that has no name.

    The namespace writes the file once, whatever number of children reads it. Who runs the child on another machine
    sends the bytes there. The engine never looks inside.
    """

    fd: int
    """The open file; it is closed when the query is answered."""
    offset: int
    length: int


class DepthReached(RlmError):
    """A query for child runs came where no level of them is left: the cell asks as ``llm_query`` instead.

    Args:
        chars: How many characters of the context fit beside the prompt.
    """

    def __init__(self, chars: int) -> None:
        """Keep what fits."""
        super().__init__("No level of rlm_query is left here.", "Use llm_query.")
        self.chars = chars


class QueryDict(TypedDict):
    """A request of a cell: ``llm_query`` and ``rlm_query``, and their batched forms."""

    prompts: list[str]
    model: str | None
    batched: bool
    line: int | None
    """Line of the cell that made the call."""
    kind: NotRequired[Literal["llm", "rlm"]]
    """``llm`` (also where it is missing): calls. ``rlm``: child runs."""
    contexts: NotRequired[list[ContextHandle]]
    """What each child run works on, in the order of the prompts; the same handle may stand there many times."""
    at_depth: NotRequired[bool]
    """Whether these calls stand in for child runs that no level was left for."""
    schema: NotRequired[str | None]
    """JSON Schema that each reply must fit, as JSON text with sorted keys."""
    n: NotRequired[int]
    """How many times each prompt is asked; the replies to one prompt stand next to each other."""


class ReplyDict(TypedDict):
    """The answer to one prompt of a `QueryDict`; ``error`` is null where it succeeded.

    Where a schema was asked for, ``text`` is the JSON that fits it, nothing around it.
    """

    text: str
    error: str | None
    node_id: str
    usage: UsageDict


QueryHandler = Callable[[QueryDict], Awaitable[list[ReplyDict]]]
"""Answers the queries of cells, in order; cancelled when the cell is interrupted. May raise `DepthReached`."""


@dataclass(frozen=True, slots=True)
class CellRequest:
    """A cell of the model, to be run."""

    node_id: NodeId
    cell_id: CellId
    code: str


@dataclass(frozen=True, slots=True)
class CellResult:
    """What a cell did."""

    status: Literal["ok", "error", "stopped", "died"]
    """``stopped``: interrupted by the person. ``died``: the process ended; the state before the cell is back."""
    answer: AnswerState
    execution_count: int | None = None
    outputs: list[Output] = field(default_factory=list)
    entry: EntryId | None = None
    """Under which it stands in the history; ``None``: in none."""
    digest: Mapping[str, str] = field(default_factory=dict)
    """See `Entry.digest`."""


@dataclass(frozen=True, slots=True)
class Redone:
    """What came of doing an entry once more."""

    status: Literal["ok", "error", "stopped", "died"] = "ok"
    outputs: Sequence[Output] = ()
    digest: Mapping[str, str] = field(default_factory=dict)
    wanted_input: bool = False
    """It asked the person for a line, and got none."""
    used_magic: bool = False
    """It used ``%rlm``, which was not carried out."""


class Executor(Protocol):
    """Runs the cells of a run in a namespace.

    One cell at a time. Whether there is a notebook page, a terminal or nothing to look at is its own affair.
    It writes down what is done in `history`, and moves that when another state is restored.
    """

    @property
    def history(self) -> History:
        """What was done in the namespace."""
        ...

    async def describe(self) -> NamespaceInfo:
        """Tell what is in the namespace."""
        ...

    async def begin(self, queries: QueryHandler, *, goes_on: bool = False) -> None:
        """Start a run: set ``answer`` anew and send the queries of cells to ``queries`` from now on.

        Args:
            queries: Answers them.
            goes_on: Leave ``answer`` as it is: the namespace is in the middle of a run.
        """
        ...

    async def run_cell(self, cell: CellRequest) -> CellResult:
        """Run one cell to its end and give what it showed; errors of the cell are in the result."""
        ...

    async def end(self) -> None:
        """End the run that `begin` started; the namespace and its names stay."""
        ...

    def interrupt(self) -> None:
        """Interrupt the cell that runs now; does nothing where none runs."""
        ...

    async def set_variable(self, name: str, value: object) -> None:
        """Set a variable of the namespace between two cells.

        Args:
            name: The variable.
            value: Anything JSON can hold; the namespace gets a copy.
        """
        ...

    async def look(self, kind: Literal["cite", "cover", "passage"], fields: Mapping[str, object]) -> Mapping[str, Any]:
        """Look something up in the context; waits for a running cell.

        =========  ======================  ==============================================================
        kind       fields                  reply (empty where nothing can be looked up)
        =========  ======================  ==============================================================
        cite       answer                  citations: see `rlm_kernel.contexts.cited.CitationDict`
        cover      texts, mark             length: of the context; spans: for each text, what it shows of it; where
                                           the context has another mark: mark, name, landmarks
        passage    start, end, source,     passage: see `rlm_kernel.contexts.passages.PassageDict`, or null;
                   around                  mark: of the context
        =========  ======================  ==============================================================
        """
        return {}

    # ---- other states; none of these while a cell runs

    def can_restore(self, state: EntryId) -> bool:
        """Tell whether `restore` would succeed now."""
        ...

    async def restore(self, state: EntryId) -> bool:
        """Put the namespace back to just before an entry (a cell, or the beginning of a run), or to a parked state.

        Whether a run is going on, and its ``answer``, are as they were then; `begin` with ``goes_on`` goes on with it.

        Returns:
            ``False``: that state is not kept (any more); nothing has changed.
        """
        ...

    async def park(self, key: EntryId) -> bool:
        """Keep the present state, so that `restore` brings it back; ``False``: it cannot be kept."""
        ...

    async def renew(self) -> None:
        """Put a fresh namespace with nothing in it in the place of this one; states that are kept stay."""
        ...

    async def redo(self, entry: Entry, queries: QueryHandler) -> Redone:
        """Do once more what an entry says, on the way back to a state: nobody is shown anything.

        The history moves to the entry; nothing is added to it.

        Args:
            entry: A cell gets the number it had.
            queries: Answers the queries of its cell.
        """
        ...


class Pool(Protocol):
    """Gives each child run a namespace of its own: processes of this machine, or of a cluster.

    It bounds nothing and waits for nobody: how many child runs there are at the same time is decided above it, where
    no run can end up waiting for a place that its own parent holds.
    """

    def warm(self) -> None:
        """Get ready, so that the first child need not wait; does nothing where that is done already."""
        ...

    def room(self, context: int) -> int:
        """Tell how many more namespaces there is room for now, in memory and otherwise.

        Args:
            context: Bytes of the context that each has.
        """
        ...

    async def take(self, context: ContextHandle) -> Executor:
        """Start a namespace with a context and nothing else in it.

        Raises:
            NamespaceDied: It did not start.
            RlmError: The context cannot be read there.
        """
        ...

    async def give_back(self, executor: Executor) -> None:
        """End a namespace that `take` gave, whatever runs in it."""
        ...
