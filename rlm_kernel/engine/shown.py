"""What a cell showed, as text for the model."""

from __future__ import annotations

import re
from html import unescape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from rlm_kernel.engine.executor import Output

SHOWN_CHARS = 10_000
"""Characters of a cell's output that the model gets to see."""
HEAD_SHARE = 0.6
"""How much of them comes from the beginning; the rest from the end."""

_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-_])")
_OVERWRITTEN = re.compile(r"^[^\n]*\r(?=[^\n])", re.MULTILINE)
_REPR = re.compile(r"<[^<>]*>")
_TAG = re.compile(r"<(script|style)\b.*?</\1\s*>|<[^>]*>", re.DOTALL | re.IGNORECASE)
_FRAME = re.compile(r"(?:File |Cell In\[|Input In |~?/|<)")
_OWN_FRAME = re.compile(r"(?:  )?(?:Cell In\[|Input In )")
_NUMBERED = re.compile(r"\b(?:Cell In |Cell In|Input In |Input In)\[(\d+)\]")
# It may begin only where a word does: tried at each character, a line of megabytes would take minutes.
_CELL_FILE = re.compile(r"<ipython-input-\d+-\w+>|(?<![^\s\"'<>|])[^\s\"'<>|]*\bipykernel_\d+[/\\]+\d+\.py")
_ADDRESS = re.compile(r"(?<= at )0x[0-9a-fA-F]{6,16}\b")


def shown(outputs: Iterable[Output], limit: int = SHOWN_CHARS, cells: Sequence[int] = ()) -> str:
    """Write what a cell showed as text: streams, the value of the last expression, displays, the error.

    What changes from one time to the next although nothing happens otherwise is left out or counted from the run's
    first cell: execution counts, addresses of objects, files that stand for cells. The same run asks the same again.

    Args:
        outputs: The cell's outputs in order.
        limit: Characters to keep, head and tail.
        cells: The execution counts of the run's cells, in order.
    """
    parts = [text for output in outputs if (text := _text(output).strip("\n"))]
    return head_and_tail(lasting("\n".join(parts), cells), limit)


def lasting(text: str, cells: Sequence[int] = ()) -> str:
    """Take away what would be different in another process or later in the same one."""

    def numbered(found: re.Match[str]) -> str:
        number = int(found.group(1))
        return f"Cell In[{cells.index(number) + 1}]" if number in cells else "Cell above"

    return _ADDRESS.sub("0x…", _CELL_FILE.sub("<cell>", _NUMBERED.sub(numbered, text)))


def head_and_tail(text: str, limit: int, head_share: float = HEAD_SHARE) -> str:
    """Leave out the middle of a text that is too long, and say how much that is."""
    if len(text) <= limit:
        return text
    head = int(limit * head_share)
    tail = limit - head
    return f"{text[:head]}\n[… {len(text) - limit:,} characters left out …]\n{text[len(text) - tail :]}"


def plain(text: str) -> str:
    """Take away colours and other terminal codes, and what a progress bar has overwritten."""
    return _OVERWRITTEN.sub("", _ANSI.sub("", text).replace("\r\n", "\n"))


def error_text(ename: str, evalue: str, traceback: Iterable[str]) -> str:
    """Write an error with its traceback, of which only the frames in cells are kept."""
    text = plain("\n".join(traceback)).strip("\n")
    return _trimmed(text) if text else f"{ename}: {evalue}"


def _text(output: Output) -> str:
    kind = output.get("output_type")
    if kind == "stream":
        return plain(output.get("text", ""))
    if kind == "error":
        return error_text(output.get("ename", ""), output.get("evalue", ""), output.get("traceback", []))
    text = rich_text(output.get("data", {}))
    if kind == "execute_result":
        return f"Out:{chr(10) if chr(10) in text else ' '}{text}"
    return text


def rich_text(data: Mapping[str, object]) -> str:
    """Give the text form of a rich output, and name the forms that have none."""
    texts = {kind: _joined(value) for kind, value in data.items() if kind.startswith("text/")}
    text = texts.get("text/plain", "")
    # Objects made only to be seen (Markdown, HTML, Latex) have a plain form that says nothing.
    if not text or _REPR.fullmatch(text.strip()):
        rich = texts.get("text/markdown") or texts.get("text/latex") or _from_html(texts.get("text/html", ""))
        text = rich or text or _joined(data.get("application/json", ""))
    seen = [f"[{kind}]" for kind in data if kind.startswith(("image/", "audio/", "video/"))]
    return plain("\n".join(filter(None, [text, *seen])))


def _joined(value: object) -> str:
    return "".join(map(str, value)) if isinstance(value, list) else str(value)


def _from_html(html: str) -> str:
    lines = (line.strip() for line in unescape(_TAG.sub(" ", html)).splitlines())
    return "\n".join(filter(None, lines))


def _trimmed(text: str) -> str:
    """Drop the frames of libraries from an IPython traceback, where frames are set apart by empty lines."""
    blocks = text.split("\n\n")
    if not any(_OWN_FRAME.match(block) or "\nCell In[" in block for block in blocks):
        return text
    kept: list[str] = []
    dropped = 0
    for block in blocks:
        lines = [line for line in block.split("\n") if line.strip("-")]
        starts = [number for number, line in enumerate(lines) if _FRAME.match(line)]
        foreign = bool(starts) and not _OWN_FRAME.match(lines[starts[0]])
        if foreign:
            dropped += 1
            lines = lines[: starts[0]]
        elif dropped and lines:
            kept.append(_left_out(dropped))
            dropped = 0
        if lines:
            kept.append("\n".join(lines))
    if dropped:
        kept.append(_left_out(dropped))
    return "\n".join(kept)


def _left_out(frames: int) -> str:
    return f"[… {frames} {'frame' if frames == 1 else 'frames'} outside the cells left out …]"
