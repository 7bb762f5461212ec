"""What a cell can do, at the level of messages."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.conftest import LiveKernel


@pytest.fixture
def k(shared_kernel: LiveKernel) -> LiveKernel:
    return shared_kernel


def test_streams_result_and_order_of_messages(k: LiveKernel) -> None:
    ran = k.run("import sys\nprint('out')\nprint('err', file=sys.stderr)\n6 * 7")
    assert (ran.text, ran.stream("stderr"), ran.result) == ("out\n", "err\n", "42")
    assert ran.types == ["busy", "execute_input", "stream", "execute_result", "idle"]
    assert ran.status == "ok"


def test_error_is_published_and_replied(k: LiveKernel) -> None:
    ran = k.run("1 / 0")
    assert ran.types == ["busy", "execute_input", "error", "idle"]
    content = ran.reply["content"]
    assert (content["status"], content["ename"]) == ("error", "ZeroDivisionError")
    assert content["traceback"] == ran.error["traceback"]
    assert "1 / 0" in re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(content["traceback"]))


def test_history_variables(k: LiveKernel) -> None:
    first = k.run("'a' + 'b'")
    ran = k.run(f"print(_, In[{first.count}], Out[{first.count}], _i)")
    assert ran.text == "ab 'a' + 'b' ab 'a' + 'b'\n"
    assert ran.count == first.count + 1
    assert ran.of("execute_input")[0]["execution_count"] == ran.count


def test_silent_cells_are_not_counted(k: LiveKernel) -> None:
    before = k.run("0").count
    silent = k.run("quiet = 1", silent=True)
    assert "execute_input" not in silent.types
    unstored = k.run("quiet + 1", store_history=False)
    assert unstored.result == "2"
    assert k.run("0").count == before + 1


def test_display_update_and_clear(k: LiveKernel) -> None:
    ran = k.run(
        "from IPython.display import display, clear_output, HTML\n"
        "h = display(HTML('<b>1</b>'), display_id=True)\nh.update(HTML('<b>2</b>'))\nclear_output(wait=True)"
    )
    assert ran.types == ["busy", "execute_input", "display_data", "update_display_data", "clear_output", "idle"]
    shown, updated = ran.of("display_data", "update_display_data")
    assert shown["transient"]["display_id"] == updated["transient"]["display_id"]
    assert ran.of("clear_output") == [{"wait": True}]


def test_magics(k: LiveKernel) -> None:
    assert "loop" in k.run("%timeit -n 2 -r 1 pass").text
    assert k.run("%%bash\necho from bash\necho oops >&2").text == "from bash\n"
    assert k.run("!echo from shell").text.strip() == "from shell"
    assert "from system" in k.run("import os; os.system('echo from system')").text
    assert re.search(r"pip \d+", k.run("%pip --version", timeout=60).text)
    assert "UsageError" in k.run("%no_such_magic").stream("stderr")


def test_top_level_await_and_background_tasks(k: LiveKernel) -> None:
    ran = k.run(
        "import asyncio\nasync def later():\n    await asyncio.sleep(0.2)\n    print('later')\n"
        "task = asyncio.create_task(later())\nawait asyncio.sleep(0.01)\nprint('now')"
    )
    assert ran.text == "now\n"
    parent = ran.reply["parent_header"]["msg_id"]
    k.wait_for(lambda: "later" in str([m["content"] for m in k.of_parent(parent)]), 5)


def test_pager_next_input_and_exit_are_payloads(k: LiveKernel) -> None:
    assert [p["source"] for p in k.run("len?").reply["content"]["payload"]] == ["page"]
    payload = k.run("get_ipython().set_next_input('x = 1')").reply["content"]["payload"]
    assert [(p["source"], p["text"]) for p in payload] == [("set_next_input", "x = 1")]
    assert k.run("1").reply["content"]["payload"] == []


def test_user_expressions(k: LiveKernel) -> None:
    values = k.run("u = 20", user_expressions={"a": "u + 1", "b": "1/0"}).reply["content"]["user_expressions"]
    assert values["a"]["data"]["text/plain"] == "21"
    assert values["b"]["ename"] == "ZeroDivisionError"


def test_complete_inspect_is_complete_history(k: LiveKernel) -> None:
    k.run("import collections\nsome_long_name = collections.OrderedDict()")
    reply = k.ask("complete_request", {"code": "some_long_na", "cursor_pos": 12})
    assert reply["matches"] == ["some_long_name"]
    assert (reply["cursor_start"], reply["cursor_end"]) == (0, 12)
    reply = k.ask("complete_request", {"code": "some_long_name.pop", "cursor_pos": 18})
    assert any(match.endswith("popitem") for match in reply["matches"])
    reply = k.ask("inspect_request", {"code": "collections.OrderedDict", "cursor_pos": 23, "detail_level": 0})
    assert reply["found"]
    assert "dictionary" in reply["data"]["text/plain"].lower()
    assert k.ask("is_complete_request", {"code": "for i in x:"})["status"] == "incomplete"
    k.run("'remember me'")
    reply = k.ask("history_request", {"hist_access_type": "tail", "n": 1, "output": False, "raw": True})
    assert reply["history"][-1][2] == "'remember me'"


def test_input_getpass_and_pdb(k: LiveKernel) -> None:
    assert k.run("print('hello ' + input('name? '))", answers=["Ada"]).text == "hello Ada\n"
    assert k.run("import getpass; print(len(getpass.getpass()))", answers=["secret"]).text == "6\n"
    ran = k.run("import pdb\ndef f():\n    x = 41\n    pdb.set_trace()\n    return x\nf()", answers=["p x + 1", "c"])
    assert "42" in ran.text
    assert ran.result == "41"


def test_input_where_nobody_can_be_asked(k: LiveKernel) -> None:
    assert k.run("input()").error["ename"] == "StdinNotImplementedError"


def test_matplotlib_and_pandas(k: LiveKernel) -> None:
    pytest.importorskip("matplotlib")
    pytest.importorskip("pandas")
    ran = k.run("import matplotlib.pyplot as plt\nplt.plot([1, 3, 2]);", timeout=90)
    assert "image/png" in ran.of("display_data")[0]["data"], ran.stream("stderr")
    ran = k.run("import pandas as pd\npd.DataFrame({'a': [1, 2]})", timeout=90)
    assert "<table" in ran.of("execute_result")[0]["data"]["text/html"]


def test_queued_cells_run_in_order_and_are_aborted_after_an_error(k: LiveKernel) -> None:
    ids = [k.send(f"import time; time.sleep(0.02); print({i})") for i in range(10)]
    assert [k.finish(i).text for i in ids] == [f"{i}\n" for i in range(10)]
    ids = [k.send(code) for code in ("import time; time.sleep(0.2)", "1/0", "print('never')", "print('never')")]
    runs = [k.finish(i) for i in ids]
    assert [ran.status for ran in runs] == ["ok", "error", "aborted", "aborted"]
    assert [ran.types for ran in runs[2:]] == [["busy", "idle"]] * 2
    assert k.run("print('after')").text == "after\n"
    ids = [k.send("1/0", stop_on_error=False), k.send("print('goes on')")]
    assert k.finish(ids[0]).status == "error"
    assert k.finish(ids[1]).text == "goes on\n"


def test_many_prints_arrive_complete_and_in_order(k: LiveKernel) -> None:
    started = time.monotonic()
    ran = k.run("for i in range(20_000): print(i)", timeout=60)
    assert ran.text == "".join(f"{i}\n" for i in range(20_000))
    assert len(ran.of("stream")) < 5_000
    assert time.monotonic() - started < 60


def test_large_output(k: LiveKernel) -> None:
    assert len(k.run("print('x' * 20_000_000)", timeout=60).text) == 20_000_001


def test_kernel_info_announces_what_is_there(k: LiveKernel) -> None:
    info = k.ask("kernel_info_request", {})
    assert info["implementation"] == "rlm-kernel"
    assert info["supported_features"] == []
    assert info["language_info"]["name"] == "python"


def test_an_unknown_or_broken_message_harms_nothing(k: LiveKernel) -> None:
    k.send_message("no_such_request", {})
    k.finish(k.send_message("complete_request", {"nothing": "useful"}))
    assert k.run("print('alive')").text == "alive\n"
