"""The notebook pages that have the extension and are connected."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from rlm_kernel.kernel.protocol import PROTOCOL, HelloAck, Problem
from rlm_kernel.kernel.reading import Hello

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from rlm_kernel.errors import RlmError
    from rlm_kernel.kernel.journal import Journal, LiveRun
    from rlm_kernel.kernel.protocol import Go, KernelMessage
    from rlm_kernel.kernel.services import KernelServices, Message


@dataclass(slots=True)
class Page:
    """One connected page."""

    comm_id: str
    hello: Hello
    silent: bool = False
    """It did not bind a cell in time: it is not waited for any more (a closed tab says no good-bye)."""


class Pages:
    """Sends to every page, and knows which of them a run belongs to."""

    def __init__(self, kernel: KernelServices, journal: Journal) -> None:
        """Start without a page."""
        self._kernel = kernel
        self._journal = journal
        self._pages: dict[str, Page] = {}
        self.panel: str | None = None
        """The panel's model id, once there is one."""
        self.models: Callable[[], list[str]] = list
        """Gives the names of models to choose from."""
        self.undone: Callable[[], list[str]] = list
        """Gives the cells whose effect on Python's state was undone."""

    def __bool__(self) -> bool:
        """Whether any page is connected."""
        return bool(self._pages)

    @property
    def path(self) -> str:
        """The notebook's path as the pages know it; empty where there is none."""
        return next((page.hello.path for page in self._pages.values()), "")

    def has(self, client_id: str) -> bool:
        """Whether the client with this session id is a page with the extension."""
        return any(page.hello.client_id == client_id for page in self._pages.values())

    def answering(self) -> bool:
        """Whether there is a page worth waiting for."""
        return any(not page.silent for page in self._pages.values())

    def opened(self, comm_id: str, data: Mapping[str, Any], parent: Message) -> None:
        """Welcome a page: it gets everything that has happened, and the runs whose owner is gone."""
        page = self._pages[comm_id] = Page(comm_id, Hello.read(data))
        self._give_away(page)
        self._welcome(page, parent)

    def closed(self, comm_id: str) -> None:
        """Forget a page; a page that is still there takes its runs."""
        if self._pages.pop(comm_id, None) is not None:
            self._hand_over()

    def heard(self, comm_id: str) -> None:
        """Note that a page is alive."""
        if page := self._pages.get(comm_id):
            page.silent = False

    def missed(self, run: LiveRun) -> None:
        """Note that no page bound a cell in time: the owner is not waited for any more, and another page takes over."""
        quiet = [page for page in self._pages.values() if page.hello.client_id == run.owner]
        for page in quiet or self._pages.values():
            page.silent = True
        self._hand_over()

    def bound(self) -> None:
        """Note that a page bound a cell: pages are there."""
        for page in self._pages.values():
            page.silent = False

    def _hand_over(self) -> None:
        heirs = [page for page in self._pages.values() if not page.silent]
        if heirs and self._give_away(heirs[-1]):
            self._welcome(heirs[-1], None)

    def _give_away(self, heir: Page) -> bool:
        """Let a page own the runs whose page is gone or silent."""
        there = {page.hello.client_id for page in self._pages.values() if not page.silent or page is heir}
        orphans = [run for run in self._journal.runs() if run.owner not in there]
        for run in orphans:
            run.owner = heir.hello.client_id
        return bool(orphans)

    def _welcome(self, page: Page, parent: Message | None) -> None:
        ack = HelloAck(
            type="hello_ack",
            protocol=PROTOCOL,
            runs=self._journal.acks(),
            panel=self.panel,
            models=self.models(),
            undone=self.undone(),
        )
        self._kernel.send_page(page.comm_id, dict(ack), parent)

    def tell(self, run: LiveRun, kind: str, fields: Mapping[str, Any]) -> None:
        """Send a message of a run to every page."""
        if run.fallback:
            return
        run.seq += 1
        for comm_id in list(self._pages):
            message = {"type": kind, "run_id": run.run_id, "seq": run.seq, **fields}
            self._kernel.send_page(comm_id, message, run.request)

    def go(self, anchor: str | None, owner: str, fields: Go) -> bool:
        """Have one page run a cell: the one that owns the run, else the last one that is alive; ``False``: none is."""
        alive = [page for page in self._pages.values() if not page.silent] or list(self._pages.values())
        chosen = next((page for page in alive if page.hello.client_id == owner), alive[-1] if alive else None)
        if chosen is None:
            return False
        run = self._journal.at(anchor)
        if run is not None:
            run.seq += 1
        about = {"run_id": run.run_id if run else "", "seq": run.seq if run else 0}
        self._kernel.send_page(chosen.comm_id, {"type": "go", **about, **fields}, None)
        return True

    def say(self, message: KernelMessage, comm_id: str | None = None, parent: Message | None = None) -> None:
        """Send a message that is about no run: to one page, or to all."""
        for each in [comm_id] if comm_id is not None else list(self._pages):
            self._kernel.send_page(each, dict(message), parent)

    def problem(self, error: RlmError, ask_id: str = "", comm_id: str | None = None, **offer: Any) -> None:
        """Say that something cannot be done: to one page, or to all.

        Args:
            error: What is wrong.
            ask_id: Of the question that this answers.
            comm_id: The page.
            offer: What the page may offer then: ``offer`` and the fields it needs.
        """
        problem = Problem(type="problem", ask_id=ask_id, text=error.message, remedy=error.remedy)
        self.say(cast("Problem", {**problem, **offer}), comm_id)

    def owner(self, anchor: str | None) -> str:
        """Name the client that shows the run of a question; empty where none does."""
        run = self._journal.at(anchor)
        return run.owner if run is not None else ""

    def newest(self) -> str:
        """Name the page that came last; empty where there is none."""
        return next((page.hello.client_id for page in reversed(self._pages.values())), "")

    def dock(self, model_id: str, parent: Message | None, comm_id: str | None = None) -> None:
        """Show the panel beside one page, or beside all."""
        self.panel = model_id
        self.say({"type": "dock", "model_id": model_id}, comm_id, parent)
