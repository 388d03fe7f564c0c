"""One profile through time: what its own updates alone tell of it."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from hypothesis import given, settings, strategies as st

from tests.effort import examples
from tests.strategies import IDS, batches
from tests.test_compaction import START, a_clock, compact, dated
from toolkit.base import errors, times
from toolkit.base.ids import normalise_id
from toolkit.base.values import dumps
from toolkit.profiles.table import ProfileTable
from toolkit.store import file as store


def texts_of(properties: Any) -> dict[str, str]:
    return {name: dumps(value) for name, value in properties.items()}


def as_it_was(table: ProfileTable, distinct_id: str, moment: int) -> Any:
    then = table.as_of(times.iso(moment))
    properties = then.get(distinct_id)
    if properties is None:
        return None
    return texts_of(properties), then.last_seen(distinct_id)


def told(table: ProfileTable, distinct_id: str, moment: int) -> Any:
    row = table.past_of(distinct_id).at(moment)
    if row is None:
        return None
    return texts_of(row.properties), times.timestamp(row.last_seen)


@settings(max_examples=examples(60), deadline=None)
@given(
    before=st.lists(batches, min_size=1, max_size=3),
    after=st.lists(batches, max_size=2),
    keep=st.none() | st.integers(0, 3),
    form=st.sampled_from(["memory", "rows", "Parquet"]),
)
def test_it_is_what_as_of_says_at_every_moment(
    before: list[Any], after: list[Any], keep: int | None, form: str
) -> None:
    as_rows = 0 if form == "Parquet" else 10_000
    with (
        tempfile.TemporaryDirectory() as folder,
        mock.patch.object(store, "_MESSAGES_AS_ROWS", as_rows),
        ProfileTable(None if form == "memory" else Path(folder) / "shop.db") as table,
    ):
        with a_clock(START + 4_000_000, 500_000):
            for part in before:
                table.apply(part)
        if keep is not None:
            compact(table, keep)
        with a_clock(START + 20_000_000, 500_000):
            for part in after:
                table.apply(dated(part, 3))  # late ones
        done = table._engine.log.compaction()
        for key in map(normalise_id, IDS):
            for second in range(0, 25, 2):
                moment = START + second * 10**6
                if done is None or moment >= done.time:
                    assert told(table, key, moment) == as_it_was(table, key, moment)


def test_its_moments_are_those_at_which_something_was_written() -> None:
    table = ProfileTable()
    table.set("a", {"n": 1}, time="2026-03-01")
    table.remove("a", {"tags": "x"}, time="2026-03-02")  # without effect
    table.add("a", {"n": 1}, time="2026-02-01")  # arrived late
    table.set("b", {"n": 1}, time="2026-01-01")
    past = table.past_of("a")
    assert [times.iso(moment)[:10] for moment in past.moments] == ["2026-02-01", "2026-03-01"]
    assert past.at(times.parse_time("2026-01-31")) is None
    assert past.at(times.parse_time("2026-02-28")).properties == {"n": 1}


def test_a_deleted_profile_was_there_once() -> None:
    table = ProfileTable()
    table.set("a", {"n": 1}, time="2026-03-01")
    table.delete("a", time="2026-04-01")
    past = table.past_of("a")
    assert past.at(times.parse_time("2026-03-15")).properties == {"n": 1}
    assert past.at(times.parse_time("2026-04-01")) is None
    assert len(past.moments) == 2


def test_what_was_compacted_away_is_refused_in_words() -> None:
    table = ProfileTable()
    for plan in ("free", "basic", "pro"):
        table.set("a", {"plan": plan})
    table.compact(keep=1)
    past = table.past_of("a")
    assert past.at(past.moments[0]).properties == {"plan": "basic"}
    assert past.at(past.moments[-1]).properties == {"plan": "pro"}
    table.set("b", {"n": 1}, time="2020-01-01")  # COMPACT-3
    late = table.past_of("b")
    assert late.moments == (late.since,)
    assert late.at(late.moments[0]).properties == {"n": 1}
    with pytest.raises(errors.CompactedError, match="Ask for that time or a later one"):
        past.at(0)


def test_nobody_has_no_past() -> None:
    past = ProfileTable().past_of("nobody")
    assert past.moments == ()
    assert past.at(times.now()) is None
