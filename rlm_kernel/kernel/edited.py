"""Cells of the model that the person has changed and run by themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rlm_kernel.kernel.protocol import Stale

if TYPE_CHECKING:
    from rlm_kernel.engine.history import Entry
    from rlm_kernel.kernel.desk import Desk
    from rlm_kernel.kernel.journal import Journal
    from rlm_kernel.kernel.pages import Pages


class EditedCells:
    """Such a cell runs as any other, in the present state; what came after it in its run is stale.

    Args:
        desk: Has the session.
        journal: Knows the cells.
        pages: Mark them.
    """

    def __init__(self, desk: Desk, journal: Journal, pages: Pages) -> None:
        self._desk = desk
        self._journal = journal
        self._pages = pages

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
