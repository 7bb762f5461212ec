"""A single needle in a long text, after RULER's ``niah_single`` (Hsieh et al. 2024, arXiv 2404.06654).

Besides the plain form there are the ones that a search for a fixed phrase does not solve by itself: several needles
with other keys, two values for one key, no needle at all (where anything but "not found" is wrong).
"""

from __future__ import annotations

import random
import uuid
from typing import TYPE_CHECKING, NamedTuple

from rlm_kernel.bench.tasks import Task
from rlm_kernel.errors import InputError, why_unreadable

if TYPE_CHECKING:
    from pathlib import Path

SMALLEST, LARGEST = 2_000, 1_000_000_000
FORMS = ("single", "among others", "two values", "absent")
ABSENT = "not found"
_DEPTHS = tuple(depth / 100 for depth in range(5, 100, 10))
_FIRST = ("amber", "brisk", "calm", "dusty", "eager", "faint", "gentle", "hollow", "icy", "jolly", "keen", "lively")
_SECOND = ("anchor", "beacon", "candle", "dagger", "ember", "falcon", "garden", "harbour", "island", "jacket", "kettle")
_SUBJECTS = ("The miller", "A traveller", "Her cousin", "The old clerk", "Our neighbour", "The pilot", "A shepherd")
_VERBS = ("waited for", "wrote about", "walked past", "forgot", "repaired", "measured", "remembered", "painted")
_OBJECTS = ("the gate", "a letter", "the north wall", "two lanterns", "the river", "a broken clock", "the orchard")
_TIMES = ("in the morning", "before the rain", "for an hour", "without a word", "on the third day", "once more")


class Case(NamedTuple):
    """A context and what is asked of it."""

    context: str
    task: Task


def haystack(size: int, seed: int, path: Path | None = None) -> str:
    """Give the text in which the needle is hidden.

    Args:
        size: Characters, about.
        seed: Of the text made here.
        path: A file to take it from, from its beginning, repeated where it is too short; without one plain sentences
            are made.

    Raises:
        InputError: The size is out of range, or the file has no text.
    """
    if not SMALLEST <= size <= LARGEST:
        raise InputError(f"A size of {size:,} characters is out of range.", f"Give {SMALLEST:,} to {LARGEST:,}.")
    if path is not None:
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"{path} cannot be read: {why_unreadable(error)}.", "Give a text file.") from error
        if not text.strip():
            raise InputError(f"{path} is empty.", "Give a text file.")
        text = text * (size // len(text) + 1)
        return text[: text.rfind("\n", size // 2, size) + 1 or size]
    rng = random.Random(f"haystack {seed}")
    lines, length = [], 0
    while length < size:
        words = (rng.choice(_SUBJECTS), rng.choice(_VERBS), rng.choice(_OBJECTS), rng.choice(_TIMES))
        lines.append(" ".join(words) + ".")
        length += len(lines[-1]) + 1
    return "\n".join(lines) + "\n"


def make_cases(text: str, number: int, seed: int) -> list[Case]:
    """Hide needles: the forms and the depths take turns.

    Args:
        text: The haystack.
        number: How many cases.
        seed: Of keys and values.
    """
    rng = random.Random(f"needles {seed}")
    return [_case(text, at, FORMS[at % len(FORMS)], _DEPTHS[at % len(_DEPTHS)], rng) for at in range(number)]


def _case(text: str, at: int, form: str, depth: float, rng: random.Random) -> Case:
    keys = rng.sample([f"{first}-{second}" for first in _FIRST for second in _SECOND], 5)
    what = ("number", "uuid", "word")[at % 3]
    values = [_new_value(what, rng) for _ in range(6)]
    needles = {
        "single": [(keys[0], values[0])],
        "among others": list(zip(keys, values, strict=False)),
        "two values": [(keys[0], values[0]), (keys[0], values[1])],
        "absent": list(zip(keys[1:], values, strict=False)),
    }[form]
    answer = {"two values": "\n".join(values[:2]), "absent": ABSENT}.get(form, values[0])
    places = [depth, *(rng.uniform(0.02, 0.98) for _ in needles[1:])]
    for place, (key, value) in sorted(zip(places, needles, strict=True), reverse=True):
        end = text.find("\n", int(len(text) * place))
        split = len(text) if end < 0 else end
        text = f"{text[:split]}\nOne of the special magic {what}s for {key} is: {value}.{text[split:]}"
    question = (
        f"What are all the special magic {what}s for {keys[0]} mentioned in the text? "
        f"If there is none, answer '{ABSENT}'."
    )
    name = f"sniah-{at + 1:02}-{form.replace(' ', '-')}"
    return Case(text, Task(name, question, answer, "needle", {"key": keys[0], "what": what}))


def _new_value(what: str, rng: random.Random) -> str:
    if what == "number":
        return str(rng.randrange(1_000_000, 10_000_000))
    if what == "uuid":
        return str(uuid.UUID(int=rng.getrandbits(128), version=4))
    return f"{rng.choice(_FIRST)}-{rng.choice(_SECOND)}-{rng.randrange(100, 1000)}"
