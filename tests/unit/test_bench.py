"""Benchmarks made from a seed: the same each time, with answers that can be proved."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from itertools import combinations
from pathlib import Path

import pytest

from rlm_kernel.bench import oolong, pairs, sniah
from rlm_kernel.bench.items import LABELS, built_in_items, read_items
from rlm_kernel.bench.lines import make_rows, read_rows, show_day, write_rows
from rlm_kernel.bench.oracle import Oracle, implied
from rlm_kernel.bench.tasks import Task, score
from rlm_kernel.errors import InputError

DATA = Path(os.environ.get("RLM_TEST_DATA", Path(__file__).parents[2].parent / "shared" / "data"))
ROWS = make_rows(built_in_items(), 256, 7)


def data_file(name: str) -> Path:
    if not (DATA / name).exists():
        pytest.skip(f"{DATA / name} is not there; set RLM_TEST_DATA to the folder of the real data")
    return DATA / name


def test_the_same_seed_gives_the_same_context_and_another_another() -> None:
    assert write_rows(ROWS) == write_rows(make_rows(built_in_items(), 256, 7))
    assert write_rows(ROWS) != write_rows(make_rows(built_in_items(), 256, 8))


def test_the_context_has_every_line_and_no_label_in_them() -> None:
    context = write_rows(ROWS)
    truth = {row.text: row.label for row in ROWS}

    assert read_rows(context, truth.__getitem__) == ROWS
    assert len({item.text for item in built_in_items()}) == len(built_in_items())
    assert not any(label in line for line in context.splitlines() if line.startswith("Date:") for label in LABELS)


def test_a_fifth_of_the_people_write_most_lines() -> None:
    rows = make_rows(built_in_items(), 5_000, 3)
    counts = sorted(Counter(row.user for row in rows).values(), reverse=True)

    assert sum(counts[: len(counts) // 5]) > 0.7 * len(rows)


def test_questions_about_labels_have_the_answers_that_counting_gives() -> None:
    counts = Counter(row.label for row in ROWS)
    tasks = oolong.make_tasks(ROWS, 7)
    plain = [task for task in tasks if set(task.spec) == {"ask", "label"} and task.kind == "number"]

    assert len(plain) == 3
    assert [task.answer for task in plain] == [str(counts[str(task.spec["label"])]) for task in plain]
    for task in oolong.make_tasks(ROWS, 7):
        assert score(task, f"Answer: {task.answer}") == 1.0, task
        assert score(task, "I do not know") == 0.0 or task.kind == "number", task


def test_a_tie_is_left_out() -> None:
    two = [ROWS[0]._replace(label=LABELS[0]), ROWS[0]._replace(label=LABELS[1])]

    assert oolong.solve({"ask": "most_label"}, two) is None


def test_pairs_are_those_that_a_plain_search_finds() -> None:
    rows = make_rows(built_in_items(), 64, 2)
    users = sorted({row.user for row in rows})
    labels = {user: {row.label for row in rows if row.user == user} for user in users}
    wanted = {"numeric value", "location"}
    expected = [(a, b) for a, b in combinations(users, 2) if labels[a] & wanted and labels[b] & wanted]
    tasks = pairs.make_tasks(rows)

    assert tasks[0].answer == "\n".join(f"({a}, {b})" for a, b in expected)
    assert len(tasks) == 20
    assert all(score(task, task.answer) == 1.0 for task in tasks)
    assert score(tasks[0], "\n".join(tasks[0].answer.splitlines()[::2])) < 1.0


def test_the_rules_of_pairs_agree_with_the_reference_answers() -> None:
    labels = data_file("oolong_style/labels_64.jsonl")
    tasks = data_file("oolong_style/tasks.jsonl")
    lines = [json.loads(line) for line in labels.read_text().splitlines()]
    texts = {line["q"]: line["label"] for line in lines}
    context = data_file("oolong_style/context_64.txt").read_text()
    rows = read_rows(context, lambda text: texts[text])
    assert len(rows) == len(lines)

    for task in map(json.loads, tasks.read_text().splitlines()):
        if task["id"].startswith("64-pairs-"):
            assert pairs.solve({"rule": int(task["id"][-2:]) - 1}, rows) == task["answer"], task["id"]


@pytest.mark.parametrize(
    ("kind", "answer", "said", "expected"),
    [
        ("label", "human being", "Label: Human Being.", 1.0),
        ("label", "entity", "It is an entity, I think", 0.0),
        ("number", "9", "Answer: 9", 1.0),
        ("number", "9", "**Answer: 11**", 0.75**2),
        ("number", "1200", "Answer: 1,200", 1.0),
        ("comparison", "less common than", "Answer: a is less common than b", 1.0),
        ("comparison", "less common than", "Answer: a is more common than b", 0.0),
        ("date", "Sep 15, 2023", "Date: Sep 15, 2023", 1.0),
        ("needle", "a\nb", "only A", 0.5),
        ("pairs", "", "There is none.", 1.0),
        ("pairs", "(1, 2)", "(2, 1)", 1.0),
        ("pairs", "(1, 2)", "", 0.0),
    ],
)
def test_scores(kind: str, answer: str, said: str, expected: float) -> None:
    assert score(Task("t", "q", answer, kind), said) == pytest.approx(expected)  # type: ignore[arg-type]


def test_needles_stand_where_they_should_and_the_absent_one_nowhere() -> None:
    text = sniah.haystack(20_000, 5)
    cases = sniah.make_cases(text, 8, 5)

    for case in cases:
        found = re.findall(rf"for {case.task.spec['key']} is: (.+)\.", case.context)
        expected = [] if case.task.answer == sniah.ABSENT else case.task.answer.split("\n")
        assert sorted(found) == sorted(expected)
    assert {case.task.id.split("-", 2)[2] for case in cases} == {"single", "among-others", "two-values", "absent"}


def test_an_oracle_errs_at_its_rate_and_what_that_implies_can_be_worked_out() -> None:
    rows = make_rows(built_in_items(), 800, 1)
    task = oolong.make_tasks(rows, 1)[4]
    texts = {row.text for row in rows}
    oracle = Oracle(task, rows, 0.2, 1)
    wrong = sum(oracle.label(text) != label for text, label in {row.text: row.label for row in rows}.items())

    assert 0.12 < wrong / len(texts) < 0.28
    assert implied(task, rows, Oracle(task, rows, 0.0, 1)) == 1.0
    assert implied(task, rows, oracle) < 1.0


def test_labelled_questions_of_a_file_are_checked() -> None:
    items = read_items(data_file("trec_qc/trec_train.jsonl"))

    assert len(items) > 5_000
    assert {item.label for item in items} == set(LABELS)


def test_a_line_that_is_no_labelled_question_is_named(tmp_path: Path) -> None:
    path = tmp_path / "items.jsonl"
    path.write_text('{"q": "Where is it?", "label": "location"}\n{"q": "Who?", "label": "person"}\n')

    with pytest.raises(InputError, match="line 2: 'person' is no label"):
        read_items(path)


def test_days_are_written_in_english() -> None:
    assert show_day(ROWS[0].day).split()[0] in "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec"
