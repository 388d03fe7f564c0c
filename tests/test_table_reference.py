"""The table agrees with the reference operators on every batch, whatever way it takes."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from tests.effort import examples
from tests.strategies import batches
from toolkit.base import times
from toolkit.base.values import ABSENT, dumps
from toolkit.profiles.table import ProfileTable
from toolkit.updates import Rejection, by_message as batch_module, growing, operators
from toolkit.updates.messages import parse_message

# The fixtures set constants that stay the same for all examples.
FIXTURES = [HealthCheck.function_scoped_fixture]
ARRIVAL = times.parse_time("2026-06-01")


def _meant(name: str) -> str:
    plain = f"${name[1:].lower()}"
    return f'. Did you mean "{plain}"?' if plain in operators.OPERATORS else ""


def exactly(value: Any) -> str:
    """A text that tells 1 from 1.0, true from 1, -0.0 from 0.0, and other orders of keys.

    The order of a profile's properties is the table's, and left out here (ORDER-1).
    """
    return _exactly(dict(sorted(value.items())) if isinstance(value, dict) else value)


def _exactly(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ",".join(f"{dumps(k)}:{_exactly(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_exactly, value)) + "]"
    return f"{type(value).__name__} {value!r}"


def without_meta(message: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return a message without its meta fields and unknown operators, and these (META, MSG-4)."""
    kept = ["$distinct_id", "$time", "$ignore_time", *operators.OPERATORS]
    known_by_sdks = ["$device_id", "$user_id", "$mp_metadata", "$browser_version"]
    left = {name: value for name, value in message.items() if name in kept or name[0] != "$"}
    unknown = [
        name
        for name, value in message.items()
        if name not in (*left, *known_by_sdks) and isinstance(value, list | dict)
    ]
    return left, [] if "nonsense" in message else unknown


def reference(sent: list[list[dict[str, Any]]]) -> tuple[dict[str, Any], list[tuple[int, str]]]:
    """Apply batches one message at a time to plain dicts, with the reference operators."""
    profiles: dict[str, tuple[dict[str, Any], int]] = {}
    refusals: list[tuple[int, str]] = []
    for messages in sent:
        for index, raw in enumerate(messages):
            rejected: list[Any] = []
            stripped, unknown = without_meta(raw)
            message = parse_message(stripped, index, rejected)
            allowed = ", ".join(operators.OPERATORS)
            refusals += [
                (index, f"unknown operator {name!r}; allowed are {allowed}{_meant(name)}")
                for name in unknown
            ]
            refusals += [(index, each.reason) for each in rejected]
            if message is None:
                continue
            before, seen = profiles.get(message.distinct_id, (None, times.NO_TIME))
            refused: list[Rejection] = []
            after, wrote = operators.apply(before, message.operations, refused)
            refusals += [(index, each.reason) for each in refused]
            if not wrote:
                continue
            if after is None:
                del profiles[message.distinct_id]
                continue
            if not message.ignore_time:
                seen = max(seen, ARRIVAL if message.time is None else message.time)
            profiles.pop(message.distinct_id, None) if before is None else None
            profiles[message.distinct_id] = (dict(after), seen)
    return profiles, refusals


def state_of(table: ProfileTable) -> list[tuple[str, str, int]]:
    """Everything a table holds, read from whole columns, in its order."""
    snapshot = table.snapshot()
    rows = [
        {n: c.cell(at) for n, c in snapshot.columns.items() if c.cell(at) is not ABSENT}
        for at in range(len(snapshot))
    ]
    seen = snapshot.last_seen.tolist()
    return [(key, exactly(row), at) for key, row, at in zip(snapshot, rows, seen, strict=True)]


def expected_of(profiles: dict[str, Any]) -> list[tuple[str, str, int]]:
    return [(key, exactly(properties), seen) for key, (properties, seen) in profiles.items()]


@pytest.fixture(autouse=True)
def fixed_arrival(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(times, "now", lambda: ARRIVAL)


@pytest.fixture(params=["row by row", "whole columns", "rows, all lists long", "columns, the same"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if "lists" in request.param or "same" in request.param:
        monkeypatch.setattr(growing, "_LONG", 0)
    if "columns" in request.param:
        monkeypatch.setattr(batch_module, "ROWS_AT_MOST", -1)
        monkeypatch.setattr(batch_module, "_ONE_ROW_IN", 10**9)
    return str(request.param)


@settings(max_examples=examples(300), deadline=None, suppress_health_check=FIXTURES)
@given(sent=batches.flatmap(lambda first: batches.map(lambda second: [first, second])))
def test_MSG_2_a_batch_equals_the_reference_one_message_at_a_time(
    way: str, sent: list[list[dict[str, Any]]]
) -> None:
    table = ProfileTable()
    results = [table.apply(messages) for messages in sent]
    profiles, refusals = reference(sent)
    assert state_of(table) == expected_of(profiles)
    found = [
        (row["index"], row["reason"])
        for result in results
        for row in result.rejected.to_dict("records")
    ]
    assert found == refusals
    assert {key: exactly(table[key]) for key in table} == {
        key: exactly(properties) for key, (properties, _) in profiles.items()
    }
    assert len(table) == len(profiles)


@settings(max_examples=examples(150), deadline=None, suppress_health_check=FIXTURES)
@given(sent=batches.flatmap(lambda first: batches.map(lambda second: [first, second])))
def test_MSG_2_memory_equals_SQLite_reopened_equals_one_at_a_time(
    way: str, sent: list[list[dict[str, Any]]]
) -> None:
    memory, single = ProfileTable(), ProfileTable()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "shop.db"
        for number, messages in enumerate(sent):
            with ProfileTable(path) as stored:
                if number == 0:
                    stored.snapshot()  # one batch meets loaded columns, the other does not
                whole = stored.apply(messages)
            at_once = memory.apply(messages)
            each = [single.apply([message]) for message in messages]
            for field in ("applied", "created", "updated", "deleted", "unchanged"):
                total = sum(getattr(result, field) for result in each)
                assert getattr(whole, field) == getattr(at_once, field) == total, field
        with ProfileTable(path) as reopened:
            assert state_of(reopened) == state_of(memory) == state_of(single)
            left, right = reopened.frame, memory.frame
            assert list(left.columns) == list(right.columns) == list(single.frame.columns)
            assert list(left.dtypes) == list(right.dtypes) == list(single.frame.dtypes)
