"""Frames: whole, in pieces, broken, and with everything JSON has no form for."""

from __future__ import annotations

import datetime
import math
import os
import random
import signal
import socket
import struct
import threading
import time

import pytest

from rlm_kernel.wire import Connection, Decoder, Frame, WireError, clean, pack, pack_text


class Unprintable:
    def __str__(self):
        raise RuntimeError("no")


def frames_of(data, size):
    decoder = Decoder()
    return [frame for start in range(0, len(data), size) for frame in decoder.feed(data[start : start + size])]


@pytest.mark.parametrize("size", [1, 2, 7, 64, 1 << 20])
def test_frames_survive_any_cut(size):
    data = b"".join(
        [
            pack({"t": "a", "text": "é\n" * 20}),
            pack({"t": "b"}, [b"", b"12345", bytearray(b"\0" * 300)]),
            pack({"t": "c", "list": [1, None, {"x": 1.5}]}),
        ]
    )
    assert frames_of(data, size) == [
        Frame({"t": "a", "text": "é\n" * 20}, []),
        Frame({"t": "b"}, [b"", b"12345", b"\0" * 300]),
        Frame({"t": "c", "list": [1, None, {"x": 1.5}]}, []),
    ]


@pytest.mark.parametrize("size", [1, 5, 1 << 20])
def test_pieces_of_text_stay_between_the_messages_they_were_sent_between(size):
    data = b"".join([*pack_text(b"one "), *pack_text(b"two"), pack({"t": "x"}), *pack_text(b"three")])
    joined: list[object] = []
    for frame in frames_of(data, size):
        if frame.message["t"] != "text":
            joined.append(frame.message["t"])
        elif joined and isinstance(joined[-1], bytes):
            joined[-1] += frame.buffers[0]
        else:
            joined.append(frame.buffers[0])
    assert joined == [b"one two", "x", b"three"]


def test_neighbouring_pieces_of_text_become_one_frame():
    data = b"".join(piece for number in range(1000) for piece in pack_text(b"%d\n" % number))
    (frame,) = frames_of(data, 1 << 20)
    assert frame.buffers == [b"".join(b"%d\n" % number for number in range(1000))]


def test_a_long_text_goes_in_frames_of_a_bearable_size():
    pieces = list(pack_text(b"x" * 3_000_000))
    assert max(map(len, pieces)) < 300_000
    assert b"".join(frame.buffers[0] for frame in frames_of(b"".join(pieces), 1 << 16)) == b"x" * 3_000_000


@pytest.mark.parametrize(
    "data",
    [
        struct.pack("!II", 1 << 31, 0),
        struct.pack("!II", 2, 1 << 20),
        struct.pack("!IIQ", 2, 1, 1 << 60),
        struct.pack("!II", 2, 0) + b"{]",
        struct.pack("!II", 2, 0) + b"[]",
        struct.pack("!II", 9, 0) + b'{"t": 12}',
        pack({"no": "type"}),
        os.urandom(8).replace(b"\0", b"\x7f").replace(b"\xff", b"\x7f") + b"x" * 100,
    ],
)
def test_what_is_no_frame_is_refused(data):
    with pytest.raises(WireError):
        list(Decoder().feed(data))


def test_noise_never_hangs_or_fails_in_another_way():
    rng = random.Random(7)
    for _ in range(300):
        data = bytearray(pack({"t": "a", "v": "x" * rng.randrange(50)}, [b"b" * rng.randrange(9)]))
        for _ in range(rng.randrange(4)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        try:
            list(Decoder().feed(bytes(data)))
        except WireError:
            continue


def test_clean_gives_json_for_anything():
    loop: list[object] = []
    loop += [loop, loop]
    values = {
        "nan": math.nan,
        "inf": [math.inf, -1.5],
        1: b"abc",
        "when": datetime.date(2026, 1, 2),
        "tuple": (1, 2),
        "object": Unprintable(),
        "loop": loop,
        "set": {3},
    }
    cleaned = clean(values)
    assert cleaned["nan"] is None
    assert cleaned["inf"] == [None, -1.5]
    assert cleaned["1"] == "YWJj"
    assert cleaned["when"] == "2026-01-02"
    assert cleaned["tuple"] == [1, 2]
    assert cleaned["object"] == "<Unprintable: RuntimeError in str()>"
    assert cleaned["set"] == [3]
    assert cleaned["loop"] == ["…", "…"]


def test_messages_that_are_no_json_are_sent_cleaned():
    (frame,) = frames_of(pack({"t": "a", "nan": math.nan, "bytes": b"abc", "half": "a\ud800b"}), 1 << 20)
    assert frame.message == {"t": "a", "nan": None, "bytes": "YWJj", "half": "a?b"}


def test_numpy_values_are_sent_as_numbers():
    numpy = pytest.importorskip("numpy")
    values = {"a": numpy.int64(3), "b": numpy.arange(3), "c": numpy.float64("nan")}
    assert clean(values) == {"a": 3, "b": [0, 1, 2], "c": None}


def test_file_descriptors_travel_beside_a_frame():
    ours, theirs = socket.socketpair()
    with ours, theirs, open(os.devnull) as file:
        Connection(ours).send({"t": "fd"}, fd=file.fileno())
        connection, got = Connection(theirs), []
        connection.receive(got.append)
        assert got == [Frame({"t": "fd"}, [])]
        (fd,) = connection.fds
        assert os.path.samestat(os.fstat(fd), os.fstat(file.fileno()))
        os.close(fd)


def test_the_end_of_the_other_side_is_told():
    ours, theirs = socket.socketpair()
    ours.close()
    with theirs, pytest.raises(EOFError):
        Connection(theirs).receive(lambda frame: None)


def test_an_interrupt_never_cuts_a_frame_in_two():
    """The other end reads slowly, SIGINT comes in the middle of a large frame: it is sent whole, then it is raised."""
    ours, theirs = socket.socketpair()
    connection = Connection(ours)

    def interrupted(number, frame):
        if not connection.defer():
            raise KeyboardInterrupt

    got: list[bytes] = []

    def read():
        time.sleep(0.2)
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.2)
        while data := theirs.recv(1 << 20):
            got.append(data)

    reader = threading.Thread(target=read)
    before = signal.signal(signal.SIGINT, interrupted)
    try:
        reader.start()
        with pytest.raises(KeyboardInterrupt):
            connection.send({"t": "large"}, [b"x" * 30_000_000])
    finally:
        signal.signal(signal.SIGINT, before)
        ours.close()
        reader.join()
        theirs.close()
    (frame,) = frames_of(b"".join(got), 1 << 20)
    assert frame.buffers == [b"x" * 30_000_000]
