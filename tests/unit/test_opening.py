"""What a question is told, kept so that it can be told again; and when it may be."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from rlm_kernel.engine.conversation import Earlier
from rlm_kernel.engine.opening import Opening
from rlm_kernel.errors import InputError

if TYPE_CHECKING:
    from rlm_kernel.engine.executor import ContextInfo, NameInfo

CONTEXT: ContextInfo = {
    "type": "str",
    "source": "a.txt",
    "chars": 3,
    "lines": 1,
    "structure": "",
    "head": "<object object at 0x7f0011223344>",
    "tail": "",
}


def name(word: str, size: str = "1 items", cell: str | None = None) -> NameInfo:
    return {"name": word, "type": "list", "size": size, "cell": cell}


def opening(*names: NameInfo, earlier: tuple[Earlier, ...] = ()) -> Opening:
    found = Opening.now({"context": CONTEXT, "names": [name("context"), *names]}, earlier)
    assert found is not None
    return found


def test_it_survives_json() -> None:
    made = opening(name("a", cell="c1"), earlier=(Earlier("Q?", "A.", True, "q1"),))
    assert Opening.from_dict(json.loads(json.dumps(made.to_dict()))) == made
    assert made.context["head"] == "<object object at 0x…>"
    assert [each["name"] for each in made.names] == ["a"]


@pytest.mark.parametrize("kept", [None, {}, {"context": {}, "names": [], "earlier": []}, [1], {"context": 1}])
def test_what_is_something_else_is_none(kept: object) -> None:
    assert Opening.from_dict(kept) is None


def test_without_a_context_there_is_none() -> None:
    assert Opening.now({"context": None, "names": []}, ()) is None


def test_it_may_be_told_again_as_long_as_all_of_it_is_true() -> None:
    then = opening(name("a"), earlier=(Earlier("Q?", "A.", True, "q1"),))
    assert then.is_true(opening(name("a"), name("later")))
    assert then.is_true(opening(name("a"), earlier=(Earlier("Other?", "B.", True, "q2"),)))
    assert not then.is_true(opening(name("a", size="2 items")))
    assert not then.is_true(opening())
    assert not then.is_true(opening(name("a"), earlier=(Earlier("Q?", "Another.", True, "q1"),)))
    longer: ContextInfo = {**CONTEXT, "chars": 4}
    assert not then.is_true(replace(then, context=longer))


def test_going_on_says_what_is_missing() -> None:
    then = opening(name("a"), name("b"))
    then.check(opening(name("b"), name("a")), names=True)
    with pytest.raises(InputError, match=r"not loaded here. Run load\('a.txt'\) first"):
        then.check(None, names=False)
    with pytest.raises(InputError, match="Not here as it was then: a\\."):
        then.check(opening(name("b")), names=True)
    then.check(opening(name("b")), names=False)
    other: ContextInfo = {**CONTEXT, "source": "", "chars": 5}
    with pytest.raises(InputError, match="not the one that was asked about"):
        then.check(replace(then, context=other), names=True)


def test_earlier_questions_are_told_in_short() -> None:
    short = Earlier("Q" * 5000, "A" * 5000).shortened()
    assert len(short.question) < 2100
    assert "3,000 characters left out" in short.answer
