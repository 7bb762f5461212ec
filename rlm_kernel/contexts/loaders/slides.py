"""Presentations (.pptx)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rlm_kernel.contexts.document import Document
from rlm_kernel.contexts.loaders.archive import Archive
from rlm_kernel.contexts.loaders.xml import attribute, local, parse, relations
from rlm_kernel.contexts.parts import SectionMark

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

    from rlm_kernel.contexts.loaders.source import Source

_MAIN = "ppt/presentation.xml"


def load(source: Source) -> Document:
    """Read a presentation: each slide is a page, with its speaker's notes; its title is a section."""
    archive = Archive(source)
    targets = relations(source, archive, _MAIN)
    slides = [
        targets.get(_relation(each), "") for each in parse(source, archive, _MAIN).iter() if local(each) == "sldId"
    ]
    texts, starts, marks, position = [], [], [], 0
    for name in filter(None, slides):
        root = parse(source, archive, name)
        notes = [each for each in relations(source, archive, name).values() if "notesSlide" in each]
        text = "\n".join([*_lines(root), *(line for note in notes for line in _lines(parse(source, archive, note)))])
        starts.append(position)
        if title := _title(root):
            marks.append(SectionMark(position, 1, title))
        texts.append(text)
        position += len(text) + 2
    if not any(text.strip() for text in texts):
        raise source.error("has no text on its slides.", "If it is made of pictures, save it as PDF and run ocrmypdf.")
    return Document("\n\n".join(texts), source.path, "PPTX", page_starts=starts, sections=marks)


def _relation(element: Element) -> str:
    return next((value for key, value in element.attrib.items() if key.endswith("relationships}id")), "")


def _lines(root: Element) -> list[str]:
    found = []
    for shape in root.iter():
        if local(shape) == "p":
            text = "".join(
                each.text or "" if local(each) == "t" else "\n" for each in shape.iter() if local(each) in ("t", "br")
            )
            if text.strip():
                found.append(text)
    return found


def _title(root: Element) -> str:
    for shape in root.iter():
        if local(shape) == "sp" and any(
            local(each) == "ph" and "itle" in attribute(each, "type") for each in shape.iter()
        ):
            return " ".join(" ".join(_lines(shape)).split())
    return ""
