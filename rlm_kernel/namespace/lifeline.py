"""The namespace process must not outlive its host, whatever it is doing."""

from __future__ import annotations

import os
import select
import signal
import sys
import threading


def arm(fd: int) -> None:
    """Die when the host closes, or loses, the other end of a pipe.

    On Linux the operating system itself then kills the whole process group: the namespace in the middle of a loop in
    C, its parked checkpoints, and what they started. (``PR_SET_PDEATHSIG`` would follow the parent *thread*, and a
    restored checkpoint has another parent.) Elsewhere a thread watches; it would forbid checkpoints, but they are off
    there anyway.

    Args:
        fd: The reading end; nothing is ever written.
    """
    if sys.platform == "linux":
        import fcntl

        fcntl.fcntl(fd, fcntl.F_SETSIG, signal.SIGKILL)
        fcntl.fcntl(fd, fcntl.F_SETOWN, -os.getpgrp())
        fcntl.fcntl(fd, fcntl.F_SETFL, fcntl.fcntl(fd, fcntl.F_GETFL) | os.O_ASYNC)
        if select.select([fd], [], [], 0)[0]:
            os._exit(0)  # it was closed before the signal was asked for
    else:
        threading.Thread(target=_watch, args=(fd,), name="rlm-lifeline", daemon=True).start()


def _watch(fd: int) -> None:
    os.read(fd, 1)
    os._exit(0)
