"""Formats that `kreuzberg` reads, which the extra ``docs`` installs: old office files, RTF and others.

It runs in a process of its own: its threads would not survive the fork of a checkpoint, and a call of it cannot be
interrupted.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from rlm_kernel.contexts.document import Document
from rlm_kernel.contexts.loaders.markup import html_to_text

if TYPE_CHECKING:
    from rlm_kernel.contexts.loaders.source import Source

_PROGRAM = Path(__file__).with_name("kreuzberg_program.py")
_POLL = 0.2


def load(source: Source) -> Document:
    """Read a file with kreuzberg; its headings are sections.

    Raises:
        ContextError: The extra is not installed, or kreuzberg cannot read the file.
    """
    if find_spec("kreuzberg") is None:
        raise source.error(
            f"needs the extra for office formats: {source.suffix} files are read by kreuzberg.",
            'pip install "rlm-kernel[docs]", or save it as PDF, DOCX or plain text and load that.',
        )
    with tempfile.NamedTemporaryFile(prefix="rlm-", suffix=source.suffix) as file:
        file.write(source.content)
        file.flush()
        answer = _run(source, file.name)
    if "error" in answer:
        raise source.error(
            f"cannot be read: {' '.join(str(answer['error']).split())}.", "Save it as PDF and load that."
        )
    text, sections = html_to_text(str(answer["html"]), source)
    if not text.strip():
        raise source.error("has no text in it.", "If it is made of pictures, save it as PDF and run ocrmypdf.")
    return Document(text, source.path, source.kind, sections=sections)


def _run(source: Source, path: str) -> dict[str, object]:
    # -P: the folder of the program has modules with names of the standard library.
    command = [sys.executable, "-P", str(_PROGRAM), path]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        try:
            while True:
                try:
                    out, err = process.communicate(timeout=_POLL)
                    break
                except subprocess.TimeoutExpired:
                    source.progress.at(f"{source.name}: kreuzberg is reading it")
        except BaseException:
            process.kill()
            raise
    if process.returncode:
        last = err.decode("utf-8", "replace").strip().rpartition("\n")[2]
        return {"error": last or f"kreuzberg ended with code {process.returncode}"}
    answer: dict[str, object] = json.loads(out)
    return answer
