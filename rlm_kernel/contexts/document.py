"""A loaded document: a text that knows where it came from."""

from __future__ import annotations

import csv
import html
import json
from bisect import bisect_left, bisect_right
from decimal import Decimal
from itertools import islice, tee
from pathlib import Path
from typing import TYPE_CHECKING, Any, SupportsIndex

from rlm_kernel.contexts.columns import column_names, separator_line
from rlm_kernel.contexts.names import shown
from rlm_kernel.contexts.parts import FileMark, Files, Parts, Section, SectionMark

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Self

    from rlm_kernel.contexts.chunks import Chunk, Unit
    from rlm_kernel.contexts.search import Passage

_FIRST_LINES = 6
_LINE_WIDTH = 80
TABLES = ("CSV", "TSV")
_OWN_LINES = ("text", "log", "Markdown", *TABLES, "JSON", "JSONL")
"""Kinds whose lines are those of the file; the lines of others are made here, and a number would lead nowhere."""
CONTAINERS = ("zip", "XLSX", "ODS")
"""Kinds that are one file with parts in it: both are named."""
_MAX_FIELD = 1 << 27
_LAZY = ("_rows", "_data", "_row_starts")


class Document(str):
    """The text of a document, with what a plain text would forget.

    It is a ``str`` in everything: slices, ``split``, ``re`` and ``+`` give plain texts and know nothing of the file.
    Only the way it is shown differs: a short description, so that a cell ending in it does not print four megabytes.

    Boundaries are plain data, which is pickled with it: `page_starts`, `section_marks`, `file_marks`. The views on
    them, `pages`, `sections` and `files`, cut their items from the text when they are looked at.

    Attributes:
        path: The file or folder it was read from.
        kind: The format.
        outline: What the loader knows of its structure beyond the text; may be empty.
        notes: What the reader should know: files that were left out, and why.
        page_starts: The offsets at which pages begin.
        section_marks: Offset, level (from 1) and title of each section, in order.
        file_marks: The files in it, in order, where it was made of several.
    """

    path: str
    kind: str
    outline: str
    notes: tuple[str, ...]
    page_starts: tuple[int, ...]
    section_marks: tuple[SectionMark, ...]
    file_marks: tuple[FileMark, ...]
    label: str
    """What it is called, where that is not the last part of its path."""

    def __new__(
        cls,
        text: str,
        path: str = "",
        kind: str = "text",
        *,
        page_starts: Iterable[int] = (),
        sections: Iterable[tuple[int, int, str]] = (),
        files: Iterable[FileMark] = (),
        outline: str = "",
        notes: Iterable[str] = (),
    ) -> Self:
        """Make a document of its text and the boundaries in it."""
        self = super().__new__(cls, text)
        self.path, self.kind, self.outline, self.notes = path, kind, outline, tuple(notes)
        self.page_starts = tuple(page_starts)
        self.section_marks = tuple(SectionMark(*mark) for mark in sections)
        self.file_marks = tuple(files)
        self.label = ""
        return self

    @property
    def name(self) -> str:
        """The file's name without its folder, in printable characters."""
        return self.label or shown(Path(self.path).name)

    # ---- parts

    @property
    def page_count(self) -> int:
        """How many pages it has; 0 where the format has none."""
        return len(self.page_starts)

    @property
    def pages(self) -> Parts[str]:
        """The pages' texts, the first at index 0; empty where the format has no pages."""
        return Parts(len(self.page_starts), self._page)

    def _page(self, number: int) -> str:
        start = self.page_starts[number]
        end = self.page_starts[number + 1] if number + 1 < len(self.page_starts) else len(self)
        file = self._file_at(start)
        return self[start : min(end, file.end) if file else end].rstrip("\n")

    @property
    def sections(self) -> Parts[Section]:
        """The sections, in order: each has ``title``, ``level``, ``start``, ``end`` and ``text``."""
        return Parts(len(self.section_marks), self._section)

    def _section(self, number: int) -> Section:
        mark = self.section_marks[number]
        file = self._file_at(mark.start)
        end = file.end if file else len(self)
        for after in islice(self.section_marks, number + 1, None):
            if after.start >= end or after.level <= mark.level:
                end = min(end, after.start)
                break
        return Section(mark, end, self)

    @property
    def files(self) -> Files:
        """The files it was made of, each a document, by position or by name; empty where it is of one."""
        return Files([mark.name for mark in self.file_marks], self._file)

    def _file(self, number: int) -> Document:
        mark = self.file_marks[number]
        pages = self.page_starts[bisect_left(self.page_starts, mark.start) : bisect_right(self.page_starts, mark.end)]
        first, last = (bisect_left(self.section_marks, (edge,)) for edge in (mark.start, mark.end + 1))
        document = Document(
            self[mark.start : mark.end],
            mark.path,
            mark.kind,
            page_starts=(start - mark.start for start in pages),
            sections=(each._replace(start=each.start - mark.start) for each in self.section_marks[first:last]),
            outline=mark.outline,
        )
        document.label = mark.name
        return document

    def _file_at(self, position: int) -> FileMark | None:
        """Find the file at a position; its heading line counts as its own."""
        if not self.file_marks:
            return None
        number = bisect_right(self.file_marks, position, key=lambda mark: mark.start) - 1
        if number + 1 < len(self.file_marks) and (number < 0 or position > self.file_marks[number].end):
            number += 1
        return self.file_marks[number]

    def chunks(self, size: int, overlap: int = 0, by: Unit | None = None) -> Iterator[Chunk]:
        """Give it in pieces, each with its place; see `rlm_kernel.contexts.chunks.chunks`."""
        from rlm_kernel.contexts.chunks import chunks

        return chunks(self, size, overlap, by)

    def search_ranked(self, query: str, k: int = 10) -> list[Passage]:
        """Give the passages that fit a query best; see `rlm_kernel.contexts.search.search_ranked`."""
        from rlm_kernel.contexts.search import search_ranked

        return search_ranked(self, query, k)

    # ---- tables and data

    @property
    def rows(self) -> list[Any]:
        """The rows of a table, each a dict by the columns' names; the values of JSON lines.

        Raises:
            AttributeError: It is not CSV, TSV or JSONL, nor a spreadsheet with one sheet.
        """
        if len(self.file_marks) == 1:
            return self._file(0).rows
        if self.kind not in (*TABLES, "JSONL"):
            which = "; its tables are in .files" if any(mark.kind in TABLES for mark in self.file_marks) else ""
            raise AttributeError(
                f"{self.name or 'this text'} is {self.kind} and has no rows; only CSV, TSV and JSONL have{which}."
            )
        if "_rows" not in self.__dict__:
            self._rows: list[Any] = (
                [read_json(line) for line in lines(self) if line.strip()]
                if self.kind == "JSONL"
                else list(self._table_rows())
            )
        return self._rows

    def _table_rows(self) -> Iterator[dict[str, Any]]:
        allow_long_fields()
        rest = lines(self, separator_line(self)[1])
        names = column_names(next(csv.reader(rest, delimiter=self.delimiter), []))
        return csv.DictReader(rest, names, delimiter=self.delimiter, restkey="")

    @property
    def row_starts(self) -> tuple[int, ...]:
        """The offsets at which the rows of a table begin, the line of its columns excepted; of JSON lines, all.

        A line end between quotation marks ends no row.
        """
        if "_row_starts" not in self.__dict__:
            starts = list(_row_starts(self)) if self.kind in (*TABLES, "JSONL") else []
            self._row_starts: tuple[int, ...] = tuple(starts if self.kind == "JSONL" else starts[1:])
        return self._row_starts

    @property
    def delimiter(self) -> str:
        """What separates the columns of a table: what its first line says, or the likely character it has most of."""
        if named := separator_line(self)[0]:
            return named
        if self.kind == "TSV":
            return "\t"
        first = self[: self.find("\n") if "\n" in self else None]
        return max(",;\t|", key=first.count)

    @property
    def data(self) -> object:
        """The value that a JSON document stands for.

        Raises:
            AttributeError: It is not JSON.
        """
        if self.kind != "JSON":
            raise AttributeError(f"{self.name or 'this text'} is {self.kind} and has no data; only JSON has.")
        if "_data" not in self.__dict__:
            self._data: object = read_json(str(self))
        return self._data

    # ---- places

    def at(self, offset: SupportsIndex) -> str:
        """Say where a character stands, for people: ``report.pdf, p. 12, § 3.2 Costs`` or ``kjv.txt, line 5,000``.

        Args:
            offset: Position of the character, counted from the end where negative.

        Raises:
            IndexError: There is no such position.
        """
        position = offset.__index__()
        if position < 0:
            position += len(self)
        if not 0 <= position <= len(self):
            raise IndexError(f"{self.name or 'this text'} has {len(self):,} characters; there is no position {offset}.")
        file = self._file_at(position)
        if file is None:
            return ", ".join([self.name or "text", *self._within(position, 0, self.kind)])
        names = [self.name, file.name] if self.kind in CONTAINERS else [file.name]
        if not file.start <= position <= file.end:
            return ", ".join(names)
        return ", ".join([*names, *self._within(position, file.start, file.kind)])

    def _within(self, position: int, start: int, kind: str) -> Iterator[str]:
        """Give page or line, and section, of a position in the file that begins at ``start``."""
        page = bisect_right(self.page_starts, position) - bisect_left(self.page_starts, start)
        section = bisect_right(self.section_marks, position, key=lambda mark: mark.start) - 1
        title = ""
        if section >= 0 and self.section_marks[section].start >= start:
            title = self.section_marks[section].title
        if page > 0:
            yield f"p. {page}"
        elif kind in _OWN_LINES or not title:
            yield f"line {self.count(chr(10), start, position) + 1:,}"
        if title:
            yield f"§ {title}"

    # ---- how it is shown

    def summary(self) -> str:
        """Say in one line what it is: ``kjv.txt · text · 4,404,412 characters · 31,102 lines``."""
        count = self.count("\n") + (0 if self.endswith("\n") else 1)
        parts = [self.name or "Document", self.kind, f"{len(self):,} characters", f"{count:,} lines"]
        for found, what in ((self.file_marks, "file"), (self.page_starts, "page"), (self.section_marks, "section")):
            if found:
                parts.append(f"{len(found):,} {what}{'s' if len(found) != 1 else ''}")
        return " · ".join(parts)

    def __repr__(self) -> str:
        """Describe it and show its first lines."""
        return "\n".join([f"<{self.summary()}>", *self._notes_shown(), *self._first_lines()])

    def _repr_pretty_(self, printer: object, cycle: bool) -> None:
        text = getattr(printer, "text", None)
        if text is not None:
            text(repr(self))

    def _repr_html_(self) -> str:
        first = html.escape("\n".join(self._first_lines()))
        notes = "".join(f"<div>{html.escape(note)}</div>" for note in self._notes_shown())
        return f"<div><strong>{html.escape(self.summary())}</strong>{notes}<pre>{first}</pre></div>"

    def _notes_shown(self) -> list[str]:
        more = [f"… {len(self.notes) - 3:,} more: see .notes"] if len(self.notes) > 3 else []
        return [*(note[:200] for note in self.notes[:3]), *more]

    def _first_lines(self) -> list[str]:
        # The head alone is split: splitting megabytes to show six lines would be felt.
        head = self[: (_FIRST_LINES + 6) * 400].split("\n")
        first = [line.rstrip() for line in head if line.strip()][:_FIRST_LINES]
        return [line if len(line) <= _LINE_WIDTH else line[: _LINE_WIDTH - 1] + "…" for line in first]

    def __reduce__(self) -> tuple[object, tuple[str], dict[str, object]]:
        """Pickle the text and what is known of it; rows and data are read again where they are needed."""
        state = {name: value for name, value in self.__dict__.items() if name not in _LAZY}
        return type(self), (str(self),), state


def read_json(text: str) -> Any:
    """Read JSON; integers of more digits than Python makes an ``int`` of (4,300) are `Decimal`, which keeps them all.

    Raises:
        JSONDecodeError: It is not JSON.
        RecursionError: It is nested too deeply.
    """
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        raise
    except ValueError:
        return json.loads(text, parse_int=_integer)  # each number by a call of its own, which takes longer


def _integer(digits: str) -> int | Decimal:
    try:
        return int(digits)
    except ValueError:
        return Decimal(digits)


def allow_long_fields() -> None:
    """Let the csv module read fields as long as a note in a cell may be; its own limit is 128 KB."""
    csv.field_size_limit(max(csv.field_size_limit(), _MAX_FIELD))


def lines(text: str, start: int = 0) -> Iterator[str]:
    """Give the lines with their ends, one after the other: a list of them all would take several times the text."""
    while start < len(text):
        end = text.find("\n", start) + 1 or len(text)
        yield text[start:end]
        start = end


def _row_starts(text: Document) -> Iterator[int]:
    start = 0 if text.kind == "JSONL" else separator_line(text)[1]
    if text.kind == "JSONL":
        for line in lines(text):
            if line.strip():
                yield start
            start += len(line)
        return
    allow_long_fields()
    read, counted = tee(lines(text, start))
    reader, before = csv.reader(read, delimiter=text.delimiter), 0
    for row in reader:
        if row:
            yield start
        start += sum(map(len, islice(counted, reader.line_num - before)))
        before = reader.line_num
