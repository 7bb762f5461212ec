"""What views may ask for, and that nothing else they say does anything."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path

import pytest

from rlm_kernel.engine.settings import Settings
from rlm_kernel.panel import messages, questions
from tests.unit.paneling import BATCH, DONE, LOOK, Done, HeardPanel, make_session, until


async def asked(*replies: str, actions: object = None):
    """A panel on a session with one answered question: the panel, the run and its turns."""
    session = make_session(*replies)
    panel = HeardPanel(session, actions)
    run = await session.ask("How many?")
    return panel, session, run, session.tree.children(run.id)


async def test_a_detail_carries_the_texts_and_what_the_model_was_sent():
    panel, session, run, turns = await asked(LOOK, BATCH, DONE)
    texts = panel.ask("detail", kind="detail", id=run.id)["texts"]
    assert texts["reply"] == "<b>forty-two</b>"
    assert texts["sizes"] == {}
    assert "opening" not in texts["details"]
    texts = panel.ask("detail", kind="detail", id=turns[1].id)["texts"]
    assert texts["code"].strip().startswith("replies =")
    assert [message["role"] for message in texts["messages"]] == ["system", "user", "assistant", "user"]
    assert "How many?" in texts["messages"][1]["content"]
    assert "I look first." in texts["messages"][2]["content"]
    assert "42" in texts["messages"][3]["content"]
    call = session.tree.children(turns[1].id)[1]
    texts = panel.ask("detail", kind="detail", id=call.id)["texts"]
    assert texts["messages"] == [{"role": "user", "content": "two"}]
    call.details = {"line": 1, "index": 2}
    turns[1].cell_id = "cell-7"
    where = panel.ask("detail", kind="detail", id=call.id)["texts"]["where"]
    assert (where["cell_id"], where["line"], where["index"]) == ("cell-7", 1, 2)
    panel.close()


async def test_texts_are_searched_in_the_kernel():
    panel, session, _, turns = await asked(LOOK, BATCH, DONE)
    found = panel.ask("found", kind="find", text="THREE")
    call = session.tree.children(turns[1].id)[2]
    assert (found["text"], set(found["ids"])) == ("THREE", {turns[1].id, call.id})
    panel.close()


async def test_a_node_is_exported_alone_and_with_all_below():
    panel, session, run, turns = await asked(LOOK, BATCH, DONE)
    alone = panel.ask("exported", kind="export", id=turns[1].id, form="json", view="a", below=False)
    told = json.loads(alone["text"])
    assert (told["kind"], told["code"], told["usage"]["calls"]) == ("turn", turns[1].code, 1)
    assert "children" not in told
    whole = json.loads(panel.ask("exported", kind="export", id=run.id, form="json", view="a", below=True)["text"])
    assert [child["id"] for child in whole["children"]] == [turn.id for turn in turns]
    assert len(whole["children"][1]["children"]) == 3
    session.tree.children(turns[1].id)[0].reply = "```\nnot the end\n```"
    text = panel.ask("exported", kind="export", id=run.id, form="markdown", view="a", below=True)["text"]
    assert text.startswith("# Question: How many?\n")
    assert "````\n```\nnot the end\n```\n````" in text
    assert text.count("### Call: ") == 3
    panel.close()


async def test_a_long_document_comes_in_parts():
    panel, _, run, _ = await asked(DONE)
    run.prompt = "x" * 1_200_000
    panel.say(kind="export", id=run.id, form="markdown", view="a", below=False)
    parts = panel.of("exported")
    assert [(each["part"], each["parts"]) for each in parts] == [(0, 3), (1, 3), (2, 3)]
    assert run.prompt in "".join(each["text"] for each in parts)
    panel.close()


async def test_a_cell_that_waits_is_decided_on():
    session = make_session(LOOK, DONE)
    panel = HeardPanel(session)
    task = asyncio.create_task(session.ask("How many?", settings=Settings(approve="each", policy="ask")))
    session.gate.attended = True
    await until(lambda: bool(session.gate.waiting))
    await until(lambda: any(each["control"]["waiting"] for each in panel.of("delta")))
    waiting = panel.of("delta")[-1]["control"]["waiting"][0]
    assert waiting["kind"] == "cell"
    assert "print(len(context))" in waiting["code"]
    panel.say(kind="decide", id="another", decision={"verdict": "approve"})
    assert "waits for no decision" in panel.of("problem")[-1]["text"]
    panel.say(kind="decide", id=waiting["id"], decision={"verdict": "always"})
    assert (await task).outcome == "answered"
    panel.close()


async def test_an_edit_is_quoted_and_handed_on():
    actions = Done()
    panel, _, run, turns = await asked(LOOK, BATCH, DONE, actions=actions)
    edit = {"kind": "code", "text": "print(1)"}
    quote = panel.ask("quoted", kind="quote", id=turns[1].id, edit=edit)["quote"]
    assert (quote["node_id"], quote["kept_turns"]) == (turns[1].id, 1)
    panel.say(kind="rerun", id=turns[1].id, edit=edit)
    panel.say(kind="raise", run_id=run.id, limits={"calls": 2000})
    panel.say(kind="branch", do="switch", id=run.id)
    panel.say(kind="jump", cell_id="cell-1")
    assert actions.done == [
        ("rerun", turns[1].id, edit),
        ("go_on", run.id, {"calls": 2000}),
        ("switch", run.id),
        ("jump", "cell-1"),
    ]
    assert panel.of("problem") == []
    panel.close()


async def test_undo_tells_what_became_of_it():
    actions = Done()
    panel, *_ = await asked(DONE, actions=actions)
    panel.say(kind="undo", cell_id="cell-1")
    await until(lambda: panel.of("told"))
    assert panel.of("told")[0]["text"] == "Python is as it was before In [3]."
    panel.say(kind="undo", cell_id="gone")
    await until(lambda: panel.of("problem"))
    assert panel.of("problem")[0] == {
        "kind": "problem",
        "text": "This cell has not run.",
        "remedy": "Run it first.",
        "about": None,
    }
    panel.close()


async def test_branches_are_told_named_and_compared():
    panel, session, run, _ = await asked(LOOK, DONE)
    told = panel.ask("branches", kind="branches", root=run.id)
    assert [branch["id"] for branch in told["branches"]] == [run.id]
    same = panel.ask("compared", kind="branch", do="compare", id=run.id, **{"with": run.id})["comparison"]
    assert all(turn["same"] for turn in same["turns"])
    panel.say(kind="branch", do="delete", id=run.id)
    assert panel.of("problem")[-1]["about"] == run.id
    assert run.id in session.tree
    panel.close()


async def test_without_a_notebook_its_actions_say_so():
    panel, _, run, turns = await asked(LOOK, DONE)
    panel.say(kind="rerun", id=turns[0].id, edit={"kind": "again"})
    problem = panel.of("problem")[-1]
    assert "no notebook" in problem["text"]
    assert turns[0].id in problem["remedy"]
    assert problem["about"] == turns[0].id
    panel.say(kind="raise", run_id=run.id, limits={"calls": 0})
    assert "cannot be 0" in panel.of("problem")[-1]["text"]
    panel.close()


@pytest.mark.parametrize(
    "content",
    [
        {"kind": "detail", "id": "nothing"},
        {"kind": "detail", "id": ["a"]},
        {"kind": "detail"},
        {"kind": "piece", "id": "run-1", "part": "details", "pos": 0},
        {"kind": "watch", "id": {}, "view": "a"},
        {"kind": "ready", "view": 3},
        {"kind": "command"},
        {"kind": "decide", "id": "1", "decision": "approve"},
        {"kind": "steer", "text": ""},
        {"kind": "steer", "text": ["a"]},
        {"kind": "quote", "id": "nothing", "edit": {}},
        {"kind": "rerun", "id": "nothing", "edit": {"kind": "again"}},
        {"kind": "raise", "run_id": "a", "limits": {"calls": "many"}},
        {"kind": "branches", "root": None},
        {"kind": "branch", "do": "switch", "id": "nothing"},
        {"kind": "export", "id": "nothing", "form": "html", "view": "a", "below": True},
        {"kind": "undo"},
        {"kind": "jump", "cell_id": 3},
    ],
)
async def test_what_cannot_be_done_is_a_problem_and_nothing_else(content):
    session = make_session(DONE)
    panel = HeardPanel(session, Done())
    panel.say(**content)
    assert [message["kind"] for message in panel.sent] == ["problem"]
    assert panel.sent[0]["text"]
    assert session.control.state == "idle"
    panel.close()


@pytest.mark.parametrize("content", [{"kind": "other"}, {"kind": ["a"]}, {}, {"kind": "command", "name": "close"}])
async def test_what_is_not_known_is_ignored(content):
    panel = HeardPanel(make_session(DONE))
    panel.say(**content)
    assert panel.sent == []
    panel.close()


def test_every_message_of_a_view_has_an_answer():
    panel = HeardPanel(make_session(DONE))
    source = Path(questions.__file__).read_text("utf-8")
    kinds = set(re.findall(r'"?kind"?: Literal\["(\w+)"\]', source))
    assert set(panel._requests._ways()) == kinds
    panel.close()


def test_every_message_is_documented():
    source = "".join(Path(each.__file__).read_text("utf-8") for each in (messages, questions))
    page = (Path(__file__).parents[2] / "docs" / "protocol.md").read_text("utf-8").partition("## The panel")[2]
    kinds = set(re.findall(r'"?kind"?: Literal\["(\w+)"\]', source))
    assert len(kinds) > 20
    assert sorted(kind for kind in kinds if f"`{kind}`" not in page) == []
