"""Live cells as a page sees them: docs/protocol.md spoken to a real kernel."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from jupyter_client.blocking import BlockingKernelClient
from jupyter_client.session import Session

from rlm_kernel.kernel.shortened import CUT, LARGEST
from tests.conftest import LiveKernel
from tests.kernel.page import Page, cell, final, script
from tests.kernel.test_panel_actions import PanelView

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Connect = Callable[[], LiveKernel]


@pytest.fixture
def k(shared_kernel: LiveKernel) -> Iterator[LiveKernel]:
    shared_kernel.run("context = 'In the beginning.'")
    yield shared_kernel
    shared_kernel.settle(0.05)


@pytest.fixture
def page(k: LiveKernel) -> Iterator[Page]:
    """A page with the extension on the shared kernel."""
    page = Page(k)
    yield page
    page.close()


@pytest.fixture
def connect(k: LiveKernel) -> Iterator[Connect]:
    """Further clients of the kernel, each with a session of its own."""
    clients = []

    def another() -> LiveKernel:
        client = BlockingKernelClient()
        client.load_connection_info(k.manager.get_connection_info())
        client.session = Session(key=k.manager.session.key, signature_scheme=k.manager.session.signature_scheme)
        client.start_channels()
        client.wait_for_ready(timeout=30)
        clients.append(client)
        return LiveKernel(k.manager, client)

    yield another
    for client in clients:
        client.stop_channels()


def test_order_ids_and_text_of_a_run(page: Page, tmp_path: Path) -> None:
    model = script(tmp_path, cell("x = '𝔊ö'\nprint(x)", "I look 𝔊 first."), final("Done."), chunk=2, delay=0.002)
    msg_id = page.ask(f"%%rlm --model {model}\nWho?")
    ran = page.finish(msg_id)
    assert ran.status == "ok"
    assert [data["type"] for data in page.told if data["type"] not in ("append", "status", "dock")] == [
        "hello_ack",
        "run_start",
        "insert",
        "insert",
        "start",
        "finish",
        "finish",
        "insert",
        "start",
        "finish",
        "run_end",
    ]
    start, end = page.of("run_start")[0], page.of("run_end")[0]
    assert (start["anchor_cell_id"], start["anchor_msg_id"], start["owner"]) == ("anchor", msg_id, page.client_id)
    assert (end["outcome"], end["execution_count"]) == ("answered", ran.count)
    assert end["usage"]["calls"] == 2
    told = [data for data in page.told if data["type"] not in ("hello_ack", "dock")]
    assert [data["seq"] for data in told] == list(range(1, len(told) + 1))
    prose, code, last = page.of("insert")
    assert (prose["cell_type"], code["cell_type"]) == ("markdown", "code")
    assert prose["msg_id"] is None
    assert prose["after"] == ["anchor"]
    assert last["after"] == [code["cell_id"], prose["cell_id"], "anchor"]
    mark = code["metadata"]["rlm"]
    assert (mark["author"], mark["part"], mark["turn"], mark["anchor"]) == ("model", "code", 1, "anchor")
    sources = page.sources()
    assert sources[prose["cell_id"]] == "I look 𝔊 first."
    assert sources[code["cell_id"]] == "x = '𝔊ö'\nprint(x)"
    assert len(page.of("append")) < 40, "text goes in batches"
    finish = next(data for data in page.of("finish") if data["cell_id"] == code["cell_id"])
    assert finish["status"] == "ok"
    assert finish["execution_count"] == ran.count + 1
    assert finish["badge"].startswith("turn 1 · ")


def test_a_models_cell_is_a_request_of_its_own(page: Page, tmp_path: Path) -> None:
    model = script(tmp_path, cell("print('hello')\n6 * 7"), final("Done."))
    msg_id = page.ask(f"%%rlm --model {model}\nWho?")
    ran = page.finish(msg_id)
    insert = page.of("insert")[0]
    inner = page.kernel.finish(insert["msg_id"])
    assert inner.types == ["busy", "execute_input", "stream", "execute_result", "idle"]
    assert inner.of("execute_input")[0] == {"code": "print('hello')\n6 * 7", "execution_count": ran.count + 1}
    assert (inner.status, inner.count) == ("ok", ran.count + 1)
    header = inner.messages[0]["parent_header"]
    assert (header["session"], header["msg_type"]) == (page.client_id, "execute_request")
    assert [kind for kind in ran.types if kind not in ("comm_msg", "comm_open")][-2:] == ["display_data", "idle"]
    states = [
        (m["parent_header"].get("msg_id"), m["content"]["execution_state"])
        for m in page.kernel.iopub
        if m["msg_type"] == "status"
    ]
    at = states.index((insert["msg_id"], "idle"))
    assert states[at + 1] == (msg_id, "busy"), "any idle makes the page think that nothing runs"


def test_the_answer_is_the_questions_output(page: Page, tmp_path: Path) -> None:
    ran = page.finish(page.ask(f"%%rlm --model {script(tmp_path, final('**Yes.**'))}\nWho?"))
    (shown,) = ran.of("display_data")
    assert shown["data"]["text/markdown"].startswith("**Yes.**")
    assert ran.of("update_display_data") == []
    assert page.of("status")[-1]["state"] == "ended"


def test_the_run_waits_for_the_bind_before_it_asks(k: LiveKernel, tmp_path: Path) -> None:
    page = Page(k, binds=False)
    model = script(tmp_path, cell("name = input('who? ')"), final("A."))
    msg_id = page.ask(f"%%rlm --model {model}\nWho?")
    page.wait_for(lambda: page.of("insert"))
    time.sleep(0.7)
    page.look()
    assert page.of("start") == []
    page.binds = True
    page.bind(page.of("insert")[0]["msg_id"])
    page.wait_for(lambda: page.of("start"), 1.5)
    asked = k.client.get_stdin_msg(timeout=10)
    assert asked["parent_header"]["msg_id"] == page.of("insert")[0]["msg_id"]
    k.client.input("Eve")
    assert page.finish(msg_id).status == "ok"
    assert k.run("name").result == "'Eve'"
    page.close()


def test_a_page_that_never_binds_costs_two_seconds_once(k: LiveKernel, tmp_path: Path) -> None:
    page = Page(k, binds=False)
    started = time.monotonic()
    page.finish(page.ask(f"%%rlm --model {script(tmp_path, cell('1'), cell('2'), cell('3'), final('A.'))}\nWho?"))
    assert 2 < time.monotonic() - started < 6, "for three cells"
    page.close()


def test_a_client_without_the_extension_gets_the_output_form_beside_a_page(
    page: Page, connect: Connect, tmp_path: Path
) -> None:
    other = connect()
    question = f"%%rlm --fresh --model {script(tmp_path, cell('1'), final('A.'), repeat=True)}\nWho?"
    for last in (False, False, True):  # a busy machine may need longer for once
        started = time.monotonic()
        ran = other.run(question)
        if time.monotonic() - started < 2:
            break
        assert not last, "nobody waits for the page"
    assert "application/vnd.rlm.run+json" in ran.of("display_data")[-1]["data"]
    page.kernel.settle(0.1)
    page.look()
    assert page.of("run_start") == []


def test_run_all_keeps_the_order_and_the_second_time_replaces(page: Page, tmp_path: Path) -> None:
    k = page.kernel
    question = f"%%rlm --model {script(tmp_path, cell('n = 1'), final('A.'), repeat=True)}\nWho?"
    first, after = page.ask(question), page.ask("print('after', n)", "mine")
    ran = page.finish(first)
    assert page.finish(after).text == "after 1\n"
    assert page.finish(after).count == ran.count + 3
    model_cells = [(data["cell_id"], data["metadata"]) for data in page.of("insert")]
    run_id = page.run_id
    k.run("n = 5")
    again = page.ask(question)
    queued = []
    for cell_id, metadata in model_cells:
        content = {"code": "n = 99", "silent": False, "store_history": True, "allow_stdin": True, "stop_on_error": True}
        queued.append(k.send_message("execute_request", content, metadata={"cellId": cell_id, **metadata}))
    copied = {**content, "code": "copied = 1"}
    copy = k.send_message("execute_request", copied, metadata={"cellId": "a-copy", **model_cells[0][1]})
    page.finish(again)
    assert page.of("run_start")[-1]["superseded"] == [run_id]
    for msg_id in queued:
        skipped = page.finish(msg_id)
        assert skipped.status == "ok"
        assert skipped.of("execute_input") == []
    assert k.run("n").result == "1"
    assert page.finish(copy).of("execute_input"), "a copy of a model's cell is the person's"


def test_cells_of_an_unknown_run_are_skipped_once_their_question_is_asked_anew(page: Page, tmp_path: Path) -> None:
    k = page.kernel
    mark = {"rlm": {"run_id": "run-before-restart", "anchor": "anchor-7", "author": "model"}}
    content = {"code": "w = 1", "silent": False, "store_history": True, "allow_stdin": False, "stop_on_error": True}
    page.finish(k.send_message("execute_request", content, metadata=mark))
    assert k.run("w").result == "1"
    page.finish(page.ask(f"%%rlm --model {script(tmp_path, final('A.'))}\nWho?", "anchor-7"))
    page.finish(k.send_message("execute_request", {**content, "code": "w = 2"}, metadata=mark))
    assert k.run("w").result == "1"


def test_stop_while_the_model_writes_aborts_the_bound_cell(page: Page, tmp_path: Path) -> None:
    model = script(tmp_path, cell("print('never')\n" * 200), chunk=4, delay=0.05)
    msg_id, queued = page.ask(f"%%rlm --model {model}\nWho?"), page.ask("print('never')", "mine")
    page.wait_for(lambda: len(page.of("append")) > 2)
    page.send(type="stop", run_id=page.run_id)
    ran = page.finish(msg_id, 5)
    assert ran.status == "error"
    assert ran.error["ename"] == "RunStopped"
    insert = page.of("insert")[0]
    assert page.kernel.finish(insert["msg_id"]).status == "aborted"
    assert page.of("finish")[-1]["status"] == "aborted"
    assert page.of("run_end")[-1]["outcome"] == "stopped"
    assert page.finish(queued).status == "aborted"


def test_stop_in_a_cell(page: Page, tmp_path: Path) -> None:
    model = script(tmp_path, cell("import time\ntime.sleep(60)"))
    msg_id = page.ask(f"%%rlm --model {model}\nWho?")
    page.wait_for(lambda: page.of("start"))
    time.sleep(0.3)
    started = time.monotonic()
    page.send(type="stop", run_id=page.run_id)
    assert page.finish(msg_id).status == "error"
    assert time.monotonic() - started < 10
    assert page.of("finish")[-1]["status"] == "stopped"
    assert page.kernel.finish(page.of("insert")[0]["msg_id"]).status == "error"


def test_commands_for_another_run_do_nothing(page: Page, tmp_path: Path) -> None:
    model = script(tmp_path, cell("1"), final("A."), chunk=3, delay=0.02)
    msg_id = page.ask(f"%%rlm --model {model}\nWho?")
    page.wait_for(lambda: page.of("append"))
    page.send(type="stop", run_id="run-other")
    page.send(type="dance", run_id=page.run_id)
    page.send(type="cell_removed", run_id=7, cell_id=None)
    assert page.finish(msg_id).status == "ok"


def test_while_it_is_paused_the_persons_cells_run_and_the_model_is_told(page: Page, tmp_path: Path) -> None:
    k = page.kernel
    slow = cell("seen = mine + 1")
    model = script(tmp_path, slow, final("A."), chunk=2, delay=0.05)
    msg_id = page.ask(f"%%rlm --model {model}\nWho?")
    page.wait_for(lambda: page.of("append"))
    page.send(type="pause", run_id=page.run_id)
    page.wait_for(lambda: page.of("status") and page.of("status")[-1]["state"] == "paused")
    assert k.run("mine = 41\nprint('here')").text == "here\n"
    page.send(type="resume", run_id=page.run_id)
    assert page.finish(msg_id).status == "ok"
    assert k.run("seen").result == "42"


def test_a_cell_removed_while_it_is_written_is_not_run(page: Page, tmp_path: Path) -> None:
    model = script(tmp_path, cell("gone = 1\n" * 20), final("A."), chunk=4, delay=0.02)
    page.kernel.run("globals().pop('gone', None)")
    msg_id = page.ask(f"%%rlm --model {model}\nWho?")
    page.wait_for(lambda: page.of("append"))
    insert = page.of("insert")[0]
    page.send(type="cell_removed", run_id=page.run_id, node_id=insert["node_id"], cell_id=insert["cell_id"])
    assert page.finish(msg_id).status == "ok", "the run goes on"
    assert page.kernel.run("'gone' in globals()").result == "False"
    assert page.kernel.finish(insert["msg_id"]).status == "aborted"
    assert page.of("insert")[-1]["after"] == ["anchor"]


def test_reload_in_mid_run(page: Page, tmp_path: Path) -> None:
    k = page.kernel
    code = "import time\nprint('early', flush=True)\ntime.sleep(2)\nprint('late')"
    model = script(tmp_path, cell("a = 1", "Prose."), cell(code), final("A."))
    msg_id = page.ask(f"%%rlm --model {model}\nWho?")
    page.wait_for(lambda: any(m["content"].get("text") == "early\n" for m in k.iopub))
    run_id = page.run_id
    page.close()
    fresh = Page(k)
    run = next(run for run in fresh.ack["runs"] if run["run_id"] == run_id)
    assert run["live"]
    assert (run["anchor_cell_id"], run["anchor_msg_id"], run["outputs"]) == ("anchor", msg_id, [])
    prose, done, running = run["nodes"]
    assert (prose["source"], done["source"], running["source"]) == ("Prose.", "a = 1", code)
    assert (done["status"], running["status"]) == ("ok", "running")
    assert running["outputs"][0]["text"] == "early\n"
    fresh.bind(running["msg_id"])
    fresh.bind(done["msg_id"])
    fresh.bind(msg_id)
    assert fresh.finish(msg_id).status == "ok"
    assert k.finish(running["msg_id"]).text == "early\nlate\n"
    assert k.wait_reply(done["msg_id"])["content"]["status"] == "ok", "a cell that is over answers a late bind"
    assert fresh.of("run_end")[-1]["run_id"] == run_id
    fresh.close()


def test_a_page_that_was_away_at_the_end_is_told_the_answer(page: Page, tmp_path: Path) -> None:
    model = script(tmp_path, cell("import time\ntime.sleep(0.5)"), final("A."))
    msg_id = page.ask(f"%%rlm --model {model}\nWho?")
    page.wait_for(lambda: page.of("start"))
    run_id = page.run_id
    page.close()
    ran = page.finish(msg_id)
    fresh = Page(page.kernel)
    run = next(run for run in fresh.ack["runs"] if run["run_id"] == run_id)
    assert not run["live"]
    assert run["outputs"][0]["data"]["text/markdown"].startswith("A.")
    assert run["unseen"]
    assert run["execution_count"] == ran.count
    assert [node["status"] for node in run["nodes"]] == ["ok", "ok"]
    fresh.close()


def test_a_bind_of_nothing_known_is_aborted(page: Page) -> None:
    page.bind("rlm-of-a-kernel-before")
    assert page.kernel.finish("rlm-of-a-kernel-before").status == "aborted"


def test_two_tabs_both_see_everything_and_both_get_the_reply(page: Page, connect: Connect, tmp_path: Path) -> None:
    second = Page(connect(), rtc=True)
    msg_id = page.ask(f"%%rlm --model {script(tmp_path, cell('print(1)'), final('A.'), chunk=3, delay=0.05)}\nWho?")
    page.wait_for(lambda: page.of("insert"))
    second.wait_for(lambda: second.of("insert"))
    page.finish(msg_id)
    second.wait_for(lambda: second.of("run_end"))
    assert page.sources() == second.sources()
    assert second.of("run_start")[0]["owner"] == page.client_id
    for each in (page.kernel, second.kernel):
        assert each.wait_reply(page.of("insert")[0]["msg_id"])["content"]["status"] == "ok"
    second.close()


def test_a_run_whose_page_goes_is_handed_to_the_other(page: Page, connect: Connect, tmp_path: Path) -> None:
    second = Page(connect(), rtc=True)
    msg_id = page.ask(f"%%rlm --model {script(tmp_path, cell('1'), final('A.'), chunk=2, delay=0.1)}\nWho?")
    page.wait_for(lambda: page.of("append"))
    run_id = page.run_id
    page.close()
    second.wait_for(lambda: len(second.of("hello_ack")) > 1)
    run = next(run for run in second.ack["runs"] if run["run_id"] == run_id)
    assert run["owner"] == second.client_id
    assert second.kernel is not page.kernel
    page.finish(msg_id)
    second.wait_for(lambda: second.of("run_end"))
    second.close()


def test_an_owner_that_says_nothing_loses_its_run(page: Page, connect: Connect, tmp_path: Path) -> None:
    second = Page(connect(), binds=False, rtc=True)
    page.binds = False
    msg_id = page.ask(f"%%rlm --model {script(tmp_path, cell('1'), final('A.'))}\nWho?")
    page.finish(msg_id)
    second.wait_for(lambda: len(second.of("hello_ack")) > 1)
    run = next(run for run in second.ack["runs"] if run["run_id"] == page.run_id)
    assert run["owner"] == second.client_id
    second.close()


def test_outputs_changed_later_are_kept_changed(page: Page, tmp_path: Path) -> None:
    code = "from IPython.display import display\nhandle = display('old', display_id=True)"
    page.finish(page.ask(f"%%rlm --model {script(tmp_path, cell(code), final('A.'))}\nWho?"))
    run_id = page.run_id
    page.kernel.run("handle.update('new')")
    again = Page(page.kernel)
    run = next(run for run in again.ack["runs"] if run["run_id"] == run_id)
    assert run["nodes"][0]["outputs"][0]["data"]["text/plain"] == "'new'"
    again.close()


def test_a_cell_that_prints_megabytes_is_shown_cut_and_the_model_is_told_how_much_it_was(
    page: Page, tmp_path: Path
) -> None:
    code = "print('x' * 3_000_000)\nprint('more')\n'y' * 2_000_000"
    model = script(tmp_path, cell(code), final("Done."))
    page.finish(page.ask(f"%%rlm --model {model}\nWho?"), timeout=60)
    msg_id = page.of("start")[0]["msg_id"]
    told = [each for each in page.kernel.iopub if each["parent_header"].get("msg_id") == msg_id]
    printed = "".join(each["content"]["text"] for each in told if each["msg_type"] == "stream")
    assert LARGEST < len(printed) < LARGEST + 100
    assert printed.endswith(CUT)
    assert sum(len(str(each["content"])) for each in told) < LARGEST + 10_000
    # A page that comes late is told the same.
    again = Page(page.kernel)
    run = next(each for each in again.ack["runs"] if each["run_id"] == page.run_id)
    assert [each["outputs"][0]["text"] for each in run["nodes"] if each["outputs"]] == [printed]
    # So much was it in truth.
    view = PanelView(page.kernel, again.ack["panel"])
    view.send(kind="detail", id=f"{page.run_id}/t1")
    assert "[… 4,990,013 characters left out …]" in view.wait_for("detail")["texts"]["output"]
    again.close()


def test_the_panel_is_docked_at_the_first_question(kernel: LiveKernel, tmp_path: Path) -> None:
    kernel.run("context = 'x'")
    page = Page(kernel)
    assert page.ack["panel"] is None
    page.finish(page.ask(f"%%rlm --model {script(tmp_path, final('A.'))}\nWho?"))
    (dock,) = page.of("dock")
    comms = kernel.ask("comm_info_request", {"target_name": "jupyter.widget"})["comms"]
    assert dock["model_id"] in comms
    assert Page(kernel).ack["panel"] == dock["model_id"]


def test_kernel_info_is_answered_in_mid_run(page: Page, tmp_path: Path) -> None:
    msg_id = page.ask(f"%%rlm --model {script(tmp_path, cell('1') * 3, chunk=1, delay=0.05)}\nWho?")
    page.wait_for(lambda: page.of("append"))
    page.kernel.ask("kernel_info_request", {})
    assert not page.kernel._is_idle(msg_id)
    page.send(type="stop", run_id=page.run_id)
    page.finish(msg_id)
