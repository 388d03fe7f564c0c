"""Conditions put together by hand: what there is to choose, and what a choice means."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from hypothesis import given, strategies as st

import toolkit as tk
from tests.moments import START
from toolkit import event, user
from toolkit.base.errors import ArgumentError, ToolkitError
from toolkit.expressions import Property, parse
from toolkit.reports.form.choices import Choices, Suggestions
from toolkit.reports.form.conditions import condition, operators, spelled

PROFILES: dict[str, dict[str, Any]] = {
    "a": {"plan": "pro", "age": 30, "vip": True, "tags": ["x", "y"], "$created": "2026-01-31"},
    "b": {"plan": "", "age": 20.5, "vip": False, "tags": [], "$created": "2026-01-31T23:30:00Z"},
    "c": {"plan": "a, b", "age": 40, "tags": "x", "$created": "2026-02-01", "mix": 7},
    "d": {"plan": None, "scores": [1, 2], "address": {"street": "1"}, "mix": "7"},
    "e": {"due": "soon", "when": 7},
    "f": {"due": "2026-03-01", "when": "2026-03-01T12:00Z"},
}


@pytest.fixture
def profiles() -> tk.ProfileTable:
    table = tk.ProfileTable()
    messages = [{"$distinct_id": key, "$set": values} for key, values in PROFILES.items()]
    assert not len(table.apply(messages).rejected)
    return table


@pytest.fixture
def choices(profiles: tk.ProfileTable) -> Choices:
    df = pd.DataFrame(
        {
            "event": ["Buy", "View", "View"],
            "distinct_id": ["a", "b", "a"],
            "time": "2026-05-01T10:00Z",
            "item": ["tea", "tea", "jam"],
            "amount": [1.5, None, 3.0],
        }
    )
    return Choices(tk.Events(df), profiles.snapshot())


# -- what there is to choose ----------------------------------------------------------------


def test_properties_of_events_and_users_are_offered_by_the_names_people_know(
    choices: Choices, profiles: tk.ProfileTable
) -> None:
    labels = {label: choice.label for label, choice in choices.properties.items()}
    assert labels["event.item"] == "Event: item"
    assert labels["event.event"] == "Event name"
    assert labels["user.plan"] == "User: plan"
    assert labels["user.$created"] == "User: Created"
    assert labels["user.$last_seen"] == "User: Updated at"
    assert labels["user.$mp_first_event_time"] == "User: First Seen"


def test_two_properties_that_would_read_alike_are_told_apart(profiles: tk.ProfileTable) -> None:
    profiles.set("a", {"Created": "x"})
    labels = {c.label for c in Choices(None, profiles.snapshot()).properties.values()}
    assert {"User: Created ($created)", "User: Created (Created)"} <= labels


def test_hidden_properties_are_not_offered(profiles: tk.ProfileTable) -> None:
    profiles.apply([{"$distinct_id": "a", "$set": {"bucket": 1, "$bucket": 2}}])
    df = pd.DataFrame({"event": ["Buy"], "distinct_id": "a", "time": START, "$bucket": 1})
    labels = Choices(tk.Events(df), profiles.snapshot()).properties
    assert not [label for label in labels if "bucket" in label]


@pytest.mark.parametrize(
    ("prop", "type_", "element"),
    [
        (user["plan"], "text", "none"),
        (user["age"], "number", "none"),
        (user["vip"], "boolean", "none"),
        (user["tags"], "list", "text"),
        (user["scores"], "list", "number"),
        (user["$created"], "time", "none"),
        (user["$last_seen"], "time", "none"),
        (user["address"], "object", "none"),
        (user["mix"], "mixed", "none"),
        (user["due"], "text", "none"),
        (user["$distinct_id"], "text", "none"),
        (user["nobody has it"], "none", "none"),
        (event["amount"], "number", "none"),
        (event["time"], "time", "none"),
        (event["event"], "text", "none"),
    ],
)
def test_the_type_of_a_property_is_seen_in_its_values(
    choices: Choices, prop: Property, type_: str, element: str
) -> None:
    about = choices.about(prop)
    assert (about.type, about.element) == (type_, element)


def test_frequent_values_come_first(choices: Choices) -> None:
    assert choices.about(event["item"]).values == ("tea", "jam")
    assert choices.about(event["event"]).values == ("View", "Buy")
    assert choices.about(user["tags"]).values == ("x", "y")


def test_of_many_rows_some_from_end_to_end_are_looked_at() -> None:
    number = 300_000
    items = ["common"] * (number - 1) + ["last"]
    df = pd.DataFrame({"event": "Buy", "distinct_id": "a", "time": START, "item": items})
    assert Choices(tk.Events(df), None).about(event["item"]).values == ("common", "last")


def test_no_values_are_suggested_where_all_of_many_differ() -> None:
    table = tk.ProfileTable()
    for number in range(21):
        table.set(str(number), {"$email": f"p{number}@example.com", "some": number % 20})
    choices = Choices(None, table.snapshot())
    assert choices.about(user["$email"]).values == ()
    assert choices.about(user["$distinct_id"]).values == ()
    assert len(choices.about(user["some"]).values) == 20


def test_where_only_users_are_asked_for_their_properties_go_by_their_names_alone(
    choices: Choices,
) -> None:
    only = Choices(choices.events, choices.snapshot, only_users=True)
    labels = {label: choice.label for label, choice in only.properties.items()}
    assert not [label for label in labels if label.startswith("event.")]
    assert labels["user.plan"] == "plan"
    assert labels["user.$created"] == "Created"
    assert labels["user.$mp_first_event_time"] == "First Seen"
    without = Choices(None, choices.snapshot, only_users=True)
    assert "user.$mp_first_event_time" not in without.properties
    assert {"user.$last_seen", "user.$distinct_id"} <= set(without.properties)


def test_without_events_or_profiles_there_is_nothing_to_choose() -> None:
    assert Choices(None, None).properties == {}
    assert Choices(None, None).event_names == ()


# -- what a choice means --------------------------------------------------------------------

CHOSEN: list[tuple[Property, str, str, list[str]]] = [
    (user["plan"], "is", "pro", ["a"]),
    (user["plan"], "is", '""', ["b"]),
    (user["plan"], "is not", "pro", ["b", "c"]),
    (user["plan"], "is one of", 'pro, "a, b"', ["a", "c"]),
    (user["plan"], "is none of", "pro,", ["b", "c"]),
    (user["plan"], "contains", "a", ["c"]),
    (user["plan"], "does not contain", "a", ["a", "b"]),
    (user["plan"], "is set", "", ["a", "b", "c"]),
    (user["plan"], "is not set", "", ["d", "e", "f"]),
    (user["age"], "≥", "30", ["a", "c"]),
    (user["age"], "<", "20.6", ["b"]),
    (user["age"], "is one of", "30, 40", ["a", "c"]),
    (user["vip"], "is true", "", ["a"]),
    (user["vip"], "is false", "", ["b"]),
    (user["tags"], "has", "x", ["a", "c"]),
    (user["tags"], "does not have", "y", ["b", "c"]),
    (user["tags"], "has one of", "y, z", ["a"]),
    (user["tags"], "has only", "x", ["c"]),
    (user["scores"], "has", "2", ["d"]),
    (user["$created"], "is on", "2026-01-31", ["a", "b"]),
    (user["$created"], "is on", "2026-01-31T23:30:00Z", ["b"]),
    (user["$created"], "is on or after", "2026-01-31T12:00", ["b", "c"]),
    (user["$created"], "is before", "2026-02-01", ["a", "b"]),
    (user["$created"], "is on or before", "2026-01-31", ["a", "b"]),
    (user["$created"], "is on or before", "2026-01-31T23:30Z", ["a", "b"]),
    (user["$created"], "is after", "2026-01-31", ["c"]),
    (user["$created"], "is after", "2026-01-31T12:00", ["b", "c"]),
    (user["due"], "is", "soon", ["e"]),
    (user["due"], "is after", "2026-02-28", ["f"]),
    (user["due"], "is before", "2026-03-01", []),
    (user["when"], "is", "7", ["e"]),
    (user["when"], "is on", "2026-03-01", ["f"]),
    (user["$distinct_id"], "is one of", "a, f", ["a", "f"]),
    (user["mix"], "is", "7", ["c"]),
    (user["mix"], "is", '"7"', ["d"]),
    (user["address"], "is set", "", ["d"]),
]


@pytest.mark.parametrize(("prop", "operator", "typed", "ids"), CHOSEN)
def test_a_chosen_condition_is_true_of_these_profiles(
    choices: Choices,
    profiles: tk.ProfileTable,
    prop: Property,
    operator: str,
    typed: str,
    ids: list[str],
) -> None:
    made = condition(prop, operator, typed, choices.about(prop))
    assert list(profiles.where(made)) == ids
    assert parse(made.text).same_as(made)
    names: dict[str, Any] = {"user": user, "literal": tk.expressions.literal}
    assert eval(made.python, names).same_as(made)


def test_dates_among_other_text_can_be_asked_for_as_both(choices: Choices) -> None:
    names = [each.name for each in operators(choices.about(user["due"]))]
    assert {"is", "contains", "is on or after", "is before", "is after", "is on"} <= set(names)
    assert names[-2:] == ["is set", "is not set"]
    without = [each.name for each in operators(choices.about(user["plan"]))]
    assert "is before" not in without


def test_ids_that_read_as_dates_are_text() -> None:
    table = tk.ProfileTable()
    table.set("2026-01-31", {})
    choices = Choices(None, table.snapshot())
    about = choices.about(user["$distinct_id"])
    assert (about.type, about.has_dates) == ("text", False)
    assert list(table.where(condition(user["$distinct_id"], "is", "2026-01-31", about))) == [
        "2026-01-31"
    ]


def test_every_operator_of_every_type_is_tried_above_or_builds_a_condition() -> None:
    typed = {"text": "x", "number": "1", "time": "2026-01-31", "mixed": "1", "none": "x"}
    for type_ in ("text", "number", "boolean", "time", "list", "object", "mixed", "none"):
        about = Suggestions(type_, "text", ())  # type: ignore[arg-type]
        for operator in operators(about):
            made = condition(user["p"], operator.name, typed.get(type_, "x"), about)
            assert made.is_condition


@pytest.mark.parametrize(
    ("type_", "operator", "typed", "message"),
    [
        ("number", "is", "ten", '"ten" is not a number; write 12 or 2.5'),
        ("number", "is", "true", '"true" is not a number'),
        ("number", "is one of", "1, x", '"x" is not a number'),
        ("number", "is", "1e999", "is not a number"),
        ("number", "is", " ", "give a value"),
        ("time", "is on", "31.1.2026", '"31.1.2026" is not a date; write 2026-01-31'),
        ("text", "is one of", 'a, "b', "the quotes are not closed"),
        ("text", "<", "a", '"<" does not fit text; choose is, is not'),
        ("text", ">", "3", '">" does not fit text'),
        ("text", "is before", "2026-01-31", '"is before" does not fit text'),
    ],
)
def test_what_cannot_be_read_is_refused_in_words(
    type_: Any, operator: str, typed: str, message: str
) -> None:
    with pytest.raises(ArgumentError) as caught:
        condition(user["p"], operator, typed, Suggestions(type_, "none", ()))
    assert message in str(caught.value)


@given(st.text() | st.integers() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False))
def test_what_is_spelled_out_for_a_value_reads_as_that_value(value: Any) -> None:
    mixed = Suggestions("mixed", "none", ())
    try:
        wanted = user["p"] == value
    except ToolkitError:
        return  # no JSON
    assert condition(user["p"], "is", spelled(value, "mixed"), mixed).same_as(wanted)
    typed = spelled(value, "mixed", among_several=True)
    several = condition(user["p"], "is one of", f"{typed}, {typed}", mixed)
    assert several.same_as(user["p"].isin([value, value]))


@given(st.lists(st.text(min_size=1), min_size=1))
def test_several_texts_are_spelled_out_with_commas_between(values: list[str]) -> None:
    typed = ", ".join(spelled(value, "text", among_several=True) for value in values)
    made = condition(user["p"], "is one of", typed, Suggestions("text", "none", ()))
    assert made.same_as(user["p"].isin(values))


@given(st.text())
def test_text_is_spelled_out_so_that_it_reads_as_itself(value: str) -> None:
    text = Suggestions("text", "none", ())
    assert condition(user["p"], "is", spelled(value, "text"), text).same_as(user["p"] == value)
