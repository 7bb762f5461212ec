"""The IPython shell of the namespace: ipykernel's, publishing through the host instead of ZeroMQ."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any, Protocol, cast

import ipykernel.zmqshell
from IPython.core.error import StdinNotImplementedError, UsageError
from IPython.core.magic import Magics, line_cell_magic, magics_class
from jupyter_client.session import Session
from traitlets.config import Config

from rlm_kernel.errors import RlmError
from rlm_kernel.namespace import comms
from rlm_kernel.namespace.loading import is_load, load_line

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from rlm_kernel.namespace.calls import Calls
    from rlm_kernel.namespace.loading import Load

OURS = os.path.join("rlm_kernel", "namespace", "")
"""Part of the path of what is no code of the person."""


class Publish(Protocol):
    """Sends an output or comm message; without a parent it belongs to what runs now."""

    def __call__(
        self,
        msg_type: str,
        content: dict[str, Any],
        parent: str | None = None,
        metadata: dict[str, Any] | None = None,
        buffers: Sequence[Any] | None = None,
    ) -> None:
        """Send it."""
        ...


class HostSession(Session):
    """Stands in for the ZeroMQ session wherever ipykernel sends something."""

    publish: Publish

    def send(  # noqa: PLR0913 - the signature is jupyter_client's
        self,
        stream: object,
        msg_or_type: dict[str, Any] | str,
        content: dict[str, Any] | None = None,
        parent: dict[str, Any] | None = None,
        ident: object = None,
        buffers: Sequence[Any] | None = None,
        track: bool = False,
        header: object = None,
        metadata: dict[str, Any] | None = None,
    ) -> dict[str, Any] | None:
        """Publish a message through the host."""
        if isinstance(msg_or_type, dict):
            msg_type, content = msg_or_type["header"]["msg_type"], msg_or_type["content"]
            parent, metadata = msg_or_type.get("parent_header") or {}, msg_or_type.get("metadata")
            buffers = buffers or msg_or_type.get("buffers")
        else:
            msg_type = msg_or_type
        head = (parent or {}).get("header", parent or {})
        self.publish(msg_type, content or {}, head.get("msg_id"), metadata, buffers)
        return None


class KernelFacade:
    """What libraries expect of ``get_ipython().kernel``."""

    implementation = "rlm-kernel"
    eventloop = None
    iopub_socket = None
    shell_streams: tuple[object, ...] = ()

    def __init__(self, shell: Shell, session: HostSession, reader: Reader) -> None:
        self.shell = shell
        self.session = session
        self._reader = reader

    def get_parent(self, channel: str | None = None) -> dict[str, Any]:
        """Give the request that runs now."""
        parent: dict[str, Any] = self.shell.get_parent()  # type: ignore[no-untyped-call]
        return parent

    @property
    def _parent_header(self) -> dict[str, Any]:
        return self.get_parent()

    @property
    def comm_manager(self) -> object:
        """The comms of this process."""
        return comms.install()

    @property
    def io_loop(self) -> object:
        """The running loop, as tornado wraps it."""
        from tornado.ioloop import IOLoop

        return IOLoop.current()

    def _topic(self, topic: str) -> bytes:
        return topic.encode()

    def send_response(
        self,
        stream: object,
        msg_or_type: str,
        content: dict[str, Any] | None = None,
        ident: object = None,
        buffers: Sequence[Any] | None = None,
        **keys: Any,
    ) -> None:
        """Publish something as output of the cell."""
        self.session.send(None, msg_or_type, content, self.get_parent(), None, buffers)

    def raw_input(self, prompt: str = "") -> str:
        """Ask the person for a line."""
        return self._reader.read(prompt)

    def getpass(self, prompt: str = "", stream: object = None) -> str:
        """Ask the person for a secret."""
        return self._reader.read(prompt, password=True)


class Reader:
    """``input()`` and ``getpass()`` of the cells."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self.allowed = False
        """Whether the client that sent the running cell can be asked."""
        self.shell: Shell | None = None

    def read(self, prompt: object = "", *, password: bool = False) -> str:
        """Ask the person and wait.

        Raises:
            StdinNotImplementedError: Nobody can be asked.
        """
        if not self.allowed:
            raise StdinNotImplementedError("input() was called, but this client does not support input requests.")
        sys.stdout.flush()
        parent = self.shell.parent_id() if self.shell else None
        value = str(self._calls.call({"t": "input", "prompt": str(prompt), "password": password, "p": parent}))
        if value == "\x04":
            raise EOFError
        return value

    def input(self, prompt: object = "", /) -> str:
        """Replace ``builtins.input``."""
        return self.read(prompt)

    def getpass(self, prompt: str = "Password: ", stream: object = None, **keys: object) -> str:
        """Replace ``getpass.getpass``."""
        return self.read(prompt, password=True)


@magics_class
class RlmMagics(Magics):
    """``%rlm`` as the namespace sees it: ``%rlm load`` is done here, everything else the kernel answers."""

    calls: Calls
    load: Load

    @line_cell_magic
    def rlm(self, line: str, cell: str | None = None) -> None:
        """Show or set what runs use; `%rlm?` shows the options.

        A question stands in a cell that begins with `%%rlm`.
        """
        if cell is not None:
            raise UsageError("%%rlm must be the first line of a cell of its own.")
        shell = cast("Shell", self.shell)
        if is_load(line):
            print(load_line(line, type(self).load))  # noqa: T201 - a magic's output
            return
        try:
            text = self.calls.call({"t": "magic", "line": line, "p": shell.parent_id()})
        except RlmError as error:
            raise UsageError(str(error)) from None
        if text:
            print(text)  # noqa: T201 - a magic's output


class Shell(ipykernel.zmqshell.ZMQInteractiveShell):
    """The shell; to libraries it is ipykernel's ``ZMQInteractiveShell``, which they look for by name."""

    shown_error: BaseException | None = None
    """The last error that was shown: an error in an object's own display is in no result."""

    def enable_gui(self, gui: str | None = None) -> None:
        """Refuse event loops of windows: they cannot run in this process."""
        if gui not in (None, "inline", "asyncio"):
            raise UsageError(f"%gui {gui} does not work with rlm-kernel.")

    def ask_exit(self) -> None:
        """Tell the client that the person wants to leave; this process stays until the kernel ends it."""
        cast("Any", self.payload_manager).write_payload({"source": "ask_exit", "keepkernel": self.keepkernel_on_exit})

    def parent_id(self) -> str | None:
        """Give the message id of what runs now, in this task or thread."""
        header: dict[str, Any] = cast("Any", self.display_pub).parent_header or {}
        return header.get("msg_id")

    def _showtraceback(self, etype: type[BaseException], evalue: BaseException, stb: list[str]) -> None:
        self.shown_error = evalue
        if isinstance(evalue, KeyboardInterrupt):
            # Where the cell was is of interest, not where our handler raises.
            stb = [frame for frame in stb if OURS not in frame.partition("\n")[0]]
        if isinstance(evalue, TypeError) and "got 'Text'" in str(evalue):
            # re takes only str; which methods do the same on a text on disk is not to be guessed.
            stb = [*stb, "A text on disk is no str: context.search(pattern), .finditer(…), .findall(…); re on a slice."]
        elif isinstance(evalue, TypeError) and '"Text"' in str(evalue):
            stb = [*stb, "A text on disk is no str; a slice of it is: context[a:b]."]
        super()._showtraceback(etype, evalue, stb)  # type: ignore[no-untyped-call]

    def show_rlm_error(
        self, kind: type[BaseException], value: BaseException, trace: TracebackType, tb_offset: int | None = None
    ) -> list[str]:
        """Show an error of ours as one line: what is wrong and what to do, not where in our code."""
        lines = [f"\x1b[31m{kind.__name__}\x1b[39m: {value}"]
        self._showtraceback(kind, value, lines)
        return lines


Shell.__name__ = Shell.__qualname__ = "ZMQInteractiveShell"
Shell.__module__ = "ipykernel.zmqshell"


def make_shell(publish: Publish, calls: Calls, names: dict[str, Any]) -> tuple[Shell, Reader]:
    """Make the one shell of this process.

    Args:
        publish: Sends output.
        calls: Asks the host.
        names: What the person finds in the namespace from the start.
    """
    session = HostSession(key=b"")
    session.publish = publish
    comms.install(publish)
    config = Config()
    # The history file is the kernel process's; its writer would be a thread, which forbids checkpoints.
    config.HistoryManager.hist_file = ":memory:"
    config.IPKernelApp.parent_appname = "rlm-kernel"
    shell: Shell = Shell.instance(config=config, user_ns=names)
    shell.user_ns_hidden.update(names)
    reader = Reader(calls)
    reader.shell = shell
    shell.kernel = KernelFacade(shell, session, reader)
    for publisher in (cast("Any", shell.displayhook), cast("Any", shell.display_pub)):
        publisher.session = session
    cast("Any", shell.displayhook).topic = b"execute_result"
    shell.set_custom_exc((RlmError,), Shell.show_rlm_error)  # type: ignore[no-untyped-call]
    RlmMagics.calls, RlmMagics.load = calls, names["load"]
    shell.register_magics(RlmMagics)
    return shell, reader
