"""The memo: what was answered once is not paid again."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from hashlib import blake2b
from typing import TYPE_CHECKING, Protocol

from rlm_kernel.messages import ModelRequest
from rlm_kernel.usage import Usage

if TYPE_CHECKING:
    from rlm_kernel.ids import NodeId
    from rlm_kernel.messages import ModelReply

FORMAT = 1
"""Part of every key: with another way of making keys, old ones must not match."""
NO_MATTER = frozenset({"purpose"})
"""Fields of a request that an endpoint never sees."""
_FIELDS = tuple(each.name for each in fields(ModelRequest) if each.name not in NO_MATTER | {"messages"})


def request_key(request: ModelRequest, endpoint: str) -> str:
    """Give the key under which the reply to a request is kept.

    Two requests have the same key exactly where an endpoint could not tell them apart and the run means the same by
    them: every field counts (the sample number too), new ones by themselves.

    Args:
        request: As it was meant, before a ledger bounds its reply.
        endpoint: Which endpoint is asked; the same name may be another model elsewhere.
    """
    parts = [
        FORMAT,
        endpoint,
        [[message.role, message.content] for message in request.messages],
        {name: getattr(request, name) for name in _FIELDS},
    ]
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"))
    return blake2b(text.encode("ascii"), digest_size=16).hexdigest()


class MemoStore(Protocol):
    """Keeps replies by the key of their request."""

    def find(self, key: str) -> ModelReply | None:
        """Give the reply kept under a key, as `answered_before` gives it; ``None``: it must be asked for."""
        ...

    def keep(self, key: str, request: ModelRequest, reply: ModelReply) -> None:
        """Keep a reply where it may be given again (see `is_kept`); else do nothing. Returns at once."""
        ...

    def intent(self, key: str, node_id: NodeId) -> None:
        """Note that a request is about to be sent for a node; returns at once."""
        ...

    def done(self, key: str, node_id: NodeId) -> None:
        """Note that the request is over without a reply to keep; returns at once."""
        ...


class Memo:
    """Keeps replies in memory: they last as long as the object."""

    def __init__(self) -> None:
        self._replies: dict[str, ModelReply] = {}

    def find(self, key: str) -> ModelReply | None:
        """Give the reply kept under a key."""
        return self._replies.get(key)

    def keep(self, key: str, request: ModelRequest, reply: ModelReply) -> None:
        """Keep a reply, if it is complete; a newer one (asked for with ``--fresh``) takes its place."""
        if is_kept(reply):
            self._replies[key] = answered_before(reply)

    def intent(self, key: str, node_id: NodeId) -> None:
        """Do nothing: memory does not outlive what is under way."""

    def done(self, key: str, node_id: NodeId) -> None:
        """Do nothing."""


def is_kept(reply: ModelReply) -> bool:
    """Tell whether a reply may stand for a later one: only one that ended by itself, and was not kept before."""
    return reply.finish == "stop" and not reply.cached


def answered_before(reply: ModelReply) -> ModelReply:
    """Give a reply as it comes from the memo: nothing was asked, so nothing was spent."""
    return replace(reply, usage=Usage(), cached=True, attempts=())
