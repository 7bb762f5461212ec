"""What the panel asks of the notebook, through a real kernel: the page is told, or the person what to run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.kernel.page import Page, cell, final, script

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.conftest import LiveKernel

Json = dict[str, Any]


class PanelView:
    """A view of the panel, as a page shows it."""

    def __init__(self, k: LiveKernel, model_id: str) -> None:
        self.k, self.model_id = k, model_id

    def send(self, **content: Any) -> None:
        data = {"method": "custom", "content": content}
        self.k.send_message("comm_msg", {"comm_id": self.model_id, "data": data})

    def wait_for(self, kind: str) -> Json:
        def told() -> list[Json]:
            datas = [
                message["content"]["data"].get("content", {})
                for message in self.k.iopub
                if message["msg_type"] == "comm_msg" and message["content"]["comm_id"] == self.model_id
            ]
            return [each for each in datas if each.get("kind") == kind]

        self.k.wait_for(lambda: bool(told()))
        return told()[-1]


@pytest.fixture
def page(start_kernel: Callable[..., LiveKernel], tmp_path: Path) -> Page:
    page = Page(start_kernel("rlm"))
    page.finish(page.ask("context = 'text'", "load"))
    model = script(tmp_path, cell("x = 1", "First."), final("A."))
    page.finish(page.ask(f"%%rlm --max-turns 1 --model {model}\nWho?", "q"))
    return page


def test_the_page_does_what_the_panel_asks(page: Page) -> None:
    view, run = PanelView(page.kernel, page.of("dock")[-1]["model_id"]), page.run_id
    view.send(kind="raise", run_id=run, limits={"turns": 5})
    page.wait_for(lambda: page.of("go"))
    go = page.of("go")[-1]
    assert (go["run_id"], go["anchor_cell_id"]) == (run, "q")
    assert go["go"] == {"how": "continue", "run_id": run, "limits": {"turns": 5}}
    assert go["line"] == "%rlm continue --max-turns 5"
    assert page.go(go["go"]).status == "ok"
    assert page.of("run_end")[-1]["outcome"] == "answered"
    view.send(kind="rerun", id=f"{run}/t1", edit={"kind": "code", "text": "x = 2"})
    page.wait_for(lambda: len(page.of("go")) == 2)
    go = page.of("go")[-1]
    assert go["go"] == {"how": "rerun", "node_id": f"{run}/t1", "edit": {"kind": "code", "text": "x = 2"}}
    assert go["line"] == f"%rlm rerun {run}/t1 --code\nx = 2"
    first = page.run_id
    assert page.go(go["go"]).status == "ok"
    assert page.kernel.run("x").result == "2"
    view.send(kind="branch", do="switch", id=first)
    page.wait_for(lambda: page.of("show"))
    assert page.of("show")[-1]["run_id"] == first
    assert page.kernel.run("x").result == "1"
    view.send(kind="jump", cell_id="load")
    page.wait_for(lambda: page.of("jump"))
    assert page.of("jump")[-1]["cell_id"] == "load"
    view.send(kind="rerun", id=f"{run}/t1", edit={"kind": "prompt", "text": "x"})
    assert "does not fit a turn" in view.wait_for("problem")["text"]


def test_without_a_page_the_panel_says_what_to_run(page: Page) -> None:
    view, run = PanelView(page.kernel, page.of("dock")[-1]["model_id"]), page.run_id
    page.close()
    view.send(kind="rerun", id=f"{run}/t1", edit={"kind": "code", "text": "x = 2"})
    problem = view.wait_for("problem")
    assert f"%rlm rerun {run}/t1 --code\nx = 2" in problem["remedy"]
    ran = page.kernel.run(f"%rlm rerun {run}/t1 --max-turns 2 --code\nx = 2")
    assert ran.status == "ok"
    assert page.kernel.run("x").result == "2"


def test_a_page_can_have_the_panel_before_any_question(start_kernel: Callable[..., LiveKernel]) -> None:
    page, other = Page(k := start_kernel("rlm")), Page(k)
    page.send(type="panel")
    page.wait_for(lambda: page.of("dock"))
    other.look()
    assert other.of("dock") == [], "it is shown where it is asked for"
    assert Page(k).ack["panel"] == page.of("dock")[-1]["model_id"]
