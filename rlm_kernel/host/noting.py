"""Writes the history of a namespace."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

from rlm_kernel.engine.history import Entry, EntryId, EntryKind, History
from rlm_kernel.engine.shown import shown
from rlm_kernel.ids import new_msg_id

if TYPE_CHECKING:
    from rlm_kernel.host.records import ExecuteReply, ExecuteRequest, Json
    from rlm_kernel.trace.entries import Output

STEPS: dict[str, EntryKind] = {"begin_run": "begin", "end_run": "end", "set_variable": "set"}
"""Requests that change the state, and what they are called in the history."""
SHOWN_CHARS = 20_000


class Notes:
    """Makes entries of what is done; the history is the process's own.

    Args:
        history: Where they go.
    """

    def __init__(self, history: History) -> None:
        self.history = history

    def cell(
        self, request: ExecuteRequest, reply: ExecuteReply, outputs: list[Output], began: tuple[float, EntryId | None]
    ) -> EntryId:
        """Note a cell that has run.

        Args:
            request: The cell.
            reply: How it ended.
            outputs: What it showed.
            began: When, and what had been done last.
        """
        started, after = began
        node_id = request.node_id
        entry = Entry(
            id=request.state,
            after=after,
            kind="cell",
            author=request.author,
            code=request.code,
            cell_id=request.cell_id,
            node_id=node_id,
            run_id=node_id.partition("/")[0] if node_id else None,
            count=reply.execution_count if request.store_history else None,
            status="stopped" if reply.interrupted and reply.status != "died" else reply.status,
            shown=shown(outputs, SHOWN_CHARS),
            outputs=outputs,
            digest=reply.digest,
            started=started,
            seconds=time.time() - started,
        )
        return self.history.add(entry).id

    def step(self, entry_id: EntryId, kind: str, fields: Json) -> None:
        """Note what is no cell: a request of `STEPS` that was answered."""
        kept = {name: value for name, value in fields.items() if name != "run_id"}
        entry = Entry(
            id=entry_id,
            after=self.history.current,
            kind=STEPS[kind],
            author="engine",
            code=json.dumps(kept),
            run_id=fields.get("run_id"),
            started=time.time(),
        )
        self.history.add(entry)


def new_step_id() -> EntryId:
    """Make the id of an entry that is no cell."""
    return new_msg_id()


def request_of(entry: Entry) -> tuple[str, Json]:
    """Give the request that does once more what an entry says, one that is no cell."""
    kind = next(name for name, each in STEPS.items() if each == entry.kind)
    return kind, json.loads(entry.code or "{}")
