"""Long lists under many operators of one batch: gone over once, and to the same effect."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest

from tests.test_table_reference import exactly, reference
from toolkit.base import values
from toolkit.profiles.table import ProfileTable
from toolkit.updates import by_message as batch_module, growing, operators

LENGTH = 2_000
MESSAGES = 400

WORK: dict[str, Callable[[int], dict[str, Any]]] = {
    "union of new ones": lambda n: {"$union": {"l": [f"new {n}"]}},
    "union of known ones": lambda n: {"$union": {"l": [f"x{n}"]}},
    "remove": lambda n: {"$remove": {"l": f"x{n}"}},
    "remove what is not there": lambda n: {"$remove": {"l": f"none {n}"}},
    "append": lambda n: {"$append": {"l": n}},
    "append what is there, and union": lambda n: [
        {"$append": {"l": "x1"}},
        {"$union": {"l": f"x{n}"}},
    ][n % 2],
    "all at once": lambda n: {
        "$append": {"l": "x1", "m": n},
        "$remove": {"l": f"x{n}"},
        "$union": {"l": [f"x{n}", n]},
        "$set_once": {"l": 1},
        "$set": {"other": n},
    },
}


@pytest.fixture(params=["row by row", "whole columns"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "whole columns":
        monkeypatch.setattr(batch_module, "ROWS_AT_MOST", -1)
        monkeypatch.setattr(batch_module, "_ONE_ROW_IN", 10**9)
    return str(request.param)


@pytest.mark.parametrize("name", WORK)
def test_a_long_list_is_gone_over_once_a_batch(
    name: str, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked = 0

    def counted(value: Any) -> Any:
        nonlocal looked
        looked += 1
        return values.key(value)

    def compared(left: Any, right: Any) -> bool:
        counted(None)
        return values.equal(left, right)

    monkeypatch.setattr(growing, "key", counted)
    monkeypatch.setattr(operators, "key", counted)
    monkeypatch.setattr(operators, "_equal", compared)
    profiles = ProfileTable()
    start = {"$distinct_id": "1", "$set": {"l": [f"x{n}" for n in range(LENGTH)]}}
    profiles.apply([start])
    sent = [{"$distinct_id": "1", **WORK[name](n)} for n in range(MESSAGES)]
    profiles.apply(sent)
    assert looked <= LENGTH + 10 * MESSAGES
    monkeypatch.undo()
    expected, _ = reference([[start], sent])
    assert exactly(profiles["1"]) == exactly(expected["1"][0])


def test_what_was_handed_out_or_logged_is_not_changed_by_a_later_batch(way: str) -> None:
    profiles = ProfileTable()
    given = [f"x{n}" for n in range(LENGTH)]
    profiles.set("1", {"l": given})
    before = profiles["1"]
    profiles.apply([{"$distinct_id": "1", "$append": {"l": n}} for n in range(5)])
    assert before == {"l": given} and len(given) == LENGTH
    assert len(profiles["1"]["l"]) == LENGTH + 5  # type: ignore[arg-type]
    assert profiles.as_of(batch=1)["1"] == before
    profiles.undo(2)
    assert profiles["1"] == before


def test_any_order_of_operators_on_long_lists_is_as_one_at_a_time(way: str) -> None:
    chance = random.Random(way)
    cells = ["a", "b", 1, 1.0, True, None, [1], {"a": 1}, {"a": 1.0}, -0.0, 0]
    for _ in range(60):
        sent: list[dict[str, Any]] = []
        for _ in range(chance.randint(1, 30)):
            operator = chance.choice(
                ["$union", "$append", "$remove", "$set", "$set_once", "$add", "$unset", "$delete"]
            )
            argument: Any = {chance.choice("lm"): chance.choice(cells)}
            if operator == "$union" or chance.random() < 0.1:
                argument = {"l": chance.choices(cells, k=3), "n": 1}
            argument = ["l"] if operator == "$unset" else argument
            sent.append({"$distinct_id": chance.choice("12"), operator: argument})
        long = [{"$distinct_id": key, "$set": {"l": cells * 20, "m": cells * 9}} for key in "12"]
        profiles = ProfileTable()
        profiles.apply(long)
        result = profiles.apply(sent)
        expected, refusals = reference([long, sent])
        assert {key: exactly(profiles[key]) for key in profiles} == {
            key: exactly(properties) for key, (properties, _) in expected.items()
        }
        assert [each.reason for each in result.rejections] == [reason for _, reason in refusals]
