"""The tutor behind `llm_query`."""

from __future__ import annotations

import pytest

from rlm_kernel.messages import Message, ModelRequest
from rlm_kernel.models.tutor import TutorModel
from rlm_kernel.models.tutor.reader import NO_READER, NOT_FOUND, read

PASSAGE = (
    "The lighthouse was built in 1862. Its keeper was Anna Berg, who stayed for 31 years. Boats came twice a week."
)


@pytest.mark.parametrize(
    "prompt",
    [
        f"Question: Who was the keeper?\n\n<passage>\n{PASSAGE}\n</passage>",
        f"Read this.\n<text>{PASSAGE}</text>\nWho was the keeper?",
        f"Question: Who was the keeper?\nPassage: {PASSAGE}",
        f"Passage: {PASSAGE}\nQuestion: Who was the keeper?",
        f"Who was the keeper?\n\n{PASSAGE}",
    ],
)
def test_quotes_the_sentence_that_matches(prompt):
    assert read(prompt) == "Its keeper was Anna Berg, who stayed for 31 years."


def test_says_not_found_instead_of_guessing():
    assert read(f"Question: How deep is the harbour?\n\n<passage>{PASSAGE}</passage>") == NOT_FOUND


def test_a_line_that_stands_for_itself_is_quoted_whole():
    line = '10.0.0.1 - - [01/May/2024] "OPTIONS /x HTTP/1.1" 500 12 "-" "Probe 1.0"'
    assert read(f"Question: Who sent OPTIONS /x with 500?\n\n<passage>\n{line}\n</passage>") == line


@pytest.mark.parametrize("prompt", ["Write a poem about the sea.", "", "What is the capital of France?"])
def test_says_what_it_is_where_there_is_no_passage(prompt):
    assert read(prompt) == NO_READER


async def test_is_the_sub_side_of_the_model():
    prompt = f"Question: When was the lighthouse built?\n\n<passage>{PASSAGE}</passage>"
    reply = await TutorModel(pace=0).complete(ModelRequest("tutor", (Message("user", prompt),), purpose="sub"))
    assert reply.text == "The lighthouse was built in 1862."
    assert reply.usage.cost_usd == 0.0
