"""The loop: ask the root model, run its cell, tell it what the cell showed, until there is an answer."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace
from time import time
from typing import TYPE_CHECKING, NoReturn

from rlm_kernel.engine.approving import approved
from rlm_kernel.engine.budget import Meter
from rlm_kernel.engine.compaction import compact, needed
from rlm_kernel.engine.control import Stopped
from rlm_kernel.engine.conversation import left_note
from rlm_kernel.engine.course import Start, hint_note
from rlm_kernel.engine.exchange import Exchange
from rlm_kernel.engine.executor import AnswerState, CellRequest, CellResult
from rlm_kernel.engine.guard import Clock, watched
from rlm_kernel.engine.news import News
from rlm_kernel.engine.prompting import prompt
from rlm_kernel.engine.retelling import Retelling
from rlm_kernel.engine.turns import (
    UNUSABLE,
    Past,
    Written,
    cell_notes,
    in_same_words,
    is_answered,
    reopen,
    take_result,
    twice_unusable,
    write_down,
)
from rlm_kernel.errors import LimitExceeded, ModelError, NamespaceDied, RlmError
from rlm_kernel.ids import child_id, new_cell_id
from rlm_kernel.messages import Message
from rlm_kernel.trace.records import Node, Outcome, Status

if TYPE_CHECKING:
    from rlm_kernel.engine.conversation import Conversation
    from rlm_kernel.engine.course import Course
    from rlm_kernel.engine.executor import Executor
    from rlm_kernel.engine.guard import Cause
    from rlm_kernel.engine.queries import Queries
    from rlm_kernel.engine.reuse import Change
    from rlm_kernel.engine.scope import Scope
    from rlm_kernel.engine.settings import Settings
    from rlm_kernel.messages import FinishReason

BROKEN_STREAMS = 2
"""Streams in a row that may break off before the run fails."""
SCOPE = "this question"

_STATUS: dict[Outcome, Status] = {"answered": "done", "limit": "stopped", "failed": "failed", "stopped": "stopped"}


class Run:
    """One question, from asking to answer.

    It owns the run's node and its turns; `Queries` owns the calls. However it ends, the node has an outcome, the best
    answer so far, and where there is one the error with its remedy; the executor is left as it was found.

    Args:
        node: The run's node, in the tree already.
        scope: What it shares with its calls.
        queries: Answers the queries of its cells.
        executor: Runs its cells.
        conversation: Begins with the question.
        settings: Its limits; the models are resolved already.
        model: Name of the root model.
        after: The run it goes on with, which ended before there was an answer. Limits hold for both together.
    """

    def __init__(
        self,
        node: Node,
        scope: Scope,
        queries: Queries,
        executor: Executor,
        conversation: Conversation,
        settings: Settings,
        model: str,
        after: Run | None = None,
    ) -> None:
        self.node = node
        self.cancelled = False
        """Whether the caller was cancelled; the run is ended in order first."""
        self._scope = scope
        self._control = scope.control
        self._queries = queries
        self._executor = executor
        self._conversation = conversation
        self._limits = settings.limits
        self._model = model
        self.course: Course | None = None
        """How it begins, where it is a branch; used up by its first own turn."""
        self._change: Change | None = None
        self._past = Past()
        self._broken = 0  # streams in a row that broke off
        self._seconds = 0.0
        self._repeats = after is not None  # the first request was made before, and may have a reply in the memo
        if after is not None:
            self._go_on(after)
        before = after._news if after is not None else None
        self._news: News = News(scope.control, node.run_id, executor, conversation, before)
        self._clock = Clock(settings.limits.seconds, scope.control, self._seconds)

    def _go_on(self, after: Run) -> None:
        """Begin where another run has ended: what its last turn asked in vain is asked again."""
        self._past = replace(after._past, turns=after._past.told, unusable=0, last=None)
        self._seconds = after._seconds
        self._scope.numbers = after._scope.numbers
        self._scope.numbers.rewind()
        self._scope.ledger.take_over(after._scope.ledger)

    @property
    def conversation(self) -> Conversation:
        """What the root model was told, and what it said."""
        return self._conversation

    def note_cell(self, code: str, output: str) -> None:
        """A person's cell ran: the model is told with the next result."""
        self._news.cell(code, output)

    async def go(self) -> None:
        """Work until there is an answer or a reason to end; what goes wrong stands in the node."""
        try:
            await self._begin()
            while self.node.outcome is None:
                await self._turn()
        except LimitExceeded as problem:
            self._end("limit", problem)
        except RlmError as problem:
            self._end("failed", problem)
        except Stopped:
            self._stopped()
        except asyncio.CancelledError:
            self.cancelled = True
            self._end("stopped")
        except BaseException as problem:
            self._end("failed", RlmError(f"The engine failed: {type(problem).__name__}: {problem}"))
            raise
        finally:
            self._queries.close()
            with suppress(NamespaceDied):
                await self._executor.end()
            if self.node.parent_id is None:
                self.node.details = {**self.node.details, "end": self._executor.history.current}
            self._scope.changed(self.node)
            if self.node.parent_id is None:
                self._scope.observers.run_ended(self._scope.tree, self.node)

    async def _begin(self) -> None:
        """Begin in the namespace; a branch comes to where it leaves the run it is one of."""
        course = self.course
        goes_on = self._repeats or (course is not None and course.goes_on)
        await self._executor.begin(self._queries, goes_on=goes_on)
        if course is None:
            return
        self._change = course.change
        retelling = Retelling(course, self._scope, self.node, self._conversation)
        ended = await watched(retelling.go(self._queries, self._executor, self._past), self._control, self._clock)
        if ended.cause:
            self._give_up(ended.cause)
        for cell in course.person_cells:
            self.note_cell(*cell)

    def _end(self, outcome: Outcome, problem: RlmError | None = None) -> None:
        node = self.node
        node.outcome, node.status = outcome, _STATUS[outcome]
        node.reply = self._past.best
        node.ended = time()
        self._seconds = self._clock.used
        if problem is not None:
            node.error, node.remedy = problem.message, problem.remedy
        if isinstance(problem, LimitExceeded):
            node.details = {**node.details, "limit": problem.kind}
        if outcome == "answered" and (unheard := self._control.heard(node.run_id)):
            node.details = {**node.details, "unheard": unheard}

    def _stopped(self) -> None:
        """End since the person stopped it, or since one had to be asked and nobody is here."""
        refusal = self._scope.gate.refusal
        if self._change is not None and self._change.failed is not None:
            self._end("failed", self._change.failed)
            return
        if refusal is None:
            self._end("stopped")
            return
        self._end("failed", refusal)
        self.node.details = {**self.node.details, "not_approved": True}

    async def _turn(self) -> None:
        """Do one turn: a reply, and what comes of it."""
        course, self.course = self.course, None
        start = course.start(self._model) if course is not None else Start(self._model)
        self._model = start.model
        if start.reply is None:
            await self._hear()
            await self._make_room()
        if start.hint:
            self._conversation.add(hint_note(start.hint))
        self._scope.numbers.mark()
        if self._past.turns >= self._limits.turns:
            raise LimitExceeded("turns", self._past.turns + 1, self._limits.turns, self._scope.ledger.scope)
        if start.reply is not None:
            await self._reply(None, start)
            return
        exchange = self._next_request(start)
        try:
            await self._admit(exchange)
            if await self._hear():  # while it was held: the request must say so
                exchange.close()
                exchange = self._next_request(start)
                await self._admit(exchange, held=True)
            await self._reply(exchange, start)
        finally:
            exchange.close()

    def _next_request(self, start: Start) -> Exchange:
        return Exchange(self._scope, self._conversation.request(self._model), self.node.run_id, again=start.again)

    async def _hear(self) -> bool:
        """Tell the model what the person has done and said since its last result; tells whether there was anything.

        A request that is made once more, since a run goes on, stays as it was as long as the person says nothing: its
        reply may be in the memo, and the person's cells are told with the next one.
        """
        if not self._news.any or (self._repeats and not self._news.said):
            return False
        for note in await self._news.take():
            self._conversation.add(note)
            write_down(self._past.last or self.node, [note])
        self._scope.changed(self._past.last or self.node)
        return True

    async def _make_room(self) -> None:
        """Summarise the older turns where the next reply might not fit into the model's window."""
        what = needed(self._conversation, self._scope.models.window(self._model))
        if what is None:
            return
        self._scope.doing("a summary of the first turns")
        work = compact(
            self._scope, self.node, self._conversation, self._model, self._executor, what, self._past.turns + 1
        )
        if cause := (await watched(work, self._control, self._clock)).cause:
            self._give_up(cause)

    async def _admit(self, exchange: Exchange, *, held: bool = False) -> None:
        """Wait until the root model may be asked; Stop and the limit of time end the waiting.

        Args:
            exchange: The request.
            held: Whether the person has let it pass already.
        """
        self._scope.doing(f"the reply of {self._model}")
        ended = await watched(exchange.admit(held=held), self._control, self._clock)
        if ended.cause:
            self._give_up(ended.cause)

    async def _reply(self, exchange: Exchange | None, start: Start) -> None:
        """Have the reply written, or take the one there is, and do what it says."""
        self._past.turns += 1
        node = self._add_turn(start)
        written = Written(self._scope, node)
        try:
            finish = self._take(written, start) if exchange is None else await self._read(written, exchange)
            self._broken = 0
            code, unusable = written.judge(finish, self._past.last_code)
            if unusable:
                self._nudge(written, unusable)
            else:
                await self._run_cell(written, code, start)
        except RlmError as problem:
            if node.status == "running":
                node.status = "stopped" if isinstance(problem, LimitExceeded) else "failed"
                node.error, node.remedy = problem.message, problem.remedy
            if not self._is_worth_asking_again(problem, written):
                raise
        finally:
            if node.status == "running":
                node.status = "stopped"
            node.ended = time()
            self._scope.changed(node)

    def _is_worth_asking_again(self, problem: RlmError, written: Written) -> bool:
        """Tell whether the next turn may ask the same: a stream broke off whose text had been shown already.

        A model tries again by itself only as long as it has passed no text on.
        """
        if not (isinstance(problem, ModelError) and problem.retryable and written.text):
            return False
        self._broken += 1
        return self._broken <= BROKEN_STREAMS

    def _add_turn(self, start: Start) -> Node:
        node = Node(
            id=child_id(self.node.id, "turn", self._past.turns),
            run_id=self.node.run_id,
            parent_id=self.node.id,
            kind="turn",
            label=f"Turn {self._past.turns}",
            status="running",
            model=self._model,
            started=time(),
            cell_id=new_cell_id(),
            details=start.details,
        )
        self._scope.add(node)
        self._queries.below(node, start.reuse)
        return node

    def _take(self, written: Written, start: Start) -> FinishReason:
        """Take a reply that nobody is asked for."""
        start.count(self._conversation, self._scope.numbers)
        written.node.cached = True
        written.node.model = start.original.model if start.original is not None else self._model
        written.end(start.reply or "")
        return "stop"

    async def _read(self, written: Written, exchange: Exchange) -> FinishReason:
        """Have the root model write its reply, and pass it on while it does."""
        node = written.node
        if exchange.sample:
            node.details = {**node.details, "sample": exchange.sample}
        ended = await watched(exchange.complete(node, written.on_text), self._control, self._clock)
        reply = ended.result
        if reply is not None:
            node.model, node.cached = reply.model or self._model, reply.cached
            if node.model != self._model:
                node.details = {**node.details, "asked": self._model}
        written.end(reply.text if reply is not None else "")
        if ended.cause or reply is None:
            self._give_up(ended.cause)
        if reply.finish == "cut" and written.goes_past:
            # What was cut off is not used by us, so the reply is whole.
            exchange.keep(replace(reply, text=written.text, finish="stop"))
        exchange.close()  # the calls of its cell need the slot
        return reply.finish

    def _nudge(self, written: Written, name: str) -> None:
        """Tell the model what is wrong with its reply; the second time in a row the run ends."""
        node = written.node
        self._past.unusable += 1
        node.status = "done"
        node.error = f"No cell was run: {UNUSABLE[name]}."
        if self._past.unusable > 1:
            raise twice_unusable(self._model, name)
        self._tell(node, written.text, None, [prompt(name)], unrun=name)

    async def _run_cell(self, written: Written, code: str, start: Start) -> None:
        node = written.node
        self._past.unusable = 0
        self._scope.changed(node)
        await self._control.gate("cell")
        to_run, notes = start.approved(node, code) or await approved(self._scope, node, code)
        if to_run is None:
            self._tell(node, written.text, None, notes, unrun="refused")
            return
        self._scope.doing("the cell")
        self._scope.observers.cell_starts(node)
        request = CellRequest(node.id, node.cell_id or new_cell_id(), to_run)
        ended = await watched(self._executor.run_cell(request), self._control, self._clock, self._interrupt)
        result = ended.result or CellResult("stopped", AnswerState(content=self._past.best, ready=False))
        take_result(node, result, self._past, self._scope.numbers)
        self._scope.observers.cell_ended(node, result)
        if is_answered(result):
            if ended.cause or not self._news.said or self._past.turns >= self._limits.turns:
                self._end("answered")
                return
            # What the person has said meanwhile may be about the answer: the model hears it before that is taken.
            await reopen(node, self._past, self._executor)
            self._tell(node, written.text, node.output, [*notes, prompt("reopened")])
        elif ended.cause or result.status == "stopped":
            node.status = "stopped"
            self._give_up(ended.cause)
        else:
            self._past.last_code = code.strip()
            self._tell(node, written.text, node.output, [*notes, *cell_notes(result)])

    def _interrupt(self) -> None:
        # The cell first: it should see the interrupt, not failed calls that it might take for results.
        self._executor.interrupt()
        self._queries.cancel()

    def _give_up(self, cause: Cause | None) -> NoReturn:
        if cause == "seconds":
            raise LimitExceeded("seconds", self._clock.used, self._limits.seconds or 0, self._scope.ledger.scope)
        if cause == "cancel":
            raise asyncio.CancelledError
        raise Stopped

    def _tell(self, node: Node, reply: str, output: str | None, notes: list[str], *, unrun: str = "") -> None:
        """Tell the model what came of its reply; besides, what is left of the limits."""
        self._past.told, self._repeats = self._past.turns, False
        said = (*(Message("user", each) for each in notes), Message("assistant", reply), Message("user", output or ""))
        asked = self._conversation.request(self._model)
        if left := in_same_words(self._scope, asked, said, left_note(self.meters())):
            notes = [*notes, left]
        self._conversation.turn(reply, output, notes)
        self._past.last = node
        if unrun:
            node.details = {**node.details, "unrun": unrun}
        write_down(node, notes)

    def used(self) -> dict[str, float]:
        """Tell how much of each limit a run that goes on with this one has used when it begins."""
        ledger = self._scope.ledger
        return {
            "cost_usd": ledger.known_cost,
            "tokens": ledger.spent.tokens,
            "calls": ledger.spent.calls,
            "turns": self._past.told,
            "seconds": self._seconds,
        }

    def meters(self) -> list[Meter]:
        """Tell how far each of its limits is used."""
        meters = [Meter("turns", self._past.turns, self._limits.turns), *self._scope.ledger.meters()]
        if self._limits.seconds is not None:
            meters.append(Meter("seconds", self._clock.used, self._limits.seconds))
        return meters
