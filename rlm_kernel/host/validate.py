"""Checks what a namespace process says: cells run there, so nothing of it is trusted."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

from rlm_kernel.engine.executor import ContextHandle
from rlm_kernel.host.records import Published

if TYPE_CHECKING:
    from collections.abc import Callable

    from rlm_kernel.engine.executor import AnswerState, QueryDict
    from rlm_kernel.ids import MsgId
    from rlm_kernel.wire import Frame, Json

_SHAPES: dict[str, dict[str, type | tuple[type, ...]]] = {
    "stream": {"name": str, "text": str},
    "display_data": {"data": dict, "metadata": dict},
    "update_display_data": {"data": dict, "metadata": dict, "transient": dict},
    "execute_result": {"data": dict, "metadata": dict, "execution_count": (int, type(None))},
    "error": {"ename": str, "evalue": str, "traceback": list},
    "clear_output": {"wait": bool},
    "comm_open": {"comm_id": str, "target_name": str, "data": dict},
    "comm_msg": {"comm_id": str, "data": dict},
    "comm_close": {"comm_id": str, "data": dict},
}
"""The messages a namespace may publish, and the fields each must have."""


MOST_CALLS = 1_000_000
"""Calls of one query; more are a slip."""

MOST_NAMES = 200
"""Variables of one cell."""
NAME_CHARS = 300
"""Of a variable's name and what is said of it."""


class Invalid(Exception):
    """A message of the namespace has not the shape it must have."""


def published(frame: Frame, live_parent: Callable[[object], MsgId | None]) -> Published:
    """Check an output or comm message.

    Args:
        frame: What came.
        live_parent: Gives a message id back where the host has sent it.

    Raises:
        Invalid: It is of a type, or a shape, that a namespace may not publish.
    """
    message = frame.message
    msg_type, content, metadata = message.get("mt"), message.get("c"), message.get("md")
    shape = _SHAPES.get(msg_type) if isinstance(msg_type, str) else None
    if (
        not isinstance(msg_type, str)
        or shape is None
        or not isinstance(content, dict)
        or not isinstance(metadata, dict)
    ):
        raise Invalid(f"a message of type {msg_type!r}")
    for name, kind in shape.items():
        if not isinstance(content.get(name), kind):
            raise Invalid(f"{msg_type} with {name}={content.get(name)!r:.80}")
    if msg_type == "stream" and content["name"] not in ("stdout", "stderr"):
        raise Invalid(f"a stream {content['name']!r:.80}")
    if msg_type == "error" and not all(isinstance(line, str) for line in content["traceback"]):
        raise Invalid("an error whose traceback is no text")
    return Published(msg_type, content, metadata, frame.buffers, live_parent(message.get("p")))


def stream(message: Json, live_parent: Callable[[object], MsgId | None]) -> tuple[str, MsgId | None]:
    """Check the name and the parent of the pieces of text that follow."""
    name = message.get("name")
    if name not in ("stdout", "stderr"):
        raise Invalid(f"a stream {name!r:.80}")
    return name, live_parent(message.get("p"))


def query(message: Json, fd: int | None = None) -> QueryDict:
    """Check what a cell asks of sub-models.

    Args:
        message: What came.
        fd: The file with the contexts of child runs.
    """
    value = message.get("q")
    if not isinstance(value, dict):
        raise Invalid("a query without fields")
    prompts, model, line = value.get("prompts"), value.get("model"), value.get("line")
    if not isinstance(prompts, list) or not prompts or not all(isinstance(prompt, str) for prompt in prompts):
        raise Invalid("a query without prompts")
    if not (model is None or isinstance(model, str)) or not (line is None or isinstance(line, int)):
        raise Invalid("a query with a model that is no name")
    checked: QueryDict = {"prompts": prompts, "model": model, "batched": bool(value.get("batched")), "line": line}
    if value.get("at_depth") is True:
        checked["at_depth"] = True
    if isinstance(schema := value.get("schema"), str):
        checked["schema"] = schema
    if (samples := integer(value.get("n"), 1)) > 1:
        if samples * len(prompts) > MOST_CALLS:
            raise Invalid(f"a query for {samples * len(prompts):,} calls")
        checked["n"] = samples
    if value.get("kind") == "rlm":
        checked["kind"] = "rlm"
        checked["contexts"] = _contexts(value.get("spans"), fd, len(prompts))
    return checked


def _contexts(spans: Any, fd: int | None, count: int) -> list[ContextHandle]:
    if fd is None or not isinstance(spans, list) or len(spans) != count:
        raise Invalid("a query for child runs without a context for each")
    handles = []
    for span in spans:
        numbers = span if isinstance(span, list) and len(span) == 2 else [-1, -1]
        offset, length = (integer(number, -1) for number in numbers)
        if offset < 0 or length < 0:
            raise Invalid("a context that lies nowhere")
        handles.append(ContextHandle(fd, offset, length))
    return handles


def answer_state(value: Any) -> AnswerState:
    """Check the state of ``answer``; anything else counts as no answer."""
    if isinstance(value, dict) and isinstance(value.get("content"), str):
        return {"content": value["content"], "ready": value.get("ready") is True}
    return {"content": "", "ready": False}


def digest(value: Any) -> dict[str, str]:
    """Check what a cell's variables are said to be; what has not the shape is left out."""
    found = value.items() if isinstance(value, dict) else ()
    return {
        name: text
        for name, text in islice(found, MOST_NAMES)
        if isinstance(name, str) and isinstance(text, str) and len(name) + len(text) <= NAME_CHARS
    }


def integer(value: Any, default: int) -> int:
    """Check a number."""
    return value if isinstance(value, int) and 0 <= value < 1 << 53 else default
