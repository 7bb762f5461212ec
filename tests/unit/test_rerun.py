"""A part of a question run again, with one thing changed: what is asked is counted at the endpoint."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from rlm_kernel.engine.edits import Edit
from rlm_kernel.engine.session import Session
from rlm_kernel.engine.settings import Settings
from rlm_kernel.errors import InputError
from rlm_kernel.models.memo import Memo
from rlm_kernel.models.registry import Registry
from rlm_kernel.usage import Limits, Usage
from tests.unit.inline import InlineExecutor, cell

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from rlm_kernel.trace.records import Node
    from tests.server import FakeEndpoint, Messages

MANY = 1_000
MAP = f"found = [r for r in llm_query_batched([f'piece {{i}}' for i in range({MANY})])]\nprint(len(found))"
COUNT = "yes = sum(r == 'yes' for r in found)\nprint(yes)"
ANSWER = "FINAL(f'{yes} of {len(found)}')"


def turns(*cells: str) -> Callable[[Messages], str]:
    """Play a root model that writes these cells, one after the other, whatever they show."""

    def write(messages: Messages) -> str:
        number = sum(message["role"] == "assistant" for message in messages)
        return cell(cells[min(number, len(cells) - 1)])

    return write


class Texts(InlineExecutor):
    """Gives cells the replies as texts; failed ones are empty."""

    def _query(self, *args: object, **options: object) -> list[str]:  # type: ignore[override]
        replies = super()._query(*args, **options)  # type: ignore[arg-type]
        return ["" if reply["error"] else reply["text"] for reply in replies]


class Talk:
    """A session with the endpoint, which counts what is asked."""

    def __init__(self, endpoint: FakeEndpoint, memo: Memo, **settings: object) -> None:
        self.endpoint = endpoint
        self.executor = Texts()
        self.models = Registry(endpoint.environ)
        self.session = Session(self.executor, self.models, Settings(**settings), memo=memo)  # type: ignore[arg-type]
        self.tree = self.session.tree

    async def ask(self, question: str = "How many?", *cells: str, **settings: object) -> Node:
        self.endpoint.root(turns(*(cells or (MAP, COUNT, ANSWER))))
        node = await self.session.ask(question, settings=Settings(**settings) if settings else None)  # type: ignore[arg-type]
        self.endpoint.requests.clear()
        return node

    async def rerun(self, node_id: str, kind: str, text: str = "", **more: object) -> Node:
        """Run again, and have `asked` say what that asked."""
        self.endpoint.requests.clear()
        return await self.session.rerun(node_id, Edit(kind, text, **more))  # type: ignore[arg-type]

    @property
    def asked(self) -> tuple[int, int]:
        """Requests for turns, and for calls, since the last run began."""
        return len(self.endpoint.of("root")), len(self.endpoint.of("sub"))

    def turn(self, run: Node, number: int) -> Node:
        return [node for node in self.tree.children(run.id) if node.kind == "turn"][number - 1]


@pytest.fixture
async def talk(endpoint: FakeEndpoint) -> AsyncIterator[Talk]:
    endpoint.sub(lambda prompt: "yes" if prompt.endswith("7") else "no")
    endpoint.is_root = lambda body: body["model"].startswith("root")
    made = Talk(endpoint, Memo())
    yield made
    await made.session.close()
    await made.models.close()


async def test_of_1000_calls_only_the_changed_one_is_paid(talk: Talk) -> None:
    talk.session.settings = Settings(limits=Limits(calls=2_000))
    run = await talk.ask()
    assert run.reply == f"100 of {MANY}"
    call = f"{run.id}/t1/c13"
    assert talk.tree[call].details == {"line": 1, "index": 13}

    # Another prompt with another reply: one call, and the two turns after what is told is different.
    quote = talk.session.quote(call, Edit("prompt", "this one ends with 7"))
    assert (quote["calls_reused"], quote["calls_new"], quote["kept_turns"], quote["restore"]) == (
        999,
        1,
        0,
        "checkpoint",
    )
    other = await talk.rerun(call, "prompt", "this one ends with 7")
    assert (other.outcome, other.reply) == ("answered", f"101 of {MANY}")
    assert talk.asked == (1, 1), "the first turn shows the same, so the second is known too"
    assert talk.tree.total(other.id).calls == 2
    changed = talk.tree[f"{other.id}/t1/c13"]
    assert (changed.prompt, changed.reply, changed.cached) == ("this one ends with 7", "yes", False)
    assert changed.details["edited"] == "prompt"
    kept = talk.tree[f"{other.id}/t1/c14"]
    assert (kept.reply, kept.cached, kept.usage, kept.details["kept"]) == ("no", True, Usage(), f"{run.id}/t1/c14")

    # A reply that is typed: no call at all.
    typed = await talk.rerun(call, "reply", "yes")
    assert (typed.reply, talk.asked) == (f"101 of {MANY}", (0, 0)), "the turns after it are known from the time before"

    # Asked again: one call; the same reply, so nothing after it is asked.
    again = await talk.rerun(call, "again")
    assert (again.reply, talk.asked) == (run.reply, (0, 1))
    assert talk.tree[f"{again.id}/t1/c13"].details["sample"] == 1

    # Another model: one call.
    model = await talk.rerun(call, "model", model="sub-other")
    assert (model.reply, talk.asked) == (run.reply, (0, 1))
    assert talk.endpoint.requests[0].model == "sub-other"
    assert run.reply == f"100 of {MANY}", "the original is as it was"


async def test_code_hint_reply_and_again_of_a_turn(talk: Talk) -> None:
    run = await talk.ask("q", "a = llm_query('first 7')", "b = a + '!'\nprint(b)", "FINAL(b)")
    talk.executor.cells.clear()
    second = talk.turn(run, 2)

    code = await talk.rerun(second.id, "code", "b = a + '?'\nprint(b)")
    assert (code.reply, talk.asked) == ("yes?", (1, 0))
    assert talk.executor.cells == ["b = a + '?'\nprint(b)", "FINAL(b)"], "the first cell is not run"
    first, changed = talk.turn(code, 1), talk.turn(code, 2)
    assert (first.cell_id, first.entry, first.details["kept"]) == (
        talk.turn(run, 1).cell_id,
        talk.turn(run, 1).entry,
        f"{run.id}/t1",
    )
    assert (changed.cached, changed.usage, changed.reply) == (
        True,
        Usage(),
        "Next.\n\n```python\nb = a + '?'\nprint(b)\n```",
    )
    assert talk.tree.children(first.id) == []

    nothing = await talk.rerun(second.id, "code", "b = a + '!'\nprint(b) # the same")
    assert (nothing.reply, talk.asked) == ("yes!", (1, 0)), "the reply is another one, so the next turn is asked"

    hint = await talk.rerun(second.id, "hint", "Use <b> tags.")
    assert (hint.reply, talk.asked) == ("yes!", (2, 0))
    told = talk.endpoint.requests[0].prompt
    assert "Use <b> tags." in told
    assert "<person>" in told

    reply = await talk.rerun(second.id, "reply", "Mine.\n```python\nFINAL('typed')\n```")
    assert (reply.reply, talk.asked) == ("typed", (0, 0))

    again = await talk.rerun(second.id, "again")
    twice = await talk.rerun(second.id, "again")
    assert [talk.turn(each, 2).details["sample"] for each in (again, twice)] == [1, 2]
    assert talk.asked == (1, 0), "its reply is the same, so the turn after it is known"

    model = await talk.rerun(second.id, "model", model="root-other")
    assert [request.model for request in talk.endpoint.requests] == ["root-other", "root-other"]
    assert talk.turn(model, 2).model == "root-other"
    names = [each["name"] for each in talk.session.branches(run.id)]
    assert names[:3] == ["first run", "turn 2: another cell", "turn 2: another cell"]


async def test_the_question_can_be_changed(talk: Talk) -> None:
    run = await talk.ask("How long?", "n = len(context)", "FINAL(n)")
    await talk.executor.person_cell("context = 'short'")
    other = await talk.rerun(run.id, "prompt", "How wide?")
    assert (other.prompt, other.reply, talk.asked) == ("How wide?", run.reply, (2, 0))
    assert other.details["branch"] == {
        "of": run.id,
        "at": run.id,
        "edit": {"kind": "prompt", "text": "How wide?"},
        "name": "",
    }
    same = await talk.rerun(run.id, "again")
    assert (same.prompt, talk.asked) == ("How long?", (1, 0))
    hint = await talk.rerun(run.id, "hint", "Be quick.")
    assert talk.asked == (2, 0)
    assert "Be quick." in talk.endpoint.requests[0].prompt
    model = await talk.rerun(run.id, "model", model="root-two")
    assert (model.model, talk.asked, hint.reply) == ("root-two", (2, 0), run.reply)


async def test_samples_stay_reachable(talk: Talk) -> None:
    replies = iter("abcdefgh")
    talk.endpoint.sub(lambda _: next(replies))
    run = await talk.ask("q", "x = llm_query('same') + llm_query('same')", "y = llm_query('same')", "FINAL(x + y)")
    assert run.reply == "abc"
    one = await talk.rerun(f"{run.id}/t1/c1", "again")
    assert (one.reply, talk.asked) == ("dbc", (0, 1)), "the other two are what they were"
    two = await talk.rerun(f"{run.id}/t1/c2", "again")
    assert (two.reply, talk.asked) == ("aec", (0, 1))
    again = await talk.rerun(f"{one.id}/t1/c2", "again")
    assert (again.reply, talk.asked) == ("dfc", (0, 1)), "of the branch"
    assert [run.reply, one.reply, two.reply] == ["abc", "dbc", "aec"]
    late = await talk.rerun(f"{again.id}/t2", "code", "y = llm_query('same').upper()")
    assert (late.reply, talk.asked[1]) == ("dfC", 0), "requests of turns taken over keep their numbers"


async def test_failed_calls_are_asked_again(talk: Talk) -> None:
    talk.endpoint.fault_of = lambda request: "400" if request.prompt in ("piece 3", "piece 5") else ""
    pieces = "rs = llm_query_batched([f'piece {i}' for i in range(8)])\nprint([str(r) for r in rs])"
    run = await talk.ask("q", pieces, "FINAL(sum(bool(r) for r in rs))")
    assert run.reply == "6"
    talk.endpoint.fault_of = lambda _: ""
    fixed = await talk.rerun(f"{run.id}/t1/c4", "again")
    assert (fixed.reply, talk.asked) == ("8", (1, 2)), "the other one that failed is asked again too"


async def test_fresh_cut_schema_and_no_memo_of_a_model_without_endpoint(talk: Talk) -> None:
    run = await talk.ask("q", "x = [llm_query('a 7'), llm_query('b 7')]", "FINAL(x)", fresh=True)
    run = await talk.ask("q", "x = [llm_query('a 7'), llm_query('b 7')]", "FINAL(x)", fresh=True)
    typed = await talk.rerun(f"{run.id}/t1/c1", "reply", "no")
    assert (typed.reply, talk.asked) == ('[\n  "no",\n  "yes"\n]', (0, 0)) or typed.reply == "['no', 'yes']"
    talk.endpoint.fault("length", 1, role="sub")
    cut = await talk.ask("cut", "x = llm_query('long 7')\nprint(bool(x))", "FINAL(bool(x))")
    assert cut.reply == "False"
    whole = await talk.rerun(f"{cut.id}/t1/c1", "again")
    assert (whole.reply, talk.asked) == ("True", (1, 1))


async def test_python_goes_back_by_running_cells_again(talk: Talk) -> None:
    run = await talk.ask("q", "a = [1]", "a.append(llm_query('x 7'))\nprint(a)", "a.append(3)\nprint(a)", "FINAL(a)")
    await talk.executor.person_cell("a.append('mine')")
    talk.executor.states.clear()
    third = talk.turn(run, 3).id
    quote = talk.session.quote(third, Edit("code", "a.append(4)\nprint(a)"))
    assert (quote["restore"], quote["replay_cells"], quote["kept_turns"]) == ("replay", 2, 2)
    branch = await talk.rerun(third, "code", "a.append(4)\nprint(a)")
    assert branch.reply == "[1, 'yes', 4]"
    assert talk.asked == (1, 0)
    assert await talk.session.switch(run.id)
    assert talk.executor.names["a"] == [1, "yes", 3, "mine"], "with what the person did since"
    assert talk.session.here == run.run_id
    assert await talk.session.switch(branch.id)
    assert talk.executor.names["a"] == [1, "yes", 4]


async def test_where_the_state_cannot_be_restored_nothing_is_paid(talk: Talk) -> None:
    run = await talk.ask("q", "import time\nt = time.time_ns()\nprint(t)", "u = 1", "FINAL(u)")
    talk.executor.states.clear()
    before, nodes = dict(talk.executor.names), len(talk.tree)
    with pytest.raises(Exception, match="cannot be restored exactly"):
        await talk.rerun(f"{run.id}/t2", "code", "u = 2")
    assert (talk.asked, len(talk.tree)) == ((0, 0), nodes)
    assert talk.executor.names["t"] == before["t"]
    assert talk.session.control.state == "idle"
    anyway = await talk.rerun(f"{run.id}/t2", "code", "u = 2", anyway=True)
    assert anyway.reply == "2"
    assert (await talk.ask("next", "FINAL(5)")).reply == "5"


async def test_a_person_may_run_the_edited_cell_and_go_on(talk: Talk) -> None:
    run = await talk.ask("q", "a = 1", "print(a)", "FINAL(a)")
    first = talk.turn(run, 1)
    with pytest.raises(InputError, match="not run since"):
        await talk.rerun(first.id, "continue")
    await talk.executor.person_cell("a = 5\nprint('five')", cell_id=first.cell_id)
    stale = talk.session.cell_edited(first.id, talk.session.history.of_cell(first.cell_id or ""))
    assert stale == [f"{run.id}/t2", f"{run.id}/t3"]
    assert talk.turn(run, 3).stale
    assert not first.stale
    assert talk.session.quote(first.id, Edit("continue"))["restore"] == "present"
    branch = await talk.rerun(first.id, "continue")
    assert (branch.reply, talk.asked) == ("5", (2, 0))
    kept = talk.turn(branch, 1)
    assert (kept.code, kept.output, kept.cell_id) == ("a = 5\nprint('five')", "five", first.cell_id)
    assert "five" in talk.endpoint.requests[0].prompt


async def test_kept_turns_count_and_limits_hold_for_what_the_branch_spends(talk: Talk) -> None:
    run = await talk.ask("q", *[f"x{n} = llm_query('{n}')" for n in range(5)], "FINAL('end')")
    last = f"{run.id}/t5"
    few = await talk.session.rerun(last, Edit("again"), settings=Settings(limits=Limits(turns=5)))
    assert (few.outcome, "5 turns" in (few.error or "")) == ("limit", True)
    calls = await talk.session.rerun(
        last, Edit("code", "y = llm_query('new')"), settings=Settings(limits=Limits(calls=2))
    )
    assert (calls.outcome, calls.reply, talk.tree.total(calls.id).calls) == ("answered", "end", 2)


async def test_nothing_is_changed_where_an_edit_does_not_fit(talk: Talk) -> None:
    run = await talk.ask("q", "x = llm_query('a')", "FINAL(x)")
    wrong = [
        (run.id, Edit("code", "x"), "does not fit a question"),
        (f"{run.id}/t1/c1", Edit("hint", "x"), "does not fit a call"),
        (f"{run.id}/t1", Edit("code", " "), "no text"),
        (f"{run.id}/t1", Edit("model"), "No model is named"),
        ("run-x", Edit("again"), "There is no run-x"),
    ]
    nodes = len(talk.tree)
    for node_id, edit, message in wrong:
        with pytest.raises(InputError, match=message):
            await talk.session.rerun(node_id, edit)
        with pytest.raises(InputError, match=message):
            talk.session.quote(node_id, edit)
    assert len(talk.tree) == nodes
    with pytest.raises(InputError, match="cannot be 'x'"):
        Edit.from_dict({"kind": "x"})
    edit = Edit("model", model="m", anyway=True)
    assert Edit.from_dict(edit.to_dict()) == edit


async def test_branches_have_names_can_be_compared_and_deleted(talk: Talk) -> None:
    run = await talk.ask("q", "x = 1\nprint(x)", "FINAL(x)")
    one = await talk.rerun(f"{run.id}/t1", "code", "x = 2\nprint(x)")
    two = await talk.rerun(f"{one.id}/t1", "code", "x = 3\nprint(x)")
    session = talk.session
    listed = session.branches(two.id)
    assert [(each["id"], each["of"], each["current"]) for each in listed] == [
        (run.id, None, False), (one.id, run.id, False), (two.id, one.id, True)
    ]  # fmt: skip
    session.name_branch(one.id, "  better\n one ")
    assert session.branches(run.id)[1]["name"] == "better one"
    compared = session.compare(run.id, one.id)
    assert [(pair["turn"], pair["same"]) for pair in compared["turns"]] == [(1, False), (2, True)]
    assert (compared["a"]["answer"], compared["b"]["answer"]) == ("1", "2")
    for run_id, why in ((run.id, "asked first"), (one.id, "came of this one"), (two.id, "state is this")):
        with pytest.raises(InputError, match=why):
            session.delete_branch(run_id)
    assert await session.switch(run.id)
    session.delete_branch(two.id)
    session.delete_branch(one.id)
    assert [each["id"] for each in session.branches(run.id)] == [run.id]
    assert one.id not in talk.tree


async def test_a_summary_before_the_change_is_not_asked_for_again(talk: Talk) -> None:
    cells = [f"x{n} = llm_query('{n} 7')\nprint('step {n}', 'w ' * 3000)" for n in range(6)]
    cells += ["FINAL(x5 + str(len(history)))"]

    def root(messages: Messages) -> str:
        if "Write no cell now" in messages[-1]["content"]:
            return "Found so far."
        steps = [int(found) for found in re.findall(r"\nstep (\d)", messages[-1]["content"])]
        return cell(cells[steps[-1] + 1 if steps else 0])

    talk.models.environ = {**talk.endpoint.environ, "RLM_WINDOW": "9000"}
    talk.endpoint.root(root)
    run = await talk.session.ask("q")
    assert run.outcome == "answered", run.error
    rooms = [node for node in talk.tree.children(run.id) if node.kind == "call"]
    assert {"turn", "keep"} <= set(rooms[0].details)
    other = await talk.rerun(f"{run.id}/t6/c1", "reply", "typed")
    assert (other.reply, talk.asked) == (run.reply.replace("yes", "typed"), (0, 0))
    hint = await talk.rerun(f"{run.id}/t6", "hint", "Look again.")
    assert (hint.reply, talk.asked) == (run.reply, (2, 0))
    told = talk.endpoint.requests[0].messages
    assert "Found so far." in told[1]["content"]
    assert talk.tree[f"{hint.id}/c1"].details["kept"] == rooms[0].id
    talk.executor.states.clear()
    code = await talk.rerun(f"{hint.id}/t6", "code", cells[5])
    assert code.reply == run.reply, "a variable set from outside is set again"
    with pytest.raises(InputError, match="summary"):
        await talk.rerun(rooms[0].id, "again")
