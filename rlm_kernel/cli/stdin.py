"""Standard input as a document: ``-`` among the paths of ``rlm-kernel ask``."""

from __future__ import annotations

import hashlib
import shutil
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rlm_kernel.contexts.load import MAX_BYTES
from rlm_kernel.contexts.walk import expanded
from rlm_kernel.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NAME = "stdin"


@contextmanager
def standard_input(paths: list[str], notebook: Path | None) -> Iterator[list[Path]]:
    """Give the paths with a file in the place of ``-``; it is deleted afterwards, unless a notebook loads it.

    The file lies under the hash of what is in it: the same question to the same input is then the same question, and
    its replies are found again.

    Args:
        paths: As they were given.
        notebook: The notebook that is going to be written; the input is kept beside it.

    Raises:
        InputError: ``-`` is there twice, or there is no input.
    """
    if "-" not in paths:
        yield [expanded(path) for path in paths]
        return
    if paths.count("-") > 1:
        raise InputError("Standard input can be read once: - is there twice.", "Leave one out.")
    content = _read()
    if notebook is not None:
        file = notebook.absolute().with_name(f"{notebook.stem}-{NAME}")
        file.write_bytes(content)
        folder = None
    else:
        folder = _folder() / hashlib.sha256(content).hexdigest()[:16]
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = folder / NAME
        file.write_bytes(content)
    try:
        yield [file if path == "-" else expanded(path) for path in paths]
    finally:
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)


def _folder() -> Path:
    from platformdirs import user_cache_path

    return user_cache_path("rlm-kernel", appauthor=False) / NAME


def _read() -> bytes:
    if sys.stdin is None or sys.stdin.isatty():
        raise InputError(
            "There is nothing on standard input.", "Send something into it: … | rlm-kernel ask QUESTION - ."
        )
    content = sys.stdin.buffer.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise InputError(
            f"There is more than {MAX_BYTES // 1024 // 1024} MB on standard input.", "Save it as a file and ask that."
        )
    if not content.strip():
        raise InputError("Standard input is empty.", "Does the command before the | print what you mean?")
    return content
