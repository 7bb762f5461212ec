"""``sys.stdout`` and ``sys.stderr`` of the cells."""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class CellStream(io.TextIOBase):
    """A text stream that goes to the host piece by piece.

    Nothing is held back: a cell that prints and then computes for an hour must have shown what it printed, and a timer
    would need a thread, which would forbid checkpoints. The host joins the pieces.
    """

    encoding = "utf-8"
    errors = "replace"

    def __init__(self, name: str, fd: int, write: Callable[[str, str], None]) -> None:
        """Make a stream.

        Args:
            name: ``stdout`` or ``stderr``.
            fd: The real file descriptor, for code that wants one; the host reads that too.
            write: Told the name and the text.
        """
        self._name = name
        self._fd = fd
        self._write = write

    @property
    def name(self) -> str:
        """Name as a file has it."""
        return f"<{self._name}>"

    def writable(self) -> bool:
        """Whether it can be written to."""
        return True

    def fileno(self) -> int:
        """Give the real file descriptor."""
        return self._fd

    def write(self, text: str, /) -> int:
        """Send a text."""
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        if text:
            self._write(self._name, text)
        return len(text)

    def set_parent(self, parent: object) -> None:
        """Take the parent as ipykernel's streams do; ours is the shell's."""


def flush_real() -> None:
    """Write out what lies in the buffers over file descriptors 1 and 2."""
    for stream in (sys.__stdout__, sys.__stderr__):
        if stream is not None and not stream.closed:
            try:
                stream.flush()
            except OSError:
                continue
