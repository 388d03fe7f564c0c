"""Segmentation against SQL written from the definition, measure by measure, cell by cell."""

from __future__ import annotations

import math
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st

import toolkit as tk
from tests.effort import examples
from tests.funnel_logs import profiles_of
from toolkit import event, user

DAYS = 6
FIRST = pd.Timestamp("2024-02-26", tz="UTC")  # a leap day is among them
LAST = FIRST + pd.Timedelta(days=DAYS - 1)

#: What each measure is in SQL, of events ``e`` in a cell.
SQL = {
    "total": "count(*)",
    "unique": "count(distinct id)",
    "per_user": "count(id) / nullif(count(distinct id), 0)",
    "sum": "coalesce(sum(amount), 0)",
    "average": "avg(amount)",
    "median": "quantile_cont(amount, 0.5)",
    "p90": "quantile_cont(amount, 0.9)",
    "min": "min(amount)",
    "max": "max(amount)",
    "distinct": "count(distinct amount)",
}
SQL_OF_USERS = {
    "sum": "coalesce(sum(age), 0)",
    "average": "avg(age)",
    "median": "quantile_cont(age, 0.5)",
    "min": "min(age)",
    "max": "max(age)",
    "distinct": "count(distinct age)",
}


def frame_of(log: list[tuple[Any, ...]]) -> pd.DataFrame:
    columns = ["event", "distinct_id", "minute", "item", "amount"]
    frame = pd.DataFrame(log, columns=columns).astype(
        {"event": object, "distinct_id": object, "item": object, "amount": "float64"}
    )
    frame["time"] = FIRST + pd.to_timedelta(frame.pop("minute").astype("int64"), unit="min")
    return frame


def database_of(frame: pd.DataFrame, people: dict[str, dict[str, Any]]) -> Any:
    """Return the events of the range with their users' properties, in a view ``e``."""
    rows = [(who, of.get("plan"), of.get("age")) for who, of in people.items()]
    users = pd.DataFrame(rows, columns=["id", "plan", "age"]).astype(
        {"id": "str", "plan": object, "age": "float64"}
    )
    data = duckdb.connect()
    texts = {"event": "str", "distinct_id": "str", "item": "str"}
    data.register("raw", frame.assign(time=frame["time"].dt.tz_localize(None)).astype(texts))
    data.register("people", users.astype({"plan": "str"}))
    data.execute(
        "create table e as select raw.event, nullif(raw.distinct_id, '') as id, raw.time, item, "
        "case when isnan(amount) then null else amount end as amount, people.plan as plan, "
        "case when isnan(age) then null else age end as age, "
        f"date_diff('day', timestamp '{FIRST:%Y-%m-%d}', raw.time) as day "
        "from raw left join people on people.id = raw.distinct_id"
    )
    return data


happenings = st.lists(
    st.tuples(
        st.sampled_from(["Buy", "View"]),
        st.sampled_from(["ann", "bob", "cem", "eve", None]),
        # Many at the very ends of days.
        st.one_of(
            st.integers(0, DAYS * 1440 - 1),
            st.integers(0, DAYS - 1).map(lambda day: day * 1440),
            st.integers(1, DAYS).map(lambda day: day * 1440 - 1),
        ),
        st.sampled_from(["hat", "sock", "tie", "cap", None]),
        st.sampled_from([None, 0.0, 1.0, 2.5, -3.0, 7.0, 100.0]),
    ),
    max_size=40,
)
crowds = st.fixed_dictionaries(
    {},
    optional={
        who: st.fixed_dictionaries(
            {},
            optional={
                "plan": st.sampled_from(["free", "pro"]),
                "age": st.sampled_from([17, 18, 29, 30, 65]),
            },
        )
        for who in ("ann", "bob", "cem")
    },
)


def number(table: pd.DataFrame) -> str:
    return "count" if "count" in table else "value"


def told(report: Any, by: list[str], metric: str | None = None) -> dict[tuple[Any, ...], float]:
    """Return the cells of a report that hold something, by segment and day."""
    table = report.table
    days = (table["time"] - FIRST).dt.days if "time" in table else [0] * len(table)
    keys = zip(*(table[name] for name in by), days, strict=True)
    return dict(zip(keys, table[metric or number(table)], strict=True))


def assert_alike(ours: dict[Any, float], theirs: dict[Any, float], *, empty: float = 0.0) -> None:
    """Compare cells; those that SQL has no row for hold what there is of nothing."""
    assert set(theirs) <= set(ours)
    for key, value in ours.items():
        expected = theirs.get(key, empty)
        expected = math.nan if expected is None else expected
        assert value == pytest.approx(expected, nan_ok=True), (key, value, expected)


def empty_of(measure: str) -> float:
    return 0.0 if measure in ("total", "unique", "sum", "distinct") else math.nan


BREAKDOWNS: list[tuple[Any, list[str], str]] = [
    (None, [], ""),
    (user["plan"], ["user.plan"], "coalesce(plan, '(not set)')"),
    (event["item"], ["event.item"], "coalesce(item, '(not set)')"),
    (
        [user["plan"], event["item"]],
        ["user.plan", "event.item"],
        "coalesce(plan, '(not set)'), coalesce(item, '(not set)')",
    ),
    (
        tk.bucket(user["age"], [18, 30]),
        ["user.age"],
        "case when age is null then '(not set)' when age < 18 then '<18' "
        "when age < 30 then '18 to <30' else '≥30' end",
    ),
    (
        tk.bucket(event["time"], "day of week"),
        ["event.time"],
        "dayname(time)",
    ),
]


@settings(deadline=None, max_examples=examples(120))
@given(
    log=happenings,
    people=crowds,
    measure=st.sampled_from([*SQL]),
    breakdown=st.sampled_from(BREAKDOWNS),
    cumulative=st.booleans(),
    by_day=st.booleans(),
)
def test_each_measure_is_what_sql_says_of_its_cell(
    log: list[Any],
    people: dict[str, Any],
    measure: str,
    breakdown: tuple[Any, list[str], str],
    cumulative: bool,
    by_day: bool,
) -> None:
    by, columns, segment = breakdown
    frame = frame_of(log)
    report = tk.segmentation(
        frame,
        profiles_of(people),
        "Buy",
        measure=measure,
        of=event["amount"] if "amount" in SQL[measure] else None,
        by=by,
        unit="day" if by_day else None,
        cumulative=cumulative,
        start=f"{FIRST:%Y-%m-%d}",
        end=f"{LAST:%Y-%m-%d}",
    )
    data = database_of(frame, people)
    join = "e.day <= days.day" if cumulative else "e.day = days.day"
    days = f"(select unnest(range({DAYS})) as day)" if by_day else "(select 0 as day)"
    join = join if by_day else "true"
    needs_id = measure in ("unique", "per_user")
    rows = data.execute(
        f"select {segment + ',' if segment else ''} days.day, {SQL[measure]} "
        f"from {days} days join e on {join} where event = 'Buy' "
        f"{'and id is not null' if needs_id else ''} group by all"
    ).fetchall()
    theirs = {tuple(row[:-1]): row[-1] for row in rows}
    assert_alike(told(report, columns), theirs, empty=empty_of(measure))

    for place in range(len(report.table)):
        cell = report.cell(place)
        day = report.table["time"][place] if by_day else None
        number = 0 if day is None else (day - FIRST).days
        wanted = tuple(report.table[name][place] for name in columns)
        has_amount = "and amount is not null" if "amount" in SQL[measure] else ""
        condition = f"e.day {'<=' if cumulative else '='} {number}" if by_day else "true"
        found = data.execute(
            f"select distinct id {',' + segment if segment else ''} from e "
            f"where event = 'Buy' and id is not null {has_amount} and {condition}"
        ).fetchall()
        assert report.users(**cell) == sorted(row[0] for row in found if row[1:] == wanted)


@settings(deadline=None, max_examples=examples(60))
@given(
    log=happenings,
    people=crowds,
    measure=st.sampled_from([*SQL_OF_USERS]),
    breakdown=st.sampled_from(BREAKDOWNS),
    cumulative=st.booleans(),
)
def test_of_a_property_of_the_user_each_user_counts_once_in_a_cell(
    log: list[Any],
    people: dict[str, Any],
    measure: str,
    breakdown: tuple[Any, list[str], str],
    cumulative: bool,
) -> None:
    by, columns, segment = breakdown
    frame = frame_of(log)
    report = tk.segmentation(
        frame,
        profiles_of(people),
        None,
        measure=measure,
        of=user["age"],
        by=by,
        cumulative=cumulative,
        start=f"{FIRST:%Y-%m-%d}",
        end=f"{LAST:%Y-%m-%d}",
    )
    data = database_of(frame, people)
    rows = data.execute(
        f"with once as (select distinct {segment + ' as s,' if segment else ''} days.day, id, age "
        f"from (select unnest(range({DAYS})) as day) days join e on "
        f"e.day {'<=' if cumulative else '='} days.day where id is not null) "
        f"select * exclude (id, age), {SQL_OF_USERS[measure]} from "
        "(select * from once) group by all"
        if len(columns) < 2
        else f"with once as (select distinct coalesce(plan, '(not set)') as s, "
        f"coalesce(item, '(not set)') as t, days.day, id, age "
        f"from (select unnest(range({DAYS})) as day) days join e on "
        f"e.day {'<=' if cumulative else '='} days.day where id is not null) "
        f"select s, t, day, {SQL_OF_USERS[measure]} from once group by all"
    ).fetchall()
    theirs = {tuple(row[:-1]): row[-1] for row in rows}
    assert_alike(told(report, columns), theirs, empty=empty_of(measure))


@settings(deadline=None, max_examples=examples(80))
@given(
    log=happenings,
    people=crowds,
    measure=st.sampled_from([*SQL]),
    top=st.integers(1, 3),
    crossed=st.booleans(),
)
def test_the_segments_beyond_the_largest_are_counted_as_one(
    log: list[Any], people: dict[str, Any], measure: str, top: int, crossed: bool
) -> None:
    frame = frame_of(log)
    asked = {
        "measure": measure,
        "of": event["amount"] if "amount" in SQL[measure] else None,
        "start": f"{FIRST:%Y-%m-%d}",
        "end": f"{LAST:%Y-%m-%d}",
    }
    profiles = profiles_of(people)
    alone = tk.segmentation(frame, profiles, None, by="item", **asked).table
    kept = [name for name in alone["event.item"].unique() if name != "(not set)"][:top]
    by = [event["item"], user["plan"]] if crossed else event["item"]
    report = tk.segmentation(frame, profiles, None, by=by, top=top, **asked)

    data = database_of(frame, people)
    among = ", ".join(f"'{name}'" for name in kept) or "''"
    shown = (
        f"case when item is null then '(not set)' when item in ({among}) then item "
        "else '(other)' end"
    )
    # Of two plans one is another's other.
    plans = {row[1] for row in report.table.to_numpy().tolist()} if crossed else set()
    plan = "coalesce(plan, '(not set)')"
    if "(other)" in plans:
        plan = (
            f"case when plan is null then '(not set)' when plan in "
            f"({', '.join(repr(each) for each in plans)}) then plan else '(other)' end"
        )
    needs_id = measure in ("unique", "per_user")
    rows = data.execute(
        f"select {shown}, {plan + ',' if crossed else ''} day, {SQL[measure]} from e "
        f"{'where id is not null' if needs_id else ''} group by all"
    ).fetchall()
    theirs = {tuple(row[:-1]): row[-1] for row in rows}
    columns = ["event.item", "user.plan"] if crossed else ["event.item"]
    assert_alike(told(report, columns), theirs, empty=empty_of(measure))
    names = report.table["event.item"].unique().tolist()
    if "(other)" in names:
        assert names.index("(other)") == len(names) - 1 - ("(not set)" in names)
        if not crossed:
            who = data.execute(
                f"select distinct id from e where item is not null and item not in ({among}) "
                f"and id is not null {'and amount is not null' if 'amount' in SQL[measure] else ''}"
            ).fetchall()
            assert report.users(segment="(other)") == sorted(row[0] for row in who)


@settings(deadline=None, max_examples=examples(80))
@given(
    log=happenings,
    people=crowds,
    measure=st.sampled_from(["dau", "wau", "mau"]),
    breakdown=st.sampled_from(BREAKDOWNS),
    first=st.integers(0, DAYS - 1),
)
def test_active_users_are_those_of_the_days_up_to_the_bucket(
    log: list[Any],
    people: dict[str, Any],
    measure: str,
    breakdown: tuple[Any, list[str], str],
    first: int,
) -> None:
    by, columns, segment = breakdown
    frame = frame_of(log)
    start = FIRST + pd.Timedelta(days=first)
    report = tk.segmentation(
        frame,
        profiles_of(people),
        None,
        measure=measure,
        by=by,
        start=f"{start:%Y-%m-%d}",
        end=f"{LAST:%Y-%m-%d}",
    )
    window = {"dau": 1, "wau": 7, "mau": 30}[measure]
    data = database_of(frame, people)
    condition = f"e.day <= days.day and e.day > days.day - {window}"
    rows = data.execute(
        f"select {segment + ',' if segment else ''} days.day, count(distinct id) "
        f"from (select unnest(range({first}, {DAYS})) as day) days join e on {condition} "
        "where id is not null group by all"
    ).fetchall()
    assert_alike(told(report, columns), {tuple(row[:-1]): row[-1] for row in rows})
    for place in range(len(report.table)):
        number = (report.table["time"][place] - FIRST).days
        wanted = tuple(report.table[name][place] for name in columns)
        found = data.execute(
            f"select distinct id {',' + segment if segment else ''} from e where id is not null "
            f"and e.day <= {number} and e.day > {number - window}"
        ).fetchall()
        who = sorted({row[0] for row in found if row[1:] == wanted})
        assert report.users(**report.cell(place)) == who


@settings(deadline=None, max_examples=examples(60))
@given(log=happenings, by=st.sampled_from([None, "item"]))
def test_sessions_are_runs_of_a_users_events_half_an_hour_apart_at_most(
    log: list[Any], by: str | None
) -> None:
    frame = frame_of(log)
    report = tk.segmentation(
        frame,
        None,
        "Buy",
        measure="sessions",
        by=by,
        start=f"{FIRST:%Y-%m-%d}",
        end=f"{LAST:%Y-%m-%d}",
    )
    data = database_of(frame, {})
    segment = "coalesce(item, '(not set)')," if by else ""
    rows = data.execute(
        "with gaps as (select *, row_number() over () as row from e where id is not null), "
        "begins as (select *, coalesce(time - lag(time) over w > interval 30 minute, true) as b "
        "from gaps window w as (partition by id order by time, row)), "
        "numbered as (select *, sum(b::int) over (partition by id order by time, row) as s "
        f"from begins) select {segment} day, count(distinct (id, s)) from numbered "
        "where event = 'Buy' group by all"
    ).fetchall()
    columns = ["event.item"] if by else []
    assert_alike(told(report, columns), {tuple(row[:-1]): row[-1] for row in rows})


@settings(deadline=None, max_examples=examples(60))
@given(log=happenings, measure=st.sampled_from(["total", "unique", "sum", "average"]))
def test_the_period_before_stands_beside_each_bucket(log: list[Any], measure: str) -> None:
    frame = frame_of(log)
    half = DAYS // 2
    report = tk.segmentation(
        frame,
        None,
        None,
        measure=measure,
        of="amount" if measure in ("sum", "average") else None,
        by="item",
        compare="previous",
        start=f"{FIRST + pd.Timedelta(days=half):%Y-%m-%d}",
        end=f"{LAST:%Y-%m-%d}",
    )
    data = database_of(frame, {})
    needs_id = "where id is not null" if measure == "unique" else ""
    rows = data.execute(
        f"select coalesce(item, '(not set)'), day, {SQL[measure]} from e {needs_id} group by all"
    ).fetchall()
    known = {(item, day): value for item, day, value in rows}
    now = {key: value for key, value in known.items() if key[1] >= half}
    before = {(item, day + half): value for (item, day), value in known.items() if day < half}
    assert_alike(told(report, ["event.item"]), now, empty=empty_of(measure))
    assert_alike(told(report, ["event.item"], "previous"), before, empty=empty_of(measure))
    names = {item for item, _ in known}
    assert set(report.table["event.item"]) == names
    for place in range(len(report.table)):
        cell = report.cell(place)
        day = (report.table["time"][place] - FIRST).days - half
        amount = "and amount is not null" if measure in ("sum", "average") else ""
        found = data.execute(
            "select distinct id from e where id is not null and "
            f"coalesce(item, '(not set)') = ? and day = ? {amount}",
            [report.table["event.item"][place], day],
        ).fetchall()
        assert report.users(**cell, previous=True) == sorted(row[0] for row in found)


# -- the sample data ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sample() -> tuple[tk.Events, tk.ProfileTable, Any]:
    files = tk.sample_files()
    profiles = tk.ProfileTable()
    tk.import_csv(profiles, files["profiles"])
    data = duckdb.connect()
    data.execute("set timezone = 'UTC'")
    data.execute(
        "create table e as select v.event, v.distinct_id as id, v.time at time zone 'UTC' as time, "
        "v.item, v.amount, v.products, p.plan, p.age from "
        f"read_parquet('{files['events']}') v left join "
        f"read_csv('{files['profiles']}', all_varchar = true) p using (distinct_id)"
    )
    return tk.Events(pd.read_parquet(files["events"])), profiles, data


@pytest.mark.parametrize("measure", [*SQL])
@pytest.mark.parametrize("tz", ["UTC", "America/Sao_Paulo"])
def test_of_the_sample_data_each_measure_by_plan_a_month_is_what_sql_says(
    sample: Any, measure: str, tz: str
) -> None:
    events, profiles, data = sample
    report = tk.segmentation(
        events,
        profiles,
        "Purchase",
        measure=measure,
        of=event["amount"] if "amount" in SQL[measure] else None,
        by=user["plan"],
        unit="month",
        tz=tz,
    )
    rows = data.execute(
        f"select coalesce(plan, '(not set)'), date_trunc('month', time at time zone 'UTC' "
        f"at time zone '{tz}'), {SQL[measure]} from e where event = 'Purchase' group by all"
    ).fetchall()
    theirs = {(plan, pd.Timestamp(month)): value for plan, month, value in rows}
    table = report.table
    local = table["time"].dt.tz_localize(None)
    ours = dict(zip(zip(table["user.plan"], local, strict=True), table[number(table)], strict=True))
    assert_alike(ours, theirs, empty=empty_of(measure))


def test_of_the_sample_data_products_are_counted_by_element(sample: Any) -> None:
    events, profiles, data = sample
    report = tk.segmentation(events, profiles, "Purchase", by="products", unit=None)
    rows = data.execute(
        "select product, count(*) from (select distinct rowid, unnest(products) as product "
        "from e where event = 'Purchase') group by all"
    ).fetchall()
    assert dict(report.table.to_numpy().tolist()) == dict(rows)


def test_of_the_sample_data_ages_fall_in_steps_of_ten(sample: Any) -> None:
    events, profiles, data = sample
    by = tk.bucket(user["age"], 10)
    report = tk.segmentation(events, profiles, "Purchase", measure="unique", by=by, unit=None)
    rows = data.execute(
        "select age::int // 10 as step, count(distinct id) from e where event = 'Purchase' "
        "group by all order by step nulls last"
    ).fetchall()
    named = [
        ("(not set)" if step is None else f"{step * 10} to <{step * 10 + 10}", users)
        for step, users in rows
    ]
    assert [tuple(row) for row in report.table.to_numpy().tolist()] == named
    assert np.isfinite(report.table[number(report.table)]).all()


@pytest.mark.parametrize("has_hidden", [False, True])
@pytest.mark.parametrize("unit", [None, "month"])
@pytest.mark.parametrize("name", ["Buy", None, "Never"])
def test_filters_of_one_event_choose_what_pandas_chooses(
    name: str | None, unit: Any, has_hidden: bool
) -> None:
    draw = np.random.default_rng(3)
    size = 150_000  # more than are looked at in one go
    frame = pd.DataFrame(
        {
            "event": draw.choice(["Buy", "View", "Leave"], size),
            "distinct_id": draw.choice([*(f"u{n}" for n in range(500)), None], size),
            "time": pd.Timestamp("2026-01-01") + pd.to_timedelta(draw.integers(0, 90, size), "D"),
            "amount": np.where(draw.random(size) < 0.1, np.nan, draw.integers(0, 100, size)),
            "item": draw.choice(["hat", "tie", None], size),
        }
    )
    if has_hidden:
        frame["$bucket"] = np.where(draw.random(size) < 0.2, "x", None)
    # Some users have no profile, some no plan.
    plans = {f"u{n}": ["free", "pro", None][n % 3] for n in range(400)}
    table = tk.ProfileTable()
    table.apply(
        [
            {"$distinct_id": key, "$set": {"tag": 1} if plan is None else {"plan": plan}}
            for key, plan in plans.items()
        ]
    )
    plan = frame["distinct_id"].map(plans)
    chosen = (frame["amount"] > 50) & (frame["item"] == "hat")
    shown = frame["$bucket"].isna() if has_hidden else pd.Series(data=True, index=frame.index)
    named = pd.Series(data=True, index=frame.index) if name is None else frame["event"] == name
    big = (event["amount"] > 50) & (event["item"] == "hat")
    events = tk.Events(frame)
    month = frame["time"].dt.month if unit else pd.Series(0, frame.index)

    for condition, expected in (
        ((user["plan"] == "pro") & big, chosen & (plan == "pro")),
        ((user["plan"] != "pro") & big, chosen & (plan == "free")),
        (big & ~user["plan"].is_set(), chosen & plan.isna()),
        (user["plan"].is_set() & (user["plan"] != "free"), plan == "pro"),
    ):
        kept = frame[expected & shown & named]
        for measure in ("unique", "total"):
            by_month = kept.groupby(month[kept.index])["distinct_id"]
            wanted = by_month.nunique() if measure == "unique" else by_month.size()
            wanted = wanted.reindex([1, 2, 3] if unit else [0], fill_value=0)
            # Twice: what the first report gathered serves the second.
            for _ in range(2):
                found = tk.segmentation(
                    events, table, name, measure=measure, where=condition, unit=unit
                )
                assert found.table["count"].tolist() == wanted.tolist()
        strangers = frame[named & shown & frame["distinct_id"].notna()]
        strangers = strangers[~strangers["distinct_id"].isin(plans)]["distinct_id"]
        note = f"{len(strangers):,} events of {strangers.nunique():,} distinct IDs, before"
        assert any(note in each for each in found.notes) == bool(len(strangers))
