"""The engine's own words to the models: the Markdown files in ``prompts/``."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from string import Template
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rlm_kernel.engine.executor import ContextInfo, NameInfo


@cache
def _template(name: str) -> Template:
    return Template(files("rlm_kernel.engine").joinpath("prompts", f"{name}.md").read_text(encoding="utf-8").strip())


def prompt(name: str, **values: str) -> str:
    """Give a prompt by the name of its file, with ``$name`` filled in.

    Values are put in as they are: braces, dollars and Markdown in them do no harm.
    """
    return _template(name).substitute(values)


def tagged(tag: str, text: str) -> str:
    """Put a text between tags; the text cannot close them itself."""
    safe = text.replace("</" + tag, "<\\/" + tag)
    return f"<{tag}>\n{safe}\n</{tag}>"


def describe_context(info: ContextInfo) -> str:
    """Say what the variable ``context`` holds, without the text itself."""
    lines = f" in {info['lines']:,} lines" if info["lines"] else ""
    source = f", from {info['source']}" if info["source"] else ""
    parts = [f"`context`: {info['type']}, {info['chars']:,} characters{lines}{source}."]
    if info["structure"]:
        parts.append(info["structure"].strip("\n"))
    if info["head"]:
        parts.append("It begins:\n" + tagged("head", info["head"]))
    if info["tail"]:
        parts.append("It ends:\n" + tagged("tail", info["tail"]))
    return "\n".join(parts)


def describe_names(names: list[NameInfo], most: int = 40) -> str:
    """List the names that the person or earlier questions made."""
    listed = [f"`{each['name']}` ({', '.join(filter(None, [each['type'], each['size']]))})" for each in names[:most]]
    if len(names) > most:
        listed.append(f"and {len(names) - most} more (see SHOW_VARS())")
    return ", ".join(listed)
