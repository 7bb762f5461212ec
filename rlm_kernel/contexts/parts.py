"""The parts of a document: pages, sections, files. Made when they are looked at, from boundaries, which are data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar, overload

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rlm_kernel.contexts.document import Document

T = TypeVar("T")
_SHOWN = 60


class SectionMark(NamedTuple):
    """Where a section begins."""

    start: int
    """Offset of its heading."""
    level: int
    """1 for the highest."""
    title: str


class FileMark(NamedTuple):
    """Where a file lies in a document made of several."""

    start: int
    end: int
    name: str
    """As it is called among the others: its path below the folder, the name of a sheet."""
    path: str
    kind: str
    outline: str = ""


class Parts(Sequence[T], Generic[T]):
    """A list that makes its items when they are asked for, so that a text is not held once more for each kind of part.

    It is equal to a list with the same items, and is a list once pickled.
    """

    def __init__(self, count: int, make: Callable[[int], T]) -> None:
        self._count, self._make = count, make

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> T: ...

    @overload
    def __getitem__(self, index: slice) -> list[T]: ...

    def __getitem__(self, index: int | slice) -> T | list[T]:
        if isinstance(index, slice):
            return [self._make(number) for number in range(*index.indices(self._count))]
        number = index.__index__()
        if not -self._count <= number < self._count:
            raise IndexError(f"There are {self._count:,}, counted from 0; there is no {number}.")
        return self._make(number % self._count)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, list | tuple | Parts):
            return NotImplemented
        return len(self) == len(other) and all(ours == theirs for ours, theirs in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        """Show the first items; a list of a thousand pages would be no answer to anything."""
        shown = [repr(self._make(number)) for number in range(min(self._count, _SHOWN))]
        lines = [f"  {text if len(text) <= 160 else text[:159] + '…'}," for text in shown]
        if self._count > _SHOWN:
            lines.append(f"  … {self._count - _SHOWN:,} more")
        return "\n".join(["[", *lines, "]"]) if lines else "[]"

    def __reduce__(self) -> tuple[object, ...]:
        return list, (list(self),)


class Section:
    """A section: from its heading to the next one of the same or a higher level.

    ``str(section)`` is its text, and so it can be given to a model as it is.
    """

    __slots__ = ("_base", "_text", "end", "level", "start", "title")

    def __init__(self, mark: SectionMark, end: int, text: str, base: int = 0) -> None:
        """Keep the text it is cut from.

        Args:
            mark: Where it begins, its level and title.
            end: Where it ends, in the whole document.
            text: The document, or the piece of it that has the section.
            base: Where that piece begins in the whole document.
        """
        self.start, self.level, self.title = mark
        self.end = end
        self._text, self._base = text, base

    @property
    def text(self) -> str:
        """Its text, heading and subsections included."""
        return self._text[self.start - self._base : self.end - self._base]

    def __str__(self) -> str:
        return self.text

    def __len__(self) -> int:
        return self.end - self.start

    def __contains__(self, text: str) -> bool:
        return text in self.text

    def __getitem__(self, index: int | slice) -> str:
        return self.text[index]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Section):
            return NotImplemented
        return (self.start, self.end, self.level, self.title) == (other.start, other.end, other.level, other.title)

    def __hash__(self) -> int:
        return hash((self.start, self.end, self.level, self.title))

    def __repr__(self) -> str:
        """Show title and place, not the text: a list of them reads as a table of contents."""
        return f"<{'  ' * (self.level - 1)}{self.title!r} {self.start:,}–{self.end:,}>"

    def __reduce__(self) -> tuple[object, ...]:
        return Section, (SectionMark(self.start, self.level, self.title), self.end, self.text, self.start)


class Files(Parts["Document"]):
    """The files of a document, by position or by name; ``dict(files)`` gives them all by name."""

    def __init__(self, names: list[str], make: Callable[[int], Document]) -> None:
        super().__init__(len(names), make)
        self._names = names

    def __getitem__(self, index: int | slice | str) -> Document | list[Document]:  # type: ignore[override]
        if not isinstance(index, str):
            return super().__getitem__(index)
        if index in self._names:
            return self._make(self._names.index(index))
        ends = [number for number, name in enumerate(self._names) if name.endswith("/" + index)]
        if len(ends) == 1:
            return self._make(ends[0])
        raise KeyError(f"{index!r} is not the name of one of the {len(self._names):,} files; .files.keys() lists them.")

    def keys(self) -> list[str]:
        """The names."""
        return list(self._names)

    def values(self) -> list[Document]:
        """The files."""
        return list(self)

    def items(self) -> Iterator[tuple[str, Document]]:
        """Names with files."""
        return zip(self._names, self, strict=True)

    def __contains__(self, value: object) -> bool:
        return value in self._names if type(value) is str else super().__contains__(value)

    def __repr__(self) -> str:
        """Show their names."""
        more = [f"  … {len(self) - _SHOWN:,} more"] if len(self) > _SHOWN else []
        return "\n".join(["[", *(f"  {name!r}," for name in self._names[:_SHOWN]), *more, "]"])
