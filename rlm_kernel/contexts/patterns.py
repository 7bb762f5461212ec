"""Patterns for texts on disk: RE2 over bytes, with the offsets of characters."""

from __future__ import annotations

import re
import sys
from functools import cache
from typing import TYPE_CHECKING, Any, overload
from unicodedata import category

from rlm_kernel.errors import ContextError

if TYPE_CHECKING:
    from collections.abc import Callable

Pattern = Any
"""A compiled pattern of RE2; its package has no types."""

_SPACE = r"\x{9}-\x{d}\x{1c}-\x{20}\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}"
_CLASSES = {"w": r"_\pL\pM\pN", "d": r"\p{Nd}", "s": _SPACE}
_FLAGS = (("i", re.I), ("m", re.M), ("s", re.S))
_OUTSIDE = re.compile(r"\\(.)|\[\^?\]?|\{,\d*\}|.", re.DOTALL)
"""What a pattern is made of outside of ``[…]``."""
_INSIDE = re.compile(r"\\(.)|\[:\^?[a-z]+:\]|.", re.DOTALL)
"""What stands between ``[`` and ``]``; ``[:alpha:]`` is a class of RE2."""
_LONG = 1_000
_REMEDY = (
    "Look-around and backreferences are not there; find candidates with a simpler pattern, then use re on "
    "slices: re.search(…, context[a:b])."
)
_WITHOUT = {
    re.X: "Write the pattern without the flag, and without spaces and comments in it.",
    re.A: r"Write the pattern without the flag, with [A-Za-z0-9_] for \w and [0-9] for \d.",
}


def compile_pattern(pattern: str | Pattern) -> Pattern:
    r"""Make a pattern for RE2.

    ``\w``, ``\d`` and ``\s`` mean letters, digits and spaces of all scripts, as in Python; ``\b`` knows ASCII only.

    Raises:
        ContextError: RE2 cannot search for it; the message says why, and what to do.
    """
    if isinstance(pattern, re.Pattern) and isinstance(pattern.pattern, str):
        pattern = _with_flags(pattern)
    if not isinstance(pattern, str):
        if hasattr(pattern, "search") and not isinstance(pattern, re.Pattern):
            return pattern
        raise TypeError(f"A pattern is a str, not {type(pattern).__name__}.")
    import re2  # type: ignore[import-untyped]

    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(_as_in_python(pattern), options)
    except re2.error as error:
        why = error.args[0].decode("utf-8", "replace") if error.args and isinstance(error.args[0], bytes) else error
        raise ContextError(f"The pattern {pattern!r} cannot be used on a text this large: {why}.", _REMEDY) from error


def _with_flags(pattern: re.Pattern[str]) -> str:
    """Write the flags of a pattern of ``re`` into it.

    Raises:
        ContextError: It has one that RE2 does not have.
    """
    for flag, remedy in _WITHOUT.items():
        if pattern.flags & flag:
            raise ContextError(f"The flag re.{flag.name} cannot be used on a text this large.", remedy)
    flags = "".join(letter for letter, flag in _FLAGS if pattern.flags & flag)
    return f"(?{flags}){pattern.pattern}" if flags else pattern.pattern


def _as_in_python(pattern: str) -> str:
    """Let a pattern mean what it means in Python.

    Raises:
        ContextError: RE2 would look between the bytes of a character.
    """
    made: list[str] = []
    at, inside = 0, False
    while found := (_INSIDE if inside else _OUTSIDE).match(pattern, at):
        letter, piece = found.group(1), found.group()
        if letter in ("B", "C") and not inside:
            raise ContextError(f"The pattern {pattern!r} cannot be used on a text this large: no {piece}.", _REMEDY)
        made.append(_piece(piece, inside) if letter is None else _escape(letter, inside))
        at, inside = found.end(), piece != "]" if inside else piece.startswith("[")
    return "".join(made)


def _piece(piece: str, inside: bool) -> str:
    """Write a piece of a pattern that is no escape."""
    if piece == "[" and inside:
        return r"\["
    if piece.startswith("{,"):
        return "{0" + piece[1:]
    # Half a character cannot be written in UTF-8, and so never stands in the text.
    return rf"\x{{{ord(piece):x}}}" if "\ud800" <= piece <= "\udfff" else piece


def _escape(letter: str, inside: bool) -> str:
    """Write an escape."""
    kind = letter.lower()
    if kind in _CLASSES:
        if inside:
            return _CLASSES[letter] if letter == kind else _others(kind)
        return f"[{_CLASSES[letter]}]" if letter == kind else f"[^{_CLASSES[kind]}]"
    if inside and letter == "b":
        return r"\x08"
    if "\ud800" <= letter <= "\udfff":
        return _piece(letter, inside)
    return r"\z" if letter == "Z" else f"\\{letter}"


@cache
def _others(letter: str) -> str:
    r"""Give the characters that are not in a class, as ranges: ``[\W]`` of RE2 knows ASCII only."""
    own = {"w": lambda char: char == "_" or category(char)[0] in "LMN", "d": str.isdecimal, "s": str.isspace}[letter]
    codes = [code for code in range(sys.maxunicode + 1) if own(chr(code))]
    edges = zip([-1, *codes], [*codes, sys.maxunicode + 1], strict=True)
    return "".join(rf"\x{{{last + 1:x}}}-\x{{{code - 1:x}}}" for last, code in edges if code - last > 1)


def count_apart(piece: bytes, wanted: bytes) -> tuple[int, int]:
    """Count the occurrences that do not overlap, and give where the last one ends; 0 where there is none."""
    if len(wanted) < _LONG and not any(wanted.startswith(wanted[-size:]) for size in range(1, len(wanted))):
        return piece.count(wanted), piece.rfind(wanted) + len(wanted) if wanted in piece else 0
    number = ended = 0
    for found in re.finditer(re.escape(wanted), piece):
        number, ended = number + 1, found.end()
    return number, ended


def written(part: str) -> bytes | None:
    """Give a text as it stands in the file; ``None`` where it cannot: half a character is in no UTF-8."""
    try:
        return part.encode("utf-8")
    except UnicodeEncodeError:
        return None


def several(part: str | tuple[str, ...]) -> tuple[str, ...]:
    """Give what a text may begin or end with as a tuple, as ``str.startswith`` takes both."""
    return part if isinstance(part, tuple) else (part,)


class Match:
    """A match: as that of ``re``, its offsets in characters of the whole text."""

    def __init__(self, found: Any, char: Callable[[int], int]) -> None:
        """Keep what was found.

        Args:
            found: RE2's match, in bytes.
            char: Gives the character that begins at a byte.
        """
        self._found = found
        self._char = char

    def span(self, group: int | str = 0) -> tuple[int, int]:
        """Give where a group begins and ends; (-1, -1) where it took no part."""
        start = self._found.span(group)[0]
        if start < 0:
            return -1, -1
        begun = self._char(start)
        return begun, begun + len(self._text(group) or "")

    def start(self, group: int | str = 0) -> int:
        """Give the offset at which a group begins."""
        return self.span(group)[0]

    def end(self, group: int | str = 0) -> int:
        """Give the offset behind a group."""
        return self.span(group)[1]

    def _text(self, group: int | str = 0) -> str | None:
        found = self._found.group(group)
        return None if found is None else bytes(found).decode("utf-8")

    @overload
    def group(self) -> str: ...
    @overload
    def group(self, group: int | str, /) -> str | None: ...
    @overload
    def group(self, group: int | str, second: int | str, /, *more: int | str) -> tuple[str | None, ...]: ...
    def group(self, *groups: int | str) -> str | tuple[str | None, ...] | None:
        """Give the text of a group, of several as a tuple; ``None`` where one took no part."""
        if len(groups) > 1:
            return tuple(self._text(group) for group in groups)
        return self._text(groups[0] if groups else 0)

    def __getitem__(self, group: int | str) -> str | None:
        """Give the text of a group."""
        return self._text(group)

    def groups(self, default: Any = None) -> tuple[Any, ...]:
        """Give the texts of all groups."""
        found = self._found.groups()
        return tuple(default if each is None else bytes(each).decode("utf-8") for each in found)

    def groupdict(self, default: Any = None) -> dict[str, Any]:
        """Give the texts of the groups that have names."""
        found = self._found.groupdict()
        return {name: default if each is None else bytes(each).decode("utf-8") for name, each in found.items()}

    def __repr__(self) -> str:
        """Show it as ``re`` does."""
        return f"<Match; span={self.span()}, match={self.group()[:50]!r}>"
