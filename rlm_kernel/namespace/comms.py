"""Comms (widgets) of the namespace."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, Any

import comm
from comm.base_comm import BaseComm, CommManager

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rlm_kernel.namespace.shell import Publish

log = logging.getLogger(__name__)

_manager = CommManager()
_publish: list[Publish] = []


class NamespaceComm(BaseComm):
    """A comm that sends through the host."""

    def publish_msg(
        self,
        msg_type: str,
        data: dict[str, Any] | None = None,
        metadata: dict[str, Any] | None = None,
        buffers: Sequence[Any] | None = None,
        **keys: Any,
    ) -> None:
        """Send a comm message as output of what runs now."""
        content = {"data": data or {}, "comm_id": self.comm_id, **keys}
        for publish in _publish:
            publish(msg_type, content, None, metadata, buffers)


def install(publish: Publish | None = None) -> CommManager:
    """Make ours the comms that libraries get.

    Importing ``ipykernel.ipkernel`` (as some libraries do) puts ipykernel's own in their place, which would publish
    nothing here; so this is called again before each cell.
    """
    if publish is not None:
        _publish[:] = [publish]
    comm.create_comm = NamespaceComm
    comm.get_comm_manager = _get_manager
    legacy = sys.modules.get("ipykernel.comm")
    if legacy is not None:
        legacy.Comm = NamespaceComm  # type: ignore[attr-defined]
    return _manager


def _get_manager() -> CommManager:
    return _manager


def handle(message: dict[str, Any]) -> None:
    """Give a comm message of the page to its comm."""
    kind = message["msg_type"]
    if kind == "comm_open":
        _manager.comm_open(None, "", message)  # type: ignore[arg-type]
    elif kind == "comm_msg":
        _manager.comm_msg(None, "", message)  # type: ignore[arg-type]
    else:
        _manager.comm_close(None, "", message)  # type: ignore[arg-type]


def send_widget_states() -> None:
    """Send the state of every widget again: this process is a restored checkpoint, the page shows a later state."""
    widgets = sys.modules.get("ipywidgets.widgets.widget")
    if widgets is None:
        return
    for widget in list(widgets._instances.values()):
        try:
            widget.send_state()
        except Exception:
            log.exception("the state of %s could not be sent after the restore", type(widget).__name__)
