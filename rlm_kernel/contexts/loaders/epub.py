"""Books (.epub)."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import unquote

from rlm_kernel.contexts.loaders.archive import Archive
from rlm_kernel.contexts.loaders.blocks import Blocks
from rlm_kernel.contexts.loaders.markup import html_to_text
from rlm_kernel.contexts.loaders.xml import attribute, local, parse, resolve
from rlm_kernel.contexts.parts import SectionMark

if TYPE_CHECKING:
    from collections.abc import Iterator
    from xml.etree.ElementTree import Element

    from rlm_kernel.contexts.document import Document
    from rlm_kernel.contexts.loaders.source import Source


def load(source: Source) -> Document:
    """Read a book in its reading order; its headings are sections, and where a chapter has none, its title."""
    archive = Archive(source)
    _check_protection(source, archive)
    container = parse(source, archive, "META-INF/container.xml")
    package = next((attribute(each, "full-path") for each in container.iter() if local(each) == "rootfile"), "")
    root = parse(source, archive, package)
    folder = package.rpartition("/")[0]
    items = {
        attribute(each, "id"): (resolve(folder, unquote(attribute(each, "href"))), attribute(each, "properties"))
        for each in root.iter()
        if local(each) == "item"
    }
    titles = dict(_contents(source, archive, items.values()))
    blocks = Blocks(source)
    for each in root.iter():
        name, properties = items.get(attribute(each, "idref"), ("", "")) if local(each) == "itemref" else ("", "")
        if not name or "nav" in properties.split():
            continue
        text, marks = html_to_text(_chapter(source, archive, name))
        if not marks and name in titles:
            marks = [SectionMark(0, 1, titles[name])]
        blocks.append(text, marks)
    return blocks.document("EPUB")


def _chapter(source: Source, archive: Archive, name: str) -> str:
    content = archive.find(name)
    if content is None:
        raise source.error(f"is a broken book: {name} is missing.", "Get it again.")
    encoding = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        raise source.error(f"is a broken book: {name} is no text.", "Get it again.") from error


def _check_protection(source: Source, archive: Archive) -> None:
    """Refuse a book whose chapters are encrypted; encrypted fonts do no harm."""
    for each in parse(source, archive, "META-INF/encryption.xml").iter():
        if local(each) == "CipherReference" and attribute(each, "URI").lower().endswith((".xhtml", ".html", ".htm")):
            raise source.error("is protected against copying.", "Load a copy without protection.")


def _contents(source: Source, archive: Archive, items: object) -> Iterator[tuple[str, str]]:
    """Give the titles of chapters by their files, from the table of contents of EPUB 2 or 3."""
    for name, properties in items:  # type: ignore[attr-defined]
        if name.endswith(".ncx"):
            for point in parse(source, archive, name).iter():
                if local(point) == "navPoint":
                    target = next((attribute(each, "src") for each in point if local(each) == "content"), "")
                    yield from _title(name, target, point)
        elif "nav" in properties.split():
            for link in parse(source, archive, name).iter():
                if local(link) == "a":
                    yield from _title(name, attribute(link, "href"), link)


def _title(contents: str, target: str, element: Element) -> Iterator[tuple[str, str]]:
    label = next((each for each in element if local(each) == "navLabel"), element)
    title = " ".join("".join(label.itertext()).split())
    if target and title:
        yield resolve(contents.rpartition("/")[0], unquote(target.partition("#")[0])), title
