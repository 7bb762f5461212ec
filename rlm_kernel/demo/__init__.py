"""The document and the question of ``rlm-kernel demo``."""

from __future__ import annotations

from pathlib import Path

DEMO_QUESTION = 'What do the addresses say about "the Panama Canal"? How many lines contain the word "Panama"?'
"""Asked by the demo; a look-up with sub-calls, and a count."""


def demo_document() -> Path:
    """Give the path of the shipped document: State of the Union addresses as one text file of more than 1 MB."""
    return Path(__file__).with_name("state_of_the_union.txt")
