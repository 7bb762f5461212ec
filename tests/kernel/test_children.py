"""rlm_query in a notebook: its cells are in the tree, the notebook shows the question's own."""

from __future__ import annotations

import json
import os
import signal
import time
from typing import TYPE_CHECKING

from tests.kernel.page import Page, cell, final, script
from tests.processes import alive, below, group_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.conftest import LiveKernel

ASK = "rs = rlm_query_batched([f'child {i}' for i in range(8)])\nprint(rs[0], len(rs))"


def leading(pids: set[int]) -> set[int]:
    """Those that lead a process group, as the namespaces do, and not their checkpoints."""
    return {pid for pid in pids if group_of(pid) == pid}


def wait_for(condition: Callable[[], bool], seconds: float) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def start(kernel: LiveKernel, folder: Path, child: str) -> tuple[Page, str, set[int]]:
    """Ask a question whose eight children run until they are stopped."""
    kernel.run("context = 'In the beginning.'")
    page = Page(kernel)
    before = leading(below(kernel.pid))
    models = f"--model {script(folder, cell(ASK))} --sub-model {script(folder, cell(child), repeat=True)}"
    msg_id = page.ask(f"%%rlm {models}\nWho?")
    page.wait_for(lambda: len(leading(below(kernel.pid)) - before) >= 8)
    time.sleep(0.5)
    return page, msg_id, leading(below(kernel.pid)) - before


def test_the_notebook_shows_the_cells_of_the_question_only(kernel: LiveKernel, tmp_path: Path) -> None:
    kernel.run("context = 'In the beginning.'")
    page = Page(kernel)
    sub = script(tmp_path, cell("x = 1; FINAL(f'{len(context)} {llm_query(1)}')"), sub="leaf", repeat=True)
    ran = page.finish(page.ask(f"%%rlm --model {script(tmp_path, cell(ASK), final('Done.'))} --sub-model {sub}\nWho?"))
    assert ran.status == "ok"
    inserted = page.of("insert")
    assert len(inserted) == 2
    assert page.sources()[inserted[0]["cell_id"]] == ASK
    assert page.of("run_end")[0]["usage"]["calls"] == 2 + 8 + 8
    printed = [m["content"]["text"] for m in kernel.iopub if m["msg_type"] == "stream"]
    assert printed == ["17 leaf 8\n"]
    assert kernel.run("'x' in dir()").result == "False"
    page.close()


def test_without_a_page_the_question_carries_its_own_cells(kernel: LiveKernel, tmp_path: Path) -> None:
    kernel.run("context = 'In the beginning.'")
    sub = script(tmp_path, final("from below"), repeat=True)
    ran = kernel.run(f"%%rlm --model {script(tmp_path, cell(ASK), final('Done.'))} --sub-model {sub}\nWho?")
    assert ran.status == "ok"
    carried = [content["data"] for content in ran.of("display_data", "update_display_data")]
    (run,) = [data["application/vnd.rlm.run+json"] for data in carried if "application/vnd.rlm.run+json" in data]
    assert sum(each["cell_type"] == "code" for each in run["cells"]) == 2
    assert "final" not in json.dumps(run["cells"])


def test_an_interrupt_ends_eight_children_soon(kernel: LiveKernel, tmp_path: Path) -> None:
    page, msg_id, children = start(kernel, tmp_path, "sum(range(10**12))")
    began = time.monotonic()
    kernel.interrupt()
    wait_for(lambda: not any(map(alive, children)), 10)
    page.finish(msg_id)
    assert time.monotonic() - began < 15
    assert page.of("run_end")[0]["outcome"] == "stopped"
    assert kernel.run("len(context)").result == "17"


def test_killing_the_kernel_leaves_no_child(start_kernel: Callable[..., LiveKernel], tmp_path: Path) -> None:
    kernel = start_kernel("rlm")
    start(kernel, tmp_path, "import subprocess; subprocess.run(['sleep', '60'])")
    wait_for(lambda: len(below(kernel.pid)) >= 8 + 8 + 2, 10)
    every = below(kernel.pid)
    os.kill(kernel.pid, signal.SIGKILL)
    wait_for(lambda: not any(map(alive, every)), 10)


def test_a_cell_of_the_person_can_ask_children_too(kernel: LiveKernel, tmp_path: Path) -> None:
    kernel.run("context = 'In the beginning.'")
    kernel.run(f"%rlm --sub-model {script(tmp_path, cell('FINAL(context.upper())'), repeat=True)}")
    assert kernel.run("rlm_query_batched(['a', 'b'], ['x', 'y'])").result == "['X', 'Y']"
    assert kernel.run("rlm_query('a')").result == "'IN THE BEGINNING.'"
