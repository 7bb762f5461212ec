"""How the tutor counts and lists what stands in a text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rlm_kernel.models.tutor.asks import Ask, Beyond, Describe, Extreme, Frequent, Occurrences, Search, Units, UnitsWith
from rlm_kernel.models.tutor.on_passages import beyond
from rlm_kernel.models.tutor.on_table import read_rows
from rlm_kernel.models.tutor.state import Policy, State, failed, plain, single
from rlm_kernel.models.tutor.steps import step
from rlm_kernel.models.tutor.units import UNITS, division, plural, unit_of

if TYPE_CHECKING:
    from collections.abc import Generator

    from rlm_kernel.models.tutor.transcript import Shown
    from rlm_kernel.models.tutor.wording import Clause


def answer(state: State, clause: Clause, ask: Ask) -> Policy:
    """Answer one clause that asks for a count, a listing or a measure."""
    if isinstance(ask, Occurrences):
        yield from _occurrences(ask)
    elif isinstance(ask, Units):
        yield from _units(state, clause, ask)
    elif isinstance(ask, UnitsWith):
        yield from _units_with(state, clause, ask)
    elif isinstance(ask, Extreme):
        yield from _extreme(state, clause, ask)
    elif isinstance(ask, Frequent):
        limit = f" (words of {ask.letters} letters and more)" if ask.letters > 1 else ""
        yield from single(step("text/frequent", letters=ask.letters, number=ask.number, limit=limit))
    elif isinstance(ask, Describe):
        yield from _describe(state)


def _occurrences(ask: Occurrences) -> Policy:
    search, term = ask.search, ask.search.terms[0]
    pattern = _source(search.patterns()[0])
    shown = yield step(
        "text/occurrences", said=f"“{plain(term)}”", term=repr(term), pattern=pattern, flags=_flags(search)
    )
    if shown.failed:
        yield failed(shown)
        return
    check = step("text/occurrences_check", how=repr(reading(search)), how_words=reading(search), others=_others(search))
    yield from single(check, "agrees")


def _unit(state: State, noun: str) -> Generator[str, Shown, tuple[str, str] | None]:
    """Say what one "verse" or "row" is in this document and what to note of it; ``None`` where that cannot be known."""
    unit = unit_of(noun, state.shape)
    if unit == "verse":
        shown = yield step("text/labels")
        filled = shown.number("filled")
        if shown.failed or filled < 1 or shown.number("labelled") != filled:
            return None
        return (
            "filled",
            f"; each line begins with a reference such as Mark 4:1, so a line was taken as one of the “{noun}”",
        )
    if unit in ("row", "column"):
        yield from read_rows(state)
        if state.columns is None:
            return None
        header = state.shape.kind == "csv" and unit == "row"
        return unit, "; the header line is not counted" if header else ""
    note = f"; “{noun}” were taken as lines" if unit == "line" and noun not in ("line", "lines") else ""
    return (unit, note) if unit else None


def _units(state: State, clause: Clause, ask: Units) -> Policy:
    found = yield from _unit(state, ask.noun)
    code = (UNITS[found[0]].empty if ask.empty else division(found[0], state.shape)[0]) if found else ""
    if not found or not code:
        yield from _unknown(state, clause, f"empty {ask.noun}" if ask.empty else ask.noun)
    else:
        yield from single(step("text/count_units", noun=plural(found[0]), code=code, note=found[1]))


def _units_with(state: State, clause: Clause, ask: UnitsWith) -> Policy:
    found = yield from _unit(state, ask.noun)
    # Rows are searched as lines; a table with line breaks inside its cells cannot be.
    broken = found and found[0] == "row" and state.row_count != state.shape.lines - 1
    if not found or broken or not UNITS[found[0]].spans:
        yield from _unknown(state, clause, ask.noun)
        return
    (unit, note), search = found, ask.search
    test, said = tested(search, ask.negate)
    common = {"noun": plural(unit), "how_words": _how_words(search), "note": note}
    values = {
        "patterns": f"[{', '.join(map(_source, search.patterns()))}]",
        "flags": _flags(search),
        "units": division(unit, state.shape)[1],
        "test": test,
    }
    shown = yield step("text/units_with", test_words=plain(said), that=repr(said), **values, **common)
    if shown.failed:
        yield failed(shown)
    elif shown.number("found") == 0 and not ask.negate:
        yield from single(step("text/none_found", terms=repr(list(search.terms)), **common))
    elif ask.action == "count":
        yield from single(_count_check(search, test, common), "agrees")
    elif ask.action == "list":
        yield from single(step("text/list_check", **common), "agrees")
    else:
        yield from single(_end_check(ask, test, common), "agrees")


def _extreme(state: State, clause: Clause, ask: Extreme) -> Policy:
    found = yield from _unit(state, ask.noun)
    label = bool(found and found[0] == "filled")
    if not found or not UNITS[found[0]].spans or (ask.after_label and not label):
        yield from _unknown(state, clause, ask.noun)
        return
    how = "counted after the reference" if label else "without white space at its ends; empty ones are left out"
    reply = step(
        "text/extreme",
        noun=plural(found[0]),
        units=division(found[0], state.shape)[1],
        measure='unit.partition(" ")[2].strip()' if label else "unit.strip()",
        how_words=how,
        which="longest" if ask.longest else "shortest",
        reverse=ask.longest,
    )
    yield from single(reply)


def _describe(state: State) -> Policy:
    yield from read_rows(state)
    said = ""
    if state.columns is not None:
        names = ", ".join(f"`{name}`" for name in state.columns.names)
        said = f" It can be read as {state.row_count:,} rows ({state.shape.kind}) with the columns {names}."
    yield from single(step("text/describe", shape=repr(said)))


def _unknown(state: State, clause: Clause, noun: str) -> Policy:
    reason = f"I cannot tell what counts as one of the “{noun}” in this document."
    able = "I count lines, words, characters, paragraphs, files, the pages of a PDF and the rows of a table."
    yield from beyond(state, Beyond(clause.original, f"{reason} {able}"))


def reading(search: Search) -> str:
    """Say how texts are compared; one of the names of the readings in the cells."""
    case = "case-sensitive" if search.case else "ignoring case"
    return f"{case}, {'whole word' if search.whole else 'also inside words'}"


def _how_words(search: Search) -> str:
    return reading(search).removesuffix(", also inside words") if search.where != "in" else reading(search)


def _source(pattern: str) -> str:
    """Write a regular expression as Python source, raw where that is possible, because it is there to be read."""
    raw = '"' not in pattern and not pattern.endswith("\\") and pattern.isprintable()
    return f'r"{pattern}"' if raw else repr(pattern)


def _flags(search: Search) -> str:
    return "0" if search.case else "re.IGNORECASE"


def _others(search: Search) -> str:
    """Write the expression that adds the other readings, where the question left open which one is meant."""
    return '""' if search.said else "others"


def tested(search: Search, negate: bool) -> tuple[str, str]:
    """Give the test as code and as words."""
    verb = {"in": "contain", "start": "begin with", "end": "end with"}[search.where]
    terms = [f"“{term}”" for term in search.terms]
    word = " and " if search.join == "all" else " or "
    listed = terms[0] if len(terms) == 1 else ", ".join(terms[:-1]) + word + terms[-1]
    if negate:
        return "not patterns[0].search(unit)", f"do not {verb} {listed}"
    return f"{search.join}(pattern.search(unit) for pattern in patterns)", f"{verb} {listed}"


def bodies(search: Search) -> str:
    """Write the expression that makes a pattern of ``body``, the pattern of a term."""
    return {"in": "body", "start": 'r"\\A\\s*" + body', "end": 'body + r"\\s*\\Z"'}[search.where]


def _count_check(search: Search, test: str, common: dict[str, str]) -> str:
    values = {"terms": repr(list(search.terms)), "body": bodies(search), "how": repr(reading(search))}
    return step("text/count_check", test=test, others=_others(search), **values, **common)


def _end_check(ask: UnitsWith, test: str, common: dict[str, str]) -> str:
    first = ask.action == "first"
    return step(
        "text/end_check",
        test=test,
        index=0 if first else -1,
        rest=f"[other for at, other in units if at {'<' if first else '>'} start]",
        end="first" if first else "last",
        beyond="before" if first else "after",
        **common,
    )
