"""A flow of three steps after an event by a user property, 10,000,000 events of 1,000,000 profiles.

The claim: ``tk.flows`` is not slower than DuckDB on tables of its own, with a query that an
expert would write: one window over the events of each user for what comes next, then a
count a step. The ``Events`` was made and sorted once before; DuckDB's table is sorted by user
and time, and its distinct IDs are integers already. Both sides run in turn in one process; the
ratio is of the best of the runs.

    python benchmarks/flows.py [--events 10000000] [--profiles 1000000] [--runs 3]
"""

from __future__ import annotations

import duckdb
from funnel import compare
from join import arguments, measured, sample, table_of

from toolkit.events.events import Events
from toolkit.expressions import event, user
from toolkit.reports import flows

TABLES = """
create table ids as select distinct_id, row_number() over () as id from
  (select distinct distinct_id from frame);
create table events as
  select i.id, f.event::enum_event as event, f.time,
    row_number() over (order by i.id, f.time, f.number) as place
  from (select *, row_number() over () as number from frame) f join ids i using (distinct_id)
  order by place;
create table profiles as select i.id, p.plan from people p join ids i using (distinct_id)
"""

# Runs of one event, what follows each of them, the first of a user that is a purchase.
PATHS = """
with begun as (
  select id, event, time, place from events
  window mine as (partition by id order by place)
  qualify event is distinct from lag(event) over mine
), followed as (
  select id, event, time, place,
    lead(event, 1) over mine as e1, lead(time, 1) over mine as t1,
    lead(event, 2) over mine as e2, lead(time, 2) over mine as t2,
    lead(event, 3) over mine as e3, lead(time, 3) over mine as t3
  from begun window mine as (partition by id order by place)
), first as (
  select id, arg_min(struct_pack(
    a := if(t1 <= time + interval 30 day, e1, null),
    b := if(t2 <= time + interval 30 day, e2, null),
    c := if(t3 <= time + interval 30 day, e3, null)), place) as path
  from followed where event = 'Purchase' group by id
), counted as (
  select p.plan, path.a as a, path.b as b, path.c as c, count(*) as number
  from first left join profiles p using (id) group by all
)
select plan, 1, 'Purchase', coalesce(a::text, '(drop-off)'), sum(number) from counted group by all
union all
select plan, 2, a::text, coalesce(b::text, '(drop-off)'), sum(number)
from counted where a is not null group by all
union all
select plan, 3, b::text, coalesce(c::text, '(drop-off)'), sum(number)
from counted where b is not null group by all
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
        report = flows(events, table, "Purchase", by=user["plan"])
        keys = ["user.plan", "step", "from", "to"]
        found = report.table.set_index(keys)["count"]
        return {key: [value] for key, value in found.to_dict().items() if value}

    def theirs() -> Answer:
        rows = database.execute(PATHS).fetchall()
        return {(plan or "(not set)", *rest): [int(value)] for plan, *rest, value in rows}

    seconds, megabytes, _ = measured(ours)
    print(f"first report, which codes and sorts: {seconds:.2f} s, +{megabytes:.0f} MB")
    print("unique users by plan:")
    print(f"  {compare(ours, theirs, given.runs):.1f} times as fast")
    for told, options in (
        ("all paths, three before and after", {"count": "total", "before": 3, "after": 3}),
        ("all paths from any event", {"count": "total", "event": None}),
        ("pauses of a day at most", {"gap": "1d"}),
        ("each repeat a step", {"collapse": False}),
        ("half of the events", {"where": event["amount"] < 0.5}),
    ):
        asked = {"event": "Purchase", **options}
        seconds, megabytes, report = measured(
            lambda asked=asked: flows(events, table, by=user["plan"], **asked)
        )
        print(f"{told}: {seconds:.2f} s, +{megabytes:.0f} MB ({len(report.table)} rows)")


if __name__ == "__main__":
    main()
