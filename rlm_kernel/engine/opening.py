"""What a model is told with a question, kept so that the same question can be asked in the same words again."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, cast

from rlm_kernel.engine.conversation import Conversation, Earlier
from rlm_kernel.engine.executor import ContextInfo, NameInfo
from rlm_kernel.engine.shown import lasting
from rlm_kernel.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from rlm_kernel.engine.executor import NamespaceInfo

TOLD = ("name", "type", "size")
CHILD_OPENING = "child_opening"
"""Detail of a child run: what its model was told first, and how many levels there could be below it."""


@dataclass(frozen=True, slots=True)
class Opening:
    """The facts at the beginning of a run: the context, the names in the session, the questions before.

    A cell that asks the same question again is told the opening of the time before, as long as all of it is still
    true. So what later cells have left in the session does not make another question of it, and every reply that was
    paid for is found again: in "Run All" twice, after a restart, after a kill.
    """

    context: ContextInfo
    names: tuple[NameInfo, ...] = ()
    earlier: tuple[Earlier, ...] = ()

    @classmethod
    def now(cls, info: NamespaceInfo, earlier: Iterable[Earlier]) -> Opening | None:
        """Take the facts as they are; ``None`` where there is no context."""
        context = info["context"]
        if context is None:
            return None
        ends = {"head": lasting(context["head"]), "tail": lasting(context["tail"])}
        names = tuple(
            NameInfo(name=each["name"], type=each["type"], size=each["size"])
            for each in info["names"]
            if each["name"] != "context"
        )
        return cls(cast("ContextInfo", {**context, **ends}), names, tuple(earlier))

    @classmethod
    def from_dict(cls, kept: object) -> Opening | None:
        """Read what `to_dict` gave; ``None`` where it is something else."""
        if not isinstance(kept, dict):
            return None
        try:
            context = cast("Any", ContextInfo)(**{key: kept["context"][key] for key in ContextInfo.__annotations__})
            names = tuple(cast("Any", NameInfo)(**{key: name[key] for key in TOLD}) for name in kept["names"])
            return cls(context, names, tuple(Earlier(**each) for each in kept["earlier"]))
        except (KeyError, TypeError):
            return None

    def to_dict(self) -> dict[str, Any]:
        """Give it as JSON can say it."""
        return {"context": dict(self.context), "names": list(self.names), "earlier": [asdict(e) for e in self.earlier]}

    def conversation(self, question: str, depth: int = 0) -> Conversation:
        """Begin the conversation of a run; ``depth``: how many levels of child runs there may be below it."""
        return Conversation(question, self.context, list(self.names), self.earlier, depth)

    def check(self, now: Opening | None, *, names: bool) -> None:
        """Make sure that a run can go on here.

        Args:
            now: The facts as they are; ``None``: there is no context.
            names: Whether the names that were there must be there too.

        Raises:
            InputError: Something is not there; the message says what to run first.
        """
        source = self.context["source"]
        load = f"load({source!r})" if source else "the cell that sets it"
        if now is None:
            raise InputError("The context is not loaded here.", f"Run {load} first.")
        if names and self.context != now.context:
            raise InputError("The context is not the one that was asked about.", f"Run {load} first.")
        if names and (missing := self.missing(now)):
            raise InputError(
                f"Not here as it was then: {', '.join(missing)}.", "Run the cells above the question first."
            )

    def missing(self, now: Opening) -> list[str]:
        """Name what was in the session then and is not there now, or is something else now."""
        there = {each["name"]: each for each in now.names}
        return [each["name"] for each in self.names if there.get(each["name"]) != each]

    def is_true(self, now: Opening) -> bool:
        """Tell whether everything that was told then could be told now; there may be more now."""
        answered: Mapping[str, Earlier] = {each.cell: each for each in now.earlier if each.cell is not None}
        return (
            self.context == now.context
            and not self.missing(now)
            and all(answered.get(each.cell or "", each) == each for each in self.earlier)
        )
