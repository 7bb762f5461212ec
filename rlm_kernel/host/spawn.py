"""Starts the operating-system process of a namespace."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rlm_kernel.errors import NamespaceDied

if TYPE_CHECKING:
    from collections.abc import Mapping

SECRET_NAMES = re.compile(
    r"""(?ix) .* _API_ (KEY|TOKEN) S? $ | .* _API_KEY_ .*
        | (OPENAI|ANTHROPIC|OPENROUTER|GROQ|MISTRAL|GEMINI|COHERE|TOGETHER|FIREWORKS|DEEPSEEK|XAI)_ .* (KEY|TOKEN) $
        | AZURE_OPENAI_ .* (KEY|TOKEN) $"""
)


@dataclass(slots=True)
class Spawned:
    """A process that was started, and our ends of what it shares with us."""

    process: subprocess.Popen[bytes]
    connection: socket.socket
    lifeline: int
    """Writing end of a pipe nobody writes to: when it closes, also by our own death, the process group is killed."""
    crash: int
    """Reading end of a pipe that gets Python's stack when the process crashes."""
    outputs: dict[int, str]
    """Reading ends of its file descriptors 1 and 2, with the names of the streams."""

    def close(self) -> None:
        """Kill the process, its checkpoints and what they started."""
        for fd in (*self.outputs, self.crash, self.lifeline):
            os.close(fd)
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def clean_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Give the environment for cells: without the keys of model providers, which only the kernel process needs."""
    return {name: value for name, value in environ.items() if not SECRET_NAMES.match(name)}


def spawn(environ: Mapping[str, str] = os.environ) -> Spawned:
    """Start a namespace process.

    Raises:
        NamespaceDied: This system cannot pass file descriptors to a process (Windows).
    """
    if os.name != "posix":
        raise NamespaceDied(
            "Cells cannot be run on this system.", "rlm-kernel needs Linux or macOS; on Windows, use WSL."
        )
    ours, theirs = socket.socketpair()
    out_read, out_write = os.pipe()
    err_read, err_write = os.pipe()
    life_read, life_write = os.pipe()
    crash_read, crash_write = os.pipe()
    shared = (theirs.fileno(), life_read, crash_write)
    try:
        process = subprocess.Popen(
            # -P: a file of the person's called random.py must not break the start.
            [sys.executable, "-P", "-m", "rlm_kernel.namespace", *map(str, shared)],
            pass_fds=shared,
            stdin=subprocess.DEVNULL,
            stdout=out_write,
            stderr=err_write,
            start_new_session=True,
            env=clean_environment(environ),
        )
    finally:
        theirs.close()
        for fd in (out_write, err_write, life_read, crash_write):
            os.close(fd)
    for fd in (out_read, err_read, crash_read):
        os.set_blocking(fd, False)
    return Spawned(process, ours, life_write, crash_read, {out_read: "stdout", err_read: "stderr"})
