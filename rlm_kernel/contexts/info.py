"""What is told of a value instead of the value itself."""

from __future__ import annotations

from typing import TypedDict


class ContextInfo(TypedDict):
    """What the model is told of ``context`` instead of the text itself."""

    type: str
    """``str``, ``Document (PDF)``, ``list of 12 str`` …"""
    source: str
    """File or files it came from; empty where it was made in a cell."""
    chars: int
    lines: int
    structure: str
    """A few lines: pages, headings, columns, keys, shape; may be empty."""
    head: str
    tail: str
