"""What a person can choose for the runs of a session: one table, read by the magics and by the command line."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from rlm_kernel.errors import InputError
from rlm_kernel.usage import Limits, count, either

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

Approve = Literal["auto", "risky", "each"]
Policy = Literal["ask", "refuse", "allow"]
Value = str | int | float | bool | None

MOST_LEVELS = 8
FRESH = "RLM_FRESH"
"""Read by the kernel: set to anything but 0, questions are asked anew, as with ``--fresh``."""
POLICY = "RLM_POLICY"
"""Read by the kernel: what `Settings.policy` is at its start."""
NONE_WORDS = ("none", "off")
"""Lift a limit."""
DEFAULT_WORD = "default"
"""Puts a model back to what the environment says."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What holds for a run; immutable, so that a run keeps what it was started with."""

    model: str | None = None
    """The root model; ``None``: what the registry takes where nothing is chosen."""
    sub_model: str | None = None
    """The model of ``llm_query``; ``None``: the registry's, else the root model."""
    limits: Limits = field(default_factory=Limits)
    approve: Approve = "auto"
    """``auto``: cells run as soon as they are written. ``risky``: a person is asked before those that do more than
    compute. ``each``: before every cell."""
    fresh: bool = False
    """Whether every call is made anew; its reply is kept all the same."""
    quote: int | None = 500
    """New calls that one query may make before a person is asked; ``None``: any number, at any cost."""
    policy: Policy = "ask"
    """What is done where a person would be asked. ``ask``: asks; where nobody is there the question ends. ``refuse``:
    not done, and the model is told. ``allow``: done."""


@dataclass(frozen=True, slots=True)
class Option:
    """One option as a person writes it."""

    flag: str
    name: str
    """The field of `Settings` or of its `Limits`; empty for a flag that is no setting."""
    kind: Literal["model", "count", "levels", "amount", "choice", "flag"]
    metavar: str
    help: str
    choices: tuple[str, ...] = ()
    optional: bool = False
    """Whether ``none`` lifts it."""
    sets: bool = True
    """What a flag with a name sets."""

    @property
    def allowed(self) -> str:
        """Say in a few words what may be given."""
        if self.kind == "choice":
            return either(self.choices)
        words = {
            "model": "a model's name or default",
            "count": "a whole number from 1",
            "levels": f"a whole number from 0 to {MOST_LEVELS}",
            "amount": "a number above 0",
        }
        return words.get(self.kind, "no value") + (" or none" if self.optional else "")

    def read(self, text: str) -> Value:
        """Read a value as a person wrote it.

        Raises:
            InputError: It is not one of the allowed values; the message names them.
        """
        text = text.strip()
        if self.optional and text.lower() in NONE_WORDS:
            return None
        if self.kind == "model" and text and not text.startswith("--"):
            return None if text.lower() == DEFAULT_WORD else text
        if self.kind == "choice" and text.lower() in self.choices:
            return text.lower()
        if self.kind in ("count", "levels", "amount"):
            number = _number(text.removeprefix("$"))
            least, most = (0, MOST_LEVELS) if self.kind == "levels" else (1, math.inf)
            if self.kind != "amount" and least <= number <= most and number == int(number):
                return int(number)
            if self.kind == "amount" and number > 0:
                return number
        raise InputError(f"{self.flag} cannot be {text!r}.", f"Give {self.allowed}.")


OPTIONS: tuple[Option, ...] = (
    Option("--model", "model", "model", "NAME", "the root model, which writes the cells"),
    Option("--sub-model", "sub_model", "model", "NAME", "the model that answers llm_query"),
    Option("--max-cost", "cost_usd", "amount", "USD", "US dollars a question may cost", optional=True),
    Option("--max-tokens", "tokens", "count", "N", "tokens sent and received for a question", optional=True),
    Option("--max-calls", "calls", "count", "N", "model calls for a question, turns included", optional=True),
    Option("--max-turns", "turns", "count", "N", "replies of the root model for a question"),
    Option("--max-depth", "depth", "levels", "N", "levels of rlm_query below a question; 0: none"),
    Option("--seconds", "seconds", "amount", "S", "seconds for a question, pauses not counted", optional=True),
    Option("--concurrency", "concurrency", "count", "N", "model calls under way at the same time"),
    Option("--approve", "approve", "choice", "WHEN", "which cells a person approves first", ("auto", "risky", "each")),
    Option("--quote", "quote", "count", "N", "new calls of one query that need no approval", optional=True),
    Option("--policy", "policy", "choice", "WHAT", "what becomes of what needs approval", ("ask", "refuse", "allow")),
    Option("--fresh", "fresh", "flag", "", "ask anew, also what was answered before; the new replies are kept"),
    Option("--no-fresh", "fresh", "flag", "", "take replies that are kept: what is normal", sets=False),
    Option("--reset", "", "flag", "", "back to the defaults, before the other options"),
)
_BY_FLAG = {option.flag: option for option in OPTIONS}
_IN_SETTINGS = frozenset({"model", "sub_model", "approve", "quote", "policy", "fresh"})


def parse(words: Sequence[str], base: Settings) -> Settings:
    """Read options as they stand after ``%rlm``, ``%%rlm`` or on the command line.

    Args:
        words: Options and values, split as a shell does; ``--flag VALUE`` or ``--flag=VALUE``.
        base: What holds where an option is not given.

    Raises:
        InputError: An option is unknown, given twice, without a value, or with one that is not allowed.
    """
    found = chosen(words)
    return change(Settings() if "--reset" in words else base, found)


def chosen(words: Sequence[str]) -> dict[str, Value]:
    """Read which options are given, by their names in `Option.name`; raises what `parse` raises."""
    found: dict[str, Value] = {}
    rest = list(words)
    while rest:
        flag, given, value = rest.pop(0).partition("=")
        option = _BY_FLAG.get(flag)
        if option is None:
            raise _unknown(flag)
        if option.kind == "flag":
            if given:
                raise InputError(f"{flag} takes no value.")
            if option.name:
                found[option.name] = option.sets
            continue
        if not given:
            if not rest or rest[0].startswith("--"):
                raise InputError(f"{flag} needs a value.", f"Give {option.allowed}.")
            value = rest.pop(0)
        if option.name in found:
            raise InputError(f"{flag} is given twice.")
        found[option.name] = option.read(value)
    return found


def raised(settings: Settings, limits: Mapping[str, object], used: Mapping[str, float] | None = None) -> Settings:
    """Give settings with other limits, for a run that goes on.

    Args:
        settings: What it had.
        limits: The new ones, by their names in `Limits`; ``None`` lifts one.
        used: What the run has used so far, by the same names.

    Raises:
        InputError: A limit is unknown or no number, or it is used up already: the run would end at once.
    """
    found: dict[str, Value] = {}
    for name, limit in limits.items():
        option = next((each for each in OPTIONS if each.name == name and name not in _IN_SETTINGS), None)
        if option is None:
            raise InputError(f"There is no limit {name!r}.")
        value = option.read("none" if limit is None else str(limit))
        spent = (used or {}).get(name, 0.0)
        if isinstance(value, int | float) and spent and value <= spent:
            raise InputError(
                f"{option.flag} {value:,} is used up already: {spent:,g} so far.", "Give more than that, or none."
            )
        found[name] = value
    return change(settings, found)


def change(base: Settings, chosen: dict[str, Value]) -> Settings:
    """Give settings with some fields set, named as in `Option.name`."""
    limits = {name: value for name, value in chosen.items() if name not in _IN_SETTINGS}
    fields = {name: value for name, value in chosen.items() if name in _IN_SETTINGS}
    return replace(base, **fields, limits=replace(base.limits, **limits))  # type: ignore[arg-type]


def carried(asked: Settings, then: Settings, now: Settings) -> Settings:
    """Give the settings with which a question goes on: those it was asked with, but for what was changed since.

    Args:
        asked: What it was asked with.
        then: What held otherwise at that time.
        now: What holds now.
    """
    was, is_now = _flat(then), _flat(now)
    changed = {name: value for name, value in is_now.items() if value != was[name]}
    return replace(change(asked, changed), fresh=False)


def to_dict(settings: Settings) -> dict[str, Value]:
    """Give settings as JSON can say it."""
    return _flat(settings)


def from_dict(kept: object) -> Settings:
    """Read what `to_dict` gave, also of another version; what is not known stays as it is by default."""
    known = _flat(Settings())
    given = dict(kept) if isinstance(kept, dict) else {}
    if given.get("mode") == "each":  # so it was called before there was more to choose from
        given.setdefault("approve", "each")
    return change(Settings(), {name: given[name] for name in known if name in given})


def _flat(settings: Settings) -> dict[str, Value]:
    return {option.name: value_of(settings, option) for option in OPTIONS if option.name}


def value_of(settings: Settings, option: Option) -> Value:
    """Give what an option is set to."""
    value: Value = getattr(settings if option.name in _IN_SETTINGS else settings.limits, option.name)
    return value


def describe(settings: Settings, root: str = "", sub: str = "") -> list[str]:
    """Give one line for each option: flag, value and meaning, in columns.

    Args:
        settings: What is set.
        root: The model that is taken where none is set.
        sub: The sub-model that is taken where none is set.
    """
    lines = []
    for option in OPTIONS:
        if option.kind == "flag":
            continue
        value = value_of(settings, option)
        if value is None:
            unset = {"model": f"{root or 'default'} (default)", "sub_model": f"{sub or 'default'} (default)"}
            shown = unset.get(option.name, "none")
        else:
            shown = f"{value:,}" if isinstance(value, int) else f"{value:g}" if isinstance(value, float) else value
        lines.append(f"{option.flag:<14} {shown:<20} {option.help}")
    return lines


def usage_lines() -> list[str]:
    """Give one line for each option: how it is written and what it means."""
    lines = []
    for option in OPTIONS:
        values = "" if option.kind == "flag" else f" Allowed: {option.allowed}."
        written = f"{option.flag} {option.metavar}".strip()
        lines.append(f"{written:<18} {option.help}.{values}")
    return lines


def complete(words: Sequence[str], models: Iterable[str] = ()) -> list[str]:
    """Suggest what may stand in place of the last word.

    Args:
        words: The words of the line up to the cursor; the last is the one being written, empty after a blank.
        models: Names to suggest for models.
    """
    last = words[-1] if words else ""
    option = _BY_FLAG.get(words[-2]) if len(words) > 1 else None
    if option is None or option.kind == "flag":
        return [each.flag for each in OPTIONS if each.flag.startswith(last) and each.flag not in words[:-1]]
    suggestions = list(option.choices)
    if option.kind == "model":
        suggestions = sorted({*models, "tutor", DEFAULT_WORD})
    elif option.optional:
        suggestions = ["none"]
    return [each for each in suggestions if each.startswith(last)]


def _number(text: str) -> float:
    try:
        number = float(text.replace(",", "").replace("_", ""))
    except ValueError:
        return math.nan
    return number if math.isfinite(number) else math.nan


def _unknown(flag: str) -> InputError:
    flags = ", ".join(option.flag for option in OPTIONS)
    what = f"There is no option {flag}." if flag.startswith("-") else f"{flag!r} is not an option."
    return InputError(what, f"There are {count(len(OPTIONS), 'option')}: {flags}.")
