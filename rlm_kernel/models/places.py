"""Where requests to endpoints go."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

OPENAI = "https://api.openai.com/v1"


def base_url(environ: Mapping[str, str]) -> str:
    """Give the address of the endpoint that an environment names."""
    return (environ.get("OPENAI_BASE_URL", "").strip() or OPENAI).rstrip("/")
