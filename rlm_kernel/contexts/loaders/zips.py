"""Zips with documents in them."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from rlm_kernel.contexts.gather import Gathered
from rlm_kernel.contexts.loaders.archive import Archive
from rlm_kernel.contexts.loaders.source import Source
from rlm_kernel.contexts.names import shown

if TYPE_CHECKING:
    from rlm_kernel.contexts.document import Document


def load(source: Source) -> Document:
    """Read all documents of a zip; each is a file. What is none is left out and named, archives in it too.

    Raises:
        ContextError: It is broken or not to be trusted, or nothing in it can be read.
    """
    archive = Archive(source)
    gathered = Gathered()
    names = [name for name in archive.infos if not _hidden(name)]
    for number, name in enumerate(names, 1):
        if times := archive.repeated.get(name):
            gathered.left_out(f"{shown(name)}, all but the last of {times:,}", "they have the same name")
        inner = Source(f"{source.path}/{name}", archive.read(name), "text", source.encoding, source.progress)
        gathered.add(shown(name), inner)
        source.progress.at(f"{source.name}: file {number:,} of {len(names):,}")
    return gathered.document(source.path, "zip", source.name)


def _hidden(name: str) -> bool:
    return any(part.startswith(".") or part == "__MACOSX" for part in PurePosixPath(name).parts)
