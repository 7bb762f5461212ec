"""The build step: what is built once is used again, and a missing Node.js is told with its remedies."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from types import ModuleType

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def hook() -> ModuleType:
    spec = importlib.util.spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["hatch_build"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Sources of an extension."""
    folder = tmp_path / "labextension"
    for name in ("src/index.ts", "style/base.css", "schema/plugin.json", "package.json", "yarn.lock", "tsconfig.json"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"{name}\n")
    return folder


def test_the_hash_tells_contents_and_names(hook: ModuleType, source: Path) -> None:
    first = hook.hash_of(source)
    assert hook.hash_of(source) == first
    (source / "src/index.ts").write_text("changed\n")
    changed = hook.hash_of(source)
    assert changed != first
    (source / "src/index.ts").rename(source / "src/other.ts")
    assert hook.hash_of(source) not in (first, changed)


def test_the_hash_does_not_tell_line_endings(hook: ModuleType, source: Path) -> None:
    first = hook.hash_of(source)
    (source / "package.json").write_bytes(b"package.json\r\n")
    assert hook.hash_of(source) == first


def test_what_was_built_from_the_same_sources_needs_no_node(
    hook: ModuleType, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "out"
    output.mkdir()
    (output / "package.json").write_text("{}")
    (output / hook.STAMP).write_text(hook.hash_of(source))
    monkeypatch.setenv("PATH", str(tmp_path))
    hook.ensure_built(source, output)
    (source / "package.json").write_text("{}")
    with pytest.raises(hook.LabExtensionError, match="Node"):
        hook.ensure_built(source, output)


def test_without_node_the_remedies_are_named(hook: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(hook.LabExtensionError) as caught:
        hook.check_node()
    for remedy in ("Node.js 20 or newer", "the wheel", "RLM_SKIP_LABEXTENSION=1"):
        assert remedy in str(caught.value)


def test_an_old_node_is_told(hook: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    node = tmp_path / "node"
    node.write_text("#!/bin/sh\necho v16.20.2\n")
    node.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(hook.LabExtensionError, match=r"says v16\.20\.2"):
        hook.check_node()
