"""What a person writes: ``%%rlm`` cells and ``%rlm`` lines; their help and their completion. Nothing is done here."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, cast

from rlm_kernel.engine.settings import OPTIONS, Settings, parse, usage_lines
from rlm_kernel.engine.settings import complete as complete_option
from rlm_kernel.errors import InputError
from rlm_kernel.usage import count, money

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rlm_kernel.models.registry import Registry
    from rlm_kernel.usage import Limits

QUESTION = re.compile(r"\s*%%rlm(?=\s|\?|$)")
HELP = re.compile(r"\s*(\?{1,2}\s*%{1,2}rlm|%{1,2}rlm\s*\?{1,2})\s*")
LINE = re.compile(r"\s*%rlm(?=\s|$)")
GO_ON = re.compile(r"\s*%rlm[ \t]+(continue|resume)(?=\s|$)([^\n]*)\s*")
COMMANDS = {
    "key": "type the endpoint's API key; the kernel keeps it until it ends, the notebook never has it",
    "panel": "show the panel with the tree of calls",
    "pause": "pause the run at its next cell or call",
    "resume": "go on with a paused run, or with one whose kernel was killed; nothing is paid twice",
    "continue": "go on with the last run that a limit, a failure or you ended; the limits are those set now",
    "step": "let one cell or call through, and pause again",
    "stop": "end the run with what there is",
}
WITH_VALUE = frozenset(option.flag for option in OPTIONS if option.kind != "flag")


@dataclass(frozen=True, slots=True)
class Asked:
    """A ``%%rlm`` cell, read; or ``%rlm continue`` and ``%rlm resume``."""

    question: str
    """Empty where it is to go on with another."""
    settings: Settings
    how: Literal["ask", "continue", "resume"] = "ask"


def is_question(code: str) -> bool:
    """Tell whether a cell is for the kernel: a ``%%rlm`` cell, or nothing but a request for help on it."""
    return bool(QUESTION.match(code) or HELP.fullmatch(code))


def is_go_on(code: str) -> bool:
    """Tell whether a cell is nothing but ``%rlm continue`` or ``%rlm resume``, with options or without."""
    return bool(GO_ON.fullmatch(code))


def wants_help(code: str) -> bool:
    """Tell whether a cell is ``%rlm?`` or ``%%rlm?``."""
    return bool(HELP.fullmatch(code))


def read_question(code: str, base: Settings) -> Asked:
    """Read a ``%%rlm`` cell: options on its first line, then the question.

    The question may begin on the first line, behind the options.

    Raises:
        InputError: There is no question, or an option is not one of ours; the message says which and what to do.
    """
    if goes_on := GO_ON.fullmatch(code):
        return Asked("", parse(_words(goes_on.group(2)), base), cast("Literal['continue', 'resume']", goes_on.group(1)))
    found = QUESTION.match(code)
    rest = code[found.end() :] if found else code
    line, _, body = rest.partition("\n")
    options, begun = _split_options(line)
    settings = parse(_words(options), base)
    question = f"{begun}\n{body}".strip()
    if not question:
        raise InputError("There is no question.", "Write it below the %%rlm line.")
    return Asked(question, settings)


def _split_options(line: str) -> tuple[str, str]:
    """Part a line behind its last option and that option's value."""
    spans = [(word.group(), word.end()) for word in re.finditer(r"(?:\"[^\"]*\"|'[^']*'|\S)+", line)]
    end, at = 0, 0
    while at < len(spans) and spans[at][0].startswith("--"):
        flag = spans[at][0]
        takes = flag in WITH_VALUE and at + 1 < len(spans) and not spans[at + 1][0].startswith("--")
        at += 2 if takes else 1
        end = spans[at - 1][1]
    return line[:end], line[end:].strip()


def _words(line: str) -> list[str]:
    try:
        return shlex.split(line)
    except ValueError as error:
        raise InputError(
            f"{line.strip()!r} cannot be read: {str(error).lower()}.", "Close the quotation mark."
        ) from error


def read_line(line: str, base: Settings) -> Settings | str | None:
    """Read what stands behind ``%rlm``.

    Returns:
        ``None`` for nothing (show the settings), one of `COMMANDS`, or the settings as changed.

    Raises:
        InputError: It is none of these.
    """
    words = _words(line)
    if not words:
        return None
    if words[0] in COMMANDS:
        if len(words) > 1:
            raise InputError(f"%rlm {words[0]} takes nothing behind it.")
        return words[0]
    if not words[0].startswith("-"):
        names = ", ".join(COMMANDS)
        raise InputError(f"%rlm does not know {words[0]!r}.", f"Give an option (%rlm? lists them) or one of {names}.")
    return parse(words, base)


def show(settings: Settings, models: Registry, spent: str = "", kept: str = "") -> str:
    """Write the settings for people: models and why they are chosen, limits, mode, where replies are kept."""
    root, why_root = _root(settings, models)
    sub, why_sub = _sub(settings, models, root)
    rows = [
        ("model", f"{root} ({why_root})"),
        ("sub-model", f"{sub} ({why_sub})"),
        ("limits", _limits(settings.limits)),
        ("approval", _approval(settings)),
        ("memo", f"asked anew (--fresh); kept {kept}" if settings.fresh else f"replies are used again; kept {kept}"),
        ("spent here", spent or "nothing yet"),
    ]
    lines = [f"{name:<11} {value}" for name, value in rows]
    return "\n".join([*lines, "Change with %rlm --model NAME --max-cost USD …; %rlm? lists all options."])


def _root(settings: Settings, models: Registry) -> tuple[str, str]:
    if settings.model:
        return settings.model, "set with --model"
    name = models.default_root()
    if models.environ.get("RLM_MODEL", "").strip():
        return name, "from RLM_MODEL"
    return name, "built in, not a language model; choose one with --model or RLM_MODEL"


def _sub(settings: Settings, models: Registry, root: str) -> tuple[str, str]:
    if settings.sub_model:
        return settings.sub_model, "set with --sub-model"
    name = models.default_sub(root)
    return name, "from RLM_SUB_MODEL" if models.environ.get("RLM_SUB_MODEL", "").strip() else "same as the model"


def _approval(settings: Settings) -> str:
    when = {
        "auto": "cells run as they are written",
        "risky": "asks before risky cells",
        "each": "asks before each cell",
    }
    quote = f"and before more than {count(settings.quote, 'new call')} at once" if settings.quote is not None else ""
    policy = {"ask": "", "refuse": "; refuses instead of asking", "allow": "; allows instead of asking"}
    return f"{settings.approve}: {' '.join(filter(None, [when[settings.approve], quote]))}{policy[settings.policy]}"


def _limits(limits: Limits) -> str:
    parts = [
        f"{money(limits.cost_usd)}" if limits.cost_usd is not None else "any cost",
        count(limits.tokens, "token") if limits.tokens is not None else "any number of tokens",
        count(limits.calls, "call") if limits.calls is not None else "any number of calls",
        count(limits.turns, "turn"),
        f"{limits.seconds:g} s" if limits.seconds is not None else "any time",
        f"{limits.concurrency} calls at once",
    ]
    return " · ".join(parts)


def help_text() -> str:
    """Give the help of ``%rlm?`` and ``%%rlm?``."""
    commands = [f"  %rlm {name:<12} {meaning}" for name, meaning in COMMANDS.items()]
    return "\n".join(
        [
            "%%rlm [options]",
            "QUESTION",
            "",
            "  Ask a question about `context`. The model answers by writing cells, which run in this notebook.",
            '  Load a document first: load("file.txt") sets `context`. The answer stays in answer["content"].',
            "  Options on the %%rlm line hold for this question only.",
            "",
            "%rlm                show the settings of this notebook",
            "%rlm [options]      change them",
            *(line.removeprefix("  ") for line in commands),
            "",
            "Options:",
            *(f"  {line}" for line in usage_lines()),
        ]
    )


def complete(code: str, pos: int, models: Iterable[str]) -> dict[str, Any] | None:
    """Complete on a ``%rlm`` or ``%%rlm`` line; ``None`` where the cursor is elsewhere."""
    before = _ours(code, pos)
    if before is None:
        return None
    words = before.split()[1:]
    if before[-1:].isspace():
        words.append("")
    if not words:
        return None
    matches = complete_option(words, models)
    if len(words) == 1 and not before.lstrip().startswith("%%"):
        matches = [name for name in COMMANDS if name.startswith(words[0])] + matches
    fragment = words[-1]
    return {
        "status": "ok",
        "matches": matches,
        "cursor_start": pos - len(fragment),
        "cursor_end": pos,
        "metadata": {},
    }


def inspect(code: str, pos: int) -> dict[str, Any] | None:
    """Give the help where the cursor is on a ``%rlm`` or ``%%rlm`` line; ``None`` elsewhere."""
    if _ours(code, pos) is None:
        return None
    return {"status": "ok", "found": True, "data": {"text/plain": help_text()}, "metadata": {}}


def _ours(code: str, pos: int) -> str | None:
    """Give the line up to the cursor where it is one of ours."""
    start = code.rfind("\n", 0, pos) + 1
    before = code[start:pos]
    end = code.find("\n", pos)
    line = code[start : end if end >= 0 else len(code)]
    first = not code[:start].strip()
    return before if LINE.match(line) or (first and QUESTION.match(line)) else None
