"""``rlm-kernel trace``: what a person sees of the store."""

from __future__ import annotations

import json
import sys
from contextlib import closing
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "unit"))
from rlm_kernel.trace.store import Store
from tests.unit.storing import below, key, question, reply, request


@pytest.fixture
def path(environ) -> Path:
    return Path(environ["RLM_STORE"])


@pytest.fixture
def runs(path):
    """Three runs: one answered, one cut off with a request under way, one with an unknown cost and odd texts."""
    with closing(Store.open(path)) as store:
        answered = question(started=1_750_000_000.0, status="done", outcome="answered", reply="The whale.", model="gpt")
        cut = question(started=1_760_000_000.0, label="How many chapters?", model="gpt")
        odd = question(started=1_770_000_000.0, label="A \x1b[31mred\x1b[0m label", status="failed", outcome="failed",
                       error="It broke.", remedy="Mend it.")  # fmt: skip
        for run in (answered, cut, odd):
            store.add_run(run, "moby.ipynb")
            turn = below(run, "turn", 1, reply="I look.", code="look()", output="nothing", model="gpt")
            store.put(turn)
            usage = reply().usage
            store.put(below(turn, "call", 1, prompt="Is it \x1b[2J here?", reply="No.", model="gpt", usage=usage))
        store.intent(key(1), below(below(cut, "turn", 1), "call", 1).id)
        store.keep(key(2), request(), reply())
        assert store.flush_now()
    return [answered, cut, odd]


def test_before_the_first_run(run_cli, path):
    for words in (["list"], ["prune", "--keep", "3"], ["check"]):
        done = run_cli("trace", *words)
        assert (done.returncode, done.stderr) == (0, "")
    assert "No runs are kept yet" in run_cli("trace", "list").stdout
    done = run_cli("trace", "show", "last")
    assert (done.returncode, done.stdout) == (2, "")
    assert not path.exists()


def test_list(run_cli, runs):
    done = run_cli("trace", "list")
    head, *lines = done.stdout.splitlines()
    assert head.split() == ["run", "asked", "outcome", "calls", "tokens", "cost", "question"]
    assert [line.split()[0] for line in lines] == [run.id.removeprefix("run-") for run in reversed(runs)]
    assert ["failed" in lines[0], "cut off" in lines[1], "answered" in lines[2]] == [True] * 3
    assert "A red label" in lines[0]
    assert "\x1b" not in done.stdout
    assert len(run_cli("trace", "list", "--limit", "1").stdout.splitlines()) == 2
    assert "at least 1" in run_cli("trace", "list", "--limit", "0").stderr


def test_long_questions_have_room_before_figures(run_cli, path):
    asked = "Which of the reports of last year mention a delay that was not announced before?"
    with closing(Store.open(path)) as store:
        store.add_run(question(label=asked, status="done", outcome="answered"), "moby.ipynb")
        assert store.flush_now()
    done = run_cli("trace", "list", COLUMNS="80")
    head, line = done.stdout.splitlines()
    assert (max(map(len, (head, line))) <= 80, asked[:27] in line, "tokens" in head) == (True, True, False)


def test_show(run_cli, runs):
    answered, cut, odd = runs
    text = run_cli("trace", "show", answered.id).stdout
    assert "Who won, and why?" in text
    assert "The whale." in text
    assert "moby.ipynb" in text
    assert "1,200" in text
    assert "Under way" not in text
    text = run_cli("trace", "show", cut.id.removeprefix("run-")[:8]).stdout
    assert "cut off" in text.splitlines()[0]
    assert f"perhaps paid: 1 call.\n  {cut.id}/t1/c1" in text
    text = run_cli("trace", "show", "last").stdout
    assert "It broke. Mend it." in text
    assert odd.id in text


def test_show_one_node(run_cli, runs):
    text = run_cli("trace", "show", f"{runs[0].id}/t1/c1").stdout
    assert "--- prompt ---\nIs it  here?" in text
    assert "--- reply ---\nNo." in text
    done = run_cli("trace", "show", f"{runs[0].id}/t9")
    assert (done.returncode, done.stdout) == (2, "")
    assert "There is no node" in done.stderr


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["show", "nope"], "There is no run nope."),
        (["show", "run-"], "More than one run begins with run-."),
        (["show", ""], "No run is named."),
        (["prune"], "Give --older-than DAYS, --keep N, or both."),
        (["prune", "--keep", "-1"], "not a whole number"),
        (["prune", "--older-than", "soon"], "not a number of days"),
        (["export", "last", "--format", "xml"], "invalid choice"),
        ([], "ACTION"),
    ],
)
def test_wrong_usage_is_one_line(run_cli, runs, words, told):
    done = run_cli("trace", *words)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert told in done.stderr


def test_export(run_cli, runs):
    lines = [
        json.loads(line)
        for line in run_cli("trace", "export", runs[1].id, "last", "--format", "jsonl").stdout.splitlines()
    ]
    assert [line["type"] for line in lines] == [
        "run",
        "node",
        "node",
        "node",
        "in_flight",
        "run",
        "node",
        "node",
        "node",
    ]
    run, _, turn, call, flying = lines[:5]
    assert (run["format"], run["question"], run["notebook"]) == (1, "Who won, and why?", "moby.ipynb")
    assert (turn["code"], turn["total"]["input_tokens"], turn["usage"]["input_tokens"]) == ("look()", 1_200, 0)
    assert (call["prompt"], call["reply"]) == ("Is it \x1b[2J here?", "No.")
    assert flying["node_id"] == call["id"]


def test_prune(run_cli, runs, path):
    done = run_cli("trace", "prune", "--keep", "1")
    assert done.stdout.startswith("Deleted 2 runs and 0 replies;")
    assert len(run_cli("trace", "list").stdout.splitlines()) == 2
    assert run_cli("trace", "prune", "--older-than", "1").stdout.startswith("Deleted 1 run and 1 reply;")


def test_check_and_set_aside(run_cli, runs, path):
    done = run_cli("trace", "check")
    assert (done.returncode, done.stdout) == (0, f"The store {path} is sound.\n")
    path.write_bytes(b"no database at all " * 1_000)
    done = run_cli("trace", "list")
    assert (done.returncode, done.stdout) == (2, "")
    assert "--set-aside" in done.stderr
    assert run_cli("trace", "check").returncode == 1
    done = run_cli("trace", "check", "--set-aside")
    assert done.returncode == 0
    assert not path.exists()
    (aside,) = [each for each in path.parent.glob("*.damaged-*") if not each.name.endswith("-journal")]
    assert aside.read_bytes().startswith(b"no database")


def test_off(run_cli):
    done = run_cli("trace", "list", RLM_STORE="off")
    assert (done.returncode, done.stdout) == (2, "")
    assert "switched off" in done.stderr


def test_the_doctor_looks_at_the_store(run_cli, runs, path, tmp_path):
    def said(**environ):
        return next(line for line in run_cli("doctor", **environ).stdout.splitlines() if " store" in line)

    assert "3 runs, 1 reply," in said()
    assert said(RLM_STORE="off").startswith("note")
    (tmp_path / "diary").write_text("Dear diary, " * 100)
    assert "damaged or is no store" in said(RLM_STORE=str(tmp_path / "diary"))
