"""Loading documents, made here and real ones."""

from __future__ import annotations

import os
import pickle
import re
from collections import Counter
from copy import deepcopy
from decimal import Decimal
from pathlib import Path

import pytest

from rlm_kernel.contexts import load as loading
from rlm_kernel.contexts.document import Document
from rlm_kernel.contexts.load import load
from rlm_kernel.errors import ContextError
from tests.unit.documents import make_pdf

DATA = Path(os.environ.get("RLM_TEST_DATA", Path(__file__).parents[2].parent / "shared" / "data"))


def real(name: str) -> Path:
    path = DATA / name
    if not path.exists():
        pytest.skip(f"{path} is not there; set RLM_TEST_DATA to the folder of the real documents")
    return path


def words(text: str) -> Counter[str]:
    return Counter(re.findall(r"\w+", text))


def write(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_text_is_loaded_as_it_is(tmp_path):
    document = load(write(tmp_path, "note.txt", "Grüße\r\nzwei\rdrei\n"))
    assert document == "Grüße\nzwei\ndrei\n"
    assert (document.kind, document.name, document.pages, document.page_count) == ("text", "note.txt", [], 0)
    assert document.path == str(tmp_path / "note.txt")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_encodings(tmp_path, encoding):
    assert load(write(tmp_path, "note.txt", "Grüße ☃\n".encode(encoding))) == "Grüße ☃\n"


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("a.md", "# A\n", "Markdown"),
        ("a.log", "one\n", "log"),
        ("a.py", "one = 1\n", "text"),
        ("README", "one\n", "text"),
        ("a.TSV", "a\tb\n1\t2\n", "TSV"),
        ("a.jsonl", '{"a": 1}\n{"a": 2}\n', "JSONL"),
        ("a.ipynb", '{"cells": []}', "JSON"),
        ("page", "<!DOCTYPE html><p>Hello</p>", "HTML"),
        ("download", make_pdf("Hello"), "PDF"),
    ],
)
def test_kinds(tmp_path, name, content, kind):
    assert load(write(tmp_path, name, content)).kind == kind


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_csv_has_rows(tmp_path, separator):
    content = separator.join(["city", "note"]) + "\n" + separator.join(["Ulm", '"two\nlines"']) + "\n"
    document = load(write(tmp_path, "a.csv", content))
    assert document.rows == [{"city": "Ulm", "note": "two\nlines"}]
    assert document == content


def test_json_has_data_and_only_tables_have_rows(tmp_path):
    document = load(write(tmp_path, "a.json", '{"a": [1, 2], "b": null}'))
    assert document.data == {"a": [1, 2], "b": None}
    assert document.outline == "JSON object, 2 keys: a, b"
    with pytest.raises(AttributeError, match=r"a\.json is JSON and has no rows"):
        _ = document.rows
    with pytest.raises(AttributeError, match=r"b\.txt is text and has no data"):
        _ = load(write(tmp_path, "b.txt", "b")).data


def test_json_with_integers_of_any_length(tmp_path):
    digits = "9" * 5000
    path = write(tmp_path, "a.json", f'{{"n": {digits}, "m": 7}}')
    assert load(path).data == {"n": Decimal(digits), "m": 7}
    write(tmp_path, "b.jsonl", f"1\n-{digits}\n")
    assert load(tmp_path).files["b.jsonl"].rows == [1, Decimal("-" + digits)]
    with pytest.raises(ContextError, match=r"c\.json is not valid JSON: .*, line 2"):
        load(write(tmp_path, "c.json", f"[{digits},\n}}"))


def test_html_becomes_text_with_headings_lists_and_tables(tmp_path):
    page = """<!doctype html><html><head><title>Title</title><style>p {}</style></head><body>
    <script>var a = "<p>no</p>";</script><h1>One <em>heading</em><a href="#x">¶</a></h1>
    <p>First   line<br>second&nbsp;line &amp; more</p><ul><li>a</li><li>b <b>bold</b></li></ul>
    <table><tr><th>x</th><th>y</th></tr><tr><td><p>1</p></td><td>2</td></tr></table>
    <pre>
  kept
    as it is</pre><div>end<p>unclosed"""
    assert load(write(tmp_path, "a.html", page)) == (
        "# One heading\n\nFirst line\nsecond\xa0line & more\n\n- a\n- b bold\n\nx | y\n1 | 2\n\n"
        "  kept\n    as it is\n\nend\n\nunclosed"
    ).replace("\xa0", " ")


def test_html_in_the_encoding_that_it_declares(tmp_path):
    page = '<html><meta charset="iso-8859-1"><p>Grüße'.encode("latin-1")
    assert load(write(tmp_path, "a.html", page)) == "Grüße"


def test_pdf_keeps_its_pages(tmp_path):
    document = load(write(tmp_path, "report.pdf", make_pdf("First page\nhas two lines", "", "Third page")))
    assert [page.split() for page in document.pages] == [
        ["First", "page", "has", "two", "lines"],
        [],
        ["Third", "page"],
    ]
    assert document.at(0) == "report.pdf, p. 1"
    assert document.at(document.index("Third")) == "report.pdf, p. 3"
    assert document.at(-1) == "report.pdf, p. 3"
    assert document.page_count == 3


def test_a_document_is_a_text(tmp_path):
    document = load(write(tmp_path, "a.txt", "one\ntwo\nthree\n"))
    assert isinstance(document, str)
    assert type(document[2:5]) is str
    assert type(document.upper()) is str
    assert [type(line) for line in document.splitlines()] == [str] * 3
    assert re.findall(r"t\w+", document) == ["two", "three"]
    assert f"{document}" == "one\ntwo\nthree\n"
    assert type(str(document)) is str
    assert {document: 1}["one\ntwo\nthree\n"] == 1


@pytest.mark.parametrize("copy", [deepcopy, lambda document: pickle.loads(pickle.dumps(document))])
def test_a_copy_knows_the_same(tmp_path, copy):
    document = load(write(tmp_path, "report.pdf", make_pdf("One", "Two")))
    again = copy(document)
    assert (again, again.path, again.kind, again.pages) == (document, document.path, "PDF", document.pages)
    table = load(write(tmp_path, "a.csv", "a,b\n1,2\n"))
    assert len(table.rows) == 1
    assert copy(table).rows == table.rows


def test_at_says_where(tmp_path):
    document = load(write(tmp_path, "kjv.txt", "a\n" * 6000))
    assert document.at(0) == "kjv.txt, line 1"
    assert document.at(9998) == "kjv.txt, line 5,000"
    assert document.at(len(document)) == "kjv.txt, line 6,001"
    with pytest.raises(IndexError, match="12,000 characters; there is no position 12001"):
        document.at(12001)


def test_it_is_shown_in_short(tmp_path):
    document = load(write(tmp_path, "big.txt", "<b>a line & more</b> " * 20 + "\n" + "x\n" * 100_000))
    assert repr(document).startswith("<big.txt · text · 200,421 characters · 100,001 lines>\n<b>a line")
    assert len(repr(document)) < 700
    html = document._repr_html_()
    assert len(html) < 1200
    assert "&lt;b&gt;a line &amp; more" in html
    assert repr([document]).startswith("[<big.txt")


def test_paths(tmp_path, monkeypatch):
    write(tmp_path, "a.txt", "here")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert load("~/a.txt") == load("a.txt") == load(Path("a.txt")) == "here"


def test_a_tilde_is_the_home_folder_where_no_file_is_called_so(tmp_path, monkeypatch):
    (tmp_path / "~nobody-has-this").mkdir()
    for name in ("~nobody-has-this.txt", "~nobody-has-this/a.txt"):
        write(tmp_path, name, name)
    monkeypatch.chdir(tmp_path)
    for name in ("~nobody-has-this.txt", "~nobody-has-this/a.txt"):
        assert load(name) == load(f"./{name}") == name
        assert load(name, on_disk=True)[:] == name
    assert load("~nobody-has-this/*.txt").files.keys() == load("~nobody-has-this").files.keys() == ["a.txt"]
    with pytest.raises(ContextError, match=r"~no-such-one/a\.txt is not there: there is no folder ~no-such-one"):
        load("~no-such-one/a.txt")
    with pytest.raises(ContextError, match=r"~no-such-one/\*\.txt matches nothing: there is no folder ~no-such-one"):
        load("~no-such-one/*.txt")


ERRORS = [
    ("empty.txt", b"", "empty.txt is empty"),
    ("blank.txt", b" \n\n", "blank.txt is empty"),
    ("tags.html", b"<html><body><img></body></html>", "tags.html has no text"),
    ("old.txt", "Grüße".encode("latin-1") * 30, r"old.txt is not UTF-8 \(byte 2, line 1\).*iconv"),
    ("zero.txt", b"text\0text", "zero.txt is no text: it has zero bytes in it .*character 4"),
    ("random.bin", bytes(range(256)) * 8, "random.bin is no text: its bytes are binary"),
    ("picture.txt", b"\x89PNG\r\n\x1a\n\xff", "picture.txt is no text: it looks like an image"),
    ("a.json", b'{"a": 1,\n "b" 2}', r"a.json is not valid JSON: .*, line 2\. Mend line 2"),
    ("lines.json", b'{"a": 1}\n{"a": 2}', r"lines.json is not valid JSON.*name the file \.jsonl"),
    ("deep.json", b"[" * 100_000, "deep.json is nested too deeply"),
    ("broken.pdf", b"%PDF-1.4 and nothing", "broken.pdf is a broken PDF, or none"),
    ("no.pdf", b"only text", "no.pdf is a broken PDF, or none"),
    ("locked.pdf", make_pdf("One", encrypted=True), "locked.pdf is encrypted.*save a copy without"),
    ("scan.pdf", make_pdf("", ""), "scan.pdf has no text on its 2 pages: it is a scan.*ocrmypdf"),
    ("a.docx", b"PK\x03\x04", "a.docx is a broken DOCX file, or none"),
    ("a.zip", b"PK\x03\x04", "a.zip is a broken archive, or none"),
    ("a.docx", b"\xd0\xcf\x11\xe0" * 200, "a.docx is encrypted, or an old office file"),
    ("a.parquet", b"PAR1", r"nothing here reads \.parquet files\. Save it as CSV"),
    ("a.7z", b"7z", r"nothing here reads \.7z files\. Unpack it"),
    ("a.eml", b"no header", "a.eml is no mail"),
    ("a.mbox", b"no message", "a.mbox is no mailbox"),
]


@pytest.mark.parametrize(("name", "content", "text"), ERRORS, ids=[error[0] for error in ERRORS])
def test_what_cannot_be_loaded_is_told_in_one_line(tmp_path, name, content, text):
    with pytest.raises(ContextError, match=text) as caught:
        load(write(tmp_path, name, content))
    assert name in caught.value.message
    assert "\n" not in str(caught.value)


def test_a_missing_file_suggests_near_names(tmp_path):
    write(tmp_path, "Report.txt", "a")
    with pytest.raises(ContextError, match=r"reprot\.txt is not there\. Did you mean Report\.txt\?"):
        load(tmp_path / "reprot.txt")
    with pytest.raises(ContextError, match=r"Did you mean Report\.txt\?"):
        load(tmp_path / "report.md")
    with pytest.raises(ContextError, match=r"other\.txt is not there\. The folder looked in is "):
        load(tmp_path / "other.txt")
    with pytest.raises(ContextError, match=r"there is no folder .*nowhere"):
        load(tmp_path / "nowhere" / "report.txt")


def test_what_is_no_file_is_told(tmp_path):
    write(tmp_path, "a.txt", "a")
    with pytest.raises(ContextError, match="load reads files"):
        load("https://example.org/a.txt")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ContextError, match="not an ordinary file"):
        load(tmp_path / "pipe")
    with pytest.raises(ContextError, match="cannot be found"):
        load("a" * 5000)


@pytest.mark.parametrize("path", ["", "  ", None, 7, ["a.txt", "b.txt"]])
def test_what_is_no_path_is_told(path):
    with pytest.raises(ContextError, match="load takes the path of a file"):
        load(path)


def test_a_huge_file_is_refused_before_it_is_read(tmp_path, monkeypatch):
    for name in ("huge.txt", "huge.pdf"):
        with (tmp_path / name).open("wb") as file:
            file.truncate(loading.MAX_BYTES + 1)
    with pytest.raises(ContextError, match=r"huge\.txt is no text: there are zero bytes in it"):
        load(tmp_path / "huge.txt")
    with pytest.raises(ContextError, match=r"huge\.pdf is too large: 256 MB"):
        load(tmp_path / "huge.pdf")


def test_a_text_over_the_limit_stays_on_disk(tmp_path, monkeypatch):
    (tmp_path / "big.log").write_text("a line\n" * 100)
    (tmp_path / "big.json").write_text("[1]")
    monkeypatch.setattr(loading, "MAX_BYTES", 500)

    assert (type(load(tmp_path / "big.log")).__name__, load(tmp_path / "big.log").line_count) == ("Text", 100)
    assert type(load(tmp_path / "big.json")).__name__ == "Document"
    with pytest.raises(ContextError, match=r"big\.json cannot stay on disk"):
        load(tmp_path / "big.json", on_disk=True)


def test_a_document_needs_no_file():
    document = Document("a\nb")
    assert document.at(2) == "text, line 2"
    assert repr(document).startswith("<Document · text · 3 characters · 2 lines>")
    assert load is loading.load


@pytest.mark.parametrize(
    ("name", "chars", "needle", "where"),
    [
        ("docs/kjv.txt", 4_404_412, "Jesus wept", "kjv.txt, line 26,559"),
        ("docs/apache_access_2015.log", 2_370_789, "83.149.9.216", "apache_access_2015.log, line 1"),
        ("loaders/airports.csv", 210_365, "Thigpen", "airports.csv, line 2"),
    ],
)
def test_real_texts(name, chars, needle, where):
    document = load(real(name))
    assert len(document) == chars
    assert document.at(document.index(needle)) == where


def test_real_tables():
    assert load(real("loaders/airports.csv")).rows[0]["name"] == "Thigpen"
    assert len(load(real("loaders/seattle-weather.csv")).rows) == 1461


def test_a_real_book_reads_alike_as_html_and_as_pdf():
    page, pdf = load(real("loaders/genesis_exodus_kjv.html")), load(real("loaders/genesis_exodus_kjv.pdf"))
    sentence = "In the beginning God created the heaven and the earth"
    assert sentence in page
    assert sentence in " ".join(pdf.split())
    assert "Genesis | 1 | 31" in page
    assert page.count("\n## Chapter ") == 90
    assert pdf.page_count == 242
    assert (pdf.sections[1].title, pdf.sections[1].level) == ("Genesis", 1)
    ends = [sorted(re.findall(r"[a-z]+", text.lower())) for text in (page, pdf)]
    assert len(ends[0]) == pytest.approx(len(ends[1]), rel=0.01)


def test_real_pages_have_no_markup_left():
    for name in ("loaders/python_re_module.html", "loaders/fhs-3.0.html"):
        text = load(real(name))
        assert not re.search(r"</\w+>|\{\s*color|function\s*\(", text)
        assert text.count("\n#") > 10


def test_a_real_pdf_has_no_marks_of_divided_words():
    assert "\ufffe" not in load(real("loaders/fhs-3.0.pdf"))
