"""Fixtures for all tests: the kernelspec of this checkout, and real kernels with a client."""

from __future__ import annotations

import itertools
import json
import os
import queue
import shutil
import socket
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.server import endpoint as endpoint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from jupyter_client.blocking import BlockingKernelClient
    from jupyter_client.manager import KernelManager

SPEC = Path(__file__).parents[1] / "rlm_kernel" / "kernel" / "spec"
PLAIN_SPEC = {
    "argv": [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
    "display_name": "Plain Python",
    "language": "python",
}
PORTS = ("shell_port", "iopub_port", "stdin_port", "control_port", "hb_port")
_ports = itertools.cycle(range(10_000 + os.getpid() * 50 % 20_000, 31_000))
Json = dict[str, Any]


@pytest.fixture(scope="session")
def kernelspecs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A Jupyter path with the kernelspecs ``rlm`` (this checkout) and ``plain`` (ipykernel), before any installed."""
    data = tmp_path_factory.mktemp("jupyter")
    shutil.copytree(SPEC, data / "kernels" / "rlm")
    spec = json.loads((SPEC / "kernel.json").read_text())
    spec["argv"][0] = sys.executable
    (data / "kernels" / "rlm" / "kernel.json").write_text(json.dumps(spec))
    (data / "kernels" / "plain").mkdir()
    (data / "kernels" / "plain" / "kernel.json").write_text(json.dumps(PLAIN_SPEC))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUPYTER_PATH", f"{data}{os.pathsep}{os.environ.get('JUPYTER_PATH', '')}")
        patch.setenv("IPYTHONDIR", str(data / "ipython"))
        for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "RLM_MODEL", "RLM_SUB_MODEL"):
            patch.delenv(name, raising=False)
        yield data


@dataclass
class Ran:
    """What came of one request: its reply, and all it published, in order."""

    reply: Json
    messages: list[Json] = field(default_factory=list)

    def of(self, *types: str) -> list[Json]:
        """Contents of the messages of these types."""
        return [message["content"] for message in self.messages if message["header"]["msg_type"] in types]

    @property
    def types(self) -> list[str]:
        """Message types in order; a status by its name; a row of equal streams once."""
        names: list[str] = []
        for message in self.messages:
            kind = message["header"]["msg_type"]
            name = message["content"]["execution_state"] if kind == "status" else kind
            if not (name == "stream" and names and names[-1] == "stream"):
                names.append(name)
        return names

    @property
    def status(self) -> str:
        return str(self.reply["content"]["status"])

    @property
    def count(self) -> int:
        return int(self.reply["content"]["execution_count"])

    def stream(self, name: str = "stdout") -> str:
        return "".join(content["text"] for content in self.of("stream") if content["name"] == name)

    @property
    def text(self) -> str:
        return self.stream()

    @property
    def result(self) -> str | None:
        results = self.of("execute_result")
        return results[-1]["data"]["text/plain"] if results else None

    @property
    def error(self) -> Json:
        """The published error; empty where there is none."""
        return (self.of("error") or [{}])[-1]


class LiveKernel:
    """A running kernel and a client of it: run cells, look at messages."""

    def __init__(self, manager: KernelManager, client: BlockingKernelClient) -> None:
        self.manager = manager
        self.client = client
        self.iopub: list[Json] = []
        self.replies: dict[str, Json] = {}

    @property
    def pid(self) -> int:
        return int(self.manager.provisioner.pid)  # type: ignore[union-attr, attr-defined]

    def send(self, code: str, **options: Any) -> str:
        """Send a cell and do not wait."""
        return str(self.client.execute(code, allow_stdin=options.pop("allow_stdin", False), **options))

    def send_message(
        self,
        msg_type: str,
        content: Json,
        *,
        metadata: Json | None = None,
        buffers: Sequence[bytes] = (),
        **header: Any,
    ) -> str:
        """Send any message on the shell channel."""
        message = self.client.session.msg(msg_type, content, metadata=metadata)
        message["header"].update(header)
        message["msg_id"] = message["header"]["msg_id"]
        self.client.session.send(self.client.shell_channel.socket, message, buffers=list(buffers) or None)
        return str(message["header"]["msg_id"])

    def run(self, code: str, timeout: float = 30, answers: Sequence[str] = (), **options: Any) -> Ran:
        """Run a cell to its end; ``answers`` are typed where it asks for input."""
        msg_id = self.send(code, allow_stdin=bool(answers), **options)
        for answer in answers:
            self.client.get_stdin_msg(timeout=timeout)
            self.client.input(answer)
        return self.finish(msg_id, timeout)

    def ask(self, msg_type: str, content: Json, timeout: float = 30) -> Json:
        """Send a request and give the content of its reply."""
        return self.finish(self.send_message(msg_type, content), timeout).reply["content"]

    def finish(self, msg_id: str, timeout: float = 30, *, reply: bool = True) -> Ran:
        """Wait for the idle and the reply of a request."""
        self.wait_for(lambda: self._is_idle(msg_id), timeout)
        if reply:
            self.wait_reply(msg_id, timeout)
        return Ran(self.replies.get(msg_id, {}), self.of_parent(msg_id))

    def wait_reply(self, msg_id: str, timeout: float = 30) -> Json:
        deadline = time.monotonic() + timeout
        while msg_id not in self.replies:
            message = self.client.get_shell_msg(timeout=max(0.01, deadline - time.monotonic()))
            self.replies[message["parent_header"]["msg_id"]] = message
        return self.replies[msg_id]

    def wait_for(self, condition: Callable[[], bool], timeout: float = 30) -> None:
        """Read what the kernel publishes until a condition holds."""
        deadline = time.monotonic() + timeout
        while not condition():
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError(f"not seen; last: {[(m['msg_type'], m['content']) for m in self.iopub[-8:]]}")
            self.read(min(left, 0.1))

    def read(self, timeout: float = 0.1) -> bool:
        """Read one published message if there is one."""
        try:
            self.iopub.append(self.client.get_iopub_msg(timeout=timeout))
        except queue.Empty:
            return False
        return True

    def settle(self, seconds: float = 0.2) -> None:
        """Read until nothing has come for a while."""
        while self.read(seconds):
            pass

    def of_parent(self, msg_id: str) -> list[Json]:
        """All published messages of one request, in order."""
        return [message for message in self.iopub if message["parent_header"].get("msg_id") == msg_id]

    def interrupt(self) -> None:
        self.manager.interrupt_kernel()

    def _is_idle(self, msg_id: str) -> bool:
        return any(
            message["msg_type"] == "status" and message["content"]["execution_state"] == "idle"
            for message in self.of_parent(msg_id)
        )


def launch_kernel(name: str = "rlm", **options: Any) -> LiveKernel:
    """Start a kernel, on ports of which no other program that starts now gets one; the caller stops it."""
    from jupyter_client.manager import KernelManager

    manager = KernelManager(kernel_name=name, **dict(zip(PORTS, free_ports(), strict=False)))
    manager.start_kernel(**options)
    client = manager.blocking_client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=60)
    except RuntimeError:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
        raise
    return LiveKernel(manager, client)


def free_ports() -> Iterator[int]:
    """Give ports that are free, below those that the system hands out for connections."""
    while True:
        port = next(_ports)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        yield port


@pytest.fixture(scope="session")
def start_kernel(kernelspecs: Path) -> Iterator[Callable[..., LiveKernel]]:
    """Start kernels by name; those still alive are shut down at the end."""
    started: list[LiveKernel] = []

    def start(name: str = "rlm", **options: Any) -> LiveKernel:
        started.append(launch_kernel(name, **options))
        return started[-1]

    yield start
    for kernel in started:
        stop_kernel(kernel)


def stop_kernel(kernel: LiveKernel) -> None:
    """Close the channels and shut the kernel down."""
    kernel.client.stop_channels()
    if kernel.manager.is_alive():
        kernel.manager.shutdown_kernel(now=False)
    kernel.manager.cleanup_resources()
    kernel.manager.context.destroy(linger=0)


@pytest.fixture
def kernel(start_kernel: Callable[..., LiveKernel]) -> Iterator[LiveKernel]:
    """A kernel of ours for one test."""
    live = start_kernel("rlm")
    yield live
    stop_kernel(live)


@pytest.fixture(scope="module")
def shared_kernel(start_kernel: Callable[..., LiveKernel]) -> Iterator[LiveKernel]:
    """A kernel of ours for all tests of a module that leave it usable."""
    live = start_kernel("rlm")
    yield live
    stop_kernel(live)


@pytest.fixture(autouse=True, scope="session")
def shared_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A store for what lives longer than a test (shared kernels): the person's own is never touched."""
    path = tmp_path_factory.mktemp("store") / "runs.sqlite3"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RLM_STORE", str(path))
        yield path


@pytest.fixture(autouse=True)
def own_store(shared_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store for one test and the processes it starts: what other tests asked is not known there."""
    path = tmp_path / "store" / "runs.sqlite3"
    monkeypatch.setenv("RLM_STORE", str(path))
    return path
