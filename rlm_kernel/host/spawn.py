"""Starts the operating-system process of a namespace."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from rlm_kernel.errors import NamespaceDied

if TYPE_CHECKING:
    from collections.abc import Mapping

SECRET_NAMES = re.compile(
    r"""(?ix) .* _API_ (KEY|TOKEN) S? $ | .* _API_KEY_ .*
        | (OPENAI|ANTHROPIC|OPENROUTER|GROQ|MISTRAL|GEMINI|COHERE|TOGETHER|FIREWORKS|DEEPSEEK|XAI)_ .* (KEY|TOKEN) $
        | AZURE_OPENAI_ .* (KEY|TOKEN) $"""
)


class ChildProcess(Protocol):
    """What is asked of a process: ``subprocess.Popen`` has it, and what was forked elsewhere imitates it."""

    @property
    def pid(self) -> int:
        """Its process id, which is that of its group."""
        ...

    def poll(self) -> int | None:
        """Give its exit code, negative for a signal; ``None`` where it lives or nothing is known."""
        ...

    def kill(self) -> None:
        """Kill it."""
        ...

    def wait(self) -> object:
        """Wait for its end."""
        ...


@dataclass(slots=True)
class Spawned:
    """A process that was started, and our ends of what it shares with us."""

    process: ChildProcess
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


class Ends:
    """Both ends of what a namespace process shares with us, before there is the process."""

    def __init__(self) -> None:
        self._ours, self._theirs = socket.socketpair()
        self._out, self.out = os.pipe()
        self._err, self.err = os.pipe()
        self.lifeline, self._life = os.pipe()
        self._crash, self.crash = os.pipe()
        self.connection = self._theirs.fileno()

    def close_theirs(self) -> None:
        """Let go of its ends: it has them."""
        self._theirs.close()
        for fd in (self.out, self.err, self.lifeline, self.crash):
            os.close(fd)

    def close_ours(self) -> None:
        """Let go of our ends: there will be no process."""
        self._ours.close()
        for fd in (self._out, self._err, self._life, self._crash):
            os.close(fd)

    def of(self, process: ChildProcess) -> Spawned:
        """Give our ends together with the process that has the others."""
        for fd in (self._out, self._err, self._crash):
            os.set_blocking(fd, False)
        return Spawned(process, self._ours, self._life, self._crash, {self._out: "stdout", self._err: "stderr"})


def spawn(environ: Mapping[str, str] = os.environ, context: int | None = None) -> Spawned:
    """Start a namespace process.

    Args:
        environ: Its environment; keys are taken out.
        context: The file with what a parent hands over to it.

    Raises:
        NamespaceDied: This system cannot pass file descriptors to a process (Windows).
    """
    if os.name != "posix":
        raise NamespaceDied(
            "Cells cannot be run on this system.", "rlm-kernel needs Linux or macOS; on Windows, use WSL."
        )
    ends = Ends()
    passed = [ends.connection, ends.lifeline, ends.crash, *([] if context is None else [context])]
    try:
        process = subprocess.Popen(
            # -P: a file of the person's called random.py must not break the start.
            [sys.executable, "-P", "-m", "rlm_kernel.namespace", *map(str, passed)],
            pass_fds=passed,
            stdin=subprocess.DEVNULL,
            stdout=ends.out,
            stderr=ends.err,
            start_new_session=True,
            env=clean_environment(environ),
        )
    except OSError:
        ends.close_ours()
        raise
    finally:
        ends.close_theirs()
    return ends.of(process)
