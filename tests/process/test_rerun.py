"""Parts of a question run again in real namespaces, child runs above all; requests are counted at the endpoint."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from rlm_kernel.engine.edits import Edit
from rlm_kernel.engine.session import Session
from rlm_kernel.engine.settings import Settings
from rlm_kernel.errors import InputError
from rlm_kernel.host.executor import ProcessExecutor
from rlm_kernel.host.pool import WarmPool
from rlm_kernel.models.memo import Memo
from rlm_kernel.models.registry import Registry
from rlm_kernel.usage import Limits, Usage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from rlm_kernel.trace.records import Node
    from rlm_kernel.trace.tree import Tree
    from tests.server import FakeEndpoint, Messages, Request

CELLS = {
    "top": [
        "rs = rlm_query_batched(['middle 0', 'middle 1'], ['part 0', 'part 1'])\nprint(*rs)",
        "FINAL(' / '.join(rs))",
    ],
    "middle": [
        "a = llm_query('note ' + context)\nprint(a)",
        "b = rlm_query('low', context + a)\nprint(b)",
        "FINAL(a + ' ' + b)",
    ],
    "low": ["c = llm_query('read ' + context)\nd = llm_query('same for all')\nprint(c, d)", "FINAL(c + ' ' + d)"],
}


def root(messages: Messages) -> str:
    """Play the run at any level: its cells in order."""
    question = re.search(r"<question>\n(\w+)", messages[1]["content"])
    assert question is not None
    number = sum(message["role"] == "assistant" for message in messages)
    return f"Next.\n\n```python\n{CELLS[question[1]][number]}\n```"


class Talk:
    def __init__(self, endpoint: FakeEndpoint, limits: Limits) -> None:
        self.endpoint = endpoint
        endpoint.is_root = lambda body: any("<question>" in str(message["content"]) for message in body["messages"])
        endpoint.root(root)
        endpoint.sub(lambda prompt: f"[{prompt}]")
        self.executor, self.models = ProcessExecutor(), Registry(endpoint.environ)
        pool = WarmPool(self.executor.process)
        self.session = Session(self.executor, self.models, Settings(limits=limits), memo=Memo(), pool=pool)
        self.tree = self.session.tree

    async def ask(self, question: str) -> Node:
        run = await self.session.ask(question)
        self.endpoint.requests.clear()
        return run

    async def rerun(self, node_id: str, kind: str, text: str = "", **more: object) -> Node:
        self.endpoint.requests.clear()
        return await self.session.rerun(node_id, Edit(kind, text, **more))  # type: ignore[arg-type]

    @property
    def asked(self) -> list[str]:
        """What was asked since: the question of a turn, the prompt of a call."""
        return sorted(what(request) for request in self.endpoint.requests)


def what(request: Request) -> str:
    """Say what was asked."""
    if request.role == "sub":
        return request.prompt
    question = re.search(r"<question>\n([^\n]*)", request.messages[1]["content"])
    assert question is not None
    number = sum(message["role"] == "assistant" for message in request.messages)
    return f"{question[1]} turn {number + 1}"


@pytest.fixture
async def talk(endpoint: FakeEndpoint) -> AsyncIterator[Talk]:
    made = Talk(endpoint, Limits(depth=3))
    await made.executor.start()
    await made.executor.run_person_cell("context = 'the whole'")
    yield made
    await made.session.close()
    await made.executor.close()
    await made.models.close()


def of(tree: Tree, prompt: str, run: Node) -> Node:
    """The first call or child run of a run with this prompt."""
    return next(node for node in tree if node.prompt == prompt and node.id.startswith(f"{run.id}/"))


async def test_a_change_in_a_child_run_reaches_the_top(talk: Talk) -> None:
    run = await talk.ask("top")
    tree = talk.tree
    parts = [f"[note part {n}] [read part {n}[note part {n}]] [same for all]" for n in (0, 1)]
    assert run.reply == " / ".join(parts)

    # Depth 2: a call of the child of a child. The sibling is not run, let alone asked.
    call = of(tree, "read part 0[note part 0]", run)
    assert call.id == f"{run.id}/t1/r1/t2/r1/t1/c1"
    quote = talk.session.quote(call.id, Edit("reply", "typed"))
    assert (quote["calls_new"], quote["calls_reused"], quote["cells_again"]) == (0, 2, 4), quote
    other = await talk.rerun(call.id, "reply", "typed")
    assert other.reply == run.reply.replace("[read part 0[note part 0]]", "typed")
    assert talk.asked == ["low turn 2", "middle 0 turn 3", "top turn 2"], "the parents go on from the new answer"
    sibling = tree[f"{other.id}/t1/r2"]
    assert (sibling.cached, tree.children(sibling.id), sibling.details["kept"]) == (True, [], f"{run.id}/t1/r2")
    first = tree[f"{other.id}/t1/r1/t1"]
    assert (first.cached, first.usage, first.details["kept"]) == (True, Usage(), f"{run.id}/t1/r1/t1")

    # Of that branch again, at depth 1: the prompt of the child itself.
    talk.endpoint.requests.clear()
    again = await talk.rerun(f"{other.id}/t1/r1", "reply", "MIDDLE")
    assert (again.reply, talk.asked) == (f"MIDDLE / {sibling.reply}", ["top turn 2"])

    # A turn within the child at depth 2, in the original.
    code = await talk.rerun(f"{run.id}/t1/r2/t2/r1/t2", "code", "FINAL('low ' + d)")
    assert code.reply == run.reply.replace("[read part 1[note part 1]] ", "low ")
    assert talk.asked == ["middle 1 turn 3", "top turn 2"]

    # A child that is asked something else, and one of another model.
    await talk.rerun(f"{run.id}/t1/r1", "prompt", "low instead")
    assert talk.asked == ["low instead turn 1", "low instead turn 2", "read part 0", "top turn 2"]
    model = await talk.rerun(f"{run.id}/t1/r1", "model", model="root-2")
    assert talk.asked == ["middle 0 turn 1", "middle 0 turn 2", "middle 0 turn 3"]
    assert {request.model for request in talk.endpoint.requests} == {"root-2"}
    assert model.reply == run.reply
    hint = await talk.rerun(f"{run.id}/t1/r1", "hint", "Be brief.")
    assert talk.asked == ["middle 0 turn 1", "middle 0 turn 2", "middle 0 turn 3"]
    again = await talk.rerun(f"{run.id}/t1/r1/t2", "again")
    assert (talk.asked, again.reply, hint.reply) == (["middle 0 turn 2"], run.reply, run.reply)
    assert [node.error for node in tree if node.error] == []


async def test_a_child_that_does_not_come_back_to_where_it_was_ends_the_question(talk: Talk) -> None:
    CELLS["clock"] = ["print(rlm_query('ticking', 'x'))", "FINAL('end')"]
    CELLS["ticking"] = ["import time\nprint(time.time_ns())", "e = llm_query('edit me')", "FINAL(e)"]
    run = await talk.ask("clock")
    call = of(talk.tree, "edit me", run).id
    other = await talk.rerun(call, "reply", "typed")
    assert (other.outcome, talk.asked) == ("failed", [])
    assert "In [1] of the child run (import time) differs in its output" in (other.error or "")
    anyway = await talk.rerun(call, "reply", "typed", anyway=True)
    assert (anyway.outcome, anyway.reply) == ("answered", "end")


async def test_a_call_below_the_same_context_and_one_with_another(talk: Talk) -> None:
    CELLS["chain"] = [
        "a = llm_query('first')\nb = rlm_query('echo', a)\nc = rlm_query('echo', 'fixed')\nprint(a, b, c)",
        "FINAL(b + c)",
    ]
    CELLS["echo"] = ["FINAL(context)"]
    run = await talk.ask("chain")
    assert run.reply == "[first]fixed"
    other = await talk.rerun(f"{run.id}/t1/c1", "reply", "other")
    assert other.reply == "otherfixed", "a child run of the same prompt with another context is another one"
    assert talk.asked == ["chain turn 2", "echo turn 1"]


async def test_a_branch_ends_at_a_limit_goes_on_and_is_changed_after_that(talk: Talk, monkeypatch) -> None:
    cells = [
        "a = [llm_query('one')]",
        "a.append(llm_query('two'))\nprint(a)",
        "a.append(llm_query('three'))",
        "FINAL(a)",
    ]
    monkeypatch.setitem(CELLS, "steps", cells)
    run = await talk.ask("steps")
    talk.endpoint.requests.clear()
    branch = await talk.session.rerun(f"{run.id}/t2/c1", Edit("reply", "2"), settings=Settings(limits=Limits(turns=2)))
    assert (branch.outcome, talk.asked) == ("limit", [])
    whole = await talk.session.go_on(limits={"turns": 30})
    assert (whole.outcome, talk.asked) == ("answered", ["steps turn 3", "steps turn 4"])
    assert whole.reply.split() == run.reply.replace("[two]", "2").split()
    last = await talk.rerun(f"{whole.id}/t3/c1", "reply", "3")
    assert last.reply.split() == whole.reply.replace("[three]", "3").split()
    assert [node.details.get("kept") for node in talk.tree.children(last.id)][:2] == [
        f"{branch.id}/t1",
        f"{branch.id}/t2",
    ]
    await talk.executor.run_person_cell("a.append('mine')")
    assert await talk.session.switch(run.id)
    shown = await talk.executor.run_person_cell("print(a)")
    assert shown.outputs[0]["text"] == "['[one]', '[two]', '[three]']\n"
    assert await talk.session.switch(last.id)
    shown = await talk.executor.run_person_cell("print(a)")
    assert shown.outputs[0]["text"] == "['[one]', '2', '3', 'mine']\n"


async def test_samples_schemas_and_twins(talk: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = iter(range(100))
    talk.endpoint.sub(lambda said: f'{{"n": {next(numbers)}}}' if "number" in said else f"{said} {next(numbers)}")
    cells = [
        "shape = {'type': 'object', 'properties': {'n': {'type': 'integer'}}, 'required': ['n']}\n"
        "a = llm_query('number', schema=shape)\nb = llm_query_batched(['sample'], n=3)\n"
        "c = rlm_query_batched(['twin', 'twin'], ['x', 'x'])\nprint(a, *b, *c)",
        "FINAL(str(a) + ' ' + ' '.join(map(str, b)) + ' ' + ' '.join(c))",
    ]
    monkeypatch.setitem(CELLS, "many", cells)
    monkeypatch.setitem(CELLS, "twin", ["d = llm_query('inner')", "FINAL(d)"])
    run = await talk.ask("many")
    assert run.outcome == "answered", run.error
    calls = [node.id.rpartition("/")[2] for node in talk.tree.children(f"{run.id}/t1")]  # type: ignore[arg-type]
    assert calls == ["c1", "c2", "c3", "c4", "r1", "r2"]
    with pytest.raises(InputError, match="does not fit the schema"):
        await talk.rerun(f"{run.id}/t1/c1", "reply", '{"n": "x"}')
    typed = await talk.rerun(f"{run.id}/t1/c1", "reply", '{"n": 77}')
    assert (talk.asked, "77" in typed.reply) == (["many turn 2"], True)
    second = await talk.rerun(f"{run.id}/t1/c2", "again")
    assert talk.asked == ["many turn 2", "sample"]
    before, after = (talk.tree[f"{each.id}/t1/c4"].reply for each in (run, second))  # type: ignore[index]
    assert before == after
    twin = await talk.rerun(f"{run.id}/t1/r2/t1", "again")
    assert talk.asked == ["twin turn 1"], "its call is known: the second twin's, not the first's"
    assert twin.reply == run.reply
