"""Questions of the Oolong kind: how labels are spread over lines, people and time.

The forms follow the question types of Oolong (Bertsch et al. 2025, arXiv 2511.02817, tables 15 to 17); the words and
the lines are our own. Questions with a tie are left out, as there.
"""

from __future__ import annotations

import random
from collections import Counter
from datetime import date
from typing import TYPE_CHECKING, cast

from rlm_kernel.bench.items import LABELS
from rlm_kernel.bench.lines import FIRST_DAY, show_day
from rlm_kernel.bench.tasks import Kind, Task

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from rlm_kernel.bench.lines import Row

Spec = dict[str, object]

_ONE_OF = f"one of: {', '.join(LABELS)}"


def make_tasks(rows: Sequence[Row], seed: int) -> list[Task]:
    """Make the questions about a context, with their answers."""
    rng = random.Random(f"oolong {seed}")
    tasks = []
    for number, (kind, spec) in enumerate(_specs(rows, rng), 1):
        answer = solve(spec, rows)
        if answer is not None:
            name = str(spec["ask"])
            tasks.append(Task(f"oolong-{number:02}-{name}", _word(spec), answer, kind, spec))
    return tasks


def _specs(rows: Sequence[Row], rng: random.Random) -> list[tuple[Kind, Spec]]:
    a, b, c = rng.sample(LABELS, 3)
    users = [user for user, _ in Counter(row.user for row in rows).most_common(3)]
    days = sorted(row.day for row in rows)
    middle = days[len(days) // 2].isoformat()
    year = days[len(days) // 2].year
    span: Spec = {"first": date(year, 1, 1).isoformat(), "last": date(year, 12, 31).isoformat()}
    return [
        ("label", {"ask": "most_label"}),
        ("label", {"ask": "least_label"}),
        ("comparison", {"ask": "compare", "a": a, "b": b}),
        ("comparison", {"ask": "compare", "a": b, "b": c}),
        ("number", {"ask": "count", "label": a}),
        ("number", {"ask": "count", "label": b}),
        ("number", {"ask": "count", "label": c}),
        ("user", {"ask": "most_user"}),
        ("user", {"ask": "second_user"}),
        ("user", {"ask": "most_user", "label": a}),
        ("label", {"ask": "most_label", "users": users}),
        ("number", {"ask": "count", "label": b, "users": users[:2]}),
        ("comparison", {"ask": "compare", "a": a, "b": c, "users": users}),
        ("comparison", {"ask": "around", "label": a, "day": middle}),
        ("comparison", {"ask": "around", "label": c, "day": middle}),
        ("number", {"ask": "count", "label": a, **span}),
        ("label", {"ask": "most_label", **span}),
        ("date", {"ask": "most_day"}),
        ("number", {"ask": "months", "a": a, "b": b}),
        ("number", {"ask": "months", "a": c, "b": a}),
    ]


def solve(spec: Mapping[str, object], rows: Sequence[Row]) -> str | None:
    """Work out the answer by rule from rows with labels; ``None`` where two answers are equally right."""
    rows = [row for row in rows if _is_meant(spec, row)]
    return _SOLVERS[str(spec["ask"])](spec, rows)


def _is_meant(spec: Mapping[str, object], row: Row) -> bool:
    if "users" in spec and row.user not in cast("list[int]", spec["users"]):
        return False
    return "first" not in spec or str(spec["first"]) <= row.day.isoformat() <= str(spec["last"])


def _top(counts: Counter[object], place: int = 0) -> object | None:
    """Give the most frequent thing, or the one at a place behind it; ``None`` where it shares its place."""
    ranked = counts.most_common()
    if len(ranked) <= place or any(n == ranked[place][1] for at, (_, n) in enumerate(ranked) if at != place):
        return None
    return ranked[place][0]


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _most_label(_: Mapping[str, object], rows: Sequence[Row]) -> str | None:
    return _text(_top(Counter(row.label for row in rows)))


def _least_label(_: Mapping[str, object], rows: Sequence[Row]) -> str | None:
    counts = Counter(dict.fromkeys(LABELS, 0))
    counts.update(row.label for row in rows)
    return _text(_top(Counter({label: -number for label, number in counts.items()})))


def _than(a: float, b: float) -> str:
    return "same frequency as" if a == b else "more common than" if a > b else "less common than"


def _compare(spec: Mapping[str, object], rows: Sequence[Row]) -> str:
    counts = Counter(row.label for row in rows)
    return _than(counts[str(spec["a"])], counts[str(spec["b"])])


def _around(spec: Mapping[str, object], rows: Sequence[Row]) -> str:
    """Compare the share of a label before a day with its share after it."""

    def share(part: list[Row]) -> float:
        return sum(row.label == spec["label"] for row in part) / len(part) if part else 0.0

    day = str(spec["day"])
    before = [row for row in rows if row.day.isoformat() < day]
    after = [row for row in rows if row.day.isoformat() > day]
    return _than(share(before), share(after))


def _count(spec: Mapping[str, object], rows: Sequence[Row]) -> str:
    return str(sum(row.label == spec["label"] for row in rows))


def _most_user(spec: Mapping[str, object], rows: Sequence[Row]) -> str | None:
    return _text(_top(Counter(row.user for row in rows if spec.get("label") in (None, row.label))))


def _second_user(_: Mapping[str, object], rows: Sequence[Row]) -> str | None:
    return _text(_top(Counter(row.user for row in rows), 1))


def _most_day(_: Mapping[str, object], rows: Sequence[Row]) -> str | None:
    day = _top(Counter(row.day for row in rows))
    return show_day(day) if isinstance(day, date) else None


def _months(spec: Mapping[str, object], rows: Sequence[Row]) -> str:
    balance: Counter[tuple[int, int]] = Counter()
    for row in rows:
        balance[row.day.year, row.day.month] += (row.label == spec["a"]) - (row.label == spec["b"])
    return str(sum(number > 0 for number in balance.values()))


_SOLVERS: dict[str, Callable[[Mapping[str, object], Sequence[Row]], str | None]] = {
    "most_label": _most_label, "least_label": _least_label, "compare": _compare, "around": _around, "count": _count,
    "most_user": _most_user, "second_user": _second_user, "most_day": _most_day, "months": _months,
}  # fmt: skip


def _word(spec: Spec) -> str:
    """Put a question into words."""
    return f"{_subset(spec)}{_WORDS[str(spec['ask'])](spec)}"


def _subset(spec: Spec) -> str:
    parts = []
    if "users" in spec:
        parts.append(f"the users {', '.join(map(str, cast('list[int]', spec['users'])))}")
    if "first" in spec:
        first, last = (date.fromisoformat(str(spec[name])) for name in ("first", "last"))
        parts.append(f"days from {show_day(first)} to {show_day(last)}, both included")
    return f"Look only at the lines of {' and '.join(parts)}. " if parts else ""


def _of_label(spec: Spec) -> str:
    return f" with the label '{spec['label']}'" if "label" in spec else ""


_CHOICE = "'more common than', 'less common than' or 'same frequency as'"
_WORDS: dict[str, Callable[[Spec], str]] = {
    "most_label": lambda _: f"Which label is the most common? Answer in the form 'Label: X', where X is {_ONE_OF}.",
    "least_label": lambda _: f"Which label is the least common? Answer in the form 'Label: X', where X is {_ONE_OF}.",
    "compare": lambda spec: (
        f"Compare how often the labels '{spec['a']}' and '{spec['b']}' occur. "
        f"Answer in the form 'Answer: {spec['a']} is X {spec['b']}', where X is {_CHOICE}."
    ),
    "around": lambda spec: (
        f"Compare the share of lines{_of_label(spec)} before {show_day(date.fromisoformat(str(spec['day'])))} with its "
        f"share after that day. Answer in the form 'Answer: before is X after', where X is {_CHOICE}."
    ),
    "count": lambda spec: f"How many lines are there{_of_label(spec)}? Answer in the form 'Answer: number'.",
    "most_user": lambda spec: f"Which user has the most lines{_of_label(spec)}? Answer in the form 'User: number'.",
    "second_user": lambda _: "Which user has the second most lines? Answer in the form 'User: number'.",
    "most_day": lambda _: f"Which date has the most lines? Answer in the form 'Date: {show_day(FIRST_DAY)}'.",
    "months": lambda spec: (
        f"In how many calendar months are there more lines with the label '{spec['a']}' than with the label "
        f"'{spec['b']}'? Answer in the form 'Answer: number'."
    ),
}
