"""Patterns for texts on disk: RE2 over bytes, with the offsets of characters."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, overload

from rlm_kernel.errors import ContextError

if TYPE_CHECKING:
    from collections.abc import Callable

Pattern = Any
"""A compiled pattern of RE2; its package has no types."""

_WORD, _DIGIT, _SPACE = r"\pL\pM\pN_", r"\p{Nd}", r"\s\x{a0}\x{2000}-\x{200a}\x{2028}\x{2029}\x{3000}"
_CLASSES = {"w": _WORD, "d": _DIGIT, "s": _SPACE}
_ESCAPE = re.compile(r"\\(.)|\[\^?\]?|\]", re.DOTALL)


def compile_pattern(pattern: str | Pattern) -> Pattern:
    r"""Make a pattern for RE2.

    ``\w``, ``\d`` and ``\s`` mean letters, digits and spaces of all scripts, as in Python; ``\b`` knows ASCII only.

    Raises:
        ContextError: RE2 cannot search for it; the message says why, and what to do.
    """
    if isinstance(pattern, re.Pattern):
        flags = "".join(letter for letter, flag in (("i", re.I), ("m", re.M), ("s", re.S)) if pattern.flags & flag)
        pattern = f"(?{flags}){pattern.pattern}" if flags else pattern.pattern
    if not isinstance(pattern, str):
        if hasattr(pattern, "search"):
            return pattern
        raise TypeError(f"A pattern is a str, not {type(pattern).__name__}.")
    import re2  # type: ignore[import-untyped]

    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(_as_in_python(pattern), options)
    except re2.error as error:
        why = error.args[0].decode("utf-8", "replace") if error.args and isinstance(error.args[0], bytes) else error
        raise ContextError(
            f"The pattern {pattern!r} cannot be used on a text this large: {why}.",
            "Look-around and backreferences are not there; find candidates with a simpler pattern, then use re on "
            "slices: re.search(…, context[a:b]).",
        ) from error


def _as_in_python(pattern: str) -> str:
    """Let the classes of characters mean what they mean in Python."""
    inside = False

    def replaced(found: re.Match[str]) -> str:
        nonlocal inside
        letter = found.group(1)
        if letter is None:
            inside = found.group() != "]"
            return found.group()
        if letter in _CLASSES:
            return _CLASSES[letter] if inside else f"[{_CLASSES[letter]}]"
        if letter in ("W", "D", "S") and not inside:
            return f"[^{_CLASSES[letter.lower()]}]"
        return r"\z" if letter == "Z" else found.group()

    return _ESCAPE.sub(replaced, pattern)


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
