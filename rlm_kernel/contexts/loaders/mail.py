"""Mail: single messages (.eml) and mailboxes (.mbox)."""

from __future__ import annotations

import codecs
import re
from email import policy
from email.parser import BytesParser
from typing import TYPE_CHECKING

from rlm_kernel.contexts.document import Document
from rlm_kernel.contexts.loaders.decoding import decode, decode_mixed
from rlm_kernel.contexts.parts import SectionMark
from rlm_kernel.usage import count

if TYPE_CHECKING:
    from collections.abc import Iterator
    from email.message import EmailMessage

    from rlm_kernel.contexts.loaders.source import Source

_HEADERS = ("From", "To", "Cc", "Date", "Subject")
_ENCODED_WORD = re.compile(r"=\?([^?*\s]+)(?=(?:\*[^?\s]*)?\?[BbQq]\?)")
_MESSAGE = re.compile(rb"^From [^\n]*\n(?=[!-9;-~]+:)", re.MULTILINE)
_QUOTED_FROM = re.compile(rb"^>(>*From )", re.MULTILINE)


def load(source: Source) -> Document:
    """Read a message: its main headers, its text, and the names of its attachments."""
    reader = _Reader(source)
    text = reader.read(source.content)
    return Document(text, source.path, "mail", sections=[(0, 1, _subject(text))], notes=reader.notes())


def load_mailbox(source: Source) -> Document:
    """Read a mailbox: one message after the other, each a section with its subject as title."""
    starts = [(found.start(), found.end()) for found in _MESSAGE.finditer(source.content)]
    if not starts:
        raise source.error("is no mailbox: no line in it begins a message with From.", 'Load it with kind="text".')
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
        headers = [f"{name}: {value}" for name in _HEADERS if (value := self._header(message, name))]
        if not headers:
            raise self._source.error("is no mail: it has no header like From or Subject.", 'Load it with kind="text".')
        attachments = [f"[attachment: {name}]" for name in _attachments(message)]
        text = "\n\n".join(filter(None, ["\n".join(headers), self._body(message), "\n".join(attachments)]))
        self._messages += self._guessed
        return text

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

    def _body(self, message: EmailMessage) -> str:
        body = message.get_body(("plain", "html"))
        content = body.get_payload(decode=True) if body is not None else None
        if body is None or not isinstance(content, bytes):
            return ""
        declared = body.get_content_charset()
        if body.get_content_subtype() == "html":
            from rlm_kernel.contexts.loaders.markup import declared_encoding, html_to_text

            text = html_to_text(self._decoded(content, declared or declared_encoding(content)))[0]
        else:
            text = self._decoded(content, declared)
        return text.replace("\r\n", "\n").replace("\r", "\n").strip("\n")

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


def _attachments(message: EmailMessage) -> Iterator[str]:
    if not message.is_multipart():
        return
    for part in message.iter_attachments():
        payload = part.get_payload(decode=True)
        size = f", {len(payload):,} bytes" if isinstance(payload, bytes) else ""
        yield f"{part.get_filename() or 'without a name'}, {part.get_content_type()}{size}"


def _subject(text: str) -> str:
    found = re.search(r"^Subject: (.+)$", text.partition("\n\n")[0], re.MULTILINE)
    return found[1] if found else "(no subject)"
