"""The panel with ten thousand nodes, in a real Chromium: how fast it opens, scrolls and follows, and what it keeps.

    python benchmarks/panel.py [--nodes 10000] [--seconds 10] [--soak 180] [--shots FOLDER]

The kernel's side is the real one, and so is the script; between them stands a page that hands messages on as JSON, as
Jupyter's websocket does.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import statistics
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from rlm_kernel.engine.session import Session
from rlm_kernel.ids import NodeId, RunId
from rlm_kernel.models.registry import Registry
from rlm_kernel.panel.assets import script, style
from rlm_kernel.panel.widget import Panel
from rlm_kernel.trace.records import Node
from rlm_kernel.usage import Usage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from playwright.async_api import Page

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--js-flags=--expose-gc"]
EVENTS_A_SECOND = 300
CALLS_A_BATCH = 400
MODEL = """
window.wire = {
  heard: {}, said: [], kept: {},
  get: name => window.wire.kept[name],
  on: (event, then) => (window.wire.heard[event] ??= new Set()).add(then),
  off: (event, then) => window.wire.heard[event]?.delete(then),
  send: message => window.toKernel(JSON.stringify(message)),
  deliver: text => { for (const then of window.wire.heard['msg:custom'] ?? []) then(JSON.parse(text)); },
  tell: event => { for (const then of window.wire.heard[event] ?? []) then(); }
};
window.open_panel = async (script, style) => {
  const began = performance.now();
  document.head.append(Object.assign(document.createElement('style'), { textContent: style }));
  const url = URL.createObjectURL(new Blob([script], { type: 'text/javascript' }));
  const { default: widget } = await import(url);
  const host = document.getElementById('host');
  window.close_panel = widget.render({ model: window.wire, el: host });
  while (!host.querySelector('[data-phase=live] [role=treeitem]')) await new Promise(requestAnimationFrame);
  await new Promise(requestAnimationFrame);
  return performance.now() - began;
};
"""
SCROLL = """async () => {
  const tree = document.querySelector('.rlm-tree');
  const times = [];
  const end = tree.scrollHeight - tree.clientHeight;
  let last = await new Promise(requestAnimationFrame);
  for (let step = 0; step <= 240; step++) {
    tree.scrollTop = end * (step % 120) / 119;
    const now = await new Promise(requestAnimationFrame);
    times.push(now - last);
    last = now;
  }
  return times;
}"""


def make_session() -> Session:
    """A session that asks nothing: only its tree is used."""
    return Session(None, Registry({}))  # type: ignore[arg-type]


def fill(session: Session, nodes: int, *, now: float | None = None) -> Node:
    """Put a question into the tree: turns with a batch of calls each, until there are so many nodes."""
    tree, began = session.tree, (now or time.time()) - 600
    root = Node(NodeId("run-1"), RunId("run-1"), None, "run", "How often is each port named?", "running", started=began)
    root.prompt = root.label
    tree.add(root)
    turn = root
    for number in range(1, nodes):
        if number % (CALLS_A_BATCH + 1) == 1:
            at = began + number * 0.05
            turn = Node(
                NodeId(f"run-1/t{number}"), root.run_id, root.id, "turn", f"replies = llm_query_batched({number})"
            )
            turn.status, turn.model, turn.started, turn.ended = "done", "gpt-5", at, at + 20
            turn.usage = Usage(3_000 + number, 1_000, 300, 1, 0.004, 3.0)
            tree.add(turn)
            continue
        call = Node(
            NodeId(f"{turn.id}/c{number}"), root.run_id, turn.id, "call", f"Part {number}: which ports are named?"
        )
        call.status, call.model, call.batch = "done", "gpt-5-mini", f"{turn.id}/b1"
        call.started = began + number * 0.05
        call.ended = call.started + 1 + number % 7
        call.usage = Usage(800 + number % 300, 0, 40, 1, 0.0004, 1.5)
        if number % 211 == 0:
            call.status, call.error = "failed", "The endpoint answered 500 four times."
        call.cached = number % 17 == 0
        tree.add(call)
    return root


class PagePanel(Panel):
    """A panel whose messages go to a page."""

    def __init__(self, session: Session, actions: Any = None) -> None:
        self.outgoing: asyncio.Queue[str] = asyncio.Queue()
        self.count: dict[str, int] = {}
        self.chars = 0
        super().__init__(session, actions)

    def send(self, content: Any, buffers: Any = None) -> None:
        """Put a message on its way."""
        text = json.dumps(content)
        self.count[content["kind"]] = self.count.get(content["kind"], 0) + 1
        self.chars += len(text)
        self.outgoing.put_nowait(text)

    async def serve(self, page: Page) -> None:
        """Hand messages on, in order, until cancelled."""
        while True:
            text = await self.outgoing.get()
            await page.evaluate("text => window.wire.deliver(text)", text)


async def open_page(page: Page, panel: PagePanel, width: int = 1000, kept: Mapping[str, Any] | None = None) -> None:
    """Make an empty page with a host for the panel and a way to the kernel's side."""
    await page.expose_function("toKernel", lambda text: panel._handle_custom_msg(json.loads(text), []))
    await page.set_content(f'<body style="margin:0"><div id="host" style="width:{width}px;height:100vh"></div></body>')
    await page.add_script_tag(content=MODEL)
    for name, value in (kept or {}).items():
        await page.evaluate("([name, value]) => window.wire.kept[name] = new Uint8Array(value)", [name, list(value)])


async def follow(session: Session, panel: Panel, seconds: float) -> float:
    """Change 300 nodes a second; gives how many changes a second it really was."""
    ids = [node.id for node in session.tree if node.kind == "call"]
    began, done = time.monotonic(), 0
    while (passed := time.monotonic() - began) < seconds:
        while done < passed * EVENTS_A_SECOND:
            node = session.tree[ids[done % len(ids)]]
            node.status = "running" if node.status == "done" else "done"
            node.usage = replace(node.usage, seconds=node.usage.seconds + 0.1)
            panel.node_changed(session.tree, node)
            done += 1
        await asyncio.sleep(0.01)
    return done / (time.monotonic() - began)


async def heap(page: Page) -> float:
    """Megabytes the page's script holds after a collection."""
    client = await page.context.new_cdp_session(page)
    await client.send("HeapProfiler.collectGarbage")
    used = (await client.send("Runtime.getHeapUsage"))["usedSize"]
    await client.detach()
    return float(used) / 1e6


def find_chromium() -> str | None:
    """The browser to measure with: ``CHROMIUM``, else one on the PATH, else Playwright's own."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    return os.environ.get("CHROMIUM") or next((found for name in names if (found := shutil.which(name))), None)


async def measure(nodes: int, seconds: float, soak: float, shots: str = "") -> AsyncIterator[tuple[str, float, str]]:
    """Give name, value and unit of each figure as it is known."""
    from playwright.async_api import async_playwright

    session = make_session()
    fill(session, nodes)
    began = time.perf_counter()
    panel = PagePanel(session)
    yield "making the widget", (time.perf_counter() - began) * 1000, "ms"
    if panel._feed._keeping is not None:
        await panel._feed._keeping
    yield "picture, made in the background", (time.perf_counter() - began) * 1000, "ms"
    yield "picture", len(panel.picture) / 1000, "kB"
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=find_chromium(), args=FLAGS)
        page = await browser.new_page(viewport={"width": 1000, "height": 800})
        await open_page(page, panel)
        serving = asyncio.create_task(panel.serve(page))
        opened = await page.evaluate("([script, style]) => window.open_panel(script, style)", [script(), style()])
        yield "opening, to the first rows of the whole tree", opened, "ms"
        yield "sent for it", panel.chars / 1e6, "MB"
        await open_all(page)
        yield "lines", await page.evaluate("() => document.querySelector('.rlm-sizer').offsetHeight / 24"), ""
        times = await page.evaluate(SCROLL)
        yield "frame while scrolling, median", statistics.median(times), "ms"
        yield "frame while scrolling, 95 of 100", statistics.quantiles(times, n=20)[-1], "ms"
        before = panel.count.get("delta", 0)
        real = await follow(session, panel, seconds)
        yield "events a second", real, ""
        yield "updates a second", (panel.count.get("delta", 0) - before) / seconds, ""
        first = await heap(page)
        yield "heap", first, "MB"
        if soak:
            await follow(session, panel, soak)
            yield f"heap after {soak:.0f} s more", await heap(page), "MB"
        if shots:
            await page.screenshot(path=f"{shots}/panel-10000.png")
        serving.cancel()
        panel.close()
        await browser.close()


async def open_all(page: Page) -> None:
    """Open every batch by keyboard, from the last line up."""
    await page.evaluate("() => document.querySelector('.rlm-tree').focus()")
    await page.keyboard.press("End")
    while True:
        chosen = page.locator(".rlm-tree [aria-selected=true]")
        if await chosen.get_attribute("data-kind") == "run":
            return
        if await chosen.get_attribute("aria-expanded") == "false":
            await page.keyboard.press("ArrowRight")
        await page.keyboard.press("ArrowUp")
        await page.evaluate("() => new Promise(requestAnimationFrame)")


async def main() -> None:
    """Measure, and print one line a figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=10.0, help="of 300 events a second")
    parser.add_argument(
        "--soak", type=float, default=180.0, help="seconds of it, after which the heap is looked at again"
    )
    parser.add_argument("--shots", default="", help="folder for a screenshot")
    given = parser.parse_args()
    async for name, value, unit in measure(given.nodes, given.seconds, given.soak, given.shots):
        print(f"{name:50} {value:10.1f} {unit}", flush=True)


if __name__ == "__main__":
    asyncio.run(main())
