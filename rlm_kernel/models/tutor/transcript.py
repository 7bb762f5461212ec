"""What has been said so far: the question, and what each cell showed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rlm_kernel.messages import Message

_QUESTION = re.compile(r"<question>\s*(.*?)\s*</question>", re.DOTALL)
_OUTPUT = re.compile(r"<output>\n?(.*?)\n?</output>", re.DOTALL)
_FAILED = re.compile(
    r"^(?:(?:[\w.]+\s+)?Traceback \(most recent call last\)|[A-Za-z_.]*(?:Error|Exception|Interrupt): |"
    r"[A-Za-z_.]*Error\b)",
    re.MULTILINE,
)


@dataclass(frozen=True, slots=True)
class Shown:
    """What a cell of the tutor showed."""

    text: str

    @property
    def failed(self) -> bool:
        """Whether the cell ended with an error."""
        return bool(_FAILED.search(self.text))

    @property
    def error(self) -> str:
        """The line that names the error."""
        lines = [
            line for line in self.text.splitlines() if re.match(r"[A-Za-z_.]*(?:Error|Exception|Interrupt)\b", line)
        ]
        return lines[-1] if lines else ""

    def value(self, name: str) -> str:
        """Give what a cell printed as ``name: value``; empty where it did not."""
        found = re.search(rf"^{re.escape(name)}: (.*)$", self.text, re.MULTILINE)
        return found[1].strip() if found else ""

    def number(self, name: str) -> float:
        """Give a number printed as ``name: 1,234 of …`` or ``name: 50%``; -1 where there is none."""
        try:
            return float(self.value(name).split()[0].replace(",", "").rstrip("%"))
        except (ValueError, IndexError):
            return -1.0


@dataclass(frozen=True, slots=True)
class Transcript:
    """One run as the tutor sees it."""

    question: str
    shown: tuple[Shown, ...]
    """One for each turn that is over."""


def read(messages: Sequence[Message]) -> Transcript:
    """Read the messages of a run: the question, and the result of each turn after it."""
    question, start = "", 0
    for position, message in enumerate(messages):
        found = _QUESTION.search(message.content) if message.role == "user" else None
        if found:
            question, start = found[1], position + 1
            break
    if not question and messages:
        start = next(
            (position + 1 for position, message in enumerate(messages) if message.role == "user"), len(messages)
        )
        question = messages[start - 1].content
    shown: list[Shown] = []
    for message in messages[start:]:
        if message.role == "assistant":
            shown.append(Shown(""))
        elif message.role == "user" and shown:
            outputs = _OUTPUT.findall(message.content)
            said = "\n".join(outputs) if outputs else message.content
            shown[-1] = Shown(f"{shown[-1].text}\n{said}".strip())
    return Transcript(question, tuple(shown))
