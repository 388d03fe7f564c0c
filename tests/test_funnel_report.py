"""The report of a funnel: rates, times, users, notes, pictures, arguments."""

from __future__ import annotations

import io
import itertools
import math
import re
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

import toolkit as tk
from tests.funnel_logs import (
    by_segment,
    counts,
    events_of,
    held,
    one_user,
    profiles_of,
)
from tests.moments import START, later
from toolkit import event, user
from toolkit.base import errors
from toolkit.reports.drawing import ink, plots
from toolkit.reports.form.choices import Choices
from toolkit.reports.form.declared import DECLARED
from toolkit.reports.funnels.numbers import p_value

mpl.use("Agg")

DAY = 86_400


@pytest.fixture
def three() -> pd.DataFrame:
    texts = {"ann": "ABC", "bob": "AB", "eve": "A"}
    return pd.concat([one_user(text).assign(distinct_id=who) for who, text in texts.items()])


# -- the numbers of a row ---------------------------------------------------------------


def test_rates_are_of_the_first_step_and_of_the_step_before() -> None:
    df = pd.concat(
        [
            one_user(text).assign(distinct_id=f"{n}")
            for n, text in enumerate(["A", "AB", "ABC", "AB"])
        ]
    )
    table = tk.funnel(df, None, list("ABC")).table
    assert table["count"].tolist() == [4, 3, 1]
    assert table["rate"].tolist() == [1, 0.75, 0.25]
    assert table["step_rate"].tolist() == [1, 0.75, 1 / 3]


def test_times_are_from_the_step_before_and_unknown_where_there_is_none() -> None:
    df = events_of(
        *[("A", "a", 0), ("B", "a", 10), ("C", "a", 100)],
        *[("A", "b", 0), ("B", "b", 20)],
        *[("A", "c", 0), ("B", "c", 60)],
    )
    report = tk.funnel(df, None, list("ABCD"))
    table = report.table
    assert table["average_seconds"].tolist()[1:3] == [30, 90]
    assert table["median_seconds"].tolist()[1:3] == [20, 90]
    for step in (0, 3):
        assert math.isnan(table["average_seconds"][step])
        assert math.isnan(table["median_seconds"][step])


def test_the_median_of_an_even_number_is_between_the_middle_two() -> None:
    rows = [(name, f"{n}", at) for n in range(4) for name, at in (("A", 0), ("B", 10 * n * n))]
    table = tk.funnel(events_of(*rows), None, ["A", "B"]).table
    assert table["median_seconds"][1] == 25
    assert table["average_seconds"][1] == 35


def test_microseconds_count() -> None:
    df = events_of(
        ("A", "ann", "2026-05-01T10:00:00.000001Z"), ("B", "ann", "2026-05-01T10:00:00.250001Z")
    )
    assert tk.funnel(df, None, ["A", "B"]).table["average_seconds"][1] == 0.25


def test_the_summary_has_a_row_a_segment() -> None:
    profiles = profiles_of({"a": {"plan": "pro"}, "b": {"plan": "pro"}, "c": {"plan": "free"}})
    df = pd.concat(
        [
            one_user("ABC", 10).assign(distinct_id="a"),
            one_user("A").assign(distinct_id="b"),
            one_user("ABC", 20).assign(distinct_id="c"),
        ]
    )
    summary = tk.funnel(df, profiles, list("ABC"), by=user["plan"]).summary
    assert summary.columns.tolist() == [
        "user.plan",
        "entries",
        "conversions",
        "rate",
        "average_seconds",
        "median_seconds",
        "overall_rate",
        "others_rate",
        "p_value_against_others",
    ]
    assert summary["user.plan"].tolist() == ["pro", "free"]
    assert summary["entries"].tolist() == [2, 1]
    assert summary["conversions"].tolist() == [1, 1]
    assert summary["average_seconds"].tolist() == [20, 40]
    assert summary["overall_rate"].tolist() == [2 / 3, 2 / 3]
    assert summary["others_rate"].tolist() == [1, 0.5]
    assert summary["p_value_against_others"].isna().all()
    plain = tk.funnel(df, None, list("ABC")).summary
    assert plain["conversions"].tolist() == [2]
    assert not [name for name in plain if name.startswith(("p_value", "others"))]


def conversions_of(segments: dict[str, tuple[int, int]]) -> pd.DataFrame:
    """Events of users of whom so many, of so many, convert in each segment."""
    rows = []
    for segment, (converted, entered) in segments.items():
        for number in range(entered):
            rows.append(("A", f"{segment}{number}", START, segment))
            if number < converted:
                rows.append(("B", f"{segment}{number}", START + 9, None))
    return pd.DataFrame(rows, columns=["event", "distinct_id", "time", "s"])


def p_values_of(segments: dict[str, tuple[int, int]]) -> dict[str, float]:
    summary = tk.funnel(conversions_of(segments), None, ["A", "B"], by="s").summary
    found: dict[str, float] = summary.set_index("event.s")["p_value_against_others"].to_dict()
    return found


def test_the_p_value_is_that_of_a_segment_against_all_others() -> None:
    segments = {"x": (40, 100), "y": (11, 30), "z": (9, 60)}
    found = p_values_of(segments)
    for segment, (converted, entered) in segments.items():
        others = [counts for name, counts in segments.items() if name != segment]
        other_converted, other_entered = map(sum, zip(*others, strict=True))
        pooled = (converted + other_converted) / (entered + other_entered)
        error = math.sqrt(pooled * (1 - pooled) * (1 / entered + 1 / other_entered))
        z = (converted / entered - other_converted / other_entered) / error
        # Twice the area under the bell curve beyond z, added up in thin slices.
        grid = np.linspace(abs(z), 40, 2_000_001)
        area = np.trapezoid(np.exp(-(grid**2) / 2), grid) / math.sqrt(2 * math.pi)
        assert found[segment] == pytest.approx(2 * area, rel=1e-6)


def test_two_segments_have_the_same_p_value() -> None:
    found = p_values_of({"a": (45, 100), "b": (20, 100)})
    assert found["a"] == found["b"] == pytest.approx(0.000161, rel=0.01)


def test_a_p_value_needs_30_entries_on_either_side() -> None:
    assert not np.isnan(list(p_values_of({"x": (40, 100), "y": (1, 30)}).values())).any()
    assert np.isnan(list(p_values_of({"x": (40, 100), "y": (1, 29)}).values())).all()


def test_with_a_list_the_others_of_an_element_are_the_users_without_it() -> None:
    tags = {"x": ["p", "q"], "y": ["p"], "z": ["q"], "n": ["r"]}
    segments = {"x": (30, 40), "y": (10, 40), "z": (20, 50), "n": (5, 35)}
    df = conversions_of(segments)
    profiles = profiles_of({name: {"tags": tags[name[0]]} for name in df["distinct_id"].unique()})
    summary = tk.funnel(df, profiles, ["A", "B"], by=user["tags"]).summary.set_index("user.tags")
    assert summary.loc["p", "entries"] == 80
    assert summary.loc["p", "others_rate"] == 25 / 85
    assert summary.loc["p", "p_value_against_others"] == p_value(40, 80, 25, 85)
    assert summary.loc["q", "p_value_against_others"] == p_value(50, 90, 15, 75)


def test_equal_rates_of_none_or_all_are_no_difference() -> None:
    assert p_value(0, 50, 0, 100) == p_value(50, 50, 100, 100) == 1


# -- who --------------------------------------------------------------------------------


def test_users_of_a_step_are_those_counted_and_dropped_ones_are_the_difference(
    three: pd.DataFrame,
) -> None:
    report = tk.funnel(three, None, list("ABC"))
    assert [report.users(step=step) for step in (1, 2, 3)] == [
        ["ann", "bob", "eve"],
        ["ann", "bob"],
        ["ann"],
    ]
    assert report.users(step=2, dropped=True) == ["eve"]
    assert report.users(step=3, dropped=True) == ["bob"]
    assert report.users() == ["ann", "bob", "eve"]


def test_users_of_a_segment_are_asked_for_by_name_or_value() -> None:
    profiles = profiles_of({"ann": {"age": 30}, "bob": {"age": "30"}})
    df = pd.concat([one_user("AB").assign(distinct_id=who) for who in ("ann", "bob", "eve")])
    report = tk.funnel(df, profiles, ["A", "B"], by=user["age"])
    assert report.users(step=2, segment=30) == ["ann"]
    assert report.users(step=2, segment='"30"') == ["bob"]
    assert report.users(step=2, segment="(not set)") == ["eve"]


def test_every_row_of_the_table_tells_its_users() -> None:
    profiles = profiles_of({"ann": {"plan": "pro"}, "bob": {"plan": "free"}})
    df = pd.concat([one_user("AB"), one_user("A").assign(distinct_id="bob")])
    report = tk.funnel(df, profiles, ["A", "B"], by=user["plan"])
    assert [report.users(**report.cell(row)) for row in range(4)] == [["bob"], [], ["ann"], ["ann"]]
    assert tk.funnel(df, None, ["A", "B"]).cell(1) == {"step": 2}


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"step": 0}, "the funnel has steps 1 to 3"),
        ({"step": 4}, "the funnel has steps 1 to 3"),
        ({"step": "2"}, "give the number of a step, from 1 to 3"),
        ({"step": True}, "give the number of a step"),
        ({"dropped": True}, "give step=2 to 3"),
        ({"segment": "pro"}, "needs a breakdown"),
    ],
)
def test_users_that_cannot_be_told_are_refused(
    three: pd.DataFrame, asked: dict[str, Any], said: str
) -> None:
    with pytest.raises(errors.ReportError, match=said):
        tk.funnel(three, None, list("ABC")).users(**asked)


def test_a_segment_that_is_not_there_and_a_row_that_is_not_are_refused() -> None:
    report = tk.funnel(held(("A", "tea"), ("B", "tea")), None, ["A", "B"], by="item")
    with pytest.raises(errors.ReportError, match=r'no segment "teh".*Did you mean "tea"'):
        report.users(segment="teh")
    with pytest.raises(errors.ReportError, match="the table has 2 rows"):
        report.cell(2)


# -- what is left out -------------------------------------------------------------------


def test_events_without_an_id_are_in_no_funnel_and_said_to_be() -> None:
    df = events_of(("A", None, 0), ("B", "", 1), ("A", "ann", 2), ("C", None, 3))
    report = tk.funnel(df, None, ["A", "B"])
    assert counts(report) == [1, 0]
    assert "Left out, because they have no distinct ID: 2 events." in report.notes


def test_hidden_events_and_those_without_a_time_are_left_out_and_said_to_be() -> None:
    df = one_user("AABBC").assign(bucket=[None, None, 1, None, 1])
    df["time"] = df["time"].astype(object)
    df.loc[0, "time"] = None
    report = tk.funnel(df, None, ["A", "B"])
    assert counts(report) == [1, 1]
    assert report.table["average_seconds"][1] == 120
    assert "Hidden, because of a value in $bucket or bucket: 1 event." in report.notes
    assert "Left out because their time cannot be read: 1 event." in report.notes


def test_entries_whose_window_is_still_open_are_said_to_be_incomplete() -> None:
    df = events_of(
        *[("A", "done", 9 * DAY), ("B", "done", 9 * DAY + 60)],
        *[("A", "open", 5 * DAY), ("A", "over", 0), ("A", "edge", 3 * DAY), ("C", "x", 10 * DAY)],
        *[("A", "stopped", 9 * DAY), ("X", "stopped", 9 * DAY + 1)],
    )
    report = tk.funnel(df, None, ["A", "B"], exclude=["X"])
    assert report.notes[-1] == (
        "Incomplete: 1 user began less than 7 days before the last event of all "
        "(2026-01-11T00:00:00Z) and may still convert."
    )
    assert not [note for note in tk.funnel(df[:2], None, ["A", "B"]).notes if "Inc" in note]


def test_steps_of_one_event_with_different_conditions_have_different_names() -> None:
    df = one_user("AAB", item=["tea", "jam", "tea"], amount=[5, 20, 1])
    steps = ["A", tk.step("A", event["amount"] > 10), tk.step("B", event["item"] == "tea")]
    report = tk.funnel(df, None, steps)
    assert report.table["event"].tolist() == ["A", "A (amount > 10)", "B"]
    assert report.title.startswith("A → A (amount > 10) → B: users")
    texts = [each.get_text().replace("\n", " ") for each in report.plot().get_yticklabels()]
    assert len(set(texts)) == 3
    big = tk.step("A", event["amount"] > 10, name="Big")
    assert tk.funnel(df, None, ["A", big]).table["event"].tolist() == ["A", "Big"]
    both = [tk.step("A", event["item"] == "tea"), tk.step("A", event["amount"] > 10)]
    names = ['A (item == "tea")', "A (amount > 10)"]
    assert tk.funnel(df, None, both).table["event"].tolist() == names
    note = tk.funnel(df, None, both, order="any").notes[0]
    assert note.endswith(", ".join(names) + ".")


def test_sessions_are_named_and_those_that_may_go_on_are_said_to_be_incomplete() -> None:
    df = events_of(("A", "ann", 0), ("B", "ann", 600), ("A", "ann", 5000), ("C", "bob", 6800))
    report = tk.funnel(df, None, ["A", "B"], count="sessions")
    assert counts(report) == [2, 1]
    assert report.title == "A → B: sessions within 7 days"
    assert not [note for note in report.notes if "Incomplete" in note]
    df.loc[3, "time"] = later(6799)
    sooner = tk.funnel(df, None, ["A", "B"], count="sessions")
    assert sooner.notes[-1].startswith("Incomplete: 1 session began less than 7 days before")


def test_names_that_no_event_has_are_noted_and_count_for_nothing() -> None:
    report = tk.funnel(one_user("AB"), None, ["A", "Bb"], exclude=["Xyz"])
    assert counts(report) == [1, 0]
    assert 'No event is named "Bb". Did you mean "B"?' in report.notes
    assert 'No event is named "Xyz".' in report.notes
    nameless = events_of(("A", "ann", 0), (None, "ann", 1))
    assert counts(tk.funnel(nameless, None, ["A", "Bb"])) == [1, 0]
    assert counts(tk.funnel(nameless, None, ["A", None])) == [1, 1]


def test_a_range_without_events_and_a_comparison_that_is_never_true_are_noted() -> None:
    df = held(("A", "tea"), ("B", "tea"))
    report = tk.funnel(df, None, ["A", "B"], start="2030-01-01")
    assert counts(report) == [0, 0]
    assert "No event is in the range of start=2030-01-01" in report.notes[0]
    never = tk.funnel(df, None, ["A", tk.step("B", event["item"] > 5)])
    assert any("is never true" in note for note in never.notes)


def test_no_events_give_rows_of_zeros_and_rates_of_nothing() -> None:
    for df in (events_of(), events_of(("C", "ann", 0))):
        report = tk.funnel(df, profiles_of({}), ["A", "B"])
        assert counts(report) == [0, 0]
        assert report.table["rate"].isna().all()
        assert report.is_empty
        assert report.users() == []
        assert len(tk.funnel(df, profiles_of({}), ["A", "B"], by=user["plan"]).table) == 0
        for options in ({"count": "total"}, {"reentry": "optimized"}, {"order": "any"}):
            assert counts(tk.funnel(df, None, ["A", "B"], **options)) == [0, 0]
        assert report.plot(Figure().add_subplot()).texts[-1].get_text() == "no users"
        assert report._repr_html_()


def test_one_event_is_one_entry() -> None:
    report = tk.funnel(events_of(("A", "ann", 0)), None, ["A", "B"])
    assert counts(report) == [1, 0]
    assert not report.is_empty


# -- arguments --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"steps": ["A"]}, "at least two steps; 1 step given"),
        ({"steps": "AB"}, "steps are a list such as"),
        ({"steps": ["A", 5]}, "give the name of an event, None for any event, or tk.step"),
        ({"steps": ["A"] * 61}, "at most 60"),
        ({"steps": ["A", tk.step("B", between=(1, 2))]}, "between= is for excluded events"),
        ({"steps": ["A", tk.step("B", anchored=True)]}, 'anchored= is for order="any"'),
        ({"order": "some"}, "order='some' is unknown; allowed are specific, any"),
        ({"count": "users"}, "allowed are total, unique, sessions"),
        ({"reentry": "last"}, "allowed are first, optimized"),
        ({"window": "0d"}, "give one longer than nothing"),
        ({"grace": "soon"}, "grace='soon' is not a length of time"),
        ({"exclude": [tk.step("X", between=(2, 1))]}, "is not from a step to a later one"),
        ({"exclude": [tk.step("X", between=(1, 3))]}, "there are 2"),
        ({"exclude": [tk.step("X", anchored=True)]}, "anchored= is for steps"),
        ({"hold": ["a", "b", "c", "d"]}, "names 4 properties; at most 3"),
        ({"hold": user["plan"]}, "user.plan is one of users"),
        ({"hold": "bucket"}, "is hidden"),
        ({"by": "$bucket"}, "is hidden"),
        ({"attribution": 3}, "number of a step from 1 to 2"),
        ({"attribution": "middle"}, "allowed are first, last"),
        ({"by": user["plan"]}, "profiles is None"),
        ({"at": "noon"}, "latest"),
        ({"start": "2026-05-02", "end": "2026-05-01"}, "is not before"),
    ],
)
def test_arguments_it_does_not_know_are_refused_with_those_it_does(
    arguments: dict[str, Any], said: str
) -> None:
    with pytest.raises(errors.ToolkitError, match=said):
        tk.funnel(one_user("AB"), None, **{"steps": ["A", "B"], **arguments})


@pytest.mark.parametrize("argument", ["by", "hold"])
def test_a_property_that_no_event_has_is_refused(argument: str) -> None:
    with pytest.raises(errors.EventsError, match=r'no event has a property "itme".*Did you mean'):
        tk.funnel(held(("A", 1), ("B", 1)), None, ["A", "B"], **{argument: "itme"})


@pytest.mark.parametrize("between", [(1,), (1, 2, 3), 5, ("1", "2"), (1.5, 2), (True, 2)])
def test_steps_to_stand_between_are_two_numbers(between: Any) -> None:
    with pytest.raises(errors.ReportError, match="two step numbers"):
        tk.step("X", between=between)


def test_a_step_is_of_one_name_and_can_be_called_something_else() -> None:
    with pytest.raises(errors.ReportError, match="the name of an event or None"):
        tk.step(["A"])  # type: ignore[arg-type]
    tea = tk.step("A", event["item"] == "tea", name="Tea")
    assert str(tea) == 'Tea where event["item"] == "tea"'
    report = tk.funnel(held(("A", "tea"), ("B", 1)), None, [tea, "B"])
    assert report.table["event"].tolist() == ["Tea", "B"]
    assert report.definition["steps"] == ['Tea where event["item"] == "tea"', "B"]
    assert report.title == "Tea → B: users within 7 days"


def test_the_definition_remembers_the_question() -> None:
    report = tk.funnel(
        one_user("AB", item=[1, 2]),
        None,
        ["A", tk.step("B", anchored=True)],
        window="36h",
        order="any",
        exclude=["X"],
        hold="item",
        count="total",
    )
    assert report.definition == {
        "steps": ["A", "B (anchored)"],
        "window": "36 hours",
        "order": "any",
        "count": "total",
        "reentry": "first",
        "exclude": ["X"],
        "hold": ["event.item"],
        "by": None,
        "attribution": "first",
        "where": None,
        "start": None,
        "end": None,
        "tz": None,
        "at": "latest",
        "grace": "2 seconds",
    }
    assert report.title == (
        "A, B in any order: entries within 36 hours, same event.item, without X"
    )


def test_a_report_does_not_change_with_the_table() -> None:
    profiles = profiles_of({"ann": {"plan": "pro"}})
    report = tk.funnel(one_user("AB"), profiles, ["A", "B"], by=user["plan"])
    profiles.set("ann", {"plan": "gone"})
    table = report.table
    table["count"] = 0
    assert by_segment(report) == {"pro": [1, 1]}
    assert report.users(segment="pro") == ["ann"]


# -- what a person sees -----------------------------------------------------------------


def test_a_plot_has_a_bar_a_step_and_a_pale_one_for_who_dropped(three: pd.DataFrame) -> None:
    ax = tk.funnel(three, None, list("ABC")).plot()
    widths = [round(patch.get_width(), 4) for patch in ax.patches]
    assert widths == [100, 66.6667, 33.3333, 0, 33.3333, 33.3333]
    assert [text.get_text() for text in ax.get_yticklabels()] == ["1  A", "2  B", "3  C"]
    assert [text.get_text() for text in ax.texts] == [
        "3 users",
        "2 (66.7%)\n−1 dropped",
        "1 (33.3%)\n−1 dropped",
    ]
    assert ax.get_xlabel() == "% of step 1; pale: dropped since the step before"
    assert ax.get_title(loc="left") == "A → B → C: users within 7 days"
    assert ax.get_legend() is None


def test_a_plot_of_segments_groups_their_bars_and_names_them() -> None:
    profiles = profiles_of({"ann": {"plan": "pro"}, "bob": {"plan": "free"}})
    df = pd.concat([one_user("AB").assign(distinct_id=who) for who in ("ann", "bob", "eve")])
    ax = tk.funnel(df, profiles, ["A", "B"], by=user["plan"]).plot()
    legend = ax.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["free", "pro", "(not set)"]
    assert legend.get_title().get_text() == "user.plan"
    places = [patch.get_y() for patch in ax.patches]
    assert len(set(places)) == 6  # two steps of three segments, none upon another
    assert [text.get_text() for text in ax.texts] == ["1", "100.0%"] * 3
    colours = {mpl.colors.to_hex(patch.get_facecolor()) for patch in ax.patches}
    assert len(colours) == 3


def test_of_many_segments_the_largest_are_drawn_and_not_set_always() -> None:
    rows = [("A", f"u{n}-{k}", START, f"s{n}") for n in range(9) for k in range(9 - n)]
    df = pd.DataFrame(
        [*rows, ("A", "none", START, None)], columns=["event", "distinct_id", "time", "s"]
    )
    report = tk.funnel(df, None, ["A", "B"], by="s")
    for top, drawn in ((None, 6), (2, 2)):
        legend = report.plot(top=top).get_legend()
        assert legend is not None
        named = [f"s{n}" for n in range(drawn)]
        assert [text.get_text() for text in legend.get_texts()] == [*named, "(not set)"]
        assert legend.get_title().get_text() == f"event.s (top {drawn + 1} of 10)"
    with pytest.raises(errors.ReportError, match="top=0"):
        report.plot(top=0)


def test_a_plot_composes_with_the_users_axes(three: pd.DataFrame) -> None:
    figure, axes = plt.subplots(1, 2)
    report = tk.funnel(three, None, ["A", "B"])
    assert report.plot(ax=axes[1]) is axes[1]
    assert not axes[0].patches
    assert plt.get_fignums() == [figure.number]


def test_every_place_in_the_picture_tells_its_users() -> None:
    profiles = profiles_of({"ann": {"plan": "pro"}, "bob": {"plan": "free"}})
    df = pd.concat([one_user("AB"), one_user("A").assign(distinct_id="bob")])
    report = tk.funnel(df, profiles, ["A", "B"], by=user["plan"])
    picture = plots.draw_picture(report.plot)
    assert len(picture.spots) == len(report.table)
    found = {}
    for place in range(len(picture.spots)):
        left, top, right, bottom = picture.spots.boxes[place]
        middle = (left + right) / 2, (top + bottom) / 2
        nearest = picture.spots.nearest(*middle, within=0.01, aspect=picture.aspect)
        assert nearest == place
        cell = picture.spots.cell(place)
        assert cell is not None
        found[picture.spots.words(place)] = report.users(**cell)
    assert found == {
        "free, 1 A: 1 user (100.0%)": ["bob"],
        "free, 2 B: 0 users (0.0%)": [],
        "pro, 1 A: 1 user (100.0%)": ["ann"],
        "pro, 2 B: 1 user (100.0%)": ["ann"],
    }


@pytest.mark.parametrize("dark", [False, True])
def test_words_stand_out_on_light_and_dark_pages(three: pd.DataFrame, dark: bool) -> None:
    figures = []
    report = tk.funnel(three, None, list("ABC"))
    plots.draw_picture(lambda ax: figures.append(report.plot(ax).figure), dark=dark)
    wanted = ink.ON_DARK if dark else ink.ON_LIGHT
    for text in figures[0].findobj(mpl.text.Text):
        assert mpl.colors.same_color(text.get_color(), wanted.text)
    ground = plt.imread(io.BytesIO(plots.as_png(report.plot, transparent=False, dark=dark)))[0, 0]
    assert mpl.colors.to_hex(ground).upper() == wanted.ground


HOSTILE = [
    "<script>alert(1)</script>",
    "$x$ $",
    r"$\frac{1$",
    "a\nb\x00",
    "日本",
    "%s{}",
    "x" * 500,
]


def test_hostile_values_and_names_are_drawn_and_shown_as_text() -> None:
    rows = [(name, f"{number}", 0) for number, name in enumerate(HOSTILE)]
    df = events_of(*rows, x=HOSTILE)
    for first, second in itertools.pairwise(HOSTILE):
        report = tk.funnel(df, None, [first, second], by="x")
        shown = report._repr_html_()
        assert "<script" not in shown
        assert not re.search(r"https?:", shown)
    assert "&quot;" not in tk.funnel(df, None, HOSTILE[:2]).title
    assert "&lt;script&gt;" in tk.funnel(df, None, HOSTILE[:2])._repr_html_()


def test_a_report_in_a_notebook_has_title_picture_table_and_notes(three: pd.DataFrame) -> None:
    shown = tk.funnel(three, None, list("ABC"))._repr_html_()
    assert "A → B → C: users within 7 days" in shown
    assert shown.count('<img src="data:image/png;base64,') == 1
    assert "median_seconds" in shown
    assert plt.get_fignums() == []


# -- the form ---------------------------------------------------------------------------

FUNNEL = DECLARED["Funnel"]


def test_what_the_form_asks_for_are_the_parameters() -> None:
    import inspect

    parameters = inspect.signature(tk.funnel).parameters
    declared = {field.name: field for field in FUNNEL.fields}
    assert set(declared) == set(parameters) - {"events", "profiles"}
    for name, field in declared.items():
        if not field.is_positional:
            assert field.default == parameters[name].default, name


def test_what_the_form_makes_and_writes_is_the_same_report(three: pd.DataFrame) -> None:
    choices = Choices(tk.Events(three.assign(item="tea")), None)
    values = {field.name: field.default for field in FUNNEL.fields}
    for name, raw in {
        "steps": ["A", "B"],
        "window": "2h",
        "exclude": ["C"],
        "hold": ["event.item"],
        "count": "total",
    }.items():
        values[name] = FUNNEL.field(name).read(raw, choices)
    events = three.assign(item="tea")
    report = FUNNEL.make({"events": events, "profiles": None}, values)
    assert counts(report) == [3, 2]
    code = FUNNEL.python({"events": "events", "profiles": "None"}, values)
    scope: dict[str, Any] = {"events": events}
    *imports, call = code.split("\n\n")
    exec("\n".join(imports), scope)
    assert report.definition == eval(call, scope).definition
    for name in ("exclude", "hold", "window", "grace"):
        field = FUNNEL.field(name)
        assert list(field.read(field.start, choices)) == list(field.default)
