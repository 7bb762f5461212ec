"""XML in office files."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

    from rlm_kernel.contexts.loaders.archive import Archive
    from rlm_kernel.contexts.loaders.source import Source


def parse(source: Source, archive: Archive, name: str) -> Element:
    """Parse one of the files; gives an empty element where there is none.

    Raises:
        ContextError: It is broken, or declares entities, which no office program writes.
    """
    content = archive.find(name)
    if content is None:
        return ElementTree.Element("none")
    if b"<!ENTITY" in content:
        raise source.error("is not to be trusted: it declares XML entities.", "Save it anew from an office program.")
    try:
        return ElementTree.fromstring(content)
    except ElementTree.ParseError as error:
        raise source.error(f"is broken: {name}: {error}.", "Open it in an office program and save it anew.") from error


def local(element: Element) -> str:
    """Give an element's name without its namespace."""
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""


def attribute(element: Element, name: str) -> str:
    """Give an attribute by its name without namespace; empty where there is none."""
    for key, value in element.attrib.items():
        if key.rpartition("}")[2] == name:
            return value
    return ""


def relations(source: Source, archive: Archive, part: str) -> dict[str, str]:
    """Give what a part of an Office Open XML file refers to: the names of parts, by id."""
    folder, _, file = part.rpartition("/")
    found = {}
    for each in parse(source, archive, f"{folder}/_rels/{file}.rels" if folder else f"_rels/{file}.rels"):
        target = attribute(each, "Target")
        found[attribute(each, "Id")] = resolve(folder, target)
    return found


def resolve(folder: str, target: str) -> str:
    """Give the name in the archive that a reference from a folder leads to."""
    if target.startswith("/"):
        return target.lstrip("/")
    parts: list[str] = folder.split("/") if folder else []
    for step in target.split("/"):
        if step == ".." and parts:
            parts.pop()
        elif step not in ("", ".", ".."):
            parts.append(step)
    return "/".join(parts)
