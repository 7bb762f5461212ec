"""Looking things up in ``context``: what an answer cites, what calls have read, a passage to be shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from rlm_kernel.contexts.cover import Cover
    from rlm_kernel.contexts.text import Text
    from rlm_kernel.contexts.whole import Whole

Json = dict[str, Any]


class Looking:
    """Answers the host's questions about the context; what it needs for that is made at the first one.

    Args:
        context: Gives the value of ``context``; ``None`` where there is none.
    """

    def __init__(self, context: Callable[[], object]) -> None:
        self._context = context
        self._whole: Whole | None = None
        self._cover: tuple[object, Cover] | None = None

    def cite(self, message: Json) -> Json:
        """Look up the quotations and references of an ``answer``; gives ``citations``, see `CitationDict`."""
        from rlm_kernel.contexts.citations import look_up

        return {"citations": look_up(message["answer"], self._context())}

    def passage(self, message: Json) -> Json:
        """Give the ``passage`` from ``start`` to ``end`` with what stands around it, ``None`` where there is none.

        Without a ``source`` it is one of the whole context; gives also the ``mark`` by which that is known again, empty
        where it is no text.
        """
        from rlm_kernel.contexts.landmarks import fingerprint
        from rlm_kernel.contexts.passages import AROUND, passage

        whole = self._one_text()
        start, end, source = message["start"], message["end"], message.get("source", "")
        found = passage(self._context() if source else whole, start, end, source, message.get("around", AROUND))
        return {"passage": found, "mark": fingerprint(whole) if whole is not None else ""}

    def cover(self, message: Json) -> Json:
        """Find the parts of the context that stand in each of ``texts``.

        Gives ``length``, the characters of the context as one text (0: it is none), and for each text its ``spans``.
        Where the context is another one than that with the ``mark``, also its ``name``, ``mark`` and ``landmarks``.
        """
        from rlm_kernel.contexts.cover import Cover
        from rlm_kernel.contexts.landmarks import fingerprint, landmarks

        context = self._one_text()
        if context is None:
            return {"length": 0, "spans": [[] for _ in message["texts"]]}
        if self._cover is None or self._cover[0] is not context:
            self._cover = context, Cover(context)
        spans = [self._cover[1].spans(text) for text in message["texts"]]
        mark = fingerprint(context)
        if mark == message.get("mark"):
            return {"length": len(context), "spans": spans}
        name = str(getattr(context, "name", ""))
        return {
            "length": len(context),
            "spans": spans,
            "mark": mark,
            "name": name,
            "landmarks": landmarks(context),
        }

    def _one_text(self) -> str | Text | None:
        from rlm_kernel.contexts.whole import Whole

        self._whole = self._whole or Whole()
        return self._whole.of(self._context())
