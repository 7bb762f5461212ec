"""The messages of docs/protocol.md as types. What comes from a page is checked here before anybody uses it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypedDict

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rlm_kernel.engine.executor import Output
    from rlm_kernel.notebook.cells import RlmMetadata
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


class HelloAck(TypedDict):
    """What a page that comes late must know."""

    type: Literal["hello_ack"]
    protocol: int
    runs: list[AckRun]
    panel: str | None


class Finish(TypedDict):
    """Fields of `finish`."""

    cell_id: str
    status: CellStatus
    execution_count: int | None
    usage: UsageDict
    badge: str


class Status(TypedDict):
    """Fields of `status`."""

    state: RunState
    text: str
    turn: int
    usage: UsageDict


@dataclass(frozen=True, slots=True)
class Hello:
    """A page says that it shows the notebook."""

    client_id: str
    path: str
    rtc: bool

    @classmethod
    def read(cls, data: Mapping[str, Any]) -> Hello:
        """Read the data of a ``comm_open``; fields that are missing or of another type count as empty."""
        client_id, path = data.get("client_id"), data.get("path")
        return cls(
            client_id if isinstance(client_id, str) else "",
            path if isinstance(path, str) else "",
            data.get("rtc") is True,
        )


@dataclass(frozen=True, slots=True)
class PageCommand:
    """A message of a page after its hello."""

    type: str
    run_id: str
    cell_id: str

    @classmethod
    def read(cls, data: Mapping[str, Any]) -> PageCommand:
        """Read a message; fields that are missing or of another type count as empty."""
        fields = (data.get(name) for name in ("type", "run_id", "cell_id"))
        return cls(*(field if isinstance(field, str) else "" for field in fields))
