"""Which versions are installed."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

DISTRIBUTION = "rlm-kernel"


def installed(distribution: str) -> str | None:
    """Give the version of an installed distribution; ``None`` where it is not installed."""
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


def own_version() -> str:
    """Give our own version; a plain checkout on the path has none."""
    return installed(DISTRIBUTION) or "not installed (running from a checkout)"
