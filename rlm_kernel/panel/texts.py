"""The long texts of a node, as a view shows them, and what is found in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from rlm_kernel.engine.evidence import CITATIONS, COVERAGE, citations_of
from rlm_kernel.engine.opening import CHILD_OPENING, Opening
from rlm_kernel.panel.feed import SHOWN_CHARS, TEXT_PARTS, text_of
from rlm_kernel.panel.messages import ChatMessage, CitedDict, DetailTexts, WhereDict

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rlm_kernel.trace.records import Node
    from rlm_kernel.trace.tree import Tree

MOST_FOUND = 2000
"""Nodes that one search names."""
KEPT_BACK = frozenset({"opening", "settings", "base", CHILD_OPENING, CITATIONS, COVERAGE})
"""Of the details of a run: what it takes to ask again, and what a person is shown otherwise."""
CITED_CHARS = 300


def detail_of(tree: Tree, node: Node) -> DetailTexts:
    """Give everything a view shows of one node, long texts cut."""
    texts = node.texts()
    sizes = {part: len(text_of(node, part)) for part in TEXT_PARTS if len(text_of(node, part)) > SHOWN_CHARS}
    for part in sizes:
        texts[part] = text_of(node, part)[:SHOWN_CHARS]
    return cast(
        "DetailTexts",
        {
            **texts,
            "messages": [cut(each) for each in messages_of(tree, node)],
            "where": where_of(tree, node),
            "details": {key: value for key, value in node.details.items() if key not in KEPT_BACK},
            "citations": cited(node),
            "sizes": sizes,
        },
    )


def cited(run: Node) -> list[CitedDict]:
    """Give what a run's answer cites, as a list shows it."""
    return [
        CitedDict(
            kind=each["kind"],
            text=each["text"][:CITED_CHARS],
            status=each["status"],
            where=each["where"],
            difference=each["difference"],
        )
        for each in citations_of(run)
    ]


def cut(message: ChatMessage) -> ChatMessage:
    """Leave out the middle of a long message."""
    text, half = message["content"], SHOWN_CHARS // 2
    if len(text) <= SHOWN_CHARS:
        return message
    left_out = f"\n… {len(text) - 2 * half:,} characters left out …\n"
    return ChatMessage(role=message["role"], content=text[:half] + left_out + text[-half:])


def messages_of(tree: Tree, node: Node) -> list[ChatMessage]:
    """Tell what a model was sent for a turn or a call, as far as the tree knows it; a run is sent nothing itself."""
    if node.kind == "call":
        return [ChatMessage(role="user", content=node.prompt)]
    if node.kind != "turn" or node.parent_id is None:
        return []
    run = tree[node.parent_id]
    said = _opening(run)
    for turn in tree.children(run.id):
        if turn.id == node.id:
            break
        if turn.kind == "turn":
            told = [f"<output>\n{turn.output}\n</output>"] if turn.code else []
            said.append(ChatMessage(role="assistant", content=turn.reply))
            said.append(ChatMessage(role="user", content="\n\n".join([*told, *_notes(turn.details)])))
    return said


def _opening(run: Node) -> list[ChatMessage]:
    kept = run.details.get("opening", run.details.get(CHILD_OPENING))
    opening = Opening.from_dict(kept)
    if opening is None:
        return [ChatMessage(role="user", content=run.prompt)]
    depth = kept["depth"] if isinstance(kept, dict) and "depth" in kept else _depth(run.details)
    return [
        ChatMessage(role=each.role, content=each.content) for each in opening.conversation(run.prompt, depth).messages
    ]


def _depth(details: Mapping[str, object]) -> int:
    settings = details.get("settings")
    limits = settings.get("limits") if isinstance(settings, dict) else None
    depth = limits.get("depth") if isinstance(limits, dict) else None
    return depth if isinstance(depth, int) else 1


def _notes(details: Mapping[str, object]) -> list[str]:
    told = details.get("told")
    return [str(each) for each in told] if isinstance(told, list | tuple) else []


def where_of(tree: Tree, node: Node) -> WhereDict | None:
    """Tell which line of which cell made a call or a child run; ``None`` where that is not known."""
    line, index = node.details.get("line"), node.details.get("index")
    if not isinstance(line, int) or node.parent_id is None:
        return None
    siblings = tree.children(node.parent_id)
    return WhereDict(
        cell_id=tree[node.parent_id].cell_id,
        line=line,
        index=index if isinstance(index, int) else 1,
        count=sum(each.details.get("line") == line for each in siblings),
    )


def find(tree: Tree, text: str) -> Iterator[str]:
    """Name the nodes whose texts contain something, upper and lower case alike."""
    wanted, left = text.casefold(), MOST_FOUND
    for node in tree:
        if left and any(wanted in text_of(node, part).casefold() for part in TEXT_PARTS):
            left -= 1
            yield node.id
