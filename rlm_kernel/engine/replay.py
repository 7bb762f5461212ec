"""Coming back to a state by doing once more what led to it, with answers from the trace: nothing is asked or paid."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from rlm_kernel.engine.recorded import Recorded, reply_of
from rlm_kernel.engine.shown import shown
from rlm_kernel.errors import Diverged, InputError, RlmError
from rlm_kernel.ids import NodeId

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from rlm_kernel.engine.executor import Executor, QueryDict, Redone, ReplyDict
    from rlm_kernel.engine.history import History
    from rlm_kernel.trace.entries import Entry, EntryId
    from rlm_kernel.trace.records import Node
    from rlm_kernel.trace.tree import Tree

COMPARED_CHARS = 20_000
"""Of what a cell shows: as many as stand in its entry."""
SHORTENED = 80
"""Characters of a value in a message."""
ASKED_BY = "entry"
"""In the details of a run that a person's cell made with a query: the entry of that cell."""

# Written by %time and by progress bars: other each time, and no part of the state.
_TIMES = re.compile(
    r"^(?:CPU times: .*|Wall time: .*|.* per loop \(mean .*)$|\[\d+:\d+(?::\d+)?<[^\]\n]*\]|\b\d+%\|[^|\n]*\|",
    re.MULTILINE,
)


def _nothing(_: Entry) -> None: ...


@dataclass(frozen=True, slots=True)
class Way:
    """How a state can be come back to."""

    start: EntryId | None
    """The state that is kept and comes first; ``None``: a fresh namespace."""
    steps: tuple[Entry, ...]
    """What is done once more from there."""

    @property
    def how(self) -> Literal["checkpoint", "replay"]:
        """Whether the state itself is kept."""
        return "checkpoint" if self.start is not None and not self.steps else "replay"

    @property
    def cells(self) -> int:
        """How many cells run again."""
        return sum(each.kind == "cell" for each in self.steps)


def way_back(to: EntryId, executor: Executor, *, include: bool = False) -> Way:
    """Find the cheapest way to the state before an entry of the history; nothing is done.

    Args:
        to: The entry.
        executor: Has the history and the states that are kept.
        include: To the state right after the entry instead.

    Raises:
        InputError: What led to it is not known.
    """
    history = executor.history
    if to not in history:
        raise InputError("It is not known what led to this state.", "Run the cells from the start.")
    path = history.path(to, include=include)
    if not include and executor.can_restore(to):
        return Way(to, ())
    target = to if include else history.entry(to).after
    states = _kept_states(history, executor)
    if target in states:
        return Way(states[target], ())
    for at in range(len(path) - 1, -1, -1):
        # The state before a step is the one after the step before it.
        if path[at].after in states:
            return Way(states[path[at].after], tuple(path[at:]))
    if path and path[0].after is not None:
        raise InputError("It is not known what led to this state.", "Run the cells from the start.")
    return Way(None, tuple(path))


def _kept_states(history: History, executor: Executor) -> dict[EntryId | None, EntryId]:
    """Give the states that are kept, by what was done last in them."""
    found = {each.after: each.id for each in history.entries() if executor.can_restore(each.id)}
    parked: dict[EntryId | None, EntryId]
    parked = {each.id: after(each.id) for each in history.entries() if executor.can_restore(after(each.id))}
    return {**found, **parked}


async def go_back(
    to: EntryId,
    executor: Executor,
    tree: Tree,
    *,
    anyway: bool = False,
    include: bool = False,
    tell: Callable[[Entry], None] = _nothing,
) -> Way:
    """Put the namespace back to just before an entry of the executor's history, in the cheapest way.

    Args:
        to: The entry.
        executor: Whose namespace it is.
        tree: For `replay`.
        anyway: As for `replay`.
        include: To the state right after the entry instead.
        tell: As for `replay`.

    Returns:
        The way that was taken.

    Raises:
        Diverged: See `replay`.
        InputError: What led to it is not known; nothing has changed.
        NamespaceDied: The process could not be started.
    """
    way = way_back(to, executor, include=include)
    if way.start is None or not await executor.restore(way.start):
        way = Way(None, tuple(executor.history.path(to, include=include)))
        await executor.renew()
    for entry in way.steps:
        tell(entry)
        problem = await _again(entry, executor, tree)
        if problem is not None and not anyway:
            raise problem
    return way


async def replay(
    path: Sequence[Entry],
    executor: Executor,
    tree: Tree,
    *,
    anyway: bool = False,
    tell: Callable[[Entry], None] = _nothing,
) -> list[Diverged]:
    """Bring a fresh namespace to the state after the last entry of a path.

    Queries of the cells are answered from the tree. What each cell shows and the digests of its variables are
    compared with what they were.

    Args:
        path: From a fresh namespace on, oldest first (`History.path`, `Keeping.entries`).
        executor: Its namespace is put aside; states that are kept stay. Its history takes the path.
        tree: Has the turns of all cells of the path, and what is below them (`Keeping.answers`).
        anyway: Go on after a difference. A cell that was interrupted is left out then.
        tell: Told each entry before it is done.

    Returns:
        With ``anyway``, what differed.

    Raises:
        Diverged: A cell does not do what it did before; the namespace is in the state after it.
        NamespaceDied: The process could not be started.
    """
    executor.history.adopt(path)
    await executor.renew()
    found: list[Diverged] = []
    for entry in path:
        tell(entry)
        problem = await _again(entry, executor, tree)
        if problem is not None:
            if not anyway:
                raise problem
            found.append(problem)
    return found


def after(entry: EntryId | None) -> str:
    """Name the state right after an entry, for `Executor.park`."""
    return f"after:{entry or ''}"


async def _again(entry: Entry, executor: Executor, tree: Tree) -> Diverged | None:
    """Do one entry once more; gives what differs."""
    if entry.status == "stopped":
        executor.history.move(entry.id)
        return _diverged(entry, "interrupted")
    answers = _Answers(tree, entry)
    redone = await executor.redo(entry, answers)
    if entry.kind != "cell":
        return None
    return answers.problem() or _compare(entry, redone)


class _Answers:
    """Answers the queries of a cell that is done once more, from the trace alone."""

    def __init__(self, tree: Tree, entry: Entry) -> None:
        self._tree = tree
        self._entry = entry
        self._recorded = Recorded(tree, *_turns(tree, entry))
        self._unknown: str | None = None

    async def __call__(self, query: QueryDict) -> list[ReplyDict]:
        """Give what each prompt was answered then."""
        found = self._recorded.take_all(query)
        replies = [reply_of(self._tree, node, query.get("schema")) for node in found if node is not None]
        if len(replies) < len(found):
            prompts = [prompt for prompt in query["prompts"] for _ in range(query.get("n") or 1)]
            self._unknown = prompts[found.index(None)]
            raise RlmError("This was not asked when the cell ran first.")
        return replies

    def problem(self) -> Diverged | None:
        """Give what it asked otherwise."""
        if self._unknown is not None:
            return _diverged(self._entry, "what it asks", now=repr(self._unknown))
        if self._recorded.left:
            return _diverged(self._entry, "what it asks", f"{self._recorded.left} more")
        return None


def _turns(tree: Tree, entry: Entry) -> list[Node]:
    """Find the nodes below which the calls of a cell stand."""
    if entry.author != "model":
        return [each for each in tree.children(None) if each.details.get(ASKED_BY) == entry.id]
    turn = tree[NodeId(entry.node_id)] if entry.node_id and entry.node_id in tree else None
    while turn is not None and isinstance(kept := turn.details.get("kept"), str) and kept in tree:
        turn = tree[NodeId(kept)]
    return [turn] if turn is not None else []


def _compare(entry: Entry, now: Redone) -> Diverged | None:
    """Compare what a cell did with what it did the first time."""
    if now.wanted_input:
        return _diverged(entry, "what was typed into it")
    if now.status == "died":
        return _diverged(entry, "its end", entry.status, "its process ended")
    if not now.used_magic:
        then, text = _lasting(entry.shown), _lasting(shown(now.outputs, COMPARED_CHARS))
        if then != text:
            return _diverged(entry, "its output", *_first_difference(then, text))
    name = _first_other(entry.digest, now.digest)
    if name is not None:
        return _diverged(entry, f"the variable {name}", entry.digest.get(name, ""), now.digest.get(name, ""))
    return None


def _lasting(text: str) -> str:
    return _TIMES.sub("…", text)


def _first_other(then: Mapping[str, str], now: Mapping[str, str]) -> str | None:
    return next((name for name in {**then, **now} if not _is_same(then.get(name), now.get(name))), None)


def _is_same(then: str | None, now: str | None) -> bool:
    """Compare what is said of a variable; more of a large one counts only where it was looked at both times."""
    if then is None or now is None:
        return then == now
    (then, _, more), (now, _, other) = then.partition(" +"), now.partition(" +")
    return then == now and (not more or not other or more == other)


def _first_difference(then: str, now: str) -> tuple[str, str]:
    """Give the first lines that are not the same."""
    old, new = then.splitlines(), now.splitlines()
    at = next(
        (at for at, (one, other) in enumerate(zip(old, new, strict=False)) if one != other), min(len(old), len(new))
    )
    return tuple(repr(lines[at]) if at < len(lines) else "" for lines in (old, new))  # type: ignore[return-value]


def _diverged(entry: Entry, what: str, then: str = "", now: str = "") -> Diverged:
    return Diverged(entry.name, entry.first_line, what, _short(then), _short(now), entry=entry.id)


def _short(text: str) -> str:
    return text if len(text) <= SHORTENED else f"{text[: SHORTENED - 1]}…"
