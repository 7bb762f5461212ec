"""ipywidgets and anywidgets over the comms of a namespace process, without a page."""

from __future__ import annotations

import pytest

from rlm_kernel.ids import new_msg_id

pytest.importorskip("ipywidgets")


def header(kind):
    return {"msg_id": new_msg_id(), "msg_type": kind, "session": "page", "username": "u", "version": "5.3"}


async def send(ns, comm_id, data, kind="comm_msg", **content):
    """Say something as the page does."""
    head = header(kind)
    metadata = {"version": "1.0.0"} if kind == "comm_open" else {}
    fields = {"content": {"comm_id": comm_id, "data": data, **content}, "header": head, "metadata": metadata}
    await ns.process.ask(kind, fields)
    return head["msg_id"]


async def set_state(ns, comm_id, **state):
    return await send(ns, comm_id, {"method": "update", "state": state, "buffer_paths": []})


async def model(ns, expression):
    """The model id of a widget: its comm."""
    return (await ns.value(f"{expression}.model_id")).strip("'")


async def test_a_slider_shows_and_follows_the_page(ns):
    ran = await ns.ok(
        "import ipywidgets as W\ns = W.IntSlider(value=3)\n"
        "seen = []; s.observe(lambda c: seen.append(c.new), 'value'); s"
    )
    assert "application/vnd.jupyter.widget-view+json" in ran.outputs[-1]["data"]
    opened = [m.content["target_name"] for m in ran.messages if m.msg_type == "comm_open"]
    assert opened.count("jupyter.widget") == 3
    await set_state(ns, await model(ns, "s"), value=9)
    assert await ns.value("s.value, seen") == "(9, [9])"


async def test_a_button_prints_under_its_own_click(ns):
    await ns.ok("import ipywidgets as W\nb = W.Button(); b.on_click(lambda b: print('clicked'))")
    parent = await send(ns, await model(ns, "b"), {"method": "custom", "content": {"event": "click"}})
    (output,) = ns.listener.recorder.outputs(parent)
    assert output["text"] == "clicked\n"
    assert (await ns.ok("print('cell')")).text == "cell\n"


async def test_clicks_are_handled_while_a_cell_awaits(ns):
    await ns.ok(
        "import ipywidgets as W, asyncio\nb = W.Button(); clicked = asyncio.Event()\n"
        "b.on_click(lambda b: clicked.set())"
    )
    comm_id = await model(ns, "b")
    import asyncio

    cell = asyncio.create_task(ns.ok("await asyncio.wait_for(clicked.wait(), 10); print('seen')"))
    await ns.until(lambda: ns.process.busy)
    await asyncio.sleep(0.2)
    await send(ns, comm_id, {"method": "custom", "content": {"event": "click"}})
    assert (await cell).text == "seen\n"


async def test_interact_and_output_capture(ns):
    await ns.ok("import ipywidgets as W\nw = W.interactive(lambda x: print('x is', x), x=(0, 9)); w")
    await set_state(ns, await model(ns, "w.children[0]"), value=7)
    await ns.ok("out = W.Output()")
    ran = await ns.ok("with out: print('inside')\nprint('outside')")
    assert ran.text == "outside\n"
    updates = [m.content["data"]["state"] for m in ran.messages if m.msg_type == "comm_msg"]
    ids = [state["msg_id"] for state in updates if "msg_id" in state]
    assert ids == [ran.messages[-1].parent, ""]


async def test_an_error_in_a_callback_is_shown_and_does_no_harm(ns):
    await ns.ok("import ipywidgets as W\nb = W.Button(); b.on_click(lambda b: 1/0)")
    parent = await send(ns, await model(ns, "b"), {"method": "custom", "content": {"event": "click"}})
    assert "ZeroDivisionError" in str(ns.listener.recorder.outputs(parent))
    assert await ns.value("1") == "1"


async def test_tqdm_notebook(ns):
    pytest.importorskip("tqdm")
    ran = await ns.ok("from tqdm.notebook import tqdm\nfor i in tqdm(range(3)): pass")
    assert any("widget-view" in str(data) for data in ran.shown)
    ran = await ns.ok("from tqdm.auto import tqdm as auto\nauto.__module__")
    assert ran.result == "'tqdm.auto'"
    assert "IProgress" not in ran.text
    await ns.ok("1")
    assert ns.process.checkpoint_refusal is None


async def test_an_anywidget_both_ways(ns):
    pytest.importorskip("anywidget")
    code = (
        "import anywidget, traitlets\n"
        "class C(anywidget.AnyWidget):\n"
        "    _esm = 'export default { render() {} }'\n"
        "    value = traitlets.Int(0).tag(sync=True)\n"
        "c = C(); got = []\n"
        "c.on_msg(lambda w, content, buffers: (got.append(content), w.send({'pong': 1}, [b'bytes'])))\nc"
    )
    await ns.ok(code)
    comm_id = await model(ns, "c")
    await set_state(ns, comm_id, value=5)
    await send(ns, comm_id, {"method": "custom", "content": {"ping": 1}})
    assert await ns.value("c.value, got") == "(5, [{'ping': 1}])"
    pong = [
        m for m in ns.listener.messages if m.msg_type == "comm_msg" and m.content["data"].get("content") == {"pong": 1}
    ]
    assert pong[0].buffers == [b"bytes"]


async def test_a_comm_target_of_the_person_can_be_opened_by_the_page(ns):
    code = (
        "from comm import get_comm_manager\nopened = []\n"
        "def opens(comm, msg): opened.append(msg['content']['data']); comm.send({'hi': 1})\n"
        "get_comm_manager().register_target('mine', opens)"
    )
    await ns.ok(code)
    await send(ns, "comm-1", {"a": 1}, "comm_open", target_name="mine")
    assert await ns.value("opened") == "[{'a': 1}]"
    assert any(m.msg_type == "comm_msg" and m.content["comm_id"] == "comm-1" for m in ns.listener.messages)
    await send(ns, "comm-2", {}, "comm_open", target_name="unknown")
    assert ns.listener.messages[-1].msg_type in ("comm_close", "stream")


async def test_a_page_that_comes_late_gets_all_states(ns):
    await ns.ok("import ipywidgets as W\ns = W.IntSlider(value=3)")
    await send(ns, "control", {}, "comm_open", target_name="jupyter.widget.control")
    await send(ns, "control", {"method": "request_states"})
    states = ns.listener.messages[-1].content["data"]["states"]
    assert states[await model(ns, "s")]["state"]["value"] == 3


async def test_after_a_restore_dead_comms_are_told_and_the_others_send_their_state(ns):
    await ns.ok("import ipywidgets as W\ns = W.IntSlider(value=3)")
    old = await model(ns, "s")
    ran = await ns.run("s.value = 8; t = W.IntSlider(value=1)\nimport os; os._exit(1)")
    assert ran.reply.restored
    assert len(ns.listener.dead) == 3
    assert old in ns.listener.live
    assert old not in ns.listener.dead
    await ns.ok("1")
    states = [
        m.content["data"]["state"]
        for m in ns.listener.messages
        if m.msg_type == "comm_msg" and m.content["comm_id"] == old
    ]
    assert states[-1]["value"] == 3
    await set_state(ns, old, value=4)
    assert await ns.value("s.value") == "4"


async def test_libraries_that_import_ipykernels_own_comms_still_reach_the_page(ns):
    await ns.ok("import ipykernel.ipkernel")
    await ns.ok("import ipywidgets as W")
    ran = await ns.ok("s = W.IntSlider()")
    assert any(m.msg_type == "comm_open" for m in ran.messages)
    ran = await ns.ok("from ipykernel.comm import Comm\nc = Comm(target_name='x', data={'a': 1})")
    assert ran.messages[-1].content["target_name"] == "x"
