"""The requests that output of the namespace may belong to."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from rlm_kernel.ids import MsgId
    from rlm_kernel.kernel.services import Ident, Message
    from rlm_kernel.kernel.shortened import Shortener

KEPT = 500
"""Background tasks print long after their cell, so requests are kept after their reply."""


class Parent(NamedTuple):
    """Where the output of a cell or a comm message goes."""

    msg_id: MsgId
    """The id under which the namespace knows it."""
    message: Message
    """The request the output is published under; the question's own where a model's cell has no cell in the page."""
    ident: Ident
    """Whom to ask for input; empty for comm messages."""
    shortener: Shortener | None = None
    """Shortens what is shown of it; ``None``: all is shown."""


class Parents:
    """The last requests, by the id the namespace names them with; what names none of them belongs to the last one."""

    def __init__(self) -> None:
        self._known: OrderedDict[MsgId, Parent] = OrderedDict()

    def keep(self, msg_id: MsgId, message: Message, ident: Ident, shortener: Shortener | None = None) -> None:
        """Note a request that runs in the namespace now."""
        self._known[msg_id] = Parent(msg_id, message, ident, shortener)
        self._known.move_to_end(msg_id)
        while len(self._known) > KEPT:
            self._known.popitem(last=False)

    def get(self, msg_id: MsgId | None) -> Parent | None:
        """Give the request with this id, if it is still known."""
        return self._known.get(msg_id) if msg_id else None

    def of(self, msg_id: MsgId | None) -> Parent | None:
        """Give the request with this id, else the last one; nothing before the first."""
        return self.get(msg_id) or next(reversed(self._known.values()), None)

    def asker(self, msg_id: MsgId | None) -> Parent | None:
        """Give the request whose client can be asked for input: this one, else the last cell (for a callback)."""
        known = self.get(msg_id)
        if known is not None and known.ident:
            return known
        return next((parent for parent in reversed(self._known.values()) if parent.ident), None)
