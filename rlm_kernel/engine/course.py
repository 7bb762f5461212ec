"""How a run begins that is a branch of another one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import takewhile
from typing import TYPE_CHECKING

from rlm_kernel.engine.parse import with_cell
from rlm_kernel.engine.prompting import prompt, tagged
from rlm_kernel.engine.reuse import Reuse, asked_model, sample_of
from rlm_kernel.engine.turns import code_label

if TYPE_CHECKING:
    from rlm_kernel.engine.conversation import Conversation
    from rlm_kernel.engine.edits import Edit
    from rlm_kernel.engine.occurrences import Occurrences
    from rlm_kernel.engine.reuse import Change
    from rlm_kernel.ids import NodeId
    from rlm_kernel.trace.records import Node
    from rlm_kernel.trace.tree import Tree

TOLD = "told"
"""In the details of a turn: what its model was told besides what the cell showed; missing where it was told nothing."""


@dataclass(frozen=True, slots=True)
class Start:
    """How the first turn of a branch is different from any other."""

    model: str
    reply: str | None = None
    """The model's reply, where it is not asked."""
    again: bool = False
    """Whether the model is asked although there is a reply."""
    hint: str = ""
    """What it is told before."""
    reuse: Reuse | None = None
    """What the calls of its cell are answered with."""
    original: Node | None = None
    """The turn it repeats."""
    passes: bool = False
    """Whether the cell needs no approval: the person wrote it, or approved it before."""
    details: Mapping[str, object] = field(default_factory=dict)

    def count(self, conversation: Conversation, numbers: Occurrences) -> None:
        """Count the request that is not made."""
        if self.original is not None:
            numbers.claim(conversation.request(asked_model(self.original)), sample_of(self.original))

    @property
    def edited(self) -> bool:
        """Whether the cell is another one than that of the original."""
        return "edited" in self.details

    def approved(self, node: Node, code: str) -> tuple[str, list[str]] | None:
        """Give the cell as it runs, and what the model is told of that; ``None``: that is still to be decided."""
        if not self.passes:
            return None
        gate = self.original.details.get("gate") if self.original is not None else None
        if self.original is None or not isinstance(gate, Mapping) or "written" not in gate or self.edited:
            return code, []
        ran = self.original.code
        node.code, node.label = ran, code_label(ran)
        node.details = {**node.details, "gate": gate}
        return ran, [changed_note(ran)]


@dataclass(frozen=True, slots=True)
class Course:
    """How a run begins that is a branch, or a child run on the way to the change: like the run it came of."""

    tree: Tree
    change: Change
    run: Node
    """The run it came of."""
    turns: tuple[Node, ...]
    """Of that run, and of those it went on with: all before the change. They are taken over."""
    turn: Node | None
    """The turn with the change; ``None``: the run had none."""
    runs_again: bool = False
    """Whether the cells of the turns that are taken over run again: those of a child run, whose namespace is gone."""
    goes_on: bool = False
    """Whether the namespace is in the middle of the run already."""
    person_cells: tuple[tuple[str, str], ...] = ()
    """Cells of the person that the model is still to be told of, with what they showed."""

    @property
    def here(self) -> Edit | None:
        """The edit, where it is of the turn itself (or of the run); ``None``: it is of something below the turn."""
        here = {self.run.id} if self.turn is None else {self.run.id, self.turn.id}
        return self.change.edit if self.change.at in here else None

    def start(self, model: str) -> Start:
        """Say how the turn with the change begins.

        Args:
            model: The root model.
        """
        edit, turn = self.here, self.turn
        if turn is None:
            return Start(model) if edit is None else _asked(model, edit, edit.text if edit.kind == "hint" else "")
        hinted = turn.details.get("hint")
        hint = hinted if isinstance(hinted, str) else ""
        model = (edit.model if edit is not None else None) or asked_model(turn) or model
        if edit is not None and edit.kind not in ("reply", "code"):
            return _asked(model, edit, edit.text if edit.kind == "hint" else hint)
        reply, how = turn.reply, "reply_of"
        if edit is not None:
            reply, how = edit.text if edit.kind == "reply" else with_cell(turn.reply, edit.text), "edited"
        return Start(
            model,
            reply,
            hint=hint,
            reuse=Reuse(self.tree, turn, None if edit is not None else self.change),
            original=turn,
            passes=True,
            details={how: edit.kind if edit is not None else turn.id, **({"hint": hint} if hint else {})},
        )


def _asked(model: str, edit: Edit, hint: str) -> Start:
    """Begin with a turn whose model is asked."""
    details = {"edited": edit.kind, **({"hint": hint} if hint else {})}
    return Start(model, again=edit.kind == "again", hint=hint, details=details)


def course_below(tree: Tree, change: Change, run: Node) -> Course:
    """Find the course of a child run that is on the way to a change, or is changed itself."""
    return Course(tree, change, run, *split(turns_of(tree, run), change), runs_again=True)


def turns_of(tree: Tree, run: Node) -> list[Node]:
    """Give all turns of a run in order, with those of the runs it went on with."""
    turns = [node for node in tree.children(run.id) if node.kind == "turn"]
    for before in runs_of(tree, run)[-2::-1]:
        earlier = [node for node in tree.children(before.id) if node.kind == "turn"]
        while earlier and TOLD not in earlier[-1].details:
            earlier.pop()  # it was repeated when the run went on
        turns = [*earlier, *turns]
    return turns


def runs_of(tree: Tree, run: Node) -> list[Node]:
    """Give the runs that went on with each other up to this one, the first one first."""
    runs = [run]
    while (before := _id(runs[0].details.get("continues"))) is not None and before in tree:
        runs.insert(0, tree[before])
    return runs


def _id(value: object) -> NodeId | None:
    return value if isinstance(value, str) else None  # type: ignore[return-value]


def split(turns: list[Node], change: Change) -> tuple[tuple[Node, ...], Node | None]:
    """Part the turns before the change from the one with it."""
    before = tuple(takewhile(lambda turn: turn.id not in change.path, turns))
    if len(before) < len(turns):
        return before, turns[len(before)]
    return (), turns[0] if turns else None


def changed_note(code: str) -> str:
    """Tell a model that the person changed its cell before it ran."""
    return prompt("changed_cell", code=tagged("person_cell", code))


def hint_note(text: str) -> str:
    """Tell a model what the person wants to say before it goes on."""
    return prompt("steer", said=tagged("person", text))
