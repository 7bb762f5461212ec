"""What an answer rests on: which parts of the context were read for it, and whether what it cites stands there."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, TypedDict, cast

from rlm_kernel.contexts.cover import share, strip
from rlm_kernel.engine.observer import Observer
from rlm_kernel.errors import RlmError
from rlm_kernel.usage import count

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rlm_kernel.contexts.citations import CitationDict
    from rlm_kernel.engine.executor import CellResult, Executor
    from rlm_kernel.ids import NodeId
    from rlm_kernel.trace.records import Node
    from rlm_kernel.trace.tree import Tree

log = logging.getLogger(__name__)

CITATIONS, COVERAGE = "citations", "coverage"
"""In the details of a run: a list of `CitationDict`, a `CoverageDict`."""
AT_ONCE = 200_000
"""Characters of prompts that are looked through in one request: a cell that comes meanwhile waits some 50 ms."""
MOST_SPANS = 5_000
"""Parts that are kept with their readers; of more, only the picture."""
CELLS = 400


class CoverageDict(TypedDict):
    """Which parts of the context calls have read."""

    length: int
    """Characters of the context."""
    share: float
    """How much of it was read, from 0 to 1."""
    calls: int
    """Calls that read any of it."""
    strip: list[float]
    """For each of so many equal parts of the context, how much of it was read, from 0 to 1."""
    spans: list[tuple[int, int, str]]
    """Start, end and reading node, in characters of the context; incomplete where ``complete`` is false."""
    complete: bool


class Evidence(Observer):
    """Gathers the evidence for the answers of a session.

    What calls read is looked for after each cell, while the model writes the next one; what an answer cites when there
    is one. Both are asked of the namespace, where the context is; a namespace that cannot say leaves them out.

    Args:
        executor: Has the context.
        tree: The session's.
    """

    def __init__(self, executor: Executor, tree: Tree) -> None:
        self._executor = executor
        self._tree = tree
        self._spans: dict[NodeId, list[tuple[int, int]]] = {}
        self._length = 0
        self._work: asyncio.Task[None] | None = None
        self._due: dict[NodeId, None] = {}

    def cell_ended(self, node: Node, result: CellResult) -> None:
        """Look through what the calls of a cell were asked."""
        if node.parent_id is None or self._tree[node.parent_id].parent_id is not None:
            return  # the cell of a child run: its calls are looked through with the cell that asked for it
        self._due.update(dict.fromkeys(call.id for call in _calls(self._tree, node) if call.id not in self._spans))
        if self._due and (self._work is None or self._work.done()):
            self._work = asyncio.get_running_loop().create_task(self._look_through())

    async def _look_through(self) -> None:
        while self._due:
            batch: list[Node] = []
            chars = 0
            for node_id in list(self._due):
                node = self._tree[node_id]
                if batch and chars + len(node.prompt) > AT_ONCE:
                    break
                batch.append(node)
                chars += len(node.prompt)
                del self._due[node_id]
            try:
                said = await self._executor.look("cover", {"texts": [node.prompt for node in batch]})
            except RlmError as problem:
                log.info("what was read cannot be told: %s", problem)
                return
            self._length = said.get("length", 0)
            for node, spans in zip(batch, said.get("spans", ()), strict=False):
                self._spans[node.id] = [(int(start), int(end)) for start, end in spans]

    async def complete(self, run: Node) -> bool:
        """Write into a finished run what was read for it, and look up what its answer cites; tells whether it did."""
        details = dict(run.details)
        if self._work is not None:
            await asyncio.gather(self._work, return_exceptions=True)
        if (coverage := self.coverage(run)) is not None:
            details[COVERAGE] = coverage
        if run.reply.strip():
            try:
                said = await self._executor.look("cite", {"answer": run.reply})
            except RlmError as problem:
                log.info("citations cannot be looked up: %s", problem)
                said = {}
            if citations := [_checked(each) for each in said.get("citations", ())]:
                details[CITATIONS] = citations
        changed = len(details) > len(run.details)
        run.details = details
        return changed

    def coverage(self, run: Node) -> CoverageDict | None:
        """Tell what the calls of a run have read up to now; ``None`` where it made none, or there is no text."""
        calls = [call for turn in _turns(self._tree, run) for call in _calls(self._tree, turn)]
        read = [(call.id, self._spans[call.id]) for call in calls if self._spans.get(call.id)]
        if not self._length or not calls:
            return None
        plain = [span for _, spans in read for span in spans]
        named = [(start, end, str(name)) for name, spans in read for start, end in spans]
        return CoverageDict(
            length=self._length,
            share=share(plain, self._length),
            calls=len(read),
            strip=[round(value, 3) for value in strip(plain, self._length, CELLS)],
            spans=named[:MOST_SPANS],
            complete=len(named) <= MOST_SPANS,
        )


def _turns(tree: Tree, run: Node) -> Iterator[Node]:
    """Give the turns of a run; in the place of those that it took over from another, the ones that made the calls."""
    for turn in tree.children(run.id):
        kept = turn.details.get("kept")
        yield tree[cast("Any", kept)] if isinstance(kept, str) and kept in tree else turn


def _calls(tree: Tree, node: Node) -> Iterator[Node]:
    for child in tree.children(node.id):
        if child.kind == "call":
            yield child
        else:
            yield from _calls(tree, child)


def _checked(said: Mapping[str, Any]) -> CitationDict:
    """Take what a namespace says of a citation, with fields of the right kind and size."""
    place = [int(each) for each in said.get("place", ())][:2]
    texts = {
        name: str(said.get(name, ""))[:8_000] for name in ("kind", "text", "source", "where", "passage", "difference")
    }
    status = said.get("status")
    return cast(
        "CitationDict",
        {
            **texts,
            "status": status if status in ("found", "differs") else "not found",
            "start": int(said.get("start", 0)),
            "end": int(said.get("end", 0)),
            "place": place if len(place) == 2 else [],
        },
    )


def citations_of(run: Node) -> list[CitationDict]:
    """Give the citations of a run's answer, looked up; empty where there are none."""
    kept = run.details.get(CITATIONS)
    return cast("list[CitationDict]", kept) if isinstance(kept, list) else []


def coverage_of(run: Node) -> CoverageDict | None:
    """Tell what was read for a run's answer; ``None`` where that is not known."""
    kept = run.details.get(COVERAGE)
    return cast("CoverageDict", kept) if isinstance(kept, dict) else None


def read_text(coverage: CoverageDict | None) -> str:
    """Say how much was read: ``read 37 % of the document in 212 calls``; empty where no call read any of it."""
    if coverage is None or not coverage["calls"]:
        return ""
    part = coverage["share"] * 100
    percent = f"{part:.0f}" if part >= 1 or not part else "less than 1"
    return f"read {percent} % of the document in {count(coverage['calls'], 'call')}"


def cited_text(citations: list[CitationDict]) -> str:
    """Say what became of the citations: ``3 citations: 2 found, 1 not found``; empty where there are none."""
    if not citations:
        return ""
    words = (("found", "found"), ("differs", "found with differences"), ("not found", "not found"))
    numbers = [(sum(each["status"] == status for each in citations), word) for status, word in words]
    return f"{count(len(citations), 'citation')}: {', '.join(f'{number} {word}' for number, word in numbers if number)}"
