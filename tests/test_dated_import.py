"""A time a row: imports of what changed when (PAST-4), from a CSV and from a DataFrame."""

from __future__ import annotations

import tempfile
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
from tests.strategies import IDS, NAMES, batches, cells
from tests.test_table_reference import exactly, state_of
from toolkit.base import errors, times
from toolkit.base.values import ABSENT
from toolkit.columns.column import Column
from toolkit.profiles.table import ProfileTable
from toolkit.store import file as store, history, parquet as bulk

PLANS = b"""distinct_id,plan,seats,$time
ann,pro,5,2026-03-01
ann,free,,2026-01-01
bob,free,1,2026-02-01T12:00:00Z
ann,basic,2,2026-02-01
"""


@pytest.fixture(params=["memory", "file", "file in parts"])
def profiles(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: Any) -> Any:
    if request.param == "file in parts":
        monkeypatch.setattr(bulk, "ROWS", 2)
    with ProfileTable(None if request.param == "memory" else tmp_path / "shop.db") as table:
        yield table


def test_PAST_4_each_row_is_an_update_at_its_time(profiles: ProfileTable) -> None:
    report = tk.import_csv(profiles, PLANS)
    assert (report.rows, report.imported, report.created) == (4, 4, 2)
    assert len(report.duplicate_ids) == 0
    assert profiles["ann"] == {"plan": "pro", "seats": 5}
    assert "ann" not in profiles.as_of("2025-12-31")
    assert profiles.as_of("2026-01-01")["ann"] == {"plan": "free"}
    assert profiles.as_of("2026-02-15")["ann"] == {"plan": "basic", "seats": 2}
    assert list(profiles.as_of("2026-02-15")) == ["ann", "bob"]
    seen = profiles.history("ann")
    plans = seen[seen["property"] == "plan"]
    assert plans["new"].tolist() == ["free", "basic", "pro"]
    assert plans["time"].dt.strftime("%m-%d").tolist() == ["01-01", "02-01", "03-01"]
    assert profiles.last_seen("ann") is None  # SEEN-2
    assert profiles.batches["messages"].tolist() == [4]


def test_JOIN_4_events_meet_the_plan_of_their_time(profiles: ProfileTable) -> None:
    tk.import_csv(profiles, PLANS)
    events = pd.DataFrame(
        {"event": "Buy", "distinct_id": "ann", "time": ["2025-01-01", "2026-01-05", "2026-02-05"]}
    )
    joined = tk.join(events, profiles, ["plan"], at="event time")
    assert joined["user.plan"].tolist()[1:] == ["free", "basic"]
    assert pd.isna(joined["user.plan"].iloc[0])
    assert tk.join(events, profiles, ["plan"])["user.plan"].tolist() == ["pro"] * 3


def test_a_dated_import_can_be_undone_and_compacted(profiles: ProfileTable) -> None:
    profiles.set("ann", {"plan": "trial", "n": 1}, time="2025-06-01")
    batch_id = tk.import_csv(profiles, PLANS).batch_id
    assert batch_id is not None
    profiles.undo(batch_id)
    assert {key: profiles[key] for key in profiles} == {"ann": {"plan": "trial", "n": 1}}
    profiles.redo(batch_id)
    profiles.compact(keep="2026-02-10")
    assert profiles["ann"] == {"n": 1, "plan": "pro", "seats": 5}
    with pytest.raises(errors.UndoError):
        profiles.undo(99)


def test_compacting_keeps_the_rows_that_happened_after_the_moment(profiles: ProfileTable) -> None:
    future = PLANS.replace(b"2026-03", b"2098-03").replace(b"2026-02", b"2097-02")
    tk.import_csv(profiles, future)
    whole = {at: state_of(profiles.as_of(at)) for at in ("2097-01-01", "2097-03-01", "2099-01-01")}
    profiles.compact(keep=0)
    assert {at: state_of(profiles.as_of(at)) for at in whole} == whole
    assert profiles["ann"]["plan"] == "pro"
    if profiles.path is not None:
        assert profiles.check().problems == ()


def test_a_row_whose_time_is_none_is_rejected_with_line_and_reason(profiles: ProfileTable) -> None:
    text = b"distinct_id,n,$time\n1,1,2026-01-01\n2,2,soon\n3,3,\n4,4,1767225600\n5,5,1e400\n"
    with pytest.raises(errors.CsvRowsError, match='"soon" is not a time') as caught:
        tk.import_csv(profiles, text)
    assert caught.value.rejected["line"].tolist() == [3, 4, 6]
    assert caught.value.rejected["reason"][1] == "no time"
    assert len(profiles) == 0
    report = tk.import_csv(profiles, text, on_error="skip")
    assert report.imported == 2
    assert profiles.history("4")["time"].tolist() == [pd.Timestamp("2026-01-01", tz="UTC")]


def test_a_time_for_the_file_and_a_column_of_times_are_one_too_many() -> None:
    with pytest.raises(errors.CsvError, match="not both"):
        tk.import_csv(ProfileTable(), PLANS, time="2026-01-01")
    with pytest.raises(errors.ColumnMappingError, match="no type to choose"):
        tk.import_csv(ProfileTable(), PLANS, types={"$time": "text"})


def test_a_column_of_any_name_is_mapped_to_the_time() -> None:
    profiles = ProfileTable()
    mapping = {"who": "$distinct_id", "plan": "plan", "valid_from": "$time"}
    text = b"who,plan,valid_from\n1,pro,1772323200000\n1,free,1767225600\n"
    report = tk.import_csv(profiles, text, mapping)
    assert report.columns["property"].tolist() == ["$distinct_id", "$time", "plan"]
    assert profiles["1"] == {"plan": "pro"}
    assert tk.preview_csv(PLANS).mapping[3] == "$time"


@pytest.mark.parametrize(
    ("when", "is_naive"),
    [
        ("2026-05-01T12:00:00", True),
        ("2026-05-01", True),
        ("20260501", True),
        ("2026-05-01T12:00:00Z", False),
        ("2026-05-01 12:00 +02:00", False),
        ("2026-05-01 12:00:00 UTC", False),
        ("1777636800", False),
    ],
)
def test_TIME_2_an_import_says_that_times_without_a_zone_were_read_as_UTC(
    when: str, is_naive: bool
) -> None:
    text = f"distinct_id,when,plan\n1,{when},pro\n2,2026-05-02T00:00:00Z,free\n".encode()
    mapping = {"distinct_id": "$distinct_id", "when": "$time", "plan": "plan"}
    of_column = tk.import_csv(tk.ProfileTable(), text, mapping)
    assert any("read as UTC (TIME-2)" in each for each in of_column.warnings) == is_naive
    times = [int(when) if when == "1777636800" else when, "2026-05-02T00:00:00Z"]
    frame = pd.DataFrame({"distinct_id": ["1", "2"], "when": times, "plan": ["pro", "free"]})
    of_frame = tk.import_frame(tk.ProfileTable(), frame, time="when")
    assert any("read as UTC (TIME-2)" in each for each in of_frame.notes) == is_naive
    of_file = tk.import_csv(tk.ProfileTable(), b"distinct_id,a\n1,2\n", time=times[0])
    assert any("read as UTC (TIME-2)" in each for each in of_file.warnings) == is_naive
    assert not tk.import_csv(tk.ProfileTable(), b"distinct_id,a\n1,2\n").warnings


def test_a_dry_run_counts_and_writes_nothing() -> None:
    profiles = ProfileTable()
    assert tk.import_csv(profiles, PLANS, dry_run=True).created == 2
    assert len(profiles) == 0


# DataFrames


def test_a_dataframe_without_times_is_set_in_columns(profiles: ProfileTable) -> None:
    profiles.set("7", {"plan": "free", "kept": 1})
    frame = pd.DataFrame(
        {
            "distinct_id": [7, 8, 7],
            "plan": ["pro", None, None],
            "n": [1.5, np.nan, 2.5],
            "tags": [["a"], None, {"b": 1}],
            "whole": pd.array([1, None, 2], "Int64"),
            "when": pd.to_datetime(["2026-01-01", None, "2026-01-02"]),
        }
    )
    result = tk.import_frame(profiles, frame)
    assert (result.created, result.updated) == (1, 1)
    assert profiles["7"] == {
        **{"plan": "pro", "kept": 1, "n": 2.5, "tags": {"b": 1}, "whole": 2},
        **{"when": "2026-01-02T00:00:00Z"},
    }
    assert profiles["8"] == {}


def test_a_table_frame_comes_back_as_it_was(profiles: ProfileTable) -> None:
    profiles.apply([{"$distinct_id": n, "$set": {"a": n, "t": "x"}} for n in range(3)])
    other = ProfileTable()
    tk.import_frame(other, profiles.frame)
    assert {key: other[key] for key in other} == {key: profiles[key] for key in profiles}


def test_PAST_4_a_dataframe_with_times(profiles: ProfileTable) -> None:
    frame = pd.DataFrame(
        {"id": ["a", "a", "b"], "plan": ["pro", "free", "free"], "at": [1.8e9, 1.7e9, 1.75e9]}
    )
    tk.import_frame(profiles, frame, distinct_id="id", time="at")
    assert profiles["a"] == {"plan": "pro"}
    assert profiles.as_of(1_700_000_000)["a"] == {"plan": "free"}
    assert profiles.properties == ("plan",)


@pytest.mark.parametrize(
    ("frame", "keywords", "told"),
    [
        ({"x": [1]}, {}, 'no column "distinct_id"'),
        ({"distinct_id": [1, None]}, {}, "1 row without a distinct ID .*1 missing"),
        ({"distinct_id": [1], "t": ["soon"]}, {"time": "t"}, "row 0, holds 'soon'"),
        ({"distinct_id": [1], "t": [True]}, {"time": "t"}, "Nothing was written"),
        ({"distinct_id": [True]}, {}, "Nothing was written"),
        ({"distinct_id": [1], "$bucket": [1]}, {}, "hidden"),
        ({"distinct_id": [1], 5: [1]}, {}, "a property's name is text"),
        ({"distinct_id": [1], "t": ["x"]}, {"time": "when"}, 'no column "when" for time'),
    ],
)
def test_a_dataframe_that_cannot_be_imported_is_refused_whole(
    frame: dict[Any, Any], keywords: dict[str, Any], told: str
) -> None:
    profiles = ProfileTable()
    with pytest.raises(errors.FrameError, match=told):
        tk.import_frame(profiles, pd.DataFrame(frame), **keywords)
    assert len(profiles.batches) == 0


# Against single updates


rows = st.lists(
    st.tuples(
        st.sampled_from(["1", "2", "ü "]),
        st.dictionaries(st.sampled_from(NAMES), cells, max_size=2),
        st.integers(1_700_000_000, 1_700_000_009),
    ),
    min_size=1, max_size=8,
)  # fmt: skip


@settings(max_examples=examples(60), deadline=None)
@given(
    parts=st.lists(rows | batches, min_size=1, max_size=4),
    form=st.sampled_from(["memory", "file", "Parquet"]),
    cuts=st.sampled_from([0, 2, 50]),
    keep=st.none() | st.integers(0, 3),
)
def test_PAST_4_dated_columns_do_what_single_updates_in_time_order_do(
    parts: list[Any], form: str, cuts: int, keep: int | None
) -> None:
    with (
        tempfile.TemporaryDirectory() as folder,
        mock.patch.object(store, "_MESSAGES_AS_ROWS", 0 if form == "Parquet" else 10_000),
        mock.patch.object(bulk, "ROWS", 2 if form == "Parquet" else 250_000),
        mock.patch.object(history, "_CUTS", cuts),
        mock.patch.object(times, "now", lambda: 1_700_000_005_000_000),
        ProfileTable(None if form == "memory" else Path(folder) / "shop.db") as columns,
        ProfileTable() as singly,
    ):
        for part in parts:
            if part and isinstance(part[0], dict):
                columns.apply(part)
                singly.apply(part)
            elif part:
                in_columns(columns, part)
                part = sorted(part, key=lambda row: row[2])
                singly.apply(
                    [
                        {"$distinct_id": key, "$set": named, "$time": at, "$ignore_time": True}
                        for key, named, at in part
                    ]
                )
        assert state_of(columns) == state_of(singly)
        if keep is not None:
            columns.compact(keep)
            singly.compact(keep)
        done = singly._engine.log.compaction()
        for second in range(10):
            moment = (1_700_000_000 + second) * 10**6
            if done is not None and moment < done.time:
                continue
            told = [table.as_of(times.iso(moment)) for table in (columns, singly)]
            assert state_of(told[0]) == state_of(told[1])
        ids = pa.array([str(key) for key in IDS for _ in range(10)], pa.large_string())
        codes, at = np.arange(len(ids)), np.tile(np.arange(10), len(IDS)) + 1_700_000_000
        for name in NAMES:
            seen = [table.timeline(name).at(ids, codes, at * 10**6) for table in (columns, singly)]
            assert [*map(exactly_or_not, seen[0].cells())] == [
                *map(exactly_or_not, seen[1].cells())
            ]
        if form != "memory":
            assert columns.check().problems == ()
            assert state_of(columns) == state_of(singly)


def exactly_or_not(cell: Any) -> str:
    return "absent" if cell is ABSENT else exactly(cell)


def in_columns(profiles: ProfileTable, part: list[tuple[str, dict[str, Any], int]]) -> None:
    names = dict.fromkeys(name for _, named, _ in part for name in named)
    profiles.set_columns(
        pa.array([key for key, _, _ in part], pa.large_string()),
        {name: Column.of([named.get(name, ABSENT) for _, named, _ in part]) for name in names},
        source="columns",
        row_times=np.array([at for _, _, at in part], np.int64) * 10**6,
    )


def test_the_report_of_a_DataFrame_says_what_was_imported_and_what_was_not() -> None:
    profiles = tk.ProfileTable()
    profiles.set("1", {"plan": "free"})
    frame = pd.DataFrame(
        {
            "distinct_id": ["1", "2", "2"],
            "plan": ["pro", "<b>$5 to $10</b>", "x"],
            "nothing": [None, None, None],
            "codes": [{1, 2}, b"\x00", None],
            "$last_seen": "2026-01-01",
        }
    )
    result = tk.import_frame(profiles, frame)
    assert result.rows == 3
    assert list(result.left_out) == ["$last_seen", "nothing", "codes"]
    told = repr(result)
    for part in (
        "3 rows: 1 profile created, 1 updated, 0 unchanged",
        "1 row with an ID from an earlier row",
        "1 stored value overwritten",
        '3 columns left out: "$last_seen" (the table keeps it itself), "nothing" (all cells are '
        'missing), "codes" (no cell can be stored)',
        "left out: 1 codes: row 0: ",
        "left out: 2 codes: row 1: ",
    ):
        assert part in told
    shown = result._repr_html_()
    for part in (
        "tk-card",
        "mathjax_ignore",
        "3 rows: 1 profile created",
        "row 1: ",
        "free",
        "pro",
    ):
        assert part in shown
    assert "<b>" not in shown


def test_the_report_of_a_DataFrame_shows_the_first_of_many_rejections() -> None:
    frame = pd.DataFrame({"distinct_id": range(20), "codes": [{1}] * 20, "n": 1})
    result = tk.import_frame(tk.ProfileTable(), frame)
    assert "… and 15 more left out" in repr(result)
    assert "5 of 20 rows" in result._repr_html_()
