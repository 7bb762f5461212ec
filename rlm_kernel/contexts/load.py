"""Loading documents: from files, folders, patterns, archives."""

from __future__ import annotations

import os
import shlex
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

from rlm_kernel.contexts.gather import Gathered, named_twice, reason
from rlm_kernel.contexts.join import join
from rlm_kernel.contexts.loaders.registry import BUILT_IN, read
from rlm_kernel.contexts.loaders.source import MAX_BYTES as MAX_BYTES
from rlm_kernel.contexts.loaders.source import MB, Progress, Source
from rlm_kernel.contexts.names import shown
from rlm_kernel.contexts.walk import expanded, files_in, is_pattern, matching, top_of
from rlm_kernel.errors import ContextError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from io import FileIO

    from rlm_kernel.contexts.document import Document
    from rlm_kernel.contexts.text import Text

MAPPED = frozenset({"text", "log", "Markdown", "CSV", "TSV", "JSONL"})
"""Kinds of text that can stay on disk; they are plain lines there."""
_STEP = 1 << 24


def load(
    *paths: str | os.PathLike[str],
    kind: str | None = None,
    encoding: str | None = None,
    tell: Callable[[str], None] | None = None,
    on_disk: bool | None = None,
) -> Document | Text:
    """Load documents as one text that knows its pages, sections, rows and files.

    Args:
        *paths: Files, folders, patterns (``src/**/*.py``); ``~`` is the home folder, and a relative path starts at the
            current folder. One file is a document by itself; several, a folder or a zip are one document whose
            ``files`` are the single ones. A file that is named twice, or with its folder too, is loaded once.
        kind: The format, where a file's name does not tell it: ``"text"`` for anything as it is.
        encoding: What a text is in, where that is neither UTF-8 nor UTF-16: ``"cp1252"``, ``"shift_jis"``; ``"mixed"``
            where lines differ.
        tell: Is given a line to show about once a second, where loading takes longer.
        on_disk: Whether a text stays on disk and is looked at through a map (`Text`); ``None``: where it is larger than
            256 MB.

    Raises:
        ContextError: It cannot be loaded; the message names the file, and what can be done. Nothing is loaded then.
    """
    given = [checked(path) for path in paths]
    if not given:
        raise ContextError("load takes the path of a file.", 'For instance: load("report.pdf")')
    if len(given) == 1 and (text := _on_disk(given[0], kind, encoding, on_disk)) is not None:
        return text
    work = _Work(kind, encoding, Progress(tell))
    loaded = [(path, document) for path in given if (document := work.one(path)) is not None]
    if len(given) == 1:
        return loaded[0][1]
    parts = list(zip(_names([path for path, _ in loaded]), (document for _, document in loaded), strict=True))
    label = f"{len(parts)} documents" if len(parts) > 1 else parts[0][0]
    return join(parts, ", ".join(given), "files", label=label, notes=[*work.notes, *_all_notes(parts)])


def _on_disk(path: str, kind: str | None, encoding: str | None, wanted: bool | None) -> Text | None:
    """Open a text that stays on disk; ``None`` where it is to be loaded, or is none."""
    file = expanded(path)
    try:
        small = not file.is_file() or (wanted is None and file.stat().st_size <= MAX_BYTES)
    except (OSError, ValueError):
        return None  # loading it will say what is wrong
    if wanted is False or small:
        return None
    named = BUILT_IN.get(file.suffix.lower())
    if encoding is not None or (kind or (named.kind if named else "text")) not in MAPPED:
        if wanted:
            raise ContextError(f"{shown(file.name)} cannot stay on disk.", "Only text in UTF-8 can; load it as it is.")
        return None
    from rlm_kernel.contexts.text import Text

    return Text(file.absolute())


def _all_notes(parts: list[tuple[str, Document]]) -> list[str]:
    return [f"{name}: {note}" for name, part in parts for note in part.notes]


def _names(paths: list[str]) -> Iterator[str]:
    """Name each by its last part, or by as much of its path as tells it from the others; a pattern by its folder."""
    split = [(top_of(path) if is_pattern(path) else Path(path)).parts for path in paths]
    for own in split:
        count = next(
            (count for count in range(1, len(own)) if sum(own[-count:] == other[-count:] for other in split) == 1),
            len(own),
        )
        yield shown(str(Path(*own[-count:]))) if own else ""


def checked(path: object) -> str:
    """Give a path as a text.

    Raises:
        ContextError: It is none, or it cannot be the path of a file.
    """
    if not isinstance(path, str | os.PathLike) or not str(path).strip():
        raise ContextError("load takes the path of a file.", 'For instance: load("report.pdf")')
    text = str(path)
    if "://" in text:
        raise ContextError(f"{shown(text)} is an address; load reads files.", "Download it first.")
    if "\0" in text:
        raise ContextError(f"{shown(text)} cannot be the name of a file.")
    return text


class _Work:
    """Loads what one call of `load` was given."""

    def __init__(self, kind: str | None, encoding: str | None, progress: Progress) -> None:
        self._kind, self._encoding, self._progress = kind, encoding, progress
        self._loaded: set[str] = set()
        self.notes: list[str] = []
        """What was named and is loaded already."""

    def one(self, path: str) -> Document | None:
        """Load a file, a folder or what a pattern names; ``None`` where all of it is loaded already."""
        top, called, files = self._found(path)
        if files != [] and all(map(self._is_loaded, [top] if files is None else files)):
            self.notes.append(named_twice(shown(path)))
            return None
        if files is not None:
            return self._many(files, top, called)
        document = read(self._source(top), self._kind)
        self._loaded.add(os.path.realpath(top))
        return document

    def _is_loaded(self, file: Path) -> bool:
        return bool(self._loaded) and os.path.realpath(file) in self._loaded

    def _found(self, path: str) -> tuple[Path, str, list[Path] | None]:
        """Give the file or folder, what it is called, and its files where it is a folder or a pattern.

        Raises:
            ContextError: There is nothing of that name, or it may not be read.
        """
        try:
            if is_pattern(path) and is_pattern(os.path.expanduser(path)):
                return top_of(path), path, matching(path, self._progress)
            file = expanded(path)
            if file.is_dir():
                return file, str(file), files_in(file, self._progress)
            if not file.exists():
                raise missing(file, path)
            return file, str(file), None
        except PermissionError as error:
            raise ContextError(f"{shown(path)} may not be read: no permission.", "Ask its owner.") from error
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            raise ContextError(f"{shown(path)} cannot be found: {reason}.") from error

    def _many(self, files: list[Path], top: Path, path: str) -> Document | None:
        gathered = Gathered(self._kind)
        before = frozenset(filter(self._is_loaded, files))  # a link within a folder is a file of its own, as ever
        for number, file in enumerate(files, 1):
            name = shown(file.relative_to(top))
            if file in before:
                gathered.again(name)
                continue
            try:
                source = self._source(file)
            except ContextError as error:
                gathered.left_out(name, reason(error, name))
            else:
                if gathered.add(name, source):
                    self._loaded.add(os.path.realpath(file))
            self._progress.at(f"{name}: file {number:,} of {len(files):,}")
        called = Path(path).name
        label = shown(called if called.strip(".") else top.resolve().name or path)
        if before and gathered.is_empty:
            self.notes += [f"{label}: {note}" for note in gathered.notes]
            return None
        return gathered.document(path, "folder", label)

    def _source(self, file: Path) -> Source:
        content = _read_bytes(file, self._progress)
        return Source(str(file), content, "text", self._encoding, self._progress)


def _read_bytes(file: Path, progress: Progress) -> bytes:
    name = shown(file.name)
    if not file.is_file():
        raise _no_file(file, name)
    try:
        with file.open("rb", buffering=0) as opened:
            before = os.fstat(opened.fileno())
            if before.st_size > MAX_BYTES:
                raise ContextError(
                    f"{name} is too large: {before.st_size / MB:,.0f} MB, and {MAX_BYTES // MB} MB is the most.",
                    "Split it and load a part.",
                )
            content = _read_all(opened, before.st_size, lambda done: progress.at(f"{name}: {done // MB:,} MB read"))
            after = os.fstat(opened.fileno())
    except PermissionError as error:
        raise ContextError(
            f"{name} may not be read: no permission.", f"Allow it: chmod u+r {shlex.quote(shown(file))}"
        ) from error
    except OSError as error:
        raise ContextError(f"{name} cannot be read: {error.strerror or error}.") from error
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns) or len(content) != after.st_size:
        raise ContextError(
            f"{name} has changed while it was read.", "Load it when it is written no more, or load a copy of it."
        )
    return content


def _no_file(file: Path, name: str) -> ContextError:
    if file.is_dir():
        why = "is a link to a folder, which is not followed" if file.is_symlink() else "may not be read: no permission"
        return ContextError(f"{name} {why}.", "Name it as well.")
    if file.is_symlink() and not file.exists():
        return ContextError(f"{name} is a link that leads nowhere.", "Load what it is meant to lead to.")
    return ContextError(f"{name} is not an ordinary file.", "Copy its content to a file and load that.")


def _read_all(opened: FileIO, size: int, tell: Callable[[int], None]) -> bytes:
    """Read to the end, and a byte more, which tells that the file has grown.

    Mostly one call gives all, so that it is not held twice; an interrupt or a network disk may divide it.
    """
    content = opened.read(size + 1)
    while len(content) < size and (more := opened.read(min(size + 1 - len(content), _STEP))):
        content += more
        tell(len(content))
    return content


def missing(file: Path, path: str) -> ContextError:
    """Say that a file is not there, and which one may be meant.

    Args:
        file: The file.
        path: As the person wrote it.
    """
    if file.is_symlink():
        return _no_file(file, shown(file.name))
    if not file.parent.is_dir():
        return ContextError(
            f"{shown(path)} is not there: there is no folder {shown(file.parent)}.", f"This is {shown(Path.cwd())}."
        )
    names = [entry.name for entry in file.parent.iterdir() if entry.is_file()]
    folded = {name.lower(): name for name in names}
    near = [folded[name] for name in get_close_matches(file.name.lower(), folded, n=3, cutoff=0.6)]
    stem = [name for name in names if Path(name).stem.lower() == file.stem.lower() and name not in near]
    if near or stem:
        return ContextError(
            f"{shown(path)} is not there.", f"Did you mean {' or '.join(map(shown, (near + stem)[:3]))}?"
        )
    return ContextError(f"{shown(path)} is not there.", f"The folder looked in is {shown(file.parent.resolve())}.")
