"""The public names: a list, sorted, all of them there, and none of them dear to import."""

from __future__ import annotations

import subprocess
import sys

import pytest

import rlm_kernel

PUBLIC = [
    "AuthError", "BadReplyError", "CellRequest", "CellResult", "ContextError", "Control", "Diverged", "Document",
    "Edit", "EndpointError", "Executor", "InputError", "LimitExceeded", "Limits", "Message", "Model", "ModelError",
    "ModelReply", "ModelRequest", "NamespaceDied", "Node", "NotApproved", "Observer", "OpenAIModel",
    "ProcessExecutor", "Registry", "RequestRefusedError", "RlmError", "Run", "ScriptedModel", "Session", "Settings",
    "Tree", "TutorModel", "UnknownModelError", "Usage", "ask", "load",
]  # fmt: skip


def test_the_list() -> None:
    assert rlm_kernel.__all__ == PUBLIC
    assert sorted(PUBLIC) == PUBLIC
    assert set(PUBLIC) <= set(dir(rlm_kernel))


@pytest.mark.parametrize("name", PUBLIC)
def test_each_can_be_imported_and_is_documented(name: str) -> None:
    value = getattr(rlm_kernel, name)
    assert value.__name__ == name
    assert value.__doc__


def test_other_names_are_refused() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = rlm_kernel.nothing


def test_importing_the_package_imports_nothing_else() -> None:
    code = "import sys, rlm_kernel; print([name for name in sys.modules if name.startswith('rlm_kernel.')])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_the_engine_runs_without_jupyter() -> None:
    code = (
        "import sys, rlm_kernel; rlm_kernel.Session, rlm_kernel.Registry, rlm_kernel.Limits; "
        "print([name for name in ('IPython', 'zmq', 'traitlets', 'jupyter_client', 'openai') if name in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
