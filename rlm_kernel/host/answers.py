"""Answers what cells ask their host: sub-models, the person's input, ``%rlm``."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from typing import TYPE_CHECKING

from rlm_kernel.engine.executor import DepthReached
from rlm_kernel.errors import RlmError
from rlm_kernel.host import validate

if TYPE_CHECKING:
    from collections.abc import Callable

    from rlm_kernel.host.link import Link
    from rlm_kernel.host.records import Listener
    from rlm_kernel.ids import MsgId
    from rlm_kernel.wire import Json

log = logging.getLogger(__name__)

ASKS = frozenset({"query", "input", "magic"})


class Answers:
    """One task for each thing a cell waits for."""

    def __init__(self, listener: Listener, live_parent: Callable[[object], MsgId | None]) -> None:
        self._listener = listener
        self._live_parent = live_parent
        self._tasks: dict[int, tuple[Link, asyncio.Task[None]]] = {}

    def begin(self, link: Link, message: Json, fd: int | None = None) -> None:
        """Start to answer a message; the file that came with it is closed with the answer."""
        number = validate.integer(message.get("rid"), -1)
        if number < 0 or number in self._tasks:
            _close(fd)
            raise validate.Invalid("a question without a number of its own")
        task = asyncio.get_running_loop().create_task(self._serve(link, number, message, fd))
        task.add_done_callback(lambda _: _close(fd))  # a task that is cancelled before it runs has no `finally`
        self._tasks[number] = (link, task)

    async def _serve(self, link: Link, number: int, message: Json, fd: int | None) -> None:
        try:
            value = await self._answer(message, fd)
            link.send({"t": "answer", "rid": number, "v": value})
        except RlmError as error:
            link.send({"t": "answer", "rid": number, "error": error.message, "remedy": error.remedy})
        except validate.Invalid as error:
            link.send({"t": "answer", "rid": number, "error": f"The question is not one: {error}."})
        except Exception as error:
            log.exception("a question of a cell could not be answered")
            link.send({"t": "answer", "rid": number, "error": f"{type(error).__name__}: {error}"})
        finally:
            self._tasks.pop(number, None)

    async def _answer(self, message: Json, fd: int | None) -> object:
        parent = self._live_parent(message.get("p"))
        if message["t"] == "query":
            try:
                return await self._listener.query(validate.query(message, fd), parent)
            except DepthReached as reached:
                return {"at_depth": reached.chars}
        if message["t"] == "magic":
            return await self._listener.magic(str(message.get("line", "")), parent)
        return await self._listener.input(str(message.get("prompt", "")), message.get("password") is True, parent)

    def cancel(self, number: object) -> None:
        """Give up answering: the cell waits no more."""
        if isinstance(number, int) and number in self._tasks:
            self._tasks[number][1].cancel()

    def interrupt(self) -> None:
        """Give up all answers, and tell whoever waits, in any thread of the cell, that it was interrupted."""
        for number, (link, task) in list(self._tasks.items()):
            task.cancel()
            link.send({"t": "answer", "rid": number, "interrupted": True})

    def cancel_all(self) -> None:
        """Give up all answers: the process that waited is gone."""
        for _, task in self._tasks.values():
            task.cancel()
        self._tasks.clear()


def _close(fd: int | None) -> None:
    if fd is not None:
        with contextlib.suppress(OSError):
            os.close(fd)
