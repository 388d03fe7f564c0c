"""Reports are counted by users: the tallies of any parts of them add up to that of all."""

from __future__ import annotations

from functools import reduce
from operator import add
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st

import toolkit as tk
from tests.effort import examples
from toolkit import errors, event, user
from toolkit.reports.numbers.tally import TopPlan

FIRST = pd.Timestamp("2026-03-02", tz="UTC")
DAYS = 21
IDS = ["ann", "bob", "cem", "dag", "eve", "fay", None]

#: Numbers whose sums are exact in any order, so that cells can be compared bit for bit.
EXACT = [None, 0.0, 1.0, 2.5, -3.25, 1024.0]
logs = st.lists(
    st.tuples(
        st.sampled_from(["View", "View", "Cart", "Buy", None]),
        st.sampled_from(IDS),
        st.integers(0, DAYS * 24 - 1),
        st.sampled_from(["hat", "tie", "true", "", None]),
        st.sampled_from(EXACT),
        st.sampled_from([2**62, 2**62 - 1, -5, 7]),
        st.sampled_from([["a"], ["a", "b"], [], [True, "true"], None]),
        st.sampled_from([1, 1.5, True, "true", None]),
    ),
    min_size=1,
    max_size=60,
)
people = st.fixed_dictionaries(
    {},
    optional={
        who: st.lists(
            st.fixed_dictionaries(
                {},
                optional={
                    "plan": st.sampled_from(["free", "pro", "true", True]),
                    "age": st.sampled_from([17, 18, 29, 30.5, "old"]),
                    "langs": st.sampled_from([["en"], ["en", "no"], []]),
                },
            ),
            min_size=1,
            max_size=3,
        )
        for who in IDS[:5]
    },
)
parts = st.lists(st.integers(0, 4), min_size=len(IDS), max_size=len(IDS))
BREAKDOWNS: dict[str, Any] = {
    "none": None,
    "plan": user["plan"],
    "item": event["item"],
    "mixed": event["mixed"],
    "tags": event["tags"],
    "langs": user["langs"],
    "two": [user["plan"], event["tags"]],
    "ranges": tk.bucket(user["age"], 10),
    "calendar": tk.bucket(event["time"], "week"),
    "elements": tk.items("tags", event["tags"].any() != "a"),
    "cohort": tk.cohort_of(["ann", "eve"], "Two"),
}
bys = st.sampled_from(list(BREAKDOWNS.values()))
wheres = st.sampled_from(
    [
        None,
        user["age"] > 17,
        event["amount"] > 0,
        (user["plan"] != "pro") & (event["item"] != "tie"),
        tk.did("Buy", within="5d"),
    ]
)
ats = st.sampled_from(["latest", "event time"])


def events_of(log: list[tuple[Any, ...]]) -> tk.Events:
    columns = ["event", "distinct_id", "hour", "item", "amount", "number", "tags", "mixed"]
    frame = pd.DataFrame(log, columns=columns).astype(
        {"event": object, "distinct_id": object, "item": object, "amount": "float64"}
    )
    for name in ("tags", "mixed"):
        frame[name] = pd.Series([row[columns.index(name)] for row in log], dtype=object)
    frame["time"] = FIRST + pd.to_timedelta(frame.pop("hour").astype("int64"), unit="h")
    return tk.Events(frame)


def table_of(crowd: dict[str, list[dict[str, Any]]]) -> tk.ProfileTable:
    """Return profiles, each with states that began some days after one another."""
    table = tk.ProfileTable()
    start = int(FIRST.timestamp())
    for who, states in crowd.items():
        for number, state in enumerate(states):
            time = start + number * 6 * 86_400
            table.apply([{"$distinct_id": who, "$time": time, "$set": state}])
    return table


def scopes_of(scope: Any, split: list[int]) -> list[Any]:
    """Return the scopes of the users of each part; those of no ID are in that of the last."""
    texts = scope.everything.events.ids.texts.to_pylist()
    part_of = np.array([split[IDS.index(each)] for each in [*texts, None]])
    return [scope.part(part_of == part) for part in sorted(set(split))]


def added(plan: Any, split: list[int]) -> tuple[Any, Any]:
    """Return a plan and its tally, added up of those of parts of the users."""
    plans = [plan.on(scope) for scope in scopes_of(plan.scope, split)]
    if isinstance(plan, TopPlan):
        sizes = [reduce(add, each) for each in zip(*(each.sizes() for each in plans), strict=True)]
        plans = [each.with_largest(sizes) for each in plans]
    return plan, reduce(add, [each.count() for each in plans])


def assert_same(plan: Any, tally: Any, *, rtol: float = 0) -> None:
    """Compare the answer of a tally with that of all users."""
    for ours, theirs in zip(
        _numbers(plan.answer(tally)), _numbers(plan.answer(plan.count())), strict=True
    ):
        if isinstance(theirs, pd.DataFrame):
            pd.testing.assert_frame_equal(ours, theirs, check_exact=not rtol, rtol=rtol or 1e-9)
        elif isinstance(theirs, np.ndarray):
            assert ours.dtype == theirs.dtype
            np.testing.assert_allclose(ours, theirs, rtol=rtol, atol=0)
        else:
            assert ours == theirs


def _numbers(answer: Any) -> list[Any]:
    """Return what there is in an answer."""
    if isinstance(answer, tuple):  # of profiles
        ranked, values = answer
        return [ranked.levels, values]
    found: list[Any] = [answer.ranked.levels]
    for name in ("table", "summary", "average", "nodes"):
        found += [getattr(answer, name)()] if hasattr(answer, name) else []
    found += [answer.top_paths] if hasattr(answer, "top_paths") else []
    for name in ("values", "previous", "sizes", "users", "retained"):
        value = getattr(answer, name, None)
        found += value if isinstance(value, list) else [value]
    return found


MEASURES = ("total", "unique", "sessions", "per_user", "dau", "wau", "mau")
OF_PROPERTY = ("sum", "average", "median", "p90", "min", "max", "distinct")


@pytest.mark.parametrize("measure", [*MEASURES, *OF_PROPERTY])
@settings(deadline=None, max_examples=examples(80))
@given(log=logs, crowd=people, split=parts, by=bys, where=wheres, at=ats, data=st.data())
def test_segmentation(
    measure: str, log: Any, crowd: Any, split: Any, by: Any, where: Any, at: Any, data: Any
) -> None:
    of: Any = None
    if measure in OF_PROPERTY:
        choices = ["amount", "number", "tags", "mixed", event["amount"], user["age"]]
        of = data.draw(st.sampled_from(choices[:-1] if at == "event time" else choices))
    views: list[dict[str, Any]] = [
        {},
        {"unit": None},
        {"unit": "week", "tz": "Europe/Oslo"},
        {"rolling": 3},
        {"compare": "previous", "start": "2026-03-09"},
        {"compare": "previous month", "unit": "week", "end": "2026-03-20"},
    ]
    if measure not in ("dau", "wau", "mau"):
        views.append({"cumulative": True, "unit": "week"})
    if by is not None:
        views += [{"top": 1}, {"top": 2, "unit": "week", "compare": "previous"}]
    view = data.draw(st.sampled_from(views))
    report: Any = tk.segmentation(
        events_of(log), table_of(crowd), "View",
        measure=measure, of=of, by=by, where=where, at=at, **view,
    )  # fmt: skip
    assert_same(*added(report._plan, split))


@settings(deadline=None, max_examples=examples(80))
@given(log=logs, crowd=people, split=parts, by=bys, where=wheres, at=ats, data=st.data())
def test_segmentation_of_several_metrics(
    log: Any, crowd: Any, split: Any, by: Any, where: Any, at: Any, data: Any
) -> None:
    metrics = [
        "View",
        tk.metric("Buy", measure="unique"),
        tk.metric(None, measure="median", of="n"),
    ]
    metrics[2] = tk.metric(None, measure="median", of="amount", where=event["item"] == "hat")
    view: dict[str, Any] = data.draw(
        st.sampled_from([{}, {"formula": "B / A + C"}, {"compare": "previous year"}])
    )
    report: Any = tk.segmentation(
        events_of(log), table_of(crowd), metrics, by=by, where=where, at=at,
        top=None if by is None else data.draw(st.sampled_from([None, 1])), **view,
    )  # fmt: skip
    assert_same(*added(report._plan, split))


@settings(deadline=None, max_examples=examples(240))
@given(log=logs, crowd=people, split=parts, by=bys, where=wheres, at=ats, data=st.data())
def test_funnel(log: Any, crowd: Any, split: Any, by: Any, where: Any, at: Any, data: Any) -> None:
    steps = data.draw(st.sampled_from([["View", "Buy"], ["View", "Cart", "Buy"], [None, "View"]]))
    report: Any = tk.funnel(
        events_of(log), table_of(crowd), steps,
        order=data.draw(st.sampled_from(["specific", "any"])),
        count=data.draw(st.sampled_from(["unique", "total", "sessions"])),
        reentry=data.draw(st.sampled_from(["first", "optimized"])),
        exclude=data.draw(st.sampled_from([[], ["Cart"]])) if len(steps) == 2 else [],
        hold=data.draw(st.sampled_from([[], ["item"]])),
        attribution=data.draw(st.sampled_from(["first", "last", 2])),
        by=by, where=where, at=at, start=data.draw(st.sampled_from([None, "2026-03-06"])),
    )  # fmt: skip
    assert_same(*added(report._question, split))


@settings(deadline=None, max_examples=examples(240))
@given(log=logs, crowd=people, split=parts, by=bys, where=wheres, at=ats, data=st.data())
def test_retention(
    log: Any, crowd: Any, split: Any, by: Any, where: Any, at: Any, data: Any
) -> None:
    measure = data.draw(st.sampled_from(["rate", "sum", "average"]))
    report: Any = tk.retention(
        events_of(log), table_of(crowd), "View", data.draw(st.sampled_from([None, "Buy"])),
        measure=measure, of=None if measure == "rate" else "amount",
        criteria=data.draw(st.sampled_from(["on", "on_or_after", "on_or_before", "streak"])),
        mode=data.draw(st.sampled_from(["rolling", "calendar"])),
        birth_mode=data.draw(st.sampled_from(["any", "first"])),
        unit=data.draw(st.sampled_from(["day", "week"])),
        by=by, where=where, at=at, start=data.draw(st.sampled_from([None, "2026-03-06"])),
    )  # fmt: skip
    assert_same(*added(report._plan, split))


@settings(deadline=None, max_examples=examples(120))
@given(log=logs, crowd=people, split=parts, by=bys, where=wheres, at=ats, data=st.data())
def test_frequency(
    log: Any, crowd: Any, split: Any, by: Any, where: Any, at: Any, data: Any
) -> None:
    report: Any = tk.frequency(
        events_of(log), table_of(crowd), "View",
        criteria=data.draw(st.sampled_from(["at_least", "exactly"])),
        by=by, where=where, at=at, start=data.draw(st.sampled_from([None, "2026-03-06"])),
    )  # fmt: skip
    assert_same(*added(report._plan, split))


@settings(deadline=None, max_examples=examples(120))
@given(log=logs, crowd=people, split=parts, by=bys, where=wheres, at=ats, data=st.data())
def test_lifecycle(
    log: Any, crowd: Any, split: Any, by: Any, where: Any, at: Any, data: Any
) -> None:
    report: Any = tk.lifecycle(
        events_of(log), table_of(crowd), data.draw(st.sampled_from([None, "View"])),
        unit=data.draw(st.sampled_from(["day", "week", "month"])),
        by=by, where=where, at=at, start=data.draw(st.sampled_from([None, "2026-03-11"])),
    )  # fmt: skip
    assert_same(*added(report._plan, split))


@settings(deadline=None, max_examples=examples(160))
@given(log=logs, crowd=people, split=parts, by=bys, where=wheres, at=ats, data=st.data())
def test_flows(log: Any, crowd: Any, split: Any, by: Any, where: Any, at: Any, data: Any) -> None:
    report: Any = tk.flows(
        events_of(log), table_of(crowd), data.draw(st.sampled_from([None, "View"])),
        before=data.draw(st.sampled_from([0, 2])), after=2,
        count=data.draw(st.sampled_from(["unique", "total", "sessions"])),
        hide=data.draw(st.sampled_from([[], ["Cart"]])),
        expand=data.draw(st.sampled_from([None, "item", "mixed", {"Buy": "mixed", None: "item"}])),
        top=data.draw(st.sampled_from([None, 1, 2])), by=by, where=where, at=at,
    )  # fmt: skip
    assert_same(*added(report._question, split))


@pytest.mark.parametrize("measure", ["count", *OF_PROPERTY])
@settings(deadline=None, max_examples=examples(60))
@given(log=logs, crowd=people, split=parts, data=st.data())
def test_profile_report(measure: str, log: Any, crowd: Any, split: Any, data: Any) -> None:
    by = data.draw(
        st.sampled_from([None, *(BREAKDOWNS[name] for name in ("plan", "langs", "ranges"))])
    )
    report: Any = tk.profile_report(
        table_of(crowd),
        events=data.draw(st.sampled_from([None, events_of(log)])),
        measure=measure,
        of=None if measure == "count" else data.draw(st.sampled_from(["age", "langs"])),
        by=by,
        top=None if by is None else data.draw(st.sampled_from([None, 1])),
        where=data.draw(st.sampled_from([None, user["age"] > 17])),
    )
    plan = report._plan
    ids = plan.people.ids.to_pylist()
    part_of = np.array([split[IDS.index(each)] for each in ids], np.int64)
    plans = [plan.on(plan.people.part(part_of == part)) for part in sorted(set(split))]
    sizes = [reduce(add, each) for each in zip(*(each.sizes() for each in plans), strict=True)]
    plans = [each.with_largest(sizes) for each in plans]
    assert_same(plan, reduce(add, [each.count() for each in plans]))


def test_sums_of_any_numbers_are_the_same_but_for_rounding() -> None:
    """Floats are rounded at each addition, so their sums depend on its order."""
    rng = np.random.default_rng(3)
    frame = pd.DataFrame({"event": "Buy", "distinct_id": rng.choice(IDS[:6], 500)})
    frame["time"] = FIRST + pd.to_timedelta(rng.integers(0, 480, 500), unit="h")
    frame["amount"] = rng.normal(size=500) * 1e6
    for measure in ("sum", "average"):
        report: Any = tk.segmentation(
            frame, None, "Buy", measure=measure, of="amount", by="event", unit=None
        )
        assert_same(*added(report._plan, [0, 1, 2, 3, 4, 0, 1]), rtol=1e-12)


@pytest.mark.parametrize("numbers", [[2**62, 2**62, -(2**62)], [2**62] * 3])
def test_sums_past_64_bits_stay_exact_until_they_are_shown(numbers: list[int]) -> None:
    frame = pd.DataFrame({"event": "Buy", "distinct_id": ["ann", "bob", "cem"]})
    frame["time"] = "2026-03-02"
    frame["number"] = numbers
    report: Any = tk.segmentation(frame, None, "Buy", measure="sum", of="number", unit=None)
    assert report.table["value"].tolist() == [sum(numbers)]
    assert report.table["value"].dtype == (np.int64 if sum(numbers) < 2**63 else np.float64)
    assert_same(*added(report._plan, [0, 1, 2, 2, 2, 2, 2]))


def test_ranges_of_parts_stay_in_their_order() -> None:
    frame = pd.DataFrame({"event": "Buy", "distinct_id": ["ann", "bob", "cem"]})
    frame["time"] = "2026-03-02"
    frame["number"] = [35, 5, 25]
    by = tk.bucket("number", 10)
    report: Any = tk.segmentation(frame, None, "Buy", by=by, unit=None)
    plan, tally = added(report._plan, [0, 1, 2, 2, 2, 2, 2])
    assert plan.answer(tally).ranked.names == ["0 to <10", "20 to <30", "30 to <40"]


def test_the_largest_segments_of_parts_are_not_added_up() -> None:
    frame = pd.DataFrame({"event": ["View", "Buy", "View"], "distinct_id": ["ann", "ann", "bob"]})
    frame["time"] = "2026-03-02"
    report: Any = tk.segmentation(frame, None, None, by="event", top=1)
    ann, bob = (
        report._plan.on(scope).count()
        for scope in scopes_of(report._plan.scope, [0, 1, *[2] * 5])[:2]
    )
    with pytest.raises(errors.ReportError, match="with_largest"):
        ann + bob


def test_a_value_in_several_parts_is_one_segment_of_a_crossed_breakdown() -> None:
    frame = pd.DataFrame({"event": "View", "distinct_id": ["ann", "bob"], "item": "hat"})
    frame["time"] = "2026-03-02"
    profiles = table_of({"ann": [{"plan": "free"}]})
    by = [user["plan"], event["item"]]
    report: Any = tk.segmentation(frame, profiles, "View", by=by, unit=None)
    plan, tally = added(report._plan, [0, 1, 1, 1, 1, 1, 1])
    assert plan.answer(tally).ranked.levels == (("free", "(not set)"), ("hat", "hat"))
