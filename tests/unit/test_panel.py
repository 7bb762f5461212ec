"""The panel's data path: what views are told, and what they may say."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import time
from typing import Any

import pytest

from rlm_kernel.engine.executor import AnswerState, CellResult, ContextInfo, NamespaceInfo, Output, QueryDict
from rlm_kernel.engine.session import Session
from rlm_kernel.models.registry import Registry
from rlm_kernel.models.scripted import ScriptedModel
from rlm_kernel.panel import feed
from rlm_kernel.panel.widget import STATIC, Panel

LOOK = "I look first.\n```python\nprint(len(context))\n```"
BATCH = "```python\nreplies = await queries(['one', 'two', 'three'])\nprint(replies)\n```"
DONE = "```python\nFINAL('<b>forty-two</b>')\n```"


class LocalExecutor:
    """Runs cells right here: the engine's seam without a process, enough for what listens to the engine."""

    def __init__(self) -> None:
        self.names: dict[str, Any] = {"context": "x" * 42, "FINAL": self._final}
        self.answer = AnswerState(content="", ready=False)

    def _final(self, content: str) -> None:
        self.answer = AnswerState(content=content, ready=True)

    async def describe(self) -> NamespaceInfo:
        info = ContextInfo(type="str", source="", chars=42, lines=1, structure="", head="x", tail="x")
        return NamespaceInfo(context=info, names=[])

    async def begin(self, queries) -> None:
        self.answer = AnswerState(content="", ready=False)

        async def ask(prompts: list[str]) -> list[str]:
            replies = await queries(QueryDict(prompts=prompts, model=None, batched=True, line=1))
            return [reply["text"] for reply in replies]

        self.names["queries"] = ask

    async def run_cell(self, cell) -> CellResult:
        shown = io.StringIO()
        lines = "\n".join(f"    {line}" for line in cell.code.splitlines())
        with contextlib.redirect_stdout(shown):
            exec(f"async def cell(globals=globals()):\n{lines}", self.names)
            await self.names["cell"]()
        output = Output(output_type="stream", name="stdout", text=shown.getvalue())
        return CellResult("ok", self.answer, 1, [output] if output["text"] else [])

    async def end(self) -> None:
        return None

    def interrupt(self) -> None:
        return None


class HeardPanel(Panel):
    """A panel that keeps what it sends; it has no page at the other end."""

    def __init__(self, session: Session) -> None:
        self.sent: list[dict[str, Any]] = []
        super().__init__(session)

    def send(self, content: Any, buffers: Any = None) -> None:
        # Through JSON and back: what cannot be sent must fail here, and later changes must not reach what was sent.
        self.sent.append(json.loads(json.dumps(content)))

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [message for message in self.sent if message["kind"] == kind]

    def say(self, **content: Any) -> None:
        """Let a view say something."""
        self._handle_custom_msg(content, [])


def make_session(*replies: str, delay: float = 0.0) -> Session:
    model = ScriptedModel(replies, sub="yes", chunk=4, delay=delay)
    return Session(LocalExecutor(), Registry({}, {"tutor": model}))


async def until(condition) -> None:
    for _ in range(1_000):
        if condition():
            return
        await asyncio.sleep(0.01)
    pytest.fail("it did not happen within ten seconds")


async def test_rows_arrive_in_batches_and_add_up_to_the_tree():
    session = make_session(LOOK, BATCH, DONE)
    panel = HeardPanel(session)
    run = await session.ask("How many?")
    assert run.outcome == "answered"
    rows: dict[str, Any] = {}
    for message in panel.of("delta"):
        for row in message["nodes"]:
            assert row["parent_id"] is None or row["parent_id"] in rows | {each["id"]: 1 for each in message["nodes"]}
            rows[row["id"]] = row
    assert list(rows) == [row["id"] for row in session.tree.skeleton()]
    assert rows == {row["id"]: row for row in json.loads(json.dumps(session.tree.skeleton()))}
    calls = [row for row in rows.values() if row["kind"] == "call"]
    assert len(calls) == 3
    assert len({row["batch"] for row in calls}) == 1
    panel.close()


async def test_there_are_at_most_twenty_batches_a_second():
    session = make_session(
        *[f"Step {number}.\n```python\nprint({number})\n```" for number in range(3)], DONE, delay=0.005
    )
    panel = HeardPanel(session)
    began = time.monotonic()
    await session.ask("How many?")
    seconds = time.monotonic() - began
    assert 2 <= len(panel.of("delta")) <= seconds / feed.DELTA_SECONDS + 2
    panel.close()


async def test_text_that_grows_marks_its_turn():
    session = make_session(LOOK, DONE, delay=0.03)
    panel = HeardPanel(session)
    task = asyncio.create_task(session.ask("How many?"))
    await until(lambda: len(panel.of("delta")) >= 3)
    turn = session.tree.children(session.tree.children(None)[0].id)[0]
    assert any(row["id"] == turn.id for row in panel.of("delta")[-1]["nodes"])
    panel.say(kind="detail", id=turn.id)
    assert panel.of("detail")[-1]["texts"]["reply"].startswith("I lo")
    await task
    panel.close()


async def test_a_view_that_says_ready_gets_every_row_and_the_control():
    session = make_session(LOOK, DONE)
    panel = HeardPanel(session)
    panel.say(kind="ready")
    assert panel.of("snapshot")[-1]["nodes"] == []
    await session.ask("How many?")
    panel.say(kind="ready")
    snapshot = panel.of("snapshot")[-1]
    assert [row["kind"] for row in snapshot["nodes"]] == ["run", "turn", "turn"]
    assert snapshot["control"] == {"state": "idle", "waits_for": ""}
    assert abs(snapshot["now"] - time.time()) < 60
    assert snapshot["removed"] == []
    panel.close()


async def test_the_kept_picture_is_final_when_the_run_is_over():
    session = make_session(LOOK, DONE)
    panel = HeardPanel(session)
    await session.ask("How many?")
    assert [row["status"] for row in panel.snapshot["nodes"]] == ["done", "done", "done"]
    assert panel.get_state("snapshot")["snapshot"]["nodes"][0]["outcome"] == "answered"
    await asyncio.sleep(3 * feed.DELTA_SECONDS)
    assert panel.of("delta")[-1]["control"]["state"] == "idle"
    panel.close()


async def test_a_panel_made_after_a_run_shows_it():
    session = make_session(DONE)
    await session.ask("How many?")
    panel = HeardPanel(session)
    assert [row["kind"] for row in panel.snapshot["nodes"]] == ["run", "turn"]
    panel.close()


async def test_a_detail_carries_the_long_texts_as_they_are():
    session = make_session(LOOK, DONE)
    panel = HeardPanel(session)
    run = await session.ask("How many?")
    panel.say(kind="detail", id=run.id)
    assert panel.of("detail")[-1]["texts"]["reply"] == "<b>forty-two</b>"
    turn = session.tree.children(run.id)[0]
    panel.say(kind="detail", id=turn.id)
    texts = panel.of("detail")[-1]["texts"]
    assert texts["code"].strip() == "print(len(context))"
    assert "42" in texts["output"]
    panel.close()


async def test_the_buttons_steer_the_run():
    session = make_session(LOOK, DONE, delay=0.02)
    panel = HeardPanel(session)
    task = asyncio.create_task(session.ask("How many?"))
    await until(lambda: bool(session.tree.children(None)))
    panel.say(kind="command", name="pause")
    assert session.control.state == "paused"
    await asyncio.sleep(3 * feed.DELTA_SECONDS)
    assert panel.of("delta")[-1]["control"]["state"] == "paused"
    panel.say(kind="command", name="resume")
    assert session.control.state == "running"
    panel.say(kind="command", name="stop")
    run = await task
    assert run.outcome == "stopped"
    panel.close()


@pytest.mark.parametrize(
    "content",
    [
        {"kind": "detail", "id": "nothing"},
        {"kind": "detail", "id": ["a"]},
        {"kind": "detail"},
        {"kind": "command", "name": "close"},
        {"kind": "command", "name": {"a": 1}},
        {"kind": "other"},
        {},
    ],
)
async def test_what_a_view_may_not_say_is_ignored(content):
    session = make_session(DONE)
    panel = HeardPanel(session)
    panel.say(**content)
    assert panel.sent == []
    assert session.control.state == "idle"
    panel.close()


async def test_a_closed_panel_is_silent_and_the_run_goes_on():
    session = make_session(LOOK, DONE)
    panel = HeardPanel(session)
    panel.close()
    run = await session.ask("How many?")
    assert run.outcome == "answered"
    assert panel.sent == []


async def test_ten_thousand_calls_are_few_messages():
    prompts = ", ".join(f"'{number}'" for number in range(2_000))
    session = make_session(f"```python\nawait queries([{prompts}])\n```", DONE)
    panel = HeardPanel(session)
    await session.ask("How many?", settings=None)
    rows = sum(len(message["nodes"]) for message in panel.of("delta"))
    assert len(session.tree) > 900
    assert rows < 5 * len(session.tree) + 500
    panel.close()


def test_the_view_never_sets_markup():
    script = (STATIC / "panel.js").read_text("utf-8")
    for way in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write"):
        assert way not in script
    assert (STATIC / "panel.css").is_file()
