"""A funnel against a loop one can read, and against SQL written from the definition."""

from __future__ import annotations

import itertools
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st

import toolkit as tk
from tests.effort import examples
from tests.funnel_logs import (
    by_segment,
    counts,
    events_of,
    profiles_of,
)
from tests.funnel_reference import Entry, Funnel, Happening
from tests.moments import later
from toolkit import user
from toolkit.reports.question.segments import label

DAY = 86_400


# -- against a loop ---------------------------------------------------------------------

NAMES = ["A", "B", "C", None]


@st.composite
def questions(draw: st.DrawFn) -> dict[str, Any]:
    """Return a funnel to ask for, and the events to ask it of."""
    names = st.sampled_from(NAMES if draw(st.booleans()) else NAMES[:3])
    steps = draw(st.lists(names, min_size=2, max_size=4))
    order = draw(st.sampled_from(["specific", "any"]))
    exclude = []
    for name in draw(st.lists(st.sampled_from(["A", "B", "D"]), max_size=2)):
        low = draw(st.integers(1, len(steps) - 1))
        high = draw(st.integers(low + 1, len(steps)))
        exclude.append((name, draw(st.sampled_from([None, (low, high)]))))
    moments = st.integers(0, 12) if draw(st.booleans()) else st.integers(0, 60)
    happening = st.tuples(
        st.sampled_from(["A", "B", "C", "D"]),
        st.sampled_from(["u", "v"]),
        moments,
        st.sampled_from(["x", "y", None, 1, 1.0, True, ["x", "y"]]),
    )
    # With five minutes for a second, a pause of six of them is the longest in a session.
    scale = draw(st.sampled_from([1, 300]))
    log = draw(st.lists(happening, max_size=14))
    return {
        "steps": steps,
        "anchored": [order == "any" and draw(st.booleans()) for _ in steps],
        "conditions": [draw(st.sampled_from([False, False, True])) for _ in steps],
        "order": order,
        "exclude": exclude,
        "log": [(name, who, scale * at, item) for name, who, at, item in log],
        "window": scale * draw(st.integers(1, 40)),
        "grace": scale * draw(st.sampled_from([0, 2, 5])),
        "hold": draw(st.sampled_from([[], ["item"]])),
        "count": draw(st.sampled_from(["unique", "total", "sessions"])),
        "optimized": draw(st.booleans()),
        "start": draw(st.sampled_from([None, 5 * scale])),
        "stop": draw(st.sampled_from([None, 30 * scale])),
    }


def groups_of(anchored: list[bool]) -> list[list[int]]:
    groups: list[list[int]] = []
    is_open = False
    for step, keeps_its_place in enumerate(anchored):
        if keeps_its_place or not is_open:
            groups.append([step])
        else:
            groups[-1].append(step)
        is_open = not keeps_its_place
    return groups


def is_step(name: str | None, has_condition: bool) -> Any:
    return lambda each: (
        (name is None or each.name == name) and (not has_condition or each.values["item"] == "x")
    )


def by_session(log: list[Happening]) -> list[list[Happening]]:
    """Return the events of one user, session by session."""
    sessions: list[list[Happening]] = []
    for each in sorted(log, key=lambda each: (each.time, each.row)):
        if not sessions or each.time - sessions[-1][-1].time > 30 * 60:
            sessions.append([])
        sessions[-1].append(each)
    return sessions


def by_hand(asked: dict[str, Any], *, every: bool = False) -> list[tuple[tuple[str, int], Entry]]:
    """Return the entries of each user or session, worked out event by event."""
    steps = [*map(is_step, asked["steps"], asked["conditions"])]
    last = len(steps)
    funnel = Funnel(
        steps,
        asked["window"],
        asked["grace"],
        groups_of(asked["anchored"]) if asked["order"] == "any" else None,
        [(is_step(name, False), *(between or (1, last))) for name, between in asked["exclude"]],
        asked["hold"],
        every or asked["count"] == "total",
        asked["optimized"],
        asked["start"],
        asked["stop"],
    )
    found = []
    for who in ("u", "v"):
        log = [
            Happening(name, time, row, {"item": item})
            for row, (name, distinct_id, time, item) in enumerate(asked["log"])
            if distinct_id == who
        ]
        logs = by_session(log) if asked["count"] == "sessions" else [log]
        for number, part in enumerate(logs):
            found += [((who, number), entry) for entry in funnel.counted(part)]
    return found


@settings(deadline=None, max_examples=examples(300))
@given(asked=questions())
def test_numbers_and_users_are_those_of_a_loop(asked: dict[str, Any]) -> None:
    items = pd.Series([row[3] for row in asked["log"]], dtype=object)
    df = events_of(*[row[:3] for row in asked["log"]], item=items)
    condition = 'event["item"] == "x"'
    report = tk.funnel(
        df,
        None,
        [
            tk.step(name, condition if has_condition else None, anchored=anchored)
            for name, has_condition, anchored in zip(
                asked["steps"], asked["conditions"], asked["anchored"], strict=True
            )
        ],
        window=f"{asked['window']}s",
        grace=f"{asked['grace']}s",
        order=asked["order"],
        count=asked["count"],
        reentry="optimized" if asked["optimized"] else "first",
        exclude=[tk.step(name, between=between) for name, between in asked["exclude"]],
        hold=asked["hold"],
        start=later(asked["start"]),
        end=later(asked["stop"]),
    )
    entries = by_hand(asked)
    for step, row in enumerate(report.table.itertuples(index=False), 1):
        reached = [(who, each.steps) for (who, _), each in entries if len(each.steps) >= step]
        assert row.count == len(reached)
        assert report.users(step=step) == sorted({who for who, _ in reached})
        if step > 1 and reached:
            taken = [max(0, did[step - 1].time - did[step - 2].time) for _, did in reached]
            assert row.average_seconds == pytest.approx(np.mean(taken))
            assert row.median_seconds == np.median(taken)
            dropped = {who for (who, _), each in entries if len(each.steps) == step - 1}
            assert report.users(step=step, dropped=True) == sorted(dropped)


@pytest.mark.parametrize("reentry", ["first", "optimized"])
def test_every_short_log_at_the_ends_of_window_and_grace_is_counted_as_by_a_loop(
    reentry: Any,
) -> None:
    # The window is 10 s and the grace 2 s; random times seldom meet both ends at once.
    moments = itertools.combinations_with_replacement([0, 4, 9, 10, 11], 4)
    logs = {
        f"log {number}": list(zip(names, times, strict=True))
        for number, (names, times) in enumerate(
            itertools.product(itertools.product("CAZ", repeat=4), moments)
        )
    }
    steps = ["C", "A", "Z"]
    funnel = Funnel(
        [is_step(name, False) for name in steps], 10, 2, totals=True, optimized=reentry != "first"
    )
    expected = {}
    for who, log in logs.items():
        entries = funnel.counted([Happening(*each, row) for row, each in enumerate(log)])
        lengths = [len(entry.steps) for entry in entries]
        if lengths:
            expected[who] = [sum(length > step for length in lengths) for step in range(3)]
    df = events_of(*[(name, who, time) for who, log in logs.items() for name, time in log])
    df["log"] = df["distinct_id"]
    table = tk.funnel(
        df, None, steps, window="10s", grace="2s", count="total", reentry=reentry, by="log"
    ).table
    found = table.groupby("event.log", sort=False)["count"].agg(list).to_dict()
    assert len(expected) > 4_000
    assert {who: found[who] for who in expected} == expected
    assert len(found) == len(expected)


@settings(deadline=None, max_examples=examples(150))
@given(asked=questions(), attribution=st.sampled_from(["first", "last", 1, 2]))
def test_segments_are_those_of_a_loop(asked: dict[str, Any], attribution: Any) -> None:
    # The entries of all; which of them count in a segment is worked out here.
    asked = {**asked, "conditions": [False] * len(asked["steps"]), "optimized": False}
    df = events_of(
        *[row[:3] for row in asked["log"]],
        item=pd.Series([row[3] for row in asked["log"]], dtype=object),
    )
    report = tk.funnel(
        df,
        None,
        [*map(lambda name, at: tk.step(name, anchored=at), asked["steps"], asked["anchored"])],
        window=f"{asked['window']}s",
        grace=f"{asked['grace']}s",
        order=asked["order"],
        count=asked["count"],
        exclude=[tk.step(name, between=between) for name, between in asked["exclude"]],
        hold=asked["hold"],
        by="item",
        attribution=attribution,
        start=later(asked["start"]),
        end=later(asked["stop"]),
    )
    expected: dict[str, list[int]] = {}
    seen = set()
    for owner, entry in by_hand(asked, every=True):
        values = [each.values["item"] for each in entry.steps]
        if isinstance(attribution, int):
            value = values[attribution - 1] if attribution <= len(values) else None
        else:
            there = [each for each in values if each is not None]
            value = None if not there else there[0 if attribution == "first" else -1]
        for name in {label(each) for each in (value if isinstance(value, list) else [value])}:
            if asked["count"] != "total" and (owner, name) in seen:
                continue
            seen.add((owner, name))
            row = expected.setdefault(name, [0] * len(asked["steps"]))
            for step in range(len(entry.steps)):
                row[step] += 1
    assert by_segment(report) == expected


# -- against SQL --------------------------------------------------------------------------

# Written from the definition: from two seconds before a step on, and up to the window after
# the first, the earliest event of the next name.
LOG = """
create or replace temp table log as
select distinct_id as id, event, item, epoch_us(time) as moment, nth,
       row_number() over (partition by distinct_id order by time, nth) as place
from (select *, row_number() over () as nth from frame)
"""
UNIQUES = """
with first as (
  select * from log where event = $first and moment >= $start
  qualify row_number() over (partition by id order by place) = 1
),
second as (
  select l.*, f.moment as began from first f join log l on l.id = f.id and l.event = $second
   and l.moment between f.moment - $grace and f.moment + $window
  qualify row_number() over (partition by l.id order by l.place) = 1
),
third as (
  select l.*, s.began from second s join log l on l.id = s.id and l.event = $third
   and l.moment between s.moment - $grace and s.began + $window
  qualify row_number() over (partition by l.id order by l.place) = 1
)
select coalesce(p.plan, '(not set)') as segment, count(*), count(s.id), count(t.id),
       avg(case when s.id is not null then greatest(s.moment - f.moment, 0) end) / 1e6,
       median(case when s.id is not null then greatest(s.moment - f.moment, 0) end) / 1e6,
       avg(case when t.id is not null then greatest(t.moment - s.moment, 0) end) / 1e6,
       median(case when t.id is not null then greatest(t.moment - s.moment, 0) end) / 1e6
from first f left join second s using (id) left join third t using (id)
left join people p on p.id = f.id
group by 1
"""
# Every first step, how far it gets, and after which event the next may begin: once it
# converts, after that; else after the last event within the window.
TRIED = """
with recursive first as (select * from log where event = $first),
second as (
  select f.id, f.place as began, f.moment, min(l.place) as place
  from first f join log l on l.id = f.id and l.event = $second
   and l.place > f.place and l.moment <= f.moment + $window group by 1, 2, 3
),
third as (
  select s.id, s.began, min(l.place) as place from second s join log l
    on l.id = s.id and l.event = $third and l.place > s.place and l.moment <= s.moment + $window
  group by 1, 2
),
over as (
  select f.id, f.place as began, max(l.place) as place
  from first f join log l on l.id = f.id and l.moment <= f.moment + $window group by 1, 2
),
tried as (
  select o.id, o.began, s.place as second, t.place as third, coalesce(t.place, o.place) as ends
  from over o left join second s using (id, began) left join third t using (id, began)
),
"""
TOTALS = f"""{TRIED}
entries as (
  select * from tried qualify row_number() over (partition by id order by began) = 1
  union all
  select n.* from (
    select t.*, row_number() over (partition by t.id order by t.began) as nth
    from entries e join tried t on t.id = e.id and t.began > e.ends
  ) as following(id, began, second, third, ends, nth) join tried n using (id, began)
  where nth = 1
)
select count(*), count(second), count(third) from entries
"""
OPTIMIZED = f"""{TRIED}
furthest as (
  select id, max(case when third is not null then 3 when second is not null then 2 else 1 end) as n
  from tried group by id
)
select count(*), count(*) filter (n >= 2), count(*) filter (n >= 3) from furthest
"""
ANY_ORDER = """
with first as (
  select id, min(moment) as began from log where event in ($first, $second, $third) group by id
),
did as (
  select f.id, count(distinct l.event) as n from first f join log l on l.id = f.id
   and l.event in ($first, $second, $third) and l.moment between f.began and f.began + $window
  group by f.id
)
select count(*), count(*) filter (n >= 2), count(*) filter (n >= 3) from did
"""
HELD = """
with first as (
  select * from log where event = $first and item is not null
  qualify row_number() over (partition by id order by place) = 1
),
second as (
  select l.*, f.moment as began from first f join log l on l.id = f.id and l.event = $second
   and l.item = f.item and l.place > f.place and l.moment <= f.moment + $window
  qualify row_number() over (partition by l.id order by l.place) = 1
),
third as (
  select l.* from second s join log l on l.id = s.id and l.event = $third
   and l.item = s.item and l.place > s.place and l.moment <= s.began + $window
  qualify row_number() over (partition by l.id order by l.place) = 1
)
select (select count(*) from first), (select count(*) from second), (select count(*) from third)
"""
EXCLUDED = """
with first as (
  select * from log where event = $first
  qualify row_number() over (partition by id order by place) = 1
),
second as (
  select f.id, f.place as began, min(l.place) as place
  from first f join log l on l.id = f.id and l.event = $second
   and l.place > f.place and l.moment <= f.moment + $window group by 1, 2
)
select (select count(*) from first), count(*) from second s
where not exists (
  select 1 from log l where l.id = s.id and l.event = $third and l.place between s.began and s.place
)
"""


class Database:
    """DuckDB with some events and the plans of their users."""

    def __init__(self, frame: pd.DataFrame, plans: dict[str, str]) -> None:
        self._connection = duckdb.connect()
        people = pd.DataFrame({"id": list(plans), "plan": list(plans.values())}, dtype="str")
        self._connection.register("frame", frame)
        self._connection.register("people", people)
        self._connection.execute(LOG)

    def rows(self, query: str, steps: list[str], **parameters: int) -> list[tuple[Any, ...]]:
        """Return what a query gives; lengths of time are in microseconds."""
        names = dict(zip(("first", "second", "third"), steps, strict=True))
        given = {**names, **parameters}
        given = {name: value for name, value in given.items() if f"${name}" in query}
        return self._connection.execute(query, given).fetchall()

    def close(self) -> None:
        self._connection.close()


@pytest.fixture(scope="module")
def shop() -> Any:
    """The sample data: events, profiles, and the same in a database."""
    files = tk.sample_files()
    profiles = tk.ProfileTable()
    tk.import_csv(profiles, files["profiles"])
    frame = pd.read_parquet(files["events"])
    plans = {key: profiles[key]["plan"] for key in profiles if "plan" in profiles[key]}
    database = Database(frame, plans)
    yield tk.Events(frame), profiles, database
    database.close()


SHOPPING = ["View Item", "Add to Cart", "Purchase"]


@pytest.mark.parametrize(
    ("window", "seconds"), [("7d", 7 * DAY), ("10min", 600), ("36h", 36 * 3600)]
)
@pytest.mark.parametrize("grace", [0, 2, 60])
def test_uniques_by_plan_are_those_of_SQL(shop: Any, window: str, seconds: int, grace: int) -> None:
    events, profiles, database = shop
    report = tk.funnel(
        events,
        profiles,
        SHOPPING,
        window=window,
        grace=f"{grace}s",
        by=user["plan"],
        start="2026-02-01",
    )
    start = pd.Timestamp("2026-02-01").value // 1_000
    found = database.rows(
        UNIQUES, SHOPPING, start=start, window=seconds * 1_000_000, grace=grace * 1_000_000
    )
    wanted = {segment: numbers for segment, *numbers in found}
    assert len(wanted) == 4
    for segment, rows in report.table.groupby("user.plan"):
        numbers = wanted[segment]
        assert rows["count"].tolist() == numbers[:3]
        times = rows[["average_seconds", "median_seconds"]].to_numpy()[1:].ravel().tolist()
        assert times == pytest.approx(numbers[3:])


@pytest.mark.parametrize("hours", [1, 24, 24 * 7, 24 * 60])
@pytest.mark.parametrize("order", [[0, 1, 2], [2, 0, 1]])
def test_other_ways_to_count_are_those_of_SQL(hours: int, order: list[int]) -> None:
    frame = pd.read_parquet(tk.sample_files()["events"])
    # Of equal times the grace would have a say; SQL goes by the order of rows alone.
    frame = frame.drop_duplicates(["distinct_id", "time"])
    database = Database(frame, {})
    steps = [SHOPPING[at] for at in order]
    check_other_ways(frame, database, steps, hours * 3_600)
    database.close()


def check_other_ways(
    frame: pd.DataFrame, database: Database, steps: list[str], seconds: int
) -> None:
    events, window = tk.Events(frame), seconds * 1_000_000
    ways: list[tuple[str, list[str], dict[str, Any]]] = [
        (TOTALS, steps, {"count": "total"}),
        (OPTIMIZED, steps, {"reentry": "optimized"}),
        (ANY_ORDER, steps, {"order": "any"}),
        (HELD, steps, {"hold": "item"}),
        (EXCLUDED, steps[:2], {"exclude": steps[2:]}),
    ]
    for query, asked, options in ways:
        report = tk.funnel(events, None, asked, window=f"{seconds}s", grace="0s", **options)
        assert counts(report) == list(database.rows(query, steps, window=window)[0]), options


@settings(deadline=None, max_examples=examples(60))
@given(
    log=st.lists(
        st.tuples(
            st.sampled_from("ABCD"),
            st.sampled_from("uvw"),
            st.integers(0, 100),
            st.sampled_from(["x", "y", None]),
        ),
        min_size=1,
        max_size=40,
        unique_by=lambda row: row[1:3],
    ),
    seconds=st.integers(1, 60),
)
def test_random_events_are_counted_as_by_SQL(log: list[Any], seconds: int) -> None:
    frame = pd.DataFrame(log, columns=["event", "distinct_id", "time", "item"])
    frame["time"] = pd.to_datetime(frame["time"], unit="s").dt.as_unit("us")
    frame["item"] = frame["item"].astype("str")
    database = Database(frame, {"u": "pro"})
    check_other_ways(frame, database, list("ABC"), seconds)
    report = tk.funnel(
        frame,
        profiles_of({"u": {"plan": "pro"}}),
        list("ABC"),
        by=user["plan"],
        window=f"{seconds}s",
    )
    found = database.rows(
        UNIQUES, list("ABC"), start=0, window=seconds * 1_000_000, grace=2_000_000
    )
    assert by_segment(report) == {segment: numbers[:3] for segment, *numbers in found}
    database.close()
