"""A run of the tutor without processes: its cells are executed here, its sub-calls go to its own reader."""

from __future__ import annotations

import io
import os
import re
import traceback
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path

from rlm_kernel.messages import Message, ModelRequest
from rlm_kernel.models.tutor import TutorModel, reader

DATA = Path(os.environ.get("RLM_TEST_DATA", Path(__file__).parents[3] / "shared" / "data"))


@dataclass
class Run:
    """What a run came to."""

    answer: str = ""
    ready: bool = False
    replies: list[str] = field(default_factory=list)
    outputs: list[str] = field(default_factory=list)
    prompts: list[str] = field(default_factory=list)

    @property
    def failed(self) -> list[str]:
        """Outputs of the cells that failed."""
        return [output for output in self.outputs if "Traceback" in output]


async def ask(question: str, context: object, turns: int = 15, spoil: str = "") -> Run:
    """Play a run to its end; cells that contain ``spoil`` fail."""
    run, tutor, state = Run(), TutorModel(pace=0), {"content": "", "ready": False}

    def batched(prompts):
        run.prompts.extend(prompts)
        return [reader.read(prompt) for prompt in prompts]

    namespace = {"context": context, "answer": state, "llm_query_batched": batched}
    messages = [Message("system", "…"), Message("user", f"<question>\n{question}\n</question>\n\nContext: …")]
    while len(run.replies) < turns and not state["ready"]:
        reply = await tutor.complete(ModelRequest("tutor", tuple(messages), purpose="root"))
        code = re.search(r"^```python\n(.*?)\n```$", reply.text, re.DOTALL | re.MULTILINE)[1]
        out = io.StringIO()
        with redirect_stdout(out):
            try:
                if spoil and spoil in code:
                    raise ZeroDivisionError("spoilt")
                exec(compile(code, "cell", "exec"), namespace)
            except Exception:  # noqa: BLE001 - a cell may fail in any way; the tutor is told, as the engine does
                print(traceback.format_exc())
        run.replies.append(reply.text)
        run.outputs.append(out.getvalue())
        messages += [
            Message("assistant", reply.text),
            Message("user", f"<output>\n{out.getvalue()[:10_000]}\n</output>"),
        ]
    run.answer, run.ready = str(state["content"]), bool(state["ready"])
    return run
