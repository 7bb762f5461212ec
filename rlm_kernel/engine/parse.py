"""What a model wrote, taken apart while it still writes: prose, one cell, nothing else."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from rlm_kernel.engine.observer import Part

LANGUAGES = frozenset({"python", "py", "repl", "python3", "ipython"})
_FENCE = re.compile(r" {0,3}(`{3,})[ \t]*([^\s`]*)[^`]*")
_MAYBE_OPEN = re.compile(r" {0,3}(?:`{0,2}|`{3,}[^`]*)")
_MAYBE_CLOSE = re.compile(r" {0,3}`*[ \t]*")
_LINES = re.compile(r"[^\n]*\n|[^\n]+")


class Piece(NamedTuple):
    """A part of the reply grew: ``text`` stands at character ``pos`` of it."""

    part: Part
    pos: int
    text: str


class ReplySplitter:
    """Splits a reply that comes in pieces into prose and the first cell.

    A cell is a fenced block in one of `LANGUAGES`. A fence stands on a line of its own; what closes it is at least as
    long, and never inside a string in triple quotes, so that prompts with Markdown in them stay whole. Other fenced
    blocks are prose. What comes after the cell is counted, not kept: models invent results there.

    However the reply is cut into pieces, the parts come out the same. They have no empty lines at either end.
    """

    def __init__(self) -> None:
        self.closed = False
        """The cell's fence is closed; everything after it is ignored."""
        self.opened = False
        """A cell has begun."""
        self.text = ""
        """The reply as the model wrote it, up to the end of its cell."""
        self.extra = 0
        """Characters that came after the cell."""
        self._parts: dict[Part, list[str]] = {"prose": [], "code": []}
        self._lengths: dict[Part, int] = {"prose": 0, "code": 0}
        self._newlines = 0  # at the end of the part, held back until something follows
        self._line = ""  # the current line, as far as it may still be a fence
        self._inside = False  # whether a part of the current line is passed on, so that it cannot be a fence
        self._fence = 0  # length of the open fence: the cell's or, in prose, another's

    @property
    def prose(self) -> str:
        """What the model says before its cell."""
        return "".join(self._parts["prose"])

    @property
    def code(self) -> str:
        """The cell."""
        return "".join(self._parts["code"])

    @property
    def unclosed(self) -> bool:
        """Whether a cell has begun and not ended."""
        return self.opened and not self.closed

    def feed(self, text: str) -> list[Piece]:
        """Take the next piece of the reply; give what the parts grew by."""
        pieces: list[Piece] = []
        for found in _LINES.finditer(text.replace("\r", "")):
            self._take(found[0], pieces)
        return _joined(pieces)

    def finish(self) -> list[Piece]:
        """The reply is over: give what was held back."""
        pieces: list[Piece] = []
        if not self.closed and self._line and not self._is_fence(self._line, at_end=True):
            self._pass_on(self._line, pieces)
        self._line = ""
        return _joined(pieces)

    def _take(self, text: str, pieces: list[Piece]) -> None:
        """Take one line, or a part of one."""
        if self.closed:
            self.extra += len(text)
            return
        self.text += text
        ended = text.endswith("\n")
        if not self._inside:
            text = self._line + text
            self._line = ""
            if not ended and self._may_be_fence(text):
                self._line = text
                return
            if ended and self._is_fence(text.removesuffix("\n"), at_end=False):
                return
        self._pass_on(text, pieces)
        self._inside = not ended

    def _may_be_fence(self, line: str) -> bool:
        return bool((_MAYBE_CLOSE if self._fence else _MAYBE_OPEN).fullmatch(line))

    def _is_fence(self, line: str, *, at_end: bool) -> bool:
        """Open or close where a complete line does that; tell whether the line is used up."""
        found = _FENCE.fullmatch(line)
        if not found:
            return False
        length, language = len(found[1]), found[2].lower()
        if not self._fence:
            self._fence = length
            if language not in LANGUAGES:
                return False
            self.opened = True
            self._newlines = 0
            return True
        if length < self._fence or line.strip(" \t`"):
            return False
        if not self.opened:
            self._fence = 0
            return False
        # A fence in an open string is text of the cell; where the reply ends there, the string is a slip.
        if not at_end and in_string(self.code):
            return False
        self.closed = True
        return True

    def _pass_on(self, text: str, pieces: list[Piece]) -> None:
        part: Part = "code" if self.opened else "prose"
        body = text.rstrip("\n")
        if body:
            held = "\n" * self._newlines if self._lengths[part] else ""
            pieces.append(Piece(part, self._lengths[part], held + body))
            self._parts[part].append(held + body)
            self._lengths[part] += len(held + body)
            self._newlines = 0
        self._newlines += len(text) - len(body)


def _joined(pieces: list[Piece]) -> list[Piece]:
    """Make one piece of neighbours of the same part."""
    joined: list[Piece] = []
    for piece in pieces:
        if joined and joined[-1].part == piece.part:
            joined[-1] = joined[-1]._replace(text=joined[-1].text + piece.text)
        else:
            joined.append(piece)
    return joined


def with_cell(reply: str, code: str) -> str:
    """Give a reply with another cell in the place of its own.

    Args:
        reply: As a model wrote it.
        code: The cell.
    """
    splitter = ReplySplitter()
    splitter.feed(reply)
    splitter.finish()
    runs = [len(found) for found in re.findall("`{3,}", code)]
    fence = "`" * max(3, *(run + 1 for run in runs), 3)
    cell = f"{fence}python\n{code.strip(chr(10))}\n{fence}"
    return f"{splitter.prose}\n\n{cell}" if splitter.prose else cell


_STRINGS = re.compile(
    r"""
    \#[^\n]*                                   # a comment
    | (?P<long>'{3}|\"{3})                       # opens a string over several lines
    | '(?:\\.|[^'\\\n])*(?:'|(?=\n)|\Z)           # a string in one line; one that is not closed ends with the line
    | "(?:\\.|[^"\\\n])*(?:"|(?=\n)|\Z)
    """,
    re.VERBOSE | re.DOTALL,
)


def in_string(code: str) -> bool:
    """Tell whether code ends within a string in triple quotes."""
    pos = 0
    while found := _STRINGS.search(code, pos):
        pos = found.end()
        quotes = found["long"]
        if not quotes:
            continue
        while True:
            end = code.find(quotes, pos)
            if end < 0:
                return True
            backslashes = len(code[:end]) - len(code[:end].rstrip("\\"))
            pos = end + (1 if backslashes % 2 else 3)
            if not backslashes % 2:
                break
    return False


_FINAL = re.compile(r"^[ \t]*(FINAL|FINAL_VAR)\(", re.MULTILINE)
_BLOCK = re.compile(r"^ {0,3}(`{3,})[^`\n]*\n.*?(?:^ {0,3}\1`*[ \t]*$|\Z)", re.MULTILINE | re.DOTALL)


def final_cell(prose: str) -> str | None:
    """Turn an answer given in the text, ``FINAL(...)`` or ``FINAL_VAR(...)``, into the cell that gives it.

    For models trained on these; it counts only at the start of a line and outside fenced blocks.

    Args:
        prose: A reply that has no cell.

    Returns:
        A cell that calls the function of the same name, or ``None`` where the text gives no answer.
    """
    text = _BLOCK.sub("", prose)
    found = _FINAL.search(text)
    if not found:
        return None
    rest = text[found.end() :]
    # The argument may go over several lines and hold brackets; it ends with the last bracket that ends a line.
    ends = list(re.finditer(r"\)[ \t]*$", rest, re.MULTILINE))
    if not ends:
        return None
    argument = rest[: ends[-1].start()].strip()
    if found[1] == "FINAL_VAR":
        name = argument.strip("'\"` ")
        return f"FINAL_VAR({name!r})" if name.isidentifier() else None
    literal = _literal(argument)
    return f"FINAL({literal!r})" if literal.strip() else None


def _literal(text: str) -> str:
    """Give the value of a string in quotes; other text as it stands."""
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return text
    return value if isinstance(value, str) else text
