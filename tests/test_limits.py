"""The hosted product's limits, when asked for."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from toolkit.columns.column import Column
from toolkit.profiles.table import ProfileTable


@pytest.fixture
def profiles() -> ProfileTable:
    return ProfileTable(limits="mixpanel")


def test_LIMITS_are_off_by_default() -> None:
    profiles = ProfileTable()
    properties: dict[str, Any] = {f"p{n}": n for n in range(2_100)}
    properties |= {"n" * 300: 1, "text": "x" * 1_000, "list": ["x" * 300_000]}
    result = profiles.apply([{"$distinct_id": "1", "$set": properties}])
    assert (len(result.rejected), len(result.warnings)) == (0, 0)
    assert profiles["1"] == properties


def test_LIMITS_text_and_names_are_cut_and_each_cut_is_reported(profiles: ProfileTable) -> None:
    message = {"$distinct_id": "1", "$set": {"t": "é" * 200, "n" * 256: 1, "l": ["x" * 256]}}
    result = profiles.apply([message])
    # 127 é are 254 bytes; the 128th does not fit and goes as a whole.
    assert profiles["1"] == {"t": "é" * 127, "n" * 255: 1, "l": ["x" * 255]}
    assert result.warnings["property"].tolist() == ["t", "n" * 256, "l"]
    assert result.warnings["reason"].str.contains("cut to 255").all()


def test_LIMITS_names_that_collide_once_cut_are_rejected(profiles: ProfileTable) -> None:
    message = {"$distinct_id": "1", "$set": {"n" * 256 + "a": 1, "n" * 256 + "b": 2}}
    result = profiles.apply([message])
    assert profiles["1"] == {"n" * 255: 1}
    assert result.rejected["property"].tolist() == ["n" * 256 + "b"]


@pytest.mark.parametrize(
    "value",
    [
        ["x" * 250] * 1_100,
        {str(n): n for n in range(256)},
        {"1": {"2": {"3": {"4": 1}}}},
        [{"1": {"2": {"3": {}}}}],
    ],
)
def test_LIMITS_lists_and_objects_too_large_or_deep_are_rejected(
    profiles: ProfileTable, value: Any
) -> None:
    result = profiles.apply([{"$distinct_id": "1", "$set": {"a": value, "b": 1}}])
    assert profiles["1"] == {"b": 1}
    assert result.rejected["property"].tolist() == ["a"]


def test_LIMITS_further_properties_than_2000_are_rejected(profiles: ProfileTable) -> None:
    profiles.set("1", {f"p{n}": n for n in range(1_999)})
    result = profiles.apply(
        [
            {"$distinct_id": "1", "$set": {"p0": 1, "a": 1, "b": 1}, "$append": {"c": 1}},
            {"$distinct_id": "1", "$unset": ["a"], "$set_once": {"b": 2}},
        ]
    )
    assert result.rejected[["operator", "property"]].to_numpy().tolist() == [
        ["$set", "b"],
        ["$append", "c"],
    ]
    assert len(profiles["1"]) == 2_000
    assert profiles["1"]["b"] == 2


def test_LIMITS_what_a_message_unsets_makes_room_once(profiles: ProfileTable) -> None:
    profiles.set("1", {f"p{n}": n for n in range(2_000)})
    for message in (
        {"$unset": ["p0"], "$set": {"p0": 1, "x": 2}},
        {"$unset": ["p1", "p1", "p1"], "$set": {"x": 1, "y": 2, "z": 3}},
    ):
        result = profiles.apply([{"$distinct_id": "1", **message}])
        assert len(result.rejected) >= 1
        assert len(profiles["1"]) == 2_000


def test_LIMITS_two_columns_that_collide_once_cut_are_reported(profiles: ProfileTable) -> None:
    ids = pa.array(["1"], pa.large_string())
    columns = {"n" * 255 + "a": Column.of([1]), "n" * 255 + "b": Column.of([2])}
    result = profiles.set_columns(ids, columns, source="columns")
    assert profiles["1"] == {"n" * 255: 1}
    assert any("another property's" in what for what in result.rejected["reason"])


def test_LIMITS_a_list_may_not_outgrow_its_size(profiles: ProfileTable) -> None:
    profiles.set("1", {"l": ["x" * 250] * 1_030})
    result = profiles.apply(
        [{"$distinct_id": "1", "$append": {"l": "y" * 250, "m": 1}} for _ in range(20)]
    )
    assert 0 < len(result.rejected) < 20
    assert set(result.rejected["property"]) == {"l"}
    assert len(profiles["1"]["m"]) == 20  # type: ignore[arg-type]


def test_LIMITS_hold_for_whole_columns(profiles: ProfileTable) -> None:
    profiles.set("2", {f"p{n}": n for n in range(2_000)})
    ids = pa.array(["1", "2"], pa.large_string())
    columns = {
        "p0": Column.of(["x" * 300, "short"]),
        "new": Column.of([1, 2]),
        "deep": Column.of([{"1": {"2": {"3": {"4": 1}}}}, [1]]),
    }
    result = profiles.set_columns(ids, columns, source="columns")
    assert profiles["1"] == {"p0": "x" * 255, "new": 1}
    assert len(profiles["2"]) == 2_000
    assert profiles["2"]["p0"] == "short"
    assert [(key, name) for key, name, _ in result.rejected.to_numpy().tolist()] == [
        ("1", "p0"),
        ("2", "new"),
        ("1", "deep"),
        ("2", "deep"),
    ]


def test_an_unknown_limit_is_refused() -> None:
    with pytest.raises(ValueError, match="mixpanel"):
        ProfileTable(limits="other")  # type: ignore[arg-type]
