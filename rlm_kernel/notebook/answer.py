"""How a finished run reads in the output of its question: the answer, or why there is none, and a foot."""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING

from rlm_kernel.engine.course import runs_of, turns_of
from rlm_kernel.engine.evidence import citations_of, cited_text, coverage_of, read_text
from rlm_kernel.engine.executor import Output
from rlm_kernel.notebook.citing import cited_lines, with_marks, with_places
from rlm_kernel.notebook.harmless import CODE, harmless
from rlm_kernel.usage import count

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rlm_kernel.trace.records import Node
    from rlm_kernel.trace.tree import Tree

FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,})")
AMOUNT = re.compile(r"(?<![\\$])\$(?=\d)(?!\d[\d.,]*\$)")
DOLLAR = r"<span>\\$</span>"

NOT_APPROVED = "RunNotApproved"
"""Name of the error where a person had to be asked and none was there."""
NOTICES = {
    "limit": "No final answer.",
    "failed": "The run failed.",
    "stopped": "The run was stopped.",
}


def seconds_text(seconds: float) -> str:
    """Write a duration for people: ``8.2 s``, ``2 min 5 s``."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s"


def foot(tree: Tree, run: Node) -> str:
    """Say what a run took, with those it went on with: turns, calls, tokens, cost, time, models."""
    runs = runs_of(tree, run)
    parts = [count(len(turns_of(tree, run)), "turn"), tree.spent(*(each.id for each in runs))]
    seconds = [each.ended - each.started for each in runs if each.started is not None and each.ended is not None]
    if seconds:
        parts.append(seconds_text(sum(seconds)))
    models = list(dict.fromkeys(name for each in runs for name in models_of(tree, each)))
    if models:
        parts.append(" + ".join(models))
    parts += filter(None, (read_text(coverage_of(run)), cited_text(citations_of(run))))
    return " · ".join(parts)


def models_of(tree: Tree, run: Node) -> list[str]:
    """Name the models that worked on a run, each once, the root first."""
    names = [run.model, *(node.model for node in _below(tree, run))]
    return list(dict.fromkeys(name for name in names if name))


def _below(tree: Tree, node: Node) -> Iterator[Node]:
    for child in tree.children(node.id):
        yield child
        yield from _below(tree, child)


def notice(run: Node) -> str:
    """Say why a run has no final answer, and what can be done; empty where it has one."""
    lead = NOTICES.get(run.outcome or "", "")
    return " ".join(part for part in (lead, run.error or "", run.remedy) if part) if lead else ""


def answer_output(tree: Tree, run: Node) -> Output:
    """Make the output a question has once its run is over."""
    body, said, last = run.reply.strip(), notice(run), foot(tree, run)
    partial = "What there is so far:" if said and body else ""
    small = f"<small>{html.escape(last)}</small>"
    strong = f"**{_escape(said)}**" if said else ""
    markdown = [strong, partial, _marked_body(run, body), small]
    plain = [said, partial, body, cited_lines(run), last]
    return Output(
        output_type="display_data",
        data={
            "text/markdown": "\n\n".join(part for part in markdown if part),
            "text/plain": "\n\n".join(part for part in plain if part),
        },
        metadata={"rlm": {"run_id": run.id, "part": "answer", "outcome": run.outcome}},
    )


def _marked_body(run: Node, body: str) -> str:
    """Make an answer fit for a page, with a mark behind each citation."""
    return with_marks(run, _closed(_money(harmless(with_places(run, body)))))


def failure_output(run: Node) -> Output | None:
    """Make the error output of a run that failed or was stopped; ``None`` for any other."""
    if run.outcome not in ("failed", "stopped"):
        return None
    name = "RunFailed" if run.outcome == "failed" else "RunStopped"
    if run.details.get("not_approved"):
        name = NOT_APPROVED
    message = notice(run)
    return Output(output_type="error", ename=name, evalue=message, traceback=[f"{name}: {message}"])


def question_outputs(tree: Tree, run: Node) -> list[Output]:
    """Make all outputs of a question whose run is over."""
    failure = failure_output(run)
    return [answer_output(tree, run), *([failure] if failure else [])]


def _escape(text: str) -> str:
    return re.sub(r"([\\`*_<>\[\]])", r"\\\1", " ".join(text.split()))


def _money(markdown: str) -> str:
    """Keep amounts such as ``$5,000 … $7,000`` from being set as mathematics; code stays as it is.

    JupyterLab typesets what Markdown has made, when an escaping backslash is gone already: the sign needs an element
    of its own.
    """
    parts, end = [], 0
    for code in CODE.finditer(markdown):
        parts += [AMOUNT.sub(DOLLAR, markdown[end : code.start()]), code.group()]
        end = code.end()
    return "".join([*parts, AMOUNT.sub(DOLLAR, markdown[end:])])


def _closed(markdown: str) -> str:
    """Close a fence that an answer left open: it would swallow the foot."""
    opened = ""
    for line in markdown.splitlines():
        found = FENCE.match(line)
        if found is None:
            continue
        mark = found.group(1)
        if not opened:
            opened = mark
        elif mark[0] == opened[0] and len(mark) >= len(opened) and not line.strip().strip(mark[0]):
            opened = ""
    return f"{markdown}\n{opened}" if opened else markdown
