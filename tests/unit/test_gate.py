"""What waits for a person: cells and fan-outs, decisions, and where nobody is there."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from rlm_kernel.engine.control import Control
from rlm_kernel.engine.gate import CallsQuoteDict, Gate
from rlm_kernel.engine.session import Session
from rlm_kernel.engine.settings import Settings
from rlm_kernel.errors import InputError
from rlm_kernel.ids import NodeId, RunId
from rlm_kernel.models.memo import Memo
from rlm_kernel.models.prices import Price
from rlm_kernel.models.registry import Registry
from rlm_kernel.trace.records import Node
from rlm_kernel.usage import Limits
from tests.unit.inline import Diary, InlineExecutor, answer, cell
from tests.unit.test_engine import Recorder, until

if TYPE_CHECKING:
    from rlm_kernel.models.base import Model

WRITE = "import os\nos.getcwd()\nopen('/dev/null', 'w').close()"


def session(model: Model, executor: InlineExecutor | None = None, *, attended: bool = True, **chosen: Any) -> Session:
    settings = Settings("m", "m", chosen.pop("limits", Limits()), **chosen)
    talk = Session(executor or InlineExecutor(), Registry({}, {"m": model}), settings)
    talk.gate.attended = attended
    return talk


async def waits(talk: Session, asking: asyncio.Task[Node]) -> dict[str, Any]:
    """Give what waits for a decision."""
    await until(lambda: talk.gate.waiting or asking.done())
    assert talk.gate.waiting, asking.result().error
    return dict(talk.gate.waiting[0])


# Cells


async def test_a_risky_cell_waits_and_says_which_line_and_why() -> None:
    executor, seen = InlineExecutor(), []
    talk = session(Recorder(cell("x = 1"), cell(WRITE), answer("x")), executor, approve="risky")
    talk.gate.on_change.append(lambda: seen.append([each["id"] for each in talk.gate.waiting]))
    asking = asyncio.create_task(talk.ask("q"))
    waiting = await waits(talk, asking)
    turn = talk.tree.children(talk.current.id)[1]  # type: ignore[union-attr]
    assert waiting == {
        "id": "w1",
        "node_id": turn.id,
        "cell_id": turn.cell_id,
        "kind": "cell",
        "code": WRITE,
        "reasons": [{"line": 3, "why": "writes a file", "code": "open('/dev/null', 'w')"}],
        "quote": None,
    }
    assert (executor.cells, talk.control.state, talk.control.waits_for) == (
        ["x = 1"],
        "paused",
        "your decision on a cell",
    )
    talk.gate.decide("w1", {"verdict": "approve"})
    run = await asking
    assert (run.outcome, seen) == ("answered", [["w1"], []])
    assert turn.details["gate"] == {"verdict": "approve", "by": "person", "reasons": waiting["reasons"]}
    with pytest.raises(InputError, match="no decision any more"):
        talk.gate.decide("w1", {"verdict": "approve"})


async def test_a_changed_cell_runs_and_the_model_is_told_and_the_trace_keeps_both() -> None:
    model, executor, diary = Recorder(cell("print(1)"), answer("x")), InlineExecutor(), []
    talk = session(model, executor, approve="each")
    talk.observers.add(Pieces(diary))
    asking = asyncio.create_task(talk.ask("q"))
    await waits(talk, asking)
    talk.gate.decide("w1", {"verdict": "approve", "source": "# mine\nprint(2)\n"})
    await until(lambda: len(talk.gate.waiting) and talk.gate.waiting[0]["id"] == "w2")
    talk.gate.decide("w2", {"verdict": "approve", "source": answer("x").split("```")[1].removeprefix("python\n")})
    run = await asking
    first, last = talk.tree.children(run.id)
    assert executor.cells[0] == "# mine\nprint(2)"
    assert "changed your cell before it ran" in model.told
    assert "<person_cell>\n# mine\nprint(2)\n</person_cell>" in model.told
    assert (first.code, first.label, first.output) == ("# mine\nprint(2)", "mine", "2")
    assert "print(1)" in first.reply
    assert first.details["gate"]["written"] == "print(1)"  # type: ignore[index]
    assert "written" not in last.details["gate"], "the same cell is no change"  # type: ignore[operator]
    assert ("code", 0, "# mine\nprint(2)") in diary


class Pieces(Diary):
    """Keeps the pieces of turns as they come."""

    def __init__(self, kept: list[Any]) -> None:
        super().__init__()
        self.kept = kept

    def turn_text(self, node: Node, part: str, pos: int, text: str) -> None:
        self.kept.append((part, pos, text))


async def test_a_refused_cell_is_not_run_and_the_model_hears_why() -> None:
    model, executor = Recorder(cell("print(1)"), answer("x")), InlineExecutor()
    talk = session(model, executor, approve="each")
    asking = asyncio.create_task(talk.ask("q"))
    await waits(talk, asking)
    talk.gate.decide("w1", {"verdict": "reject", "reason": " Not <b>so</b>. "})
    await until(lambda: len(model.requests) == 2)
    assert "Your cell was not run" in model.told
    assert "<person>\nNot <b>so</b>.\n</person>" in model.told
    await until(lambda: talk.gate.waiting)
    talk.gate.decide("w2", {"verdict": "always"})
    run = await asking
    first = talk.tree.children(run.id)[0]
    assert (run.outcome, len(executor.cells)) == ("answered", 1)
    assert (first.status, first.error) == ("done", "No cell was run: it was refused. Not <b>so</b>.")


async def test_always_holds_for_the_question_and_not_for_the_next() -> None:
    talk = session(Recorder(cell("1"), cell("2"), answer("x"), answer("y")), approve="each")
    asking = asyncio.create_task(talk.ask("q"))
    await waits(talk, asking)
    talk.gate.decide("w1", {"verdict": "always"})
    assert (await asking).outcome == "answered"
    asking = asyncio.create_task(talk.ask("another"))
    assert (await waits(talk, asking))["id"] == "w2"
    talk.control.stop()
    assert (await asking).outcome == "stopped"
    assert talk.gate.waiting == []


async def test_approval_can_be_asked_for_in_mid_run() -> None:
    executor = InlineExecutor()
    talk = session(Recorder(cell("1"), cell("2"), answer("x")), executor)
    executor.before_cell = lambda: setattr(talk.gate, "settings", Settings(approve="each"))
    asking = asyncio.create_task(talk.ask("q"))
    assert (await waits(talk, asking))["code"] == "2"
    talk.gate.decide("w1", {"verdict": "always"})
    executor.before_cell = lambda: None
    assert (await asking).outcome == "answered"


async def test_stopping_and_cancelling_end_the_waiting() -> None:
    for end in ("stop", "cancel"):
        talk = session(Recorder(cell("1")), approve="each")
        asking = asyncio.create_task(talk.ask("q"))
        await waits(talk, asking)
        if end == "stop":
            talk.control.stop()
            assert (await asking).outcome == "stopped"
        else:
            asking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asking
        assert (talk.gate.waiting, talk.control.state, talk.control.needs_decision) == ([], "idle", False)


@pytest.mark.parametrize(
    ("kind", "decision", "says"),
    [
        ("cell", {"verdict": "perhaps"}, "cannot be 'perhaps'"),
        ("cell", {}, "cannot be None"),
        ("cell", {"verdict": "first", "first": 1}, "cannot be 'first' here"),
        ("cell", {"verdict": "approve", "source": 5}, "are texts"),
        ("cell", {"verdict": "reject", "source": "x"}, "Only a cell that is approved"),
        ("calls", {"verdict": "approve", "source": "x"}, "Only a cell"),
        ("calls", {"verdict": "first", "first": True}, "True of 20 calls"),
        ("calls", {"verdict": "first", "first": 21}, "from 1 to 20"),
        ("calls", {"verdict": "first"}, "None of 20 calls"),
    ],
)
async def test_decisions_that_mean_nothing_change_nothing(kind: str, decision: dict[str, Any], says: str) -> None:
    control = Control()
    gate = Gate(control)
    gate.attended = True
    control.begin()
    gate.begin(Settings(approve="each", quote=1))
    node = Node(NodeId("r/t1"), RunId("r"), NodeId("r"), "turn", "x")
    quote = CallsQuoteDict(calls=20, cached=0, tokens=None, cost_usd=None, model="m", kind="llm")
    asked = asyncio.ensure_future(gate.cell(node, "1") if kind == "cell" else gate.calls(node, quote))
    await until(lambda: gate.waiting)
    with pytest.raises(InputError, match=says):
        gate.decide("w1", decision)
    assert len(gate.waiting) == 1
    gate.decide("w1", {"verdict": "approve"})
    with pytest.raises(InputError, match="decided already"):
        gate.decide("w1", {"verdict": "approve"})
    assert (await asked).approved


async def test_several_wait_at_once_each_with_its_own_id_and_always_lets_all_of_a_kind_pass() -> None:
    control = Control()
    gate = Gate(control)
    gate.attended = True
    control.begin()
    gate.begin(Settings(approve="each", quote=1))
    nodes = [Node(NodeId(f"r/t1/r{n}/t1"), RunId(f"r/t1/r{n}"), NodeId(f"r/t1/r{n}"), "turn", "x") for n in range(3)]
    quote = CallsQuoteDict(calls=20, cached=0, tokens=None, cost_usd=None, model="m", kind="rlm")
    cells = [asyncio.ensure_future(gate.cell(node, "1")) for node in nodes]
    calls = asyncio.ensure_future(gate.calls(nodes[0], quote))
    await until(lambda: len(gate.waiting) == 4)
    assert control.waits_for == "your decisions: 4 things wait for them"
    gate.decide("w2", {"verdict": "reject"})
    await until(lambda: len(gate.waiting) == 3)
    gate.decide("w1", {"verdict": "always"})
    assert [(await each).approved for each in cells] == [True, False, True]
    assert [each["id"] for each in gate.waiting] == ["w4"]
    assert control.waits_for == "your decision on 20 child runs to m (cost unknown)"
    gate.decide("w4", {"verdict": "first", "first": 3})
    assert (await calls).first == 3
    assert control.state == "running"


# Where nobody is there


async def test_without_a_person_the_question_ends_and_says_what_to_give() -> None:
    executor = InlineExecutor()
    talk = session(
        Recorder(cell("x = 1"), cell(WRITE), cell(WRITE), answer("x")), executor, approve="risky", attended=False
    )
    run = await talk.ask("q")
    assert run.outcome == "failed"
    assert run.error == "Line 3 writes a file: open('/dev/null', 'w'). Nobody is here to approve it."
    assert "--policy allow" in run.remedy
    assert "--policy refuse" in run.remedy
    assert run.details["not_approved"] is True
    assert executor.cells == ["x = 1"]
    talk.settings = Settings("m", "m", approve="risky", policy="allow")
    assert (await talk.go_on()).outcome == "answered"
    assert executor.cells[1] == WRITE


async def test_a_policy_refuses_or_allows_without_asking() -> None:
    for policy, cells in (("refuse", 1), ("allow", 2)):
        model, executor = Recorder(cell(WRITE), answer("x")), InlineExecutor()
        talk = session(model, executor, approve="risky", policy=policy, attended=policy == "refuse")
        run = await talk.ask("q")
        gate = talk.tree.children(run.id)[0].details["gate"]
        assert (run.outcome, len(executor.cells), gate["by"]) == ("answered", cells, "policy")  # type: ignore[index]
        assert ("Line 3 writes a file" in model.told) == (policy == "refuse")


async def test_each_without_a_person_says_so() -> None:
    run = await session(Recorder(cell("1")), approve="each", attended=False).ask("q")
    assert run.error == "Every cell is to be approved (--approve each). Nobody is here to approve it."


# Many calls


FAN = "replies = llm_query_batched([f'p{n}' for n in range(20)])\nprint([reply['error'] for reply in replies])"


async def test_a_fan_out_shows_a_quote_and_can_be_cut_to_the_first() -> None:
    model = Recorder(cell(FAN), answer("x"))
    talk = session(model, quote=19)
    asking = asyncio.create_task(talk.ask("q"))
    waiting = await waits(talk, asking)
    assert (waiting["kind"], waiting["code"], waiting["reasons"]) == ("calls", FAN, [])
    assert waiting["quote"]["tokens"] > 20 * 300
    assert waiting["quote"] | {"tokens": 0} == {
        "calls": 20, "cached": 0, "tokens": 0, "cost_usd": 0.0, "model": "m", "kind": "llm",
    }  # fmt: skip
    assert len(model.requests) == 1, "nothing is asked before"
    talk.gate.decide("w1", {"verdict": "first", "first": 3})
    run = await asking
    turn = talk.tree.children(run.id)[0]
    nodes = talk.tree.children(turn.id)
    assert [node.status for node in nodes] == ["done"] * 3 + ["failed"] * 17
    assert nodes[3].error == "Not asked: only the first 3 of these 20 were approved."
    assert turn.output.count("only the first 3") == 17
    assert turn.details["fan_outs"][0]["first"] == 3  # type: ignore[index]


async def test_a_refused_fan_out_gives_failed_replies_and_always_asks_no_more() -> None:
    again = FAN.replace("'p", "'q")
    talk = session(Recorder(cell(FAN), cell(again), cell(again.replace("'q", "'r")), answer("x")), quote=5)
    asking = asyncio.create_task(talk.ask("q"))
    await waits(talk, asking)
    talk.gate.decide("w1", {"verdict": "reject", "reason": "Count instead."})
    await until(lambda: [each["id"] for each in talk.gate.waiting] == ["w2"])
    talk.gate.decide("w2", {"verdict": "always"})
    run = await asking
    refused, allowed, more, _ = talk.tree.children(run.id)
    errors = {node.error for node in talk.tree.children(refused.id)}
    assert errors == {"Not asked: the person refused these 20 calls. Count instead."}
    assert {node.status for turn in (allowed, more) for node in talk.tree.children(turn.id)} == {"done"}


async def test_calls_that_are_known_do_not_count_and_a_dear_fan_out_is_asked_about() -> None:
    class Priced(Registry):
        def price(self, model: str) -> Price | None:
            return Price(0.1, 0.1, 0.1)

        def endpoint_of(self, name: str) -> str | None:
            return "test"

    model = Recorder(cell(FAN.replace("20", "10")), answer("x"), cell(FAN), answer("y"))
    limits = Limits(cost_usd=None)
    talk = Session(InlineExecutor(), Priced({}, {"m": model}), Settings("m", "m", limits, quote=None), memo=Memo())
    talk.gate.attended = True
    await talk.ask("q")
    talk.settings = Settings("m", "m", limits, quote=10)
    asking = asyncio.create_task(talk.ask("another"))
    quote = (await waits(talk, asking))["quote"]
    assert (quote["calls"], quote["cached"]) == (20, 10)
    assert quote["cost_usd"] == pytest.approx(quote["tokens"] * 0.1)
    assert quote["cost_usd"] >= 1, "ten new calls are few enough, but not cheap"
    talk.gate.decide("w1", {"verdict": "approve"})
    run = await asking
    assert run.outcome == "answered"
    cached = [node.cached for node in talk.tree.children(talk.tree.children(run.id)[0].id)]
    assert cached == [True] * 10 + [False] * 10


async def test_fan_outs_without_a_person() -> None:
    """Where cells are not asked about, the limits alone hold; else a policy is needed, and holds."""
    for chosen, outcome, done in (
        ({}, "answered", 20),
        ({"approve": "risky"}, "failed", 0),
        ({"policy": "refuse"}, "answered", 0),
        ({"policy": "allow", "approve": "risky"}, "answered", 20),
    ):
        talk = session(Recorder(cell(FAN), answer("x")), quote=5, attended=False, **chosen)
        run = await talk.ask("q")
        nodes = talk.tree.children(talk.tree.children(run.id)[0].id)
        assert (run.outcome, sum(node.status == "done" for node in nodes)) == (outcome, done), chosen
        if outcome == "failed":
            assert "20 calls to m" in (run.error or "")


async def test_stopping_while_a_fan_out_waits() -> None:
    model = Recorder(cell(FAN + "\nwait(20)"), answer("x"))
    talk = session(model, quote=5)
    asking = asyncio.create_task(talk.ask("q"))
    await waits(talk, asking)
    talk.control.stop()
    run = await asking
    assert run.outcome == "stopped"
    nodes = talk.tree.children(talk.tree.children(run.id)[0].id)
    assert {node.status for node in nodes} == {"stopped"}
    assert len(model.requests) == 1


async def test_calls_of_a_persons_own_cell_are_not_asked_about() -> None:
    talk = session(Recorder(), quote=1)
    replies = await talk.query_outside({"prompts": ["a"] * 5, "model": None, "batched": True, "line": 1}, "llm_query")
    assert [reply["error"] for reply in replies] == [None] * 5
