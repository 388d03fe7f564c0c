"""Retention of 10,000,000 events of 1,000,000 profiles by a user property, against DuckDB.

The claim: ``tk.retention`` and ``tk.lifecycle`` are not slower than DuckDB on native tables,
with all processors, for the first view of each user and for every period with one. The
``Events`` was made and put in order once before. Both sides run in turn in one process and
have to agree cell by cell; ratios are of the best runs.

    python benchmarks/retention.py [--events 10000000] [--profiles 1000000] [--runs 3]
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import duckdb
import pandas as pd
from join import arguments, measured, sample, table_of

import toolkit as tk
from toolkit.expressions import user

Cells = dict[tuple[Any, ...], int]

_LENGTH = "(7::bigint * 86400000000)"
_SINCE = f"(epoch_us(r.time) - epoch_us(b.born)) // {_LENGTH}"


def births(mode: str) -> str:
    """Return who enters which cohort."""
    if mode == "first":
        return """select distinct_id, date_trunc('week', min(time)) as cohort, min(time) as born
            from events where event = 'View' group by distinct_id"""
    return """select distinct_id, date_trunc('week', time) as cohort, min(time) as born
        from events where event = 'View' group by distinct_id, date_trunc('week', time)"""


def on_or_after(mode: str) -> str:
    """Return the query for users who came back in a bucket or later: their last one says it."""
    return f"""
        with births as ({births(mode)}),
        last as (
            select distinct_id, max(time) as time from events where event = 'Purchase'
            group by distinct_id
        )
        select coalesce(p.plan, '(not set)') as plan, b.cohort, {_SINCE} as reached,
            count(*) as users
        from births as b join last as r on r.distinct_id = b.distinct_id and r.time > b.born
        left join profiles as p on p.distinct_id = b.distinct_id
        group by all"""  # noqa: S608


def on(mode: str) -> str:
    """Return the query for users who came back in a bucket."""
    return f"""
        with births as ({births(mode)}),
        visits as (
            select distinct b.distinct_id, b.cohort, {_SINCE} as bucket
            from births as b join events as r on r.distinct_id = b.distinct_id
                and r.time > b.born and r.event = 'Purchase'
        )
        select coalesce(p.plan, '(not set)') as plan, v.cohort, v.bucket, count(*) as users
        from visits as v left join profiles as p on p.distinct_id = v.distinct_id
        group by all"""  # noqa: S608


LIFECYCLE = """
    with active as (
        select distinct distinct_id, (time::date - date '2025-12-29') // 7 as week from events
    ),
    lives as (
        select distinct_id, week,
            week - lag(week) over (partition by distinct_id order by week) as since,
            lead(week) over (partition by distinct_id order by week) - week as until
        from active
    ),
    judged as (
        select distinct_id, week,
            case when since is null then 'new' when since = 1 then 'returning'
                else 'resurrecting' end as status
        from lives
        union all
        select distinct_id, week + 1, 'dormant' from lives where until is null or until > 1
    )
    select coalesce(p.plan, '(not set)') as plan, date '2025-12-29' + week::int * 7, j.status,
        count(*)
    from judged as j left join profiles as p on p.distinct_id = j.distinct_id
    where week <= (select max(week) from active)
    group by all"""


def accumulated(cells: Cells) -> Cells:
    """Return the users of each bucket from those who came last in it."""
    result: Cells = {}
    for (plan, cohort, reached), users in cells.items():
        for bucket in range(reached + 1):
            key = (plan, cohort, bucket)
            result[key] = result.get(key, 0) + users
    return result


def main() -> None:
    """Run and print the table."""
    given = arguments(__doc__)
    frame, profiles = sample(given.events, given.profiles)
    table = table_of(profiles)
    sql = duckdb.connect()
    sql.execute("set preserve_insertion_order = false")
    for name, made in (("events", frame.drop(columns="amount")), ("profiles", profiles)):
        sql.register("given", made)
        sql.execute(f"create table {name} as from given")
        sql.unregister("given")
    events = tk.Events(frame)

    def retention(criteria: Any, mode: Any) -> Cells:
        report = tk.retention(
            events,
            table,
            "View",
            "Purchase",
            unit="week",
            criteria=criteria,
            birth_mode=mode,
            by=user["plan"],
        )
        return _cells(report.table, "cohort", "bucket", "retained")

    def lifecycle() -> Cells:
        report = tk.lifecycle(events, table, unit="week", by=user["plan"])
        return _cells(report.table, "time", "status", "count")

    def asked(query: str) -> Cells:
        rows = sql.execute(query).fetchall()
        return {(plan, str(day)[:10], last): users for plan, day, last, users in rows}

    seconds, megabytes, _ = measured(lambda: retention("on_or_after", "first"))
    print(f"first report, which codes and sorts the events: {seconds:.1f} s, +{megabytes:.0f} MB")
    for criteria, query in (("on_or_after", on_or_after), ("on", on)):
        for mode in ("first", "any"):
            print(f'retention, criteria="{criteria}", birth_mode="{mode}":')
            _compare(
                lambda c=criteria, m=mode: retention(c, m),
                lambda q=query, m=mode: asked(q(m)),
                given.runs,
                accumulated if criteria == "on_or_after" else dict,
            )
    print("lifecycle:")
    _compare(lifecycle, lambda: asked(LIFECYCLE), given.runs, dict)


def _cells(table: pd.DataFrame, time_: str, key: str, value: str) -> Cells:
    table = table[table[value] > 0]
    days = table[time_].dt.strftime("%Y-%m-%d")
    keys = zip(table["user.plan"], days, table[key], strict=True)
    return dict(zip(keys, table[value].tolist(), strict=True))


def _compare(
    ours: Callable[[], Cells],
    theirs: Callable[[], Cells],
    runs: int,
    finish: Callable[[Cells], Cells],
) -> None:
    """Run both sides in turn; print their best times and how many times as fast ours is."""
    seconds: dict[str, list[float]] = {"toolkit": [], "duckdb": []}
    found: dict[str, Cells] = {}
    for _ in range(runs):
        for side, work in (("toolkit", ours), ("duckdb", theirs)):
            started = time.perf_counter()
            found[side] = work()
            seconds[side].append(time.perf_counter() - started)
    assert found["toolkit"] == finish(found["duckdb"]), "the two sides differ"
    for side, every in seconds.items():
        print(f"  {side:8} {min(every):7.2f} s   ({' '.join(f'{one:.2f}' for one in every)})")
    print(f"  {min(seconds['duckdb']) / min(seconds['toolkit']):.1f} times as fast")


if __name__ == "__main__":
    main()
