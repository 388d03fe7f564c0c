"""Events without a name: counted as any event, and never in silence."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

import toolkit as tk

NOTE = "Without a name, so counted as any event only: 2 events."
REPORTS: dict[str, Callable[[tk.Events, tk.ProfileTable], Any]] = {
    "segmentation": lambda events, _: tk.segmentation(events, None, "View"),
    "segmentation of any": lambda events, _: tk.segmentation(events, None, None),
    "funnel": lambda events, _: tk.funnel(events, None, ["View", "Buy"]),
    "funnel of any": lambda events, _: tk.funnel(events, None, ["View", None]),
    "flows": lambda events, _: tk.flows(events, None, "View"),
    "retention": lambda events, _: tk.retention(events, None, "View", "Buy"),
    "frequency": lambda events, _: tk.frequency(events, None, "View", "Buy"),
    "lifecycle": lambda events, _: tk.lifecycle(events, None, unit="day"),
    "cohort": lambda events, profiles: tk.cohort(events, profiles, tk.did("View")),
}


def events_with(nothing: Any) -> tk.Events:
    return tk.Events(
        pd.DataFrame(
            {
                "event": pd.Series(["View", nothing, "Buy", nothing, nothing], dtype=object),
                "distinct_id": ["a", "a", "a", "b", "b"],
                "time": [f"2026-05-0{day}T00:00Z" for day in range(1, 6)],
                "$bucket": [None, None, None, None, 1],
            }
        )
    )


@pytest.mark.parametrize("report", REPORTS)
@pytest.mark.parametrize("nothing", [None, np.nan, "", pd.NA])
def test_EVENT_2_every_report_says_how_many_events_have_no_name(report: str, nothing: Any) -> None:
    profiles = tk.ProfileTable()
    profiles.set(["a", "b"], {})
    assert NOTE in REPORTS[report](events_with(nothing), profiles).notes


def test_EVENT_2_they_count_as_any_event_and_as_none_of_a_name() -> None:
    events = events_with(None)
    counted = [
        int(tk.segmentation(events, None, name, unit=None).table["count"].sum())
        for name in (None, "View", "Buy")
    ]
    assert counted == [4, 1, 1]
    steps = tk.flows(events, None, "View", after=1).paths
    assert "(not set)" in str(steps)


def test_EVENT_2_only_those_in_the_range_are_told_of() -> None:
    events = events_with("")
    first = tk.segmentation(events, None, "View", end="2026-05-03")
    assert "Without a name, so counted as any event only: 1 event." in first.notes
    assert not any(
        "name" in note for note in tk.segmentation(events, None, "View", end="2026-05-01").notes
    )


def test_EVENT_2_match_and_the_events_tell_of_all_of_them() -> None:
    events = events_with("")
    profiles = tk.ProfileTable()
    profiles.set("a", {})
    told = tk.match(events, profiles)
    for text in (repr(told), told._repr_html_(), repr(events), " ".join(events.notes)):
        assert "3 events without a name (3 empty)" in text
    named = tk.Events(events.frame.assign(event="View"))
    assert "without a name" not in repr(tk.match(named, profiles)) + repr(named)
