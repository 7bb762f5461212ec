"""What a text is made of, seen from a few samples: headings, columns, keys, log lines, headers."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from rlm_kernel.contexts.document import Document

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_SHOWN_HEADINGS = 12
_MAX_HEADINGS = 5000
_SAMPLE_CHARS = 20_000
_SAMPLE_LINES = 40

_ACCESS = re.compile(r'^\S+ \S+ \S+ \[([^\]]+)\] "[^"]*" \d{3} \S+( "[^"]*" "[^"]*")?')
_ISO = re.compile(r"^\W?(\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d)?)")
_SYSLOG = re.compile(r"^(?:<\d+>)?([A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d) \S+ ")
_HEADER = re.compile(r"^([A-Za-z][A-Za-z0-9-]*):[ \t]")
_MAIL_HEADERS = frozenset({"from", "to", "subject", "date", "message-id", "received", "newsgroups", "mime-version"})


def structure_of_document(document: Document) -> str:
    """Say in a few lines how a document is built."""
    parts: list[str] = []
    if document.outline:
        parts.append(document.outline)
    if pages := document.page_count:
        parts.append(f"{pages:,} pages, {len(document) // pages:,} characters each on average")
    if document.sections:
        parts.append(_bookmarks(document))
    if document.kind in ("CSV", "TSV"):
        parts.append(_columns(document))
    elif document.kind in ("Markdown", "HTML"):
        parts.append(_headings(document))
    elif not parts:
        parts.append(structure_of_text(document))
    return "\n".join(filter(None, parts))


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


def _bookmarks(document: Document) -> str:
    found = [
        (level, f"{title} ({document.at(start).rpartition(', ')[2]})") for start, level, title in document.sections
    ]
    return f"{len(found):,} bookmarks: {_highest(found)}"


def _highest(found: list[tuple[int, str]]) -> str:
    """List titles, given with their levels, from as many of the upper levels as fit."""
    level = max(level for level, _ in found)
    while level > 1 and sum(1 for depth, _ in found if depth <= level) > _SHOWN_HEADINGS:
        level -= 1
    shown = [title for depth, title in found if depth <= level] or [title for _, title in found]
    return "; ".join(shown[:_SHOWN_HEADINGS]) + (" …" if len(shown) > _SHOWN_HEADINGS else "")


def _columns(document: Document) -> str:
    # The first line alone is read: all rows would cost what the person has not asked for yet.
    first = Document(document[: _end_of_line(document, 0)], kind=document.kind)
    import csv

    names = next(csv.reader([str(first)], delimiter=first.delimiter), [])
    rows = document.count("\n") + (0 if document.endswith("\n") else 1) - 1
    return f"{len(names)} columns: {', '.join(names[:30])}{' …' if len(names) > 30 else ''}\nAbout {rows:,} rows"


def _end_of_line(text: str, start: int) -> int:
    end = text.find("\n", start)
    return len(text) if end < 0 else end


def _headings(text: str) -> str:
    """List Markdown headings, the highest levels first where there are many."""
    found = list(_find_headings(text))
    if len(found) < 2:
        return ""
    more = "more than " if len(found) >= _MAX_HEADINGS else ""
    return f"{more}{len(found):,} headings: {_highest(found)}"


def _find_headings(text: str) -> Iterator[tuple[int, str]]:
    """Find lines that begin with ``#``, outside fenced code; by ``find``, as a scan of all lines would be slow."""
    fence = _fences(text)
    inside, next_fence = False, next(fence, -1)
    position, given = 0 if text.startswith("#") else text.find("\n#") + 1, 0
    while (position > 0 or (position == 0 and text.startswith("#") and not given)) and given < _MAX_HEADINGS:
        while 0 <= next_fence < position:
            inside, next_fence = not inside, next(fence, -1)
        line = text[position : min(_end_of_line(text, position), position + 200)]
        marks = len(line) - len(line.lstrip("#"))
        given += 1
        if not inside and marks <= 6 and line[marks : marks + 1] == " ":
            yield marks, line[marks:].strip(" #")
        position = text.find("\n#", position) + 1


def _fences(text: str) -> Iterator[int]:
    position = 0 if text.startswith("```") else text.find("\n```") + 1
    while position > 0 or (position == 0 and text.startswith("```")):
        yield position
        position = text.find("\n```", position) + 1
        if position == 0:
            return


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
