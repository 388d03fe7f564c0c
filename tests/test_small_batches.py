"""Small batches of whole columns: logged as messages, and large ones not unpacked in vain."""

from __future__ import annotations

import itertools
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings, strategies as st

import toolkit as tk
from tests.effort import examples
from tests.strategies import NAMES, cells
from tests.test_undo import START, everything, past
from toolkit.base import times
from toolkit.base.values import ABSENT
from toolkit.columns.column import Column
from toolkit.profiles.table import ProfileTable
from toolkit.store import file as store, log, parquet as bulk


@st.composite
def writes(draw: st.DrawFn) -> dict[str, Any]:
    """The arguments of a `set_columns`, in every way there is."""
    ids = draw(st.lists(st.sampled_from(["1", "2", "x"]), min_size=1, max_size=4))
    row_times = None
    if draw(st.booleans()):
        row_times = draw(st.lists(st.integers(-9, 9), min_size=len(ids), max_size=len(ids)))
    else:
        ids = list(dict.fromkeys(ids))
    names = draw(st.lists(st.sampled_from(NAMES), unique=True, max_size=2))
    columns = {
        name: Column.of(
            draw(st.lists(cells | st.just(ABSENT), min_size=len(ids), max_size=len(ids)))
        )
        for name in names
    }
    moments = st.none() | st.integers(START - 10**7, START + 10**7)
    return {
        "ids": pa.array(ids, pa.large_string()),
        "columns": columns,
        # An import with a time a row leaves Updated At as it is.
        "seen": None if row_times else draw(moments),
        "time": None if row_times else draw(moments),
        "row_times": None if row_times is None else np.array(row_times, np.int64) * 10**6 + START,
        "source": "c",
    }


@settings(max_examples=examples(60), deadline=None)
@given(sent=st.lists(writes(), min_size=1, max_size=4), group=st.sampled_from(["", "company"]))
def test_rows_logged_as_messages_lead_to_what_they_do_as_columns(
    sent: list[dict[str, Any]], group: str
) -> None:
    found = []
    for at_most in (0, 10):
        ticks = itertools.count(START, 10**6)
        with (
            mock.patch.object(log, "_AS_MESSAGES_AT_MOST", at_most),
            mock.patch.object(times, "now", lambda ticks=ticks: next(ticks)),
        ):
            profiles = ProfileTable()
            table = profiles.groups(group) if group else profiles
            told = [repr(table.set_columns(**each)) for each in sent]
            found.append((told, everything(profiles), past(profiles)))
            profiles.undo(1, only_untouched=True)
            found[-1] += (everything(profiles),)  # type: ignore[assignment]
    assert found[0] == found[1]


def syncs(profiles: ProfileTable, number: int) -> None:
    profiles.set("other", {"a": 1})
    for n in range(number):
        profiles.set(pd.DataFrame({"distinct_id": ["1"], "n": [n]}))
    tk.import_csv(profiles, b"distinct_id,n\n1,-1\n", progress=False)
    tk.import_frame(profiles, pd.DataFrame({"distinct_id": ["1"], "n": [-2]}))


def test_small_syncs_are_logged_as_messages_that_people_can_read(tmp_path: Path) -> None:
    path = tmp_path / "shop.db"
    with ProfileTable(path) as profiles:
        syncs(profiles, 3)
        history = profiles.history("1")
        assert history["new"].tolist() == [0, 1, 2, -1, -2]
        assert history["operator"].tolist() == ["$set"] * 5
        with closing(sqlite3.connect(path)) as file:
            assert file.execute("SELECT count(*) FROM bulk_updates").fetchone() == (0,)
            texts = [row[0] for row in file.execute("SELECT message FROM updates ORDER BY id")]
        assert texts[1:] == [
            *(f'{{"$distinct_id":"1","$set":{{"n":{n}}}}}' for n in range(3)),
            '{"$distinct_id":"1","$set":{"n":-1},"$ignore_time":true}',
            '{"$distinct_id":"1","$set":{"n":-2},"$ignore_time":true}',
        ]
        assert profiles.check().problems == ()


def test_the_history_of_a_profile_unpacks_only_what_may_hold_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log, "_AS_MESSAGES_AT_MOST", 0)
    monkeypatch.setattr(store, "_MESSAGES_AS_ROWS", 1)
    unpacked = []
    for name in ("read_updates", "read_messages", "logged_messages"):
        read = getattr(bulk, name)

        def counted(given: Any, *about: Any, read: Any = read, name: str = name) -> Any:
            unpacked.extend([name] * (len(given) if name == "logged_messages" else 1))
            return read(given, *about)

        monkeypatch.setattr(bulk, name, counted)
    with ProfileTable(tmp_path / "shop.db") as profiles:
        syncs(profiles, 20)
        profiles.groups("company").set(pd.DataFrame({"distinct_id": ["other"], "n": [1]}))
        profiles.apply([{"$distinct_id": n, "$set": {"about": "other"}} for n in range(50)])
        names = ['an "odd" one\\n', "ü", "1"]
        profiles.apply([{"$distinct_id": each, "$add": {"k": 1}} for each in names * 2])
        assert len(profiles.history("other")) == 1
        # Where its name stands as a value it is looked at.
        assert set(unpacked) <= {"logged_messages"} and len(unpacked) <= 51
        unpacked.clear()
        assert profiles.history(names[0])["new"].tolist() == [1, 2]
        assert len(unpacked) == 2
        assert profiles.history("1")["new"].tolist()[:22] == [*range(20), -1, -2]
        assert profiles.history("ü")["new"].tolist() == [1, 2]
        assert profiles.history("nobody").empty


def test_a_batch_that_is_worked_out_for_long_arrives_at_one_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ticks = itertools.count(START, 10**6)
    monkeypatch.setattr(times, "now", lambda: next(ticks))
    profiles = ProfileTable()
    profiles.set(pd.DataFrame({"distinct_id": ["1"], "n": [1]}))
    assert profiles.last_seen("1") == profiles.batches["time"].iloc[0]
    profiles.set(pd.DataFrame({"distinct_id": ["1"], "n": [2]}))
    assert profiles.last_seen("1") == profiles.batches["time"].iloc[1]
    assert profiles.batches["time"].is_unique
