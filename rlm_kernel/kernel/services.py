"""What the Jupyter kernel offers to the part of it that answers ``%%rlm`` cells."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Coroutine

    from rlm_kernel.host.process import ExecuteReply, ExecuteRequest, NamespaceProcess
    from rlm_kernel.host.recorder import OutputRecorder
    from rlm_kernel.ids import MsgId

Message = dict[str, Any]
"""A Jupyter message as ``jupyter_client.session`` gives it: header, parent_header, metadata, content, buffers."""
Ident = list[bytes]
"""The ZeroMQ identities of the client that sent a message; replies and input requests go back there."""

T = TypeVar("T")


class KernelServices(Protocol):
    """The kernel as `Asking` sees it. Everything is called on the kernel's one event loop."""

    process: NamespaceProcess
    """The namespace process; `execute_cell` is the way to run a cell in it."""
    recorder: OutputRecorder
    """The outputs of cells by message id; whoever ran a cell with `execute_cell` also forgets them."""

    def publish(
        self,
        msg_type: str,
        content: dict[str, Any],
        parent: Message,
        metadata: dict[str, Any] | None = None,
        buffers: list[bytes] | None = None,
    ) -> None:
        """Send a message to every client (iopub), as output of the request ``parent``; it is not recorded."""
        ...

    def send_reply(self, msg_type: str, content: dict[str, Any], parent: Message, ident: Ident) -> None:
        """Answer a request of one client (shell)."""
        ...

    async def execute_cell(self, request: ExecuteRequest, parent: Message, ident: Ident) -> ExecuteReply:
        """Run a cell in the namespace, one at a time.

        What it shows and what it asks for goes to ``parent`` and ``ident``. When the process dies, the error is
        published and stands in the reply (``status`` is still ``died``). All output has been published when this
        returns; ``execute_input``, ``busy``, ``idle`` and the reply message are the caller's.
        """
        ...

    async def count_on(self) -> int:
        """Give the number of the next cell, which no cell of this kernel had, whatever state was restored."""
        ...

    async def reserve_count(self, code: str = "") -> int:
        """Take the next execution count for a cell that does not run in the namespace; ``code`` goes to ``In``."""
        ...

    def request_of(self, msg_id: MsgId) -> Message | None:
        """Give a request that output can still belong to, by its message id."""
        ...

    async def input(self, prompt: str, password: bool, parent: MsgId | None) -> str:
        """Ask the person for a line, in the client that sent the request with this id."""
        ...

    def send_page(self, comm_id: str, data: dict[str, Any], parent: Message | None) -> None:
        """Send a message over a comm that a page has opened."""
        ...

    def busy_again(self) -> None:
        """Tell the clients that the running request is still busy: any ``idle`` makes them think otherwise."""
        ...

    def spawn(self, coro: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Start a task that is kept until it ends, and cancelled at shutdown; its errors are logged."""
        ...


def reply_content(reply: ExecuteReply) -> dict[str, Any]:
    """Give the content of the ``execute_reply`` message for what a cell did."""
    content: dict[str, Any] = {
        "status": "ok" if reply.status == "ok" else "error",
        "execution_count": reply.execution_count,
        "payload": reply.payload,
        "user_expressions": reply.user_expressions,
    }
    if reply.status != "ok":
        content.update(ename=reply.ename, evalue=reply.evalue, traceback=reply.traceback)
    return content
