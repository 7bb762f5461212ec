"""Questions from a plain script."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import rlm_kernel

if TYPE_CHECKING:
    from tests.server import FakeEndpoint

ROOT = Path(__file__).parents[2]


@pytest.fixture
def models(endpoint: FakeEndpoint, monkeypatch: pytest.MonkeyPatch) -> FakeEndpoint:
    for name, value in endpoint.environ.items():
        monkeypatch.setenv(name, value)
    endpoint.is_root = lambda body: body["model"].startswith("root")
    cells = ["x = llm_query('how?')", "FINAL(x + ' ' + str(len(context)))"]
    endpoint.root(lambda said: f"Go.\n```python\n{cells[sum(each['role'] == 'assistant' for each in said)]}\n```")
    endpoint.sub("well")
    return endpoint


def test_ask_change_and_compare(models: FakeEndpoint, tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("twelve chars")
    run = rlm_kernel.ask("How?", path, cost_usd=2, model="root-1")
    try:
        assert run, run.error
        assert (run.answer, run.outcome, run.error, run.usage.calls) == ("well 12", "answered", "", 3)
        assert run.turns[0].code == "x = llm_query('how?')"
        assert (run.node.model, repr(run)[:9]) == ("root-1", "<Run run-")
        quote = run.quote("t1/c1", reply="badly")
        assert (quote["calls_new"], quote["restore"]) == (0, "checkpoint")
        assert (run.citations, run.coverage is not None and run.coverage["length"]) == ([], 12)
        models.requests.clear()
        other = run.rerun("t1/c1", reply="badly")
        assert (other.answer, run.answer, len(models.requests)) == ("badly 12", "well 12", 0)
        assert other.rerun(other.turns[1], code="FINAL('mine')").answer == "mine"
        assert [branch["current"] for branch in run.branches] == [False, False, True]
        with pytest.raises(rlm_kernel.InputError, match="One thing"):
            run.rerun("t1", again=True, code="x")
    finally:
        run.close()


def test_what_is_wrong_is_said_and_leaves_nothing(models: FakeEndpoint, tmp_path: Path) -> None:
    with pytest.raises(rlm_kernel.InputError, match="no setting 'mood'"):
        rlm_kernel.ask("q", context="x", mood="good")
    with pytest.raises(rlm_kernel.InputError, match=r"^cost_usd cannot be '-1'"):
        rlm_kernel.ask("q", context="x", cost_usd=-1)
    with pytest.raises(rlm_kernel.InputError, match="no context"):
        rlm_kernel.ask("q")
    with pytest.raises(rlm_kernel.InputError, match="nothing"):
        rlm_kernel.ask("q", tmp_path / "nothing.txt")
    for question, paths, context, reason in (
        (" ", (), "x", "The question is empty"),
        ("q", (["a.txt"],), None, "A path cannot be a list"),
        ("q", (), b"x", "A bytes cannot be a context"),
        ("q", (), {"a": [{1: "x"}]}, "a key that is no text: 1"),
        ("q", (), ["a", {"b"}], "has a set in it"),
    ):
        with pytest.raises(rlm_kernel.InputError, match=reason):
            rlm_kernel.ask(question, *paths, context=context)
    assert models.requests == []


@pytest.mark.parametrize("on_disk", [False, True])
def test_a_document_that_was_loaded_is_asked_about_as_it_is(
    models: FakeEndpoint, tmp_path: Path, on_disk: bool
) -> None:
    (tmp_path / "a.md").write_text("# One\nfirst\n# Two\nsecond\n")
    document = rlm_kernel.load(tmp_path / "a.md", **({"on_disk": True} if on_disk else {}))
    models.root("Go.\n```python\nFINAL(f'{type(context).__name__} {context.at(14)}')\n```")
    run = rlm_kernel.ask("Where?", context=document)
    expected = "Text a.md, line 3" if on_disk else "Document a.md, line 3, § Two"
    assert (run.answer, run.error) == (expected, "")
    with pytest.raises(rlm_kernel.InputError, match="has no node 't9'"):
        run.rerun("t9", again=True)
    run.close()
    with pytest.raises(rlm_kernel.InputError, match=f"rlm-kernel rerun {run.node.id}"):
        run.rerun(again=True)


def test_in_a_script_of_its_own(models: FakeEndpoint) -> None:
    code = "import rlm_kernel\nrun = rlm_kernel.ask('q', context=['a', 'b'])\nprint(run.answer)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "well 2\n", "")
