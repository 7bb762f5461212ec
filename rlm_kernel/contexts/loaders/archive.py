"""Zips, and office files, which are zips: opened with limits, so that a small file cannot fill the memory."""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from collections import Counter
from typing import TYPE_CHECKING

from rlm_kernel.contexts.loaders.source import MAX_BYTES, MB
from rlm_kernel.contexts.names import shown

if TYPE_CHECKING:
    from rlm_kernel.contexts.loaders.source import Source
    from rlm_kernel.errors import ContextError

MAX_FILES = 10_000
MAX_RATIO = 200
"""Most bytes that one byte of a zip may stand for; text packs to a tenth, repetitive logs to a fiftieth."""
SMALL = MB
"""What is unpacked to less than this is harmless whatever its ratio."""
_UNPACK = "Unpack it in a place where that does no harm, and load what you need of it."
_DRIVE = re.compile(r"[A-Za-z]:")
_ENCRYPTED, _SYMLINK = 0x1, 0o120000


class Archive:
    """The files of a zip, read one at a time.

    Args:
        source: The zip.

    Raises:
        ContextError: It is broken, its files would lie outside its folder, or it unpacks to more than is allowed.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(source.content))
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
            what = "archive" if source.kind == "zip" else f"{source.kind} file"
            raise source.error(f"is a broken {what}, or none: {error}.", "Get it again, or save it anew.") from error
        infos = [
            info
            for info in self._zip.infolist()
            if not info.is_dir() and info.external_attr >> 16 & 0o170000 != _SYMLINK
        ]
        self.infos = {info.filename: info for info in infos}
        """What is in it, by name, the last of a name; links are left out."""
        self.repeated = {name: times for name, times in Counter(info.filename for info in infos).items() if times > 1}
        """How many files there are of a name that is not the only one."""
        self._check()

    def _check(self) -> None:
        infos = list(self.infos.values())
        for info in infos:
            if why := _outside(info.orig_filename):
                raise self._source.error(f"is not to be trusted: {shown(info.orig_filename)!r} {why}.", _UNPACK)
        if len(infos) > MAX_FILES:
            raise self._source.error(f"has {len(infos):,} files; {MAX_FILES:,} is the most.", _UNPACK)
        size = sum(info.file_size for info in infos)
        if size > SMALL and size > MAX_RATIO * len(self._source.content):
            raise self._bomb(f"{len(self._source.content):,} bytes would become {size:,}")
        for info in infos:
            if info.file_size > SMALL and info.file_size > MAX_RATIO * max(1, info.compress_size):
                raise self._bomb(
                    f"{shown(info.filename)} would grow from {info.compress_size:,} bytes to {info.file_size:,}"
                )
        if size > MAX_BYTES:
            raise self._source.error(
                f"is too large: {size / MB:,.0f} MB unpacked, and {MAX_BYTES // MB} MB is the most.", _UNPACK
            )

    def _bomb(self, why: str) -> ContextError:
        return self._source.error(f"looks like a zip bomb: {why}.", _UNPACK)

    def read(self, name: str) -> bytes:
        """Read a file.

        Raises:
            ContextError: It is encrypted or broken, or is larger than it says.
            KeyError: There is none of this name.
        """
        info = self.infos[name]
        if info.flag_bits & _ENCRYPTED:
            raise self._source.error("is encrypted.", "Unpack it with its password, and load that.")
        try:
            with self._zip.open(info) as file:
                content = file.read(info.file_size + 1)
        except (zipfile.BadZipFile, zlib.error, OSError, EOFError, NotImplementedError) as error:
            raise self._source.error(
                f"is a broken archive: {shown(name)} cannot be read ({error}).", "Get it again, or pack it anew."
            ) from error
        if len(content) > info.file_size:
            raise self._bomb(f"{shown(name)} is larger than it says")
        return content

    def find(self, name: str) -> bytes | None:
        """Read a file; ``None`` where there is none of this name."""
        return self.read(name) if name in self.infos else None


def _outside(name: str) -> str:
    """Say why a name leads out of the archive's folder; empty where it does not."""
    if name.startswith(("/", "\\")) or _DRIVE.match(name):
        return "is an absolute path"
    if ".." in re.split(r"[/\\]", name):
        return "leads out of its folder"
    return ""
