"""What a funnel counts: exact numbers, worked out by hand."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

import toolkit as tk
from tests.funnel_logs import (
    by_segment,
    clock,
    count_all,
    counts,
    events_of,
    held,
    one_user,
    profiles_of,
)
from tests.moments import START
from toolkit import event, user
from toolkit.base import errors
from toolkit.base.durations import as_duration, in_words

DAY = 86_400


# -- the worked numbers -----------------------------------------------------------------

LATE = clock(("A", "13:00"), ("A", "13:30"), ("B", "13:45"), ("C", "14:15"))


def test_a_later_first_step_does_not_restart_the_window() -> None:
    assert counts(tk.funnel(LATE, None, ["A", "B", "C"], window="1h")) == [1, 1, 0]
    assert counts(tk.funnel(LATE, None, ["A", "B", "C"], window="1h", count="total")) == [1, 1, 0]


def test_optimized_tries_the_later_first_step_too() -> None:
    report = tk.funnel(LATE, None, ["A", "B", "C"], window="1h", reentry="optimized")
    assert counts(report) == [1, 1, 1]
    assert report.table["average_seconds"].tolist()[1:] == [15 * 60, 30 * 60]


@pytest.mark.parametrize(
    ("happened", "reached"), [("ABDCDE", 5), ("ABCDE", 5), ("ABFCDE", 5), ("ABCE", 3)]
)
def test_in_a_specific_order_other_events_may_stand_between_and_none_be_left_out(
    happened: str, reached: int
) -> None:
    report = tk.funnel(one_user(happened), None, list("ABCDE"))
    assert counts(report) == [1] * reached + [0] * (5 - reached)


def test_a_window_over_before_the_step_converts_only_if_optimized() -> None:
    df = clock(("A", "10:00"), ("A", "10:50"), ("B", "11:20"))
    assert count_all(df, ["A", "B"], window="1h") == {
        ("unique", "first"): [1, 0],
        ("unique", "optimized"): [1, 1],
        ("total", "first"): [1, 0],
        ("total", "optimized"): [2, 1],  # the one dropped, the other converted
    }


def test_after_the_window_a_first_step_enters_again() -> None:
    df = clock(("A", "10:00"), ("A", "11:30"), ("B", "11:40"))
    assert count_all(df, ["A", "B"], window="1h") == {
        ("unique", "first"): [1, 0],
        ("unique", "optimized"): [1, 1],
        ("total", "first"): [2, 1],
        ("total", "optimized"): [2, 1],
    }


def test_an_excluded_event_ends_the_entry_and_is_no_entry_itself() -> None:
    found = count_all(one_user("AAAB"), ["A", "B"], exclude=["A"])
    assert found["total", "first"] == [2, 1]
    assert found["unique", "first"] == [1, 0]
    assert found["unique", "optimized"] == [1, 1]


@pytest.mark.parametrize("count", ["unique", "total"])
def test_an_event_property_breaks_down_entries_and_a_user_may_enter_again(count: Any) -> None:
    names = ["Browse", "Browse", "Add", "Browse"]
    items = ["shirt", "jeans", None, "shoes"]
    df = events_of(*[(name, "ann", 60 * n) for n, name in enumerate(names)], item=items)
    report = tk.funnel(df, None, ["Browse", "Add"], by="item", count=count)
    assert by_segment(report) == {"shirt": [1, 1], "shoes": [1, 0]}
    assert report.users(step=2, segment="shirt") == ["ann"]
    assert report.users(step=2, segment="shoes") == []


def test_two_conversions_of_one_user_are_one_of_uniques_and_two_of_totals() -> None:
    assert count_all(one_user("ABAB"), ["A", "B"]) == {
        ("unique", "first"): [1, 1],
        ("unique", "optimized"): [1, 1],
        ("total", "first"): [2, 2],
        ("total", "optimized"): [2, 2],
    }


def test_of_first_steps_before_the_same_second_step_the_last_is_the_optimized_entry() -> None:
    df = one_user("AAAB")
    for count in ("unique", "total"):
        report = tk.funnel(df, None, ["A", "B"], reentry="optimized", count=count)
        assert counts(report) == [1, 1]
        assert report.table["average_seconds"][1] == 60
    assert tk.funnel(df, None, ["A", "B"]).table["average_seconds"][1] == 180


def test_first_steps_that_lead_nowhere_are_entries_of_their_own_if_optimized() -> None:
    found = count_all(one_user("AAA"), ["A", "B"])
    assert found["total", "first"] == found["unique", "optimized"] == [1, 0]
    assert found["total", "optimized"] == [3, 0]


def test_when_one_converts_the_others_under_way_end_with_it() -> None:
    found = count_all(one_user("ABABC"), ["A", "B", "C"])
    assert found["total", "optimized"] == [1, 1, 1]
    assert count_all(one_user("ABABCC"), list("ABC"))["total", "optimized"] == [1, 1, 1]
    assert count_all(one_user("ABACBC"), list("ABC"))["total", "optimized"] == [1, 1, 1]


# -- the window and the range -----------------------------------------------------------


@pytest.mark.parametrize(("after", "reached"), [(0, 1), (1_000_000, 0)])
def test_the_end_of_the_window_is_part_of_it(after: int, reached: int) -> None:
    begun = pd.Timestamp("2026-05-01T10:00Z")
    late = begun + pd.Timedelta(days=7) + pd.Timedelta(after, "us")
    df = events_of(("A", "ann", begun), ("B", "ann", late))
    assert counts(tk.funnel(df, None, ["A", "B"])) == [1, reached]


def test_a_window_is_so_many_hours_long_whatever_the_clock_does() -> None:
    # The night to 29 March has 23 hours in Oslo; a day has 24.
    df = events_of(
        ("A", "ann", "2026-03-28T20:00+01:00"),
        ("B", "ann", "2026-03-29T21:00+02:00"),
        ("A", "bob", "2026-03-28T20:00+01:00"),
        ("B", "bob", "2026-03-29T21:00:01+02:00"),
    )
    report = tk.funnel(df, None, ["A", "B"], window="1d", tz="Europe/Oslo")
    assert report.users(step=2) == ["ann"]


def test_a_window_over_the_end_of_february_counts_days() -> None:
    df = events_of(
        ("A", "leap", "2028-02-28T10:00Z"),
        ("B", "leap", "2028-03-01T10:00Z"),
        ("A", "plain", "2026-02-28T10:00Z"),
        ("B", "plain", "2026-03-01T10:00Z"),
    )
    assert tk.funnel(df, None, ["A", "B"], window="1d").users(step=2) == ["plain"]
    assert tk.funnel(df, None, ["A", "B"], window="2d").users(step=2) == ["leap", "plain"]


def test_the_range_is_of_the_first_step_alone() -> None:
    df = events_of(
        ("A", "early", "2026-04-30T23:59:59.999999Z"),
        ("B", "early", "2026-05-01T00:01Z"),
        ("A", "in", "2026-05-01T00:00Z"),
        ("B", "in", "2026-05-09T00:00Z"),
        ("A", "late", "2026-05-03T00:00Z"),
    )
    options: dict[str, Any] = {"start": "2026-05-01", "end": "2026-05-02", "window": "8d"}
    report = tk.funnel(df, None, ["A", "B"], **options)
    assert report.users() == report.users(step=2) == ["in"]


def test_the_first_entry_is_the_first_in_the_range() -> None:
    df = events_of(("A", "ann", 0), ("A", "ann", 10 * DAY), ("B", "ann", 11 * DAY))
    assert counts(tk.funnel(df, None, ["A", "B"])) == [1, 0]
    assert counts(tk.funnel(df, None, ["A", "B"], start="2026-01-02")) == [1, 1]


def test_days_of_the_range_are_those_of_the_time_zone() -> None:
    df = events_of(("A", "ann", "2026-05-01T23:30Z"), ("B", "ann", "2026-05-01T23:40Z"))
    for tz, entered in (("UTC", 1), ("Europe/Oslo", 0)):
        report = tk.funnel(df, None, ["A", "B"], end="2026-05-01", tz=tz)
        assert counts(report) == [entered, entered]


def test_times_without_a_zone_are_utc_and_said_to_be() -> None:
    df = events_of(("A", "ann", "2026-05-01T10:00"), ("B", "ann", "2026-05-01T11:00"))
    report = tk.funnel(df, None, ["A", "B"])
    assert counts(report) == [1, 1]
    assert "Times without a time zone are read as UTC." in report.notes


def test_rows_may_stand_in_any_order() -> None:
    df = pd.concat([one_user("ABC"), one_user("AC").assign(distinct_id="bob")])
    shuffled = df.sample(frac=1, random_state=1)
    assert counts(tk.funnel(shuffled, None, list("ABC"))) == [2, 1, 1]


@pytest.mark.parametrize(
    ("given", "microseconds"),
    [
        ("7d", 7 * DAY * 1_000_000),
        ("1.5 hours", 5_400_000_000),
        ("90min", 5_400_000_000),
        (" 2 Weeks ", 14 * DAY * 1_000_000),
        ("45s", 45_000_000),
        (timedelta(minutes=1), 60_000_000),
        (pd.Timedelta("1min"), 60_000_000),
        (np.timedelta64(1, "m"), 60_000_000),
    ],
)
def test_lengths_of_time_are_read(given: Any, microseconds: int) -> None:
    assert as_duration(given, "window") == microseconds


@pytest.mark.parametrize(
    "given", ["7", "", "7 moons", "-7d", "1e3d", 7, None, True, "d", timedelta(-1), pd.NaT, "٣d"]
)
def test_what_is_no_length_of_time_is_refused_with_what_is(given: Any) -> None:
    with pytest.raises(errors.ReportError, match=r"window="):
        tk.funnel(one_user("AB"), None, ["A", "B"], window=given)


def test_lengths_of_time_are_told_in_whole_units() -> None:
    told = [in_words(as_duration(each, "x")) for each in ("1d", "14d", "36h", "90s", "0s")]
    assert told == ["1 day", "14 days", "36 hours", "90 seconds", "0 seconds"]


# -- simultaneous steps -----------------------------------------------------------------


@pytest.mark.parametrize(("before", "reached"), [(1, 1), (2, 1), (2.000001, 0), (3, 0)])
def test_a_step_may_stand_two_seconds_before_the_one_it_follows(
    before: float, reached: int
) -> None:
    df = events_of(("B", "ann", 100.0), ("A", "ann", 100 + before))
    report = tk.funnel(df, None, ["A", "B"])
    assert counts(report) == [1, reached]
    if reached:  # it took no time, rather than less than none
        assert report.table["average_seconds"][1] == 0


def test_without_grace_only_equal_times_are_simultaneous() -> None:
    df = events_of(("B", "ann", 5), ("A", "ann", 6), ("B", "bob", 5), ("A", "bob", 5))
    assert tk.funnel(df, None, ["A", "B"], grace="0s").users(step=2) == ["bob"]
    assert tk.funnel(df, None, ["A", "B"]).users(step=2) == ["ann", "bob"]


def test_an_event_is_one_step_only() -> None:
    assert counts(tk.funnel(one_user("A"), None, ["A", "A"])) == [1, 0]
    assert counts(tk.funnel(one_user("AA"), None, ["A", "A"])) == [1, 1]
    assert counts(tk.funnel(one_user("AB", 1), None, ["A", "B", "A"])) == [1, 1, 0]
    assert counts(tk.funnel(one_user("AB", 1), None, ["A", None, None])) == [1, 1, 0]


def test_an_event_serves_one_entry_only_whatever_the_grace() -> None:
    # The second A is one second after B, which the first entry has used.
    found = count_all(one_user("ABA", 1), ["A", "B"])
    assert found["total", "first"] == [2, 1]
    assert found["total", "optimized"] == [2, 1]


def test_equal_times_stand_in_the_order_of_their_rows() -> None:
    df = events_of(("A", "ann", 5), ("B", "ann", 5), ("A", "ann", 5), ("B", "ann", 5))
    assert counts(tk.funnel(df, None, ["A", "B"], count="total")) == [2, 2]


def test_an_excluded_event_has_to_stand_between_for_the_grace_is_for_steps() -> None:
    df = events_of(("X", "ann", 9), ("A", "ann", 10), ("B", "ann", 12), ("X", "ann", 13))
    assert counts(tk.funnel(df, None, ["A", "B"], exclude=["X"])) == [1, 1]


# -- any order --------------------------------------------------------------------------


@pytest.mark.parametrize("happened", ["ABC", "CBA", "BAC", "BDAC"])
def test_in_any_order_all_orders_convert(happened: str) -> None:
    assert counts(tk.funnel(one_user(happened), None, list("ABC"), order="any")) == [1, 1, 1]


def test_in_any_order_a_row_counts_who_did_so_many_of_the_steps() -> None:
    df = pd.concat(
        [one_user(text).assign(distinct_id=text) for text in ("B", "CC", "BA", "CAB", "D")]
    )
    report = tk.funnel(df, None, list("ABC"), order="any")
    assert counts(report) == [4, 2, 1]
    assert report.table["event"].tolist() == [
        "any 1 of A, B, C",
        "any 2 of A, B, C",
        "any 3 of A, B, C",
    ]
    assert report.notes[0] == (
        "Rows 1 to 3 are in any order: they count users who did one, two and so on of A, B, C."
    )


@pytest.mark.parametrize(
    ("happened", "reached"),
    [
        ("ABCD", 4),
        ("ACBD", 4),
        ("BACD", 2),  # B before the anchored A does not count
        ("BACBD", 4),
        ("ABDC", 3),  # D before C does not count
        ("ABDCD", 4),
        ("CBD", 0),
    ],
)
def test_anchored_steps_keep_their_place(happened: str, reached: int) -> None:
    steps = [tk.step("A", anchored=True), "B", "C", tk.step("D", anchored=True)]
    report = tk.funnel(one_user(happened), None, steps, order="any")
    assert counts(report) == [1] * reached + [0] * (4 - reached)
    assert report.table["event"].tolist() == ["A", "any 1 of B, C", "any 2 of B, C", "D"]


def test_an_event_that_is_several_steps_does_the_first_that_is_open() -> None:
    steps = ["A", None]
    assert counts(tk.funnel(one_user("BA"), None, steps, order="any")) == [1, 1]
    assert counts(tk.funnel(one_user("A"), None, steps, order="any")) == [1, 0]
    assert counts(tk.funnel(one_user("BC"), None, steps, order="any")) == [1, 0]


def test_in_any_order_the_window_begins_with_whichever_step_is_first() -> None:
    df = clock(("B", "10:00"), ("A", "10:50"), ("C", "11:10"))
    assert counts(tk.funnel(df, None, list("ABC"), order="any", window="1h")) == [1, 1, 0]


# -- exclusions -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("happened", "between", "reached"),
    [
        ("AXBC", (1, 2), 1),
        ("ABXC", (1, 2), 3),
        ("ABXC", (2, 3), 2),
        ("AXBC", (2, 3), 3),
        ("AXBC", (1, 3), 1),
        ("AXBC", None, 1),
        ("ABXC", None, 2),
        ("XABCX", None, 3),
        ("ABCX", None, 3),
    ],
)
def test_an_exclusion_counts_between_its_steps(happened: str, between: Any, reached: int) -> None:
    exclude = [tk.step("X", between=between)]
    report = tk.funnel(one_user(happened), None, list("ABC"), exclude=exclude)
    assert counts(report) == [1] * reached + [0] * (3 - reached)


def test_an_excluded_event_may_have_a_condition_and_several_may_be_excluded() -> None:
    df = one_user("AXB", item=["a", "tea", "b"])
    for item, reached in (("tea", 0), ("jam", 1)):
        exclude = [tk.step("X", event["item"] == item), "Y"]
        assert counts(tk.funnel(df, None, ["A", "B"], exclude=exclude)) == [1, reached]
    assert counts(tk.funnel(one_user("AYB"), None, ["A", "B"], exclude=["X", "Y"])) == [1, 0]


def test_excluding_any_event_asks_for_steps_one_right_after_the_other() -> None:
    steps, exclude = ["A", "B"], [tk.step(None)]
    assert counts(tk.funnel(one_user("AB"), None, steps, exclude=exclude)) == [1, 1]
    assert counts(tk.funnel(one_user("ACB"), None, steps, exclude=exclude)) == [1, 0]


def test_after_an_exclusion_a_user_may_enter_again_in_totals() -> None:
    found = count_all(one_user("AXABXB"), ["A", "B"], exclude=["X"])
    assert found["total", "first"] == [2, 1]


def test_an_exclusion_after_the_window_ends_nothing() -> None:
    df = clock(("A", "10:00"), ("X", "11:01"), ("A", "11:02"), ("B", "11:03"))
    report = tk.funnel(df, None, ["A", "B"], window="1h", exclude=["X"], count="total")
    assert counts(report) == [2, 1]


# -- held properties --------------------------------------------------------------------


def test_a_held_property_has_one_value_at_every_step() -> None:
    df = held(("View", "tea"), ("Buy", "jam"), ("Buy", "tea"))
    report = tk.funnel(df, None, ["View", "Buy"], hold="item")
    assert counts(report) == [1, 1]
    assert report.table["average_seconds"][1] == 120
    assert counts(tk.funnel(df[:2], None, ["View", "Buy"], hold=["item"])) == [1, 0]


def test_uniques_hold_the_value_of_the_first_entry_and_totals_enter_with_each() -> None:
    df = held(("View", "tea"), ("View", "jam"), ("Buy", "jam"))
    assert count_all(df, ["View", "Buy"], hold="item") == {
        ("unique", "first"): [1, 0],
        ("unique", "optimized"): [1, 1],
        ("total", "first"): [2, 1],
        ("total", "optimized"): [2, 1],
    }


def test_held_values_are_equal_as_json() -> None:
    same = held(("View", 1), ("Buy", 1.0))
    assert counts(tk.funnel(same, None, ["View", "Buy"], hold="item")) == [1, 1]
    for other in (True, "1"):
        df = held(("View", 1), ("Buy", other))
        assert counts(tk.funnel(df, None, ["View", "Buy"], hold="item")) == [1, 0]
    lists = held(("View", ["a", "b"]), ("Buy", ["b", "a"]), ("Buy", ["a", "b"]))
    report = tk.funnel(lists, None, ["View", "Buy"], hold="item")
    assert report.table["average_seconds"][1] == 120


def test_events_without_the_held_property_are_no_step_and_counted_in_a_note() -> None:
    df = held(("View", None), ("View", "tea"), ("Buy", None), ("Other", None))
    report = tk.funnel(df, None, ["View", "Buy"], hold="item")
    assert counts(report) == [1, 0]
    assert "Left out, for lack of event.item: 2 events." in report.notes


def test_several_held_properties_are_held_together() -> None:
    df = held(("View", "a"), ("Buy", "a"), ("Buy", "a"), shop=pd.Series([1, 2, 1]))
    report = tk.funnel(df, None, ["View", "Buy"], hold=["item", event["shop"]])
    assert report.table["average_seconds"][1] == 120


def test_an_excluded_event_ends_entries_of_its_value_and_without_one_of_every_value() -> None:
    df = held(("View", "tea"), ("Drop", "jam"), ("Buy", "tea"))
    assert counts(tk.funnel(df, None, ["View", "Buy"], hold="item", exclude=["Drop"])) == [1, 1]
    for item in ("tea", None):
        df.loc[1, "item"] = item
        assert counts(tk.funnel(df, None, ["View", "Buy"], hold="item", exclude=["Drop"])) == [1, 0]


# -- conditions -------------------------------------------------------------------------


def test_a_step_has_a_condition_of_its_own() -> None:
    df = held(("View", "jam"), ("View", "tea"), ("Buy", "jam"))
    tea = tk.step("View", event["item"] == "tea")
    report = tk.funnel(df, None, [tea, "Buy"])
    assert counts(report) == [1, 1]
    assert report.table["average_seconds"][1] == 60
    text = tk.step("View", where='event["item"] == "tea"')
    assert counts(tk.funnel(df, None, [text, "Buy"])) == [1, 1]


def test_a_step_may_look_at_its_user() -> None:
    profiles = profiles_of({"ann": {"plan": "pro"}, "bob": {"plan": "free"}})
    df = pd.concat([one_user("AB"), one_user("AB").assign(distinct_id="bob")])
    pro = tk.step("B", user["plan"] == "pro")
    assert tk.funnel(df, profiles, ["A", pro]).users(step=2) == ["ann"]
    assert tk.funnel(df, profiles, ["A", pro]).users(step=2, dropped=True) == ["bob"]


@pytest.mark.parametrize("count", ["unique", "total"])
@pytest.mark.parametrize("attribution", ["first", "last", 1, 2])
def test_a_filter_gives_the_numbers_of_the_segment_of_its_value(
    count: Any, attribution: Any
) -> None:
    df = held(("V", "a"), ("B", "b"), ("V", "b"), ("B", "a"), ("V", None), ("B", "b"), ("V", "b"))
    options: dict[str, Any] = {"count": count, "attribution": attribution}
    broken_down = by_segment(tk.funnel(df, None, ["V", "B"], by="item", **options))
    for value in ("a", "b"):
        filtered = tk.funnel(df, None, ["V", "B"], where=event["item"] == value, **options)
        assert counts(filtered) == broken_down[value]
    unset = tk.funnel(df, None, ["V", "B"], where=event["item"].is_not_set(), **options)
    assert counts(unset) == broken_down.get("(not set)", [0, 0])


def test_a_filter_on_users_leaves_the_others_out() -> None:
    profiles = profiles_of({"ann": {"plan": "pro"}, "bob": {"plan": "free"}})
    df = pd.concat([one_user("AB"), one_user("A").assign(distinct_id="bob")])
    assert counts(tk.funnel(df, profiles, ["A", "B"], where=user["plan"] == "free")) == [1, 0]
    both = (user["plan"] == "pro") & (event["time"] >= "1970-01-01")
    assert counts(tk.funnel(df, profiles, ["A", "B"], where=both)) == [1, 1]


# -- breakdowns -------------------------------------------------------------------------


def test_a_user_is_in_the_segment_of_the_latest_state() -> None:
    profiles = profiles_of({"ann": {"plan": "free"}, "bob": {"plan": "free"}})
    profiles.set("ann", {"plan": "pro"}, time="2026-11-01")
    df = pd.concat([one_user("AB").assign(distinct_id=name) for name in ("ann", "bob", "eve")])
    report = tk.funnel(df, profiles, ["A", "B"], by=user["plan"])
    assert by_segment(report) == {"free": [1, 1], "pro": [1, 1], "(not set)": [1, 1]}
    assert "Without a profile, so (not set) in every user property: 1 user." in report.notes


def test_JOIN_4_at_event_time_the_state_is_that_of_the_first_step() -> None:
    profiles = tk.ProfileTable()
    profiles.set("ann", {"plan": "free"}, time="2026-01-01")
    profiles.set("ann", {"plan": "pro"}, time="2026-05-01T12:00Z")
    df = clock(("A", "11:00"), ("B", "13:00"), ("A", "14:00"))
    for count, wanted in (
        ("unique", {"free": [1, 1]}),
        ("total", {"free": [1, 1], "pro": [1, 0]}),
    ):
        report = tk.funnel(df, profiles, ["A", "B"], by=user["plan"], at="event time", count=count)
        assert by_segment(report) == wanted
        for plan in wanted:
            kept = tk.funnel(
                df, profiles, ["A", "B"], where=user["plan"] == plan, at="event time", count=count
            )
            assert counts(kept) == wanted[plan]
    pro = tk.step("A", user["plan"] == "pro")
    report = tk.funnel(df, profiles, [pro, "B"], at="event time")
    assert counts(report) == [1, 0]


def test_a_list_of_the_user_is_broken_down_by_its_distinct_elements() -> None:
    profiles = profiles_of({"ann": {"tags": ["x", "y", "x"]}, "bob": {"tags": []}})
    df = pd.concat([one_user("AB"), one_user("A").assign(distinct_id="bob")])
    report = tk.funnel(df, profiles, ["A", "B"], by=user["tags"])
    assert by_segment(report) == {"(empty list)": [1, 0], "x": [1, 1], "y": [1, 1]}


def test_a_list_of_the_event_is_broken_down_by_its_distinct_elements() -> None:
    df = held(("A", ["x", "y", "x"]), ("B", None), ("A", ["y"]))
    totals = tk.funnel(df, None, ["A", "B"], by="item", count="total")
    assert by_segment(totals) == {"y": [2, 1], "x": [1, 1]}
    uniques = tk.funnel(df, None, ["A", "B"], by="item")
    assert by_segment(uniques) == {"x": [1, 1], "y": [1, 1]}


def test_uniques_count_a_user_once_in_each_segment_by_the_first_entry_there() -> None:
    df = held(("A", "x"), ("B", None), ("A", "y"), ("B", None), ("A", "x"), ("B", None))
    report = tk.funnel(df, None, ["A", "B"], by="item")
    assert by_segment(report) == {"x": [1, 1], "y": [1, 1]}
    assert report.summary["overall_rate"].tolist() == [1.0, 1.0]
    assert by_segment(tk.funnel(df, None, ["A", "B"], by="item", count="total"))["x"] == [2, 2]


@pytest.mark.parametrize(
    ("attribution", "wanted"),
    [
        ("first", {"red": [1, 1, 1]}),
        ("last", {"blue": [1, 1, 1]}),
        (1, {"(not set)": [1, 1, 1]}),
        (2, {"red": [1, 1, 1]}),
        (3, {"blue": [1, 1, 1]}),
    ],
)
def test_a_property_is_taken_from_the_step_asked_for(attribution: Any, wanted: Any) -> None:
    df = held(("A", None), ("B", "red"), ("C", "blue"))
    report = tk.funnel(df, None, list("ABC"), by="item", attribution=attribution)
    assert by_segment(report) == wanted


def test_a_step_that_was_not_reached_has_no_value() -> None:
    df = held(("A", "red"), ("B", "blue"))
    report = tk.funnel(df, None, list("ABC"), by="item", attribution=3)
    assert by_segment(report) == {"(not set)": [1, 1, 0]}
    last = tk.funnel(df[:1], None, list("ABC"), by="item", attribution="last")
    assert by_segment(last) == {"red": [1, 0, 0]}


def test_null_is_not_set_and_the_next_step_counts() -> None:
    df = held(("A", float("nan")), ("B", ""))
    assert by_segment(tk.funnel(df, None, ["A", "B"], by="item")) == {"(empty string)": [1, 1]}


def test_the_time_and_the_name_of_the_event_can_be_looked_at() -> None:
    df = clock(("A", "10:00"), ("B", "11:00"))
    report = tk.funnel(df, None, ["A", "B"], by="time")
    assert by_segment(report) == {"2026-05-01T10:00:00Z": [1, 1]}
    named = tk.funnel(df, None, ["A", "B"], by="event", attribution="last")
    assert by_segment(named) == {"B": [1, 1]}
    late = tk.funnel(df, None, ["A", "B"], where=event["time"] > "2026-05-01T10:30Z")
    assert counts(late) == [0, 0]


def test_segments_stand_by_entries_then_by_name_and_not_set_last() -> None:
    names = ["b", "a", "c", "c", None, None, None]
    rows = [("A", f"u{number}", 0) for number in range(7)]
    report = tk.funnel(events_of(*rows, x=names), None, ["A", "B"], by="x")
    assert list(by_segment(report)) == ["c", "a", "b", "(not set)"]
    table = report.table
    assert table.columns.tolist() == [
        "event.x",
        "step",
        "event",
        "count",
        "rate",
        "step_rate",
        "average_seconds",
        "median_seconds",
    ]
    assert table["step"].tolist() == [1, 2] * 4
    assert [str(dtype) for dtype in table.dtypes] == [
        *("category", "int64", "str", "int64", "float64", "float64", "float64", "float64")
    ]


def test_optimized_and_an_event_property_share_no_conversion() -> None:
    df = held(("A", "x"), ("A", "y"), ("B", None))
    report = tk.funnel(df, None, ["A", "B"], by="item", reentry="optimized")
    assert by_segment(report) == {"y": [1, 1]}


def test_a_property_of_many_values_is_counted() -> None:
    number = 100_000
    ids = np.repeat(np.arange(number), 2)
    df = pd.DataFrame(
        {"event": ["A", "B"] * number, "distinct_id": ids, "time": START + np.arange(2 * number)}
    ).assign(x=[f"v{each}" for each in ids])
    report = tk.funnel(df, None, ["A", "B"], by="x")
    assert len(report.table) == 2 * number
    assert (report.table["count"] == 1).all()
    assert len(report.plot(Figure().add_subplot()).get_yticklabels()) == 2
