"""What the root model has been told: messages that only ever grow."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from rlm_kernel.engine.prompting import describe_context, describe_names, prompt, tagged
from rlm_kernel.engine.shown import head_and_tail
from rlm_kernel.messages import Message, ModelRequest
from rlm_kernel.usage import count

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rlm_kernel.engine.budget import Meter
    from rlm_kernel.engine.executor import ContextInfo, NameInfo

EARLIER_QUESTIONS = 10
"""How many of the session's last questions are told."""
EARLIER_CHARS = 2_000
"""Characters of an earlier question or answer that are told."""
PERSON_CHARS = 2_000
"""Characters of a person's cell, and of what it showed, that are told."""


@dataclass(frozen=True, slots=True)
class Earlier:
    """A question of the session that is over."""

    question: str
    answer: str
    final: bool = True
    """Whether the model called it the answer; else it is what there was when a limit or the person ended the run."""
    cell: str | None = None
    """The notebook cell it was asked in."""
    run: str | None = field(default=None, compare=False)
    """The run that gave the answer."""

    def shortened(self) -> Earlier:
        """Give it as it is told."""
        question = head_and_tail(self.question, EARLIER_CHARS)
        return replace(self, question=question, answer=head_and_tail(self.answer, EARLIER_CHARS))


class Conversation:
    """The messages of a run: system prompt, question, then reply and result of each turn.

    A message, once sent, is never changed: providers keep the prefix in their cache, and what was paid for in full
    is read at a fraction of its price. Only where the model's window is nearly full a summary takes the place of older
    turns.
    """

    def __init__(
        self,
        question: str,
        context: ContextInfo,
        names: list[NameInfo] | None = None,
        earlier: Sequence[Earlier] = (),
        depth: int = 0,
    ) -> None:
        """Begin with what is known before the first turn.

        Args:
            question: What the person, or the run above, wants to know.
            context: What the data looks like.
            names: What else is in the namespace.
            earlier: The questions before this one.
            depth: How many levels of child runs there may be below.
        """
        self._messages = [
            Message("system", prompt("root", children=_children(depth))),
            Message("user", _opening(question, context, names or [], earlier)),
        ]
        self._question = self._messages[1]
        self.context = context
        """What the model was told of the context last."""
        self._all = list(self._messages)
        self.compactions = 0
        """How often room was made."""
        self.summary = ""
        """What took the place of older turns, if anything."""

    @property
    def messages(self) -> Sequence[Message]:
        """What the model sees now."""
        return tuple(self._messages)

    @property
    def all(self) -> Sequence[Message]:
        """Everything that was said, from the beginning."""
        return tuple(self._all)

    @property
    def turns(self) -> int:
        """How many turns the model sees now."""
        return len(self._messages) // 2 - 1

    def compact(self, summary: str, told: str, keep: int) -> None:
        """Put a summary in place of the older turns.

        Args:
            summary: Of all turns that are seen no more.
            told: How it is told; stands with the question, which stays.
            keep: How many of the last turns stay.
        """
        self.summary = summary
        question = Message("user", f"{self._question.content}\n\n{told}")
        self._messages = [self._messages[0], question, *self._messages[-2 * keep :]]
        self.compactions += 1

    def add(self, note: str) -> None:
        """Say something more with the last message."""
        last = self._messages[-1]
        more = replace(last, content=f"{last.content}\n\n{note}")
        if self._question is last:
            self._question = more
        self._messages[-1] = self._all[-1] = more

    def request(self, model: str) -> ModelRequest:
        """Give the request for the next turn."""
        return ModelRequest(model, tuple(self._messages), purpose="root")

    def turn(self, reply: str, output: str | None, notes: Iterable[str] = ()) -> None:
        """Add a reply and what came of it.

        Args:
            reply: What the model wrote, up to the end of its cell.
            output: What the cell showed; ``None`` where no cell was run.
            notes: What else the model is told.
        """
        parts = [] if output is None else [tagged("output", output or "(The cell showed nothing.)")]
        # Providers refuse empty messages, and a reply may be empty.
        said = Message("assistant", reply.strip() or "(empty reply)")
        told = Message("user", "\n\n".join([*parts, *notes]))
        self._messages += [said, told]
        self._all += [said, told]


def _children(depth: int) -> str:
    if not depth:
        return ""
    deeper = f" Such a worker can do the same: {count(depth - 1, 'level')} more." if depth > 1 else ""
    return prompt("children", deeper=deeper) + "\n"


def person_note(code: str, shown: str) -> str:
    """Tell of a cell that the person ran between two turns."""
    return prompt(
        "person_cell",
        code=tagged("person_cell", head_and_tail(code.strip("\n"), PERSON_CHARS)),
        shown=tagged("person_output", head_and_tail(shown, PERSON_CHARS)) if shown else "nothing",
    )


def left_note(meters: Iterable[Meter]) -> str | None:
    """State what is left of each limit of which half is used."""
    low = [meter.describe() for meter in meters if meter.used * 2 >= meter.limit]
    return prompt("left", left=", ".join(low)) if low else None


def _opening(question: str, context: ContextInfo, names: list[NameInfo], earlier: Sequence[Earlier]) -> str:
    told = ""
    if earlier:
        pairs = "\n\n".join(_pair(each) for each in earlier[-EARLIER_QUESTIONS:])
        told = prompt("earlier", pairs=pairs) + "\n\n"
    others = [each for each in names if each["name"] != "context"]
    return prompt(
        "question",
        earlier=told,
        question=tagged("question", question),
        context=describe_context(context),
        names=f"Other names in the session: {describe_names(others)}.\n\n" if others else "",
    )


def _pair(earlier: Earlier) -> str:
    return "\n".join(
        [
            tagged("earlier_question", earlier.question),
            tagged("earlier_answer" if earlier.final else "unfinished_answer", earlier.answer),
        ]
    )
