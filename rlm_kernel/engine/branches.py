"""The runs that came of one question: listing, naming, deleting and comparing them."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict, cast

from rlm_kernel.engine.edits import Edit, said
from rlm_kernel.errors import InputError
from rlm_kernel.ids import NodeId, RunId
from rlm_kernel.trace.compare import CompareDict, compare
from rlm_kernel.trace.records import one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from rlm_kernel.engine.edits import EditDict
    from rlm_kernel.engine.history import Entry
    from rlm_kernel.engine.observer import Observers
    from rlm_kernel.trace.records import BranchMark, Node
    from rlm_kernel.trace.tree import Tree

NAME_CHARS = 80


class BranchDict(TypedDict):
    """One run of a family: the run that was asked first, or one that came of a change."""

    id: str
    of: str | None
    """The run it came of; ``None`` for the trunk."""
    at: str | None
    """The node that was changed."""
    edit: EditDict | None
    name: str
    """Given by the person; else what was changed, in a few words."""
    named: bool
    """Whether the person gave the name."""
    label: str
    """First words of the question."""
    outcome: str | None
    answer: str
    """Its first words."""
    cost_usd: float | None
    """What this run itself spent; ``None``: not known."""
    turns: int
    kept: int
    """Of these, taken over from the run it came of."""
    started: float | None
    current: bool
    """Whether Python's state is this run's."""


class Branches:
    """The part of a session that knows which runs came of which.

    A run that came of a change has a ``branch`` in its details; a run that none came of and that came of none is a
    family of its own.
    """

    tree: Tree
    observers: Observers
    here: RunId | None = None
    """The run whose state the namespace is in; ``None``: of none."""

    def branches(self, root_id: str) -> list[BranchDict]:
        """List all runs of the family of a run, the one that was asked first before the others.

        Raises:
            InputError: There is no such run.
        """
        trunk = self._trunk(self._question(root_id))
        family = [run for run in self.tree.children(None) if "opening" in run.details and self._trunk(run) is trunk]
        return [self._describe(run) for run in family]

    def name_branch(self, run_id: str, name: str) -> None:
        """Give a run a name; an empty one takes it away.

        Raises:
            InputError: There is no such run.
        """
        run = self._question(run_id)
        name = one_line(name, NAME_CHARS)
        mark = branch_of(run)
        run.details = {**run.details, **({"branch": {**mark, "name": name}} if mark else {"name": name})}
        self.observers.node_changed(self.tree, run)

    def delete_branch(self, run_id: str) -> None:
        """Delete a branch, here and in the store.

        Raises:
            InputError: It is the run that was asked first, it lasts, others came of it, or Python's state is its.
        """
        run = self._question(run_id)
        if branch_of(run) is None:
            raise InputError("This run was asked first: the branches came of it.", "Only a branch can be deleted.")
        if run.outcome is None:
            raise InputError("This run is not over.", "Stop it first.")
        if run.run_id == self.here:
            raise InputError("Python's state is this branch's.", "Switch to another branch first.")
        of = [
            each for each in self.tree.children(None) if (mark := branch_of(each)) is not None and mark["of"] == run.id
        ]
        if of:
            raise InputError(f"A branch came of this one: {self._describe(of[0])['name']}.", "Delete that one first.")
        self.observers.removed(self.tree, run, self.tree.remove(run.id))

    def compare(self, a: str, b: str) -> CompareDict:
        """Set two runs side by side.

        Raises:
            InputError: One of them is not there.
        """
        return compare(self.tree, self._question(a).id, self._question(b).id)

    def adopt(self, stored: Tree) -> list[Node]:
        """Let runs of an earlier session be part of this one, to be looked at and re-run.

        Args:
            stored: One or more runs with all their nodes.

        Returns:
            The runs that were not here yet.
        """
        new = [run for run in stored.children(None) if run.id not in self.tree]
        for run in new:
            self.tree.take(stored, run.id)
            self.observers.adopted(self.tree, run)
        return new

    def adopt_family(self, run_id: RunId, tree_of: Callable[[RunId], Tree | None]) -> list[Node]:
        """Let a run of an earlier session be part of this one, with the runs that it came of or went on with.

        Args:
            run_id: The run.
            tree_of: Gives a stored run with all its nodes.

        Returns:
            The runs that were not here yet.
        """
        new: list[Node] = []
        wanted: str | None = run_id
        while wanted is not None and wanted not in self.tree:
            stored = tree_of(RunId(wanted))
            if stored is None:
                break
            new += self.adopt(stored)
            run = self.tree[NodeId(wanted)]
            mark, before = branch_of(run), run.details.get("continues")
            wanted = mark["of"] if mark else before if isinstance(before, str) else None
        return new

    def cell_edited(self, node_id: str, entry: Entry) -> list[NodeId]:
        """Note that a person has changed and run a model's cell: what came after it in its run is stale.

        Args:
            node_id: The turn.
            entry: The cell, as it was run.

        Returns:
            The turns that came after it; none where nothing was changed.
        """
        if node_id not in self.tree:
            return []
        turn = self.tree[NodeId(node_id)]
        if turn.kind != "turn" or turn.parent_id is None or entry.code.strip() == turn.code.strip():
            return []
        turns = [each for each in self.tree.children(turn.parent_id) if each.kind == "turn"]
        stale = turns[turns.index(turn) + 1 :]
        for each in stale:
            if not each.stale:
                each.stale = True
                self.observers.node_changed(self.tree, each)
        return [each.id for each in stale]

    def _question(self, run_id: str) -> Node:
        """Give a question by its id, or the question that a node belongs to."""
        if run_id not in self.tree:
            raise InputError(f"There is no {run_id} here.", "Look at rlm-kernel trace list.")
        node = self.tree[NodeId(run_id)]
        root = node if node.parent_id is None else list(self.tree.ancestors(node.id))[-1]
        if "opening" not in root.details:
            raise InputError("This was asked by a cell of yours, not by a question.", "Run that cell again.")
        return root

    def _trunk(self, run: Node) -> Node:
        while (mark := branch_of(run)) is not None and mark["of"] in self.tree:
            run = self.tree[NodeId(mark["of"])]
        return run

    def _describe(self, run: Node) -> BranchDict:
        mark = branch_of(run)
        edit = Edit.from_dict(mark["edit"]) if mark else None
        own = mark["name"] if mark else run.details.get("name")
        named = isinstance(own, str) and bool(own)
        turns = [node for node in self.tree.children(run.id) if node.kind == "turn"]
        return BranchDict(
            id=run.id,
            of=mark["of"] if mark else None,
            at=mark["at"] if mark else None,
            edit=edit.to_dict() if edit else None,
            name=str(own) if named else said(edit, mark["at"]) if edit and mark else "first run",
            named=named,
            label=run.label,
            outcome=run.outcome,
            answer=one_line(run.reply, 2 * NAME_CHARS),
            cost_usd=self.tree.total(run.id).cost_usd,
            turns=len(turns),
            kept=sum("kept" in turn.details for turn in turns),
            started=run.started,
            current=run.run_id == self.here,
        )


def said_of(details: Mapping[str, object]) -> str:
    """Give the name of a branch, else what was changed for it; empty where a run came of none.

    Args:
        details: Of the run.
    """
    mark = details.get("branch")
    if not isinstance(mark, dict):
        return ""
    return str(mark.get("name") or said(Edit.from_dict(mark.get("edit", {})), str(mark.get("at", ""))))


def branch_of(run: Node) -> BranchMark | None:
    """Give how a run came of another; ``None``: it came of none."""
    mark = run.details.get("branch")
    return cast("BranchMark", mark) if isinstance(mark, dict) else None
