"""Expressions built in Python: what they mean, and what they refuse."""

from __future__ import annotations

import copy
import pickle
import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from operator import eq, ge, gt, le, lt, ne
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings, strategies as st

from tests.effort import examples
from tests.expression_reference import (
    NO_VALUE,
    NUMBERS,
    OPERATORS,
    Rows,
    Time,
    condition,
    conditions,
    rows,
    tables,
    value,
    values,
)
from toolkit import ProfileTable, cohort_of, event, user
from toolkit.base.errors import ExpressionError, ToolkitError, UnknownPropertyWarning
from toolkit.base.times import NO_TIME, iso, parse_time
from toolkit.base.values import ABSENT, equal
from toolkit.columns import Instants
from toolkit.columns.column import Column
from toolkit.columns.snapshot import Snapshot
from toolkit.expressions import (
    Expression,
    Scope,
    SnapshotScope,
    as_expression,
    as_property,
    conjuncts,
    evaluate,
    literal,
    mask_of,
    parse,
)

x = user["x"]


def truths(expression: Expression, *cells: Any) -> list[bool | None]:
    """Return what a condition on user["x"] is for each cell, None for undefined."""
    found = evaluate(expression, rows(x=list(cells))).cells()
    return [None if cell is ABSENT else cell for cell in found]


def results(expression: Expression, *cells: Any) -> list[Any]:
    """Return the value of an expression on user["x"] for each cell."""
    return evaluate(expression, rows(x=list(cells))).cells()


# -- against the reference ----------------------------------------------------------------


@settings(max_examples=examples(400), deadline=None)
@given(conditions(), tables())
def test_a_condition_on_columns_is_what_it_is_cell_by_cell(
    expression: Expression, table: Rows
) -> None:
    expected = [condition(expression, row) is True for row in table.rows()]

    assert mask_of(expression, table).tolist() == expected


@settings(max_examples=examples(400), deadline=None)
@given(values(3), tables())
def test_a_value_on_columns_is_what_it_is_cell_by_cell(expression: Expression, table: Rows) -> None:
    found = evaluate(expression, table).cells()

    for cell, row in zip(found, table.rows(), strict=True):
        expected = value(expression, row)
        if isinstance(expected, Time):
            expected = iso(expected)
        assert cell is ABSENT if expected is NO_VALUE else equal(cell, expected)


# -- comparisons --------------------------------------------------------------------------

MIXED = [1, 1.0, True, "1", [1], {"a": 1}, None, ABSENT]


def test_EXPR_2_values_of_different_types_are_not_equal() -> None:
    assert truths(x == 1, *MIXED) == [True, True, False, False, False, False, False, False]
    assert truths(x == "1", *MIXED) == [False, False, False, True, False, False, False, False]
    assert truths(x == True, *MIXED) == [  # noqa: E712
        *(False, False, True, False, False, False, False, False)
    ]
    assert truths(x == [1.0], *MIXED) == [*(False, False, False, False, True, False, False, False)]
    assert truths(x == {"a": 1}, *MIXED) == [
        *(False, False, False, False, False, True, False, False)
    ]


def test_EXPR_3_unequal_is_undefined_of_different_types_and_of_what_is_not_set() -> None:
    assert truths(x != 2, *MIXED) == [True, True, None, None, None, None, None, None]
    assert truths(x != [2], *MIXED) == [None, None, None, None, True, None, None, None]
    assert mask_of(x != 2, rows(x=MIXED)).tolist() == [True, True] + [False] * 6


def test_EXPR_4_numbers_texts_and_times_have_an_order_and_nothing_else_has() -> None:
    assert truths(x < 2, *MIXED) == [True, True, None, None, None, None, None, None]
    assert truths(x >= "1", *MIXED) == [None, None, None, True, None, None, None, None]
    assert truths(x <= True, *MIXED) == [None] * 8
    assert truths(x > [0], *MIXED) == [None] * 8


def test_EXPR_4_texts_are_in_the_order_of_code_points() -> None:
    assert truths(x < "\uffff", "😀", "é", "Z", "a", "") == [False, True, True, True, True]
    assert truths(x < "a", "Z", "a", "é") == [True, False, False]


@pytest.mark.parametrize("cells", [[2**53], [2**53, 0.5], [2**53, 2**70]])
def test_EXPR_2_integers_past_2_53_are_compared_exactly(cells: list[Any]) -> None:
    assert truths(x == 2**53 + 1, *cells)[0] is False
    assert truths(x < 2**53 + 1, *cells)[0] is True
    assert truths(x == 2.0**53, *cells)[0] is True
    assert truths(x.isin([2**53 + 1, 1]), *cells)[0] is False


def test_EXPR_2_large_integers_and_floats_are_compared_exactly() -> None:
    assert truths(x < 2.0**63, 2**63 - 1, 2**63, 2**63 + 1) == [True, False, False]
    assert truths(x > 1e300, 10**300, 10**301, -(10**400)) == [False, True, False]
    assert truths(x == 2**53 + 1, 2.0**53, 2.0**53 + 2) == [False, False]
    assert truths(x.isin([2**53 + 1, 10**400]), 2.0**53, 2.0**53 + 2) == [False, False]
    assert truths(x.isin([2**53, 2**70]), 2.0**53, 2.0**70) == [True, True]


def test_EXPR_2_a_number_with_a_fraction_lies_between_two_integers() -> None:
    assert truths(x == 2.5, 2, 3) == [False, False]
    assert truths(x < 2.5, 2, 3) == [True, False]
    assert truths(x >= 2.5, 2, 3) == [False, True]
    assert truths(x < -2.5, -3, -2) == [True, False]
    assert truths(literal(2.5) < x, 2, 3) == [False, True]
    assert truths(x < 3, 2.5, 3.5) == [True, False]


@settings(max_examples=examples(300), deadline=None)
@given(st.lists(NUMBERS, min_size=1, max_size=5), NUMBERS, OPERATORS)
def test_EXPR_4_numbers_compare_as_python_compares_them(
    cells: list[float], other: float, operator: str
) -> None:
    python = {"==": eq, "!=": ne, "<": lt, "<=": le, ">": gt, ">=": ge}[operator]
    expected = [python(cell, other) for cell in cells]

    assert truths(python(x, other), *cells) == expected
    assert truths(x.isin([other, "1"]), *cells) == [cell == other for cell in cells]
    scope = rows(x=cells, y=[other] * len(cells))
    assert mask_of(python(x, user["y"]), scope).tolist() == expected
    assert mask_of(python(user["y"], x), scope).tolist() == [python(other, cell) for cell in cells]


def test_EXPR_5_null_asks_whether_there_is_a_value() -> None:
    cells = ["", 0, [], ABSENT, None]
    set_ = [True, True, True, False, False]
    asking_set: list[Expression] = [x.is_set(), x != None, literal(None) != x]  # noqa: E711
    asking_not_set = [x.is_not_set(), x == None, literal(None) == x, ~x.is_set()]  # noqa: E711

    for expression in asking_set:
        assert truths(expression, *cells) == set_
    for expression in asking_not_set:
        assert truths(expression, *cells) == [not there for there in set_]
    assert truths(x < None, *cells) == [None] * 5


def test_EXPR_5_two_properties_that_are_not_set_are_not_equal() -> None:
    scope = rows(x=[ABSENT, None, 1], y=[ABSENT, None, 1])

    assert mask_of(x == user["y"], scope).tolist() == [False, False, True]


def test_EXPR_6_undefined_is_false_and_not_undefined_is_true() -> None:
    undefined = x > 1

    scope = rows(x=["text"])

    assert not mask_of(undefined, scope).any()
    assert mask_of(~undefined, scope).all()
    assert not mask_of(undefined & literal(True), scope).any()
    assert not mask_of(undefined | literal(False), scope).any()
    assert mask_of(undefined | literal(True), scope).all()
    assert mask_of(~(undefined & literal(True)), scope).all()


def test_EXPR_7_in_is_equal_to_one_of_the_values() -> None:
    cells = [1, 1.0, True, "1", [1], {"a": 1}, None, ABSENT, 2**70]

    assert truths(x.isin([1, "x"]), *cells) == [True, True] + [False] * 7
    assert truths(x.isin([[1.0], {"a": 1}, 2**70]), *cells) == [
        *(False, False, False, False, True, True, False, False, True)
    ]
    assert truths(x.isin([None, "1"]), *cells) == [
        *(False, False, False, True, False, False, True, True, False)
    ]
    assert truths(~x.isin([1]), *cells) == [False, False] + [True] * 7
    assert truths(x.isin([]), *cells) == [False] * 9


def test_EXPR_7_in_takes_properties_and_collections_of_any_kind() -> None:
    scope = rows(x=["a", "b", "c"], y=["a", "a", "a"])

    assert mask_of(x.isin([user["y"], "b"]), scope).tolist() == [True, True, False]
    for options in ({"a"}, ("a",), np.array(["a"]), pd.Series(["a"]), pd.Index(["a"])):
        assert mask_of(x.isin(options), scope).tolist() == [True, False, False]


def test_EXPR_7_zero_and_negative_zero_are_one_number() -> None:
    assert truths(x.isin([0.0]), -0.0, 0.0) == [True, True]
    assert truths(x.isin([-0.0]), 0, 1) == [True, False]
    assert truths(x.isin([-0.0]), 0.0, 1.5) == [True, False]


def test_EXPR_7_true_is_not_1() -> None:
    assert truths(x.isin([True]), True, 1, 1.0, "true") == [True, False, False, False]
    assert truths(x.isin([1]), True, 1) == [False, True]


def test_EXPR_8_contains_finds_text_in_text_and_elements_in_lists() -> None:
    cells = ["pro plan", "PRO", ["pro"], ["professional"], [], 1, {"pro": 1}, None, ABSENT]

    assert truths(x.contains("pro"), *cells) == [
        *(True, False, True, False, False, None, None, None, None)
    ]
    assert truths(x.contains(1), "1", [1.0], [True], ["1"]) == [None, True, False, False]
    assert truths(x.contains(None), [None], [1], "", ABSENT) == [True, False, None, None]
    assert truths(x.contains([1]), [[1]], [1]) == [True, False]
    assert truths(x.contains("."), "a.b", "ab") == [True, False]


def test_EXPR_8_contains_compares_two_properties() -> None:
    scope = rows(x=["abc", "abc", ["a"], ["a"], "abc"], y=["b", "x", "a", ABSENT, 1])

    expected = [True, False, True, ABSENT, ABSENT]
    assert evaluate(x.contains(user["y"]), scope).cells() == expected
    assert evaluate(user["y"].isin(x), scope).cells() == expected


def test_EXPR_9_any_and_all_look_at_the_elements_of_a_list() -> None:
    products = [["P1", "P2", "P4"], ["P2", "P3", "P4"], ["P3", "P4"]]

    assert truths(x.any() == "P1", *products) == [True, False, False]
    assert truths(x.all() == "P1", *products) == [False, False, False]
    assert truths(x.all() >= "P2", *products) == [False, True, True]
    assert truths(x.any().isin(["P1", "P3"]), *products) == [True, True, True]
    assert truths(x.all().contains("P"), *products) == [True, True, True]
    assert truths(x.all().isin(["P3", "P4"]), *products) == [False, False, True]


def test_EXPR_9_no_element_of_an_empty_list_meets_anything() -> None:
    assert truths(x.any() == 1, []) == [False]
    assert truths(x.all() == 1, []) == [False]
    assert truths(x.all() != 1, []) == [False]


def test_EXPR_9_what_is_no_list_counts_as_a_list_of_itself() -> None:
    cells = ["vip", "x", None, ABSENT, {"vip": 1}]

    assert truths(x.any() == "vip", *cells) == [True, False, False, False, False]
    assert truths(x.all() == "vip", *cells) == [True, False, False, False, False]
    assert truths(x.any().is_not_set(), *cells, [None], [1]) == [
        *(False, False, True, True, False, True, False)
    ]


def test_EXPR_9_elements_can_be_worked_on_before_they_are_compared() -> None:
    assert truths(x.any().as_number() * 2 > 5, ["1", "2"], ["3"], [1, None]) == [
        *(False, True, False)
    ]
    scope = rows(x=[[1, 5], [1, 2]], y=[4, 4])
    assert mask_of(x.any() > user["y"], scope).tolist() == [True, False]
    assert mask_of(user["y"] < x.any(), scope).tolist() == [True, False]


def test_EXPR_2_a_list_without_any_or_all_is_compared_as_a_whole() -> None:
    assert truths(x == "vip", ["vip"]) == [False]
    assert truths(x == ["vip", 1], ["vip", 1.0], ["vip"], [1, "vip"]) == [True, False, False]


# -- arithmetic and casts -----------------------------------------------------------------


def test_EXPR_10_integers_are_exact_at_any_size() -> None:
    large = 2**63 - 1

    assert results(x + 1, large, 1) == [large + 1, 2]
    assert results(x - 1, -large - 1) == [-large - 2]
    assert results(x * x, large, 3) == [large**2, 9]
    assert results(-x, -large - 1) == [large + 1]
    assert results(x * 2**31, 2**32, -(2**32), 2**31) == [2**63, -(2**63), 2**62]
    assert results(x / 3, 3 * 2**60 + 3) == [2**60 + 1]
    assert results(x % 10, large, -large - 1) == [7, -8]
    assert results(x + 1, 10**40) == [10**40 + 1]


def test_EXPR_10_what_has_no_number_as_its_result_is_undefined() -> None:
    assert results(x / 0, 1, 1.5, 2**70) == [ABSENT] * 3
    assert results(x % 0, 1, 1.5, 2**70) == [ABSENT] * 3
    assert results(x * 1e308, 10, 1.5, 2**70) == [ABSENT, 1.5e308, ABSENT]
    assert results(x + 1, "1", True, None, ABSENT, [1]) == [ABSENT] * 5
    assert results(x * literal(10**4299), 10**4299) == [ABSENT]


def test_EXPR_10_plus_joins_texts() -> None:
    assert results(x + "!", "a", 1, None) == ["a!", ABSENT, ABSENT]
    assert results("<" + x + ">", "ü") == ["<ü>"]


def test_EXPR_10_the_remainder_has_the_sign_of_the_dividend() -> None:
    assert results(x % 3, 7, -7, 7.5, -7.5) == [1, -1, 1.5, -1.5]
    assert results(7 % x, -3, 3) == [1, 1]


def test_EXPR_10_rounding() -> None:
    cells = [2.5, -2.5, 0.49999999999999994, 1e300, 3, 10**30, "2.5"]

    assert results(x.round(), *cells) == [3, -3, 0, 1e300, 3, 10**30, ABSENT]
    assert results(x.floor(), 2.5, -2.5) == [2, -3]
    assert results(x.floor() + 1, 2.0**53, 1e22) == [2**53 + 1, 10**22 + 1]
    assert results(x.ceil(), 2.5, -2.5) == [3, -2]


def test_EXPR_11_equal_numbers_give_equal_text() -> None:
    cells = [1, 1.0, -0.0, 1.5, 1e21, 10**21, 1e-7, True, "a", [1, "ü"], {"a": None}, None]

    assert results(x.as_text(), *cells) == [
        *("1", "1", "0", "1.5", "1" + "0" * 21, "1" + "0" * 21, "1e-7"),
        *("true", "a", '[1,"ü"]', '{"a":null}', ABSENT),
    ]


def test_EXPR_11_number_reads_decimal_text() -> None:
    cells = ["1", " +2 ", "-1.5e3", "007", ".5", "9007199254740993", "1" * 30, True, False]
    unreadable: list[Any] = [
        "",
        "1e999",
        "nan",
        "inf",
        "0x1",
        "1_000",
        "٣",
        "1 2",
        "9" * 4301,
        None,
        [],
        {},
    ]

    assert results(x.as_number(), *cells) == [1, 2, -1500, 7, 0.5, 2**53 + 1, int("1" * 30), 1, 0]
    assert results(x.as_number(), *unreadable) == [ABSENT] * len(unreadable)


def test_EXPR_11_boolean_is_false_of_little() -> None:
    assert results(x.as_boolean(), False, 0, 0.0, "", "false", None, ABSENT) == [False] * 7
    assert results(x.as_boolean(), True, 1, "true", "x", [], {}, -0.5, "0") == [True] * 8


def test_EXPR_13_a_property_stands_as_a_condition_if_it_is_a_boolean() -> None:
    cells = [True, False, 1, "true", None]

    assert mask_of(x, rows(x=cells)).tolist() == [True, False, False, False, False]
    assert mask_of(~x, rows(x=cells)).tolist() == [False, True, True, True, True]


def test_EXPR_13_a_condition_stands_as_a_value() -> None:
    assert truths((x > 1) == literal(False), 1, 2, "x") == [True, False, False]
    assert truths((x > 1).is_set(), 1, 2, "x") == [True, True, False]


# -- times --------------------------------------------------------------------------------

DAY = "2026-01-01"


def test_EXPR_12_times_are_compared_as_instants() -> None:
    cells = ["2026-01-01", "2026-01-01T01:00:00+01:00", "2025-12-31", 1_767_225_600, "soon", None]

    assert truths(x.as_datetime() == literal(DAY).as_datetime(), *cells) == [
        *(True, True, False, True, False, False)
    ]
    assert truths(x < literal(DAY).as_datetime(), *cells) == [
        *(False, False, True, False, None, None)
    ]
    assert truths(x.as_datetime() != DAY, *cells) == [False, False, True, False, None, None]
    assert truths(x.as_datetime().isin([DAY]), *cells) == [True, True, False, True, False, False]


@pytest.mark.parametrize(
    "moment",
    [
        date(2026, 1, 1),
        datetime(2026, 1, 1),
        datetime(2026, 1, 1, tzinfo=UTC),
        pd.Timestamp("2026-01-01 01:00", tz="Europe/Berlin"),
        np.datetime64("2026-01-01"),
    ],
)
def test_EXPR_12_times_of_python_numpy_and_pandas_are_compared_as_instants(moment: Any) -> None:
    cells = ["2025-12-31T23:59:59.999999", "2026-01-01", 1_767_225_600_000, "x"]

    assert truths(x >= moment, *cells) == [False, True, True, None]
    assert truths(moment <= x, *cells) == [False, True, True, None]
    assert truths(x == moment, *cells) == [False, True, True, False]
    assert truths(moment == x, *cells) == [False, True, True, False]
    assert truths(x.isin([moment, "x"]), *cells) == [False, True, True, True]
    assert truths(x.any() < moment, ["2020-01-01", "x"], ["x"]) == [True, False]


def test_EXPR_12_times_beyond_the_year_9999_are_undefined() -> None:
    assert results(x.as_datetime(), "9999-12-31T23:59:59-14:00", 10**17, 2**70) == [ABSENT] * 3


def test_EXPR_11_a_time_as_a_number_is_unix_seconds() -> None:
    seconds = x.as_datetime().as_number()

    assert results(seconds, "1970-01-02", "1970-01-01T00:00:00.5") == [86_400, 0.5]
    assert results(x.as_datetime(), 1_767_225_600.5) == ["2026-01-01T00:00:00.500000Z"]


class TimesScope(Scope):
    """Two rows, each with a time."""

    def __len__(self) -> int:
        return 2

    def column(self, side: Any, name: str) -> Instants:
        return Instants(np.array([parse_time(DAY), NO_TIME]))


def test_EXPR_12_a_scope_can_hand_out_times() -> None:
    scope = TimesScope()

    assert mask_of(event["time"] >= pd.Timestamp(DAY), scope).tolist() == [True, False]
    assert mask_of(event["time"] == DAY, scope).tolist() == [True, False]
    assert mask_of(event["time"].is_set(), scope).tolist() == [True, False]
    assert evaluate(event["time"], scope).cells() == ["2026-01-01T00:00:00Z", ABSENT]
    assert evaluate(event["time"].as_text(), scope).cells() == ["2026-01-01T00:00:00Z", ABSENT]


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        (parse('times_did("Buy") > 1'), "counts events, and there are none here"),
        (parse('cohort("Fans")'), 'cohort\\("Fans"\\) names a saved cohort'),
        (as_expression(cohort_of(["a"], "Fans")), "a cohort contains users, and there are none"),
    ],
)
def test_a_scope_says_what_it_cannot_answer(condition: Any, message: str) -> None:
    with pytest.raises(ExpressionError, match=message):
        mask_of(condition, TimesScope())


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: literal("a").floor(), 'floor takes a number, and "a" is text; number(…) converts'),
        (lambda: -(x == 1), '- takes a number, and user["x"] == 1 is a boolean; number(…) convert'),
        (lambda: parse("ceil([1])"), "ceil takes a number, and [1] is a list"),
        (lambda: parse("number({})"), "number takes a boolean or a number or text or a time, and"),
        (lambda: (x == 1).as_datetime(), "datetime takes text or a number or a time, and user"),
        (lambda: parse('round(datetime("2026-01-01"))'), "is a time; number(…) converts it"),
    ],
)
def test_an_argument_that_can_only_be_of_another_type_is_refused(
    build: Callable[[], Expression], message: str
) -> None:
    with pytest.raises(ExpressionError, match=re.escape(message)):
        build()


def test_completion_offers_the_functions_that_take_the_value() -> None:
    assert {"floor", "as_text", "as_datetime"} <= set(dir(x))
    assert not {"floor", "round", "ceil"} & set(dir(x.as_text()))
    assert "as_datetime" not in dir(x == 1)
    assert "as_number" in dir(x == 1)


def test_instants_are_taken_by_position_like_columns() -> None:
    instants = Instants(np.array([1, NO_TIME, 3]))

    assert instants.take(np.array([2, -1, 0])).microseconds.tolist() == [3, NO_TIME, 1]
    assert instants.keep(np.array([True, False, False])).microseconds.tolist() == [1]


# -- columns and scopes -------------------------------------------------------------------


class OneColumn(Scope):
    """A scope whose every property is one column."""

    def __init__(self, column: Column) -> None:
        self._column = column

    def __len__(self) -> int:
        return len(self._column)

    def column(self, side: Any, name: str) -> Column:
        return self._column


def test_EXPR_1_nan_and_infinities_in_a_column_are_no_values() -> None:
    floats = np.array([1.0, np.nan, np.inf, -np.inf])
    scope = OneColumn(Column.of_array(floats, np.array([True, False, True, True])))

    assert mask_of(x.is_set(), scope).tolist() == [True, False, False, False]
    assert mask_of(x > 0, scope).tolist() == [True, False, False, False]
    assert mask_of(x >= 1, scope).tolist() == [True, False, False, False]
    assert evaluate(x.as_text(), scope).cells() == ["1", ABSENT, ABSENT, ABSENT]


def test_a_constant_stands_for_every_row() -> None:
    for length in (0, 1, 3):
        scope = rows(x=[1] * length)
        assert mask_of(literal(1) < literal(2), scope).tolist() == [True] * length
        assert evaluate(literal(1) + 1, scope).cells() == [2] * length
        assert mask_of(literal([1, 2]).any() == x, scope).tolist() == [True] * length
        assert evaluate(literal(None), scope).cells() == [ABSENT] * length


def test_a_mask_is_the_callers_own() -> None:
    scope = rows(x=[True, False])

    mask_of(x, scope)[:] = True

    assert mask_of(x, scope).tolist() == [True, False]


def snapshot() -> Snapshot:
    return Snapshot(
        pa.array(["7", "8"], pa.large_string()),
        {"plan": Column.of(["pro", ABSENT])},
        np.array([parse_time(DAY), NO_TIME]),
    )


def test_the_profiles_of_a_snapshot_are_rows() -> None:
    scope = SnapshotScope(snapshot())

    assert mask_of(user["plan"] == "pro", scope).tolist() == [True, False]
    assert mask_of(user["$distinct_id"] == "8", scope).tolist() == [False, True]
    with pytest.warns(UnknownPropertyWarning, match='No profile has a property "nothing"'):
        assert mask_of(user["nothing"].is_not_set(), scope).tolist() == [True, True]


def test_SEEN_1_updated_at_is_a_time() -> None:
    scope = SnapshotScope(snapshot())

    assert mask_of(user["$last_seen"] < pd.Timestamp("2026-06-01"), scope).tolist() == [True, False]
    assert mask_of(user["$last_seen"] >= "2026-01-01", scope).tolist() == [True, False]
    assert mask_of(user["$last_seen"].is_not_set(), scope).tolist() == [False, True]


@pytest.mark.parametrize("expression", [event["amount"] > 1, user["$mp_first_event_time"] > DAY])
def test_profiles_alone_have_no_events(expression: Expression) -> None:
    with pytest.raises(ExpressionError, match="profiles alone have none"):
        mask_of(expression, SnapshotScope(snapshot()))


# -- conditions true of nothing -----------------------------------------------------------


def various() -> ProfileTable:
    table = ProfileTable()
    cells = {"plan": "pro", "age": 3, "tags": ["a"], "vip": True, "mixed": 1, "big": 2**70}
    table.apply(
        [
            {"$distinct_id": "1", "$set": {**cells, "born": "2026-01-01", "none": None}},
            {"$distinct_id": "2", "$set": {"age": 4.5, "mixed": "t"}},
        ]
    )
    return table


def test_a_property_that_no_profile_has_is_warned_of_where_it_is_asked_for() -> None:
    with pytest.warns(UnknownPropertyWarning, match='Did you mean "plan"') as caught:
        assert len(various().where(user["plann"] == "pro")) == 0
    assert [warning.filename for warning in caught] == [__file__]


@pytest.mark.parametrize(
    ("condition", "sentence"),
    [
        (
            user["age"] > "60",
            'user["age"] holds numbers and "60" is text, so user["age"] > "60" is never true.',
        ),
        (literal("60") < user["age"], 'user["age"] holds numbers and "60" is text, so '),
        (user["big"] != "1", 'user["big"] holds numbers and "1" is text, so '),
        (user["plan"] == 1, 'user["plan"] holds text and 1 is a number, so '),
        (user["vip"] == "true", 'user["vip"] holds booleans and "true" is text, so '),
        (user["vip"] > False, 'user["vip"] holds booleans, which have no order, so '),
        (user["age"].isin(["3", True]), "are of another type (a boolean, text), so "),
        (user["age"].contains("3"), "contains looks into lists and for text in text, so "),
        (user["$last_seen"] > "soon", 'user["$last_seen"] holds times and "soon" is not one, so '),
        (user["tags"] == "a", 'in Python user["tags"].any() == "a".'),
        (user["tags"].isin(["a"]), 'write any(user["tags"]) in ["a"], in Python '),
        (user["mixed"] == [1], 'user["mixed"] holds numbers and text and [1] is a list, so '),
        (~(user["plan"] == "pro") & (user["age"] < "4"), 'user["age"] < "4" is never true.'),
    ],
)
def test_types_that_never_meet_are_warned_of(condition: Expression, sentence: str) -> None:
    with pytest.warns(UserWarning, match=re.escape(sentence)) as caught:
        various().where(condition)
    assert [warning.filename for warning in caught] == [__file__]


@pytest.mark.parametrize(
    "condition",
    [
        user["age"] == 99,
        user["age"] > 2**80,
        user["mixed"] == "x",
        user["mixed"] > 5,
        user["none"] == "x",  # without a value there is no type
        user["plan"] == None,  # noqa: E711
        user["age"].isin(["3", 4]),
        user["age"].isin([]),
        user["tags"].any() == "b",
        user["tags"].contains("b"),
        user["plan"].contains("x"),
        user["age"].as_text() == "3",
        user["$last_seen"] > "2026-01-01",
        user["$distinct_id"] == "9",
        user["born"] > pd.Timestamp("2027-01-01"),
        user["age"] > user["plan"],  # two columns: looked at by nobody
    ],
)
def test_what_could_be_true_of_some_value_is_no_reason_to_warn(condition: Expression) -> None:
    various().where(condition)  # a warning is an error in these tests


def test_of_no_profiles_nothing_is_unknown() -> None:
    assert len(ProfileTable().where(user["plan"] == "pro")) == 0


# -- the objects --------------------------------------------------------------------------


def test_sides_and_properties_are_what_is_read() -> None:
    expression = (event["b"] > user["a"]) & (event["b"] < 3) & user["c"].is_set()

    assert [prop.label for prop in expression.properties] == ["event.b", "user.a", "user.c"]
    assert expression.sides == {"user", "event"}
    assert (literal(1) == 1).sides == frozenset()


def test_conjuncts_are_the_conditions_joined_by_and() -> None:
    a, b, c = user["a"] == 1, event["b"] == 2, user["c"] | event["d"]

    parts = conjuncts((a & b) & c)

    assert [part.same_as(other) for part, other in zip(parts, (a, b, c), strict=True)] == [True] * 3
    assert conjuncts(c) == (c,)


def test_a_property_may_have_any_name() -> None:
    for name in ("", "ü €", '"', "a\nb", "user.plan", "\u2028"):
        assert user[name].name == name
        assert as_expression(repr(user[name])).same_as(user[name])


def test_expressions_are_told_apart_by_what_they_say() -> None:
    assert (x == 1).same_as(user["x"] == 1)
    assert not (x == 1).same_as(x == "1")
    assert not (x == 1).same_as("user")
    assert len({x == 1, x == 1}) == 2
    assert {x: 1}[x] == 1


def test_expressions_never_change() -> None:
    options = [1, 2]
    expression = x.isin(options)
    options.append(3)

    with pytest.raises(AttributeError):
        expression.options = None  # type: ignore[misc, union-attr]
    assert repr(expression) == 'user["x"] in [1, 2]'


def test_expressions_are_copied_and_pickled() -> None:
    expression = (x.any() == "vip") & (event["amount"] > 10)

    for other in (copy.deepcopy(expression), pickle.loads(pickle.dumps(expression))):
        assert other.same_as(expression)
        assert (~other).same_as(~expression)


def test_operators_work_from_both_sides() -> None:
    one = 1
    written = [one < x, np.int64(1) < x, 1 - x, 1 + x, 2 * x, 2 / x, 2 % x, -x, True & x, True | x]

    assert [repr(expression) for expression in written] == [
        *('user["x"] > 1', 'user["x"] > 1', '1 - user["x"]', '1 + user["x"]', '2 * user["x"]'),
        *('2 / user["x"]', '2 % user["x"]', '-user["x"]', 'true and user["x"]'),
        'true or user["x"]',
    ]


def test_many_conditions_side_by_side_are_not_deep() -> None:
    expression: Expression = x == 0
    for number in range(1, 500):
        expression = expression | (x == number)

    assert mask_of(expression, rows(x=[499, 500])).tolist() == [True, False]


def test_a_deep_expression_is_refused_before_python_gives_up() -> None:
    expression: Expression = x
    with pytest.raises(ExpressionError, match="nested more than 64 deep"):
        for _ in range(100):
            expression = expression + 1


def test_an_expression_that_doubles_is_refused_before_the_memory_is_full() -> None:
    expression: Expression = x
    with pytest.raises(ExpressionError, match="more than 100,000 parts"):
        for _ in range(60):
            expression = expression + expression


# -- what is refused ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "build",
    [
        lambda: bool(x == 1),
        lambda: (x == 1) and (x == 2),
        lambda: not x,
        lambda: 1 < x < 5,
        lambda: x == 1 or x == 2,
    ],
)
def test_and_or_not_and_chains_of_python_say_what_to_write(build: Any) -> None:
    with pytest.raises(ExpressionError, match=r"Join conditions with & \| ~"):
        build()


def test_forgotten_parentheses_are_explained() -> None:
    with pytest.raises(ExpressionError, match="Put each comparison in parentheses"):
        x == 1 & x == 2  # noqa: B015


def test_an_attribute_in_place_of_a_name_is_explained() -> None:
    with pytest.raises(ExpressionError, match=r'write user\["plan"\]'):
        _ = user.plan
    with pytest.raises(AttributeError):
        _ = event.amount
    assert not hasattr(user, "plan")


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: user[0], r'named by text, not 0 \(int\); write user\["0"\]'),  # type: ignore[index]
        (lambda: user["\ud800"], "half a surrogate pair"),
        (lambda: x == float("nan"), "nan is not a JSON number; use .is_set"),
        (lambda: x == pd.NA, "use None for null"),
        (lambda: x == pd.NaT, "NaT is not a time; use .is_set"),
        (lambda: x.isin(["a", float("inf")]), "inf is not a JSON number"),
        (lambda: x == object(), "is not a JSON value; text, finite numbers"),
        (lambda: x == user, r'name a property: user\["plan"\]'),
        (lambda: x.isin("pro"), r"isin takes a list of values, not \'pro\' \(str\)"),
        (lambda: x.isin(5), "isin takes a list of values"),
        (lambda: x & 3, r"3 \(int\) is not one"),
        (lambda: "a" in x, r'write user\["x"\].contains\(\'a\'\)'),
        (lambda: ~x.any(), r"any\(…\) needs a comparison"),
        (lambda: x.all() & x, r"all\(…\) needs a comparison"),
        (lambda: x.any() == x.all(), "takes one any"),
        (lambda: x.any().all(), "cannot be nested"),
        (lambda: literal("soon").as_datetime(), "'soon' is not a time"),
        (lambda: x == _nested(70), "nested more than 64 deep"),
        (lambda: mask_of(x.any(), rows(x=[1])), "needs a comparison"),
        (lambda: evaluate(x.any(), rows(x=[1])), "needs a comparison"),
        (lambda: as_expression(x.any()), "needs a comparison"),
        (lambda: as_expression(3), r"3 \(int\) is not an expression"),  # type: ignore[arg-type]
        (lambda: as_property(x + 1), "is not a property"),  # type: ignore[arg-type]
        (lambda: as_property("user['x'] == 1"), "is not a property"),
        (lambda: as_property(3), "is not a property"),  # type: ignore[arg-type]
    ],
)
def test_what_is_no_expression_is_refused_with_the_reason(build: Any, message: str) -> None:
    with pytest.raises(ExpressionError, match=message) as refused:
        build()

    assert isinstance(refused.value, ToolkitError)
    assert isinstance(refused.value, ValueError)


def _nested(depth: int) -> list[Any]:
    result: list[Any] = []
    for _ in range(depth):
        result = [result]
    return result


def test_a_bare_name_is_a_property_of_the_event() -> None:
    assert as_property("item").label == "event.item"
    assert as_property("").label == "event."
    assert as_property("user.plan").label == "event.user.plan"
    assert as_property(' user["plan"] ').label == "user.plan"
    assert as_property("properties['item']").label == "event.item"
    assert as_property(user["plan"]).label == "user.plan"
