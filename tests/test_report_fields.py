"""Reports declare what they ask for, and a declaration makes the report and its Python."""

from __future__ import annotations

from datetime import date
from typing import Any

import pandas as pd
import pytest

import toolkit as tk
from toolkit import event, user
from toolkit.base.errors import ToolkitError
from toolkit.reports import Report
from toolkit.reports.form.choices import Choices
from toolkit.reports.form.declared import DECLARED
from toolkit.reports.form.fields import (
    ChoiceField,
    DateField,
    Declaration,
    EventField,
    EventsField,
    Field,
    FilterField,
    NumberField,
    PropertyField,
    TextField,
    ZoneField,
)

DF = pd.DataFrame(
    {
        "event": ["View", "Buy", "Buy", "Buy"],
        "distinct_id": ["ann", "ann", "bob", "eve"],
        "time": ["2026-05-01T10:00Z", "2026-05-01T22:30Z", "2026-05-02T10:00Z", "2026-05-09"],
        "item": ["tea", "tea", "jam", 'he said "<b>"'],
        "amount": [None, 10.0, 20.0, 5.0],
    }
)


@pytest.fixture
def profiles() -> tk.ProfileTable:
    table = tk.ProfileTable()
    table.apply(
        [
            {"$distinct_id": "ann", "$set": {"plan": "pro", "$created": "2026-01-01"}},
            {"$distinct_id": "bob", "$set": {"plan": "free", "$created": "2026-03-01"}},
        ]
    )
    return table


@pytest.fixture
def choices(profiles: tk.ProfileTable) -> Choices:
    return Choices(tk.Events(DF), profiles.snapshot())


SEGMENTATION = DECLARED["Segmentation"]


def test_what_segmentation_declares_are_the_parameters_of_its_function() -> None:
    import inspect

    parameters = inspect.signature(tk.segmentation).parameters
    declared = {field.name: field for field in SEGMENTATION.fields}
    # A formula is of several metrics, of which a form offers one.
    assert set(declared) == set(parameters) - {"events", "profiles", "formula"}
    for name, field in declared.items():
        if not field.is_positional:
            assert field.default == parameters[name].default, name


def test_untouched_fields_have_their_defaults(choices: Choices) -> None:
    for field in SEGMENTATION.fields:
        if getattr(field, "is_required", False):  # shown only beside what needs it
            assert field.when is not None
            continue
        value = field.read(field.start, choices)
        assert value == field.default, field.name


READ: list[tuple[Field, Any, Any]] = [
    (EventField(name="x", label="X"), "", None),
    (EventField(name="x", label="X"), "Buy", "Buy"),
    (EventsField(name="x", label="X"), ["Buy", "", "View"], ["Buy", "View"]),
    (DateField(name="x", label="X"), " 2026-05-01 ", "2026-05-01"),
    (DateField(name="x", label="X"), "", None),
    (NumberField(name="x", label="X", default=3), "", 3),
    (NumberField(name="x", label="X"), "2.50", 2.5),
    (NumberField(name="x", label="X"), "7.0", 7),
    (NumberField(name="x", label="X", is_whole=True), "7", 7),
    (TextField(name="x", label="X", default="7d"), "", "7d"),
    (ZoneField(name="x", label="X"), "", None),
    (ZoneField(name="x", label="X"), "Europe/Oslo", "Europe/Oslo"),
    (FilterField(name="x", label="X"), None, None),
    (PropertyField(name="x", label="X"), [""], None),
]


@pytest.mark.parametrize(("field", "raw", "value"), READ)
def test_a_field_reads_what_is_typed(field: Field, raw: Any, value: Any, choices: Choices) -> None:
    assert field.read(raw, choices) == value


def test_a_property_field_reads_labels(choices: Choices) -> None:
    one = PropertyField(name="by", label="By")
    assert one.read(["user.plan"], choices).same_as(user["plan"])
    several = PropertyField(name="by", label="By", most=2)
    first, second = several.read(["user.plan", "event.item"], choices)
    assert first.same_as(user["plan"]) and second.same_as(event["item"])
    assert several.raw([user["plan"], "item"]) == ["user.plan", "event.item"]
    with pytest.raises(ToolkitError, match=r'Did you mean user\["plan"\]\?'):
        one.read(one.raw("plan"), choices)
    # As in the report: of the user where there are no events.
    of_users = PropertyField(name="of", label="Of", sides=("user",))
    assert of_users.raw("plan") == ["user.plan"]
    numbers = PropertyField(name="of", label="Of", types=("number",))
    assert numbers.offered(choices) == {"event.amount": "Event: amount"}


REFUSED: list[tuple[Field, Any, str]] = [
    (EventField(name="x", label="X"), "buy", 'no event is named "buy"; choose one of the list. D'),
    (EventField(name="x", label="X", may_be_any=False), "", "choose an event"),
    (EventsField(name="x", label="X", least=2), ["Buy"], "1 event; choose 2 to 20 of them"),
    (DateField(name="x", label="X"), "1.5.2026", '"1.5.2026" is not a date; write 2026-01-31'),
    (NumberField(name="x", label="X"), "ten", '"ten" is not a number; write 7 or 2.5'),
    (NumberField(name="x", label="X"), "nan", '"nan" is not a number'),
    (
        NumberField(name="x", label="X", is_whole=True),
        "2.5",
        '"2.5" is not a whole number; write 7',
    ),
    (NumberField(name="x", label="X", least=1), "0", "0 is too small; the least is 1"),
    (NumberField(name="x", label="X", most=9), "10", "10 is too large; the most is 9"),
    (ZoneField(name="x", label="X"), "Oslo", "is not a time zone"),
    (PropertyField(name="x", label="X"), ["user.pln"], 'Did you mean "user.plan"'),
    (PropertyField(name="x", label="X", is_required=True), [], "choose a property"),
    (PropertyField(name="x", label="X"), ["user.plan", "event.item"], "choose at most 1"),
    (PropertyField(name="x", label="X", sides=("event",)), ["user.plan"], "there is no property"),
    (ChoiceField(name="x", label="X", options=(("One", 1),)), True, "not one of the choices"),
    (FilterField(name="x", label="X"), "user[", "expected the name"),
]


@pytest.mark.parametrize(("field", "raw", "message"), REFUSED)
def test_a_field_refuses_what_it_cannot_read_in_words(
    field: Field, raw: Any, message: str, choices: Choices
) -> None:
    with pytest.raises(ToolkitError) as caught:
        field.read(raw, choices)
    assert message in str(caught.value)


def test_a_value_goes_back_into_its_field(choices: Choices) -> None:
    assert DateField(name="x", label="X").raw(date(2026, 5, 1)) == "2026-05-01"
    condition = FilterField(name="x", label="X").raw('user["plan"] == "pro"')
    assert condition.same_as(user["plan"] == "pro")
    assert EventField(name="x", label="X").raw(None) == ""


VALUES: list[dict[str, Any]] = [
    {"event": None},
    {"event": "Buy", "measure": "unique", "by": user["plan"], "unit": None},
    {"event": "Buy", "by": event["item"], "unit": "week", "tz": "Europe/Oslo"},
    {"event": "Buy", "where": event["item"] == 'he said "<b>"', "start": "2026-05-02"},
    {
        "event": "Buy",
        "where": (user["$created"] < pd.Timestamp("2026-02-01")) & (event["amount"] > 1.5),
        "end": "2026-05-03",
        "at": "event time",
    },
]


@pytest.mark.parametrize("chosen", VALUES)
def test_the_python_of_a_report_runs_and_gives_the_same_numbers(
    profiles: tk.ProfileTable, chosen: dict[str, Any]
) -> None:
    values = {field.name: field.default for field in SEGMENTATION.fields} | chosen
    inputs: Any = {"events": DF, "profiles": profiles}
    wanted = SEGMENTATION.make(inputs, values)
    text = SEGMENTATION.python({"events": "df", "profiles": "people"}, values)
    *setup, call = text.split("\n\n")
    names: dict[str, Any] = {"df": DF, "people": profiles}
    exec("\n\n".join(setup), names)
    made = eval(call, names)
    pd.testing.assert_frame_equal(made.table, wanted.table)
    assert made.definition == wanted.definition


def test_the_python_of_a_report_names_only_what_was_chosen() -> None:
    values = {field.name: field.default for field in SEGMENTATION.fields}
    names: Any = {"events": "events", "profiles": "profiles"}
    assert SEGMENTATION.python(names, values) == (
        "import toolkit as tk\n\ntk.segmentation(events, profiles, None)"
    )
    values |= {"event": "Buy", "by": user["plan"]}
    assert SEGMENTATION.python(names, values) == (
        "import toolkit as tk\nfrom toolkit import user\n\n"
        'tk.segmentation(events, profiles, "Buy", by=user["plan"])'
    )
    values |= {"measure": "unique", "unit": "week", "tz": "Europe/Oslo", "at": "event time"}
    lines = SEGMENTATION.python(names, values).splitlines()
    assert max(map(len, lines)) <= 88
    assert lines[3:6] == [
        "tk.segmentation(",
        '    events, profiles, "Buy",',
        '    measure="unique",',
    ]


def test_what_needs_no_import_has_none() -> None:
    declaration = Declaration(
        title="Made up", function=tk.segmentation, call="count", fields=(), imports=()
    )
    names: Any = {"events": "df", "profiles": "None"}
    assert declaration.python(names, {}) == "count(df, None)"


def test_a_field_that_does_not_count_is_left_out() -> None:
    made: list[Any] = []

    def function(events: Any, kind: str, *, of: Any = None) -> Report:
        made.append((events, kind, of))
        return tk.segmentation(events, None, None)

    declaration = Declaration(
        title="Made up",
        function=function,
        call="made_up",
        inputs=("events",),
        imports=("from somewhere import made_up",),
        fields=(
            ChoiceField(
                name="kind",
                label="Kind",
                default="count",
                options=(("Count", "count"), ("Sum", "sum")),
                is_positional=True,
            ),
            PropertyField(name="of", label="Of", when=("kind", ("sum",))),
        ),
    )
    inputs: Any = {"events": DF, "profiles": None}
    names: Any = {"events": "df"}
    assert declaration.python(names, {"kind": "count", "of": event["amount"]}) == (
        'from somewhere import made_up\n\nmade_up(df, "count")'
    )
    assert 'made_up(df, "sum", of=event["amount"])' in declaration.python(
        names, {"kind": "sum", "of": event["amount"]}
    )
    declaration.make(inputs, {"kind": "count", "of": event["amount"]})
    declaration.make(inputs, {"kind": "sum", "of": event["amount"]})
    assert [(kind, of is not None) for _, kind, of in made] == [("count", False), ("sum", True)]
