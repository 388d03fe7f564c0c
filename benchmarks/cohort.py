"""A cohort of 10,000,000 events of 1,000,000 profiles by what users did, against DuckDB.

The claim: ``tk.cohort`` of "did an event at least three times in the last 30 days" is not
slower than DuckDB on native tables, with all processors. The ``Events`` was coded once
before. Both sides run in turn in one process and have to find the same users, which DuckDB
hands over as Arrow; the ratio is of the best runs.

    python benchmarks/cohort.py [--events 10000000] [--profiles 1000000] [--runs 5]
"""

from __future__ import annotations

import time
from collections.abc import Callable

import duckdb
import pyarrow as pa
from join import arguments, measured, sample, table_of

import toolkit as tk
from toolkit import user


def often(number: int, days: int) -> str:
    """Return the query for who bought so often in the days up to the last event."""
    return f"""select distinct_id from events
        where event = 'Purchase'
            and time >= (select max(time) from events) - interval {days} day
        group by distinct_id having count(*) >= {number}"""  # noqa: S608


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
    often_ = tk.did("Purchase", at_least=3, within="30d")
    seconds, megabytes, _ = measured(lambda: tk.cohort(events, table, often_))
    print(f"first cohort, which codes the events: {seconds:.1f} s, +{megabytes:.0f} MB")
    pro = (user["plan"] == "pro") & often_ & ~tk.did("Purchase", within="7d")
    questions = {
        "bought three times in 30 days": (often_, often(3, 30)),
        "the same on a plan, and not in the last 7 days": (
            pro,
            f"""select distinct_id from profiles where plan = 'pro'
                and distinct_id in ({often(3, 30)})
                and distinct_id not in ({often(1, 7)})""",  # noqa: S608
        ),
    }
    for told, (definition, query) in questions.items():
        print(f"{told}:")
        _compare(
            lambda asked=definition: tk.cohort(events, table, asked).members,
            lambda asked=query: sql.sql(asked).to_arrow_table()["distinct_id"],
            given.runs,
        )


def _compare(
    ours: Callable[[], pa.Array], theirs: Callable[[], pa.ChunkedArray], runs: int
) -> None:
    """Run both sides in turn; print their best times and how many times as fast ours is."""
    seconds: dict[str, list[float]] = {"toolkit": [], "duckdb": []}
    found: dict[str, list[str]] = {}
    for _ in range(runs):
        for side, work in (("toolkit", ours), ("duckdb", theirs)):
            started = time.perf_counter()
            ids = work()
            seconds[side].append(time.perf_counter() - started)
            found[side] = sorted(ids.to_pylist())
    assert found["toolkit"] == found["duckdb"], "the two sides differ"
    print(f"  {len(found['toolkit']):,} users")
    for side, every in seconds.items():
        print(f"  {side:8} {min(every):7.2f} s   ({' '.join(f'{one:.2f}' for one in every)})")
    print(f"  {min(seconds['duckdb']) / min(seconds['toolkit']):.1f} times as fast")


if __name__ == "__main__":
    main()
