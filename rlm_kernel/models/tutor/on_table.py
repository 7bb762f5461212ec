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

_SUM = "(sum if all(isinstance(number, int) for number in numbers) else math.fsum)"


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
    clear = yield from _comparable(ask)
    if not clear:
        return
    odd = f" ({state.odd:,} lines or entries do not have the form of the others.)" if state.odd else ""
    notes = " + ".join([*_notes(ask), repr(odd)])
    test = _test(ask)
    said = " and ".join(condition.words() for condition in ask.conditions)
    if isinstance(ask, CountRows):
        yield from _count_rows(ask, test, said, notes)
        return
    values: dict[str, object] = {
        "column": plain(ask.column),
        "name": repr(ask.column),
        "where": f" if {test}" if ask.conditions else "",
        "said": repr(f" where {said}" if said else ""),
        "odd": notes,
    }
    if isinstance(ask, Distinct):
        yield from single(step("table/distinct", **values), "agrees")
    elif isinstance(ask, Top):
        most = "most" if ask.most else "fewest"
        yield from single(step("table/top", reverse=ask.most, most=most, number=ask.number, **values), "agrees")
    else:
        yield from _with_numbers(ask, values)


def _with_numbers(ask: Aggregate | ExtremeRow, values: dict[str, object]) -> Policy:
    among = "rows" if ask.column in _compared(ask) else "asked"  # what the condition left out is told too
    if isinstance(ask, Aggregate):
        function = {"mean": "statistics.fmean", "median": "statistics.median", "sum": _SUM}.get(
            ask.measure, ask.measure
        )
        measure = {"min": "smallest value", "max": "largest value"}.get(ask.measure, ask.measure)
        reply = step("table/aggregate", code=f"{function}(numbers)", measure=measure, among=among, **values)
    else:
        show = repr([ask.show, ask.column] if ask.show else [])
        which = "largest" if ask.highest else "smallest"
        reply = step("table/extreme_row", which=which, reverse=ask.highest, show=show, among=among, **values)
    shown = yield reply
    if shown.failed:
        yield failed(shown)
    elif shown.value("readable") != "True":
        yield step("table/no_numbers", message=repr(HELP), **values)


def _comparable(ask: TableAsk) -> Generator[str, Shown, bool]:
    """Look whether the columns of which numbers are compared have numbers; else say that this cannot be answered."""
    compared = _compared(ask)
    if not compared:
        return True
    grouped = {condition.column: condition.value for condition in ask.conditions if condition.grouped}
    columns = plain(", ".join(compared))
    shown = yield step("table/compared", column=columns, compared=repr(compared), grouped=repr(list(grouped)))
    unclear, commas = shown.value("unclear"), shown.value("commas")
    if shown.failed or not (unclear and commas):
        yield failed(shown)
        return False
    for name in json.loads(unclear)[:1]:
        values = {"column": plain(name), "name": repr(name), "where": "", "said": "''", "odd": "''"}
        yield step("table/no_numbers", message=repr(HELP), **values)
        return False
    for name in json.loads(commas)[:1]:
        value = repr(grouped[name])
        yield step("table/grouped", column=plain(name), name=repr(name), value=value, message=repr(HELP))
        return False
    return True


def _compared(ask: TableAsk) -> list[str]:
    return list(dict.fromkeys(condition.column for condition in ask.conditions if condition.compares))


def _test(ask: TableAsk, by_value: bool = False) -> str:
    return " and ".join(condition.code(by_value) for condition in ask.conditions) or "True"


def _notes(ask: TableAsk) -> list[str]:
    """Write the expressions that tell how the conditions were read, and whether another reading counts otherwise."""
    own = ask.column if isinstance(ask, Aggregate | ExtremeRow) else ""
    notes = [f"told({name!r}, rows)" for name in _compared(ask) if name != own]
    numeric = dict.fromkeys(condition.column for condition in ask.conditions if condition.numeric)
    notes += [f"marks({name!r})" for name in numeric if name != own and name not in _compared(ask)]
    if numeric:
        count, by_number = (f"sum(1 for row in rows if {_test(ask, by_value)})" for by_value in (False, True))
        notes.append(f"otherwise({count}, {by_number})")
    return notes


def _count_rows(ask: CountRows, test: str, said: str, notes: str) -> Policy:
    names = list(dict.fromkeys(condition.column for condition in ask.conditions))
    fields = plain(", ".join(names))
    shown = yield step("table/count_rows", fields=fields, test=test)
    if shown.failed:
        yield failed(shown)
        return
    remark = 'remark = ""'
    if shown.number("found") == 0:
        loose = " and ".join(_loosely(condition) for condition in ask.conditions)
        remark = (
            f"loose = sum(1 for row in rows if {loose})\n"
            'remark = f" Rows where it is part of the value, in any case: {loose:,}." if loose else ""'
        )
    check = {"fields": fields, "test": test, "names": repr(names), "said": repr(said), "odd": notes, "remark": remark}
    yield from single(step("table/count_rows_check", **check), "agrees")


def _loosely(condition: Condition) -> str:
    if condition.operator != "is":
        return condition.code()
    return f"{condition.value.lower()!r} in cell(row, {condition.column!r}).lower()"
