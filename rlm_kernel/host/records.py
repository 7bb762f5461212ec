"""What goes in and out of a namespace process, as its host sees it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

if TYPE_CHECKING:
    from rlm_kernel.engine.executor import AnswerState, QueryDict, ReplyDict
    from rlm_kernel.ids import MsgId
    from rlm_kernel.trace.entries import Author, EntryId

Json = dict[str, Any]
"""Content of a Jupyter message: checked to be JSON, not to have a shape."""


class Published(NamedTuple):
    """An output or comm message of the namespace; its type and shape are checked."""

    msg_type: str
    content: Json
    metadata: Json
    buffers: list[bytes]
    parent: MsgId | None
    """The message id of the cell or comm message it belongs to: one the host has sent, or ``None``."""


@dataclass(frozen=True, slots=True)
class ExecuteRequest:
    """A cell to run."""

    code: str
    msg_id: MsgId
    header: Json
    """JSON-safe copy of the Jupyter header; its ``msg_id`` is this one."""
    silent: bool = False
    store_history: bool = True
    user_expressions: dict[str, str] = field(default_factory=dict)
    allow_stdin: bool = False
    cell_id: str | None = None
    author: Author = "person"
    node_id: str | None = None
    """The turn whose cell it is."""
    entry: EntryId = ""
    """Under which it stands in the history, and the state before it is kept; where empty, ``msg_id``."""

    @property
    def state(self) -> EntryId:
        """Name of the state before it."""
        return self.entry or self.msg_id


@dataclass(slots=True)
class ExecuteReply:
    """How a cell ended."""

    status: Literal["ok", "error", "died"]
    execution_count: int
    answer: AnswerState
    payload: list[Json] = field(default_factory=list)
    user_expressions: Json = field(default_factory=dict)
    ename: str = ""
    evalue: str = ""
    traceback: list[str] = field(default_factory=list)
    interrupted: bool = False
    """The host interrupted this cell and it did not end well (KeyboardInterrupt, a cancelled await, or killed)."""
    died: str = ""
    """Why the process ended, in words; empty where it lives."""
    restored: bool = False
    """Died: the state before the cell is back. Otherwise a fresh process is up."""
    lost: str = ""
    """Died: a sentence for the person about what was kept and what was lost."""
    entry: EntryId | None = None
    """Under which it stands in the history; ``None``: in none (silent cells, those of child runs)."""
    digest: dict[str, str] = field(default_factory=dict)
    """See `rlm_kernel.trace.entries.Entry`."""


class Listener(Protocol):
    """Is told what a namespace process says; every method is called on the asyncio loop."""

    def published(self, message: Published) -> None:
        """Take an output or comm message (stream, display_data, execute_result, error, clear_output, comm_open …)."""
        ...

    async def query(self, query: QueryDict, parent: MsgId | None) -> list[ReplyDict]:
        """Answer ``llm_query`` or ``llm_query_batched``; cancelled when the cell is interrupted or the process ends."""
        ...

    async def input(self, prompt: str, password: bool, parent: MsgId | None) -> str:
        """Ask the person for a line; cancelled like `query`."""
        ...

    async def magic(self, line: str, parent: MsgId | None) -> str:
        """Answer ``%rlm`` in a cell with the text to print.

        Raises:
            RlmError: Its text is shown as the cell's error.
        """
        ...

    def replaced(self, dead_comms: list[str], live_comms: list[str]) -> None:
        """Be told that an earlier state, or a fresh process, took over, and which comms did not survive."""
        ...
