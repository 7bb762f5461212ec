"""What is said of variables: the same in every process, other where they are, and nothing that could be read out."""

from __future__ import annotations

import dataclasses
import datetime
import os
import subprocess
import sys
import time
import types
import uuid
from collections import Counter, OrderedDict, defaultdict, namedtuple

import pytest

from rlm_kernel.contexts.document import Document
from rlm_kernel.namespace.digest import MOST_NAMES, digests

Point = namedtuple("Point", "x y")


@dataclasses.dataclass
class Record:
    name: str
    parts: list[int]


class Odd(list):
    def __iter__(self):
        raise AssertionError("code of the person's was called")

    __len__ = __getitem__ = __repr__ = __eq__ = __iter__
    __hash__ = None


def of(value, code="x", bound=()):
    return digests({"x": value}, code, bound).get("x")


PAIRS = [
    (1, 2), (1, True), (1.5, 1.25), (0.0, -0.0), (10**400, 10**400 + 1), (None, 0), ("a", "b"), ("a", b"a"),
    ("\ud800", "\ud801"), ([1, 2], [2, 1]), ([1], (1,)), ([1, [2, ["x"]]], [1, [2, ["y"]]]), ({"a": 1}, {"a": 2}),
    ({"a": 1, "b": 2}, {"b": 2, "a": 1}), ({1, 2}, {1, 3}), ({("a", 1)}, {("a", 2)}), (range(3), range(4)),
    (datetime.date(2020, 1, 1), datetime.date(2020, 1, 2)), (uuid.UUID(int=1), uuid.UUID(int=2)),
    (Point(1, 2), Point(1, 3)), (Record("a", [1]), Record("a", [2])), (Counter("aab"), Counter("abb")),
    (OrderedDict(a=1), OrderedDict(a=2)), (defaultdict(list, a=[1]), defaultdict(list, a=[2])),
    (Document("one"), Document("two")), (bytearray(b"a"), bytearray(b"b")), ([open, "a"], [open, "b"]),
    ("x" * 10_000_000 + "a", "x" * 10_000_000 + "b"), (list(range(200_000)), list(range(200_001))),
    ([0] * 90_000 + [1], [1] + [0] * 90_000), ([{"a": n, "b": 0} for n in range(300)], [{"a": n} for n in range(300)]),
    ([1, 2, float("nan")], [1, 2, 0.0]),
]  # fmt: skip


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_other_values_are_said_otherwise(one, other):
    assert of(one) != of(other)
    assert of(one) == of(one)
    assert "#" in of(one)


def test_it_is_the_same_in_another_process():
    make = (
        "import datetime, random; rng = random.Random(1)\n"
        "x = [{'a': rng.random(), 'words': {f'w{n}' for n in range(9)}}, {1, 2.5, 'x', (1, 2), None, True}, {1: b''},\n"
        "     'é' * 100, datetime.datetime(2020, 1, 1), [list(range(1000))] * 2, object(), len, frozenset('abcdef')]\n"
    )
    code = make + "from rlm_kernel.namespace.digest import digests; print(digests({'x': x}, 'x', ())['x'])"
    names: dict = {}
    exec(make, names)
    for seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", code], env=os.environ | {"PYTHONHASHSEED": seed}, capture_output=True, text=True
        )
        assert done.stdout.strip() == of(names["x"]), done.stderr


def test_opaque_values_count_by_their_type_and_no_code_of_theirs_is_called():
    assert of(object()) == "object"
    assert of(lambda: 1) == of(lambda: 2) == "function"
    assert of(n for n in "ab") == "generator"
    assert of(Odd([1, 2])) == of(Odd([1, 2])) != of(Odd([1, 3]))
    assert of(Odd([1, 2])).startswith("Odd of 2 #")
    deep: list = []
    deep.append(deep)
    assert of(deep) == of(deep)


def test_no_value_but_a_number_can_be_read_out_of_it():
    assert of("my secret").startswith("str of 9 characters #")
    assert "secret" not in str([of({"secret": ["secret"]}), of(["secret"]), of(b"secret"), of(Record("secret", []))])
    assert of(0.7345).startswith("float 0.7345 #")
    assert of(10**400).startswith("int of many digits #")


def test_which_names_count():
    user_ns = {"a": 1, "b": 2, "c": 3, "_d": 4, "os": os, "In": [], "llm_query": len, "answer": {}, "unused": 5}
    exec("def f(): return g() + b\ndef g(): return c", user_ns)
    found = digests(user_ns, "f(a, _d, os, In, llm_query, answer)", ["unused"])
    assert set(found) == {"f", "g", "a", "b", "c", "answer", "unused"}
    many = {f"x{number}": number for number in range(1000)}
    assert len(digests(many, "", list(many))) == MOST_NAMES
    assert digests({"m": types}, "m", ["m"]) == {}


def test_what_a_cell_has_made_is_looked_at_more_closely():
    text = "x" * 1_000_000
    other = text[:500_001] + "y" + text[500_002:]
    assert of(text, bound=["x"]) != of(other, bound=["x"])
    assert of(text, bound=["x"]).startswith(of(text))


def test_tables_count():
    pandas, numpy = pytest.importorskip("pandas"), pytest.importorskip("numpy")
    assert of(numpy.arange(10)) != of(numpy.arange(10) + 1)
    assert of(numpy.arange(10)) != of(numpy.arange(10.0))
    frame = pandas.DataFrame({"a": range(1000), "b": list("ab") * 500})
    assert of(frame) == of(frame.copy())
    assert of(frame) != of(frame.rename(columns={"a": "c"}))
    assert of(frame) != of(frame.assign(a=0))
    assert of(numpy.float64(1.5)) != of(numpy.float64(1.25))


def test_the_work_is_bounded():
    user_ns = {
        "rows": [{"a": number, "b": [str(number)] * 5} for number in range(50_000)],
        "text": "é" * 50_000_000,
        "nested": [[[["x"] * 30] * 30] * 30] * 30,
        "numbers": list(range(1_000_000)),
        "words": {str(number) for number in range(200_000)},
        "table": {number: [number] for number in range(200_000)},
    }
    started = time.perf_counter()
    found = digests(user_ns, " ".join(user_ns), [])
    assert time.perf_counter() - started < 10
    assert list(found) == list(user_ns)
