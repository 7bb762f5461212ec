"""``load`` as cells find it, and ``%rlm load``."""

from __future__ import annotations

import shlex
import sys
from typing import TYPE_CHECKING, Protocol

from rlm_kernel.errors import InputError

if TYPE_CHECKING:
    import os

    from rlm_kernel.contexts.document import Document
    from rlm_kernel.contexts.text import Text

_WIDTH = 79
_OPTIONS = {"--as": "name", "--kind": "kind", "--encoding": "encoding"}
_USAGE = "Write %rlm load PATH… [--as NAME] [--kind KIND] [--encoding ENCODING]."


class Load(Protocol):
    """The function ``load`` of a namespace."""

    def __call__(
        self,
        *paths: str | os.PathLike[str],
        name: str | None = "context",
        kind: str | None = None,
        encoding: str | None = None,
    ) -> Document | Text:
        """Load, and set the variable."""
        ...


def load_documents(
    paths: tuple[str | os.PathLike[str], ...], kind: str | None, encoding: str | None, on_disk: bool | None = None
) -> Document | Text:
    """Load documents; what takes longer than a second is told on standard error, in one line that changes.

    Raises:
        ContextError: They cannot be loaded.
    """
    from rlm_kernel.contexts.load import load

    told = False

    def tell(what: str) -> None:
        nonlocal told
        told = True
        _write("Loading " + what)

    try:
        document = load(*paths, kind=kind, encoding=encoding, tell=tell, on_disk=on_disk)
    except BaseException:
        if told:
            _write("Loading was given up: nothing is loaded.", end="\n")
        raise
    if told:
        _write("Loaded " + document.summary(), end="\n")
    return document


def _write(line: str, end: str = "") -> None:
    # Spaces take away what is left of a longer line; browsers and terminals understand \r alike.
    sys.stderr.write(f"\r{line[:_WIDTH]:<{_WIDTH}}{end}")
    sys.stderr.flush()


def is_load(line: str) -> bool:
    """Tell whether what stands behind ``%rlm`` is for this process."""
    return line.split(maxsplit=1)[:1] == ["load"]


def load_line(line: str, load: Load) -> str:
    """Do ``%rlm load PATH… [--as NAME]``; gives the text to print.

    Raises:
        InputError: The line cannot be used.
        ContextError: The documents cannot be loaded.
    """
    paths, options = _read(line)
    document = load(
        *paths, name=options.get("name", "context"), kind=options.get("kind"), encoding=options.get("encoding")
    )
    more = [f"… {len(document.notes) - 5:,} more: see .notes"] if len(document.notes) > 5 else []
    notes = "\n".join([*document.notes[:5], *more])
    return f"{options.get('name', 'context')}: {document.summary()}" + (f"\n{notes}" if notes else "")


def _read(line: str) -> tuple[list[str], dict[str, str]]:
    try:
        words = shlex.split(line)[1:]
    except ValueError as error:
        raise InputError(
            f"{line.strip()!r} cannot be read: {str(error).lower()}.", "Close the quotation mark."
        ) from error
    paths: list[str] = []
    options: dict[str, str] = {}
    while words:
        word, equals, value = words.pop(0).partition("=")
        if not word.startswith("--"):
            paths.append(word + equals + value)
        elif word not in _OPTIONS:
            raise InputError(f"%rlm load does not know {word}.", _USAGE)
        elif not equals and not words:
            raise InputError(f"{word} needs a value.", _USAGE)
        else:
            options[_OPTIONS[word]] = value if equals else words.pop(0)
    if not paths:
        raise InputError("%rlm load takes the path of a file.", _USAGE)
    if not options.get("name", "context").isidentifier():
        raise InputError(f"{options['name']!r} cannot be the name of a variable.", _USAGE)
    return paths, options
