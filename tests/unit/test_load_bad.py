"""Twenty kinds of bad input: each is told in one line that names the file and what to do, or is loaded right."""

from __future__ import annotations

import os
import tempfile
import threading
from contextlib import contextmanager
from pathlib import Path

import pytest

from rlm_kernel.contexts.load import load
from rlm_kernel.errors import ContextError
from tests.unit.documents import make_bomb, make_liar, make_pdf, make_xlsx, make_zip

CAT = "吾輩は猫である。名前はまだ無い。"
PROSE = "Grüße aus der Gegend, in der Öl und Käse so günstig sind. "
BAD = {
    "missing": ("missing.txt", None, r"is not there", "The folder looked in is"),
    "folder without readable files": (
        "things",
        {"a.bin": bytes(range(256)), ".hidden.txt": b"x", "empty.txt": b""},
        r"has no readable files: .*a\.bin left out: it is no text",
        "Name a file",
    ),
    "empty": ("nothing.txt", b"", r"is empty", "right file"),
    "blank page": ("page.html", b" \n ", r"is empty", "right file"),
    "binary": ("binary.txt", bytes(range(256)) * 8, r"is no text: its bytes are binary", "Save it as plain text"),
    "binary with a name": ("picture.md", b"\x89PNG\r\n\x1a\n\xff", r"it looks like an image", "Save it as plain text"),
    "wrong encoding": ("old.txt", (PROSE * 9).encode("cp1252"), r"is not UTF-8 \(byte 2, line 1\)", "encoding="),
    "mixed encodings": (
        "mixed.txt",
        b"\n".join([PROSE.encode(), PROSE.encode("cp1252"), PROSE.encode()]),
        r"is in mixed encodings: UTF-8, but for 5 places \(the first: byte 66, line 2\)",
        'encoding="mixed"',
    ),
    "mixed from the first letter on": (
        "mixed.txt",
        b"hello\n" + "Alla människor\n".encode("cp1252") + ("Alla människor är födda\n" * 5).encode(),
        r"is in mixed encodings: UTF-8, but for 1 place \(the first: byte 12, line 2\)",
        "(the first: 'Alla människor')",
    ),
    "mixed with Japanese": (
        "mixed.txt",
        PROSE.encode() + b"\n" + CAT.encode("shift_jis"),
        r"is in mixed encodings: UTF-8, but for",
        "Windows-1252 (the first: 'Œá",
    ),
    "Japanese": (
        "neko.txt",
        (CAT + "\n").encode("shift_jis") * 9,
        r"is not UTF-8 \(byte 0, line 1\)",
        "It may be cp932 ('吾輩は猫である。名前はまだ無い。') or cp949 (",
    ),
    "Russian": (
        "old.txt",
        b"Chapter 1\n" + ("Все счастливые семьи похожи друг на друга. " * 9).encode("koi8_r"),
        r"is not UTF-8 \(byte 10, line 2\)",
        "It may be koi8_r ('Все счастливые семьи похожи друг') or cp1251 (",
    ),
    "Thai": (
        "old.txt",
        ("มนุษย์ทั้งหลายเกิดมามีอิสระและเสมอภาคกัน " * 9).encode("cp874"),
        r"is not UTF-8 \(byte 0, line 1\)",
        'name it, encoding="cp874"',
    ),
    "broken UTF-16": ("cut.txt", b"\xff\xfea\0b\0c", r"is broken UTF-16", "get it again"),
    "encrypted PDF": ("locked.pdf", make_pdf("One", encrypted=True), r"is encrypted", "save a copy without"),
    "broken PDF": ("broken.pdf", make_pdf("One")[:200], r"is a broken PDF", "save it anew"),
    "scanned PDF": ("scan.pdf", make_pdf("", ""), r"has no text on its 2 pages: it is a scan", "ocrmypdf"),
    "zip bomb": ("bomb.zip", make_bomb(), r"looks like a zip bomb: .* bytes would become 41,943,040", "Unpack it in a"),
    "zip bomb in an office file": (
        "bomb.xlsx",
        make_zip({"xl/workbook.xml": b"<w/>", "xl/sharedStrings.xml": b" " * (40 << 20)}),
        r"looks like a zip bomb",
        "Unpack it in a",
    ),
    "zip that lies": ("liar.zip", make_liar(), r"(looks like a zip bomb|is a broken archive)", "Unpack|again"),
    "entities that grow": (
        "lol.xlsx",
        make_zip({"xl/workbook.xml": '<!DOCTYPE a [<!ENTITY a "lol"><!ENTITY b "&a;&a;">]><a>&b;</a>'}),
        r"is not to be trusted: it declares XML entities",
        "Save it anew",
    ),
    "zip with absolute paths": (
        "abs.zip",
        make_zip({"/etc/passwd": "x"}),
        r"'/etc/passwd' is an absolute path",
        "Unpack",
    ),
    "zip that leads out": ("out.zip", make_zip({"a/../../b.txt": "x"}), r"'a/../../b\.txt' leads out of", "Unpack"),
    "zip for Windows": ("win.zip", make_zip({"C:\\b.txt": "x"}), r"is an absolute path", "Unpack"),
    "zip in zip": (
        "outer.zip",
        make_zip({"inner.zip": make_zip({"a.txt": "x"})}),
        r"has no readable files: inner\.zip left out: it is an archive",
        "unpack it",
    ),
    "broken zip": ("broken.zip", make_zip({"a.txt": "x" * 100})[:-30], r"is a broken archive", "Get it again"),
    "CSV with ragged rows": (
        "ragged.csv",
        b'a,b\n1,2\n3,"4\n4"\n5\n',
        r"has ragged rows: line 5 has 1 field, the first line 2",
        'kind="text"',
    ),
    "CSV with an open quote": ("open.csv", b'a,b\n1,2\n3,"4\n', r"is not valid CSV: .*begins at line 3", 'kind="text"'),
    "JSONL with a broken line": (
        "lines.jsonl",
        b'{"a": 1}\n\n{"a": 2\n{"a": 3}\n',
        r"has a broken line: line 3 is not valid JSON",
        'kind="text"',
    ),
    "broken JSON": ("a.json", b'{"a": 1,\n "b" 2}', r"is not valid JSON: .*, line 2", "Mend line 2"),
    "spreadsheet without cells": ("void.xlsx", make_xlsx({"One": ""}), r"has no text in it", "right file"),
    "name with odd characters": ("a\n\x1b[31m\u202eb.txt", b"", r"a\\n\\x1b\[31m\\u202eb\.txt is empty", "right file"),
    "name that is no UTF-8": (os.fsdecode(b"a\xffb.txt"), b"", r"a\\xffb\.txt is empty", "right file"),
}  # fmt: skip


def put(folder: Path, name: str, content: bytes | dict[str, bytes] | None) -> Path:
    path = folder / name
    if isinstance(content, dict):
        path.mkdir()
        for inner, each in content.items():
            put(path, inner, each)
    elif content is not None:
        path.write_bytes(content)
    return path


@pytest.mark.parametrize(("name", "content", "said", "remedy"), BAD.values(), ids=BAD.keys())
def test_it_is_told_with_file_and_remedy(tmp_path, name, content, said, remedy):
    path = put(tmp_path, name, content)
    with pytest.raises(ContextError, match=said) as caught:
        load(path)
    assert str(caught.value).isprintable(), "one line, and no orders to a terminal"
    if name.isprintable():
        assert name in caught.value.message
    assert any(word in str(caught.value) for word in remedy.split("|"))
    assert str(caught.value) != said


@pytest.mark.parametrize(
    ("encoding", "mark"),
    [("utf-16-le", b"\xff\xfe"), ("utf-16-be", b"\xfe\xff"), ("utf-16-le", b""), ("utf-16-be", b"")],
)
@pytest.mark.parametrize(
    "text",
    [
        "Grüße, one and two\nthree\n",
        "Съешь же ещё этих мягких булок\nда выпей чаю\n",
        "天地玄黃宇宙洪荒日月\n盈昃辰宿列張寒來\n" * 9,
    ],
)
def test_utf_16_with_and_without_a_mark(tmp_path, text, encoding, mark):
    assert load(put(tmp_path, "a.txt", mark + text.encode(encoding))) == text


def test_an_encoding_can_be_named(tmp_path):
    path = put(tmp_path, "a.txt", "Grüße".encode("cp1252"))
    assert load(path, encoding="cp1252") == "Grüße"
    mixed = put(tmp_path, "b.txt", "Grüße\n".encode() + "Grüße\n".encode("cp1252"))
    assert load(mixed, encoding="mixed") == "Grüße\nGrüße\n"
    with pytest.raises(ContextError, match="there is no encoding 'klingon'"):
        load(path, encoding="klingon")
    with pytest.raises(ContextError, match=r"a\.txt is not ascii \(byte 2, line 1\)"):
        load(path, encoding="ascii")


def test_what_is_broken_can_be_had_as_plain_text(tmp_path):
    for name in ("CSV with ragged rows", "JSONL with a broken line", "broken JSON"):
        path = put(tmp_path, *BAD[name][:2])
        assert load(path, kind="text") == BAD[name][1].decode()
        assert load(path, kind="text").kind == "text"
    with pytest.raises(ContextError, match="There is no kind 'poem'"):
        load(path, kind="poem")


def test_a_page_with_nothing_on_it_is_a_page(tmp_path):
    document = load(put(tmp_path, "a.pdf", make_pdf("One", "", "Three", "")))
    assert document.pages == ["One", "", "Three", ""]
    assert document.at(document.index("Three")) == "a.pdf, p. 3"


def test_names_with_odd_characters_are_loaded(tmp_path):
    for name in (
        "with space & ünïcode 'quote'.txt",
        "line\nend \x1b[31m.txt",
        os.fsdecode(b"\xff.txt"),
        "-.txt",
        "[a]*.txt",
    ):
        document = load(put(tmp_path, name, b"text"))
        assert document == "text"
        assert document.at(0).isprintable()
        assert document.summary().isprintable()
        assert Path(document.path).name == name
    assert len(load(tmp_path).files) == 5


def test_a_file_that_changes_while_it_is_read(tmp_path):
    path = put(tmp_path, "growing.log", b"one line\n" * 3_000_000)
    ended = threading.Event()

    def grow():
        with path.open("ab", buffering=0) as file:
            while not ended.is_set():
                file.write(b"another line\n")

    writer = threading.Thread(target=grow)
    writer.start()
    try:
        with pytest.raises(ContextError, match=r"growing\.log has changed while it was read\. Load it when"):
            load(path)
    finally:
        ended.set()
        writer.join()
    assert load(path).startswith("one line\n")


NOBODY = 65534


@contextmanager
def somebody_else():
    """Be a user without rights: root may read everything."""
    if os.geteuid() != 0:
        yield
        return
    try:
        os.seteuid(NOBODY)
    except PermissionError:
        pytest.skip("this root may not become another user")
    try:
        yield
    finally:
        os.seteuid(0)


def test_no_permission():
    with tempfile.TemporaryDirectory(prefix="rlm-test-") as name:
        folder = Path(name)
        secret, shut = put(folder, "secret.txt", b"x"), put(folder, "shut", {"a.txt": b"x"})
        put(folder, "open", {"a.txt": b"x", "b.txt": b"y"})
        assert len(load(folder).files) == 4, "nothing is wrong with them; all modules are imported now"
        for path, mode in ((folder, 0o755), (secret, 0), (shut, 0), (folder / "open" / "b.txt", 0)):
            path.chmod(mode)
        with somebody_else():
            with pytest.raises(ContextError) as caught:
                load(secret)
            assert str(caught.value) == f"secret.txt may not be read: no permission. Allow it: chmod u+r {secret}"
            with pytest.raises(ContextError, match=r"shut may not be read: no permission\. Allow it: chmod u\+rx"):
                load(shut)
            with pytest.raises(ContextError, match=r"a\.txt may not be read: no permission"):
                load(shut / "a.txt")
            document = load(folder / "open")
        assert document.files.keys() == ["a.txt"]
        assert document.notes == ("b.txt left out: it may not be read: no permission.",)
        shut.chmod(0o755)


def test_too_large_is_said_before_it_is_read(tmp_path):
    with (tmp_path / "huge.xlsx").open("wb") as file:
        file.truncate(300 << 20)
    with pytest.raises(ContextError, match=r"huge\.xlsx is too large: 300 MB"):
        load(tmp_path / "huge.xlsx")


def test_a_zip_with_too_many_files(tmp_path):
    path = put(tmp_path, "many.zip", make_zip({f"{n}.txt": "x" for n in range(10_001)}, packed=False))
    with pytest.raises(ContextError, match=r"many\.zip has 10,001 files; 10,000 is the most"):
        load(path)
