"""What can be counted in a document, and the code that counts it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rlm_kernel.models.tutor.shape import DATED_LOG, WEB_LOG

if TYPE_CHECKING:
    from rlm_kernel.models.tutor.shape import Kind, Shape


@dataclass(frozen=True, slots=True)
class Unit:
    """One way to divide a document."""

    plural: str
    number: str
    """Code that sets ``number`` and ``what`` (how it was counted, for people)."""
    spans: str = ""
    """Code that sets ``units``, a list of offset and text; empty where the parts cannot be searched one by one."""
    empty: str = ""
    """Code that counts the empty ones."""


_LINES = """units, start = [], 0
for line in text.splitlines(keepends=True):
    units.append((start, line.rstrip("\\r\\n")))
    start += len(line)"""
_PAGES = """units, start = [], 0
for page in context.pages:
    start = text.index(page, start)
    units.append((start, page))
    start += len(page)"""
_PARAGRAPHS = 'units = [(match.start(), match.group()) for match in re.finditer(r"(?:.*\\S.*\\n?)+", text)]'
_PARAGRAPHS_OF_FILES = """units = [
    (start + match.start(), match.group())
    for start, part in zip(starts, parts)
    for match in re.finditer(r"(?:.*\\S.*\\n?)+", part)
]"""
_EMPTY = "number = sum(1 for line in text.splitlines() if not line.strip())"

UNITS: dict[str, Unit] = {
    "line": Unit(
        "lines",
        "number = len(text.splitlines())\nblank = sum(1 for line in text.splitlines() if not line.strip())\n"
        'print("of these empty:", blank)\n'
        'what = "lines (`len(text.splitlines())`)" + (f"; {blank:,} of them are empty, {number - blank:,} are not" '
        'if blank else ", none of them empty")',
        _LINES,
        _EMPTY + '\nwhat = f"of {len(text.splitlines()):,} lines are empty or have only white space"',
    ),
    "filled": Unit(
        "lines",
        'number = sum(1 for line in text.splitlines() if line.strip())\nwhat = "lines that are not empty"',
        _LINES + "\nunits = [(start, unit) for start, unit in units if unit.strip()]",
    ),
    "paragraph": Unit(
        "paragraphs",
        _PARAGRAPHS
        + '\nnumber = len(units)\nwhat = "paragraphs (lines that stand together, with an empty line before and after)"',
        _PARAGRAPHS,
    ),
    "page": Unit("pages", 'number = len(context.pages)\nwhat = "pages (`len(context.pages)`)"', _PAGES),
    "row": Unit(
        "rows",
        'number = len(rows)\nwhat = "rows"',
        _LINES + "\nunits = [(start, unit) for start, unit in units[1:] if unit.strip()]",
    ),
    "column": Unit("columns", 'number = len(columns)\nwhat = "columns: " + ", ".join(columns)'),
    "file": Unit(
        "files", 'number = len(parts)\nwhat = "files (`len(context.files)`)"', "units = list(zip(starts, parts))"
    ),
    "item": Unit("items", 'number = len(context)\nwhat = "items (`len(context)`)"', "units = list(zip(starts, parts))"),
    "word": Unit(
        "words",
        'number = len(text.split())\nruns = len(re.findall(r"\\w+", text))\n'
        'print("runs of letters and digits:", runs)\n'
        'what = f"words (what stands between white space, `len(text.split())`; runs of letters and digits: {runs:,})"',
        'units = [(match.start(), match.group()) for match in re.finditer(r"[^\\W\\d_]+(?:[\'’-][^\\W\\d_]+)*", text)]',
    ),
    "character": Unit(
        "characters", 'number = len(text)\nwhat = "characters (`len(text)`, white space and line ends included)"'
    ),
}
"""Every unit by its name."""

ROWS: dict[Kind, str] = {
    "web log": WEB_LOG,
    "log": DATED_LOG,
    "jsonl": "values = [json.loads(line) for line in lines if line.strip()]",
    "json": "values = json.loads(text)\nvalues = values if isinstance(values, list) else [values]",
}
"""How each kind of document is taken apart: a pattern for logs, code for JSON."""

_NOUNS = {
    "line": ("lines", "line"),
    "paragraph": ("paragraphs", "paragraph"),
    "word": ("words", "word"),
    "character": ("characters", "character", "chars"),
    "page": ("pages", "page"),
    "verse": ("verses", "verse"),
    "column": ("columns", "column", "fields"),
}
_ROW_NOUNS = ("rows", "row", "records", "record", "entries", "entry")
_ITEM_NOUNS = ("items", "item", "elements", "element", "entries", "entry", "keys", "key", "strings", "texts")
_FILE_NOUNS = ("files", "file", "documents", "document")
_REQUEST_NOUNS = ("requests", "request", "hits", "hit")


def unit_of(noun: str, seen: Shape) -> str:
    """Say which unit a noun means in a document of this shape; empty where that cannot be known."""
    unit = next((unit for unit, nouns in _NOUNS.items() if noun in nouns), "")
    if unit:
        known = {"page": seen.pages, "verse": seen.verses, "column": seen.tabular}
        return unit if known.get(unit, True) else ""
    if seen.kind == "files":
        return "file" if noun in _FILE_NOUNS else ""
    if seen.kind in ("list", "dict") or (seen.type in ("list", "tuple") and noun in ("items", "item")):
        return "item" if noun in _ITEM_NOUNS else ""
    if seen.kind in ("csv", "json"):
        return "row" if noun in _ROW_NOUNS else ""
    if seen.kind in ("jsonl", "web log", "log"):
        return "line" if noun in _ROW_NOUNS or (seen.kind == "web log" and noun in _REQUEST_NOUNS) else ""
    return ""


def division(unit: str, seen: Shape) -> tuple[str, str]:
    """Give the code that counts a unit in a document of this shape, and the code that divides it into them."""
    number, spans = UNITS[unit].number, UNITS[unit].spans
    if seen.kind == "files" and unit == "paragraph":  # what ends a file ends a paragraph too
        return number.replace(spans, _PARAGRAPHS_OF_FILES), _PARAGRAPHS_OF_FILES
    if seen.kind == "files" and unit == "character":  # without the line ends that were put between files
        return number.replace("len(text)", "sum(len(file) for file in context.files)"), spans
    return number, spans


def plural(unit: str) -> str:
    """Give the word for many of a unit."""
    return UNITS[unit].plural
