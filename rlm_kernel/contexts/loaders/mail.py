"""Mail: single messages (.eml) and mailboxes (.mbox)."""

from __future__ import annotations

import codecs
import re
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from typing import TYPE_CHECKING

from rlm_kernel.contexts.document import Document
from rlm_kernel.contexts.loaders.decoding import decode, decode_mixed
from rlm_kernel.contexts.parts import SectionMark
from rlm_kernel.usage import count

if TYPE_CHECKING:
    from rlm_kernel.contexts.loaders.source import Source

_HEADERS = ("From", "To", "Cc", "Date", "Subject")
_ENCODED_WORD = re.compile(r"=\?([^?*\s]+)(?=(?:\*[^?\s]*)?\?[BbQq]\?)")
_LOOSE_MESSAGE = re.compile(rb"^From [^\n]*\n(?=[!-9;-~]+:)", re.MULTILINE)
_MESSAGE = re.compile(
    rb"^From [^\n]*? (?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun),? [^\n]*\b\d{4}\b|\d{4}-\d\d-\d\d)[^\n]*\n(?=[!-9;-~]+:)",
    re.MULTILINE,
)
"""The line before a message: an address and a date. Without a date, a line of a text may look the same."""
_QUOTED_FROM = re.compile(rb"^>(>*From )", re.MULTILINE)
_NAMED_ONLY = frozenset({"calendar", "rtf", "vcard", "x-vcard"})
"""Kinds of ``text/`` that are data."""
_MESSAGES = frozenset({"message/rfc822", "message/global"})
_MAX_DEPTH = 30


def load(source: Source) -> Document:
    """Read a message: its main headers, its texts, messages in it, and the names of its attachments."""
    reader = _Reader(source)
    text = reader.read(source.content)
    if not reader.has_headers:
        raise source.error("is no mail: it has no header like From or Subject.", 'Load it with kind="text".')
    return Document(text, source.path, "mail", sections=[(0, 1, _subject(text))], notes=reader.notes())


def load_mailbox(source: Source) -> Document:
    """Read a mailbox: one message after the other, each a section with its subject as title."""
    begins = _LOOSE_MESSAGE if _undated(source.content) else _MESSAGE
    starts = [(found.start(), found.end()) for found in begins.finditer(source.content)]
    if not starts:
        raise source.error("is no mailbox: no line in it begins a message with From.", 'Load it with kind="text".')
    if source.content[: starts[0][0]].strip():
        starts.insert(0, (0, 0))  # what stands before the first line of this kind
    texts, marks, position = [], [], 0
    reader = _Reader(source)
    edges = [*(start for start, _ in starts[1:]), len(source.content)]
    for number, ((_, begin), end) in enumerate(zip(starts, edges, strict=True), 1):
        text = reader.read(_QUOTED_FROM.sub(rb"\1", source.content[begin:end]))
        marks.append(SectionMark(position, 1, _subject(text)))
        texts.append(text)
        position += len(text) + 3
        source.progress.at(f"{source.name}: message {number:,} of {len(starts):,}")
    outline = f"{len(texts):,} messages, each with From, To, Date, Subject"
    return Document("\n\n\n".join(texts), source.path, "mail", sections=marks, outline=outline, notes=reader.notes())


class _Reader:
    """Reads messages, and knows how many had text of which the encoding was guessed."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._guessed = False
        self._messages = 0
        self.has_headers = False
        """Whether the message that was read last has any of the main headers."""

    def notes(self) -> list[str]:
        if not self._messages:
            return []
        return [
            f"{count(self._messages, 'message')} in an encoding that is not declared, or declared wrongly: read as "
            "Windows-1252. Where letters look wrong, name the right one with encoding=."
        ]

    def read(self, content: bytes) -> str:
        self._guessed = False
        message: EmailMessage = BytesParser(policy=policy.default).parsebytes(content)
        text = self._message(message, 0)
        self._messages += self._guessed
        return text

    def _message(self, message: EmailMessage, depth: int) -> str:
        headers = [f"{name}: {value}" for name in _HEADERS if (value := self._header(message, name))]
        texts, attachments = self._contents(message, depth)
        self.has_headers = bool(headers)
        return "\n\n".join(filter(None, ["\n".join(headers), *texts, "\n".join(attachments)]))

    def _header(self, message: EmailMessage, name: str) -> str:
        # As they came: with bytes beyond ASCII as surrogates, where the parsed ones have lost them.
        raw = next((str(value) for key, value in message.raw_items() if key.lower() == name.lower()), "")
        if not raw.isascii():
            raw = self._decoded(raw.encode("utf-8", "surrogateescape"), None)
        raw = _ENCODED_WORD.sub(lambda found: f"=?{self._known(found[1])}", raw)
        return " ".join(str(policy.default.header_fetch_parse(name, raw)).split())

    def _known(self, charset: str) -> str:
        """Give an encoding that a header names, or another where there is none of this name."""
        try:
            codecs.lookup(charset)
        except (LookupError, ValueError):
            named = self._source.encoding
            self._guessed |= named is None
            return named if named and named != "mixed" else "cp1252"
        return charset

    def _contents(self, part: EmailMessage, depth: int) -> tuple[list[str], list[str]]:
        """Give the texts of a part in their order, and its attachments."""
        kind = part.get_content_type()
        if depth < _MAX_DEPTH and part.is_multipart():
            if kind in _MESSAGES:
                return [f"[message]\n{self._message(each, depth + 1)}" for each in _parts(part)], []
            if kind.startswith("multipart/"):
                inside = [(each, *self._contents(each, depth + 1)) for each in _parts(part)]
                attachments = [name for _, _, names in inside for name in names]
                filled = [(each, texts) for each, texts, _ in inside if texts]
                if kind == "multipart/alternative" and filled:
                    return min(filled, key=_rank)[1], attachments
                return [text for _, texts in filled for text in texts], attachments
        # With a wrong boundary a part of several parts is one text.
        unparted = kind.startswith("multipart/") and not part.is_multipart()
        if part.is_attachment() or not (_is_text(part) or unparted):
            return [], [_attachment(part)]
        return [text] if (text := self._text(part)) else [], []

    def _text(self, part: EmailMessage) -> str:
        content = part.get_payload(decode=True)
        if not isinstance(content, bytes):
            return ""
        declared = part.get_content_charset()
        if part.get_content_subtype() == "html":
            from rlm_kernel.contexts.loaders.markup import declared_encoding, html_to_text

            text = html_to_text(self._decoded(content, declared or declared_encoding(content)))[0]
        else:
            text = self._decoded(content, declared)
        text = text.replace("\r\n", "\n").replace("\r", "\n").strip("\n")
        return text if text.strip() else ""

    def _decoded(self, content: bytes, declared: str | None) -> str:
        """Decode as declared; where that does not do, as the person said, else as it is likely."""
        for encoding in filter(None, (declared, "utf-8" if self._source.encoding is None else "ascii")):
            try:
                return content.decode(encoding)
            except (LookupError, ValueError):
                continue
        if self._source.encoding is not None:
            return decode(content, self._source.name, encoding=self._source.encoding)
        self._guessed = True
        return decode_mixed(content)


def _undated(content: bytes) -> bool:
    """Tell whether the lines before the messages of a mailbox have no dates: its first one has none, or all."""
    return bool(_LOOSE_MESSAGE.match(content) and not _MESSAGE.match(content)) or not _MESSAGE.search(content)


def _parts(part: EmailMessage) -> list[EmailMessage]:
    return [each for each in part.get_payload() if isinstance(each, EmailMessage)]


def _is_text(part: EmailMessage) -> bool:
    return part.get_content_maintype() == "text" and part.get_content_subtype() not in _NAMED_ONLY


def _rank(alternative: tuple[EmailMessage, list[str]]) -> int:
    """Say how well one of several forms of a text can be read: the lower the better."""
    kind = alternative[0].get_content_type()
    if kind == "text/plain":
        return 0
    return 1 if kind == "text/html" or kind.startswith("multipart/") else 2


def _attachment(part: EmailMessage) -> str:
    payload = part.get_payload(decode=True)
    size = f", {len(payload):,} bytes" if isinstance(payload, bytes) else ""
    return f"[attachment: {part.get_filename() or 'without a name'}, {part.get_content_type()}{size}]"


def _subject(text: str) -> str:
    found = re.search(r"^Subject: (.+)$", text.partition("\n\n")[0], re.MULTILINE)
    return found[1] if found else "(no subject)"
