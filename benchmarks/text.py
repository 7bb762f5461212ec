"""A text of a gigabyte on disk, in a real namespace: opened, searched, and what memory it takes.

With --str: a text of a hundred million characters as a str, and what memory it takes, a character.

python benchmarks/text.py [--megabytes 1000] [--ascii] [--str]
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import tempfile
import time
from pathlib import Path

import psutil

from rlm_kernel.host.executor import ProcessExecutor

LINE = "Zeile %08d: Gott schuf „Himmel und Erde“ naïve 中文 text and so on, with more plain words for good measure.\n"
ASCII = "Line %08d: a plain old line of a web server's log with status 200 and 4711 bytes sent to the reader.\n"
AIMS = {
    "open (s)": 1.0,
    "regex over all (s)": 5.0,
    "memory, kernel and namespace (MB)": 50.0,
    "checkpoint and trivial cell (ms)": 50.0,
    "growth (bytes a character)": 2.2,
    "in all (bytes a character)": 2.2,
}


def write(path: Path, megabytes: int, line: str) -> None:
    """Write the file."""
    with path.open("w", encoding="utf-8") as file:
        number = 0
        while file.tell() < megabytes * 1_000_000:
            file.write("".join(line % each for each in range(number, number + 20_000)))
            number += 20_000


def memory(pid: int) -> float:
    """Give the memory of a process in megabytes, shared pages divided among those that share them."""
    return int(re.search(r"^Pss:\s+(\d+)", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.MULTILINE)[1]) / 1024


def memory_of_all() -> float:
    """Give the memory of this process and of all it has started, in megabytes."""
    me = psutil.Process()
    return sum(memory(each.pid) for each in (me, *me.children(recursive=True)))


async def timed(executor: ProcessExecutor, code: str) -> tuple[float, str]:
    """Run a cell; gives its seconds and what it showed."""
    began = time.perf_counter()
    result = await executor.run_person_cell(code)
    seconds = time.perf_counter() - began
    if result.status != "ok":
        raise SystemExit(f"{code}: {result.outputs[-1]}")
    return seconds, "".join(str(output.get("text", "")) for output in result.outputs).strip()


async def measure(path: Path) -> dict[str, float]:
    """Load, search, and look at time and memory."""
    executor = ProcessExecutor()
    await executor.start()
    try:
        await timed(executor, "1")
        before = memory(os.getpid()) + memory(executor.process.pid)
        figures = {"open (s)": (await timed(executor, f"_ = load({str(path)!r}, on_disk=True)"))[0]}
        seconds, found = await timed(executor, r"print(sum(1 for _ in context.finditer(r'\d000777\d:')))")
        figures["regex over all (s)"] = seconds
        figures["regex without a match (s)"] = (await timed(executor, "print(context.search('no such [a-z]+ord'))"))[0]
        checked = "m = context.search(r'0077777\\d'); print(context[m.start():m.end()] == m.group())"
        if (await timed(executor, checked))[1] != "True" or int(found) < 1:
            raise SystemExit("Offsets are wrong.")
        figures["memory, kernel and namespace (MB)"] = memory(os.getpid()) + memory(executor.process.pid) - before
        figures["checkpoint and trivial cell (ms)"] = min([(await timed(executor, "1"))[0] * 1000 for _ in range(5)])
    finally:
        await executor.close()
    return figures


async def measure_str(path: Path) -> dict[str, float]:
    """Load as a str, run some cells, and look at the memory of all processes, states before cells among them."""
    executor = ProcessExecutor()
    await executor.start()
    try:
        await timed(executor, "1")
        before = memory_of_all()
        await timed(executor, f"load({str(path)!r}, on_disk=False)")
        for _ in range(5):
            await timed(executor, "context.count('words')")
        chars = int((await timed(executor, "print(len(context))"))[1]) / 1_000_000
        now = memory_of_all()
    finally:
        await executor.close()
    return {"growth (bytes a character)": (now - before) / chars, "in all (bytes a character)": now / chars}


def main() -> None:
    """Print the figures beside their aims."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, default=1000)
    parser.add_argument("--ascii", action="store_true")
    parser.add_argument("--str", action="store_true", help="as a str; take --megabytes 100")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "big.txt"
        write(path, args.megabytes, ASCII if args.ascii else LINE)
        measured = measure_str if args.str else measure
        for name, value in asyncio.run(measured(path)).items():
            aim = f"  (aim {AIMS[name]:g})" if name in AIMS else ""
            print(f"{name:<36} {value:8.2f}{aim}")


if __name__ == "__main__":
    main()
