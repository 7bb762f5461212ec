"""Notebook files: read, made, and written so that nothing is ever half there."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rlm_kernel.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nbformat import NotebookNode

    from rlm_kernel.notebook.cells import CellDict

KERNELSPEC = {"name": "rlm", "display_name": "RLM (Python)", "language": "python"}
LANGUAGE = {"name": "python", "mimetype": "text/x-python", "file_extension": ".py", "pygments_lexer": "ipython3"}


def make_cell(cell: CellDict | dict[str, Any]) -> NotebookNode:
    """Make a cell as nbformat has it, from the fields that are known; others are left out."""
    from nbformat.v4 import new_code_cell, new_markdown_cell

    fields: dict[str, Any] = {"source": str(cell["source"]), "metadata": _plain(cell.get("metadata") or {})}
    if cell.get("id"):
        fields["id"] = str(cell["id"])
    if cell["cell_type"] == "markdown":
        return new_markdown_cell(**fields)  # type: ignore[no-any-return,no-untyped-call]
    outputs = [make_output(each) for each in cell.get("outputs") or []]
    fields["execution_count"] = cell.get("execution_count")
    return new_code_cell(outputs=outputs, **fields)  # type: ignore[no-any-return,no-untyped-call]


def make_output(output: Any) -> NotebookNode:
    """Make an output as nbformat has it."""
    from nbformat.v4 import new_output

    fields = {key: _plain(value) for key, value in output.items() if key not in ("output_type", "transient")}
    return new_output(output["output_type"], **fields)  # type: ignore[no-any-return,no-untyped-call]


def _plain(value: Any) -> Any:
    from nbformat import from_dict

    return from_dict(value)  # type: ignore[no-untyped-call]


def make_notebook(cells: Sequence[CellDict]) -> NotebookNode:
    """Make a notebook on the RLM kernel."""
    from nbformat.v4 import new_notebook

    metadata = {"kernelspec": dict(KERNELSPEC), "language_info": dict(LANGUAGE)}
    return new_notebook(cells=[make_cell(cell) for cell in cells], metadata=metadata)  # type: ignore[no-any-return,no-untyped-call]


def read_notebook(path: Path) -> NotebookNode:
    """Read a notebook and bring it to nbformat 4.5.

    Raises:
        InputError: It is not there, or not a notebook.
    """
    import nbformat

    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(content, dict) or not isinstance(content.get("cells", content.get("worksheets")), list):
            raise InputError(f"{path} is not a valid notebook: it has no cells.", "Give an .ipynb file.")
        notebook = nbformat.reads(json.dumps(content), as_version=4)  # type: ignore[no-untyped-call]
        nbformat.validate(notebook)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}.", "Check the path.") from error
    except (ValueError, nbformat.ValidationError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise InputError(f"{path} is not a valid notebook: {reason[:120]}", "Give an .ipynb file.") from error
    _to_minor_5(notebook)
    return notebook  # type: ignore[no-any-return]


def _to_minor_5(notebook: NotebookNode) -> None:
    """Cells have ids from 4.5 on; ours need them."""
    from nbformat.v4 import new_code_cell

    if notebook.nbformat_minor < 5:
        notebook.nbformat_minor = 5
        for cell in notebook.cells:
            cell.setdefault("id", new_code_cell().id)  # type: ignore[no-untyped-call]


def write_notebook(path: Path, notebook: NotebookNode) -> Path:
    """Validate a notebook and put it in place in one step; on any failure the old file stays as it was."""
    import nbformat

    nbformat.validate(notebook)
    text = nbformat.writes(notebook, version=nbformat.NO_CONVERT)  # type: ignore[no-untyped-call]
    path = Path(os.path.realpath(path))
    draft = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with draft.open("w", encoding="utf-8") as file:
            file.write(text if text.endswith("\n") else f"{text}\n")
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror or error}.", "Choose another place.") from error
    finally:
        draft.unlink(missing_ok=True)
    return path
