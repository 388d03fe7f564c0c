"""The type of a CSV column and its values (CSV-5)."""

from __future__ import annotations

import json
import math
import re

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, strategies as st

import toolkit as tk
from toolkit.base.times import parse_time
from toolkit.base.values import ABSENT
from toolkit.sources.csv.types import infer_type, looks_like, typed


def texts(*cells: str) -> pa.Array:
    return pa.array(cells, pa.large_string())


@pytest.mark.parametrize(
    ("cells", "kind", "values"),
    [
        (["1", "-20", "0"], "int", [1, -20, 0]),
        (["1", "2.5", "-0.25"], "float", [1.0, 2.5, -0.25]),
        (["1e3", "2.5E-2"], "float", [1000.0, 0.025]),
        (["9007199254740992", "-9007199254740992"], "int", [2**53, -(2**53)]),
        (["0.1234567890123456"], "float", [0.1234567890123456]),
    ],
)
def test_CSV_5_numbers_become_numbers(cells: list[str], kind: str, values: list[float]) -> None:
    result = typed(texts(*cells))

    assert result.type == "number"
    assert result.column.kind == kind
    assert result.column.cells() == values


@pytest.mark.parametrize(
    "cell",
    [
        *("007", "00", "-01", "01.5"),
        *("+1", "+47123", "1.", ".5", "1,5", "1 000", " 1", "1 ", "0x10", "1_000", "١"),
        *("9007199254740993", "-9007199254740993", "12345678901234567890", "1" + "0" * 400),
        *("0.123456789012345678", "123456789.0123456789"),
        *("1e400", "-1e400", "1e-400", "4e-320", "NaN", "inf", "Infinity", "-"),
    ],
)
def test_CSV_5_what_a_number_would_not_keep_exactly_stays_text(cell: str) -> None:
    result = typed(texts("1", cell))

    assert result.type == "text"
    assert result.column.cells() == ["1", cell]


def test_CSV_5_one_cell_of_a_million_decides_the_type_of_the_whole_column() -> None:
    cells = ["1"] * 999_999 + ["x"]

    assert infer_type(pa.array(cells, pa.large_string())) == "text"


def test_CSV_5_booleans_are_true_and_false_in_any_case_and_nothing_else() -> None:
    assert typed(texts("true", "FALSE", "True")).column.cells() == [True, False, True]
    assert infer_type(texts("true", "yes")) == "text"
    assert infer_type(texts("true", "1")) == "text"
    assert infer_type(texts("1", "0")) == "number"


@pytest.mark.parametrize(
    "cell",
    [
        *("2026-11-24", "2024-02-29", "2000-02-29", "0001-01-01", "9999-12-31"),
        *("2026-11-24T10:00", "2026-11-24 10:00:59", "2026-11-24T23:59:59.123456Z"),
        *("2026-11-24T10:00:00+02:00", "2026-11-24T10:00:00-0330", "2026-11-24T10:00:00.5+01"),
    ],
)
def test_CSV_5_dates_keep_the_text_they_are_written_as(cell: str) -> None:
    result = typed(texts(cell))

    assert result.type == "date"
    assert result.column.cells() == [cell]
    parse_time(cell)


@pytest.mark.parametrize("zone", [" UTC", "UTC", " GMT", " +00:00 UTC", " +0000 UTC"])
def test_CSV_5_TIME_2_times_that_end_in_UTC_or_GMT_are_times(zone: str) -> None:
    cell = f"2026-05-01 12:00:00{zone}"
    assert infer_type(texts(cell, "")) == "date"
    profiles = tk.ProfileTable()
    tk.import_csv(profiles, f"distinct_id,since\n1,{cell}\n".encode(), types={"since": "date"})
    assert profiles["1"]["since"] == cell
    assert list(profiles.where('datetime(user["since"]) >= datetime("2026-05-01T12:00:00Z")'))
    for other in ("2026-05-01 12:00:00 CET", "2026-05-01 12:00:00 +01:00 UTC"):
        assert infer_type(texts(other)) == "text"


@pytest.mark.parametrize(
    "cell",
    [
        *("2026-02-29", "1900-02-29", "2026-02-30", "2026-04-31", "2026-13-01", "2026-00-10"),
        *("2026-01-00", "2026-01-32", "0000-01-01", "26-01-01", "2026-1-1", "24.11.2026"),
        *("11/24/2026", "2026-11-24T24:00", "2026-11-24T10:60", "2026-11-24T10", "2026-11-24Z"),
        *("2026-11-24T10:00 Z", "2026-11-24\n", "2026-W48"),
    ],
)
def test_CSV_5_what_is_no_day_or_time_of_ISO_8601_is_text(cell: str) -> None:
    assert infer_type(texts(cell)) == "text"


@given(st.dates().map(str) | st.from_regex(r"[0-9]{4}-[0-3][0-9]-[0-3][0-9]", fullmatch=True))
def test_CSV_5_a_day_is_a_date_exactly_if_the_calendar_has_it(cell: str) -> None:
    try:
        parse_time(cell)
        exists = True
    except ValueError:
        exists = False

    assert (infer_type(texts(cell)) == "date") == exists


def test_CSV_5_lists_and_objects_become_values() -> None:
    result = typed(texts('["a", 1]', ' {"b": null}', "[]"))

    assert result.type == "json"
    assert result.column.cells() == [["a", 1], {"b": None}, []]


@pytest.mark.parametrize(
    "cells",
    [
        ["[1]", "2"],
        ["[1]", '"text"'],
        ["[1]", "null"],
        ["[NaN]"],
        ["[1e999]"],
        ["[1] [2]"],
        ["[1", "2]"],
        ["[1", "[2]],[3]"],
        ["{a: 1}"],
        ['["\\ud800"]'],
        ["[" * 201 + "]" * 201],
        ["[" * 5_000 + "]" * 5_000],
    ],
)
def test_CSV_5_what_is_no_list_or_object_of_JSON_is_text(cells: list[str]) -> None:
    result = typed(texts(*cells))

    assert result.type == "text"
    assert result.column.cells() == cells


def test_CSV_5_integers_in_lists_stay_exact() -> None:
    assert typed(texts("[123456789012345678901234567890]")).column.cells() == [
        [123456789012345678901234567890]
    ]


def test_CSV_4_empty_cells_are_absent_whatever_the_type() -> None:
    for cell, value in (("1", 1), ("2.5", 2.5), ("true", True), ("[1]", [1]), ("x", "x")):
        assert typed(texts("", cell, "")).column.cells() == [ABSENT, value, ABSENT]


def test_a_column_without_a_filled_cell_is_text() -> None:
    result = typed(texts("", ""))

    assert result.type == "text"
    assert result.column.cells() == [ABSENT, ABSENT]
    assert typed(texts()).column.cells() == []


def test_CSV_5_cells_that_do_not_fit_a_forced_type_are_marked_and_never_altered() -> None:
    result = typed(texts("1", "", "007", "abc", "2"), "number")

    assert result.column.cells() == [1, ABSENT, ABSENT, ABSENT, 2]
    assert result.misfits.tolist() == [False, False, True, True, False]


@pytest.mark.parametrize(
    ("kind", "fit", "misfit"),
    [
        ("boolean", "true", "1"),
        ("date", "2026-11-24", "soon"),
        ("json", "[1]", "1"),
        ("number", "1.5", "one"),
    ],
)
def test_CSV_5_every_type_can_be_forced(kind: str, fit: str, misfit: str) -> None:
    result = typed(texts(misfit, fit), kind)  # type: ignore[arg-type]

    assert result.type == kind
    assert result.misfits.tolist() == [True, False]
    assert result.column.is_present.tolist() == [False, True]


def test_CSV_5_a_column_forced_to_text_keeps_numbers_as_written() -> None:
    result = typed(texts("1", "2.50"), "text")

    assert result.column.cells() == ["1", "2.50"]
    assert not result.misfits.any()


@given(st.lists(st.text(max_size=12) | st.floats().map(repr) | st.integers().map(str), max_size=8))
def test_CSV_5_no_type_ever_loses_a_cell(cells: list[str]) -> None:
    column = pa.array([cell for cell in cells if _is_text(cell)], pa.large_string())

    result = typed(column)

    assert not result.misfits.any()
    for cell, value in zip(column.to_pylist(), result.column.cells(), strict=True):
        if cell == "":
            assert value is ABSENT
        elif result.type == "number":
            assert math.isfinite(value) and value == float(cell)
            assert re.fullmatch(r"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?", cell, re.ASCII)
        elif result.type == "boolean":
            assert str(value).lower() == cell.lower()
        elif result.type == "json":
            assert value == json.loads(cell)
        else:
            assert value == cell


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_CSV_5_a_number_written_by_python_reads_back_the_same(number: float) -> None:
    cell = repr(number)
    result = typed(texts(cell))

    if result.type == "number":
        assert result.column.cells() == [number]
    else:  # Whole numbers beyond 2**53 are no number of their own, nor are subnormal ones.
        assert abs(number) >= 2**53 or 0 < abs(number) < np.finfo(float).tiny


def test_the_type_of_a_single_text() -> None:
    assert [looks_like(text) for text in ("1", "true", "2026-11-24", "[]", "name", "")] == [
        *("number", "boolean", "date", "json", "text", "text")
    ]


def _is_text(cell: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in cell)
