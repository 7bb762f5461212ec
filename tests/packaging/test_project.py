"""The project's own files agree with each other."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
LAB = ROOT / "labextension"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def test_the_extension_lands_where_it_is_looked_for() -> None:
    package = json.loads((LAB / "package.json").read_text())
    assert (
        package["name"] == PROJECT["project"]["name"] == json.loads((ROOT / "install.json").read_text())["packageName"]
    )
    assert package["license"] == PROJECT["project"]["license"]
    assert (LAB / package["jupyterlab"]["outputDir"]).resolve() == ROOT / "rlm_kernel" / "labextension"


def test_locked_npm_packages_name_no_host() -> None:
    assert re.findall(r"https?://\S+", (LAB / "yarn.lock").read_text()) == []


def test_the_page_knows_the_messages_of_the_protocol() -> None:
    told = (ROOT / "docs" / "protocol.md").read_text()
    section = told.split("## Kernel to page")[1].split("\nAn entry of")[0]
    documented = set(re.findall(r"^\| `(\w+)`", section, re.MULTILINE))
    listed = re.search(
        r"TYPES: ReadonlySet<string> = new Set<FromKernel\['type'\]>\(\[(.*?)\]\)",
        (LAB / "src/protocol.ts").read_text(),
        re.S,
    )
    assert listed
    assert set(re.findall(r"'(\w+)'", listed[1])) == documented


def test_the_kernelspec_marks_the_kernel_for_the_page() -> None:
    spec = json.loads((ROOT / "rlm_kernel/kernel/spec/kernel.json").read_text())
    assert spec["metadata"]["rlm"] is True
    assert spec["argv"][0] == "python"
    assert spec["argv"][-4:] == ["-m", "rlm_kernel.kernel", "-f", "{connection_file}"]


def test_every_shortcut_and_menu_entry_has_a_command() -> None:
    schema = json.loads((LAB / "schema/plugin.json").read_text())
    commands = "".join((LAB / f"src/{name}.ts").read_text() for name in ("commands", "cellcommands"))
    steering = {f"rlm:{name}" for name in re.findall(r"make\('(\w+)'", commands)}
    known = set(re.findall(r"'(rlm:[\w-]+)'", commands)) | steering
    assert {shortcut["command"] for shortcut in schema["jupyter.lab.shortcuts"]} <= known
