"""How an endpoint wants to be asked: servers differ in what they understand of the same API."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from rlm_kernel.messages import ModelRequest
    from rlm_kernel.models.failures import Place

IN_WORDS = "Reply with one JSON value that fits this JSON Schema, and with nothing else:\n\n"
_LIMIT_NAMES = ("max_tokens", "max_completion_tokens")
_SCHEMA_WORDS = ("response_format", "json_schema", "schema", "grammar", "guided")
_AT_MOST = re.compile(r"(?:at most|maximum(?: value)?(?: of| is)?|less than or equal to|<=?)\s*:?\s*([\d,]{3,})", re.I)


@dataclass(frozen=True)
class Dialect:
    """What an endpoint understands, learnt from what it refused; kept once a request has succeeded."""

    usage_in_stream: bool = True
    limit_name: str = "max_tokens"
    limit_switched: bool = False
    most_output: int | None = None
    """Tokens of a reply that the model has said it can give at most."""
    schema_in_words: bool = False
    """Whether a schema is told in the prompt, because the endpoint refuses it as a parameter."""
    proven: bool = False

    @classmethod
    def of(cls, place: Place) -> Dialect:
        """Give the one to begin with: OpenAI's newer models know only the new name, most servers only the old one."""
        return cls(limit_name="max_completion_tokens" if _host(place).endswith("openai.com") else "max_tokens")

    def parameters(self, request: ModelRequest, place: Place, *, stream: bool) -> dict[str, Any]:
        """Write a request as the endpoint understands it."""
        messages = [{"role": message.role, "content": message.content} for message in request.messages]
        written: dict[str, Any] = {"model": request.model, "messages": messages}
        if stream:
            written["stream"] = True
            if self.usage_in_stream:
                written["stream_options"] = {"include_usage": True}
        if request.max_output_tokens is not None:
            written[self.limit_name] = min(request.max_output_tokens, self.most_output or request.max_output_tokens)
        if request.temperature is not None:
            written["temperature"] = request.temperature
        if request.schema is not None and self.schema_in_words:
            messages[-1]["content"] += f"\n\n{IN_WORDS}{request.schema}"
        elif request.schema is not None:
            written["response_format"] = _response_format(request.schema)
        if _host(place).endswith("openrouter.ai"):
            written["usage"] = {"include": True}  # states what the call cost
        return written

    def after_refusal(self, status: int, text: str, request: ModelRequest) -> Dialect | None:
        """Give another dialect to try; ``None``: the refusal is about something else."""
        if status not in (400, 422):
            return None
        if request.max_output_tokens and any(name in text for name in _LIMIT_NAMES):
            if (most := _AT_MOST.search(text)) and (
                tokens := int(most[1].replace(",", ""))
            ) < request.max_output_tokens:
                return None if self.most_output == tokens else replace(self, most_output=tokens)
            if not self.limit_switched:
                other = next(name for name in _LIMIT_NAMES if name != self.limit_name)
                return replace(self, limit_name=other, limit_switched=True)
        if request.schema is not None and not self.schema_in_words and self._is_about(text, _SCHEMA_WORDS):
            return replace(self, schema_in_words=True)
        if self.usage_in_stream and self._is_about(text, ("stream_options", "include_usage")):
            return replace(self, usage_in_stream=False)
        return None

    def _is_about(self, text: str, words: tuple[str, ...]) -> bool:
        # Some servers do not say what they do not know; so what was never accepted is left out on suspicion.
        return not self.proven or any(word in text for word in words)


@lru_cache(maxsize=64)
def _response_format(schema: str) -> dict[str, Any]:
    content = json.loads(schema)
    described = {"name": "reply", "schema": content}
    if _is_strict(content):
        described["strict"] = True
    return {"type": "json_schema", "json_schema": described}


def _is_strict(schema: Any) -> bool:
    """Tell whether OpenAI can hold the model to a schema: each object names all it has and allows nothing else."""
    if isinstance(schema, list):
        return all(map(_is_strict, schema))
    if not isinstance(schema, dict):
        return True
    if schema.get("type") == "object" or "properties" in schema:
        properties = schema.get("properties", {})
        if schema.get("additionalProperties") is not False or set(schema.get("required", ())) != set(properties):
            return False
    return "default" not in schema and all(map(_is_strict, schema.values()))


def _host(place: Place) -> str:
    return urlsplit(place.base_url).hostname or ""
