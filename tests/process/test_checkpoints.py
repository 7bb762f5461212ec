"""Earlier states of Python."""

from __future__ import annotations

import asyncio
import os

import pytest

from rlm_kernel.host import parked
from tests.process.conftest import Driver, group_members

pytestmark = pytest.mark.skipif(not parked.FORK_IS_SAFE, reason="checkpoints need Linux")


async def test_any_earlier_state_can_be_restored_again_and_again(ns):
    cells = [(await ns.ok("xs = []; gen = iter('abc')")).reply.entry]
    for number in range(3):
        cells.append((await ns.ok(f"xs.append({number}); next(gen)")).reply.entry)
    assert ns.process.checkpoints == cells
    for _ in range(3):
        assert await ns.process.restore(cells[2])
        assert ns.process.execution_count == 3
        assert ns.process.history.current == cells[1]
        assert set(ns.process.checkpoints) >= set(cells)
        assert await ns.value("xs, next(gen)") == "([0], 'b')"
    assert await ns.process.restore(cells[1])
    assert await ns.value("xs") == "[]"
    assert not ns.process.can_restore("another")
    assert not await ns.process.restore("another")
    assert await ns.value("xs") == "[]"


async def test_a_figure_and_a_lambda_survive(ns):
    pytest.importorskip("matplotlib")
    await ns.ok("import matplotlib.pyplot as plt\nfig, ax = plt.subplots(); ax.plot([1, 2]); k = 3\nf = lambda: k")
    ran = await ns.run("ax.plot([5, 6])\nimport os; os._exit(1)")
    assert ran.reply.restored
    assert await ns.value("len(ax.lines), f()") == "(1, 3)"


async def test_numpy_and_pandas_work_after_a_restore(ns):
    pytest.importorskip("pandas")
    await ns.ok(
        "import numpy as np, pandas as pd\na = np.ones((200, 200)); a @ a\n"
        "df = pd.DataFrame({'k': list('aab'), 'v': [1, 2, 3]})"
    )
    assert ns.process.checkpoint_refusal is None
    ran = await ns.run("df['v'] = 0; a[:] = 0\nimport os; os._exit(1)")
    assert ran.reply.restored, ran.reply.lost
    assert await ns.value("(a @ a)[0, 0].item(), df.groupby('k').v.sum().tolist()") == "(200.0, [3, 3])"


async def test_a_thread_refuses_the_checkpoint_by_name_and_its_end_allows_it(ns):
    await ns.ok(
        "import threading\nstop = threading.Event()\n"
        "t = threading.Thread(target=stop.wait, name='my-thread'); t.start()"
    )
    await ns.ok("1")
    assert ns.process.checkpoint_refusal == "another Python thread is running (my-thread)"
    await ns.ok("stop.set(); t.join()")
    await ns.ok("1")
    assert ns.process.checkpoint_refusal is None
    await ns.ok("import _thread, time\n_thread.start_new_thread(lambda: time.sleep(30), ()); time.sleep(.1)")
    await ns.ok("1")
    assert ns.process.checkpoint_refusal == "another Python thread is running"


async def test_a_library_with_its_own_threads_refuses_by_name(ns, tmp_path):
    (tmp_path / "polars.py").write_text("x = 1\n")
    await ns.ok(f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import polars")
    await ns.ok("1")
    assert ns.process.checkpoint_refusal == "polars is loaded, and its threads do not survive a fork"


async def test_bash_and_tqdm_leave_no_thread_behind(ns):
    pytest.importorskip("tqdm")
    await ns.ok("%%bash\necho hi")
    await ns.ok("from tqdm import tqdm\nfor i in tqdm(range(3)): pass")
    await ns.ok("1")
    assert ns.process.checkpoint_refusal is None
    ran = await ns.run("import os; os._exit(1)")
    assert ran.reply.restored
    assert (await ns.ok("%%bash\necho again")).text == "again\n"


async def test_asyncio_goes_on_after_a_restore(ns):
    await ns.ok(
        "import asyncio\nseen = []\n"
        "async def tick():\n    while True:\n        seen.append(1); await asyncio.sleep(.02)\n"
        "t = asyncio.create_task(tick())"
    )
    ran = await ns.run("import os; os._exit(1)")
    assert ran.reply.restored
    before = int(await ns.value("len(seen)"))
    await asyncio.sleep(0.3)
    assert int(await ns.value("len(seen)")) > before
    assert await ns.value("await asyncio.to_thread(lambda: 5)") == "5"


async def test_many_cells_keep_processes_and_files_bounded(ns, monkeypatch):
    monkeypatch.setattr(parked, "KEEP", 8)
    group = ns.process.pid
    files = len(os.listdir("/proc/self/fd"))
    for number in range(30):
        await ns.ok(f"x = {number}")
    assert ns.process.checkpoints == [each.id for each in ns.process.history.entries()[-8:]]
    await ns.until(lambda: len(group_members(group)) <= 3 + 8)  # the namespace, its nursery and its first state
    assert len(os.listdir("/proc/self/fd")) <= files + 8
    assert int(await ns.value("import os; len(os.listdir('/proc/self/fd'))")) < 30
    for _ in range(5):
        assert (await ns.run("import os; os._exit(1)")).reply.restored
    await ns.until(lambda: len(group_members(group)) <= 4 + 8)
    assert len(os.listdir("/proc/self/fd")) <= files + 10


async def test_old_checkpoints_go_when_memory_is_short(ns, monkeypatch):
    cells = [(await ns.ok("1")).reply.entry for _ in range(4)]
    assert await ns.process.restore(cells[0])  # it is pinned now
    monkeypatch.setattr(parked, "SPARE_MEMORY", 1 << 60)
    cells.append((await ns.ok("1")).reply.entry)
    assert ns.process.checkpoints == [cells[0], *cells[3:]]
    assert (await ns.process.states())["states"] == 3


async def test_what_a_large_namespace_costs(ns):
    """A state of 100 MB is parked and restored; how long it takes is measured in benchmarks/restore.py."""
    await ns.ok("text = 'é' * 50_000_000; xs = list(range(200_000))")
    await ns.ok("1")
    assert ns.process.checkpoint_refusal is None
    ran = await ns.run("text = ''; xs.clear()\nimport os; os._exit(1)")
    assert ran.reply.restored
    assert await ns.value("len(text), len(xs)") == "(50000000, 200000)"


async def test_two_namespaces_do_not_meet():
    one, two = Driver(), Driver()
    await asyncio.gather(one.process.start(), two.process.start())
    try:
        await asyncio.gather(one.ok("x = 1"), two.ok("x = 2"))
        assert (await one.run("import os; os._exit(1)")).reply.restored
        assert (await one.value("x"), await two.value("x")) == ("1", "2")
        await one.process.close()
        assert await two.value("x") == "2"
    finally:
        await two.process.close()
