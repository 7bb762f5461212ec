"""Questions of a cell to the person: ``input()``, ``getpass``, ``pdb``."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from zmq.eventloop.zmqstream import ZMQStream

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jupyter_client.session import Session
    from tornado.ioloop import IOLoop

    from rlm_kernel.kernel.services import Ident, Message


class Stdin:
    """The stdin channel: one question at a time, awaited on the loop, given up when the asker is cancelled."""

    def __init__(self, session: Session, socket: Any, loop: IOLoop) -> None:
        self._session = session
        self._stream = ZMQStream(socket, loop)
        self._stream.on_recv(self._received, copy=False)
        self._one = asyncio.Lock()
        self._pending: asyncio.Future[str] | None = None
        self._request_id = ""

    async def ask(self, prompt: str, password: bool, parent: Message, ident: Ident) -> str:
        """Ask the client that sent ``parent`` and give what the person typed."""
        async with self._one:
            self._pending = asyncio.get_running_loop().create_future()
            content = {"prompt": prompt, "password": password}
            sent = self._session.send(self._stream, "input_request", content, parent, ident=ident)
            self._request_id = sent["header"]["msg_id"] if sent else ""
            try:
                return await self._pending
            finally:
                self._pending = None

    def _received(self, frames: Sequence[Any]) -> None:
        _, parts = self._session.feed_identities(list(frames), copy=False)
        try:
            message = self._session.deserialize(parts, content=True, copy=False)
        except ValueError:
            return  # a bad signature: not from a client of ours
        answers = (message["parent_header"] or {}).get("msg_id", self._request_id)
        # An answer that comes late, to a question that was given up, is not the answer to the next one. Clients
        # that leave the parent out (jupyter_client) are believed.
        if self._pending is None or self._pending.done() or answers != self._request_id:
            return
        self._pending.set_result(str(message["content"].get("value", "")))
