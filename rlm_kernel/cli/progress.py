"""A run as it happens, in a terminal."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.live import Live
from rich.syntax import Syntax
from rich.text import Text

from rlm_kernel.cli.terminal import plain, shorten
from rlm_kernel.engine.observer import Observer
from rlm_kernel.ids import number_of
from rlm_kernel.trace.records import one_line
from rlm_kernel.usage import Usage, count

if TYPE_CHECKING:
    from collections.abc import Callable

    from rlm_kernel.cli.terminal import Screen
    from rlm_kernel.engine.control import Control
    from rlm_kernel.engine.executor import CellResult, Output
    from rlm_kernel.engine.observer import Part
    from rlm_kernel.trace.records import Node
    from rlm_kernel.trace.tree import Tree

GUTTER = "  │ "
CODE_INDENT = "    "
FINAL = ("done", "failed", "stopped")
REFRESH = 12
TAIL = 4
"""Lines of what a cell has printed so far that stand below while it runs."""
TAIL_CHARS = 2000


class Writing:
    """One part of a turn (prose or code) as it grows: which lines are complete, and what is being written."""

    def __init__(self) -> None:
        self.text = ""
        self.shown = 0
        """Lines that stand on the screen for good."""

    def put(self, pos: int, text: str) -> None:
        """Let ``text`` stand at character ``pos``."""
        self.text = self.text[:pos] + text

    def take(self, *, all_of_it: bool = False) -> list[int]:
        """Give the numbers of the lines that are complete and not shown yet, and count them as shown."""
        complete = len(self.lines) if all_of_it else len(self.lines) - 1
        numbers = list(range(self.shown, complete))
        self.shown = max(self.shown, complete)
        return numbers

    @property
    def lines(self) -> list[str]:
        """All lines; the last one is still being written, and empty after a line end."""
        return self.text.split("\n")


class Drawn:
    """What stands below the printed lines."""

    def __init__(self, draw: Callable[[], RenderableType]) -> None:
        self._draw = draw

    def __rich__(self) -> RenderableType:
        """Draw it as it is now."""
        return self._draw()


class Progress(Observer):
    """Shows turns, cells, outputs and calls while they come.

    Complete lines are printed for good. On a terminal, what is being written, the calls under way and a status line
    stand below them and are drawn anew; in a pipe there are only complete lines.

    Args:
        screen: Where to write.
    """

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._control: Control | None = None
        self._live: Live | None = None
        self._tree: Tree | None = None
        self._turn: Node | None = None
        self._run: Node | None = None
        self._turns = 0
        self._started = time.monotonic()
        self._prose = Writing()
        self._code = Writing()
        self._calls: list[Node] = []
        self._doing = ""
        self._printed: str | None = None
        """The end of what the cell that runs has printed so far; ``None`` while none runs."""

    def watch(self, control: Control) -> None:
        """Show what the run waits for, as the control says."""
        self._control = control

    def open(self, doing: str) -> None:
        """Begin to draw; ``doing`` stands in the status line until a turn begins."""
        self._doing = doing
        if self._screen.is_terminal and self._live is None:
            self._live = Live(
                Drawn(
                    self._below
                ),  # made anew whenever it is drawn: a line printed above must not bring back an old state
                console=self._screen,
                refresh_per_second=REFRESH,
                transient=True,
                vertical_overflow="crop",
            )
            self._live.start()

    def close(self) -> None:
        """Take away what stands below; nothing is drawn afterwards."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def hold(self) -> None:
        """Draw nothing more until `release`: the person is asked something. All that is written so far is shown."""
        self._finish_writing()
        self.close()

    def release(self) -> None:
        """Draw again."""
        self.open(self._doing)

    def shows(self, node_id: str) -> bool:
        """Tell whether the cell of a turn stands on the screen."""
        return self._turn is not None and self._turn.id == node_id

    # -- what the engine tells -------------------------------------------------------------------------------------

    def node_added(self, tree: Tree, node: Node) -> None:
        """Begin a turn, or note a call; what happens in child runs is the tree's, not this page's."""
        self._tree = tree
        if node.kind == "run" and node.parent_id is None:
            self._run = node
        elif node.kind == "run" and self._is_ours(node):
            self._calls.append(node)
        elif self._run is None or node.run_id != self._run.run_id:
            return
        elif node.kind == "turn":
            self._finish_writing()  # of a turn whose cell did not run
            self._turn = node
            self._turns = number_of(node.id)
            self._prose, self._code, self._calls = Writing(), Writing(), []
            self._rule(f"turn {self._turns} · {node.model or ''}".rstrip(" ·"))
        elif node.kind == "call":
            self._calls.append(node)

    def node_changed(self, tree: Tree, node: Node) -> None:
        """Say why the cell of a turn was not run."""
        if node is self._turn and node.ended and node.error and node.error.startswith("No cell was run"):
            self._finish_writing()
            self._line(Text(f"{GUTTER}{plain(node.error)}", style="yellow"))

    def turn_text(self, node: Node, part: Part, pos: int, text: str) -> None:
        """Print the lines that became complete."""
        if node is not self._turn:
            return
        if part == "prose":
            self._prose.put(pos, text)
            self._print_prose()
            return
        if not self._code.text:
            self._print_prose(all_of_it=True)
            self._line(Text(""))
        if pos < len(self._code.text) and self._code.shown:
            # Another cell in the place of one that stands on the screen: the person has changed it.
            self._code = Writing()
            self._line(Text(f"{GUTTER}changed to", style="dim"))
        self._code.put(pos, text)
        self._print_code()

    def cell_starts(self, node: Node) -> None:
        """Print the rest of what the turn wrote."""
        if node is self._turn:
            self._finish_writing()
            self._printed = ""

    def printed(self, text: str) -> None:
        """Show what a cell prints while it runs; all it showed is printed when it has ended."""
        if self._printed is not None:
            self._printed = (self._printed + text)[-TAIL_CHARS:]

    def cell_ended(self, node: Node, result: CellResult) -> None:
        """Print the calls the cell made, and what it showed."""
        if node is not self._turn:
            return
        self._printed = None
        self._print_calls()
        for output in result.outputs:
            self._print_output(output)
        if result.status == "stopped":
            self._line(Text(f"{GUTTER}interrupted", style="yellow"))
        elif result.status == "died":
            self._line(Text(f"{GUTTER}the process that ran this cell ended", style="red"))

    def _is_ours(self, node: Node) -> bool:
        """Tell whether a child run was asked for by a cell of the run itself, and not of a child."""
        return self._turn is not None and node.parent_id == self._turn.id

    def run_ended(self, tree: Tree, node: Node) -> None:
        """Print what is left of the last turn."""
        self._finish_writing()
        self.close()

    # -- for good --------------------------------------------------------------------------------------------------

    def _line(self, text: Text) -> None:
        self._screen.print(text, soft_wrap=True)

    def _words(self, text: Text) -> None:
        """Print text for reading: a terminal breaks it between words, a pipe gets it as it is."""
        self._screen.print(text, soft_wrap=not self._screen.is_terminal)

    def _rule(self, title: str) -> None:
        width = max(2, min(self._screen.width, 100) - len(title) - 4) if self._screen.is_terminal else 2
        self._line(Text(""))
        self._line(Text.assemble(("── ", "dim"), (title, "bold"), (" " + "─" * width, "dim")))

    def _finish_writing(self) -> None:
        had_code = bool(self._code.text)
        self._print_prose(all_of_it=not had_code)
        if had_code:
            self._print_code(all_of_it=True)

    def _print_prose(self, *, all_of_it: bool = False) -> None:
        lines = self._prose.lines
        for number in self._prose.take(all_of_it=all_of_it):
            line = plain(lines[number])
            if line.strip() or 0 < number < len(lines) - 1:
                self._words(Text(line))

    def _print_code(self, *, all_of_it: bool = False) -> None:
        numbers = self._code.take(all_of_it=all_of_it)
        if not numbers:
            return
        colored = self._colored()
        for number in numbers:
            if number < len(colored) and (colored[number].plain or number < len(colored) - 1):
                self._line(Text(CODE_INDENT) + colored[number] if colored[number].plain.strip() else Text(""))

    def _colored(self) -> list[Text]:
        """Give all lines of the code in colour; together, since a string may go over many lines."""
        code = plain(self._code.text)
        lines = Syntax("", "python", theme="ansi_dark", background_color="default").highlight(code).split("\n")
        return list(lines)

    def _print_calls(self) -> None:
        for calls in self._groups():
            self._line(self._calls_line(calls))
        self._calls = []

    def _print_output(self, output: Output) -> None:
        text, style = output_text(output)
        for line in shorten(plain(text)) if text.strip() else []:
            for part in self._fitting(Text(line, style=style)):
                self._line(Text(GUTTER, style="dim") + part)

    def _fitting(self, line: Text) -> list[Text]:
        """Break a line of an output so that each part stands behind its gutter."""
        if not self._screen.is_terminal or not line.plain:
            return [line]
        return list(line.wrap(self._screen, max(20, self._screen.width - len(GUTTER)), tab_size=4))

    # -- drawn anew ------------------------------------------------------------------------------------------------

    def _below(self) -> RenderableType:
        parts: list[RenderableType] = []
        if self._code.text and self._code.shown < len(self._code.lines):
            parts.append(Text(CODE_INDENT) + self._colored()[-1])
        elif not self._code.text and self._prose.shown < len(self._prose.lines):
            parts.append(Text(plain(self._prose.lines[-1])))
        lines = (self._printed or "").rstrip("\n").split("\n")[-TAIL:]
        for line in lines if self._printed else []:
            last = plain(line.rstrip("\r").rpartition("\r")[2])
            parts.append(Text.assemble((f"{GUTTER}{last}", "dim"), no_wrap=True, overflow="ellipsis"))
        parts += [self._calls_line(calls) for calls in self._groups()[-4:]]
        parts.append(self._status())
        return Group(*parts)

    def _groups(self) -> list[list[Node]]:
        """Give the calls of this turn, those of one batch together."""
        groups: dict[str, list[Node]] = {}
        for call in self._calls:
            groups.setdefault(call.batch or call.id, []).append(call)
        return list(groups.values())

    def _calls_line(self, calls: list[Node]) -> Text:
        ended = sum(call.status in FINAL for call in calls)
        failed = sum(call.status == "failed" for call in calls)
        spent = sum((self._spent(call) for call in calls), Usage())
        name = "rlm_query" if calls[0].kind == "run" else "llm_query"
        line = Text("  ↳ ", style="dim")
        if len(calls) == 1:
            line.append(f"{name}: {one_line(plain(calls[0].label), 60)} ", style="cyan")
        else:
            filled = round(12 * ended / len(calls))
            line.append(f"{name}_batched {'━' * filled}{'─' * (12 - filled)} {ended:,}/{len(calls):,} ", style="cyan")
        if failed:
            line.append(f"{failed:,} failed ", style="red")
        cached = sum(call.cached for call in calls)
        if spent.calls or cached:
            line.append(f"· {spent.describe(cached)}", style="dim")
        return line

    def _spent(self, node: Node) -> Usage:
        return self._tree.total(node.id) if self._tree is not None else node.usage

    def _status(self) -> Text:
        seconds = time.monotonic() - self._started
        parts = [f"{seconds:.0f} s"]
        if self._tree is not None and self._run is not None:
            spent = self._tree.spent(self._run.id)
            parts = [count(self._turns, "turn"), spent, *parts]
        waits = (self._control.waits_for if self._control else "") or self._doing
        line = Text.assemble(("● ", "green"), (" · ".join(parts), "bold"), no_wrap=True, overflow="ellipsis")
        if waits:
            line.append(f" · {one_line(plain(waits), 60)}", style="dim")
        return line


def output_text(output: Output) -> tuple[str, str]:
    """Give an output of a cell as text for a terminal, with its style."""
    kind = output.get("output_type")
    if kind == "stream":
        return str(output.get("text", "")), "red" if output.get("name") == "stderr" else ""
    if kind == "error":
        lines = plain("\n".join(output.get("traceback") or [])).split("\n")
        last = f"{output.get('ename', '')}: {output.get('evalue', '')}"
        return "\n".join(lines[-6:]) if any(lines) else last, "red"
    data = output.get("data") or {}
    if "text/plain" in data:
        text = data["text/plain"]
        return "".join(text) if isinstance(text, list) else str(text), ""
    return f"[{', '.join(data)}]" if data else "", "dim"
