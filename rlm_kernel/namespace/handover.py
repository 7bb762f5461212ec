"""How a context gets from a namespace to the namespaces of its child runs."""

from __future__ import annotations

import mmap
import os
import pickle
import tempfile
from threading import Lock
from types import FunctionType
from typing import TYPE_CHECKING, Any, NamedTuple

from rlm_kernel.errors import ContextError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import BinaryIO

REMEDY = "Hand over text, or lists and dicts of it."


class Span(NamedTuple):
    """Where a value lies in a file."""

    offset: int
    length: int


class Written(NamedTuple):
    """A file with values in it."""

    fd: int
    spans: list[Span]
    """One for each value, in their order."""


class Handover:
    """Writes values into a file without a name, once for all children, and reads one in the child.

    The file goes from process to process as an open descriptor: there is no path to guess, nothing to clean up after
    a kill, and a child that hands its own context on passes the same file. A text cannot change, so it is written once
    however often it is handed over; anything else is written anew each time.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._kept: tuple[str, int, Span] | None = None

    def write(self, values: Sequence[object]) -> Written:
        """Give a file that holds the values; the caller calls `sent` when it has sent it.

        Raises:
            ContextError: One of them cannot be handed over, or there is no room for it.
        """
        with self._lock:
            first = values[0]
            same = all(value is first for value in values)
            if same and self._kept is not None and self._kept[0] is first:
                return Written(os.dup(self._kept[1]), [self._kept[2]] * len(values))
            try:
                with tempfile.TemporaryFile(prefix="rlm-") as file:
                    spans = _dump(file, values)
                    fd = os.dup(file.fileno())
            except OSError as error:
                raise ContextError(f"The context cannot be written for the child runs: {error}.") from error
            if same and isinstance(first, str):
                self._keep(first, os.dup(fd), spans[0])
            return Written(fd, spans)

    def read(self, fd: int, span: Span) -> object:
        """Read the value this process was given.

        Raises:
            ContextError: It needs something that is not here.
        """
        with mmap.mmap(fd, 0, access=mmap.ACCESS_READ) as mapped, memoryview(mapped) as view:
            try:
                with view[span.offset : span.offset + span.length] as part:
                    value: object = pickle.loads(part)
            except Exception as error:  # unpickling runs what the value brings with it
                raise ContextError(
                    f"The context cannot be read in the child run: {type(error).__name__}: {error}.", REMEDY
                ) from error
        if isinstance(value, str):
            self._keep(value, fd, span)
        else:
            os.close(fd)
        return value

    def _keep(self, value: str, fd: int, span: Span) -> None:
        if self._kept is not None:
            os.close(self._kept[1])
        self._kept = value, fd, span


class _Pickler(pickle.Pickler):
    """Refuses what a child could not read."""

    def reducer_override(self, value: object) -> Any:
        """Look at classes and functions, which pickle stores by their name only."""
        if isinstance(value, type | FunctionType) and value.__module__ == "__main__":
            raise pickle.PicklingError(f"{value.__qualname__} is defined in a cell, and the child does not have it")
        return NotImplemented


def _dump(file: BinaryIO, values: Sequence[object]) -> list[Span]:
    spans: dict[int, Span] = {}
    for value in values:
        if id(value) in spans:
            continue
        offset = file.tell()
        try:
            _Pickler(file, protocol=5).dump(value)
        except OSError:
            raise
        except Exception as error:  # pickling runs the value's own code
            what = str(error) or type(error).__name__
            raise ContextError(f"A {type(value).__name__} cannot be handed over: {what}.", REMEDY) from error
        spans[id(value)] = Span(offset, file.tell() - offset)
    file.flush()
    return [spans[id(value)] for value in values]
