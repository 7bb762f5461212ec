"""``load`` and ``%rlm load`` in a namespace: what is set, what is told, what an interrupt leaves."""

from __future__ import annotations

import time

from rlm_kernel.contexts.load import load
from rlm_kernel.namespace.handover import Handover
from tests.unit.documents import make_pdf


async def test_rlm_load_sets_a_variable_and_says_what_it_is(ns, tmp_path):
    (tmp_path / "a b.md").write_text("# One\n\ntext\n")
    (tmp_path / "pic.md").write_bytes(b"\x89PNG\xff")
    await ns.ok(f"import os; os.chdir({str(tmp_path)!r})")
    ran = await ns.ok("%rlm load 'a b.md'")
    assert ran.outputs[0]["text"] == "context: a b.md · Markdown · 12 characters · 3 lines · 1 section\n"
    ran = await ns.ok("%rlm load . --as notes")
    assert ran.outputs[0]["text"].splitlines()[1] == "pic.md left out: it is no text: it looks like an image."
    assert (
        await ns.value("notes.files.keys(), notes.at(20), context.name")
        == "(['a b.md'], 'a b.md, line 1, § One', 'a b.md')"
    )
    for line, said in (
        ("%rlm load nope.md", "nope.md is not there"),
        ("%rlm load", "takes the path of a file"),
        ("%rlm load a --as 1x", "cannot be the name of a variable"),
        ("%rlm load a --as", "--as needs a value"),
        ("%rlm load a --what b", "does not know --what"),
        ("%rlm load 'a", "Close the quotation mark"),
    ):
        ran = await ns.run(line)
        assert said in ran.reply.evalue
        assert len(ran.reply.traceback) == 1
    assert await ns.value("context.name") == "'a b.md'", "what was there stays"
    assert (await ns.ok("%rlm --max-cost 1")).outputs[0]["text"] == "asked: --max-cost 1\n", "the kernel's, as before"


async def test_an_interrupted_load_leaves_the_old_context(ns, tmp_path):
    pages = [f"Page {number} " + "has some words " * 30 for number in range(9000)]
    (tmp_path / "long.pdf").write_bytes(make_pdf(*pages))
    await ns.ok("context = 'old'")
    pid = ns.process.pid
    ran = await ns.run(f"load({str(tmp_path / 'long.pdf')!r})", interrupt=1.4)
    assert ran.reply.ename == "KeyboardInterrupt"
    assert time.monotonic() - ns.interrupted < 10
    assert ns.process.pid == pid, "it was interrupted, not killed"
    told = "".join(output["text"] for output in ran.outputs if output.get("name") == "stderr")
    assert "Loading long.pdf: page " in told
    assert "Loading was given up: nothing is loaded." in told
    assert await ns.value("context") == "'old'"


def test_a_child_is_given_the_document_with_its_boundaries(tmp_path):
    (tmp_path / "r.pdf").write_bytes(make_pdf("First", "Second", bookmarks=(("Second", 1),)))
    (tmp_path / "t.csv").write_text("a,b\n1,2\n")
    document = load(tmp_path)
    written = Handover().write([document])
    given = Handover().read(written.fd, written.spans[0])
    assert type(given) is type(document)
    assert given == document
    assert given.files.keys() == ["r.pdf", "t.csv"]
    assert given.files["t.csv"].rows == [{"a": "1", "b": "2"}]
    assert given.at(given.index("Second")) == "r.pdf, p. 2, § Second"
