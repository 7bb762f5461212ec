"""Names of things, as types of their own, and where they come from."""

from __future__ import annotations

from typing import NewType
from uuid import uuid4

RunId = NewType("RunId", str)
"""One question; equals the id of the run's node."""
NodeId = NewType("NodeId", str)
"""One run, turn or call in the tree."""
CellId = NewType("CellId", str)
"""A notebook cell, as nbformat 4.5 has it: 1 to 64 of ``[a-zA-Z0-9-_]``."""
MsgId = NewType("MsgId", str)
"""A Jupyter message; a cell's output is published under it."""


def new_run_id() -> RunId:
    """Make the id of a run."""
    return RunId(f"run-{uuid4().hex[:12]}")


def new_cell_id() -> CellId:
    """Make the id of a notebook cell."""
    return CellId(str(uuid4()))


def new_msg_id() -> MsgId:
    """Make a message id for a cell that the kernel runs by itself."""
    return MsgId(f"rlm-{uuid4().hex}")


def child_id(parent: NodeId | RunId, kind: str, number: int) -> NodeId:
    """Make the id of a node below another: readable, and unique among its siblings."""
    return NodeId(f"{parent}/{kind[0]}{number}")


def number_of(node: NodeId) -> int:
    """Give the number a turn or a call was made with: turns of a run that goes on with another are counted on."""
    return int(node.rpartition("/")[2][1:])
