"""Checks what comes from a page before anybody uses it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, cast, get_args

from rlm_kernel.kernel.protocol import GoDict

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rlm_kernel.engine.edits import EditDict
    from rlm_kernel.engine.gate import DecisionDict


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


CommandType = Literal[
    "hello",
    "pause",
    "resume",
    "step",
    "stop",
    "cell_removed",
    "quote",
    "decision",
    "steer",
    "undo",
    "switch",
    "passage",
    "panel",
]
COMMANDS: frozenset[str] = frozenset(get_args(CommandType))
TEXT_LIMIT = 1_000_000
"""Characters of a text that a page sends; what is longer is not what a person typed."""


@dataclass(frozen=True, slots=True)
class PageCommand:
    """A message of a page after its hello; what is missing, too long or of another type counts as empty."""

    type: str
    run_id: str = ""
    cell_id: str = ""
    node_id: str = ""
    ask_id: str = ""
    id: str = ""
    """Of what waits for a decision."""
    text: str = ""
    number: int = -1
    """Passage: which citation."""
    replay: bool = False
    """Undo: the cells before may be run again where there is no checkpoint."""
    edit: EditDict | None = None
    decision: DecisionDict | None = None

    @classmethod
    def read(cls, data: Mapping[str, Any]) -> PageCommand:
        """Read a message; its ``type`` is empty where it is none of ours."""
        kind = _text(data.get("type"))
        names = ("run_id", "cell_id", "node_id", "ask_id", "id", "text")
        fields: dict[str, Any] = {name: _text(data.get(name)) for name in names}
        for name, read in (("edit", read_edit), ("decision", read_decision)):
            fields[name] = read(data.get(name))
        fields["number"] = number if type(number := data.get("number")) is int else -1
        return cls(kind if kind in COMMANDS else "", replay=data.get("replay") is True, **fields)


def read_edit(value: object) -> EditDict | None:
    """Take the known fields of an edit where each has its type; the kind itself is checked by `Edit.from_dict`."""
    return cast("EditDict | None", _fields(value, {"kind": str, "text": str, "model": str, "anyway": bool}))


def read_decision(value: object) -> DecisionDict | None:
    """Take the known fields of a decision where each has its type; the verdict itself is checked by the gate."""
    types = {"verdict": str, "source": str, "reason": str, "first": int}
    return cast("DecisionDict | None", _fields(value, types))


def read_go(metadata: Mapping[str, Any]) -> GoDict | None:
    """Read ``metadata.rlm_go`` of an execute request; ``None`` where there is none that can be used."""
    value = metadata.get("rlm_go")
    if not isinstance(value, dict) or value.get("how") not in ("rerun", "continue"):
        return None
    if value["how"] == "continue":
        return GoDict(how="continue", run_id=_text(value.get("run_id")), limits=read_limits(value.get("limits")))
    edit = read_edit(value.get("edit"))
    node_id = _text(value.get("node_id"))
    if edit is None or not node_id:
        return None
    return GoDict(how="rerun", node_id=node_id, edit=edit, limits=read_limits(value.get("limits")))


def read_limits(value: object) -> dict[str, float | int]:
    """Take the numbers of an object; which names and numbers are limits is checked where they are used."""
    if not isinstance(value, dict):
        return {}
    return {
        name: number
        for name, number in value.items()
        if isinstance(name, str) and isinstance(number, (int, float)) and not isinstance(number, bool)
    }


def _text(value: object) -> str:
    return value if isinstance(value, str) and len(value) <= TEXT_LIMIT else ""


def _fields(value: object, types: Mapping[str, type]) -> dict[str, Any] | None:
    if not isinstance(value, dict):
        return None
    # bool is an int to Python: `first: true` is no number.
    taken = {name: value[name] for name, of in types.items() if type(value.get(name)) is of}
    return {name: each for name, each in taken.items() if not isinstance(each, str) or len(each) <= TEXT_LIMIT}
