"""Names of files that are written: nothing of a person's is replaced without their word."""

from __future__ import annotations

from itertools import count
from pathlib import Path

from rlm_kernel.errors import InputError


def free_name(path: Path) -> Path:
    """Give the path, or the first of ``name-2``, ``name-3`` … that is free."""
    if not path.exists():
        return path
    numbered = (path.with_name(f"{path.stem}-{number}{path.suffix}") for number in count(2))
    return next(each for each in numbered if not each.exists())


def chosen_name(text: str, *, overwrite: bool) -> Path:
    """Check a notebook's path that the person chose, before anything is spent.

    Raises:
        InputError: It is no notebook's name, its folder is not there, or it exists and may not be replaced.
    """
    path = Path(text).expanduser()
    if path.suffix != ".ipynb":
        raise InputError(f"{text} is not the name of a notebook.", "End it with .ipynb.")
    if not path.absolute().parent.is_dir():
        raise InputError(f"The folder of {text} does not exist.", "Make it, or choose another place.")
    if path.exists() and not overwrite:
        raise InputError(f"{text} exists already.", "Choose another name, or add --overwrite.")
    return path


def shown(path: Path) -> str:
    """Write a path as short as it can be typed from here."""
    try:
        return str(path.absolute().relative_to(Path.cwd()))
    except ValueError:
        return str(path)
