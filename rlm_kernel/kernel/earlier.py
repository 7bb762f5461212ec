"""The questions that were asked in this notebook before this kernel, shown once a page is there."""

from __future__ import annotations

import asyncio
import importlib
import os
from typing import TYPE_CHECKING

from rlm_kernel.kernel.desk import EARLIER_RUNS
from rlm_kernel.trace.place import store_path

if TYPE_CHECKING:
    from rlm_kernel.kernel.desk import Desk
    from rlm_kernel.kernel.dock import Dock
    from rlm_kernel.kernel.services import KernelServices

QUIET = 0.5
"""Seconds before they are looked for: the start of a kernel and its first cell go first."""
HEAVY = ("rlm_kernel.engine.session", "rlm_kernel.models.registry", "rlm_kernel.panel.widget")
"""What showing them needs; imported beside the kernel's loop."""


class EarlierRuns:
    """Looks for them once, soon after a page has come; where there are any, the panel shows them.

    Args:
        kernel: Starts the task.
        desk: Has the store.
        dock: Shows the panel.
    """

    def __init__(self, kernel: KernelServices, desk: Desk, dock: Dock) -> None:
        self._kernel = kernel
        self._desk = desk
        self._dock = dock
        self._looking = False

    def page_opened(self) -> None:
        """A page is there."""
        path = store_path(os.environ)
        if not self._looking and path is not None and path.exists():
            self._looking = True
            self._kernel.spawn(self._look())

    async def _look(self) -> None:
        await asyncio.sleep(QUIET)
        if self._desk.made is not None or not self._desk.keeping.of_notebook():
            return  # asked meanwhile: the panel has them already
        for name in HEAVY:
            await asyncio.to_thread(importlib.import_module, name)
        for _ in range(EARLIER_RUNS):
            self._desk.catch_up(most=1)
            await asyncio.sleep(0)  # a run may have thousands of nodes: others go in between
        self._dock.show(None)
