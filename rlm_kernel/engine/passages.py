"""A passage of the context as it can be shown now: with what stands around it, or why that is not there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypedDict

from rlm_kernel.contexts.passages import AROUND, PassageDict
from rlm_kernel.engine.evidence import citations_of, coverage_of
from rlm_kernel.errors import InputError, RlmError

if TYPE_CHECKING:
    from rlm_kernel.contexts.cited import CitationDict
    from rlm_kernel.engine.executor import Executor
    from rlm_kernel.trace.records import Node

PassageState = Literal["there", "changed", "gone", "nowhere"]
"""``there``: as it stands in the context now. ``changed``: the context is another one. ``gone``: there is none, or it
cannot be looked at. ``nowhere``: what is cited is not in the document."""
KEPT = 4000
"""Characters of a passage that are kept with a citation."""
LOAD = "Load the document again to see what stands around it."


class ShownPassage(TypedDict):
    """A passage, as far as it can be shown."""

    state: PassageState
    text: str
    """Why it cannot be shown as it stands in the document, for people; empty where it can."""
    passage: PassageDict | None
    """As it stands in the document; where that is not there any more, as it was kept with the answer."""


def citation_of(run: Node, number: int) -> CitationDict:
    """Give a citation of a run's answer, counted from 0.

    Raises:
        InputError: There is none with this number.
    """
    citations = citations_of(run)
    if not 0 <= number < len(citations):
        raise InputError("This answer has no such citation.", "It may have been replaced: look at the answer again.")
    return citations[number]


async def cited_passage(executor: Executor, citation: CitationDict, around: int = AROUND) -> ShownPassage:
    """Give the passage that a citation was found in; waits for a running cell.

    Args:
        executor: Has the context.
        citation: As it was looked up.
        around: Characters before and behind it.
    """
    if not citation["place"]:
        return ShownPassage(state="nowhere", text=citation["difference"] or "It was not found.", passage=None)
    start, end = citation["place"]
    said, problem = await _look(executor, start, end, citation["source"], around)
    found = said.get("passage")
    if found is not None and found["passage"][:KEPT] == citation["passage"][:KEPT]:
        return ShownPassage(state="there", text="", passage=found)
    text = problem or "The document is not loaded any more, or is another one now."
    text = f"{text} This is what stood there when the answer was given. {LOAD}"
    kept = PassageDict(
        where=citation["where"],
        before="",
        passage=citation["passage"],
        left_out=max(0, end - start - KEPT),
        after="",
        start=start,
        end=end,
        length=0,
        source=citation["source"],
    )
    return ShownPassage(state="changed" if found is not None else "gone", text=text, passage=kept)


async def read_passage(executor: Executor, run: Node, start: int, end: int, around: int = AROUND) -> ShownPassage:
    """Give a part of the context that a question was asked of; waits for a running cell.

    Args:
        executor: Has the context.
        run: The question.
        start: First character.
        end: Behind the last one.
        around: Characters before and behind it.
    """
    said, problem = await _look(executor, start, end, "", around)
    found = said.get("passage")
    if found is None:
        text = problem or "There is no document now, or not the one that this question was asked of."
        return ShownPassage(state="gone", text=f"{text} {LOAD}", passage=None)
    coverage = coverage_of(run)
    if coverage is not None and said.get("mark") != coverage["mark"]:
        text = f"The document is another one now than the question was asked of. {LOAD}"
        return ShownPassage(state="changed", text=text, passage=None)
    return ShownPassage(state="there", text="", passage=found)


async def _look(executor: Executor, start: int, end: int, source: str, around: int) -> tuple[dict[str, Any], str]:
    fields = {"start": start, "end": end, "source": source, "around": around}
    try:
        said = dict(await executor.look("passage", fields))
    except RlmError as problem:
        return {}, f"The document cannot be looked at: {problem.message}"
    found = said.get("passage")
    if not isinstance(found, dict):
        return {**said, "passage": None}, ""
    texts = {name: str(found.get(name, "")) for name in ("where", "before", "passage", "after", "source")}
    numbers = {name: int(found.get(name, 0)) for name in ("left_out", "start", "end", "length")}
    return {**said, "passage": {**texts, **numbers}}, ""
