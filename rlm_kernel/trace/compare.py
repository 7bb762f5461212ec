"""Two runs side by side; signatures first."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from rlm_kernel.ids import NodeId
    from rlm_kernel.trace.tree import Tree
    from rlm_kernel.usage import UsageDict


class SideDict(TypedDict):
    """One of two runs that are compared."""

    id: str
    question: str
    model: str | None
    outcome: str | None
    answer: str
    error: str | None
    usage: UsageDict
    """Of the run with everything below it."""
    turns: int


class TurnSideDict(TypedDict):
    """A turn of one of the two."""

    id: str
    code: str
    output: str
    reply: str
    cost: UsageDict
    """With its calls."""
    calls: int


class TurnPairDict(TypedDict):
    """The same turn in both; ``None`` where a run has no such turn."""

    turn: int
    same: bool
    """Whether cell and output are the same."""
    a: TurnSideDict | None
    b: TurnSideDict | None


class CompareDict(TypedDict):
    """Two runs side by side."""

    a: SideDict
    b: SideDict
    turns: list[TurnPairDict]


def compare(tree: Tree, a: NodeId, b: NodeId) -> CompareDict:
    """Set two runs side by side.

    Args:
        tree: Holds both.
        a: A run.
        b: Another.
    """
    pairs: list[TurnPairDict] = []
    one, two = _turns(tree, a), _turns(tree, b)
    for at in range(max(len(one), len(two))):
        left, right = (one[at] if at < len(one) else None), (two[at] if at < len(two) else None)
        same = left is not None and right is not None and all(left[k] == right[k] for k in ("code", "output", "reply"))
        pairs.append(TurnPairDict(turn=at + 1, same=same, a=left, b=right))
    return CompareDict(a=_side(tree, a, len(one)), b=_side(tree, b, len(two)), turns=pairs)


def _side(tree: Tree, run: NodeId, turns: int) -> SideDict:
    node = tree[run]
    return SideDict(
        id=node.id,
        question=node.prompt,
        model=node.model,
        outcome=node.outcome,
        answer=node.reply,
        error=node.error,
        usage=tree.total(run).to_dict(),
        turns=turns,
    )


def _turns(tree: Tree, run: NodeId) -> list[TurnSideDict]:
    return [
        TurnSideDict(
            id=turn.id,
            code=turn.code,
            output=turn.output,
            reply=turn.reply,
            cost=tree.total(turn.id).to_dict(),
            calls=len(tree.children(turn.id)),
        )
        for turn in tree.children(run)
        if turn.kind == "turn"
    ]
