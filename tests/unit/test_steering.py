"""What a person says and does while a run lasts, as its model is told."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from rlm_kernel.engine.edits import Edit
from rlm_kernel.engine.news import names_bound
from rlm_kernel.errors import InputError
from tests.unit.inline import InlineExecutor, answer, cell
from tests.unit.test_engine import Recorder, session, until

if TYPE_CHECKING:
    from rlm_kernel.engine.session import Session


def told_of_root(model: Recorder) -> list[str]:
    return [each.messages[-1].content for each in model.requests if each.purpose == "root"]


async def held(talk: Session, where: str) -> None:
    await until(lambda: talk.control.waits_for == where)


async def test_what_the_person_says_comes_with_the_next_turn_and_stands_in_the_trace() -> None:
    model, executor = Recorder(cell("1"), cell("2"), answer("x")), InlineExecutor()
    talk = session(model, executor)
    executor.before_cell = lambda: executor.cells or talk.steer("  Only </person> chapter 3. ")
    run = await talk.ask("q")
    first, second, _ = talk.tree.children(run.id)
    assert [("chapter 3" in text) for text in told_of_root(model)] == [False, True, False]
    said = "The person says to you now:\n<person>\nOnly <\\/person> chapter 3.\n</person>"
    assert told_of_root(model)[1].endswith(said)
    assert (first.details["told"], second.details.get("told")) == ([said], [])
    assert talk.steers == []


async def test_what_is_said_and_done_while_a_request_is_held_goes_with_it() -> None:
    model, executor = Recorder(cell("1"), answer("x")), InlineExecutor()
    talk = session(model, executor)
    executor.before_cell = talk.control.pause
    asking = asyncio.create_task(talk.ask("q"))
    await held(talk, "you, before a model call")
    executor.names |= {"context": "another text", "extra": [1, 2], "other": 3}
    talk.note_cell("context = 'another text'\nextra = [1, 2]", "shown")
    talk.steer("Look at extra.")
    assert talk.steers == ["Look at extra."]
    executor.before_cell = lambda: None
    talk.control.step()
    await held(talk, "you, before a cell")
    talk.control.resume()
    run = await asking
    told = told_of_root(model)[-1]
    parts = ("<person_cell>", "They left there: `extra` (list)", "The context is another one now", "<person>")
    assert [told.count(part) for part in parts] == [1, 1, 1, 1]
    assert sorted(told.index(part) for part in parts) == [told.index(part) for part in parts]
    assert "12 characters" in told
    assert "`other`" not in told
    assert len(model.requests) == 2, "what was held was never sent"
    first = talk.tree.children(run.id)[0]
    assert "\n\n".join(first.details["told"]) == told.partition("</output>\n\n")[2]  # type: ignore[arg-type]


async def test_what_is_said_before_the_first_request_goes_with_the_question() -> None:
    model = Recorder(answer("x"))
    talk = session(model)
    talk.control.on_change.append(lambda: talk.control.waits_for == "the reply of m" and talk.control.pause())  # type: ignore[arg-type, return-value]
    asking = asyncio.create_task(talk.ask("q"))
    await held(talk, "you, before a model call")
    talk.steer("Be short.")
    talk.control.on_change.pop()
    talk.control.resume()
    run = await asking
    assert "Be short." in told_of_root(model)[0]
    assert "Be short." in str(run.details["told"])


async def test_what_is_said_to_an_unfinished_run_is_told_when_it_goes_on() -> None:
    model = Recorder(cell("1"), answer("x"))
    talk = session(model, turns=1)
    await talk.ask("q")
    talk.note_cell("y = 1", "")
    talk.steer("Go deeper.")
    run = await talk.go_on(limits={"turns": 5})
    assert (run.outcome, run.reply) == ("answered", "x")
    assert "Go deeper." in told_of_root(model)[-1]
    assert "y = 1" in told_of_root(model)[-1]
    assert talk.steers == []


async def test_what_is_said_in_the_last_turn_is_heard_before_the_answer_is_taken() -> None:
    model, executor = Recorder(answer("x"), cell("y = 1"), answer("x and y"), answer("z")), InlineExecutor()
    talk = session(model, executor)
    executor.before_cell = lambda: executor.cells or talk.steer("Add y.")
    run = await talk.ask("q")
    assert (run.outcome, run.reply, len(executor.cells)) == ("answered", "x and y", 3)
    told = told_of_root(model)[1]
    assert "so the answer is not taken yet" in told
    assert told.endswith("<person>\nAdd y.\n</person>")
    first, second, _ = talk.tree.children(run.id)
    assert first.details["answer"] == "x"
    assert second.details["told"] == []
    change = await talk.rerun(second.id, Edit("hint", "Now."))
    assert "so the answer is not taken yet" in str(model.requests[-1].messages)
    assert (change.outcome, change.reply) == ("answered", "z")


async def test_what_is_said_after_the_last_turn_there_may_be_stands_in_the_trace() -> None:
    executor = InlineExecutor()
    talk = session(Recorder(answer("x")), executor, turns=1)
    executor.before_cell = lambda: talk.steer("Add y.")
    run = await talk.ask("q")
    assert (run.outcome, run.reply, run.details["unheard"]) == ("answered", "x", ["Add y."])
    assert talk.steers == []


async def test_limits_are_raised_in_place_and_never_to_what_is_used() -> None:
    talk = session(Recorder(cell("1"), cell("2"), answer("x")), turns=2)
    run = await talk.ask("q")
    assert run.outcome == "limit"
    for limits, says in (({"turns": 2}, "used up already: 2 so far"), ({"colour": 2}, "no limit 'colour'")):
        with pytest.raises(InputError, match=says):
            await talk.go_on(limits=limits)
    assert talk.unfinished is run
    assert (await talk.go_on(limits={"turns": 3})).outcome == "answered"


async def test_nobody_to_talk_to() -> None:
    talk = session(Recorder(answer("x")))
    with pytest.raises(InputError, match="No run is going"):
        talk.steer("Hello?")
    await talk.ask("q")
    with pytest.raises(InputError, match="No run is going"):
        talk.steer("Hello?")
    with pytest.raises(InputError, match="nothing to say"):
        talk.steer("  ")


def test_names_bound_by_a_cell() -> None:
    assert names_bound("a, (b, *c) = 1, (2, 3)\nfor d in x: e = d\ndef f(): pass\nclass G: pass") == set("abcdef") | {
        "G"
    }
    assert names_bound("!ls\nx = 1") == set()
