"""A DataFrame as the source of truth: what differs is written, and nothing else."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st

import toolkit as tk
from tests.effort import examples
from tests.test_table_reference import exactly
from toolkit.base.errors import ArgumentError, FrameError, ReadOnlyError
from toolkit.store import log


@pytest.fixture(params=["memory", "file"])
def profiles(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tk.ProfileTable]:
    path = None if request.param == "memory" else tmp_path / "shop.db"
    with tk.ProfileTable(path) as table:
        yield table


def contents(table: tk.ProfileTable) -> dict[str, dict[str, Any]]:
    return {each: table[each] for each in table}


def test_FRAME_1_only_what_differs_is_written_and_the_report_says_what(
    profiles: tk.ProfileTable,
) -> None:
    profiles.set("1", {"plan": "free", "n": 1, "mine": True}, time="2026-01-01")
    profiles.set("2", {"plan": "pro", "n": 2}, time="2026-01-01")
    frame = pd.DataFrame({"id": [1, 2, 3], "plan": ["pro", "pro", "free"], "n": [1.0, 2.0, np.nan]})
    report = profiles.set(frame, key="id", time="2026-02-01", source="the shop")
    assert (report.created, report.updated, report.unchanged) == (1, 1, 1)
    assert report.properties.to_numpy().tolist() == [["plan", 1, 1, 0]]
    assert report.changes.fillna("").to_numpy().tolist() == [
        ["1", "plan", "changed", "free", "pro"],
        ["3", "plan", "added", "", "free"],
    ]
    assert contents(profiles) == {
        "1": {"plan": "pro", "n": 1, "mine": True},
        "2": {"plan": "pro", "n": 2},
        "3": {"plan": "free"},
    }
    assert profiles.history("1").tail(1)["property"].tolist() == ["plan"]
    assert len(profiles.history("2")) == 2
    seen = [str(profiles.last_seen(each))[:10] for each in "123"]
    assert seen == ["2026-02-01", "2026-01-01", "2026-02-01"]
    assert profiles.batches["source"].iloc[-1] == "the shop"
    assert report.batch_id == profiles.batches.index[-1]


@pytest.mark.parametrize("cells", [["a"], [True], [[1]], [7]], ids=str)
def test_FRAME_1_a_profile_without_the_number_that_others_have_gets_any_value(
    profiles: tk.ProfileTable, cells: list[Any]
) -> None:
    profiles.apply([{"$distinct_id": "1", "$set": {"x": 1.5}}, {"$distinct_id": "2", "$set": {}}])
    profiles.set(pd.DataFrame({"distinct_id": ["2"], "x": pd.Series(cells, dtype=object)}))
    assert contents(profiles) == {"1": {"x": 1.5}, "2": {"x": cells[0]}}
    profiles.unset("2", ["x"])
    tk.import_frame(profiles, pd.DataFrame({"distinct_id": ["2"], "x": pd.Series(cells)}))
    assert contents(profiles) == {"1": {"x": 1.5}, "2": {"x": cells[0]}}


@pytest.mark.parametrize("dtype", ["float64", object, "Float64"], ids=str)
@pytest.mark.parametrize("missing", ["leave", "unset"])
def test_FRAME_2_an_infinity_is_reported_and_what_is_stored_stays(
    profiles: tk.ProfileTable, missing: Any, dtype: Any
) -> None:
    profiles.set("1", {"x": 1, "y": 1})
    cells = pd.Series([math.inf, -math.inf, 2.5], dtype=dtype)
    frame = pd.DataFrame({"distinct_id": ["1", "2", "3"], "x": cells, "y": [None] * 3})
    report = profiles.set(frame, missing=missing)
    assert report.rejected[["distinct_id", "property"]].to_numpy().tolist() == [
        ["1", "x"],
        ["2", "x"],
    ]
    assert "infinity" in report.rejected["reason"][0]
    left = {"x": 1} if missing == "unset" else {"x": 1, "y": 1}
    assert contents(profiles) == {"1": left, "2": {}, "3": {"x": 2.5}}
    assert len(tk.import_frame(profiles, frame).rejected) == 2


def test_FRAME_1_a_second_run_writes_nothing_and_makes_no_batch(profiles: tk.ProfileTable) -> None:
    frame = pd.DataFrame(
        {
            "distinct_id": ["a", "b", "c"],
            "when": pd.to_datetime(["2026-01-01", None, "2026-03-01"], utc=True),
            "list": [["x", 1], None, []],
            "n": pd.array([1, None, 2**60], "Int64"),
            "ok": [True, None, False],
        }
    )
    assert profiles.set(frame).created == 3
    seen = profiles.frame["$last_seen"]
    for again in (frame, frame.set_index("distinct_id"), frame.astype({"n": "Float64"})[:2]):
        report = profiles.set(again)
        assert (report.updated, report.batch_id, len(report.changes)) == (0, None, 0)
    assert len(profiles.batches) == 1
    assert profiles.frame["$last_seen"].equals(seen)


def test_FRAME_2_missing_cells_are_left_alone_or_unset_on_request(
    profiles: tk.ProfileTable,
) -> None:
    profiles.set("1", {"plan": "pro", "n": None, "other": 1})
    profiles.set("2", {"plan": "pro"})
    frame = pd.DataFrame(
        {"plan": [None, "pro", None], "n": [None, None, None]},
        index=pd.Index(["1", "2", "3"], name="distinct_id"),
    )
    assert profiles.set(frame).created == 1
    assert contents(profiles)["1"] == {"plan": "pro", "n": None, "other": 1}
    report = profiles.set(frame, missing="unset")
    assert contents(profiles) == {"1": {"other": 1}, "2": {"plan": "pro"}, "3": {}}
    assert report.properties.to_numpy().tolist() == [["plan", 0, 0, 1], ["n", 0, 0, 1]]
    assert profiles.set(frame, missing="unset").batch_id is None
    assert report.batch_id is not None
    profiles.undo(report.batch_id)
    assert contents(profiles)["1"] == {"plan": "pro", "n": None, "other": 1}


@pytest.mark.parametrize("missing", ["leave", "unset"])
def test_a_dry_run_says_what_the_run_then_does(profiles: tk.ProfileTable, missing: Any) -> None:
    profiles.set("1", {"plan": "pro", "n": 1})
    frame = pd.DataFrame({"distinct_id": ["1", "2"], "plan": ["free", "x"], "n": [np.nan, 2]})
    before = contents(profiles)
    dry = profiles.set(frame, dry_run=True, missing=missing)
    assert contents(profiles) == before
    assert len(profiles.batches) == 1
    assert "dry run, nothing written" in repr(dry)
    wet = profiles.set(frame, missing=missing)
    for name in ("created", "updated", "unchanged", "matched"):
        assert getattr(dry, name) == getattr(wet, name)
    assert dry.properties.equals(wet.properties)
    assert dry.changes.equals(wet.changes)
    with pytest.raises(ReadOnlyError):
        profiles.as_of(batch=1).set(frame)
    assert profiles.as_of(batch=1).set(frame, dry_run=True).updated == 1


def test_ignore_time_leaves_updated_at(profiles: tk.ProfileTable) -> None:
    frame = pd.DataFrame({"distinct_id": ["1", "2"], "plan": ["free", "pro"], "n": [1, 2]})
    profiles.set(frame, ignore_time=True)
    profiles.set(frame.assign(n=[1, np.nan]), ignore_time=True, missing="unset")
    assert profiles.last_seen("1") is None
    assert profiles.last_seen("2") is None


def test_of_rows_with_one_id_the_last_wins_and_the_report_says_so(
    profiles: tk.ProfileTable,
) -> None:
    frame = pd.DataFrame({"distinct_id": [1, 1.0, "1"], "a": [1, 2, None], "b": ["x", None, None]})
    report = profiles.set(frame)
    assert profiles["1"] == {"a": 2, "b": "x"}
    assert report.notes[0].startswith("2 rows with an ID from an earlier row")


def test_limits_hold_and_a_second_run_is_still_quiet(tmp_path: Path) -> None:
    profiles = tk.ProfileTable(limits="mixpanel")
    frame = pd.DataFrame({"distinct_id": ["1"], "text": ["x" * 300], "deep": [{"a" * 300: "b"}]})
    report = profiles.set(frame)
    assert len(profiles["1"]["text"]) == 255  # type: ignore[arg-type]
    assert "text cut to 255 bytes" in repr(report)
    assert profiles.set(frame).batch_id is None


def test_the_table_of_a_group_is_set_from_a_frame_too(profiles: tk.ProfileTable) -> None:
    companies = profiles.groups("company")
    frame = pd.DataFrame({"distinct_id": ["acme", "zeta"], "seats": [1, 2], "plan": ["a", "b"]})
    assert companies.set(frame).created == 2
    report = companies.set(frame.assign(plan=["a", None]), missing="unset")
    assert companies["zeta"] == {"seats": 2}
    assert report.updated == 1
    assert len(profiles) == 0


def test_what_cannot_be_a_source_is_refused_in_words(profiles: tk.ProfileTable) -> None:
    frame = pd.DataFrame({"customer": ["1"], "plan": ["pro"]})
    with pytest.raises(FrameError, match='no column "distinct_id" for key'):
        profiles.set(frame)
    with pytest.raises(ArgumentError, match="key="):
        profiles.set(frame, "customer")  # type: ignore[call-overload]
    with pytest.raises(ArgumentError, match="allowed are leave, unset"):
        profiles.set(frame, key="customer", missing="drop")  # type: ignore[call-overload]
    with pytest.raises(ArgumentError, match="dry_run= is for a DataFrame"):
        profiles.set("1", {"plan": "pro"}, dry_run=True)  # type: ignore[call-overload]
    with pytest.raises(ArgumentError, match="a distinct ID and properties"):
        profiles.set("1")  # type: ignore[call-overload]
    with pytest.raises(FrameError, match="without a distinct ID"):
        profiles.set(pd.DataFrame({"distinct_id": ["1", None]}))
    with pytest.raises(FrameError, match="bucket"):
        profiles.set(frame.assign(bucket=1), key="customer")
    assert len(profiles) == 0


cells = st.none() | st.sampled_from(["a", "b", 1, 2.5, True, 2**70]) | st.lists(st.integers(0, 2))
frames = st.lists(
    st.fixed_dictionaries({"distinct_id": st.sampled_from("1234"), "a": cells, "b": cells}),
    max_size=6,
)


@settings(max_examples=examples(80), deadline=None)
@given(frames, frames, st.sampled_from(["leave", "unset"]))
def test_FRAME_1_the_result_is_that_of_setting_all_and_twice_is_once(
    first: list[dict[str, Any]], second: list[dict[str, Any]], missing: Any
) -> None:
    table, other = tk.ProfileTable(), tk.ProfileTable()
    for rows in (first, second):
        frame = pd.DataFrame(rows, columns=["distinct_id", "a", "b"], dtype=object)
        table.set(frame, missing=missing)
        last: dict[str, dict[str, Any]] = {}
        for row in rows:  # CSV-8
            properties = {"a": row["a"], "b": row["b"]}
            known = last.setdefault(row["distinct_id"], {})
            known.update({name: each for name, each in properties.items() if each is not None})
        for distinct_id, properties in last.items():
            other.set(distinct_id, properties)
            if missing == "unset":
                other.unset(distinct_id, [name for name in "ab" if name not in properties])
        number = len(table.batches)
        assert table.set(frame, missing=missing).batch_id is None
        assert len(table.batches) == number
    assert {key: exactly(table[key]) for key in table} == {
        key: exactly(other[key]) for key in other
    }


def test_an_hourly_script_from_a_real_database(tmp_path: Path) -> None:
    """What docs/from-a-database.md does, with a database that changes."""

    def script() -> Any:
        query = "SELECT id AS distinct_id, email AS '$email', plan, seats, since FROM customers"
        with closing(sqlite3.connect(source)) as connection:
            frame = pd.read_sql(query, connection, dtype_backend="numpy_nullable")
        with tk.ProfileTable(tmp_path / "profiles.db") as profiles:
            return profiles.set(frame, source="customers")

    source = tmp_path / "shop.sqlite"
    with closing(sqlite3.connect(source)) as connection, connection:
        connection.execute("CREATE TABLE customers (id INTEGER, email, plan, seats INT, since)")
        rows = [
            (at, f"{at}@x.org", "free", at if at % 3 else None, "2026-01-01") for at in range(50)
        ]
        connection.executemany("INSERT INTO customers VALUES (?, ?, ?, ?, ?)", rows)
    assert script().created == 50
    assert script().batch_id is None
    with closing(sqlite3.connect(source)) as connection, connection:
        connection.execute("UPDATE customers SET plan = 'pro' WHERE id < 5")
        connection.execute("UPDATE customers SET seats = NULL WHERE id = 10")
        connection.execute("INSERT INTO customers VALUES (50, 'new@x.org', 'free', 1, NULL)")
    report = script()
    assert (report.created, report.updated, report.unchanged) == (1, 5, 45)
    assert report.properties.set_index("property")["changed"].to_dict() == {
        "$email": 0, "plan": 5, "seats": 0,
    }  # fmt: skip
    with tk.ProfileTable(tmp_path / "profiles.db") as profiles:
        assert profiles["10"]["seats"] == 10
        assert exactly(profiles["4"]) == exactly(
            {"$email": "4@x.org", "plan": "pro", "seats": 4, "since": "2026-01-01"}
        )
        assert profiles["50"] == {"$email": "new@x.org", "plan": "free", "seats": 1}
        assert profiles.batches["source"].tolist() == ["customers", "customers"]
        assert profiles.check().problems == ()


def test_a_large_frame_that_unsets_is_logged_in_columns_to_the_same_effect(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = []
    for at_most in (0, 1_000):
        monkeypatch.setattr(log, "_AS_MESSAGES_AT_MOST", at_most)
        with tk.ProfileTable(tmp_path / f"{at_most}.db") as table:
            frame = pd.DataFrame({"distinct_id": list("abcd"), "n": range(4), "t": ["x"] * 4})
            table.set(frame, time="2026-01-01")
            frame["t"] = [None, "y", None, "x"]
            report = table.set(frame, missing="unset", time="2026-02-01")
            assert (report.updated, report.unchanged) == (3, 1)
            [updates] = table._engine.log.updates(2)
            assert isinstance(updates, list) == (at_most == 1_000)
            assert table.check().problems == ()
            batches = table.batches.drop(columns="time").to_numpy().tolist()
            states = [table.frame, table.as_of("2026-01-15").frame, table.as_of("2026-02-15").frame]
            assert table.as_of("2026-02-15").last_seen("a") == pd.Timestamp("2026-02-01", tz="UTC")
            history = [table.history(each).drop(columns="arrived") for each in "abcd"]
            undone = [table.undo(2).updated, table.frame]
            told.append([batches, [each.to_dict() for each in (*states, *history)], undone[0]])
            assert undone[1]["t"].tolist() == ["x"] * 4
    assert str(told[0]) == str(told[1])
