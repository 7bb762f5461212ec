"""What a person expects of a cell, in a real namespace process."""

from __future__ import annotations

import asyncio
import json

import pytest


async def test_streams_results_and_counts(ns):
    ran = await ns.ok("import sys\nprint('out'); print('err', file=sys.stderr)\n1 + 1")
    assert [output["output_type"] for output in ran.outputs] == ["stream", "stream", "execute_result"]
    assert (ran.text, ran.result, ran.reply.execution_count) == ("out\nerr\n", "2", 1)
    assert await ns.value("_ + Out[1] + len(In)") == "7"
    assert (await ns.ok("7;")).result is None
    assert ns.process.execution_count == 4


async def test_silent_cells_leave_no_trace(ns):
    ran = await ns.ok("x = 5; x", silent=True)
    assert ran.outputs == []
    assert ns.process.execution_count == 1
    ran = await ns.ok("x", store_history=False)
    assert ns.process.execution_count == 1
    assert ns.process.checkpoints == []


async def test_errors_have_a_traceback_and_end_the_cell(ns):
    ran = await ns.run("def f():\n    return 1/0\nf()\nprint('never')")
    assert (ran.reply.status, ran.reply.ename, ran.reply.evalue) == ("error", "ZeroDivisionError", "division by zero")
    assert ran.outputs[-1]["output_type"] == "error"
    assert ran.outputs[-1]["traceback"] == ran.reply.traceback
    assert any("line 2" in line for line in ran.reply.traceback)
    assert not ran.reply.interrupted
    ran = await ns.run("class R:\n    def __repr__(self): return 1/0\nR()")
    assert (ran.reply.status, ran.reply.ename) == ("error", "ZeroDivisionError")
    ran = await ns.run("if True print")
    assert ran.reply.ename == "SyntaxError"
    assert ran.outputs[-1]["ename"] == "SyntaxError"


async def test_displays_are_updated_and_cleared(ns):
    await ns.ok(
        "from IPython.display import display, clear_output, HTML, update_display\nh = display('old', display_id='d')"
    )
    first = ns.listener.messages[-1]
    assert first.msg_type == "display_data"
    assert first.content["transient"] == {"display_id": "d"}
    await ns.ok("update_display('new', display_id='d')")
    assert ns.listener.recorder.outputs(first.parent)[0]["data"]["text/plain"] == "'new'"
    ran = await ns.ok("print('gone'); clear_output(); display(HTML('<b>x</b>'))")
    assert [data["text/html"] for data in ran.shown] == ["<b>x</b>"]
    assert ran.text == ""


async def test_magics_and_subprocesses(ns):
    assert "loops" in (await ns.ok("%timeit -n2 -r1 pass")).text
    assert (await ns.ok("%%bash\necho from bash")).text == "from bash\n"
    assert (await ns.ok("!echo from shell")).text.strip() == "from shell"
    assert await ns.value("x = !echo captured\nx[0]") == "'captured'"
    assert (await ns.ok("import os; os.system('echo from system');")).text == "from system\n"
    ran = await ns.ok("import os, sys\nprint('a')\nos.system('echo b; echo c >&2')\nprint('d')")
    assert sorted(ran.text.split()) == ["a", "b", "c", "d"]
    assert (await ns.ok("%who")).text.split() == ["os", "sys", "x"]
    assert "pip" in (await ns.ok("%pip --version")).text


async def test_await_at_top_level_and_background_tasks(ns):
    assert await ns.value("import asyncio\nawait asyncio.sleep(0.01)\n'awaited'") == "'awaited'"
    ran = await ns.ok(
        "async def tick():\n    for i in range(3):\n        await asyncio.sleep(0.05); print('tick', i)\n"
        "task = asyncio.create_task(tick())"
    )
    await ns.until(lambda: sum("tick 2" in str(m.content) for m in ns.listener.messages) == 1)
    ticks = [m for m in ns.listener.messages if "tick" in str(m.content)]
    assert {message.parent for message in ticks} == {ns.listener.messages[-1].parent}
    assert ran.reply.status == "ok"
    assert await ns.value("task.done()") == "True"


async def test_threads_print_into_the_cell_that_started_them(ns):
    ran = await ns.ok(
        "import threading\nt = threading.Thread(target=lambda: print('from thread')); t.start(); t.join()"
    )
    assert ran.text == "from thread\n"


async def test_pager_and_next_input_are_payloads(ns):
    ran = await ns.ok("len?")
    assert ran.reply.payload[0]["source"] == "page"
    assert "Return the number of items" in ran.reply.payload[0]["data"]["text/plain"]
    ran = await ns.ok("get_ipython().set_next_input('next')")
    assert ran.reply.payload == [{"source": "set_next_input", "text": "next", "replace": False}]
    assert (await ns.ok("1")).reply.payload == []


async def test_leaving_does_not_end_the_process(ns):
    pid = ns.process.pid
    assert (await ns.ok("exit()")).reply.payload[0]["source"] == "ask_exit"
    ran = await ns.run("import sys; sys.exit(3)")
    assert ran.reply.ename == "SystemExit"
    assert await ns.value("'still here'") == "'still here'"
    assert ns.process.pid == pid


async def test_user_expressions(ns):
    ran = await ns.ok("a = 20", user_expressions={"v": "a + 1", "bad": "nope"})
    assert ran.reply.user_expressions["v"]["data"]["text/plain"] == "21"
    assert ran.reply.user_expressions["bad"]["ename"] == "NameError"


async def test_asking_about_code(ns):
    ask = ns.process.ask
    await ns.ok("alpha_one = [1]\ndef helper(a, b=2):\n    'Helps.'")
    reply = await ask("complete", {"code": "x = alph", "cursor_pos": 8})
    assert reply["matches"] == ["alpha_one"]
    assert (reply["cursor_start"], reply["cursor_end"]) == (4, 8)
    reply = await ask("inspect", {"code": "helper(", "cursor_pos": 7, "detail_level": 0})
    assert reply["found"]
    assert "Helps." in reply["data"]["text/plain"]
    assert not (await ask("inspect", {"code": "nix", "cursor_pos": 2, "detail_level": 0}))["found"]
    assert (await ask("is_complete", {"code": "for i in x:"}))["status"] == "incomplete"
    assert (await ask("is_complete", {"code": "1"})) == {"status": "complete"}
    history = await ask("history", {"hist_access_type": "tail", "n": 5, "raw": True, "output": False})
    assert history["history"][-1][2].startswith("alpha_one")


async def test_the_person_is_asked(ns):
    ns.listener.typed = ["Ada", "secret"]
    ran = await ns.ok("import getpass\n(input('name? '), getpass.getpass('pw '))", allow_stdin=True)
    assert ran.result == "('Ada', 'secret')"
    assert ns.listener.prompts == [("name? ", False), ("pw ", True)]
    ran = await ns.run("input()")
    assert ran.reply.ename == "StdinNotImplementedError"


async def test_the_debugger_works_and_interrupts_work_after_it(ns):
    ns.listener.typed = ["p n + 1", "c"]
    ran = await ns.ok("def f(n):\n    breakpoint()\n    return n\nf(41)", allow_stdin=True)
    assert "42" in ran.text
    assert ran.result == "41"
    ran = await ns.run("while True: pass", interrupt=0.2)
    assert ran.reply.ename == "KeyboardInterrupt"


async def test_a_figure_and_a_table(ns):
    pytest.importorskip("matplotlib")
    pytest.importorskip("pandas")
    ran = await ns.ok("%matplotlib inline\nimport matplotlib.pyplot as plt\nplt.plot([1, 3, 2]);")
    assert "image/png" in ran.shown[-1]
    ran = await ns.ok("import pandas as pd\npd.DataFrame({'a': [1, 2]})")
    assert "<table" in ran.outputs[-1]["data"]["text/html"]


async def test_a_display_that_is_no_json_arrives_cleaned(ns):
    values = "{'n': float('nan'), 's': {1}, 'o': object}"
    code = f"from IPython.display import display\ndisplay({{'application/json': {values}}}, raw=True)"
    (data,) = (await ns.ok(code)).shown
    json.dumps(data, allow_nan=False)
    assert data["application/json"]["n"] is None


async def test_text_that_no_encoding_can_carry(ns):
    ran = await ns.ok("print('a\\ud800b \\x00 \\U0001F600')\n'x\\udfff'")
    assert ran.text == "a?b \x00 \U0001f600\n"
    ran.result.encode()


async def test_twenty_megabytes_at_once_and_in_pieces(ns):
    assert len((await ns.ok("print('é' * 20_000_000)")).text) == 20_000_001
    ran = await ns.ok("for i in range(20_000): print(i)")
    assert ran.text == "".join(f"{i}\n" for i in range(20_000))
    assert len(ran.messages) < 500, "small prints are joined"


async def test_what_is_printed_is_seen_before_the_cell_ends(ns):
    cell = asyncio.create_task(ns.ok("import time\nprint('first', end='')\ntime.sleep(1.5)\nprint('second')"))
    await ns.until(lambda: any("first" in str(m.content) for m in ns.listener.messages), 5)
    assert not cell.done()
    assert (await cell).text == "firstsecond\n"


async def test_deep_recursion_is_an_error(ns):
    ran = await ns.run("def f(n): return f(n + 1)\nf(0)")
    assert ran.reply.ename == "RecursionError"
    assert await ns.value("1") == "1"


async def test_the_shell_looks_like_ipykernels(ns):
    code = "s = get_ipython()\n(type(s).__name__, type(s).__module__, 'IPKernelApp' in s.config)"
    assert await ns.value(code) == "('ZMQInteractiveShell', 'ipykernel.zmqshell', True)"
    assert await ns.value("s.kernel.get_parent()['header']['msg_type']") == "'execute_request'"
    assert "%gui qt does not work" in (await ns.run("%gui qt")).text


async def test_pickles_and_main_work_as_in_a_notebook(ns):
    code = "import pickle\nclass A: pass\ntype(pickle.loads(pickle.dumps(A()))) is A, __name__"
    assert await ns.value(code) == "(True, '__main__')"


async def test_rlm_magic_asks_the_host(ns):
    assert (await ns.ok("%rlm --model x")).text == "asked: --model x\n"
    ran = await ns.run("1\n%%rlm\nquestion")
    assert ran.reply.status == "error"


async def test_names_come_back_after_reset(ns):
    await ns.ok("%reset -f")
    assert await ns.value("callable(llm_query), answer['ready']") == "(True, False)"


async def test_set_count_keeps_in_aligned(ns):
    await ns.ok("1")
    await ns.process.ask("set_count", {"count": 3, "code": "asked elsewhere"})
    ran = await ns.ok("In[2], len(In)")
    assert (ran.reply.execution_count, ran.result) == (3, "('asked elsewhere', 4)")


async def test_stat(ns):
    stat = await ns.process.ask("stat", {})
    assert stat["pid"] == ns.process.pid
    assert stat["threads"] == 1
    assert 10_000_000 < stat["pss"] <= stat["rss"] < 300_000_000
