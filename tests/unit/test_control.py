"""Pause, step, resume and stop."""

from __future__ import annotations

import asyncio

import pytest

from rlm_kernel.engine.control import Control, Stopped, Where


async def passed(control: Control, where: Where) -> asyncio.Task[None]:
    task = asyncio.create_task(control.gate(where))
    for _ in range(5):
        await asyncio.sleep(0)
    return task


async def test_open_gates_do_not_wait() -> None:
    control = Control()
    control.begin()
    assert (await passed(control, "cell")).done()
    assert control.paused_seconds == 0


async def test_pause_holds_and_resume_lets_go() -> None:
    control = Control()
    seen = []
    control.on_change.append(lambda: seen.append((control.state, control.waits_for)))
    control.begin()
    control.doing("the reply of m")
    control.pause()
    held = await passed(control, "token")
    await asyncio.sleep(0.03)
    assert not held.done()
    assert control.paused_seconds >= 0.02
    control.resume()
    await held
    spent = control.paused_seconds
    await asyncio.sleep(0.02)
    assert control.paused_seconds == spent
    control.end()
    assert seen == [
        ("running", ""),
        ("running", "the reply of m"),
        ("paused", "the reply of m"),
        ("paused", "you, while the model writes"),
        ("running", "you, while the model writes"),
        ("running", "the reply of m"),
        ("idle", ""),
    ]


async def test_a_step_lets_one_cell_or_call_through() -> None:
    control = Control()
    control.begin()
    control.pause()
    held = [await passed(control, "call") for _ in range(3)]
    control.step()
    for _ in range(5):
        await asyncio.sleep(0)
    assert [task.done() for task in held] == [True, False, False]
    assert control.state == "paused"
    control.step()
    control.step()
    await asyncio.gather(*held)


async def test_a_step_lets_a_whole_reply_flow() -> None:
    control = Control()
    control.begin()
    control.step()
    assert (await passed(control, "call")).done()
    assert (await passed(control, "token")).done()
    assert (await passed(control, "token")).done()
    cell = await passed(control, "cell")
    assert not cell.done()
    control.resume()
    await cell


async def test_a_decision_holds_the_clock_and_nothing_else() -> None:
    control = Control()
    control.begin()
    with control.deciding("your decision on a cell"):
        assert (control.state, control.waits_for) == ("paused", "your decision on a cell")
        assert (await passed(control, "call")).done()
        await asyncio.sleep(0.03)
        control.resume()
        control.step()
        assert (control.state, control.needs_decision) == ("paused", True)
        with control.deciding("your decision on another"):
            assert control.waits_for == "your decisions: 2 things wait for them"
        assert control.waits_for == "your decision on a cell"
    assert (control.state, control.waits_for) == ("running", "")
    assert control.paused_seconds >= 0.02
    spent = control.paused_seconds
    assert (await passed(control, "cell")).done()
    assert control.paused_seconds == spent


async def test_stop_opens_gates_with_stopped() -> None:
    control = Control()
    control.begin()
    control.pause()
    held = await passed(control, "cell")
    control.stop()
    with pytest.raises(Stopped):
        await held
    with pytest.raises(Stopped):
        await control.gate("call")
    assert control.stopped.is_set()
    assert control.state == "stopping"
    control.pause()
    control.resume()
    assert control.state == "stopping"
    control.begin()
    assert not control.stopped.is_set()
    await control.gate("call")


async def test_a_stop_before_the_run_begins_holds_for_it_and_for_no_other() -> None:
    control = Control()
    control.expect(True)
    control.stop()
    assert control.state == "idle"
    control.begin()
    assert control.state == "stopping"
    with pytest.raises(Stopped):
        await control.gate("call")
    control.end()
    control.begin()
    assert control.state == "running"
    control.end()
    control.expect(True)
    control.stop()
    control.expect(False)
    control.begin()
    assert control.state == "running"


async def test_nothing_happens_where_no_run_lasts() -> None:
    control = Control()
    for command in (control.pause, control.resume, control.step, control.stop):
        command()
    assert control.state == "idle"
    assert not control.stopped.is_set()


async def test_a_cancelled_wait_leaves_no_trace() -> None:
    control = Control()
    control.begin()
    control.pause()
    held = await passed(control, "call")
    held.cancel()
    with pytest.raises(asyncio.CancelledError):
        await held
    assert control.waits_for == ""


async def test_a_listener_that_fails_is_dropped(caplog: pytest.LogCaptureFixture) -> None:
    control = Control()
    control.on_change.append(lambda: 1 / 0)  # type: ignore[arg-type, return-value]
    control.begin()
    assert control.on_change == []
    assert "dropped" in caplog.text
