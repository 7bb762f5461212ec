"""All nodes of a session, with the sums of what was spent."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

from rlm_kernel.usage import Usage, UsageDict

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rlm_kernel.ids import NodeId
    from rlm_kernel.trace.records import Node, NodeSummary


class TreeDict(TypedDict):
    """A node and everything below it, as the command line prints it."""

    id: str
    kind: str
    label: str
    status: str
    model: str | None
    error: str | None
    usage: UsageDict
    total: UsageDict
    children: list[TreeDict]


class Tree:
    """Holds nodes in the order in which they came, and keeps the sums at every ancestor.

    It does not decide anything: the engine adds and spends, everybody else reads.
    """

    def __init__(self) -> None:
        """Start empty."""
        self._nodes: dict[NodeId, Node] = {}
        self._children: dict[NodeId | None, list[NodeId]] = {None: []}
        self._totals: dict[NodeId, Usage] = {}

    def add(self, node: Node) -> None:
        """Put a node below its parent, which must be there already."""
        if node.id in self._nodes:
            raise ValueError(f"node {node.id} is in the tree already")
        self._children[node.parent_id].append(node.id)
        self._children[node.id] = []
        self._nodes[node.id] = node
        self._totals[node.id] = Usage()
        if node.usage != Usage():
            own, node.usage = node.usage, Usage()
            self.spend(node.id, own)

    def take(self, other: Tree, node_id: NodeId) -> None:
        """Put in a run of another tree, with everything below it."""
        self.add(other[node_id])
        for child in other.children(node_id):
            self.take(other, child.id)

    def remove(self, node_id: NodeId) -> list[NodeId]:
        """Take a run away that has no parent, with everything below it; gives the ids of all of it."""
        removed: list[NodeId] = []
        waiting = [node_id]
        self._children[None].remove(node_id)
        while waiting:
            each = waiting.pop()
            removed.append(each)
            waiting += self._children.pop(each)
            del self._nodes[each], self._totals[each]
        return removed

    def spend(self, node_id: NodeId, usage: Usage) -> None:
        """Add to what a node spent, and to the sums of all its ancestors."""
        node = self._nodes[node_id]
        node.usage = node.usage + usage
        for each in (node, *self.ancestors(node_id)):
            self._totals[each.id] = self._totals[each.id] + usage

    def __contains__(self, node_id: object) -> bool:
        """Tell whether a node is here."""
        return node_id in self._nodes

    def __getitem__(self, node_id: NodeId) -> Node:
        """Give a node by its id."""
        return self._nodes[node_id]

    def __len__(self) -> int:
        """Count the nodes."""
        return len(self._nodes)

    def __iter__(self) -> Iterator[Node]:
        """Go through all nodes, parents before their children."""
        return iter(self._nodes.values())

    def total(self, node_id: NodeId) -> Usage:
        """Give what a node and everything below it spent."""
        return self._totals[node_id]

    def cached(self, node_id: NodeId) -> int:
        """Count the replies from the memo, of a node and everything below it."""
        found, waiting = 0, [node_id]
        while waiting:
            each = waiting.pop()
            found += self._nodes[each].cached
            waiting += self._children[each]
        return found

    def spent(self, *node_ids: NodeId) -> str:
        """Say in one short line what nodes and everything below them took."""
        totals = (self._totals[each] for each in node_ids)
        return sum(totals, Usage()).describe(sum(self.cached(each) for each in node_ids))

    def children(self, node_id: NodeId | None) -> list[Node]:
        """Give the nodes right below one, in order; the roots for ``None``."""
        return [self._nodes[each] for each in self._children[node_id]]

    def ancestors(self, node_id: NodeId) -> Iterator[Node]:
        """Go from the parent of a node to the root."""
        parent = self._nodes[node_id].parent_id
        while parent is not None:
            node = self._nodes[parent]
            yield node
            parent = node.parent_id

    def summary(self, node_id: NodeId) -> NodeSummary:
        """Give the row of a node."""
        return self._nodes[node_id].summary(self._totals[node_id])

    def skeleton(self) -> list[NodeSummary]:
        """Give the rows of all nodes, parents before their children."""
        return [self.summary(each) for each in self._nodes]

    def to_dict(self, node_id: NodeId) -> TreeDict:
        """Give a node and everything below it as nested JSON."""
        node = self._nodes[node_id]
        return TreeDict(
            id=node.id,
            kind=node.kind,
            label=node.label,
            status=node.status,
            model=node.model,
            error=node.error,
            usage=node.usage.to_dict(),
            total=self._totals[node_id].to_dict(),
            children=[self.to_dict(each) for each in self._children[node_id]],
        )
