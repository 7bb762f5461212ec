"""The kernel's end of the namespace: cells go in, what they show and ask for comes out."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Any, Protocol

from rlm_kernel.errors import NamespaceDied
from rlm_kernel.host.process import NamespaceProcess
from rlm_kernel.host.recorder import OutputRecorder
from rlm_kernel.host.records import ExecuteReply, Listener, Published
from rlm_kernel.kernel.channels import clean
from rlm_kernel.kernel.comms import parent_id
from rlm_kernel.kernel.parents import Parents
from rlm_kernel.kernel.shortened import Shortener

if TYPE_CHECKING:
    from rlm_kernel.engine.executor import QueryDict, ReplyDict
    from rlm_kernel.host.records import ExecuteRequest
    from rlm_kernel.ids import MsgId
    from rlm_kernel.kernel.asking import Asking
    from rlm_kernel.kernel.comms import Comms
    from rlm_kernel.kernel.services import Ident, Message
    from rlm_kernel.kernel.stdin import Stdin

Json = dict[str, Any]
log = logging.getLogger(__name__)


class Host(Protocol):
    """What the runner needs of the kernel; the parts are there once a cell runs."""

    asking: Asking
    comms: Comms
    stdin: Stdin

    def publish(
        self,
        msg_type: str,
        content: Json,
        parent: Message,
        metadata: Json | None = None,
        buffers: list[bytes] | None = None,
    ) -> None:
        """Send to every client."""
        ...


class Runner(Listener):
    """Runs cells in the namespace process, and takes nothing from it on trust.

    - what a cell shows is published under a request that is live, and recorded;
    - what it asks for goes to the session, to the person, or to the page;
    - cells are counted on, whatever state was restored: no two cells of a kernel have the same number.

    Args:
        host: The kernel.
        checkpoints: See `NamespaceProcess`.
        kill_after: See `NamespaceProcess`.
    """

    def __init__(self, host: Host, *, checkpoints: bool, kill_after: float) -> None:
        self._host = host
        self.process = NamespaceProcess(self, checkpoints=checkpoints, kill_after=kill_after)
        self.process.spawn()
        self.recorder = OutputRecorder()
        self.parents = Parents()
        self._recorded: set[MsgId] = set()
        self._one = asyncio.Lock()
        self._next = 1

    # -- cells ----------------------------------------------------------------------------------------------------

    async def execute(self, request: ExecuteRequest, parent: Message, ident: Ident) -> ExecuteReply:
        """Run a cell in the namespace, after the one that runs there now."""
        async with self._one:
            shortener = Shortener() if request.author == "model" else None
            self.parents.keep(request.msg_id, parent, ident, shortener)
            if not request.silent:
                self._recorded.add(request.msg_id)
            try:
                reply = await self.process.execute(request)
            except NamespaceDied as error:
                reply = self._no_namespace(error)
            self._next = max(self._next, self.process.execution_count)
        if reply.status == "died":
            self._tell_death(reply, request)
        return reply

    def forget(self, msg_id: MsgId) -> None:
        """Forget what a cell has shown."""
        self.recorder.forget(msg_id)
        self._recorded.discard(msg_id)

    async def count_on(self) -> int:
        """See to it that the next cell gets a number that none had; gives the number."""
        self._next = max(self._next, self.process.execution_count)
        if self.process.execution_count < self._next:
            with contextlib.suppress(NamespaceDied):
                await self.process.ask("set_count", {"count": self._next})
        return self.process.execution_count

    async def reserve_count(self, code: str = "") -> int:
        """Take the next execution count."""
        count = await self.count_on()
        await self.process.ask("set_count", {"count": count + 1, "code": code})
        self._next = count + 1
        return count

    def _no_namespace(self, error: NamespaceDied) -> ExecuteReply:
        answer = {"content": "", "ready": False}
        return ExecuteReply(
            "died",
            self.process.execution_count,
            answer,  # type: ignore[arg-type]
            died=error.message,
            lost=error.remedy,
        )

    def _tell_death(self, reply: ExecuteReply, request: ExecuteRequest) -> None:
        """Show in the cell why its process ended and what is back."""
        reply.ename = "KeyboardInterrupt" if reply.interrupted else "NamespaceDied"
        reply.evalue = f"{reply.died} {reply.lost}".strip()
        reply.traceback = [f"\x1b[0;31m{reply.ename}\x1b[0m: {reply.evalue}"]
        if not request.silent:
            content = {"ename": reply.ename, "evalue": reply.evalue, "traceback": reply.traceback}
            self._publish_and_record(Published("error", content, {}, [], request.msg_id))

    async def comm(self, kind: str, message: Message) -> None:
        """Give a comm message to the namespace; what its callback shows belongs to that message."""
        self.parents.keep(parent_id(message), message, [])
        fields = {key: clean(message.get(key) or {}) for key in ("content", "header", "metadata")}
        with contextlib.suppress(NamespaceDied):
            await self.process.ask(kind, fields, [bytes(part) for part in message.get("buffers") or ()])

    # -- as a listener --------------------------------------------------------------------------------------------

    def published(self, message: Published) -> None:
        """Pass on what the namespace shows, under a request that is live."""
        if message.msg_type.startswith("comm_"):
            for_page = self._host.comms.from_namespace(message)
            if for_page is None:
                return
            message = for_page
        self._publish_and_record(message)

    def _publish_and_record(self, message: Published) -> None:
        parent = self.parents.of(message.parent)
        if parent is None:
            log.warning("Output before the first cell: %s", message.msg_type)
            return
        # Shown within the output of another cell, it may not clear the rest of that.
        if message.msg_type != "clear_output" or parent.msg_id == parent_id(parent.message):
            shown = parent.shortener.message(message) if parent.shortener else message
            if shown is not None:
                self._host.publish(shown.msg_type, shown.content, parent.message, shown.metadata, shown.buffers)
        if parent.msg_id in self._recorded or message.msg_type == "update_display_data":
            self.recorder.add(message._replace(parent=parent.msg_id))

    async def query(self, query: QueryDict, parent: MsgId | None) -> list[ReplyDict]:
        """Hand an ``llm_query`` to the session."""
        return await self._host.asking.query(query, parent)

    async def input(self, prompt: str, password: bool, parent: MsgId | None) -> str:
        """Ask the client that runs the cell."""
        asker = self.parents.asker(parent)
        if asker is None:
            return ""
        return await self._host.stdin.ask(prompt, password, asker.message, asker.ident)

    async def magic(self, line: str, parent: MsgId | None) -> str:
        """Hand ``%rlm`` to the session."""
        return await self._host.asking.line_magic(line, parent)

    def replaced(self, dead_comms: list[str], live_comms: list[str]) -> None:
        """Close the widgets that the restored namespace does not have."""
        last = self.parents.of(None)
        self._host.comms.replaced(dead_comms, live_comms, last.message if last else {})
