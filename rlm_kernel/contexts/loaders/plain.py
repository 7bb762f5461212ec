"""Text, Markdown and logs."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from rlm_kernel.contexts.document import Document
from rlm_kernel.contexts.headings import find_headings

if TYPE_CHECKING:
    from rlm_kernel.contexts.loaders.source import Source

MAX_SECTIONS = 100_000


def load(source: Source) -> Document:
    """Read a text as it is; Markdown has its headings as sections."""
    text = source.text()
    sections = islice(find_headings(text, underlined=True), MAX_SECTIONS) if source.kind == "Markdown" else ()
    return Document(text, source.path, source.kind, sections=sections)
