"""A cell with a thousand calls, in a real namespace process, over real HTTP."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import pytest

from rlm_kernel.engine.session import Session
from rlm_kernel.engine.settings import Settings
from rlm_kernel.host.executor import ProcessExecutor
from rlm_kernel.models.memo import Memo
from rlm_kernel.models.registry import Registry
from rlm_kernel.usage import Limits

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

CODE = "rs = llm_query_batched([f'item {n}' for n in range(1000)])\nFINAL(str(sum(map(bool, rs))))"
BATCH = f"Next.\n\n```python\n{CODE}\n```"
LIMITS = Settings(limits=Limits(calls=None))


@pytest.fixture
async def executor() -> AsyncIterator[ProcessExecutor]:
    executor = ProcessExecutor()
    await executor.start()
    await executor.run_person_cell("context = 'the whale'")
    yield executor
    await executor.close()


async def test_an_interrupt_of_a_thousand_calls_is_quick_and_what_was_answered_is_reused(endpoint, executor):
    endpoint.root([BATCH, BATCH])
    endpoint.fault_of = lambda request: "hang" if request.role == "sub" and int(request.prompt[5:]) >= 200 else ""
    memo, models = Memo(), Registry(endpoint.environ)
    session = Session(executor, models, LIMITS, memo=memo)
    asking = asyncio.create_task(session.ask("How many?"))
    deadline = time.monotonic() + 30
    while sum(node.status == "done" for node in session.tree if node.kind == "call") < 200 or endpoint.in_flight < 64:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)
    started = time.monotonic()
    session.control.stop()
    assert (await asking).outcome == "stopped"
    assert time.monotonic() - started < 10
    assert await asyncio.to_thread(endpoint.wait_idle)
    assert sum(request.cancelled for request in endpoint.requests) == 64
    endpoint.fault_of = lambda _request: ""
    asked = len(endpoint.of("sub"))
    again = Session(executor, models, LIMITS, memo=memo)
    run = await again.ask("How many?")
    assert (run.outcome, run.reply) == ("answered", "1000")
    assert len(endpoint.of("sub")) - asked == 800
    await models.close()


async def test_all_at_once(endpoint, executor):
    endpoint.root(BATCH)
    endpoint.latency = 2.0
    models = Registry(endpoint.environ, concurrency=1000)
    session = Session(executor, models, Settings(limits=Limits(calls=None, concurrency=1000)))
    run = await session.ask("How many?")
    assert (run.outcome, run.reply) == ("answered", "1000")
    assert endpoint.peak_in_flight > 500
    assert session.tree.total(run.id).input_tokens == endpoint.usage["input_tokens"]
    assert session.tree.total(run.id).output_tokens == endpoint.usage["output_tokens"]
    await models.close()
