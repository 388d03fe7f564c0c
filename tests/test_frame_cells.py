"""CELL-1, CELL-2: what a cell of a DataFrame is in JSON, and what a Python object is elsewhere."""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings, strategies as st

import toolkit as tk
from tests.effort import examples
from tests.strategies import values
from toolkit.base.errors import InvalidCellsWarning
from toolkit.base.values import ABSENT
from toolkit.columns.column import objects
from toolkit.columns.series import cells

NAN = float("nan")


class Unspeakable:
    """An object of which nothing can be said."""

    def __repr__(self) -> str:
        raise ZeroDivisionError

    __str__ = __repr__


#: Cells, and the JSON they are.
TAKEN: list[tuple[Any, Any]] = [
    ([1.0, NAN], [1.0, None]),
    ((1, pd.NA, pd.NaT, None), [1, None, None, None]),
    (np.array([1.0, NAN]), [1.0, None]),
    (np.array([[1, 2], [3, 4]]), [[1, 2], [3, 4]]),
    (np.array([np.array([1, 2]), None, "a"], object), [[1, 2], None, "a"]),
    (np.array([]), []),
    (np.array(5), 5),
    (np.array(["2026-01-01", "NaT"], "M8[ns]"), ["2026-01-01T00:00:00Z", None]),
    (np.array([90], "m8[s]"), [90.0]),
    (np.ma.array([1, 2], mask=[False, True]), [1, None]),
    (pd.Series([1, NAN]), [1.0, None]),
    (pd.array([1, None], "Int64"), [1, None]),
    ({"a": NAN, "b": {"c": [np.int8(1), np.float32(0.5)]}}, {"a": None, "b": {"c": [1, 0.5]}}),
    ([np.True_, np.str_("x")], [True, "x"]),
    (np.int64(3), 3),
    (np.datetime64("2026-01-01T12"), "2026-01-01T12:00:00Z"),
    (datetime(2026, 1, 1), "2026-01-01T00:00:00Z"),
    ([datetime(2026, 1, 1), date(2026, 1, 2)], ["2026-01-01T00:00:00Z", "2026-01-02"]),
    (time(1, 2), "01:02:00"),
    (timedelta(days=1), 86_400.0),
    ([np.timedelta64(90, "s")], [90.0]),
    (Decimal("1.5"), 1.5),
    (Decimal("19.90"), 19.9),
    (Decimal("3.00"), 3.0),
    (Decimal("9007199254740993"), 9007199254740993),
    (Decimal("-9007199254740993.00"), -9007199254740993),
    (Decimal("1e999"), 10**999),
    ([Decimal(2**70)], [2**70]),
    ([Decimal("NaN")], [None]),
    (pd.Period("2026-01"), "2026-01"),
    (pd.Interval(0, 1), "(0, 1]"),
    (UUID(int=5), "00000000-0000-0000-0000-000000000005"),
]

#: Cells that are no JSON, and a word of the reason.
REFUSED: list[tuple[Any, str]] = [
    ({1, 2}, "set"),
    (frozenset([1]), "frozenset"),
    (b"x", "bytes"),
    ([b"x"], "bytes"),
    (1j, "complex"),
    ({1: 2}, "keys are text"),
    ([{"a": {None: 1}}], "keys are text"),
    (object(), "object"),
    (range(3), "range"),
    (pd.DataFrame({"a": [1]}), "DataFrame"),
    (float("inf"), "infinity"),
    ([float("-inf")], "in it, an infinity is not a JSON number"),
    (np.array([np.inf]), "infinity"),
    (Decimal("Infinity"), "infinity"),
    (Decimal("1e4300"), "digits"),
    (Decimal("0.1234567890123456789"), "more digits than a float keeps"),
    ([Decimal("9007199254740993.5")], "more digits than a float keeps"),
    (["\ud800"], "surrogate"),
    ({"\ud800": 1}, "surrogate"),
    (10**5000, "digits"),
    ([10**5000], "digits"),
    ({10**5000: 1}, "keys are text"),
    (Unspeakable(), "Unspeakable"),
    (np.array([1 + 1j]), "complex"),
    (pd.array([b"x"], pd.ArrowDtype(pa.binary())), "bytes"),
]


def one_column(*given_cells: Any) -> pd.DataFrame:
    ids = [str(at) for at in range(len(given_cells))]
    return pd.DataFrame(
        {"distinct_id": ids, "x": pd.Series(objects(list(given_cells)), dtype=object)}
    )


@pytest.mark.parametrize(("cell", "expected"), TAKEN, ids=range(len(TAKEN)))
def test_CELL_1_a_cell_is_the_JSON_it_stands_for_at_every_door(cell: Any, expected: Any) -> None:
    frame = one_column(cell, "text")
    by_import, by_set = tk.ProfileTable(), tk.ProfileTable()
    assert tk.import_frame(by_import, frame).rejected.empty
    assert len(by_set.set(frame).rejected) == 0
    events = tk.Events(frame.assign(event="View", time="2026-01-01"))
    for found in (by_import["0"]["x"], by_set["0"]["x"], events.column("x").cells()[0]):
        assert json.dumps(found) == json.dumps(expected)
    # What is stored is what was given: nothing differs the next time.
    assert by_set.set(frame).unchanged == 2


@pytest.mark.parametrize(("cell", "word"), REFUSED, ids=range(len(REFUSED)))
def test_CELL_1_what_is_no_JSON_is_left_out_with_its_row_and_column(cell: Any, word: str) -> None:
    frame = one_column("text", cell, [1])
    for door in (by_import, by_set, by_set_that_unsets):
        profiles = tk.ProfileTable()
        profiles.set("1", {"x": "stored"})
        [(key, name, reason)] = door(profiles, frame)
        assert (key, name) == ("1", "x")
        assert "row 1" in reason
        assert word in reason
        assert profiles["0"] == {"x": "text"}
        assert profiles["1"] == {"x": "stored"}
        assert profiles["2"] == {"x": [1]}
    events = tk.Events(frame.assign(event="View", time="2026-01-01"))
    if word == "infinity" and isinstance(cell, float | Decimal):
        assert events.column("x").cells() == ["text", ABSENT, [1]]
        return
    with pytest.warns(InvalidCellsWarning, match=rf'1 cell of "x".*row 1.*{word}'):
        assert events.column("x").cells() == ["text", ABSENT, [1]]
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # said once
        events.column("x")


def by_import(profiles: tk.ProfileTable, frame: pd.DataFrame) -> list[tuple[str, ...]]:
    return [tuple(row) for row in tk.import_frame(profiles, frame).rejected.to_numpy().tolist()]


def by_set(profiles: tk.ProfileTable, frame: pd.DataFrame) -> list[tuple[str, ...]]:
    return [tuple(row) for row in profiles.set(frame).rejected.to_numpy().tolist()]


def by_set_that_unsets(profiles: tk.ProfileTable, frame: pd.DataFrame) -> list[tuple[str, ...]]:
    report = profiles.set(frame, missing="unset")
    return [tuple(row) for row in report.rejected.to_numpy().tolist()]


@pytest.mark.parametrize(
    ("dtype", "given_cells", "expected"),
    [
        (pa.list_(pa.float64()), [[1.0, None], [NAN], None], [[1.0, None], [None], ABSENT]),
        (pa.list_(pa.list_(pa.int8())), [[[1], None]], [[[1], None]]),
        (pa.large_list(pa.string()), [["a", None]], [["a", None]]),
        (pa.list_(pa.int64(), 2), [[1, 2]], [[1, 2]]),
        (
            pa.struct([("a", pa.int64())]),
            [{"a": 1}, {"a": None}, None],
            [{"a": 1}, {"a": None}, ABSENT],
        ),
        (pa.map_(pa.string(), pa.int64()), [[("k", 1)], None], [{"k": 1}, ABSENT]),
        (pa.list_(pa.timestamp("ns")), [[datetime(2026, 1, 1)]], [["2026-01-01T00:00:00Z"]]),
        (pa.list_(pa.decimal128(5, 2)), [[Decimal("1.50")]], [[1.5]]),
        (pa.decimal128(5, 2), [Decimal("1.50"), None], [1.5, ABSENT]),
        (
            pa.decimal128(38, 2),
            [Decimal("1.50"), Decimal(2**53 + 1), None],
            [1.5, 2**53 + 1, ABSENT],
        ),
        (pa.decimal128(38, 20), [Decimal("1.50"), None], [1.5, ABSENT]),
        (pa.decimal256(60, 0), [Decimal(2**100), Decimal(3)], [2**100, 3.0]),
        (pa.duration("s"), [timedelta(seconds=5), None], [5.0, ABSENT]),
        (pa.time64("us"), [time(1, 2), None], ["01:02:00", ABSENT]),
        (pa.uint64(), [2**64 - 1], [2**64 - 1]),
    ],
)
def test_CELL_1_the_types_of_Arrow_are_read(dtype: Any, given_cells: Any, expected: Any) -> None:
    found = cells(pd.Series(given_cells, dtype=pd.ArrowDtype(dtype)))
    assert repr(found.column.cells()) == repr(expected)
    assert found.refused == []


@pytest.mark.parametrize(
    ("dtype", "given_cells", "word"),
    [
        (pa.binary(), [b"x"], "bytes"),
        (pa.decimal128(38, 20), [Decimal("0.12345678901234567891")], "more digits"),
        (pa.list_(pa.binary()), [[b"x"]], "bytes"),
        (pa.map_(pa.int64(), pa.int64()), [[(1, 1)]], "keys are text"),
        (pa.map_(pa.string(), pa.int64()), [[("k", 1), ("k", 2)]], "a key twice"),
        (pa.list_(pa.float64()), [[float("inf")]], "infinity"),
    ],
)
def test_CELL_1_of_Arrow_what_is_no_JSON_is_refused(
    dtype: Any, given_cells: Any, word: str
) -> None:
    found = cells(pd.Series([*given_cells, None], dtype=pd.ArrowDtype(dtype)))
    assert found.column.cells() == [ABSENT, ABSENT]
    [(row, reason)] = found.refused
    assert (row, word in reason) == (0, True)


def test_CELL_1_lists_of_a_Parquet_file_are_lists(tmp_path: Any) -> None:
    frame = pd.DataFrame({"distinct_id": ["1", "2"], "tags": [["a", None], []], "n": [[1.5], None]})
    frame.to_parquet(tmp_path / "p.parquet")
    read = pd.read_parquet(tmp_path / "p.parquet")
    assert isinstance(read["tags"][0], np.ndarray)
    profiles = tk.ProfileTable()
    profiles.set(read)
    assert profiles["1"] == {"tags": ["a", None], "n": [1.5]}
    assert profiles["2"] == {"tags": []}


@pytest.mark.parametrize(
    ("series", "expected", "rows"),
    [
        (pd.Series([1j, 2]), [ABSENT, ABSENT], [0, 1]),
        (pd.Series([b"a", "x", b"a"]).astype("category"), [ABSENT, "x", ABSENT], [0, 2]),
        (pd.Series([1.5, np.inf, None], dtype="Float64"), [1.5, ABSENT, ABSENT], [1]),
        (pd.Series([1, 0], dtype=pd.SparseDtype("int", 0)), [1, 0], []),
        (pd.Series(pd.cut([1, 5, NAN], [0, 3, 6])), ["(0, 3]", "(3, 6]", ABSENT], []),
        (pd.Series(pd.period_range("2026-01", periods=1, freq="M")), ["2026-01"], []),
        (pd.Series([timedelta(seconds=1), None]), [1.0, ABSENT], []),
    ],
)  # fmt: skip
def test_CELL_1_every_dtype_keeps_to_it(series: Any, expected: Any, rows: list[int]) -> None:
    found = cells(series)
    assert repr(found.column.cells()) == repr(expected)
    assert [row for row, _ in found.refused] == rows


def in_disguise(value: Any, draw: Callable[[int], int]) -> Any:
    """The same JSON in the types of pandas and NumPy."""
    if value is None:
        return [None, NAN, pd.NA, pd.NaT, np.float64("nan")][draw(5)]
    if isinstance(value, list):
        inner = [in_disguise(each, draw) for each in value]
        return [inner, tuple(inner), objects(inner), pd.Series(objects(inner), dtype=object)][
            draw(4)
        ]
    if isinstance(value, dict):
        return {name: in_disguise(each, draw) for name, each in value.items()}
    if isinstance(value, bool):
        return [value, np.bool_(value)][draw(2)]
    if isinstance(value, int) and abs(value) < 2**63:
        return [value, np.int64(value)][draw(2)]
    if isinstance(value, float):
        return [value, np.float64(value)][draw(2)]
    return value


@settings(max_examples=examples(200), deadline=None)
@given(st.lists(values, min_size=1, max_size=4), st.data())
def test_CELL_1_any_JSON_in_any_disguise_comes_back(given_cells: list[Any], data: Any) -> None:
    def draw(below: int) -> int:
        return int(data.draw(st.integers(0, below - 1)))

    disguised = [in_disguise(cell, draw) for cell in given_cells]
    found = cells(pd.Series(objects(disguised), dtype=object))
    assert found.refused == []
    expected = [ABSENT if cell is None else cell for cell in given_cells]
    assert repr(found.column.cells()) == repr(expected)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.array([1.5, 2.0]), [1.5, 2.0]),
        (np.array([[1], [2]]), [[1], [2]]),
        (np.array(["2026-01-01"], "M8[ns]"), ["2026-01-01T00:00:00Z"]),
        (np.datetime64("2026-01-01"), "2026-01-01T00:00:00Z"),
        ((np.int64(1), np.float32(0.5), np.True_), [1, 0.5, True]),
        ({"a": np.array(["x"])}, {"a": ["x"]}),
        (datetime(2026, 1, 1), "2026-01-01T00:00:00Z"),
        (date(2026, 1, 1), "2026-01-01"),
    ],
)
def test_CELL_2_arrays_and_scalars_of_NumPy_are_taken_in_a_call(value: Any, expected: Any) -> None:
    is_taken_in_a_call(value, expected)


SCALARS = (time, timedelta, np.timedelta64, Decimal, pd.Period, pd.Interval, UUID)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        *((cell, json_value) for cell, json_value in TAKEN if isinstance(cell, SCALARS)),
        (np.array([5], "m8[s]"), [5.0]),
    ],
    ids=repr,
)
def test_CELL_2_what_a_cell_may_be_is_taken_in_a_call(value: Any, expected: Any) -> None:
    is_taken_in_a_call(value, expected)


def is_taken_in_a_call(value: Any, expected: Any) -> None:
    profiles = tk.ProfileTable()
    profiles.set("1", {"x": value})
    assert json.dumps(profiles["1"]["x"]) == json.dumps(expected)
    assert profiles.apply([{"$distinct_id": "2", "$append": {"x": value}}]).applied == 1
    assert json.dumps(profiles["2"]["x"]) == json.dumps([expected])


@pytest.mark.parametrize(
    "value",
    [
        *(NAN, pd.NA, pd.NaT, [NAN], np.array([1.0, NAN]), [pd.NA], {"a": pd.NaT}),
        *(np.datetime64("NaT", "us"), np.array(["NaT"], "M8[ns]")),
        *(np.timedelta64("NaT", "s"), np.timedelta64(5, "M"), {1}, b"x", 1j, {1: 2}, object()),
        *(Decimal("NaN"), Decimal("Infinity"), Decimal("1e999999999"), Decimal("0." + "123" * 9)),
    ],
    ids=lambda value: re.sub(" at 0x.*", "", repr(value)),
)
def test_CELL_2_what_is_missing_or_no_JSON_rejects_its_property_in_a_call(value: Any) -> None:
    profiles = tk.ProfileTable()
    message = {"$distinct_id": "1", "$set": {"bad": value, "good": 1}}
    [rejection] = profiles.apply([message]).rejections
    assert (rejection.property, profiles["1"]) == ("bad", {"good": 1})


@pytest.mark.parametrize("missing", [None, NAN, pd.NA])
def test_rows_without_an_id_can_be_dropped_as_the_error_says(missing: Any) -> None:
    ids = pd.Series(["1", missing, "2"], dtype=object)
    frame = pd.DataFrame({"distinct_id": ids, "plan": "pro"})
    for rows in (frame, frame.set_index("distinct_id")):
        profiles = tk.ProfileTable()
        with pytest.raises(tk.ToolkitError, match="1 row without a distinct ID") as caught:
            profiles.set(rows)
        advice = str(caught.value).rpartition("drop them first: ")[2]
        profiles.set(eval(advice, {"frame": rows}))
        assert list(profiles) == ["1", "2"]


@pytest.mark.parametrize(
    ("wrong", "shown"),
    [("", "''"), (True, "True"), (b"x", "b'x'"), ("\ud800", r"\ud800"), ([1], "[1]")],
)
def test_an_id_that_dropna_would_leave_is_shown_with_its_row(wrong: Any, shown: str) -> None:
    ids = pd.Series(["1", "2", wrong], dtype=object)
    with pytest.raises(tk.ToolkitError, match="1 row without a distinct ID") as caught:
        tk.ProfileTable().set(pd.DataFrame({"distinct_id": ids, "plan": "pro"}))
    assert "dropna" not in str(caught.value)
    assert "row 2, holds" in str(caught.value)
    assert shown in str(caught.value)


@settings(max_examples=examples(30), deadline=None)
@given(
    moment=st.datetimes(
        datetime(1, 1, 3),
        datetime(9999, 12, 29),
        timezones=st.none() | st.timezones() | st.just(UTC) | st.just(timezone(timedelta(hours=2))),
    )
)
def test_CELL_1_CELL_2_one_moment_has_one_text_however_it_is_sent(moment: datetime) -> None:
    given_as: list[Any] = [moment, pd.Timestamp(moment)]
    if moment.tzinfo is None:
        given_as.append(np.datetime64(moment, "us"))
    texts = set()
    for value in given_as:
        profiles = tk.ProfileTable()
        profiles.set("call", {"x": value})
        profiles.apply([{"$distinct_id": "list", "$set": {"x": [value]}}])
        texts |= {profiles["call"]["x"], profiles["list"]["x"][0]}
        for dtype in (object, None):
            frame = pd.DataFrame({"distinct_id": ["frame"], "x": pd.Series([value], dtype=dtype)})
            tk.import_frame(profiles, frame)
            texts.add(profiles["frame"]["x"])
            profiles.set(frame.assign(distinct_id="set"))
            texts.add(profiles["set"]["x"])
    known = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    assert texts == {known.astimezone(UTC).isoformat().replace("+00:00", "Z")}
