"""The command line as a person runs it: in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.server import endpoint  # noqa: F401 - a fixture

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "rlm_kernel"]
OURS = ("RLM_", "OPENAI_")

TEXT = "\n".join(["A tale of ships.", *[f"Line {number} of the tale." for number in range(2, 200)], "The whale won."])


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """An environment in which nothing of ours is set, and nothing of the person's home is seen."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    environ.pop("COLUMNS", None)
    environ |= {"PYTHONPATH": str(ROOT), "RLM_TUTOR_PACE": "0", "NO_PROXY": "127.0.0.1", "TERM": "xterm-256color"}
    environ |= {"IPYTHONDIR": str(tmp_path / "ipython"), "RLM_STORE": str(tmp_path / "store" / "runs.sqlite3")}
    return environ


@pytest.fixture
def run_cli(environ: dict[str, str], folder: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run a command in an empty folder; keywords are set in its environment."""

    def run(*words: object, **set_: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*COMMAND, *map(str, words)],
            cwd=folder,
            env=environ | set_,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=90,
        )

    return run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The empty folder in which commands run."""
    path = tmp_path / "here"
    path.mkdir()
    return path


@pytest.fixture
def tale(tmp_path: Path) -> Path:
    """A small document."""
    path = tmp_path / "tale.txt"
    path.write_text(TEXT, encoding="utf-8")
    return path


@pytest.fixture
def script(tmp_path: Path) -> Callable[..., str]:
    """Write the script of a model; gives its name for ``--model``."""

    def write(*replies: str, **fields: object) -> str:
        path = tmp_path / f"script-{len(list(tmp_path.glob('script-*')))}.json"
        path.write_text(json.dumps({"root": list(replies), "sub": "the whale", **fields}), encoding="utf-8")
        return f"scripted:{path}"

    return write
