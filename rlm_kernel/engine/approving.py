"""What comes of a decision: for a cell here, for the calls of a query in `fan_out`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rlm_kernel.engine.prompting import prompt, tagged
from rlm_kernel.engine.turns import code_label

if TYPE_CHECKING:
    from rlm_kernel.engine.gate import Decision
    from rlm_kernel.engine.scope import Scope
    from rlm_kernel.trace.records import Node


async def approved(scope: Scope, node: Node, code: str) -> tuple[str | None, list[str]]:
    """Have a cell approved where that is necessary.

    Args:
        scope: The run's.
        node: The turn; says afterwards what was decided.
        code: The cell as the model wrote it.

    Returns:
        The cell as it may run, ``None`` where it may not; and what the model is told of that.

    Raises:
        Stopped: The run was stopped, by a person or since nobody is here to be asked.
    """
    decision = await scope.gate.cell(node, code)
    if not decision.approved:
        node.status = "done"
        node.error = f"No cell was run: it was refused. {decision.reason}".strip()
        return None, [prompt("refused", reason=_reason(decision)).strip()]
    if not decision.source:
        return code, []
    node.code, node.label = decision.source, code_label(decision.source)
    scope.observers.turn_text(node, "code", 0, decision.source)
    scope.changed(node)
    return decision.source, [prompt("changed_cell", code=tagged("person_cell", decision.source))]


def _reason(decision: Decision) -> str:
    if decision.by != "person" or not decision.reason:
        return decision.reason
    return f"The person says:\n{tagged('person', decision.reason)}"
