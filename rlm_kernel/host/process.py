"""The trusted side of one namespace process."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, TypeVar

from rlm_kernel.engine.executor import Redone
from rlm_kernel.engine.history import History
from rlm_kernel.errors import NamespaceDied
from rlm_kernel.host import validate
from rlm_kernel.host.channel import Channel
from rlm_kernel.host.noting import STEPS, Notes, new_step_id, request_of
from rlm_kernel.host.outcome import cell_reply, died_reply, words_of_death
from rlm_kernel.host.parked import FORK_IS_SAFE
from rlm_kernel.host.records import ExecuteReply, ExecuteRequest, Json, Listener, Published
from rlm_kernel.host.relay import Relay
from rlm_kernel.host.states import States
from rlm_kernel.ids import new_msg_id

if TYPE_CHECKING:
    from collections.abc import Coroutine, Sequence

    from rlm_kernel.engine.executor import QueryHandler
    from rlm_kernel.host.nursery import Nursery
    from rlm_kernel.host.parked import StatesDict
    from rlm_kernel.host.spawn import Spawned
    from rlm_kernel.trace.entries import Entry, EntryId

__all__ = ["ExecuteReply", "ExecuteRequest", "Json", "Listener", "NamespaceProcess", "Published"]

log = logging.getLogger(__name__)

T = TypeVar("T")


class NamespaceProcess:
    """Starts, drives, interrupts, restores and ends one namespace process.

    - one cell at a time; a checkpoint before it, and back to it when the process dies
    - states: those before the last cells, those that were parked, and the fresh one; and the history they belong to
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
        self.checkpoint_refusal: str | None = None
        """Why the last cell had no checkpoint; ``None`` where it had one."""
        off = None if checkpoints else "checkpoints are switched off"
        if not FORK_IS_SAFE:
            off = "checkpoints need Linux"
        self._kill_after = kill_after
        self.history = History()
        """What was done in it; empty for a child run."""
        self._notes = Notes(self.history)
        self._listener = listener
        self._relay = Relay(listener)
        self._for_child = spawned is not None
        self._channel = Channel(listener if self._for_child else self._relay, self, spawned)
        self._states = States(self._channel, listener, self.history, off, for_child=self._for_child)
        self._lock = asyncio.Lock()
        self._mending: asyncio.Task[None] | None = None
        self._closed = False
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
    def execution_count(self) -> int:
        """The number the next cell gets."""
        return self._states.count

    @property
    def nursery(self) -> Nursery | None:
        """Where namespaces for child runs are forked; ``None`` where that cannot be done."""
        return self._states.nursery

    @property
    def fresh_starts(self) -> int:
        """How many times it was started anew with nothing in it, after it had died or because it was asked for."""
        return self._states.fresh_starts

    @property
    def checkpoints(self) -> list[EntryId]:
        """Names of the states that can be restored, oldest first: the cells they come before, and what was parked."""
        return self._states.parked.states

    async def states(self) -> StatesDict:
        """Tell how many states are kept, and what memory that takes."""
        return await self._states.stat(self.checkpoint_refusal)

    # ---- start and end

    def spawn(self) -> None:
        """Begin to start the process; needs no loop. `start` waits for it."""
        self._channel.spawn()

    async def start(self) -> None:
        """Start the process (unless `spawn` did) and wait until it is ready.

        Raises:
            NamespaceDied: It ended before; the message has what it wrote.
        """
        await self._states.begin()

    async def close(self) -> None:
        """End the process, its checkpoints and whatever they started."""
        self._closed = True
        if self._mending is not None:
            self._mending.cancel()
        self._states.close()
        self._channel.end()

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
        cite, cover, passage: see `rlm_kernel.engine.executor.Executor.look`
        begin_run    told, goes_on, run_id (all optional)               {}: ``answer`` is new, unless it goes on
        end_run      run_id (optional)                                  {}
        set_variable name, value (anything JSON can hold)               {}
        set_count    count: number of the next cell, code (optional)    {count}
        stat                                                            pid, rss, pss (bytes), threads
        ============ ================================================== =====================================

        What begins or ends a run or sets a variable is noted in the history; before a run begins, the state is kept.

        Raises:
            NamespaceDied: The process ended before it answered.
            RlmError: It could not answer.
        """
        await self._mended()
        if kind in STEPS and not self._for_child:
            return await self._step(kind, fields)
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
            self._states.count = validate.integer(reply.get("count"), self.execution_count)
        return reply

    # ---- cells

    async def execute(self, request: ExecuteRequest) -> ExecuteReply:
        """Run a cell: checkpoint first (where it stores history and is not silent), restore when the process dies.

        A cancelled call interrupts the cell and waits for its end.

        Raises:
            NamespaceDied: The process died and no other could be started.
        """
        return await self._to_its_end(self._execute(request))

    async def _to_its_end(self, work: Coroutine[object, object, T]) -> T:
        """Wait for a cell; cancelled, interrupt it and wait on."""
        task = asyncio.get_running_loop().create_task(work)
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
            if self._for_child:
                return await self._run(request)
            began = (time.time(), self.history.current)
            self._relay.cell_begins(request.msg_id)
            try:
                reply = await self._run(request)
            finally:
                outputs = self._relay.cell_ended()
            if not request.silent:
                reply.entry = self._notes.cell(request, reply, outputs, began)
            return reply

    async def _run(self, request: ExecuteRequest) -> ExecuteReply:
        self._channel.note_parent(request.msg_id)
        self._channel.current, self._channel.crash = request.msg_id, ""
        self._begun = self._interrupted = self._killed = False
        self._running = request
        count = self.execution_count
        try:
            await self._checkpoint(request)
            reply = await self._channel.request("exec", _fields(request, digest=not self._for_child))
            self._states.count = validate.integer(reply.get("count"), count)
            return cell_reply(count, reply, interrupted=self._interrupted)
        except NamespaceDied:
            return await self._recover(count, request)
        finally:
            self._running = self._channel.current = None
            if self._killer is not None:
                self._killer.cancel()
                self._killer = None

    async def _step(self, kind: str, fields: Json) -> Json:
        async with self._lock:
            entry_id = new_step_id()
            if kind == "begin_run" and self._states.off is None:
                await self._states.take(entry_id)
            reply = await self._channel.request(kind, fields)
            self._notes.step(entry_id, kind, fields)
            return reply

    async def redo(self, entry: Entry, queries: QueryHandler) -> Redone:
        """Do once more what an entry says; nobody is shown anything, and the history only moves to it.

        The state before it is kept under its id, as it was the first time.

        Args:
            entry: What to do. A cell gets the number it had.
            queries: Answers the queries of its cell.

        Raises:
            NamespaceDied: The process ended before; a fresh one is up.
        """
        async with self._lock:
            await self._mended()
            if entry.kind != "cell":
                if entry.kind == "begin" and self._states.off is None:
                    await self._states.take(entry.id)
                await self._channel.request(*request_of(entry))
                self.history.move(entry.id)
                return Redone()
            return await self._to_its_end(self._redo_cell(entry, queries))

    async def _redo_cell(self, entry: Entry, queries: QueryHandler) -> Redone:
        if entry.count is not None and entry.count != self.execution_count:
            await self._channel.request("set_count", {"count": entry.count})
            self._states.count = entry.count
        msg_id = new_msg_id()
        header = {
            "msg_id": msg_id,
            "msg_type": "execute_request",
            "session": "rlm",
            "username": "rlm",
            "version": "5.3",
        }
        request = ExecuteRequest(
            entry.code, msg_id, header, store_history=entry.count is not None, cell_id=entry.cell_id, entry=entry.id
        )
        with self._relay.again(queries) as again:
            self._relay.cell_begins(msg_id)
            try:
                reply = await self._run(request)
            finally:
                outputs = self._relay.cell_ended()
        if reply.status != "died":
            self.history.move(entry.id)
        status = "stopped" if reply.interrupted and reply.status != "died" else reply.status
        return Redone(status, outputs, reply.digest, again.wanted_input, again.used_magic)

    # ---- states

    async def _checkpoint(self, request: ExecuteRequest) -> None:
        if self._states.off is not None or request.silent or not request.store_history:
            self.checkpoint_refusal = self._states.off or "cells that leave no history have none"
            return
        self.checkpoint_refusal = "the process ended before it was taken"
        self.checkpoint_refusal = await self._states.take(request.state)

    def can_restore(self, state: EntryId) -> bool:
        """Tell whether a state is kept."""
        return self._states.parked.get(state) is not None

    async def park(self, key: EntryId) -> bool:
        """Keep the present state under a name of its own, longer than those before cells; waits for a running cell.

        Returns:
            Whether it could be kept.
        """
        async with self._lock:
            await self._mended()
            if self._states.off is not None or await self._states.take(key) is not None:
                return False
            self._states.parked.pin(key)
            return True

    async def restore(self, state: EntryId) -> bool:
        """Put the namespace back to just before an entry of the history, or to a parked state.

        It waits for a running cell. The history moves with it, and the count of cells. The state stays kept, and is
        among the last to be dropped.

        Returns:
            ``False``: it is not kept; nothing has changed.

        Raises:
            NamespaceDied: Its process could not take over; the namespace is a fresh one.
        """
        async with self._lock:
            await self._mended()
            return await self._states.restore(state)

    async def renew(self) -> None:
        """Put a fresh namespace in the place of this one, as after a start; states that are kept stay, if they can.

        Raises:
            NamespaceDied: No process could be started.
        """
        async with self._lock:
            await self._mended()
            await self._states.fresh()

    # ---- death

    async def _recover(self, count: int, request: ExecuteRequest) -> ExecuteReply:
        """Go on after the process died in a cell: from this cell's own checkpoint, never from an older one."""
        died = await self._reason()
        if self._for_child:
            raise NamespaceDied(died)
        refusal = self.checkpoint_refusal
        parked = self._states.parked.get(request.state) if refusal is None else None
        restored = parked is not None and await self._states.take_over(parked)
        if not restored:
            await self._states.fresh()
        next_count = count + 1 if request.store_history and not request.silent else count
        await self._channel.request("set_count", {"count": next_count, "code": request.code})
        self._states.count = next_count
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
        if not (self._closed or self._states.replacing or self.busy or self._mending or self._for_child):
            self._mending = asyncio.get_running_loop().create_task(self._mend())

    async def _mend(self) -> None:
        """Start anew after the process died while no cell was running: nothing says which state would be right."""
        self._killed = False
        died, count = await self._reason(), self.execution_count
        try:
            await self._states.fresh()
            await self._channel.request("set_count", {"count": count})
            self._states.count = count
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


def _fields(request: ExecuteRequest, *, digest: bool) -> Json:
    return {
        "digest": digest and request.store_history and not request.silent,
        "code": request.code,
        "header": {**request.header, "msg_id": request.msg_id},
        "silent": request.silent,
        "store_history": request.store_history and not request.silent,
        "user_expressions": request.user_expressions,
        "allow_stdin": request.allow_stdin,
        "cell_id": request.cell_id,
    }
