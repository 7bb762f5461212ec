"""A question with all that decides how it is asked, kept so that it can be asked again."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from rlm_kernel.engine.opening import Opening
from rlm_kernel.engine.settings import Settings, carried, from_dict, to_dict
from rlm_kernel.ids import CellId

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rlm_kernel.engine.run import Run


MODELS = "models"
"""In the details of a run: the names of those it asked, by their part (``root``, ``sub``)."""


@dataclass(frozen=True, slots=True)
class Asking:
    """A question as it is asked."""

    question: str
    opening: Opening
    settings: Settings
    base: Settings
    """What held in the session, without the question's own options."""
    cell_id: CellId | None
    """The cell of the question, also where it goes on in another one."""

    @classmethod
    def recall(cls, question: str, details: Mapping[str, object], now: tuple[Settings, Settings]) -> Asking | None:
        """Make it of what `details` gave in another session; ``None``: that is not known.

        Args:
            question: What was asked.
            details: What was kept.
            now: The settings of the session, and of this question, which may bring options of its own.
        """
        opening = Opening.from_dict(details.get("opening"))
        if opening is None:
            return None
        # What a fresh session has not set is not a change: the cell that sets it may not have run again.
        base, (session, own) = from_dict(details.get("base")), now
        settings = carried(from_dict(details.get("settings")), base, carried(base, Settings(), own))
        cell = details.get("cell")
        return cls(question, opening, settings, session, CellId(cell) if isinstance(cell, str) else None)

    def with_models(self, details: Mapping[str, object], model: str | None = None) -> Asking:
        """Give it with the models it was asked with, where nothing else was chosen, whatever the environment says now.

        Args:
            details: Of the run that was asked so.
            model: Another root model; where the root model was the sub-model too, it is again.
        """
        kept = details.get(MODELS)
        was = {part: str(name) for part, name in kept.items()} if isinstance(kept, dict) else {}
        root = model or self.settings.model or was.get("root")
        follows = model is not None and was.get("sub") == was.get("root")
        sub = self.settings.sub_model or (root if follows else was.get("sub"))
        return replace(self, settings=replace(self.settings, model=root, sub_model=sub))

    def details(self) -> dict[str, object]:
        """Give what it takes to ask the same again, as JSON can say it."""
        return {
            "opening": self.opening.to_dict(),
            "settings": to_dict(self.settings),
            "base": to_dict(self.base),
            "cell": self.cell_id,
        }


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A run that ended before there was an answer."""

    asked: Asking
    run: Run
