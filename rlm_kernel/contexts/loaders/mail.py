"""Mail: single messages (.eml) and mailboxes (.mbox)."""

from __future__ import annotations

import re
from email import policy
from email.parser import BytesParser
from typing import TYPE_CHECKING

from rlm_kernel.contexts.document import Document
from rlm_kernel.contexts.parts import SectionMark

if TYPE_CHECKING:
    from collections.abc import Iterator
    from email.message import EmailMessage

    from rlm_kernel.contexts.loaders.source import Source

_HEADERS = ("From", "To", "Cc", "Date", "Subject")
_MESSAGE = re.compile(rb"^From [^\n]*\n(?=[!-9;-~]+:)", re.MULTILINE)
_QUOTED_FROM = re.compile(rb"^>(>*From )", re.MULTILINE)


def load(source: Source) -> Document:
    """Read a message: its main headers, its text, and the names of its attachments."""
    text = _render(source, source.content)
    return Document(text, source.path, "mail", sections=[(0, 1, _subject(text))])


def load_mailbox(source: Source) -> Document:
    """Read a mailbox: one message after the other, each a section with its subject as title."""
    starts = [(found.start(), found.end()) for found in _MESSAGE.finditer(source.content)]
    if not starts:
        raise source.error("is no mailbox: no line in it begins a message with From.", 'Load it with kind="text".')
    texts, marks, position = [], [], 0
    edges = [*(start for start, _ in starts[1:]), len(source.content)]
    for number, ((_, begin), end) in enumerate(zip(starts, edges, strict=True), 1):
        text = _render(source, _QUOTED_FROM.sub(rb"\1", source.content[begin:end]))
        marks.append(SectionMark(position, 1, _subject(text)))
        texts.append(text)
        position += len(text) + 3
        source.progress.at(f"{source.name}: message {number:,} of {len(starts):,}")
    outline = f"{len(texts):,} messages, each with From, To, Date, Subject"
    return Document("\n\n\n".join(texts), source.path, "mail", sections=marks, outline=outline)


def _render(source: Source, content: bytes) -> str:
    message: EmailMessage = BytesParser(policy=policy.default).parsebytes(content)
    if not any(message[name] for name in _HEADERS):
        raise source.error("is no mail: it has no header like From or Subject.", 'Load it with kind="text".')
    headers = [f"{name}: {' '.join(str(message[name]).split())}" for name in _HEADERS if message[name]]
    attachments = [f"[attachment: {name}]" for name in _attachments(message)]
    return "\n\n".join(filter(None, ["\n".join(headers), _body(message), "\n".join(attachments)]))


def _body(message: EmailMessage) -> str:
    body = message.get_body(("plain", "html"))
    if body is None:
        return ""
    try:
        text = str(body.get_content())
    except (LookupError, UnicodeError, KeyError):  # an encoding that does not exist, or is another
        payload = body.get_payload(decode=True)
        text = payload.decode("utf-8", "replace") if isinstance(payload, bytes) else ""
    if body.get_content_subtype() == "html":
        from rlm_kernel.contexts.loaders.markup import html_to_text

        text = html_to_text(text)[0]
    return text.replace("\r\n", "\n").replace("\r", "\n").strip("\n")


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
