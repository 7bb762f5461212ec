"""Long runs: older turns become a summary before the model's window is full."""

from __future__ import annotations

from rlm_kernel.engine.compaction import needed
from rlm_kernel.engine.conversation import Conversation
from rlm_kernel.engine.executor import ContextInfo
from rlm_kernel.engine.session import Session
from rlm_kernel.engine.settings import Settings
from rlm_kernel.errors import EndpointError
from rlm_kernel.messages import ModelReply, ModelRequest, OnText
from rlm_kernel.models.registry import Registry
from rlm_kernel.usage import Limits, Usage
from tests.unit.inline import Diary, InlineExecutor, answer, cell

CONTEXT = ContextInfo(type="str", source="a.txt", chars=3, lines=1, structure="", head="abc", tail="")
WORDS = "the whale and the sea " * 100  # 2,200 characters


class Root:
    """Gives replies in order; writes a summary when it is asked for one. Reads so many tokens."""

    endpoint = "http://root"

    def __init__(self, replies: list[str], window: int, summary: str | Exception = "Found: the whale.") -> None:
        self.replies, self.window, self.summary = replies, window, summary
        self.requests: list[ModelRequest] = []

    async def complete(self, request: ModelRequest, on_text: OnText | None = None) -> ModelReply:
        self.requests.append(request)
        if "Write no cell now" in request.messages[-1].content:
            if isinstance(self.summary, Exception):
                raise self.summary
            text = self.summary
        else:
            text = self.replies.pop(0)
        if on_text is not None:
            await on_text(text)
        return ModelReply(text, Usage(request.chars // 4, 0, len(text) // 4, 1, 0.001), "root-1")

    async def close(self) -> None:
        pass


def talk(root: Root, executor: InlineExecutor, diary: Diary | None = None, **limits: object) -> Session:
    models = Registry({}, {"root": root})
    return Session(executor, models, Settings("root", "root", Limits(**limits)), [diary] if diary else [])  # type: ignore[arg-type]


def test_it_is_needed_when_the_window_is_nearly_full() -> None:
    conversation = Conversation("q", CONTEXT)
    assert needed(conversation, 10) is None, "there is nothing to summarise yet"
    for _ in range(6):
        conversation.turn(WORDS, WORDS)
    assert needed(conversation, None) is None
    assert needed(conversation, 100_000) is None
    what = needed(conversation, 8_000)
    assert what is not None
    assert (len(what.said), what.keep) == (14, 2)
    conversation.compact("in short", "that is, in short", what.keep)
    assert (len(conversation.messages), len(conversation.all), conversation.turns) == (6, 14, 2)
    assert conversation.messages[1].content.endswith("in short")
    assert needed(conversation, 8_000) is None
    conversation.turn("a", "b")
    assert conversation.messages[-4].content == WORDS.strip()
    assert [each.role for each in conversation.messages] == ["system", *["user", "assistant"] * 3, "user"]


async def test_a_long_run_goes_on_with_a_summary_that_the_person_sees() -> None:
    replies = [cell(f"answer['content'] = 'best {n}'\nprint({WORDS!r})") for n in range(8)]
    root, executor = Root([*replies, answer("done")], 8_000), InlineExecutor()
    session = talk(root, executor)
    run = await session.ask("Where is the whale?")
    assert (run.outcome, run.reply) == ("answered", "done")
    children = session.tree.children(run.id)
    compactions = [node for node in children if node.kind == "call"]
    assert compactions
    first = compactions[0]
    assert first.label.startswith("Compaction: ")
    assert (first.status, first.reply, first.usage.calls) == ("done", "Found: the whale.", 1)
    assert first.started is not None
    assert len({node.id for node in children}) == len(children)
    assert session.tree.total(run.id).calls == 9 + len(compactions) == len(root.requests)
    after = root.requests[-1]
    assert "Found: the whale." in after.messages[1].content
    assert "Where is the whale?" in after.messages[1].content
    assert max(request.chars for request in root.requests) < 8_000 * 4
    history = executor.names["history"]
    assert isinstance(history, list)
    assert {each["role"] for each in history} == {"system", "user", "assistant"}
    assert sum("best 0" in each["content"] for each in history) == 1


async def test_asked_again_it_is_found_in_the_memo() -> None:
    replies = [cell(f"print({WORDS!r}, {n})") for n in range(8)]
    root = Root([*replies, answer("done")], 8_000)
    models = Registry({}, {"root": root})
    first = Session(InlineExecutor(), models, Settings("root", "root"))
    await first.ask("q")
    asked = len(root.requests)
    again = Session(InlineExecutor(), models, Settings("root", "root"), memo=first._memo)
    run = await again.ask("q")
    assert run.reply == "done"
    assert len(root.requests) == asked
    assert all(node.cached for node in again.tree if node.kind != "run")
    assert again.tree.total(run.id).calls == 0


async def test_a_summary_that_fails_costs_only_detail() -> None:
    replies = [cell(f"print({WORDS!r}, {n})", prose=f"Step {n}.") for n in range(8)]
    root = Root([*replies, answer("done")], 8_000, EndpointError("Down.", "Later."))
    session = talk(root, InlineExecutor())
    run = await session.ask("q")
    assert run.reply == "done"
    node = next(node for node in session.tree if node.kind == "call")
    assert (node.status, node.error, node.remedy) == ("failed", "Down.", "Later.")
    assert "- Step 0." in root.requests[-1].messages[1].content


async def test_a_limit_ends_the_run_with_the_best_answer() -> None:
    replies = [cell(f"answer['content'] = 'best {n}'\nprint({WORDS!r})") for n in range(8)]
    root = Root([*replies, answer("done")], 8_000)
    run = await talk(root, InlineExecutor(), calls=6).ask("q")
    assert run.outcome == "limit"
    assert run.reply.startswith("best")
