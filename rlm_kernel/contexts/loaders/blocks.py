"""Puts the text of an office document together: paragraphs, headings, lists, tables, notes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from rlm_kernel.contexts.document import Document
from rlm_kernel.contexts.parts import SectionMark

if TYPE_CHECKING:
    from rlm_kernel.contexts.loaders.source import Source

_EVERY = 1000


class Blocks:
    """Collects blocks in the form that HTML gets too: ``#`` before headings, ``-`` before items, `` | `` in tables.

    Args:
        source: Is told how far it is.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._texts: list[str] = []
        self._marks: list[SectionMark] = []
        self._length = 0
        self._in_list = False

    def _add(self, text: str, separator: str = "\n\n") -> None:
        if self._texts:
            text = separator + text
        self._texts.append(text)
        self._length += len(text)
        if len(self._texts) % _EVERY == 0:
            self._source.progress.at(f"{self._source.name}: {self._length:,} characters")

    def paragraph(self, text: str) -> None:
        """Add a paragraph; an empty one is left out."""
        if text.strip():
            self._in_list = False
            self._add(text.strip("\n").rstrip())

    def heading(self, text: str, level: int) -> None:
        """Add a heading, which begins a section."""
        title = " ".join(text.split())
        if title:
            self._in_list = False
            self._marks.append(SectionMark(self._length + (2 if self._texts else 0), level, title))
            self._add(f"{'#' * min(level, 6)} {title}")

    def item(self, text: str, level: int = 0) -> None:
        """Add an item of a list."""
        if text.strip():
            self._add(f"{'  ' * level}- {text.strip()}", "\n" if self._in_list else "\n\n")
            self._in_list = True

    def table(self, rows: list[list[str]]) -> None:
        """Add a table: a line for each row."""
        lines = [" | ".join(re.sub(r"\s+", " ", cell).strip() for cell in row) for row in rows]
        lines = [line for line in lines if line.strip(" |")]
        if lines:
            self._in_list = False
            self._add("\n".join(lines))

    def notes(self, notes: list[tuple[str, str]]) -> None:
        """Add footnotes: what they are called in the text, and what they say."""
        for name, text in notes:
            self._add(f"[^{name}]: {text.strip()}", "\n" if self._in_list else "\n\n")
            self._in_list = True
        self._in_list = False

    def append(self, text: str, marks: list[SectionMark]) -> None:
        """Add a text that has sections of its own."""
        if text:
            shift = self._length + (2 if self._texts else 0)
            self._marks += [mark._replace(start=mark.start + shift) for mark in marks]
            self._add(text)

    def document(self, kind: str) -> Document:
        """Give what was collected.

        Raises:
            ContextError: There is no text in it.
        """
        if not self._texts:
            raise self._source.error(
                "has no text in it.", "If it is made of pictures, save it as PDF and run ocrmypdf."
            )
        return Document("".join(self._texts), self._source.path, kind, sections=self._marks)
