"""The store in several processes, and in processes that are killed."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

from rlm_kernel.trace.store import Store
from rlm_kernel.trace.upkeep import damages, prune
from tests.unit.storing import key, question

HERE = Path(__file__).parent

KILLED = """
import asyncio, itertools, sys
from tests.unit.storing import below, key, question, reply, request
from rlm_kernel.trace.store import Store

async def main(seed):
    store = Store.open()
    run = question()
    store.add_run(run, "killed.ipynb")
    print("run", run.id, flush=True)
    for number in itertools.count():
        nodes = [below(run, "call", number * 3 + each, prompt=f"{run.id} {number} {each} " * 100) for each in range(3)]
        for node in nodes:
            store.put(node)
        name = key(seed * 1_000_000 + number)
        store.intent(name, nodes[0].id)
        print("sent", nodes[0].id, name, flush=True)
        await asyncio.sleep(0.001)
        if number % 3 == 0:
            store.keep(name, request(), reply(name * 20))
            print("kept", name, flush=True)
        elif number % 3 == 1:
            store.done(name, nodes[0].id)
            print("done", nodes[0].id, name, flush=True)
        if number % 7 == 0:
            assert await store.flush()
            for node in nodes:
                print("node", node.id, flush=True)

asyncio.run(main(int(sys.argv[1])))
"""
SHARING = """
import sys
from contextlib import closing
from tests.unit.storing import below, key, question, reply, request
from rlm_kernel.trace.store import Store

with closing(Store.open()) as store:
    run = question(label=f"process {sys.argv[1]}")
    store.add_run(run)
    for number in range(200):
        store.put(below(run, "call", number, prompt="as all the others ask " * 80, reply=f"{run.id} {number}"))
        store.keep(key(number), request(), reply(f"reply {number}"))
        if number % 20 == 0:
            assert store.flush_now()
            assert store.find(key(number // 2)).text == f"reply {number // 2}"
    assert store.flush_now()
    assert store.problem is None
print("fine")
"""


def start(program: str, argument: int) -> subprocess.Popen[str]:
    environ = os.environ | {"PYTHONPATH": os.pathsep.join([str(HERE), str(HERE.parents[1])])}
    return subprocess.Popen(
        [sys.executable, "-c", program, str(argument)], env=environ, stdout=subprocess.PIPE, text=True
    )


def killed(seed: int, seconds: float) -> list[list[str]]:
    """Run a writer, kill it some time after it has begun, and give the lines it wrote."""
    process = start(KILLED, seed)
    assert process.stdout is not None
    first = process.stdout.readline()
    time.sleep(seconds)
    process.kill()
    lines = [first, *process.stdout.read().splitlines(keepends=True)]
    process.stdout.close()
    assert process.wait() == -signal.SIGKILL
    # A line that the kill has cut was not said.
    return [line.split() for line in lines if line.endswith("\n")]


def test_a_kill_loses_nothing_that_was_acknowledged_and_no_reply(own_store):
    rounds = [killed(seed, random.uniform(0.0, 0.4)) for seed in range(12)]
    assert damages(own_store) == []
    with closing(Store.open()) as store:
        assert {run.id for run in store.unfinished("killed.ipynb")} <= {lines[0][1] for lines in rounds}
        for lines in rounds:
            run_id = lines[0][1]
            said = {
                kind: [tuple(rest) for word, *rest in lines if word == kind]
                for kind in ("sent", "kept", "done", "node")
            }
            for (name,) in said["kept"]:
                assert store.find(name).text == name * 20
            for (node_id,) in said["node"]:
                assert store.texts(node_id)["prompt"].startswith(run_id)
            listed = {(each.node_id, each.key) for each in store.in_flight(run_id)}
            open_ones = set(said["sent"]) - set(said["done"])
            open_ones = {(node_id, name) for node_id, name in open_ones if (name,) not in said["kept"]}
            # One more may have been sent, kept or ended than the process came to say.
            assert len(open_ones ^ listed) <= 1
            assert not set(said["done"]) & listed
        assert store.flush_now()
    assert list(own_store.parent.glob("*.live/*")) == []
    assert damages(own_store) == []


def test_a_run_of_a_process_that_lives_is_not_taken_for_one_that_was_killed(own_store):
    process = start(KILLED, 1)
    run_id = process.stdout.readline().split()[1]
    with closing(Store.open()) as store:
        deadline = time.monotonic() + 20
        while not store.runs():
            assert time.monotonic() < deadline
            time.sleep(0.02)
        assert [(run.id, run.live, run.outcome) for run in store.runs()] == [(run_id, True, None)]
        assert store.unfinished("killed.ipynb") == []
        process.kill()
        process.communicate()
        assert [run.id for run in store.unfinished("killed.ipynb")] == [run_id]
        assert store.unfinished("other.ipynb") == []
        ours = question()
        store.add_run(ours, "killed.ipynb")
        assert store.flush_now()
        assert [run.id for run in store.unfinished("killed.ipynb")] == [run_id]


def test_eight_processes_share_a_store(own_store):
    processes = [start(SHARING, number) for number in range(8)]
    for process in processes:
        out, _ = process.communicate(timeout=120)
        assert (out.strip(), process.returncode) == ("fine", 0)
    with closing(Store.open()) as store:
        runs = store.runs()
        assert [run.nodes for run in runs] == [201] * 8
        assert all(len(store.tree(run.id)) == 201 for run in runs)
        assert [store.find(key(number)).text for number in range(200)] == [f"reply {number}" for number in range(200)]
    assert damages(own_store) == []


def test_what_one_kernel_was_told_another_that_runs_already_knows(own_store):
    with closing(Store.open()) as one, closing(Store.open()) as other:
        process = start(SHARING, 1)
        assert process.communicate(timeout=60)[0].strip() == "fine"
        assert one.find(key(7)).text == other.find(key(7)).text == "reply 7"


def test_pruning_while_others_write_takes_nothing_of_theirs(own_store):
    process = start(SHARING, 1)
    while process.poll() is None:
        if own_store.exists():
            prune(own_store, keep=0)
    assert process.communicate()[0].strip() == "fine"
    assert damages(own_store) == []
