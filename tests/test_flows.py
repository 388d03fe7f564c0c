"""Flows: what is a path, by hand; and what a person sees."""

from __future__ import annotations

import inspect
import unicodedata
from itertools import pairwise
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

import toolkit as tk
from tests.effort import examples
from tests.funnel_logs import clock, events_of, one_user, profiles_of
from tests.moments import START, later
from toolkit import event, user
from toolkit.base import errors
from toolkit.reports.drawing import ink, plots
from toolkit.reports.drawing.spots import Spots
from toolkit.reports.form.choices import Choices
from toolkit.reports.form.declared import DECLARED

mpl.use("Agg")


def told(report: Any) -> list[tuple[Any, ...]]:
    """Return the paths and how often they are, the most frequent first."""
    return list(zip(report.paths["path"], report.paths["count"], strict=True))


def path_of(df: pd.DataFrame, anchor: Any, **options: Any) -> tuple[str, ...]:
    """Return the one path there is."""
    ((path, number),) = told(tk.flows(df, None, anchor, **options))
    assert number == 1
    return path


def links(report: Any) -> dict[tuple[Any, ...], int]:
    table = report.table
    keys = table.columns[: table.columns.get_loc("to") + 1].tolist()
    return table.set_index(keys)["count"].to_dict()


# -- what a path is -----------------------------------------------------------------------


def test_a_path_goes_three_steps_after_the_anchor_unless_told_otherwise() -> None:
    df = one_user("X Y A B C D E")
    assert path_of(df, "A") == ("A", "B", "C", "D")
    assert path_of(df, "A", before=2) == ("X", "Y", "A")
    assert path_of(df, "A", before=1, after=1) == ("Y", "A", "B")
    assert path_of(df, "A", before=3, after=5) == (
        *("(start)", "X", "Y", "A"),
        *("B", "C", "D", "E", "(drop-off)"),
    )


def test_uniques_start_at_the_first_anchor_in_the_range_and_totals_at_each() -> None:
    df = one_user("A B A C", apart=86_400)
    assert told(tk.flows(df, None, "A", after=1)) == [(("A", "B"), 1)]
    every = tk.flows(df, None, "A", after=1, count="total")
    assert told(every) == [(("A", "B"), 1), (("A", "C"), 1)]
    late = tk.flows(df, None, "A", after=1, start="2026-01-02")
    assert told(late) == [(("A", "C"), 1)]


def test_steps_may_lie_outside_of_the_range_of_the_anchor() -> None:
    df = one_user("X A B", apart=86_400)
    report = tk.flows(df, None, "A", before=1, after=1, start="2026-01-02", end="2026-01-02")
    assert told(report) == [(("X", "A", "B"), 1)]


def test_the_window_holds_its_last_moment_on_both_sides() -> None:
    df = clock(("X", "09:00:00"), ("A", "10:00:00"), ("B", "11:00:00"))
    assert path_of(df, "A", before=1, after=1, window="1h") == ("X", "A", "B")
    late = clock(("X", "08:59:59.999999"), ("A", "10:00:00"), ("B", "11:00:00.000001"))
    assert path_of(late, "A", before=1, after=1, window="1h") == ("(start)", "A", "(drop-off)")


def test_the_window_is_from_the_anchor_not_from_the_step_before() -> None:
    df = clock(("A", "10:00:00"), ("B", "10:40:00"), ("C", "11:20:00"))
    assert path_of(df, "A", window="1h") == ("A", "B", "(drop-off)")


def test_a_pause_longer_than_the_gap_ends_a_path() -> None:
    df = clock(("A", "10:00:00"), ("B", "10:30:00"), ("C", "11:00:00.000001"), ("D", "11:01:00"))
    assert path_of(df, "A", gap="30min") == ("A", "B", "(drop-off)")
    assert path_of(df, "D", before=2, gap="30min") == ("(start)", "C", "D")


def test_repeats_in_a_row_are_one_step() -> None:
    df = one_user("A B B A A C")
    assert path_of(df, "B", before=1, after=2) == ("A", "B", "A", "C")
    assert path_of(df, "B", before=1, after=2, collapse=False) == ("A", "B", "B", "A")
    each = tk.flows(df, None, "A", after=1, count="total", collapse=False)
    assert (
        told(each) == [(("A", "B"), 1), (("A", "A"), 1), (("A", "C"), 1)]
        or sum(number for _, number in told(each)) == 3
    )
    assert told(tk.flows(df, None, "A", after=1, count="total")) == [
        (("A", "B"), 1),
        (("A", "C"), 1),
    ]


def test_a_pause_parts_repeats_too() -> None:
    df = clock(("A", "10:00:00"), ("A", "12:00:00"), ("B", "12:10:00"))
    assert path_of(df, "A", after=1, gap="1h") == ("A", "(drop-off)")
    every = tk.flows(df, None, "A", after=1, gap="1h", count="total")
    assert sorted(told(every)) == [(("A", "(drop-off)"), 1), (("A", "B"), 1)]


def test_of_repeats_the_one_nearest_to_the_anchor_is_looked_at() -> None:
    df = clock(("X", "07:00:00"), ("X", "09:30:00"), ("A", "10:00:00"))
    assert path_of(df, "A", before=1, window="1h") == ("X", "A")


def test_what_happened_at_one_moment_is_in_the_order_of_the_rows() -> None:
    at = "2026-05-01T10:00Z"
    df = events_of(("B", "ann", at), ("A", "ann", at), ("C", "ann", at))
    assert path_of(df, "A", before=1, after=1) == ("B", "A", "C")


def test_rows_out_of_order_are_put_in_order() -> None:
    df = one_user("X A B C").iloc[[3, 0, 2, 1]]
    assert path_of(df, "A", before=1, after=2) == ("X", "A", "B", "C")


def test_hidden_events_are_as_if_they_were_not_there() -> None:
    df = one_user("A P B P B C", kind=["x", "y", "x", "x", "x", "x"])
    assert path_of(df, "A", after=2, hide="P") == ("A", "B", "C")
    some = tk.flows(df, None, "A", after=3, hide=[tk.step("P", where=event["kind"] == "y")])
    assert told(some) == [(("A", "B", "P", "B"), 1)]
    assert "Ignored because of hide=: 1 event." in some.notes


def test_a_filter_leaves_out_events_and_a_condition_on_the_anchor_only_anchors() -> None:
    df = one_user("A B A C D", big=[1, 1, 9, 1, 9])
    assert path_of(df, tk.step("A", where=event["big"] > 5), before=1, after=1) == ("B", "A", "C")
    assert path_of(df, "A", where=event["big"] > 5) == ("A", "D", "(drop-off)")


def test_of_repeats_the_first_that_fits_is_the_anchor() -> None:
    df = clock(("A", "10:00:00"), ("A", "11:00:00"), ("B", "11:30:00"))
    df["big"] = [1, 9, 1]
    big = tk.step("A", where=event["big"] > 5)
    assert path_of(df, "A", after=1, window="1h") == ("A", "(drop-off)")
    assert path_of(df, big, after=1, window="1h") == ("A", "B")


def test_paths_of_one_user_never_reach_into_those_of_another() -> None:
    df = events_of(("A", "ann", 10), ("B", "bob", 20), ("A", "bob", 30), ("C", "cem", 40))
    report = tk.flows(df, None, "A", before=1, after=1)
    assert told(report) == [(("B", "A", "(drop-off)"), 1), (("(start)", "A", "(drop-off)"), 1)]


def test_every_event_may_be_an_anchor() -> None:
    report = tk.flows(one_user("A B B"), None, None, after=1, count="total")
    assert links(report) == {(1, "A", "B"): 1, (1, "A", "(drop-off)"): 0, (1, "B", "(drop-off)"): 1}


# -- names --------------------------------------------------------------------------------


def test_events_are_split_by_a_property() -> None:
    df = one_user("V V C V D", item=["hat", "cap", "hat", None, None])
    assert path_of(df, "V", expand={"V": "item"}) == ("V: hat", "V: cap", "C", "V")
    assert path_of(df, "V", expand=event["item"]) == ("V: hat", "V: cap", "C: hat", "V")
    profiles = profiles_of({"ann": {"plan": "pro"}})
    report = tk.flows(df, profiles, "V", expand={"C": user["plan"]})
    assert told(report) == [(("V", "C: pro", "V", "D"), 1)]


def test_a_property_of_lists_cannot_split_events() -> None:
    df = one_user("A B", item=[["x", "y"], None])
    with pytest.raises(errors.ReportError, match=r"expand=event\.item holds lists"):
        tk.flows(df, None, "A", expand="item")


def test_names_that_read_like_something_else_stand_in_quotes() -> None:
    names = ["A", "(drop-off)", "(other)", "A: x", 'say "hi"', "事件"]
    df = events_of(*[(name, "ann", at) for at, name in enumerate(names)], item=["x"])
    report = tk.flows(df, None, "A", after=6, expand={"A": "item"})
    (path,) = report.paths["path"]
    # The second step is an event of that name, and so is the fourth; the first was split.
    assert path == (
        *('"A: x"', '"(drop-off)"', '"(other)"', "A: x"),
        *('say "hi"', "事件", "(drop-off)"),
    )
    assert report.users(step=1, event='"(drop-off)"') == ["ann"]


def test_events_without_a_name_are_a_step_too() -> None:
    assert path_of(events_of(("A", "ann", 1), (None, "ann", 2)), "A", after=1) == ("A", "(not set)")


def test_all_but_the_most_frequent_events_of_a_step_are_one() -> None:
    rows = []
    for number, name in enumerate("BBBCCDEF"):
        rows += [("A", f"u{number}", 10), (name, f"u{number}", 20), ("Z", f"u{number}", 30)]
    report = tk.flows(events_of(*rows), None, "A", after=2, top=2)
    assert links(report) == {
        (1, "A", "B"): 3,
        (1, "A", "C"): 2,
        (1, "A", "(other)"): 3,
        (1, "A", "(drop-off)"): 0,
        (2, "B", "Z"): 3,
        (2, "B", "(drop-off)"): 0,
        (2, "C", "Z"): 2,
        (2, "C", "(drop-off)"): 0,
        (2, "(other)", "Z"): 3,
        (2, "(other)", "(drop-off)"): 0,
    }
    assert report.users(step=1, event="(other)") == ["u5", "u6", "u7"]
    assert report.users(step=2, from_="(other)", to="Z") == ["u5", "u6", "u7"]
    every = tk.flows(events_of(*rows), None, "A", after=1, top=None)
    # Equal ones by name.
    assert [to for _, _, to in links(every)] == ["B", "C", "D", "E", "F", "(drop-off)"]


# -- the numbers --------------------------------------------------------------------------


@pytest.fixture
def shop() -> pd.DataFrame:
    return events_of(
        ("View", "ann", 10),
        ("Cart", "ann", 20),
        ("Buy", "ann", 30),
        ("View", "bob", 10),
        ("View", "bob", 20),
        ("Cart", "bob", 30),
        ("View", "cem", 10),
        ("Cart", "dan", 10),
        item=["hat", "hat", None, "cap", "hat", "hat", "cap", None],
    )


def test_a_row_a_link_in_order_with_shares(shop: pd.DataFrame) -> None:
    table = tk.flows(shop, None, "View", after=2).table
    assert table.columns.tolist() == ["step", "from", "to", "count", "rate", "step_rate"]
    assert table.round(3).values.tolist() == [
        [1, "View", "Cart", 2, 0.667, 0.667],
        [1, "View", "(drop-off)", 1, 0.333, 0.333],
        [2, "Cart", "Buy", 1, 0.333, 0.5],
        [2, "Cart", "(drop-off)", 1, 0.333, 0.5],
    ]
    assert table.dtypes.astype(str).tolist() == ["int64", "str", "str", "int64", *["float64"] * 2]
    before = tk.flows(shop, None, "Cart", before=2).table
    assert before.iloc[:, :4].values.tolist() == [
        [-2, "(start)", "View", 2],
        [-1, "View", "Cart", 2],
        [-1, "(start)", "Cart", 1],
    ]


def test_nodes_and_whole_paths(shop: pd.DataFrame) -> None:
    report = tk.flows(shop, None, "View", after=2)
    assert report.nodes.round(3).values.tolist() == [
        [0, "View", 3, 1.0],
        [1, "Cart", 2, 0.667],
        [2, "Buy", 1, 0.333],
    ]
    assert report.paths.round(3).values.tolist() == [
        [("View", "Cart", "Buy"), 1, 0.333],
        [("View", "Cart", "(drop-off)"), 1, 0.333],
        [("View", "(drop-off)"), 1, 0.333],
    ]
    assert report.users(path=("View", "(drop-off)")) == ["cem"]
    assert report.users(path=["View", "Cart", "Buy"]) == ["ann"]


def test_the_users_of_links_nodes_and_steps(shop: pd.DataFrame) -> None:
    report = tk.flows(shop, None, "View", after=2)
    assert report.users() == ["ann", "bob", "cem"]
    assert report.users(step=1) == ["ann", "bob"]
    assert report.users(step=1, to="(drop-off)") == ["cem"]
    assert report.users(to="(drop-off)") == ["bob", "cem"]
    assert report.users(from_="Cart") == ["ann", "bob"]
    assert report.users(event="Buy") == ["ann"]
    assert report.cell(2) == {"step": 2, "from_": "Cart", "to": "Buy"}


def test_a_breakdown_by_users_and_one_by_the_anchor(shop: pd.DataFrame) -> None:
    profiles = profiles_of({"ann": {"tags": ["a", "b"]}, "bob": {"tags": ["a"]}})
    report = tk.flows(shop, profiles, "View", after=1, by=user["tags"])
    assert links(report) == {
        ("a", 1, "View", "Cart"): 2,
        ("a", 1, "View", "(drop-off)"): 0,
        ("b", 1, "View", "Cart"): 1,
        ("b", 1, "View", "(drop-off)"): 0,
        ("(not set)", 1, "View", "Cart"): 0,
        ("(not set)", 1, "View", "(drop-off)"): 1,
    }
    assert report.users(**report.cell(5)) == ["cem"]
    assert report.users(step=1, to="Cart") == ["ann", "bob"]
    item = tk.flows(shop, None, "View", after=1, by="item", collapse=False)
    # Bob's first view of each item starts a path.
    assert links(item)[("hat", 1, "View", "Cart")] == 2
    assert links(item)[("cap", 1, "View", "View")] == 1
    nodes = item.nodes.set_index(["event.item", "step", "event"])["count"].to_dict()
    assert nodes == {
        ("cap", 0, "View"): 2,
        ("cap", 1, "Cart"): 0,
        ("cap", 1, "View"): 1,
        ("hat", 0, "View"): 2,
        ("hat", 1, "Cart"): 2,
        ("hat", 1, "View"): 0,
    }


def test_user_properties_at_event_time_are_those_at_the_anchor() -> None:
    profiles = tk.ProfileTable()
    profiles.set("ann", {"plan": "free"}, time="2026-05-01")
    profiles.set("ann", {"plan": "pro"}, time="2026-05-03")
    df = events_of(("A", "ann", "2026-05-02"), ("B", "ann", "2026-05-04"))
    for at, plan in (("latest", "pro"), ("event time", "free")):
        report = tk.flows(df, profiles, "A", after=1, by=user["plan"], at=at)
        assert links(report) == {(plan, 1, "A", "B"): 1, (plan, 1, "A", "(drop-off)"): 0}


def test_several_breakdowns(shop: pd.DataFrame) -> None:
    profiles = profiles_of({"ann": {"plan": "pro"}, "bob": {"plan": "free"}})
    report = tk.flows(shop, profiles, "View", after=1, by=[user["plan"], "item"])
    assert report.table.columns[:2].tolist() == ["user.plan", "event.item"]
    assert report.users(segment=("free", "hat"), step=0) == ["bob"]
    for row in range(len(report.table)):
        assert len(report.users(**report.cell(row))) == report.table["count"][row]
    report.plot(segment=("free", "hat"))


# -- what is left out ---------------------------------------------------------------------


def test_paths_that_are_not_over_are_said_to_be_incomplete() -> None:
    df = events_of(
        ("A", "ann", "2026-05-01T00:00Z"),
        ("A", "bob", "2026-06-20T00:00Z"),
        ("B", "cem", "2026-07-10T00:00Z"),
    )
    (note,) = tk.flows(df, None, "A").notes
    assert note.startswith("Incomplete: what 1 user did after the anchor is not over")
    assert not tk.flows(df, None, "A", window="20d").notes
    assert not tk.flows(df, None, "A", gap="20d").notes
    (note,) = tk.flows(df, None, "A", before=1, window="20d").notes
    assert "what 1 user did before the anchor may have begun before" in note
    done = events_of(("A", "ann", "2026-05-01T00:00Z"), ("B", "ann", "2026-05-02T00:00Z"))
    assert not tk.flows(done, None, "A", after=1).notes


def test_sessions_are_named_and_those_that_may_go_on_are_said_to_be_incomplete() -> None:
    df = events_of(("A", "ann", 3600), ("B", "ann", 4200), ("A", "ann", 9000), ("C", "bob", 10800))
    report = tk.flows(df, None, "A", after=1, count="sessions")
    assert report.table["count"].tolist() == [1, 1]
    assert report.title == "After A: paths of sessions within 30 days"
    assert not report.notes
    df.loc[3, "time"] = later(10799)
    (note,) = tk.flows(df, None, "A", after=1, count="sessions").notes
    assert note.startswith("Incomplete: what 1 session did after the anchor is not over")
    df.loc[3, "time"] = later(1801)
    (note,) = tk.flows(df, None, "A", before=1, count="sessions").notes
    assert note.startswith("Incomplete: what 1 session did before the anchor may have begun")


def test_notes_say_what_is_left_out() -> None:
    df = events_of(
        ("A", "ann", "2026-05-01T10:00"), ("A", None, "2026-05-02"), ("A", "bob", "soon")
    ).assign(**{"$bucket": [None, None, None]})
    df.loc[3] = ["A", "eve", "2026-05-01T12:00", 1]
    report = tk.flows(
        df, profiles_of({"bob": {}}), "A", by=user["plan"], hide=["Ping"], window="1h"
    )
    told = " ".join(report.notes)
    assert "Not counted for any user, because they have no distinct ID: 1 event." in told
    assert "Hidden, because of a value in $bucket or bucket: 1 event." in told
    assert "Left out because their time cannot be read: 1 event." in told
    assert 'No event is named "Ping".' in told
    assert (
        "Without a profile, so (not set) in every user property: 1 event of 1 distinct ID" in told
    )
    assert "Times without a time zone are read as UTC." in told
    assert tk.flows(df, None, "Aa").notes[0] == 'No event is named "Aa". Did you mean "A"?'


@pytest.mark.parametrize("by", [None, "item"])
def test_no_event_no_path(by: Any) -> None:
    df = events_of(item=[])
    for report in (
        tk.flows(df, None, "A", by=by),
        tk.flows(events_of(("A", "ann", 1), item=["x"]), None, "B", before=1, after=1, by=by),
    ):
        assert report.is_empty
        assert not len(report.table)
        assert not len(report.nodes)
        assert not len(report.paths)
        assert report.users() == []
        texts = [text.get_text() for text in report.plot().texts]
        assert texts == ["no users"]
        assert "no users" not in report._repr_html_()


def test_a_day_of_a_zone_is_the_range() -> None:
    df = events_of(("A", "ann", "2026-03-28T23:30Z"), ("A", "bob", "2026-03-29T22:00Z"))
    report = tk.flows(df, None, "A", start="2026-03-29", end="2026-03-29", tz="Europe/Oslo")
    assert report.users() == ["ann"]


def test_a_property_of_very_many_values_is_one_other() -> None:
    size = 100_000
    df = pd.DataFrame(
        {
            "event": np.tile(["A", "B"], size),
            "distinct_id": np.repeat(np.arange(size).astype(str), 2),
            "time": START + np.tile([1, 2], size),
            "item": [f"item {number}" for number in range(2 * size)],
        }
    )
    report = tk.flows(df, None, "A", after=1, expand={"B": "item"}, top=3)
    assert report.nodes["count"].tolist() == [size, 1, 1, 1, size - 3]
    by = tk.flows(df, None, "A", after=1, by="item")
    assert len(by.table) == 2 * size


# -- arguments ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"before": 0, "after": 0}, "leave no step"),
        ({"before": -1}, "before=-1"),
        ({"after": 2.5}, "after=2.5"),
        ({"after": 21}, "from 0 to 20"),
        ({"after": True}, "after=True"),
        ({"window": "soon"}, "window='soon'"),
        ({"gap": 5}, "gap=5"),
        ({"count": "uniques"}, "allowed are total, unique, sessions"),
        ({"top": 0}, "top=0"),
        ({"hide": ["A"]}, "leave one out"),
        ({"hide": [None]}, "any event at all"),
        ({"hide": [3]}, "hide=3"),
        ({"expand": ["a", "b"]}, "give a property, or one for each event"),
        ({"expand": "itm"}, 'no event has a property "itm"'),
        ({"expand": "$bucket"}, "is hidden"),
        ({"by": user["plan"]}, "profiles is None"),
        ({"where": "1 +"}, "position|column|expected"),
        ({"start": "2026-05-02", "end": "2026-05-01"}, "is not before"),
    ],
)
def test_arguments_it_does_not_know_are_refused(arguments: dict[str, Any], said: str) -> None:
    df = one_user("A B", item=["x", "y"])
    with pytest.raises(errors.ToolkitError, match=said):
        tk.flows(df, None, "A", **arguments)


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ({"step": 4}, "has steps 0 to 3"),
        ({"step": True}, "step=True"),
        ({"step": 1, "event": "Bb"}, 'no event "Bb" at step 1.*Did you mean "B"'),
        ({"from_": "X"}, 'no event "X" in the flow'),
        ({"step": 0, "to": "B"}, "step=0 is the anchor"),
        ({"event": "A", "to": "B"}, "give one of both"),
        ({"path": "A"}, "as a list or tuple"),
        ({"path": ("A", "Z")}, "no path is A → Z"),
        ({"path": ("A",), "step": 1}, "path= is a whole path"),
        ({"segment": "x"}, "needs a breakdown"),
    ],
)
def test_cells_that_there_are_not_are_refused(cell: dict[str, Any], said: str) -> None:
    report = tk.flows(one_user("A B"), None, "A")
    with pytest.raises(errors.ReportError, match=said):
        report.users(**cell)
    with pytest.raises(errors.ReportError, match="row="):
        report.cell(99)


def test_it_declares_its_parameters_and_makes_the_same_report_from_a_form(
    shop: pd.DataFrame,
) -> None:
    declared = DECLARED["Flows"]
    parameters = inspect.signature(tk.flows).parameters
    assert {field.name for field in declared.fields} == set(parameters) - {"events", "profiles"}
    choices = Choices(tk.Events(shop), tk.ProfileTable().snapshot())
    for field in declared.fields:
        if not field.is_positional:
            assert field.default == parameters[field.name].default, field.name
            value = field.read(field.start, choices)
            assert value == field.default or (value, field.default) == ([], ()), field.name
    values = {field.name: field.default for field in declared.fields}
    values |= {"event": "View", "after": 2, "hide": ["Cart"], "expand": event["item"]}
    values |= {"collapse": False}
    report = declared.make({"events": shop, "profiles": None}, values)
    same = tk.flows(
        shop, None, "View", after=2, hide=["Cart"], expand=event["item"], collapse=False
    )
    pd.testing.assert_frame_equal(report.table, same.table)
    python = declared.python({"events": "events", "profiles": "None"}, values)
    names: dict[str, Any] = {"events": shop}
    exec(python.replace("tk.flows(", "report = tk.flows("), names)
    pd.testing.assert_frame_equal(names["report"].table, same.table)


# -- pictures -----------------------------------------------------------------------------


def crowd(names: list[str], size: int = 4_000) -> pd.DataFrame:
    draw = np.random.default_rng(1)
    weights = np.arange(len(names), 0, -1) ** 2.0
    return pd.DataFrame(
        {
            "event": draw.choice(names, size, p=weights / weights.sum()),
            "distinct_id": draw.integers(0, size // 20, size).astype(str),
            "time": 1_770_000_000 + draw.integers(0, 86_400 * 20, size),
        }
    )


LONG = [f"A very long name of an event, number {number} of $x^2$" for number in range(30)]


def drawn(report: Any, **options: Any) -> Figure:
    figures: list[Any] = []
    plots.draw_picture(lambda ax: figures.append(report.plot(ax, **options).figure), dark=False)
    return figures[0]


@pytest.mark.parametrize(
    ("names", "options", "shown"),
    [
        (["A", "B", "C"], {"after": 3}, {}),
        (LONG, {"before": 2, "after": 2}, {}),
        (LONG, {"after": 5, "count": "total"}, {}),
        (LONG, {"before": 3, "after": 6, "top": None, "count": "total"}, {"top": 30}),
        (["A"], {"after": 1}, {}),
    ],
)
def test_names_neither_overlap_nor_leave_the_picture(
    names: list[str], options: dict[str, Any], shown: dict[str, Any]
) -> None:
    figure = drawn(tk.flows(crowd(names), None, names[0], **options), **shown)
    (ax,) = figure.axes
    boxes = [text.get_window_extent() for text in [*ax.texts, ax.title, *ax.get_xticklabels()]]
    assert len(ax.texts) >= 2
    if len(figure.axes[0].get_xticks()) < 7:
        assert not any(text.get_text().isdigit() for text in ax.texts)
    for box in boxes:
        assert box.x0 >= 0
        assert box.y0 >= 0
        assert box.x1 <= figure.bbox.x1
        assert box.y1 <= figure.bbox.y1
    for place, box in enumerate(boxes):
        for other in boxes[place + 1 :]:
            assert not box.overlaps(other)


def test_bars_are_as_high_as_their_numbers_and_bands_fill_them(shop: pd.DataFrame) -> None:
    figure = drawn(tk.flows(shop, None, "View", after=2))
    bars = {
        (round(bar.get_x()), bar.get_y()): bar.get_height()
        for bar in figure.axes[0].patches
        if isinstance(bar, mpl.patches.Rectangle)
    }
    heights = [round(height / max(bars.values()), 6) for _, height in sorted(bars.items())]
    assert heights == [1, round(2 / 3, 6), round(1 / 3, 6), round(1 / 3, 6), round(1 / 3, 6)]


def test_ends_are_muted_and_an_event_has_one_colour() -> None:
    df = pd.concat([one_user("A B A B").assign(distinct_id=str(n)) for n in range(3)])
    figure = drawn(tk.flows(df, None, "A", after=4))
    colours: dict[str, set[str]] = {}
    for bar in figure.axes[0].patches:
        if isinstance(bar, mpl.patches.Rectangle):
            colours.setdefault(mpl.colors.to_hex(bar.get_facecolor()).upper(), set()).add(
                str(round(bar.get_x()))
            )
    assert colours == {
        ink.ON_LIGHT.palette[0]: {"0", "2"},
        ink.ON_LIGHT.palette[1]: {"1", "3"},
        ink.GREY: {"4"},
    }


@pytest.mark.parametrize("dark", [True, False, None])
def test_a_click_on_a_band_or_a_bar_gives_its_users(shop: pd.DataFrame, dark: bool | None) -> None:
    report = tk.flows(shop, None, "View", after=2)
    picture = plots.draw_picture(report.plot, dark=dark)
    found: dict[str, list[str]] = {}
    for place, box in enumerate(picture.spots.boxes):
        assert (box >= 0).all()
        assert (box <= 1).all()
        x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
        hit = picture.spots.nearest(x, y, within=0.01, aspect=picture.aspect)
        assert hit is not None
        cell = picture.spots.cell(place)
        assert cell is not None
        found[picture.spots.words(place)] = report.users(**cell)
    assert found == {
        "View, anchor: 3 users (100.0%)": ["ann", "bob", "cem"],
        "Cart, 1 after: 2 users (66.7%)": ["ann", "bob"],
        "(drop-off), 1 after: 1 user (33.3%)": ["cem"],
        "Buy, 2 after: 1 user (33.3%)": ["ann"],
        "(drop-off), 2 after: 1 user (33.3%)": ["bob"],
        "View → Cart: 2 users": ["ann", "bob"],
        "View → (drop-off): 1 user": ["cem"],
        "Cart → Buy: 1 user": ["ann"],
        "Cart → (drop-off): 1 user": ["bob"],
    }


def test_a_band_is_hit_where_it_is_and_not_beside_it() -> None:
    # The drop-off falls from the top left to the bottom right: its box is most of the picture.
    df = pd.concat(
        [one_user("A" + rest).assign(distinct_id=str(n)) for n, rest in enumerate(["B"] * 9 + [""])]
    )
    report = tk.flows(df, None, "A", after=1)
    spots = Spots.of(drawn(report))
    pieces = [
        spots.boxes[place]
        for place in range(len(spots))
        if spots.words(place) == "A → (drop-off): 1 user"
    ]
    assert len(pieces) == 8
    heights = [box[3] - box[1] for box in pieces]
    assert max(heights) < 0.15
    assert all(first[2] == pytest.approx(second[0]) for first, second in pairwise(pieces))


def test_what_is_drawn_as_one_stands_for_no_cell_unless_the_report_has_it() -> None:
    report = tk.flows(crowd(LONG), None, LONG[0], after=1)
    for top, is_known in ((None, True), (3, False)):
        spots = Spots.of(drawn(report, top=top))
        others = [
            spots.cell(place)
            for place in range(len(spots))
            if spots.words(place).startswith("(other), 1 after")
        ]
        assert len(others) == 1
        assert (others[0] is not None) == is_known
    with pytest.raises(errors.ReportError, match="top=0"):
        report.plot(top=0)


def linear(colour: Any) -> float:
    """Return the luminance of a colour."""
    parts = [
        each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in colour
    ]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


@pytest.mark.parametrize(("dark", "page"), [(True, 0.11), (False, 1), (None, 0.13), (None, 1)])
def test_names_can_be_read_on_every_band_and_page(dark: bool | None, page: float) -> None:
    figures: list[Any] = []
    report = tk.flows(crowd(LONG), None, LONG[0], after=2, before=1)
    plots.draw_picture(lambda ax: figures.append(report.plot(ax).figure), dark=dark)
    (ax,) = figures[0].axes
    grounds = [np.full(3, page)]
    for band in ax.patches:
        *colour, alpha = band.get_facecolor()
        if alpha < 0.5:
            grounds.append(alpha * np.array(colour) + (1 - alpha) * page)
    assert len(grounds) > 10
    for text in ax.texts:
        plate = text.get_bbox_patch()
        assert (plate is None) == (dark is not None)
        for ground in grounds:
            if plate is not None:
                *colour, alpha = plate.get_facecolor()
                ground = alpha * np.array(colour) + (1 - alpha) * ground
            low, high = sorted([linear(ground), linear(mpl.colors.to_rgb(text.get_color()))])
            assert (high + 0.05) / (low + 0.05) >= 4.5


def test_a_chosen_segment_is_drawn_alone(shop: pd.DataFrame) -> None:
    profiles = profiles_of({"ann": {"plan": "pro"}, "bob": {"plan": "free"}})
    report = tk.flows(shop, profiles, "View", after=1, by=user["plan"])
    together, one = report.plot(), report.plot(segment="pro")
    assert together.get_title("left") == (
        "All segments together: After View: paths of users within 30 days"
    )
    assert not tk.flows(shop, profiles, "View").plot().get_title("left").startswith("All segments")
    assert one.get_title("left") == "pro: After View: paths of users within 30 days by user.plan"
    assert [text.get_text().split("\n")[0] for text in one.texts] == ["View", "Cart"]
    spots = Spots.of(drawn(report, segment="pro"))
    cell = spots.cell(0)
    assert cell is not None
    assert cell["segment"] == "pro"


def test_an_event_has_one_colour_in_all_segments() -> None:
    often = [one_user("AB").assign(distinct_id=f"b{number}") for number in range(3)]
    df = pd.concat([*often, one_user("AC").assign(distinct_id="c")])
    plans = {f"b{number}": {"plan": "pro"} for number in range(2)}
    profiles = profiles_of({**plans, "b2": {"plan": "free"}, "c": {"plan": "free"}})
    report = tk.flows(df, profiles, "A", after=1, by=user["plan"])
    for segment, names in (("pro", "AB"), ("free", "ABC"), (None, "ABC")):
        bars = [
            mpl.colors.to_hex(bar.get_facecolor()).upper()
            for bar in report.plot(segment=segment).patches
            if isinstance(bar, mpl.patches.Rectangle)
        ]
        assert bars == list(ink.ON_LIGHT.palette[: len(names)])
    free = tk.flows(df, profiles, "A", after=1, where=user["plan"] == "free")
    assert free.paths["count"].tolist() == [1, 1]


def test_it_composes_with_a_figure_of_ones_own(shop: pd.DataFrame) -> None:
    figure, (left, right) = plt.subplots(1, 2, layout="constrained")
    report = tk.flows(shop, None, "View")
    assert report.plot(left) is left
    report.plot(right)
    figure.canvas.draw()
    with mpl.rc_context({"text.usetex": True}):
        assert not any(text.get_usetex() for text in report.plot().texts)


@settings(deadline=None, max_examples=examples(30))
@given(name=st.text(st.characters(codec="utf-8"), min_size=1, max_size=60))
def test_any_name_is_drawn_and_escaped(name: str) -> None:
    df = events_of((name, "ann", 1), ("B", "ann", 2))
    report = tk.flows(df, None, None, after=1)
    if unicodedata.normalize("NFC", name).isascii():
        drawn(report)
    assert "<script>" not in report._repr_html_()
    assert report.users(step=0, event=report.nodes["event"][0]) == ["ann"]
    plt.close("all")


def test_markup_in_a_name_is_text(shop: pd.DataFrame) -> None:
    df = events_of(("<script>alert(1)</script>", "ann", 1), ("B", "ann", 2))
    page = tk.flows(df, None, None, after=1)._repr_html_()
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page


def test_more_events_than_can_be_named_are_refused() -> None:
    many = pd.DataFrame(
        {
            "event": ["A", "B"] * 2_100,
            "distinct_id": [f"{n // 2}" for n in range(4_200)],
            "time": pd.date_range("2026-05-01", periods=4_200, freq="min", tz="UTC"),
            "item": [f"i{n}" for n in range(4_200)],
        }
    )

    with pytest.raises(errors.ReportError, match="2,100 events, and at most 2,000 can be named"):
        tk.flows(many, None, "A", expand={"B": event["item"]}, top=None)
    assert len(tk.flows(many, None, "A", expand={"B": event["item"]}).table)


def test_the_top_events_are_those_of_all_users_whatever_their_segments() -> None:
    # B is a step of ann, who is in two segments; C and A2 one of bob. All are as frequent.
    df = events_of(("A", "ann", 0), ("B", "ann", 1), ("A", "bob", 0), ("A2", "bob", 1))
    profiles = profiles_of({"ann": {"tags": ["x", "y"]}, "bob": {"tags": ["x"]}})
    plain = tk.flows(df, profiles, "A", after=1, top=1)
    by_tags = tk.flows(df, profiles, "A", after=1, top=1, by=user["tags"])
    for report in (plain, by_tags):
        named = {name for name in report.table["to"] if not name.startswith("(")}
        assert named == {"A2"}
