"""Events and users a day by a user property, 10,000,000 events of 1,000,000 profiles.

The claim: ``tk.segmentation`` is faster than the better of DuckDB and Polars, on tables of their
own, with queries that an expert would write. The ``Events`` was made once before, and asked
once; so were their tables: event names and plans are enums (categories), and distinct IDs are
integers already, which spares them the text of the IDs. All sides run in turn in one
process; the ratio is of the best of the runs.

    python benchmarks/segmentation.py [--events 10000000] [--profiles 1000000] [--runs 5]
"""

from __future__ import annotations

import time
from collections.abc import Callable

import duckdb
import pandas as pd
import polars as pl
from join import NAMES, PLANS, arguments, measured, sample, table_of

import toolkit as tk
from toolkit import event, user

TABLES = """
create type enum_event as enum ('View', 'Cart', 'Purchase');
create type enum_plan as enum ('free', 'basic', 'pro', 'enterprise');
create table ids as select distinct_id, (row_number() over ())::integer as id from
  (select distinct distinct_id from frame union select distinct_id from people);
create table events as select i.id, f.event::enum_event as event, f.time, f.amount
  from frame f join ids i using (distinct_id);
create table profiles as select i.id, p.plan::enum_plan as plan
  from people p join ids i using (distinct_id)
"""

Answer = dict[object, float]


def questions(
    events: tk.Events, table: tk.ProfileTable, duck: duckdb.DuckDBPyConnection
) -> dict[str, dict[str, Callable[[], Answer]]]:
    """Return each question, and how each side answers it."""
    frame = duck.sql("select id, event::varchar as event, time, amount from events").pl()
    frame = frame.with_columns(pl.col("event").cast(pl.Enum(NAMES)))
    people = duck.sql("select id, plan::varchar as plan from profiles").pl()
    people = people.with_columns(pl.col("plan").cast(pl.Enum(PLANS)))
    joined = frame.lazy().join(people.lazy(), on="id", how="left")
    sides = {
        "by plan by day": ("count(*)", pl.len(), {"measure": "total"}),
        "users by plan by day": (
            "count(distinct id)",
            pl.col("id").n_unique(),
            {"measure": "unique"},
        ),
        "sum of amounts by plan by day": (
            "sum(amount)",
            pl.col("amount").sum(),
            {"measure": "sum", "of": event["amount"]},
        ),
        "median amount by plan by day": (
            "median(amount)",
            pl.col("amount").median(),
            {"measure": "median", "of": event["amount"]},
        ),
    }
    found: dict[str, dict[str, Callable[[], Answer]]] = {}
    for name, (sql, column, arguments_) in sides.items():
        found[name] = {
            "toolkit": lambda given=arguments_: by_plan(
                tk.segmentation(events, table, None, by=user["plan"], **given).table
            ),
            "duckdb": lambda sql=sql: by_day(
                duck.sql(
                    f"select plan::varchar, date_trunc('day', time), {sql} from events "  # noqa: S608
                    "left join profiles using (id) group by all"
                ).fetchall()
            ),
            "polars": lambda column=column: by_day(
                joined.group_by("plan", pl.col("time").dt.truncate("1d").alias("day"))
                .agg(column)
                .collect()
                .rows()
            ),
        }
    found["filtered users"] = {
        "toolkit": lambda: {
            "": tk.segmentation(
                events,
                table,
                "Purchase",
                measure="unique",
                where=(user["plan"] == "pro") & (event["amount"] > 0.5),
                unit=None,
            ).table["count"][0]
        },
        "duckdb": lambda: {
            "": duck.sql(
                "select count(distinct id) from events join profiles using (id) "
                "where event = 'Purchase' and amount > 0.5 and plan = 'pro'"
            ).fetchall()[0][0]
        },
        "polars": lambda: {
            "": frame.lazy()
            .filter((pl.col("event") == "Purchase") & (pl.col("amount") > 0.5))
            .join(people.lazy().filter(pl.col("plan") == "pro"), on="id", how="semi")
            .select(pl.col("id").n_unique())
            .collect()
            .item()
        },
    }
    return found


def by_plan(table: pd.DataFrame) -> Answer:
    """Return the numbers of a report by plan and day."""
    keys = zip(table["user.plan"], table["time"].dt.tz_localize(None), strict=True)
    return dict(zip(keys, table.iloc[:, -1], strict=True))


def by_day(rows: list[tuple[object, ...]]) -> Answer:
    """Return the same of the rows of an answer."""
    return {(plan or "(not set)", pd.Timestamp(day)): value for plan, day, value in rows}  # type: ignore[arg-type,misc]


def main() -> None:
    """Run and print the table."""
    given = arguments(__doc__)
    frame, people = sample(given.events, given.profiles)
    table = table_of(people)
    events = tk.Events(frame)
    duck = duckdb.connect()
    for statement in TABLES.split(";"):
        duck.execute(statement)
    print(f"DuckDB {duckdb.__version__}, Polars {pl.__version__}")
    for name, sides in questions(events, table, duck).items():
        seconds, megabytes, _ = measured(sides["toolkit"])
        print(f"{name}: (the first time {seconds:.2f} s, +{megabytes:.0f} MB)")
        print(f"  {compare(sides, given.runs):.1f} times as fast as the better of the others")


def compare(sides: dict[str, Callable[[], Answer]], runs: int) -> float:
    """Run all sides in turn, print the best of each, and return how many times ours is faster."""
    best = dict.fromkeys(sides, float("inf"))
    cores = dict.fromkeys(sides, float("inf"))
    peak = dict.fromkeys(sides, 0.0)
    for _ in range(runs):
        answers = {}
        for side, work in sides.items():
            busy = time.process_time()
            seconds, megabytes, answers[side] = measured(work)
            cores[side] = min(cores[side], time.process_time() - busy)
            best[side], peak[side] = min(best[side], seconds), max(peak[side], megabytes)
        for side in ("duckdb", "polars"):
            assert_equal(answers["toolkit"], answers[side], side)
    for side in sides:
        print(
            f"  {side:8} {best[side]:7.3f} s  ({cores[side]:.3f} s of cores)  +{peak[side]:6.0f} MB"
        )
    return min(best["duckdb"], best["polars"]) / best["toolkit"]


def assert_equal(ours: Answer, theirs: Answer, side: str) -> None:
    """Compare two answers, sums as far as the order of addition lets them be equal."""
    assert ours.keys() == theirs.keys(), side
    for key, value in ours.items():
        assert abs(value - theirs[key]) <= 1e-9 * abs(value), (side, key, value, theirs[key])


if __name__ == "__main__":
    main()
