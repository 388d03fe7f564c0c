"""The rows of the form of users: titles, search, sorting, conditions, on whole columns."""

from __future__ import annotations

from functools import cmp_to_key
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st

import toolkit as tk
from tests.effort import examples
from tests.moments import START
from tests.strategies import values
from toolkit import user
from toolkit.base import reserved
from toolkit.forms.users.rows import DISTINCT_ID, TITLE, UserRows


def rows_of(profiles: dict[str, dict[str, Any]], events: Any = None, **options: Any) -> UserRows:
    table = tk.ProfileTable()
    table.apply([{"$distinct_id": key, "$set": each} for key, each in profiles.items()])
    return UserRows(table.snapshot(), events, **options)


def events_of(*rows: tuple[str, Any, str]) -> tk.Events:
    return tk.Events(pd.DataFrame(rows, columns=["event", "distinct_id", "time"]))


def ids(rows: UserRows, positions: Any) -> list[str]:
    return rows.ids.take(np.asarray(positions)).to_pylist()


PEOPLE = {
    "1": {"$name": "  Ann Lee ", "$email": "ann@example.com", "age": 30, "tags": ["a", "vip"]},
    "2": {"$first_name": "Bob", "$last_name": "Ö", "$email": "BOB@example.com", "age": 7},
    "x3": {"$email": "cid@example.org", "plan": "pro", "age": 7.5},
    "4": {"$name": " ", "plan": "Basic", "since": "2026-05-01T10:00:00Z"},
    "5": {"$name": 12, "plan": None},
}


@settings(max_examples=examples(100), deadline=None)
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
    assert ids(rows, np.flatnonzero(rows.matches(search))) == found


def test_an_empty_search_asks_nothing() -> None:
    assert rows_of(PEOPLE).matches("  ") is None


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
    rows = UserRows(table.snapshot())
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


@settings(max_examples=examples(100), deadline=None)
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


@settings(max_examples=examples(60), deadline=None)
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
                "time": pd.Series([300, 200, 100, 100, None, 100, 150]) + START,
                "bucket": [None, None, None, 1, None, None, None],
            }
        )
    )
    rows = rows_of(PEOPLE, events, everybody=True)
    assert rows.ids.to_pylist() == ["new", "x3", "1"]
    assert rows.has_profile.tolist() == [False, True, True]
    assert rows.texts(TITLE, np.arange(3)) == ["new", "cid@example.org", "Ann Lee"]
    assert rows.texts("$mp_first_event_time", np.arange(3)) == [
        "2026-01-01 00:02:30",
        "2026-01-01 00:03:20",
        "2026-01-01 00:01:40",
    ]
    assert rows.texts("age", np.arange(3)) == ["", "7.5", "30"]
    assert ids(rows, np.flatnonzero(rows.matches("ann"))) == ["1"]
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


def test_a_condition_is_true_of_the_same_users_as_in_the_table() -> None:
    rows = rows_of(PEOPLE)
    table = tk.ProfileTable()
    table.apply([{"$distinct_id": key, "$set": each} for key, each in PEOPLE.items()])
    for condition in (user["age"] > 7, user[DISTINCT_ID].isin(["1", "4"]), ~user["plan"].is_set()):
        mask, notes = rows.where(condition)
        assert ids(rows, np.flatnonzero(mask)) == list(table.where(condition))
        assert notes == []


def test_what_no_value_can_meet_is_said() -> None:
    notes = rows_of(PEOPLE).where(user["plna"] == "pro")[1]
    assert notes == ['No profile has a property "plna". Did you mean "plan"?']
