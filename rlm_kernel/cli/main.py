"""The entry point ``rlm-kernel``: reads the command line and hands over to one command."""

from __future__ import annotations


def main(argv: list[str] | None = None) -> int:
    """Run one command and give its exit code."""
    raise NotImplementedError
