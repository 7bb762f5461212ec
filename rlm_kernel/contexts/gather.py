"""Collecting the readable files of a folder or an archive."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rlm_kernel.contexts.join import join
from rlm_kernel.contexts.loaders.registry import read
from rlm_kernel.contexts.loaders.source import MAX_BYTES, MB
from rlm_kernel.errors import ContextError

if TYPE_CHECKING:
    from rlm_kernel.contexts.document import Document
    from rlm_kernel.contexts.loaders.source import Source

_ARCHIVES = (".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar", ".zst")
_CHECKED = (".csv", ".tsv", ".tab", ".json", ".ipynb", ".geojson", ".jsonl", ".ndjson", ".eml", ".mbox")
"""Texts that are read as they are where their form is broken: among many files, that is better than nothing."""


class Gathered:
    """Files as they are found: the readable ones are kept, what cannot be read is noted with its reason.

    Args:
        kind: The format of all of them, where the person named one.
    """

    def __init__(self, kind: str | None = None) -> None:
        self._kind = kind
        self._parts: list[tuple[str, Document]] = []
        self.notes: list[str] = []
        """What is to be known of the files."""
        self._size = 0

    def add(self, name: str, source: Source) -> bool:
        """Read a file, or note why it is left out; gives whether it was read.

        Raises:
            ContextError: With it, there is more text than can be loaded.
        """
        if source.suffix in _ARCHIVES or (source.content.startswith(b"PK\x03\x04") and not source.suffix):
            self.left_out(name, "it is an archive: unpack it to have what is in it")
            return False
        content = source.content
        try:
            document = read(source, self._kind)
        except ContextError as error:
            if source.suffix not in _CHECKED or not content.strip():
                self.left_out(name, reason(error, name))
                return False
            source.content = content
            try:
                document = read(source, "text")
            except ContextError:
                self.left_out(name, reason(error, name))
                return False
            self.notes.append(f"{name} read as plain text: {reason(error, name)}.")
        self._size += len(document)
        if self._size > MAX_BYTES:
            raise ContextError(
                f"Up to {name}, there are {self._size / MB:,.0f} MB of text, and {MAX_BYTES // MB} MB is the most.",
                "Load a part of it: name folders or patterns.",
            )
        self.notes += [f"{name}: {note}" for note in document.notes]
        self._parts.append((name, document))
        return True

    def again(self, name: str) -> None:
        """Note a file that is loaded already."""
        self.notes.append(named_twice(name))

    def left_out(self, name: str, why: str) -> None:
        """Note a file that is not loaded."""
        self.notes.append(f"{name} left out: {why}.")

    @property
    def is_empty(self) -> bool:
        """Whether no file was read so far."""
        return not self._parts

    def document(self, path: str, kind: str, label: str) -> Document:
        """Give what was found.

        Raises:
            ContextError: Nothing was.
        """
        if not self._parts:
            said = f": {' '.join(self.notes[:3])}" if self.notes else " (hidden and ignored ones do not count)."
            more = f" And {len(self.notes) - 3:,} more." if len(self.notes) > 3 else ""
            raise ContextError(f"{label} has no readable files{said}{more}", "Name a file or another folder.")
        return join(self._parts, path, kind, label=label, notes=self.notes)


def named_twice(name: str) -> str:
    """Say that something is loaded once only."""
    return f"{name} named twice, loaded once."


def reason(error: ContextError, name: str) -> str:
    """Give what is wrong with a file, without its name, which stands before it anyway."""
    message = error.message.rstrip(".")
    rest = message.removeprefix(name.rpartition("/")[2])
    return f"it{rest}" if rest != message else message
