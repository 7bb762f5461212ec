"""Cells and fan-outs that a person approves: at a terminal, and where nobody is there."""

from __future__ import annotations

import os
import re
import select
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from tests.cli.conftest import COMMAND
from tests.cli.test_cli_notebooks import write

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

ACTS = "Save it.\n\n```python\nwith open('kept.txt', 'w') as f:\n    f.write('by the model')\nprint('saved')\n```"
FAN = "Ask.\n\n```python\nr = llm_query_batched(['a?', 'b?', 'c?', 'd?'])\nprint(len(r))\n```"
DONE = "```python\nFINAL('The whale won.')\n```"


def test_without_a_person_the_command_ends_with_code_5_and_says_what_to_give(run_cli, tale, script, folder):
    done = run_cli("ask", "Who won?", tale, "--approve", "risky", "--model", script(ACTS, DONE))
    assert done.returncode == 5
    last = done.stderr.strip().splitlines()[-1]
    assert "Line 1 writes a file: open('kept.txt', 'w')" in last
    assert "--policy allow" in last
    assert "--policy refuse" in last
    assert "%rlm" not in last
    assert not (folder / "kept.txt").exists()


@pytest.mark.parametrize("policy", ["allow", "refuse"])
def test_a_policy_decides_without_a_person(run_cli, tale, script, folder, policy):
    words = ["--approve", "risky", "--policy", policy, "--model", script(ACTS, DONE)]
    done = run_cli("ask", "Who won?", tale, *words)
    assert (done.returncode, done.stdout) == (0, "The whale won.\n")
    assert (folder / "kept.txt").exists() == (policy == "allow")
    assert ("it was refused" in done.stderr) == (policy == "refuse")
    assert "print('saved')" in done.stderr, "the whole cell is shown either way"


def test_a_notebook_without_a_person_ends_with_code_5(run_cli, folder, script, kernelspecs):
    model = script(ACTS, DONE)
    write(folder / "n.ipynb", "context = 'x'", f"%%rlm --approve risky --model {model}\nWho won?", "print('never')")
    done = run_cli("run", "n.ipynb", JUPYTER_PATH=str(kernelspecs))
    assert done.returncode == 5, done.stderr
    assert "Line 1 writes a file" in done.stderr
    assert not (folder / "kept.txt").exists()
    done = run_cli("run", "n.ipynb", "--policy", "allow", "-o", "out.ipynb", JUPYTER_PATH=str(kernelspecs))
    assert done.returncode == 0, done.stderr
    assert (folder / "kept.txt").read_text() == "by the model"


class Terminal:
    """A command at a terminal of its own."""

    def __init__(self, words: list[str], folder: Path, environ: dict[str, str]) -> None:
        import pty

        self.descriptor, theirs = pty.openpty()
        self.process = subprocess.Popen(
            [*COMMAND, *words],
            cwd=folder,
            env=environ | {"COLUMNS": "100", "LINES": "40"},
            stdin=theirs,
            stdout=subprocess.PIPE,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)
        self.text = ""
        self._seen = 0

    def wait_for(self, text: str) -> None:
        """Read until a text stands there that was not waited for before."""
        deadline = time.monotonic() + 60
        while text not in self.text[self._seen :]:
            assert time.monotonic() < deadline, self.text
            if select.select([self.descriptor], [], [], 0.5)[0]:
                try:
                    raw = os.read(self.descriptor, 65536)
                except OSError:
                    raw = b""
                assert raw, f"{text!r} never came: {self.text}"
                self.text += re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", raw.decode("utf-8", "replace"))
        self._seen = self.text.index(text, self._seen) + len(text)

    def type(self, line: str) -> None:
        os.write(self.descriptor, f"{line}\n".encode())

    def end(self) -> tuple[int, str]:
        """Give exit code and standard output."""
        deadline = time.monotonic() + 60
        while self.process.poll() is None:
            assert time.monotonic() < deadline, self.text
            if select.select([self.descriptor], [], [], 0.1)[0]:
                try:
                    self.text += os.read(self.descriptor, 65536).decode("utf-8", "replace")
                except OSError:
                    break
        assert self.process.stdout is not None
        return self.process.wait(30), self.process.stdout.read().decode()

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()
        os.close(self.descriptor)


@pytest.fixture
def terminal(folder: Path, environ: dict[str, str]) -> Iterator[Callable[..., Terminal]]:
    made: list[Terminal] = []

    def start(*words: object, **set_: str) -> Terminal:
        made.append(Terminal([*map(str, words)], folder, environ | set_))
        return made[-1]

    yield start
    for each in made:
        each.close()


pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no pseudo-terminals")


def test_a_person_at_a_terminal_refuses_edits_and_cuts(terminal, tale, script, folder, tmp_path):
    editor = tmp_path / "editor.sh"
    editor.write_text("#!/bin/sh\nsed -i 's/by the model/by the person/' \"$1\"\n")
    editor.chmod(0o700)
    words = ["--approve", "risky", "--quote", "2", "--model", script(ACTS, ACTS.replace("Save", "Now save"), FAN, DONE)]
    shown = terminal("ask", "Who won?", tale, *words, EDITOR=str(editor))
    shown.wait_for("Line 1 writes a file: open('kept.txt', 'w')")
    shown.wait_for("Run it? [y]es  [n]o  [e]dit  [a]lways: ")
    shown.type("perhaps")
    shown.wait_for("Run it? [y]es")
    assert not (folder / "kept.txt").exists()
    shown.type("n")
    shown.wait_for("Why not?")
    shown.type("No files, please.")
    shown.wait_for("it was refused. No files, please.")
    shown.wait_for("Run it? [y]es")
    shown.type("e")
    shown.wait_for("changed to")
    shown.wait_for("by the person")
    shown.wait_for("4 calls to ")
    shown.wait_for("Ask? [y]es  [n]o  [a]lways, or only the first (a number): ")
    shown.type("9")
    shown.wait_for("from 1 to 4")
    shown.wait_for("Ask? [y]es")
    shown.type("2")
    assert shown.end() == (0, "The whale won.\n")
    assert (folder / "kept.txt").read_text() == "by the person"
    assert "2 failed" in shown.text
    assert (shown.text.count("Run it?"), shown.text.count("Ask?")) == (3, 2), (
        "nothing is asked once more when it is decided"
    )


@pytest.mark.parametrize("how", ["ctrl-c", "ctrl-d"])
def test_leaving_at_the_question_ends_the_run(terminal, tale, script, how):
    shown = terminal("ask", "Who won?", tale, "--approve", "each", "--model", script(ACTS, DONE))
    shown.wait_for("Run it? [y]es")
    if how == "ctrl-c":
        shown.process.send_signal(signal.SIGINT)
    else:
        os.write(shown.descriptor, b"\x04")
    code, out = shown.end()
    assert (code, out) == (130, "")
    assert "Traceback" not in shown.text
