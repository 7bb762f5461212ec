"""The executor for terminal and headless use."""

from __future__ import annotations

import asyncio

import pytest

from rlm_kernel.engine.executor import CellRequest, Executor
from rlm_kernel.host.executor import ProcessExecutor
from rlm_kernel.ids import CellId, NodeId
from rlm_kernel.usage import Usage


@pytest.fixture
async def executor():
    executor = ProcessExecutor()
    await executor.start()
    yield executor
    await executor.close()


def cell(code):
    return CellRequest(NodeId("run-1/t1"), CellId("cell-1"), code)


async def answer_all(query):
    return [
        {"text": prompt[::-1], "error": None, "node_id": "n", "usage": Usage().to_dict()} for prompt in query["prompts"]
    ]


async def test_a_run_from_context_to_answer(executor):
    runner: Executor = executor
    await executor.run_person_cell("context = 'a long text'")
    info = await runner.describe()
    assert info["context"] is not None
    await runner.begin(answer_all)
    result = await runner.run_cell(cell("r = llm_query('abc')\nprint(r)\nlen(context)"))
    assert result.status == "ok"
    assert [output.get("text") or output["data"]["text/plain"] for output in result.outputs] == ["cba\n", "11"]
    assert result.answer == {"content": "", "ready": False}
    result = await runner.run_cell(cell("FINAL(r)"))
    assert result.answer == {"content": "cba", "ready": True}
    await runner.end()
    result = await executor.run_person_cell("answer['content'], llm_query('x').error")
    assert "needs a run" in str(result.outputs)
    await runner.begin(answer_all)
    assert (await runner.run_cell(cell("1"))).answer == {"content": "", "ready": False}


async def test_errors_interrupts_and_deaths_are_results(executor):
    assert (await executor.run_cell(cell("1/0"))).status == "error"
    asyncio.get_running_loop().call_later(0.5, executor.interrupt)
    assert (await executor.run_cell(cell("while True: pass"))).status == "stopped"
    result = await executor.run_cell(cell("print('a'); import os; os._exit(1)"))
    assert result.status == "died"
    assert [output["output_type"] for output in result.outputs] == ["stream", "error"]
    assert "as it was before this cell" in result.outputs[-1]["evalue"]
    executor.interrupt()
    assert (await executor.run_cell(cell("1"))).status == "ok"


async def test_there_is_nobody_to_ask(executor):
    result = await executor.run_cell(cell("input('?')"))
    assert result.outputs[-1]["ename"] == "StdinNotImplementedError"
    result = await executor.run_cell(cell("%rlm --model x"))
    assert "command line" in str(result.outputs)


async def test_outputs_are_passed_on_as_they_come():
    seen = []
    executor = ProcessExecutor(on_published=seen.append)
    await executor.start()
    try:
        await executor.run_cell(cell("print('a')\n2"))
    finally:
        await executor.close()
    assert [message.msg_type for message in seen] == ["stream", "execute_result"]
