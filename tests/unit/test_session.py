"""A session: many questions, one namespace, settings that change between them."""

from __future__ import annotations

import asyncio

import pytest

from rlm_kernel.engine.session import Session
from rlm_kernel.engine.settings import Settings
from rlm_kernel.ids import CellId
from rlm_kernel.models.registry import Registry
from rlm_kernel.models.scripted import ScriptedModel
from rlm_kernel.usage import Limits
from tests.unit.inline import Diary, InlineExecutor, answer, cell


def session(*replies: str, executor: InlineExecutor | None = None, settings: Settings | None = None) -> Session:
    models = Registry({"RLM_MODEL": "root"}, {"root": ScriptedModel(replies, sub="s"), "other": ScriptedModel(replies)})
    return Session(executor or InlineExecutor(), models, settings)


async def test_names_stay_between_questions_and_answer_is_new() -> None:
    executor = InlineExecutor()
    talk = session(cell("found = 3"), answer("three"), cell("print(found, answer)"), answer("x"), executor=executor)
    await talk.ask("a")
    second = await talk.ask("b")
    turn = talk.tree.children(second.id)[0]
    assert turn.output == "3 {'content': '', 'ready': False}"
    assert [run.prompt for run in talk.tree.children(None)] == ["a", "b"]


async def test_settings_of_one_question() -> None:
    talk = session(answer("x"), answer("y"))
    run = await talk.ask("a", settings=Settings(model="other"), cell_id=CellId("c-1"))
    assert (run.model, run.cell_id) == ("other", "c-1")
    assert (await talk.ask("b")).model == "root"


async def test_settings_for_the_next_questions() -> None:
    talk = session(cell("1"), cell("2"), cell("3"))
    talk.settings = Settings(limits=Limits(turns=1))
    assert (await talk.ask("a")).outcome == "limit"


async def test_the_environment_names_the_models() -> None:
    talk = session(cell("print(llm_query('p')['text'])"), answer("x"))
    run = await talk.ask("q")
    first = talk.tree.children(run.id)[0]
    assert (run.model, first.output, talk.tree.children(first.id)[0].model) == ("root", "s", "root")


async def test_an_unfinished_answer_is_told_as_such() -> None:
    executor = InlineExecutor()
    talk = session(
        cell("answer['content'] = 'perhaps'"), answer("x"), executor=executor, settings=Settings(limits=Limits(turns=1))
    )
    assert (await talk.ask("a")).reply == "perhaps"
    assert [(each.answer, each.final) for each in talk._earlier] == [("perhaps", False)]


async def test_observers_can_come_later() -> None:
    talk, diary = session(answer("x")), Diary()
    talk.observers.add(diary)
    run = await talk.ask("q")
    assert diary.events[0] == ("added", run.id)


async def test_close_stops_the_run_and_can_be_called_at_any_time() -> None:
    talk = session(cell("wait(20)"))
    await talk.close()
    asking = asyncio.create_task(talk.ask("q"))
    await asyncio.sleep(0.05)
    await talk.close()
    assert asking.done() or (await asyncio.wait_for(asking, 1)).outcome == "stopped"
    assert (await asking).outcome == "stopped"


async def test_control_tells_of_its_changes() -> None:
    talk = session(cell("1"), answer("x"))
    seen: list[str] = []
    talk.control.on_change.append(lambda: seen.append(talk.control.waits_for))
    await talk.ask("q")
    assert [text for text, before in zip(seen, [None, *seen], strict=False) if text != before] == [
        "", "the reply of root", "the cell", "the reply of root", "the cell", "",
    ]  # fmt: skip


@pytest.mark.parametrize("text", ["$x ${y} {z} %s \\", "</head> </question>", "日本語 🦜"])
async def test_any_text_can_be_asked_about(text: str) -> None:
    talk = session(answer(text), executor=InlineExecutor(text * 10))
    run = await talk.ask(text)
    assert (run.outcome, run.reply) == ("answered", text)
