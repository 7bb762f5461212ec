"""Bytes as text."""

from __future__ import annotations

import codecs
import unicodedata

from rlm_kernel.errors import ContextError
from rlm_kernel.usage import count, either

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
_SAID = 1 << 16
"""Bytes, from the first that is no UTF-8, by which another encoding is told."""

_LETTERS = ("cp1252", "cp1250", "iso8859_2", "cp1251", "koi8_r", "cp1253", "cp1254", "cp1255", "cp1256")
_RARELY_UTF8 = ("cp932", "euc_jp", "gb18030", "big5", "cp949", "cp874")
"""Encodings of which single characters are UTF-8 by chance."""

_RATHER = {"cp1250": "cp1252", "cp949": "cp932"}
"""Where a text may be in the first, the second is said first if it is as plausible: it is more common."""

_AS_PLAUSIBLE = 0.08
"""How much more disorder, of 1, there may be in what is said beside the best."""

_MOST_SAID = 3


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
    line = content.rfind(b"\n", 0, error.start) + 1
    likely = _likely(content[line : line + _SAID])
    wrong, right = _bad_and_good(content)
    by_chance = bool(likely) and likely[0] in _RARELY_UTF8 and content[:line].isascii()
    if right > (wrong if by_chance else wrong // 10):
        read = _reading(content, line, error.start, "cp1252")
        return ContextError(
            f"{name} is in mixed encodings: UTF-8, but for {count(wrong, 'place')} (the first: {where}).",
            f'Load it with encoding="mixed", which takes such lines as Windows-1252 (the first: {read!r}), or mend it.',
        )
    readings: dict[str, str] = {}
    for encoding in likely:
        readings.setdefault(_reading(content, line, error.start, encoding), encoding)
    said = [f"{encoding} ({read!r})" for read, encoding in readings.items()][:_MOST_SAID]
    guess = f"It may be {either(said)}: name it" if said else "Name its encoding"
    known = likely[0] if likely else "cp1252"
    return ContextError(
        f"{name} is not UTF-8 ({where}).",
        f'{guess}, encoding="{known}"{"" if said else " for Western European"}, or convert it: '
        f"iconv -f {known.replace('_', '-').upper()} -t UTF-8 '{name}' > utf8.txt",
    )


def _likely(sample: bytes) -> list[str]:
    """Tell encodings by the letters that they give: all that are about as plausible as the best."""
    from charset_normalizer import from_bytes

    whole = sample.rpartition(b"\n")[0] or sample  # not half a character at the end
    found = from_bytes(whole, cp_isolation=[*_LETTERS, *_RARELY_UTF8])
    plausible = [match.could_be_from_charset for match in found if match.chaos <= found[0].chaos + _AS_PLAUSIBLE]
    names = ["cp1252" if "cp1252" in each else each[0] for each in plausible]
    rather = _RATHER.get(names[0]) if names else None
    return sorted(names, key=lambda name: name != rather)


def _reading(content: bytes, line: int, place: int, encoding: str) -> str:
    """Give the words around a place of a line, as another encoding has them."""
    before = content[max(line, place - _SAMPLE) : place].decode(encoding, "ignore")[-16:]
    after = content[place : place + 200].partition(b"\n")[0].decode(encoding, "ignore")
    return " ".join((before + after)[:32].split())


def _bad_and_good(content: bytes) -> tuple[int, int]:
    """Count the places that are no UTF-8, and the characters beyond ASCII that are."""
    sample = content[: 1 << 22]
    decoded = sample.decode("utf-8", "ignore")
    good = len(decoded) - len(decoded.encode("ascii", "ignore"))
    bad = sample.decode("utf-8", "replace").count("\ufffd") - decoded.count("\ufffd")
    return bad, good
