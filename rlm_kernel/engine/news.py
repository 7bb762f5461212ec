"""What a person has done and said while a run lasts, as its model is told."""

from __future__ import annotations

import ast
from contextlib import suppress
from typing import TYPE_CHECKING

from rlm_kernel.engine.conversation import person_note
from rlm_kernel.engine.opening import Opening
from rlm_kernel.engine.prompting import describe_context, describe_names, prompt, tagged
from rlm_kernel.errors import NamespaceDied

if TYPE_CHECKING:
    from rlm_kernel.engine.control import Control
    from rlm_kernel.engine.conversation import Conversation
    from rlm_kernel.engine.executor import Executor, NamespaceInfo
    from rlm_kernel.ids import RunId

LAST_CELLS = 10
"""Of a person, between the end of a run and its going on, that are told."""


class News:
    """Collects the person's cells and words for the model of one run, and says what they changed.

    Args:
        control: Has what was said.
        run_id: To which run.
        executor: Tells what the cells left in the namespace.
        conversation: Knows which context the model was told of.
        before: That of the run which this one goes on with.
    """

    def __init__(
        self,
        control: Control,
        run_id: RunId,
        executor: Executor,
        conversation: Conversation,
        before: News | None = None,
    ) -> None:
        self._control = control
        self._run_id = run_id
        self._executor = executor
        self._conversation = conversation
        self._cells: list[tuple[str, str]] = before._cells[-LAST_CELLS:] if before is not None else []
        for text in control.heard(before._run_id) if before is not None else ():
            control.steer(run_id, text)

    def cell(self, code: str, shown: str) -> None:
        """A person's cell ran, and showed this."""
        self._cells.append((code, shown))

    @property
    def said(self) -> bool:
        """Whether the person has said something that the model was not told."""
        return bool(self._control.steers(self._run_id))

    @property
    def any(self) -> bool:
        """Whether there is anything to tell."""
        return bool(self._cells) or self.said

    async def take(self) -> list[str]:
        """Give what the model is to be told now, as notes."""
        cells, self._cells = self._cells, []
        notes = [person_note(code, shown) for code, shown in cells]
        if cells and (changed := await self._changed([code for code, _ in cells])):
            notes.append(changed)
        said = self._control.heard(self._run_id)
        return notes + [prompt("steer", said=tagged("person", text)) for text in said]

    async def _changed(self, codes: list[str]) -> str:
        """Say what the cells made of the context and of other names; empty where nothing is to be said."""
        info: NamespaceInfo = {"context": None, "names": []}
        with suppress(NamespaceDied):
            info = await self._executor.describe()
        now = Opening.now(info, ())
        bound = {name for code in codes for name in names_bound(code)}
        named = [each for each in info["names"] if each["name"] in bound and each["name"] != "context"]
        parts = [f"They left there: {describe_names(named)}."] if named else []
        if now is not None and now.context != self._conversation.context:
            self._conversation.context = now.context
            parts.append(f"The context is another one now. {describe_context(now.context)}")
        return "\n".join(parts)


def names_bound(code: str) -> set[str]:
    """Give the names that a cell binds at its top or within; none where it is not plain Python."""
    try:
        tree = ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return set()
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
    return names
