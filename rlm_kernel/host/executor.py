"""Runs the cells of a run in a namespace process without Jupyter."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rlm_kernel.engine.executor import Executor
from rlm_kernel.host.records import Listener

if TYPE_CHECKING:
    from collections.abc import Callable

    from rlm_kernel.engine.executor import CellRequest, CellResult, NamespaceInfo, QueryDict, QueryHandler, ReplyDict
    from rlm_kernel.host.records import Published
    from rlm_kernel.ids import MsgId


class ProcessExecutor(Executor, Listener):
    """A namespace for terminal and headless use: an `Executor` over a process of its own."""

    def __init__(self, *, on_published: Callable[[Published], None] | None = None) -> None:
        """Nothing is started yet."""
        raise NotImplementedError

    async def start(self) -> None:
        """Start the process and wait until it is ready."""
        raise NotImplementedError

    async def close(self) -> None:
        """End the process."""
        raise NotImplementedError

    async def run_person_cell(self, code: str) -> CellResult:
        """Run code of the person, outside or inside a run."""
        raise NotImplementedError

    async def describe(self) -> NamespaceInfo:
        """Tell what is in the namespace."""
        raise NotImplementedError

    async def begin(self, queries: QueryHandler) -> None:
        """Start a run: ``answer`` is new, queries of cells go to ``queries``."""
        raise NotImplementedError

    async def run_cell(self, cell: CellRequest) -> CellResult:
        """Run one cell to its end."""
        raise NotImplementedError

    async def end(self) -> None:
        """End the run that `begin` started."""
        raise NotImplementedError

    def interrupt(self) -> None:
        """Interrupt the cell that runs now."""
        raise NotImplementedError

    def published(self, message: Published) -> None:
        """Record an output."""
        raise NotImplementedError

    async def query(self, query: QueryDict, parent: MsgId | None) -> list[ReplyDict]:
        """Pass a query on to the run's handler."""
        raise NotImplementedError

    async def input(self, prompt: str, password: bool, parent: MsgId | None) -> str:
        """Refuse: nobody is there."""
        raise NotImplementedError

    async def magic(self, line: str, parent: MsgId | None) -> str:
        """Refuse: there is no notebook."""
        raise NotImplementedError

    def replaced(self, dead_comms: list[str], live_comms: list[str]) -> None:
        """Nothing to do: no page shows widgets."""
