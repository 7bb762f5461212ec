"""Exit codes, and which error has which."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rlm_kernel.errors import InputError, LimitExceeded, ModelError, NotApproved, StoreError

if TYPE_CHECKING:
    from rlm_kernel.trace.records import Node

OK = 0
DEFECT = 1
USAGE = 2
NO_ANSWER = 3
MODEL_FAILED = 4
NOT_APPROVED = 5
INTERRUPTED = 130
BROKEN_PIPE = 141

OUTCOMES = {"answered": OK, "limit": NO_ANSWER, "failed": MODEL_FAILED, "stopped": INTERRUPTED}
"""By how a run ended."""


def code_of_run(run: Node) -> int:
    """Give the exit code of a question that was asked."""
    return NOT_APPROVED if run.details.get("not_approved") else OUTCOMES[run.outcome or "stopped"]


def code_of(error: Exception) -> int:
    """Give the exit code of an error."""
    if isinstance(error, InputError | StoreError):
        return USAGE
    if isinstance(error, LimitExceeded):
        return NO_ANSWER
    if isinstance(error, NotApproved):
        return NOT_APPROVED
    return MODEL_FAILED if isinstance(error, ModelError) else DEFECT
