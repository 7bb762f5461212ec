"""What the turns and calls of one run share."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from rlm_kernel.engine.occurrences import Occurrences

if TYPE_CHECKING:
    from rlm_kernel.engine.budget import Ledger, Reservation
    from rlm_kernel.engine.children import Nest
    from rlm_kernel.engine.control import Control
    from rlm_kernel.engine.estimates import Rates
    from rlm_kernel.engine.gate import Gate
    from rlm_kernel.engine.observer import Observer
    from rlm_kernel.messages import ModelRequest
    from rlm_kernel.models.memo import MemoStore
    from rlm_kernel.models.registry import Registry
    from rlm_kernel.models.slots import Slots
    from rlm_kernel.trace.records import Node
    from rlm_kernel.trace.tree import Tree
    from rlm_kernel.usage import Usage


@dataclass(slots=True)
class Scope:
    """What the requests of one run share.

    A child run has a scope of its own with the same tree, observers, models, control, gate, rates, memo and slots, but
    its own ledger (below its parent's) and its own numbers.
    """

    tree: Tree
    observers: Observer
    models: Registry
    control: Control
    gate: Gate
    ledger: Ledger
    rates: Rates
    memo: MemoStore
    slots: Slots
    """Requests at the same time, of the question with all its children."""
    fresh: bool = False
    """Whether the memo is not read."""
    numbers: Occurrences = field(default_factory=Occurrences)
    nest: Nest | None = None
    """What the child runs of the question share; ``None`` where there can be none."""
    depth: int = 0
    """0 for the run of a question, 1 for its children."""

    def below(self, ledger: Ledger, numbers: Occurrences) -> Scope:
        """Make the scope of a child run."""
        return replace(self, ledger=ledger, numbers=numbers, depth=self.depth + 1)

    def doing(self, what: str) -> None:
        """Say what the question waits for; what its children wait for stands in the tree."""
        if not self.depth:
            self.control.doing(what)

    def add(self, node: Node) -> None:
        """Put a node into the tree and tell of it."""
        self.tree.add(node)
        self.observers.node_added(self.tree, node)

    def changed(self, node: Node) -> None:
        """Tell that a node is different."""
        self.observers.node_changed(self.tree, node)

    def spend(self, node: Node, request: ModelRequest, usage: Usage, reservation: Reservation) -> None:
        """Write down the true usage of a request: in its node, in the ledger, in what is known of prices.

        Where its cost is unknown although the model has a price, the ledger counts the most it can have been.
        """
        self.rates.learn(request, usage)
        self.tree.spend(node.id, usage)
        at_most = self.rates.cost(request.model, usage.input_tokens, usage.output_tokens)
        reservation.settle(usage, at_most)
