"""Child runs beside their critical path: what has to be one after the other, even if nothing took time but the calls.

python benchmarks/children.py [--rounds 5] [--latency 0.1]

Every call takes the same time. With 8 × 8 a question takes three after each other: the root's turn, the turns of its
children, and their calls. With three levels of child runs there are five. Everything else is our own: processes,
handing over the context, cells, the loop.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import statistics
import time
from typing import TYPE_CHECKING

from rlm_kernel.engine.session import Session
from rlm_kernel.engine.settings import Settings
from rlm_kernel.host.executor import ProcessExecutor
from rlm_kernel.host.pool import WarmPool
from rlm_kernel.messages import ModelReply
from rlm_kernel.models.registry import Registry
from rlm_kernel.usage import Limits, Usage

if TYPE_CHECKING:
    from rlm_kernel.messages import ModelRequest, OnText

AIM = 2.0
CONTEXT = "context = '\\n'.join(f'line {i}' for i in range(100_000))"


class Latency:
    """Answers after a fixed time: runs ask for the next level, as many as the question says, and the last for calls."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.calls = 0

    async def complete(self, request: ModelRequest, on_text: OnText | None = None) -> ModelReply:
        self.calls += 1
        await asyncio.sleep(self.seconds)
        text = _reply(request)
        if on_text is not None:
            await on_text(text)
        return ModelReply(text, Usage(request.chars // 4, 0, len(text) // 4, calls=1), request.model)

    async def close(self) -> None:
        """Nothing is held."""


def _reply(request: ModelRequest) -> str:
    if request.purpose != "root":
        return "leaf"
    found = re.search(r"<question>\n([\d ]+)", request.messages[1].content)
    widths = found[1].split() if found else []
    width, *rest = widths
    ask = "rlm_query_batched" if rest else "llm_query_batched"
    prompts = f"[{' '.join(rest)!r} + f' of {{i}}' for i in range({width})]"
    code = f"rs = {ask}({prompts})\nFINAL(sum(int(r) if r.isdigit() else bool(r) for r in rs))"
    return f"Go.\n\n```python\n{code}\n```"


async def measure(widths: list[int], latency: float) -> tuple[float, float]:
    """Seconds to the answer, and those until the namespace was there."""
    executor, model = ProcessExecutor(), Latency(latency)
    models = Registry({"RLM_MODEL": "latency"}, {"latency": model})
    settings = Settings(limits=Limits(depth=len(widths), calls=None, concurrency=256))
    session = Session(executor, models, settings, pool=WarmPool(executor.process))
    started = time.perf_counter()
    await executor.start()
    ready = time.perf_counter() - started
    try:
        await executor.run_person_cell(CONTEXT)
        started = time.perf_counter()
        node = await session.ask(" ".join(map(str, widths)))
        seconds = time.perf_counter() - started
        leaves = 1
        for width in widths:
            leaves *= width
        if node.reply != str(leaves):
            raise SystemExit(f"wrong answer {node.reply!r}, expected {leaves}: {node.error}")
        return seconds, ready
    finally:
        await session.close()
        await executor.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--latency", type=float, default=0.1, help="seconds each call takes")
    parser.add_argument("--widths", type=int, nargs="*", help="only this shape: children, their children …, calls")
    options = parser.parse_args()
    shapes = [options.widths] if options.widths else [[8], [1, 8], [8, 8], [4, 4, 4], [2, 2, 2, 4], [8, 8, 2]]
    print(f"{'children × … × calls':<22} {'critical path':>13} {'median':>9} {'worst':>9} {'ratio':>6}")
    for widths in shapes:
        measured = [asyncio.run(measure(widths, options.latency))[0] for _ in range(options.rounds)]
        critical = options.latency * (len(widths) + 1)
        median = statistics.median(measured)
        name = " × ".join(map(str, widths))
        print(f"{name:<22} {critical:>11.2f} s {median:>7.2f} s {max(measured):>7.2f} s {median / critical:>6.2f}")
    print(f"aim: at most {AIM:g} with 8 × 8 and with three levels")


if __name__ == "__main__":
    main()
