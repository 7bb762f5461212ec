"""``rlm-kernel ask``: what it prints, what it writes, how it ends."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import zipfile

import nbformat
import pytest

from tests.processes import alive

LOOK = "I look at the size first.\n```python\nprint(len(context))\n```"
ASK_SUB = "```python\nreplies = llm_query_batched(['who won? ' + str(n) for n in range(3)])\nprint(replies)\n```"
DONE = "Now I know.\n```python\nFINAL('The whale won.')\n```"
SLEEP = "I wait.\n```python\nanswer['content'] = 'so far'\nprint('waits', flush=True)\nimport time\ntime.sleep(60)\n```"
CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
USAGE_KEYS = {"input_tokens", "cached_tokens", "output_tokens", "calls", "cost_usd", "seconds"}


def nodes_of(tree):
    yield tree
    for child in tree["children"]:
        yield from nodes_of(child)


def test_the_answer_is_on_standard_output_and_the_rest_on_the_other(run_cli, tale, script):
    done = run_cli("ask", "Who won?", tale, "--model", script(LOOK, ASK_SUB, DONE))
    assert done.returncode == 0, done.stderr
    assert done.stdout == "The whale won.\n"
    for expected in ("turn 1", "I look at the size first.", "    print(len(context))", "call tree", "3 calls", "free"):
        assert expected in done.stderr
    assert not CONTROLS.search(done.stdout + done.stderr)


def test_quiet_prints_the_answer_only(run_cli, tale, script):
    done = run_cli("ask", "Who won?", tale, "--quiet", "--model", script(DONE))
    assert (done.returncode, done.stdout, done.stderr) == (0, "The whale won.\n", "")


def test_citations_stand_below_the_answer(run_cli, tale, script):
    answer = "“Line 7 of the tale” [tale.txt:7] and “Line 7000 of the tale”."
    model = script(f"I cite.\n\n```python\nllm_query(context[:100])\nFINAL({answer!r})\n```")
    done = run_cli("ask", "Which line?", tale, "--model", model)
    assert done.stdout.split("\n") == [
        answer,
        "",
        "✓ Line 7 of the tale: found: tale.txt, line 7 · characters 117 to 135",
        "✓ [tale.txt:7]: found: tale.txt, line 7 · characters 117 to 136",
        "≈ Line 7000 of the tale: found with differences: tale.txt, line 2 · characters 17 to 35 "
        "(“7000” stands as “2”)",
        "",
    ]
    result = json.loads(run_cli("ask", "Which line?", tale, "--json", "--model", model).stdout)
    assert [each["status"] for each in result["citations"]] == ["found", "found", "differs"]
    assert result["citations"][0]["place"] == [117, 135]
    assert result["coverage"]["spans"][0][:2] == [0, 100]


def test_json_is_one_object_with_the_sums_and_the_tree(run_cli, tale, script):
    done = run_cli("ask", "Who won?", tale, "--json", "--model", script(LOOK, ASK_SUB, DONE))
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert set(result) == {"answer", "status", "usage", "citations", "coverage", "tree"}
    assert (result["citations"], result["coverage"]["calls"]) == ([], 0)
    assert result["answer"] == "The whale won."
    assert result["status"] == "answered"
    assert set(result["usage"]) == USAGE_KEYS
    tree = result["tree"]
    assert [tree["kind"], *[child["kind"] for child in tree["children"]]] == ["run", "turn", "turn", "turn"]
    assert [call["kind"] for call in tree["children"][1]["children"]] == ["call"] * 3
    every = list(nodes_of(tree))
    assert len({node["id"] for node in every}) == len(every) == 7
    for key in ("input_tokens", "output_tokens", "calls", "cached_tokens"):
        assert sum(node["usage"][key] for node in every) == tree["total"][key] == result["usage"][key]
    assert result["usage"]["calls"] == 6
    assert "turn 1" in done.stderr


def test_json_and_quiet_leave_standard_error_empty(run_cli, tale, script):
    done = run_cli("ask", "Who won?", tale, "--json", "--quiet", "--model", script(DONE))
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["answer"] == "The whale won."


def test_the_notebook_holds_the_model_cells(run_cli, folder, tale, script):
    done = run_cli("ask", "Who won?", tale, "--notebook", "out.ipynb", "--model", script(LOOK, DONE))
    assert done.returncode == 0, done.stderr
    assert "rlm-kernel lab out.ipynb" in done.stderr
    notebook = nbformat.read(folder / "out.ipynb", as_version=4)
    nbformat.validate(notebook)
    assert notebook.metadata.kernelspec.name == "rlm"
    sources = [cell.source for cell in notebook.cells]
    assert sources[0] == f"load({str(tale)!r})"
    assert sources[1].startswith("%%rlm")
    assert sources[1].endswith("Who won?")
    assert "print(len(context))" in sources
    assert "FINAL('The whale won.')" in sources
    printed = next(cell for cell in notebook.cells if cell.source == "print(len(context))")
    assert printed.outputs[0].text == f"{len(tale.read_text())}\n"


def test_a_notebook_that_exists_is_left_alone(run_cli, folder, tale, script):
    (folder / "mine.ipynb").write_text("mine")
    model = script(DONE, DONE)
    done = run_cli("ask", "Who won?", tale, "--notebook", "mine.ipynb", "--model", model)
    assert done.returncode == 2
    assert "--overwrite" in done.stderr
    assert (folder / "mine.ipynb").read_text() == "mine"
    done = run_cli("ask", "Who won?", tale, "--notebook", "mine.ipynb", "--overwrite", "--model", model)
    assert done.returncode == 0, done.stderr
    assert "Replaced mine.ipynb" in done.stderr
    nbformat.validate(nbformat.read(folder / "mine.ipynb", as_version=4))


def test_several_files_are_one_document_with_files(run_cli, tmp_path, tale, script):
    other = tmp_path / "other" / "tale.txt"
    other.parent.mkdir()
    other.write_text("Another tale.")
    log = tmp_path / "ships.log"
    log.write_text("one ship\n")
    show = "```python\nFINAL(repr({name: str(text)[:7] for name, text in context.files.items()}))\n```"
    done = run_cli("ask", "Which?", tale, other, log, "--model", script(show))
    assert done.returncode == 0, done.stderr
    own = f"{tale.parent.name}/tale.txt"
    assert done.stdout.strip() == repr({own: "A tale ", "other/tale.txt": "Another", "ships.log": "one shi"})


def test_a_file_whose_name_begins_with_a_tilde(run_cli, folder):
    (folder / "~tale.txt").write_text("One line.\n")
    assert "**1** line" in run_cli("ask", "How many lines are there?", "~tale.txt").stdout
    gone = run_cli("ask", "How many lines are there?", "~no-such-one/a.txt")
    assert (gone.returncode, "there is no folder ~no-such-one" in gone.stderr) == (2, True)


def test_folders_patterns_and_zips(run_cli, folder, tmp_path, tale, script):
    (folder / "docs" / "deep").mkdir(parents=True)
    (folder / "docs" / "a.md").write_text("# A\n\ntext\n")
    (folder / "docs" / "deep" / "b.txt").write_text("bee\n")
    (folder / "docs" / "deep" / "c.bin").write_bytes(bytes(range(256)))
    with zipfile.ZipFile(folder / "pack.zip", "w") as archive:
        archive.writestr("in/side.txt", "packed")
    show = "```python\nFINAL(repr([context.files.keys(), list(context.notes)]))\n```"
    done = run_cli("ask", "Which?", folder / "[d]ocs" / "**" / "*.md", "docs", "pack.zip", "--model", script(show))
    assert done.returncode == 0, done.stderr
    names = ["here/docs/a.md", "docs/deep/b.txt", "pack.zip/in/side.txt"]
    notes = ["docs: a.md named twice, loaded once.", "docs: deep/c.bin left out: it is no text: its bytes are binary."]
    assert done.stdout.strip() == repr([names, notes])


def test_standard_input(environ, folder, script):
    show = "```python\nFINAL(context.at(8) + ': ' + context[8:])\n```"
    model = script(show, show)

    def ask(*words, given=b"one ship\ntwo ships\n"):
        command = [sys.executable, "-m", "rlm_kernel", "ask", "Which?", *words, "--model", model]
        return subprocess.run(command, cwd=folder, env=environ, input=given, capture_output=True, timeout=90)

    environ["XDG_CACHE_HOME"] = str(folder / "cache")
    done = ask("-", "--notebook", "out.ipynb")
    assert done.returncode == 0, done.stderr
    assert done.stdout.decode().strip() == "out-stdin, line 1: \ntwo ships"
    assert (folder / "out-stdin").read_bytes() == b"one ship\ntwo ships\n", "what the notebook loads is kept"
    done = ask("-")
    assert done.stdout.decode().strip() == "stdin, line 1: \ntwo ships"
    assert [path for path in (folder / "cache").rglob("*") if path.is_file()] == []
    assert b"Standard input is empty" in ask("-", given=b" ").stderr
    assert b"is there twice" in ask("-", "-").stderr


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["Who?", "missing.txt"], "missing.txt is not there."),
        (["Who?", "binary.tx"], "Did you mean binary.txt?"),
        (["Who?", ""], "A path is empty."),
        (["Who?", "x" * 5000], "cannot be found: File name too long."),
        (["Who?", "http://x/y"], "http://x/y is an address; load reads files. Download it first."),
        (["Who?", "-d.txt"], "PATH; a file whose name begins with - is written ./-name. See"),
        (["Who?", "gone.lnk"], "gone.lnk is a link that leads nowhere. Load what it is meant to lead to."),
        (["Who?", "loop.lnk"], "loop.lnk is a link that leads nowhere."),
        (["Who?", "."], "no readable files"),
        (["Who?", "*.md"], "matches no file"),
        (["   ", "missing.txt"], "question is empty"),
        (["binary.txt", "What is this?"], "The question comes first: rlm-kernel ask QUESTION PATH"),
        (["Who?", "missing.txt", "--max-cost", "much"], "--max-cost"),
        (["Who?", "missing.txt", "--max-turns", "0"], "--max-turns"),
        (["Who?", "binary.txt"], "binary.txt"),
        (["Who?", "plain.txt", "--model", "scripted:no.json"], "the path of a JSON file with `root`"),
        (["Who?", "plain.txt", "--sub-model", "scripted:no.json"], "no.json cannot be read"),
        (["Who?", "binary.txt", "--notebook", "out.txt"], ".ipynb"),
        (["Who?", "binary.txt", "--notebook", "no/where.ipynb"], "folder"),
    ],
)
def test_what_cannot_be_used_is_one_line_and_code_2(run_cli, folder, words, expected):
    (folder / "binary.txt").write_bytes(bytes(range(256)) * 20)
    if words[-1].endswith(".lnk"):
        (folder / words[-1]).symlink_to(words[-1] if "loop" in words[-1] else "nothing.txt")
    if "plain.txt" in words:
        (folder / "plain.txt").write_text("A tale of ships.")
    done = run_cli("ask", "--quiet", "--json", *words)
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    assert expected in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert "Traceback" not in done.stderr


def test_no_answer_within_the_limits_is_code_3(run_cli, tale, script):
    done = run_cli("ask", "Who won?", tale, "--json", "--max-turns", "1", "--model", script(LOOK, DONE))
    assert done.returncode == 3
    result = json.loads(done.stdout)
    assert result["status"] == "limit"
    assert len(result["tree"]["children"]) == 1
    assert "--max-turns" in done.stderr
    assert "%rlm" not in done.stderr


def test_the_best_so_far_is_kept_at_a_limit(run_cli, tale, script):
    half = "```python\nanswer['content'] = 'Perhaps the whale.'\n```"
    done = run_cli("ask", "Who won?", tale, "--max-turns", "1", "--model", script(half, DONE))
    assert (done.returncode, done.stdout) == (3, "Perhaps the whale.\n")


def test_a_model_that_fails_is_code_4(run_cli, tale, script):
    done = run_cli("ask", "Who won?", tale, "--json", "--model", script(LOOK))
    assert done.returncode == 4
    result = json.loads(done.stdout)
    assert result["status"] == "failed"
    assert "no reply left" in result["tree"]["error"]
    assert "no reply left" in done.stderr


def test_a_refused_key_is_code_4_and_is_not_shown(run_cli, tale, endpoint):
    endpoint.root([DONE])
    endpoint.fault("401", times=None)
    done = run_cli("ask", "Who won?", tale, "--model", "root-model", **endpoint.environ)
    assert done.returncode == 4
    assert "key" in done.stderr
    assert endpoint.key not in done.stderr + done.stdout


def test_an_endpoint_answers(run_cli, tale, endpoint):
    endpoint.root([LOOK, ASK_SUB, DONE])
    endpoint.sub("the whale")
    words = ["--json", "--model", "root-model", "--sub-model", "sub-model"]
    done = run_cli("ask", "Who won?", tale, *words, **endpoint.environ)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["answer"] == "The whale won."
    assert len(endpoint.requests) == result["usage"]["calls"] == 6
    assert result["usage"]["cached_tokens"] > 0
    assert result["usage"]["cost_usd"] is None


@pytest.mark.skipif(sys.platform == "win32", reason="sends a signal")
@pytest.mark.parametrize("as_json", [False, True])
def test_ctrl_c_prints_what_there_is(environ, folder, tale, script, as_json):
    words = [sys.executable, "-m", "rlm_kernel", "ask", "Who won?", str(tale), "--model", script(SLEEP)]
    words += ["--json"] if as_json else []
    process = subprocess.Popen(
        words, cwd=folder, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        wait_for_cell(process)
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
    finally:
        process.kill()
    assert process.returncode == 130, err
    assert "Traceback" not in err
    if as_json:
        result = json.loads(out)
        assert result["status"] == "stopped"
        assert result["tree"]["children"][0]["kind"] == "turn"
    else:
        assert "call tree" in err


def wait_for_cell(process) -> None:
    """Read progress until the whole cell is on the screen: then it runs."""
    for line in process.stderr:
        if "time.sleep(60)" in line:
            return
    pytest.fail("the cell never came")


@pytest.mark.skipif(sys.platform == "win32", reason="a pipe of POSIX")
def test_a_reader_that_goes_away_ends_it_quietly(environ, folder, tale, script):
    replies = [f"Step {n}.\n```python\nprint({n})\n```" for n in range(15)]
    words = [sys.executable, "-m", "rlm_kernel", "demo", "--model", script(*replies, DONE, chunk=2, delay=0.01)]
    process = subprocess.Popen(
        words, cwd=folder, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        process.stdout.readline()
        process.stdout.close()
        err = process.stderr.read()
        code = process.wait(timeout=60)
    finally:
        process.kill()
        process.stderr.close()
    assert code == 141
    assert "Traceback" not in err
    assert "BrokenPipe" not in err


@pytest.mark.skipif(sys.platform == "win32", reason="a terminal of POSIX")
def test_a_terminal_shows_what_a_cell_prints_while_it_runs(environ, folder, tale, script):
    """Its last lines stand below, and are printed for good when it has ended."""
    lines = "print(*range(20), sep='\\n')\nprint('5 %', end='\\r')\nprint('9 %', '\\x1b[2Jne' + 'ar', end='')\n"
    wait = "import pathlib, time\nwhile not pathlib.Path('go-on').exists():\n    time.sleep(0.05)\n"
    words = ["ask", "Who won?", str(tale), "--model", script(f"I wait.\n```python\n{lines}{wait}\n```", DONE)]
    theirs, ours = os.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "rlm_kernel", *words],
        cwd=folder,
        env=environ | {"COLUMNS": "80", "LINES": "40"},
        stdin=ours,
        stdout=subprocess.DEVNULL,
        stderr=ours,
    )
    os.close(ours)
    try:
        shown = read_until(theirs, "near")
        (folder / "go-on").touch()
        after = read_until(theirs, "The whale won")
        assert process.wait(timeout=60) == 0
    finally:
        process.kill()
        os.close(theirs)
    assert " │ 17 │ 18 │ 19 │ 9 % near" in " ".join(CSI.sub("", shown).split())
    assert " │ 16" in CSI.sub("", after)
    assert "\x1b[2J" not in shown + after


CSI = re.compile(r"\x1b\[[\d;?]*[A-Za-z]")


def read_until(terminal: int, text: str) -> str:
    """Read what a terminal is sent, up to a text and what came with it."""
    got = b""
    while text.encode() not in got:
        got += os.read(terminal, 65_536)
    return got.decode(errors="replace")


def test_texts_cannot_steer_the_terminal(run_cli, tale, script):
    nasty = "Look \x1b[31m\x9b5n.\n```python\nprint('\\x1b]0;title\\x07\\x1b[2J' 'seen')\nFINAL('\\x1b[2Jclean')\n```"
    done = run_cli("ask", "Who \x1b[2Jwon?", tale, "--model", script(nasty))
    assert done.returncode == 0, done.stderr
    assert done.stdout == "clean\n"
    assert "seen" in done.stderr
    assert not CONTROLS.search(done.stdout + done.stderr)


def test_a_pipe_that_knows_only_ascii(run_cli, tale, script):
    done = run_cli(
        "ask", "Who won?", tale, "--model", script("```python\nFINAL('naïve — “whale”')\n```"), PYTHONIOENCODING="ascii"
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.isascii()
    assert "whale" in done.stdout


def test_the_tutor_answers_a_count(run_cli, tale):
    done = run_cli("ask", 'How many lines contain the word "whale"?', tale, "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert "1" in result["answer"]
    assert result["usage"]["cost_usd"] == 0


def test_no_process_is_left_behind(run_cli, tale, script):
    done = run_cli("ask", "Who won?", tale, "--model", script("```python\nimport os\nFINAL(str(os.getpid()))\n```"))
    assert done.returncode == 0, done.stderr
    pid = int(done.stdout)
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline and alive(pid):
        time.sleep(0.05)
    assert not alive(pid)


def test_what_is_read_can_be_said_and_what_is_left_out_is_told(run_cli, folder):
    (folder / "ragged.csv").write_text("a,b\n1\n")
    (folder / "old.txt").write_bytes("Grüße".encode("cp1252"))
    (folder / "blank.txt").write_text("")
    lines = "How many lines are there?"
    assert "load it as it is, with --kind text." in run_cli("ask", lines, "ragged.csv").stderr
    assert run_cli("ask", "--quiet", lines, "ragged.csv", "--kind", "text").stdout.startswith("**2** lines")
    old = run_cli("ask", "--quiet", 'How many lines contain "Grüße"?', "old.txt", "--encoding", "cp1252")
    assert old.stdout.startswith("**1** of 1 lines")
    every = run_cli("ask", "--quiet", lines, ".")
    assert every.stdout.startswith("**2** lines")
    assert every.stderr.splitlines() == [
        "rlm-kernel: blank.txt left out: it is empty.",
        "rlm-kernel: old.txt left out: it is not UTF-8 (byte 2, line 1).",
        "rlm-kernel: ragged.csv read as plain text: it has ragged rows: line 2 has 1 field, the first line 2.",
    ]
