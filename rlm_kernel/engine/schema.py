"""Replies that must fit a JSON Schema."""

from __future__ import annotations

import json
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from rlm_kernel.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_ERRORS = 10
"""Errors that a model is told at once."""
_FENCED = re.compile(r"^(`{3,})[^\n`]*\n(.*?)^\1`*[ \t]*$", re.M | re.S)


class Checked(NamedTuple):
    """A reply, held against a schema."""

    text: str
    """The JSON of the reply, nothing around it; the reply itself where there is none."""
    errors: list[str]
    """What does not fit, for the model to read; empty where it fits."""


def check(reply: str, schema: str) -> Checked:
    """Find the JSON in a reply and hold it against a schema.

    Args:
        reply: What the model wrote: JSON, also in a fence or with words around it.
        schema: The JSON Schema, as JSON text.

    Raises:
        InputError: The schema is none.
    """
    validator = _validator(schema)
    problems: list[str] | None = None
    for candidate in _candidates(reply):
        try:
            value = json.loads(candidate)
        except (ValueError, RecursionError):
            continue
        errors = _errors(validator, value)
        if not errors:
            return Checked(candidate.strip(), [])
        problems = problems or errors
    return Checked(reply, problems or ["The reply is not JSON."])


@lru_cache(maxsize=64)
def _validator(schema: str) -> Any:
    # Imported where it is used: most runs never do, and it takes a tenth of a second.
    from jsonschema import validators
    from jsonschema.exceptions import SchemaError

    try:
        content = json.loads(schema)
        kind = validators.validator_for(content, default=validators.Draft202012Validator)
        kind.check_schema(content)
    except (ValueError, TypeError) as error:
        raise InputError(f"The schema is not JSON: {error}.") from error
    except SchemaError as error:
        raise InputError(f"The schema is no JSON Schema: {error.message} (at {_place(error.path)}).") from error
    return kind(content)


def _errors(validator: Any, value: object) -> list[str]:
    from jsonschema.exceptions import best_match
    from referencing.exceptions import Unresolvable

    try:
        found = sorted(validator.iter_errors(value), key=lambda error: list(map(str, error.path)))[:MOST_ERRORS]
    except Unresolvable as error:
        raise InputError(f"The schema refers to something that is not in it: {error}.") from error
    # Of an alternative that fits nowhere, the branch that nearly fits says more than "no alternative fits".
    told = [best_match([error]) or error for error in found]
    return [f"at {_place(error.absolute_path)}: {error.message[:300]}" for error in told]


def _place(path: Any) -> str:
    return "$" + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)


def _candidates(reply: str) -> Iterator[str]:
    """Give the parts of a reply that may be its JSON, best first."""
    yield reply
    for match in _FENCED.finditer(reply):
        yield match[2]
    decoder = json.JSONDecoder()
    for match in re.finditer(r"[{\[]", reply):
        try:
            _, end = decoder.raw_decode(reply, match.start())
        except (ValueError, RecursionError):
            continue
        yield reply[match.start() : end]
        break
