"""Run All twice: what was answered once costs nothing, and the notebook is the same."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from rlm_kernel.engine.shown import lasting
from tests.conftest import stop_kernel
from tests.kernel.page import Page, cell, final
from tests.server import text_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import LiveKernel, Ran
    from tests.server import FakeEndpoint, Messages

Json = dict[str, Any]
NOTEBOOK = [
    ("load", "context = 'one two three\\n' * 50\nlimit = 3"),
    ("first", "%%rlm\nHow many lines?"),
    ("between", "import time\nstarted = time.time()\nnote = answer['content']"),
    ("second", "%%rlm\nWhat about the first line?"),
    ("after", "summary = [note, answer['content']]\nprint(len(summary))"),
]
STEPS = {
    "How many lines?": [
        cell("lines = context.splitlines()\nSHOW_VARS()", "I look."),
        cell("replies = llm_query_batched([f'Line {n}: {line}' for n, line in enumerate(lines[:20])])\nreplies[0]"),
        cell("def broken(x):\n    return x / 0\nbroken(1)"),
        cell("import warnings\nwarnings.warn('old')\nprint(object())"),
        final("50 lines."),
    ],
    "What about the first line?": [
        cell("same = [llm_query('Is it one?') for _ in range(2)]\nlen(lines), len(set(same))"),
        cell("rlm_query_batched(['Child?'] * 2, [context[:99]] * 2, model='root-model')"),
        final("It says one two three."),
    ],
    "Child?": [cell("llm_query('A leaf: ' + context)"), final("A child.")],
}


def root(messages: Messages) -> str:
    """Answer as the steps say; nothing but the conversation decides."""
    asked = max(at for at, each in enumerate(messages) if "<question>" in text_of(each))
    question = text_of(messages[asked]).partition("<question>\n")[2].partition("\n</question>")[0]
    turn = sum(each["role"] == "assistant" for each in messages[asked:])
    return STEPS[question][turn]


@pytest.fixture
def start(start_kernel: Callable[..., LiveKernel], endpoint: FakeEndpoint) -> Callable[[], LiveKernel]:
    endpoint.root(root)
    return lambda: start_kernel("rlm", env={**os.environ, **endpoint.environ})


def run_all(k: LiveKernel, notebook: list[tuple[str, str]], timeout: float = 60) -> list[Json]:
    """Run a notebook as Lab does; gives its cells as the page has them in the end, without ids and counts."""
    page = Page(k)
    cells = []
    for cell_id, source in notebook:
        seen = len(page.told)
        ran = page.finish(page.ask(source, cell_id), timeout)
        assert ran.status == "ok", ran.error
        cells.append({"source": source, "outputs": outputs(ran)})
        cells += model_cells(page, seen)
    page.close()
    return cells


def model_cells(page: Page, seen: int) -> list[Json]:
    told, sources = page.told[seen:], page.sources()
    found = []
    for data in told:
        if data["type"] == "insert":
            ran = page.kernel.of_parent(data["msg_id"]) if data["msg_id"] else []
            shown = [plain(m["content"]) for m in ran if m["msg_type"] in SHOWN]
            found.append({"source": sources[data["cell_id"]], "type": data["cell_type"], "outputs": shown})
    return found


SHOWN = ("stream", "display_data", "execute_result", "error")


def outputs(ran: Ran) -> list[Json]:
    return [plain(content) for content in ran.of(*SHOWN)]


def plain(content: Json) -> Json:
    """Leave out what says when and for how much: counts, the foot, addresses, temporary files."""
    text = content.get("data", {}).get("text/plain", "") or content.get("text", "") or content.get("evalue", "")
    return {"text": lasting(text.partition("\n\n")[0]), "name": content.get("name")}


def foots(k: LiveKernel) -> list[str]:
    answers = [m["content"] for m in k.iopub if m["content"].get("metadata", {}).get("rlm", {}).get("part") == "answer"]
    return [content["data"]["text/plain"].splitlines()[-1] for content in answers]


def test_the_second_time_nothing_is_asked(start: Callable[[], LiveKernel], endpoint: FakeEndpoint) -> None:
    k = start()
    first = run_all(k, NOTEBOOK)
    asked = len(endpoint.requests)
    assert asked == (5 + 20) + (3 + 2) + 2 * (2 + 1)
    assert run_all(k, NOTEBOOK) == first
    assert run_all(k, NOTEBOOK) == first
    assert len(endpoint.requests) == asked, endpoint.requests[asked].messages
    assert "5 turns · 25 calls · 25 from the memo · 0 in · 0 out · free" in foots(k)[-2]
    stop_kernel(k)
    k = start()
    assert run_all(k, NOTEBOOK) == first
    assert len(endpoint.requests) == asked, endpoint.requests[asked].messages
