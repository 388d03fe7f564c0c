"""Several breakdowns at once: every report takes them, and each combination is a segment."""

from __future__ import annotations

import inspect
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
import pytest

import toolkit as tk
from toolkit import event, user
from toolkit.base import errors
from toolkit.columns.column import Column
from toolkit.reports.question.segments import Segments

TIMES = pd.date_range("2026-05-01", periods=6, freq="h", tz="UTC")


@pytest.fixture
def shop() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "event": ["View", "View", "Buy", "View", "Buy", "View"],
            "distinct_id": ["ann", "bob", "ann", "cem", "cem", "eve"],
            "time": TIMES,
            "item": ["hat", "hat", ["hat", "sock"], "sock", None, "hat"],
        }
    )


@pytest.fixture
def profiles() -> tk.ProfileTable:
    table = tk.ProfileTable()
    table.set("ann", {"plan": "pro", "tags": ["x", "y"]})
    table.set("bob", {"plan": "free", "tags": ["y"]})
    table.set("cem", {"plan": "pro", "tags": []})
    return table


def rows(table: pd.DataFrame) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in table.itertuples(index=False)]


def test_each_combination_that_occurs_is_a_segment(
    shop: pd.DataFrame, profiles: tk.ProfileTable
) -> None:
    report = tk.segmentation(shop, profiles, None, by=[user["plan"], "item"], unit=None)

    # pro: hat of ann's view and of her purchase, sock of that and of cem's view.
    assert list(report.table.columns) == ["user.plan", "event.item", "count"]
    assert rows(report.table) == [
        ("pro", "hat", 2),
        ("pro", "sock", 2),
        ("pro", "(not set)", 1),
        ("free", "hat", 1),
        ("(not set)", "hat", 1),
    ]


def test_the_first_breakdown_counts_most_in_the_order(
    shop: pd.DataFrame, profiles: tk.ProfileTable
) -> None:
    report = tk.segmentation(shop, profiles, None, by=["item", user["plan"]], unit=None)

    assert rows(report.table) == [
        ("hat", "pro", 2),
        ("hat", "free", 1),
        ("hat", "(not set)", 1),
        ("sock", "pro", 2),
        ("(not set)", "pro", 1),
    ]


def test_two_lists_give_each_element_of_one_with_each_of_the_other(
    shop: pd.DataFrame, profiles: tk.ProfileTable
) -> None:
    report = tk.segmentation(shop, profiles, "Buy", by=[user["tags"], "item"], unit=None)

    assert set(rows(report.table)) == {
        *((tag, item, 1) for tag, item in product(["x", "y"], ["hat", "sock"])),
        ("(empty list)", "(not set)", 1),
    }


def test_users_and_cells_name_what_a_segment_is_by_each_breakdown(
    shop: pd.DataFrame, profiles: tk.ProfileTable
) -> None:
    report = tk.segmentation(shop, profiles, None, by=[user["plan"], "item"], measure="unique")

    assert report.users(segment=("pro", "sock")) == ["ann", "cem"]
    assert report.users(segment=("pro", None)) == ["cem"]
    for row in range(len(report.table)):
        assert len(report.users(**report.cell(row))) == report.table["count"].iloc[row]


@pytest.mark.parametrize(
    ("segment", "said"),
    [
        (
            "pro",
            r"a tuple with a value for each of user\.plan, event\.item, such as \('pro', 'hat'\)",
        ),
        (("pro", "hut"), 'no segment "hut".* Did you mean "hat"'),
        (("free", "sock"), 'no segment has all of "free", "sock"'),
    ],
)
def test_a_segment_that_is_not_there_is_refused_with_what_is(
    shop: pd.DataFrame, profiles: tk.ProfileTable, segment: Any, said: str
) -> None:
    report = tk.segmentation(shop, profiles, None, by=[user["plan"], "item"])

    with pytest.raises(errors.ReportError, match=said):
        report.users(segment=segment)


def test_a_funnel_is_broken_down_by_a_user_and_an_event_property(
    shop: pd.DataFrame, profiles: tk.ProfileTable
) -> None:
    report = tk.funnel(shop, profiles, ["View", "Buy"], by=[user["plan"], "item"])

    counts = report.table.pivot(index=["user.plan", "event.item"], columns="step", values="count")
    # The first defined item is that of the view.
    assert counts.loc[("pro", "hat")].tolist() == [1, 1]
    assert counts.loc[("pro", "sock")].tolist() == [1, 1]
    assert counts.loc[("free", "hat")].tolist() == [1, 0]
    assert report.users(segment=("pro", "sock"), step=2) == ["cem"]
    assert {"user.plan", "event.item"} <= set(report.summary.columns)


@pytest.mark.parametrize("at", ["latest", "event time"])
def test_every_report_takes_several_breakdowns(
    shop: pd.DataFrame, profiles: tk.ProfileTable, at: Any
) -> None:
    by = [user["plan"], "item"]
    reports = [
        tk.segmentation(shop, profiles, None, by=by, measure="unique", at=at),
        tk.funnel(shop, profiles, ["View", "Buy"], by=by, at=at),
        tk.retention(shop, profiles, birth="View", by=by, at=at),
        tk.frequency(shop, profiles, birth="View", by=by, at=at),
        tk.lifecycle(shop, profiles, by=by, unit="hour", at=at),
    ]

    for report in reports:
        assert list(report.table.columns[:2]) == ["user.plan", "event.item"]
        assert report.plot() is not None
        assert len(report.table)
        for row in range(0, len(report.table), 3):
            assert isinstance(report.cell(row)["segment"], tuple)
            report.users(**report.cell(row))


def test_crossing_agrees_with_going_row_by_row() -> None:
    random = np.random.default_rng(7)
    size = 400
    first = [
        random.choice(["a", "b", "c"], random.integers(0, 4)).tolist() or None for _ in range(size)
    ]
    second = random.choice(["u", "v", "w"], size).tolist()
    third = random.integers(0, 3, size).tolist()
    columns = [Column.of(first), Column.of(second), Column.of(third)]

    crossed = Segments.crossed([Segments.of(column) for column in columns])

    found = set()
    levels = crossed.values.levels(np.arange(len(crossed)))
    owners = crossed.owners
    assert owners is not None
    for owner, code in zip(owners.tolist(), crossed.codes.tolist(), strict=True):
        found.add((owner, *(level.labels[code] for level in levels)))
    wanted = {
        (row, one, second[row], str(third[row]))
        for row in range(size)
        for one in (first[row] or ["(not set)"])
    }
    assert found == wanted
    assert len(found) == len(crossed.codes)


def test_names_that_would_read_alike_are_told_apart_in_a_legend() -> None:
    frame = pd.DataFrame(
        {
            "event": "View",
            "distinct_id": ["1", "2"],
            "time": TIMES[:2],
            "a": ["x, y", "x"],
            "b": ["z", "y, z"],
        }
    )

    axes = tk.segmentation(frame, None, "View", by=["a", "b"]).plot()

    legend = axes.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ['"x", "y, z"', '"x, y", "z"']


def test_the_largest_segments_are_drawn_wherever_they_stand_in_the_table(
    profiles: tk.ProfileTable,
) -> None:
    sizes = {("a", "x"): 9, ("a", "y"): 1, ("b", "x"): 5, ("b", "y"): 3}
    rows = [pair for pair, size in sizes.items() for _ in range(size)]
    frame = pd.DataFrame(rows, columns=["a", "b"]).assign(
        event="View", distinct_id="1", time=TIMES[0]
    )
    report = tk.segmentation(frame, None, "View", by=["a", "b"], measure="total")

    legend = report.plot(top=2).get_legend()

    assert legend is not None
    drawn = [text.get_text() for text in legend.get_texts()]
    assert drawn == ["a, x", "b, x", "other (2 segments)"]


# -- bare names ---------------------------------------------------------------------------

BARE = {
    "flows": lambda of: tk.flows(SALES, BUYERS, "Buy", by=of("plan"), expand=of("plan")),
    "frequency": lambda of: tk.frequency(SALES, BUYERS, "Buy", by=of("plan")),
    "funnel": lambda of: tk.funnel(SALES, BUYERS, ["Buy", "Buy"], by=of("plan"), hold=of("plan")),
    "lifecycle": lambda of: tk.lifecycle(SALES, BUYERS, "Buy", by=of("plan")),
    "profile_report": lambda of: tk.profile_report(
        BUYERS, events=SALES, by=[of("plan")], measure="sum", of=of("age")
    ),
    "retention": lambda of: tk.retention(
        SALES, BUYERS, "Buy", by=[of("plan")], measure="sum", of=of("age")
    ),
    "segmentation": lambda of: tk.segmentation(
        SALES, BUYERS, "Buy", by=of("plan"), measure="sum", of=of("age")
    ),
}
SALES = pd.DataFrame(
    {
        "event": ["Buy", "Buy"],
        "distinct_id": ["ann", "bob"],
        "time": ["2026-05-01T00:00Z", "2026-05-02T00:00Z"],
        "plan": ["old", "older"],
        "age": [1, 2],
    }
)
BUYERS = tk.ProfileTable()
BUYERS.set("ann", {"plan": "pro", "age": 30})


@pytest.mark.parametrize("name", BARE)
def test_a_bare_name_is_of_the_event_where_there_are_events_and_else_of_the_user(name: str) -> None:
    side = user if name == "profile_report" else event
    bare, spelled = BARE[name](str), BARE[name](lambda each: side[each])
    assert bare.definition == spelled.definition
    pd.testing.assert_frame_equal(bare.table, spelled.table)
    assert bare.table.columns[0] == f"{'user' if side is user else 'event'}.plan"


def test_every_report_with_a_breakdown_is_tried_with_a_bare_name() -> None:
    reports = [name for name in dir(tk) if inspect.isfunction(getattr(tk, name))]
    takes_by = {name for name in reports if {"by", "tz"} <= {*signature_of(name)}}
    assert takes_by == set(BARE)


def signature_of(name: str) -> Any:
    return inspect.signature(getattr(tk, name)).parameters
