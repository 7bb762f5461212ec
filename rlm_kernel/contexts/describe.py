"""Describing a value without giving it away: what a model is told of ``context``."""

from __future__ import annotations

import reprlib
from collections.abc import Mapping, Sequence
from itertools import islice

from rlm_kernel.contexts.document import Document
from rlm_kernel.contexts.info import ContextInfo
from rlm_kernel.contexts.names import shown
from rlm_kernel.contexts.shape import structure_of_document, structure_of_text
from rlm_kernel.contexts.text import Text

SHOWN = 300
"""Most characters of the head and of the tail."""
_SAMPLE = 1000
"""Most items of a list or dict that are looked at, to keep it quick."""


def describe(value: object) -> ContextInfo:
    """Describe a value: what it is, how large, how it is built, how it begins and ends.

    Quick for any size: a text is counted, and only its ends are copied.
    """
    if isinstance(value, str):
        return _describe_text(value)
    if isinstance(value, Text):
        return _describe_on_disk(value)
    if _is_table(value):
        return _describe_table(value)
    if isinstance(value, Mapping):
        return _describe_mapping(value)
    if isinstance(value, Sequence | set | frozenset) and not isinstance(value, bytes | bytearray | memoryview | range):
        return _describe_items(list(value), type(value).__name__)
    return _info(_type_name(value), shown=_short(value))


def count_lines(text: str) -> int:
    """Count lines; a last one without a line end counts too."""
    return text.count("\n") + (1 if text and not text.endswith("\n") else 0)


def _info(type_name: str, *, chars: int = 0, lines: int = 0, structure: str = "", shown: str = "") -> ContextInfo:
    return ContextInfo(
        type=type_name, source="", chars=chars, lines=lines, structure=structure, head=shown[:SHOWN], tail=""
    )


def _describe_text(text: str) -> ContextInfo:
    return ContextInfo(
        type=f"Document ({text.kind})" if isinstance(text, Document) else _type_name(text),
        source=shown(text.path) if isinstance(text, Document) else "",
        chars=len(text),
        lines=count_lines(text),
        structure=structure_of_document(text) if isinstance(text, Document) else structure_of_text(text),
        head=str(text[:SHOWN]),
        tail=str(text[max(SHOWN, len(text) - SHOWN) :]),
    )


def _describe_on_disk(text: Text) -> ContextInfo:
    """Describe a text on disk; its lines are not counted, which would take a second for each two gigabytes."""
    head = text[:20_000]
    per_line = len(head) / max(1, count_lines(head))
    structure = [
        structure_of_text(head),
        f"It stays on disk and is no str: about {len(text) / per_line:,.0f} lines.",
        "`context[a:b]` is a str (up to 256 million characters); `re` works on slices only. On all of it: "
        "`context.search(pattern)`, `.finditer(pattern)`, `.findall(pattern)` (RE2: linear time, no look-around), "
        "`.find(text)`, `.count(text)`, `.lines(start, stop)`, `.chunks(size, overlap, by='line')`, "
        "`.search_ranked('words', k=10)`; `.at(offset)` says where a character stands.",
    ]
    return ContextInfo(
        type="Text (on disk)",
        source=shown(text.path),
        chars=len(text),
        lines=round(len(text) / per_line),
        structure="\n".join(filter(None, structure)),
        head=head[:SHOWN],
        tail=text[max(SHOWN, len(text) - SHOWN) :],
    )


def _describe_items(items: list[object], type_name: str) -> ContextInfo:
    kinds = sorted({_type_name(item) for item in items[:_SAMPLE]})
    texts = [item for item in items if isinstance(item, str)]
    structure = ""
    if texts:
        sizes = sorted(map(len, texts))
        structure = f"Characters per item: least {sizes[0]:,}, median {sizes[len(sizes) // 2]:,}, most {sizes[-1]:,}"
    elif items and isinstance(items[0], Mapping):
        structure = f"Keys of the first item: {_names(items[0])}"
    return ContextInfo(
        type=f"{type_name} of {len(items):,} {' or '.join(kinds[:3])}".rstrip() if items else f"empty {type_name}",
        source="",
        chars=sum(map(len, texts)),
        lines=sum(map(count_lines, texts)),
        structure=structure,
        head=f"[0] {_short(items[0])}"[:SHOWN] if items else "",
        tail=f"[{len(items) - 1}] {_short(items[-1])}"[:SHOWN] if len(items) > 1 else "",
    )


def _describe_mapping(value: Mapping[object, object]) -> ContextInfo:
    texts = [item for item in value.values() if isinstance(item, str)]
    kinds = sorted({_type_name(item) for item in islice(value.values(), _SAMPLE)})
    return _info(
        f"{type(value).__name__} of {len(value):,} {' or '.join(kinds[:3])}".rstrip() if value else "empty dict",
        chars=sum(map(len, texts)),
        lines=sum(map(count_lines, texts)),
        structure=f"Keys: {_names(value)}" if value else "",
        shown="\n".join(f"{_short(key)}: {_short(item)}" for key, item in islice(value.items(), 3)),
    )


def _is_table(value: object) -> bool:
    """Recognise pandas, polars and arrow tables by what they have, so that none of them need be there."""
    return hasattr(value, "columns") and hasattr(value, "shape") and hasattr(type(value), "__len__")


def _describe_table(value: object) -> ContextInfo:
    rows, columns = len(value), [str(column) for column in value.columns]  # type: ignore[arg-type, attr-defined]
    names = ", ".join(columns[:30]) + (" …" if len(columns) > 30 else "")
    head = value.head(3) if hasattr(value, "head") else ""
    return _info(
        f"{type(value).__name__}, {rows:,} rows × {len(columns):,} columns",
        structure=f"Columns: {names}",
        shown=str(head),
    )


def _names(value: Mapping[object, object]) -> str:
    names = ", ".join(_short(key, 60) for key in islice(value, 12))
    return names + (" …" if len(value) > 12 else "")


def _type_name(value: object) -> str:
    return f"Document ({value.kind})" if isinstance(value, Document) else type(value).__name__


class _Repr(reprlib.Repr):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.maxstring = self.maxother = self.maxlong = width

    def repr_Document(self, value: Document, level: int) -> str:
        return self.repr_str(str(value[: self.maxstring * 2]), level)


def _short(value: object, width: int = 250) -> str:
    return _Repr(width).repr(value)[: width + 40]
