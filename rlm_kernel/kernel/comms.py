"""Comms of two processes under one roof: widgets of the namespace, widgets of the kernel, and the pages' own comm."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from rlm_kernel.ids import MsgId
from rlm_kernel.kernel.channels import clean

if TYPE_CHECKING:
    from rlm_kernel.host.records import Published
    from rlm_kernel.kernel.services import Ident, Message

PAGE_TARGET = "rlm.lab"
WIDGET_TARGET = "jupyter.widget"
CONTROL_TARGET = "jupyter.widget.control"
Json = dict[str, Any]


@dataclass
class WidgetState:
    """What the page was last told of one widget: its state, and the binary parts by path."""

    state: Json = field(default_factory=dict)
    buffers: dict[tuple[Any, ...], bytes] = field(default_factory=dict)

    def update(self, data: Json, buffers: list[bytes]) -> None:
        """Apply the data of a ``comm_open`` or an ``update`` message."""
        state = data.get("state")
        paths = data.get("buffer_paths") or []
        if not isinstance(state, dict) or not isinstance(paths, list):
            return
        fresh = {tuple(path): bytes(part) for path, part in zip(paths, buffers, strict=False)}
        changed = {*state, *(path[0] for path in fresh if path)}
        self.buffers = {path: part for path, part in self.buffers.items() if path and path[0] not in changed} | fresh
        self.state.update(state)
        for path in fresh:
            if len(path) == 1:
                self.state.pop(path[0], None)


@dataclass
class Control:
    """A page's ``jupyter.widget.control`` comm."""

    refused: bool = False
    """The namespace has no widgets yet and closed it; the kernel answers alone."""
    asked: Message | None = None
    """The request for all states that the namespace has still to answer."""


class Host(Protocol):
    """What the comms need of the kernel."""

    def publish(
        self,
        msg_type: str,
        content: Json,
        parent: Message,
        metadata: Json | None = None,
        buffers: list[bytes] | None = None,
    ) -> None:
        """Send to every client."""
        ...

    async def to_namespace(self, kind: str, message: Message) -> None:
        """Give a comm message to the namespace; returns when it has been handled there."""
        ...

    def namespace_is_busy(self) -> bool:
        """Tell whether a cell runs there now, so that comm messages wait."""
        ...

    def page_opened(self, comm_id: str, data: Json, parent: Message) -> None:
        """A page with the extension is there."""
        ...

    def page_message(self, comm_id: str, data: Json, parent: Message) -> None:
        """A page says something."""
        ...

    def page_closed(self, comm_id: str) -> None:
        """A page is gone."""
        ...


class Comms:
    """Sends each comm message to its owner, and answers a page that asks for all widgets with those of both processes.

    The last state of each widget of the namespace is kept here too: a page that is reloaded while a long cell runs gets
    it at once, where the namespace itself could answer only after the cell.
    """

    def __init__(self, host: Host, manager: Any) -> None:
        self._host = host
        self._own = manager
        self._pages: set[str] = set()
        self._controls: dict[str, Control] = {}
        self._namespace: dict[str, str] = {}
        self._states: dict[str, WidgetState] = {}

    def info(self, target: str | None) -> dict[str, dict[str, str]]:
        """Give the open comms of both processes, or those with one target."""
        known = {comm_id: comm.target_name for comm_id, comm in self._own.comms.items()}
        known |= self._namespace
        return {comm_id: {"target_name": name} for comm_id, name in known.items() if target in (None, name)}

    # From the page

    async def comm_open(self, stream: Any, ident: Ident, message: Message) -> None:
        """A page opens a comm."""
        content = message["content"]
        comm_id, target = str(content["comm_id"]), str(content.get("target_name"))
        if target == PAGE_TARGET:
            self._pages.add(comm_id)
            self._host.page_opened(comm_id, content.get("data") or {}, message)
            return
        if target == CONTROL_TARGET:
            self._controls[comm_id] = Control(refused=self._host.namespace_is_busy())
            if self._controls[comm_id].refused:
                return
        else:
            self._namespace[comm_id] = target
            self._note(comm_id, content.get("data"), message.get("buffers"), target)
        await self._host.to_namespace("comm_open", message)

    async def comm_msg(self, stream: Any, ident: Ident, message: Message) -> None:
        """A page sends something over a comm."""
        content = message["content"]
        comm_id = str(content["comm_id"])
        if comm_id in self._pages:
            self._host.page_message(comm_id, content.get("data") or {}, message)
        elif comm_id in self._own.comms:
            self._own.comm_msg(stream, ident, message)
        elif comm_id in self._controls:
            await self._control(comm_id, message)
        else:
            self._note(comm_id, content.get("data"), message.get("buffers"))
            await self._host.to_namespace("comm_msg", message)

    async def comm_close(self, stream: Any, ident: Ident, message: Message) -> None:
        """A page closes a comm."""
        comm_id = str(message["content"]["comm_id"])
        if comm_id in self._pages:
            self._pages.discard(comm_id)
            self._host.page_closed(comm_id)
        elif comm_id in self._own.comms:
            self._own.comm_close(stream, ident, message)
        else:
            control = self._controls.pop(comm_id, None)
            self._forget(comm_id)
            if control is None or not control.refused:
                await self._host.to_namespace("comm_close", message)

    async def _control(self, comm_id: str, message: Message) -> None:
        control = self._controls[comm_id]
        if message["content"].get("data", {}).get("method") != "request_states":
            return
        if control.refused or self._host.namespace_is_busy():
            self._answer_alone(comm_id, message)
        else:
            control.asked = message
            await self._host.to_namespace("comm_msg", message)

    # From the namespace

    def from_namespace(self, message: Published) -> Published | None:
        """Note what a comm message of the namespace means, and give it as the page shall have it (or nothing)."""
        content = message.content
        comm_id = str(content.get("comm_id"))
        if comm_id in self._controls:
            return self._control_from_namespace(comm_id, message)
        if comm_id in self._own.comms or comm_id in self._pages:
            return None  # the namespace does not speak for others
        if message.msg_type == "comm_open":
            self._namespace[comm_id] = str(content.get("target_name"))
            self._note(comm_id, content.get("data"), message.buffers, self._namespace[comm_id])
        elif message.msg_type == "comm_close":
            self._forget(comm_id)
        else:
            self._note(comm_id, content.get("data"), message.buffers)
        return message

    def replaced(self, dead: list[str], live: list[str], parent: Message) -> None:
        """The namespace was put back or made anew: close in the page what it no longer has."""
        gone = [comm_id for comm_id in self._namespace if comm_id in dead or comm_id not in live]
        for comm_id in gone:
            self._forget(comm_id)
            self._host.publish("comm_close", {"comm_id": comm_id, "data": {}}, parent)

    def _control_from_namespace(self, comm_id: str, message: Published) -> Published | None:
        control = self._controls[comm_id]
        if message.msg_type == "comm_close":
            control.refused = True
            if control.asked is not None:
                self._answer_alone(comm_id, control.asked)
                control.asked = None
            return None
        data = message.content.get("data")
        if isinstance(data, dict) and data.get("method") == "update_states":
            control.asked = None
            merged = WidgetStates(data.get("states") or {}, data.get("buffer_paths") or [], list(message.buffers))
            merged.add_own()
            return message._replace(content={**message.content, "data": merged.data()}, buffers=merged.buffers)
        return message

    def _answer_alone(self, comm_id: str, request: Message) -> None:
        states = WidgetStates({}, [], [])
        for model_id, widget in self._states.items():
            states.add(model_id, widget.state, widget.buffers)
        states.add_own()
        self._host.publish("comm_msg", {"comm_id": comm_id, "data": states.data()}, request, buffers=states.buffers)

    def _note(self, comm_id: str, data: Any, buffers: Any, target: str | None = None) -> None:
        if target == WIDGET_TARGET:
            self._states[comm_id] = WidgetState()
        known = self._states.get(comm_id)
        if known is not None and isinstance(data, dict) and data.get("method", "update") == "update":
            known.update(data, list(buffers or ()))

    def _forget(self, comm_id: str) -> None:
        self._namespace.pop(comm_id, None)
        self._states.pop(comm_id, None)


@dataclass
class WidgetStates:
    """The body of an ``update_states`` message, as ``jupyter.widget.control`` has it."""

    states: Json
    buffer_paths: list[list[Any]]
    buffers: list[bytes]

    def data(self) -> Json:
        """Give it as the data of a comm message."""
        return {"method": "update_states", "states": self.states, "buffer_paths": self.buffer_paths}

    def add(self, model_id: str, state: Json, buffers: dict[tuple[Any, ...], bytes]) -> None:
        """Add one widget."""
        names = ("model_name", "model_module", "model_module_version")
        self.states[model_id] = {name: state.get(f"_{name}") for name in names} | {"state": state}
        self.buffer_paths += [[model_id, *path] for path in buffers]
        self.buffers += buffers.values()

    def add_own(self) -> None:
        """Add the widgets of this process, if it has any."""
        module = sys.modules.get("ipywidgets.widgets.widget")
        if module is None:
            return
        for model_id, widget in list(module._instances.items()):
            state, paths, buffers = module._remove_buffers(widget.get_state())
            self.add(model_id, clean(state), dict(zip(map(tuple, paths), map(bytes, buffers), strict=True)))


def parent_id(message: Message) -> MsgId:
    """Give the id under which the output of a request is published."""
    return MsgId(str(message["header"]["msg_id"]))
