"""A funnel of three steps by a user property, 10,000,000 events of 1,000,000 profiles.

The claim: ``tk.funnel`` is not slower than DuckDB on tables of its own, with a query that an
expert would write: three passes of hash joins and minimums. The ``Events`` was made and sorted
once before; DuckDB's table is sorted by user and time, and its distinct IDs are
integers already. Both sides run in turn in one process; the ratio is of the best of the runs.

    python benchmarks/funnel.py [--events 10000000] [--profiles 1000000] [--runs 3]
"""

from __future__ import annotations

import time
from collections.abc import Callable

import duckdb
import pandas as pd
from join import arguments, measured, sample, table_of

from toolkit.events.events import Events
from toolkit.expressions import user
from toolkit.reports import funnel

STEPS = ["View", "Cart", "Purchase"]
WINDOW = "7d"

TABLES = """
create table ids as select distinct_id, row_number() over () as id from
  (select distinct distinct_id from frame);
create table events as select i.id, f.event::enum_event as event, f.time
  from frame f join ids i using (distinct_id) order by i.id, f.time;
create table profiles as select i.id, p.plan from people p join ids i using (distinct_id)
"""

# The first view of each user; then the first cart from two seconds before it on, and so on.
UNIQUES = """
with first_views as (
  select id, min(time) as began from events where event = 'View' group by id
), carts as (
  select v.id, any_value(v.began) as began, min(e.time) as carted
  from first_views v join events e on e.id = v.id and e.event = 'Cart'
   and e.time between v.began - interval 2 second and v.began + interval 7 day
  group by v.id
), purchases as (
  select c.id, min(e.time) as bought
  from carts c join events e on e.id = c.id and e.event = 'Purchase'
   and e.time between c.carted - interval 2 second and c.began + interval 7 day
  group by c.id
)
select p.plan, count(*) as views, count(c.id) as carts, count(b.id) as purchases,
       median(case when c.id is not null then greatest(epoch(c.carted - v.began), 0) end) as median
from first_views v left join carts c using (id) left join purchases b using (id)
left join profiles p using (id) group by p.plan
"""

Answer = dict[object, list[float]]


def main() -> None:
    """Run and print the table."""
    given = arguments(__doc__)
    frame, people = sample(given.events, given.profiles)
    table = table_of(people)
    table.snapshot()
    events = Events(frame)
    database = duckdb.connect()
    database.execute("create type enum_event as enum ('View', 'Cart', 'Purchase')")
    database.execute(TABLES)

    def ours() -> Answer:
        report = funnel(events, table, STEPS, window=WINDOW, by=user["plan"])
        found: Answer = {}
        for plan, rows in report.table.groupby("user.plan"):
            median = round(float(rows["median_seconds"].iloc[1]), 6)
            found[plan] = [*rows["count"].tolist(), median]
        return found

    def theirs() -> Answer:
        rows = database.execute(UNIQUES).fetchall()
        return {plan or "(not set)": [*counts, round(median, 6)] for plan, *counts, median in rows}

    seconds, megabytes, _ = measured(ours)
    print(f"first report, which codes and sorts: {seconds:.2f} s, +{megabytes:.0f} MB")
    print("unique users by plan:")
    print(f"  {compare(ours, theirs, given.runs):.1f} times as fast")
    for reentry in ("first", "optimized"):
        seconds, megabytes, report = measured(
            lambda how=reentry: funnel(
                events, table, STEPS, window=WINDOW, by=user["plan"], count="total", reentry=how
            )
        )
        assert isinstance(report.table, pd.DataFrame)
        print(f"all entries, re-entry {reentry}: {seconds:.2f} s, +{megabytes:.0f} MB")


def compare(ours: Callable[[], Answer], theirs: Callable[[], Answer], runs: int) -> float:
    """Run both sides in turn, print the best of each, and return how many times ours is faster.

    Beside the seconds on the clock stand those of all cores together.
    """
    best = {"toolkit": float("inf"), "duckdb": float("inf")}
    for _ in range(runs):
        answers = {}
        for side, work in (("toolkit", ours), ("duckdb", theirs)):
            cores = time.process_time()
            seconds, megabytes, answers[side] = measured(work)
            cores = time.process_time() - cores
            best[side] = min(best[side], seconds)
            print(f"  {side:8} {seconds:7.2f} s  ({cores:.2f} s of cores)  +{megabytes:6.0f} MB")
        assert answers["toolkit"] == answers["duckdb"], answers
    return best["duckdb"] / best["toolkit"]


if __name__ == "__main__":
    main()
