"""The gate: what a run may not do before a person has agreed."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from itertools import count as counting
from typing import TYPE_CHECKING, Any, Literal, NotRequired, TypedDict

from rlm_kernel.engine.control import Stopped, tell_all
from rlm_kernel.engine.risk import Aliases, describe, risks
from rlm_kernel.engine.risk import ReasonDict as ReasonDict  # others import it from here
from rlm_kernel.engine.settings import Settings
from rlm_kernel.errors import InputError, NotApproved
from rlm_kernel.usage import count, money

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from rlm_kernel.engine.control import Control
    from rlm_kernel.trace.records import Node

Verdict = Literal["approve", "reject", "always", "first"]
COST_ASKED = 1.0
"""US dollars from which on a fan-out is asked about, however few calls it has."""
REASONS_SAID = 3
"""Risks that are named in one sentence; of more only the number is told."""


class CallsQuoteDict(TypedDict):
    """What a fan-out is expected to take, before anything is reserved for it."""

    calls: int
    """All of them."""
    cached: int
    """Those whose replies are in the memo: nothing is asked or paid for them."""
    tokens: int | None
    """Sent and received, of those that must be asked; null where it cannot be told."""
    cost_usd: float | None
    """US dollars for those; null where it is unknown."""
    model: str
    kind: Literal["llm", "rlm"]
    """``llm``: calls. ``rlm``: child runs, each of which makes calls of its own."""


class WaitingDict(TypedDict):
    """Something that waits for a person's decision."""

    id: str
    node_id: str
    """The turn whose cell it is, or whose cell makes the calls."""
    cell_id: str | None
    """The cell of that turn; of a child run's turn no page has one."""
    kind: Literal["cell", "calls"]
    code: str
    """The cell."""
    reasons: list[ReasonDict]
    """What the cell does beyond computing, as far as that can be seen in it."""
    quote: CallsQuoteDict | None
    """With ``calls``."""


class DecisionDict(TypedDict):
    """What a person decides."""

    verdict: Verdict
    """``always``: this one, and everything of its kind until the question is answered. ``first``: only the first
    ``first`` of the calls."""
    source: NotRequired[str]
    """With ``approve`` and ``always`` of a cell: the cell as the person changed it."""
    reason: NotRequired[str]
    """With ``reject``: told to the model."""
    first: NotRequired[int]


@dataclass(frozen=True, slots=True)
class Decision:
    """A decision that was read and fits what it is about."""

    verdict: Verdict = "approve"
    source: str = ""
    """The changed cell; empty where it is not changed."""
    reason: str = ""
    first: int = 0
    by: Literal["nobody", "person", "policy"] = "nobody"
    """``nobody``: it was not necessary to ask."""

    @property
    def approved(self) -> bool:
        """Whether it may be done, at least in part."""
        return self.verdict != "reject"

    @classmethod
    def read(cls, told: Mapping[str, object], waiting: WaitingDict) -> Decision:
        """Read what a page, a panel or a terminal says.

        Args:
            told: A `DecisionDict`, not checked yet.
            waiting: What it is about.

        Raises:
            InputError: It is no decision, or does not fit.
        """
        verdict, source, reason = told.get("verdict"), told.get("source") or "", told.get("reason") or ""
        first = told.get("first")
        words = ("approve", "reject", "always") + (("first",) if waiting["kind"] == "calls" else ())
        if verdict not in words:
            raise InputError(f"A decision cannot be {verdict!r} here.", f"Give one of {', '.join(words)}.")
        if not isinstance(source, str) or not isinstance(reason, str):
            raise InputError("The cell and the reason of a decision are texts.")
        number = first if isinstance(first, int) and not isinstance(first, bool) else 0
        most = waiting["quote"]["calls"] if waiting["quote"] else 0
        if verdict == "first" and not 1 <= number <= most:
            raise InputError(f"{first!r} of {most:,} calls cannot be made.", f"Give a number from 1 to {most:,}.")
        if source and (waiting["kind"] != "cell" or verdict == "reject"):
            raise InputError("Only a cell that is approved can be changed.")
        changed = source.strip("\n") if source.strip() and source.strip() != waiting["code"].strip() else ""
        return cls(verdict, changed, reason.strip(), number if verdict == "first" else 0, "person")  # type: ignore[arg-type]


class Gate:
    """Asks a person before cells and fan-outs, where the settings say so.

    - The engine's side: `begin`, then `cell` and `calls`, which return at once where nothing has to be asked.
    - The person's side: `waiting` and `decide`; views are called through `on_change`.
    - Where nobody can be asked (`attended`), the policy decides; without one the question ends, `refusal` says why.

    Several can wait at the same time, of parallel child runs. While one waits, the run counts as paused: Stop works,
    and the clock stands still. It does not run or change anything itself.

    Args:
        control: Steers the run; a decision is waited for through it.
    """

    def __init__(self, control: Control) -> None:
        self.waiting: list[WaitingDict] = []
        """What waits for a decision, the oldest first."""
        self.on_change: list[Callable[[], None]] = []
        """Called without arguments whenever `waiting` is different."""
        self.attended = False
        """Whether there is a person who can decide: a page, a client that can be asked, a terminal."""
        self.refusal: NotApproved | None = None
        """Why the question could not go on: something had to be asked, and nobody is there."""
        self.settings = Settings(quote=None)
        """What holds; ``approve``, ``quote`` and ``policy`` may be changed while a run lasts."""
        self._control = control
        self._always: set[str] = set()
        self._aliases: dict[str, Aliases] = {}
        self._asked: dict[str, asyncio.Future[Decision]] = {}
        self._numbers = counting(1)

    def begin(self, settings: Settings) -> None:
        """Start with a new question: what was allowed for the last one is not allowed for this one."""
        self.settings, self.refusal = settings, None
        self._always.clear()

    def decide(self, waiting_id: str, decision: Mapping[str, object]) -> None:
        """Take a person's decision.

        Args:
            waiting_id: Which of `waiting` it is about.
            decision: A `DecisionDict`.

        Raises:
            InputError: It does not wait (any more), or the decision does not fit; nothing was changed.
        """
        asked = self._asked.get(waiting_id)
        waiting = next((each for each in self.waiting if each["id"] == waiting_id), None)
        if asked is None or waiting is None or asked.done():
            raise InputError("This waits for no decision any more.", "It was decided already, or its run is over.")
        read = Decision.read(decision, waiting)
        asked.set_result(read)
        if read.verdict == "always":
            self._always.add(waiting["kind"])
            for other in self.waiting:
                if other["kind"] == waiting["kind"] and not self._asked[other["id"]].done():
                    self._asked[other["id"]].set_result(Decision(by="person"))

    async def cell(self, node: Node, code: str) -> Decision:
        """Let a cell of the model pass, or not; what was decided stands in the details of its turn.

        Args:
            node: The turn.
            code: The cell.

        Raises:
            Stopped: The run was stopped, by a person or since nobody is here to be asked.
        """
        approve = self.settings.approve
        if approve == "auto" or "cell" in self._always:
            return Decision()
        names, known = self._names_of(node)
        reasons = risks(code, names)
        if approve == "risky" and not reasons:
            known.update(names)
            return Decision()
        why = _sentence(reasons) or "Every cell is to be approved (--approve each)."
        waiting = self._make("cell", node, code, reasons, None)
        decision = self._by_policy(why) or await self._ask(waiting, "your decision on a cell")
        _write_down(node, decision, reasons, code)
        if decision.source:
            risks(decision.source, names)
        if decision.approved:
            known.update(names)
        return decision

    def _names_of(self, node: Node) -> tuple[Aliases, Aliases]:
        """Give what the names of a turn's namespace stand for: a copy, and what is known; questions share one."""
        known = self._aliases.setdefault(node.run_id if "/" in node.run_id else "", {})
        return dict(known), known

    @property
    def threshold(self) -> int | None:
        """How many new calls of one query may be made without asking; ``None``: any number, at any cost."""
        settings = self.settings
        # What a limit holds anyway does not end a question that nobody watches; what a policy says is said.
        unwatched = settings.approve == "auto" and settings.policy == "ask" and not self.attended
        return None if unwatched or "calls" in self._always else settings.quote

    async def calls(self, node: Node, quote: CallsQuoteDict) -> Decision:
        """Let a fan-out pass, or a part of it, or nothing.

        Args:
            node: The turn whose cell makes it.
            quote: What it will take.

        Raises:
            Stopped: The run was stopped, by a person or since nobody is here to be asked.
        """
        most, new = self.threshold, quote["calls"] - quote["cached"]
        if most is None or (new <= most and (quote["cost_usd"] or 0.0) < COST_ASKED):
            return Decision()
        said = describe_quote(quote)
        waiting = self._make("calls", node, node.code, [], quote)
        decision = self._by_policy(f"A cell wants to make {said}.") or await self._ask(
            waiting, f"your decision on {said}"
        )
        # A page may have waited for long: what was decided meanwhile is told with the turn, not with each call.
        _write_down(node, decision, [], "", quote)
        return decision

    def _by_policy(self, why: str) -> Decision | None:
        """Decide where no person is to; ``None``: a person is asked.

        Raises:
            Stopped: Nobody is here to be asked, and nothing is said for this case.
        """
        policy = self.settings.policy
        if policy == "allow":
            return Decision(by="policy")
        if policy == "refuse":
            return Decision("reject", reason=f"{why} This is refused here (--policy refuse).", by="policy")
        if self.attended:
            return None
        self.refusal = self.refusal or NotApproved(why)
        self._control.stop()
        raise Stopped

    def _make(
        self,
        kind: Literal["cell", "calls"],
        node: Node,
        code: str,
        reasons: list[ReasonDict],
        quote: CallsQuoteDict | None,
    ) -> WaitingDict:
        return WaitingDict(
            id=f"w{next(self._numbers)}",
            node_id=node.id,
            cell_id=node.cell_id,
            kind=kind,
            code=code,
            reasons=reasons,
            quote=quote,
        )

    async def _ask(self, waiting: WaitingDict, what: str) -> Decision:
        asked: asyncio.Future[Decision] = asyncio.get_running_loop().create_future()
        self._asked[waiting["id"]] = asked
        self.waiting.append(waiting)
        stopped: asyncio.Future[Any] = asyncio.ensure_future(self._control.stopped.wait())
        with self._control.deciding(what):
            tell_all(self.on_change, "the gate")
            try:
                await asyncio.wait((asked, stopped), return_when=asyncio.FIRST_COMPLETED)
            finally:
                stopped.cancel()
                del self._asked[waiting["id"]]
                self.waiting.remove(waiting)
                tell_all(self.on_change, "the gate")
        if not asked.done():
            raise Stopped
        return asked.result()


def describe_quote(quote: CallsQuoteDict) -> str:
    """Say in a few words what a fan-out takes: ``1,000 calls to small (about 90,000 tokens, about $0.02)``."""
    calls = count(quote["calls"], "child run" if quote["kind"] == "rlm" else "call")
    parts = [f"{quote['cached']:,} of them known already"] if quote["cached"] else []
    if quote["tokens"] is not None:
        parts.append(f"about {quote['tokens']:,} tokens")
    parts.append(f"{'about ' if quote['cost_usd'] else ''}{money(quote['cost_usd'])}")
    return f"{calls} to {quote['model']} ({', '.join(parts)})"


def _sentence(reasons: list[ReasonDict]) -> str:
    """Say what a cell does beyond computing."""
    said = [describe(each) for each in reasons[:REASONS_SAID]]
    more = len(reasons) - len(said)
    return f"{'; '.join(said)}{f'; and {more} more' if more > 0 else ''}." if said else ""


def _write_down(
    node: Node, decision: Decision, reasons: list[ReasonDict], code: str, quote: CallsQuoteDict | None = None
) -> None:
    """Keep in a turn's details what was decided, and the cell as the model wrote it where a person changed it."""
    told: dict[str, object] = {"verdict": decision.verdict, "by": decision.by}
    if reasons:
        told["reasons"] = [dict(each) for each in reasons]
    if decision.source:
        told["written"] = code
    if decision.reason:
        told["reason"] = decision.reason
    if quote is not None:
        told |= {"quote": dict(quote), **({"first": decision.first} if decision.first else {})}
    name = "gate" if quote is None else "fan_outs"
    before = node.details.get("fan_outs")
    value: object = told if quote is None else [*(before if isinstance(before, list) else []), told]
    node.details = {**node.details, name: value}
