"""Outputs of cells as nbformat keeps them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from rlm_kernel.engine.executor import Output
    from rlm_kernel.host.records import Json, Published
    from rlm_kernel.ids import MsgId

LARGEST_STREAM = 64 << 20
"""Characters of one stream output that are kept."""
CUT = "\n… what was printed beyond this is not kept\n"


@dataclass(slots=True)
class _Stream:
    """A stream output that still grows."""

    output: Output
    pieces: list[str]
    size: int
    largest: int

    def add(self, text: str) -> None:
        if self.size > self.largest:
            return
        self.size += len(text)
        self.pieces.append(text if self.size <= self.largest else CUT)


@dataclass(slots=True)
class _Cell:
    """The outputs of one cell."""

    outputs: list[Output] = field(default_factory=list)
    stream: _Stream | None = None
    """The last output, where it is a stream."""
    clear_next: bool = False
    """``clear_output(wait=True)``: the next output replaces all there is."""

    def settle(self) -> None:
        """Write the growing stream into its output."""
        if self.stream is not None:
            self.stream.pieces = ["".join(self.stream.pieces)]
            self.stream.output["text"] = self.stream.pieces[0]

    def clear(self) -> None:
        self.outputs.clear()
        self.stream = None
        self.clear_next = False

    def append(self, output: Output) -> None:
        self.settle()
        self.stream = None
        self.outputs.append(output)


class OutputRecorder:
    """Keeps the outputs of each cell, by the message id they were published under.

    Streams are joined, ``clear_output`` is obeyed, and ``update_display_data`` changes every output with that display
    id, whichever cell it is in. What goes into an ``Output`` widget is the widget's, not the cell's.

    Args:
        largest: Characters of one stream output that are kept.
    """

    def __init__(self, largest: int = LARGEST_STREAM) -> None:
        self._largest = largest
        self._cells: dict[MsgId, _Cell] = {}
        self._displays: dict[str, list[Output]] = {}
        self._captured: dict[str, str] = {}
        """``Output`` widgets that capture now: their comm id, and the message id whose outputs they take."""

    def add(self, message: Published) -> None:
        """Take a message; those that are no outputs are passed over."""
        kind, content, parent = message.msg_type, message.content, message.parent
        if kind == "comm_msg":
            self._note_capture(content)
        elif kind == "update_display_data":
            self._update(content)
        elif parent is None or kind.startswith("comm_") or parent in self._captured.values():
            return
        elif kind == "clear_output":
            cell = self._cells.setdefault(parent, _Cell())
            if content.get("wait"):
                cell.clear_next = True
            else:
                cell.clear()
        else:
            self._append(self._cells.setdefault(parent, _Cell()), kind, content)

    def outputs(self, parent: MsgId) -> list[Output]:
        """Give the outputs of a cell as they stand now."""
        cell = self._cells.get(parent)
        if cell is None:
            return []
        cell.settle()
        return [cast("Output", dict(output)) for output in cell.outputs]

    def forget(self, parent: MsgId) -> None:
        """Drop what is kept of a cell."""
        cell = self._cells.pop(parent, None)
        if cell is None:
            return
        gone = {id(output) for output in cell.outputs}
        for display, outputs in list(self._displays.items()):
            kept = [output for output in outputs if id(output) not in gone]
            if kept:
                self._displays[display] = kept
            else:
                del self._displays[display]

    def _append(self, cell: _Cell, kind: str, content: Json) -> None:
        if cell.clear_next:
            cell.clear()
        if kind == "stream":
            if cell.stream is None or cell.stream.output["name"] != content["name"]:
                output: Output = {"output_type": "stream", "name": content["name"], "text": ""}
                cell.append(output)
                cell.stream = _Stream(output, [], 0, self._largest)
            cell.stream.add(content["text"])
            return
        if kind == "error":
            keys = ("ename", "evalue", "traceback")
            cell.append(cast("Output", {"output_type": "error", **{key: content[key] for key in keys}}))
            return
        output = {"output_type": kind, "data": content["data"], "metadata": content["metadata"]}
        if kind == "execute_result":
            output["execution_count"] = content["execution_count"]
        cell.append(output)
        display = _display_id(content)
        if display is not None:
            self._displays.setdefault(display, []).append(output)

    def _update(self, content: Json) -> None:
        for output in self._displays.get(_display_id(content) or "", []):
            output["data"] = content["data"]
            output["metadata"] = content["metadata"]

    def _note_capture(self, content: Json) -> None:
        """Notice an ``Output`` widget that begins or ends to capture: it sets its state ``msg_id``."""
        data = content["data"]
        state = data.get("state")
        if data.get("method") != "update" or not isinstance(state, dict) or not isinstance(state.get("msg_id"), str):
            return
        if state["msg_id"]:
            self._captured[content["comm_id"]] = state["msg_id"]
        else:
            self._captured.pop(content["comm_id"], None)


def _display_id(content: Json) -> str | None:
    transient = content.get("transient")
    value = transient.get("display_id") if isinstance(transient, dict) else None
    return value if isinstance(value, str) else None
