"""What the transactions of profiles add up to."""

from __future__ import annotations

from typing import Any

import pytest

import toolkit as tk
from toolkit.base.errors import ArgumentError


@pytest.fixture
def profiles() -> tk.ProfileTable:
    table = tk.ProfileTable()
    charges: dict[str, list[Any]] = {
        "1": [("2026-05-01", 10), ("2026-05-31T23:59:59Z", 2.5), (1780272000, -4)],
        "2": [("2026-05-09", 7), (None, 100), ("2026-05-01", "5"), ("2026-05-01", True)],
        "3": [],
    }
    for key, given in charges.items():
        table.set(key, {"plan": "pro" if key == "1" else None})
        for time, amount in given:
            table.append(key, {"$transactions": {"$amount": amount, "$time": time}})
    table.append("3", {"$transactions": "nonsense"})
    return table


def test_amounts_add_up_refunds_are_negative_and_the_rest_is_told(
    profiles: tk.ProfileTable,
) -> None:
    found = tk.revenue(profiles)
    assert found.total == 115.5
    assert found.table.to_numpy().tolist() == [[115.5, 5, 2]]
    assert found.by_profile["amount"].to_dict() == {"1": 8.5, "2": 107.0}
    assert found.by_profile["last"].astype(str).to_dict()["1"] == "2026-06-01 00:00:00+00:00"
    assert found.notes == ("3 transactions left out: no $amount that is a number.",)


def test_periods_and_properties_split_it(profiles: tk.ProfileTable) -> None:
    found = tk.revenue(profiles, unit="month", by="plan")
    rows = found.table.assign(time=found.table["time"].astype(str).str[:10])
    assert rows.astype(object).where(rows.notna(), None).to_numpy().tolist() == [
        ["2026-05-01", "pro", 12.5, 2, 1],
        ["2026-05-01", None, 7.0, 1, 1],
        ["2026-06-01", "pro", -4.0, 1, 1],
    ]
    assert found.notes[1] == "1 transaction in no period: no readable $time."
    week = tk.revenue(profiles.where('user["plan"] == "pro"'), unit="week").table["time"]
    assert week.astype(str).str[:10].tolist() == ["2026-04-27", "2026-05-25", "2026-06-01"]


def test_without_transactions_there_is_none() -> None:
    profiles = tk.ProfileTable()
    profiles.set("1", {"plan": "pro"})
    for unit in (None, "month"):
        found = tk.revenue(profiles, unit=unit, by="plan")
        assert (found.total, len(found.table), len(found.by_profile)) == (0.0, 0, 0)
    with pytest.raises(ArgumentError, match="unit="):
        tk.revenue(profiles, unit="fortnight")
