"""What a run takes over from the run it is a branch of."""

from __future__ import annotations

import os
from dataclasses import dataclass
from hashlib import blake2b
from time import time
from typing import TYPE_CHECKING, Literal, NamedTuple, cast

from rlm_kernel.engine.recorded import INSTEAD_OF, Recorded, prompt_of
from rlm_kernel.messages import Message, ModelRequest
from rlm_kernel.trace.records import Node, one_line
from rlm_kernel.usage import Usage

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rlm_kernel.engine.edits import Edit
    from rlm_kernel.engine.executor import ContextHandle, QueryDict
    from rlm_kernel.engine.scope import Scope
    from rlm_kernel.errors import RlmError
    from rlm_kernel.ids import NodeId
    from rlm_kernel.trace.tree import Tree

How = Literal["same", "edited", "inside", "new"]
CHUNK = 1 << 20
PLACE = ("line", "index")


@dataclass(slots=True)
class Change:
    """An edit, and where it is."""

    edit: Edit
    at: NodeId
    path: frozenset[NodeId]
    """The node, and all above it."""
    failed: RlmError | None = None
    """Why a child run on the way to it could not be brought back to where it was."""

    @classmethod
    def of(cls, tree: Tree, at: NodeId, edit: Edit) -> Change:
        """Make it."""
        return cls(edit, at, frozenset({at, *(each.id for each in tree.ancestors(at))}))


class Found(NamedTuple):
    """What is done for one prompt of a query."""

    how: How
    """``same``: it is taken over. ``edited``: it is the one that is changed. ``inside``: the change is below it."""
    node: Node | None = None
    """The call or child run of the original turn."""
    change: Change | None = None
    """With ``edited`` and ``inside``."""

    @property
    def edit(self) -> Edit | None:
        """What is changed here."""
        return self.change.edit if self.change is not None and self.how == "edited" else None


class Reuse:
    """Answers the queries of a cell that runs again with what they were answered the first time.

    Only what is asked in the same way is the same: prompt, model and schema, and for a child run its context. Each
    reply is given once. What failed then is asked anew.

    Args:
        tree: Has the turn.
        turn: The turn whose cell it was.
        change: Where the change is, if it is below the turn.
        strict: Give failures too: the cell runs only to come back to where it was.
    """

    def __init__(self, tree: Tree, turn: Node, change: Change | None, *, strict: bool = False) -> None:
        self._recorded = Recorded(tree, source(tree, turn))
        self._change = change
        self._strict = strict
        self.missed = 0
        """Prompts that the turn did not ask then."""

    def take(self, query: QueryDict, model: str, contexts: Iterable[str | None]) -> list[Found]:
        """Give what is done for each reply that a query wants.

        Args:
            query: What the cell asks.
            model: The model it asks.
            contexts: Fingerprints of the contexts of child runs, one for each reply.

        Raises:
            DepthReached: It was refused child runs then.
        """
        schema = query.get("schema")
        nodes = self._recorded.take_all(query)
        return [self._judge(node, model, schema, each) for node, each in zip(nodes, contexts, strict=True)]

    def _judge(self, node: Node | None, model: str, schema: str | None, context: str | None) -> Found:
        change = self._change
        if node is None:
            self.missed += 1
            return Found("new")
        if change is not None and node.id == change.at:
            return Found("edited", node, change)
        if change is not None and node.id in change.path:
            return Found("inside", node, change)
        details = node.details
        same = asked_model(node) == model and details.get("schema") == schema and details.get("context") == context
        if same and (node.status == "done" or self._strict):
            return Found("same", node)
        return Found("new")


def asked_model(node: Node) -> str:
    """Name the model that was asked for a call or run; the node names the one that says it answered."""
    asked = node.details.get("asked")
    return asked if isinstance(asked, str) else node.model or ""


def sample_of(node: Node) -> int:
    """Tell the how-many-th reply to its request a node got."""
    sample = node.details.get("sample")
    return sample if isinstance(sample, int) else 0


def as_it_was(copy: Node, original: Node) -> Node:
    """Let a node be what another is, without having cost anything."""
    for name in ("label", "status", "outcome", "model", "error", "remedy", "prompt", "reply", "code", "output"):
        setattr(copy, name, getattr(original, name))
    copy.cell_id, copy.execution_count, copy.entry = original.cell_id, original.execution_count, original.entry
    copy.started, copy.ended = original.started, original.ended
    copy.cached, copy.usage = True, Usage()
    copy.details = {**original.details, "kept": original.id}
    return copy


def source(tree: Tree, turn: Node) -> Node:
    """Give the turn that a turn was taken over from, in the end: it has the calls."""
    kept = turn.details.get("kept")
    while isinstance(kept, str) and kept in tree:
        turn = tree[kept]  # type: ignore[index]
        kept = turn.details.get("kept")
    return turn


def take_over(scope: Scope, node: Node, found: Found) -> bool:
    """Give a new call or child run what is known of it; tells whether nothing is left to be done.

    Args:
        scope: The run's.
        node: Is not in the tree yet.
        found: The one it repeats, and what is changed in it.
    """
    original, edit = found.node, found.edit
    if original is None or found.how == "new":
        return False
    if found.how != "inside":
        claim(scope, original)
    if found.how == "same":
        place = {name: value for name, value in node.details.items() if name in PLACE}
        as_it_was(node, original)
        node.details = {**node.details, **place}
        return True
    if edit is None:
        return False
    node.details = {**node.details, "edited": edit.kind}
    if edit.model:
        node.model = edit.model
    if edit.kind == "prompt":
        relabel(node, edit.text)
    if edit.kind != "reply":
        return False
    node.status, node.reply, node.cached = "done", edit.text, True
    node.outcome = "answered" if node.kind == "run" else None
    node.started = node.ended = time()
    return True


def claim(scope: Scope, node: Node) -> None:
    """Count the request of a call or child run that is not made: later ones keep their numbers."""
    if node.kind == "run":
        scope.numbers.claim((prompt_of(node), asked_model(node)), sample_of(node))
        return
    schema = cast("str | None", node.details.get("schema"))
    if "edited" in node.details:
        # The one that was changed counts as well: its number is not known, the next one is as good.
        scope.numbers.take(ModelRequest(asked_model(node), (Message("user", prompt_of(node)),), schema=schema))
    if node.status == "done" and node.details.get("edited") != "reply":
        asked = ModelRequest(asked_model(node), (Message("user", node.prompt),), schema=schema)
        scope.numbers.claim(asked, sample_of(node))


def relabel(node: Node, prompt: str) -> None:
    """Give a call or child run another prompt than its cell has."""
    node.details = {**node.details, INSTEAD_OF: node.prompt}
    node.prompt, node.label = prompt, one_line(prompt) or "(empty prompt)"


def fingerprints(contexts: Iterable[ContextHandle]) -> list[str]:
    """Give a short name for what each context says; for use in a thread: it reads all of it once."""
    known: dict[ContextHandle, str] = {}
    names = []
    for each in contexts:
        if each not in known:
            known[each] = _fingerprint(each)
        names.append(known[each])
    return names


def _fingerprint(context: ContextHandle) -> str:
    found, at, end = blake2b(digest_size=8), context.offset, context.offset + context.length
    while at < end and (data := os.pread(context.fd, min(CHUNK, end - at), at)):
        found.update(data)
        at += len(data)
    return found.hexdigest()
