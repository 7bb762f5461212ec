"""Full-text search with ranking, for texts of any size: an index that SQLite's FTS5 keeps beside the text.

The index is made at the first search, in a process of its own where that can be done, and kept in the user's cache: the
next search, session or child run finds it there.
"""

from __future__ import annotations

import contextlib
import operator
import os
import re
import sqlite3
import sys
import time
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING

from rlm_kernel.contexts.text import Text
from rlm_kernel.errors import ContextError, InputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Self

VARIABLE = "RLM_CACHE"
PASSAGE = 1_000
"""Characters of a passage, about: it ends with a line where one ends near."""
IN_MEMORY = 2_000_000
"""Characters up to which the index is made anew each time it is needed and kept in memory."""
BATCH = 500
KEEP_BYTES = 4 << 30
"""Bytes of indexes that are kept; those that were used longest ago go first."""
SAY_AFTER = 1.0
"""Seconds after which a person is told that an index is made."""
_WORDS = re.compile(r'"([^"]+)"|(\w+\*?)')
_WORD = re.compile(r"[^\W_]+")
"""A word of the index: a line below parts words there, as a hyphen does."""
_UNSPACED = "\u3005-\u3007\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff"
"""Letters of scripts that write no spaces between words: each is a word of the index."""
_LETTER = re.compile(f"([{_UNSPACED}])")
_LETTERS = re.compile(f"([{_UNSPACED}]+)")
_ELSEWHERE = f"Free some space, or set {VARIABLE} to a folder on a larger disk."
_SCHEMA = (
    "CREATE TABLE places (id INTEGER PRIMARY KEY, start INTEGER NOT NULL, length INTEGER NOT NULL)",
    "CREATE VIRTUAL TABLE words USING fts5(text, content='', tokenize='unicode61 remove_diacritics 2')",
)
_FORM = b"2"
"""Changes when what an index holds does: one of another form is not used."""
_FAST = ("PRAGMA journal_mode=OFF", "PRAGMA synchronous=OFF", "PRAGMA temp_store=MEMORY")

_indexes: dict[str, sqlite3.Connection] = {}


class Passage(str):
    """A passage that fits a query: a ``str`` that knows its place and how well it fits.

    Attributes:
        start: Offset of its first character in the whole.
        end: Offset behind its last one.
        score: How well it fits (BM25): larger is better; comparable within one search only.
        where: Its place for people: ``report.pdf, p. 12``.
    """

    start: int
    end: int
    score: float
    where: str

    def __new__(cls, text: str, start: int, score: float, where: str) -> Self:
        """Make a passage of its text and its place."""
        self = super().__new__(cls, text)
        self.start, self.end, self.score, self.where = start, start + len(text), score, where
        return self

    def __reduce__(self) -> tuple[object, tuple[str, int, float, str]]:
        """Pickle all of it."""
        return Passage, (str(self), self.start, self.score, self.where)


def search_ranked(text: str | Text, query: str, k: int = 10) -> list[Passage]:
    """Give the passages that fit a query best, the best first.

    Words need not stand together; ``"a phrase"`` must, ``rai*`` is the beginning of a word. A passage with rare words
    of the query, and with more of them, comes first (BM25). Case and accents make no difference. Chinese and Japanese
    are looked up by pairs of letters that follow one another, as they do not write where a word ends.

    Where nothing is found, phrases are looked for in the text itself: one may begin in a passage and end in the next.
    The passages are then given as they stand in the text, each up to the end of its phrase, all with the score 0.

    Args:
        text: What is searched.
        query: Words and phrases.
        k: How many passages at most.

    Raises:
        InputError: There is no word in the query, or ``k`` is no number of passages.
        ContextError: The index cannot be made; nothing is left of it.
    """
    asked = [(phrase, word) for phrase, word in _WORDS.findall(query) if _WORD.search(phrase or word)]
    if not asked:
        raise InputError(f"There is no word to look for in {query!r}.", "Give words, as in search_ranked('late fee').")
    most = _number(k)
    terms = [term for phrase, word in asked for term in ([_quoted(phrase)] if phrase else _terms(word))]
    connection = _index(text)
    rows = connection.execute(
        "SELECT start, length, -rank FROM words JOIN places ON id = words.rowid WHERE words MATCH ? "
        "ORDER BY rank, start LIMIT ?",
        (" OR ".join(terms), most),
    ).fetchall()
    where = getattr(text, "at", None)
    return [
        Passage(text[start : start + length], start, score, where(start) if where else f"offset {start:,}")
        for start, length, score in rows or _across(text, [phrase for phrase, _ in asked if phrase], connection, most)
    ]


def _number(k: object) -> int:
    """Give how many passages are wanted, as a number that SQLite can take.

    Raises:
        InputError: It is no whole number from 1.
    """
    try:
        number = operator.index(k)  # type: ignore[arg-type]
    except TypeError:
        number = 0
    if number < 1:
        raise InputError(f"{k} passages cannot be given.", "Give k as a whole number from 1.")
    return min(number, sys.maxsize)


def _across(
    text: str | Text, phrases: list[str], connection: sqlite3.Connection, most: int
) -> list[tuple[int, int, float]]:
    """Look for phrases in the text itself: give the start and the length of the passages in which they begin."""
    found: dict[int, int] = {}
    for phrase in phrases:
        pattern = _pattern(phrase)
        for match in text.finditer(pattern) if isinstance(text, Text) else re.finditer(pattern, text):
            if len(found) >= most:
                break
            start, length = connection.execute(
                "SELECT start, length FROM places WHERE start <= ? ORDER BY id DESC LIMIT 1", (match.start(1),)
            ).fetchone()
            found[start] = max(found.get(start, length), match.end(1) - start)
    return [(start, length, 0.0) for start, length in sorted(found.items())]


def _pattern(phrase: str) -> str:
    """Make the pattern of a phrase: its words in any case, with anything but words between them.

    The letters of scripts without spaces may touch one another, and what stands around them.
    """
    between = r"[\W_]*" if _LETTER.search(phrase) else r"[\W_]+"
    words = between.join(map(re.escape, _WORD.findall(_parted(phrase))))
    return f"(?i)({words})" if between.endswith("*") else rf"(?i)(?:^|[\W_])({words})(?:[\W_]|$)"


def _terms(word: str) -> list[str]:
    found: list[str] = []
    for part in filter(None, _LETTERS.split(word.rstrip("*"))):
        pairs = [part[at : at + 2] for at in range(len(part) - 1)] if _LETTERS.fullmatch(part) else []
        found += [_quoted(each) for each in pairs or [part]]
    if word.endswith("*"):
        found[-1] += "*"
    return found


def _quoted(words: str) -> str:
    return f'"{_parted(words)}"'


def _parted(text: str) -> str:
    """Give a text as it is indexed: the letters of scripts without spaces stand apart, what SQLite cannot take is none.

    Half a character, as it comes of a file's name or of JSON, and a zero end a word there.
    """
    text = text.replace("\0", " ")
    return text if text.isascii() else _LETTER.sub(r" \1 ", text).encode("utf-8", "replace").decode("utf-8")


def _index(text: str | Text) -> sqlite3.Connection:
    """Give the index of a text; made where there is none."""
    key = _key(text)
    for known in (key, f"{os.getpid()} {key}"):
        if known in _indexes:
            return _indexes[known]
    if isinstance(text, str) and len(text) <= IN_MEMORY:
        connection = sqlite3.connect(":memory:")
        _fill(connection, text)
        _indexes.clear()  # one is enough: the text of the present search
    else:
        path = _folder() / f"{key}.sqlite"
        if not path.exists():
            _make(text, path)
        with contextlib.suppress(OSError):
            os.utime(path)
        connection = _opened(path)
        key = f"{os.getpid()} {key}"  # a fork has the file's position in common with its parent
    _indexes[key] = connection
    return connection


def _key(text: str | Text) -> str:
    digest = blake2b(digest_size=16, person=_FORM)
    if isinstance(text, Text):
        digest.update(repr((text.path, text.stamp)).encode())
    else:
        for start in range(0, len(text), 1 << 24):
            digest.update(text[start : start + (1 << 24)].encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def _folder() -> Path:
    """Give the folder of the indexes: below ``RLM_CACHE``, else the user's cache."""
    named = os.environ.get(VARIABLE, "").strip()
    if named:
        folder = Path(named).expanduser() / "search"
    else:
        from platformdirs import user_cache_path

        folder = user_cache_path("rlm-kernel", appauthor=False) / "search"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise ContextError(f"The search index cannot be kept in {folder}: {error.strerror}.", _ELSEWHERE) from error
    return folder


def _opened(path: Path) -> sqlite3.Connection:
    """Open a finished index, to read; without locks, as nobody writes it any more."""
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True)


def _make(text: str | Text, path: Path) -> None:
    """Make an index in a file, which is there as a whole or not at all.

    Raises:
        ContextError: It cannot be made.
    """
    _make_room(path.parent)
    if sys.platform != "linux":
        _write(text, path, f"{path}.{os.getpid()}")
        return
    # The work goes on when the person interrupts the cell: the next search waits for the rest of it.
    lock = Path(f"{path}.building")
    child = _builder(lock)
    if child is None:
        child = os.fork()
        if not child:
            _build(text, path, lock)
    _wait(path, child, lock, str(getattr(text, "name", "") or "the text"))


def _builder(lock: Path) -> int | None:
    """Give the process that makes this index at the moment, if one does."""
    try:
        pid = int(lock.read_text().split()[0])
        os.kill(pid, 0)
    except (OSError, ValueError, IndexError):
        return None
    return pid if b"rlm" in _command(pid) or pid == os.getpid() else None


def _command(pid: int) -> bytes:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""


def _build(text: str | Text, path: Path, lock: Path) -> None:
    """Make the index, in a process that ends with it and says in the lock file why it could not."""
    import signal

    code = 1
    try:
        os.setsid()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        _close_files()
        lock.write_text(str(os.getpid()))
        _write(text, path, f"{path}.{os.getpid()}")
        lock.unlink(missing_ok=True)
        code = 0
    except ContextError as error:
        with contextlib.suppress(OSError):
            lock.write_text(f"0 {error.message}")
    finally:
        os._exit(code)


def _close_files() -> None:
    """Let go of what the process that forked this one has open: its end must be seen by whoever waits for it."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nothing, standard)
    os.closerange(3, 65_536)


def _wait(path: Path, child: int, lock: Path, name: str) -> None:
    """Wait until the index is there.

    Raises:
        ContextError: It could not be made; the message has the builder's reason.
    """
    began = said = time.monotonic()
    while not path.exists():
        with contextlib.suppress(ChildProcessError):
            os.waitpid(child, os.WNOHANG)
        if not _alive(child) and not path.exists():
            raise ContextError(f"The search index of {name} could not be made: {_reason(lock)}", _ELSEWHERE)
        now = time.monotonic()
        if now - began > SAY_AFTER and now - said > SAY_AFTER:
            part = Path(f"{path}.{child}")
            size = part.stat().st_size >> 20 if part.exists() else 0
            sys.stderr.write(f"\rMaking the search index of {name}: {size:,} MB, {now - began:.0f} s ")
            sys.stderr.flush()
            said = now
        time.sleep(0.02)
    if said > began:
        sys.stderr.write(f"\rThe search index of {name} is made, in {time.monotonic() - began:.0f} s.{' ' * 20}\n")
    with contextlib.suppress(ChildProcessError):
        os.waitpid(child, os.WNOHANG)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    with contextlib.suppress(OSError, IndexError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return True


def _reason(lock: Path) -> str:
    try:
        return lock.read_text().partition(" ")[2] or "its process ended."
    except OSError:
        return "its process ended."
    finally:
        lock.unlink(missing_ok=True)


def _write(text: str | Text, path: Path, name: str) -> None:
    """Fill a file and give it its name when it is whole.

    Raises:
        ContextError: The disk is full, or it cannot be written; nothing is left of it.
    """
    part = Path(name)
    try:
        with contextlib.closing(sqlite3.connect(part, isolation_level=None)) as connection:
            _fill(connection, text)
        part.replace(path)
    except (sqlite3.Error, OSError) as error:
        raise ContextError(f"{error}.", _ELSEWHERE) from error
    finally:
        part.unlink(missing_ok=True)


def _fill(connection: sqlite3.Connection, text: str | Text) -> None:
    for statement in (*_FAST, *_SCHEMA, "BEGIN"):
        connection.execute(statement)
    batch: list[tuple[int, int, int, str]] = []
    for number, (start, passage) in enumerate(_passages(text)):
        batch.append((number, start, len(passage), passage))
        if len(batch) >= BATCH:
            _put(connection, batch)
    _put(connection, batch)
    connection.execute("COMMIT")


def _put(connection: sqlite3.Connection, batch: list[tuple[int, int, int, str]]) -> None:
    connection.executemany("INSERT INTO places VALUES (?, ?, ?)", ((row[0], row[1], row[2]) for row in batch))
    texts = ((number, _parted(passage)) for number, _, _, passage in batch)
    connection.executemany("INSERT INTO words (rowid, text) VALUES (?, ?)", texts)
    batch.clear()


def _passages(text: str | Text) -> Iterator[tuple[int, str]]:
    """Part a text into passages that end with a line, or a word where no line ends near."""
    start, length = 0, len(text)
    window, window_start = "", 0
    while start < length:
        if start + 2 * PASSAGE > window_start + len(window) and window_start + len(window) < length:
            window, window_start = str(text[start : start + 1_000_000]), start
        at = start - window_start
        end = at + PASSAGE
        if window_start + end < length:
            cut = max(window.rfind("\n", at + PASSAGE // 2, end), -1)
            cut = cut if cut >= 0 else window.rfind(" ", at + PASSAGE // 2, end)
            end = cut + 1 if cut >= 0 else end
        passage = window[at:end]
        if passage.strip():
            yield start, passage
        start += max(1, len(passage))


def _make_room(folder: Path) -> None:
    """Drop indexes that were used longest ago, so that all together stay bounded."""
    found = []
    for path in folder.glob("*.sqlite"):
        with contextlib.suppress(OSError):
            status = path.stat()
            found.append((status.st_mtime, status.st_size, path))
    left = sum(size for _, size, _ in found)
    for _, size, path in sorted(found):
        if left <= KEEP_BYTES:
            return
        with contextlib.suppress(OSError):
            path.unlink()
            left -= size
