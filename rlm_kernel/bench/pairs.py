"""Questions whose answer grows with the square of the context: all pairs of users that fit a rule.

The twenty rules have the form of OOLONG-Pairs (Zhang, Kraska, Khattab 2025, arXiv 2512.24601, appendix D.1): ten that
ask the same of both users, some with a bound in time, and ten that ask different things of each. The words are ours.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import date
from itertools import combinations
from typing import TYPE_CHECKING, NamedTuple, cast

from rlm_kernel.bench.items import LABELS
from rlm_kernel.bench.lines import show_day
from rlm_kernel.bench.tasks import Task

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rlm_kernel.bench.lines import Row

D, E, H, N, L, A = LABELS


class Need(NamedTuple):
    """So many lines of a label: at least, or exactly."""

    label: str
    number: int = 1
    exactly: bool = False


class Both(NamedTuple):
    """Each user has a line of one of the labels; and all of theirs with the first lie on one side of a day."""

    labels: tuple[str, str]
    relation: str = ""
    day: str = ""


class Each(NamedTuple):
    """One user has all of the first, the other all of the second."""

    one: tuple[Need, ...]
    other: tuple[Need, ...]


RULES: tuple[Both | Each, ...] = (
    Both((N, L)),
    Both((E, H)),
    Both((D, A)),
    Both((H, L), "after", "2023-01-06"),
    Both((E, N), "before", "2023-03-15"),
    Both((L, A)),
    Both((N, D), "after", "2023-02-01"),
    Both((H, D)),
    Both((L, E), "after", "2023-04-10"),
    Both((A, N), "before", "2023-05-20"),
    Each((Need(E), Need(A)), (Need(E, 1, exactly=True),)),
    Each((Need(N, 2),), (Need(L), Need(H))),
    Each((Need(D, 1, exactly=True),), (Need(A), Need(E))),
    Each((Need(H), Need(N)), (Need(L, 2, exactly=True),)),
    Each((Need(E), Need(L), Need(A)), (Need(N, 1, exactly=True),)),
    Each((Need(D), Need(H)), (Need(E, 2), Need(A, 1, exactly=True))),
    Each((Need(N, 1, exactly=True),), (Need(L), Need(D))),
    Each((Need(A), Need(H, 1, exactly=True)), (Need(E), Need(N))),
    Each((Need(L, 2), Need(E)), (Need(D, 1, exactly=True), Need(A, 1, exactly=True))),
    Each((Need(N), Need(H)), (Need(L), Need(E), Need(A, 1, exactly=True))),
)
_FORM = "Give each pair once, the lower number first, as (number, number), one pair a line; if there is none, say so."


def make_tasks(rows: Sequence[Row]) -> list[Task]:
    """Make the twenty questions about a context, with their answers."""
    return [
        Task(f"pairs-{at + 1:02}", _word(rule), solve({"rule": at}, rows), "pairs", {"rule": at})
        for at, rule in enumerate(RULES)
    ]


def solve(spec: Mapping[str, object], rows: Sequence[Row]) -> str:
    """Work out the pairs by rule from rows with labels, one a line."""
    rule = RULES[cast("int", spec["rule"])]
    of_user: dict[int, list[Row]] = defaultdict(list)
    for row in rows:
        of_user[row.user].append(row)
    users = sorted(of_user)
    if isinstance(rule, Both):
        found = list(combinations([user for user in users if _fits(rule, of_user[user])], 2))
    else:
        counts = {user: Counter(row.label for row in of_user[user]) for user in users}
        one = {user for user in users if _has(rule.one, counts[user])}
        other = {user for user in users if _has(rule.other, counts[user])}
        found = [(a, b) for a, b in combinations(users, 2) if (a in one and b in other) or (b in one and a in other)]
    return "\n".join(f"({a}, {b})" for a, b in found)


def _fits(rule: Both, rows: Sequence[Row]) -> bool:
    if not any(row.label in rule.labels for row in rows):
        return False
    days = [row.day.isoformat() for row in rows if row.label == rule.labels[0]]
    if rule.relation == "after":
        return all(day > rule.day for day in days)
    return not rule.relation or all(day < rule.day for day in days)


def _has(needs: tuple[Need, ...], counts: Counter[str]) -> bool:
    return all(
        counts[need.label] == need.number if need.exactly else counts[need.label] >= need.number for need in needs
    )


def _word(rule: Both | Each) -> str:
    if isinstance(rule, Each):
        return (
            f"List all pairs of two different users such that one of them has {_needs(rule.one)}, and the other has "
            f"{_needs(rule.other)}. {_FORM}"
        )
    first, second = rule.labels
    bound = ""
    if rule.relation:
        day = show_day(date.fromisoformat(rule.day))
        bound = f", and every line with the label '{first}' of both is {rule.relation} {day}"
    return (
        f"List all pairs of users such that each of the two has at least one line with the label '{first}' or "
        f"'{second}'{bound}. {_FORM}"
    )


def _needs(needs: tuple[Need, ...]) -> str:
    words = {1: "one line", 2: "two lines"}
    return " and ".join(
        f"{'exactly' if need.exactly else 'at least'} {words[need.number]} with the label '{need.label}'"
        for need in needs
    )
