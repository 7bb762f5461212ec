"""Every error of rlm-kernel, in one tree.

RlmError
 ├── InputError           the person gave something that cannot be used (option, question, path)
 │    └── ContextError    a document that cannot be loaded: names the file
 ├── ModelError           a request to a model failed
 │    ├── EndpointError       refused connection, timeout, server error, broken stream
 │    ├── AuthError           key missing or refused
 │    ├── UnknownModelError   the endpoint does not know the model
 │    ├── RequestRefusedError the endpoint refused this request (too long, bad parameter, filtered)
 │    └── BadReplyError       an answer came that is not a usable reply
 ├── LimitExceeded        a limit of a run was reached
 ├── NotApproved          a person had to be asked, and none is there
 ├── Diverged             cells run again did not lead to the state they led to before
 ├── StoreError           the store of runs cannot be used: names its file
 └── NamespaceDied        the process that runs the cells ended

A failure is raised as one of these or carried as a value (a failed node, a ``FailedReply``); it is never
returned as text that could be taken for an answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from rlm_kernel.messages import Attempt
    from rlm_kernel.usage import Usage

LimitKind = Literal["cost_usd", "tokens", "calls", "depth", "turns", "seconds", "concurrency"]


class RlmError(Exception):
    """Base of all errors of this package.

    Args:
        message: What is wrong, in one line, naming the thing it is about.
        remedy: What the person can do about it; empty where nothing can be advised.
    """

    def __init__(self, message: str, remedy: str = "") -> None:
        """Keep the message and the remedy apart, so that a view can set them differently."""
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        """Give both parts as one line."""
        return f"{self.message} {self.remedy}".strip()


class InputError(RlmError):
    """The person gave something that cannot be used; nothing was changed."""


class ContextError(InputError):
    """A document could not be loaded; nothing was half-loaded."""


class ModelError(RlmError):
    """A request to a model failed for good.

    Args:
        message: What happened.
        remedy: What the person can do.
        model: Name of the model that was asked.
        retryable: Whether the same request may succeed later.
    """

    def __init__(self, message: str, remedy: str = "", *, model: str = "", retryable: bool = False) -> None:
        """Keep which model it was about."""
        super().__init__(message, remedy)
        self.model = model
        self.retryable = retryable
        self.usage: Usage | None = None
        """What the failed request has spent all the same; ``None`` where it spent nothing that is known of."""
        self.attempts: tuple[Attempt, ...] = ()
        """The requests that were made."""


class EndpointError(ModelError):
    """The endpoint could not be reached, did not answer in time, or failed."""


class AuthError(ModelError):
    """The key is missing, or the endpoint refused it."""


class UnknownModelError(ModelError):
    """The endpoint does not know the model's name."""


class RequestRefusedError(ModelError):
    """The endpoint refused this request, and would refuse it again."""


class BadReplyError(ModelError):
    """An answer came that is not a usable reply: no choices, cut off, not the protocol."""


class LimitExceeded(RlmError):
    """A limit of a run would be passed by the next step; nothing was spent for that step.

    Args:
        kind: Which limit.
        value: What the step would bring it to.
        limit: What is allowed.
        scope: Whose limit it is (a run's label).
    """

    def __init__(self, kind: LimitKind, value: float, limit: float, scope: str = "this run") -> None:
        """State kind, value and limit in the message."""
        self.kind: LimitKind = kind
        self.value = value
        self.limit = limit
        self.scope = scope
        super().__init__(
            f"The limit of {limit:g} {_word(kind, limit)} for {scope} is reached.",
            f"Raise it with %rlm {LIMIT_OPTIONS[kind]}, then %rlm continue." if kind in LIMIT_OPTIONS else "",
        )


class NotApproved(RlmError):
    """Something was to be approved by a person first, and nobody is there who could be asked."""

    def __init__(self, why: str) -> None:
        """Say what it was, and how to decide beforehand."""
        super().__init__(
            f"{why} Nobody is here to approve it.",
            "Give %rlm --policy allow to let it pass, or %rlm --policy refuse to have the model do without.",
        )


def why_unreadable(error: OSError | UnicodeDecodeError) -> str:
    """Say in words why a file could not be read."""
    return "it is not UTF-8 text" if isinstance(error, UnicodeDecodeError) else error.strerror or str(error)


def _word(kind: LimitKind, limit: float) -> str:
    word = LIMIT_WORDS[kind]
    return word.removesuffix("s") if limit == 1 else word


LIMIT_WORDS: dict[LimitKind, str] = {
    "cost_usd": "US dollars",
    "tokens": "tokens",
    "calls": "model calls",
    "depth": "levels of recursion",
    "turns": "turns",
    "seconds": "seconds",
    "concurrency": "calls at once",
}
LIMIT_OPTIONS: dict[LimitKind, str] = {
    "cost_usd": "--max-cost",
    "tokens": "--max-tokens",
    "calls": "--max-calls",
    "turns": "--max-turns",
    "depth": "--max-depth",
    "seconds": "--seconds",
}


class Diverged(RlmError):
    """A cell that was run once more, to come back to a state, did not do what it did before; nothing was paid.

    Args:
        cell: What a person calls it: ``In [7]``.
        first_line: Of the cell.
        what: What differs: ``its output``, ``the variable x``; with ``interrupted``, it was, and nobody knows when.
        then: What it was, shortened; empty where there was nothing.
        now: What it is now.
        entry: Id of the cell's entry in the history.
    """

    def __init__(
        self, cell: str, first_line: str, what: str, then: str = "", now: str = "", *, entry: str = ""
    ) -> None:
        """State the cell and both values."""
        self.cell, self.first_line, self.what = cell, first_line, what
        self.then, self.now, self.entry = then, now, entry
        values = f": it was {then or 'not there'}, now it is {now or 'not there'}" if then or now else ""
        named = f" ({first_line})" if first_line else ""
        said = "was interrupted, and how far it had come is not known" if what == "interrupted" else ""
        super().__init__(
            f"Python's state cannot be restored exactly. {cell}{named} {said or f'differs in {what}{values}'}.",
            "Go on anyway from the state as it is now, or run the cells again.",
        )


class StoreError(RlmError):
    """The store cannot be used; whatever stands in its file is untouched."""


class NamespaceDied(RlmError):
    """The namespace process ended while something was asked of it."""
