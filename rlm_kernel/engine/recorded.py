"""What was answered to a cell when it ran, found again by what it asks."""

from __future__ import annotations

from collections import defaultdict, deque
from typing import TYPE_CHECKING, Literal

from rlm_kernel.engine.executor import DepthReached, ReplyDict

if TYPE_CHECKING:
    from rlm_kernel.engine.executor import QueryDict
    from rlm_kernel.trace.records import Node
    from rlm_kernel.trace.tree import Tree

Asked = Literal["call", "run"]
STOPPED = "Stopped before the reply came."
BEST = 2_000
"""Characters of the best answer so far that are told of a child that did not finish."""
INSTEAD_OF = "instead_of"
"""In the details of a call or child run: the prompt its cell gave, where a person gave another one."""
AT_DEPTH = "at_depth"
"""In the details of a turn: for each query that found no level of child runs left, how many characters fitted."""


class Recorded:
    """The calls and child runs below one turn; each is given once, those with the same prompt in their order.

    Args:
        tree: Has them.
        turns: The turn; or the runs that are no questions, made by the queries of a person's cell.
    """

    def __init__(self, tree: Tree, *turns: Node) -> None:
        self._left: defaultdict[tuple[str, str], deque[Node]] = defaultdict(deque)
        self._depths: deque[int] = deque()
        for turn in turns:
            for node in tree.children(turn.id):
                if node.kind != "turn":
                    self._left[node.kind, prompt_of(node)].append(node)
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


def prompt_of(node: Node) -> str:
    """Give the prompt that the cell gave."""
    given = node.details.get(INSTEAD_OF)
    return given if isinstance(given, str) else node.prompt


def reply_of(tree: Tree, node: Node, schema: str | None = None) -> ReplyDict:
    """Give what a cell gets for a call or a child run that is over.

    Args:
        tree: Has the node, and below a child run what it spent.
        node: The call or child run.
        schema: What the reply had to fit.
    """
    if node.kind == "run":
        error = None if node.outcome == "answered" else _problem(node)
        if error is not None and node.reply:
            error = f"{error} Its best answer so far: {node.reply[:BEST]}"
        return ReplyDict(text=node.reply, error=error, node_id=node.id, usage=tree.total(node.id).to_dict())
    error = None if node.status == "done" else _problem(node)
    text = "" if schema is not None and error else node.reply
    return ReplyDict(text=text, error=error, node_id=node.id, usage=node.usage.to_dict())


def _problem(node: Node) -> str:
    return " ".join(filter(None, [node.error, node.remedy])) or STOPPED
