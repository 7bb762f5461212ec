"""Our kernel beside plain ipykernel, measured in the same run, in turns: start, cells, prints, memory.

python benchmarks/kernel.py [--rounds 5] [--cells 60]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
from jupyter_client.manager import KernelManager

if TYPE_CHECKING:
    from collections.abc import Callable

    from jupyter_client.blocking import BlockingKernelClient

OURS = ["-P", "-m", "rlm_kernel.kernel", "-f", "{connection_file}"]
KERNELS = {
    "plain": ["-m", "ipykernel_launcher", "-f", "{connection_file}"],
    "rlm": OURS,
    "rlm, no checkpoints": [*OURS, "--RlmKernel.checkpoints=False"],
}
AIMS = {"start to first result (s)": 1.2, "trivial cell, median (ms)": 2.5, "20,000 prints (s)": 2.0}
Figures = dict[str, dict[str, list[float]]]


def write_specs(folder: Path) -> None:
    for number, arguments in enumerate(KERNELS.values()):
        spec = folder / "kernels" / f"bench{number}"
        spec.mkdir(parents=True)
        content = {"argv": [sys.executable, *arguments], "display_name": f"bench{number}", "language": "python"}
        (spec / "kernel.json").write_text(json.dumps(content))


def run(client: BlockingKernelClient, code: str) -> float:
    """Seconds from sending a cell to having its reply and its idle."""
    started = time.perf_counter()
    client.execute_interactive(code, timeout=120, output_hook=lambda _: None)
    return time.perf_counter() - started


def memory(pid: int) -> tuple[float, float]:
    """Memory in MB, shared pages divided among those that share them: the working processes, and parked checkpoints."""
    kernel = psutil.Process(pid)
    working = [kernel, *kernel.children()]
    parked = [process for process in kernel.children(recursive=True) if process not in working]
    return tuple(sum(each.memory_full_info().pss for each in group) / 1e6 for group in (working, parked))


def measure(spec: str, cells: int, note: Callable[[str, float], None]) -> None:
    manager = KernelManager(kernel_name=spec)
    started = time.perf_counter()
    manager.start_kernel()
    client = manager.client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=60)
        run(client, "1")
        note("start to first result (s)", time.perf_counter() - started)
        for i in range(5):
            run(client, f"x = {i}")
        note("trivial cell, median (ms)", 1e3 * statistics.median(run(client, f"x = {i}") for i in range(cells)))
        note("20,000 prints (s)", run(client, "for i in range(20_000): print(i)"))
        working, parked = memory(manager.provisioner.pid)
        note("memory (MB)", working)
        note("memory of its checkpoints (MB)", parked)
    finally:
        client.stop_channels()
        manager.shutdown_kernel()
        manager.cleanup_resources()


def collect(rounds: int, cells: int) -> Figures:
    figures: Figures = defaultdict(lambda: defaultdict(list))
    for _ in range(rounds):
        for number, name in enumerate(KERNELS):
            measure(f"bench{number}", cells, lambda what, value, name=name: figures[what][name].append(value))
    return figures


def report(figures: Figures) -> None:
    print("| median of rounds | " + " | ".join(KERNELS) + " | rlm ÷ plain | aim |")
    print("|---|" + "---|" * (len(KERNELS) + 2))
    for what, by_kernel in figures.items():
        medians = {name: statistics.median(values) for name, values in by_kernel.items()}
        ratio = f"{medians['rlm'] / medians['plain']:.2f}" if medians["plain"] else ""
        shown = " | ".join(f"{medians[name]:.2f}" for name in KERNELS)
        aim = f"≤ {AIMS[what]}" if what in AIMS else ""
        print(f"| {what} | {shown} | {ratio} | {aim} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--cells", type=int, default=60)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        write_specs(Path(folder))
        os.environ["JUPYTER_PATH"] = folder
        report(collect(options.rounds, options.cells))


if __name__ == "__main__":
    main()
