"""The panels of the form of users, opened before, after and between ticks."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest

import toolkit as tk
from tests.widgets.page import change, failures, overheard, press, visible, widgets
from toolkit.forms.parts import guarded

__all__ = ["overheard"]

#: What opens each panel, and what is read in it.
PANELS = {
    "Add property…": "Write one property to many profiles",
    "Save cohort…": "Save as cohort",
    "Export…": "In CSV, text that a spreadsheet",
    "Filter": "Add a condition",
    "Columns": "Type to add a column",
    "Batches": "Latest batches",
}
TICKS = ("tick two", "tick one", "tick all", "tick none", "search")


@pytest.fixture
def form(overheard: list[str]) -> Any:
    profiles = tk.ProfileTable()
    profiles.apply(
        [{"$distinct_id": str(n), "$set": {"plan": ["free", "pro"][n % 2]}} for n in range(40)]
    )
    made = tk.Users(profiles)
    yield made
    assert failures(made) == []
    assert overheard == []


def button(form: Any, words: str) -> Any:
    kinds = (guarded.Button, guarded.ToggleButton)
    return next(e for e in widgets(form) if isinstance(e, kinds) and e.description == words)


def do(form: Any, step: str) -> None:
    ids = [row["id"] for row in form.grid.rows]
    match step:
        case "tick two":
            change(form.grid, selected=ids[:2])
        case "tick one":
            change(form.grid, selected=ids[:1])
        case "tick all":
            press(form._all)
        case "tick none":
            press(form._none)
        case "search":
            change(form.search, value="" if form.search.value else "1")
        case _ if isinstance(button(form, step), guarded.ToggleButton):
            change(button(form, step), value=not button(form, step).value)
        case _:
            press(button(form, step))


def texts(form: Any) -> str:
    shown = [getattr(e, "value", "") for e in visible(form) if isinstance(e, guarded.HTML)]
    shown += [e.description for e in visible(form) if isinstance(e, guarded.Button)]
    return "\n".join(shown)


def is_open(form: Any, panel: str) -> bool:
    return PANELS[panel] in texts(form)


def whom(form: Any) -> tuple[str, str]:
    """What the panel says of whom it is about, and what it should say."""
    number = form.state.picked_count
    told = f"({number or form.state.matching:,})"
    to = [e for e in visible(form) if getattr(e, "description", "") == "Write it to"]
    if to:
        return to[0].label, f"the ticked {told}" if number else f"all that are found {told}"
    said = next((line for line in texts(form).split("\n") if "Whom:" in line), "")
    return said, f"Whom: {'the ticked' if number else 'all that are found'} {told}"


@pytest.mark.parametrize("panel", PANELS)
@pytest.mark.parametrize("ticks", list(permutations(TICKS, 2)), ids="-".join)
def test_a_panel_opens_before_between_and_after_ticks(
    form: Any, panel: str, ticks: tuple[str, str]
) -> None:
    for at in range(3):
        steps = [*ticks[:at], panel, *ticks[at:]]
        for step in steps:
            do(form, step)
        assert is_open(form, panel), steps
        if panel in ("Add property…", "Save cohort…", "Export…"):
            said, right = whom(form)
            assert right in said, steps
        do(form, panel)
        assert not is_open(form, panel), steps
        for step in ("tick none", "tick two", "tick none"):
            do(form, step)


@pytest.mark.parametrize("first", PANELS)
@pytest.mark.parametrize("second", PANELS)
@pytest.mark.parametrize("ticks", ["tick none", "tick two", "tick all"])
def test_every_panel_opens_after_every_other(
    form: Any, first: str, second: str, ticks: str
) -> None:
    do(form, ticks)
    do(form, first)
    assert is_open(form, first)
    if second != first:
        do(form, second)
        assert is_open(form, second)
    do(form, "tick one")
    do(form, "tick none")
    assert is_open(form, second)


def test_a_property_is_written_to_the_ticked_by_the_buttons(form: Any) -> None:
    do(form, "tick two")
    do(form, "Add property…")
    fields = {getattr(e, "description", ""): e for e in visible(form)}
    assert fields["Write it to"].label == "the ticked (2)"
    change(fields["Property"], value="tier")
    change(fields["Value"], value="gold")
    press(fields["Write…"])
    assert form.state.question.startswith('Write "tier" of 2 profiles?')
    press(form._yes)
    written = [key for key in form.state.profiles if "tier" in form.state.profiles[key]]
    assert written == [row["id"] for row in form.grid.rows[:2]]


def test_a_property_added_meanwhile_is_proposed(form: Any) -> None:
    do(form, "Add property…")
    form.state.profiles.set("1", {"city": "Oslo"})
    press(button(form, "Refresh"))
    do(form, "tick one")
    fields = {getattr(e, "description", ""): e for e in visible(form)}
    assert fields["Property"].options == ("plan", "city")


def test_nothing_is_exported_while_the_filter_is_wrong(form: Any) -> None:
    do(form, "Export…")
    form.state.filter.show('user["plna"] ==')
    exported: list[Any] = []
    form.state.export("csv", on_ready=exported.append)
    assert form.state.problems == {"path": "Correct the filter first."}
    assert exported == []
    form.state.filter.clear()
    form.state.export("csv", on_ready=exported.append)
    assert (form.state.problems, exported[0].profiles) == ({}, 40)
