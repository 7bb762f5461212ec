"""The memo's keys, and the memo in memory."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest

from rlm_kernel.messages import Attempt, Message, ModelReply, ModelRequest
from rlm_kernel.models.memo import Memo, request_key
from rlm_kernel.usage import Usage

REQUEST = ModelRequest("gpt", (Message("system", "Be short."), Message("user", "Why?")))
OTHERS = {
    "model": "gpt-2",
    "messages": (Message("system", "Be short."), Message("user", "Why not?")),
    "max_output_tokens": 5,
    "temperature": 0.0,
    "schema": "{}",
    "sample": 1,
}


def test_every_field_but_the_purpose_makes_another_key():
    assert {each.name for each in fields(ModelRequest)} == {*OTHERS, "purpose"}, "say here whether the new field counts"
    keys = {request_key(replace(REQUEST, **{name: value}), "e") for name, value in OTHERS.items()}
    assert len(keys | {request_key(REQUEST, "e")}) == len(OTHERS) + 1
    assert request_key(replace(REQUEST, purpose="root"), "e") == request_key(REQUEST, "e")


def test_the_endpoint_counts():
    assert request_key(REQUEST, "https://one/v1") != request_key(REQUEST, "https://two/v1")


def test_a_key_is_the_same_in_every_process():
    assert request_key(REQUEST, "e") == "63cc2aea7d74e7acc2c37ef54119441e"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ((Message("user", "ab"), Message("user", "c")), (Message("user", "a"), Message("user", "bc"))),
        ((Message("user", "a"),), (Message("assistant", "a"),)),
        ((Message("user", "a\n"),), (Message("user", "a"),)),
        ((Message("user", "\ud83d"),), (Message("user", "?"),)),
    ],
)
def test_messages_that_differ_at_all_have_other_keys(one, other):
    assert request_key(ModelRequest("m", one), "e") != request_key(ModelRequest("m", other), "e")


def test_a_reply_is_given_again_as_spent_by_nobody():
    memo = Memo()
    assert memo.find("k") is None
    memo.intent("k", "run-1/t1/c1")
    reply = ModelReply("Because.", Usage(10, 0, 3, 1, 0.01, 0.5), "gpt", attempts=(Attempt(1.0, 0.5),))
    memo.keep("k", REQUEST, reply)
    assert memo.find("k") == ModelReply("Because.", Usage(), "gpt", cached=True)
    memo.keep("k", REQUEST, replace(reply, text="A newer one."))
    memo.done("k", "run-1/t1/c1")
    assert memo.find("k").text == "A newer one."


@pytest.mark.parametrize("change", [{"finish": "length"}, {"finish": "filter"}, {"finish": "cut"}, {"cached": True}])
def test_only_complete_replies_are_kept(change):
    memo = Memo()
    memo.keep("k", REQUEST, replace(ModelReply("Bec", Usage(), "gpt"), **change))
    assert memo.find("k") is None
