"""Bytes as text."""

from __future__ import annotations

import codecs
import unicodedata

from rlm_kernel.errors import ContextError
from rlm_kernel.usage import count

_BOMS = (
    (codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"), (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"), (codecs.BOM_UTF8, "utf-8-sig"),
)  # fmt: skip
_SIGNATURES = {
    b"PK\x03\x04": "an archive or office file", b"\x1f\x8b": "gzip data", b"\xd0\xcf\x11\xe0": "an old office file",
    b"\x89PNG": "an image", b"\xff\xd8\xff": "an image", b"GIF8": "an image", b"\x7fELF": "a program",
    b"SQLite format 3": "a database",
}  # fmt: skip
_AS_TEXT = "Save it as plain text or PDF and load that."
_SAMPLE = 4096


def decode(content: bytes, name: str, *, encoding: str | None = None) -> str:
    """Turn bytes into text, with newlines alone at the ends of lines.

    UTF-8 and UTF-16 with or without a byte order mark; anything else where it is named.

    Args:
        content: The bytes.
        name: The file's name, for errors.
        encoding: What they are in, by a name that Python knows; ``mixed``: each line UTF-8 or Windows-1252.

    Raises:
        ContextError: The bytes are no text, or in another encoding.
    """
    try:
        text = _decode(content, encoding or _encoding(content))
    except LookupError as error:
        raise ContextError(
            f"{name}: there is no encoding {encoding!r}.", "Give one like utf-8, cp1252, shift_jis."
        ) from error
    except UnicodeDecodeError as error:
        raise _undecodable(content, name, error, encoding) from error
    if "\0" in text:
        where = text.index("\0")
        raise ContextError(f"{name} is no text: it has zero bytes in it (the first at character {where:,}).", _AS_TEXT)
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def _decode(content: bytes, encoding: str) -> str:
    if encoding != "mixed":
        # Asked for as UTF-8, a file may still begin with a byte order mark.
        utf8 = encoding.lower().replace("_", "-") in ("utf-8", "utf8")
        return content.decode("utf-8-sig" if utf8 else encoding)
    return decode_mixed(content)


def decode_mixed(content: bytes) -> str:
    """Turn bytes of unknown encoding into text: each line UTF-8, or Windows-1252 where it is no UTF-8."""
    return "".join(map(_decode_line, content.splitlines(keepends=True)))


def _decode_line(line: bytes) -> str:
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError:
        return line.decode("cp1252", "replace")


def _encoding(content: bytes) -> str:
    for mark, encoding in _BOMS:
        if content.startswith(mark):
            return encoding
    return _utf16_without_mark(content) or "utf-8-sig"


def _utf16_without_mark(content: bytes) -> str | None:
    """Recognise UTF-16 by its zero bytes, which stand at even or at odd places only, and by what it then says."""
    sample = content[:_SAMPLE]
    if b"\0" not in sample or len(content) % 2:
        return None
    even, odd = sample[::2].count(0), sample[1::2].count(0)
    if min(even, odd) * 20 > max(even, odd):
        return None
    high = sample[1::2] if odd > even else sample[::2]
    # Latin letters have a zero each. Other alphabets have one high byte for all letters and zeros for the spaces. Where
    # neither holds it may be Chinese, of which half the bytes are beyond ASCII; bytes of a plain text are not.
    beyond = sum(byte > 127 for byte in sample)
    if max(even, odd) * 2 < len(high) and len(set(high)) > 4 and beyond * 4 < len(sample):
        return None
    encoding = "utf-16-le" if odd > even else "utf-16-be"
    text = sample.decode(encoding, "ignore")
    strange = sum(unicodedata.category(char) in ("Cc", "Cn", "Co") and char not in "\r\n\t\f" for char in text)
    return encoding if len(text) > 1 and strange * 50 <= len(text) else None


def _undecodable(content: bytes, name: str, error: UnicodeDecodeError, encoding: str | None) -> ContextError:
    line = content.count(b"\n", 0, error.start) + 1
    where = f"byte {error.start:,}, line {line:,}"
    if encoding is not None:
        return ContextError(f"{name} is not {encoding} ({where}).", "Give another encoding, or none.")
    for signature, what in _SIGNATURES.items():
        if content.startswith(signature):
            return ContextError(f"{name} is no text: it looks like {what}.", _AS_TEXT)
    if content[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        return ContextError(f"{name} is broken UTF-16 ({where}).", "It is cut off, perhaps: get it again.")
    sample = content[:_SAMPLE]
    if sum(byte < 9 or 13 < byte < 32 for byte in sample) > len(sample) // 50:
        return ContextError(f"{name} is no text: its bytes are binary.", _AS_TEXT)
    wrong, right = _bad_and_good(content)
    if right > wrong // 10:
        return ContextError(
            f"{name} is in mixed encodings: UTF-8, but for {count(wrong, 'place')} (the first: {where}).",
            'Load it with encoding="mixed", which takes such lines as Windows-1252, or mend it.',
        )
    return ContextError(
        f"{name} is not UTF-8 ({where}).",
        f'Name its encoding, encoding="cp1252" for Western European, or convert it: '
        f"iconv -f LATIN1 -t UTF-8 '{name}' > utf8.txt",
    )


def _bad_and_good(content: bytes) -> tuple[int, int]:
    """Count the places that are no UTF-8, and the characters beyond ASCII that are."""
    sample = content[: 1 << 22]
    decoded = sample.decode("utf-8", "ignore")
    good = len(decoded) - len(decoded.encode("ascii", "ignore"))
    bad = sample.decode("utf-8", "replace").count("\ufffd") - decoded.count("\ufffd")
    return bad, good
