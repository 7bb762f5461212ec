"""The context of an aggregation benchmark: dated lines of many people, the label of each to be found by reading."""

from __future__ import annotations

import random
import re
from datetime import date, timedelta
from typing import TYPE_CHECKING, NamedTuple

from rlm_kernel.bench.items import LABELS, Item
from rlm_kernel.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

SMALLEST, LARGEST = 16, 1_000_000
FIRST_DAY, DAYS = date(2022, 1, 1), 1_200
BUSY_SHARE = 0.8
"""Share of the lines that come from the busiest fifth of the people."""
_LINE = re.compile(r"^Date: (\w{3} \d\d, \d{4}) \|\| User: (\d+) \|\| Instance: (.*)$", re.MULTILINE)
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class Row(NamedTuple):
    """A line and what stands in it."""

    day: date
    user: int
    text: str
    label: str


def make_rows(items: Sequence[Item], size: int, seed: int) -> list[Row]:
    """Draw the lines of a context.

    Labels are drawn from an uneven distribution of their own, items of a label without repeating one before all have
    been used, people so that a fifth of them have four fifths of the lines, days evenly over forty months.

    Args:
        items: Labelled questions.
        size: How many lines.
        seed: The same seed gives the same lines, on every machine.

    Raises:
        InputError: The size is out of range.
    """
    if not SMALLEST <= size <= LARGEST:
        raise InputError(f"A size of {size:,} lines is out of range.", f"Give {SMALLEST} to {LARGEST:,}.")
    rng = random.Random(f"lines {seed}")
    weights = [rng.uniform(0.4, 2.0) for _ in LABELS]
    pools: dict[str, list[Item]] = {label: [] for label in LABELS}
    people = rng.sample(range(10_000, 100_000), max(5, round(size**0.5 * 1.5)))
    busy = people[: max(1, len(people) // 5)]
    rows = []
    for label in rng.choices(LABELS, weights, k=size):
        if not pools[label]:
            pools[label] = [item for item in items if item.label == label]
            rng.shuffle(pools[label])
        user = rng.choice(busy if rng.random() < BUSY_SHARE else people)
        day = FIRST_DAY + timedelta(days=rng.randrange(DAYS))
        rows.append(Row(day, user, pools[label].pop().text, label))
    return rows


def write_rows(rows: Sequence[Row]) -> str:
    """Write the context as the model gets it: what is asked of it, the lines without labels, what is asked again."""
    told = (
        f"There are {len(rows):,} short questions, one a line, each with its date and the number of the user who asked "
        f"it. By what its answer would be, each belongs to exactly one of {len(LABELS)} labels: {', '.join(LABELS)}. "
        "The label does not stand in the line: it must be found by reading the question. "
        "Do not estimate: what is asked about these lines has one exact answer."
    )
    lines = [f"Date: {show_day(row.day)} || User: {row.user} || Instance: {row.text}" for row in rows]
    return "\n".join([told, "", *lines, "", f"Once more: {told}", ""])


def read_rows(context: str, label_of: Callable[[str], str]) -> list[Row]:
    """Read the lines of a context back.

    Args:
        context: As `write_rows` gave it.
        label_of: Gives the label of a question.
    """
    return [Row(read_day(day), int(user), text, label_of(text)) for day, user, text in _LINE.findall(context)]


def with_labels(rows: Iterable[Row], labels: Callable[[str], str]) -> list[Row]:
    """Give the same rows with other labels."""
    return [row._replace(label=labels(row.text)) for row in rows]


def show_day(day: date) -> str:
    """Write a day as the lines have it; in English whatever the locale is."""
    return f"{_MONTHS[day.month - 1]} {day.day:02}, {day.year}"


def read_day(text: str) -> date:
    """Read what `show_day` wrote."""
    month, day, year = text.replace(",", "").split()
    return date(int(year), _MONTHS.index(month) + 1, int(day))
