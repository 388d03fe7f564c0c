"""Events: which dtypes mean which IDs, times and values, and what stays as it was."""

from __future__ import annotations

import gc
import pickle
import weakref
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import toolkit as tk
from tests.moments import START, later
from toolkit.base import errors
from toolkit.base.times import NO_TIME
from toolkit.base.values import ABSENT
from toolkit.columns import series

ARROW_TEXT = pd.ArrowDtype(pa.string())
NOON = "2026-05-01T12:00:00"
NOON_MICROSECONDS = 1_777_636_800_000_000


def frame(**columns: Any) -> pd.DataFrame:
    return pd.DataFrame(
        {"event": ["View", "Buy"], "distinct_id": ["ann", "bob"], "time": [NOON, NOON], **columns}
    )


def ids_of(values: Any, dtype: Any = None) -> list[str | None]:
    column = pd.Series(values, dtype=dtype)
    coded = series.coded(column)
    texts = coded.texts.to_pylist()
    assert len(set(texts)) == len(texts)
    return [None if code < 0 else texts[code] for code in coded.codes.tolist()]


# -- distinct IDs -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        (["1", "2", "1"], "str"),
        (["1", "2", "1"], object),
        (["1", "2", "1"], "string[python]"),
        (["1", "2", "1"], "category"),
        (["1", "2", "1"], ARROW_TEXT),
        (["1", "2", "1"], pd.ArrowDtype(pa.dictionary(pa.int8(), pa.string()))),
        ([1, 2, 1], "int64"),
        ([1, 2, 1], "uint8"),
        ([1, 2, 1], "Int64"),
        ([1, 2, 1], "category"),
        ([1, 2, 1], object),
        ([1.0, 2.0, 1.0], "float64"),
        ([1.0, 2.0, 1.0], "float32"),
        ([1.0, 2.0, 1.0], "Float64"),
        ([1, 2, 1], pd.ArrowDtype(pa.decimal128(10, 2))),
        ([1, "2", 1.0], object),
        ([Decimal("1.00"), np.int64(2), "1"], object),
    ],
)
def test_JOIN_3_ids_are_the_same_text_in_every_dtype(values: Any, dtype: Any) -> None:
    assert ids_of(values, dtype) == ["1", "2", "1"]


def test_JOIN_3_ids_that_only_look_alike_stay_apart() -> None:
    assert ids_of(["7", "07", " 7", "7.0", "a", "A"]) == ["7", "07", " 7", "7.0", "a", "A"]


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        (["a", "", None], "str"),
        (["a", "", np.nan], object),
        (["a", True, [1]], object),
        (["a", pd.NA, {"b": 1}], object),
        (["a", float("inf"), b"a"], object),
        (["a", "\ud800", None], object),
        (["a", "", None], "category"),
        (["a", "", None], ARROW_TEXT),
    ],
)
def test_what_is_neither_text_nor_a_number_is_no_id(values: Any, dtype: Any) -> None:
    assert ids_of(values, dtype) == ["a", None, None]


def test_large_and_broken_numbers_keep_their_digits_as_ids() -> None:
    assert ids_of([2**63 + 1], "uint64") == ["9223372036854775809"]
    assert ids_of([10**25, "x"], object) == ["1" + 25 * "0", "x"]
    assert ids_of([1.5, -0.0, float("nan"), float("inf")]) == ["1.5", "0", None, None]


def test_true_is_not_taken_for_the_id_1() -> None:
    assert ids_of([True, 1, 1.0], object) == [None, "1", "1"]


def test_unused_categories_are_no_ids() -> None:
    column = pd.Series(["a", "b", "c"], dtype="category")
    assert series.coded(column[:1]).texts.to_pylist() == ["a"]


@pytest.mark.parametrize("role", ["event", "distinct_id"])
@pytest.mark.parametrize("values", [[True, False], pd.to_datetime(["2026-01-01"] * 2)])
def test_a_column_that_cannot_hold_ids_or_names_is_refused_at_once(role: str, values: Any) -> None:
    with pytest.raises(errors.EventsError, match=f'column "{role}" holds .*; text or numbers'):
        tk.Events(frame(**{role: values}))


# -- times --------------------------------------------------------------------------------


def times_of(values: Any, dtype: Any = None) -> list[str | None]:
    read = series.times(pd.Series(values, dtype=dtype)).microseconds.tolist()
    return [None if at == NO_TIME else str(np.datetime64(at, "us")) for at in read]


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        ([NOON, None], "str"),
        ([f" {NOON}Z ", "soon"], "str"),
        (["2026-05-01 14:00+02:00", ""], object),
        (["20260501T120000", "2026-02-30"], object),
        ([NOON, None], "category"),
        ([NOON, None], ARROW_TEXT),
        ([NOON, None], "datetime64[s]"),
        ([NOON, None], "datetime64[ms]"),
        ([NOON, None], "datetime64[us]"),
        ([NOON, None], "datetime64[ns]"),
        ([f"{NOON}Z", None], "datetime64[ns, UTC]"),
        ([NOON, None], pd.ArrowDtype(pa.timestamp("ns"))),
        ([1_777_636_800, 10**17], "int64"),
        ([1_777_636_800_000, -(10**17)], "int64"),
        ([1_777_636_800.0, float("nan")], "float64"),
        ([1_777_636_800, None], "Int64"),
        ([1_777_636_800, None], pd.ArrowDtype(pa.int64())),
        ([datetime(2026, 5, 1, 12, tzinfo=UTC), True], object),
        ([pd.Timestamp(NOON, tz="UTC"), pd.NaT], object),
        ([np.datetime64(NOON), [1]], object),
        ([1_777_636_800, "9999-12-31T23:00-10:00"], object),
    ],
)
def test_times_of_every_form_are_the_same_moment(values: Any, dtype: Any) -> None:
    assert times_of(values, dtype) == ["2026-05-01T12:00:00.000000", None]


def test_times_of_a_zone_are_turned_to_utc() -> None:
    local = pd.Series(pd.to_datetime([NOON])).dt.tz_localize("Europe/Oslo")
    assert times_of(local) == ["2026-05-01T10:00:00.000000"]


def test_fractions_of_seconds_are_kept_to_the_microsecond_before_1970_too() -> None:
    assert times_of([START + 0.5, START + 0.000001]) == [
        "2026-01-01T00:00:00.500000",
        "2026-01-01T00:00:00.000001",
    ]
    nanoseconds = np.array([-1, 1_500], "datetime64[ns]")
    assert times_of(nanoseconds) == ["1969-12-31T23:59:59.999999", "1970-01-01T00:00:00.000001"]


@pytest.mark.parametrize(
    ("values", "naive"),
    [
        ([NOON], True),
        (["2026-05-01"], True),
        ([f"{NOON}Z"], False),
        ([f"{NOON}+0200"], False),
        ([f"{NOON}Z", "2026-05-01"], True),
        ([1_777_636_800], False),
        (pd.to_datetime([NOON]), True),
        (pd.to_datetime([NOON], utc=True), False),
        ([datetime(2026, 5, 1), 5], True),
        ([date(2026, 5, 1), 5], True),
        ([f"{NOON}Z", 5], False),
        ([f"{NOON}Z", "soon"], False),
    ],
)
def test_it_is_said_when_a_time_named_no_zone(values: Any, naive: bool) -> None:
    column = pd.Series(values, dtype=object) if isinstance(values, list) else pd.Series(values)
    events = tk.Events(
        pd.DataFrame({"event": "View", "distinct_id": "a", "time": column}, index=column.index)
    )
    assert ("Times without a time zone are read as UTC." in events.notes) is naive


@pytest.mark.parametrize(
    "values", [[True, False], pd.to_timedelta([1, 2]), pd.period_range("2026", periods=2)]
)
def test_a_column_that_cannot_hold_times_is_refused_at_once(values: Any) -> None:
    with pytest.raises(errors.EventsError, match=r'column "time" holds .*unix seconds'):
        tk.Events(frame(time=values))


def test_events_without_a_readable_time_are_counted_and_stay_in_the_frame() -> None:
    events = tk.Events(frame(time=["soon", f"{NOON}Z"]))
    assert events.notes == ["1 of 2 times cannot be read (the first: 'soon'): left out of reports."]
    assert events.is_counted.tolist() == [False, True]
    assert len(events) == len(events.frame) == 2


# -- properties ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "dtype", "cells"),
    [
        (["a", None], "str", ["a", ABSENT]),
        (["a", None], "category", ["a", ABSENT]),
        ([1, 2], "int8", [1, 2]),
        ([1, None], "Int64", [1, ABSENT]),
        ([2**64 - 1, 0], "uint64", [2**64 - 1, 0]),
        ([1.5, float("nan")], "float64", [1.5, ABSENT]),
        ([1.5, float("-inf")], "float64", [1.5, ABSENT]),
        ([True, None], "boolean", [True, ABSENT]),
        ([True, False], "bool", [True, False]),
        ([Decimal("1.5"), None], pd.ArrowDtype(pa.decimal128(5, 2)), [1.5, ABSENT]),
        ([Decimal("1.5"), float("inf")], object, [1.5, ABSENT]),
        ([[1, "a"], {"b": None}], object, [[1, "a"], {"b": None}]),
        ([[1], None], pd.ArrowDtype(pa.list_(pa.int64())), [[1], ABSENT]),
        ([NOON, None], "datetime64[ns]", ["2026-05-01T12:00:00Z", ABSENT]),
        ([datetime(2026, 5, 1, 12), 1], object, ["2026-05-01T12:00:00Z", 1]),
        ([date(2026, 5, 1), None], object, ["2026-05-01", ABSENT]),
        ([date(2026, 5, 1), None], pd.ArrowDtype(pa.date32()), ["2026-05-01", ABSENT]),
        (pd.to_timedelta([90, None], unit="s"), None, [90.0, ABSENT]),
        ([1, {2, 3}], object, [1, ABSENT]),
        ([None, None], object, [ABSENT, ABSENT]),
    ],
)
@pytest.mark.filterwarnings("ignore::toolkit.errors.InvalidCellsWarning")
def test_event_properties_are_json_whatever_their_dtype(
    values: Any, dtype: Any, cells: list[Any]
) -> None:
    column = tk.Events(frame(x=pd.Series(values, dtype=dtype))).column("x")
    assert repr(column.cells()) == repr(cells)


def test_the_three_columns_are_properties_too_in_their_normal_form() -> None:
    events = tk.Events(frame(distinct_id=[7, 8], time=[f"{NOON}+02:00", "soon"]))
    assert events.column("distinct_id").cells() == ["7", "8"]
    assert events.column("time").cells() == ["2026-05-01T10:00:00Z", ABSENT]
    assert events.column("event").cells() == ["View", "Buy"]


# -- the frame ----------------------------------------------------------------------------


def test_the_columns_may_have_other_names() -> None:
    df = pd.DataFrame({"what": ["View"], "who": ["ann"], "when": [NOON], "item": ["tent"]})
    events = tk.Events(df, event="what", distinct_id="who", time="when")
    assert events.names == ("View",)
    assert events.ids.texts.to_pylist() == ["ann"]
    assert events.times.tolist() == [NOON_MICROSECONDS]
    assert events.properties == ("item",)


def test_a_missing_column_is_named_beside_those_there_are() -> None:
    df = frame().rename(columns={"distinct_id": "user_id"})
    with pytest.raises(errors.EventsError) as caught:
        tk.Events(df)
    assert str(caught.value) == (
        'no column "distinct_id" for distinct_id; the columns are event, user_id, time. '
        'Name the right one: Events(df, distinct_id="…")'
    )


def test_a_missing_property_is_named_beside_the_columns_there_are() -> None:
    with pytest.raises(errors.EventsError, match=r'no column "itme".*event, distinct_id, time'):
        tk.Events(frame()).column("itme")


def test_two_columns_of_one_name_are_refused() -> None:
    df = frame(x=1)
    df.columns = pd.Index(["event", "distinct_id", "time", "time"])
    with pytest.raises(errors.EventsError, match='2 columns are named "time"'):
        tk.Events(df)


def test_columns_of_several_levels_are_refused() -> None:
    df = frame()
    df.columns = pd.MultiIndex.from_tuples([("a", name) for name in df.columns])
    with pytest.raises(errors.EventsError, match="several levels"):
        tk.Events(df)


def test_what_is_no_dataframe_is_refused() -> None:
    with pytest.raises(errors.EventsError, match="not list"):
        tk.Events([{"event": "View"}])  # type: ignore[arg-type]


def test_changing_the_dataframe_later_does_not_reach_the_events() -> None:
    df = frame()
    events = tk.Events(df)
    df.loc[0, "distinct_id"] = "zoe"
    df["event"] = "Changed"
    assert events.ids.texts.to_pylist() == ["ann", "bob"]
    assert events.names == ("Buy", "View")


def test_changing_the_frame_handed_out_does_not_reach_the_events() -> None:
    events = tk.Events(frame())
    handed_out = events.frame
    handed_out.loc[0, "event"] = "Changed"
    assert events.frame["event"].tolist() == ["View", "Buy"]


@pytest.mark.parametrize("name", ["$bucket", "bucket"])
def test_events_with_a_bucket_are_hidden_from_reports_and_counted(name: str) -> None:
    events = tk.Events(frame(**{name: [None, 0]}))
    assert events.is_counted.tolist() == [True, False]
    assert any(note.startswith("Hidden") and "1 event." in note for note in events.notes)
    assert name not in events.properties


def test_first_times_are_those_of_counted_events() -> None:
    events = tk.Events(
        pd.DataFrame(
            {
                "event": "View",
                "distinct_id": ["ann", "ann", "ann", "bob", None],
                "time": [START + 3, START + 2, START + 1, START + 4, START],
                "$bucket": [None, None, 1, 1, None],
            }
        )
    )
    assert events.first_times.tolist() == [(START + 2) * 1_000_000, NO_TIME]


def test_no_events_are_events_too() -> None:
    for df in (frame().iloc[:0], pd.DataFrame(columns=["event", "distinct_id", "time"])):
        events = tk.Events(df)
        assert (len(events), events.names, len(events.ids.texts), events.notes) == (0, (), 0, [])
        assert repr(events) == "Events: 0 events of 0 distinct IDs, 0 names"
        assert events._repr_html_()


def test_the_row_of_each_id_is_kept_while_only_properties_change() -> None:
    profiles = tk.ProfileTable()
    profiles.set("bob", {"plan": "pro"})
    events = tk.Events(frame())
    rows = events.rows(profiles.snapshot())
    assert rows.tolist() == [-1, 0]
    profiles.set("bob", {"plan": "free"})
    assert events.rows(profiles.snapshot()).tolist() == [-1, 0]
    profiles.set("ann", {})
    assert events.rows(profiles.snapshot()).tolist() == [1, 0]
    profiles.delete("bob")
    assert events.rows(profiles.snapshot()).tolist() == [0, -1]


def test_events_do_not_keep_old_profiles_alive() -> None:
    profiles = tk.ProfileTable()
    events = tk.Events(frame())
    profiles.set("bob", {"plan": "pro"})
    snapshot = profiles.snapshot()
    events.rows(snapshot)
    old_ids = weakref.ref(snapshot.ids)
    profiles.set("ann", {})
    del snapshot
    assert events.rows(profiles.snapshot()).tolist() == [1, 0]
    gc.collect()
    assert old_ids() is None


def test_the_repr_says_what_there_is() -> None:
    assert repr(tk.Events(frame())) == (
        "Events: 2 events of 2 distinct IDs, 2026-05-01 to 2026-05-01, 2 names (Buy, View)"
    )


def test_event_names_are_escaped_in_html() -> None:
    shown = tk.Events(frame(event=["<script>alert(1)</script>", "Buy"]))._repr_html_()
    assert "<script" not in shown
    assert "&lt;script&gt;" in shown


def test_a_UUID_is_its_text_as_an_ID() -> None:
    given = UUID("28ce48ab-e376-44ab-af13-d6151fb67a18")
    assert ids_of([given, str(given), None], object) == [str(given), str(given), None]
    assert tk.Events(frame(distinct_id=[given, given])).without_id == ""


def test_events_without_an_ID_are_counted_with_the_reason() -> None:
    class Point:
        pass

    df = pd.DataFrame({"event": "Buy", "distinct_id": ["a", "", None, Point(), Point(), True]})
    events = tk.Events(df.assign(time=f"{NOON}Z"))

    assert events.without_id == (
        "5 events without a distinct ID (1 missing, 2 of type Point, 1 empty, 1 of type bool)"
    )
    assert repr(events).endswith(f"; {events.without_id}")
    assert events.notes == [f"{events.without_id}."]
    assert "2 of type Point" in events._repr_html_()


@pytest.mark.parametrize(
    ("values", "dtype", "why"),
    [
        ([1.5, None], "float64", "1 missing"),
        ([float("inf"), 1.0], "float64", "1 infinite"),
        (["", "a"], "str", "1 empty"),
        ([None, "", "a"], "category", "1 missing, 1 empty"),
        (["\ud800", "a"], object, "1 with half a surrogate pair"),
        ([b"a", [1]], object, "1 of type bytes, 1 of type list"),
    ],
)
def test_why_a_cell_is_no_ID(values: Any, dtype: Any, why: str) -> None:
    column = pd.Series(values, dtype=dtype)
    assert series.why_no_code(column, series.coded(column).codes) == why


def test_times_that_cannot_be_read_are_said_in_the_repr_and_the_card() -> None:
    unreadable = tk.Events(frame(time=["01.05.2026", f"{NOON}Z"]))
    said = "1 of 2 times cannot be read (the first: '01.05.2026')"
    assert said in repr(unreadable)
    assert said.replace("'", "&#x27;") in unreadable._repr_html_()
    missing = tk.Events(frame(time=[None, f"{NOON}Z"]))
    assert repr(missing).endswith("; 1 of 2 times is missing")


def test_a_property_that_is_nearly_named_is_asked_for() -> None:
    with pytest.raises(errors.EventsError, match='Did you mean "amount"'):
        tk.Events(frame(amount=1)).column("amonut")


# -- one user after the other -------------------------------------------------------------


def log(*rows: tuple[Any, ...]) -> pd.DataFrame:
    frame = pd.DataFrame(list(rows), columns=["event", "distinct_id", "time"], dtype=object)
    return frame.assign(time=frame["time"].map(later))


def test_timelines_hold_each_user_by_time_and_equal_times_by_row() -> None:
    df = log(
        ("View", "b", 5), ("View", "a", 9), ("View", "b", 1), ("View", "a", 9), ("View", None, 1)
    )
    timelines = tk.Events(df).timelines
    assert timelines.rows.tolist() == [2, 0, 1, 3]
    assert timelines.ids.tolist() == [0, 0, 1, 1]
    assert timelines.times.tolist() == [later(after) * 1_000_000 for after in (1, 5, 9, 9)]
    assert timelines.names.tolist() == [0, 0, 0, 0]
    assert timelines.bounds.tolist() == [0, 2, 4]


def test_timelines_leave_out_what_no_report_counts() -> None:
    df = log(("View", "a", 5), ("View", "a", None), ("View", "a", 1))
    df["$bucket"] = [1, None, None]
    assert tk.Events(df).timelines.rows.tolist() == [2]
    assert len(tk.Events(df.iloc[:0]).timelines.rows) == 0


def test_timelines_of_many_users_are_those_of_a_plain_sort() -> None:
    draw = np.random.default_rng(3)
    df = pd.DataFrame(
        {
            "event": "View",
            "distinct_id": draw.permutation(np.repeat(np.arange(70_000), 2)),
            "time": START + draw.integers(0, 50, 140_000),
        }
    )
    events = tk.Events(df)
    plain = np.lexsort((events.times, events.ids.codes))
    assert (events.timelines.rows == plain).all()


# the events of one user


def test_the_rows_of_a_user_are_its_counted_events_oldest_first() -> None:
    data = pd.DataFrame(
        {
            "event": "View",
            "distinct_id": ["a", 7, None, "a", "a", "a", 7.0],
            "time": pd.Series([300, 100, 100, 200, None, 100, 50]) + START,
            "$bucket": [None, None, None, None, None, "x", None],
        }
    )
    events = tk.Events(data)
    assert events.rows_of("a").tolist() == [3, 0]
    assert events.rows_of(7).tolist() == [6, 1]
    assert events.rows_of("nobody").tolist() == []
    assert tk.Events(data.iloc[:0]).rows_of("a").tolist() == []


def test_events_at_the_same_time_stay_in_their_order() -> None:
    data = pd.DataFrame({"event": list("abc"), "distinct_id": "7", "time": START})
    assert tk.Events(data).rows_of("7").tolist() == [0, 1, 2]


@pytest.mark.parametrize("grain", [1, 1_000, 1_000_000, 86_400_000_000])
@pytest.mark.parametrize("users", [1, 3, 1_000])
def test_timelines_are_sorted_by_user_and_time_and_stay_where_both_are_equal(
    grain: int, users: int
) -> None:
    draw = np.random.default_rng(grain + users)
    moments = draw.integers(-50, 50, 2_000) * grain
    ids = pd.Series(draw.integers(0, users, 2_000).astype("str"))
    ids[draw.random(2_000) < 0.1] = None
    at = pd.Series(moments.view("M8[us]"))
    at[draw.random(2_000) < 0.1] = pd.NaT
    # Of far times and a fine grain no number could hold both user and time.
    at[0], at[1] = pd.Timestamp("1677-12-31 00:00:00.000001"), pd.Timestamp("2261-12-31")
    events = tk.Events(pd.DataFrame({"event": "View", "distinct_id": ids, "time": at}))
    for some in (events, tk.Events(events.frame.iloc[2:])):
        expected = np.lexsort((some.times, some.ids.codes))
        expected = expected[(some.is_counted & (some.ids.codes >= 0))[expected]]
        np.testing.assert_array_equal(some.timelines.rows, expected)
    assert tk.Events(events.frame.iloc[:0]).timelines.rows.tolist() == []


@pytest.mark.parametrize(
    ("condition", "counted"),
    [
        ('event["time"] >= datetime("2026-05-02")', 1),
        ('event["time"] >= "2026-05-02"', 1),
        ('event["when"] >= "2026-05-02"', 1),
        ('event["event"] == "View"', 1),
        ('event["distinct_id"] == "7"', 2),
    ],
)
def test_the_roles_of_columns_are_names_too_where_they_are_called_otherwise(
    condition: str, counted: int
) -> None:
    data = {"what": ["View", "Buy"], "who": [7, 7], "when": ["2026-05-01", "2026-05-02"]}
    events = tk.Events(pd.DataFrame(data), event="what", distinct_id="who", time="when")
    report = tk.segmentation(events, None, None, unit=None, where=condition)
    assert report.table["count"].tolist() == [counted]
    # A column of that name is that column.
    named = tk.Events(pd.DataFrame({**data, "time": [1, 2]}), "what", "who", "when")
    assert tk.segmentation(named, None, None, unit=None, where='event["time"] == 2').table[
        "count"
    ].tolist() == [1]


def test_events_that_were_joined_can_be_pickled() -> None:
    profiles = tk.ProfileTable()
    profiles.set("ann", {"plan": "pro"})
    events = tk.Events(frame())
    joined = tk.join(events, profiles)
    other = pickle.loads(pickle.dumps(events))
    assert tk.join(other, profiles).equals(joined)
