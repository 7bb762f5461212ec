"""How long it takes to come back to a state, and what keeping states takes.

``python benchmarks/restore.py``: 40 cells, each moving on a generator, a lambda, an open file, a list of 1,000,000 and
a text of 100 MB; then back to before each of them, in order and in any order, checked each time.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from rlm_kernel.host.process import NamespaceProcess
from rlm_kernel.host.records import ExecuteRequest, Listener, Published
from rlm_kernel.ids import new_msg_id

CELLS = 40
SETUP = """
file = open({path!r}); xs = list(range(1_000_000)); text = 'a' * 100_000_000
numbers = (n * n for n in range(10_000)); step = 0; double = lambda n: n * step
"""
LOOK = "print(step, len(xs), xs[0], next(numbers), double(7), file.readline()[:9], len(text), text[0])"
MOVE = LOOK + "; step += 1; xs.append(step); xs[0] = step; text = text[:-1] if step % 10 == 0 else text"


class Heard(Listener):
    """Keeps what was printed."""

    def __init__(self) -> None:
        """Nothing yet."""
        self.text = ""

    def published(self, message: Published) -> None:
        """Keep a piece."""
        self.text += str(message.content.get("text", ""))

    def replaced(self, dead_comms: list[str], live_comms: list[str]) -> None:
        """Do nothing."""


class Bench:
    """One namespace process."""

    def __init__(self) -> None:
        """Nothing is started yet."""
        self.heard = Heard()
        self.process = NamespaceProcess(self.heard)

    async def run(self, code: str, *, silent: bool = False) -> tuple[str, str, float]:
        """Run a cell; gives what it printed, its state, and the seconds it took."""
        msg_id = new_msg_id()
        header: dict[str, Any] = {"msg_id": msg_id, "msg_type": "execute_request", "session": "s", "version": "5.3"}
        self.heard.text, started = "", time.perf_counter()
        reply = await self.process.execute(ExecuteRequest(code, msg_id, header, silent=silent))
        if reply.status != "ok":
            raise SystemExit(f"{code}: {reply.evalue}")
        return self.heard.text, msg_id, time.perf_counter() - started


async def main(rounds: int) -> None:
    """Measure."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "lines.txt"
        path.write_text("".join(f"line {n:04} {'.' * 300}\n" for n in range(5_000)))
        bench = Bench()
        await bench.process.start()
        try:
            await measure(bench, SETUP.format(path=str(path)), rounds)
        finally:
            await bench.process.close()


async def measure(bench: Bench, setup: str, rounds: int) -> None:
    """Run the cells, go back to each, and print the figures."""
    await bench.run(setup)
    seen, states, cells = [], [], []
    for _ in range(CELLS):
        text, state, seconds = await bench.run(MOVE)
        seen.append(text)
        states.append(state)
        cells.append(seconds * 1e3)
    order = list(range(CELLS))
    chance = random.Random(1)
    orders = [order, order[::-1], *(chance.sample(order, CELLS) for _ in range(rounds - 2))]
    times, wrong = [], 0
    for each in orders:
        for at in each:
            started = time.perf_counter()
            restored = await bench.process.restore(states[at])
            times.append((time.perf_counter() - started) * 1e3)
            wrong += not restored or (await bench.run(LOOK, silent=True))[0] != seen[at]
    stat = await bench.process.states()
    times.sort()
    print(
        f"cells, each with its checkpoint       median {statistics.median(cells):6.1f} ms   worst {max(cells):6.1f} ms"
    )
    print(
        f"{len(times)} restores, {wrong} wrong                  median {statistics.median(times):6.1f} ms   "
        f"p95 {times[int(len(times) * 0.95)]:6.1f} ms   worst {times[-1]:6.1f} ms"
    )
    print(f"{stat['states']} states kept, {stat['pinned']} pinned: {stat['bytes'] / 1e6:,.0f} MB beside the namespace")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    asyncio.run(main(parser.parse_args().rounds))
