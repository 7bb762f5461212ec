"""The trusted side of one namespace process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rlm_kernel.host.records import ExecuteReply, ExecuteRequest, Json, Listener, Published

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["ExecuteReply", "ExecuteRequest", "Json", "Listener", "NamespaceProcess", "Published"]


class NamespaceProcess:
    """Starts, drives, interrupts, restores and ends one namespace process."""

    execution_count: int
    """The number the next cell gets."""
    checkpoint_refusal: str | None
    """Why the last cell had no checkpoint; ``None`` where it had one."""

    def __init__(self, listener: Listener, *, checkpoints: bool = True, kill_after: float = 2.0) -> None:
        """Nothing is started yet."""
        raise NotImplementedError

    @property
    def pid(self) -> int:
        """Process id of the live namespace."""
        raise NotImplementedError

    @property
    def busy(self) -> bool:
        """Whether a cell runs."""
        raise NotImplementedError

    @property
    def checkpoints(self) -> list[int]:
        """Execution counts of the cells whose state before them can be restored, oldest first."""
        raise NotImplementedError

    def spawn(self) -> None:
        """Begin to start the process; needs no loop. `start` waits for it."""
        raise NotImplementedError

    async def start(self) -> None:
        """Start the process (unless `spawn` did) and wait until it is ready.

        Raises:
            NamespaceDied: It ended before; the message has what it wrote.
        """
        raise NotImplementedError

    async def execute(self, request: ExecuteRequest) -> ExecuteReply:
        """Run a cell: checkpoint first (where it stores history and is not silent), restore when the process dies."""
        raise NotImplementedError

    async def ask(self, kind: str, fields: Json, buffers: Sequence[bytes] = ()) -> Json:
        """Ask something other than a cell; waits for a running cell, except comm messages in an awaiting cell.

        ============ ================================================== =====================================
        kind         fields                                             reply
        ============ ================================================== =====================================
        complete     code, cursor_pos                                   content of complete_reply
        inspect      code, cursor_pos, detail_level                     content of inspect_reply
        is_complete  code                                               content of is_complete_reply
        history      content of history_request                        content of history_reply
        comm_open, comm_msg, comm_close: content, header, metadata      {}
        describe                                                        NamespaceInfo
        begin_run                                                       {}: ``answer`` is new
        end_run                                                         {}
        set_count    count: number of the next cell, code (optional)    {}
        stat                                                            pid, rss, pss (bytes), threads
        ============ ================================================== =====================================

        Raises:
            NamespaceDied: The process ended before it answered.
        """
        raise NotImplementedError

    async def restore(self, count: int) -> None:
        """Put the namespace back to just before the cell with this execution count.

        Raises:
            InputError: There is no checkpoint of that cell.
        """
        raise NotImplementedError

    def interrupt(self) -> None:
        """Send SIGINT; where the cell has not ended after ``kill_after`` seconds, kill it and restore."""
        raise NotImplementedError

    async def close(self) -> None:
        """End the process, its checkpoints and whatever they started."""
        raise NotImplementedError
