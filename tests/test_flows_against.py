"""Flows against SQL written from the definition, and against a loop one can read."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import Any

import duckdb
import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st

import toolkit as tk
from tests.effort import examples
from tests.funnel_logs import events_of, profiles_of
from toolkit import event, user
from toolkit.reports.question.segments import label

HOUR = 3_600


# -- in SQL -----------------------------------------------------------------------------


def in_sql(
    frame: pd.DataFrame,
    people: pd.DataFrame,
    anchor: str | None,
    *,
    before: int,
    after: int,
    window: int,
    gap: int | None,
    collapse: bool,
    totals: bool,
    hide: str = "",
    start: str,
    stop: str,
) -> dict[tuple[str, int, str, str], int]:
    """Return the value of each link that there is; lengths of time in seconds."""
    asked = {
        "anchor": anchor,
        "window": window * 1_000_000,
        "gap": 10**18 if gap is None else gap * 1_000_000,
        "collapse": collapse,
        "totals": totals,
        "hide": hide,
        "start": start,
        "stop": stop,
    }
    common = """
        with numbered as (
            select distinct_id as id, event, epoch_us(time::timestamp) as t, number
            from given
            where distinct_id is not null and time is not null and event <> $hide
        ),
        told as (
            select *,
                lag(t) over mine as t_before, lag(event) over mine as event_before
            from numbered window mine as (partition by id order by t, number)
        ),
        begun as (
            select *,
                t_before is null or t - t_before > $gap as is_new_stretch
            from told
        ),
        placed as (
            select *,
                sum(is_new_stretch::int) over mine as stretch,
                sum((is_new_stretch or not $collapse or event <> event_before)::int)
                    over mine as run
            from begun
            window mine as (partition by id order by t, number rows unbounded preceding)
        ),
        runs as (
            select id, stretch, run, any_value(event) as event, min(t) as first, max(t) as last
            from placed group by id, stretch, run
        ),
        anchors as (
            select id, stretch, run, min(t) as t, any_value(event) as event
            from placed
            where ($anchor is null or event = $anchor)
                and t >= epoch_us($start::timestamp) and t < epoch_us($stop::timestamp)
            group by id, stretch, run
            qualify $totals or row_number() over (partition by id order by min(t), run) = 1
        ),
        steps as (
            select a.id, a.run as path, r.run - a.run as step, r.event
            from anchors as a join runs as r on r.id = a.id and r.stretch = a.stretch
            where (r.run > a.run and r.first <= a.t + $window)
                or (r.run < a.run and r.last >= a.t - $window)
            union all
            select id, run, 0, event from anchors
        )
    """
    found: dict[tuple[str, int, str, str], int] = {}
    with duckdb.connect() as sql:
        sql.register("given", frame.assign(number=range(len(frame))))
        sql.register("people", people)
        for step in [*range(-before, 0), *range(1, after + 1)]:
            inner = step - 1 if step > 0 else step + 1
            end = "(drop-off)" if step > 0 else "(start)"
            rows = sql.execute(
                common
                + f"""
                select coalesce(p.segment, '(not set)'), i.event, coalesce(o.event, '{end}'),
                    count(*)
                from steps as i
                left join steps as o on o.id = i.id and o.path = i.path and o.step = {step}
                left join people as p on p.id = i.id
                where i.step = {inner} group by all
                """,
                asked,
            ).fetchall()
            for segment, near, far, number in rows:
                ends = (near, far) if step > 0 else (far, near)
                found[(segment, step, *ends)] = number
    return found


def links(report: Any) -> dict[tuple[Any, ...], int]:
    """Return the value of each link that is not zero, by segment if there is one."""
    table = report.table
    keys = table.columns[: table.columns.get_loc("to") + 1].tolist()
    assert not table.duplicated(keys).any()
    return table[table["count"] > 0].set_index(keys)["count"].to_dict()


@pytest.mark.parametrize("count", ["unique", "total"])
@pytest.mark.parametrize(
    ("anchor", "options"),
    [
        ("Sign Up", {"before": 0, "after": 4}),
        ("Purchase", {"before": 3, "after": 2, "gap": "1h", "collapse": False}),
        ("Checkout Started", {"before": 2, "after": 2, "window": "90min", "hide": ["View Item"]}),
        (None, {"before": 1, "after": 2, "window": "2d"}),
    ],
)
def test_the_sample_data_counted_in_SQL_give_the_same_link_by_link(
    anchor: str | None, options: dict[str, Any], count: Any
) -> None:
    files = tk.sample_files()
    profiles = tk.ProfileTable()
    tk.import_csv(profiles, files["profiles"])
    frame = pd.read_parquet(files["events"])
    people = pd.read_csv(files["profiles"], dtype={"distinct_id": "str"})
    plans = people.rename(columns={"distinct_id": "id", "plan": "segment"})[["id", "segment"]]
    report = tk.flows(
        frame,
        profiles,
        anchor,
        by=user["plan"],
        count=count,
        top=None,
        start="2026-02-01",
        end="2026-05-31",
        **options,
    )
    seconds = {"30d": 30 * 24 * HOUR, "90min": 90 * 60, "2d": 48 * HOUR}
    expected = in_sql(
        frame.assign(time=frame["time"].dt.tz_localize(None)),
        plans,
        anchor,
        before=options["before"],
        after=options["after"],
        window=seconds[options.get("window", "30d")],
        gap=HOUR if "gap" in options else None,
        collapse=options.get("collapse", True),
        totals=count == "total",
        hide=options.get("hide", [""])[0],
        start="2026-02-01",
        stop="2026-06-01",
    )
    assert len(expected) >= 20
    assert links(report) == expected


# -- random small data --------------------------------------------------------------------

NAMES = ["A", "B", "C", "D"]
ITEMS = ["x", "y", None, ["x", "y"]]


@st.composite
def questions(draw: st.DrawFn) -> dict[str, Any]:
    """Return a flow to ask for, and the events to ask it of."""
    happening = st.tuples(
        st.sampled_from(NAMES),
        st.sampled_from(["u", "v", "w", None]),
        st.integers(0, 12) if draw(st.booleans()) else st.integers(0, 60),
        st.sampled_from(ITEMS),
        st.sampled_from(["1", "2", None]),
    )
    before, after = draw(st.integers(0, 3)), draw(st.integers(0, 3))
    # With five minutes for a second, a pause of six of them is the longest in a session.
    scale = draw(st.sampled_from([1, 300]))
    log = draw(st.lists(happening, max_size=24))
    return {
        "log": [(name, who, scale * at, item, kind) for name, who, at, item, kind in log],
        "plans": draw(st.dictionaries(st.sampled_from("uvw"), st.sampled_from(["p", "q", ""]))),
        "anchor": draw(st.sampled_from(["A", "A", "B", None])),
        "before": before,
        "after": after if before or after else 2,
        "window": scale * draw(st.integers(0, 40)),
        "gap": draw(st.sampled_from([None, None, 0, 3 * scale, 9 * scale])),
        "collapse": draw(st.booleans()),
        "count": draw(st.sampled_from(["unique", "total", "sessions"])),
        "start": draw(st.sampled_from([None, 5 * scale])),
        "stop": draw(st.sampled_from([None, 30 * scale])),
    }


def frame_of(log: Any) -> pd.DataFrame:
    df = events_of(*[(name, who, 1_700_000_000 + at) for name, who, at, _, _ in log])
    df["item"] = pd.Series([item for *_, item, _ in log], dtype=object)
    df["kind"] = pd.Series([kind for *_, kind in log], dtype=object)
    return df


def asked_of(question: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments that ask for it."""
    options = {name: question[name] for name in ("before", "after", "collapse")}
    options["window"] = pd.Timedelta(question["window"], "s")
    options["gap"] = None if question["gap"] is None else pd.Timedelta(question["gap"], "s")
    options["count"] = question["count"]
    options["start"] = None if question["start"] is None else 1_700_000_000 + question["start"]
    options["end"] = None if question["stop"] is None else 1_700_000_000 + question["stop"]
    return options


@settings(deadline=None, max_examples=examples(80))
@given(questions().filter(lambda question: question["count"] != "sessions"))
def test_random_events_counted_in_SQL_give_the_same(question: dict[str, Any]) -> None:
    df = frame_of(question["log"])
    profiles = profiles_of({who: {"plan": plan} for who, plan in question["plans"].items()})
    report = tk.flows(
        df, profiles, question["anchor"], by=user["plan"], top=None, **asked_of(question)
    )
    people = pd.DataFrame(
        [(who, plan or "(empty string)") for who, plan in question["plans"].items()],
        columns=["id", "segment"],
        dtype="str",
    )
    naive = df.assign(
        time=pd.to_datetime(df["time"].astype("int64"), unit="s"),
        distinct_id=df["distinct_id"].astype("str"),
        event=df["event"].astype("str"),
    )[["event", "distinct_id", "time"]]
    start, stop = question["start"], question["stop"]
    expected = in_sql(
        naive,
        people,
        question["anchor"],
        before=question["before"],
        after=question["after"],
        window=question["window"],
        gap=question["gap"],
        collapse=question["collapse"],
        totals=question["count"] == "total",
        start=str(pd.Timestamp(1_700_000_000 + (start or 0), unit="s")),
        stop=str(pd.Timestamp(1_700_000_000 + (100_000 if stop is None else stop), unit="s")),
    )
    assert links(report) == expected
    for row, line in enumerate(report.table.to_dict("records")):
        found = report.users(**report.cell(row))
        assert len(found) <= line["count"]
        if question["count"] == "unique":
            assert len(found) == line["count"]


Path = tuple[str, str, list[str | None]]


def by_hand(question: dict[str, Any], more: dict[str, Any]) -> list[Path]:
    """Return the user, the segment and the steps of each path; None for no event."""
    window, gap = question["window"], question["gap"]
    start = 0 if question["start"] is None else question["start"]
    stop = 10**9 if question["stop"] is None else question["stop"]
    users: dict[str, list[tuple[int, int, str, Any, Any]]] = {}
    times: dict[str | None, list[int]] = {}
    for _, who, at, _, _ in question["log"]:
        times.setdefault(who, []).append(at)
    for number, (name, who, at, item, kind) in enumerate(question["log"]):
        is_hidden = more["hide"] and name == "C"
        is_left_out = more["where"] and kind != "1"
        if who is not None and not is_hidden and not is_left_out:
            users.setdefault(who, []).append((at, number, name, item, kind))
    paths: list[Path] = []
    for who, log in users.items():
        log.sort()
        # Each step: its name and its events; those of another stretch are far away.
        steps: list[tuple[int, str, list[int]]] = []
        stretch = 0
        # Where this user paused for long; what is hidden or left out is no pause.
        every = sorted(times[who])
        pauses = [at for at, next_ in pairwise(every) if next_ - at > 30 * 60]
        for place, (at, _, name, _, kind) in enumerate(log):
            called = name
            if kind is not None and (more["expand"] == "all" or more["expand"] == name):
                called = f"{name}: {kind}"
            if place and gap is not None and at - log[place - 1][0] > gap:
                stretch += 1
            session = sum(pause < at for pause in pauses)
            if question["count"] == "sessions" and place:
                stretch += session != sum(pause < log[place - 1][0] for pause in pauses)
            if question["collapse"] and steps and steps[-1][:2] == (stretch, called):
                steps[-1][2].append(place)
            else:
                steps.append((stretch, called, [place]))
        seen: set[Any] = set()
        for position, (mine, called, places) in enumerate(steps):
            for place in places:
                at, _, name, item, kind = log[place]
                fits = question["anchor"] in (None, name) and start <= at < stop
                if more["kind"] and kind != "2":
                    fits = False
                if not fits:
                    continue
                segments = [""]
                if more["by"]:
                    segments = [
                        label(each) for each in (item if isinstance(item, list) else [item])
                    ]
                for segment in segments:
                    session = sum(pause < at for pause in pauses)
                    once = {"unique": None, "total": position, "sessions": session}
                    same = (segment, once[question["count"]])
                    if same in seen:
                        continue
                    seen.add(same)
                    path: list[str | None] = []
                    for step in range(-question["before"], question["after"] + 1):
                        other = position + step
                        if step == 0:
                            path.append(called)
                            continue
                        if not 0 <= other < len(steps) or steps[other][0] != mine:
                            path.append(None)
                            continue
                        nearest = steps[other][2][0 if step > 0 else -1]
                        is_near = abs(log[nearest][0] - at) <= window
                        path.append(steps[other][1] if is_near else None)
                    paths.append((who, segment, path))
    return paths


def with_top(paths: list[Path], whole: list[Path], top: int | None) -> list[Path]:
    """Return the paths with one name for all but the most frequent events of each step."""
    if top is None:
        return paths
    result: list[Path] = [(who, segment, []) for who, segment, _ in paths]
    for step in range(len(paths[0][2]) if paths else 0):
        often = Counter(path[step] for *_, path in whole)
        names = sorted(
            {name for *_, path in [*paths, *whole] if (name := path[step]) is not None},
            key=lambda name: (-often[name], name),
        )
        for (*_, shown), (*_, path) in zip(result, paths, strict=True):
            name = path[step]
            shown.append(name if name is None or name in names[:top] else "(other)")
    return result


def links_of(paths: list[Path], before: int) -> Counter[tuple[str, int, str, str]]:
    found: Counter[tuple[str, int, str, str]] = Counter()
    for _, segment, path in paths:
        for place, name in enumerate(path):
            step = place - before
            near = path[place - 1 if step > 0 else place + 1] if step else None
            if near is not None:
                ends = (near, name or "(drop-off)") if step > 0 else (name or "(start)", near)
                found[(segment, step, *ends)] += 1
    return found


def whole_path(path: list[str | None], before: int) -> tuple[str, ...]:
    told = []
    for place, name in enumerate(path):
        if name is not None:
            told.append(name)
        elif place < before and path[place + 1] is not None:
            told.append("(start)")
        elif place > before and path[place - 1] is not None:
            told.append("(drop-off)")
    return tuple(told)


more_questions = st.fixed_dictionaries(
    {
        "by": st.booleans(),
        "hide": st.booleans(),
        "where": st.sampled_from([False, False, True]),
        "kind": st.sampled_from([False, False, True]),
        "expand": st.sampled_from([None, None, "all", "B"]),
        "top": st.sampled_from([None, 1, 2]),
    }
)


@settings(deadline=None, max_examples=examples(150))
@given(questions(), more_questions)
def test_a_loop_over_users_gives_the_same_links_nodes_paths_and_users(
    question: dict[str, Any], more: dict[str, Any]
) -> None:
    report = tk.flows(
        frame_of(question["log"]),
        None,
        tk.step(question["anchor"], where=event["kind"] == "2")
        if more["kind"]
        else question["anchor"],
        by="item" if more["by"] else None,
        hide=["C"] if more["hide"] else [],
        where=event["kind"] == "1" if more["where"] else None,
        expand={None: None, "all": "kind", "B": {"B": event["kind"]}}[more["expand"]],
        top=more["top"],
        **asked_of(question),
    )
    paths = by_hand(question, more)
    whole = by_hand(question, {**more, "by": False})
    paths = with_top(paths, whole, more["top"])
    before = question["before"]
    wanted = links_of(paths, before)
    found = links(report)
    if not more["by"]:
        found = {("", *key): value for key, value in found.items()}
    assert found == dict(wanted)
    assert report.is_empty == (not paths)

    # What enters a node leaves it.
    for node in report.nodes.to_dict("records"):
        mine = report.table
        if more["by"]:
            mine = mine[mine["event.item"] == node["event.item"]]
        step, name = node["step"], node["event"]
        if step >= 0 and step < question["after"]:
            leaving = mine[(mine["step"] == step + 1) & (mine["from"] == name)]
            assert leaving["count"].sum() == node["count"]
        if step <= 0 and -step < before:
            entering = mine[(mine["step"] == step - 1) & (mine["to"] == name)]
            assert entering["count"].sum() == node["count"]
        if step:
            side = "to" if step > 0 else "from"
            here = mine[(mine["step"] == step) & (mine[side] == name)]
            assert here["count"].sum() == node["count"]

    # Whole paths, and whose they are.
    told = Counter((segment, whole_path(path, before)) for _, segment, path in paths)
    rows = report.paths.to_dict("records")
    listed: Counter[Any] = Counter()
    for row in rows:
        listed[(row.get("event.item", ""), row["path"])] += row["count"]
    assert listed == told
    for segment, path in told:
        users = report.users(path=path, segment=segment if more["by"] else None)
        assert users == sorted(
            {who for who, of, steps in paths if (of, whole_path(steps, before)) == (segment, path)}
        )

    # Each row's users, and those of each node.
    for row, line in enumerate(report.table.to_dict("records")):
        key = (line.get("event.item", ""), line["step"], line["from"], line["to"])
        users = {who for who, *path in paths if key in links_of([(who, *path)], before)}
        assert report.users(**report.cell(row)) == sorted(users)
    for node in report.nodes.to_dict("records"):
        segment = node.get("event.item")
        users = {
            who
            for who, of, path in paths
            if of == (segment or "") and path[node["step"] + before] == node["event"]
        }
        found_users = report.users(step=node["step"], event=node["event"], segment=segment)
        assert found_users == sorted(users)
