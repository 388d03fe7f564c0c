"""Filters put together from lists, and as text."""

from __future__ import annotations

import pandas as pd
import pytest

import toolkit as tk
from tests.moments import START
from toolkit import event, user
from toolkit.forms.parts.filter_state import FilterState
from toolkit.reports.form.choices import Choices


@pytest.fixture
def choices() -> Choices:
    df = pd.DataFrame(
        {"event": "Buy", "distinct_id": ["a", "b"], "time": START, "amount": [1, 2], "item": "tea"}
    )
    profiles = tk.ProfileTable()
    profiles.apply(
        [
            {"$distinct_id": "a", "$set": {"plan": "pro", "age": 3, "tags": ["x", "y, z"]}},
            {"$distinct_id": "b", "$set": {"plan": "<img src=x onerror=alert(1)>"}},
        ]
    )
    return Choices(tk.Events(df), profiles.snapshot())


@pytest.fixture
def filter_(choices: Choices) -> FilterState:
    return FilterState(lambda: choices)


def test_rows_are_joined_by_and_or_or(filter_: FilterState) -> None:
    assert filter_.condition is None
    filter_.add("user.plan", "is", "pro")
    filter_.add("event.amount", "≥", "2")
    assert filter_.condition is not None
    assert filter_.condition.same_as((user["plan"] == "pro") & (event["amount"] >= 2))
    filter_.join = "or"
    assert filter_.condition.same_as((user["plan"] == "pro") | (event["amount"] >= 2))
    filter_.remove(filter_.rows[0])
    assert filter_.condition.same_as(event["amount"] >= 2)


def test_the_operators_fit_the_type_of_the_property(filter_: FilterState) -> None:
    row = filter_.add("user.plan", "contains", "p")
    row.prop = "user.age"
    assert "contains" not in row.operators
    assert row.operator == row.operators[0]
    row.prop = "user.tags"
    assert row.operators[:2] == ("has", "does not have")
    row.operator = "is set"
    row.prop = "event.item"
    assert row.operator == "is set"  # it fits every type
    assert not row.takes_value


def test_frequent_values_are_suggested_as_one_types_them(filter_: FilterState) -> None:
    row = filter_.add("user.tags")
    assert row.suggestions == ("x", "y, z")
    row.operator = "has one of"
    assert row.suggestions == ("x", '"y, z"')
    row.prop = "user.plan"
    assert "<img src=x onerror=alert(1)>" in row.suggestions


def test_an_unfinished_row_does_not_count_and_says_so(filter_: FilterState) -> None:
    filter_.add("user.plan", "is", "pro")
    row = filter_.add()
    assert filter_.condition is not None
    assert filter_.condition.same_as(user["plan"] == "pro")
    assert row.hint.startswith("Choose a property")
    row.prop = "user.age"
    assert row.hint.startswith("Give a value")
    assert filter_.is_right
    row.operator = "is set"
    assert row.hint == ""
    assert filter_.condition.same_as((user["plan"] == "pro") & user["age"].is_set())


def test_a_wrong_row_says_what_is_wrong_and_keeps_what_was_typed(filter_: FilterState) -> None:
    row = filter_.add("user.age", "is", "old")
    assert row.error == '"old" is not a number; write 12 or 2.5.'
    assert not filter_.is_right
    assert row.value == "old"
    row.value = "3"
    assert row.error == ""
    assert filter_.is_right
    row.prop = "user.nothing"
    assert row.error.startswith('There is no property "user.nothing".')


def test_the_text_begins_as_what_the_rows_say(filter_: FilterState) -> None:
    filter_.add("user.plan", "is", "pro")
    filter_.use("text")
    assert filter_.text == 'user["plan"] == "pro"'
    filter_.text = 'user["plan"] != "pro"'
    assert filter_.condition is not None
    assert filter_.condition.same_as(user["plan"] != "pro")
    filter_.use("rows")
    assert filter_.condition.same_as(user["plan"] == "pro")
    filter_.use("text")
    assert filter_.text == 'user["plan"] != "pro"'


def test_an_error_in_the_text_points_at_the_place(filter_: FilterState) -> None:
    filter_.use("text")
    filter_.text = 'user["plan"] = "pro"'
    message, line, mark = filter_.error.splitlines()
    assert message == 'found "="; write == for equal'
    assert line[mark.index("^")] == "="
    assert not filter_.is_right
    assert filter_.condition is None
    filter_.text = "  "
    assert filter_.is_right


def test_each_change_is_told_once(filter_: FilterState) -> None:
    told: list[str] = []
    filter_.on_change(lambda: told.append(repr(filter_.condition)))
    row = filter_.add("user.plan", "is", "pro")
    row.value = "free"
    filter_.show(user["age"] > 3)
    filter_.clear()
    assert told == [
        'user["plan"] == "pro"',
        'user["plan"] == "free"',
        'user["age"] > 3',
        "None",
    ]


def test_an_operator_given_that_does_not_fit_stays_and_is_told(filter_: FilterState) -> None:
    row = filter_.add("user.plan", ">", "3")
    assert row.operator == ">"
    assert row.error.startswith('">" does not fit text; choose is, is not')
    assert not filter_.is_right
    row.operator = "contains"
    assert (row.error, row.value) == ("", "3")


def test_a_hidden_property_is_refused_as_that(filter_: FilterState) -> None:
    row = filter_.add("user.$bucket", "is", "3")
    assert "is hidden from every form" in row.error


@pytest.mark.parametrize(
    ("text", "told"),
    [('user["plan"]', "is a value, not a condition"), ('any(user["tags"])', "needs a comparison")],
)
def test_a_text_that_is_no_condition_says_so(filter_: FilterState, text: str, told: str) -> None:
    filter_.show(text)
    assert told in filter_.error
    assert (filter_.condition, filter_.is_right, filter_.text) == (None, False, text)


def test_a_text_is_shown_as_it_was_given(filter_: FilterState) -> None:
    filter_.show('user["plan"]=="pro"')
    assert (filter_.mode, filter_.text) == ("text", 'user["plan"]=="pro"')
    assert filter_.condition is not None
    assert filter_.condition.same_as(user["plan"] == "pro")


def test_what_was_refused_as_a_whole_is_wrong_until_the_next_change(filter_: FilterState) -> None:
    row = filter_.add("user.plan", "is", "pro")
    filter_.refuse("not here")
    assert (filter_.error, filter_.is_right) == ("not here", False)
    row.value = "free"
    assert (filter_.error, filter_.is_right) == ("", True)


def test_rows_are_read_anew_of_what_there_is_to_choose_from_by_then(choices: Choices) -> None:
    now = choices
    filter_ = FilterState(lambda: now)
    told: list[str] = []
    filter_.on_change(lambda: told.append("changed"))
    row = filter_.add("user.tier", "is", "gold")
    assert row.error.startswith("There is no property")
    profiles = tk.ProfileTable()
    profiles.set("a", {"tier": "gold"})
    now = Choices(None, profiles.snapshot())
    filter_.reread()
    assert row.error == ""
    assert filter_.condition is not None
    assert filter_.condition.same_as(user["tier"] == "gold")
    assert "user.tier" in filter_.offered
    assert (filter_.revision, told) == (1, ["changed"])
