"""Frequency: on how many days, weeks or months users came back."""

from __future__ import annotations

import inspect
from typing import Any

import duckdb
import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

import toolkit as tk
from toolkit import user
from toolkit.base import errors
from toolkit.reports.form.declared import DECLARED

mpl.use("Agg")

DAY = 86_400
BORN = 1_777_593_600  # 2026-05-01


def events_of(**visits: list[float]) -> pd.DataFrame:
    """Return a birth of each user, and visits so many days later."""
    rows = [("A", who, BORN) for who in visits]
    rows += [("B", who, BORN + day * DAY) for who, days in visits.items() for day in days]
    return pd.DataFrame(rows, columns=["event", "distinct_id", "time"])


def first(report: Any) -> list[int]:
    """Return the users of the first cohort."""
    table = report.table
    return table.loc[table["cohort"] == table["cohort"].iloc[0], "count"].tolist()


@pytest.fixture
def visits() -> pd.DataFrame:
    return events_of(none=[], once=[0.5], twice=[1, 1.5, 3], often=[0, 1, 2, 3, 4], late=[9])


def test_users_are_counted_on_at_least_or_exactly_n_days(visits: pd.DataFrame) -> None:
    asked = {"birth": "A", "back": "B", "buckets": 5, "end": "2026-05-20"}
    at_least = tk.frequency(visits, None, **asked)
    assert at_least.table["units"].head(5).tolist() == [1, 2, 3, 4, 5]
    assert first(at_least) == [3, 2, 1, 1, 1]
    exactly = tk.frequency(visits, None, **asked, criteria="exactly")
    assert exactly.table["units"].head(6).tolist() == [0, 1, 2, 3, 4, 5]
    assert first(exactly) == [2, 1, 1, 0, 0, 1]
    assert exactly.users(units=0) == ["late", "none"]
    assert exactly.users(units=2) == ["twice"]
    assert at_least.users(units=2) == ["often", "twice"]
    assert at_least.users(cohort="2026-05-01") == sorted(set(visits["distinct_id"]))


def test_a_week_is_looked_at_unless_another_window_is_asked_for(visits: pd.DataFrame) -> None:
    assert len(first(tk.frequency(visits, None, "A", "B"))) == 7
    assert len(first(tk.frequency(visits, None, "A", "B", unit="week"))) == 4
    assert len(first(tk.frequency(visits, None, "A", "B", unit="month"))) == 3
    brackets = tk.frequency(visits, None, "A", "B", buckets=[(0, 2), (3, 8), (9, 9)])
    assert first(brackets) == [4, 2, 0]


def test_days_of_the_calendar_are_those_of_the_zone() -> None:
    df = events_of(ann=[23 / 24, 25 / 24])
    asked = {"birth": "A", "back": "B", "end": "2026-05-20", "mode": "calendar"}
    assert first(tk.frequency(df, None, **asked))[:2] == [1, 1]
    assert first(tk.frequency(df, None, **asked, tz="Europe/Oslo"))[:2] == [1, 0]


def test_the_average_is_of_cohorts_whose_window_is_over() -> None:
    df = pd.concat(
        [events_of(a=[1], b=[]), events_of(c=[1]).assign(time=lambda df: df["time"] + DAY)]
    )
    asked = {"birth": "A", "back": "B", "buckets": 2}
    report = tk.frequency(df, None, **asked, end="2026-05-03")
    table = report.table.drop_duplicates("cohort")
    assert table["complete"].tolist() == [True, False, False]
    assert report.average["rate"].tolist() == [0.5, 0.0]
    assert "Incomplete, so left out of averages: 2 of 3 cohorts" in report.notes[-1]
    longer = tk.frequency(df, None, **asked, end="2026-05-04")
    assert longer.average["cohorts"].tolist() == [2, 2]
    assert longer.average["rate"][0] == pytest.approx((2 * 1 + 1 * 1) / (2 * 2 + 1 * 1))


@pytest.mark.parametrize("mode", ["rolling", "calendar"])
@pytest.mark.parametrize("criteria", ["at_least", "exactly"])
def test_the_sample_data_counted_in_SQL_give_the_same_cell_by_cell(
    mode: Any, criteria: Any
) -> None:
    files = tk.sample_files()
    profiles = tk.ProfileTable()
    tk.import_csv(profiles, files["profiles"])
    frame = pd.read_parquet(files["events"])
    people = pd.read_csv(files["profiles"], dtype={"distinct_id": "str"})
    report = tk.frequency(
        frame,
        profiles,
        "Add to Cart",
        None,
        mode=mode,
        criteria=criteria,
        by=user["plan"],
        unit="day",
        start="2026-02-01",
        end="2026-05-31",
        buckets=6,
    )
    day = {
        "rolling": "(epoch_us(r.time) - epoch_us(e.born)) // 86400000000",
        "calendar": "date_diff('day', e.cohort, r.time::date)",
    }[mode]
    compared = {"at_least": ">=", "exactly": "="}[criteria]
    naive = frame.assign(time=frame["time"].dt.tz_localize(None))
    with duckdb.connect() as sql:
        sql.register("events", naive)
        sql.register("people", people)
        expected = sql.execute(
            f"""
            with steps as (
                select distinct_id as id, event, time::timestamp as time from events
                where time >= '2026-02-01' and time < '2026-06-01'
            ),
            entries as (
                select id, time::date as cohort, min(time) as born from steps
                where event = 'Add to Cart' group by all
            ),
            visited as (
                select e.id, e.cohort, count(distinct case when {day} < 6 then {day} end) as days
                from entries as e left join steps as r on r.id = e.id and (
                    r.time > e.born or (r.time = e.born and r.event <> 'Add to Cart')
                )
                group by all
            )
            select coalesce(p.plan, '(not set)') as plan, v.cohort, n.units, count(*) as size,
                count(*) filter (v.days {compared} n.units) as users
            from visited as v left join people as p on p.distinct_id = v.id
            cross join (select unnest(range(7)) as units) as n
            group by all
            """
        ).df()
    found = report.table[report.table["size"] > 0]
    keys = zip(
        found["user.plan"], found["cohort"].dt.strftime("%Y-%m-%d"), found["units"], strict=True
    )
    ours = dict(zip(keys, zip(found["size"], found["count"], strict=True), strict=True))
    expected = expected[expected["units"] >= (criteria == "at_least")]
    keys = zip(
        expected["plan"], expected["cohort"].dt.strftime("%Y-%m-%d"), expected["units"], strict=True
    )
    theirs = dict(zip(keys, zip(expected["size"], expected["users"], strict=True), strict=True))
    assert ours == theirs
    assert len(ours) > 1_000
    for row in range(0, len(report.table), 97):
        assert len(report.users(**report.cell(row))) == report.table["count"][row]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"criteria": "most"}, "criteria='most'.*at_least, exactly"),
        ({"unit": "year"}, "unit='year'"),
        ({"buckets": 0}, "buckets=0"),
    ],
)
def test_arguments_it_does_not_know_are_refused(
    visits: pd.DataFrame, arguments: dict[str, Any], said: str
) -> None:
    with pytest.raises(errors.ReportError, match=said):
        tk.frequency(visits, None, "A", **arguments)


def test_cells_that_there_are_not_are_refused(visits: pd.DataFrame) -> None:
    report = tk.frequency(visits, None, "A", "B", by="event", buckets=3)
    for asked, said in (
        ({"units": 4}, "the report has 1 to 3"),
        ({"units": 0}, "the report has 1 to 3"),
        ({"cohort": "2025-01-01"}, "cohort=2025-01-01 is not in the report"),
        ({"segment": "C"}, 'no segment "C"'),
    ):
        with pytest.raises(errors.ReportError, match=said):
            report.users(**asked)
    with pytest.raises(errors.ReportError, match="row=99"):
        report.cell(99)
    with pytest.raises(errors.ReportError, match="top=0"):
        report.plot(top=0)


@pytest.mark.parametrize("df", [events_of(), events_of(a=[]).assign(distinct_id=None)])
@pytest.mark.parametrize("by", [None, "event"])
def test_without_births_nobody_is_counted(df: pd.DataFrame, by: Any) -> None:
    report = tk.frequency(df, None, "A", by=by)
    assert report.is_empty
    assert report.users() == []
    assert report._repr_html_()


def test_a_plot_draws_the_average_share_over_the_number_of_days(visits: pd.DataFrame) -> None:
    asked = {"birth": "A", "back": "B", "buckets": 5, "end": "2026-05-20"}
    ax = tk.frequency(visits, None, **asked).plot()
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), np.array([3, 2, 1, 1, 1]) / 5)
    assert [text.get_text() for text in ax.get_xticklabels()] == ["1+", "2+", "3+", "4+", "5+"]
    assert ax.get_xlabel() == "days with a return, of 5 days"
    assert ax.get_title(loc="left") == "A, then B: users who came back on at least n days"


def test_what_frequency_declares_are_the_parameters_of_its_function() -> None:
    parameters = inspect.signature(tk.frequency).parameters
    declared = {field.name: field for field in DECLARED["Frequency"].fields}
    assert set(declared) == set(parameters) - {"events", "profiles"}
    for name, field in declared.items():
        if not field.is_positional:
            assert field.default == parameters[name].default, name
