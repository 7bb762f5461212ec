"""How a cell ended, and what a person is told when its process died."""

from __future__ import annotations

import re
import signal
from typing import TYPE_CHECKING

from rlm_kernel.host import validate
from rlm_kernel.host.records import ExecuteReply

if TYPE_CHECKING:
    from rlm_kernel.host.records import Json

_FATAL = re.compile(r"Fatal Python error: ([^\n]+)")


def cell_reply(count: int, reply: Json, *, interrupted: bool) -> ExecuteReply:
    """Check and give what the namespace says of a cell that ran to its end.

    Args:
        count: The cell's execution count.
        reply: What came.
        interrupted: Whether it was interrupted meanwhile.
    """
    ok = reply.get("status") == "ok"
    traceback, payload, expressions = (reply.get(key) for key in ("traceback", "payload", "user_expressions"))
    return ExecuteReply(
        status="ok" if ok else "error",
        execution_count=count,
        answer=validate.answer_state(reply.get("answer")),
        payload=[item for item in payload if isinstance(item, dict)] if isinstance(payload, list) else [],
        user_expressions=expressions if isinstance(expressions, dict) else {},
        ename=str(reply.get("ename", "")),
        evalue=str(reply.get("evalue", "")),
        traceback=[str(line) for line in traceback] if isinstance(traceback, list) else [],
        interrupted=interrupted and not ok,
        digest=validate.digest(reply.get("digest")),
    )


def stack_of_cell(crash: str) -> str:
    """Cut what Python wrote at a crash to the frames of the cell: below them is only IPython."""
    lines = []
    for line in crash.splitlines():
        if "IPython/core/interactiveshell.py" in line or line.startswith("Extension modules:"):
            break
        lines.append(line)
    return "\n".join(lines).strip() + "\n"


def words_of_death(code: int | None, crash: str) -> str:
    """Say how a process ended.

    Args:
        code: Its exit code, negative for a signal; ``None`` where it is not known.
        crash: What it wrote when it crashed; may be empty.
    """
    fatal = _FATAL.search(crash)
    if fatal:
        return f"The process of the namespace crashed: {fatal[1].strip()}."
    if code is not None and code < 0:
        name = signal.Signals(-code).name if -code in signal.valid_signals() else f"signal {-code}"
        reason = f"{name}, perhaps for want of memory" if -code == signal.SIGKILL else name
        return f"The process of the namespace was ended by {reason}."
    if code is not None:
        return f"The process of the namespace ended with exit code {code}."
    return "The process of the namespace ended: it left by itself, crashed, or was killed by the system."


def died_reply(count: int, died: str, *, restored: bool, refusal: str, killed: bool) -> ExecuteReply:
    """Make the reply of a cell in which the process ended.

    Args:
        count: The cell's execution count.
        died: Why it ended.
        restored: Whether the state before the cell is back.
        refusal: Why there was no checkpoint to restore.
        killed: Whether we killed it, after an interrupt.
    """
    if restored:
        lost = "Everything in Python is as it was before this cell; files and other things outside are not undone."
    else:
        lost = (
            f"There was no checkpoint of this cell ({refusal}), so a fresh Python is running: "
            "variables, imports and the context are gone. Run the earlier cells again."
        )
    name = "KeyboardInterrupt" if killed else "NamespaceDied"
    return ExecuteReply(
        status="died",
        execution_count=count,
        answer={"content": "", "ready": False},
        ename=name,
        evalue=f"{died} {lost}",
        traceback=[f"\x1b[31m{name}\x1b[39m: {died}", lost],
        interrupted=killed,
        died=died,
        restored=restored,
        lost=lost,
    )
