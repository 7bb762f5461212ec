"""Writes the types of messages for the pages, from the Python types that the kernel uses.

    python labextension/generate_types.py [--check]

It reads the sources, it imports nothing: TypedDicts (with their docstrings) and aliases of literals and unions become
TypeScript types of the same name. ``--check`` writes nothing, and fails where a file is out of date.
"""

from __future__ import annotations

import ast
import sys
from dataclasses import dataclass, field
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
PACKAGE = TOP / "rlm_kernel"
SOURCES = (
    "usage.py",
    "trace/records.py",
    "trace/compare.py",
    "contexts/cited.py",
    "contexts/passages.py",
    "contexts/landmarks.py",
    "engine/passages.py",
    "engine/executor.py",
    "engine/edits.py",
    "engine/rerun.py",
    "engine/branches.py",
    "engine/quoting.py",
    "engine/risk.py",
    "engine/gate.py",
    "notebook/cells.py",
    "panel/messages.py",
    "panel/questions.py",
    "kernel/protocol.py",
)
"""Where types may come from; a name must be unique among them."""

PAGE = TOP / "labextension" / "src" / "generated.ts"
PANEL = PACKAGE / "panel" / "static" / "generated.d.ts"
WIDTH = 120
HEAD = "// Made by labextension/generate_types.py from the Python types; do not edit.\n"
ESLINT = "/* eslint-disable max-lines */\n"
NAMES = {
    "str": "string",
    "int": "number",
    "float": "number",
    "bool": "boolean",
    "None": "null",
    "object": "unknown",
    "Any": "unknown",
    **dict.fromkeys(("RunId", "NodeId", "CellId", "MsgId"), "string"),
}


@dataclass
class Field:
    """A key of a TypedDict."""

    name: str
    type: ast.expr
    optional: bool
    doc: str = ""


@dataclass
class Type:
    """A TypedDict, or an alias of other types."""

    name: str
    doc: str
    bases: list[str] = field(default_factory=list)
    fields: list[Field] = field(default_factory=list)
    alias: ast.expr | None = None


class Unknown(Exception):
    """A type cannot be said in TypeScript, or is not among the sources."""


# ---- reading


def read(path: Path) -> list[Type]:
    """Read the types of a module."""
    body = ast.parse(path.read_text(encoding="utf-8")).body
    found = []
    for at, node in enumerate(body):
        doc = _doc_after(body, at)
        if isinstance(node, ast.ClassDef):
            found.append(_class(node))
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            found.append(_assigned(node.targets[0].id, node.value, doc))
    return [each for each in found if each is not None]


def _class(node: ast.ClassDef) -> Type | None:
    bases = [base.id for base in node.bases if isinstance(base, ast.Name)]
    total = not any(key.arg == "total" and ast.unparse(key.value) == "False" for key in node.keywords)
    made = Type(node.name, ast.get_docstring(node) or "", bases)
    for at, each in enumerate(node.body):
        if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name):
            made.fields.append(_field(each.target.id, each.annotation, total, _doc_after(node.body, at)))
    return made


def _assigned(name: str, value: ast.expr, doc: str) -> Type | None:
    if isinstance(value, ast.Call) and ast.unparse(value.func) == "TypedDict" and isinstance(value.args[1], ast.Dict):
        keys = [ast.literal_eval(key) for key in value.args[1].keys if key is not None]
        pairs = zip(keys, value.args[1].values, strict=True)
        return Type(name, doc, ["TypedDict"], [_field(key, each, True, "") for key, each in pairs])
    is_literal = isinstance(value, ast.Subscript) and ast.unparse(value.value) == "Literal"
    is_union = isinstance(value, ast.BinOp) and isinstance(value.op, ast.BitOr)
    return Type(name, doc, alias=value) if is_literal or is_union else None


def _field(name: str, annotation: ast.expr, total: bool, doc: str) -> Field:
    if isinstance(annotation, ast.Subscript) and ast.unparse(annotation.value) == "NotRequired":
        return Field(name, annotation.slice, True, doc)
    return Field(name, annotation, not total, doc)


def _doc_after(body: list[ast.stmt], at: int) -> str:
    """Give the text that stands below a name, as documentation of it."""
    below = body[at + 1] if at + 1 < len(body) else None
    if isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant) and isinstance(below.value.value, str):
        return below.value.value
    return ""


# ---- writing


class Writer:
    """Writes some types, and those that they are made of.

    Args:
        known: All types there are.
        given: Names that the file has from elsewhere, and what they are called there.
    """

    def __init__(self, known: dict[str, Type], given: dict[str, str]) -> None:
        self._known = known
        self._given = given
        self._needed: list[str] = []

    def write(self, roots: list[str]) -> str:
        """Write the types with these names; what they need comes first."""
        for name in roots:
            self._need(name)
        return "\n".join(self._type(self._known[name]) for name in self._needed)

    def _need(self, name: str) -> None:
        if name in self._given or name in NAMES or name in self._needed:
            return
        if name not in self._known:
            raise Unknown(f"{name} is not in any of the sources")
        made = self._known[name]
        for each in [made.alias, *(each.type for each in self._fields(made))]:
            for part in ast.walk(each) if each is not None else ():
                if isinstance(part, ast.Name) and part.id in self._known and part.id != name:
                    self._need(part.id)
        self._needed.append(name)

    def _fields(self, made: Type) -> list[Field]:
        """Give its fields, those of its bases first."""
        inherited = [each for base in made.bases if base in self._known for each in self._fields(self._known[base])]
        return [*inherited, *made.fields]

    def _type(self, made: Type) -> str:
        head = f"{_comment(made.doc)}export type {made.name} ="
        if made.alias is not None:
            parts = self._union(made.alias)
            line = " | ".join(parts)
            if len(head.splitlines()[-1]) + len(line) + 2 <= WIDTH:
                return f"{head} {line};\n"
            broken = "\n  ".join(f"| {part}" for part in parts)
            return f"{head}\n  {line if len(line) + 3 <= WIDTH else broken};\n"
        lines = [
            f"{_comment(each.doc, '  ')}  {each.name}{'?' if each.optional else ''}: {self._expr(each.type)};\n"
            for each in self._fields(made)
        ]
        return f"{head} {{\n{''.join(lines)}}};\n" if lines else f"{head} Record<string, never>;\n"

    def _union(self, node: ast.expr) -> list[str]:
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
            return [*self._union(node.left), *self._union(node.right)]
        if isinstance(node, ast.Subscript) and ast.unparse(node.value) == "Literal":
            values = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
            return [_literal(ast.literal_eval(value)) for value in values]
        return [self._expr(node)]

    def _expr(self, node: ast.expr) -> str:
        if isinstance(node, ast.Constant) and node.value is None:
            return "null"
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            return self._expr(ast.parse(node.value, mode="eval").body)
        if isinstance(node, ast.Name):
            if node.id in self._known or node.id in self._given or node.id in NAMES:
                return self._given.get(node.id) or NAMES.get(node.id) or node.id
            raise Unknown(f"{node.id} is not in any of the sources")
        if isinstance(node, ast.Subscript):
            return self._subscript(node)
        if isinstance(node, ast.BinOp):
            return " | ".join(self._union(node))
        raise Unknown(ast.unparse(node))

    def _subscript(self, node: ast.Subscript) -> str:
        of = ast.unparse(node.value)
        if of == "Literal":
            return " | ".join(self._union(node))
        if of in ("list", "Sequence"):
            inner = self._expr(node.slice)
            return f"({inner})[]" if " | " in inner else f"{inner}[]"
        if of in ("dict", "Mapping") and isinstance(node.slice, ast.Tuple):
            return f"Record<{', '.join(self._expr(each) for each in node.slice.elts)}>"
        raise Unknown(ast.unparse(node))


def _literal(value: object) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    return f"'{value}'" if isinstance(value, str) else str(value)


def _comment(doc: str, indent: str = "") -> str:
    lines = [line.strip() for line in doc.replace("``", "`").strip().splitlines()]
    if not lines:
        return ""
    if len(lines) == 1:
        return f"{indent}/** {lines[0]} */\n"
    return f"{indent}/**\n" + "".join(f"{indent} * {line}".rstrip() + "\n" for line in lines) + f"{indent} */\n"


# ---- the files


def generate() -> dict[Path, str]:
    """Make the text of each file."""
    modules = {name: read(PACKAGE / name) for name in SOURCES}
    known = {each.name: each for types in modules.values() for each in types if _is_said(each, modules)}

    def names(module: str) -> list[str]:
        return [each.name for each in modules[module] if each.name in known]

    page = Writer(known, {"Output": "IOutput"}).write([*names("kernel/protocol.py"), "RunPayload"])
    panel = Writer(known, {}).write([*names("panel/messages.py"), *names("panel/questions.py")])
    start = "\nimport type { IOutput } from '@jupyterlab/nbformat';\n\n"
    return {PAGE: f"{HEAD}{ESLINT}{start}{page}", PANEL: f"{HEAD}\n{panel}"}


def _is_said(made: Type, modules: dict[str, list[Type]]) -> bool:
    """Tell a type that pages need from a class or a value of the module's own."""
    if made.alias is not None:
        return True
    bases = {each.name: each.bases for types in modules.values() for each in types}
    waiting = list(made.bases)
    while waiting:
        base = waiting.pop()
        if base == "TypedDict":
            return True
        waiting += bases.get(base, [])
    return False


def main() -> int:
    """Write the files, or check them."""
    stale = {path: text for path, text in generate().items() if not path.exists() or path.read_text("utf-8") != text}
    if "--check" not in sys.argv[1:]:
        for path, text in stale.items():
            path.write_text(text, encoding="utf-8")
    for path in stale:
        print(f"{'out of date' if '--check' in sys.argv[1:] else 'written'}: {path.relative_to(TOP)}")
    return 1 if stale and "--check" in sys.argv[1:] else 0


if __name__ == "__main__":
    sys.exit(main())
