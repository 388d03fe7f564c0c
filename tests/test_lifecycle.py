"""Lifecycle: who is new, returning, resurrecting and dormant, by hand and in SQL."""

from __future__ import annotations

import inspect
from typing import Any

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
from toolkit.reports.drawing import plots
from toolkit.reports.form.declared import DECLARED
from toolkit.reports.retention.lifecycle import STATUSES

mpl.use("Agg")


def events_of(*rows: tuple[Any, ...], **columns: Any) -> pd.DataFrame:
    """Return events from (event, distinct_id, time) and further columns.

    Small numbers are seconds after the start of 2026.
    """
    frame = pd.DataFrame(list(rows), columns=["event", "distinct_id", "time"], dtype=object)
    frame["time"] = frame["time"].map(later)
    return frame.assign(**{name: pd.Series(values) for name, values in columns.items()})


def days_of(**active: list[int]) -> pd.DataFrame:
    """Return a View of each user on some days of May."""
    return events_of(
        *[
            ("View", who, f"2026-05-{day:02d}T10:00Z")
            for who, days in active.items()
            for day in days
        ]
    )


def lives(report: Any, segment: str | None = None) -> dict[str, list[int]]:
    """Return the numbers of each status, period by period."""
    table = report.table
    if segment is not None:
        table = table[table.iloc[:, 0] == segment]
    return {status: table.loc[table["status"] == status, "count"].tolist() for status in STATUSES}


def test_a_user_is_new_then_returning_then_dormant_once_then_resurrecting() -> None:
    report = tk.lifecycle(days_of(ann=[1, 2, 5], bob=[5]), None, unit="day")
    assert lives(report) == {
        "new": [1, 0, 0, 0, 1],
        "returning": [0, 1, 0, 0, 0],
        "resurrecting": [0, 0, 0, 0, 1],
        "dormant": [0, 0, 1, 0, 0],
    }
    assert report.table.columns.tolist() == ["time", "status", "count"]
    assert report.table["status"].head(4).tolist() == list(STATUSES)
    assert report.users(time="2026-05-05", status="resurrecting") == ["ann"]
    assert report.users(time="2026-05-05") == ["ann", "bob"]
    assert report.users(status="dormant") == ["ann"]


def test_active_users_of_a_period_are_those_of_the_one_before_less_the_dormant_and_the_others() -> (
    None
):
    files = tk.sample_files()
    events = tk.Events(pd.read_parquet(files["events"]))
    report = tk.lifecycle(events, None, unit="week")
    found = {status: np.array(numbers) for status, numbers in lives(report).items()}
    active = found["new"] + found["returning"] + found["resurrecting"]
    counted = tk.segmentation(events, None, None, measure="unique", unit="week").table["count"]
    np.testing.assert_array_equal(active, counted)
    np.testing.assert_array_equal(active[:-1] - found["dormant"][1:], found["returning"][1:])
    assert found["new"].sum() == len(events.ids.texts)


def test_what_was_before_the_range_tells_who_is_new() -> None:
    df = days_of(ann=[1, 9], bob=[8, 9], eve=[9], zoe=[8])
    report = tk.lifecycle(df, None, unit="day", start="2026-05-09")
    assert lives(report) == {"new": [1], "returning": [1], "resurrecting": [1], "dormant": [1]}
    assert report.users(status="new") == ["eve"]
    assert report.users(status="dormant") == ["zoe"]
    with pytest.raises(
        errors.ReportError, match="is before the report, which begins at 2026-05-09"
    ):
        report.users(time="2026-05-08")
    assert not any("everybody is new" in note for note in report.notes)


def test_what_comes_after_the_range_is_not_known() -> None:
    report = tk.lifecycle(days_of(ann=[1, 3]), None, unit="day", end="2026-05-02")
    assert lives(report)["dormant"] == [0, 1]


def test_the_period_that_the_start_lies_in_counts_whole() -> None:
    df = days_of(ann=[4, 12], bob=[7, 12])  # the weeks from the 4th and the 11th
    report = tk.lifecycle(df, None, unit="week", start="2026-05-06")
    assert lives(report)["new"] == [2, 0]
    assert lives(report)["returning"] == [0, 2]


def test_a_last_period_that_the_range_cuts_is_noted_and_shaded() -> None:
    report = tk.lifecycle(days_of(ann=[4, 12], bob=[5]), None, unit="week")
    assert any(note.startswith("The last week (2026-05-11) is incomplete") for note in report.notes)
    assert report.plot().get_xlabel() == "time (UTC); shaded: incomplete"
    whole = tk.lifecycle(days_of(ann=[4, 12]), None, unit="week", end="2026-05-17")
    assert not any("incomplete" in note for note in whole.notes)


def test_a_start_before_the_first_event_gives_empty_periods() -> None:
    report = tk.lifecycle(days_of(ann=[3]), None, unit="day", start="2026-05-01", end="2026-05-04")
    assert lives(report)["new"] == [0, 0, 1, 0]
    assert lives(report)["dormant"] == [0, 0, 0, 1]


def test_months_follow_the_calendar_and_its_leap_day() -> None:
    df = events_of(
        ("View", "ann", "2024-01-31T23:59:59Z"),
        ("View", "ann", "2024-02-29T23:59:59Z"),
        ("View", "ann", "2024-03-31T00:00:00Z"),
    )
    assert lives(tk.lifecycle(df, None, unit="month"))["returning"] == [0, 1, 1]
    oslo = lives(tk.lifecycle(df, None, unit="month", tz="Europe/Oslo"))
    assert oslo == {"new": [1, 0], "returning": [0, 1], "resurrecting": [0, 0], "dormant": [0, 0]}


def test_the_day_the_clock_goes_forward_is_a_day_like_any_other() -> None:
    df = events_of(
        ("View", "ann", "2026-03-28T23:30+01:00"),
        ("View", "ann", "2026-03-29T23:30+02:00"),
        ("View", "ann", "2026-03-30T00:30+02:00"),
    )
    report = tk.lifecycle(df, None, unit="day", tz="Europe/Oslo")
    assert lives(report)["returning"] == [0, 1, 1]


def test_only_what_was_asked_for_makes_active() -> None:
    df = days_of(ann=[1, 2, 3])
    df.loc[1, "event"] = "Buy"
    df["amount"] = [1, 20, 3]
    assert lives(tk.lifecycle(df, None, "View", unit="day"))["resurrecting"] == [0, 0, 1]
    big = tk.step(None, where=event["amount"] > 2)
    assert lives(tk.lifecycle(df, None, big, unit="day"))["new"] == [0, 1, 0]
    small = tk.lifecycle(df, None, unit="day", where=event["amount"] < 10)
    assert lives(small)["dormant"] == [0, 1, 0]


def test_a_breakdown_judges_each_segment_alone() -> None:
    profiles = tk.ProfileTable()
    profiles.set("ann", {"tags": ["x", "y", "x"]})
    profiles.set("bob", {"tags": "x"})
    df = days_of(ann=[1, 2], bob=[2], eve=[1]).assign(item=["tea", "jam", "tea", ["tea", "jam"]])
    by_user = tk.lifecycle(df, profiles, unit="day", by=user["tags"])
    assert by_user.table["user.tags"].unique().tolist() == ["x", "y", "(not set)"]
    assert lives(by_user, "x")["new"] == [1, 1]
    assert lives(by_user, "y")["returning"] == [0, 1]
    assert lives(by_user, "(not set)")["dormant"] == [0, 1]
    assert by_user.users(segment="x") == ["ann", "bob"]
    by_event = tk.lifecycle(df, profiles, unit="day", by="item")
    for item in ("tea", "jam"):
        only = tk.lifecycle(df, profiles, unit="day", where=event["item"].any() == item)
        assert lives(by_event, item) == lives(only)


def test_JOIN_4_at_event_time_a_user_moves_between_segments() -> None:
    profiles = tk.ProfileTable()
    profiles.set("ann", {"plan": "free"}, time="2026-05-01")
    profiles.set("ann", {"plan": "pro"}, time="2026-05-02")
    df = days_of(ann=[1, 2])
    then = tk.lifecycle(df, profiles, unit="day", by=user["plan"], at="event time")
    assert lives(then, "free") == {
        "new": [1, 0],
        "returning": [0, 0],
        "resurrecting": [0, 0],
        "dormant": [0, 1],
    }
    assert lives(then, "pro")["new"] == [0, 1]
    assert lives(tk.lifecycle(df, profiles, unit="day", by=user["plan"]), "pro")["new"] == [1, 0]


def test_left_out_events_are_noted() -> None:
    df = days_of(ann=[1, 2, 3])
    df.loc[1, "distinct_id"] = None
    df.loc[2, "time"] = "never"
    report = tk.lifecycle(df, None, unit="day")
    assert "Not counted for any user, because they have no distinct ID: 1 event." in report.notes
    assert "Left out because their time cannot be read: 1 event." in report.notes
    assert lives(report)["new"] == [1, 0]


@pytest.mark.parametrize("df", [events_of(), events_of(("View", None, 0))])
@pytest.mark.parametrize("by", [None, "event"])
def test_without_users_nobody_lives(df: pd.DataFrame, by: Any) -> None:
    report = tk.lifecycle(df, None, by=by)
    assert report.is_empty
    assert report.users() == []
    assert report.plot().texts[-1].get_text() == "no users"
    assert report._repr_html_()


def test_a_property_of_100_000_values_is_counted_or_refused() -> None:
    ids = [f"{n}" for n in range(100_000)]
    df = pd.DataFrame({"event": "A", "distinct_id": ids, "time": START + np.arange(100_000)})
    report = tk.lifecycle(df, None, unit="week", by="distinct_id")
    assert len(report.table) == 100_000 * 4
    with pytest.raises(errors.ReportError, match="choose a longer unit="):
        tk.lifecycle(df, None, unit="hour", by="distinct_id")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"unit": None}, "needs periods"),
        ({"unit": "decade"}, "unit='decade'"),
        ({"event": 3}, "event=3"),
        ({"by": ["a", "a"]}, "has the same breakdown twice"),
        ({"at": "then"}, "at='then'"),
    ],
)
def test_arguments_it_does_not_know_are_refused(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(errors.ToolkitError, match=said):
        tk.lifecycle(days_of(ann=[1]), None, **arguments)


def test_cells_that_there_are_not_are_refused() -> None:
    report = tk.lifecycle(days_of(ann=[1]), None, unit="day", by="event")
    with pytest.raises(errors.ReportError, match=r"status='gone'.*dormant"):
        report.users(status="gone")  # type: ignore[arg-type]
    with pytest.raises(errors.ReportError, match='Did you mean "View"'):
        report.users(segment="Viev")
    with pytest.raises(errors.ReportError, match="is not in the report"):
        report.users(time="2026-05-09")
    with pytest.raises(errors.ReportError, match="row="):
        report.cell(4)
    with pytest.raises(errors.ReportError, match="needs a breakdown"):
        tk.lifecycle(days_of(ann=[1]), None).users(segment="View")


# -- in SQL, from the definition ----------------------------------------------------------


def in_sql(
    frame: pd.DataFrame, people: pd.DataFrame, unit: str, start: str, end: str
) -> pd.DataFrame:
    """Return the users of each segment, period and status that has any."""
    with duckdb.connect() as sql:
        sql.register("given", frame)
        sql.register("people", people)
        return sql.execute(
            f"""
            with active as (
                select distinct e.distinct_id as id,
                    date_trunc('{unit}', e.time::timestamp)::timestamp as period,
                    coalesce(p.segment, '(not set)') as segment
                from given as e left join people as p on p.id = e.distinct_id
                where e.distinct_id is not null and e.time < $end::timestamp
            ),
            judged as (
                select a.segment, a.period, case
                    when not exists (from active b where b.id = a.id and b.period < a.period)
                        then 'new'
                    when exists (
                        from active b where b.id = a.id and b.period = a.period - to_{unit}s(1))
                        then 'returning'
                    else 'resurrecting' end as status
                from active as a
                union all
                select a.segment, a.period + to_{unit}s(1), 'dormant'
                from active as a
                where not exists (
                    from active b where b.id = a.id and b.period = a.period + to_{unit}s(1))
            )
            select segment, period as time, status, count(*) as count from judged
            where period >= date_trunc('{unit}', $start::timestamp) and period < $end::timestamp
            group by all
            """,
            {"start": start, "end": end},
        ).df()


def assert_same(report: Any, expected: pd.DataFrame) -> None:
    found = report.table
    found["time"] = found["time"].dt.tz_convert("UTC").dt.tz_localize(None)
    keys = ["segment", "time", "status"]
    left = found.rename(columns={"user.plan": "segment"})
    left = left[left["count"] > 0].set_index(keys)["count"].to_dict()
    assert left == expected.set_index(keys)["count"].to_dict()
    segments = found["user.plan"].nunique()
    assert len(found) == segments * found["time"].nunique() * 4


@pytest.mark.parametrize("unit", ["day", "week", "month"])
def test_the_sample_data_counted_in_SQL_give_the_same_cell_by_cell(unit: Any) -> None:
    files = tk.sample_files()
    profiles = tk.ProfileTable()
    tk.import_csv(profiles, files["profiles"])
    frame = pd.read_parquet(files["events"])
    people = pd.read_csv(files["profiles"], dtype={"distinct_id": "str"})
    plans = people.rename(columns={"distinct_id": "id", "plan": "segment"})[["id", "segment"]]
    naive = frame.assign(time=frame["time"].dt.tz_localize(None))
    for start, end, after in (
        ("2026-01-01", "2026-06-30", "2026-07-01"),
        ("2026-03-04", "2026-05-06", "2026-05-07"),
    ):
        report = tk.lifecycle(frame, profiles, unit=unit, by=user["plan"], start=start, end=end)
        assert_same(report, in_sql(naive, plans, unit, start, after))


moments = st.integers(0, 30 * 8).map(
    lambda steps: pd.Timestamp("2024-02-10") + steps * pd.Timedelta(hours=3)
)


@settings(deadline=None, max_examples=examples(60))
@given(
    log=st.lists(
        st.tuples(st.just("A"), st.sampled_from(["x", "y", "z", None]), moments), max_size=14
    ),
    plans=st.dictionaries(st.sampled_from("xyz"), st.sampled_from(["p", "q"])),
    unit=st.sampled_from(["day", "week", "month"]),
    start=st.sampled_from(["2024-02-01", "2024-02-19", "2024-03-01"]),
)
def test_random_events_counted_in_SQL_give_the_same(
    log: Any, plans: dict[str, str], unit: Any, start: str
) -> None:
    df = events_of(*log)
    df["time"] = pd.to_datetime(df["time"])
    df["distinct_id"] = df["distinct_id"].astype("str")
    profiles = tk.ProfileTable()
    for who, plan in plans.items():
        profiles.set(who, {"plan": plan})
    report = tk.lifecycle(df, profiles, unit=unit, by=user["plan"], start=start, end="2024-03-05")
    people = pd.DataFrame(list(plans.items()), columns=["id", "segment"], dtype="str")
    assert_same(report, in_sql(df, people, unit, start, "2024-03-06"))
    for row, line in enumerate(report.table.to_dict("records")):
        assert len(report.users(**report.cell(row))) == line["count"]


# -- what a person sees -------------------------------------------------------------------


def test_dormant_users_hang_below_zero_and_the_others_stand_on_each_other() -> None:
    report = tk.lifecycle(days_of(ann=[1, 2, 5], bob=[5], eve=[1, 2]), None, unit="day")
    ax = report.plot()
    found = lives(report)
    tops = np.zeros(5)
    for status, bars in zip(STATUSES, ax.containers, strict=True):
        heights = np.array([bar.get_height() for bar in bars])
        if status == "dormant":
            np.testing.assert_array_equal(heights, [-value for value in found[status]])
            assert all(bar.get_y() == 0 for bar in bars)
        else:
            np.testing.assert_array_equal(heights, found[status])
            np.testing.assert_array_equal([bar.get_y() for bar in bars], tops)
            tops += heights
    assert ax.get_ylim()[0] < -max(found["dormant"])
    ax.figure.canvas.draw()
    assert not any(
        "−" in text.get_text() or "-" in text.get_text() for text in ax.get_yticklabels()
    )
    legend = [text.get_text() for text in ax.get_legend().get_texts()]
    assert legend == ["new", "returning", "resurrecting", "dormant (below)"]
    assert ax.get_ylabel() == "users per day"
    assert len({bars[0].get_facecolor() for bars in ax.containers}) == 4


def test_a_plot_of_segments_shows_all_users_once_or_one_segment() -> None:
    profiles = tk.ProfileTable()
    profiles.set("ann", {"tags": ["x", "y"]})
    report = tk.lifecycle(days_of(ann=[1], bob=[1]), profiles, unit="day", by=user["tags"])
    assert report.plot().containers[0][0].get_height() == 2
    assert report.plot().get_title(loc="left").startswith("All segments together: ")
    one = report.plot(segment="y")
    assert one.containers[0][0].get_height() == 1
    assert one.get_title(loc="left").startswith("y: ")


def test_every_part_of_a_bar_stands_for_its_users() -> None:
    report = tk.lifecycle(days_of(ann=[1, 2, 5], bob=[5], eve=[1, 3]), None, unit="day")
    picture = plots.draw_picture(report.plot)
    assert len(picture.spots) == len(report.table)
    hit = 0
    for place in range(len(picture.spots)):
        cell = picture.spots.cell(place)
        assert cell is not None
        left, top, right, bottom = picture.spots.boxes[place]
        if bottom - top < 0.01:
            continue
        near = picture.spots.nearest(
            (left + right) / 2, (top + bottom) / 2, within=0.0, aspect=picture.aspect
        )
        assert near == place
        words = picture.spots.words(place)
        assert words.endswith(f": {len(report.users(**cell))}")
        assert words.startswith(cell["status"])
        hit += 1
    assert hit == (report.table["count"] > 0).sum()


def test_what_lifecycle_declares_are_the_parameters_of_its_function() -> None:
    parameters = inspect.signature(tk.lifecycle).parameters
    declared = {field.name: field for field in DECLARED["Lifecycle"].fields}
    assert set(declared) == set(parameters) - {"events", "profiles"}
    for name, field in declared.items():
        assert field.default == parameters[name].default, name
