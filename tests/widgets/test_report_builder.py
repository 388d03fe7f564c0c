"""The widgets of the report builder follow its state, and the state follows them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import ipywidgets
import pandas as pd
import pytest

import toolkit as tk
from toolkit import event, user
from toolkit.forms.parts.choosing import Chooser, Choosers
from toolkit.forms.report.fields import FieldPart
from toolkit.forms.report.form import ReportBuilder
from toolkit.reports.form.declared import DECLARED

from .test_report_builder_state import DF, NAMES, XSS


@pytest.fixture
def profiles() -> tk.ProfileTable:
    table = tk.ProfileTable()
    table.apply(
        [
            {"$distinct_id": "ann", "$set": {"plan": "pro", "$name": XSS}},
            {"$distinct_id": "bob", "$set": {"plan": XSS}},
        ]
    )
    return table


@pytest.fixture
def builder(profiles: tk.ProfileTable) -> Iterator[ReportBuilder]:
    made = tk.ReportBuilder(profiles, DF)
    made.state.delay = 0.0
    assert made.state.wait(30)
    yield made
    made.state.cancel()
    assert made.state.wait(30)


def widgets(root: Any) -> Iterator[Any]:
    yield root
    for child in getattr(root, "children", ()):
        yield from widgets(child)


def found(root: Any, label: str) -> Any:
    """Return the field or button that a person knows by this label."""
    return next(each for each in widgets(root) if getattr(each, "description", None) == label)


def texts(root: Any) -> str:
    """Return all HTML there is."""
    return "\n".join(each.value for each in widgets(root) if isinstance(each, ipywidgets.HTML))


def test_a_choice_reaches_the_state_and_its_answer_the_page(builder: ReportBuilder) -> None:
    found(builder, "Event").value = "Buy"
    found(builder, "Break down by").value = "user.plan"
    found(builder, "Unit").label = "The range as a whole"
    assert builder.state.wait(30)
    assert [row["cells"] for row in builder._table.grid.rows] == [
        [XSS, "1"],
        ["pro", "1"],
        ["(not set)", "2"],
    ]
    assert builder._chart.png == builder.state.picture.png  # type: ignore[union-attr]
    assert builder._chart.alt.startswith("Chart: Buy: events by user.plan. The table below")
    assert len(builder._chart.places) == 3
    assert 'by=user["plan"]' in builder._code.code


def test_what_a_program_sets_is_seen_in_the_fields(builder: ReportBuilder) -> None:
    builder.state.set(
        event="View", by=event["item"], start="2026-05-01", end="2026-05-02T12:00", tz="Europe/Oslo"
    )
    assert found(builder, "Event").value == "View"
    assert found(builder, "Break down by").value == "event.item"
    assert str(found(builder, "From").value) == "2026-05-01"
    assert found(builder, "To").value is None
    assert "Set to 2026-05-02T12:00" in texts(builder)
    assert builder.state.fields["end"].raw == "2026-05-02T12:00"
    assert found(builder, "Time zone").value == "Europe/Oslo"


def test_conditions_are_added_changed_and_removed(builder: ReportBuilder) -> None:
    found(builder, "Add a condition").click()
    assert "Choose a property; until then" in texts(builder)
    found(builder, "Property 1").value = "event.amount"
    found(builder, "Operator 1").value = "≥"
    found(builder, "Value 1").value = "many"
    assert "&quot;many&quot; is not a number" in texts(builder)
    found(builder, "Value 1").value = "10"
    assert "is not a number" not in texts(builder)
    found(builder, "Add a condition").click()
    found(builder, "Property 2").value = "user.plan"
    found(builder, "Operator 2").value = "is set"
    assert found(builder, "Value 2").layout.visibility == "hidden"
    found(builder, "Match").value = "or"
    assert builder.state.filter.condition is not None
    wanted = (event["amount"] >= 10) | user["plan"].is_set()
    assert builder.state.filter.condition.same_as(wanted)
    found(builder, "Remove").click()
    assert builder.state.filter.condition.same_as(user["plan"].is_set())
    assert found(builder, "Property 1").value == "user.plan"


def test_the_text_of_a_filter_shows_where_it_is_wrong(builder: ReportBuilder) -> None:
    found(builder, "Add a condition").click()
    found(builder, "Property 1").value = "user.plan"
    found(builder, "Value 1").value = XSS
    found(builder, "Write it as text").click()
    text = found(builder, "Expression")
    assert text.value == 'user["plan"] == "<img src=x onerror=alert(1)>"'
    text.value = f'user["plan"] = "{XSS}"'
    assert '<pre class="tk-json tk-field-error" role="alert">found &quot;=&quot;' in texts(builder)
    assert "<img" not in texts(builder)
    found(builder, "Back to the list").click()
    assert found(builder, "Value 1").value == XSS


def test_segments_that_are_numbers_sort_as_numbers_and_read_as_in_the_chart() -> None:
    table = tk.ProfileTable()
    for name, age in (("ann", 100), ("bob", 9)):
        table.set(name, {"age": age})
    builder = tk.ReportBuilder(table, DF)
    builder.state.delay = 0.0
    builder.state.set(event=None, by=user["age"], unit=None)
    assert builder.state.wait(30)
    builder._table._sort("0")
    grid = builder._table.grid
    assert [row["cells"][0] for row in grid.rows] == ["9", "100", "(not set)"]
    for row, ids in zip(grid.rows, (["bob"], ["ann"], None), strict=True):
        builder._table._open(row["id"])
        assert builder.state.wait(30)
        assert builder.state.users == (ids or builder.state.report.users(segment=pd.NA))  # type: ignore[union-attr]


def test_rows_pages_and_sorting_lead_to_the_right_users(builder: ReportBuilder) -> None:
    state = builder.state
    state.set(event="Buy", by=event["item"], unit=None)
    assert state.wait(30)
    builder._table._sort("0")
    names = [row["cells"][0] for row in builder._table.grid.rows]
    assert names == sorted(names)
    builder._table._sort("0")
    assert [row["cells"][0] for row in builder._table.grid.rows] == sorted(names, reverse=True)
    for row in builder._table.grid.rows:
        builder._table._open(row["id"])
        assert state.wait(30)
        assert state.users == state.report.users(segment=row["cells"][0])  # type: ignore[union-attr]
        shown = [cells["cells"][1] for cells in builder._users._grid.rows]
        assert shown == state.users


def test_users_are_shown_by_name_and_closed_by_escape(builder: ReportBuilder) -> None:
    builder.state.set(event="Buy", unit=None)
    assert builder.state.wait(30)
    builder.state.pick_row(0)
    assert builder.state.wait(30)
    assert "Users of the whole report: 4 users" in texts(builder)
    assert builder._users._grid.rows[0]["cells"] == [XSS, "ann"]
    builder._leave()
    assert builder.state.users == []
    assert "Click a row" in texts(builder)


def test_a_report_declared_elsewhere_gets_its_fields(
    profiles: tk.ProfileTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(DECLARED, "Names", NAMES)
    builder = ReportBuilder(profiles, DF)
    found(builder, "Report").value = "Names"
    labels = [each.state.field.label for each in widgets(builder) if isinstance(each, FieldPart)]
    assert labels == ["At least", "Kind", "Weight", "Of"]
    weight = next(
        each for each in widgets(builder)
        if isinstance(each, FieldPart) and each.state.field.name == "weight"
    )  # fmt: skip
    assert weight.layout.display == "none"
    found(builder, "Kind").value = "weighted"
    assert weight.layout.display == ""
    found(builder, "Of").value = "user.plan"
    found(builder, "Of 2").value = "event.item"
    assert builder.state.fields["of"].raw == ["user.plan", "event.item"]
    found(builder, "At least").value = "none"
    assert "&quot;none&quot; is not a whole number" in texts(builder)
    found(builder, "At least").value = "2"
    assert builder.state.wait(30)
    assert builder.state.report is not None
    assert builder.state.report.table.values.tolist() == [["Buy", 4]]
    assert builder._filter.layout.display == "none"


def test_names_in_the_python_are_those_of_the_notebook(
    profiles: tk.ProfileTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Shell:
        user_ns = {"_1": DF, "clicks": DF, "people": profiles, "events": "something else"}

    monkeypatch.setattr("IPython.get_ipython", lambda: Shell())
    builder = ReportBuilder(profiles, DF)
    assert builder.state.wait(30)
    assert builder._code.code.endswith("tk.segmentation(clicks, people, None)")


def test_what_is_saved_is_offered_to_the_browser(
    builder: ReportBuilder, monkeypatch: pytest.MonkeyPatch
) -> None:
    offered: list[tuple[str, bytes, str]] = []
    monkeypatch.setattr(builder._download, "offer", lambda *given: offered.append(given))
    found(builder, "Save chart (PNG)").click()
    found(builder, "Save table (CSV)").click()
    builder.state.pick_row(0)
    assert builder.state.wait(30)
    found(builder, "Save users (CSV)").click()
    assert [(name, kind) for name, _, kind in offered] == [
        ("report.png", "image/png"), ("report.csv", "text/csv"), ("users.csv", "text/csv")
    ]  # fmt: skip
    assert offered[0][1].startswith(b"\x89PNG")
    assert offered[2][1].startswith(b"distinct_id,title\r\n")


def test_nothing_to_see_is_said_in_place_of_an_empty_chart(builder: ReportBuilder) -> None:
    builder.state.set(where=event["item"] == "coffee")
    assert builder.state.wait(30)
    assert "Nothing matches. Loosen the filter" in texts(builder)
    assert builder._answer.layout.display == "none"
    builder.state.set(where=None)
    assert builder.state.wait(30)
    assert "Nothing matches" not in texts(builder)
    assert builder._answer.layout.display == ""


def test_what_is_only_asked_for_is_not_marked_as_wrong(builder: ReportBuilder) -> None:
    assert builder.state.wait(30)
    builder.state.report_name = "Funnel"
    steps = next(each for each in builder._fields.children if each.state.field.name == "steps")
    assert 'tk-field-asks" role="status">Choose 2 to 20 events.<' in texts(steps)
    assert "tk-invalid" not in steps.children[0]._dom_classes
    assert "Choose what is asked for; the report below is the previous one." in texts(builder)
    builder.state.fields["steps"].raw = ["Buy"]
    assert 'tk-field-error" role="alert">1 event; choose 2 to 20 of them.<' in texts(steps)
    assert "tk-invalid" in steps.children[0]._dom_classes
    assert "Correct what is marked; the report below is the previous one." in texts(builder)


def test_refreshing_offers_what_the_profiles_have_now(
    builder: ReportBuilder, profiles: tk.ProfileTable
) -> None:
    builder.state.set(by=user["plan"])
    profiles.set("ann", {"city": "Oslo"})
    found(builder, "Refresh").click()
    by = found(builder, "Break down by")
    assert ("User: city", "user.city") in by.options
    assert by.value == "user.plan"


def test_the_chart_follows_the_theme(builder: ReportBuilder) -> None:
    before = builder._chart.png
    builder.surroundings.dark = True
    assert builder.state.wait(30)
    assert builder._chart.png != before


# -- lists to choose from -------------------------------------------------------------------


def test_a_long_list_is_typed_into_and_a_short_one_is_not() -> None:
    picked: list[Any] = []
    long = Chooser("X", {n: f"number {n}" for n in range(101)}, 3, picked.append)
    assert type(long.widget).__name__ == "Combobox"
    assert long.widget.value == "number 3"
    long.widget.value = "number 7"
    long.widget.value = "unknown"
    short = Chooser("X", {n: f"number {n}" for n in range(3)}, 1, picked.append)
    assert type(short.widget).__name__ == "Dropdown"
    short.widget.value = 2
    nothing = Chooser("X", {1: "One", None: "Nothing"}, None, picked.append)
    assert nothing.widget.label == "Nothing"
    nothing.widget.label = "One"
    nothing.widget.label = "Nothing"
    assert picked == [7, "unknown", 2, 1, None]


def test_a_value_that_is_no_option_stays_to_be_seen() -> None:
    picked: list[Any] = []
    short = Chooser("X", {"": "None", "a": "A"}, "b", picked.append)
    assert short.widget.value == "b"
    short.show("a")
    assert short.widget.options == (("None", ""), ("A", "a"))
    assert picked == []


def test_several_choices_have_a_place_for_one_more() -> None:
    picked: list[Any] = []
    options = {"": "None", "a": "A", "b": "B"}

    def make(label: str, pick: Any) -> Chooser:
        return Chooser(label, options, "", pick)

    several = Choosers("X", make, ["a"], picked.append, most=2)
    assert [each.description for each in several.children] == ["X", "X 2"]
    several.children[1].value = "b"
    several.show(["a", "b"])
    assert len(several.children) == 2
    several.children[0].value = ""
    assert picked == [["a", "b"], ["b"]]


def test_the_builder_needs_no_data_frame_twice() -> None:
    events = tk.Events(DF)
    builder = ReportBuilder(None, events)
    assert builder.state.events is events
    assert builder.state.wait(30)
    assert "There are no profiles" in texts(builder)
    assert isinstance(builder.state.report.table, pd.DataFrame)  # type: ignore[union-attr]
