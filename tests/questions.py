"""Real documents, questions about them, and the proof of each answer as an expression over ``text``."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import NamedTuple

import pytest

DATA = Path(os.environ.get("RLM_TEST_DATA", Path(__file__).parents[2] / "shared" / "data"))
DOCUMENTS = {"kjv": "kjv.txt", "apache_access_2015": "apache_access_2015.log"}


class Question(NamedTuple):
    """A question with its answer."""

    id: str
    text: str
    answer: str
    cell: str
    """A reply of a model whose cell works the answer out."""


def real(name: str) -> tuple[Path, list[Question]]:
    """Give a document and its questions; the test is skipped where they are not there."""
    document, questions = DATA / "docs" / DOCUMENTS[name], DATA / "questions" / f"{name}.jsonl"
    if not document.exists() or not questions.exists():
        pytest.skip(f"{document} is not there; set RLM_TEST_DATA to the folder with docs/ and questions/")
    return document, [_read(line) for line in questions.read_text(encoding="utf-8").splitlines()]


def _read(line: str) -> Question:
    asked = json.loads(line)
    code = f"import re, collections\ntext = str(context)\nFINAL(str({asked['proof']}))"
    return Question(asked["id"], asked["question"], asked["answer"], f"I work it out.\n\n```python\n{code}\n```\n")
