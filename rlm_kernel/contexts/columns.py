"""The first lines of a table: what separates its columns, and what they are called."""

from __future__ import annotations

import re
from collections import Counter

_SEPARATOR = re.compile(r'"?sep=([^"\w\n ])\1*"?\n', re.IGNORECASE)
"""A line for Excel before the first one, that names the delimiter; programs that fill a table up repeat it."""


def separator_line(text: str) -> tuple[str, int]:
    """Give the delimiter that the first line names, and where the next begins; an empty one and 0 mostly."""
    found = _SEPARATOR.match(text)
    return (found[1], found.end()) if found else ("", 0)


def column_names(header: list[str]) -> list[str]:
    """Give each column a name of its own, so that a row as a dict has them all.

    A name that stood before is counted: ``a``, ``a_2``. One column may be without a name, others have their number.
    """
    unnamed = header.index("") if "" in header else len(header)
    given = [name or (f"column {number + 1}" if number > unnamed else "") for number, name in enumerate(header)]
    taken, counts = set(given), Counter[str]()
    names: dict[str, None] = {}
    for name in given:
        own = name
        while own in names or (own != name and own in taken):
            counts[name] += 1
            own = f"{name}_{counts[name] + 1}"
        names[own] = None
    return list(names)


def renamed(header: list[str]) -> list[str]:
    """Say which names stood before, if there are such."""
    names = [f"{own!r}" for name, own in zip(header, column_names(header), strict=True) if name and own != name]
    if not names:
        return []
    more = f" and {len(names) - 5:,} more" if len(names) > 5 else ""
    return [f"Columns with the name of another before them are called {', '.join(names[:5])}{more} in .rows."]
