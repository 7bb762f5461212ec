"""What the panel tells of the document: what was read, by whom, and what stands there."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from rlm_kernel.contexts.document import Document
from rlm_kernel.contexts.landmarks import MOST, fingerprint, landmarks
from rlm_kernel.contexts.parts import FileMark
from rlm_kernel.engine.edits import Edit
from rlm_kernel.engine.evidence import coverage_of
from rlm_kernel.engine.session import Session
from rlm_kernel.models.registry import Registry
from rlm_kernel.models.scripted import ScriptedModel
from rlm_kernel.namespace.looking import Looking
from tests.unit.inline import InlineExecutor
from tests.unit.paneling import DONE, HeardPanel, until
from tests.unit.test_panel_script import needs_node, node

if TYPE_CHECKING:
    from pathlib import Path

LINES = [f"Line {number} tells of ship {number * 7919 % 1000} and of nothing else.\n" for number in range(400)]
TEXT = Document(
    "".join(LINES),
    "ships.pdf",
    "PDF",
    page_starts=range(0, 16_000, 4_000),
    sections=[(0, 1, "Ships"), (9_000, 2, "Tar")],
)
READ = """I read.
```python
replies = llm_query_batched(["What?\\n" + context[at : at + 2_000] for at in (0, 2_000)])
one = llm_query("Once more: " + context[:1_000])
```
"""
ANSWER = (
    "It is “tells of ship 919 and of nothing” [p. 1], “tells of boat 838 and of nothing” and “never written there”."
)
CITE = f"Done.\n```python\nFINAL({ANSWER!r})\n```"


class Knowing(InlineExecutor):
    """A namespace in which the context can be looked at."""

    def __init__(self, context: Any = TEXT) -> None:
        super().__init__("")
        self.names["context"] = context
        self.looking = Looking(lambda: self.names.get("context"))

    async def look(self, kind: str, fields: Any) -> Any:
        said = getattr(self.looking, kind)(fields)
        return json.loads(json.dumps(said))

    async def describe(self) -> Any:
        info = {"type": "Document", "source": "", "chars": 1, "lines": 1, "structure": "", "head": "", "tail": ""}
        return {"context": info, "names": []}


async def asked(*replies: str, context: Any = TEXT) -> tuple[HeardPanel, Session, Any, Knowing]:
    executor = Knowing(context)
    session = Session(executor, Registry({}, {"tutor": ScriptedModel(replies, sub="yes")}))
    panel = HeardPanel(session)
    return panel, session, await session.ask("Which ships?"), executor


async def passage(panel: HeardPanel, run: Any, **what: Any) -> dict[str, Any]:
    before = len(panel.of("passage"))
    panel.say(kind="passage", view="v", id=run.id, **what)
    await until(lambda: len(panel.of("passage")) > before)
    return panel.of("passage")[-1]


async def test_what_a_question_and_what_a_node_of_it_has_read_is_told() -> None:
    panel, session, run, _ = await asked(READ, CITE)
    turn = session.tree.children(run.id)[0]
    calls = session.tree.children(turn.id)

    told = panel.ask("coverage", kind="coverage", view="v", id=run.id, of=calls[2].id, batch=None)
    coverage = told["coverage"]
    assert (coverage["length"], coverage["calls"], coverage["name"]) == (len(TEXT), 3, "ships.pdf")
    assert told["text"] == f"read {4_000 / len(TEXT):.0%} of the document in 3 calls".replace("%", " %")
    assert (told["own_share"], told["own"][0]) == (1_000 / len(TEXT), 1.0)
    assert sum(told["own"]) < sum(coverage["strip"])
    assert {"start": 9_000, "kind": "section", "label": "§ Tar"} in coverage["landmarks"]
    of_batch = panel.ask("coverage", kind="coverage", view="v", id=run.id, of=turn.id, batch=calls[0].batch)
    assert of_batch["own_share"] == 4_000 / len(TEXT)
    of_turn = panel.ask("coverage", kind="coverage", view="v", id=run.id, of=turn.id, batch=None)
    assert of_turn["own"] == of_batch["own"]
    told = panel.ask("readers", kind="readers", view="v", id=run.id, start=500, end=600)
    assert (told["ids"], told["count"], told["complete"]) == ([calls[0].id, calls[2].id], 2, True)
    assert panel.ask("readers", kind="readers", view="v", id=run.id, start=9_000, end=9_001)["ids"] == []
    texts = panel.ask("detail", kind="detail", id=run.id)["texts"]
    assert [each["status"] for each in texts["citations"]] == ["found", "found", "differs", "not found"]
    assert not {"coverage", "citations"} & set(texts["details"])
    panel.close()


async def test_what_was_read_is_told_while_the_run_lasts() -> None:
    executor = Knowing()
    session = Session(executor, Registry({}, {"tutor": ScriptedModel([READ, CITE], sub="yes")}))
    panel = HeardPanel(session)
    seen: list[Any] = []

    def look() -> None:
        run = session.current
        assert run is not None
        seen.append(panel.ask("coverage", kind="coverage", view="v", id=run.id, of=None, batch=None))

    executor.before_cell = look
    await session.ask("Which ships?")

    assert [each["text"][:20] for each in seen] == ["No call has been mad", "read 21 % of the doc"]
    assert [each["coverage"] is None for each in seen] == [True, False]
    panel.close()


async def test_a_citation_is_shown_with_what_stands_around_it() -> None:
    panel, _, run, executor = await asked(READ, CITE)
    shown = await passage(panel, run, number=0, around=1_000)
    assert (shown["state"], shown["count"], shown["citation"]["status"]) == ("there", 4, "found")
    assert shown["passage"]["passage"] == "tells of ship 919 and of nothing"
    assert shown["passage"]["where"] == "ships.pdf, p. 1, § Ships"
    assert len(shown["passage"]["after"]) == 1_000
    assert len(shown["readers"]) == 2
    differs = await passage(panel, run, number=2)
    assert differs["citation"]["difference"] == "“boat” stands as “ship”"
    nowhere = await passage(panel, run, number=3)
    assert (nowhere["state"], nowhere["passage"]) == ("nowhere", None)
    assert nowhere["text"]
    panel.say(kind="passage", view="v", id=run.id, number=4)
    assert "no such citation" in panel.of("problem")[-1]["text"]

    executor.names["context"] = "x" * len(TEXT)
    changed = await passage(panel, run, number=0)
    assert (changed["state"], changed["passage"]["passage"]) == ("changed", "tells of ship 919 and of nothing")
    assert "when the answer was given" in changed["text"]
    part = await passage(panel, run, start=0, end=100)
    assert (part["state"], part["passage"]) == ("changed", None)
    del executor.names["context"]
    assert (await passage(panel, run, number=0))["state"] == "gone"
    assert (await passage(panel, run, start=0, end=100))["state"] == "gone"
    panel.close()


async def test_a_citation_that_was_clicked_waits_for_the_view_that_is_opened_for_it() -> None:
    panel, _, run, _ = await asked(READ, CITE)
    panel.show_passage(run, 1)
    await until(lambda: panel.of("passage"))
    assert "view" not in panel.of("passage")[-1]
    panel.say(kind="ready", view="late")
    shown = panel.of("passage")[-1]
    assert (shown["view"], shown["number"], shown["citation"]["kind"]) == ("late", 1, "page")
    panel.close()


@pytest.mark.parametrize(
    ("replies", "context", "text"),
    [
        ((DONE,), TEXT, "No call was made for this answer"),
        ((READ, DONE), "short", "No call has read any of the document."),
        (("I.\n```python\nllm_query('a')\n```", DONE), [1, 2], "no text in the context"),
    ],
)
async def test_where_there_is_no_picture_it_is_said_why(replies: tuple[str, ...], context: Any, text: str) -> None:
    panel, _, run, _ = await asked(*replies, context=context)
    assert text in panel.ask("coverage", kind="coverage", view="v", id=run.id, of=None, batch=None)["text"]
    panel.close()


async def test_turns_that_a_branch_took_over_count_and_so_does_what_an_earlier_session_kept() -> None:
    panel, session, run, _ = await asked(READ, CITE, CITE.replace("919", "920"))
    branch = await session.rerun(session.tree.children(run.id)[1].id, Edit("again"))
    trunk, taken = coverage_of(run), coverage_of(branch)
    assert trunk is not None
    assert taken is not None
    assert (taken["calls"], taken["strip"]) == (3, trunk["strip"])
    later = Session(Knowing(), Registry({}, {}))
    later.adopt(session.tree)
    branch.details = {key: value for key, value in branch.details.items() if key != "coverage"}
    assert later.evidence.coverage(later.tree[branch.id]) == taken
    panel.close()


@pytest.mark.parametrize(
    "content",
    [
        {"kind": "coverage", "id": "nothing", "view": "v", "of": None, "batch": None},
        {"kind": "readers", "id": "RUN", "view": "v", "start": -1, "end": 3},
        {"kind": "readers", "id": "RUN", "view": "v", "start": True, "end": 3},
        {"kind": "passage", "id": "RUN", "view": "v"},
        {"kind": "passage", "id": "RUN", "view": "v", "number": "1"},
        {"kind": "passage", "id": "RUN", "view": "v", "start": 9, "end": 3},
        {"kind": "passage", "id": "RUN", "view": "v", "start": 0, "end": 3, "around": []},
    ],
)
async def test_what_cannot_be_shown_is_a_problem(content: dict[str, Any]) -> None:
    panel, _, run, _ = await asked(READ, CITE)
    panel.sent.clear()
    panel.say(**{key: run.id if value == "RUN" else value for key, value in content.items()})
    assert [message["kind"] for message in panel.sent] == ["problem"]
    panel.close()


def test_landmarks_are_few_and_pages_are_counted_in_their_file() -> None:
    files = [FileMark(0, 90, "a.pdf", "a.pdf", "PDF"), FileMark(100, 200, "b.pdf", "b.pdf", "PDF")]
    text = Document("x" * 200, "both", "folder", page_starts=(0, 50, 100, 150), files=files)
    labels = [each["label"] for each in landmarks(text)]
    assert labels == ["a.pdf", "p. 1", "p. 2", "b.pdf", "p. 1", "p. 2"]
    many = [(at, 1 + (at % 10 > 0), f"S{at}") for at in range(1_000)]
    found = landmarks(Document("x" * 1_000, "a", sections=many, page_starts=range(1_000)))
    assert [each["label"] for each in found if each["kind"] == "section"] == [f"§ S{at}" for at in range(0, 1_000, 10)]
    assert sum(each["kind"] == "page" for each in found) == MOST
    assert landmarks("plain") == []
    assert fingerprint("a" * 10_000) != fingerprint("a" * 9_999 + "b")
    assert fingerprint(TEXT) == fingerprint(str(TEXT))


@needs_node
def test_the_picture_is_put_together(tmp_path: Path) -> None:
    script = """
        import { cellOf, charsOf, partsAt, percent, roomyKinds, stripBands, stripLabels } from './picture.js';
        const marks = [{start: 0, kind: 'file', label: 'a'}, {start: 10, kind: 'page', label: 'p. 1'},
                       {start: 50, kind: 'file', label: 'b'}, {start: 60, kind: 'page', label: 'p. 1'},
                       {start: 80, kind: 'page', label: 'p. 2'}];
        console.log(JSON.stringify({
            bands: stripBands([0, 1, 1, 0.02, 0, 0.5]),
            chars: [charsOf(1000, 400, 1, 2), charsOf(3, 400, 399, 400)],
            cells: [cellOf(1000, 400, 0), cellOf(1000, 400, 1000), cellOf(0, 400, 5)],
            parts: [partsAt(marks, 12, 13), partsAt(marks, 55, 58), partsAt(marks, 61, 90), partsAt([], 0, 9)],
            roomy: roomyKinds(marks, 10),
            labels: stripLabels(marks, 100, 300, 80).map(each => each.label),
            percent: [0, 0.001, 0.374, 1].map(percent)
        }));
    """
    made = node(script, tmp_path)
    assert made["bands"] == [
        {"from": 1, "to": 3, "level": 10},
        {"from": 3, "to": 4, "level": 1},
        {"from": 5, "to": 6, "level": 5},
    ]
    assert made["chars"] == [{"start": 2, "end": 5}, {"start": 2, "end": 3}]
    assert made["cells"] == [0, 399, 399]
    assert made["parts"] == ["a, p. 1", "b", "b, p. 1 – p. 2", ""]
    assert made["roomy"] == ["file"]
    assert made["labels"] == ["a", "b"]
    assert made["percent"] == ["0 %", "less than 1 %", "37 %", "100 %"]
