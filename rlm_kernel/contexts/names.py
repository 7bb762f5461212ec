"""Names of files, as people may be shown them."""

from __future__ import annotations

import os


def shown(name: str | os.PathLike[str]) -> str:
    """Give a name in one line of printable characters.

    A file's name may hold line ends, bytes that are no UTF-8, and orders to a terminal; these are written as escapes.
    """
    text = os.fspath(name)
    try:
        text = os.fsencode(text).decode("utf-8", "backslashreplace")
    except UnicodeEncodeError:
        text = text.encode("utf-8", "backslashreplace").decode()
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)
