"""The trusted side of one namespace process."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import os
import signal
import socket
from typing import TYPE_CHECKING, Any, cast

from rlm_kernel.errors import InputError, NamespaceDied
from rlm_kernel.host import validate
from rlm_kernel.host.answers import ASKS, Answers
from rlm_kernel.host.link import Link
from rlm_kernel.host.outcome import died_reply, words_of_death
from rlm_kernel.host.parked import FORK_IS_SAFE, Parked, ParkedList, in_group
from rlm_kernel.host.records import ExecuteReply, ExecuteRequest, Json, Listener, Published
from rlm_kernel.host.spawn import Spawned, spawn
from rlm_kernel.host.streams import OutputPipes, StreamJoiner

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rlm_kernel.ids import MsgId
    from rlm_kernel.wire import Frame

__all__ = ["ExecuteReply", "ExecuteRequest", "Json", "Listener", "NamespaceProcess", "Published"]

log = logging.getLogger(__name__)

LIVE_PARENTS = 1000
"""Requests whose output is still accepted: background tasks and threads publish long after their cell has ended."""
START_SECONDS = 60.0
RESTORE_SECONDS = 20.0
LAST_WORDS = 4000


class NamespaceProcess:
    """Starts, drives, interrupts, restores and ends one namespace process.

    - one cell at a time; a checkpoint before it, and back to it when the process dies
    - passes on what the namespace publishes, checked, streams joined
    - answers what cells ask, through the listener

    All of it runs on one asyncio loop.
    """

    execution_count: int
    """The number the next cell gets."""
    checkpoint_refusal: str | None
    """Why the last cell had no checkpoint; ``None`` where it had one."""

    def __init__(self, listener: Listener, *, checkpoints: bool = True, kill_after: float = 2.0) -> None:
        """Nothing is started yet.

        Args:
            listener: Is told what the namespace says.
            checkpoints: Whether to take them; they are taken on Linux only.
            kill_after: Seconds a cell has to end after an interrupt.
        """
        self.execution_count = 1
        self.checkpoint_refusal = None
        self._listener = listener
        self._off = None if checkpoints and FORK_IS_SAFE else "checkpoints are switched off"
        if not FORK_IS_SAFE:
            self._off = "checkpoints need Linux"
        self._kill_after = kill_after
        self._joiner = StreamJoiner(listener.published)
        self._parents: dict[MsgId, None] = {}
        self._answers = Answers(listener, self._live_parent)
        self._parked = ParkedList()
        self._comms: set[str] = set()
        self._numbers = itertools.count(1)
        self._pending: dict[int, asyncio.Future[Json]] = {}
        self._spawned: Spawned | None = None
        self._link: Link | None = None
        self._pipes: OutputPipes | None = None
        self._pid = 0
        self._pidfd = -1
        self._arrival: asyncio.Future[Json] | None = None
        self._lock = asyncio.Lock()
        self._mending: asyncio.Task[None] | None = None
        self._replacing = False
        self._closed = False
        self._running: ExecuteRequest | None = None
        self._running_number: int | None = None
        self._begun = False
        self._interrupted = False
        self._killer: asyncio.TimerHandle | None = None
        self._killed = False
        self._last_words = ""

    @property
    def pid(self) -> int:
        """Process id of the live namespace."""
        return self._pid

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
        if self._spawned is None:
            self._spawned = spawn()
            self._pid = self._spawned.process.pid

    async def start(self) -> None:
        """Start the process (unless `spawn` did) and wait until it is ready.

        Raises:
            NamespaceDied: It ended before; the message has what it wrote.
        """
        self.spawn()
        spawned = cast("Spawned", self._spawned)
        self._arrival = asyncio.get_running_loop().create_future()
        self._last_words = ""
        self._pipes = OutputPipes(spawned.outputs, self._from_pipe)
        self._connect(spawned.connection)
        try:
            await asyncio.wait_for(self._arrival, START_SECONDS)
        except TimeoutError:
            raise NamespaceDied(f"The namespace process was not ready after {START_SECONDS:g} s.") from None
        self._watch(spawned.process.pid)

    def _connect(self, sock: socket.socket) -> None:
        self._link = Link(sock, self._drain_pipes, self._on_frame, self._on_lost)
        self._link.start()

    def _watch(self, pid: int) -> None:
        """Notice the end of the process itself: a fork of it, made by a cell, may hold the connection open."""
        self._pid = pid
        self._unwatch()
        if hasattr(os, "pidfd_open"):
            with contextlib.suppress(OSError):
                self._pidfd = os.pidfd_open(pid)
                asyncio.get_running_loop().add_reader(self._pidfd, self._process_ended)

    def _unwatch(self) -> None:
        if self._pidfd >= 0:
            asyncio.get_running_loop().remove_reader(self._pidfd)
            os.close(self._pidfd)
            self._pidfd = -1

    def _process_ended(self) -> None:
        self._unwatch()
        if self._link is not None:
            self._link.drain()
            self._link.close()

    async def close(self) -> None:
        """End the process, its checkpoints and whatever they started."""
        self._closed = True
        if self._mending is not None:
            self._mending.cancel()
        self._answers.cancel_all()
        self._end_process()

    def _end_process(self) -> None:
        self._unwatch()
        if self._link is not None:
            self._link.close()
        self._joiner.flush()
        if self._pipes is not None:
            self._pipes.close()
            self._pipes = None
        self._parked.clear()
        if self._spawned is not None:
            self._spawned.close()
            self._spawned = None

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
        begin_run                                                       {}: ``answer`` is new
        end_run                                                         {}
        set_count    count: number of the next cell, code (optional)    {count}
        stat                                                            pid, rss, pss (bytes), threads
        ============ ================================================== =====================================

        Raises:
            NamespaceDied: The process ended before it answered.
        """
        await self._mended()
        if kind.startswith("comm_"):
            self._note_parent(fields["header"].get("msg_id"))
            self._note_comm(kind, fields["content"])
        reply = await self._request(kind, fields, buffers)
        if kind == "set_count":
            self.execution_count = validate.integer(reply.get("count"), self.execution_count)
            self._parked.drop_from(self.execution_count)
        return reply

    async def _request(self, kind: str, fields: Json, buffers: Sequence[bytes] = ()) -> Json:
        if self._link is None or self._link.lost.is_set():
            raise NamespaceDied("The namespace process is not running.")
        number = next(self._numbers)
        future = self._pending[number] = asyncio.get_running_loop().create_future()
        if kind == "exec":
            self._running_number = number
        self._link.send({**fields, "t": kind, "rid": number}, buffers)
        try:
            reply = await future
        finally:
            self._pending.pop(number, None)
        if "failed" in reply:
            raise NamespaceDied(f"The namespace process could not answer {kind}: {reply['failed']}")
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
            self._note_parent(request.msg_id)
            self._running, self._last_words = request, ""
            self._begun = self._interrupted = self._killed = False
            count = self.execution_count
            try:
                await self._checkpoint(request)
                return self._done(count, await self._request("exec", self._exec_fields(request)))
            except NamespaceDied:
                return await self._recover(count, request)
            finally:
                self._running = self._running_number = None
                if self._killer is not None:
                    self._killer.cancel()
                    self._killer = None

    def _exec_fields(self, request: ExecuteRequest) -> Json:
        return {
            "code": request.code,
            "header": {**request.header, "msg_id": request.msg_id},
            "silent": request.silent,
            "store_history": request.store_history and not request.silent,
            "user_expressions": request.user_expressions,
            "allow_stdin": request.allow_stdin,
            "cell_id": request.cell_id,
        }

    def _done(self, count: int, reply: Json) -> ExecuteReply:
        self.execution_count = validate.integer(reply.get("count"), count)
        ok = reply.get("status") == "ok"
        traceback = reply.get("traceback")
        payload, expressions = reply.get("payload"), reply.get("user_expressions")
        return ExecuteReply(
            status="ok" if ok else "error",
            execution_count=count,
            answer=validate.answer_state(reply.get("answer")),
            payload=payload if isinstance(payload, list) else [],
            user_expressions=expressions if isinstance(expressions, dict) else {},
            ename=str(reply.get("ename", "")),
            evalue=str(reply.get("evalue", "")),
            traceback=[str(line) for line in traceback] if isinstance(traceback, list) else [],
            interrupted=self._interrupted and not ok,
        )

    # ---- checkpoints

    async def _checkpoint(self, request: ExecuteRequest) -> None:
        if self._off is not None or request.silent or not request.store_history:
            self.checkpoint_refusal = self._off or "a cell that leaves no history has none"
            return
        self._parked.make_room()
        count, comms = self.execution_count, frozenset(self._comms)
        reply = await self._request("checkpoint", {})
        refusal, fds = reply.get("refusal"), self._link.fds if self._link is not None else []
        if refusal is not None or not fds:
            self.checkpoint_refusal = str(refusal or "the namespace process gave none")
            return
        self.checkpoint_refusal = None
        self._parked.add(Parked(count, validate.integer(reply.get("pid"), 0), socket.socket(fileno=fds.pop(0)), comms))

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
            await self._kill()
            ours, theirs = socket.socketpair()
            self._arrival = asyncio.get_running_loop().create_future()
            self._connect(ours)
            with theirs:
                parked.send_restore(theirs)
            arrived = await asyncio.wait_for(self._arrival, RESTORE_SECONDS)
        except (OSError, TimeoutError, NamespaceDied) as error:
            log.warning("checkpoint of cell %d could not be restored: %s", parked.count, error)
            return False
        finally:
            self._replacing = False
        self._watch(arrived["pid"])
        self.execution_count = parked.count
        self._parked.drop_from(parked.count + 1)
        live = [comm for comm in arrived.get("comms") or [] if comm in self._comms]
        self._tell_replaced(set(live))
        return True

    async def _kill(self) -> None:
        """Kill the live process and hand over all it has sent."""
        self._unwatch()
        if self._pid and self._link is not None and not self._link.lost.is_set():
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGKILL)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._link.lost.wait(), 1.0)
            self._link.drain()
            self._link.close()
        if self._spawned is not None:
            self._spawned.process.poll()

    async def _fresh(self) -> None:
        """Start a new process in place of the old one."""
        self._replacing = True
        try:
            self._end_process()
            await self.start()
        finally:
            self._replacing = False
        self.execution_count = 1
        self._tell_replaced(set())

    def _tell_replaced(self, live: set[str]) -> None:
        dead = sorted(self._comms - live)
        self._comms = live
        self._listener.replaced(dead, sorted(live))

    # ---- death

    async def _recover(self, count: int, request: ExecuteRequest) -> ExecuteReply:
        """Go on after the process died in a cell: from this cell's own checkpoint, never from an older one."""
        died = await self._reason()
        refusal = self.checkpoint_refusal
        parked = self._parked.get(count) if refusal is None else None
        restored = parked is not None and await self._restore(parked)
        if not restored:
            await self._fresh()
        await self._request("set_count", {"count": count + 1, "code": request.code})
        self.execution_count = count + 1
        return died_reply(
            count, died, restored=restored, refusal=refusal or "its process was gone", killed=self._killed
        )

    async def _reason(self) -> str:
        """Say why the process ended."""
        if self._killed:
            return f"The cell did not stop within {self._kill_after:g} s of the interrupt, so its process was killed."
        code = None
        if self._spawned is not None and self._spawned.process.pid == self._pid:
            for _ in range(20):
                code = self._spawned.process.poll()
                if code is not None:
                    break
                await asyncio.sleep(0.01)
        return words_of_death(code, self._last_words)

    def _on_lost(self, link: Link) -> None:
        if link is not self._link:
            return
        self._drain_pipes()
        self._joiner.flush()
        self._answers.cancel_all()
        error = NamespaceDied("The namespace process ended.", self._last_words.strip()[-600:])
        waiting = [*self._pending.values(), *([self._arrival] if self._arrival is not None else [])]
        for future in waiting:
            if not future.done():
                future.set_exception(error)
        if not (self._closed or self._replacing or self.busy or self._mending or self._spawned is None):
            self._mending = asyncio.get_running_loop().create_task(self._mend())

    async def _mend(self) -> None:
        """Start anew after the process died while no cell was running: nothing says which state would be right."""
        died = await self._reason()
        count, parent = self.execution_count, next(reversed(self._parents), None)
        try:
            await self._fresh()
            await self._request("set_count", {"count": count})
            self.execution_count = count
        except NamespaceDied:
            log.exception("the namespace process could not be started again")
            return
        finally:
            self._mending = None
        text = f"{died} No cell was running. A fresh Python has been started: run the earlier cells again.\n"
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
                return  # sent when the cell begins
            if self._killer is None:
                self._killer = asyncio.get_running_loop().call_later(self._kill_after, self._kill_cell)
        self._signal()
        self._answers.interrupt()

    def _signal(self) -> None:
        """Send SIGINT to the process group, as Jupyter does: a cell's subprocesses get it too."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if self._spawned is not None:
                os.killpg(self._spawned.process.pid, signal.SIGINT)

    def _kill_cell(self) -> None:
        self._killer = None
        if self._running is not None and self._link is not None and not self._link.lost.is_set():
            self._killed = True
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGKILL)

    # ---- what the namespace says

    def _on_frame(self, link: Link, frame: Frame) -> None:
        try:
            self._take(link, frame)
        except validate.Invalid as error:
            log.warning("the namespace process sent %s; it is ignored", error)

    def _take(self, link: Link, frame: Frame) -> None:
        message = frame.message
        kind = message["t"]
        if kind == "text":
            self._joiner.add(*validate.text(frame, self._live_parent))
            return
        self._joiner.flush()
        if kind == "pub":
            published = validate.published(frame, self._live_parent)
            self._note_comm(published.msg_type, published.content)
            self._listener.published(published)
        elif kind == "reply":
            self._replied(message)
        elif kind in ASKS:
            self._answers.begin(link, message)
        elif kind == "cancel":
            self._answers.cancel(message.get("rid"))
        elif kind == "begins":
            self._cell_begins()
        elif kind in ("hello", "restored"):
            self._arrived(message)
        else:
            raise validate.Invalid(f"a message of type {kind!r:.40}")

    def _replied(self, message: Json) -> None:
        future, value = self._pending.get(cast("int", message.get("rid"))), message.get("v")
        self._drain_pipes()
        self._joiner.flush()
        if future is not None and not future.done():
            future.set_result(value if isinstance(value, dict) else {})

    def _cell_begins(self) -> None:
        self._begun = True
        if self._interrupted:
            self.interrupt()

    def _arrived(self, message: Json) -> None:
        group = self._spawned.process.pid if self._spawned is not None else 0
        if not in_group(validate.integer(message.get("pid"), 0), group):
            raise validate.Invalid(f"a process id {message.get('pid')!r:.40} that is not one of its own")
        if self._arrival is not None and not self._arrival.done():
            self._arrival.set_result(message)

    def _from_pipe(self, name: str, text: str) -> None:
        if name == "stderr":
            self._last_words = (self._last_words + text)[-LAST_WORDS:]
        parent = self._running.msg_id if self._running is not None else next(reversed(self._parents), None)
        self._joiner.add(name, text, parent)

    def _drain_pipes(self) -> None:
        if self._pipes is not None:
            self._pipes.drain()

    def _live_parent(self, value: object) -> MsgId | None:
        return cast("MsgId", value) if value in self._parents else None

    def _note_parent(self, msg_id: Any) -> None:
        if isinstance(msg_id, str):
            self._parents.pop(cast("MsgId", msg_id), None)
            self._parents[cast("MsgId", msg_id)] = None
            while len(self._parents) > LIVE_PARENTS:
                del self._parents[next(iter(self._parents))]

    def _note_comm(self, kind: str, content: Json) -> None:
        if kind == "comm_open":
            self._comms.add(content["comm_id"])
        elif kind == "comm_close":
            self._comms.discard(content["comm_id"])
