"""A notebook page as the kernel sees it: opens the comm, binds cells, remembers what it is told."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.conftest import LiveKernel, Ran

Json = dict[str, Any]


class Page:
    """Speaks docs/protocol.md over a client of the kernel.

    Args:
        kernel: The client whose session the page is.
        binds: Whether it binds the cells it is told of, as the extension does.
        rtc: Whether it says that the document is shared.
    """

    def __init__(self, kernel: LiveKernel, *, binds: bool = True, rtc: bool = False) -> None:
        self.kernel = kernel
        self.binds = binds
        self.comm_id = uuid.uuid4().hex
        self.client_id = kernel.client.session.session
        self.told: list[Json] = []
        self._seen = len(kernel.iopub)
        hello = {"type": "hello", "protocol": 1, "client_id": self.client_id, "path": "a.ipynb", "rtc": rtc}
        content = {"comm_id": self.comm_id, "target_name": "rlm.lab", "data": hello}
        kernel.send_message("comm_open", content)
        self.wait_for(lambda: self.of("hello_ack"))

    @property
    def ack(self) -> Json:
        """The last welcome."""
        return self.of("hello_ack")[-1]

    def of(self, *types: str) -> list[Json]:
        """What it was told, of these types."""
        return [data for data in self.told if data["type"] in types]

    @property
    def run_id(self) -> str:
        return str(self.of("run_start")[-1]["run_id"])

    def send(self, **data: Any) -> None:
        self.kernel.send_message("comm_msg", {"comm_id": self.comm_id, "data": data})

    def close(self) -> None:
        self.kernel.send_message("comm_close", {"comm_id": self.comm_id, "data": {}})

    def bind(self, msg_id: str, cell_id: str = "") -> None:
        content = {"code": "", "silent": True, "store_history": False, "allow_stdin": True, "stop_on_error": False}
        metadata = {"rlm_bind": True, "cellId": cell_id}
        self.kernel.send_message("execute_request", content, metadata=metadata, msg_id=msg_id)

    def look(self) -> None:
        """Take what has come, and bind new cells."""
        messages, self._seen = self.kernel.iopub[self._seen :], len(self.kernel.iopub)
        for message in messages:
            content = message["content"]
            if message["msg_type"] == "comm_msg" and content["comm_id"] == self.comm_id:
                self.told.append(content["data"])
                if self.binds and content["data"]["type"] == "insert" and content["data"]["msg_id"]:
                    self.bind(content["data"]["msg_id"], content["data"]["cell_id"])

    def wait_for(self, condition: Callable[[], object], timeout: float = 30) -> None:
        def seen() -> bool:
            self.look()
            return bool(condition())

        self.kernel.wait_for(seen, timeout)

    def finish(self, msg_id: str, timeout: float = 30) -> Ran:
        """Wait for the end of a request, being a page meanwhile."""
        self.wait_for(lambda: self.kernel._is_idle(msg_id), timeout)
        ran = self.kernel.finish(msg_id, timeout)
        self.look()
        return ran

    def ask(self, code: str, cell_id: str | None = "anchor", **metadata: Any) -> str:
        """Send a cell with its id, as Lab does; ``metadata`` is what else goes with the request."""
        content = {"code": code, "silent": False, "store_history": True, "user_expressions": {}, "allow_stdin": True}
        metadata |= {"cellId": cell_id} if cell_id else {}
        return self.kernel.send_message("execute_request", {**content, "stop_on_error": True}, metadata=metadata)

    def go(self, go: Json, code: str = "%%rlm\nHow many?", cell_id: str = "q", timeout: float = 60) -> Ran:
        """Run a question's cell as the page does for a re-run or to go on, and wait for its end."""
        return self.finish(self.ask(code, cell_id, rlm_go=go), timeout)

    def rerun(self, node_id: str, **edit: Any) -> Ran:
        """Run again from a node, with an edit."""
        return self.go({"how": "rerun", "node_id": node_id, "edit": edit})

    def quote(self, node_id: str, **edit: Any) -> Json:
        """Ask what an edit would do; gives the answer, a quote or a problem."""
        ask_id = uuid.uuid4().hex
        self.send(type="quote", ask_id=ask_id, node_id=node_id, edit=edit)
        self.wait_for(lambda: any(data.get("ask_id") == ask_id for data in self.told))
        return next(data for data in self.told if data.get("ask_id") == ask_id)

    def sources(self) -> dict[str, str]:
        """The cells' texts, as the appends make them."""
        texts = {data["cell_id"]: "" for data in self.of("insert")}
        for data in self.of("append"):
            units = texts[data["cell_id"]].encode("utf-16-le")[: 2 * data["pos"]]
            texts[data["cell_id"]] = units.decode("utf-16-le") + data["text"]
        return texts


def script(folder: Path, *replies: str, **options: Any) -> str:
    """Write a scripted model; gives its name."""
    path = folder / f"{uuid.uuid4().hex}.json"
    path.write_text(json.dumps({"root": list(replies), **options}))
    return f"scripted:{path}"


def cell(code: str, prose: str = "") -> str:
    """A reply with a cell."""
    return f"{prose}\n\n```python\n{code}\n```\n".lstrip()


def final(text: str) -> str:
    """A reply whose cell answers."""
    return cell(f'answer["content"] = {text!r}\nanswer["ready"] = True')
