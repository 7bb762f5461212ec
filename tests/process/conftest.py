"""Real namespace processes, driven without a kernel."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from rlm_kernel.host.process import ExecuteReply, ExecuteRequest, NamespaceProcess, Published
from rlm_kernel.host.recorder import OutputRecorder
from rlm_kernel.ids import new_msg_id
from rlm_kernel.usage import Usage
from tests.processes import alive, group_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable


class Recording:
    """A listener that keeps what it is told and answers plainly."""

    def __init__(self) -> None:
        self.messages: list[Published] = []
        self.recorder = OutputRecorder()
        self.queries: list[Any] = []
        self.active = 0
        self.cancelled = 0
        self.seconds = 0.0
        self.typed: list[str] = []
        self.prompts: list[tuple[str, bool]] = []
        self.dead: list[str] = []
        self.live: list[str] = []

    def published(self, message: Published) -> None:
        self.messages.append(message)
        self.recorder.add(message)

    async def query(self, query, parent):
        self.queries.append((query, parent))
        self.active += 1
        try:
            await asyncio.sleep(self.seconds)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.active -= 1
        return [self.reply(prompt) for prompt in query["prompts"]]

    def reply(self, prompt):
        usage = Usage(input_tokens=len(prompt), calls=1, cost_usd=None).to_dict()
        error = "refused" if "bad" in prompt else None
        return {"text": f"re: {prompt}", "error": error, "node_id": "run-1/t1/c1", "usage": usage}

    async def input(self, prompt, password, parent):
        self.prompts.append((prompt, password))
        if not self.typed:
            await asyncio.Event().wait()
        return self.typed.pop(0)

    async def magic(self, line, parent):
        return f"asked: {line}"

    def replaced(self, dead_comms, live_comms):
        self.dead, self.live = dead_comms, live_comms


@dataclass
class Ran:
    """A cell that has run."""

    reply: ExecuteReply
    outputs: list[Any]
    seconds: float
    messages: list[Published] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "".join(output["text"] for output in self.outputs if output["output_type"] == "stream")

    @property
    def result(self) -> str | None:
        results = [output for output in self.outputs if output["output_type"] == "execute_result"]
        return results[-1]["data"]["text/plain"] if results else None

    @property
    def shown(self) -> list[Any]:
        return [output["data"] for output in self.outputs if output["output_type"] == "display_data"]


class Driver:
    """A namespace process and what it said."""

    def __init__(self, **options: Any) -> None:
        self.listener = Recording()
        self.process = NamespaceProcess(self.listener, **options)

    async def run(self, code: str, *, interrupt: float | None = None, **options: Any) -> Ran:
        """Run a cell; ``interrupt``: after so many seconds."""
        msg_id, start, before = new_msg_id(), time.monotonic(), len(self.listener.messages)
        if interrupt is not None:
            asyncio.get_running_loop().call_later(interrupt, self.interrupt)
        header = {"msg_id": msg_id, "msg_type": "execute_request", "session": "s", "username": "u", "version": "5.3"}
        reply = await self.process.execute(ExecuteRequest(code, msg_id, header, **options))
        seconds = time.monotonic() - start
        return Ran(reply, self.listener.recorder.outputs(msg_id), seconds, self.listener.messages[before:])

    def interrupt(self) -> None:
        self.interrupted = time.monotonic()
        self.process.interrupt()

    async def ok(self, code: str, **options: Any) -> Ran:
        """Run a cell that must succeed."""
        ran = await self.run(code, **options)
        assert ran.reply.status == "ok", ran.reply
        return ran

    async def value(self, code: str) -> str | None:
        return (await self.ok(code)).result

    async def until(self, condition: Callable[[], bool], seconds: float = 10) -> None:
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, [message[:2] for message in self.listener.messages[-8:]]
            await asyncio.sleep(0.02)


@pytest.fixture
async def ns() -> AsyncIterator[Driver]:
    driver = Driver()
    await driver.process.start()
    yield driver
    await driver.process.close()


def group_members(group: int) -> list[int]:
    """Living processes of a process group."""
    return [pid for pid in psutil.pids() if group_of(pid) == group and alive(pid)]
