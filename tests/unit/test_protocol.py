"""The messages between page and kernel: what comes from a page is checked, and the page's types are the kernel's."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from rlm_kernel.engine.settings import Settings
from rlm_kernel.errors import InputError
from rlm_kernel.kernel import protocol
from rlm_kernel.kernel.orders import limit_options, read_order, read_undo
from rlm_kernel.kernel.reading import COMMANDS, PageCommand, read_go
from rlm_kernel.kernel.rerunline import is_rerun, read_rerun, rerun_line

TOP = Path(__file__).parents[2]


def test_the_types_of_the_page_are_up_to_date() -> None:
    script = TOP / "labextension" / "generate_types.py"
    done = subprocess.run([sys.executable, script, "--check"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{done.stdout}{done.stderr}: run python labextension/generate_types.py"


def test_every_message_is_described() -> None:
    page = (TOP / "docs" / "protocol.md").read_text(encoding="utf-8")
    of_kernel = {*protocol.RunMessages.__annotations__, "hello_ack", "dock", "quoted", "problem", "undone", "jump"}
    missing = [name for name in sorted(of_kernel | COMMANDS) if f"`{name}`" not in page]
    assert not missing


def test_each_command_of_a_page_is_read_and_no_other() -> None:
    for name in COMMANDS:
        assert PageCommand.read({"type": name}).type == name
    assert PageCommand.read({"type": "run_code", "text": "x"}).type == ""
    assert PageCommand.read({"type": ["quote"]}).type == ""


def test_fields_of_another_type_count_as_missing() -> None:
    read = PageCommand.read(
        {"type": "undo", "cell_id": 7, "replay": "yes", "edit": ["code"], "decision": {"first": True, "source": 1}}
    )
    assert (read.cell_id, read.replay, read.edit, read.decision) == ("", False, None, {})
    read = PageCommand.read({"type": "steer", "text": "x" * 1_000_001})
    assert read.text == ""
    edit = {"kind": "code", "text": "x = 1", "model": None, "anyway": True, "more": 1}
    assert PageCommand.read({"type": "quote", "edit": edit}).edit == {"kind": "code", "text": "x = 1", "anyway": True}


@pytest.mark.parametrize(
    "go",
    [
        None,
        "rerun",
        {"how": "eval"},
        {"how": "rerun", "node_id": "n"},
        {"how": "rerun", "edit": {"kind": "again"}},
        {"how": "rerun", "node_id": 1, "edit": {}},
    ],
)
def test_what_is_no_order_of_a_page_is_none(go: object) -> None:
    assert read_go({"rlm_go": go}) is None


def test_orders_of_a_page() -> None:
    edit = {"kind": "code", "text": "x"}
    go = {"how": "rerun", "node_id": "n", "edit": edit, "limits": {"turns": 3, "calls": True, "tokens": "9"}}
    assert read_go({"rlm_go": go}) == {"how": "rerun", "node_id": "n", "edit": edit, "limits": {"turns": 3}}
    assert read_go({"rlm_go": {"how": "continue"}}) == {"how": "continue", "run_id": "", "limits": {}}


def test_rerun_lines_are_read_as_they_are_written() -> None:
    for line in (
        "--again",
        "--model 'a model'",
        "--code\nx = 1\ny = 2",
        "--hint --model m\nLook.",
        "--reply --anyway\nA",
    ):
        code = f"%rlm rerun run-1/t2 {line}"
        read = read_rerun(code, Settings())
        assert is_rerun(code)
        assert (read.node_id, rerun_line(read.node_id, read.edit)) == ("run-1/t2", code)
    read = read_rerun("%rlm rerun t1 --again --max-turns 3", Settings())
    assert (read.edit.kind, read.settings.limits.turns) == ("again", 3)


def test_the_text_of_a_rerun_may_come_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "cell.py").write_text("x = 1\n", encoding="utf-8")
    read = read_rerun(f"%rlm rerun t1 --code {tmp_path / 'cell.py'}", Settings())
    assert (read.edit.kind, read.edit.text) == ("code", "x = 1\n")


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("%rlm rerun", "needs the id"),
        ("%rlm rerun t1", "what is to change"),
        ("%rlm rerun t1 --code", "needs a value"),
        ("%rlm rerun t1 --code /none/such", "cannot be read"),
        ("%rlm rerun t1 --code --again\nx", "exclude each other"),
        ("%rlm rerun 't1", "cannot be read"),
        ("%rlm rerun t1 --again --nonsense", "no option --nonsense"),
    ],
)
def test_rerun_lines_that_cannot_be_used_say_why(code: str, why: str) -> None:
    with pytest.raises(InputError, match=why):
        read_rerun(code, Settings())


def test_whole_cells_that_are_orders() -> None:
    assert read_order("%rlm undo 12 --replay\n") is not None
    assert read_order("%rlm undo\nx = 1") is None, "Python runs in such a cell: it cannot be put back meanwhile"
    assert read_order("%rlm model") is None
    assert read_undo("12 --replay") == (12, True)
    assert read_undo("") == (None, False)
    with pytest.raises(InputError):
        read_undo("12 13")


def test_limits_are_written_as_options() -> None:
    assert limit_options({"turns": 5, "cost_usd": 2.5}) == ["--max-turns", "5", "--max-cost", "2.5"]
    with pytest.raises(InputError, match="no limit"):
        limit_options({"model": 1})
