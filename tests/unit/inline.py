"""For tests of the engine: an executor that runs cells by `exec` in a thread, and an observer that writes all down."""

from __future__ import annotations

import ast
import asyncio
import concurrent.futures
import contextlib
import copy
import io
import json
import threading
import traceback
from dataclasses import replace
from typing import TYPE_CHECKING

from rlm_kernel.engine.executor import (
    AnswerState,
    CellRequest,
    CellResult,
    ContextInfo,
    NamespaceInfo,
    Output,
    QueryDict,
    QueryHandler,
    Redone,
    ReplyDict,
)
from rlm_kernel.engine.history import Entry, History
from rlm_kernel.engine.observer import Observer
from rlm_kernel.engine.shown import shown

if TYPE_CHECKING:
    from collections.abc import Callable

    from rlm_kernel.engine.observer import Part
    from rlm_kernel.trace.records import Node
    from rlm_kernel.trace.tree import Tree


class InlineExecutor:
    """The namespace is a dict; `wait` and `llm_query` of the cells react to an interrupt, other code does not."""

    def __init__(self, context: str | None = "one two three\n" * 100) -> None:
        self.names: dict[str, object] = {} if context is None else {"context": context}
        self.history = History()
        self.states: dict[str, dict[str, object]] = {}
        """The names before each entry, and those that were parked; drop some to have cells done again."""
        self.restored: list[str] = []
        self._first = dict(self.names)
        self.cells: list[str] = []
        self.begun = 0
        self.ended = 0
        self.before_cell: Callable[[], object] = lambda: None
        self._queries: QueryHandler | None = None
        self._interrupted = threading.Event()
        self._count = 0

    async def look(self, kind, fields):
        return {}

    async def describe(self) -> NamespaceInfo:
        names = [
            {"name": name, "type": type(value).__name__, "size": ""}
            for name, value in self.names.items()
            if not name.startswith("_") and name != "answer" and not callable(value)
        ]
        context = self.names.get("context")
        if not isinstance(context, str):
            return NamespaceInfo(context=None, names=names)
        info = ContextInfo(
            type="str",
            source="test.txt",
            chars=len(context),
            lines=context.count("\n"),
            structure="",
            head=context[:20],
            tail=context[-20:],
        )
        return NamespaceInfo(context=info, names=names)

    async def begin(self, queries: QueryHandler, *, goes_on: bool = False) -> None:
        self.begun += 1
        self._queries = queries
        self._note("begin")
        if not goes_on:
            self.names["answer"] = {"content": "", "ready": False}

    async def run_cell(self, cell: CellRequest) -> CellResult:
        self.before_cell()
        self.cells.append(cell.code)
        return await self._cell(cell.code, cell_id=cell.cell_id, node_id=cell.node_id)

    async def person_cell(self, code: str, cell_id: str | None = None) -> CellResult:
        """Run a cell of the person."""
        self.names.setdefault("answer", {"content": "", "ready": False})
        return await self._cell(code, cell_id=cell_id, author="person")

    async def _cell(self, code: str, **what: object) -> CellResult:
        before = self._copy()
        result = await self._do(code)
        told = {"code": code, "count": result.execution_count, "status": result.status, "outputs": result.outputs}
        entry = self._note("cell", before, **{"author": "model", **told, "shown": shown(result.outputs), **what})
        return replace(result, entry=entry.id)

    def _note(self, kind: str, before: dict[str, object] | None = None, **what: object) -> Entry:
        entry_id = f"e{len(self.history) + 1}"
        self.states[entry_id] = self._copy() if before is None else before
        return self.history.add(Entry(entry_id, self.history.current, kind, **what))  # type: ignore[arg-type]

    def _copy(self) -> dict[str, object]:
        def copied(value: object) -> object:
            if callable(value):
                return value
            try:
                return copy.deepcopy(value)
            except TypeError:
                return value

        return {name: copied(value) for name, value in self.names.items() if name != "__builtins__"}

    def can_restore(self, state: str) -> bool:
        return state in self.states

    async def restore(self, state: str) -> bool:
        if state not in self.states:
            return False
        self.restored.append(state)
        self.names = dict(self.states[state])
        self.names = self._copy()
        self.history.move(state.removeprefix("after:") if ":" in state else self.history.entry(state).after)
        self._count = sum(entry.kind == "cell" for entry in self.history.here())
        return True

    async def park(self, key: str) -> bool:
        self.states[key] = self._copy()
        return True

    async def renew(self) -> None:
        self.names = dict(self._first)
        self.history.move(None)
        self._count = 0

    async def redo(self, entry: Entry, queries: QueryHandler) -> Redone:
        self._queries = queries
        if entry.kind == "begin":
            self.names["answer"] = {"content": "", "ready": False}
        result = None
        if entry.kind == "set":
            told = json.loads(entry.code)
            self.names[told["name"]] = told["value"]
        if entry.kind == "cell":
            self.names.setdefault("answer", {"content": "", "ready": False})
            result = await self._do(entry.code)
        self.history.move(entry.id)
        return Redone() if result is None else Redone(result.status, result.outputs)

    async def _do(self, code: str) -> CellResult:
        self._count += 1
        self._interrupted.clear()
        loop = asyncio.get_running_loop()
        self.names |= {
            "wait": self._wait,
            "FINAL": self._final,
            "FINAL_VAR": lambda name: self._final(self.names[name]),
        }
        self.names["llm_query"] = lambda prompt, model=None: self._query(loop, [prompt], model, batched=False)[0]
        self.names["llm_query_batched"] = lambda prompts, model=None: self._query(loop, prompts, model, batched=True)
        return await asyncio.to_thread(self._run, code)

    async def end(self) -> None:
        self.ended += 1
        self._note("end")
        self._queries = None

    async def set_variable(self, name: str, value: object) -> None:
        self._note("set", code=json.dumps({"name": name, "value": value}))
        self.names[name] = value

    def interrupt(self) -> None:
        self._interrupted.set()

    def _run(self, code: str) -> CellResult:
        shown, outputs = io.StringIO(), list[Output]()
        status, value = "ok", None
        try:
            with contextlib.redirect_stdout(shown):
                value = self._exec(code)
        except KeyboardInterrupt:
            status = "stopped"
        except SystemExit:
            status = "died"
        except Exception as error:  # noqa: BLE001 - whatever a cell raises is its result
            status = "error"
            lines = traceback.format_exception(error)
            outputs.append(
                Output(output_type="error", ename=type(error).__name__, evalue=str(error), traceback=["".join(lines)])
            )
        if shown.getvalue():
            outputs.insert(0, Output(output_type="stream", name="stdout", text=shown.getvalue()))
        if value is not None:
            outputs.append(
                Output(output_type="execute_result", data={"text/plain": repr(value)}, execution_count=self._count)
            )
        answer = self.names["answer"]
        assert isinstance(answer, dict)
        state = AnswerState(content=str(answer["content"]), ready=bool(answer["ready"]))
        return CellResult(status, state, self._count, outputs)

    def _exec(self, code: str) -> object:
        tree = ast.parse(code)
        last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
        exec(compile(tree, "<cell>", "exec"), self.names)
        if last is None:
            return None
        return eval(compile(ast.Expression(last.value), "<cell>", "eval"), self.names)

    def _wait(self, seconds: float) -> None:
        if self._interrupted.wait(seconds):
            raise KeyboardInterrupt

    def _final(self, value: object) -> None:
        self.names["answer"] = {"content": str(value), "ready": True}

    def _query(
        self, loop: asyncio.AbstractEventLoop, prompts: list[str], model: str | None, *, batched: bool
    ) -> list[ReplyDict]:
        assert self._queries is not None
        query = QueryDict(prompts=list(prompts), model=model, batched=batched, line=1)
        replies = asyncio.run_coroutine_threadsafe(self._queries(query), loop)
        while True:
            concurrent.futures.wait([replies], timeout=0.01)
            if self._interrupted.is_set():
                replies.cancel()
                raise KeyboardInterrupt
            if replies.done():
                return replies.result()


class Diary(Observer):
    """Writes down what it is told."""

    def __init__(self) -> None:
        self.events: list[tuple[str, str]] = []
        self.texts: dict[tuple[str, str], str] = {}

    def node_added(self, tree: Tree, node: Node) -> None:
        self.events.append(("added", node.id))

    def node_changed(self, tree: Tree, node: Node) -> None:
        self.events.append((f"changed to {node.status}", node.id))

    def turn_text(self, node: Node, part: Part, pos: int, text: str) -> None:
        before = self.texts.get((node.id, part), "")
        assert pos == len(before)
        self.texts[node.id, part] = before + text
        if ("text", node.id) not in self.events:
            self.events.append(("text", node.id))

    def cell_starts(self, node: Node) -> None:
        self.events.append(("starts", node.id))

    def cell_ended(self, node: Node, result: CellResult) -> None:
        self.events.append(("ended", node.id))

    def run_ended(self, tree: Tree, node: Node) -> None:
        self.events.append(("over", node.id))


def cell(code: str, prose: str = "Next.") -> str:
    """Write a reply with one cell."""
    return f"{prose}\n\n```python\n{code}\n```"


def answer(text: str) -> str:
    """Write a reply whose cell answers."""
    return cell(f"answer['content'] = {text!r}\nanswer['ready'] = True")
