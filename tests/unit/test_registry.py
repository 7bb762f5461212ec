"""From names to models."""

from __future__ import annotations

import json

import pytest

from rlm_kernel.errors import InputError
from rlm_kernel.messages import Message, ModelRequest
from rlm_kernel.models.openai import OpenAIModel
from rlm_kernel.models.prices import ASSUMED_WINDOW, FREE, Price
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


def test_endpoint_price_and_window_of_a_name():
    class Mine(ScriptedModel):
        endpoint, price, window = "http://mine", Price(1.0, 0.1, 2.0), 5000

    registry = Registry({"OPENAI_API_KEY": "x"}, {"mine": Mine([]), "plain": ScriptedModel([])})
    assert registry.endpoint_of("gpt-4o-mini") == "https://api.openai.com/v1"
    assert [registry.endpoint_of(name) for name in ("tutor", "scripted:a.json", "plain", "mine")] == [
        None,
        None,
        None,
        "http://mine",
    ]
    assert registry.price("gpt-4o-mini").output > 0
    assert [registry.price(name) for name in ("tutor", "scripted:a.json", "plain")] == [FREE, FREE, None]
    assert (registry.price("mine"), registry.price("plain")) == (Price(1.0, 0.1, 2.0), None)
    assert (registry.window("mine"), registry.window("plain"), registry.window("tutor")) == (5000, None, None)
    assert registry.window("gpt-4o-mini") >= 100_000
    assert registry.window("no-such-model") == ASSUMED_WINDOW
    local = Registry({"OPENAI_BASE_URL": "http://127.0.0.1:1/v1/", "RLM_WINDOW": "8_192"})
    assert (local.endpoint_of("m"), local.price("m"), local.window("m")) == ("http://127.0.0.1:1/v1", None, 8192)
    assert local.slots("m") is local.slots("n")
