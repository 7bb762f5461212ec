"""Coming back to a state in another process: real cells, a real store, no request to a model."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from rlm_kernel.engine.keeping import Keeping
from rlm_kernel.engine.replay import after, go_back, replay, way_back
from rlm_kernel.engine.session import Session
from rlm_kernel.engine.settings import Settings
from rlm_kernel.errors import Diverged, InputError
from rlm_kernel.host.executor import ProcessExecutor
from rlm_kernel.host.pool import WarmPool
from rlm_kernel.host.process import NamespaceProcess
from rlm_kernel.models.registry import Registry
from rlm_kernel.trace.tree import Tree
from rlm_kernel.usage import Limits

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from rlm_kernel.trace.records import Node


def cell(code: str) -> str:
    return f"Next.\n\n```python\n{code}\n```"


class Person(ProcessExecutor):
    """A notebook without a page: cells of the person may ask models too, outside of runs."""

    session: Session

    async def query(self, query, parent):
        if self._queries is None:
            return await self.session.query_outside(query, "llm_query in a cell", parent)
        return await super().query(query, parent)


class House:
    """A session with its store, as a kernel has it; several may follow one another over the same store."""

    def __init__(self, environ: dict[str, str], *, checkpoints: bool = True, depth: int = 1) -> None:
        self.told: list[str] = []
        self.keeping = Keeping(self.told.append, lambda: "a.ipynb")
        self.executor = Person()
        self.executor.process = NamespaceProcess(self.executor, checkpoints=checkpoints)
        self.keeping.watch(self.executor.history)
        self.models = Registry(environ)
        settings = Settings("root", "sub", Limits(calls=None, cost_usd=None, depth=depth))
        pool = WarmPool(self.executor.process)
        observers: list[Any] = [self.keeping]
        self.session = Session(self.executor, self.models, settings, observers, self.keeping, pool=pool)
        self.executor.session = self.session

    async def person(self, code: str) -> str:
        """Run a cell of the person; gives its value."""
        result = await self.executor.run_person_cell(code)
        assert result.status == "ok", result.outputs
        values = [output["data"]["text/plain"] for output in result.outputs if "data" in output]
        return str(values[-1]) if values else ""

    async def close(self) -> None:
        await self.session.close()
        await self.models.close()
        await self.executor.close()
        self.keeping.close()
        assert self.told == []


@asynccontextmanager
async def house(endpoint, **options: Any) -> AsyncIterator[House]:
    made = House(endpoint.environ, **options)
    await made.executor.start()
    try:
        yield made
    finally:
        await made.close()


@pytest.fixture(autouse=True)
def _own_store(monkeypatch, tmp_path):
    monkeypatch.setenv("RLM_STORE", str(tmp_path / "runs.sqlite3"))


REPLIES = [
    cell("import random; random.seed(3)\nparts = [context[i:i + 5] for i in range(0, 20, 5)]; gen = iter(parts)"),
    cell(
        "rs = llm_query_batched([f'part {p}' for p in parts] + ['bad'])\nfound = [bool(r) for r in rs]\n"
        "print(*rs, rs[0].usage.cost_usd, rs[0].node_id)\nroll = random.random()\n"
        "twice = llm_query('same', n=2).samples"
    ),
    cell("child = rlm_query('What is in it?', context[:9])\nprint(child, child.node_id)\n%time next(gen)"),
    cell("deeper = rlm_query_batched(['one', 'two'], ['x' * 50, 'y'])\nprint(deeper)\n1/0"),
    cell("FINAL(f'{found} {child} {roll:.3f}')"),
]


def answering(endpoint) -> None:
    """Have root and sub-models answer; one of the child runs asks further, where no level is left."""

    def sub(prompt: str) -> str:
        question = prompt.partition("<question>")[2].strip()
        if question.startswith("What is in it?"):
            return cell("inner = rlm_query('deep', context)\nFINAL('child ' + str(inner))")
        return cell("FINAL('small')") if question else f"re: {prompt}"

    endpoint.root(REPLIES)
    endpoint.sub(sub)
    endpoint.fault_of = lambda request: "400" if request.prompt == "bad" else ""


async def asked(endpoint, first: House) -> Node:
    answering(endpoint)
    await first.person("context = 'abcdefghijklmnopqrstuvwxyz' * 20; mine = {'a': [1, 2.5, None]}")
    await first.person("said = llm_query('of my own')\nsaid")
    run = await first.session.ask("What is it?")
    assert run.outcome == "answered", (run.error, [node.error for node in first.session.tree])
    await first.person("mine['b'] = roll; del parts[0]")
    return run


async def test_after_a_restart_the_state_comes_back_by_replay_without_a_request(endpoint):
    async with house(endpoint) as first:
        run = await asked(endpoint, first)
        turns = [node for node in first.session.tree.children(run.id) if node.kind == "turn"]
        last = first.executor.history.current
        values = await first.person("(mine, found, roll, list(gen), str(child), str(deeper), twice, parts, answer)")
        assert all(node.entry for node in turns)
    before = len(endpoint.requests)
    async with house(endpoint) as second:
        await second.person("something = 'else'")
        rows = second.keeping.of_notebook()
        assert [row.id for row in rows] == [run.id]
        tree = second.keeping.tree_of(run.id)
        assert tree is not None
        assert [node.entry for node in tree.children(run.id) if node.kind == "turn"] == [node.entry for node in turns]
        path = second.keeping.entries(run.id)
        assert [each.kind for each in path] == ["cell", "cell", "begin", *["cell"] * 5, "end"]
        assert [each.author for each in path[3:-1]] == ["model"] * 5
        await replay(path, second.executor, second.keeping.answers(path))
        assert second.executor.history.current == path[-1].id
        await second.person("mine['b'] = roll; del parts[0]")
        again = await second.person("(mine, found, roll, list(gen), str(child), str(deeper), twice, parts, answer)")
        assert again == values
        assert "something" not in await second.person("dir()")
        # The states on the way are kept now, so the way back to any of them is short.
        assert way_back(turns[2].entry, second.executor).how == "checkpoint"
        way = await go_back(turns[2].entry, second.executor, second.keeping.answers(path))
        assert (way.start, way.cells) == (turns[2].entry, 0)
        assert await second.person("'child' in dir(), len(list(gen))") == "(False, 4)"
    assert len(endpoint.requests) == before
    assert last is not None


async def test_calls_that_stood_in_for_child_runs_do_so_again(endpoint):
    endpoint.root([cell("r = rlm_query('Who?', 'x' * 100)\nprint(r)\nFINAL(r)")])
    endpoint.sub(lambda prompt: f"re: {prompt[:4]} {len(prompt)}")
    async with house(endpoint, depth=0) as first:
        await first.person("context = 'abc'")
        run = await first.session.ask("What?")
        assert run.reply.startswith("re: "), run
        path = first.executor.history.here()
        before = len(endpoint.requests)
        await replay(path, first.executor, first.session.tree)
        assert await first.person("str(r)") == repr(run.reply)
        assert len(endpoint.requests) == before


async def test_without_fork_everything_goes_by_replay(endpoint):
    async with house(endpoint, checkpoints=False) as first:
        run = await asked(endpoint, first)
        turns = [node for node in first.session.tree.children(run.id) if node.kind == "turn"]
        before = len(endpoint.requests)
        way = way_back(turns[2].entry, first.executor)
        assert (way.start, way.how, way.cells) == (None, "replay", 4)
        seen = []
        await go_back(turns[2].entry, first.executor, first.session.tree, tell=seen.append)
        assert [each.kind for each in seen] == ["cell", "cell", "begin", "cell", "cell"]
        assert await first.person("'child' in dir(), len(list(gen)), len(mine)") == "(False, 4, 1)"
        assert len(endpoint.requests) == before


async def test_only_the_cells_after_the_nearest_state_run_again(endpoint):
    async with house(endpoint) as first:
        entries = []
        for number in range(4):
            await first.person(f"x = {number}")
            entries.append(first.executor.history.current)
        process = first.executor.process
        process._states.parked.drop(entries[2])
        way = await go_back(entries[2], first.executor, Tree())
        assert (way.start, [each.code for each in way.steps]) == (entries[1], ["x = 1"])
        assert await first.person("x") == "1"
        assert await process.restore(entries[3])
        assert await process.park(after(first.executor.history.current))
        for entry in entries[:]:
            process._states.parked.drop(entry)
        way = await go_back(entries[3], first.executor, Tree())
        assert (way.how, await first.person("x")) == ("checkpoint", "2")
        with pytest.raises(InputError, match="not known"):
            way_back("another", first.executor)


PLANTED = {
    "random": ("import random\nhidden = random.random()", "the variable hidden"),
    "time": ("import time\nstamps = {'now': [time.time()]}", "the variable stamps"),
    "uuid": ("import uuid, os\nname = str(uuid.uuid4()); salt = os.urandom(4)", "the variable "),
    "file": ("import pathlib\nlines = pathlib.Path(PATH).read_text().split()", "the variable lines"),
    "address": ("print(id(object()) // 7 % 1_000_003)", "its output"),
    "hash": ("order = list({'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'})", "the variable order"),
    "environment": ("import os\npid = os.getpid()", "the variable pid"),
    "mutated": ("import random\ndef add():\n    bag.append(random.random())\nbag = []\nadd()", "the variable bag"),
}


@pytest.mark.parametrize("kind", PLANTED)
async def test_a_cell_that_does_not_do_the_same_is_found_and_named(endpoint, tmp_path, kind):
    code, what = PLANTED[kind]
    file = tmp_path / "data.txt"
    file.write_text("one two three")
    async with house(endpoint) as first:
        await first.person(f"PATH = {str(file)!r}; steady = [1] * 50")
        await first.person(f"# planted\n{code}")
        await first.person("steady.append(2)")
        history = first.executor.history
        path = history.here()
    file.write_text("one too three")
    async with house(endpoint) as second:
        with pytest.raises(Diverged, match=r"In \[2\] \(# planted\) differs in") as found:
            await replay(path, second.executor, Tree())
        assert found.value.entry == path[1].id
        assert found.value.what.startswith(what)
        assert found.value.then
        assert found.value.now
        assert found.value.then != found.value.now
        every = await replay(path, second.executor, Tree(), anyway=True)
        assert [each.entry for each in every] == [path[1].id]
        assert await second.person("len(steady)") == "51"


async def test_what_is_asked_otherwise_is_found(endpoint, tmp_path):
    endpoint.sub(lambda prompt: f"re: {prompt}")
    file = tmp_path / "asked.txt"
    for text, match in (("a b", "what it asks: it was not there, now it is 'x'"), ("", "what it asks: it was 2 more")):
        file.write_text("a b")
        async with house(endpoint) as first:
            code = f"words = open({str(file)!r}).read().split()\nfor word in words: llm_query(word)\ndel words, word"
            await first.person("word = 1")
            await first.person(code)
            path = first.executor.history.here()
            file.write_text("x" if text else "")
            before = len(endpoint.requests)
            with pytest.raises(Diverged, match=match):
                await replay(path, first.executor, first.session.tree)
            assert len(endpoint.requests) == before


async def test_interrupted_cells_dead_cells_and_input(endpoint):
    async with house(endpoint) as first:
        await first.person("x = 1")
        died = await first.executor.run_person_cell("x = 2; import os; os._exit(1)")
        assert died.status == "died"
        await first.person("y = x")
        path = first.executor.history.here()
        assert [each.code for each in path] == ["x = 1", "y = x"]
        await replay(path, first.executor, Tree())
        assert await first.person("x, y") == "(1, 1)"
        import asyncio

        asyncio.get_running_loop().call_later(0.5, first.executor.interrupt)
        stopped = await first.executor.run_person_cell("while True: pass")
        assert stopped.status == "stopped"
        await first.person("z = 1")
        path = first.executor.history.here()
        with pytest.raises(Diverged, match=r"In \[5\] \(while True: pass\) was interrupted"):
            await replay(path, first.executor, Tree())
        assert len(await replay(path, first.executor, Tree(), anyway=True)) == 1
        assert await first.person("z") == "1"


async def test_keys_of_the_kernel_are_in_no_digest_and_no_entry(endpoint, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret-of-the-kernel")
    monkeypatch.setenv("RLM_SECRET", "rlm-secret-value")
    async with house(endpoint) as first:
        await first.person(
            "import os; env = dict(os.environ); mine = os.environ.get('RLM_SECRET'); environ = os.environ"
        )
        entry = first.executor.history.here()[-1]
        assert "secret" not in str(entry.digest)
        assert entry.digest["mine"].startswith("str of 16 characters #")
        assert "environ" in entry.digest
        assert "rlm-secret" not in str(entry)


async def test_a_replay_can_be_stopped(endpoint):
    import asyncio

    async with house(endpoint) as first:
        await first.person("import time\ntime.sleep(30) if 'again' in globals() else None")
        path = first.executor.history.here()
        await first.person("x = 1")
        work = asyncio.create_task(replay([*path] * 1, first.executor, Tree()))
        await asyncio.sleep(0.3)
        work.cancel()
        await asyncio.wait([work])
        assert await first.person("1") == "1"
