"""What waits for what while a run lasts."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.kernel.page import Page, cell, final, script
from tests.kernel.test_widgets import SLIDER, all_states, opened, update

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import LiveKernel

SLOW = {"chunk": 4, "delay": 0.05}
"""A model that takes about half a second for 40 characters."""


@pytest.fixture
def page(kernel: LiveKernel) -> Page:
    kernel.run("context = 'And Cain rose up against Abel his brother.'")
    return Page(kernel)


def states(k: LiveKernel, msg_id: str) -> list[str]:
    return [m["content"]["execution_state"] for m in k.of_parent(msg_id) if m["msg_type"] == "status"]


def test_lookups_do_not_wait_for_a_question_and_cells_do(page: Page, tmp_path: Path) -> None:
    k = page.kernel
    k.run("some_long_name = 1")
    question = page.ask(f"%%rlm --model {script(tmp_path, cell('# ' + 'x' * 40), final('Cain'), **SLOW)}\nWho?")
    behind = page.ask("print(answer['content'])", "behind")
    page.wait_for(lambda: page.of("append"))
    page.send(type="pause", run_id=page.run_id)
    assert k.ask("complete_request", {"code": "some_long_na", "cursor_pos": 12})["matches"] == ["some_long_name"]
    assert k.ask("is_complete_request", {"code": "1"})["status"] == "complete"
    assert k.ask("kernel_info_request", {})["status"] == "ok"
    assert states(k, behind) == []
    assert "idle" not in states(k, question)
    page.send(type="resume", run_id=page.run_id)
    assert page.finish(question).status == "ok"
    assert page.finish(behind).text == "Cain\n"
    assert states(k, question).count("idle") == 1
    assert states(k, question)[-1] == "idle"


def test_while_paused_later_cells_run_and_earlier_ones_wait(page: Page, tmp_path: Path) -> None:
    k = page.kernel
    model = script(tmp_path, cell("x = 1\n# " + "x" * 200), final("Cain"), **SLOW)
    question = page.ask(f"%%rlm --model {model}\nWho?")
    earlier = page.ask("print('earlier')", "earlier")
    page.wait_for(lambda: page.of("append"))
    page.send(type="pause", run_id=page.run_id)
    page.wait_for(lambda: any(s["state"] == "paused" for s in page.of("status")))
    first, second = page.ask("print('first')", "first"), page.ask("print('second')", "second")
    assert page.finish(first).text == "first\n"
    assert page.finish(second).text == "second\n"
    assert states(k, earlier) == []
    another = page.ask(f"%%rlm --model {model}\nAnother?", "another")
    time.sleep(0.3)
    page.look()
    assert states(k, another) == []
    page.send(type="stop", run_id=page.run_id)
    page.finish(question)
    assert states(k, question).count("idle") == 1


def test_interrupt_while_paused_stops_the_persons_cell_and_not_the_run(page: Page, tmp_path: Path) -> None:
    k = page.kernel
    model = script(tmp_path, cell("x = 1\n# " + "x" * 100), final("Cain"), **SLOW)
    question = page.ask(f"%%rlm --model {model}\nWho?")
    page.wait_for(lambda: page.of("append"))
    page.send(type="pause", run_id=page.run_id)
    page.wait_for(lambda: any(s["state"] == "paused" for s in page.of("status")))
    mine = page.ask("import time; print('begun'); time.sleep(60)", "mine")
    page.wait_for(lambda: any(m["msg_type"] == "stream" for m in k.of_parent(mine)))
    k.interrupt()
    assert page.finish(mine).error["ename"] == "KeyboardInterrupt"
    page.send(type="resume", run_id=page.run_id)
    assert page.finish(question).status == "ok"
    assert page.of("run_end")[-1]["outcome"] == "answered"


def test_widgets_of_both_processes_are_found_by_a_new_page(page: Page, tmp_path: Path) -> None:
    pytest.importorskip("anywidget")
    k = page.kernel
    slider = opened(k.run(SLIDER), "IntSliderModel")
    page.finish(page.ask(f"%%rlm --model {script(tmp_path, final('Cain'))}\nWho?"), 60)
    page.wait_for(lambda: page.of("dock"))
    panel = page.of("dock")[-1]["model_id"]
    comms = k.ask("comm_info_request", {"target_name": "jupyter.widget"})["comms"]
    assert {slider, panel} <= set(comms)
    k.finish(update(k, slider, value=4), reply=False)
    found = all_states(k)
    assert found[slider]["state"]["value"] == 4
    assert found[panel]["model_module"] == "anywidget"
    busy = page.ask("import time; time.sleep(6)", "busy")
    page.wait_for(lambda: len(k.of_parent(busy)) >= 2)
    time.sleep(0.2)
    found = all_states(k)
    assert {slider, panel} <= set(found)
    page.finish(busy)


def test_the_panel_answers_while_a_cell_computes(page: Page, tmp_path: Path) -> None:
    pytest.importorskip("anywidget")
    k = page.kernel
    page.finish(page.ask(f"%%rlm --model {script(tmp_path, final('Cain'))}\nWho?"), 60)
    page.wait_for(lambda: page.of("dock"))
    panel = page.of("dock")[-1]["model_id"]
    busy = page.ask("while True: pass", "busy")
    page.wait_for(lambda: len(k.of_parent(busy)) >= 2)
    content = {"comm_id": panel, "data": {"method": "custom", "content": {"kind": "ready", "view": "v"}}}
    ready = k.send_message("comm_msg", content)

    def answered() -> bool:
        said: list[Any] = [m["content"]["data"] for m in k.of_parent(ready) if m["msg_type"] == "comm_msg"]
        return any(data.get("content", {}).get("kind") == "snapshot" for data in said)

    page.wait_for(answered, 20)
    assert not k._is_idle(busy)
    k.interrupt()
    assert page.finish(busy).status == "error"
