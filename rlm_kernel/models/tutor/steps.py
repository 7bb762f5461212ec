"""The tutor's cells: Markdown files with one section a step, prose and one Python block, ``$name`` for what differs."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files
from string import Template


def step(name: str, /, **values: object) -> str:
    """Write a step as a reply: its prose and its cell, filled in.

    Args:
        name: File and section: ``"text/occurrences"``.
        values: What stands for ``$name``; Python values must come as source (`repr`).
    """
    file, section = name.split("/")
    return (
        Template(_sections(file)[section]).substitute({key: str(value) for key, value in values.items()}).strip() + "\n"
    )


@cache
def _sections(file: str) -> dict[str, str]:
    source = files("rlm_kernel.models.tutor").joinpath("steps", f"{file}.md").read_text(encoding="utf-8")
    parts = re.split(r"^## (\w+)\n", source, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))
