"""``rlm-kernel bench``: the score is what the leaf's errors imply, to the last digit."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

    from tests.server import FakeEndpoint


@pytest.mark.parametrize(
    ("words", "tasks", "wrong"),
    [
        (["oolong", "--size", "64", "--oracle", "0.15", "--tasks", "7"], 7, True),
        (["pairs", "--size", "64", "--oracle", "0.6", "--tasks", "5"], 5, True),
        (["sniah", "--size", "60_000", "--oracle", "0.5", "--tasks", "4"], 4, True),
        (["oolong", "--size", "32", "--oracle", "0", "--tasks", "2"], 2, False),
    ],
)
def test_the_score_is_what_the_errors_imply(
    run_cli: Callable[..., subprocess.CompletedProcess[str]], folder: Path, words: list[str], tasks: int, wrong: bool
) -> None:
    done = run_cli("bench", *words, "--json", "--out", "out.jsonl")

    assert done.returncode == 0, done.stderr
    sums = json.loads(done.stdout)
    head, *results = map(json.loads, (folder / "out.jsonl").read_text().splitlines())
    assert head["bench"] == words[0]
    assert len(results) == sums["tasks"] == sums["answered"] == tasks
    assert [each["score"] for each in results] == [each["implied"] for each in results]
    assert sums["score"] == sums["implied"]
    assert (sums["score"] < 1) == wrong
    assert sums["cost_usd"] == 0
    assert all(each["usage"]["calls"] > 1 for each in results)


def test_a_model_is_asked_within_its_limits_and_failures_score_nothing(
    run_cli: Callable[..., subprocess.CompletedProcess[str]], folder: Path, script: Callable[..., str]
) -> None:
    model = script("```python\nFINAL('Label: location')\n```", repeat=True)
    done = run_cli("bench", "oolong", "--size", "32", "--tasks", "3", "--model", model)

    assert done.returncode == 0, done.stderr
    assert "over 3 tasks" in done.stdout
    assert "3 answered" in done.stdout
    results = [json.loads(line) for line in (folder / "bench-oolong-32-seed1.jsonl").read_text().splitlines()[1:]]
    assert {each["implied"] for each in results} == {None}
    assert all(each["score"] in (0.0, 1.0) for each in results if each["answer"] == "Label: location")

    done = run_cli("bench", "sniah", "--tasks", "1", "--model", script(), "--out", "failed.jsonl")
    assert "score 0.0000 over 1 task\n" in done.stdout
    assert done.returncode == 4, "nothing was measured"
    assert "failed: The script has no reply left" in done.stderr


def test_results_are_not_overwritten_and_wrong_words_are_named(
    run_cli: Callable[..., subprocess.CompletedProcess[str]], folder: Path
) -> None:
    (folder / "out.jsonl").write_text("mine")

    done = run_cli("bench", "pairs", "--out", "out.jsonl")
    assert (done.returncode, (folder / "out.jsonl").read_text()) == (2, "mine")
    assert "is there already. Give another name with --out, or --overwrite." in done.stderr
    for words, said in (
        (["oolong", "--size", "3"], "out of range. Give 16 to"),
        (["oolong", "--size", "many"], "--size takes a whole number"),
        (["oolong", "--oracle", "2"], "--oracle takes an error rate from 0 to 1"),
        (["oolong", "--items", "none.jsonl"], "none.jsonl cannot be read"),
        (["sniah", "--haystack", "none.txt"], "none.txt cannot be read"),
        (["sniah", "--items", "mine.jsonl"], "--items is for oolong and pairs"),
        (["pairs", "--haystack", "mine.txt"], "--haystack is for sniah"),
        (["pairs", "--out", ".", "--overwrite"], "is a folder"),
        (["other"], "invalid choice"),
    ):
        done = run_cli("bench", *words)
        assert done.returncode == 2, words
        assert said in done.stderr
    assert [each.name for each in folder.iterdir()] == ["out.jsonl"]


def test_what_was_paid_for_is_not_paid_again(
    run_cli: Callable[..., subprocess.CompletedProcess[str]], folder: Path, endpoint: FakeEndpoint, tmp_path: Path
) -> None:
    endpoint.root("```python\nFINAL('Label: location ' + llm_query('Which?'))\n```")
    words = ["bench", "oolong", "--size", "32", "--tasks", "2", "--overwrite", "--out", "out.jsonl"]
    environ = {**endpoint.environ, "XDG_CACHE_HOME": str(tmp_path / "cache")}
    for again in (False, True):
        endpoint.requests.clear()
        done = run_cli(*words, **environ)
        assert (done.returncode, bool(endpoint.requests)) == (0, not again), done.stderr
    head = json.loads((folder / "out.jsonl").read_text().splitlines()[0])
    assert (head["model"], head["sub_model"]) == ("root-model", "sub-model")
    assert not list((tmp_path / "cache" / "rlm-kernel" / "bench").iterdir())
