"""What a cell does beyond computing, as far as that can be seen in it: a help for who reads it, not a sandbox."""

from __future__ import annotations

from typing import TypedDict


class ReasonDict(TypedDict):
    """One thing in a cell that a person may want to look at first."""

    line: int
    """Of the cell, from 1 on."""
    why: str
    """In plain words: ``writes a file``."""
    code: str
    """The expression, in short."""


def describe(reason: ReasonDict) -> str:
    """Say it in one sentence, without its full stop: ``Line 3 writes a file: open('x', 'w')``."""
    return f"Line {reason['line']} {reason['why']}: {reason['code']}"


def risks(code: str) -> list[ReasonDict]:
    """Find what a cell does beyond computing, in the order of its lines; empty where nothing is seen."""
    return []
