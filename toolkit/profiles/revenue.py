"""Revenue: what the transactions of profiles add up to."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import Any, Final

import numpy as np
import pandas as pd

from toolkit.base import (
    ABSENT,
    ArgumentError,
    InvalidTimeError,
    Json,
    as_json,
    check_choice,
    count,
    dumps,
    html,
    quoted,
    times,
)
from toolkit.columns import objects
from toolkit.profiles.table import ProfileTable, as_table
from toolkit.profiles.view import ProfileView

TRANSACTIONS: Final = "$transactions"
_PERIODS: Final = {"day": "D", "week": "W-SUN", "month": "M", "quarter": "Q", "year": "Y"}


@dataclass(frozen=True, eq=False)
class Revenue:
    """What transactions add up to.

    Attributes
    ----------
    total
        The sum of all amounts; refunds are negative amounts.
    table
        DataFrame: ``time`` (start of the period, if there is a unit), the property (if
        there is one, text; None is not set), ``amount``, ``transactions``, ``profiles``.
    by_profile
        DataFrame, one row per profile with a transaction: ``amount``, ``transactions``,
        ``first`` and ``last`` (UTC); the index is ``distinct_id``.
    notes
        What could not be counted, in sentences.
    """

    total: float
    table: pd.DataFrame
    by_profile: pd.DataFrame
    notes: tuple[str, ...]

    def __repr__(self) -> str:
        heading = f"<Revenue: {self.total:,.2f} of {count(len(self.by_profile), 'profile')}>"
        return "\n  ".join([heading, *self.notes])

    def _repr_html_(self) -> str:
        heading = f"Revenue: {self.total:,.2f} of {count(len(self.by_profile), 'profile')}"
        return html.card(heading, html.table(self.table), html.notes(self.notes))


def revenue(
    profiles: ProfileTable | ProfileView, *, by: str | None = None, unit: str | None = None
) -> Revenue:
    """Return what the ``$transactions`` of profiles add up to.

    A transaction is an object with an ``$amount``, a number, and a ``$time``. One
    without an amount that is a number is left out; one without a readable time is left
    out of the periods. The notes say how many.

    Parameters
    ----------
    profiles
        A table, or the profiles picked out by ``profiles.where``.
    by
        A property to split by.
    unit
        ``"day"``, ``"week"`` (from Monday), ``"month"``, ``"quarter"`` or ``"year"``, in
        UTC; None for no periods.

    Examples
    --------
    >>> profiles = ProfileTable()
    >>> for amount, time in ((10, "2026-05-01"), (-4, "2026-05-09"), (7, "2026-06-01")):
    ...     charge = {"$amount": amount, "$time": time}
    ...     _ = profiles.append("1", {"$transactions": charge})
    >>> revenue(profiles, unit="month").table["amount"].tolist()
    [6.0, 7.0]
    """
    as_table(profiles, views=True)
    check_choice("unit", unit, (*_PERIODS, None), ArgumentError)
    if by is not None and not isinstance(by, str):
        raise ArgumentError(f"by={quoted(by)}; the name of a property or None is needed")
    as_json(by)
    snapshot = profiles.snapshot()
    rows: list[tuple[int, float, int]] = []
    without_amount = without_time = 0
    for at, cell in enumerate(snapshot.column(TRANSACTIONS).cells()):
        if cell is ABSENT or cell is None:
            continue
        for each in cell if isinstance(cell, list) else [cell]:
            amount: Any = each.get("$amount") if isinstance(each, dict) else None
            if not _is_amount(amount):
                without_amount += 1
                continue
            moment = _moment(each)
            without_time += moment == times.NO_TIME
            rows.append((at, float(amount), moment))
    places = np.array([row[0] for row in rows], np.int64)
    moments = pd.Series(np.array([row[2] for row in rows], np.int64).view("M8[us]"))
    frame = pd.DataFrame({"at": places, "amount": [row[1] for row in rows], "time": moments})
    keys: list[str] = []
    data = frame
    if unit is not None:
        data = data[data["time"].notna()].copy()
        data["time"] = data["time"].dt.to_period(_PERIODS[unit]).dt.start_time
        data["time"] = data["time"].dt.tz_localize("UTC")
        keys.append("time")
    if by is not None:
        name = (
            by if by not in ("at", "amount", "time", "transactions", "profiles") else f"user.{by}"
        )
        texts = [_text(value) for value in snapshot.column(by).take(data["at"].to_numpy()).cells()]
        data = data.assign(**{name: pd.Series(objects(texts), data.index, dtype=object)})
        keys.append(name)
    measures: Any = {
        "amount": ("amount", "sum"),
        "transactions": ("amount", "size"),
        "profiles": ("at", "nunique"),
    }
    grouped = data.groupby(keys or (lambda _: 0), dropna=False)
    table = grouped.agg(**measures).reset_index(drop=not keys)
    each_profile = frame.groupby("at").agg(
        amount=("amount", "sum"),
        transactions=("amount", "size"),
        first=("time", "min"),
        last=("time", "max"),
    )
    for name in ("first", "last"):
        each_profile[name] = each_profile[name].dt.tz_localize("UTC")
    each_profile.index = snapshot.index[each_profile.index.to_numpy(dtype=np.int64)]
    notes = []
    if without_amount:
        transactions = count(without_amount, "transaction")
        notes.append(f"{transactions} left out: no $amount that is a number.")
    if without_time and unit is not None:
        transactions = count(without_time, "transaction")
        notes.append(f"{transactions} in no period: no readable $time.")
    return Revenue(float(frame["amount"].sum()), table, each_profile, tuple(notes))


def _is_amount(amount: Any) -> bool:
    if isinstance(amount, bool) or not isinstance(amount, int | float):
        return False
    try:
        return isfinite(float(amount))
    except OverflowError:
        return False


def _moment(transaction: dict[str, Json]) -> int:
    try:
        return times.parse_time(transaction.get("$time"))
    except InvalidTimeError:
        return times.NO_TIME


def _text(value: Any) -> str | None:
    if value is ABSENT or value is None:
        return None
    return value if isinstance(value, str) else dumps(value)
