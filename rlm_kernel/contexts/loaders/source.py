"""What a loader is given: the bytes of a file, and what the person said about them."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import TYPE_CHECKING, Protocol

from rlm_kernel.contexts.names import shown
from rlm_kernel.errors import ContextError

if TYPE_CHECKING:
    from collections.abc import Callable

    from rlm_kernel.contexts.document import Document

MAX_BYTES = 256 * 1024 * 1024
"""Most bytes that are loaded as one text."""
MB = 1024 * 1024
_EVERY = 1.0


class Progress:
    """Tells what is being done, where it takes longer than a second.

    Args:
        tell: Shows a line to the person; the next one takes its place.
    """

    def __init__(self, tell: Callable[[str], None] | None = None) -> None:
        self._tell = tell
        self._next = time.monotonic() + _EVERY
        self.told = False

    def at(self, what: str) -> None:
        """Say how far it is, where a second has gone by since the last word."""
        if self._tell is not None and time.monotonic() >= self._next:
            self._next = time.monotonic() + _EVERY
            self.told = True
            self._tell(what)


@dataclass(slots=True)
class Source:
    """A file that is to be loaded.

    Attributes:
        path: Where it is; for a file in an archive, where it would be if that were a folder.
        content: Its bytes.
        kind: The format, as its name or its first bytes tell.
        encoding: What the person said it is in; ``None``: find out.
        progress: Is told of work that takes long.
    """

    path: str
    content: bytes
    kind: str = "text"
    encoding: str | None = None
    progress: Progress = field(default_factory=Progress)

    @property
    def name(self) -> str:
        """The file's name, in printable characters."""
        return shown(PurePath(self.path).name)

    @property
    def suffix(self) -> str:
        """The ending of its name, in small letters, with its dot."""
        return PurePath(self.path).suffix.lower()

    def error(self, what: str, remedy: str = "") -> ContextError:
        """Make an error of which the first word is the file's name."""
        return ContextError(f"{self.name} {what}", remedy)

    def text(self, *, declared: str | None = None) -> str:
        """Decode the bytes, and let go of them: both at once would be twice the memory.

        Args:
            declared: The encoding that the file itself names.

        Raises:
            ContextError: They are no text, or in another encoding.
        """
        from rlm_kernel.contexts.loaders.decoding import decode

        text = decode(self.content, self.name, encoding=self.encoding or declared)
        self.content = b""
        if not text.strip():
            raise self.error("is empty.", "Is it the right file?")
        return text


class Loader(Protocol):
    """Reads one format; what an entry point of the group ``rlm_kernel.loaders`` leads to."""

    def __call__(self, source: Source) -> Document:
        """Read it.

        Raises:
            ContextError: It cannot be read; ``source.error(what, remedy)`` makes one.
        """
        ...
