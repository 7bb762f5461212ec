"""Several files at once, folders, patterns, zips; loaders of other packages; what a document of files is."""

from __future__ import annotations

import pickle
import sys
from pathlib import Path

import pytest

from rlm_kernel.contexts.describe import describe
from rlm_kernel.contexts.document import Document
from rlm_kernel.contexts.ignore import parse, passed_over
from rlm_kernel.contexts.load import load
from rlm_kernel.contexts.loaders import registry
from rlm_kernel.engine.estimates import text_estimate
from rlm_kernel.engine.prompting import describe_context
from rlm_kernel.errors import ContextError
from tests.unit.documents import make_pdf, make_xlsx, make_zip
from tests.unit.test_load import real

FILES = {
    "a.md": b"# Top\n\nwords\n\n## Below\n\nmore\n",
    "report.pdf": make_pdf("First", "Second", "", bookmarks=(("Second", 1),)),
    "table.csv": b"x,y\n1,2\n3,4\n",
    "deep/note.txt": b"deep\n",
    "deep/logo.png": b"\x89PNG\r\n\xff",
    "deep/ragged.csv": b"a,b\n1\n",
    "deep/old.txt": "Grüße aus Köln".encode("cp1252"),
    ".hidden/x.txt": b"hidden",
    ".env": b"SECRET=1",
    ".gitignore": b"*.log\n/build/\n!keep.log\ndeep/**/gone.txt\n# comment\n",
    "a.log": b"log\n",
    "keep.log": b"kept\n",
    "build/out.txt": b"built",
    "deep/build/in.txt": b"not anchored\n",
    "deep/er/gone.txt": b"gone",
    "deep/.gitignore": b"er/\n",
    "node_modules/m.js": b"m",
    "inner.zip": make_zip({"z.txt": b"z"}),
}
NAMES = ["a.md", "keep.log", "report.pdf", "table.csv", "deep/note.txt", "deep/ragged.csv", "deep/build/in.txt"]


def fill(folder: Path) -> Path:
    for name, content in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    (folder / "loop").symlink_to(folder)
    (folder / "nowhere").symlink_to(folder / "not-there")
    (folder / "round").symlink_to(folder / "round")
    return folder


def test_a_folder_is_one_document_with_files(tmp_path):
    document = load(fill(tmp_path / "all"))
    assert document.files.keys() == NAMES
    assert (document.kind, document.name) == ("folder", "all")
    assert document.notes == (
        "inner.zip left out: it is an archive: unpack it to have what is in it.",
        "loop left out: it is a link to a folder, which is not followed.",
        "nowhere left out: it is a link that leads nowhere.",
        "round left out: it is a link that leads nowhere.",
        "deep/logo.png left out: it is no text: it looks like an image.",
        "deep/old.txt left out: it is not UTF-8 (byte 2, line 1).",
        "deep/ragged.csv read as plain text: it has ragged rows: line 2 has 1 field, the first line 2.",
    )
    assert document.startswith("=== a.md ===\n# Top\n")
    assert "\n\n=== table.csv ===\nx,y\n" in document
    report, table = document.files["report.pdf"], document.files[3]
    assert (report.kind, report.pages, report.sections[0].title) == ("PDF", ["First", "Second", ""], "Second")
    assert report.at(report.index("Second")) == "report.pdf, p. 2, § Second"
    assert (table.name, table.rows, Path(table.path).name) == (
        "table.csv",
        [{"x": "1", "y": "2"}, {"x": "3", "y": "4"}],
        "table.csv",
    )
    assert load(tmp_path / "all" / "table.csv") == table
    for needle, where in (
        ("words", "a.md, line 3, § Top"),
        ("more", "a.md, line 7, § Below"),
        ("Second", "report.pdf, p. 2, § Second"),
        ("3,4", "table.csv, line 3"),
        ("not anchored", "deep/build/in.txt, line 1"),
        ("=== table.csv", "table.csv"),
        ("\n\n=== table.csv", "report.pdf, p. 3, § Second"),
    ):
        assert document.at(document.index(needle)) == where
    assert document.page_count == 3
    assert document.pages == ["First", "Second", ""]
    assert [section.text for section in document.sections][:2] == [FILES["a.md"].decode(), "## Below\n\nmore\n"]
    assert dict(document.files)["deep/note.txt"] == document.files["note.txt"] == "deep\n"
    assert "note.txt" not in document.files
    assert "deep/note.txt" in document.files
    with pytest.raises(KeyError, match=r"nope.*one of the 7 files"):
        _ = document.files["nope"]


def test_a_copy_of_many_files_knows_the_same(tmp_path):
    document = load(fill(tmp_path))
    again = pickle.loads(pickle.dumps(document))
    assert (again, again.file_marks, again.page_starts, again.section_marks) == (
        document, document.file_marks, document.page_starts, document.section_marks,
    )  # fmt: skip
    assert again.files[2].pages == document.files[2].pages
    assert pickle.loads(pickle.dumps(document.files[2])).at(0) == "report.pdf, p. 1"
    assert pickle.loads(pickle.dumps(document.pages)) == ["First", "Second", ""]
    assert type(pickle.loads(pickle.dumps(document.files))) is list


def test_patterns(tmp_path, monkeypatch):
    fill(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert load("**/*.txt").files.keys() == ["deep/note.txt", "deep/build/in.txt"]
    assert load("*.md").files.keys() == ["a.md"]
    assert load(f"{tmp_path}/de*/n[a-z]te.txt").files.keys() == ["deep/note.txt"]
    with pytest.raises(ContextError, match=r"\*\.doc matches no file\. Hidden and ignored files do not count"):
        load("*.doc")
    with pytest.raises(ContextError, match="there is no folder nowhere"):
        load("nowhere/*.txt")


def test_several_paths_are_named_apart(tmp_path):
    fill(tmp_path / "one")
    (tmp_path / "two").mkdir()
    (tmp_path / "two" / "a.md").write_text("# Two\n")
    document = load(
        tmp_path / "one" / "a.md", tmp_path / "two" / "a.md", tmp_path / "one" / "deep", tmp_path / "one" / "table.csv"
    )
    assert document.files.keys() == [
        "one/a.md",
        "two/a.md",
        "deep/note.txt",
        "deep/ragged.csv",
        "deep/build/in.txt",
        "table.csv",
    ]
    assert document.name == "4 documents"
    assert document.at(document.index("Two")) == "two/a.md, line 1, § Two"
    assert all(note.startswith("deep: ") for note in document.notes)
    with pytest.raises(ContextError, match=r"nope\.txt is not there"):
        load(tmp_path / "one" / "a.md", tmp_path / "nope.txt")
    with pytest.raises(ContextError, match=r"logo\.png is no text"):
        load(tmp_path / "one" / "a.md", tmp_path / "one" / "deep" / "logo.png")


def test_files_of_one_name_in_a_zip_are_told(tmp_path):
    content = make_zip({"a.txt": "first", "b.txt": "second"}).replace(b"b.txt", b"a.txt")
    (tmp_path / "twice.zip").write_bytes(content)
    document = load(tmp_path / "twice.zip")
    assert (document.files.keys(), document.files[0]) == (["a.txt"], "second")
    assert document.notes == ("a.txt, all but the last of 2 left out: they have the same name.",)


def test_zips(tmp_path):
    rows = '<row><c r="A1"><v>1</v></c></row>'
    content = make_zip(
        {**FILES, "__MACOSX/x.txt": b"x", "book.xlsx": make_xlsx({"One": rows, "Two": rows}), "folder/": b""}
    )
    path = tmp_path / "pack.zip"
    path.write_bytes(content)
    document = load(path)
    assert {"a.md", "deep/note.txt", "book.xlsx/One", "book.xlsx/Two"} <= set(document.files.keys())
    assert not {"__MACOSX/x.txt", ".env", ".hidden/x.txt", "inner.zip"} & set(document.files.keys())
    assert document.at(document.index("words")) == "pack.zip, a.md, line 3, § Top"
    assert document.files["book.xlsx/Two"].rows == []
    assert any(note.startswith("inner.zip left out: it is an archive") for note in document.notes)
    assert document.files["report.pdf"].pages == ["First", "Second", ""]


@pytest.mark.parametrize(
    ("line", "inside", "outside"),
    [
        ("*.log", ["a.log", "x/b.log"], ["a.log.txt"]),
        ("/top.txt", ["top.txt"], ["x/top.txt"]),
        ("a/b", ["a/b"], ["x/a/b"]),
        ("**/b", ["b", "x/y/b"], ["ab"]),
        ("a/**", ["a/x", "a/x/y"], ["a"]),
        ("a/**/b", ["a/b", "a/x/y/b"], ["a/bb"]),
        ("x?[!a-c].t", ["xyd.t"], ["xya.t", "x/d.t"]),
        (r"\#a", ["#a"], ["a"]),
        (r"\!a", ["!a"], ["a"]),
        (r"a\*", ["a*"], ["ab"]),
        ("trailing  ", ["trailing"], []),
    ],
)
def test_lines_of_ignore_files(line, inside, outside):
    rule = parse(line)
    assert [path for path in inside + outside if passed_over([("", [rule])], path, folder=False)] == inside


def test_ignore_files_that_say_nothing_or_take_back():
    assert [parse(line) for line in ("", "  ", "# x", "/", "!")] == [None] * 5
    rules = [("", [parse("*.txt"), parse("!keep.txt"), parse("only/")])]
    assert passed_over(rules, "a.txt", folder=False)
    assert not passed_over(rules, "keep.txt", folder=False)
    assert passed_over(rules, "only", folder=True)
    assert not passed_over(rules, "only", folder=False)


PACKAGE = """
from rlm_kernel import Document
def load(source):
    if source.content == b"bad":
        raise ZeroDivisionError("oops")
    if source.content == b"none":
        return source.content.decode()
    source.progress.at("reading")
    return Document(source.text().upper(), source.path, "SHOUT", sections=[(0, 1, "All")])
"""


def test_loaders_of_other_packages(tmp_path, monkeypatch):
    info = tmp_path / "shout-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: shout\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[rlm_kernel.loaders]\nshout,yell = shout_loader:load\n")
    (tmp_path / "shout_loader.py").write_text(PACKAGE)
    monkeypatch.syspath_prepend(str(tmp_path))
    registry.installed.cache_clear()
    try:
        (tmp_path / "a.yell").write_text("hello")
        document = load(tmp_path / "a.yell")
        assert (document, document.kind, document.at(2)) == ("HELLO", "SHOUT", "a.yell, § All")
        (tmp_path / "b.shout").write_text("bad")
        with pytest.raises(
            ContextError,
            match=r"b\.shout cannot be loaded: .*shout_loader:load of shout failed: ZeroDivisionError: oops",
        ):
            load(tmp_path / "b.shout")
        (tmp_path / "b.shout").write_text("none")
        with pytest.raises(ContextError, match=r"gave a str, no Document"):
            load(tmp_path / "b.shout")
        assert load(tmp_path / "b.shout", kind="text") == "none"
    finally:
        registry.installed.cache_clear()
        sys.modules.pop("shout_loader", None)


def test_progress_is_told_after_a_second_only(tmp_path, monkeypatch):
    told: list[str] = []
    fill(tmp_path)
    load(tmp_path, tell=told.append)
    assert told == []
    clock = iter(range(10_000))
    monkeypatch.setattr("time.monotonic", lambda: float(next(clock)))
    load(tmp_path, tell=told.append)
    assert any(line.startswith("report.pdf: page ") for line in told)
    assert any(line.startswith("deep/note.txt: file ") for line in told)


def cases(folder):
    yield load(fill(folder / "all"))
    columns = ",".join(f"a rather long name of a column, number {n}".replace(",", "") for n in range(500))
    yield Document(columns + "\n" + "1," * 499 + "1\n", "/data/wide.csv", "CSV")
    title = "A section whose title goes on and on and would fill a page if nobody cut it " * 3
    starts = range(0, 900_000, 1000)
    yield Document(
        "word " * 200_000,
        "/data/report.pdf",
        "PDF",
        page_starts=starts,
        sections=[(n, 1 + n % 3, title) for n in starts],
    )
    yield load(*(folder / "all" / name for name in NAMES if "ragged" not in name))


def test_what_is_told_of_a_document_is_short(tmp_path):
    for document in cases(tmp_path):
        told = describe(document)
        assert text_estimate(told["structure"]) <= 600, document.summary()
        assert len(describe_context(told)) / 4 <= 600, "at the four characters a token that prose has"
    for name in ("fhs-3.0.pdf", "fhs-3.0.html", "genesis_exodus_kjv.docx", "airports.csv"):
        told = describe(load(real(f"loaders/{name}")))
        assert len(describe_context(told)) / 4 <= 600


def test_what_is_named_twice_is_loaded_once_and_noted(tmp_path, monkeypatch):
    fill(tmp_path)
    monkeypatch.chdir(tmp_path)
    twice = load("a.md", "table.csv", tmp_path / "a.md", "deep/../table.csv")
    assert twice.files.keys() == ["a.md", "table.csv"]
    assert twice.name == "2 documents"
    assert twice.notes == (
        f"{tmp_path / 'a.md'} named twice, loaded once.",
        "deep/../table.csv named twice, loaded once.",
    )
    one = load("a.md", "./a.md")
    assert (one.files.keys(), one.name, one.notes) == (["a.md"], "a.md", ("./a.md named twice, loaded once.",))

    behind = load("deep", "deep/note.txt", "deep/*.csv")
    assert behind.files.keys() == ["deep/note.txt", "deep/ragged.csv", "deep/build/in.txt"]
    assert behind.notes[:2] == ("deep/note.txt named twice, loaded once.", "deep/*.csv named twice, loaded once.")
    before = load("deep/note.txt", "deep")
    assert before.files.keys() == ["note.txt", "deep/ragged.csv", "deep/build/in.txt"]
    assert "deep: note.txt named twice, loaded once." in before.notes
    (tmp_path / "mixed").mkdir()
    (tmp_path / "mixed" / "a.txt").write_text("a")
    (tmp_path / "mixed" / "logo.png").write_bytes(FILES["deep/logo.png"])
    mixed = load("mixed/a.txt", "mixed")
    assert mixed.files.keys() == ["a.txt"]
    assert mixed.notes[0] == "mixed: a.txt named twice, loaded once."
    assert mixed.notes[1].startswith("mixed: logo.png left out: ")
    with pytest.raises(ContextError, match=r"logo\.png is no text"):
        load("deep", "deep/logo.png")
