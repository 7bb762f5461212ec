"""Build step: put the JupyterLab extension into the wheel and the sdist.

A source distribution carries the built extension, so Node.js is needed only for a clone of the repository. What was
built from the same sources is used again; a hash of the sources, kept beside the result, tells.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SKIP = "RLM_SKIP_LABEXTENSION"
NODE_MAJOR = 20
STAMP = "sources.sha256"
SOURCES = ("src", "style", "schema", "package.json", "yarn.lock", "tsconfig.json")
SHARE = "share/jupyter/labextensions/rlm-kernel"

NO_NODE = f"""
rlm-kernel: the JupyterLab extension has to be built and {{problem}}.
Do one of these:
  * install Node.js {NODE_MAJOR} or newer, then run the same command again;
  * install the wheel of a release: it carries the built extension and needs no Node.js;
  * set {SKIP}=1 to install without the extension: the kernel and the command line work, and in JupyterLab
    the model's cells are shown as output of the %%rlm cell.
"""


class LabExtensionError(RuntimeError):
    """The extension cannot be built here; the text says what to do."""


class LabExtensionHook(BuildHookInterface[Any]):
    """Builds `rlm_kernel/labextension` where it is missing or stale, and adds it to the wheel's shared data."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Run before each target is built.

        Args:
            version: "standard" or "editable".
            build_data: what hatchling lets a hook add to the build.
        """
        del version
        if os.environ.get(SKIP, "") not in ("", "0"):
            self.app.display_warning(f"{SKIP} is set: building without the JupyterLab extension")
            return
        root = Path(self.root)
        output = root / "rlm_kernel" / "labextension"
        ensure_built(root / "labextension", output)
        if self.target_name == "wheel":
            shared = build_data.setdefault("shared_data", {})
            shared[str(output)] = SHARE
            shared[str(root / "install.json")] = f"{SHARE}/install.json"


def ensure_built(source: Path, output: Path) -> None:
    """Build `output` from `source` unless it is there and fits."""
    wanted = hash_of(source)
    stamp = output / STAMP
    if stamp.is_file() and stamp.read_text().strip() == wanted and (output / "package.json").is_file():
        return
    check_node()
    jlpm = shutil.which("jlpm") or str(Path(sys.executable).with_name("jlpm"))
    for arguments in (["install", "--immutable"], ["build:prod"]):
        done = subprocess.run([jlpm, *arguments], cwd=source, check=False)
        if done.returncode:
            raise LabExtensionError(f"`jlpm {' '.join(arguments)}` failed in {source.name}/; its messages stand above")
    stamp.write_text(wanted + "\n")


def check_node() -> None:
    """Raise where there is no Node.js, or one that is too old."""
    node = shutil.which("node") or shutil.which("nodejs")
    if node is None:
        raise LabExtensionError(NO_NODE.format(problem="no Node.js was found on PATH"))
    told = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout.strip()
    major = re.match(r"v(\d+)", told)
    if major is None or int(major[1]) < NODE_MAJOR:
        raise LabExtensionError(NO_NODE.format(problem=f"the Node.js found says {told or 'nothing'} as its version"))


def hash_of(source: Path) -> str:
    """Hash names and contents of all that goes into the build."""
    digest = hashlib.sha256()
    for name in SOURCES:
        top = source / name
        files = sorted(path for path in top.rglob("*") if path.is_file()) if top.is_dir() else [top]
        for path in files:
            content = path.read_bytes().replace(b"\r\n", b"\n")
            digest.update(f"{path.relative_to(source).as_posix()}\0{len(content)}\0".encode())
            digest.update(content)
    return digest.hexdigest()
