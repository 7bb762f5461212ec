"""A run as a notebook file: setup, question, answer, the working."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from rlm_kernel.engine.parse import ReplySplitter
from rlm_kernel.ids import CellId, new_cell_id, number_of
from rlm_kernel.notebook.answer import question_outputs
from rlm_kernel.notebook.cells import Place, Ran, code_cell, finished, prose_cell, rlm_metadata
from rlm_kernel.notebook.files import make_notebook, write_notebook

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from rlm_kernel.engine.executor import CellResult
    from rlm_kernel.ids import NodeId
    from rlm_kernel.notebook.cells import CellDict
    from rlm_kernel.trace.records import Node
    from rlm_kernel.trace.tree import Tree


def write_run_notebook(
    path: Path, tree: Tree, run: Node, results: Mapping[NodeId, CellResult], setup_code: Sequence[str] = ()
) -> Path:
    """Write a run as a valid notebook on the RLM kernel, atomically.

    Args:
        path: The notebook to write; an existing one is replaced only when the new one is complete.
        tree: The session's tree.
        run: The run's node.
        results: What the cells of the run's turns did, by the turn's node id.
        setup_code: Code cells that stand before the question (``load("file.txt")``).

    Returns:
        The path written.
    """
    nothing = Ran([], None)
    setup = [code_cell(new_cell_id(), code, nothing) for code in setup_code]
    return write_notebook(path, make_notebook([*setup, *run_cells(tree, run, results)]))


def run_cells(tree: Tree, run: Node, results: Mapping[NodeId, CellResult]) -> list[CellDict]:
    """Make the cells of a run: the question with its answer, then prose and code of each turn."""
    anchor = run.cell_id or new_cell_id()
    question = code_cell(anchor, question_source(run), Ran(question_outputs(tree, run), run.execution_count))
    cells = [question]
    for turn in tree.children(run.id):
        if turn.kind == "turn":
            cells += turn_cells(tree, turn, results.get(turn.id), anchor)
    return cells


def question_source(run: Node) -> str:
    """Give the cell a person would have typed."""
    model = f" --model {shlex.quote(run.model)}" if run.model else ""
    return f"%%rlm{model}\n{run.prompt}"


def turn_cells(tree: Tree, turn: Node, result: CellResult | None, anchor: CellId) -> list[CellDict]:
    """Make the prose cell and the code cell of a turn; a part that is empty has none."""
    splitter = ReplySplitter()
    splitter.feed(turn.reply)
    splitter.finish()
    number = number_of(turn.id)
    cells: list[CellDict] = []
    if prose := splitter.prose.strip():
        cell_id = new_cell_id()
        mark = finished(rlm_metadata(turn, "prose", number, Place(cell_id, anchor)), turn, tree)
        cells.append(prose_cell(cell_id, mark, prose))
    code = turn.code or splitter.code
    if code.strip():
        cell_id = turn.cell_id or new_cell_id()
        mark = finished(rlm_metadata(turn, "code", number, Place(cell_id, anchor)), turn, tree)
        ran = Ran(result.outputs, result.execution_count) if result else Ran([], None)
        cells.append(code_cell(cell_id, code.rstrip("\n"), ran, mark))
    return cells
