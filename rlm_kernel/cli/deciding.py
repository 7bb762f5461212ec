"""What waits for a decision, at a terminal."""

from __future__ import annotations

import asyncio
import os
import shlex
import shutil
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from rich.syntax import Syntax
from rich.text import Text

from rlm_kernel.cli.terminal import plain
from rlm_kernel.engine.gate import DecisionDict, describe_quote
from rlm_kernel.engine.risk import describe
from rlm_kernel.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

    from rlm_kernel.cli.progress import Progress
    from rlm_kernel.cli.terminal import Screen
    from rlm_kernel.engine.gate import WaitingDict
    from rlm_kernel.engine.session import Session

EDITORS = ("sensible-editor", "nano", "vi")
"""Taken where neither ``VISUAL`` nor ``EDITOR`` is set."""
KEYS = {
    "cell": "[y]es  [n]o  [e]dit  [a]lways: ",
    "calls": "[y]es  [n]o  [a]lways, or only the first (a number): ",
}


class Decider:
    """Asks the person at the terminal about each thing that waits, one after the other.

    It reads lines from the terminal on the loop, without a thread: so Ctrl-C, which ends the waiting, leaves nothing
    behind that still reads.

    Args:
        session: Has the gate.
        screen: Where to write.
        progress: Is put aside while a question stands there.
        mute: Told whether Ctrl-C belongs to another program (the editor) now.
    """

    def __init__(
        self, session: Session, screen: Screen, progress: Progress | None, mute: Callable[[bool], None]
    ) -> None:
        self._session = session
        self._gate = session.gate
        self._screen = screen
        self._progress = progress
        self._mute = mute
        self._task: asyncio.Task[None] | None = None
        self._decided: set[str] = set()

    def attend(self) -> None:
        """Be there for decisions, if there is a terminal to ask at."""
        if not can_ask(self._screen):
            return
        self._gate.attended = True
        self._gate.on_change.append(self._changed)

    def _changed(self) -> None:
        if not self._gate.waiting and self._task is not None:
            self._task.cancel()
        elif self._task is None and self._next() is not None:
            self._task = asyncio.get_running_loop().create_task(self._ask_all())
            self._task.add_done_callback(self._asked)

    def _asked(self, task: asyncio.Task[None]) -> None:
        self._task = None
        if not task.cancelled() and (problem := task.exception()) is not None:
            # Without somebody to ask, the run would wait for ever.
            self._screen.print(f"rlm-kernel: nobody can be asked: {problem}", style="red", soft_wrap=True)
            self._session.control.stop()

    def _next(self) -> WaitingDict | None:
        """Give what is to be asked about; what was decided may stand in the list a little longer."""
        return next((waiting for waiting in self._gate.waiting if waiting["id"] not in self._decided), None)

    async def _ask_all(self) -> None:
        if self._progress is not None:
            self._progress.hold()
        try:
            while self._gate.attended and (waiting := self._next()) is not None:
                await self._ask(waiting)
        except asyncio.CancelledError:
            self._screen.print()
            raise
        finally:
            if self._progress is not None:
                self._progress.release()

    async def _ask(self, waiting: WaitingDict) -> None:
        self._show(waiting)
        decision = None
        while decision is None:
            typed = await self._line(("Run it? " if waiting["kind"] == "cell" else "Ask? ") + KEYS[waiting["kind"]])
            if typed is None:  # Ctrl-D: nobody will answer
                self._gate.attended = False
                self._session.control.stop()
                return
            try:
                decision = await self._read(typed.strip(), waiting)
                if decision is not None:
                    self._decided.add(waiting["id"])
                    self._gate.decide(waiting["id"], decision)
            except InputError as error:
                self._decided.discard(waiting["id"])
                self._screen.print(str(error), soft_wrap=True)
                decision = None

    def _show(self, waiting: WaitingDict) -> None:
        if waiting["quote"] is not None:
            self._say(f"The cell wants to make {describe_quote(waiting['quote'])}.")
            return
        if self._progress is None or not self._progress.shows(waiting["node_id"]):
            self._say("A child run wants to run this cell:" if self._progress is not None else "The cell:")
            self._screen.print(
                Syntax(plain(waiting["code"]), "python", theme="ansi_dark", background_color="default"), soft_wrap=True
            )
        for reason in waiting["reasons"]:
            self._say(describe(reason))

    def _say(self, text: str) -> None:
        self._screen.print(Text(plain(text), style="yellow"), soft_wrap=True)

    async def _read(self, typed: str, waiting: WaitingDict) -> DecisionDict | None:
        """Make a decision of what was typed; ``None``: ask again."""
        word, is_cell = typed.lower(), waiting["kind"] == "cell"
        if word in ("y", "yes"):
            return DecisionDict(verdict="approve")
        if word in ("a", "always"):
            return DecisionDict(verdict="always")
        if word in ("n", "no"):
            reason = await self._line("Why not? (Enter: no reason) ")
            return DecisionDict(verdict="reject", reason=(reason or "").strip())
        if word in ("e", "edit") and is_cell:
            return await self._edited(waiting["code"])
        if word.replace(",", "").isdecimal() and not is_cell:
            return DecisionDict(verdict="first", first=int(word.replace(",", "")))
        return None

    async def _edited(self, code: str) -> DecisionDict | None:
        """Let the person change the cell in their editor; ``None``: it was not saved, ask again."""
        with tempfile.TemporaryDirectory(prefix="rlm-") as folder:
            path = Path(folder) / "cell.py"
            path.write_text(code + "\n", encoding="utf-8")
            self._mute(True)
            try:
                done = await asyncio.create_subprocess_exec(*editor(), str(path))
                failed = await done.wait()
            except OSError as error:
                raise InputError(f"The editor does not start: {error.strerror or error}.", "Set EDITOR.") from error
            finally:
                self._mute(False)
            source = path.read_text(encoding="utf-8", errors="replace")
        if failed or not source.strip():
            raise InputError(f"The cell stays as it was: {'the editor failed' if failed else 'nothing is left of it'}.")
        return DecisionDict(verdict="approve", source=source)

    async def _line(self, asked: str) -> str | None:
        """Ask for a line; ``None`` at the end of the input."""
        loop, descriptor = asyncio.get_running_loop(), sys.stdin.fileno()
        _forget_typed(descriptor)
        self._screen.print(Text(asked, style="bold"), end="", soft_wrap=True)
        came: asyncio.Future[bytes] = loop.create_future()

        def read() -> None:
            if not came.done():
                came.set_result(os.read(descriptor, 4096))

        loop.add_reader(descriptor, read)
        try:
            line = await came
        finally:
            loop.remove_reader(descriptor)
        return line.decode("utf-8", "replace") if line else None


def can_ask(screen: Screen) -> bool:
    """Tell whether a person is there: what is asked is seen, and what is typed is read."""
    if not screen.is_terminal or os.name == "nt":
        return False  # Windows: its loop cannot wait for the console
    with suppress(OSError, ValueError, AttributeError):
        return sys.stdin.isatty()
    return False


def editor() -> list[str]:
    """Give the command of the person's editor.

    Raises:
        InputError: There is none.
    """
    for name in ("VISUAL", "EDITOR"):
        if words := shlex.split(os.environ.get(name, "")):
            return words
    for name in EDITORS:
        if shutil.which(name):
            return [name]
    raise InputError("There is no editor.", "Set EDITOR.")


def _forget_typed(descriptor: int) -> None:
    """Drop what was typed before the question stood there: it cannot be its answer."""
    import termios

    with suppress(termios.error):
        termios.tcflush(descriptor, termios.TCIFLUSH)
