"""What a text is made of, seen from a few samples: headings, columns, keys, log lines, headers."""

from __future__ import annotations

import json
import re
from itertools import islice
from typing import TYPE_CHECKING

from rlm_kernel.contexts.columns import column_names, separator_line
from rlm_kernel.contexts.document import TABLES, Document
from rlm_kernel.contexts.headings import find_headings

if TYPE_CHECKING:
    from collections.abc import Callable

_SHOWN_HEADINGS = 12
_SHOWN_FILES = 10
_WIDTH = 500
_MAX_HEADINGS = 5000
_SAMPLE_CHARS = 20_000
_SAMPLE_LINES = 40

_ACCESS = re.compile(r'^\S+ \S+ \S+ \[([^\]]+)\] "[^"]*" \d{3} \S+( "[^"]*" "[^"]*")?')
_ISO = re.compile(r"^\W?(\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d)?)")
_SYSLOG = re.compile(r"^(?:<\d+>)?([A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d) \S+ ")
_HEADER = re.compile(r"^([A-Za-z][A-Za-z0-9-]*):[ \t]")
_MAIL_HEADERS = frozenset({"from", "to", "subject", "date", "message-id", "received", "newsgroups", "mime-version"})


def structure_of_document(document: Document) -> str:
    """Say in a few lines how a document is built, and with what that can be used."""
    parts: list[str] = [document.outline[:_WIDTH]]
    if document.file_marks:
        parts.append(_files(document))
    if pages := document.page_count:
        each = len(document) // pages
        parts.append(f"{_count(pages, 'page')}, {each:,} characters each on average")
    if document.section_marks:
        parts.append(_sections(document))
    if document.kind in TABLES:
        parts.append(_columns(document))
    elif not any(parts) and document.kind not in ("Markdown", "HTML"):
        parts.append(structure_of_text(document))
    if document.kind == "PDF" and not document.section_marks:
        parts.append("It has no bookmarks and no titles in larger letters, so its sections are not known")
    parts += [f"Note: {note[:200]}" for note in document.notes[:2]]
    if len(document.notes) > 2:
        parts.append(f"{len(document.notes) - 2:,} more such notes in `context.notes`")
    return "\n".join([*filter(None, parts), usage(document)])


def usage(document: Document) -> str:
    """Say what the document can do that a text cannot: what there is of it for this kind."""
    parts = []
    if files := document.file_marks:
        parts.append(
            f"`context.files` has them as documents, by number or by name (`context.files[{_cut(files[0].name)!r}]`, "
            "`.keys()`, `.items()`); in `context` each stands below a line `=== name ===`"
        )
    if document.page_count:
        parts.append("`context.pages[0]` is the text of the first page")
    if document.section_marks:
        parts.append("`context.sections` are its sections (`.title`, `.level`, `.start`, `.end`, `.text`)")
    if document.kind in (*TABLES, "JSONL"):
        parts.append(
            "`context.rows` are its rows, as dicts" if document.kind in TABLES else "`context.rows` are its values"
        )
    if document.kind == "JSON":
        parts.append("`context.data` is its value")
    starts = [*(mark.start for mark in document.section_marks[:1]), *(mark.start for mark in document.file_marks[:1])]
    place = _cut(document.at(starts[0] if starts else 0))
    parts.append("`context.search_ranked('words', k=10)` gives the passages that fit best (`.start`, `.end`, `.where`)")
    parts.append(f"`context.at(offset)` says where a character stands ({place!r})")
    return f"It is a str; {'; '.join(parts)}."


def _count(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _cut(text: str, width: int = 60) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"


def _files(document: Document) -> str:
    marks = document.file_marks
    shown = ", ".join(f"{_cut(mark.name)} ({mark.kind}, {mark.end - mark.start:,})" for mark in marks[:_SHOWN_FILES])
    return f"{_count(len(marks), 'file')} with kind and characters: {shown}{' …' if len(marks) > _SHOWN_FILES else ''}"


def structure_of_text(text: str) -> str:
    """Say in a few lines how a text seems to be built; empty where nothing stands out."""
    tries: tuple[Callable[[str], str], ...] = (_json_lines, _json, _mail, _log, _headings, _separated)
    return next(filter(None, (attempt(text) for attempt in tries)), "")


def _sample(text: str) -> list[str]:
    """Give some whole lines from the beginning."""
    lines = text[:_SAMPLE_CHARS].split("\n")
    if len(text) > _SAMPLE_CHARS and len(lines) > 1:
        lines.pop()
    return [line for line in lines if line.strip()][:_SAMPLE_LINES]


def _sections(document: Document) -> str:
    paged = bool(document.page_starts)
    titles = (
        f"{_cut(title)} ({document.at(start).partition(', § ')[0].rpartition(', ')[2]})" if paged else _cut(title)
        for start, _, title in document.section_marks
    )
    found = [(mark.level, title) for mark, title in zip(document.section_marks, titles, strict=True)]
    what = "section" if document.kind == "PDF" else "message" if document.kind == "mail" else "heading"
    return f"{_count(len(found), what)}: {_highest(found)}"


def _highest(found: list[tuple[int, str]]) -> str:
    """List titles, given with their levels, from as many of the upper levels as fit."""
    level = max(level for level, _ in found)
    while level > 1 and sum(1 for depth, _ in found if depth <= level) > _SHOWN_HEADINGS:
        level -= 1
    shown = [title for depth, title in found if depth <= level] or [title for _, title in found]
    return "; ".join(shown[:_SHOWN_HEADINGS]) + (" …" if len(shown) > _SHOWN_HEADINGS else "")


def _columns(document: Document) -> str:
    # The first line alone is read: all rows would cost what the person has not asked for yet.
    delimiter, start = separator_line(document)
    first = Document(document[start : _end_of_line(document, start)], kind=document.kind)
    import csv

    names = column_names(next(csv.reader([str(first)], delimiter=delimiter or first.delimiter), []))
    rows = document.count("\n", start) + (0 if document.endswith("\n") else 1) - 1
    listed = _cut(", ".join(_cut(name) for name in names[:30]), _WIDTH) + (" …" if len(names) > 30 else "")
    return f"{_count(len(names), 'column')}: {listed}\nAbout {_count(rows, 'row')}"


def _end_of_line(text: str, start: int) -> int:
    end = text.find("\n", start)
    return len(text) if end < 0 else end


def _headings(text: str) -> str:
    """List Markdown headings, the highest levels first where there are many."""
    found = [(mark.level, _cut(mark.title)) for mark in islice(find_headings(text), _MAX_HEADINGS)]
    if len(found) < 2:
        return ""
    more = "more than " if len(found) >= _MAX_HEADINGS else ""
    return f"{more}{len(found):,} headings: {_highest(found)}"


def _json_lines(text: str) -> str:
    lines = _sample(text)[:5]
    if len(lines) < 2 or not all(line.lstrip().startswith("{") for line in lines):
        return ""
    try:
        records = [json.loads(line) for line in lines]
    except ValueError:
        return ""
    return f"JSON lines; keys of the first: {', '.join(map(str, list(records[0])[:12]))}"


def _json(text: str) -> str:
    start = text[:200].lstrip()
    if not start.startswith(("{", "[")) or text[-200:].rstrip()[-1:] not in ("}", "]"):
        return ""
    if len(text) > 500_000:
        return "Looks like JSON"
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        return ""
    keys = ", ".join(map(str, list(data)[:12])) if isinstance(data, dict) else ""
    return f"JSON object, {len(data):,} keys: {keys}" if isinstance(data, dict) else f"JSON list of {len(data):,}"


def _mail(text: str) -> str:
    lines = text[:_SAMPLE_CHARS].split("\n")
    if lines and lines[0].startswith("From ") and len(lines) > 1:
        lines = lines[1:]
    names: list[str] = []
    for line in lines:
        found = _HEADER.match(line)
        if found:
            names.append(found[1])
        elif not line.strip() or not line.startswith((" ", "\t")) or not names:
            break
    if len(names) < 2 or not _MAIL_HEADERS & {name.lower() for name in names}:
        return ""
    return f"Begins with message headers: {', '.join(dict.fromkeys(names))}"


def _log(text: str) -> str:
    """Recognise access logs, syslog and lines that begin with a time, and tell the time they span."""
    lines = _sample(text)
    if len(lines) < 3:
        return ""
    forms = (
        (_ACCESS, 'Web server access log: host, identity, user, [time], "request", status, bytes'),
        (_SYSLOG, "System log: time, host, process, message"),
        (_ISO, "Log: each line begins with a time"),
    )
    for pattern, what in forms:
        matches = [found for line in lines if (found := pattern.match(line))]
        if len(matches) * 10 < len(lines) * 8:
            continue
        if pattern is _ACCESS and matches[0][2]:
            what += ', "referrer", "agent"'
        last = pattern.match(text[text.rstrip("\n").rfind("\n") + 1 :][:_SAMPLE_CHARS])
        return f"{what}\nFirst line {matches[0][1]}" + (f", last line {last[1]}" if last else "")
    return ""


def _separated(text: str) -> str:
    """Recognise a table by the same number of separators in its first lines."""
    lines = _sample(text)[:10]
    if len(lines) < 3:
        return ""
    for separator, name in (("\t", "tabs"), (";", "semicolons"), ("|", "bars"), (",", "commas")):
        counts = {line.count(separator) for line in lines}
        if len(counts) == 1 and counts.pop() >= 2:
            return f"Lines with fields between {name}; the first: {lines[0][:200]}"
    return ""
