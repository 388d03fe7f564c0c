"""The choice of an event with a filter of its own, without a page."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

import toolkit as tk
from toolkit import event
from toolkit.forms.report.event_choice import EventChoice
from toolkit.reports.form.choices import Choices
from toolkit.reports.form.fields import FilteredEvent

DF = pd.DataFrame(
    {
        "event": ["View", "Buy"],
        "distinct_id": ["ann", "ann"],
        "time": ["2026-05-01T10:00Z", "2026-05-01T11:00Z"],
        "amount": [None, 10.0],
    }
)
NAMES = {"": "Choose an event", "Buy": "Buy", "View": "View"}


@pytest.fixture
def picked() -> list[Any]:
    return []


@pytest.fixture
def choice(picked: list[Any]) -> EventChoice:
    return EventChoice("Step", NAMES, "", picked.append, Choices(tk.Events(DF), None))


def described(choice: EventChoice) -> list[str]:
    return [getattr(each, "description", "") for each in choice.widget.children]


def test_without_an_event_there_is_nothing_to_filter(choice: EventChoice) -> None:
    assert described(choice) == ["Step"]


def test_a_name_without_a_filter_is_picked_as_a_name(
    choice: EventChoice, picked: list[Any]
) -> None:
    choice._picked_name("Buy")

    assert picked == ["Buy"]
    assert described(choice) == ["Step", "Filter"]


def test_a_condition_is_picked_with_the_name(choice: EventChoice, picked: list[Any]) -> None:
    choice._picked_name("Buy")
    choice._add.click()
    row = choice.filter.rows[0]
    row.prop = "event.amount"
    row.operator = "≥"
    row.value = "many"
    assert not picked[-1].is_right
    row.value = "10"

    found = picked[-1]
    assert isinstance(found, FilteredEvent) and found.is_right
    assert found.where is not None and found.where.same_as(event["amount"] >= 10)


def test_the_rows_stay_while_they_are_edited_and_go_with_the_filter(
    choice: EventChoice, picked: list[Any]
) -> None:
    choice._picked_name("Buy")
    choice._add.click()
    row = choice.filter.rows[0]
    row.prop, row.operator, row.value = "event.amount", "≥", "10"
    choice.show(picked[-1])

    assert choice.filter.mode == "rows" and choice.filter.rows == [row]

    choice._drop.click()
    choice.show(picked[-1])
    assert picked[-1] == "Buy"
    assert not choice.is_open and choice.filter.condition is None


def test_what_a_program_gives_is_shown_as_text(choice: EventChoice) -> None:
    choice.show(FilteredEvent.of(tk.step("Buy", where=event["amount"] > 3)))

    assert choice.is_open
    assert choice.filter.text == 'event["amount"] > 3'


def test_another_choice_from_elsewhere_closes_the_filter(choice: EventChoice) -> None:
    choice.show(FilteredEvent.of(tk.step("Buy", where=event["amount"] > 3)))

    choice.show("")

    assert not choice.is_open
