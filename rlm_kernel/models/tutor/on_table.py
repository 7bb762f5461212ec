"""How the tutor answers from rows with columns."""

from __future__ import annotations

import json
import re
from pathlib import PurePath
from typing import TYPE_CHECKING

from rlm_kernel.models.tutor import table
from rlm_kernel.models.tutor.state import HELP, Policy, State, failed, plain, single
from rlm_kernel.models.tutor.steps import step
from rlm_kernel.models.tutor.table import Aggregate, Columns, Condition, CountRows, Distinct, ExtremeRow, TableAsk, Top
from rlm_kernel.models.tutor.units import ROWS

if TYPE_CHECKING:
    from collections.abc import Generator

    from rlm_kernel.models.tutor.transcript import Shown
    from rlm_kernel.models.tutor.wording import Clause

_MOST_ODD = 0.05
"""Share of entries of another form above which it is not taken for a table at all."""


def read_rows(state: State) -> Policy:
    """Have a cell read the rows, once a run; the state then knows the columns, where there are any."""
    if state.rows_read or not state.shape.tabular:
        return
    state.rows_read = True
    kind = state.shape.kind
    if kind in ("web log", "log"):
        shown = yield step("table/rows_pattern", pattern=f"r'''{ROWS[kind]}'''", numbers=_numbers())
    elif kind == "mail":
        shown = yield step("table/rows_mail", numbers=_numbers())
    elif kind == "csv":
        delimiter = state.shape.delimiter
        shown = yield step("table/rows_csv", delimiter=repr(delimiter), numbers=_numbers(unsure=delimiter == ";"))
    else:
        is_list = state.shape.type in ("list", "tuple")
        parse = "values = list(context)" if is_list else ROWS[kind]
        shown = yield step("table/rows_json", parse=parse, numbers=_numbers())
    rows, odd = shown.number("rows"), shown.number("odd")
    if shown.failed or rows < 1 or odd > _MOST_ODD * (rows + odd):
        return
    try:
        names = json.loads(shown.value("columns"))
    except ValueError:
        return
    stem = re.sub(r"[_\-.]+", " ", PurePath(state.shape.name).stem.lower()) if kind == "csv" else ""
    own = [stem] if re.fullmatch(r"[a-z ]+s", stem) else []
    state.columns = Columns(names, usual=kind in ("web log", "log"), rows=own)
    state.row_count, state.odd = int(rows), int(odd)


def _numbers(unsure: bool = False) -> str:
    """Write the functions that read numbers; unsure: a comma may be a decimal one, as a semicolon parts columns."""
    return step("table/numbers", unsure=unsure).rstrip("\n")


def answer(state: State, clause: Clause) -> Generator[str, Shown, bool]:
    """Answer a clause from the rows; tells whether it was a question about columns at all."""
    yield from read_rows(state)
    ask = table.understand(clause, state.columns) if state.columns else None
    if ask is None:
        return False
    yield from _answer(state, ask)
    return True


def _answer(state: State, ask: TableAsk) -> Policy:
    odd = f" ({state.odd:,} lines or entries do not have the form of the others.)" if state.odd else ""
    test = " and ".join(condition.code() for condition in ask.conditions) or "True"
    said = " and ".join(condition.words() for condition in ask.conditions)
    if isinstance(ask, CountRows):
        yield from _count_rows(ask, test, said, odd)
        return
    values: dict[str, object] = {
        "column": plain(ask.column),
        "name": repr(ask.column),
        "where": f" if {test}" if ask.conditions else "",
        "said": repr(f" where {said}" if said else ""),
        "odd": repr(odd),
    }
    if isinstance(ask, Distinct):
        yield from single(step("table/distinct", **values), "agrees")
    elif isinstance(ask, Top):
        most = "most" if ask.most else "fewest"
        yield from single(step("table/top", reverse=ask.most, most=most, number=ask.number, **values), "agrees")
    elif isinstance(ask, Aggregate):
        function = {"mean": "statistics.fmean", "median": "statistics.median", "sum": "math.fsum"}.get(
            ask.measure, ask.measure
        )
        measure = {"min": "smallest value", "max": "largest value"}.get(ask.measure, ask.measure)
        code = f"{function}(numbers)"
        yield from _with_numbers(ask, said, step("table/aggregate", code=code, measure=measure, **values))
    else:
        shows = [ask.show, ask.column] if ask.show else []
        which = "largest" if ask.highest else "smallest"
        yield from _with_numbers(
            ask, said, step("table/extreme_row", which=which, reverse=ask.highest, show=repr(shows), **values)
        )


def _with_numbers(ask: Aggregate | ExtremeRow, said: str, reply: str) -> Policy:
    shown = yield reply
    if shown.failed:
        yield failed(shown)
    elif not _mostly_numbers(shown):
        yield _no_numbers(ask.column, f" where {said}" if said else "")


def _mostly_numbers(shown: Shown, place: int = 0) -> bool:
    """Tell whether a column has numbers, and more of them than other values."""
    numbers, others = shown.numbers("numbers")[place:], shown.numbers("others")[place:]
    return bool(numbers and others) and numbers[0] > others[0]


def _no_numbers(column: str, said: str = "") -> str:
    return step("table/no_numbers", column=plain(column), name=repr(column), said=repr(said), message=repr(HELP))


def _count_rows(ask: CountRows, test: str, said: str, odd: str) -> Policy:
    names = list(dict.fromkeys(condition.column for condition in ask.conditions))
    fields = plain(", ".join(names))
    compared = list(dict.fromkeys(condition.column for condition in ask.conditions if condition.compares))
    shown = yield step("table/count_rows", fields=fields, test=test, compared=repr(compared))
    if shown.failed:
        yield failed(shown)
        return
    for number, column in enumerate(compared):
        if not _mostly_numbers(shown, number):
            yield _no_numbers(column)
            return
    remark = 'remark = ""'
    if shown.number("found") == 0:
        loose = " and ".join(_loosely(condition) for condition in ask.conditions)
        remark = (
            f"loose = sum(1 for row in rows if {loose})\n"
            'remark = f" Rows where it is part of the value, in any case: {loose:,}." if loose else ""'
        )
    check = {
        "fields": fields,
        "test": test,
        "names": repr(names),
        "said": repr(said),
        "odd": repr(odd),
        "remark": remark,
        "compared": repr(compared),
        "by_value": " and ".join(condition.code(by_value=True) for condition in ask.conditions),
    }
    yield from single(step("table/count_rows_check", **check), "agrees")


def _loosely(condition: Condition) -> str:
    if condition.operator != "is":
        return condition.code()
    return f"{condition.value.lower()!r} in cell(row, {condition.column!r}).lower()"
