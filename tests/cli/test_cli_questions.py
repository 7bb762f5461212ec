"""Questions about real documents, each answered by its proof: the way through the terminal changes nothing."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from tests.questions import DOCUMENTS, Question, real

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_proof_gives_its_answer_in_the_terminal(
    name: str, run_cli: Callable[..., subprocess.CompletedProcess[str]], script: Callable[..., str]
) -> None:
    document, questions = real(name)
    models = [script(question.cell) for question in questions]

    def ask(question: Question, model: str) -> tuple[int, str]:
        done = run_cli("ask", "--quiet", "--model", model, question.text, document)
        return done.returncode, done.stdout.strip()

    with ThreadPoolExecutor(2) as pool:
        said = list(pool.map(ask, questions, models))

    assert said == [(0, question.answer.strip()) for question in questions]
