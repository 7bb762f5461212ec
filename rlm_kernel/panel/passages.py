"""What views ask of the document: which parts of it were read, by whom, and what stands there."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, cast

from rlm_kernel.contexts.cover import share, strip
from rlm_kernel.contexts.passages import AROUND, MOST_AROUND
from rlm_kernel.engine.evidence import citations_of, coverage_of, read_text
from rlm_kernel.engine.passages import citation_of, cited_passage, read_passage
from rlm_kernel.errors import InputError
from rlm_kernel.panel.fields import number, text
from rlm_kernel.panel.messages import CoverageMessage, CoverageShown, PassageMessage, ReadersMessage

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping

    from rlm_kernel.engine.evidence import CoverageDict
    from rlm_kernel.engine.session import Session
    from rlm_kernel.ids import NodeId
    from rlm_kernel.panel.messages import ToView
    from rlm_kernel.trace.records import Node

MOST_READERS = 500
"""Calls that one answer names."""
FRESH_SECONDS = 20.0
"""So long a passage that a person has clicked waits for a view that is only being opened."""
NO_TEXT = (
    "There is no text in the context (it may be a table), or too much of it, so there is no picture of what was read."
)
NO_CALLS = "No call has been made yet: here is shown which parts of the document calls were given to read."
NO_CALLS_EVER = "No call was made for this answer: the model has found it with code alone."
NOT_YET = "Which parts of the document the calls were given is looked up when their cell has run."
NOT_KNOWN = "Which parts of the document these calls were given is not known."


class Passages:
    """Answers for the document of one session.

    Args:
        session: Has the evidence.
        send: Takes one message for the views.
        spawn: Does what must wait for a running cell.
    """

    def __init__(
        self, session: Session, send: Callable[[ToView], None], spawn: Callable[[Coroutine[object, object, None]], None]
    ) -> None:
        self._session = session
        self._tree = session.tree
        self._send = send
        self._spawn = spawn
        self._shown: tuple[float, PassageMessage] | None = None
        """What a person has clicked in the notebook last, and when."""

    def ways(self) -> dict[object, Callable[[Mapping[str, object]], None]]:
        """Give what does each request."""
        return {"coverage": self._coverage, "readers": self._readers, "passage": self._passage}

    # ---- which parts were read -----------------------------------------------------------------------------------

    def _coverage(self, told: Mapping[str, object]) -> None:
        run, of, batch = self._run(told), told.get("of"), told.get("batch")
        coverage = coverage_of(run) or self._session.evidence.coverage(run)
        own: list[tuple[int, int]] = []
        if isinstance(of, str) and of != run.id and of in self._tree:
            node = self._tree[cast("NodeId", of)]
            own = self._session.evidence.read_below(run, node, batch if isinstance(batch, str) else None)
        length = coverage["length"] if coverage is not None else 0
        message = CoverageMessage(
            kind="coverage",
            view=text(told, "view"),
            id=run.id,
            of=of if isinstance(of, str) else None,
            batch=batch if isinstance(batch, str) else None,
            coverage=_shown(coverage),
            own=[round(value, 3) for value in strip(own, length, len(coverage["strip"]))] if own and coverage else [],
            own_share=share(own, length),
            text=self._words(run, coverage),
        )
        self._send(message)

    def _words(self, run: Node, coverage: CoverageDict | None) -> str:
        if coverage is not None:
            return (read_text(coverage) or "No call has read any of the document.") if coverage["length"] else NO_TEXT
        over = run.outcome is not None
        if not self._made_calls(run):
            return NO_CALLS_EVER if over else NO_CALLS
        return NOT_KNOWN if over else NOT_YET

    def _made_calls(self, run: Node) -> bool:
        waiting = [run.id]
        while waiting:
            below = self._tree.children(waiting.pop())
            if any(node.kind == "call" for node in below):
                return True
            waiting += [node.id for node in below]
        return False

    def _readers(self, told: Mapping[str, object]) -> None:
        run, start, end = self._run(told), number(told, "start"), number(told, "end")
        ids = self._who_read(run, start, end)
        coverage = coverage_of(run)
        message = ReadersMessage(
            kind="readers",
            view=text(told, "view"),
            id=run.id,
            start=start,
            end=end,
            ids=ids[:MOST_READERS],
            count=len(ids),
            complete=coverage is None or coverage["complete"],
        )
        self._send(message)

    def _who_read(self, run: Node, start: int, end: int) -> list[str]:
        read = sorted(self._session.evidence.read(run), key=lambda span: span[0])
        return list(dict.fromkeys(name for first, last, name in read if first < max(end, start + 1) and last > start))

    # ---- what stands there ---------------------------------------------------------------------------------------

    def _passage(self, told: Mapping[str, object]) -> None:
        run, view = self._run(told), text(told, "view")
        around = min(number(told, "around"), MOST_AROUND) if "around" in told else AROUND
        if "number" in told:
            which = number(told, "number")
            citation_of(run, which)
            self._spawn(self._say_citation(run, which, around, view))
            return
        start, end = number(told, "start"), number(told, "end")
        if end < start:
            raise InputError("A passage does not end before it begins.")
        self._spawn(self._say_part(run, start, end, around, view))

    async def _say_part(self, run: Node, start: int, end: int, around: int, view: str) -> None:
        shown = await read_passage(self._session.evidence.executor, run, start, end, around)
        message = PassageMessage(
            kind="passage",
            view=view,
            id=run.id,
            number=None,
            count=len(citations_of(run)),
            citation=None,
            readers=self._who_read(run, start, end)[:MOST_READERS],
            state=shown["state"],
            text=shown["text"],
            passage=shown["passage"],
        )
        self._send(message)

    async def _say_citation(self, run: Node, which: int, around: int, view: str) -> None:
        message = await self._cited(run, which, around)
        message["view"] = view
        self._send(message)

    async def _cited(self, run: Node, which: int, around: int = AROUND) -> PassageMessage:
        citation = citation_of(run, which)
        shown = await cited_passage(self._session.evidence.executor, citation, around)
        place = citation["place"]
        # The places of several documents are not those of one picture.
        readers = self._who_read(run, *place)[:MOST_READERS] if place and not citation["source"] else []
        return PassageMessage(
            kind="passage",
            id=run.id,
            number=which,
            count=len(citations_of(run)),
            citation=citation,
            readers=readers,
            state=shown["state"],
            text=shown["text"],
            passage=shown["passage"],
        )

    def show(self, run: Node, which: int) -> None:
        """Show a citation in all views, and in one that is opened for it.

        Raises:
            InputError: The answer has no such citation.
        """
        citation_of(run, which)

        async def say() -> None:
            message = await self._cited(run, which)
            self._shown = time.monotonic(), message
            self._send(message)

        self._spawn(say())

    def welcome(self, view: str) -> None:
        """Show a view that has just been opened what it was opened for."""
        if self._shown is not None and time.monotonic() - self._shown[0] < FRESH_SECONDS:
            message = self._shown[1].copy()
            message["view"] = view
            self._send(message)

    def _run(self, told: Mapping[str, object]) -> Node:
        run_id = text(told, "id")
        if run_id not in self._tree:
            raise InputError("This question is not in the tree any more.", "Choose another one.")
        return self._tree[run_id]  # type: ignore[index]


def _shown(coverage: CoverageDict | None) -> CoverageShown | None:
    if coverage is None:
        return None
    return CoverageShown(
        length=coverage["length"],
        share=coverage["share"],
        calls=coverage["calls"],
        strip=coverage["strip"],
        name=coverage["name"],
        landmarks=coverage["landmarks"],
    )
