"""The table: what it reads back, what it hands out, and what it says of a batch."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import toolkit as tk
from toolkit import user
from toolkit.base import errors
from toolkit.columns.column import Column
from toolkit.profiles.table import ProfileTable

EVERY_KIND: dict[str, Any] = {
    "null": None,
    "true": True,
    "int": 7,
    "huge": 2**63 + 1,
    "huger": -(10**40),
    "float": 0.1,
    "whole float": 1.0,
    "minus zero": -0.0,
    "empty": "",
    "text": "naïve 日本 \x00 \"'",
    "list": [1, 1.0, True, None, "1", [], {}],
    "object": {"a": {"b": [1]}, "": None},
}


def exactly(properties: dict[str, Any]) -> str:
    return repr(sorted(properties.items()))


@pytest.fixture(params=["memory", "sqlite"])
def profiles(request: pytest.FixtureRequest, tmp_path: Any) -> Any:
    path = None if request.param == "memory" else tmp_path / "shop.db"
    with ProfileTable(path) as table:
        yield table


def test_reads_back_exactly_what_was_set(profiles: ProfileTable) -> None:
    profiles.set("1", EVERY_KIND)
    assert exactly(profiles["1"]) == exactly(EVERY_KIND)
    profiles.snapshot()  # and once more from whole columns
    assert exactly(profiles["1"]) == exactly(EVERY_KIND)


def test_reads_back_exactly_after_reopening(tmp_path: Any) -> None:
    with ProfileTable(tmp_path / "shop.db") as table:
        table.set("1", EVERY_KIND)
        table.set("2", {"int": 1.5})  # int and float in one column
    for loaded in (False, True):
        with ProfileTable(tmp_path / "shop.db") as table:
            if loaded:
                table.snapshot()
            assert exactly(table["1"]) == exactly(EVERY_KIND)


def test_absent_and_null_differ(profiles: ProfileTable) -> None:
    profiles.set("1", {"plan": None})
    profiles.set("2", {"other": 1})
    assert profiles["1"] == {"plan": None}
    assert "plan" not in profiles["2"]
    assert profiles.frame.loc["1", "plan"] is None
    assert math.isnan(profiles.frame.loc["2", "plan"])  # type: ignore[arg-type]


def test_frame_has_proper_dtypes(profiles: ProfileTable) -> None:
    profiles.set("1", {"i": 1, "f": 0.5, "b": True, "t": "x", "mixed": 1, "l": [1], "n": 1, "z": 1})
    profiles.set("2", {"mixed": "1", "n": 2.5, "z": None, "huge": 2**64})
    dtypes = {name: str(dtype) for name, dtype in profiles.frame.dtypes.items()}
    assert dtypes == {
        **{"i": "Int64", "f": "float64", "b": "boolean", "t": "str", "mixed": "object"},
        **{"l": "object", "n": "float64", "z": "object", "huge": "object"},
        "$last_seen": "datetime64[us, UTC]",
    }
    assert profiles.frame.index.name == "distinct_id"
    assert profiles.frame.loc["2", "huge"] == 2**64


def test_integers_among_floats_stay_integers_where_a_float_would_lose_digits() -> None:
    profiles = ProfileTable()
    profiles.set("1", {"n": 2**53 + 1})
    profiles.set("2", {"n": 0.5})
    assert profiles.frame["n"].tolist() == [2**53 + 1, 0.5]
    assert profiles.frame["n"].dtype == object


def test_editing_what_was_handed_out_never_changes_the_table(profiles: ProfileTable) -> None:
    sent: dict[str, Any] = {"n": 1, "tags": ["a"], "deep": {"x": [1]}}
    profiles.set("1", sent)
    sent["tags"].append("changed by the sender")
    for _ in range(2):
        profiles["1"]["tags"].append("changed")  # type: ignore[union-attr]
        profiles["1"]["deep"]["x"].append(2)  # type: ignore[index,call-overload,union-attr]
        frame = profiles.frame
        frame.loc["1", "n"] = 99
        frame.loc["1", "tags"].append("changed")  # type: ignore[union-attr]
        frame.loc["1", "deep"]["x"].append(2)  # type: ignore[index,call-overload,union-attr]
        frame["new"] = 1
        frame.index = frame.index.str.upper() + "x"
        assert profiles["1"] == {"n": 1, "tags": ["a"], "deep": {"x": [1]}}
        assert profiles.frame.loc["1"].drop("$last_seen").to_dict() == profiles["1"]


def test_columns_stand_in_the_order_of_the_first_write(profiles: ProfileTable) -> None:
    profiles.set("1", {"b": 1, "a": 1})
    profiles.set("2", {"c": 1, "a": 1})
    profiles.remove("1", {"never": 1})
    profiles.unset("2", "c")
    assert profiles.properties == ("b", "a")
    profiles.set("2", {"d": 1, "c": 1})
    assert list(profiles.frame.columns) == ["b", "a", "c", "d", "$last_seen"]


def test_profiles_stand_in_the_order_they_were_created(profiles: ProfileTable) -> None:
    for key in ("b", "a", "c"):
        profiles.set(key, {})
    profiles.delete("a")
    profiles.set("b", {"x": 1})
    profiles.set("a", {})
    assert list(profiles) == list(profiles.ids) == list(profiles.frame.index) == ["b", "c", "a"]


def test_JOIN_3_IDs_are_text_everywhere(profiles: ProfileTable) -> None:
    profiles.set(123.0, {"a": 1})
    assert list(profiles) == ["123"]
    assert profiles[123] == profiles["123"] == profiles[np.int64(123)] == {"a": 1}
    assert 123 in profiles
    assert "0123" not in profiles
    assert None not in profiles
    assert "" not in profiles


def test_a_missing_profile_is_a_KeyError_that_names_a_near_miss(profiles: ProfileTable) -> None:
    profiles.set("7", {})
    with pytest.raises(KeyError, match="there is '7'"):
        profiles["007"]
    with pytest.raises(errors.ToolkitError):
        profiles.last_seen("8")
    assert profiles.get("8") is None
    assert profiles.get("8", {}) == {}


def test_DELETE_1_a_later_write_creates_a_fresh_profile(profiles: ProfileTable) -> None:
    profiles.set("1", {"a": 1}, time=1_700_000_000)
    assert profiles.delete("1").deleted == 1
    assert "1" not in profiles
    assert profiles.delete("1").unchanged == 1
    profiles.add("1", {"b": 1}, ignore_time=True)
    assert profiles["1"] == {"b": 1}
    assert profiles.last_seen("1") is None


def test_every_operator_is_a_method(profiles: ProfileTable) -> None:
    profiles.set("1", {"a": 1, "tags": ["x"], "gone": 0})
    profiles.set_once("1", {"a": 2, "b": 2})
    profiles.add("1", {"a": 0.5})
    profiles.union("1", {"tags": ["x", "y"]})
    profiles.append("1", {"tags": "x"})
    profiles.remove("1", {"tags": "y"})
    profiles.unset("1", ["gone"])
    assert profiles["1"] == {"a": 1.5, "tags": ["x", "x"], "b": 2}
    profiles.delete("1")
    assert len(profiles) == 0


def test_MSG_3_a_rejection_never_stops_the_others(profiles: ProfileTable) -> None:
    result = profiles.apply(
        [
            {"$distinct_id": "1", "$set": {"a": "text", "bad": math.nan}},
            {"$distinct_id": "", "$set": {"a": 1}},
            {"$distinct_id": "1", "$add": {"a": 1, "b": 1}},
            {"$distinct_id": "1", "$append": {"a": 1}},
            "nonsense",  # type: ignore[list-item]
            {"$distinct_id": "1", "$set": {"c": 1}},
        ]
    )
    assert profiles["1"] == {"a": "text", "b": 1, "c": 1}
    assert (result.applied, result.created, result.updated) == (3, 1, 2)
    rows = result.rejected[["index", "distinct_id", "operator", "property"]].to_numpy().tolist()
    assert rows == [
        [0, "1", "$set", "bad"],
        [1, None, None, None],
        [2, "1", "$add", "a"],
        [3, "1", "$append", "a"],
        [4, None, None, None],
    ]
    assert result.rejected["reason"].str.len().min() > 10
    assert "rejected [4]" in repr(result)


def test_MSG_5_only_what_was_accepted_is_logged(profiles: ProfileTable) -> None:
    profiles.set("1", {"a": "text"})
    profiles.apply([{"$distinct_id": "1", "$add": {"a": 1, "b": 1}}, {"$distinct_id": ""}])
    profiles.apply([{"$distinct_id": "1", "$add": {"a": 1}}])  # nothing of it
    assert profiles.batches["messages"].tolist() == [1, 1]
    [updates] = profiles._engine.log.updates(2)
    assert [message.operations for _, message in updates] == [(("$add", {"b": 1}),)]


def test_a_rejected_single_update_warns(profiles: ProfileTable) -> None:
    with pytest.warns(errors.RejectedUpdateWarning, match="Updated At"):
        result = profiles.set("1", {"$last_seen": "2026-01-01"})
    assert len(result.rejected) == 1
    assert "1" not in profiles


def test_SEEN_1_is_the_time_of_the_last_update_and_never_goes_back(profiles: ProfileTable) -> None:
    profiles.set("1", {"a": 1}, time="2026-03-01")
    profiles.set("1", {"a": 2}, time="2026-02-01")
    assert profiles["1"] == {"a": 2}
    assert profiles.last_seen("1") == pd.Timestamp("2026-03-01", tz="UTC")
    before = pd.Timestamp.now("UTC")
    profiles.set("1", {"a": 3})
    seen = profiles.last_seen("1")
    assert seen is not None
    assert before <= seen <= pd.Timestamp.now("UTC")
    assert profiles.frame.loc["1", "$last_seen"] == seen


def test_SEEN_1_a_set_of_an_equal_value_is_an_update(profiles: ProfileTable) -> None:
    profiles.set("1", {"a": 1}, time=1_700_000_000)
    assert profiles.set("1", {"a": 1}, time=1_700_000_100).updated == 1
    assert profiles.last_seen("1") == pd.Timestamp(1_700_000_100, unit="s", tz="UTC")


@pytest.mark.parametrize(
    "message",
    [
        {"$remove": {"tags": "z", "never": 1}},
        {"$unset": ["never"]},
        {"$set_once": {"a": 2}},
        {"$union": {"tags": "x"}},
        {"$set": {}},
        {"$append": {"a": 1}},
        {"$set": {"a": 5}, "$ignore_time": True},
    ],
)
def test_SEEN_2_stays_after_no_effect_rejection_and_ignore_time(
    profiles: ProfileTable, message: dict[str, Any]
) -> None:
    profiles.set("1", {"a": 1, "tags": ["x"]}, time=1_700_000_000)
    profiles.apply([{"$distinct_id": "1", **message}])
    assert profiles.last_seen("1") == pd.Timestamp(1_700_000_000, unit="s", tz="UTC")


def test_SEEN_2_a_batch_of_edits_by_hand_leaves_it(profiles: ProfileTable) -> None:
    profiles.apply([{"$distinct_id": "1", "$set": {"a": 1}}], ignore_time=True)
    assert profiles.last_seen("1") is None
    assert pd.isna(profiles.frame.loc["1", "$last_seen"])


def test_GROUP_1_one_table_a_group_key(profiles: ProfileTable) -> None:
    profiles.set("acme", {"kind": "user"})
    companies, teams = profiles.groups("company"), profiles.groups("team")
    companies.set("acme", {"kind": "company", "seats": 3})
    companies.union("acme", {"tags": "x"})
    profiles.apply([{"$group_key": "team", "$group_id": 7, "$set_once": {"kind": "team"}}])
    assert profiles["acme"] == {"kind": "user"}
    assert companies["acme"] == {"kind": "company", "seats": 3, "tags": ["x"]}
    assert teams.frame["kind"].to_dict() == {"7": "team"}
    assert profiles.group_keys == ["company", "team"]
    assert (profiles.group_key, teams.group_key) == (None, "team")
    with pytest.warns(errors.RejectedUpdateWarning, match="GROUP-1"):
        companies.add("acme", {"seats": 1})
    with pytest.warns(errors.RejectedUpdateWarning, match="GROUP-1"):
        companies.append("acme", {"tags": 1})


def test_HIDDEN_properties_are_stored_with_a_warning_and_not_shown(profiles: ProfileTable) -> None:
    result = profiles.apply([{"$distinct_id": "1", "$set": {"bucket": 1, "a": 1}}])
    assert result.warnings["property"].tolist() == ["bucket"]
    assert profiles["1"] == {"bucket": 1, "a": 1}
    assert profiles.properties == ("a",)
    assert "bucket" not in profiles.frame
    assert "bucket" not in profiles._repr_html_()


def test_where_is_a_view_of_this_moment(profiles: ProfileTable) -> None:
    profiles.set("1", {"plan": "pro", "n": 1})
    profiles.set("2", {"plan": "free", "n": 2})
    profiles.set("3", {"plan": None})
    pro = profiles.where(user["plan"] == "pro")
    profiles.set("2", {"plan": "pro"})
    assert (list(pro), len(pro), "1" in pro, "2" in pro) == (["1"], 1, True, False)
    assert pro["1"] == {"plan": "pro", "n": 1}
    assert list(profiles.where('user["plan"] == "pro" and user["n"] > 1').frame.index) == ["2"]
    assert list(profiles.where(user["plan"].is_not_set()).ids) == ["3"]
    with pytest.raises(KeyError):
        pro["2"]


def test_an_empty_table_shows_how_to_begin(profiles: ProfileTable) -> None:
    assert profiles.frame.empty
    assert list(profiles.frame.columns) == ["$last_seen"]
    assert "profiles.set" in profiles._repr_html_()
    assert "0 user profiles" in repr(profiles)


def test_property_text_is_escaped_in_html(profiles: ProfileTable) -> None:
    hostile = "<img src=x onerror=alert(1)>"
    profiles.set(hostile, {hostile: hostile, "list": [hostile]})
    result = profiles.apply([{"$distinct_id": hostile, hostile: 1}])
    for shown in (profiles._repr_html_(), result._repr_html_()):
        assert "<img" not in shown
        assert "&lt;img" in shown


def test_batches_are_listed_with_time_source_and_counts(profiles: ProfileTable) -> None:
    profiles.set("1", {"a": 1})
    profiles.apply([{"$distinct_id": "1", "$delete": ""}], source="a test")
    batches = profiles.batches
    assert batches.index.tolist() == [1, 2]
    assert batches["source"].tolist() == ["set", "a test"]
    assert batches[["created", "deleted"]].to_numpy().tolist() == [[1, 0], [0, 1]]
    assert str(batches["time"].dtype) == "datetime64[us, UTC]"


def test_apply_takes_any_iterable_and_explains_text(profiles: ProfileTable) -> None:
    assert profiles.apply(message for message in [{"$distinct_id": 1, "$set": {}}]).created == 1
    assert profiles.apply({"$distinct_id": 2, "$set": {}}).created == 1  # type: ignore[arg-type]
    assert profiles.apply([]).batch_id is None
    with pytest.raises(ValueError, match="read_messages"):
        profiles.apply("updates.jsonl")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="not a DataFrame"):
        profiles.apply(pd.DataFrame({"a": [1]}))  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"profiles\.set\('1'"):
        profiles["1"] = {"a": 1}


def test_the_public_names_are_there() -> None:
    assert tk.ProfileTable is ProfileTable
    assert issubclass(tk.ToolkitError, Exception)


def test_reading_changes_no_value(profiles: ProfileTable) -> None:
    profiles.set("1", {"a": 0.0})
    assert len(profiles.frame) == 1
    profiles.set("1", {"a": -0.0})
    assert len(profiles.frame) == 1
    assert math.copysign(1, profiles["1"]["a"]) == -1  # type: ignore[arg-type]


def test_a_snapshot_cannot_be_written_to(profiles: ProfileTable) -> None:
    profiles.set("1", {"a": 1})
    snapshot = profiles.snapshot()
    with pytest.raises(ValueError, match="read-only"):
        snapshot.last_seen[0] = 0
    with pytest.raises(ValueError, match="read-only"):
        snapshot.column("a").values[0] = 0


def test_a_group_nobody_ever_wrote_to_is_no_group(profiles: ProfileTable) -> None:
    assert len(profiles.groups("nope")) == 0
    profiles.groups("nope").remove("1", {"a": 1})
    assert profiles.group_keys == []


@pytest.mark.parametrize(
    "call",
    [
        lambda: ProfileTable(5),  # type: ignore[arg-type]
        lambda: ProfileTable(limits="x"),  # type: ignore[arg-type]
        lambda: ProfileTable().groups(""),
        lambda: ProfileTable().apply(None),  # type: ignore[arg-type]
        lambda: ProfileTable().as_of(),
        lambda: tk.read_messages("nowhere.jsonl"),
        lambda: tk.read_messages("nowhere.jsonl", on_error="x"),  # type: ignore[arg-type]
    ],
)
def test_every_error_is_a_ToolkitError(call: Any) -> None:
    with pytest.raises(tk.ToolkitError):
        call()


@pytest.mark.parametrize("stage", ["Comparing", "Writing"])
@pytest.mark.parametrize("is_file", [True, False])
def test_progress_that_writes_to_the_table_is_refused(
    stage: str, is_file: bool, tmp_path: Path
) -> None:
    with ProfileTable(tmp_path / "shop.db" if is_file else None) as profiles:
        profiles.apply([{"$distinct_id": key, "$set": {"n": 1}} for key in ("1", "2")])

        def progress(told: str, done: int, whole: int) -> None:
            if told == stage and "meddler" not in profiles:
                profiles.set("meddler", {"x": 1})

        with pytest.raises(errors.StoreError, match="while a batch was being written"):
            profiles.set_columns(
                pa.array(["1", "3"], pa.large_string()),
                {"n": Column.of([5, 6])},
                source="columns",
                progress=progress,
            )
        assert profiles["1"] == {"n": 1}
        assert "3" not in profiles
        if is_file:  # all of the moment is taken back
            assert len(profiles) == 2
            assert profiles.check().problems == ()
