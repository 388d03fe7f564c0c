"""Profiles counted and measured without events."""

from __future__ import annotations

import math
from typing import Any

import duckdb
import matplotlib as mpl
import pandas as pd
import pytest

import toolkit as tk
from tests.funnel_logs import events_of, profiles_of
from toolkit import event, group, user
from toolkit.base import errors

mpl.use("Agg")


@pytest.fixture
def profiles() -> tk.ProfileTable:
    return profiles_of(
        {
            "ann": {"plan": "pro", "age": 30, "$created": "2026-01-31", "tags": ["x", "y"]},
            "bob": {"plan": "pro", "age": 20, "$created": "2026-02-01T00:00:00Z", "tags": ["y"]},
            "cem": {"plan": "free", "age": "n/a", "tags": []},
            "eve": {},
        }
    )


def rows(report: Any) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in report.table.to_numpy(dtype=object).tolist()]


def test_profiles_are_counted_by_their_properties(profiles: tk.ProfileTable) -> None:
    assert rows(tk.profile_report(profiles)) == [(4,)]
    report = tk.profile_report(profiles, by=user["plan"])
    assert rows(report) == [("pro", 2), ("free", 1), ("(not set)", 1)]
    assert report.users(segment="pro") == report.users(**report.cell(0)) == ["ann", "bob"]
    assert report.users() == ["ann", "bob", "cem", "eve"]
    assert tk.profile_report(profiles, by="plan").table.equals(report.table)
    lists = tk.profile_report(profiles, by="tags")
    assert rows(lists) == [("y", 2), ("(empty list)", 1), ("x", 1), ("(not set)", 1)]


@pytest.mark.parametrize(
    ("measure", "value"),
    [("sum", 50), ("average", 25.0), ("median", 25.0), ("min", 20.0), ("max", 30.0), ("p90", 29.0)],
)
def test_a_property_is_measured(profiles: tk.ProfileTable, measure: str, value: float) -> None:
    report = tk.profile_report(profiles, measure=measure, of=user["age"])
    assert rows(report) == [(pytest.approx(value),)]
    assert report.users() == ["ann", "bob"]
    assert any("because of a value that is not a number: 1 user." in note for note in report.notes)


def test_distinct_values_are_of_any_type(profiles: tk.ProfileTable) -> None:
    assert rows(tk.profile_report(profiles, measure="distinct", of="age")) == [(3,)]
    assert rows(tk.profile_report(profiles, measure="distinct", of="tags")) == [(2,)]


def test_dates_make_months_in_a_time_zone(profiles: tk.ProfileTable) -> None:
    by = tk.bucket(user["$created"], "month")
    assert rows(tk.profile_report(profiles, by=by)) == [
        ("2026-01", 1),
        ("2026-02", 1),
        ("(not set)", 2),
    ]
    there = tk.profile_report(profiles, by=by, tz="America/New_York")
    assert rows(there) == [("2026-01", 2), ("(not set)", 2)]
    seen = tk.profile_report(profiles, by=tk.bucket(user["$last_seen"], "year"))
    assert len(seen.table) == 1


def test_where_and_top_and_several_breakdowns(profiles: tk.ProfileTable) -> None:
    report = tk.profile_report(profiles, by=[user["plan"], user["tags"]], where=user["age"] == 30)
    assert rows(report) == [("pro", "x", 1), ("pro", "y", 1)]
    top = tk.profile_report(profiles, by=user["tags"], top=1)
    assert rows(top) == [("y", 2), ("(other)", 2), ("(not set)", 1)]
    assert top.users(segment="(other)") == ["ann", "cem"]


def test_with_events_all_users_seen_in_them_count(profiles: tk.ProfileTable) -> None:
    frame = events_of(
        ("View", "ann", "2026-05-03"), ("View", "dan", "2026-05-02"), ("View", None, "2026-05-01")
    )
    report = tk.profile_report(profiles, events=frame, by=user["plan"])
    assert rows(report) == [("pro", 2), ("free", 1), ("(not set)", 2)]
    assert report.users(segment="(not set)") == ["dan", "eve"]
    assert any("without a profile" in note for note in report.notes)
    seen = tk.profile_report(
        profiles, events=frame, by=tk.bucket(user["$mp_first_event_time"], "day")
    )
    assert rows(seen) == [("2026-05-02", 1), ("2026-05-03", 1), ("(not set)", 3)]


def test_no_profiles_make_no_segments() -> None:
    nobody = tk.ProfileTable()
    assert rows(tk.profile_report(nobody)) == [(0,)]
    report = tk.profile_report(nobody, measure="average", of="age")
    assert math.isnan(report.table["value"][0])
    report.plot()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"measure": "total"}, "allowed are count, sum"),
        ({"measure": "sum"}, "needs of="),
        ({"of": "age"}, "uses no property"),
        ({"by": event["item"]}, "is a property of events"),
        ({"where": event["item"] == 1}, "is a property of events"),
        ({"by": group("company")["plan"]}, "is of groups"),
        ({"where": group("company")["plan"] == "pro"}, "is of groups"),
        ({"measure": "sum", "of": group("company")["seats"]}, "is of groups"),
        ({"by": user["$mp_first_event_time"]}, "give events="),
        ({"top": 1}, "top= needs a breakdown"),
        ({"top": 0, "by": "plan"}, "top=0"),
        ({"by": user["$bucket"]}, "hidden"),
    ],
)
def test_what_needs_events_or_makes_no_sense_is_refused(
    profiles: tk.ProfileTable, arguments: dict[str, Any], said: str
) -> None:
    with pytest.raises(errors.ReportError, match=said):
        tk.profile_report(profiles, **arguments)


def test_of_the_sample_data_it_is_what_sql_says() -> None:
    files = tk.sample_files()
    profiles = tk.ProfileTable()
    tk.import_csv(profiles, files["profiles"])
    data = duckdb.connect()
    data.execute(f"create table p as from read_csv('{files['profiles']}', all_varchar = true)")
    for measure, sql in (
        ("count", "count(*)"),
        ("average", "avg(age::int)"),
        ("median", "median(age::int)"),
        ("sum", "sum(age::int)"),
    ):
        of = None if measure == "count" else user["age"]
        by = tk.bucket(user["$created"], "month")
        table = tk.profile_report(profiles, measure=measure, of=of, by=by).table
        told = data.execute(
            f"select strftime(created::timestamp, '%Y-%m'), {sql} from p group by 1 order by 1"
        ).fetchall()
        assert table.iloc[:, 0].tolist() == [month for month, _ in told]
        assert table.iloc[:, -1].tolist() == pytest.approx([float(value) for _, value in told])
        assert isinstance(table, pd.DataFrame)


def test_a_cohort_is_a_filter_and_a_breakdown(profiles: tk.ProfileTable) -> None:
    nobody = events_of(("View", "ann", "2026-05-03"))
    grown = tk.cohort(nobody, profiles, user["age"] == 30, name="grown")
    assert rows(tk.profile_report(profiles, by=grown)) == [("In grown", 1), ("Not in grown", 3)]
    assert tk.profile_report(profiles, where=grown).users() == ["ann"]


def test_with_events_what_users_did_is_a_filter(profiles: tk.ProfileTable) -> None:
    frame = events_of(
        ("Buy", "bob", "2026-05-01T10:00Z"),
        ("Buy", "guest", "2026-05-02T10:00Z"),
        ("Buy", None, "2026-05-02T10:00Z"),
        ("View", "cem", "2026-05-03T10:00Z"),
    )
    for where in (tk.did("Buy"), ~tk.did("Buy"), tk.did("Buy") & (user["plan"] == "pro")):
        report = tk.profile_report(profiles, events=frame, where=where)
        assert report.users() == list(tk.cohort(frame, profiles, where))
        assert rows(report) == [(len(report.users()),)]
    assert tk.profile_report(profiles, events=frame, where=tk.did("Buy")).users() == [
        "bob", "guest",
    ]  # fmt: skip
    notes = tk.profile_report(profiles, events=frame, where=tk.did("Bye")).notes
    assert 'No event is named "Bye". Did you mean "Buy"?' in notes
    with pytest.raises(errors.ReportError, match="give events="):
        tk.profile_report(profiles, where=tk.did("Buy"))
