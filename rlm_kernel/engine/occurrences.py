"""Numbers for identical requests."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable


@dataclass(slots=True)
class _Numbers:
    next: int
    free: list[int] = field(default_factory=list)
    claimed: set[int] = field(default_factory=set)
    """Numbers from ``next`` on that are in use."""

    def copy(self) -> _Numbers:
        return _Numbers(self.next, list(self.free), set(self.claimed))

    def advance(self) -> None:
        """Go to the next number that is not in use."""
        while self.next in self.claimed:
            self.claimed.remove(self.next)
            self.next += 1


class Occurrences:
    """Tells the how-many-th identical thing a run asks for, from 0 on.

    A model that is asked the same twice may answer twice, so the memo keeps a reply for each number. A request that
    failed gives its number back: the next identical one is its repetition, and when the cell is run again later, the
    first one finds what the repetition has brought.

    Args:
        first: The first number. A child run that is itself the k-th identical one of its parent begins at
            ``k * SPAN``, so that it does not read its twin's replies.
    """

    SPAN = 1_000_000

    def __init__(self, first: int = 0) -> None:
        self._first = first
        self._numbers: dict[Hashable, _Numbers] = {}
        self._marked: dict[Hashable, _Numbers | None] = {}

    def mark(self) -> None:
        """Remember how things stand: `rewind` comes back to here."""
        self._marked = {}

    def rewind(self) -> None:
        """Forget what was asked since `mark`: asked again, it gets the same numbers and so finds its replies."""
        for thing, numbers in self._marked.items():
            if numbers is None:
                del self._numbers[thing]
            else:
                self._numbers[thing] = numbers
        self._marked = {}

    def _remember(self, thing: Hashable) -> None:
        if thing not in self._marked:
            numbers = self._numbers.get(thing)
            self._marked[thing] = None if numbers is None else numbers.copy()

    def take(self, thing: Hashable) -> int:
        """Give the next number of a thing."""
        self._remember(thing)
        numbers = self._numbers.setdefault(thing, _Numbers(self._first))
        if numbers.free:
            return heapq.heappop(numbers.free)
        number, numbers.next = numbers.next, numbers.next + 1
        numbers.advance()
        return number

    def claim(self, thing: Hashable, number: int) -> None:
        """Mark a number as used: a reply that was taken over had it, or one that is asked for anew gets it."""
        self._remember(thing)
        numbers = self._numbers.setdefault(thing, _Numbers(self._first))
        if number >= numbers.next:
            numbers.claimed.add(number)
            numbers.advance()
        elif number in numbers.free:
            numbers.free.remove(number)
            heapq.heapify(numbers.free)

    def next_unused(self, thing: Hashable, used: Callable[[int], bool]) -> int:
        """Give a number for asking once more what has been answered: the first that has no reply, marked as used.

        Args:
            thing: What is asked.
            used: Tells whether there is a reply under a number.
        """
        numbers = self._numbers.setdefault(thing, _Numbers(self._first))
        number = self._first
        while number in numbers.claimed or used(number):
            number += 1
        self.claim(thing, number)
        return number

    def give_back(self, thing: Hashable, number: int) -> None:
        """Take back a number that brought nothing; one that was taken before a `rewind` is free already."""
        numbers = self._numbers.get(thing)
        if numbers is not None and number < numbers.next:
            self._remember(thing)
            heapq.heappush(numbers.free, number)
