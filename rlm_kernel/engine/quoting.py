"""What a re-run will do and cost, said before it is done."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypedDict

from rlm_kernel.engine.course import split, turns_of
from rlm_kernel.engine.reuse import asked_model, source
from rlm_kernel.messages import Message, ModelRequest
from rlm_kernel.usage import Usage, count, money

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rlm_kernel.engine.edits import Edit, EditDict
    from rlm_kernel.engine.estimates import Rates
    from rlm_kernel.engine.rerun import Plan
    from rlm_kernel.engine.reuse import Change
    from rlm_kernel.models.registry import Registry
    from rlm_kernel.trace.records import Node
    from rlm_kernel.trace.tree import Tree

Restore = Literal["checkpoint", "replay", "present", "start"]


class QuoteDict(TypedDict):
    """What a re-run will do, said before it is done."""

    node_id: str
    edit: EditDict
    kept_turns: int
    """Turns before it, which are neither asked nor run."""
    restore: Restore
    """How Python gets back: a checkpoint, cells run again, not at all (``present``), or from nothing (``start``)."""
    replay_cells: int
    """Cells that run again only to restore the state; their model calls are answered from the trace."""
    cells_again: int
    """Cells that are certain to run."""
    calls_reused: int
    """Calls and child runs of the turn that runs again whose replies are taken over."""
    calls_new: int
    """Requests that are certain to be made."""
    cost_usd: float | None
    """What these will cost; ``None``: not known."""
    cost_known: bool
    later_turns: int
    """Turns after it in the original run: asked again where what the model was told has changed."""
    later_cost_usd: float | None
    text: str
    """For a person, one to four lines."""


@dataclass(slots=True)
class _Sum:
    """What is certain, added up over the run and the child runs on the way to the change."""

    cells: int = 0
    reused: int = 0
    new: int = 0
    cost: float | None = 0.0
    later: int = 0
    later_cost: float | None = 0.0

    def asks(self, cost: float | None) -> None:
        self.new += 1
        self.cost = None if cost is None or self.cost is None else self.cost + cost

    def comes_later(self, tree: Tree, turns: Iterable[Node]) -> None:
        for turn in turns:
            cost = tree.total(source(tree, turn).id).cost_usd
            self.later += 1
            self.later_cost = None if cost is None or self.later_cost is None else self.later_cost + cost


def quote(tree: Tree, rates: Rates, models: Registry, plan: Plan, how: Restore, cells: int) -> QuoteDict:
    """Say what a re-run will do.

    Args:
        tree: Has the run.
        rates: Know what a request may cost.
        models: Know which models cost nothing.
        plan: What it does.
        how: How Python gets back.
        cells: How many cells run again for that.
    """
    found = _Sum()
    quoting = _Quoting(tree, rates, models, plan.edit, found)
    if plan.course is None:
        quoting.anew(plan)
    else:
        quoting.run(plan.root, plan.course.change, child=False)
    return QuoteDict(
        node_id=plan.at,
        edit=plan.edit.to_dict(),
        kept_turns=len(plan.kept),
        restore=how,
        replay_cells=cells,
        cells_again=found.cells,
        calls_reused=found.reused,
        calls_new=found.new,
        cost_usd=found.cost,
        cost_known=found.cost is not None,
        later_turns=found.later,
        later_cost_usd=found.later_cost,
        text=_text(plan, found, how, cells),
    )


class _Quoting:
    """Adds up what is certain."""

    def __init__(self, tree: Tree, rates: Rates, models: Registry, edit: Edit, found: _Sum) -> None:
        self._tree, self._rates, self._models, self._edit, self._sum = tree, rates, models, edit, found

    def anew(self, plan: Plan) -> None:
        """A question that begins anew asks its first turn for certain."""
        turns = turns_of(self._tree, plan.root)
        self._sum.asks(self._turn_cost(turns[0]) if turns else None)
        self._sum.comes_later(self._tree, turns[1:])

    def run(self, run: Node, change: Change, *, child: bool) -> None:
        """Add what the run does that has the change in it.

        Args:
            run: The question, or a child run on the way.
            change: Where it is.
            child: Whether the cells before it run again.
        """
        turns = turns_of(self._tree, run)
        kept, turn = split(turns, change)
        self._sum.cells += len([each for each in kept if each.code]) if child else 0
        if self._edit.kind == "continue" and turn is not None:
            self._sum.asks(self._turn_cost(turn))
            self._sum.comes_later(self._tree, turns[len(kept) + 1 :])
            return
        self._sum.comes_later(self._tree, turns[len(kept) + 1 :])
        if turn is None or (change.at in (turn.id, run.id) and self._edit.kind in ("again", "model", "hint")):
            self._sum.asks(self._turn_cost(turn) if turn is not None else None)
            return
        self._sum.cells += 1
        for node in self._tree.children(source(self._tree, turn).id):
            self._below(node, change)

    def _below(self, node: Node, change: Change) -> None:
        """Add what becomes of a call or child run of the turn's cell."""
        if node.id == change.at:
            self._edited(node, change)
        elif node.id in change.path:
            self.run(node, change, child=True)
        elif node.status == "done":
            self._sum.reused += 1
        elif node.kind == "call":
            self._sum.asks(self._call_cost(node.prompt, asked_model(node)))

    def _edited(self, node: Node, change: Change) -> None:
        edit = self._edit
        if edit.kind == "reply":
            return
        if node.kind == "run" and edit.kind in ("again", "hint"):
            self.run(node, change, child=True)
        elif node.kind == "run":
            turns = turns_of(self._tree, node)
            self._sum.asks(self._turn_cost(turns[0]) if turns else None)
            self._sum.comes_later(self._tree, turns[1:])
        else:
            prompt = edit.text if edit.kind == "prompt" else node.prompt
            self._sum.asks(self._call_cost(prompt, edit.model or asked_model(node)))

    def _call_cost(self, prompt: str, model: str) -> float | None:
        if self._models.endpoint_of(model) is None:
            return 0.0
        request = ModelRequest(model, (Message("user", prompt),))
        return self._rates.cost(model, self._rates.sent(request), self._rates.usual_reply(model))

    def _turn_cost(self, turn: Node) -> float | None:
        model = self._edit.model or asked_model(turn)
        usage = source(self._tree, turn).usage
        if self._models.endpoint_of(model) is None:
            return 0.0
        if not self._edit.model and usage.cost_usd is not None and usage != Usage():
            return usage.cost_usd
        return self._rates.cost(model, usage.input_tokens, usage.output_tokens) if usage.input_tokens else None


def _text(plan: Plan, found: _Sum, how: Restore, cells: int) -> str:
    cost = "cost not known" if found.cost is None else f"about {money(found.cost)}" if found.cost else "free"
    lines = [f"{_first(plan)}{_calls(plan, found, cost)}."]
    if found.later:
        spent = money(found.later_cost) if found.later_cost else "nothing"
        before = "" if found.later_cost is None else f", which cost {spent} before"
        which = "the turn" if found.later == 1 else f"the {count(found.later, 'turn')}"
        lines.append(f"Then {which} after it{before}: asked only where what the model is told is different.")
    lines.append(_back(plan, how, cells))
    return "\n".join(lines)


def _back(plan: Plan, how: Restore, cells: int) -> str:
    ran = plan.turn.execution_count if plan.turn is not None else None
    where = f"before In [{ran}]" if ran is not None else "where it was then"
    if how == "replay":
        return f"Python goes back to {where} by running {count(cells, 'cell')} again; nothing is asked for that."
    said = {"checkpoint": f"Python goes back to {where} (checkpoint).", "start": "Python starts afresh."}
    return said.get(how, "Python stays as it is.")


def _first(plan: Plan) -> str:
    edit, number = plan.edit, len(plan.kept) + 1
    if plan.course is None:
        return "The question is asked anew"
    if edit.kind == "continue":
        return f"The run goes on after turn {number - 1}, whose cell you ran"
    here = plan.course.here
    if here is not None and edit.kind in ("again", "model", "hint"):
        return f"Turn {number} is asked again{f' of {edit.model}' if edit.model else ''}"
    return f"Turn {number} runs again" if here is None else f"Turn {number} runs as you wrote it"


def _calls(plan: Plan, found: _Sum, cost: str) -> str:
    here = plan.course.here if plan.course is not None else plan.edit
    if here is not None and here.kind not in ("reply", "code"):
        return f" ({cost})"
    asked = f"{found.new:,} {'is' if found.new == 1 else 'are'} asked ({cost})" if found.new else "nothing is asked"
    if not found.reused:
        return f": {asked}"
    of = count(found.reused + found.new, "call")
    return f": {found.reused:,} of its {of} {'is' if found.reused == 1 else 'are'} reused, {asked}"
