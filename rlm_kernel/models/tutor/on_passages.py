"""How the tutor looks passages up, and how it says that a question is beyond it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from rlm_kernel.models.tutor.asks import Beyond, Lookup
from rlm_kernel.models.tutor.state import HELP, Policy, State, failed, single
from rlm_kernel.models.tutor.steps import step

if TYPE_CHECKING:
    from rlm_kernel.models.tutor.transcript import Shown

PASSAGE_CHARS = 700
"""Characters of a passage, up to the end of a line; where each line stands for itself, a passage is one line."""
_FOOT = "; whether they answer the question is for you to see. A model reads better: `%rlm --model NAME`.*"
_NO_MATCH = "I found no passage that clearly answers this."
_ITEMS = "[(start, start + len(part)) for start, part in zip(starts, parts)]"
_WHOLE_LINE = "start, quote = passages[i][0], text[slice(*passages[i])].rstrip()  # a line is one record: cite it whole"
_AS_QUOTED = "quote = text[start:start + len(quote)]"
_NO_CHOICE = (
    "Several passages match the words of the question about equally well, and I cannot tell which of them answers it."
)


def answer(state: State, ask: Lookup | Beyond) -> Policy:
    """Quote what matches a question, or say why it is not answered and point to the nearest passages."""
    if isinstance(ask, Lookup):
        yield from _look_up(state, ask)
    else:
        yield from beyond(state, ask)


def beyond(state: State, ask: Beyond) -> Policy:
    """Say that a question is not answered, and why."""
    question = " ".join(ask.question.split())
    said = f"“{question if len(question) <= 120 else question[:119] + '…'}” is a question I do not answer. {ask.reason}"
    if state.columns is not None:
        names = ", ".join(f"`{name}`" for name in state.columns.names[:30])
        said += (
            f" Of this table I understand questions such as: How many rows have COLUMN VALUE? Its columns are {names}."
        )
    if ask.words:
        ranked = yield _rank(state, ask, 3)
        if not ranked.failed:
            yield from single(step("lookup/draft_weak", reason=repr(said), help=repr(HELP)))
            return
    yield from single(step("lookup/beyond", reason=repr(said), help=repr(HELP)))


def _look_up(state: State, ask: Lookup) -> Policy:
    shown = yield _rank(state, ask, 8)
    reason = _NO_MATCH
    if shown.number("likely") > 0:
        absent = len(re.findall(r"'[^']*'", shown.value("absent")))
        asked = yield step("lookup/ask")
        shown = asked
        if not asked.failed:
            whole = _WHOLE_LINE if state.shape.line_records else _AS_QUOTED
            shown = yield step("lookup/quotes", whole=whole)
            kind, reason = _judge(ask, absent, shown)
            if kind:
                yield from single(step(f"lookup/{kind}", foot=repr(_FOOT)))
                return
    if shown.failed:
        yield failed(shown)
    else:
        yield from single(step("lookup/draft_weak", reason=repr(reason), help=repr(HELP)))


def _rank(state: State, ask: Lookup | Beyond, top: int) -> str:
    return step(
        "lookup/rank",
        question=repr(ask.question),
        words=repr(list(ask.words)),
        phrases=repr(list(ask.phrases)),
        size=0 if state.shape.line_records else PASSAGE_CHARS,
        spans=_ITEMS if state.shape.kind in ("list", "dict", "files") else "[(0, len(text))]",
        top=top,
    )


def _judge(ask: Lookup, absent: int, quotes: Shown) -> tuple[str, str]:
    """Say how far the quotations carry: the step that gives them, or the reason why they are only pointers."""
    share, second = quotes.number("best share"), quotes.number("second share")
    exact = not ask.phrases or quotes.number("exact") > 0
    if quotes.failed or share < 50 or 2 * absent > len(ask.words) or not exact:
        return "", _NO_MATCH
    if ask.many or (second >= 95 and share >= 95):
        return "draft_passages", ""
    return ("", _NO_CHOICE) if second >= share - 5 else ("draft_best", "")
