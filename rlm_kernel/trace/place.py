"""Where the store lies, and whether the disk under it is this machine's own."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

VARIABLE = "RLM_STORE"
OFF_WORDS = ("off", "none", "0")
FILE = "runs.sqlite3"
MOUNTS = Path("/proc/self/mountinfo")
LOCAL = frozenset({"ext2", "ext3", "ext4", "xfs", "btrfs", "zfs", "f2fs", "tmpfs", "bcachefs", "jfs", "reiserfs"})
"""File systems known to be local; any other is treated as if it were on another machine, which is always safe."""
OVERLAYS = frozenset({"overlay"})
"""Containers: the upper layer is a local disk (it cannot be NFS)."""


def store_path(environ: Mapping[str, str] = os.environ) -> Path | None:
    """Give the file of the store: ``RLM_STORE``, else in the user's data directory; ``None`` where it is off."""
    named = environ.get("RLM_STORE", "").strip()
    if named.lower() in OFF_WORDS:
        return None
    if named:
        return Path(named).expanduser().absolute()
    from platformdirs import user_data_path

    return user_data_path("rlm-kernel", appauthor=False) / FILE


def is_local(path: Path, mounts: Path = MOUNTS) -> bool:
    """Tell whether a folder is known to lie on a disk of this machine; where that cannot be known, it is not."""
    kind = file_system(path, mounts)
    return kind in LOCAL or kind in OVERLAYS


def file_system(path: Path, mounts: Path = MOUNTS) -> str:
    """Give the kind of file system a folder lies on, as the operating system calls it; empty where unknown."""
    try:
        lines = mounts.read_text("utf-8", "surrogateescape").splitlines()
    except OSError:
        return ""
    real = path.resolve()
    best, kind = -1, ""
    for line in lines:
        head, _, tail = line.partition(" - ")
        fields = head.split()
        if len(fields) < 5 or not tail:
            continue
        point = _unescape(fields[4])
        # A later mount on the same point hides the earlier one.
        if real.is_relative_to(point) and len(point) >= best:
            best, kind = len(point), tail.split()[0]
    return kind


def _unescape(field: str) -> str:
    for code, character in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        field = field.replace(code, character)
    return field
