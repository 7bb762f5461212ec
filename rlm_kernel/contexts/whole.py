"""A context as one text: that of a list or dict is made of its items, so that what was read of it can be told too."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rlm_kernel.contexts.cited import named
from rlm_kernel.contexts.document import Document
from rlm_kernel.contexts.parts import FileMark
from rlm_kernel.contexts.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterator

LARGEST = 64_000_000
"""Characters of a list or dict that are put together at most: they are held a second time."""
DEEPEST = 20
Items = list[tuple[str, list[str | Text]]]
"""What each item is called, and the texts in it."""


class Whole:
    """Gives a context as one text, the same one as long as the context is the same."""

    def __init__(self) -> None:
        self._plain: list[object] = []
        self._items: Items = []
        self._text: Document | None = None

    def of(self, context: object) -> str | Text | None:
        """Give a context as one text; ``None`` where there is no text in it, or too much to hold it twice.

        The items of a list or dict stand one after the other, as `Document.files`, with their place or key as names;
        of an item that is itself a list or dict its texts are taken.
        """
        if isinstance(context, str | Text):
            return context if len(context) else None
        if not isinstance(context, list | tuple | dict):
            return None
        if self._plain and isinstance(context, list) and context == self._plain:
            return self._text  # a million lines are compared in some milliseconds
        items = _items(context)
        if items is None:
            self._items, self._text = [], None
        elif self._text is None or items != self._items:
            self._items, self._text = items, _joined(items)
        flat = isinstance(context, list) and all(type(each) is str for each in context)
        self._plain = list(context) if flat else []
        return self._text


def _items(context: list[object] | tuple[object, ...] | dict[object, object]) -> Items | None:
    found: Items = []
    size = 0
    for name, value in named(context):
        texts: list[str | Text] = [value] if type(value) is str and value else list(_texts(value, DEEPEST))
        if texts:
            size += sum(map(len, texts)) + len(texts)
            found.append((name, texts))
        if size > LARGEST:
            return None
    return found or None


def _texts(value: object, depth: int) -> Iterator[str | Text]:
    if isinstance(value, str | Text):
        if len(value):
            yield value
    elif depth and isinstance(value, list | tuple | dict):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _texts(each, depth - 1)


def _joined(items: Items) -> Document:
    # With the separator that most programs join lines with: what they put together is found as one part.
    pieces: list[str] = []
    marks: list[FileMark] = []
    position = 0
    for name, texts in items:
        piece = "\n".join(map(str, texts))
        pieces.append(piece)
        marks.append(FileMark(position, position + len(piece), name, "", "text"))
        position += len(piece) + 1
    return Document("\n".join(pieces), files=marks)
