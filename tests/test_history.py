"""The past: what was when, why it is so, what differs, and taking a batch back."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

import toolkit as tk
from tests.effort import examples
from tests.strategies import NAMES, batches, cells, messages
from tests.test_table_reference import expected_of, reference, state_of
from toolkit import event, user
from toolkit.base import errors, times
from toolkit.base.values import ABSENT, dumps
from toolkit.events.join import Past
from toolkit.profiles.table import ProfileTable
from toolkit.store import file as store, parquet as bulk
from toolkit.updates import operators
from toolkit.updates.messages import parse_message

FIXTURES = [HealthCheck.function_scoped_fixture]
ARRIVAL = times.parse_time("2026-06-01")


@pytest.fixture(params=["memory", "sqlite", "sqlite, Parquet"])
def profiles(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: Any) -> Any:
    if request.param.endswith("Parquet"):
        monkeypatch.setattr(store, "_MESSAGES_AS_ROWS", 0)
        monkeypatch.setattr(bulk, "ROWS", 2)
    path = None if request.param == "memory" else tmp_path / "shop.db"
    with ProfileTable(path) as table:
        yield table


def shop(profiles: ProfileTable) -> None:
    profiles.set("ann", {"plan": "free", "tags": ["a"]}, time="2026-01-01")
    profiles.apply(
        [
            {"$distinct_id": "ann", "$set": {"plan": "pro"}, "$time": "2026-03-01"},
            {"$distinct_id": "bob", "$set": {"n": 1}, "$time": "2026-03-02"},
        ],
        source="upgrades",
    )
    profiles.union("ann", {"tags": ["b"]}, time="2026-04-01")


# history


def test_history_tells_when_where_from_and_what(profiles: ProfileTable) -> None:
    shop(profiles)
    history = profiles.history("ann")
    assert history["operator"].tolist() == ["$set", "$set", "$set", "$union"]
    assert history["property"].tolist() == ["plan", "tags", "plan", "tags"]
    assert history["new"].tolist() == ["free", ["a"], "pro", ["a", "b"]]
    assert history["old"].tolist()[2:] == ["free", ["a"]]
    assert history["old"].isna().tolist()[:2] == [True, True]
    assert history["batch_id"].tolist() == [1, 1, 2, 3]
    assert history["source"].tolist() == ["set", "set", "upgrades", "union"]
    assert history["time"].dt.month.tolist() == [1, 1, 3, 4]
    assert (history["arrived"] > history["time"]).all()


def test_history_goes_on_after_a_delete(profiles: ProfileTable) -> None:
    profiles.set("ann", {"n": 1})
    profiles.delete("ann")
    profiles.add("ann", {"n": 5})
    history = profiles.history("ann")
    assert history["operator"].tolist() == ["$set", "$delete", "$add"]
    assert history["old"].iloc[1] == {"n": 1}
    assert history["new"].iloc[2] == 5


def test_history_of_nobody_is_empty(profiles: ProfileTable) -> None:
    assert len(profiles.history("nobody")) == 0
    assert list(profiles.history("nobody")) == list(ProfileTable().history("x"))


def test_PAST_3_history_of_an_imported_profile_names_the_file(profiles: ProfileTable) -> None:
    tk.import_csv(profiles, b"distinct_id,plan,age\nann,free,\nbob,pro,30\n", time="2025-12-31")
    profiles.set("ann", {"plan": "pro"})
    history = profiles.history("ann")
    assert history["source"].tolist() == ["csv: data", "set"]
    assert history["property"].tolist() == ["plan", "plan"]
    assert str(history["time"].iloc[0]) == "2025-12-31 00:00:00+00:00"
    assert profiles.last_seen("bob") is None


# explain


def test_explain_gives_the_chain_that_made_the_value(profiles: ProfileTable) -> None:
    profiles.set("ann", {"n": "old"}, time="2026-01-01")
    profiles.set("ann", {"n": 1}, time="2026-02-01")
    profiles.add("ann", {"n": 2}, time="2026-03-01")
    profiles.set_once("ann", {"n": 9}, time="2026-04-01")
    first, earlier, *rest = profiles.explain("ann", "n").sentences
    assert first == "'n' of 'ann' is 3."
    assert earlier.startswith("(1 earlier update")
    assert [sentence.split(" (")[0] for sentence in rest] == [
        '2026-02-01T00:00:00Z: $set 1 made "old" into 1',
        "2026-03-01T00:00:00Z: $add 2 made 1 into 3",
        "2026-04-01T00:00:00Z: $set_once 9 left it 3",
    ]
    assert "batch 3, add" in rest[1]


def test_explain_what_is_not_set(profiles: ProfileTable) -> None:
    profiles.set("ann", {"n": 1})
    assert "No update ever wrote it." in str(profiles.explain("ann", "x"))
    profiles.unset("ann", "n")
    assert "$unset removed it; it was 1" in str(profiles.explain("ann", "n"))
    profiles.set("ann", {"n": 2})
    profiles.delete("ann")
    assert "not set" in str(profiles.explain("ann", "n"))
    assert "the profile was deleted" in str(profiles.explain("ann", "n"))


def test_explain_escapes_html(profiles: ProfileTable) -> None:
    profiles.set("<b>", {"<i>": "<img src=x>"})
    shown = profiles.explain("<b>", "<i>")._repr_html_()
    assert "<img" not in shown
    assert "&lt;img" in shown


# as_of and diff


def test_as_of_a_time_is_what_had_happened_by_then(profiles: ProfileTable) -> None:
    shop(profiles)
    then = profiles.as_of("2026-02-01")
    assert {key: then[key] for key in then} == {"ann": {"plan": "free", "tags": ["a"]}}
    assert then.last_seen("ann") == pd.Timestamp("2026-01-01", tz="UTC")
    assert len(profiles.as_of("2025-12-31")) == 0
    exactly = profiles.as_of("2026-03-01")
    assert exactly["ann"]["plan"] == "pro"
    assert "bob" not in exactly
    assert profiles.as_of("2100-01-01").frame.equals(profiles.frame)


def test_PAST_2_as_of_counts_a_late_update_from_the_time_it_names(profiles: ProfileTable) -> None:
    profiles.set("ann", {"plan": "pro"}, time="2026-03-01")
    profiles.set("ann", {"plan": "free"}, time="2026-01-01")  # arrives late
    assert profiles["ann"] == {"plan": "free"}  # in the order of arrival
    assert profiles.as_of("2026-02-01")["ann"] == {"plan": "free"}
    assert profiles.as_of("2026-04-01")["ann"] == {"plan": "pro"}
    assert profiles.as_of(batch=1)["ann"] == {"plan": "pro"}


def test_a_table_of_the_past_cannot_be_changed(profiles: ProfileTable) -> None:
    shop(profiles)
    then = profiles.as_of("2026-02-01")
    with pytest.raises(errors.ReadOnlyError, match="2026-02-01"):
        then.set("ann", {"plan": "x"})
    with pytest.raises(errors.ReadOnlyError):
        tk.import_csv(then, b"distinct_id,a\n1,2\n")
    assert profiles["ann"]["plan"] == "pro"
    assert "as of 2026-02-01" in repr(then)
    assert list(then.where(user["plan"] == "free")) == ["ann"]


@pytest.mark.parametrize("arguments", [{}, {"time": "2026-01-01", "batch": 1}])
def test_as_of_takes_a_time_or_a_batch(arguments: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="a time or a batch"):
        ProfileTable().as_of(**arguments)


@pytest.mark.parametrize("batch", [-1, 2, "1", True, 1.5])
def test_as_of_takes_a_batch_there_is(profiles: ProfileTable, batch: Any) -> None:
    profiles.set("ann", {"n": 1})
    with pytest.raises(errors.ArgumentError, match="a number from 0 to 1 is needed"):
        profiles.as_of(batch=batch)
    assert len(profiles.as_of(batch=np.int64(1))) == 1  # type: ignore[arg-type]


def test_as_of_works_for_groups(profiles: ProfileTable) -> None:
    companies = profiles.groups("company")
    companies.set("acme", {"seats": 1}, time="2026-01-01")
    companies.set("acme", {"seats": 2}, time="2026-02-01")
    profiles.set("acme", {"seats": 99}, time="2026-01-01")
    assert companies.as_of("2026-01-15")["acme"] == {"seats": 1}
    assert companies.history("acme")["new"].tolist() == [1, 2]


def test_diff_of_two_moments(profiles: ProfileTable) -> None:
    shop(profiles)
    profiles.unset("ann", "tags", time="2026-05-01")
    found = profiles.diff("2026-02-01", "2026-05-02").to_numpy().tolist()
    assert [[None if cell is np.nan else cell for cell in row] for row in found] == [
        ["ann", "plan", "changed", "free", "pro"],
        ["ann", "tags", "removed", ["a"], None],
        ["bob", None, "created", None, None],
        ["bob", "n", "added", None, 1],
    ]
    assert profiles.diff("2026-05-02")["change"].tolist() == []
    assert profiles.diff(profiles.as_of(batch=0))["change"].tolist().count("created") == 2


@settings(max_examples=examples(100), deadline=None, suppress_health_check=FIXTURES)
@given(sent=st.lists(batches, max_size=3), until=st.integers(0, 3))
def test_PAST_1_as_of_a_batch_is_the_reference_after_it(
    monkeypatch: pytest.MonkeyPatch, sent: list[list[dict[str, Any]]], until: int
) -> None:
    monkeypatch.setattr(times, "now", lambda: ARRIVAL)
    profiles = ProfileTable()
    last = [0]
    for messages_ in sent:
        profiles.apply(messages_)
        last.append(len(profiles.batches))
    until = min(until, len(sent))
    past = profiles.as_of(batch=last[until])
    assert state_of(past) == expected_of(reference(sent[:until])[0])


@settings(max_examples=examples(150), deadline=None, suppress_health_check=FIXTURES)
@given(
    sent=st.lists(st.lists(messages(), max_size=8), max_size=3),
    moment=st.integers(1_699_999_999, 1_700_000_010),
)
def test_PAST_2_as_of_a_time_is_the_reference_in_effective_time(
    monkeypatch: pytest.MonkeyPatch, sent: list[list[dict[str, Any]]], moment: int
) -> None:
    monkeypatch.setattr(times, "now", lambda: ARRIVAL)
    profiles = ProfileTable()
    accepted: list[Any] = []
    for batch in sent:
        profiles.apply(batch)
    for batch_id in profiles.batches.index:
        for part in profiles._engine.log.updates(batch_id):
            accepted += [message for _, message in part]  # type: ignore[union-attr]
    dated = sorted(accepted, key=lambda each: ARRIVAL if each.time is None else each.time)
    state: dict[str, Any] = {}
    for message in dated:
        if (ARRIVAL if message.time is None else message.time) > moment * 1_000_000:
            continue
        after, _ = operators.apply(state.pop(message.distinct_id, None), message.operations)
        if after is not None:
            state[message.distinct_id] = after
    past = profiles.as_of(moment)
    assert {key: dumps(past[key]) for key in past} == {
        key: dumps({name: row[name] for name in past[key]}) for key, row in state.items()
    }
    for name in NAMES:
        line = profiles.timeline(name)
        at = np.full(len(line.ids), moment * 1_000_000)
        known = line.at(line.ids, np.arange(len(line.ids)), at).cells()
        for key, cell in zip(line.ids.to_pylist(), known, strict=True):
            assert cell is ABSENT or dumps(cell) == dumps(state[key][name])
            assert (cell is ABSENT) == (name not in state.get(key, {}))


# undo and redo


def test_UNDO_1_undo_puts_back_what_a_batch_changed_and_redo_does_it_again(
    profiles: ProfileTable,
) -> None:
    shop(profiles)
    before, seen = {key: profiles[key] for key in profiles}, profiles.last_seen("ann")
    of_bob = profiles.last_seen("bob")
    assert of_bob is not None
    messages_ = [
        {"$distinct_id": "ann", "$set": {"plan": None, "new": 1}, "$unset": ["tags"]},
        {"$distinct_id": "bob", "$delete": ""},
        {"$distinct_id": "cyd", "$set": {}},
    ]
    batch = profiles.apply(messages_, ignore_time=True).batch_id
    after = {key: profiles[key] for key in profiles}
    assert batch is not None
    for _ in range(2):
        result = profiles.undo(batch)
        assert {key: profiles[key] for key in profiles} == before
        assert profiles.last_seen("ann") == seen
        assert profiles.last_seen("bob") == of_bob
        assert profiles.batches.loc[result.batch_id, "source"].startswith("undo of batch")
        profiles.redo(batch)
        assert {key: profiles[key] for key in profiles} == after
    assert profiles.batches["undoes"].dropna().tolist() == [4, 5, 6, 7]


def test_undo_of_an_import(profiles: ProfileTable) -> None:
    tk.import_csv(profiles, b"distinct_id,plan,age\nann,free,20\nbob,pro,30\n")
    before = profiles.frame
    report = tk.import_csv(profiles, b"distinct_id,plan,city\nann,pro,Oslo\ncyd,basic,Bergen\n")
    assert report.batch_id is not None
    profiles.undo(report.batch_id)
    pd.testing.assert_frame_equal(profiles.frame, before)


def test_UNDO_2_the_last_batches_are_undone_one_after_the_other(profiles: ProfileTable) -> None:
    states = [{key: profiles[key] for key in profiles}]
    made = []
    for messages_ in (
        [{"$distinct_id": "ann", "$set": {"x": 1}}, {"$distinct_id": "bob", "$set": {}}],
        [{"$distinct_id": "ann", "$set": {"x": 2, "y": 1}}],
        [{"$distinct_id": "ann", "$delete": ""}],
        [{"$distinct_id": "ann", "$set": {"x": 3}}, {"$distinct_id": "bob", "$set": {"z": 1}}],
    ):
        made.append(profiles.apply(messages_).batch_id)
        states.append({key: profiles[key] for key in profiles})
    for batch, state in zip(reversed(made), reversed(states[:-1]), strict=True):
        assert batch is not None
        profiles.undo(batch)
        assert {key: profiles[key] for key in profiles} == state
    for batch, state in zip(made, states[1:], strict=True):
        assert batch is not None
        profiles.redo(batch)
        assert {key: profiles[key] for key in profiles} == state
    with pytest.raises(errors.UndoError, match="later updates"):
        profiles.undo(made[0] or 0)


def test_UNDO_2_what_a_partial_undo_left_counts_as_written_to(profiles: ProfileTable) -> None:
    first = profiles.apply([{"$distinct_id": "ann", "$set": {"x": 1, "y": 1}}]).batch_id
    second = profiles.apply([{"$distinct_id": "ann", "$set": {"x": 2, "y": 2}}]).batch_id
    third = profiles.apply([{"$distinct_id": "ann", "$set": {"x": 3}}]).batch_id
    assert first is not None and second is not None and third is not None
    profiles.undo(second, only_untouched=True)
    assert profiles["ann"]["y"] == 1
    assert profiles["ann"]["x"] == 3
    profiles.undo(third)
    assert profiles["ann"]["x"] == 2
    with pytest.raises(errors.UndoError) as caught:
        profiles.undo(first)
    assert caught.value.conflicts is not None
    profiles.undo(first, only_untouched=True)
    assert profiles["ann"].get("x") == 2


def test_UNDO_2_undo_refuses_what_later_updates_wrote_to_and_can_leave_it(
    profiles: ProfileTable,
) -> None:
    profiles.set("ann", {"plan": "free", "n": 1})
    batch = profiles.apply(
        [
            {"$distinct_id": "ann", "$set": {"plan": "pro", "n": 2}},
            {"$distinct_id": "bob", "$set": {}},
        ]
    ).batch_id
    assert batch is not None
    profiles.set("ann", {"plan": "team"})
    profiles.set("bob", {"x": 1})
    with pytest.raises(errors.UndoError, match="2 of its cells or profiles") as refused:
        profiles.undo(batch)
    assert refused.value.conflicts["property"].tolist() == [None, "plan"]  # type: ignore[attr-defined]
    assert profiles["ann"] == {"plan": "team", "n": 2}
    profiles.undo(batch, only_untouched=True)
    assert profiles["ann"] == {"plan": "team", "n": 1}
    assert profiles["bob"] == {"x": 1}


def test_undo_refuses_an_unknown_batch_and_a_second_time(profiles: ProfileTable) -> None:
    profiles.set("ann", {"n": 1})
    with pytest.raises(errors.UndoError, match="no batch 9"):
        profiles.undo(9)
    with pytest.raises(errors.UndoError, match="was not undone"):
        profiles.redo(1)
    profiles.undo(1)
    with pytest.raises(errors.UndoError, match="undone already, by batch 2"):
        profiles.undo(1)
    assert len(profiles) == 0


def test_undo_reaches_the_groups_of_a_batch(profiles: ProfileTable) -> None:
    profiles.groups("company").set("acme", {"seats": 1})
    batch = profiles.apply(
        [
            {"$group_key": "company", "$group_id": "acme", "$set": {"seats": 2}},
            {"$distinct_id": "ann", "$set": {"n": 1}},
        ]
    ).batch_id
    assert batch is not None
    profiles.undo(batch)
    assert profiles.groups("company")["acme"] == {"seats": 1}
    assert "ann" not in profiles


def test_undo_reaches_a_group_table_that_is_empty_and_never_had_a_property(
    profiles: ProfileTable,
) -> None:
    companies = profiles.groups("company")
    companies.set("acme", {})
    batch = companies.delete("acme").batch_id
    assert batch is not None
    profiles.undo(batch)
    assert companies["acme"] == {}


@settings(max_examples=examples(100), deadline=None, suppress_health_check=FIXTURES)
@given(first=batches, second=batches)
def test_undo_of_the_last_batch_gives_the_table_before_it(
    first: list[dict[str, Any]], second: list[dict[str, Any]]
) -> None:
    with tempfile.TemporaryDirectory() as folder, ProfileTable(Path(folder) / "a.db") as profiles:
        profiles.apply(first)
        before = {key: dumps(profiles[key]) for key in profiles}
        batch = profiles.apply(second).batch_id
        if batch is None:
            return
        profiles.undo(batch)
        after = {key: profiles[key] for key in profiles}
        assert after.keys() == before.keys()
        for key, properties in after.items():
            assert parse_message({"$distinct_id": key, "$set": properties}, 0, []) is not None
            assert len(profiles.diff(profiles.as_of(batch=batch - 1))) == 0


# JOIN-4


def purchases() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "event": "Purchase",
            "distinct_id": ["ann", "ann", "bob", "ann", None],
            "time": ["2025-12-31", "2026-02-01", "2026-02-01", "2026-03-01", "2026-03-01"],
            "amount": [1, 2, 4, 8, 16],
        },
        index=[5, 5, 7, 8, 9],
    )


def test_JOIN_4_each_event_meets_the_state_of_its_time(profiles: ProfileTable) -> None:
    shop(profiles)
    joined = tk.join(purchases(), profiles, ["plan", "tags"], at="event time")
    assert joined.index.tolist() == [5, 5, 7, 8, 9]
    assert joined["user.plan"].fillna("-").tolist() == ["-", "free", "-", "pro", "-"]
    assert joined["user.tags"].iloc[1] == ["a"]
    latest = tk.join(purchases(), profiles, "plan")
    assert latest["user.plan"].fillna("-").tolist() == ["pro", "pro", "-", "pro", "-"]


def test_JOIN_4_a_deleted_profile_is_not_set_from_then_on(profiles: ProfileTable) -> None:
    shop(profiles)
    profiles.delete("ann", time="2026-02-15")
    joined = tk.join(purchases(), profiles, "plan", at="event time")
    # The upgrade of March is of the profile made anew by it.
    assert joined["user.plan"].fillna("-").tolist() == ["-", "free", "-", "pro", "-"]


def test_JOIN_4_in_a_report_breaks_down_and_filters_as_of_the_event(
    profiles: ProfileTable,
) -> None:
    shop(profiles)
    for measure in ("total", "unique"):
        report = tk.segmentation(
            purchases(), profiles, "Purchase", by=user["plan"], unit=None, at="event time",
            measure=measure,
        )  # fmt: skip
        counted = dict(report.table.to_numpy().tolist())
        not_set = 3 if measure == "total" else 2  # ann before she was known, bob, nobody
        assert counted == {"free": 1, "pro": 1, "(not set)": not_set}
        assert any("as of each event" in note for note in report.notes)
    filtered = tk.segmentation(
        purchases(), profiles, "Purchase", unit=None, at="event time",
        where=(user["plan"] == "free") & (event["amount"] < 5),
    )  # fmt: skip
    assert filtered.table["count"].tolist() == [1]
    assert filtered.users() == ["ann"]


def test_JOIN_4_events_without_any_distinct_id_meet_nobody(profiles: ProfileTable) -> None:
    shop(profiles)
    nobody = purchases().assign(distinct_id=None)
    joined = tk.join(nobody, profiles, ["plan"], at="event time")
    assert joined["user.plan"].isna().all()
    report = tk.segmentation(
        nobody, profiles, "Purchase", by=user["plan"], unit=None, at="event time"
    )
    assert report.table.to_numpy().tolist() == [["(not set)", 5]]


def test_JOIN_4_needs_the_table_and_a_property_with_a_past(profiles: ProfileTable) -> None:
    shop(profiles)
    for bad in (profiles.where(user["plan"] == "pro"), profiles.snapshot()):
        with pytest.raises(errors.JoinError, match="ProfileTable itself"):
            tk.join(purchases(), bad, "plan", at="event time")
    with pytest.raises(errors.ReadOnlyError, match="the table itself"):
        tk.join(purchases(), profiles.as_of("2026-02-01"), "plan", at="event time")
    with pytest.raises(errors.JoinError, match="no past"):
        tk.join(purchases(), profiles, "$last_seen", at="event time")
    with pytest.raises(errors.JoinError, match="allowed are latest, event time"):
        tk.join(purchases(), profiles, "plan", at="then")  # type: ignore[arg-type]


@settings(max_examples=examples(60), deadline=None)
@given(
    changes=st.lists(
        st.tuples(
            st.sampled_from("ab"),
            st.integers(0, 9),
            st.sampled_from(["$set", "$unset", "$add", "$append"]),
            cells,
        ),
        max_size=12,
    ),
    moments=st.lists(st.tuples(st.sampled_from("abc"), st.integers(-1, 10)), max_size=8),
)
def test_JOIN_4_equals_asking_as_of_event_by_event(changes: Any, moments: Any) -> None:
    base = 1_700_000_000
    profiles = ProfileTable()
    for key, second, operator, cell in changes:
        argument = ["p"] if operator == "$unset" else {"p": cell}
        profiles.apply([{"$distinct_id": key, operator: argument, "$time": base + second}])
    ids = [key for key, _ in moments]
    at = [base + second for _, second in moments]
    frame = pd.DataFrame({"event": "E", "distinct_id": pd.Series(ids, dtype=object), "time": at})
    found = Past(tk.Events(frame), profiles).cells("p").cells()
    for (key, second), cell in zip(moments, found, strict=True):
        expected = profiles.as_of(base + second).get(key, {}).get("p", ABSENT)  # type: ignore[union-attr]
        assert cell is expected or dumps(cell) == dumps(expected)


def test_the_story_of_the_sample_upgrades_move_revenue() -> None:
    files = tk.sample_files()
    profiles = ProfileTable()
    tk.import_csv(profiles, files["profiles"], time="2024-12-31")
    profiles.apply(tk.read_messages(files["updates"]))
    events = tk.Events(pd.read_parquet(files["events"]))
    revenue = {}
    for at in ("latest", "event time"):
        joined = tk.join(events, profiles, "plan", at=at)  # type: ignore[arg-type]
        revenue[at] = joined.groupby("user.plan")["amount"].sum().round(2).to_dict()
    moved = revenue["latest"]["pro"] - revenue["event time"]["pro"]
    assert moved > 5_000
    assert revenue["event time"]["free"] > revenue["latest"]["free"]
