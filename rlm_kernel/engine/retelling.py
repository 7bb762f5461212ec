"""Bringing a branch to where it leaves the run it is one of: the same said, the same counted, nothing asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rlm_kernel.engine.compaction import HISTORY, said_so_far, taken_over
from rlm_kernel.engine.course import TOLD, hint_note, runs_of
from rlm_kernel.engine.executor import CellRequest
from rlm_kernel.engine.reuse import Reuse, as_it_was, asked_model, claim, sample_of, source
from rlm_kernel.engine.shown import shown
from rlm_kernel.engine.turns import REOPENED, UNUSABLE, Past, reopen, write_down
from rlm_kernel.errors import Diverged
from rlm_kernel.ids import NodeId, child_id, new_cell_id
from rlm_kernel.trace.entries import Entry
from rlm_kernel.trace.records import Node

if TYPE_CHECKING:
    from rlm_kernel.engine.conversation import Conversation
    from rlm_kernel.engine.course import Course
    from rlm_kernel.engine.executor import Executor
    from rlm_kernel.engine.queries import Queries
    from rlm_kernel.engine.scope import Scope

COMPARED = 80
"""Characters of an output in a message."""


class Retelling:
    """Takes over the turns before a change, from the trace alone.

    What was said is said to the model in the same words, requests are counted as if they had been made, and each turn
    has its node. Cells run again only where the namespace they ran in is gone; then with the replies they had.

    Args:
        course: What is taken over.
        scope: The new run's.
        run: Its node.
        conversation: Begins with the question.
    """

    def __init__(self, course: Course, scope: Scope, run: Node, conversation: Conversation) -> None:
        self._course = course
        self._scope = scope
        self._run = run
        self._conversation = conversation
        self._rooms = _rooms(course)

    async def go(self, queries: Queries, executor: Executor, past: Past) -> None:
        """Take everything over; what goes wrong in a child run ends the whole question: it is no answer to anybody.

        Args:
            queries: The run's.
            executor: The run's.
            past: Is filled.

        Raises:
            Diverged: A cell does not show what it showed.
        """
        try:
            await self._go(queries, executor, past)
        except Diverged as problem:
            self._course.change.failed = problem
            self._scope.control.stop()
            raise

    async def _go(self, queries: Queries, executor: Executor, past: Past) -> None:
        self._say_first()
        for original in self._course.turns:
            await self._make_room(past.turns + 1, executor)
            past.turns += 1
            node = self._add(original, past.turns)
            self._count(original)
            if self._course.runs_again and "unrun" not in original.details and original.code:
                await self._run_again(node, original, queries, executor, past)
            self._say(original)
            _learn(past, original, node)
            if self._course.runs_again and REOPENED in original.details:
                await reopen(node, past, executor)
        await self._make_room(past.turns + 1, executor)

    async def _make_room(self, turn: int, executor: Executor) -> None:
        """Put a summary in place of older turns where the other run had done that."""
        original = self._rooms.get(turn)
        if original is None:
            return
        number = self._conversation.compactions + 1
        self._scope.add(as_it_was(self._new(child_id(self._run.id, "call", number), original), original))
        if self._course.runs_again:
            await executor.set_variable(HISTORY, said_so_far(self._conversation))
        taken_over(self._conversation, original)

    def _new(self, node_id: NodeId, original: Node) -> Node:
        return Node(node_id, self._run.run_id, self._run.id, original.kind, original.label)

    def _add(self, original: Node, number: int) -> Node:
        node = as_it_was(self._new(child_id(self._run.id, "turn", number), original), original)
        self._scope.add(node)
        return node

    def _count(self, original: Node) -> None:
        """Count the requests of a turn and of its cell."""
        scope = self._scope
        hint = original.details.get("hint")
        if isinstance(hint, str):
            self._conversation.add(hint_note(hint))
        if TOLD in original.details:
            scope.numbers.claim(self._conversation.request(asked_model(original)), sample_of(original))
        if not self._course.runs_again:
            for call in self._course.tree.children(source(self._course.tree, original).id):
                claim(scope, call)

    async def _run_again(self, node: Node, original: Node, queries: Queries, executor: Executor, past: Past) -> None:
        reuse = Reuse(self._course.tree, original, None, strict=True)
        queries.below(node, reuse)
        result = await executor.run_cell(CellRequest(node.id, node.cell_id or new_cell_id(), original.code))
        counts = [*past.counts, *([result.execution_count] if result.execution_count is not None else [])]
        now = shown(result.outputs, cells=counts)
        node.entry, node.execution_count = result.entry, result.execution_count
        if (now == original.output and not reuse.missed) or self._course.change.edit.anyway:
            return
        what = "its output" if not reuse.missed else "what it asks"
        entry = Entry(original.id, None, "cell", code=original.code, count=original.execution_count)
        values = _differing(original.output, now) if now != original.output else ("", "")
        raise Diverged(f"{entry.name} of the child run", entry.first_line, what, *values)

    def _say_first(self) -> None:
        """Say what was said before the first turn."""
        told = runs_of(self._course.tree, self._course.run)[0].details.get(TOLD)
        for note in told if isinstance(told, list) else []:
            self._conversation.add(str(note))
            write_down(self._run, [str(note)])

    def _say(self, original: Node) -> None:
        """Tell the model what it was told."""
        told = original.details.get(TOLD)
        if isinstance(told, list):
            output = None if "unrun" in original.details else original.output
            self._conversation.turn(original.reply, output, [str(each) for each in told])


def _learn(past: Past, turn: Node, copy: Node) -> None:
    """Remember what a turn leaves to those after it."""
    details = turn.details
    if turn.execution_count is not None:
        past.counts.append(turn.execution_count)
    if TOLD not in details:
        return
    past.told, past.last = past.turns, copy
    past.unusable = past.unusable + 1 if details.get("unrun") in UNUSABLE else 0
    if "unrun" not in details:
        gate = details.get("gate")
        written = gate.get("written") if isinstance(gate, dict) else None
        past.last_code = (written if isinstance(written, str) else turn.code).strip()
    best = details.get("answer")
    if isinstance(best, str):
        past.best = best


def _rooms(course: Course) -> dict[int, Node]:
    """Give the summaries that took the place of older turns, by the number of the turn that needed the room."""
    found: dict[int, Node] = {}
    for run in runs_of(course.tree, course.run):
        for node in course.tree.children(run.id):
            turn = node.details.get("turn")
            if node.kind == "call" and isinstance(turn, int):
                found[turn] = node
    return found


def _differing(then: str, now: str) -> tuple[str, str]:
    """Give the first lines that are not the same, shortened."""
    pairs = zip(then.splitlines(), now.splitlines(), strict=False)
    at = next((at for at, (one, two) in enumerate(pairs) if one != two), min(then.count("\n"), now.count("\n")))
    lines = [(each.splitlines() or [""]) for each in (then, now)]
    shortened = [(each[at] if at < len(each) else "nothing")[:COMPARED] for each in lines]
    return repr(shortened[0]), repr(shortened[1])
