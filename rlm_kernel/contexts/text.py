"""A text too large for a ``str``: the file stays on disk and is looked at through a map."""

from __future__ import annotations

import mmap
import os
from array import array
from bisect import bisect_right
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, SupportsIndex, overload

from rlm_kernel.contexts.patterns import Match, compile_pattern, count_apart, several, written
from rlm_kernel.errors import ContextError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rlm_kernel.contexts.chunks import Chunk, Unit
    from rlm_kernel.contexts.patterns import Pattern
    from rlm_kernel.contexts.search import Passage

BLOCK = 1 << 16
"""Bytes between two entries of the index from characters to bytes."""
LARGEST_SLICE = 256 * 1024 * 1024
"""Characters that may become a ``str`` at once."""
DROP_EVERY = 1 << 26
"""Bytes after which pages that were read are given back to the system."""
LARGEST_FLAT = 4096
"""Characters that a one-line view of it shows at most."""

_INSTEAD = {
    "split": "lines() or chunks(size)",
    "splitlines": "lines()",
    "replace": "a slice: context[a:b].replace(…)",
    "lower": "search('(?i)…') or a slice",
    "upper": "a slice",
    "strip": "a slice",
    "encode": "a slice",
}

_PARTS = ("pages", "sections", "files", "rows", "data")


class Text:
    """The text of a large UTF-8 file: slices, searches and lines, without the file in memory.

    - Offsets count characters, as those of a ``str`` do, whatever the text is written in.
    - ``context[a:b]`` is a plain ``str``; everything that a ``str`` can do can be done with a slice.
    - Patterns are searched with RE2: in time that grows with the text and never with the pattern's tricks.
    - Several processes that open the same file share its pages.

    The file must stay as it is: when it changes on disk, the next access says so.

    Args:
        path: The file.

    Raises:
        ContextError: It cannot be read, or is not UTF-8.
    """

    kind = "text"

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = str(Path(path).expanduser().absolute())
        try:
            with open(self.path, "rb") as file:
                self.stamp = _stamp(os.fstat(file.fileno()))
                if not self.stamp[0]:
                    raise ContextError(f"{self.name} is empty.", "Is it the right file?")
                self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except OSError as error:
            raise ContextError(f"{self.name} cannot be read: {error.strerror or error}.") from error
        self._starts = self._index()
        self._line_starts: array[int] | None = None
        self._read = 0  # bytes, since pages were given back

    @property
    def name(self) -> str:
        """The file's name without its folder."""
        return Path(self.path).name

    # -- from characters to bytes and back ------------------------------------------------------------------------

    def _index(self) -> array[int]:
        """Count the characters before each block; a block begins at a character.

        Raises:
            ContextError: It is not UTF-8.
        """
        size, counted, at = len(self._map), 0, 0
        if b"\0" in self._map[:BLOCK]:
            raise ContextError(f"{self.name} is no text: there are zero bytes in it.", "Is it the right file?")
        chars, places = array("Q"), array("Q")
        while at < size:
            chars.append(counted)
            places.append(at)
            end = self._boundary(min(at + BLOCK, size))
            try:
                counted += len(str(self._map[at:end], "utf-8"))
            except UnicodeDecodeError as error:
                raise ContextError(
                    f"{self.name} is not UTF-8: byte {at + error.start:,} does not fit.",
                    f"Convert it first: iconv -f ENCODING -t utf-8 {self.name} > new.txt",
                ) from error
            at = end
        self._length, self._places = counted, places
        self._ascii = counted == size
        self._drop(0, size)
        return chars

    def _boundary(self, at: int) -> int:
        """Go back to where a character begins."""
        while at < len(self._map) and self._map[at] & 0xC0 == 0x80:
            at -= 1
        return at

    def _byte(self, char: int) -> int:
        """Give the byte at which a character begins."""
        if self._ascii:
            return char
        block = bisect_right(self._starts, char) - 1
        rest = char - self._starts[block]
        if not rest:
            return self._places[block]
        return self._places[block] + len(self._block(block)[:rest].encode("utf-8"))

    def _char(self, byte: int) -> int:
        """Give the character that begins at a byte."""
        if self._ascii:
            return byte
        block = bisect_right(self._places, byte) - 1
        start = self._places[block]
        return self._starts[block] + len(str(self._map[start:byte], "utf-8"))

    def _block(self, number: int) -> str:
        start = self._places[number]
        end = self._places[number + 1] if number + 1 < len(self._places) else len(self._map)
        return str(self._map[start:end], "utf-8")

    def _drop(self, start: int, end: int) -> None:
        """Give pages back to the system: they can be read again, and count as memory of this process no more."""
        if hasattr(mmap, "MADV_DONTNEED"):
            start -= start % mmap.PAGESIZE
            self._map.madvise(mmap.MADV_DONTNEED, start, max(1, end - start))

    def _check(self) -> None:
        """Make sure that the file is what it was; one that became shorter would end the process.

        Raises:
            ContextError: It has changed.
        """
        try:
            now = _stamp(os.stat(self.path))
        except OSError as error:
            raise ContextError(
                f"{self.name} is gone: {error.strerror}.", "Load it again from where it is now."
            ) from error
        if now != self.stamp:
            raise ContextError(f"{self.name} has changed since it was loaded.", "Load it again.")

    # -- as a text ------------------------------------------------------------------------------------------------

    def __len__(self) -> int:
        """Give the number of characters."""
        return self._length

    @overload
    def __getitem__(self, key: SupportsIndex) -> str: ...
    @overload
    def __getitem__(self, key: slice) -> str: ...
    def __getitem__(self, key: SupportsIndex | slice) -> str:
        """Give a character, or a slice as a plain ``str``.

        Raises:
            IndexError: There is no such character.
            ContextError: The slice is too large for a ``str``, or the file has changed.
        """
        if not isinstance(key, slice):
            at = key.__index__()
            at += self._length if at < 0 else 0
            if not 0 <= at < self._length:
                raise IndexError(f"{self.name} has {self._length:,} characters; there is no position {key}.")
            return self[at : at + 1]
        start, stop, step = key.indices(self._length)
        if step != 1:
            raise ContextError("A slice of a large text has no step.", "Slice first: context[a:b][::2].")
        if stop - start > LARGEST_SLICE:
            raise ContextError(
                f"A slice of {stop - start:,} characters is too large.",
                "Use search(), lines() or chunks(size), or a smaller slice.",
            )
        if stop <= start:
            return ""
        self._check()
        first, last = self._byte(start), self._byte(stop)
        text = str(self._map[first:last], "utf-8")
        self._read += last - first
        if self._read > DROP_EVERY:
            self._drop(0, len(self._map))
            self._read = 0
        return text

    def __contains__(self, part: str) -> bool:
        """Tell whether a text stands in it."""
        return self.find(part) >= 0

    def find(self, part: str, start: int = 0, end: int | None = None) -> int:
        """Give the offset of the first occurrence, -1 where there is none; as ``str.find``."""
        return self._find(part, start, end, self._map.find)

    def rfind(self, part: str, start: int = 0, end: int | None = None) -> int:
        """Give the offset of the last occurrence, -1 where there is none; as ``str.rfind``."""
        return self._find(part, start, end, self._map.rfind)

    def _find(self, part: str, start: int, end: int | None, how: object) -> int:
        if not isinstance(part, str):
            raise TypeError(f"A text is looked for with a str, not {type(part).__name__}; patterns with search().")
        self._check()
        wanted = written(part)
        if wanted is None or self._is_nowhere(start, end):
            return -1
        first, last = self._span(start, end)
        found: int = how(wanted, first, last)  # type: ignore[operator]
        self._drop(first, last)
        return -1 if found < 0 else self._char(found)

    def _span(self, start: int, end: int | None) -> tuple[int, int]:
        first, last, _ = slice(start, end).indices(self._length)
        return self._byte(first), self._byte(max(first, last))

    def _is_nowhere(self, start: int, end: int | None) -> bool:
        """Tell whether not even an empty text stands there, as ``str`` has it: the end is before the start."""
        first, last, _ = slice(start, end).indices(self._length)
        return start > self._length or last < first

    def index(self, part: str, start: int = 0, end: int | None = None) -> int:
        """Give the offset of the first occurrence.

        Raises:
            ValueError: There is none.
        """
        found = self.find(part, start, end)
        if found < 0:
            raise ValueError(f"{part!r} does not stand in {self.name}.")
        return found

    def count(self, part: str, start: int = 0, end: int | None = None) -> int:
        """Count the occurrences that do not overlap; as ``str.count``."""
        self._check()
        wanted, (first, last) = written(part), self._span(start, end)
        if wanted is None or self._is_nowhere(start, end):
            return 0
        if not wanted:
            return len(range(*slice(start, end).indices(self._length))) + 1
        number, at = 0, first
        while at < last:
            # A piece is as long as it may be, and as much longer as an occurrence that crosses its end.
            stop = min(at + DROP_EVERY, last)
            piece = self._map[at : min(stop + len(wanted) - 1, last)]
            counted, ended = count_apart(piece, wanted)
            number += counted
            self._drop(at, stop)
            at = max(stop, at + ended)
        return number

    def startswith(self, part: str | tuple[str, ...]) -> bool:
        """Tell whether it begins with a text, or with one of several."""
        return any(self[: len(each)] == each for each in several(part))

    def endswith(self, part: str | tuple[str, ...]) -> bool:
        """Tell whether it ends with a text, or with one of several."""
        return any(not each or self[-len(each) :] == each for each in several(part))

    def __iter__(self) -> Iterator[str]:
        """Give its lines, one after the other; the ends of lines are left out."""
        return self.lines()

    def __str__(self) -> str:
        """Give all of it as one ``str``.

        Raises:
            ContextError: It is too large for that.
        """
        return self[:]

    def __repr__(self) -> str:
        """Describe it and show how it begins."""
        return f"<{self.summary()}>\n{self[:LARGEST_FLAT].split(chr(10))[0][:200]}"

    def __getattr__(self, name: str) -> NoReturn:
        """Say what to use in place of a method of ``str`` that it does not have."""
        if name in _INSTEAD or (not name.startswith("_") and hasattr(str, name)):
            instead = _INSTEAD.get(name, "a slice")
            raise AttributeError(f"A text of {self._length:,} characters has no {name}(); use {instead}.")
        if name in _PARTS:
            raise AttributeError(
                f"A text on disk has no {name}; use lines(), chunks(size, by='line') or search(pattern)."
            )
        raise AttributeError(f"Text has no attribute {name!r}")

    def __reduce__(self) -> tuple[object, tuple[str, tuple[int, int]]]:
        """Pickle the place, not the text: whoever reads it maps the same file."""
        return open_same, (self.path, self.stamp)

    notes: tuple[str, ...] = ()
    """What the reader should know; nothing, of a text on disk."""

    def summary(self) -> str:
        """Say in one line what it is: ``web.log · text · 1,048,576,000 characters · on disk``."""
        return f"{self.name} · {self.kind} · {self._length:,} characters · on disk"

    # -- lines and pieces -----------------------------------------------------------------------------------------

    def lines(self, start: int = 0, stop: int | None = None) -> Iterator[str]:
        """Give lines by number, from 0 on, without their ends; the last ones can be counted from the end.

        Args:
            start: Number of the first.
            stop: Number of the first that is not given; ``None``: to the end.
        """
        if start < 0 or (stop is not None and stop < 0):
            start, stop, _ = slice(start, stop).indices(self.line_count)
        self._check()
        at, dropped = self._line_byte(start), 0
        number = start
        while at < len(self._map) and (stop is None or number < stop):
            end = self._map.find(b"\n", at)
            end = len(self._map) if end < 0 else end
            yield str(self._map[at:end], "utf-8").rstrip("\r")
            at, number = end + 1, number + 1
            if at - dropped > DROP_EVERY:
                self._drop(dropped, at)
                dropped = at

    @property
    def line_count(self) -> int:
        """How many lines it has; counted at the first need."""
        lines = self._newlines()
        return lines[-1] + (self._map[-1:] != b"\n")

    def _newlines(self) -> array[int]:
        """Count the line ends before each block."""
        if self._line_starts is None:
            counts, counted = array("Q"), 0
            edges = [*self._places, len(self._map)]
            for start, end in pairwise(edges):
                counts.append(counted)
                counted += self._map[start:end].count(b"\n")
            counts.append(counted)
            self._line_starts = counts
            self._drop(0, len(self._map))
        return self._line_starts

    def _line_byte(self, number: int) -> int:
        """Give the byte at which a line begins."""
        if number <= 0:
            return 0
        counts = self._newlines()
        if number > counts[-1]:
            return len(self._map)
        block = max(0, bisect_right(counts, number - 1) - 1)
        at = self._places[min(block, len(self._places) - 1)]
        for _ in range(number - counts[block]):
            at = self._map.find(b"\n", at) + 1
        return at

    def line_start(self, number: int) -> int | None:
        """Give the offset at which a line begins, counted from 0; ``None`` where there is no such line."""
        byte = self._line_byte(number)
        return self._char(byte) if number >= 0 and byte < len(self._map) else None

    def line_number(self, offset: int) -> int:
        """Give the number of the line in which a character stands, from 0 on."""
        byte = self._byte(min(max(0, offset), self._length))
        block = max(0, bisect_right(self._places, byte) - 1)
        return self._newlines()[block] + self._map[self._places[block] : byte].count(b"\n")

    def at(self, offset: SupportsIndex) -> str:
        """Say where a character stands, for people: ``web.log, line 5,000``.

        Raises:
            IndexError: There is no such position.
        """
        position = offset.__index__()
        position += self._length if position < 0 else 0
        if not 0 <= position <= self._length:
            raise IndexError(f"{self.name} has {self._length:,} characters; there is no position {offset}.")
        return f"{self.name}, line {self.line_number(position) + 1:,}"

    def chunks(self, size: int, overlap: int = 0, by: Unit | None = None) -> Iterator[Chunk]:
        """Give it in pieces; see `rlm_kernel.contexts.chunks.chunks`."""
        from rlm_kernel.contexts.chunks import chunks

        return chunks(self, size, overlap, by)

    # -- searching ------------------------------------------------------------------------------------------------

    def search(self, pattern: str | Pattern, start: int = 0, end: int | None = None) -> Match | None:
        """Give the first match of a pattern, ``None`` where there is none; as ``re.search``, by RE2's rules.

        Args:
            pattern: A pattern, or what `rlm_kernel.contexts.patterns.compile_pattern` made.
            start: Offset of the first character that is looked at.
            end: Offset behind the last one.

        Raises:
            ContextError: RE2 cannot search for it: no look-around, no backreferences.
        """
        return next(self.finditer(pattern, start, end), None)

    def finditer(self, pattern: str | Pattern, start: int = 0, end: int | None = None) -> Iterator[Match]:
        """Give the matches one after the other; as ``re.finditer``."""
        compiled = compile_pattern(pattern)
        self._check()
        first, last = self._span(start, end)
        return self._matches(compiled, first, last)

    def _matches(self, compiled: Pattern, first: int, last: int) -> Iterator[Match]:
        at, dropped = first, first
        # RE2 takes the end of what it is given for the end of the text: $ must match there.
        looked_at = memoryview(self._map)[:last] if last < len(self._map) else self._map
        while at <= last:
            found = compiled.search(looked_at, at, last)
            begun, ended = found.span() if found else (last, last)
            if ended - dropped > DROP_EVERY or not found:
                self._drop(dropped, ended)
                dropped = ended
            if not found:
                return
            yield Match(found, self._char)
            at = ended if ended > begun else self._boundary_after(ended)

    def _boundary_after(self, byte: int) -> int:
        byte += 1
        while byte < len(self._map) and self._map[byte] & 0xC0 == 0x80:
            byte += 1
        return byte

    def findall(self, pattern: str | Pattern, start: int = 0, end: int | None = None) -> list[str | tuple[str, ...]]:
        """Give all matches as texts, or their groups where there are any; as ``re.findall``."""
        found: list[str | tuple[str, ...]] = []
        for match in self.finditer(pattern, start, end):
            groups = match.groups("")
            found.append(match.group() if not groups else groups[0] if len(groups) == 1 else groups)
        return found

    def search_ranked(self, query: str, k: int = 10) -> list[Passage]:
        """Give the passages that fit a query best; see `rlm_kernel.contexts.search.search_ranked`."""
        from rlm_kernel.contexts.search import search_ranked

        return search_ranked(self, query, k)


def open_same(path: str, stamp: tuple[int, int]) -> Text:
    """Open the file that another process has opened.

    Raises:
        ContextError: It is gone, or another one.
    """
    text = Text(path)
    if text.stamp != stamp:
        raise ContextError(f"{text.name} has changed since it was loaded.", "Load it again.")
    return text


def _stamp(status: os.stat_result) -> tuple[int, int]:
    return status.st_size, status.st_mtime_ns
