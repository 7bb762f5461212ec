"""What was done in the namespace, and which of it the present state came of."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from rlm_kernel.trace.entries import Author as Author
from rlm_kernel.trace.entries import Entry as Entry  # noqa: TC001 (others import it from here)
from rlm_kernel.trace.entries import EntryId as EntryId  # noqa: TC001
from rlm_kernel.trace.entries import EntryKind as EntryKind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

log = logging.getLogger(__name__)


class History:
    """All entries of a session; each knows the one before it, so that several pasts live beside each other.

    Whoever drives the namespace (`NamespaceProcess`) writes it: cells, begin and end of runs, variables set from
    outside; and moves it when an earlier state is restored. Nothing in it is ever changed or dropped.

    A cell in which the process died has an entry, but no state comes of it: it is on no path.
    """

    def __init__(self) -> None:
        self.current: EntryId | None = None
        """What was done last in the present state; ``None``: nothing yet."""
        self.on_add: list[Callable[[Entry], None]] = []
        """Told each entry once it is complete."""
        self._entries: dict[EntryId, Entry] = {}
        self._of_cell: dict[str, EntryId] = {}

    def add(self, entry: Entry) -> Entry:
        """Take what was done last; the present state is the one after it, unless the process died in it."""
        self._take(entry)
        if entry.status != "died":
            self.current = entry.id
        return entry

    def adopt(self, entries: Iterable[Entry]) -> None:
        """Take what was done in an earlier session, oldest first; the present state stays."""
        for entry in entries:
            if entry.id not in self._entries:
                self._take(entry)

    def _take(self, entry: Entry) -> None:
        self._entries[entry.id] = entry
        if entry.cell_id is not None:
            self._of_cell[entry.cell_id] = entry.id
        for tell in list(self.on_add):
            try:
                tell(entry)
            except Exception:
                log.exception("%r failed and is told no more", tell)
                self.on_add.remove(tell)

    def move(self, to: EntryId | None) -> None:
        """Note that the namespace is in the state right after an entry; ``None``: a fresh one.

        Raises:
            KeyError: There is no such entry.
        """
        if to is not None:
            self._entries[to]
        self.current = to

    def entry(self, entry_id: EntryId) -> Entry:
        """Give an entry.

        Raises:
            KeyError: There is none with this id.
        """
        return self._entries[entry_id]

    def __contains__(self, entry_id: object) -> bool:
        """Tell whether there is such an entry."""
        return entry_id in self._entries

    def __len__(self) -> int:
        """Count the entries."""
        return len(self._entries)

    def entries(self) -> list[Entry]:
        """Give all, in the order in which they were done."""
        return list(self._entries.values())

    def of_cell(self, cell_id: str) -> Entry | None:
        """Give the newest entry of a notebook cell."""
        found = self._of_cell.get(cell_id)
        return self._entries[found] if found is not None else None

    def path(self, to: EntryId | None, *, include: bool = True) -> list[Entry]:
        """Give what a state came of, oldest first.

        Args:
            to: The last entry of it.
            include: Whether that one is wanted too; without it, the path leads to the state it began in.
        """
        found: list[Entry] = []
        at = to
        while at is not None and at in self._entries:
            found.append(self._entries[at])
            at = found[-1].after
        found.reverse()
        return found if include else found[:-1]

    def here(self) -> list[Entry]:
        """Give what the present state came of, oldest first."""
        return self.path(self.current)

    def begin_of(self, entry_id: EntryId) -> Entry | None:
        """Give the beginning of the run that an entry belongs to: the last ``begin`` before it."""
        return next((each for each in reversed(self.path(entry_id)) if each.kind == "begin"), None)

    def with_count(self, count: int) -> Entry | None:
        """Give the cell of the present state with this execution count."""
        return next((each for each in reversed(self.here()) if each.kind == "cell" and each.count == count), None)
