"""The documentation has a heading for each command, limit and setting, and no option is left out."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

from rlm_kernel.cli.main import make_parser
from rlm_kernel.engine.settings import OPTIONS
from rlm_kernel.usage import Limits

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = (
    "glossary", "limits", "security", "cli", "resume", "design", "children", "documents", "steering",
)  # fmt: skip
LIMITS_AS = {"cost_usd": "--max-cost"}


def commands():
    for action in make_parser()._actions:
        if isinstance(getattr(action, "choices", None), dict):
            yield from action.choices.items()


def test_every_option_and_limit_has_a_heading():
    text = (DOCS / "limits.md").read_text("utf-8")
    headings = re.findall(r"^## `?(--[a-z-]+|[A-Za-z_]+)", text, re.MULTILINE)
    assert {option.flag for option in OPTIONS} <= set(headings)
    flags = {option.name: option.flag for option in OPTIONS}
    for limit in fields(Limits):
        assert flags.get(limit.name, LIMITS_AS.get(limit.name)) in headings


def test_every_environment_variable_has_a_heading():
    text = (DOCS / "limits.md").read_text("utf-8")
    sources = "\n".join(path.read_text("utf-8") for path in (ROOT / "rlm_kernel").rglob("*.py"))
    read = set(re.findall(r"environ(?:\.get\(|\[)\s*[\"']((?:RLM|OPENAI)_[A-Z_]+)", sources))
    assert len(read) >= 4
    assert {name for name in read if f"\n## `{name}`\n" not in text} == set()


@pytest.mark.parametrize("name", [name for name, _ in commands()])
def test_every_command_has_a_heading_and_all_its_options(name):
    text = (DOCS / "cli.md").read_text("utf-8")
    assert f"## `rlm-kernel {name}" in text
    assert f"`rlm-kernel {name}" in (ROOT / "README.md").read_text("utf-8")
    parser = dict(commands())[name]
    flags = {flag for action in parser._actions for flag in action.option_strings if flag.startswith("--")}
    assert {flag for flag in flags - {"--help"} if f"`{flag}" not in text} == set()


def test_links_between_the_pages_lead_somewhere():
    for page in (
        ROOT / "README.md",
        *[DOCS / f"{name}.md" for name in PAGES],
    ):
        for link in re.findall(r"\]\(([^)#]+)\)", page.read_text("utf-8")):
            if link.endswith(".md") and "://" not in link:
                assert (page.parent / link).is_file(), f"{page.name} links to {link}"
