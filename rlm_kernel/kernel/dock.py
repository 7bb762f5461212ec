"""The panel's place: beside the pages, or in a cell."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from rlm_kernel.ids import NodeId

if TYPE_CHECKING:
    from rlm_kernel.ids import MsgId, RunId
    from rlm_kernel.kernel.desk import Desk
    from rlm_kernel.kernel.pages import Pages
    from rlm_kernel.kernel.services import KernelServices, Message
    from rlm_kernel.panel.actions import Actions
    from rlm_kernel.panel.widget import Panel

log = logging.getLogger(__name__)


class Dock:
    """Makes the panel at the first need, and shows it.

    Args:
        kernel: Publishes it where there is no page.
        pages: Show it beside the notebook.
        desk: Has what it shows.
        actions: Done for it in the notebook.
    """

    def __init__(self, kernel: KernelServices, pages: Pages, desk: Desk, actions: Actions) -> None:
        self._kernel = kernel
        self._pages = pages
        self._desk = desk
        self._actions = actions
        self._panel: Panel | None = None

    def show(self, parent: Message | None) -> None:
        """Dock the panel beside the pages, at the first question."""
        if self._panel is not None:
            return
        try:
            self._pages.dock(self._make(), parent)
        except Exception:  # what shows a run must never keep it from running
            log.exception("The panel cannot be shown")

    def open(self, parent: MsgId | None) -> str:
        """Show the panel in the sidebar of the pages, or in the cell that asks for it where there is no page."""
        model_id = self._make()
        if self._pages:
            self._pages.dock(model_id, None)
            return "The panel is in the sidebar."
        request = self._kernel.request_of(parent) if parent is not None else None
        if request is not None:
            view = {"version_major": 2, "version_minor": 0, "model_id": model_id}
            data = {"application/vnd.jupyter.widget-view+json": view, "text/plain": "The tree of calls"}
            self._kernel.publish("display_data", {"data": data, "metadata": {}, "transient": {}}, request)
        return ""

    def show_beside(self, comm_id: str) -> None:
        """Show the panel beside the page that asks for it."""
        self._pages.dock(self._make(), None, comm_id)

    def show_passage(self, run_id: RunId, number: int, comm_id: str) -> None:
        """Show what a citation stands for, in the panel beside the page that asks.

        Raises:
            InputError: There is no such citation.
        """
        run = self._desk.session.tree[NodeId(run_id)]
        panel = self._make_panel()
        panel.show_passage(run, number)
        self._pages.dock(str(panel.model_id), None, comm_id)

    def _make(self) -> str:
        return str(self._make_panel().model_id)

    def _make_panel(self) -> Panel:
        if self._panel is None:
            from rlm_kernel.panel.widget import Panel

            self._desk.catch_up()
            self._panel = Panel(self._desk.session, self._actions)
        return self._panel
