from __future__ import annotations

import pytest

from rlm_kernel.ids import CellId, NodeId, RunId
from rlm_kernel.notebook.answer import answer_output, foot, question_outputs
from rlm_kernel.notebook.cells import badge
from rlm_kernel.trace.records import Node
from rlm_kernel.trace.tree import Tree
from rlm_kernel.usage import Usage

DOLLAR = r"<span>\$</span>"


def make_run(outcome="answered", reply="Cain.", error=None, remedy=""):
    tree = Tree()
    run = Node(NodeId("run-1"), RunId("run-1"), None, "run", "Who?", model="root-1", prompt="Who killed Abel?")
    tree.add(run)
    turn = Node(NodeId("run-1/t1"), RunId("run-1"), run.id, "turn", "look", model="root-1", cell_id=CellId("c-1"))
    tree.add(turn)
    tree.spend(turn.id, Usage(1000, 0, 50, 1, 0.002))
    call = Node(NodeId("run-1/t1/c1"), RunId("run-1"), turn.id, "call", "read", model="sub-1")
    tree.add(call)
    tree.spend(call.id, Usage(204, 0, 46, 1, 0.001))
    run.started, run.ended = 100.0, 108.25
    run.outcome, run.reply, run.error, run.remedy = outcome, reply, error, remedy
    return tree, run


def test_the_foot_has_turns_calls_tokens_cost_time_and_models():
    tree, run = make_run()
    assert foot(tree, run) == "1 turn · 2 calls · 1,204 in · 96 out · $0.0030 · 8.2 s · root-1 + sub-1"


def test_the_answer_is_markdown_and_plain_text():
    tree, run = make_run(reply="It was **Cain**.")
    data = answer_output(tree, run)["data"]
    assert data["text/markdown"].startswith("It was **Cain**.\n\n<small>1 turn")
    assert data["text/plain"].startswith("It was **Cain**.\n\n1 turn")


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("It cost $5,000, then $7.50.", f"It cost {DOLLAR}5,000, then {DOLLAR}7.50."),
        ("Mathematics stays: $x^2$ and $5$.", "Mathematics stays: $x^2$ and $5$."),
        ("Code stays: `$5 and $6`, but $7.", f"Code stays: `$5 and $6`, but {DOLLAR}7."),
        ("```\n$5 and $6\n```\n$7", f"```\n$5 and $6\n```\n{DOLLAR}7"),
    ],
)
def test_amounts_of_money_are_not_set_as_mathematics(written, shown):
    tree, run = make_run(reply=written)
    assert answer_output(tree, run)["data"]["text/markdown"].startswith(shown + "\n\n<small>")


def test_a_fence_left_open_does_not_swallow_the_foot():
    tree, run = make_run(reply="See:\n````python\n```\nx = 1")
    lines = answer_output(tree, run)["data"]["text/markdown"].split("\n")
    assert lines[lines.index("x = 1") + 1] == "````"


def test_a_limit_is_a_notice_with_the_remedy_and_what_there_is():
    tree, run = make_run(
        "limit", "Perhaps Cain.", "The limit of 20 turns is reached.", "Raise it with %rlm --max-turns."
    )
    (output,) = question_outputs(tree, run)
    text = output["data"]["text/plain"]
    assert "limit of 20 turns" in text
    assert "--max-turns" in text
    assert "What there is so far:\n\nPerhaps Cain." in text


def test_a_failure_is_an_error_output_too():
    tree, run = make_run("failed", "", "The key was refused.", "Set OPENAI_API_KEY.")
    _, error = question_outputs(tree, run)
    assert error["output_type"] == "error"
    assert error["ename"] == "RunFailed"
    assert "The key was refused. Set OPENAI_API_KEY." in error["evalue"]


def test_markup_in_an_error_is_shown_as_it_stands():
    tree, run = make_run("failed", "", "no model <b>x</b> *here*")
    assert r"\<b\>x\</b\> \*here\*" in answer_output(tree, run)["data"]["text/markdown"]


def test_badge():
    assert badge(2, Usage(1204, 0, 96, 1, 0.0003)) == "turn 2 · 1,204 in · 96 out · $0.0003"
    assert badge(1, Usage(812, 0, 96, 13, None, 0.0, True)) == "turn 1 · 13 calls · ~812 in · 96 out · cost unknown"
