"""Comparisons that nearly ask for what is there say so, and others say nothing."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest

import toolkit as tk
from toolkit import event, user

CELLS: dict[str, list[Any]] = {
    "plan": ["pro", "free ", "basic"],
    "since": ["31.12.2023", "01.02.2024", None],
    "us": ["12/31/2023", "1/2/24", None],
    "digits": ["20231231", "20240102", None],
    "number": [20240105, 20240106, None],
    "excel": [45292, 45293.5, None],
    "mixed": ["61", 7, 8],
    "city": ["Cafe\u0301", "Oslo", None],
    "hidden": ["x\u200b", "y", None],
    "nbsp": ["New\u00a0York", None, None],
    "tags": [["vip"], ["new"], []],
    "zoned": ["2024-01-05T01:00:00+02:00", "2024-01-05", None],
    "unpadded": ["2023-9-1", "2024-1-15", None],
    "months": ["31 Dec 2023", "1 Feb 2024", None],
    "american": ["Dec. 31, 2023", "February 1, 2024", None],
    "http": ["Sun, 31 Dec 2023 00:00:00 GMT", "Thu, 01 Feb 2024 00:00:00 GMT", None],
    "unlike": ["31.12.2023", 5, ["01.02.2024"]],
    "day": ["May is 5, 2024", "Marching 3 Dec", "10-4"],
    "iso": ["2023-12-31", "2024-02-01", "2024-02-01T10:00:00Z"],
}
DOUBTS = [
    ('user["plan"] == "Pro"', 'No value of user["plan"] is "Pro"; there is "pro".'),
    ('"PRO" == user["plan"]', 'there is "pro"'),
    ('user["plan"] != "Pro"', 'there is "pro"'),
    ('user["plan"] == "free"', 'there is "free "'),
    ('user["plan"] in ["pro", "Basic"]', 'is "Basic"; there is "basic"'),
    ('user["plan"] not in ["Free"]', 'there is "free "'),
    ('not user["plan"] == "Pro" and user["mixed"] > 1', 'there is "pro"'),
    ('user["mixed"] == 61', 'is 61; there is the text "61"'),
    ('user["mixed"] == "7"', 'is "7"; there is the number 7'),
    ('user["city"] == "Caf\u00e9"', r'is "Caf\xe9"; there is "Cafe\u0301"'),
    ('user["city"] == "CAF\u00c9"', r'there is "Cafe\u0301"'),
    ('user["hidden"] == "x"', r'there is "x\u200b"'),
    ('user["nbsp"] == "New York"', "New"),
    ('any(user["tags"]) == "VIP"', 'there is "vip"'),
    ('"VIP" in user["tags"]', 'there is "vip"'),
    ('user["since"] >= "2024-01-01"', 'holds dates such as "31.12.2023"'),
    ('user["since"] == "2024-02-01"', 'holds dates such as "31.12.2023"'),
    ('user["us"] < "2024-01-01"', 'holds dates such as "12/31/2023"'),
    ('user["digits"] < "2024-01-01"', 'holds dates such as "20231231"'),
    ('user["unpadded"] >= "2023-10-01"', 'holds dates such as "2023-9-1"'),
    ('user["months"] < "2024-01-01"', 'holds dates such as "31 Dec 2023"'),
    ('user["american"] < "2024-01-01"', 'holds dates such as "Dec. 31, 2023"'),
    ('user["http"] < "2024-01-01"', 'holds dates such as "Sun, 31 Dec'),
    ('user["unlike"] < "2024-01-01"', 'holds dates such as "31.12.2023"'),
    ('user["iso"] < "Feb 1, 2024"', '"Feb 1, 2024" looks like a date'),
    ('user["zoned"] < "2024-01-05"', 'write datetime("2024-01-05")'),
    ('user["iso"] < "31.12.2024"', '"31.12.2024" looks like a date'),
    ('user["since"] >= datetime("2024-01-01")', '"31.12.2023" is not a time'),
    ('user["number"] >= datetime("2024-01-01")', "the date 2024-01-05"),
    ('datetime(user["excel"]) >= datetime("2024-01-01")', "the Excel date 2024-01-01"),
]
SILENT = [
    *('user["plan"] == "pro"', 'user["plan"] == "gold"', 'user["plan"] in ["pro", "gold"]'),
    *('user["mixed"] == 7', 'user["mixed"] == "61"', 'user["city"] == "Oslo"'),
    *('"vip" in user["tags"]', 'user["iso"] >= "2024-01-01"', 'user["since"] == "31.12.2023"'),
    *('user["iso"] >= datetime("2024-01-01")', 'user["plan"] > "a"', 'user["plan"] == null'),
    *('user["day"] < "2024-01-01"', 'user["months"] == "31 Dec 2023"'),
    *('contains(user["plan"], "Pro")', 'user["number"] > 20240101', 'defined(user["plan"])'),
]


def people() -> tk.ProfileTable:
    profiles = tk.ProfileTable()
    rows = [dict(zip(CELLS, cells, strict=True)) for cells in zip(*CELLS.values(), strict=True)]
    for number, row in enumerate(rows):
        profiles.set(str(number), {name: cell for name, cell in row.items() if cell is not None})
    return profiles


@pytest.mark.parametrize(("condition", "said"), DOUBTS)
def test_where_warns_of_what_is_there_in_another_form(condition: str, said: str) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        people().where(condition)
    assert any(said in str(each.message) for each in caught)


@pytest.mark.parametrize(("condition", "said"), DOUBTS)
def test_a_report_notes_what_is_there_in_another_form(condition: str, said: str) -> None:
    df = pd.DataFrame({"event": "View", "distinct_id": ["0", "1", "2"], "time": "2026-05-01"})
    assert any(
        said in note for note in tk.segmentation(df, people(), "View", where=condition).notes
    )
    # Of events it is the same.
    of_events = condition.replace("user[", "event[")
    properties = pd.DataFrame(
        {name: pd.Series(cells, dtype=object) for name, cells in CELLS.items()}
    )
    wide = pd.concat([df, properties], axis=1)
    notes = tk.segmentation(wide, None, "View", where=of_events).notes
    assert any(said.replace("user[", "event[") in note for note in notes)


@pytest.mark.parametrize("condition", SILENT)
def test_nothing_is_said_of_what_is_asked_for_as_it_is(condition: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        people().where(condition)


def test_many_near_values_are_shortened_and_hostile_ones_stay_text() -> None:
    profiles = tk.ProfileTable()
    for number, name in enumerate(["a", "A ", " a", " A", "<b>", "<B>"]):
        profiles.set(str(number), {"x": name})
    with pytest.warns(UserWarning, match="and 1 more"):
        profiles.where(user["x"] == "  A  ")
    with pytest.warns(UserWarning, match='there is "<b>", "<B>"'):
        profiles.where(user["x"] == " <b>")
    df = pd.DataFrame({"event": "View", "distinct_id": "1", "time": "2026-05-01", "x": ["<B>"]})
    report = tk.segmentation(df, None, "View", where=event["x"] == "<b>")
    assert "<B>" not in report._repr_html_()


def test_a_large_column_is_looked_at_in_passing() -> None:
    size = 300_000
    df = pd.DataFrame(
        {
            "event": "View",
            "distinct_id": "1",
            "time": pd.Timestamp("2026-05-01"),
            "x": np.char.add("v", np.arange(size).astype(str)),
        }
    )
    notes = tk.segmentation(df, None, "View", where=event["x"] == "V7").notes
    assert 'No value of event["x"] is "V7"; there is "v7".' in notes


def test_a_cohort_of_nobody_says_what_is_there_in_another_form() -> None:
    nobody = tk.cohort(None, people(), user["plan"] == "Pro")
    assert repr(nobody).splitlines()[1:] == ['  No value of user["plan"] is "Pro"; there is "pro".']
    assert "\n" not in repr(tk.cohort(None, people(), user["plan"] == "pro"))
