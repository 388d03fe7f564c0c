"""The rows of the form of users: titles, search, sorting, filters, on whole columns."""

from __future__ import annotations

from functools import cmp_to_key
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import toolkit as tk
from tests.strategies import values
from toolkit import reserved
from toolkit.widgets.users_filter import OPERATORS, Filter, as_expression, operators_for
from toolkit.widgets.users_rows import DISTINCT_ID, TITLE, Rows


def rows_of(profiles: dict[str, dict[str, Any]], events: Any = None, **options: Any) -> Rows:
    table = tk.ProfileTable()
    table.apply([{"$distinct_id": key, "$set": each} for key, each in profiles.items()])
    return Rows(table.snapshot(), events, **options)


def events_of(*rows: tuple[str, Any, str]) -> tk.Events:
    return tk.Events(pd.DataFrame(rows, columns=["event", "distinct_id", "time"]))


def ids(rows: Rows, positions: Any) -> list[str]:
    return rows.ids.take(np.asarray(positions)).to_pylist()


PEOPLE = {
    "1": {"$name": "  Ann Lee ", "$email": "ann@example.com", "age": 30, "tags": ["a", "vip"]},
    "2": {"$first_name": "Bob", "$last_name": "Ö", "$email": "BOB@example.com", "age": 7},
    "x3": {"$email": "cid@example.org", "plan": "pro", "age": 7.5},
    "4": {"$name": " ", "plan": "Basic", "since": "2026-05-01T10:00:00Z"},
    "5": {"$name": 12, "plan": None},
}


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.dictionaries(
            st.sampled_from(["$name", "$first_name", "$last_name", "$email"]),
            st.sampled_from([" ", "", " a ", "Ann", "\u3000b", None, 5, ["x"], "é\nx"]),
        ),
        max_size=5,
    )
)
def test_titles_are_those_of_the_rule(profiles: list[dict[str, Any]]) -> None:
    given = {str(number): each for number, each in enumerate(profiles)}
    expected = [reserved.title(each, key) for key, each in given.items()]
    assert rows_of(given).titles.to_pylist() == expected


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("ann", ["1"]),
        ("LEE ann", ["1"]),
        ("bob ö", ["2"]),
        ("example.com", ["1", "2"]),
        ("x3", ["x3"]),
        ("5", ["5"]),
        ("ann bob", []),
        ("ann.*", []),
    ],
)
def test_a_search_finds_each_word_in_title_email_or_id(search: str, found: list[str]) -> None:
    rows = rows_of(PEOPLE)
    assert ids(rows, np.flatnonzero(rows.found(search))) == found


def test_an_empty_search_asks_nothing() -> None:
    assert rows_of(PEOPLE).found("  ") is None


def test_sorting_puts_what_is_not_set_last_either_way() -> None:
    rows = rows_of(PEOPLE)
    assert ids(rows, rows.order("age")) == ["2", "x3", "1", "4", "5"]
    assert ids(rows, rows.order("age", descending=True)) == ["1", "x3", "2", "4", "5"]
    assert ids(rows, rows.order("plan")) == ["4", "x3", "1", "2", "5"]
    assert ids(rows, rows.order("plan", descending=True)) == ["x3", "4", "1", "2", "5"]
    assert rows.order(None) is None


def test_titles_and_ids_and_times_are_sorted_too() -> None:
    rows = rows_of(PEOPLE)
    assert ids(rows, rows.order(TITLE)) == ["4", "5", "1", "2", "x3"]
    assert ids(rows, rows.order(DISTINCT_ID, descending=True))[0] == "x3"
    table = tk.ProfileTable()
    for number in range(3):
        table.set(str(number), {}, time=2_000_000_000 - number)
    table.set("never", {}, ignore_time=True)
    rows = Rows(table.snapshot())
    assert ids(rows, rows.order("$last_seen")) == ["2", "1", "0", "never"]


def _place(value: Any) -> tuple[Any, ...]:
    if value is None:
        return (9,)
    for place, kind in enumerate((bool, str)):
        if isinstance(value, kind):
            return (place + 1, value.lower() if isinstance(value, str) else value)
    return (0, value) if isinstance(value, int | float) else (3,)


def _compare(left: Any, right: Any) -> int:
    return (_place(left) > _place(right)) - (_place(left) < _place(right))


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.none()
        | st.booleans()
        | st.integers(-5, 5)
        | st.sampled_from([2**64, -(2**70), 0.5, -0.0, "a", "B", "ab", "", "é"]),
        max_size=8,
    )
)
def test_any_mixture_is_sorted_type_by_type_and_equals_stay_in_order(cells: list[Any]) -> None:
    rows = rows_of({str(number): {"p": cell} for number, cell in enumerate(cells)})
    expected = sorted(range(len(cells)), key=cmp_to_key(lambda a, b: _compare(cells[a], cells[b])))
    assert rows.order("p").tolist() == expected


@settings(max_examples=60, deadline=None)
@given(st.lists(values, max_size=6))
def test_down_is_up_turned_round_but_for_equals_and_not_set(cells: list[Any]) -> None:
    rows = rows_of({str(number): {"p": cell} for number, cell in enumerate(cells)})
    up, last = rows._rank("p")
    down = rows.order("p", descending=True)
    ranks = [int(up[at]) for at in down]
    known = [rank for rank in ranks if rank != last]
    assert known == sorted(known, reverse=True)
    assert ranks == known + [last] * (len(ranks) - len(known))


def test_everybody_seen_in_events_is_there_with_or_without_a_profile() -> None:
    events = tk.Events(
        pd.DataFrame(
            {
                "event": "View",
                "distinct_id": ["new", "x3", "1", "hidden", "timeless", None, "new"],
                "time": [300, 200, 100, 100, None, 100, 150],
                "bucket": [None, None, None, 1, None, None, None],
            }
        )
    )
    rows = rows_of(PEOPLE, events, everybody=True)
    assert rows.ids.to_pylist() == ["new", "x3", "1"]
    assert rows.has_profile.tolist() == [False, True, True]
    assert rows.texts(TITLE, np.arange(3)) == ["new", "cid@example.org", "Ann Lee"]
    assert rows.texts("$mp_first_event_time", np.arange(3)) == [
        "1970-01-01 00:02:30",
        "1970-01-01 00:03:20",
        "1970-01-01 00:01:40",
    ]
    assert rows.texts("age", np.arange(3)) == ["", "7.5", "30"]
    assert ids(rows, np.flatnonzero(rows.found("ann"))) == ["1"]
    assert ids(rows, rows.order("age")) == ["x3", "1", "new"]
    assert rows.profiles(np.arange(3)).ids.to_pylist() == ["x3", "1"]
    assert rows.position("1") == 2
    assert rows.position("4") == -1


def test_first_seen_of_profiles_comes_from_the_events() -> None:
    rows = rows_of(PEOPLE, events_of(("View", "2", "2026-05-02"), ("View", "2", "2026-05-01")))
    assert rows.texts("$mp_first_event_time", np.array([0, 1])) == ["", "2026-05-01 00:00:00"]


def test_hidden_properties_are_no_columns() -> None:
    rows = rows_of({"1": {"bucket": 1, "$bucket": 2, "a": 3}})
    assert rows.names == ["a", "$last_seen"]


@pytest.mark.parametrize(
    ("name", "operator", "value", "found"),
    [
        ("plan", "is", "pro", ["x3"]),
        ("plan", "is not", "pro", ["1", "2", "4", "5"]),
        ("plan", "is one of", 'pro, "Basic"', ["x3", "4"]),
        ("plan", "contains", "as", ["4"]),
        ("plan", "does not contain", "as", ["1", "2", "x3", "5"]),
        ("plan", "is set", "", ["x3", "4"]),
        ("plan", "is not set", "", ["1", "2", "5"]),
        ("age", "is", "7", ["2"]),
        ("age", "is more than", "7", ["1", "x3"]),
        ("age", "is at least", "7", ["1", "2", "x3"]),
        ("age", "is less than", "7.5", ["2"]),
        ("age", "is at most", "7.5", ["2", "x3"]),
        ("tags", "contains", "vip", ["1"]),
        ("tags", "is", '["a", "vip"]', ["1"]),
        ("since", "is on", "2026-05-01", ["4"]),
        ("since", "is before", "2026-05-01T10:00:01Z", ["4"]),
        ("since", "is after", "2026-05-02", []),
        ("$name", "is", "12", ["5"]),
        ("$name", "is", '"12"', []),
        (DISTINCT_ID, "is", "x3", ["x3"]),
        (DISTINCT_ID, "is one of", "1, 4", ["1", "4"]),
    ],
)
def test_a_filter_is_an_expression(name: str, operator: str, value: str, found: list[str]) -> None:
    rows = rows_of(PEOPLE)
    condition, problems = as_expression([Filter(name, operator, value)], "all", rows)
    assert problems == {}
    assert condition is not None
    assert ids(rows, np.flatnonzero(rows.where(condition)[0])) == found
    parsed = tk.ProfileTable()
    parsed.apply([{"$distinct_id": key, "$set": each} for key, each in PEOPLE.items()])
    assert list(parsed.where(condition.text)) == found


def test_filters_are_joined_by_all_or_any_and_unfinished_ones_say_nothing() -> None:
    rows = rows_of(PEOPLE)
    filters = [Filter("age", "is", "7"), Filter("plan", "is", "pro"), Filter(), Filter("plan")]
    both, either = (as_expression(filters, match, rows)[0] for match in ("all", "any"))
    assert both.text == 'user["age"] == 7 and user["plan"] == "pro"'
    assert either.text == 'user["age"] == 7 or user["plan"] == "pro"'
    assert as_expression([Filter(), Filter("plan", "is", " ")], "all", rows) == (None, {})


@pytest.mark.parametrize(
    ("name", "operator", "value", "told"),
    [
        ("age", "is", "abc", "holds numbers"),
        ("age", "is more than", "abc", "no number"),
        ("plan", "is more than", "3", "holds text"),
        ("since", "is on", "tomorrow", "no date"),
        ("$last_seen", "is", "2026-05-01", '"Updated at" is a time'),
        ("age", "contains", "3", "looks into text and lists"),
        ("bucket", "is", "3", "hidden"),
        ("plan", "resembles", "3", "is none of is, is not"),
        ("$mp_first_event_time", "is on", "2026-05-01", "none were given"),
    ],
)
def test_a_filter_that_makes_no_sense_says_why(
    name: str, operator: str, value: str, told: str
) -> None:
    condition, problems = as_expression([Filter(name, operator, value)], "all", rows_of(PEOPLE))
    assert condition is None
    assert told in problems[0]


@pytest.mark.parametrize("name", ["age", "plan", "tags", "$last_seen", "$name", "nobody", "since"])
def test_the_operators_offered_for_a_property_all_work_with_some_value(name: str) -> None:
    rows = rows_of(PEOPLE)
    offered = operators_for(name, rows)
    assert offered
    for operator in offered:
        told = []
        for value in ("7", "2026-05-01", "[1]", "pro"):
            condition, problems = as_expression([Filter(name, operator, value)], "all", rows)
            told += problems.values()
            if condition is not None:
                break
        assert condition is not None, (operator, told)
    assert set(offered) <= set(OPERATORS)


def test_what_no_value_can_meet_is_said() -> None:
    rows = rows_of(PEOPLE)
    condition, _ = as_expression([Filter("plna", "is", "pro")], "all", rows)
    assert rows.where(condition)[1] == ['No profile has a property "plna". Did you mean "plan"?']
