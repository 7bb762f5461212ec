"""The sections of PDFs without bookmarks, told by their letters."""

from __future__ import annotations

import pytest

from rlm_kernel.contexts.describe import describe
from rlm_kernel.contexts.load import load
from tests.unit.documents import make_pdf
from tests.unit.test_load import real, write

BODY = "\n".join(f"Line {n} of what this part has to say about its subject" for n in range(12))
LARGE = {"Of Ships": ("F1", 20), "Sails": ("F1", 16), "which are large, and": ("F1", 16), "of Ropes": ("F1", 16)}


def titles(path):
    return [(section.title, section.level) for section in load(path).sections]


def test_larger_letters_make_sections(tmp_path):
    pages = (f"Of Ships\nSails\n{BODY}\nwhich are large, and\nof Ropes\n{BODY}", f"Sails\n{BODY}")
    path = write(tmp_path, "a.pdf", make_pdf(*pages, fonts=LARGE))
    assert titles(path) == [("Of Ships", 1), ("Sails", 2), ("which are large, and of Ropes", 2), ("Sails", 2)]
    document = load(path)
    assert [document[s.start :].startswith(s.title[:5]) for s in document.sections] == [True] * 4
    assert document.at(len(document) - 1) == "a.pdf, p. 2, § Sails"
    structure = describe(document)["structure"]
    assert structure.startswith("It has no bookmarks: its sections are told by the size of their titles' letters\n")
    assert "4 sections: Of Ships (p. 1); Sails (p. 1); " in structure


def test_bold_lines_with_a_number_make_sections(tmp_path):
    fonts = dict.fromkeys(("1. Sails", "1.1 Their cloth", "A bold remark", "2. Ropes"), ("F2", 12))
    text = f"1. Sails\n{BODY}\n1.1 Their cloth\nA bold remark\n2. Ropes\n{BODY}"
    path = write(tmp_path, "a.pdf", make_pdf(text, fonts=fonts))
    assert [title for title, _ in titles(path)] == ["1. Sails", "1.1 Their cloth", "2. Ropes"]


def test_a_number_of_the_page_above_a_title_is_not_of_it(tmp_path):
    path = write(tmp_path, "a.pdf", make_pdf(f"7\nSails\n{BODY}", fonts=LARGE))
    assert [section.start for section in load(path).sections] == [2]


@pytest.mark.parametrize(
    "pages",
    [
        (BODY,),
        tuple(f"Of Ships\n{BODY}\n{n}" for n in range(3)),  # at the same height of each page: a running head
        (f"Sails . . . . . . 3\nOf Ships....12\n{BODY}",),
        ("Of Ships\nSails\nwhich are large, and\nof Ropes\nand small words with the most letters",),  # a slide
        (f"A {BODY}\n17",),
        ("", f"1\n{BODY}"),
    ],
)
def test_what_makes_no_section(pages, tmp_path):
    large = dict.fromkeys(("Sails . . . . . . 3", "Of Ships....12", "17", "1"), ("F1", 18))
    path = write(tmp_path, "a.pdf", make_pdf(*pages, fonts=LARGE | large))
    assert titles(path) == []
    assert "no titles in larger letters, so its sections are not known" in describe(load(path))["structure"]


def test_letters_beyond_the_first_plane_shift_nothing(tmp_path):
    from matplotlib.figure import Figure

    figure, lines = (
        Figure(figsize=(8, 8)),
        ["Title \U0001d538\U0001d539", *BODY.split("\n"), "Another", *BODY.split("\n")],
    )
    for number, line in enumerate(lines):
        size = 20 if line in ("Another", lines[0]) else 10
        figure.text(0.05, 0.95 - 0.03 * number, line.replace("what", "\U0001d538"), size=size)
    figure.savefig(tmp_path / "a.pdf")
    assert [title for title, _ in titles(tmp_path / "a.pdf")] == [lines[0], "Another"]


def test_the_sections_of_a_standard_are_those_of_its_page():
    pdf, page = load(real("loaders/fhs-3.0.pdf")), load(real("loaders/fhs-3.0.html"))
    found, wanted = ([" ".join(s.title.split()) for s in each.sections] for each in (pdf, page))
    twice = "Filesystem Hierarchy Standard", "Table of Contents"
    assert [title for title in found[3:] if title not in twice] == wanted[2:]
    assert pdf.at(pdf.index("This standard enables")) == "fhs-3.0.pdf, p. 8, § 1.1. Purpose"


def test_letters_tell_what_bookmarks_tell(tmp_path):
    import pypdfium2

    path = real("loaders/genesis_exodus_kjv.pdf")
    with pypdfium2.PdfDocument(path) as whole, pypdfium2.PdfDocument.new() as bare:
        bare.import_pages(whole)
        bare.save(tmp_path / "bare.pdf")
    assert load(tmp_path / "bare.pdf").section_marks == load(path).section_marks
