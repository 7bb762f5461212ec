"""How a run looks from outside its cells: a live line while it lasts, and one output where there is no page."""

from __future__ import annotations

import asyncio
import html
import re
from typing import TYPE_CHECKING, Any

from rlm_kernel.engine.course import runs_of, turns_of
from rlm_kernel.ids import number_of
from rlm_kernel.notebook.cells import RUN_MIME, RunPayload
from rlm_kernel.notebook.harmless import harmless
from rlm_kernel.usage import Usage, count

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rlm_kernel.engine.control import Control
    from rlm_kernel.engine.executor import Output
    from rlm_kernel.kernel.journal import LiveCell, LiveRun
    from rlm_kernel.kernel.protocol import RunState, StatusLine
    from rlm_kernel.kernel.services import KernelServices
    from rlm_kernel.notebook.cells import CellDict
    from rlm_kernel.trace.tree import Tree

INTERVAL = 0.25
"""Seconds between two live lines."""
HEAD = {"running": "Working", "paused": "Paused", "stopping": "Stopping", "ended": "Ended"}


class Ticker:
    """Calls a function soon after each `touch`, at most four times a second."""

    def __init__(self, call: Callable[[], None]) -> None:
        """Nothing is due yet."""
        self._call = call
        self._due: asyncio.TimerHandle | None = None
        self._last = 0.0

    def touch(self) -> None:
        """Something is new."""
        if self._due is None:
            loop = asyncio.get_running_loop()
            self._due = loop.call_at(max(loop.time(), self._last + INTERVAL), self._fire)

    def stop(self) -> None:
        """What is due need not be shown any more."""
        if self._due is not None:
            self._due.cancel()
            self._due = None

    def _fire(self) -> None:
        self._due = None
        self._last = asyncio.get_running_loop().time()
        self._call()


def live_line(tree: Tree, run: LiveRun, control: Control) -> StatusLine:
    """Say where a run stands: turn, calls, tokens, cost, what it waits for."""
    state: RunState = "running" if control.state == "idle" else control.state
    runs = [each.id for each in runs_of(tree, run.node)] if run.node else []
    turns = [number_of(each.id) for name in runs for each in tree.children(name) if each.kind == "turn"]
    turn, usage = max(turns, default=0), sum(map(tree.total, runs), Usage())
    parts = [HEAD[state], f"turn {max(1, turn)}", tree.spent(*runs)]
    if control.waits_for:
        parts.append(f"waiting for {control.waits_for}")
    return {"state": state, "text": " · ".join(parts), "turn": turn, "usage": usage.to_dict()}


def last_line(tree: Tree, run: LiveRun) -> StatusLine:
    """Say how a run ended."""
    node = run.node
    if node is None:
        return {"state": "ended", "text": "Ended", "turn": 0, "usage": Usage().to_dict()}
    runs, turns = [each.id for each in runs_of(tree, node)], len(turns_of(tree, node))
    words = {"answered": "Answered", "limit": "Limit reached", "failed": "Failed", "stopped": "Stopped"}
    text = f"{words.get(node.outcome or '', 'Ended')} · {count(turns, 'turn')} · {tree.spent(*runs)}"
    return {"state": "ended", "text": text, "turn": turns, "usage": sum(map(tree.total, runs), Usage()).to_dict()}


class Inline:
    """Shows a run in the output of its question, for clients without the extension.

    First a live line, which becomes the answer in the end; below it each cell of the model with its real outputs;
    last one output that carries the cells for whoever wants to make them real.
    """

    def __init__(self, kernel: KernelServices) -> None:
        """Publish through ``kernel``."""
        self._kernel = kernel

    def line(self, run: LiveRun, text: str, *, first: bool = False) -> None:
        """Show the live line, or change it."""
        data = {
            "text/html": f'<div class="rlm-status" role="status"><small>{html.escape(text)}</small></div>',
            "text/plain": text,
        }
        self._show("display_data" if first else "update_display_data", run, data, "status", live=True)

    def cell(self, run: LiveRun, cell: LiveCell) -> None:
        """Show a cell of the model as text."""
        if cell.part == "prose":
            data = {"text/markdown": harmless(cell.source.strip()), "text/plain": cell.source.strip()}
        else:
            fence = "`" * max(3, 1 + max((len(found) for found in re.findall("`+", cell.source)), default=0))
            data = {"text/markdown": f"{fence}python\n{cell.source}\n{fence}", "text/plain": cell.source}
        self._show("display_data", run, data, "working")

    def answer(self, run: LiveRun, output: Output) -> None:
        """Put the answer where the live line was."""
        self._show("update_display_data", run, output["data"], "answer", live=True)

    def carry(self, run: LiveRun, outputs: Sequence[Output], cells: Sequence[CellDict]) -> None:
        """Publish the output that carries the cells."""
        payload = RunPayload(
            version=1,
            run_id=run.run_id,
            anchor=run.anchor,
            execution_count=run.execution_count,
            outputs=list(outputs),
            cells=list(cells),
        )
        code = sum(1 for cell in cells if cell["cell_type"] == "code")
        note = (
            f"The working: {count(code, 'cell')}. rlm-kernel run, or the command in JupyterLab, makes real cells of it."
        )
        data = {RUN_MIME: payload, "text/html": f"<small>{html.escape(note)}</small>", "text/plain": note}
        self._show("display_data", run, data, "cells")

    def _show(self, kind: str, run: LiveRun, data: dict[str, Any], part: str, *, live: bool = False) -> None:
        transient = {"display_id": f"rlm-{run.run_id}"} if live else {}
        metadata = {"rlm": {"run_id": run.run_id, "part": part}}
        self._kernel.publish(kind, {"data": data, "metadata": metadata, "transient": transient}, run.request)


def publish_output(kernel: KernelServices, run: LiveRun, output: Output) -> None:
    """Publish a finished output under the question."""
    if output["output_type"] == "error":
        content: dict[str, Any] = {key: output[key] for key in ("ename", "evalue", "traceback")}
        kernel.publish("error", content, run.request)
    else:
        content = {"data": output["data"], "metadata": output.get("metadata", {}), "transient": {}}
        kernel.publish("display_data", content, run.request)
