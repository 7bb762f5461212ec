"""How a value gets from a script into the process that answers questions about it: as data that JSON can hold."""

from __future__ import annotations

from typing import Any

from rlm_kernel.contexts.document import Document
from rlm_kernel.contexts.parts import FileMark
from rlm_kernel.contexts.text import Text, open_same

MODULE = __name__
MARKS = ("page_starts", "section_marks", "file_marks", "notes", "path", "kind", "outline", "label")
"""What a document knows besides its text."""


def sendable(value: object) -> tuple[object, str]:
    """Give a value as plain data, and the cell that makes of ``context`` what it was.

    Returns:
        Texts, numbers, lists and dicts; and the code, which is empty where they are the value.
    """
    if isinstance(value, Document):
        return [str(value), {name: getattr(value, name) for name in MARKS}], _cell("document")
    if isinstance(value, Text):
        return [value.path, list(value.stamp)], _cell("on_disk")
    return value, ""


def unfit(value: object, inside: bool = False) -> str:
    """Say why a value cannot be a context; empty where it can.

    What would arrive as something else counts as unfit: a number that is a key would be a text.

    Args:
        value: The context.
        inside: It is part of a list or dict.
    """
    if value is None or isinstance(value, str | int | float) or (isinstance(value, Text) and not inside):
        return ""
    if isinstance(value, dict):
        odd = next((key for key in value if not isinstance(key, str)), None)
        if odd is not None:
            return f"The context has a dict with a key that is no text: {odd!r}."
        return next(filter(None, (unfit(item, True) for item in value.values())), "")
    if isinstance(value, list | tuple):
        return next(filter(None, (unfit(item, True) for item in value)), "")
    kind = type(value).__name__
    return f"The context has a {kind} in it, which is not handed over." if inside else f"A {kind} cannot be a context."


def document(text: str, marks: dict[str, Any]) -> Document:
    """Make the document that `sendable` has taken apart."""
    files = [FileMark(*mark) for mark in marks["file_marks"]]
    found = Document(
        text,
        marks["path"],
        marks["kind"],
        page_starts=marks["page_starts"],
        sections=marks["section_marks"],
        files=files,
        outline=marks["outline"],
        notes=marks["notes"],
    )
    found.label = marks["label"]
    return found


def on_disk(path: str, stamp: list[int]) -> Text:
    """Open the text that `sendable` has told of."""
    return open_same(path, (stamp[0], stamp[1]))


def _cell(maker: str) -> str:
    return f"from {MODULE} import {maker} as _made\ncontext = _made(*context)\ndel _made"
