"""From a model's name to the model that answers."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from rlm_kernel.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rlm_kernel.models.base import Model

TUTOR = "tutor"
SCRIPTED = "scripted:"


class Registry:
    """Finds the model for a name, and keeps each one for as long as the registry lives.

    - ``tutor``: the built-in tutor, not a language model.
    - ``scripted:PATH.json``: prepared replies (see `ScriptedModel.from_file`).
    - any other name: a model of the OpenAI-compatible endpoint of the environment.

    Args:
        environ: Where ``RLM_MODEL``, ``RLM_SUB_MODEL``, ``OPENAI_API_KEY`` and ``OPENAI_BASE_URL`` are read, anew each
            time they are needed.
        extra: Further models by name; they come before the rules above.
    """

    def __init__(self, environ: Mapping[str, str] | None = None, extra: Mapping[str, Model] | None = None) -> None:
        self.environ = os.environ if environ is None else environ
        self._models: dict[str, Model] = dict(extra or {})
        self._endpoint: Model | None = None

    def resolve(self, name: str) -> Model:
        """Give the model for a name; whether an endpoint knows it shows with the first request.

        Raises:
            InputError: The name is empty, or the file of a scripted model cannot be used.
        """
        name = name.strip()
        if not name:
            raise InputError("No model is named.", "Set one with %rlm --model NAME (tutor needs no key).")
        if name not in self._models:
            self._models[name] = self._make(name)
        return self._models[name]

    def default_root(self) -> str:
        """Name the root model where the person has set none: ``RLM_MODEL``, else the tutor."""
        return self.environ.get("RLM_MODEL", "").strip() or TUTOR

    def default_sub(self, root: str | None = None) -> str:
        """Name the sub-model where the person has set none.

        Args:
            root: The root model of the run, where the person has set one.

        Returns:
            ``RLM_SUB_MODEL``, else the root model.
        """
        return self.environ.get("RLM_SUB_MODEL", "").strip() or root or self.default_root()

    async def close(self) -> None:
        """Close all models; a name resolved later makes a new one."""
        models = {id(model): model for model in self._models.values()}
        self._models, self._endpoint = {}, None
        for model in models.values():
            await model.close()

    def _make(self, name: str) -> Model:
        if name == TUTOR:
            from rlm_kernel.models.tutor import TutorModel

            return TutorModel()
        if name.startswith(SCRIPTED):
            from rlm_kernel.models.scripted import ScriptedModel

            return ScriptedModel.from_file(name.removeprefix(SCRIPTED))
        if self._endpoint is None:
            from rlm_kernel.models.openai import OpenAIModel

            self._endpoint = OpenAIModel(self.environ)
        return self._endpoint
