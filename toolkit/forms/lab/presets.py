"""Cases that surprise: a profile and messages, never a result.

What happens, and by which rule, is determined when a case is opened.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from toolkit.updates import Profile

_ARRIVAL: Final = "2026-03-01T12:00:00Z"
_SEEN: Final = "2026-02-01T09:00:00Z"


class Preset(NamedTuple):
    """A case to look at: what to ask oneself, the profile, and one message or more."""

    question: str
    profile: Profile | None
    messages: tuple[Mapping[str, Any], ...]
    #: Updated At before, and when the first message arrives; ISO 8601, "" for never.
    updated_at: str = _SEEN
    arrival: str = _ARRIVAL


def _sent(*messages: Mapping[str, Any]) -> tuple[Mapping[str, Any], ...]:
    return tuple({"$distinct_id": "ann", **message} for message in messages)


#: The cases by name, in the order they teach.
PRESETS: Final[Mapping[str, Preset]] = MappingProxyType(
    {
        "A first look": Preset(
            "What does one $set write, and what does it leave alone?",
            {"plan": "free", "age": 41},
            _sent({"$set": {"plan": "pro", "city": "Oslo"}}),
        ),
        "$set of null": Preset(
            "Is a property that was set to null still there?",
            {"plan": "pro", "age": 41},
            _sent({"$set": {"age": None}}),
        ),
        "$set of {} with no profile": Preset(
            "There is no profile, and nothing to write. Is there one afterwards?",
            None,
            _sent({"$set": {}}),
            updated_at="",
        ),
        "$set of NaN": Preset(
            "One of the two values is not JSON. What becomes of the other?",
            {"plan": "free"},
            _sent({"$set": {"score": float("nan"), "plan": "pro"}}),
        ),
        "$set_once over null": Preset(
            "All three are there, and all three are empty. Which does $set_once write?",
            {"age": None, "nickname": "", "visits": 0},
            _sent({"$set_once": {"age": 42, "nickname": "Ann", "visits": 1, "city": "Oslo"}}),
        ),
        "$add to text": Preset(
            "One property is text. Does it stop the other?",
            {"plan": "pro", "orders": 2},
            _sent({"$add": {"plan": 1, "orders": 1}}),
        ),
        "$add of numeric text": Preset(
            'Is "5" a number when it is added? And when it is stored?',
            {"orders": 2, "visits": "12"},
            _sent({"$add": {"orders": "5", "visits": 1}}),
        ),
        "$add to what is not there": Preset(
            "What is absent plus 2.5? And null plus 1?",
            {"age": None},
            _sent({"$add": {"points": 2.5, "age": 1}}),
        ),
        "$add past 2^53": Preset(
            "A float would lose this 1. And what becomes of 3 when 1.0 is added?",
            {"views": 2**53, "orders": 3},
            _sent({"$add": {"views": 1, "orders": 1.0}}),
        ),
        "$union after duplicates": Preset(
            "Two $append made a duplicate. Does $union of something else leave it?",
            {"tags": []},
            _sent(
                {"$append": {"tags": "vip"}},
                {"$append": {"tags": "vip"}},
                {"$union": {"tags": ["new"]}},
            ),
        ),
        "$union of a list with duplicates": Preset(
            "The values given hold duplicates themselves. How long is the list afterwards?",
            {"tags": ["b"]},
            _sent({"$union": {"tags": ["a", "b", "a"], "seen": ["x", "x"]}}),
        ),
        "$append of a list": Preset(
            "Is a list appended as one element or as several? And with $union?",
            {"seen": ["Tent"], "tags": ["a"]},
            _sent({"$append": {"seen": ["Map", "Stove"]}, "$union": {"tags": ["b", "c"]}}),
        ),
        "$remove of what is there twice": Preset(
            "Is one taken out, or both?",
            {"seen": ["Tent", "Map", "Tent"]},
            _sent({"$remove": {"seen": "Tent"}}),
        ),
        "$remove of what is not there": Preset(
            "Neither the value nor the other property exists. Does Updated At move?",
            {"tags": ["vip"]},
            _sent({"$remove": {"tags": "beta", "seen": "Tent"}}),
        ),
        "List operators on null": Preset(
            "Null is not a list. Does one of the three begin one?",
            {"tags": None, "seen": None, "items": None},
            _sent({"$union": {"tags": ["a"]}, "$append": {"seen": "b"}, "$remove": {"items": "c"}}),
        ),
        '1, 1.0, true and "1"': Preset(
            "Which of the four does $remove of 1 take out?",
            {"a": [1, 1.0, True, "1"]},
            _sent({"$remove": {"a": 1}}),
        ),
        '$union of 1.0, true and "1"': Preset(
            "The list holds 1. Which of the three are new?",
            {"a": [1]},
            _sent({"$union": {"a": [1.0, True, "1"]}}),
        ),
        "$unset of the last property": Preset(
            "Nothing is left. Is the profile?",
            {"plan": "pro"},
            _sent({"$unset": ["plan", "no such property"]}),
        ),
        "$delete with another operator": Preset(
            "Deleted first and written then, or nothing of both?",
            {"plan": "pro"},
            _sent({"$delete": "", "$set": {"plan": "free"}}),
        ),
        "$delete, then a write": Preset(
            "What of the old profile is in the new one?",
            {"plan": "pro", "age": 41},
            _sent({"$delete": ""}, {"$set": {"city": "Oslo"}}),
        ),
        "Several operators in one message": Preset(
            "They apply in the order written. And if they were the other way round?",
            {"orders": 5},
            _sent({"$set": {"orders": 1}, "$add": {"orders": 10}}),
        ),
        "An operator that does not exist": Preset(
            "One operator of the two is unknown. Is the other applied?",
            {"orders": 5},
            _sent({"$set": {"plan": "pro"}, "$increment": {"orders": 1}}),
        ),
        "A rejected message makes no profile": Preset(
            "There is no profile, and the only property is rejected. Is there one afterwards?",
            None,
            _sent({"$add": {"orders": "5"}}),
            updated_at="",
        ),
        "Updated At: a late message": Preset(
            "The message says it happened in January. Is it applied? Does Updated At go back?",
            {"plan": "free"},
            _sent({"$set": {"plan": "pro"}, "$time": "2026-01-15T08:00:00Z"}),
        ),
        "Updated At: an equal value": Preset(
            "Nothing is different afterwards. Does Updated At move? And with $set_once?",
            {"plan": "pro"},
            _sent({"$set": {"plan": "pro"}}, {"$set_once": {"plan": "pro"}}),
        ),
        "Updated At: $ignore_time": Preset(
            "The plan changes. Does Updated At move?",
            {"plan": "free"},
            _sent({"$set": {"plan": "pro"}, "$ignore_time": True}),
        ),
        "Updated At: set by hand": Preset(
            "Can a message write Updated At?",
            {"plan": "free"},
            _sent({"$set": {"plan": "pro", "$last_seen": "2030-01-01"}}),
        ),
        "A number as distinct ID": Preset(
            'One message is for 123, one for "123". How many profiles are there?',
            {"orders": 1},
            (
                {"$distinct_id": 123, "$add": {"orders": 1}},
                {"$distinct_id": "123", "$add": {"orders": 1}},
            ),
        ),
        "A float as distinct ID": Preset(
            "A table of integers with a gap becomes one of floats. Whose orders are these?",
            {"orders": 1},
            (
                {"$distinct_id": "100000000000000001", "$add": {"orders": 1}},
                {"$distinct_id": 123.0, "$add": {"orders": 1}},
                {"$distinct_id": 1e17, "$add": {"orders": 1}},
            ),
        ),
        "What SDKs send next to the operators": Preset(
            "Which of these fields changes the profile? Which one is rejected?",
            {"plan": "free"},
            _sent(
                {"$device_id": "d-1", "$mp_metadata": {"$mp_session_seq_id": 0}, "$set": {"n": 1}},
                {"$set": {"plan": "pro"}, "$sett": {"plan": "basic"}},
            ),
        ),
        "A group profile": Preset(
            "A company has a profile too. Which operator does it not know?",
            {"seats": 10},
            (
                {"$group_key": "company", "$group_id": "acme", "$set": {"seats": 20}},
                {"$group_key": "company", "$group_id": "acme", "$add": {"seats": 1}},
            ),
        ),
    }
)

#: A list of messages to step through.
SAMPLE: Final = Preset(
    "A quarter in the life of one customer: predict each step before you take it.",
    None,
    _sent(
        {"$set": {"$name": "Ann Sole", "plan": "free"}, "$set_once": {"first_item": "Tent"}},
        {"$append": {"seen": "Tent"}},
        {"$append": {"seen": "Tent"}},
        {"$add": {"orders": 1, "points": 20}},
        {"$union": {"seen": ["Lantern"], "tags": "camping"}},
        {"$set": {"plan": "pro"}, "$time": "2026-02-01T00:00:00Z"},
        {"$set_once": {"first_item": "Lantern", "score": "7"}},
        {"$add": {"score": 1, "points": -5}},
        {"$remove": {"seen": "Tent", "tags": "hiking"}},
        {"$unset": ["score"], "$set": {"first_item": None}},
        {"$set_once": {"first_item": "Stove"}},
        {"$delete": ""},
        {"$remove": {"tags": "camping"}},
        {"$set": {"plan": "basic"}},
    ),
    updated_at="",
)
