"""A node as a document: Markdown to read, JSON to work with."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rlm_kernel.panel.messages import Form
    from rlm_kernel.trace.records import Node
    from rlm_kernel.trace.tree import Tree

_TITLES = {"run": "Question", "turn": "Turn", "call": "Call"}


def write(tree: Tree, node: Node, form: Form, *, below: bool) -> str:
    """Write a node down.

    Args:
        tree: Where it stands.
        node: What is written.
        form: How.
        below: With everything below it.
    """
    if form == "json":
        return json.dumps(_as_json(tree, node, below=below), indent=2, ensure_ascii=False)
    return "\n".join(_as_markdown(tree, node, 1, below=below)) + "\n"


def _as_json(tree: Tree, node: Node, *, below: bool) -> dict[str, object]:
    texts = {key: value for key, value in node.texts().items() if value not in ("", None, [])}
    told: dict[str, object] = {**tree.summary(node.id), **texts}
    if below:
        told["children"] = [_as_json(tree, each, below=True) for each in tree.children(node.id)]
    return told


def _as_markdown(tree: Tree, node: Node, level: int, *, below: bool) -> Iterator[str]:
    title = "Child run" if node.kind == "run" and node.parent_id is not None else _TITLES[node.kind]
    yield f"{'#' * min(level, 6)} {title}: {_escape(node.label)}"
    yield ""
    facts = [node.outcome or node.status, _escape(node.model or ""), "cached" if node.cached else ""]
    yield " · ".join([each for each in facts if each] + [tree.spent(node.id)])
    yield ""
    prompt, reply = ("Question", "Answer") if node.kind == "run" else ("Prompt", "Reply")
    for name, text, kind in (
        (prompt, node.prompt, ""),
        (reply, node.reply, ""),
        ("Code", node.code, "python"),
        ("Output", node.output, ""),
        ("Error", f"{node.error or ''} {node.remedy}".strip(), ""),
    ):
        if text:
            yield from (f"**{name}**", "", *_fenced(text, kind), "")
    if below:
        for each in tree.children(node.id):
            yield from _as_markdown(tree, each, level + 1, below=True)


def _fenced(text: str, kind: str) -> tuple[str, str, str]:
    longest = max((len(each) for each in re.findall(r"`{3,}", text)), default=2)
    fence = "`" * (longest + 1)
    return f"{fence}{kind}", text.rstrip("\n"), fence


def _escape(text: str) -> str:
    """Keep a title from becoming a link, a picture or markup."""
    return re.sub(r"([\\`*_\[\]<>#!|])", r"\\\1", text)
