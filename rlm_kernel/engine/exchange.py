"""One request to a model, from the memo over the ledger to the reply."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from time import time
from typing import TYPE_CHECKING

from rlm_kernel.engine.budget import worst_case
from rlm_kernel.engine.estimates import usage_of_cut
from rlm_kernel.errors import LimitExceeded, ModelError
from rlm_kernel.models.memo import request_key

if TYPE_CHECKING:
    from rlm_kernel.engine.budget import Reservation
    from rlm_kernel.engine.scope import Scope
    from rlm_kernel.ids import RunId
    from rlm_kernel.messages import ModelReply, ModelRequest, OnText
    from rlm_kernel.trace.records import Node

CHARGED_RETRIES = 2
"""How often a request is made again after an attempt that failed and cost something all the same."""
BACKOFF = 0.1
"""Seconds before that, doubled each time."""


class Exchange:
    """One request and its reply.

    - Looks into the memo first; what is found there costs nothing, takes no slot and is reserved nowhere.
    - Else holds one of the question's slots and a reservation for the worst case while the request lasts, settles the
      true usage, and has the memo keep the reply.
    - An attempt that failed but spent something is settled, and the request reserved and made anew.

    Call `admit`, then `complete`, and in any case `close`.

    Args:
        scope: The run's.
        request: What is asked, without a number.
        run_id: Whose turn it is where runs compete.
        again: Take no reply that there is: ask once more, and keep the reply beside the others.
    """

    def __init__(self, scope: Scope, request: ModelRequest, run_id: RunId, *, again: bool = False) -> None:
        self._scope = scope
        self._run_id = run_id
        self._asked = request
        self.sample = self._next_sample() if again else scope.numbers.take(request)
        """The how-many-th reply to this request it is; from 0 on."""
        self._numbered = replace(request, sample=self.sample)
        self._key: str | None = None
        self._found: ModelReply | None = None
        self._reservation: Reservation | None = None
        self._bounded = self._numbered
        self._holds_slot = False
        self._answered = False
        self._told = False

    def _next_sample(self) -> int:
        scope, endpoint = self._scope, self._scope.models.endpoint_of(self._asked.model)

        def is_known(number: int) -> bool:
            if endpoint is None:
                return False
            return scope.memo.find(request_key(replace(self._asked, sample=number), endpoint)) is not None

        return scope.numbers.next_unused(self._asked, is_known)

    async def admit(self, *, held: bool = False) -> None:
        """Wait until the request may be made: for a slot, the person, and room in the ledger.

        Args:
            held: Whether the person has let it pass already, in the place of another.

        Raises:
            LimitExceeded: It does not fit; nothing is spent.
            Stopped: The person has stopped the run.
        """
        scope, name = self._scope, self._asked.model
        endpoint = scope.models.endpoint_of(name)
        if endpoint is not None:
            self._key = request_key(self._numbered, endpoint)
            if not scope.fresh and (found := scope.memo.find(self._key)) is not None:
                self._found = found
                await self._wait_for_person(held)
                return
        await scope.slots.take(self._run_id)
        self._holds_slot = True
        await self._wait_for_person(held)
        await scope.models.prepare(name)
        await self._reserve()

    async def _wait_for_person(self, held: bool) -> None:
        if not held:
            await self._scope.control.gate("call")

    async def complete(self, node: Node, on_text: OnText | None = None) -> ModelReply:
        """Bring the reply; usage, attempts and whether it was known already are written into the node.

        Args:
            node: The turn or call it is for.
            on_text: Told the text as it comes, and answers whether to go on.

        Raises:
            ModelError: It failed for good.
            LimitExceeded: It failed, and there is no room to ask again.
        """
        if self._found is not None:
            self._answered = True
            node.started = node.started or time()
            if on_text is not None:
                await on_text(self._found.text)
            return self._found
        charged = 0
        while True:
            try:
                return await self._send(node, on_text)
            except ModelError as problem:
                charged += 1
                if not problem.retryable or problem.usage is None or self._told or charged > CHARGED_RETRIES:
                    raise
            await asyncio.sleep(BACKOFF * 2**charged)
            await self._reserve()

    def keep(self, reply: ModelReply) -> None:
        """Keep a reply under this request; done by `complete` for those that ended by themselves."""
        self._answered = True
        if self._key is not None:
            self._scope.memo.keep(self._key, self._numbered, reply)

    def close(self) -> None:
        """Give back what is held."""
        if self._reservation is not None:
            self._reservation.refund()
        if self._holds_slot:
            self._holds_slot = False
            self._scope.slots.give_back()
        if not self._answered:
            self._answered = True
            self._scope.numbers.give_back(self._asked, self.sample)

    async def _reserve(self) -> None:
        """Reserve the worst case; when what was spent meanwhile leaves less, a shorter reply."""
        scope = self._scope
        while True:
            self._bounded = scope.ledger.fit(self._numbered, scope.rates)
            try:
                self._reservation = await scope.ledger.reserve(worst_case(self._bounded, scope.rates))
            except LimitExceeded:
                if scope.ledger.fit(self._numbered, scope.rates) == self._bounded:
                    raise
            else:
                return

    async def _send(self, node: Node, on_text: OnText | None) -> ModelReply:
        scope, texts = self._scope, list[str]()
        model = scope.models.resolve(self._asked.model)

        async def tell(text: str) -> bool:
            texts.append(text)
            self._told = True
            return on_text is None or await on_text(text)

        async with scope.models.slots(self._asked.model).hold(self._run_id):
            started = time()
            if node.started is None:
                node.status, node.started = "running", started
                scope.changed(node)
            if self._key is not None:
                scope.memo.intent(self._key, node.id)
            try:
                reply = await model.complete(self._bounded, tell if on_text else None)
            except BaseException as problem:
                self._failed(node, problem, "".join(texts), time() - started)
                raise
        node.attempts += reply.attempts
        self._settle(node, reply)
        return reply

    def _settle(self, node: Node, reply: ModelReply) -> None:
        assert self._reservation is not None
        self._scope.spend(node, self._bounded, reply.usage, self._reservation)
        if reply.finish == "stop":
            self.keep(reply)
        elif self._key is not None:
            self._scope.memo.done(self._key, node.id)

    def _failed(self, node: Node, problem: BaseException, received: str, seconds: float) -> None:
        """Write down what a request has spent that brought no reply."""
        scope = self._scope
        if self._key is not None:
            scope.memo.done(self._key, node.id)
        usage = None
        if isinstance(problem, ModelError):
            node.attempts += problem.attempts
            usage = problem.usage
        if usage is None and (received or isinstance(problem, asyncio.CancelledError)):
            usage = replace(usage_of_cut(self._bounded, received, scope.rates), seconds=seconds)
        if usage is not None and self._reservation is not None:
            scope.spend(node, self._bounded, usage, self._reservation)
