"""Cells of the model that the person has changed and run by themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rlm_kernel.ids import NodeId
from rlm_kernel.kernel.protocol import Stale

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rlm_kernel.engine.history import Entry
    from rlm_kernel.kernel.desk import Desk
    from rlm_kernel.kernel.journal import Journal, LiveCell, LiveRun
    from rlm_kernel.kernel.pages import Pages
    from rlm_kernel.kernel.showing import Showing


class EditedCells:
    """Such a cell runs as any other, in the present state; what came after it in its run is stale.

    Args:
        desk: Has the session.
        journal: Knows the cells.
        pages: Mark them.
        showing: Knows the cells of earlier sessions.
    """

    def __init__(self, desk: Desk, journal: Journal, pages: Pages, showing: Showing) -> None:
        self._desk = desk
        self._showing = showing
        self._journal = journal
        self._pages = pages

    def turn_of(self, metadata: Mapping[str, Any]) -> str | None:
        """Name the turn whose cell a person runs by themselves; ``None`` where the cell is their own.

        Args:
            metadata: Of the execute request.
        """
        cell_id, mark = metadata.get("cellId"), metadata.get("rlm")
        if not isinstance(cell_id, str):
            return None
        found = self._journal.cell(cell_id) or self._revived(cell_id, mark if isinstance(mark, dict) else {})
        return found[1].turn.id if found is not None and found[1].part == "code" else None

    def _revived(self, cell_id: str, mark: Mapping[str, Any]) -> tuple[LiveRun, LiveCell] | None:
        """Find a cell of an earlier session's run that the page still shows."""
        made, run_id = self._desk.made, mark.get("run_id")
        if made is None or mark.get("cell_id") != cell_id or not isinstance(run_id, str) or run_id not in made.tree:
            return None
        run = self._showing.revive(made.tree[NodeId(run_id)])
        if self._journal.at(run.anchor) is None:
            self._journal.begin(run)
        return self._journal.cell(cell_id)

    def ran(self, cell_id: str, entry: Entry) -> None:
        """Note that the person has run a cell of the model; as it was, it changes nothing in the tree."""
        found = self._journal.cell(cell_id)
        if found is None:
            return
        run, cell = found
        changed = entry.code.strip() != cell.turn.code.strip()
        cell.source, cell.sent = entry.code, len(entry.code)
        cell.shows, cell.execution_count = list(entry.outputs), entry.count
        if not changed:
            return
        stale = set(self._desk.session.cell_edited(cell.turn.id, entry))
        for each in run.cells:
            each.stale = each.stale or each.turn.id in stale
        cells: list[str] = [each.cell_id for each in run.cells if each.stale]
        fields = Stale(cell_ids=cells, edited_cell_id=cell.cell_id, edited_node_id=cell.turn.id)
        self._pages.tell(run, "stale", fields)
