"""Events meet the profiles of the groups they name."""

from __future__ import annotations

import random
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import toolkit as tk
from toolkit import Events, ProfileTable, event, group, user
from toolkit.base.errors import (
    CompactedError,
    EventsError,
    ExpressionError,
    JoinError,
    PropertyAccessError,
    ReportError,
    UnknownPropertyWarning,
)
from toolkit.columns.series import coded_lists
from toolkit.expressions import as_property, parse
from toolkit.forms.report.state import ReportBuilderState

PLAN = group("company")["plan"]


def companies() -> ProfileTable:
    profiles = ProfileTable()
    profiles.apply(
        [
            {"$group_key": "company", "$group_id": "acme", "$set": {"plan": "pro", "seats": 10}},
            {"$group_key": "company", "$group_id": "hooli", "$set": {"plan": "free", "seats": 90}},
            {"$group_key": "company", "$group_id": "pied", "$set": {"plan": "pro"}},
            {"$group_key": "company", "$group_id": "7", "$set": {"tags": ["a", "b"], "seats": 1}},
            {"$distinct_id": "ann", "$set": {"plan": "of ann"}},
        ]
    )
    return profiles


def log(*named: Any, name: str = "View", ids: Any = None) -> Events:
    """Return one event for each company, or list of companies, named."""
    column = np.empty(len(named), object)
    column[:] = named
    return Events(
        pd.DataFrame(
            {
                "event": name,
                "distinct_id": ids or [f"u{n}" for n in range(len(named))],
                "time": pd.date_range("2026-05-01", periods=len(named), freq="h", tz="UTC"),
                "company": column,
            }
        )
    )


def counted(events: Events, where: Any = None, by: Any = PLAN, **further: Any) -> dict[str, int]:
    report = tk.segmentation(events, companies(), "View", by=by, where=where, unit=None, **further)
    return dict(zip(report.table[report.table.columns[0]], report.table["count"], strict=True))


def number(events: Events, where: Any) -> int:
    table = tk.segmentation(events, companies(), "View", where=where, unit=None).table
    return int(table["count"].iloc[0])


# -- the expression -----------------------------------------------------------------------


def test_the_python_and_the_text_form_are_one() -> None:
    condition = (PLAN == "pro") & (group("company")["tags"].any() == event["tag"])
    assert condition.text == (
        'group("company")["plan"] == "pro" and any(group("company")["tags"]) == event["tag"]'
    )
    assert parse(condition.text).same_as(condition)
    built = eval(condition.python, {"group": group, "event": event})
    assert built.same_as(condition)


@pytest.mark.parametrize("key", ["company", "with space", 'quo"te', "ß", "group(", "]", "user"])
def test_any_group_key_can_be_written(key: str) -> None:
    prop = group(key)['pl"an']
    assert parse(f"{prop.text} == 1").properties[0].same_as(prop)
    assert eval(prop.python, {"group": group}).same_as(prop)
    assert prop.group_key == key


def test_labels_are_named_for_the_group_key_and_none_is_like_another() -> None:
    assert PLAN.label == "company.plan"
    keys = ["company", "user", "event", "a.b", "a", 'group("x', 'group("x.y")']
    labels = [group(key)[name].label for key in keys for name in ("c", "b.c", 'y").c')]
    labels += [user["c"].label, event["c"].label, user["b.c"].label]
    assert len(set(labels)) == len(labels)


@pytest.mark.parametrize(
    ("text", "message", "at"),
    [
        ('group["company"]', "a property of groups is written", 0),
        ("group(company)", 'found "company", expected a group key in quotes', 6),
        ('group("")["plan"]', "a group key is text", 6),
        ('group("company") == 1', 'found "=="', 17),
        ('group("company").plan', 'a property is written group("company")["plan"]', 16),
        ('group("company")["plan"]["x"]', "nothing within a property", 24),
        ('group("company"', 'expected ")"', 15),
        ("group == 1", "a property of groups is written", 0),
    ],
)
def test_a_parse_error_points_at_the_character(text: str, message: str, at: int) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse(text)
    first, line, caret = str(caught.value).split("\n")
    assert message in first
    assert line == f"    {text}"
    assert caret.index("^") - 4 == at


def test_what_is_not_written_so_is_refused_with_what_to_write() -> None:
    with pytest.raises(PropertyAccessError, match=r'write group\("company"\)\["plan"\]'):
        _ = group("company").plan
    with pytest.raises(PropertyAccessError, match=r'write group\("company"\)'):
        _ = group.company
    with pytest.raises(ExpressionError, match="needs the group key"):
        _ = group["plan"]
    with pytest.raises(ExpressionError, match="a group key is text"):
        group(7)  # type: ignore[arg-type]
    with pytest.raises(ExpressionError, match="group is not a value"):
        _ = user["plan"] == group
    assert as_property('group("company")["plan"]').same_as(PLAN)


def test_a_table_of_groups_is_filtered_by_its_own_properties() -> None:
    table = companies().groups("company")
    assert list(table.where(PLAN == "pro")) == list(table.where(user["plan"] == "pro"))
    with pytest.raises(ExpressionError, match=r'ask profiles\.groups\("team"\)'):
        table.where(group("team")["plan"] == "pro")
    with pytest.raises(ExpressionError, match="these are profiles of users"):
        companies().where(PLAN == "pro")
    with pytest.warns(UnknownPropertyWarning, match='"plam"'):
        table.where(group("company")["plam"] == "pro")


# -- which groups an event names ----------------------------------------------------------


@pytest.mark.parametrize(
    "column",
    [
        ["acme", "pied", None],
        pd.Categorical(["acme", "pied", None]),
        pd.array(["acme", "pied", None], "str"),
        [["acme"], ["pied"], []],
        [("acme",), {"pied"}, np.array([])],
        [["acme", "acme"], ["pied", None], [None]],
        pd.array([["acme"], ["pied"], None], pd.ArrowDtype(pa.list_(pa.string()))),
    ],
)
def test_GROUP_2_one_id_is_named_in_any_form(column: Any) -> None:
    found = coded_lists(pd.Series(column))
    assert found.owners is None
    assert found.texts.take(pa.array(found.codes, mask=found.codes < 0)).to_pylist() == [
        "acme",
        "pied",
        None,
    ]


def test_GROUP_2_numbers_are_normalised_and_what_is_no_id_is_left_out() -> None:
    found = coded_lists(pd.Series([[7, 7.0, "7"], 7.0, ["", None, "acme", {}], [[], True]]))
    texts = [None if code < 0 else found.texts[code].as_py() for code in found.codes]
    assert texts == ["7", "7", "acme", None]
    assert found.owners is None
    assert counted(log(7, [7.0, "acme"])) == {"pro": 1, "(not set)": 2}


def test_GROUP_2_without_a_group_a_profile_or_a_property_it_is_not_set() -> None:
    events = log("acme", "nobody", None, [], "7")
    report = tk.segmentation(events, companies(), "View", by=PLAN, unit=None)
    assert dict(zip(report.table["company.plan"], report.table["count"], strict=True)) == {
        "pro": 1,
        "(not set)": 4,
    }
    assert (
        "Without a profile, so (not set) in every property of the company: "
        "1 company ID of 1 event." in report.notes
    )
    assert "Without a company, so (not set): 2 events." in report.notes


def test_GROUP_2_a_join_keeps_rows_and_lists_several_values() -> None:
    events = log("acme", ["acme", "hooli"], ["acme", "pied"], None, ["nobody", "hooli"], [])
    frame = tk.join(events, companies(), [PLAN, group("company")["seats"], "plan"])
    assert frame.index.equals(events.frame.index)
    assert list(frame.columns[-3:]) == ["company.plan", "company.seats", "user.plan"]
    plans = [None if isinstance(plan, float) else plan for plan in frame["company.plan"]]
    assert plans == ["pro", ["pro", "free"], "pro", None, "free", None]
    assert frame["company.seats"].iloc[1] == [10, 90]


def test_a_join_with_one_group_an_event_has_types() -> None:
    frame = tk.join(log("acme", None, "7"), companies(), [PLAN, group("company")["seats"]])
    assert str(frame["company.plan"].dtype) == "str"
    assert str(frame["company.seats"].dtype) == "Int64"
    seen = tk.join(log("acme", None), companies(), group("company")["$last_seen"])
    assert str(seen["company.$last_seen"].dtype) == "datetime64[us, UTC]"
    first = tk.join(
        log("acme", ["acme", "7"]), companies(), group("company")["$mp_first_event_time"]
    )
    began = pd.Timestamp("2026-05-01", tz="UTC")
    assert first["company.$mp_first_event_time"].tolist() == [
        began,
        [began, began + pd.Timedelta(hours=1)],
    ]


def test_a_join_warns_of_a_property_that_no_group_has() -> None:
    with pytest.warns(
        UnknownPropertyWarning, match='No profile of a company has a property "plam"'
    ):
        tk.join(log("acme"), companies(), group("company")["plam"])


def test_GROUP_2_near_misses_are_reported_and_never_joined() -> None:
    events = log("acme", "Acme", ["07", "acme"], ["zoo", " pied"], None)
    match = tk.match(events, companies(), group="company")
    assert (match.events, match.matched_events, match.unmatched_events) == (5, 2, 2)
    assert (match.ids, match.matched_ids, match.events_without_id) == (5, 1, 1)
    assert match.near_misses["group_id"].tolist() == [" pied", "07", "Acme"]
    assert match.near_misses["near_miss"].tolist() == ["pied", "7", "acme"]
    assert "company IDs of events" in match._repr_html_()
    assert repr(match).startswith("2 of 5 events (1 of 5 company IDs) have a profile")
    assert counted(events) == {"pro": 2, "(not set)": 4}


# -- filters ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ('group("company")["plan"] == "pro"', [0, 1, 2]),
        ('not group("company")["plan"] == "pro"', [3, 4, 5]),
        ('group("company")["plan"] != "pro"', [1, 3]),
        ('group("company")["plan"] in ["free", "x"]', [1, 3]),
        ('group("company")["plan"] not in ["free", "x"]', [0, 2, 4, 5]),
        ('group("company")["plan"] == null', [4, 5]),
        ('null == group("company")["plan"]', [4, 5]),
        ('defined(group("company")["plan"])', [0, 1, 2, 3]),
        ('any(group("company")["tags"]) == "b"', [4]),
        ('all(group("company")["tags"]) == "b"', []),
        # Each comparison on its own: one company is free, another has few seats.
        ('group("company")["plan"] == "free" and group("company")["seats"] < 50', [1]),
        ('group("company")["seats"] * 2 > event["n"] + 15', [0, 1, 3]),
        ('group("company")["plan"] == "free" or user["plan"] == "of ann"', [0, 1, 3]),
        ('contains(group("company")["plan"], "ro")', [0, 1, 2]),
        ('(group("company")["plan"] == "pro") == true', [0, 1, 2]),
        ('group("company")["$distinct_id"] == "7"', [4]),
    ],
)
def test_GROUP_3_one_of_the_groups_is_enough_for_a_comparison(
    where: str, expected: list[int]
) -> None:
    events = log("acme", ["acme", "hooli"], ["pied", "nobody"], "hooli", "7", None)
    frame = events.frame.assign(n=range(6))
    frame.loc[0, "distinct_id"] = "ann"
    report = tk.segmentation(Events(frame), companies(), "View", by="n", where=where, unit=None)
    kept = report.table[report.table["count"] > 0]["event.n"]
    assert sorted(map(int, kept)) == expected


def test_GROUP_3_a_filter_on_any_group_leaves_all_its_segments() -> None:
    assert counted(log(["acme", "hooli"], "hooli"), PLAN == "pro") == {"pro": 1, "free": 1}


def test_two_group_keys_stand_in_one_comparison() -> None:
    profiles = companies()
    profiles.groups("team").set("red", {"plan": "pro"})
    profiles.groups("team").set("blue", {"plan": "free"})
    frame = log(["acme", "hooli"], "hooli", "acme", ["acme", "pied"]).frame
    frame["team"] = [["red"], ["red", "blue"], "blue", None]
    where = group("team")["plan"] == PLAN
    table = tk.segmentation(frame, profiles, "View", where=where, unit=None).table
    assert table["count"].tolist() == [2]
    crossed = tk.segmentation(
        frame, profiles, "View", by=[PLAN, group("team")["plan"]], unit=None
    ).table
    found = {(a, b): n for a, b, n in crossed.itertuples(index=False)}
    assert found == {
        ("pro", "pro"): 1,
        ("free", "pro"): 2,
        ("free", "free"): 1,
        ("pro", "free"): 1,
        ("pro", "(not set)"): 1,
    }


# -- breakdowns ---------------------------------------------------------------------------


def test_GROUP_4_an_event_counts_once_in_each_distinct_value() -> None:
    assert counted(log(["acme", "pied"], ["acme", "hooli", "nobody"], "hooli")) == {
        "pro": 2,
        "free": 2,
        "(not set)": 1,
    }
    tags = counted(log(["7", "acme"], "7"), by=group("company")["tags"])
    assert tags == {"a": 2, "b": 2, "(not set)": 1}


def test_GROUP_4_funnels_take_the_groups_of_the_event_that_is_asked_for() -> None:
    frame = pd.DataFrame(
        {
            "event": ["View", "Cart", "Buy"],
            "distinct_id": "ann",
            "time": pd.date_range("2026-05-01", periods=3, tz="UTC"),
            "company": [None, ["acme", "hooli"], "hooli"],
        }
    )

    def segments(**further: Any) -> dict[str, list[int]]:
        steps = ["View", "Cart", "Buy"]
        table = tk.funnel(frame, companies(), steps, by=PLAN, **further).table
        return {str(name): rows["count"].tolist() for name, rows in table.groupby("company.plan")}

    assert segments() == segments(attribution="first")
    assert segments(attribution="first") == {"free": [1, 1, 1], "pro": [1, 1, 1]}
    assert segments(attribution="last") == {"free": [1, 1, 1]}
    assert segments(attribution=1) == {"(not set)": [1, 1, 1]}
    found = tk.funnel(frame, companies(), ["View", "Buy"], where=PLAN == "free").table
    assert found["count"].tolist() == [1, 1]
    step = tk.step("Cart", where=PLAN == "pro")
    assert tk.funnel(frame, companies(), ["View", step]).table["count"].tolist() == [1, 1]
    step = tk.step("Buy", where=PLAN == "pro")
    assert tk.funnel(frame, companies(), ["View", step]).table["count"].tolist() == [1, 0]


REPORTS: dict[str, Callable[..., Any]] = {
    "segmentation": lambda *given, **more: tk.segmentation(*given, "View", unit="day", **more),
    "unique": lambda *given, **more: tk.segmentation(*given, "View", measure="unique", **more),
    "funnel": lambda *given, **more: tk.funnel(*given, ["View", "Buy"], **more),
    "retention": lambda *given, **more: tk.retention(*given, birth="View", back="Buy", **more),
    "frequency": lambda *given, **more: tk.frequency(*given, birth="View", back="Buy", **more),
    "lifecycle": lambda *given, **more: tk.lifecycle(*given, "View", **more),
}


def random_log(seed: int) -> pd.DataFrame:
    rng = random.Random(seed)
    ids = ["acme", "hooli", "pied", "7", "nobody"]
    rows = 300
    frame = pd.DataFrame(
        {
            "event": rng.choices(["View", "Buy"], [3, 2], k=rows),
            "distinct_id": [f"u{rng.randrange(30)}" for _ in range(rows)],
            "time": pd.Timestamp("2026-05-01", tz="UTC")
            + pd.to_timedelta([rng.randrange(40 * 24) for _ in range(rows)], "h"),
        }
    )
    column = np.empty(rows, object)
    column[:] = [rng.choices(ids, k=rng.randrange(4)) for _ in range(rows)]
    return frame.assign(company=column)


@pytest.mark.parametrize("name", REPORTS)
@pytest.mark.parametrize("at", ["latest", "event time"])
def test_every_report_does_what_it_does_with_a_list_on_the_event(name: str, at: str) -> None:
    # The values of the groups of an event, written on the event as a list, are broken down
    # and filtered in the same way: a second path to the same numbers.
    frame = random_log(5)
    plans = {"acme": "pro", "hooli": "free", "pied": "pro"}
    lists = [[plans.get(one) for one in named] for named in frame["company"]]
    frame["plans"] = [list(dict.fromkeys(each)) or None for each in lists]
    profiles = ProfileTable()
    for key, plan in plans.items():
        profiles.groups("company").set(key, {"plan": plan}, time="2020-01-01")
    make = REPORTS[name]
    given = (Events(frame), profiles)
    ours = make(*given, by=PLAN, at=at).table
    theirs = make(*given, by="plans", at=at).table.rename(columns={"event.plans": "company.plan"})
    pd.testing.assert_frame_equal(ours, theirs)
    ours = make(*given, where=PLAN == "pro", at=at).table
    theirs = make(*given, where='any(event["plans"]) == "pro"', at=at).table
    pd.testing.assert_frame_equal(ours, theirs)


@pytest.mark.parametrize("seed", range(5))
def test_the_numbers_are_those_of_a_loop(seed: int) -> None:
    frame = random_log(seed)
    table = companies().groups("company")
    values: dict[str, int] = {}
    kept = 0
    for name, named in zip(frame["event"], frame["company"], strict=True):
        if name != "View":
            continue
        plans = [
            table[one].get("plan", "(not set)") if one in table else "(not set)" for one in named
        ]
        for plan in set(plans) or {"(not set)"}:
            values[str(plan)] = values.get(str(plan), 0) + 1
        seats = [table[one].get("seats", 0) for one in named if one in table]
        kept += any(number > 5 for number in seats) and "free" not in plans
    assert counted(Events(frame)) == values
    where = (group("company")["seats"] > 5) & ~(PLAN == "free")
    assert number(Events(frame), where) == kept


# -- the past -----------------------------------------------------------------------------


def test_GROUP_2_events_meet_the_state_their_groups_had_then() -> None:
    profiles = ProfileTable()
    table = profiles.groups("company")
    table.set("acme", {"plan": "free"}, time="2026-05-01T00:30")
    table.set("acme", {"plan": "pro"}, time="2026-05-01T02:30")
    table.set("pied", {"plan": "old"}, time="2020-01-01")
    events = log("acme", "acme", ["acme", "pied"], ["acme", "pied"], None)
    frame = tk.join(events, profiles, PLAN, at="event time")
    plans = [None if isinstance(plan, float) else plan for plan in frame["company.plan"]]
    assert plans == [None, "free", ["free", "old"], ["pro", "old"], None]
    report = tk.segmentation(events, profiles, "View", by=PLAN, unit=None, at="event time")
    assert dict(zip(report.table["company.plan"], report.table["count"], strict=True)) == {
        "free": 2,
        "old": 2,
        "pro": 1,
        "(not set)": 2,
    }
    assert "Properties of each company are as of each event." in report.notes
    then = profiles.as_of("2026-05-01T01:00")
    assert then.groups("company")["acme"] == {"plan": "free"}
    assert tk.join(events, then, PLAN)["company.plan"].iloc[3] == ["free", "old"]


def test_events_before_a_compaction_are_refused() -> None:
    profiles = ProfileTable()
    profiles.groups("company").set("acme", {"plan": "free"})
    profiles.groups("company").set("acme", {"plan": "pro"})
    profiles.compact(keep=1)
    with pytest.raises(CompactedError, match="what their groups were then"):
        tk.segmentation(log("acme"), profiles, "View", by=PLAN, at="event time")


# -- counting groups ----------------------------------------------------------------------


def test_GROUP_5_reports_count_groups_in_place_of_users() -> None:
    profiles = companies()
    events = log("acme", ["acme", "hooli"], "acme", None, ids=["ann", "bob", "ann", "cy"])
    of_groups = events.by_group("company")
    table = profiles.groups("company")
    unique = tk.segmentation(of_groups, table, "View", measure="unique", by=user["plan"], unit=None)
    assert unique.table.to_dict("list") == {"user.plan": ["free", "pro"], "count": [1, 1]}
    assert unique.users(segment="pro") == ["acme"]
    total = tk.segmentation(of_groups, table, "View", unit=None).table
    assert total["count"].tolist() == [5]
    both = tk.segmentation(of_groups, table, "View", measure="unique", by=PLAN, unit=None).table
    assert dict(zip(both["company.plan"], both["count"], strict=True)) == {"free": 1, "pro": 1}
    assert of_groups.frame["distinct_id"].tolist() == ["ann", "bob", "bob", "ann", "cy"]
    assert repr(tk.match(of_groups, table)).startswith("4 of 5 events (2 of 2 distinct IDs)")


def test_GROUP_5_funnels_and_retention_follow_a_group_whoever_acts() -> None:
    frame = pd.DataFrame(
        {
            "event": ["Sign Up", "Buy", "Sign Up", "Buy"],
            "distinct_id": ["ann", "bob", "cy", "cy"],
            "time": pd.date_range("2026-05-01", periods=4, tz="UTC"),
            "company": ["acme", "acme", "hooli", "pied"],
        }
    )
    events = Events(frame)
    table = companies().groups("company")
    steps = ["Sign Up", "Buy"]
    assert tk.funnel(events, table, steps).table["count"].tolist() == [2, 1]
    by_group = tk.funnel(events.by_group("company"), table, steps)
    assert by_group.table["count"].tolist() == [2, 1]
    assert by_group.users(step=2) == ["acme"]
    assert events.by_group("company").by_group("company").ids.texts.to_pylist() == [
        "acme",
        "hooli",
        "pied",
    ]


# -- what is refused ----------------------------------------------------------------------


def test_what_cannot_be_joined_is_refused_with_what_to_do() -> None:
    events = log(["acme", "hooli"])
    with pytest.raises(JoinError, match="needs profiles, and profiles is None"):
        tk.segmentation(events, None, "View", by=PLAN)
    with pytest.raises(JoinError, match="needs the ProfileTable itself"):
        view = companies().where(user["plan"] == "of ann")
        tk.segmentation(events, view, "View", by=PLAN)
    with pytest.raises(EventsError, match='no column "team" for the groups of the events'):
        tk.segmentation(events, companies(), "View", by=group("team")["plan"])
    with pytest.raises(EventsError, match='no column "team"'):
        tk.match(events, companies(), group="team")
    with pytest.raises(EventsError, match="not a group key"):
        events.by_group("time")
    with pytest.raises(ReportError, match="hidden"):
        tk.segmentation(events, companies(), "View", by=group("company")["$bucket"])
    with pytest.raises(ReportError, match="has the same breakdown twice"):
        tk.segmentation(events, companies(), "View", by=[PLAN, PLAN])
    with pytest.raises(ReportError, match="hold="):
        tk.funnel(events, companies(), ["View", "View"], hold=[PLAN])


def test_a_report_says_what_no_group_has_and_what_never_meets() -> None:
    report = tk.segmentation(
        log("acme"), companies(), "View", by=group("company")["plam"], where=PLAN == 5, unit=None
    )
    assert any('No profile of a company has a property "plam"' in note for note in report.notes)
    assert any('group("company")["plan"] holds text and 5 is a number' in n for n in report.notes)


def test_no_event_is_no_trouble() -> None:
    events = Events(log("acme").frame.iloc[:0])
    assert counted(events, PLAN == "pro") == {}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert tk.join(events, companies(), PLAN).columns[-1] == "company.plan"
    assert len(events.by_group("company")) == 0
    assert repr(tk.match(events, companies(), group="company")).startswith("0 of 0 events")


# -- beside cohorts -----------------------------------------------------------------------


def test_what_users_did_stands_beside_their_groups() -> None:
    events = log("acme", ["acme", "hooli"], "acme", None, "7", ids=["a", "b", "a", "c", "b"])
    did = tk.did("View", where=PLAN == "free")
    cohort = tk.cohort(events, companies(), did)
    assert list(cohort) == ["b"]
    assert counted(events, cohort) == {"pro": 1, "free": 1, "(not set)": 1}
    assert number(events, cohort & (PLAN == "pro")) == 1
    # b viewed twice, and its last company has one seat.
    assert number(events, tk.times_did("View") > group("company")["seats"]) == 1
    with pytest.raises(ReportError, match="property of the groups of one event"):
        tk.cohort(events, companies(), PLAN == "pro")


def test_the_report_builder_offers_groups_and_writes_the_call() -> None:
    events, profiles = log("acme", ["acme", "hooli"]), companies()
    state = ReportBuilderState(profiles, events, delay=0.0)
    assert state.choices.properties["company.plan"].label == "company: plan"
    assert set(state.choices.about(PLAN).values) == {"pro", "free"}
    assert state.choices.about(group("company")["seats"]).type == "number"
    state.fields["event"].raw = "View"
    state.fields["by"].raw = ["company.plan"]
    state.filter.show('group("company")["seats"] > 5')
    assert state.wait(20) and state.error == ""
    assert state.report is not None
    assert set(state.report.table["company.plan"]) == {"pro", "free"}
    assert "from toolkit import group\n" in state.python
    assert 'group("company")["plan"]' in state.python
    assert 'group("company")["seats"] > 5' in state.python


def test_groups_that_no_event_names_are_not_offered() -> None:
    frame = log("acme").frame.drop(columns="company")
    state = ReportBuilderState(companies(), Events(frame), delay=0.0)
    assert "company.plan" not in state.choices.properties
    assert state.wait(20)


# -- measures and reports on profiles -----------------------------------------------------


def test_a_property_of_the_one_group_of_an_event_is_measured() -> None:
    seats = group("company")["seats"]
    asked = {"measure": "sum", "of": seats, "unit": None}
    report = tk.segmentation(log("acme", "hooli", None, "acme"), companies(), "View", **asked)
    assert report.table["value"].tolist() == [110]
    with pytest.raises(ReportError, match="several groups of company"):
        tk.segmentation(log(["acme", "hooli"]), companies(), "View", **asked)


def test_a_report_on_groups_is_of_their_table() -> None:
    table = companies().groups("company")
    found = tk.profile_report(table, by=PLAN).table
    assert dict(zip(found["company.plan"], found["count"], strict=True)) == {
        "pro": 2,
        "free": 1,
        "(not set)": 1,
    }
    with pytest.raises(ReportError, match=r'profiles\.groups\("company"\)'):
        tk.profile_report(companies(), by=PLAN)


def test_numbers_of_groups_fall_in_ranges() -> None:
    by = tk.bucket(group("company")["seats"], [0, 50, 100])
    table = tk.segmentation(
        log("acme", ["acme", "7"], ["acme", "hooli"], None), companies(), "View", by=by, unit=None
    ).table
    assert table["count"].tolist() == [3, 1, 1]
