"""The application that starts the kernel: ipykernel's own, without what only matters where user code runs."""

from __future__ import annotations

import ctypes
import sys
from typing import TYPE_CHECKING

from ipykernel.kernelapp import IPKernelApp
from jupyter_client.session import Session
from traitlets import Type

from rlm_kernel.kernel.kernel import RlmKernel

if TYPE_CHECKING:
    import zmq

PR_SET_DUMPABLE = 4


class RlmKernelApp(IPKernelApp):
    """Reads the connection file, binds the channels, starts `RlmKernel`.

    Standard output stays what it is: no cell prints here, and a library's warning belongs in the server's log.
    """

    name = "rlm-kernel"
    kernel_class = Type(RlmKernel, klass=RlmKernel).tag(config=True)

    classes = [RlmKernel, Session]  # type: ignore[assignment]  # noqa: RUF012 - a trait

    def initialize(self, argv: list[str] | None = None) -> None:
        """Close this process to others of the same user before anything secret is in it."""
        hide_memory()
        self.outstream_class = None  # type: ignore[assignment]
        super().initialize(argv)  # type: ignore[no-untyped-call]

    def init_control(self, context: zmq.Context[zmq.Socket[bytes]]) -> None:
        """Leave out the thread for subshells: the main loop is never blocked, and reads the shell channel itself."""
        super().init_control(context)  # type: ignore[no-untyped-call]
        self.shell_channel_thread.io_loop.close(all_fds=True)
        self.shell_channel_thread = None

    def init_pdb(self) -> None:
        """There is nothing to debug with pdb in this process."""

    def init_path(self) -> None:
        """The notebook's folder must not be on the path of the process that has the key."""


def hide_memory() -> bool:
    """Keep other processes of the same user, the namespace above all, from reading this process's memory (Linux).

    Returns:
        Whether the system took it.
    """
    if not sys.platform.startswith("linux"):
        return False
    return bool(ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0)
