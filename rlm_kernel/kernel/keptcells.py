"""Which cells of one run belong to the next one too."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rlm_kernel.ids import NodeId, child_id
from rlm_kernel.notebook.cells import RlmMetadata

if TYPE_CHECKING:
    from rlm_kernel.engine.edits import Edit
    from rlm_kernel.engine.history import History
    from rlm_kernel.kernel.journal import LiveCell, LiveRun
    from rlm_kernel.trace.records import BranchMark, Node
    from rlm_kernel.trace.tree import Tree


def kept_cells(tree: Tree, run: Node, before: LiveRun, history: History) -> list[LiveCell]:
    """Take the cells of a run that stay where they are when another takes its place.

    Args:
        tree: Has both runs.
        run: The new one, which has just begun: a branch, or one that goes on with the other.
        before: The one that is shown now.
        history: Knows what the person has made of a cell.

    Returns:
        The cells, marked as the new run's; none where the two have nothing in common.
    """
    branch = run.details.get("branch")
    if isinstance(branch, dict):
        return _of_branch(tree, run, before, history)
    return _continued(tree, run, before) if "continues" in run.details else []


def turns_kept(tree: Tree, run: Node, at: NodeId, edit: Edit) -> list[Node]:
    """Give the turns before the one with a change; that one too, where the person has run its cell already.

    Args:
        tree: Has them.
        run: The run that is changed.
        at: Where.
        edit: How.
    """
    from rlm_kernel.engine.course import split, turns_of
    from rlm_kernel.engine.reuse import Change

    turns, turn = split(turns_of(tree, run), Change.of(tree, at, edit))
    return [*turns, *([turn] if turn is not None and edit.kind == "continue" else [])]


def _of_branch(tree: Tree, run: Node, before: LiveRun, history: History) -> list[LiveCell]:
    from rlm_kernel.engine.edits import Edit

    mark: BranchMark = run.details["branch"]  # type: ignore[assignment]
    edit = Edit.from_dict(mark["edit"])
    turns = turns_kept(tree, tree[NodeId(mark["of"])], NodeId(mark["at"]), edit)
    numbers = {turn.cell_id: number for number, turn in enumerate(turns, 1)}
    kept = [cell for cell in before.cells if cell.turn.cell_id in numbers]
    for cell in kept:
        _mark(cell, run, child_id(run.id, "turn", numbers[cell.turn.cell_id]))
        cell.mark["kept"] = cell.turn.id
    if edit.kind == "continue":
        _as_run(kept, history)
    return kept


def _as_run(cells: list[LiveCell], history: History) -> None:
    """Let the last cell be as the person has run it."""
    entry = history.of_cell(cells[-1].cell_id) if cells else None
    if entry is not None:
        cells[-1].source, cells[-1].sent, cells[-1].shows = entry.code, len(entry.code), list(entry.outputs)


def _continued(tree: Tree, run: Node, before: LiveRun) -> list[LiveCell]:
    """Keep what the model was told of; a turn that was cut short is done again."""
    from rlm_kernel.engine.course import turns_of

    told = {turn.id for turn in turns_of(tree, run)}
    cells = {turn.cell_id for turn in turns_of(tree, run)}
    kept = [cell for cell in before.cells if cell.turn.id in told or cell.turn.cell_id in cells]
    for cell in kept:
        _mark(cell, run, cell.turn.id)
    return kept


def _mark(cell: LiveCell, run: Node, node_id: NodeId) -> None:
    cell.stale = False
    cell.mark = RlmMetadata(**{**cell.mark, "run_id": run.run_id, "node_id": node_id})
