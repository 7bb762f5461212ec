"""What a store's file may meet: another version, damage, a place that cannot be used, a disk that is full."""

from __future__ import annotations

import asyncio
import os
import resource
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

from rlm_kernel.errors import StoreError
from rlm_kernel.trace import schema
from rlm_kernel.trace.place import file_system, is_local, store_path
from rlm_kernel.trace.store import Store
from rlm_kernel.trace.upkeep import damages, open_rows, set_aside
from tests.unit.storing import below, family, key, question, reply, request

HERE = Path(__file__).parent
VERSION_1 = HERE / "data" / "store-1.sql"


@contextmanager
def mounted(folder, options):
    """A small disk of its own; only root can have one."""
    folder.mkdir(exist_ok=True)
    mount = shutil.which("mount")
    done = mount and subprocess.run([mount, "-t", "tmpfs", "-o", options, "tmpfs", folder], capture_output=True)
    if not done or done.returncode:
        pytest.skip("a disk of its own cannot be mounted here (needs root)")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def remount(folder, options):
    subprocess.run(["mount", "-o", f"remount,{options}", folder], check=True)


def fill(path, size=1_000):
    with closing(Store.open(path)) as store:
        nodes = list(family(2, 20, size))
        store.add_run(nodes[0])
        for node in nodes[1:]:
            store.put(node)
        store.keep(key(1), request(), reply("kept " * 300))
        assert store.flush_now()
    return nodes[0].run_id


def test_the_file_and_its_folder_are_for_the_user_alone(own_store):
    with closing(Store.open()):
        assert own_store.stat().st_mode & 0o777 == 0o600
        assert own_store.parent.stat().st_mode & 0o777 == 0o700
        assert own_store.with_name("runs.sqlite3.live").stat().st_mode & 0o777 == 0o700


def test_where_the_store_lies(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    assert tmp_path in store_path({}).parents
    assert store_path({"RLM_STORE": "~/a/b.sqlite3"}) == tmp_path / "a" / "b.sqlite3"
    assert store_path({"RLM_STORE": " Off "}) is None


def test_the_kind_of_disk_is_read_from_the_mounts(tmp_path):
    mounts = tmp_path / "mountinfo"
    mounts.write_text(
        "1 0 8:1 / / rw - ext4 /dev/sda rw\n"
        f"2 1 0:4 / {tmp_path}/net\\040work rw,relatime shared:1 - nfs4 server:/x rw\n"
        f"3 1 0:5 / {tmp_path}/net\\040work/tmp rw - tmpfs tmpfs rw\n"
        "short line\n"
    )
    assert file_system(tmp_path, mounts) == "ext4"
    assert file_system(tmp_path / "net work" / "home", mounts) == "nfs4"
    assert is_local(tmp_path / "net work" / "tmp" / "x", mounts)
    assert not is_local(tmp_path / "net work", mounts)
    assert not is_local(tmp_path, tmp_path / "none")


@pytest.mark.parametrize(
    ("library", "local", "mode"),
    [((3, 51, 2), True, "truncate"), ((3, 51, 3), True, "wal"), ((3, 52, 0), False, "truncate")],
)
def test_wal_only_on_a_local_disk_with_a_library_that_can(own_store, monkeypatch, library, local, mode):
    monkeypatch.setattr(schema.sqlite3, "sqlite_version_info", library)
    monkeypatch.setattr(schema, "is_local", lambda _: local)
    run_id = fill(own_store)
    with closing(schema.connect(own_store)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone()[0] == mode
        assert connection.execute("PRAGMA synchronous").fetchone()[0] == 2
    monkeypatch.undo()
    with closing(Store.open(own_store)) as store:  # another library takes it as it is
        assert len(store.tree(run_id)) == 43


def test_a_store_of_version_1_is_brought_up_to_date(own_store):
    own_store.parent.mkdir()
    with closing(sqlite3.connect(own_store)) as connection:
        connection.executescript(VERSION_1.read_text("utf-8"))
    with closing(Store.open()) as store:
        (run,) = store.runs()
        assert (run.label, run.outcome, run.nodes, run.live, run.details) == ("Who won?", "answered", 3, False, {})
        texts = [(node.prompt, node.reply, node.attempts) for node in store.tree(run.id)]
        assert texts == [("Who won, and why?", "The whale.", ()), ("", "So.", ()), ("Part 1?", "Nothing.", ())]
        assert store.find(key(1)).text == "Nothing."
        store.add_run(question(), "new.ipynb")
        assert store.flush_now()
    with closing(sqlite3.connect(own_store)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone()[0] == schema.VERSION
    assert damages(own_store) == []


def test_a_store_of_a_newer_version_is_left_alone(own_store):
    fill(own_store)
    with closing(sqlite3.connect(own_store)) as connection:
        connection.execute(f"PRAGMA user_version = {schema.VERSION + 1}")
    before = own_store.read_bytes()
    with pytest.raises(StoreError, match=f"newer rlm-kernel .format {schema.VERSION + 1}") as caught:
        Store.open()
    assert "Update" in caught.value.remedy
    with pytest.raises(StoreError, match="newer"):
        open_rows(own_store)
    assert own_store.read_bytes() == before


def test_a_database_of_another_program_is_left_alone(own_store):
    own_store.parent.mkdir()
    with closing(sqlite3.connect(own_store)) as connection:
        connection.execute("CREATE TABLE bookmarks (url)")
    before = own_store.read_bytes()
    with pytest.raises(StoreError, match="another program"):
        Store.open()
    assert own_store.read_bytes() == before


def test_a_file_that_is_no_store_is_left_alone_until_someone_says_so(own_store):
    own_store.parent.mkdir()
    own_store.write_text("Dear diary, " * 1_000)
    with pytest.raises(StoreError, match="damaged or is no store") as caught:
        Store.open()
    assert "--set-aside" in caught.value.remedy
    assert own_store.read_text().startswith("Dear diary")
    assert damages(own_store) == ["file is not a database"]
    aside = set_aside(own_store)
    assert aside.read_text().startswith("Dear diary")
    assert fill(own_store)


def test_damage_inside_is_told_and_nothing_wrong_is_given(own_store):
    run_id = fill(own_store, 60_000)
    content = bytearray(own_store.read_bytes())
    for place in range(8_192, len(content) - 4_096, 4_096):
        content[place : place + 400] = os.urandom(400)
    own_store.write_bytes(content)
    assert damages(own_store) != []
    told = []
    with closing(Store.open()) as store:
        store.on_problem(told.append)
        assert store.find(key(1)) is None
        with pytest.raises(StoreError, match="damaged"):
            store.tree(run_id)
        for number in range(50):
            store.add_run(question(label=str(number)))
            store.keep(key(number), request(), reply(f"{number}"))
            if not store.flush_now():
                break
        assert store.problem is not None
        assert [problem.message for problem in told] == [store.problem.message]
        store.keep(key(99), request(), reply("of this process"))
        assert store.find(key(99)).text == "of this process"
        with pytest.raises(StoreError, match="kernel uses"):
            set_aside(own_store)
    set_aside(own_store)


def test_a_text_that_has_changed_is_not_given_for_a_reply(own_store):
    fill(own_store)
    with closing(sqlite3.connect(own_store)) as connection, connection:
        connection.execute("UPDATE blobs SET codec = 0, data = x'77686f' WHERE hash = (SELECT text FROM memo)")
    with closing(Store.open()) as store:
        assert store.find(key(1)) is None
    assert damages(own_store) == ["1 text cannot be read"]


def test_a_place_that_cannot_be_is_told(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreError, match="a file where its folder should be") as caught:
        Store.open(tmp_path / "file" / "runs.sqlite3")
    assert "RLM_STORE" in caught.value.remedy
    with pytest.raises(StoreError, match="cannot be"):
        Store.open(tmp_path)


def test_a_read_only_disk_is_told_and_can_be_looked_at(tmp_path):
    with mounted(tmp_path / "disk", "size=4m") as disk:
        with pytest.raises(StoreError):
            open_rows(disk / "runs.sqlite3")
        run_id = fill(disk / "runs.sqlite3")
        remount(disk, "ro")
        with pytest.raises(StoreError, match="cannot be written"):
            Store.open(disk / "runs.sqlite3")
        with pytest.raises(StoreError, match="Read-only file system"):
            Store.open(disk / "new" / "runs.sqlite3")
        rows, connection = open_rows(disk / "runs.sqlite3")
        with closing(connection):
            assert len(rows.tree(run_id)) == 43
        assert damages(disk / "runs.sqlite3") == []


async def test_a_full_disk_is_told_once_and_what_was_acknowledged_stays(tmp_path):
    with mounted(tmp_path / "disk", "size=1m") as disk:
        path = disk / "runs.sqlite3"
        store, told, said = Store.open(path), [], []
        store.on_problem(lambda problem: told.append((problem.message, asyncio.get_running_loop())))
        run = question()
        store.add_run(run)
        for number in range(500):
            call = below(run, "call", number, prompt=os.urandom(5_000).hex())
            store.put(call)
            store.keep(key(number), request(), reply(f"reply {number}"))
            if not await store.flush():
                break
            said.append(call.id)
        store.keep(key(1_000), request(), reply("after it was full"))
        assert store.find(key(1_000)).text == "after it was full"
        assert store.find(key(3)).text == "reply 3"
        await asyncio.sleep(0.05)
        assert [loop for _, loop in told] == [asyncio.get_running_loop()]
        assert told[0][0].startswith("The disk is full")
        assert not await store.flush()
        store.close()
        with suppress(StoreError), closing(Store.open(path)) as store:
            store.put(below(run, "call", 1_000, prompt=os.urandom(100_000).hex()))
            assert not store.flush_now()
        remount(disk, "size=8m")
        assert damages(path) == []
        with closing(Store.open(path)) as store:
            assert len(said) > 10
            assert set(said) <= {node.id for node in store.tree(run.run_id)}
            # What the store could not take any more, the spool has.
            assert [store.find(key(number)).text for number in range(len(said) + 1)][-1] == f"reply {len(said)}"


LIMITED = """
import resource, signal
from tests.unit.storing import below, question
from rlm_kernel.trace.store import Store

store = Store.open()
store.on_problem(lambda problem: print(problem, flush=True))
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
run = question()
store.add_run(run)
for number in range(100):
    store.put(below(run, "call", number, prompt="".join(chr(0x4e00 + number * 97 + each) for each in range(4_000))))
    if not store.flush_now():
        break
print(number)
"""


def test_a_quota_is_told_and_the_program_goes_on(own_store):
    environ = os.environ | {"PYTHONPATH": os.pathsep.join([str(HERE), str(HERE.parents[1])])}
    done = subprocess.run([sys.executable, "-c", LIMITED], env=environ, capture_output=True, text=True, timeout=60)
    told, number = done.stdout.splitlines()
    assert f"The store {own_store} cannot be used" in told
    assert 1 < int(number) < 99
    assert (done.stderr, done.returncode) == ("", 0)
    assert damages(own_store) == []
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 200_000


def test_a_file_that_is_taken_away_is_noticed(own_store):
    with closing(Store.open()) as store:
        store.add_run(question())
        assert store.flush_now()
        own_store.unlink()
        store.add_run(question())
        assert not store.flush_now()
        assert "cannot be used" in store.problem.message


def test_a_store_held_by_another_process_is_told(own_store, monkeypatch):
    fill(own_store)
    monkeypatch.setattr(schema, "BUSY_SECONDS", 0.05)
    with closing(sqlite3.connect(own_store, isolation_level=None)) as holder:
        holder.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StoreError, match="held by another process"):
            Store.open()
    with closing(Store.open()) as store:
        assert len(store.runs()) == 1


def test_what_cannot_be_read_or_written_for_a_while_is_not_lost(own_store, monkeypatch):
    fill(own_store)
    monkeypatch.setattr("rlm_kernel.trace.store.READ_SECONDS", 0.05)
    with closing(Store.open()) as store, closing(sqlite3.connect(own_store, isolation_level=None)) as holder:
        holder.execute("BEGIN EXCLUSIVE")
        run = question()
        store.add_run(run)
        assert store.find(key(1)) is None
        assert not store.flush_now(0.2)
        with pytest.raises(StoreError, match="held by another process"):
            store.runs()
        assert store.problem is None
        holder.execute("COMMIT")
        assert store.flush_now()
        assert store.runs()[0].id == run.id
        assert store.find(key(1)) is not None
