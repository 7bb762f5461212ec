"""What a session does stands in the store."""

from __future__ import annotations

from contextlib import closing

import pytest

from rlm_kernel.engine.recording import Recording
from rlm_kernel.engine.session import Session
from rlm_kernel.models.registry import Registry
from rlm_kernel.models.scripted import ScriptedModel
from rlm_kernel.trace.store import Store
from tests.unit.inline import InlineExecutor, answer, cell


def session(store, *replies, **fields):
    models = Registry({"RLM_MODEL": "root"}, {"root": ScriptedModel(replies, sub="the whale")})
    return Session(InlineExecutor(), models, observers=[Recording(store, "a.ipynb", **fields)])


async def test_a_run_stands_in_the_store_as_in_the_tree(own_store):
    with closing(Store.open()) as store:
        talk = session(store, cell("print(llm_query_batched(['a', 'b']))"), cell("1 / 0"), answer("Ishmael"))
        run = await talk.ask("Who tells it?")
        assert await store.flush()
        assert list(store.tree(run.run_id)) == list(talk.tree)
        (row,) = store.runs()
        assert (row.question, row.outcome, row.notebook, row.live) == ("Who tells it?", "answered", "a.ipynb", False)
        assert row.usage == pytest.approx(talk.tree.total(run.id))
        assert store.in_flight(run.run_id) == []


async def test_each_question_is_a_run_with_what_is_needed_to_go_on(own_store):
    with closing(Store.open()) as store:
        talk = session(store, answer("one"), answer("two"), details=lambda node: {"question": node.prompt})
        await talk.ask("First?")
        await talk.ask("Second?")
        assert await store.flush()
        assert [row.details for row in store.runs()] == [{"question": "Second?"}, {"question": "First?"}]


async def test_a_store_that_fails_holds_up_nothing(own_store):
    with closing(Store.open()) as store:
        own_store.unlink()
        talk = session(store, cell("print(llm_query('a'))"), answer("Ishmael"))
        run = await talk.ask("Who tells it?")
        assert (run.outcome, run.reply) == ("answered", "Ishmael")
        assert not await store.flush()
        assert store.problem is not None
