"""What an answer rests on, found in a real namespace."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rlm_kernel.engine.evidence import citations_of, cited_text, coverage_of, read_text
from rlm_kernel.engine.passages import read_passage
from rlm_kernel.engine.session import Session
from rlm_kernel.engine.settings import Settings
from rlm_kernel.host.executor import ProcessExecutor
from rlm_kernel.models.registry import Registry
from rlm_kernel.models.scripted import ScriptedModel
from rlm_kernel.notebook.answer import foot, question_outputs

if TYPE_CHECKING:
    from pathlib import Path

    from rlm_kernel.trace.records import Node

LINES = [
    f"Line {number} tells of the ship number {number * 7919 % 1000} and its cargo of tar.\n" for number in range(2000)
]
ANSWER = (
    "It says “the ship number 919 and its cargo of tar” [ships.txt:2], “the ship number 838 and its load of tar” and "
    "“nothing of the kind was ever written here”."
)
DONE = "I know.\n\n```python\nFINAL('None.')\n```"
CELL = f"""I read a part.

```python
parts = [context[start : start + 5_000] for start in range(0, 20_000, 5_000)]
replies = llm_query_batched([f"What ships?\\n\\n{{part}}\\n\\nAnswer." for part in parts])
llm_query("What is a ship, in general and without any text?")
FINAL({ANSWER!r})
```
"""


async def ask(tmp_path: Path, *cells: str, question: str = "Which ships?") -> tuple[Session, Node]:
    (tmp_path / "ships.txt").write_text("".join(LINES), encoding="utf-8")
    executor, models = ProcessExecutor(), Registry(extra={"model": ScriptedModel(list(cells), "many")})
    session = Session(executor, models, Settings(model="model", sub_model="model"))
    await executor.start()
    try:
        await executor.run_person_cell(f"load({str(tmp_path / 'ships.txt')!r})")
        return session, await session.ask(question)
    finally:
        await session.close()
        await executor.close()


async def test_an_answer_says_what_was_read_and_whether_its_citations_stand_there(tmp_path: Path) -> None:
    session, run = await ask(tmp_path, CELL)
    text = "".join(LINES)

    coverage = coverage_of(run)
    assert coverage is not None
    assert (coverage["length"], coverage["calls"]) == (len(text), 4)
    assert abs(coverage["share"] - 20_000 / len(text)) < 0.001
    assert sorted(coverage["spans"])[0][:2] == (0, 5_000)
    assert all(name in session.tree for _, _, name in coverage["spans"])
    assert (coverage["strip"][0], coverage["strip"][-1]) == (1.0, 0.0)
    found = [(each["kind"], each["status"], each["where"]) for each in citations_of(run)]
    assert found == [
        ("quotation", "found", "ships.txt, line 2"),
        ("line", "found", "ships.txt, line 2"),
        ("quotation", "differs", "ships.txt, line 3"),
        ("quotation", "not found", ""),
    ]
    assert "read 17 % of the document in 4 calls" in foot(session.tree, run)
    data = question_outputs(session.tree, run)[0]["data"]
    assert f'cargo of tar”[✓](#rlm-passage={run.id}:0 "found: ships.txt, line 2") [ships.txt:2]' in str(
        data["text/markdown"]
    )
    assert "[✗](#rlm-passage=" in str(data["text/markdown"])
    assert "≈ the ship number 838 and its load of tar: found with differences: ships.txt, line 3" in str(
        data["text/plain"]
    )
    assert "“load” stands as “cargo”" in str(data["text/plain"])


async def test_what_was_read_of_a_list_is_told_and_shown(tmp_path: Path) -> None:
    """A call that failed has read nothing."""
    asks = "['Label:\\n' + '\\n'.join(context[:500]), 'Refused:\\n' + '\\n'.join(context[900:])]"
    code = f"context = context.splitlines()\nllm_query_batched({asks})"
    cell = f"I read.\n\n```python\n{code}\n```\n"
    executor, models = ProcessExecutor(), Registry(extra={"model": ScriptedModel([cell, DONE], {"Label": "many"})})
    session = Session(executor, models, Settings(model="model", sub_model="model"))
    (tmp_path / "ships.txt").write_text("".join(LINES), encoding="utf-8")
    await executor.start()
    try:
        await executor.run_person_cell(f"load({str(tmp_path / 'ships.txt')!r})")
        run = await session.ask("Which ships?")
        coverage = coverage_of(run)
        assert coverage is not None
        assert (round(coverage["share"], 2), coverage["calls"]) == (0.25, 1)
        start, end, _ = coverage["spans"][0]
        assert (start, end) == (0, len("".join(LINES[:500])) - 1)
        assert [mark["label"] for mark in coverage["landmarks"]][:2] == ["[0]", "[10]"]
        shown = await read_passage(executor, run, end - 20, end)
        assert (shown["state"], shown["passage"] and shown["passage"]["where"]) == ("there", "[499], line 1")
    finally:
        await session.close()
        await executor.close()


async def test_what_an_answer_repeats_of_the_question_is_no_citation(tmp_path: Path) -> None:
    said = "“Which ships?” I was asked, and “which of all ships” too: “which of the ships”."
    _, run = await ask(
        tmp_path, f"I know.\n\n```python\nFINAL({said!r})\n```", question="Which ships?  Which of all ships?"
    )

    assert [(each["text"], each["status"]) for each in citations_of(run)] == [("which of the ships", "not found")]


async def test_where_nothing_was_read_or_cited_nothing_is_said(tmp_path: Path) -> None:
    session, run = await ask(tmp_path, DONE)

    assert (coverage_of(run), citations_of(run)) == (None, [])
    assert (read_text(None), cited_text([])) == ("", "")
    assert "read" not in foot(session.tree, run)
