from __future__ import annotations

import nbformat
import pytest

from rlm_kernel.engine.executor import AnswerState, CellResult
from rlm_kernel.errors import InputError
from rlm_kernel.ids import CellId, NodeId, RunId
from rlm_kernel.notebook.cells import RUN_MIME, Ran, code_cell
from rlm_kernel.notebook.expand import drop_model_cells, expand
from rlm_kernel.notebook.files import make_cell, make_notebook, read_notebook, write_notebook
from rlm_kernel.notebook.write import run_cells, write_run_notebook
from rlm_kernel.trace.records import Node
from rlm_kernel.trace.tree import Tree
from rlm_kernel.usage import Usage

TURN = NodeId("run-1/t1")
RESULT = CellResult(
    "ok",
    AnswerState(content="2", ready=True),
    3,
    [
        {"output_type": "stream", "name": "stdout", "text": "one\n"},
        {"output_type": "display_data", "data": {"text/plain": "<b>", "text/html": "<b>x</b>"}, "metadata": {}},
    ],
)


def make_run():
    tree = Tree()
    run = Node(NodeId("run-1"), RunId("run-1"), None, "run", "Q", model="tutor", prompt="How many?", outcome="answered")
    run.reply, run.cell_id, run.execution_count = "Two.", CellId("anchor"), 2
    tree.add(run)
    reply = "I look first.\n\n```python\nprint('one')\n```"
    turn = Node(TURN, RunId("run-1"), run.id, "turn", "look", model="tutor", reply=reply, code="print('one')")
    turn.cell_id = CellId("cell-1")
    tree.add(turn)
    tree.spend(turn.id, Usage(10, 0, 5, 1, 0.0))
    return tree, run


def test_a_run_is_a_valid_notebook_with_setup_question_answer_and_working(tmp_path):
    tree, run = make_run()
    path = write_run_notebook(tmp_path / "out.ipynb", tree, run, {TURN: RESULT}, ['load("a.txt")'])
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    setup, question, prose, code = notebook.cells
    assert notebook.metadata.kernelspec.name == "rlm"
    assert setup.source == 'load("a.txt")'
    assert question.source == "%%rlm --model tutor\nHow many?"
    assert question.outputs[0].data["text/markdown"].startswith("Two.")
    assert question.execution_count == 2
    assert (prose.cell_type, prose.source) == ("markdown", "I look first.")
    assert code.id == "cell-1"
    assert code.source == "print('one')"
    assert code.outputs[0].text == "one\n"
    assert code.execution_count == 3
    mark = code.metadata.rlm
    assert mark.anchor == question.id == "anchor"
    assert (mark.author, mark.part, mark.turn, mark.node_id) == ("model", "code", 1, TURN)
    assert mark.badge == "turn 1 · 10 in · 5 out · free"
    assert mark.usage.calls == 1


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path):
    tree, run = make_run()
    path = tmp_path / "out.ipynb"
    path.write_text("old")
    broken = CellResult("ok", AnswerState(content="", ready=False), 1, [{"output_type": "stream", "name": "stdout"}])
    with pytest.raises(nbformat.ValidationError):
        write_run_notebook(path, tree, run, {TURN: CellResult("ok", broken.answer, -1, broken.outputs)})
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_writing_where_there_is_no_folder_is_one_clear_line(tmp_path):
    with pytest.raises(InputError, match="cannot be written"):
        write_notebook(tmp_path / "no" / "out.ipynb", make_notebook([]))


@pytest.mark.parametrize(
    "text", ["", "not json", "[]", '{"cells": 3, "nbformat": 4, "nbformat_minor": 5, "metadata": {}}']
)
def test_reading_what_is_no_notebook_names_the_file(tmp_path, text):
    path = tmp_path / "bad.ipynb"
    path.write_text(text)
    with pytest.raises(InputError, match=r"bad\.ipynb is not a valid notebook"):
        read_notebook(path)


def test_reading_what_is_not_there_names_the_file(tmp_path):
    with pytest.raises(InputError, match=r"gone\.ipynb cannot be read"):
        read_notebook(tmp_path / "gone.ipynb")


def test_an_old_notebook_gets_cell_ids(tmp_path):
    path = tmp_path / "old.ipynb"
    cell = {"cell_type": "markdown", "metadata": {}, "source": "x"}
    path.write_text(
        nbformat.v4.writes(nbformat.from_dict({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 4}))
    )
    assert read_notebook(path).cells[0].id


def carried(cells, outputs=(), run_id="run-1"):
    payload = {
        "version": 1,
        "run_id": run_id,
        "anchor": None,
        "execution_count": 2,
        "outputs": list(outputs),
        "cells": cells,
    }
    shown = [
        {"output_type": "display_data", "data": {"text/markdown": "```python\nx\n```"}, "metadata": {}},
        {"output_type": "stream", "name": "stdout", "text": "x\n"},
        {"output_type": "display_data", "data": {RUN_MIME: payload, "text/plain": "…"}, "metadata": {}},
    ]
    return code_cell("asks", "%%rlm\nHow many?", Ran(shown, 7))


def test_expanding_makes_cells_and_doing_it_again_changes_nothing():
    tree, run = make_run()
    question, *working = run_cells(tree, run, {TURN: RESULT})
    for cell in working:
        cell["metadata"]["rlm"]["anchor"] = None
    after = code_cell("after", "print(1)", Ran([], None))
    notebook = make_notebook([carried(working, question["outputs"]), after])
    assert expand(notebook) == 1
    nbformat.validate(notebook)
    assert [cell.id for cell in notebook.cells][0::3] == ["asks", "after"]
    asks, prose, code, _ = notebook.cells
    assert asks.execution_count == 2
    assert [list(output.data) for output in asks.outputs] == [["text/markdown", "text/plain"]]
    assert prose.metadata.rlm.anchor == code.metadata.rlm.anchor == "asks"
    assert code.outputs[0].text == "one\n"
    before = nbformat.writes(notebook)
    assert expand(notebook) == 0
    assert nbformat.writes(notebook) == before


def test_expanding_replaces_the_cells_of_an_earlier_run_of_the_question():
    tree, run = make_run()
    _, *working = run_cells(tree, run, {TURN: RESULT})
    stale = make_cell(
        code_cell(
            "stale",
            "old",
            Ran([], None),
            {**working[1]["metadata"]["rlm"], "run_id": "run-0", "anchor": "asks", "cell_id": "stale"},
        )
    )
    other = make_cell(
        code_cell(
            "other",
            "keep",
            Ran([], None),
            {**working[1]["metadata"]["rlm"], "run_id": "run-9", "anchor": "else", "cell_id": "other"},
        )
    )
    notebook = make_notebook([carried(working)])
    notebook.cells += [stale, other]
    expand(notebook)
    assert [cell.source for cell in notebook.cells] == ["%%rlm\nHow many?", "I look first.", "print('one')", "keep"]


@pytest.mark.parametrize(
    "payload", [{}, {"version": 2, "cells": []}, {"version": 1, "cells": [{"cell_type": "raw"}]}, "x"]
)
def test_a_payload_of_another_shape_is_left_alone(payload):
    shown = [{"output_type": "display_data", "data": {RUN_MIME: payload}, "metadata": {}}]
    notebook = make_notebook([code_cell("asks", "%%rlm\nQ", Ran(shown, 1))])
    assert expand(notebook) == 0
    assert len(notebook.cells) == 1


def test_a_copy_the_person_made_of_a_models_cell_is_the_persons():
    tree, run = make_run()
    _, *working = run_cells(tree, run, {TURN: RESULT})
    copy = {**working[1], "id": "copied", "source": "print('mine')"}
    copy["metadata"] = {"rlm": {**copy["metadata"]["rlm"], "anchor": "asks"}}
    notebook = make_notebook([carried(working), copy])
    expand(notebook)
    assert drop_model_cells(notebook) == 2
    assert [cell.source for cell in notebook.cells] == ["%%rlm\nHow many?", "print('mine')"]


def test_a_cell_id_that_is_taken_is_made_anew():
    tree, run = make_run()
    _, *working = run_cells(tree, run, {TURN: RESULT})
    notebook = make_notebook([carried(working), code_cell("cell-1", "mine", Ran([], None))])
    expand(notebook)
    nbformat.validate(notebook)
    assert len({cell.id for cell in notebook.cells}) == 4


def test_model_cells_go_before_their_question_is_asked_again():
    tree, run = make_run()
    notebook = make_notebook(run_cells(tree, run, {TURN: RESULT}))
    assert drop_model_cells(notebook) == 2
    notebook = make_notebook(run_cells(tree, run, {TURN: RESULT})[1:])
    assert drop_model_cells(notebook) == 0, "a working whose question is gone stays: it is plain Python now"
