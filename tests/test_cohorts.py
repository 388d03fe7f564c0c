"""Cohorts: who is in them, as a filter and a breakdown of every report, saved and found again."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st

import toolkit as tk
from tests.effort import examples
from toolkit import event, user
from toolkit.base import errors
from toolkit.expressions import parse

SHOP = pd.DataFrame(
    [
        ("Buy", "ann", "2026-05-01T10:00Z", 10),
        ("Buy", "ann", "2026-05-20T10:00Z", 20),
        ("Buy", "ann", "2026-05-31T10:00Z", None),
        ("Buy", "bob", "2026-05-01T10:00Z", 5),
        ("View", "bob", "2026-05-31T10:00Z", None),
        ("View", "guest", "2026-05-15T00:00Z", None),
    ],
    columns=["event", "distinct_id", "time", "amount"],
)


@pytest.fixture
def profiles() -> tk.ProfileTable:
    table = tk.ProfileTable()
    for key, plan in {"ann": "pro", "bob": "free", "cem": "pro"}.items():
        table.set(key, {"plan": plan})
    return table


def ids(profiles: Any, definition: Any, **options: Any) -> list[str]:
    return list(tk.cohort(SHOP, profiles, definition, **options))


# -- who is in it -------------------------------------------------------------------------


def test_COHORT_1_all_with_a_profile_or_an_event_are_asked(profiles: tk.ProfileTable) -> None:
    found = tk.cohort(SHOP, profiles, tk.did("Buy", at_most=0))
    assert list(found) == ["cem", "guest"]
    assert found.among == 4
    assert ids(profiles, user["plan"] == "pro") == ["ann", "cem"]
    # Undefined is not true: guest has no plan.
    assert ids(profiles, user["plan"] != "pro") == ["bob"]
    assert ids(profiles, ~(user["plan"] == "pro")) == ["bob", "guest"]
    assert ids(profiles, user["$mp_first_event_time"].is_set()) == ["ann", "bob", "guest"]


@pytest.mark.parametrize(
    ("condition", "found"),
    [
        (tk.did("Buy"), ["ann", "bob"]),
        (tk.did("Buy", at_least=2), ["ann"]),
        (tk.did("Buy", exactly=1), ["bob"]),
        (tk.did("Buy", at_least=1, at_most=2), ["bob"]),
        (tk.did(None, at_least=1), ["ann", "bob", "guest"]),
        (tk.did("Buy", where=event["amount"] > 9), ["ann"]),
        (tk.did("Buy", where=user["plan"] == "free"), ["bob"]),
        (tk.total_of("amount", "Buy") >= 30, ["ann"]),
        (tk.total_of("amount", "Buy") == 0, ["cem", "guest"]),
        (tk.times_did("Buy") > tk.times_did("View"), ["ann"]),
        (tk.did("View") & ~tk.did("Buy"), ["guest"]),
        ((user["plan"] == "pro") & tk.did("Buy", at_most=0), ["cem"]),
    ],
)
def test_COHORT_1_what_users_did_is_a_condition_like_others(
    profiles: tk.ProfileTable, condition: Any, found: list[str]
) -> None:
    assert ids(profiles, condition) == found
    assert ids(profiles, condition.text) == found
    assert parse(condition.text).same_as(condition)
    names = {"user": user, "event": event, "did": tk.did, "literal": tk.expressions.literal}
    names |= {"times_did": tk.times_did, "total_of": tk.total_of}
    assert eval(condition.python, names).same_as(condition)


@pytest.mark.parametrize(
    ("within", "found"),
    [
        # The last event of all is on 31 May at 10:00; both ends count.
        ("0d", ["ann"]),
        ("11d", ["ann"]),
        ("30d", ["ann", "bob"]),
        (timedelta(days=30), ["ann", "bob"]),
        ("719h", ["ann"]),
        (("2026-05-01", "2026-05-01"), ["ann", "bob"]),
        ((date(2026, 5, 2), date(2026, 5, 19)), []),
        (("2026-05-01T10:00:01Z", "2026-05-20T10:00:00Z"), []),
        (("2026-05-01T10:00:01Z", "2026-05-20T10:00:01Z"), ["ann"]),
    ],
)
def test_COHORT_2_the_last_days_end_at_the_last_event(
    profiles: tk.ProfileTable, within: Any, found: list[str]
) -> None:
    assert ids(profiles, tk.did("Buy", within=within)) == found


def test_COHORT_2_now_is_another_moment_and_nothing_later_counts(
    profiles: tk.ProfileTable,
) -> None:
    assert ids(profiles, tk.did("Buy", at_least=2), now="2026-05-20") == ["ann"]
    assert ids(profiles, tk.did("Buy", at_least=2), now="2026-05-20T09:00Z") == []
    assert ids(profiles, tk.did("Buy", within="19d"), now="2026-05-20T10:00Z") == ["ann", "bob"]
    period = ("2026-05-01", "2026-05-31")
    three = tk.did("Buy", at_least=3, within=period)
    assert ids(profiles, three) == ["ann"]
    assert ids(profiles, three, now="2026-05-21") == []


def test_COHORT_3_who_is_in_it_stays(profiles: tk.ProfileTable) -> None:
    paying = tk.cohort(SHOP, profiles, user["plan"] == "pro", name="Paying")
    profiles.set("ann", {"plan": "free"})

    assert list(paying) == ["ann", "cem"]
    assert list(profiles.where(paying)) == ["ann", "cem"]
    report = tk.segmentation(SHOP, profiles, "Buy", where=paying, unit=None, at="event time")
    assert report.table["count"].tolist() == [3]


# -- as a filter and a breakdown ----------------------------------------------------------


def test_COHORT_4_as_a_breakdown_it_has_two_segments(profiles: tk.ProfileTable) -> None:
    buyers = tk.cohort(SHOP, profiles, tk.did("Buy", at_least=2), name="Regulars")

    table = tk.segmentation(SHOP, profiles, None, by=buyers, unit=None).table

    assert list(table.columns) == ["user.cohort", "count"]
    assert table["user.cohort"].tolist() == ["In Regulars", "Not in Regulars"]
    assert table["count"].tolist() == [3, 3]


def test_COHORT_4_two_of_one_name_are_refused(profiles: tk.ProfileTable) -> None:
    first, second = tk.cohort_of(["ann"], "A"), tk.cohort_of(["ann", "bob"], "A")
    with pytest.raises(errors.ReportError, match=r'two cohorts called "A".*named'):
        tk.segmentation(SHOP, profiles, None, by=[first, second], unit=None)
    by = [first, second.named("B")]
    report = tk.segmentation(SHOP, profiles, None, by=by, unit=None, measure="unique")
    for row, value in enumerate(report.table["count"]):
        assert len(report.users(**report.cell(row))) == value


def test_COHORT_4_of_several_each_is_judged_alone(profiles: tk.ProfileTable) -> None:
    buyers = tk.cohort(SHOP, profiles, tk.did("Buy"), name="A")
    viewers = tk.cohort(SHOP, profiles, tk.did("View"), name="B")

    report = tk.segmentation(
        SHOP, profiles, None, by=[buyers, viewers], unit=None, measure="unique"
    )

    assert dict(zip(report.table["user.cohort"], report.table["count"], strict=True)) == {
        "In A": 2,
        "Not in A": 1,
        "In B": 2,
        "Not in B": 1,
    }
    assert report.users(segment="Not in B") == ["ann"]
    crossed = tk.segmentation(SHOP, profiles, "Buy", by=[buyers, user["plan"]], unit=None).table
    assert crossed.to_numpy().tolist() == [["In A", "pro", 3], ["In A", "free", 1]]


def test_COHORT_4_events_without_an_id_are_not_in_it() -> None:
    df = SHOP.assign(distinct_id=["ann", None, None, "bob", "bob", "guest"])
    found = tk.cohort_of(["ann"], "Ann")

    table = tk.segmentation(df, None, None, by=found, unit=None).table

    assert table["count"].tolist() == [1, 5]
    assert tk.segmentation(df, None, None, where=~found, unit=None).table["count"][0] == 5


@pytest.mark.parametrize("at", ["latest", "event time"])
def test_every_report_takes_a_cohort_as_filter_and_breakdown(
    profiles: tk.ProfileTable, at: Any
) -> None:
    found = tk.cohort(SHOP, profiles, tk.did("Buy"), name="Buyers")
    makers = [
        lambda **how: tk.segmentation(SHOP, profiles, None, measure="unique", **how),
        lambda **how: tk.funnel(SHOP, profiles, ["Buy", "View"], window="60d", **how),
        lambda **how: tk.funnel(SHOP, profiles, ["Buy", "View"], count="total", **how),
        lambda **how: tk.retention(SHOP, profiles, birth=None, **how),
        lambda **how: tk.frequency(SHOP, profiles, birth=None, **how),
        lambda **how: tk.lifecycle(SHOP, profiles, unit="day", **how),
    ]
    for make in makers:
        everyone = set(make(at=at).users())
        report = make(by=found, at=at)
        segments = set(report.table["user.cohort"])
        assert segments <= {"In Buyers", "Not in Buyers"}
        inside = set(report.users(segment="In Buyers"))
        assert inside == everyone & {"ann", "bob"}
        assert set(make(where=found, at=at).users()) == inside
        assert set(make(where=~found, at=at).users()) == everyone - inside
        # The same without making the cohort first.
        assert set(make(where=tk.did("Buy"), at=at).users()) == inside
        report.plot()


def test_a_cohort_joins_other_conditions(profiles: tk.ProfileTable) -> None:
    a = tk.cohort_of(["ann", "bob"], "A")
    b = tk.cohort_of(["bob", "cem", "zoe"], "B")

    assert ids(profiles, a & b) == ["bob"]
    assert ids(profiles, a | b) == ["ann", "bob", "cem"]  # zoe is nowhere
    assert ids(profiles, a & ~b) == ["ann"]
    assert ids(profiles, ~a) == ["cem", "guest"]
    report = tk.segmentation(SHOP, profiles, "Buy", where=a & (event["amount"] > 9), unit=None)
    assert report.users() == ["ann"]
    assert report.title == 'Buy: events, where cohort("A") and event["amount"] > 9'


def test_users_behind_a_cell_are_a_cohort(profiles: tk.ProfileTable) -> None:
    dropped = tk.funnel(SHOP, profiles, ["Buy", "View"], window="60d").users(step=2, dropped=True)

    found = tk.cohort_of(dropped, "Dropped")

    assert list(found) == ["ann"] and len(found) == 1
    assert "ann" in found and "bob" not in found and None not in found
    assert list(tk.cohort_of([7, 7.0, "08"], "Odd")) == ["08", "7"]


# -- what is said of it -------------------------------------------------------------------


def test_notes_say_what_one_should_know(profiles: tk.ProfileTable) -> None:
    df = SHOP.assign(time=SHOP["time"].str.removesuffix("Z"))
    hidden = df.assign(bucket=[1, None, None, None, None, None])
    found = tk.cohort(
        hidden, profiles, tk.did("Buuy", within="7d") | (user["plam"] == "pro") | tk.did("View")
    )

    said = " ".join(found.notes)
    assert 'No event is named "Buuy". Did you mean "Buy"?' in said
    assert 'No profile has a property "plam". Did you mean "plan"?' in said
    assert "7d counted back from the last event, 2026-05-31T10:00:00Z" in said
    assert "Times without a time zone are read as UTC." in said
    assert "Without a profile: 1 user of the cohort." in said
    assert (
        tk.cohort(hidden, profiles, tk.did("Buy")).notes[0].startswith("Hidden, because of a value")
    )


def test_all_text_is_escaped(profiles: tk.ProfileTable) -> None:
    bad = "<img src=x onerror=alert(1)>"
    shown = tk.cohort_of([bad], bad)._repr_html_()
    assert bad not in shown and "&lt;img" in shown


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda p: tk.cohort(SHOP, p, event["amount"] > 3), "is a property of one event"),
        (lambda p: tk.cohort(SHOP, p, user["plan"]), "is a value, not a condition"),
        (lambda p: tk.cohort(SHOP, p, tk.times_did("Buy")), "is a value, not a condition"),
        (lambda p: tk.cohort(None, p, tk.did("Buy")), "events is None"),
        (lambda p: tk.cohort(SHOP, None, user["plan"] == "pro"), "needs profiles"),
        (lambda p: tk.cohort(SHOP, p, 'cohort("Nobody")'), 'no cohort is saved as "Nobody"'),
        (lambda p: p.where(tk.did("Buy")), "counts events, and there are none here"),
        (lambda p: p.where('cohort("A")'), 'no cohort is saved as "A"'),
        (
            lambda p: (
                tk.segmentation(
                    SHOP, p, None, by=[tk.cohort_of(["a"], "A"), tk.cohort_of(["b"], "A")]
                ).table
            ),
            'two cohorts called "A"',
        ),
        (lambda p: tk.did("Buy", within="soon"), '"soon" is not a period'),
        (lambda p: tk.did("Buy", within=("2026-05-02", "2026-05-01")), "ends before it begins"),
        (lambda p: tk.did("Buy", at_least=-1), "not a number of times"),
        (lambda p: tk.did("Buy", at_least=1, exactly=2), "exactly= says it all"),
        (lambda p: tk.did(7), "an event is named by text"),
        (lambda p: tk.total_of(user["age"], "Buy"), "is not a property of the event"),
        (lambda p: tk.cohort_of("ann", "A"), "give a list"),
        (lambda p: tk.cohort_of(["ann"], " "), "give the name of a cohort as text"),
        (lambda p: tk.cohorts(p).save(["ann"]), "is not a cohort"),
        (lambda p: tk.cohorts([]), "saved with a ProfileTable"),
    ],
)
def test_what_cannot_be_is_refused_with_what_can(
    profiles: tk.ProfileTable, make: Any, said: str
) -> None:
    with pytest.raises(errors.ToolkitError, match=said):
        len(make(profiles))


@pytest.mark.parametrize(
    ("text", "caret"),
    [
        ("times_did(Buy) > 1", 10),
        ('times_did("Buy", 30) > 1', 17),
        ('times_did("Buy", "x") > 1', 17),
        ('total_of("Buy") > 1', 14),
        ("cohort(user)", 7),
        ('cohort("A", 1)', 10),
    ],
)
def test_an_error_of_the_text_points_at_the_place(text: str, caret: int) -> None:
    with pytest.raises(errors.ExpressionError) as refused:
        parse(text)
    shown, mark = str(refused.value).splitlines()[-2:]
    assert mark.index("^") - (len(shown) - len(shown.lstrip())) == caret


# -- saved --------------------------------------------------------------------------------


def test_a_saved_cohort_is_there_in_another_session(tmp_path: Path) -> None:
    with tk.ProfileTable(tmp_path / "shop.db") as profiles:
        profiles.set("ann", {"plan": "pro"})
        made = tk.cohort(SHOP, profiles, (user["plan"] == "pro") & tk.did("Buy"), name="Regulars")
        tk.cohorts(profiles).save(made)
        tk.cohorts(profiles)["Friends"] = tk.cohort_of(["bob", "d\"e'é"], "any")
    with tk.ProfileTable(tmp_path / "shop.db") as profiles:
        saved = tk.cohorts(profiles)
        assert list(saved) == ["Regulars", "Friends"]
        found = saved["Regulars"]
        assert (list(found), repr(found), found.notes) == (list(made), repr(made), made.notes)
        assert found.condition is not None and made.condition is not None
        assert found.condition.same_as(made.condition)
        assert saved["Friends"].name == "Friends" and "d\"e'é" in saved["Friends"]
        text = 'cohort("Regulars") and event["amount"] > 10'
        report = tk.segmentation(SHOP, profiles, "Buy", where=text, unit=None)
        assert report.table["count"].tolist() == [1]
        del saved["Friends"]
        assert list(saved) == ["Regulars"]
        with pytest.raises(KeyError):
            saved["Friends"]


# -- independently ------------------------------------------------------------------------

_days = st.integers(0, 60).map(lambda half: pd.Timestamp("2026-02-01") + half * timedelta(hours=12))


@settings(deadline=None, max_examples=examples(80))
@given(
    log=st.lists(
        st.tuples(
            st.sampled_from(["A", "B"]),
            st.sampled_from(["x", "y", "z", "it's"]),
            _days,
            st.one_of(st.none(), st.integers(-5, 50)),
        ),
        max_size=20,
    ),
    plans=st.dictionaries(st.sampled_from(["x", "y", "w"]), st.sampled_from(["p", "q"])),
    days=st.integers(0, 20),
    least=st.integers(0, 3),
)
def test_random_cohorts_are_those_of_SQL(
    log: Any, plans: dict[str, str], days: int, least: int
) -> None:
    df = pd.DataFrame(log, columns=["event", "distinct_id", "time", "amount"])
    df = df.astype({"event": "str", "distinct_id": "str", "amount": "Int64"})
    df["time"] = pd.to_datetime(df["time"])
    people = pd.DataFrame(  # noqa: F841
        list(plans.items()), columns=["id", "plan"], dtype="str"
    )
    profiles = tk.ProfileTable()
    for key, plan in plans.items():
        profiles.set(key, {"plan": plan})
    condition = tk.did("A", at_least=least, within=timedelta(days=days)) & (
        (user["plan"] == "p") | (tk.total_of("amount", None, where=event["amount"] > 0) >= 40)
    )

    found = list(tk.cohort(df, profiles, condition))

    wanted = duckdb.sql(
        f"""
        with everybody as (select distinct_id as id from df union select id from people),
        last as (select max(time) as moment from df)
        select id from everybody left join people using (id)
        where (select count(*) from df, last where df.distinct_id = id and event = 'A'
               and time >= moment - interval {days} day) >= {least}
          and (coalesce(plan = 'p', false)
               or (select coalesce(sum(amount), 0) from df
                   where df.distinct_id = id and amount > 0) >= 40)
        order by id
        """
    ).fetchall()
    assert found == [key for (key,) in wanted]


def test_the_sample_gives_what_SQL_says() -> None:
    files = tk.sample_files()
    df = pd.read_parquet(files["events"])
    people = pd.read_csv(files["profiles"], dtype="str", keep_default_na=False)  # noqa: F841
    profiles = tk.ProfileTable()
    tk.import_csv(profiles, files["profiles"], tk.preview_csv(files["profiles"]).mapping)
    condition = (user["plan"] == "pro") & tk.did("Purchase", at_least=3, within="60d")

    found = tk.cohort(df, profiles, condition, now="2026-06-30")

    wanted = duckdb.sql(
        """
        select distinct_id from df join people using (distinct_id)
        where event = 'Purchase' and plan = 'pro' and
            epoch_us(time) >= epoch_us(timestamp '2026-07-01') - 1 - 60::bigint * 86400000000
        group by distinct_id having count(*) >= 3 order by 1
        """
    ).fetchall()
    assert list(found) == [key for (key,) in wanted]
    assert len(found) > 20


def test_flows_take_a_cohort_too(profiles: tk.ProfileTable) -> None:
    found = tk.cohort_of(["ann"], "Ann")

    assert tk.flows(SHOP, profiles, "Buy", where=found).users() == ["ann"]
    by = tk.flows(SHOP, profiles, "Buy", by=found)
    assert set(by.table["user.cohort"]) == {"In Ann", "Not in Ann"}
    assert by.users(segment="Not in Ann") == ["bob"]


def test_COHORT_1_hidden_and_later_events_make_nobody_a_user(profiles: tk.ProfileTable) -> None:
    df = pd.DataFrame(
        {
            "event": "View",
            "distinct_id": ["ann", "hid", "odd", "new"],
            "time": ["2026-05-01", "2026-05-01", "soon", "2026-06-01"],
            "$bucket": [None, "x", None, None],
        }
    )
    nobody = tk.did("Buy", at_most=0)

    assert list(tk.cohort(df, None, nobody)) == ["ann", "new"]
    before = tk.cohort(df, profiles, nobody, now="2026-05-10")
    assert list(before) == ["ann", "bob", "cem"] and before.among == 3


def test_ids_that_are_missing_are_left_out_and_noted() -> None:
    found = tk.cohort_of(["ann", None, float("nan")], "A")

    assert list(found) == ["ann"]
    assert found.notes == ["Left out, because there is no distinct ID: 2 values."]


def test_profiles_know_the_cohorts_saved_beside_them(profiles: tk.ProfileTable) -> None:
    tk.cohorts(profiles).save(tk.cohort_of(["ann"], "A"))

    assert list(profiles.where('cohort("A") or user["plan"] == "free"')) == ["ann", "bob"]
