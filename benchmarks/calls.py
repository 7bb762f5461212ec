"""Sub-model calls of a cell beside bare clients, measured in the same run, in turns, against a server on this machine.

python benchmarks/calls.py [--calls 1000] [--rounds 3]

The limit is what no client can pass: ``ceil(calls / concurrency) * latency``. Ours goes the whole way: a cell of a real
namespace process, the socket, the engine with tree, ledger, memo and observers, HTTP, and the replies back in the cell.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from rlm_kernel.engine.session import Session
from rlm_kernel.engine.settings import Settings
from rlm_kernel.host.executor import ProcessExecutor
from rlm_kernel.models.registry import Registry
from rlm_kernel.models.scripted import ScriptedModel
from rlm_kernel.usage import Limits

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from rlm_kernel.engine.executor import CellRequest, CellResult

PROMPT = "Is the whale in this passage? Answer yes or no. " * 6
TURNS = 30


class Task(NamedTuple):
    url: str
    latency: float
    concurrency: int
    calls: int

    @property
    def limit(self) -> float:
        return -(-self.calls // self.concurrency) * self.latency

    @property
    def name(self) -> str:
        return f"{self.latency * 1000:g} ms at {self.concurrency}"


class Took(NamedTuple):
    seconds: float
    cpu: float
    """Seconds of CPU in this process."""


@contextmanager
def server(latency: float) -> Iterator[str]:
    script = Path(__file__).with_name("endpoint.py")
    process = subprocess.Popen(
        [sys.executable, script, "--latency", str(latency)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield f"http://127.0.0.1:{int(process.stdout.readline())}/v1"
    finally:
        process.stdin.close()
        process.wait()
        process.stdout.close()


async def many(task: Task, one: Callable[[str], Awaitable[object]]) -> Took:
    """Make the calls of a bare client, as many at once as allowed; one goes before, so that all is imported."""
    await one("before")
    slots = asyncio.Semaphore(task.concurrency)

    async def each(number: int) -> None:
        async with slots:
            await one(f"{PROMPT}{number}")

    started, cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(*map(each, range(task.calls)))
    return Took(time.perf_counter() - started, time.process_time() - cpu)


async def bare_aiohttp(task: Task) -> Took:
    import aiohttp

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        async def one(prompt: str) -> object:
            body = {"model": "m", "messages": [{"role": "user", "content": prompt}]}
            async with session.post(f"{task.url}/chat/completions", json=body) as response:
                return await response.json()

        return await many(task, one)


async def bare_openai(task: Task) -> Took:
    import openai

    waits = openai.Timeout(600)  # the usual five seconds to connect are too short for a thousand at once
    http = openai.DefaultAioHttpClient(trust_env=False, timeout=waits)
    async with openai.AsyncOpenAI(
        api_key="none", base_url=task.url, max_retries=0, timeout=waits, http_client=http
    ) as client:
        return await many(
            task,
            lambda prompt: client.chat.completions.create(model="m", messages=[{"role": "user", "content": prompt}]),
        )


class Timed(ProcessExecutor):
    """Notes how long each cell took, and the CPU of this process in it."""

    def __init__(self) -> None:
        super().__init__()
        self.took: list[Took] = []

    async def run_cell(self, cell: CellRequest) -> CellResult:
        started, cpu = time.perf_counter(), time.process_time()
        try:
            return await super().run_cell(cell)
        finally:
            self.took.append(Took(time.perf_counter() - started, time.process_time() - cpu))


def cell(code: str) -> str:
    return f"Next.\n\n```python\n{code}\n```"


async def ask(executor: ProcessExecutor, url: str, replies: list[str], **limits: object) -> None:
    models = Registry({"OPENAI_BASE_URL": url}, {"root": ScriptedModel(replies)}, concurrency=1000)
    settings = Settings("root", "m", Limits(cost_usd=None, calls=None, turns=1000, **limits))  # type: ignore[arg-type]
    run = await Session(executor, models, settings).ask("Is it there?")
    assert run.outcome == "answered", run.error
    assert run.reply in ("ok", "True"), run.reply
    await models.close()


async def ours(task: Task) -> Took:
    executor = Timed()
    await executor.start()
    await executor.run_person_cell("context = 'the whale'")
    many = f"replies = llm_query_batched([f'{PROMPT}{{number}}' for number in range({task.calls})])"
    last = f"FINAL(str(all(replies) and len(replies) == {task.calls}))"
    try:
        await ask(
            executor, task.url, [cell("llm_query('before')"), cell(many), cell(last)], concurrency=task.concurrency
        )
    finally:
        await executor.close()
    return executor.took[1]


CLIENTS = {"aiohttp": bare_aiohttp, "openai[aiohttp]": bare_openai, "rlm-kernel": ours}


async def turns() -> tuple[float, float]:
    """Give milliseconds of our own for a turn (a model that answers at once), and of its cell alone."""
    executor = Timed()
    await executor.start()
    await executor.run_person_cell("context = 'the whale'")
    started = time.perf_counter()
    try:
        await ask(executor, "http://127.0.0.1:9/v1", [*(cell(f"x = {n}") for n in range(TURNS)), cell("FINAL('ok')")])
    finally:
        took = time.perf_counter() - started
        await executor.close()
    return 1e3 * took / (TURNS + 1), 1e3 * statistics.median(each.seconds for each in executor.took)


def measure(tasks: list[tuple[float, int]], calls: int, rounds: int) -> None:
    print(
        "| calls | "
        + " | ".join(f"{name} (× limit)" for name in CLIENTS)
        + " | ÷ openai | ÷ aiohttp | own CPU a call |"
    )
    print("|---|" + "---|" * (len(CLIENTS) + 3))
    for latency, concurrency in tasks:
        took: dict[str, list[Took]] = defaultdict(list)
        with server(latency) as url:
            task = Task(url, latency, concurrency, calls)
            for _ in range(rounds):
                for name, client in CLIENTS.items():
                    took[name].append(asyncio.run(client(task)))
        medians = {name: statistics.median(each.seconds for each in all_) for name, all_ in took.items()}
        cpu = {name: 1e3 * statistics.median(each.cpu for each in all_) / calls for name, all_ in took.items()}
        shown = " | ".join(f"{seconds:.2f} s ({seconds / task.limit:.2f})" for seconds in medians.values())
        mine = medians["rlm-kernel"]
        ratios = f"{mine / medians['openai[aiohttp]']:.2f} | {mine / medians['aiohttp']:.2f}"
        print(f"| {task.name} | {shown} | {ratios} | {cpu['rlm-kernel']:.2f} ms |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    measure([(0.1, 64), (1.0, 64), (1.0, 256), (0.1, 1000)], options.calls, options.rounds)
    whole, alone = asyncio.run(turns())
    print(
        f"\nA turn of a model that answers at once: {whole:.1f} ms, of which its cell with checkpoint {alone:.1f} ms."
    )


if __name__ == "__main__":
    main()
