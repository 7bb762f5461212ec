"""Interrupts, and cells that end the process they run in."""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING

import pytest

from tests.processes import alive, below

if TYPE_CHECKING:
    from tests.conftest import LiveKernel, Ran

LOOPS = {
    "sleep": "import time\ntime.sleep(60)",
    "pure loop": "while True:\n    pass",
    "await": "import asyncio\nawait asyncio.sleep(60)",
    "loop in an async cell": "import asyncio\nawait asyncio.sleep(0)\nwhile True:\n    pass",
    "input": "input('? ')",
}


def interrupted(k: LiveKernel, code: str, *, control: bool = False, allow_stdin: bool = False) -> tuple[float, Ran]:
    """Run a cell, interrupt it when it has begun, and give how long its end took."""
    msg_id = k.send("print('begun', flush=True)\n" + code, allow_stdin=allow_stdin)
    k.wait_for(lambda: any(m["msg_type"] == "stream" for m in k.of_parent(msg_id)))
    time.sleep(0.2)
    started = time.monotonic()
    if control:
        k.client.session.send(k.client.control_channel.socket, k.client.session.msg("interrupt_request", {}))
    else:
        k.interrupt()
    ran = k.finish(msg_id, 15)
    return time.monotonic() - started, ran


@pytest.mark.parametrize("name", LOOPS)
def test_interrupt_stops_a_cell(shared_kernel: LiveKernel, name: str) -> None:
    k = shared_kernel
    k.run("kept = 7")
    seconds, ran = interrupted(k, LOOPS[name], allow_stdin=name == "input")
    assert ran.error["ename"] in {"KeyboardInterrupt", "CancelledError"}
    assert ran.status == "error"
    assert seconds < 10
    assert k.run("kept").result == "7"


def test_interrupt_by_message(shared_kernel: LiveKernel) -> None:
    seconds, ran = interrupted(shared_kernel, LOOPS["sleep"], control=True)
    assert ran.error["ename"] == "KeyboardInterrupt"
    assert seconds < 10


def test_interrupt_aborts_the_cells_behind(shared_kernel: LiveKernel) -> None:
    k = shared_kernel
    first = k.send("import time; time.sleep(60)")
    second = k.send("print('never')")
    k.wait_for(lambda: len(k.of_parent(first)) >= 2)
    time.sleep(0.3)
    k.interrupt()
    assert k.finish(first).status == "error"
    assert k.finish(second).status == "aborted"


def test_interrupt_of_nothing_is_harmless(shared_kernel: LiveKernel) -> None:
    shared_kernel.interrupt()
    time.sleep(0.2)
    assert shared_kernel.run("print('fine')").text == "fine\n"


def test_answer_to_an_interrupted_question_is_not_given_to_the_next(shared_kernel: LiveKernel) -> None:
    k = shared_kernel
    msg_id = k.send("input('first')", allow_stdin=True)
    while (old := k.client.get_stdin_msg(timeout=10))["parent_header"]["msg_id"] != msg_id:
        pass  # asked by a cell of an earlier test
    k.interrupt()
    k.finish(msg_id)
    late = k.client.session.msg("input_reply", {"value": "late"}, parent=old)
    k.client.session.send(k.client.stdin_channel.socket, late)
    assert k.run("print(input('second'))", answers=["right"]).text == "right\n"


def test_c_loop_is_killed_and_the_state_before_is_back(kernel: LiveKernel) -> None:
    k = kernel
    k.run("numbers = [1, 2, 3]\nsteps = iter(range(10))\nnext(steps)")
    seconds, ran = interrupted(k, "numbers.append(4); next(steps)\nsum(range(10**11))")
    assert ran.error["ename"] == "KeyboardInterrupt"
    assert "before this cell" in ran.error["evalue"] or "back" in ran.error["evalue"]
    assert seconds < 14
    assert k.run("print(numbers, next(steps))").text == "[1, 2, 3] 1\n"


@pytest.mark.parametrize(
    "code",
    ["import os\nos._exit(1)", "import ctypes\nctypes.string_at(0)", "import os, signal\nos.kill(os.getpid(), 9)"],
    ids=["exit", "segfault", "kill"],
)
def test_a_dying_cell_loses_only_itself(shared_kernel: LiveKernel, code: str) -> None:
    k = shared_kernel
    k.run("treasure = {'a': 1}")
    count = k.run("1").count
    ran = k.run(f"treasure.clear()\n{code}", timeout=60)
    assert ran.status == "error"
    assert ran.error["ename"] == "NamespaceDied"
    assert ran.error["evalue"]
    assert ran.types[-2:] == ["error", "idle"]
    after = k.run("treasure")
    assert after.result == "{'a': 1}"
    assert after.count > count


def gone(pids: set[int], seconds: float = 10) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not any(map(alive, pids)):
            return True
        time.sleep(0.1)
    return False


@pytest.mark.parametrize("busy", [False, True], ids=["idle", "in a cell"])
def test_killing_the_kernel_leaves_no_process(kernel: LiveKernel, busy: bool) -> None:
    k = kernel
    for i in range(3):
        k.run(f"x = {i}")
    if busy:
        msg_id = k.send("while True:\n    pass")
        k.wait_for(lambda: len(k.of_parent(msg_id)) >= 2)
        time.sleep(0.3)
    pids = below(k.pid)
    assert pids
    k.manager.autorestart = False  # type: ignore[attr-defined]
    os.kill(k.pid, signal.SIGKILL)
    assert gone(pids)


@pytest.mark.parametrize("busy", [False, True], ids=["idle", "in a cell"])
def test_restart_ends_the_old_processes_and_works(kernel: LiveKernel, busy: bool) -> None:
    k = kernel
    k.run("x = 1")
    if busy:
        msg_id = k.send("while True:\n    pass")
        k.wait_for(lambda: len(k.of_parent(msg_id)) >= 2)
        time.sleep(0.3)
    old = below(k.pid)
    started = time.monotonic()
    k.manager.restart_kernel(now=False)
    k.client.wait_for_ready(timeout=60)
    assert time.monotonic() - started < 15
    assert gone(old)
    ran = k.run("'x' in globals()")
    assert (ran.result, ran.count) == ("False", 1)
