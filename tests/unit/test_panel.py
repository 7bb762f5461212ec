"""The panel's data path: what views are told without asking, and what a late one gets."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import pytest

from rlm_kernel.panel import feed
from rlm_kernel.panel.packing import unpack_picture
from tests.unit.paneling import BATCH, DONE, LOOK, HeardPanel, make_session, until


def rows_of(packed: dict[str, Any]) -> list[dict[str, Any]]:
    """What the script makes of packed rows."""
    rows = []
    for values in packed["rows"]:
        row = dict(zip(packed["keys"], values, strict=True))
        row["usage"] = dict(zip(packed["usage_keys"], row["usage"], strict=True))
        total = row["total"]
        row["total"] = dict(row["usage"]) if total is None else dict(zip(packed["usage_keys"], total, strict=True))
        rows.append(row)
    return rows


def as_json(value: object) -> Any:
    return json.loads(json.dumps(value))


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
    assert rows == {row["id"]: row for row in as_json(session.tree.skeleton())}
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
    assert 2 <= len(panel.of("delta")) <= seconds / feed.DELTA_SECONDS + 3
    panel.close()


async def test_a_chosen_node_is_streamed_to_its_end_and_others_are_not():
    session = make_session(LOOK, DONE, delay=0.01)
    panel = HeardPanel(session)
    task = asyncio.create_task(session.ask("How many?"))
    await until(lambda: len(session.tree) > 1)
    turn = session.tree.children(session.tree.children(None)[0].id)[0]
    panel.say(kind="watch", id=turn.id, view="a")
    texts = panel.ask("detail", kind="detail", id=turn.id)["texts"]
    await task
    await asyncio.sleep(3 * feed.DELTA_SECONDS)
    assert {message["node_id"] for message in panel.of("text")} == {turn.id}
    for message in panel.of("text"):
        known = texts[message["part"]] or ""
        assert message["pos"] <= len(known)
        texts[message["part"]] = known[: message["pos"]] + message["text"]
        assert message["total"] == len(texts[message["part"]])
    assert (texts["reply"], texts["code"], texts["output"]) == (turn.reply, turn.code, turn.output)
    assert "42" in texts["output"]
    panel.close()


async def test_a_view_that_watches_no_more_gets_no_texts():
    session = make_session(LOOK, DONE, delay=0.01)
    panel = HeardPanel(session)
    task = asyncio.create_task(session.ask("How many?"))
    await until(lambda: len(session.tree) > 1)
    turn = session.tree.children(session.tree.children(None)[0].id)[0]
    panel.say(kind="watch", id=turn.id, view="a")
    panel.say(kind="watch", id=None, view="a")
    await task
    assert panel.of("text") == []
    panel.close()


async def test_a_view_that_says_ready_gets_every_row_and_the_control():
    session = make_session(LOOK, DONE)
    panel = HeardPanel(session)
    first = panel.ask("snapshot", kind="ready", view="a")
    assert (first["rows"]["rows"], first["part"], first["parts"], first["view"]) == ([], 0, 1, "a")
    await session.ask("How many?")
    snapshot = panel.ask("snapshot", kind="ready", view="b")
    assert rows_of(snapshot["rows"]) == as_json(session.tree.skeleton())
    assert snapshot["control"]["state"] == "idle"
    assert snapshot["control"]["waiting"] == snapshot["control"]["steers"] == []
    assert {"turns", "calls"} <= {each["kind"] for each in snapshot["control"]["limits"]}
    assert snapshot["models"] == ["tutor"]
    assert abs(snapshot["now"] - time.time()) < 60
    panel.close()


async def test_a_view_that_asks_whether_anybody_is_there_hears():
    panel = HeardPanel(make_session(DONE))
    assert panel.ask("delta", kind="alive")["nodes"] == []
    panel.close()


async def test_a_large_tree_comes_in_parts_while_the_loop_goes_on(monkeypatch):
    monkeypatch.setattr(feed, "ROWS_A_PART", 2)
    session = make_session(LOOK, BATCH, DONE)
    panel = HeardPanel(session)
    await session.ask("How many?")
    panel.say(kind="ready", view="a")
    assert len(panel.of("snapshot")) == 1
    await until(lambda: len(panel.of("snapshot")) == 4)
    parts = panel.of("snapshot")
    assert [(each["part"], each["parts"]) for each in parts] == [(0, 4), (1, 4), (2, 4), (3, 4)]
    assert [row for each in parts for row in rows_of(each["rows"])] == as_json(session.tree.skeleton())
    panel.close()


async def test_the_kept_picture_is_final_when_the_run_is_over_and_is_seldom_renewed():
    session = make_session(LOOK, LOOK.replace("len", "type"), DONE, delay=0.005)
    panel = HeardPanel(session)
    pictures: list[bytes] = []
    panel.observe(lambda change: pictures.append(change["new"]), "picture")
    await session.ask("How many?")
    await until(lambda: bool(pictures))
    assert len(pictures) == 1
    rows, now = unpack_picture(panel.picture)
    assert [row["status"] for row in rows_of(dict(rows))] == ["done"] * 4
    assert abs(now - time.time()) < 60
    assert panel.get_state("picture")["picture"] == panel.picture
    panel.close()


async def test_a_panel_made_after_a_run_shows_it():
    session = make_session(DONE)
    await session.ask("How many?")
    panel = HeardPanel(session)
    await until(lambda: panel.picture)
    assert [row["kind"] for row in rows_of(dict(unpack_picture(panel.picture)[0]))] == ["run", "turn"]
    panel.close()


async def test_ten_thousand_rows_make_a_small_picture_and_few_messages():
    from benchmarks.panel import fill

    session = make_session(DONE)
    fill(session, 10_000)
    panel = HeardPanel(session)
    await until(lambda: panel.picture)
    assert len(panel.picture) < 400_000
    panel.say(kind="ready", view="a")
    await until(lambda: len(panel.of("snapshot")) == 10)
    assert sum(len(json.dumps(each)) for each in panel.of("snapshot")) < 4_000_000
    panel.close()


async def test_a_row_carries_the_beginning_of_long_texts_only():
    session = make_session(DONE)
    panel = HeardPanel(session)
    run = await session.ask("How many?")
    run.error = "x" * 1_000_000
    edit = {"kind": "reply", "text": "y" * 1_000_000}
    run.details = {**run.details, "branch": {"of": "a", "at": "b", "edit": edit, "name": ""}}
    row = rows_of(panel.ask("snapshot", kind="ready", view="a")["rows"])[0]
    assert len(json.dumps(row)) < 5_000
    assert row["branch"]["edit"]["kind"] == "reply"
    assert len(panel.ask("detail", kind="detail", id=run.id)["texts"]["error"]) == feed.SHOWN_CHARS
    panel.close()


async def test_a_changed_model_is_told_once():
    session = make_session(LOOK, BATCH, DONE)
    panel = HeardPanel(session)
    await session.ask("How many?")
    assert [message["models"] for message in panel.of("delta") if "models" in message] == [["tutor"]]
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
    panel.say(kind="steer", text="Look at the end.")
    await asyncio.sleep(3 * feed.DELTA_SECONDS)
    assert panel.of("delta")[-1]["control"]["steers"] == ["Look at the end."]
    panel.say(kind="command", name="resume")
    assert session.control.state == "running"
    panel.say(kind="command", name="stop")
    run = await task
    assert run.outcome == "stopped"
    panel.close()


async def test_a_closed_panel_is_silent_and_the_run_goes_on():
    session = make_session(LOOK, DONE)
    panel = HeardPanel(session)
    panel.close()
    run = await session.ask("How many?")
    assert run.outcome == "answered"
    assert panel.sent == []


async def test_two_thousand_calls_are_few_messages():
    session = make_session("```python\nllm_query_batched([str(n) for n in range(2_000)])\n```", DONE)
    panel = HeardPanel(session)
    await session.ask("How many?")
    rows = sum(len(message["nodes"]) for message in panel.of("delta"))
    assert len(session.tree) > 900
    assert rows < 5 * len(session.tree) + 500
    panel.close()


@pytest.mark.parametrize("part", ["prompt", "reply"])
async def test_a_long_text_comes_piece_by_piece(part):
    session = make_session(DONE)
    panel = HeardPanel(session)
    run = await session.ask("How many?")
    long = "".join(f"line {number}\n" for number in range(40_000))
    setattr(run, part, long)
    texts = panel.ask("detail", kind="detail", id=run.id)["texts"]
    assert texts["sizes"] == {part: len(long)}
    text = texts[part]
    while len(text) < len(long):
        piece = panel.ask("text", kind="piece", id=run.id, part=part, pos=len(text))
        assert (piece["pos"], piece["total"]) == (len(text), len(long))
        text += piece["text"]
    assert text == long
    panel.close()
