"""For tests of the panel: one that keeps what it sends, over a session whose cells run right here."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from rlm_kernel.engine.session import Session
from rlm_kernel.errors import InputError
from rlm_kernel.models.registry import Registry
from rlm_kernel.models.scripted import ScriptedModel
from rlm_kernel.panel.widget import Panel
from tests.unit.inline import InlineExecutor

LOOK = "I look first.\n```python\nprint(len(context))\n```"
BATCH = "I ask.\n```python\nreplies = llm_query_batched(['one', 'two', 'three'])\nprint(len(replies))\n```"
DONE = "```python\nFINAL('<b>forty-two</b>')\n```"


class HeardPanel(Panel):
    """A panel that keeps what it sends; it has no page at the other end."""

    def __init__(self, session: Session, actions: Any = None) -> None:
        self.sent: list[dict[str, Any]] = []
        super().__init__(session, actions)

    def send(self, content: Any, buffers: Any = None) -> None:
        # Through JSON and back: what cannot be sent must fail here, and later changes must not reach what was sent.
        self.sent.append(json.loads(json.dumps(content)))

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [message for message in self.sent if message["kind"] == kind]

    def say(self, **content: Any) -> None:
        """Let a view say something."""
        self._handle_custom_msg(content, [])

    def ask(self, answer: str, **content: Any) -> dict[str, Any]:
        """Let a view say something, and give the answer of this kind."""
        before = len(self.of(answer))
        self.say(**content)
        assert len(self.of(answer)) == before + 1, self.of("problem")
        return self.of(answer)[-1]


class Done:
    """Actions that only note what was wanted of them."""

    def __init__(self) -> None:
        self.done: list[tuple[Any, ...]] = []

    def rerun(self, node_id: str, edit: Any) -> None:
        self.done.append(("rerun", node_id, edit))

    def go_on(self, run_id: str, limits: dict[str, float | int]) -> None:
        self.done.append(("go_on", run_id, limits))

    def switch(self, run_id: str) -> None:
        self.done.append(("switch", run_id))

    def jump(self, cell_id: str) -> None:
        self.done.append(("jump", cell_id))

    async def undo(self, cell_id: str) -> str:
        if cell_id == "gone":
            raise InputError("This cell has not run.", "Run it first.")
        self.done.append(("undo", cell_id))
        return "Python is as it was before In [3]."


def make_session(*replies: str, delay: float = 0.0) -> Session:
    model = ScriptedModel(replies, sub="yes", chunk=4, delay=delay)
    return Session(InlineExecutor("x" * 42), Registry({}, {"tutor": model}))


async def until(condition: Any) -> None:
    for _ in range(1_000):
        if condition():
            return
        await asyncio.sleep(0.01)
    pytest.fail("it did not happen within ten seconds")
