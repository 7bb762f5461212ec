"""The wire side of the kernel, typed: the one place that knows ipykernel's session and sockets."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from ipykernel.jsonutil import json_clean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ipykernel.kernelbase import Kernel

    from rlm_kernel.kernel.services import Ident, Message

Json = dict[str, Any]
log = logging.getLogger(__name__)


def clean(value: Any) -> Any:
    """Give a value as plain JSON (dates as text)."""
    return json_clean(value)  # type: ignore[no-untyped-call]


class Channels:
    """Sends and receives on shell and iopub; every message names its parent, nothing is taken from a context."""

    def __init__(self, kernel: Kernel) -> None:
        if kernel.session is None or kernel.shell_stream is None:
            raise ValueError("The kernel has no channels.")
        self.session = kernel.session
        self.shell = kernel.shell_stream
        self._iopub = kernel.iopub_socket
        self._kernel = kernel

    def unpack(self, frames: Sequence[Any]) -> tuple[Ident, Message] | None:
        """Check the signature of a message and unpack it; nothing for one that is not valid."""
        try:
            idents, parts = self.session.feed_identities(list(frames), copy=False)
            return list(idents), self.session.deserialize(parts, content=True, copy=False)
        except Exception:
            log.exception("Not a valid message")
            return None

    def publish(
        self,
        msg_type: str,
        content: Json,
        parent: Message,
        metadata: Json | None = None,
        buffers: Sequence[bytes] | None = None,
    ) -> None:
        """Send to every client."""
        topic = self._kernel._topic(msg_type)  # type: ignore[no-untyped-call]
        parts: list[Any] | None = list(buffers) if buffers else None
        self.session.send(self._iopub, msg_type, content, parent, ident=topic, metadata=metadata, buffers=parts)

    def state(self, state: str, parent: Message) -> None:
        """Publish ``busy`` or ``idle`` for a request."""
        self.publish("status", {"execution_state": state}, parent)

    def reply(self, msg_type: str, content: Json, parent: Message, ident: Ident) -> None:
        """Answer one client on the shell channel."""
        metadata = {"status": content.get("status", "ok")}
        self.session.send(self.shell, msg_type, clean(content), parent, ident=ident, metadata=metadata)

    def reply_to(self, request: Message, content: Json, ident: Ident) -> None:
        """Answer a request with the reply type that belongs to it."""
        self.reply(request["header"]["msg_type"].removesuffix("_request") + "_reply", content, request, ident)

    def drain(self) -> None:
        """Receive what has already arrived on the shell channel."""
        self.shell.flush()
