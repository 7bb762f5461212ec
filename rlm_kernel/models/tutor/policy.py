"""What the tutor does next: a conversation written down as a generator.

The policy yields a reply (prose and one cell) and is sent what the cell showed. It keeps nothing between two requests: for
each turn it is played again from the beginning with what its cells have shown so far, so the same messages always give
the same reply.
"""

from __future__ import annotations

import json
import re
from collections.abc import Generator, Sequence
from pathlib import PurePath

from rlm_kernel.models.tutor import asks, shape, table
from rlm_kernel.models.tutor.asks import (
    Ask,
    Beyond,
    Describe,
    Extreme,
    Frequent,
    Lookup,
    Occurrences,
    Search,
    Units,
    UnitsWith,
)
from rlm_kernel.models.tutor.shape import Shape
from rlm_kernel.models.tutor.steps import step
from rlm_kernel.models.tutor.table import Aggregate, Columns, CountRows, Distinct, ExtremeRow, TableAsk, Top
from rlm_kernel.models.tutor.transcript import Shown
from rlm_kernel.models.tutor.units import ROWS, UNITS, plural, unit_of
from rlm_kernel.models.tutor.wording import Clause, clauses

HELP = (
    "I am the tutor, the built-in default: a small program that searches, counts and quotes, not a language model. For an answer that "
    "takes understanding set a real model: `%rlm --model NAME` in a notebook, `--model NAME` on the command line, with "
    "`OPENAI_API_KEY` (and `OPENAI_BASE_URL` for another or a local endpoint) in the environment."
)
FOOT = "; whether they answer the question is for you to see. A model reads better: `%rlm --model NAME`.*"
NO_MATCH = "I found no passage that clearly answers this."
NO_CHOICE = (
    "Several passages match the words of the question about equally well, and I cannot tell which of them answers it."
)
Policy = Generator[str, Shown, None]
Work = Generator[str, Shown, bool]
"""A part of the policy; it returns whether it put something into the draft."""


def next_reply(question: str, shown: Sequence[Shown]) -> str:
    """Write the next reply of a run.

    Args:
        question: What the person asked.
        shown: What the cells have shown, one for each turn that is over.
    """
    policy = _run(question)
    reply = next(policy)
    for result in shown:
        try:
            reply = policy.send(result)
        except StopIteration:
            return step("start/again", message=repr(f"I have nothing to add. {HELP}"))
    return reply


def _run(question: str) -> Policy:
    look = yield step("start/look")
    kind = look.value("type")
    if kind in ("list", "tuple"):
        prepared = yield step("start/prepare_list", type=kind)
    else:
        prepared = yield step("start/prepare_dict" if kind == "dict" else "start/prepare_text")
    if prepared.failed:
        kind = "text"
        prepared = yield step("start/prepare_simply", error=_plain(prepared.error))
    if prepared.failed:
        yield _failed(prepared)
    else:
        seen = shape.judge(look.text if kind != "text" else f"type: text\nname: {look.value('name')}", prepared.text)
        yield from _Answering(question, seen).parts()
    yield step("start/final")


def _failed(shown: Shown) -> str:
    return step(
        "start/failed",
        error=_plain(shown.error) or "it did not show what it should",
        message=repr(f"{shown.error} {HELP}".strip()),
    )


class _Answering:
    """Works through the parts of a question on a document whose shape is known.

    Args:
        question: What the person asked; each question in it is answered by itself.
        seen: The document's shape.
    """

    def __init__(self, question: str, seen: Shape) -> None:
        self.clauses = clauses(question) or [Clause(question, "", (), None, None)]
        self.shape = seen
        self.columns: Columns | None = None
        self.rows_read = False
        self.row_count = 0
        self.odd = 0

    def parts(self) -> Policy:
        """Answer each part; a failed cell leaves that part without an answer, and says so."""
        for number, clause in enumerate(self.clauses):
            for ask in asks.understand(clause, follows=number > 0):
                if isinstance(ask, Beyond | Lookup) and self.shape.tabular:
                    done = yield from self._table(clause)
                    if done:
                        continue
                yield from self._text(ask)

    def _text(self, ask: Ask) -> Policy:
        if isinstance(ask, Occurrences):
            yield from self._occurrences(ask)
        elif isinstance(ask, Frequent):
            limit = f" (words of {ask.letters} letters and more)" if ask.letters > 1 else ""
            yield from self._single(step("text/frequent", letters=ask.letters, number=ask.number, limit=limit))
        elif isinstance(ask, Describe):
            yield from self._describe()
        elif isinstance(ask, Lookup):
            yield from self._look_up(ask)
        elif isinstance(ask, Beyond):
            yield from self._beyond(ask)
        elif isinstance(ask, Units):
            yield from self._units(ask)
        elif isinstance(ask, UnitsWith):
            yield from self._units_with(ask)
        else:
            yield from self._extreme(ask)

    def _single(self, reply: str, fine: str = "") -> Policy:
        """One cell that works something out and drafts it; ``fine`` names a line that must say True."""
        shown = yield reply
        if shown.failed or (fine and shown.value(fine) != "True"):
            yield _failed(shown)

    # Counts and listings of quoted texts

    def _occurrences(self, ask: Occurrences) -> Policy:
        search = ask.search
        how = _how(search)
        values = {"term": repr(search.terms[0]), "pattern": repr(search.patterns()[0]), "flags": _flags(search)}
        shown = yield step("text/occurrences", said=f"“{_plain(search.terms[0])}”", **values)
        if shown.failed:
            yield _failed(shown)
            return
        check = step("text/occurrences_check", how=repr(how), how_words=how, others=_others(search))
        yield from self._single(check, "agrees")

    def _unit(self, noun: str) -> Generator[str, Shown, tuple[str, str] | None]:
        """Say what one "verse" or "row" is in this document, and what to note of it; ``None`` where that is unknown."""
        unit = unit_of(noun, self.shape)
        if unit == "verse":
            shown = yield step("text/labels")
            filled = shown.number("filled")
            if shown.failed or not filled or shown.number("labelled") != filled:
                return None
            return (
                "filled",
                f"; each line of the document begins with a reference like Mark 4:1, so a line was taken as one of the “{noun}”",
            )
        if unit in ("row", "column"):
            yield from self._read_rows()
            whole = self.columns is not None and (self.shape.kind != "csv" or self.row_count <= self.shape.lines - 1)
            header = " (the header line is not counted)" if self.shape.kind == "csv" and unit == "row" else ""
            return (unit, header) if whole else None
        note = (
            f"; “{noun}” were taken as lines" if unit == "line" and not noun.removesuffix("s").endswith("line") else ""
        )
        return (unit, note) if unit else None

    def _units(self, ask: Units) -> Policy:
        found = yield from self._unit(ask.noun)
        if found is None:
            yield from self._beyond(_unknown_unit(ask.noun, self.clauses))
            return
        unit, note = found
        code = UNITS[unit].number if not ask.empty else UNITS[unit].empty
        if not code:
            yield from self._beyond(_unknown_unit(f"empty {ask.noun}", self.clauses))
            return
        yield from self._single(step("text/count_units", noun=plural(unit), code=code, note=note))

    def _units_with(self, ask: UnitsWith) -> Policy:
        found = yield from self._unit(ask.noun)
        if found is None or not UNITS[found[0]].spans:
            yield from self._beyond(_unknown_unit(ask.noun, self.clauses))
            return
        (unit, note), search = found, ask.search
        if unit == "row" and self.shape.kind == "csv" and self.row_count != self.shape.lines - 1:
            note += "; a row was taken as one line after the first, though some rows or lines do not fit that"
        test, said = _test(search, ask.negate)
        common = {"noun": plural(unit), "how_words": _how(search), "note": note}
        that = {"test_words": _plain(said), "that": repr(said)}
        shown = yield step(
            "text/units_with",
            patterns=repr(search.patterns()),
            flags=_flags(search),
            units=UNITS[unit].spans,
            test=test,
            **that,
            **common,
        )
        if shown.failed:
            yield _failed(shown)
        elif shown.value("found").startswith("0 ") and not ask.negate:
            yield from self._single(step("text/none_found", terms=repr(list(search.terms)), **common))
        elif ask.action == "count":
            yield from self._single(_count_check(search, test, common), "agrees")
        elif ask.action == "list":
            yield from self._single(step("text/list_check", **common), "agrees")
        else:
            yield from self._single(_end_check(ask, common), "agrees")

    def _extreme(self, ask: Extreme) -> Policy:
        found = yield from self._unit(ask.noun)
        if found is None or not UNITS[found[0]].spans or (ask.after_label and found[0] != "filled"):
            yield from self._beyond(_unknown_unit(ask.noun, self.clauses))
            return
        unit, label = found[0], found[0] == "filled"
        measure = 'unit.partition(" ")[2].strip()' if label else "unit.strip()"
        how = "counted after the reference" if label else "white space at its ends not counted, empty ones left out"
        which = "longest" if ask.longest else "shortest"
        values = {"noun": plural(unit), "units": UNITS[unit].spans, "measure": measure, "how_words": how}
        yield from self._single(step("text/extreme", which=which, reverse=ask.longest, **values))

    def _describe(self) -> Policy:
        said = ""
        if self.shape.tabular:
            yield from self._read_rows()
            if self.columns is not None:
                names = ", ".join(f"`{name}`" for name in dict.fromkeys(self.columns.by_name.values()))
                said = f" It can be read as {self.row_count:,} rows ({self.shape.kind}) with the columns {names}."
        yield from self._single(step("text/describe", shape=repr(said)))

    # Look-ups

    def _rank(self, ask: Lookup | Beyond, top: int) -> Generator[str, Shown, Shown]:
        size = 0 if self.shape.line_records else 700
        values = {"question": repr(ask.question), "words": repr(list(ask.words)), "phrases": repr(list(ask.phrases))}
        shown = yield step("lookup/rank", size=size, top=top, **values)
        return shown

    def _look_up(self, ask: Lookup) -> Policy:
        ranked = yield from self._rank(ask, 8)
        if ranked.failed:
            yield _failed(ranked)
            return
        reason = NO_MATCH
        if ranked.number("likely") > 0:
            asked = yield step("lookup/ask")
            if asked.failed:
                yield _failed(asked)
                return
            quotes = yield step("lookup/quotes")
            if quotes.failed:
                yield _failed(quotes)
                return
            kind, reason = _judge_quotes(ask, ranked, quotes)
            if kind:
                yield from self._single(step(f"lookup/{kind}", foot=repr(FOOT)))
                return
        yield from self._single(step("lookup/draft_weak", reason=repr(reason), help=repr(HELP)))

    def _beyond(self, ask: Beyond) -> Policy:
        said = f"“{_short(ask.question)}” is a question I do not answer. {ask.reason}"
        if ask.words:
            ranked = yield from self._rank(ask, 3)
            if not ranked.failed:
                yield from self._single(step("lookup/draft_weak", reason=repr(said), help=repr(HELP)))
                return
        yield from self._single(step("lookup/beyond", reason=repr(said), help=repr(HELP)))

    # Tables

    def _read_rows(self) -> Policy:
        if self.rows_read or not self.shape.tabular:
            return
        self.rows_read = True
        kind = self.shape.kind
        if kind in ("web log", "log"):
            shown = yield step("table/rows_pattern", pattern=f"r'''{ROWS[kind]}'''")
        elif kind == "mail":
            shown = yield step("table/rows_mail")
        elif kind == "csv":
            shown = yield step("table/rows_csv", delimiter=repr(self.shape.delimiter))
        else:
            parse = "values = list(context)" if self.shape.type in ("list", "tuple") else ROWS[kind]
            shown = yield step("table/rows_json", parse=parse)
        rows, odd = shown.number("rows"), shown.number("odd")
        if shown.failed or rows < 1 or odd > 0.05 * (rows + odd):
            return
        try:
            names = json.loads(shown.value("columns"))
        except ValueError:
            return
        stem = re.sub(r"[_\-.]+", " ", PurePath(self.shape.name).stem.lower()) if kind == "csv" else ""
        self.columns = Columns(
            names, usual=kind in ("web log", "log"), rows=[stem] if re.fullmatch(r"[a-z ]+s", stem) else []
        )
        self.row_count, self.odd = int(rows), int(odd)

    def _table(self, clause: Clause) -> Work:
        """Answer a clause from the rows, where it is a question about columns."""
        yield from self._read_rows()
        ask = table.understand(clause, self.columns) if self.columns else None
        if ask is None:
            return False
        yield from self._rows(ask)
        return True

    def _rows(self, ask: TableAsk) -> Policy:
        odd = f" ({self.odd:,} lines or entries do not have the form of the others.)" if self.odd else ""
        test = " and ".join(condition.code() for condition in ask.conditions) or "True"
        said = " and ".join(condition.words() for condition in ask.conditions)
        if isinstance(ask, CountRows):
            yield from self._count_rows(ask, test, said, odd)
            return
        values = {
            "column": _plain(ask.column),
            "name": repr(ask.column),
            "where": f" if {test}" if ask.conditions else "",
            "said": repr(f" where {said}" if said else ""),
        }
        if isinstance(ask, Distinct):
            yield from self._single(step("table/distinct", odd=f" + {odd!r}" if odd else "", **values), "agrees")
        elif isinstance(ask, Top):
            most = {
                "reverse": ask.most,
                "most": "most" if ask.most else "fewest",
                "number": ask.number,
                "odd_plain": odd,
            }
            yield from self._single(step("table/top", **most, **values), "agrees")
        elif isinstance(ask, Aggregate):
            code = {"mean": "statistics.fmean", "median": "statistics.median", "sum": "math.fsum"}.get(
                ask.measure, ask.measure
            )
            measure = {"min": "smallest value", "max": "largest value"}.get(ask.measure, ask.measure)
            added = {"code": f"{code}(numbers)", "measure": measure, "odd": f" + {odd!r}" if odd else ""}
            shown = yield step("table/aggregate", **added, **values)
            if shown.failed or shown.number("numbers") < 0 or shown.value("numbers").startswith("0 "):
                yield _failed(shown)
        else:
            shows = [ask.show, ask.column] if ask.show else []
            which = "largest" if ask.highest else "smallest"
            yield from self._single(
                step("table/extreme_row", which=which, reverse=ask.highest, show=repr(shows), odd_plain=odd, **values)
            )

    def _count_rows(self, ask: CountRows, test: str, said: str, odd: str) -> Policy:
        names = list(dict.fromkeys(condition.column for condition in ask.conditions))
        fields = _plain(", ".join(names))
        shown = yield step("table/count_rows", fields=fields, test=test)
        if shown.failed:
            yield _failed(shown)
            return
        loosely = 'remark = ""'
        if shown.value("found").startswith("0 "):
            loose = " and ".join(_loose(condition) for condition in ask.conditions)
            loosely = (
                f"loose = sum(1 for row in rows if {loose})\n"
                'remark = f" With upper and lower case taken as one: {loose:,}." if loose else ""'
            )
        values = {
            "fields": fields,
            "test": test,
            "names": repr(names),
            "said": repr(said),
            "odd": f" + {odd!r}" if odd else "",
        }
        yield from self._single(step("table/count_rows_check", loosely=loosely, **values), "agrees")


def _judge_quotes(ask: Lookup, ranked: Shown, quotes: Shown) -> tuple[str, str]:
    """Say how far the quotations carry: the step that gives them, or the reason why they are only pointers."""
    share, second = quotes.number("best share"), quotes.number("second share")
    absent = len(re.findall(r"'[^']*'", ranked.value("absent")))
    exact = not ask.phrases or not quotes.value("exact").startswith("0 ")
    if share < 50 or 2 * absent > len(ask.words) or not exact:
        return "", NO_MATCH
    if ask.many:
        return "draft_passages", ""
    if second >= share - 5 and share < 95:
        return "", NO_CHOICE
    return "draft_best", ""


def _how(search: Search) -> str:
    return f"{'case-sensitive' if search.case else 'ignoring case'}, {'whole word' if search.whole else 'anywhere'}"


def _flags(search: Search) -> str:
    return "0" if search.case else "re.IGNORECASE"


def _others(search: Search) -> str:
    """Write the expression that adds the other readings, where the question left open which one is meant."""
    return '""' if search.said else '" Read otherwise: " + others + "."'


def _test(search: Search, negate: bool) -> tuple[str, str]:
    """Give the test as code and as words."""
    verb = {"in": "contain", "start": "begin with", "end": "end with"}[search.where]
    terms = [f"“{term}”" for term in search.terms]
    word = " and " if search.join == "all" else " or "
    listed = terms[0] if len(terms) == 1 else ", ".join(terms[:-1]) + word + terms[-1]
    if negate:
        return "not patterns[0].search(unit)", f"do not {verb} {listed}"
    return f"{search.join}(pattern.search(unit) for pattern in patterns)", f"{verb} {listed}"


def _count_check(search: Search, test: str, common: dict[str, str]) -> str:
    before, after = {"in": ("", ""), "start": (r"\A\s*", ""), "end": ("", r"\s*\Z")}[search.where]
    added = {
        "terms": repr(list(search.terms)),
        "before": f"r{before!r}".replace("\\\\", "\\"),
        "after": f"r{after!r}".replace("\\\\", "\\"),
    }
    return step("text/count_check", how=repr(_how(search)), test=test, others=_others(search), **added, **common)


def _end_check(ask: UnitsWith, common: dict[str, str]) -> str:
    first = ask.action == "first" or ask.negate
    values = {
        "index": 0 if first else -1,
        "rest": "text[:start]" if first else "text[start + len(unit):]",
        "end": "first" if first else "last",
        "beyond": "before" if first else "after",
    }
    return step("text/end_check", **values, **common)


def _loose(condition: table.Condition) -> str:
    if condition.operator != "is":
        return condition.code()
    return f"cell(row, {condition.column!r}).lower() == {condition.value.lower()!r}"


def _unknown_unit(noun: str, parts: list[Clause]) -> Beyond:
    reason = f"I cannot tell what counts as “{noun}” in this document. I count lines, words, characters, paragraphs"
    question = parts[0].original if len(parts) == 1 else noun
    return Beyond(question, f"{reason}, the pages of a PDF and the rows of a table.")


def _plain(text: str) -> str:
    """Make a text from the question or the document safe to stand in prose: one line, no fence, not long."""
    return " ".join(text.replace("`", "'").split())[:100]


def _short(question: str) -> str:
    said = " ".join(question.split())
    return said if len(said) <= 120 else said[:119] + "…"
