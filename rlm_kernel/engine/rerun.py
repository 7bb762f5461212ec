"""Running a part of a run again, with one thing changed; signatures first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypedDict

if TYPE_CHECKING:
    from rlm_kernel.engine.edits import EditDict

Restore = Literal["checkpoint", "replay", "present", "start"]


class QuoteDict(TypedDict):
    """What a re-run will do, said before it is done."""

    node_id: str
    edit: EditDict
    kept_turns: int
    """Turns before it, which are neither asked nor run."""
    restore: Restore
    """How Python gets back: a checkpoint, cells run again, not at all (``present``), or from nothing (``start``)."""
    replay_cells: int
    """Cells that run again only to restore the state; their model calls are answered from the trace."""
    cells_again: int
    """Cells that are certain to run."""
    calls_reused: int
    """Calls and child runs of the turn that runs again whose replies are taken over."""
    calls_new: int
    """Requests that are certain to be made."""
    cost_usd: float | None
    """What these will cost; ``None``: not known."""
    cost_known: bool
    later_turns: int
    """Turns after it in the original run: asked again where what the model was told has changed."""
    later_cost_usd: float | None
    text: str
    """For a person, one to four lines."""


class BranchDict(TypedDict):
    """One run of a family: the run that was asked first, or one that came of a change."""

    id: str
    of: str | None
    """The run it came of; ``None`` for the trunk."""
    at: str | None
    """The node that was changed."""
    edit: EditDict | None
    name: str
    """Given by the person; else what was changed, in a few words."""
    named: bool
    """Whether the person gave the name."""
    label: str
    """First words of the question."""
    outcome: str | None
    answer: str
    """Its first words."""
    cost_usd: float | None
    """What this run itself spent; ``None``: not known."""
    turns: int
    kept: int
    """Of these, taken over from the run it came of."""
    started: float | None
    current: bool
    """Whether Python's state is this run's."""
