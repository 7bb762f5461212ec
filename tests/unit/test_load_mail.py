"""What is read of mail that is put together in another way than mostly."""

from __future__ import annotations

import pytest

from rlm_kernel.contexts.load import load
from tests.unit.test_load import write

HEAD = "From: a@b.c\nSubject: x\n"


def message(kind: str, *parts: str, boundary: str = "X") -> str:
    """Write a part that is made of parts, each with its headers."""
    inside = "".join(f"--{boundary}\n{part}\n" for part in parts)
    return f"Content-Type: multipart/{kind}; boundary={boundary}\n\n{inside}--{boundary}--\n"


def part(text: str, kind: str = "text/plain", more: str = "") -> str:
    return f"Content-Type: {kind}\n{more}\n{text}"


IMAGE = part("zz", "image/png; name=i.png")
NAMED = "[attachment: i.png, image/png, 2 bytes]"
CALENDAR = "a\n\n[attachment: without a name, text/calendar, 6 bytes]"
PLAIN_AND_HTML = message("alternative", part("plain"), part("<p>html</p>", "text/html"), boundary="Y")


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (message("mixed", PLAIN_AND_HTML, part("price")), "plain\n\nprice"),
        (message("mixed", part("one"), IMAGE, part("two")), f"one\n\ntwo\n\n{NAMED}"),
        (message("alternative", part(" \n"), part("<p>price</p>", "text/html")), "price"),
        (message("alternative", part("<p>a</p>", "text/html"), part("BEGIN:", "text/calendar")), CALENDAR),
        (message("alternative", part("a"), message("related", part("b", "text/html"), IMAGE)), f"a\n\n{NAMED}"),
        (
            message("mixed", part("a", more="Content-Disposition: attachment; filename=n.txt\n")),
            "[attachment: n.txt, text/plain, 1 bytes]",
        ),
        (message("mixed", part("a", "text/plain; name=n.txt", "Content-Disposition: inline\n")), "a"),
        ("Content-Type: multipart/mixed; boundary=NOT\n\nbody\n", "body"),
        ("Content-Type: multipart/mixed\n\nbody\n", "body"),
        (part("%PDF", "application/pdf"), "[attachment: without a name, application/pdf, 5 bytes]"),
    ],
)
def test_no_text_of_a_mail_is_lost(tmp_path, content, text):
    document = load(write(tmp_path, "a.eml", f"{HEAD}{content}\n"))
    assert document == f"{HEAD}\n{text}"


def test_a_forwarded_message_is_read_too(tmp_path):
    inner = "From: q@q.q\nSubject: in\n" + message("mixed", part("inner"), IMAGE, boundary="Z")
    read = f"[message]\nFrom: q@q.q\nSubject: in\n\ninner\n\n{NAMED}"
    assert load(write(tmp_path, "a.eml", f"{HEAD}{part(inner, 'message/rfc822')}")) == f"{HEAD}\n{read}"
    attached = part(inner, "message/rfc822", "Content-Disposition: attachment; filename=in.eml\n")
    document = load(write(tmp_path, "b.eml", HEAD + message("mixed", part("See:"), attached, part("end"))))
    assert document == f"{HEAD}\nSee:\n\n{read}\n\nend"
    assert [section.title for section in document.sections] == ["x"]


def test_mail_that_is_nested_too_deeply_is_named(tmp_path):
    content = part("deep")
    for number in range(60):
        content = message("mixed", content, boundary=f"B{number}.")
    document = load(write(tmp_path, "a.eml", HEAD + content))
    assert document == f"{HEAD}\n[attachment: without a name, multipart/mixed]"


def test_an_odd_message_does_not_spoil_a_mailbox(tmp_path):
    line = "From a@b.c Mon Jan  1 10:00:00 2024\n"
    odd = "From now on we meet\nPlace: room 4\n"
    box = f"stray\n{line}{HEAD}\nHello\n\n{odd}\n{line}X-Status: RO\n\nonly text\n\n{line}{HEAD}\nBye\n"
    document = load(write(tmp_path, "a.mbox", box))
    texts = ["stray", f"{HEAD}\nHello\n\n{odd.strip()}", "only text", f"{HEAD}\nBye"]
    assert document == "\n\n\n".join(texts)
    assert [section.title for section in document.sections] == ["(no subject)", "x", "(no subject)", "x"]
    undated = load(write(tmp_path, "b.mbox", f"From a@b.c\n{HEAD}\none\n\nFrom a@b.c\n{HEAD}\ntwo\n"))
    assert undated.outline.startswith("2 messages")
