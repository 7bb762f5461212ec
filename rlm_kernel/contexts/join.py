"""One document made of several."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rlm_kernel.contexts.document import Document
from rlm_kernel.contexts.parts import FileMark, SectionMark

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def heading(name: str) -> str:
    """Give the line that stands before a file, so that it is known in any piece that is cut from the text."""
    return f"=== {name} ===\n"


def join(
    parts: Sequence[tuple[str, Document]], path: str, kind: str, *, label: str = "", notes: Iterable[str] = ()
) -> Document:
    """Put documents together, each under a line with its name; the boundaries of all are kept.

    Args:
        parts: Names with documents; the files of one that has files itself are named ``document/file``.
        path: Where the whole was read from.
        kind: What the whole is.
        label: What the whole is called, where that is not the last part of its path.
        notes: What the reader should know.
    """
    texts: list[str] = []
    files: list[FileMark] = []
    pages: list[int] = []
    sections: list[SectionMark] = []
    position = 0
    for name, part in parts:
        marks = part.file_marks or (FileMark(0, len(part), "", part.path, part.kind, part.outline),)
        for mark in marks:
            full = "/".join(filter(None, (name, mark.name)))
            before = ("\n\n" if position else "") + heading(full)
            shift = position + len(before) - mark.start
            text = part[mark.start : mark.end]
            texts += [before, text]
            position += len(before) + len(text)
            files.append(FileMark(shift + mark.start, position, full, mark.path, mark.kind, mark.outline))
            pages += [start + shift for start in part.page_starts if _within(start, mark)]
            sections += [
                each._replace(start=each.start + shift) for each in part.section_marks if _within(each.start, mark)
            ]
    document = Document("".join(texts), path, kind, page_starts=pages, sections=sections, files=files, notes=notes)
    document.label = label
    return document


def _within(position: int, mark: FileMark) -> bool:
    # An empty last page begins where the file ends; the next file begins behind its heading.
    return mark.start <= position <= mark.end
