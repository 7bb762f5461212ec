"""What a cell wants of a sub-model's replies: their form, how many, and which one."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rlm_kernel.namespace.queries import Reply

MOST_SAMPLES = 1000
Select = str | Callable[[Sequence["Reply"]], object] | None


class Wanted:
    """Schema, number of samples and choice among them, as a cell gave them.

    Args:
        schema: A JSON Schema (a dict), a pydantic model, or any type pydantic knows (``list[str]``).
        n: How many times each prompt is asked.
        select: ``"vote"``: the most frequent reply. A function: gets the replies that succeeded and gives the one it
            wants.

    Raises:
        TypeError: One of them cannot be used.
        ValueError: One of them cannot be used.
    """

    def __init__(self, schema: object = None, n: int = 1, select: Select = None) -> None:
        if not isinstance(n, int) or isinstance(n, bool) or not 1 <= n <= MOST_SAMPLES:
            raise ValueError(f"n must be a whole number from 1 to {MOST_SAMPLES}, not {n!r}.")
        if not (select is None or select == "vote" or callable(select)):
            raise ValueError(f'select must be "vote" or a function of the replies, not {select!r}.')
        self.n = n
        self._select = select
        self._adapter: Any = None
        self._schema: object = None
        if isinstance(schema, dict):
            self._schema = schema
        elif schema is not None:
            self._adapter, self._schema = _adapt(schema)

    def fields(self) -> dict[str, Any]:
        """Give what of it the host has to know."""
        fields: dict[str, Any] = {"n": self.n} if self.n > 1 else {}
        if self._schema is not None:
            try:
                fields["schema"] = json.dumps(self._schema, sort_keys=True, ensure_ascii=False)
            except (TypeError, ValueError) as error:
                raise TypeError(f"The schema is not JSON: {error}.") from error
        return fields

    def value(self, text: str) -> object:
        """Give the object that a reply stands for; ``None`` where no schema was given.

        Raises:
            ValueError: It does not pass the checks that the pydantic model has beside its schema.
        """
        if self._adapter is not None:
            return self._adapter.validate_json(text)
        return None if self._schema is None else json.loads(text)

    def choose(self, replies: list[Reply]) -> Reply:
        """Give the one reply for a prompt; the others stand in its ``samples``."""
        good = [reply for reply in replies if reply.error is None]
        if self.n == 1 or not good:
            chosen = replies[0]
        elif callable(self._select):
            chosen = _picked(self._select(good), good)
        else:
            chosen = _vote(good)
        if self.n > 1:
            chosen.samples = replies
        return chosen


def _adapt(schema: Any) -> tuple[Any, object]:
    """Make a pydantic adapter and its JSON Schema; pydantic is asked for only here."""
    if isinstance(schema, str | bytes | int | float | list | tuple):
        raise TypeError(f"schema must be a dict (JSON Schema) or a pydantic model, not {type(schema).__name__}.")
    try:
        from pydantic import TypeAdapter
        from pydantic.errors import PydanticUserError
    except ImportError as error:
        raise TypeError("A schema that is not a dict needs pydantic, which is not installed here.") from error
    try:
        adapter: Any = TypeAdapter(schema)
        return adapter, adapter.json_schema()
    except PydanticUserError as error:
        raise TypeError(f"pydantic cannot make a schema of {schema!r}: {error.message}") from error


def _vote(replies: list[Reply]) -> Reply:
    """Give the most frequent reply; of equals the first. How it is written does not count."""
    forms = [_form(reply) for reply in replies]
    (best, _), *_ = Counter(forms).most_common(1)
    return replies[forms.index(best)]


def _form(reply: Reply) -> str:
    try:
        return json.dumps(json.loads(reply), sort_keys=True)
    except ValueError:
        return " ".join(reply.split()).strip(" .!\"'`*").casefold()


def _picked(chosen: object, replies: list[Reply]) -> Reply:
    for reply in replies:
        if chosen is reply:
            return reply
    if isinstance(chosen, int) and not isinstance(chosen, bool) and -len(replies) <= chosen < len(replies):
        return replies[chosen]
    for reply in replies:
        if isinstance(chosen, str) and reply == chosen:
            return reply
    raise ValueError(f"select must give one of the replies (or its place in the list), not {chosen!r:.200}.")
