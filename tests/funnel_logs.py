"""Events written in a line, and what a funnel says of them."""

from __future__ import annotations

from typing import Any

import pandas as pd

import toolkit as tk
from tests.moments import later
from toolkit.base.values import Json
from toolkit.reports import Report


def profiles_of(profiles: dict[str, dict[str, Json]]) -> tk.ProfileTable:
    table = tk.ProfileTable()
    messages = [{"$distinct_id": key, "$set": properties} for key, properties in profiles.items()]
    assert not len(table.apply(messages).rejected)
    return table


def events_of(*rows: tuple[Any, ...], **columns: Any) -> pd.DataFrame:
    """Return events from (event, distinct_id, time) and further columns.

    Small numbers are seconds after the start of 2026.
    """
    frame = pd.DataFrame(list(rows), columns=["event", "distinct_id", "time"], dtype=object)
    frame["time"] = frame["time"].map(later)
    return frame.assign(**{name: pd.Series(values) for name, values in columns.items()})


def one_user(text: str, apart: int = 60, **columns: Any) -> pd.DataFrame:
    """Return the events named by the letters of a text, so many seconds apart."""
    rows = [(name, "ann", number * apart) for number, name in enumerate(text.replace(" ", ""))]
    return events_of(*rows, **columns)


def clock(*happened: tuple[str, str], distinct_id: str = "ann") -> pd.DataFrame:
    """Return events from their names and times of one day."""
    return events_of(*[(name, distinct_id, f"2026-05-01T{at}Z") for name, at in happened])


def counts(report: Report) -> list[int]:
    return report.table["count"].tolist()


def by_segment(report: Report) -> dict[str, list[int]]:
    table = report.labelled(report.table)
    grouped = table.groupby(table.columns[0], sort=False)
    return {segment: rows["count"].tolist() for segment, rows in grouped}


def count_all(df: pd.DataFrame, steps: Any, **options: Any) -> dict[tuple[str, str], list[int]]:
    """Return the counts of every way to count."""
    return {
        (count, reentry): counts(
            tk.funnel(df, None, steps, count=count, reentry=reentry, **options)
        )
        for count in ("unique", "total")
        for reentry in ("first", "optimized")
    }


def held(*happened: tuple[str, Any], **more: Any) -> pd.DataFrame:
    """Return events of one user, a minute apart, from names and items."""
    rows = [(name, "ann", 60 * number) for number, (name, _) in enumerate(happened)]
    items = pd.Series([item for _, item in happened], dtype=object)
    return events_of(*rows, item=items, **more)
