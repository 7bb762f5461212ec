"""Widgets and comms: both ways, beside running cells, and for a page that comes late."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

if TYPE_CHECKING:
    from tests.conftest import LiveKernel, Ran

pytest.importorskip("ipywidgets")

SLIDER = "import ipywidgets as w\nslider = w.IntSlider(5)\ndisplay(slider)"


def opened(ran: Ran, model: str) -> str:
    """Id of the comm of the widget with this model name."""
    return str(next(c["comm_id"] for c in ran.of("comm_open") if c["data"]["state"]["_model_name"] == model))


def update(k: LiveKernel, comm_id: str, **state: Any) -> str:
    data = {"method": "update", "state": state, "buffer_paths": []}
    return k.send_message("comm_msg", {"comm_id": comm_id, "data": data})


def click(k: LiveKernel, comm_id: str) -> str:
    data = {"method": "custom", "content": {"event": "click"}}
    return k.send_message("comm_msg", {"comm_id": comm_id, "data": data})


def all_states(k: LiveKernel, timeout: float = 4) -> dict[str, Any]:
    """Ask as a page does that was reloaded."""
    control = uuid4().hex
    k.send_message("comm_open", {"comm_id": control, "target_name": "jupyter.widget.control", "data": {}})
    k.send_message("comm_msg", {"comm_id": control, "data": {"method": "request_states"}})

    def answers() -> list[Any]:
        return [m for m in k.iopub if m["msg_type"] == "comm_msg" and m["content"]["comm_id"] == control]

    k.wait_for(lambda: bool(answers()), timeout)
    k.send_message("comm_close", {"comm_id": control, "data": {}})
    data = answers()[0]["content"]["data"]
    assert data["method"] == "update_states"
    return data["states"]


def test_slider_both_ways(shared_kernel: LiveKernel) -> None:
    k = shared_kernel
    ran = k.run(SLIDER)
    comm_id = opened(ran, "IntSliderModel")
    assert ran.of("display_data")[0]["data"]["application/vnd.jupyter.widget-view+json"]["model_id"] == comm_id
    moved = k.finish(update(k, comm_id, value=7), reply=False)
    assert (moved.types[0], moved.types[-1]) == ("busy", "idle")
    assert k.run("slider.value").result == "7"
    updates = [c["data"] for c in k.run("slider.value = 9").of("comm_msg") if c["comm_id"] == comm_id]
    assert updates[0]["state"]["value"] == 9


def test_callback_output_belongs_to_its_message(shared_kernel: LiveKernel) -> None:
    k = shared_kernel
    ran = k.run("import ipywidgets as w\nb = w.Button()\nb.on_click(lambda _: print('clicked'))\ndisplay(b)")
    assert k.finish(click(k, opened(ran, "ButtonModel")), reply=False).text == "clicked\n"


def test_output_widget_captures(shared_kernel: LiveKernel) -> None:
    k = shared_kernel
    ran = k.run(
        "import ipywidgets as w\nout = w.Output()\ndisplay(out)\nwith out:\n    print('captured')\nprint('free')"
    )
    comm_id = opened(ran, "OutputModel")
    steps = [
        m["content"]["data"]["state"]["msg_id"] if m["msg_type"] == "comm_msg" else m["content"]["text"]
        for m in ran.messages
        if m["msg_type"] == "stream" or (m["msg_type"] == "comm_msg" and m["content"]["comm_id"] == comm_id)
    ]
    assert steps == [ran.reply["parent_header"]["msg_id"], "captured\n", "", "free\n"]


def test_binary_buffers_both_ways(shared_kernel: LiveKernel) -> None:
    k = shared_kernel
    ran = k.run(
        "from comm import create_comm\nc = create_comm(target_name='raw', data={'n': 1}, buffers=[b'\\x00\\xff'])\n"
        "got = []\nc.on_msg(lambda m: got.append(bytes(m['buffers'][0])))"
    )
    message = next(m for m in ran.messages if m["msg_type"] == "comm_open")
    assert [bytes(part) for part in message["buffers"]] == [b"\x00\xff"]
    sent = k.send_message("comm_msg", {"comm_id": message["content"]["comm_id"], "data": {}}, buffers=[b"\x01\xfe"])
    k.finish(sent, reply=False)
    assert k.run("got").result == "[b'\\x01\\xfe']"


def test_fifty_clicks_during_twenty_cells(kernel: LiveKernel) -> None:
    k = kernel
    ran = k.run(
        "import ipywidgets as w, asyncio, time\nb = w.Button(); n = 0\ndef f(_):\n    global n; n += 1\nb.on_click(f)"
    )
    comm_id = opened(ran, "ButtonModel")
    k.settle()
    k.iopub.clear()
    cells, clicks = [], []
    for i in range(20):
        wait = "time.sleep(0.02)" if i % 2 else "await asyncio.sleep(0.02)"
        cells.append(k.send(f"{wait}\nprint({i})"))
        clicks += [click(k, comm_id) for _ in range(2 + i % 2)]
        time.sleep(0.01)
    runs = [k.finish(msg_id, 60) for msg_id in cells]
    for msg_id in clicks:
        k.finish(msg_id, 30, reply=False)
    k.settle()
    assert len(clicks) == 50
    assert [ran.text for ran in runs] == [f"{i}\n" for i in range(20)]
    assert [ran.status for ran in runs] == ["ok"] * 20
    for msg_id in [*cells, *clicks]:
        states = [m["content"]["execution_state"] for m in k.of_parent(msg_id) if m["msg_type"] == "status"]
        assert states[-1] == "idle"
        assert states.count("idle") == 1
        assert set(states[:-1]) == {"busy"}
    known = {*cells, *clicks}
    assert {m["parent_header"]["msg_id"] for m in k.iopub} == known
    last = [m["content"]["execution_state"] for m in k.iopub if m["msg_type"] == "status"][-1]
    assert last == "idle"
    assert k.run("n").result == "50"


def test_an_idle_beside_a_cell_is_followed_by_its_busy(shared_kernel: LiveKernel) -> None:
    k = shared_kernel
    comm_id = opened(k.run(SLIDER), "IntSliderModel")
    cell = k.send("import asyncio; await asyncio.sleep(1)")
    k.wait_for(lambda: len(k.of_parent(cell)) >= 2)
    moved = update(k, comm_id, value=3)
    info = k.send_message("kernel_info_request", {})
    k.finish(moved, reply=False)
    k.finish(info)
    k.finish(cell)
    states = [
        (m["parent_header"]["msg_id"], m["content"]["execution_state"]) for m in k.iopub if m["msg_type"] == "status"
    ]
    for other in (moved, info):
        assert states[states.index((other, "idle")) + 1] in {(cell, "busy"), (moved, "busy"), (info, "busy")}
    assert states[-1] == (cell, "idle")


def test_kernel_info_and_comm_info_are_answered_during_a_cell(shared_kernel: LiveKernel) -> None:
    k = shared_kernel
    comm_id = opened(k.run(SLIDER), "IntSliderModel")
    cell = k.send("import time; time.sleep(5)")
    k.wait_for(lambda: len(k.of_parent(cell)) >= 2)
    assert k.ask("kernel_info_request", {}, 20)["status"] == "ok"
    assert k.ask("comm_info_request", {"target_name": "jupyter.widget"}, 20)["comms"][comm_id]
    assert not k._is_idle(cell)
    assert not k.finish(cell).of("error")


def test_a_page_that_comes_late_gets_all_widgets(shared_kernel: LiveKernel) -> None:
    k = shared_kernel
    comm_id = opened(k.run(SLIDER), "IntSliderModel")
    k.finish(update(k, comm_id, value=8), reply=False)
    assert all_states(k)[comm_id]["state"]["value"] == 8


def test_a_page_that_comes_during_a_cell_gets_all_widgets_at_once(shared_kernel: LiveKernel) -> None:
    k = shared_kernel
    comm_id = opened(k.run(SLIDER), "IntSliderModel")
    k.run("slider.value = 12")
    cell = k.send("import time; time.sleep(6)")
    k.wait_for(lambda: len(k.of_parent(cell)) >= 2)
    time.sleep(0.2)
    state = all_states(k)[comm_id]
    assert (state["model_name"], state["state"]["value"]) == ("IntSliderModel", 12)
    k.finish(cell)


def test_a_page_that_asks_where_no_widget_is(kernel: LiveKernel) -> None:
    assert all_states(kernel, 3) == {}


def test_widgets_of_a_cell_that_died_are_closed(shared_kernel: LiveKernel) -> None:
    k = shared_kernel
    kept = opened(k.run(SLIDER), "IntSliderModel")
    ran = k.run(SLIDER + "\nimport os; os._exit(1)", timeout=60)
    lost = {content["comm_id"] for content in ran.of("comm_open")}
    k.settle()
    closed = {m["content"]["comm_id"] for m in k.iopub if m["msg_type"] == "comm_close"}
    assert lost <= closed
    assert kept not in closed
    k.finish(update(k, kept, value=6), reply=False)
    assert k.run("slider.value").result == "6"


def test_interact(shared_kernel: LiveKernel) -> None:
    k = shared_kernel
    ran = k.run("from ipywidgets import interact\ninteract(lambda x: print('x is', x), x=3);")
    assert ran.text == "x is 3\n"
    moved = k.finish(update(k, opened(ran, "IntSliderModel"), value=5), reply=False)
    assert moved.text == "x is 5\n"
    captured = [
        c["data"]["state"].get("msg_id") for c in moved.of("comm_msg") if "msg_id" in c["data"].get("state", {})
    ]
    assert captured == [moved.messages[0]["parent_header"]["msg_id"], ""]


def test_tqdm(shared_kernel: LiveKernel) -> None:
    pytest.importorskip("tqdm")
    k = shared_kernel
    ran = k.run("from tqdm.notebook import tqdm\nlist(tqdm(range(3)))")
    bar = opened(ran, "FloatProgressModel")
    states = [c["data"]["state"] for c in ran.of("comm_msg") if c["comm_id"] == bar]
    assert {"value": 3.0} in [{"value": state["value"]} for state in states if "value" in state]
    assert ran.result == "[0, 1, 2]"


def test_a_widget_of_ones_own(shared_kernel: LiveKernel) -> None:
    pytest.importorskip("anywidget")
    k = shared_kernel
    ran = k.run(
        "import anywidget, traitlets\n"
        "class Counter(anywidget.AnyWidget):\n"
        "    _esm = 'export default { render() {} }'\n"
        "    value = traitlets.Int(1).tag(sync=True)\n"
        "c = Counter()\nc.on_msg(lambda w, content, buffers: w.send({'got': content}, [b'ab']))\nc"
    )
    counter = opened(ran, "AnyModel")
    k.finish(update(k, counter, value=2), reply=False)
    assert k.run("c.value").result == "2"
    sent = k.send_message("comm_msg", {"comm_id": counter, "data": {"method": "custom", "content": {"n": 1}}})
    echo = next(m for m in k.finish(sent, reply=False).messages if m["msg_type"] == "comm_msg")
    assert echo["content"]["data"] == {"method": "custom", "content": {"got": {"n": 1}}}
    assert [bytes(part) for part in echo["buffers"]] == [b"ab"]
