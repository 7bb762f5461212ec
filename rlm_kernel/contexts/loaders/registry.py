"""Which loader reads which file."""

from __future__ import annotations

import zipfile
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from io import BytesIO
from typing import TYPE_CHECKING, NamedTuple, cast

from rlm_kernel.contexts.document import Document
from rlm_kernel.errors import ContextError

if TYPE_CHECKING:
    from rlm_kernel.contexts.loaders.source import Loader, Source

GROUP = "rlm_kernel.loaders"
"""Entry points of other packages: the name is one ending or several between commas (``djvu,djv``)."""


class Format(NamedTuple):
    """A format, and the function that reads it."""

    kind: str
    module: str
    function: str = "load"


_TEXT = Format("text", "plain")
_FORMATS = {
    ".md .markdown": Format("Markdown", "plain"),
    ".log": Format("log", "plain"),
    ".csv": Format("CSV", "tables", "load_table"),
    ".tsv .tab": Format("TSV", "tables", "load_table"),
    ".json .ipynb .geojson": Format("JSON", "tables", "load_json"),
    ".jsonl .ndjson": Format("JSONL", "tables", "load_json_lines"),
    ".html .htm .xhtml": Format("HTML", "markup"),
    ".pdf": Format("PDF", "pdf"),
    ".docx .docm .dotx": Format("DOCX", "word"),
    ".odt .ott": Format("ODT", "opendoc", "load_text"),
    ".epub": Format("EPUB", "epub"),
    ".xlsx .xlsm": Format("XLSX", "sheets"),
    ".ods": Format("ODS", "opendoc", "load_sheets"),
    ".pptx .pptm": Format("PPTX", "slides"),
    ".eml": Format("mail", "mail"),
    ".mbox": Format("mail", "mail", "load_mailbox"),
    ".zip": Format("zip", "zips"),
    ".doc": Format("DOC", "foreign"),
    ".xls": Format("XLS", "foreign"),
    ".ppt": Format("PPT", "foreign"),
    ".rtf": Format("RTF", "foreign"),
    ".odp": Format("ODP", "foreign"),
    ".fb2": Format("FB2", "foreign"),
    ".msg": Format("mail", "foreign"),
}  # fmt: skip
BUILT_IN = {suffix: found for suffixes, found in _FORMATS.items() for suffix in suffixes.split()}
"""Formats by the ending of the file's name."""
KINDS = {found.kind: found for found in reversed(_FORMATS.values()) if found.module != "foreign"} | {"text": _TEXT}
"""Formats that can be asked for by name."""

_AS_PDF = "Save it as PDF or plain text and load that."
_AS_CSV = "Save it as CSV and load that."
_UNPACK = "Unpack it and load what is in it."
_UNREADABLE = {
    **dict.fromkeys((".mobi", ".azw3", ".pages", ".djvu", ".ps"), _AS_PDF),
    **dict.fromkeys((".parquet", ".feather", ".numbers"), _AS_CSV),
    **dict.fromkeys((".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar", ".zst"), _UNPACK),
}
_IN_ZIP = (
    ("word/document.xml", "DOCX"), ("xl/workbook.xml", "XLSX"), ("ppt/presentation.xml", "PPTX"),
    ("META-INF/container.xml", "EPUB"),
)  # fmt: skip
_OLD_OFFICE = b"\xd0\xcf\x11\xe0"


def read(source: Source, kind: str | None = None) -> Document:
    """Read a file with the loader for it.

    Args:
        source: The file; its ``kind`` is set.
        kind: The format that the person named.

    Raises:
        ContextError: It cannot be read, or nothing reads such files.
    """
    if not source.content.strip():
        raise source.error("is empty.", "Is it the right file?")
    if kind is not None:
        return _built_in(source, _by_kind(kind))
    if (entry := installed().get(source.suffix)) is not None:
        return _run(entry, source)
    return _built_in(source, _recognise(source))


def _by_kind(kind: str) -> Format:
    for name, found in KINDS.items():
        if name.lower() == str(kind).lower():
            return found
    raise ContextError(f"There is no kind {kind!r}.", f"One of: {', '.join(sorted(KINDS, key=str.lower))}.")


def _recognise(source: Source) -> Format:
    """Tell the format by the name, or by the first bytes where the name tells nothing."""
    found = BUILT_IN.get(source.suffix)
    head = source.content[:1024]
    if found is None and (remedy := _UNREADABLE.get(source.suffix)):
        raise source.error(f"cannot be loaded: nothing here reads {source.suffix} files.", remedy)
    if b"%PDF-" in head and (found is None or found.module == "plain"):
        return KINDS["PDF"]
    if head.startswith(_OLD_OFFICE) and found is not None and found.kind in ("DOCX", "XLSX", "PPTX"):
        raise source.error(
            "is encrypted, or an old office file under a new name.",
            "Open it in an office program, save a copy without a password and load that.",
        )
    if found is None and head.startswith(b"PK\x03\x04"):
        return _kind_of_zip(source)
    if found is None and head.lstrip().lower().startswith((b"<!doctype html", b"<html")):
        return KINDS["HTML"]
    if found is None and head.startswith(b"From ") and b"\nFrom: " in source.content[:4096]:
        return BUILT_IN[".mbox"]
    return found or _TEXT


def _kind_of_zip(source: Source) -> Format:
    try:
        with zipfile.ZipFile(BytesIO(source.content)) as archive:
            names = set(archive.namelist())
            mimetype = archive.open("mimetype").read(100) if "mimetype" in names else b""
    except (zipfile.BadZipFile, OSError, NotImplementedError):
        return KINDS["zip"]
    if mimetype.startswith(b"application/vnd.oasis.opendocument.text"):
        return KINDS["ODT"]
    if mimetype.startswith(b"application/vnd.oasis.opendocument.spreadsheet"):
        return KINDS["ODS"]
    return KINDS[next((kind for name, kind in _IN_ZIP if name in names), "zip")]


def _built_in(source: Source, found: Format) -> Document:
    source.kind = found.kind
    module = import_module(f"rlm_kernel.contexts.loaders.{found.module}")
    return cast("Loader", getattr(module, found.function))(source)


# ---- loaders of other packages


@cache
def installed() -> dict[str, EntryPoint]:
    """Give the loaders that other packages bring, by ending; they go before those here."""
    found: dict[str, EntryPoint] = {}
    for entry in entry_points(group=GROUP):
        for ending in entry.name.replace(",", " ").split():
            found["." + ending.strip(". ").lower()] = entry
    return found


def _run(entry: EntryPoint, source: Source) -> Document:
    whose = f"the loader {entry.value}" + (f" of {entry.dist.name}" if entry.dist is not None else "")
    remedy = f'Uninstall it, or load the file with kind="{BUILT_IN.get(source.suffix, _TEXT).kind}".'
    try:
        document = cast("Loader", entry.load())(source)
    except ContextError:
        raise
    except Exception as error:
        raise source.error(f"cannot be loaded: {whose} failed: {type(error).__name__}: {error}.", remedy) from error
    if not isinstance(document, Document):
        raise source.error(f"cannot be loaded: {whose} gave a {type(document).__name__}, no Document.", remedy)
    return document
