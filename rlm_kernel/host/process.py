"""The trusted side of one namespace process."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from typing import TYPE_CHECKING

from rlm_kernel.errors import InputError, NamespaceDied
from rlm_kernel.host import validate
from rlm_kernel.host.channel import Channel
from rlm_kernel.host.nursery import Nursery
from rlm_kernel.host.outcome import cell_reply, died_reply, words_of_death
from rlm_kernel.host.parked import FORK_IS_SAFE, Parked, ParkedList
from rlm_kernel.host.records import ExecuteReply, ExecuteRequest, Json, Listener, Published

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rlm_kernel.host.spawn import Spawned

__all__ = ["ExecuteReply", "ExecuteRequest", "Json", "Listener", "NamespaceProcess", "Published"]

log = logging.getLogger(__name__)

RESTORE_SECONDS = 20.0


class NamespaceProcess:
    """Starts, drives, interrupts, restores and ends one namespace process.

    - one cell at a time; a checkpoint before it, and back to it when the process dies
    - interrupts: SIGINT, and SIGKILL where that does not help
    - a fresh process where there is no checkpoint to go back to
    - a `nursery`, forked off before the first cell, for the namespaces of child runs

    Messages are the `Channel`'s. All of it runs on one asyncio loop.
    """

    def __init__(
        self,
        listener: Listener,
        *,
        checkpoints: bool = True,
        kill_after: float = 2.0,
        spawned: Spawned | None = None,
    ) -> None:
        """Nothing is started yet.

        Args:
            listener: Is told what the namespace says.
            checkpoints: Whether to take them; they are taken on Linux only.
            kill_after: Seconds a cell has to end after an interrupt.
            spawned: A process that was started already, for one child run: no other takes its place when it dies.
        """
        self.nursery: Nursery | None = None
        """Where namespaces for child runs are forked; ``None`` where that cannot be done."""
        self.execution_count = 1
        """The number the next cell gets."""
        self.checkpoint_refusal: str | None = None
        """Why the last cell had no checkpoint; ``None`` where it had one."""
        self._off = None if checkpoints else "checkpoints are switched off"
        if not FORK_IS_SAFE:
            self._off = "checkpoints need Linux"
        self._kill_after = kill_after
        self._listener = listener
        self._channel = Channel(listener, self, spawned)
        self._for_child = spawned is not None
        self._parked = ParkedList()
        self._lock = asyncio.Lock()
        self._mending: asyncio.Task[None] | None = None
        self._replacing = False
        self._closed = False
        self.fresh_starts = 0
        """How many times it was started anew with nothing in it, after it had died."""
        self._running: ExecuteRequest | None = None
        self._begun = False
        self._interrupted = False
        self._killed = False
        self._killer: asyncio.TimerHandle | None = None

    @property
    def pid(self) -> int:
        """Process id of the live namespace."""
        return self._channel.pid

    @property
    def busy(self) -> bool:
        """Whether a cell runs."""
        return self._running is not None

    @property
    def checkpoints(self) -> list[int]:
        """Execution counts of the cells whose state before them can be restored, oldest first."""
        return self._parked.counts

    # ---- start and end

    def spawn(self) -> None:
        """Begin to start the process; needs no loop. `start` waits for it."""
        self._channel.spawn()

    async def start(self) -> None:
        """Start the process (unless `spawn` did) and wait until it is ready.

        Raises:
            NamespaceDied: It ended before; the message has what it wrote.
        """
        self._replacing = True
        try:
            await self._channel.start()
            await self._open_nursery()
        finally:
            self._replacing = False

    async def _open_nursery(self) -> None:
        if self._for_child or not FORK_IS_SAFE:
            return
        await self._channel.request("nursery", {})
        if self._channel.fds:
            self.nursery = Nursery(socket.socket(fileno=self._channel.fds.pop(0)))

    async def close(self) -> None:
        """End the process, its checkpoints and whatever they started."""
        self._closed = True
        if self._mending is not None:
            self._mending.cancel()
        self._parked.clear()
        self._close_nursery()
        self._channel.end()

    def _close_nursery(self) -> None:
        if self.nursery is not None:
            self.nursery.close()
            self.nursery = None

    # ---- asking

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
        begin_run    told (optional), goes_on (optional)                {}: ``answer`` is new, unless it goes on
        end_run                                                         {}
        set_variable name, value (anything JSON can hold)               {}
        set_count    count: number of the next cell, code (optional)    {count}
        stat                                                            pid, rss, pss (bytes), threads
        ============ ================================================== =====================================

        Raises:
            NamespaceDied: The process ended before it answered.
            RlmError: It could not answer.
        """
        await self._mended()
        if kind.startswith("comm_"):
            self._channel.note_parent(fields["header"].get("msg_id"))
            self._channel.note_comm(kind, fields["content"])
        try:
            reply = await self._channel.request(kind, fields, buffers)
        except NamespaceDied:
            if not self._for_child:
                raise
            raise NamespaceDied(await self._reason()) from None
        if kind == "set_count":
            self.execution_count = validate.integer(reply.get("count"), self.execution_count)
        return reply

    # ---- cells

    async def execute(self, request: ExecuteRequest) -> ExecuteReply:
        """Run a cell: checkpoint first (where it stores history and is not silent), restore when the process dies.

        A cancelled call interrupts the cell and waits for its end.

        Raises:
            NamespaceDied: The process died and no other could be started.
        """
        task = asyncio.get_running_loop().create_task(self._execute(request))
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            while not task.done():
                self.interrupt()
                await asyncio.wait([task])
            raise

    async def _execute(self, request: ExecuteRequest) -> ExecuteReply:
        async with self._lock:
            await self._mended()
            self._channel.note_parent(request.msg_id)
            self._channel.current, self._channel.crash = request.msg_id, ""
            self._begun = self._interrupted = self._killed = False
            self._running = request
            count = self.execution_count
            try:
                await self._checkpoint(request)
                reply = await self._channel.request("exec", _fields(request))
                self.execution_count = validate.integer(reply.get("count"), count)
                return cell_reply(count, reply, interrupted=self._interrupted)
            except NamespaceDied:
                return await self._recover(count, request)
            finally:
                self._running = self._channel.current = None
                if self._killer is not None:
                    self._killer.cancel()
                    self._killer = None

    # ---- checkpoints

    async def _checkpoint(self, request: ExecuteRequest) -> None:
        if self._off is not None or request.silent or not request.store_history:
            self.checkpoint_refusal = self._off or "cells that leave no history have none"
            return
        self.checkpoint_refusal = "the process ended before it was taken"
        self._parked.make_room()
        reply = await self._channel.request("checkpoint", {})
        fds, refusal = self._channel.fds, reply.get("refusal")
        if refusal is not None or not fds:
            self.checkpoint_refusal = str(refusal or "the process gave none")
            return
        self.checkpoint_refusal = None
        self._parked.add(Parked(self.execution_count, socket.socket(fileno=fds.pop(0))))
        while fds:
            os.close(fds.pop())  # nothing else is sent with a descriptor

    async def restore(self, count: int) -> None:
        """Put the namespace back to just before the cell with this execution count.

        Raises:
            InputError: There is no checkpoint of that cell.
            NamespaceDied: Its process is gone; the namespace is a fresh one.
        """
        async with self._lock:
            await self._mended()
            parked = self._parked.get(count)
            if parked is None:
                raise InputError(f"There is no checkpoint of cell {count}.", "Run the cells from the start again.")
            if not await self._restore(parked):
                await self._fresh()
                raise NamespaceDied(f"The checkpoint of cell {count} is gone; a fresh Python is running.")

    async def _restore(self, parked: Parked) -> bool:
        """Let a parked process take over; answers whether it did."""
        self._replacing = True
        try:
            await self._channel.kill()
            ours, theirs = socket.socketpair()
            with theirs:
                arrived = await self._channel.connect(ours, RESTORE_SECONDS, (parked.send_restore, theirs))
        except (OSError, TimeoutError, NamespaceDied) as error:
            log.warning("the checkpoint of cell %d could not be restored: %s", parked.count, error)
            return False
        finally:
            self._replacing = False
        self.execution_count = parked.count
        self._parked.drop_from(parked.count + 1)
        comms = arrived.get("comms")
        self._tell_replaced(self._channel.comms.intersection(comms if isinstance(comms, list) else []))
        return True

    async def _fresh(self) -> None:
        """Start a new process in place of the old one."""
        self.fresh_starts += 1
        self._replacing = True
        try:
            self._parked.clear()
            self._close_nursery()
            self._channel.end()
            await self._channel.start()
            await self._open_nursery()
        finally:
            self._replacing = False
        self.execution_count = 1
        self._tell_replaced(set())

    def _tell_replaced(self, live: set[str]) -> None:
        dead = sorted(self._channel.comms - live)
        self._channel.comms = live
        self._listener.replaced(dead, sorted(live))

    # ---- death

    async def _recover(self, count: int, request: ExecuteRequest) -> ExecuteReply:
        """Go on after the process died in a cell: from this cell's own checkpoint, never from an older one."""
        died = await self._reason()
        if self._for_child:
            raise NamespaceDied(died)
        refusal = self.checkpoint_refusal
        parked = self._parked.get(count) if refusal is None else None
        restored = parked is not None and await self._restore(parked)
        if not restored:
            await self._fresh()
        next_count = count + 1 if request.store_history and not request.silent else count
        await self._channel.request("set_count", {"count": next_count, "code": request.code})
        self.execution_count = next_count
        return died_reply(count, died, restored=restored, refusal=refusal or "it was gone", killed=self._killed)

    async def _reason(self) -> str:
        """Say why the process ended."""
        if self._killed:
            return f"The cell did not stop within {self._kill_after:g} s of the interrupt, so its process was killed."
        for _ in range(20):
            code = self._channel.exit_code()
            if code is not None:
                break
            await asyncio.sleep(0.01)
        return words_of_death(code, self._channel.crash)

    def process_lost(self) -> None:
        """Mend it, where nobody waits for a cell."""
        if not (self._closed or self._replacing or self.busy or self._mending or self._for_child):
            self._mending = asyncio.get_running_loop().create_task(self._mend())

    async def _mend(self) -> None:
        """Start anew after the process died while no cell was running: nothing says which state would be right."""
        self._killed = False
        died, count = await self._reason(), self.execution_count
        try:
            await self._fresh()
            await self._channel.request("set_count", {"count": count})
            self.execution_count = count
        except NamespaceDied:
            log.exception("the namespace process could not be started again")
            return
        finally:
            self._mending = None
        text = f"{died} No cell was running. A fresh Python has been started: run the earlier cells again.\n"
        parent = self._channel.last_parent
        self._listener.published(Published("stream", {"name": "stderr", "text": text}, {}, [], parent))

    async def _mended(self) -> None:
        if self._mending is not None:
            await asyncio.shield(self._mending)

    # ---- interrupts

    def interrupt(self) -> None:
        """Send SIGINT; where the cell has not ended after ``kill_after`` seconds, kill it and restore."""
        if self._running is not None:
            self._interrupted = True
            if not self._begun:
                return  # `cell_begins` sends it: before that nothing would be interrupted
            if self._killer is None:
                self._killer = asyncio.get_running_loop().call_later(self._kill_after, self._kill_cell)
        self._channel.signal_interrupt()
        self._channel.answers.interrupt()

    def kill(self) -> None:
        """Kill the process without asking the cell; what waits for it fails with `NamespaceDied`."""
        self._killed = True
        self._channel.signal_kill()

    def cell_begins(self) -> None:
        """Send the interrupt that came too early."""
        self._begun = True
        if self._interrupted:
            self.interrupt()

    def _kill_cell(self) -> None:
        self._killer = None
        if self._running is not None and self._channel.alive:
            self._killed = True
            self._channel.signal_kill()


def _fields(request: ExecuteRequest) -> Json:
    return {
        "code": request.code,
        "header": {**request.header, "msg_id": request.msg_id},
        "silent": request.silent,
        "store_history": request.store_history and not request.silent,
        "user_expressions": request.user_expressions,
        "allow_stdin": request.allow_stdin,
        "cell_id": request.cell_id,
    }
