"""What must survive a kill of this process before the store has committed it; and whether a process still lives.

Each process that writes to a store has two files beside it, ``STORE.live/SESSION.0`` and ``.1``. What is about money
(a request that is sent, a reply that came) is appended to one of them at once, one line of JSON each: a few
microseconds, and safe from ``kill -9``, because the operating system has it. The store commits every 50 ms, and then
empties the file. The lock on ``.0`` says that the process lives: the operating system drops it with the process, and
whoever finds a file without a lock takes over what stands in it.
"""

from __future__ import annotations

import fcntl
import json
import os
from typing import TYPE_CHECKING, Any
from uuid import uuid4

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from pathlib import Path

Record = list[Any]
"""``["sent", node, key, at]``, ``["ended", node, key, sent, at]`` or ``["kept", key, model, text, usage, at]``."""


def live_folder(store: Path) -> Path:
    """Give the folder beside a store where its processes have their files."""
    return store.with_name(f"{store.name}.live")


class Spool:
    """The two files of this process.

    Appending and emptying are done under the lock of whoever owns the object: it has none of its own.

    Args:
        store: The file of the store.
    """

    def __init__(self, store: Path) -> None:
        folder = live_folder(store)
        folder.mkdir(mode=0o700, exist_ok=True)
        self.session = f"{os.getpid()}-{uuid4().hex[:12]}"
        self._paths = [folder / f"{self.session}.{number}" for number in (0, 1)]
        self._files = [_open_locked(self._paths[0]), _open(self._paths[1])]
        self._now = 0

    def append(self, records: Sequence[Record]) -> None:
        """Write lines; when this returns a kill of this process cannot undo it."""
        data = "".join(json.dumps(each, separators=(",", ":")) + "\n" for each in records).encode("ascii")
        while data:
            data = data[os.write(self._files[self._now], data) :]

    def switch(self) -> int:
        """Write to the other file from now on; gives the number of the one written to until now."""
        before, self._now = self._now, 1 - self._now
        return before

    def empty(self, number: int) -> None:
        """Drop what stands in a file: it is in the store."""
        os.ftruncate(self._files[number], 0)

    def close(self, *, keep: bool = False) -> None:
        """Close and remove the files; may be called again.

        Args:
            keep: Leave them: something in them did not get into the store; the next process to open it takes it over.
        """
        # The second first: without the first nobody would look for it.
        while self._files:
            if not keep:
                self._paths[len(self._files) - 1].unlink(missing_ok=True)
            os.close(self._files.pop())


def is_live(store: Path, session: str) -> bool:
    """Tell whether the process of a session still runs."""
    try:
        file = os.open(live_folder(store) / f"{session}.0", os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(file)
    return False


class Leftover:
    """The files of a process that died; locked, so that only one process takes them over.

    Args:
        path: Its first file.
        file: The same, open and locked.
    """

    def __init__(self, path: Path, file: int) -> None:
        self._path = path
        self._file = file

    def records(self) -> list[Record]:
        """Read all lines; one that was cut by the kill is the last of its file and is left out."""
        found: list[Record] = []
        for path in (self._path, self._path.with_suffix(".1")):
            try:
                lines = path.read_bytes().split(b"\n")
            except FileNotFoundError:
                continue
            for line in lines[:-1]:
                try:
                    found.append(json.loads(line))
                except ValueError:
                    break
        return found

    def remove(self) -> None:
        """Delete the files: what stood in them is in the store."""
        self._path.with_suffix(".1").unlink(missing_ok=True)
        self._path.unlink(missing_ok=True)

    def close(self) -> None:
        """Let go of the lock."""
        os.close(self._file)


def leftovers(store: Path) -> Generator[Leftover, None, None]:
    """Go through the files of processes that died, each locked while it is looked at."""
    try:
        paths = sorted(live_folder(store).glob("*.0"))
    except OSError:
        return
    for path in paths:
        try:
            file = os.open(path, os.O_RDWR)
        except OSError:
            continue
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(file)
            continue
        left = Leftover(path, file)
        try:
            yield left
        finally:
            left.close()


def _open(path: Path) -> int:
    return os.open(path, os.O_CREAT | os.O_RDWR | os.O_APPEND, 0o600)


def _open_locked(path: Path) -> int:
    """Open the first file and lock it; anew where another process took it for a leftover before it was locked."""
    while True:
        file = _open(path)
        fcntl.flock(file, fcntl.LOCK_EX)
        try:
            if path.stat().st_ino == os.fstat(file).st_ino:
                return file
        except FileNotFoundError:
            pass
        os.close(file)
