"""For tests of the engine: an executor that runs cells by `exec` in a thread, and an observer that writes all down."""

from __future__ import annotations

import ast
import asyncio
import concurrent.futures
import contextlib
import io
import threading
import traceback
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
    ReplyDict,
)
from rlm_kernel.engine.observer import Observer

if TYPE_CHECKING:
    from collections.abc import Callable

    from rlm_kernel.engine.observer import Part
    from rlm_kernel.trace.records import Node
    from rlm_kernel.trace.tree import Tree


class InlineExecutor:
    """The namespace is a dict; `wait` and `llm_query` of the cells react to an interrupt, other code does not."""

    def __init__(self, context: str | None = "one two three\n" * 100) -> None:
        self.names: dict[str, object] = {} if context is None else {"context": context}
        self.cells: list[str] = []
        self.begun = 0
        self.ended = 0
        self.before_cell: Callable[[], object] = lambda: None
        self._queries: QueryHandler | None = None
        self._interrupted = threading.Event()
        self._count = 0

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

    async def begin(self, queries: QueryHandler) -> None:
        self.begun += 1
        self._queries = queries
        self.names["answer"] = {"content": "", "ready": False}

    async def run_cell(self, cell: CellRequest) -> CellResult:
        self.before_cell()
        self.cells.append(cell.code)
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
        return await asyncio.to_thread(self._run, cell.code)

    async def end(self) -> None:
        self.ended += 1
        self._queries = None

    async def set_variable(self, name: str, value: object) -> None:
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
