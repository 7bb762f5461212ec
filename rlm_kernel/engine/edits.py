"""What a person may change in a run, to see what comes of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypedDict, get_args

from rlm_kernel.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rlm_kernel.trace.records import Node

EditKind = Literal["again", "prompt", "reply", "code", "model", "hint", "continue"]

FITS: dict[str, tuple[EditKind, ...]] = {
    "question": ("prompt", "again", "model", "hint"),
    "child run": ("prompt", "reply", "again", "model", "hint"),
    "turn": ("code", "reply", "again", "model", "hint", "continue"),
    "call": ("prompt", "reply", "again", "model"),
}
"""What can be changed in which part of the tree."""
WORDS: dict[EditKind, str] = {
    "again": "asked again",
    "prompt": "another prompt",
    "reply": "another reply",
    "code": "another cell",
    "model": "another model",
    "hint": "a hint",
    "continue": "the cell as you ran it",
}


class EditDict(TypedDict, total=False):
    """An `Edit` as JSON: in the panel, in the page, on the command line and in the trace."""

    kind: EditKind
    text: str
    model: str | None
    anyway: bool


@dataclass(frozen=True, slots=True)
class Edit:
    """One change of one node."""

    kind: EditKind
    """
    ``again``: ask the model once more. ``prompt``: ask something else (of a run: its question). ``reply``: what a
    person writes takes the place of the model's reply. ``code``: another cell. ``model``: ask another model. ``hint``:
    tell the model something before it writes this turn. ``continue``: the person has run the edited cell already.
    """
    text: str = ""
    """The prompt, reply, code or hint; with ``continue`` it is not needed."""
    model: str | None = None
    """The model's name, with ``model``; also with ``prompt``, ``again`` and ``hint``, to ask another one."""
    anyway: bool = False
    """Go on where Python's state could not be restored exactly."""

    @classmethod
    def from_dict(cls, told: Mapping[str, object]) -> Edit:
        """Read what came from a page or a file.

        Raises:
            InputError: It is not an edit; the message says what is wrong.
        """
        kind, text, model, anyway = (told.get(name) for name in ("kind", "text", "model", "anyway"))
        if kind not in get_args(EditKind):
            raise InputError(f"An edit cannot be {kind!r}.", f"Give one of {', '.join(get_args(EditKind))}.")
        if not isinstance(text, str | None) or not isinstance(model, str | None) or not isinstance(anyway, bool | None):
            raise InputError("An edit has a text, a model's name and a yes or no.")
        return cls(kind, text or "", model.strip() or None if model else None, bool(anyway))  # type: ignore[arg-type]

    def to_dict(self) -> EditDict:
        """Give it as JSON can say it; only what is set."""
        told = EditDict(kind=self.kind)
        if self.text:
            told["text"] = self.text
        if self.model:
            told["model"] = self.model
        if self.anyway:
            told["anyway"] = True
        return told

    def check(self, node: Node) -> None:
        """Make sure that the node can be changed in this way.

        Raises:
            InputError: It cannot, or what it needs is missing.
        """
        what = what_is(node)
        if self.kind not in FITS[what]:
            can = ", ".join(FITS[what])
            raise InputError(f"{WORDS[self.kind].capitalize()} does not fit a {what}.", f"What can be done: {can}.")
        if self.kind in ("prompt", "code", "hint") and not self.text.strip():
            raise InputError(f"There is no text for {WORDS[self.kind]}.", "Write it.")
        if self.kind == "model" and not self.model:
            raise InputError("No model is named.", "Name the model that is to be asked.")


def what_is(node: Node) -> str:
    """Name the part of the tree that a node is, as in `FITS`."""
    if node.kind == "run":
        return "question" if node.parent_id is None else "child run"
    return node.kind


def said(edit: Edit, at: str) -> str:
    """Say in a few words what was changed where: ``turn 3, call 12: another prompt``."""
    words = {"t": "turn", "c": "call", "r": "child run"}
    places = [f"{words.get(part[0], part[0])} {part[1:]}" for part in at.split("/")[1:]]
    if not places and edit.kind == "prompt":
        return "another question"
    what = f"{WORDS[edit.kind]} {edit.model}" if edit.kind == "model" and edit.model else WORDS[edit.kind]
    return f"{', '.join(places) or 'from the start'}: {what}"
