"""What is told of a value instead of the value."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass

import pytest

from rlm_kernel.contexts.describe import describe
from rlm_kernel.contexts.document import Document


def test_a_text_is_counted_and_its_ends_are_shown():
    info = describe("a" * 300 + "\n" + "b" * 500)
    assert (info["type"], info["source"], info["chars"], info["lines"]) == ("str", "", 801, 2)
    assert info["head"] == "a" * 300
    assert info["tail"] == "b" * 300
    assert info["structure"] == ""


def test_head_and_tail_do_not_overlap():
    short = describe("a" * 200)
    assert (short["head"], short["tail"]) == ("a" * 200, "")
    middle = describe("a" * 300 + "b" * 100)
    assert (middle["head"], middle["tail"]) == ("a" * 300, "b" * 100)
    assert describe("")["lines"] == 0


@pytest.mark.parametrize(
    ("text", "structure"),
    [
        ("# One\ntext\n## Two\n```\n# a comment\n```\n## Three\n", "3 headings: One; Two; Three"),
        ("text\n# One\n#hashtag\n####### seven\n# Two", "2 headings: One; Two"),
        (
            "".join(f"# Chapter {n}\n" + "".join(f"## Part {m}\n" for m in range(5)) for n in range(6)),
            "36 headings: Chapter 0; Chapter 1; Chapter 2; Chapter 3; Chapter 4; Chapter 5",
        ),
        ('{"b": 1, "a": [1, 2]}', "JSON object, 2 keys: b, a"),
        ("[1, 2, 3]", "JSON list of 3"),
        ('{"a": 1, "b": 2}\n{"a": 3, "b": 4}\n', "JSON lines; keys of the first: a, b"),
        ("From: a@b.c\nTo: d@e.f\nSubject: g\n h\n\nHello", "Begins with message headers: From, To, Subject"),
        ("From a@b.c Mon\nFrom: a@b.c\nSubject: g\n\nHello", "Begins with message headers: From, Subject"),
        ("Note: this\nis not: mail\n", ""),
        ("a\tb\tc\n" * 5, "Lines with fields between tabs; the first: a\tb\tc"),
        ("Just some prose.\nWith two lines, and more.\n", ""),
        ("#", ""),
        ("```", ""),
    ],
)
def test_the_shape_of_a_text(text, structure):
    assert describe(text)["structure"] == structure


@pytest.mark.parametrize(
    ("lines", "what", "first"),
    [
        ('1.2.3.4 - - [{}] "GET / HTTP/1.1" 200 12 "-" "agent"', "Web server access log", "17/May/2015:10:05:03 +0000"),
        ("{} host sshd[12]: hello", "System log", "May 17 10:05:03"),
        ("{} INFO hello", "Log: each line begins with a time", "2015-05-17 10:05:03"),
    ],
)
def test_the_shape_of_a_log(lines, what, first):
    structure = describe((lines.format(first) + "\n") * 20)["structure"]
    assert structure.startswith(what)
    assert structure.endswith(f"First line {first}, last line {first}")


@pytest.mark.parametrize(
    ("document", "type_name", "structure"),
    [
        (Document("a,b\n1,2\n", "/x/t.csv", "CSV"), "Document (CSV)", "2 columns: a, b\nAbout 1 row"),
        (Document("sep=;\na;a\n1;2\n", "/x/t.csv", "CSV"), "Document (CSV)", "2 columns: a, a_2\nAbout 1 row"),
        (
            Document("x\n\ny", "/x/r.pdf", "PDF", page_starts=(0, 3)),
            "Document (PDF)",
            "2 pages, 2 characters each on average\n"
            "It has no bookmarks and no titles in larger letters, so its sections are not known",
        ),
        (
            Document("x\n\ny", "/x/r.pdf", "PDF", page_starts=(0, 3), sections=((0, 1, "One"), (3, 1, "Two"))),
            "Document (PDF)",
            "2 pages, 2 characters each on average\n2 sections: One (p. 1); Two (p. 2)",
        ),
        (Document("{}", "/x/d.json", "JSON", outline="JSON object, 0 keys"), "Document (JSON)", "JSON object, 0 keys"),
        (
            Document("# A\n# B\n", "/x/d.md", "Markdown", sections=((0, 1, "A"), (4, 1, "B"))),
            "Document (Markdown)",
            "2 headings: A; B",
        ),
        (Document("plain", "/x/d.txt"), "Document (text)", ""),
    ],
)
def test_documents(document, type_name, structure):
    info = describe(document)
    assert (info["type"], info["source"]) == (type_name, document.path)
    *built, use = info["structure"].split("\n")
    assert "\n".join(built) == structure
    assert use.startswith("It is a str; ")
    assert f"`context.at(offset)` says where a character stands ('{document.name}, " in use
    for name in ("pages", "sections", "rows", "data", "files"):
        assert (f"`context.{name}" in use) == bool(has(document, name)), name
    assert type(info["head"]) is str


def has(document, name):
    """What the document has of a kind of parts; nothing where it has no such attribute."""
    return getattr(document, name, None) is not None and (name == "data" or len(getattr(document, name)))


def test_lists_and_dicts():
    info = describe(["one", "two\nlines", "three"])
    assert (info["type"], info["chars"], info["lines"]) == ("list of 3 str", 17, 4)
    assert info["structure"] == "Characters per item: least 3, median 5, most 9"
    assert info["head"] == "[0] 'one'"
    assert info["tail"] == "[2] 'three'"
    info = describe({"a": "text", "b": 2})
    assert (info["type"], info["structure"]) == ("dict of 2 int or str", "Keys: 'a', 'b'")
    assert describe([{"name": 1}])["structure"] == "Keys of the first item: 'name'"
    assert describe([Document("a", kind="PDF")])["type"] == "list of 1 Document (PDF)"
    assert (describe([])["type"], describe({})["type"], describe(())["type"]) == (
        "empty list",
        "empty dict",
        "empty tuple",
    )


def test_other_values():
    @dataclass
    class Thing:
        size: int

    assert describe(12) == {
        "type": "int",
        "source": "",
        "chars": 0,
        "lines": 0,
        "structure": "",
        "head": "12",
        "tail": "",
    }
    assert "Thing(size=3)" in describe(Thing(3))["head"]
    assert describe(b"bytes")["type"] == "bytes"
    assert describe(None)["type"] == "NoneType"
    assert describe(range(10**9))["type"] == "range"


def test_a_value_that_cannot_be_shown():
    class Odd:
        def __repr__(self) -> str:
            raise RuntimeError("no")

    assert describe(Odd())["type"] == "Odd"
    assert describe([Odd()])["type"] == "list of 1 Odd"


def test_a_data_frame():
    pandas = pytest.importorskip("pandas")
    info = describe(pandas.DataFrame({"city": ["Ulm", "Bonn"], "size": [1, 2]}))
    assert info["type"] == "DataFrame, 2 rows × 2 columns"
    assert info["structure"] == "Columns: city, size"
    assert "Ulm" in info["head"]


def test_long_items_are_cut():
    info = describe({"key": "x" * 100_000, "other": list(range(100_000))})
    assert len(info["head"]) <= 300
    assert len(describe(["x" * 100_000])["head"]) <= 300


def best_of_three(value: object) -> float:
    times = []
    for _ in range(3):
        started = time.perf_counter()
        describe(value)
        times.append(time.perf_counter() - started)
    return min(times)


@pytest.mark.parametrize(
    "text",
    [
        "The quick brown fox jumps over the lazy dog.\n" * 115_000,
        "x" * 5_200_000,
        "# heading\ntext\n" * 350_000,
        "a,b,c\n" * 870_000,
        "\n" * 5_200_000,
        "[" + ",".join(["12345"] * 870_000) + "]",
        json.dumps({"text": "lorem " * 870_000}),
        "Received: x\n y\n" * 350_000,
    ],
    ids=["prose", "one line", "headings", "fields", "blank", "list", "object", "mail"],
)
def test_five_megabytes_are_described_at_once(text):
    assert best_of_three(text) < 0.3  # about a tenth of that on an idle machine
