"""How the tutor counts in a text that is too large to be one string."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rlm_kernel.models.tutor.asks import Ask, Beyond, Lookup, Occurrences, Units, UnitsWith
from rlm_kernel.models.tutor.on_passages import beyond
from rlm_kernel.models.tutor.on_text import bodies, reading, tested
from rlm_kernel.models.tutor.state import Policy, State, plain, single
from rlm_kernel.models.tutor.steps import step

if TYPE_CHECKING:
    from rlm_kernel.models.tutor.wording import Clause

ABLE = (
    "The text is so large that it stays on disk. In such a text I count lines, characters, how often a quoted text "
    'occurs, and the lines that contain one. In a cell of yours `context.search_ranked("words")` finds passages, and '
    "`context.finditer(pattern)` places."
)
_LINES, _CHARACTERS = ("line", "lines"), ("character", "characters", "chars")


def answer(state: State, clause: Clause, ask: Ask) -> Policy:
    """Answer one clause by going through the text in pieces, or say that it is beyond that."""
    if isinstance(ask, Units) and not ask.empty and ask.noun in (*_LINES, *_CHARACTERS):
        yield from single(step("disk/lines" if ask.noun in _LINES else "disk/characters"))
    elif isinstance(ask, Occurrences):
        term, search = ask.search.terms[0], ask.search
        how = repr(reading(search))
        others = '""' if search.said else "others"
        yield from single(step("disk/occurrences", said=f"“{plain(term)}”", term=repr(term), how=how, others=others))
    elif isinstance(ask, UnitsWith) and ask.noun in _LINES and ask.action == "count":
        search = ask.search
        test, said = tested(search, ask.negate)
        yield from single(
            step(
                "disk/lines_with",
                test_words=plain(said),
                that=repr(said),
                terms=repr(list(search.terms)),
                body=bodies(search),
                test=test,
                how=repr(reading(search)),
                others='""' if search.said else "others",
            )
        )
    else:
        words = ask.question if isinstance(ask, Lookup | Beyond) else clause.original
        yield from beyond(state, Beyond(words, ABLE))
