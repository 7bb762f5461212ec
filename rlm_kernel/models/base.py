"""The one seam between the engine and whatever answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from rlm_kernel.messages import ModelReply, ModelRequest, OnText


@runtime_checkable
class Model(Protocol):
    """Something that answers a `ModelRequest`: an endpoint, the tutor, a script, the memo.

    One object may serve many model names and many requests at once.
    """

    async def complete(self, request: ModelRequest, on_text: OnText | None = None) -> ModelReply:
        """Answer a request.

        Args:
            request: What is asked.
            on_text: Awaited for each piece of text as it comes; when it answers ``False`` the reply ends there
                with ``finish="cut"``.

        Raises:
            ModelError: The request failed for good; the class says how.
        """
        ...

    async def close(self) -> None:
        """Give back connections; the model may not be used afterwards."""
        ...
