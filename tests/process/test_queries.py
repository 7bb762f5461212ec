"""llm_query and the answer, as cells use them."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.process.conftest import Driver


async def test_a_reply_is_a_text_that_knows_its_usage(ns):
    code = "r = llm_query('hello')\n(r, r.upper(), r.usage.input_tokens, r.usage.cost_usd, r.node_id, r.error, bool(r))"
    assert await ns.value(code) == "('re: hello', 'RE: HELLO', 5, None, 'run-1/t1/c1', None, True)"
    ((query, parent),) = ns.listener.queries
    assert query == {"prompts": ["hello"], "model": None, "batched": False, "line": 1}
    assert parent == ns.listener.messages[-1].parent


async def test_batches_keep_their_order_and_failures_are_false(ns):
    await ns.ok("rs = llm_query_batched(['a', 'bad', 'c'], model='m')")
    assert await ns.value("[bool(r) for r in rs], rs[1].error") == "([True, False, True], 'refused')"
    assert await ns.value("str(rs[0]), str(rs[1])") == "('re: a', '[llm_query failed: refused]')"
    assert await ns.value("rs[1]") == "<FailedReply: refused>"
    assert ns.listener.queries[0][0]["batched"]
    assert ns.listener.queries[0][0]["model"] == "m"
    assert await ns.value("llm_query_batched([]), llm_batch is not None") == "([], True)"
    assert await ns.value("import pickle; pickle.loads(pickle.dumps(rs[1])).error") == "'refused'"


async def test_wrong_prompts_are_type_errors_that_say_what_to_do(ns):
    assert "llm_query_batched(prompts)" in (await ns.run("llm_query(['a'])")).reply.evalue
    assert "list of texts" in (await ns.run("llm_query_batched('a')")).reply.evalue
    assert (await ns.run("llm_query(None)")).reply.ename == "TypeError"
    assert ns.listener.queries == []


async def test_the_line_of_the_cell_is_told(ns):
    await ns.ok("def ask(x):\n    return llm_query(x)\n\nprint(\n    ask('a'))")
    assert ns.listener.queries[0][0]["line"] == 5


async def test_an_engine_that_refuses_gives_failed_replies(ns):
    async def refuse(query, parent):
        from rlm_kernel.errors import LimitExceeded

        raise LimitExceeded("calls", 3, 2)

    ns.listener.query = refuse
    assert "limit of 2 model calls" in await ns.value("[r.error for r in llm_query_batched(['a', 'b'])][1]")


async def test_many_threads_may_ask_at_once(ns):
    ns.listener.seconds = 0.3
    ran = await ns.ok(
        "from concurrent.futures import ThreadPoolExecutor\n"
        "with ThreadPoolExecutor(20) as pool:\n    rs = list(pool.map(llm_query, [f'{i}' for i in range(60)]))\n"
        "rs == [f're: {i}' for i in range(60)]"
    )
    assert ran.result == "True"
    assert ran.seconds < 10
    ran = await ns.ok("import asyncio\nawait asyncio.gather(*(asyncio.to_thread(llm_query, f'{i}') for i in range(8)))")
    assert ran.result.count("re:") == 8
    await ns.ok("1")
    assert ns.process.checkpoint_refusal is None, "idle threads of asyncio.to_thread are ended"


async def test_an_interrupt_cancels_the_queries_of_all_threads(ns):
    ns.listener.seconds = 30
    code = (
        "from concurrent.futures import ThreadPoolExecutor\n"
        "with ThreadPoolExecutor(8) as pool:\n    list(pool.map(llm_query, 'abcdefgh'))"
    )
    ran = await ns.run(code, interrupt=0.7)
    assert ran.reply.status == "error"
    assert ran.reply.interrupted
    assert ran.seconds < 15
    assert (ns.listener.active, ns.listener.cancelled) == (0, 8)
    ns.listener.seconds = 0
    assert await ns.value("llm_query('again')") == "'re: again'"


async def test_a_dead_process_cancels_its_queries(ns):
    ns.listener.seconds = 30
    thread = "import threading, os, time\nthreading.Thread(target=llm_query, args=('x',)).start()\n"
    ran = await ns.run(thread + "time.sleep(.3)\nos._exit(1)")
    assert ran.reply.status == "died"
    await ns.until(lambda: ns.listener.active == 0)
    assert ns.listener.cancelled == 1


async def test_the_answer_can_be_given_in_any_way(ns):
    async def answer(code):
        await ns.process.ask("begin_run", {})
        state = (await ns.ok(code)).reply.answer
        return state["content"], state["ready"]

    assert await answer("1") == ("", False)
    assert await answer("answer['content'] = 'x'") == ("x", False)
    assert await answer("answer['ready'] = True; answer['content'] = 'x'") == ("x", True)
    assert await answer("answer.update(content='x', ready=True)") == ("x", True)
    assert await answer("answer |= {'ready': True, 'content': 'x'}") == ("x", True)
    assert await answer("answer = {'content': 'x', 'ready': True}") == ("x", True)
    assert await answer("FINAL('done')") == ("done", True)
    assert await answer("x = {'a': 1}; FINAL_VAR('x')") == ('{\n  "a": 1\n}', True)
    assert await answer("FINAL_VAR(12)") == ("12", True)
    assert await answer("SUBMIT(answer='y')") == ("y", True)
    assert await answer("SUBMIT('z')") == ("z", True)
    assert await answer("FINAL(3); answer = 'overwritten'") == ("3", True)
    assert await answer("answer = 'only text'") == ("only text", False)
    assert await answer("FINAL('[not json]')") == ("[not json]", True)
    assert (await ns.run("FINAL_VAR('nothing')")).reply.ename == "NameError"


async def test_what_is_in_the_namespace_is_described(ns):
    assert await ns.process.ask("describe", {}) == {"context": None, "names": []}
    await ns.ok("context = 'one\\ntwo'\nxs = [1, 2]\nimport os\ndef f(): pass")
    info = await ns.process.ask("describe", {})
    assert info["context"]["chars"] == 7
    assert info["names"] == [
        {"name": "xs", "type": "list of int", "size": "2 items", "cell": None},
        {"name": "f", "type": "function", "size": "", "cell": None},
    ]
    shown = (await ns.ok("SHOW_VARS()")).result
    assert shown.splitlines()[0].split() == ["context", "str", "7", "characters"]


async def test_load_sets_the_context_or_says_why_not(ns, tmp_path):
    (tmp_path / "a.txt").write_text("some text\n")
    assert (await ns.run("context")).reply.ename == "NameError"
    await ns.ok(f"d = load({str(tmp_path / 'a.txt')!r})\ne = load({str(tmp_path / 'a.txt')!r}, name=None)")
    assert await ns.value("context is d, context is e, str(context)") == "(True, False, 'some text\\n')"
    ran = await ns.run("load('/nowhere/x.txt')")
    assert ran.reply.ename == "ContextError"
    assert "/nowhere/x.txt" in ran.reply.evalue
    assert len(ran.reply.traceback) == 1, "one line for a mistake of the person, no traceback of ours"


def _environ(pid):
    return Path(f"/proc/{pid}/environ").read_bytes()


async def test_keys_are_not_in_the_process_that_runs_cells(monkeypatch):
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "MY_API_KEY", "REPLICATE_API_TOKEN", "ANTHROPIC_AUTH_TOKEN"):
        monkeypatch.setenv(name, "secret-value-1")
    monkeypatch.setenv("HARMLESS", "kept")
    driver = Driver()
    await driver.process.start()
    try:
        code = "import os\n('secret-value-1' in os.environ.values(), os.environ['HARMLESS'])"
        assert await driver.value(code) == "(False, 'kept')"
        if sys.platform == "linux":
            assert b"secret-value-1" not in _environ(driver.process.pid)
    finally:
        await driver.process.close()


async def test_forks_of_a_cell_cannot_disturb_the_connection(ns):
    ran = await ns.ok(
        "import os\npid = os.fork()\nif pid == 0:\n    print('from the child')\n    os._exit(0)\nos.waitpid(pid, 0)[1]"
    )
    assert ran.result == "0"
    assert "from the child" in ran.text
    ran = await ns.ok(
        "from multiprocessing import get_context\nwith get_context('fork').Pool(2) as p: r = p.map(abs, [-1, -2])\nr"
    )
    assert ran.result == "[1, 2]"
    assert await ns.value("pid = os.fork()\n1") == "1"
    assert await ns.value("2") == "2"


def test_starting_is_light():
    code = (
        "import sys, rlm_kernel.namespace.main\n"
        "heavy = {'pandas', 'numpy', 'matplotlib', 'ipywidgets', 'pypdfium2', 'openai', 'rich', 'jedi.api.classes'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"


async def test_a_process_that_cannot_start_says_why(monkeypatch, tmp_path):
    from rlm_kernel.errors import NamespaceDied

    (tmp_path / "sitecustomize.py").write_text("import os; os.write(2, b'no luck today'); os._exit(7)")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    driver = Driver()
    with pytest.raises(NamespaceDied, match="no luck today"):
        await driver.process.start()
    await driver.process.close()


async def test_a_file_that_shadows_the_standard_library_does_not_break_the_start(monkeypatch, tmp_path):
    (tmp_path / "random.py").write_text("raise RuntimeError('shadowed')")
    (tmp_path / "mine.py").write_text("x = 5")
    monkeypatch.chdir(tmp_path)
    driver = Driver()
    await driver.process.start()
    try:
        assert await driver.value("import mine; mine.x") == "5"
    finally:
        await driver.process.close()


async def test_messages_that_are_not_ours_are_ignored(ns):
    code = (
        "k = get_ipython().kernel\n"
        "k.send_response(None, 'shutdown_reply', {})\n"
        "k.send_response(None, 'stream', {'name': 'nonsense', 'text': 'x'})\n"
        "k.send_response(None, 'comm_msg', {'comm_id': 3})\n"
        "k.send_response(None, 'stream', {'name': 'stdout', 'text': 'fine'})\n"
        "k.session.send(None, 'stream', {'name': 'stdout', 'text': 'forged'}, parent={'msg_id': 'someone-else'})"
    )
    ran = await ns.ok(code)
    assert ran.text == "fine"
    assert [message.msg_type for message in ran.messages] == ["stream", "stream"]
    assert ran.messages[-1].parent is None
    await asyncio.sleep(0)


async def test_names_say_which_cell_bound_them_last(ns):
    await ns.ok("a = [1]; b = [2]", cell_id="one")
    await ns.ok("a = a + [3]; c = 0.123456789; d = 0.5", cell_id="two")
    info = await ns.process.ask("describe", {})
    found = {each["name"]: (each["cell"], each["size"]) for each in info["names"]}
    expected = {"a": ("two", "2 items"), "b": ("one", "1 items"), "c": ("two", ""), "d": ("two", "0.5")}
    assert found == expected, "a measured number is not told: it would be another one each time"


async def test_names_a_run_is_not_told_of_are_hidden_from_it_until_they_are_bound_anew(ns):
    await ns.ok("mine = 1; left = [2]; over = [3]")
    await ns.process.ask("begin_run", {"told": ["mine"]})
    assert "left" not in (await ns.ok("SHOW_VARS()")).result
    shown = (await ns.ok("over = [4]\nSHOW_VARS()")).result
    assert [line.split()[0] for line in shown.splitlines()] == ["mine", "over"]
    await ns.process.ask("end_run", {})
    assert "left" in (await ns.ok("SHOW_VARS()")).result


async def test_a_run_that_goes_on_keeps_the_answer(ns):
    await ns.process.ask("begin_run", {})
    await ns.ok("answer['content'] = 'so far'")
    await ns.process.ask("begin_run", {"goes_on": True})
    assert await ns.value("answer['content']") == "'so far'"
    await ns.process.ask("begin_run", {})
    assert await ns.value("answer['content']") == "''"
