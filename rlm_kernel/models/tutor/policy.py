"""What the tutor does next: a conversation written down as a generator.

The policy yields a reply (prose and one cell) and is sent what the cell showed. It keeps nothing between two requests:
for each turn it is played again from the beginning with what its cells have shown so far, so the same messages always
give the same reply. A text of the question or the document gets into a cell only as a Python literal.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rlm_kernel.models.tutor import asks, on_disk, on_passages, on_table, on_text, shape
from rlm_kernel.models.tutor.asks import Beyond, Lookup
from rlm_kernel.models.tutor.state import HELP, Policy, State, failed, plain
from rlm_kernel.models.tutor.steps import step
from rlm_kernel.models.tutor.wording import Clause, clauses

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rlm_kernel.models.tutor.transcript import Shown


def next_reply(question: str, shown: Sequence[Shown]) -> str:
    """Write the next reply of a run.

    Args:
        question: What the person asked.
        shown: What the cells have shown, one for each turn that is over.
    """
    policy = _run(question)
    reply = next(policy)
    for result in shown:
        try:
            reply = policy.send(result)
        except StopIteration:
            return step("start/again", message=repr(f"I have nothing to add. {HELP}"))
    return reply


def _run(question: str) -> Policy:
    look = yield step("start/look")
    kind = look.value("type")
    if kind == "Text":
        prepared = yield step("disk/prepare")
    elif kind in ("list", "tuple"):
        prepared = yield step("start/prepare_list", type=kind)
    else:
        prepared = yield step(f"start/prepare_{kind if kind in ('dict', 'files') else 'text'}")
    if prepared.failed and kind != "Text":
        kind = "text"
        prepared = yield step("start/prepare_simply", error=plain(prepared.error))
    if prepared.failed:
        yield failed(prepared)
    else:
        yield from _parts(question, State(shape.judge(kind, look, prepared)))
    yield step("start/final")


def _parts(question: str, state: State) -> Policy:
    """Answer each question in the question by itself; a part whose cell fails is left open, and the answer says so."""
    for number, clause in enumerate(clauses(question) or [Clause(question, "", (), None, None)]):
        for ask in asks.understand(clause, follows=number > 0):
            if state.shape.type == "Text":
                yield from on_disk.answer(state, clause, ask)
            elif isinstance(ask, Beyond | Lookup):
                done = yield from on_table.answer(state, clause)
                if not done:
                    yield from on_passages.answer(state, ask)
            else:
                yield from on_text.answer(state, clause, ask)
