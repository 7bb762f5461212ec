"""What was answered to a cell when it ran, found again by what it asks."""

from __future__ import annotations

from collections import defaultdict, deque
from typing import TYPE_CHECKING, Literal

from rlm_kernel.engine.executor import DepthReached

if TYPE_CHECKING:
    from rlm_kernel.engine.executor import QueryDict
    from rlm_kernel.trace.records import Node
    from rlm_kernel.trace.tree import Tree

Asked = Literal["call", "run"]
AT_DEPTH = "at_depth"
"""In the details of a turn: for each query that found no level of child runs left, how many characters fitted."""


class Recorded:
    """The calls and child runs below one turn; each is given once, those with the same prompt in their order.

    Args:
        tree: Has them.
        turn: The turn; or a run that is no question, made by a query of a person's cell.
    """

    def __init__(self, tree: Tree, *turns: Node) -> None:
        self._left: defaultdict[tuple[str, str], deque[Node]] = defaultdict(deque)
        self._depths: deque[int] = deque()
        for turn in turns:
            for node in tree.children(turn.id):
                if node.kind != "turn":
                    self._left[node.kind, node.prompt].append(node)
            depths = turn.details.get(AT_DEPTH)
            self._depths.extend(each for each in (depths if isinstance(depths, list) else []) if isinstance(each, int))

    def take(self, kind: Asked, prompt: str) -> Node | None:
        """Give the next call or child run with this prompt; ``None``: there was no such, or no more of them."""
        left = self._left.get((kind, prompt))
        return left.popleft() if left else None

    def take_all(self, query: QueryDict) -> list[Node | None]:
        """Give what a query was answered with, one node for each reply it wants, in order.

        Raises:
            DepthReached: It wants child runs and was refused them then.
        """
        child = query.get("kind") == "rlm"
        prompts = [prompt for prompt in query["prompts"] for _ in range(query.get("n") or 1)]
        if child and self._depths and not any(self._left.get(("run", prompt)) for prompt in prompts):
            raise DepthReached(self._depths.popleft())
        return [self.take("run" if child else "call", prompt) for prompt in prompts]

    @property
    def left(self) -> int:
        """How many were not taken."""
        return sum(map(len, self._left.values()))
