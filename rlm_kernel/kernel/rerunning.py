"""Runs a part of a question again, with one thing changed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from rlm_kernel.errors import Diverged

if TYPE_CHECKING:
    from rlm_kernel.engine.executor import Executor
    from rlm_kernel.ids import RunId
    from rlm_kernel.kernel.desk import Desk
    from rlm_kernel.kernel.journal import LiveRun
    from rlm_kernel.kernel.pages import Pages
    from rlm_kernel.kernel.rerunline import Rerun
    from rlm_kernel.kernel.showing import Showing
    from rlm_kernel.trace.records import Node


class Rerunning:
    """Has a branch made; the counterpart of `GoingOn` for a re-run.

    Args:
        desk: Has the session.
        showing: Shows the run that is changed, where another branch is shown.
        pages: Offer to go on from a state that is not the same.
        run: Shows the new run.
        asked: What to do.
        typed: Whether a person wrote it: then it says what it will do; a page has said it before.
    """

    nothing = ""
    replaces: list[RunId] = []  # noqa: RUF012 - never changed; a branch takes the place of what is in the journal

    def __init__(self, desk: Desk, showing: Showing, pages: Pages, run: LiveRun, asked: Rerun, *, typed: bool) -> None:
        self._desk = desk
        self._pages = pages
        self._run = run
        self._settings = asked.settings
        self._typed = typed
        self._node = desk.find_node(asked.node_id)
        self._edit = asked.edit
        self._edit.check(self._node)
        root = showing.root(self._node.id)
        if not run.fallback and run.anchor is not None and run.anchor == root.cell_id:
            showing.bring(root, self._node, self._edit)

    async def look(self, executor: Executor) -> str:
        """Say what will be run again."""
        return self._desk.session.quote(self._node.id, self._edit)["text"] if self._typed else ""

    async def work(self, *, lost: bool) -> Node:
        """Do it.

        Raises:
            Diverged: Python's state could not be brought back exactly; nothing was paid.
        """
        session = self._desk.session
        try:
            return await session.rerun(self._node.id, self._edit, settings=self._settings, cell_id=self._run.anchor)
        except Diverged as error:
            anyway = replace(self._edit, anyway=True)
            self._pages.problem(error, offer="anyway", node_id=self._node.id, edit=anyway.to_dict())
            raise
