"""Questions and %rlm without a page: what any Jupyter client sees."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

import pytest

from tests.kernel.page import cell, final, script

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import LiveKernel

RUN_MIME = "application/vnd.rlm.run+json"


def calls(k: LiveKernel) -> int:
    """How many calls %rlm says were made in this notebook."""
    found = re.search(r"spent here +([\d,]+) call", k.run("%rlm").text)
    return int(found.group(1)) if found else 0


@pytest.fixture
def k(shared_kernel: LiveKernel) -> Iterator[LiveKernel]:
    """A kernel with a context and the settings of its start."""
    shared_kernel.run("context = 'And Cain rose up against Abel his brother.'")
    shared_kernel.run("%rlm --reset")
    yield shared_kernel
    shared_kernel.settle(0.05)


def test_no_context_is_one_clear_line_and_the_queue_stops(kernel: LiveKernel, tmp_path: Path) -> None:
    ran = kernel.run(f"%%rlm --model {script(tmp_path, final('x'))}\nWho?")
    assert ran.status == "error"
    assert "load(" in ran.error["evalue"]
    assert len(ran.error["traceback"]) == 1
    assert kernel.run("1").count == ran.count + 1


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("%%rlm", "no question"),
        ("%%rlm --colour red\nWho?", "--colour"),
        ("%%rlm --max-cost much\nWho?", "'much'"),
        ("%%rlm --model scripted:/no/such.json\nWho?", "/no/such.json"),
    ],
)
def test_what_cannot_be_asked_is_one_clear_line(k: LiveKernel, code: str, says: str) -> None:
    ran = k.run(code)
    assert ran.status == "error"
    assert says in ran.error["evalue"]
    assert "\n" not in ran.error["evalue"]


def test_the_answer_is_markdown_with_a_foot_and_stays_in_the_namespace(k: LiveKernel, tmp_path: Path) -> None:
    model = script(tmp_path, cell("n = context.count('Abel')\nprint(n)", "I count."), final("**Cain** did."))
    ran = k.run(f"\n%%rlm --model {model}\nWho killed Abel?")
    assert ran.status == "ok"
    shown = ran.of("update_display_data")[-1]
    assert shown["data"]["text/markdown"].startswith("**Cain** did.")
    assert "2 turns · 2 calls" in shown["data"]["text/plain"]
    assert shown["metadata"]["rlm"]["part"] == "answer"
    assert k.run("print(answer['content'], n)").text == "**Cain** did. 1\n"


def test_without_a_page_each_cell_is_shown_with_its_output_and_the_run_is_carried(
    k: LiveKernel, tmp_path: Path
) -> None:
    model = script(tmp_path, cell("print('one')\n6 * 7", "First I look."), final("Done."), chunk=3, repeat=True)
    for last in (False, False, True):  # a busy machine may need longer for once
        started = time.monotonic()
        ran = k.run(f"%%rlm --fresh --model {model}\nWho?")
        if time.monotonic() - started < 2:
            break
        assert not last, "nobody waits for a page that is not there"
    first = ran.of("display_data", "update_display_data")[0]
    assert "text/html" in first["data"], "first comes the live line, where the answer will be"
    line_id = first["transient"]["display_id"]
    assert ran.of("update_display_data")[-1]["transient"]["display_id"] == line_id
    shown = [content["data"].get("text/markdown", "") for content in ran.of("display_data")]
    assert "First I look." in shown
    assert "```python\nprint('one')\n6 * 7\n```" in shown
    assert ran.text == "one\n"
    payload = ran.of("display_data")[-1]["data"][RUN_MIME]
    prose, code, last = payload["cells"]
    assert (prose["cell_type"], prose["source"]) == ("markdown", "First I look.")
    assert code["source"] == "print('one')\n6 * 7"
    assert [output["output_type"] for output in code["outputs"]] == ["stream", "execute_result"]
    assert (code["execution_count"], last["execution_count"]) == (ran.count + 1, ran.count + 2)
    assert code["metadata"]["rlm"]["badge"].startswith("turn 1 · ")
    assert payload["outputs"][0]["data"]["text/markdown"].startswith("Done.")
    assert payload["execution_count"] == ran.count
    assert k.run("1").count == ran.count + 3


def test_clearing_its_output_a_cell_does_not_clear_the_answer(k: LiveKernel, tmp_path: Path) -> None:
    code = "from IPython.display import clear_output\nprint('gone')\nclear_output()\nprint('kept')"
    ran = k.run(f"%%rlm --model {script(tmp_path, cell(code), final('A.'))}\nWho?")
    assert ran.of("clear_output") == []
    first = ran.of("display_data")[-1]["data"][RUN_MIME]["cells"][0]
    assert [output["text"] for output in first["outputs"]] == ["kept\n"]


def test_an_error_in_a_cell_goes_on_and_is_in_the_cell(k: LiveKernel, tmp_path: Path) -> None:
    ran = k.run(f"%%rlm --model {script(tmp_path, cell('1 / 0'), final('A.'))}\nWho?")
    assert ran.status == "ok"
    first = ran.of("display_data")[-1]["data"][RUN_MIME]["cells"][0]
    assert first["outputs"][0]["ename"] == "ZeroDivisionError"


def test_a_cell_that_ends_the_process_loses_only_itself(k: LiveKernel, tmp_path: Path) -> None:
    model = script(tmp_path, cell("kept = 1"), cell("import os\nos._exit(3)"), final("A."))
    ran = k.run(f"%%rlm --model {model}\nWho?")
    assert ran.status == "ok"
    assert k.run("kept").result == "1"


def test_a_limit_ends_with_a_notice_and_what_there_is(k: LiveKernel, tmp_path: Path) -> None:
    model = script(tmp_path, cell("answer['content'] = 'Perhaps.'\nprint(1)"), final("Sure."))
    ran = k.run(f"%%rlm --model {model} --max-turns 1\nWho?")
    assert ran.status == "ok"
    text = ran.of("update_display_data")[-1]["data"]["text/plain"]
    assert "--max-turns" in text
    assert "Perhaps." in text


def test_a_model_that_fails_is_an_error_with_the_remedy_and_asking_again_works(k: LiveKernel, tmp_path: Path) -> None:
    ran = k.run(f"%%rlm --model {script(tmp_path)}\nWho?")
    assert ran.status == "error"
    assert ran.error["ename"] == "RunFailed"
    assert "%rlm --model" in ran.error["evalue"]
    assert k.run(f"%%rlm --model {script(tmp_path, final('Now.'))}\nWho?").status == "ok"


def test_a_failed_question_aborts_the_cells_behind_it(k: LiveKernel) -> None:
    first = k.send("%%rlm")
    second = k.send("print('never')")
    assert k.finish(first).status == "error"
    assert k.finish(second).status == "aborted"


@pytest.mark.parametrize("where", ["typing", "in a cell"])
def test_interrupt_stops_the_run_at_once_and_keeps_what_there_is(k: LiveKernel, tmp_path: Path, where: str) -> None:
    slow = script(tmp_path, cell("print('x' * 400)" * 9), chunk=4, delay=0.1)
    long = script(
        tmp_path, cell("answer['content'] = 'so far'"), cell("print('begun', flush=True)\nimport time\ntime.sleep(60)")
    )
    msg_id = k.send(f"%%rlm --model {slow if where == 'typing' else long}\nWho?")
    if where == "typing":
        k.wait_for(lambda: any(m["msg_type"] == "display_data" for m in k.of_parent(msg_id)))
    else:
        k.wait_for(lambda: any(m["content"].get("text") == "begun\n" for m in k.of_parent(msg_id)))
    time.sleep(0.3)
    started = time.monotonic()
    k.interrupt()
    ran = k.finish(msg_id)
    assert time.monotonic() - started < 10
    assert ran.status == "error"
    assert ran.error["ename"] == "RunStopped"
    if where == "in a cell":
        assert "so far" in ran.of("update_display_data")[-1]["data"]["text/plain"]
    assert k.run("1 + 1").result == "2"


def test_the_next_question_knows_the_first_and_the_spending_is_summed(kernel: LiveKernel, tmp_path: Path) -> None:
    k = kernel
    k.run("context = 'x'")
    assert "nothing yet" in k.run("%rlm").text
    k.run(f"%%rlm --model {script(tmp_path, final('First.'))}\nOne?")
    k.run(f"%%rlm --model {script(tmp_path, final('Second.'))}\nTwo?")
    assert "2 calls" in k.run("%rlm").text


def test_rlm_shows_and_sets_anywhere_in_a_cell(k: LiveKernel) -> None:
    assert "tutor (built in" in k.run("%rlm").text
    ran = k.run("x = 5\n%rlm --max-cost 2.5 --model other\nprint(x)")
    assert "other (set with --model)" in ran.text
    assert "$2.50" in ran.text
    assert ran.text.endswith("5\n")
    assert "other" in k.run("%rlm").text
    assert "tutor" in k.run("%rlm --reset").text


@pytest.mark.parametrize("line", ["--colour red", "--max-turns none", "dance", "stop", "--model scripted:/no.json"])
def test_rlm_refuses_in_one_clear_line_and_changes_nothing(k: LiveKernel, line: str) -> None:
    before = k.run("%rlm").text
    ran = k.run(f"%rlm {line}")
    assert ran.status == "error"
    assert len((ran.stream("stderr") + ran.error.get("evalue", "")).strip().splitlines()) == 1
    assert k.run("%rlm").text == before


@pytest.mark.parametrize("code", ["%rlm?", "%%rlm?", "?%rlm"])
def test_help(k: LiveKernel, code: str) -> None:
    payload = k.run(code).reply["content"]["payload"]
    assert "--max-cost" in payload[0]["data"]["text/plain"]


def test_completion_and_inspection(k: LiveKernel) -> None:
    reply = k.ask("complete_request", {"code": "%%rlm --app", "cursor_pos": 11})
    assert reply["matches"] == ["--approve"]
    assert (reply["cursor_start"], reply["cursor_end"]) == (6, 11)
    reply = k.ask("complete_request", {"code": "%rlm --approve ", "cursor_pos": 15})
    assert reply["matches"] == ["auto", "risky", "each"]
    reply = k.ask("inspect_request", {"code": "%rlm --approve", "cursor_pos": 3, "detail_level": 0})
    assert "--max-cost" in reply["data"]["text/plain"]
    k.run("abcdef = 1")
    assert "abcdef" in k.ask("complete_request", {"code": "abcd", "cursor_pos": 4})["matches"]


def test_the_panel_is_shown_in_the_cell_where_there_is_no_page(k: LiveKernel) -> None:
    view = k.run("%rlm panel").of("display_data")[-1]["data"]["application/vnd.jupyter.widget-view+json"]
    comms = k.ask("comm_info_request", {"target_name": "jupyter.widget"})["comms"]
    assert view["model_id"] in comms


def test_a_cell_of_the_model_cannot_change_the_settings(k: LiveKernel, tmp_path: Path) -> None:
    ran = k.run(f"%%rlm --model {script(tmp_path, cell('%rlm --max-cost 100'), final('A.'))}\nWho?")
    first = ran.of("display_data")[-1]["data"][RUN_MIME]["cells"][0]
    assert "settings are the person's" in str(first["outputs"])
    assert "$1.00" in k.run("%rlm").text


def test_llm_query_in_a_persons_cell_is_a_run_of_its_own(k: LiveKernel, tmp_path: Path) -> None:
    before = calls(k)
    k.run(f"%rlm --sub-model {script(tmp_path, sub='Yes.')}")
    ran = k.run("print(llm_query('Is it?'))")
    assert ran.text == "Yes.\n"
    assert calls(k) == before + 1


def test_llm_query_in_the_models_cell_counts_for_the_run(k: LiveKernel, tmp_path: Path) -> None:
    model = script(tmp_path, cell("replies = llm_query_batched(['a', 'b'])\nprint(replies)"), final("A."), sub="Sub.")
    ran = k.run(f"%%rlm --model {model}\nWho?")
    assert "2 turns · 4 calls" in ran.of("update_display_data")[-1]["data"]["text/plain"]


def shown_as(k: LiveKernel, msg_id: str, *parts: str) -> bool:
    """Tell whether the live line has said all this at once."""
    lines = [str(m["content"].get("data", "")) for m in k.of_parent(msg_id)]
    return any(all(part in line for part in parts) for line in lines)


def test_cell_by_cell_without_a_page(k: LiveKernel, tmp_path: Path) -> None:
    model = script(tmp_path, cell("y = 1"), final("A."))
    msg_id = k.send(f"%%rlm --approve each --model {model}\nWho?", allow_stdin=True)

    def waits_in(turn: int) -> bool:
        lines = [str(m["content"].get("data", "")) for m in k.of_parent(msg_id)]
        return any(f"Paused · turn {turn} " in line and "your decision on a cell" in line for line in lines)

    k.wait_for(lambda: waits_in(1))
    assert k.run("'y' in globals()").result == "False", "while it waits the person's cells run"
    assert "waits for your decision" in k.run("%rlm step").error["evalue"]
    assert k.run("%rlm approve").text == "Approved.\n"
    k.wait_for(lambda: waits_in(2))
    assert k.run("y").result == "1"
    assert k.run("%rlm approve").text == "Approved.\n"
    assert k.finish(msg_id).status == "ok"


def test_the_tutor_answers_without_a_key(k: LiveKernel) -> None:
    ran = k.run('%%rlm\nHow many times does "Abel" occur?', timeout=60)
    assert ran.status == "ok"
    assert "1" in ran.of("update_display_data")[-1]["data"]["text/plain"]
