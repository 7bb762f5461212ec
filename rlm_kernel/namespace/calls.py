"""Everything the namespace says to its host, and the calls that wait for an answer."""

from __future__ import annotations

import itertools
import os
import threading
from collections import deque
from typing import TYPE_CHECKING, Any

from rlm_kernel.errors import RlmError
from rlm_kernel.wire import Connection, Frame, Json

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Sequence


class CallFailed(RlmError):
    """The host answered a call of a cell with an error."""


class Calls:
    """The namespace's end of the connection, safe to use from any thread.

    - sends messages; text of streams in a form that costs little per piece
    - makes calls that wait for their answer; several threads may wait at once: one of them reads for all
    - keeps requests that come meanwhile in `inbox`, and wakes the main loop for them
    """

    def __init__(self, sock: socket.socket, wake: Callable[[], None]) -> None:
        """Use a connected socket.

        Args:
            sock: The connection to the host.
            wake: Called, in any thread, when something new lies in `inbox`.
        """
        self.connection = Connection(sock)
        self.detached = False
        self.inbox: deque[Frame] = deque()
        self._wake = wake
        self._numbers = itertools.count(1)
        self._answers: dict[int, Json | None] = {}
        self._changed = threading.Condition()
        self._reading = False
        self._stream: tuple[str, str | None] | None = None

    def adopt(self, sock: socket.socket) -> None:
        """Go on over another connection: this process is a restored checkpoint."""
        self.connection = Connection(sock)
        self.inbox.clear()
        self._answers.clear()
        self._stream = None
        self.detached = False

    def detach(self) -> None:
        """Let go of the connection: this process is a fork, ours or the person's, and two must not write to it."""
        self.connection.sock.close()
        self.detached = True

    def send(self, message: Json, buffers: Sequence[Any] = (), fd: int | None = None) -> None:
        """Send a message; where the host is gone, the process has nothing left to do."""
        if self.detached:
            return
        if fd is not None:
            message = {**message, "fd": True}
        try:
            self.connection.send(message, buffers, fd)
        except OSError:
            os._exit(1)

    def text(self, name: str, text: str, parent: str | None) -> None:
        """Send a piece of a stream."""
        if self.detached:
            os.write(2 if name == "stderr" else 1, text.encode("utf-8", "replace"))
            return
        try:
            with self.connection.lock:
                if (name, parent) != self._stream:
                    self._stream = (name, parent)
                    self.connection.send({"t": "stream", "name": name, "p": parent})
                self.connection.send_text(text.encode("utf-8", "replace"))
        except OSError:
            os._exit(1)

    def call(self, message: Json, fd: int | None = None) -> Any:
        """Ask the host something and wait for the answer.

        Args:
            message: What is asked.
            fd: A file descriptor that goes with it.

        Raises:
            CallFailed: The host could not answer.
            KeyboardInterrupt: The person interrupted the cell; the host has been told.
        """
        if self.detached:
            raise CallFailed(
                "This is a forked process: only the notebook's own process can ask.", "Use threads instead."
            )
        number = next(self._numbers)
        self._answers[number] = None
        try:
            self.send({**message, "rid": number}, fd=fd)
            answer = self._wait(number)
        except KeyboardInterrupt:
            self.send({"t": "cancel", "rid": number})
            raise
        finally:
            self._answers.pop(number, None)
        if answer.get("interrupted"):
            raise KeyboardInterrupt
        if "error" in answer:
            raise CallFailed(str(answer["error"]), str(answer.get("remedy", "")))
        return answer.get("v")

    def _wait(self, number: int) -> Json:
        while True:
            with self._changed:
                answer = self._answers[number]
                if answer is not None:
                    return answer
                if self._reading:
                    self._changed.wait()
                    continue
                self._reading = True
            try:
                if self.connection.poll(None):
                    self._receive()
            finally:
                self._stop_reading()

    def _stop_reading(self) -> None:
        with self._changed:
            self._reading = False
            self._changed.notify_all()

    def readable(self) -> None:
        """Read what the main loop was woken for, unless a waiting thread is reading already."""
        with self._changed:
            if self._reading:
                return
            self._reading = True
        try:
            # Another thread may have read it between the wake-up and now.
            if self.connection.poll(0):
                self._receive()
        finally:
            self._stop_reading()

    def _receive(self) -> None:
        try:
            self.connection.receive(self._take)
        except (EOFError, OSError):
            os._exit(0)

    def _take(self, frame: Frame) -> None:
        message = frame.message
        if message["t"] != "answer":
            self.inbox.append(frame)
            self._wake()
            return
        number = message.get("rid")
        if number in self._answers:
            self._answers[number] = message
