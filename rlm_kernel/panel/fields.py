"""Reads the fields of what a view says: a page is not trusted to be of our version."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rlm_kernel.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

RELOAD = "Reload the page: it may be of another version."


def text(told: Mapping[str, object], name: str) -> str:
    """Give a field that must be a text.

    Raises:
        InputError: It is none.
    """
    value = told.get(name)
    if not isinstance(value, str):
        raise InputError(f"The panel sent no {name}.", RELOAD)
    return value


def number(told: Mapping[str, object], name: str) -> int:
    """Give a field that must be a whole number, 0 or more.

    Raises:
        InputError: It is none.
    """
    value = told.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise InputError(f"The panel sent no {name}.", RELOAD)
    return value


def fields(told: Mapping[str, object], name: str) -> dict[str, object]:
    """Give a field that must be an object.

    Raises:
        InputError: It is none.
    """
    value = told.get(name)
    if not isinstance(value, dict):
        raise InputError(f"The panel sent no {name}.", RELOAD)
    return value
