"""Child runs without processes: places, limits, what is handed over."""

from __future__ import annotations

import os

import pytest

from rlm_kernel.contexts.document import Document
from rlm_kernel.engine.children import Nest
from rlm_kernel.engine.settings import Settings
from rlm_kernel.errors import ContextError
from rlm_kernel.namespace.handover import Handover
from rlm_kernel.usage import Limits


class Room:
    """A pool that only says how much room there is."""

    def __init__(self, room: int) -> None:
        self.left = room

    def room(self, context: int) -> int:
        return self.left // context


@pytest.mark.parametrize(
    ("room", "context", "expected"),
    [(1000, 1, 16), (12, 1, 6), (12, 4, 1), (0, 1, 1)],
    ids=["calls", "room", "large", "none"],
)
async def test_places_of_a_level_are_bounded_by_calls_and_by_room(room: int, context: int, expected: int) -> None:
    nest = Nest(Room(room), Settings(limits=Limits(depth=2, concurrency=16)))  # type: ignore[arg-type]
    assert nest.places(1, context).limit == expected
    assert nest.places(2, context).limit == max(1, min(16, room // context))
    assert nest.places(1, context) is nest.places(1, context)
    assert [nest.left(depth) for depth in range(4)] == [2, 1, 0, 0]


async def test_room_is_counted_while_no_child_is_there() -> None:
    pool = Room(8)
    nest = Nest(pool, Settings())  # type: ignore[arg-type]
    async with nest.places(1, 1).hold("a"):
        pool.left = 2
        assert nest.places(1, 1).limit == 8
    assert nest.places(1, 1).limit == 2


DOCUMENT = Document("one\ftwo ü\ud800", "a.pdf", "PDF", page_starts=(0, 4), outline="x")


@pytest.mark.parametrize("value", ["", "plain", "ü\ud800\0", DOCUMENT, [1, {"a": (None, b"x")}], {"k": [1.5]}, 3])
def test_what_is_handed_over_comes_out_equal(value: object) -> None:
    written = Handover().write([value, "another"])
    there = Handover()
    read = there.read(written.fd, written.spans[0])
    assert read == value
    assert type(read) is type(value)
    if isinstance(read, Document):
        assert (read.path, read.kind, read.pages, read.outline) == ("a.pdf", "PDF", ["one\f", "two ü\ud800"], "x")
        assert repr(read) == repr(value)
    if not isinstance(value, str):
        with pytest.raises(OSError, match="descriptor"):
            os.fstat(written.fd)


def test_the_same_value_is_written_once() -> None:
    handover, text = Handover(), "text" * 1000
    first = handover.write([text] * 8)
    assert len(set(first.spans)) == 1
    assert os.fstat(first.fd).st_size == first.spans[0].length < 4100
    assert os.fstat(first.fd).st_nlink == 0
    second = handover.write([text])
    assert os.fstat(second.fd).st_ino == os.fstat(first.fd).st_ino
    # A list may have changed meanwhile, so it is written anew.
    changing = ["a"]
    third = handover.write([changing])
    changing.append("b")
    assert Handover().read(handover.write([changing]).fd, handover.write([changing]).spans[0]) == ["a", "b"]
    assert Handover().read(third.fd, third.spans[0]) == ["a"]


def test_a_child_hands_on_the_file_it_was_given() -> None:
    written = Handover().write(["text"])
    inode = os.fstat(written.fd).st_ino
    child = Handover()
    value = child.read(written.fd, written.spans[0])
    assert os.fstat(child.write([value]).fd).st_ino == inode


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ((each for each in "ab"), "A generator cannot be handed over: cannot pickle 'generator' object"),
        ([memoryview(b"")], "A list cannot be handed over: "),
        (lambda: 1, "A function cannot be handed over: "),
    ],
)
def test_what_cannot_be_handed_over_is_said(value: object, says: str) -> None:
    with pytest.raises(ContextError, match=says) as caught:
        Handover().write([value])
    assert caught.value.remedy == "Hand over text, or lists and dicts of it."


def test_no_room_on_the_disk_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> object:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tempfile.TemporaryFile", full)
    with pytest.raises(ContextError, match="cannot be written for the child runs"):
        Handover().write(["x"])


def test_what_is_broken_on_the_way_is_said() -> None:
    written = Handover().write([{"a": 1}])
    os.pwrite(written.fd, b"\xff", written.spans[0].offset + 3)
    with pytest.raises(ContextError, match="cannot be read in the child run"):
        Handover().read(written.fd, written.spans[0])
