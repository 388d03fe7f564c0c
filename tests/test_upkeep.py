"""Changing many profiles at once, and merging those that are one person."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import toolkit as tk
from tests.test_table_reference import state_of
from toolkit import user
from toolkit.base.errors import ArgumentError

ANN = {"$email": "Ann@x.org ", "tags": ["x", 1], "$created": "2024-01-01"}
PRO = 'user["plan"] == "pro"'


@pytest.fixture(params=["memory", "file"])
def profiles(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tk.ProfileTable]:
    path = None if request.param == "memory" else tmp_path / "shop.db"
    with tk.ProfileTable(path) as table:
        for key, properties in {
            "1": {"plan": "pro", "n": 1, "tags": ["a"]},
            "2": {"plan": "free", "n": None},
            "3": {"plan": "pro", "colour": "red", "color": "blue"},
        }.items():
            table.set(key, properties, time="2026-01-01")
        yield table


def contents(table: tk.ProfileTable) -> dict[str, dict[str, Any]]:
    return {each: table[each] for each in table}


CHANGES: dict[str, Any] = {
    "set": lambda table, **dry: tk.set_where(table, PRO, {"plan": "gold", "n": 1}, **dry),
    "unset": lambda table, **dry: tk.unset_where(table, user["n"].is_set(), ["n", "x"], **dry),
    "delete": lambda table, **dry: tk.delete_where(table, PRO, **dry),
    "rename": lambda table, **dry: tk.rename_where(table, "n", "number", **dry),
    "update": lambda table, **dry: tk.update_where(table, None, {"$union": {"tags": 1}}, **dry),
}


@pytest.mark.parametrize("name", CHANGES)
def test_UPKEEP_1_a_dry_run_writes_nothing_and_the_run_is_one_batch_that_can_be_undone(
    profiles: tk.ProfileTable, name: str
) -> None:
    before, batches = state_of(profiles), len(profiles.batches)
    dry = CHANGES[name](profiles, dry_run=True)
    assert state_of(profiles) == before
    assert len(profiles.batches) == batches
    report = CHANGES[name](profiles)
    assert (dry.updated, dry.deleted) == (report.updated, report.deleted) != (0, 0)
    assert dry.changes.equals(report.changes)
    assert dry.properties.equals(report.properties)
    assert len(profiles.batches) == batches + 1
    assert set(profiles.frame["$last_seen"].astype(str).str[:10]) <= {"2026-01-01"}
    assert CHANGES[name](profiles).batch_id is None
    profiles.undo(report.batch_id)
    assert sorted(state_of(profiles)) == sorted(before)


def test_each_change_does_what_it_says(profiles: tk.ProfileTable) -> None:
    tk.set_where(profiles, PRO, {"vip": True})
    assert [key for key in profiles if profiles[key].get("vip")] == ["1", "3"]
    assert tk.unset_where(profiles, None, "vip").properties["removed"].tolist() == [2]
    report = tk.update_where(profiles, None, {"$add": {"n": 1}})
    assert profiles["1"]["n"] == 2
    assert profiles["2"]["n"] is None
    assert report.rejected["distinct_id"].tolist() == ["2"]
    assert "is null" in report.rejected["reason"][0]
    assert tk.delete_where(profiles, PRO).deleted == 2
    assert list(profiles) == ["2"]


def test_UPKEEP_2_a_name_in_use_is_left_alone_unless_it_may_be_overwritten(
    profiles: tk.ProfileTable,
) -> None:
    profiles.set("1", {"colour": None})
    report = tk.rename_where(profiles, "colour", "color")
    assert profiles["1"] == {"plan": "pro", "n": 1, "tags": ["a"], "color": None}
    assert profiles["3"] == {"plan": "pro", "colour": "red", "color": "blue"}
    assert report.notes == ('1 profile left alone: "color" is in use there (overwrite=True).',)
    tk.rename_where(profiles, "colour", "color", overwrite=True)
    assert profiles["3"] == {"plan": "pro", "color": "red"}


def test_changes_of_groups_go_to_their_table(profiles: tk.ProfileTable) -> None:
    companies = profiles.groups("company")
    companies.set("acme", {"plan": "pro"})
    assert tk.set_where(companies, PRO, {"plan": "gold"}).updated == 1
    assert companies["acme"] == {"plan": "gold"}
    assert profiles["1"]["plan"] == "pro"


def test_what_cannot_be_changed_is_refused_in_words(profiles: tk.ProfileTable) -> None:
    for call, told in (
        (lambda: tk.set_where(profiles.where(PRO), None, {}), "ProfileTable is needed"),
        (lambda: tk.delete_where(profiles, None), "delete all"),
        (lambda: tk.update_where(profiles, None, {}), "operators"),
        (lambda: tk.rename_where(profiles, "n", "$last_seen"), "kept by the table"),
        (lambda: tk.rename_where(profiles, "n", "n"), "already"),
        (lambda: tk.deduplicate(profiles, keep="best"), "keep="),
        (lambda: tk.deduplicate(profiles, merge="all"), "merge="),
        (lambda: tk.deduplicate(profiles, "plan", keep=lambda group: "9"), "keep returned"),
    ):
        with pytest.raises(ArgumentError, match=told):
            call()  # type: ignore[no-untyped-call]
    assert len(profiles.batches) == 3


@pytest.fixture
def doubles(tmp_path: Path) -> Iterator[tk.ProfileTable]:
    with tk.ProfileTable(tmp_path / "doubles.db") as table:
        for key, time, properties in (
            (
                "a",
                "2026-01-01",
                {"$email": "Ann@x.org ", "tags": ["x", 1], "$created": "2024-01-01"},
            ),
            ("b", "2026-03-01", {"$email": "ann@x.org", "tags": ["y"], "plan": None}),
            ("c", "2026-02-01", {"$email": "ann@x.org", "plan": "pro", "n": 1, "tags": [1, "z"]}),
            ("d", "2026-02-01", {"$email": "bob@x.org"}),
            ("e", "2026-02-01", {"$email": " "}),
            ("f", "2026-02-01", {"$email": None}),
            ("g", "2026-02-01", {"$email": " "}),
        ):
            table.set(key, properties, time=time)
        yield table


def test_duplicates_are_found_by_a_value_whatever_its_case(doubles: tk.ProfileTable) -> None:
    found = tk.find_duplicates(doubles)
    assert found.groups["distinct_id"].tolist() == ["a", "b", "c"]
    assert found.groups["value"].tolist() == ["Ann@x.org ", "ann@x.org", "ann@x.org"]
    assert (len(found), repr(found)) == (
        1, '<DuplicateReport: 3 profiles in 1 group of the same "$email">',
    )  # fmt: skip
    assert tk.find_duplicates(doubles, fold=False).groups["distinct_id"].tolist() == ["b", "c"]
    assert len(tk.find_duplicates(doubles, "nothing")) == 0


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ("zo\xeb@x.org", "Zoe\u0308@x.org", True),
        ("ann\u200b@x.org", "ANN@x.org", True),
        ("\ufeffann@x.org ", "ann@x.org", True),
        ("ann@x.org", "anne@x.org", False),
        ("\uff11", "1", False),
        ("\u200b", "\ufeff", False),
    ],
)
def test_UPKEEP_3_duplicates_are_what_looks_the_same(one: str, other: str, is_same: bool) -> None:
    table = tk.ProfileTable()
    table.set("1", {"$email": one})
    table.set("2", {"$email": other})
    assert len(tk.find_duplicates(table)) == is_same
    assert len(tk.find_duplicates(table, fold=False)) == 0


@pytest.mark.parametrize(
    ("keep", "kept"),
    [
        ("last_seen", "b"),
        ("created", "a"),
        ("first", "a"),
        ("most properties", "c"),
        (lambda group: max(group), "c"),
    ],
)
def test_one_of_each_group_is_kept_by_the_rule_chosen(
    doubles: tk.ProfileTable, keep: Any, kept: str
) -> None:
    report = tk.deduplicate(doubles, keep=keep, merge="none", dry_run=False)
    assert report.deleted == 2
    assert [each for each in doubles if each in "abc"] == [kept]


def test_UPKEEP_3_what_the_kept_one_lacks_is_filled_and_a_null_is_there(
    doubles: tk.ProfileTable,
) -> None:
    before = state_of(doubles)
    dry = tk.deduplicate(doubles)
    assert state_of(doubles) == before
    report = tk.deduplicate(doubles, dry_run=False)
    assert doubles["b"] == {
        "$email": "ann@x.org", "tags": ["y"], "plan": None, "n": 1, "$created": "2024-01-01",
    }  # fmt: skip
    assert dry.changes.equals(report.changes)
    assert (report.updated, report.deleted) == (1, 2)
    assert str(doubles.last_seen("b"))[:10] == "2026-03-01"
    assert doubles.batches["source"].iloc[-1] == 'deduplicate by "$email"'
    assert report.batch_id is not None
    doubles.undo(report.batch_id)
    assert sorted(state_of(doubles)) == sorted(before)
    assert doubles.check().problems == ()


def test_UPKEEP_3_lists_are_united_on_request(doubles: tk.ProfileTable) -> None:
    tk.deduplicate(doubles, merge="union", dry_run=False)
    assert doubles["b"]["tags"] == ["y", 1, "z", "x"]
    assert tk.deduplicate(doubles, dry_run=False).batch_id is None


def test_UPKEEP_3_no_charge_is_lost_by_uniting_and_equal_ones_are_not_one() -> None:
    charge = {"$amount": 5}
    profiles = tk.ProfileTable()
    for key, charges in {"1": [charge, charge], "2": None, "3": [charge], "4": [charge]}.items():
        profiles.set(key, {"$email": "a@x.org"} | ({"$transactions": charges} if charges else {}))
    before = tk.revenue(profiles).total
    for kept in "12":  # one that has charges, and one that has none
        found = tk.deduplicate(profiles, keep=lambda _, kept=kept: kept, merge="union")
        assert found.deleted == 3
        done = tk.deduplicate(
            profiles, keep=lambda _, kept=kept: kept, merge="union", dry_run=False
        )
        assert profiles[kept]["$transactions"] == [charge] * 4
        assert tk.revenue(profiles).total == before == 20
        assert done.batch_id is not None
        profiles.undo(done.batch_id)
