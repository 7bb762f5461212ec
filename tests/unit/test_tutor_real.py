"""Real documents with questions of which the answers are known: never a wrong one, many right ones."""

from __future__ import annotations

import json

import pytest

from tests.unit.tutoring import DATA, ask

DECLINED = ("is a question I do not answer", "I found no passage that clearly answers", "I cannot tell which of them")


@pytest.mark.parametrize(("name", "file"), [("kjv", "kjv.txt"), ("apache_access_2015", "apache_access_2015.log")])
async def test_no_answer_is_wrong_and_most_are_right(name, file):
    document, questions = DATA / "docs" / file, DATA / "questions" / f"{name}.jsonl"
    if not document.exists() or not questions.exists():
        pytest.skip(f"{document} is not there; set RLM_TEST_DATA to the folder with docs/ and questions/")
    text = document.read_text(encoding="utf-8")
    right, wrong = [], []
    for line in questions.read_text(encoding="utf-8").splitlines():
        asked = json.loads(line)
        run = await ask(asked["question"], text)
        assert run.ready
        assert not run.failed
        if any(sign in run.answer for sign in DECLINED):
            continue
        plain = run.answer.replace(",", "")
        (right if asked["answer"].replace(",", "") in plain else wrong).append((asked["id"], run.answer))
    assert not wrong
    assert len(right) >= 5
