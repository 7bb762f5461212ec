"""Between a namespace process and its listener: writes down what cells show, and keeps quiet what is done again."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from rlm_kernel.errors import InputError
from rlm_kernel.host.recorder import OutputRecorder
from rlm_kernel.host.records import Listener
from rlm_kernel.trace.entries import MOST_OUTPUT, Output

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rlm_kernel.engine.executor import QueryDict, QueryHandler, ReplyDict
    from rlm_kernel.host.records import Published
    from rlm_kernel.ids import MsgId


class Again:
    """A cell that is done once more."""

    def __init__(self, queries: QueryHandler) -> None:
        self.queries = queries
        self.wanted_input = False
        self.used_magic = False


class Relay(Listener):
    """Passes on what a namespace says.

    - What the cell that runs shows is recorded, beside whatever the listener does with it.
    - While a cell is done once more, the listener is told nothing of it: its queries are answered from elsewhere, it
      gets no input, and ``%rlm`` does nothing. Widgets are passed on, the pages need them.

    Args:
        listener: Who is told.
    """

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._recorder = OutputRecorder(MOST_OUTPUT)
        self._cell: MsgId | None = None
        self._again: Again | None = None

    def cell_begins(self, msg_id: MsgId) -> None:
        """Record what is shown under this id."""
        self._cell = msg_id

    def cell_ended(self) -> list[Output]:
        """Give what the cell has shown, and forget it."""
        if self._cell is None:
            return []
        outputs = self._recorder.outputs(self._cell)
        self._recorder.forget(self._cell)
        self._cell = None
        return cut(outputs)

    @contextmanager
    def again(self, queries: QueryHandler) -> Iterator[Again]:
        """Keep quiet what runs meanwhile.

        Args:
            queries: Answers its queries.
        """
        self._again = Again(queries)
        try:
            yield self._again
        finally:
            self._again = None

    def published(self, message: Published) -> None:
        """Record it, and pass it on."""
        if message.msg_type in ("comm_msg", "update_display_data") or message.parent == self._cell:
            self._recorder.add(message)
        if self._again is not None and message.parent in (self._cell, None):
            if not message.msg_type.startswith("comm_"):
                return
            message = message._replace(parent=None)
        self._listener.published(message)

    async def query(self, query: QueryDict, parent: MsgId | None) -> list[ReplyDict]:
        """Have it answered."""
        if self._again is not None:
            return await self._again.queries(query)
        return await self._listener.query(query, parent)

    async def input(self, prompt: str, password: bool, parent: MsgId | None) -> str:
        """Have the person asked."""
        if self._again is not None:
            self._again.wanted_input = True
            raise InputError("Nobody is asked while cells run again.")
        return await self._listener.input(prompt, password, parent)

    async def magic(self, line: str, parent: MsgId | None) -> str:
        """Have ``%rlm`` carried out."""
        if self._again is not None:
            self._again.used_magic = True
            return ""
        return await self._listener.magic(line, parent)

    def replaced(self, dead_comms: list[str], live_comms: list[str]) -> None:
        """Pass it on."""
        self._listener.replaced(dead_comms, live_comms)


def cut(outputs: list[Output], most: int = MOST_OUTPUT) -> list[Output]:
    """Leave out what is too much to be kept with a cell, and say so in its place."""
    kept: list[Output] = []
    for output in outputs:
        size = len(str(output.get("text", ""))) + sum(len(str(each)) for each in output.get("data", {}).values())
        most -= size
        if most >= 0:
            kept.append(output)
        else:
            text = f"[{size:,} characters of output are not kept]\n"
            kept.append(Output(output_type="stream", name="stdout", text=text))
            break
    return kept
