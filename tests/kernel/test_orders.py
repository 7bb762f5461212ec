"""Orders to the run that lasts, as lines in cells of a client without a page: they wait for nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.kernel.page import cell, final, script

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import LiveKernel

FAN = cell("r = llm_query_batched(['a', 'b', 'c'])\nprint([str(x)[:40] for x in r])")


@pytest.fixture
def k(shared_kernel: LiveKernel) -> Iterator[LiveKernel]:
    """A kernel with a context and the settings of its start."""
    shared_kernel.run("context = 'And Cain rose up against Abel his brother.'")
    shared_kernel.run("%rlm --reset")
    yield shared_kernel
    shared_kernel.run("%rlm --reset")
    shared_kernel.settle(0.05)


def shown(k: LiveKernel, msg_id: str, *parts: str) -> None:
    """Wait until the live line has said all this at once."""

    def said() -> bool:
        lines = [str(message["content"].get("data", "")) for message in k.of_parent(msg_id)]
        return any(all(part in line for part in parts) for line in lines)

    k.wait_for(said)


def test_a_run_is_paused_stepped_and_stopped_while_the_model_writes(k: LiveKernel, tmp_path: Path) -> None:
    model = script(tmp_path, cell("stepped = 1"), cell("# " + "x" * 200), final("A."), chunk=2, delay=0.03)
    msg_id = k.send(f"%%rlm --model {model}\nWho?")
    shown(k, msg_id, "Working · turn 1")
    assert "Paused" in k.run("%rlm pause").text, "an order does not wait for the end of the run"
    shown(k, msg_id, "Paused · turn 1")
    assert k.run("'stepped' in globals()").result == "False"
    assert "One step" in k.run("%rlm step").text
    shown(k, msg_id, "Paused · turn 1", "before a cell")
    assert "Going on" in k.run("%rlm resume").text
    shown(k, msg_id, "Working · turn 2")
    assert "Stopping" in k.run("%rlm stop").text
    assert k.finish(msg_id).error["ename"] == "RunStopped"
    assert k.run("stepped").result == "1"


def test_a_decision_is_not_held_up_by_a_cell_that_waits_for_it(k: LiveKernel, tmp_path: Path) -> None:
    model = script(tmp_path, cell("allowed = 1"), FAN, final("A."), sub="S.")
    msg_id = k.send(f"%%rlm --approve each --quote 2 --model {model}\nWho?", allow_stdin=True)
    shown(k, msg_id, "Paused · turn 1", "your decision on a cell")
    assert "waits for your decision" in k.run("%rlm resume").error["evalue"]
    assert "next turn" in k.run("%rlm steer Only chapter 3.").text
    assert "Refused" in k.run("%rlm reject Not that.").text
    shown(k, msg_id, "Paused · turn 2", "your decision on a cell")
    assert "Approved" in k.run("%rlm approve").text
    shown(k, msg_id, "Paused", "your decision on 3 calls")
    mine = k.send("mine = 5")  # waits for Python, where the model's cell waits for the decision
    assert "Approved" in k.run("%rlm approve first 1").text
    assert k.finish(mine).status == "ok"
    shown(k, msg_id, "Paused · turn 3", "your decision on a cell")
    assert "Approved" in k.run("%rlm approve always").text
    ran = k.finish(msg_id)
    assert ran.status == "ok"
    assert k.run("sum('only the first 1 of' in str(x.error) for x in r), 'allowed' in globals()").result == "(2, False)"
    assert "Nothing waits" in k.run("%rlm approve").error["evalue"]


def test_a_client_that_cannot_be_asked_needs_a_policy(k: LiveKernel, tmp_path: Path) -> None:
    acts = cell("import os\nhome = os.environ.get('HOME')")
    ran = k.run(f"%%rlm --approve risky --model {script(tmp_path, acts, final('A.'))}\nWho?")
    assert ran.error["ename"] == "RunNotApproved"
    assert "Line 2 reads the environment: os.environ" in ran.error["evalue"]
    assert "--policy allow" in ran.error["evalue"]
    k.run("%rlm --approve risky --policy refuse")
    assert k.run(f"%%rlm --model {script(tmp_path, acts, final('A.'))}\nWho?").status == "ok"
    assert k.run("'home' in globals()").result == "False"


def test_limits_are_raised_in_place(k: LiveKernel, tmp_path: Path) -> None:
    model = script(tmp_path, cell("counted = 1"), cell("counted += 1"), final("A."))
    k.run(f"%%rlm --max-turns 1 --model {model}\nWho?")
    assert "used up already: 1 so far" in k.run("%rlm continue --max-turns 1").error["evalue"]
    ran = k.run("%rlm continue --max-turns 20")  # what holds otherwise, but not for this question
    assert ran.status == "ok"
    assert k.run("counted").result == "2"


def test_stop_counts_before_anything_is_asked(kernelspecs: Path, tmp_path: Path) -> None:
    from tests.conftest import launch_kernel, stop_kernel

    kernel = launch_kernel()
    try:
        kernel.run("context = 'text'")
        model = script(tmp_path, cell("1"), final("A."), chunk=1, delay=0.2)
        msg_id = kernel.send(f"%%rlm --model {model}\nWho?")
        kernel.wait_for(lambda: any(each["msg_type"] == "execute_input" for each in kernel.of_parent(msg_id)))
        kernel.manager.interrupt_kernel()  # while the engine is being loaded
        ran = kernel.finish(msg_id)
        assert ran.error["ename"] == "RunStopped"
        assert "0 in" in str(ran.of("update_display_data")[-1])
    finally:
        stop_kernel(kernel)
