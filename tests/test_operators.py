"""The reference operators, rule by rule."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, strategies as st

from tests.strategies import NAMES, cells, operations, values
from toolkit.base.values import copied, equal
from toolkit.updates import Rejection, operators

ADD_REASON = "not a number"
LIST_REASON = "not a list"


def refused_by(
    operator: str, properties: dict[str, Any], argument: Any
) -> list[tuple[str | None, str]]:
    refused: list[Rejection] = []
    operators.OPERATORS[operator](properties, argument, refused)
    return [(each.property, each.reason) for each in refused]


def test_SET_1_overwrites_and_keeps_the_rest() -> None:
    assert operators.set({"a": 1, "b": 2}, {"a": [3]}) == {"a": [3], "b": 2}


def test_SET_1_creates_the_profile() -> None:
    assert operators.apply(None, [("$set", {"a": 1})]) == ({"a": 1}, True)


def test_SET_2_an_empty_set_creates_an_empty_profile() -> None:
    assert operators.apply(None, [("$set", {})]) == ({}, True)


def test_SET_2_null_is_stored() -> None:
    assert operators.set({}, {"a": None}) == {"a": None}


def test_ONCE_1_writes_only_absent_properties() -> None:
    assert operators.set_once({"a": 1}, {"a": 2, "b": 3}) == {"a": 1, "b": 3}


@pytest.mark.parametrize("stored", [None, "", 0, [], False, {}])
def test_ONCE_1_a_stored_empty_value_exists_and_stays(stored: Any) -> None:
    profile = {"a": stored}
    assert operators.set_once(profile, {"a": 1}) is profile


def test_ADD_1_absent_counts_as_0_and_negative_decrements() -> None:
    assert operators.add({"a": 5}, {"a": -7, "b": 2}) == {"a": -2, "b": 2}


@pytest.mark.parametrize("stored", [True, None, "12", [], {}])
def test_ADD_2_a_stored_value_that_is_no_number_stays(stored: Any) -> None:
    assert operators.add({"a": stored}, {"a": 1, "b": 1}) == {"a": stored, "b": 1}
    [(name, reason)] = refused_by("$add", {"a": stored}, {"a": 1, "b": 1})
    assert name == "a"
    assert ADD_REASON in reason


@pytest.mark.parametrize("increment", [True, None, "12", [1], {}])
def test_ADD_2_an_increment_that_is_no_number_is_refused(increment: Any) -> None:
    assert operators.add({"a": 1}, {"a": increment}) == {"a": 1}
    [(name, reason)] = refused_by("$add", {"a": 1}, {"a": increment})
    assert (name, ADD_REASON in reason) == ("a", True)


def test_ADD_2_integers_stay_exact_at_any_size() -> None:
    assert operators.add({"a": 2**53}, {"a": 1}) == {"a": 2**53 + 1}
    assert operators.add({"a": 10**40}, {"a": 1}) == {"a": 10**40 + 1}


def test_ADD_2_an_integer_and_a_float_make_a_float() -> None:
    total = operators.add({"a": 1}, {"a": 1.0})["a"]
    assert (total, type(total)) == (2.0, float)


@pytest.mark.parametrize(
    ("stored", "increment"), [(1e308, 1e308), (10**400, 0.5), (10**4299, 9 * 10**4299)]
)
def test_ADD_2_a_sum_that_cannot_be_stored_is_refused(stored: Any, increment: Any) -> None:
    assert operators.add({"a": stored}, {"a": increment}) == {"a": stored}
    assert len(refused_by("$add", {"a": stored}, {"a": increment})) == 1


def test_UNION_1_keeps_the_order_and_no_value_stands_twice() -> None:
    assert operators.union({"a": [3, 1, 3]}, {"a": [2, 1.0, 2, True]}) == {"a": [3, 1, 2, True]}


def test_UNION_1_takes_one_value_and_creates_a_list_without_duplicates() -> None:
    assert operators.union({}, {"a": "x", "b": [1, 1]}) == {"a": ["x"], "b": [1]}


def test_UNION_1_with_nothing_new_has_no_effect() -> None:
    profile = {"a": [1, 2]}
    assert operators.union(profile, {"a": [2]}) is profile


def test_APPEND_1_allows_duplicates_and_takes_a_list_as_one_element() -> None:
    assert operators.append({"a": [1]}, {"a": 1}) == {"a": [1, 1]}
    assert operators.append({"a": [1]}, {"a": [2, 3]}) == {"a": [1, [2, 3]]}
    assert operators.append({}, {"a": None}) == {"a": [None]}


def test_REMOVE_1_removes_every_equal_element() -> None:
    assert operators.remove({"a": [1, 2, 1.0, True]}, {"a": 1}) == {"a": [2, True]}
    assert operators.remove({"a": [[1], 1]}, {"a": [1]}) == {"a": [1]}


def test_REMOVE_1_of_what_is_not_there_updates_and_creates_nothing() -> None:
    profile = {"a": [1]}
    assert operators.remove(profile, {"a": 2, "b": 1}) is profile
    assert operators.apply(None, [("$remove", {"a": 1})]) == (None, False)


@pytest.mark.parametrize("operator", ["$union", "$append", "$remove"])
@pytest.mark.parametrize("stored", [None, "text", 1, {"a": 1}])
def test_LIST_1_a_stored_value_that_is_no_list_stays(operator: str, stored: Any) -> None:
    assert operators.OPERATORS[operator]({"a": stored}, {"a": 1}, None) == {"a": stored}
    [(name, reason)] = refused_by(operator, {"a": stored}, {"a": 1})
    assert (name, LIST_REASON in reason) == ("a", True)


def test_UNSET_1_removes_for_good_and_ignores_unknown_names() -> None:
    assert operators.unset({"a": 1, "b": 2}, ["a", "z"]) == {"b": 2}
    assert operators.unset({"a": 1}, "a") == {}


def test_UNSET_1_creates_no_profile_and_leaves_an_empty_one() -> None:
    assert operators.apply(None, [("$unset", ["a"])]) == (None, False)
    assert operators.apply({"a": 1}, [("$unset", ["a"])]) == ({}, True)


def test_DELETE_1_removes_the_profile() -> None:
    assert operators.apply({"a": 1}, [("$delete", "")]) == (None, True)
    assert operators.apply(None, [("$delete", "")]) == (None, False)


def test_MSG_1_operators_of_a_message_apply_in_the_order_written() -> None:
    first = [("$set", {"a": 1}), ("$add", {"a": 1})]
    assert operators.apply({"a": 5}, first)[0] == {"a": 2}
    assert operators.apply({"a": 5}, first[::-1])[0] == {"a": 1}


@given(st.dictionaries(st.sampled_from(NAMES), cells), operations)
def test_no_operator_changes_what_it_is_given(
    properties: dict[str, Any], operation: tuple[str, Any]
) -> None:
    operator, argument = operation
    before, sent = copied(properties), copied(argument)
    operators.OPERATORS[operator](properties, argument, [])
    assert equal(properties, before)
    assert equal(argument, sent)


@given(st.lists(values), st.lists(values))
def test_UNION_1_no_value_stands_twice(stored: list[Any], added: list[Any]) -> None:
    together = operators.union({"a": stored}, {"a": added})["a"]
    assert isinstance(together, list)
    assert not any(equal(x, y) for i, x in enumerate(together) for y in together[:i])
    assert all(any(equal(x, y) for y in together) for x in [*stored, *added])
