"""Loading a document from a file."""

from __future__ import annotations

import json
import os
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

from rlm_kernel.contexts.document import Document
from rlm_kernel.errors import ContextError

if TYPE_CHECKING:
    from rlm_kernel.contexts.document import Kind

MAX_BYTES = 256 * 1024 * 1024
"""Largest file that is loaded as one text."""

KINDS: dict[str, Kind] = {
    ".md": "Markdown", ".markdown": "Markdown", ".log": "log", ".csv": "CSV", ".tsv": "TSV", ".json": "JSON",
    ".ipynb": "JSON", ".geojson": "JSON", ".jsonl": "JSONL", ".ndjson": "JSONL", ".html": "HTML", ".htm": "HTML",
    ".xhtml": "HTML", ".pdf": "PDF",
}  # fmt: skip
"""Formats by the ending of the file's name; other endings are text."""

_AS_PDF = "Save it as PDF or plain text and load that."
_AS_CSV = "Save it as CSV and load that."
_UNPACK = "Unpack it and load one of its files."
_LATER = {
    **dict.fromkeys((".docx", ".doc", ".odt", ".rtf", ".epub", ".mobi", ".pptx", ".ppt", ".odp", ".pages"), _AS_PDF),
    **dict.fromkeys((".xlsx", ".xls", ".ods", ".parquet", ".feather", ".numbers"), _AS_CSV),
    **dict.fromkeys((".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar", ".zst"), _UNPACK),
}
_SIGNATURES = {
    b"PK\x03\x04": "an archive or office file", b"\x1f\x8b": "gzip data", b"\xd0\xcf\x11\xe0": "an old office file",
    b"\x89PNG": "an image", b"\xff\xd8\xff": "an image", b"GIF8": "an image", b"\x7fELF": "a program",
    b"SQLite format 3": "a database",
}  # fmt: skip


def load(path: str | os.PathLike[str]) -> Document:
    """Load a document as text: text, Markdown, log, CSV, TSV, JSON, JSONL, HTML or PDF.

    Args:
        path: The file; ``~`` is the home folder, and a relative path starts at the current folder.

    Raises:
        ContextError: It cannot be loaded; the message names the file, and what can be done.
    """
    file = _find(path)
    kind: Kind = KINDS.get(file.suffix.lower(), "text")
    try:
        if file.stat().st_size > MAX_BYTES:
            size = file.stat().st_size / 1024 / 1024
            raise ContextError(
                f"{file.name} is too large: {size:,.0f} MB, and {MAX_BYTES // 1024 // 1024} MB is the most.",
                "Split it and load a part.",
            )
        content = file.read_bytes()
    except PermissionError as error:
        raise ContextError(f"{file.name} may not be read: no permission.", f"Allow it: chmod u+r {file}") from error
    except OSError as error:
        raise ContextError(f"{file.name} cannot be read: {error.strerror or error}.") from error
    return _parse(file, kind, content)


def _parse(file: Path, kind: Kind, content: bytes) -> Document:
    if not content.strip():
        raise ContextError(f"{file.name} is empty.", "Is it the right file?")
    if kind == "PDF" or b"%PDF-" in content[:1024]:
        from rlm_kernel.contexts.pdf import read_pdf

        return read_pdf(file, content)
    text = decode(content, file.name, html=kind == "HTML")
    if kind == "HTML" or (kind == "text" and text[:200].lstrip().lower().startswith(("<!doctype html", "<html"))):
        from rlm_kernel.contexts.markup import html_to_text

        kind, text = "HTML", html_to_text(text)
    if not text.strip():
        raise ContextError(f"{file.name} has no text in it.", "Is it the right file?")
    outline = _check_json(text, file.name) if kind == "JSON" else ""
    return Document(text, str(file), kind, outline=outline)


def decode(content: bytes, name: str, *, html: bool = False) -> str:
    """Turn bytes into text, with newlines alone at the ends of lines.

    UTF-8 with or without a byte order mark, UTF-16 with one; HTML also in the encoding that it declares.

    Raises:
        ContextError: The bytes are no text, or in another encoding.
    """
    try:
        text = content.decode(_encoding(content, html=html))
    except (UnicodeDecodeError, LookupError) as error:
        raise _undecodable(content, name, error) from error
    if "\0" in text:
        raise ContextError(
            f"{name} is no text: it has zero bytes in it (the first at character {text.index(chr(0)):,}).",
            "Save it as plain text or PDF and load that.",
        )
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def _encoding(content: bytes, *, html: bool) -> str:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    if not html:
        return "utf-8-sig"
    from rlm_kernel.contexts.markup import declared_encoding

    return declared_encoding(content) or "utf-8-sig"


def _undecodable(content: bytes, name: str, error: UnicodeDecodeError | LookupError) -> ContextError:
    for signature, what in _SIGNATURES.items():
        if content.startswith(signature):
            return ContextError(
                f"{name} is no text: it looks like {what}.", "Save it as plain text or PDF and load that."
            )
    controls = sum(byte < 9 or 13 < byte < 32 for byte in content[:4096])
    if controls > len(content[:4096]) // 50:
        return ContextError(f"{name} is no text: its bytes are binary.", "Save it as plain text or PDF and load that.")
    where = f" (byte {error.start:,})" if isinstance(error, UnicodeDecodeError) else ""
    return ContextError(
        f"{name} is not UTF-8{where}.",
        f"Convert it and load the result: iconv -f LATIN1 -t UTF-8 '{name}' > utf8.txt (or from what it is in).",
    )


def _check_json(text: str, name: str) -> str:
    """Read JSON once, so that a broken file is told of now, and say what it is made of."""
    try:
        data = json.loads(text)
    except json.JSONDecodeError as error:
        remedy = f"Mend line {error.lineno:,} and load it again."
        if error.msg == "Extra data":
            remedy = "If each line is one JSON value, name the file .jsonl."
        raise ContextError(f"{name} is not valid JSON: {error.msg}, line {error.lineno:,}.", remedy) from error
    except RecursionError as error:
        raise ContextError(
            f"{name} is nested too deeply to be read as JSON.", "Name it .txt to load it as text."
        ) from error
    return outline_json(data)


def outline_json(data: object) -> str:
    """Say in one line what a JSON value is made of."""
    if isinstance(data, dict):
        return f"JSON object, {len(data):,} keys: {_names(data)}"
    if not isinstance(data, list):
        return f"JSON {type(data).__name__}"
    inner = f", each with the keys {_names(data[0])}" if data and isinstance(data[0], dict) else ""
    return f"JSON list of {len(data):,}{inner}"


def _names(record: dict[str, object]) -> str:
    names = [str(name) for name in list(record)[:12]]
    return ", ".join(names) + (" …" if len(record) > len(names) else "")


def _find(path: str | os.PathLike[str]) -> Path:
    """Make sure that there is such a file, or say what is there instead."""
    if not isinstance(path, str | os.PathLike) or not str(path).strip():
        raise ContextError("load takes the path of one file.", 'For instance: load("report.pdf")')
    if "://" in str(path):
        raise ContextError(f"{path} is an address; load reads files.", "Download it first.")
    file = Path(path).expanduser()
    try:
        if file.is_dir():
            files = sorted(entry.name for entry in file.iterdir() if entry.is_file() and not entry.name.startswith("."))
            hint = f"Name one of its files: {', '.join(files[:5])}{' …' if len(files) > 5 else ''}" if files else ""
            raise ContextError(f"{path} is a folder; loading folders comes later.", hint)
        if not file.exists():
            raise _missing(file, path)
        if not file.is_file():
            raise ContextError(f"{path} is not an ordinary file.", "Copy its content to a file and load that.")
    except PermissionError as error:
        raise ContextError(f"{path} may not be read: no permission.") from error
    except OSError as error:
        raise ContextError(f"{path} cannot be found: {error.strerror or error}.") from error
    if later := _LATER.get(file.suffix.lower()):
        raise ContextError(f"{file.name} cannot be loaded yet: {file.suffix.lower()} files come later.", later)
    return file


def _missing(file: Path, path: str | os.PathLike[str]) -> ContextError:
    if not file.parent.is_dir():
        return ContextError(f"{path} is not there: there is no folder {file.parent}.", f"This is {Path.cwd()}.")
    names = [entry.name for entry in file.parent.iterdir() if entry.is_file()]
    folded = {name.lower(): name for name in names}
    near = [folded[name] for name in get_close_matches(file.name.lower(), folded, n=3, cutoff=0.6)]
    stem = [name for name in names if Path(name).stem.lower() == file.stem.lower() and name not in near]
    if near or stem:
        return ContextError(f"{path} is not there.", f"Did you mean {' or '.join((near + stem)[:3])}?")
    return ContextError(f"{path} is not there.", f"The folder looked in is {file.parent.resolve()}.")
