"""Coming back to a state by doing once more what led to it, with answers from the trace: nothing is asked or paid."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

from rlm_kernel.engine.executor import ReplyDict
from rlm_kernel.engine.recorded import Recorded
from rlm_kernel.engine.shown import shown
from rlm_kernel.errors import Diverged, RlmError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from rlm_kernel.engine.executor import Executor, QueryDict, Redone
    from rlm_kernel.trace.entries import Entry, EntryId
    from rlm_kernel.trace.records import Node
    from rlm_kernel.trace.tree import Tree

COMPARED_CHARS = 20_000
"""Of what a cell shows; what is beyond is compared in length only."""
SHORTENED = 80
"""Characters of a value in a message."""


async def replay(
    path: Sequence[Entry],
    executor: Executor,
    tree: Tree,
    *,
    anyway: bool = False,
    tell: Callable[[Entry], None] = lambda _: None,
) -> list[Diverged]:
    """Bring a fresh namespace to the state after the last entry of a path.

    Queries of the cells are answered from the tree. What each cell shows and the digests of its variables are
    compared with what they were.

    Args:
        path: From a fresh namespace on, oldest first (`History.path`).
        executor: Its namespace is put aside; states that are kept stay.
        tree: Has the turns of all cells of the path, and what is below them.
        anyway: Go on after a difference.
        tell: Told each entry before it is done.

    Returns:
        With ``anyway``, what differed.

    Raises:
        Diverged: A cell does not do what it did before; the namespace is in the state after it.
        NamespaceDied: The process could not be started.
    """
    raise NotImplementedError


async def go_back(
    to: EntryId,
    executor: Executor,
    tree: Tree,
    *,
    anyway: bool = False,
    include: bool = False,
    tell: Callable[[Entry], None] = lambda _: None,
) -> Literal["checkpoint", "replay"]:
    """Put the namespace back to just before an entry of the executor's history, in the cheapest way.

    Args:
        to: The entry.
        executor: Whose namespace it is.
        tree: For `replay`.
        anyway: As for `replay`.
        include: To the state right after the entry instead; a state parked as `after` (entry) is used.
        tell: As for `replay`.

    Raises:
        Diverged: See `replay`.
        InputError: The way there is not known, because the process died on it without a checkpoint.
    """
    raise NotImplementedError


def after(entry: EntryId | None) -> str:
    """Name the state right after an entry, for `Executor.park`."""
    return f"after:{entry or ''}"
