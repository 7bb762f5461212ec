"""One reply of the root model: passed on while it is written, taken apart, judged."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rlm_kernel.engine.control import Stopped
from rlm_kernel.engine.parse import ReplySplitter, final_cell
from rlm_kernel.engine.prompting import prompt
from rlm_kernel.engine.shown import shown
from rlm_kernel.errors import BadReplyError, RequestRefusedError
from rlm_kernel.messages import Message, ModelReply, ModelRequest
from rlm_kernel.models.memo import request_key
from rlm_kernel.trace.records import one_line
from rlm_kernel.usage import Usage

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rlm_kernel.engine.executor import CellResult, Executor
    from rlm_kernel.engine.occurrences import Occurrences
    from rlm_kernel.engine.scope import Scope
    from rlm_kernel.messages import FinishReason
    from rlm_kernel.trace.records import Node

EXTRA_CHARS = 2_000
"""Characters read after the end of the cell, only because the true usage comes at the end of a reply."""

REOPENED = "reopened"
"""Detail of a turn whose answer was not taken, since the person had said something."""

UNUSABLE = {
    "no_code": "it wrote no cell",
    "repeated": "it repeated the cell before",
    "cut_off": "it reached the limit of its length before the cell was complete",
}


@dataclass(slots=True)
class Past:
    """What a run must know of the turns it has had."""

    turns: int = 0
    """Begun."""
    told: int = 0
    """Of these, told what came of them."""
    unusable: int = 0
    """Replies in a row that could not be used."""
    last_code: str = ""
    best: str = ""
    """The best answer so far."""
    counts: list[int] = field(default_factory=list)
    """Execution counts of the cells."""
    last: Node | None = None
    """The turn whose outcome the model was told last."""


class Written:
    """A reply, from its first text to what it is good for; the turn's node follows it.

    Args:
        scope: The run's.
        node: The turn.
    """

    def __init__(self, scope: Scope, node: Node) -> None:
        self.node = node
        self._scope = scope
        self._splitter = ReplySplitter()

    @property
    def text(self) -> str:
        """What the model wrote, up to the end of its cell."""
        return self._splitter.text

    @property
    def goes_past(self) -> bool:
        """Whether so much came after the cell that the rest is not worth waiting for."""
        return self._splitter.extra > EXTRA_CHARS

    async def on_text(self, text: str) -> bool:
        """Take the next piece; tells whether to go on reading."""
        self._tell(text)
        try:
            await self._scope.control.gate("token")
        except Stopped:
            return False
        return not self.goes_past

    def end(self, text: str = "") -> None:
        """Nothing more comes.

        Args:
            text: The whole reply, where it did not come in pieces.
        """
        splitter, node = self._splitter, self.node
        if text and not splitter.text:
            self._tell(text)
        for piece in splitter.finish():
            self._scope.observers.turn_text(node, *piece)
        node.reply, node.code = splitter.text.rstrip(), splitter.code
        if node.code:
            node.label = code_label(node.code)

    def judge(self, finish: FinishReason, last_code: str) -> tuple[str, str]:
        """Decide what it is good for.

        Args:
            finish: How it ended.
            last_code: The cell before.

        Returns:
            The cell to run, or why there is none (the name of a nudge, see `UNUSABLE`).

        Raises:
            RequestRefusedError: The endpoint withheld it.
        """
        if finish == "filter":
            raise RequestRefusedError(
                "The endpoint withheld the root model's reply.", "Ask in other words, or another model."
            )
        if finish == "length" and not self._splitter.closed:
            return "", "cut_off"
        code, node = self._splitter.code, self.node
        if not code and (code := final_cell(self._splitter.prose) or ""):
            self._scope.observers.turn_text(node, "code", 0, code)
            node.code, node.label = code, code_label(code)
        if not code.strip():
            return "", "no_code"
        return code, "repeated" if code.strip() == last_code else ""

    def _tell(self, text: str) -> None:
        for piece in self._splitter.feed(text):
            self._scope.observers.turn_text(self.node, *piece)
        self.node.reply = self._splitter.text


def take_result(node: Node, result: CellResult, past: Past, numbers: Occurrences) -> None:
    """Write into a turn what its cell did.

    Args:
        node: The turn.
        result: What it did.
        past: Learns the best answer so far, and the cell's count.
        numbers: Of the run's requests.
    """
    if result.execution_count is not None:
        past.counts.append(result.execution_count)
    node.output = shown(result.outputs, cells=past.counts)
    node.execution_count, node.entry = result.execution_count, result.entry
    node.status = {"ok": "done", "error": "done", "stopped": "stopped", "died": "failed"}[result.status]  # type: ignore[assignment]
    if result.status == "error":
        node.error = next((line for line in reversed(node.output.splitlines()) if line.strip()), "The cell failed.")
    elif result.status == "died":
        node.error = "The Python process ended in this cell; the state before it is back."
        # So is the count of what was asked: the same requests, made again, find the replies they had.
        numbers.rewind()
    best = result.answer["content"]
    if best.strip() and best != past.best:
        past.best = best
        if not is_answered(result):
            node.details = {**node.details, "answer": best}


def is_answered(result: CellResult) -> bool:
    """Tell whether a cell has given the final answer."""
    answer = result.answer
    return result.status == "ok" and answer["ready"] and bool(answer["content"].strip())


async def reopen(node: Node, past: Past, executor: Executor) -> None:
    """Do not take the answer that a turn has given: it is the best so far, and not ready."""
    node.details = {**node.details, "answer": past.best, REOPENED: True}
    await executor.set_variable("answer", {"content": past.best, "ready": False})


def twice_unusable(model: str, name: str) -> BadReplyError:
    """Say why a run ends whose model writes nothing that can be run."""
    return BadReplyError(
        f"Two replies of {model} in a row could not be used; in the last {UNUSABLE[name]}.",
        "Ask again in other words, or with another model (%rlm --model NAME).",
        model=model,
    )


def cell_notes(result: CellResult) -> list[str]:
    """Give what the model must be told of how its cell ended, besides what it showed."""
    if result.status == "died":
        return [prompt("died")]
    if not result.answer["ready"]:
        return []
    return [prompt("error_answer" if result.answer["content"].strip() else "empty_answer")]


def write_down(node: Node, notes: list[str]) -> None:
    """Keep in a node what the model was told after it, besides the output: in this order, to the letter."""
    before = node.details.get("told")
    node.details = {**node.details, "told": [*(before if isinstance(before, list) else []), *notes]}


def in_same_words(scope: Scope, asked: ModelRequest, said: Iterable[Message], left: str | None) -> str | None:
    """Say what is left of the limits, in the very words of the time before where a run has come here before.

    A run whose replies come from the memo spends nothing: said anew, it would be something else, and all that follows
    would have to be paid again.

    Args:
        scope: The run's.
        asked: What the model was told so far.
        said: Its reply, and what it is told besides.
        left: What there is to say now.
    """
    if scope.models.endpoint_of(asked.model) is None:
        return left
    request = ModelRequest(asked.model, (*asked.messages, *said))
    key = request_key(request, "rlm:left")
    if not scope.fresh and (before := scope.memo.find(key)) is not None:
        return before.text
    if left:
        scope.memo.keep(key, request, ModelReply(left, Usage(), asked.model))
    return left


_NOT_TELLING = ("import ", "from ", "def ", "async def ", "class ", "@", ")", "]", "}", '"', "'")


def code_label(code: str) -> str:
    """Give the line of a cell that says what it does: its opening comment, else its first statement of weight."""
    lines = [line for line in code.splitlines() if line.strip()]
    if lines and lines[0].startswith("#") and (comment := lines[0].strip("# \t")):
        return one_line(comment)
    telling = (line for line in lines if not line[0].isspace() and not line.startswith(("#", *_NOT_TELLING)))
    return one_line(next(telling, lines[0] if lines else ""))
