"""A text that stays on disk, in a real namespace."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rlm_kernel.engine.session import Session
from rlm_kernel.engine.settings import Settings
from rlm_kernel.host.executor import ProcessExecutor
from rlm_kernel.host.pool import WarmPool
from rlm_kernel.models.registry import Registry
from rlm_kernel.models.scripted import ScriptedModel

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from rlm_kernel.engine.executor import CellResult

TEXT = "".join(f"Zeile {number}: naïve ships and „tar“ in number {number * 7919 % 1000}.\n" for number in range(9000))


@pytest.fixture
def big(tmp_path: Path) -> Path:
    path = tmp_path / "big.txt"
    path.write_text(TEXT, encoding="utf-8")
    return path


@pytest.fixture
async def executor(big: Path) -> AsyncIterator[ProcessExecutor]:
    executor = ProcessExecutor()
    await executor.start()
    loaded = await executor.run_person_cell(f"load({str(big)!r}, on_disk=True)")
    assert loaded.status == "ok", loaded
    yield executor
    await executor.close()


def shown(result: CellResult) -> str:
    return "".join(str(output.get("text") or output.get("evalue") or "") for output in result.outputs).strip()


async def test_the_model_is_told_how_to_use_it(executor: ProcessExecutor) -> None:
    context = (await executor.describe())["context"]

    assert context is not None
    assert (context["type"], context["chars"]) == ("Text (on disk)", len(TEXT))
    assert abs(context["lines"] - 9000) < 500
    assert "context.search(pattern)" in context["structure"]
    assert (context["head"], context["tail"]) == (TEXT[:300], TEXT[-300:])


async def test_re_on_all_of_it_fails_with_what_to_use(executor: ProcessExecutor) -> None:
    result = await executor.run_person_cell("import re\nre.findall('x', context)")

    assert result.status == "error"
    traceback = "\n".join(result.outputs[-1]["traceback"])
    assert "A text on disk is no str: context.search(pattern)" in traceback
    joined = await executor.run_person_cell("'See: ' + context")
    assert joined.outputs[-1]["traceback"][-1] == "A text on disk is no str; a slice of it is: context[a:b]."


async def test_cells_search_it_and_earlier_states_come_back(executor: ProcessExecutor) -> None:
    at = TEXT.index("Zeile 4711")
    found = await executor.run_person_cell("m = context.search(r'Zeile 4711: (\\w+)'); print(m.start(), m.group(1))")
    assert shown(found) == f"{at} naïve"
    await executor.run_person_cell("context = None")
    assert found.entry is not None
    assert await executor.restore(found.entry)

    again = await executor.run_person_cell(
        "print(context.at(context.find('Zeile 4711')), len(context.search_ranked('tar', 3)))"
    )
    assert shown(again) == "big.txt, line 4,712 3"


async def test_child_runs_map_the_same_file(big: Path) -> None:
    executor = ProcessExecutor()
    root = "I ask.\n\n```python\nFINAL(rlm_query('Which?', context=context))\n```"
    child = (
        "I look.\n\n```python\nFINAL(f\"{type(context).__name__} {context.name} {context.find('Zeile 4711')}\")\n```"
    )
    models = Registry(extra={"model": ScriptedModel([root, child], "")})
    session = Session(executor, models, Settings(model="model", sub_model="model"), pool=WarmPool(executor.process))
    await executor.start()
    try:
        await executor.run_person_cell(f"load({str(big)!r}, on_disk=True)")
        run = await session.ask("Which?")
    finally:
        await session.close()
        await executor.close()

    assert (run.outcome, run.reply) == ("answered", f"Text big.txt {TEXT.index('Zeile 4711')}")
