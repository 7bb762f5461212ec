"""The nursery: a copy of the namespace right after its start, from which the namespaces of child runs are forked.

A Python with its shell takes more than half a second to start, a fork of one some milliseconds. The nursery is forked
before the first cell of the person, so a child has nothing of the person's in it: no names, no threads, no imports.

Each child leads a process group of its own and has a lifeline of its own, so it is interrupted alone, and ends with
the host, whatever becomes of the nursery. The nursery is the parent of all of them and tells the host how they ended.
"""

from __future__ import annotations

import faulthandler
import gc
import logging
import os
import select
import signal
import socket
import warnings
from typing import TYPE_CHECKING

from rlm_kernel.namespace.lifeline import arm
from rlm_kernel.namespace.streams import flush_real
from rlm_kernel.wire import Connection, Frame

if TYPE_CHECKING:
    from rlm_kernel.namespace.main import Namespace
    from rlm_kernel.wire import Json


class Nursery:
    """Forks the nursery off a namespace, and in the nursery the children.

    Args:
        namespace: The namespace, with nothing in it.
        lifeline: The file descriptor this process dies with.
    """

    def __init__(self, namespace: Namespace, lifeline: int) -> None:
        self._namespace = namespace
        self._lifeline = lifeline
        self._warm = False
        self._living: dict[int, int] = {}
        """Children by the file descriptor that tells of their end."""
        self._poll = select.poll()

    def open(self, number: int) -> None:
        """Make the nursery and answer the host's request ``number``; returns once more in each child."""
        calls = self._namespace.calls
        host_end, own_end = socket.socketpair()
        try:
            pid = _fork()
        except OSError as error:
            calls.send({"t": "reply", "rid": number, "v": {"refusal": f"the system refused to fork: {error}"}})
            return
        if pid == 0:
            host_end.close()
            try:
                self._serve(own_end)
            except BaseException:
                # Nothing above may go on with it: two processes would be one namespace.
                logging.getLogger(__name__).exception("no child can be forked any more")
                os._exit(1)
            return
        own_end.close()
        calls.send({"t": "reply", "rid": number, "v": {"pid": pid}}, fd=host_end.fileno())
        host_end.close()

    # ---- in the nursery

    def _serve(self, sock: socket.socket) -> None:
        """Fork a child for each request; returns in the child."""
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        connection, frames = Connection(sock), list[Frame]()
        self._poll.register(sock, select.POLLIN)
        while True:
            for fd, _ in self._poll.poll():
                if fd != sock.fileno():
                    self._tell_end(connection, fd)
                    continue
                try:
                    connection.receive(frames.append)
                except (EOFError, OSError):
                    os._exit(0)
            while frames:
                message = frames.pop(0).message
                self._warm_up()
                if message["t"] == "fork" and self._fork_child(connection, message):
                    return

    def _warm_up(self) -> None:
        """Do now what each child would have to do by itself."""
        if self._warm:
            return
        self._warm = True
        import mmap
        import pickle

        from rlm_kernel.contexts import describe

        self._namespace.shell.run_cell("None", silent=True)
        _ = mmap, pickle, describe
        # The collector would touch, and so copy, every page that the children share.
        gc.freeze()

    def _fork_child(self, connection: Connection, message: Json) -> bool:
        """Fork a child; answers whether this is the child."""
        fds = [connection.fds.pop(0) for _ in range(message["fds"])]
        try:
            pid = _fork()
        except OSError as error:
            _close(fds)
            connection.send({"t": "forked", "rid": message["rid"], "refusal": str(error)})
            return False
        if pid == 0:
            connection.sock.close()
            _close(connection.fds)  # of children that are to come
            self._become_child(fds)
            return True
        _close(fds)
        ended = os.pidfd_open(pid)
        self._living[ended] = pid
        self._poll.register(ended, select.POLLIN)
        connection.send({"t": "forked", "rid": message["rid"], "pid": pid})
        return False

    def _tell_end(self, connection: Connection, fd: int) -> None:
        pid = self._living.pop(fd)
        self._poll.unregister(fd)
        os.close(fd)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        connection.send({"t": "ended", "pid": pid, "code": code})

    # ---- in the child

    def _become_child(self, fds: list[int]) -> None:
        """Go on as a namespace of its own."""
        os.setsid()
        connection, lifeline, out, err, crash, *context = fds
        os.dup2(out, 1)
        os.dup2(err, 2)
        _close([out, err, self._lifeline, *self._living])
        self._lifeline = lifeline
        self._living = {}
        arm(lifeline)
        faulthandler.enable(crash)
        self._namespace.reborn(socket.socket(fileno=connection), *context)


def _fork() -> int:
    flush_real()
    with warnings.catch_warnings():
        # Python warns of native threads; nothing has run yet that could have started one.
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()


def _close(fds: list[int]) -> None:
    for fd in fds:
        os.close(fd)
