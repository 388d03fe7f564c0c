"""What a valid update is."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from time import process_time
from typing import Any

import numpy as np
import pandas as pd
import pytest

import toolkit as tk
from toolkit.base.reserved import SDK_FIELDS
from toolkit.base.times import parse_time
from toolkit.profiles.table import ProfileTable
from toolkit.sources.live.arriving_events import read_event
from toolkit.updates import Message, Rejection, parse_message


def parsed(raw: Any, group_key: str = "") -> tuple[Message | None, list[Rejection]]:
    rejected: list[Rejection] = []
    return parse_message(raw, 7, rejected, group_key=group_key), rejected


def reason_of(raw: Any, group_key: str = "") -> str:
    message, [rejection] = parsed(raw, group_key)
    assert message is None
    assert rejection.index == 7
    return rejection.reason


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, [math.nan], {"x": np.inf}])
def test_SET_1_NaN_and_infinities_are_rejected(value: Any) -> None:
    message, [rejection] = parsed({"$distinct_id": "1", "$set": {"bad": value, "good": 1}})
    assert message is not None
    assert message.operations == (("$set", {"good": 1}),)
    assert (rejection.operator, rejection.property) == ("$set", "bad")
    assert "no" in rejection.reason


def test_SET_2_a_set_of_which_nothing_is_left_creates_no_profile() -> None:
    assert parsed({"$distinct_id": "1", "$set": {"bad": math.nan}})[0] is None


@pytest.mark.parametrize(
    ("given", "expected"),
    [(123, "123"), (123.0, "123"), ("123", "123"), (np.int64(5), "5"), (-0.5, "-0.5")],
)
def test_MSG_4_a_number_as_ID_becomes_its_decimal_text(given: Any, expected: str) -> None:
    message, rejected = parsed({"$distinct_id": given, "$set": {}})
    assert message is not None
    assert (message.distinct_id, rejected) == (expected, [])


@pytest.mark.parametrize(
    "given", [None, "", True, math.nan, math.inf, [], {}, b"x", pd.NA, "\ud800"]
)
def test_MSG_4_a_distinct_ID_that_is_none_rejects_the_message(given: Any) -> None:
    assert "distinct ID" in reason_of({"$distinct_id": given, "$set": {}})


def test_MSG_4_a_message_without_a_distinct_ID_is_rejected() -> None:
    assert "no $distinct_id" in reason_of({"$set": {}})


@pytest.mark.parametrize("raw", [None, 1, "text", [], [{"$distinct_id": "1"}]])
def test_MSG_4_what_is_no_object_is_rejected(raw: Any) -> None:
    assert "object" in reason_of(raw)


@pytest.mark.parametrize("argument", [{"a": 1}, {}, ["a"], 1, "a", None])
def test_MSG_4_an_unknown_operator_alone_rejects_the_message(argument: Any) -> None:
    for meta in ({}, {"$token": "t", "$time": 1_767_225_600, "$device_id": "d"}):
        reason = reason_of({"$distinct_id": "1", **meta, "$increment": argument})
        assert "$increment" in reason
        assert "$add" in reason


@pytest.mark.parametrize("argument", [{"a": 1}, {}, ["a"], [], ("a",), {1}, b"x", object()])
@pytest.mark.parametrize("known", [{"$set": {"a": 1}}, {"$unset": ["a"]}, {"$delete": ""}])
def test_MSG_4_an_unknown_operator_beside_another_is_refused_by_itself(
    known: Any, argument: Any
) -> None:
    for raw in ({**known, "$increment": argument}, {"$increment": argument, **known}):
        message, [rejection] = parsed({"$distinct_id": "1", **raw})
        assert message is not None
        assert message.operations == tuple(known.items())
        assert (rejection.operator, rejection.property) == ("$increment", None)
        assert "$add" in rejection.reason


@pytest.mark.parametrize("field", ["plan", "set", "", 1, None])
@pytest.mark.parametrize("value", [1, {"a": 1}])
def test_MSG_4_a_property_beside_an_operator_rejects_the_message(field: Any, value: Any) -> None:
    assert "inside $set" in reason_of({"$distinct_id": "1", "$set": {"a": 1}, field: value})


SDK_MESSAGE = {
    "$token": "t",
    "$distinct_id": "1",
    "$device_id": "19b0c4a5-d1f1-4f9c-a5a9-3f3c1d2e4b5a",
    "$user_id": "1",
    "$had_persisted_distinct_id": True,
    "$mp_metadata": {"$mp_event_id": "1a", "$mp_session_id": "2b", "$mp_session_seq_id": 0},
    "$browser_version": 131,
    "$browser": "Chrome",
    "$os": "Linux",
    "$insert_id": "3c",
    "$lib_version": "2.55.1",
    "$mp_lib": "web",
}


@pytest.mark.parametrize("field", sorted(SDK_FIELDS))
@pytest.mark.parametrize("value", [None, 1, "x", {"a": 1}, ["a"]])
def test_META_what_SDKs_send_rejects_nothing_whatever_its_value(field: str, value: Any) -> None:
    ignored: list[Rejection] = []
    rejected: list[Rejection] = []
    raw = {"$distinct_id": "1", field: value, "$set": {"a": 1}}
    message = parse_message(raw, 0, rejected, ignored=ignored)
    assert (message, rejected, ignored) == (Message("1", (("$set", {"a": 1}),)), [], [])


@pytest.mark.parametrize(
    "operation",
    [
        {"$set": {"$browser_version": 131, "plan": "pro"}},
        {"$set_once": {"$device_id": "d"}},
        {"$add": {"visits": 1}},
        {"$append": {"$transactions": {"$amount": 9.5, "$time": "2026-01-01T00:00:00"}}},
        {"$union": {"tags": ["a"]}},
        {"$remove": {"tags": "a"}},
        {"$unset": ["$transactions"]},
        {"$delete": "1"},
    ],
)
def test_META_a_message_of_an_SDK_does_what_it_does_without_its_meta_fields(operation: Any) -> None:
    before = {"$distinct_id": "1", "$set": {"visits": 1, "tags": ["a"], "$transactions": []}}
    plain, sdk = ProfileTable(), ProfileTable()
    plain.apply([before, {"$distinct_id": "1", **operation}])
    result = sdk.apply([before, {**SDK_MESSAGE, **operation}])
    assert (result.applied, list(result.rejections), list(result.cautions)) == (2, [], [])
    assert plain.get("1") == sdk.get("1")


def test_META_a_property_of_an_SDKs_field_name_is_a_property_inside_an_operator() -> None:
    profiles = ProfileTable()
    profiles.set("1", dict.fromkeys(SDK_FIELDS, 1))
    assert set(profiles["1"]) == SDK_FIELDS


@pytest.mark.parametrize("value", [None, True, 1, 0.5, math.nan, "x", np.int64(1), SDK_MESSAGE])
def test_META_an_unknown_field_of_one_value_is_ignored_with_one_warning_a_batch(value: Any) -> None:
    profiles = ProfileTable()
    sent = [{"$distinct_id": key, "$set": {"a": 1}, "$newest": value} for key in "123"]
    result = profiles.apply(sent)
    assert len(profiles) == 3
    if value is SDK_MESSAGE:
        assert [each.operator for each in result.rejections] == ["$newest"] * 3
        return
    [warning] = result.warnings.to_dict("records")
    assert (warning["index"], warning["operator"], list(result.rejections)) == (0, "$newest", [])
    assert "3 messages" in warning["reason"]


def test_META_a_misspelt_operator_of_one_value_is_named() -> None:
    result = ProfileTable().apply([{"$distinct_id": "1", "$set": {}, "$unste": "plan"}])
    assert 'Did you mean "$unset"' in result.warnings["reason"][0]


def test_META_a_group_takes_the_same_fields() -> None:
    raw = {"$group_key": "company", "$group_id": "acme", "$device_id": "d", "$newest": {}}
    message, [rejection] = parsed({**raw, "$set": {"a": 1}})
    assert message is not None
    assert (message.group_key, rejection.operator) == ("company", "$newest")


def test_MSG_4_a_property_outside_an_operator_is_explained() -> None:
    assert "inside $set" in reason_of({"$distinct_id": "1", "plan": "pro"})


@pytest.mark.parametrize("operator", ["$set", "$set_once", "$add", "$union", "$append", "$remove"])
@pytest.mark.parametrize("argument", [None, 1, "a", ["a"]])
def test_MSG_4_a_wrong_shaped_argument_rejects_the_message(operator: str, argument: Any) -> None:
    assert operator in reason_of({"$distinct_id": "1", operator: argument})


@pytest.mark.parametrize("argument", [None, 1, {"a": 1}, [1], ["a", None]])
def test_MSG_4_unset_takes_names(argument: Any) -> None:
    assert "$unset" in reason_of({"$distinct_id": "1", "$unset": argument})


def test_UNSET_1_one_name_is_accepted() -> None:
    message, _ = parsed({"$distinct_id": "1", "$unset": "plan"})
    assert message is not None
    assert message.operations == (("$unset", ["plan"]),)


def test_MSG_1_delete_beside_another_operator_is_rejected() -> None:
    reason = reason_of({"$distinct_id": "1", "$delete": "", "$set": {"a": 1}})
    assert "$delete" in reason


@pytest.mark.parametrize("argument", ["", None, 1, [], {"a": 1}])
def test_DELETE_1_its_value_is_ignored(argument: Any) -> None:
    message, rejected = parsed({"$distinct_id": "1", "$delete": argument})
    assert message is not None
    assert rejected == []


def test_SEEN_1_last_seen_cannot_be_set() -> None:
    for operator in ("$set", "$set_once", "$append"):
        message, [rejection] = parsed({"$distinct_id": "1", operator: {"$last_seen": 1, "a": 1}})
        assert message is not None
        assert message.operations == ((operator, {"a": 1}),)
        assert rejection.property == "$last_seen"


@pytest.mark.parametrize(
    "time",
    [
        1_767_225_600,
        1_767_225_600_000,
        1_767_225_600.0,
        "2026-01-01",
        "2026-01-01T00:00:00Z",
        "2026-01-01T01:00:00+01:00",
        datetime(2026, 1, 1, tzinfo=UTC),
        pd.Timestamp("2026-01-01"),
    ],
)
def test_META_time_is_seconds_milliseconds_or_ISO(time: Any) -> None:
    message, _ = parsed({"$distinct_id": "1", "$set": {}, "$time": time})
    assert message is not None
    assert message.time == parse_time("2026-01-01")


@pytest.mark.parametrize(
    "time",
    [
        "yesterday",
        True,
        math.nan,
        1e300,
        [],
        "2026-13-01",
        "1767225600",
        "9999-12-31T23:59:59-14:00",
    ],
)
def test_META_a_time_that_is_none_rejects_the_message(time: Any) -> None:
    assert "time" in reason_of({"$distinct_id": "1", "$set": {}, "$time": time})


def test_META_fields_are_never_properties() -> None:
    meta = {
        **{"$token": "t", "$ip": "1.2.3.4", "$ignore_alias": True, "$time": 1_767_225_600},
        **{"$latitude": 1.5, "$longitude": 2.5, "$ignore_time": True},
    }
    message, rejected = parsed({"$distinct_id": "1", "$set": {"a": 1}, **meta})
    assert message is not None
    assert (message.operations, rejected) == ((("$set", {"a": 1}),), [])
    assert message.ignore_time


@pytest.mark.parametrize("operator", ["$add", "$append"])
def test_GROUP_1_add_and_append_are_not_for_groups(operator: str) -> None:
    raw = {"$group_key": "company", "$group_id": "acme", operator: {"a": 1}}
    assert "GROUP-1" in reason_of(raw)


@pytest.mark.parametrize(
    "raw",
    [
        {"$group_id": "acme", "$set": {}},
        {"$group_key": "", "$group_id": "acme", "$set": {}},
        {"$group_key": "company", "$set": {}},
        {"$group_key": "company", "$group_id": "acme", "$distinct_id": "1", "$set": {}},
    ],
)
def test_GROUP_1_a_group_message_needs_both_key_and_ID_and_no_user(raw: Any) -> None:
    assert "group" in reason_of(raw).lower()


def test_GROUP_1_a_message_for_another_table_is_rejected() -> None:
    assert "company" in reason_of({"$distinct_id": "1", "$set": {}}, "company")
    other = {"$group_key": "team", "$group_id": "1", "$set": {}}
    assert "team" in reason_of(other, "company")


def test_values_are_copied_from_the_sender() -> None:
    tags = ["a"]
    message, _ = parsed({"$distinct_id": "1", "$set": {"tags": tags}})
    tags.append("b")
    assert message is not None
    assert message.operations == (("$set", {"tags": ["a"]}),)


def test_numpy_and_pandas_values_become_JSON() -> None:
    given = {
        "i": np.int64(1),
        "f": np.float32(0.5),
        "b": np.bool_(True),
        "t": pd.Timestamp("2026-01-01"),
        "l": (1, 2),
        "a": np.array([1, 2]),
    }
    message, rejected = parsed({"$distinct_id": "1", "$set": given})
    assert message is not None
    assert rejected == []
    assert message.operations[0][1] == {
        "i": 1, "f": 0.5, "b": True, "t": "2026-01-01T00:00:00Z", "l": [1, 2], "a": [1, 2],
    }  # fmt: skip


@pytest.mark.parametrize(
    "value", [object(), {1: 2}, b"bytes", pd.NaT, {"a", "b"}, "\udfff", [10**5000]]
)
def test_what_is_no_JSON_is_rejected_by_property(value: Any) -> None:
    message, [rejection] = parsed({"$distinct_id": "1", "$set": {"bad": value, "good": 1}})
    assert message is not None
    assert rejection.property == "bad"


def test_nesting_past_what_readers_take_is_rejected_not_a_crash() -> None:
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    _, [rejection] = parsed({"$distinct_id": "1", "$set": {"deep": deep}})
    assert "deep" in rejection.reason


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"event": "Buy", "properties": {"distinct_id": "1"}}, "This is an event"),
        ({"distinct_id": "1", "$set": {"a": 1}}, 'Write "$distinct_id"'),
        ({"$distinctId": "1", "$set": {"a": 1}}, 'Write "$distinct_id"'),
        ({"$distinct_id": "1", "$Set": {"a": 1}}, 'Did you mean "$set"?'),
        ({"$distinct_id": "1", "set": {"a": 1}}, 'Did you mean "$set"?'),
        ({"$distinct_id": "1", "unset": ["a"]}, 'Did you mean "$unset"?'),
        ({"$distinct_id": "1", "$properties": {"a": 1}}, "toolkit.read_people reads it"),
    ],
)
def test_MSG_4_the_usual_wrong_objects_are_recognised(wrong: dict[str, Any], said: str) -> None:
    assert said in reason_of(wrong)


def test_an_update_sent_as_an_event_is_pointed_to_engage() -> None:
    fault = read_event({"$distinct_id": "1", "$set": {"a": 1}}, 0, 40, 0, strict=False)
    assert isinstance(fault, Rejection)
    assert (
        fault.reason == "an event needs a name; this is an update of a profile: send it to /engage"
    )


@pytest.mark.parametrize(
    "names",
    [
        ["a", "b"],
        ("a", "b"),
        np.array(["a", "b"]),
        np.array(["a", "b"], dtype=object),
        [np.str_("a"), np.str_("b")],
    ],
    ids=["list", "tuple", "array", "objects", "NumPy text"],
)
def test_CELL_2_unset_takes_arrays_in_messages_and_calls(names: Any) -> None:
    sent, called = tk.ProfileTable(), tk.ProfileTable()
    for profiles in (sent, called):
        profiles.set("1", {"a": 1, "b": 2, "c": 3})
    assert sent.apply([{"$distinct_id": "1", "$unset": names}]).applied == 1
    assert called.unset("1", names).applied == 1
    assert sent["1"] == called["1"] == {"c": 3}
    single = np.array("c")
    assert sent.apply([{"$distinct_id": "1", "$unset": single}]).applied == 1
    assert sent["1"] == {}
    for wrong in (np.array([1, 2]), np.array([["a"]]), np.array(1)):
        result = sent.apply([{"$distinct_id": "1", "$unset": wrong}])
        assert "$unset is a property name or a list of them" in result.rejections[0].reason


@pytest.mark.parametrize("given", [np.True_, np.False_, True, False])
def test_CELL_2_ignore_time_takes_NumPy_truth(given: Any) -> None:
    profiles = tk.ProfileTable()
    message = {"$distinct_id": "1", "$set": {"a": 1}, "$time": "2026-01-01", "$ignore_time": given}
    assert profiles.apply([message]).applied == 1
    assert (profiles.last_seen("1") is None) == bool(given)
    again = tk.ProfileTable()
    again.set("1", {"a": 1}, time="2026-01-01", ignore_time=given)
    assert (again.last_seen("1") is None) == bool(given)


def test_rejecting_many_messages_takes_no_longer_than_applying_them() -> None:
    profiles, number = tk.ProfileTable(), 50_000
    valid = [{"$distinct_id": "1", "$set": {"a": 1}}] * number
    began = process_time()
    profiles.apply(valid, progress=False)
    of_valid = process_time() - began
    for wrong in ([], {}, {"$distinct_id": "1"}, {"$set": {"a": 1}}, "x", None):
        began = process_time()
        result = profiles.apply([wrong] * number, progress=False)  # type: ignore[list-item]
        assert process_time() - began < of_valid  # what is left out costs less than what is not
        assert len(result.rejections) == number
