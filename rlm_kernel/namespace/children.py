"""``rlm_query`` and ``rlm_query_batched``, as cells find them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from rlm_kernel.errors import ContextError, RlmError
from rlm_kernel.namespace.handover import Handover, Span
from rlm_kernel.namespace.names import describe
from rlm_kernel.namespace.queries import Reply, as_text, failed, prompt_text, to_reply

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rlm_kernel.namespace.calls import Calls
    from rlm_kernel.namespace.queries import Queries
    from rlm_kernel.wire import Json

AT_DEPTH = "No level of rlm_query was left here, so it was asked as llm_query."


class ChildQueries:
    """The functions with which a cell starts child runs.

    Args:
        calls: The way to the host.
        queries: Knows the shell and the line of the cell.
    """

    def __init__(self, calls: Calls, queries: Queries) -> None:
        self._calls = calls
        self._queries = queries
        self._handover = Handover()
        self._fd: int | None = None

    def names(self) -> dict[str, Any]:
        """Give what the namespace starts with."""
        return {"rlm_query": self.rlm_query, "rlm_query_batched": self.rlm_query_batched}

    def rlm_query(self, prompt: str, context: object = None, model: str | None = None) -> Reply:
        """Give a question to a child: a model with a Python of its own, that works on it in as many steps as it takes.

        Args:
            prompt: The question.
            context: What the child finds as its ``context``: text, or lists and dicts of it; your own where nothing is
                given. It gets a copy.
            model: Another model than the one set for sub-calls.

        Returns:
            Its answer, a text; a `FailedReply`, which is false, where it found none.
        """
        given: object = prompt
        if isinstance(given, list | tuple):
            raise TypeError("rlm_query takes one text; for many, call rlm_query_batched(prompts).")
        return self._ask([prompt], [context], model, batched=False)[0]

    def rlm_query_batched(
        self, prompts: Iterable[str], contexts: Sequence[object] | None = None, model: str | None = None
    ) -> list[Reply]:
        """Give questions to children that work at the same time.

        Args:
            prompts: One question for each child.
            contexts: What each child finds as its ``context``, one for each prompt; your own where nothing is given.
            model: Another model than the one set for sub-calls.

        Returns:
            The answers, in the order of the prompts; a `FailedReply`, which is false, where a child found none.
        """
        if isinstance(prompts, str):
            raise TypeError("rlm_query_batched takes a list of texts; for one, call rlm_query(prompt).")
        asked = list(prompts)
        if isinstance(contexts, str | dict):
            raise TypeError("contexts must be a list with one context for each prompt.")
        given: list[object] = [None] * len(asked) if contexts is None else list(contexts)
        if len(given) != len(asked):
            raise ValueError(f"There are {len(asked)} prompts but {len(given)} contexts; give one for each.")
        return self._ask(asked, given, model, batched=True)

    def _ask(self, prompts: list[Any], contexts: list[object], model: str | None, *, batched: bool) -> list[Reply]:
        texts = [prompt_text(prompt) for prompt in prompts]
        if not texts:
            return []
        query: Json = {"prompts": texts, "model": model, "batched": batched, "line": self._queries.line()}
        values = [self._own_context() if context is None else context for context in contexts]
        written = self._handover.write(values)
        try:
            answer = self._send({**query, "kind": "rlm", "spans": written.spans}, written.fd)
            if isinstance(answer, dict):
                return self._instead(query, values, answer["at_depth"])
        except RlmError as error:
            return [failed(str(error), what="rlm_query") for _ in prompts]
        finally:
            os.close(written.fd)
        return [to_reply(reply, "rlm_query") for reply in answer]

    def _instead(self, query: Json, values: list[object], chars: int) -> list[Reply]:
        """Ask as ``llm_query``, with as much of each context as fits."""
        asked = [_with_context(prompt, value, chars) for prompt, value in zip(query["prompts"], values, strict=True)]
        answer = self._send({**query, "prompts": asked, "at_depth": True})
        replies = [to_reply(reply, "rlm_query") for reply in answer]
        for reply in replies:
            reply.note = AT_DEPTH
        return replies

    def _send(self, query: Json, fd: int | None = None) -> Any:
        return self._calls.call({"t": "query", "q": query, "p": self._queries.parent_id()}, fd)

    def _own_context(self) -> object:
        context = self._queries.user_ns().get("context")
        if context is None:
            raise ValueError("There is no context to hand over: give one, rlm_query(prompt, context=…).")
        return context

    # ---- in a child

    def given(self, fd: int) -> None:
        """Take the file with the context of this child; `read` opens it."""
        self._fd = fd

    def read(self, message: Json) -> Json:
        """Set ``context`` to what the parent has handed over.

        Answers what is in the namespace then, or the reason why it cannot be done.
        """
        if self._fd is None:
            return {"refusal": "This process was given no context."}
        fd, self._fd = self._fd, None
        try:
            self._queries.user_ns()["context"] = self._handover.read(fd, Span(message["offset"], message["length"]))
        except ContextError as error:
            return {"refusal": str(error)}
        return describe(self._queries.user_ns())


def _with_context(prompt: str, value: object, chars: int) -> str:
    text = as_text(value)
    if len(text) > chars:
        cut = len(text) - chars
        text = f"{text[: chars * 2 // 3]}\n[… {cut:,} characters left out …]\n{text[len(text) - chars // 3 :]}"
    return f"{prompt}\n\n<context>\n{text}\n</context>"
