"""Frames of cells keep what is in them: null apart from nothing, and every type its own."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

import toolkit as tk
from toolkit import ProfileTable
from toolkit.base.errors import UndoError
from toolkit.columns.column import cell_frame, objects

#: Cells of one property, one after the other: pandas takes several of these for one type.
SERIES: list[list[Any]] = [
    [None, "free"],
    ["free", None],
    ["1", 1, 1.0, True],
    [True, False],
    [True, None],
    [1, None],
    [1, 2],
    [1.0, 2.0],
    [1.0, None],
    [2**63, 1],
    ["2026-01-01", "2026-01-02"],
    [["a", None], {"x": None}],
    [[1], [1.0]],
    ["", None],
]


def exactly(values: Any) -> list[str]:
    """Cells as text that tells their types and null from nothing."""
    texts = []
    for value in values:
        is_nothing = isinstance(value, float) and np.isnan(value)
        texts.append("nothing" if is_nothing else json.dumps(value))
    return texts


def written(cells: list[Any]) -> ProfileTable:
    """Return profiles of which each "1" in turn was set to a cell; "2" never had it."""
    profiles = ProfileTable()
    for cell in cells:
        profiles.set("1", {"x": cell})
    return profiles


@pytest.mark.parametrize("cells", SERIES, ids=str)
def test_a_history_keeps_null_and_types(cells: list[Any]) -> None:
    steps = written(cells).history("1")
    assert exactly(steps["new"]) == exactly(cells)
    assert exactly(steps["old"]) == ["nothing", *exactly(cells[:-1])]
    assert (steps["old"].dtype, steps["new"].dtype) == (object, object)


@pytest.mark.parametrize("cells", SERIES, ids=str)
def test_an_explanation_keeps_null_and_types(cells: list[Any]) -> None:
    profiles = written([])
    for cell in cells:
        profiles.append("1", {"x": cell})
    steps = profiles.explain("1", "x").steps
    assert [exactly(each) for each in steps["new"]] == [
        exactly(cells[: at + 1]) for at in range(len(cells))
    ]


@pytest.mark.parametrize("cells", SERIES, ids=str)
def test_a_difference_keeps_null_and_types(cells: list[Any]) -> None:
    profiles = ProfileTable()
    for at, cell in enumerate(cells):
        profiles.set(str(at), {"x": "before"}, time="2026-01-01")
        profiles.set(str(at), {"x": cell}, time="2026-01-02")
        profiles.unset(str(at), "x", time="2026-01-03")
    noons = [f"2026-01-0{day}T12:00" for day in (1, 2, 3)]
    first, second = profiles.diff(*noons[:2]), profiles.diff(*noons[1:])
    assert exactly(first["old"]) == ['"before"'] * len(cells)
    assert exactly(first["new"]) == exactly(second["old"]) == exactly(cells)
    assert exactly(second["new"]) == ["nothing"] * len(cells)


def of_set_frame(cells: list[Any]) -> pd.DataFrame:
    frame = cell_frame(
        {"distinct_id": objects([str(at) for at in range(len(cells))]), "x": objects(cells)}
    )
    profiles = ProfileTable()
    profiles.apply([{"$distinct_id": str(at), "$set": {"x": "before"}} for at in range(len(cells))])
    return profiles.set(frame, missing="unset", dry_run=True).changes


def of_dry_run(cells: list[Any]) -> pd.DataFrame:
    profiles = ProfileTable()
    profiles.apply([{"$distinct_id": str(at), "$set": {"x": x}} for at, x in enumerate(cells)])
    return tk.rename_where(profiles, "x", "y", dry_run=True).changes.query('change == "added"')


def of_dry_run_old(cells: list[Any]) -> pd.DataFrame:
    profiles = ProfileTable()
    profiles.apply([{"$distinct_id": str(at), "$set": {"x": x}} for at, x in enumerate(cells)])
    changes = tk.unset_where(profiles, tk.user["x"].is_set() | ~tk.user["x"].is_set(), "x").changes
    return changes.assign(new=pd.Series(changes["old"], dtype=object))


@pytest.mark.parametrize("cells", SERIES, ids=str)
def test_a_dry_run_keeps_null_and_types(cells: list[Any]) -> None:
    assert exactly(of_dry_run(cells)["new"]) == exactly(cells)
    assert exactly(of_dry_run_old(cells)["new"]) == exactly(cells)
    changes = of_set_frame(cells)
    nothing = [
        "nothing" if cell is None else text
        for cell, text in zip(cells, exactly(cells), strict=True)
    ]
    assert exactly(changes["new"]) == nothing  # FRAME-2: a missing cell is none


@pytest.mark.parametrize("cells", SERIES, ids=str)
def test_duplicates_keep_the_types_of_what_they_share(cells: list[Any]) -> None:
    profiles = ProfileTable()
    filled = [cell for cell in cells if cell not in (None, "")]
    profiles.apply(
        [
            {"$distinct_id": f"{at} {which}", "$set": {"x": cell}}
            for at, cell in enumerate(filled)
            for which in "ab"
        ]
    )
    groups = tk.find_duplicates(profiles, "x").groups
    assert groups["value"].dtype == object
    assert set(exactly(groups["value"])) == set(exactly(filled))


@pytest.mark.parametrize("cells", SERIES, ids=str)
@pytest.mark.parametrize("without", [False, True])
def test_profiles_as_a_frame_keep_null_apart_from_nothing(cells: list[Any], without: bool) -> None:
    profiles = ProfileTable()
    profiles.apply([{"$distinct_id": str(at), "$set": {"x": x}} for at, x in enumerate(cells)])
    if without:
        profiles.set("last", {})
    column = profiles.frame["x"]
    if None in cells or column.dtype == object:
        assert column.dtype == object
        assert exactly(column) == exactly(cells) + ["nothing"] * without
    view = profiles.where(tk.user["$last_seen"].is_set()).frame["x"]
    assert (view.dtype, len(view)) == (column.dtype, len(column))
    for at, cell in enumerate(cells):
        assert exactly([profiles[str(at)]["x"]]) == exactly([cell])


@pytest.mark.parametrize("cells", SERIES, ids=str)
def test_events_that_arrive_keep_null_apart_from_nothing(cells: list[Any]) -> None:
    consumer = tk.consumer(ProfileTable())
    for at, cell in enumerate([*cells, "none"]):
        properties = {"distinct_id": "1", "time": 1_767_225_600 + at}
        if at < len(cells):
            properties["x"] = cell
        consumer.send("events", json.dumps({"event": "View", "properties": properties}))
    column = consumer.events.frame["x"]
    if None in cells:
        assert exactly(column) == [*exactly(cells), "nothing"]
    elif column.dtype == object:
        assert exactly(column)[:-1] == exactly(cells)


def rejected_message() -> pd.DataFrame:
    profiles = ProfileTable()
    return profiles.apply([3, {"$distinct_id": "1", "$set": {"x": object()}}]).rejected  # type: ignore[list-item]


def rejected_frame() -> pd.DataFrame:
    frame = pd.DataFrame({"distinct_id": ["1"], "x": [np.inf]})
    return ProfileTable().set(frame).rejected


def undone() -> pd.DataFrame:
    profiles = ProfileTable()
    profiles.set("1", {"x": 1})
    profiles.set("1", {"x": 2})
    with pytest.raises(UndoError) as caught:
        profiles.undo(1)
    frame = caught.value.conflicts
    assert isinstance(frame, pd.DataFrame)
    return frame


@pytest.mark.parametrize("made", [rejected_message, rejected_frame, undone])
def test_texts_in_a_frame_of_cells_stay_objects(made: Callable[[], pd.DataFrame]) -> None:
    frame = made()
    assert len(frame)
    for name in set(frame.columns) - {"index"}:
        assert frame[name].dtype == object, name
    assert not any(isinstance(cell, float) for cell in frame.to_numpy().ravel().tolist())
