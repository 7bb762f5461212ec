"""What a question goes on with: nothing, the run that ended last, or one whose process was killed."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from rlm_kernel.engine.opening import Opening
from rlm_kernel.engine.settings import raised
from rlm_kernel.usage import count

if TYPE_CHECKING:
    from rlm_kernel.engine.executor import Executor
    from rlm_kernel.engine.keeping import Keeping
    from rlm_kernel.engine.session import Session
    from rlm_kernel.ids import CellId, RunId
    from rlm_kernel.kernel.magics import Asked
    from rlm_kernel.trace.records import Node
    from rlm_kernel.trace.store import InFlight, RunRow

MOST_LISTED = 8
"""Requests under way at a kill that are named; of more only the number is told."""


class GoingOn:
    """Finds what ``%%rlm``, ``%rlm continue`` or ``%rlm resume`` goes on with, and has it done.

    - ``%rlm continue``: the run of this session that ended without an answer, from where it ended; after a restart the
      last one of this notebook, from its start with replies from the memo.
    - ``%rlm resume``: the run of this notebook whose process was killed; else as ``continue``.
    - ``%%rlm``: a new run. Where the same cell asked the same and was killed, it is told what becomes of that.

    Args:
        session: Works.
        keeping: Knows earlier runs.
        asked: What the cell says.
        anchor: The cell.
    """

    def __init__(self, session: Session, keeping: Keeping, asked: Asked, anchor: CellId | None) -> None:
        self._session = session
        self._keeping = keeping
        self._asked = asked
        self._anchor = anchor
        self._cut_off = keeping.cut_off()
        self._row: RunRow | None = None
        self._kept = False
        if asked.how == "ask":
            self._row = next((row for row in self._cut_off if self._is_same(row)), None)
        elif session.unfinished is not None and (asked.how == "continue" or not self._cut_off):
            self._kept = True
        else:
            self._row = next(iter(self._cut_off), None) or self._ended()

    def _is_same(self, row: RunRow) -> bool:
        return row.question == self._asked.question and row.cell_id == self._anchor

    def _ended(self) -> RunRow | None:
        """Give the last run of this notebook, if it ended without an answer."""
        last = self._keeping.last()
        return last if last is not None and last.outcome not in (None, "answered") else None

    @property
    def nothing(self) -> str:
        """Say that there is nothing to go on with; empty where there is something to do."""
        if self._asked.how == "ask" or self._kept or self._row is not None:
            return ""
        return f"Nothing to {self._asked.how}: the last question of this notebook has its answer, or there was none."

    @property
    def replaces(self) -> list[RunId]:
        """The runs of another process whose cells are made anew."""
        return [self._row.id] if self._row is not None else []

    async def look(self, executor: Executor) -> str:
        """Say what it goes on with; empty for a new question."""
        row, node = self._row, self._session.unfinished
        if self._kept and node is not None:
            return f"Going on with: {node.label}"
        if row is None:
            return ""
        if self._asked.how == "ask":
            opening = Opening.from_dict(row.details.get("opening"))
            now = Opening.now(await executor.describe(), ())
            if self._asked.settings.fresh or opening is None or now is None or not opening.is_true(now):
                return ""
        return _describe(row, [_named(each) for each in self._keeping.in_flight(row)])

    async def work(self, *, lost: bool) -> Node:
        """Do it.

        Args:
            lost: The namespace was started anew since the last run ended: what that run's cells made is gone.
        """
        node = await self._work(lost)
        for row in self._cut_off:
            if row is self._row or row.question == node.prompt:
                self._keeping.close_cut_off(row, node.run_id)
        return node

    async def _work(self, lost: bool) -> Node:
        from rlm_kernel.engine.asking import Asking  # with the first question: the kernel starts without

        session, asked = self._session, self._asked
        if asked.how == "ask":
            return await session.ask(asked.question, settings=asked.settings, cell_id=self._anchor)
        asking = None
        if self._row is not None:
            now = (session.settings, asked.settings)
            asking = Asking.recall(self._row.question, self._row.details, now)
        if asking is not None:
            asking = replace(asking, settings=raised(asking.settings, asked.limits))
            return await session.ask_again(asking, cell_id=self._anchor)
        return await session.go_on(settings=asked.settings, limits=asked.limits, cell_id=self._anchor, from_start=lost)


def _named(request: InFlight) -> str:
    """Say which request it is: by its prompt, or by its place where the node was not in the store yet."""
    words = {"t": "turn", "c": "call", "r": "child"}
    places = [f"{words.get(part[0], part[0])} {part[1:]}" for part in request.node_id.split("/")[1:]]
    return request.label or ", ".join(places) or request.node_id


def _describe(row: RunRow, under_way: list[str]) -> str:
    asked = datetime.fromtimestamp(row.started).strftime("%d %B, %H:%M")
    how = "cut off" if row.outcome is None else "without an answer"
    lines = [f"Going on with: {row.label} (asked {asked}; {how}). Replies that came then are not paid again."]
    if under_way:
        lines.append(f"{count(len(under_way), 'call')} under way at that moment may be paid again:")
        lines += [f"  {label}" for label in under_way[:MOST_LISTED]]
        if len(under_way) > MOST_LISTED:
            lines.append(f"  and {len(under_way) - MOST_LISTED} more")
    return "\n".join(lines)
