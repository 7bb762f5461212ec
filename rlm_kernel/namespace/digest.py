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
    from collections.abc import Callable, Collection, Iterable, Iterator

MOST_NAMES = 200
MOST_STEPS = 10_000
"""Values that are looked at, of all variables of a cell together."""
DEEPEST = 8
FLAT = 100_000
"""Items of a container of numbers that is hashed whole, and characters of all texts in one."""
SAMPLE = 512
"""Items of a larger container that count."""
WHOLE_TEXT = 1 << 16
WHOLE_NEW_TEXT = 8 << 20
"""Characters of a text that is hashed whole; where the cell has made it, the second."""
WHOLE_ARRAY = 1 << 19
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
    try:
        hashed = work.hash(value, 0, WHOLE_NEW_TEXT if new else WHOLE_TEXT)
    except Exception:  # noqa: BLE001 - a part of it may be an object of any kind
        hashed = b""
    kind = type(value)
    mark = f" #{hashed[:6].hex()}" if hashed else ""
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

    def hash(self, value: object, depth: int = 0, whole: int = WHOLE_TEXT) -> bytes:
        """Give the hash of a value; empty for what counts by its type only."""
        self._left -= 1
        kind = type(value)
        if isinstance(value, str):
            return _hash(b"s", *_text(value, whole))
        if kind in (bytes, bytearray):
            return _hash(b"b", *_sampled(value, whole))  # type: ignore[arg-type]
        if kind in _NUMBERS:
            return _hash(b"n", marshal.dumps(value, 2))  # type: ignore[arg-type]
        if kind in _BY_REPR:
            return _hash(kind.__name__.encode(), repr(value).encode())
        if depth > DEEPEST or self._left < 0:
            return b"deep"
        if isinstance(value, list | tuple | dict | set | frozenset):
            return self._container(value, depth + 1)
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            return self._fields(value, depth + 1)
        if kind.__module__.partition(".")[0] in ("numpy", "pandas"):
            return self._table(value, depth + 1)
        return b""

    def _part(self, value: object, depth: int) -> bytes:
        return self.hash(value, depth) or type_of(value).encode()

    def _container(
        self, value: list[Any] | tuple[Any, ...] | dict[Any, Any] | set[Any] | frozenset[Any], depth: int
    ) -> bytes:
        if isinstance(value, dict):
            size = dict.__len__(value)
            items = _taken(list(islice(dict.items(value), FLAT)), size)
            parts = [self._part(key, depth) + self._part(each, depth) for key, each in items]
            return _hash(b"d", size, *parts)
        if isinstance(value, set | frozenset):
            size = len(value)
            parts = sorted(self._part(each, depth) for each in value) if size <= FLAT // 100 else []
            return _hash(b"c", size, *parts)
        base = list if isinstance(value, list) else tuple
        size = base.__len__(value)  # type: ignore[arg-type]
        tag = b"l" if base is list else b"t"
        if type(value) is base and (whole := _flat(value, size)) is not None:
            return _hash(tag, size, whole)
        items = _taken(value if type(value) is base else list(base.__iter__(value)), size)  # type: ignore[arg-type]
        return _hash(tag, size, *(self._part(each, depth) for each in items))

    def _fields(self, value: Any, depth: int) -> bytes:
        names = [each.name for each in dataclasses.fields(value)]
        held = object.__getattribute__(value, "__dict__") if hasattr(type(value), "__dict__") else {}
        parts = [self._part(held.get(name) if isinstance(held, dict) else None, depth) for name in names]
        return _hash(b"f", type(value).__name__.encode(), *parts)

    def _table(self, value: Any, depth: int) -> bytes:
        if hasattr(value, "dtype") and hasattr(value, "tobytes"):
            if value.dtype.hasobject:
                return _hash(b"a", str(value.shape).encode())
            stride = max(1, value.nbytes // WHOLE_ARRAY)
            data = (value.ravel()[::stride] if stride > 1 else value).tobytes()
            return _hash(b"a", str((value.shape, value.dtype)).encode(), data)
        if type(value).__name__ in ("DataFrame", "Series", "Index", "RangeIndex"):
            size = len(value)
            sample = value if size <= SAMPLE // 8 else value.take(range(0, size, -(-size // (SAMPLE // 8))))
            columns = list(value.columns) if hasattr(value, "columns") else []
            return _hash(b"p", size, self._part(columns, depth), self._part(sample.to_numpy().tolist(), depth))
        return b""


def _flat(value: list[Any] | tuple[Any, ...], size: int) -> bytes | None:
    """Give a container of texts and numbers as bytes; a sample of a long one; ``None`` where it holds other things."""
    sample = value if size <= FLAT else value[:: size // SAMPLE]
    kinds = set(map(type, sample))
    if not kinds <= _FLAT:
        return None
    if kinds & {str, bytes} and sum(len(each) for each in sample if type(each) in (str, bytes)) > FLAT:
        return None
    return marshal.dumps(sample, 2)


def _taken(items: Any, size: int) -> Iterable[Any]:
    """Give the items that count: all, or some of the whole length and the last."""
    if size <= SAMPLE:
        return items  # type: ignore[no-any-return]
    return [*items[:: -(-len(items) // SAMPLE)], items[-1]]


def _text(value: str, whole: int) -> tuple[object, ...]:
    cut: Callable[[str, slice], str] = str.__getitem__
    size = str.__len__(value)
    if size <= whole:
        return (size, cut(value, slice(None)).encode("utf-8", "surrogatepass"))
    step = size // SAMPLE
    parts = [cut(value, slice(at, at + 128)) for at in range(0, size, step)] + [cut(value, slice(-4096, None))]
    return (size, "".join(parts).encode("utf-8", "surrogatepass"))


def _sampled(value: bytes, whole: int) -> tuple[object, ...]:
    size = len(value)
    if size <= whole:
        return (size, bytes(value))
    step = size // SAMPLE
    return (size, b"".join(bytes(value[at : at + 128]) for at in range(0, size, step)), bytes(value[-4096:]))


def _hash(*parts: object) -> bytes:
    made = blake2b(digest_size=16)
    for part in parts:
        data = part if isinstance(part, bytes) else str(part).encode()
        made.update(b"%d:" % len(data))
        made.update(data)
    return made.digest()
