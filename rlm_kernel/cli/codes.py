"""Exit codes, and which error has which."""

from __future__ import annotations

from rlm_kernel.errors import InputError, LimitExceeded, ModelError, StoreError

OK = 0
DEFECT = 1
USAGE = 2
NO_ANSWER = 3
MODEL_FAILED = 4
INTERRUPTED = 130
BROKEN_PIPE = 141

OUTCOMES = {"answered": OK, "limit": NO_ANSWER, "failed": MODEL_FAILED, "stopped": INTERRUPTED}
"""By how a run ended."""


def code_of(error: Exception) -> int:
    """Give the exit code of an error."""
    if isinstance(error, InputError | StoreError):
        return USAGE
    if isinstance(error, LimitExceeded):
        return NO_ANSWER
    return MODEL_FAILED if isinstance(error, ModelError) else DEFECT
