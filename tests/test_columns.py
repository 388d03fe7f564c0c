"""Columns: any JSON in, exactly the same out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from hypothesis import given, strategies as st

from tests.strategies import integers, scalars, texts, values
from tests.test_table_reference import exactly
from toolkit.base.values import ABSENT, dumps, equal, key, loads, loads_many
from toolkit.columns.column import Column

absent = st.just(ABSENT)
#: Mostly of one kind, as columns are, and sometimes mixed.
cells = st.one_of(
    st.lists(integers | absent),
    st.lists(st.floats(allow_nan=False, allow_infinity=False) | absent | st.none()),
    st.lists(st.booleans() | absent),
    st.lists(texts | absent | st.none()),
    st.lists(values | absent),
)


def same(left: list[Any], right: list[Any]) -> bool:
    return [c if c is ABSENT else exactly(c) for c in left] == [
        c if c is ABSENT else exactly(c) for c in right
    ]


@given(cells)
def test_holds_exactly_what_it_was_given(given_cells: list[Any]) -> None:
    column = Column.of(given_cells)
    assert same(column.cells(), given_cells)
    assert same([column.cell(at) for at in range(len(column))], given_cells)
    texts = column.as_json_text().to_pylist()
    assert [text is None for text in texts] == [cell is ABSENT for cell in given_cells]
    written = [text for text in texts if text is not None]
    present = [cell for cell in given_cells if cell is not ABSENT]
    assert same([loads(text) for text in written], present)
    assert same(loads_many(written), present)


@given(cells, cells, st.randoms())
def test_put_take_and_join_move_cells_unchanged(
    left: list[Any], right: list[Any], random: Any
) -> None:
    column, other = Column.of(left), Column.of(right)
    assert same(column.followed_by(other).cells(), left + right)
    places = random.sample(range(len(left)), min(len(left), len(right)))
    put = column.put(np.array(places, np.int64), other.take(np.arange(len(places))))
    expected = list(left)
    for place, cell in zip(places, right, strict=False):
        expected[place] = cell
    assert same(put.cells(), expected)
    assert same(column.cells(), left)  # as before
    picks = [random.randrange(-1, len(left)) for _ in range(5)]
    taken = column.take(np.array(picks, np.int64)).cells()
    assert same(taken, [ABSENT if pick < 0 else left[pick] for pick in picks])
    mask = np.array([random.random() < 0.5 for _ in left], np.bool_)
    assert same(column.keep(mask).cells(), [c for c, kept in zip(left, mask, strict=True) if kept])


@given(st.lists(st.tuples(scalars | values | absent, scalars | values | absent)))
def test_equals_as_JSON_does(pairs: list[tuple[Any, Any]]) -> None:
    left, right = Column.of([a for a, _ in pairs]), Column.of([b for _, b in pairs])
    expected = [a is b if ABSENT in (a, b) else equal(a, b) for a, b in pairs]
    assert left.equals(right).tolist() == expected


@given(values, values)
def test_keys_are_the_same_for_equal_values_and_only_for_them(left: Any, right: Any) -> None:
    assert (key(left) == key(right)) == equal(left, right)
    assert equal(loads(dumps(left)), left)


def test_numbers_by_value_but_true_is_not_1() -> None:
    assert equal(1, 1.0)
    assert not equal(True, 1)
    assert not equal("1", 1)
    assert not equal(2**53 + 1, float(2**53))
    assert equal({"a": [1], "b": None}, {"b": None, "a": [1.0]})


def test_arrays_are_typed_and_null_is_told_apart_only_on_request() -> None:
    column = Column.of([1, None, ABSENT])
    assert column.as_array(null_is_missing=True).dtype == "Int64"
    told_apart = column.as_array(null_is_missing=False)
    assert told_apart[1] is None
    assert np.isnan(told_apart[2])
    assert str(pd.Series(Column.of(["a", ABSENT]).as_array(null_is_missing=True)).dtype) == "str"
    assert len(Column.of([]).as_array(null_is_missing=True)) == 0


def test_a_column_that_has_become_uniform_is_typed_again() -> None:
    mixed = Column.of([1, "a"]).put(np.array([1]), Column.of([2]))
    assert mixed.kind == "json"
    assert mixed.as_array(null_is_missing=True).dtype == "Int64"
