"""Help, usage errors, versions."""

from __future__ import annotations

import subprocess
import sys

import pytest

COMMANDS = ["demo", "ask", "lab", "run", "doctor"]


def is_one_line(text: str) -> bool:
    return text.count("\n") == 1 and text.startswith("rlm-kernel") and "Traceback" not in text


def test_help_names_every_command(run_cli):
    done = run_cli("--help")
    assert done.returncode == 0
    for command in COMMANDS:
        assert f"    {command} " in done.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(run_cli, command):
    done = run_cli(command, "--help")
    assert done.returncode == 0
    assert done.stdout.startswith(f"usage: rlm-kernel {command}")


def test_help_does_not_wait_for_what_it_does_not_need():
    heavy = "rich, openai, IPython, jupyter_client, nbformat, anywidget, aiohttp, jupyterlab"
    code = (
        "import sys; from rlm_kernel.cli.main import make_parser; make_parser().format_help(); "
        f"print([name for name in {heavy.split(', ')} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30)
    assert done.stdout == "[]\n", done.stderr


@pytest.mark.parametrize(
    "words",
    [
        ["nonsense"],
        ["ask"],
        ["ask", "only a question"],
        ["ask", "q", "file", "--unknown"],
        ["doctor", "extra"],
        ["run"],
    ],
)
def test_wrong_usage_is_one_line_that_names_the_help(run_cli, words):
    done = run_cli(*words)
    assert done.returncode == 2
    assert done.stdout == ""
    assert is_one_line(done.stderr)
    assert "--help" in done.stderr


def test_no_command_shows_the_help(run_cli):
    done = run_cli()
    assert done.returncode == 2
    assert "commands:" in done.stderr


def test_version(run_cli):
    done = run_cli("--version")
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) == 1


def test_what_stands_after_two_dashes_is_for_lab():
    from rlm_kernel.cli.main import split_rest

    assert split_rest(["lab", "a.ipynb", "--", "--port", "1"]) == (["lab", "a.ipynb"], ["--port", "1"])
    assert split_rest(["lab", "--", "--help"]) == (["lab"], ["--help"])
    assert split_rest(["ask", "--", "-5?", "f"]) == (["ask", "--", "-5?", "f"], [])


def test_closed_streams_are_no_error(environ, tale):
    command = '"$0" -m rlm_kernel ask --quiet "How many lines are there?" "$1" >&- 2>&-'
    done = subprocess.run(["sh", "-c", command, sys.executable, str(tale)], env=environ, timeout=90)
    assert done.returncode == 0
