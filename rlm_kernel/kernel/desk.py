"""What the kernel works with: the session, its models, its store. Made at the first need."""

from __future__ import annotations

import logging
import os
from collections import ChainMap
from dataclasses import replace
from typing import TYPE_CHECKING, cast, get_args

from rlm_kernel.engine.keeping import Keeping
from rlm_kernel.engine.settings import FRESH, POLICY, Policy, Settings
from rlm_kernel.errors import InputError
from rlm_kernel.ids import NodeId, RunId

if TYPE_CHECKING:
    from collections.abc import Callable, MutableMapping

    from rlm_kernel.engine.executor import Executor
    from rlm_kernel.engine.observer import Observer
    from rlm_kernel.engine.session import Session
    from rlm_kernel.kernel.pages import Pages
    from rlm_kernel.kernel.services import KernelServices, Message
    from rlm_kernel.models.registry import Registry
    from rlm_kernel.trace.records import Node
    from rlm_kernel.trace.tree import Tree

log = logging.getLogger(__name__)
LAST = "last"
EARLIER_RUNS = 20
"""Questions of earlier sessions that are shown; those before are found by their id."""


class Desk:
    """Holds the session, the registry of models and the store of one kernel.

    A kernel nobody asks anything starts fast: nothing of the engine but its store's front is imported before.

    Args:
        kernel: Publishes what is to be said.
        pages: Know the notebook's path.
    """

    def __init__(self, kernel: KernelServices, pages: Pages) -> None:
        self._kernel = kernel
        self._pages = pages
        self.environ: MutableMapping[str, str] = ChainMap({}, os.environ)
        """Where models look for keys and names: what was typed here, else the environment."""
        self.keeping = Keeping(self.say, self.notebook)
        self.keeping.watch(kernel.process.history)
        self.made: Session | None = None
        """The session, if there is one."""
        self.on_made: list[Callable[[Session], None]] = []
        """Called with the session when it is made."""
        self._heard: Message | None = None
        self._unsaid: list[str] = []
        self._missing: list[RunId] | None = None
        """Earlier questions that are still to become part of the session; ``None``: not looked for yet."""
        self._models: Registry | None = None
        self._executor: Executor | None = None
        self._observers: list[Observer] = []

    def furnish(self, executor: Executor, observers: list[Observer]) -> None:
        """Say what a session will be made with."""
        self._executor, self._observers = executor, observers

    @property
    def executor(self) -> Executor:
        """Runs the cells of the session."""
        if self._executor is None:
            raise RuntimeError("a session needs an executor")
        return self._executor

    @property
    def session(self) -> Session:
        """The session; made now if there is none."""
        if self.made is None:
            self.made = self._make()
            for call in self.on_made:
                call(self.made)
        return self.made

    def _make(self) -> Session:
        from rlm_kernel.engine.session import Session
        from rlm_kernel.host.pool import WarmPool
        from rlm_kernel.models.registry import Registry

        self._models = Registry(self.environ)
        return Session(
            self.executor,
            self._models,
            self._settings(),
            observers=[*self._observers, self.keeping],
            memo=self.keeping,
            recall=self.keeping.asked,
            pool=WarmPool(self._kernel.process),
            answers=self.keeping.answers,
        )

    def _settings(self) -> Settings:
        """Give what holds at the start, as the environment has it."""
        fresh, policy = (self.environ.get(name, "").strip() for name in (FRESH, POLICY))
        settings = Settings(fresh=fresh not in ("", "0"))
        return replace(settings, policy=cast("Policy", policy)) if policy in get_args(Policy) else settings

    @property
    def registry(self) -> Registry:
        """The models of the session."""
        _ = self.session
        if self._models is None:
            raise RuntimeError("the session makes the models")
        return self._models

    def models(self) -> list[str]:
        """Name the models that were used or are set, to choose from; none before the first question."""
        if self.made is None:
            return []
        used = (node.model for node in self.made.tree)
        return list(dict.fromkeys(name for name in (*self.made.models(), *used) if name))

    # -- nodes ----------------------------------------------------------------------------------------------------

    def find(self, node_id: str) -> Tree:
        """Give the tree with a node in it: also one of an earlier session, which becomes part of this one.

        Raises:
            InputError: It is nowhere.
        """
        session, run_id = self.session, RunId(node_id.partition("/")[0])
        if run_id not in session.tree and not self._adopt(run_id):
            raise InputError(f"There is no {node_id}.", "%rlm branches lists the questions of this notebook.")
        if node_id not in session.tree:
            raise InputError(f"There is no {node_id}.", f"rlm-kernel trace show {run_id} shows what there is.")
        return session.tree

    def find_node(self, name: str) -> Node:
        """Give a node by its id; where only the last part is given (``t2``, ``t2/c5``), of the last question.

        ``last`` is that question itself; it may stand before the parts too.

        Raises:
            InputError: It is nowhere.
        """
        if not name.startswith("run-") and (last := self._last_question()) is not None:
            head, _, tail = name.partition("/")
            below = tail if head == LAST else name
            name = f"{last}/{below}" if below else str(last)
        return self.find(name)[NodeId(name)]

    def _last_question(self) -> NodeId | None:
        self.catch_up()
        asked = [each for each in self.session.tree.children(None) if "opening" in each.details]
        # Those of earlier sessions are added as they are needed, so behind this session's own.
        return max(asked, key=lambda run: run.started or 0).id if asked else None

    def catch_up(self, most: int = EARLIER_RUNS) -> int:
        """Let the last earlier questions of this notebook be part of the session.

        Args:
            most: How many at a time.

        Returns:
            How many were added; 0: there are no more.
        """
        if self._missing is None:
            rows = self.keeping.of_notebook()[-EARLIER_RUNS:]
            self._missing = [row.id for row in rows if row.id not in self.session.tree]
        now, self._missing = self._missing[:most], self._missing[most:]
        return sum(self._adopt(run_id) for run_id in now if run_id not in self.session.tree)

    def _adopt(self, run_id: RunId) -> bool:
        found = self.session.adopt_family(run_id, self.keeping.tree_of)
        for run in found:
            self._kernel.process.history.adopt(self.keeping.entries(run.run_id))
        return bool(found)

    async def close(self) -> None:
        """End the run that lasts and give back what is held."""
        if self.made is not None:
            await self.made.close()
        if self._models is not None:
            await self._models.close()
        self.keeping.close()

    def notebook(self) -> str:
        """Name the notebook, so that it is the same one in the next kernel."""
        return self.environ.get("JPY_SESSION_NAME", "") or self._pages.path or os.getcwd()

    @property
    def heard(self) -> Message | None:
        """The last request that came to the session: what is to be said without being asked is said there."""
        return self._heard

    @heard.setter
    def heard(self, request: Message | None) -> None:
        self._heard = request
        if request is not None:
            unsaid, self._unsaid = self._unsaid, []
            for text in unsaid:
                self.say(text)

    def say(self, text: str) -> None:
        """Tell the person something they have not asked for."""
        log.warning("%s", text)
        if self._heard is None:
            self._unsaid.append(text)  # a page was opened, and nothing asked yet
        else:
            self._kernel.publish("stream", {"name": "stderr", "text": f"{text}\n"}, self._heard)
