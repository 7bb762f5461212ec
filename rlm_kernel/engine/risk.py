"""What a cell does beyond computing, as far as that can be seen in it: a help for who reads it, not a sandbox."""

from __future__ import annotations

import ast
import re
import warnings
from typing import TypedDict

from rlm_kernel.engine import risky as words
from rlm_kernel.trace.records import one_line

MOST = 50
"""Things that are named of one cell."""
CODE_CHARS = 60
PATH = "pathlib.Path()"
"""Stands for an object of that class, where `Aliases` hold what a name is."""
WRITE_MODE = re.compile(r"[wax+]")
URL = re.compile(r"(https?|ftps?|s3|gs)://", re.IGNORECASE)
MAGIC = re.compile(r"(?P<indent>\s*)(?:[\w.,\s*]+=\s*)?(?P<sign>!{1,2}|%{1,2})(?P<rest>.*)")
ESCAPED = re.compile(r"[\w.]+\s*\?{1,2}|\?{1,2}\s*[\w.]+")
_BUILTINS = frozenset(name.partition(".")[2] for name in words.NAMES if name.startswith("builtins."))

Aliases = dict[str, str | None]
"""What names of a namespace stand for: a module or function by where it is; ``None``: something else."""


class ReasonDict(TypedDict):
    """One thing in a cell that a person may want to look at first."""

    line: int
    """Of the cell, from 1 on."""
    why: str
    """In plain words: ``writes a file``."""
    code: str
    """The expression, in short."""


def describe(reason: ReasonDict) -> str:
    """Say it in one sentence, without its full stop: ``Line 3 writes a file: open('x', 'w')``."""
    return f"Line {reason['line']} {reason['why']}: {reason['code']}"


def risks(code: str, aliases: Aliases | None = None) -> list[ReasonDict]:
    """Find what a cell does beyond computing, in the order of its lines; empty where nothing is seen.

    Code that is no Python fails, and so does nothing: of that only shell lines and magics count.

    Args:
        code: The cell.
        aliases: What cells before it have imported; what this one imports is put in.
    """
    found = _Finder({} if aliases is None else aliases)
    tree = _parsed(code)
    if tree is None or _is_command(code):
        code = found.take_magics(code)
        tree = _parsed(code)
    if tree is not None:
        try:
            found.look(tree)
        except RecursionError:
            found.add(1, "is nested too deeply to be looked at", one_line(code, CODE_CHARS))
    return sorted(found.reasons.values(), key=lambda each: each["line"])[:MOST]


def _parsed(code: str) -> ast.Module | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of invalid escapes: they are the cell's own affair
            return ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _is_command(code: str) -> bool:
    """Tell whether IPython takes a cell of one line for a command: ``rm -rf``."""
    line = code.strip()
    word, _, rest = line.partition(" ")
    return "\n" not in line and word in words.ALIASES and not re.match(r"\s*([=(.,\[<>+*/%&|^]|in\b|is\b)", rest)


class _Finder:
    """Goes through one cell."""

    def __init__(self, aliases: Aliases) -> None:
        self.reasons: dict[tuple[int, str], ReasonDict] = {}
        self._aliases = aliases

    def add(self, line: int, why: str, code: str) -> None:
        """Note one thing; the same once a line."""
        self.reasons.setdefault((line, why), ReasonDict(line=line, why=why, code=one_line(code, CODE_CHARS)))

    # -- what is IPython's -----------------------------------------------------------------------------------------

    def take_magics(self, code: str) -> str:
        """Note shell lines and magics; gives the rest, with lines that do nothing in their places."""
        lines = code.split("\n")
        first = next((at for at, line in enumerate(lines) if line.strip()), 0)
        if lines[first].lstrip().startswith("%%"):
            name, body = self._magic(lines[first].lstrip()[2:]), lines[first + 1 :]
            if name not in words.QUIET_MAGICS:
                why = words.SHELL if name in ("bash", "sh", "script", "system", "sx", "!") else words.MAGIC
                self.add(first + 1, why, lines[first])
                return ""
            lines = [""] * (first + 1) + body
        if _is_command(code):
            self.add(first + 1, words.SHELL, lines[first])
            return ""
        return "\n".join(self._plain(number, line) for number, line in enumerate(lines, 1))

    def _plain(self, number: int, line: str) -> str:
        """Give a line as Python can read it."""
        if ESCAPED.fullmatch(line.strip()):
            return ""
        found = MAGIC.fullmatch(line)
        if found is None:
            return line
        name = self._magic(found["rest"])
        if found["sign"].startswith("!"):
            self.add(number, words.SHELL, line)
        elif name not in words.QUIET_MAGICS:
            self.add(number, words.MAGIC, line)
        elif name in ("time", "timeit"):
            return f"{found['indent']}{found['rest'].strip().removeprefix(name).strip() or 'pass'}"
        return f"{found['indent']}pass"

    @staticmethod
    def _magic(rest: str) -> str:
        return (rest.split() or [""])[0]

    # -- what is Python's ------------------------------------------------------------------------------------------

    def look(self, tree: ast.Module) -> None:
        """Go through all of it: first what names stand for, then what is done with them."""
        for node in ast.walk(tree):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                self._aliases[node.id] = None
            elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                self._aliases[node.name] = None
            elif isinstance(node, ast.arg):
                self._aliases.setdefault(node.arg, None)
        for node in ast.walk(tree):
            self._learn_import(node)
        for _ in range(2):  # what is given on from one name to another
            for node in ast.walk(tree):
                self._learn_name(node)
        called = {id(node.func): node for node in ast.walk(tree) if isinstance(node, ast.Call)}
        inner = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Name | ast.Attribute):
                self._look_at(node, called.get(id(node)), id(node) in inner)
            elif isinstance(node, ast.Constant) and node.value == "__builtins__":
                self.add(node.lineno, words.INSIDE, "'__builtins__'")
            elif isinstance(node, ast.ImportFrom) and any(each.name == "*" for each in node.names):
                self._look_at_star(node)

    def _learn_import(self, node: ast.AST) -> None:
        if isinstance(node, ast.Import):
            for each in node.names:
                whole = each.name if each.asname else each.name.split(".")[0]
                self._aliases[each.asname or whole] = whole
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for each in node.names:
                self._aliases[each.asname or each.name] = f"{node.module}.{each.name}"

    def _learn_name(self, node: ast.AST) -> None:
        pairs: list[tuple[ast.expr, ast.expr]] = []
        if isinstance(node, ast.Assign):
            pairs = [(target, node.value) for target in node.targets]
        elif isinstance(node, ast.AnnAssign | ast.NamedExpr) and node.value is not None:
            pairs = [(node.target, node.value)]
        elif isinstance(node, ast.For | ast.comprehension):
            pairs = [(node.target, node.iter)] if self._gives_paths(node.iter) else []
        for target, value in pairs:
            stands_for = self._stands_for(value)
            if isinstance(target, ast.Name) and stands_for is not None:
                self._aliases[target.id] = stands_for

    def _gives_paths(self, node: ast.expr) -> bool:
        is_listing = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
        return is_listing and node.func.attr in ("iterdir", "glob", "rglob")  # type: ignore[attr-defined]

    def _stands_for(self, node: ast.expr) -> str | None:
        """Say which module, function or path an expression is; ``None``: something else."""
        if isinstance(node, ast.Name):
            if node.id in self._aliases:
                return self._aliases[node.id]
            if node.id == "__builtins__":
                return "builtins"
            if node.id in _BUILTINS:
                return f"builtins.{node.id}"
            # Imported by a cell that was not looked at: the usual names of modules are taken for these.
            return node.id if node.id in words.GUESSED else None
        if isinstance(node, ast.Attribute):
            base = self._stands_for(node.value)
            return PATH if base == PATH and node.attr == "parent" else f"{base}.{node.attr}" if base else None
        if isinstance(node, ast.Call):
            return self._made_by(node)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div) and self._stands_for(node.left) == PATH:
            return PATH
        return (self._gives_paths(node) and PATH) or None

    def _made_by(self, node: ast.Call) -> str | None:
        made = self._stands_for(node.func)
        if (
            made in ("pathlib.Path", "pathlib.PosixPath")
            or (made or "").startswith(f"{PATH}.")
            or self._gives_paths(node)
        ):
            return PATH
        if made in ("builtins.__import__", "importlib.import_module") and node.args:
            name = node.args[0]
            return name.value if isinstance(name, ast.Constant) and isinstance(name.value, str) else None
        return None

    def _look_at(self, node: ast.Name | ast.Attribute, call: ast.Call | None, is_inner: bool) -> None:
        whole = call or node
        why = self._why(node, call, is_inner)
        if why:
            self.add(node.lineno, why, ast.unparse(whole))

    def _why(self, node: ast.Name | ast.Attribute, call: ast.Call | None, is_inner: bool) -> str:
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            return ""
        name = self._stands_for(node)
        if isinstance(node, ast.Attribute) and node.attr in words.INSIDES:
            return words.INSIDE
        if name is not None and not name.startswith(PATH):
            if name in words.OPENERS | words.ARCHIVES:
                return self._opens(call)
            if name in words.DATABASES:
                return "" if call and call.args and ast.unparse(call.args[0]) == "':memory:'" else words.MAY_WRITE
            if name in words.GUARDED and not is_inner and "." not in name:
                return words.PASSED_ON
            if said := _named(name, node):
                return said
        if isinstance(node, ast.Name):
            return words.IPYTHON if node.id == "get_ipython" else ""
        return self._of_method(node, call, name)

    def _of_method(self, node: ast.Attribute, call: ast.Call | None, name: str | None) -> str:
        """Judge a method by its name, where it is not known of what."""
        is_path = (name or "").startswith(f"{PATH}.")
        if node.attr in words.METHODS and (call is not None or is_path):
            return words.METHODS[node.attr]
        if is_path and node.attr in words.OF_PATHS:
            return words.CHANGES
        if call is None:
            return ""
        if node.attr in words.WITH_TARGET and _has_target(call):
            return words.WRITES
        if node.attr == "open" and any(_writes(each) for each in _constants(call)):
            return words.WRITES
        if node.attr.startswith("read_") and any(URL.match(each) for each in _constants(call)):
            return words.NETWORK
        return ""

    def _opens(self, call: ast.Call | None) -> str:
        """Judge a call of ``open``: by its mode."""
        if call is None:
            return words.MAY_WRITE
        modes = [each.value for each in call.keywords if each.arg == "mode"] or call.args[1:2]
        if not modes:
            return words.MAY_WRITE if any(each.arg is None for each in call.keywords) else ""
        mode = modes[0]
        if isinstance(mode, ast.Constant) and isinstance(mode.value, str):
            return words.WRITES if WRITE_MODE.search(mode.value) else ""
        return words.MAY_WRITE

    def _look_at_star(self, node: ast.ImportFrom) -> None:
        if node.module and node.module.split(".")[0] in words.GUARDED:
            self.add(node.lineno, words.PASSED_ON, ast.unparse(node))


def _named(name: str, node: ast.expr) -> str:
    """Find a name in the tables: itself, or what it is below of."""
    parts = name.split(".")
    if len(parts) > 1 and parts[0] in words.MODULES:
        return words.MODULES[parts[0]]
    for end in range(len(parts), 1, -1):
        if why := words.NAMES.get(".".join(parts[:end])):
            is_set = isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store | ast.Del)
            return words.SETS_ENV if is_set and why == words.READS_ENV else why
    return ""


def _constants(call: ast.Call) -> list[str]:
    values = [*call.args, *(each.value for each in call.keywords)]
    return [each.value for each in values if isinstance(each, ast.Constant) and isinstance(each.value, str)]


def _writes(mode: str) -> bool:
    return len(mode) <= 3 and set(mode) <= set("rwaxbt+") and bool(WRITE_MODE.search(mode))


def _has_target(call: ast.Call) -> bool:
    named = {each.arg for each in call.keywords}
    is_none = bool(call.args) and isinstance(call.args[0], ast.Constant) and call.args[0].value is None
    return bool(call.args and not is_none) or bool(named & {"path_or_buf", "path", "buf", "fp"})
