"""The script and the style of the panel: one text each, joined from the modules in ``static``.

A widget carries its script as one text, without an address from which it could import. So the modules, which a browser,
node and the type checker can read as they are, are put one after the other, in the order of their imports; the lines
with ``import`` and the word ``export`` go. All their names then share one scope: a name stands in one module only.
"""

from __future__ import annotations

import functools
import re
from pathlib import Path

STATIC = Path(__file__).parent / "static"
ENTRY = "panel"
STYLES = ("panel.css", "panel-views.css", "panel-evidence.css")

_IMPORT = re.compile(r"^import\s+(?:\{[^}]*\}\s+from\s+)?'\./([\w-]+)\.js';\n", re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:async )?(?:function|class|const|let)\b)", re.MULTILINE)
_DEFAULT = re.compile(r"^export default ", re.MULTILINE)
_LEFT = re.compile(r"^(?:import|export)\b.*$", re.MULTILINE)


@functools.cache
def script() -> str:
    """Give the panel's script as one module."""
    return join(ENTRY, STATIC)


@functools.cache
def style() -> str:
    """Give the panel's style."""
    return "\n".join(path.read_text("utf-8") for name in STYLES if (path := STATIC / name).is_file())


def join(entry: str, folder: Path) -> str:
    """Put a module and all it imports into one text.

    Args:
        entry: Name of the module that stays the one with the default export.
        folder: Where the modules are.

    Raises:
        ValueError: A module imports or exports in a way that cannot be joined; the message names it.
    """
    parts = []
    for name in order(entry, folder):
        text = _IMPORT.sub("", (folder / f"{name}.js").read_text("utf-8"))
        text = _EXPORT.sub("", text)
        left = _LEFT.search(_DEFAULT.sub("", text) if name == entry else text)
        if left:
            raise ValueError(f"{name}.js cannot be joined with the others: {left.group()}")
        parts.append(f"// ---- {name}.js ----\n{text}")
    return "\n".join(parts)


def order(entry: str, folder: Path) -> list[str]:
    """Name a module and all it imports, each after those it imports.

    Raises:
        ValueError: Modules import one another in a circle.
    """
    done: list[str] = []

    def visit(name: str, above: tuple[str, ...]) -> None:
        if name in above:
            raise ValueError(f"{' imports '.join((*above, name))}: a circle")
        if name not in done:
            for each in _IMPORT.findall((folder / f"{name}.js").read_text("utf-8")):
                visit(each, (*above, name))
            done.append(name)

    visit(entry, ())
    return done
