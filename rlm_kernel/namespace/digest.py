"""What the variables of a cell are after it, so short that it can be kept: to see later whether they are the same.

Plain data (texts, numbers, containers of these, dates, arrays) gets a hash that is the same in every process: nothing
of it depends on addresses, on the order of sets or on the seed of ``hash()``. Anything else counts by its type only.
No code of the person's is called, and no value but a number can be read out of it. The work is bounded: of large
containers and texts a sample counts, taken at the same places every time.
"""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import fractions
import marshal
import pathlib
import re
import uuid
from hashlib import blake2b
from itertools import islice
from types import FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

from rlm_kernel.namespace.names import IPYTHON, OURS, type_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

MOST_NAMES = 200
MOST_STEPS = 10_000
"""Values that are looked at, of all variables of a cell together."""
DEEPEST = 8
FLAT = 100_000
"""Items of a container of numbers that all count."""
SAMPLE = 256
"""Items of a larger container that count, and places in a larger text."""
ROWS = 64
"""Of a table that count."""
LARGEST_SET = 10_000
WHOLE = 1 << 18
"""Characters of a text, or of all texts in a list, that count in full."""
WHOLE_NEW = 4 << 20
"""The same for a variable that the cell has made: it is hashed once, and later only looked at."""
SHORT = 1 << 18
NUMBER_CHARS = 24

_WORD = re.compile(r"[^\W\d]\w*")
_CONTAINERS: tuple[Any, ...] = (list, tuple, dict, set, frozenset)
_NUMBERS = frozenset({int, float, bool, type(None), complex})
_FLAT = _NUMBERS | {str, bytes}
_BY_REPR = (
    datetime.datetime, datetime.date, datetime.time, datetime.timedelta, decimal.Decimal, fractions.Fraction, uuid.UUID,
    pathlib.PosixPath, range, re.Pattern,
)  # fmt: skip


def digests(user_ns: dict[str, Any], code: str, bound: Collection[str]) -> dict[str, str]:
    """Describe the variables that a cell has bound or mentions, and those its functions mention.

    Each as ``KIND #HASH``; of a large one that the cell has made, ``+HASH`` follows: of more of it.

    Args:
        user_ns: The names there are.
        code: The cell.
        bound: Names that stand for another object than before it.
    """
    work = _Work()
    found: dict[str, str] = {}
    for name in _names(user_ns, code, bound):
        value = user_ns[name]
        if not isinstance(value, ModuleType):
            found[name] = _described(value, work, new=name in bound)
        if len(found) >= MOST_NAMES:
            break
    return found


def _names(user_ns: dict[str, Any], code: str, bound: Collection[str]) -> Iterator[str]:
    seen: set[str] = set()
    waiting = [*bound, *_WORD.findall(code)]
    while waiting:
        name = waiting.pop(0)
        if name in seen or name not in user_ns or name.startswith("_") or name in IPYTHON:
            continue
        seen.add(name)
        if name in OURS and name != "answer":
            continue
        yield name
        value = user_ns[name]
        if type(value) is FunctionType and value.__globals__ is user_ns:
            waiting += value.__code__.co_names


def _described(value: object, work: _Work, *, new: bool) -> str:
    kind = type(value)
    mark = ""
    try:
        hashed = work.hash(value)
        if hashed:
            mark = f" #{hashed[:6].hex()}"
        if new and isinstance(value, str | bytes | list) and len(value) > SAMPLE:
            more = work.hash(value, 0, WHOLE_NEW)
            mark += f" +{more[:6].hex()}" if more != hashed else ""
    except Exception:  # noqa: BLE001 - a part of it may be an object of any kind
        mark = ""
    if kind in _NUMBERS:
        text = repr(value) if kind is not int or int.bit_length(value) < 80 else "of many digits"  # type: ignore[arg-type]
        return f"{kind.__name__} {text[:NUMBER_CHARS]}{mark}"
    return f"{_kind(value)}{mark}"


def _kind(value: object) -> str:
    name = type(value).__name__
    if isinstance(value, str):
        return f"{name} of {str.__len__(value):,} characters"
    if type(value) in (bytes, bytearray):
        return f"{name} of {len(value):,} bytes"  # type: ignore[arg-type]
    for kind in _CONTAINERS:
        if isinstance(value, kind):
            size: Callable[[object], int] = kind.__len__  # of a subclass it may be the person's
            return f"{name} of {size(value):,}"
    return type_of(value)


class _Work:
    """Hashes values until it has looked at too many."""

    def __init__(self) -> None:
        self._left = MOST_STEPS

    def hash(self, value: object, depth: int = 0, whole: int = WHOLE) -> bytes:
        """Give the hash of a value; empty for what counts by its type only.

        Args:
            value: The value.
            depth: How many containers it is in.
            whole: Characters of texts that count in full.
        """
        self._left -= 1
        kind = type(value)
        if isinstance(value, str):
            return _hash(b"s", *_text(value, whole))
        if kind in (bytes, bytearray):
            return _hash(b"b", *_bytes(value, whole))  # type: ignore[arg-type]
        if kind in _NUMBERS:
            return _hash(b"n", marshal.dumps(value, 2))  # type: ignore[arg-type]
        if kind in _BY_REPR:
            return _hash(kind.__name__.encode(), repr(value).encode())
        if depth > DEEPEST or self._left < 0:
            return b"deep"
        if isinstance(value, list | tuple):
            return self._row(value, depth + 1, whole)
        if isinstance(value, dict):
            return self._dict(value, depth + 1)
        if isinstance(value, set | frozenset):
            return self._set(value, depth + 1)
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            return self._fields(value, depth + 1)
        if kind.__module__.partition(".")[0] in ("numpy", "pandas"):
            return self._table(value, depth + 1)
        return b""

    def _parts(self, values: Iterable[object], depth: int) -> list[bytes]:
        return [self.hash(each, depth) or type_of(each).encode() for each in values]

    def _row(self, value: list[Any] | tuple[Any, ...], depth: int, whole: int) -> bytes:
        tag = b"l" if isinstance(value, list) else b"t"
        plain = value if type(value) in (list, tuple) else list(_iterator(value)(value))
        size = len(plain)
        if size <= FLAT and _is_flat(plain, whole):
            return _hash(tag, size, marshal.dumps(plain, 2))
        sample = plain if size <= SAMPLE else plain[:: -(-size // SAMPLE)] + plain[-1:]  # type: ignore[operator]
        return _hash(tag, size, *self._sample(sample, depth))

    def _dict(self, value: dict[Any, Any], depth: int) -> bytes:
        size = dict.__len__(value)
        items = dict.items(value)
        if size > FLAT:
            sample = [*islice(items, SAMPLE // 2), *islice(reversed(items), SAMPLE // 2)]
        else:
            sample = [*islice(items, 0, None, -(-size // SAMPLE) or 1), *islice(reversed(items), 1)]
        flat = [part for pair in sample for part in pair]
        return _hash(b"d", size, *self._sample(flat, depth))

    def _set(self, value: set[Any] | frozenset[Any], depth: int) -> bytes:
        if len(value) > LARGEST_SET:
            return _hash(b"c", len(value))  # no sample of it would be the same in another process
        if len(set(map(type, value))) == 1 and type(next(iter(value))) in (str, int, float):
            return _hash(b"c", len(value), *self._sample(sorted(value), depth))
        return _hash(b"c", len(value), *sorted(self._parts(value, depth)))

    def _sample(self, values: Sequence[object], depth: int) -> list[bytes]:
        """Give what stands for some values: their bytes, where all of it is plain and short, else a hash for each."""
        left = _rest(values, SHORT, DEEPEST - depth)
        self._left -= len(values)
        return [marshal.dumps(list(values), 2)] if left >= 0 else self._parts(values, depth)

    def _fields(self, value: Any, depth: int) -> bytes:
        held = object.__getattribute__(value, "__dict__") if hasattr(type(value), "__dict__") else {}
        parts = self._parts([held.get(each.name) for each in dataclasses.fields(value)], depth)
        return _hash(b"f", type(value).__name__.encode(), *parts)

    def _table(self, value: Any, depth: int) -> bytes:
        if hasattr(value, "dtype") and hasattr(value, "tobytes"):
            if value.dtype.hasobject:
                return _hash(b"a", str(value.shape).encode())
            stride = max(1, value.nbytes // WHOLE)
            data = (value.ravel()[::stride] if stride > 1 else value).tobytes()
            return _hash(b"a", str((value.shape, value.dtype)).encode(), data)
        if type(value).__name__ in ("DataFrame", "Series", "Index", "RangeIndex"):
            size = len(value)
            sample = value if size <= ROWS else value.take(range(0, size, -(-size // ROWS)))
            columns = list(value.columns) if hasattr(value, "columns") else []
            return _hash(b"p", size, *self._parts([columns, sample.to_numpy().tolist()], depth))
        return b""


def _iterator(value: object) -> Callable[[object], Iterator[Any]]:
    """Give the way through a container that is not of the person's making."""
    return list.__iter__ if isinstance(value, list) else tuple.__iter__  # type: ignore[return-value]


def _is_flat(values: Sequence[object], whole: int) -> bool:
    """Tell whether values are texts and numbers, and so few that all of them count."""
    kinds = set(map(type, values))
    if kinds <= _NUMBERS:
        return True
    if kinds == {str}:
        return sum(map(len, values)) <= whole  # type: ignore[arg-type]
    return kinds <= _FLAT and len(values) <= SAMPLE and _rest(values, whole, 1) >= 0


def _rest(value: object, left: int, depth: int) -> int:
    """Give what is left of a number of bytes after a plain value; negative where it is too long, or not plain."""
    kind = type(value)
    if kind in _NUMBERS:
        return left - (int.bit_length(value) // 8 if kind is int else 8)  # type: ignore[arg-type]
    if kind is str or kind is bytes:
        return left - len(value)  # type: ignore[arg-type]
    if depth < 0 or kind not in (list, tuple, dict):
        return -1
    parts: Iterable[object] = value if kind is not dict else (each for pair in value.items() for each in pair)  # type: ignore[assignment,attr-defined]
    for each in parts:
        left = _rest(each, left - 1, depth - 1)
        if left < 0:
            break
    return left


def _text(value: str, whole: int) -> tuple[object, ...]:
    cut: Callable[[str, slice], str] = str.__getitem__  # a subclass may have one of its own
    size = str.__len__(value)
    if size <= whole:
        text = cut(value, slice(None))
    else:
        text = "".join(cut(value, slice(at, at + 64)) for at in range(0, size, size // SAMPLE)) + cut(
            value, slice(-4096, None)
        )
    return (size, text.encode("utf-8", "surrogatepass"))


def _bytes(value: bytes, whole: int) -> tuple[object, ...]:
    size = len(value)
    if size <= whole:
        return (size, bytes(value))
    return (size, b"".join(bytes(value[at : at + 64]) for at in range(0, size, size // SAMPLE)), bytes(value[-4096:]))


def _hash(*parts: object) -> bytes:
    made = blake2b(digest_size=16)
    for part in parts:
        data = part if isinstance(part, bytes) else str(part).encode()
        made.update(b"%d:" % len(data))
        made.update(data)
    return made.digest()
