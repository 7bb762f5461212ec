"""What views ask for, checked and done."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, cast, get_args

from rlm_kernel.engine.edits import Edit
from rlm_kernel.errors import InputError, RlmError
from rlm_kernel.panel.documents import write
from rlm_kernel.panel.feed import TEXT_PARTS, text_message
from rlm_kernel.panel.fields import fields, text
from rlm_kernel.panel.messages import (
    BranchesMessage,
    ComparedMessage,
    DetailMessage,
    ExportedMessage,
    Form,
    FoundMessage,
    ProblemMessage,
    QuotedMessage,
    ToldMessage,
)
from rlm_kernel.panel.passages import Passages
from rlm_kernel.panel.texts import detail_of, find
from rlm_kernel.trace.compare import compare

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping

    from rlm_kernel.engine.session import Session
    from rlm_kernel.panel.actions import Actions
    from rlm_kernel.panel.feed import Feed
    from rlm_kernel.panel.messages import ToView
    from rlm_kernel.trace.records import Node


PART_CHARS = 500_000
"""Characters of an exported document in one message."""


class Requests:
    """Answers what views say. A page is not trusted to be of our version: every field is checked.

    What is wrong (`RlmError`) is told to the views as a ``problem``; a message of an unknown kind is ignored.

    Args:
        session: What is shown and steered.
        actions: What only the kernel can do.
        feed: Sends pictures, and follows chosen nodes.
        send: Takes one message for the views.
    """

    def __init__(self, session: Session, actions: Actions, feed: Feed, send: Callable[[ToView], None]) -> None:
        self._session = session
        self._actions = actions
        self._feed = feed
        self._send = send
        self._tasks: set[asyncio.Task[None]] = set()
        self.passages = Passages(session, send, self._spawn)

    def answer(self, content: object) -> None:
        """Do what a message of a view asks for."""
        if not isinstance(content, dict):
            return
        do = self._ways().get(content.get("kind") if isinstance(content.get("kind"), str) else "")
        if do is None:
            return
        try:
            do(content)
        except RlmError as problem:
            self._problem(problem, content.get("id"))

    def close(self) -> None:
        """Give up what is under way."""
        for task in self._tasks:
            task.cancel()

    def _ways(self) -> dict[object, Callable[[Mapping[str, object]], None]]:
        return {
            "ready": self._ready,
            "alive": lambda told: self._feed.flush(),
            "detail": self._detail,
            "piece": self._piece,
            "watch": self._watch,
            "find": self._find,
            "export": self._export,
            "command": self._command,
            "decide": lambda told: self._session.gate.decide(text(told, "id"), fields(told, "decision")),
            "steer": lambda told: self._session.steer(text(told, "text")),
            "quote": self._quote,
            "rerun": self._rerun,
            "raise": self._raise,
            "branches": self._branches,
            "branch": self._branch,
            "jump": lambda told: self._actions.jump(text(told, "cell_id")),
            "undo": self._undo,
            **self.passages.ways(),
        }

    # ---- reading -----------------------------------------------------------------------------------------------

    def _ready(self, told: Mapping[str, object]) -> None:
        self._feed.snapshot(text(told, "view"))
        self.passages.welcome(text(told, "view"))

    def _detail(self, told: Mapping[str, object]) -> None:
        self._send(DetailMessage(kind="detail", texts=detail_of(self._session.tree, self._node(told))))

    def _piece(self, told: Mapping[str, object]) -> None:
        part, pos = text(told, "part"), told.get("pos")
        if part not in TEXT_PARTS or not isinstance(pos, int) or pos < 0:
            raise InputError(f"There is no piece {pos!r} of {part!r}.")
        self._send(text_message(self._node(told), part, pos))

    def _watch(self, told: Mapping[str, object]) -> None:
        self._feed.watch(text(told, "view"), self._node(told).id if told.get("id") is not None else None)

    def _find(self, told: Mapping[str, object]) -> None:
        wanted = text(told, "text")
        self._send(FoundMessage(kind="found", text=wanted, ids=list(find(self._session.tree, wanted))))

    def _export(self, told: Mapping[str, object]) -> None:
        node, form, view = self._node(told), text(told, "form"), text(told, "view")
        if form not in get_args(Form):
            raise InputError(f"A document cannot be {form!r}.", f"Give one of {', '.join(get_args(Form))}.")
        document = write(self._session.tree, node, cast("Form", form), below=bool(told.get("below")))
        starts = range(0, max(1, len(document)), PART_CHARS)
        for part, start in enumerate(starts):
            piece = document[start : start + PART_CHARS]
            message = ExportedMessage(
                kind="exported",
                view=view,
                id=node.id,
                form=cast("Form", form),
                part=part,
                parts=len(starts),
                text=piece,
            )
            self._send(message)

    # ---- steering ----------------------------------------------------------------------------------------------

    def _command(self, told: Mapping[str, object]) -> None:
        control = self._session.control
        commands = {"pause": control.pause, "resume": control.resume, "step": control.step, "stop": control.stop}
        command = commands.get(text(told, "name"))
        if command is not None:
            command()

    def _raise(self, told: Mapping[str, object]) -> None:
        limits = fields(told, "limits")
        for kind, value in limits.items():
            if not isinstance(value, int | float) or isinstance(value, bool) or value <= 0:
                raise InputError(f"The limit {kind} cannot be {value!r}.", "Give a number above 0.")
        self._actions.go_on(text(told, "run_id"), cast("dict[str, float | int]", limits))

    # ---- changing ----------------------------------------------------------------------------------------------

    def _quote(self, told: Mapping[str, object]) -> None:
        node = self._node(told)
        self._send(QuotedMessage(kind="quoted", quote=self._session.quote(node.id, self._edit(told, node))))

    def _rerun(self, told: Mapping[str, object]) -> None:
        node = self._node(told)
        edit = self._edit(told, node)
        edit.check(node)
        self._actions.rerun(node.id, edit.to_dict())

    def _edit(self, told: Mapping[str, object], node: Node) -> Edit:
        """Read an edit; where the person has run a changed cell and goes on from it, its text is what was run."""
        edit = Edit.from_dict(fields(told, "edit"))
        if edit.kind == "continue" and not edit.text and node.cell_id is not None:
            entry = self._session.history.of_cell(node.cell_id)
            return replace(edit, text=entry.code) if entry is not None else edit
        return edit

    def _branches(self, told: Mapping[str, object]) -> None:
        self._send_branches(self._node(told, "root"))

    def _branch(self, told: Mapping[str, object]) -> None:
        node, do = self._node(told), told.get("do")
        if do == "switch":
            self._actions.switch(node.id)
        elif do == "compare":
            other = self._node(told, "with")
            self._send(ComparedMessage(kind="compared", comparison=compare(self._session.tree, node.id, other.id)))
        elif do == "name":
            self._session.name_branch(node.id, text(told, "name"))
            self._send_branches(node)
        elif do == "delete":
            family = [each["id"] for each in self._session.branches(node.id) if each["id"] != node.id]
            self._session.delete_branch(node.id)
            if family and family[0] in self._session.tree:
                self._send_branches(self._session.tree[family[0]])  # type: ignore[index]

    def _send_branches(self, node: Node) -> None:
        self._send(BranchesMessage(kind="branches", root=node.id, branches=self._session.branches(node.id)))

    def _undo(self, told: Mapping[str, object]) -> None:
        cell_id = text(told, "cell_id")

        async def undo() -> None:
            self._send(ToldMessage(kind="told", text=await self._actions.undo(cell_id)))

        self._spawn(undo())

    def _spawn(self, work: Coroutine[object, object, None]) -> None:
        """Do beside everything else what takes time."""

        async def do() -> None:
            try:
                await work
            except RlmError as problem:
                self._problem(problem, None)

        task = asyncio.get_running_loop().create_task(do())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # ---- fields ------------------------------------------------------------------------------------------------

    def _node(self, told: Mapping[str, object], name: str = "id") -> Node:
        node_id = text(told, name)
        if node_id not in self._session.tree:
            raise InputError("This is not in the tree any more.", "Choose another node.")
        return self._session.tree[node_id]  # type: ignore[index]

    def _problem(self, problem: RlmError, about: object) -> None:
        node = about if isinstance(about, str) and about in self._session.tree else None
        self._send(ProblemMessage(kind="problem", text=problem.message, remedy=problem.remedy, about=node))
