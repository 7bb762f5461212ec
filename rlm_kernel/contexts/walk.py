"""Finding files: folders and patterns."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from rlm_kernel.contexts.ignore import ALWAYS, Rule, passed_over, read_rules, translate
from rlm_kernel.contexts.loaders.archive import MAX_FILES
from rlm_kernel.contexts.names import shown
from rlm_kernel.errors import ContextError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rlm_kernel.contexts.loaders.source import Progress

_MAGIC = re.compile(r"[*?\[]")


def is_pattern(path: str) -> bool:
    """Tell whether a path is a pattern: it has ``*``, ``?`` or ``[``, and no file is called so."""
    return bool(_MAGIC.search(path)) and not os.path.lexists(path)


def expanded(path: str) -> Path:
    """Give a path with the home folder for ``~``; as it stands where something is called so, or no home is known."""
    if not path.startswith("~") or os.path.lexists(path):
        return Path(path)
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)


def files_in(folder: Path, progress: Progress) -> list[Path]:
    """List the files of a folder and all folders in it, by name.

    Hidden ones are passed over, and what ignore files name. What is no ordinary file is among them too, for whoever
    reads them to say so: links to folders, which are not followed, links that lead nowhere, folders that may not be
    read.

    Raises:
        ContextError: There are too many, or the folder may not be read.
    """
    found: list[Path] = []
    for path in _walk(folder, "", [], progress):
        found.append(path)
        if len(found) > MAX_FILES:
            raise ContextError(
                f"{shown(folder.name or str(folder))} has more than {MAX_FILES:,} files.",
                "Name a folder in it, or a pattern like src/**/*.py.",
            )
    return found


def _walk(folder: Path, base: str, rules: list[tuple[str, list[Rule]]], progress: Progress) -> Iterator[Path]:
    progress.at(f"looking through {shown(folder)}")
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: (entry.is_dir(follow_symlinks=False), entry.name))
    except PermissionError as error:
        if not base:
            raise ContextError(
                f"{shown(folder)} may not be read: no permission.", f"Allow it: chmod u+rx {shown(folder)}"
            ) from error
        yield folder
        return
    rules = [*rules, (base, read_rules(folder))]
    for entry in entries:
        if entry.name.startswith(".") or entry.name in ALWAYS:
            continue
        is_folder = entry.is_dir(follow_symlinks=False)
        if passed_over(rules, base + entry.name, folder=is_folder):
            continue
        if is_folder:
            yield from _walk(Path(entry.path), f"{base}{entry.name}/", rules, progress)
        else:
            yield Path(entry.path)


def matching(pattern: str, progress: Progress) -> list[Path]:
    """List the files that a pattern names (``**`` is any number of folders), by the rules of `files_in`.

    Raises:
        ContextError: There are none.
    """
    top = top_of(pattern)
    if not top.is_dir():
        raise ContextError(
            f"{shown(pattern)} matches nothing: there is no folder {shown(top)}.", f"This is {Path.cwd()}."
        )
    rest = expanded(pattern).relative_to(top)
    wanted = re.compile(translate(rest.as_posix()), re.DOTALL)
    found = [path for path in files_in(top, progress) if wanted.fullmatch(path.relative_to(top).as_posix())]
    if not found:
        raise ContextError(f"{shown(pattern)} matches no file.", "Hidden and ignored files do not count.")
    return found


def top_of(pattern: str) -> Path:
    """Give the folder below which a pattern looks."""
    parts = expanded(pattern).parts
    plain = next(number for number, part in enumerate(parts) if _MAGIC.search(part))
    return Path(*parts[:plain])
