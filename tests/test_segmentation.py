"""Segmentation: exact numbers, worked out by hand or by a loop one can read."""

from __future__ import annotations

import io
import re
from collections import defaultdict
from datetime import UTC, date, datetime
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st
from matplotlib import pyplot as plt

import toolkit as tk
from tests.moments import START, later
from toolkit import event, user
from toolkit.base import errors
from toolkit.base.values import Json
from toolkit.reports import Report
from toolkit.reports.drawing import plots
from toolkit.reports.question.periods import periods
from toolkit.reports.question.segments import label

mpl.use("Agg")

Rows = list[tuple[Any, ...]]


def profiles_of(profiles: dict[str, dict[str, Json]]) -> tk.ProfileTable:
    table = tk.ProfileTable()
    messages = [{"$distinct_id": key, "$set": properties} for key, properties in profiles.items()]
    assert not len(table.apply(messages).rejected)
    return table


def events_of(*rows: tuple[Any, ...], **columns: Any) -> pd.DataFrame:
    """Return events from (event, distinct_id, time) and further columns.

    Small numbers are seconds after the start of 2026.
    """
    frame = pd.DataFrame(list(rows), columns=["event", "distinct_id", "time"], dtype=object)
    frame["time"] = frame["time"].map(later)
    return frame.assign(**{name: pd.Series(values) for name, values in columns.items()})


def rows(report: Report) -> Rows:
    """Return the table row by row, times as ISO 8601 text without seconds."""
    table = report.table
    if "time" in table:
        table["time"] = [moment.isoformat(timespec="minutes") for moment in table["time"]]
    return [tuple(row) for row in table.to_numpy(dtype=object).tolist()]


def values(report: Report) -> list[int]:
    return report.table["count"].tolist()


def segments(report: Report) -> dict[str, int]:
    table = report.table
    return dict(zip(table.iloc[:, 0], table["count"], strict=True))


@pytest.fixture
def shop() -> pd.DataFrame:
    return events_of(
        ("Buy", "ann", "2026-05-01T10:00Z"),
        ("Buy", "ann", "2026-05-01T12:00Z"),
        ("Buy", "bob", "2026-05-03T23:59:59.999999Z"),
        ("View", "bob", "2026-05-04T00:00Z"),
        ("Buy", "eve", "2026-05-01T00:00Z"),
        amount=[10, 20, 30, None, 5],
    )


@pytest.fixture
def profiles() -> tk.ProfileTable:
    return profiles_of({"ann": {"plan": "pro", "age": 30}, "bob": {"plan": "free", "age": 20}})


# -- totals and users ---------------------------------------------------------------------


def test_every_bucket_of_the_range_has_a_row_zeros_included(
    shop: pd.DataFrame, profiles: tk.ProfileTable
) -> None:
    assert rows(tk.segmentation(shop, profiles, "Buy")) == [
        ("2026-05-01T00:00+00:00", 3),
        ("2026-05-02T00:00+00:00", 0),
        ("2026-05-03T00:00+00:00", 1),
        ("2026-05-04T00:00+00:00", 0),
    ]


def test_unique_counts_each_user_once_a_bucket(
    shop: pd.DataFrame, profiles: tk.ProfileTable
) -> None:
    assert values(tk.segmentation(shop, profiles, "Buy", measure="unique")) == [2, 0, 1, 0]
    assert values(tk.segmentation(shop, profiles, "Buy", measure="unique", unit=None)) == [3]


def test_none_counts_every_event_those_without_a_name_too(shop: pd.DataFrame) -> None:
    shop.loc[4, "event"] = None
    assert values(tk.segmentation(shop, None, None, unit=None)) == [5]
    assert values(tk.segmentation(shop, None, "Buy", unit=None)) == [3]


def test_a_breakdown_has_a_row_for_every_segment_and_bucket(
    shop: pd.DataFrame, profiles: tk.ProfileTable
) -> None:
    report = tk.segmentation(shop, profiles, "Buy", by=user["plan"], start="2026-05-02")
    assert rows(report) == [
        ("free", "2026-05-02T00:00+00:00", 0),
        ("free", "2026-05-03T00:00+00:00", 1),
        ("free", "2026-05-04T00:00+00:00", 0),
    ]
    assert report.table.columns.tolist() == ["user.plan", "time", "count"]
    kinds = [str(dtype) for dtype in report.table.dtypes]
    assert kinds == ["category", "datetime64[us, UTC]", "int64"]


def test_segments_stand_by_value_then_by_name_and_not_set_last(profiles: tk.ProfileTable) -> None:
    names = ["b", "a", "c", "c", None, None, None]
    df = events_of(*[("Buy", "ann", 0)] * 7, x=names)
    report = tk.segmentation(df, None, "Buy", by="x", unit=None)
    assert rows(report) == [("c", 2), ("a", 1), ("b", 1), ("(not set)", 3)]


def test_events_without_an_id_count_as_events_and_as_no_user(profiles: tk.ProfileTable) -> None:
    df = events_of(("Buy", None, 0), ("Buy", "", 0), ("Buy", "ann", 0))
    total = tk.segmentation(df, profiles, "Buy", by=user["plan"], unit=None)
    assert segments(total) == {"pro": 1, "(not set)": 2}
    unique = tk.segmentation(df, profiles, "Buy", by=user["plan"], unit=None, measure="unique")
    assert segments(unique) == {"pro": 1}
    assert total.users() == unique.users() == ["ann"]
    assert "Not counted for any user, because they have no distinct ID: 2 events." in total.notes


def test_JOIN_1_the_latest_state_counts_for_all_events(shop: pd.DataFrame) -> None:
    profiles = profiles_of({"ann": {"plan": "free"}})
    events = tk.Events(shop)
    profiles.set("ann", {"plan": "pro"}, time="2026-11-01")
    report = tk.segmentation(events, profiles, "Buy", by=user["plan"], unit=None)
    assert segments(report) == {"pro": 2, "(not set)": 2}


def test_a_report_does_not_change_with_the_table(
    shop: pd.DataFrame, profiles: tk.ProfileTable
) -> None:
    report = tk.segmentation(shop, profiles, "Buy", by=user["plan"], unit=None)
    profiles.set("ann", {"plan": "gone"})
    table = report.table
    table["count"] = 0
    assert segments(report) == {"pro": 2, "free": 1, "(not set)": 1}
    assert report.users(segment="pro") == ["ann"]


def test_a_view_of_some_profiles_is_taken_too(
    shop: pd.DataFrame, profiles: tk.ProfileTable
) -> None:
    adults = profiles.where('user["age"] >= 30')
    report = tk.segmentation(shop, adults, "Buy", by=user["plan"], unit=None)
    assert segments(report) == {"pro": 2, "(not set)": 2}


# -- what falls in which segment ----------------------------------------------------------

BASKETS = [["P1", "P2", "P4"], ["P2", "P3", "P4"], ["P3", "P4"]]


@pytest.fixture
def purchases() -> pd.DataFrame:
    return events_of(("Buy", "a", 0), ("Buy", "b", 0), ("Buy", "c", 0), products=BASKETS)


def test_an_event_counts_once_in_each_element_of_a_list(purchases: pd.DataFrame) -> None:
    report = tk.segmentation(purchases, None, "Buy", by=event["products"], unit=None)
    assert rows(report) == [("P4", 3), ("P2", 2), ("P3", 2), ("P1", 1)]


def test_filtering_any_element_first_leaves_whole_lists(purchases: pd.DataFrame) -> None:
    any_p1 = tk.segmentation(
        purchases, None, "Buy", by="products", unit=None, where=event["products"].any() == "P1"
    )
    assert segments(any_p1) == {"P1": 1, "P2": 1, "P4": 1}
    all_p1 = tk.segmentation(
        purchases, None, "Buy", by="products", unit=None, where=event["products"].all() == "P1"
    )
    assert rows(all_p1) == []


def test_a_list_of_the_user_counts_each_distinct_element_once() -> None:
    profiles = profiles_of({"a": {"tags": ["x", "y", "x"]}, "b": {"tags": "x"}, "c": {"tags": []}})
    df = events_of(("Buy", "a", 0), ("Buy", "a", 0), ("Buy", "b", 0), ("Buy", "c", 0))
    total = tk.segmentation(df, profiles, "Buy", by=user["tags"], unit=None)
    assert segments(total) == {"x": 3, "y": 2, "(empty list)": 1}
    unique = tk.segmentation(df, profiles, "Buy", by=user["tags"], unit=None, measure="unique")
    assert segments(unique) == {"x": 2, "y": 1, "(empty list)": 1}
    assert unique.users(segment="x") == ["a", "b"]


@pytest.mark.parametrize(
    ("value", "segment"),
    [
        (None, "(not set)"),
        ("", "(empty string)"),
        ([], "(empty list)"),
        ([None], "(not set)"),
        ([""], "(empty string)"),
        ([[]], "(empty list)"),
        (1.0, "1"),
        (2.5, "2.5"),
        (-0.0, "0"),
        (2**70, str(2**70)),
        (True, "true"),
        ({"b": 1, "a": [None]}, '{"b":1,"a":[null]}'),
        ([[1, 2]], "[1,2]"),
        (" ", " "),
        ("<script>", "<script>"),
    ],
)
def test_segments_are_called_by_their_value(value: Json, segment: str) -> None:
    profiles = profiles_of({"a": {"x": value}, "z": {"x": {"an": "object"}}})
    report = tk.segmentation(events_of(("Buy", "a", 0)), profiles, "Buy", by=user["x"], unit=None)
    assert report.labelled(report.table).to_numpy().tolist() == [[segment, 1]]
    assert report.users(segment=segment) == ["a"]


def test_absent_profile_absent_property_and_null_are_one_segment() -> None:
    profiles = profiles_of({"a": {"x": None}, "b": {}, "z": {"x": "1"}})
    df = events_of(("Buy", "a", 0), ("Buy", "b", 0), ("Buy", "c", 0))
    report = tk.segmentation(df, profiles, "Buy", by=user["x"], unit=None, measure="unique")
    assert segments(report) == {"(not set)": 3}
    assert report.users(segment="(not set)") == ["a", "b", "c"]


def test_equal_values_are_one_segment_and_alike_ones_are_told_apart() -> None:
    given = [1, 1.0, "1", True, "true", None, "(not set)", "", "(empty string)", '"1"']
    profiles = profiles_of({f"{n}": {"x": value} for n, value in enumerate(given)})
    df = events_of(*[("Buy", f"{n}", 0) for n in range(len(given))])
    report = tk.segmentation(df, profiles, "Buy", by=user["x"], unit=None)
    found = segments(report)
    assert found["1"] == 2
    assert found["true"] == found["(not set)"] == found["(empty string)"] == 1
    assert found['"true"'] == found['"(not set)"'] == found['"(empty string)"'] == 1
    assert len(found) == len(given) - 1
    assert report.users(segment=1) == report.users(segment=1.0) == ["0", "1"]
    assert report.users(segment=True) == ["3"]
    assert report.users(segment='"true"') == ["4"]
    assert report.users(segment="") == ["7"]


@pytest.mark.parametrize("name", ["$email", "a b", 'q"uote', "日本", "", "value", "time"])
def test_a_breakdown_column_is_named_after_its_property(name: str) -> None:
    profiles = profiles_of({"a": {name: "x"}})
    report = tk.segmentation(events_of(("Buy", "a", 0)), profiles, "Buy", by=user[name])
    assert report.table.columns.tolist() == [f"user.{name}", "time", "count"]


@pytest.mark.parametrize("dtype", ["str", "category", "string[pyarrow]", object])
def test_text_of_every_dtype_breaks_down_alike(dtype: Any) -> None:
    df = events_of(*[("Buy", "a", 0)] * 3, x=pd.Series(["b", None, "b"], dtype=dtype))
    assert segments(tk.segmentation(df, None, "Buy", by="x", unit=None)) == {"b": 2, "(not set)": 1}


# -- buckets ------------------------------------------------------------------------------


def starts(unit: Any, start: Any, end: Any, tz: Any = None) -> list[str]:
    report = tk.segmentation(events_of(), None, None, unit=unit, start=start, end=end, tz=tz)
    return [moment.isoformat(timespec="minutes") for moment in report.table["time"]]


def test_buckets_begin_with_the_calendar() -> None:
    at = {"start": "2026-02-18", "end": "2026-03-04"}
    assert starts("week", **at) == [
        f"2026-{day}T00:00+00:00" for day in ("02-16", "02-23", "03-02")
    ]
    assert starts("month", **at) == ["2026-02-01T00:00+00:00", "2026-03-01T00:00+00:00"]
    assert starts("quarter", **at) == ["2026-01-01T00:00+00:00"]
    assert starts("year", "2025-12-31", "2026-01-01") == [
        "2025-01-01T00:00+00:00",
        "2026-01-01T00:00+00:00",
    ]
    assert len(starts("day", "2024-02-28", "2024-03-01")) == 3  # a leap year
    assert len(starts("day", "2026-02-28", "2026-03-01")) == 2
    assert len(starts("hour", "2026-02-28", "2026-02-28")) == 24


def test_a_month_begins_at_midnight_and_ends_before_the_next() -> None:
    df = events_of(
        ("Buy", "a", "2026-01-31T23:59:59.999999Z"),
        ("Buy", "a", "2026-02-01T00:00:00Z"),
        ("Buy", "a", "2026-02-28T23:59:59.999999Z"),
        ("Buy", "a", "2026-03-01T00:00:00Z"),
    )
    assert values(tk.segmentation(df, None, "Buy", unit="month")) == [1, 2, 1]
    february = tk.segmentation(df, None, "Buy", unit=None, start="2026-02-01", end="2026-02-28")
    assert values(february) == [2]


def test_the_day_the_clock_goes_forward_has_23_hours_in_oslo() -> None:
    moments = [
        "2026-03-28T22:59:59Z",
        "2026-03-28T23:00Z",
        "2026-03-29T21:59:59Z",
        "2026-03-29T22:00Z",
    ]
    df = events_of(*[("Buy", "a", moment) for moment in moments])
    report = tk.segmentation(df, None, "Buy", tz="Europe/Oslo")
    assert rows(report) == [
        ("2026-03-28T00:00+01:00", 1),
        ("2026-03-29T00:00+01:00", 2),
        ("2026-03-30T00:00+02:00", 1),
    ]
    assert str(report.table["time"].dtype) == "datetime64[us, Europe/Oslo]"
    hours = starts("hour", "2026-03-29", "2026-03-29", "Europe/Oslo")
    assert len(hours) == 23
    assert hours[1:3] == ["2026-03-29T01:00+01:00", "2026-03-29T03:00+02:00"]


def test_the_day_the_clock_goes_back_has_25_hours_in_oslo() -> None:
    hours = starts("hour", "2026-10-25", "2026-10-25", "Europe/Oslo")
    assert len(hours) == 25
    assert hours[2:4] == ["2026-10-25T02:00+02:00", "2026-10-25T02:00+01:00"]
    df = events_of(("Buy", "a", "2026-10-25T00:30Z"), ("Buy", "a", "2026-10-25T01:30Z"))
    assert values(tk.segmentation(df, None, "Buy", unit="hour", tz="Europe/Oslo")) == [1, 1]


@pytest.mark.parametrize(
    ("tz", "day", "expected"),
    [
        ("Asia/Kolkata", "2026-05-01", "2026-05-01T00:00+05:30"),
        ("America/Havana", "2026-03-08", "2026-03-08T01:00-04:00"),  # there was no midnight
        ("America/Havana", "2026-11-01", "2026-11-01T00:00-04:00"),  # there were two
        ("Pacific/Kiritimati", "2026-05-01", "2026-05-01T00:00+14:00"),
    ],
)
def test_days_begin_when_they_do_where_the_clock_is_odd(tz: str, day: str, expected: str) -> None:
    assert starts("day", day, day, tz) == [expected]
    hours = tk.segmentation(events_of(), None, None, unit="hour", start=day, end=day, tz=tz)
    assert (hours.table["time"].dt.strftime("%Y-%m-%d") == day).all()


def test_half_an_hour_of_summer_time_keeps_hours_on_the_clock() -> None:
    hours = starts("hour", "2026-04-05", "2026-04-05", "Australia/Lord_Howe")
    assert all(re.fullmatch(r"2026-04-05T\d\d:00\+1[01]:[03]0", hour) for hour in hours)
    assert len(hours) == 24
    forward = starts("hour", "2026-10-04", "2026-10-04", "Australia/Lord_Howe")
    assert forward[1:4] == [
        f"2026-10-04T{hour}" for hour in ("01:00+10:30", "02:30+11:00", "03:00+11:00")
    ]


@pytest.mark.parametrize(
    ("tz", "first", "last"),
    [
        ("UTC", "2020-01-01", "2027-01-01"),
        ("Europe/Oslo", "2020-01-01", "2027-01-01"),
        ("Asia/Kolkata", "2026-01-01", "2026-12-31"),
        ("Australia/Lord_Howe", "2026-01-01", "2026-12-31"),
        ("Africa/Monrovia", "1960-01-01", "1980-01-01"),  # 44 minutes 30 seconds off until 1972
    ],
)
@pytest.mark.parametrize("unit", ["hour", "day", "month"])
def test_a_time_lies_in_the_bucket_of_its_own_calendar(
    tz: str, first: str, last: str, unit: Any
) -> None:
    span = periods(unit, first, last, tz, None)
    moments = np.random.default_rng(0).integers(span.start, span.end, 2_000)
    moments = np.concatenate([moments, span.edges[:-1], span.edges[1:] - 1])
    local = pd.DatetimeIndex(moments.view("M8[us]")).tz_localize("UTC").tz_convert(tz)
    begins = span.starts[span.index(moments)]
    shown = {"hour": "%Y-%m-%d %H", "day": "%Y-%m-%d", "month": "%Y-%m"}[unit]
    assert (begins.strftime(shown) == local.strftime(shown)).all()
    assert (begins <= local).all()


# -- ranges -------------------------------------------------------------------------------


def test_a_date_as_the_end_is_part_of_the_range_and_a_time_is_not(shop: pd.DataFrame) -> None:
    def total(start: Any, end: Any) -> int:
        return values(tk.segmentation(shop, None, None, unit=None, start=start, end=end))[0]

    assert total("2026-05-01", "2026-05-03") == 4
    assert total(date(2026, 5, 1), date(2026, 5, 3)) == 4
    assert total("2026-05-01T10:00", "2026-05-01T12:00") == 1
    assert total("2026-05-01T10:00Z", "2026-05-01T12:00:00.000001Z") == 2
    assert total(datetime(2026, 5, 1, 10), datetime(2026, 5, 1, 12, tzinfo=UTC)) == 1
    assert total(pd.Timestamp("2026-05-03"), pd.Timestamp("2026-05-04")) == 1
    assert total(np.datetime64("2026-05-04"), None) == 1
    assert total(None, 1_777_636_800) == 2  # 2026-05-01T12:00Z


def test_dates_and_times_without_a_zone_are_those_of_tz(shop: pd.DataFrame) -> None:
    report = tk.segmentation(
        shop, None, None, start="2026-05-04", end="2026-05-04", tz="Europe/Oslo", unit=None
    )
    assert values(report) == [2]  # 23:59 UTC is the next day in Oslo
    report = tk.segmentation(shop, None, None, end="2026-05-01T02:00", tz="Europe/Oslo", unit=None)
    assert values(report) == [0]


def test_the_default_range_is_that_of_all_events_whatever_their_name(shop: pd.DataFrame) -> None:
    report = tk.segmentation(shop, None, "View")
    assert [moment for moment, _ in rows(report)][::3] == [
        "2026-05-01T00:00+00:00",
        "2026-05-04T00:00+00:00",
    ]
    assert values(report) == [0, 0, 0, 1]


def test_a_range_beyond_the_events_has_its_buckets(shop: pd.DataFrame) -> None:
    report = tk.segmentation(shop, None, "Buy", start="2026-04-30", end="2026-05-05")
    assert values(report) == [0, 3, 0, 1, 0, 0]
    assert report.notes == []


def test_a_range_that_cuts_a_bucket_says_so(shop: pd.DataFrame) -> None:
    report = tk.segmentation(shop, None, "Buy", unit="week", start="2026-05-01", end="2026-05-10")
    assert report.notes == [
        "The first week (2026-04-27) is incomplete: the range is 2026-05-01 to 2026-05-10 (UTC)."
    ]
    both = tk.segmentation(shop, None, "Buy", start="2026-05-01T10:00", end="2026-05-03T12:00")
    assert both.notes == [
        "The first day (2026-05-01) and the last day (2026-05-03) are incomplete: "
        "the range is 2026-05-01 10:00 to 2026-05-03 12:00 (UTC)."
    ]


def test_the_default_range_is_in_whole_hours_and_for_longer_units_in_whole_days() -> None:
    df = events_of(("Buy", "a", "2026-01-01T00:20Z"), ("Buy", "a", "2026-02-28T23:10Z"))
    for unit in ("hour", "day", "month"):
        assert tk.segmentation(df, None, "Buy", unit=unit).notes == []
    afternoon = events_of(("Buy", "a", "2026-02-02T00:20Z"), ("Buy", "a", "2026-02-03T14:10Z"))
    assert tk.segmentation(afternoon, None, "Buy").notes == [
        "The last day (2026-02-03) is incomplete: "
        "the range is 2026-02-02 to 2026-02-03 15:00 (UTC)."
    ]
    weekly = tk.segmentation(afternoon, None, "Buy", unit="week")
    assert weekly.notes == [
        "The only week (2026-02-02) is incomplete: the range is 2026-02-02 to 2026-02-03 (UTC)."
    ]


def test_times_at_the_ends_of_the_calendar_ask_for_a_range() -> None:
    df = events_of(("Buy", "a", "0001-01-01T00:00Z"), ("Buy", "a", "2026-02-28T23:10Z"))
    with pytest.raises(errors.ReportError, match="give start= and end="):
        tk.segmentation(df, None, "Buy", unit="week", tz="America/New_York")
    report = tk.segmentation(df, None, "Buy", start="2026-01-01", unit="month", tz="Europe/Oslo")
    assert values(report) == [0, 0, 1]


def test_no_events_give_no_rows_unless_a_range_is_given(profiles: tk.ProfileTable) -> None:
    for by, columns in ((None, ["time", "count"]), (user["plan"], ["user.plan", "time", "count"])):
        report = tk.segmentation(events_of(), profiles, "Buy", by=by)
        assert (report.table.columns.tolist(), len(report.table)) == (columns, 0)
        assert report.users() == []
        assert report._repr_html_()
    report = tk.segmentation(events_of(), profiles, None, start="2026-05-01", end="2026-05-02")
    assert values(report) == [0, 0]


def test_a_start_after_the_last_event_gives_no_rows(shop: pd.DataFrame) -> None:
    assert rows(tk.segmentation(shop, None, "Buy", start="2027-01-01")) == []


# -- where --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        (user["plan"] == "pro", 2),
        ('user["plan"] == "pro"', 2),
        (event["amount"] > 10, 2),
        ((user["plan"] == "pro") & (event["amount"] > 10), 1),
        ('user["plan"] == "pro" and event["amount"] > 10', 1),
        ((user["plan"] == "pro") | (event["amount"] > 10), 3),
        (user["plan"].is_not_set(), 1),
        (~(user["plan"] == "pro"), 2),
        (event["amount"] > user["age"] - 5, 1),
        (event["time"] >= datetime(2026, 5, 1, 12), 2),
        ((event["time"] >= datetime(2026, 5, 1, 12)) & (user["age"] < 30), 1),
        (user["$distinct_id"] == "ann", 2),
        (event["distinct_id"] == "eve", 1),
        (user["$mp_first_event_time"] < datetime(2026, 5, 1, 1), 1),
    ],
)
def test_where_counts_the_events_for_which_it_is_true(
    shop: pd.DataFrame, profiles: tk.ProfileTable, where: Any, expected: int
) -> None:
    assert values(tk.segmentation(shop, profiles, "Buy", where=where, unit=None)) == [expected]


def test_where_sees_the_user_properties_of_events_without_an_id_as_not_set(
    profiles: tk.ProfileTable,
) -> None:
    df = events_of(("Buy", None, 0), ("Buy", "bob", 0), amount=[1, 1])
    for where in (
        user["plan"].is_not_set(),
        (user["plan"].is_not_set()) | (event["amount"] > 1),
    ):
        assert values(tk.segmentation(df, profiles, "Buy", where=where, unit=None)) == [1]


# -- users --------------------------------------------------------------------------------


def test_users_are_the_distinct_ids_behind_a_cell(
    shop: pd.DataFrame, profiles: tk.ProfileTable
) -> None:
    for measure in ("total", "unique"):
        report = tk.segmentation(shop, profiles, "Buy", by=user["plan"], measure=measure)
        assert report.users() == ["ann", "bob", "eve"]
        assert report.users(segment="free") == ["bob"]
        assert report.users(time="2026-05-01") == ["ann", "eve"]
        assert report.users(segment="pro", time="2026-05-01T23:00") == ["ann"]
        assert report.users(segment="pro", time=pd.Timestamp("2026-05-02", tz="UTC")) == []


def test_users_of_an_event_property_are_found_too(shop: pd.DataFrame) -> None:
    for measure in ("total", "unique"):
        report = tk.segmentation(shop, None, None, by="amount", measure=measure)
        assert report.users(segment=20) == ["ann"]
        assert report.users(segment="(not set)", time="2026-05-04") == ["bob"]


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ({"segment": "prp"}, 'no segment "prp".*Did you mean "pro"'),
        ({"time": "2026-06-01"}, "not in the report, which covers 2026-05-01"),
        ({"time": "soon"}, "not a date or time"),
    ],
)
def test_a_cell_that_is_not_there_is_refused(
    shop: pd.DataFrame, profiles: tk.ProfileTable, cell: dict[str, Any], said: str
) -> None:
    report = tk.segmentation(shop, profiles, "Buy", by=user["plan"])
    with pytest.raises(errors.ReportError, match=said):
        report.users(**cell)


def test_cells_need_a_breakdown_and_buckets(shop: pd.DataFrame) -> None:
    report = tk.segmentation(shop, None, "Buy", unit=None)
    with pytest.raises(errors.ReportError, match="by=None"):
        report.users(segment="pro")
    with pytest.raises(errors.ReportError, match="unit=None"):
        report.users(time="2026-05-01")


# -- notes --------------------------------------------------------------------------------


def test_notes_tell_of_users_without_a_profile_if_the_report_looks_at_users(
    shop: pd.DataFrame, profiles: tk.ProfileTable
) -> None:
    note = "Without a profile, so (not set) in every user property: 1 event of 1 distinct ID."
    at = {"start": "2026-05-01", "end": "2026-05-04"}
    assert tk.segmentation(shop, profiles, "Buy", by=user["plan"], **at).notes == [note]
    filtered = tk.segmentation(shop, profiles, "Buy", where=user["age"] > 1, **at)
    assert filtered.notes == [note.replace("ID.", "ID, before the filter.")]
    assert tk.segmentation(shop, profiles, "Buy", by="amount", **at).notes == []


def test_hidden_and_timeless_events_disappear_and_are_counted(shop: pd.DataFrame) -> None:
    shop["$bucket"] = [1, None, None, None, None]
    shop.loc[2, "time"] = "soon"
    report = tk.segmentation(shop, None, "Buy", unit=None)
    assert values(report) == [2]
    assert report.notes == [
        "Hidden, because of a value in $bucket or bucket: 1 event.",
        "Left out because their time cannot be read: 1 event.",
    ]
    assert tk.segmentation(shop, None, "View", unit=None).notes == []
    later = tk.segmentation(shop, None, "Buy", unit=None, start="2026-05-02", end="2026-05-03")
    assert later.notes == [
        "No event is in the range of start=2026-05-02, end=2026-05-03: "
        "they go from 2026-05-01T00:00:00Z to 2026-05-04T00:00:00Z.",
        "Left out because their time cannot be read: 1 event.",
    ]


def test_names_nobody_has_are_said_to_be_unknown(
    shop: pd.DataFrame, profiles: tk.ProfileTable
) -> None:
    report = tk.segmentation(shop, profiles, "buy", by=user["plna"], unit=None)
    assert report.notes == [
        'No event is named "buy". Did you mean "Buy"?',
        'No profile has a property "plna". Did you mean "plan"?',
    ]
    assert rows(report) == []


def test_times_without_a_zone_are_said_to_be_read_as_utc() -> None:
    report = tk.segmentation(events_of(("Buy", "a", "2026-05-01")), None, "Buy", unit=None)
    assert report.notes == ["Times without a time zone are read as UTC."]


def test_a_report_keeps_its_definition(shop: pd.DataFrame, profiles: tk.ProfileTable) -> None:
    report = tk.segmentation(
        shop, profiles, "Buy", measure="unique", by=user["plan"], unit="week",
        where='user["age"] > 1', start="2026-05-01", tz="Europe/Oslo",
    )  # fmt: skip
    assert report.title == 'Buy: users per week by user.plan, where user["age"] > 1'
    assert report.definition == {
        "event": "Buy",
        "measure": "unique",
        "by": "user.plan",
        "unit": "week",
        "where": 'user["age"] > 1',
        "start": "2026-05-01",
        "end": None,
        "tz": "Europe/Oslo",
        "at": "latest",
    }


# -- what is refused ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"measure": "mean"}, "allowed are total, unique"),
        ({"unit": "days"}, "allowed are hour, day, week, month, quarter, year, None"),
        ({"by": [user["a"], user["a"]]}, "has the same breakdown twice: user.a, user.a"),
        ({"by": user["$bucket"]}, "hidden"),
        ({"by": "bucket"}, "hidden"),
        ({"tz": "Oslo"}, "not a time zone.*Europe/Oslo"),
        ({"start": "tomorrow"}, "start='tomorrow' is not a date or time"),
        ({"start": "2026-05-02", "end": "2026-05-01"}, "is not before"),
        ({"start": "2026-05-01T12:00", "end": "2026-05-01T12:00"}, "is not before"),
        ({"start": "0001-01-01", "end": "9998-12-31"}, "a longer unit="),
        ({"event": [["Buy"]]}, "give the name of an event, None for any event"),
    ],
)
def test_arguments_it_does_not_know_are_refused_with_those_it_does(
    shop: pd.DataFrame, profiles: tk.ProfileTable, arguments: dict[str, Any], said: str
) -> None:
    with pytest.raises(errors.ReportError, match=said):
        tk.segmentation(shop, profiles, **{"event": "Buy", **arguments})


def test_a_list_of_one_breakdown_and_an_empty_one_are_fine(
    shop: pd.DataFrame, profiles: tk.ProfileTable
) -> None:
    one = tk.segmentation(shop, profiles, "Buy", by=[user["plan"]], unit=None)
    assert one.table.columns.tolist() == ["user.plan", "count"]
    none = tk.segmentation(shop, profiles, "Buy", by=[], unit=None)
    assert none.table.columns.tolist() == ["count"]


def test_user_properties_need_profiles(shop: pd.DataFrame) -> None:
    for arguments in ({"by": user["plan"]}, {"where": user["plan"] == "pro"}):
        with pytest.raises(errors.ReportError, match="profiles is None; give a ProfileTable"):
            tk.segmentation(shop, None, "Buy", **arguments)


def test_a_property_that_no_event_has_is_refused(shop: pd.DataFrame) -> None:
    with pytest.raises(errors.EventsError, match=r'no event has a property "item".*amount'):
        tk.segmentation(shop, None, "Buy", by="item")


@pytest.mark.parametrize(
    ("by", "hint"),
    [
        ("plan", r'write user\["plan"\]'),
        ("user.plan", r'write user\["plan"\]'),
        ("user.city", r'write user\["city"\]'),
        (event["amonut"], 'Did you mean "amount"'),
        ("plna", 'Did you mean "plan".* a property of users'),
    ],
)
def test_a_property_that_no_event_has_is_looked_for_elsewhere(
    shop: pd.DataFrame, profiles: tk.ProfileTable, by: Any, hint: str
) -> None:
    with pytest.raises(errors.EventsError, match=hint):
        tk.segmentation(shop, profiles, "Buy", by=by)


def test_hidden_properties_are_never_suggested(shop: pd.DataFrame) -> None:
    hidden = profiles_of({"ann": {"$bucket": 1, "bucket": 2}})
    for name in ("user.bucket", "bucke"):
        with pytest.raises(errors.EventsError) as caught:
            tk.segmentation(shop, hidden, "Buy", by=name)
        assert 'user["' not in str(caught.value)
        assert "Did you mean" not in str(caught.value)


def test_a_misnamed_event_property_in_where_is_refused_with_the_right_one(
    shop: pd.DataFrame,
) -> None:
    with pytest.raises(errors.EventsError, match='Did you mean "amount"'):
        tk.segmentation(shop, None, "Buy", where='event["amonut"] > 3')


@pytest.mark.parametrize("role", ["start", "end"])
@pytest.mark.parametrize("given", [20260501, 20260501.0, np.int64(20260501)])
def test_a_number_that_reads_as_a_date_is_refused_with_the_date(
    shop: pd.DataFrame, role: str, given: Any
) -> None:
    with pytest.raises(errors.ReportError, match=rf'{role}=.*give "2026-05-01"'):
        tk.segmentation(shop, None, "Buy", **{role: given})


def test_numbers_that_are_no_date_are_unix_seconds(shop: pd.DataFrame) -> None:
    for start in (1777593600, 1777593600.5, 1777593600000):
        assert (
            tk.segmentation(shop, None, "Buy", unit=None, start=start).definition["start"] == start
        )


@pytest.mark.parametrize("unit", ["day", None])
@pytest.mark.parametrize(
    "range_",
    [{"start": "2027-01-01"}, {"end": "2020-01-01"}, {"start": "2027-01-01", "end": "2028-01-01"}],
)
def test_a_range_without_events_is_said_to_be_one(
    shop: pd.DataFrame, unit: Any, range_: dict[str, Any]
) -> None:
    report = tk.segmentation(shop, None, "Buy", unit=unit, **range_)
    asked = ", ".join(f"{role}={given}" for role, given in range_.items())
    assert report.notes[0] == (
        f"No event is in the range of {asked}: "
        "they go from 2026-05-01T00:00:00Z to 2026-05-04T00:00:00Z."
    )
    assert sum(values(report)) == 0
    assert report._repr_html_()


def test_comparisons_that_are_never_true_are_noted(
    shop: pd.DataFrame, profiles: tk.ProfileTable
) -> None:
    def notes(where: str, **options: Any) -> list[str]:
        report = tk.segmentation(shop, profiles, "Buy", unit=None, where=where, **options)
        return [note for note in report.notes if "never true" in note]

    assert notes('user["age"] > "60" and event["amount"] > "x"') == [
        'user["age"] holds numbers and "60" is text, so user["age"] > "60" is never true.',
        'event["amount"] holds numbers and "x" is text, so event["amount"] > "x" is never true.',
    ]
    assert notes('event["time"] > "2026-05-01"') == []
    assert notes('event["distinct_id"] == 7') != []
    assert notes('user["age"] > 60 and event["amount"] > 1000') == []
    assert notes('user["$mp_first_event_time"] > "2026-05-01"') == []
    assert notes('user["age"] > "60"', at="event time") == []  # it was text once, perhaps


@pytest.mark.parametrize("unit", ["day", None])
@pytest.mark.parametrize("by", [None, "amount"])
@pytest.mark.parametrize("measure", ["total", "unique"])
def test_a_chart_of_nothing_says_so(shop: pd.DataFrame, unit: Any, by: Any, measure: Any) -> None:
    ax = tk.segmentation(shop, None, "Bvy", unit=unit, by=by, measure=measure).plot()
    noun = "events" if measure == "total" else "users"
    assert [text.get_text() for text in ax.texts][-1:] == [f"no {noun}"]
    full = tk.segmentation(shop, None, "Buy", unit=unit, by=by, measure=measure).plot()
    assert not any(text.get_text().startswith("no ") for text in full.texts)
    plt.close("all")


def test_a_table_of_a_few_rows_more_is_shown_whole() -> None:
    df = events_of(*[("Buy", "a", f"2026-05-0{day}T00:00Z") for day in range(1, 10)])
    report = tk.segmentation(df, None, "Buy")
    assert " of 9 rows" not in report._repr_html_()
    assert "2026-05-09" in repr(report)


def test_a_table_too_large_to_read_is_refused_with_what_to_do() -> None:
    ids = [f"{number}" for number in range(3_000)]
    df = pd.DataFrame({"event": "Buy", "distinct_id": ids, "time": START})
    with pytest.raises(errors.ReportError, match=r"3,000 segments.*a longer unit="):
        tk.segmentation(df, None, "Buy", by="distinct_id", end="2028-01-01")


# -- against a loop -----------------------------------------------------------------------

cells = st.sampled_from(
    [None, "", "a", "b", 1, 1.0, True, [], ["a", "a", None], ["b", 1], {"k": 1}]
)
moments = st.integers(0, 3 * 86_400).map(lambda seconds: 1_774_656_000 + seconds)


@settings(deadline=None)
@given(
    profiles=st.dictionaries(st.sampled_from("abc"), cells, max_size=3),
    log=st.lists(
        st.tuples(
            st.sampled_from(["Buy", "View", None]),
            st.sampled_from(["a", "b", "c", "d", "", None]),
            moments,
            cells,
        ),
        max_size=12,
    ),
    by=st.sampled_from([None, user["p"], event["p"]]),
    measure=st.sampled_from(["total", "unique"]),
    name=st.sampled_from(["Buy", None]),
    tz=st.sampled_from(["UTC", "Europe/Oslo", "Asia/Kolkata"]),
)
def test_numbers_and_users_are_those_of_a_loop(
    profiles: dict[str, Any], log: list[Any], by: Any, measure: Any, name: str | None, tz: str
) -> None:
    table = profiles_of({key: {"p": value} for key, value in profiles.items()})
    df = events_of(*[row[:3] for row in log], p=pd.Series([row[3] for row in log], dtype=object))
    report = tk.segmentation(
        df, table, name, by=by, measure=measure, start="2026-03-28", end="2026-03-31", tz=tz
    )
    events: dict[tuple[str, str], int] = defaultdict(int)
    users: dict[tuple[str, str], set[str]] = defaultdict(set)
    for event_name, distinct_id, seconds, own in log:
        local = pd.Timestamp(seconds, unit="s", tz="UTC").tz_convert(tz)
        if name not in (None, event_name) or local < pd.Timestamp("2026-03-28", tz=tz):
            continue
        value = (
            None if by is None else own if by.side == "event" else profiles.get(distinct_id or "")
        )
        for element in value if isinstance(value, list) and value else [value]:
            cell = (label(element), local.strftime("%Y-%m-%d"))
            if distinct_id:
                users[cell].add(distinct_id)
        for element in {
            label(one) for one in (value if isinstance(value, list) and value else [value])
        }:
            events[element, local.strftime("%Y-%m-%d")] += 1
    expected = (
        dict(events) if measure == "total" else {cell: len(ids) for cell, ids in users.items()}
    )
    found = {}
    for row in report.labelled(report.table).itertuples(index=False):
        segment = "(not set)" if by is None else row[0]
        found[segment, row[-2].strftime("%Y-%m-%d")] = row[-1]
    assert {cell: value for cell, value in found.items() if value} == expected
    days = 4
    assert len(report.table) == (days if by is None else days * len({cell[0] for cell in expected}))
    for (segment, day), ids in users.items():
        chosen = {"time": day} if by is None else {"time": day, "segment": segment}
        assert report.users(**chosen) == sorted(ids)


# -- what a person sees -------------------------------------------------------------------


def test_a_plot_draws_a_line_a_segment_and_says_what_it_counts(
    shop: pd.DataFrame, profiles: tk.ProfileTable
) -> None:
    ax = tk.segmentation(shop, profiles, "Buy", by=user["plan"]).plot()
    assert [line.get_ydata().tolist() for line in ax.lines] == [
        [2, 0, 0, 0],
        [0, 0, 1, 0],
        [1, 0, 0, 0],
    ]
    legend = ax.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["pro", "free", "(not set)"]
    assert legend.get_title().get_text() == "user.plan"
    assert ax.get_ylabel() == "events per day"
    assert ax.get_title(loc="left") == "Buy: events per day by user.plan"
    assert ax.get_ylim()[0] == 0
    assert len({line.get_color() for line in ax.lines}) == 3


def test_a_plot_composes_with_the_users_axes(shop: pd.DataFrame) -> None:
    figure, axes = plt.subplots(1, 2)
    report = tk.segmentation(shop, None, "Buy", measure="unique", unit="week", tz="Europe/Oslo")
    assert report.plot(ax=axes[1]) is axes[1]
    assert not axes[0].lines
    assert axes[1].get_ylabel() == "users per week"
    assert axes[1].get_xlabel() == "time (Europe/Oslo); shaded: incomplete"
    assert len(axes[1].patches) == 2  # the first and the last week
    assert plt.get_fignums() == [figure.number]


def test_without_buckets_it_draws_bars_with_their_numbers(
    shop: pd.DataFrame, profiles: tk.ProfileTable
) -> None:
    ax = tk.segmentation(shop, profiles, "Buy", by=user["plan"], unit=None).plot()
    assert [patch.get_width() for patch in ax.patches] == [2, 1, 1]
    assert [text.get_text() for text in ax.get_yticklabels()] == ["pro", "free", "(not set)"]
    assert [text.get_text() for text in ax.texts] == ["2", "1", "1"]
    assert ax.get_xlabel() == "events"


@pytest.fixture
def many() -> pd.DataFrame:
    """Segment s00 has 20 events, s01 has 19, and so on; 5 have none."""
    names = [f"s{number:02d}" for number in range(20) for _ in range(20 - number)] + [None] * 5
    return events_of(*[("Buy", f"{n}", 0) for n in range(len(names))], x=names)


@pytest.mark.parametrize("unit", ["day", None])
def test_of_many_segments_the_largest_are_drawn_and_totals_of_others_added_up(
    many: pd.DataFrame, unit: Any
) -> None:
    ax = tk.segmentation(many, None, "Buy", by="x", unit=unit).plot(top=3)
    if unit is None:
        labels = [text.get_text() for text in ax.get_yticklabels()]
        drawn = [patch.get_width() for patch in ax.patches]
    else:
        legend = ax.get_legend()
        assert legend is not None
        labels = [text.get_text() for text in legend.get_texts()]
        drawn = [line.get_ydata()[0] for line in ax.lines]
    assert labels == ["s00", "s01", "s02", "other (17 segments)", "(not set)"]
    assert drawn == [20, 19, 18, sum(range(1, 18)), 5]


def test_numbers_of_users_are_not_added_up(many: pd.DataFrame) -> None:
    ax = tk.segmentation(many, None, "Buy", by="x", measure="unique").plot()
    legend = ax.get_legend()
    assert legend is not None
    assert len(ax.lines) == 8 + 1
    assert legend.get_title().get_text() == "event.x (top 9 of 21)"


def test_a_plot_of_no_segments_is_refused(many: pd.DataFrame) -> None:
    with pytest.raises(errors.ReportError, match="top=0"):
        tk.segmentation(many, None, "Buy", by="x").plot(top=0)


HOSTILE = [
    "<script>alert(1)</script>",
    "$x$ $",
    r"$\frac{1$",
    "_hidden",
    "a\nb\x00",
    "日本",
    "%s{}",
    "x" * 500,
]


def test_hostile_values_are_drawn_and_shown_as_text() -> None:
    df = events_of(*[("Buy", "a", 86_400 * n) for n in range(len(HOSTILE))], x=HOSTILE)
    report = tk.segmentation(df, None, "Buy", by="x", unit=None)
    assert set(report.table["event.x"]) == set(HOSTILE)
    shown = report._repr_html_()
    assert "<script" not in shown
    assert "&lt;script&gt;" in shown
    ax = tk.segmentation(df[:7], None, "Buy", by="x").plot()
    legend = ax.get_legend()
    assert legend is not None
    drawn = {text.get_text().replace(r"\$", "$") for text in legend.get_texts()}
    assert {"<script>alert(1)</script>", "$x$ $", "_hidden", "日本"} <= drawn


def test_a_report_in_a_notebook_has_title_picture_table_and_notes(
    shop: pd.DataFrame, profiles: tk.ProfileTable
) -> None:
    report = tk.segmentation(shop, profiles, "Buy", by=user["plan"])
    shown = report._repr_html_()
    assert "Buy: events per day by user.plan" in shown
    assert shown.count('<img src="data:image/png;base64,') == 1
    assert "8 of 12 rows" in shown
    assert "Without a profile" in shown
    assert not re.search(r"https?:", shown)
    assert plt.get_fignums() == []


def test_the_repr_has_the_numbers_and_the_notes(shop: pd.DataFrame) -> None:
    report = tk.segmentation(shop, None, "Buy", unit=None)
    assert repr(report) == "Buy: events\n1 row\n   count\n0      4"


def test_text_is_drawn_in_the_colour_of_the_users_style(
    shop: pd.DataFrame, profiles: tk.ProfileTable
) -> None:
    with plt.style.context("dark_background"):
        ax = tk.segmentation(shop, profiles, "Buy", by=user["plan"]).plot()
        legend = ax.get_legend()
        assert legend is not None
        for text in (ax.yaxis.label, *legend.get_texts()):
            assert text.get_color() == mpl.rcParams["text.color"] == "white"


@pytest.mark.parametrize(("transparent", "opacity"), [(True, 0.0), (False, 1.0)])
def test_a_picture_has_a_background_only_if_asked_for(
    shop: pd.DataFrame, transparent: bool, opacity: float
) -> None:
    report = tk.segmentation(shop, None, "Buy")
    image = plt.imread(io.BytesIO(plots.as_png(report.plot, transparent=transparent)))
    assert image.shape[1] == 2 * plots.PICTURE_WIDTH
    assert image[0, 0, 3] == opacity


def test_times_that_are_all_midnight_are_labelled_as_days_and_may_be_asked_for_as_either() -> None:
    days = pd.to_datetime(["2026-01-02", "2026-01-02", "2026-01-03", None])
    frame = events_of(("Buy", "ann", 0), ("Buy", "bob", 0), ("Buy", "cem", 0), ("Buy", "dan", 0))
    report = tk.segmentation(frame.assign(day=days), None, "Buy", by="day", unit=None)
    labels = [text.get_text() for text in report.plot().get_yticklabels()]
    assert labels == ["2026-01-02", "2026-01-03", "(not set)"]
    assert report.labelled(report.table)["event.day"].tolist() == labels
    for segment in ("2026-01-02", "2026-01-02T00:00:00Z", days[0], days[0].tz_localize("UTC")):
        assert report.users(segment=segment) == ["ann", "bob"]
    mixed = frame.assign(day=days + pd.to_timedelta([0, 0, 1, 0], unit="h"))
    report = tk.segmentation(mixed, None, "Buy", by="day", unit=None)
    assert report.plot().get_yticklabels()[0].get_text() == "2026-01-02T00:00:00Z"
    assert report.users(segment="2026-01-02") == ["ann", "bob"]
