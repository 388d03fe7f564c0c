"""Several metrics, formulas, and how values of buckets become those shown."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

import toolkit as tk
from tests.funnel_logs import events_of, profiles_of
from toolkit import event, user
from toolkit.base import errors

mpl.use("Agg")


@pytest.fixture
def shop() -> pd.DataFrame:
    return events_of(
        ("View", "ann", "2026-05-01T10:00Z"),
        ("View", "bob", "2026-05-01T11:00Z"),
        ("Buy", "ann", "2026-05-01T12:00Z"),
        ("Buy", "ann", "2026-05-02T12:00Z"),
        ("View", "cem", "2026-05-02T13:00Z"),
        ("Buy", "bob", "2026-05-04T00:00Z"),
        amount=[None, None, 10, 20, None, 5],
        item=["hat", "tie", "hat", "tie", "hat", "hat"],
    )


@pytest.fixture
def profiles() -> tk.ProfileTable:
    return profiles_of({"ann": {"plan": "pro", "age": 30}, "bob": {"plan": "free", "age": 20}})


def number(report: Any) -> str:
    return "count" if "count" in report.table else "value"


def values(report: Any) -> list[float]:
    found: list[float] = report.table[number(report)].tolist()
    return found


def same(found: list[float], expected: list[float]) -> bool:
    return found == pytest.approx(expected, nan_ok=True)


def rows(report: Any) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in report.table.to_numpy(dtype=object).tolist()]


# -- several metrics ------------------------------------------------------------------------


def test_of_several_events_the_table_has_a_column_metric(
    shop: pd.DataFrame, profiles: tk.ProfileTable
) -> None:
    report = tk.segmentation(shop, profiles, ["View", "Buy"], by=user["plan"], unit=None)
    assert list(report.table.columns) == ["user.plan", "metric", "count"]
    # The order is that of the first metric.
    assert rows(report) == [
        ("free", "View", 1),
        ("free", "Buy", 1),
        ("pro", "View", 1),
        ("pro", "Buy", 2),
        ("(not set)", "View", 1),
        ("(not set)", "Buy", 0),
    ]
    daily = tk.segmentation(shop, profiles, ["View", "Buy"])
    assert list(daily.table.columns) == ["time", "metric", "count"]
    assert values(daily) == [2, 1, 0, 0, 1, 1, 0, 1]
    assert daily.users(metric="Buy", time="2026-05-01") == ["ann"]
    assert daily.users(time="2026-05-01") == ["ann", "bob"]
    for row in range(8):
        cell = daily.cell(row)
        assert set(cell) == {"metric", "time"}
        assert len(daily.users(**cell)) == values(daily)[row]


def test_metrics_measure_each_its_own(shop: pd.DataFrame) -> None:
    report = tk.segmentation(
        shop,
        None,
        [
            tk.metric("Buy", measure="sum", of="amount", name="Revenue"),
            tk.metric("Buy", measure="unique"),
            tk.step("View", where=event["item"] == "hat", name="Hats"),
        ],
        unit=None,
    )
    assert rows(report) == [("Revenue", 35.0), ("Buy", 2.0), ("Hats", 2.0)]


def test_of_one_event_a_step_counts_what_its_condition_says(shop: pd.DataFrame) -> None:
    report = tk.segmentation(shop, None, tk.step("Buy", where=event["amount"] > 5), unit=None)
    assert rows(report) == [(2,)]
    assert report.title == 'Buy where event["amount"] > 5: events'


def test_metrics_of_one_event_are_told_apart(shop: pd.DataFrame) -> None:
    both = [tk.metric("Buy"), tk.metric("Buy", measure="unique")]
    report = tk.segmentation(shop, None, both, unit=None)
    assert report.table["metric"].tolist() == ["Buy: events", "Buy: users"]
    with pytest.raises(errors.ReportError, match="two metrics are called"):
        tk.segmentation(shop, None, ["Buy", "Buy"])


# -- formulas -------------------------------------------------------------------------------

REVENUE = tk.metric("Buy", measure="sum", of="amount", name="Revenue")
BUYERS = tk.metric("Buy", measure="unique", name="The buyers")


@pytest.mark.parametrize("formula", ["A / B", 'Revenue / "The buyers"', "(Revenue) / B * 1"])
def test_a_formula_is_worked_out_in_each_cell(shop: pd.DataFrame, formula: str) -> None:
    report = tk.segmentation(shop, None, [REVENUE, BUYERS], formula=formula)
    assert same(values(report), [10, 20, math.nan, 5])
    assert str(report.table["value"].dtype) == "float64"
    assert any("no value in 1 of 4 cells" in note for note in report.notes)
    assert report.users(time="2026-05-04") == ["bob"]


def test_a_formula_has_a_value_a_segment(shop: pd.DataFrame) -> None:
    report = tk.segmentation(
        shop, None, ["Buy", "View"], formula="round(A / B * 100)", by="item", unit=None
    )
    assert rows(report) == [("hat", 100.0), ("tie", 100.0)]


@pytest.mark.parametrize(
    ("formula", "said", "at"),
    [
        ("A / C", 'nothing is called "C"', 4),
        ("A / ", "found the end", 4),
        ('A + user["age"]', 'nothing is called "user"', 4),
        ("A + __import__('os')", 'nothing is called "__import__"', 4),
        ("A.real", "found", 1),
        ("A + [1]", "expected a name", 4),
    ],
)
def test_an_error_in_a_formula_points_at_the_character(
    shop: pd.DataFrame, formula: str, said: str, at: int
) -> None:
    with pytest.raises(errors.ExpressionError) as caught:
        tk.segmentation(shop, None, [REVENUE, BUYERS], formula=formula)
    message, line, caret = str(caught.value).split("\n")
    assert said in message
    assert line.strip() == formula.strip()
    assert caret.index("^") - 4 == at


@pytest.mark.parametrize("formula", ["A > B", "", 3])
def test_what_is_no_number_is_no_formula(shop: pd.DataFrame, formula: Any) -> None:
    with pytest.raises(errors.ToolkitError, match="formula"):
        tk.segmentation(shop, None, ["Buy", "View"], formula=formula)


# -- properties -----------------------------------------------------------------------------


def test_integers_add_up_exactly() -> None:
    large = [2**62, 2**61, 2**61 - 3, -5, 1]
    frame = events_of(*[("Buy", "ann", 0)] * 5, x=large)
    report = tk.segmentation(frame, None, "Buy", measure="sum", of="x", unit=None)
    assert values(report) == [sum(large)]
    assert str(report.table["value"].dtype) == "int64"
    over = tk.segmentation(pd.concat([frame, frame]), None, "Buy", measure="sum", of="x", unit=None)
    assert values(over) == [float(2 * sum(large))]
    none = tk.segmentation(frame, None, "Bye", measure="sum", of="x", unit=None)
    assert values(none) == [0]
    assert str(none.table["value"].dtype) == "int64"


def test_what_is_no_number_is_left_out_and_noted(profiles: tk.ProfileTable) -> None:
    cells = [1, 2.5, "3", True, None, [4, "x", 5], []]
    frame = events_of(*[("Buy", "ann", 0)] * 7, x=pd.Series(cells, dtype=object))
    report = tk.segmentation(frame, None, "Buy", measure="sum", of="x", unit=None)
    assert values(report) == [12.5]
    assert (
        "Left out of the sum of event.x, because of a value that is not a number: 3 events."
        in report.notes
    )
    distinct = tk.segmentation(frame, None, "Buy", measure="distinct", of="x", unit=None)
    assert values(distinct) == [7]  # 1, 2.5, "3", true, 4, "x", 5


def test_a_percentile_lies_between_two_numbers_in_proportion() -> None:
    frame = events_of(*[("Buy", "ann", 0)] * 4, x=[4, 1, 3, 2])

    def of(measure: str) -> float:
        return values(tk.segmentation(frame, None, "Buy", measure=measure, of="x", unit=None))[0]

    assert [of(each) for each in ("p0", "p25", "median", "p50", "p99.5", "p100")] == (
        pytest.approx([1, 1.75, 2.5, 2.5, np.percentile([1, 2, 3, 4], 99.5), 4])
    )


@pytest.mark.parametrize("measure", ["p101", "p", "p-1", "mean", "p1.", None, 5])
def test_an_unknown_measure_is_refused(shop: pd.DataFrame, measure: Any) -> None:
    with pytest.raises(errors.ReportError, match="allowed are total"):
        tk.segmentation(shop, None, "Buy", measure=measure)


def test_a_measure_of_a_property_needs_one_and_others_take_none(shop: pd.DataFrame) -> None:
    with pytest.raises(errors.ReportError, match="needs of="):
        tk.segmentation(shop, None, "Buy", measure="sum")
    with pytest.raises(errors.ReportError, match="uses no property"):
        tk.segmentation(shop, None, "Buy", of="amount")
    with pytest.raises(errors.ReportError, match="its own measure"):
        tk.segmentation(shop, None, REVENUE, measure="unique")
    with pytest.raises(errors.EventsError, match='no event has a property "amont"'):
        tk.segmentation(shop, None, "Buy", measure="sum", of="amont")


def test_a_property_of_the_user_at_each_event_is_refused(
    shop: pd.DataFrame, profiles: tk.ProfileTable
) -> None:
    with pytest.raises(errors.ReportError, match="counts each user once"):
        tk.segmentation(shop, profiles, "Buy", measure="average", of=user["age"], at="event time")


def test_nothing_is_made_of_no_events(profiles: tk.ProfileTable) -> None:
    nothing = events_of(amount=[])
    for measure in ("total", "unique", "sessions", "per_user", "dau", "mau"):
        for unit in ("day", None):
            report = tk.segmentation(nothing, profiles, None, measure=measure, unit=unit)
            assert len(report.table) == (unit is None)
            assert report.users() == []
    for measure in ("sum", "average", "median", "min", "max", "distinct", "p90"):
        report = tk.segmentation(nothing, profiles, None, measure=measure, of="amount")
        assert len(report.table) == 0
        report.plot()


# -- active users ---------------------------------------------------------------------------


def test_windows_of_days_reach_back_before_the_range() -> None:
    frame = events_of(
        ("View", "ann", "2026-04-02T23:59Z"),
        ("View", "bob", "2026-04-30T12:00Z"),
        ("View", "cem", "2026-05-01T00:00Z"),
    )
    asked = {"start": "2026-05-01", "end": "2026-05-07"}
    monthly = tk.segmentation(frame, None, None, measure="mau", **asked)
    assert values(monthly) == [3, 2, 2, 2, 2, 2, 2]
    weekly = tk.segmentation(frame, None, None, measure="wau", **asked)
    assert values(weekly) == [2, 2, 2, 2, 2, 2, 1]
    assert weekly.users(time="2026-05-06") == ["bob", "cem"]
    assert weekly.users(time="2026-05-07") == ["cem"]
    assert values(tk.segmentation(frame, None, None, measure="dau", **asked)) == [1] + [0] * 6
    at_the_end = tk.segmentation(frame, None, None, measure="wau", unit="month")
    assert values(at_the_end) == [1, 2]


def test_windows_that_begin_before_the_first_event_are_noted(shop: pd.DataFrame) -> None:
    report = tk.segmentation(shop, None, None, measure="wau")
    assert "The 7 days up to the first 4 days begin before the first event." in report.notes
    assert values(report) == [2, 3, 3, 3]


def test_windows_are_of_days_of_the_time_zone() -> None:
    # Oslo changes its clock on March 29: that day has 23 hours.
    frame = events_of(("View", "ann", "2026-03-28T22:59Z"), ("View", "bob", "2026-03-28T23:00Z"))
    asked = {"start": "2026-03-28", "end": "2026-04-05", "tz": "Europe/Oslo"}
    report = tk.segmentation(frame, None, None, measure="wau", **asked)
    assert values(report) == [1, 2, 2, 2, 2, 2, 2, 1, 0]


@pytest.mark.parametrize("arguments", [{"unit": "hour"}, {"cumulative": True}])
def test_windows_of_days_are_of_whole_days_as_they_are(
    shop: pd.DataFrame, arguments: dict[str, Any]
) -> None:
    with pytest.raises(errors.ReportError, match='measure="dau"'):
        tk.segmentation(shop, None, None, measure="dau", **arguments)


def test_a_session_ends_after_half_an_hour_without_an_event() -> None:
    frame = events_of(
        ("View", "ann", "2026-05-01T10:00Z"),
        ("Buy", "ann", "2026-05-01T10:30Z"),  # 30 minutes: the same session
        ("Buy", "ann", "2026-05-01T11:00:00.000001Z"),  # a microsecond more
        ("Buy", "ann", "2026-05-01T11:00:10Z"),
        ("Buy", None, "2026-05-01T11:00:10Z"),
    )
    report = tk.segmentation(frame, None, "Buy", measure="sessions", unit=None)
    assert values(report) == [2]
    assert values(tk.segmentation(frame, None, "View", measure="sessions", unit=None)) == [1]
    assert report.users() == ["ann"]


# -- views ----------------------------------------------------------------------------------


def test_from_the_start_on_each_user_counts_once(shop: pd.DataFrame) -> None:
    assert values(tk.segmentation(shop, None, None, cumulative=True)) == [3, 5, 5, 6]
    unique = tk.segmentation(shop, None, None, measure="unique", cumulative=True)
    assert values(unique) == [2, 3, 3, 3]
    assert unique.users(time="2026-05-02") == ["ann", "bob", "cem"]


def test_rolling_is_the_mean_of_the_last_buckets_and_unknown_at_first(shop: pd.DataFrame) -> None:
    report = tk.segmentation(shop, None, None, rolling=2)
    assert same(values(report), [math.nan, 2.5, 1, 0.5])
    assert any(
        note.startswith("Each value is the mean of 2 days; the first day has none")
        for note in report.notes
    )
    assert report.users(time="2026-05-03") == ["ann", "cem"]
    averages = tk.segmentation(shop, None, "Buy", measure="average", of="amount", rolling=2)
    assert same(values(averages), [math.nan, 15, 20, 5])
    short = tk.segmentation(shop, None, None, rolling=9)
    assert np.isnan(values(short)).all()


def test_the_period_before_has_as_many_buckets(shop: pd.DataFrame) -> None:
    report = tk.segmentation(
        shop, None, None, start="2026-05-03", end="2026-05-04", compare="previous"
    )
    assert report.table["count"].tolist() == [0, 1]
    assert report.table["previous"].tolist() == [3, 2]
    assert report.table["change"].tolist() == [-1.0, -0.5]
    assert "Compared with 2026-05-01 to 2026-05-02 (UTC), bucket by bucket." in report.notes
    assert report.users(time="2026-05-04", previous=True) == ["ann", "cem"]
    further = tk.segmentation(
        shop, None, None, start="2026-05-02", end="2026-05-04", compare="previous"
    )
    assert "It begins before the first event, 2026-05-01T10:00:00Z." in further.notes[-1]
    range_ = {"start": "2026-05-03", "end": "2026-05-04"}
    whole = tk.segmentation(shop, None, None, **range_, compare="previous", unit=None)
    assert whole.table["previous"].tolist() == [5]


def test_a_bucket_that_the_range_cuts_is_cut_in_the_period_before_too(shop: pd.DataFrame) -> None:
    # The events end in the first hour of May 4, so that of May 2 counts alone.
    report = tk.segmentation(shop, None, None, start="2026-05-03", compare="previous")
    assert report.table["previous"].tolist() == [3, 0]
    assert any("2026-05-01 to 2026-05-02 01:00 (UTC)" in note for note in report.notes)


def test_of_the_earliest_range_nothing_was_before_and_that_is_said(shop: pd.DataFrame) -> None:
    report = tk.segmentation(shop, None, None, compare="previous")
    assert report.table["previous"].tolist() == [0, 0, 0, 0]
    assert report.table["change"].isna().all()
    assert any(note.startswith("No event at all is in the period to") for note in report.notes)


@pytest.mark.parametrize(
    ("arguments", "earlier"),
    [
        ({"compare": "previous", "unit": "month", "start": "2024-03-01", "end": "2024-03-31"},
         ["2024-02-29T12:00Z"]),
        ({"compare": "previous year", "unit": "day", "start": "2024-02-28", "end": "2024-03-01"},
         ["2023-02-28T12:00Z", "2023-03-01T12:00Z", "2023-03-02T12:00Z"]),
        ({"compare": "previous month", "unit": "day", "start": "2024-03-30", "end": "2024-03-31"},
         ["2024-02-29T12:00Z", "2024-03-01T12:00Z"]),
        ({"compare": "previous year", "unit": "week", "start": "2024-01-01", "end": "2024-01-14"},
         ["2023-01-02T12:00Z", "2023-01-09T12:00Z"]),
        ({"compare": "previous", "unit": "hour", "start": "2024-03-31T00:00", "tz": "Europe/Oslo",
          "end": "2024-03-31T05:00"}, [f"2024-03-30T{hour}:30Z" for hour in (19, 20, 21, 22)]),
        ({"compare": "previous", "unit": "day", "start": "2024-03-31", "end": "2024-04-01",
          "tz": "Europe/Oslo"}, ["2024-03-28T23:30Z", "2024-03-30T00:30Z"]),
    ],
)  # fmt: skip
def test_earlier_buckets_stand_beside_those_of_the_calendar(
    arguments: dict[str, Any], earlier: list[str]
) -> None:
    frame = events_of(*[("View", "ann", moment) for moment in earlier])
    report = tk.segmentation(frame, None, None, **arguments)
    assert report.table["previous"].tolist() == [1] * len(earlier)
    assert report.table["count"].sum() == sum(
        pd.Timestamp(moment) >= report.table["time"][0] for moment in earlier
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"top": 0, "by": "item"}, "top=0"),
        ({"top": 2.5, "by": "item"}, "top=2.5"),
        ({"top": 2}, "top= needs a breakdown"),
        ({"rolling": 0}, "rolling=0"),
        ({"rolling": True}, "rolling=True"),
        ({"rolling": 2, "unit": None}, "rolling= needs buckets"),
        ({"cumulative": 1}, "cumulative=1"),
        ({"compare": "last year"}, "compare='last year' is unknown"),
        ({"compare": "previous month", "unit": "year"}, "shorter than a year"),
        ({"event": []}, "counts nothing"),
    ],
)
def test_views_it_does_not_know_are_refused(
    shop: pd.DataFrame, arguments: dict[str, Any], said: str
) -> None:
    with pytest.raises(errors.ReportError, match=said):
        tk.segmentation(shop, None, **{"event": None, **arguments})


def test_a_cell_of_no_metric_or_period_is_refused(shop: pd.DataFrame) -> None:
    report = tk.segmentation(shop, None, ["View", "Buy"])
    with pytest.raises(errors.ReportError, match=r'no metric "Bye".*Did you mean "Buy"'):
        report.users(metric="Bye")
    with pytest.raises(errors.ReportError, match="compare is None"):
        report.users(previous=True)


# -- the largest segments -------------------------------------------------------------------


def test_other_counts_each_user_once_and_each_event_once() -> None:
    lists = [["a", "b"], ["a"], ["b", "c"], ["c", "d"], None, ["a"]]
    frame = events_of(
        *[("Buy", who, 0) for who in ["ann", "ann", "bob", "bob", "cem", "eve"]],
        x=pd.Series(lists, dtype=object),
    )
    total = tk.segmentation(frame, None, "Buy", by="x", top=1, unit=None)
    assert rows(total) == [("a", 3), ("(other)", 3), ("(not set)", 1)]
    unique = tk.segmentation(frame, None, "Buy", by="x", top=1, unit=None, measure="unique")
    assert rows(unique) == [("a", 2), ("(other)", 2), ("(not set)", 1)]
    assert unique.users(segment="(other)") == ["ann", "bob"]
    assert any("(other)" in note for note in unique.notes)


def test_a_value_called_other_is_told_apart() -> None:
    frame = events_of(*[("Buy", "ann", 0)] * 6, x=["(other)"] * 3 + ["b", "b", "c"])
    report = tk.segmentation(frame, None, "Buy", by="x", top=2, unit=None)
    assert rows(report) == [('"(other)"', 3), ("b", 2), ("(other)", 1)]


def test_a_hundred_thousand_values_are_no_trouble_with_a_top() -> None:
    number = 100_000
    frame = pd.DataFrame(
        {
            "event": "Buy",
            "distinct_id": [f"u{n % 50_000}" for n in range(number)],
            "time": pd.date_range("2026-01-01", periods=number, freq="min", tz="UTC"),
            "x": [f"v{n}" for n in range(number - 5)] + ["v0"] * 5,
        }
    )
    with pytest.raises(errors.ReportError, match="top="):
        tk.segmentation(frame, None, "Buy", by="x")
    report = tk.segmentation(frame, None, "Buy", by="x", top=1, unit=None, measure="unique")
    assert rows(report) == [("v0", 6), ("(other)", 49_999 + 1)]


def test_names_with_quotes_and_other_scripts_are_names() -> None:
    name = """prix "net" d'été $1 日本"""
    frame = events_of(("Buy", "ann", 0), ("Buy", "bob", 0))
    frame[name] = [3, 4]
    report = tk.segmentation(
        frame, None, "Buy", measure="sum", of=event[name], by=tk.bucket(event[name], 1), unit=None
    )
    assert rows(report) == [("3 to <4", 3), ("4 to <5", 4)]
    report.plot()


# -- pictures -------------------------------------------------------------------------------


def test_the_period_before_is_dashed_in_the_same_colour(shop: pd.DataFrame) -> None:
    ax = tk.segmentation(shop, None, "Buy", by="item", compare="previous").plot()
    lines = [line for line in ax.get_lines() if len(line.get_xdata()) == 4]
    assert len(lines) == 4
    assert [line.get_color() for line in lines[:2]] == [line.get_color() for line in lines[2:]]
    assert {line.get_linestyle() for line in lines[2:]} == {"--"}
    assert [text.get_text() for text in ax.get_legend().get_texts()][-1] == "the period before"


def test_several_metrics_are_lines_with_their_names(shop: pd.DataFrame) -> None:
    ax = tk.segmentation(shop, None, ["View", "Buy"]).plot()
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["View", "Buy"]
    assert ax.get_legend().get_title().get_text() == "metric"


def test_totals_and_sums_are_stacked_on_request_and_others_are_not(shop: pd.DataFrame) -> None:
    ax = tk.segmentation(shop, None, None, by="item").plot(kind="stacked")
    bars = [bar for container in ax.containers for bar in container]
    assert sum(bar.get_height() for bar in bars) == 6
    assert max(bar.get_y() + bar.get_height() for bar in bars) == 3  # of May 1
    with pytest.raises(errors.ReportError, match="stacked"):
        tk.segmentation(shop, None, None, by="item", measure="unique").plot(kind="stacked")
    with pytest.raises(errors.ReportError, match="allowed are bar"):
        tk.segmentation(shop, None, None, by="item", unit=None).plot(kind="stacked")


def test_all_segments_that_are_stacked_by_default_have_colours_of_their_own() -> None:
    rows = [("Buy", "ann", f"2026-05-01T{hour:02}:00Z") for hour in range(8)]
    frame = events_of(*rows, x=[f"s{n}" for n in range(8)])
    report = tk.segmentation(frame, None, None, by="x", unit="day")
    for style in ("default", "dark_background"):
        with plt.style.context(style):
            ax = report.plot(Figure().add_subplot(), kind="stacked")
        assert len({bars[0].get_facecolor() for bars in ax.containers}) == 8


def test_of_many_days_stacked_bars_touch_each_other(shop: pd.DataFrame) -> None:
    report = tk.segmentation(shop, None, None, unit="day", start="2026-01-01", end="2026-04-30")
    bars = report.plot(kind="stacked").containers[0]
    assert len(bars) == 120
    assert all(
        bar.get_x() + bar.get_width() == pytest.approx(after.get_x())
        for bar, after in pairwise(bars)
    )


def test_numbers_below_zero_are_not_stacked(shop: pd.DataFrame) -> None:
    refunds = shop.assign(paid=-5)
    report = tk.segmentation(refunds, None, None, by="item", measure="sum", of="paid")
    with pytest.raises(errors.ReportError, match="below zero"):
        report.plot(kind="stacked")
    assert report.plot().get_ylim()[0] < 0


def test_totals_of_lists_are_not_added_up_for_an_event_is_in_several() -> None:
    items = [[f"item {n:02}" for n in range(20)]]
    frame = pd.DataFrame({"event": "Buy", "distinct_id": "a", "time": "2026-05-01", "x": items})
    ax = tk.segmentation(frame, None, "Buy", by="x", unit=None).plot()
    assert not any("other" in text.get_text() for text in ax.get_yticklabels())
    assert ax.get_ylabel() == "event.x (top 12 of 20)"


def test_small_numbers_have_a_scale_of_their_own(shop: pd.DataFrame) -> None:
    ax = tk.segmentation(shop, None, ["Buy", "View"], formula="A / B / 100").plot()
    assert ax.get_ylim()[1] < 0.1
    bars = tk.segmentation(shop, None, ["Buy", "View"], formula="A / B / 100", by="item", unit=None)
    assert "0.01" in [text.get_text() for text in bars.plot().texts]


# -- the order of segments ------------------------------------------------------------------


@pytest.mark.parametrize("measure", ["average", "median", "min", "max", "p90"])
@pytest.mark.parametrize("top", [None, 3])
def test_a_segment_without_a_value_comes_after_one_below_zero(
    measure: str, top: int | None
) -> None:
    amounts = {"up": 5, "down": -5, "none": None, "also none": None}
    df = pd.DataFrame(
        [("Buy", "ann", "2026-05-01T10:00Z", item, amount) for item, amount in amounts.items()],
        columns=["event", "distinct_id", "time", "item", "amount"],
    )
    report = tk.segmentation(
        df, None, "Buy", measure=measure, of="amount", by="item", unit=None, top=top
    )
    last = ["also none", "none"] if top is None else ["also none", "(other)"]
    assert report.table["event.item"].tolist() == ["up", "down", *last]


def test_of_two_breakdowns_a_group_without_a_value_comes_last() -> None:
    rows = [("x", "a", None), ("x", "b", None), ("y", "a", -3), ("y", "b", None)]
    df = pd.DataFrame(rows, columns=["item", "shop", "amount"])
    df = df.assign(event="Buy", distinct_id="ann", time="2026-05-01T10:00Z")
    table = tk.segmentation(
        df, None, "Buy", measure="average", of="amount", by=["item", "shop"], unit=None
    ).table
    assert list(zip(table["event.item"], table["event.shop"], strict=True)) == [
        ("y", "a"),
        ("y", "b"),
        ("x", "a"),
        ("x", "b"),
    ]


@pytest.mark.parametrize("measure", ["dau", "wau", "mau"])
@pytest.mark.parametrize("top", [None, 1])
def test_segments_of_active_users_are_ordered_by_what_the_buckets_add_up_to(
    measure: str, top: int | None
) -> None:
    # "many" has two users on the last day, "often" one user from the first.
    rows = [("often", "ann", day) for day in range(1, 41)]
    rows += [("many", "bob", 40), ("many", "cid", 40)]
    df = pd.DataFrame(rows, columns=["item", "distinct_id", "day"])
    df["time"] = pd.Timestamp("2026-04-30", tz="UTC") + pd.to_timedelta(df.pop("day"), unit="D")
    report = tk.segmentation(
        df.assign(event="View"), None, "View", measure=measure, by="item", unit="day", top=top
    )
    sums = report.table.groupby("event.item", observed=True)["count"].sum()
    assert sums["often"] > sums.drop("often").iloc[0]
    assert report.table["event.item"].unique().tolist()[0] == "often"
