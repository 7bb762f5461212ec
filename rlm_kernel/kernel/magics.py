"""What a person writes: ``%%rlm`` cells and ``%rlm`` lines; their help and their completion. Nothing is done here."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, cast

from rlm_kernel.engine.gate import DecisionDict
from rlm_kernel.engine.settings import OPTIONS, Settings, chosen, parse, usage_lines
from rlm_kernel.engine.settings import complete as complete_option
from rlm_kernel.errors import InputError
from rlm_kernel.usage import count, money

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rlm_kernel.engine.gate import WaitingDict
    from rlm_kernel.engine.settings import Value
    from rlm_kernel.models.registry import Registry
    from rlm_kernel.usage import Limits

QUESTION = re.compile(r"\s*%%rlm(?=\s|\?|$)")
HELP = re.compile(r"\s*(\?{1,2}\s*%{1,2}rlm|%{1,2}rlm\s*\?{1,2})\s*")
LINE = re.compile(r"\s*%rlm(?=\s|$)")
GO_ON = re.compile(r"\s*%rlm[ \t]+(continue|resume)(?=\s|$)([^\n]*)\s*")
ORDER = re.compile(r"\s*%rlm[ \t]+(pause|resume|step|stop|approve|reject|steer)(?=\s|$)([^\n]*)\s*")
COMMANDS = {
    "load": "load documents as `context`: files, folders, zips, patterns; --as NAME for another variable",
    "key": "type the endpoint's API key; the kernel keeps it until it ends, the notebook never has it",
    "panel": "show the panel with the tree of calls",
    "pause": "pause the run at its next cell or call",
    "resume": "go on with a paused run, or with one whose kernel was killed; nothing is paid twice",
    "continue": "go on with the last run that a limit, a failure or you ended; options behind it raise limits",
    "step": "let one cell or call through, and pause again",
    "stop": "end the run with what there is",
    "approve": "let pass what waits for you; always: and all that follows; first N: only so many calls",
    "reject": "refuse what waits for you; what stands behind it is told to the model",
    "steer": "say something to the model; it is told with its next turn",
    "undo": "put Python back to before In [N], or before the last cell",
    "branches": "list the questions of this notebook, and what came of changes",
    "rerun": "run again from a node of the tree, with a change: --again, --model, --prompt, --code …",
}
BEHIND = {
    "load": "PATH… [--as NAME]",
    "approve": "[always | first N]",
    "reject": "[REASON]",
    "steer": "TEXT",
    "undo": "[N] [--replay]",
    "continue": "[options]",
    "rerun": "NODE …",
}
"""What may stand behind a command."""
WITH_VALUE = frozenset(option.flag for option in OPTIONS if option.kind != "flag")


@dataclass(frozen=True, slots=True)
class Asked:
    """A ``%%rlm`` cell, read; or ``%rlm continue`` and ``%rlm resume``."""

    question: str
    """Empty where it is to go on with another."""
    settings: Settings
    how: Literal["ask", "continue", "resume"] = "ask"
    limits: dict[str, Value] = field(default_factory=dict)
    """Where it goes on: the limits that stand behind it, by their names in `Limits`."""


@dataclass(frozen=True, slots=True)
class Command:
    """A ``%rlm`` line that is an order and no setting."""

    name: str
    """One of `COMMANDS`."""
    text: str = ""
    """What stands behind it, as it was written."""


def is_question(code: str) -> bool:
    """Tell whether a cell is for the kernel: a ``%%rlm`` cell, or nothing but a request for help on it."""
    return bool(QUESTION.match(code) or HELP.fullmatch(code))


def is_go_on(code: str) -> bool:
    """Tell whether a cell is nothing but ``%rlm continue`` or ``%rlm resume``, with options or without."""
    return bool(GO_ON.fullmatch(code))


def read_order(code: str) -> Command | None:
    """Read a cell that is nothing but an order to the run that lasts; ``None`` where it is anything else.

    It needs no Python: it can be obeyed while a cell waits for its calls.
    """
    found = ORDER.fullmatch(code)
    return Command(found.group(1), found.group(2).strip()) if found else None


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
        return _read_go_on(goes_on.group(1), _words(goes_on.group(2)), base)
    found = QUESTION.match(code)
    rest = code[found.end() :] if found else code
    line, _, body = rest.partition("\n")
    options, begun = _split_options(line)
    settings = parse(_words(options), base)
    question = f"{begun}\n{body}".strip()
    if not question:
        raise InputError("There is no question.", "Write it below the %%rlm line.")
    return Asked(question, settings)


def _read_go_on(how: str, words: list[str], base: Settings) -> Asked:
    limits = {name: value for name, value in chosen(words).items() if hasattr(base.limits, name)}
    return Asked("", parse(words, base), cast("Literal['continue', 'resume']", how), limits)


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


def read_line(line: str, base: Settings) -> Settings | Command | None:
    """Read what stands behind ``%rlm``.

    Returns:
        ``None`` for nothing (show the settings), a command, or the settings as changed.

    Raises:
        InputError: It is none of these.
    """
    name, _, behind = line.strip().partition(" ")
    if name in COMMANDS:
        if behind.strip() and name not in BEHIND:
            raise InputError(f"%rlm {name} takes nothing behind it.")
        return Command(name, behind.strip())
    words = _words(line)
    if not words:
        return None
    if not words[0].startswith("-"):
        names = ", ".join(COMMANDS)
        raise InputError(f"%rlm does not know {words[0]!r}.", f"Give an option (%rlm? lists them) or one of {names}.")
    return parse(words, base)


def read_decision(command: Command, waiting: Sequence[WaitingDict]) -> tuple[str, DecisionDict]:
    """Read ``%rlm approve …`` and ``%rlm reject …``: about the thing named first, else about what waits longest.

    Returns:
        The id of what is decided, and the decision.

    Raises:
        InputError: Nothing waits, or the line cannot be read.
    """
    if not waiting:
        raise InputError(f"Nothing waits for you: there is nothing to {command.name}.")
    name, _, behind = command.text.partition(" ")
    named = next((each for each in waiting if each["id"] == name), None)
    rest = behind.strip() if named is not None else command.text
    about = (named or waiting[0])["id"]
    if command.name == "reject":
        return about, DecisionDict(verdict="reject", reason=rest)
    words = rest.lower().split()
    if not words:
        return about, DecisionDict(verdict="approve")
    if words == ["always"]:
        return about, DecisionDict(verdict="always")
    if words[0] == "first" and len(words) == 2 and words[1].replace(",", "").isdecimal():
        return about, DecisionDict(verdict="first", first=int(words[1].replace(",", "")))
    raise InputError(f"%rlm approve does not know {rest!r}.", "Give nothing, always, or first N.")


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
    asked = {"auto": [], "risky": ["risky cells"], "each": ["each cell"]}[settings.approve]
    if settings.quote is not None:
        asked = [*asked, f"more than {count(settings.quote, 'new call')} at once"]
    said = [
        "cells run as they are written" if settings.approve == "auto" else "",
        f"asks before {' and before '.join(asked)}" if asked else "",
        {"ask": "", "refuse": "refuses instead of asking", "allow": "allows instead of asking"}[settings.policy],
    ]
    return f"{settings.approve}: {'; '.join(filter(None, said))}"


def _limits(limits: Limits) -> str:
    parts = [
        f"{money(limits.cost_usd)}" if limits.cost_usd is not None else "any cost",
        count(limits.tokens, "token") if limits.tokens is not None else "any number of tokens",
        count(limits.calls, "call") if limits.calls is not None else "any number of calls",
        count(limits.turns, "turn"),
        f"{count(limits.depth, 'level')} of child runs" if limits.depth else "no child runs",
        f"{limits.seconds:g} s" if limits.seconds is not None else "any time",
        f"{limits.concurrency} calls at once",
    ]
    return " · ".join(parts)


def help_text() -> str:
    """Give the help of ``%rlm?`` and ``%%rlm?``."""
    written = {name: f"{name} {BEHIND.get(name, '')}".strip() for name in COMMANDS}
    commands = [f"  %rlm {written[name]:<26} {meaning}" for name, meaning in COMMANDS.items()]
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
    if words[0] == "load" and len(words) > 1:
        return None  # a path: the process that will read it looks
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
