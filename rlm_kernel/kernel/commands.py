"""What ``%rlm`` does in a line of a cell, and its help."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from rlm_kernel.errors import InputError
from rlm_kernel.kernel import magics

if TYPE_CHECKING:
    from rlm_kernel.engine.settings import Settings
    from rlm_kernel.ids import MsgId
    from rlm_kernel.kernel.desk import Desk
    from rlm_kernel.kernel.dock import Dock
    from rlm_kernel.kernel.livecells import LiveCells
    from rlm_kernel.kernel.services import KernelServices

Json = dict[str, Any]
SAID = {"pause": "Paused.", "resume": "Going on.", "step": "One step.", "stop": "Stopping."}


class Commands:
    """Does what a ``%rlm`` line says: settings, the key, the panel, steering.

    Args:
        kernel: Asks the person for the key.
        desk: Has the session.
        cells: Know which cells are the model's: these may not use ``%rlm``.
        dock: Shows the panel.
    """

    def __init__(self, kernel: KernelServices, desk: Desk, cells: LiveCells, dock: Dock) -> None:
        self._kernel = kernel
        self._desk = desk
        self._cells = cells
        self._dock = dock

    async def line(self, line: str, parent: MsgId | None = None) -> str:
        """Answer ``%rlm …`` in a cell with the text to print.

        Raises:
            InputError: The line cannot be used.
        """
        session = self._desk.session
        if parent is not None and self._cells.runs(parent):
            raise InputError("A cell of the model cannot use %rlm: settings are the person's.")
        read = magics.read_line(line, session.settings)
        if isinstance(read, magics.Command):
            if read.name == "key":
                return await self._take_key(parent)
            return self._dock.open(parent) if read.name == "panel" else self.order(read)
        if read is not None:
            self._check_models(read)
            self._set(read)
        return magics.show(session.settings, self._desk.registry, self._spent(), self._desk.keeping.where())

    def _set(self, settings: Settings) -> None:
        """Take settings; what they say of approval holds for the run that lasts too."""
        session = self._desk.session
        before, gate = session.settings, session.gate
        for name in ("approve", "quote", "policy"):
            if getattr(settings, name) != getattr(before, name):
                gate.settings = replace(gate.settings, **{name: getattr(settings, name)})
        session.settings = settings

    def order(self, command: magics.Command) -> str:
        """Obey what a person says to the run that lasts; gives the text to print.

        Raises:
            InputError: There is no run, or nothing waits for what is decided.
        """
        session = self._desk.session
        if command.name in ("continue", "rerun", "undo", "branches"):
            raise InputError(f"%rlm {command.name} must be the only line of its cell.")
        if command.name == "steer":
            session.steer(command.text)
            going = session.current is not None
            return f"The model is told {'with its next turn' if going else 'when the run goes on: %rlm continue'}."
        if command.name in ("approve", "reject"):
            waiting_id, decision = magics.read_decision(command, session.gate.waiting)
            session.gate.decide(waiting_id, decision)
            return {"approve": "Approved.", "reject": "Refused."}[command.name]
        return self.steer(command.name)

    async def _take_key(self, parent: MsgId | None) -> str:
        """Ask for the API key; it goes neither into the notebook nor into the process that runs cells."""
        request = self._kernel.request_of(parent) if parent is not None else None
        if request is None or not request["content"].get("allow_stdin", False):
            raise InputError("This client cannot be asked for a key.", "Set OPENAI_API_KEY before starting.")
        key = (await self._kernel.input("API key: ", True, parent)).strip()
        if not key:
            raise InputError("No key was typed: the one before stays.")
        self._desk.environ["OPENAI_API_KEY"] = key
        return "The key is taken; ask again."

    def _check_models(self, settings: Settings) -> None:
        """Refuse a model that cannot be used before it is set."""
        for name in (settings.model, settings.sub_model):
            if name is not None:
                self._desk.registry.resolve(name)

    def _spent(self) -> str:
        from rlm_kernel.usage import Usage

        tree = self._desk.session.tree
        runs = tree.children(None)
        usage, cached = sum((tree.total(run.id) for run in runs), Usage()), sum(tree.cached(run.id) for run in runs)
        return usage.describe(cached) if usage.calls or cached else ""

    def steer(self, name: str) -> str:
        """Pause, resume, step or stop.

        Raises:
            InputError: No run is going.
        """
        control = self._desk.session.control
        if control.state == "idle":
            raise InputError(f"No run is going: there is nothing to {name}.")
        if control.needs_decision and name in ("resume", "step"):
            raise InputError("The run waits for your decision.", "Give %rlm approve or %rlm reject.")
        {"pause": control.pause, "resume": control.resume, "step": control.step, "stop": control.stop}[name]()
        return SAID[name]

    def complete(self, code: str, pos: int) -> Json | None:
        """Complete options and values on our lines; ``None``: not ours."""
        return magics.complete(code, pos, self._model_names())

    def _model_names(self) -> set[str]:
        made = self._desk.made
        if made is None:
            return set()
        settings, registry = made.settings, self._desk.registry
        named = {settings.model, settings.sub_model, registry.default_root(), registry.default_sub()}
        return {name for name in (*named, *(node.model for node in made.tree)) if name}

    def inspect(self, code: str, pos: int) -> Json | None:
        """Give help on our lines; ``None``: not ours."""
        return magics.inspect(code, pos)
