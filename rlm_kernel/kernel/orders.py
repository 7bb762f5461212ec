"""Cells that are one ``%rlm`` order and nothing else: the kernel obeys them itself, Python is not needed for it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from rlm_kernel.engine.settings import OPTIONS
from rlm_kernel.errors import InputError, RlmError
from rlm_kernel.kernel import magics
from rlm_kernel.usage import Limits, count, money

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rlm_kernel.engine.branches import BranchDict
    from rlm_kernel.kernel.commands import Commands
    from rlm_kernel.kernel.desk import Desk
    from rlm_kernel.kernel.pages import Pages
    from rlm_kernel.kernel.services import KernelServices, Message
    from rlm_kernel.kernel.states import States

ORDER = re.compile(r"\s*%rlm[ \t]+(undo|branches)(?=\s|$)([^\n]*)\s*")
Json = dict[str, Any]


class Undo(NamedTuple):
    """What stands behind ``%rlm undo``."""

    number: int | None
    """Execution count of the cell; ``None``: the last one."""
    replay: bool


def read_order(code: str) -> magics.Command | None:
    """Read a cell that is nothing but an order; ``None`` where it is anything else."""
    found = ORDER.fullmatch(code)
    return magics.Command(found.group(1), found.group(2).strip()) if found else magics.read_order(code)


def read_undo(text: str) -> Undo:
    """Read what stands behind ``%rlm undo``.

    Raises:
        InputError: It cannot be used.
    """
    words = text.split()
    rest = [word for word in words if word != "--replay"]
    if len(rest) > 1 or (rest and not rest[0].isdecimal()):
        raise InputError("%rlm undo takes the number of a cell, as in In [12].", "%rlm undo 12, or %rlm undo.")
    return Undo(int(rest[0]) if rest else None, len(rest) < len(words))


def limit_options(limits: Mapping[str, float]) -> list[str]:
    """Write limits as options of ``%rlm``.

    Raises:
        InputError: One is none that can be set.
    """
    words = []
    for name, number in limits.items():
        option = next((each for each in OPTIONS if each.name == name and hasattr(Limits(), name)), None)
        if option is None:
            raise InputError(f"{name!r} is no limit.", "Give cost_usd, tokens, calls, turns, depth or seconds.")
        words += [option.flag, f"{number:g}" if isinstance(number, float) else str(number)]
    return words


class Orders:
    """Obeys orders.

    Args:
        kernel: Counts cells and publishes.
        desk: Has the session.
        pages: Mark cells that were undone.
        commands: Steer the run.
        states: Undo.
    """

    def __init__(self, kernel: KernelServices, desk: Desk, pages: Pages, commands: Commands, states: States) -> None:
        self._kernel = kernel
        self._desk = desk
        self._pages = pages
        self._commands = commands
        self._states = states

    async def obey(self, command: magics.Command, code: str, parent: Message) -> Json:
        """Do it, show what came of it, and give the content of the reply."""
        from rlm_kernel.kernel.answering import error_output, failed_reply, ok_reply

        try:
            text = await self._do(command)
        except RlmError as error:
            output = error_output(error)
            self._kernel.publish("error", {key: output[key] for key in ("ename", "evalue", "traceback")}, parent)
            return failed_reply(await self._kernel.reserve_count(code), output)
        self._kernel.publish("stream", {"name": "stdout", "text": f"{text}\n"}, parent)
        return ok_reply(await self._kernel.reserve_count(code))  # which waits for a cell that runs

    async def _do(self, command: magics.Command) -> str:
        if command.name == "branches":
            return self._branches()
        if command.name != "undo":
            return self._commands.order(command)
        asked = read_undo(command.text)
        undone = await self._states.undo(self._states.by_count(asked.number), replay=asked.replay)
        self._pages.say({"type": "undone", "cell_ids": undone.cell_ids, "text": undone.text})
        return undone.text

    def _branches(self) -> str:
        """List the questions of the notebook with their branches."""
        self._desk.catch_up()
        session = self._desk.session
        families: dict[str, list[BranchDict]] = {}
        for run in session.tree.children(None):
            if "opening" in run.details and "branch" not in run.details:
                families[run.id] = session.branches(run.id)
        if not families:
            return "No question was asked in this notebook."
        return "\n".join(_described(each) for family in families.values() for each in family)


def _described(branch: BranchDict) -> str:
    cost = money(branch["cost_usd"])
    what = branch["label"] if branch["of"] is None else f"  {branch['name']}"
    parts = [branch["id"], what, branch["outcome"] or "going", count(branch["turns"], "turn"), cost]
    return f"{'*' if branch['current'] else ' '} {' · '.join(parts)}"
