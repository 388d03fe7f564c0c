"""Compacting: the past before a moment goes, and nothing else changes."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings, strategies as st

import toolkit as tk
from tests.effort import examples
from tests.strategies import IDS, NAMES, batches
from tests.test_table_reference import exactly, state_of
from toolkit import user
from toolkit.base import errors, times
from toolkit.profiles.table import ProfileTable
from toolkit.store import file as store, parquet as bulk, rows as stored

DAY = 86_400_000_000
#: Among the times that the messages of the strategies name.
START = 1_700_000_000_000_000


@contextmanager
def a_clock(start: int, step: int) -> Iterator[None]:
    """Every look at the clock finds it *step* microseconds on."""
    ticks = iter(range(start, start + 10_000 * step, step))
    with mock.patch.object(times, "now", lambda: next(ticks)):
        yield


@pytest.fixture(params=["memory", "sqlite", "sqlite, Parquet"])
def profiles(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: Any) -> Any:
    if request.param.endswith("Parquet"):
        monkeypatch.setattr(store, "_MESSAGES_AS_ROWS", 0)
        monkeypatch.setattr(bulk, "ROWS", 2)
    path = None if request.param == "memory" else tmp_path / "shop.db"
    with ProfileTable(path) as table, a_clock(times.parse_time("2026-06-01"), DAY):
        yield table


def shop(profiles: ProfileTable) -> None:
    """Batches 1 to 4, of 1, 2, 3 and 4 June."""
    profiles.set("ann", {"plan": "free"})
    profiles.apply([{"$distinct_id": "bob", "$set": {"plan": "free", "n": 1}}], source="app")
    profiles.set("ann", {"plan": "basic"})
    profiles.set("ann", {"plan": "pro"})


# What stays


def test_COMPACT_1_no_profile_changes(profiles: ProfileTable) -> None:
    shop(profiles)
    before = profiles.frame
    report = profiles.compact(keep=0)
    assert (report.batches, report.updates, report.kept) == (4, 4, 0)
    pd.testing.assert_frame_equal(profiles.frame, before)
    profiles.set("ann", {"plan": "free"})
    assert profiles["ann"] == {"plan": "free"}
    assert profiles.batches.index.tolist() == [4, 5]


def test_COMPACT_2_the_past_since_the_moment_is_what_it_was(profiles: ProfileTable) -> None:
    shop(profiles)
    profiles.compact(keep="2026-06-02T12:00Z")
    assert profiles.as_of("2026-06-02T12:00Z")["ann"] == {"plan": "free"}
    assert profiles.as_of("2026-06-03")["ann"] == {"plan": "basic"}
    assert profiles.as_of(batch=2)["bob"] == {"plan": "free", "n": 1}
    with pytest.raises(errors.CompactedError, match="before 2026-06-02T12:00:00Z was compacted"):
        profiles.as_of("2026-06-02T11:59Z")
    with pytest.raises(errors.CompactedError, match="batch=2 is the first"):
        profiles.as_of(batch=1)


def test_COMPACT_3_a_late_update_counts_from_the_moment_on(profiles: ProfileTable) -> None:
    shop(profiles)
    profiles.compact(keep="2026-06-03T12:00Z")
    profiles.set("bob", {"n": 2, "city": "Oslo"}, time="2026-06-01")
    assert profiles.as_of("2026-06-03T12:00Z")["bob"] == {"plan": "free", "n": 2, "city": "Oslo"}
    events = pd.DataFrame(
        {"event": "View", "distinct_id": ["bob", "ann"], "time": ["2026-06-03T13:00Z"] * 2}
    )
    joined = tk.join(events, profiles, ["n", "plan"], at="event time")
    assert joined["user.n"].tolist()[:1] == [2]
    assert joined["user.plan"].tolist() == ["free", "basic"]


def test_what_is_yet_to_happen_is_kept_whatever_its_batch(profiles: ProfileTable) -> None:
    profiles.set("ann", {"plan": "pro"}, time="2026-07-01")
    profiles.set("ann", {"n": 1})
    profiles.compact(keep=0)
    assert profiles["ann"] == {"plan": "pro", "n": 1}
    assert profiles.as_of("2026-06-15")["ann"] == {"n": 1}
    assert profiles.as_of("2026-07-01")["ann"] == {"n": 1, "plan": "pro"}


def test_history_begins_with_what_the_profile_was(profiles: ProfileTable) -> None:
    shop(profiles)
    profiles.compact(keep=1)
    history = profiles.history("ann")
    assert history["new"].tolist() == ["basic", "pro"]
    assert history["source"].tolist() == ["compacted history up to batch 3", "set"]
    assert "compacted history" in str(profiles.explain("bob", "n"))
    assert len(profiles.history("nobody")) == 0


def test_batches_after_it_can_be_undone_and_those_before_cannot(profiles: ProfileTable) -> None:
    shop(profiles)
    profiles.undo(4)
    profiles.compact(keep=2)
    with pytest.raises(errors.UndoError, match="batch 3 cannot be undone: its updates were comp"):
        profiles.undo(3)
    profiles.redo(4)
    assert profiles["ann"]["plan"] == "pro"
    profiles.undo(4)
    assert profiles["ann"]["plan"] == "basic"


def test_events_from_before_it_meet_no_made_up_state(profiles: ProfileTable) -> None:
    shop(profiles)
    profiles.compact(keep="2026-06-03T12:00Z")
    events = pd.DataFrame(
        {"event": "View", "distinct_id": "ann", "time": ["2026-06-01T12:00Z", "2026-06-05T00:00Z"]}
    )
    with pytest.raises(errors.CompactedError, match="1 event happened before 2026-06-03"):
        tk.join(events, profiles, at="event time")
    report = tk.segmentation(
        events, profiles, "View", by=user["plan"], at="event time", unit=None, start="2026-06-04"
    )
    assert report.table.to_numpy().tolist() == [["pro", 1]]
    assert tk.join(events, profiles)["user.plan"].tolist() == ["pro", "pro"]


def test_a_table_that_knew_the_past_before_it_was_compacted_forgets_it_too(tmp_path: Path) -> None:
    profiles, other = (ProfileTable(tmp_path / "shop.db") for _ in range(2))
    profiles.set("ann", {"plan": "free"})
    for table in (profiles, other):
        assert table.timeline("plan").since is None
    profiles.compact(keep=0)
    for table in (profiles, other):
        assert table.timeline("plan").since is not None


def test_groups_are_compacted_too(profiles: ProfileTable) -> None:
    companies = profiles.groups("company")
    companies.set("acme", {"size": 1})
    companies.set("acme", {"size": 2})
    profiles.compact(keep=0)
    assert companies["acme"] == {"size": 2}
    assert companies.history("acme")["new"].tolist() == [2]
    assert profiles.groups("another").as_of("2026-07-01").frame.empty


# What is asked for


def test_a_group_that_is_gone_and_never_had_a_property_is_compacted_too(
    profiles: ProfileTable,
) -> None:
    companies = profiles.groups("company")
    companies.set("acme", {})
    companies.delete("acme")
    profiles.compact(keep=1)
    assert list(companies.as_of(batch=1)) == ["acme"]


def test_a_duration_counts_back_from_now(profiles: ProfileTable) -> None:
    shop(profiles)  # and then it is 5 June
    assert profiles.compact(keep="36h", dry_run=True).batches == 3
    assert profiles.compact(keep=timedelta(days=3)).batches == 3  # by then 6 June


def test_a_duration_longer_than_all_time_keeps_everything(profiles: ProfileTable) -> None:
    shop(profiles)
    assert profiles.compact(timedelta.max).batches == 0


def test_a_dry_run_changes_nothing(profiles: ProfileTable) -> None:
    shop(profiles)
    report = profiles.compact(keep=0, dry_run=True)
    assert "4 batches of 4 updates would be compacted" in repr(report)
    assert len(profiles.batches) == 4
    assert len(profiles.history("ann")) == 3


def test_with_nothing_to_compact_nothing_is_done(profiles: ProfileTable) -> None:
    assert "nothing to compact" in repr(profiles.compact(keep=0))
    shop(profiles)
    assert profiles.compact(keep="2026-05-01").batches == 0
    assert profiles.compact(keep=0).batches == 4
    assert profiles.compact(keep=0).batches == 0
    assert profiles.compact(keep="2026-06-02").batches == 0


@pytest.mark.parametrize("keep", [-1, True, None, "90 parsecs", "soon", 1.5, "2030-01-01"])
def test_anything_else_is_refused(profiles: ProfileTable, keep: Any) -> None:
    shop(profiles)
    with pytest.raises(errors.ToolkitError):
        profiles.compact(keep=keep)
    assert len(profiles.batches) == 4


def test_the_past_cannot_be_compacted(profiles: ProfileTable) -> None:
    shop(profiles)
    with pytest.raises(errors.ReadOnlyError):
        profiles.as_of("2026-06-03").compact(keep=0)


# The file


def test_the_file_shrinks_and_the_report_says_so(tmp_path: Path) -> None:
    profiles = ProfileTable(tmp_path / "shop.db")
    for number in range(200):
        profiles.set("ann", {"text": f"{number} " + "x" * 2_000})
    # A copy is one file without a -wal: its size is that of the table, give or take a page.
    size = profiles.backup(tmp_path / "copy.db").bytes
    report = profiles.compact(keep=0)
    assert report.bytes_before is not None
    assert report.bytes_before == pytest.approx(size, abs=8_192)
    assert report.bytes_after == (tmp_path / "shop.db").stat().st_size
    assert report.bytes_after < report.bytes_before / 4
    assert (tmp_path / "shop.db-wal").stat().st_size == 0
    again = profiles.compact(keep=0)
    assert again.bytes_before in (None, report.bytes_after)
    assert "MB before" in repr(report)
    assert profiles.check().is_sound


def test_a_checkpoint_older_than_the_compaction_is_renewed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stored, "_CHECKPOINT_FROM", 1)
    profiles = ProfileTable(tmp_path / "shop.db")
    frame = pd.DataFrame({"id": ["a", "b"], "n": [1, 2]})
    frame.to_csv(tmp_path / "a.csv", index=False)
    tk.import_csv(profiles, tmp_path / "a.csv", {"id": "$distinct_id", "n": "n"}, progress=False)
    profiles.set("a", {"n": 3})
    profiles.compact(keep=0)
    with closing(sqlite3.connect(tmp_path / "shop.db")) as reader, reader:
        assert reader.execute("SELECT DISTINCT batch_id FROM checkpoints").fetchall() == [(2,)]
    reader.close()
    assert ProfileTable(tmp_path / "shop.db").frame["n"].tolist() == [3, 2]
    assert profiles.check().is_sound


def test_another_process_that_is_behind_reads_everything_anew(tmp_path: Path) -> None:
    profiles, other = (ProfileTable(tmp_path / "shop.db") for _ in range(2))
    profiles.set("ann", {"n": 1})
    assert other.frame["n"].tolist() == [1]
    profiles.delete("ann")
    profiles.set("bob", {"n": 2})
    profiles.compact(keep=0)
    assert other.frame.index.tolist() == ["bob"]
    other.set("eve", {"n": 3})
    assert profiles.frame.index.tolist() == ["bob", "eve"]


def test_the_file_stays_whole_when_there_is_no_room_to_shrink_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    profiles = ProfileTable(tmp_path / "shop.db", timeout=0.05)
    reader = ProfileTable(tmp_path / "shop.db")
    shop(profiles)
    with reader._engine.store.transaction(write=False):  # type: ignore[union-attr]
        reader._engine.store.last()  # type: ignore[union-attr]
        original = store.Store.shrink

        def while_another_writes(self: store.Store) -> tuple[str, ...]:
            with closing(sqlite3.connect(tmp_path / "shop.db")) as writer, writer:
                writer.execute("BEGIN IMMEDIATE")
                try:
                    return original(self)
                finally:
                    writer.rollback()

        monkeypatch.setattr(store.Store, "shrink", while_another_writes)
        report = profiles.compact(keep=0)
    assert report.batches == 4
    assert "keeps its size" in report.notes[0]
    assert profiles.check().is_sound


def test_what_a_reader_kept_in_the_file_leaves_it_when_it_is_compacted_again(
    tmp_path: Path,
) -> None:
    path = tmp_path / "shop.db"
    profiles, reader = ProfileTable(path, timeout=0.05), ProfileTable(path)
    profiles.set("ann", {"name": "unforgotten"})
    profiles.delete("ann")
    with reader._engine.store.transaction(write=False):  # type: ignore[union-attr]
        reader._engine.store.last()  # type: ignore[union-attr]
        assert "still in the file" in profiles.compact(keep=0).notes[0]
    again = profiles.compact(keep=0)
    assert (again.batches, again.notes) == (0, ())
    for file in tmp_path.iterdir():
        assert b"unforgotten" not in file.read_bytes()


def test_damage_to_what_a_compacted_log_starts_from_is_found(tmp_path: Path) -> None:
    profiles = ProfileTable(tmp_path / "shop.db")
    shop(profiles)
    profiles.compact(keep=1)
    with closing(sqlite3.connect(tmp_path / "shop.db")) as writer, writer:
        writer.execute("UPDATE bases SET parquet = x'00' WHERE clock = 'arrival'")
    writer.close()
    with pytest.raises(errors.StoreError, match="the latest profiles are unharmed"):
        profiles.history("ann")
    assert profiles["ann"] == {"plan": "pro"}


# Older layouts


def old_file(folder: Path) -> Path:
    """Copy a file of layout 1: ann, and company acme, after six batches."""
    path = folder / "shop.db"
    shutil.copy(Path(__file__).parent / "files" / "layout-1.sqlite", path)
    return path


def test_a_file_of_an_older_layout_is_brought_up_to_date(tmp_path: Path) -> None:
    with ProfileTable(old_file(tmp_path)) as profiles:
        assert profiles["ann"] == {
            "$name": "Ann",
            "plan": "free",
            "big": 12345678901234567890,
            "null": None,
            "orders": 2,
        }
        assert profiles.groups("company")["acme"] == {"size": 10}
        assert profiles.as_of("2026-01-04T13:00Z")["bob"] == {"tags": ["a", "b", "c"]}
        assert profiles.check().is_sound
        assert profiles.compact(keep=0).batches == 6
        assert profiles.check().is_sound


def test_a_copy_of_it_is_made_first_and_none_is_overwritten(tmp_path: Path) -> None:
    path = old_file(tmp_path)
    taken = tmp_path / "shop.db.layout-1.backup"
    taken.write_text("mine")
    ProfileTable(path).close()
    assert taken.read_text() == "mine"
    with closing(sqlite3.connect(tmp_path / "shop.db.layout-1-2.backup")) as backup, backup:
        assert backup.execute("PRAGMA user_version").fetchone() == (1,)
        assert backup.execute("SELECT count(*) FROM batches").fetchone() == (6,)
        assert backup.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    backup.close()
    ProfileTable(path).close()
    assert len(list(tmp_path.glob("*.backup"))) == 2


def test_without_room_for_the_copy_it_stays_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = old_file(tmp_path)

    def full(self: Path, **_: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "touch", full)
        with pytest.raises(errors.StoreError, match="no copy of it can be made first"):
            ProfileTable(path)
    with closing(sqlite3.connect(path)) as reader, reader:
        assert reader.execute("PRAGMA user_version").fetchone() == (1,)
    reader.close()


# Whatever happened before and after


@settings(max_examples=examples(40), deadline=None)
@given(
    before=st.lists(batches, min_size=1, max_size=4),
    between=st.lists(batches, max_size=2),
    after=st.lists(batches, max_size=2),
    keeps=st.tuples(
        *[st.integers(0, 4) | st.integers(0, 12).map(lambda at: START + at * 10**6)] * 2
    ),
    form=st.sampled_from(["memory", "rows", "Parquet"]),
)
def test_COMPACT_2_of_anything_as_if_it_had_not_been_compacted(
    before: list[Any], between: list[Any], after: list[Any], keeps: tuple[int, int], form: str
) -> None:
    # Late updates are another rule's (COMPACT-3): here none names a time before a compaction.
    between = [dated(part, 12 + place) for place, part in enumerate(between)]
    after = [dated(part, 20) for part in after]
    as_rows = 0 if form == "Parquet" else 10_000
    with (
        tempfile.TemporaryDirectory() as folder,
        mock.patch.object(store, "_MESSAGES_AS_ROWS", as_rows),
        ProfileTable(None if form == "memory" else Path(folder) / "shop.db") as compacted,
        ProfileTable() as whole,
    ):
        for table in (compacted, whole):
            with a_clock(START + 4_000_000, 500_000):
                for place, part in enumerate([*before, *between]):
                    if table is compacted and place == len(before):
                        compact(compacted, keeps[0])
                    table.apply(part)
        compact(compacted, keeps[1])
        for part in after:
            for table in (compacted, whole):
                with a_clock(START + 20_000_000, 500_000):
                    table.apply(part)
        assert state_of(compacted) == state_of(whole)
        assert list(compacted) == list(whole)
        done = compacted._engine.log.compaction()
        for second in range(25):
            moment = START + second * 10**6
            if done is None or moment >= done.time:
                then = [table.as_of(times.iso(moment)) for table in (compacted, whole)]
                assert state_of(then[0]) == state_of(then[1])
        moments = [START + second * 10**6 for second in range(25)]
        moments = [at for at in moments if done is None or at >= done.time]
        events = pd.DataFrame(
            [("View", key, times.iso(at)) for key in IDS for at in moments],
            columns=["event", "distinct_id", "time"],
        )
        ids = pa.array(events["distinct_id"].map(str), pa.large_string())
        codes, at = np.arange(len(ids)), pd.to_datetime(events["time"]).astype("M8[us, UTC]")
        for name in NAMES:
            then_cells = [
                table.timeline(name).at(ids, codes, at.astype("int64").to_numpy()).cells()
                for table in (compacted, whole)
            ]
            assert [*map(repr, then_cells[0])] == [*map(repr, then_cells[1])]
        if form != "memory":
            assert compacted.check().is_sound


def dated(messages: list[dict[str, Any]], second: int) -> list[dict[str, Any]]:
    return [{**message, "$time": START // 10**6 + second} for message in messages]


def compact(table: ProfileTable, keep: int) -> None:
    """Compact to a number of batches, or to a moment in microseconds."""
    with a_clock(START + 15_000_000, 1):
        table.compact(keep=keep if keep < START else times.iso(keep))


group_messages = st.lists(
    st.builds(
        lambda key, operation, at: {
            "$group_key": "company",
            "$group_id": key,
            **operation,
            **({} if at is None else {"$time": START // 10**6 + at}),
        },
        st.sampled_from(["acme", "ü "]),
        st.sampled_from(
            [
                {"$set": {"a": 1}},
                {"$set": {"a": None, "b": [1]}},
                {"$set_once": {"b": [2]}},
                {"$union": {"b": [1, 3]}},
                {"$remove": {"b": 1}},
                {"$unset": ["a"]},
                {"$delete": ""},
            ]
        ),
        st.none() | st.integers(0, 9),
    ),
    max_size=5,
)


@settings(max_examples=examples(20), deadline=None)
@given(
    parts=st.lists(st.tuples(batches, group_messages, st.none() | st.integers(0, 3)), max_size=5),
    is_parquet=st.booleans(),
)
def test_COMPACT_1_users_groups_undos_and_a_handle_that_is_behind_agree_with_a_twin(
    parts: list[Any], is_parquet: bool
) -> None:
    with (
        tempfile.TemporaryDirectory() as folder,
        mock.patch.object(store, "_MESSAGES_AS_ROWS", 0 if is_parquet else 10_000),
        mock.patch.object(stored, "_CHECKPOINT_FROM", 2),
        a_clock(START + 20_000_000, 1_000),
        ProfileTable(Path(folder) / "shop.db") as compacted,
        ProfileTable(Path(folder) / "shop.db") as behind,
        ProfileTable() as whole,
    ):
        for users, companies, keep in parts:
            batch_ids = [table.apply([*users, *companies]).batch_id for table in (compacted, whole)]
            if keep is not None:
                compacted.compact(keep)
            done = compacted._engine.log.compaction()
            if batch_ids[0] and (done is None or batch_ids[0] > done.batch):
                undone = [
                    table.undo(number).batch_id
                    for table, number in zip((compacted, whole), batch_ids, strict=True)
                ]
                assert undone[0] == undone[1]
            for table in (compacted, behind):
                groups = table.groups("company"), whole.groups("company")
                for one, other in ((table, whole), groups):
                    assert told(one) == told(other)
                    assert len(one.frame) == len(other.frame)
        assert behind.check().problems == ()
        with ProfileTable(Path(folder) / "shop.db") as again:
            assert told(again) == told(whole)
            assert told(again.groups("company")) == told(whole.groups("company"))


def told(table: ProfileTable) -> list[tuple[str, str]]:
    """The profiles in their order; not when, for each look at the clock is another."""
    return [(key, exactly(table[key])) for key in table]
