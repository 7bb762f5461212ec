"""Prepared replies."""

from __future__ import annotations

import json

import pytest

from rlm_kernel.errors import InputError, ModelError
from rlm_kernel.messages import Message, ModelRequest
from rlm_kernel.models.base import Model
from rlm_kernel.models.scripted import ScriptedModel


def asks(text: str, purpose: str = "sub") -> ModelRequest:
    return ModelRequest("scripted", (Message("user", text),), purpose=purpose)


async def test_root_replies_come_in_order_and_running_out_is_an_error():
    model = ScriptedModel(["first", "second"])
    assert isinstance(model, Model)
    assert [(await model.complete(asks("?", "root"))).text for _ in range(2)] == ["first", "second"]
    with pytest.raises(ModelError, match="no reply left: all of its 2 were given"):
        await model.complete(asks("?", "root"))


async def test_repeat_starts_over():
    model = ScriptedModel(["a", "b"], repeat=True)
    assert "".join([(await model.complete(asks("?", "root"))).text for _ in range(5)]) == "ababa"


@pytest.mark.parametrize(
    ("sub", "answer"),
    [
        ("always this", "always this"),
        ({"whale": "a whale", "sh[ie]p": "a ship"}, "a ship"),
        ({"how many (": "three"}, "three"),
        (str.upper, "HOW MANY (SHIPS)?"),
    ],
)
async def test_sub_calls_are_answered_by_the_rule(sub, answer):
    model = ScriptedModel([], sub=sub)
    prompt = "how many (ships)?"
    assert (await model.complete(asks(prompt))).text == answer


async def test_a_sub_call_without_a_rule_fails():
    with pytest.raises(ModelError, match="no answer to this llm_query: 'what\\?'"):
        await ScriptedModel([], sub={"whale": "yes"}).complete(asks("what?"))


async def test_pieces_usage_and_cut():
    told: list[str] = []

    async def listener(text: str) -> bool:
        told.append(text)
        return len(told) < 2

    model = ScriptedModel(["abcdefghij"], chunk=3, delay=0.001)
    reply = await model.complete(asks("12345", "root"), listener)
    assert (told, reply.text, reply.finish) == (["abc", "def"], "abcdef", "cut")
    usage = reply.usage
    assert (usage.input_tokens, usage.output_tokens, usage.calls, usage.cost_usd) == (2, 2, 1, 0.0)
    assert not usage.estimated


async def test_from_file(tmp_path):
    path = tmp_path / "script.json"
    path.write_text(json.dumps({"root": ["hello"], "sub": {"a": "b"}, "chunk": 2, "delay": 0.0}), encoding="utf-8")
    model = ScriptedModel.from_file(path)
    assert (await model.complete(asks("?", "root"))).text == "hello"
    assert (await model.complete(asks("an a"))).text == "b"


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("{", "not valid JSON"),
        ("[]", 'must be a JSON object with "root"'),
        ('{"root": "hello"}', "must be a list of texts"),
        ('{"root": [], "sub": 3}', '"sub" in the script'),
        ('{"root": [], "sub": {"a": 1}}', '"sub" in the script'),
        ('{"root": [], "speed": 3}', "unknown entry: speed"),
        ('{"root": [], "delay": -1}', "0 or more"),
    ],
)
def test_a_slip_in_the_file_shows_when_it_is_read(tmp_path, content, text):
    path = tmp_path / "script.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=text):
        ScriptedModel.from_file(path)
