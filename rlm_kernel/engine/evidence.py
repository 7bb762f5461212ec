"""What an answer rests on: which parts of the context were read for it, and whether what it cites stands there."""

from __future__ import annotations

import asyncio
import logging
import re
from typing import TYPE_CHECKING, Any, TypedDict, cast

from rlm_kernel.contexts.cover import merged, share, strip
from rlm_kernel.engine.course import runs_of
from rlm_kernel.engine.observer import Observer
from rlm_kernel.engine.reuse import source
from rlm_kernel.errors import RlmError
from rlm_kernel.usage import count

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rlm_kernel.contexts.cited import CitationDict
    from rlm_kernel.contexts.landmarks import LandmarkDict
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
Span = tuple[int, int]
_WORD = re.compile(r"\w+")


class CoverageDict(TypedDict):
    """Which parts of the context calls have read."""

    length: int
    """Characters of the context; 0: it is no text."""
    share: float
    """How much of it was read, from 0 to 1."""
    calls: int
    """Calls that read any of it."""
    strip: list[float]
    """For each of so many equal parts of the context, how much of it was read, from 0 to 1."""
    spans: list[tuple[int, int, str]]
    """Start, end and reading node, in characters of the context; incomplete where ``complete`` is false."""
    complete: bool
    name: str
    """Of the document; may be empty."""
    mark: str
    """By which the context is known again."""
    landmarks: list[LandmarkDict]
    """Where its files, sections and pages begin."""


class Context(TypedDict):
    """What is known of the context that calls read."""

    length: int
    name: str
    mark: str
    landmarks: list[LandmarkDict]


NO_CONTEXT = Context(length=0, name="", mark="", landmarks=[])


class Evidence(Observer):
    """Gathers the evidence for the answers of a session.

    What calls read is looked for after each cell, while the model writes the next one; what an answer cites when there
    is one. Both are asked of the namespace, where the context is; a namespace that cannot say leaves them out.

    Args:
        executor: Has the context.
        tree: The session's.
    """

    def __init__(self, executor: Executor, tree: Tree) -> None:
        self.executor = executor
        """Has the context."""
        self._tree = tree
        self._spans: dict[NodeId, list[Span]] = {}
        self._context: Context | None = None
        """The one that was looked through last."""
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
                if node_id not in self._tree:  # its branch was deleted
                    del self._due[node_id]
                    continue
                node = self._tree[node_id]
                if batch and chars + len(node.prompt) > AT_ONCE:
                    break
                batch.append(node)
                chars += len(node.prompt)
                del self._due[node_id]
            mark = self._context["mark"] if self._context is not None else ""
            fields = {"texts": [node.prompt for node in batch], "mark": mark}
            try:
                said = await self.executor.look("cover", fields)
            except RlmError as problem:
                log.info("what was read cannot be told: %s", problem)
                return
            self._context = _context(said, self._context)
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
                said = await self.executor.look("cite", {"answer": run.reply})
            except RlmError as problem:
                log.info("citations cannot be looked up: %s", problem)
                said = {}
            checked = [_checked(each) for each in said.get("citations", ())]
            if citations := [each for each in checked if not _repeats(run.prompt, each)]:
                details[CITATIONS] = citations
        changed = len(details) > len(run.details)
        run.details = details
        return changed

    def coverage(self, run: Node) -> CoverageDict | None:
        """Tell what the calls of a run have read up to now; ``None`` where none has been looked at."""
        calls = [call for turn in _turns(self._tree, run) for call in _calls(self._tree, turn)]
        context, kept = self._kept([call.id for call in calls if call.id not in self._spans])
        if context is None or not (kept or any(call.id in self._spans for call in calls)):
            return None
        # What was sent to a call that failed nobody has read.
        done = [call.id for call in calls if call.status == "done"]
        read = {name: spans for name in done if (spans := self._spans.get(name) or kept.get(name))}
        plain = [span for spans in read.values() for span in spans]
        named = [(start, end, str(name)) for name, spans in read.items() for start, end in spans]
        return CoverageDict(
            share=share(plain, context["length"]),
            calls=len(read),
            strip=[round(value, 3) for value in strip(plain, context["length"], CELLS)],
            spans=named[:MOST_SPANS],
            complete=len(named) <= MOST_SPANS,
            **context,
        )

    def _kept(self, calls: list[NodeId]) -> tuple[Context | None, dict[str, list[Span]]]:
        """Give what calls of earlier sessions have read of the same context, as their runs have kept it."""
        context, found = self._context, dict[str, list[Span]]()
        for run in {(list(self._tree.ancestors(call)) or [self._tree[call]])[-1].id: None for call in calls}:
            coverage = coverage_of(self._tree[run])
            if coverage is None or (context is not None and context["mark"] != coverage["mark"]):
                continue
            context = context or Context(**{key: coverage[key] for key in Context.__annotations__})  # type: ignore[typeddict-item,literal-required]
            for start, end, name in coverage["spans"]:
                found.setdefault(name, []).append((start, end))
        return context, found

    def read(self, run: Node) -> list[tuple[int, int, str]]:
        """Give which part which call of a run has read: of one that is over as it is kept, else up to now."""
        coverage = coverage_of(run) or self.coverage(run)
        return [(start, end, name) for start, end, name in coverage["spans"]] if coverage is not None else []

    def read_below(self, run: Node, node: Node, batch: str | None = None) -> list[Span]:
        """Give which parts a node of a run, or what is below it, has read, in order.

        Args:
            run: The question.
            node: A turn, a call or a child run of it.
            batch: Only the calls of this batch below the node.
        """
        if batch is None:
            calls = [node] if node.kind == "call" else list(_calls(self._tree, source(self._tree, node)))
        else:
            above = source(self._tree, node)
            members = [each for each in self._tree.children(above.id) if each.batch == batch]
            calls = [call for each in members for call in ([each] if each.kind == "call" else _calls(self._tree, each))]
        names = {str(call.id) for call in calls}
        return merged((start, end) for start, end, name in self.read(run) if name in names)


def _context(said: Mapping[str, Any], before: Context | None) -> Context:
    """Take what a namespace says of the context; where it is still the same, it does not say it again."""
    if not said.get("length"):
        return NO_CONTEXT
    if "mark" not in said:
        return before or NO_CONTEXT
    marks = [each for each in said.get("landmarks", ()) if each.get("kind") in ("file", "section", "page")]
    return Context(
        length=int(said["length"]),
        name=str(said.get("name", ""))[:200],
        mark=str(said["mark"])[:80],
        landmarks=[
            {"start": int(each["start"]), "kind": each["kind"], "label": str(each["label"])[:200]} for each in marks
        ],
    )


def _turns(tree: Tree, run: Node) -> Iterator[Node]:
    """Give the turns of a run and of those it went on with; in the place of those that it took over, their sources."""
    for each in runs_of(tree, run):
        for turn in tree.children(each.id):
            yield source(tree, turn)


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


def _repeats(question: str, citation: CitationDict) -> bool:
    """Tell whether an answer only repeats words of the question, which need not stand in the document."""
    asked, said = (" ".join(_WORD.findall(text.lower())) for text in (question, citation["text"]))
    return citation["kind"] == "quotation" and citation["status"] == "not found" and f" {said} " in f" {asked} "


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
