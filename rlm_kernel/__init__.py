"""Recursive language models in a Jupyter notebook.

The names below are public; everything else may change. They are imported when first used, so that the processes of a
notebook start no slower than they must.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rlm_kernel.api import Run, ask
    from rlm_kernel.contexts.document import Document
    from rlm_kernel.contexts.load import load
    from rlm_kernel.engine.control import Control
    from rlm_kernel.engine.edits import Edit
    from rlm_kernel.engine.executor import CellRequest, CellResult, Executor
    from rlm_kernel.engine.observer import Observer
    from rlm_kernel.engine.session import Session
    from rlm_kernel.engine.settings import Settings
    from rlm_kernel.errors import (
        AuthError,
        BadReplyError,
        ContextError,
        Diverged,
        EndpointError,
        InputError,
        LimitExceeded,
        ModelError,
        NamespaceDied,
        NotApproved,
        RequestRefusedError,
        RlmError,
        UnknownModelError,
    )
    from rlm_kernel.host.executor import ProcessExecutor
    from rlm_kernel.messages import Message, ModelReply, ModelRequest
    from rlm_kernel.models.base import Model
    from rlm_kernel.models.openai import OpenAIModel
    from rlm_kernel.models.registry import Registry
    from rlm_kernel.models.scripted import ScriptedModel
    from rlm_kernel.models.tutor import TutorModel
    from rlm_kernel.trace.records import Node
    from rlm_kernel.trace.tree import Tree
    from rlm_kernel.usage import Limits, Usage

_HOMES = {
    "api": ("Run", "ask"),
    "contexts.document": ("Document",),
    "contexts.load": ("load",),
    "engine.control": ("Control",),
    "engine.edits": ("Edit",),
    "engine.executor": ("CellRequest", "CellResult", "Executor"),
    "engine.observer": ("Observer",),
    "engine.session": ("Session",),
    "engine.settings": ("Settings",),
    "errors": (
        "AuthError",
        "BadReplyError",
        "ContextError",
        "Diverged",
        "EndpointError",
        "InputError",
        "LimitExceeded",
        "ModelError",
        "NamespaceDied",
        "NotApproved",
        "RequestRefusedError",
        "RlmError",
        "UnknownModelError",
    ),
    "host.executor": ("ProcessExecutor",),
    "messages": ("Message", "ModelReply", "ModelRequest"),
    "models.base": ("Model",),
    "models.openai": ("OpenAIModel",),
    "models.registry": ("Registry",),
    "models.scripted": ("ScriptedModel",),
    "models.tutor": ("TutorModel",),
    "trace.records": ("Node",),
    "trace.tree": ("Tree",),
    "usage": ("Limits", "Usage"),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "AuthError",
    "BadReplyError",
    "CellRequest",
    "CellResult",
    "ContextError",
    "Control",
    "Diverged",
    "Document",
    "Edit",
    "EndpointError",
    "Executor",
    "InputError",
    "LimitExceeded",
    "Limits",
    "Message",
    "Model",
    "ModelError",
    "ModelReply",
    "ModelRequest",
    "NamespaceDied",
    "Node",
    "NotApproved",
    "Observer",
    "OpenAIModel",
    "ProcessExecutor",
    "Registry",
    "RequestRefusedError",
    "RlmError",
    "Run",
    "ScriptedModel",
    "Session",
    "Settings",
    "Tree",
    "TutorModel",
    "UnknownModelError",
    "Usage",
    "ask",
    "load",
]


def __getattr__(name: str) -> object:
    """Import a public name when it is first used."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """Give the public names."""
    return sorted({*globals(), *__all__})
