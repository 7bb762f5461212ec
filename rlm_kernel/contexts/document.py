"""A loaded document: a text that knows where it came from."""

from __future__ import annotations

import csv
import html
import io
import json
from bisect import bisect_right
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Literal, SupportsIndex

if TYPE_CHECKING:
    from typing import Self

Kind = Literal["text", "log", "Markdown", "HTML", "PDF", "CSV", "TSV", "JSON", "JSONL"]

_FIRST_LINES = 6
_LINE_WIDTH = 100


class Document(str):
    """The text of a document, with what a plain text would forget.

    It is a ``str`` in everything: slices, ``split``, ``re`` and ``+`` give plain texts and know nothing of the file.
    Only the way it is shown differs: a short description, so that a cell ending in it does not print four megabytes.

    Attributes:
        path: The file it was read from.
        kind: The format.
        outline: What the loader knows of its structure beyond the text; may be empty.
        sections: Headings that do not stand in the text itself (a PDF's bookmarks): offset, level, title.
    """

    path: str
    kind: Kind
    outline: str
    sections: tuple[tuple[int, int, str], ...]
    _page_starts: tuple[int, ...]

    def __new__(
        cls,
        text: str,
        path: str = "",
        kind: Kind = "text",
        *,
        page_starts: tuple[int, ...] = (),
        sections: tuple[tuple[int, int, str], ...] = (),
        outline: str = "",
    ) -> Self:
        """Make a document of its text; ``page_starts`` are the offsets at which its pages begin."""
        self = super().__new__(cls, text)
        self.path, self.kind, self.outline = path, kind, outline
        self.sections, self._page_starts = sections, page_starts
        return self

    @property
    def name(self) -> str:
        """The file's name without its folder."""
        return Path(self.path).name

    @property
    def page_count(self) -> int:
        """How many pages it has; 0 where the format has none."""
        return len(self._page_starts)

    @property
    def pages(self) -> list[str]:
        """The pages' texts; empty where the format has no pages."""
        edges = (*self._page_starts, len(self))
        return [self[start:end].rstrip("\n") for start, end in pairwise(edges)]

    @property
    def rows(self) -> list[dict[str, str]]:
        """The rows of a table, each with its columns' names.

        Raises:
            AttributeError: It is not CSV or TSV.
        """
        if self.kind not in ("CSV", "TSV"):
            raise AttributeError(f"{self.name or 'this text'} is {self.kind} and has no rows; only CSV and TSV have.")
        if "_rows" not in self.__dict__:
            reader = csv.DictReader(io.StringIO(str(self), newline=""), delimiter=self.delimiter, restkey="")
            self._rows: list[dict[str, str]] = list(reader)
        return self._rows

    @property
    def delimiter(self) -> str:
        """What separates the columns of a table: the likely character that its first line has most of."""
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
            self._data: object = json.loads(str(self))
        return self._data

    def at(self, offset: SupportsIndex) -> str:
        """Say where a character stands, for people: ``report.pdf, p. 12`` or ``kjv.txt, line 5,000``.

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
        name = self.name or "text"
        if self._page_starts:
            return f"{name}, p. {bisect_right(self._page_starts, position)}"
        return f"{name}, line {self.count(chr(10), 0, position) + 1:,}"

    def summary(self) -> str:
        """Say in one line what it is: ``kjv.txt · text · 4,404,412 characters · 31,102 lines``."""
        lines = self.count("\n") + (0 if self.endswith("\n") else 1)
        parts = [self.name or "Document", self.kind, f"{len(self):,} characters", f"{lines:,} lines"]
        if self.page_count:
            parts.append(f"{self.page_count:,} pages")
        return " · ".join(parts)

    def __repr__(self) -> str:
        """Describe it and show its first lines."""
        return "\n".join([f"<{self.summary()}>", *self._first_lines()])

    def _repr_pretty_(self, printer: object, cycle: bool) -> None:
        text = getattr(printer, "text", None)
        if text is not None:
            text(repr(self))

    def _repr_html_(self) -> str:
        shown = html.escape("\n".join(self._first_lines()))
        return f"<div><strong>{html.escape(self.summary())}</strong><pre>{shown}</pre></div>"

    def _first_lines(self) -> list[str]:
        # The head alone is split: splitting megabytes to show six lines would be felt.
        head = self[: (_FIRST_LINES + 6) * 400].split("\n")
        lines = [line.rstrip() for line in head if line.strip()][:_FIRST_LINES]
        return [line if len(line) <= _LINE_WIDTH else line[: _LINE_WIDTH - 1] + "…" for line in lines]

    def __reduce__(self) -> tuple[object, tuple[str], dict[str, object]]:
        """Pickle the text and what is known of it; rows and data are read again where they are needed."""
        state = {name: value for name, value in self.__dict__.items() if name not in ("_rows", "_data")}
        return type(self), (str(self),), state
