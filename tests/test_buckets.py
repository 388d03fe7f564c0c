"""Ranges of numbers, the calendar of times, some elements of lists: as breakdowns."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st

import toolkit as tk
from tests.funnel_logs import events_of, profiles_of
from toolkit import event, user
from toolkit.base import errors


def counted(values: list[Any], by: Any, **arguments: Any) -> dict[str, int]:
    """Return how many events each segment has, in the order of the table."""
    frame = events_of(*[("Buy", "ann", 0)] * len(values), x=pd.Series(values, dtype=object))
    table = tk.segmentation(frame, None, "Buy", by=by, unit=None, **arguments).table
    return dict(zip(table["event.x"], table["count"], strict=True))


# -- numbers ----------------------------------------------------------------------------


def test_a_step_has_its_lower_end_and_not_its_upper_one() -> None:
    found = counted([0, 9, 10, 19.999, 20, -1, -10], tk.bucket("x", 10))
    assert list(found.items()) == [
        ("-10 to <0", 2),
        ("0 to <10", 2),
        ("10 to <20", 2),
        ("20 to <30", 1),
    ]


def test_ends_of_ranges_have_commas_for_thousands_as_axes_do() -> None:
    assert counted([1500], tk.bucket("x", 1000)) == {"1,000 to <2,000": 1}
    assert counted([1500], tk.bucket("x", [1000])) == {"≥1,000": 1}


def test_steps_of_a_tenth_begin_where_their_decimals_say() -> None:
    found = counted([0.1, 0.3, 0.7, 0.29999999999999998, 1.1], tk.bucket("x", 0.1))
    assert found == {"0.1 to <0.2": 1, "0.3 to <0.4": 2, "0.7 to <0.8": 1, "1.1 to <1.2": 1}


@settings(deadline=None)
@given(st.lists(st.floats(-1e6, 1e6) | st.integers(-(10**6), 10**6), min_size=1), st.data())
def test_every_number_is_in_the_step_that_its_name_says(values: list[Any], data: Any) -> None:
    width = data.draw(st.sampled_from([0.1, 0.25, 1, 3, 7.5, 1000]))
    for value in values:
        (name,) = counted([value], tk.bucket("x", width))
        low, high = name.replace(",", "").split(" to <")
        assert float(low) <= value < float(high)
        assert float(high) - float(low) == pytest.approx(width)


def test_edges_make_a_range_below_and_one_from_the_last_on() -> None:
    found = counted([17, 17.5, 18, 29, 30, 49.99, 50, 10**30], tk.bucket("x", [18, 30, 50]))
    assert list(found.items()) == [("<18", 2), ("18 to <30", 2), ("30 to <50", 2), ("≥50", 2)]


def test_what_is_no_number_is_in_a_segment_of_its_own_and_noted() -> None:
    values = [5, "5", True, None, {"a": 1}, [1, 12], []]
    frame = events_of(*[("Buy", "ann", 0)] * 7, x=pd.Series(values, dtype=object))
    report = tk.segmentation(frame, None, "Buy", by=tk.bucket("x", 10), unit=None)
    assert [tuple(row) for row in report.table.to_numpy().tolist()] == [
        ("0 to <10", 2),
        ("10 to <20", 1),
        ("(empty list)", 1),
        ("(not a number)", 3),
        ("(not set)", 1),
    ]
    assert (
        "Values that fit no bucket of event.x in steps of 10 are in (not a number)." in report.notes
    )
    assert report.users(segment="(not a number)") == ["ann"]


def test_a_list_counts_once_in_each_range_of_its_elements() -> None:
    assert counted([[1, 2, 3], [4, 15]], tk.bucket("x", 10)) == {"0 to <10": 2, "10 to <20": 1}


@pytest.mark.parametrize("by", [0, -1, float("nan"), float("inf"), True, "decade", [], [2, 1]])
def test_what_is_no_bucket_is_refused(by: Any) -> None:
    with pytest.raises(errors.ReportError, match=r"bucket\(…"):
        tk.bucket("x", by)


def test_hidden_properties_have_no_buckets() -> None:
    with pytest.raises(errors.ReportError, match="hidden"):
        tk.bucket(user["$bucket"], 10)


# -- times ------------------------------------------------------------------------------

MOMENTS = [
    "2024-02-29T23:30:00Z",
    "2024-03-01T00:00:00Z",
    "2024-12-31T23:00:00Z",
    1_709_251_200,  # 2024-03-01T00:00Z
    "someday",
    None,
]


@pytest.mark.parametrize(
    ("unit", "names"),
    [
        ("hour", ["2024-02-29 23:00", "2024-03-01 00:00", "2024-12-31 23:00"]),
        ("day", ["2024-02-29", "2024-03-01", "2024-12-31"]),
        ("week", ["2024-02-26", "2024-12-30"]),
        ("month", ["2024-02", "2024-03", "2024-12"]),
        ("quarter", ["2024 Q1", "2024 Q4"]),
        ("year", ["2024"]),
        ("hour of day", ["00:00", "23:00"]),
        ("day of week", ["Tuesday", "Thursday", "Friday"]),
    ],
)
def test_times_fall_in_the_parts_of_the_calendar(unit: str, names: list[str]) -> None:
    assert list(counted(MOMENTS, tk.bucket("x", unit))) == [*names, "(not a date)", "(not set)"]


def test_the_calendar_is_that_of_the_reports_time_zone() -> None:
    found = counted(MOMENTS[:3], tk.bucket("x", "month"), tz="Europe/Oslo")
    assert found == {"2024-03": 2, "2025-01": 1}


DAYS = ["2026-01-01", " 2026-01-01 ", "20260101", "2026-W01-4"]


@pytest.mark.parametrize("tz", ["America/New_York", "Asia/Tokyo"])
@pytest.mark.parametrize(
    ("by", "segment"),
    [
        *[("hour", "2026-01-01 00:00"), ("day", "2026-01-01"), ("week", "2025-12-29")],
        *[("month", "2026-01"), ("quarter", "2026 Q1"), ("year", "2026")],
        *[("hour of day", "00:00"), ("day of week", "Thursday")],
    ],
)
def test_a_day_has_no_time_zone_and_is_in_the_same_bucket_in_all(
    by: str, segment: str, tz: str
) -> None:
    assert counted(DAYS, tk.bucket("x", by), tz=tz) == {segment: len(DAYS)}
    profiles = tk.ProfileTable()
    profiles.set("ann", {"x": DAYS[0], "days": [DAYS[0], "2026-01-01T00:00Z"]})
    table = tk.profile_report(profiles, by=tk.bucket(user["x"], by), tz=tz).table
    assert table["user.x"].tolist() == [segment]
    frame = events_of(("View", "ann", 0))
    report = tk.retention(frame, profiles, "View", by=tk.bucket(user["x"], by), tz=tz)
    assert set(report.table["user.x"]) == {segment}
    table = tk.profile_report(profiles, by=tk.bucket(user["days"], by), tz=tz).table
    assert segment in set(table["user.days"])


def test_a_date_with_a_zone_or_a_time_is_a_moment() -> None:
    moments = ["2026-01-01Z", "2026-01-01T00:00", "2026-01-01T00:00:00Z"]
    by = tk.bucket("x", "month")
    assert counted(moments, by, tz="America/New_York") == {"2025-12": 3}


def test_hours_of_the_day_follow_the_clock_through_a_change() -> None:
    # In Oslo the clock goes from 2 to 3 at 01:00 UTC.
    moments = ["2026-03-29T00:30Z", "2026-03-29T01:30Z"]
    found = counted(moments, tk.bucket("x", "hour of day"), tz="Europe/Oslo")
    assert found == {"01:00": 1, "03:00": 1}


def test_the_time_of_the_event_has_buckets_too() -> None:
    frame = events_of(("Buy", "ann", "2026-05-01T10:20Z"), ("Buy", "bob", "2026-05-02T10:40Z"))
    by = tk.bucket(event["time"], "hour of day")
    table = tk.segmentation(frame, None, "Buy", by=by, unit=None).table
    assert table.to_numpy().tolist() == [["10:00", 2]]


def test_a_property_may_be_cut_in_two_ways_and_each_column_says_how() -> None:
    frame = events_of(("Buy", "ann", "2026-05-01T10:20Z"), ("Buy", "bob", "2026-05-02T10:40Z"))
    by = [tk.bucket(event["time"], "day of week"), tk.bucket(event["time"], "hour of day")]
    report = tk.segmentation(frame, None, "Buy", by=by, unit=None)
    assert list(report.table) == ["event.time by day of week", "event.time by hour of day", "count"]
    assert report.table.to_numpy().tolist() == [["Friday", "10:00", 1], ["Saturday", "10:00", 1]]
    assert report.users(**report.cell(1)) == ["bob"]
    priced = frame.assign(item=[4, 7])
    both = tk.segmentation(priced, None, "Buy", by=[event["item"], tk.bucket(event["item"], 5)])
    assert list(both.table)[:2] == ["event.item", "event.item in steps of 5"]
    with pytest.raises(errors.ReportError, match="same breakdown twice"):
        tk.segmentation(frame, None, "Buy", by=[by[0], tk.bucket(event["time"], "day of week")])


# -- in every report ------------------------------------------------------------------------


def test_every_report_is_broken_down_by_buckets() -> None:
    profiles = profiles_of(
        {"ann": {"age": 31, "$created": "2025-12-31T23:30:00Z"}, "bob": {"age": 24}, "cem": {}}
    )
    frame = events_of(
        *[("View", who, f"2026-05-01T10:0{n}Z") for n, who in enumerate(["ann", "bob", "cem"])],
        ("Buy", "ann", "2026-05-02T10:00Z"),
    )
    for by in (tk.bucket(user["age"], 10), tk.bucket(user["$created"], "year")):
        first = tk.segmentation(frame, profiles, None, by=by, unit=None, tz="Europe/Oslo").table
        names = first.iloc[:, 0].tolist()
        others: list[Any] = [
            tk.funnel(frame, profiles, ["View", "Buy"], by=by, tz="Europe/Oslo"),
            tk.retention(frame, profiles, "View", by=by, tz="Europe/Oslo"),
            tk.frequency(frame, profiles, "View", by=by, tz="Europe/Oslo"),
            tk.lifecycle(frame, profiles, by=by, tz="Europe/Oslo"),
            tk.flows(frame, profiles, "View", by=by, tz="Europe/Oslo"),
        ]
        for report in others:
            assert report.table.iloc[:, 0].unique().tolist() == names
            assert report.users(**report.cell(0)) is not None
    assert names == ["2026", "(not set)"]  # in Oslo it is 2026 already


def test_flows_split_events_by_the_calendar_of_the_report() -> None:
    frame = events_of(("View", "ann", "2026-05-01T20:00Z"), ("Buy", "ann", "2026-05-01T21:00Z"))
    by = tk.bucket(event["time"], "hour of day")
    report = tk.flows(frame, None, "View", after=1, expand=by, tz="Asia/Tokyo")
    assert report.table[["from", "to"]].values.tolist()[0] == ["View: 05:00", "Buy: 06:00"]


# -- elements of lists ----------------------------------------------------------------------

PRODUCTS = [["P1", "P2", "P4"], ["P2", "P3", "P4"], ["P3", "P4"]]


def test_any_element_first_and_then_matching_items_only() -> None:
    wanted = event["x"].any() == "P1"
    assert counted(PRODUCTS, "x", where=wanted) == {"P1": 1, "P2": 1, "P4": 1}
    assert counted(PRODUCTS, "x", where=event["x"].all() == "P1") == {}
    assert counted(PRODUCTS, tk.items("x", wanted), where=wanted) == {"P1": 1}


def test_elements_that_do_not_match_have_no_segment() -> None:
    by = tk.items("x", event["x"].isin(["P1", "P3"]))
    assert counted(PRODUCTS, by) == {"P3": 2, "P1": 1}


def test_events_without_an_element_that_matches_are_left_out_and_noted() -> None:
    frame = events_of(*[("Buy", "ann", 0)] * 3, x=pd.Series(PRODUCTS, dtype=object))
    by = tk.items("x", 'any(event["x"]) == "P1"')
    report = tk.segmentation(frame, None, "Buy", by=by, unit=None)
    assert "Without an element that matches, so in no segment: 2 events." in report.notes


def test_a_condition_on_items_looks_at_them_alone() -> None:
    with pytest.raises(errors.ReportError, match=r"filter events with where="):
        tk.items("x", (event["x"].any() == "P1") & (event["y"] == 1))
