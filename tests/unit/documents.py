"""Small documents of many formats, made by hand."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
R = 'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"'
ODF = " ".join(
    f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"' for name in ("office", "text", "table")
)


def make_zip(files: dict[str, str | bytes], *, packed: bool = True) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return out.getvalue()


def make_pdf(
    *pages: str,
    encrypted: bool = False,
    bookmarks: tuple[tuple[str, int], ...] = (),
    fonts: Mapping[str, tuple[str, int]] = MappingProxyType({}),
) -> bytes:
    """Write a small PDF by hand, a page per text.

    Args:
        pages: Their texts.
        encrypted: Whether a password is needed.
        bookmarks: Titles with the number of their page, from 0.
        fonts: The fonts, ``F1`` or the bold ``F2``, and sizes of lines that are not 12 points of ``F1``.
    """
    kids = " ".join(f"{4 + 2 * number} 0 R" for number in range(len(pages)))
    first = 4 + 2 * len(pages)  # the outline's object, its entries behind it
    outline = f"/Outlines {first} 0 R" if bookmarks else ""
    parts = [
        f"<< /Type /Catalog /Pages 2 0 R {outline} >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    for number, text in enumerate(pages):
        shown = [(line, *fonts.get(line, ("F1", 12))) for line in text.split("\n") if line]
        lines = "".join(f"/{font} {size} Tf ({line}) Tj 0 -{size + 2} Td " for line, font, size in shown)
        stream = f"BT 72 720 Td {lines}ET" if text else ""
        parts.append(
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Resources << /Font << /F1 3 0 R "
            "/F2 << /Type /Font /Subtype /Type1 /BaseFont /Helvetica-Bold >> >> >> "
            f"/Contents {5 + 2 * number} 0 R >>"
        )
        parts.append(f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream")
    if bookmarks:
        last = first + len(bookmarks)
        parts.append(f"<< /Type /Outlines /First {first + 1} 0 R /Last {last} 0 R /Count {len(bookmarks)} >>")
        for number, (title, page) in enumerate(bookmarks, first + 1):
            beside = (f"/Prev {number - 1} 0 R " if number > first + 1 else "") + (
                f"/Next {number + 1} 0 R " if number < last else ""
            )
            parts.append(f"<< /Title ({title}) /Parent {first} 0 R {beside}/Dest [{4 + 2 * page} 0 R /XYZ 0 792 0] >>")
    protection = ""
    if encrypted:
        parts.append(f"<< /Filter /Standard /V 1 /R 2 /P -4 /O <{'ab' * 32}> /U <{'cd' * 32}> >>")
        protection = f"/Encrypt {len(parts)} 0 R /ID [<{'00' * 16}> <{'00' * 16}>]"
    body, offsets = "%PDF-1.4\n", []
    for number, part in enumerate(parts, 1):
        offsets.append(len(body))
        body += f"{number} 0 obj\n{part}\nendobj\n"
    table = "".join(f"{offset:010} 00000 n \n" for offset in offsets)
    return (
        f"{body}xref\n0 {len(parts) + 1}\n0000000000 65535 f \n{table}"
        f"trailer << /Size {len(parts) + 1} /Root 1 0 R {protection} >>\nstartxref\n{len(body)}\n%%EOF\n"
    ).encode("latin-1")


def make_docx(body: str, *, styles: str = "", footnotes: str = "") -> bytes:
    files = {
        "[Content_Types].xml": "<Types/>",
        "word/document.xml": f"<w:document {W}><w:body>{body}</w:body></w:document>",
        "word/styles.xml": f"<w:styles {W}>{styles}</w:styles>",
    }
    if footnotes:
        files["word/footnotes.xml"] = f"<w:footnotes {W}>{footnotes}</w:footnotes>"
    return make_zip(files)


def make_odf(kind: str, body: str, **files: str) -> bytes:
    inside = f"<office:body><office:{kind}>{body}</office:{kind}></office:body>"
    content = f"<office:document-content {ODF}>{inside}</office:document-content>"
    name = "text" if kind == "text" else "spreadsheet"
    return make_zip({"mimetype": f"application/vnd.oasis.opendocument.{name}", "content.xml": content, **files})


def make_xlsx(sheets: dict[str, str], *, strings: str = "", styles: str = "", workbook: str = "") -> bytes:
    listed = "".join(f'<sheet name="{name}" sheetId="{n}" r:id="r{n}"/>' for n, name in enumerate(sheets, 1))
    targets = "".join(f'<Relationship Id="r{n}" Target="worksheets/sheet{n}.xml"/>' for n in range(1, len(sheets) + 1))
    files = {
        "[Content_Types].xml": "<Types/>",
        "xl/workbook.xml": f"<workbook {R}>{workbook}<sheets>{listed}</sheets></workbook>",
        "xl/_rels/workbook.xml.rels": f"<Relationships>{targets}</Relationships>",
        "xl/sharedStrings.xml": f"<sst>{strings}</sst>",
        "xl/styles.xml": f"<styleSheet>{styles}</styleSheet>",
    }
    for number, rows in enumerate(sheets.values(), 1):
        files[f"xl/worksheets/sheet{number}.xml"] = f"<worksheet><sheetData>{rows}</sheetData></worksheet>"
    return make_zip(files)


def make_epub(chapters: dict[str, str], *, contents: str = "", more: dict[str, str] | None = None) -> bytes:
    items = "".join(f'<item id="c{n}" href="{name}"/>' for n, name in enumerate(chapters))
    spine = "".join(f'<itemref idref="c{n}"/>' for n in range(len(chapters)))
    package = f'<manifest>{items}<item id="ncx" href="toc.ncx"/></manifest><spine>{spine}</spine>'
    files = {
        "mimetype": "application/epub+zip",
        "META-INF/container.xml": '<container><rootfiles><rootfile full-path="OPS/book.opf"/></rootfiles></container>',
        "OPS/book.opf": f"<package>{package}</package>",
        "OPS/toc.ncx": f"<ncx><navMap>{contents}</navMap></ncx>",
        **{f"OPS/{name}": text for name, text in chapters.items()},
        **(more or {}),
    }
    return make_zip(files)


def make_bomb() -> bytes:
    """A few kilobytes that would become forty megabytes."""
    return make_zip({"zeros.txt": bytes(40 << 20)})


def make_liar() -> bytes:
    """A zip whose directory says that its file is small, while it is not."""
    name, data = b"a.txt", b"x" * 3_000_000
    packed = zlib.compressobj(9, zlib.DEFLATED, -15)
    content = packed.compress(data) + packed.flush()
    sums = struct.pack("<IIIHH", zlib.crc32(data), len(content), 100, len(name), 0)
    local = b"PK\x03\x04" + struct.pack("<HHHHH", 20, 0, 8, 0, 33) + sums + name + content
    entry = b"PK\x01\x02" + struct.pack("<HHHHHH", 20, 20, 0, 8, 0, 33) + sums
    entry += struct.pack("<HHHII", 0, 0, 0, 0, 0) + name
    return local + entry + b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, 1, 1, len(entry), len(local), 0)
