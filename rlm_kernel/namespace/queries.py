"""What cells find in the namespace: sub-model calls and the answer."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any, Self

from rlm_kernel.errors import RlmError
from rlm_kernel.namespace.names import Origins, Table, show_vars
from rlm_kernel.namespace.wanted import Wanted
from rlm_kernel.usage import Usage

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable
    from types import FrameType

    from rlm_kernel.contexts.document import Document
    from rlm_kernel.contexts.text import Text
    from rlm_kernel.namespace.calls import Calls
    from rlm_kernel.namespace.shell import Shell
    from rlm_kernel.namespace.wanted import Select
    from rlm_kernel.wire import Json


class Reply(str):
    """The answer of a sub-model: a text, with what it cost."""

    usage: Usage
    """What the call spent."""
    node_id: str
    """Where it stands in the tree of calls."""
    error: str | None
    """Why the call failed; ``None`` where it succeeded."""
    note: str
    """What else is to be known of how it was answered; mostly empty."""
    value: Any
    """The object it stands for, checked, where a schema was given; else ``None``."""
    samples: list[Reply]
    """All replies to the prompt, in order, where ``n`` were asked for; else empty."""

    def __new__(cls, text: str = "", usage: Usage | None = None, node_id: str = "", error: str | None = None) -> Self:
        """Make a text with its origin."""
        reply = super().__new__(cls, text)
        reply.usage = usage or Usage()
        reply.node_id = node_id
        reply.error = error
        reply.note = ""
        reply.value, reply.samples = None, []
        return reply


class FailedReply(Reply):
    """A call that failed for good: false in a condition, and shows its error when printed."""

    def __bool__(self) -> bool:
        """Say no: there is no answer."""
        return False

    def __repr__(self) -> str:
        """Show what it is."""
        return f"<FailedReply: {self.error}>"


def failed(error: str, usage: Usage | None = None, node_id: str = "", what: str = "llm_query") -> FailedReply:
    """Make a failed reply."""
    return FailedReply(f"[{what} failed: {error}]", usage, node_id, error)


class Answer(dict[str, Any]):
    """The variable ``answer``: ``content`` and ``ready``, in any order, set by key, ``update`` or ``|=``."""

    def __init__(self) -> None:
        super().__init__(content="", ready=False)

    def __missing__(self, key: str) -> Any:
        """Keep the two keys readable after a ``clear()`` or ``pop()``."""
        if key == "content":
            return ""
        if key == "ready":
            return False
        raise KeyError(key)


def as_text(value: object) -> str:
    """Give an answer as text: a text as it is, lists and dicts as JSON, anything else as it prints."""
    if isinstance(value, str):
        return str(value)
    if isinstance(value, dict | list | tuple):
        try:
            return json.dumps(value, ensure_ascii=False, indent=2)
        except (TypeError, ValueError, RecursionError):
            return str(value)
    return str(value)


class Queries:
    """The functions a cell can call."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self.shell: Shell | None = None
        self._final: Answer | None = None
        self.origins = Origins()

    def names(self) -> dict[str, Any]:
        """Give what the namespace starts with."""
        return {
            "llm_query": self.llm_query,
            "llm_query_batched": self.llm_query_batched,
            "llm_batch": self.llm_query_batched,
            "answer": Answer(),
            "FINAL": self.final,
            "FINAL_VAR": self.final_var,
            "SUBMIT": self.submit,
            "SHOW_VARS": self.show_vars,
            "load": self.load,
        }

    def user_ns(self) -> dict[str, Any]:
        """Give the names of the person and the model."""
        if self.shell is None:
            raise RuntimeError("the shell is not there yet")
        user_ns: dict[str, Any] = self.shell.user_ns
        return user_ns

    def show_vars(self) -> Table:
        """List the variables of the namespace with type and size."""
        return show_vars(self.user_ns(), self.origins)

    def load(
        self,
        *paths: str | os.PathLike[str],
        name: str | None = "context",
        kind: str | None = None,
        encoding: str | None = None,
        on_disk: bool | None = None,
    ) -> Document | Text:
        """Load documents and make them the context.

        Args:
            *paths: Files, folders, zips, patterns like ``src/**/*.py``. Several become one document with ``files``.
            name: The variable it becomes; ``None`` sets none.
            kind: The format, where the file's name does not tell it; ``"text"`` takes anything as it is.
            encoding: What a text is in, where that is neither UTF-8 nor UTF-16.
            on_disk: Whether a text stays on disk (`Text`: searched there, not read); else where it is over 256 MB.

        Returns:
            The document, a text that knows where its pages, sections, rows and files are.

        Raises:
            ContextError: It cannot be loaded; the message names the file and what to do. The variable stays as it was.
        """
        from rlm_kernel.namespace.loading import load_documents

        document = load_documents(paths, kind, encoding, on_disk)
        if name is not None:
            self.user_ns()[name] = document
        return document

    # ---- sub-models

    def llm_query(
        self, prompt: str, model: str | None = None, schema: object = None, n: int = 1, select: Select = None
    ) -> Reply:
        """Ask a sub-model.

        Args:
            prompt: Everything it should know: it sees nothing else.
            model: Another model than the one set for sub-calls.
            schema: The form of the reply: a JSON Schema (a dict), a pydantic model, or a type like ``list[str]``. The
                checked object is ``reply.value``.
            n: How many times to ask; all replies are in ``reply.samples``.
            select: Which of them is given: ``"vote"``, the most frequent (also where nothing is said), or a function
                that gets the list of those that succeeded and gives one.

        Returns:
            Its answer, a text; a `FailedReply`, which is false, where the call failed.
        """
        given: object = prompt
        if isinstance(given, list | tuple):
            raise TypeError("llm_query takes one text; for many, call llm_query_batched(prompts).")
        return self._ask([prompt], model, Wanted(schema, n, select), batched=False)[0]

    def llm_query_batched(
        self,
        prompts: Iterable[str],
        model: str | None = None,
        schema: object = None,
        n: int = 1,
        select: Select = None,
    ) -> list[Reply]:
        """Ask a sub-model many things at the same time.

        Args:
            prompts: One text for each call.
            model: Another model than the one set for sub-calls.
            schema: The form of each reply; see `llm_query`.
            n: How many times to ask each.
            select: Which of the replies to one prompt is given.

        Returns:
            The answers, in the order of the prompts; a `FailedReply`, which is false, where a call failed.
        """
        if isinstance(prompts, str):
            raise TypeError("llm_query_batched takes a list of texts; for one, call llm_query(prompt).")
        return self._ask(list(prompts), model, Wanted(schema, n, select), batched=True)

    def _ask(self, prompts: list[object], model: str | None, wanted: Wanted, *, batched: bool) -> list[Reply]:
        texts = [prompt_text(prompt) for prompt in prompts]
        if not texts:
            return []
        query = {"prompts": texts, "model": model, "batched": batched, "line": self.line(), **wanted.fields()}
        try:
            answers: list[Json] = self._calls.call({"t": "query", "q": query, "p": self.parent_id()})
        except RlmError as error:
            return [failed(str(error)) for _ in texts]
        replies = [_with_value(to_reply(answer), wanted) for answer in answers]
        return [wanted.choose(replies[i : i + wanted.n]) for i in range(0, len(replies), wanted.n)]

    def parent_id(self) -> str | None:
        """Give the message id of what runs now."""
        return self.shell.parent_id() if self.shell else None

    def line(self) -> int | None:
        """Find the line of the cell that is being run: the outermost frame with the person's globals."""
        user_ns = self.user_ns()
        line = None
        frame: FrameType | None = sys._getframe(1)
        while frame is not None:
            if frame.f_globals is user_ns:
                line = frame.f_lineno
            frame = frame.f_back
        return line

    # ---- the answer

    def begin_run(self) -> None:
        """Start a run: nothing is answered yet."""
        self._final = None
        self.user_ns()["answer"] = Answer()

    def final(self, value: object = "") -> None:
        """Give the final answer."""
        self._final = Answer()
        self._final.update(content=value, ready=True)
        current = self.user_ns().get("answer")
        if not isinstance(current, dict):
            current = self.user_ns()["answer"] = Answer()
        current.update(content=value, ready=True)

    def final_var(self, name: object) -> None:
        """Give the value of a variable as the final answer.

        Args:
            name: The variable's name, or the value itself.
        """
        user_ns = self.user_ns()
        if isinstance(name, str) and name.strip().strip("'\"") in user_ns:
            name = user_ns[name.strip().strip("'\"")]
        elif isinstance(name, str) and name.isidentifier():
            raise NameError(f"FINAL_VAR: there is no variable {name!r}; make it first, or call FINAL(text).")
        self.final(name)

    def submit(self, *values: object, **fields: object) -> None:
        """Give the final answer, as a value or as fields by name."""
        if fields:
            self.final(next(iter(fields.values())) if len(fields) == 1 and not values else {**fields})
        else:
            self.final(values[0] if len(values) == 1 else list(values))

    def answer_state(self) -> Json:
        """Read the answer as it stands after a cell."""
        value = self.user_ns().get("answer")
        if not isinstance(value, dict):
            value = self._final or {"content": "" if value is None else value, "ready": False}
        try:
            return {"content": as_text(value.get("content", "")), "ready": bool(value.get("ready", False))}
        except Exception as error:  # noqa: BLE001 - the answer is the person's object, it may fail to print
            return {"content": f"<answer cannot be shown: {type(error).__name__}: {error}>", "ready": False}


def prompt_text(prompt: object) -> str:
    """Give a prompt as the text that it must be.

    Raises:
        TypeError: It is something that nobody means to be read as a text.
    """
    if isinstance(prompt, str):
        return str(prompt)
    if prompt is None or isinstance(prompt, dict | list | tuple | bytes):
        raise TypeError(f"A prompt must be a text, not {type(prompt).__name__}.")
    return str(prompt)


def _with_value(reply: Reply, wanted: Wanted) -> Reply:
    if reply.error is None:
        try:
            reply.value = wanted.value(reply)
        except ValueError as error:
            why = " ".join(str(error).split())
            return failed(f"the reply does not pass the model's checks: {why}", reply.usage, reply.node_id)
    return reply


def to_reply(reply: Json, what: str = "llm_query") -> Reply:
    """Make a reply of what the host has answered.

    Args:
        reply: The answer to one prompt.
        what: The function that was called.
    """
    usage = Usage.from_dict(reply["usage"])
    if reply["error"] is not None:
        return failed(reply["error"], usage, reply["node_id"], what)
    return Reply(reply["text"], usage, reply["node_id"])
