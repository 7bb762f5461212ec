"""The options of a run on the command line: the same table as ``%rlm`` uses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rlm_kernel.engine.settings import OPTIONS, Settings, parse
from rlm_kernel.usage import either

if TYPE_CHECKING:
    import argparse
    from collections.abc import Container

NOT_HERE = frozenset({"--reset", "--no-fresh"})
"""A command has no settings that last."""


def add_run_options(parser: argparse.ArgumentParser, without: Container[str] = ()) -> None:
    """Add model and limits to a command.

    Args:
        parser: The command's.
        without: Flags that it does not have, or means something else by.
    """
    group = parser.add_argument_group("model and limits")
    for option in OPTIONS:
        if option.flag not in NOT_HERE and option.flag not in without:
            note = " (none: no limit)" if option.optional else f": {either(option.choices)}" if option.choices else ""
            name = f"set_{option.name}"
            if option.kind == "flag":
                group.add_argument(option.flag, dest=name, action="store_true", default=None, help=option.help)
            else:
                group.add_argument(option.flag, dest=name, metavar=option.metavar, help=option.help + note)


def settings_from(args: argparse.Namespace, base: Settings | None = None) -> Settings:
    """Read the options that were given.

    Raises:
        InputError: A value is not allowed; the message names the option and what may be given.
    """
    words: list[str] = []
    for option in OPTIONS:
        value = getattr(args, f"set_{option.name}", None) if option.flag not in NOT_HERE else None
        if value is not None:
            words.append(option.flag if option.kind == "flag" else f"{option.flag}={value}")
    return parse(words, base or Settings())
