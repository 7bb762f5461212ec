"""What a question asks of rows with columns (CSV, JSON lines, web logs, mail headers).

As in `asks`, a grammar must account for every word; the columns' names come from what a cell printed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rlm_kernel.models.tutor.wording import Clause

Measure = Literal["mean", "median", "sum", "min", "max"]

OTHER_NAMES = {
    "client": ("client ip", "client ip address", "ip", "ip address", "client address", "remote host", "host"),
    "status": ("status code", "http status", "http status code", "response code", "response status"),
    "bytes": ("response bytes", "size", "response size", "bytes sent"),
    "path": ("url", "uri", "request path", "requested path", "resource"),
    "method": ("http method", "request method", "verb"),
    "agent": ("user agent", "user agent string", "user-agent"),
    "referrer": ("referer",),
    "date": ("day",),
    "level": ("log level", "severity"),
}
"""Usual names of the fields of logs; they hold only where the tutor itself named the columns."""
ROW_NOUNS = (
    "rows",
    "records",
    "lines",
    "entries",
    "requests",
    "hits",
    "log lines",
    "log entries",
    "data rows",
    "times",
)
_NO_VALUES = frozenset(
    {
        "not",
        "no",
        "any",
        "other",
        "than",
        "above",
        "below",
        "over",
        "under",
        "empty",
        "missing",
        "unknown",
        "known",
        "null",
        "none",
        "na",
        "nan",
        "blank",
        "same",
        "different",
        "present",
        "available",
        "or",
        "and",
        "the",
        "highest",
        "lowest",
    }
)
"""Words that ask for something else than a value written like this."""
_WORDS = {"two": 2, "three": 3, "four": 4, "five": 5, "ten": 10}


@dataclass(frozen=True, slots=True)
class Condition:
    """What a row must have in one column."""

    column: str
    operator: Literal["is", "is not", ">", "<", ">=", "<=", "contains"]
    value: str

    @property
    def compares(self) -> bool:
        """Whether it asks for a smaller or larger number."""
        return self.operator in (">", "<", ">=", "<=")

    @property
    def numeric(self) -> bool:
        """Whether it asks for a value that may be written in several ways, as numbers are."""
        return self.operator in ("is", "is not") and any(character.isdigit() for character in self.value)

    @property
    def grouped(self) -> bool:
        """Whether its value reads otherwise with decimal commas: 1.000 and 1,000."""
        return self.compares and bool(re.fullmatch(r"-?\d{1,3}(?:[.,]\d{3})+", self.value))

    def code(self, by_value: bool = False) -> str:
        """Write it as Python over ``row``, with ``cell`` and ``as_number`` of the cell that reads the rows.

        Args:
            by_value: Numbers are the same that are written differently (7 and 007), else texts are compared.
        """
        text, value = f"cell(row, {self.column!r})", _number(self.value)
        if self.operator == "contains":
            return f"{self.value!r} in {text}"
        number = f"as_number(row, {self.column!r})"
        if self.operator in ("is", "is not"):
            if by_value:
                return f"{'' if self.operator == 'is' else 'not '}same(row, {self.column!r}, {self.value!r})"
            return f"{text} {'==' if self.operator == 'is' else '!='} {self.value!r}"
        return f"{number} {self.operator} {value}"

    def words(self) -> str:
        """Say it for people."""
        sign = {"is": "=", "is not": "≠"}.get(self.operator, self.operator)
        return f"`{self.column}` {sign} {self.value}"


@dataclass(frozen=True, slots=True)
class CountRows:
    """How many rows fulfil the conditions."""

    conditions: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Distinct:
    """How many different values a column has."""

    column: str
    conditions: tuple[Condition, ...] = ()


@dataclass(frozen=True, slots=True)
class Top:
    """The values of a column that most rows have, or fewest."""

    column: str
    number: int = 1
    most: bool = True
    conditions: tuple[Condition, ...] = ()


@dataclass(frozen=True, slots=True)
class Aggregate:
    """Mean, sum, smallest … of the numbers in a column."""

    column: str
    measure: Measure
    conditions: tuple[Condition, ...] = ()


@dataclass(frozen=True, slots=True)
class ExtremeRow:
    """The row with the largest or smallest number in a column."""

    column: str
    highest: bool
    show: str = ""
    """The column the question asks for; empty: the whole row."""
    conditions: tuple[Condition, ...] = ()


TableAsk = CountRows | Distinct | Top | Aggregate | ExtremeRow

_MEASURES: dict[str, Measure] = {
    "mean": "mean", "average": "mean", "median": "median", "sum": "sum", "total": "sum", "total number": "sum",
    "min": "min", "minimum": "min", "lowest": "min", "smallest": "min", "least": "min",
    "max": "max", "maximum": "max", "highest": "max", "largest": "max", "greatest": "max", "biggest": "max",
}  # fmt: skip
_OPERATORS: tuple[tuple[str, str], ...] = (
    ("is not", r"(?:is |are |was |were )?(?:not equal to|not|other than|different from|!=|<>)"),
    (">=", r"(?:is |are |was |were |of )?(?:at least|no less than|>=)"),
    ("<=", r"(?:is |are |was |were |of )?(?:at most|no more than|<=)"),
    (
        ">",
        r"(?:is |are |was |were |of )?(?:above|over|greater than|more than|higher than|larger than|bigger than|"
        r"exceeding|>)",
    ),
    ("<", r"(?:is |are |was |were |of )?(?:below|under|less than|lower than|smaller than|<)"),
    ("contains", r"(?:that )?(?:contains|containing|contain)"),
    ("is", r"(?:is exactly|is equal to|equal to|equals|is|are|was|were|==|=|:|of)"),
)
_LEAD = (
    r"(?:that |which |who )?(?:have|had|has|with|where|whose|in which|for which|returned|return|returning|used|use|"
    r"using|got|get|made|came from|come from"
    r"|from|in|on|for|at|of|showed|show|gave|give|are in|were in|are from|are of|were from|is in|are on|were on|"
    r"are|were)?"
)


class Columns:
    """The columns of a table, and how questions may name them.

    Args:
        names: The columns' names, as the rows have them.
        usual: Whether the tutor gave the names itself, so that a log's usual field names may be used too.
        rows: Further words for a row (the file's own name: "airports").
    """

    def __init__(self, names: Iterable[str], usual: bool = False, rows: Iterable[str] = ()) -> None:
        self.names = list(names)
        self.by_name: dict[str, str] = {}
        for name in self.names:
            for alias in {name, re.sub(r"[_\-.]+", " ", name), *(OTHER_NAMES.get(name, ()) if usual else ())}:
                for form in (alias, f"{alias}s", re.sub(r"y$", "ies", alias), re.sub(r"(s|sh|ch|x)$", r"\1es", alias)):
                    self.by_name.setdefault(" ".join(form.lower().split()), name)
        self.pattern = "(?:" + "|".join(re.escape(name) for name in sorted(self.by_name, key=len, reverse=True)) + ")"
        nouns = (*ROW_NOUNS, *rows)
        self.rows = (
            "(?:"
            + "|".join(sorted({form for noun in nouns for form in (noun, _singular(noun))}, key=len, reverse=True))
            + ")"
        )

    def column(self, words: str, clause: Clause) -> str | None:
        """Give the column that a part of a question names, in plain words or in quotes."""
        name = " ".join((clause.quoted(words) or (words,))[0].lower().split())
        return self.by_name.get(name)


def understand(clause: Clause, columns: Columns) -> TableAsk | None:
    """Say what a clause asks of the rows, or ``None`` where it is not understood to the last word."""
    if not columns.by_name or clause.case is not None or clause.whole is not None:
        return None
    column = rf"(?:the )?(?:column |field )?(?P<column>{columns.pattern}|⟦\d+⟧)(?: column| field| values?)?"
    rows = columns.rows
    tail = r"(?:,? (?P<conditions>.+))?"
    plain = re.sub(r" \([dmyhson]+(?:[/.\-:][dmyhson]+)+\)", "", clause.plain, flags=re.IGNORECASE)
    for pattern, make in (
        (rf"how many {rows}(?: (?:are|were)(?: there)?)? (?P<conditions>.+)", _count),
        (rf"how many (?:distinct|different|unique) {column}(?: (?:are|is|exist|occur|appear)(?: there)?)"
         rf"?{tail}", _distinct),
        (rf"(?:what|which) (?:is|are|was|were) the (?:(?P<number>\d+|two|three|four|five|ten) )?(?P<most>most|"
         rf"least) (?:common|frequent|often used)"
         rf" (?:values? (?:of|in) )?{column}{tail}", _top),
        (rf"(?:(?:in|on|at|from) )?(?:which|what) {column} (?:(?:has|have|had|made|got|sent|did|is|was|were|are) )"
         rf"?(?:in )?(?:the )?"
         rf"(?P<most>most|fewest) {rows}(?: (?:logged|recorded|made|sent|received|there))?{tail}", _top),
        (rf"(?:which|what) {column} (?:(?:is|was|are|were) )?(?:the )?(?:occurs?|appears?|requested|used|found|"
         rf"seen|listed)? ?(?:the )?"
         rf"(?P<most>most|least) (?:often|frequently|frequent|common){tail}", _top),
        (rf"(?:(?:what|which) (?:is|was|are) )?the (?P<measure>{'|'.join(sorted(_MEASURES, key=len, reverse=True))})"
         rf"(?: (?:value|number))?(?: of| in)? {column}(?: (?:of|over|in|across) all (?:the )?{rows})"
         rf"?{tail}", _aggregate),
        (rf"(?:(?:in|on|at) )?(?:which|what) (?:(?P<show>{columns.pattern}|⟦\d+⟧)|{rows}) (?:has|had|have|is|was|with)"
         rf" (?:the )?(?P<measure>highest|largest|greatest|biggest|maximum|lowest|smallest|minimum) "
         rf"{column}{tail}", _extreme),
        (rf"(?:(?:in|on|at) )?(?:which|what) (?P<show>{columns.pattern}|⟦\d+⟧) (?:is|was) {column} (?:the )?"
         rf"(?P<measure>highest|largest|greatest|lowest|smallest){tail}", _extreme),
    ):  # fmt: skip
        found = re.fullmatch(pattern, plain, re.IGNORECASE)
        ask = found and make(clause, columns, found)
        if ask:
            return ask
    return None


def _conditions(clause: Clause, columns: Columns, found: re.Match[str]) -> tuple[Condition, ...] | None:
    text = found.groupdict().get("conditions")
    if not text:
        return ()
    conditions = [_condition(clause, columns, part) for part in re.split(r",? and ", text, flags=re.IGNORECASE)]
    return None if None in conditions else tuple(condition for condition in conditions if condition)


def _condition(clause: Clause, columns: Columns, text: str) -> Condition | None:
    for operator, pattern in (*_OPERATORS, ("is", "")):
        found = re.fullmatch(
            rf"{_LEAD} ?(?:an? |the )?(?P<column>{columns.pattern}|⟦\d+⟧)(?: value| code)? ?{pattern} ?(?<= )"
            rf"(?:the |an? )?(?P<value>⟦\d+⟧|[^\s,⟦⟧]+)",
            text,
            re.IGNORECASE,
        )
        column = found and columns.column(found["column"], clause)
        if not found or column is None:
            continue
        quoted = clause.quoted(found["value"])
        value = quoted[0] if quoted else found["value"]
        if not quoted and value.lower() in columns.by_name:
            return None
        if not quoted and value.lower() in _NO_VALUES:
            return None
        if operator in (">", "<", ">=", "<=") and _number(value) is None:
            return None
        return Condition(column, operator, value)  # type: ignore[arg-type]  # the table above has the operators' names
    return None


def _count(clause: Clause, columns: Columns, found: re.Match[str]) -> TableAsk | None:
    conditions = _conditions(clause, columns, found)
    return CountRows(conditions) if conditions else None


def _distinct(clause: Clause, columns: Columns, found: re.Match[str]) -> TableAsk | None:
    column, conditions = columns.column(found["column"], clause), _conditions(clause, columns, found)
    return None if column is None or conditions is None else Distinct(column, conditions)


def _top(clause: Clause, columns: Columns, found: re.Match[str]) -> TableAsk | None:
    column, conditions = columns.column(found["column"], clause), _conditions(clause, columns, found)
    if column is None or conditions is None:
        return None
    number = (found.groupdict().get("number") or "1").lower()
    return Top(column, _WORDS.get(number) or int(number), found["most"].lower() == "most", conditions)


def _aggregate(clause: Clause, columns: Columns, found: re.Match[str]) -> TableAsk | None:
    column, conditions = columns.column(found["column"], clause), _conditions(clause, columns, found)
    return (
        None
        if column is None or conditions is None
        else Aggregate(column, _MEASURES[found["measure"].lower()], conditions)
    )


def _extreme(clause: Clause, columns: Columns, found: re.Match[str]) -> TableAsk | None:
    column, conditions = columns.column(found["column"], clause), _conditions(clause, columns, found)
    show = columns.column(found["show"], clause) if found["show"] else ""
    if column is None or conditions is None or show is None:
        return None
    return ExtremeRow(column, _MEASURES[found["measure"].lower()] == "max", show, conditions)


def _number(text: str) -> int | float | None:
    if not re.fullmatch(r"-?\d+(?:,\d{3})*(?:\.\d+)?", text):
        return None
    digits = text.replace(",", "")
    return float(digits) if "." in digits else int(digits)


def _singular(noun: str) -> str:
    return re.sub(r"ies$", "y", noun) if noun.endswith("ies") else noun.removesuffix("s")
