"""What a notebook shows of a model's cells that print far too much.

A Jupyter server drops messages when outputs come faster than a megabyte a second, and a notebook with more of them is
slow to open. What the model is told is cut by other rules (`rlm_kernel.engine.shown`), and so is what the trace keeps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rlm_kernel.engine.executor import Output
    from rlm_kernel.host.records import Published

LARGEST = 500_000
"""Characters of text that one cell of a model shows."""
FULL = -1
CUT = "\n… the rest of what this cell printed is not shown here\n"


class Shortener:
    """Shortens the texts that one cell shows, one after the other. Pictures and other rich outputs stay whole."""

    def __init__(self, largest: int = LARGEST) -> None:
        self._largest = self._room = largest

    def text(self, text: str) -> str:
        """Give what is shown of a text: all, its beginning, or nothing."""
        room = self._room
        if len(text) <= room:
            # A progress bar overwrites itself.
            self._room -= 0 if text.startswith("\r") and "\n" not in text else len(text)
            return text
        self._room = FULL
        return "" if room == FULL else text[:room] + CUT

    def message(self, message: Published) -> Published | None:
        """Give what pages are to be told; ``None``: nothing."""
        content = message.content
        if message.msg_type == "stream":
            text = self.text(content["text"])
            return message._replace(content={**content, "text": text}) if text else None
        if message.msg_type == "update_display_data":
            return message._replace(content={**content, "data": Shortener()._data(content["data"])})
        if message.msg_type in ("execute_result", "display_data"):
            return message._replace(content={**content, "data": self._data(content["data"])})
        if message.msg_type == "clear_output":
            self._room = self._largest
        return message

    def outputs(self, outputs: Iterable[Output]) -> list[Output]:
        """Give what is shown of all outputs of a cell."""
        shown: list[Output] = []
        for output in outputs:
            if output.get("output_type") == "stream":
                if text := self.text(output.get("text", "")):
                    shown.append(cast("Output", {**output, "text": text}))
            elif "data" in output:
                shown.append(cast("Output", {**output, "data": self._data(output["data"])}))
            else:
                shown.append(output)
        return shown

    def _data(self, data: dict[str, Any]) -> dict[str, Any]:
        plain = data.get("text/plain")
        return {**data, "text/plain": self.text(plain) or CUT.strip()} if isinstance(plain, str) else data
