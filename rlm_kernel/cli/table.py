"""Tables on a terminal: figures are never cut, one column takes what room is left."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rlm_kernel.cli.terminal import Screen

LEAST = 8
"""Cells that a column which takes the rest has at least, where nothing else is said."""
GAP = 2


class Column(NamedTuple):
    """One column of a table."""

    name: str
    rest: bool = False
    """It takes the room that is left, and is cut where that is too little. One column of a table does."""
    right: bool = False
    """Its cells are figures."""
    order: int = 0
    """Where there is no room, the column with the highest number is left out first; 0: never."""
    least: int = LEAST
    """Cells that it has at least where it takes the rest; before it gets less, others are left out."""
    outcome: bool = False
    """It says how something ended, and has the colour of that."""


def print_table(
    screen: Screen, columns: Sequence[Column], rows: Sequence[Sequence[str]], styles: Sequence[str] = ()
) -> None:
    """Print a table.

    Args:
        screen: Where to.
        columns: What stands in each column.
        rows: A text for each column; made plain already.
        styles: For each row that of its outcome.
    """
    from rich.cells import cell_len
    from rich.table import Table
    from rich.text import Text

    wide = [max(map(cell_len, (column.name, *cells))) for column, *cells in zip(columns, *rows, strict=True)]
    shown = _shown(columns, wide, screen.width)
    fixed = sum(wide[number] + GAP for number in shown if not columns[number].rest)
    table = Table(box=None, pad_edge=False, show_edge=False, header_style="dim")
    for number in shown:
        name, rest, right, *_ = columns[number]
        width = (
            max(min(columns[number].least, wide[number]), min(wide[number], screen.width - fixed))
            if rest
            else wide[number]
        )
        justify = "right" if right else "left"
        table.add_column(name, justify=justify, no_wrap=True, overflow="ellipsis", width=width)  # type: ignore[arg-type]
    for row, style in zip(rows, styles or [""] * len(rows), strict=True):
        table.add_row(*(Text(row[number], style=style if columns[number].outcome else "") for number in shown))
    screen.print(table)


def _shown(columns: Sequence[Column], wide: Sequence[int], width: int) -> list[int]:
    """Choose the columns there is room for."""
    shown = list(range(len(columns)))
    for number in sorted((n for n in shown if columns[n].order), key=lambda n: -columns[n].order):
        if sum(GAP + (min(columns[n].least, wide[n]) if columns[n].rest else wide[n]) for n in shown) - GAP <= width:
            break
        shown.remove(number)
    return shown
