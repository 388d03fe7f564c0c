"""Retention: the numbers of the definition, worked out by hand, in SQL and by a loop."""

from __future__ import annotations

import inspect
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st

import toolkit as tk
from tests.effort import examples
from tests.moments import START, later
from toolkit import event, user
from toolkit.base import errors
from toolkit.base.values import Json
from toolkit.reports.drawing import plots
from toolkit.reports.form.choices import Choices
from toolkit.reports.form.declared import DECLARED
from toolkit.reports.question.segments import label
from toolkit.reports.retention import entries

mpl.use("Agg")

DAY = 86_400
CRITERIA = ["on", "on_or_after", "on_or_before", "streak"]


def events_of(*rows: tuple[Any, ...], **columns: Any) -> pd.DataFrame:
    """Return events from (event, distinct_id, time) and further columns.

    Small numbers are seconds after the start of 2026.
    """
    frame = pd.DataFrame(list(rows), columns=["event", "distinct_id", "time"], dtype=object)
    frame["time"] = frame["time"].map(later)
    return frame.assign(**{name: pd.Series(values) for name, values in columns.items()})


def profiles_of(profiles: dict[str, dict[str, Json]]) -> tk.ProfileTable:
    table = tk.ProfileTable()
    messages = [{"$distinct_id": key, "$set": properties} for key, properties in profiles.items()]
    assert not len(table.apply(messages).rejected)
    return table


def cells(report: Any, column: str = "retained") -> dict[tuple[Any, ...], Any]:
    """Return the cells of a table: the segment if there is one, cohort, bucket; then the value."""
    table = report.table
    found = {}
    for row in table.to_dict("records"):
        key = (f"{row['cohort']:%Y-%m-%d}", row["bucket"])
        if report.definition["by"] is not None:
            key = (row[report.definition["by"]], *key)
        found[key] = row[column]
    assert len(found) == len(table)
    return found


def row(report: Any, column: str = "retained") -> list[Any]:
    """Return the cells of the first cohort."""
    table = report.table
    return table.loc[table["cohort"] == table["cohort"].iloc[0], column].tolist()


# -- the worked numbers -------------------------------------------------------------------


def test_monday_20_to_tuesday_6_is_day_1_of_the_calendar_and_day_0_of_rolling_time() -> None:
    df = events_of(("A", "ann", "2026-05-04T20:00Z"), ("B", "ann", "2026-05-05T06:00Z"))
    asked = {"birth": "A", "back": "B", "criteria": "on", "end": "2026-05-06"}
    assert row(tk.retention(df, None, **asked, mode="rolling"))[:2] == [1, 0]
    assert row(tk.retention(df, None, **asked, mode="calendar"))[:2] == [0, 1]


def test_day_n_is_hours_24n_to_24n_plus_24() -> None:
    born = pd.Timestamp("2026-05-04T20:00Z")
    instant = pd.Timedelta(microseconds=1)
    for n in range(4):
        for shift, day in ((-instant, n - 1), (0 * instant, n), (instant, n)):
            at = born + n * pd.Timedelta(hours=24) + shift
            df = events_of(("A", "ann", born), ("B", "ann", at))
            report = tk.retention(df, None, "A", "B", criteria="on", end="2026-05-10", buckets=5)
            assert row(report) == [int(bucket == day) for bucket in range(5)]


@pytest.mark.parametrize(("unit", "days"), [("week", 7), ("month", 30)])
def test_a_rolling_week_has_7_days_and_a_month_30(unit: Any, days: int) -> None:
    born = pd.Timestamp("2026-01-30T12:00Z")
    end = born + pd.Timedelta(days=days)
    df = events_of(
        ("A", "in", born),
        ("A", "out", born),
        ("B", "in", end - pd.Timedelta(microseconds=1)),
        ("B", "out", end),
    )
    report = tk.retention(df, None, "A", "B", unit=unit, criteria="on", end="2026-06-30", buckets=2)
    assert report.users(bucket=0) == ["in"]
    assert report.users(bucket=1) == ["out"]


def cohorts_of(*sizes: tuple[int, int]) -> pd.DataFrame:
    """Return a cohort a day from 2026-05-01 on, of so many users, of whom so many come back.

    They are born at noon, and come back an hour more than a day later.
    """
    rows = []
    for day, (size, retained) in enumerate(sizes):
        born = 1_777_593_600 + day * DAY + 12 * 3_600
        rows += [("A", f"{day}-{n}", born) for n in range(size)]
        rows += [("B", f"{day}-{n}", born + 25 * 3_600) for n in range(retained)]
    return events_of(*rows)


def test_the_average_of_500_of_1000_and_400_of_500_is_466_67_of_833_33_or_56_percent() -> None:
    df = cohorts_of((1_000, 500), (500, 400), (700, 10))
    asked = {"birth": "A", "back": "B", "criteria": "on", "buckets": 2}
    for mode, end in (("rolling", "2026-05-04"), ("calendar", "2026-05-03")):
        report = tk.retention(df, None, **asked, mode=mode, end=end)
        table = report.table[report.table["bucket"] == 1].head(3)
        assert table["size"].tolist() == [1_000, 500, 700][: len(table)]
        if mode == "rolling":
            assert table["retained"].tolist() == [500, 400, 10]
            assert table["complete"].tolist() == [True, True, False]
        average = report.average.set_index("bucket").loc[1]
        assert average["cohorts"] == 2
        assert average["retained"] == pytest.approx(466.666_667)
        assert average["size"] == pytest.approx(833.333_333)
        assert average["rate"] == pytest.approx(0.56)


# -- who is retained ----------------------------------------------------------------------


def test_each_criterion_counts_the_same_returns_in_its_own_way() -> None:
    born = 1_777_593_600
    df = events_of(("A", "ann", born), *[("B", "ann", born + day * DAY) for day in (0, 1, 3)])
    asked = {"birth": "A", "back": "B", "end": "2026-05-10", "buckets": 5}
    found = {name: row(tk.retention(df, None, **asked, criteria=name)) for name in CRITERIA}
    assert found == {
        "on": [1, 1, 0, 1, 0],
        "on_or_after": [1, 1, 1, 1, 0],
        "on_or_before": [1, 1, 1, 1, 1],
        "streak": [1, 1, 0, 0, 0],
    }


def test_on_or_after_counts_what_comes_after_the_last_bucket() -> None:
    df = events_of(("A", "ann", "2026-05-01"), ("B", "ann", "2026-05-09"))
    report = tk.retention(df, None, "A", "B", buckets=3)
    assert row(report) == [1, 1, 1]
    gap = tk.retention(df, None, "A", "B", buckets=[(0, 1), (3, 4), (9, 9)], end="2026-05-20")
    assert row(gap) == [1, 1, 0]


def test_brackets_join_units_and_may_leave_some_out() -> None:
    born = 1_777_593_600
    ids = {"zero": 0, "one": 1, "three": 3, "five": 5, "nine": 9}
    df = events_of(
        *[("A", name, born) for name in ids],
        *[("B", name, born + day * DAY) for name, day in ids.items()],
    )
    asked = {"birth": "A", "back": "B", "criteria": "on", "end": "2026-05-20"}
    edges = tk.retention(df, None, **asked, buckets=[0, 1, 4, 8])
    pairs = tk.retention(df, None, **asked, buckets=[(0, 0), (1, 3), (4, 7)])
    assert row(edges) == row(pairs) == [1, 2, 1]
    assert edges.buckets == ["day 0", "days 1 to 3", "days 4 to 7"]
    assert edges.users(bucket=1) == ["one", "three"]
    gap = tk.retention(df, None, **asked, buckets=[(1, 1), (4, 20)])
    assert row(gap) == [1, 2]
    before = tk.retention(
        df, None, **{**asked, "criteria": "on_or_before"}, buckets=[(1, 1), (4, 20)]
    )
    assert row(before) == [2, 5]


def test_a_streak_needs_every_bucket_from_the_first() -> None:
    born = 1_777_593_600
    visits = {"all": (0, 1, 2), "late": (1, 2), "gap": (0, 2), "twice": (0, 0, 1)}
    rows = [("A", name, born) for name in visits]
    rows += [
        ("B", name, born + d * DAY + 60 + n) for name in visits for n, d in enumerate(visits[name])
    ]
    report = tk.retention(
        events_of(*rows), None, "A", "B", criteria="streak", end="2026-05-10", buckets=3
    )
    assert [report.users(bucket=bucket) for bucket in range(3)] == [
        ["all", "gap", "twice"],
        ["all", "twice"],
        ["all"],
    ]
    two_days = tk.retention(
        events_of(*rows), None, "A", "B", criteria="streak", end="2026-05-10", buckets=[1, 2, 3]
    )
    assert row(two_days) == [3, 2]


def test_a_user_is_counted_once_a_bucket() -> None:
    df = events_of(("A", "ann", 0), *[("B", "ann", second) for second in range(1, 50)])
    report = tk.retention(df, None, "A", "B", criteria="on", end="2026-01-03", buckets=2)
    assert row(report) == [1, 0]
    assert row(report, "size") == [1, 1]


def test_the_birth_is_no_return_and_neither_is_a_copy_of_it() -> None:
    df = events_of(("A", "ann", 0), ("A", "ann", 0), ("A", "bob", 0), ("A", "bob", 1))
    for back in ("A", None):
        for criteria in CRITERIA:
            report = tk.retention(df, None, "A", back, criteria=criteria)
            assert report.users(cohort="2026-01-01", bucket=0) == ["bob"]


@pytest.mark.parametrize("copies", [2, 9, 40])
def test_many_births_at_one_moment_are_one(copies: int) -> None:
    rows = [("A", who, 0) for who in ("ann", "bob") for _ in range(copies)]
    df = events_of(*rows, ("B", "bob", 0), ("A", "eve", 0), ("A", "eve", 1))
    for criteria in CRITERIA:
        report = tk.retention(df, None, "A", None, criteria=criteria)
        assert report.users(bucket=0) == ["bob", "eve"]


def test_births_of_segments_in_turn_are_one_birth_a_segment() -> None:
    items = ["tea", "jam", "tea", "jam", ["tea", "jam"]]
    df = events_of(*[("Buy", "ann", second) for second in range(5)], item=items)
    report = tk.retention(df, None, "Buy", by="item", criteria="on")
    assert cells(report, "size") == {("jam", "2026-01-01", 0): 1, ("tea", "2026-01-01", 0): 1}
    summed = tk.retention(
        df.assign(n=1), None, "Buy", by="item", criteria="on", measure="sum", of="n"
    )
    # After the first tea there are four events, after the first jam three.
    assert cells(summed, "value") == {("tea", "2026-01-01", 0): 4, ("jam", "2026-01-01", 0): 3}


def test_what_else_happens_at_the_moment_of_the_birth_is_a_return_whatever_the_order() -> None:
    rows = [("A", "ann", 5), ("B", "ann", 5), ("A", "ann", 5), ("B", "bob", 4), ("A", "bob", 5)]
    for order in ([0, 1, 2, 3, 4], [1, 0, 2, 3, 4], [4, 3, 2, 1, 0], [1, 2, 0, 4, 3]):
        df = events_of(*[rows[at] for at in order])
        for back in ("B", None):
            for criteria in CRITERIA:
                report = tk.retention(df, None, "A", back, criteria=criteria)
                assert report.users(bucket=0) == ["ann"]
                assert report.users(bucket=0, retained=False) == ["bob"]


def test_what_happened_before_the_birth_is_no_return() -> None:
    df = events_of(("B", "ann", "2026-05-01T10:00Z"), ("A", "ann", "2026-05-01T11:00Z"))
    for mode in ("rolling", "calendar"):
        assert row(tk.retention(df, None, "A", "B", mode=mode))[0] == 0


def test_with_any_event_a_birth_of_a_later_period_is_a_return_to_an_earlier_one() -> None:
    df = events_of(("A", "ann", "2026-05-01T10:00Z"), ("A", "ann", "2026-05-03T11:00Z"))
    report = tk.retention(df, None, None, criteria="on", end="2026-05-05")
    assert cells(report)["2026-05-01", 2] == 1
    assert cells(report, "size")["2026-05-03", 0] == 1
    assert cells(report)["2026-05-03", 0] == 0


# -- who is in which cohort ---------------------------------------------------------------


@pytest.fixture
def recurring() -> pd.DataFrame:
    return events_of(
        ("Buy", "ann", "2026-05-04T10:00Z"),
        ("Buy", "ann", "2026-05-05T09:00Z"),
        ("Buy", "ann", "2026-05-12T10:00Z"),
        ("Buy", "bob", "2026-05-13T10:00Z"),
        ("View", "ann", "2026-05-20T10:00Z"),
        item=["tea", "jam", "jam", "tea", None],
    )


def test_a_user_enters_the_cohort_of_each_period_with_a_birth_at_the_first_one(
    recurring: pd.DataFrame,
) -> None:
    report = tk.retention(recurring, None, "Buy", unit="week", criteria="on")
    assert cells(report, "size") == {
        ("2026-05-04", 0): 1,
        ("2026-05-04", 1): 1,
        ("2026-05-04", 2): 1,
        ("2026-05-11", 0): 2,
        ("2026-05-11", 1): 2,
        ("2026-05-18", 0): 0,
    }
    assert cells(report)["2026-05-04", 0] == 1  # the purchase of Tuesday
    assert cells(report)["2026-05-04", 1] == 1
    assert cells(report)["2026-05-11", 1] == 1
    assert report.users(cohort="2026-05-14") == ["ann", "bob"]


def test_birth_mode_first_has_only_the_first_birth_ever_before_the_start_too(
    recurring: pd.DataFrame,
) -> None:
    report = tk.retention(recurring, None, "Buy", unit="week", birth_mode="first")
    assert cells(report, "size")["2026-05-11", 0] == 1
    later = tk.retention(
        recurring, None, "Buy", unit="week", birth_mode="first", start="2026-05-11"
    )
    assert later.users(cohort="2026-05-11") == ["bob"]
    every = tk.retention(recurring, None, "Buy", unit="week", start="2026-05-11")
    assert every.users(cohort="2026-05-11") == ["ann", "bob"]


def test_steps_have_conditions_of_their_own(recurring: pd.DataFrame) -> None:
    tea = tk.step("Buy", where=event["item"] == "tea")
    jam = tk.step("Buy", where='event["item"] == "jam"')
    report = tk.retention(recurring, None, tea, jam, unit="week", criteria="on")
    assert report.users() == ["ann", "bob"]
    assert report.users(bucket=0) == report.users(bucket=1) == ["ann"]
    assert report.definition["birth"] == 'Buy where event["item"] == "tea"'
    both = tk.retention(recurring, None, "Buy", unit="week", where=event["item"] == "jam")
    assert both.users() == ["ann"]


def test_a_breakdown_by_the_event_is_that_of_the_birth_and_equals_a_filter(
    recurring: pd.DataFrame,
) -> None:
    report = tk.retention(recurring, None, "Buy", unit="week", criteria="on", by="item")
    for item in ("tea", "jam"):
        birth = tk.step("Buy", where=event["item"] == item)
        only = tk.retention(recurring, None, birth, None, unit="week", criteria="on")
        for column in ("size", "retained"):
            found = cells(report, column)
            assert {key[1:]: found[key] for key in found if key[0] == item} == cells(only, column)
    first = tk.retention(recurring, None, "Buy", unit="week", by="item", birth_mode="first")
    assert first.users(segment="tea") == ["ann", "bob"]
    assert list(first.table["event.item"].unique()) == ["tea"]


@pytest.mark.parametrize("birth_mode", ["any", "first"])
@pytest.mark.parametrize("criteria", CRITERIA)
def test_what_happens_with_another_value_at_the_moment_of_the_birth_is_a_return_to_its_segment(
    criteria: Any, birth_mode: Any
) -> None:
    df = events_of(("B", "ann", 0), ("A", "ann", 0), ("A", "ann", 0), p=[1, "y", ["y", 1]])
    report = tk.retention(df, None, None, by="p", criteria=criteria, birth_mode=birth_mode)
    assert report.users(segment=1, bucket=0) == ["ann"]
    if birth_mode == "any":
        assert report.users(segment="y", bucket=0) == ["ann"]
    for value in (1, "y"):
        where = event["p"].any() == value if value == "y" else event["p"] == value
        birth = tk.step(None, where=where)
        only = tk.retention(df, None, birth, criteria=criteria, birth_mode=birth_mode)
        assert only.users(bucket=0) == ["ann"]
    same = events_of(("B", "ann", 0), ("A", "ann", 0), p=[1, 1.0])
    assert tk.retention(same, None, None, by="p", criteria=criteria).users(bucket=0) == []


def test_a_list_counts_a_user_once_in_each_distinct_element() -> None:
    profiles = profiles_of({"ann": {"tags": ["x", "y", "x"]}, "bob": {"tags": "x"}, "eve": {}})
    df = events_of(
        ("A", "ann", 0),
        ("A", "bob", 0),
        ("A", "eve", 0),
        ("B", "ann", 9),
        t=[["p", "q"], ["p"], [], None],
    )
    report = tk.retention(df, profiles, "A", "B", by=user["tags"])
    table = report.table[report.table["bucket"] == 0]
    assert table["user.tags"].tolist() == ["x", "y", "(not set)"]
    assert table["size"].tolist() == [2, 1, 1]
    assert table["retained"].tolist() == [1, 1, 0]
    assert report.users(segment="x") == ["ann", "bob"]
    assert report.users(segment="y", bucket=0) == ["ann"]
    of_birth = tk.retention(df, profiles, "A", "B", by="t")
    table = of_birth.table[of_birth.table["bucket"] == 0]
    assert dict(zip(table["event.t"], table["size"], strict=True)) == {
        "p": 2,
        "q": 1,
        "(empty list)": 1,
    }


def test_JOIN_4_at_event_time_a_breakdown_is_as_of_the_birth() -> None:
    profiles = tk.ProfileTable()
    profiles.set("ann", {"plan": "free"}, time="2026-05-01")
    profiles.set("ann", {"plan": "pro"}, time="2026-05-10")
    df = events_of(
        ("A", "ann", "2026-05-04"), ("A", "ann", "2026-05-11"), ("B", "ann", "2026-05-12")
    )
    asked = {"birth": "A", "back": "B", "unit": "week", "by": user["plan"]}
    then = tk.retention(df, profiles, **asked, at="event time")
    assert then.users(segment="free") == ["ann"]
    assert cells(then, "size")["free", "2026-05-04", 0] == 1
    assert cells(then, "size")["pro", "2026-05-11", 0] == 1
    now = tk.retention(df, profiles, **asked)
    assert now.table["user.plan"].unique().tolist() == ["pro"]


def test_segments_stand_by_size_then_by_name_and_not_set_last() -> None:
    profiles = profiles_of({"1": {"p": "b"}, "2": {"p": "a"}, "3": {"p": "c"}, "4": {"p": "c"}})
    df = events_of(*[("A", f"{n}", 0) for n in range(1, 9)])
    report = tk.retention(df, profiles, "A", by=user["p"])
    assert report.table["user.p"].unique().tolist() == ["c", "a", "b", "(not set)"]
    assert report.average["user.p"].unique().tolist() == ["c", "a", "b", "(not set)"]


# -- complete and incomplete cells --------------------------------------------------------


def test_a_rolling_cell_is_complete_when_it_is_over_for_the_last_born_of_the_cohort() -> None:
    df = events_of(("A", "ann", "2026-05-01T00:00Z"), ("B", "ann", "2026-05-01T01:00Z"))
    for end, complete in (
        ("2026-05-02T23:59", [False, False]),
        ("2026-05-03T00:00", [True, False]),
        ("2026-05-03T00:01", [True, False, False]),
        ("2026-05-04T00:00", [True, True, False]),
    ):
        report = tk.retention(df, None, "A", "B", start="2026-05-01", end=end, criteria="on")
        assert row(report, "complete") == complete
        assert row(report)[0] == 1


def test_a_calendar_cell_is_complete_when_its_period_is_over() -> None:
    df = events_of(("A", "ann", "2026-05-01T00:00Z"))
    report = tk.retention(df, None, "A", mode="calendar", end="2026-05-03T12:00")
    assert row(report, "complete") == [True, True, False]
    whole = tk.retention(df, None, "A", mode="calendar", end="2026-05-03")
    assert row(whole, "complete") == [True, True, True]


def test_cells_that_have_not_begun_have_no_row() -> None:
    df = events_of(("A", "ann", "2026-05-01T00:00Z"))
    report = tk.retention(df, None, "A", mode="calendar", end="2026-05-03", buckets=9)
    assert list(cells(report)) == [
        ("2026-05-01", 0),
        ("2026-05-01", 1),
        ("2026-05-01", 2),
        ("2026-05-02", 0),
        ("2026-05-02", 1),
        ("2026-05-03", 0),
    ]
    assert len(report.average) == 9
    assert report.average["rate"].isna().tolist() == [False] * 3 + [True] * 6
    assert report.users(bucket=8, retained=False) == []


def test_incomplete_cells_are_starred_noted_and_out_of_the_average() -> None:
    df = cohorts_of((4, 2), (4, 4))
    report = tk.retention(df, None, "A", "B", criteria="on", buckets=2, end="2026-05-03")
    assert "Incomplete, so starred and left out of averages: 2 of 5 cells" in report.notes[-1]
    average = report.average
    assert average["cohorts"].tolist() == [2, 1]
    assert average["rate"].tolist() == [0.0, 0.5]
    assert "100.0%*" in report._repr_html_()


def test_an_average_of_no_complete_cohort_is_missing() -> None:
    df = events_of(("A", "ann", "2026-05-01T10:00Z"))
    report = tk.retention(df, None, "A")
    assert report.average[["size", "retained", "rate"]].isna().all(axis=None)
    assert report.average["cohorts"].tolist() == [0]


def test_a_first_period_that_the_range_cuts_is_noted(recurring: pd.DataFrame) -> None:
    report = tk.retention(recurring, None, "Buy", unit="week", start="2026-05-05", criteria="on")
    assert any("first week (2026-05-04) is cut" in note for note in report.notes)
    assert report.users(cohort="2026-05-04", bucket=0) == []


# -- calendars ----------------------------------------------------------------------------


def test_february_and_the_leap_day_have_their_own_months() -> None:
    df = events_of(
        ("A", "leap", "2024-01-31T23:59:59.999999Z"),
        ("B", "leap", "2024-02-29T23:59:59.999999Z"),
        ("A", "late", "2024-01-31T12:00Z"),
        ("B", "late", "2024-03-01T00:00Z"),
    )
    asked = {"birth": "A", "back": "B", "unit": "month", "criteria": "on", "end": "2024-04-30"}
    calendar = tk.retention(df, None, **asked, mode="calendar")
    assert [calendar.users(bucket=n) for n in range(3)] == [[], ["leap"], ["late"]]
    rolling = tk.retention(df, None, **asked, mode="rolling")  # 29 days later, and 29.5
    assert [rolling.users(bucket=n) for n in range(2)] == [["late", "leap"], []]


def test_the_day_the_clock_goes_forward_counts_as_a_day_of_the_calendar() -> None:
    df = events_of(
        ("A", "ann", "2026-03-28T23:30+01:00"),
        ("B", "ann", "2026-03-29T23:30+02:00"),  # 23 hours later
    )
    asked = {"birth": "A", "back": "B", "criteria": "on", "tz": "Europe/Oslo", "end": "2026-04-02"}
    assert row(tk.retention(df, None, **asked, mode="calendar"))[:2] == [0, 1]
    assert row(tk.retention(df, None, **asked, mode="rolling"))[:2] == [1, 0]
    report = tk.retention(df, None, **asked)
    assert str(report.table["cohort"].dtype) == "datetime64[us, Europe/Oslo]"


def test_naive_and_aware_times_and_any_order_of_rows_give_the_same(recurring: pd.DataFrame) -> None:
    aware = recurring.assign(time=pd.to_datetime(recurring["time"], utc=True))
    naive = aware.assign(time=aware["time"].dt.tz_localize(None))
    oslo = aware.assign(time=aware["time"].dt.tz_convert("Europe/Oslo")).sample(
        frac=1, random_state=1
    )
    expected = tk.retention(aware, None, "Buy", unit="week", by="item").table
    for df in (naive, oslo, oslo[::-1]):
        found = tk.retention(df, None, "Buy", unit="week", by="item").table
        pd.testing.assert_frame_equal(found, expected)


# -- sums and averages --------------------------------------------------------------------


def test_sum_and_average_are_of_the_returns_that_the_criterion_counts() -> None:
    born = 1_777_593_600
    df = events_of(
        ("A", "ann", born),
        ("A", "bob", born),
        ("B", "ann", born + 60),
        ("B", "ann", born + 120),
        ("B", "ann", born + 2 * DAY),
        ("B", "bob", born + DAY),
        ("B", "bob", born + DAY + 1),
        amount=[99, None, 10, 20, 5, 7, None],
    )
    asked = {"birth": "A", "back": "B", "of": "amount", "end": "2026-05-10", "buckets": 3}

    def values(measure: Any, criteria: Any) -> list[float]:
        return row(tk.retention(df, None, **asked, measure=measure, criteria=criteria), "value")

    assert values("sum", "on") == [30, 7, 5]
    assert values("sum", "on_or_after") == [42, 12, 5]
    assert values("sum", "on_or_before") == [30, 37, 42]
    assert values("sum", "streak") == [30, 0, 0]
    assert values("average", "on") == [15, 7, 5]
    assert values("average", "on_or_after") == [10.5, 6, 5]
    np.testing.assert_array_equal(values("average", "streak"), [15, np.nan, np.nan])
    report = tk.retention(df, None, **asked, measure="sum", criteria="on")
    assert row(report) == [1, 1, 1]
    assert report.average["value"].tolist() == [30, 7, 5]


def test_text_and_booleans_are_no_numbers() -> None:
    df = events_of(
        ("A", "ann", 0),
        ("B", "ann", 1),
        ("B", "ann", 2),
        ("B", "ann", 3),
        amount=[1, "5", True, 2.5],
    )
    asked = {"birth": "A", "back": "B", "of": event["amount"], "criteria": "on"}
    assert row(tk.retention(df, None, **asked, measure="sum"), "value")[0] == 2.5
    assert row(tk.retention(df, None, **asked, measure="average"), "value")[0] == 2.5


def test_averages_of_values_are_weighted_by_the_sizes_of_cohorts() -> None:
    df = cohorts_of((3, 3), (1, 1))
    amounts = [None, None, None, 10, 10, 10, None, 50]
    report = tk.retention(
        df.assign(amount=amounts),
        None,
        "A",
        "B",
        measure="average",
        of="amount",
        criteria="on",
        buckets=2,
        end="2026-05-10",
    )
    assert report.average["value"][1] == (3 * 10 + 1 * 50) / 4


# -- what is left out, and asked wrongly --------------------------------------------------


def test_hidden_timeless_and_unnamed_events_are_left_out_and_noted() -> None:
    df = events_of(
        ("A", "ann", "2026-05-01"),
        ("B", "ann", "2026-05-01"),
        ("B", "bob", "2026-05-01"),
        ("A", None, "2026-05-01"),
        ("B", "ann", "never"),
        ("C", "ann", "never"),
    )
    df["$bucket"] = [None, None, 1, None, None, None]
    profiles = profiles_of({"bob": {"plan": "pro"}})
    report = tk.retention(df, profiles, "A", "B", by=user["plan"])
    assert report.users() == ["ann"]
    assert report.notes[:4] == [
        "Without a profile, so (not set) in every user property: 1 event of 1 distinct ID.",
        "Not counted for any user, because they have no distinct ID: 1 event.",
        "Times without a time zone are read as UTC.",
        "Hidden, because of a value in $bucket or bucket: 1 event.",
    ]
    assert report.notes[4] == "Left out because their time cannot be read: 1 event."


def test_names_that_nobody_has_are_noted() -> None:
    df = events_of(("Sign Up", "ann", "2026-05-01T00:00Z"))
    report = tk.retention(df, None, "Sign up", "Buy")
    assert report.notes[0] == 'No event is named "Sign up". Did you mean "Sign Up"?'
    assert report.notes[1].startswith('No event is named "Buy".')
    assert report.is_empty
    assert report.table["size"].sum() == 0
    assert report.table["rate"].isna().all()


@pytest.mark.parametrize("df", [events_of(), events_of(("B", "ann", 0)), events_of(("A", None, 0))])
@pytest.mark.parametrize("by", [None, "event"])
def test_without_births_there_are_empty_cohorts_or_none(df: pd.DataFrame, by: Any) -> None:
    for criteria in CRITERIA:
        report = tk.retention(df, None, "A", by=by, criteria=criteria)
        assert report.is_empty
        assert report.users() == []
        assert report._repr_html_()
        for kind in ("curve", "triangle"):
            assert report.plot(kind=kind).get_title(loc="left")


def test_a_cohort_of_one_user() -> None:
    report = tk.retention(events_of(("A", "ann", 0)), None, "A", end="2026-01-04")
    assert report.users(cohort="2026-01-01") == ["ann"]
    assert row(report, "rate")[0] == 0.0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"unit": "hour"}, "unit='hour'.*day, week, month"),
        ({"unit": None}, "unit=None"),
        ({"criteria": "after"}, "criteria='after'.*on_or_after"),
        ({"mode": "sliding"}, "mode='sliding'.*rolling, calendar"),
        ({"birth_mode": "last"}, "birth_mode='last'"),
        ({"measure": "median"}, "measure='median'"),
        ({"measure": "sum"}, "needs of="),
        ({"of": "amount"}, "of= is for measure="),
        ({"measure": "sum", "of": user["age"]}, "a property of users"),
        ({"measure": "sum", "of": "time"}, "is a time"),
        ({"birth": 7}, "birth=7; give the name of an event"),
        ({"back": ["B"]}, r"back=\['B'\]"),
        ({"buckets": 0}, "buckets=0"),
        ({"buckets": True}, "buckets=True"),
        ({"buckets": []}, r"buckets=\[\]"),
        ({"buckets": [3]}, "buckets="),
        ({"buckets": [0, 0]}, "begins after the one before"),
        ({"buckets": [(0, 1), (1, 2)]}, "begins after the one before"),
        ({"buckets": [(-1, 1)]}, "begins after the one before"),
        ({"buckets": "0-3"}, "buckets='0-3'"),
        ({"buckets": [0, 10**7]}, "the last is"),
        ({"by": ["a", "a"]}, "has the same breakdown twice"),
        ({"by": event["$bucket"]}, "hidden"),
        ({"tz": "Mars"}, "not a time zone"),
    ],
)
def test_arguments_it_does_not_know_are_refused_with_those_it_does(
    arguments: dict[str, Any], said: str
) -> None:
    df = events_of(("A", "ann", 0), ("B", "ann", 1), amount=[1, 2])
    with pytest.raises(errors.ToolkitError, match=said):
        tk.retention(df, None, **{"birth": "A", **arguments})


def test_cells_that_there_are_not_are_refused() -> None:
    profiles = profiles_of({"ann": {"plan": "pro"}})
    report = tk.retention(events_of(("A", "ann", 0)), profiles, "A", by=user["plan"], buckets=3)
    for asked, said in (
        ({"cohort": "2026-05-01"}, "cohort=2026-05-01 is not in the report"),
        ({"bucket": 3}, "3 buckets, from 0"),
        ({"bucket": -1}, "3 buckets, from 0"),
        ({"segment": "pr"}, 'Did you mean "pro"'),
    ):
        with pytest.raises(errors.ReportError, match=said):
            report.users(**asked)
    with pytest.raises(errors.ReportError, match="needs a breakdown"):
        tk.retention(events_of(("A", "ann", 0)), None, "A").users(segment="pro")
    with pytest.raises(errors.ReportError, match="kind='pie'"):
        report.plot(kind="pie")  # type: ignore[arg-type]
    with pytest.raises(errors.ReportError, match="top=0"):
        report.plot(top=0)


def test_a_table_too_large_to_read_is_refused_with_what_to_do() -> None:
    df = events_of(("A", "ann", "1990-01-01"), ("A", "ann", "2026-01-01"))
    with pytest.raises(errors.ReportError, match=r"longer unit="):
        tk.retention(df, None, "A")
    assert len(tk.retention(df, None, "A", buckets=30).average) == 30


def test_a_property_of_100_000_values_is_counted_or_refused() -> None:
    ids = [f"{n}" for n in range(100_000)]
    df = pd.DataFrame({"event": "A", "distinct_id": ids, "time": START + np.arange(100_000) % 90})
    report = tk.retention(df, None, "A", by="distinct_id", end="2026-01-05", buckets=2)
    assert len(report.table) == 100_000 * 9
    assert report.users(segment="777") == ["777"]
    ax = report.plot()
    assert len(ax.lines) == 8
    assert "(top 8 of 100" in ax.get_legend().get_title().get_text()
    with pytest.raises(errors.ReportError, match=r"the table would have 5,500,000 rows"):
        tk.retention(df, None, "A", by="distinct_id", end="2026-01-10", buckets=30, mode="calendar")


def test_names_with_quotes_unicode_and_markup_are_shown_as_text() -> None:
    name = 'Sign "Up" <b>日本</b> $x$'
    profiles = profiles_of({"ann": {"p": "<script>alert(1)</script>"}})
    df = events_of((name, "ann", 0), ("B", "ann", 1))
    report = tk.retention(df, profiles, name, "B", by=user["p"])
    shown = report._repr_html_()
    assert "<script" not in shown
    assert "<b>日本" not in shown
    assert name in report.title


# -- the users behind a cell --------------------------------------------------------------


@pytest.fixture(scope="module")
def shop() -> tuple[tk.Events, tk.ProfileTable, pd.DataFrame, pd.DataFrame]:
    files = tk.sample_files()
    profiles = tk.ProfileTable()
    tk.import_csv(profiles, files["profiles"])
    frame = pd.read_parquet(files["events"])
    people = pd.read_csv(files["profiles"], dtype={"distinct_id": "str"})
    return tk.Events(frame), profiles, frame, people


@pytest.mark.parametrize("criteria", CRITERIA)
def test_the_users_behind_each_row_are_as_many_as_it_says(shop: Any, criteria: Any) -> None:
    events, profiles, _, _ = shop
    report = tk.retention(
        events,
        profiles,
        "Purchase",
        unit="month",
        by=user["interests"],
        criteria=criteria,
        buckets=3,
    )
    table = report.table
    assert table["retained"].sum() > 100
    for at, line in enumerate(table.to_dict("records")):
        cell = report.cell(at)
        assert len(report.users(**cell)) == line["retained"]
        lost = report.users(**cell, retained=False)
        assert len(lost) == line["size"] - line["retained"]
        whole = report.users(cohort=cell["cohort"], segment=cell["segment"])
        assert len(whole) == line["size"]
    with pytest.raises(errors.ReportError, match="row="):
        report.cell(len(table))


def test_the_story_of_plans_that_keep_people_is_found(shop: Any) -> None:
    events, profiles, _, _ = shop
    report = tk.retention(events, profiles, "Sign Up", unit="week", by=user["plan"], buckets=9)
    born = tk.retention(
        events, profiles, "Sign Up", by=user["plan"], end="2026-04-30", unit="month"
    )
    for plan, signed_up, seen in (("free", 370, 52), ("basic", 220, 80), ("pro", 203, 150)):
        before_may = set(born.users(segment=plan))
        assert len(before_may) == signed_up
        assert len(before_may & set(report.users(segment=plan, bucket=8))) == seen


# -- in SQL, from the definition ----------------------------------------------------------

CONDITIONS = {
    "on": "unit between b.first and b.last",
    "on_or_after": "unit >= b.first",
    "on_or_before": "unit <= b.last",
}


def in_sql(
    frame: pd.DataFrame,
    people: pd.DataFrame | None,
    *,
    birth: str | None,
    back: str | None,
    unit: str,
    mode: str,
    criteria: str,
    birth_mode: str,
    brackets: list[tuple[int, int]],
    start: str,
    end: str,
) -> pd.DataFrame:
    """Return size, retained, begun and complete of each segment, cohort and bucket."""
    named = {"birth": birth, "back": back}
    is_one = {role: "true" if name is None else f"event = '{name}'" for role, name in named.items()}
    length = {"day": 1, "week": 7, "month": 30}[unit]
    if criteria == "streak":
        counted = """count(distinct (e.id, e.cohort)) filter (
            not exists (
                from buckets as o
                where o.bucket <= b.bucket and not exists (
                    from visits as v
                    where v.id = e.id and v.cohort = e.cohort and v.unit between o.first and o.last
                )
            ))"""
    else:
        counted = f"""count(*) filter (exists (
            from visits as v
            where v.id = e.id and v.cohort = e.cohort and v.{CONDITIONS[criteria]}))"""
    starts = {
        "rolling": f"c.cohort + to_days(b.first * {length})",
        "calendar": f"c.cohort + to_{unit}s(b.first)",
    }[mode]
    ends = {
        "rolling": f"c.cohort + to_{unit}s(1) + to_days((b.last + 1) * {length})",
        "calendar": f"c.cohort + to_{unit}s(b.last + 1)",
    }[mode]
    since = {
        "rolling": f"(epoch_us(r.time) - epoch_us(e.born)) // ({length} * 86400000000)",
        "calendar": f"date_diff('{unit}', e.cohort, date_trunc('{unit}', r.time))",
    }[mode]
    born = {
        "any": f"""select id, date_trunc('{unit}', time)::timestamp as cohort, min(time) as born
            from steps where {is_one["birth"]} and time >= $start group by all""",
        "first": f"""select id, date_trunc('{unit}', min(time))::timestamp as cohort,
                min(time) as born
            from steps where {is_one["birth"]} group by id having min(time) >= $start""",
    }[birth_mode]
    segment = "'all'" if people is None else "coalesce(p.segment, '(not set)')"
    joined = "" if people is None else "left join people as p on p.id = e.id"
    with duckdb.connect() as sql:
        sql.register("given", frame)
        sql.register(
            "buckets_given",
            pd.DataFrame(
                [(n, *pair) for n, pair in enumerate(brackets)], columns=["bucket", "first", "last"]
            ),
        )
        if people is not None:
            sql.register("people", people)
        return sql.execute(
            f"""
            with steps as (
                select distinct_id as id, event, time::timestamp as time from given
                where distinct_id is not null and time < $end::timestamp
            ),
            buckets as (from buckets_given),
            entries as ({born}),
            visits as (
                select e.id, e.cohort, {since} as unit
                from entries as e join steps as r on r.id = e.id
                where {is_one["back"]} and (
                    r.time > e.born or (r.time = e.born and not ({is_one["birth"]}))
                )
            ),
            cohorts as (
                select unnest(generate_series(
                    date_trunc('{unit}', $start::timestamp), $end::timestamp - to_microseconds(1),
                    to_{unit}s(1)
                )) as cohort
            ),
            members as (
                select e.*, {segment} as segment from entries as e {joined}
            ),
            counted as (
                select e.segment, e.cohort, b.bucket, count(*) as size, {counted} as retained
                from members as e cross join buckets as b group by all
            )
            select s.segment, c.cohort, b.bucket, coalesce(size, 0) as size,
                coalesce(retained, 0) as retained, {ends} <= $end::timestamp as complete
            from cohorts as c cross join buckets as b
            cross join (select distinct segment from members) as s
            left join counted as n
                on n.segment = s.segment and n.cohort = c.cohort and n.bucket = b.bucket
            where {starts} < $end::timestamp
            """,
            {"start": start, "end": end},
        ).df()


def assert_same(report: Any, expected: pd.DataFrame, since: str = "2000-01-01") -> None:
    """Compare the cohorts from *since* on; one that the range cuts is left to other tests."""
    expected = expected[expected["cohort"] >= since]
    found = report.labelled(report.table)
    found = found[found["cohort"] >= pd.Timestamp(since, tz="UTC")]
    found["cohort"] = found["cohort"].dt.tz_convert("UTC").dt.tz_localize(None)
    found["segment"] = found[report.definition["by"]] if report.definition["by"] else "all"
    keys = ["segment", "cohort", "bucket"]
    columns = ["size", "retained", "complete"]
    if report.is_empty:  # no segment occurs
        assert not len(expected)
        return
    left = found.set_index(keys)[columns].sort_index()
    right = expected.astype({"cohort": left.index.levels[1].dtype}).set_index(keys)[columns]
    pd.testing.assert_frame_equal(
        left, right.sort_index(), check_dtype=False, check_index_type=False
    )
    rates = found["retained"] / found["size"].where(found["size"] > 0)
    np.testing.assert_array_equal(found["rate"], rates)


@pytest.mark.parametrize("criteria", CRITERIA)
@pytest.mark.parametrize(
    ("birth", "back", "unit", "mode", "birth_mode"),
    [
        ("Sign Up", None, "week", "rolling", "any"),
        ("Purchase", "Purchase", "month", "calendar", "any"),
        ("Add to Cart", "Purchase", "month", "rolling", "first"),
        (None, "Search", "week", "calendar", "first"),
        (None, None, "month", "rolling", "any"),
    ],
)
def test_the_sample_data_counted_in_SQL_give_the_same_cell_by_cell(
    shop: Any, criteria: Any, birth: Any, back: Any, unit: Any, mode: Any, birth_mode: Any
) -> None:
    events, profiles, frame, people = shop
    report = tk.retention(
        events,
        profiles,
        birth,
        back,
        unit=unit,
        mode=mode,
        birth_mode=birth_mode,
        criteria=criteria,
        by=user["plan"],
        start="2026-01-12",
        end="2026-06-20",
        buckets=[0, 1, 2, 4, 9],
    )
    plans = people.rename(columns={"distinct_id": "id", "plan": "segment"})[["id", "segment"]]
    naive = frame.assign(time=frame["time"].dt.tz_localize(None))
    expected = in_sql(
        naive,
        plans,
        birth=birth,
        back=back,
        unit=unit,
        mode=mode,
        criteria=criteria,
        birth_mode=birth_mode,
        brackets=[(0, 0), (1, 1), (2, 3), (4, 8)],
        start="2026-01-12",
        end="2026-06-21",
    )
    assert expected["retained"].sum() > 500
    assert_same(report, expected, since="2026-01-12" if unit == "week" else "2026-02-01")


# From the first of January 2024, a Monday, past the leap day.
moments = st.integers(0, 75 * 8).map(
    lambda steps: pd.Timestamp("2024-01-01") + steps * pd.Timedelta(hours=3)
)
some_brackets = st.lists(st.integers(0, 9), min_size=2, max_size=5, unique=True).map(sorted)


@settings(deadline=None, max_examples=examples(60))
@given(
    log=st.lists(
        st.tuples(st.sampled_from("ABC"), st.sampled_from(["x", "y", "z", None]), moments),
        max_size=14,
    ),
    birth=st.sampled_from(["A", None]),
    back=st.sampled_from(["A", "B", None]),
    unit=st.sampled_from(["day", "week", "month"]),
    mode=st.sampled_from(["rolling", "calendar"]),
    criteria=st.sampled_from(CRITERIA),
    birth_mode=st.sampled_from(["any", "first"]),
    edges=some_brackets,
    chunk=st.sampled_from([1, 3, 2**23]),
)
def test_random_events_counted_in_SQL_give_the_same_cell_by_cell(
    log: Any,
    birth: Any,
    back: Any,
    unit: Any,
    mode: Any,
    criteria: Any,
    birth_mode: Any,
    edges: list[int],
    chunk: int,
) -> None:
    df = events_of(*log)
    df["time"] = pd.to_datetime(df["time"])
    if not len(df):
        df = df.astype({"event": "str", "distinct_id": "str"})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(entries, "_CHUNK", chunk)
        report = tk.retention(
            df,
            None,
            birth,
            back,
            unit=unit,
            mode=mode,
            criteria=criteria,
            birth_mode=birth_mode,
            buckets=edges,
            start="2024-01-01",
            end="2024-03-08",
        )
    expected = in_sql(
        df,
        None,
        birth=birth,
        back=back,
        unit=unit,
        mode=mode,
        criteria=criteria,
        birth_mode=birth_mode,
        brackets=[(first, after - 1) for first, after in pairwise(edges)],
        start="2024-01-01",
        end="2024-03-09",
    )
    assert_same(report, expected)


# -- by a loop, with lists, zones and users -----------------------------------------------

values_ = st.sampled_from([None, "", "a", 1, True, [], ["a", "b", "a"], ["b", None]])


def labels(value: Any) -> list[str]:
    """The segments of a value."""
    return [label(each) for each in (value if isinstance(value, list) and value else [value])]


@settings(deadline=None, max_examples=examples(80))
@given(
    log=st.lists(
        st.tuples(
            st.sampled_from("AB"),
            st.sampled_from(["x", "y", "z"]),
            # Few moments near each other, and many over the days.
            (st.integers(0, 4) | st.integers(0, 12 * 48)).map(
                lambda halves: 1_774_310_400 + halves * 1_800
            ),
            values_,
            st.sampled_from([None, 1, 2.5, "3", True]),
        ),
        max_size=14,
    ),
    profiles=st.dictionaries(st.sampled_from("xyz"), values_, max_size=3),
    by=st.sampled_from([user["p"], event["p"]]),
    mode=st.sampled_from(["rolling", "calendar"]),
    criteria=st.sampled_from(CRITERIA),
    tz=st.sampled_from(["UTC", "Europe/Oslo", "Asia/Kolkata"]),
)
def test_segments_sums_and_users_are_those_of_a_loop(
    log: Any, profiles: dict[str, Any], by: Any, mode: Any, criteria: Any, tz: str
) -> None:
    table = profiles_of({key: {"p": value} for key, value in profiles.items()})
    df = events_of(
        *[line[:3] for line in log],
        p=pd.Series([line[3] for line in log], dtype=object),
        n=pd.Series([line[4] for line in log], dtype=object),
    )
    report = tk.retention(
        df,
        table,
        "A",
        by=by,
        mode=mode,
        criteria=criteria,
        tz=tz,
        measure="sum",
        of="n",
        buckets=4,
        start="2026-03-26",
        end="2026-04-04",
    )
    zone = ZoneInfo(tz)
    start, end = datetime(2026, 3, 26, tzinfo=zone), datetime(2026, 4, 5, tzinfo=zone)
    told = [
        (name, who, datetime.fromtimestamp(at, zone), own, number)
        for name, who, at, own, number in log
        if start.timestamp() <= at < end.timestamp()
    ]
    born: dict[tuple[str, str, Any], datetime] = {}
    for name, who, at, own, _ in told:
        value = profiles.get(who) if by.side == "user" else own
        for text in labels(value):
            key = (text, who, at.date())
            if name == "A" and (key not in born or at < born[key]):
                born[key] = at
    users: dict[Any, set[str]] = {}
    sums: dict[Any, float] = {}
    sizes: dict[Any, set[str]] = {}
    for (segment, who, day), birth in born.items():
        sizes.setdefault((segment, f"{day:%Y-%m-%d}"), set()).add(who)
        came = []
        for name, other, at, own, number in told:
            if other != who or at.timestamp() < birth.timestamp():
                continue
            is_of_segment = by.side == "user" or segment in labels(own)
            if at.timestamp() == birth.timestamp() and name == "A" and is_of_segment:
                continue
            passed = timedelta(seconds=at.timestamp() - birth.timestamp()) // timedelta(hours=24)
            n = passed if mode == "rolling" else (at.date() - day).days
            is_number = isinstance(number, int | float) and not isinstance(number, bool)
            came.append((n, number if is_number else 0))
        for bucket in range(4):
            key = (segment, f"{day:%Y-%m-%d}", bucket)
            streak = all(any(n == each for n, _ in came) for each in range(bucket + 1))
            counted = [
                number
                for n, number in came
                if {
                    "on": n == bucket,
                    "on_or_after": n >= bucket,
                    "on_or_before": n <= bucket,
                    "streak": n == bucket and streak,
                }[criteria]
            ]
            if counted:
                users.setdefault(key, set()).add(who)
                sums[key] = sums.get(key, 0) + sum(counted)
    found = report.labelled(report.table)
    for line in found.to_dict("records"):
        key = (line[by.label], f"{line['cohort']:%Y-%m-%d}", line["bucket"])
        assert line["size"] == len(sizes.get(key[:2], ()))
        assert line["retained"] == len(users.get(key, ()))
        assert line["value"] == pytest.approx(sums.get(key, 0))
        cell = {"segment": key[0], "cohort": key[1], "bucket": key[2]}
        assert report.users(**cell) == sorted(users.get(key, ()))
    assert set(found[by.label]) == {segment for segment, _, _ in born}
    assert (found["size"] > 0).sum() > 0 or not born


# -- what a person sees -------------------------------------------------------------------


def test_a_curve_draws_the_average_of_each_segment(shop: Any) -> None:
    events, profiles, _, _ = shop
    report = tk.retention(events, profiles, "Sign Up", unit="week", by=user["plan"])
    ax = report.plot()
    drawn = {line.get_label(): line.get_ydata() for line in ax.lines}
    assert len(drawn) == 3
    for line, plan in zip(ax.lines, ["free", "basic", "pro"], strict=True):
        expected = report.average.loc[report.average["user.plan"] == plan, "rate"]
        np.testing.assert_array_equal(line.get_ydata(), expected)
    assert ax.get_ylabel() == "share of users retained"
    assert ax.get_xlabel() == "weeks of 7 days after Sign Up"
    assert ax.get_title(loc="left") == (
        "Sign Up, then any event: retention in or after each week by user.plan"
    )
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["free", "basic", "pro"]
    one = report.plot(segment="pro")
    assert len(one.lines) == 1


def test_a_triangle_has_a_square_for_each_cell_and_stars_the_incomplete_ones() -> None:
    report = tk.retention(cohorts_of((4, 2), (4, 4)), None, "A", "B", criteria="on", buckets=2)
    ax = report.plot(kind="triangle")
    written = [text.get_text() for text in ax.texts]
    table = report.table
    assert written == [
        f"{rate:.0%}{'' if complete else '*'}" if rate == rate else "nan%*"
        for rate, complete in zip(table["rate"], table["complete"], strict=True)
        if rate == rate
    ]
    assert any(text.endswith("*") for text in written)
    assert "*: incomplete" in ax.get_xlabel()
    assert ax.yaxis_inverted()
    assert ax.get_yticklabels()[0].get_text() == "2026-05-01 (4)"


def test_a_triangle_of_all_segments_together_counts_each_user_once() -> None:
    profiles = profiles_of({"ann": {"tags": ["x", "y"]}, "bob": {"tags": ["x"]}})
    df = events_of(("A", "ann", 0), ("A", "bob", 0), ("B", "ann", 9))
    report = tk.retention(df, profiles, "A", "B", by=user["tags"], measure="users")
    assert [text.get_text() for text in report.plot(kind="triangle").texts] == ["1*"]
    only = report.plot(kind="triangle", segment="y")
    assert only.get_yticklabels()[0].get_text() == "2026-01-01 (1)"
    assert only.get_title(loc="left").startswith("y: ")
    together = report.plot(kind="triangle")
    assert together.get_title(loc="left").startswith("All segments together: ")


def test_places_in_a_picture_stand_for_cells_and_have_words() -> None:
    report = tk.retention(cohorts_of((4, 2), (4, 4)), None, "A", "B", criteria="on", buckets=2)
    picture = plots.draw_picture(lambda ax: report.plot(ax, kind="triangle"))
    assert len(picture.spots) == 2 * len(report.table["cohort"].unique())
    found = [
        place
        for place in range(len(picture.spots))
        if np.isfinite(picture.spots.boxes[place]).all()
    ]
    numbers = report.table.dropna(subset="rate")
    assert len(found) == len(numbers)
    for place, line in zip(found, numbers.to_dict("records"), strict=True):
        cell = picture.spots.cell(place)
        assert cell == {"cohort": line["cohort"], "bucket": line["bucket"]}
        left, top, right, bottom = picture.spots.boxes[place]
        middle = picture.spots.nearest(
            (left + right) / 2, (top + bottom) / 2, within=0.0, aspect=picture.aspect
        )
        assert middle == place
        assert f"{line['rate']:.0%}" in picture.spots.words(place)
    later = tk.retention(
        cohorts_of((4, 2), (4, 4)), None, "A", "B", criteria="on", end="2026-05-03"
    )
    curve = plots.draw_picture(later.plot)
    assert curve.spots.cell(1) == {"bucket": 1}
    assert curve.spots.words(1) == "average, 1: 50.0%"


@pytest.mark.parametrize("dark", [False, True, None])
@pytest.mark.parametrize("kind", ["curve", "triangle"])
def test_pictures_can_be_read_on_any_page(shop: Any, kind: Any, dark: Any) -> None:
    from tests.test_pictures import contrast

    events, profiles, _, _ = shop
    report = tk.retention(events, profiles, "Sign Up", unit="month", criteria="on")
    drawn: list[Any] = []
    plots.draw_picture(lambda ax: drawn.append(report.plot(ax, kind=kind)), dark=dark)
    ax = drawn[0]
    grounds = {False: ["#FFFFFF"], True: ["#1B1B1B"], None: ["#FFFFFF", "#1B1B1B"]}[dark]
    for text in (ax.title, ax.xaxis.label, ax.yaxis.label, *ax.get_xticklabels()):
        for ground in grounds:
            if text.get_text():
                assert contrast(text.get_color(), ground) > 3
    if kind == "triangle":
        colours = ax.collections[0].cmap
        values = ax.collections[0].get_array().compressed()
        assert len(values) == len(ax.texts)
        for text, value in zip(ax.texts, values, strict=True):
            assert contrast(text.get_color(), colours(value / values.max())) > 3


def test_what_retention_declares_are_the_parameters_of_its_function() -> None:
    parameters = inspect.signature(tk.retention).parameters
    declared = {field.name: field for field in DECLARED["Retention"].fields}
    assert set(declared) == set(parameters) - {"events", "profiles"}
    for name, field in declared.items():
        if not field.is_positional:
            assert field.default == parameters[name].default, name


def test_the_form_makes_the_report_and_its_python(shop: Any) -> None:
    events, profiles, _, _ = shop
    declaration = DECLARED["Retention"]
    choices = Choices(events, profiles.snapshot())
    typed = {
        "birth": "Sign Up",
        "back": "Purchase",
        "unit": "week",
        "buckets": "4",
        "criteria": "on",
        "measure": "sum",
        "of": ["event.amount"],
        "by": ["user.plan"],
    }
    values = {
        field.name: field.read(typed.get(field.name, field.start), choices)
        for field in declaration.fields
    }
    report = declaration.make({"events": events, "profiles": profiles}, values)
    code = declaration.python({"events": "events", "profiles": "profiles"}, values)
    names: dict[str, Any] = {"events": events, "profiles": profiles}
    exec(code.replace("tk.retention", "report = tk.retention"), names)
    pd.testing.assert_frame_equal(names["report"].table, report.table)
    assert names["report"].table["value"].sum() > 1_000
