"""What kind of document it is, judged as a reader does: by the lines that the first cells printed."""

from __future__ import annotations

import csv
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from rlm_kernel.models.tutor.transcript import Shown

Kind = Literal["csv", "jsonl", "json", "web log", "log", "mail", "records", "prose", "list", "dict", "files"]

WEB_LOG = (
    r"(?P<client>\S+) (?P<ident>\S+) (?P<user>\S+) \[(?P<date>[^:\]]+):(?P<time>[^\]]+)\]"
    r' "(?P<method>\S+) (?P<path>\S+) ?(?P<protocol>[^"]*)" (?P<status>\d{3}) (?P<bytes>\d+|-)'
    r'(?: "(?P<referrer>[^"]*)" "(?P<agent>[^"]*)")?'
)
"""Common and combined log format, as web servers write them."""
DATED_LOG = (
    r"\[?(?P<date>\d{4}-\d\d-\d\d)[ T](?P<time>[\d:.,]+)(?:Z|[+-]\d\d:?\d\d)?\]? .*?"
    r"\b(?P<level>TRACE|DEBUG|INFO|NOTICE|WARN|WARNING|ERROR|CRITICAL|FATAL)\b\W*(?P<message>.*)"
)
LABEL = r"(?P<label>[1-3]? ?[A-Za-z]+ ?\d+:\d+|\[\d+\]|\d+[.:)]|[A-Z]{1,5}-?\d+[.:)])\s+(?=\S)"
"""A reference at the start of a line: ``Mark 4:1``, ``[12]``, ``17.``, ``A-3:``."""
_TABULAR = ("csv", "jsonl", "json", "web log", "log", "mail")


@dataclass(frozen=True, slots=True)
class Shape:
    """What the first cells told of the document."""

    kind: Kind
    type: str
    """The Python type of ``context``; ``files``: a document made of several."""
    name: str = ""
    """The file's name, where it has one."""
    lines: int = 0
    delimiter: str = ","
    pages: bool = False
    verses: bool = False
    """Each line seen begins with a reference like ``Mark 4:1``."""

    @property
    def tabular(self) -> bool:
        """Whether it can be read as rows with columns."""
        return self.kind in _TABULAR

    @property
    def line_records(self) -> bool:
        """Whether each line stands for itself, so that a passage is one line."""
        return self.kind in ("csv", "jsonl", "web log", "log", "records")


def judge(kind_of: str, look: Shown, prepared: Shown) -> Shape:
    """Judge the shape from what the first two cells showed.

    Args:
        kind_of: The type of ``context``, as far as it is treated as such.
        look: What the first look at it showed.
        prepared: What the cell showed that made a text of it.
    """
    lines = [line[2:] for line in prepared.text.splitlines() if line.startswith("| ")]
    whole = [line for line in lines if not line.endswith("…")]
    items = prepared.value("items")
    kind: Kind
    if kind_of == "files":  # a table among them is not read as one: the next has other columns, or its header again
        return Shape("files", kind_of, lines=max(0, int(prepared.number("lines"))), pages=prepared.number("pages") > 0)
    kind, delimiter = ("json", ",") if items == "dict" else _judge_lines(lines, whole, look.value("name"))
    if kind_of in ("list", "tuple", "dict") and kind != "json":
        kind = "dict" if kind_of == "dict" else "list"
    return Shape(
        kind=kind,
        type=kind_of,
        name=look.value("name"),
        lines=max(0, int(prepared.number("lines"))),
        delimiter=delimiter,
        pages=prepared.number("pages") > 0,
        verses=kind == "records"
        and all(re.match(r"(?:[1-3]? ?[A-Za-z]+) ?\d+:\d+\s", line) for line in lines if line.strip()),
    )


def _judge_lines(lines: list[str], whole: list[str], name: str) -> tuple[Kind, str]:
    filled = [line for line in lines if line.strip()]
    if not filled:
        return "prose", ","
    if len(whole) >= 2 and all(_json_object(line) for line in whole if line.strip()):
        return "jsonl", ","
    if filled[0].lstrip("\ufeff \t").startswith(("{", "[{")) or filled[0].strip() == "[":
        return "json", ","
    for kind, pattern in (("web log", WEB_LOG), ("log", DATED_LOG)):
        if sum(bool(re.match(pattern, line)) for line in filled) >= max(2, 0.6 * len(filled)):
            return kind, ","  # type: ignore[return-value]  # two of the kinds, by name
    for delimiter in (",", "\t", ";", "|"):
        if _is_csv(whole, delimiter, 2 if name.lower().endswith((".csv", ".tsv")) else 3):
            return "csv", delimiter
    if re.match(r"From \S+ |(?:Return-Path|Received|From|Message-ID|Date|Subject|Delivered-To): ", filled[0]):
        headers = sum(bool(re.match(r"[A-Z][A-Za-z-]*: |[ \t]", line)) for line in filled[:6])
        return ("mail", ",") if headers >= min(3, len(filled) - 1) else ("prose", ",")
    if len(filled) >= 4 and all(re.match(LABEL, line) for line in filled):
        return "records", ","
    return "prose", ","


def _json_object(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False


def _is_csv(lines: list[str], delimiter: str, least: int) -> bool:
    """Tell whether lines are a table; least: how many show it (two lines of prose may have one comma each)."""
    filled = [line for line in lines if line.strip()]
    if len(filled) < least:
        return False
    cells = list(csv.reader(filled, delimiter=delimiter))
    header = [name.strip().lstrip("\ufeff") for name in cells[0]]
    named = (
        all(header) and len(set(header)) == len(header) and not any(re.fullmatch(r"-?[\d.,]+", name) for name in header)
    )
    same = sum(len(row) == len(header) for row in cells)
    return (
        len(header) >= 2 and named and all(len(name) <= 60 for name in header) and same >= max(least, 0.8 * len(cells))
    )
