"""A store that cannot lose data: killed, interrupted, out of room, damaged, or out of time."""

from __future__ import annotations

import multiprocessing
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any
from unittest import mock

import pandas as pd
import pytest

import toolkit as tk
from tests import killed
from tests.optional import of_unix
from tests.test_table_reference import exactly
from toolkit.base import errors, times
from toolkit.profiles.table import ProfileTable
from toolkit.store import log, undo

#: More of everything random, for `make test-all`.
LONGER = 8 if os.environ.get("LONGER_TESTS") else 1
TOOLKIT = str(Path(tk.__file__).parent)

Content = list[tuple[str, str]]


def content(profiles: ProfileTable) -> Content:
    """The profiles in their order, exactly; not when, for that is the clock's."""
    return [(key, exactly(profiles[key])) for key in profiles]


def run(code: str, *arguments: object) -> str:
    """Run code in a process of its own; return what it printed."""
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


# Killed


class Twin:
    """What the work of one kind leads to after each batch, found out in memory."""

    def __init__(self, kind: str) -> None:
        self._steps = killed.steps(kind)
        self._profiles = ProfileTable()
        self._after: list[Content] = [[]]

    def after(self, batch_id: int) -> Content:
        while len(self._after) <= batch_id:
            step = next(self._steps)
            if step is not killed._compact and step(self._profiles) is not None:
                self._after.append(content(self._profiles))
        return self._after[batch_id]


@pytest.mark.skipif(
    "forkserver" not in multiprocessing.get_all_start_methods(), reason="no fork server here"
)
def test_killed_at_random_moments_exactly_what_was_acknowledged_is_there(tmp_path: Path) -> None:
    chance = random.Random(11)
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload(["tests.killed"])
    twins = {kind: Twin(kind) for kind in killed.KINDS}
    under_way = 0
    for attempt in range(44 * LONGER):
        kind = killed.KINDS[attempt % len(killed.KINDS)]
        path = tmp_path / f"{attempt}.db"
        hears, tells = processes.Pipe(duplex=False)
        child = processes.Process(target=killed.work, args=(path, kind, tells))
        child.start()
        tells.close()
        acknowledged = hears.recv()
        time.sleep(chance.uniform(0, 0.12))
        child.kill()
        try:
            while True:
                acknowledged = hears.recv()
        except (EOFError, OSError):  # the last one may be cut
            hears.close()
        child.join()
        with ProfileTable(path) as profiles:
            assert profiles.check().problems == ()
            last = int(profiles.batches.index[-1])
            assert acknowledged <= last <= acknowledged + 1
            assert content(profiles) == twins[kind].after(last)
            under_way += last - acknowledged
            profiles.set("afterwards", {"n": 1})
    assert under_way < 44 * LONGER


# Interrupted


#: A notebook keeps the last error, and with it all that its frames hold.
LAST_ERROR: list[BaseException] = []


def interrupted(work: Callable[[], object], at: int) -> bool:
    """Whether Ctrl-C, at the *at*-th line of the toolkit that runs, came before the end."""
    left = at

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal left
        if event == "call":
            name = frame.f_code.co_filename
            if frame.f_code.co_name == "_on_ragged_row":
                return None  # Arrow takes what is raised there for an error of the file
            return trace if name.startswith(TOOLKIT) or name.endswith("contextlib.py") else None
        if event == "line":
            left -= 1
            if left == 0:
                raise KeyboardInterrupt
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    except KeyboardInterrupt as error:
        LAST_ERROR[:] = [error]
        return True
    finally:
        sys.settrace(before)
    # It may also have been swallowed where Python can only report: in a destructor.
    return left <= 0


MESSAGES = [
    {"$distinct_id": "1", "$delete": ""},
    {"$distinct_id": "1", "$set": {"a": 2, "b": [1]}},
    {"$distinct_id": "2", "$append": {"l": 1}},
    {"$group_key": "company", "$group_id": "acme", "$set": {"n": 1}},
]
OPERATIONS: dict[str, Callable[[ProfileTable], object]] = {
    "apply": lambda profiles: profiles.apply(MESSAGES),
    "import": lambda profiles: tk.import_csv(
        profiles, b"distinct_id,a\n1,5\n7,6\n", {0: "$distinct_id", 1: "a"}, progress=False
    ),
    "edit": lambda profiles: profiles.edit("1", {"a": 9, "b": 1}, expected={"a": 2}),
    "set a frame": lambda profiles: profiles.set(
        pd.DataFrame({"distinct_id": ["1", "7"], "a": [None, 6], "b": [5, 6]}), missing="unset"
    ),
    "undo": lambda profiles: profiles.undo(2),
    "undo in columns": lambda profiles: profiles.undo(2),
    "compact": lambda profiles: profiles.compact(keep=1),
    "read": lambda profiles: (profiles.frame, profiles.history("1"), profiles["1"]),
}


def small_shop(path: Path | None) -> ProfileTable:
    profiles = ProfileTable(path)
    profiles.apply([{"$distinct_id": n, "$set": {"a": n}} for n in range(3)])
    profiles.apply([{"$distinct_id": "1", "$add": {"a": 1}}, {"$distinct_id": "new", "$set": {}}])
    profiles.groups("company").set("acme", {"n": 0})
    return profiles


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("place", ["memory", "file", "file, loaded"])
@pytest.mark.parametrize("name", OPERATIONS)
def test_an_interrupt_at_any_line_leaves_the_table_whole(
    name: str, place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if name == "undo in columns":
        for module in (undo, log):
            monkeypatch.setattr(module, "_AS_MESSAGES_AT_MOST", 0)
    path = None if place == "memory" else tmp_path / "shop.db"
    small_shop(tmp_path / "whole.db").close()

    def fresh() -> ProfileTable:
        if path is None:
            return small_shop(None)
        shutil.copy(tmp_path / "whole.db", path)
        profiles = ProfileTable(path)
        if place == "file, loaded":
            profiles.snapshot()
        return profiles

    def everything(profiles: ProfileTable) -> tuple[Content, Content, int]:
        companies = profiles.groups("company")
        return content(profiles), content(companies), len(profiles.history("1"))

    with fresh() as profiles:
        before = everything(profiles)
        OPERATIONS[name](profiles)
        after = everything(profiles)
    chance = random.Random(f"{name} {place}")
    at, outcomes = 0, set()
    while True:
        at += chance.randint(1, 80 // LONGER)
        with fresh() as profiles:
            is_cut = interrupted(lambda: OPERATIONS[name](profiles), at)
            found = everything(profiles)
            assert found in (before, after), at
            outcomes.add(found == after)
            assert profiles.add("counter", {"n": 1}).applied == 1
            assert profiles["counter"] == {"n": 1}
            # The lock is free for others.
            thread = threading.Thread(target=profiles.__len__, daemon=True)
            thread.start()
            thread.join(10)
            assert not thread.is_alive(), at
            if path is not None:
                with ProfileTable(path, timeout=0.5) as other:
                    assert content(other) == content(profiles)
                    assert other.add("counter", {"n": 1}).applied == 1
                    assert other.check().problems == ()
                assert profiles["counter"] == {"n": 2}
            assert len(profiles.frame) == len(profiles)
        if not is_cut:
            break
    assert at > 100
    assert before == after or outcomes == {False, True}


# Out of room


def test_a_full_disk_changes_nothing_and_says_what_to_do(tmp_path: Path) -> None:
    with ProfileTable(tmp_path / "shop.db") as profiles:
        profiles.set("1", {"a": 1})
        store = profiles._engine.store
        assert store is not None
        pages = store._pragma("page_count")
        store.execute(f"PRAGMA max_page_count = {pages}")
        big = [{"$distinct_id": n, "$set": {"text": "x" * 2_000}} for n in range(200)]
        for _ in range(2):
            with pytest.raises(errors.StoreError, match=r"full.*Nothing was changed\. Make room"):
                profiles.apply(big)
            assert content(profiles) == [("1", exactly({"a": 1}))]
            assert len(profiles.batches) == 1
        store.execute(f"PRAGMA max_page_count = {pages * 100}")
        assert profiles.apply(big).applied == 200
        assert profiles.check().problems == ()


def test_a_quota_that_is_used_up_changes_nothing(tmp_path: Path) -> None:
    pytest.importorskip("resource")
    code = """
import resource, sys, toolkit as tk
profiles = tk.ProfileTable(sys.argv[1])
profiles.set("1", {"a": 1})
_, most = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, most))
big = [{"$distinct_id": n, "$set": {"text": "x" * 2_000}} for n in range(500)]
try:
    profiles.apply(big)
except tk.ToolkitError as error:
    print(type(error).__name__, error)
print(list(profiles), profiles["1"], len(profiles.batches))
print(profiles.set("2", {}).applied)
resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
print(profiles.apply(big).created, profiles.check().problems)
"""
    told, left, small, after = run(code, tmp_path / "shop.db").splitlines()
    assert told.startswith("StoreError")
    assert "Nothing was changed" in told
    assert "may be full" in told or "Make room" in told
    assert left == "['1'] {'a': 1} 1"
    assert small == "1"
    assert after == "498 ()"


AS_NOBODY = """
import os, sys, toolkit as tk
tk.ProfileTable().set("1", {}), tk.ProfileTable().frame  # loads what nobody may read later
if os.getuid() == 0:
    os.setgid(65534)
    os.setuid(65534)
def told(work):
    try:
        print(work())
    except tk.ToolkitError as error:
        print(type(error).__name__, error)
"""


@of_unix("permissions")
@pytest.mark.parametrize("what", ["file", "folder", "both", "missing folder"])
def test_what_may_only_be_read_is_not_written_and_says_so(what: str) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "shop.db"
        if what != "missing folder":
            with ProfileTable(path) as profiles:
                profiles.set("1", {"a": 1})
            path.chmod(0o444 if what in ("file", "both") else 0o666)
        Path(folder).chmod(0o555 if what in ("folder", "both") else 0o777)
        asked = path if what != "missing folder" else path.parent / "none" / "shop.db"
        code = (
            AS_NOBODY
            + """
def work():
    with tk.ProfileTable(sys.argv[1]) as profiles:
        print(profiles, profiles["1"], len(profiles.frame), len(profiles.history("1")))
        return profiles.set("1", {"a": 2})
told(work)
"""
        )
        try:
            *read, printed = run(code, asked).splitlines()
            if what == "missing folder":
                assert printed.startswith("StoreError"), printed
            else:
                assert printed.startswith("StoreReadOnlyError"), printed
                assert read[0].endswith(f"in {path}, to read only> {{'a': 1}} 1 1")
            assert "Nothing was changed" in printed
            assert "older" in printed or "the file is write-protected" in printed
            if what != "missing folder":
                Path(folder).chmod(0o777)
                path.chmod(0o666)
                with ProfileTable(path) as profiles:
                    assert profiles["1"] == {"a": 1}
                    assert profiles.check().problems == ()
        finally:
            Path(folder).chmod(0o777)


# Damaged


def a_file_with_everything(path: Path) -> None:
    with (
        mock.patch("toolkit.store.rows._CHECKPOINT_FROM", 10),
        mock.patch("toolkit.store.undo._AS_MESSAGES_AT_MOST", 10),
        mock.patch("toolkit.store.log._AS_MESSAGES_AT_MOST", 10),
    ):
        profiles = small_shop(path)
        rows = "".join(f"{n},{n % 7},text {n}\n" for n in range(300))
        tk.import_csv(profiles, f"distinct_id,n,t\n{rows}".encode(), progress=False)
        profiles.apply([{"$distinct_id": n, "$append": {"l": n}} for n in range(40)])
        profiles.compact(keep=4)
        profiles.undo(5)
        profiles.close()


def use(profiles: ProfileTable) -> list[str]:
    """Try everything; return what was told of what does not work."""
    told = []
    for ask in (
        lambda: profiles.check(),
        lambda: profiles["1"],
        lambda: profiles.frame,
        lambda: len(profiles.batches),
        lambda: profiles.history("7"),
        lambda: profiles.explain("7", "n"),
        lambda: profiles.as_of("2100-01-01"),
        lambda: profiles.as_of(batch=4),
        lambda: profiles.timeline("n"),
        lambda: profiles.groups("company").frame,
        lambda: profiles.set("1", {"a": 5}),
        lambda: profiles.apply([{"$distinct_id": n, "$set": {"n": 1}} for n in range(50)]),
        lambda: profiles.undo(4),
        lambda: profiles.compact(keep=1),
        lambda: profiles.check(repair=True),
    ):
        try:
            ask()
        except errors.ToolkitError as error:
            told.append(str(error))
    return told


@pytest.mark.parametrize("when", ["before it is opened", "while it is open"])
@pytest.mark.parametrize("how", ["noise", "truncated"])
def test_a_damaged_file_is_an_error_in_words(how: str, when: str, tmp_path: Path) -> None:
    a_file_with_everything(tmp_path / "whole.db")
    size = (tmp_path / "whole.db").stat().st_size
    chance = random.Random(f"{how} {when}")
    told = 0
    for attempt in range(30 * LONGER):
        path = tmp_path / f"{attempt}.db"
        shutil.copy(tmp_path / "whole.db", path)
        profiles = None
        if when == "while it is open":
            profiles = ProfileTable(path)
            if attempt % 2:
                profiles.set("1", {"a": 3})
        with path.open("r+b") as file:
            if how == "truncated":
                file.truncate(chance.randrange(size))
            else:
                file.seek(chance.randrange(size))
                file.write(chance.randbytes(chance.choice([1, 16, 5_000])))
        try:
            profiles = ProfileTable(path) if profiles is None else profiles
        except errors.StoreError:
            told += 1
            continue
        told += bool(use(profiles))
        profiles.close()
    assert told > 3 * LONGER


def test_a_damaged_schema_page_is_an_error_in_words(tmp_path: Path) -> None:
    a_file_with_everything(tmp_path / "whole.db")
    chance = random.Random(5)
    told = set()
    for attempt in range(60 * LONGER):
        path = tmp_path / f"{attempt}.db"
        shutil.copy(tmp_path / "whole.db", path)
        with path.open("r+b") as file:
            file.seek(chance.randrange(0 if attempt % 4 == 0 else 100, 4_096))
            file.write(chance.randbytes(chance.choice([1, 2, 8, 200])))
        try:
            with ProfileTable(path) as profiles:
                use(profiles)
        except errors.StoreError as error:
            told.add(type(error.__cause__))
    # Python cannot read the names in some errors of SQLite: they are errors of ours all the same.
    assert {sqlite3.DatabaseError, UnicodeDecodeError} <= told


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"distinct_id,plan\n1,pro\n" * 50, "is not a database"),
        (b"\x00" * 5_000, "is not a database"),
        (b"SQLite format 3\x00", "is not a database"),
        (None, "is a folder"),
    ],
)
def test_what_is_no_file_of_profiles_is_an_error_in_words(
    content: bytes | None, text: str, tmp_path: Path
) -> None:
    path = tmp_path / "what.db"
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)
    with pytest.raises(errors.StoreError, match=text):
        ProfileTable(path)
    assert content is None or path.read_bytes() == content


@pytest.mark.parametrize(
    ("path", "text"),
    [("a\0b.db", "NUL"), ("no such folder/x.db", "there is no folder"), ("x" * 999, "too long")],
)
def test_a_path_that_cannot_be_is_an_error_in_words(path: str, text: str) -> None:
    with pytest.raises(errors.ToolkitError, match=text):
        ProfileTable(path)
    with pytest.raises(errors.ToolkitError):
        ProfileTable().backup(path)


@pytest.mark.parametrize("table", ["updates", "bulk_updates", "profiles", "checkpoints", "batches"])
def test_damage_within_what_sqlite_can_read_is_an_error_in_words(
    table: str, tmp_path: Path
) -> None:
    a_file_with_everything(tmp_path / "whole.db")
    chance = random.Random(table)
    with sqlite3.connect(tmp_path / "whole.db") as connection:
        columns = [row[1] for row in connection.execute(f"PRAGMA table_info ({table})")]
        assert connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0] > 0
    connection.close()
    for attempt in range(6 * LONGER):
        path = tmp_path / f"{attempt}.db"
        shutil.copy(tmp_path / "whole.db", path)
        column = chance.choice([name for name in columns if name != "id"])
        value = chance.choice(["'{'", "x'00ff'", "'[1]'", "-1", "''", "1e300"])
        with sqlite3.connect(path) as connection:
            try:
                connection.execute(f"UPDATE {table} SET {column} = {value} WHERE rowid % 2")
            except sqlite3.IntegrityError:
                connection.rollback()
        connection.close()
        with ProfileTable(path) as profiles:
            use(profiles)


def test_a_checkpoint_that_cannot_be_read_costs_nothing(tmp_path: Path) -> None:
    path = tmp_path / "shop.db"
    a_file_with_everything(path)
    with ProfileTable(path) as profiles:
        expected = profiles.frame
    with sqlite3.connect(path) as connection:
        parquet = connection.execute("SELECT parquet FROM checkpoints").fetchone()[0]
        for noise in (
            parquet[: len(parquet) // 2],
            b"",
            parquet[:40] + b"\xff" * 40 + parquet[80:],
        ):
            connection.execute("UPDATE checkpoints SET parquet = ?", [noise])
            connection.commit()
            with ProfileTable(path) as profiles:
                assert profiles.frame.equals(expected)
                assert not profiles.check().is_sound
    connection.close()
    with ProfileTable(path) as profiles:
        assert profiles.check(repair=True).is_sound
        assert profiles.check().problems == ()


# Out of time


def test_PAST_5_arrival_never_goes_back(tmp_path: Path) -> None:
    noon = times.parse_time("2026-06-01T12:00Z")
    for path in (None, tmp_path / "shop.db"):
        with ProfileTable(path) as profiles:
            for plan, clock in (("free", noon), ("basic", noon - 3_600_000_000), ("pro", noon + 1)):
                with mock.patch.object(times, "now", lambda clock=clock: clock):
                    profiles.set("1", {"plan": plan})
            assert profiles.batches["time"].is_monotonic_increasing
            assert profiles.as_of("2026-06-01T12:00Z")["1"] == {"plan": "basic"}
            assert profiles.as_of("2026-06-01T13:00Z")["1"] == profiles["1"] == {"plan": "pro"}
            profiles.compact(keep=1)
            assert profiles.as_of("2026-06-01T12:00Z")["1"] == {"plan": "basic"}


def test_PAST_5_a_clock_that_was_put_right_is_believed() -> None:
    profiles = ProfileTable()
    for plan, clock in (("free", "2040-01-01"), ("pro", "2026-06-01")):
        with mock.patch.object(times, "now", lambda clock=clock: times.parse_time(clock)):
            profiles.set("1", {"plan": plan})
    assert profiles["1"] == {"plan": "pro"}
    assert profiles.as_of("2026-06-02")["1"] == {"plan": "pro"}
    assert profiles.batches["time"].dt.year.tolist() == [2040, 2026]


# Shared


def test_processes_that_update_import_undo_and_compact_at_once_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "shop.db"
    ProfileTable(path).close()
    works = (
        "for n in range(80): profiles.add('counter', {'n': 1}); profiles.append('l', {'l': n})",
        "for n in range(15):\n"
        "    tk.import_csv(profiles, f'distinct_id,n\\nme,{n}\\n{n},1\\n'.encode())",
        "for n in range(15): profiles.compact(keep=5); profiles.frame; profiles.history('l')",
        "for n in range(15):\n"
        "    batch = profiles.add('counter', {'n': 5}).batch_id\n"
        "    try: profiles.undo(batch)\n"
        "    except tk.ToolkitError as error: print('refused', error)\n",
    )
    lead = "import sys, toolkit as tk\nprofiles = tk.ProfileTable(sys.argv[1])\n"
    printed: list[str] = []
    threads = [
        threading.Thread(target=lambda work=work: printed.append(run(lead + work, path)))
        for work in works
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(printed) == len(works)
    refused = "".join(printed).count("refused")
    with ProfileTable(path) as profiles:
        assert profiles["counter"] == {"n": 80 + 5 * refused}
        assert profiles["l"] == {"l": list(range(80))}
        assert profiles["me"] == {"n": 14}
        assert profiles.check().problems == ()
        assert [profiles[str(n)] for n in range(15)] == [{"n": 1}] * 15
