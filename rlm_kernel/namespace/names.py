"""What is in the namespace: for ``SHOW_VARS`` and for the model."""

from __future__ import annotations

from types import ModuleType
from typing import Any

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


def name_infos(user_ns: dict[str, Any]) -> list[dict[str, str]]:
    """List the names the person or the model made, oldest first."""
    return [
        {"name": name, "type": type_of(value), "size": size_of(value)}
        for name, value in list(user_ns.items())
        if not name.startswith("_") and name not in OURS and name not in IPYTHON and not isinstance(value, ModuleType)
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
            return text if len(text) <= 24 else ""
        return f"{len(value):,} items"  # type: ignore[arg-type]
    except Exception:  # noqa: BLE001 - any object may refuse to be measured
        return ""


def show_vars(user_ns: dict[str, Any]) -> Table:
    """List the variables of the namespace with type and size."""
    rows = [(info["name"], info["type"], info["size"]) for info in name_infos(user_ns)]
    if not rows:
        return Table("No variables yet.")
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    return Table("\n".join(f"{row[0]:<{widths[0]}}  {row[1]:<{widths[1]}}  {row[2]}".rstrip() for row in rows))


def describe(user_ns: dict[str, Any]) -> dict[str, Any]:
    """Tell what is in the namespace before a run: the ``NamespaceInfo`` of the engine."""
    from rlm_kernel.contexts.describe import describe as describe_context

    value = user_ns.get("context")
    return {
        "context": None if value is None else describe_context(value),
        "names": [info for info in name_infos(user_ns) if info["name"] != "context"],
    }
