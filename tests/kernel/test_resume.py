"""Going on after a limit, a stop, a failure, a kill: nothing that was answered is paid again."""

from __future__ import annotations

import itertools
import os
import re
import signal
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from tests.conftest import stop_kernel
from tests.kernel.page import Page, cell, final
from tests.server import text_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.conftest import LiveKernel, Ran
    from tests.server import FakeEndpoint, Messages

Json = dict[str, Any]
LOAD = "context = 'one two three\\n' * 50"
BATCH = cell("replies = llm_query_batched([f'Line {n}' for n in range(40)])\nlen([r for r in replies if r])", "I ask.")
STEPS = [cell("lines = context.splitlines()\nlen(lines)", "I look."), BATCH, final("There are 50.")]


def steps(*replies: str) -> Callable[[Messages], str]:
    """Play a root model whose reply depends on the conversation only."""

    def root(messages: Messages) -> str:
        asked = max(at for at, each in enumerate(messages) if "<question>" in text_of(each))
        return replies[min(len(replies) - 1, sum(each["role"] == "assistant" for each in messages[asked:]))]

    return root


@pytest.fixture
def start(start_kernel: Callable[..., LiveKernel], endpoint: FakeEndpoint) -> Callable[[], LiveKernel]:
    endpoint.root(steps(*STEPS))
    environ = {**os.environ, **endpoint.environ, "JPY_SESSION_NAME": "/home/someone/paper.ipynb"}
    return lambda: start_kernel("rlm", env=environ)


def ask(page: Page, code: str, anchor: str = "q") -> Ran:
    return page.finish(page.ask(code, anchor), 60)


def answer(ran: Ran) -> str:
    return str(ran.of("display_data")[-1]["data"]["text/plain"])


def kill(k: LiveKernel) -> None:
    """End a kernel as the operating system does when memory is short."""
    os.kill(k.pid, signal.SIGKILL)
    k.manager.provisioner.process.wait()  # type: ignore[union-attr, attr-defined]
    stop_kernel(k)


def prompts(endpoint: FakeEndpoint, *, done: bool = True) -> Counter[str]:
    """Count what was asked of the sub-model."""
    return Counter(each.prompt for each in endpoint.of("sub") if each.done or not done)


def hold_after(endpoint: FakeEndpoint, finished: int) -> None:
    """Let so many calls of a batch be answered, and hold those after them, until `let_go`."""
    numbers = itertools.count(1)
    endpoint.fault_of = lambda request: "hang" if request.role == "sub" and next(numbers) > finished else ""


def let_go(endpoint: FakeEndpoint) -> None:
    """Answer every call from now on; those that were held have ended with who asked."""
    endpoint.fault_of = lambda _request: ""
    assert endpoint.wait_idle()


def kill_in_batch(start: Callable[[], LiveKernel], endpoint: FakeEndpoint, finished: int) -> str:
    """Ask, and kill the kernel once so many calls have been answered; gives the run's id."""
    k = start()
    page = Page(k)
    assert ask(page, LOAD, "load").status == "ok"
    hold_after(endpoint, finished)
    page.ask("%%rlm --concurrency 4\nHow many?", "q")
    page.wait_for(lambda: len(prompts(endpoint, done=False)) == finished + 4)
    run_id = page.run_id
    kill(k)
    let_go(endpoint)
    return run_id


def test_resume_after_a_kill(start: Callable[[], LiveKernel], endpoint: FakeEndpoint) -> None:
    dead = kill_in_batch(start, endpoint, 10)
    before = prompts(endpoint)
    page = Page(k := start())
    refused = ask(page, "%rlm resume", "r")
    assert refused.status == "error"
    assert "context is not loaded" in refused.error["evalue"]
    assert ask(page, LOAD, "load").status == "ok"
    ran = ask(page, "%rlm resume", "r")
    assert "Going on with: How many? (asked " in ran.text
    assert re.search(r"[1-4] calls? under way at that moment may be paid again:\n  (Line|turn 2, call) \d", ran.text)
    assert answer(ran).startswith("There are 50.")
    assert page.of("run_start")[-1]["superseded"] == [dead]
    assert len(endpoint.of("root")) == 3, "each turn was paid once"
    asked = prompts(endpoint)
    assert set(asked) == {f"Line {n}" for n in range(40)}
    twice = [prompt for prompt, times in asked.items() if times > 1]
    assert len(twice) <= 4
    assert all(times == 1 for prompt, times in before.items() if prompt not in twice)
    assert "from the memo" in answer(ran)
    assert "Nothing to resume" in ask(page, "%rlm resume", "r").text
    assert k.run("len(lines)").result == "50"


def test_the_same_cell_again_after_a_kill(start: Callable[[], LiveKernel], endpoint: FakeEndpoint) -> None:
    kill_in_batch(start, endpoint, 20)
    page = Page(start())
    ask(page, LOAD, "load")
    ran = ask(page, "%%rlm --concurrency 4\nHow many?", "q")
    assert "Going on with: How many?" in ran.text
    assert answer(ran).startswith("There are 50.")
    assert len(endpoint.of("root")) == 3
    assert sum(times > 1 for times in prompts(endpoint).values()) <= 4
    asked = len(endpoint.requests)
    again = ask(page, "%%rlm --concurrency 4\nHow many?", "q")
    assert "Going on" not in again.text
    assert len(endpoint.requests) == asked


def test_resume_wants_what_the_question_was_told(start: Callable[[], LiveKernel], endpoint: FakeEndpoint) -> None:
    page = Page(k := start())
    ask(page, LOAD, "load")
    ask(page, "helper = [1, 2]", "helper")
    endpoint.fault("hang", role="sub")
    page.ask("%%rlm\nHow many?", "q")
    page.wait_for(lambda: len(prompts(endpoint, done=False)) == 40)
    kill(k)
    page = Page(start())
    ask(page, "context = 'another'", "load")
    assert "not the one that was asked about" in ask(page, "%rlm resume", "r").error["evalue"]
    ask(page, LOAD, "load")
    refused = ask(page, "%rlm resume", "r")
    assert "Not here as it was then: helper." in refused.error["evalue"]
    ask(page, "helper = [1, 2]", "helper")
    assert answer(ask(page, "%rlm resume", "r")).startswith("There are 50.")
    assert len(endpoint.of("root")) == 3


def test_continue_after_a_limit(start: Callable[[], LiveKernel], endpoint: FakeEndpoint) -> None:
    page = Page(start())
    ask(page, LOAD, "load")
    ask(page, "%rlm --max-turns 2", "set")
    limited = ask(page, "%%rlm\nHow many?", "q")
    assert "The limit of 2 turns" in answer(limited)
    assert "The limit of 2 turns" in answer(ask(page, "%rlm continue", "c")), "the limit holds for all of it together"
    asked = len(endpoint.requests)
    ask(page, "%rlm --max-turns 5", "set")
    ran = ask(page, "%rlm continue", "c")
    assert ran.text == "Going on with: How many?\n"
    assert answer(ran).startswith("There are 50.")
    assert len(endpoint.requests) == asked + 1
    assert [run["anchor_cell_id"] for run in page.of("run_start")] == ["q", "c", "c"]
    assert "Nothing to continue" in ask(page, "%rlm continue", "c").text
    assert "3 turns · 43 calls" in answer(ran), "of all of it together"
    assert page.of("finish")[-1]["badge"].startswith("turn 3 · ")


def test_continue_with_options_after_a_stop_in_a_batch(start: Callable[[], LiveKernel], endpoint: FakeEndpoint) -> None:
    page = Page(k := start())
    ask(page, LOAD, "load")
    hold_after(endpoint, 4)
    msg_id = page.ask("%%rlm --concurrency 4\nHow many?", "q")
    page.wait_for(lambda: len(prompts(endpoint, done=False)) == 8)
    k.interrupt()
    assert "stopped" in page.finish(msg_id).error["evalue"]
    let_go(endpoint)
    ran = ask(page, "%rlm continue --concurrency 2", "c")
    assert answer(ran).startswith("There are 50.")
    assert len(endpoint.of("root")) == 3, "the cell that was cut short is run again, not asked for again"
    assert sum(times > 1 for times in prompts(endpoint).values()) <= 4, "only what was under way"
    assert k.run("len(replies)").result == "40"


def test_continue_after_a_failure_with_another_model(start: Callable[[], LiveKernel], endpoint: FakeEndpoint) -> None:
    page = Page(start())
    ask(page, LOAD, "load")
    endpoint.sub("Yes.")
    endpoint.root(steps(STEPS[0], STEPS[2]))
    ask(page, "%%rlm --max-turns 1\nHow many?", "q")
    endpoint.fault("404", times=1, role="root")
    failed = ask(page, "%rlm continue --max-turns 9", "c")
    assert failed.status == "error"
    ask(page, "%rlm --model root-two", "set")
    assert answer(ask(page, "%rlm continue", "c")).startswith("There are 50.")
    assert [each.model for each in endpoint.of("root")] == ["root-model", "root-model", "root-two"]


def test_continue_after_a_restart(start: Callable[[], LiveKernel], endpoint: FakeEndpoint) -> None:
    page = Page(k := start())
    ask(page, LOAD, "load")
    ask(page, "%%rlm --max-turns 2\nHow many?", "q")
    asked = len(endpoint.requests)
    stop_kernel(k)
    page = Page(start())
    ask(page, LOAD, "load")
    ask(page, "%rlm --max-turns 5", "set")
    ran = ask(page, "%rlm continue", "c")
    assert "without an answer" in ran.text
    assert answer(ran).startswith("There are 50.")
    assert len(endpoint.requests) == asked + 1


def test_a_cell_that_dies_costs_no_call_twice(start: Callable[[], LiveKernel], endpoint: FakeEndpoint) -> None:
    many = "llm_query_batched([f'Line {n}' for n in range(20)])"
    endpoint.root(steps(cell(f"{many}\nimport os\nos._exit(1)"), cell(f"len({many})"), final("20.")))
    page = Page(start())
    ask(page, LOAD, "load")
    ran = ask(page, "%%rlm\nHow many?", "q")
    assert answer(ran).startswith("20.")
    assert set(prompts(endpoint).values()) == {1}


def test_a_namespace_that_is_killed_in_a_batch(start: Callable[[], LiveKernel], endpoint: FakeEndpoint) -> None:
    endpoint.root(steps(STEPS[0], BATCH, BATCH + "\n", final("There are 50.")))
    page = Page(k := start())
    ask(page, LOAD, "load")
    pid = int(k.run("import os\nos.getpid()").result or 0)
    endpoint.delay = 0.02
    msg_id = page.ask("%%rlm --concurrency 4\nHow many?", "q")
    page.wait_for(lambda: sum(prompts(endpoint).values()) >= 10)
    os.kill(pid, signal.SIGKILL)
    ran = page.finish(msg_id, 60)
    assert answer(ran).startswith("There are 50.")
    assert set(prompts(endpoint).values()) == {1}


def test_fresh_asks_anew_and_the_new_replies_are_kept(start: Callable[[], LiveKernel], endpoint: FakeEndpoint) -> None:
    endpoint.root(steps(cell("llm_query('Is it?')"), final("A.")))
    page = Page(start())
    ask(page, LOAD, "load")
    endpoint.sub("First.")
    ask(page, "%%rlm\nHow many?", "q")
    endpoint.sub("Second.")
    ask(page, "%%rlm\nHow many?", "q")
    assert len(endpoint.requests) == 3
    ask(page, "%%rlm --fresh\nHow many?", "q")
    assert len(endpoint.requests) == 6
    ask(page, "%%rlm\nHow many?", "q")
    assert len(endpoint.requests) == 6
    assert "asked anew (--fresh)" in ask(page, "%rlm --fresh", "set").text
    ask(page, "%%rlm\nHow many?", "q")
    assert len(endpoint.requests) == 9
    assert "replies are used again" in ask(page, "%rlm --no-fresh", "set").text


def test_a_store_that_cannot_be_used_is_one_line(
    start_kernel: Callable[..., LiveKernel], endpoint: FakeEndpoint, tmp_path: Path
) -> None:
    endpoint.root(steps(*STEPS))
    (tmp_path / "broken.db").write_text("This is no store." * 1000)
    environ = {**os.environ, **endpoint.environ, "RLM_STORE": str(tmp_path / "broken.db")}
    page = Page(start_kernel("rlm", env=environ))
    ask(page, LOAD, "load")
    ran = ask(page, "%%rlm\nHow many?", "q")
    assert ran.status == "ok"
    assert len(ran.stream("stderr").splitlines()) == 1
    assert "broken.db" in ran.stream("stderr")
    assert "goes on without it" in ran.stream("stderr")
    asked = len(endpoint.requests)
    again = ask(page, "%%rlm\nHow many?", "q")
    assert again.stream("stderr") == ""
    assert len(endpoint.requests) == asked, "replies are kept in memory"


def test_a_kernel_that_is_not_asked_opens_no_store(start: Callable[[], LiveKernel], tmp_path: Path) -> None:
    k = start()
    assert "kept in" in k.run("%rlm").text
    assert k.run("1 + 1").result == "2"
    assert not (tmp_path / "store").exists()


def test_continue_and_resume_stand_alone(start: Callable[[], LiveKernel]) -> None:
    k = start()
    assert "only line" in k.run("x = 1\n%rlm continue").stream("stderr")
    assert "Nothing to continue" in k.run("%rlm continue").text
    assert "Nothing to resume" in k.run("%rlm resume").text
    assert "no option --colour" in k.run("%rlm continue --colour red").error["evalue"]
