"""The store beside SQLite alone: 10,000 nodes of 4 KB in, a tree out, the memo, what a call pays for being kept.

python benchmarks/store.py [--nodes 10000] [--chars 4000] [--rounds 3]
"""

from __future__ import annotations

import argparse
import random
import sqlite3
import statistics
import tempfile
import time
from collections import defaultdict
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from rlm_kernel.ids import NodeId, child_id, new_run_id
from rlm_kernel.messages import Message, ModelReply, ModelRequest
from rlm_kernel.trace.records import Node
from rlm_kernel.trace.store import Store
from rlm_kernel.usage import Usage

if TYPE_CHECKING:
    from collections.abc import Callable

CALLS = 500
AIMS = {"nodes stored (s)": 2.0, "skeleton (ms)": 100.0, "skeleton (MB)": 1.0, "a call kept (ms)": 1.0}
USAGE = Usage(1_200, 0, 30, 1, 0.00123, 1.25)


def make_nodes(number: int, chars: int) -> list[Node]:
    """A question whose turns have 500 calls each, with prompts of words that compress as English does."""
    pick = random.Random(1)
    words = ["".join(pick.choices("etaoinshrdlu", k=pick.randint(2, 9))) for _ in range(5_000)]
    run_id = new_run_id()
    run = turn = Node(NodeId(run_id), run_id, None, "run", "What does it say?", prompt="What?", started=time.time())
    nodes = [run]
    for place in range(number - 1):
        parent, kind = (run, "turn") if place % CALLS == 0 else (turn, "call")
        prompt = " ".join(pick.choices(words, k=chars // 6))[:chars]
        node = Node(child_id(parent.id, kind, place), run_id, parent.id, kind, prompt[:60], "done", model="gpt-5-mini")
        node.usage, node.started, node.prompt, node.reply = USAGE, time.time(), prompt, prompt[:200]
        turn = node if kind == "turn" else turn
        nodes.append(node)
    return nodes


def timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def plain(folder: Path, nodes: list[Node]) -> float:
    """Seconds for the same texts in one table of SQLite, in one commit, as they are."""
    with closing(sqlite3.connect(folder / "plain.sqlite3")) as connection:
        connection.execute("CREATE TABLE nodes (id TEXT PRIMARY KEY, parent TEXT, label TEXT, prompt TEXT, reply TEXT)")
        rows = [(node.id, node.parent_id, node.label, node.prompt, node.reply) for node in nodes]

        def work() -> None:
            connection.executemany("INSERT INTO nodes VALUES (?, ?, ?, ?, ?)", rows)
            connection.commit()

        return timed(work)


def measure(folder: Path, nodes: list[Node], note: Callable[[str, float], None]) -> None:
    note("nodes, SQLite alone (s)", plain(folder, nodes))
    store = Store.open(folder / "runs.sqlite3")
    assert store is not None
    with closing(store):

        def put() -> None:
            store.add_run(nodes[0])
            for node in nodes[1:]:
                store.put(node)

        held_up = timed(put)
        note("nodes stored (s)", held_up + timed(store.flush_now))
        note("a node put (ms)", held_up / len(nodes) * 1e3)
        note("file (MB)", store.path.stat().st_size / 1e6)
        run_id = nodes[0].run_id
        note("skeleton (ms)", min(timed(lambda: store.skeleton(run_id)) for _ in range(3)) * 1e3)
        note("skeleton (MB)", len(store.skeleton(run_id).encode()) / 1e6)
        note("tree with texts (s)", timed(lambda: store.tree(run_id)))
        request, calls = ModelRequest("gpt-5-mini", (Message("user", "Why?"),)), nodes[1:1001]
        keys = [f"{number:032x}" for number in range(len(calls))]

        def call() -> None:
            for node, key in zip(calls, keys, strict=True):
                store.find(key)
                store.intent(key, node.id)
                store.keep(key, request, ModelReply(node.reply, USAGE, "gpt-5-mini"))
                store.put(node)

        note("a call kept (ms)", timed(call) / len(calls) * 1e3)
        store.flush_now()
        note("a reply found (ms)", timed(lambda: [store.find(key) for key in keys]) / len(keys) * 1e3)
        note("one commit (ms)", timed(lambda: (store.put(nodes[-1]), store.flush_now())) * 1e3)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, default=10_000)
    parser.add_argument("--chars", type=int, default=4_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    nodes = make_nodes(options.nodes, options.chars)
    figures: dict[str, list[float]] = defaultdict(list)
    for _ in range(options.rounds):
        with tempfile.TemporaryDirectory() as folder:
            measure(Path(folder), nodes, lambda what, value: figures[what].append(value))
    print(f"{len(nodes):,} nodes with prompts of {options.chars:,} characters, SQLite {sqlite3.sqlite_version}\n")
    print("| median of rounds | | aim |\n|---|---|---|")
    for what, values in figures.items():
        aim = f"≤ {AIMS[what]:g}" if what in AIMS else ""
        print(f"| {what} | {statistics.median(values):.3f} | {aim} |")


if __name__ == "__main__":
    main()
