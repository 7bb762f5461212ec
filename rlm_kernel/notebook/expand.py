"""Turns the one-output form of a run into real cells."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rlm_kernel.ids import new_cell_id
from rlm_kernel.notebook.cells import RUN_MIME
from rlm_kernel.notebook.files import make_cell, make_output

if TYPE_CHECKING:
    from nbformat import NotebookNode


def expand(notebook: NotebookNode) -> int:
    """Put the cells that ``application/vnd.rlm.run+json`` outputs carry below their question, in place.

    Cells of the same run, and cells of an earlier run of the same question, are replaced; so doing it twice
    changes nothing.

    Returns:
        How many runs were expanded; 0 leaves the notebook as it was.
    """
    found = [(cell.id, payload) for cell in notebook.cells if (payload := _payload(cell)) is not None]
    for anchor, payload in found:
        _expand_one(notebook, anchor, payload)
    return len(found)


def drop_model_cells(notebook: NotebookNode) -> int:
    """Remove the cells a model wrote below a question that is still there: running the question makes them anew.

    Returns:
        How many were removed.
    """
    questions = {cell.id for cell in notebook.cells if is_question(cell.source)}
    kept = [cell for cell in notebook.cells if _mark(cell).get("anchor") not in questions]
    dropped = len(notebook.cells) - len(kept)
    notebook.cells = kept
    return dropped


def is_question(source: str) -> bool:
    """Tell whether a cell is a ``%%rlm`` cell, or one that goes on with another; blank lines before it are allowed."""
    words = source.split(None, 2)
    if words[:2] == ["%rlm", "rerun"]:
        return True
    if words[:2] in (["%rlm", "continue"], ["%rlm", "resume"]):
        return "\n" not in source.strip()
    return bool(words) and words[0] in ("%%rlm", "%%rlm?")


def _payload(cell: NotebookNode) -> dict[str, Any] | None:
    """Find what a question's output carries; anything that is not of our shape is left alone."""
    for output in reversed(cell.get("outputs") or []):
        payload = (output.get("data") or {}).get(RUN_MIME)
        if isinstance(payload, dict) and payload.get("version") == 1 and _usable(payload.get("cells")):
            return payload
    return None


def _usable(cells: object) -> bool:
    return isinstance(cells, list) and all(
        isinstance(cell, dict) and cell.get("cell_type") in ("code", "markdown") and isinstance(cell.get("source"), str)
        for cell in cells
    )


def _mark(cell: Any) -> dict[str, Any]:
    """Give what marks a cell as the model's; a copy a person made of one carries the mark too, and is not."""
    mark = (cell.get("metadata") or {}).get("rlm")
    if not isinstance(mark, dict) or mark.get("author") != "model" or mark.get("cell_id", cell.id) != cell.id:
        return {}
    return mark


def _expand_one(notebook: NotebookNode, anchor: str, payload: dict[str, Any]) -> None:
    run_id = payload.get("run_id")
    kept = [
        cell
        for cell in notebook.cells
        if cell.id == anchor
        or not (_mark(cell) and (_mark(cell).get("run_id") == run_id or _mark(cell).get("anchor") == anchor))
    ]
    at = next(place for place, cell in enumerate(kept) if cell.id == anchor)
    question = kept[at]
    question.outputs = [make_output(each) for each in payload.get("outputs") or []]
    question.execution_count = payload.get("execution_count")
    taken = {cell.id for cell in kept}
    working = []
    for each in payload["cells"]:
        cell = make_cell(each)
        marked = _mark(cell)
        if cell.id in taken:
            cell.id = new_cell_id()
        taken.add(cell.id)
        if marked:
            cell.metadata["rlm"].update(anchor=anchor, cell_id=cell.id)
        working.append(cell)
    notebook.cells = [*kept[: at + 1], *working, *kept[at + 1 :]]
