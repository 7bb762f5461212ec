"""Questions from a plain Python script: ask, look at what came of it, change something, ask on."""

from __future__ import annotations

import asyncio
import atexit
import logging
import threading
from os import PathLike
from typing import TYPE_CHECKING, TypeVar, cast

from rlm_kernel.contexts.sending import sendable, unfit
from rlm_kernel.contexts.walk import expanded
from rlm_kernel.engine.edits import Edit
from rlm_kernel.engine.settings import OPTIONS, Settings, change
from rlm_kernel.errors import InputError
from rlm_kernel.ids import NodeId

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping

    from rlm_kernel.contexts.cited import CitationDict
    from rlm_kernel.engine.branches import BranchDict
    from rlm_kernel.engine.edits import EditKind
    from rlm_kernel.engine.evidence import CoverageDict
    from rlm_kernel.engine.quoting import QuoteDict
    from rlm_kernel.engine.session import Session
    from rlm_kernel.trace.records import Node, Outcome
    from rlm_kernel.trace.tree import Tree
    from rlm_kernel.usage import Usage

T = TypeVar("T")
Value = str | int | float | bool | None
log = logging.getLogger(__name__)

GIVE_UP = 30.0
"""Seconds that processes get to end when the script does."""


def ask(question: str, *paths: str | PathLike[str], context: object = None, **settings: Value) -> Run:
    """Ask a question about a document or any data, and wait for the answer.

    Args:
        question: What you want to know.
        paths: Files or folders that become the context, as `load` reads them.
        context: What the context is instead: a text, what `load` gave, or lists and dicts of texts and numbers.
        settings: ``model``, ``sub_model``, limits (``cost_usd``, ``tokens``, ``calls``, ``turns``, ``depth``,
            ``seconds``, ``concurrency``), ``approve``, ``policy``, ``quote``, ``fresh``; a limit of ``None`` is none.

    Returns:
        The run, also where there is no answer: see its ``outcome``.

    Raises:
        InputError: There is no question or no context, a file cannot be read, or a setting is unknown.
    """
    read, load = read_settings(settings), _load_code(paths)
    if not question.strip():
        raise InputError("The question is empty.", 'Give it as the first argument: ask("What …?", "report.pdf").')
    if bool(paths) == (context is not None):
        raise InputError("There is no context." if not paths else "There are two contexts.", "Give paths or context=….")
    if reason := unfit(context):
        raise InputError(reason, "Give a text or a document, or lists and dicts of texts and numbers.")
    talk = Talk(read)
    try:
        node = talk.wait(talk.ask(question, load, context))
    except BaseException:
        talk.close()
        raise
    return Run(talk, node)


class Run:
    """One question and what came of it.

    Its Python process lives until `close`, or the end of the script, so that parts of it can be run again.
    """

    def __init__(self, talk: Talk, node: Node) -> None:
        self._talk = talk
        self.node = node
        """The run's node in the tree: its id, question, times, model."""

    @property
    def answer(self) -> str:
        """The answer; where there is none, the best there was, which may be empty."""
        return self.node.reply

    @property
    def outcome(self) -> Outcome:
        """``answered``, ``limit``, ``failed`` or ``stopped``."""
        return self.node.outcome or "stopped"

    @property
    def error(self) -> str:
        """Why there is no answer, with what can be done about it; empty where there is one."""
        return f"{self.node.error or ''} {self.node.remedy}".strip()

    @property
    def tree(self) -> Tree:
        """All runs of this question, with their turns and calls."""
        return self._talk.session.tree

    @property
    def turns(self) -> list[Node]:
        """What the model did, turn by turn."""
        return [node for node in self.tree.children(self.node.id) if node.kind == "turn"]

    @property
    def usage(self) -> Usage:
        """What this run spent in all."""
        return self.tree.total(self.node.id)

    @property
    def citations(self) -> list[CitationDict]:
        """What the answer quotes and cites, looked up in the context: ``status`` is found, differs or not found."""
        from rlm_kernel.engine.evidence import citations_of

        return citations_of(self.node)

    @property
    def coverage(self) -> CoverageDict | None:
        """Which parts of the context calls have read; ``None`` where none was made, or that is not known."""
        from rlm_kernel.engine.evidence import coverage_of

        return coverage_of(self.node)

    @property
    def branches(self) -> list[BranchDict]:
        """This run and all that came of the same question by changing something."""
        return self._talk.session.branches(self.node.id)

    def quote(self, node: Node | str | None = None, **edit: str | bool | None) -> QuoteDict:
        """Say what `rerun` with the same arguments would do and cost."""
        return self._talk.do(lambda: self._talk.session.quote(self._id(node), _edit(edit)))

    def rerun(
        self,
        node: Node | str | None = None,
        *,
        again: bool = False,
        prompt: str | None = None,
        reply: str | None = None,
        code: str | None = None,
        model: str | None = None,
        hint: str | None = None,
        anyway: bool = False,
    ) -> Run:
        """Run a part of this question again, with one thing changed; what did not change is not paid again.

        Args:
            node: The run, turn or call that is changed: a node of `tree`, its id, or the last part of it
                (``t2``, ``t1/c13``); without it, the question itself.
            again: Ask the model once more.
            prompt: Another prompt; of a run, another question.
            reply: A reply in the place of the model's.
            code: Another cell, of a turn.
            model: Ask another model.
            hint: Tell the model something before it writes this turn.
            anyway: Go on where Python's state cannot be restored exactly.

        Returns:
            The new run; this one stays as it is.

        Raises:
            InputError: This cannot be changed in this way.
            Diverged: Python's state cannot be restored exactly; nothing was paid.
        """
        wanted = {"again": again, "prompt": prompt, "reply": reply, "code": code, "model": model, "hint": hint}
        edit = _edit({**wanted, "anyway": anyway})
        if self._talk.closed:
            raise InputError(
                "The Python process of this question has ended: the run was closed.",
                f"Ask again, or run a part of it again in a terminal: rlm-kernel rerun {self.node.id} …",
            )
        node = self._talk.wait(self._talk.session.rerun(self._id(node), edit))
        return Run(self._talk, node)

    def close(self) -> None:
        """End the Python process of this question and of its branches."""
        self._talk.close()

    def __bool__(self) -> bool:
        """Tell whether there is an answer."""
        return self.outcome == "answered"

    def __repr__(self) -> str:
        """Show question, outcome and cost."""
        return f"<Run {self.node.id} {self.outcome}: {self.node.label!r}, {self.tree.spent(self.node.id)}>"

    def _id(self, node: Node | str | None) -> NodeId:
        if node is None:
            return self.node.id
        if not isinstance(node, str):
            return node.id
        if node in self.tree:
            return NodeId(node)
        below = NodeId(f"{self.node.id}/{node}")
        if below not in self.tree:
            turns = ", ".join(turn.id.rpartition("/")[2] for turn in self.turns) or "no turns"
            raise InputError(
                f"This run has no node {node!r}.", f"It has {turns}; their calls are named t1/c1, and are in run.tree."
            )
        return below


class Talk:
    """A session with its namespace and models, on a loop in a thread of its own: a script's own loop is left alone.

    Args:
        settings: What holds.
    """

    def __init__(self, settings: Settings) -> None:
        from rlm_kernel.engine.keeping import Keeping
        from rlm_kernel.engine.session import Session
        from rlm_kernel.host.executor import ProcessExecutor
        from rlm_kernel.host.pool import WarmPool
        from rlm_kernel.models.registry import Registry

        self._loop = _loop()
        self._keeping = Keeping(log.warning)
        self._models = Registry()
        self.closed = False
        """Whether its process has ended."""

        def make() -> tuple[ProcessExecutor, Session]:
            executor = ProcessExecutor()
            self._keeping.watch(executor.history)
            pool, keeping = WarmPool(executor.process), self._keeping
            made = Session(executor, self._models, settings, [keeping], keeping, pool=pool, answers=keeping.answers)
            return executor, made

        self._executor, self.session = self.do(make)
        atexit.register(self.close)

    async def ask(self, question: str, load: str, context: object) -> Node:
        """Load the context, and ask."""
        await self._executor.start()
        if not load:
            value, load = sendable(context)
            await self._executor.set_variable("context", value)
        if load:
            loaded = await self._executor.run_person_cell(load)
            if loaded.status != "ok":
                errors = [output for output in loaded.outputs if output.get("output_type") == "error"]
                raise InputError(str(errors[-1].get("evalue")) if errors else "The context cannot be loaded.")
        return await self.session.ask(question)

    def do(self, work: Callable[[], T]) -> T:
        """Call a function on the loop, and give what it gives."""

        async def called() -> T:
            return work()

        return asyncio.run_coroutine_threadsafe(called(), self._loop).result()

    def wait(self, work: Coroutine[object, object, T]) -> T:
        """Have something done on the loop; Ctrl-C stops the run, and what there is comes back."""
        future = asyncio.run_coroutine_threadsafe(cast("Coroutine[None, None, T]", work), self._loop)
        try:
            return future.result()
        except KeyboardInterrupt:
            if self.session.control.state == "idle":
                future.cancel()
                raise
            self._loop.call_soon_threadsafe(self.session.control.stop)
            return future.result()

    def close(self) -> None:
        """Stop what lasts, and end the processes."""
        if self.closed:
            return
        self.closed = True
        atexit.unregister(self.close)
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(GIVE_UP)

    async def _end(self) -> None:
        await self.session.close()
        await self._executor.close()
        await self._models.close()
        self._keeping.close()


def read_settings(given: Mapping[str, Value]) -> Settings:
    """Read settings by their names.

    Raises:
        InputError: One is unknown, or its value is not allowed.
    """
    options = {option.name: option for option in OPTIONS if option.name and option.sets}
    chosen: dict[str, Value] = {}
    for name, value in given.items():
        option = options.get(name)
        if option is None:
            raise InputError(f"There is no setting {name!r}.", f"There are {', '.join(sorted(options))}.")
        if option.kind == "flag":
            chosen[name] = bool(value)
        elif value is None and option.kind == "model":
            chosen[name] = None
        else:
            try:
                chosen[name] = option.read("none" if value is None else str(value))
            except InputError as error:
                raise InputError(error.message.replace(option.flag, name, 1), error.remedy) from error
    return change(Settings(), chosen)


def _edit(given: Mapping[str, str | bool | None]) -> Edit:
    """Read which change is wanted."""
    kinds = [name for name in ("again", "prompt", "reply", "code", "hint") if given.get(name) not in (None, False)]
    model = given.get("model")
    if len(kinds) > 1 or not (kinds or model):
        raise InputError("One thing can be changed at a time.", "Give again, prompt, reply, code, model or hint.")
    kind = kinds[0] if kinds else "model"
    text = given.get(kind)
    return Edit(
        cast("EditKind", kind),
        text if isinstance(text, str) and kind != "model" else "",
        model if isinstance(model, str) else None,
        bool(given.get("anyway")),
    )


def _load_code(paths: tuple[object, ...]) -> str:
    written = []
    for path in paths:
        if not isinstance(path, str | PathLike):
            kind = type(path).__name__
            raise InputError(f"A path cannot be a {kind}.", "Give each as an argument: ask(question, *paths).")
        written.append(repr(str(expanded(str(path)).absolute())))
    return f"load({', '.join(written)})" if written else ""


_thread: list[asyncio.AbstractEventLoop] = []
_lock = threading.Lock()


def _loop() -> asyncio.AbstractEventLoop:
    """Give the loop that all questions of this process share."""
    with _lock:
        if not _thread:
            loop = asyncio.new_event_loop()
            threading.Thread(target=loop.run_forever, name="rlm-kernel", daemon=True).start()
            _thread.append(loop)
        return _thread[0]
