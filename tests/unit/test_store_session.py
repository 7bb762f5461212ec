"""A session whose process is killed in the middle of a batch, and one after it that asks the same."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

from rlm_kernel.trace.store import Store
from rlm_kernel.trace.upkeep import damages
from tests.unit.inline import answer, cell

HERE = Path(__file__).parent
CALLS, AT_ONCE = 300, 16
ASK = f"""
import asyncio, os
from tests.unit.inline import InlineExecutor
from rlm_kernel.engine.recording import Recording
from rlm_kernel.engine.session import Session
from rlm_kernel.engine.settings import Settings
from rlm_kernel.models.registry import Registry
from rlm_kernel.trace.store import Store
from rlm_kernel.usage import Limits

async def main():
    store, models = Store.open(), Registry(os.environ)
    settings = Settings("root", "sub", Limits(cost_usd=None, concurrency={AT_ONCE}))
    talk = Session(InlineExecutor(), models, settings, [Recording(store, "a.ipynb")], memo=store)
    run = await talk.ask("How many?")
    print(run.outcome, run.reply, talk.tree.total(run.id).calls)
    await models.close()
    store.close()

asyncio.run(main())
"""


def ask(endpoint) -> subprocess.Popen[str]:
    environ = os.environ | endpoint.environ | {"PYTHONPATH": os.pathsep.join([str(HERE), str(HERE.parents[1])])}
    return subprocess.Popen([sys.executable, "-c", ASK], env=environ, stdout=subprocess.PIPE, text=True)


@pytest.mark.parametrize("part", [random.uniform(0.02, 0.95) for _ in range(4)], ids=range(4))
def test_a_session_after_a_kill_pays_only_what_was_in_flight(endpoint, own_store, part):
    endpoint.delay = 0.01
    batch = f"n = sum(r == 'yes' for r in llm_query_batched([f'part {{i}}' for i in range({CALLS})])); print(n)"
    endpoint.root([cell(batch), answer("all")] * 2)
    endpoint.sub("yes")
    process = ask(endpoint)
    deadline = time.monotonic() + 60
    while sum(each.done for each in endpoint.of("sub")) < CALLS * part:
        assert time.monotonic() < deadline
        time.sleep(0.002)
    process.kill()
    process.communicate()
    assert endpoint.wait_idle()
    before = len(endpoint.requests)
    with closing(Store.open()) as store:
        (run,) = store.unfinished("a.ipynb")
        # By the number of the call: a kill may come before the nodes themselves are in the store.
        numbers = [each.node_id.rpartition("/c")[2] for each in store.in_flight(run.id) if "/c" in each.node_id]
        listed = {f"part {int(number) - 1}" for number in numbers}
        assert len(listed) <= AT_ONCE

    out, _ = ask(endpoint).communicate(timeout=100)
    assert out.split()[:2] == ["answered", "all"]
    paid_again = [prompt for prompt, times in Counter(each.prompt for each in endpoint.of("sub")).items() if times > 1]
    assert set(paid_again) <= listed
    assert int(out.split()[2]) == len(endpoint.requests) - before

    before = len(endpoint.requests)
    out, _ = ask(endpoint).communicate(timeout=100)
    assert out.split() == ["answered", "all", "0"]
    assert len(endpoint.requests) == before
    assert damages(own_store) == []
