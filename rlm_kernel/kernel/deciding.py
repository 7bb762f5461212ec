"""Brings what waits for a decision to the person: to the page, or by a question where there is no page."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from rlm_kernel.errors import InputError

if TYPE_CHECKING:
    import asyncio

    from rlm_kernel.engine.gate import DecisionDict, WaitingDict
    from rlm_kernel.engine.session import Session
    from rlm_kernel.ids import MsgId
    from rlm_kernel.kernel.desk import Desk
    from rlm_kernel.kernel.journal import LiveRun
    from rlm_kernel.kernel.livecells import LiveCells
    from rlm_kernel.kernel.pages import Pages
    from rlm_kernel.kernel.services import KernelServices

ASKED = {
    "cell": "Run it? [y]es, [n]o REASON, [a]lways: ",
    "calls": "Ask? [y]es, a number (the first n), [n]o, [a]lways: ",
}


class Deciding:
    """Stands between the gate and who decides.

    Args:
        kernel: Asks a person without a page.
        desk: Has the gate.
        pages: Show what waits.
        cells: Know the run that lasts.
    """

    def __init__(self, kernel: KernelServices, desk: Desk, pages: Pages, cells: LiveCells) -> None:
        self._kernel = kernel
        self._desk = desk
        self._pages = pages
        self._cells = cells
        self._asking: asyncio.Task[None] | None = None
        self._decided: set[str] = set()
        desk.on_made.append(self._made)

    def _made(self, session: Session) -> None:
        session.gate.on_change.append(self._changed)

    def attend(self, run: LiveRun) -> None:
        """Say whether somebody can be asked while a run lasts: at a page, or in a client that takes input."""
        self._desk.session.gate.attended = not run.fallback or run.allow_stdin

    def _changed(self) -> None:
        run, waiting = self._cells.run, self._desk.session.gate.waiting
        if run is None:
            return
        run.waiting = list(waiting)
        self._pages.tell(run, "waiting", {"waiting": run.waiting})
        if not waiting and self._asking is not None:
            self._asking.cancel()
        elif waiting and run.fallback and run.allow_stdin and self._asking is None:
            self._asking = self._kernel.spawn(self._ask(run))

    async def _ask(self, run: LiveRun) -> None:
        gate = self._desk.session.gate
        try:
            while waiting := next((each for each in gate.waiting if each["id"] not in self._decided), None):
                self._say(run, _described(waiting))
                typed = await self._kernel.input(ASKED[waiting["kind"]], False, cast("MsgId", run.msg_id))
                try:
                    gate.decide(waiting["id"], read_decision(typed, waiting))
                    self._decided.add(waiting["id"])  # the gate takes it out of its list a moment later
                except InputError as error:
                    self._say(run, str(error))
        finally:
            self._asking = None

    def _say(self, run: LiveRun, text: str) -> None:
        self._kernel.publish("stream", {"name": "stdout", "text": f"{text}\n"}, run.request)


def _described(waiting: WaitingDict) -> str:
    from rlm_kernel.engine.gate import describe_quote
    from rlm_kernel.engine.risk import describe

    if waiting["quote"] is not None:
        return f"A cell wants to make {describe_quote(waiting['quote'])}."
    reasons = [f"  {describe(each)}" for each in waiting["reasons"]]
    return "\n".join(["The model wants to run this cell:", waiting["code"], *reasons])


def read_decision(typed: str, waiting: WaitingDict) -> DecisionDict:
    """Read what a person typed.

    Raises:
        InputError: It is no decision.
    """
    word, _, rest = typed.strip().partition(" ")
    if waiting["kind"] == "calls" and word.isdecimal():
        return {"verdict": "first", "first": int(word)}
    if word.lower() in ("y", "yes"):
        return {"verdict": "approve"}
    if word.lower() in ("a", "always"):
        return {"verdict": "always"}
    if word.lower() in ("n", "no"):
        return {"verdict": "reject", "reason": rest.strip()}
    raise InputError(f"{typed.strip()!r} is no answer.", "Type y, n or a.")
