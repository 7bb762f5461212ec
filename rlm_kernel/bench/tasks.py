"""What is asked of a context, and the rules by which an answer is found and scored."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

Kind = Literal["label", "user", "date", "comparison", "number", "pairs", "needle"]

_PAIR = re.compile(r"\(\s*(\d+)\s*,\s*(\d+)\s*\)")
_NUMBER = re.compile(r"-?\d[\d,]*(?:\.\d+)?")


@dataclass(frozen=True, slots=True)
class Task:
    """One question with its exact answer."""

    id: str
    question: str
    answer: str
    kind: Kind
    spec: Mapping[str, object] = field(default_factory=dict)
    """The question as a rule a program can follow."""


def score(task: Task, said: str) -> float:
    """Score an answer from 0 to 1.

    - Labels, users, dates and comparisons: 1 where the value is the same but for case, else 0.
    - Numbers: ``0.75 ** |difference|``, as in Oolong (arXiv 2511.02817, section 2.3).
    - Pairs: F1 over the set of pairs; 1 where both are empty.
    - Needles: 1 where every value stands in the answer, as in RULER's ``string_match_all``, else the share.
    """
    if task.kind == "pairs":
        return _f1(_pairs(task.answer), _pairs(said))
    if task.kind == "needle":
        values = [value.lower() for value in task.answer.split("\n")]
        return sum(value in said.lower() for value in values) / len(values)
    value = _value(said)
    if task.kind == "number":
        numbers = _NUMBER.findall(value)
        return 0.75 ** min(abs(float(task.answer) - float(numbers[0].replace(",", ""))), 1e3) if numbers else 0.0
    if task.kind == "comparison":
        return float(_squeezed(task.answer) in _squeezed(value))
    return float(_squeezed(value) == _squeezed(task.answer))


def _value(said: str) -> str:
    """Take what stands behind the last ``Label:``, ``Answer:``, ``User:`` or ``Date:``; else the last line."""
    found = re.findall(r"(?:label|answer|user|date)\s*:\s*(.+)", said, re.IGNORECASE)
    lines = [line for line in said.strip().splitlines() if line.strip()]
    return str(found[-1] if found else (lines[-1] if lines else "")).strip(" .*`'\"[]")


def _squeezed(text: str) -> str:
    return " ".join(text.lower().replace("*", " ").split())


def _pairs(text: str) -> set[tuple[int, int]]:
    found = ((int(a), int(b)) for a, b in _PAIR.findall(text))
    return {(min(pair), max(pair)) for pair in found}


def _f1(right: set[tuple[int, int]], said: set[tuple[int, int]]) -> float:
    if not right and not said:
        return 1.0
    both = len(right & said)
    return 2 * both / (len(right) + len(said))
