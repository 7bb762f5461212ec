"""Which files of a folder are passed over: the rules of ``.gitignore`` and ``.ignore``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path

IGNORE_FILES = (".gitignore", ".ignore", ".rlmignore")
ALWAYS = frozenset({"__pycache__", "node_modules"})


class Rule(NamedTuple):
    """One line of an ignore file."""

    pattern: re.Pattern[str]
    keep: bool
    """The line begins with ``!``: what it names is not passed over."""
    folders_only: bool


def read_rules(folder: Path) -> list[Rule]:
    """Read the ignore files of a folder; what cannot be read has no rules."""
    rules = []
    for name in IGNORE_FILES:
        try:
            text = (folder / name).read_text("utf-8", "replace")
        except OSError:
            continue
        rules += [rule for line in text.splitlines() if (rule := parse(line)) is not None]
    return rules


def parse(line: str) -> Rule | None:
    """Read a line; ``None`` for an empty one or a comment."""
    line = re.sub(r"(?<!\\)\s+$", "", line)
    if not line or line.startswith("#"):
        return None
    keep = line.startswith("!")
    line = line.removeprefix("!").removeprefix("\\") if keep or line.startswith(("\\#", "\\!")) else line
    folders_only = line.endswith("/")
    line = line.rstrip("/")
    if not line:
        return None
    anchored = "/" in line
    body = translate(line.lstrip("/"))
    try:
        return Rule(re.compile(body if anchored else f"(?:.*/)?{body}", re.DOTALL), keep, folders_only)
    except re.error:
        return None


def translate(pattern: str) -> str:
    """Give the regular expression of a pattern: ``*`` stays in a folder, ``**/`` is any number of folders."""
    out, at = "", 0
    while at < len(pattern):
        if pattern.startswith("**/", at):
            out, at = out + "(?:.*/)?", at + 3
        elif pattern.startswith("/**", at) and at + 3 == len(pattern):
            out, at = out + "/.+", at + 3
        elif pattern[at] == "*":
            out, at = out + "[^/]*", at + 1
        elif pattern[at] == "?":
            out, at = out + "[^/]", at + 1
        elif pattern[at] == "[" and (end := pattern.find("]", at + 2)) > 0:
            inside = pattern[at + 1 : end].replace("\\", "\\\\")
            out += f"[^{inside[1:]}]" if inside[0] in "!^" else f"[{inside}]"
            at = end + 1
        else:
            at += pattern[at] == "\\" and at + 1 < len(pattern)
            out, at = out + re.escape(pattern[at]), at + 1
    return out


def passed_over(rules: list[tuple[str, list[Rule]]], path: str, *, folder: bool) -> bool:
    """Tell whether a path is passed over; the last rule that fits decides.

    Args:
        rules: Those of each folder above it, from the top, with the folder's path (``""`` or ending in ``/``).
        path: The path below the top.
        folder: Whether it is a folder.
    """
    out = False
    for base, group in rules:
        inner = path.removeprefix(base)
        for rule in group:
            if (folder or not rule.folders_only) and rule.pattern.fullmatch(inner):
                out = not rule.keep
    return out
