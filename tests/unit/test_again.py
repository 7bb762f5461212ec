"""The same question again, and a run that goes on: nothing that was answered is paid twice. Real HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rlm_kernel.engine.asking import Asking
from rlm_kernel.engine.occurrences import Occurrences
from rlm_kernel.engine.session import Session
from rlm_kernel.engine.settings import Settings, carried, from_dict, parse, to_dict
from rlm_kernel.errors import InputError
from rlm_kernel.ids import CellId
from rlm_kernel.models.memo import Memo
from rlm_kernel.models.registry import Registry
from rlm_kernel.usage import Limits
from tests.server import text_of
from tests.unit.inline import InlineExecutor, answer, cell

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from tests.server import FakeEndpoint, Messages

A, B = CellId("a"), CellId("b")


def steps(**replies: list[str]) -> Callable[[Messages], str]:
    """Play a root model that decides by the conversation: replies by the question."""

    def root(messages: Messages) -> str:
        opening = text_of(messages[1])
        question = opening.rpartition("<question>\n")[2].partition("\n</question>")[0]
        return replies[question][sum(each["role"] == "assistant" for each in messages)]

    return root


class Notebook:
    """Sessions that share a memo, as kernels of one notebook do."""

    def __init__(self, endpoint: FakeEndpoint) -> None:
        self.endpoint = endpoint
        self.memo = Memo()
        self.models = Registry(endpoint.environ)
        self.restart()

    def restart(self) -> None:
        self.executor = InlineExecutor()
        self.session = Session(self.executor, self.models, memo=self.memo)

    @property
    def asked(self) -> int:
        return len(self.endpoint.requests)

    async def ask(self, question: str, cell_id: CellId = A, **limits: object) -> str:
        settings = Settings(limits=Limits(**limits))  # type: ignore[arg-type]
        node = await self.session.ask(question, cell_id=cell_id, settings=settings)
        return node.outcome or ""


@pytest.fixture
async def notebook(endpoint: FakeEndpoint) -> AsyncIterator[Notebook]:
    made = Notebook(endpoint)
    yield made
    await made.models.close()


async def test_what_came_later_does_not_make_another_question(notebook: Notebook) -> None:
    notebook.endpoint.root(steps(one=[cell("found = 1"), answer("1")], two=[cell("more = 2"), answer("2")]))
    for _ in range(3):
        assert await notebook.ask("one", A) == "answered"
        notebook.executor.names["between"] = 1
        assert await notebook.ask("two", B) == "answered"
        notebook.executor.names["after"] = 2
    assert notebook.asked == 4
    notebook.restart()
    await notebook.ask("one", A)
    notebook.executor.names["between"] = 1
    await notebook.ask("two", B)
    assert notebook.asked == 4
    opening = text_of(notebook.endpoint.requests[2].messages[1])
    assert "`found`" in opening
    assert "<earlier_answer>\n1\n</earlier_answer>" in opening


async def test_what_is_not_true_any_more_is_not_told_again(notebook: Notebook) -> None:
    notebook.endpoint.root(steps(one=[answer("1")], other=[answer("3")], two=[answer("2")]))
    await notebook.ask("one", A)
    await notebook.ask("two", B)
    await notebook.ask("other", A)
    await notebook.ask("two", B)
    assert notebook.asked == 4
    last = text_of(notebook.endpoint.requests[-1].messages[1])
    assert "<earlier_answer>\n3\n</earlier_answer>" in last
    assert "<earlier_answer>\n1\n</earlier_answer>" not in last, "the answer of a cell takes the place of its last one"
    notebook.executor.names["context"] = "another"
    await notebook.ask("two", B)
    assert notebook.asked == 5


async def test_fresh_tells_what_is_there_now(notebook: Notebook) -> None:
    notebook.endpoint.root(steps(one=[answer("1")]))
    await notebook.ask("one")
    notebook.executor.names["helper"] = 1
    await notebook.session.ask("one", cell_id=A, settings=Settings(fresh=True))
    await notebook.ask("one")
    assert notebook.asked == 2
    assert "`helper`" in text_of(notebook.endpoint.requests[-1].messages[1])


async def test_what_is_left_is_said_in_the_words_of_the_first_time(notebook: Notebook) -> None:
    asks = [cell(f"llm_query('{n}')['text']") for n in range(5)]
    notebook.endpoint.root(steps(one=[*asks, answer("1")]))
    assert await notebook.ask("one", calls=14, turns=20) == "answered"
    told = [text_of(each) for each in notebook.endpoint.of("root")[-1].messages]
    assert sum("Left: " in text for text in told) == 2
    asked = notebook.asked
    assert await notebook.ask("one", calls=14, turns=20) == "answered"
    assert await notebook.ask("one", calls=4, turns=20) == "answered", "what is not paid counts for no limit"
    assert notebook.asked == asked


async def test_limits_hold_for_a_run_and_what_goes_on_with_it(notebook: Notebook) -> None:
    notebook.endpoint.root(steps(one=[cell("a = 1"), cell("b = 2"), cell("c = 3"), answer("1")]))
    assert await notebook.ask("one", calls=2) == "limit"
    last = notebook.session.unfinished
    assert last is not None
    again = await notebook.session.go_on()
    assert (again.outcome, again.prompt, again.details["continues"]) == ("limit", "one", last.id)
    assert notebook.asked == 2
    more = parse(["--max-calls", "3"], notebook.session.settings)
    assert (await notebook.session.go_on(settings=more)).outcome == "limit"
    assert notebook.asked == 3
    done = await notebook.session.go_on(settings=parse(["--max-calls", "9"], Settings()), cell_id=B)
    assert (done.outcome, done.reply, done.cell_id) == ("answered", "1", "b")
    assert notebook.asked == 4
    assert notebook.executor.cells[:3] == ["a = 1", "b = 2", "c = 3"]
    assert len(notebook.executor.cells) == 4, "no cell ran twice"
    assert [(each.cell, each.answer) for each in notebook.session._earlier] == [("a", "1")]
    with pytest.raises(InputError, match="no run to go on with"):
        await notebook.session.go_on()


async def test_a_cell_that_was_cut_short_runs_again_and_finds_its_replies(notebook: Notebook) -> None:
    code = "r = [llm_query('twice'), llm_query('twice'), llm_query('slow')]"
    notebook.endpoint.root(steps(one=[cell("first = llm_query('twice')"), cell(code), answer("1")]))
    plain = notebook.endpoint._sub

    def stop_at_slow(prompt: str) -> str:
        if prompt == "slow" and len(notebook.endpoint.of("sub")) == 4:
            notebook.session.control.stopped._loop.call_soon_threadsafe(notebook.session.control.stop)  # type: ignore[union-attr]
            notebook.endpoint.wait_idle(0.5)
        return plain(prompt)

    notebook.endpoint.sub(stop_at_slow)
    assert await notebook.ask("one") == "stopped"
    done = await notebook.session.go_on()
    assert done.outcome == "answered"
    assert [each.prompt for each in notebook.endpoint.of("sub")] == ["twice"] * 3 + ["slow"] * 2
    assert len(notebook.endpoint.of("root")) == 3


async def test_from_the_start_with_replies_from_the_memo(notebook: Notebook) -> None:
    notebook.endpoint.root(steps(one=[cell("a = 1"), cell("b = a + 1"), answer("1")]))
    assert await notebook.ask("one", turns=2) == "limit"
    del notebook.executor.names["a"], notebook.executor.names["b"]
    more = parse(["--max-turns", "9"], Settings())
    done = await notebook.session.go_on(settings=more, from_start=True)
    assert (done.outcome, notebook.asked) == ("answered", 3)
    assert notebook.executor.names["b"] == 2


async def test_a_question_of_another_session_is_asked_in_its_words(notebook: Notebook) -> None:
    notebook.endpoint.root(steps(one=[cell("a = 1"), answer("1")], zero=[answer("0")]))
    await notebook.ask("zero", B)
    notebook.executor.names["helper"] = 1
    assert await notebook.ask("one", turns=1) == "limit"
    kept = notebook.session.unfinished
    assert kept is not None
    notebook.restart()
    now = parse(["--max-turns", "9"], Settings())
    asking = Asking.recall(kept.prompt, kept.details, (Settings(), now))
    assert asking is not None
    assert (asking.settings.limits.turns, asking.cell_id) == (9, "a")
    with pytest.raises(InputError, match="helper"):
        await notebook.session.ask_again(asking)
    notebook.executor.names["helper"] = 1
    done = await notebook.session.ask_again(asking, cell_id=B)
    assert (done.outcome, notebook.asked) == ("answered", 3)
    assert Asking.recall("one", {}, (Settings(), now)) is None


def test_only_what_was_changed_since_is_carried_over() -> None:
    then = parse(["--max-cost", "3"], Settings())
    asked = parse(["--max-cost", "5", "--model", "x", "--fresh"], then)
    assert carried(asked, then, then) == parse(["--max-cost", "5", "--model", "x"], Settings())
    now = parse(["--max-cost", "7", "--max-turns", "3"], then)
    assert carried(asked, then, now) == parse(["--max-cost", "7", "--max-turns", "3", "--model", "x"], Settings())


def test_settings_survive_json_of_other_versions() -> None:
    settings = parse(["--max-cost", "none", "--model", "x", "--approve", "each", "--quote", "none"], Settings())
    assert from_dict(to_dict(settings)) == settings
    assert from_dict({"model": "y", "unknown": 1}) == Settings(model="y")
    assert from_dict(None) == Settings()
    assert from_dict({"mode": "each"}) == Settings(approve="each"), "the name of the first versions"


@given(st.lists(st.sampled_from("abc")), st.lists(st.tuples(st.sampled_from("abcd"), st.booleans())))
def test_rewound_numbers_are_as_they_were(before: list[str], after: list[tuple[str, bool]]) -> None:
    numbers = Occurrences()
    for thing in before:
        numbers.take(thing)
    numbers.mark()
    taken = [(thing, numbers.take(thing), back) for thing, back in after]
    for thing, number, back in taken:
        if back:
            numbers.give_back(thing, number)
    numbers.rewind()
    for thing, number, back in taken:
        if not back:
            numbers.give_back(thing, number)  # comes late: it was under way when the cell died
    assert [numbers.take(thing) for thing in "abcd"] == [before.count(thing) for thing in "abcd"]
