"""A run whose process is killed again and again: the same answer in the end, and nothing is paid twice.

``RLM_KILLS=50`` for as many kills as the requirement says; fewer here, to be quick.
"""

from __future__ import annotations

import json
import os
import random
import re
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from contextlib import closing
from typing import TYPE_CHECKING

from rlm_kernel.trace.store import Store
from tests.server import text_of

if TYPE_CHECKING:
    from pathlib import Path

    from tests.server import FakeEndpoint, Messages

KILLS = int(os.environ.get("RLM_KILLS", "8"))
TURNS, CALLS, AT_ONCE = 10, 48, 8
NODES = 1 + (TURNS + 1) + TURNS * CALLS
SECONDS = 60


def root(messages: Messages) -> str:
    """Ten turns with a batch each, then the sum of what came back."""
    turn = sum(each["role"] == "assistant" for each in messages)
    if turn == TURNS:
        return "```python\nFINAL(f'{len(found)} replies, {sum(map(len, found))} characters')\n```"
    begin = "found = []\n" if turn == 0 else ""
    prompts = f"[f'Turn {turn}, piece {{n}}: {{context[n]}}' for n in range({CALLS})]"
    return f"Turn {turn}.\n\n```python\n{begin}found += llm_query_batched({prompts})\nprint(found[-1])\n```"


class Asking:
    """``rlm-kernel ask`` in a process of its own, with a document and the loopback server."""

    def __init__(self, endpoint: FakeEndpoint, folder: Path, store: Path) -> None:
        document = folder / "document.txt"
        document.write_text("All happy families are alike. " * 20)
        self.endpoint = endpoint
        self.environ = {**os.environ, **endpoint.environ, "RLM_STORE": str(store)}
        words = ["ask", "How many?", str(document), "--json", "--quiet", "--concurrency", str(AT_ONCE)]
        self.command = [sys.executable, "-m", "rlm_kernel", *words]

    def whole(self) -> str:
        done = subprocess.run(self.command, env=self.environ, capture_output=True, timeout=SECONDS, check=False)
        assert done.returncode == 0, done.stderr
        return str(json.loads(done.stdout)["answer"])

    def kill_at(self, answered: int, seconds: float) -> None:
        """Start it, and kill it a moment after so many requests have been answered in all."""
        process = subprocess.Popen(self.command, env=self.environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        ends = time.monotonic() + SECONDS
        while sum(each.done for each in self.endpoint.requests) < answered:
            assert process.poll() is None
            assert time.monotonic() < ends
            time.sleep(0.002)
        time.sleep(seconds)
        process.kill()
        process.wait()
        assert self.endpoint.wait_idle()


def committed(store: Path) -> dict[str, set[object]]:
    """Read what the store has acknowledged: replies, and nodes that were done."""
    if not store.exists():
        return {"memo": set(), "nodes": set()}
    with closing(sqlite3.connect(store)) as connection:
        return {
            "memo": {key for (key,) in connection.execute("SELECT key FROM memo")},
            "nodes": {key for (key,) in connection.execute("SELECT id FROM nodes WHERE status = 'done'")},
        }


def test_kills_at_random_points(endpoint: FakeEndpoint, tmp_path: Path) -> None:
    seed = random.randrange(1_000_000)
    chance = random.Random(seed)
    print(f"seed {seed}")
    endpoint.root(root)
    endpoint.delay, endpoint.chunk = 0.005, 1000
    expected = Asking(endpoint, tmp_path, tmp_path / "other.db").whole()
    endpoint.requests.clear()
    store = tmp_path / "runs.db"
    asking = Asking(endpoint, tmp_path, store)
    may_repeat: Counter[str] = Counter()
    had = committed(store)
    for point in sorted(chance.sample(range(NODES - 20), KILLS)):
        asking.kill_at(point, chance.random() * 0.02)
        now = committed(store)
        assert had["memo"] <= now["memo"]
        assert had["nodes"] <= now["nodes"]
        had = now
        opened = Store.open(store)
        assert opened is not None
        with closing(opened):
            dead = opened.unfinished("")
            under_way = opened.in_flight(dead[0].id) if dead else []
        assert len(under_way) <= AT_ONCE
        may_repeat.update({each.node_id.partition("/")[2] for each in under_way})
    assert asking.whole() == expected
    repeated = Counter(place(each.messages) for each in endpoint.requests if each.done)
    assert len(repeated) == NODES - 1, "each node but the run itself was one request"
    for name, times in repeated.items():
        assert times <= 1 + may_repeat[name], (name, times, may_repeat[name])
    assert asking.whole() == expected
    assert sum(each.done for each in endpoint.requests) == sum(repeated.values()), "the last time it costs nothing"


def place(messages: Messages) -> str:
    """Give where in the tree a request stands, as ids of nodes end."""
    if found := re.match(r"Turn (\d+), piece (\d+)", text_of(messages[-1])):
        return f"t{int(found.group(1)) + 1}/c{int(found.group(2)) + 1}"
    return f"t{1 + sum(each['role'] == 'assistant' for each in messages)}"
