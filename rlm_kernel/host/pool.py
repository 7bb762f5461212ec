"""Namespaces for child runs, forked from a warm process."""

from __future__ import annotations

import asyncio
import contextlib
import os
from typing import TYPE_CHECKING, cast

from rlm_kernel.engine.executor import Executor, NamespaceInfo, Pool
from rlm_kernel.errors import NamespaceDied, RlmError
from rlm_kernel.host.executor import ProcessExecutor
from rlm_kernel.host.parked import free_memory
from rlm_kernel.host.process import NamespaceProcess
from rlm_kernel.host.spawn import Spawned, spawn

if TYPE_CHECKING:
    from rlm_kernel.engine.executor import ContextHandle, QueryHandler

CHILD_MEMORY = 48 << 20
"""Bytes to be left for each child, beside what its context takes."""
CONTEXT_TIMES = 2
"""Times a context is in a child's memory while it reads it."""
CHILD_FILES = 8
"""File descriptors this process needs for each child."""
SPARE_FILES = 400
"""File descriptors that stay for everything else, calls to models above all."""
COLD_STARTS = max(2, os.cpu_count() or 2)
"""Starts at the same time where there is nothing to fork: each takes a processor for half a second."""


class WarmPool(Pool):
    """Starts a namespace for each child run, and ends it with the run; none is used twice.

    Forked from the nursery of the namespace that asks questions, where the system can do that; else started anew.
    Every one of them dies with this process.

    Args:
        process: The namespace of the session.
    """

    def __init__(self, process: NamespaceProcess) -> None:
        self._process = process
        self._starting = asyncio.Semaphore(COLD_STARTS)

    def warm(self) -> None:
        """Have the nursery do what can be done before the first child."""
        nursery = self._process.nursery
        if nursery is not None and nursery.alive:
            nursery.warm()

    def room(self, context: int) -> int:
        """Tell how many namespaces fit into what is left of memory and file descriptors."""
        memory = free_memory() // (CHILD_MEMORY + CONTEXT_TIMES * context)
        return max(0, min(memory, (_free_files() - SPARE_FILES) // CHILD_FILES))

    async def take(self, context: ContextHandle) -> Executor:
        """Start a namespace with a context."""
        executor = ChildExecutor(await self._spawn(context))
        try:
            await executor.start()
            await executor.read(context)
        except BaseException:
            await executor.close()
            raise
        return executor

    async def give_back(self, executor: Executor) -> None:
        """End a namespace."""
        await cast("ChildExecutor", executor).close()

    async def _spawn(self, context: ContextHandle) -> Spawned:
        nursery = self._process.nursery
        if nursery is not None and nursery.alive:
            with contextlib.suppress(NamespaceDied):  # then as if there were none
                return await nursery.fork(context.fd)
        async with self._starting:
            return spawn(context=context.fd)


class ChildExecutor(ProcessExecutor):
    """The namespace of one child run: without checkpoints, and without another process where it dies.

    Each message costs a change of processes on a machine that is busy with children, so there are few of them.
    """

    def __init__(self, spawned: Spawned) -> None:
        super().__init__()
        self.process = NamespaceProcess(self, checkpoints=False, spawned=spawned)
        self._info = NamespaceInfo(context=None, names=[])

    async def read(self, context: ContextHandle) -> None:
        """Have the context read.

        Raises:
            RlmError: It cannot be read there.
        """
        span = {"offset": context.offset, "length": context.length}
        reply = await self.process.ask("read_context", span)
        if "refusal" in reply:
            raise RlmError(str(reply["refusal"]))
        self._info = cast("NamespaceInfo", reply)

    async def describe(self) -> NamespaceInfo:
        """Tell what is in the namespace before the run."""
        return self._info

    async def begin(self, queries: QueryHandler, *, goes_on: bool = False) -> None:
        """Start the one run; ``answer`` is new as it is."""
        self._queries = queries

    def interrupt(self) -> None:
        """Kill the process: a child is interrupted only where nobody waits for it any more."""
        self.process.kill()

    async def end(self) -> None:
        """Do nothing: the process ends with the run."""


def _free_files() -> int:
    try:
        import resource

        return resource.getrlimit(resource.RLIMIT_NOFILE)[0] - len(os.listdir("/proc/self/fd"))
    except (ImportError, OSError):
        return 1024
