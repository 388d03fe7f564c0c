"""A file can be checked against its log, repaired from it, and killed at any moment."""

from __future__ import annotations

import random
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

import toolkit as tk
from tests.test_table_reference import state_of
from toolkit.base import errors
from toolkit.profiles.table import ProfileTable
from toolkit.store import log, rows as stored


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "shop.db"
    with ProfileTable(path) as profiles:
        tk.import_csv(profiles, b"distinct_id,plan,age\n1,pro,30\n2,free,\n3,pro,41\n")
        profiles.apply([{"$distinct_id": "2", "$append": {"l": {"b": 1, "a": [None]}}}])
        profiles.groups("company").set("acme", {"n": 2**70})
        profiles.delete("3")
    return path


def behind_its_back(path: Path, sql: str) -> None:
    with sqlite3.connect(path) as connection:
        connection.executescript(sql)
    connection.close()


def test_a_sound_file(path: Path) -> None:
    with ProfileTable(path) as profiles:
        report = profiles.check()
    assert report.is_sound
    assert (report.batches, report.profiles, report.problems) == (4, 3, ())
    assert "state and log agree" in repr(report)


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        ("""UPDATE profiles SET properties = '{"plan":"x","age":30}' WHERE distinct_id = '1'""",
         "'plan' differs in 1 profile: '1'"),
        ("DELETE FROM profiles WHERE distinct_id = '2'", "lacks 1 profile: '2'"),
        ("INSERT INTO profiles VALUES ('9', '{}', NULL)", "unknown to the log, 1 profile: '9'"),
        ("UPDATE profiles SET last_seen = '2020-01-01T00:00:00Z'", "Updated At"),
        ("UPDATE profiles SET rowid = 99 WHERE distinct_id = '1'", "another order"),
        ("DELETE FROM group_profiles; DELETE FROM properties WHERE group_key <> ''",
         "group_profiles of 'company' lacks 1 profile: 'acme'"),
        ("DELETE FROM group_profiles", "group_profiles of 'company' lacks 1 profile: 'acme'"),
    ],
)  # fmt: skip
def test_what_was_changed_behind_its_back_is_found_and_repaired(
    path: Path, sql: str, told: str
) -> None:
    with ProfileTable(path) as profiles:
        before = state_of(profiles), state_of(profiles.groups("company"))
    behind_its_back(path, sql)
    with ProfileTable(path) as profiles:
        report = profiles.check()
        assert not report.is_sound
        assert any(told in problem for problem in report.problems), report
        assert profiles.check(repair=True).is_sound
        assert profiles.check().problems == ()
        assert (state_of(profiles), state_of(profiles.groups("company"))) == before
    with ProfileTable(path) as profiles:
        assert (state_of(profiles), state_of(profiles.groups("company"))) == before


def test_a_checkpoint_that_lies_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored, "_CHECKPOINT_FROM", 1)
    monkeypatch.setattr(log, "_AS_MESSAGES_AT_MOST", 0)
    path = tmp_path / "shop.db"
    with ProfileTable(path) as profiles:
        tk.import_csv(profiles, b"distinct_id,plan\n1,pro\n")
        tk.import_csv(profiles, b"distinct_id,plan\n1,free\n2,pro\n3,pro\n4,x\n")
        assert profiles.check().is_sound
    behind_its_back(path, "UPDATE checkpoints SET parquet = "
                          "(SELECT parquet FROM bulk_updates LIMIT 1)")  # fmt: skip
    with ProfileTable(path) as profiles:
        [problem] = profiles.check().problems
        assert "checkpoint of profiles cannot be read" in problem
        assert profiles.check(repair=True).is_sound
        assert profiles["1"] == {"plan": "free"}
        assert profiles.frame["plan"].tolist() == ["free", "pro", "pro", "x"]


def test_profiles_in_memory_have_no_file_to_check() -> None:
    with pytest.raises(errors.StoreError, match="in memory"):
        ProfileTable().check()


WORK = """
import sys, toolkit as tk
from toolkit.store import rows as stored
stored._CHECKPOINT_FROM = stored._INDEX_LATER_FROM = 50
profiles = tk.ProfileTable(sys.argv[1])
say = lambda text: print(text, flush=True)
for n in range(1_000):
    lines = "".join(f"{i},{n},x{i}\\n" for i in range(n % 7 * 40 + 1))
    batch_id = tk.import_csv(profiles, f"distinct_id,n,t\\n{lines}".encode()).batch_id
    say(f"batch {batch_id}")
    for k in range(5):
        say(f"batch {profiles.add('counter', {'n': 1}).batch_id}")
    say(f"batch {profiles.undo(batch_id).batch_id}")
    appends = [{'$distinct_id': i, '$append': {'l': n}} for i in range(9)]
    say(f"batch {profiles.apply(appends).batch_id}")
"""


def test_killed_at_random_moments_everything_acknowledged_is_there(tmp_path: Path) -> None:
    chance = random.Random(7)
    for attempt in range(6):
        path = tmp_path / f"{attempt}.db"
        child = subprocess.Popen(
            [sys.executable, "-c", WORK, str(path)], stdout=subprocess.PIPE, text=True
        )
        assert child.stdout is not None
        child.stdout.readline()  # the first batch is acknowledged
        time.sleep(chance.uniform(0, 0.4))
        child.kill()
        rest = child.stdout.read().splitlines()
        child.stdout.close()
        child.wait()
        # A line cut by the kill acknowledges nothing.
        whole = [line for line in rest if line.startswith("batch ") and line[6:].isdigit()]
        acknowledged = int(whole[-1][6:]) if whole else 1
        with ProfileTable(path) as profiles:
            report = profiles.check()
            assert report.problems == ()
            # At most the one batch under way when it was killed was not acknowledged.
            assert acknowledged <= report.batches <= acknowledged + 1
            assert len(profiles) > 0
