"""From names to models."""

from __future__ import annotations

import json

import pytest

from rlm_kernel.errors import InputError
from rlm_kernel.messages import Message, ModelRequest
from rlm_kernel.models.openai import OpenAIModel
from rlm_kernel.models.registry import Registry
from rlm_kernel.models.scripted import ScriptedModel
from rlm_kernel.models.tutor import TutorModel


def test_defaults_come_from_the_environment_else_the_tutor():
    assert Registry({}).default_root() == Registry({}).default_sub() == "tutor"
    both = Registry({"RLM_MODEL": "large", "RLM_SUB_MODEL": "small"})
    assert (both.default_root(), both.default_sub()) == ("large", "small")
    assert Registry({"RLM_MODEL": "large"}).default_sub() == "large"
    assert Registry({}).default_sub("chosen") == "chosen"
    assert both.default_sub("chosen") == "small"
    assert Registry({"RLM_MODEL": "  "}).default_root() == "tutor"


def test_a_name_leads_to_one_model_for_good(tmp_path):
    script = tmp_path / "script.json"
    script.write_text(json.dumps({"root": ["Hello."]}))
    registry = Registry({})
    assert isinstance(registry.resolve("tutor"), TutorModel)
    assert isinstance(registry.resolve(f"scripted:{script}"), ScriptedModel)
    assert isinstance(registry.resolve("gpt-4o-mini"), OpenAIModel)
    assert registry.resolve("gpt-4o-mini") is registry.resolve("qwen3:8b"), "one endpoint serves all its names"
    assert registry.resolve(f"scripted:{script}") is registry.resolve(f"scripted:{script}")


def test_extra_models_come_first():
    mine = ScriptedModel(["Hello."])
    assert Registry({}, {"tutor": mine}).resolve(" tutor ") is mine


@pytest.mark.parametrize("name", ["", "  "])
def test_an_empty_name_is_an_error(name):
    with pytest.raises(InputError, match="No model is named"):
        Registry({}).resolve(name)


def test_a_script_that_is_not_there_is_an_error():
    with pytest.raises(InputError, match="cannot be read"):
        Registry({}).resolve("scripted:/nowhere/script.json")


async def test_after_close_a_name_makes_a_new_model(endpoint):
    endpoint.root(lambda _messages: "Hello.")
    registry = Registry(endpoint.environ)
    first = registry.resolve(registry.default_root())
    request = ModelRequest("root-model", (Message("user", "Hello?"),))
    assert (await first.complete(request)).text == "Hello."
    await registry.close()
    assert registry.resolve("root-model") is not first
    await registry.close()
