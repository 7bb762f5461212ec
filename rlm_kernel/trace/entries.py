"""What happened in a namespace, cell by cell: enough to come back to any state of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypedDict

if TYPE_CHECKING:
    from collections.abc import Mapping

EntryId = str
"""The message id a cell ran under; for what is no cell, an id of its own."""
EntryKind = Literal["cell", "begin", "end", "set"]
Author = Literal["person", "model", "engine"]
EntryStatus = Literal["ok", "error", "stopped", "died"]

MOST_OUTPUT = 2 << 20
"""Characters of the outputs of one cell that are kept with it."""


class Output(TypedDict, total=False):
    """One output of a cell, as nbformat 4.5 has it (stream, display_data, execute_result, error)."""

    output_type: str
    name: str
    text: str
    data: dict[str, object]
    metadata: dict[str, object]
    execution_count: int | None
    ename: str
    evalue: str
    traceback: list[str]


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that was done in a namespace."""

    id: EntryId
    after: EntryId | None
    """What was done last in the state it began in; ``None`` in a fresh namespace."""
    kind: EntryKind
    """``cell``. ``begin``, ``end``: of a run. ``set``: a variable was set from outside."""
    author: Author = "person"
    code: str = ""
    """The cell; of another kind, what it was done with, as JSON."""
    cell_id: str | None = None
    node_id: str | None = None
    """The turn whose cell it is."""
    run_id: str | None = None
    count: int | None = None
    """The execution count."""
    status: EntryStatus = "ok"
    shown: str = ""
    """What it showed, as a model would be told."""
    outputs: list[Output] = field(default_factory=list)
    """What it showed; where that was very long, a part."""
    digest: Mapping[str, str] = field(default_factory=dict)
    """For names the cell bound or mentions, what kind of value they have then, with a short hash where it is plain."""
    started: float = 0.0
    """Seconds since the epoch."""
    seconds: float = 0.0

    @property
    def name(self) -> str:
        """What a person calls it: ``In [7]``; without a count, its first line."""
        if self.kind == "cell" and self.count is not None:
            return f"In [{self.count}]"
        return repr(self.first_line) if self.first_line else f"a step of the kind {self.kind}"

    @property
    def first_line(self) -> str:
        """The first line of the cell that says something."""
        line = next((line.strip() for line in self.code.splitlines() if line.strip()), "")
        return line if len(line) <= 60 else f"{line[:59]}…"
