"""From a model's name to the model that answers."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

from rlm_kernel.errors import InputError
from rlm_kernel.models.places import base_url
from rlm_kernel.models.prices import ASSUMED_WINDOW, FREE, Price, price_of, window_of
from rlm_kernel.models.slots import Slots

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rlm_kernel.models.base import Model

TUTOR = "tutor"
SCRIPTED = "scripted:"
ENDPOINT_CONCURRENCY = 256
"""Requests to one endpoint at the same time, of all runs together."""


class Registry:
    """Finds the model for a name, and keeps each one for as long as the registry lives.

    - ``tutor``: the built-in tutor, not a language model.
    - ``scripted:PATH.json``: prepared replies (see `ScriptedModel.from_file`).
    - any other name: a model of the OpenAI-compatible endpoint of the environment.

    Args:
        environ: Where ``RLM_MODEL``, ``RLM_SUB_MODEL``, ``OPENAI_API_KEY`` and ``OPENAI_BASE_URL`` are read, anew each
            time they are needed.
        extra: Further models by name; they come before the rules above.
        concurrency: Requests to one endpoint at the same time, of all runs together.
    """

    def __init__(
        self,
        environ: Mapping[str, str] | None = None,
        extra: Mapping[str, Model] | None = None,
        concurrency: int = ENDPOINT_CONCURRENCY,
    ) -> None:
        self.environ = os.environ if environ is None else environ
        self._extra = frozenset(extra or {})
        self._models: dict[str, Model] = dict(extra or {})
        self._endpoint: Model | None = None
        self._concurrency = concurrency
        self._slots: dict[str, Slots] = {}
        self._prepared: set[str] = set()

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

    def endpoint_of(self, name: str) -> str | None:
        """Give the address that answers for a model.

        Returns:
            ``None`` where no endpoint answers (the tutor, scripts, models of one's own): their replies cost nothing,
            follow their code, and are not kept in a memo. A model of one's own is asked for its ``endpoint``.
        """
        name = name.strip()
        if name in self._extra:
            own = getattr(self._models.get(name), "endpoint", None)
            return own if isinstance(own, str) else None
        return None if not name or name == TUTOR or name.startswith(SCRIPTED) else base_url(self.environ)

    def price(self, name: str) -> Price | None:
        """Give what a token of a model costs at most, before the first call; ``None`` where it is not known.

        A model of one's own may have a ``price``. The first look-up reads the list of prices, which takes a moment:
        `prepare` does it in a thread.
        """
        own = self._own(name, "price")
        if isinstance(own, Price):
            return own
        name = name.strip()
        if name not in self._extra and (name == TUTOR or name.startswith(SCRIPTED)):
            return FREE
        endpoint = self.endpoint_of(name)
        return None if endpoint is None else price_of(name, endpoint)

    def window(self, name: str) -> int | None:
        """Give how many tokens a model can read: ``RLM_WINDOW``, else what is published, else an assumption.

        Returns:
            ``None`` for models without an endpoint, unless a model of one's own has a ``window``.
        """
        own = self._own(name, "window")
        endpoint = self.endpoint_of(name)
        if isinstance(own, int) or endpoint is None:
            return own if isinstance(own, int) else None
        given = self.environ.get("RLM_WINDOW", "").strip().replace("_", "").replace(",", "")
        if given.isdigit() and int(given):
            return int(given)
        return window_of(name.strip(), endpoint) or ASSUMED_WINDOW

    async def prepare(self, name: str) -> None:
        """Load what the first request to a model needs, without holding up the loop."""
        endpoint = self.endpoint_of(name)
        if endpoint is not None and name not in self._prepared:
            await asyncio.to_thread(lambda: (self.price(name), self.window(name)))
            self._prepared.add(name)

    def slots(self, name: str) -> Slots:
        """Give the slots of the endpoint that answers for a model: shared by all runs, fair between them."""
        endpoint = self.endpoint_of(name) or name.strip()
        if endpoint not in self._slots:
            self._slots[endpoint] = Slots(self._concurrency)
        return self._slots[endpoint]

    def _own(self, name: str, what: str) -> object:
        """Look for something that a model of one's own says of itself."""
        name = name.strip()
        return getattr(self._models.get(name), what, None) if name in self._extra else None

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
