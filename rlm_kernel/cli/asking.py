"""One question from the terminal: a namespace process, the engine, Ctrl-C; no Jupyter."""

from __future__ import annotations

import asyncio
import re
import signal
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from rlm_kernel.cli.terminal import make_screen, plain
from rlm_kernel.contexts.load import missing
from rlm_kernel.contexts.names import shown
from rlm_kernel.engine.keeping import Keeping
from rlm_kernel.engine.observer import Observer
from rlm_kernel.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from rlm_kernel.cli.progress import Progress
    from rlm_kernel.cli.terminal import Screen
    from rlm_kernel.engine.executor import CellResult
    from rlm_kernel.engine.session import Session
    from rlm_kernel.engine.settings import Settings
    from rlm_kernel.host.executor import ProcessExecutor
    from rlm_kernel.host.records import Published
    from rlm_kernel.ids import NodeId
    from rlm_kernel.trace.records import Node
    from rlm_kernel.trace.tree import Tree

PATTERN = re.compile(r"[*?\[]")
AS_IN_CODE = re.compile(r'\b(kind|encoding)="([^"]*)"')


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, and of what."""

    text: str
    setup: str
    """The code that loads the context; stands in the notebook too."""
    settings: Settings
    tell: Callable[[str], None] | None = None
    """Is told what was left out of the context."""

    async def prepare(self, session: Session, executor: ProcessExecutor, keeping: Keeping) -> None:
        """Load the context.

        Raises:
            InputError: It cannot be loaded.
        """
        for note in await _load(executor, self.setup):
            if self.tell is not None:
                self.tell(note)

    async def work(self, session: Session) -> Node:
        """Have it answered."""
        return await session.ask(self.text)


class Job(Protocol):
    """What a command has a session do."""

    @property
    def setup(self) -> str:
        """The code that loads the context; empty where there is none."""
        ...

    @property
    def settings(self) -> Settings:
        """What holds."""
        ...

    async def prepare(self, session: Session, executor: ProcessExecutor, keeping: Keeping) -> None:
        """Do what comes before the run; the namespace has been started."""
        ...

    async def work(self, session: Session) -> Node:
        """Do the run."""
        ...


@dataclass(slots=True)
class Asked:
    """What came of a question."""

    tree: Tree | None = None
    run: Node | None = None
    """The run's node; ``None`` where it was interrupted before the run began."""
    results: dict[NodeId, CellResult] = field(default_factory=dict)
    setup: str = ""

    def write_notebook(self, path: Path) -> bool:
        """Write the run with the model's cells; gives whether there was one to write."""
        from rlm_kernel.notebook.write import write_run_notebook

        if self.tree is None or self.run is None:
            return False
        write_run_notebook(path, self.tree, self.run, self.results, [self.setup])
        return True


class Results(Observer):
    """Keeps what the cells did, for the notebook."""

    def __init__(self, kept: dict[NodeId, CellResult]) -> None:
        self._kept = kept

    def cell_ended(self, node: Node, result: CellResult) -> None:
        """Keep it by the turn's id."""
        self._kept[node.id] = result


class Stopper:
    """Turns Ctrl-C into a stop of the run that keeps what there is; a second one gives up at once."""

    def __init__(self) -> None:
        self.session: Session | None = None
        self.task: asyncio.Task[Asked] | None = None
        self.pressed = False
        self._muted = False

    def mute(self, muted: bool) -> None:
        """Leave Ctrl-C to another program that has the terminal, or take it back."""
        self._muted = muted

    def press(self) -> None:
        """Stop."""
        if self._muted:
            return
        if self.session is not None and self.session.control.state in ("running", "paused") and not self.pressed:
            self.session.control.stop()
        elif self.task is not None:
            self.task.cancel()
        self.pressed = True


def load_code(paths: list[Path], kind: str | None = None, encoding: str | None = None) -> str:
    """Write the cell that loads the context: one document, also of several files, of folders and of patterns.

    Args:
        paths: What to load.
        kind: The format, where the person says it.
        encoding: That of texts, where the person says it.

    Raises:
        InputError: There is nothing of that name.
    """
    for path in paths:
        _check_there(path)
    written = [repr(str(path.absolute())) for path in paths]
    written += [f"{name}={value!r}" for name, value in (("kind", kind), ("encoding", encoding)) if value]
    if len(paths) == 1:
        return f"load({', '.join(written)})"
    return "\n".join(["load(", *(f"    {each}," for each in written), ")"])


def _check_there(path: Path) -> None:
    """Say what is not there before Python is started.

    Raises:
        InputError: There is no such file or folder.
    """
    if PATTERN.search(str(path)):
        return
    try:
        there = path.exists()
        problem = missing(path, str(path)) if not there else None
    except OSError as error:
        raise InputError(f"{shown(path)} cannot be found: {error.strerror}.") from error
    if problem is not None:
        raise InputError(problem.message, problem.remedy)


def ask(question: Job, progress: Progress | None, screen: Screen | None = None) -> Asked:
    """Ask, and give what came of it; an interrupted run too.

    Args:
        question: What is asked.
        progress: Shows the run while it lasts.
        screen: When its reader goes away, the run is stopped.

    Raises:
        RlmError: The question could not be asked: the document cannot be loaded, a model's name is unusable.
    """
    stopper = Stopper()
    if screen is not None:
        screen.on_gone = stopper.press

    def tell(text: str) -> None:
        errors.print(f"rlm-kernel: {plain(text)}", soft_wrap=True)

    errors = screen or make_screen(errors=True)
    keeping = Keeping(tell)
    try:
        return asyncio.run(_ask(question, progress, stopper, keeping))
    finally:
        if progress is not None:
            progress.close()


async def _ask(question: Job, progress: Progress | None, stopper: Stopper, keeping: Keeping) -> Asked:
    loop = asyncio.get_running_loop()
    asked = Asked(setup=question.setup)
    stopper.task = asyncio.create_task(_converse(question, progress, stopper, asked, keeping))
    try:
        loop.add_signal_handler(signal.SIGINT, stopper.press)
    except NotImplementedError:
        # Windows: asyncio.run cancels this task at Ctrl-C, which stops the run as well.
        stopper.pressed = False
    try:
        return await stopper.task
    except asyncio.CancelledError:
        return asked


async def _converse(
    question: Job, progress: Progress | None, stopper: Stopper, asked: Asked, keeping: Keeping
) -> Asked:
    from rlm_kernel.cli.deciding import Decider
    from rlm_kernel.engine.session import Session
    from rlm_kernel.host.executor import ProcessExecutor
    from rlm_kernel.host.pool import WarmPool
    from rlm_kernel.models.registry import Registry

    if progress is not None:
        progress.open("starting Python")
    observers = [Results(asked.results), keeping, *([progress] if progress is not None else [])]
    executor, models = ProcessExecutor(on_published=_live(progress, asked)), Registry()
    keeping.watch(executor.history)
    pool, answers = WarmPool(executor.process), keeping.answers
    session = Session(executor, models, question.settings, observers, keeping, pool=pool, answers=answers)
    there: set[NodeId] = set()
    try:
        await executor.start()
        await question.prepare(session, executor, keeping)
        there |= {run.id for run in session.tree.children(None)}
        stopper.session = session
        if progress is not None:
            progress.watch(session.control)
        Decider(session, make_screen(errors=True), progress, stopper.mute).attend()
        asked.tree = session.tree
        asked.run = await question.work(session)
    finally:
        if asked.tree is not None and asked.run is None:
            asked.run = next((run for run in asked.tree.children(None) if run.id not in there), None)
        stopper.session = None
        await session.close()
        await executor.close()
        await models.close()
        keeping.close()
    return asked


def _live(progress: Progress | None, asked: Asked) -> Callable[[Published], None]:
    """Make what shows how far the loading is, by the lines that ``load`` prints, and then what cells print."""

    def show(message: Published) -> None:
        if progress is None or message.msg_type != "stream":
            return
        text = str(message.content.get("text", ""))
        if asked.tree is not None:
            progress.printed(text)
        elif message.content.get("name") == "stderr" and text.strip().startswith("Loading "):
            progress.open(text.strip())

    return show


async def _load(executor: ProcessExecutor, code: str) -> list[str]:
    """Load the context, and give what its reader should know: files that were left out."""
    result = await executor.run_person_cell(code)
    if result.status == "ok":
        shown = [output for output in result.outputs if output.get("output_type") == "execute_result"]
        return _notes(str(shown[-1].get("data", {}).get("text/plain", ""))) if shown else []
    errors = [output for output in result.outputs if output.get("output_type") == "error"]
    said = str(errors[-1].get("evalue") or errors[-1].get("ename")) if errors else "The context cannot be loaded."
    # The remedy names what `load` takes; here these are options of the command.
    raise InputError(AS_IN_CODE.sub(r"--\1 \2", said))


def _notes(shown: str) -> list[str]:
    """Take the notes from what a document of several files shows: they stand before the line of the first file."""
    lines = shown.split("\n")[1:]
    first = next((number for number, line in enumerate(lines) if line.startswith("=== ")), 0)
    return [line.partition(": see .notes")[0] for line in lines[:first]]
