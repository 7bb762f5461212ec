"""Interrupts, and processes that die: nothing but the cell is lost."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
import time

import pytest

from tests.process.conftest import Driver, group_members
from tests.processes import alive

SLACK = 10
"""What an interrupt may take on a busy machine; what it interrupts would take three times as long."""


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("import time; time.sleep(30)", "KeyboardInterrupt"),
        ("while True: pass", "KeyboardInterrupt"),
        ("import asyncio; await asyncio.sleep(30)", "CancelledError"),
        ("import asyncio; await asyncio.sleep(0)\nwhile True: pass", "KeyboardInterrupt"),
        ("llm_query('never answered')", "KeyboardInterrupt"),
        ("input('never typed')", "KeyboardInterrupt"),
        ("while True: print('flood ' * 100)", "KeyboardInterrupt"),
        ("import subprocess; subprocess.run(['sleep', '30'])", "KeyboardInterrupt"),
    ],
)
async def test_an_interrupt_stops_it(ns, code, name):
    ns.listener.seconds = 60
    await ns.ok("x = [1]")
    pid = ns.process.pid
    ran = await ns.run(code, interrupt=0.5, allow_stdin=True)
    assert ran.reply.status == "error"
    assert ran.reply.ename == name
    assert ran.reply.interrupted
    if name == "KeyboardInterrupt":
        assert "namespace/" not in "".join(ran.reply.traceback), "of our own code nothing is shown"
    assert time.monotonic() - ns.interrupted < SLACK
    assert ns.process.pid == pid
    assert await ns.value("x") == "[1]"
    assert ns.listener.active == 0


async def test_an_interrupt_that_comes_too_early_is_not_lost(ns):
    cell = asyncio.create_task(ns.run("while True: pass"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert ns.process.busy
    ns.process.interrupt()
    ran = await asyncio.wait_for(cell, 10)
    assert ran.reply.interrupted


async def test_interrupts_between_cells_do_no_harm(ns):
    for _ in range(5):
        ns.process.interrupt()
        await asyncio.sleep(0.01)
    assert await ns.value("1") == "1"


async def test_a_background_task_that_never_yields_can_be_interrupted(ns):
    await ns.ok(
        "import asyncio\nasync def stuck():\n    await asyncio.sleep(0.1)\n    while True: pass\n"
        "t = asyncio.create_task(stuck())"
    )
    await asyncio.sleep(0.5)
    ns.process.interrupt()
    assert await asyncio.wait_for(ns.value("1"), SLACK) == "1"


async def test_cancelling_the_call_interrupts_the_cell(ns):
    cell = asyncio.create_task(ns.run("x = 1\nwhile True: pass"))
    await asyncio.sleep(0.5)
    cell.cancel()
    with pytest.raises(asyncio.CancelledError):
        await cell
    assert not ns.process.busy
    assert await ns.value("x") == "1"


async def test_a_loop_in_c_is_killed_and_the_state_before_the_cell_is_back(ns):
    await ns.ok("import random\nxs = [1]; gen = iter(range(9)); next(gen); random.seed(5); f = lambda: xs")
    expected = await ns.value("random.seed(5); r = random.random(); random.seed(5); r")
    ran = await ns.run("xs.append(2); next(gen); random.random()\nsum(range(10**11))", interrupt=0.3)
    assert ran.reply.status == "died"
    assert ran.reply.interrupted
    assert ran.reply.restored
    assert "did not stop within 2 s" in ran.reply.died
    assert "as it was before this cell" in ran.reply.lost
    assert ran.seconds > 2.0
    assert await ns.value("xs, next(gen), f()") == "([1], 1, [1])"
    assert await ns.value("random.random()") == expected
    assert ran.reply.execution_count + 1 == ns.process.execution_count - 2
    assert "sum(range" in await ns.value(f"In[{ran.reply.execution_count}]")


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("import os; os._exit(1)", "ended"),
        ("import ctypes; ctypes.string_at(0)", "Segmentation fault"),
        ("import os; os.closerange(3, 4096); print('into the void')", "ended"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "ended"),
    ],
)
async def test_a_dead_process_loses_only_its_cell(ns, code, words):
    await ns.ok("xs = [1]")
    for _ in range(2):
        ran = await ns.run(f"xs.append(2)\nprint('said before')\n{code}")
        assert ran.reply.status == "died"
        assert ran.reply.restored
        assert not ran.reply.interrupted
        assert words in ran.reply.died
        assert ran.text.startswith("said before\n")
        assert ("Segmentation" in ran.text) == ("Segmentation" in words)
        assert "interactiveshell.py" not in ran.text
        assert ran.reply.traceback
        assert await ns.value("xs") == "[1]"


async def test_a_subprocess_that_holds_the_connection_cannot_hide_the_death(ns):
    await ns.ok("xs = [1]")
    fork = "import os, time, signal\nif os.fork() == 0:\n    time.sleep(30); os._exit(0)\n"
    code = fork + "os.kill(os.getpid(), signal.SIGKILL)"
    ran = await asyncio.wait_for(ns.run(code), SLACK)
    assert ran.reply.restored
    assert await ns.value("xs") == "[1]"


async def test_without_a_checkpoint_a_fresh_process_and_a_sentence():
    driver = Driver(checkpoints=False)
    await driver.process.start()
    try:
        await driver.ok("xs = [1]")
        assert driver.process.checkpoint_refusal == "checkpoints are switched off"
        ran = await driver.run("import os; os._exit(4)")
        assert ran.reply.status == "died"
        assert not ran.reply.restored
        assert "exit code 4" in ran.reply.died
        assert "checkpoints are switched off" in ran.reply.lost
        assert "Run the earlier cells again" in ran.reply.lost
        ran = await driver.run("xs")
        assert (ran.reply.ename, ran.reply.execution_count) == ("NameError", 3)
    finally:
        await driver.process.close()


async def test_an_older_checkpoint_is_never_restored_in_its_place(ns):
    await ns.ok("xs = [1]")
    await ns.ok(
        "import threading, time\nthreading.Thread(target=time.sleep, args=(60,), daemon=True, name='mine').start()"
    )
    ran = await ns.run("import os; os._exit(1)")
    assert "mine" in ran.reply.lost
    assert not ran.reply.restored
    assert (await ns.run("xs")).reply.ename == "NameError"


async def test_a_process_that_dies_between_cells_is_replaced_and_said_so(ns):
    await ns.ok("xs = [1]")
    os.kill(ns.process.pid, signal.SIGKILL)
    await ns.until(lambda: any("fresh Python" in str(m.content) for m in ns.listener.messages))
    ran = await ns.run("xs")
    assert (ran.reply.ename, ran.reply.execution_count) == ("NameError", 2)


async def test_closing_leaves_no_process(ns):
    group = ns.process.pid
    await ns.ok("import subprocess; p = subprocess.Popen(['sleep', '300'])")
    await ns.ok("1")
    assert len(group_members(group)) >= 4
    await ns.process.close()
    await ns.until(lambda: group_members(group) == [])


HOST = """
import asyncio, sys
from rlm_kernel.host.executor import ProcessExecutor

async def main():
    executor = ProcessExecutor()
    await executor.start()
    await executor.run_person_cell("xs = [1]")
    await executor.run_person_cell("import os; os._exit(1)" if sys.argv[1] == "restored" else "1")
    print(executor.process.pid, flush=True)
    await executor.run_person_cell(sys.argv[2])

asyncio.run(main())
"""


@pytest.mark.parametrize("process", ["first", "restored"])
@pytest.mark.parametrize(
    "cell", ["while True: pass", "sum(range(10**11))", "import subprocess; subprocess.run(['sleep', '300'])"]
)
def test_killing_the_host_leaves_no_process(process, cell):
    host = subprocess.Popen([sys.executable, "-c", textwrap.dedent(HOST), process, cell], stdout=subprocess.PIPE)
    assert host.stdout is not None
    with host.stdout:
        pid = int(host.stdout.readline())
        group = os.getpgid(pid)
        time.sleep(0.4)
        assert alive(pid)
        assert len(group_members(group)) >= 3, "the namespace and its checkpoints"
        host.kill()
        host.wait()
    end = time.monotonic() + SLACK
    while group_members(group) and time.monotonic() < end:
        time.sleep(0.02)
    assert group_members(group) == []
