"""The SQLite file: readable by any tool, whole after anything, shared by processes."""

from __future__ import annotations

import json
import re
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import sqlite_utils

from tests.optional import of_unix
from toolkit.base import errors
from toolkit.columns.column import Column
from toolkit.profiles.table import ProfileTable
from toolkit.store import file as store, log, parquet as bulk, rows as stored
from toolkit.store.pending import next_to
from toolkit.updates import by_message as batch_module
from toolkit.updates.state import State


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "shop.db"


def run(code: str, *arguments: object, check: bool = True) -> str:
    """Run code in a process of its own; return what it printed."""
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert not check or done.returncode == 0, done.stderr
    return done.stdout


def test_any_tool_can_read_the_file(path: Path) -> None:
    with ProfileTable(path) as profiles:
        profiles.set("1", {"plan": "pro", "n": None}, time="2026-01-01")
        profiles.groups("company").set("acme", {"seats": 3}, ignore_time=True)
        profiles.apply([{"$distinct_id": "1", "$add": {"k": 1}}], source="a test")
    database = sqlite_utils.Database(path)
    [row] = database.query("SELECT * FROM profiles")
    assert row["distinct_id"] == "1"
    assert json.loads(row["properties"]) == {"plan": "pro", "n": None, "k": 1}
    assert row["last_seen"] > "2026-01-01T00:00:00Z"
    [group] = database.query("SELECT * FROM group_profiles")
    assert group == {
        **{"group_key": "company", "group_id": "acme"},
        **{"properties": '{"seats":3}', "last_seen": None},
    }
    sources = [row["source"] for row in database.query("SELECT source FROM batches ORDER BY id")]
    assert sources == ["set", "set", "a test"]
    updates = list(database.query("SELECT batch_id, distinct_id, message FROM updates ORDER BY id"))
    assert [row["batch_id"] for row in updates] == [1, 2, 3]
    assert json.loads(updates[0]["message"])["$set"] == {"plan": "pro", "n": None}
    database.close()


def replayed(profiles: ProfileTable) -> State:
    """The state that the log alone leads to."""
    from toolkit.updates.by_message import plan

    state = State()
    kept = profiles._engine.log
    for batch in kept.batches():
        for updates in kept.updates(batch.id):
            state.install(plan(state, updates, batch.time).change)
    return state


@pytest.mark.parametrize("on_disk", [False, True])
def test_the_log_leads_to_the_state(
    path: Path, on_disk: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "_MESSAGES_AS_ROWS", 5)  # so that larger batches go to Parquet
    monkeypatch.setattr(log, "_AS_MESSAGES_AT_MOST", 0)
    monkeypatch.setattr(bulk, "ROWS", 4)
    columns = {
        "n": Column.of([1, 2**70, None]),
        "t": Column.of(["x", "y", "z"]),
        "mixed": Column.of([[1], {"a": None}, "x"]),
    }
    with ProfileTable(path if on_disk else None) as profiles:
        profiles.set("1", {"n": "text"}, time=1_700_000_000)
        ids = pa.array(["1", "2", "ü"], pa.large_string())
        profiles.set_columns(ids, columns, source="columns", seen=1_750_000_000_000_000)
        profiles.apply([{"$distinct_id": i % 4, "$append": {"l": i}} for i in range(20)])
        profiles.apply([{"$distinct_id": "2", "$delete": ""}, {"$distinct_id": 2, "$set": {}}])
        profiles.add("1", {"n": 5})
        left, right = profiles.snapshot(), replayed(profiles).snapshot()
        assert list(left) == list(right)
        assert left.rows(np.arange(len(left))) == right.rows(np.arange(len(right)))
        assert left.last_seen.tolist() == right.last_seen.tolist()


def test_what_was_written_in_one_process_is_read_in_another(path: Path) -> None:
    write = "import sys, toolkit as tk; tk.ProfileTable(sys.argv[1]).set('2', {'a': [1]})"
    with ProfileTable(path) as profiles:
        profiles.set("1", {"a": 1})
        for loaded in (False, True):
            if loaded:
                profiles.snapshot()
            run(write, path)
            assert profiles["2"] == {"a": [1]}
            assert list(profiles) == list(profiles.frame.index) == ["1", "2"]
            run("import sys, toolkit as tk; tk.ProfileTable(sys.argv[1]).delete('2')", path)
            assert "2" not in profiles
            assert list(profiles.frame.index) == ["1"]


def test_a_batch_too_large_to_list_is_read_again(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log, "_AS_MESSAGES_AT_MOST", 0)
    monkeypatch.setattr(store, "_MESSAGES_AS_ROWS", 5)
    with ProfileTable(path) as here, ProfileTable(path) as there:
        here.set("x", {"a": 1})
        assert list(here.frame.index) == ["x"]
        there.apply([{"$distinct_id": i, "$set": {"n": i}} for i in range(10)])
        assert here.frame["n"].dropna().tolist() == list(range(10))
        there.set_columns(
            pa.array(["x"], pa.large_string()), {"a": Column.of([5])}, source="columns"
        )
        assert here["x"] == {"a": 5}


def test_no_update_of_two_processes_is_lost(path: Path) -> None:
    code = """
import sys, toolkit as tk
with tk.ProfileTable(sys.argv[1]) as profiles:
    for i in range(60):
        profiles.add("counter", {"n": 1})
        profiles.append("list", {sys.argv[2]: i})
"""
    ProfileTable(path).close()
    threads = [threading.Thread(target=run, args=(code, path, name)) for name in ("a", "b", "c")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with ProfileTable(path) as profiles:
        assert profiles["counter"] == {"n": 180}
        assert profiles["list"] == {name: list(range(60)) for name in ("a", "b", "c")}


def test_no_update_of_two_threads_is_lost(path: Path) -> None:
    with ProfileTable(path) as profiles:

        def count() -> None:
            for _ in range(100):
                profiles.add("counter", {"n": 1})

        threads = [threading.Thread(target=count) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert profiles["counter"] == {"n": 400}


def test_a_writer_that_waits_too_long_says_so_and_changes_nothing(path: Path) -> None:
    with ProfileTable(path, timeout=0.2) as profiles:
        profiles.set("1", {"a": 1})
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(errors.StoreBusyError, match=r"more than 0\.2 seconds"):
            profiles.set("1", {"a": 2})
        assert profiles["1"] == {"a": 1}  # readers do not wait
        other.execute("ROLLBACK")
        other.close()
        profiles.set("1", {"a": 3})
        assert profiles["1"] == {"a": 3}


@pytest.mark.parametrize("loaded", [False, True])
@pytest.mark.parametrize("way", ["rows", "columns"])
def test_a_failed_batch_leaves_nothing_behind(
    path: Path, loaded: bool, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if way == "columns":
        monkeypatch.setattr(batch_module, "ROWS_AT_MOST", -1)
    with ProfileTable(path) as profiles:
        profiles.set("1", {"a": 1})
        if loaded:
            profiles.snapshot()
        write = stored.StoredProfiles.write

        def fail(*arguments: Any) -> None:
            write(*arguments)
            raise KeyboardInterrupt

        messages = [
            {"$distinct_id": "1", "$delete": ""},
            {"$distinct_id": "1", "$set": {"a": 2, "b": 1}},
            {"$distinct_id": "2", "$set": {"a": 2}},
        ]
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(stored.StoredProfiles, "write", fail)
            profiles.apply(messages)
        assert profiles["1"] == {"a": 1}
        assert list(profiles.frame.columns) == ["a", "$last_seen"]
        assert len(profiles) == len(profiles.batches) == 1
        profiles.apply(messages)
        assert profiles["1"] == {"a": 2, "b": 1}
    with ProfileTable(path) as reopened:
        assert list(reopened) == ["1", "2"]


def test_killed_in_the_middle_of_a_batch_nothing_of_it_is_there(path: Path) -> None:
    with ProfileTable(path) as profiles:
        profiles.set("1", {"a": 1})
    code = """
import os, signal, sys
import toolkit as tk
from toolkit.store import rows as stored
write = stored.StoredProfiles._upsert
def killed(self, rows):
    write(self, rows)
    os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))
stored.StoredProfiles._upsert = killed
tk.ProfileTable(sys.argv[1]).set("1", {"a": 2})
"""
    run(code, path, check=False)
    with ProfileTable(path) as profiles:
        assert profiles["1"] == {"a": 1}
        assert len(profiles.batches) == 1
        assert profiles._engine.store is not None
        assert profiles._engine.store._pragma("integrity_check") == "ok"


def test_writing_most_of_a_table_keeps_order_and_content(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stored, "_INDEX_LATER_FROM", 3)
    monkeypatch.setattr(stored, "_CHECKPOINT_FROM", 3)
    monkeypatch.setattr(bulk, "ROWS", 3)
    monkeypatch.setattr(stored, "_CHUNK", 2)
    ids = pa.array([str(n) for n in range(7)], pa.large_string())
    with ProfileTable(path) as profiles:
        profiles.groups("company").set("acme", {})
        profiles.set("5", {"kept": [1]})
        for shift in range(2):
            cells = Column.of([n + shift for n in range(7)])
            profiles.set_columns(ids, {"n": cells}, source="columns")
        expected = {key: profiles[key] for key in profiles}
    with ProfileTable(path) as reopened:
        assert list(reopened) == ["5", "0", "1", "2", "3", "4", "6"]
        assert {key: reopened[key] for key in reopened} == expected
        assert reopened["5"] == {"kept": [1], "n": 6}
        assert list(reopened.groups("company")) == ["acme"]
        reopened.set("5", {"n": 0})  # the index is there again
        reopened.set("8", {"new": "x"})
        assert len(reopened) == 8
    with ProfileTable(path) as again:  # from the checkpoint and what changed since
        assert again.frame["n"].tolist()[:-1] == [0, 1, 2, 3, 4, 5, 7]
        assert list(again.frame.index)[-1] == "8"
        assert again.frame.loc["8", "new"] == "x"
        again.delete("0")  # a list of changed profiles no longer tells enough
    with ProfileTable(path) as again:
        assert list(again.frame.index) == ["5", "1", "2", "3", "4", "6", "8"]


def test_a_file_of_something_else_is_left_alone(tmp_path: Path) -> None:
    noise = tmp_path / "noise.db"
    noise.write_bytes(b"not a database " * 100)
    foreign = tmp_path / "foreign.db"
    with closing(sqlite3.connect(foreign)) as connection, connection:
        connection.execute("CREATE TABLE profiles (x)")
    connection.close()
    before = foreign.read_bytes()
    refused = ((noise, "not a database"), (foreign, "something else"), (tmp_path, "is a folder"))
    for path, text in refused:
        with pytest.raises(errors.StoreError, match=text):
            ProfileTable(path)
    assert foreign.read_bytes() == before
    assert noise.read_bytes() == b"not a database " * 100


def test_a_file_of_a_later_layout_is_refused(path: Path) -> None:
    ProfileTable(path).close()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(errors.StoreError, match="layout 99"):
        ProfileTable(path)


def test_a_closed_table_says_so(path: Path) -> None:
    profiles = ProfileTable(path)
    profiles.set("1", {})
    profiles.close()
    profiles.close()
    for ask in (lambda: profiles.set("1", {}), lambda: profiles["1"], lambda: len(profiles)):
        with pytest.raises(errors.StoreError, match="was closed; open it again"):
            ask()


@of_unix("signals that a program sends itself")
def test_an_interrupt_while_waiting_for_the_lock_leaves_the_table_usable(path: Path) -> None:
    code = """
import os, signal, sqlite3, sys, threading, time
import toolkit as tk
signal.signal(signal.SIGINT, signal.default_int_handler)  # in the background it is ignored
profiles = tk.ProfileTable(sys.argv[1])
profiles.set("0", {})
other = sqlite3.connect(sys.argv[1], isolation_level=None, check_same_thread=False)
other.execute("BEGIN IMMEDIATE")
def interrupt():
    time.sleep(0.3)
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(0.3)
    other.execute("COMMIT")
threading.Thread(target=interrupt).start()
try:
    profiles.set("1", {})
except KeyboardInterrupt:
    print("interrupted")
profiles.set("2", {})
tk.ProfileTable(sys.argv[1], timeout=1).set("3", {})
print(sorted(profiles))
"""
    printed = run(code, path)
    assert "interrupted" in printed
    assert "['0', '2', '3']" in printed


@of_unix("forks")
def test_a_fork_is_told_to_open_the_file_again(path: Path) -> None:
    code = """
import os, sys
import toolkit as tk
profiles = tk.ProfileTable(sys.argv[1])
if os.fork() == 0:
    try:
        profiles.set("child", {})
    except tk.ToolkitError as error:
        print(error, flush=True)
    os._exit(0)
os.wait()
profiles.set("parent", {})
print(sorted(profiles))
"""
    printed = run(code, path)
    assert "Open it again in this process" in printed
    assert "['parent']" in printed


@of_unix("files that can be deleted while they are open")
def test_a_file_deleted_or_replaced_while_open_is_noticed(path: Path, tmp_path: Path) -> None:
    for replace in (False, True):
        profiles = ProfileTable(path)
        profiles.set("1", {})
        for suffix in ("", "-wal", "-shm"):
            next_to(path, suffix).rename(tmp_path / f"moved-{replace}.db{suffix}")
        if replace:
            ProfileTable(path).close()
        with pytest.raises(errors.StoreError, match="deleted or replaced"):
            profiles.set("2", {})
        profiles.close()


def test_a_path_that_looks_like_an_address_is_a_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with ProfileTable("file:a b?mode=memory") as profiles:
        profiles.set("1", {"a": 1})
    assert (tmp_path / "file:a b?mode=memory").exists()
    with ProfileTable("file:a b?mode=memory") as profiles:
        assert profiles["1"] == {"a": 1}


def test_MSG_3_a_group_key_that_is_no_text_rejects_one_message(path: Path) -> None:
    messages = [
        {"$distinct_id": "1", "$set": {"a": 1}},
        {"$group_key": "\ud800", "$group_id": "x", "$set": {}},
    ]
    for profiles in (ProfileTable(path), ProfileTable()):
        result = profiles.apply(messages)
        assert (result.applied, len(result.rejected)) == (1, 1)
        with pytest.raises(errors.InvalidValueError):
            profiles.groups("\ud800")
        profiles.close()


def test_a_deletion_elsewhere_is_followed_row_by_row(path: Path) -> None:
    with ProfileTable(path) as here, ProfileTable(path) as there:
        there.apply([{"$distinct_id": n, "$set": {"n": n}} for n in range(5)])
        assert list(here.frame.index) == ["0", "1", "2", "3", "4"]
        there.delete("1")
        there.apply([{"$distinct_id": "3", "$delete": ""}, {"$distinct_id": "3", "$set": {}}])
        there.set("new", {})
        there.delete("new")
        assert list(here.frame.index) == list(here) == ["0", "2", "4", "3"]
        assert here["3"] == {}
        assert len(here) == 4


def test_the_project_token_is_kept_in_the_log(path: Path) -> None:
    with ProfileTable(path) as profiles:
        profiles.apply([{"$distinct_id": "1", "$token": "abc", "$set": {"a": 1}}])
        [updates] = profiles._engine.log.updates(1)
    assert [message.token for _, message in updates] == ["abc"]  # type: ignore[union-attr]


def test_a_backup_that_is_restored_while_a_table_is_open_is_read_anew(path: Path) -> None:
    with (
        ProfileTable(path) as profiles,
        closing(sqlite3.connect(path)) as file,
        closing(sqlite3.connect(":memory:")) as backup,
    ):
        profiles.set("1", {"n": 1})
        file.backup(backup)
        profiles.set("1", {"n": 2})
        profiles.set("2", {"n": 3})
        assert len(profiles.frame) == 2
        backup.backup(file)
        assert {key: profiles[key] for key in profiles} == {"1": {"n": 1}}
        profiles.add("1", {"n": 10})
        assert profiles["1"] == {"n": 11}
        assert profiles.check().problems == ()


def test_statements_have_no_numbered_parameters() -> None:
    """Python 3.12 warns of ``?1`` with a sequence, and 3.14 refuses it."""
    room = Path(store.__file__).parent
    numbered = re.compile(r"[=<>( ]\?\d")
    texts = {path.name: path.read_text() for path in room.rglob("*.py")}
    assert "rows.py" in texts
    assert [name for name, text in texts.items() if numbered.search(text)] == []
