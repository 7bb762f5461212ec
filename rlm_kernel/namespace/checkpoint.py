"""Checkpoints: a forked copy of the namespace that is parked until it is needed.

Taking one: the namespace forks outside its event loop, the child waits for a message, and the parent hands the other
end of the child's socket to the host. Restoring one: the host sends a new connection to the parked process, which forks
again; the grandchild goes on as the namespace, and the parked process stays, so that it can be used again.

What does not survive a fork, and is dealt with here:

- other threads. A checkpoint is refused while there are any; the idle ones that IPython and tqdm leave are ended first.
- libraries with thread pools of their own (polars hangs when it is used after a fork): refused by name.
- the event loop's wake-up socket: made anew. The loop polls, it has no state in the kernel (no epoll).
- ``random``, which Python seeds anew in a fork: put back.
- where the next byte of an open file is read or written: all forks share that, so it is put back too.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import socket
import stat
import sys
import threading
import time
import warnings
from typing import TYPE_CHECKING, Any

from rlm_kernel.namespace import comms
from rlm_kernel.namespace.streams import flush_real
from rlm_kernel.wire import Connection, Frame

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterator

    from rlm_kernel.namespace.main import Namespace

UNSAFE_LIBRARIES = ("polars", "torch", "grpc", "jax", "tensorflow")
UNSAFE_THREADS = ("polars-", "tokio-", "async-executor", "rayon-", "cuda-", "grpc")
THREAD_GRACE = 1.0
"""Seconds to wait for a thread of a library that was told to end."""


class Checkpoints:
    """Takes checkpoints of a namespace, and goes on from them."""

    def __init__(self, namespace: Namespace) -> None:
        self._namespace = namespace
        self._children: set[int] = set()

    def take(self, number: int) -> None:
        """Take a checkpoint and answer the host's request ``number``.

        In the namespace this returns at once. It returns a second time in each process restored from the checkpoint.
        """
        calls = self._namespace.calls
        self._reap()
        refusal = self._refusal()
        if refusal is not None:
            calls.send({"t": "reply", "rid": number, "v": {"refusal": refusal}})
            return
        flush_real()
        host_end, parked_end = socket.socketpair()
        random_state, places = random.getstate(), _file_places()
        with warnings.catch_warnings():
            # Python warns of native threads; _refusal has decided which of them matter.
            warnings.simplefilter("ignore", DeprecationWarning)
            try:
                pid = os.fork()
            except OSError as error:
                calls.send({"t": "reply", "rid": number, "v": {"refusal": f"the system refused to fork: {error}"}})
                return
        if pid == 0:
            host_end.close()
            self._go_on(self._park(parked_end), random_state, places)
            return
        parked_end.close()
        self._children.add(pid)
        calls.send({"t": "reply", "rid": number, "v": {"pid": pid}}, fd=host_end.fileno())
        host_end.close()

    def _reap(self) -> None:
        for pid in list(self._children):
            try:
                ended = os.waitpid(pid, os.WNOHANG)[0] != 0
            except ChildProcessError:
                ended = True
            if ended:
                self._children.discard(pid)

    # ---- may this process be forked?

    def _refusal(self) -> str | None:
        """Say why no checkpoint can be taken now; ``None`` where it can."""
        for library in UNSAFE_LIBRARIES:
            if library in sys.modules:
                return f"{library} is loaded, and its threads do not survive a fork"
        self._end_idle_threads()
        names = [thread.name for thread in threading.enumerate() if thread is not threading.main_thread()]
        if names:
            return f"another Python thread is running ({', '.join(names[:3])})"
        if len(sys._current_frames()) > 1:
            return "another Python thread is running"
        for name in _native_threads():
            if name.startswith(UNSAFE_THREADS):
                return f"a thread that does not survive a fork is running ({name})"
        return None

    def _end_idle_threads(self) -> None:
        for magics in self._script_magics():
            _stop_script_loop(magics)
        _stop_tqdm_monitors()
        _stop_idle_executor(self._namespace.loop)

    def _script_magics(self) -> Iterator[Any]:
        for magics in self._namespace.shell.magics_manager.registry.values():
            if type(magics).__name__ == "ScriptMagics":
                yield magics

    # ---- the parked process

    def _park(self, sock: socket.socket) -> socket.socket:
        """Wait for restores; returns in the process that takes over, with its connection to the host."""
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        connection = Connection(sock)
        restores: list[Frame] = []
        while True:
            try:
                connection.receive(restores.append)
            except (EOFError, OSError):
                os._exit(0)
            if not restores or not connection.fds:
                continue
            restores.clear()
            fd = connection.fds.pop(0)
            if os.fork() == 0:
                break
            os.close(fd)
        sock.close()
        return socket.socket(fileno=fd)

    def _go_on(self, sock: socket.socket, random_state: tuple[Any, ...], places: dict[int, int]) -> None:
        """Be the namespace from now on."""
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        random.setstate(random_state)
        for file, place in places.items():
            with contextlib.suppress(OSError):
                os.lseek(file, place, os.SEEK_SET)
        self._children.clear()
        for magics in self._script_magics():
            magics.event_loop = None
        namespace = self._namespace
        remake_wakeup(namespace.loop)
        namespace.adopt(sock)
        namespace.calls.send({"t": "restored", "pid": os.getpid(), "comms": list(comms.install().comms)})
        comms.send_widget_states()


def _file_places() -> dict[int, int]:
    """Give the position in each regular file that is open."""
    found = {}
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):  # among them the listing itself, closed by now
            if stat.S_ISREG(os.fstat(int(name)).st_mode):
                found[int(name)] = os.lseek(int(name), 0, os.SEEK_CUR)
    return found


def _native_threads() -> Iterator[str]:
    for thread in os.listdir("/proc/self/task"):
        try:
            with open(f"/proc/self/task/{thread}/comm") as file:
                yield file.read().strip()
        except OSError:
            continue  # it has ended meanwhile


def _stop_script_loop(magics: Any) -> None:
    """End the thread that ``%%bash`` leaves behind for its event loop."""
    loop = getattr(magics, "event_loop", None)
    if loop is None:
        return
    magics.event_loop = None
    loop.call_soon_threadsafe(loop.stop)
    for thread in threading.enumerate():
        if getattr(thread, "_target", None) == loop.run_forever:
            thread.join(THREAD_GRACE)
    if not loop.is_running():
        loop.close()


def _stop_tqdm_monitors() -> None:
    """End tqdm's monitor threads; each subclass may have one of its own."""
    tqdm = sys.modules.get("tqdm")
    kinds = [tqdm.tqdm] if tqdm is not None and hasattr(tqdm, "tqdm") else []
    while kinds:
        kind = kinds.pop()
        kinds += kind.__subclasses__()
        kind.monitor_interval = 0
        monitor = kind.__dict__.get("monitor")
        if monitor is not None:
            kind.monitor = None
            monitor.exit()


def _stop_idle_executor(loop: asyncio.AbstractEventLoop) -> None:
    """End the threads of ``asyncio.to_thread`` where none of them has work."""
    executor = getattr(loop, "_default_executor", None)
    if executor is None or executor._work_queue.qsize() or executor._idle_semaphore._value < len(executor._threads):
        return
    loop._default_executor = None  # type: ignore[attr-defined]
    executor.shutdown(wait=False)
    end = time.monotonic() + THREAD_GRACE
    for thread in executor._threads:
        thread.join(max(0.0, end - time.monotonic()))


def remake_wakeup(loop: asyncio.SelectorEventLoop) -> None:
    """Give the loop a wake-up socket of its own instead of the one it shares with the process it was forked from."""
    loop._close_self_pipe()  # type: ignore[attr-defined]
    loop._make_self_pipe()  # type: ignore[attr-defined]
