"""Every report after every other one, with every field typed before."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations
from typing import Any

import pandas as pd
import pytest

import toolkit as tk
from tests.widgets.page import change, failures, overheard, press, visible
from toolkit.forms.parts import guarded
from toolkit.forms.report.fields import FieldPart
from toolkit.forms.report.form import ReportBuilder
from toolkit.forms.report.state import ReportBuilderState
from toolkit.reports.form.choices import Choices
from toolkit.reports.form.declared import DECLARED
from toolkit.reports.form.fields import (
    BucketsField,
    ChoiceField,
    DateField,
    EventField,
    EventsField,
    Field,
    FilterField,
    NumberField,
    PropertyField,
    ZoneField,
)

__all__ = ["overheard"]

REPORTS = tuple(DECLARED)
EVENTS = tk.Events(
    pd.DataFrame(
        {
            "event": ["View", "Buy", "Pay"] * 20,
            "distinct_id": [str(n * 7 % 11) for n in range(60)],
            "time": pd.date_range("2026-03-01", periods=60, freq="13h", tz="UTC"),
            "item": [["tea", "jam"][n % 2] for n in range(60)],
            "amount": [n % 9 for n in range(60)],
        }
    )
)


@pytest.fixture(scope="module")
def profiles() -> tk.ProfileTable:
    table = tk.ProfileTable()
    table.apply(
        [
            {"$distinct_id": str(n), "$set": {"plan": ["pro", "free"][n % 2], "age": 20 + n}}
            for n in range(11)
        ]
    )
    return table


@pytest.fixture
def state(profiles: tk.ProfileTable) -> Iterator[ReportBuilderState]:
    made = ReportBuilderState(profiles, EVENTS, delay=0)
    yield made
    made.cancel()
    assert made.wait(30)


def typed(field: Field, choices: Choices) -> list[Any]:
    """Return what a person may type or choose, other than what is there at first."""
    texts = ["2026-03-05", "5", "soon"]
    match field:
        case ChoiceField(options=options):
            return [value for _, value in options if value != field.default]
        case EventField():
            return ["Buy"]
        case EventsField():
            return [["View", "Buy"], []]
        case PropertyField():
            return [[label] for label in list(field.offered(choices))[:2]]
        case DateField():
            return texts
        case ZoneField():
            return ["Europe/Oslo", "Nowhere/At all"]
        case BucketsField():
            return ["4", "0, 1-3", "x"]
        case NumberField():
            return ["3", "-1"]
    return ["text"]


def fields_of(report: str) -> list[Field]:
    return [each for each in DECLARED[report].fields if not isinstance(each, FilterField)]


def is_sound(state: ReportBuilderState) -> None:
    """Assert that the fields are those of the report, and lead to an answer or a reason."""
    assert list(state.fields) == [each.name for each in fields_of(state.report_name)]
    assert state.wait(30)
    wrong = [each.error for each in state.fields.values() if each.error]
    assert state.error or wrong or (state.report is not None and not state.is_old)
    assert state.job.failure is None, state.job.failure


@pytest.mark.parametrize(("first", "second"), list(permutations(REPORTS, 2)), ids=str)
def test_every_report_follows_every_other_with_every_field_typed_before(
    state: ReportBuilderState, first: str, second: str
) -> None:
    for field in fields_of(first):
        for raw in typed(field, state.choices):
            state.report_name = first
            state.fields[field.name].raw = raw
            state.report_name = second
            assert list(state.fields) == [each.name for each in fields_of(second)]
            state.report_name = first
            assert state.fields[field.name].raw == raw
            state.fields[field.name].raw = field.start
    for field in fields_of(first):
        state.fields[field.name].raw = typed(field, state.choices)[0]
    state.report_name = second
    is_sound(state)
    state.report_name = first
    is_sound(state)


def test_the_range_as_a_whole_is_a_choice_that_goes_along(state: ReportBuilderState) -> None:
    state.fields["unit"].raw = "month"
    state.report_name = "Retention"
    assert state.fields["unit"].raw == "month"
    state.report_name = "Segmentation"
    state.fields["unit"].raw = None
    state.report_name = "Profiles"
    state.report_name = "Segmentation"
    assert state.fields["unit"].raw is None


def test_what_is_typed_into_a_report_that_was_left_goes_to_the_one_in_view(
    profiles: tk.ProfileTable, overheard: list[str]
) -> None:
    form = ReportBuilder(profiles, EVENTS)
    state = form.state
    state.delay = 0
    parts = {each.state.field.name: each for each in visible(form) if isinstance(each, FieldPart)}
    before = {name: part.children[0] for name, part in parts.items()}
    change(form._report, index=list(DECLARED).index("Retention"))
    # The page has not drawn the new fields yet.
    change(before["tz"], value="Europe/Oslo")
    change(before["unit"], index=2)
    change(before["top"], value="3")
    assert state.report_name == "Retention"
    assert (state.fields["tz"].raw, state.fields["unit"].raw) == ("Europe/Oslo", "week")
    drawn = {each.state.field.name: each for each in visible(form) if isinstance(each, FieldPart)}
    assert drawn["tz"].children[0].value == "Europe/Oslo"
    state.report_name = "Segmentation"
    assert state.fields["top"].raw == "3"
    assert state.wait(30)
    assert (failures(form), overheard) == ([], [])


def test_the_chart_of_the_report_before_is_drawn_and_saved_by_its_own_kind(
    state: ReportBuilderState,
) -> None:
    assert state.wait(30)
    before = state.report
    for report in REPORTS[1:]:
        if not any(isinstance(each, EventsField) and each.least for each in fields_of(report)):
            continue
        state.report_name = report  # nothing is chosen yet, so the one before stays in view
        assert state.wait(30)
        assert state.report is before
        for _, kind in DECLARED[report].kinds:
            state.kind = kind
            assert state.png().startswith(b"\x89PNG")
        state.dark = not state.dark
        assert state.wait(30)
        assert (state.report, state.error) == (before, "")


def test_a_report_that_cannot_be_set_changes_nothing(state: ReportBuilderState) -> None:
    from toolkit.base.errors import ArgumentError

    with pytest.raises(ArgumentError, match='Did you mean "Retention"'):
        state.set("Retentoin", unit="week")
    with pytest.raises(ArgumentError, match="Retention has no evnt="):
        state.set("Retention", unit="week", evnt="Buy")
    assert (state.report_name, state.fields["unit"].raw) == ("Segmentation", "day")


def test_what_is_wrong_with_the_question_goes_once_something_else_is(
    state: ReportBuilderState,
) -> None:
    state.fields["start"].raw, state.fields["end"].raw = "2026-03-09", "2026-03-05"
    assert state.wait(30)
    assert state.error or state.fields["end"].error or state.fields["start"].error
    state.fields["end"].raw = "soon"
    assert state.error == ""
    assert state.fields["end"].error


@pytest.mark.parametrize(("first", "second"), list(permutations(REPORTS, 2)), ids=str)
def test_the_page_shows_the_fields_of_the_report_that_is_chosen(
    profiles: tk.ProfileTable, overheard: list[str], first: str, second: str
) -> None:
    form = ReportBuilder(profiles, EVENTS)
    form.state.delay = 0
    names = list(DECLARED)
    for report in (first, second, first, second):
        if form.state.report_name != report:
            change(form._report, index=names.index(report))
        shown = [each.state.field.name for each in visible(form) if isinstance(each, FieldPart)]
        there = [each.name for each in fields_of(report) if form.state.fields[each.name].shown]
        assert shown == there
        for part in [each for each in visible(form) if isinstance(each, FieldPart)]:
            for field in list(visible(part)):
                if isinstance(field, guarded.Dropdown) and len(field.options) > 1:
                    change(field, index=(field.index + 1) % len(field.options))
                elif isinstance(field, guarded.Text):
                    change(field, value="5")
    press(next(e for e in visible(form) if getattr(e, "description", "") == "Start over"))
    form.state.cancel()
    assert form.state.wait(30)
    assert failures(form) == []
    assert overheard == []


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"event": "byu"}, "event='byu': .*byu"),
        ({"unit": "fortnight"}, "unit='fortnight': "),
        ({"start": "01.05.2024"}, "start='01.05.2024': .*write 2026-01-31"),
        ({"by": tk.user["nope"]}, "by=.*nope"),
        ({"where": "user["}, "where='user\\[': "),
        ({"tz": "Oslo"}, "tz='Oslo': "),
        ({"measure": "sums"}, "measure='sums': "),
    ],
)
def test_a_value_that_the_report_does_not_take_raises_and_changes_nothing(
    state: ReportBuilderState, values: dict[str, Any], message: str
) -> None:
    from toolkit.base.errors import ArgumentError

    assert state.wait(30)
    before = state.python
    with pytest.raises(ArgumentError, match=message):
        state.set(**values)
    assert state.python == before and not state.is_old


def question(report: str) -> dict[str, Any]:
    """Return what has to be chosen before there is an answer."""
    return {"steps": ["View", "Buy"]} if report == "Funnel" else {}


@pytest.mark.parametrize("report", REPORTS)
def test_what_is_wrong_only_together_is_told_where_the_answer_would_be(
    state: ReportBuilderState, report: str
) -> None:
    names = [field.name for field in fields_of(report)]
    for field in fields_of(report):
        state.set(report, **question(report))
        if {"start", "end"} <= set(names):
            state.fields["start"].raw, state.fields["end"].raw = "2026-03-20", "2026-03-05"
        if field.name not in ("start", "end"):
            state.fields[field.name].raw = typed(field, state.choices)[0]
        is_read = not any(each.error for each in state.fields.values())
        assert state.wait(30)
        if is_read:  # each value is right alone
            assert (state.report is None) == bool(state.error), field.name
            assert state.error or "start" not in names, field.name
        state.reset()


@pytest.mark.parametrize("report", REPORTS)
def test_a_filter_that_is_no_condition_is_refused_with_what_is_meant(
    state: ReportBuilderState, report: str
) -> None:
    for where in (tk.user["plam"], 'user["plam"]'):
        with pytest.raises(tk.ToolkitError) as refused:
            state.set(report, where=where)
        assert "is a value, not a condition" in str(refused.value)
        assert 'There is no property user["plam"]. Did you mean "plan"' in str(refused.value)
    state.set(report, where='user["plam"] == "pro"', **question(report))
    assert state.wait(30)
    assert state.report is not None
    assert any('"plam". Did you mean "plan"?' in note for note in state.report.notes)
