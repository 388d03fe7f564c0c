"""The texts of the rules, and which of them a message met."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from tests.strategies import NAMES, cells, messages
from toolkit import ProfileTable
from toolkit.updates.messages import parse_message
from toolkit.updates.operators import OPERATORS
from toolkit.updates.rules import RULES, applied_rules, headline

DOCS = (Path(__file__).parent.parent / "docs/rules.md").read_text(encoding="utf-8")
SECTIONS = ("Operators", "Fields around the operators", "Updated At")
NAN = float("nan")


def rules_of(before: Any, message: Any, **envelope: Any) -> list[str]:
    """Return the rules of a message as a table applies it to one profile."""
    profiles = ProfileTable()
    if before is not None:
        profiles.set("1", before)
    if isinstance(message, dict) and "$group_key" not in message:
        message = {"$distinct_id": "1", **message, **envelope}
    result = profiles.apply([message])
    return applied_rules(before, message, profiles.get("1"), result.rejections)


def test_the_rules_say_what_the_document_says() -> None:
    written = dict(re.findall(r"^\| ([A-Z]+(?:-\d+)?) \| (.*) \|$", DOCS, flags=re.M))
    assert {name: written[name] for name in RULES} == dict(RULES)


def test_every_rule_of_messages_in_the_document_is_there() -> None:
    for section in DOCS.split("\n## "):
        if section.partition("\n")[0] in SECTIONS:
            names = set(re.findall(r"^\| ([A-Z]+(?:-\d+)?) \|", section, flags=re.M))
            assert names and names <= set(RULES)


@pytest.mark.parametrize("rule", RULES)
def test_a_headline_is_a_whole_sentence_of_its_rule(rule: str) -> None:
    assert RULES[rule].startswith(headline(rule))
    assert headline(rule).endswith(".")


@pytest.mark.parametrize(
    ("before", "message", "expected"),
    [
        ({"a": 1}, {"$set": {"a": 2}}, ["SET-1", "SEEN-1"]),
        (None, {"$set": {}}, ["SET-2", "SEEN-1"]),
        ({"a": 1}, {"$set": {}}, ["SET-2", "SEEN-2"]),
        ({"a": 1}, {"$set": {"a": None}}, ["SET-1", "SET-2", "SEEN-1"]),
        ({"a": 1}, {"$set": {"a": NAN}}, ["SET-1", "SEEN-2"]),
        (None, {"$set": {"a": NAN}}, ["SET-1", "MSG-5"]),
        ({"a": 1}, {"$set": {"a": NAN, "b": 1}}, ["SET-1", "MSG-3", "SEEN-1"]),
        ({"a": None}, {"$set_once": {"a": 1}}, ["ONCE-1", "SEEN-2"]),
        ({}, {"$set_once": {"a": 1}}, ["ONCE-1", "SEEN-1"]),
        ({"a": 1}, {"$add": {"a": 1}}, ["ADD-1", "SEEN-1"]),
        ({}, {"$add": {"a": 1.5}}, ["ADD-1", "SEEN-1"]),
        ({"a": 1}, {"$add": {"a": 1.0}}, ["ADD-1", "ADD-2", "SEEN-1"]),
        ({"a": 2**53}, {"$add": {"a": 1}}, ["ADD-1", "ADD-2", "SEEN-1"]),
        ({"a": "12"}, {"$add": {"a": 1}}, ["ADD-2", "SEEN-2"]),
        ({"a": 1}, {"$add": {"a": "12"}}, ["ADD-2", "SEEN-2"]),
        ({"a": 1}, {"$add": {"a": NAN}}, ["SET-1", "SEEN-2"]),
        ({"a": "x"}, {"$add": {"a": 1, "b": 1}}, ["ADD-2", "ADD-1", "MSG-3", "SEEN-1"]),
        ({"a": ["x"]}, {"$union": {"a": ["y"]}}, ["UNION-1", "SEEN-1"]),
        ({"a": [1]}, {"$union": {"a": [1.0]}}, ["UNION-1", "EQUAL", "SEEN-2"]),
        ({"a": [1]}, {"$union": {"a": True}}, ["UNION-1", "EQUAL", "SEEN-1"]),
        ({"a": [1]}, {"$union": {"a": "1"}}, ["UNION-1", "EQUAL", "SEEN-1"]),
        ({"a": ["x"]}, {"$append": {"a": "x"}}, ["APPEND-1", "SEEN-1"]),
        ({"a": None}, {"$append": {"a": 1}}, ["LIST-1", "SEEN-2"]),
        ({"a": "x"}, {"$union": {"a": 1}}, ["LIST-1", "SEEN-2"]),
        ({"a": "x"}, {"$remove": {"a": "x"}}, ["LIST-1", "SEEN-2"]),
        ({"a": ["x"]}, {"$remove": {"a": "y"}}, ["REMOVE-1", "SEEN-2"]),
        ({"a": [1, True]}, {"$remove": {"a": 1}}, ["REMOVE-1", "EQUAL", "SEEN-1"]),
        (None, {"$remove": {"a": 1}}, ["REMOVE-1"]),
        ({"a": 1}, {"$unset": "a"}, ["UNSET-1", "SEEN-1"]),
        ({"a": 1}, {"$unset": ["a", "$last_seen"]}, ["SEEN-1", "UNSET-1", "MSG-3"]),
        (None, {"$unset": ["a"]}, ["UNSET-1"]),
        ({"a": 1}, {"$delete": ""}, ["DELETE-1"]),
        (None, {"$delete": ""}, ["DELETE-1"]),
        ({"a": 1}, {"$delete": "", "$set": {"a": 2}}, ["MSG-1", "SEEN-2"]),
        (
            {},
            {"$set": {"a": 1}, "$append": {"a": 1}},
            ["SET-1", "LIST-1", "MSG-1", "MSG-3", "SEEN-1"],
        ),
        ({"a": 1}, {"$set": {"$last_seen": 1}}, ["SEEN-1", "SEEN-2"]),
        ({"a": 1}, {"$increment": {"a": 1}}, ["MSG-4", "SEEN-2"]),
        ({"a": 1}, {"$set": {"a": 2}, "$sett": {}}, ["MSG-4", "SET-1", "MSG-3", "SEEN-1"]),
        ({"a": 1}, {"$set": {"a": NAN}, "$sett": {}}, ["MSG-4", "SET-1", "SEEN-2"]),
        ({"a": 1}, {"$set": {"a": 2}, "$sett": 1}, ["SET-1", "META", "SEEN-1"]),
        ({"a": 1}, {"$set": {"a": 2}, "$mp_metadata": {}}, ["SET-1", "META", "SEEN-1"]),
        ({"a": 1}, {"$sett": 1}, ["MSG-4", "SEEN-2"]),
        ({"a": 1}, {"$device_id": "d"}, ["MSG-4", "SEEN-2"]),
        ({"a": 1}, {"$set": {"a": 2}, "plan": "pro"}, ["MSG-4", "SEEN-2"]),
        ({"a": 1}, {"plan": "pro"}, ["MSG-4", "SEEN-2"]),
        ({"a": 1}, {}, ["MSG-4", "SEEN-2"]),
        ({"a": 1}, {"$set": ["a"]}, ["MSG-4", "SEEN-2"]),
        ({"a": 1}, {"$unset": {"a": 1}}, ["MSG-4", "SEEN-2"]),
        ({"a": 1}, {"$distinct_id": 1, "$set": {"a": 2}}, ["SET-1", "MSG-4", "SEEN-1"]),
        (None, {"$distinct_id": "", "$set": {"a": 2}}, ["MSG-4"]),
        (None, {"$distinct_id": None, "$set": {"a": 2}}, ["MSG-4"]),
        (None, 12, ["MSG-4"]),
        ({"a": 1}, {"$set": {"a": 2}, "$ignore_time": True}, ["SET-1", "META", "SEEN-2"]),
        ({"a": 1}, {"$set": {"a": 2}, "$time": 1_767_225_600}, ["SET-1", "META", "SEEN-1"]),
        ({"a": 1}, {"$set": {"a": 2}, "$time": "soon"}, ["META", "SEEN-2"]),
        ({"a": 1}, {"$set": {"a": 2}, "$ignore_time": 1}, ["META", "SEEN-2"]),
        ({"a": 1}, {"$set": {"bucket": 2}}, ["SET-1", "HIDDEN", "SEEN-1"]),
        (None, {"$group_key": "k", "$group_id": "g", "$set": {"a": 1}}, ["SET-1", "GROUP-1"]),
        (None, {"$group_key": "k", "$group_id": "g", "$add": {"a": 1}}, ["GROUP-1"]),
        (None, {"$group_key": "", "$group_id": "g", "$set": {"a": 1}}, ["GROUP-1"]),
        (None, {"$group_key": "k", "$group_id": None, "$set": {"a": 1}}, ["MSG-4"]),
        (
            None,
            {"$group_key": "k", "$group_id": "g", "$distinct_id": "1", "$set": {}},
            ["GROUP-1"],
        ),
    ],
)
def test_the_rules_of_a_message_follow_from_what_it_did(
    before: Any, message: Any, expected: list[str]
) -> None:
    assert rules_of(before, message) == expected


# The word of each reason that tells which rule rejected a message whole.
REASONS = {
    "combined with another operator": "MSG-1",
    "is not for group profiles": "GROUP-1",
    "$group_key is": "GROUP-1",
    "a message updates one profile": "GROUP-1",
    "is not a time": "META",
    "is not a unix time": "META",
    "$ignore_time is": "META",
}

faulty = st.fixed_dictionaries(
    {},
    optional={
        "$distinct_id": st.sampled_from(["1", 1, "", None, []]),
        "$group_key": st.sampled_from(["k", "", 1]),
        "$group_id": st.sampled_from(["1", "", None]),
        "$time": st.sampled_from([1, "soon", None, True]),
        "$ignore_time": st.sampled_from([True, 1, None]),
        "$set": st.sampled_from([{"a": 1}, [], None]),
        "$append": st.sampled_from([{"a": 1}, "a"]),
        "$delete": st.just(""),
        "$nonsense": st.just({}),
        "nonsense": st.just({}),
        "$newest": st.just(1),
        "$device_id": st.just("d"),
    },
)


@given(faulty)
def test_a_message_of_many_faults_gets_the_rule_of_the_fault_that_is_reported(
    message: dict[str, Any],
) -> None:
    rejected: list[Any] = []
    if parse_message(message, 0, rejected) is None:
        [rejection] = rejected
        named = [rule for words, rule in REASONS.items() if words in rejection.reason]
        assert applied_rules(None, message, None, rejected) == (named or ["MSG-4"])


# The first message drawn builds every strategy, which a busy machine takes its time for.
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from(NAMES), cells), messages())
def test_SEEN_1_is_named_exactly_when_Updated_At_moves(
    before: dict[str, Any], message: dict[str, Any]
) -> None:
    message = {**message, "$distinct_id": "1", "$time": 2_000_000_000}
    profiles = ProfileTable()
    profiles.set("1", before, time=1_000_000_000)
    seen = profiles.last_seen("1")
    result = profiles.apply([message])
    after = profiles.get("1")
    rules = applied_rules(before, message, after, result.rejections)
    assert set(rules) <= set(RULES)
    assert len(set(rules)) == len(rules)
    if after is not None:
        assert ("SEEN-1" in rules) == (profiles.last_seen("1") != seen)
        assert ("SEEN-2" in rules) == (profiles.last_seen("1") == seen)
    if result.applied:
        assert ("MSG-1" in rules) == (sum(name in OPERATORS for name in message) > 1)


def test_DELETE_1_is_named_where_a_write_makes_a_fresh_profile() -> None:
    message = {"$distinct_id": "1", "$set": {"a": 1}}
    fresh = applied_rules(None, message, {"a": 1}, [], was_deleted=True)
    assert fresh == ["SET-1", "DELETE-1", "SEEN-1"]
    nothing = {"$distinct_id": "1", "$remove": {"a": 1}}
    assert applied_rules(None, nothing, None, [], was_deleted=True) == ["REMOVE-1"]


def test_EQUAL_tells_what_looks_alike_apart() -> None:
    assert "EQUAL" in rules_of({"a": [1]}, {"$remove": {"a": 1.0}})
    assert "EQUAL" in rules_of({"a": [{"x": 1, "y": 2}]}, {"$remove": {"a": {"y": 2, "x": 1}}})
    assert "EQUAL" in rules_of({"a": ["true"]}, {"$remove": {"a": True}})
    assert "EQUAL" not in rules_of({"a": [1, "b"]}, {"$remove": {"a": 1}})
