"""What the parts of the policy share: what is known of the document, and the small moves all of them make."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rlm_kernel.models.tutor.steps import step
from rlm_kernel.models.tutor.transcript import Shown

if TYPE_CHECKING:
    from rlm_kernel.models.tutor.shape import Shape
    from rlm_kernel.models.tutor.table import Columns

Policy = Generator[str, Shown, None]
"""Yields replies, is sent what their cells showed."""

HELP = (
    "I am the tutor, the built-in default: a small program that searches, counts and quotes, not a language model. "
    "For an "
    "answer that takes understanding set a real model: `%rlm --model NAME` in a notebook, `--model NAME` on the "
    "command "
    "line, with `OPENAI_API_KEY` (and `OPENAI_BASE_URL` for another or a local endpoint) in the environment."
)


@dataclass(slots=True)
class State:
    """What the policy knows of the document so far."""

    shape: Shape
    columns: Columns | None = None
    """The columns, once a cell has read the rows; ``None`` where it is no table or could not be read as one."""
    rows_read: bool = False
    row_count: int = 0
    odd: int = 0
    """Lines or entries that do not have the form of the others."""


def failed(shown: Shown) -> str:
    """Write the reply after a cell that did not do what it should: it leaves this part of the question open."""
    return step(
        "start/failed",
        error=plain(shown.error) or "it did not show what it should",
        message=repr(f"{shown.error} {HELP}".strip()),
    )


def single(reply: str, check: str = "") -> Policy:
    """Run one cell that drafts an answer.

    Args:
        reply: The reply with the cell.
        check: Name of a line of its output that must say ``True``.
    """
    shown = yield reply
    if shown.failed or (check and shown.value(check) != "True"):
        yield failed(shown)


def plain(text: str) -> str:
    """Make a text from the question or the document safe to stand in prose: one line, no fence, not long."""
    return " ".join(text.replace("`", "'").split())[:100]
