"""The cell ``%rlm rerun NODE …``: read, and written."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rlm_kernel.engine.edits import Edit
from rlm_kernel.engine.settings import parse
from rlm_kernel.errors import InputError, why_unreadable

if TYPE_CHECKING:
    from rlm_kernel.engine.settings import Settings

RERUN = re.compile(r"\s*%rlm[ \t]+rerun(?=\s|$)([^\n]*)(?:\n(.*))?", re.DOTALL)
TEXTS = ("prompt", "reply", "code", "hint")
USAGE = (
    "%rlm rerun NODE --again | --model NAME | --hint TEXT | --prompt, --reply or --code with a FILE; "
    "the text may stand in the lines below, too."
)


@dataclass(frozen=True, slots=True)
class Rerun:
    """What is to be run again."""

    node_id: str
    edit: Edit
    settings: Settings
    """For the run that comes of it."""


def is_rerun(code: str) -> bool:
    """Tell whether a cell is ``%rlm rerun``."""
    return bool(RERUN.fullmatch(code))


def read_rerun(code: str, base: Settings) -> Rerun:
    """Read a ``%rlm rerun`` cell: the node, the change, options of the run; below it the text of the change.

    Raises:
        InputError: It cannot be used; the message says why.
    """
    words, body = _parts(code)
    if not words or words[0].startswith("-"):
        raise InputError("%rlm rerun needs the id of a node.", USAGE)
    node_id, rest, options = words[0], words[1:], list[str]()
    told: dict[str, object] = {}
    while rest:
        word = rest.pop(0)
        kind = word.removeprefix("--")
        if word == kind or kind not in (*TEXTS, "again", "model", "anyway"):
            options.append(word)
        elif kind == "anyway":
            told["anyway"] = True
        elif kind == "model":
            told["model"] = _value(word, rest)
        elif "kind" in told:
            raise InputError(f"--{told['kind']} and {word} exclude each other.", USAGE)
        else:
            told["kind"] = kind
            if kind != "again":
                read = _value if kind == "hint" else _file
                told["text"] = body.strip("\n") if body.strip() else read(word, rest)
    if not told.keys() & {"kind", "model"}:
        raise InputError("%rlm rerun needs what is to change.", USAGE)
    return Rerun(node_id, Edit.from_dict({"kind": "model"} | told), parse(options, base))


def rerun_line(node_id: str, edit: Edit) -> str:
    """Write the cell that does a re-run, as `read_rerun` reads it."""
    words = ["%rlm", "rerun", node_id]
    words += [] if edit.kind == "model" else [f"--{edit.kind}"]
    words += ["--model", shlex.quote(edit.model)] if edit.model else []
    words += ["--anyway"] if edit.anyway else []
    return " ".join(words) + (f"\n{edit.text}" if edit.text else "")


def _parts(code: str) -> tuple[list[str], str]:
    found = RERUN.fullmatch(code)
    if found is None:
        raise ValueError("no %rlm rerun")
    try:
        return shlex.split(found.group(1)), found.group(2) or ""
    except ValueError as error:
        raise InputError(f"{found.group(1).strip()!r} cannot be read: {error}.", "Close the quotation mark.") from error


def _value(word: str, rest: list[str]) -> str:
    if not rest or rest[0].startswith("--"):
        raise InputError(f"{word} needs a value.", USAGE)
    return rest.pop(0)


def _file(word: str, rest: list[str]) -> str:
    name = _value(word, rest)
    try:
        return Path(name).expanduser().read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"{name} cannot be read: {why_unreadable(error)}.", "Write the text in the lines below."
        ) from error
