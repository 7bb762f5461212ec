"""A root that works by a fixed plan, and a leaf that knows the labels but errs at a known rate.

They test the way from question to score, not a language model: the score they get follows from the errors alone and
can be worked out beforehand (`implied`).
"""

from __future__ import annotations

import re
from hashlib import blake2b
from typing import TYPE_CHECKING

from rlm_kernel.bench import oolong, pairs
from rlm_kernel.bench.items import LABELS
from rlm_kernel.bench.lines import with_labels
from rlm_kernel.bench.sniah import ABSENT
from rlm_kernel.bench.tasks import score
from rlm_kernel.messages import ModelReply
from rlm_kernel.usage import Usage

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rlm_kernel.bench.lines import Row
    from rlm_kernel.bench.tasks import Task
    from rlm_kernel.messages import ModelRequest, OnText

PER_CALL = 25
"""Lines that one call labels."""
CHUNK = 50_000
"""Characters that one call reads for a needle."""
OVERLAP = 200
TIE = "none"
"""Said where no answer is right: labels that tie, no pair that fits."""
_ASKED = re.compile(r"^(\d+)\. (.*)$", re.MULTILINE)
_NEEDLE = re.compile(r"special magic \w+s for ([\w-]+) is: (.+?)\.$", re.MULTILINE)

_LABEL_CELL = """\
import re
from rlm_kernel.bench import lines, oolong, pairs
texts = list(dict.fromkeys(row.text for row in lines.read_rows(str(context), str)))
parts = [texts[at : at + {per_call}] for at in range(0, len(texts), {per_call})]
asked = ["What kind of thing is the answer of each question? One of: {labels}.\\n"
         + "\\n".join(f"{{n}}. {{text}}" for n, text in enumerate(part, 1)) for part in parts]
labels = {{}}
for part, reply in zip(parts, llm_query_batched(asked)):
    for n, label in re.findall(r"^(\\d+)\\. (.*)$", reply, re.MULTILINE):
        labels[part[int(n) - 1]] = label
rows = lines.read_rows(str(context), lambda text: labels.get(text, "unknown"))
said = {module}.solve({spec!r}, rows)
FINAL("{prefix}" + (said or {tie!r}))
"""
_NEEDLE_CELL = """\
text = str(context)
starts = range(0, len(text), {chunk})
asked = [{question!r} + "\\n\\n" + text[start : start + {chunk} + {overlap}] for start in starts]
found = [line for reply in llm_query_batched(asked) for line in reply.splitlines() if line != {absent!r}]
FINAL("\\n".join(dict.fromkeys(found)) or {absent!r})
"""


class Oracle:
    """Answers as root and as leaf for one task (see the module).

    Args:
        task: What is asked.
        rows: The lines with their true labels; empty for a needle.
        rate: Share of the questions, or needles, that the leaf gets wrong; which ones follows from ``seed``.
        seed: Of the errors.
    """

    def __init__(self, task: Task, rows: Sequence[Row], rate: float, seed: int) -> None:
        self._task = task
        self._truth = {row.text: row.label for row in rows}
        self._rate = rate
        self._seed = seed

    async def complete(self, request: ModelRequest, on_text: OnText | None = None) -> ModelReply:
        """Write the cell, or answer a call of it."""
        asked = request.messages[-1].content
        text = f"```python\n{self._cell()}```" if request.purpose == "root" else self._leaf(asked)
        if on_text is not None:
            await on_text(text)
        usage = Usage(-(-request.chars // 4), 0, -(-len(text) // 4), calls=1, cost_usd=0.0)
        return ModelReply(text, usage, request.model)

    async def close(self) -> None:
        """Do nothing; there is nothing to give back."""

    def label(self, text: str) -> str:
        """Give the label the leaf says: the true one, or for its share of the questions the next one."""
        truth = self._truth[text]
        return LABELS[(LABELS.index(truth) + 1) % len(LABELS)] if self.errs(text) else truth

    def errs(self, text: str) -> bool:
        """Tell whether the leaf gets this wrong: the same every time, for about its share of all texts."""
        digest = blake2b(f"{self._seed} {text}".encode(), digest_size=8).digest()
        return int.from_bytes(digest, "big") < self._rate * 2**64

    def _leaf(self, asked: str) -> str:
        if self._task.kind == "needle":
            found = [value for key, value in _NEEDLE.findall(asked) if key == self._task.spec["key"]]
            return "\n".join(value for value in found if not self.errs(value)) or ABSENT
        return "\n".join(f"{number}. {self.label(text)}" for number, text in _ASKED.findall(asked))

    def _cell(self) -> str:
        task = self._task
        if task.kind == "needle":
            return _NEEDLE_CELL.format(chunk=CHUNK, overlap=OVERLAP, question=task.question, absent=ABSENT)
        return _LABEL_CELL.format(
            per_call=PER_CALL,
            labels=", ".join(LABELS),
            module="pairs" if task.kind == "pairs" else "oolong",
            spec=dict(task.spec),
            prefix="" if task.kind == "pairs" else "Answer: ",
            tie=TIE,
        )


def implied(task: Task, rows: Sequence[Row], oracle: Oracle) -> float:
    """Work out the score that a leaf's errors imply, without asking anybody."""
    if task.kind == "needle":
        values = [] if task.answer == ABSENT else task.answer.split("\n")
        return score(task, "\n".join(value for value in values if not oracle.errs(value)) or ABSENT)
    said = _solve(task.spec, with_labels(rows, oracle.label), task.kind)
    return score(task, said or TIE)


def _solve(spec: Mapping[str, object], rows: Sequence[Row], kind: str) -> str | None:
    return pairs.solve(spec, rows) if kind == "pairs" else oolong.solve(spec, rows)
