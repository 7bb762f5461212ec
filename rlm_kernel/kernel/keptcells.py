"""Which cells of one run belong to the next one too, and cells made anew from what a run has left behind."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rlm_kernel.ids import CellId, child_id
from rlm_kernel.notebook.cells import RlmMetadata

if TYPE_CHECKING:
    from rlm_kernel.ids import NodeId
    from rlm_kernel.kernel.journal import LiveCell, LiveRun
    from rlm_kernel.trace.records import Node
    from rlm_kernel.trace.tree import Tree


def kept_cells(tree: Tree, run: Node, before: LiveRun) -> list[LiveCell]:
    """Take the cells of a run that stay where they are when another takes its place.

    Args:
        tree: Has both runs.
        run: The new one: a branch, or one that goes on with the other.
        before: The one that is shown now.

    Returns:
        The cells, marked as the new run's; none where the two have nothing in common.
    """
    branch = run.details.get("branch")
    if isinstance(branch, dict):
        return _of_branch(tree, run, before, branch)
    last = run.details.get("continues")
    return _continued(tree, run, before) if last is not None and before.run_id == last else []


def _of_branch(tree: Tree, run: Node, before: LiveRun, branch: dict[str, object]) -> list[LiveCell]:
    edit = branch.get("edit")
    continues = isinstance(edit, dict) and edit.get("kind") == "continue"
    turns = turns_before(tree, branch.get("at"), include=continues)
    numbers = {turn.cell_id: number for number, turn in enumerate(turns, 1)}
    kept = [cell for cell in before.cells if cell.turn.cell_id in numbers]
    for cell in kept:
        own = child_id(run.id, "turn", numbers[cell.turn.cell_id])
        cell.mark = _marked(cell, run, own, kept=cell.turn.id)
    return kept


def _continued(tree: Tree, run: Node, before: LiveRun) -> list[LiveCell]:
    """Keep what the model was told of; a turn that was cut short is done again."""
    last = before.cells[-1].turn if before.cells else None
    kept = [cell for cell in before.cells if cell.turn is not last or last.status == "done"]
    for cell in kept:
        cell.mark = _marked(cell, run, cell.turn.id)
    return kept


def _marked(cell: LiveCell, run: Node, node_id: NodeId, kept: str | None = None) -> RlmMetadata:
    cell.stale = False
    mark = RlmMetadata(**{**cell.mark, "run_id": run.run_id, "node_id": node_id})
    if kept is not None:
        mark["kept"] = kept
    return mark


def turns_before(tree: Tree, node_id: object, *, include: bool = False) -> list[Node]:
    """Give the turns of a question before the one that a node is in; none before the question itself.

    Args:
        tree: Has them.
        node_id: A node of the question: a turn, or something below one.
        include: Whether that turn is wanted too.
    """
    if not isinstance(node_id, str) or node_id not in tree:
        return []
    node = tree[node_id]  # type: ignore[index]
    way = [node, *tree.ancestors(node.id)]
    if len(way) < 2:
        return []
    top, root = way[-2], way[-1]
    turns = [each for each in tree.children(root.id) if each.kind == "turn"]
    at = turns.index(top) if top in turns else 0
    return turns[: at + include]


def as_cell_id(value: object) -> CellId | None:
    """Take a cell's id from a request; ``None`` where it is none."""
    return CellId(value) if isinstance(value, str) and value else None
