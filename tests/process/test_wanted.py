"""Schemas, samples and votes, as cells use them."""

from __future__ import annotations

import json

import pytest

from rlm_kernel.usage import Usage

SCHEMA = {"type": "object", "properties": {"age": {"type": "integer"}}, "required": ["age"]}


@pytest.fixture
def answers(ns):
    """Lets a test say what comes; ``None`` is a failure. Gives the list of queries."""
    queries = []

    def comes(*texts):
        async def query(query, parent):
            queries.append(query)
            usage = Usage(5, 0, 1, 1).to_dict()
            return [
                {"text": text or "", "error": None if text is not None else "refused", "node_id": "c", "usage": usage}
                for text in texts
            ]

        ns.listener.query = query
        return queries

    return comes


async def test_a_json_schema_goes_with_the_query_and_the_value_is_an_object(ns, answers):
    queries = answers('{"age": 7}')
    assert await ns.value(f"r = llm_query('Ahab', schema={SCHEMA})\nr, r.value['age'] + 1") == "('{\"age\": 7}', 8)"
    assert json.loads(queries[0]["schema"]) == SCHEMA
    assert "n" not in queries[0]
    answers("free text")
    assert await ns.value("llm_query('x').value, llm_query('x').samples") == "(None, [])"


async def test_pydantic_models_and_types_are_schemas(ns, answers):
    queries = answers('{"age": 7}')
    code = "from pydantic import BaseModel\nclass P(BaseModel):\n    age: int\nllm_query('a', schema=P).value"
    assert await ns.value(code) == "P(age=7)"
    assert json.loads(queries[0]["schema"])["required"] == ["age"]
    answers('["a", "b"]')
    assert await ns.value("llm_query_batched(['a'], schema=list[str])[0].value") == "['a', 'b']"


async def test_what_fails_the_checks_of_a_model_is_a_failed_reply(ns, answers):
    answers('{"age": 7}')
    await ns.ok(
        "from pydantic import BaseModel, field_validator\nclass P(BaseModel):\n    age: int\n"
        "    @field_validator('age')\n    @classmethod\n    def old(cls, v):\n        raise ValueError('too young')"
    )
    assert (
        await ns.value("r = llm_query('a', schema=P)\nbool(r), 'too young' in r.error, r.usage.calls")
        == "(False, True, 1)"
    )


async def test_samples_vote(ns, answers):
    queries = answers("Yes.", "no", "yes", "No way", None)
    assert (
        await ns.value("r = llm_query('a', n=5, select='vote')\nstr(r), len(r.samples), r.samples[2]")
        == "('Yes.', 5, 'yes')"
    )
    assert queries[0]["n"] == 5
    answers('{"a": 1, "b": 2}', '{"b":2,"a":1}', '{"a": 3}')
    assert await ns.value("llm_query('a', n=3, schema={}).value") == "{'a': 1, 'b': 2}"
    answers(None, None)
    assert await ns.value("bool(llm_query('a', n=2))") == "False"


async def test_a_function_chooses_among_those_that_succeeded(ns, answers):
    answers("a", None, "ccc", "bb")
    assert await ns.value("llm_query('x', n=4, select=lambda rs: max(rs, key=len))") == "'ccc'"
    assert await ns.value("llm_query('x', n=4, select=lambda rs: -1)") == "'bb'"
    assert "one of the replies" in (await ns.run("llm_query('x', n=4, select=lambda rs: 'new')")).reply.evalue
    answers("a1", "a2", "b1", "b2")
    assert await ns.value("llm_query_batched(['a', 'b'], n=2, select=lambda rs: rs[1])") == "['a2', 'b2']"


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ("n=0", "from 1 to 1000"),
        ("n=True", "from 1 to 1000"),
        ("n=2, select='best'", '"vote" or a function'),
        ("schema='{}'", "dict"),
        ("schema={'a': {1}}", "not JSON"),
        ("schema=object()", "pydantic"),
    ],
)
async def test_what_cannot_be_used_is_said_before_anything_is_asked(ns, arguments, text):
    assert text in (await ns.run(f"llm_query('x', {arguments})")).reply.evalue
    assert ns.listener.queries == []
