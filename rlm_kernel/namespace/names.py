"""What is in the namespace: for ``SHOW_VARS`` and for the model."""

from __future__ import annotations

from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection

OURS = frozenset(
    {"llm_query", "llm_query_batched", "llm_batch", "rlm_query", "rlm_query_batched"}
    | {"answer", "FINAL", "FINAL_VAR", "SUBMIT", "SHOW_VARS", "load"}
)
IPYTHON = frozenset({"In", "Out", "exit", "quit", "get_ipython", "open", "display"})
MOST_NAMES = 200


class Table(str):
    """A text that shows as it is when it is the value of a cell."""

    __slots__ = ()

    def __repr__(self) -> str:
        """Show the text itself."""
        return str(self)


class Origins:
    """Knows which cell bound each name last, and which names a run is not told of.

    A name counts as bound anew where it stands for another object than before the cell.
    """

    def __init__(self) -> None:
        self._cells: dict[str, str | None] = {}
        self._before: dict[str, int] = {}
        self._hidden: dict[str, int] = {}
        self.bound: list[str] = []
        """Names that the last cell has bound."""

    def cell_starts(self, user_ns: dict[str, Any]) -> None:
        """Remember what there is."""
        self._before = {name: id(value) for name, value in list(user_ns.items())}

    def cell_ended(self, user_ns: dict[str, Any], cell_id: str | None) -> None:
        """Note what a cell has bound."""
        before, self._before = self._before, {}
        self.bound = [name for name, value in list(user_ns.items()) if before.get(name) != id(value)]
        for name in self.bound:
            self._cells[name] = cell_id

    def cell(self, name: str) -> str | None:
        """Give the cell that bound a name last, as far as it has an id."""
        return self._cells.get(name)

    def begin_run(self, user_ns: dict[str, Any], told: Collection[str] | None) -> None:
        """Hide all names but those the model was told of, until they are bound anew; ``None`` hides none."""
        self._hidden = {}
        if told is not None:
            self._hidden = {name: id(value) for name, value in list(user_ns.items()) if name not in told}

    def end_run(self) -> None:
        """Hide nothing more."""
        self._hidden = {}

    def hides(self, name: str, value: object) -> bool:
        """Tell whether a name is hidden."""
        return name in self._hidden and self._hidden[name] == id(value)


def name_infos(user_ns: dict[str, Any], origins: Origins | None = None) -> list[dict[str, str | None]]:
    """List the names the person or the model made, oldest first."""
    return [
        {
            "name": name,
            "type": type_of(value),
            "size": size_of(value),
            "cell": origins.cell(name) if origins is not None else None,
        }
        for name, value in list(user_ns.items())
        if not name.startswith("_")
        and name not in OURS
        and name not in IPYTHON
        and not isinstance(value, ModuleType)
        and not (origins is not None and origins.hides(name, value))
    ][-MOST_NAMES:]


def type_of(value: object) -> str:
    """Name the type of a value: ``str``, ``list of int``, ``function``, ``pandas.DataFrame``."""
    kind = type(value)
    if isinstance(value, list | tuple | set | frozenset) and value and len(value) <= 100_000:
        kinds = {type(item).__name__ for item in value}
        if len(kinds) == 1:
            return f"{kind.__name__} of {kinds.pop()}"
    package = kind.__module__.split(".")[0]
    return kind.__name__ if package in ("builtins", "__main__") else f"{package}.{kind.__name__}"


def size_of(value: object) -> str:
    """Say how large a value is: characters, items or shape; empty where that means nothing."""
    try:
        shape = getattr(value, "shape", None)
        if isinstance(shape, tuple) and all(isinstance(length, int) for length in shape):
            return " × ".join(f"{length:,}" for length in shape)
        if isinstance(value, str):
            return f"{len(value):,} characters"
        if isinstance(value, bytes | bytearray):
            return f"{len(value):,} bytes"
        if isinstance(value, bool | int | float | complex):
            text = repr(value)
            # A long one was measured (a time, a share): it would make another question of the same one each time.
            return text if len(text) <= (24 if isinstance(value, int) else 8) else ""
        return f"{len(value):,} items"  # type: ignore[arg-type]
    except Exception:  # noqa: BLE001 - any object may refuse to be measured
        return ""


def show_vars(user_ns: dict[str, Any], origins: Origins | None = None) -> Table:
    """List the variables of the namespace with type and size."""
    rows = [(str(info["name"]), str(info["type"]), str(info["size"])) for info in name_infos(user_ns, origins)]
    if not rows:
        return Table("No variables yet.")
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    return Table("\n".join(f"{row[0]:<{widths[0]}}  {row[1]:<{widths[1]}}  {row[2]}".rstrip() for row in rows))


def describe(user_ns: dict[str, Any], origins: Origins | None = None) -> dict[str, Any]:
    """Tell what is in the namespace before a run: the ``NamespaceInfo`` of the engine."""
    from rlm_kernel.contexts.describe import describe as describe_context

    value = user_ns.get("context")
    return {
        "context": None if value is None else describe_context(value),
        "names": [info for info in name_infos(user_ns, origins) if info["name"] != "context"],
    }
