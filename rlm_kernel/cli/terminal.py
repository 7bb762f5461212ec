"""Text on a terminal or in a pipe: consoles, and texts from models made harmless."""

from __future__ import annotations

import os
import re
import shutil
import sys
from typing import TYPE_CHECKING, TextIO

from rich.console import Console

if TYPE_CHECKING:
    from collections.abc import Callable

_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])")
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
PIPE_WIDTH = 100


def plain(text: str) -> str:
    """Take out everything with which a text could steer a terminal; tabs and line ends stay.

    A line that was written over with carriage returns (a progress bar) is left with its last state.
    """
    text = _ESCAPES.sub("", text).replace("\r\n", "\n")
    if "\r" in text:
        text = "\n".join(line.rstrip("\r").rpartition("\r")[2] for line in text.split("\n"))
    return _CONTROLS.sub("", text)


def shorten(text: str, head: int = 12, tail: int = 5, width: int = 400) -> list[str]:
    """Give the first and last lines of a text, and say how many are left out between them."""
    lines = [line if len(line) <= width else f"{line[:width]}… ({len(line) - width:,} more characters)"
             for line in text.rstrip("\n").split("\n")]  # fmt: skip
    if len(lines) <= head + tail + 1:
        return lines
    left_out = f"… {len(lines) - head - tail:,} more lines …"
    return [*lines[:head], left_out, *lines[-tail:]]


class Screen(Console):
    """A console that tells when nobody reads it any more, instead of ending the program from within.

    Args:
        file: Where to write.
        on_gone: Called once when the reader has gone (a closed pipe).
    """

    def __init__(self, file: TextIO, on_gone: Callable[[], None] | None = None) -> None:
        is_terminal = file.isatty() and os.environ.get("TERM") != "dumb"
        width = None if is_terminal or "COLUMNS" in os.environ else PIPE_WIDTH
        super().__init__(file=file, width=width, highlight=False, markup=False, emoji=False, legacy_windows=False)
        self.gone = False
        self.on_gone = on_gone

    def on_broken_pipe(self) -> None:
        """Write nothing more, and tell once."""
        self.quiet = True
        if self.gone:
            return
        self.gone = True
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self.file.fileno())
        os.close(nowhere)
        if self.on_gone is not None:
            self.on_gone()


def make_screen(*, errors: bool = False) -> Screen:
    """Give the console on standard output, or on standard error."""
    return Screen(sys.stderr if errors else sys.stdout)


def window_lines() -> int:
    """Count the lines of the terminal's window."""
    return shutil.get_terminal_size().lines
