"""What is read from each format, and where it stands."""

from __future__ import annotations

import importlib.util
import pickle
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from rlm_kernel.contexts.load import load
from rlm_kernel.contexts.loaders.hyphens import join_divided
from rlm_kernel.errors import ContextError
from tests.unit.documents import make_docx, make_epub, make_odf, make_pdf, make_xlsx, make_zip
from tests.unit.test_load import real, words, write

if TYPE_CHECKING:
    from collections import Counter


def para(text: str, properties: str = "") -> str:
    return f"<w:p><w:pPr>{properties}</w:pPr><w:r><w:t>{text}</w:t></w:r></w:p>"


def test_word(tmp_path):
    styles = (
        '<w:style w:styleId="H1"><w:name w:val="heading 1"/></w:style>'
        '<w:style w:styleId="Own"><w:name w:val="Mine"/><w:basedOn w:val="H1"/></w:style>'
        '<w:style w:styleId="Title"><w:name w:val="Title"/></w:style>'
    )
    cell = "<w:tc>{}</w:tc>".format
    body = "".join(
        [
            para("A &lt;Title&gt;", '<w:pStyle w:val="Title"/>'),
            para("One", '<w:pStyle w:val="Own"/>'),
            "<w:p><w:r><w:t>Some </w:t><w:tab/></w:r><w:del><w:r><w:delText>gone</w:delText></w:r></w:del>"
            "<w:ins><w:r><w:t>new</w:t></w:r></w:ins><w:hyperlink><w:r><w:t> link</w:t></w:r></w:hyperlink>"
            '<w:r><w:footnoteReference w:id="2"/></w:r><w:r><w:br/><w:t>line</w:t></w:r></w:p>',
            para("first", '<w:numPr><w:ilvl w:val="0"/><w:numId w:val="1"/></w:numPr>'),
            para("second", '<w:numPr><w:ilvl w:val="1"/><w:numId w:val="1"/></w:numPr>'),
            "<w:tbl><w:tr>" + cell(para("a")) + cell(para("b") + para("c")) + "</w:tr>",
            "<w:tr>" + cell(para("1")) + cell("") + "</w:tr></w:tbl>",
            "<w:sdt><w:sdtContent>" + para("Deep", '<w:outlineLvl w:val="1"/>') + "</w:sdtContent></w:sdt>",
            para(""),
            "<w:p><w:r><mc:AlternateContent xmlns:mc='mc'><mc:Choice><w:txbxContent>" + para("In a box")
            + "</w:txbxContent></mc:Choice><mc:Fallback><w:txbxContent>" + para("In a box")
            + "</w:txbxContent></mc:Fallback></mc:AlternateContent></w:r></w:p>",
        ]
    )  # fmt: skip
    notes = f'<w:footnote w:id="2">{para("A note.")}</w:footnote>'
    document = load(write(tmp_path, "a.docx", make_docx(body, styles=styles, footnotes=notes)))
    assert document == (
        "# A <Title>\n\n# One\n\nSome \tnew link[^1]\nline\n\n- first\n  - second\n\na | b c\n1 | \n\n"
        "## Deep\n\nIn a box\n\n[^1]: A note."
    )
    assert [(s.title, s.level) for s in document.sections] == [("A <Title>", 1), ("One", 1), ("Deep", 2)]
    assert document.sections[1].text.endswith("A note.")
    assert document.at(document.index("box")) == "a.docx, § Deep"
    assert load(write(tmp_path, "download", make_docx(body))).kind == "DOCX", "known by what is in it"


def test_opendocument_text(tmp_path):
    body = (
        '<text:tracked-changes><text:p>gone</text:p></text:tracked-changes><text:h text:outline-level="2">Head</text:h>'
        '<text:p>A<text:s text:c="3"/>b<text:tab/><text:span>c</text:span>'
        "<text:note><text:note-citation>1</text:note-citation><text:note-body><text:p>A <text:span>note</text:span>."
        "</text:p></text:note-body></text:note> d<text:line-break/>e</text:p>"
        "<text:list><text:list-item><text:p>one</text:p><text:list><text:list-item><text:p>two</text:p>"
        "</text:list-item></text:list></text:list-item></text:list>"
        "<table:table><table:table-header-rows><table:table-row><table:table-cell><text:p>x</text:p></table:table-cell>"
        "<table:table-cell><text:p><text:span>y</text:span></text:p></table:table-cell></table:table-row>"
        "</table:table-header-rows></table:table>"
    )
    document = load(write(tmp_path, "a.odt", make_odf("text", body)))
    assert document == "## Head\n\nA   b\tc[^1] d\ne\n\n- one\n  - two\n\nx | y\n\n[^1]: A note."
    assert document.at(8) == "a.odt, § Head"
    locked = make_odf("text", body, **{"META-INF/manifest.xml": "<m><encryption-data/></m>"})
    with pytest.raises(ContextError, match=r"a\.odt is encrypted"):
        load(write(tmp_path, "a.odt", locked))


def test_spreadsheets_have_a_file_for_each_sheet(tmp_path):
    rows = (
        '<row r="2"><c r="A2" t="s"><v>0</v></c><c r="B2" t="inlineStr"><is><t>when, "exactly"</t></is></c>'
        '<c r="D2"><v>7</v></c></row>'
        '<row r="4"><c r="A4" t="b"><v>1</v></c><c r="B4" s="1"><v>45000.75</v></c>'
        '<c r="C4" t="str"><f>A</f><v>x</v></c></row>'
        '<row r="5"><c r="B5" s="2"><v>45000</v></c><c r="C5"><v>3.5</v></c></row>'
    )
    styles = (
        '<numFmts><numFmt numFmtId="164" formatCode="yyyy&quot;h&quot;"/>'
        '<numFmt numFmtId="165" formatCode="0.0 &quot;days&quot;"/></numFmts>'
        '<cellXfs><xf numFmtId="0"/><xf numFmtId="22"/><xf numFmtId="164"/><xf numFmtId="165"/></cellXfs>'
    )
    strings = "<si><r><t>na</t></r><r><t>me</t></r><rPh><t>sound</t></rPh></si>"
    content = make_xlsx({"Sales": rows, "Empty": "", "More": rows}, strings=strings, styles=styles)
    document = load(write(tmp_path, "a.xlsx", content))
    assert document.files.keys() == ["Sales", "More"]
    assert document.notes == ("Empty sheets left out: Empty.",)
    sales = document.files["Sales"]
    assert sales == 'name,"when, ""exactly""",,7\n,,,\nTRUE,2023-03-15 18:00:00,x,\n,2023-03-15,3.5,\n'
    assert sales.rows[1] == {"name": "TRUE", 'when, "exactly"': "2023-03-15 18:00:00", "": "x", "7": ""}
    assert document.at(document.index("3.5")) == "a.xlsx, Sales, line 4"
    with pytest.raises(AttributeError, match=r"has no rows; .*its tables are in \.files"):
        _ = document.rows
    assert load(write(tmp_path, "b.xlsx", make_xlsx({"One": rows}, strings=strings))).rows[1]["name"] == "TRUE"


@pytest.mark.parametrize(
    ("code", "shown"),
    [
        (r"_-* #,##0\ _D_M_-", "1234"),
        (r"#,##0\ _d_h_-", "1234"),
        ("#,##0_s", "1234"),
        ("0*d", "1234"),
        ("[$kr. h-406]0", "1234"),
        ("[$-409]yyyy_)", "1903-05-18"),
        ("_-[h]_m", "29616:00:00"),
    ],
)
def test_letters_that_only_stand_in_a_number_format_make_no_date(tmp_path, code, shown):
    styles = f'<numFmts><numFmt numFmtId="164" formatCode="{code}"/></numFmts><cellXfs><xf numFmtId="164"/></cellXfs>'
    rows = '<row><c s="0"><v>1234</v></c></row>'
    assert load(write(tmp_path, "a.xlsx", make_xlsx({"One": rows}, styles=styles))).files[0] == f"{shown}\n"


def test_opendocument_spreadsheet(tmp_path):
    cell = '<table:table-cell office:value-type="{}" {}><text:p>{}</text:p></table:table-cell>'.format
    row = "<table:table-row{}>{}</table:table-row>".format
    empty = '<table:table-cell table:number-columns-repeated="16000"/>'
    body = "<table:table table:name='One'>{}</table:table>".format(
        row("", cell("string", "", "n") + cell("string", "", "d") + empty)
        + row(
            "",
            cell("float", 'office:value="1234.5"', "1.234,50 €") + cell("date", 'office:date-value="2020-02-01"', "x"),
        )
        + row(' table:number-rows-repeated="2"', cell("string", 'table:number-columns-repeated="2"', "same"))
        + row(' table:number-rows-repeated="1000000"', empty)
    )
    document = load(write(tmp_path, "a.ods", make_odf("spreadsheet", body)))
    assert document.files[0] == "n,d\n1234.5,2020-02-01\nsame,same\nsame,same\n"
    assert document.rows[0] == {"n": "1234.5", "d": "2020-02-01"}


def test_a_stray_cell_far_away_costs_nothing(tmp_path):
    table = '<row r="1"><c r="A1"><v>1</v></c></row><row r="4"><c r="C4"><v>2</v></c></row>'
    stray = table + '<row r="1048576"><c r="XFD1048576"><v>3</v></c></row>'
    document = load(write(tmp_path, "a.xlsx", make_xlsx({"One": stray, "Two": table})))
    assert document.files["One"] == "1,,,\n,,,\n,,,\n,,2,\n,,,3\n"
    assert document.files["Two"] == "1,,\n,,\n,,\n,,2\n", "a few empty rows are as they were"
    assert document.notes == (
        "One: 1,048,571 empty rows (5 to 1,048,575), 16,380 empty columns (D to XFC) left out; "
        "the numbers of what follows are smaller here than there.",
    )
    row = "<table:table-row>{}<table:table-cell><text:p>{}</text:p></table:table-cell></table:table-row>".format
    empty = "<table:table-cell table:number-columns-repeated='16383'/>"
    gap = '<table:table-row table:number-rows-repeated="1048574"><table:table-cell/></table:table-row>'
    rows = row("", "a") + gap + row(empty, "z")
    body = f"<table:table table:name='One'>{rows}</table:table>"
    document = load(write(tmp_path, "a.ods", make_odf("spreadsheet", body)))
    assert document.files[0] == "a,\n,z\n"
    assert "1,048,574 empty rows (2 to 1,048,575), 16,382 empty columns (B to XFC)" in document.notes[0]


def test_cells_along_a_diagonal_are_no_table(tmp_path):
    columns = [chr(65 + n // 676) + chr(65 + n // 26 % 26) + chr(65 + n % 26) for n in range(5000)]
    rows = "".join(f'<row><c r="{column}{n}"><v>1</v></c></row>' for n, column in enumerate(columns, 1))
    with pytest.raises(ContextError, match=r"a\.xlsx is nearly empty: 5,000 filled cells of One would make 25,000,000"):
        load(write(tmp_path, "a.xlsx", make_xlsx({"One": rows})))


def test_durations_are_no_dates_and_formulas_without_values_are_told(tmp_path):
    styles = (
        '<numFmts><numFmt numFmtId="164" formatCode="[hh]:mm:ss"/><numFmt numFmtId="165" formatCode="[Red]h:mm"/>'
        '</numFmts><cellXfs><xf numFmtId="164"/><xf numFmtId="46"/><xf numFmtId="165"/></cellXfs>'
    )
    rows = (
        '<row><c s="0"><v>1.25</v></c><c s="1"><v>-0.0625</v></c><c s="2"><v>0.5</v></c>'
        '<c><f>A1*2</f><v></v></c><c t="str"><f>""</f><v></v></c><c><f>1</f><v>1</v></c></row>'
    )
    document = load(write(tmp_path, "a.xlsx", make_xlsx({"One": rows}, styles=styles)))
    assert document.files[0] == "30:00:00,-01:30:00,12:00:00,,,1\n"
    assert [note[:46] for note in document.notes] == ["1 formula without a stored value left empty: o"]
    with pytest.raises(ContextError, match=r"its sheets are empty\. 1 formula without a stored value"):
        load(write(tmp_path, "b.xlsx", make_xlsx({"One": "<row><c><f>1</f></c></row>"})))


def test_books(tmp_path):
    point = '<navPoint><navLabel><text>{}</text></navLabel><content src="{}"/></navPoint>'.format
    chapters = {
        "one%20x.xhtml": "<html><head><title>no</title></head><body><h1>One</h1><p>First.</p></body></html>",
        "two.xhtml": "<html><body><p>Second.</p></body></html>",
    }
    stored = {name.replace("%20", " "): text for name, text in chapters.items()}
    content = make_epub(
        chapters, contents=point("Chapter two", "two.xhtml#start"), more={f"OPS/{n}": t for n, t in stored.items()}
    )
    document = load(write(tmp_path, "a.epub", content))
    assert document == "# One\n\nFirst.\n\nSecond."
    assert [(s.title, s.start) for s in document.sections] == [("One", 0), ("Chapter two", 15)]
    assert document.at(20) == "a.epub, § Chapter two"
    lock = '<encryption><CipherReference URI="OPS/two.xhtml"/></encryption>'
    with pytest.raises(ContextError, match="is protected against copying"):
        load(write(tmp_path, "b.epub", make_epub(stored, more={"META-INF/encryption.xml": lock})))


def test_slides_are_pages(tmp_path):
    a = 'xmlns:a="a" xmlns:p="p" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"'
    slide = (
        '<p:sld {a}><p:sp><p:nvPr><p:ph type="title"/></p:nvPr><a:p><a:r><a:t>{t}</a:t></a:r></a:p></p:sp>'
        "<p:sp><a:p><a:r><a:t>point</a:t></a:r><a:br/><a:r><a:t>more</a:t></a:r></a:p></p:sp></p:sld>"
    )
    files = {
        "ppt/presentation.xml": f'<x {a}><p:sldId id="256" r:id="r2"/><p:sldId id="257" r:id="r1"/></x>',
        "ppt/_rels/presentation.xml.rels": (
            '<R><X Id="r1" Target="slides/slide1.xml"/><X Id="r2" Target="slides/slide2.xml"/></R>'
        ),
        "ppt/slides/slide1.xml": slide.format(a=a, t="Last"),
        "ppt/slides/slide2.xml": slide.format(a=a, t="First"),
    }
    document = load(write(tmp_path, "a.pptx", make_zip(files)))
    assert document.pages == ["First\npoint\nmore", "Last\npoint\nmore"]
    assert document.at(document.index("Last")) == "a.pptx, p. 2, § Last"


MAIL = b"\r\n".join(
    [
        b"From: Ann <a@b.c>\r\nTo: d@e.f\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=",
        b"Date: Mon, 1 Jan 2024 10:00:00 +0000\r\nX-Other: no\r\nMIME-Version: 1.0",
        b"Content-Type: multipart/mixed; boundary=X\r\n",
        b"--X\r\nContent-Type: text/html; charset=latin-1\r\n\r\n<p>Sch\xf6n <b>hier</b></p>",
        b'--X\r\nContent-Type: image/png\r\nContent-Disposition: attachment; filename="p.png"',
        b"Content-Transfer-Encoding: base64\r\n\r\nAAAA\r\n--X--\r\n",
    ]
)


def test_mail(tmp_path):
    document = load(write(tmp_path, "a.eml", MAIL))
    assert document == (
        "From: Ann <a@b.c>\nTo: d@e.f\nDate: Mon, 01 Jan 2024 10:00:00 +0000\nSubject: Grüße\n\nSchön hier\n\n"
        "[attachment: p.png, image/png, 3 bytes]"
    )
    assert document.at(90) == "a.eml, § Grüße"
    box = b"".join(
        b"From a@b.c Mon Jan  1 10:00:00 2024\nFrom: a@b.c\nSubject: No %d\n\n"
        b"Body %d\n>From here\nFrom there it went on\n\n" % (n, n)
        for n in range(3)
    )
    document = load(write(tmp_path, "a.mbox", box))
    assert [section.title for section in document.sections] == ["No 0", "No 1", "No 2"]
    assert "\nFrom here\nFrom there it went on" in document.sections[1].text
    assert document.at(document.index("Body 2")) == "a.mbox, § No 2"
    assert document.outline.startswith("3 messages")
    assert load(write(tmp_path, "Inbox", box)).kind == "mail"


@pytest.mark.parametrize("declared", ["", "; charset=no-such-8", "; charset=us-ascii", "; charset=utf-8"])
def test_mail_in_an_encoding_that_it_does_not_tell(tmp_path, declared):
    content = "From: a@b.c\nSubject: {0} =?no-such?Q?=E9?=\nContent-Type: text/plain{1}\n\n{0}\n".format
    path = write(tmp_path, "a.eml", content("Thé", declared).encode("cp1252"))
    document = load(path)
    assert document == "From: a@b.c\nSubject: Thé é\n\nThé"
    assert document.notes[0].startswith("1 message in an encoding that is not declared, or declared wrongly: read as")
    assert load(tmp_path).notes == (f"a.eml: {document.notes[0]}",)
    other = load(path, encoding="cp1251")
    assert (other, other.notes) == ("From: a@b.c\nSubject: Thй й\n\nThй", ())
    plain = load(write(tmp_path, "b.eml", content("Thé", declared).replace("=?no-such?Q?=E9?=", "x")))
    assert (plain, plain.notes) == ("From: a@b.c\nSubject: Thé x\n\nThé", ())
    with pytest.raises(ContextError, match=r"a\.eml is not utf-8"):
        load(path, encoding="utf-8")


def test_markdown_has_sections_and_lines(tmp_path):
    text = "intro\n# One\ntext\n```\n# no heading\n```\n## Two\nmore\n# Three\nend\n"
    document = load(write(tmp_path, "a.md", text))
    assert [(s.title, s.level, s.text) for s in document.sections] == [
        ("One", 1, text[6 : text.index("# Three")]),
        ("Two", 2, "## Two\nmore\n"),
        ("Three", 1, "# Three\nend\n"),
    ]
    assert document.at(0) == "a.md, line 1"
    assert document.at(document.index("more")) == "a.md, line 8, § Two"
    section = document.sections[1]
    assert (str(section), len(section), "more" in section, section[:6]) == ("## Two\nmore\n", 12, True, "## Two")
    again = pickle.loads(pickle.dumps(section))
    assert (again, again.text, len(pickle.dumps(section)) < 300) == (section, section.text, True)
    assert repr(document.sections[:2]).startswith("[<'One' 6–")


@pytest.mark.parametrize(
    ("text", "titles"),
    [
        ("Title\n=====\n\ntext\n\nSub\n---\n\nmore\n\n# Next\nQA\n==\n", ["Title", "Sub", "Next", "QA"]),
        ("Title\n===  \nSub title\n---", ["Title", "Sub title"]),
        ("---\ntitle: x\n# comment\n---\n# Real\n", ["Real"]),
        ("---\ntitle: x\n---\nReal\n---\n", ["Real"]),
        ("---\n\n# Behind a rule\n\n---\n\n# Other\n", ["Behind a rule", "Other"]),
        ("---\n# Not closed: no front matter\n", ["Not closed: no front matter"]),
        ("# A\n<!--\n# hidden\n```\n-->\n# B\n", ["A", "B"]),
        ("```\n<!--\n```\n# A\n<!-- not closed\n# B\n", ["A", "B"]),
        ("```\ncode\n---\n\nTitle\n===\n```\n", []),
        ("a | b\n---|---\n1 | 2\n\na | b\n-----\n\n| c |\n|---|\n\none\n--- ---\n", []),
        ("text\n\n---\n\n***\n---\n\ntwo lines\nof text\n---\n\n===\n---\n", []),
        ("- item\n---\n\n1. item\n---\n\n- item\n\n  more\n---\n\n> quote\n===\n\n    code\n---\n", []),
        ("x" * 300 + "\n===\n", []),
        ("# A\n\n---\nlayout: wide\n---\n\nB\n---\n", ["A", "B"]),
        ("# A\n```inline``` starts a paragraph\n# B\n```\n# code\n```\n# C\n", ["A", "B", "C"]),
        ("# A\n````md\n```\n# code\n````\n# B\n~~~sh\n# code\n```\n# code\n~~~\n# C\n", ["A", "B", "C"]),
        ("- ```sh\n# code\n  ``` no end\n# code\n  ```  \n# A\nx ```\n# B\n", ["A", "B"]),
        ("x" * 300 + "```\n# A\n```\n# code\n- ```\n# code\n", ["A"]),
    ],
)
def test_headings_of_markdown(tmp_path, text, titles):
    document = load(write(tmp_path, "a.md", text))
    assert [section.title for section in document.sections] == titles
    assert all(section.text.lstrip("# ").startswith(section.title) for section in document.sections)


def test_json_lines_and_tables_have_rows(tmp_path):
    document = load(write(tmp_path, "a.jsonl", '{"a": 1}\n\n[2]\n'))
    assert (document.rows, document.row_starts) == ([{"a": 1}, [2]], (0, 10))
    document = load(write(tmp_path, "a.csv", 'a,b\n1,"x\ny"\n2,z\n'))
    assert document.row_starts == (4, 12)
    assert document.at(12) == "a.csv, line 4"
    text = 'id;text\n1;5" pipe\n2;6" pipe\n\n3;x "y"\n4;"a ""b""\n"\n5;z\n'
    document = load(write(tmp_path, "b.csv", text))
    assert [text[start] for start in document.row_starts] == [row["id"] for row in document.rows] == list("12345")


def test_columns_of_one_name_are_all_in_the_rows(tmp_path):
    document = load(write(tmp_path, "a.csv", "a,a,b,,,a_2,\n1,2,3,4,5,6,7\n"))
    names = ["a", "a_3", "b", "", "column 5", "a_2", "column 7"]
    assert [list(row.items()) for row in document.rows] == [list(zip(names, "1234567", strict=True))]
    assert document.notes == ("Columns with the name of another before them are called 'a_3' in .rows.",)
    rows = "<row><c><v>7</v></c><c><v>7</v></c></row><row><c><v>1</v></c><c><v>2</v></c></row>"
    document = load(write(tmp_path, "a.xlsx", make_xlsx({"One": rows})))
    assert document.rows == [{"7": "1", "7_2": "2"}]
    assert document.notes[0].startswith("One: Columns with the name of another before them are called '7_2'")


@pytest.mark.parametrize("first", ["sep=;\n", "SEP=;;\n", '"sep=;"\n'])
def test_a_line_that_names_the_delimiter_is_no_row(tmp_path, first):
    text = first + "na,me;age\nAnna;3\n"
    document = load(write(tmp_path, "a.csv", text))
    assert document == text
    assert (document.delimiter, document.rows) == (";", [{"na,me": "Anna", "age": "3"}])
    assert document.row_starts == (text.index("Anna"),)
    with pytest.raises(ContextError, match="line 4 has 1 field"):
        load(write(tmp_path, "a.csv", text + "Bob\n"))


def test_bookmarks_are_found_on_their_page(tmp_path):
    content = make_pdf(
        "Intro\nCosts and more", "1.2 Costs\nall about it\nGains", bookmarks=(("Costs", 1), ("Gains", 1), ("None", 1))
    )
    document = load(write(tmp_path, "a.pdf", content))
    second = document.page_starts[1]
    assert [(s.title, s.start - second) for s in document.sections] == [("Costs", 0), ("Gains", 23), ("None", 28)]
    assert document.at(document.index("about")) == "a.pdf, p. 2, § Costs"
    assert document.at(2) == "a.pdf, p. 1"


def test_words_that_a_line_divides():
    pages = [
        "The con\ufffegregation of run\ufffetime files is post\u2010\nprocessed.",
        "A right\ufffe\nhand side; inter-\nrelated and 3-\n4, non\ufffe",
        "run-time, textbook, text\ufffebook, right hand, post processed, related \u2010 x; soft\u00adly",
    ]
    assert join_divided(pages) == [
        "The congregation of run-time files is post-processed.",
        "A right-hand side; interrelated and 3-\n4, non-",
        "run-time, textbook, textbook, right hand, post processed, related \u2010 x; softly",
    ]
    assert join_divided(["plain"]) == ["plain"]


def test_formats_of_the_extra_say_its_name_where_it_is_not_there(tmp_path):
    rtf = write(tmp_path, "a.rtf", r"{\rtf1\ansi Hello \b bold\b0  world\par}")
    if importlib.util.find_spec("kreuzberg") is None:
        with pytest.raises(ContextError, match=r'a\.rtf needs the extra .*pip install "rlm-kernel\[docs\]"'):
            load(rtf)
    else:
        assert "Hello bold world" in " ".join(load(rtf).split())
        with pytest.raises(ContextError, match=r"b\.doc cannot be read: "):
            load(write(tmp_path, "b.doc", b"no word document"))


def test_real_word_document_and_its_other_forms():
    docx, page, pdf = (load(real(f"loaders/genesis_exodus_kjv.{kind}")) for kind in ("docx", "html", "pdf"))
    assert [s.title for s in docx.sections][2:5] == ["Genesis", "Chapter 1", "Chapter 2"]
    assert sum(s.level == 2 for s in docx.sections) == 90
    verse = "In the beginning God created the heaven and the earth."
    assert docx.at(docx.index(verse)) == "genesis_exodus_kjv.docx, § Chapter 1"
    assert page.at(page.index(verse)) == "genesis_exodus_kjv.html, § Chapter 1"
    assert pdf.at(pdf.index("In the beginning God")) == "genesis_exodus_kjv.pdf, p. 1, § Chapter 1"
    assert {s.title for s in pdf.sections} >= {"Genesis", "Exodus", "Chapter 50"}
    assert share(words(docx), words(page)) > 0.998
    assert share(words(docx), words(pdf)) > 0.99


def share(found: Counter[str], of: Counter[str]) -> float:
    return (found & of).total() / of.total()


def test_the_same_standard_as_pdf_and_as_html():
    pdf, page = load(real("loaders/fhs-3.0.pdf")), load(real("loaders/fhs-3.0.html"))
    assert pdf.page_count == 50
    assert share(words(page), words(pdf)) > 0.98, "the PDF has page headers as well"
    assert share(words(pdf), words(page)) > 0.94, "the page has longer tables of contents"
    titles = [section.title for section in page.sections]
    assert "3.4. /bin : Essential user command binaries (for use by all users)" in titles
    found = sum(" ".join(title.split()) in " ".join(pdf.split()) for title in titles)
    assert found > 0.9 * len(titles)


@pytest.mark.parametrize("name", ["loaders/fhs-3.0.pdf", "loaders/genesis_exodus_kjv.pdf"])
def test_pages_and_words_are_those_of_poppler(name):
    if shutil.which("pdftotext") is None:
        pytest.skip("poppler's pdftotext is not installed")
    path = real(name)
    done = subprocess.run(["pdftotext", "-enc", "UTF-8", path, "-"], capture_output=True, check=True)
    theirs, ours = done.stdout.decode().split("\f")[:-1], load(path)
    assert ours.page_count == len(theirs)
    # Poppler joins divided words too, but not where the hyphen is the typographic one.
    theirs = [page.replace("\u2010\n", "") for page in theirs]
    assert share(words(ours), words("".join(theirs))) > 0.99
    for page, other in zip(ours.pages, theirs, strict=True):
        assert share(words(page), words(other)) > 0.95
