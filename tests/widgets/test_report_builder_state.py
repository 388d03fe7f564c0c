"""The report builder without a browser: questions, answers, users, and what goes wrong."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
import pytest

import toolkit as tk
from tests.moments import START
from toolkit import event, user
from toolkit.base.errors import ArgumentError, ReportError
from toolkit.forms.report import state as report_builder_state
from toolkit.forms.report.state import ReportBuilderState
from toolkit.reports import Report
from toolkit.reports.drawing import plots
from toolkit.reports.form import fields
from toolkit.reports.form.declared import DECLARED

XSS = "<img src=x onerror=alert(1)>"

DF = pd.DataFrame(
    {
        "event": ["View", "Buy", "Buy", "Buy", "Buy"],
        "distinct_id": ["ann", "ann", "bob", "eve", "nobody"],
        "time": ["2026-05-01T10:00Z"] * 3 + ["2026-05-02T10:00Z", "2026-05-03T22:30Z"],
        "item": ["tea", "tea", "jam", "=1+1", XSS],
        "amount": [None, 10.0, 20.0, 5.0, 1.0],
    }
)


@pytest.fixture
def profiles() -> tk.ProfileTable:
    table = tk.ProfileTable()
    table.apply(
        [
            {"$distinct_id": "ann", "$set": {"plan": "pro", "$name": "Ann Lee", "age": 30}},
            {"$distinct_id": "bob", "$set": {"plan": "free", "$name": XSS}},
            {"$distinct_id": "eve", "$set": {"plan": "pro"}},
        ]
    )
    return table


Build = Callable[..., ReportBuilderState]


@pytest.fixture
def build(profiles: tk.ProfileTable) -> Iterator[Build]:
    made: list[ReportBuilderState] = []

    def make(events: Any = DF, people: Any = profiles, **options: Any) -> ReportBuilderState:
        made.append(ReportBuilderState(people, events, **{"delay": 0.0, **options}))
        return made[-1]

    yield make
    for each in made:
        each.cancel()
        assert each.wait(20)


def answered(state: ReportBuilderState) -> Report:
    assert state.wait(20)
    assert state.error == ""
    assert state.report is not None
    assert not state.is_old
    report: Report = state.report
    return report


def run(python: str, **names: Any) -> Report:
    """Run what is to be copied into a cell; return what its last line gives."""
    setup, call = python.rsplit("\n\n", 1)
    exec(setup, names)
    made: Report = eval(call, names)
    return made


# -- questions and answers ------------------------------------------------------------------


def test_a_report_is_there_from_the_start_and_follows_each_change(build: Build) -> None:
    state = build()
    assert answered(state).title == "Any event: events per day"
    state.fields["event"].raw = "Buy"
    state.fields["by"].raw = ["user.plan"]
    state.fields["unit"].raw = None
    assert answered(state).table.values.tolist() == [["pro", 2], ["free", 1], ["(not set)", 1]]
    assert state.picture is not None
    assert state.picture.png.startswith(b"\x89PNG")


@pytest.mark.parametrize(
    "chosen",
    [
        {},
        {"event": "Buy", "by": user["plan"], "measure": "unique", "unit": None},
        {"event": "Buy", "by": event["item"], "tz": "Europe/Oslo", "start": "2026-05-02"},
        {"where": (user["plan"] == "pro") & (event["amount"] >= 5), "unit": "hour"},
        {"where": f"event['item'] == '{XSS}'", "end": "2026-05-03", "unit": "week"},
        {"event": "Buy", "by": user["plan"], "at": "event time"},
    ],
)
def test_the_python_shown_makes_the_same_table(
    build: Build, profiles: tk.ProfileTable, chosen: dict[str, Any]
) -> None:
    state = build(names={"events": "df", "profiles": "people"})
    state.set(**chosen)
    report = answered(state)
    made = run(state.python, df=DF, people=profiles)
    pd.testing.assert_frame_equal(made.table, report.table)
    assert made.title == report.title


def test_rows_of_a_filter_count(build: Build) -> None:
    state = build()
    state.set(event="Buy", unit=None)
    state.filter.add("user.plan", "is", "pro")
    assert answered(state).table["count"].tolist() == [2]
    state.filter.add("event.amount", "<", "8")
    assert answered(state).table["count"].tolist() == [1]
    state.filter.join = "or"
    assert answered(state).table["count"].tolist() == [3]
    assert '(user["plan"] == "pro") | (event["amount"] < 8)' in state.python


def test_changes_in_quick_succession_are_answered_once(
    build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Any] = []
    monkeypatch.setitem(DECLARED, "Segmentation", noted(made))
    state = build(delay=0.15)
    for name in ("Buy", "View", "Buy", "View"):
        state.fields["event"].raw = name
        time.sleep(0.02)
    assert answered(state).definition["event"] == "View"
    assert [values["event"] for values in made] == ["View"]


def noted(made: list[Any]) -> fields.Declaration:
    """Return the declaration of segmentation, whose calls are noted."""
    from dataclasses import replace

    declared = DECLARED["Segmentation"]

    def function(events: Any, profiles: Any, event: Any, **options: Any) -> Report:
        made.append({"event": event, **options})
        return tk.segmentation(events, profiles, event, **options)

    return replace(declared, function=function)


def test_an_unknown_argument_or_report_is_refused(build: Build) -> None:
    state = build()
    with pytest.raises(ArgumentError, match="Segmentation has no colour=; it has event, measure"):
        state.set(colour="red")
    with pytest.raises(ArgumentError, match='no report "Sales"'):
        state.set("Sales")
    assert answered(state)


# -- what goes wrong --------------------------------------------------------------------------


def test_an_error_stands_beside_its_field_and_nothing_typed_is_lost(build: Build) -> None:
    state = build()
    answered(state)
    before = state.report
    state.fields["start"].raw = "1.5.2026"
    state.fields["tz"].raw = "Oslo"
    assert state.fields["start"].error == '"1.5.2026" is not a date; write 2026-01-31.'
    assert "is not a time zone" in state.fields["tz"].error
    assert state.fields["start"].raw == "1.5.2026"
    assert state.python == ""
    assert state.wait(20)
    assert state.report is before
    assert state.is_old
    state.fields["start"].raw = "2026-05-02"
    state.fields["tz"].raw = "Europe/Oslo"
    assert [each.error for each in state.fields.values()] == [""] * len(state.fields)
    answered(state)


@pytest.mark.parametrize("name", ["Segmentation", "Profiles"])
def test_a_top_without_a_breakdown_is_refused_in_the_words_of_the_form(
    build: Build, name: str
) -> None:
    state = build()
    state.set(name, top=2)
    assert state.wait(20)
    assert state.error == (
        "Top segments needs a breakdown, and the report has none (Break down by: nothing)."
    )


def test_what_the_report_refuses_stands_beside_the_field_it_names(build: Build) -> None:
    state = build()
    state.set(start="2026-05-03", end="2026-05-01")
    assert state.wait(20)
    assert state.fields["start"].error == "From 2026-05-03 is not before To 2026-05-01."
    assert state.error == state.fields["start"].error  # nothing else is where the answer was
    assert state.report is None
    assert state.python == ""
    state.fields["end"].raw = "2026-05-04"
    assert state.fields["start"].error == ""
    answered(state)


def test_a_message_names_fields_by_their_labels(
    build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refusing(*_: Any, **__: Any) -> Report:
        raise ReportError("too many rows; filter with where=, or choose a longer unit=")

    declared = made_up(
        "Refusing",
        refusing,
        fields.FilterField(name="where", label="Filter"),
        fields.unit_field("day"),
    )
    monkeypatch.setitem(DECLARED, "Refusing", declared)
    state = build()
    state.set("Refusing")
    assert state.wait(20)
    assert state.fields["unit"].error == (
        "Too many rows; filter with Filter, or choose a longer Unit."
    )


def test_what_the_report_refuses_without_naming_a_field_stands_above_the_answer(
    build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refusing(*_: Any, **__: Any) -> Report:
        raise ReportError("the moon is not full")

    monkeypatch.setitem(DECLARED, "Refusing", made_up("Refusing", refusing))
    state = build()
    state.set(by=user["$last_seen"], at="event time")
    assert state.wait(20)
    assert state.fields["at"].error == ('"$last_seen" has no past; use User properties "latest".')
    state.set("Refusing")
    assert state.wait(20)
    assert state.error == "The moon is not full."


def test_a_fault_in_a_report_is_told_and_not_lost(
    build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> Report:
        raise ZeroDivisionError("division by zero")

    monkeypatch.setitem(DECLARED, "Broken", made_up("Broken", broken))
    state = build()
    state.set("Broken")
    assert state.wait(20)
    assert state.job.failure is not None
    assert state.job.failure.words == "ZeroDivisionError: division by zero"
    assert (state.error, state.message) == ("", "The report could not be made.")


def test_the_text_of_a_filter_is_checked(build: Build) -> None:
    state = build()
    answered(state)
    state.filter.use("text")
    state.filter.text = "user['plan'] = 'pro'"
    assert state.filter.error
    assert state.python == ""
    state.filter.text = "user['plan'] == 'pro'"
    assert answered(state).definition["where"] == 'user["plan"] == "pro"'


# -- nothing to see ---------------------------------------------------------------------------


def test_without_events_profiles_or_matches_it_says_so(build: Build) -> None:
    no_events = build(DF[:0])
    assert no_events.wait(20)
    assert no_events.message == "There are no events, so there is nothing to count."
    assert no_events.notices == ["There are no events, so every report is empty."]
    no_profiles = build(DF, None)
    assert answered(no_profiles)
    assert no_profiles.notices == ["There are no profiles, so users have no properties to choose."]
    assert "None" in no_profiles.python.splitlines()[-1]
    nothing = build()
    nothing.filter.add("event.item", "is", "coffee")
    assert answered(nothing).is_empty
    assert nothing.message.startswith("Nothing matches. Loosen the filter")
    nothing.set("Profiles", where=user["plan"] == "none")
    assert answered(nothing).is_empty
    assert nothing.message == "Nothing matches. Loosen the filter, or choose another property."
    nobody = build(None, tk.ProfileTable())
    assert answered(nobody).is_empty
    assert nobody.message == "There are no profiles, so there is nothing to count."
    nothing.set("Segmentation")
    nothing.filter.clear()
    answered(nothing)
    assert nothing.message == ""


def test_without_any_events_there_are_reports_on_profiles_alone(build: Build) -> None:
    state = build(None)
    assert list(state.declarations) == ["Profiles"]
    state.set(by=user["plan"])
    table = answered(state).table
    assert table["count"].sum() == 3
    assert run(state.python, profiles=state.profiles).table.equals(table)


def test_without_events_and_profiles_there_is_no_report_to_choose(build: Build) -> None:
    state = build(None, None)
    assert state.message == "There are no events. Give the builder events to report on."
    assert state.wait(1)


# -- users ------------------------------------------------------------------------------------


def test_a_row_of_the_table_leads_to_its_users(build: Build) -> None:
    state = build()
    state.set(event="Buy", by=user["plan"], unit=None)
    answered(state)
    state.pick_row(0)
    assert state.wait(20)
    assert state.users == ["ann", "eve"]
    assert state.users_of == "segment pro"
    assert state.titled(state.users) == ["Ann Lee", "eve"]
    state.pick_row(2)
    assert state.wait(20)
    assert state.users == ["nobody"]
    assert state.titled(state.users) == ["nobody"]


def test_a_place_in_the_chart_leads_to_its_users(build: Build) -> None:
    state = build()
    state.set(event="Buy", by=user["plan"])
    answered(state)
    picture = state.picture
    assert picture is not None
    for place in range(len(picture.spots)):
        x, y = picture.spots.boxes[place][:2]
        state.pick_place(float(x), float(y))
        assert state.wait(20)
        assert state.cell is not None
        assert state.users == state.report.users(**state.cell)  # type: ignore[union-attr]
    before = state.cell
    state.pick_place(0.99, 0.01)  # the margin
    assert state.cell == before


def test_segments_drawn_as_one_have_no_users_to_show(build: Build) -> None:
    names = [f"s{n:02d}" for n in range(20)]
    df = pd.DataFrame({"event": "Buy", "distinct_id": names, "time": START, "x": names})
    state = build(df)
    state.set(by=event["x"], unit=None)
    answered(state)
    spots = state.picture.spots  # type: ignore[union-attr]
    place = next(at for at in range(len(spots)) if spots.cell(at) is None)
    left, top, right, bottom = spots.boxes[place]
    state.pick_place(float(left + right) / 2, float(top + bottom) / 2)
    assert state.users_error.startswith("Several segments are drawn as one")
    assert state.users == []


def test_users_of_the_question_before_are_gone_with_it(build: Build) -> None:
    state = build()
    answered(state)
    state.pick_row(0)
    assert state.wait(20)
    assert state.users == ["ann", "bob"]
    state.set(event="View")
    answered(state)
    assert (state.users, state.cell, state.users_of) == ([], None, "")


def test_users_need_a_report(build: Build) -> None:
    state = build(None)
    for do in (lambda: state.pick_row(0), lambda: state.pick({}), state.png, state.csv):
        with pytest.raises(ArgumentError, match="there is no report yet"):
            do()


# -- what is kept -----------------------------------------------------------------------------


def test_the_table_is_kept_with_its_formulas_defused(build: Build, tmp_path: Any) -> None:
    state = build()
    state.set(event="Buy", by=event["item"], unit=None)
    answered(state)
    path = state.save(tmp_path / "table.csv")
    kept = pd.read_csv(path)
    assert kept.columns.tolist() == ["event.item", "count"]
    assert set(kept["event.item"]) == {"tea", "jam", "'=1+1", XSS}
    picture = state.save(tmp_path / "chart.png").read_bytes()
    assert picture.startswith(b"\x89PNG")
    with pytest.raises(ArgumentError, match="ends neither in"):
        state.save(tmp_path / "chart.jpg")


def test_the_users_are_kept_with_their_titles(build: Build) -> None:
    state = build()
    state.set(event="Buy", unit=None)
    answered(state)
    state.pick_row(0)
    assert state.wait(20)
    kept = pd.read_csv(io.BytesIO(state.users_csv()))
    assert kept.values.tolist() == [
        ["ann", "Ann Lee"], ["bob", XSS], ["eve", "eve"], ["nobody", "nobody"]
    ]  # fmt: skip


# -- light and dark, old and new ------------------------------------------------------------


def test_the_chart_follows_the_page(build: Build) -> None:
    state = build()
    answered(state)
    light = state.picture
    state.dark = True
    assert state.wait(20)
    dark = state.picture
    assert light is not None and dark is not None
    assert light.png != dark.png
    assert dark.png == plots.as_png(state.report.plot, dark=True)  # type: ignore[union-attr]


def test_refresh_asks_of_the_profiles_as_they_are_now(
    build: Build, profiles: tk.ProfileTable
) -> None:
    state = build()
    state.set(event="Buy", by=user["plan"], unit=None)
    assert answered(state).table["count"].tolist() == [2, 1, 1]
    profiles.set("bob", {"plan": "pro", "city": "Oslo"})
    assert "user.city" not in state.choices.properties
    state.refresh()
    assert answered(state).table["count"].tolist() == [3, 1]
    assert "user.city" in state.choices.properties


def test_reset_puts_every_field_back(build: Build) -> None:
    state = build()
    state.set(event="Buy", by=user["plan"], unit="week", where=user["age"] > 3)
    state.fields["start"].raw = "x"
    state.reset()
    assert answered(state).title == "Any event: events per day"
    assert state.python.endswith("tk.segmentation(events, profiles, None)")


# -- long work ----------------------------------------------------------------------------------


def test_cancelling_is_answered_at_once_and_the_next_question_comes_through(
    build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = threading.Event()

    def slow(events: Any, profiles: Any, *, event: Any = None, unit: Any = None) -> Report:
        if event == "View":
            assert go_on.wait(20)
        return tk.segmentation(events, profiles, event, unit=unit)

    event_field = fields.EventField(name="event", label="Event")
    monkeypatch.setitem(DECLARED, "Slow", made_up("Slow", slow, event_field))
    state = build()
    state.set("Slow")
    answered(state)
    state.fields["event"].raw = "View"
    while not state.job.running:
        time.sleep(0.01)
    began = time.monotonic()
    state.cancel()
    assert state.wait(5)
    assert time.monotonic() - began < 1
    assert state.message.startswith("Stopped.")
    assert state.is_old
    state.fields["event"].raw = "Buy"
    assert not state.wait(0.2)  # what was left behind has to end first
    go_on.set()
    assert answered(state).definition["event"] == "Buy"


def test_an_answer_that_comes_too_late_is_not_shown(
    build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow(events: Any, profiles: Any, *, event: Any = None) -> Report:
        time.sleep(0.3 if event == "View" else 0)
        return tk.segmentation(events, profiles, event)

    event_field = fields.EventField(name="event", label="Event")
    monkeypatch.setitem(DECLARED, "Slow", made_up("Slow", slow, event_field))
    state = build()
    state.set("Slow")
    shown: list[Any] = []
    state.observe(lambda change: shown.append(change.new.definition["event"]), "report")
    state.fields["event"].raw = "View"
    time.sleep(0.1)
    state.fields["event"].raw = "Buy"
    answered(state)
    time.sleep(0.4)
    assert shown[-1] == "Buy"
    assert "View" not in shown


# -- a report added later -------------------------------------------------------------------------


class Names(Report):
    """A made-up report: how often each event name occurs, and a weight for it."""

    def __init__(self, events: tk.Events, least: int, weight: float, of: Any, kind: str) -> None:
        self._events, self._kind = events, kind
        frame = events.frame
        names = frame["event"].value_counts()
        names = names[names >= least].sort_index()
        table = pd.DataFrame({"name": names.index.astype("str"), "count": names * weight})
        super().__init__("Names", {"of": of}, table.reset_index(drop=True), ["Made up."])

    def plot(self, ax: Any = None) -> Any:
        pairs = list(zip(self.table["name"], self.table["count"], strict=True))
        return plots.bars(
            ax, pairs, title=self.title, of="times", by="name", cell=lambda name: {"name": name}
        )

    def users(self, *, name: str | None = None) -> list[str]:
        frame = self._events.frame
        rows = frame if name is None else frame[frame["event"] == name]
        return sorted(set(rows["distinct_id"]))

    def cell(self, row: int) -> Mapping[str, Any]:
        return {"name": self.table["name"][row]}


def count_names(
    events: Any, least: int = 1, *, kind: str = "plain", weight: float = 1, of: Any = None
) -> Names:
    if least == 13:
        raise ReportError(f"weight={weight} brings bad luck with 13")
    return Names(tk.Events(events) if isinstance(events, pd.DataFrame) else events,
                 least, weight, of, kind)  # fmt: skip


def made_up(title: str, function: Any, *declared: fields.Field) -> fields.Declaration:
    return fields.Declaration(
        title=title, function=function, call=f"{function.__name__}", fields=declared
    )


NAMES = fields.Declaration(
    title="Names",
    function=count_names,
    call="count_names",
    about="How often each event name occurs.",
    inputs=("events",),
    imports=(f"from {__name__} import count_names",),
    fields=(
        fields.NumberField(
            name="least", label="At least", default=1, least=1, is_whole=True, is_positional=True
        ),
        fields.ChoiceField(
            name="kind",
            label="Kind",
            default="plain",
            options=(("Plain", "plain"), ("Weighted", "weighted")),
        ),
        fields.NumberField(name="weight", label="Weight", default=1, when=("kind", ("weighted",))),
        fields.PropertyField(name="of", label="Of", most=2),
    ),
)


def test_a_report_that_is_declared_appears_and_works(
    build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(DECLARED, "Names", NAMES)
    state = build()
    assert list(state.declarations)[-1] == "Names"
    state.set(event="Buy", by=user["plan"])
    state.report_name = "Names"
    assert list(state.fields) == ["least", "kind", "weight", "of"]
    assert answered(state).table["count"].tolist() == [4, 1]
    assert not state.fields["weight"].shown
    state.fields["least"].raw = "2"
    assert answered(state).table.values.tolist() == [["Buy", 4]]
    state.fields["kind"].raw = "weighted"
    assert state.fields["weight"].shown
    state.fields["weight"].raw = "0.5"
    state.fields["of"].raw = ["user.plan", "event.item"]
    report = answered(state)
    assert report.table["count"].tolist() == [2.0]
    made = run(state.python, events=DF)
    pd.testing.assert_frame_equal(made.table, report.table)
    assert [each.text for each in made.definition["of"]] == ['user["plan"]', 'event["item"]']
    state.pick_row(0)
    assert state.wait(20)
    assert state.users == ["ann", "bob", "eve", "nobody"]
    state.fields["least"].raw = "none"
    assert state.fields["least"].error == '"none" is not a whole number; write 7.'
    state.fields["least"].raw = "13"
    assert state.wait(20)
    assert state.fields["weight"].error == "Weight 0.5 brings bad luck with 13."
    state.report_name = "Segmentation"
    assert answered(state).definition["event"] == "Buy"
    assert state.fields["by"].raw == ["user.plan"]


def test_reports_that_ask_alike_share_what_was_typed(
    build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    def other(events: Any, profiles: Any, *, start: Any, unit: Any, where: Any) -> Report:
        return tk.segmentation(events, profiles, None, start=start, unit=unit, where=where)

    declared = made_up(
        "Other",
        other,
        fields.RANGE[0],
        fields.unit_field("week"),
        fields.FilterField(name="where", label="Filter"),
    )
    monkeypatch.setitem(DECLARED, "Other", declared)
    state = build()
    state.set(start="2026-05-02", where=event["amount"] > 1, unit="hour")
    state.report_name = "Other"
    definition = answered(state).definition
    assert (definition["start"], definition["where"], definition["unit"]) == (
        "2026-05-02",
        'event["amount"] > 1',
        "hour",
    )


def test_the_form_knows_no_report_in_particular() -> None:
    from pathlib import Path

    for name in ("report_builder_state.py", "report_builder.py", "filter_state.py"):
        path = Path(report_builder_state.__file__).with_name(name)
        if path.exists():
            assert "segmentation" not in path.read_text().lower()


def test_a_million_rows_of_a_table_do_not_slow_the_answer(build: Build) -> None:
    number = 200_000
    df = pd.DataFrame(
        {
            "event": "Buy",
            "distinct_id": np.arange(number),
            "time": pd.Timestamp("2026-05-01", tz="UTC"),
            "item": np.arange(number).astype(str),
        }
    )
    state = build(df, None)
    state.set(by=event["item"], unit=None)
    assert state.wait(30)
    assert answered(state).table.shape == (number, 2)


def test_a_step_has_a_filter_of_its_own(build: Build, profiles: tk.ProfileTable) -> None:
    state = build()
    state.set("Funnel", steps=["View", tk.step("Buy", where=event["amount"] > 8)])

    report = answered(state)

    assert report.table["count"].tolist() == [1, 1]
    assert 'tk.step("Buy", where=event["amount"] > 8)' in state.python
    made = run(state.python, events=DF, profiles=profiles)
    pd.testing.assert_frame_equal(made.table, report.table)


def test_all_that_a_step_was_given_stays(build: Build) -> None:
    state = build()
    steps = ["View", tk.step("Buy", where=user["plan"] == "pro", name="Bought", anchored=True)]
    state.set("Funnel", steps=steps, order="any")

    answered(state)

    assert state.python.startswith("import toolkit as tk\nfrom toolkit import user\n")
    assert (
        'tk.step("Buy", where=user["plan"] == "pro", anchored=True, name="Bought")' in state.python
    )


def test_a_wrong_filter_of_a_step_is_told_beside_it(build: Build) -> None:
    state = build()
    state.set("Funnel", steps=["View", "Buy"])
    state.fields["steps"].raw = ["View", fields.FilteredEvent("Buy", is_right=False)]

    assert state.fields["steps"].error == "Correct the filter of Buy."
    assert state.python == ""


def test_the_first_event_of_retention_has_a_filter(build: Build) -> None:
    state = build()
    state.set("Retention", birth=tk.step("Buy", where=event["amount"] >= 10))

    report = answered(state)

    assert report.users() == ["ann", "bob"]


@pytest.mark.parametrize(
    ("typed", "python"),
    [
        ("2", "buckets=2"),
        ("0, 1-3, 4 – 7", "buckets=[(0, 0), (1, 3), (4, 7)]"),
        ("0-2", "buckets=[(0, 2)]"),
    ],
)
def test_buckets_are_a_number_or_brackets(
    build: Build, profiles: tk.ProfileTable, typed: str, python: str
) -> None:
    state = build()
    state.set("Retention", birth="Buy")
    state.fields["buckets"].raw = typed

    report = answered(state)

    assert python in state.python
    made = run(state.python, events=DF, profiles=profiles)
    pd.testing.assert_frame_equal(made.table, report.table)


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("some", '"some" is not a bucket; write how many there are, 8, or'),
        ("0", "0 buckets; there can be 1 to 10,000."),
        ("0, 3-1", "begins after the one before"),
    ],
)
def test_buckets_that_are_none_are_told_beside_the_field(
    build: Build, typed: str, said: str
) -> None:
    state = build()
    state.set("Retention", birth="Buy")
    state.fields["buckets"].raw = typed
    assert state.wait(20)

    assert said in state.fields["buckets"].error


def test_a_report_with_several_charts_draws_the_one_chosen(
    build: Build, profiles: tk.ProfileTable
) -> None:
    state = build()
    assert state.kind == ""
    state.set("Retention", birth="Buy")
    report = answered(state)
    curve, table = state.picture, report.table
    assert state.kind == "curve" and "plot" not in state.python

    state.kind = "triangle"

    assert state.report is report  # nothing is counted again
    assert state.picture is not None and curve is not None
    assert state.picture.png != curve.png
    names: dict[str, Any] = {"events": DF, "profiles": profiles}
    exec(state.python, names)
    assert state.python.endswith('report.plot(kind="triangle")')
    pd.testing.assert_frame_equal(names["report"].table, table)
    state.report_name = "Funnel"
    assert state.kind == ""
    state.report_name = "Retention"
    assert state.kind == "triangle"


def test_brackets_by_where_they_begin_are_shown_as_they_are_typed(build: Build) -> None:
    state = build()
    state.set("Retention", birth="Buy", buckets=[0, 1, 4, 8])

    assert state.fields["buckets"].raw == "0, 1-3, 4-7"


# -- what segmentation asks for -------------------------------------------------------------


@pytest.mark.parametrize(
    "asked",
    [
        {"measure": "sum", "of": event["amount"], "by": [user["plan"], event["item"]], "top": 1},
        {"measure": "p90", "of": user["age"], "unit": "week"},
        {"measure": "unique", "by": tk.bucket(user["age"], 10), "cumulative": True},
        {"by": tk.bucket(user["age"], 7), "unit": None},
        {"by": tk.bucket(event["time"], "day of week"), "rolling": 2, "compare": "previous"},
        {"measure": "mau", "compare": "previous year", "start": "2026-05-01"},
    ],
)
def test_the_python_shown_makes_the_same_report(build: Build, asked: dict[str, Any]) -> None:
    state = build()
    state.set("Segmentation", event="Buy", **asked)
    table = answered(state).table
    again = run(state.python, events=state.events, profiles=state.profiles)
    assert again.table.equals(table)
    assert again.definition == tk.segmentation(DF, state.profiles, "Buy", **asked).definition


def test_fields_are_shown_with_the_measures_they_go_with(build: Build) -> None:
    state = build()
    shown = {name: field.shown for name, field in state.fields.items()}
    assert not shown["of"] and shown["cumulative"] and shown["rolling"]
    state.set(measure="mau", unit=None)
    assert not state.fields["cumulative"].shown and not state.fields["rolling"].shown
    state.set(measure="average")
    assert state.fields["of"].error == "Choose a property."


def test_times_and_numbers_are_offered_in_buckets(build: Build) -> None:
    state = build()
    offered = state.fields["by"].field.offered(state.choices)
    assert offered["event.time / day of week"].endswith(", by day of week")
    assert any(label.startswith("user.age / ") for label in offered)
    state.set(by=tk.bucket(user["age"], 5), unit=None)
    assert state.python.count('tk.bucket(user["age"], 5)') == 1


def test_a_click_on_a_band_of_a_flow_shows_who_went_that_way(
    build: Build, profiles: tk.ProfileTable
) -> None:
    state = build()
    state.set("Flows", event=tk.step("View", where=event["item"] == "tea"), after=1)

    report = answered(state)
    picture = state.picture
    assert picture is not None
    band = next(
        place
        for place in range(len(picture.spots))
        if picture.spots.words(place) == "View → Buy: 1 user"
    )
    left, top, right, bottom = picture.spots.boxes[band].tolist()
    state.pick_place((left + right) / 2, (top + bottom) / 2)
    assert state.wait(30)

    assert state.users == ["ann"]
    assert state.users_of == "step 1, from View, to Buy"
    made = run(state.python, events=DF, profiles=profiles)
    pd.testing.assert_frame_equal(made.table, report.table)


# -- saved cohorts --------------------------------------------------------------------------

PAYING = 'Pay"ing / day'


@pytest.fixture
def paying(profiles: tk.ProfileTable) -> tk.Cohort:
    """Two saved cohorts, of which one holds a user without a profile; return that."""
    cohort = tk.cohort_of(["ann", "nobody"], PAYING)
    tk.cohorts(profiles).save(cohort)
    tk.cohorts(profiles).save(tk.cohort_of(["bob"], "Late"))
    return cohort


@pytest.mark.parametrize(
    ("operator", "joined", "value"),
    [("includes the user", "", 2), ("does not include the user", "~", 2)],
)
def test_a_row_of_the_filter_asks_for_a_saved_cohort(
    build: Build,
    profiles: tk.ProfileTable,
    paying: tk.Cohort,
    operator: str,
    joined: str,
    value: int,
) -> None:
    state = build(names={"events": "df", "profiles": "people"})
    state.set(event="Buy", unit=None)
    label = f"cohort.{PAYING}"
    assert state.filter.offered[label] == f"Cohort: {PAYING}"
    row = state.filter.add(label)
    assert row.operators == ("includes the user", "does not include the user")
    assert row.operator == "includes the user" and not row.takes_value and not row.error
    row.operator = operator
    report = answered(state)
    assert report.table["count"].tolist() == [value]
    expected = ["ann", "nobody"] if not joined else ["bob", "eve"]
    assert report.users() == expected
    lines = state.python.splitlines()
    assert "cohorts = tk.cohorts(people)" in lines
    assert f'where={joined}cohorts["Pay\\"ing / day"]' in state.python
    made = run(state.python, df=DF, people=profiles)
    pd.testing.assert_frame_equal(made.table, report.table)
    assert made.users() == expected


BY = [f"cohort.{PAYING}"]


@pytest.mark.parametrize(
    ("name", "chosen"),
    [
        ("Segmentation", {"event": "Buy", "unit": None}),
        ("Funnel", {"steps": ["View", "Buy"]}),
        ("Retention", {"birth": "View", "back": "Buy", "unit": "day"}),
        ("Frequency", {"birth": "View", "back": "Buy"}),
        ("Lifecycle", {"event": "Buy"}),
        ("Flows", {"event": "View"}),
        ("Profiles", {}),
    ],
)
def test_every_report_is_broken_down_by_a_saved_cohort(
    build: Build, profiles: tk.ProfileTable, paying: tk.Cohort, name: str, chosen: dict[str, Any]
) -> None:
    state = build()
    state.set(name, **chosen, by=paying)
    assert state.fields["by"].raw == BY
    report = answered(state)
    assert f"In {PAYING}" in set(report.table["user.cohort"])
    made = run(state.python, events=DF, profiles=profiles)
    pd.testing.assert_frame_equal(made.table, report.table)
    assert made.title == report.title


def test_several_cohorts_and_properties_break_down_together(
    build: Build, profiles: tk.ProfileTable, paying: tk.Cohort
) -> None:
    state = build()
    state.set(event="Buy", unit=None)
    state.fields["by"].raw = [*BY, "user.plan", "cohort.Late"]
    report = answered(state)
    assert report.table["count"].sum() == 8  # each cohort is judged alone
    assert {f"In {PAYING}", "In Late"} <= set(report.table["user.cohort"])
    made = run(state.python, events=DF, profiles=profiles)
    pd.testing.assert_frame_equal(made.table, report.table)
    state.fields["by"].raw = [*BY, *BY]
    assert state.fields["by"].error == "A property is there twice; choose each once."


def test_only_fields_to_break_down_by_offer_cohorts(build: Build, paying: tk.Cohort) -> None:
    state = build()
    for name, declaration in state.declarations.items():
        for field in declaration.fields:
            if isinstance(field, fields.PropertyField):
                offers = any("Cohort: " in each for each in field.offered(state.choices).values())
                assert offers == (field.name == "by"), (name, field.name)


def test_a_step_is_filtered_by_a_saved_cohort(
    build: Build, profiles: tk.ProfileTable, paying: tk.Cohort
) -> None:
    state = build()
    state.set("Funnel", steps=["View", tk.step("Buy", where=paying)])
    report = answered(state)
    assert 'tk.step("Buy", where=cohorts[' in state.python
    made = run(state.python, events=DF, profiles=profiles)
    pd.testing.assert_frame_equal(made.table, report.table)


def test_a_text_of_what_users_did_is_shown_with_all_it_needs(
    build: Build, profiles: tk.ProfileTable, paying: tk.Cohort
) -> None:
    state = build()
    text = 'times_did("Buy", null, event["amount"] > 8 and cohort("Late")) >= 1'
    state.set(event="Buy", unit=None, where=text)
    report = answered(state)
    assert report.users() == ["bob"]
    assert "from toolkit import event, times_did" in state.python
    assert run(state.python, events=DF, profiles=profiles).users() == ["bob"]


def test_refresh_offers_the_cohorts_saved_meanwhile_and_looks_at_their_users_anew(
    build: Build, profiles: tk.ProfileTable
) -> None:
    state = build()
    state.set(event="Buy", unit=None)
    state.fields["by"].raw = ["cohort.New"]
    assert state.fields["by"].error.startswith('No cohort is saved as "New"; choose one')
    assert state.python == ""
    row = state.filter.add("cohort.New", "includes the user")
    assert row.error == 'No cohort is saved as "New". Choose one of the list.'
    tk.cohorts(profiles).save(tk.cohort_of(["ann"], "New"))
    state.refresh()
    assert answered(state).users() == ["ann"]
    assert not row.error and not state.fields["by"].error
    tk.cohorts(profiles).save(tk.cohort_of(["bob", "eve"], "New"))
    state.refresh()
    assert answered(state).users() == ["bob", "eve"]
    del tk.cohorts(profiles)["New"]
    state.refresh()
    assert row.error and state.fields["by"].error
    assert state.python == ""


def test_without_a_table_to_save_in_no_cohorts_are_offered(build: Build) -> None:
    state = build(people=None)
    assert not any(label.startswith("cohort.") for label in state.filter.offered)
    state.set(where='cohort("Paying")')
    assert state.wait(20)
    assert 'No cohort is saved as "Paying"' in state.error and state.python == ""
