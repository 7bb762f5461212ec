"""Outputs of cells as nbformat keeps them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rlm_kernel.engine.executor import Output
    from rlm_kernel.host.records import Published
    from rlm_kernel.ids import MsgId


class OutputRecorder:
    """Keeps the outputs of each cell, by the message id they were published under."""

    def add(self, message: Published) -> None:
        """Take a message; those that are no outputs are passed over."""
        raise NotImplementedError

    def outputs(self, parent: MsgId) -> list[Output]:
        """Give the outputs of a cell as they stand now."""
        raise NotImplementedError

    def forget(self, parent: MsgId) -> None:
        """Drop what is kept of a cell."""
        raise NotImplementedError
