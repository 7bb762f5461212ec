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
from rlm_kernel.engine.conversation import left_note, person_note
from rlm_kernel.engine.exchange import Exchange
from rlm_kernel.engine.executor import AnswerState, CellRequest, CellResult
from rlm_kernel.engine.guard import Clock, watched
from rlm_kernel.engine.prompting import prompt
from rlm_kernel.engine.shown import shown
from rlm_kernel.engine.turns import UNUSABLE, Written, cell_notes, in_same_words
from rlm_kernel.errors import BadReplyError, LimitExceeded, ModelError, NamespaceDied, RlmError
from rlm_kernel.ids import child_id, new_cell_id
from rlm_kernel.messages import Message
from rlm_kernel.trace.records import Node, Outcome, Status

if TYPE_CHECKING:
    from rlm_kernel.engine.conversation import Conversation
    from rlm_kernel.engine.executor import Executor
    from rlm_kernel.engine.guard import Cause
    from rlm_kernel.engine.queries import Queries
    from rlm_kernel.engine.scope import Scope
    from rlm_kernel.engine.settings import Settings
    from rlm_kernel.messages import ModelReply

BROKEN_STREAMS = 2
"""Streams in a row that may break off before the run fails."""
LAST_CELLS = 10
"""Of a person, between the end of a run and its going on, that are told."""
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
        self._turns = self._told = 0  # begun; and of these, told what came of them
        self._broken = 0  # streams in a row that broke off
        self._unusable = 0  # replies in a row that could not be used
        self._last_code = ""
        self._best = ""
        self._seconds = 0.0
        self._person_cells: list[str] = []
        self._counts: list[int] = []  # execution counts of its cells
        if after is not None:
            self._go_on(after)
        self._clock = Clock(settings.limits.seconds, scope.control, self._seconds)

    def _go_on(self, after: Run) -> None:
        """Begin where another run has ended: what its last turn asked in vain is asked again."""
        self._turns = self._told = after._told
        self._seconds = after._seconds
        self._best, self._last_code = after._best, after._last_code
        self._person_cells, self._counts = after._person_cells[-LAST_CELLS:], after._counts
        self._scope.numbers = after._scope.numbers
        self._scope.numbers.rewind()
        self._scope.ledger.take_over(after._scope.ledger)

    @property
    def conversation(self) -> Conversation:
        """What the root model was told, and what it said."""
        return self._conversation

    def note_cell(self, code: str, output: str) -> None:
        """A person's cell ran: the model is told with the next result."""
        self._person_cells.append(person_note(code, output))

    async def go(self) -> None:
        """Work until there is an answer or a reason to end; what goes wrong stands in the node."""
        try:
            await self._executor.begin(self._queries)
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
            self._scope.changed(self.node)
            if self.node.parent_id is None:
                self._scope.observers.run_ended(self._scope.tree, self.node)

    def _end(self, outcome: Outcome, problem: RlmError | None = None) -> None:
        node = self.node
        node.outcome, node.status = outcome, _STATUS[outcome]
        node.reply = self._best
        node.ended = time()
        self._seconds = self._clock.used
        if problem is not None:
            node.error, node.remedy = problem.message, problem.remedy

    def _stopped(self) -> None:
        """End since the person stopped it, or since one had to be asked and nobody is here."""
        refusal = self._scope.gate.refusal
        if refusal is None:
            self._end("stopped")
            return
        self._end("failed", refusal)
        self.node.details = {**self.node.details, "not_approved": True}

    async def _turn(self) -> None:
        """Do one turn: a reply, and what comes of it."""
        await self._make_room()
        self._scope.numbers.mark()
        if self._turns >= self._limits.turns:
            raise LimitExceeded("turns", self._turns + 1, self._limits.turns, self._scope.ledger.scope)
        exchange = Exchange(self._scope, self._conversation.request(self._model), self.node.run_id)
        try:
            await self._admit(exchange)
            await self._reply(exchange)
        finally:
            exchange.close()

    async def _make_room(self) -> None:
        """Summarise the older turns where the next reply might not fit into the model's window."""
        what = needed(self._conversation, self._scope.models.window(self._model))
        if what is None:
            return
        self._scope.doing("a summary of the first turns")
        work = compact(self._scope, self.node, self._conversation, self._model, self._executor, what)
        if cause := (await watched(work, self._control, self._clock)).cause:
            self._give_up(cause)

    async def _admit(self, exchange: Exchange) -> None:
        """Wait until the root model may be asked; Stop and the limit of time end the waiting."""
        self._scope.doing(f"the reply of {self._model}")
        ended = await watched(exchange.admit(), self._control, self._clock)
        if ended.cause:
            self._give_up(ended.cause)

    async def _reply(self, exchange: Exchange) -> None:
        """Have the reply written, and do what it says."""
        self._turns += 1
        node = self._add_turn()
        written = Written(self._scope, node)
        try:
            reply = await self._read(written, exchange)
            exchange.close()  # the calls of its cell need the slot
            self._broken = 0
            code, unusable = written.judge(reply.finish, self._last_code)
            if unusable:
                self._nudge(written, unusable)
            else:
                await self._run_cell(written, code)
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

    def _add_turn(self) -> Node:
        node = Node(
            id=child_id(self.node.id, "turn", self._turns),
            run_id=self.node.run_id,
            parent_id=self.node.id,
            kind="turn",
            label=f"Turn {self._turns}",
            status="running",
            model=self._model,
            started=time(),
            cell_id=new_cell_id(),
        )
        self._scope.add(node)
        self._queries.below(node)
        return node

    async def _read(self, written: Written, exchange: Exchange) -> ModelReply:
        """Have the root model write its reply, and pass it on while it does."""
        node = written.node
        ended = await watched(exchange.complete(node, written.on_text), self._control, self._clock)
        reply = ended.result
        if reply is not None:
            node.model, node.cached = reply.model or self._model, reply.cached
        written.end(reply.text if reply is not None else "")
        if ended.cause or reply is None:
            self._give_up(ended.cause)
        if reply.finish == "cut" and written.goes_past:
            # What was cut off is not used by us, so the reply is whole.
            exchange.keep(replace(reply, text=written.text, finish="stop"))
        return reply

    def _nudge(self, written: Written, name: str) -> None:
        """Tell the model what is wrong with its reply; the second time in a row the run ends."""
        node = written.node
        self._unusable += 1
        node.status = "done"
        node.error = f"No cell was run: {UNUSABLE[name]}."
        if self._unusable > 1:
            raise BadReplyError(
                f"Two replies of {self._model} in a row could not be used; in the last {UNUSABLE[name]}.",
                "Ask again in other words, or with another model (%rlm --model NAME).",
                model=self._model,
            )
        self._tell(written.text, None, [prompt(name)])

    async def _run_cell(self, written: Written, code: str) -> None:
        node = written.node
        self._unusable = 0
        self._scope.changed(node)
        await self._control.gate("cell")
        to_run, notes = await approved(self._scope, node, code)
        if to_run is None:
            self._tell(written.text, None, notes)
            return
        self._scope.doing("the cell")
        self._scope.observers.cell_starts(node)
        request = CellRequest(node.id, node.cell_id or new_cell_id(), to_run)
        ended = await watched(self._executor.run_cell(request), self._control, self._clock, self._interrupt)
        result = ended.result or CellResult("stopped", AnswerState(content=self._best, ready=False))
        self._keep(node, result)
        self._scope.observers.cell_ended(node, result)
        if self._is_answered(result):
            self._end("answered")
        elif ended.cause or result.status == "stopped":
            node.status = "stopped"
            self._give_up(ended.cause)
        else:
            self._last_code = code.strip()
            self._tell(written.text, node.output, [*notes, *cell_notes(result)])

    def _interrupt(self) -> None:
        # The cell first: it should see the interrupt, not failed calls that it might take for results.
        self._executor.interrupt()
        self._queries.cancel()

    def _keep(self, node: Node, result: CellResult) -> None:
        if result.execution_count is not None:
            self._counts.append(result.execution_count)
        node.output = shown(result.outputs, cells=self._counts)
        node.execution_count = result.execution_count
        node.status = {"ok": "done", "error": "done", "stopped": "stopped", "died": "failed"}[result.status]  # type: ignore[assignment]
        if result.status == "error":
            node.error = next((line for line in reversed(node.output.splitlines()) if line.strip()), "The cell failed.")
        elif result.status == "died":
            node.error = "The Python process ended in this cell; the state before it is back."
            # So is the count of what was asked: the same requests, made again, find the replies they had.
            self._scope.numbers.rewind()
        if result.answer["content"].strip():
            self._best = result.answer["content"]

    def _is_answered(self, result: CellResult) -> bool:
        answer = result.answer
        return result.status == "ok" and answer["ready"] and bool(answer["content"].strip())

    def _give_up(self, cause: Cause | None) -> NoReturn:
        if cause == "seconds":
            raise LimitExceeded("seconds", self._clock.used, self._limits.seconds or 0, self._scope.ledger.scope)
        if cause == "cancel":
            raise asyncio.CancelledError
        raise Stopped

    def _tell(self, reply: str, output: str | None, notes: list[str]) -> None:
        """Tell the model what came of its reply; besides a person's cells, and what is left of the limits."""
        self._told = self._turns
        news, self._person_cells = self._person_cells, []
        notes = [*notes, *news]
        said = (*(Message("user", each) for each in notes), Message("assistant", reply), Message("user", output or ""))
        asked = self._conversation.request(self._model)
        if left := in_same_words(self._scope, asked, said, left_note(self.meters())):
            notes.append(left)
        self._conversation.turn(reply, output, notes)

    def meters(self) -> list[Meter]:
        """Tell how far each of its limits is used."""
        meters = [Meter("turns", self._turns, self._limits.turns), *self._scope.ledger.meters()]
        if self._limits.seconds is not None:
            meters.append(Meter("seconds", self._clock.used, self._limits.seconds))
        return meters
