"""``rlm-kernel rerun``: a kept question, restored in another process by running its cells again."""

from __future__ import annotations

import json

import pytest


def cell(code: str) -> str:
    return f"Next.\n```python\n{code}\n```"


ROOT = (
    "pieces = [f'piece {i}' for i in range(20)]\nn = len(context)",
    "rs = llm_query_batched(pieces)\nprint(sum(r == 'yes' for r in rs))",
    "FINAL(str(sum(r == 'yes' for r in rs)) + ' of ' + str(len(rs)))",
)


@pytest.fixture
def asked(run_cli, tale, endpoint):
    """A question in the store; gives its id, and what runs commands at the endpoint."""

    def root(messages):
        return cell(ROOT[sum(message["role"] == "assistant" for message in messages)])

    endpoint.is_root = lambda body: body["model"] == "root-model"
    endpoint.root(root)
    endpoint.sub(lambda prompt: "yes" if prompt.endswith("7") else "no")

    def run(*words, **options):
        endpoint.requests.clear()
        return run_cli(*words, **endpoint.environ, **options)

    done = run("ask", "How many?", tale, "--json", "--quiet")
    return json.loads(done.stdout)["tree"]["id"], run


def test_edits_of_a_run_that_another_process_asked(asked, endpoint, folder, run_cli):
    run_id, run = asked
    shown = run("trace", "show", "last").stdout
    assert "t2  turn 2" in shown
    assert "c1-c20  20 calls" in shown
    (folder / "prompt.txt").write_text("this one: 7\n")

    dry = run("rerun", f"{run_id[:9]}/t2/c3", "--prompt", "prompt.txt", "--dry-run")
    assert (dry.returncode, endpoint.requests) == (0, []), dry.stderr
    assert "Turn 2 runs again: 19 of its 20 calls are reused, 1 is asked" in dry.stdout
    assert "by running 2 cells again; nothing is asked for that" in dry.stdout
    quote = json.loads(run("rerun", "last/t2/c3", "--prompt", "prompt.txt", "--dry-run", "--json").stdout)
    assert (quote["calls_reused"], quote["calls_new"], quote["kept_turns"], quote["restore"]) == (19, 1, 1, "replay")

    done = run("rerun", f"{run_id}/t2/c3", "--prompt", "prompt.txt")
    assert (done.returncode, done.stdout.strip()) == (0, "3 of 20"), done.stderr
    assert [request.prompt for request in endpoint.of("sub")] == ["this one: 7"]
    assert len(endpoint.of("root")) == 1
    branch = json.loads(run("rerun", "last/t2/c4", "--reply", "prompt.txt", "--json", "--quiet").stdout)
    assert (branch["answer"], len(endpoint.requests)) == ("3 of 20", 0), "a branch of the branch, from the store"
    assert "1 edited" in run("trace", "show", "last").stdout
    assert "↳ turn 2, call 4: another reply · How many?" in run("trace", "list", COLUMNS="120").stdout

    (folder / "code.py").write_text("FINAL('mine')")
    done = run("rerun", f"{run_id}/t2", "--code", "code.py", "--quiet")
    assert (done.returncode, done.stdout.strip(), endpoint.requests) == (0, "mine", [])
    done = run("rerun", run_id, "--hint", "Hurry.", "--quiet")
    assert (done.stdout.strip(), len(endpoint.of("root")), len(endpoint.of("sub"))) == ("2 of 20", 3, 0)
    done = run("rerun", f"{run_id}/t2/c8", "--model", "other", "--quiet")
    assert (done.stdout.strip(), [request.model for request in endpoint.requests]) == ("2 of 20", ["other"])


def test_the_models_are_those_it_was_asked_with_whatever_the_environment_says_now(asked, endpoint, folder, run_cli):
    run_id, _ = asked
    elsewhere = {name: value for name, value in endpoint.environ.items() if not name.startswith("RLM_")}
    (folder / "prompt.txt").write_text("another one: 7")
    endpoint.requests.clear()
    done = run_cli("rerun", f"{run_id}/t2/c3", "--prompt", "prompt.txt", "--quiet", **elsewhere)
    assert (done.returncode, done.stdout.strip()) == (0, "3 of 20"), done.stderr
    assert [(each.role, each.model) for each in endpoint.requests] == [("sub", "sub-model"), ("root", "root-model")]
    endpoint.requests.clear()
    done = run_cli("rerun", run_id, "--prompt", "prompt.txt", "--quiet", **elsewhere)
    assert done.returncode == 0, done.stderr
    assert {each.model for each in endpoint.of("root")} == {"root-model"}


def test_what_cannot_be_done_is_said(asked, folder, run_cli):
    run_id, run = asked
    bad = folder / "bad.py"
    bad.write_bytes(b"\xff\xfe\x00")
    for words, said in [
        ((f"{run_id}/t9", "--again"), "There is no node"),
        (("run-nothing", "--again"), "There is no run"),
        ((f"{run_id}/t1", "--prompt", "x"), "cannot be read"),
        ((run_id, "--code", "-"), "does not fit a question"),
        (("", "--again"), "No run is named."),
        ((f"{run_id}/t1", "--code", bad), "it is not UTF-8 text"),
        ((run_id,), "one of the arguments"),
        ((run_id, "--again", "--hint", "x"), "not allowed with"),
    ]:
        done = run("rerun", *words)
        assert (done.returncode, done.stdout) == (2, ""), done
        assert said in done.stderr


def test_a_state_that_cannot_be_restored(run_cli, tale, endpoint, folder):
    cells = ["import time\nt = time.time_ns()\nprint(t)", "u = 1", "FINAL(u)"]
    endpoint.root(lambda messages: cell(cells[sum(message["role"] == "assistant" for message in messages)]))
    run_cli("ask", "q", tale, "--quiet", **endpoint.environ)
    asked = len(endpoint.requests)
    (folder / "code.py").write_text("u = 2")
    done = run_cli("rerun", "last/t2", "--code", "code.py", "--quiet", **endpoint.environ)
    assert (done.returncode, len(endpoint.requests)) == (2, asked)
    assert "cannot be restored exactly" in done.stderr
    assert "--anyway" in done.stderr
    assert "import time" in done.stderr
    done = run_cli("rerun", "last/t2", "--code", "code.py", "--quiet", "--anyway", **endpoint.environ)
    assert (done.returncode, done.stdout.strip()) == (0, "2"), done.stderr
