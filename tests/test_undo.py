"""Undo in whole columns: against the same profile by profile, and against its own messages."""

from __future__ import annotations

import itertools
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings, strategies as st

import toolkit as tk
from tests import undo_reference
from tests.effort import examples
from tests.strategies import IDS, NAMES, batches, cells
from tests.test_columns import same
from tests.test_table_reference import exactly
from toolkit.base import errors, times
from toolkit.base.times import NO_TIME
from toolkit.base.values import ABSENT
from toolkit.columns.column import Column
from toolkit.profiles.table import ProfileTable
from toolkit.store import file as store, log, parquet as bulk, rows as stored, undo
from toolkit.store.log import MemoryLog
from toolkit.updates import CellRejections, by_message as batch_module, limits, rejections_of
from toolkit.updates.by_message import plan
from toolkit.updates.columnar import ColumnarUpdates
from toolkit.updates.state import State

COMPANY = st.sampled_from(["", "company"])
START = 1_700_000_100 * 10**6


@contextmanager
def clock(*, in_columns: bool, small_parts: bool = False) -> Iterator[None]:
    """A clock of its own, and the form in which every undo is logged."""
    ticks = itertools.count(START, 10**6)
    with ExitStack() as patched:
        at_most = 0 if in_columns else 10**9
        for module in (undo, log):
            patched.enter_context(mock.patch.object(module, "_AS_MESSAGES_AT_MOST", at_most))
        patched.enter_context(mock.patch.object(times, "now", lambda: next(ticks)))
        if small_parts:
            for module, name in (
                (bulk, "ROWS"),
                (stored, "_CHECKPOINT_FROM"),
                (stored, "_INDEX_LATER_FROM"),
                (stored, "_CHUNK"),
            ):
                patched.enter_context(mock.patch.object(module, name, 2))
        yield


def everything(profiles: ProfileTable) -> dict[str, Any]:
    """Profiles in their order, exactly, with Updated At."""
    return {
        group: [(key, exactly(table[key]), table.last_seen(key)) for key in table]
        for group, table in (("", profiles), ("company", profiles.groups("company")))
    }


#: A batch of messages, or of columns, or an undo or redo: (what, argument).
@st.composite
def steps(draw: st.DrawFn) -> tuple[str, Any]:
    what = draw(st.sampled_from(["apply", "apply", "columns", "undo", "undo", "redo"]))
    if what == "apply":
        sent = draw(batches)
        if draw(st.booleans()):
            sent = [_to_company(message) if n % 2 else message for n, message in enumerate(sent)]
        return what, sent
    if what == "columns":
        ids = draw(st.lists(st.sampled_from(["1", "2", "x"]), min_size=1, unique=True))
        values = draw(st.lists(cells, min_size=len(ids), max_size=len(ids)))
        return what, (ids, draw(st.sampled_from(NAMES)), values, draw(COMPANY))
    return what, (draw(st.integers(1, 8)), draw(st.booleans()))


def _to_company(message: dict[str, Any]) -> dict[str, Any]:
    left = {name: value for name, value in message.items() if name != "$distinct_id"}
    return {"$group_key": "company", "$group_id": message["$distinct_id"], **left}


def take(profiles: ProfileTable, step: tuple[str, Any]) -> Any:
    """Take one step; return what the caller learns of it."""
    what, argument = step
    if what == "apply":
        return repr(profiles.apply(argument))
    if what == "columns":
        ids, name, values, group = argument
        table = profiles.groups(group) if group else profiles
        given_columns = {name: Column.of(values)}
        return repr(table.set_columns(pa.array(ids, pa.large_string()), given_columns, source="c"))
    batch_id, only_untouched = argument
    try:
        return repr(getattr(profiles, what)(batch_id, only_untouched=only_untouched))
    except errors.UndoError as error:
        conflicts = error.conflicts
        told = None if conflicts is None else conflicts.to_numpy().tolist()  # type: ignore[attr-defined]
        return str(error), told


def past(profiles: ProfileTable) -> list[Any]:
    """What is told of the past, in every way there is."""
    last = len(profiles.batches)
    told: list[Any] = [everything(profiles.as_of(batch=batch)) for batch in range(last + 1)]
    for second in (-100, 0, 1, last // 2, last):
        told.append(everything(profiles.as_of(times.iso(START + second * 10**6))))
    for table in (profiles, profiles.groups("company")):
        for name in NAMES:
            line = table.timeline(name)
            for second in range(-100, last + 1, 7):
                at = np.full(len(line.ids), START + second * 10**6)
                found = line.at(line.ids, np.arange(len(line.ids)), at).cells()
                known = zip(line.ids.to_pylist(), map(_exact, found), strict=True)
                told.append(sorted((key, cell) for key, cell in known if cell is not None))
        for key in map(str, IDS):
            told.append(repr(table.history(key).drop(columns="arrived").to_numpy().tolist()))
            told.append([str(table.explain(key, name)) for name in NAMES])
            moments = table.past_of(key)
            told.append([(each, repr(moments.at(each))) for each in moments.moments])
    told.append(profiles.batches.to_numpy().tolist().__repr__())
    return told


def _exact(cell: Any) -> str | None:
    return None if cell is ABSENT else exactly({"": cell})


@settings(max_examples=examples(60), deadline=None)
@given(taken=st.lists(steps(), min_size=2, max_size=9))
def test_UNDO_1_an_undo_or_import_in_columns_is_what_it_is_as_messages(
    taken: list[tuple[str, Any]],
) -> None:
    found = []
    for in_columns in (False, True):
        with clock(in_columns=in_columns):
            profiles = ProfileTable()
            told = [(take(profiles, step), everything(profiles)) for step in taken]
            found.append((told, past(profiles)))
    for one, other in zip(found[0][0], found[1][0], strict=True):
        assert one == other
    assert found[0][1] == found[1][1]


@settings(max_examples=examples(60), deadline=None)
@given(taken=st.lists(steps(), min_size=2, max_size=9), in_columns=st.booleans())
def test_UNDO_2_puts_back_and_leaves_what_it_does_profile_by_profile(
    taken: list[tuple[str, Any]], in_columns: bool
) -> None:
    with clock(in_columns=in_columns):
        profiles = ProfileTable()
        for step in taken:
            take(profiles, step)
        kept = profiles._engine.log

        def latest(key: str) -> Any:
            return (profiles.groups(key) if key else profiles).snapshot()

        for batch_id in profiles.batches.index:
            for key in sorted(kept.keys(batch_id)):
                expected = undo_reference.plan_undo(kept, key, batch_id)
                conflicts: list[CellRejections] = []
                edits = undo.plan_undo(kept, key, batch_id, latest, conflicts)
                messages = list(edits.messages())
                assert [
                    (each.distinct_id, each.property, each.reason)
                    for each in rejections_of(conflicts)
                ] == [tuple(each) for each in expected.conflicts]
                assert {each.distinct_id: each.as_text() for each in messages} == {
                    each.distinct_id: each.as_text() for each in expected.messages
                }
                # Deleted and written again: in this order, for it is that of the table.
                for operator in ("$delete", "$set"):
                    assert [each.distinct_id for each in messages if _whole(each, operator)] == [
                        each.distinct_id for each in expected.messages if _whole(each, operator)
                    ]


def _whole(message: Any, operator: str) -> bool:
    [(first, _), *more] = message.operations
    return first == operator and not more and (operator == "$delete" or message.seen is not None)


@settings(max_examples=examples(25), deadline=None)
@given(taken=st.lists(steps(), min_size=2, max_size=8))
def test_a_file_takes_an_undo_in_columns_as_a_table_in_memory_does(
    taken: list[tuple[str, Any]],
) -> None:
    with clock(in_columns=True):
        twin = ProfileTable()
        for step in taken:
            take(twin, step)
        expected = everything(twin), past(twin)
    with tempfile.TemporaryDirectory() as folder, clock(in_columns=True, small_parts=True):
        path = Path(folder) / "shop.db"
        with ProfileTable(path) as profiles, ProfileTable(path) as other:
            for step in taken:
                take(profiles, step)
                assert everything(other) == everything(profiles)
            assert profiles.check().problems == ()
        with ProfileTable(path) as again:
            assert (everything(again), past(again)) == expected


def exact_content(profiles: ProfileTable) -> dict[str, dict[str, str]]:
    """Every profile with the types of its values and the order of its properties and keys."""
    tables = {"": profiles, "company": profiles.groups("company")}
    return {
        group: {key: undo_reference.exact(table[key]) for key in table}
        for group, table in tables.items()
    }


@settings(max_examples=examples(80), deadline=None)
@given(
    taken=st.lists(steps(), min_size=1, max_size=5),
    in_columns=st.booleans(),
    on_disk=st.booleans(),
    looks=st.booleans(),
)
def test_UNDO_1_brings_back_types_and_orders_exactly(
    taken: list[tuple[str, Any]], in_columns: bool, on_disk: bool, looks: bool
) -> None:
    with ExitStack() as stack:
        stack.enter_context(clock(in_columns=in_columns, small_parts=True))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        profiles = stack.enter_context(ProfileTable(folder / "shop.db" if on_disk else None))
        for step in taken:
            before, last = exact_content(profiles), len(profiles.batches)
            take(profiles, step)
            if looks:  # single profiles are read from whole columns then
                profiles.snapshot()
                profiles.groups("company").snapshot()
            after = exact_content(profiles)
            if len(profiles.batches) == last:
                continue
            assert profiles.undo(last + 1).batch_id == last + 2
            assert exact_content(profiles) == before
            profiles.redo(last + 1)
            assert exact_content(profiles) == after
        assert not on_disk or profiles.check().problems == ()


@pytest.mark.parametrize("on_disk", [False, True])
@pytest.mark.parametrize(
    ("old", "new"),
    [
        (2, 2.0),
        (0.0, -0.0),
        ([1, [2]], [1.0, [2.0]]),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        ([{"a": 1, "b": None}], [{"b": None, "a": 1}]),
    ],
)
@pytest.mark.parametrize("way", ["message", "columns", "imported beside another change"])
def test_UNDO_1_equal_values_are_put_back_as_they_were(
    tmp_path: Path, on_disk: bool, old: Any, new: Any, way: str
) -> None:
    with ProfileTable(tmp_path / "shop.db" if on_disk else None) as profiles:
        profiles.apply([{"$distinct_id": key, "$set": {"first": 1, "n": old}} for key in "12"])
        if way == "message":
            profiles.set("1", {"n": new})
        else:
            cells = [new] if way == "columns" else [new, "else"]
            ids = pa.array(["1", "2"][: len(cells)], pa.large_string())
            profiles.set_columns(ids, {"n": Column.of(cells)}, source="c")
        assert undo_reference.exact(profiles["1"]["n"]) == undo_reference.exact(new)
        profiles.undo(2)
        assert undo_reference.exact(profiles["1"]) == undo_reference.exact({"first": 1, "n": old})
        profiles.redo(2)
        assert undo_reference.exact(profiles["1"]["n"]) == undo_reference.exact(new)
        assert undo_reference.exact(profiles.past_of("1").at(10**16).properties) == (  # type: ignore[union-attr]
            undo_reference.exact(profiles["1"])
        )


def test_UNDO_3_an_undo_with_nothing_to_put_back_can_be_redone() -> None:
    profiles = ProfileTable()
    profiles.set("1", {"n": 1})
    profiles.set("1", {"n": 1})
    assert repr(profiles.undo(2)) == "<ApplyResult: nothing to apply>"
    with pytest.raises(errors.UndoError, match="undone already, by batch 3"):
        profiles.undo(2)
    profiles.redo(2)
    assert profiles.batches["undoes"].dropna().tolist() == [2, 3]
    profiles.set("1", {"n": 2})
    profiles.set("1", {"n": 3})
    left = profiles.undo(5, only_untouched=True)  # all of it was written to since
    assert left.batch_id is None
    assert profiles["1"] == {"n": 3}


@pytest.mark.parametrize("on_disk", [False, True])
def test_ORDER_1_properties_stand_in_the_order_of_the_table(tmp_path: Path, on_disk: bool) -> None:
    with ProfileTable(tmp_path / "shop.db" if on_disk else None) as profiles:
        profiles.set("1", {"b": 1, "a": 2})
        profiles.set("2", {"new": 0, "a": 1, "b": 2})
        assert list(profiles["2"]) == ["b", "a", "new"]
        profiles.unset("2", "b")
        profiles.set("2", {"b": 3})
        profiles.apply([{"$distinct_id": key, "$set": {"a": 0, "b": 0}} for key in "345"])
        read = {key: list(profiles[key]) for key in profiles}
        assert list(profiles.frame.columns) == ["b", "a", "new", "$last_seen"]
        assert {key: list(profiles[key]) for key in profiles} == read
        assert read == {"1": ["b", "a"], "2": ["b", "a", "new"]} | {
            key: ["b", "a"] for key in "345"
        }


# The edits themselves

ROWS = 6


@st.composite
def edits(draw: st.DrawFn) -> ColumnarUpdates:
    ids = draw(
        st.lists(st.sampled_from([*map(str, IDS[1:]), "x", "y"]), unique=True, max_size=ROWS)
    )
    length = len(ids)
    bools = st.lists(st.booleans(), min_size=length, max_size=length).map(
        lambda found: np.array(found, np.bool_)
    )
    deleted = draw(bools)
    columns, unset = {}, {}
    for name in draw(st.lists(st.sampled_from(NAMES), unique=True)):
        found = draw(st.lists(cells | st.just(ABSENT), min_size=length, max_size=length))
        found = [ABSENT if gone else cell for cell, gone in zip(found, deleted, strict=True)]
        columns[name] = Column.of(found)
    for name in draw(st.lists(st.sampled_from(NAMES), unique=True)):
        taken = draw(bools) & ~deleted
        if name in columns:
            taken &= ~columns[name].is_present
        if taken.any():
            unset[name] = taken
    seen = draw(st.lists(st.sampled_from([NO_TIME, 5, 10**15]), min_size=length, max_size=length))
    return ColumnarUpdates(
        pa.array(ids, pa.large_string()),
        columns,
        np.where(deleted, NO_TIME, np.array(seen, np.int64)),
        unset=unset,
        deleted=deleted,
        form="edits",
    )


@settings(max_examples=examples(150), deadline=None)
@given(before=batches, given_edits=edits())
def test_edits_lead_to_what_their_messages_lead_to(
    before: list[dict[str, Any]], given_edits: ColumnarUpdates
) -> None:
    profiles = ProfileTable()
    profiles.apply(before)
    start = profiles.snapshot()
    in_columns = plan(State.of(start), given_edits, START)
    change = in_columns.change
    planned = plan(State.of(start), list(enumerate(given_edits.messages())), START)
    states = [State.of(start), State.of(start)]
    states[0].install(change)
    states[1].install(planned.change)
    one, other = (state.snapshot() for state in states)
    assert list(one) == list(other)
    rows = np.arange(len(one))
    assert list(map(exactly, one.rows(rows))) == list(map(exactly, other.rows(rows)))
    assert one.last_seen.tolist() == other.last_seen.tolist()
    assert in_columns.outcome.effects == planned.outcome.effects
    assert change.touched is not None
    untouched = np.setdiff1d(rows, change.touched)
    left = np.setdiff1d(np.arange(len(start)), change.dropped)
    as_before = [exactly(row) for row in one.rows(untouched)]
    assert as_before == [exactly(row) for row in start.rows(left[untouched])]


@settings(deadline=None)
@given(given_edits=edits(), key=st.sampled_from(["1", "x"]))
def test_edits_are_read_back_from_Parquet_exactly(given_edits: ColumnarUpdates, key: str) -> None:
    nobody = pa.array([], pa.large_string())
    about = ColumnarUpdates(nobody, {}, group_key="company", form="edits")
    with mock.patch.object(bulk, "ROWS", 2):
        parts = [
            bulk.read_updates(content, about) for _, content in bulk.written_updates(given_edits)
        ]
    messages = [message.as_dict() for part in parts for message in part.messages()]
    sent = [message.as_dict() for message in given_edits.messages()]
    assert [_without_address(message) for message in messages] == [
        _without_address(message) for message in sent
    ]
    for name in NAMES:
        if name in given_edits.columns:
            read = [cell for part in parts for cell in _cells(part, name)]
            assert same(read, given_edits.columns[name].cells())
    own = [
        [message.distinct_id for message in found.messages()]
        for part in parts
        if (found := part.of_profile("company", key)) is not None
    ]
    assert own == ([[key]] if key in given_edits.ids.to_pylist() else [])
    assert all(part.of_profile("", key) is None for part in parts)


def _cells(part: ColumnarUpdates, name: str) -> list[Any]:
    return part.columns[name].cells()


def _without_address(message: dict[str, Any]) -> dict[str, Any]:
    left = {name: value for name, value in message.items() if not name.startswith("$group")}
    return {**left, "$distinct_id": message.get("$group_id", message.get("$distinct_id"))}


# Large ones


def large(path: Path | None = None, rows: int = 3_000) -> tuple[ProfileTable, int]:
    """A table of two imports, the second of which adds a property, and its batch."""
    profiles = ProfileTable(path)
    frame = pd.DataFrame({"distinct_id": np.arange(rows).astype(str), "n": np.arange(rows)})
    tk.import_frame(profiles, frame)
    batch = tk.import_frame(profiles, frame.assign(n=0, new="x")).batch_id
    assert batch is not None
    return profiles, batch


def test_a_large_undo_is_logged_in_columns_that_any_tool_reads(tmp_path: Path) -> None:
    profiles, batch = large(tmp_path / "shop.db")
    profiles.undo(batch)
    profiles.undo(1)
    profiles.redo(1)
    profiles.close()
    with closing(sqlite3.connect(tmp_path / "shop.db")) as database, database:
        parts = database.execute("SELECT batch_id, form, updates, parquet FROM bulk_updates")
        forms = {row[0]: row[1:] for row in parts}
        assert database.execute("SELECT count(*) FROM updates").fetchone() == (0,)
        assert database.execute("PRAGMA user_version").fetchone() == (3,)
    database.close()
    assert [forms[each][:2] for each in (3, 4, 5)] == [("edits", 3_000)] * 3
    frames = [pd.read_parquet(pa.BufferReader(forms[each][2])) for each in (3, 4, 5)]
    assert frames[0]["$unset"].map(list).tolist()[:2] == [["new"], ["new"]]
    # 0 was 0 before.
    assert frames[0]["n"].tolist()[1:] == list(range(1, 3_000))
    assert frames[1]["$delete"].all()
    assert frames[2]["n"].tolist() == list(range(3_000))


def test_a_small_undo_is_logged_as_messages(tmp_path: Path) -> None:
    with ProfileTable(tmp_path / "shop.db") as profiles:
        profiles.set("1", {"n": 1})
        profiles.undo(1)
        [part] = profiles._engine.log.updates(2)
        assert isinstance(part, list)


def test_a_large_undo_gives_back_Updated_At_and_leaves_what_came_later(tmp_path: Path) -> None:
    with ProfileTable(tmp_path / "shop.db") as profiles:
        sent = [
            {"$distinct_id": n, "$set": {"n": n}, "$time": 1_700_000_000 + n} for n in range(2_000)
        ]
        profiles.apply(sent)
        profiles.set("empty", {}, time=1_700_000_000)
        ids = [*map(str, range(2_000)), "empty"]
        deleted = profiles.apply([{"$distinct_id": key, "$delete": ""} for key in ids]).batch_id
        assert deleted is not None
        profiles.set("7", {"later": True})
        with pytest.raises(errors.UndoError, match="1 of its cells or profiles") as refused:
            profiles.undo(deleted)
        assert refused.value.conflicts["distinct_id"].tolist() == ["7"]  # type: ignore[attr-defined]
        assert profiles.undo(deleted, only_untouched=True).created == 2_000
        assert profiles["7"] == {"later": True}
        assert profiles["empty"] == {}
        assert list(profiles)[:3] == ["7", "0", "1"]
        assert profiles.last_seen("1999") == pd.Timestamp(1_700_001_999, unit="s", tz="UTC")
        assert profiles.check().is_sound


def test_a_large_undo_reaches_all_tables_of_the_batch(tmp_path: Path) -> None:
    with ProfileTable(tmp_path / "shop.db") as profiles:
        companies = profiles.groups("company")
        companies.set("1", {"n": "before"})
        users = [{"$distinct_id": n, "$set": {"n": n}} for n in range(900)]
        groups = [{"$group_key": "company", "$group_id": n, "$set": {"n": n}} for n in range(900)]
        batch = profiles.apply(users + groups).batch_id
        assert batch is not None
        result = profiles.undo(batch)
        assert (result.applied, result.deleted, result.updated) == (1_800, 1_799, 1)
        assert len(profiles) == 0
        assert {key: companies[key] for key in companies} == {"1": {"n": "before"}}
        profiles.redo(batch)
        assert len(profiles) == len(companies) == 900
        assert profiles.check().is_sound
        # The log knows a table that holds nothing any more.
        assert profiles._engine.log.keys() == {"", "company"}
        assert profiles._engine.log.keys(1) == {"company"}


def test_a_large_undo_can_be_compacted_away_and_undone_after(tmp_path: Path) -> None:
    profiles, batch = large(tmp_path / "shop.db")
    with profiles:
        before = everything(profiles)
        profiles.undo(batch)
        after = everything(profiles)
        profiles.set("later", {})
        profiles.compact(keep=2)
        assert profiles.check().is_sound
        # The batch itself is gone, its redo is not.
        redone = profiles.redo(batch).batch_id
        assert everything(profiles)[""][:-1] == before[""]
        assert redone is not None
        profiles.undo(redone)
        profiles.compact(keep=0)
        assert everything(profiles)[""][:-1] == after[""]
        assert profiles.check().is_sound


@pytest.mark.parametrize("kept", [2, 3])
def test_a_large_undo_respects_limits_as_a_small_one_does(
    kept: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "PROPERTIES", kept)
    monkeypatch.setattr(undo, "_AS_MESSAGES_AT_MOST", 0)
    profiles = ProfileTable(limits="mixpanel")
    profiles.set("1", {"a": 1, "b": 2})
    batch = profiles.unset("1", ["a"]).batch_id
    assert batch is not None
    profiles.set("1", {"c": 3})
    result = profiles.undo(batch)
    assert len(result.rejected) == (1 if kept == 2 else 0)
    assert len(profiles["1"]) == kept


@pytest.mark.parametrize("number", [True, False, None, "1", 1.0, [1]])
def test_what_is_no_number_of_a_batch_is_refused(number: Any) -> None:
    profiles = ProfileTable()
    profiles.set("1", {"n": 1})
    for ask in (profiles.undo, profiles.redo):
        with pytest.raises(errors.ArgumentError, match="the number of a batch is needed"):
            ask(number)
    assert profiles["1"] == {"n": 1}
    profiles.undo(np.int64(1))  # type: ignore[arg-type]
    assert "1" not in profiles


def test_undo_tells_of_everything_it_does_and_stops_where_it_is_told_to(tmp_path: Path) -> None:
    profiles, batch = large(tmp_path / "shop.db")
    with profiles:
        expected = everything(profiles)
        told: list[tuple[str, int, int]] = []
        profiles.undo(batch, progress=lambda *notice: told.append(notice))
        assert all(0 <= done <= total or total == 0 for _, done, total in told)
        looking = [done for stage, done, _ in told if stage == "Looking back"]
        assert len(set(looking)) > 1
        profiles.redo(batch)
        for stop_at in range(1, len(told), max(len(told) // 40, 1)):
            left = itertools.count(1)

            def stop(*_: Any, left: Any = left, stop_at: int = stop_at) -> None:
                if next(left) == stop_at:
                    raise errors.WorkCancelled("enough")

            with pytest.raises(errors.WorkCancelled):
                profiles.undo(batch, progress=stop)
        assert everything(profiles) == expected
        assert profiles.check().is_sound


def test_a_replay_is_of_every_form_of_the_log() -> None:
    assert MemoryLog().keys() == set()
    with clock(in_columns=True), mock.patch.object(batch_module, "ROWS_AT_MOST", -1):
        profiles, batch = large(rows=5)
        profiles.undo(batch)
        parts = [part for n in (1, 2, 3) for part in profiles._engine.log.updates(n)]
        forms = [part.form for part in parts if isinstance(part, ColumnarUpdates)]
        assert forms == ["columns", "columns", "edits"]


# Files of before


def test_a_file_of_layout_2_whose_undos_are_messages_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "shop.db"
    shutil.copy(Path(__file__).parent / "files" / "layout-2.sqlite", path)
    with (
        mock.patch.object(store, "_MESSAGES_AS_ROWS", 3),
        mock.patch.object(undo, "_AS_MESSAGES_AT_MOST", 0),
        ProfileTable(path) as profiles,
    ):
        assert (tmp_path / "shop.db.layout-2.backup").exists()
        assert profiles.check().is_sound
        whole = everything(profiles)
        assert profiles["ann"] == {"plan": "free", "big": 2**70, "null": None, "n": 7, "t": "x"}
        assert len(profiles.history("3")) == 8
        profiles.redo(5)
        assert list(profiles) == ["ann"]
        profiles.undo(5)
        assert sorted(everything(profiles)[""]) == sorted(whole[""])
        profiles.undo(2)
        assert profiles["ann"] == {"plan": "free", "big": 2**70, "null": None}
        assert profiles.check().is_sound


def _import_twice(profiles: ProfileTable) -> int | None:
    files = [b"$distinct_id;x\na;1\nb;2\n"] * 2
    first, _ = [tk.import_csv(profiles, data).batch_id for data in files]
    return first


def _message(**operators: Any) -> dict[str, Any]:
    return {"$distinct_id": "a", **{f"${name}": argument for name, argument in operators.items()}}


@pytest.mark.parametrize("on_disk", [False, True])
@pytest.mark.parametrize("rows", [False, True])
@pytest.mark.parametrize(
    ("batch", "idle"),
    [
        (_message(delete=""), _message(delete="")),
        (_message(set={"x": 1}), _message(unset=["nope"])),
        (_message(set={"x": [1]}), _message(union={"x": [1]})),
        (_message(set={"x": [1]}), _message(remove={"x": 2})),
        (_message(set={"x": 2}), _message(set_once={"x": 3})),
    ],
)
def test_UNDO_2_updates_without_effect_are_no_conflict(
    tmp_path: Path, on_disk: bool, rows: bool, batch: Any, idle: Any
) -> None:
    at_most = 10**9 if rows else 0
    with (
        mock.patch.object(batch_module, "ROWS_AT_MOST", at_most),
        ProfileTable(tmp_path / "shop.db" if on_disk else None) as profiles,
    ):
        profiles.apply([{"$distinct_id": key, "$set": {"x": 0}} for key in "ab"])
        before = exact_content(profiles)
        done = profiles.apply([batch]).batch_id
        assert done is not None
        for _ in range(2):
            assert profiles.apply([idle]).unchanged == 1
        profiles.undo(done)
        content = exact_content(profiles)[""]
        assert sorted(content.items()) == sorted(before[""].items())


@pytest.mark.parametrize("on_disk", [False, True])
@pytest.mark.parametrize("in_columns", [False, True])
def test_UNDO_2_a_file_imported_twice_is_undone(
    tmp_path: Path, on_disk: bool, in_columns: bool
) -> None:
    with (
        clock(in_columns=in_columns),
        ProfileTable(tmp_path / "shop.db" if on_disk else None) as profiles,
    ):
        first = _import_twice(profiles)
        assert first is not None
        profiles.undo(first)
        assert len(profiles) == 0


def test_UNDO_2_what_changed_exactly_is_a_conflict_though_equal() -> None:
    profiles = ProfileTable()
    ids = pa.array(["1"], pa.large_string())
    profiles.set("1", {"n": 0})
    profiles.set("1", {"n": 1})
    profiles.set_columns(ids, {"n": Column.of([1.0])}, source="c")
    with pytest.raises(errors.UndoError, match="written again"):
        profiles.undo(2)


@pytest.mark.parametrize("on_disk", [False, True])
@pytest.mark.parametrize("in_columns", [False, True])
@pytest.mark.parametrize("with_effect", [False, True])
@pytest.mark.parametrize(
    "idle",
    [
        [_message(set={"x": 1})],
        [_message(set={})],
        [_message(set_once={"x": 2})],
        [_message(add={"x": 0})],
        [_message(unset=["nope"])],
        [_message(set={"x": 2}), _message(set={"x": 1})],
    ],
)
def test_UNDO_2_an_update_without_effect_in_a_batch_that_has_one_is_no_conflict(
    tmp_path: Path, on_disk: bool, in_columns: bool, with_effect: bool, idle: list[Any]
) -> None:
    other = [{"$distinct_id": "b", "$set": {"x": 5}}, _message(set={"y": 1})] * with_effect
    with (
        clock(in_columns=in_columns),
        ProfileTable(tmp_path / "shop.db" if on_disk else None) as profiles,
    ):
        profiles.apply([_message(set={"x": 0})])
        done = profiles.apply([_message(set={"x": 1})]).batch_id
        assert done is not None
        profiles.apply([*other, *idle])
        profiles.undo(done)
        assert profiles["a"]["x"] == 0
        profiles.redo(done)
        assert profiles["a"]["x"] == 1


def test_UNDO_2_a_profile_whose_updates_since_had_no_effect_is_not_updated_since() -> None:
    profiles = ProfileTable()
    made = profiles.set("1", {"n": 0}).batch_id
    assert made is not None
    profiles.apply([{"$distinct_id": key, "$set": {"n": 0}} for key in "12"])
    profiles.undo(made)
    assert list(profiles) == ["2"]


@pytest.mark.parametrize("in_columns", [False, True])
def test_UNDO_2_a_profile_deleted_and_made_again_alike_is_a_conflict(in_columns: bool) -> None:
    with clock(in_columns=in_columns):
        profiles = ProfileTable()
        profiles.set("1", {"n": 0})
        profiles.set("1", {"n": 1})
        profiles.apply(
            [{"$distinct_id": "1", **each} for each in ({"$delete": ""}, {"$set": {"n": 1}})]
        )
        with pytest.raises(errors.UndoError, match="written again"):
            profiles.undo(2)
