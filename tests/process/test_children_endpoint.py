"""Child runs over real HTTP: what is spent, and what may be spent."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from rlm_kernel.engine.session import Session
from rlm_kernel.engine.settings import Settings
from rlm_kernel.host.executor import ProcessExecutor
from rlm_kernel.host.pool import WarmPool
from rlm_kernel.models.memo import Memo
from rlm_kernel.models.registry import Registry
from rlm_kernel.usage import Limits, Usage

if TYPE_CHECKING:
    from rlm_kernel.trace.records import Node
    from rlm_kernel.trace.tree import Tree
    from tests.server import FakeEndpoint, Messages

CELLS = {
    "top": "rs = rlm_query_batched([f'middle {i}' for i in range(4)], [f'part {i}' * 50 for i in range(4)])\nprint(rs)",
    "middle": "print(rlm_query_batched(['low'] * 2), llm_query_batched([f'leaf {i}' for i in range(6)]))",
    "low": "print(llm_query(f'read this: {context}'), llm_query('the same for all'))",
}


def root(messages: Messages) -> str:
    """Play the run at any level: a first cell that asks below, then the answer."""
    question = re.search(r"<question>\n(\w+)", messages[1]["content"])
    assert question is not None
    first = not any(message["role"] == "assistant" for message in messages)
    code = CELLS[question[1]] if first else f"FINAL('{question[1]} is done')"
    return f"Next.\n\n```python\n{code}\n```"


async def ask(
    endpoint: FakeEndpoint, limits: Limits, memo: Memo | None = None, **settings: Any
) -> tuple[Tree, list[Node]]:
    endpoint.is_root = lambda body: any("<question>" in str(message["content"]) for message in body["messages"])
    endpoint.root(root)
    executor, models = ProcessExecutor(), Registry(endpoint.environ)
    session = Session(executor, models, Settings(limits=limits, **settings), memo=memo, pool=WarmPool(executor.process))
    try:
        await executor.start()
        await executor.run_person_cell("context = 'the whole'")
        return session.tree, [await session.ask("top")]
    finally:
        await session.close()
        await executor.close()
        await models.close()


def spent(tree: Tree, runs: list[Node]) -> Usage:
    return sum((tree.total(run.id) for run in runs), Usage())


def replies(tree: Tree) -> dict[str, str]:
    """What every node has to say, by its place below the run."""
    return {node.id.partition("/")[2]: node.reply for node in tree}


async def test_the_sums_of_the_tree_are_the_servers(endpoint: FakeEndpoint) -> None:
    endpoint.fault("429", 3, retry_after=0.05)
    endpoint.fault("500", 2, role="sub")
    endpoint.fault("400", 2, role="sub")
    tree, runs = await ask(endpoint, Limits(depth=2))
    assert runs[0].reply == "top is done", [(node.id, node.error) for node in tree if node.error]
    assert len([node for node in tree if node.kind == "run"]) == 1 + 4 + 8
    total, server = spent(tree, runs), endpoint.usage
    assert (total.input_tokens, total.output_tokens) == (server["input_tokens"], server["output_tokens"])
    assert (total.cached_tokens, total.calls) == (server["cached_tokens"], server["calls"])
    assert total == sum((node.usage for node in tree), Usage())
    assert len([node for node in tree if node.kind == "call" and node.status == "failed"]) == 2


async def test_asked_again_nothing_is_paid_again(endpoint: FakeEndpoint) -> None:
    memo = Memo()
    tree, _ = await ask(endpoint, Limits(depth=2), memo)
    asked = len(endpoint.requests)
    again, runs = await ask(endpoint, Limits(depth=2), memo)
    assert len(endpoint.requests) == asked
    assert spent(again, runs) == Usage()
    assert {node.cached for node in again if node.kind != "run"} == {True}
    assert replies(again) == replies(tree)


@pytest.mark.parametrize(
    "limits", [Limits(depth=2, calls=17), Limits(depth=2, tokens=12_000), Limits(depth=2, calls=5)]
)
async def test_no_more_is_spent_than_allowed(endpoint: FakeEndpoint, limits: Limits) -> None:
    tree, runs = await ask(endpoint, limits)
    server = endpoint.usage
    assert server["calls"] <= (limits.calls or 1000)
    assert server["input_tokens"] + server["output_tokens"] <= (limits.tokens or 10**9)
    assert spent(tree, runs).calls == server["calls"]
    said = [node.error for node in tree if node.error]
    assert any("The limit of" in error for error in said)
