"""Short questions, each with the kind of thing its answer is: what the lines of an aggregation benchmark hold."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

from rlm_kernel.errors import InputError, why_unreadable

if TYPE_CHECKING:
    from pathlib import Path

LABELS = ("description and abstract concept", "entity", "human being", "numeric value", "location", "abbreviation")
"""The six coarse classes of Li and Roth, "Learning Question Classifiers", COLING 2002."""

_TEMPLATES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "description and abstract concept": (
        ("Why does {} happen?", "What is meant by {}?", "How would you explain {}?", "What are the causes of {}?"),
        (
            "erosion", "inflation", "photosynthesis", "rust", "a rainbow", "homesickness", "evaporation", "static",
            "an eclipse", "fermentation", "jet lag", "thunder", "irony", "magnetism", "hibernation", "a mirage",
        ),
    ),
    "entity": (
        ("Which kind of {} is the oldest in use?", "What {} was named after a flower?", "What {} do sailors fear?",
         "Which {} did the expedition carry?"),
        (
            "tool", "instrument", "food", "plant", "animal", "boat", "sport", "fabric", "mineral", "language", "dance",
            "currency", "vehicle", "vegetable", "board game", "colour",
        ),
    ),
    "human being": (
        ("Who {}?", "Which scientist or artist first {}?", "What was the name of the person who {}?"),
        (
            "designed the lighthouse", "painted the ceiling", "discovered the comet", "led the strike of the weavers",
            "wrote the anthem", "founded the observatory", "crossed the ice alone", "translated the epic",
            "won the first race", "built the canal", "sang the title role", "taught the young king",
            "mapped the river", "invented the lock", "kept the diary", "signed the treaty for the islanders",
        ),
    ),
    "numeric value": (
        ("How many {} are there?", "What is the usual number of {}?", "How much do all the {} weigh together?"),
        (
            "steps in the tower", "bones in a hand", "keys on a harpsichord", "moons of the outer planets",
            "stamps in the album", "days in the old calendar", "bridges over the river", "seats in the assembly",
            "teeth of an adult horse", "verses of the ballad", "grains on a chessboard", "beads on an abacus",
            "sides of the coin", "spokes of the wheel", "players in the team", "rooms of the palace",
        ),
    ),
    "location": (
        ("Where is {}?", "In which country does one find {}?", "What town lies nearest to {}?"),
        (
            "the salt desert", "the highest waterfall", "the school of navigation", "the amber coast",
            "the oldest vineyard", "the sunken harbour", "the valley of geysers", "the tea market",
            "the glass works", "the northern observatory", "the twin volcano", "the marble quarry",
            "the longest pier", "the painted cave", "the border fort", "the island of seabirds",
        ),
    ),
    "abbreviation": (
        ("What does {} stand for?", "What is the full form of {}?", "What do the letters {} mean?"),
        (
            "RADAR", "LASER", "UNESCO", "ISBN", "SCUBA", "HTTP", "NATO", "GPS", "DNA", "RSVP", "BBC", "ASCII", "OPEC",
            "CERN", "VAT", "a.m.",
        ),
    ),
}  # fmt: skip


class Item(NamedTuple):
    """A question and its label."""

    text: str
    label: str


def built_in_items() -> list[Item]:
    """Give the items that need no file: every template with every filling, 832 in all, the same each time."""
    return [
        Item(template.format(filling), label)
        for label, (templates, fillings) in _TEMPLATES.items()
        for template in templates
        for filling in fillings
    ]


def read_items(path: Path) -> list[Item]:
    """Read labelled questions from JSON lines, for instance TREC-QC: ``{"q": "…", "label": "location"}``.

    The question may be called ``q``, ``question`` or ``text``; the label ``label`` or ``oolong_label``.

    Raises:
        InputError: The file cannot be read, or a line is no labelled question; the message says which.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read: {why_unreadable(error)}.", "Give a file of JSON lines.") from error
    items = [_item(path, number, line) for number, line in enumerate(lines, 1) if line.strip()]
    if missing := [label for label in LABELS if all(item.label != label for item in items)]:
        raise InputError(
            f"{path} has no question with the label {missing[0]!r}.", f"All are needed: {', '.join(LABELS)}."
        )
    return items


def _item(path: Path, number: int, line: str) -> Item:
    try:
        fields = json.loads(line)
        text = next(fields[name] for name in ("q", "question", "text") if name in fields)
        label = next(fields[name] for name in ("oolong_label", "label") if name in fields)
    except (ValueError, TypeError, StopIteration) as error:
        raise InputError(
            f"{path}, line {number}: not a labelled question.", 'Write {"q": "…", "label": "…"}.'
        ) from error
    if label not in LABELS or not isinstance(text, str):
        raise InputError(f"{path}, line {number}: {label!r} is no label.", f"Use one of: {', '.join(LABELS)}.")
    return Item(" ".join(text.split()), label)
