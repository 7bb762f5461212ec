"""Coming back to any state: before each cell, to parked ends of branches, to a fresh namespace."""

from __future__ import annotations

import os
import random

import pytest

from rlm_kernel.engine.executor import CellRequest
from rlm_kernel.host import parked
from rlm_kernel.host.executor import ProcessExecutor
from rlm_kernel.ids import CellId, NodeId, new_msg_id
from tests.process.conftest import Driver
from tests.processes import alive

pytestmark = pytest.mark.skipif(not parked.FORK_IS_SAFE, reason="checkpoints need Linux")

CELLS = 40
SEEN = "(len(xs), xs[:3], next(numbers), double(3), file.readline(), len(text), text[0], random.random())"


async def no_queries(query):
    raise AssertionError(query)


async def test_every_state_comes_back_right_in_any_order(ns, tmp_path):
    """Each cell moves a generator, a list, a file and a text on; what is before it is what it was."""
    file = tmp_path / "lines.txt"
    file.write_text("".join(f"line {number} {'x' * 500}\n" for number in range(200)))
    await ns.ok(
        f"import random; random.seed(5)\nfile = open({str(file)!r})\nxs = [0] * 100_000\ntext = 'a' * 10_000_000\n"
        "numbers = (n * n for n in range(1000))\ndouble = lambda n: n * step\nstep = 1"
    )
    expected, entries = [], []
    for number in range(1, CELLS + 1):
        code = (
            f"print({SEEN}); xs[0] = {number}; xs.append({number}); step = {number}; text = chr(97 + {number}) + text"
        )
        ran = await ns.ok(code)
        expected.append(ran.text)
        entries.append(ran.reply.entry)
    order = [*range(1, CELLS), *random.Random(7).sample(range(1, CELLS), 25)]
    for at in order:
        assert await ns.process.restore(entries[at]), at
        assert ns.process.execution_count == at + 2
        assert (await ns.ok(f"print({SEEN})", silent=True)).text == expected[at], at


async def test_states_of_two_branches_live_side_by_side(ns):
    await ns.ok("path = []")
    first = [(await ns.ok(f"path.append('a{n}')")).reply.entry for n in range(3)]
    assert await ns.process.park("end of a")
    end_of_a = ns.process.history.current
    assert await ns.process.restore(first[1])
    second = [(await ns.ok(f"path.append('b{n}')")).reply.entry for n in range(2)]
    assert await ns.process.park("end of b")
    for _ in range(2):
        assert await ns.process.restore("end of a")
        assert ns.process.history.current == end_of_a
        assert await ns.value("path") == "['a0', 'a1', 'a2']"
        assert await ns.process.restore("end of b")
        assert await ns.value("path") == "['a0', 'b0', 'b1']"
        assert await ns.process.restore(second[1])
        assert await ns.value("path") == "['a0', 'b0']"
        assert await ns.process.restore(first[2])
        assert await ns.value("path") == "['a0', 'a1']"
    history = ns.process.history
    assert [each.code for each in history.path(second[1])] == [
        "path = []", "path.append('a0')", "path.append('b0')", "path.append('b1')"
    ]  # fmt: skip
    assert [each.code for each in history.path(second[1], include=False)][-1] == "path.append('b0')"


async def test_a_fresh_namespace_in_its_place_leaves_the_states(ns):
    cell = (await ns.ok("x = 1")).reply.entry
    pid = ns.process.pid
    await ns.process.renew()
    assert ns.process.pid != pid
    await ns.until(lambda: not alive(pid))
    assert (ns.process.execution_count, ns.process.history.current) == (1, None)
    assert (await ns.run("x")).reply.ename == "NameError"
    assert ns.process.nursery is not None
    assert ns.process.nursery.alive
    assert await ns.process.restore(cell)
    await ns.ok("y = 2")
    await ns.process.renew()
    assert (await ns.run("y")).reply.ename == "NameError"


async def test_after_a_death_without_a_checkpoint_other_states_are_still_there(ns):
    cell = (await ns.ok("x = 1")).reply.entry
    second = (await ns.ok("x = 2")).reply.entry
    await ns.ok("import threading\nstop = threading.Event()\nt = threading.Thread(target=stop.wait); t.start()")
    died = await ns.run("import os; os._exit(3)")
    assert (died.reply.status, died.reply.restored) == ("died", False)
    assert ns.process.history.current is None
    assert ns.process.history.entry(died.reply.entry).status == "died"
    assert died.reply.entry not in [each.id for each in ns.process.history.here()]
    assert await ns.process.restore(second)
    assert await ns.value("x") == "1"
    assert ns.process.history.path(ns.process.history.current)[0].id == cell


async def test_a_lost_state_changes_nothing(ns):
    cell = (await ns.ok("import os; x = 1")).reply.entry
    second = (await ns.ok("x = 2")).reply.entry
    os.kill(ns.process._states.parked.get(second).pid, 9)
    await ns.until(lambda: not ns.process.can_restore(second))
    assert not await ns.process.restore(second)
    assert await ns.value("x") == "2"
    assert ns.process.can_restore(cell)


async def test_without_checkpoints_nothing_is_kept_and_renew_still_works():
    driver = Driver(checkpoints=False)
    await driver.process.start()
    try:
        cell = (await driver.ok("x = 1")).reply.entry
        assert not driver.process.can_restore(cell)
        assert not await driver.process.park("here")
        assert not await driver.process.restore(cell)
        await driver.process.renew()
        assert (await driver.run("x")).reply.ename == "NameError"
        assert driver.process.history.entry(cell).code == "x = 1"
        assert await driver.process.states() == {
            "states": 0, "pinned": 0, "bytes": 0, "refusal": "checkpoints are switched off"
        }  # fmt: skip
    finally:
        await driver.process.close()


async def test_pinned_states_outlive_others_and_memory_is_reported(ns, monkeypatch):
    monkeypatch.setattr(parked, "KEEP", 3)
    monkeypatch.setattr(parked, "MOST_PINS", 2)
    await ns.ok("text = 'é' * 20_000_000")
    keys = ["one", "two", "three"]
    for key in keys:
        assert await ns.process.park(key)
    cells = [(await ns.ok("text = text[1:]")).reply.entry for _ in range(5)]
    assert ns.process.checkpoints == ["two", "three", *cells[-3:]]
    stat = await ns.process.states()
    assert (stat["states"], stat["pinned"], stat["refusal"]) == (5, 2, None)
    assert stat["bytes"] > 60_000_000
    group = os.getpgid(ns.process.pid)
    assert os.getpgid(ns.process._states.parked.get("two").pid) == group


async def test_a_restored_state_knows_whether_a_run_is_going_on():
    executor = ProcessExecutor()
    await executor.start()

    def cell(code):
        return CellRequest(NodeId("run-1/t1"), CellId("cell-1"), code)

    try:
        await executor.run_person_cell("context = 'text'; secret = 1")
        await executor.process.ask("begin_run", {"told": ["context"], "run_id": "run-1"})
        begin = executor.history.entry(executor.history.current)
        first = await executor.run_cell(cell("answer['content'] = 'so far'; SHOW_VARS()"))
        assert "secret" not in str(first.outputs)
        second = await executor.run_cell(cell("FINAL('done')"))
        assert second.answer == {"content": "done", "ready": True}
        await executor.end()
        assert [each.kind for each in executor.history.here()] == ["cell", "begin", "cell", "cell", "end"]
        assert await executor.restore(second.entry)
        await executor.begin(no_queries, goes_on=True)
        again = await executor.run_cell(cell("print(answer['content']); SHOW_VARS()"))
        assert again.answer == {"content": "so far", "ready": False}
        assert "secret" not in str(again.outputs)
        assert await executor.restore(begin.id)
        assert (begin.run_id, begin.kind) == ("run-1", "begin")
        assert executor.history.begin_of(second.entry) is begin
        shown = await executor.run_person_cell("SHOW_VARS()")
        assert "secret" in str(shown.outputs)
    finally:
        await executor.close()


async def test_what_is_done_is_written_down(ns):
    ran = await ns.ok("x = [1]\nprint('seen')\nx", cell_id="c1", author="model", node_id="run-1/t1")
    await ns.ok("hidden = 1", silent=True, store_history=False)
    await ns.process.ask("set_variable", {"name": "y", "value": [1, "two"]})
    await ns.run("1/0")
    first, second, third = ns.process.history.here()
    assert first.id == ran.reply.entry
    assert (first.kind, first.author, first.node_id, first.run_id, first.count, first.cell_id) == (
        "cell", "model", "run-1/t1", "run-1", 1, "c1"
    )  # fmt: skip
    assert first.shown == "seen\nOut: [1]"
    assert [output["output_type"] for output in first.outputs] == ["stream", "execute_result"]
    assert first.digest == ran.reply.digest
    assert first.digest["x"].startswith("list of 1 #")
    assert (second.kind, second.code) == ("set", '{"name": "y", "value": [1, "two"]}')
    assert (third.status, third.author, third.after) == ("error", "person", second.id)
    assert third.name == "In [2]"
    assert ns.process.history.of_cell("c1") is first


async def test_huge_outputs_are_cut_in_the_history(ns):
    ran = await ns.ok("print('x' * 5_000_000)\nfrom IPython.display import HTML\nHTML('y' * 3_000_000)")
    assert len(ran.text) == 5_000_001
    entry = ns.process.history.entry(ran.reply.entry)
    assert len(str(entry.outputs)) < 2_200_000
    assert "are not kept" in str(entry.outputs[-1])
    assert len(entry.shown) < 21_000


async def test_redoing_is_silent_and_moves_the_history(ns):
    ran = await ns.ok("x = 5; print('once')")
    entry = ns.process.history.entry(ran.reply.entry)
    await ns.process.renew()
    before = len(ns.listener.messages)
    redone = await ns.process.redo(entry, no_queries)
    assert (redone.status, redone.outputs[0]["text"]) == ("ok", "once\n")
    assert redone.digest == entry.digest
    assert ns.listener.messages[before:] == []
    assert (ns.process.history.current, len(ns.process.history)) == (entry.id, 1)
    assert ns.process.can_restore(entry.id)
    assert await ns.value("x") == "5"
    asking = await ns.run("input('?') if False else 1")
    assert asking.reply.execution_count == 3
    assert new_msg_id() != entry.id
